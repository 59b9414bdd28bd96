//! Writing snapshots beside the running book.
//!
//! The state is copied by its owner; encoding it, waiting for the derived files and writing happen on
//! whatever thread has the [`SnapshotWriter`], so that nothing of it stands in a request's way.

use paygod_tlog::Frontier;
use paygod_types::Seq;

use crate::error::DerivedError;
use crate::history::BalanceHistory;
use crate::index::Finder;
use crate::snapshot::{Snapshots, Unfinished};
use crate::tree::TreeSource;

/// Writes snapshots. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Snapshotter {
    snapshots: Snapshots,
    finder: Finder,
    history: BalanceHistory,
    tree: TreeSource,
}

impl Snapshotter {
    pub(crate) const fn new(
        snapshots: Snapshots,
        finder: Finder,
        history: BalanceHistory,
        tree: TreeSource,
    ) -> Self {
        Self {
            snapshots,
            finder,
            history,
            tree,
        }
    }

    /// Begins a snapshot of the state after the first `frontier.size()` entries; one at a time.
    ///
    /// # Errors
    /// The disk refused.
    pub fn begin(&self, frontier: &Frontier) -> Result<SnapshotWriter, DerivedError> {
        let next = Seq(frontier.size());
        Ok(SnapshotWriter {
            unfinished: self.snapshots.begin(next, frontier.to_bytes())?,
            snapshotter: self.clone(),
            finished: false,
        })
    }

    /// The sizes of the snapshots there are, newest first.
    ///
    /// # Errors
    /// The disk refused.
    pub fn list(&self) -> Result<Vec<Seq>, DerivedError> {
        self.snapshots.list()
    }
}

/// A snapshot that is being written; nobody sees it before [`SnapshotWriter::finish`], and without that it is removed.
#[derive(Debug)]
pub struct SnapshotWriter {
    snapshotter: Snapshotter,
    unfinished: Unfinished,
    finished: bool,
}

impl SnapshotWriter {
    /// Writes the next bytes of the state.
    ///
    /// # Errors
    /// The disk refused.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), DerivedError> {
        Ok(self.unfinished.push(bytes)?)
    }

    /// Makes the snapshot one that a book is opened from.
    ///
    /// Before: its entries are committed, added to the tree and the history, and
    /// [`crate::IndexWriter::seal`] and [`crate::HistoryWriter::seal`] were called at or after them.
    ///
    /// INVARIANT(derived-behind-snapshot): the derived files are durable up to there before the
    /// snapshot has its name.
    ///
    /// # Errors
    /// Something was not sealed, the background work has stopped, or the disk refused.
    pub fn finish(mut self) -> Result<Seq, DerivedError> {
        let Snapshotter {
            snapshots,
            finder,
            history,
            tree,
        } = &self.snapshotter;
        let next = self.unfinished.next;
        finder.wait_sealed(next)?;
        history.wait_sealed(next)?;
        tree.sync()?;
        snapshots.finish(&self.unfinished)?;
        self.finished = true;
        Ok(next)
    }
}

impl Drop for SnapshotWriter {
    fn drop(&mut self) {
        if !self.finished {
            // If that fails, the next one takes its place.
            drop(self.snapshotter.snapshots.remove_unfinished());
        }
    }
}
