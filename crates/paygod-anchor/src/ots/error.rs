//! Why a timestamp was refused.

use paygod_types::Code;
use paygod_types::code;

use super::{
    ATTESTATIONS_MAX, DEPTH_MAX, FILE_BYTES_MAX, MESSAGE_BYTES_MAX, OPS_MAX, PAYLOAD_BYTES_MAX,
    URI_BYTES_MAX,
};

/// A timestamp could not be read, written or put together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OtsError {
    /// The file does not begin like one.
    #[error("the file is no OpenTimestamps proof: it does not begin like one; name an `.ots` file")]
    Magic,
    /// A version that is not known here.
    #[error("the timestamp file has version {found}, expected 1; get a newer verifier")]
    Version {
        /// The version found.
        found: u8,
    },
    /// The bytes end too early.
    #[error("the timestamp ends at byte {at}, in the middle; get the whole file")]
    Truncated {
        /// Where.
        at: usize,
    },
    /// Bytes stand after the end.
    #[error("the timestamp is over at byte {at}, and bytes follow; get the file again")]
    Trailing {
        /// Where.
        at: usize,
    },
    /// A number that is longer than need be, or beyond 64 bits.
    #[error(
        "the number before byte {at} is not in its shortest form of 64 bits or fewer; get the file again"
    )]
    Number {
        /// Where.
        at: usize,
    },
    /// An operation that is not known here.
    #[error("the operation {tag:#04x} before byte {at} is not known; get a newer verifier")]
    UnknownOp {
        /// Its tag.
        tag: u8,
        /// Where.
        at: usize,
    },
    /// A hash that no file can have been digested with.
    #[error("a file is not digested with the operation {tag:#04x}; get the file again")]
    FileHash {
        /// Its tag.
        tag: u8,
    },
    /// A length that is not allowed.
    #[error("{what} has {found} bytes, allowed are {min} to {max}; get the file again")]
    Length {
        /// Of what.
        what: &'static str,
        /// Bytes found.
        found: u64,
        /// Bytes allowed at least.
        min: usize,
        /// Bytes allowed at most.
        max: usize,
    },
    /// An address of a calendar with characters that the format forbids.
    #[error(
        "the address of a calendar has a character that addresses may not have here; get the file again"
    )]
    Uri,
    /// An attestation's payload says more than it should.
    #[error("an attestation before byte {at} has bytes after its end; get the file again")]
    Payload {
        /// Where.
        at: usize,
    },
    /// Too many operations one after another.
    #[error("the timestamp is deeper than {DEPTH_MAX} operations; get the file again")]
    Depth,
    /// Too many operations in all.
    #[error("the timestamp has more than {OPS_MAX} operations; get the file again")]
    Ops,
    /// Too many attestations.
    #[error("the timestamp has more than {ATTESTATIONS_MAX} attestations; get the file again")]
    Attestations,
    /// The bytes are too many.
    #[error("the timestamp has {found} bytes, allowed are {max}; get the file again")]
    TooLong {
        /// Bytes found.
        found: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// A timestamp without an attestation at its end has no bytes.
    #[error("the timestamp attests nothing; submit the digest to a calendar first")]
    Empty,
    /// Timestamps of different messages.
    #[error("the timestamps are of different digests; join only those of one checkpoint")]
    OtherMessage,
}

impl OtsError {
    /// The permanent code.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Depth | Self::Ops | Self::Attestations | Self::TooLong { .. } => {
                code::ANCHOR_TOO_LARGE
            }
            _ => code::ANCHOR_FORMAT,
        }
    }

    pub(crate) const fn message(found: usize) -> Self {
        Self::Length {
            what: "a message",
            found: wide(found),
            min: 1,
            max: MESSAGE_BYTES_MAX,
        }
    }

    pub(super) const fn argument(found: u64) -> Self {
        Self::Length {
            what: "the argument of an operation",
            found,
            min: 1,
            max: MESSAGE_BYTES_MAX,
        }
    }

    pub(super) const fn payload(found: u64) -> Self {
        Self::Length {
            what: "an attestation",
            found,
            min: 0,
            max: PAYLOAD_BYTES_MAX,
        }
    }

    pub(super) const fn uri(found: u64) -> Self {
        Self::Length {
            what: "the address of a calendar",
            found,
            min: 0,
            max: URI_BYTES_MAX,
        }
    }

    pub(super) const fn file(found: usize) -> Self {
        Self::TooLong {
            found,
            max: FILE_BYTES_MAX,
        }
    }
}

#[expect(
    clippy::as_conversions,
    reason = "INVARIANT(word-size): a `usize` has 64 bits at most"
)]
const fn wide(length: usize) -> u64 {
    length as u64
}
