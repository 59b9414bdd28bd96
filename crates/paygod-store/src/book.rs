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
//! | `witnessed` | the newest checkpoint that enough witnesses have cosigned |
//! | `blobs/` | nothing: each is checked against its digest |
//! | `index/`, `history/`, `tree/`, `snapshots/` | nothing: derived, removable |
//!
//! The parts may live on different threads: the fields are public, to be taken apart.

use std::io;
use std::path::Path;
use std::sync::Arc;

use paygod_tlog::{SignedCheckpoint, TreeHead};
use paygod_types::Seq;

use crate::backup::BookFiles;
use crate::blob::Blobs;
use crate::checkpoints::{self, Checkpoints, Published};
use crate::derived::{Derived, Fold, NothingYet};
use crate::disk::{Access, Dir, DirLock, Disk, RealDisk};
use crate::error::{CheckpointError, Corruption, DerivedError, OpenError, ReadError};
use crate::history::{BalanceHistory, HistoryWriter, TABLE_TOUCHES};
use crate::index::{Finder, IndexWriter, KeyMaker, MEMTABLE_KEYS};
use crate::kek::{FileKek, Kek, NoKek};
use crate::prefill::Prefiller;
use crate::reader::Reader;
use crate::recover::recover;
use crate::segment::BookId;
use crate::snapshotter::{SnapshotWriter, Snapshotter};
use crate::tree::{TreeFiles, TreeSource};
use crate::vault::Vault;
use crate::vault_end;
use crate::width::{u32_at, u64_at};
use crate::witnessed::Witnessed;
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

/// How often a book is looked at anew for reading while its writer moves on.
const LOOKS_MAX: u32 = 4;

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

/// What was found while a book was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening {
    /// Entries in the book.
    pub size: u64,
    /// Entries that a snapshot spared folding.
    pub from_snapshot: u64,
    /// Bytes of unacknowledged records that were cut from the last segment.
    pub cut_bytes: u64,
    /// The newest entry with an input, if the vault lacks that: a file of the vault is gone, or older than the log.
    pub missing_input: Option<Seq>,
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
    /// The snapshot that was written on the way, to be finished once all is done that the entries before it order.
    pub written: Option<SnapshotWriter>,
    /// Publishes checkpoints.
    pub checkpoints: Checkpoints,
    /// Records which checkpoints were witnessed.
    pub witnessed: Witnessed,
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
    /// Reads tiles.
    pub tree: TreeSource,
    /// The last published checkpoint.
    pub checkpoint: Option<SignedCheckpoint>,
    /// The newest witnessed checkpoint.
    pub witnessed: Option<SignedCheckpoint>,
    /// Encrypted inputs; nothing can be stored or erased.
    pub vault: Vault,
    /// Packs and lists.
    pub blobs: Blobs,
    /// What a backup and an export copy from.
    pub files: BookFiles,
    /// What was found while the book was opened.
    pub opening: Opening,
}

pub(crate) struct Identity {
    pub(crate) book: BookId,
    pub(crate) keys: KeyMaker,
}

