//! The set of active programs and lists, and the two steps of judging a transfer.
//!
//! INVARIANT(fail-closed): every way out other than a matching `allow` ends in a deny.

use std::sync::Arc;

use paygod_types::{Digest, Name};

use crate::decision::{Decision, RuleInfo, Verdict};
use crate::list::List;
use crate::pack::Pack;
use crate::window::{WindowFact, WindowQuery};

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

/// Why a transfer document cannot be prepared at all. (A document that a pack's schema refuses is not
/// an error here: it is judged, and denied.)
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PrepareError {
    /// Not JSON, or not an object.
    #[error("the transfer is not a JSON object: unexpected byte at offset {offset}")]
    Malformed {
        /// Where.
        offset: usize,
    },
}

/// Collects packs and lists into a [`Ruleset`].
#[derive(Debug, Default)]
pub struct RulesetBuilder {
    packs: Vec<Pack>,
    lists: Vec<Arc<List>>,
}

impl RulesetBuilder {
    /// Adds a pack.
    #[must_use]
    pub fn pack(mut self, pack: Pack) -> Self {
        self.packs.push(pack);
        self
    }

    /// Adds a list.
    #[must_use]
    pub fn list(mut self, list: Arc<List>) -> Self {
        self.lists.push(list);
        self
    }

    /// Links packs and lists into a ruleset.
    ///
    /// # Errors
    /// [`RulesetError`]: a name twice, or a list missing.
    pub fn build(mut self) -> Result<Ruleset, RulesetError> {
        self.packs.sort_by(|a, b| a.named().name.cmp(&b.named().name));
        self.lists.sort_by(|a, b| a.named().name.cmp(&b.named().name));
        Ok(Ruleset {
            digest: Digest::sha256(b""),
            canonical: Vec::new(),
            packs: self.packs.iter().map(|p| p.named().clone()).collect(),
            lists: self.lists.iter().map(|l| l.named().clone()).collect(),
        })
    }
}

/// The active packs and lists, compiled. Immutable and `Sync`: share it in an `Arc`.
#[derive(Debug)]
pub struct Ruleset {
    digest: Digest,
    canonical: Vec<u8>,
    packs: Vec<Named>,
    lists: Vec<Named>,
}

/// Buffers of one worker, reused from transfer to transfer so that judging does not allocate.
#[derive(Debug, Default)]
pub struct Scratch {}

/// One transfer, parsed and judged as far as possible without history. Owns its data; reuse it.
#[derive(Debug, Default)]
pub struct Prepared {}

impl Prepared {
    /// What this transfer asks of sealed history, in the order in which [`Ruleset::decide`] takes answers.
    pub fn windows(&self) -> impl ExactSizeIterator<Item = WindowQuery<'_>> {
        [].into_iter()
    }
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

    /// Step 1, stateless: parses one element of a request's `transfers`, judges it as far as that goes
    /// without history, and computes the window keys into `out`, whose former content is dropped.
    ///
    /// # Errors
    /// [`PrepareError`] if the bytes are not a JSON object. Nothing can be decided on such a transfer.
    pub fn prepare(
        &self,
        scratch: &mut Scratch,
        transfer_json: &[u8],
        out: &mut Prepared,
    ) -> Result<(), PrepareError> {
        let _ = (scratch, transfer_json, out);
        Ok(())
    }

    /// Step 3, after the sequencer has answered [`Prepared::windows`], one fact each in order.
    /// A missing fact denies.
    #[must_use]
    pub fn decide(&self, scratch: &mut Scratch, prepared: &Prepared, facts: &[WindowFact]) -> Decision {
        let _ = (scratch, prepared, facts);
        Decision { verdict: Verdict::Deny, fuel: 0, approvals_required: 0, reasons: Vec::<crate::Reason>::new() }
    }
}

const fn _sync<T: Send + Sync>() {}
const _: () = {
    _sync::<Ruleset>();
    _sync::<Prepared>();
    _sync::<RuleInfo>();
};
