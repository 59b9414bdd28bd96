//! The tree's hashes, in one file a tile level: `tree/0` the leaf hashes, `tree/1` the roots of full
//! tiles of leaves, and so on. A file is its tiles back to back, so a tile is one read.
//!
//! Derived: made anew from the entries. Not flushed by each append, but a piece at a time and before a
//! snapshot; what a crash took from them is appended again on open. Beside a writer nothing is written and
//! nothing after the snapshot is read from the files: those hashes are made anew and kept in memory.
//!
//! It does not hash entries: whoever appends brings leaf hashes, computed on any thread.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use paygod_tlog::limits::{HASH_BYTES, TILE_HEIGHT, TILE_LEVELS, TILE_WIDTH};
use paygod_tlog::{
    Frontier, Hash, HashSource, Rows, Tile, TileKind, TreeHead, TreeReader, TreeWriter,
};

use crate::disk::{Access, Dir, OpenFile, PIECE_BYTES};
use crate::error::DerivedError;
use crate::width::{to_u64, to_usize};

#[derive(Debug)]
struct Levels {
    dir: Dir,
    access: Access,
    files: [OnceLock<OpenFile>; TILE_LEVELS],
    size: AtomicU64,
    /// Read-only: what was appended to each level.
    kept: RwLock<[Kept; TILE_LEVELS]>,
}

/// The end of a level that is not in its file.
#[derive(Debug, Default)]
struct Kept {
    /// Where it begins in the level, in bytes.
    from: u64,
    hashes: Vec<u8>,
}

impl Levels {
    fn file(&self, level: u8) -> Result<&OpenFile, DerivedError> {
        let Some(slot) = self.files.get(usize::from(level)) else {
            let path = self.dir.file_path(&level.to_string());
            return Err(DerivedError::Corrupt {
                path,
                offset: 0,
                what: "there is no such level",
            });
        };
        if let Some(file) = slot.get() {
            return Ok(file);
        }
        let file = self.dir.open(&level.to_string(), self.access)?;
        Ok(slot.get_or_init(|| file))
    }

    /// Fills `out` with the level's bytes from `offset` on.
    fn read(&self, level: u8, out: &mut [u8], offset: u64) -> Result<(), DerivedError> {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        let kept = kept.get(usize::from(level));
        let Some(kept) = kept.filter(|kept| !kept.hashes.is_empty()) else {
            return Ok(self.file(level)?.read_exact_at(out, offset)?);
        };
        let in_file = to_usize(kept.from.saturating_sub(offset)).min(out.len());
        let (before, after) = out.split_at_mut(in_file);
        if !before.is_empty() {
            self.file(level)?.read_exact_at(before, offset)?;
        }
        let start = to_usize(offset.saturating_sub(kept.from));
        let end = start.saturating_add(after.len());
        match kept.hashes.get(start..end) {
            Some(hashes) => after.copy_from_slice(hashes),
            None => return Err(self.refuse("the tree does not hold these hashes")),
        }
        Ok(())
    }

    fn keep(&self, level: u8, offset: u64, hashes: &[u8]) {
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = kept.get_mut(usize::from(level)) {
            if kept.hashes.is_empty() {
                kept.from = offset;
            }
            kept.hashes.extend_from_slice(hashes);
        }
    }

    fn refuse(&self, what: &'static str) -> DerivedError {
        DerivedError::Corrupt {
            path: self.dir.path().to_path_buf(),
            offset: 0,
            what,
        }
    }
}

/// Appends to the tree files. There is one; it may live on any thread.
#[derive(Debug)]
pub struct TreeFiles {
    levels: Arc<Levels>,
    tree: TreeWriter,
    rows: Rows,
    write: bool,
    /// Bytes of leaf hashes that were not flushed.
    unflushed: usize,
}

impl TreeFiles {
    pub(crate) fn open(dir: Dir, write: bool) -> Self {
        let access = if write {
            Access::OpenOrCreate
        } else {
            Access::Read
        };
        let levels = Levels {
            dir,
            access,
            files: Default::default(),
            size: AtomicU64::new(0),
            kept: RwLock::default(),
        };
        Self {
            levels: Arc::new(levels),
            tree: TreeWriter::default(),
            rows: Rows::new(),
            write,
            unflushed: 0,
        }
    }

    /// Goes on from a frontier, if the files hold the tree that it is the edge of.
    pub(crate) fn resume(&mut self, frontier: Frontier) -> Result<bool, DerivedError> {
        let head = frontier.head();
        if !self.holds(head.size)? {
            return Ok(false);
        }
        self.levels.size.store(head.size, Ordering::Release);
        if head.size > 0 && self.source().head_at(head.size)? != head {
            self.levels.size.store(0, Ordering::Release);
            return Ok(false);
        }
        self.tree = TreeWriter::resume(frontier);
        Ok(true)
    }

