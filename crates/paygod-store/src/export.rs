//! Export: a static folder that anyone can verify and any web server can serve (C2SP tlog-tiles).
//!
//! `checkpoint`, `checkpoints.log`, `witnessed` when there is one, `tile/<level>/<index>[.p/<width>]`,
//! `tile/entries/<index>[.p/<width>]`, `blobs/<sha256>` and `genesis`, the fingerprint of entry 0.
//! It ends where the last published checkpoint ends. Memory is that of one bundle.
//!
//! Nothing is flushed: an export that a crash has torn does not verify and is made again.

use std::collections::BTreeSet;
use std::path::Path;

use paygod_tlog::limits::TILE_WIDTH;
use paygod_tlog::{Tile, TileKind, bundle, leaf_hash};
use paygod_types::{Digest, Seq};

use crate::backup::{BookFiles, Progress};
use crate::blob::Blobs;
use crate::checkpoints::{LAST_NAME, LOG_NAME};
use crate::disk::{Access, Dir};
use crate::error::{CopyError, IoFault, ReadError};
use crate::reader::EntryBuf;
use crate::width::{to_u64, to_usize};
use crate::witnessed::WITNESSED_NAME;

/// What an export holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExportReport {
    /// Entries: the size of the last published checkpoint.
    pub size: u64,
    /// Tiles and bundles.
    pub tiles: u64,
}

/// Writes files below a folder, making the folders that they need.
struct Target {
    dir: Dir,
    made: BTreeSet<String>,
}

impl Target {
    fn write(&mut self, path: &str, bytes: &[u8]) -> Result<(), IoFault> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let dir = self.dir.dir(folder);
        if self.made.insert(folder.to_owned()) {
            dir.create()?;
        }
        dir.open(name, Access::CreateAnew)?.write_at(bytes, 0)
    }
}

impl BookFiles {
    /// Writes an export into an empty or new folder while the book runs. The progress counts entries.
    ///
    /// # Errors
    /// The folder holds files, nothing was published yet, something of the book does not read, or the
    /// disk refused.
    pub fn export(
        &self,
        target: &Path,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<ExportReport, CopyError> {
        let dir = self.dir.elsewhere(target);
        if !dir.list()?.is_empty() {
            return Err(CopyError::Occupied {
                path: target.to_path_buf(),
            });
        }
        let published = self.published()?;
        let last = published.last.ok_or(CopyError::NoCheckpoint)?;
        let size = last.head().size;
        let mut to = Target {
            dir,
            made: BTreeSet::new(),
        };
        let tiles = self.tiles(size, &mut to)?;
        let bundles = self.bundles(size, &mut to, progress)?;
        self.beside(size, &mut to)?;
        self.checkpoint_log(published.log_bytes, &to)?;
        if let Some(witnessed) = published.witnessed {
            to.write(WITNESSED_NAME, &witnessed.to_bytes())?;
        }
        to.write(LAST_NAME, &last.to_bytes())?;
        Ok(ExportReport {
            size,
            tiles: tiles.saturating_add(bundles),
        })
    }

    fn tiles(&self, size: u64, to: &mut Target) -> Result<u64, CopyError> {
        let mut count = 0_u64;
        let mut bytes = Vec::new();
        for tile in Tile::all(size).filter(|tile| tile.kind() != TileKind::Entries) {
            self.tree.tile_bytes(&tile, &mut bytes)?;
            to.write(&tile.path(), &bytes)?;
            count = count.saturating_add(1);
        }
        Ok(count)
    }

    fn bundles(
        &self,
        size: u64,
        to: &mut Target,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<u64, CopyError> {
        let mut tiles = Tile::row(TileKind::Entries, size);
        let mut bundle = Vec::new();
        let mut held = 0_u16;
        let mut count = 0_u64;
        self.reader.scan(Seq(0), Seq(size), |entry| {
            // No stored entry is longer than a bundle's length prefix can say.
            bundle::append_entry(&mut bundle, entry.bytes).map_err(|_| ReadError::NoEntry {
                seq: entry.seq.get(),
                size,
            })?;
            held = held.saturating_add(1);
            let done = entry.seq.get().saturating_add(1);
            if held == TILE_WIDTH || done == size {
                if let Some(tile) = tiles.next() {
                    to.write(&tile.path(), &bundle)?;
                }
                bundle.clear();
                held = 0;
                count = count.saturating_add(1);
                progress(Progress { done, total: size });
            }
            Ok::<(), CopyError>(())
        })?;
        Ok(count)
    }

    /// The blobs, and the fingerprint of entry 0.
    fn beside(&self, size: u64, to: &mut Target) -> Result<(), CopyError> {
        let blobs = Blobs::new(self.dir.dir("blobs"));
        for digest in blobs.list()? {
            to.write(&format!("blobs/{digest}"), &blobs.get(&digest)?)?;
        }
        if size > 0 {
            let mut buf = EntryBuf::default();
            let genesis = self.reader.entry(Seq(0), &mut buf)?;
            let fingerprint = Digest::from_bytes(leaf_hash(genesis.bytes).to_bytes());
            to.write("genesis", format!("{fingerprint}\n").as_bytes())?;
        }
        Ok(())
    }

    fn checkpoint_log(&self, len: u64, to: &Target) -> Result<(), CopyError> {
        const PIECE_BYTES: u64 = 1 << 20;
        let log = self.dir.open(LOG_NAME, Access::Read)?;
        let copy = to.dir.open(LOG_NAME, Access::CreateAnew)?;
        let mut offset = 0_u64;
        let mut piece = Vec::new();
        while offset < len {
            let count = PIECE_BYTES.min(len.saturating_sub(offset));
            piece.resize(to_usize(count), 0);
            log.read_exact_at(&mut piece, offset)?;
            copy.write_at(&piece, offset)?;
            offset = offset.saturating_add(to_u64(piece.len()));
        }
        Ok(())
    }
}
