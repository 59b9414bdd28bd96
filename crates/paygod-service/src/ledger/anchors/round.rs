//! One round of anchoring.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use paygod_anchor::bitcoin::{Headers, judge};
use paygod_anchor::calendar::{Calendar, CalendarError};
use paygod_anchor::chain::ProofKind;
use paygod_anchor::ots::{Attestation, CalendarUri, DetachedFile, Op, Timestamp as Promise};
use paygod_core::entry::{AnchorKind, AnchorReceipt};
use paygod_core::{Action, Body, EntryHead, SystemCommand};
use paygod_store::{Finder, Reader, TreeSource};
use paygod_tlog::{Checkpoint, SignedCheckpoint, TreeHead, TreeReader};
use paygod_types::{Digest, RequestId, Seq};

use super::chains::ChainRound;
use super::error::AnchorError;
use super::folder::{Folder, State};
use super::policy::AnchorPolicy;
use crate::ledger::errand::Errand;
use crate::ledger::error::LedgerError;
use crate::ledger::outcome::SubmitError;
use crate::ledger::read::find;
use crate::ledger::shared::Shared;

/// Most pending proofs that a round asks about, the oldest first; the next one goes on.
const UPGRADES_MAX: usize = 256;

/// How often a checkpoint may be anchored anew.
const AGAIN_MAX: u32 = 1_000;

/// What a round did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnchorRound {
    /// The size of the checkpoint that was submitted.
    pub submitted: Option<u64>,
    /// Why none was, if none was.
    pub held: Option<Held>,
    /// What was done on each chain that takes transactions of our own.
    pub chains: Vec<ChainRound>,
    /// Sizes of the checkpoints that got their block, and the entries that receipt them.
    pub sealed: Vec<(u64, Seq)>,
    /// Proofs that wait for their block.
    pub pending: u64,
    /// What calendars answered that they should not have, and what was refused.
    pub faults: Vec<String>,
}

/// Why no checkpoint was submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// No entry but receipts is newer than the last submission.
    NothingNew,
    /// The time of the next one has not come.
    NotYet,
    /// The budget of the day is spent.
    Budget,
    /// No calendar took it, or the chain's node or key failed.
    Refused,
    /// On this chain another one is under way.
    UnderWay,
    /// What was under way can never come about; the next round begins anew.
    Lost,
}

/// Does rounds, one at a time.
#[derive(Clone)]
pub(in crate::ledger) struct Anchorer {
    pub(in crate::ledger) origin: Arc<str>,
    pub(in crate::ledger) folder: Folder,
    pub(in crate::ledger) reader: Reader,
    pub(in crate::ledger) finder: Finder,
    pub(in crate::ledger) tree: TreeSource,
    pub(in crate::ledger) shared: Arc<Shared>,
    pub(in crate::ledger) turn: Arc<Mutex<()>>,
    /// The ledger closes: no further question is asked.
    pub(in crate::ledger) closing: Arc<AtomicBool>,
}

/// Calendars, and which of them were found silent in this round: they are not asked again.
struct Asking<'a> {
    calendar: Calendar,
    silent: BTreeSet<CalendarUri>,
    closing: &'a AtomicBool,
    faults: Vec<String>,
}

impl Asking<'_> {
    fn ask<T>(
        &mut self,
        uri: &CalendarUri,
        question: impl FnOnce(&Calendar) -> Result<T, CalendarError>,
    ) -> Option<T> {
        if self.silent.contains(uri) || self.closing.load(Ordering::Relaxed) {
            return None;
        }
        match question(&self.calendar) {
            Ok(answer) => Some(answer),
            Err(error) => {
                self.silent.insert(uri.clone());
                self.faults.push(error.to_string());
                None
            }
        }
    }
}

