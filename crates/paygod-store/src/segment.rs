//! The format of a segment: a header, then records, each one entry with its checksum.
//!
//! INVARIANT(append-only): a record, once acknowledged, never changes; with the page that it ends in it is
//! written again, as the same bytes. What follows the last record of a segment is zeros or the end of the file.
//!
//! A record says its own `seq` and its place within its group. A group is flushed before the next is
//! written, so a whole record of a *later* group proves that everything before that group was
//! acknowledged: that tells a torn tail (cut) from damage in the middle (refused).
//!
//! It knows nothing of what an entry means.

use paygod_types::limits::ENTRY_BYTES_MAX;

use crate::disk::PAGE_BYTES;
use crate::width::{to_u64, to_usize, u32_at, u64_at};

/// First bytes of a segment file.
pub(crate) const MAGIC: [u8; 8] = *b"PGSEG\r\n\0";

/// Format of a segment file.
pub(crate) const VERSION: u32 = 1;

/// Length of a segment's header, in bytes: one page, so that records begin on a page of their own.
pub(crate) const HEADER_BYTES: u64 = to_u64(PAGE_BYTES);

/// Length of what precedes an entry in its record, in bytes.
pub(crate) const RECORD_HEADER_BYTES: usize = 24;

/// Longest record, in bytes.
pub(crate) const RECORD_BYTES_MAX: usize = RECORD_HEADER_BYTES + ENTRY_BYTES_MAX;

/// What identifies a book: drawn once, when it is made; every file of the book carries it.
pub type BookId = [u8; 16];

/// The header of a segment.
pub(crate) struct Header {
    pub(crate) book: BookId,
    pub(crate) first_seq: u64,
}

impl Header {
    /// magic 8 | version u32 | crc u32 over what follows | book 16 | first seq u64
    pub(crate) fn encode(&self) -> [u8; 40] {
        let mut body = [0_u8; 24];
        let (book, seq) = body.split_at_mut(16);
        book.copy_from_slice(&self.book);
        seq.copy_from_slice(&self.first_seq.to_le_bytes());
        let mut out = [0_u8; 40];
        let (magic, rest) = out.split_at_mut(8);
        magic.copy_from_slice(&MAGIC);
        let (version, rest) = rest.split_at_mut(4);
        version.copy_from_slice(&VERSION.to_le_bytes());
        let (crc, rest) = rest.split_at_mut(4);
        crc.copy_from_slice(&crc32c::crc32c(&body).to_le_bytes());
        rest.copy_from_slice(&body);
        out
    }

    /// Reads a header; says what is wrong with it.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, HeaderFault> {
        if bytes.get(..8) != Some(MAGIC.as_slice()) {
            return Err(HeaderFault::NotASegment);
        }
        let version = u32_at(bytes, 8).ok_or(HeaderFault::NotASegment)?;
        if version != VERSION {
            return Err(HeaderFault::Version(version));
        }
        let crc = u32_at(bytes, 12).ok_or(HeaderFault::NotASegment)?;
        let body = bytes.get(16..40).ok_or(HeaderFault::NotASegment)?;
        if crc32c::crc32c(body) != crc {
            return Err(HeaderFault::Checksum);
        }
        let book = body.first_chunk::<16>().ok_or(HeaderFault::NotASegment)?;
        let first_seq = u64_at(body, 16).ok_or(HeaderFault::NotASegment)?;
        Ok(Self {
            book: *book,
            first_seq,
        })
    }
}

/// What is wrong with a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeaderFault {
    NotASegment,
    Version(u32),
    Checksum,
}

/// What precedes an entry: `len u16 | place in the group u16 | crc32c u32 | seq u64 | vault_ref u64`,
/// little-endian; the checksum covers everything else of the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RecordHeader {
    pub(crate) len: u16,
    pub(crate) place: u16,
    pub(crate) crc: u32,
    pub(crate) seq: u64,
    pub(crate) vault_ref: u64,
}

impl RecordHeader {
    pub(crate) fn encode(&self) -> [u8; RECORD_HEADER_BYTES] {
        let [a, b] = self.len.to_le_bytes();
        let [c, d] = self.place.to_le_bytes();
        let mut out = [0_u8; RECORD_HEADER_BYTES];
        let (head, rest) = out.split_at_mut(4);
        head.copy_from_slice(&[a, b, c, d]);
        let (crc, rest) = rest.split_at_mut(4);
        crc.copy_from_slice(&self.crc.to_le_bytes());
        let (seq, vault_ref) = rest.split_at_mut(8);
        seq.copy_from_slice(&self.seq.to_le_bytes());
        vault_ref.copy_from_slice(&self.vault_ref.to_le_bytes());
        out
    }

