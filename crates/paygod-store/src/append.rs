//! Writing behind everything that was written, in whole pages and past the system's cache.
//!
//! The cache would copy every byte, into memory that the system must find first, and keep it for readers who seldom
//! come. Past it only whole pages can be written: one that is not full is kept here and written again with what
//! follows it.
//!
//! INVARIANT(append-only): what is written again is the same bytes at the same place, so that a write which is torn,
//! sector by sector, leaves all of it. Whoever changes a file in another way says so: [`Appender::forget`].

use crate::disk::{Access, Dir, OpenFile, PAGE_BYTES};
use crate::error::IoFault;
use crate::width::{to_u64, to_usize};

/// How much is written at once, in bytes.
pub(crate) const ROOM_BYTES: usize = 1 << 20;

/// The one writer behind the end of a file.
#[derive(Debug)]
pub(crate) struct Appender {
    past_cache: OpenFile,
    /// The same file as its readers have it.
    cached: OpenFile,
    /// Begins with what is written of the last page.
    room: Pages,
    /// Where that ends; unknown before the first write.
    end: Option<u64>,
}

impl Appender {
    /// Takes an existing file.
    pub(crate) fn open(dir: &Dir, name: &str) -> Result<Self, IoFault> {
        let cached = dir.open(name, Access::Write)?;
        let past_cache = dir.open(name, Access::WritePastCache)?;
        Ok(Self::new(past_cache, cached, Pages::default()))
    }

    /// Takes a file that is open both ways, and memory to write it through, whatever that holds.
    pub(crate) const fn new(past_cache: OpenFile, cached: OpenFile, room: Pages) -> Self {
        Self {
            past_cache,
            cached,
            room,
            end: None,
        }
    }

    /// Closes the file and gives the memory that it was written through.
    pub(crate) fn into_room(self) -> Pages {
        self.room
    }

    /// The file, to be read, cut or changed.
    pub(crate) const fn file(&self) -> &OpenFile {
        &self.cached
    }

    /// Says which name the file has now.
    pub(crate) fn rename(&mut self, dir: &Dir, name: &str) {
        self.past_cache.rename(dir, name);
        self.cached.rename(dir, name);
    }

    /// Writes at `offset`, where everything written so far ends. The rest of the last page becomes zeros.
    pub(crate) fn append(&mut self, bytes: &[u8], offset: u64) -> Result<(), IoFault> {
        let room = self.room.bytes();
        let mut held = to_usize(offset % to_u64(PAGE_BYTES));
        let mut page = offset.saturating_sub(to_u64(held));
        if self.end.take() != Some(offset) {
            let before = room.get_mut(..held).unwrap_or_default();
            self.cached.read_exact_at(before, page)?;
        }
        for piece in pieces(bytes, held) {
            let end = held.saturating_add(piece.len());
            let whole = end.next_multiple_of(PAGE_BYTES);
            if let Some(slot) = room.get_mut(held..end) {
                slot.copy_from_slice(piece);
            }
            if let Some(slot) = room.get_mut(end..whole) {
                slot.fill(0);
            }
            let pages = room.get(..whole).unwrap_or_default();
            self.past_cache.write_at(pages, page)?;
            held = end % PAGE_BYTES;
            let full = end.saturating_sub(held);
            room.copy_within(full..end, 0);
            page = page.saturating_add(to_u64(full));
        }
        self.end = Some(offset.saturating_add(to_u64(bytes.len())));
        Ok(())
    }

    /// Makes what was written durable.
    pub(crate) fn sync(&self) -> Result<(), IoFault> {
        self.past_cache.sync()
    }

    /// Somebody else has changed the file: what stands in its last page is read before the next write.
    pub(crate) const fn forget(&mut self) {
        self.end = None;
    }
}

/// Bytes as they fit into the room behind what it holds: all pieces but the last fill it.
fn pieces(bytes: &[u8], held: usize) -> impl Iterator<Item = &[u8]> {
    let first = ROOM_BYTES.saturating_sub(held).min(bytes.len());
    let (first, rest) = bytes.split_at(first);
    let first = Some(first).filter(|first| !first.is_empty());
    first.into_iter().chain(rest.chunks(ROOM_BYTES))
}

/// [`ROOM_BYTES`] of memory that begin at a page, as writes past the cache need them.
#[derive(Debug)]
pub(crate) struct Pages {
    bytes: Vec<u8>,
    start: usize,
}

impl Default for Pages {
    /// Holds zeros.
    fn default() -> Self {
        let bytes = vec![0_u8; ROOM_BYTES.saturating_add(PAGE_BYTES)];
        let start = bytes.as_ptr().align_offset(PAGE_BYTES);
        Self { bytes, start }
    }
}

impl Pages {
    pub(crate) fn bytes(&mut self) -> &mut [u8] {
        let end = self.start.saturating_add(ROOM_BYTES);
        self.bytes.get_mut(self.start..end).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::{Disk, RealDisk};
    use crate::fault::FaultDisk;
    use proptest::prelude::*;
    use std::path::PathBuf;
    use std::sync::Arc;

    /// Appends, opens anew where it is told to, and compares with what was to be written.
    fn append_all(disk: Arc<dyn Disk>, path: PathBuf, lengths: &[(usize, bool)]) {
        let dir = Dir::new(disk, path);
        dir.create().unwrap();
        let cached = dir.open("file", Access::OpenOrCreate).unwrap();
        let open = || Appender::open(&dir, "file").unwrap();
        let (mut file, mut wanted) = (open(), Vec::new());
        for (number, (length, anew)) in lengths.iter().enumerate() {
            let byte = u8::try_from(number % 255).unwrap() + 1;
            let bytes = vec![byte; *length];
            file.append(&bytes, to_u64(wanted.len())).unwrap();
            file.sync().unwrap();
            wanted.extend_from_slice(&bytes);
            if *anew {
                // As a restored file ends: where its bytes do.
                cached.set_len(to_u64(wanted.len())).unwrap();
                file = open();
            }
        }
        let mut found = vec![0xaa; to_usize(cached.len().unwrap())];
        cached.read_exact_at(&mut found, 0).unwrap();
        let rest = found.split_off(wanted.len());
        assert!(found == wanted, "what was appended is there");
        assert!(rest.len() < PAGE_BYTES && rest.iter().all(|byte| *byte == 0));
    }

    fn lengths() -> impl Strategy<Value = Vec<(usize, bool)>> {
        let length = prop_oneof![
            0..3 * PAGE_BYTES,
            Just(PAGE_BYTES),
            ROOM_BYTES - 2..ROOM_BYTES + 2,
            2 * ROOM_BYTES..2 * ROOM_BYTES + PAGE_BYTES,
        ];
        proptest::collection::vec((length, any::<bool>()), 1..12)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_is_appended_stands_one_behind_the_other(lengths in lengths()) {
            append_all(Arc::new(FaultDisk::new()), PathBuf::from("/book"), &lengths);
            let folder = tempfile::tempdir().unwrap();
            append_all(Arc::new(RealDisk), folder.path().to_path_buf(), &lengths);
        }
    }
}