impl Anchorer {
    pub(in crate::ledger) fn round(
        &self,
        policy: &AnchorPolicy,
        headers: Option<&Headers>,
        now: bool,
    ) -> Result<AnchorRound, AnchorError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let mut round = AnchorRound::default();
        let mut asking = Asking {
            calendar: Calendar::new(policy.allowed.clone(), policy.timeout),
            silent: BTreeSet::new(),
            closing: &self.closing,
            faults: Vec::new(),
        };
        let anchored: BTreeSet<u64> = self.folder.anchored()?.into_iter().collect();
        for size in self.folder.pending()?.into_iter().take(UPGRADES_MAX) {
            // Named a block before a crash: only the receipt may be missing.
            if !anchored.contains(&size) {
                match self.upgrade(size, headers, &mut asking) {
                    Ok(true) => {}
                    Ok(false) => continue,
                    // One bad file must not keep the others waiting.
                    Err(error @ (AnchorError::Malformed { .. } | AnchorError::Tree { .. })) => {
                        asking.faults.push(error.to_string());
                        continue;
                    }
                    Err(error) => return Err(error),
                }
            }
            round
                .sealed
                .extend(self.receipt(size, ProofKind::OpenTimestamps)?);
            self.folder.remove_pending(size)?;
        }
        let due = if policy.calendars.is_empty() {
            None
        } else {
            Some(self.due(&self.folder.state()?, policy, now)?)
        };
        match due {
            None => {}
            Some(Ok(signed)) if self.submit(&signed, policy, &mut asking)? => {
                round.submitted = Some(signed.head().size);
            }
            Some(Ok(_)) => round.held = Some(Held::Refused),
            Some(Err(held)) => round.held = Some(held),
        }
        for chain in &policy.chains {
            let of = self.chain_round(chain, policy, headers, now, &mut round.sealed)?;
            asking.faults.extend(of.faults.iter().cloned());
            round.chains.push(of);
        }
        round.pending = u64::try_from(self.folder.pending()?.len()).unwrap_or(u64::MAX);
        round.faults = asking.faults;
        Ok(round)
    }

    /// What the last submission covered, whichever way it went; 0 if nothing is known of one.
    pub(in crate::ledger) fn covered(&self) -> u64 {
        let calendars = self.folder.state().map_or(0, |state| state.size);
        let chains = self.folder.chains();
        let chains = chains.filter_map(|(_, chain)| Some(chain.state().ok()?.size));
        chains.fold(calendars, u64::max)
    }

    /// Size and root, as they were.
    pub(super) fn head_at(&self, size: u64) -> Result<TreeHead, AnchorError> {
        head_at(&self.tree, self.shared.progress.signed(), size)
    }

    fn text_digest(&self, head: TreeHead) -> Result<Digest, AnchorError> {
        let origin = self.origin.to_string();
        let text = Checkpoint { origin, head }.to_text()?;
        Ok(Digest::sha256(text.as_bytes()))
    }

    /// Asks the calendars that promised something about a checkpoint. Whether the proof names a block now.
    fn upgrade(
        &self,
        size: u64,
        headers: Option<&Headers>,
        asking: &mut Asking<'_>,
    ) -> Result<bool, AnchorError> {
        let bytes = self.folder.read_pending(size)?;
        let parsed = DetachedFile::parse(&bytes);
        let mut file = parsed.map_err(|error| self.folder.malformed(size, &error))?;
        if !file.is_of(&self.text_digest(self.head_at(size)?)?) {
            let reason = "it is of another checkpoint than the book's";
            return Err(self.folder.malformed(size, &reason));
        }
        for (path, message, uri) in promises(&file)? {
            let answer = asking.ask(&uri, |calendar| calendar.upgrade(&uri, &message));
            let Some(Some(more)) = answer else { continue };
            let mut grown = file.clone();
            let path: Vec<&Op> = path.iter().collect();
            if let Err(error) = grown.timestamp.graft(&path, more) {
                asking.faults.push(format!("the calendar `{uri}`: {error}"));
                continue;
            }
            match headers.map(|headers| judge(&grown, headers)) {
                // What headers refute is not taken in: the calendar may do better tomorrow.
                Some(Err(error)) if error.is_wrong() => {
                    asking.faults.push(format!("the calendar `{uri}`: {error}"));
                }
                _ => file = grown,
            }
        }
        let grown = file.to_bytes()?;
        if grown != bytes {
            self.folder.write_pending(size, &grown)?;
        }
        let borne_out = headers.is_none_or(|headers| judge(&file, headers).is_ok());
        if !file.timestamp.is_complete() || !borne_out {
            return Ok(false);
        }
        self.folder.write_anchored(size, &grown)?;
        Ok(true)
    }

    /// Seals the receipt of a proof that names a block, unless it was sealed before. INVARIANT(anchor-order):
    /// the proof is on the disk by now, and the id that follows from the size is used once.
    pub(super) fn receipt(
        &self,
        size: u64,
        kind: ProofKind,
    ) -> Result<Option<(u64, Seq)>, AnchorError> {
        let digest = Digest::sha256(&self.folder.read_proof(size, kind)?);
        let kind = word(kind);
        let mut again = 0;
        while let Some(known) = self.receipted(size, kind, again)? {
            if known.digest == digest || again >= AGAIN_MAX {
                return Ok(None);
            }
            again = again.saturating_add(1);
        }
        let receipt = AnchorReceipt {
            again,
            digest,
            kind,
            root: Digest::from_bytes(self.head_at(size)?.root.to_bytes()),
            size,
        };
        let (reply, sealed) = mpsc::sync_channel(1);
        let command = SystemCommand::Anchor(receipt);
        self.shared.intake.send(Errand::Seal { command, reply })?;
        let end = sealed.recv().map_err(|_| SubmitError::Closed)??;
        self.shared.progress.wait_durable(end)?;
        Ok(Some((size, Seq(end.saturating_sub(1)))))
    }

    /// The receipt of a checkpoint that was sealed.
    pub(super) fn receipted(
        &self,
        size: u64,
        kind: AnchorKind,
        again: u32,
    ) -> Result<Option<AnchorReceipt>, AnchorError> {
        let name = match again {
            0 => format!("anchor:{kind}:{size}"),
            again => format!("anchor:{kind}:{size}:{again}"),
        };
        let Ok(id) = RequestId::system(&name) else {
            return Ok(None);
        };
        let durable = self.shared.progress.durable();
        match find(&self.reader, &self.finder, durable, &id) {
            Err(LedgerError::NoRequest { .. }) => Ok(None),
            Err(error) => Err(error.into()),
            Ok(found) => Ok(match found.entry.body {
                Body::Anchor(receipt) => Some(receipt),
                _ => None,
            }),
        }
    }

    /// The checkpoint that is due, or why none is.
    pub(super) fn due(
        &self,
        state: &State,
        policy: &AnchorPolicy,
        now: bool,
    ) -> Result<Result<SignedCheckpoint, Held>, AnchorError> {
        let Some(signed) = self.shared.checkpoint() else {
            return Ok(Err(Held::NothingNew));
        };
        let head = *signed.head();
        if head.size <= state.size || !self.has_news(state.size, head.size)? {
            return Ok(Err(Held::NothingNew));
        }
        let time = self.shared.clock.now();
        let waited = time.as_nanos().saturating_sub(state.time.as_nanos());
        let by_time = u128::from(waited) >= policy.every.as_nanos();
        let new = head.size.saturating_sub(state.size);
        let by_count = policy.entries.is_some_and(|most| new >= most);
        if !(now || by_time || by_count || state.size == 0) {
            return Ok(Err(Held::NotYet));
        }
        if state.is_spent(time, policy.daily_max) {
            return Ok(Err(Held::Budget));
        }
        Ok(Ok(signed))
    }

    /// Whether there is an entry that is no receipt: else each receipt would call for another anchor.
    fn has_news(&self, from: u64, to: u64) -> Result<bool, AnchorError> {
        for seq in from..to {
            let mut buf = paygod_store::EntryBuf::default();
            let found = self
                .reader
                .entry(Seq(seq), &mut buf)
                .map_err(LedgerError::from)?;
            let head = EntryHead::decode(found.bytes);
            let head = head.map_err(|source| LedgerError::Entry {
                seq: Seq(seq),
                source,
            })?;
            if head.action != Action::Anchor {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Submits a checkpoint to every calendar. Whether one of them took it.
    fn submit(
        &self,
        signed: &SignedCheckpoint,
        policy: &AnchorPolicy,
        asking: &mut Asking<'_>,
    ) -> Result<bool, AnchorError> {
        let time = self.shared.clock.now();
        self.folder.count_attempt(time)?;
        let head = *signed.head();
        let digest = self.text_digest(head)?;
        let mut promised = Promise::default();
        for uri in &policy.calendars {
            let answer = asking.ask(uri, |calendar| calendar.submit(uri, digest.as_bytes()));
            if let Some(more) = answer
                && let Err(error) = promised.merge(more)
            {
                asking.faults.push(format!("the calendar `{uri}`: {error}"));
            }
        }
        if promised.attestations().is_empty() {
            return Ok(false);
        }
        let bytes = DetachedFile::new(&digest, promised).to_bytes()?;
        self.folder.write_checkpoint(signed)?;
        self.folder.write_pending(head.size, &bytes)?;
        let state = State {
            size: head.size,
            time,
            ..self.folder.state()?
        };
        self.folder.write_state(&state)?;
        Ok(true)
    }
}

/// A kind of proof as receipts name it.
pub(super) const fn word(kind: ProofKind) -> AnchorKind {
    match kind {
        ProofKind::OpenTimestamps => AnchorKind::OpenTimestamps,
        ProofKind::Ethereum => AnchorKind::Ethereum,
    }
}

/// What calendars promised in a proof: the way there, the message and who has it.
type Promised = (Vec<Op>, Vec<u8>, CalendarUri);

fn promises(file: &DetachedFile) -> Result<Vec<Promised>, AnchorError> {
    let mut promises = Vec::new();
    file.walk(&mut |found| {
        if let Attestation::Pending(uri) = found.attestation {
            let path = found.path.iter().map(|op| (*op).clone()).collect();
            promises.push((path, found.message().to_vec(), uri.clone()));
        }
    })?;
    Ok(promises)
}

/// Size and root of a tree of which so much is signed, as they were.
pub(super) fn head_at(tree: &TreeSource, signed: u64, size: u64) -> Result<TreeHead, AnchorError> {
    let head = TreeReader::new(tree, signed).and_then(|mut tree| tree.head_at(size));
    head.map_err(|error| AnchorError::Tree {
        size,
        reason: error.to_string(),
    })
}
