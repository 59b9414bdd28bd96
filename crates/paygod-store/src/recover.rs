//! What the segments hold when a book is opened: the torn tail of the last group is cut, anything else
//! that is inconsistent is refused with the entry at which it was found.
//!
//! The last segment is read whole. Earlier segments are trusted to their ends as their offsets files
//! and the next segment's name say them; their records are checked when they are read, and all at once
//! by [`crate::Book::scrub`].
//!
//! Opened for writing, the last group, with the header if it is the first, and the zeros after it are written and flushed
//! once more: after a failed flush the operating system may show bytes that are not on the disk. Opened for reading beside a
//! writer, the last segment is flushed before anything is shown.

use std::path::PathBuf;
use std::sync::Arc;

use crate::disk::{Access, Dir, OpenFile};
use crate::error::{Corruption, IoFault, OpenError};
use crate::handles::Handles;
use crate::marks;
use crate::prefill::NEXT_NAME;
use crate::reader::{Marks, Segment, Segments};
use crate::segment::{
    self, BookId, HEADER_BYTES, Header, HeaderFault, Parsed, RECORD_BYTES_MAX, VERSION,
};
use crate::width::{to_u64, to_usize};
use crate::writer::SEGMENT_BYTES_MAX;

/// How much is read at once, in bytes.
const PIECE_BYTES: usize = 4 << 20;

const _: () = assert!(PIECE_BYTES > 2 * RECORD_BYTES_MAX);

/// What the segments hold.
pub(crate) struct Recovered {
    pub(crate) segments: Arc<Segments>,
    /// The last segment; `None` only in a book opened read-only before its first segment was made.
    pub(crate) active: Option<Arc<Segment>>,
    /// How many bytes of unacknowledged records were cut.
    pub(crate) cut_bytes: u64,
}

/// Finds out what the segments hold: at least so many entries, or nothing is changed of what is there.
pub(crate) fn recover(
    dir: &Dir,
    book: BookId,
    at_least: u64,
    write: bool,
) -> Result<Recovered, OpenError> {
    let names = dir.list()?;
    let mut firsts: Vec<(u64, String)> = names
        .into_iter()
        .filter_map(|name| Some((segment::first_seq_of(&name)?, name)))
        .collect();
    let access = if write { Access::Write } else { Access::Read };
    // A copy of a folder that lived may hold an early state of a segment that has got its name since.
    let last_named = firsts.last().map(|(first_seq, _)| *first_seq);
    let mut unnamed = begun_without_name(dir, &book, access)?
        .filter(|(first_seq, _)| last_named.is_none_or(|last| last < *first_seq));
    if let Some((first_seq, _)) = &unnamed {
        firsts.push((*first_seq, segment::file_name(*first_seq)));
    }
    let mut list = Vec::with_capacity(firsts.len());
    let mut cut_bytes = 0;
    let mut expected = 0_u64;
    for (index, (first_seq, name)) in firsts.iter().enumerate() {
        let first_seq = *first_seq;
        if first_seq != expected {
            let what = "a segment is missing before this one";
            return Err(corruption(dir.file_path(name), expected, 0, what));
        }
        let file = match &unnamed {
            Some((first, file)) if *first == first_seq => file.clone(),
            _ => dir.open(name, access)?,
        };
        check_header(&file, &book, first_seq)?;
        let following = firsts.get(index.saturating_add(1));
        let marks = match following {
            Some((next, _)) => sealed_marks(dir, &file, &book, first_seq..*next, write)?,
            None => {
                let header = Header { book, first_seq };
                let (marks, cut) = last_marks(&file, &header, at_least, write)?;
                cut_bytes = cut;
                marks
            }
        };
        expected = first_seq.saturating_add(marks.count);
        list.push(Arc::new(Segment::new(first_seq, marks)));
    }
    if write && let Some((first_seq, _)) = unnamed.take() {
        // Its name is durable once its bytes are.
        dir.rename(NEXT_NAME, &segment::file_name(first_seq))?;
        dir.sync()?;
    }
    let active = list.last().cloned();
    let handles = Handles::new(dir.clone(), Access::Read, segment::file_name, unnamed);
    let segments = Arc::new(Segments::new(handles, book, list, expected));
    Ok(Recovered {
        segments,
        active,
        cut_bytes,
    })
}

