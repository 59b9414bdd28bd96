//! Snapshots: the whole state as bytes and back, and its digest.
//!
//! INVARIANT(one-state): equal states have equal bytes, so the digest of a state rebuilt from entries is
//! the digest that was sealed. Integers are little-endian and of fixed width, texts have a 16-bit length
//! in bytes before them, and every sequence has one order. Format: `docs/internals/entry.md`.
//!
//! Reading a snapshot checks what states promise (sums, limits, reservations), but a snapshot is trusted
//! only once its digest is the one that a snapshot entry sealed.

mod read;
mod write;

use core::convert::Infallible;

use paygod_types::{Code, Digest, code};
use sha2::{Digest as _, Sha256};

use crate::state::State;

/// What a snapshot begins with.
pub(crate) const MAGIC: &[u8; 16] = b"paygod state v1\n";

/// What a snapshot begins with that ends in what is known of packs. A book that never said anything of
/// them has the bytes that it had before it could.
pub(crate) const MAGIC_PACKS: &[u8; 16] = b"paygod state v2\n";

/// How many bytes are given at once, about.
const PIECE_BYTES: usize = 1 << 20;

/// Why bytes are not a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "byte {offset} of the snapshot: {reason}; open the book from an earlier snapshot or its entries"
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
    /// Gives the bytes of the state piece by piece and their digest: [`State::digest`]. `room` is memory to use.
    ///
    /// # Errors
    /// What `give` gives back; nothing more is given then.
    pub fn give_snapshot<E>(
        &self,
        room: &mut Vec<u8>,
        mut give: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<Digest, E> {
        let mut hasher = Sha256::new();
        let mut take = |piece: &mut Vec<u8>| {
            hasher.update(&*piece);
            let given = give(piece);
            piece.clear();
            given
        };
        room.clear();
        room.reserve(PIECE_BYTES + PIECE_BYTES / 16);
        write::state(self, room, |out| {
            if out.len() < PIECE_BYTES {
                return Ok(());
            }
            take(out)
        })?;
        take(room)?;
        Ok(Digest::from_bytes(hasher.finalize().into()))
    }

    /// Reads a state back. Strict, total, and bounded by the input's length.
    ///
    /// # Errors
    /// [`SnapshotError`]: the bytes are no snapshot, or break an invariant of states.
    pub fn from_snapshot(bytes: &[u8]) -> Result<Self, SnapshotError> {
        read::state(bytes)
    }

    /// SHA-256 of the snapshot's bytes: what a snapshot entry seals.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let Ok(digest) = self.give_snapshot(&mut Vec::new(), |_| Ok::<(), Infallible>(()));
        digest
    }
}
