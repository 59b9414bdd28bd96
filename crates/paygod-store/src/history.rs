//! Balance history: what an account's balances were after any entry.
//!
//! Each entry leaves, for each account it touched, the balances after it. They gather in memory; a full
//! table becomes a run sorted by account and seq, and runs are merged in tiers of 16, then of 64. As of an
//! entry, the balances are those of the last touch at or before it.
//!
//! Derived: made anew from the entries. It does not know currencies or what the four balances mean.

mod run;

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use paygod_types::Seq;

use crate::background::{Signal, Work, Worker};
use crate::disk::Dir;
use crate::error::{DerivedError, IoFault};
use crate::run_file::RunFile;
use crate::segment::BookId;
use crate::tiers::{self, Extent, Fanout, Merged};
use crate::width::to_usize;
use run::{Cursor, Run, RunWriter};

/// An account's number: its place in the order of opening.
pub type AccountNumber = u32;

/// The four balances of an account, in minor units, in the order that the state keeps them.
pub type BalancesAfter = [i128; 4];

/// What an entry left of one account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Touch {
    /// The account.
    pub account: AccountNumber,
    /// Its balances after the entry.
    pub balances: BalancesAfter,
}

/// A touch with the entry that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dated {
    pub(crate) account: AccountNumber,
    pub(crate) seq: u64,
    pub(crate) balances: BalancesAfter,
}

/// How many touches a table takes: about two and a half megabytes.
pub(crate) const TABLE_TOUCHES: usize = 1 << 15;

/// Most full tables that wait to become runs; past that the integrator waits.
const FROZEN_MAX: usize = 8;

/// Each merge writes every touch once more, and all requests pay for it; each run costs a question about the past one page
/// read, and nobody waits for that but who asks.
const FANOUT: Fanout = Fanout {
    first: 16,
    later: 64,
};

/// How many touches are fetched from all over a table at once.
const GATHERED_TOUCHES: usize = 64;

/// Touches in the order of their entries.
#[derive(Debug, Default)]
struct Table {
    first_seq: u64,
    end_seq: u64,
    touches: Vec<Dated>,
}

impl Table {
    /// An empty one in this memory.
    fn beginning_at(first_seq: u64, mut touches: Vec<Dated>, room: usize) -> Self {
        touches.clear();
        touches.reserve_exact(room);
        Self {
            first_seq,
            end_seq: first_seq,
            touches,
        }
    }

    fn last(&self, account: AccountNumber, at: u64) -> Option<&Dated> {
        self.touches
            .iter()
            .rev()
            .find(|touch| touch.account == account && touch.seq <= at)
    }
}

#[derive(Debug)]
struct View {
    active: Table,
    /// Oldest first.
    frozen: Vec<Arc<Table>>,
    /// Oldest first.
    runs: Vec<Arc<Run>>,
    /// The memory of the table that became a run last, for the next one.
    spare: Vec<Dated>,
}

impl View {
    /// Has the active table become a run, and begins one at an entry, with room for so many touches.
    fn freeze(&mut self, next: u64, room: usize) {
        let memory = std::mem::take(&mut self.spare);
        let active = Table::beginning_at(next, memory, room);
        let full = std::mem::replace(&mut self.active, active);
        self.frozen.push(Arc::new(full));
    }
}

#[derive(Debug)]
struct Shared {
    dir: Dir,
    book: BookId,
    view: RwLock<View>,
    /// Where a table is sorted, kept from one to the next.
    order: Mutex<Vec<u64>>,
    signal: Signal,
}

