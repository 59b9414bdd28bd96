//! Reading entries by seq, from any thread, while the writer appends.
//!
//! INVARIANT(durable-first): [`Reader::entry`] and [`Reader::scan`] give only entries that a flush has
//! made durable. [`Reader::staged_entry`] also gives those on their way to the disk, for the sequencer
//! that made them; nobody else may see those.
//!
//! Every entry that is read is checked against its checksum.

use std::collections::VecDeque;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use paygod_types::Seq;

use crate::disk::OpenFile;
use crate::error::{Action, Corruption, FoldFault, IoFault, ReadError};
use crate::group::{Group, SharedGroup};
use crate::handles::Handles;
use crate::segment::{
    self, BookId, HEADER_BYTES, Parsed, RECORD_BYTES_MAX, RECORD_HEADER_BYTES, RecordHeader,
};
use crate::vault::VaultRef;
use crate::width::{to_u64, to_usize};

/// Of every so many records the offset is kept in memory: half a byte an entry, and one short read
/// finds any entry.
pub(crate) const STRIDE: u64 = 8;

/// How much a scan reads at once, in bytes.
const SCAN_BYTES: usize = 1 << 20;

const _: () = assert!(SCAN_BYTES > 2 * RECORD_BYTES_MAX);

/// Where the records of a segment are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Marks {
    /// Offset of each [`STRIDE`]-th record.
    pub(crate) offsets: Vec<u32>,
    /// How many records.
    pub(crate) count: u64,
    /// Where the last record ends.
    pub(crate) end: u64,
}

impl Marks {
    pub(crate) fn empty() -> Self {
        Self {
            offsets: Vec::new(),
            count: 0,
            end: HEADER_BYTES,
        }
    }

    /// Notes the record that follows the last one.
    pub(crate) fn push(&mut self, record_bytes: u64) {
        if self.count.is_multiple_of(STRIDE) {
            // A segment is far shorter than 4 GiB (see `SEGMENT_BYTES_MAX`).
            self.offsets
                .push(u32::try_from(self.end).unwrap_or(u32::MAX));
        }
        self.count = self.count.saturating_add(1);
        self.end = self.end.saturating_add(record_bytes);
    }

    /// Where to read for the record with this index: from, to, and how many records to skip.
    fn locate(&self, index: u64) -> Option<(u64, u64, u64)> {
        if index >= self.count {
            return None;
        }
        let mark = to_usize(index / STRIDE);
        let from = u64::from(*self.offsets.get(mark)?);
        let to = self
            .offsets
            .get(mark.saturating_add(1))
            .map_or(self.end, |next| u64::from(*next));
        Some((from, to, index % STRIDE))
    }
}

/// A segment of a book.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) first_seq: u64,
    marks: RwLock<Marks>,
}

impl Segment {
    pub(crate) const fn new(first_seq: u64, marks: Marks) -> Self {
        Self {
            first_seq,
            marks: RwLock::new(marks),
        }
    }