    fn holds(&self, size: u64) -> Result<bool, DerivedError> {
        for level in 0..u8::try_from(TILE_LEVELS).unwrap_or(0) {
            let hashes = size >> (TILE_HEIGHT * u32::from(level));
            let bytes = hashes.saturating_mul(to_u64(HASH_BYTES));
            if hashes > 0 && self.levels.file(level)?.len()? < bytes {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Appends leaf hashes; readers see them when this returns.
    ///
    /// # Errors
    /// The disk refused; open the book again.
    pub fn append(&mut self, leaves: &[Hash]) -> Result<(), DerivedError> {
        self.tree.append(leaves, &mut self.rows);
        for (level, first, hashes) in self.rows.iter() {
            let offset = first.saturating_mul(to_u64(HASH_BYTES));
            if self.write {
                self.levels.file(level)?.write_at(hashes, offset)?;
            } else {
                self.levels.keep(level, offset, hashes);
            }
        }
        self.levels.size.store(self.tree.size(), Ordering::Release);
        if !self.write {
            return Ok(());
        }
        self.unflushed = self
            .unflushed
            .saturating_add(leaves.len().saturating_mul(HASH_BYTES));
        if self.unflushed >= PIECE_BYTES {
            self.levels.file(0)?.sync()?;
            self.unflushed = 0;
        }
        Ok(())
    }

    /// Size and root of the tree.
    #[must_use]
    pub fn head(&self) -> TreeHead {
        self.tree.head()
    }

    /// Number of leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.tree.size()
    }

    /// The tree's right edge.
    #[must_use]
    pub const fn frontier(&self) -> &Frontier {
        self.tree.frontier()
    }

    /// A reader of the tree's tiles, cheap to clone.
    #[must_use]
    pub fn source(&self) -> TreeSource {
        TreeSource {
            levels: Arc::clone(&self.levels),
        }
    }
}

/// Reads tiles while the tree grows.
#[derive(Clone, Debug)]
pub struct TreeSource {
    levels: Arc<Levels>,
}

impl TreeSource {
    /// How many leaves can be read.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.levels.size.load(Ordering::Acquire)
    }

    /// Makes everything appended so far durable.
    pub(crate) fn sync(&self) -> Result<(), DerivedError> {
        for file in self.levels.files.iter().filter_map(OnceLock::get) {
            file.sync()?;
        }
        self.levels.dir.sync()?;
        Ok(())
    }

    /// The root of the first `size` leaves.
    ///
    /// # Errors
    /// The tree is not that large, or a tile cannot be read.
    pub fn head_at(&self, size: u64) -> Result<TreeHead, DerivedError> {
        let mut reader = TreeReader::new(self, size).map_err(|fault| self.fault(fault))?;
        reader.head_at(size).map_err(|fault| self.fault(fault))
    }

    /// The bytes of a tile of hashes, as they are served: `32 × width` of them.
    ///
    /// # Errors
    /// The tree does not hold the tile, or the disk refused.
    pub fn tile_bytes(&self, tile: &Tile, out: &mut Vec<u8>) -> Result<(), DerivedError> {
        let TileKind::Hashes(level) = tile.kind() else {
            return Err(self
                .levels
                .refuse("a bundle of entries is no tile of hashes"));
        };
        let first = tile.index().saturating_mul(u64::from(TILE_WIDTH));
        let end = first.saturating_add(u64::from(tile.width()));
        let hashes = self
            .size()
            .checked_shr(TILE_HEIGHT * u32::from(level))
            .unwrap_or(0);
        if end > hashes {
            return Err(self.levels.refuse("the tree does not hold this tile yet"));
        }
        out.clear();
        out.resize(usize::from(tile.width()).saturating_mul(HASH_BYTES), 0);
        let offset = first.saturating_mul(to_u64(HASH_BYTES));
        self.levels.read(level, out, offset)
    }

    fn fault(&self, fault: paygod_tlog::ReadError<DerivedError>) -> DerivedError {
        match fault {
            paygod_tlog::ReadError::Source(fault) => fault,
            _ => self.levels.refuse("the tree has not the size asked for"),
        }
    }
}

impl HashSource for &TreeSource {
    type Error = DerivedError;

    fn read_tile(&self, tile: &Tile, out: &mut Vec<Hash>) -> Result<(), DerivedError> {
        HashSource::read_tile(*self, tile, out)
    }
}

impl HashSource for TreeSource {
    type Error = DerivedError;

    fn read_tile(&self, tile: &Tile, out: &mut Vec<Hash>) -> Result<(), DerivedError> {
        let mut bytes = Vec::new();
        self.tile_bytes(tile, &mut bytes)?;
        let (hashes, _) = bytes.as_chunks::<HASH_BYTES>();
        out.extend(hashes.iter().map(|hash| Hash::new(*hash)));
        Ok(())
    }
}
