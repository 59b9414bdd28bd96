//! Attacks on the files of the tree: tiles of hashes and bundles of entries. None needs a key.

use super::attack::{Attack, Expected, Finding, Halt, Kept};
use super::stage::Stage;
use paygod_tlog::limits::HASH_BYTES;
use paygod_tlog::{Tile, TileKind, bundle};

type Acted = Result<Finding, Halt>;

/// In the order of the table.
pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        name: "tile-hash-changed",
        story: "changed one hash of a tile",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: |stage| tile(stage, last_tile(stage)?, |bytes| flip(bytes, HASH_BYTES)),
    },
    Attack {
        name: "upper-tile-hash-changed",
        story: "changed one hash of a tile above the lowest level",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: |stage| tile(stage, upper_tile(stage)?, |bytes| flip(bytes, 0)),
    },
    Attack {
        name: "tile-truncated",
        story: "cut the last tile short by half a hash",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: |stage| {
            tile(stage, last_tile(stage)?, |bytes| {
                bytes.truncate(bytes.len().saturating_sub(HASH_BYTES / 2));
            })
        },
    },
    Attack {
        name: "tile-of-wrong-width",
        story: "gave a partial tile one hash less than its name says",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: |stage| {
            tile(stage, last_tile(stage)?, |bytes| {
                bytes.truncate(bytes.len().saturating_sub(HASH_BYTES));
            })
        },
    },
    Attack {
        name: "tile-too-long",
        story: "hung one more hash onto a tile",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: |stage| {
            tile(stage, last_tile(stage)?, |bytes| {
                bytes.extend([7; HASH_BYTES])
            })
        },
    },
    Attack {
        name: "tile-removed",
        story: "took a tile away",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: |stage| removed(stage, last_tile(stage)?),
    },
    Attack {
        name: "tiles-swapped",
        story: "swapped the first tile and the last",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: tiles_swapped,
    },
    Attack {
        name: "bundle-removed",
        story: "took the first bundle of entries away",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: |stage| removed(stage, first(stage, TileKind::Entries)?),
    },
    Attack {
        name: "bundle-longer-than-tile",
        story: "put one more entry into the last bundle than its tile has hashes",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: bundle_longer,
    },
    Attack {
        name: "bundle-truncated",
        story: "cut the last bundle in the middle of an entry",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: |stage| {
            tile(stage, last(stage, TileKind::Entries)?, |bytes| {
                bytes.truncate(bytes.len().saturating_sub(10));
            })
        },
    },
];

fn first(stage: &Stage<'_>, kind: TileKind) -> Result<Tile, Halt> {
    Tile::row(kind, stage.scene.newest.head().size)
        .next()
        .ok_or(Halt::NotHere("the log is too short"))
}

fn last(stage: &Stage<'_>, kind: TileKind) -> Result<Tile, Halt> {
    Tile::row(kind, stage.scene.newest.head().size)
        .last()
        .ok_or(Halt::NotHere("the log is too short"))
}

fn last_tile(stage: &Stage<'_>) -> Result<Tile, Halt> {
    last(stage, TileKind::Hashes(0))
}

fn upper_tile(stage: &Stage<'_>) -> Result<Tile, Halt> {
    first(stage, TileKind::Hashes(1))
}

/// Changes the bytes of one file and has the export verified.
fn tile(stage: &Stage<'_>, tile: Tile, by: fn(&mut Vec<u8>)) -> Acted {
    let mut export = stage.export();
    let mut bytes = export.get(&tile.path()).unwrap_or(&[]).to_vec();
    by(&mut bytes);
    export.put(&tile.path(), bytes);
    stage.audit(&export, Kept::Fingerprint)
}

fn removed(stage: &Stage<'_>, tile: Tile) -> Acted {
    let mut export = stage.export();
    export.take(&tile.path());
    stage.audit(&export, Kept::Fingerprint)
}

fn flip(bytes: &mut [u8], at: usize) {
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 1;
    }
}

fn tiles_swapped(stage: &Stage<'_>) -> Acted {
    let (one, other) = (first(stage, TileKind::Hashes(0))?, last_tile(stage)?);
    if one == other {
        return Err(Halt::NotHere("the log has one tile only"));
    }
    let mut export = stage.export();
    if let (Some(first), Some(last)) = (export.take(&one.path()), export.take(&other.path())) {
        export.put(&one.path(), last);
        export.put(&other.path(), first);
    }
    stage.audit(&export, Kept::Fingerprint)
}

fn bundle_longer(stage: &Stage<'_>) -> Acted {
    let tile = last(stage, TileKind::Entries)?;
    let mut export = stage.export();
    let mut bytes = export.get(&tile.path()).unwrap_or(&[]).to_vec();
    let entry = stage.scene.bytes.last().map_or(&[][..], Vec::as_slice);
    bundle::append_entry(&mut bytes, entry)?;
    export.put(&tile.path(), bytes);
    stage.audit(&export, Kept::Fingerprint)
}
