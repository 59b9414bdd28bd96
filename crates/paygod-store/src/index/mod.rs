//! The index: from the hash of a key (a request id, a window token) to the entries that hold it,
//! newest first.
//!
//! Keys go into a table in memory; a full table becomes a sorted run in the background, and runs are
//! merged in tiers of eight. A Bloom filter over all keys answers for absent ones. A hit is only a
//! hint: two keys may share a hash, so the caller confirms each by reading the entry.
//!
//! INVARIANT(contiguous): tables and runs cover the entries from 0 to the next, in order, without a
//! gap; each entry's keys are in exactly one of them.
//!
//! Derived: what is missing or damaged is made anew from the entries when the book is opened.

mod filter;
mod memtable;
mod run;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use paygod_types::{Seq, code};

use crate::background::{Signal, Work, Worker};
use crate::disk::Dir;
use crate::error::{DerivedError, IoFault};
use crate::reader::Segments;
use crate::run_file::RunFile;
use crate::segment::BookId;
use crate::siphash::{self, siphash24};
use crate::tiers::{self, Extent, Fanout, Merged};
use crate::width::{to_u64, to_usize};
use filter::Filter;
pub(crate) use memtable::MEMTABLE_KEYS;
use memtable::{Full, Memtable};
use run::{Cursor, Run, RunWriter};

/// Most keys of one entry.
pub const KEYS_PER_ENTRY_MAX: usize = 4096;

const _: () = assert!(KEYS_PER_ENTRY_MAX < MEMTABLE_KEYS);

/// Most full tables that wait to become runs; past that the sequencer waits. About 21 MB, and 5 each for one kept ready and
/// one that was sealed.
const FROZEN_MAX: usize = 4;

/// A key that is present, or seems to be, costs one page of every run.
const FANOUT: Fanout = Fanout { first: 8, later: 8 };

/// What a look-up sees: it stays as it is while newer ones take its place.
#[derive(Clone, Debug)]
struct View {
    active: Arc<Memtable>,
    /// Oldest first.
    frozen: Vec<Arc<Memtable>>,
    /// Oldest first.
    runs: Vec<Arc<Run>>,
}

/// Tables for when the active one is full: their memory takes longer to get than a turn may last.
#[derive(Debug, Default)]
struct Spare {
    empty: Option<Memtable>,
    /// The one that became a run last. Its memory is the next one's once nobody looks at it any more.
    sealed: Option<Arc<Memtable>>,
}

#[derive(Debug)]
struct Shared {
    dir: Dir,
    book: BookId,
    keys: KeyMaker,
    filter: Filter,
    view: RwLock<Arc<View>>,
    spare: Mutex<Spare>,
    table_keys: usize,
    segments: Arc<Segments>,
    signal: Signal,
}

