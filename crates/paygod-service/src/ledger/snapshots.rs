//! Writing the state down, so that opening the book folds only what came later.
//!
//! The state is copied by the sequencer between two groups. Encoding, hashing and writing happen on a thread of
//! their own, piece by piece. The digest is sealed in an entry, and only then has the file its name: a snapshot that no
//! entry vouches for is not believed when the book is opened.
//!
//! A snapshot that fails costs time at the next opening and nothing else.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use paygod_core::entry::SnapshotClaim;
use paygod_core::{State, StateMemory, SystemCommand};
use paygod_store::{DerivedError, Snapshotter, give_way};
use paygod_tlog::Frontier;
use paygod_types::Seq;

use super::errand::Errand;
use super::shared::Shared;

/// Decides when a snapshot is due.
pub(super) struct Snapshots {
    every: u64,
    last: u64,
    desk: Arc<Desk>,
    /// Whether the desk was told to get memory, or has what a snapshot left.
    laid: bool,
}

/// Where snapshots are made, one at a time.
#[derive(Default)]
pub(super) struct Desk {
    on_it: Mutex<OnDesk>,
    freed: Condvar,
}

#[derive(Default)]
struct OnDesk {
    busy: bool,
    memory: Memory,
}

/// What one snapshot was made in, and the next one will be: fresh memory comes at the cost of the requests behind it.
#[derive(Default)]
struct Memory {
    state: StateMemory,
    piece: Vec<u8>,
}

/// A copy of the state on its way to a file.
pub(super) struct SnapshotJob {
    state: State,
    place: Place,
}

/// The place at the desk, for as long as it lives.
struct Place {
    desk: Arc<Desk>,
    memory: Memory,
}

impl Place {
    fn take(desk: &Arc<Desk>) -> Option<Self> {
        let mut free = desk.lock();
        if std::mem::replace(&mut free.busy, true) {
            return None;
        }
        Some(Self {
            desk: Arc::clone(desk),
            memory: std::mem::take(&mut free.memory),
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut on_desk = self.desk.lock();
        on_desk.busy = false;
        on_desk.memory = std::mem::take(&mut self.memory);
        drop(on_desk);
        self.desk.freed.notify_all();
    }
}

/// How often a closing looks whether there is still something to wait for.
const LOOK_EVERY: Duration = Duration::from_millis(50);

impl Desk {
    fn lock(&self) -> MutexGuard<'_, OnDesk> {
        self.on_it.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until no snapshot is being made, but not longer than that and only while there is a reason to.
    pub(super) fn wait(&self, most: Duration, is_wanted: impl Fn() -> bool) {
        let until = Instant::now() + most;
        let mut on_desk = self.lock();
        while on_desk.busy && is_wanted() && Instant::now() < until {
            let waited = self.freed.wait_timeout(on_desk, LOOK_EVERY);
            (on_desk, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Snapshots {
    pub(super) fn new(every: u64, last: u64, desk: Arc<Desk>) -> Self {
        Self {
            every: every.max(1),
            last,
            desk,
            laid: false,
        }
    }

    /// Copies the state if a snapshot is due and none is being made.
    pub(super) fn due(&mut self, state: &mut State) -> Option<SnapshotJob> {
        let since = state.size().saturating_sub(self.last);
        if since < self.every {
            if !self.laid && since >= self.every / 2 {
                self.laid = true;
                self.lay(state);
            }
            return None;
        }
        let mut place = Place::take(&self.desk)?;
        self.last = state.size();
        self.laid = true;
        state.take_memory(std::mem::take(&mut place.memory.state));
        let state = state.clone();
        Some(SnapshotJob { state, place })
    }

    /// Gets the memory that the first snapshot will be made in, on a thread of its own. Without one, or when that is not
    /// done in time, the requests behind that snapshot take longer.
    fn lay(&self, state: &State) {
        let (room, desk) = (state.room(), Arc::clone(&self.desk));
        let _without = aside(move || {
            let memory = room.get();
            let mut on_desk = desk.lock();
            if !on_desk.busy {
                on_desk.memory.state = memory;
            }
        });
    }
}

/// Does some work of snapshots on a thread of its own, which others go before; `None` if there is none to be had.
pub(super) fn aside(work: impl FnOnce() + Send + 'static) -> Option<JoinHandle<()>> {
    let builder = Builder::new().name("paygod-snapshot".to_owned());
    let thread = builder.spawn(move || {
        give_way();
        work();
    });
    thread.ok()
}

impl SnapshotJob {
    /// Writes the file, seals the digest, and gives the file its name. `frontier` is the tree's edge at the state's size;
    /// index and history were sealed there. A snapshot that cannot be made, or that a closing cuts short, costs the next
    /// opening time: no reason to stop.
    pub(super) fn write(self, frontier: &Frontier, snapshotter: &Snapshotter, shared: &Shared) {
        let _made = self.make(frontier, snapshotter, shared);
    }

    fn make(
        self,
        frontier: &Frontier,
        snapshotter: &Snapshotter,
        shared: &Shared,
    ) -> Result<(), DerivedError> {
        let Self { state, mut place } = self;
        let Some(of) = state.size().checked_sub(1).map(Seq) else {
            return Ok(());
        };
        let mut file = snapshotter.begin(frontier)?;
        let Memory {
            state: memory,
            piece,
        } = &mut place.memory;
        let given = state.give_snapshot(piece, |bytes| {
            // Its digest could not be sealed any more.
            if !shared.intake.is_taking() {
                return Err(None);
            }
            file.push(bytes).map_err(Some)
        });
        let digest = match given {
            Ok(digest) => digest,
            Err(fault) => return fault.map_or(Ok(()), Err),
        };
        let accounts = u64::try_from(state.accounts_len()).unwrap_or(u64::MAX);
        *memory = state.into_memory();
        let claim = SnapshotClaim {
            accounts,
            digest,
            of,
        };
        let (reply, sealed) = mpsc::sync_channel(1);
        let command = SystemCommand::Snapshot(claim);
        if shared.intake.send(Errand::Seal { command, reply }).is_err() {
            return Ok(());
        }
        if let Ok(Ok(size)) = sealed.recv()
            && shared.progress.wait_durable(size).is_ok()
        {
            file.finish()?;
        }
        Ok(())
    }
}
