//! A Bloom filter over every key of the index: it says of almost all absent keys that they are absent,
//! with about one cache line read a layer.
//!
//! One filter for the whole index rather than one a run: keys are never removed, so it outlives every
//! merge, and an absent key costs three or four reads instead of one a run. It grows by layers.
//!
//! INVARIANT(no-false-absence): a key that was inserted is never reported absent. Bits are only set.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::width::{to_u64, to_usize};

/// Sixteen bits a key: about one absent key in a thousand is reported present, a layer.
const KEYS_PER_BLOCK: u64 = 32;

/// Keys that the layers take; the last capacity holds for all that follow.
const CAPACITIES: [u64; 4] = [1 << 16, 1 << 20, 1 << 22, 1 << 24];

/// Most layers: half a thousand million keys. Past that the last layer grows dense and look-ups read
/// more runs; no answer changes.
const LAYERS_MAX: usize = 32;

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
    pub(crate) fn new() -> Self {
        let filter = Self {
            layers: Default::default(),
            current: AtomicUsize::new(0),
            count: AtomicU64::new(0),
        };
        filter.layer(0);
        filter
    }

    fn layer(&self, index: usize) -> Option<&Layer> {
        self.layers
            .get(index)
            .map(|slot| slot.get_or_init(|| Layer::new(capacity(index))))
    }

    /// Whether the key may have been inserted; `false` is certain.
    pub(crate) fn may_contain(&self, hash: u64) -> bool {
        let bits = Block::bits(hash);
        let layers = self.layers.iter().map_while(OnceLock::get);
        // No early exit: the reads of all layers are under way at once.
        layers.fold(false, |found, layer| {
            found | layer.block(hash).is_some_and(|block| block.contains(&bits))
        })
    }

    /// Inserts a key. Only ever called by one thread at a time.
    pub(crate) fn insert(&self, hash: u64) {
        let current = self.current.load(Ordering::Relaxed);
        let Some(layer) = self.layer(current) else {
            return;
        };
        let bits = Block::bits(hash);
        if !layer.block(hash).is_some_and(|block| block.insert(&bits)) {
            return;
        }
        let count = self.count.load(Ordering::Relaxed).saturating_add(1);
        if count >= capacity(current) && current.saturating_add(1) < LAYERS_MAX {
            self.current
                .store(current.saturating_add(1), Ordering::Relaxed);
            self.layer(current.saturating_add(1));
            self.count.store(0, Ordering::Relaxed);
        } else {
            self.count.store(count, Ordering::Relaxed);
        }
    }

    /// Makes the next layer ahead of need, on another thread than the inserter's.
    pub(crate) fn prepare(&self) {
        let current = self.current.load(Ordering::Relaxed);
        if self.count.load(Ordering::Relaxed) > capacity(current) / 2 {
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
