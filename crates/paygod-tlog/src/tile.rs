//! Names of tiles and entry bundles (tlog-tiles): `tile/<L>/<N>[.p/<W>]` and
//! `tile/entries/<N>[.p/<W>]`, and which of them make up a tree of a given size.

use core::fmt::{self, Write as _};

use paygod_types::code::{self, Code};
use thiserror::Error;

use crate::limits::{
    TILE_HEIGHT, TILE_LEVEL_MAX, TILE_LEVELS, TILE_PATH_BYTES_MAX, TILE_WIDTH, TREE_SIZE_MAX,
};

/// What a tile holds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum TileKind {
    /// Hashes of the tree at this tile level, 0 to 63.
    Hashes(u8),
    /// Entries: an entry bundle.
    Entries,
}

/// One tile or bundle: what it holds, its index within its level, and its width, 1 to 256.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Tile {
    kind: TileKind,
    index: u64,
    width: u16,
}

/// Why a tile has no such name.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum TileError {
    /// The level is above 63.
    #[error("a tile level is 0 to {TILE_LEVEL_MAX}, found {found}; ask for a level of the tree")]
    Level {
        /// The level given.
        found: u8,
    },
    /// The width is 0 or above 256.
    #[error(
        "a tile width is 1 to {TILE_WIDTH}, found {found}; take the width from the tree's size"
    )]
    Width {
        /// The width given.
        found: u16,
    },
    /// The index is past the largest tree.
    #[error(
        "tile index {found} is past a tree of {TREE_SIZE_MAX} leaves; take the index from the tree's size"
    )]
    Index {
        /// The index given.
        found: u64,
    },
    /// The text is not the path of a tile.
    #[error(
        "`{path}` is not the path of a tile; it reads `tile/<level or entries>/<index>[.p/<width>]`"
    )]
    Path {
        /// What was given, cut to the longest path there is, control characters escaped.
        path: String,
    },
}

impl TileError {
    /// The permanent code of this error.
    #[must_use]
    pub const fn code(&self) -> Code {
        code::TLOG_TILE
    }
}

impl Tile {
    /// Names a tile.
    ///
    /// # Errors
    /// Level, index or width is outside what the specification and [`crate::limits`] allow.
    pub const fn new(kind: TileKind, index: u64, width: u16) -> Result<Self, TileError> {
        if let TileKind::Hashes(level) = kind
            && level > TILE_LEVEL_MAX
        {
            return Err(TileError::Level { found: level });
        }
        if width == 0 || width > TILE_WIDTH {
            return Err(TileError::Width { found: width });
        }
        if index >= TREE_SIZE_MAX >> TILE_HEIGHT {
            return Err(TileError::Index { found: index });
        }
        Ok(Self { kind, index, width })
    }

    /// What the tile holds.
    #[must_use]
    pub const fn kind(&self) -> TileKind {
        self.kind
    }

    /// Position within its level.
    #[must_use]
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// Number of hashes or entries, 1 to 256.
    #[must_use]
    pub const fn width(&self) -> u16 {
        self.width
    }

    /// True when it holds fewer than 256.
    #[must_use]
    pub const fn is_partial(&self) -> bool {
        self.width < TILE_WIDTH
    }

    /// The path relative to the log's prefix, such as `tile/0/x001/x234/067.p/9`.
    #[must_use]
    pub fn path(&self) -> String {
        self.to_string()
    }

    /// Reads the path of a tile; exactly what [`Tile::path`] writes, and nothing else.
    ///
    /// # Errors
    /// The text is not the path of a tile, or one past the limits.
    pub fn from_path(path: &str) -> Result<Self, TileError> {
        let refuse = || TileError::Path {
            path: path
                .chars()
                .take(TILE_PATH_BYTES_MAX)
                .flat_map(char::escape_default)
                .collect(),
        };
        if path.len() > TILE_PATH_BYTES_MAX {
            return Err(refuse());
        }
        let rest = path.strip_prefix("tile/").ok_or_else(refuse)?;
        let (kind, rest) = rest.split_once('/').ok_or_else(refuse)?;
        let kind = match kind {
            "entries" => TileKind::Entries,
            level => {
                let level = crate::text::decimal(level).ok_or_else(refuse)?;
                TileKind::Hashes(u8::try_from(level).map_err(|_| refuse())?)
            }
        };
        let (index, width) = match rest.split_once(".p/") {
            None => (rest, TILE_WIDTH),
            Some((index, width)) => {
                let width = crate::text::decimal(width).ok_or_else(refuse)?;
                let width = u16::try_from(width).map_err(|_| refuse())?;
                // A full tile has no suffix, so that each tile has one name.
                if width == TILE_WIDTH {
                    return Err(refuse());
                }
                (index, width)
            }
        };
        Self::new(kind, parse_index(index).ok_or_else(refuse)?, width)
    }