impl Shared {
    fn view(&self) -> Arc<View> {
        Arc::clone(&self.view.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn change_view(&self, change: impl FnOnce(&mut View)) {
        let mut slot = self.view.write().unwrap_or_else(PoisonError::into_inner);
        let mut view = View::clone(&slot);
        change(&mut view);
        *slot = Arc::new(view);
    }

    /// The seq before which every entry's keys are in durable runs.
    fn sealed_to(&self) -> u64 {
        self.view().runs.last().map_or(0, |run| run.extent.seqs.end)
    }

    /// Whether the oldest full table may become a run.
    fn can_seal(&self) -> bool {
        let durable = self.segments.durable();
        self.view()
            .frozen
            .first()
            .is_some_and(|table| table.end_seq() <= durable)
    }

    /// Makes the oldest full table a run, once its entries are durable: a run of entries that a crash
    /// took would not be believed, nor one merged with it.
    fn seal_oldest(&self) -> Result<bool, DerivedError> {
        let Some(table) = self
            .view()
            .frozen
            .first()
            .cloned()
            .filter(|_| self.can_seal())
        else {
            return Ok(false);
        };
        let extent = Extent {
            seqs: table.first_seq..table.end_seq(),
            level: 0,
        };
        let mut writer = RunWriter::new(RunFile::begin(&self.dir, &self.book, extent)?);
        table.in_order(|key| writer.push(key))?;
        let run = Arc::new(writer.finish()?);
        self.change_view(|view| {
            view.frozen.remove(0);
            view.runs.push(run);
        });
        self.signal.progress();
        self.filter.prepare();
        // What it takes the place of is given back without the lock: a turn may wait for that.
        let before = self.spare().sealed.replace(table);
        drop(before);
        Ok(true)
    }

    fn spare(&self) -> MutexGuard<'_, Spare> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has an empty table ready.
    fn keep_spare(&self) {
        let sealed = {
            let mut spare = self.spare();
            if spare.empty.is_some() {
                return;
            }
            spare.sealed.take()
        };
        let table = match sealed.map(Arc::try_unwrap) {
            Some(Ok(table)) => table.emptied(),
            Some(Err(sealed)) => {
                // Somebody still looks at it, for a moment: the next time there is work.
                self.spare().sealed.get_or_insert(sealed);
                return;
            }
            None => Memtable::new(self.table_keys),
        };
        self.spare().empty = Some(table);
    }

    /// A table for the entries from `first_seq` on with room for so many keys.
    fn table(&self, first_seq: u64, keys: usize) -> Arc<Memtable> {
        let spare = self.spare().empty.take();
        let table = spare
            .filter(|spare| spare.room() >= keys)
            .unwrap_or_else(|| Memtable::new(self.table_keys.max(keys)));
        Arc::new(table.beginning_at(first_seq))
    }

    fn merge_one(&self) -> Result<bool, DerivedError> {
        // Not the view: it would keep tables from being used again.
        let runs = self.view().runs.clone();
        let Some((inputs, extent)) = tiers::mergeable(&runs, FANOUT) else {
            return Ok(false);
        };
        let Some(merged) = self.merge(inputs, extent)? else {
            return Ok(false);
        };
        self.change_view(|view| tiers::replace(&mut view.runs, inputs, merged));
        tiers::remove(&self.dir, inputs)?;
        Ok(true)
    }

    /// Merges runs into one; `None` when told to stop.
    fn merge(&self, inputs: &[Arc<Run>], extent: Extent) -> Result<Option<Run>, DerivedError> {
        let mut writer = RunWriter::new(RunFile::begin_merge(&self.dir, &self.book, extent)?);
        let mut cursors: Vec<Cursor<'_>> = inputs.iter().map(|run| Cursor::new(run)).collect();
        let mut heads = Vec::with_capacity(inputs.len());
        for (place, cursor) in (0..).zip(&mut cursors) {
            heads.push(Head::of(cursor, place)?);
        }
        let mut merged = Merged::default();
        loop {
            let least = heads
                .iter()
                .min()
                .copied()
                .filter(|head| *head != Head::END);
            let Some(place) = least.map(Head::place) else {
                return Ok(Some(writer.finish()?));
            };
            let (Some(head), Some(cursor)) = (heads.get_mut(place), cursors.get_mut(place)) else {
                // Every head has the place of a cursor; were it otherwise, the runs stay as they are.
                return Ok(None);
            };
            writer.push(cursor.key())?;
            *head = Head::of(cursor, to_u64(place))?;
            if merged.is_time_to_look() {
                if self.signal.is_stopping() {
                    return Ok(None);
                }
                while self.seal_oldest()? {}
                self.keep_spare();
            }
        }
    }
}

/// The next key of a run that is merged, as one number to compare: its hash, then the place of its run. Entries of an older
/// run are older, so that is the order of the keys.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Head(u128);

impl Head {
    /// There is none left.
    const END: Self = Self(u128::MAX);

    fn of(cursor: &mut Cursor<'_>, place: u64) -> Result<Self, DerivedError> {
        let key = cursor.advance()?;
        Ok(key.map_or(Self::END, |key| {
            Self((u128::from(key.hash) << 64) | u128::from(place))
        }))
    }

    fn place(self) -> usize {
        to_usize(u64::try_from(self.0 & u128::from(u64::MAX)).unwrap_or(u64::MAX))
    }
}

impl Work for Shared {
    fn work(&self) -> Result<bool, DerivedError> {
        if self.seal_oldest()? {
            return Ok(true);
        }
        self.keep_spare();
        self.merge_one()
    }

    fn signal(&self) -> &Signal {
        &self.signal
    }
}

/// Adds keys to the index. There is one; it belongs to the sequencer, who must find at once what it
/// has just added.
#[derive(Debug)]
pub struct IndexWriter {
    shared: Arc<Shared>,
    active: Arc<Memtable>,
    is_half_full: bool,
    next: u64,
    worker: Option<Worker<Shared>>,
}

/// Finds keys. Cheap to clone; any thread may look.
#[derive(Clone, Debug)]
pub struct Finder {
    shared: Arc<Shared>,
}

/// How an index is opened.
pub(crate) struct IndexOptions {
    pub(crate) book: BookId,
    pub(crate) keys: KeyMaker,
    /// The entries: runs that cover more than are durable are not believed.
    pub(crate) segments: Arc<Segments>,
    pub(crate) table_keys: usize,
    pub(crate) write: bool,
    pub(crate) background: bool,
}

impl IndexWriter {
    pub(crate) fn open(dir: Dir, options: &IndexOptions) -> Result<Self, IoFault> {
        let filter = Filter::for_keys(run::keys_in(&dir)?);
        let runs = tiers::load(
            &dir,
            options.segments.durable(),
            options.write,
            |name, file| Run::open(name, file, &options.book, |hash| filter.insert(hash)),
        )?;
        let next = runs.last().map_or(0, |run| run.extent.seqs.end);
        let active = Memtable::new(options.table_keys).beginning_at(next);
        let active = Arc::new(active);
        let view = View {
            active: Arc::clone(&active),
            frozen: Vec::new(),
            runs,
        };
        let shared = Arc::new(Shared {
            dir,
            book: options.book,
            keys: options.keys,
            filter,
            view: RwLock::new(Arc::new(view)),
            spare: Mutex::default(),
            table_keys: options.table_keys,
            segments: Arc::clone(&options.segments),
            signal: Signal::default(),
        });
        let worker = options
            .write
            .then(|| Worker::start(Arc::clone(&shared), "paygod-index", options.background));
        Ok(Self {
            shared,
            active,
            is_half_full: false,
            next,
            worker,
        })
    }

    /// The next entry to add.
    #[must_use]
    pub const fn next_seq(&self) -> Seq {
        Seq(self.next)
    }

    /// Adds the keys of the next entry, none or several. Called before the entry is committed, so that
    /// the next request finds it; if the commit fails, the writer is poisoned and the index is made
    /// anew from what is durable.
    ///
    /// # Errors
    /// The entry is not the next, has too many keys, or the background work has stopped.
    pub fn apply(&mut self, seq: Seq, keys: &[u64]) -> Result<(), DerivedError> {
        if seq.get() != self.next || keys.len() > KEYS_PER_ENTRY_MAX {
            return Err(DerivedError::OutOfOrder {
                expected: self.next,
                found: seq.get(),
            });
        }
        if self.active.room() < keys.len() && self.active.len() > 0 {
            self.freeze(seq.get(), keys.len())?;
        }
        self.next = self.next.saturating_add(1);
        for key in keys {
            self.shared.filter.insert(*key);
        }
        if self.insert_all(seq, keys).is_err() {
            // The table is full, or a cluster of hashes has filled its end. All keys of the entry go
            // into the next table: those that the old one took already lie past its end.
            self.freeze(seq.get(), keys.len().saturating_mul(4))?;
            self.insert_all(seq, keys)
                .map_err(|_| DerivedError::Stopped {
                    code: code::STORE_ORDER,
                    cause: format!("the keys of entry {} do not fit in a table", seq.get()),
                })?;
        }
        if !self.is_half_full && self.active.room() < self.active.len() {
            self.is_half_full = true;
            self.ask();
        }
        Ok(())
    }

    /// Has the tables before made runs, those that are durable by now, and an empty one ready.
    fn ask(&self) {
        if let Some(worker) = &self.worker {
            worker.ask();
        }
    }

    fn insert_all(&self, seq: Seq, keys: &[u64]) -> Result<(), Full> {
        keys.iter()
            .try_for_each(|key| self.active.insert(*key, seq.get()))
    }

    /// Begins a new table with the entry `end`; the full one becomes a run in the background.
    fn freeze(&mut self, end: u64, keys: usize) -> Result<(), DerivedError> {
        self.active.freeze(end);
        let active = self.shared.table(end, keys);
        self.shared.change_view(|view| {
            let full = std::mem::replace(&mut view.active, Arc::clone(&active));
            if full.first_seq < end {
                view.frozen.push(full);
            }
        });
        self.active = active;
        self.is_half_full = false;
        if self.worker.is_none() {
            return Ok(());
        }
        self.ask();
        let shared = &self.shared;
        // Tables whose entries are not durable yet are bounded by what is on its way to the disk.
        shared
            .signal
            .wait(|| shared.view().frozen.len() <= FROZEN_MAX || !shared.can_seal())
    }

    /// Has the table made a run as it is, for a snapshot; [`Finder::wait_sealed`] waits for it.
    ///
    /// # Errors
    /// The background work has stopped.
    pub fn seal(&mut self) -> Result<Seq, DerivedError> {
        if self.active.first_seq < self.next {
            self.freeze(self.next, 0)?;
        }
        Ok(Seq(self.next))
    }

    /// A look-up handle.
    #[must_use]
    pub fn finder(&self) -> Finder {
        Finder {
            shared: Arc::clone(&self.shared),
        }
    }
}

/// Makes keys of the index.
#[derive(Clone, Copy)]
pub struct KeyMaker(siphash::Key);

impl std::fmt::Debug for KeyMaker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyMaker(secret)")
    }
}

