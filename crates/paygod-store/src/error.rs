//! What can go wrong, one enum per operation, each with a permanent code.
//!
//! A message says what was found, what was allowed and what to do next; it never holds the bytes of
//! an entry or of an input.

use std::fmt;
use std::io;
use std::path::PathBuf;

use paygod_types::{Code, code};

/// What was being done to a file or folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Opening or making a file.
    Open,
    /// Reading from a file.
    Read,
    /// Writing to a file.
    Write,
    /// Making what was written durable.
    Flush,
    /// Cutting or lengthening a file.
    Resize,
    /// Giving a file its final name.
    Rename,
    /// Removing a file.
    Remove,
    /// Listing a folder.
    List,
    /// Making a folder.
    CreateFolder,
    /// Locking the book for one writer.
    Lock,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "open",
            Self::Read => "read",
            Self::Write => "write",
            Self::Flush => "flush",
            Self::Resize => "resize",
            Self::Rename => "rename to",
            Self::Remove => "remove",
            Self::List => "list",
            Self::CreateFolder => "make the folder",
            Self::Lock => "lock",
        })
    }
}

/// The operating system refused something.
#[derive(Debug, thiserror::Error)]
#[error("could not {action} `{}`: {source}; {}", path.display(), remedy(source))]
pub struct IoFault {
    /// What was being done.
    pub action: Action,
    /// To which file or folder.
    pub path: PathBuf,
    /// What the operating system said.
    pub source: io::Error,
}

fn remedy(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::StorageFull
        | io::ErrorKind::QuotaExceeded
        | io::ErrorKind::FileTooLarge
        | io::ErrorKind::WriteZero => "free space on the disk and open the book again",
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "give this user write access to the folder and open the book again"
        }
        _ => "check the disk and open the book again",
    }
}

impl IoFault {
    /// The permanent code.
    #[must_use]
    pub fn code(&self) -> Code {
        match self.source.kind() {
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::WriteZero => code::STORE_DISK_FULL,
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                code::STORE_READ_ONLY
            }
            _ => code::STORE_IO,
        }
    }
}

/// Opening or making a book failed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The operating system refused something.
    #[error(transparent)]
    Io(#[from] IoFault),
    /// Another process writes to the book.
    #[error("another process has the book `{}` open for writing; stop it, or only read", path.display())]
    Locked {
        /// The folder of the book.
        path: PathBuf,
    },
    /// The folder holds no book.
    #[error("`{}` holds no book; make one with `paygod init`", path.display())]
    NotABook {
        /// The folder.
        path: PathBuf,
    },
    /// The folder holds what a book is made of, and not the file that says which book it is.
    #[error("`{}` holds a book without its file `BOOK`, as a restore leaves it that was cut off; restore a backup into a new folder, or that file alone if it was lost", path.display())]
    NoIdentity {
        /// The folder.
        path: PathBuf,
    },
    /// The folder holds something already.
    #[error("`{}` holds files already; name an empty or a new folder", path.display())]
    Occupied {
        /// The folder.
        path: PathBuf,
    },
    /// The format is one that this version cannot read.
    #[error("`{}` is in format {found} and this version reads format {supported}; use the version that wrote it, or restore a backup", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Format found.
        found: u32,
        /// Format supported.
        supported: u32,
    },
    /// What the disk holds is not what was written.
    #[error(transparent)]
    Corrupt(#[from] Corruption),
    /// A checkpoint covers entries that the book no longer has.
    #[error(
        "the last checkpoint covers {checkpoint} entries and the book has {found}; entries are missing: restore a backup"
    )]
    BehindCheckpoint {
        /// Size of the checkpoint.
        checkpoint: u64,
        /// Size of the book.
        found: u64,
    },
    /// The tree of the book is not the one that was signed.
    #[error(
        "the tree of the first {size} entries has root `{found}` and the checkpoint says `{expected}`; the book was altered: restore a backup"
    )]
    RootMismatch {
        /// Size of the checkpoint.
        size: u64,
        /// Root in the checkpoint.
        expected: String,
        /// Root of the book.
        found: String,
    },
    /// A derived file could not be read or written.
    #[error(transparent)]
    Derived(DerivedError),
    /// The vault could not be opened.
    #[error(transparent)]
    Vault(VaultError),
    /// An entry could not be folded again.
    #[error("entry {seq} could not be folded again: {fault}; run `paygod verify` on an export")]
    Fold {
        /// Which entry.
        seq: u64,
        /// Why.
        fault: FoldFault,
    },
}