    pub(crate) fn with_marks<T>(&self, look: impl FnOnce(&Marks) -> T) -> T {
        look(&self.marks.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn change_marks<T>(&self, change: impl FnOnce(&mut Marks) -> T) -> T {
        change(&mut self.marks.write().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The segments of an open book, shared by its writer and its readers.
#[derive(Debug)]
pub(crate) struct Segments {
    pub(crate) book: BookId,
    list: RwLock<Vec<Arc<Segment>>>,
    handles: Handles,
    staged: RwLock<VecDeque<SharedGroup>>,
    durable: AtomicU64,
    poisoned: AtomicBool,
}

impl Segments {
    pub(crate) fn new(
        handles: Handles,
        book: BookId,
        list: Vec<Arc<Segment>>,
        durable: u64,
    ) -> Self {
        Self {
            book,
            list: RwLock::new(list),
            handles,
            staged: RwLock::new(VecDeque::new()),
            durable: AtomicU64::new(durable),
            poisoned: AtomicBool::new(false),
        }
    }

    pub(crate) fn durable(&self) -> u64 {
        self.durable.load(Ordering::Acquire)
    }

    pub(crate) fn add(&self, segment: Arc<Segment>) {
        self.list
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .push(segment);
    }

    /// Says that entries before `next` are durable; staged groups before it are let go.
    pub(crate) fn advance(&self, next: u64) {
        self.durable.store(next, Ordering::Release);
        let mut staged = self.staged.write().unwrap_or_else(PoisonError::into_inner);
        while staged
            .front()
            .is_some_and(|group| group.next_seq().get() <= next)
        {
            staged.pop_front();
        }
    }

    pub(crate) fn poison(&self) {
        self.poisoned.store(true, Ordering::Release);
    }

    pub(crate) fn is_poisoned(&self) -> bool {
        self.poisoned.load(Ordering::Acquire)
    }

    /// The segments, in order.
    pub(crate) fn list(&self) -> Vec<Arc<Segment>> {
        self.list
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The file of a segment.
    pub(crate) fn file(&self, segment: &Segment) -> Result<OpenFile, IoFault> {
        let file = self.handles.file(segment.first_seq)?;
        file.ok_or_else(|| IoFault {
            action: Action::Open,
            path: self.path(segment),
            source: std::io::ErrorKind::NotFound.into(),
        })
    }

    /// The file of a segment, if it had not got its name when the book was opened, read-only.
    pub(crate) fn unnamed(&self, segment: &Segment) -> Option<&OpenFile> {
        self.handles.unnamed(segment.first_seq)
    }

    fn path(&self, segment: &Segment) -> PathBuf {
        let name = segment::file_name(segment.first_seq);
        self.handles.dir().file_path(&name)
    }

    fn corruption(
        &self,
        segment: &Segment,
        seq: u64,
        offset: u64,
        what: &'static str,
    ) -> Corruption {
        Corruption {
            path: self.path(segment),
            seq,
            offset,
            what,
        }
    }

    fn find(&self, seq: u64) -> Option<Arc<Segment>> {
        let list = self.list.read().unwrap_or_else(PoisonError::into_inner);
        let after = list.partition_point(|segment| segment.first_seq <= seq);
        list.get(after.checked_sub(1)?).cloned()
    }
}

/// Memory for reading entries; keep one and read again and again without allocating.
#[derive(Clone, Debug, Default)]
pub struct EntryBuf {
    bytes: Vec<u8>,
}

/// An entry that was read.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// Its place in the log.
    pub seq: Seq,
    /// Its bytes.
    pub bytes: &'a [u8],
    /// Where the vault keeps its input.
    pub input: Option<VaultRef>,
}

/// Reads entries. Cheap to clone; every thread takes its own.
#[derive(Clone, Debug)]
pub struct Reader {
    pub(crate) segments: Arc<Segments>,
}

impl Reader {
    /// How many entries are durable.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.segments.durable()
    }

    /// Whether the writer has stopped after a failed write.
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        self.segments.is_poisoned()
    }

    /// Lets [`Reader::staged_entry`] find the entries of a group before they are durable. The group is
    /// let go when it has been committed.
    pub fn stage(&self, group: SharedGroup) {
        self.segments
            .staged
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .push_back(group);
    }

    /// Reads a durable entry.
    ///
    /// # Errors
    /// There is no such entry, the disk refused, or the bytes are not what was written.
    pub fn entry<'a>(&self, seq: Seq, buf: &'a mut EntryBuf) -> Result<Entry<'a>, ReadError> {
        let size = self.size();
        let missing = ReadError::NoEntry {
            seq: seq.get(),
            size,
        };
        if seq.get() >= size {
            return Err(missing);
        }
        let Some(segment) = self.segments.find(seq.get()) else {
            return Err(missing);
        };
        let index = seq.get().saturating_sub(segment.first_seq);
        let Some((from, to, skip)) = segment.with_marks(|marks| marks.locate(index)) else {
            return Err(missing);
        };
        let span = segment::span(from, to);
        if buf.bytes.len() < span {
            buf.bytes.resize(span, 0);
        }
        let bytes = buf.bytes.get_mut(..span).unwrap_or(&mut []);
        self.segments.file(&segment)?.read_exact_at(bytes, from)?;
        let mut at = 0_usize;
        for _ in 0..skip {
            let head = bytes
                .get(at..)
                .and_then(|rest| rest.first_chunk::<RECORD_HEADER_BYTES>());
            let header = head.map(RecordHeader::decode);
            at = at.saturating_add(header.map_or(span, |head| to_usize(head.record_bytes())));
        }
        match bytes.get(at..).map(segment::parse) {
            Some(Parsed::Whole(record)) if record.header.seq == seq.get() => Ok(Entry {
                seq,
                bytes: record.entry,
                input: VaultRef::new(record.header.vault_ref),
            }),
            _ => {
                let offset = from.saturating_add(to_u64(at.min(span)));
                let what = "the record's checksum or number is wrong";
                Err(self
                    .segments
                    .corruption(&segment, seq.get(), offset, what)
                    .into())
            }
        }
    }

    /// Reads an entry that is durable or staged. For the sequencer only.
    ///
    /// # Errors
    /// As [`Reader::entry`].
    pub fn staged_entry<'a>(
        &self,
        seq: Seq,
        buf: &'a mut EntryBuf,
    ) -> Result<Entry<'a>, ReadError> {
        if seq.get() >= self.size() {
            // A group that is committed meanwhile leaves the list only after it has become readable.
            let group = {
                let staged = self
                    .segments
                    .staged
                    .read()
                    .unwrap_or_else(PoisonError::into_inner);
                staged
                    .iter()
                    .find(|group| group.entry(seq).is_some())
                    .cloned()
            };
            if let Some((bytes, input)) =
                group.as_deref().and_then(|group| Group::entry(group, seq))
            {
                buf.bytes.clear();
                buf.bytes.extend_from_slice(bytes);
                return Ok(Entry {
                    seq,
                    bytes: &buf.bytes,
                    input,
                });
            }
        }
        self.entry(seq, buf)
    }

    /// Gives the durable entries from `from` up to but not including `to`, in order, to `visit`.
    /// Reads ahead in large pieces. Stops at the first error of `visit`.
    ///
    /// # Errors
    /// As [`Reader::entry`], or what `visit` gives.
    pub fn scan<E: From<ReadError>>(
        &self,
        from: Seq,
        to: Seq,
        mut visit: impl FnMut(Entry<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let size = self.size();
        if to.get() > size {
            return Err(ReadError::NoEntry {
                seq: to.get().saturating_sub(1),
                size,
            }
            .into());
        }
        let mut next = from.get();
        let mut buf = Vec::new();
        while next < to.get() {
            let segment = self
                .segments
                .find(next)
                .ok_or(ReadError::NoEntry { seq: next, size })?;
            next = scan_segment(
                &self.segments,
                &segment,
                next..to.get(),
                &mut buf,
                &mut visit,
            )?;
        }
        Ok(())
    }

    /// The first durable entry whose time is at or after a given one, or the size of the book when
    /// all are earlier. `is_before` says of an entry's bytes whether its time is earlier; times are
    /// strictly increasing, so about as many entries are read as the size has binary digits.
    ///
    /// # Errors
    /// As [`Reader::entry`], or what `is_before` gives.
    pub fn first_at(
        &self,
        mut is_before: impl FnMut(&[u8]) -> Result<bool, FoldFault>,
    ) -> Result<Seq, ReadError> {
        let mut buf = EntryBuf::default();
        let (mut low, mut high) = (0_u64, self.size());
        while low < high {
            let middle = low.midpoint(high);
            let entry = self.entry(Seq(middle), &mut buf)?;
            let before =
                is_before(entry.bytes).map_err(|fault| ReadError::Fold { seq: middle, fault })?;
            if before {
                low = middle.saturating_add(1);
            } else {
                high = middle;
            }
        }
        Ok(Seq(low))
    }
}

