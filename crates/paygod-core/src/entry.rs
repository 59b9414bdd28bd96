//! What the ledger seals: typed entries. Their bytes are in [`crate::entry_json`], their meaning in
//! [`crate::state`], their formats in `docs/internals/entry.md`.
//!
//! Entries hold references only: no name, no account number of the outside world, no raw payload.

use core::fmt;
use std::sync::Arc;

use paygod_policy::{Named, Reason, Verdict, WindowToken};
use paygod_tlog::ML_DSA_44_SIGNATURE_BYTES;
use paygod_types::{AccountId, ActorId, Digest, Money, Name, RequestId, Seq, Timestamp};

use crate::command::{AccountLimit, AccountOpen, Action, FreezeScope, PolicySet, RunSeal};
use crate::key_policy::KeyPolicy;
use crate::pack_trust::{PackStaged, PackTrust, Vouched};

/// One entry of the ledger, one leaf of its tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The leaf index; genesis is 0.
    pub seq: Seq,
    /// Assigned by the sequencer, later than the entry before.
    pub time: Timestamp,
    /// The request's id, or a `paygod:` id of the sequencer's own.
    pub id: RequestId,
    /// Who asked, if the request said so. Never on system entries.
    pub by: Option<ActorId>,
    /// What the entry commits to of the request. Never on system entries.
    pub request: Option<RequestRef>,
    /// What it does.
    pub body: Body,
}

/// A commitment to the canonical bytes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestRef {
    /// HMAC-SHA256 under a key derived from the input's own data key: the request holds details of
    /// people, sits in the vault, and can be erased.
    Commitment(Digest),
    /// SHA-256: the request holds nothing personal.
    Digest(Digest),
}

/// Names an earlier entry, both ways.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryRef {
    /// Its request id.
    pub id: RequestId,
    /// Its leaf index.
    pub seq: Seq,
}

/// What an entry does, by action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// Begins the book.
    Genesis(Genesis),
    /// Opens an account.
    AccountOpen(AccountOpen),
    /// Closes an account.
    AccountClose {
        /// Which.
        account: AccountId,
    },
    /// Changes an account's limits.
    AccountLimit(AccountLimit),
    /// Judges, and moves, reserves or refuses money.
    Transfer(TransferBody),
    /// Moves money to correct an earlier entry.
    Correct(CorrectBody),
    /// Posts a reservation and releases what is left of it.
    Post {
        /// The reservation.
        pending: EntryRef,
        /// What moves, in pairs as the reservation has them, on the posted layer.
        postings: Vec<Posting>,
    },
    /// Releases a reservation.
    Void {
        /// The reservation.
        pending: EntryRef,
    },
    /// Releases a reservation whose time is up.
    Expire {
        /// The reservation.
        pending: EntryRef,
    },
    /// Approves a request under review.
    Approve {
        /// The request under review.
        request: EntryRef,
        /// How many approvals it has now, this one included.
        approvals: u32,
        /// With the last approval needed of a one-phase request: the reservation, posted whole. Else empty.
        postings: Vec<Posting>,
    },
    /// Rejects a request under review: releases its reservation.
    Reject {
        /// The request under review.
        request: EntryRef,
    },
    /// Stops money from moving.
    Freeze(FreezeScope),
    /// Lets money move again.
    Unfreeze(FreezeScope),
    /// Activates packs and lists.
    PolicyActivate {
        /// The whole new set.
        set: PolicySet,
        /// Its digest, which decisions from here on carry.
        policy: Digest,
        /// The packs that are active above the level of the community, ascending by name.
        vouched: Vec<Vouched>,
    },
    /// Says what the book asks of packs from here on.
    PackTrust(PackTrust),
    /// A stage of a pack's review.
    PackStage(PackStaged),
    /// What packs decided on a document outside the book.
    RunSeal(RunSeal),
    /// Says when a checkpoint key is replaced from here on, and how long the book goes on without one.
    KeyPolicy(KeyPolicy),
    /// Erases a vaulted input.
    EvidenceErase {
        /// The entry whose input goes.
        request: EntryRef,
    },
    /// Replaces the checkpoint key.
    KeyRotate(KeyRotation),
    /// Revokes a checkpoint key.
    KeyRevoke(KeyRevocation),
    /// Commits to the state after an earlier entry.
    Snapshot(SnapshotClaim),
    /// Receipts an anchor of an earlier checkpoint in a public chain.
    Anchor(AnchorReceipt),
}

