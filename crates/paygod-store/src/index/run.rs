//! A run: keys in order of (hash, seq), in a file that is written once.
//!
//! A page of header, then pages of keys: `crc32c u32`, then 341 times `hash u64 | seq − first seq u32`.
//! The last page is filled up with zeros. The first hash of each page is kept in memory (a fifth of a
//! bit a key), so that finding a key is one read of one page.
//!
//! A run says which entries it covers: `[first_seq, end_seq)`, with or without keys.

use std::ops::Range;

use crate::disk::{Access, Dir, OpenFile, PAGE_BYTES};
use crate::error::{DerivedError, IoFault};
use crate::run_file::{CRC_BYTES, RunFile, is_whole, page_offset, read_head};
use crate::segment::BookId;
use crate::tiers::{Extent, Tiered, seqs_of};
use crate::width::{to_u64, to_usize};

const KEY_BYTES: usize = 12;
const KEYS_PER_PAGE: usize = (PAGE_BYTES - CRC_BYTES) / KEY_BYTES;
const MAGIC: [u8; 8] = *b"PGRUN\r\n\x01";

/// How many pages are read at once, of a run that is opened and of each that is merged.
const READ_PAGES: usize = 16;

/// A key and the entry that it stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) hash: u64,
    pub(crate) seq: u64,
}

/// A run, open for reading.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) extent: Extent,
    pub(crate) count: u64,
    file: OpenFile,
    /// The first hash of each page.
    fences: Vec<u64>,
}

impl Tiered for Run {
    fn extent(&self) -> &Extent {
        &self.extent
    }
}

impl Run {
    /// Opens a run and gives every hash to `visit`, in order. `None` when the file is damaged,
    /// unfinished or another book's.
    pub(crate) fn open(
        name: &str,
        file: OpenFile,
        book: &BookId,
        mut visit: impl FnMut(u64),
    ) -> Result<Option<Self>, IoFault> {
        let Some((extent, count)) = read_head(name, &file, &MAGIC, book, pages_of)? else {
            return Ok(None);
        };
        let mut run = Self {
            extent,
            count,
            file,
            fences: Vec::new(),
        };
        let mut fences = Vec::with_capacity(to_usize(pages_of(count)));
        let mut cursor = Cursor::new(&run);
        for at in 0.. {
            let Ok(key) = cursor.advance() else {
                return Ok(None);
            };
            let Some(Key { hash, .. }) = key else {
                break;
            };
            if at % KEYS_PER_PAGE == 0 {
                fences.push(hash);
            }
            visit(hash);
        }
        run.fences = fences;
        Ok(Some(run))
    }

    fn decode(&self, key: &[u8; KEY_BYTES]) -> Key {
        Key {
            hash: decode_hash(key),
            seq: self.extent.seqs.start.saturating_add(decode_delta(key)),
        }
    }

    /// How many keys a page holds.
    fn keys_in(&self, page: u64) -> usize {
        let before = page.saturating_mul(to_u64(KEYS_PER_PAGE));
        to_usize(self.count.saturating_sub(before)).min(KEYS_PER_PAGE)
    }

    /// The last page that can hold a hash.
    pub(crate) fn last_page_of(&self, hash: u64) -> Option<u64> {
        let after = self.fences.partition_point(|fence| *fence <= hash);
        after.checked_sub(1).map(to_u64)
    }

    /// Appends the seqs of a hash in a page to `out`, oldest first. Says whether the page before may
    /// hold more of them.
    pub(crate) fn seqs_in(
        &self,
        page: u64,
        hash: u64,
        out: &mut Vec<u64>,
    ) -> Result<bool, DerivedError> {
        let mut bytes = [0_u8; PAGE_BYTES];
        let keys = self.keys(page, &mut bytes)?;
        let from = keys.partition_point(|key| decode_hash(key) < hash);
        let hits = keys.get(from..).unwrap_or(&[]);
        for key in hits.iter().take_while(|key| decode_hash(key) == hash) {
            out.push(self.decode(key).seq);
        }
        Ok(from == 0)
    }

    /// Appends the seqs of a hash from `from` on to `out`, oldest first, until it holds `most`.
    pub(crate) fn seqs_from(
        &self,
        hash: u64,
        from: u64,
        most: usize,
        out: &mut Vec<u64>,
    ) -> Result<(), DerivedError> {
        let Some(last) = self.last_page_of(hash) else {
            return Ok(());
        };
        let sought = Key { hash, seq: from };
        let mut bytes = [0_u8; PAGE_BYTES];
        // The first page whose last key is not before the one sought.
        let before = self.fences.partition_point(|fence| *fence < hash);
        let (mut low, mut high) = (to_u64(before.saturating_sub(1)), last);
        while low < high {
            let middle = low.midpoint(high);
            let end = self
                .keys(middle, &mut bytes)?
                .last()
                .map(|key| self.decode(key));
            if end.is_some_and(|end| end < sought) {
                low = middle.saturating_add(1);
            } else {
                high = middle;
            }
        }
        for page in low..=last {
            let keys = self.keys(page, &mut bytes)?;
            let first = keys.partition_point(|key| self.decode(key) < sought);
            for key in keys
                .get(first..)
                .unwrap_or(&[])
                .iter()
                .map(|key| self.decode(key))
            {
                if key.hash != hash || out.len() >= most {
                    return Ok(());
                }
                // An entry that holds a key twice is one hit.
                if out.last() != Some(&key.seq) {
                    out.push(key.seq);
                }
            }
        }
        Ok(())
    }

