//! Why a command is not sealed.

use paygod_types::{Code, Digest, Seq, code};

use crate::fold_error::FoldError;
use crate::pack_trust::{PackFault, PackStage};
use crate::ports::HistoryError;

/// Why a command is not sealed: no entry is made, the state is as it was and the id is not used up.
/// (A transfer that the packs or the ledger refuse is no error: it is sealed as a deny.)
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// The id stands for another request already.
    #[error(
        "`{id}` is the request sealed as entry {seq}, with another body or by another requester; if it is the same request it was sealed already: see `paygod entries --from {seq} --count 1 --json`; choose a new id for another request only"
    )]
    Conflict {
        /// The id.
        id: Box<str>,
        /// The entry that used it.
        seq: Seq,
    },
    /// The id was used, and what it stood for has been erased.
    #[error(
        "`{id}` is the request sealed as entry {seq}, whose input was erased; if it is the same request it was sealed already; choose a new id for another request only"
    )]
    Erased {
        /// The id.
        id: Box<str>,
        /// The entry that used it.
        seq: Seq,
    },
    /// The book has no genesis yet, or has one already.
    #[error("the book has {found} entries, and {needed}; create or open it first")]
    Book {
        /// Entries.
        found: u64,
        /// What was needed.
        needed: &'static str,
    },
    /// No such account.
    #[error("there is no account `{account}`; open it first, or correct its id")]
    AccountUnknown {
        /// The account.
        account: Box<str>,
    },
    /// The account exists, or did.
    #[error("account `{account}` was opened before; choose another id")]
    AccountExists {
        /// The account.
        account: Box<str>,
    },
    /// The account is closed.
    #[error("account `{account}` is closed; use another")]
    AccountClosed {
        /// The account.
        account: Box<str>,
    },
    /// The account still holds money or reservations.
    #[error("account `{account}` holds money or reservations; empty it before closing")]
    AccountNotSettled {
        /// The account.
        account: Box<str>,
    },
    /// The account is beyond the new limits already.
    #[error(
        "account `{account}` holds or reserves what the new limits forbid; bring it within them first, or set others"
    )]
    LimitPassed {
        /// The account.
        account: Box<str>,
    },
    /// The new limits are in another currency than the account.
    #[error(
        "account `{account}` is in {expected}, and the limits are in {found}; say them in {expected}"
    )]
    LimitCurrency {
        /// The account.
        account: Box<str>,
        /// Its currency.
        expected: &'static str,
        /// That of the limits.
        found: &'static str,
    },
    /// Another account has the alias.
    #[error("account `{account}` has one of the aliases already; leave it out")]
    AliasTaken {
        /// The account that has it.
        account: Box<str>,
    },
    /// The amount is in another currency than the account.
    #[error(
        "account `{account}` is in {expected}, found {found}; use two linked transfers to change currency"
    )]
    CurrencyMismatch {
        /// The account.
        account: Box<str>,
        /// Its currency.
        expected: &'static str,
        /// The amount's.
        found: &'static str,
    },
    /// What the movement needs is frozen.
    #[error("{scope} is frozen; send the request again after it is unfrozen")]
    Frozen {
        /// What is.
        scope: Box<str>,
    },
    /// The scope is frozen already, or is not.
    #[error("{scope} is {found} already; nothing is to be done")]
    FreezeState {
        /// The scope.
        scope: Box<str>,
        /// `frozen` or `free`.
        found: &'static str,
    },
    /// Sums would pass 128 bits.
    #[error("the sums of the account or the currency would pass 128 bits; split the amount")]
    Overflow,
    /// No reservation of that request waits.
    #[error(
        "no reservation of `{request}` waits; it was never made, or was posted, voided or expired"
    )]
    PendingUnknown {
        /// The request.
        request: Box<str>,
    },
    /// The reservation waits for approvals, not for a post.
    #[error("`{request}` is under review; approve or reject it")]
    UnderReview {
        /// The request.
        request: Box<str>,
    },
    /// The reservation waits for a post, not for approvals.
    #[error("`{request}` is not under review; post or void it")]
    NotUnderReview {
        /// The request.
        request: Box<str>,
    },
    /// The amounts to post do not fit the reservation.
    #[error(
        "`{found}` does not fit what `{request}` reserved: one amount a transfer, above zero, at most {allowed}"
    )]
    PostAmount {
        /// The request.
        request: Box<str>,
        /// What was asked.
        found: Box<str>,
        /// What is reserved.
        allowed: Box<str>,
    },
    /// The requester cannot approve.
    #[error("`{by}` made the request `{request}`; somebody else must approve it")]
    OwnRequest {
        /// Who.
        by: Box<str>,
        /// The request.
        request: Box<str>,
    },
    /// Somebody approves twice.
    #[error("`{by}` has approved `{request}` already; somebody else must")]
    ApprovedBefore {
        /// Who.
        by: Box<str>,
        /// The request.
        request: Box<str>,
    },
    /// There is no such request to correct or to erase.
    #[error("there is no request `{request}` in the ledger; correct its id")]
    RequestUnknown {
        /// The request.
        request: Box<str>,
    },
    /// The request is not one that can be erased.
    #[error("`{request}` is a sealed {found}; only {allowed} can be named here")]
    RequestKind {
        /// The request.
        request: Box<str>,
        /// What it is.
        found: &'static str,
        /// What it should be.
        allowed: &'static str,
    },
    /// The request posted no money.
    #[error(
        "`{request}` is a sealed {found} that posted no money, so there is nothing to correct; void what is only reserved, and name the post or approval where that posted it"
    )]
    NothingPosted {
        /// The request.
        request: Box<str>,
        /// What it is.
        found: &'static str,
    },
    /// The policy changed between preparing and executing.
    #[error("prepared under policy {prepared}, but {active} is active; prepare the request again")]
    PolicyChanged {
        /// When prepared.
        prepared: Digest,
        /// Now.
        active: Digest,
    },
    /// A personal request was not committed to.
    #[error("the request carries details of people and is not in the vault; store it there first")]
    NotCommitted,
    /// A reservation is overdue: it expires first.
    #[error("the reservation of `{request}` is overdue; expire it, then execute the request again")]
    Overdue {
        /// The request.
        request: Box<str>,
    },
    /// A new checkpoint key or its signatures are refused.
    #[error("the key rotation is refused: {reason}; sign it again with both keys")]
    Key {
        /// Why.
        reason: Box<str>,
    },
    /// A revocation or its signatures are refused.
    #[error("the key revocation is refused: {reason}; gather the signatures of enough root keys")]
    Revocation {
        /// Why.
        reason: Box<str>,
    },
    /// A signature over a pack does not count.
    #[error(
        "the signature of `{key}` over the pack `{pack}` does not count: {why}; give signatures of publishers whom the book knows"
    )]
    PackSignature {
        /// The pack.
        pack: Box<str>,
        /// The key.
        key: Box<str>,
        /// Why.
        why: &'static str,
    },
    /// A pack is not vouched for as the book asks.
    #[error(
        "the pack `{pack}` is of the level `{found}`, and this book asks for `{needed}`; give the signature of a publisher of that level"
    )]
    PackLevel {
        /// The pack.
        pack: Box<str>,
        /// Its level.
        found: &'static str,
        /// What the book asks.
        needed: &'static str,
    },
    /// The review of a pack has not come that far, or has gone past it.
    #[error(
        "the review of the pack `{pack}` is at {found}, and this needs {needed}; take its steps in order"
    )]
    PackStage {
        /// The pack.
        pack: Box<str>,
        /// Where it is.
        found: &'static str,
        /// Where it should be.
        needed: &'static str,
    },
    /// Whoever handed a pack in reviews it.
    #[error("`{by}` handed the pack `{pack}` in; somebody else must review it")]
    PackOwn {
        /// The pack.
        pack: Box<str>,
        /// Who.
        by: Box<str>,
    },
    /// The entry would be too long.
    #[error("the entry would have {found} bytes, more than an entry may; split the request")]
    EntryTooLarge {
        /// Bytes.
        found: usize,
    },
    /// The clock or the sequence has come to its end.
    #[error("the book has reached the end of time or of its sequence; begin another book")]
    Exhausted,
    /// History could not be read.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// The engine made an entry that the fold refuses: INVARIANT(fold) is broken and the writer must stop.
    #[error(
        "the entry just made does not follow from the state; stop writing and report this: {0}"
    )]
    Invariant(FoldError),
}