impl KeyMaker {
    pub(crate) const fn new(key: siphash::Key) -> Self {
        Self(key)
    }

    /// The key of a request id: its hash under a secret of the book.
    #[must_use]
    pub fn id(&self, id: &[u8]) -> u64 {
        siphash24(self.0, id)
    }

    /// The key of a window token, which is a keyed hash already.
    #[must_use]
    pub const fn token(&self, token: &[u8; 16]) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = *token;
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }
}

impl Finder {
    /// What makes the keys to look for.
    #[must_use]
    pub fn keys(&self) -> KeyMaker {
        self.shared.keys
    }

    /// Whether a key may be in the index; `false` is certain. The cheapest question.
    #[must_use]
    pub fn may_contain(&self, key: u64) -> bool {
        self.shared.filter.may_contain(key)
    }

    /// Reads where keys will be looked for and added, and decides nothing by it: so the reads wait for none of each
    /// other, and the memory is on its way to the processor's cache for all of them. What it gives depends on every read.
    #[must_use]
    pub fn warm(&self, keys: &[u64]) -> u64 {
        let active = Arc::clone(&self.shared.view().active);
        let reads = keys
            .iter()
            .map(|key| self.shared.filter.touch(*key) ^ active.touch(*key));
        reads.fold(0, |all, read| all ^ read)
    }

