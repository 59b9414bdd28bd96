//! Anchoring: checkpoints go to a public chain, and what comes back is receipted.
//!
//! A round upgrades what calendars promised, then submits the newest checkpoint if one is due. It runs on
//! a thread of the ledger's own, or when somebody asks for it; nothing in the path of requests waits for
//! it, and a calendar that is down costs a line in the status.
//!
//! Beside calendars there are chains that take checkpoints by transactions of our own; see `chains`.
//!
//! A proof passes three places, each written whole before the next: `anchors/pending/<size>.ots` when a
//! calendar took it, `anchors/<size>.ots` when it names a block, and the entry that receipts it. Killed
//! anywhere, the next round goes on from there. After an outage only the newest checkpoint is submitted:
//! it covers all that came before.

mod chains;
mod error;
mod folder;
mod payer;
mod policy;
mod round;
mod thread;

use paygod_anchor::bitcoin::Headers;
use paygod_anchor::chain::ProofKind;
use paygod_tlog::TreeHead;
use paygod_types::{Seq, Timestamp};

pub use chains::ChainRound;
pub use error::AnchorError;
pub(super) use folder::Folder;
pub use payer::Payer;
pub use policy::AnchorPolicy;
pub(super) use round::Anchorer;
use round::head_at;
pub use round::{AnchorRound, Held};
pub(super) use thread::Follower;

use super::open::Ledger;
use super::read::{Protection, Receipt};
use super::reader::LedgerReader;
use super::shared::Shared;

/// How far the anchoring of a book is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnchorStatus {
    /// Sizes of the checkpoints whose proofs name a block, of any chain, ascending.
    pub anchored: Vec<u64>,
    /// Sizes of those that calendars took and that name no block yet, ascending.
    pub pending: Vec<u64>,
    /// What is known of each chain that takes transactions of our own.
    pub chains: Vec<ChainStatus>,
    /// Entries that no proof with a block covers.
    pub newer: u64,
    /// When a checkpoint was submitted last.
    pub submitted: Option<Timestamp>,
    /// Submissions of this day (UTC).
    pub today: u32,
    /// What the last round of the ledger's own thread met, if it met something.
    pub fault: Option<String>,
}

/// How far anchors on one chain are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainStatus {
    /// The chain.
    pub chain: &'static str,
    /// The size of the checkpoint whose anchor is under way.
    pub under_way: Option<u64>,
    /// When an anchor was begun last.
    pub submitted: Option<Timestamp>,
    /// Anchors begun this day (UTC).
    pub today: u32,
}

/// A proof of the book, with the tree that it is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnchorFile {
    /// What kind of proof.
    pub kind: ProofKind,
    /// Size and root.
    pub head: TreeHead,
    /// The bytes of the file.
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
}

impl LedgerReader {
    /// How far the anchoring is.
    ///
    /// # Errors
    /// The folder of anchors cannot be read.
    pub fn anchor_status(&self) -> Result<AnchorStatus, AnchorError> {
        let folder = Folder::of(&self.dir);
        let mut anchored = Vec::new();
        for kind in ProofKind::ALL {
            anchored.extend(folder.proofs(kind)?);
        }
        anchored.sort_unstable();
        anchored.dedup();
        let last = anchored.last().copied().unwrap_or(0);
        let state = folder.state()?;
        let today = folder::day(self.clock.now());
        let mut chains = Vec::new();
        for (chain, folder) in folder.chains() {
            let state = folder.state()?;
            chains.push(ChainStatus {
                chain,
                under_way: folder.under_way()?.map(|(size, _)| size),
                submitted: (state.size > 0).then_some(state.time),
                today: if state.day == today { state.count } else { 0 },
            });
        }
        Ok(AnchorStatus {
            chains,
            newer: self.size().saturating_sub(last),
            pending: folder.pending()?,
            anchored,
            submitted: (state.size > 0).then_some(state.time),
            today: if state.day == today { state.count } else { 0 },
            fault: self.running().and_then(Shared::anchor_fault),
        })
    }

    /// What a client keeps as proof of an entry and of when: the path to a checkpoint that is anchored, and the
    /// anchor. The oldest one that covers the entry; `None`: none does, or its signatures were not kept.
    ///
    /// # Errors
    /// There is no such entry, or the folder of anchors or the tree cannot be read.
    pub fn anchored_receipt(&self, seq: Seq) -> Result<Option<(Receipt, AnchorFile)>, AnchorError> {
        let folder = Folder::of(&self.dir);
        for file in self.anchor_files()? {
            if file.head.size <= seq.get() {
                continue;
            }
            let signed = folder.checkpoint(file.head.size)?;
            if let Some(signed) = signed.filter(|signed| *signed.head() == file.head) {
                let receipt = self.receipt_by(seq, signed, Protection::Anchored)?;
                return Ok(Some((receipt, file)));
            }
        }
        Ok(None)
    }

    /// The proofs that name a block, ascending by size within their kind.
    ///
    /// # Errors
    /// The folder of anchors or the tree cannot be read.
    pub fn anchor_files(&self) -> Result<Vec<AnchorFile>, AnchorError> {
        let folder = Folder::of(&self.dir);
        let mut files = Vec::new();
        let signed = self.signed();
        for kind in ProofKind::ALL {
            let sizes = folder.proofs(kind)?;
            for size in sizes.into_iter().filter(|size| *size <= signed) {
                files.push(AnchorFile {
                    kind,
                    head: head_at(&self.tree, signed, size)?,
                    bytes: folder.read_proof(size, kind)?,
                });
            }
        }
        Ok(files)
    }
}
