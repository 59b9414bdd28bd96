//! The thief that `demo` and `drill` play: owns the machine, holds the log's signing key.
//!
//! Works on exported folders. It edits entries as it likes, then covers its tracks as well as
//! anybody could: rebuilds every bundle and tile, and signs the new root with the stolen key. What it
//! makes is a valid log in itself; only what others kept can tell that history was changed.
//!
//! It never opens a book for writing and never touches anything but the folder that it is given.

use crate::fault::{Fault, faults_from};
use paygod_tlog::{
    Checkpoint, Frontier, Hash, NoteSigner, Rows, SignedCheckpoint, Tile, TileKind, TreeHead,
    TreeWriter, bundle, leaf_hash,
};
use paygod_types::code;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

faults_from!(
    paygod_tlog::BundleError,
    paygod_tlog::CheckpointError,
    paygod_tlog::TileError,
);

/// An exported folder in the wrong hands.
#[derive(Debug, Clone)]
pub(crate) struct Insider {
    folder: PathBuf,
}

impl Insider {
    /// Takes hold of an exported folder.
    pub(crate) fn of(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// The folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The checkpoint as published.
    pub(crate) fn checkpoint(&self) -> Result<SignedCheckpoint, Fault> {
        Ok(SignedCheckpoint::parse(&self.read("checkpoint")?)?)
    }

    /// Every entry, in order, read from the bundles.
    pub(crate) fn entries(&self) -> Result<Vec<Vec<u8>>, Fault> {
        let size = self.checkpoint()?.head().size;
        let mut entries = Vec::new();
        for tile in Tile::row(TileKind::Entries, size) {
            let bytes = self.read(&tile.path())?;
            for entry in bundle::parse(&bytes, tile.width())? {
                entries.push(entry.to_vec());
            }
        }
        Ok(entries)
    }

    /// Puts these entries in place of all that were there and rebuilds every bundle and tile.
    pub(crate) fn rewrite(&self, entries: &[Vec<u8>]) -> Result<TreeHead, Fault> {
        let tiles = self.folder.join("tile");
        std::fs::remove_dir_all(&tiles).map_err(|error| failed(&tiles, &error))?;
        for (index, chunk) in (0_u64..).zip(entries.chunks(paygod_tlog::limits::TILE_HASHES)) {
            let mut bytes = Vec::new();
            for entry in chunk {
                bundle::append_entry(&mut bytes, entry)?;
            }
            let tile = Tile::new(TileKind::Entries, index, width(chunk.len()))?;
            self.write(&tile.path(), &bytes)?;
        }
        let leaves: Vec<Hash> = entries.iter().map(|entry| leaf_hash(entry)).collect();
        let mut writer = TreeWriter::resume(Frontier::new());
        let mut rows = Rows::new();
        writer.append(&leaves, &mut rows);
        let mut levels: BTreeMap<u8, Vec<u8>> = BTreeMap::new();
        for (level, _, hashes) in rows.iter() {
            levels.entry(level).or_default().extend_from_slice(hashes);
        }
        for (level, hashes) in levels {
            for (index, chunk) in (0_u64..).zip(hashes.chunks(paygod_tlog::limits::TILE_BYTES)) {
                let hashes = chunk.len() / paygod_tlog::limits::HASH_BYTES;
                let tile = Tile::new(TileKind::Hashes(level), index, width(hashes))?;
                self.write(&tile.path(), chunk)?;
            }
        }
        Ok(writer.head())
    }

    /// Signs a size and root under the log's own name and publishes that as the only checkpoint.
    pub(crate) fn sign(&self, head: TreeHead, stolen: &dyn NoteSigner) -> Result<Vec<u8>, Fault> {
        let origin = self.checkpoint()?.checkpoint().origin.clone();
        let note = SignedCheckpoint::sign(Checkpoint { origin, head }, &[stolen])?.to_bytes();
        self.write("checkpoint", &note)?;
        Ok(note)
    }

    /// Reads a file of the folder.
    pub(crate) fn read(&self, name: &str) -> Result<Vec<u8>, Fault> {
        let path = self.folder.join(name);
        std::fs::read(&path).map_err(|error| failed(&path, &error))
    }

    /// Writes a file of the folder, making the folders on its way.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> Result<(), Fault> {
        let path = self.folder.join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(|error| failed(parent, &error))?;
        }
        std::fs::write(&path, bytes).map_err(|error| failed(&path, &error))
    }
}

/// Replaces one text by another wherever it stands in an entry; `None` when it stands nowhere.
pub(crate) fn edited(entry: &[u8], from: &str, to: &str) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(entry).ok()?;
    text.contains(from).then(|| text.replace(from, to).into_bytes())
}

/// A bundle or tile holds at most 256, so this never saturates.
fn width(count: usize) -> u16 {
    u16::try_from(count).unwrap_or(u16::MAX)
}

fn failed(path: &Path, error: &std::io::Error) -> Fault {
    Fault::of(code::CLI_INPUT, error).while_doing(&format!("cannot work on `{}`", path.display()))
}
