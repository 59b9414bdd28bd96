//! The work that needs no order: bundles are read, split, hashed, compared with their tile of leaf
//! hashes, and their entries decoded. Any number of threads do it.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use paygod_core::{Body, Entry, EntrySlot};
use paygod_tlog::limits::{BUNDLE_BYTES_MAX, TILE_BYTES, TILE_HASHES, TILE_WIDTH};
use paygod_tlog::{BundleReader, Hash, Tile, TileKind, leaf_hash, tree_root};
use paygod_types::canonical::{self, Limits};

use crate::failure::{Check, Failure, Place};
use crate::limits::{
    BATCH_BYTES_MAX, BUNDLES_PER_BATCH, FAILURES_KEPT_MIN, SLOT_BYTES_KEPT_MAX, STATES_TOLD_MAX,
};
use crate::options::Depth;
use crate::source::{Source, SourceError, Whole, read_whole};

/// Canonical bytes of entries that change the key (`key_rotate`, `key_revoke`) begin like this: `action`
/// is their first key.
const KEY_CHANGE_PREFIX: &[u8] = b"{\"action\":\"key_r";

/// A run of bundles, read and hashed.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) bundles: Vec<Bundle>,
    pub(crate) failures: Vec<Failure>,
    /// Bytes of the entries that are decoded.
    pub(crate) bytes: u64,
}

/// One bundle, read and hashed.
#[derive(Debug, Default)]
pub(crate) struct Bundle {
    /// Index of its first entry.
    pub(crate) first: u64,
    /// The hash of each entry.
    pub(crate) leaves: Vec<Hash>,
    /// The root over a full bundle.
    pub(crate) root: Option<Hash>,
    /// The entries decoded, in order: all of them, or with [`Depth::Sealed`] those that matter there.
    pub(crate) entries: Vec<Read>,
    /// Not read yet: the batch had enough. It is when its turn comes.
    pub(crate) deferred: Option<u64>,
    /// Entries that are not needed any more, for their memory.
    used: Vec<Read>,
}

/// One entry, decoded where it could be.
#[derive(Debug, Default)]
pub(crate) struct Read {
    pub(crate) index: u64,
    /// Empty when it is no entry; that is among the failures.
    slot: EntrySlot,
    /// A hash of its id, under a key of this run.
    pub(crate) id_hash: u64,
    /// How many bytes it has.
    length: usize,
}

impl Read {
    /// The entry, if it is one.
    pub(crate) const fn entry(&self) -> Option<&Entry> {
        self.slot.entry()
    }
}

/// What every thread reads with.
pub(crate) struct Reader<'a> {
    pub(crate) source: &'a dyn Source,
    pub(crate) size: u64,
    pub(crate) depth: Depth,
    /// Keyed afresh in every run, so that no export can be made to collide.
    pub(crate) id_hasher: RandomState,
    /// An earlier export that the auditor kept, and its size.
    pub(crate) kept: Option<(&'a dyn Source, u64)>,
    /// Entries whose states are spoken of by entries that were read and are not folded yet.
    pub(crate) spoken_of: Mutex<BTreeSet<u64>>,
}

/// Buffers of one thread.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    bundle: Vec<u8>,
    tile: Vec<u8>,
}

