//! Hashes of the tree, RFC 6962 section 2.1: leaf `SHA-256(0x00 ‖ entry)`,
//! node `SHA-256(0x01 ‖ left ‖ right)`, and the root of a list of complete subtrees.

use core::cell::Cell;
use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use paygod_types::code::{self, Code};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::limits::HASH_BYTES;

/// A SHA-256 hash of a leaf, a node or a whole tree. Shown as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Hash([u8; HASH_BYTES]);

/// The size of a tree and its root hash: what a checkpoint says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TreeHead {
    /// Number of leaves.
    pub size: u64,
    /// Root hash at that size; [`Hash::EMPTY_TREE`] when there are no leaves.
    pub root: Hash,
}

/// The text is not a hash.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error(
    "a hash is 32 bytes, found text of {found} characters that is not its {form}; check the source of the text"
)]
pub struct HashTextError {
    /// The form that was expected.
    pub form: &'static str,
    /// The length of what was given.
    pub found: usize,
}

impl HashTextError {
    /// The permanent code of this error.
    #[must_use]
    pub const fn code(&self) -> Code {
        code::TLOG_HASH
    }
}

impl Hash {
    /// The root of a tree without leaves: SHA-256 of nothing.
    pub const EMPTY_TREE: Self = Self([
        0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9,
        0x24, 0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52,
        0xb8, 0x55,
    ]);

    /// Wraps the 32 bytes of a hash.
    #[must_use]
    pub const fn new(bytes: [u8; HASH_BYTES]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; HASH_BYTES] {
        &self.0
    }

    /// The 32 bytes, by value.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; HASH_BYTES] {
        self.0
    }

    /// Standard base64 with padding, 44 characters: the form used in checkpoints and proofs.
    #[must_use]
    pub fn to_base64(&self) -> String {
        STANDARD.encode(self.0)
    }

    /// Reads the form that [`Hash::to_base64`] writes and nothing else.
    ///
    /// # Errors
    /// The text is not the canonical base64 of 32 bytes.
    pub fn from_base64(text: &str) -> Result<Self, HashTextError> {
        let refuse = || HashTextError {
            form: "base64",
            found: text.len(),
        };
        if text.len() != 44 {
            return Err(refuse());
        }
        let bytes = STANDARD.decode(text).map_err(|_| refuse())?;
        bytes.try_into().map(Self).map_err(|_| refuse())
    }

    /// Reads 64 lower-case hexadecimal digits.
    ///
    /// # Errors
    /// The text has another length or another character.
    pub fn from_hex(text: &str) -> Result<Self, HashTextError> {
        let refuse = || HashTextError {
            form: "lower-case hexadecimal",
            found: text.len(),
        };
        if text.len() != 2 * HASH_BYTES {
            return Err(refuse());
        }
        let mut bytes = [0; HASH_BYTES];
        for (byte, [high, low]) in bytes.iter_mut().zip(text.as_bytes().as_chunks::<2>().0) {
            let high = hex_value(*high).ok_or_else(refuse)?;
            let low = hex_value(*low).ok_or_else(refuse)?;
            *byte = (high << 4) | low;
        }
        Ok(Self(bytes))
    }
}

fn hex_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

impl From<[u8; HASH_BYTES]> for Hash {
    fn from(bytes: [u8; HASH_BYTES]) -> Self {
        Self(bytes)
    }
}

impl AsRef<[u8]> for Hash {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// The hash of a leaf: `SHA-256(0x00 ‖ entry)`.
#[must_use]
pub fn leaf_hash(entry: &[u8]) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update([0x00]);
    hasher.update(entry);
    Hash(hasher.finalize().into())
}

/// SHA-256's initial state, FIPS 180-4 section 5.3.3.
const INITIAL: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// The hash of an inner node: `SHA-256(0x01 ‖ left ‖ right)`.
///
/// The message is always 65 bytes, so its two padded blocks are laid out here and given straight
/// to the compression function: nodes are half of all hashing the tree costs.
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    // 0x01 ‖ left ‖ right ‖ 0x80 ‖ zeros ‖ length in bits (520 = 0x0208), big-endian.
    let mut message = [[0_u8; 64]; 2];
    let bytes = message.as_flattened_mut();
    let (prefix, rest) = bytes.split_at_mut(1);
    prefix.fill(0x01);
    let (l, rest) = rest.split_at_mut(HASH_BYTES);
    l.copy_from_slice(&left.0);
    let (r, rest) = rest.split_at_mut(HASH_BYTES);
    r.copy_from_slice(&right.0);
    let (end, rest) = rest.split_at_mut(1);
    end.fill(0x80);
    let (_, length) = rest.split_at_mut(60);
    length.copy_from_slice(&[0x02, 0x08]);

    let mut state = INITIAL;
    sha2::block_api::compress256(&mut state, &message);
    let mut out = [0; HASH_BYTES];
    for (word, bytes) in state.iter().zip(out.as_chunks_mut::<4>().0) {
        *bytes = word.to_be_bytes();
    }
    Hash(out)
}

/// The Merkle Tree Hash over `hashes`, each taken as the root of a complete subtree of one size
/// (or as a leaf). Of 256 of them it is the root of a full tile. Uses `hashes` as working space.
#[must_use]
pub fn tree_root(hashes: &mut [Hash]) -> Hash {
    let mut width = hashes.len();
    if width == 0 {
        return Hash::EMPTY_TREE;
    }
    let cells = Cell::from_mut(hashes).as_slice_of_cells();
    while width > 1 {
        let level = cells.get(..width).unwrap_or_default();
        let (pairs, odd) = level.as_chunks::<2>();
        // Reads run ahead of writes, so the level can be rewritten in place.
        for (parent, [left, right]) in level.iter().zip(pairs) {
            parent.set(node_hash(&left.get(), &right.get()));
        }
        // The last of an odd level stands for itself one level up: exactly RFC 6962's split.
        if let ([last], Some(parent)) = (odd, level.get(pairs.len())) {
            parent.set(last.get());
        }
        width = width.div_ceil(2);
    }
    cells.first().map_or(Hash::EMPTY_TREE, Cell::get)
}

/// Reads hashes laid back to back, as tiles and level files hold them.
///
/// The second value is what is left over when the length is no multiple of 32 (empty when it is).
#[must_use]
pub fn split_hashes(bytes: &[u8]) -> (&[[u8; HASH_BYTES]], &[u8]) {
    bytes.as_chunks::<HASH_BYTES>()
}