/// Visits those entries of a range that are in one segment; gives the seq after the last one visited.
fn scan_segment<E: From<ReadError>>(
    segments: &Segments,
    segment: &Segment,
    range: Range<u64>,
    buf: &mut Vec<u8>,
    visit: &mut impl FnMut(Entry<'_>) -> Result<(), E>,
) -> Result<u64, E> {
    let Range {
        start: mut next,
        end: to,
    } = range;
    let file = segments.file(segment).map_err(ReadError::from)?;
    let index = next.saturating_sub(segment.first_seq);
    let (located, end) = segment.with_marks(|marks| (marks.locate(index), marks.end));
    let Some((mut offset, _, skip)) = located else {
        return Err(ReadError::NoEntry {
            seq: next,
            size: next,
        }
        .into());
    };
    let mut number = next.saturating_sub(skip);
    while number < to && offset < end {
        let span = segment::span(offset, end).min(SCAN_BYTES);
        buf.resize(span, 0);
        file.read_exact_at(buf, offset).map_err(ReadError::from)?;
        let mut at = 0_usize;
        while number < to {
            let Some(rest) = buf.get(at..).filter(|rest| !rest.is_empty()) else {
                break;
            };
            match segment::parse(rest) {
                Parsed::Whole(record) if record.header.seq == number => {
                    if number >= next {
                        visit(Entry {
                            seq: Seq(number),
                            bytes: record.entry,
                            input: VaultRef::new(record.header.vault_ref),
                        })?;
                        next = number.saturating_add(1);
                    }
                    number = number.saturating_add(1);
                    at = at.saturating_add(to_usize(record.header.record_bytes()));
                }
                // The rest of the record is in the next piece, unless this one reached the end.
                Parsed::Short if at > 0 && span == SCAN_BYTES => break,
                _ => {
                    let offset = offset.saturating_add(to_u64(at));
                    let what = "the record's checksum or number is wrong";
                    let found = segments.corruption(segment, number, offset, what);
                    return Err(ReadError::from(found).into());
                }
            }
        }
        offset = offset.saturating_add(to_u64(at));
    }
    Ok(next)
}
