//! Bitcoin: headers that an auditor brought, whether a timestamp leads to one, and anchors by transactions of our own.
//!
//! A header has 80 bytes: version, hash of the block before, merkle root, time, target, nonce. Whoever
//! wants to forge one has to do the work of a block again, and of those after it. [`Headers`] checks that
//! work, that each header names the one before, and that the target is the one it must be; [`judge`]
//! checks that a timestamp's path ends in a header's merkle root.
//!
//! It trusts the file for nothing else, and for the one thing no file can prove: that there is no heavier
//! chain. So headers come from the auditor's own node, or from two sources that agree. Nothing of that needs a node;
//! only [`BitcoinChain`], which makes anchors, and [`header_source`] ask one.

mod block_in_path;
mod direct;
mod header;
mod headers;
mod inclusion;
mod judge;
mod network;
mod node;
mod payment;
mod target;

pub use block_in_path::is_transaction;
pub use direct::{BitcoinChain, BitcoinTerms};
pub use header::{BlockHash, HEADER_BYTES, Header};
pub use headers::{HEADERS_MAX, Headers, HeadersError, MODERN_HEIGHT};
pub use judge::{ProofError, Proven, judge};
pub use network::Network;
pub use node::header_source;
pub use target::Target;
