//! Orders about policy and evidence: import a list, activate packs, erase an input.

use std::path::PathBuf;
use std::sync::Arc;

use paygod_core::command::{Activation, PolicySet};
use paygod_core::pack_trust::{PackSignature, PackTrust};
use paygod_core::publisher::{self, PublisherError, pack_text};
use paygod_core::{Body, Command, Request, RequestError};
use paygod_policy::{List, Named, Pack, Ruleset};
use paygod_types::{ActorId, Name, RequestId};

use super::error::LedgerError;
use super::open::Ledger;
use super::outcome::{Outcome, Submission, SubmitError};
use super::reader::LedgerReader;
use super::rulesets::{PolicyError, read_pack};

/// Packs and lists to activate together: they replace whatever is in force.
#[derive(Clone, Debug)]
pub struct ActivationOrder {
    /// The request's id. `None`: one made of the set's digest and of what is in force, so that the same
    /// order given twice is one request, and an earlier set can be activated again.
    pub id: Option<RequestId>,
    /// Who asks.
    pub by: Option<ActorId>,
    /// The folders of the packs.
    pub packs: Vec<PathBuf>,
    /// The lists, as [`Ledger::import_list`] gave them.
    pub lists: Vec<Named>,
    /// Publishers' signatures of packs, each a signed note. Those of packs that are active already count on.
    pub signatures: Vec<Vec<u8>>,
}

impl LedgerReader {
    /// The lists that the book holds, activated or not, by name and version.
    ///
    /// # Errors
    /// A blob cannot be read.
    pub fn lists(&self) -> Result<Vec<Named>, LedgerError> {
        let mut lists = Vec::new();
        for digest in self.blobs.list()? {
            // Packs are blobs too, and are no lists.
            if let Ok(list) = List::parse(&self.blobs.get(&digest)?) {
                lists.push(list.named().clone());
            }
        }
        lists.sort();
        Ok(lists)
    }

    /// The list of this name that the book holds. Nothing says which of two versions is the newer, so there must be one.
    ///
    /// # Errors
    /// There is none, there are several versions, or a blob cannot be read.
    pub fn only_list(&self, name: &Name) -> Result<Named, LedgerError> {
        let mut held = self.lists()?;
        held.retain(|list| list.name == *name);
        let name = name.to_string();
        match held.as_slice() {
            [] => Err(PolicyError::NoList { name }.into()),
            [only] => Ok(only.clone()),
            several => {
                let versions: Vec<&str> = several.iter().map(|list| &*list.version).collect();
                let versions = versions.join("`, `");
                Err(PolicyError::ListVersions { name, versions }.into())
            }
        }
    }

    /// The signatures to activate a set with: those of the notes by publishers whom the book knows, and
    /// those that packs which stay active were activated with.
    ///
    /// # Errors
    /// A note is none, is over no pack of the set, or is by nobody whom the book knows; the book cannot
    /// be read.
    pub fn signatures(
        &self,
        set: &PolicySet,
        notes: &[Vec<u8>],
    ) -> Result<Vec<PackSignature>, LedgerError> {
        let (policy, trust) = self.look(|state| {
            let trust = state.packs().trust.clone();
            (state.policy().clone(), trust)
        })?;
        let known = |key: &str| trust.publishers.iter().any(|one| *one.key == *key);
        let mut signatures = Vec::new();
        if let Some(since) = policy.since
            && let Body::PolicyActivate { vouched, .. } = self.entry(since)?.entry.body
        {
            for one in vouched {
                let stays = set.packs.iter().find(|pack| pack.name == one.pack);
                if stays.is_none_or(|pack| !policy.set.packs.contains(pack)) {
                    continue;
                }
                let standing = one.signatures.into_iter().filter(|(key, _)| known(key));
                signatures.extend(standing.map(|(key, signature)| PackSignature {
                    key,
                    pack: one.pack.clone(),
                    signature,
                }));
            }
        }
        for note in notes {
            signatures.extend(of_note(note, set, &trust)?);
        }
        signatures.sort_by(|a, b| (&a.pack, &a.key).cmp(&(&b.pack, &b.key)));
        signatures.dedup_by(|a, b| (&a.pack, &a.key) == (&b.pack, &b.key));
        Ok(signatures)
    }
}

impl Ledger {
    /// Stores a list in the book. It judges nothing until it is activated.
    ///
    /// # Errors
    /// The book holds another list of this name and version, or the blob cannot be stored.
    pub fn import_list(&self, list: &List) -> Result<Named, LedgerError> {
        let named = list.named();
        let is_same = |held: &Named| (&held.name, &held.version) == (&named.name, &named.version);
        let mut held = self.read.lists()?.into_iter().filter(is_same);
        if held.any(|held| held.digest != named.digest) {
            let (name, version) = (named.name.to_string(), named.version.clone());
            return Err(PolicyError::ListTaken { name, version }.into());
        }
        self.read.blobs.put(list.bytes())?;
        Ok(list.named().clone())
    }

