//! A Bloom filter over every key of the index: it says of almost all absent keys that they are absent,
//! with about one cache line read a layer.
//!
//! One filter for the whole index rather than one a run: keys are never removed, so it outlives every
//! merge, and an absent key costs three or four reads instead of one a run. It grows by layers.
//!
//! What is there when a book is opened goes into one layer that has room for all of it: runs come in order
//! of their hashes, so a layer that is full halfway through a run would be dense in the one half.
//!
//! INVARIANT(no-false-absence): a key that was inserted is never reported absent. Bits are only set.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::index::{FROZEN_MAX, MEMTABLE_KEYS};
use crate::width::{to_u64, to_usize};

/// Eighteen bits a key: about four absent keys in ten thousand are reported present, a layer. Each of them costs the reading
/// of a page of every run, from memory that nobody has read for long.
const KEYS_PER_BLOCK: u64 = 28;

/// Keys that the layers take at least; the last capacity holds for all that follow.
const CAPACITIES: [u64; 3] = [1 << 21, 1 << 22, 1 << 24];

/// The next layer is made when this one has room for fewer keys than may come before the background looks again: those of
/// the tables that may wait for it, and of the active one. No sooner, since a layer has up to 38 MB.
const KEYS_AHEAD: usize = (FROZEN_MAX + 2) * MEMTABLE_KEYS;

/// Most layers: half a thousand million keys. Past that the last layer grows dense and look-ups read
/// more runs; no answer changes.
const LAYERS_MAX: usize = 32;

/// Most keys that the first layer is made for: somewhat more than a gibibyte, whatever the files on the disk say.
const FIRST_KEYS_MAX: u64 = 1 << 29;

/// A block is a cache line; a key sets one bit in each of its words.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Block([AtomicU64; 8]);

impl Block {
    /// The bit of each word that stands for a key.
    fn bits(hash: u64) -> [u64; 8] {
        // Another mixing than the one that chooses the block, so that the two are independent.
        let mixed = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = mixed ^ (mixed >> 29);
        [0_u32, 6, 12, 18, 24, 30, 36, 42].map(|shift| 1_u64 << ((mixed >> shift) & 63))
    }

    fn contains(&self, bits: &[u64; 8]) -> bool {
        let missing = self.0.iter().zip(bits).fold(0, |missing, (word, bit)| {
            missing | (!word.load(Ordering::Relaxed) & bit)
        });
        missing == 0
    }

    /// Sets the bits; says whether any was not set.
    fn insert(&self, bits: &[u64; 8]) -> bool {
        let mut changed = false;
        for (word, bit) in self.0.iter().zip(bits) {
            let before = word.load(Ordering::Relaxed);
            if before & bit == 0 {
                // There is one inserter, so nothing is lost between the load and the store.
                word.store(before | bit, Ordering::Relaxed);
                changed = true;
            }
        }
        changed
    }
}

#[derive(Debug)]
struct Layer {
    blocks: Vec<Block>,
}

impl Layer {
    fn new(capacity: u64) -> Self {
        let blocks = to_usize(capacity / KEYS_PER_BLOCK).max(1);
        Self {
            blocks: std::iter::repeat_with(Block::default)
                .take(blocks)
                .collect(),
        }
    }

    /// How many keys it takes.
    fn capacity(&self) -> u64 {
        to_u64(self.blocks.len()).saturating_mul(KEYS_PER_BLOCK)
    }

    /// The block of a key; blocks are in the order of the hashes, so that inserting a sorted run walks
    /// through memory once.
    fn block(&self, hash: u64) -> Option<&Block> {
        let index = ((hash >> 32).wrapping_mul(to_u64(self.blocks.len()))) >> 32;
        self.blocks.get(to_usize(index))
    }
}

/// The filter. Any thread may ask; one inserts.
#[derive(Debug)]
pub(crate) struct Filter {
    layers: [OnceLock<Layer>; LAYERS_MAX],
    current: AtomicUsize,
    /// Keys in the current layer.
    count: AtomicU64,
}

fn capacity(layer: usize) -> u64 {
    CAPACITIES
        .get(layer)
        .or(CAPACITIES.last())
        .copied()
        .unwrap_or(1 << 24)
}

impl Filter {
    /// A filter whose first layer has room for this many keys, and some.
    pub(crate) fn for_keys(keys: u64) -> Self {
        let room = keys.saturating_add(capacity(0)).min(FIRST_KEYS_MAX);
        let layers: [OnceLock<Layer>; LAYERS_MAX] = Default::default();
        if let Some(first) = layers.first() {
            first.get_or_init(|| Layer::new(room));
        }
        Self {
            layers,
            current: AtomicUsize::new(0),
            count: AtomicU64::new(0),
        }
    }

