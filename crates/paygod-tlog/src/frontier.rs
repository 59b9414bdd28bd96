//! The right edge of a growing tree: all that is needed to append leaves and to know the root.
//!
//! There is always exactly one peak (root of a complete subtree) for each set bit
//! of the size, the largest subtree first. Serialised for snapshots in that order.

use paygod_types::code::{self, Code};
use thiserror::Error;

use crate::hash::{Hash, TreeHead, node_hash, tree_root};
use crate::limits::{HASH_BYTES, TILE_HASHES, TILE_HEIGHT, TILE_WIDTH, TREE_SIZE_MAX};

/// Incremental RFC 6962 tree: append leaves, read the root at any moment. About two hashes a leaf.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Frontier {
    size: u64,
    /// One for each set bit of `size`, largest subtree first.
    peaks: Vec<Hash>,
}

/// Why a frontier could not be read or grown.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum FrontierError {
    /// The bytes are not a frontier.
    #[error(
        "a frontier of size {size} takes {expected} bytes, found {found}; take another snapshot"
    )]
    Length {
        /// The size that the bytes announce (0 when they are too few to say).
        size: u64,
        /// Bytes that size needs.
        expected: usize,
        /// Bytes given.
        found: usize,
    },
    /// The tree would hold more leaves than a tree may.
    #[error("a tree holds at most {TREE_SIZE_MAX} leaves, found {found}; start another log")]
    Size {
        /// The size that was asked for.
        found: u64,
    },
    /// A subtree can only be appended where its own size divides the tree's.
    #[error(
        "a subtree of 2^{level} leaves cannot stand at {size}; append single leaves up to its boundary"
    )]
    Misaligned {
        /// Height of the subtree.
        level: u32,
        /// Size of the tree it was to be appended to.
        size: u64,
    },
}

impl FrontierError {
    /// The permanent code of this error.
    #[must_use]
    pub const fn code(&self) -> Code {
        code::TLOG_FRONTIER
    }
}

impl Frontier {
    /// A tree without leaves.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            size: 0,
            peaks: Vec::new(),
        }
    }

    /// Number of leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The root at the present size. At most 62 hashes.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut smallest_first = self.peaks.iter().rev();
        smallest_first.next().map_or(Hash::EMPTY_TREE, |smallest| {
            smallest_first.fold(*smallest, |right, left| node_hash(left, &right))
        })
    }

    /// Size and root together.
    #[must_use]
    pub fn head(&self) -> TreeHead {
        TreeHead {
            size: self.size,
            root: self.root(),
        }
    }

    /// Appends one leaf by its hash.
    pub fn append(&mut self, leaf: Hash) {
        self.push(0, leaf, |_, _| {});
    }

    /// Appends leaves by their hashes, whole tiles at once where they fit.
    pub fn append_batch(&mut self, leaves: &[Hash]) {
        let width = u64::from(TILE_WIDTH);
        let to_boundary = (width - self.size % width) % width;
        let to_boundary = usize::try_from(to_boundary).unwrap_or(0).min(leaves.len());
        let (head, rest) = leaves.split_at(to_boundary);
        head.iter().for_each(|leaf| self.append(*leaf));
        let (tiles, tail) = rest.as_chunks::<TILE_HASHES>();
        for tile in tiles {
            let mut nodes = *tile;
            self.push(TILE_HEIGHT, tree_root(&mut nodes), |_, _| {});
        }
        tail.iter().for_each(|leaf| self.append(*leaf));
    }

    /// Appends a complete subtree of `2^level` leaves by its root, so that subtrees can be hashed
    /// elsewhere, for instance on other threads.
    ///
    /// # Errors
    /// The size of the tree is no multiple of the subtree's, or the tree would grow too large.
    pub fn append_subtree(&mut self, level: u32, root: Hash) -> Result<(), FrontierError> {
        self.check_subtree(level)?;
        self.push(level, root, |_, _| {});
        Ok(())
    }

    /// Whether a complete subtree of `2^level` leaves may be appended here.
    pub(crate) fn check_subtree(&self, level: u32) -> Result<(), FrontierError> {
        let leaves = 1_u64
            .checked_shl(level)
            .ok_or(FrontierError::Size { found: u64::MAX })?;
        let grown = self.size.saturating_add(leaves);
        if grown > TREE_SIZE_MAX {
            return Err(FrontierError::Size { found: grown });
        }
        if !self.size.is_multiple_of(leaves) {
            return Err(FrontierError::Misaligned {
                level,
                size: self.size,
            });
        }
        Ok(())
    }

    /// Appends an aligned subtree and tells `on_node(level, root)` of it and of every larger
    /// subtree that it completes, smallest first.
    pub(crate) fn push(&mut self, level: u32, root: Hash, mut on_node: impl FnMut(u32, Hash)) {
        let mut node = root;
        on_node(level, node);
        for height in 1..=(self.size >> level).trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                node = node_hash(&left, &node);
                on_node(level + height, node);
            }
        }
        self.peaks.push(node);
        // Cannot overflow: single leaves would need centuries, and subtrees are bounded above.
        self.size = self.size.saturating_add(1 << level);
    }

    /// Bytes for a snapshot: the size as 8 bytes big-endian, then the peaks, largest first.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(8 + self.peaks.len() * HASH_BYTES);
        out.extend_from_slice(&self.size.to_be_bytes());
        self.peaks
            .iter()
            .for_each(|peak| out.extend_from_slice(peak.as_bytes()));
        out
    }

    /// Reads what [`Frontier::to_bytes`] wrote. A frontier carries no checksum of its own: compare
    /// its root with a checkpoint before trusting it.
    ///
    /// # Errors
    /// The length does not fit the size, or the size is above the limit.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FrontierError> {
        let short = FrontierError::Length {
            size: 0,
            expected: 8,
            found: bytes.len(),
        };
        let (size, peaks) = bytes.split_first_chunk::<8>().ok_or(short)?;
        let size = u64::from_be_bytes(*size);
        if size > TREE_SIZE_MAX {
            return Err(FrontierError::Size { found: size });
        }
        let (peaks, odd) = crate::hash::split_hashes(peaks);
        let count = usize::try_from(size.count_ones()).unwrap_or(usize::MAX);
        if !odd.is_empty() || peaks.len() != count {
            let expected = count.saturating_mul(HASH_BYTES).saturating_add(8);
            return Err(FrontierError::Length {
                size,
                expected,
                found: bytes.len(),
            });
        }
        Ok(Self {
            size,
            peaks: peaks.iter().copied().map(Hash::new).collect(),
        })
    }
}
