//! The one writer of a book's segments.
//!
//! [`Writer::commit`] shows the whole order: bytes, one flush, then the group is durable and may
//! be answered. Nothing derived (index, tree, history) is touched here.
//!
//! INVARIANT(poisoned): after a failed or unknown write or flush, the writer does nothing more. What
//! the disk holds is read back when the book is opened again.

use std::sync::Arc;

use paygod_types::Seq;

use crate::append::Appender;
use crate::disk::Dir;
use crate::error::{CommitError, IoFault};
use crate::group::{GROUP_BYTES_MAX, Group};
use crate::marks;
use crate::prefill::Prefiller;
use crate::reader::{Marks, Segment, Segments};
use crate::segment::{self, BookId, HEADER_BYTES, Header};
use crate::width::{to_u64, to_usize};

/// Length of a full segment, in bytes.
pub const SEGMENT_BYTES: u64 = 64 << 20;

/// Longest segment that the format allows, in bytes: offsets have 32 bits.
pub const SEGMENT_BYTES_MAX: u64 = 1 << 31;

const _: () = assert!(SEGMENT_BYTES <= SEGMENT_BYTES_MAX);
const _: () = assert!(to_u64(GROUP_BYTES_MAX) + HEADER_BYTES <= SEGMENT_BYTES);

/// Prefilling begins when the segment is this part full.
const PREFILL_FROM_PART: u64 = 8;

/// Appends groups of entries to the book. There is one; it may live on any thread.
#[derive(Debug)]
pub struct Writer {
    dir: Dir,
    segments: Arc<Segments>,
    active: Arc<Segment>,
    file: Appender,
    next: u64,
    end: u64,
    segment_bytes: u64,
    prefill: bool,
    prefiller: Prefiller,
}

impl Writer {
    pub(crate) fn new(
        dir: Dir,
        segments: Arc<Segments>,
        active: Arc<Segment>,
        segment_bytes: u64,
        prefill: bool,
    ) -> Result<Self, IoFault> {
        let name = segment::file_name(active.first_seq);
        let file = Appender::open(&dir, &name)?;
        let (count, end) = active.with_marks(|marks| (marks.count, marks.end));
        let next = active.first_seq.saturating_add(count);
        let mut writer = Self {
            dir,
            segments,
            active,
            file,
            next,
            end,
            segment_bytes,
            prefill,
            prefiller: Prefiller::default(),
        };
        writer.start_prefill();
        Ok(writer)
    }

    /// The seq that the next committed entry gets.
    #[must_use]
    pub const fn next_seq(&self) -> Seq {
        Seq(self.next)
    }

    /// Makes a group durable with one flush. When this returns, its entries may be
    /// answered and are readable.
    ///
    /// # Errors
    /// The group is out of order or too large (nothing happened), or the disk refused: then whether
    /// the group survives a crash is unknown, and the writer is poisoned until the book is reopened.
    pub fn commit(&mut self, group: &Group) -> Result<(), CommitError> {
        if self.segments.is_poisoned() {
            return Err(CommitError::Poisoned);
        }
        if group.first_seq().get() != self.next {
            let found = group.first_seq().get();
            return Err(CommitError::OutOfOrder {
                expected: self.next,
                found,
            });
        }
        if group.is_empty() {
            return Ok(());
        }
        let bytes = group.bytes();
        let len = to_u64(bytes.len());
        let allowed = self.segment_bytes.saturating_sub(HEADER_BYTES);
        if len > allowed {
            return Err(CommitError::TooLarge {
                found: len,
                allowed,
            });
        }
        self.append(bytes).inspect_err(|_| self.segments.poison())?;
        self.note(group, len);
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), IoFault> {
        if self.end.saturating_add(to_u64(bytes.len())) > self.segment_bytes {
            return self.roll(bytes);
        }
        self.file.append(bytes, self.end)?;
        self.file.sync()
    }

    /// Tells the readers of a group that is durable.
    fn note(&mut self, group: &Group, len: u64) {
        self.active.change_marks(|marks| {
            let mut before = 0_usize;
            for end in group.ends() {
                marks.push(to_u64(end.saturating_sub(before)));
                before = *end;
            }
        });
        self.end = self.end.saturating_add(len);
        self.next = group.next_seq().get();
        self.segments.advance(self.next);
        self.start_prefill();
    }

    /// Begins the next segment with a group and seals the one before.
    fn roll(&mut self, bytes: &[u8]) -> Result<(), IoFault> {
        let (book, next) = (self.segments.book, self.next);
        let (segment, file) = begin(&self.dir, &mut self.prefiller, book, next, bytes)?;
        // What was acknowledged is durable already: cutting the unused rest and keeping the offsets
        // only save space and time, so they need no flush.
        self.file.file().set_len(self.end)?;
        self.active.with_marks(|marks| {
            marks::write(&self.dir, &self.segments.book, self.active.first_seq, marks)
        })?;
        self.segments.add(Arc::clone(&segment));
        self.active = segment;
        let before = std::mem::replace(&mut self.file, file);
        self.prefiller.take_room_of(before);
        self.end = HEADER_BYTES;
        Ok(())
    }

    /// Begins to prefill the next segment once this one is in earnest use: a book that takes a few
    /// entries need not write a segment of zeros.
    fn start_prefill(&mut self) {
        let in_use = self.end > self.segment_bytes / PREFILL_FROM_PART;
        if self.prefill && in_use {
            self.prefiller.start(&self.dir, self.segment_bytes);
        }
    }
}

/// Begins the segment of `first_seq` with a first group: [`Prefiller::begin`].
pub(crate) fn begin(
    dir: &Dir,
    prefiller: &mut Prefiller,
    book: BookId,
    first_seq: u64,
    group: &[u8],
) -> Result<(Arc<Segment>, Appender), IoFault> {
    let mut head = [0_u8; to_usize(HEADER_BYTES)];
    if let Some(slot) = head.first_chunk_mut() {
        *slot = Header { book, first_seq }.encode();
    }
    let name = segment::file_name(first_seq);
    let file = prefiller.begin(dir, &name, &head, group)?;
    let segment = Segment::new(first_seq, Marks::empty());
    Ok((Arc::new(segment), file))
}