impl Body {
    /// The entry's action.
    #[must_use]
    pub const fn action(&self) -> Action {
        match self {
            Self::Genesis(_) => Action::Genesis,
            Self::AccountOpen(_) => Action::AccountOpen,
            Self::AccountClose { .. } => Action::AccountClose,
            Self::AccountLimit(_) => Action::AccountLimit,
            Self::Transfer(_) => Action::Transfer,
            Self::Correct(_) => Action::Correct,
            Self::Post { .. } => Action::Post,
            Self::Void { .. } => Action::Void,
            Self::Expire { .. } => Action::Expire,
            Self::Approve { .. } => Action::Approve,
            Self::Reject { .. } => Action::Reject,
            Self::Freeze(_) => Action::Freeze,
            Self::Unfreeze(_) => Action::Unfreeze,
            Self::PolicyActivate { .. } => Action::PolicyActivate,
            Self::PackTrust(_) => Action::PackTrust,
            Self::PackStage(_) => Action::PackStage,
            Self::RunSeal(_) => Action::RunSeal,
            Self::KeyPolicy(_) => Action::KeyPolicy,
            Self::EvidenceErase { .. } => Action::EvidenceErase,
            Self::KeyRotate(_) => Action::KeyRotate,
            Self::KeyRevoke(_) => Action::KeyRevoke,
            Self::Snapshot(_) => Action::Snapshot,
            Self::Anchor(_) => Action::Anchor,
        }
    }

    /// The postings: what money it moves or reserves. Empty if none.
    #[must_use]
    pub fn postings(&self) -> &[Posting] {
        match self {
            Self::Transfer(body) => &body.postings,
            Self::Correct(body) => &body.postings,
            Self::Post { postings, .. } | Self::Approve { postings, .. } => postings,
            _ => &[],
        }
    }

    /// Whether it posts money, rather than reserves or moves none.
    #[must_use]
    pub fn posts(&self) -> bool {
        let postings = self.postings().iter();
        postings
            .map(|posting| posting.layer)
            .any(|layer| layer == Layer::Posted)
    }

    /// The decision, if this action is judged.
    #[must_use]
    pub const fn decision(&self) -> Option<&Decision> {
        match self {
            Self::Transfer(body) => Some(&body.decision),
            Self::Correct(body) => Some(&body.decision),
            _ => None,
        }
    }

    /// The windows it counts in. Empty if none.
    #[must_use]
    pub fn windows(&self) -> &[Window] {
        match self {
            Self::Transfer(body) => &body.windows,
            Self::Correct(body) => &body.windows,
            _ => &[],
        }
    }

    /// The earlier entry it is about, if any.
    #[must_use]
    pub const fn refers_to(&self) -> Option<&EntryRef> {
        match self {
            Self::Post { pending, .. } | Self::Void { pending } | Self::Expire { pending } => {
                Some(pending)
            }
            Self::Approve { request, .. }
            | Self::Reject { request }
            | Self::EvidenceErase { request } => Some(request),
            Self::Correct(body) => Some(&body.corrects),
            _ => None,
        }
    }
}

/// The first entry: what a verifier trusts once it trusts the genesis fingerprint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Genesis {
    /// The log's origin, the first line of its checkpoints.
    pub origin: Arc<str>,
    /// The first checkpoint key, as a vkey named like the origin.
    pub checkpoint_key: Arc<str>,
    /// The key whose ML-DSA-44 cosignature every checkpoint carries too, as a vkey named like the origin;
    /// `None`: checkpoints are not hybrid.
    pub hybrid_key: Option<Arc<str>>,
    /// The root keys, as vkeys, ascending; none until they are made.
    pub root_keys: Vec<Arc<str>>,
    /// How many root keys must sign together; 0 only without root keys.
    pub root_threshold: u32,
}

/// A judged transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransferBody {
    /// The verdict and why.
    pub decision: Decision,
    /// What moves or is reserved: a debit and a credit for each transfer, in the request's order.
    /// Empty on a deny.
    pub postings: Vec<Posting>,
    /// When the reservation expires. Only with `two_phase`.
    pub timeout: Option<Timestamp>,
    /// The request asked to reserve now and post later. Never on a deny.
    pub two_phase: bool,
    /// The windows it counts in. Empty on a deny.
    pub windows: Vec<Window>,
}

