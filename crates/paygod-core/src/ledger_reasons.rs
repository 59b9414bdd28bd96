//! The ledger's own reasons to deny: for the engine that writes them, and for whoever checks sealed decisions without it.
//!
//! The words are as permanent as entries: a new wording is added beside the old one.

use paygod_policy::{Reason, Verdict};

/// The pack name of the ledger's reasons.
pub const LEDGER_PACK: &str = "ledger";

/// The version of them: changed when their meaning is.
pub(crate) const VERSION: &str = "1";

/// Why the ledger denies what packs would let pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    NoActivePolicy,
    RequesterUnknown,
    TooManyApprovals,
    InconsistentJudgement,
    BookFrozen,
    CurrencyFrozen,
    AccountFrozen,
    AccountClosed,
    InsufficientFunds,
    OverMaximum,
}

/// A reason as it is sealed.
pub(crate) struct Told {
    pub(crate) rule: &'static str,
    pub(crate) words: &'static str,
    /// The keys of the facts, ascending.
    pub(crate) facts: &'static [&'static str],
}

impl Rule {
    pub(crate) const ALL: [Self; 10] = [
        Self::NoActivePolicy,
        Self::RequesterUnknown,
        Self::TooManyApprovals,
        Self::InconsistentJudgement,
        Self::BookFrozen,
        Self::CurrencyFrozen,
        Self::AccountFrozen,
        Self::AccountClosed,
        Self::InsufficientFunds,
        Self::OverMaximum,
    ];

    pub(crate) const fn told(self) -> Told {
        let (rule, words, facts): (_, _, &[_]) = match self {
            Self::NoActivePolicy => (
                "no-active-policy",
                "no pack is active, so nothing is allowed",
                &[],
            ),
            Self::RequesterUnknown => (
                "requester-unknown",
                "a review needs to know who made the request, so that somebody else approves it",
                &[],
            ),
            Self::TooManyApprovals => (
                "too-many-approvals",
                "the pack asks for more approvers than the ledger can count",
                &[],
            ),
            Self::InconsistentJudgement => (
                "inconsistent-judgement",
                "the verdict does not follow from what every active pack said",
                &[],
            ),
            Self::BookFrozen => ("book-frozen", "the book is frozen", &[]),
            Self::CurrencyFrozen => ("currency-frozen", "the currency is frozen", &["currency"]),
            Self::AccountFrozen => ("account-frozen", "the account is frozen", &["account"]),
            Self::AccountClosed => ("account-closed", "the account is closed", &["account"]),
            Self::InsufficientFunds => (
                "insufficient-funds",
                "the account would fall below its minimum",
                &["account", "balance_after", "min_balance"],
            ),
            Self::OverMaximum => (
                "over-maximum",
                "the account would rise above its maximum",
                &["account", "balance_after", "max_balance"],
            ),
        };
        Told { rule, words, facts }
    }
}

/// Whether this is a reason that the ledger itself gives for a deny.
#[must_use]
pub fn ledger_says(reason: &Reason) -> bool {
    let said = &*reason.rule;
    let keys = || reason.facts.iter().map(|(key, _)| key.as_str());
    said.pack.as_str() == LEDGER_PACK
        && said.version == VERSION
        && said.decision == Verdict::Deny
        && Rule::ALL.into_iter().map(Rule::told).any(|told| {
            said.rule.as_str() == told.rule
                && said.reason == told.words
                && keys().eq(told.facts.iter().copied())
        })
}
