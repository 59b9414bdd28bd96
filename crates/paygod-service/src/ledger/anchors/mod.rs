//! Anchoring: checkpoints go to a public chain, and what comes back is receipted.
//!
//! A round upgrades what calendars promised, then submits the newest checkpoint if one is due. It runs on
//! a thread of the ledger's own, or when somebody asks for it; nothing in the path of requests waits for
//! it, and a calendar that is down costs a line in the status.
//!
//! A proof passes three places, each written whole before the next: `anchors/pending/<size>.ots` when a
//! calendar took it, `anchors/<size>.ots` when it names a block, and the entry that receipts it. Killed
//! anywhere, the next round goes on from there. After an outage only the newest checkpoint is submitted:
//! it covers all that came before.

mod error;
mod folder;
mod policy;
mod round;
mod thread;

use paygod_anchor::bitcoin::Headers;
use paygod_tlog::TreeHead;
use paygod_types::Timestamp;

pub use error::AnchorError;
pub(super) use folder::Folder;
pub use policy::AnchorPolicy;
pub(super) use round::Anchorer;
pub use round::{AnchorRound, Held};
pub(super) use thread::Follower;

use super::open::Ledger;

/// How far the anchoring of a book is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnchorStatus {
    /// Sizes of the checkpoints whose proofs name a block, ascending.
    pub anchored: Vec<u64>,
    /// Sizes of those that calendars took and that name no block yet, ascending.
    pub pending: Vec<u64>,
    /// Entries that no proof with a block covers.
    pub newer: u64,
    /// When a checkpoint was submitted last.
    pub submitted: Option<Timestamp>,
    /// Submissions of this day (UTC).
    pub today: u32,
    /// What the last round of the ledger's own thread met, if it met something.
    pub fault: Option<String>,
}

/// A proof of the book, with the tree that it is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnchorFile {
    /// Size and root.
    pub head: TreeHead,
    /// The bytes of the `.ots` file.
    pub bytes: Vec<u8>,
}

impl Ledger {
    /// One round, now: upgrades what is pending and submits what is newer than the last submission. Only
    /// the budget of the day holds it back. With headers, a proof is receipted only if they bear it out.
    ///
    /// # Errors
    /// The folder of anchors cannot be used, or the ledger has stopped. A calendar that does not answer
    /// is no error: it is in the round's faults.
    pub fn anchor_now(
        &self,
        policy: &AnchorPolicy,
        headers: Option<&Headers>,
    ) -> Result<AnchorRound, AnchorError> {
        self.anchorer.round(policy, headers, true)
    }

    /// One round, as the schedule of the policy has it.
    ///
    /// # Errors
    /// As [`Ledger::anchor_now`].
    pub fn anchor_if_due(&self, policy: &AnchorPolicy) -> Result<AnchorRound, AnchorError> {
        self.anchorer.round(policy, None, false)
    }

    /// How far the anchoring is.
    ///
    /// # Errors
    /// The folder of anchors cannot be read.
    pub fn anchor_status(&self) -> Result<AnchorStatus, AnchorError> {
        let folder = &self.anchorer.folder;
        let anchored = folder.anchored()?;
        let last = anchored.last().copied().unwrap_or(0);
        let state = folder.state()?;
        let today = folder::day(self.shared.clock.now());
        Ok(AnchorStatus {
            newer: self.size().saturating_sub(last),
            pending: folder.pending()?,
            anchored,
            submitted: (state.size > 0).then_some(state.time),
            today: if state.day == today { state.count } else { 0 },
            fault: self.shared.anchor_fault(),
        })
    }

    /// The proofs that name a block, ascending by size.
    ///
    /// # Errors
    /// The folder of anchors or the tree cannot be read.
    pub fn anchor_files(&self) -> Result<Vec<AnchorFile>, AnchorError> {
        let sizes = self.anchorer.folder.anchored()?;
        let signed = self.signed();
        let known = sizes.into_iter().filter(|size| *size <= signed);
        known
            .map(|size| {
                Ok(AnchorFile {
                    head: self.anchorer.head_at(size)?,
                    bytes: self.anchorer.folder.read_anchored(size)?,
                })
            })
            .collect()
    }
}
