//! The file of a run: a page of head, then pages that begin with the checksum of what follows in them.
//!
//! Written once, page by page, in the order of its pages; it has its name only once it is whole and durable. What a page
//! holds is the run's own.

use crate::disk::{Access, Dir, OpenFile, PAGE_BYTES};
use crate::error::IoFault;
use crate::segment::BookId;
use crate::tiers::{Extent, UNFINISHED_MERGE_NAME, UNFINISHED_NAME, seqs_of};
use crate::width::{to_u64, u32_at, u64_at};

/// Length of a page's checksum.
pub(crate) const CRC_BYTES: usize = 4;

/// How many pages are written at once, and after how many pieces they are flushed, so that no long flush stands in the
/// way of a commit's.
const PIECE_PAGES: usize = 64;
const FLUSH_PIECES: u64 = 16;

/// Length of what the first page says.
const HEAD_BYTES: usize = 56;

/// Reads what a file's first page says: what the run covers, and its count, of which `pages_of` tells how many pages it
/// fills. `None` when the file is unfinished, of another kind, or another book's.
pub(crate) fn read_head(
    name: &str,
    file: &OpenFile,
    magic: &[u8; 8],
    book: &BookId,
    pages_of: impl Fn(u64) -> u64,
) -> Result<Option<(Extent, u64)>, IoFault> {
    let mut head = [0_u8; HEAD_BYTES];
    if file.read_at(&mut head, 0)? != HEAD_BYTES {
        return Ok(None);
    }
    let Some((extent, count)) = decode_head(&head, magic, book) else {
        return Ok(None);
    };
    let is_whole =
        file.len()? == page_offset(pages_of(count)) && seqs_of(name).as_ref() == Some(&extent.seqs);
    Ok(is_whole.then_some((extent, count)))
}

/// Where a page begins; the first after the head is 0.
pub(crate) fn page_offset(page: u64) -> u64 {
    page.saturating_add(1).saturating_mul(to_u64(PAGE_BYTES))
}

/// Whether a page has the checksum that it begins with.
pub(crate) fn is_whole(page: &[u8]) -> bool {
    u32_at(page, 0) == page.get(CRC_BYTES..).map(crc32c::crc32c)
}

/// The file of a run that is being written.
pub(crate) struct RunFile<'a> {
    dir: &'a Dir,
    book: &'a BookId,
    unfinished: &'static str,
    extent: Extent,
    file: OpenFile,
    piece: Vec<u8>,
    offset: u64,
    pieces: u64,
}

impl<'a> RunFile<'a> {
    pub(crate) fn begin(dir: &'a Dir, book: &'a BookId, extent: Extent) -> Result<Self, IoFault> {
        Self::begin_as(UNFINISHED_NAME, dir, book, extent)
    }

    /// Begins a merged run's; a first run may be written while it is under way.
    pub(crate) fn begin_merge(
        dir: &'a Dir,
        book: &'a BookId,
        extent: Extent,
    ) -> Result<Self, IoFault> {
        Self::begin_as(UNFINISHED_MERGE_NAME, dir, book, extent)
    }

    fn begin_as(
        unfinished: &'static str,
        dir: &'a Dir,
        book: &'a BookId,
        extent: Extent,
    ) -> Result<Self, IoFault> {
        Ok(Self {
            file: dir.open(unfinished, Access::CreateAnew)?,
            dir,
            book,
            unfinished,
            extent,
            piece: Vec::with_capacity(PAGE_BYTES.saturating_mul(PIECE_PAGES)),
            offset: to_u64(PAGE_BYTES),
            pieces: 0,
        })
    }

    /// The first entry that the run covers.
    pub(crate) const fn first_seq(&self) -> u64 {
        self.extent.seqs.start
    }

    /// Writes a page, which has room for its checksum in front: fills it up with zeros, and empties it.
    pub(crate) fn push(&mut self, page: &mut Vec<u8>) -> Result<(), IoFault> {
        page.resize(PAGE_BYTES, 0);
        let crc = crc32c::crc32c(page.get(CRC_BYTES..).unwrap_or(&[]));
        if let Some(slot) = page.first_chunk_mut::<CRC_BYTES>() {
            *slot = crc.to_le_bytes();
        }
        self.piece.extend_from_slice(page);
        page.clear();
        if self.piece.len() >= PAGE_BYTES.saturating_mul(PIECE_PAGES) {
            self.write_piece()?;
        }
        Ok(())
    }

    fn write_piece(&mut self) -> Result<(), IoFault> {
        self.file.write_at(&self.piece, self.offset)?;
        self.offset = self.offset.saturating_add(to_u64(self.piece.len()));
        self.piece.clear();
        self.pieces = self.pieces.saturating_add(1);
        if self.pieces.is_multiple_of(FLUSH_PIECES) {
            self.file.sync()?;
        }
        Ok(())
    }

    /// Makes the run durable, then visible; gives what it covers and its file, to read from.
    pub(crate) fn finish(
        mut self,
        magic: &[u8; 8],
        count: u64,
    ) -> Result<(Extent, OpenFile), IoFault> {
        self.write_piece()?;
        let mut head = encode_head(magic, &self.extent, count, self.book);
        head.resize(PAGE_BYTES, 0);
        self.file.write_at(&head, 0)?;
        self.file.sync()?;
        let name = self.extent.file_name();
        self.dir.rename(self.unfinished, &name)?;
        self.dir.sync()?;
        let file = self.dir.open(&name, Access::Read)?;
        Ok((self.extent, file))
    }
}

/// `magic 8 | crc32c u32 over what follows | book 16 | first seq u64 | end seq u64 | count u64 | level u32`
fn encode_head(magic: &[u8; 8], extent: &Extent, count: u64, book: &BookId) -> Vec<u8> {
    let mut body = Vec::with_capacity(HEAD_BYTES);
    body.extend_from_slice(book);
    for number in [extent.seqs.start, extent.seqs.end, count] {
        body.extend_from_slice(&number.to_le_bytes());
    }
    body.extend_from_slice(&extent.level.to_le_bytes());
    let mut head = magic.to_vec();
    head.extend_from_slice(&crc32c::crc32c(&body).to_le_bytes());
    head.extend_from_slice(&body);
    head
}

/// What a run covers and its count, if the head is whole, of this kind and this book's.
fn decode_head(head: &[u8; HEAD_BYTES], magic: &[u8; 8], book: &BookId) -> Option<(Extent, u64)> {
    let body = head.get(12..)?;
    let right = head.get(..8)? == magic
        && u32_at(head, 8)? == crc32c::crc32c(body)
        && body.get(..16)? == book;
    let seqs = u64_at(body, 16)?..u64_at(body, 24)?;
    right.then_some((
        Extent {
            seqs,
            level: u32_at(body, 40)?,
        },
        u64_at(body, 32)?,
    ))
}
