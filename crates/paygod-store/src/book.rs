//! A book: one folder with everything that a ledger keeps.
//!
//! [`Book::open`] is the one place where a book comes to life: what the segments hold, the newest
//! usable snapshot, the fold over everything later, and the comparison with the last published
//! checkpoint. A crash and a clean stop take the same path.
//!
//! | part | trusted? |
//! | --- | --- |
//! | `segments/` | the only truth; checksums notice accidents, checkpoints notice thieves |
//! | `vault/` | confidentiality of the inputs |
//! | `checkpoint`, `checkpoints.log` | what was published |
//! | `blobs/` | nothing: each is checked against its digest |
//! | `index/`, `history/`, `tree/`, `snapshots/` | nothing: derived, removable |
//!
//! The parts may live on different threads: the fields are public, to be taken apart.

use std::path::Path;
use std::sync::Arc;

use paygod_tlog::{Frontier, Hash, SignedCheckpoint, TreeHead, leaf_hash};
use paygod_types::Seq;

use crate::backup::BookFiles;
use crate::blob::Blobs;
use crate::checkpoints::{self, Checkpoints};
use crate::disk::{Access, Dir, DirLock, Disk, RealDisk};
use crate::error::{CheckpointError, Corruption, DerivedError, FoldFault, OpenError, ReadError};
use crate::history::{BalanceHistory, HistoryOptions, HistoryWriter, TABLE_TOUCHES, Touch};
use crate::index::{Finder, IndexOptions, IndexWriter, KeyMaker, MEMTABLE_KEYS};
use crate::kek::{FileKek, Kek, NoKek};
use crate::reader::{Entry, Reader};
use crate::recover::recover;
use crate::segment::BookId;
use crate::snapshot::{Snapshot, Snapshots};
use crate::snapshotter::Snapshotter;
use crate::tree::{TreeFiles, TreeSource};
use crate::vault::Vault;
use crate::width::{u32_at, u64_at};
use crate::writer::{self, SEGMENT_BYTES, Writer};

pub(crate) const IDENTITY_NAME: &str = "BOOK";
const LOCK_NAME: &str = "LOCK";
const IDENTITY_MAGIC: [u8; 8] = *b"PGBOOK\r\n";
const IDENTITY_VERSION: u32 = 1;
const FOLDERS: [&str; 7] = [
    "segments",
    "index",
    "history",
    "tree",
    "snapshots",
    "vault",
    "blobs",
];

/// Longest note that is read as the last checkpoint, in bytes.
const CHECKPOINT_BYTES_MAX: u64 = 256 << 10;

/// How many leaf hashes are appended to the tree at once while folding.
const LEAVES_AT_ONCE: usize = 4096;

/// How a book is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the files are.
    pub disk: Arc<dyn Disk>,
    /// What wraps the vault's data keys. `None`: a key in a file of the vault's folder, for
    /// development only.
    pub kek: Option<Arc<dyn Kek>>,
    /// Length of a segment, in bytes.
    pub segment_bytes: u64,
    /// Whether derived work and prefilling have threads of their own. Without, every write happens in
    /// the order of the calls.
    pub background: bool,
    /// How many keys of the index gather in memory before they become a run.
    pub index_table_keys: usize,
    /// How many touches of accounts gather in memory before they become a run.
    pub history_table_touches: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            disk: Arc::new(RealDisk),
            kek: None,
            segment_bytes: SEGMENT_BYTES,
            background: true,
            index_table_keys: MEMTABLE_KEYS,
            history_table_touches: TABLE_TOUCHES,
        }
    }
}

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
}

/// What was found while a book was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening {
    /// Entries in the book.
    pub size: u64,
    /// Entries that a snapshot spared folding.
    pub from_snapshot: u64,
    /// Bytes of unacknowledged records that were cut from the last segment.
    pub cut_bytes: u64,
}

