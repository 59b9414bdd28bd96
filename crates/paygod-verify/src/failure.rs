//! What is wrong with an export: which check, where, what was expected and what was found.

use std::fmt;
use std::ops::Range;

use paygod_core::FoldError;
use paygod_types::canonical::Writer;
use paygod_types::{Code, code};

use crate::limits::TEXT_SHOWN_MAX;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The check that failed.
    pub check: Check,
    /// Where.
    pub place: Place,
    /// What was expected there.
    pub expected: String,
    /// What was found instead.
    pub found: String,
}

/// Where something is wrong, as exactly as can be said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// This entry.
    Entry(u64),
    /// One or more of these entries; which, cannot be told from what is at hand.
    Entries(Range<u64>),
    /// The checkpoint of this size.
    Checkpoint(u64),
    /// This file of the export.
    File(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entry(seq) => write!(f, "entry {seq}"),
            Self::Entries(range) if range.end.saturating_sub(range.start) == 1 => {
                write!(f, "entry {}", range.start)
            }
            Self::Entries(range) => {
                write!(
                    f,
                    "entries {} to {}",
                    range.start,
                    range.end.saturating_sub(1)
                )
            }
            Self::Checkpoint(size) => write!(f, "the checkpoint of size {size}"),
            Self::File(path) => write!(f, "`{path}`"),
        }
    }
}

macro_rules! checks {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:ident;)*) => {
        /// What is checked, each with its permanent code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Check {
            $($(#[doc = $doc])+ $name,)*
            /// What the ledger's fold checks.
            Fold(paygod_core::Check),
        }

        impl Check {
            /// All of this crate's own.
            pub const OWN: &'static [Self] = &[$(Self::$name),*];

            /// The permanent code.
            #[must_use]
            pub const fn code(self) -> Code {
                match self {
                    $(Self::$name => code::$code,)*
                    Self::Fold(check) => check.code(),
                }
            }
        }
    };
}

checks! {
    /// Every file that the checkpoint's size calls for is there.
    Missing = VERIFY_MISSING;
    /// Entry bundles are well-formed and hold as many entries as their name says.
    Bundle = VERIFY_BUNDLE;
    /// Every entry is the canonical bytes of a well-formed entry.
    Entry = VERIFY_ENTRY;
    /// The first entry has the fingerprint that the auditor was given.
    Genesis = VERIFY_GENESIS;
    /// Every tile holds the hashes of the entries below it.
    Tile = VERIFY_TILE;
    /// Checkpoints are well-formed.
    Checkpoint = VERIFY_CHECKPOINT;
    /// Published checkpoints only grow, and the one shown is the last.
    Order = VERIFY_ORDER;
    /// There are no two checkpoints of one size.
    Fork = VERIFY_FORK;
    /// Every checkpoint is of this log and signed by the key in force at its size.
    Signature = VERIFY_SIGNATURE;
    /// Every checkpoint of a hybrid book carries its ML-DSA-44 cosignature.
    Hybrid = VERIFY_HYBRID;
    /// No checkpoint is by a key that was revoked, past its last good entry.
    Revoked = VERIFY_REVOKED;
    /// The newest witnessed checkpoint is there and has its quorum.
    Witness = VERIFY_WITNESS;
    /// Every checkpoint's root is that of the entries before it.
    Root = VERIFY_ROOT;
    /// What the auditor kept still stands.
    Kept = VERIFY_KEPT;
    /// Every id is used once.
    DuplicateId = VERIFY_DUPLICATE_ID;
    /// Every pack and list that was activated is there, unchanged.
    Blob = VERIFY_BLOB;
    /// Packs that were activated together find what they read.
    Ruleset = VERIFY_RULESET;
    /// Decisions name rules that active packs have, and tell what those say.
    Rule = VERIFY_RULE;
    /// Snapshot entries tell the digest of the state as rebuilt.
    Snapshot = VERIFY_SNAPSHOT;
    /// Every anchor is of this log's checkpoint, and a block bears it out.
    Anchor = VERIFY_ANCHOR;
    /// Every entry was anchored as soon as the auditor demands.
    AnchorLate = VERIFY_ANCHOR_LATE;
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code().as_str())
    }
}

