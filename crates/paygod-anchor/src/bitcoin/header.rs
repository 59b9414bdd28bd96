//! One block header, by its bytes.

use core::fmt;

use sha2::{Digest as _, Sha256};

/// Bytes of a header.
pub const HEADER_BYTES: usize = 80;

/// SHA-256, twice, as Bitcoin has it.
pub(crate) fn sha256d(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(Sha256::digest(bytes)).into()
}

/// A block header, as nodes send it: 80 bytes, numbers little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The version and its flags.
    pub version: [u8; 4],
    /// The hash of the block before.
    pub before: BlockHash,
    /// The merkle root of the block's transactions, in the order of its bytes.
    pub merkle_root: [u8; 32],
    /// When the miner says it was made: seconds since 1970. It may be up to two hours off.
    pub time: u32,
    /// The target, in its short form.
    pub bits: u32,
    /// What the miner tried until the hash was below the target.
    pub nonce: u32,
}

impl Header {
    /// Reads a header. Every 80 bytes are one.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; HEADER_BYTES]) -> Self {
        let mut rest = bytes.as_slice();
        Self {
            version: take(&mut rest),
            before: BlockHash(take(&mut rest)),
            merkle_root: take(&mut rest),
            time: u32::from_le_bytes(take(&mut rest)),
            bits: u32::from_le_bytes(take(&mut rest)),
            nonce: u32::from_le_bytes(take(&mut rest)),
        }
    }

    /// The 80 bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        let parts: [&[u8]; 6] = [
            &self.version,
            &self.before.0,
            &self.merkle_root,
            &self.time.to_le_bytes(),
            &self.bits.to_le_bytes(),
            &self.nonce.to_le_bytes(),
        ];
        for (to, from) in bytes.iter_mut().zip(parts.into_iter().flatten()) {
            *to = *from;
        }
        bytes
    }

    /// The block's hash.
    #[must_use]
    pub fn hash(&self) -> BlockHash {
        BlockHash(sha256d(&self.to_bytes()))
    }
}

/// The next `N` bytes; zeros past the end, which the type of [`Header::from_bytes`] rules out.
fn take<const N: usize>(rest: &mut &[u8]) -> [u8; N] {
    let (taken, left) = rest.split_first_chunk().unwrap_or((&[0; N], &[]));
    *rest = left;
    *taken
}

/// A block's hash, in the order of its bytes; printed backwards, as everybody does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockHash(pub [u8; 32]);

impl fmt::Display for BlockHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .rev()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