/// A segment that was begun and has not got its name yet, or whose name a crash has lost: its header is
/// there. Gives its first seq.
fn begun_without_name(
    dir: &Dir,
    book: &BookId,
    access: Access,
) -> Result<Option<(u64, OpenFile)>, IoFault> {
    let Some(file) = dir.open_if_present(NEXT_NAME, access)? else {
        return Ok(None);
    };
    let mut head = [0_u8; 40];
    let found = file.read_at(&mut head, 0)?;
    let header = Header::decode(head.get(..found).unwrap_or(&[])).ok();
    Ok(header
        .filter(|header| header.book == *book)
        .map(|header| (header.first_seq, file)))
}

fn check_header(file: &OpenFile, book: &BookId, first_seq: u64) -> Result<(), OpenError> {
    let mut head = [0_u8; 40];
    let found = file.read_at(&mut head, 0)?;
    let path = || file.path().to_path_buf();
    match Header::decode(head.get(..found).unwrap_or(&[])) {
        Ok(header) if header.book != *book => Err(corruption(
            path(),
            first_seq,
            0,
            "the segment belongs to another book",
        )),
        Ok(header) if header.first_seq != first_seq => Err(corruption(
            path(),
            first_seq,
            0,
            "the segment begins with another entry than its name says",
        )),
        Ok(_) => Ok(()),
        Err(HeaderFault::NotASegment) => Err(corruption(
            path(),
            first_seq,
            0,
            "the header is not that of a segment",
        )),
        Err(HeaderFault::Checksum) => Err(corruption(
            path(),
            first_seq,
            0,
            "the header's checksum is wrong",
        )),
        Err(HeaderFault::Version(found)) => Err(OpenError::Version {
            path: path(),
            found,
            supported: VERSION,
        }),
    }
}

/// The offsets of a segment that another follows: all its entries must be there.
fn sealed_marks(
    dir: &Dir,
    file: &OpenFile,
    book: &BookId,
    range: std::ops::Range<u64>,
    write: bool,
) -> Result<Marks, OpenError> {
    let count = range.end.saturating_sub(range.start);
    let len = file.len()?;
    if let Some(marks) = marks::read(dir, book, range.start)?
        && marks.count == count
        && marks.end <= len
    {
        return Ok(marks);
    }
    let walked = walk(file, range.start, len)?;
    let seq = range.start.saturating_add(walked.marks.count);
    if walked.marks.count != count {
        let what = "the record's checksum or number is wrong";
        return Err(corruption(
            file.path().to_path_buf(),
            seq,
            walked.marks.end,
            what,
        ));
    }
    if write {
        marks::write(dir, book, range.start, &walked.marks)?;
    }
    Ok(walked.marks)
}

/// How often the last segment is looked at again when it seems damaged while another process may be
/// writing to it.
const LOOKS_MAX: u32 = 8;

/// The offsets of the last segment, its torn tail cut, and how many bytes of records were cut.
fn last_marks(
    file: &OpenFile,
    header: &Header,
    at_least: u64,
    write: bool,
) -> Result<(Marks, u64), OpenError> {
    let first_seq = header.first_seq;
    let mut looks = if write { 1 } else { LOOKS_MAX };
    loop {
        let len = file.len()?;
        let walked = walk(file, first_seq, len)?;
        let end = walked.marks.end;
        let dirty_end = last_nonzero(file, end, len)?;
        let cut = dirty_end.saturating_sub(end);
        looks = looks.saturating_sub(1);
        if cut > 0 {
            let mut tail = vec![0_u8; to_usize(cut)];
            file.read_exact_at(&mut tail, end)?;
            let seq = first_seq.saturating_add(walked.marks.count);
            // Read-only, another process may have written on since: what was walked is a whole beginning then.
            let has_grown = !write
                && matches!(segment::parse(&tail), Parsed::Whole(record) if record.header.seq == seq);
            if !has_grown && segment::later_group_in(&tail, seq).is_some() {
                // Read-only, the writer may have written between the two readings.
                if looks > 0 {
                    continue;
                }
                // INVARIANT(append-only): a later group was written, so this one was acknowledged.
                let what =
                    "the record's checksum or number is wrong, and acknowledged entries follow";
                return Err(corruption(file.path().to_path_buf(), seq, end, what));
            }
        }
        if write {
            let found = first_seq.saturating_add(walked.marks.count);
            if found < at_least {
                // What a checkpoint covers was acknowledged: what is damaged of it is evidence, and may yet be mended.
                return Err(OpenError::BehindCheckpoint {
                    checkpoint: at_least,
                    found,
                });
            }
            if walked.last_group == HEADER_BYTES {
                // The header was flushed with the first group.
                file.write_at(&header.encode(), 0)?;
            }
            rewrite_tail(file, walked.last_group, end, dirty_end)?;
        } else {
            // INVARIANT(durable-first): what another process has just written may not be on the disk yet.
            file.sync_read()?;
        }
        return Ok((walked.marks, cut));
    }
}

