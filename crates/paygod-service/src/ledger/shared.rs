//! What the stages and the handle of a ledger have in common.

use std::error::Error;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::{Duration, Instant};

use paygod_core::WindowKey;
use paygod_core::key_policy::KeyPolicy;
use paygod_policy::Ruleset;
use paygod_tlog::SignedCheckpoint;

use super::clock::Clock;
use super::durable::Progress;
use super::errand::Errand;
use super::handoff::Handoff;
use super::intake::Intake;
use super::outcome::{Submission, SubmitError};
use super::work::{Spare, Work};

/// How long requests wait for the checkpoint that they may be sealed after, from a signer that has not failed.
const SIGNER_PATIENCE: Duration = Duration::from_secs(5);

/// Queues, progress and what every stage needs.
pub(super) struct Shared {
    pub(super) intake: Intake<Submission, Errand>,
    pub(super) handoff: Handoff<Work>,
    pub(super) spare: Spare,
    pub(super) progress: Progress,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) window_key: Arc<WindowKey>,
    /// Groups made durable, for those who watch.
    pub(super) groups: AtomicU64,
    /// Checkpoints published since the book was opened or the key replaced.
    pub(super) signatures: AtomicU64,
    /// Most entries that may wait for a signed checkpoint, as whoever opened the book wants it; past that
    /// requests are refused.
    unsigned_max: u64,
    key_policy: RwLock<KeyPolicy>,
    ruleset: RwLock<Arc<Ruleset>>,
    rotation_fault: RwLock<Option<String>>,
    anchor_fault: RwLock<Option<String>>,
    checkpoint: RwLock<Option<SignedCheckpoint>>,
    witnessed: RwLock<Option<SignedCheckpoint>>,
    witness_faults: RwLock<Vec<String>>,
    signer_fault: RwLock<Option<String>>,
    fault: OnceLock<String>,
}

impl Shared {
    pub(super) fn new(
        clock: Arc<dyn Clock>,
        window_key: Arc<WindowKey>,
        ruleset: Arc<Ruleset>,
        progress: Progress,
        checkpoint: Option<SignedCheckpoint>,
        unsigned_max: u64,
    ) -> Self {
        Self {
            intake: Intake::new(),
            handoff: Handoff::new(),
            spare: Spare::default(),
            progress,
            clock,
            window_key,
            groups: AtomicU64::new(0),
            signatures: AtomicU64::new(0),
            unsigned_max,
            key_policy: RwLock::default(),
            rotation_fault: RwLock::new(None),
            anchor_fault: RwLock::new(None),
            ruleset: RwLock::new(ruleset),
            checkpoint: RwLock::new(checkpoint),
            witnessed: RwLock::new(None),
            witness_faults: RwLock::new(Vec::new()),
            signer_fault: RwLock::new(None),
            fault: OnceLock::new(),
        }
    }

    /// The ruleset in force, as far as workers know while they prepare: the sequencer has the last word.
    pub(super) fn ruleset(&self) -> Arc<Ruleset> {
        Arc::clone(&self.ruleset.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn set_ruleset(&self, ruleset: Arc<Ruleset>) {
        *self.ruleset.write().unwrap_or_else(PoisonError::into_inner) = ruleset;
    }

    /// The last published checkpoint.
    pub(super) fn checkpoint(&self) -> Option<SignedCheckpoint> {
        self.checkpoint
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(super) fn set_checkpoint(&self, checkpoint: SignedCheckpoint) {
        *self
            .checkpoint
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Some(checkpoint);
    }

    /// The newest witnessed checkpoint.
    pub(super) fn witnessed(&self) -> Option<SignedCheckpoint> {
        let witnessed = self.witnessed.read();
        witnessed.unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_witnessed(&self, checkpoint: Option<SignedCheckpoint>) {
        let witnessed = self.witnessed.write();
        *witnessed.unwrap_or_else(PoisonError::into_inner) = checkpoint;
    }

    /// Which witnesses did not cosign the last checkpoint they were asked about, and why.
    pub(super) fn witness_faults(&self) -> Vec<String> {
        let faults = self.witness_faults.read();
        faults.unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_witness_faults(&self, faults: Vec<String>) {
        let kept = self.witness_faults.write();
        *kept.unwrap_or_else(PoisonError::into_inner) = faults;
    }

    /// Why the last checkpoint was not signed, if it was not.
    pub(super) fn signer_fault(&self) -> Option<String> {
        self.signer_fault
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Why the last rotation that was due did not happen, if it did not.
    pub(super) fn rotation_fault(&self) -> Option<String> {
        self.rotation_fault
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(super) fn set_rotation_fault(&self, fault: Option<String>) {
        *self
            .rotation_fault
            .write()
            .unwrap_or_else(PoisonError::into_inner) = fault;
    }

    /// What the last round of anchoring met, if it met something.
    pub(super) fn anchor_fault(&self) -> Option<String> {
        self.anchor_fault
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(super) fn set_anchor_fault(&self, fault: Option<String>) {
        *self
            .anchor_fault
            .write()
            .unwrap_or_else(PoisonError::into_inner) = fault;
    }

    /// What the book says of its checkpoint keys.
    pub(super) fn key_policy(&self) -> KeyPolicy {
        *self
            .key_policy
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_key_policy(&self, policy: KeyPolicy) {
        *self
            .key_policy
            .write()
            .unwrap_or_else(PoisonError::into_inner) = policy;
    }

    /// Refuses requests while too many entries wait for a signed checkpoint. What is in flight comes on
    /// top: at most `REQUESTS_IN_FLIGHT_MAX`.
    pub(super) fn refuse_unsigned(&self) -> Result<(), SubmitError> {
        let unsigned = self.progress.unsigned();
        let policy = self.key_policy().unsigned.unwrap_or(u64::MAX);
        let allowed = self.unsigned_max.min(policy);
        if unsigned > allowed {
            return Err(SubmitError::Unsigned { unsigned, allowed });
        }
        Ok(())
    }

    /// As [`Shared::refuse_unsigned`], but waits while the signer is well: a checkpoint is on its way.
    pub(super) fn wait_for_signer(&self) -> Result<(), SubmitError> {
        let began = Instant::now();
        while let Err(refused) = self.refuse_unsigned() {
            if self.signer_fault().is_some() || began.elapsed() >= SIGNER_PATIENCE {
                return Err(refused);
            }
            self.progress.wait_a_moment()?;
        }
        Ok(())
    }

    pub(super) fn set_signer_fault(&self, fault: Option<String>) {
        *self
            .signer_fault
            .write()
            .unwrap_or_else(PoisonError::into_inner) = fault;
    }

    /// INVARIANT(poisoned): stops every stage and answers what is in flight. The first cause is kept.
    pub(super) fn poison(&self, cause: &dyn Error) {
        self.poison_because(cause.to_string());
    }

    pub(super) fn poison_because(&self, cause: String) {
        self.fault.get_or_init(|| cause);
        self.progress.poison();
        self.handoff.close();
        for part in self.intake.poison() {
            part.share.poison(part.requests.len());
        }
    }

    /// The error of a caller whom the sequencer did not answer.
    pub(super) fn gone(&self) -> SubmitError {
        if self.progress.is_poisoned() {
            SubmitError::Poisoned
        } else {
            SubmitError::Closed
        }
    }

    /// Why the ledger stopped, if it did.
    pub(super) fn fault(&self) -> Option<&str> {
        self.fault.get().map(String::as_str)
    }
}
