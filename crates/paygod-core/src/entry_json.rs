//! Entries as canonical JSON: the bytes that are sealed, hashed and verified.

use paygod_types::canonical::CanonicalError;
use paygod_types::{Code, code};

use crate::entry::Entry;

/// Why bytes are not an entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EntryError {
    /// Not canonical, or not of the shape of an entry.
    #[error("the entry cannot be read: {0}")]
    Json(#[from] CanonicalError),
    /// A value is not one that entries have.
    #[error("byte {offset}: `{key}` is not {expected}")]
    Value {
        /// Of which key.
        key: &'static str,
        /// What it should be.
        expected: &'static str,
        /// Where the value ends.
        offset: usize,
    },
}

impl EntryError {
    /// The permanent code.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Json(error) => error.code(),
            Self::Value { .. } => code::ENTRY_FORM,
        }
    }
}

impl Entry {
    /// Appends the entry's canonical bytes to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let _ = out;
    }

    /// Reads the canonical bytes of an entry. Strict: what decodes encodes to the same bytes.
    ///
    /// # Errors
    /// [`EntryError`]: any other bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, EntryError> {
        let _ = bytes;
        Err(EntryError::Value {
            key: "v",
            expected: "1",
            offset: 0,
        })
    }
}