/// A judged correction: one-phase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CorrectBody {
    /// What it sets right.
    pub corrects: EntryRef,
    /// Why, as a code.
    pub reason: Name,
    /// The verdict and why.
    pub decision: Decision,
    /// As in [`TransferBody`].
    pub postings: Vec<Posting>,
    /// As in [`TransferBody`].
    pub windows: Vec<Window>,
}

/// The verdict on a request and what led to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The verdict.
    pub verdict: Verdict,
    /// The digest of the ruleset that judged.
    pub policy: Digest,
    /// Fuel used.
    pub fuel: u64,
    /// How many approvers must agree: 1 or more on a review, else 0 and not written.
    pub approvals: u32,
    /// The rules that fired and allowed without reading a fact. Their versions and words follow from
    /// `policy`, so the many entries that are simply allowed stay small.
    pub allowed: Vec<AllowingRule>,
    /// The other rules that fired, and those that erred.
    pub reasons: Vec<Reason>,
}

impl Decision {
    /// Parts what the packs said into [`Decision::allowed`] and [`Decision::reasons`], in its order.
    #[must_use]
    pub fn part(said: Vec<Reason>) -> (Vec<AllowingRule>, Vec<Reason>) {
        let mut allowed = Vec::new();
        let mut reasons = Vec::new();
        for reason in said {
            if reason.rule.decision == Verdict::Allow && reason.facts.is_empty() {
                allowed.push(AllowingRule {
                    pack: reason.rule.pack.clone(),
                    rule: reason.rule.rule.clone(),
                });
            } else {
                reasons.push(reason);
            }
        }
        (allowed, reasons)
    }
}

/// How the rules that a decision names depart from the active packs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Departure<'a> {
    /// A rule of a pack, or of a version, that is not active.
    Foreign(&'a Name),
    /// An active pack none of whose rules is named.
    Silent(&'a Name),
}

impl Decision {
    /// How the rules named depart from the packs of a set, which ascend by name; `None` if each pack has a rule
    /// and each rule a pack.
    pub(crate) fn departure<'a>(&'a self, packs: &'a [Named]) -> Option<Departure<'a>> {
        let active = |name: &Name| {
            let place = packs.binary_search_by(|pack| pack.name.cmp(name));
            place.ok().and_then(|place| packs.get(place))
        };
        let versionless = self.allowed.iter().map(|rule| &rule.pack);
        let foreign = versionless.clone().find(|name| active(name).is_none());
        let foreign = foreign.or_else(|| {
            let rules = self.reasons.iter().map(|reason| &reason.rule);
            let mut others = rules
                .filter(|rule| active(&rule.pack).is_none_or(|pack| pack.version != rule.version));
            others.next().map(|rule| &rule.pack)
        });
        if let Some(name) = foreign {
            return Some(Departure::Foreign(name));
        }
        let named = |name: &Name| {
            let mut reasons = self.reasons.iter();
            versionless.clone().any(|spoke| spoke == name)
                || reasons.any(|reason| reason.rule.pack == *name)
        };
        let silent = packs.iter().find(|pack| !named(&pack.name));
        silent.map(|pack| Departure::Silent(&pack.name))
    }
}

/// A rule that fired and allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowingRule {
    /// Its pack.
    pub pack: Name,
    /// Its name in the pack.
    pub rule: Name,
}

impl AllowingRule {
    /// Between pack and rule in entries: a character that no name has.
    pub(crate) const SEPARATOR: char = '#';
}

impl fmt::Display for AllowingRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}", self.pack, Self::SEPARATOR, self.rule)
    }
}

/// One side of one movement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posting {
    /// Whose balance.
    pub account: AccountId,
    /// How much, above zero.
    pub money: Money,
    /// Falls or rises.
    pub side: Side,
    /// Posted, or only reserved.
    pub layer: Layer,
}

/// Which way a posting goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The balance falls.
    Debit,
    /// The balance rises.
    Credit,
}

