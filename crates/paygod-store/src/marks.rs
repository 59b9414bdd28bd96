//! The offsets of a sealed segment's records, kept beside it so that opening the book does not read
//! every segment. Disposable: made anew by reading the segment.
//!
//! `magic 8 | crc32c u32 | stride u32 | book 16 | first seq u64 | count u64 | end u64 | offsets u32…`

use crate::disk::{Access, Dir};
use crate::error::IoFault;
use crate::reader::{Marks, STRIDE};
use crate::segment::BookId;
use crate::width::{to_u64, u32_at, u64_at};

const MAGIC: [u8; 8] = *b"PGMARK\r\n";
const HEAD_BYTES: usize = 56;

/// Longest file of offsets, in bytes: that of a segment full of the shortest records.
const BYTES_MAX: u64 = 1 << 28;

fn file_name(first_seq: u64) -> String {
    format!("{first_seq:020}.marks")
}

/// Writes the offsets. Not flushed: a torn file is noticed and made anew.
pub(crate) fn write(
    dir: &Dir,
    book: &BookId,
    first_seq: u64,
    marks: &Marks,
) -> Result<(), IoFault> {
    let mut body =
        Vec::with_capacity(HEAD_BYTES.saturating_add(marks.offsets.len().saturating_mul(4)));
    body.extend_from_slice(&u32::try_from(STRIDE).unwrap_or(0).to_le_bytes());
    body.extend_from_slice(book);
    for number in [first_seq, marks.count, marks.end] {
        body.extend_from_slice(&number.to_le_bytes());
    }
    for offset in &marks.offsets {
        body.extend_from_slice(&offset.to_le_bytes());
    }
    let file = dir.open(&file_name(first_seq), Access::CreateAnew)?;
    file.write_at(&MAGIC, 0)?;
    file.write_at(&crc32c::crc32c(&body).to_le_bytes(), 8)?;
    file.write_at(&body, 12)
}

/// Reads the offsets; `None` when the file is missing, damaged or another segment's.
pub(crate) fn read(dir: &Dir, book: &BookId, first_seq: u64) -> Result<Option<Marks>, IoFault> {
    let Some(bytes) = dir.read_whole(&file_name(first_seq), BYTES_MAX)? else {
        return Ok(None);
    };
    Ok(decode(&bytes, book, first_seq))
}

fn decode(bytes: &[u8], book: &BookId, first_seq: u64) -> Option<Marks> {
    let body = bytes.get(12..)?;
    if bytes.get(..8)? != MAGIC || u32_at(bytes, 8)? != crc32c::crc32c(body) {
        return None;
    }
    if u64::from(u32_at(body, 0)?) != STRIDE || body.get(4..20)? != book {
        return None;
    }
    let (count, end) = (u64_at(body, 28)?, u64_at(body, 36)?);
    let (words, rest) = body.get(44..)?.as_chunks::<4>();
    let whole = rest.is_empty() && to_u64(words.len()) == count.div_ceil(STRIDE);
    if u64_at(body, 20)? != first_seq || !whole {
        return None;
    }
    let offsets = words.iter().map(|word| u32::from_le_bytes(*word)).collect();
    Some(Marks {
        offsets,
        count,
        end,
    })
}
