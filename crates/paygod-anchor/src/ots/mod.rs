//! OpenTimestamps: proofs that bytes existed before a block of a public chain was made.
//!
//! A timestamp is a tree. Its root is a message, here the digest of a file; each edge is an operation
//! ([`Op`]) that makes another message of it; at its nodes stand attestations ([`Attestation`]): "this
//! message was here by then". A detached timestamp file ([`DetachedFile`], `.ots`) is the digest of a
//! file and its timestamp. The bytes are those that the stock client `ots` reads and writes (version 1).
//!
//! INVARIANT(bounded-parser): files, answers, messages, operations, attestations and depth are bounded by
//! the constants below; every operation is carried out as it is read, so that a tree that was read can
//! be walked without another error.
//!
//! It asks nobody and believes no attestation: see [`crate::calendar`] and [`crate::bitcoin`].

mod attestation;
mod error;
mod op;
mod read;
mod timestamp;
mod write;

pub use attestation::{Attestation, CalendarUri, UnknownTag};
pub use error::OtsError;
pub use op::{FileHash, Op};
pub use timestamp::{Attested, DetachedFile, Timestamp};

/// Longest message and longest argument of an operation, in bytes: the format's own limit.
pub const MESSAGE_BYTES_MAX: usize = 4_096;

/// Longest payload of an attestation, in bytes: the format's own limit.
pub const PAYLOAD_BYTES_MAX: usize = 8_192;

/// Longest address of a calendar, in bytes: the format's own limit.
pub const URI_BYTES_MAX: usize = 1_000;

/// Most operations one after another: the stock client's limit.
pub const DEPTH_MAX: usize = 256;

/// Longest detached timestamp file, in bytes. One that four calendars answered has about 3,000.
pub const FILE_BYTES_MAX: usize = 65_536;

/// Most operations of a timestamp: with the longest messages, 16 MiB to hash.
pub const OPS_MAX: usize = 4_096;

/// Most attestations of a timestamp.
pub const ATTESTATIONS_MAX: usize = 256;