impl Failure {
    /// What is wrong, where; texts that are too long are cut.
    #[must_use]
    pub fn new(
        check: Check,
        place: Place,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        Self {
            check,
            place,
            expected: shown(expected.into()),
            found: shown(found.into()),
        }
    }

    /// The most telling first: entries by number and what is not there at all, then checkpoints, then
    /// ranges of entries and files, which may follow from those.
    fn rank(&self) -> (u8, u64) {
        match &self.place {
            Place::Entry(seq) => (0, *seq),
            Place::Entries(range) if self.check == Check::Missing => (0, range.start),
            Place::Checkpoint(size) => (1, *size),
            Place::Entries(range) => (2, range.start),
            Place::File(_) => (3, 0),
        }
    }

    /// What the fold said of the entry that stands at `index`, whatever seq it claims.
    pub(crate) fn of_fold(index: u64, error: FoldError) -> Self {
        Self::new(
            Check::Fold(error.check),
            Place::Entry(index),
            error.expected,
            error.found,
        )
    }

    pub(crate) fn write_json(&self, writer: &mut Writer<'_>) {
        writer.begin_object();
        writer.key("check");
        writer.string(self.check.code().as_str());
        match &self.place {
            Place::Checkpoint(size) => {
                writer.key("checkpoint");
                writer.u64(*size);
            }
            Place::Entries(range) => {
                writer.key("entries");
                writer.begin_array();
                writer.u64(range.start);
                writer.u64(range.end.saturating_sub(1));
                writer.end_array();
            }
            Place::Entry(seq) => {
                writer.key("entry");
                writer.u64(*seq);
            }
            Place::File(_) => {}
        }
        writer.key("expected");
        writer.string(&self.expected);
        if let Place::File(path) = &self.place {
            writer.key("file");
            writer.string(path);
        }
        writer.key("found");
        writer.string(&self.found);
        writer.end_object();
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            check,
            place,
            expected,
            found,
        } = self;
        write!(
            f,
            "{place} fails the check `{check}`: expected {expected}, found {found}"
        )
    }
}

/// Cuts a text that an export may have chosen, and spells out what a terminal would obey or hide.
fn shown(text: String) -> String {
    let long = text.chars().count() > TEXT_SHOWN_MAX;
    if !long && text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return text;
    }
    let mut out = printable(text.chars().take(TEXT_SHOWN_MAX));
    if long {
        out.push('…');
    }
    out
}

/// A text from outside as a terminal may have it: nothing in it moves the cursor, turns the letters round or hides.
#[must_use]
pub fn printable(text: impl Iterator<Item = char>) -> String {
    let mut out = String::new();
    for c in text {
        let hides = matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}');
        if c.is_control() || hides {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

/// The failures found so far, bounded.
#[derive(Debug)]
pub(crate) struct Failures {
    kept: Vec<Failure>,
    kept_max: usize,
    wanted_max: usize,
    omitted: u64,
}

impl Failures {
    /// Keeps what is needed to report the `wanted_max` most telling.
    pub(crate) fn new(wanted_max: usize) -> Self {
        let kept_max = wanted_max.max(crate::limits::FAILURES_KEPT_MIN);
        Self {
            kept: Vec::new(),
            kept_max,
            wanted_max,
            omitted: 0,
        }
    }

    pub(crate) fn push(&mut self, failure: Failure) {
        if self.kept.len() < self.kept_max {
            self.kept.push(failure);
        } else {
            self.omitted = self.omitted.saturating_add(1);
        }
    }

    /// Nothing was found.
    pub(crate) const fn is_none(&self) -> bool {
        self.kept.is_empty()
    }

    /// As many were found as are wanted: no need to look for more.
    pub(crate) fn is_enough(&self) -> bool {
        self.kept.len() >= self.wanted_max.max(1)
    }

    /// The most telling ones in order, and how many more there were.
    pub(crate) fn finish(mut self) -> (Vec<Failure>, u64) {
        self.kept.sort_by_key(Failure::rank);
        let more = self.kept.len().saturating_sub(self.wanted_max.max(1));
        self.kept.truncate(self.wanted_max.max(1));
        (
            self.kept,
            self.omitted
                .saturating_add(u64::try_from(more).unwrap_or(u64::MAX)),
        )
    }
}
