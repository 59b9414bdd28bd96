//! The tree at the sizes that anchors are of, and the receipts of anchors: what whoever checks proofs
//! needs to know of the log. The proofs themselves are of other formats and are not read here.

use paygod_core::entry::AnchorReceipt;
use paygod_core::{Body, Entry};
use paygod_tlog::limits::TILE_BYTES;
use paygod_tlog::{Frontier, Hash, HashSource, ReadError, Tile, TreeHead, TreeReader};
use paygod_types::Timestamp;
use paygod_types::canonical::Writer;

use crate::batch::Bundle;
use crate::failure::{Check, Failure, Failures, Place};
use crate::limits::ANCHORS_MAX;
use crate::source::{Source, SourceError, Whole, read_whole};

/// The tree at one size that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marked {
    /// Size and root, as rebuilt.
    pub head: TreeHead,
    /// The time of the first entry after it, if there is one and [`crate::Depth::Whole`] was asked for.
    pub next: Option<Timestamp>,
}

/// What was found of the log for those who check anchors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// The tree at the sizes asked for, ascending; sizes past the end are left out.
    pub marked: Vec<Marked>,
    /// Receipts of anchors, and the entries they are; with [`crate::Depth::Whole`] only.
    pub receipts: Vec<(u64, AnchorReceipt)>,
    /// The time of the first entry; with [`crate::Depth::Whole`] only.
    pub first: Option<Timestamp>,
    /// The time of the last entry; with [`crate::Depth::Whole`] only.
    pub last: Option<Timestamp>,
}

/// Collects them while the log goes by.
pub(crate) struct Marker<'a> {
    /// Sizes still to come, ascending.
    wanted: &'a [u64],
    pub(crate) marks: Marks,
    /// The first receipt that there was no room for.
    pub(crate) too_many: Option<u64>,
}

impl<'a> Marker<'a> {
    pub(crate) fn new(wanted: &'a [u64]) -> Self {
        Self {
            wanted,
            marks: Marks::default(),
            too_many: None,
        }
    }

    /// A bundle, and the tree before it.
    pub(crate) fn take(&mut self, bundle: &Bundle, before: &Frontier) {
        let time = |index: u64| {
            let at = bundle.entries.partition_point(|read| read.index < index);
            let read = bundle.entries.get(at).filter(|read| read.index == index)?;
            read.entry().map(|entry| entry.time)
        };
        if bundle.first == 0 {
            self.marks.first = time(0);
        }
        if let Some(marked) = self.marks.marked.last_mut()
            && marked.head.size == bundle.first
        {
            marked.next = time(bundle.first);
        }
        let entries = bundle
            .entries
            .iter()
            .filter_map(|read| read.entry().map(|entry| (read.index, entry)));
        for (index, entry) in entries {
            self.note(index, entry);
        }
        let leaves = u64::try_from(bundle.leaves.len()).unwrap_or(u64::MAX);
        let end = bundle.first.saturating_add(leaves);
        while let Some((size, rest)) = self.wanted.split_first().filter(|(size, _)| **size <= end) {
            self.wanted = rest;
            let within = usize::try_from(size.saturating_sub(bundle.first)).unwrap_or(usize::MAX);
            let Some(leaves) = bundle.leaves.get(..within).filter(|_| *size > 0) else {
                continue;
            };
            let mut frontier = before.clone();
            frontier.append_batch(leaves);
            let head = frontier.head();
            self.marks.marked.push(Marked {
                head,
                next: time(*size),
            });
        }
    }

    fn note(&mut self, index: u64, entry: &Entry) {
        self.marks.last = Some(entry.time);
        if let Body::Anchor(receipt) = entry.body {
            if self.marks.receipts.len() < ANCHORS_MAX {
                self.marks.receipts.push((index, receipt));
            } else {
                self.too_many.get_or_insert(index);
            }
        }
    }

    /// Compares the root of every receipt with the tree, whose tiles were all compared before. A receipt that
    /// another followed is no exception: it is sealed that this checkpoint was there.
    pub(crate) fn check(
        &self,
        source: &dyn Source,
        size: u64,
        failures: &mut Failures,
    ) -> Result<(), SourceError> {
        let Ok(mut tree) = TreeReader::new(Tiles(source), size) else {
            return Ok(());
        };
        for (index, receipt) in &self.marks.receipts {
            let head = match tree.head_at(receipt.size) {
                Ok(head) => head,
                Err(ReadError::Source(error)) => return Err(error),
                // The fold has refused it: it is of more entries than there were.
                Err(_) => continue,
            };
            if head.root.as_bytes() != receipt.root.as_bytes() {
                let expected = format!("the root at size {}, {}", receipt.size, head.root);
                let (place, found) = (Place::Entry(*index), receipt.root.to_string());
                failures.push(Failure::new(Check::Anchor, place, expected, found));
            }
        }
        if let Some(index) = self.too_many {
            let expected = format!("at most {ANCHORS_MAX} receipts of anchors");
            let place = Place::Entry(index);
            failures.push(Failure::new(Check::Anchor, place, expected, "one more"));
        }
        Ok(())
    }
}

/// The tiles of an export, for those who look back into the tree.
struct Tiles<'a>(&'a dyn Source);

impl HashSource for Tiles<'_> {
    type Error = SourceError;

    fn read_tile(&self, tile: &Tile, out: &mut Vec<Hash>) -> Result<(), SourceError> {
        let bytes_max = u64::try_from(TILE_BYTES).unwrap_or(u64::MAX);
        let mut bytes = Vec::new();
        if read_whole(self.0, &tile.path(), bytes_max, &mut bytes)? == Whole::Read {
            let hashes = paygod_tlog::hash::split_hashes(&bytes).0;
            out.extend(hashes.iter().copied().map(Hash::new));
        }
        Ok(())
    }
}

/// What checking the anchors found, for the report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnchorReport {
    /// The chain whose headers were brought; `None`: none were, so no proof was checked.
    pub network: Option<String>,
    /// Proofs in the export.
    pub proofs: u64,
    /// Proofs that a block bears out.
    pub proven: u64,
    /// The first proof that a block bears out: since when the log is protected.
    pub first: Option<Protection>,
    /// The last one: how far it is protected.
    pub last: Option<Protection>,
    /// Entries that are newer than the last one.
    pub newer: u64,
}

/// Entries that existed when a block was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protection {
    /// How many entries: the size of the checkpoint that is anchored.
    pub size: u64,
    /// The height of the block.
    pub height: u64,
    /// When it was made, by its miner's word.
    pub time: Timestamp,
}

impl AnchorReport {
    pub(crate) fn write_json(&self, writer: &mut Writer<'_>) {
        let protection = |writer: &mut Writer<'_>, key, of: &Option<Protection>| {
            if let Some(of) = of {
                writer.key(key);
                writer.begin_object();
                writer.key("height");
                writer.u64(of.height);
                writer.key("size");
                writer.u64(of.size);
                writer.key("time");
                writer.timestamp(of.time);
                writer.end_object();
            }
        };
        writer.begin_object();
        protection(writer, "first", &self.first);
        protection(writer, "last", &self.last);
        if let Some(network) = &self.network {
            writer.key("network");
            writer.string(network);
        }
        writer.key("newer");
        writer.u64(self.newer);
        writer.key("proofs");
        writer.u64(self.proofs);
        writer.key("proven");
        writer.u64(self.proven);
        writer.end_object();
    }
}
