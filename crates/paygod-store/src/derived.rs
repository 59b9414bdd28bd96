//! What is derived from the entries, brought up to date when a book is opened: the newest snapshot that
//! can be used, then the fold over every later entry, which also fills what index, history and tree
//! lack.
//!
//! What an entry means is told by a [`Fold`]; the store only asks.

use std::sync::Arc;

use paygod_tlog::{Frontier, Hash, leaf_hash};
use paygod_types::Seq;

use crate::backup::Progress;
use crate::book::{Identity, Options, derived_fault};
use crate::disk::Dir;
use crate::error::{Corruption, FoldFault, OpenError, ReadError};
use crate::history::{HistoryOptions, HistoryWriter, Touch};
use crate::index::{IndexOptions, IndexWriter, KeyMaker};
use crate::reader::{Entry, Reader};
use crate::snapshot::{Snapshot, Snapshots};
use crate::snapshotter::{SnapshotWriter, Snapshotter};
use crate::tree::TreeFiles;
use crate::width::to_u64;

/// How many leaf hashes are appended to the tree at once while folding.
const LEAVES_AT_ONCE: usize = 4096;

/// What an entry leaves in the derived files; filled by whoever knows what entries mean.
#[derive(Clone, Debug)]
pub struct Record {
    keys: KeyMaker,
    pub(crate) hashes: Vec<u64>,
    pub(crate) touches: Vec<Touch>,
}

impl Record {
    pub(crate) const fn new(keys: KeyMaker) -> Self {
        Self {
            keys,
            hashes: Vec::new(),
            touches: Vec::new(),
        }
    }

    /// The entry can be found by this request id.
    pub fn id(&mut self, id: &[u8]) {
        self.hashes.push(self.keys.id(id));
    }

    /// The entry counts in the window with this token.
    pub fn token(&mut self, token: &[u8; 16]) {
        self.hashes.push(self.keys.token(token));
    }

    /// The entry left an account with these balances.
    pub fn touch(&mut self, touch: Touch) {
        self.touches.push(touch);
    }

    fn clear(&mut self) {
        self.hashes.clear();
        self.touches.clear();
    }
}

/// Folds entries into a state while a book is opened.
pub trait Fold {
    /// Goes back to the state before the first entry.
    fn reset(&mut self);

    /// Takes the state from a snapshot. After an error the fold is reset, and an older snapshot is
    /// tried, or all entries are folded.
    ///
    /// # Errors
    /// The snapshot cannot be believed.
    fn restore(&mut self, snapshot: &Snapshot) -> Result<(), FoldFault>;

    /// Folds the next entry and describes it.
    ///
    /// # Errors
    /// The entry does not fold; the book is not opened.
    fn apply(&mut self, entry: Entry<'_>, record: &mut Record) -> Result<(), FoldFault>;

    /// At which size of the book the state is to be written down on the way, if at any: where a later entry holds its
    /// digest, and a snapshot that a book should have is not there. Asked before the entries from `from` on are folded, if
    /// the book is opened for writing.
    ///
    /// # Errors
    /// The entries cannot be read.
    fn snapshot_at(&mut self, _: &Reader, _: Seq) -> Result<Option<Seq>, ReadError> {
        Ok(None)
    }

    /// Gives the bytes of the state, piece by piece, when that size is reached.
    ///
    /// # Errors
    /// The state is not the one that the entry holds; the book is not opened.
    fn give_snapshot(&mut self, _: &mut dyn FnMut(&[u8])) -> Result<(), FoldFault> {
        Ok(())
    }

    /// Hears now and then how many of the entries that are to be folded were.
    fn progress(&mut self, _: Progress) {}
}

/// The derived parts while they are brought up to date.
pub(crate) struct Derived {
    pub(crate) index: IndexWriter,
    pub(crate) history: HistoryWriter,
    pub(crate) tree: TreeFiles,
    snapshots: Snapshots,
    keys: KeyMaker,
    size: u64,
    write: bool,
}

impl Derived {
    pub(crate) fn open(
        dir: &Dir,
        identity: &Identity,
        reader: &Reader,
        write: bool,
        options: &Options,
    ) -> Result<Self, OpenError> {
        let size = reader.size();
        let index = IndexOptions {
            book: identity.book,
            keys: identity.keys,
            segments: Arc::clone(&reader.segments),
            table_keys: options.index_table_keys,
            write,
            background: options.background,
        };
        let history = HistoryOptions {
            book: identity.book,
            size,
            table_touches: options.history_table_touches,
            write,
            background: options.background,
        };
        let snapshots = Snapshots::new(dir.dir("snapshots"), identity.book);
        if write {
            snapshots.remove_unfinished()?;
        }
        Ok(Self {
            index: IndexWriter::open(dir.dir("index"), &index)?,
            history: HistoryWriter::open(dir.dir("history"), &history)?,
            tree: TreeFiles::open(dir.dir("tree"), write),
            snapshots,
            keys: identity.keys,
            size,
            write,
        })
    }

    pub(crate) fn snapshotter(&self) -> Snapshotter {
        Snapshotter::new(
            self.snapshots.clone(),
            self.index.finder(),
            self.history.reader(),
            self.tree.source(),
        )
    }

