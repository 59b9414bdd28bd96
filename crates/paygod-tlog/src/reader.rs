//! Reads a tree through its tiles: roots at any size, inclusion and consistency proofs.
//!
//! A tile's inner nodes are computed once when it is first read and kept, so proofs that share
//! tiles share that work. Tiles are taken as they come: whoever does not trust the source compares
//! the root with a checkpoint first.

use paygod_types::code::{self, Code};
use thiserror::Error;

use crate::hash::{Hash, TreeHead, node_hash};
use crate::limits::{TILE_HEIGHT, TILE_WIDTH, TILES_MEMOISED_MAX, TREE_SIZE_MAX};
use crate::proof::{ConsistencyProof, InclusionProof, Range, consistency_ranges, inclusion_ranges};
use crate::tile::{Tile, TileError, TileKind};

/// Where tiles of hashes come from: level files, an export folder, memory.
pub trait HashSource {
    /// What can go wrong in reading.
    type Error;

    /// Fills `out` (empty when called) with the `tile.width()` hashes of a tile of hashes. Never
    /// asked for more than a tree of the reader's size holds.
    ///
    /// # Errors
    /// The tile cannot be read.
    fn read_tile(&self, tile: &Tile, out: &mut Vec<Hash>) -> Result<(), Self::Error>;
}

/// Why the tree could not be read.
#[derive(Debug, Error)]
pub enum ReadError<E> {
    /// The source failed.
    #[error("a tile could not be read")]
    Source(#[source] E),
    /// The source gave another number of hashes than the tile is wide.
    #[error("`{tile}` should hold {expected} hashes, found {found}; rebuild the tiles")]
    Width {
        /// The tile.
        tile: Tile,
        /// Its width.
        expected: u16,
        /// Hashes given.
        found: usize,
    },
    /// The tree is not that large.
    #[error("{asked} is past the tree of {size} leaves; ask for a leaf or size of this tree")]
    Range {
        /// The leaf or size asked for.
        asked: u64,
        /// The size of the tree.
        size: u64,
    },
    /// The place has no tile.
    #[error(transparent)]
    Tile(#[from] TileError),
}

impl<E> ReadError<E> {
    /// The permanent code of this error.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Source(_) | Self::Width { .. } => code::TLOG_SOURCE,
            Self::Range { .. } => code::TLOG_RANGE,
            Self::Tile(error) => error.code(),
        }
    }
}

/// A tree of a fixed size, read through a [`HashSource`].
#[derive(Debug)]
pub struct TreeReader<S> {
    source: S,
    size: u64,
    /// Most recently used last.
    memo: Vec<TileNodes>,
}

/// A tile with its inner nodes: `levels[h][i]` is the root over hashes `i·2^h .. (i+1)·2^h`.
#[derive(Debug)]
struct TileNodes {
    tile: Tile,
    levels: Vec<Vec<Hash>>,
}

impl<S: HashSource> TreeReader<S> {
    /// Reads the tree of `size` leaves.
    ///
    /// # Errors
    /// The size is above the limit.
    pub fn new(source: S, size: u64) -> Result<Self, ReadError<S::Error>> {
        if size > TREE_SIZE_MAX {
            return Err(ReadError::Range {
                asked: size,
                size: TREE_SIZE_MAX,
            });
        }
        Ok(Self {
            source,
            size,
            memo: Vec::new(),
        })
    }

    /// Number of leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The hash of one leaf.
    ///
    /// # Errors
    /// The leaf is past the tree, or the source failed.
    pub fn leaf(&mut self, index: u64) -> Result<Hash, ReadError<S::Error>> {
        if index >= self.size {
            return Err(ReadError::Range {
                asked: index,
                size: self.size,
            });
        }
        self.node(0, index)
    }

    /// Size and root of the tree as it was at `size` leaves.
    ///
    /// # Errors
    /// The tree was never that large, or the source failed.
    pub fn head_at(&mut self, size: u64) -> Result<TreeHead, ReadError<S::Error>> {
        self.expect_size(size)?;
        Ok(TreeHead {
            size,
            root: self.range_hash(0..size)?,
        })
    }

    /// Proves that leaf `index` is in the tree as it was at `size` leaves.
    ///
    /// # Errors
    /// There is no such leaf or size, or the source failed.
    pub fn inclusion(
        &mut self,
        index: u64,
        size: u64,
    ) -> Result<InclusionProof, ReadError<S::Error>> {
        self.expect_size(size)?;
        if index >= size {
            return Err(ReadError::Range { asked: index, size });
        }
        let hashes = self.hashes(inclusion_ranges(index, size))?;
        Ok(InclusionProof {
            index,
            size,
            hashes,
        })
    }