    /// Reads a page.
    fn keys<'a>(
        &self,
        page: u64,
        bytes: &'a mut [u8; PAGE_BYTES],
    ) -> Result<&'a [[u8; KEY_BYTES]], DerivedError> {
        let offset = page_offset(page);
        self.file.read_exact_at(bytes, offset)?;
        if !is_whole(bytes) {
            return Err(self.corrupt(offset));
        }
        let (_, body) = bytes.split_at(CRC_BYTES);
        let (keys, _) = body.as_chunks::<KEY_BYTES>();
        Ok(keys.get(..self.keys_in(page)).unwrap_or(&[]))
    }

    fn corrupt(&self, offset: u64) -> DerivedError {
        let what = "a page's checksum is wrong";
        DerivedError::Corrupt {
            path: self.file.path().to_path_buf(),
            offset,
            what,
        }
    }
}

/// How many keys the runs of a folder hold at most, from the lengths of their files.
pub(crate) fn keys_in(dir: &Dir) -> Result<u64, IoFault> {
    let mut bytes: u64 = 0;
    for name in dir.list()?.iter().filter(|name| seqs_of(name).is_some()) {
        // Read-only, the writer may have merged it away since the names were read.
        if let Some(file) = dir.open_if_present(name, Access::Read)? {
            bytes = bytes.saturating_add(file.len()?);
        }
    }
    Ok(bytes / to_u64(KEY_BYTES))
}

fn pages_of(keys: u64) -> u64 {
    keys.div_ceil(to_u64(KEYS_PER_PAGE))
}

fn decode_hash(key: &[u8; KEY_BYTES]) -> u64 {
    let [h0, h1, h2, h3, h4, h5, h6, h7, ..] = *key;
    u64::from_le_bytes([h0, h1, h2, h3, h4, h5, h6, h7])
}

fn decode_delta(key: &[u8; KEY_BYTES]) -> u64 {
    let [.., d0, d1, d2, d3] = *key;
    u64::from(u32::from_le_bytes([d0, d1, d2, d3]))
}

/// Reads a run from its first key to its last, and holds a few pages of it.
pub(crate) struct Cursor<'a> {
    run: &'a Run,
    /// The next page to turn to.
    page: u64,
    /// Pages read, the first of which has a number that [`READ_PAGES`] divides.
    bytes: Vec<u8>,
    /// Where in them the keys are that are left of the page turned to.
    rest: Range<usize>,
    key: Key,
}

impl<'a> Cursor<'a> {
    pub(crate) const fn new(run: &'a Run) -> Self {
        Self {
            run,
            page: 0,
            bytes: Vec::new(),
            rest: 0..0,
            key: Key { hash: 0, seq: 0 },
        }
    }

    /// The key that [`Cursor::advance`] gave last.
    pub(crate) const fn key(&self) -> Key {
        self.key
    }

    /// The next key; `None` at the end.
    pub(crate) fn advance(&mut self) -> Result<Option<Key>, DerivedError> {
        if self.rest.is_empty() && !self.turn_page()? {
            return Ok(None);
        }
        let rest = self.bytes.get(self.rest.clone());
        let Some(key) = rest.and_then(|rest| rest.first_chunk()) else {
            return Err(self.run.corrupt(page_offset(self.page.saturating_sub(1))));
        };
        self.rest.start = self.rest.start.saturating_add(KEY_BYTES);
        self.key = self.run.decode(key);
        Ok(Some(self.key))
    }

    fn turn_page(&mut self) -> Result<bool, DerivedError> {
        let pages = pages_of(self.run.count);
        if self.page == pages {
            return Ok(false);
        }
        let among_those_read = to_usize(self.page).wrapping_rem(READ_PAGES);
        if among_those_read == 0 {
            let count = to_usize(pages.saturating_sub(self.page)).min(READ_PAGES);
            self.bytes.resize(count.saturating_mul(PAGE_BYTES), 0);
            let offset = page_offset(self.page);
            self.run.file.read_exact_at(&mut self.bytes, offset)?;
        }
        let start = among_those_read.saturating_mul(PAGE_BYTES);
        let page = self.bytes.get(start..start.saturating_add(PAGE_BYTES));
        if !page.is_some_and(is_whole) {
            return Err(self.run.corrupt(page_offset(self.page)));
        }
        let keys = self.run.keys_in(self.page).saturating_mul(KEY_BYTES);
        let start = start.saturating_add(CRC_BYTES);
        self.rest = start..start.saturating_add(keys);
        self.page = self.page.saturating_add(1);
        Ok(true)
    }
}

