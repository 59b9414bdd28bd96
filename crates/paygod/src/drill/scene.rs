//! What every attack starts from: the export as it was, what people kept of it, the stolen keys.
//!
//! Read once and never changed: attacks work on copies.

use super::attack::Halt;
use crate::fault::Fault;
use crate::insider::{Export, Keyring, vkey};
use paygod_core::entry::{Body, TransferBody};
use paygod_core::{Entry, Verdict};
use paygod_tlog::{Ed25519Signer, Hash, SignedCheckpoint, TlogProof, TreeReader, leaf_hash};
use paygod_types::code;
use std::path::{Path, PathBuf};

/// Most entries of a book that a drill is run on: every attack verifies the whole log anew.
pub(crate) const ENTRIES_MAX: u64 = 50_000;

/// The book and export as they were.
pub(crate) struct Scene {
    /// The book's folder, closed.
    pub(crate) book: PathBuf,
    /// Its export.
    pub(crate) export: Export,
    /// The entries' bytes.
    pub(crate) bytes: Vec<Vec<u8>>,
    /// What they say.
    pub(crate) entries: Vec<Entry>,
    /// The log's name.
    pub(crate) origin: String,
    /// The leaf hash of genesis.
    pub(crate) fingerprint: Hash,
    /// Every signing key of the book.
    pub(crate) keys: Keyring,
    /// Root keys that the drill has in hand: those of its own book, none of any other.
    pub(crate) roots: Vec<Ed25519Signer>,
    /// The newest checkpoint.
    pub(crate) newest: SignedCheckpoint,
    /// The checkpoint that an auditor saved some time ago.
    pub(crate) kept: SignedCheckpoint,
}

impl Scene {
    /// Reads the export of a closed book.
    pub(crate) fn load(book: &Path, export: &Path) -> Result<Self, Fault> {
        let export = Export::load(export)?;
        let checkpoints = export.checkpoints();
        let Some(newest) = checkpoints.last().cloned() else {
            let message = "the book has published no checkpoint yet";
            return Err(Fault::new(code::LEDGER_NOT_SIGNED_YET, message));
        };
        let size = newest.head().size;
        let bytes = export.entries(size)?;
        let entries = bytes
            .iter()
            .map(|bytes| Ok(Entry::decode(bytes)?))
            .collect::<Result<Vec<_>, Fault>>()?;
        let origin = newest.checkpoint().origin.clone();
        let kept = kept(&checkpoints, &entries).unwrap_or(&newest).clone();
        Ok(Self {
            book: book.to_path_buf(),
            fingerprint: bytes
                .first()
                .map_or(Hash::EMPTY_TREE, |genesis| leaf_hash(genesis)),
            keys: Keyring::steal(book, &origin)?,
            roots: roots(&entries)?,
            export,
            bytes,
            entries,
            origin,
            newest,
            kept,
        })
    }

    /// Where the first entry stands that is as asked.
    pub(crate) fn first(
        &self,
        what: &'static str,
        is: impl Fn(&Entry) -> bool,
    ) -> Result<usize, Halt> {
        self.entries.iter().position(is).ok_or(Halt::NotHere(what))
    }

    /// Where the last entry stands that is as asked and that the kept checkpoint covers.
    pub(crate) fn last_kept(
        &self,
        what: &'static str,
        is: impl Fn(&Entry) -> bool,
    ) -> Result<usize, Halt> {
        let covered = self.entries.get(..self.kept_len()).unwrap_or(&self.entries);
        covered.iter().rposition(is).ok_or(Halt::NotHere(what))
    }

    /// The same, or else the last one in the whole log: for attacks that need no checkpoint to be caught.
    pub(crate) fn last(
        &self,
        what: &'static str,
        is: impl Fn(&Entry) -> bool,
    ) -> Result<usize, Halt> {
        match self.last_kept(what, &is) {
            Ok(index) => Ok(index),
            Err(_) => self.entries.iter().rposition(is).ok_or(Halt::NotHere(what)),
        }
    }

    /// How many entries the kept checkpoint covers.
    pub(crate) fn kept_len(&self) -> usize {
        usize::try_from(self.kept.head().size)
            .unwrap_or(usize::MAX)
            .min(self.entries.len())
    }

    /// The receipt that the payer of an entry was given.
    pub(crate) fn receipt(&self, index: usize) -> Result<TlogProof, Fault> {
        let index = u64::try_from(index).unwrap_or(u64::MAX);
        let failed = |error: &dyn std::error::Error, code| Fault::of(code, error);
        let size = self.newest.head().size;
        let mut reader =
            TreeReader::new(&self.export, size).map_err(|error| failed(&error, error.code()))?;
        let inclusion = reader
            .inclusion(index, size)
            .map_err(|error| failed(&error, error.code()))?;
        let checkpoint = self.newest.clone();
        Ok(TlogProof {
            extra: None,
            index,
            hashes: inclusion.hashes,
            checkpoint,
        })
    }
}

/// The drill's root keys, if genesis names them.
fn roots(entries: &[Entry]) -> Result<Vec<Ed25519Signer>, Fault> {
    let named = match entries.first().map(|entry| &entry.body) {
        Some(Body::Genesis(genesis)) => genesis.root_keys.as_slice(),
        _ => &[],
    };
    let mut roots = super::book::roots()?;
    roots.retain(|root| named.contains(&vkey(root)));
    Ok(roots)
}

/// The newest checkpoint that leaves a payment after it, so that there is a tail to rewrite.
fn kept<'c>(
    checkpoints: &'c [SignedCheckpoint],
    entries: &[Entry],
) -> Option<&'c SignedCheckpoint> {
    let last_payment = entries.iter().rposition(is_posted_payment)?;
    checkpoints.iter().rfind(|checkpoint| {
        usize::try_from(checkpoint.head().size).is_ok_and(|size| size <= last_payment)
    })
}

/// A payment that was allowed and moved its money at once.
pub(crate) fn is_posted_payment(entry: &Entry) -> bool {
    payment(entry).is_some_and(|body| {
        matches!(body.decision.verdict, Verdict::Allow | Verdict::Flag)
            && !body.two_phase
            && !body.postings.is_empty()
    })
}

/// A payment that was denied.
pub(crate) fn is_denied_payment(entry: &Entry) -> bool {
    payment(entry).is_some_and(|body| body.decision.verdict == Verdict::Deny)
}

/// A payment that was held for review.
pub(crate) fn is_reviewed_payment(entry: &Entry) -> bool {
    payment(entry).is_some_and(|body| body.decision.verdict == Verdict::Review)
}

/// The body of a payment.
pub(crate) const fn payment(entry: &Entry) -> Option<&TransferBody> {
    match &entry.body {
        Body::Transfer(body) => Some(body),
        _ => None,
    }
}