    /// The tiles of hashes that make up a tree of `size` leaves at `level`, in order: full ones,
    /// then the partial one if there is one.
    pub fn row(kind: TileKind, size: u64) -> impl Iterator<Item = Self> {
        let height = match kind {
            TileKind::Hashes(level) => TILE_HEIGHT * u32::from(level),
            TileKind::Entries => 0,
        };
        let hashes = size.min(TREE_SIZE_MAX).checked_shr(height).unwrap_or(0);
        let full = hashes >> TILE_HEIGHT;
        let partial = u16::try_from(hashes % u64::from(TILE_WIDTH)).unwrap_or(0);
        let full_tiles = (0..full).map(move |index| Self {
            kind,
            index,
            width: TILE_WIDTH,
        });
        let last = (partial > 0).then_some(Self {
            kind,
            index: full,
            width: partial,
        });
        full_tiles.chain(last)
    }

    /// Every tile and bundle of a tree of `size` leaves: the bundles, then level 0, 1 and so on.
    pub fn all(size: u64) -> impl Iterator<Item = Self> {
        let levels = (0_u8..).take(TILE_LEVELS).map(TileKind::Hashes);
        core::iter::once(TileKind::Entries)
            .chain(levels)
            .flat_map(move |kind| Self::row(kind, size))
    }

    /// Every tile and bundle that is new or wider in a tree of `new_size` leaves than it was in
    /// one of `old_size`: what to publish with a new checkpoint.
    pub fn grown(old_size: u64, new_size: u64) -> impl Iterator<Item = Self> {
        let levels = (0_u8..).take(TILE_LEVELS).map(TileKind::Hashes);
        core::iter::once(TileKind::Entries)
            .chain(levels)
            .flat_map(move |kind| {
                let height = match kind {
                    TileKind::Hashes(level) => TILE_HEIGHT * u32::from(level),
                    TileKind::Entries => 0,
                };
                let old = old_size.min(TREE_SIZE_MAX).checked_shr(height).unwrap_or(0);
                let new = new_size.min(TREE_SIZE_MAX).checked_shr(height).unwrap_or(0);
                let first = old >> TILE_HEIGHT;
                let end = if new > old {
                    new.div_ceil(u64::from(TILE_WIDTH))
                } else {
                    first
                };
                (first..end).map(move |index| {
                    let width = (new - (index << TILE_HEIGHT)).min(u64::from(TILE_WIDTH));
                    Self {
                        kind,
                        index,
                        width: u16::try_from(width).unwrap_or(TILE_WIDTH),
                    }
                })
            })
    }
}

impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            TileKind::Hashes(level) => write!(f, "tile/{level}/")?,
            TileKind::Entries => f.write_str("tile/entries/")?,
        }
        // Groups of three digits, all but the last after an `x`.
        let mut divisor = 1;
        while self.index / divisor >= 1_000 {
            divisor *= 1_000;
        }
        while divisor > 1 {
            write!(f, "x{:03}/", self.index / divisor % 1_000)?;
            divisor /= 1_000;
        }
        write!(f, "{:03}", self.index % 1_000)?;
        if self.is_partial() {
            f.write_str(".p")?;
            f.write_char('/')?;
            write!(f, "{}", self.width)?;
        }
        Ok(())
    }
}

/// Reads `x001/x234/067`. The first group of several must not be `x000`: one name for each index.
fn parse_index(text: &str) -> Option<u64> {
    let mut index = 0_u64;
    let mut groups = text.split('/').peekable();
    let mut first = true;
    while let Some(group) = groups.next() {
        let digits = match groups.peek() {
            Some(_) => group.strip_prefix('x')?,
            None => group,
        };
        if digits.len() != 3 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        let value = digits
            .bytes()
            .fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'));
        if first && value == 0 && groups.peek().is_some() {
            return None;
        }
        first = false;
        index = index.checked_mul(1_000)?.checked_add(value)?;
    }
    Some(index)
}
