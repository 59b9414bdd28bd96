//! The transparency log of Paygod Kernel: an RFC 6962 Merkle tree, its tiles and entry bundles,
//! signed notes, checkpoints and offline proofs, to the letter of the C2SP specifications
//! `signed-note`, `tlog-checkpoint`, `tlog-cosignature`, `tlog-tiles`, `tlog-proof`, `tlog-policy`
//! and the messages of `tlog-witness`.
//!
//! Pure: no files, clock, randomness or threads. Callers bring bytes and a [`HashSource`].
//!
//! Invariants kept here:
//! - every parser is bounded by a constant in [`limits`] and returns an error instead of panicking;
//! - parsers are strict: what parses formats back to the same bytes;
//! - a hash handed out as complete never changes when the tree grows (`INVARIANT(append-only)`).
//!
//! It does not store, publish or fetch anything, and it does not know what an entry means.

pub mod add_checkpoint;
pub mod bundle;
pub mod checkpoint;
pub mod cosignature;
pub mod ecdsa;
pub mod frontier;
pub mod hash;
pub mod key;
pub mod limits;
pub mod note;
pub mod policy;
pub mod proof;
pub mod reader;
pub mod tile;
pub mod tlog_proof;
pub mod writer;

mod text;

pub use add_checkpoint::{AddCheckpoint, MessageError};
pub use bundle::{BundleError, BundleReader};
pub use checkpoint::{Checkpoint, CheckpointError, SignedCheckpoint};
pub use cosignature::{
    CosignError, CosignatureVerifier, Cosigner, Ed25519Cosigner, LogVerifier, MlDsa44Cosigner,
    cosign,
};
pub use ecdsa::EcdsaP256Verifier;
pub use frontier::{Frontier, FrontierError};
pub use hash::{Hash, HashTextError, TreeHead, leaf_hash, node_hash, tree_root};
pub use key::{
    Ed25519Signer, Ed25519Verifier, KeyError, KeyId, KeyName, ML_DSA_44_SIGNATURE_BYTES,
    NoteSigner, NoteVerifier, SignatureType, SignerError, VerifierKey,
};
pub use note::{NoteError, NoteSignature, SignedNote};
pub use policy::{Cosigned, PolicyError, PolicyFailure, PolicyFault, TlogPolicy};
pub use proof::{ConsistencyProof, InclusionProof, ProofError};
pub use reader::{HashSource, ReadError, TreeReader};
pub use tile::{Tile, TileError, TileKind};
pub use tlog_proof::{TlogProof, TlogProofError};
pub use writer::{Rows, TreeWriter};
