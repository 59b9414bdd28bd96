//! Reading many entries one after the other, each in the memory of an earlier one.
//!
//! Most entries are payments that the same rules allowed: their decisions are the same bytes. What was
//! read from the same bytes before is taken over, and not read again. Nothing that is checked depends
//! on what stood in the slot: a test reads every kind of entry over every other.

use paygod_types::{ActorId, IdError};

use super::{EntryError, read};
use crate::entry::{Body, Decision, Entry, Posting, Window};

/// A place for an entry, to be used again and again.
#[derive(Debug, Default)]
pub struct EntrySlot {
    entry: Option<Entry>,
    /// The bytes that the entry's decision was read from. Empty if it has none that is worth keeping.
    decision: Vec<u8>,
}

impl EntrySlot {
    /// Reads an entry as [`Entry::decode`] does. After an error the slot is empty.
    ///
    /// # Errors
    /// As [`Entry::decode`].
    pub fn read(&mut self, bytes: &[u8]) -> Result<&Entry, EntryError> {
        let mut spare = Spare::of(self.entry.take(), std::mem::take(&mut self.decision));
        let entry = read::entry(bytes, &mut spare)?;
        self.decision = spare.decision_bytes;
        Ok(self.entry.insert(entry))
    }

    /// The entry that was read last.
    #[must_use]
    pub const fn entry(&self) -> Option<&Entry> {
        self.entry.as_ref()
    }
}

/// What is left of an entry, for the next.
#[derive(Default)]
pub(super) struct Spare {
    by: Option<ActorId>,
    pub(super) decision: Option<Decision>,
    pub(super) decision_bytes: Vec<u8>,
    pub(super) postings: Vec<Posting>,
    pub(super) windows: Vec<Window>,
}

impl Spare {
    fn of(entry: Option<Entry>, decision_bytes: Vec<u8>) -> Self {
        match entry {
            Some(Entry {
                by,
                body: Body::Transfer(body),
                ..
            }) => Self {
                by,
                decision: Some(body.decision),
                decision_bytes,
                postings: body.postings,
                windows: body.windows,
            },
            _ => Self::default(),
        }
    }

    /// Who `text` names: what is equal was checked when it was first read.
    pub(super) fn actor(&mut self, text: &str) -> Result<ActorId, IdError> {
        match self.by.take() {
            Some(by) if by.as_str() == text => Ok(by),
            _ => ActorId::parse(text),
        }
    }
}
