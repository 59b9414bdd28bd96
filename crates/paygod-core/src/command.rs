//! What a client may ask: one request carries one command.
//!
//! A [`Request`] is checked for shape when it is made or parsed ([`crate::request_json`]); whether it may
//! happen is for [`crate::engine`] and the state. Nothing here reads state, time or policy.

use core::fmt;

use paygod_policy::{Named, Verdict};
use paygod_types::{AccountId, ActorId, Amount, Currency, Digest, Money, Name, RequestId};

use crate::key_policy::KeyPolicy;
use crate::pack_trust::{PackSignature, PackStaged, PackTrust};
use crate::payment::Payment;

/// One request: its own name, who asks, and what for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Named by the client; the same id and body give the same outcome for ever.
    pub id: RequestId,
    /// Who asks. Approvals and rejections need it; a transfer without it can never be reviewed.
    pub by: Option<ActorId>,
    /// What is asked.
    pub command: Command,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Moves money, one or more linked transfers: all or nothing.
    Transfer(TransferRequest),
    /// Opens an account.
    AccountOpen(AccountOpen),
    /// Closes an account that is empty.
    AccountClose {
        /// The account.
        account: AccountId,
    },
    /// Puts other limits in the place of an account's.
    AccountLimit(AccountLimit),
    /// Posts a pending transfer, whole or in part, and releases the rest.
    Post {
        /// The request that reserved the money.
        pending: RequestId,
        /// One amount a transfer, in its order, each above zero and within its reservation; in the
        /// transfer's currency, which is known once the reservation is looked up. `None` posts all of it.
        amounts: Option<Vec<AmountText>>,
    },
    /// Releases a pending transfer without moving money.
    Void {
        /// The request that reserved the money.
        pending: RequestId,
    },
    /// Approves a request under review.
    Approve {
        /// The request under review.
        request: RequestId,
    },
    /// Rejects a request under review: its reservation is released.
    Reject {
        /// The request under review.
        request: RequestId,
    },
    /// Moves money to correct an earlier entry, which itself stays as it is.
    Correct(Correction),
    /// Stops money from moving.
    Freeze(FreezeScope),
    /// Lets money move again.
    Unfreeze(FreezeScope),
    /// Makes exactly these packs and lists the active ones.
    PolicyActivate(Activation),
    /// Says what the book asks of packs from now on.
    PackTrust(PackTrust),
    /// Records that the review of a pack has come to a stage.
    PackStage(PackStaged),
    /// Records what packs decided on a document outside the book.
    RunSeal(RunSeal),
    /// Says when a checkpoint key is replaced from now on, and how long the book goes on without one.
    KeyPolicy(KeyPolicy),
    /// Asks that the vaulted input of an earlier request be erased.
    EvidenceErase {
        /// The request whose input is erased.
        request: RequestId,
    },
}

impl Command {
    /// The action of the entry that this command makes.
    #[must_use]
    pub const fn action(&self) -> Action {
        match self {
            Self::Transfer(_) => Action::Transfer,
            Self::AccountOpen(_) => Action::AccountOpen,
            Self::AccountClose { .. } => Action::AccountClose,
            Self::AccountLimit(_) => Action::AccountLimit,
            Self::Post { .. } => Action::Post,
            Self::Void { .. } => Action::Void,
            Self::Approve { .. } => Action::Approve,
            Self::Reject { .. } => Action::Reject,
            Self::Correct(_) => Action::Correct,
            Self::Freeze(_) => Action::Freeze,
            Self::Unfreeze(_) => Action::Unfreeze,
            Self::PolicyActivate(_) => Action::PolicyActivate,
            Self::PackTrust(_) => Action::PackTrust,
            Self::PackStage(_) => Action::PackStage,
            Self::RunSeal(_) => Action::RunSeal,
            Self::KeyPolicy(_) => Action::KeyPolicy,
            Self::EvidenceErase { .. } => Action::EvidenceErase,
        }
    }

