//! The thief that `demo` and `drill` play: owns the machine, holds the log's signing key.
//!
//! Works on exported folders, on disk ([`Insider`]) or in memory ([`Export`]). It edits entries as it
//! likes, then covers its tracks as well as anybody could: rebuilds every bundle and tile, and signs the
//! new root with the stolen key. What it makes is a valid log in itself; only what others kept can tell
//! that history was changed.
//!
//! It never opens a book for writing and never touches anything but the folder that it is given.

mod export;
mod keyring;
mod store;
mod tracks;

pub(crate) use export::{CHECKPOINT, CHECKPOINTS, Export};
pub(crate) use keyring::{Keyring, rogue, signer, vkey};
pub(crate) use store::{edit_segment, wipe_derived};
pub(crate) use tracks::cover;

use crate::fault::{Fault, faults_from};
use paygod_tlog::{Checkpoint, NoteSigner, SignedCheckpoint, Tile, TileKind, TreeHead, bundle};
use paygod_types::code;
use std::path::{Path, PathBuf};

faults_from!(paygod_tlog::CheckpointError);

/// An exported folder in the wrong hands.
#[derive(Debug, Clone)]
pub(crate) struct Insider {
    folder: PathBuf,
}

impl Insider {
    /// Takes hold of an exported folder.
    pub(crate) fn of(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
        }
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
        let (files, head) = export::tree_files(entries)?;
        let tiles = self.folder.join("tile");
        std::fs::remove_dir_all(&tiles).map_err(|error| failed(&tiles, &error))?;
        for (path, bytes) in files {
            self.write(&path, &bytes)?;
        }
        Ok(head)
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
    text.contains(from)
        .then(|| text.replace(from, to).into_bytes())
}

fn failed(path: &Path, error: &std::io::Error) -> Fault {
    Fault::of(code::CLI_INPUT, error).while_doing(&format!("cannot work on `{}`", path.display()))
}
