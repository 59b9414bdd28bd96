//! The stage of one attack: copies to tamper with, forgeries with and without care, and the auditor
//! who looks at what came of it.

use super::attack::{Catch, Finding, Halt, Kept, Window};
use super::scene::Scene;
use crate::fault::Fault;
use crate::insider::{Export, cover};
use paygod_anchor::witness::http;
use paygod_core::Entry;
use paygod_tlog::{TlogPolicy, TreeHead};
use paygod_types::Seq;
use paygod_verify::{Failure, Options, Place, Witnesses};
use std::path::{Path, PathBuf};

/// One attack's place to work.
pub(crate) struct Stage<'s> {
    /// What the attack starts from.
    pub(crate) scene: &'s Scene,
    /// The attack's own folder; not there until something is written to it.
    pub(crate) folder: PathBuf,
    /// Whether what was tampered with is written out to be looked at.
    pub(crate) keeps: bool,
}

impl Stage<'_> {
    /// A copy of the export.
    pub(crate) fn export(&self) -> Export {
        self.scene.export.clone()
    }

    /// A copy of the entries, decoded.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.scene.entries.clone()
    }

    /// A log of these entries with all tracks covered: numbers, references and digests agree, the tree
    /// is rebuilt, and the stolen key has signed it.
    pub(crate) fn forge(&self, mut entries: Vec<Entry>) -> Result<Export, Fault> {
        cover(&mut entries, &self.scene.keys);
        self.forge_as_is(&entries)
    }

    /// A log of these entries as they are; the tree is rebuilt and the stolen key has signed it.
    pub(crate) fn forge_as_is(&self, entries: &[Entry]) -> Result<Export, Fault> {
        let bytes: Vec<Vec<u8>> = entries.iter().map(encode).collect();
        self.forge_bytes(&bytes)
    }

    /// A log of these bytes; the tree is rebuilt and the stolen key has signed it.
    pub(crate) fn forge_bytes(&self, bytes: &[Vec<u8>]) -> Result<Export, Fault> {
        let mut export = self.export();
        let head = export.rebuild(bytes)?;
        export.publish(&[self.sign(bytes, head)?]);
        Ok(export)
    }

    /// Signs a head with the stolen key that is in force there.
    pub(crate) fn sign(&self, bytes: &[Vec<u8>], head: TreeHead) -> Result<Vec<u8>, Fault> {
        // What does not decode sets no key.
        let entries: Vec<Entry> = bytes
            .iter()
            .filter_map(|bytes| Entry::decode(bytes).ok())
            .collect();
        let signer = self.scene.keys.at(&entries, head.size)?;
        self.scene.keys.checkpoint(signer, head)
    }

    /// An auditor who kept this verifies what the insider left.
    pub(crate) fn audit(&self, export: &Export, kept: Kept) -> Result<Finding, Halt> {
        let checkpoints = match kept {
            Kept::Checkpoint => vec![self.scene.kept.to_bytes()],
            Kept::NewestCheckpoint => vec![self.scene.newest.to_bytes()],
            _ => Vec::new(),
        };
        self.audit_with(export, &checkpoints, &[], &[], kept == Kept::Export)
    }

    /// An auditor who was given this revocation verifies what the insider left.
    pub(crate) fn audit_revocation(&self, export: &Export, note: Vec<u8>) -> Result<Finding, Halt> {
        self.audit_with(export, &[], &[], &[note], false)
    }

    /// An auditor who demands these witnesses verifies what the insider left.
    pub(crate) fn audit_witnessed(
        &self,
        export: &Export,
        policy: &TlogPolicy,
    ) -> Result<Finding, Halt> {
        let mut options = self.options(export)?;
        options.witnesses = Some(Witnesses {
            policy,
            now: http::now(),
        });
        verified(export, &options)
    }

    /// An auditor verifies with the receipt of the entry at a place.
    pub(crate) fn audit_receipt(&self, export: &Export, index: usize) -> Result<Finding, Halt> {
        let proof = self.scene.receipt(index)?.to_bytes()?;
        self.audit_with(export, &[], &[proof], &[], false)
    }

    fn audit_with(
        &self,
        export: &Export,
        checkpoints: &[Vec<u8>],
        proofs: &[Vec<u8>],
        revocations: &[Vec<u8>],
        old_export: bool,
    ) -> Result<Finding, Halt> {
        let mut options = self.options(export)?;
        options.kept.checkpoints = checkpoints;
        options.kept.proofs = proofs;
        options.kept.revocations = revocations;
        if old_export {
            options.kept.export = Some(&self.scene.export);
        }
        verified(export, &options)
    }

    /// An auditor who has the fingerprint.
    fn options<'o>(&self, export: &Export) -> Result<Options<'o>, Fault> {
        if self.keeps {
            export.save(&self.folder)?;
        }
        let mut options = Options::new(std::env::temp_dir());
        options.genesis = Some(self.scene.fingerprint);
        Ok(options)
    }

    /// How much of the log the kept checkpoint does not cover.
    pub(crate) fn exposed(&self) -> Window {
        let tail = self
            .scene
            .entries
            .get(self.scene.kept_len()..)
            .unwrap_or(&[]);
        let since = self
            .scene
            .kept_len()
            .checked_sub(1)
            .and_then(|last| self.scene.entries.get(last));
        let nanos = match (since, tail.last()) {
            (Some(first), Some(last)) => last.time.as_nanos().saturating_sub(first.time.as_nanos()),
            _ => 0,
        };
        Window {
            entries: u64::try_from(tail.len()).unwrap_or(u64::MAX),
            nanos,
        }
    }

    /// A folder of this attack.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A copy of the book, to be tampered with.
    pub(crate) fn copy_book(&self) -> Result<PathBuf, Fault> {
        let to = self.path("book");
        super::copy::folder(&self.scene.book, &to)?;
        Ok(to)
    }
}

