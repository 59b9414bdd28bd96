//! The thread that anchors by schedule while the ledger is open.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::policy::AnchorPolicy;
use super::round::{Anchorer, Held};
use crate::ledger::shared::Shared;

/// How often the schedule is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How long a round that failed is left alone.
const AGAIN_AFTER: Duration = Duration::from_secs(60);

/// Follows the policy until the ledger closes.
pub(in crate::ledger) struct Follower {
    pub(in crate::ledger) policy: Option<AnchorPolicy>,
    pub(in crate::ledger) anchorer: Anchorer,
    pub(in crate::ledger) shared: Arc<Shared>,
    /// Ends when its sender is gone.
    pub(in crate::ledger) until: Receiver<()>,
}

impl Follower {
    pub(in crate::ledger) fn run(self) {
        let Some(policy) = &self.policy else { return };
        let mut next = Instant::now();
        // What the last submission covered; and whether enough was newer, and held back all the same.
        let (mut covered, mut held) = (self.anchorer.covered(), false);
        while matches!(
            self.until.recv_timeout(LOOK_EVERY),
            Err(RecvTimeoutError::Timeout)
        ) {
            // A round reads the folder: only when its time has come, or when enough entries have.
            let newer = self.shared.progress.signed().saturating_sub(covered);
            let by_count = !held && policy.entries.is_some_and(|most| newer >= most);
            if Instant::now() < next && !by_count {
                continue;
            }
            let wait = match self.anchorer.round(policy, None, false) {
                Ok(round) => {
                    let chains = round.chains.iter().map(|chain| chain.submitted);
                    let submitted = chains.fold(round.submitted, Option::max);
                    covered = submitted.unwrap_or(covered);
                    held = by_count && submitted.is_none();
                    let fault = (!round.faults.is_empty()).then(|| round.faults.join("; "));
                    self.shared.set_anchor_fault(fault);
                    match round.held {
                        Some(Held::Refused) => AGAIN_AFTER,
                        _ => policy.every.min(policy.upgrade_every),
                    }
                }
                Err(error) => {
                    held = true;
                    self.shared.set_anchor_fault(Some(error.to_string()));
                    AGAIN_AFTER
                }
            };
            next = Instant::now().checked_add(wait).unwrap_or(next);
        }
    }
}