    pub(crate) fn decode(bytes: &[u8; RECORD_HEADER_BYTES]) -> Self {
        let [l0, l1, p0, p1, c0, c1, c2, c3, rest @ ..] = *bytes;
        let [s0, s1, s2, s3, s4, s5, s6, s7, vault_ref @ ..] = rest;
        Self {
            len: u16::from_le_bytes([l0, l1]),
            place: u16::from_le_bytes([p0, p1]),
            crc: u32::from_le_bytes([c0, c1, c2, c3]),
            seq: u64::from_le_bytes([s0, s1, s2, s3, s4, s5, s6, s7]),
            vault_ref: u64::from_le_bytes(vault_ref),
        }
    }

    /// The checksum of a record with this header (whatever its `crc` says) and this entry.
    pub(crate) fn checksum(&self, entry: &[u8]) -> u32 {
        let [a, b] = self.len.to_le_bytes();
        let [c, d] = self.place.to_le_bytes();
        let mut head = [0_u8; 20];
        let (small, rest) = head.split_at_mut(4);
        small.copy_from_slice(&[a, b, c, d]);
        let (seq, vault_ref) = rest.split_at_mut(8);
        seq.copy_from_slice(&self.seq.to_le_bytes());
        vault_ref.copy_from_slice(&self.vault_ref.to_le_bytes());
        crc32c::crc32c_append(crc32c::crc32c(&head), entry)
    }

    /// Length of the whole record in bytes.
    pub(crate) fn record_bytes(&self) -> u64 {
        to_u64(RECORD_HEADER_BYTES).saturating_add(u64::from(self.len))
    }
}

/// A record found in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'a> {
    pub(crate) header: RecordHeader,
    pub(crate) entry: &'a [u8],
}

/// What stands at some place of a segment.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Parsed<'a> {
    /// A whole record with a right checksum.
    Whole(Record<'a>),
    /// The bytes end before the record does; more must be read, if the file has more.
    Short,
    /// No record begins here: zeros.
    Blank,
    /// Neither a record nor zeros.
    Damaged,
}

/// Looks at the record that begins `bytes`.
pub(crate) fn parse(bytes: &[u8]) -> Parsed<'_> {
    let Some(head) = bytes.first_chunk::<RECORD_HEADER_BYTES>() else {
        return if bytes.iter().all(|byte| *byte == 0) {
            Parsed::Blank
        } else {
            Parsed::Short
        };
    };
    if *head == [0; RECORD_HEADER_BYTES] {
        return Parsed::Blank;
    }
    let header = RecordHeader::decode(head);
    if header.len == 0 {
        return Parsed::Damaged;
    }
    let end = RECORD_HEADER_BYTES.saturating_add(usize::from(header.len));
    let Some(entry) = bytes.get(RECORD_HEADER_BYTES..end) else {
        return Parsed::Short;
    };
    if header.checksum(entry) != header.crc {
        return Parsed::Damaged;
    }
    Parsed::Whole(Record { header, entry })
}

/// Looks in `tail`, which begins where record `expected` should stand, for a whole record of a group
/// that began after `expected`. Such a record proves that `expected` had been acknowledged.
pub(crate) fn later_group_in(tail: &[u8], expected: u64) -> Option<u64> {
    // No more records fit in the tail than this, so no whole record of it has a higher seq.
    let beyond = expected.saturating_add(to_u64(tail.len()));
    let mut at = 0_usize;
    while let Some(rest) = tail.get(at..) {
        let Some(head) = rest.first_chunk::<RECORD_HEADER_BYTES>() else {
            break;
        };
        let header = RecordHeader::decode(head);
        let group = header.seq.checked_sub(u64::from(header.place));
        let plausible = header.len > 0
            && header.seq > expected
            && header.seq < beyond
            && group.is_some_and(|first| first > expected);
        if plausible && let Parsed::Whole(record) = parse(rest) {
            return Some(record.header.seq);
        }
        at = at.saturating_add(1);
    }
    None
}

/// The file name of the segment that begins with `first_seq`.
pub(crate) fn file_name(first_seq: u64) -> String {
    format!("{first_seq:020}.seg")
}

/// The first seq that a segment's file name says.
pub(crate) fn first_seq_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".seg")?;
    if digits.len() != 20 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

/// Where in a file a record may be, as a length in memory.
pub(crate) fn span(from: u64, to: u64) -> usize {
    to_usize(to.saturating_sub(from))
}