/// Writes a run.
pub(crate) struct RunWriter<'a> {
    file: RunFile<'a>,
    page: Vec<u8>,
    fences: Vec<u64>,
    count: u64,
}

impl<'a> RunWriter<'a> {
    pub(crate) fn new(file: RunFile<'a>) -> Self {
        Self {
            file,
            page: Vec::with_capacity(PAGE_BYTES),
            fences: Vec::new(),
            count: 0,
        }
    }

    /// Appends a key; keys come in order.
    pub(crate) fn push(&mut self, key: Key) -> Result<(), IoFault> {
        if self.page.is_empty() {
            self.fences.push(key.hash);
            self.page.extend_from_slice(&[0; CRC_BYTES]);
        }
        let delta = key.seq.saturating_sub(self.file.first_seq());
        self.page.extend_from_slice(&key.hash.to_le_bytes());
        // A merge never covers more entries than 32 bits can tell apart (see `tiers::mergeable`).
        self.page
            .extend_from_slice(&u32::try_from(delta).unwrap_or(u32::MAX).to_le_bytes());
        self.count = self.count.saturating_add(1);
        if self.page.len() == PAGE_BYTES {
            self.file.push(&mut self.page)?;
        }
        Ok(())
    }

    /// Makes the run durable, then visible.
    pub(crate) fn finish(mut self) -> Result<Run, IoFault> {
        if !self.page.is_empty() {
            self.file.push(&mut self.page)?;
        }
        let (extent, file) = self.file.finish(&MAGIC, self.count)?;
        Ok(Run {
            extent,
            count: self.count,
            file,
            fences: self.fences,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;

    use super::*;
    use crate::fault::FaultDisk;

    #[test]
    fn a_run_of_any_length_is_read_to_its_end() {
        let page = to_u64(KEYS_PER_PAGE);
        let read = to_u64(READ_PAGES) * page;
        let dir = Dir::new(Arc::new(FaultDisk::new()), PathBuf::from("/index"));
        dir.create().unwrap();
        for count in [0, 1, page, page + 1, read, read + 1, 2 * read + 5] {
            let extent = Extent {
                seqs: 0..count,
                level: 0,
            };
            let keys: Vec<Key> = (0..count).map(|seq| Key { hash: seq / 3, seq }).collect();
            let mut writer =
                RunWriter::new(RunFile::begin(&dir, &[9; 16], extent.clone()).unwrap());
            keys.iter().for_each(|key| writer.push(*key).unwrap());
            let written = writer.finish().unwrap();

            let name = extent.file_name();
            let file = dir.open(&name, Access::Read).unwrap();
            let mut hashes = Vec::new();
            let opened = Run::open(&name, file, &[9; 16], |hash| hashes.push(hash));
            let opened = opened.unwrap().unwrap();
            assert!(hashes.into_iter().eq(keys.iter().map(|key| key.hash)));
            assert_eq!(opened.fences, written.fences);
            for run in [&written, &opened] {
                let mut cursor = Cursor::new(run);
                let read = std::iter::from_fn(|| cursor.advance().unwrap());
                assert!(read.eq(keys.iter().copied()), "{count} keys");
            }
        }
    }

    #[test]
    fn a_damaged_page_is_not_the_end() {
        let dir = Dir::new(Arc::new(FaultDisk::new()), PathBuf::from("/index"));
        dir.create().unwrap();
        let pages = to_u64(READ_PAGES) + 3;
        let count = pages * to_u64(KEYS_PER_PAGE);
        let extent = Extent {
            seqs: 0..count,
            level: 0,
        };
        let mut writer = RunWriter::new(RunFile::begin(&dir, &[9; 16], extent.clone()).unwrap());
        for seq in 0..count {
            writer.push(Key { hash: seq, seq }).unwrap();
        }
        let run = writer.finish().unwrap();
        let file = dir.open(&extent.file_name(), Access::Write).unwrap();
        let offset = page_offset(to_u64(READ_PAGES) + 1);
        file.write_at(&[0xee; 8], offset + 100).unwrap();
        let mut cursor = Cursor::new(&run);
        let mut read = 0;
        let fault = loop {
            match cursor.advance() {
                Ok(Some(_)) => read += 1,
                Ok(None) => panic!("the end after {read} keys"),
                Err(fault) => break fault,
            }
        };
        assert_eq!(read, (READ_PAGES + 1) * KEYS_PER_PAGE);
        assert!(matches!(fault, DerivedError::Corrupt { offset: at, .. } if at == offset));
    }
}
