//! What an auditor asks for and brings along.

use std::path::PathBuf;

use paygod_tlog::{Hash, TlogPolicy};

use crate::limits::FAILURES_ALL_MAX;
use crate::source::Source;

/// How much is checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Depth {
    /// Canonical bytes, tree, keys and signatures.
    Sealed,
    /// That, and everything that entries mean: the state is rebuilt.
    #[default]
    Whole,
}

impl Depth {
    /// The word used in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sealed => "sealed",
            Self::Whole => "whole",
        }
    }
}

/// What the auditor kept from earlier. With it, a rewrite of history is found even when it was signed
/// with the log's own, stolen, key.
#[derive(Clone, Copy, Default)]
pub struct Kept<'a> {
    /// Signed checkpoints: anything changed before one is found.
    pub checkpoints: &'a [Vec<u8>],
    /// tlog-proof files: a change of the entry that one proves is named exactly.
    pub proofs: &'a [Vec<u8>],
    /// Revocations of this log's checkpoint keys, as notes: every checkpoint that a revoked key signed
    /// past its last good entry is refused, even in a log that hides the revocation.
    pub revocations: &'a [Vec<u8>],
    /// An earlier export, or only its `checkpoint` and `tile/0`: the first changed entry is named.
    pub export: Option<&'a dyn Source>,
}

/// What an auditor asks of witnesses.
#[derive(Clone, Copy, Debug)]
pub struct Witnesses<'a> {
    /// The witnesses, and the quorum of them.
    pub policy: &'a TlogPolicy,
    /// The time now, in POSIX seconds: cosignatures may not be from later.
    pub now: u64,
}

/// What to check and how.
#[derive(Clone)]
pub struct Options<'a> {
    /// The fingerprint of the first entry, from a source that the auditor trusts. Without it the
    /// export is only checked to be consistent in itself.
    pub genesis: Option<Hash>,
    /// What the auditor kept from earlier.
    pub kept: Kept<'a>,
    /// Sizes at which [`crate::Marks`] are wanted, ascending: those that anchors are of.
    pub marks: &'a [u64],
    /// Fails a book whose checkpoints are not hybrid. One that is hybrid by its genesis is always held to it.
    pub demand_hybrid: bool,
    /// Which witnesses must have cosigned the log's newest witnessed checkpoint, `witnessed`; with it, one must
    /// be there.
    pub witnesses: Option<Witnesses<'a>>,
    /// How much is checked.
    pub depth: Depth,
    /// How many failures to look for, 1 or more.
    pub failures_max: usize,
    /// Threads that work at it.
    pub threads: usize,
    /// A folder for the temporary file that a long log needs; 16 bytes an entry.
    pub scratch: PathBuf,
}

impl Options<'_> {
    /// Everything, on two threads, up to the first failure, with nothing kept from earlier.
    #[must_use]
    pub fn new(scratch: impl Into<PathBuf>) -> Self {
        Self {
            genesis: None,
            kept: Kept::default(),
            marks: &[],
            demand_hybrid: false,
            witnesses: None,
            depth: Depth::Whole,
            failures_max: 1,
            threads: 2,
            scratch: scratch.into(),
        }
    }

    /// The same, looking for all failures.
    #[must_use]
    pub const fn all(mut self) -> Self {
        self.failures_max = FAILURES_ALL_MAX;
        self
    }
}

/// How far verifying is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Entries checked.
    pub entries_done: u64,
    /// Entries there are.
    pub entries_total: u64,
}