    /// Proves that the tree at `old` leaves is the beginning of the tree at `new` leaves.
    ///
    /// # Errors
    /// The sizes are out of order or past the tree, or the source failed.
    pub fn consistency(
        &mut self,
        old: u64,
        new: u64,
    ) -> Result<ConsistencyProof, ReadError<S::Error>> {
        self.expect_size(new)?;
        if old > new {
            return Err(ReadError::Range {
                asked: old,
                size: new,
            });
        }
        Ok(ConsistencyProof {
            hashes: self.hashes(consistency_ranges(old, new))?,
        })
    }

    const fn expect_size(&self, size: u64) -> Result<(), ReadError<S::Error>> {
        if size > self.size {
            return Err(ReadError::Range {
                asked: size,
                size: self.size,
            });
        }
        Ok(())
    }

    fn hashes(&mut self, ranges: Vec<Range>) -> Result<Vec<Hash>, ReadError<S::Error>> {
        ranges
            .into_iter()
            .map(|range| self.range_hash(range))
            .collect()
    }

    /// The Merkle Tree Hash over a range that begins where a subtree of its size may begin.
    fn range_hash(&mut self, range: Range) -> Result<Hash, ReadError<S::Error>> {
        let mut peaks = Vec::new();
        let mut start = range.start;
        while start < range.end {
            let height = (range.end - start).ilog2();
            peaks.push(self.node(height, start >> height)?);
            start += 1 << height;
        }
        let mut smallest_first = peaks.iter().rev();
        Ok(smallest_first.next().map_or(Hash::EMPTY_TREE, |smallest| {
            smallest_first.fold(*smallest, |right, left| node_hash(left, &right))
        }))
    }

    /// The root of complete subtree `position` of `2^height` leaves.
    fn node(&mut self, height: u32, position: u64) -> Result<Hash, ReadError<S::Error>> {
        let within = height % TILE_HEIGHT;
        let level = u8::try_from(height / TILE_HEIGHT).unwrap_or(u8::MAX);
        let index = position >> (TILE_HEIGHT - within);
        let offset = position & ((1 << (TILE_HEIGHT - within)) - 1);
        let hashes_in_level = self.size >> (height - within);
        let width = hashes_in_level
            .saturating_sub(index << TILE_HEIGHT)
            .min(TILE_WIDTH.into());
        let width = u16::try_from(width).unwrap_or(TILE_WIDTH);
        let tile = Tile::new(TileKind::Hashes(level), index, width)?;
        let size = self.size;
        let nodes = self.tile(tile)?;
        let row = usize::try_from(within)
            .ok()
            .and_then(|row| nodes.levels.get(row));
        let node = usize::try_from(offset).ok().and_then(|at| row?.get(at));
        node.copied().ok_or(ReadError::Range {
            asked: position,
            size,
        })
    }

    fn tile(&mut self, tile: Tile) -> Result<&TileNodes, ReadError<S::Error>> {
        let nodes = match self.memo.iter().position(|nodes| nodes.tile == tile) {
            Some(at) => self.memo.remove(at),
            None => {
                let mut hashes = Vec::with_capacity(usize::from(tile.width()));
                self.source
                    .read_tile(&tile, &mut hashes)
                    .map_err(ReadError::Source)?;
                if hashes.len() != usize::from(tile.width()) {
                    let (expected, found) = (tile.width(), hashes.len());
                    return Err(ReadError::Width {
                        tile,
                        expected,
                        found,
                    });
                }
                if self.memo.len() >= TILES_MEMOISED_MAX {
                    self.memo.remove(0);
                }
                TileNodes::new(tile, hashes)
            }
        };
        Ok(self.memo.push_mut(nodes))
    }
}

impl TileNodes {
    fn new(tile: Tile, hashes: Vec<Hash>) -> Self {
        let mut levels = vec![hashes];
        while let Some(below) = levels.last()
            && below.len() > 1
        {
            let (pairs, _) = below.as_chunks::<2>();
            let above = pairs
                .iter()
                .map(|[left, right]| node_hash(left, right))
                .collect();
            levels.push(above);
        }
        Self { tile, levels }
    }
}
