//! Compares the tiles above the leaves with the tree as rebuilt. Tiles of leaf hashes are compared
//! where entries are hashed.

use paygod_tlog::limits::{TILE_BYTES, TILE_LEVELS};
use paygod_tlog::{Rows, Tile, TileKind};

use crate::failure::{Check, Failure, Failures, Place};
use crate::source::{Source, SourceError, Whole, read_whole};

/// The unfinished tile of each level.
#[derive(Debug, Default)]
pub(crate) struct Levels {
    pending: [Vec<u8>; TILE_LEVELS],
    tiles_done: [u64; TILE_LEVELS],
    buffer: Vec<u8>,
}

impl Levels {
    /// Takes hashes that became complete, and compares each tile that became full.
    pub(crate) fn extend(
        &mut self,
        rows: &Rows,
        source: &dyn Source,
        failures: &mut Failures,
    ) -> Result<(), SourceError> {
        for (level, _, hashes) in rows.iter().filter(|(level, _, _)| *level > 0) {
            for hash in hashes.chunks(32) {
                let full = self
                    .pending
                    .get_mut(usize::from(level))
                    .is_some_and(|pending| {
                        pending.extend_from_slice(hash);
                        pending.len() >= TILE_BYTES
                    });
                if full {
                    self.compare(level, source, failures)?;
                }
            }
        }
        Ok(())
    }

    /// Compares the partial tiles at the end.
    pub(crate) fn finish(
        &mut self,
        source: &dyn Source,
        failures: &mut Failures,
    ) -> Result<(), SourceError> {
        for level in 1..u8::try_from(TILE_LEVELS).unwrap_or(0) {
            if self
                .pending
                .get(usize::from(level))
                .is_some_and(|pending| !pending.is_empty())
            {
                self.compare(level, source, failures)?;
            }
        }
        Ok(())
    }

    fn compare(
        &mut self,
        level: u8,
        source: &dyn Source,
        failures: &mut Failures,
    ) -> Result<(), SourceError> {
        let at = usize::from(level);
        let (Some(pending), Some(done)) = (self.pending.get_mut(at), self.tiles_done.get_mut(at))
        else {
            return Ok(());
        };
        let width = u16::try_from(pending.len() / 32).unwrap_or(0);
        if let Ok(tile) = Tile::new(TileKind::Hashes(level), *done, width)
            && let Some(failure) = compare_tile(&tile, pending, source, &mut self.buffer)?
        {
            failures.push(failure);
        }
        *done = done.saturating_add(1);
        pending.clear();
        Ok(())
    }
}

fn compare_tile(
    tile: &Tile,
    expected: &[u8],
    source: &dyn Source,
    buffer: &mut Vec<u8>,
) -> Result<Option<Failure>, SourceError> {
    let path = tile.path();
    let bytes_max = u64::try_from(TILE_BYTES).unwrap_or(u64::MAX);
    let found = match read_whole(source, &path, bytes_max, buffer)? {
        Whole::Missing => {
            let place = Place::File(path);
            return Ok(Some(Failure::new(
                Check::Missing,
                place,
                "a tile",
                "no file",
            )));
        }
        Whole::TooLong => format!("more than {TILE_BYTES} bytes"),
        Whole::Read if buffer.len() == expected.len() => {
            let at = expected
                .chunks(32)
                .zip(buffer.chunks(32))
                .position(|(a, b)| a != b);
            let Some(at) = at else { return Ok(None) };
            let expected = format!("the roots of the tiles below, {} of them", tile.width());
            let found = format!("another hash at position {at}");
            return Ok(Some(Failure::new(
                Check::Tile,
                Place::File(path),
                expected,
                found,
            )));
        }
        Whole::Read => format!("{} bytes", buffer.len()),
    };
    let expected = format!("{} bytes", expected.len());
    Ok(Some(Failure::new(
        Check::Tile,
        Place::File(path),
        expected,
        found,
    )))
}
