//! Turns appended leaf hashes into the rows that a store appends to its level files.
//!
//! Level 0 holds leaf hashes, level 1 the roots of full 256-leaf tiles, level 2 the roots of full
//! level-1 tiles, and so on: hash `i` of level `k` covers leaves `i·256^k .. (i+1)·256^k`.
//! A level file of hashes back to back is its tiles back to back.
//!
//! `INVARIANT(append-only)`: rows only ever grow at their end; a hash once handed out is final.

use crate::frontier::{Frontier, FrontierError};
use crate::hash::{Hash, TreeHead};
use crate::limits::{HASH_BYTES, TILE_HEIGHT, TILE_LEVELS};

/// The hashes that became complete at each tile level since the rows were last begun.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    size_before: u64,
    levels: [Vec<[u8; HASH_BYTES]>; TILE_LEVELS],
}

impl Rows {
    /// Empty rows; keeps its memory from one use to the next.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// For each level with new hashes, lowest first: level, index of the first new hash within
    /// its level, and the new hashes as bytes, 32 each. The level file's length before the append
    /// is `32 × index`.
    pub fn iter(&self) -> impl Iterator<Item = (u8, u64, &[u8])> {
        (0_u8..)
            .zip(&self.levels)
            .filter(|(_, hashes)| !hashes.is_empty())
            .map(|(level, hashes)| {
                let first = self.size_before >> (TILE_HEIGHT * u32::from(level));
                (level, first, hashes.as_flattened())
            })
    }

    fn begin(&mut self, size: u64) {
        self.size_before = size;
        self.levels.iter_mut().for_each(Vec::clear);
    }

    fn push(&mut self, level: u32, hash: Hash) {
        if !level.is_multiple_of(TILE_HEIGHT) {
            return;
        }
        let row = usize::try_from(level / TILE_HEIGHT).ok();
        if let Some(row) = row.and_then(|row| self.levels.get_mut(row)) {
            row.push(hash.to_bytes());
        }
    }
}

/// Appends leaves to a tree and hands out the rows of its tiles.
#[derive(Clone, Debug, Default)]
pub struct TreeWriter {
    frontier: Frontier,
}

impl TreeWriter {
    /// Goes on from a frontier; [`Frontier::new`] for an empty log.
    #[must_use]
    pub const fn resume(frontier: Frontier) -> Self {
        Self { frontier }
    }

    /// Appends leaf hashes. `rows` is cleared and filled with what became complete.
    pub fn append(&mut self, leaves: &[Hash], rows: &mut Rows) {
        rows.begin(self.frontier.size());
        for leaf in leaves {
            self.frontier
                .push(0, *leaf, |level, hash| rows.push(level, hash));
        }
    }

    /// Appends a complete subtree of `2^level` leaves by its root, hashed elsewhere. `rows` is cleared
    /// and filled with what became complete from that level up; lower rows are the caller's.
    ///
    /// # Errors
    /// As [`Frontier::append_subtree`]; nothing was appended.
    pub fn append_subtree(
        &mut self,
        level: u32,
        root: Hash,
        rows: &mut Rows,
    ) -> Result<(), FrontierError> {
        self.frontier.check_subtree(level)?;
        rows.begin(self.frontier.size());
        self.frontier
            .push(level, root, |level, hash| rows.push(level, hash));
        Ok(())
    }

    /// The tree's right edge, to keep in a snapshot.
    #[must_use]
    pub const fn frontier(&self) -> &Frontier {
        &self.frontier
    }

    /// Number of leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// Size and root.
    #[must_use]
    pub fn head(&self) -> TreeHead {
        self.frontier.head()
    }
}
