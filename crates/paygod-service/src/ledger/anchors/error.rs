//! Why a round of anchoring could not be done.

use std::io;
use std::path::PathBuf;

use paygod_anchor::ots::OtsError;
use paygod_types::{Code, code};

use crate::ledger::error::LedgerError;
use crate::ledger::outcome::SubmitError;

/// Anchoring could not go on. Requests go on all the same.
#[derive(Debug, thiserror::Error)]
pub enum AnchorError {
    /// The operating system refused.
    #[error("the folder of anchors cannot be used: `{}`: {source}; check the disk and the permissions", path.display())]
    Folder {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A file of the folder is not what it should be.
    #[error("`{}` is not what it should be: {reason}; move it away, and the next round goes on without it", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The tree cannot be read.
    #[error("the tree of {size} entries cannot be read: {reason}; open the book again")]
    Tree {
        /// Which.
        size: u64,
        /// Why.
        reason: String,
    },
    /// A chain, its node or its key fails.
    #[error(transparent)]
    Chain(#[from] paygod_anchor::chain::ChainError),
    /// The receipt was not sealed.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// What was sealed before cannot be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A proof cannot be written.
    #[error(transparent)]
    Proof(#[from] OtsError),
    /// The checkpoint cannot be spelled.
    #[error(transparent)]
    Checkpoint(#[from] paygod_tlog::CheckpointError),
}

impl AnchorError {
    /// The permanent code.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Folder { .. } | Self::Malformed { .. } => code::ANCHOR_FOLDER,
            Self::Tree { .. } => code::STORE_IO,
            Self::Chain(error) => error.code(),
            Self::Submit(error) => error.code(),
            Self::Ledger(error) => error.code(),
            Self::Proof(error) => error.code(),
            Self::Checkpoint(error) => error.code(),
        }
    }
}
