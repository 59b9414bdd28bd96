//! Records divided into parts by hash, in memory up to a bound and in one temporary file past it.
//!
//! INVARIANT(flat-memory): one block of each part in memory, and one number for each block written.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::VerifyError;
use crate::limits::{ID_BLOCK_RECORDS, ID_PARTS};

/// Tells the temporary files of one process apart.
static FILES: AtomicU64 = AtomicU64::new(0);

/// Records of `N` words, the first of which is a hash.
#[derive(Debug)]
pub(crate) struct Spill<const N: usize> {
    folder: PathBuf,
    parts: Vec<Part<N>>,
    file: Mutex<Option<TemporaryFile>>,
    written: u64,
}

#[derive(Debug)]
struct Part<const N: usize> {
    /// Gathered, not written yet.
    block: Vec<[u64; N]>,
    /// Where blocks of this part stand in the file.
    offsets: Vec<u64>,
}

#[derive(Debug)]
struct TemporaryFile {
    file: File,
    path: PathBuf,
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        // Nothing depends on it: at worst a temporary file is left behind.
        drop(std::fs::remove_file(&self.path));
    }
}

impl<const N: usize> Spill<N> {
    pub(crate) fn new(folder: &Path) -> Self {
        let part = || Part {
            block: Vec::new(),
            offsets: Vec::new(),
        };
        Self {
            folder: folder.to_owned(),
            parts: (0..ID_PARTS).map(|_| part()).collect(),
            file: Mutex::new(None),
            written: 0,
        }
    }

    /// Adds a record; its part follows from the top of its first word.
    pub(crate) fn push(&mut self, record: [u64; N]) -> Result<(), VerifyError> {
        let hash = record.first().copied().unwrap_or(0);
        let [index, ..] = hash.to_be_bytes();
        let Some(part) = self.parts.get_mut(usize::from(index)) else {
            return Ok(());
        };
        part.block.push(record);
        if part.block.len() < ID_BLOCK_RECORDS {
            return Ok(());
        }
        let bytes: Vec<u8> = part
            .block
            .iter()
            .flatten()
            .flat_map(|word| word.to_le_bytes())
            .collect();
        part.block.clear();
        part.offsets.push(self.written);
        let offset = self.written;
        self.written = self
            .written
            .saturating_add(u64::try_from(bytes.len()).unwrap_or(0));
        self.write(&bytes, offset)
            .map_err(|error| self.scratch(error))
    }

    fn write(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut slot = self
            .file
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if slot.is_none() {
            *slot = Some(create(&self.folder)?);
        }
        slot.as_ref()
            .map_or(Ok(()), |opened| opened.file.write_all_at(bytes, offset))
    }

    /// All records of one part, in no order.
    pub(crate) fn part(&self, index: usize) -> Result<Vec<[u64; N]>, VerifyError> {
        let Some(part) = self.parts.get(index) else {
            return Ok(Vec::new());
        };
        let blocks = part.offsets.len().saturating_mul(ID_BLOCK_RECORDS);
        let mut records = Vec::with_capacity(blocks.saturating_add(part.block.len()));
        let mut bytes = vec![0; ID_BLOCK_RECORDS.saturating_mul(N).saturating_mul(8)];
        for offset in &part.offsets {
            self.read(&mut bytes, *offset)
                .map_err(|error| self.scratch(error))?;
            let (words, _) = bytes.as_chunks::<8>();
            for words in words.as_chunks::<N>().0 {
                records.push(words.map(u64::from_le_bytes));
            }
        }
        records.extend_from_slice(&part.block);
        Ok(records)
    }

    fn read(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        let slot = self
            .file
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        slot.as_ref()
            .map_or(Ok(()), |opened| opened.file.read_exact_at(bytes, offset))
    }

    fn scratch(&self, error: io::Error) -> VerifyError {
        VerifyError::Scratch {
            folder: self.folder.display().to_string(),
            error,
        }
    }
}

fn create(folder: &Path) -> io::Result<TemporaryFile> {
    let number = FILES.fetch_add(1, Ordering::Relaxed);
    let name = format!("paygod-verify-{}-{number}.tmp", std::process::id());
    let path = folder.join(name);
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path)?;
    Ok(TemporaryFile { file, path })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_past_memory_come_back_from_the_file_and_the_file_goes() {
        let folder = tempfile::tempdir().unwrap();
        let mut spill: Spill<2> = Spill::new(folder.path());
        let count = 3 * u64::try_from(ID_BLOCK_RECORDS).unwrap() + 17;
        for number in 0..count {
            // Two of the parts, the last one included.
            spill.push([number, number]).unwrap();
            spill.push([u64::MAX - number, number]).unwrap();
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        let mut first = spill.part(0).unwrap();
        first.sort_unstable();
        assert!(
            first
                .iter()
                .copied()
                .eq((0..count).map(|number| [number, number]))
        );
        let mut last = spill.part(255).unwrap();
        last.sort_unstable_by_key(|[_, number]| *number);
        assert!(
            last.iter()
                .copied()
                .eq((0..count).map(|number| [u64::MAX - number, number]))
        );
        assert!(spill.part(7).unwrap().is_empty());
        drop(spill);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn unwritable_folder_is_an_error_not_a_loss() {
        let folder = tempfile::tempdir().unwrap();
        let mut spill: Spill<2> = Spill::new(&folder.path().join("absent"));
        let pushed = (0..5_000).try_for_each(|number| spill.push([number, number]));
        assert!(matches!(pushed, Err(VerifyError::Scratch { .. })));
    }
}