    /// Checks packs and lists together, stores the packs, and submits the request that activates them.
    ///
    /// # Errors
    /// A pack has faults, a list is missing, or the request is refused.
    pub fn activate(&self, order: &ActivationOrder) -> Result<Outcome, LedgerError> {
        let packs = order.packs.iter().map(|folder| read_pack(folder));
        let packs = packs.collect::<Result<Vec<Pack>, PolicyError>>()?;
        self.activate_packs(order, packs)
    }

    /// As [`Ledger::activate`], with packs that were read elsewhere; the order's folders are not looked at.
    ///
    /// # Errors
    /// A list is missing, or the request is refused.
    pub fn activate_packs(
        &self,
        order: &ActivationOrder,
        packs: Vec<Pack>,
    ) -> Result<Outcome, LedgerError> {
        let mut builder = Ruleset::builder();
        for named in &order.lists {
            let list =
                List::parse(&self.read.blobs.get(&named.digest)?).map_err(PolicyError::from)?;
            builder = builder.list(Arc::new(list));
        }
        if let Some(pack) = packs.iter().find(|pack| pack.judges_documents()) {
            let name = pack.named().name.to_string();
            return Err(PolicyError::Subject { name }.into());
        }
        for pack in packs {
            self.read.blobs.put(pack.archive())?;
            builder = builder.pack(pack);
        }
        let ruleset = builder.build().map_err(PolicyError::from)?;
        let set = PolicySet {
            lists: ruleset.lists().to_vec(),
            packs: ruleset.packs().to_vec(),
        };
        let id = match &order.id {
            Some(id) => id.clone(),
            None => self.activation_id(&ruleset)?,
        };
        let signatures = self.read.signatures(&set, &order.signatures)?;
        self.order(Request {
            id,
            by: order.by.clone(),
            command: Command::PolicyActivate(Activation { set, signatures }),
        })
    }

    /// Erases the vaulted input of an earlier request. Its proofs stay valid.
    ///
    /// # Errors
    /// There is no such request, or it cannot be erased.
    pub fn erase_evidence(
        &self,
        id: RequestId,
        by: Option<ActorId>,
        request: RequestId,
    ) -> Result<Outcome, LedgerError> {
        self.order(Request {
            id,
            by,
            command: Command::EvidenceErase { request },
        })
    }

    /// `policy:`, half of the set's digest, and after which activation.
    fn activation_id(&self, ruleset: &Ruleset) -> Result<RequestId, LedgerError> {
        let policy = self.read.look(|state| state.policy().clone())?;
        if policy.digest == ruleset.digest()
            && let Some(since) = policy.since
        {
            return Ok(self.read.entry(since)?.entry.id);
        }
        let digest = ruleset.digest().to_string();
        let half: String = digest.chars().take(32).collect();
        let after = policy.since.map_or(0, |seq| seq.get());
        let id = RequestId::parse(&format!("policy:{half}:{after}"));
        id.map_err(|source| SubmitError::from(RequestError::Id { key: "id", source }).into())
    }

    fn order(&self, request: Request) -> Result<Outcome, LedgerError> {
        let answers = self.submit(vec![Submission::Request(request)]);
        match answers.into_iter().next() {
            Some(answer) => Ok(answer?),
            None => Err(self.shared.gone().into()),
        }
    }
}

/// The signatures of a note by publishers whom the book knows.
fn of_note(
    note: &[u8],
    set: &PolicySet,
    trust: &PackTrust,
) -> Result<Vec<PackSignature>, PublisherError> {
    let text = publisher::text_of(note)?;
    let pack = set.packs.iter().find(|pack| pack_text(pack) == text);
    let pack = pack.ok_or_else(|| PublisherError::other(&text))?;
    let keys = trust.publishers.iter().map(|one| &one.key);
    let signers = publisher::signers_among(note, keys)?;
    if signers.is_empty() {
        return Err(PublisherError::Signature {
            key: "a publisher whom the book knows".to_owned(),
            reason: "see `paygod pack trust`".to_owned(),
        });
    }
    let mut signatures = Vec::with_capacity(signers.len());
    for key in signers {
        signatures.push(PackSignature {
            signature: publisher::open_signature(note, &text, &key)?,
            pack: pack.name.clone(),
            key,
        });
    }
    Ok(signatures)
}