impl Book {
    /// Makes an empty book in an empty or new folder and opens it.
    ///
    /// # Errors
    /// The folder holds files already, or the disk refused.
    pub fn create(path: &Path, options: &Options) -> Result<Self, OpenError> {
        let dir = Dir::new(Arc::clone(&options.disk), path.to_path_buf());
        // Not before: a folder that holds something else is left as it is.
        expect_unmade(&dir)?;
        dir.create()?;
        let Some(lock) = dir.lock(LOCK_NAME)? else {
            return Err(OpenError::Locked {
                path: path.to_path_buf(),
            });
        };
        // Another process may have made one meanwhile.
        expect_unmade(&dir)?;
        let mut identity = [0_u8; 32];
        getrandom::fill(&mut identity).map_err(|fault| crate::error::IoFault {
            action: crate::error::Action::Open,
            path: path.to_path_buf(),
            source: std::io::Error::other(fault),
        })?;
        prepare_folder(&dir, &identity)?;
        drop(lock);
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
        let shown = checkpoints::shown(&dir).map_err(|fault| refused_checkpoint(&dir, fault))?;
        let signed = shown.as_ref().map_or(0, |last| last.head().size);
        let found = recover(&dir.dir("segments"), identity.book, signed, true)?;
        let active = match found.active {
            Some(active) => active,
            None => {
                let segments = dir.dir("segments");
                let mut prefiller = Prefiller::default();
                let (first, _) = writer::begin(&segments, &mut prefiller, identity.book, 0, &[])?;
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
        let written = derived.replay(&reader, Seq(from_snapshot), fold)?;
        let checkpoints = Checkpoints::open(dir.clone(), Arc::clone(&found.segments), shown)
            .map_err(|fault| refused_checkpoint(&dir, fault))?;
        if let Some(published) = checkpoints.last_head() {
            check_checkpoint(&published, &derived.tree, size)?;
        }
        let witnessed =
            Witnessed::open(dir.clone()).map_err(|fault| refused_checkpoint(&dir, fault))?;
        let vault = open_vault(&dir, options, true)?;
        let missing_input = vault_end::settle(&vault, &reader)?;
        let snapshots = derived.snapshotter();
        let files = BookFiles {
            dir: dir.clone(),
            reader: reader.clone(),
            tree: derived.tree.source(),
            seen: None,
        };
        let writer = Writer::new(
            dir.dir("segments"),
            found.segments,
            active,
            options.segment_bytes,
            options.background,
        )?;
        let opening = Opening {
            size,
            from_snapshot,
            cut_bytes: found.cut_bytes,
            missing_input,
        };
        Ok(Self {
            writer,
            reader,
            index: derived.index,
            history: derived.history,
            tree: derived.tree,
            snapshots,
            written,
            checkpoints,
            witnessed,
            vault,
            blobs: Blobs::new(dir.dir("blobs")),
            files,
            opening,
            lock: BookLock(Some(Arc::from(lock))),
        })
    }

    /// Opens a book for reading, beside a writer if there is one, as it is now. Writes nothing: what the
    /// derived files lack is made anew in memory.
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
        let mut looks = LOOKS_MAX;
        let (published, found, reader, mut derived, from_snapshot) = loop {
            looks = looks.saturating_sub(1);
            // Before the segments: what is published later may cover more than is seen here.
            let published =
                Published::read(&dir).map_err(|fault| refused_checkpoint(&dir, fault))?;
            let signed = published.last.as_ref().map_or(0, |last| last.head().size);
            // A segment may have got its name between two looks at the folder, and seem missing.
            let found = match recover(&dir.dir("segments"), identity.book, 0, false) {
                Err(OpenError::Corrupt(_)) if looks > 0 => continue,
                Ok(found) if found.segments.durable() < signed && looks > 0 => continue,
                found => found?,
            };
            let reader = Reader {
                segments: Arc::clone(&found.segments),
            };
            let mut derived = Derived::open(&dir, &identity, &reader, false, options)?;
            let from_snapshot = derived.restore(fold)?;
            // The writer has made snapshots since, and removed the one that would have served.
            if from_snapshot == 0 && looks > 0 && derived.has_newer_snapshot()? {
                continue;
            }
            break (published, found, reader, derived, from_snapshot);
        };
        let size = reader.size();
        derived.replay(&reader, Seq(from_snapshot), fold)?;
        if let Some(last) = &published.last {
            check_checkpoint(last.head(), &derived.tree, size)?;
        }
        let vault = open_vault(&dir, options, false)?;
        let missing_input = vault_end::settle(&vault, &reader)?;
        Ok(ReadBook {
            finder: derived.index.finder(),
            history: derived.history.reader(),
            tree: derived.tree.source(),
            checkpoint: published.last.clone(),
            witnessed: published.witnessed.clone(),
            vault,
            blobs: Blobs::new(dir.dir("blobs")),
            files: BookFiles {
                dir,
                reader: reader.clone(),
                tree: derived.tree.source(),
                seen: Some(published),
            },
            reader,
            opening: Opening {
                size,
                from_snapshot,
                cut_bytes: found.cut_bytes,
                missing_input,
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

pub(crate) fn derived_fault(fault: DerivedError) -> OpenError {
    OpenError::Derived(fault)
}

fn refused_checkpoint(dir: &Dir, fault: CheckpointError) -> OpenError {
    let what = match fault {
        CheckpointError::Io(fault) => return OpenError::Io(fault),
        CheckpointError::Malformed { what } => what,
        _ => "`checkpoint` and `checkpoints.log` do not agree",
    };
    OpenError::Corrupt(Corruption {
        path: dir.file_path(checkpoints::LAST_NAME),
        seq: 0,
        offset: 0,
        what,
    })
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

/// Refuses a folder that holds more than a book whose making was interrupted.
fn expect_unmade(dir: &Dir) -> Result<(), OpenError> {
    let is_unmade = dir.list()?.iter().all(|name| is_early_name(name));
    if is_unmade {
        Ok(())
    } else {
        Err(OpenError::Occupied {
            path: dir.path().to_path_buf(),
        })
    }
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
    dir.sync_above();
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

/// Says so when a folder holds no book, before anything else is looked for in it.
///
/// # Errors
/// [`OpenError::NotABook`] or [`OpenError::NoIdentity`]. What else may be wrong with it, opening it tells.
pub fn expect_book(disk: &dyn Disk, path: &Path) -> Result<(), OpenError> {
    match disk.open(&path.join(IDENTITY_NAME), Access::Read) {
        Err(error) if is_absent(&error) => {
            let segments = disk.list(&path.join("segments"));
            let path = path.to_path_buf();
            Err(if segments.is_ok_and(|names| !names.is_empty()) {
                OpenError::NoIdentity { path }
            } else {
                OpenError::NotABook { path }
            })
        }
        _ => Ok(()),
    }
}

/// Whether a file did not open because it is not there, or because what would be its folder is a file.
pub(crate) fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}