impl Reader<'_> {
    /// How many batches there are.
    pub(crate) const fn batches(&self) -> u64 {
        self.size.div_ceil(BUNDLES_PER_BATCH * 256)
    }

    /// How many entries a bundle has.
    pub(crate) fn width_of(&self, bundle: u64) -> u16 {
        let first = bundle.saturating_mul(u64::from(TILE_WIDTH));
        let width = self.size.saturating_sub(first).min(u64::from(TILE_WIDTH));
        u16::try_from(width).unwrap_or(TILE_WIDTH)
    }

    /// Reads a batch into `out`, whose former content is dropped and whose memory is kept.
    pub(crate) fn read_batch(
        &self,
        index: u64,
        buffers: &mut Buffers,
        out: &mut Batch,
    ) -> Result<(), SourceError> {
        out.failures.clear();
        let first = index.saturating_mul(BUNDLES_PER_BATCH);
        let last = self.size.div_ceil(u64::from(TILE_WIDTH));
        let range = first..last.min(first.saturating_add(BUNDLES_PER_BATCH));
        let count = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(0);
        out.bundles.resize_with(count, Bundle::default);
        let Batch {
            bundles, failures, ..
        } = out;
        // INVARIANT(flat-memory): entries as large as they can be are not all decoded ahead.
        let mut bytes = 0_u64;
        for (number, bundle) in range.zip(bundles) {
            if bytes > BATCH_BYTES_MAX {
                bundle.deferred = Some(number);
                continue;
            }
            self.read_bundle(number, buffers, bundle, failures)?;
            bytes = bytes.saturating_add(u64::try_from(buffers.bundle.len()).unwrap_or(u64::MAX));
        }
        out.bytes = bytes;
        Ok(())
    }

    /// Reads a bundle into `out`, whose former content is dropped and whose memory is kept.
    pub(crate) fn read_bundle(
        &self,
        number: u64,
        buffers: &mut Buffers,
        out: &mut Bundle,
        failures: &mut Vec<Failure>,
    ) -> Result<(), SourceError> {
        out.deferred = None;
        let first = number.saturating_mul(u64::from(TILE_WIDTH));
        let width = self.width_of(number);
        out.first = first;
        out.leaves.clear();
        out.root = None;
        std::mem::swap(&mut out.entries, &mut out.used);
        out.entries.clear();
        // An index below the tree's size always has a tile.
        if let Ok(tile) = Tile::new(TileKind::Entries, number, width) {
            self.read_entries(&tile, &mut buffers.bundle, out, failures)?;
        }
        if let Ok(tile) = Tile::new(TileKind::Hashes(0), number, width) {
            compare_leaves(&tile, self.source, &mut buffers.tile, out, failures)?;
        }
        if let Some((kept, kept_size)) = self.kept {
            compare_kept(number, kept, kept_size, &mut buffers.tile, out, failures)?;
        }
        if width == TILE_WIDTH {
            let mut nodes = [Hash::default(); TILE_HASHES];
            nodes
                .iter_mut()
                .zip(&out.leaves)
                .for_each(|(node, leaf)| *node = *leaf);
            out.root = Some(tree_root(&mut nodes));
        }
        Ok(())
    }

    fn read_entries(
        &self,
        tile: &Tile,
        buffer: &mut Vec<u8>,
        out: &mut Bundle,
        failures: &mut Vec<Failure>,
    ) -> Result<(), SourceError> {
        let bytes_max = u64::try_from(BUNDLE_BYTES_MAX).unwrap_or(u64::MAX);
        let all = Place::Entries(out.first..out.first.saturating_add(tile.width().into()));
        let expected = || format!("`{tile}`, {} entries", tile.width());
        match read_whole(self.source, &tile.path(), bytes_max, buffer)? {
            Whole::Missing => {
                note(failures, || {
                    Failure::new(Check::Missing, all, expected(), "no such file")
                });
                return Ok(());
            }
            Whole::TooLong => {
                let found = format!("more than {bytes_max} bytes");
                note(failures, || {
                    Failure::new(Check::Bundle, all, expected(), found)
                });
                return Ok(());
            }
            Whole::Read => {}
        }
        let Ok(entries) = BundleReader::new(buffer, tile.width()) else {
            return Ok(());
        };
        for (index, entry) in (out.first..).zip(entries) {
            match entry {
                Ok(bytes) => {
                    out.leaves.push(leaf_hash(bytes));
                    self.read_entry(index, bytes, out, failures);
                }
                Err(error) => note(failures, || {
                    let place = Place::Entry(index);
                    Failure::new(Check::Bundle, place, expected(), error.to_string())
                }),
            }
        }
        Ok(())
    }

    fn read_entry(&self, index: u64, bytes: &[u8], out: &mut Bundle, failures: &mut Vec<Failure>) {
        if self.depth == Depth::Sealed && index > 0 && !bytes.starts_with(KEY_CHANGE_PREFIX) {
            if let Err(error) = canonical::check(bytes, &Limits::ENTRY) {
                note(failures, || not_an_entry(index, error.to_string()));
            }
            return;
        }
        let used = out.used.pop();
        let used = used.filter(|used| used.length <= SLOT_BYTES_KEPT_MAX);
        let mut slot = used.unwrap_or_default().slot;
        match slot.read(bytes) {
            Ok(entry) => {
                if let Body::Snapshot(claim) = &entry.body {
                    self.speaks_of(claim.of.0);
                }
            }
            Err(error) => note(failures, || not_an_entry(index, error.to_string())),
        }
        let id_hash = slot
            .entry()
            .map_or(0, |entry| self.hash_id(entry.id.as_str()));
        out.entries.push(Read {
            index,
            slot,
            id_hash,
            length: bytes.len(),
        });
    }

    /// An entry that was read speaks of the state after the entry `place`.
    fn speaks_of(&self, place: u64) {
        let mut spoken_of = self
            .spoken_of
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if spoken_of.len() < STATES_TOLD_MAX {
            spoken_of.insert(place);
        }
    }

    /// The places that were spoken of since the last time.
    pub(crate) fn take_spoken_of(&self) -> BTreeSet<u64> {
        let mut spoken_of = self
            .spoken_of
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *spoken_of)
    }

    /// The hash by which ids are told apart.
    pub(crate) fn hash_id(&self, id: &str) -> u64 {
        self.id_hasher.hash_one(id)
    }

    /// Decodes the entries of a range again, for the few checks that look back. What is no entry is
    /// left out: it was reported when it was first read.
    pub(crate) fn read_again(
        &self,
        range: Range<u64>,
        mut each: impl FnMut(u64, Option<Entry>),
    ) -> Result<(), SourceError> {
        let mut buffer = Vec::new();
        let width = u64::from(TILE_WIDTH);
        for number in range.start / width..range.end.div_ceil(width) {
            let first = number.saturating_mul(width);
            let entries = self.width_of(number);
            let Ok(tile) = Tile::new(TileKind::Entries, number, entries) else {
                continue;
            };
            let bytes_max = u64::try_from(BUNDLE_BYTES_MAX).unwrap_or(u64::MAX);
            let whole = read_whole(self.source, &tile.path(), bytes_max, &mut buffer)?;
            let bytes: &[u8] = if whole == Whole::Read { &buffer } else { &[] };
            let mut found = BundleReader::new(bytes, entries).into_iter().flatten();
            for index in first..first.saturating_add(entries.into()) {
                let bytes = found.next().and_then(Result::ok);
                if range.contains(&index) {
                    each(index, bytes.and_then(|bytes| Entry::decode(bytes).ok()));
                }
            }
        }
        Ok(())
    }
}

