//! What ties a log to the world outside, so that it cannot be rewritten in secret.
//!
//! Anchors are evidence of when a checkpoint existed, which no key of the log's operator can make afterwards:
//!
//! - [`ots`]: the OpenTimestamps format, read, written and walked within bounds.
//! - [`calendar`]: the client of calendars, which put digests into Bitcoin and hand out the path.
//! - [`bitcoin`]: block headers, checked by us: proof of work, linkage, difficulty.
//! - [`chain`]: a chain that takes checkpoints by transactions of our own, through a node of the operator's ([`rpc`]),
//!   paid by a key of ours ([`paying`]).
//! - [`ethereum`]: the registry on Ethereum, and proofs of what stands in it.
//! - [`practice`]: a chain and a calendar of our own, for tests and drills.
//!
//! What is anchored is the text of a checkpoint (C2SP tlog-checkpoint: origin, size, root), so an anchor
//! is of one log and of all its entries up to the size.
//!
//! Witnesses have seen one history of a log and vouch for no other:
//!
//! - [`witness`]: asks witnesses to cosign checkpoints, and is one (C2SP tlog-witness).
//!
//! Nothing here is in the path of a request, and nothing knows a book.

pub mod bitcoin;
pub mod calendar;
pub mod chain;
pub mod ethereum;
pub mod ots;
pub mod paying;
pub mod practice;
pub mod rpc;
pub mod witness;
