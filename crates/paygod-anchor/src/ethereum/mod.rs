//! Ethereum: a registry contract that refuses a smaller tree, anchors by transactions of our own, and proofs of
//! what stands in the registry that need no node.
//!
//! A proof is the registry's state at one block: the block's header, and the Merkle-Patricia paths from its state
//! root through the registry's account to the two words that hold size and root of the publisher's log (EIP-1186).
//! It counts only if the account has the code of our registry, by its hash: no other contract's word is taken,
//! whatever it says. Which blocks are of the chain an auditor says, by a file of their hashes ([`Blocks`]),
//! which [`block_source`] gets from a node.

mod blocks;
mod direct;
mod node;
mod proof;
mod registry;
mod rlp;
mod transaction;

pub use blocks::{BLOCKS_MAX, Blocks, BlocksError};
pub use direct::{EthereumChain, EthereumTerms, Registry};
pub use node::block_source;
pub(crate) use proof::AccountProof;
pub use proof::{PROOF_BYTES_MAX, RegistryProof, RegistryProofError};
pub use registry::CREATION;
pub(crate) use registry::{code_hash, slots};
pub(crate) use rlp::list;