    /// The entries from `since` on that may hold a key, newest first, each once. The caller confirms
    /// each by reading it, and may stop at any.
    #[must_use]
    pub fn hits(&self, key: u64, since: Seq) -> Hits {
        let view = self.may_contain(key).then(|| self.shared.view());
        let tables = view
            .as_ref()
            .map_or(0, |view| view.frozen.len().saturating_add(1));
        let runs = view.as_ref().map_or(0, |view| view.runs.len());
        Hits {
            view,
            key,
            since: since.get(),
            tables,
            runs,
            table: None,
            page: None,
            seqs: Vec::new(),
            last: None,
        }
    }

    /// The oldest entries from `from` on that may hold a key, at most `most` of them, oldest first, each once. The
    /// caller confirms each by reading it.
    ///
    /// # Errors
    /// A run cannot be read.
    pub fn oldest(&self, key: u64, from: Seq, most: usize) -> Result<Vec<Seq>, DerivedError> {
        let mut seqs = Vec::new();
        if !self.may_contain(key) {
            return Ok(Vec::new());
        }
        let from = from.get();
        let view = self.shared.view();
        for run in view.runs.iter().filter(|run| run.extent.seqs.end > from) {
            run.seqs_from(key, from, most, &mut seqs)?;
            if seqs.len() >= most {
                break;
            }
        }
        for table in view.frozen.iter().chain([&view.active]) {
            if seqs.len() >= most {
                break;
            }
            table.seqs_from(key, from, &mut seqs);
            seqs.dedup();
        }
        seqs.truncate(most);
        Ok(seqs.into_iter().map(Seq).collect())
    }

    /// The newest entry from `since` on that may hold a key.
    ///
    /// # Errors
    /// A run cannot be read.
    pub fn last(&self, key: u64, since: Seq) -> Result<Option<Seq>, DerivedError> {
        self.hits(key, since).next().transpose()
    }