fn not_an_entry(index: u64, error: String) -> Failure {
    Failure::new(
        Check::Entry,
        Place::Entry(index),
        "the canonical bytes of an entry",
        error,
    )
}

/// Keeps a failure unless this batch has plenty.
fn note(failures: &mut Vec<Failure>, failure: impl FnOnce() -> Failure) {
    if failures.len() < FAILURES_KEPT_MIN {
        failures.push(failure());
    }
}

/// Compares the hashes of entries with the tile of leaf hashes. Where entries are missing, the tile's
/// hashes stand in for them, so that the tree above can still be checked.
fn compare_leaves(
    tile: &Tile,
    source: &dyn Source,
    buffer: &mut Vec<u8>,
    out: &mut Bundle,
    failures: &mut Vec<Failure>,
) -> Result<(), SourceError> {
    let width = usize::from(tile.width());
    let bytes_max = u64::try_from(TILE_BYTES).unwrap_or(u64::MAX);
    let path = tile.path();
    let expected = || format!("{} bytes", width.saturating_mul(32));
    match read_whole(source, &path, bytes_max, buffer)? {
        Whole::Missing => {
            buffer.clear();
            let place = Place::File(path);
            note(failures, || {
                Failure::new(Check::Missing, place, "a tile", "no such file")
            });
        }
        Whole::TooLong => {
            let found = format!("more than {bytes_max} bytes");
            note(failures, || {
                Failure::new(Check::Tile, Place::File(path), expected(), found)
            });
        }
        Whole::Read if buffer.len() != width.saturating_mul(32) => {
            let found = format!("{} bytes", buffer.len());
            note(failures, || {
                Failure::new(Check::Tile, Place::File(path), expected(), found)
            });
        }
        Whole::Read => {}
    }
    let hashes = || {
        paygod_tlog::hash::split_hashes(buffer)
            .0
            .iter()
            .copied()
            .map(Hash::new)
    };
    for ((index, leaf), hash) in (out.first..).zip(&out.leaves).zip(hashes()) {
        if *leaf != hash {
            note(failures, || {
                let expected = format!("leaf hash {hash} of `{tile}`");
                Failure::new(
                    Check::Tile,
                    Place::Entry(index),
                    expected,
                    format!("{leaf}"),
                )
            });
        }
    }
    let missing = out.leaves.len();
    out.leaves.extend(hashes().take(width).skip(missing));
    out.leaves.resize(width, Hash::default());
    Ok(())
}

/// Compares leaf hashes with those of an export that the auditor kept.
fn compare_kept(
    number: u64,
    kept: &dyn Source,
    kept_size: u64,
    buffer: &mut Vec<u8>,
    out: &Bundle,
    failures: &mut Vec<Failure>,
) -> Result<(), SourceError> {
    let width = kept_size
        .saturating_sub(out.first)
        .min(u64::from(TILE_WIDTH));
    let width = u16::try_from(width).unwrap_or(TILE_WIDTH);
    // Past the end of what was kept there is no tile to compare.
    let Ok(tile) = Tile::new(TileKind::Hashes(0), number, width) else {
        return Ok(());
    };
    let bytes_max = u64::try_from(TILE_BYTES).unwrap_or(u64::MAX);
    if read_whole(kept, &tile.path(), bytes_max, buffer)? != Whole::Read {
        return Ok(());
    }
    let hashes = paygod_tlog::hash::split_hashes(buffer).0;
    for ((index, leaf), hash) in (out.first..).zip(&out.leaves).zip(hashes) {
        let hash = Hash::new(*hash);
        if *leaf != hash {
            note(failures, || {
                let expected = format!("leaf hash {hash}, as kept");
                Failure::new(
                    Check::Kept,
                    Place::Entry(index),
                    expected,
                    format!("{leaf}"),
                )
            });
        }
    }
    Ok(())
}