impl OpenError {
    /// The permanent code.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Io(fault) => fault.code(),
            Self::Locked { .. } => code::STORE_LOCKED,
            Self::NotABook { .. } | Self::NoIdentity { .. } => code::STORE_NOT_A_BOOK,
            Self::Occupied { .. } => code::STORE_OCCUPIED,
            Self::Version { .. } => code::STORE_VERSION,
            Self::Corrupt(corruption) => corruption.code(),
            Self::BehindCheckpoint { .. } | Self::RootMismatch { .. } => {
                code::STORE_CHECKPOINT_MISMATCH
            }
            Self::Derived(fault) => fault.code(),
            Self::Vault(fault) => fault.code(),
            Self::Fold { fault, .. } => fault.code,
        }
    }
}

/// Why an entry could not be folded again; made by whoever knows what entries mean.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct FoldFault {
    /// The permanent code of the cause.
    pub code: Code,
    /// The cause, in words.
    pub message: String,
}

/// The bytes of a file are not what was written to it.
#[derive(Debug, thiserror::Error)]
#[error("`{}` is damaged at byte {offset} (entry {seq}): {what}; restore a backup", path.display())]
pub struct Corruption {
    /// The file.
    pub path: PathBuf,
    /// The entry at which it was found: the first that cannot be trusted.
    pub seq: u64,
    /// Offset in the file, in bytes.
    pub offset: u64,
    /// What is wrong.
    pub what: &'static str,
}

impl Corruption {
    /// The permanent code.
    #[must_use]
    pub const fn code(&self) -> Code {
        code::STORE_CORRUPT
    }
}

/// A group was not made durable.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// The operating system refused a write or a flush; the writer is poisoned.
    #[error(transparent)]
    Io(#[from] IoFault),
    /// An earlier write or flush failed.
    #[error("an earlier write failed, so nothing more is written; open the book again")]
    Poisoned,
    /// The group does not follow the last one.
    #[error("the group begins at entry {found} and the next entry is {expected}; stage it anew")]
    OutOfOrder {
        /// The next entry of the book.
        expected: u64,
        /// First entry of the group.
        found: u64,
    },
    /// The group is larger than a segment allows.
    #[error("the group has {found} bytes and at most {allowed} are allowed; make smaller groups")]
    TooLarge {
        /// Bytes of the group.
        found: u64,
        /// Bytes allowed.
        allowed: u64,
    },
}

impl CommitError {
    /// The permanent code.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Io(fault) => fault.code(),
            Self::Poisoned => code::STORE_POISONED,
            Self::OutOfOrder { .. } => code::STORE_ORDER,
            Self::TooLarge { .. } => code::STORE_GROUP_TOO_LARGE,
        }
    }
}

/// An entry was not taken into a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StageError {
    /// The group is full.
    #[error("the group holds {found} entries, the most allowed; commit it first")]
    Full {
        /// Entries in the group.
        found: usize,
    },
    /// The entry is too long, or empty.
    #[error("the entry has {found} bytes and 1 to {allowed} are allowed; shorten the request")]
    EntrySize {
        /// Bytes of the entry.
        found: usize,
        /// Bytes allowed.
        allowed: usize,
    },
}

impl StageError {
    /// The permanent code.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Full { .. } => code::STORE_GROUP_TOO_LARGE,
            Self::EntrySize { .. } => code::STORE_ENTRY_TOO_LARGE,
        }
    }
}

