//! Snapshots: the whole state as bytes and back, and its digest.
//!
//! INVARIANT(one-state): equal states have equal bytes, so the digest of a state rebuilt from entries is
//! the digest that was sealed.

use paygod_types::{Code, Digest, code};

use crate::state::State;

/// Why bytes are not a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "byte {offset} of the snapshot: {reason}; open the book from an earlier snapshot or from its entries"
)]
pub struct SnapshotError {
    /// Where.
    pub offset: usize,
    /// What is wrong.
    pub reason: &'static str,
}

impl SnapshotError {
    /// The permanent code.
    #[must_use]
    pub const fn code(&self) -> Code {
        code::SNAPSHOT_FORM
    }
}

impl State {
    /// Appends the canonical bytes of the state to `out`.
    pub fn to_snapshot(&self, out: &mut Vec<u8>) {
        let _ = out;
    }

    /// Reads a state back. Strict and bounded by the input's length.
    ///
    /// # Errors
    /// [`SnapshotError`]: the bytes are no snapshot, or break an invariant of states.
    pub fn from_snapshot(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let _ = bytes;
        Err(SnapshotError {
            offset: 0,
            reason: "no header",
        })
    }

    /// SHA-256 of the snapshot's bytes: what a snapshot entry seals.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let mut bytes = Vec::new();
        self.to_snapshot(&mut bytes);
        Digest::sha256(&bytes)
    }
}
