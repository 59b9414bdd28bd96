//! Asking witnesses to cosign checkpoints, on a thread of its own beside the publisher.
//!
//! Nothing waits for it but those who ask to: a checkpoint is published as signed at once, and becomes a
//! witnessed one when a quorum has cosigned it. Below quorum it never does; the next one covers it.
//! Only the newest checkpoint is asked about, so after an outage of any length one round catches up.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use paygod_anchor::witness::ask::{Asked, Asker, Proofs};
use paygod_store::{CheckpointError, TreeSource, Witnessed};
use paygod_tlog::{Hash, PolicyFailure, TlogPolicy, TreeReader};

use super::clock::Clock;
use super::open::Ledger;
use super::shared::Shared;

/// How often a new checkpoint is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// How long a round below quorum is followed by nothing: doubled each time, up to the longest.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
const AGAIN_AFTER_MAX: Duration = Duration::from_secs(60);

/// What came of one round.
#[derive(Clone, Debug)]
pub struct Round {
    /// Entries of the checkpoint that was asked about.
    pub size: u64,
    /// How many witnesses cosigned it, when they are a quorum; else why they are not.
    pub witnessed: Result<usize, PolicyFailure>,
    /// The witnesses that did not, by the policy's names, why, and the permanent code.
    pub faults: Vec<WitnessFault>,
}

/// Why one witness did not cosign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WitnessFault {
    /// What the policy calls it.
    pub witness: String,
    /// Why.
    pub reason: String,
    /// The permanent code.
    pub code: paygod_types::Code,
}

/// Asks, round by round, while the book is open.
pub(super) struct Witnesser {
    pub(super) asker: Asker,
    pub(super) tree: TreeSource,
    pub(super) witnessed: Arc<Mutex<Witnessed>>,
    pub(super) shared: Arc<Shared>,
    /// Ends when the ledger closes.
    pub(super) until: Receiver<()>,
}

impl Witnesser {
    pub(super) fn run(mut self) {
        let (mut again, mut pause) = (Instant::now(), AGAIN_AFTER);
        while self.until.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
            if Instant::now() < again {
                continue;
            }
            match round(&mut self.asker, &self.tree, &self.shared, &self.witnessed) {
                Ok(None) => continue,
                Ok(Some(round)) if round.witnessed.is_ok() => {
                    pause = AGAIN_AFTER;
                    continue;
                }
                Ok(Some(_)) => {}
                // The disk refused a file that nothing depends on: said, and tried again.
                Err(error) => self.shared.set_witness_faults(vec![error.to_string()]),
            }
            again = Instant::now().checked_add(pause).unwrap_or(again);
            pause = pause.saturating_mul(2).min(AGAIN_AFTER_MAX);
        }
    }
}

/// Asks about the newest checkpoint, unless it is witnessed already.
fn round(
    asker: &mut Asker,
    tree: &TreeSource,
    shared: &Shared,
    witnessed: &Mutex<Witnessed>,
) -> Result<Option<Round>, CheckpointError> {
    let Some(checkpoint) = shared.checkpoint() else {
        return Ok(None);
    };
    let size = checkpoint.head().size;
    if shared
        .witnessed()
        .is_some_and(|last| last.head().size >= size)
    {
        return Ok(None);
    }
    let now = clock_s(&*shared.clock);
    let Asked {
        checkpoint,
        witnessed: quorum,
        faults,
    } = asker.ask(&checkpoint, &Tree(tree), now);
    if quorum.is_ok() {
        let mut file = witnessed.lock().unwrap_or_else(PoisonError::into_inner);
        file.replace(checkpoint.clone())?;
        shared.set_witnessed(Some(checkpoint));
    }
    let faults: Vec<WitnessFault> = faults
        .into_iter()
        .map(|(witness, error)| WitnessFault {
            witness,
            reason: error.to_string(),
            code: error.code(),
        })
        .collect();
    let told = faults
        .iter()
        .map(|fault| format!("{}: {}", fault.witness, fault.reason));
    shared.set_witness_faults(told.collect());
    Ok(Some(Round {
        size,
        witnessed: quorum.map(|cosigned| cosigned.len()),
        faults,
    }))
}

impl Ledger {
    /// Asks the witnesses of a policy about the newest checkpoint, once, and waits for it. `None`: there is
    /// no checkpoint, or it is witnessed already.
    ///
    /// # Errors
    /// The disk refused.
    pub fn ask_witnesses(&self, policy: TlogPolicy) -> Result<Option<Round>, CheckpointError> {
        let mut asker = Asker::new(policy);
        round(&mut asker, &self.read.tree, &self.shared, &self.witnessed)
    }
}

struct Tree<'a>(&'a TreeSource);

impl Proofs for Tree<'_> {
    fn consistency(&self, old: u64, new: u64) -> Result<Vec<Hash>, String> {
        let proof = TreeReader::new(self.0, new).and_then(|mut tree| tree.consistency(old, new));
        Ok(proof.map_err(|error| error.to_string())?.hashes)
    }
}

/// POSIX seconds.
pub(super) fn clock_s(clock: &dyn Clock) -> u64 {
    const NANOS_PER_S: u64 = 1_000_000_000;
    clock.now().as_nanos() / NANOS_PER_S
}
