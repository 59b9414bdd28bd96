//! What a submitted request comes to: an entry that is durable, or an error that sealed nothing.

use std::sync::Arc;

use paygod_core::{Action, CommandError, RequestError, Verdict};
use paygod_store::VaultError;
use paygod_types::limits::REQUEST_BYTES_MAX;
use paygod_types::{Code, RequestId, Seq, Timestamp, code};

use super::rulesets::PolicyError;

/// The answer to one request.
pub type Answer = Result<Outcome, SubmitError>;

/// An entry that stands for a request, durably. The same request gives the same outcome for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The request's id.
    pub id: RequestId,
    /// The entry's leaf index.
    pub seq: Seq,
    /// When it was sealed.
    pub time: Timestamp,
    /// What it did.
    pub action: Action,
    /// The verdict, if packs judged it. A denied transfer is sealed, and this says so.
    pub verdict: Option<Verdict>,
    /// Whether an earlier submission sealed it, and this one changed nothing.
    pub existing: bool,
}

/// A request as it is submitted.
#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "a submission is all of one kind or all of the other, and a box would be one more allocation"
)]
pub enum Submission {
    /// A request document: any JSON spelling of it.
    Json(Vec<u8>),
    /// A request made in memory.
    Request(paygod_core::Request),
}

impl From<paygod_core::Request> for Submission {
    fn from(request: paygod_core::Request) -> Self {
        Self::Request(request)
    }
}

impl From<Vec<u8>> for Submission {
    fn from(document: Vec<u8>) -> Self {
        Self::Json(document)
    }
}

/// Why a request was not sealed. Unless it says otherwise, its id is not used up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// The request is malformed.
    #[error(transparent)]
    Request(Box<RequestError>),
    /// The state or history refuses it.
    #[error(transparent)]
    Command(Box<CommandError>),
    /// The document is too long to look at.
    #[error("the request has {found} bytes, and at most {REQUEST_BYTES_MAX} are allowed; split it")]
    TooLarge {
        /// Bytes found.
        found: usize,
    },
    /// Its details could not be encrypted.
    #[error(transparent)]
    Vault(Arc<VaultError>),
    /// The packs or lists that it activates do not load.
    #[error(transparent)]
    Policy(Box<PolicyError>),
    /// Too many requests are in flight.
    #[error(
        "{in_flight} requests are in flight, which is the most; send the request again in a moment"
    )]
    Busy {
        /// How many.
        in_flight: usize,
    },
    /// The signer is away, and too many entries wait for it.
    #[error(
        "{unsigned} entries wait for a signed checkpoint, and {allowed} may; see `paygod keys status`, and send the request again once the signer is back"
    )]
    Unsigned {
        /// How many wait.
        unsigned: u64,
        /// How many may.
        allowed: u64,
    },
    /// The clock says what cannot be: times of entries only rise, so the book would never leave that time again.
    #[error("the clock of this machine says {now}; set it right, and send the request again")]
    Clock {
        /// What it says.
        now: Timestamp,
    },
    /// The ledger is closing.
    #[error("the ledger is closing and takes no more requests; open the book again")]
    Closed,
    /// A write failed: whether the request was sealed is unknown until the book is opened again.
    #[error(
        "the ledger stopped after a failed write, and the request has no outcome yet; open the book again and send the same request again"
    )]
    Poisoned,
    /// The entry that stands for the request could not be read back.
    #[error(
        "the request was sealed as entry {seq}, which cannot be read: {reason}; check the disk"
    )]
    Unreadable {
        /// The entry.
        seq: Seq,
        /// Why.
        reason: String,
    },
}

impl From<RequestError> for SubmitError {
    fn from(error: RequestError) -> Self {
        Self::Request(Box::new(error))
    }
}

impl From<CommandError> for SubmitError {
    fn from(error: CommandError) -> Self {
        Self::Command(Box::new(error))
    }
}

impl SubmitError {
    /// The permanent code.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Request(error) => error.code(),
            Self::Command(error) => error.code(),
            Self::TooLarge { .. } => code::LEDGER_REQUEST_TOO_LARGE,
            Self::Vault(error) => error.code(),
            Self::Policy(error) => error.code(),
            Self::Busy { .. } => code::LEDGER_BUSY,
            Self::Clock { .. } => code::LEDGER_CLOCK,
            Self::Unsigned { .. } => code::LEDGER_UNSIGNED,
            Self::Closed => code::LEDGER_CLOSED,
            Self::Poisoned => code::LEDGER_POISONED,
            Self::Unreadable { .. } => code::STORE_CORRUPT,
        }
    }
}
