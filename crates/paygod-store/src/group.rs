//! A group of entries that one flush makes durable.
//!
//! Entries are framed in place: the caller writes an entry's bytes once, into the buffer that goes to
//! the disk. A group may be reused after [`Group::begin`]; its buffer is kept.

use std::sync::Arc;

use paygod_types::Seq;
use paygod_types::limits::ENTRY_BYTES_MAX;

use crate::error::StageError;
use crate::segment::{RECORD_BYTES_MAX, RECORD_HEADER_BYTES, RecordHeader};
use crate::vault::VaultRef;
use crate::width::{to_u64, to_usize};

/// Most entries in a group. A record's place in its group has 16 bits; more than this would only
/// lengthen the wait of the first.
pub const GROUP_ENTRIES_MAX: usize = 16_384;

const _: () = assert!(GROUP_ENTRIES_MAX < 0xffff);

/// A group of entries, framed as records.
#[derive(Clone, Debug, Default)]
pub struct Group {
    first_seq: u64,
    bytes: Vec<u8>,
    /// Where each record ends in `bytes`.
    ends: Vec<usize>,
}

impl Group {
    /// An empty group whose first entry will be `first`.
    #[must_use]
    pub fn new(first: Seq) -> Self {
        Self {
            first_seq: first.get(),
            bytes: Vec::new(),
            ends: Vec::new(),
        }
    }

    /// Has it room for so many entries of so many bytes together, with what they are framed in.
    pub fn reserve(&mut self, entries: usize, bytes: usize) {
        self.ends.reserve(entries);
        self.bytes.reserve(bytes);
    }

    /// Empties the group and says what its first entry will be. The memory is kept.
    pub fn begin(&mut self, first: Seq) {
        self.first_seq = first.get();
        self.bytes.clear();
        self.ends.clear();
    }

    /// Begins an entry and gives the buffer to append its bytes to. End it with
    /// [`Group::close_entry`], or take it back with [`Group::drop_entry`]. What the buffer holds
    /// already must not be touched.
    pub fn open_entry(&mut self) -> &mut Vec<u8> {
        self.drop_entry();
        self.bytes.extend_from_slice(&[0; RECORD_HEADER_BYTES]);
        &mut self.bytes
    }

    /// Takes back what was written since [`Group::open_entry`].
    pub fn drop_entry(&mut self) {
        let end = self.end();
        self.bytes.truncate(end);
    }

    /// Ends the entry that [`Group::open_entry`] began and gives its seq.
    ///
    /// # Errors
    /// The entry is empty, too long, or one too many; it is taken back.
    pub fn close_entry(&mut self, input: Option<VaultRef>) -> Result<Seq, StageError> {
        let start = self.end();
        let place = self.ends.len();
        let entry = self
            .bytes
            .get(start.saturating_add(RECORD_HEADER_BYTES)..)
            .unwrap_or(&[]);
        let found = entry.len();
        let len = u16::try_from(found).ok().filter(|len| *len > 0);
        let (Some(len), Some(place16)) = (
            len,
            u16::try_from(place)
                .ok()
                .filter(|_| place < GROUP_ENTRIES_MAX),
        ) else {
            self.drop_entry();
            return Err(if len.is_none() {
                StageError::EntrySize {
                    found,
                    allowed: ENTRY_BYTES_MAX,
                }
            } else {
                StageError::Full { found: place }
            });
        };
        let seq = self.first_seq.saturating_add(to_u64(place));
        let mut header = RecordHeader {
            len,
            place: place16,
            crc: 0,
            seq,
            vault_ref: input.map_or(0, VaultRef::get),
        };
        header.crc = header.checksum(entry);
        let encoded = header.encode();
        if let Some(slot) = self
            .bytes
            .get_mut(start..start.saturating_add(RECORD_HEADER_BYTES))
        {
            slot.copy_from_slice(&encoded);
        }
        self.ends.push(self.bytes.len());
        Ok(Seq(seq))
    }

    /// Adds a whole entry and gives its seq.
    ///
    /// # Errors
    /// As [`Group::close_entry`].
    pub fn push(&mut self, entry: &[u8], input: Option<VaultRef>) -> Result<Seq, StageError> {
        self.open_entry().extend_from_slice(entry);
        self.close_entry(input)
    }

    /// Bytes of memory held for entries.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// The seq of the first entry.
    #[must_use]
    pub const fn first_seq(&self) -> Seq {
        Seq(self.first_seq)
    }

    /// The seq after the last entry.
    #[must_use]
    pub fn next_seq(&self) -> Seq {
        Seq(self.first_seq.saturating_add(to_u64(self.ends.len())))
    }

    /// How many entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Whether another entry of any length can be added.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.ends.len() < GROUP_ENTRIES_MAX
            && self.bytes.len().saturating_add(RECORD_BYTES_MAX) < GROUP_BYTES_MAX
    }

    /// The entry with this seq, with its input's reference.
    #[must_use]
    pub fn entry(&self, seq: Seq) -> Option<(&[u8], Option<VaultRef>)> {
        let index = to_usize(seq.get().checked_sub(self.first_seq)?);
        let end = *self.ends.get(index)?;
        let start = match index.checked_sub(1) {
            None => 0,
            Some(before) => *self.ends.get(before)?,
        };
        let record = self.bytes.get(start..end)?;
        let header = RecordHeader::decode(record.first_chunk::<RECORD_HEADER_BYTES>()?);
        Some((
            record.get(RECORD_HEADER_BYTES..)?,
            VaultRef::new(header.vault_ref),
        ))
    }

    /// The entries in order.
    pub fn entries(&self) -> impl Iterator<Item = (Seq, &[u8])> + '_ {
        let from = self.first_seq;
        (from..self.next_seq().get())
            .filter_map(move |seq| self.entry(Seq(seq)).map(|(entry, _)| (Seq(seq), entry)))
    }

    /// The records as they go to the disk.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.end()).unwrap_or(&[])
    }

    /// Where each record ends in [`Group::bytes`].
    pub(crate) fn ends(&self) -> &[usize] {
        &self.ends
    }

    fn end(&self) -> usize {
        self.ends.last().copied().unwrap_or(0)
    }
}

/// Longest group, in bytes: a quarter of a segment, so that little of a segment stays unused when a
/// group does not fit any more.
pub const GROUP_BYTES_MAX: usize = 16 << 20;

/// A group that more than one thread reads while it is on its way to the disk.
pub type SharedGroup = Arc<Group>;
