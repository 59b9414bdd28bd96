//! The newest keys of the index, in memory: a hash table that one thread fills while others read.
//!
//! A slot holds a key and the head of the chain of its seqs, newest first, so a key that comes a
//! hundred thousand times costs no more than one that comes once. Slots are in the order of the
//! hashes, so that writing a sorted run needs little sorting.
//!
//! INVARIANT(publish-after-write): a slot's head is stored (release) after everything it leads to, and
//! loaded (acquire) before any of it is read.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::index::run::Key;
use crate::width::{to_u64, to_usize};

/// How many keys a table takes. Small enough for the processor's cache, large enough that ten million
/// entries make about 150 first runs.
pub(crate) const MEMTABLE_KEYS: usize = 1 << 17;

/// Least room behind the last slot, instead of going round to the first: that would break the order.
const SLOTS_BEHIND_MIN: usize = 64;

#[derive(Debug, Default)]
#[repr(align(16))]
struct Slot {
    key: AtomicU64,
    /// One more than the place in the log; zero when the slot is free.
    head: AtomicU64,
}

/// The table.
#[derive(Debug)]
pub(crate) struct Memtable {
    pub(crate) first_seq: u64,
    /// There are twice as many slots as keys, so that chains of probes stay short.
    slot_bits: u32,
    slots: Vec<Slot>,
    /// For each key inserted: how far its seq is from the first (high half), and one more than the
    /// place of the previous of the same key (low half).
    log: Vec<AtomicU64>,
    len: AtomicU32,
    /// The seq after the last entry; set when the table is full and no more is inserted.
    end_seq: AtomicU64,
}

/// The table takes no more keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl Memtable {
    /// An empty table.
    pub(crate) fn new(keys: usize) -> Self {
        let keys = keys.clamp(2, MEMTABLE_KEYS).next_power_of_two();
        let slots = keys.saturating_mul(2);
        let behind = SLOTS_BEHIND_MIN.max(slots / 64);
        Self {
            first_seq: 0,
            slot_bits: slots.trailing_zeros(),
            slots: std::iter::repeat_with(Slot::default)
                .take(slots.saturating_add(behind))
                .collect(),
            log: std::iter::repeat_with(AtomicU64::default)
                .take(keys)
                .collect(),
            len: AtomicU32::new(0),
            end_seq: AtomicU64::new(0),
        }
    }

    /// The table, empty, in the same memory. What is left in the log is led to by nothing.
    pub(crate) fn emptied(mut self) -> Self {
        for slot in &mut self.slots {
            *slot.head.get_mut() = 0;
        }
        *self.len.get_mut() = 0;
        self
    }

    /// The table, empty as it is, for the entries from this one on.
    pub(crate) fn beginning_at(mut self, seq: u64) -> Self {
        self.first_seq = seq;
        *self.end_seq.get_mut() = seq;
        self
    }

    pub(crate) fn len(&self) -> usize {
        to_usize(u64::from(self.len.load(Ordering::Acquire)))
    }

    pub(crate) fn end_seq(&self) -> u64 {
        self.end_seq.load(Ordering::Acquire)
    }

    pub(crate) fn freeze(&self, end_seq: u64) {
        self.end_seq.store(end_seq, Ordering::Release);
    }

    /// How many more keys it takes.
    pub(crate) fn room(&self) -> usize {
        self.log.len().saturating_sub(self.len())
    }

    fn probe(&self, hash: u64) -> impl Iterator<Item = &Slot> {
        let start = to_usize(hash >> (u64::BITS - self.slot_bits));
        self.slots.get(start..).unwrap_or(&[]).iter()
    }

    /// Inserts a key. Only ever called by one thread, with seqs that never fall.
    pub(crate) fn insert(&self, hash: u64, seq: u64) -> Result<(), Full> {
        let len = self.len.load(Ordering::Relaxed);
        let cell = self.log.get(to_usize(u64::from(len))).ok_or(Full)?;
        let delta = seq.checked_sub(self.first_seq).ok_or(Full)?;
        let delta = u32::try_from(delta).map_err(|_| Full)?;
        let mut free = None;
        for slot in self.probe(hash) {
            let head = slot.head.load(Ordering::Relaxed);
            if head == 0 || slot.key.load(Ordering::Relaxed) == hash {
                free = Some((slot, head));
                break;
            }
        }
        let (slot, previous) = free.ok_or(Full)?;
        cell.store((u64::from(delta) << 32) | previous, Ordering::Relaxed);
        slot.key.store(hash, Ordering::Relaxed);
        let next = len.saturating_add(1);
        slot.head.store(u64::from(next), Ordering::Release);
        self.len.store(next, Ordering::Release);
        Ok(())
    }

    /// Reads from the line in which the chain of a key most probably begins.
    pub(crate) fn touch(&self, hash: u64) -> u64 {
        let slot = self.probe(hash).next();
        slot.map_or(0, |slot| slot.head.load(Ordering::Relaxed))
    }

    /// Where the chain of a key begins; zero when the table has not the key.
    pub(crate) fn head(&self, hash: u64) -> u64 {
        for slot in self.probe(hash) {
            let head = slot.head.load(Ordering::Acquire);
            if head == 0 {
                return 0;
            }
            if slot.key.load(Ordering::Relaxed) == hash {
                return head;
            }
        }
        0
    }

    /// The seq at a place of a chain, and the next place; `None` at its end.
    pub(crate) fn follow(&self, place: u64) -> Option<(u64, u64)> {
        let cell = self
            .log
            .get(to_usize(place.checked_sub(1)?))?
            .load(Ordering::Relaxed);
        Some((
            self.first_seq.saturating_add(cell >> 32),
            cell & 0xffff_ffff,
        ))
    }

    /// Appends the seqs of a key from `from` on to `out`, oldest first.
    pub(crate) fn seqs_from(&self, hash: u64, from: u64, out: &mut Vec<u64>) {
        let before = out.len();
        let mut place = self.head(hash);
        while let Some((seq, next)) = self.follow(place) {
            if seq < from {
                break;
            }
            out.push(seq);
            place = next;
        }
        out.get_mut(before..).unwrap_or(&mut []).reverse();
    }

    /// Gives all keys of the entries before the end, in the order of a run. Slots are in the order of the hashes but
    /// within a cluster, which no free slot divides, and no key is outside its own.
    pub(crate) fn in_order<E>(&self, mut give: impl FnMut(Key) -> Result<(), E>) -> Result<(), E> {
        let end = self.end_seq();
        let mut cluster = Vec::new();
        for slots in self
            .slots
            .split(|slot| slot.head.load(Ordering::Acquire) == 0)
        {
            cluster.clear();
            for slot in slots {
                let mut place = slot.head.load(Ordering::Acquire);
                let hash = slot.key.load(Ordering::Relaxed);
                while let Some((seq, next)) = self.follow(place) {
                    if seq < end {
                        cluster.push(Key { hash, seq });
                    }
                    place = next;
                }
            }
            cluster.sort_unstable();
            cluster.iter().try_for_each(|key| give(*key))?;
        }
        Ok(())
    }

    /// Bytes of memory held.
    pub(crate) fn bytes(&self) -> u64 {
        to_u64(self.slots.len().saturating_mul(16))
            .saturating_add(to_u64(self.log.len().saturating_mul(8)))
    }
}