    /// Waits until the keys of all entries before `next` are in durable runs. Call
    /// [`IndexWriter::seal`] first.
    ///
    /// # Errors
    /// They are not even on their way there, the writer of the segments is poisoned, or the
    /// background work has stopped.
    pub fn wait_sealed(&self, next: Seq) -> Result<(), DerivedError> {
        let shared = &self.shared;
        loop {
            let active_from = shared.view().active.first_seq;
            if active_from < next.get() {
                return Err(DerivedError::OutOfOrder {
                    expected: active_from,
                    found: next.get(),
                });
            }
            {
                let _busy = shared.signal.busy();
                while shared.seal_oldest()? {}
            }
            if shared.sealed_to() >= next.get() {
                return Ok(());
            }
            if shared.segments.is_poisoned() {
                let cause = "an earlier write failed".to_owned();
                return Err(DerivedError::Stopped {
                    code: code::STORE_POISONED,
                    cause,
                });
            }
            let seen = shared.segments.durable();
            shared.signal.wait(|| {
                shared.segments.durable() > seen
                    || shared.segments.is_poisoned()
                    || shared.sealed_to() >= next.get()
            })?;
        }
    }

    /// What the index holds in memory and on disk.
    #[must_use]
    pub fn stats(&self) -> IndexStats {
        let view = self.shared.view();
        let tables = std::iter::once(&view.active).chain(&view.frozen);
        IndexStats {
            runs: view.runs.len(),
            keys_in_runs: view.runs.iter().map(|run| run.count).sum(),
            waiting_tables: view.frozen.len(),
            memory_bytes: tables
                .map(|table| table.bytes())
                .sum::<u64>()
                .saturating_add(self.shared.filter.bytes()),
        }
    }
}

/// What an index holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexStats {
    /// Sorted runs on disk.
    pub runs: usize,
    /// Keys in them.
    pub keys_in_runs: u64,
    /// Full tables that wait to become runs.
    pub waiting_tables: usize,
    /// Bytes of memory that the tables and the filter hold.
    pub memory_bytes: u64,
}

/// The entries that may hold a key, newest first.
#[derive(Debug)]
pub struct Hits {
    view: Option<Arc<View>>,
    key: u64,
    since: u64,
    /// Tables not looked at yet; the newest is looked at first.
    tables: usize,
    /// Runs not looked at yet; the newest is looked at first.
    runs: usize,
    /// The table looked at, and where in the key's chain.
    table: Option<(Arc<Memtable>, u64)>,
    /// The run looked at, and the page to read next.
    page: Option<(Arc<Run>, u64)>,
    /// Seqs read from a page, oldest first.
    seqs: Vec<u64>,
    /// The seq given last: an entry that holds a key twice is one hit.
    last: Option<u64>,
}

impl Iterator for Hits {
    type Item = Result<Seq, DerivedError>;

    fn next(&mut self) -> Option<Self::Item> {
        let view = self.view.clone()?;
        let mut found = self.advance(&view);
        while matches!(found, Ok(Some(seq)) if Some(seq) == self.last) {
            found = self.advance(&view);
        }
        match found {
            Ok(Some(seq)) if seq >= self.since => {
                self.last = Some(seq);
                Some(Ok(Seq(seq)))
            }
            // What follows is older still.
            Ok(_) => {
                self.view = None;
                None
            }
            Err(fault) => {
                self.view = None;
                Some(Err(fault))
            }
        }
    }
}

impl Hits {
    fn advance(&mut self, view: &View) -> Result<Option<u64>, DerivedError> {
        loop {
            if let Some(seq) = self.seqs.pop() {
                return Ok(Some(seq));
            }
            if let Some((table, place)) = &mut self.table {
                if let Some((seq, next)) = table.follow(*place) {
                    *place = next;
                    return Ok(Some(seq));
                }
                self.table = None;
            }
            if let Some((run, page)) = self.page.take() {
                let more = run.seqs_in(page, self.key, &mut self.seqs)?;
                if more && let Some(before) = page.checked_sub(1) {
                    self.page = Some((run, before));
                }
            } else if let Some(left) = self.tables.checked_sub(1) {
                self.tables = left;
                // All but the newest are in the list, oldest first.
                let table = view.frozen.get(left).unwrap_or(&view.active);
                let head = table.head(self.key);
                self.table = Some((Arc::clone(table), head));
            } else if let Some(left) = self.runs.checked_sub(1) {
                self.runs = left;
                let Some(run) = view.runs.get(left) else {
                    return Ok(None);
                };
                if run.extent.seqs.end <= self.since {
                    return Ok(None);
                }
                self.page = run
                    .last_page_of(self.key)
                    .map(|page| (Arc::clone(run), page));
            } else {
                return Ok(None);
            }
        }
    }
}
