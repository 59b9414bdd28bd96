//! The set of active programs and lists, and the two steps of judging a transfer.
//!
//! INVARIANT(fail-closed): every way out other than a matching `allow` ends in a deny: a pack none of whose
//! rules matched denies, however other packs decide; so does a rule that erred, a document that a schema
//! refuses, a fact that is missing, and fuel that ran out.
//!
//! Rules are evaluated in the order of packs by name, then of the pack. Those that read a window which has no
//! answer yet are put off as a whole and evaluated, again in order, when the answers are there.

mod build;
mod judge;
mod vocabulary;
mod windows;

use std::sync::Arc;

use paygod_types::code::{self, Code};
use paygod_types::{Digest, Name};

use crate::decision::{RuleInfo, Verdict};
use crate::eval::program::Program;
use crate::list::List;
use crate::schema::Shape;

pub use build::RulesetBuilder;
pub use judge::{Prepared, Scratch};
pub use vocabulary::{Vocabulary, policy_says};
pub(crate) use windows::{AccountSite, Site};

/// A pack or list as an activation names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Named {
    /// The name.
    pub name: Name,
    /// The version.
    pub version: String,
    /// The digest of its canonical bytes.
    pub digest: Digest,
}

/// Why a set of packs and lists cannot be activated together.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RulesetError {
    /// Two packs, or two lists, of one name.
    #[error("`{name}` is there twice; a ruleset holds one version of each pack and list")]
    Duplicate {
        /// The name.
        name: String,
    },
    /// A rule reads a list that the set does not hold.
    #[error("pack `{pack}` reads the list `{list}`, which is not in the set; add that list to it")]
    ListMissing {
        /// The pack.
        pack: String,
        /// The list.
        list: String,
    },
}

impl RulesetError {
    /// The permanent code.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Duplicate { .. } => code::POLICY_DUPLICATE,
            Self::ListMissing { .. } => code::POLICY_LIST_MISSING,
        }
    }
}

/// Why a transfer document cannot be prepared at all. (A document that a pack's schema refuses is not
/// an error here: it is judged, and denied.)
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PrepareError {
    /// Not JSON, or not an object.
    #[error("the transfer is not a JSON object: {reason} at byte {offset}; send one object")]
    Malformed {
        /// Where.
        offset: usize,
        /// What is wrong there.
        reason: &'static str,
    },
}

impl PrepareError {
    /// The permanent code.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Malformed { .. } => code::POLICY_DOCUMENT,
        }
    }
}

/// A rule, compiled.
#[derive(Debug)]
pub(crate) struct LinkedRule {
    pub(crate) info: Arc<RuleInfo>,
    /// Index of its pack.
    pub(crate) pack: usize,
    pub(crate) program: Program,
    /// The windows it can read, as indexes into [`Ruleset::sites`].
    pub(crate) sites: Vec<u32>,
    /// The accounts it can read, as indexes into [`Ruleset::accounts`].
    pub(crate) accounts: Vec<u32>,
    /// Whether it reads how many approvals the request has.
    pub(crate) approvals: bool,
}

/// A pack, linked.
#[derive(Debug)]
pub(crate) struct LinkedPack {
    /// Index of its layout.
    pub(crate) shape: usize,
    /// The paths of its inputs: whose faults are its business.
    pub(crate) sources: Vec<String>,
    pub(crate) approvals: u32,
    pub(crate) unmatched: Arc<RuleInfo>,
    pub(crate) invalid: Arc<RuleInfo>,
}

/// The active packs and lists, compiled. Immutable and `Sync`: share it in an `Arc`.
#[derive(Debug)]
pub struct Ruleset {
    digest: Digest,
    canonical: Vec<u8>,
    packs: Vec<Named>,
    lists: Vec<Named>,
    pub(crate) linked: Vec<LinkedPack>,
    pub(crate) rules: Vec<LinkedRule>,
    pub(crate) shapes: Vec<Shape>,
    pub(crate) sites: Vec<Site>,
    pub(crate) accounts: Vec<AccountSite>,
    pub(crate) contents: Vec<Arc<List>>,
    exhausted: Arc<RuleInfo>,
    no_policy: Arc<RuleInfo>,
}

impl Ruleset {
    /// Starts a ruleset.
    #[must_use]
    pub fn builder() -> RulesetBuilder {
        RulesetBuilder::default()
    }

    /// SHA-256 of [`Ruleset::canonical`]: the `policy` of every decision made by it.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The canonical JSON that an activation entry spells:
    /// `{"lists":[{"digest","name","version"}…],"packs":[…]}`, each sorted by name.
    #[must_use]
    pub fn canonical(&self) -> &[u8] {
        &self.canonical
    }

    /// The packs, sorted by name.
    #[must_use]
    pub fn packs(&self) -> &[Named] {
        &self.packs
    }

    /// The lists, sorted by name.
    #[must_use]
    pub fn lists(&self) -> &[Named] {
        &self.lists
    }

    /// Every rule of every pack, in the order in which reasons come.
    pub fn rules(&self) -> impl ExactSizeIterator<Item = &RuleInfo> {
        self.rules.iter().map(|rule| &*rule.info)
    }
}

/// A reason that no rule wrote.
fn own_reason(pack: &Name, version: &str, rule: &str, reason: &str) -> Option<Arc<RuleInfo>> {
    Some(Arc::new(RuleInfo {
        pack: pack.clone(),
        version: version.to_owned(),
        rule: Name::parse(rule).ok()?,
        decision: Verdict::Deny,
        reason: reason.to_owned(),
    }))
}

const fn shareable<T: Send + Sync>() {}
const _: () = {
    shareable::<Ruleset>();
    shareable::<Prepared>();
    shareable::<Scratch>();
};