impl Shared {
    fn look<T>(&self, look: impl FnOnce(&View) -> T) -> T {
        look(&self.view.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn change<T>(&self, change: impl FnOnce(&mut View) -> T) -> T {
        change(&mut self.view.write().unwrap_or_else(PoisonError::into_inner))
    }

    fn seal_oldest(&self) -> Result<bool, DerivedError> {
        let Some(table) = self.look(|view| view.frozen.first().cloned()) else {
            return Ok(false);
        };
        let extent = Extent {
            seqs: table.first_seq..table.end_seq,
            level: 0,
        };
        let mut writer = RunWriter::new(RunFile::begin(&self.dir, &self.book, extent)?);
        // Sorted by account, then by place, which is the order of the entries.
        let places = (0_u64..).zip(&table.touches);
        let mut order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        order.clear();
        order.extend(places.map(|(place, touch)| (u64::from(touch.account) << 32) | place));
        order.sort_unstable();
        // Gathered a few at a time: reads that don't wait for each other hide the memory's latency.
        let mut gathered = Vec::with_capacity(GATHERED_TOUCHES);
        for places in order.chunks(GATHERED_TOUCHES) {
            gathered.clear();
            gathered.extend(
                places
                    .iter()
                    .filter_map(|place| table.touches.get(to_usize(place & 0xffff_ffff)))
                    .copied(),
            );
            gathered.iter().try_for_each(|touch| writer.push(touch))?;
        }
        let run = Arc::new(writer.finish()?);
        self.change(|view| {
            view.frozen.remove(0);
            view.runs.push(run);
            if let Some(table) = Arc::into_inner(table) {
                view.spare = table.touches;
            }
        });
        self.signal.progress();
        Ok(true)
    }

    fn merge_one(&self) -> Result<bool, DerivedError> {
        let runs = self.look(|view| view.runs.clone());
        let Some((inputs, extent)) = tiers::mergeable(&runs, FANOUT) else {
            return Ok(false);
        };
        let Some(merged) = self.merge(inputs, extent)? else {
            return Ok(false);
        };
        self.change(|view| tiers::replace(&mut view.runs, inputs, merged));
        tiers::remove(&self.dir, inputs)?;
        Ok(true)
    }

    /// Merges runs into one; `None` when told to stop.
    fn merge(&self, inputs: &[Arc<Run>], extent: Extent) -> Result<Option<Run>, DerivedError> {
        let mut writer = RunWriter::new(RunFile::begin_merge(&self.dir, &self.book, extent)?);
        let mut cursors: Vec<Cursor<'_>> = inputs.iter().map(|run| Cursor::new(run)).collect();
        let mut merged = Merged::default();
        let mut heads = Vec::with_capacity(inputs.len());
        for cursor in &mut cursors {
            heads.push(cursor.advance()?.map(|touch| touch.account));
        }
        // The least account; of those that have it, the oldest run, whose touches all come first.
        while let Some(account) = heads.iter().flatten().min().copied() {
            let oldest = heads.iter_mut().zip(&mut cursors);
            for (head, cursor) in oldest.filter(|(head, _)| **head == Some(account)) {
                while *head == Some(account) {
                    writer.push(cursor.touch())?;
                    *head = cursor.advance()?.map(|touch| touch.account);
                    if merged.is_time_to_look() {
                        if self.signal.is_stopping() {
                            return Ok(None);
                        }
                        while self.seal_oldest()? {}
                    }
                }
            }
        }
        Ok(Some(writer.finish()?))
    }
}

impl Work for Shared {
    fn work(&self) -> Result<bool, DerivedError> {
        Ok(self.seal_oldest()? || self.merge_one()?)
    }

    fn signal(&self) -> &Signal {
        &self.signal
    }
}

/// Adds touches. There is one; it belongs to whoever integrates committed entries.
#[derive(Debug)]
pub struct HistoryWriter {
    shared: Arc<Shared>,
    worker: Option<Worker<Shared>>,
    table_touches: usize,
    next: u64,
}

/// Reads balances of the past. Cheap to clone; any thread may read.
#[derive(Clone, Debug)]
pub struct BalanceHistory {
    shared: Arc<Shared>,
}

/// How a history is opened.
pub(crate) struct HistoryOptions {
    pub(crate) book: BookId,
    /// Entries of the book: runs that cover more are not believed.
    pub(crate) size: u64,
    pub(crate) table_touches: usize,
    pub(crate) write: bool,
    pub(crate) background: bool,
}

impl HistoryWriter {
    pub(crate) fn open(dir: Dir, options: &HistoryOptions) -> Result<Self, IoFault> {
        let HistoryOptions {
            book,
            size,
            table_touches,
            write,
            background,
        } = *options;
        let runs = tiers::load(&dir, size, write, |name, file| Run::open(name, file, &book))?;
        let next = runs.last().map_or(0, |run| run.extent.seqs.end);
        let active = Table::beginning_at(next, Vec::new(), table_touches);
        let view = View {
            active,
            frozen: Vec::new(),
            runs,
            spare: Vec::new(),
        };
        let signal = Signal::default();
        let shared = Arc::new(Shared {
            dir,
            book,
            view: RwLock::new(view),
            order: Mutex::default(),
            signal,
        });
        let worker =
            write.then(|| Worker::start(Arc::clone(&shared), "paygod-history", background));
        Ok(Self {
            shared,
            worker,
            table_touches,
            next,
        })
    }

    /// The next entry to add.
    #[must_use]
    pub const fn next_seq(&self) -> Seq {
        Seq(self.next)
    }

    /// Adds the touches of the next entry, none or several.
    ///
    /// # Errors
    /// The entry is not the next, or the background work has stopped.
    pub fn apply(&mut self, seq: Seq, touches: &[Touch]) -> Result<(), DerivedError> {
        self.apply_all(std::iter::once((seq, touches)))
    }

    /// Adds the touches of the next entries, in order: cheaper than one by one.
    ///
    /// # Errors
    /// An entry is not the next, or the background work has stopped.
    pub fn apply_all<'a>(
        &mut self,
        entries: impl IntoIterator<Item = (Seq, &'a [Touch])>,
    ) -> Result<(), DerivedError> {
        let mut next = self.next;
        let room = self.table_touches;
        let full = self.shared.change(|view| {
            let mut full = false;
            for (seq, touches) in entries {
                if seq.get() != next {
                    return Err(DerivedError::OutOfOrder {
                        expected: next,
                        found: seq.get(),
                    });
                }
                let left = room.saturating_sub(view.active.touches.len());
                if touches.len() > left && !view.active.touches.is_empty() {
                    view.freeze(next, room);
                    full = true;
                }
                view.active
                    .touches
                    .extend(touches.iter().map(|touch| Dated {
                        account: touch.account,
                        seq: next,
                        balances: touch.balances,
                    }));
                next = next.saturating_add(1);
                view.active.end_seq = next;
            }
            Ok(full)
        });
        self.next = next;
        if full? { self.ask_and_wait() } else { Ok(()) }
    }

    fn ask_and_wait(&self) -> Result<(), DerivedError> {
        let Some(worker) = &self.worker else {
            return Ok(());
        };
        worker.ask();
        let shared = &self.shared;
        shared
            .signal
            .wait(|| shared.look(|view| view.frozen.len() <= FROZEN_MAX))
    }

    /// Has the table made a run as it is, for a snapshot; [`BalanceHistory::wait_sealed`] waits for it.
    ///
    /// # Errors
    /// The background work has stopped.
    pub fn seal(&mut self) -> Result<Seq, DerivedError> {
        let next = self.next;
        let room = self.table_touches;
        let frozen = self.shared.change(|view| {
            if view.active.first_seq == next {
                return false;
            }
            view.freeze(next, room);
            true
        });
        if frozen {
            self.ask_and_wait()?;
        }
        Ok(Seq(next))
    }

    /// A handle to read with.
    #[must_use]
    pub fn reader(&self) -> BalanceHistory {
        BalanceHistory {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl BalanceHistory {
    /// An account's balances after the entry `at`, with the entry that last touched it; `None` when
    /// nothing had touched it by then.
    ///
    /// # Errors
    /// A run cannot be read.
    pub fn as_of(
        &self,
        account: AccountNumber,
        at: Seq,
    ) -> Result<Option<(Seq, BalancesAfter)>, DerivedError> {
        let given = |touch: &Dated| (Seq(touch.seq), touch.balances);
        let (found, runs) = self.shared.look(|view| {
            let tables = view.frozen.iter().rev().map(Arc::as_ref);
            let found = std::iter::once(&view.active)
                .chain(tables)
                .find_map(|table| table.last(account, at.get()).map(given));
            let runs = if found.is_none() {
                view.runs.clone()
            } else {
                Vec::new()
            };
            (found, runs)
        });
        if found.is_some() {
            return Ok(found);
        }
        for run in runs
            .iter()
            .rev()
            .filter(|run| run.extent.seqs.start <= at.get())
        {
            if let Some(touch) = run.last(account, at.get())? {
                return Ok(Some(given(&touch)));
            }
        }
        Ok(None)
    }

    /// An account's touches from `from` up to but not including `to`, oldest first, until `visit` says
    /// `false`.
    ///
    /// # Errors
    /// A run cannot be read.
    pub fn touches(
        &self,
        account: AccountNumber,
        from: Seq,
        to: Seq,
        mut visit: impl FnMut(Seq, BalancesAfter) -> bool,
    ) -> Result<(), DerivedError> {
        let range = from.get()..to.get();
        let (runs, recent) = self.shared.look(|view| {
            let tables = view
                .frozen
                .iter()
                .map(Arc::as_ref)
                .chain(std::iter::once(&view.active));
            let touches = tables.flat_map(|table| &table.touches);
            let recent: Vec<Dated> = touches
                .filter(|touch| touch.account == account && range.contains(&touch.seq))
                .copied()
                .collect();
            (view.runs.clone(), recent)
        });
        for run in &runs {
            if run.extent.seqs.end <= range.start || run.extent.seqs.start >= range.end {
                continue;
            }
            let go_on = run.touches(account, range.clone(), &mut |touch| {
                visit(Seq(touch.seq), touch.balances)
            })?;
            if !go_on {
                return Ok(());
            }
        }
        for touch in recent {
            if !visit(Seq(touch.seq), touch.balances) {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Waits until the touches of all entries before `next` are in durable runs. Call
    /// [`HistoryWriter::seal`] first.
    ///
    /// # Errors
    /// They are not even on their way there, or the background work has stopped.
    pub fn wait_sealed(&self, next: Seq) -> Result<(), DerivedError> {
        let shared = &self.shared;
        let active_from = shared.look(|view| view.active.first_seq);
        if active_from < next.get() {
            return Err(DerivedError::OutOfOrder {
                expected: active_from,
                found: next.get(),
            });
        }
        let _busy = shared.signal.busy();
        while shared.seal_oldest()? {}
        shared.signal.failure()
    }
}