/// Keeps other writers out as long as it, or a clone of it, lives.
#[derive(Clone, Debug)]
pub struct BookLock(#[expect(dead_code, reason = "held for its lock")] Option<Arc<dyn DirLock>>);

/// An open book, to be taken apart: each part may go to a thread of its own.
#[derive(Debug)]
pub struct Book {
    /// Appends groups of entries.
    pub writer: Writer,
    /// Reads entries.
    pub reader: Reader,
    /// Adds keys to the index; [`IndexWriter::finder`] gives look-up handles.
    pub index: IndexWriter,
    /// Adds balances to the history; [`HistoryWriter::reader`] gives reading handles.
    pub history: HistoryWriter,
    /// Appends to the tree; [`TreeFiles::source`] gives reading handles.
    pub tree: TreeFiles,
    /// Writes snapshots.
    pub snapshots: Snapshotter,
    /// Publishes checkpoints.
    pub checkpoints: Checkpoints,
    /// Encrypted inputs.
    pub vault: Vault,
    /// Packs and lists.
    pub blobs: Blobs,
    /// What a backup and an export copy from.
    pub files: BookFiles,
    /// What was found while the book was opened.
    pub opening: Opening,
    /// Keeps other writers out.
    pub lock: BookLock,
}

/// A book that is open for reading only.
#[derive(Debug)]
pub struct ReadBook {
    /// Reads entries.
    pub reader: Reader,
    /// Finds entries by request id and window token.
    pub finder: Finder,
    /// Reads balances of the past.
    pub history: BalanceHistory,
    /// Reads tiles, up to the last published checkpoint.
    pub tree: TreeSource,
    /// The last published checkpoint.
    pub checkpoint: Option<SignedCheckpoint>,
    /// Encrypted inputs; nothing can be stored or erased.
    pub vault: Vault,
    /// Packs and lists.
    pub blobs: Blobs,
    /// What a backup and an export copy from.
    pub files: BookFiles,
    /// What was found while the book was opened.
    pub opening: Opening,
}

struct Identity {
    book: BookId,
    keys: KeyMaker,
}

impl Book {
    /// Makes an empty book in an empty or new folder and opens it.
    ///
    /// # Errors
    /// The folder holds files already, or the disk refused.
    pub fn create(path: &Path, options: &Options) -> Result<Self, OpenError> {
        let dir = Dir::new(Arc::clone(&options.disk), path.to_path_buf());
        let names = dir.list()?;
        // An identity that is not there yet means that making the book was interrupted.
        let interrupted = names.iter().all(|name| is_early_name(name));
        if !interrupted {
            return Err(OpenError::Occupied {
                path: path.to_path_buf(),
            });
        }
        let mut identity = [0_u8; 32];
        getrandom::fill(&mut identity).map_err(|fault| crate::error::IoFault {
            action: crate::error::Action::Open,
            path: path.to_path_buf(),
            source: std::io::Error::other(fault),
        })?;
        prepare_folder(&dir, &identity)?;
        Self::open(path, options, &mut NothingYet)
    }

    /// Opens a book for writing.
    ///
    /// # Errors
    /// Another process writes to it, it is damaged, it disagrees with its last checkpoint, an entry
    /// does not fold, or the disk refused.
    pub fn open(path: &Path, options: &Options, fold: &mut dyn Fold) -> Result<Self, OpenError> {
        let dir = Dir::new(Arc::clone(&options.disk), path.to_path_buf());
        let identity = read_identity(&dir)?;
        let Some(lock) = dir.lock(LOCK_NAME)? else {
            return Err(OpenError::Locked {
                path: path.to_path_buf(),
            });
        };
        for folder in FOLDERS {
            dir.dir(folder).create()?;
        }
        let found = recover(&dir.dir("segments"), identity.book, true)?;
        let active = match found.active {
            Some(active) => active,
            None => {
                let first = writer::create(&dir.dir("segments"), &found.segments, 0, None)?;
                found.segments.add(Arc::clone(&first));
                first
            }
        };
        let reader = Reader {
            segments: Arc::clone(&found.segments),
        };
        let size = reader.size();
        let mut derived = Derived::open(&dir, &identity, &reader, true, options)?;
        let from_snapshot = derived.restore(fold)?;
        derived.replay(&reader, Seq(from_snapshot), fold)?;
        let checkpoints = Checkpoints::open(dir.clone(), Arc::clone(&found.segments), true)
            .map_err(|fault| refused_checkpoint(&dir, fault))?;
        if let Some(published) = checkpoints.last_head() {
            check_checkpoint(&published, &derived.tree, size)?;
        }
        let vault = open_vault(&dir, options, true)?;
        let snapshots = derived.snapshotter();
        let files = BookFiles {
            dir: dir.clone(),
            reader: reader.clone(),
            tree: derived.tree.source(),
        };
        let writer = Writer::new(
            dir.dir("segments"),
            found.segments,
            active,
            options.segment_bytes,
            options.background,
        );
        let opening = Opening {
            size,
            from_snapshot,
            cut_bytes: found.cut_bytes,
        };
        Ok(Self {
            writer,
            reader,
            index: derived.index,
            history: derived.history,
            tree: derived.tree,
            snapshots,
            checkpoints,
            vault,
            blobs: Blobs::new(dir.dir("blobs")),
            files,
            opening,
            lock: BookLock(Some(Arc::from(lock))),
        })
    }

    /// Opens a book for reading, beside a writer if there is one. Writes nothing: what the derived
    /// files lack is made anew in memory, and tiles are served up to the last published checkpoint.
    ///
    /// # Errors
    /// As [`Book::open`], but for the lock.
    pub fn open_read_only(
        path: &Path,
        options: &Options,
        fold: &mut dyn Fold,
    ) -> Result<ReadBook, OpenError> {
        let dir = Dir::new(Arc::clone(&options.disk), path.to_path_buf());
        let identity = read_identity(&dir)?;
        // Before the segments: a checkpoint that comes later may cover more than is seen here.
        let early = dir.read_whole(checkpoints::LAST_NAME, CHECKPOINT_BYTES_MAX)?;
        let found = recover(&dir.dir("segments"), identity.book, false)?;
        let reader = Reader {
            segments: Arc::clone(&found.segments),
        };
        let size = reader.size();
        let mut derived = Derived::open(&dir, &identity, &reader, false, options)?;
        let from_snapshot = derived.restore(fold)?;
        derived.replay(&reader, Seq(from_snapshot), fold)?;
        let checkpoint = match early.as_deref().map(SignedCheckpoint::parse) {
            Some(Ok(checkpoint)) => Some(checkpoint),
            Some(Err(_)) => {
                let what = "the last checkpoint does not parse";
                return Err(refused_checkpoint(
                    &dir,
                    CheckpointError::Malformed { what },
                ));
            }
            None => None,
        };
        if let Some(published) = checkpoint.as_ref().map(SignedCheckpoint::head) {
            derived.tree.serve(published.size).map_err(derived_fault)?;
            check_checkpoint(published, &derived.tree, size)?;
        }
        let files = BookFiles {
            dir: dir.clone(),
            reader: reader.clone(),
            tree: derived.tree.source(),
        };
        Ok(ReadBook {
            reader,
            finder: derived.index.finder(),
            history: derived.history.reader(),
            tree: derived.tree.source(),
            checkpoint,
            vault: open_vault(&dir, options, false)?,
            blobs: Blobs::new(dir.dir("blobs")),
            files,
            opening: Opening {
                size,
                from_snapshot,
                cut_bytes: found.cut_bytes,
            },
        })
    }

    /// Reads every record of every segment and checks its checksum and number. Gives the number of
    /// entries.
    ///
    /// # Errors
    /// A record is damaged: the error names the first.
    pub fn scrub(reader: &Reader) -> Result<u64, ReadError> {
        let size = reader.size();
        reader.scan(Seq(0), Seq(size), |_| Ok::<(), ReadError>(()))?;
        Ok(size)
    }
}

/// The derived parts while they are brought up to date.
pub(crate) struct Derived {
    pub(crate) index: IndexWriter,
    pub(crate) history: HistoryWriter,
    pub(crate) tree: TreeFiles,
    snapshots: Snapshots,
    keys: KeyMaker,
    size: u64,
}

impl Derived {
    fn open(
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
        Ok(Self {
            index: IndexWriter::open(dir.dir("index"), &index)?,
            history: HistoryWriter::open(dir.dir("history"), &history)?,
            tree: TreeFiles::open(dir.dir("tree"), write),
            snapshots: Snapshots::new(dir.dir("snapshots"), identity.book),
            keys: identity.keys,
            size,
        })
    }

    fn snapshotter(&self) -> Snapshotter {
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
    fn restore(&mut self, fold: &mut dyn Fold) -> Result<u64, OpenError> {
        let covered = self
            .size
            .min(self.index.next_seq().get())
            .min(self.history.next_seq().get());
        for next in self.snapshots.list().map_err(derived_fault)? {
            if next.get() > covered {
                continue;
            }
            let Some(snapshot) = self.snapshots.read(next).map_err(derived_fault)? else {
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

    /// Folds the entries from `from` on and adds what each derived file lacks.
    fn replay(&mut self, reader: &Reader, from: Seq, fold: &mut dyn Fold) -> Result<(), OpenError> {
        let mut record = Record::new(self.keys);
        let mut leaves: Vec<Hash> = Vec::with_capacity(LEAVES_AT_ONCE);
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
            }
            Ok::<(), OpenError>(())
        })?;
        self.tree.append(&leaves).map_err(derived_fault)
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

fn derived_fault(fault: DerivedError) -> OpenError {
    OpenError::Derived(fault)
}

fn refused_checkpoint(dir: &Dir, fault: CheckpointError) -> OpenError {
    match fault {
        CheckpointError::Io(fault) => OpenError::Io(fault),
        _ => OpenError::Corrupt(Corruption {
            path: dir.path().to_path_buf(),
            seq: 0,
            offset: 0,
            what: "`checkpoint` and `checkpoints.log` do not read or do not agree",
        }),
    }
}

/// The book must hold the tree that was last published.
fn check_checkpoint(published: &TreeHead, tree: &TreeFiles, size: u64) -> Result<(), OpenError> {
    if published.size > size {
        return Err(OpenError::BehindCheckpoint {
            checkpoint: published.size,
            found: size,
        });
    }
    let found = tree
        .source()
        .head_at(published.size)
        .map_err(derived_fault)?;
    if found != *published {
        return Err(OpenError::RootMismatch {
            size: published.size,
            expected: published.root.to_base64(),
            found: found.root.to_base64(),
        });
    }
    Ok(())
}

fn open_vault(dir: &Dir, options: &Options, write: bool) -> Result<Vault, OpenError> {
    let vault_dir = dir.dir("vault");
    let folder = vault_dir.path();
    let kek: Arc<dyn Kek> = match &options.kek {
        Some(kek) => Arc::clone(kek),
        None if write => {
            Arc::new(FileKek::open_or_create(&options.disk, folder).map_err(OpenError::Vault)?)
        }
        None => match FileKek::open(&options.disk, folder).map_err(OpenError::Vault)? {
            Some(kek) => Arc::new(kek),
            None => Arc::new(NoKek),
        },
    };
    Ok(Vault::open(
        vault_dir,
        kek,
        write,
        write && options.background,
    )?)
}

/// Names that a folder may hold before the book's identity is there.
fn is_early_name(name: &str) -> bool {
    FOLDERS.contains(&name) || name == LOCK_NAME || name == "BOOK.tmp"
}

/// Makes the folders and, last and durably, the identity.
pub(crate) fn prepare_folder(dir: &Dir, identity: &[u8; 32]) -> Result<(), OpenError> {
    dir.create()?;
    for folder in FOLDERS {
        dir.dir(folder).create()?;
    }
    dir.sync()?;
    let mut head = IDENTITY_MAGIC.to_vec();
    head.extend_from_slice(&IDENTITY_VERSION.to_le_bytes());
    head.extend_from_slice(&crc32c::crc32c(identity).to_le_bytes());
    dir.replace(IDENTITY_NAME, &[&head, identity])?;
    Ok(())
}

/// `magic 8 | version u32 | crc32c u32 | book 16 | secret of the index 16`
fn read_identity(dir: &Dir) -> Result<Identity, OpenError> {
    let not_a_book = || OpenError::NotABook {
        path: dir.path().to_path_buf(),
    };
    let bytes = dir
        .read_whole(IDENTITY_NAME, 4096)?
        .ok_or_else(not_a_book)?;
    if bytes.get(..8) != Some(IDENTITY_MAGIC.as_slice()) {
        return Err(not_a_book());
    }
    let found = u32_at(&bytes, 8).ok_or_else(not_a_book)?;
    if found != IDENTITY_VERSION {
        let path = dir.file_path(IDENTITY_NAME);
        return Err(OpenError::Version {
            path,
            found,
            supported: IDENTITY_VERSION,
        });
    }
    let body = bytes.get(16..48).unwrap_or(&[]);
    let parts = (body.first_chunk::<16>(), u64_at(body, 16), u64_at(body, 24));
    match parts {
        (Some(book), Some(k0), Some(k1)) if u32_at(&bytes, 12) == Some(crc32c::crc32c(body)) => {
            Ok(Identity {
                book: *book,
                keys: KeyMaker::new([k0, k1]),
            })
        }
        _ => Err(OpenError::Corrupt(Corruption {
            path: dir.file_path(IDENTITY_NAME),
            seq: 0,
            offset: 0,
            what: "the book's identity has a wrong checksum",
        })),
    }
}

/// The fold of a book that has just been made.
struct NothingYet;

impl Fold for NothingYet {
    fn reset(&mut self) {}

    fn restore(&mut self, _: &Snapshot) -> Result<(), FoldFault> {
        Ok(())
    }

    fn apply(&mut self, _: Entry<'_>, _: &mut Record) -> Result<(), FoldFault> {
        Ok(())
    }
}

/// Whether a folder holds a book.
#[must_use]
pub fn is_book(disk: &dyn Disk, path: &Path) -> bool {
    disk.open(&path.join(IDENTITY_NAME), Access::Read).is_ok()
}
