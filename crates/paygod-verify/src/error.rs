//! Why verifying could not go on. Never about the export: that is a [`crate::Failure`].

use paygod_types::{Code, code};
use thiserror::Error;

use crate::source::SourceError;

/// Verifying itself failed.
#[derive(Debug, Error)]
pub enum VerifyError {
    /// The export could not be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The temporary file could not be written or read.
    #[error("the temporary folder `{folder}` refused: {error}; free space there or name another")]
    Scratch {
        /// The folder.
        folder: String,
        /// What it said.
        #[source]
        error: std::io::Error,
    },
    /// The auditor's own checkpoint or proof could not be read.
    #[error("what was kept as {what} cannot be read: {reason}; check the file")]
    Kept {
        /// Which, by its position.
        what: String,
        /// Why.
        reason: String,
    },
}

impl VerifyError {
    /// The permanent code of this error.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Source(error) => error.code(),
            Self::Scratch { .. } => code::VERIFY_SCRATCH,
            Self::Kept { .. } => code::VERIFY_KEPT_FORM,
        }
    }
}
