//! Files that are filled with zeros ahead of need, on a thread of their own.
//!
//! A flush of bytes written into such a file writes no metadata: the blocks are there already. Doing
//! it inline is what makes the slowest of a hundred commits slow.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::disk::{Access, Dir, OpenFile};
use crate::error::IoFault;
use crate::width::{to_u64, to_usize};

/// How much is prefilled at once, in bytes, and the pause after it. A flush of a group waits at most
/// for one such piece; a segment's worth takes about as long as half a segment lasts at full load.
const PREFILL_BYTES: u64 = 1 << 20;

/// The zeros that are written again and again, in bytes: few enough to stay in the processor's cache.
const ZEROS_BYTES: usize = 128 << 10;

const PREFILL_PAUSE: Duration = Duration::from_millis(4);

/// A file that is being filled.
#[derive(Debug)]
pub(crate) struct Prefilling {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<OpenFile, IoFault>>>,
}

impl Prefilling {
    /// Without a thread there is no prefilled file, which only costs time.
    pub(crate) fn start(dir: Dir, name: &'static str, len: u64) -> Option<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("paygod-prefill".to_owned())
            .spawn(move || prefill(&dir, name, len, &told))
            .ok()?;
        Some(Self {
            stop,
            thread: Some(thread),
        })
    }

    /// Takes the file, as far as it got. A fault is not passed on: the segment is then made without,
    /// and if the disk is full or broken, the write that matters says so.
    pub(crate) fn finish(mut self) -> Option<OpenFile> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take()?.join().ok()?.ok()
    }
}

impl Drop for Prefilling {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // Only so that no thread outlives the book; its result is of no use any more.
            drop(thread.join());
        }
    }
}

/// What cannot be filled is removed: on a full disk, room taken ahead of need would be missed by what
/// is needed now.
fn prefill(dir: &Dir, name: &str, len: u64, stop: &AtomicBool) -> Result<OpenFile, IoFault> {
    let filled = fill(dir, name, len, stop);
    if filled.is_err() {
        // If that fails too, the file is made anew the next time.
        drop(dir.remove(name));
    }
    filled
}

fn fill(dir: &Dir, name: &str, len: u64, stop: &AtomicBool) -> Result<OpenFile, IoFault> {
    let file = dir.open(name, Access::CreateAnew)?;
    let zeros = vec![0_u8; ZEROS_BYTES];
    let mut offset = 0_u64;
    while offset < len && !stop.load(Ordering::Relaxed) {
        let piece_end = offset.saturating_add(PREFILL_BYTES).min(len);
        while offset < piece_end {
            let count = piece_end.saturating_sub(offset).min(to_u64(ZEROS_BYTES));
            file.write_at(zeros.get(..to_usize(count)).unwrap_or(&zeros), offset)?;
            offset = offset.saturating_add(count);
        }
        file.sync()?;
        std::thread::park_timeout(PREFILL_PAUSE);
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{Fault, FaultDisk};
    use std::path::PathBuf;

    #[test]
    fn a_full_disk_gets_back_what_was_taken_ahead_of_need() {
        // The opening of the file, a write, the flush of a piece: whichever finds the disk full.
        for at in 1..12 {
            let disk = FaultDisk::new();
            let dir = Dir::new(Arc::new(disk.clone()), PathBuf::from("/book"));
            dir.create().unwrap();
            disk.plan(at, Fault::DiskFull);
            let stop = AtomicBool::new(false);
            let filled = prefill(&dir, "next.prefilled", PREFILL_BYTES, &stop);
            disk.heal();
            assert_eq!(filled.is_ok(), !disk.files().is_empty(), "operation {at}");
        }
    }
}
