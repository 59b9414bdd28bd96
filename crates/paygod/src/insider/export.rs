//! An exported folder in memory: cheap to copy, free to tamper with, read by the verifier as it is.
//!
//! Copies share the bytes of the files that were not changed. Nothing reaches a disk unless
//! [`Export::save`] is asked to write a copy out.

use super::failed;
use crate::fault::{Fault, faults_from};
use paygod_store::{LogReader, append_record};
use paygod_tlog::limits::{HASH_BYTES, TILE_BYTES, TILE_HASHES};
use paygod_tlog::{
    BundleError, Frontier, Hash, HashSource, Rows, SignedCheckpoint, Tile, TileError, TileKind,
    TreeHead, TreeWriter, bundle, hash::split_hashes, leaf_hash,
};
use paygod_verify::{Source, SourceError};
use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

faults_from!(BundleError, TileError);

/// The last published checkpoint.
pub(crate) const CHECKPOINT: &str = "checkpoint";
/// Every published checkpoint.
pub(crate) const CHECKPOINTS: &str = "checkpoints.log";

/// An export: files by path.
#[derive(Debug, Clone, Default)]
pub(crate) struct Export {
    files: BTreeMap<String, Arc<[u8]>>,
}

impl Export {
    /// Reads every file of an exported folder.
    pub(crate) fn load(folder: &Path) -> Result<Self, Fault> {
        let mut export = Self::default();
        let mut folders = vec![folder.to_path_buf()];
        while let Some(next) = folders.pop() {
            for entry in std::fs::read_dir(&next).map_err(|error| failed(&next, &error))? {
                let path = entry.map_err(|error| failed(&next, &error))?.path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let bytes = std::fs::read(&path).map_err(|error| failed(&path, &error))?;
                let name = path.strip_prefix(folder).unwrap_or(&path);
                export.put(&name.to_string_lossy().replace('\\', "/"), bytes);
            }
        }
        Ok(export)
    }

    /// Writes every file to a folder, making it.
    pub(crate) fn save(&self, folder: &Path) -> Result<(), Fault> {
        for (name, bytes) in &self.files {
            let path = folder.join(name);
            let parent = path.parent().unwrap_or(folder);
            std::fs::create_dir_all(parent).map_err(|error| failed(parent, &error))?;
            std::fs::write(&path, bytes).map_err(|error| failed(&path, &error))?;
        }
        Ok(())
    }

    /// A file's bytes.
    pub(crate) fn get(&self, path: &str) -> Option<&[u8]> {
        self.files.get(path).map(AsRef::as_ref)
    }

    /// Writes a file.
    pub(crate) fn put(&mut self, path: &str, bytes: impl Into<Arc<[u8]>>) {
        self.files.insert(path.to_owned(), bytes.into());
    }

    /// Takes a file away.
    pub(crate) fn take(&mut self, path: &str) -> Option<Arc<[u8]>> {
        self.files.remove(path)
    }

    /// The paths that begin with this, in order.
    pub(crate) fn paths(&self, prefix: &str) -> impl Iterator<Item = &str> {
        let prefix = prefix.to_owned();
        self.files
            .keys()
            .filter(move |path| path.starts_with(&prefix))
            .map(String::as_str)
    }

    /// Every entry, in order, read from the bundles.
    pub(crate) fn entries(&self, size: u64) -> Result<Vec<Vec<u8>>, Fault> {
        let mut entries = Vec::new();
        for tile in Tile::row(TileKind::Entries, size) {
            let bytes = self.get(&tile.path()).unwrap_or(&[]);
            entries.extend(
                bundle::parse(bytes, tile.width())?
                    .into_iter()
                    .map(<[u8]>::to_vec),
            );
        }
        Ok(entries)
    }

    /// Every published checkpoint, the oldest first.
    pub(crate) fn checkpoints(&self) -> Vec<SignedCheckpoint> {
        LogReader::new(self.get(CHECKPOINTS).unwrap_or(&[]))
            .filter_map(Result::ok)
            .filter_map(|note| SignedCheckpoint::parse(note).ok())
            .collect()
    }

    /// Puts these entries in place of all there were, with every bundle and tile that they need.
    pub(crate) fn rebuild(&mut self, entries: &[Vec<u8>]) -> Result<TreeHead, Fault> {
        self.files.retain(|path, _| !path.starts_with("tile/"));
        let (files, head) = tree_files(entries)?;
        self.files
            .extend(files.into_iter().map(|(path, bytes)| (path, bytes.into())));
        Ok(head)
    }

    /// Makes these the published checkpoints, the oldest first.
    pub(crate) fn publish(&mut self, notes: &[Vec<u8>]) {
        let mut log = Vec::new();
        for note in notes {
            append_record(&mut log, note);
        }
        self.put(CHECKPOINTS, log);
        if let Some(last) = notes.last() {
            self.put(CHECKPOINT, last.as_slice());
        }
    }
}

impl Source for Export {
    fn read(&self, path: &str, range: Range<u64>, out: &mut Vec<u8>) -> Result<bool, SourceError> {
        let Some(bytes) = self.get(path) else {
            return Ok(false);
        };
        let within = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
        out.extend_from_slice(
            bytes
                .get(within(range.start)..within(range.end))
                .unwrap_or(&[]),
        );
        Ok(true)
    }
}

impl HashSource for &Export {
    type Error = io::Error;

    fn read_tile(&self, tile: &Tile, out: &mut Vec<Hash>) -> Result<(), io::Error> {
        let bytes = self.get(&tile.path()).ok_or(io::ErrorKind::NotFound)?;
        let (hashes, _) = split_hashes(bytes);
        out.extend(hashes.iter().map(|hash| Hash::new(*hash)));
        Ok(())
    }
}

/// The bundles and tiles of a log that holds these entries, by path.
pub(super) fn tree_files(
    entries: &[Vec<u8>],
) -> Result<(BTreeMap<String, Vec<u8>>, TreeHead), Fault> {
    let mut files = BTreeMap::new();
    for (index, chunk) in (0_u64..).zip(entries.chunks(TILE_HASHES)) {
        let mut bytes = Vec::new();
        for entry in chunk {
            bundle::append_entry(&mut bytes, entry)?;
        }
        files.insert(
            Tile::new(TileKind::Entries, index, width(chunk.len()))?.path(),
            bytes,
        );
    }
    let leaves: Vec<Hash> = entries.iter().map(|entry| leaf_hash(entry)).collect();
    let mut writer = TreeWriter::resume(Frontier::new());
    let mut rows = Rows::new();
    writer.append(&leaves, &mut rows);
    for (level, _, hashes) in rows.iter() {
        for (index, chunk) in (0_u64..).zip(hashes.chunks(TILE_BYTES)) {
            let width = width(chunk.len() / HASH_BYTES);
            let tile = Tile::new(TileKind::Hashes(level), index, width)?;
            files.insert(tile.path(), chunk.to_vec());
        }
    }
    Ok((files, writer.head()))
}

/// A bundle or tile holds at most 256, so this never saturates.
fn width(count: usize) -> u16 {
    u16::try_from(count).unwrap_or(u16::MAX)
}
