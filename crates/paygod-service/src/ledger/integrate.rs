//! Stage 4, behind the answers: leaf hashes, tree files, balance history, then the signed checkpoint.
//!
//! INVARIANT(durable-first): it is handed only groups that are durable, so a checkpoint never covers
//! an entry that a crash could take. All of it is derived: what a crash leaves undone is done again
//! when the book is opened.
//!
//! A signer that is away for a while delays checkpoints, not requests.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use paygod_core::{Balances, Touched};
use paygod_store::{BalancesAfter, DerivedError, HistoryWriter, Snapshotter, Touch, TreeFiles};
use paygod_tlog::{Hash, leaf_hash};
use paygod_types::Amount;

use super::publish::Publisher;
use super::shared::Shared;
use super::snapshots::SnapshotJob;
use super::work::Work;

/// How long the integrator waits at least for a group, so that it never spins.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);

/// The one thread that appends to what is derived.
pub(super) struct Integrator {
    pub(super) tree: TreeFiles,
    pub(super) balances: HistoryWriter,
    pub(super) publisher: Publisher,
    /// How long at least between two checkpoints under load.
    pub(super) publish_every: Duration,
    pub(super) snapshotter: Snapshotter,
    pub(super) groups: Receiver<Work>,
    pub(super) shared: Arc<Shared>,
}

impl Integrator {
    /// Works until the commit stage is gone, then publishes a last checkpoint.
    pub(super) fn run(mut self) {
        let mut leaves = Vec::new();
        let mut snapshot = None;
        self.publish();
        let mut published = Instant::now();
        loop {
            let due = self.publish_every.saturating_sub(published.elapsed());
            match self.groups.recv_timeout(due.max(SHORTEST_WAIT)) {
                Ok(work) => match self.integrate(work, &mut leaves) {
                    Ok(Some(started)) => snapshot = Some(started),
                    Ok(None) => {}
                    Err(error) => return self.shared.poison(&error),
                },
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if published.elapsed() >= self.publish_every {
                self.publish();
                published = Instant::now();
            }
        }
        self.publish();
        if let Some(snapshot) = snapshot {
            let _ended = JoinHandle::join(snapshot);
        }
    }

    fn publish(&mut self) {
        if let Err(error) = self.publisher.publish(self.tree.head(), &self.shared) {
            self.shared.poison(&error);
        }
    }

    fn integrate(
        &mut self,
        mut work: Work,
        leaves: &mut Vec<Hash>,
    ) -> Result<Option<JoinHandle<()>>, DerivedError> {
        leaves.clear();
        leaves.extend(work.group.entries().map(|(_, entry)| leaf_hash(entry)));
        self.tree.append(leaves)?;
        self.balances
            .apply_all(work.changes.iter(work.group.first_seq()))?;
        self.shared.progress.set_integrated(self.tree.size());
        let snapshot = match work.snapshot.take() {
            Some(job) => {
                self.balances.seal()?;
                self.write_snapshot(job)
            }
            None => None,
        };
        self.shared.spare.put(work);
        Ok(snapshot)
    }

    /// On a thread of its own; without one there is no snapshot this time.
    fn write_snapshot(&self, job: SnapshotJob) -> Option<JoinHandle<()>> {
        let frontier = self.tree.frontier().clone();
        let (snapshotter, shared) = (self.snapshotter.clone(), Arc::clone(&self.shared));
        let builder = Builder::new().name("paygod-snapshot".to_owned());
        builder
            .spawn(move || job.write(&frontier, &snapshotter, &shared))
            .ok()
    }
}

/// A change of balances as the store keeps it.
pub(super) fn touch(touched: &Touched) -> Touch {
    Touch {
        account: touched.account.0,
        balances: stored(&touched.balances),
    }
}

fn stored(balances: &Balances) -> BalancesAfter {
    [
        balances.debits_pending.minor(),
        balances.debits_posted.minor(),
        balances.credits_pending.minor(),
        balances.credits_posted.minor(),
    ]
}

/// Balances as the state has them.
pub(super) const fn restored(stored: &BalancesAfter) -> Balances {
    let [
        debits_pending,
        debits_posted,
        credits_pending,
        credits_posted,
    ] = *stored;
    Balances {
        debits_pending: Amount::from_minor(debits_pending),
        debits_posted: Amount::from_minor(debits_posted),
        credits_pending: Amount::from_minor(credits_pending),
        credits_posted: Amount::from_minor(credits_posted),
    }
}
