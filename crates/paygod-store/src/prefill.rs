//! Files that are filled with zeros ahead of need, on a thread of their own.
//!
//! A flush of bytes written into such a file writes no metadata: the blocks are there already. Doing
//! it inline is what makes the slowest of a hundred commits slow. The zeros go past the system's cache,
//! which would copy each of them and keep them all.
//!
//! The file has a name from the beginning, [`NEXT_NAME`], which is durable. It gets its own when the first
//! bytes in it are durable, and that name need not be: a file that is still called so after a crash says
//! itself what it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::append::{Appender, Pages};
use crate::disk::{Access, Dir, OpenFile};
use crate::error::IoFault;
use crate::width::{to_u64, to_usize};

/// Name of the file that comes next.
pub(crate) const NEXT_NAME: &str = "next.prefilled";

/// How much is prefilled at once, in bytes, and the pause after it. A flush of a group waits at most
/// for one such piece; a file's worth takes about as long as half a file lasts at full load.
const PREFILL_BYTES: usize = 1 << 20;

const PREFILL_PAUSE: Duration = Duration::from_millis(4);

/// A file that is being filled.
#[derive(Debug)]
pub(crate) struct Prefilling {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<OpenFile, IoFault>>>,
}

impl Prefilling {
    /// Without a thread there is no prefilled file, which only costs time.
    pub(crate) fn start(dir: Dir, len: u64) -> Option<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("paygod-prefill".to_owned())
            .spawn(move || prefill(&dir, len, &told))
            .ok()?;
        Some(Self {
            stop,
            thread: Some(thread),
        })
    }

    /// Takes the file, as far as it got. A fault is not passed on: the file is then made without,
    /// and if the disk is full or broken, the write that matters says so.
    fn finish(mut self) -> Option<OpenFile> {
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

/// Makes the file that comes next, the prefilled one or else an empty one, the file `name`: its head, its first records
/// behind it, one flush. Its bytes are durable then, its name is not: until it is, recovery knows it by its head.
pub(crate) fn begin(
    dir: &Dir,
    prefilling: &mut Option<Prefilling>,
    name: &str,
    head: &[u8],
    records: &[u8],
) -> Result<Appender, IoFault> {
    let past_cache = match prefilling.take().and_then(Prefilling::finish) {
        Some(file) => file,
        None => dir.create_named(NEXT_NAME, Access::CreatePastCache)?,
    };
    let mut file = Appender::new(past_cache, dir.open(NEXT_NAME, Access::Write)?);
    file.append(head, 0)?;
    file.append(records, to_u64(head.len()))?;
    file.sync()?;
    dir.rename(NEXT_NAME, name)?;
    file.rename(dir, name);
    Ok(file)
}

/// What cannot be filled is removed: on a full disk, room taken ahead of need would be missed by what
/// is needed now.
fn prefill(dir: &Dir, len: u64, stop: &AtomicBool) -> Result<OpenFile, IoFault> {
    let filled = fill(dir, len, stop);
    if filled.is_err() {
        // If that fails too, the file is made anew the next time.
        drop(dir.remove(NEXT_NAME));
    }
    filled
}

fn fill(dir: &Dir, len: u64, stop: &AtomicBool) -> Result<OpenFile, IoFault> {
    let file = dir.create_named(NEXT_NAME, Access::CreatePastCache)?;
    file.set_len(len)?;
    let mut zeros = Pages::zeros(PREFILL_BYTES);
    let mut offset = 0_u64;
    while offset < len && !stop.load(Ordering::Relaxed) {
        let count = len.saturating_sub(offset).min(to_u64(PREFILL_BYTES));
        let piece = zeros.bytes().get(..to_usize(count));
        file.write_at(piece.unwrap_or_default(), offset)?;
        offset = offset.saturating_add(count);
        std::thread::park_timeout(PREFILL_PAUSE);
    }
    file.sync()?;
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
            let filled = prefill(&dir, to_u64(4 * PREFILL_BYTES), &stop);
            disk.heal();
            assert_eq!(filled.is_ok(), !disk.files().is_empty(), "operation {at}");
        }
    }
}
