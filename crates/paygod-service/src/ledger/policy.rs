//! Orders about policy and evidence: import a list, activate packs, erase an input.

use std::path::PathBuf;
use std::sync::Arc;

use paygod_core::command::PolicySet;
use paygod_core::{Command, Request, RequestError};
use paygod_policy::{List, Named, Pack, Ruleset};
use paygod_types::{ActorId, Name, RequestId};

use super::error::LedgerError;
use super::open::Ledger;
use super::outcome::{Outcome, Submission, SubmitError};
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
}

impl Ledger {
    /// Stores a list in the book. It judges nothing until it is activated.
    ///
    /// # Errors
    /// The blob cannot be stored.
    pub fn import_list(&self, list: &List) -> Result<Named, LedgerError> {
        self.blobs.put(list.bytes())?;
        Ok(list.named().clone())
    }

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
            let list = List::parse(&self.blobs.get(&named.digest)?).map_err(PolicyError::from)?;
            builder = builder.list(Arc::new(list));
        }
        if let Some(pack) = packs.iter().find(|pack| pack.judges_documents()) {
            let name = pack.named().name.to_string();
            return Err(PolicyError::Subject { name }.into());
        }
        for pack in packs {
            self.blobs.put(pack.archive())?;
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
        self.order(Request {
            id,
            by: order.by.clone(),
            command: Command::PolicyActivate(set),
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

    /// The newest list of this name that the book holds, by version.
    ///
    /// # Errors
    /// There is none, or a blob cannot be read.
    pub fn newest_list(&self, name: &Name) -> Result<Named, LedgerError> {
        self.lists()?
            .into_iter()
            .rfind(|list| list.name == *name)
            .ok_or_else(|| {
                PolicyError::NoList {
                    name: name.to_string(),
                }
                .into()
            })
    }

    /// `policy:`, half of the set's digest, and after which activation.
    fn activation_id(&self, ruleset: &Ruleset) -> Result<RequestId, LedgerError> {
        let policy = self.look(|state| state.policy().clone())?;
        if policy.digest == ruleset.digest()
            && let Some(since) = policy.since
        {
            return Ok(self.entry(since)?.entry.id);
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
            None => Err(self.gone().into()),
        }
    }
}