    /// The transfers that packs judge: those of a transfer or a correction, else none.
    #[must_use]
    pub fn transfers(&self) -> &[Transfer] {
        match self {
            Self::Transfer(request) => &request.transfers,
            Self::Correct(correction) => &correction.transfers,
            _ => &[],
        }
    }
}

/// What an entry does. The first sixteen are asked for by clients; the others are the sequencer's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Opens an account.
    AccountOpen,
    /// Closes an account.
    AccountClose,
    /// Changes an account's limits.
    AccountLimit,
    /// Judges, and moves, reserves or refuses money.
    Transfer,
    /// Posts a reservation.
    Post,
    /// Releases a reservation.
    Void,
    /// Approves a request under review.
    Approve,
    /// Rejects a request under review.
    Reject,
    /// Moves money to correct an earlier entry.
    Correct,
    /// Stops money from moving.
    Freeze,
    /// Lets money move again.
    Unfreeze,
    /// Activates packs and lists.
    PolicyActivate,
    /// Says what the book asks of packs.
    PackTrust,
    /// Records a stage of a pack's review.
    PackStage,
    /// Records what packs decided on a document.
    RunSeal,
    /// Says when a checkpoint key is replaced.
    KeyPolicy,
    /// Erases a vaulted input.
    EvidenceErase,
    /// Begins the book.
    Genesis,
    /// Releases a reservation whose time is up.
    Expire,
    /// Commits to the state after an earlier entry.
    Snapshot,
    /// Receipts an anchor of an earlier checkpoint in a public chain.
    Anchor,
    /// Replaces the checkpoint key.
    KeyRotate,
    /// Revokes a checkpoint key.
    KeyRevoke,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 23] = [
        Self::AccountOpen,
        Self::AccountClose,
        Self::AccountLimit,
        Self::Transfer,
        Self::Post,
        Self::Void,
        Self::Approve,
        Self::Reject,
        Self::Correct,
        Self::Freeze,
        Self::Unfreeze,
        Self::PolicyActivate,
        Self::PackTrust,
        Self::PackStage,
        Self::RunSeal,
        Self::KeyPolicy,
        Self::EvidenceErase,
        Self::Genesis,
        Self::Expire,
        Self::Snapshot,
        Self::Anchor,
        Self::KeyRotate,
        Self::KeyRevoke,
    ];

    /// The word used in entries and requests.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AccountOpen => "account_open",
            Self::AccountClose => "account_close",
            Self::AccountLimit => "account_limit",
            Self::Transfer => "transfer",
            Self::Post => "post",
            Self::Void => "void",
            Self::Approve => "approve",
            Self::Reject => "reject",
            Self::Correct => "correct",
            Self::Freeze => "freeze",
            Self::Unfreeze => "unfreeze",
            Self::PolicyActivate => "policy_activate",
            Self::PackTrust => "pack_trust",
            Self::PackStage => "pack_stage",
            Self::RunSeal => "run_seal",
            Self::KeyPolicy => "key_policy",
            Self::EvidenceErase => "evidence_erase",
            Self::Genesis => "genesis",
            Self::Expire => "expire",
            Self::Snapshot => "snapshot",
            Self::Anchor => "anchor",
            Self::KeyRotate => "key_rotate",
            Self::KeyRevoke => "key_revoke",
        }
    }

    /// Reads the word back.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        // By length first: a transfer, by far the commonest, is found in two comparisons.
        if word == "transfer" {
            return Some(Self::Transfer);
        }
        Self::ALL.into_iter().find(|action| action.as_str() == word)
    }

    /// Whether the sequencer makes such entries by itself, under a `paygod:` id and without a request.
    #[must_use]
    pub const fn is_system(self) -> bool {
        matches!(
            self,
            Self::Genesis
                | Self::Expire
                | Self::Snapshot
                | Self::Anchor
                | Self::KeyRotate
                | Self::KeyRevoke
        )
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One or more linked transfers, judged one by one and sealed as one entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransferRequest {
    /// 1 to `TRANSFERS_PER_REQUEST_MAX` of them.
    pub transfers: Vec<Transfer>,
    /// Reserve now, post or void later. `None`: post at once.
    pub pending: Option<PendingTerms>,
}

/// One movement: money leaves the debited account and reaches the credited one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// Whose balance falls.
    pub debit: AccountId,
    /// Whose balance rises.
    pub credit: AccountId,
    /// How much, above zero; both accounts are in this currency.
    pub money: Money,
    /// Details for the packs. They never enter an entry.
    pub payment: Option<Payment>,
}

