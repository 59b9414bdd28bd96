//! Anchors by transactions of our own: one under way at a time on each chain, and a look back at those that stand.
//!
//! What a chain needs to know of an anchor under way is a text of its own, in `anchors/<chain>/under-way`. It is
//! written before the step that acts on it, so that whoever is killed goes on with the same transaction. While one is
//! under way newer checkpoints wait: the next anchor covers them all, and so it is after an outage of days.

use std::sync::Arc;

use paygod_anchor::bitcoin::{Headers, ProofError, judge};
use paygod_anchor::chain::{Chain, ChainError, ProofKind, Standing, Statement, Step};
use paygod_anchor::ots::DetachedFile;
use paygod_types::{Code, Seq};

use super::error::AnchorError;
use super::folder::ChainFolder;
use super::policy::AnchorPolicy;
use super::round::{Anchorer, Held, word};

/// Most steps of one chain in one round.
const STEPS_MAX: usize = 8;

/// Most anchors that are looked back at.
const SETTLED_MAX: usize = 256;

/// What a round did on one chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainRound {
    /// The chain.
    pub chain: &'static str,
    /// The size of the checkpoint whose anchor was begun.
    pub submitted: Option<u64>,
    /// Why none was, if none was.
    pub held: Option<Held>,
    /// The checkpoint whose anchor is under way, and what it waits for.
    pub waiting: Option<(u64, String)>,
    /// What the node, the key or the chain did that they should not have.
    pub faults: Vec<String>,
    /// The permanent code of what held it back with [`Held::Refused`].
    pub code: Option<Code>,
}

/// An anchor that stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Settled {
    pub(super) size: u64,
    /// Where, in the chain's own words.
    pub(super) place: String,
}

/// One chain in one round.
struct OnChain<'a> {
    anchorer: &'a Anchorer,
    chain: &'a Arc<dyn Chain>,
    folder: ChainFolder,
    headers: Option<&'a Headers>,
    sealed: &'a mut Vec<(u64, Seq)>,
    round: ChainRound,
}

impl Anchorer {
    /// One round on one chain. What the chain does not do is told; only the book's own trouble is an error.
    pub(super) fn chain_round(
        &self,
        chain: &Arc<dyn Chain>,
        policy: &AnchorPolicy,
        headers: Option<&Headers>,
        now: bool,
        sealed: &mut Vec<(u64, Seq)>,
    ) -> Result<ChainRound, AnchorError> {
        let mut on_chain = OnChain {
            anchorer: self,
            chain,
            folder: self.folder.chain(chain.name()),
            headers,
            sealed,
            round: ChainRound {
                chain: chain.name(),
                submitted: None,
                held: None,
                waiting: None,
                faults: Vec::new(),
                code: None,
            },
        };
        match on_chain.go(policy, now) {
            Ok(()) => {}
            Err(AnchorError::Chain(error)) => on_chain.fault(&error),
            Err(error @ (AnchorError::Malformed { .. } | AnchorError::Tree { .. })) => {
                on_chain.round.faults.push(error.to_string());
            }
            Err(error) => return Err(error),
        }
        Ok(on_chain.round)
    }
}

