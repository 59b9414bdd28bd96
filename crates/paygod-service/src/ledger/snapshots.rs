//! Writing the state down, so that opening the book folds only what came later.
//!
//! The state is copied by the sequencer between two groups. Its digest is sealed in an entry first;
//! only then is the file written: a snapshot that no entry vouches for is not believed when the book
//! is opened. Encoding, hashing and writing happen on a thread of their own.
//!
//! A snapshot that fails costs time at the next opening and nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;

use paygod_core::entry::SnapshotClaim;
use paygod_core::{State, SystemCommand};
use paygod_store::Snapshotter;
use paygod_tlog::Frontier;
use paygod_types::{Digest, Seq};

use super::errand::Errand;
use super::shared::Shared;

/// Decides when a snapshot is due.
pub(super) struct Snapshots {
    every: u64,
    last: u64,
    busy: Arc<AtomicBool>,
}

/// A copy of the state on its way to a file.
pub(super) struct SnapshotJob {
    state: State,
    /// Lowered when the job is done or dropped.
    busy: Busy,
}

/// Says that a snapshot is being made, for as long as it lives.
struct Busy(Arc<AtomicBool>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl Snapshots {
    pub(super) fn new(every: u64, last: u64) -> Self {
        Self {
            every: every.max(1),
            last,
            busy: Arc::new(AtomicBool::new(false)),
        }
    }

    /// Copies the state if a snapshot is due and none is being made.
    pub(super) fn due(&mut self, state: &State) -> Option<SnapshotJob> {
        if state.size().saturating_sub(self.last) < self.every
            || self.busy.swap(true, Ordering::AcqRel)
        {
            return None;
        }
        self.last = state.size();
        Some(SnapshotJob {
            state: state.clone(),
            busy: Busy(Arc::clone(&self.busy)),
        })
    }
}

impl SnapshotJob {
    /// Seals the digest, then writes the file. `frontier` is the tree's edge at the state's size; index
    /// and history were sealed there.
    pub(super) fn write(self, frontier: &Frontier, snapshotter: &Snapshotter, shared: &Shared) {
        let Self { state, busy } = self;
        let Some(of) = state.size().checked_sub(1).map(Seq) else {
            return;
        };
        let mut bytes = Vec::new();
        state.to_snapshot(&mut bytes);
        let accounts = u64::try_from(state.accounts_len()).unwrap_or(u64::MAX);
        drop(state);
        let claim = SnapshotClaim {
            accounts,
            digest: Digest::sha256(&bytes),
            of,
        };
        let (reply, sealed) = mpsc::sync_channel(1);
        let command = SystemCommand::Snapshot(claim);
        if shared.intake.send(Errand::Seal { command, reply }).is_err() {
            return;
        }
        let Ok(Ok(size)) = sealed.recv() else { return };
        if shared.progress.wait_durable(size).is_ok() {
            // Without the file the next opening folds more entries: no reason to stop.
            let _written = snapshotter.write(frontier, &bytes);
        }
        drop(busy);
    }
}