    /// Takes the newest snapshot that can be used; gives the entry to fold first.
    ///
    /// INVARIANT(derived-behind-snapshot): a snapshot that the derived files do not cover is of no
    /// use, because what they lack cannot be made from later entries alone.
    pub(crate) fn restore(&mut self, fold: &mut dyn Fold) -> Result<u64, OpenError> {
        let covered = self
            .size
            .min(self.index.next_seq().get())
            .min(self.history.next_seq().get());
        for next in self.snapshots.list().map_err(derived_fault)? {
            if next.get() > covered {
                continue;
            }
            // One that the disk does not give back is as good as none.
            let Ok(Some(snapshot)) = self.snapshots.read(next) else {
                continue;
            };
            let Ok(frontier) = Frontier::from_bytes(&snapshot.frontier) else {
                continue;
            };
            if frontier.size() != next.get() || !self.tree.resume(frontier).unwrap_or(false) {
                continue;
            }
            if fold.restore(&snapshot).is_ok() {
                return Ok(next.get());
            }
            fold.reset();
        }
        self.tree.resume(Frontier::new()).map_err(derived_fault)?;
        fold.reset();
        Ok(0)
    }

    /// Whether there is a snapshot of more entries than the book had when it was looked at.
    pub(crate) fn has_newer_snapshot(&self) -> Result<bool, OpenError> {
        let snapshots = self.snapshots.list().map_err(derived_fault)?;
        Ok(snapshots.iter().any(|next| next.get() > self.size))
    }

    /// Folds the entries from `from` on and adds what each derived file lacks. Gives the snapshot that was written on the
    /// way, if any.
    pub(crate) fn replay(
        &mut self,
        reader: &Reader,
        from: Seq,
        fold: &mut dyn Fold,
    ) -> Result<Option<SnapshotWriter>, OpenError> {
        let snapshot_at = match self.write {
            true => fold.snapshot_at(reader, from)?,
            false => None,
        };
        let mut snapshot = None;
        let mut record = Record::new(self.keys);
        let mut leaves: Vec<Hash> = Vec::with_capacity(LEAVES_AT_ONCE);
        let total = self.size.saturating_sub(from.get());
        reader.scan(from, Seq(self.size), |entry| {
            record.clear();
            fold.apply(entry, &mut record)
                .map_err(|fault| OpenError::Fold {
                    seq: entry.seq.get(),
                    fault,
                })?;
            if entry.seq >= self.index.next_seq() {
                self.index
                    .apply(entry.seq, &record.hashes)
                    .map_err(derived_fault)?;
            }
            if entry.seq >= self.history.next_seq() {
                self.history
                    .apply(entry.seq, &record.touches)
                    .map_err(derived_fault)?;
            }
            leaves.push(leaf_hash(entry.bytes));
            if leaves.len() == LEAVES_AT_ONCE {
                self.tree.append(&leaves).map_err(derived_fault)?;
                leaves.clear();
                let done = entry.seq.get().saturating_add(1).saturating_sub(from.get());
                fold.progress(Progress { done, total });
            }
            if entry.seq.get().checked_add(1) == snapshot_at.map(Seq::get) {
                self.tree.append(&leaves).map_err(derived_fault)?;
                leaves.clear();
                snapshot = self.write_down(fold).map_err(|fault| OpenError::Fold {
                    seq: entry.seq.get(),
                    fault,
                })?;
            }
            Ok::<(), OpenError>(())
        })?;
        self.tree.append(&leaves).map_err(derived_fault)?;
        if total >= to_u64(LEAVES_AT_ONCE) {
            fold.progress(Progress { done: total, total });
        }
        Ok(snapshot)
    }

    /// Writes the state down as it is now. That the disk refuses costs time at the next opening and nothing else.
    fn write_down(&mut self, fold: &mut dyn Fold) -> Result<Option<SnapshotWriter>, FoldFault> {
        let mut written = self.snapshotter().begin(self.tree.frontier());
        fold.give_snapshot(&mut |bytes| {
            let pushed = written.as_mut().map(|writer| writer.push(bytes));
            if let Ok(Err(fault)) = pushed {
                written = Err(fault);
            }
        })?;
        let sealed = self.index.seal().and_then(|_| self.history.seal());
        Ok(written.and_then(|writer| sealed.map(|_| writer)).ok())
    }
}

impl From<ReadError> for OpenError {
    fn from(fault: ReadError) -> Self {
        match fault {
            ReadError::Io(fault) => Self::Io(fault),
            ReadError::Corrupt(corruption) => Self::Corrupt(corruption),
            ReadError::Fold { seq, fault } => Self::Fold { seq, fault },
            ReadError::NoEntry { seq, .. } => Self::Corrupt(Corruption {
                path: std::path::PathBuf::from("segments"),
                seq,
                offset: 0,
                what: "an entry that was there has gone",
            }),
        }
    }
}

/// The fold of a book that has just been made.
pub(crate) struct NothingYet;

impl Fold for NothingYet {
    fn reset(&mut self) {}

    fn restore(&mut self, _: &Snapshot) -> Result<(), FoldFault> {
        Ok(())
    }

    fn apply(&mut self, _: Entry<'_>, _: &mut Record) -> Result<(), FoldFault> {
        Ok(())
    }
}
