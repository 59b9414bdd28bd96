//! Writing snapshots beside the running book.
//!
//! The state is copied by its owner; encoding it, waiting for the derived files and writing happen on
//! whatever thread calls [`Snapshotter::write`], so that nothing of it stands in a request's way.

use paygod_tlog::Frontier;
use paygod_types::Seq;

use crate::error::DerivedError;
use crate::history::BalanceHistory;
use crate::index::Finder;
use crate::snapshot::Snapshots;
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

    /// Writes a snapshot of the state after the first `frontier.size()` entries.
    ///
    /// Before: those entries are committed, added to the tree and the history, and
    /// [`crate::IndexWriter::seal`] and [`crate::HistoryWriter::seal`] were called at or after them.
    ///
    /// INVARIANT(derived-behind-snapshot): the derived files are durable up to there before the
    /// snapshot has its name.
    ///
    /// # Errors
    /// Something was not sealed, the background work has stopped, or the disk refused.
    pub fn write(&self, frontier: &Frontier, state: &[u8]) -> Result<Seq, DerivedError> {
        let next = Seq(frontier.size());
        self.finder.wait_sealed(next)?;
        self.history.wait_sealed(next)?;
        self.tree.sync()?;
        self.snapshots.write(next, &frontier.to_bytes(), state)?;
        Ok(next)
    }

    /// The sizes of the snapshots there are, newest first.
    ///
    /// # Errors
    /// The disk refused.
    pub fn list(&self) -> Result<Vec<Seq>, DerivedError> {
        self.snapshots.list()
    }
}