fn verified(export: &Export, options: &Options<'_>) -> Result<Finding, Halt> {
    let report = paygod_verify::verify(export, options, &|_| {})
        .map_err(|error| Fault::of(error.code(), &error))?;
    Ok(report.first().map_or(Finding::Unnoticed(None), |failure| {
        Finding::Caught(failure.into())
    }))
}

impl From<&Failure> for Catch {
    fn from(failure: &Failure) -> Self {
        Self {
            check: failure.check.code().as_str(),
            place: place(&failure.place),
            detail: format!("expected {}, found {}", failure.expected, failure.found),
        }
    }
}

/// Where, as briefly as a table wants it.
fn place(place: &Place) -> String {
    match place {
        Place::Entry(seq) => format!("entry {seq}"),
        Place::Entries(range) => {
            format!("entries {} to {}", range.start, range.end.saturating_sub(1))
        }
        Place::Checkpoint(size) => format!("checkpoint {size}"),
        Place::File(path) => path.clone(),
    }
}

/// An entry's bytes.
pub(crate) fn encode(entry: &Entry) -> Vec<u8> {
    let mut bytes = Vec::new();
    entry.encode(&mut bytes);
    bytes
}

/// The number of the entry at a place.
pub(crate) fn seq(index: usize) -> Seq {
    Seq(u64::try_from(index).unwrap_or(u64::MAX))
}

/// Changes the entry at a place.
pub(crate) fn change<T>(entries: &mut [T], index: usize, by: impl FnOnce(&mut T)) {
    if let Some(entry) = entries.get_mut(index) {
        by(entry);
    }
}

/// What an error of a library that noticed says.
pub(crate) fn noticed(fault: &Fault, place: impl Into<String>) -> Finding {
    Finding::Caught(Catch {
        check: fault.code().as_str(),
        place: place.into(),
        detail: fault.message().to_owned(),
    })
}

/// The path as shown: relative to the attack's folder.
pub(crate) fn shown(path: &Path, within: &Path) -> String {
    path.strip_prefix(within)
        .unwrap_or(path)
        .display()
        .to_string()
}