/// An entry could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The operating system refused something.
    #[error(transparent)]
    Io(#[from] IoFault),
    /// The book has no such entry.
    #[error("there is no entry {seq}: the book has {size}; name an earlier one")]
    NoEntry {
        /// The entry asked for.
        seq: u64,
        /// Entries in the book.
        size: u64,
    },
    /// The bytes are not what was written.
    #[error(transparent)]
    Corrupt(#[from] Corruption),
    /// An entry could not be understood while searching.
    #[error("entry {seq} could not be read: {fault}")]
    Fold {
        /// Which entry.
        seq: u64,
        /// Why.
        fault: FoldFault,
    },
}

impl ReadError {
    /// The permanent code.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Io(fault) => fault.code(),
            Self::NoEntry { .. } => code::STORE_NO_ENTRY,
            Self::Corrupt(corruption) => corruption.code(),
            Self::Fold { fault, .. } => fault.code,
        }
    }
}

/// A derived file (index, balance history, tree, snapshot) could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum DerivedError {
    /// The operating system refused something.
    #[error(transparent)]
    Io(#[from] IoFault),
    /// The bytes are not what was written. Derived files are disposable.
    #[error("`{}` is damaged at byte {offset}: {what}; remove the file and open the book again, it is rebuilt from the segments", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// Offset in the file, in bytes.
        offset: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// Entries must be taken in order, each once.
    #[error("entry {found} was offered and the next is {expected}; open the book again")]
    OutOfOrder {
        /// The next entry.
        expected: u64,
        /// The entry offered.
        found: u64,
    },
    /// The background thread stopped after an error.
    #[error("the background work stopped: {cause}; open the book again")]
    Stopped {
        /// The permanent code of the first error.
        code: Code,
        /// The first error.
        cause: String,
    },
}

impl DerivedError {
    /// The permanent code.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Io(fault) => fault.code(),
            Self::Corrupt { .. } => code::STORE_DERIVED_CORRUPT,
            Self::OutOfOrder { .. } => code::STORE_ORDER,
            Self::Stopped { code, .. } => *code,
        }
    }
}

/// The vault could not take, give or erase an input.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The operating system refused something; after a failed write the vault is poisoned.
    #[error(transparent)]
    Io(#[from] IoFault),
    /// An earlier write or flush failed.
    #[error(
        "an earlier write to the vault failed, so nothing more is written; open the book again"
    )]
    Poisoned,
    /// No input has this reference.
    #[error("the vault holds no input under reference {reference}; check the entry's reference")]
    NotFound {
        /// The reference.
        reference: u64,
    },
    /// The input's data key was erased.
    #[error("the input under reference {reference} was erased; only its commitment remains")]
    Erased {
        /// The reference.
        reference: u64,
    },
    /// The stored bytes do not open under the book's key.
    #[error(
        "the input under reference {reference} does not open: {what}; check that the key-encryption key is the book's own, or restore a backup"
    )]
    Refused {
        /// The reference.
        reference: u64,
        /// What failed.
        what: &'static str,
    },
    /// The input is longer than a request may be.
    #[error("the input has {found} bytes and at most {allowed} are allowed; shorten the request")]
    TooLarge {
        /// Bytes of the input.
        found: usize,
        /// Bytes allowed.
        allowed: usize,
    },
    /// The key-encryption key could not be used.
    #[error("the key-encryption key could not be used: {what}; check the key's provider")]
    Kek {
        /// What failed.
        what: String,
    },
    /// The operating system gave no randomness.
    #[error("the operating system gave no randomness; nothing was stored: try again")]
    Randomness,
}

impl VaultError {
    /// Whether it says that an input is not there, or is not what it was, and nothing of the vault at large.
    #[must_use]
    pub const fn is_loss(&self) -> bool {
        matches!(self, Self::NotFound { .. } | Self::Refused { .. })
    }

    /// The permanent code.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Io(fault) => fault.code(),
            Self::Poisoned => code::STORE_POISONED,
            Self::NotFound { .. } => code::VAULT_NOT_FOUND,
            Self::Erased { .. } => code::VAULT_ERASED,
            Self::Refused { .. } => code::VAULT_REFUSED,
            Self::TooLarge { .. } => code::VAULT_TOO_LARGE,
            Self::Kek { .. } => code::VAULT_KEY,
            Self::Randomness => code::VAULT_RANDOMNESS,
        }
    }
}

