//! Stage 4, behind the answers: leaf hashes, tree files, balance history. The tree's head is left for the
//! publisher, which signs it on a thread of its own.
//!
//! INVARIANT(durable-first): it is handed only groups that are durable, so a checkpoint never covers
//! an entry that a crash could take. All of it is derived: what a crash leaves undone is done again
//! when the book is opened.

use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::thread::JoinHandle;

use paygod_core::{Balances, KeysInForce, Touched};
use paygod_store::{BalancesAfter, DerivedError, HistoryWriter, Snapshotter, Touch, TreeFiles};
use paygod_tlog::{Hash, leaf_hash};
use paygod_types::Amount;

use super::publish::{Due, Outbox};
use super::shared::Shared;
use super::snapshots::{SnapshotJob, aside};
use super::work::Work;

/// The one thread that appends to what is derived.
pub(super) struct Integrator {
    pub(super) tree: TreeFiles,
    pub(super) balances: HistoryWriter,
    /// The keys in force at the tree's size.
    pub(super) keys: KeysInForce,
    /// The keys before, if they were rotated out since the ledger was opened.
    pub(super) before: Option<KeysInForce>,
    pub(super) outbox: Arc<Outbox>,
    pub(super) snapshotter: Snapshotter,
    pub(super) groups: Receiver<Work>,
    pub(super) shared: Arc<Shared>,
}

impl Integrator {
    /// Works until the commit stage is gone.
    pub(super) fn run(mut self) {
        let mut leaves = Vec::new();
        let mut snapshot = None;
        // However this ends, the publisher is not left waiting.
        let outbox = Closing(Arc::clone(&self.outbox));
        while let Ok(work) = self.groups.recv() {
            match self.integrate(work, &mut leaves) {
                Ok(Some(started)) => snapshot = Some(started),
                Ok(None) => {}
                Err(error) => {
                    self.shared.poison(&error);
                    break;
                }
            }
        }
        drop(outbox);
        if let Some(snapshot) = snapshot {
            let _ended = JoinHandle::join(snapshot);
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
        for (keys, is_rotation) in work.keys.drain(..) {
            let before = std::mem::replace(&mut self.keys, keys);
            // A key that was revoked signs nothing more.
            self.before = is_rotation.then_some(before);
        }
        self.shared.progress.set_integrated(self.tree.size());
        self.outbox.post(Due {
            head: self.tree.head(),
            keys: self.keys.clone(),
            before: self.before.clone(),
        });
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
        aside(move || job.write(&frontier, &snapshotter, &shared))
    }
}

/// Closes the outbox when the integrator ends, by a panic too.
struct Closing(Arc<Outbox>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close();
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
