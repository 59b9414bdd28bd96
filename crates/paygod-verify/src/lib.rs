//! Everything an auditor checks, offline, from an exported folder and a genesis fingerprint alone.
//!
//! [`verify`] reads the export once, in order, and checks: that every entry is canonical and
//! well-formed; the whole tree against its tiles; every checkpoint's signature by the key in force at
//! its size, and that each is a prefix of the next; every key change; every balance, rebuilt by the
//! ledger's own fold; conservation, limits and verdicts against effects; that every id is used once
//! and every time is later than the last; packs and lists against the digests that activated them, and against each other; the rules that
//! decisions name against those packs;
//! snapshot entries against the rebuilt state; and, where the auditor kept something, that against
//! the export.
//!
//! Invariants:
//! - INVARIANT(verify-alone): nothing of the server runs here and nothing of it is trusted. The fold
//!   is `paygod-core`'s, the same that recovery runs.
//! - INVARIANT(flat-memory): memory grows with accounts and reservations, never with the log. Batches
//!   in flight are bounded; ids spill to a temporary file.
//! - INVARIANT(bounded-parser): an export is hostile input. Every read is bounded, every parser
//!   strict, and what is wrong becomes a [`Failure`], never a panic.
//!
//! It does not fetch anything, and it does not judge payments again: that needs the vault.

mod anchors;
mod audit;
mod batch;
mod blobs;
mod checkpoints;
mod error;
mod failure;
mod ids;
mod keys;
mod levels;
pub mod limits;
mod options;
mod pipeline;
mod rebuild;
mod report;
mod revocations;
mod rules;
mod snapshots;
mod source;
mod spill;

pub use anchors::{AnchorReport, Marked, Marks, Protection};
pub use error::VerifyError;
pub use failure::{Check, Failure, Place, printable};
pub use options::{Depth, Kept, Options, Progress, Witnesses};
pub use report::Report;
pub use source::{Directory, Source, SourceError};

/// Verifies an export. What is wrong with the export is in the report; see [`Report::is_valid`].
///
/// `progress` is told now and then how far it is, from any thread.
///
/// # Errors
/// [`VerifyError`] when verifying itself could not go on: a disk refused. It says nothing about the
/// export.
pub fn verify(
    source: &dyn Source,
    options: &Options<'_>,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Report, VerifyError> {
    pipeline::run(source, options, progress)
}
