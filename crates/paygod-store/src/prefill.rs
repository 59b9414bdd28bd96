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

use crate::append::{Appender, Pages, ROOM_BYTES};
use crate::disk::{Access, Dir, OpenFile};
use crate::error::IoFault;
use crate::width::{to_u64, to_usize};

/// Name of the file that comes next.
pub(crate) const NEXT_NAME: &str = "next.prefilled";

/// The pause after each piece that is prefilled. A flush of a group waits at most for one such piece; a file's worth
/// takes about as long as half a file lasts at full load.
const PREFILL_PAUSE: Duration = Duration::from_millis(4);

/// Keeps the next file of a folder ready, once it is told to.
#[derive(Debug, Default)]
pub(crate) struct Prefiller {
    filling: Option<Filling>,
    /// The room of the file before: the next one is filled from it and then written through it.
    room: Option<Pages>,
}

/// A file that is being filled.
#[derive(Debug)]
struct Filling {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<Filled, IoFault>>>,
}

#[derive(Debug)]
struct Filled {
    file: OpenFile,
    zeros: Pages,
}

impl Prefiller {
    /// Begins to fill the next file, unless that is under way. Without a thread there is no prefilled file, which
    /// only costs time.
    pub(crate) fn start(&mut self, dir: &Dir, len: u64) {
        if self.filling.is_some() {
            return;
        }
        let stop = Arc::new(AtomicBool::new(false));
        let (dir, told) = (dir.clone(), Arc::clone(&stop));
        let room = self.room.take().unwrap_or_default();
        let thread = std::thread::Builder::new()
            .name("paygod-prefill".to_owned())
            .spawn(move || prefill(&dir, len, room, &told));
        self.filling = thread.ok().map(|thread| Filling {
            stop,
            thread: Some(thread),
        });
    }

    /// Makes the file that comes next, the prefilled one or else an empty one, the file `name`: its head, its first
    /// records behind it, one flush. Its bytes are durable then, its name is not: until it is, recovery knows it by
    /// its head.
    pub(crate) fn begin(
        &mut self,
        dir: &Dir,
        name: &str,
        head: &[u8],
        records: &[u8],
    ) -> Result<Appender, IoFault> {
        let (past_cache, room) = match self.filling.take().and_then(Filling::finish) {
            Some(filled) => (filled.file, filled.zeros),
            None => {
                let file = dir.create_named(NEXT_NAME, Access::CreatePastCache)?;
                (file, self.room.take().unwrap_or_default())
            }
        };
        let mut file = Appender::new(past_cache, dir.open(NEXT_NAME, Access::Write)?, room);
        file.append(head, 0)?;
        file.append(records, to_u64(head.len()))?;
        file.sync()?;
        dir.rename(NEXT_NAME, name)?;
        file.rename(dir, name);
        Ok(file)
    }

    /// Takes the room of a file to which nothing more is written.
    pub(crate) fn take_room_of(&mut self, file: Appender) {
        self.room = Some(file.into_room());
    }
}

impl Filling {
    /// Takes the file, as far as it got. A fault is not passed on: the file is then made without,
    /// and if the disk is full or broken, the write that matters says so.
    fn finish(mut self) -> Option<Filled> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take()?.join().ok()?.ok()
    }
}

impl Drop for Filling {
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
fn prefill(dir: &Dir, len: u64, room: Pages, stop: &AtomicBool) -> Result<Filled, IoFault> {
    let filled = fill(dir, len, room, stop);
    if filled.is_err() {
        // If that fails too, the file is made anew the next time.
        drop(dir.remove(NEXT_NAME));
    }
    filled
}

fn fill(dir: &Dir, len: u64, mut zeros: Pages, stop: &AtomicBool) -> Result<Filled, IoFault> {
    let file = dir.create_named(NEXT_NAME, Access::CreatePastCache)?;
    file.set_len(len)?;
    zeros.bytes().fill(0);
    let mut offset = 0_u64;
    while offset < len && !stop.load(Ordering::Relaxed) {
        let count = len.saturating_sub(offset).min(to_u64(ROOM_BYTES));
        let piece = zeros.bytes().get(..to_usize(count));
        file.write_at(piece.unwrap_or_default(), offset)?;
        offset = offset.saturating_add(count);
        std::thread::park_timeout(PREFILL_PAUSE);
    }
    file.sync()?;
    Ok(Filled { file, zeros })
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
            let filled = prefill(&dir, to_u64(4 * ROOM_BYTES), Pages::default(), &stop);
            disk.heal();
            assert_eq!(filled.is_ok(), !disk.files().is_empty(), "operation {at}");
        }
    }
}
