//! Why a book could not be made or opened, and why a question could not be answered.

use std::io;
use std::path::PathBuf;

use paygod_core::{CommandError, EntryError, FoldError, SnapshotError};
use paygod_store::{
    BlobError, CheckpointError, CommitError, CopyError, DerivedError, OpenError, ReadError,
    StageError, VaultError,
};
use paygod_types::{Code, Digest, Seq, code};

use super::anchors::AnchorError;
use super::commit::EraseError;
use super::keys::{BookKeyError, KeyFileError};
use super::outcome::SubmitError;
use super::rulesets::PolicyError;

/// A book could not be made, opened or copied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BookError {
    /// The store refused.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// What is derived could not be made anew.
    #[error(transparent)]
    Derived(#[from] DerivedError),
    /// A key file could not be used.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// The vault could not be used.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The packs or lists in force could not be loaded.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The origin is not one that a log can have, or genesis was refused.
    #[error(transparent)]
    Genesis(#[from] CommandError),
    /// The origin cannot name a key.
    #[error(
        "`{origin}` cannot be an origin: {reason}; use a host name and a path, such as `ledger.example.com/main`"
    )]
    Origin {
        /// What was asked for.
        origin: String,
        /// Why not.
        reason: String,
    },
    /// Genesis could not be written.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// Genesis could not be made durable.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// A checkpoint could not be made or published.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A checkpoint could not be signed.
    #[error("the checkpoint could not be signed: {0}")]
    Sign(#[from] paygod_tlog::CheckpointError),
    /// An entry could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// An entry is not one.
    #[error("entry {seq}: {source}")]
    Entry {
        /// Which.
        seq: Seq,
        /// Why.
        source: EntryError,
    },
    /// An entry does not follow from those before it.
    #[error("entry {seq} does not follow: {source}; restore a backup")]
    Fold {
        /// Which.
        seq: Seq,
        /// Why.
        source: FoldError,
    },
    /// A snapshot does not read back.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// The book is not one that this could have made, or its making was interrupted.
    #[error("the book `{}` has no genesis; remove the folder and make it again", path.display())]
    NoGenesis {
        /// The folder.
        path: PathBuf,
    },
    /// The state rebuilt is not the one that a snapshot entry sealed.
    #[error(
        "the state after entry {of} has digest {found}, and {expected} was sealed; restore a backup"
    )]
    State {
        /// After which entry.
        of: Seq,
        /// Sealed.
        expected: Digest,
        /// Rebuilt.
        found: Digest,
    },
    /// The root of trust is another log's.
    #[error(
        "the root of trust is of the log `{found}`, and the book would be `{origin}`; give the book that origin, or hold the ceremony for this one"
    )]
    Roots {
        /// The book's.
        origin: String,
        /// The root of trust's.
        found: String,
    },
    /// The book is not fit for production.
    #[error("in production a book has {lacks}")]
    Production {
        /// What it lacks, and what to do about it.
        lacks: &'static str,
    },
    /// A checkpoint key could not be made or found.
    #[error(transparent)]
    Keys(#[from] BookKeyError),
    /// The signer holds another key.
    #[error(
        "the signer holds the key `{found}`, and the ledger names `{expected}`; give the key that the last rotation names"
    )]
    Signer {
        /// The vkey that the ledger names.
        expected: String,
        /// The signer's.
        found: String,
    },
    /// The copy was not made.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// An erasure that was ordered could not be finished.
    #[error(transparent)]
    Erase(#[from] EraseError),
    /// The ledger stopped.
    #[error(transparent)]
    Stopped(#[from] SubmitError),
    /// A thread could not be started.
    #[error("a thread could not be started: {source}; raise the limit on threads")]
    Thread {
        /// What the operating system said.
        source: io::Error,
    },
    /// The folder of anchors could not be copied.
    #[error(transparent)]
    Anchor(#[from] AnchorError),
    /// The operating system refused something.
    #[error("`{}`: {source}; check the path and its permissions", path.display())]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

impl BookError {
    /// The permanent code.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Open(error) => error.code(),
            Self::Derived(error) => error.code(),
            Self::Key(error) => error.code(),
            Self::Vault(error) => error.code(),
            Self::Policy(error) => error.code(),
            Self::Genesis(error) => error.code(),
            Self::Origin { .. } => code::TLOG_KEY,
            Self::Stage(error) => error.code(),
            Self::Commit(error) => error.code(),
            Self::Checkpoint(error) => error.code(),
            Self::Sign(error) => error.code(),
            Self::Read(error) => error.code(),
            Self::Entry { source, .. } => source.code(),
            Self::Fold { source, .. } => source.code(),
            Self::Snapshot(error) => error.code(),
            Self::NoGenesis { .. } => code::BOOK_NOT_READY,
            Self::State { .. } => code::LEDGER_STATE_MISMATCH,
            Self::Roots { .. } => code::KEYS_REFUSED,
            Self::Production { .. } => code::KEYS_PRODUCTION,
            Self::Keys(error) => error.code(),
            Self::Signer { .. } => code::LEDGER_KEY_MISMATCH,
            Self::Copy(error) => error.code(),
            Self::Erase(error) => error.code(),
            Self::Stopped(error) => error.code(),
            Self::Anchor(error) => error.code(),
            Self::Thread { .. } | Self::Io { .. } => code::STORE_IO,
        }
    }
}

/// A question to the ledger could not be answered, or an order not carried out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// The ledger has stopped or is closing.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// The packs or lists do not work.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// A publisher's signature does not count.
    #[error(transparent)]
    Publisher(#[from] paygod_core::publisher::PublisherError),
    /// An entry could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// An entry is not one.
    #[error("entry {seq}: {source}; restore a backup")]
    Entry {
        /// Which.
        seq: Seq,
        /// Why.
        source: EntryError,
    },
    /// An entry does not follow from those before it.
    #[error("entry {seq} does not follow: {source}; restore a backup")]
    Fold {
        /// Which.
        seq: Seq,
        /// Why.
        source: FoldError,
    },
    /// What is derived could not be read.
    #[error(transparent)]
    Derived(#[from] DerivedError),
    /// A blob could not be stored or read.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// The vault could not be read.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The book could not be copied or exported.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// A key file could not be copied.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// The folder of anchors could not be copied.
    #[error(transparent)]
    Anchor(Box<AnchorError>),
    /// A proof could not be written.
    #[error(transparent)]
    Proof(#[from] paygod_tlog::TlogProofError),
    /// The tree could not be read.
    #[error(
        "the proof of entry {seq} could not be made: {reason}; remove the folder `tree` and open the book again"
    )]
    Tree {
        /// The entry.
        seq: Seq,
        /// Why.
        reason: String,
    },
    /// No entry was sealed under the id.
    #[error("no entry was sealed under the request id `{id}`; check the id, or send the request")]
    NoRequest {
        /// The id.
        id: String,
    },
    /// There is no such account.
    #[error("there is no account `{account}`; open it first, or correct its id")]
    NoAccount {
        /// The account.
        account: String,
    },
    /// Packs did not judge the entry.
    #[error(
        "entry {seq} is a `{action}`, which packs do not judge; explain a transfer or a correction"
    )]
    NotJudged {
        /// The entry.
        seq: Seq,
        /// What it did.
        action: &'static str,
    },
    /// No checkpoint covers the entry yet.
    #[error("no signed checkpoint covers entry {seq} yet; try again in a second")]
    NotSignedYet {
        /// The entry.
        seq: Seq,
    },
}

impl From<AnchorError> for LedgerError {
    fn from(error: AnchorError) -> Self {
        Self::Anchor(Box::new(error))
    }
}

impl LedgerError {
    /// The permanent code.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Submit(error) => error.code(),
            Self::Policy(error) => error.code(),
            Self::Publisher(error) => error.code(),
            Self::Read(error) => error.code(),
            Self::Entry { source, .. } => source.code(),
            Self::Fold { source, .. } => source.code(),
            Self::Derived(error) => error.code(),
            Self::Blob(error) => error.code(),
            Self::Vault(error) => error.code(),
            Self::Copy(error) => error.code(),
            Self::Key(error) => error.code(),
            Self::Anchor(error) => error.code(),
            Self::Proof(error) => error.code(),
            Self::Tree { .. } => code::TLOG_SOURCE,
            Self::NoRequest { .. } => code::LEDGER_NO_REQUEST,
            Self::NoAccount { .. } => code::LEDGER_NO_ACCOUNT,
            Self::NotJudged { .. } => code::LEDGER_NOT_JUDGED,
            Self::NotSignedYet { .. } => code::LEDGER_NOT_SIGNED_YET,
        }
    }
}
