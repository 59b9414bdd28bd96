//! Why a document or a typed request is no request. Nothing is sealed and no id is used up.

use paygod_policy::PrepareError;
use paygod_types::canonical::CanonicalError;
use paygod_types::limits::{
    AMOUNT_MINOR_DIGITS_MAX, PENDING_TIMEOUT_S_MAX, REQUEST_BYTES_MAX, TRANSFERS_PER_REQUEST_MAX,
};
use paygod_types::{Code, CurrencyError, DigestError, IdError, MoneyError, code};

/// Why a request is refused before any state is looked at.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// Not JSON, not I-JSON, or not of the shape of a request.
    #[error("the request cannot be read: {0}")]
    Json(#[from] CanonicalError),
    /// A key that requests do not have. Unknown keys are refused, for they might have been meant.
    #[error("`{found}` is no key of {of}; remove it, or correct its spelling")]
    UnknownKey {
        /// The key, at most 64 bytes of it.
        found: Box<str>,
        /// Of which object.
        of: &'static str,
    },
    /// A key that is needed is missing.
    #[error("{of} has no `{missing}`; add it")]
    Missing {
        /// The key.
        missing: &'static str,
        /// Of which object.
        of: &'static str,
    },
    /// No command, or two.
    #[error("a request has exactly one command, found {found}; send one request each")]
    Commands {
        /// How many.
        found: usize,
    },
    /// A value is not what its key needs.
    #[error("`{key}` must be {expected}; correct it")]
    Value {
        /// The key.
        key: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// An identifier is malformed.
    #[error("`{key}`: {source}")]
    Id {
        /// The key.
        key: &'static str,
        /// Why.
        source: IdError,
    },
    /// An amount is malformed.
    #[error(transparent)]
    Money(#[from] MoneyError),
    /// A currency is unknown.
    #[error(transparent)]
    Currency(#[from] CurrencyError),
    /// A digest is malformed.
    #[error(transparent)]
    Digest(#[from] DigestError),
    /// Too few or too many transfers.
    #[error(
        "a request has 1 to {TRANSFERS_PER_REQUEST_MAX} transfers, found {found}; split the request"
    )]
    TransferCount {
        /// How many.
        found: usize,
    },
    /// An amount is larger than any that may move.
    #[error(
        "an amount has at most {AMOUNT_MINOR_DIGITS_MAX} digits, decimals counted, found `{found}`; check it"
    )]
    AmountTooLarge {
        /// The amount.
        found: Box<str>,
    },
    /// An amount is zero or below.
    #[error("an amount is above zero, found `{found}`; swap debit and credit to move money back")]
    NotPositive {
        /// The amount.
        found: Box<str>,
    },
    /// A transfer from an account to itself.
    #[error("`{account}` is both debited and credited; name two accounts")]
    SameAccount {
        /// The account.
        account: Box<str>,
    },
    /// Linked transfers with different terms.
    #[error(
        "linked transfers have the same `pending`, or none; make them alike or split the request"
    )]
    MixedPending,
    /// A timeout out of range.
    #[error("`timeout_s` is 1 to {PENDING_TIMEOUT_S_MAX}, found {found}; choose one within")]
    Timeout {
        /// Seconds.
        found: u64,
    },
    /// An approval or rejection without `by`.
    #[error("`{command}` needs `by`: say who decides")]
    Anonymous {
        /// The command.
        command: &'static str,
    },
    /// Lists or packs out of order or twice.
    #[error("`{key}` ascends by name and names each once; sort it")]
    SetOrder {
        /// `lists` or `packs`.
        key: &'static str,
    },
    /// Limits that an empty account breaks.
    #[error(
        "`min_balance` is zero or below and `max_balance` zero or above: a new account holds nothing"
    )]
    Limits,
    /// Too many aliases, or out of order.
    #[error("`aliases` ascend, each once, at most {allowed}; sort or shorten them")]
    Aliases {
        /// How many are allowed.
        allowed: usize,
    },
    /// The canonical form is too long.
    #[error("the request has {found} bytes, and at most {REQUEST_BYTES_MAX} are allowed; split it")]
    TooLarge {
        /// Bytes.
        found: usize,
    },
    /// The judge cannot read a transfer.
    #[error(transparent)]
    Judge(PrepareError),
}

impl RequestError {
    /// The permanent code.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Json(error) => error.code(),
            Self::UnknownKey { .. } => code::REQUEST_UNKNOWN_KEY,
            Self::Missing { .. } => code::REQUEST_MISSING_KEY,
            Self::Commands { .. } => code::REQUEST_COMMANDS,
            Self::Value { .. } | Self::AmountTooLarge { .. } | Self::Judge(_) => {
                code::REQUEST_VALUE
            }
            Self::Id { source, .. } => source.code(),
            Self::Money(error) => error.code(),
            Self::Currency(error) => error.code(),
            Self::Digest(error) => error.code(),
            Self::TransferCount { .. } => code::REQUEST_TRANSFER_COUNT,
            Self::NotPositive { .. } => code::REQUEST_NOT_POSITIVE,
            Self::SameAccount { .. } => code::REQUEST_SAME_ACCOUNT,
            Self::MixedPending => code::REQUEST_MIXED_PENDING,
            Self::Timeout { .. } => code::REQUEST_TIMEOUT,
            Self::Anonymous { .. } => code::REQUEST_ANONYMOUS,
            Self::SetOrder { .. } => code::REQUEST_SET_ORDER,
            Self::Limits => code::REQUEST_LIMITS,
            Self::Aliases { .. } => code::REQUEST_ALIASES,
            Self::TooLarge { .. } => code::REQUEST_TOO_LARGE,
        }
    }
}