    fn layer(&self, index: usize) -> Option<&Layer> {
        self.layers
            .get(index)
            .map(|slot| slot.get_or_init(|| Layer::new(capacity(index))))
    }

    /// The layers that hold keys: not the one that was only made ahead of need.
    fn in_use(&self) -> impl Iterator<Item = &Layer> {
        let current = self.current.load(Ordering::Acquire);
        let layers = self.layers.iter().take(current.saturating_add(1));
        layers.map_while(OnceLock::get)
    }

    /// Whether the key may have been inserted; `false` is certain.
    pub(crate) fn may_contain(&self, hash: u64) -> bool {
        let bits = Block::bits(hash);
        // No early exit: the reads of all layers are under way at once.
        self.in_use().fold(false, |found, layer| {
            found | layer.block(hash).is_some_and(|block| block.contains(&bits))
        })
    }

    /// Reads from every line that [`Filter::may_contain`] will look at.
    pub(crate) fn touch(&self, hash: u64) -> u64 {
        let blocks = self.in_use().filter_map(|layer| layer.block(hash));
        blocks
            .filter_map(|block| block.0.first())
            .fold(0, |all, word| all ^ word.load(Ordering::Relaxed))
    }

    /// Inserts a key. Only ever called by one thread at a time.
    pub(crate) fn insert(&self, hash: u64) {
        let current = self.current.load(Ordering::Relaxed);
        let Some(layer) = self.layer(current) else {
            return;
        };
        let capacity = layer.capacity();
        let bits = Block::bits(hash);
        if !layer.block(hash).is_some_and(|block| block.insert(&bits)) {
            return;
        }
        let count = self.count.load(Ordering::Relaxed).saturating_add(1);
        if count >= capacity && current.saturating_add(1) < LAYERS_MAX {
            // The layer before what says that it is in use.
            self.layer(current.saturating_add(1));
            self.current
                .store(current.saturating_add(1), Ordering::Release);
            self.count.store(0, Ordering::Relaxed);
        } else {
            self.count.store(count, Ordering::Relaxed);
        }
    }

    /// Makes the next layer ahead of need, on another thread than the inserter's.
    pub(crate) fn prepare(&self) {
        let current = self.current.load(Ordering::Relaxed);
        let capacity = self.layer(current).map_or(u64::MAX, Layer::capacity);
        let count = self.count.load(Ordering::Relaxed);
        if capacity.saturating_sub(count) < to_u64(KEYS_AHEAD) {
            self.layer(current.saturating_add(1));
        }
    }

    /// Bytes of memory held.
    pub(crate) fn bytes(&self) -> u64 {
        let layers = self.layers.iter().map_while(OnceLock::get);
        layers
            .map(|layer| to_u64(layer.blocks.len()).saturating_mul(64))
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hashes that are spread as a keyed hash spreads them.
    fn hashes(seed: u64, count: u64) -> impl Iterator<Item = u64> {
        (0..count)
            .map(move |number| crate::siphash::siphash24([seed, number], &number.to_le_bytes()))
    }

    #[test]
    fn what_is_filled_from_sorted_runs_knows_absent_keys() {
        let runs: Vec<Vec<u64>> = (0..3)
            .map(|run| {
                let mut run: Vec<u64> = hashes(run, 100_000).collect();
                run.sort_unstable();
                run
            })
            .collect();
        let filter = Filter::for_keys(300_000);
        runs.iter().flatten().for_each(|hash| filter.insert(*hash));
        hashes(7, 100_000).for_each(|hash| filter.insert(hash));
        assert!(runs.iter().flatten().all(|hash| filter.may_contain(*hash)));
        let wrong = hashes(9, 100_000).filter(|hash| filter.may_contain(*hash));
        assert!(wrong.count() < 150, "more than 0.15 % of absent keys");
    }

    #[test]
    fn a_layer_is_made_before_it_is_needed_and_not_long_before() {
        let ahead = to_u64(KEYS_AHEAD);
        let filter = Filter::for_keys(0);
        let first = filter.bytes();
        let insert = |keys: &mut dyn Iterator<Item = u64>| keys.for_each(|key| filter.insert(key));
        insert(&mut hashes(3, capacity(0) - ahead - ahead / 10));
        filter.prepare();
        assert_eq!(filter.bytes(), first);
        // Some keys seem to be there already, and are not counted.
        insert(&mut hashes(4, ahead / 5));
        filter.prepare();
        assert!(filter.bytes() > first);
        assert_eq!(filter.current.load(Ordering::Relaxed), 0);
    }
}
