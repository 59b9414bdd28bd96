//! Entries as canonical JSON: the bytes that are sealed, hashed and verified.
//!
//! INVARIANT(canonical): decoding is strict (canonical bytes, known keys, nothing spelled that is
//! implied), so what decodes encodes to the same bytes. Formats: `docs/internals/entry.md`.

mod read;
mod slot;
mod write;

pub use slot::EntrySlot;

use paygod_types::canonical::CanonicalError;
use paygod_types::{Code, RequestId, Seq, Timestamp, code};

use crate::command::Action;
use crate::entry::{Entry, RequestRef};

/// The version of the entry format.
pub const ENTRY_VERSION: u64 = 1;

/// Why bytes are not an entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EntryError {
    /// Not canonical, or not of the shape of an entry.
    #[error("the entry cannot be read: {0}")]
    Json(#[from] CanonicalError),
    /// A value is not one that entries have.
    #[error("byte {offset}: the value of `{key}` before it is not {expected}")]
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

/// An entry without its body: what indexes and look-ups need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryHead {
    /// What it does.
    pub action: Action,
    /// The request id.
    pub id: RequestId,
    /// What it commits to of the request.
    pub request: Option<RequestRef>,
    /// The leaf index.
    pub seq: Seq,
    /// When it was sealed.
    pub time: Timestamp,
}

impl EntryHead {
    /// Reads the head of an entry; its body is checked to be canonical and otherwise passed over.
    ///
    /// # Errors
    /// [`EntryError`]: not an entry.
    pub fn decode(bytes: &[u8]) -> Result<Self, EntryError> {
        read::head(bytes)
    }
}

impl Entry {
    /// Appends the entry's canonical bytes to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        write::entry(self, out);
    }

    /// Reads the canonical bytes of an entry. Strict: what decodes encodes to the same bytes.
    ///
    /// # Errors
    /// [`EntryError`]: any other bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, EntryError> {
        read::entry(bytes, &mut slot::Spare::default())
    }
}
