//! Bitcoin without a node: headers that an auditor brought, and whether a timestamp leads to one.
//!
//! A header has 80 bytes: version, hash of the block before, merkle root, time, target, nonce. Whoever
//! wants to forge one has to do the work of a block again, and of those after it. [`Headers`] checks that
//! work, that each header names the one before, and that the target is the one it must be; [`judge`]
//! checks that a timestamp's path ends in a header's merkle root.
//!
//! It trusts the file for nothing else, and for the one thing no file can prove: that there is no heavier
//! chain. So headers come from the auditor's own node, or from two sources that agree.

mod block_in_path;
mod header;
mod headers;
mod judge;
mod network;
mod target;

pub use block_in_path::is_transaction;
pub use header::{BlockHash, HEADER_BYTES, Header};
pub use headers::{HEADERS_MAX, Headers, HeadersError};
pub use judge::{ProofError, Proven, judge};
pub use network::Network;
pub use target::Target;