impl CommandError {
    /// Why a pack is refused.
    pub(crate) fn of_pack(fault: PackFault) -> Self {
        let stage = |stage: Option<PackStage>| stage.map_or("no stage", PackStage::as_str);
        match fault {
            PackFault::Signature { pack, key, why } => Self::PackSignature {
                pack: pack.into(),
                key: key.into(),
                why,
            },
            PackFault::Level {
                pack,
                found,
                needed,
            } => Self::PackLevel {
                pack: pack.into(),
                found: found.as_str(),
                needed: needed.as_str(),
            },
            PackFault::Stage {
                pack,
                found,
                needed,
            } => Self::PackStage {
                pack: pack.into(),
                found: stage(found),
                needed: stage(needed),
            },
            PackFault::Own { pack, by } => Self::PackOwn {
                pack: pack.into(),
                by: by.into(),
            },
            PackFault::Form(why) => Self::PackSignature {
                pack: "".into(),
                key: "".into(),
                why,
            },
        }
    }

    /// The permanent code.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Conflict { .. } => code::REQUEST_CONFLICT,
            Self::Erased { .. } => code::REQUEST_ERASED,
            Self::Book { .. } => code::BOOK_NOT_READY,
            Self::AccountUnknown { .. } => code::ACCOUNT_UNKNOWN,
            Self::AccountExists { .. } => code::ACCOUNT_EXISTS,
            Self::AccountClosed { .. } => code::ACCOUNT_CLOSED,
            Self::AccountNotSettled { .. } => code::ACCOUNT_NOT_SETTLED,
            Self::AliasTaken { .. } => code::ACCOUNT_ALIAS_TAKEN,
            Self::LimitPassed { .. } => code::ACCOUNT_LIMIT,
            Self::CurrencyMismatch { .. } | Self::LimitCurrency { .. } => code::ACCOUNT_CURRENCY,
            Self::Frozen { .. } => code::FREEZE_HELD,
            Self::FreezeState { .. } => code::FREEZE_ALREADY,
            Self::Overflow => code::LEDGER_OVERFLOW,
            Self::PendingUnknown { .. } => code::PENDING_UNKNOWN,
            Self::UnderReview { .. } => code::PENDING_UNDER_REVIEW,
            Self::NotUnderReview { .. } => code::PENDING_NOT_UNDER_REVIEW,
            Self::PostAmount { .. } => code::PENDING_AMOUNT,
            Self::OwnRequest { .. } => code::APPROVAL_OWN_REQUEST,
            Self::ApprovedBefore { .. } => code::APPROVAL_REPEATED,
            Self::RequestUnknown { .. } => code::REQUEST_UNKNOWN,
            Self::RequestKind { .. } | Self::NothingPosted { .. } => code::REQUEST_KIND,
            Self::PolicyChanged { .. } => code::POLICY_CHANGED,
            Self::NotCommitted => code::REQUEST_NOT_COMMITTED,
            Self::Overdue { .. } => code::PENDING_OVERDUE,
            Self::Key { .. } => code::KEY_ROTATION,
            Self::Revocation { .. } => code::KEY_REVOCATION,
            Self::PackSignature { .. } => code::PACK_SIGNATURE,
            Self::PackLevel { .. } => code::PACK_LEVEL,
            Self::PackStage { .. } => code::PACK_STAGE,
            Self::PackOwn { .. } => code::PACK_OWN_REVIEW,
            Self::EntryTooLarge { .. } => code::ENTRY_TOO_LARGE,
            Self::Exhausted => code::BOOK_EXHAUSTED,
            Self::History(error) => error.code(),
            Self::Invariant(_) => code::LEDGER_INVARIANT,
        }
    }
}