impl Side {
    /// The word used in entries.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Debit => "debit",
            Self::Credit => "credit",
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether a posting moves money or reserves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layer {
    /// Moves it; not written in entries.
    Posted,
    /// Reserves it.
    Pending,
}

impl Layer {
    /// The word used in entries (`posted` is left out there).
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Posted => "posted",
            Self::Pending => "pending",
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A window that one transfer of the entry counts in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The window's keyed token.
    pub token: WindowToken,
    /// Which transfer of the request, from 0 (0 is not written).
    pub transfer: u32,
    /// The keyed token of the value it adds, if the window counts different values.
    pub value: Option<WindowToken>,
}

impl Window {
    /// What windows of an entry ascend by: the transfer, then the token.
    pub(crate) const fn place(&self) -> (u32, WindowToken) {
        (self.transfer, self.token)
    }
}

/// A new checkpoint key, vouched for by the old one and by itself.
///
/// All signatures are over [`KeyRotation::message`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRotation {
    /// In a hybrid book, the ML-DSA-44 key that comes with it; `None`: the one in force stays.
    pub hybrid: Option<Box<HybridChange>>,
    /// The vkey that signs checkpoints from this entry on.
    pub new: Arc<str>,
    /// The vkey that signed them until here.
    pub old: Arc<str>,
    /// By the new key: whoever asks for it holds it.
    pub signature_new: [u8; 64],
    /// By the old key.
    pub signature_old: [u8; 64],
}

/// A new ML-DSA-44 key of a hybrid book, which comes with a new checkpoint key.
///
/// Both signatures are over what the checkpoint keys sign, so that neither part goes without the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HybridChange {
    /// The vkey whose cosignature checkpoints carry from this entry on.
    pub new: Arc<str>,
    /// By the new key: whoever asks for it holds it.
    pub signature_new: [u8; ML_DSA_44_SIGNATURE_BYTES],
    /// By the key in force until here. Root keys are Ed25519: they alone can't replace what outlives Ed25519.
    pub signature_old: [u8; ML_DSA_44_SIGNATURE_BYTES],
}

/// A stolen checkpoint key, given up by enough root keys.
///
/// All signatures are over [`crate::ceremony::RevocationText::to_text`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRevocation {
    /// In a hybrid book, the ML-DSA-44 key that comes with the replacement; `None`: the one in force stays.
    pub hybrid: Option<Box<HybridChange>>,
    /// The last entry that checkpoints of the stolen key may cover. An index and never a time: the
    /// thief signs times too.
    pub last_good: Seq,
    /// The vkey that signs checkpoints from this entry on.
    pub new: Arc<str>,
    /// The vkey that counts no longer.
    pub revoked: Arc<str>,
    /// By the new key: whoever asks for it holds it.
    pub signature_new: [u8; 64],
    /// By root keys, ascending by key.
    pub signatures: Vec<RootSignature>,
}

/// A root key's signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootSignature {
    /// The root key, as a vkey.
    pub key: Arc<str>,
    /// Its signature.
    pub signature: [u8; 64],
}

/// A claim about the state after an earlier entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotClaim {
    /// How many accounts had been opened.
    pub accounts: u64,
    /// [`crate::State::digest`] of that state.
    pub digest: Digest,
    /// After which entry.
    pub of: Seq,
}

/// The receipt of an anchor. It proves nothing by itself: the proof is the file it names, and the block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnchorReceipt {
    /// 0; else how often the checkpoint was anchored anew, because the chain dropped the block that it stood in.
    pub again: u32,
    /// SHA-256 of the proof's file.
    pub digest: Digest,
    /// What kind of proof.
    pub kind: AnchorKind,
    /// The root of the checkpoint that is anchored.
    pub root: Digest,
    /// Its size: the entries that are anchored are those before it.
    pub size: u64,
}

/// What kind of proof an anchor has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnchorKind {
    /// An OpenTimestamps file that leads to a Bitcoin block, of the SHA-256 of the checkpoint's text.
    OpenTimestamps,
    /// An event of a registry contract on Ethereum, with its receipt's path to the block's header.
    Ethereum,
}

impl AnchorKind {
    /// The word used in entries.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenTimestamps => "opentimestamps",
            Self::Ethereum => "ethereum",
        }
    }

    /// Reads the word back.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::OpenTimestamps, Self::Ethereum]
            .into_iter()
            .find(|kind| kind.as_str() == word)
    }
}

impl fmt::Display for AnchorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