/// A blob could not be stored or read.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// The operating system refused something.
    #[error(transparent)]
    Io(#[from] IoFault),
    /// No blob has this digest.
    #[error("there is no blob `{digest}`; store the pack or list again")]
    NotFound {
        /// The digest asked for.
        digest: String,
    },
    /// The blob's bytes have another digest.
    #[error(
        "the blob `{expected}` has digest `{found}`: its file was altered; store the pack or list again"
    )]
    Altered {
        /// The digest asked for.
        expected: String,
        /// The digest of the bytes.
        found: String,
    },
    /// The blob is larger than allowed.
    #[error("the blob has {found} bytes and at most {allowed} are allowed; split the list")]
    TooLarge {
        /// Bytes of the blob.
        found: u64,
        /// Bytes allowed.
        allowed: u64,
    },
}

impl BlobError {
    /// The permanent code.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Io(fault) => fault.code(),
            Self::NotFound { .. } => code::STORE_NO_BLOB,
            Self::Altered { .. } => code::STORE_CORRUPT,
            Self::TooLarge { .. } => code::STORE_BLOB_TOO_LARGE,
        }
    }
}

/// A checkpoint could not be recorded or read.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The operating system refused something.
    #[error(transparent)]
    Io(#[from] IoFault),
    /// The checkpoint does not follow the last one.
    #[error("a checkpoint of {found} entries cannot follow one of {last}; publish a larger tree")]
    NotLarger {
        /// Size of the last checkpoint.
        last: u64,
        /// Size offered.
        found: u64,
    },
    /// The checkpoint covers entries that are not durable.
    #[error(
        "a checkpoint of {found} entries covers more than the {durable} durable ones; commit them first"
    )]
    NotDurable {
        /// Durable entries.
        durable: u64,
        /// Size offered.
        found: u64,
    },
    /// An earlier write failed.
    #[error("an earlier write failed, so nothing more is published; open the book again")]
    Poisoned,
    /// The note is not a checkpoint.
    #[error("the note is not a checkpoint: {what}; restore `checkpoints.log` from a backup")]
    Malformed {
        /// What is wrong.
        what: &'static str,
    },
}

impl CheckpointError {
    /// The permanent code.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Io(fault) => fault.code(),
            Self::NotLarger { .. } | Self::NotDurable { .. } => code::STORE_ORDER,
            Self::Poisoned => code::STORE_POISONED,
            Self::Malformed { .. } => code::STORE_CORRUPT,
        }
    }
}

/// A copy of a book (backup, restore or export) failed; what was copied so far is not a whole copy.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The operating system refused something.
    #[error(transparent)]
    Io(#[from] IoFault),
    /// The target holds something already.
    #[error("`{}` holds files already; name an empty or a new folder", path.display())]
    Occupied {
        /// The target.
        path: PathBuf,
    },
    /// The source is no backup.
    #[error("`{}` is no backup: it has no file `MANIFEST`, which a backup gets last; name a folder that `paygod backup` finished", path.display())]
    NotABackup {
        /// The folder.
        path: PathBuf,
    },
    /// The source is not a whole backup.
    #[error("`{}` is not a whole backup: {what}; make the backup again", path.display())]
    NotWhole {
        /// The file or folder.
        path: PathBuf,
        /// What is missing or wrong.
        what: &'static str,
    },
    /// An entry could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The restored book does not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The tree files do not serve.
    #[error(transparent)]
    Derived(#[from] DerivedError),
    /// A blob is not what its name says.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// There is no checkpoint to export.
    #[error("the book has no checkpoint yet; publish one, then export")]
    NoCheckpoint,
    /// The checkpoints of the book do not read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

impl CopyError {
    /// The permanent code.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Io(fault) => fault.code(),
            Self::Occupied { .. } => code::STORE_OCCUPIED,
            Self::NotABackup { .. } => code::STORE_NOT_A_BACKUP,
            Self::NotWhole { .. } => code::STORE_BACKUP_NOT_WHOLE,
            Self::Read(fault) => fault.code(),
            Self::Open(fault) => fault.code(),
            Self::Derived(fault) => fault.code(),
            Self::Blob(fault) => fault.code(),
            Self::NoCheckpoint => code::STORE_NO_CHECKPOINT,
            Self::Checkpoint(fault) => fault.code(),
        }
    }
}