/// The terms of a two-phase transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PendingTerms {
    /// Seconds after sealing at which the reservation expires. `None`: never by itself.
    pub timeout_s: Option<u64>,
}

/// A new account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountOpen {
    /// Its id, never used before in this book.
    pub account: AccountId,
    /// Its one currency.
    pub currency: Currency,
    /// Keyed tokens of what else it is called (an IBAN, say), ascending, each unique in the book.
    pub aliases: Vec<Alias>,
    /// The balance, less reserved debits, may not fall below this (zero or negative). `None`: no limit.
    pub min_balance: Option<Amount>,
    /// The balance, plus reserved credits, may not rise above this (zero or more). `None`: no limit.
    pub max_balance: Option<Amount>,
}

/// The limits of an account from here on, both in the place of those before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountLimit {
    /// The account, open.
    pub account: AccountId,
    /// Its currency.
    pub currency: Currency,
    /// The balance, less reserved debits, may not fall below this, nor is it below now. `None`: no limit.
    pub min_balance: Option<Amount>,
    /// The balance, plus reserved credits, may not rise above this, nor is it above now. `None`: no limit.
    pub max_balance: Option<Amount>,
}

/// Sixteen bytes that stand for another name of an account: a keyed hash, so that it gives nothing away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Alias(pub [u8; 16]);

/// Transfers that set an earlier entry right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Correction {
    /// The request being corrected: an earlier transfer or correction.
    pub corrects: RequestId,
    /// The movements, judged as any others are.
    pub transfers: Vec<Transfer>,
    /// Why, as a code from the operator's own list.
    pub reason: Name,
}

/// What a freeze holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FreezeScope {
    /// Every account.
    Book,
    /// One account.
    Account(AccountId),
    /// Every account in this currency.
    Currency(Currency),
}

/// A run: what packs decided on a document outside the book (`paygod run`). The digest commits to the
/// document, the packs, the lists, the clock and the decision, so that whoever has the run's folder judges
/// it again and compares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunSeal {
    /// The packs that judged, ascending by name, each once; one or more.
    pub packs: Vec<Named>,
    /// The run's digest: the SHA-256 of its `receipt.json`.
    pub run: Digest,
    /// The verdict.
    pub verdict: Verdict,
}

impl RunSeal {
    /// Whether packs are there and ascend by name, each once.
    #[must_use]
    pub fn is_ordered(&self) -> bool {
        !self.packs.is_empty() && self.packs.is_sorted_by(|a, b| a.name < b.name)
    }
}

/// A set to make active, and who vouches for its packs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Activation {
    /// The whole new set.
    pub set: PolicySet,
    /// Signatures of publishers whom the book knows, ascending by pack and key, each once.
    pub signatures: Vec<PackSignature>,
}

impl From<PolicySet> for Activation {
    fn from(set: PolicySet) -> Self {
        Self {
            set,
            signatures: Vec::new(),
        }
    }
}

/// The whole set of active packs and lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicySet {
    /// The lists, ascending by name, each name once.
    pub lists: Vec<Named>,
    /// The packs, ascending by name, each name once. None: every transfer is denied.
    pub packs: Vec<Named>,
}

/// An amount whose currency is not known yet: kept as written, and as it is committed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AmountText(pub(crate) Box<str>);