impl OnChain<'_> {
    fn fault(&mut self, error: &ChainError) {
        let told = format!("{}: {error}", self.chain.name());
        self.round.faults.push(told);
        self.round.held = Some(Held::Refused);
        self.round.code = Some(error.code());
    }

    fn go(&mut self, policy: &AnchorPolicy, now: bool) -> Result<(), AnchorError> {
        self.finish_receipts()?;
        if let Some((size, _)) = self.folder.under_way()? {
            // Killed before that was written down.
            if self.folder.state()?.size < size {
                let now = self.anchorer.shared.clock.now();
                self.folder.submitted(size, now)?;
            }
            self.advance()?;
        }
        self.look_back(policy)?;
        if self.folder.under_way()?.is_some() {
            self.round.held.get_or_insert(Held::UnderWay);
            return Ok(());
        }
        match self.anchorer.due(&self.folder.state()?, policy, now)? {
            Ok(signed) => {
                let size = signed.head().size;
                self.round.held = None;
                self.anchorer.folder.write_checkpoint(&signed)?;
                self.begin(size, true)?;
                self.round.submitted = Some(size);
                self.advance()
            }
            Err(held) => {
                self.round.held.get_or_insert(held);
                Ok(())
            }
        }
    }

    /// Killed between proof and receipt: the proof is there, and where it stands is written down.
    fn finish_receipts(&mut self) -> Result<(), AnchorError> {
        for settled in self.folder.settled()? {
            let sealed = self.anchorer.receipt(settled.size, self.chain.kind())?;
            self.sealed.extend(sealed);
        }
        Ok(())
    }

    fn statement(&self, size: u64) -> Result<Statement, AnchorError> {
        let head = self.anchorer.head_at(size)?;
        Ok(Statement::new(&self.anchorer.origin, head)?)
    }

    /// Makes the transaction and writes it down, unsent. A new one counts against the budget, before the chain is
    /// asked anything.
    fn begin(&self, size: u64, is_new: bool) -> Result<(), AnchorError> {
        let time = self.anchorer.shared.clock.now();
        self.folder.count_attempt(time)?;
        let settled = self.folder.settled()?;
        let last = settled.last().map(|last| last.place.as_str());
        let text = self.chain.begin(&self.statement(size)?, last)?;
        self.folder.write_under_way(size, &text)?;
        if is_new {
            self.folder.submitted(size, time)?;
        }
        Ok(())
    }

    /// Steps until there is something to wait for.
    fn advance(&mut self) -> Result<(), AnchorError> {
        for _ in 0..STEPS_MAX {
            let Some((size, text)) = self.folder.under_way()? else {
                return Ok(());
            };
            match self.chain.advance(&self.statement(size)?, &text)? {
                Step::Waiting(why) => {
                    self.round.waiting = Some((size, why));
                    return Ok(());
                }
                Step::Changed(text) => self.folder.write_under_way(size, &text)?,
                Step::Done { proof, settled } => return self.done(size, &proof, settled),
                Step::Lost(why) => {
                    let told = format!("{}: {why}; begun anew", self.chain.name());
                    self.round.faults.push(told);
                    self.folder.remove_under_way()?;
                    // What was to be anchored is still to be: the newest checkpoint covers it.
                    self.folder.forget_submission()?;
                    self.round.held = Some(Held::Lost);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// INVARIANT(anchor-order): the proof, then where it stands, then the receipt.
    fn done(&mut self, size: u64, proof: &[u8], place: String) -> Result<(), AnchorError> {
        let kind = self.chain.kind();
        match self.refuted(proof) {
            Some(error) if error.is_wrong() => {
                let told = format!("{}: {error}", self.chain.name());
                self.round.faults.push(told);
                return Ok(());
            }
            Some(error) => {
                self.round.waiting = Some((size, error.to_string()));
                return Ok(());
            }
            None => {}
        }
        let again = self.folder.settled()?.iter().any(|one| one.size == size);
        // One that came another way and was receipted stays, unless the chain has dropped it.
        if again || self.anchorer.receipted(size, word(kind), 0)?.is_none() {
            self.anchorer.folder.write_proof(size, kind, proof)?;
        }
        self.folder.settle(Settled { size, place }, SETTLED_MAX)?;
        self.sealed.extend(self.anchorer.receipt(size, kind)?);
        self.folder.remove_under_way()
    }

    /// What headers from elsewhere say against a proof.
    fn refuted(&self, proof: &[u8]) -> Option<ProofError> {
        let headers = self
            .headers
            .filter(|_| self.chain.kind() == ProofKind::OpenTimestamps)?;
        let file = DetachedFile::parse(proof).ok()?;
        judge(&file, headers).err()
    }

    /// Whether what was receipted still stands. What the chain has dropped is anchored anew, and receipted again.
    fn look_back(&mut self, policy: &AnchorPolicy) -> Result<(), AnchorError> {
        for settled in self.folder.settled()? {
            match self.chain.stands(&settled.place)? {
                Standing::Stands => {}
                // The newest one is kept: it says what money is left.
                Standing::Final => self.folder.unsettle_before_last(settled.size)?,
                Standing::Gone if self.folder.under_way()?.is_none() => {
                    let told = format!(
                        "{}: the chain has dropped the block that anchored {} entries; they are anchored anew",
                        self.chain.name(),
                        settled.size
                    );
                    self.round.faults.push(told);
                    let time = self.anchorer.shared.clock.now();
                    if self.folder.state()?.is_spent(time, policy.daily_max) {
                        self.round.held = Some(Held::Budget);
                        return Ok(());
                    }
                    self.begin(settled.size, false)?;
                    self.round.submitted = Some(settled.size);
                    self.advance()?;
                }
                Standing::Gone => {}
            }
        }
        Ok(())
    }
}
