//! What an attack is, what may become of it, and what the auditor is assumed to have kept.

use super::stage::Stage;
use crate::fault::Fault;

/// One way to tamper, told in one sentence and carried out on a copy.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attack {
    /// Its permanent name.
    pub(crate) name: &'static str,
    /// What the insider did.
    pub(crate) story: &'static str,
    /// What whoever caught it, or did not, had kept.
    pub(crate) kept: Kept,
    /// What must become of it.
    pub(crate) expected: Expected,
    /// Carries it out and asks whoever is to notice.
    pub(crate) act: fn(&Stage<'_>) -> Result<Finding, Halt>,
}

/// What an auditor or operator had in hand from before the attack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    /// The genesis fingerprint alone.
    Fingerprint,
    /// The fingerprint and one signed checkpoint from before the attack.
    Checkpoint,
    /// The fingerprint and the newest signed checkpoint.
    NewestCheckpoint,
    /// The fingerprint and the receipt of one payment: a tlog-proof file and its entry.
    Receipt,
    /// The fingerprint and the signed revocation of a stolen key.
    Revocation,
    /// The fingerprint and Bitcoin's block headers, from a node of one's own.
    Headers,
    /// The fingerprint and an earlier export.
    Export,
    /// The fingerprint and a trust policy that names witnesses.
    Witness,
    /// The book itself, which the operator opens as on every day.
    Book,
}

impl Kept {
    /// In words, after "kept".
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Fingerprint => "fingerprint",
            Self::Checkpoint => "a checkpoint",
            Self::NewestCheckpoint => "the last checkpoint",
            Self::Receipt => "a receipt",
            Self::Revocation => "a revocation",
            Self::Headers => "block headers",
            Self::Export => "an old export",
            Self::Witness => "a policy",
            Self::Book => "the book",
        }
    }
}

/// What must become of an attack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    /// It is caught.
    Caught,
    /// It changes nothing that counts, and this is why.
    Harmless(&'static str),
    /// Nothing at hand can catch it yet.
    Open {
        /// Why not.
        why: &'static str,
        /// What will.
        needs: &'static str,
    },
}

/// What became of an attack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Finding {
    /// It was caught.
    Caught(Catch),
    /// Everything was as before: repaired, or never relied on.
    Unharmed,
    /// Nobody noticed; so much of the log is exposed to it, if it is about a part.
    Unnoticed(Option<Window>),
}

/// How an attack was caught.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Catch {
    /// The permanent code of the check.
    pub(crate) check: &'static str,
    /// Where: an entry, a checkpoint, a file.
    pub(crate) place: String,
    /// What was expected there, and what was found.
    pub(crate) detail: String,
}

/// A stretch of the log that nobody outside has committed to yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    /// Entries in it.
    pub(crate) entries: u64,
    /// From its first entry to its last, in nanoseconds.
    pub(crate) nanos: u64,
}

/// Why an attack was not carried out to its end.
#[derive(Debug)]
pub(crate) enum Halt {
    /// This book has nothing of the kind that is attacked.
    NotHere(&'static str),
    /// The drill itself failed.
    Failed(Fault),
}

impl<E: Into<Fault>> From<E> for Halt {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl Expected {
    /// Whether this is what must become of it.
    pub(crate) const fn is_met(self, finding: &Finding) -> bool {
        // What is caught has done no harm either.
        matches!(
            (self, finding),
            (Self::Caught | Self::Harmless(_), Finding::Caught(_))
                | (Self::Harmless(_), Finding::Unharmed)
                | (Self::Open { .. }, Finding::Unnoticed(_))
        )
    }
}