/// Writes the last group again, zeros after it, and flushes: what is then shown is on the disk.
/// Without the zeros, rests of the torn group could later stand right behind a new record and pass
/// for its successors.
fn rewrite_tail(file: &OpenFile, from: u64, end: u64, dirty_end: u64) -> Result<(), IoFault> {
    let mut group = vec![0_u8; segment::span(from, end)];
    file.read_exact_at(&mut group, from)?;
    group.resize(segment::span(from, dirty_end.max(end)), 0);
    if !group.is_empty() {
        file.write_at(&group, from)?;
    }
    file.sync()
}

/// Where the last byte that is not zero ends, at or after `from`.
pub(crate) fn last_nonzero(file: &OpenFile, from: u64, len: u64) -> Result<u64, IoFault> {
    let mut buf = vec![0_u8; PIECE_BYTES.min(segment::span(from, len))];
    let mut last = from;
    let mut offset = from;
    while offset < len {
        let found = file.read_at(&mut buf, offset)?;
        if found == 0 {
            break;
        }
        let piece = buf.get(..found).unwrap_or(&buf);
        if let Some(at) = piece.iter().rposition(|byte| *byte != 0) {
            last = offset.saturating_add(to_u64(at)).saturating_add(1);
        }
        offset = offset.saturating_add(to_u64(found));
    }
    Ok(last)
}

struct Walked {
    marks: Marks,
    /// Where the last group begins.
    last_group: u64,
}

/// Reads records as long as they are whole, numbered and grouped as they must be.
fn walk(file: &OpenFile, first_seq: u64, len: u64) -> Result<Walked, OpenError> {
    if len > SEGMENT_BYTES_MAX {
        let what = "the segment is longer than the format allows";
        return Err(corruption(
            file.path().to_path_buf(),
            first_seq,
            SEGMENT_BYTES_MAX,
            what,
        ));
    }
    let mut walked = Walked {
        marks: Marks::empty(),
        last_group: HEADER_BYTES,
    };
    let mut place = 0_u16;
    let mut buf = Vec::new();
    loop {
        let start = walked.marks.end;
        let span = segment::span(start, len).min(PIECE_BYTES);
        buf.resize(span, 0);
        let found = file.read_at(&mut buf, start)?;
        let piece = buf.get(..found).unwrap_or(&buf);
        let mut at = 0_usize;
        while let Some(Parsed::Whole(record)) = piece.get(at..).map(segment::parse) {
            let header = record.header;
            let seq = first_seq.saturating_add(walked.marks.count);
            let in_order = header.place == 0 || (header.place == place && walked.marks.count > 0);
            if header.seq != seq || !in_order {
                return Ok(walked);
            }
            if header.place == 0 {
                walked.last_group = walked.marks.end;
            }
            place = header.place.saturating_add(1);
            walked.marks.push(header.record_bytes());
            at = at.saturating_add(to_usize(header.record_bytes()));
        }
        // Short of a record by the end of the piece is not short by the end of the file.
        let stopped_early = at.saturating_add(RECORD_BYTES_MAX) <= found;
        if at == 0 || stopped_early || found < PIECE_BYTES {
            return Ok(walked);
        }
    }
}

fn corruption(path: PathBuf, seq: u64, offset: u64, what: &'static str) -> OpenError {
    Corruption {
        path,
        seq,
        offset,
        what,
    }
    .into()
}
