//! Every bound of this crate, with its unit and reason. What is larger is refused, never cut.

/// Most leaves a tree may hold. Keeps every index sum inside `u64` and inside the signed 64-bit
/// integers that other implementations use.
pub const TREE_SIZE_MAX: u64 = 1 << 62;

/// Hashes in a full tile, and entries in a full bundle (tlog-tiles).
pub const TILE_WIDTH: u16 = 256;

/// [`TILE_WIDTH`] as a length in memory.
pub const TILE_HASHES: usize = 256;

/// The height of a tile as a power of two: `1 << TILE_HEIGHT == TILE_WIDTH`.
pub const TILE_HEIGHT: u32 = 8;

/// Bytes of one hash.
pub const HASH_BYTES: usize = 32;

/// Bytes of a full tile of hashes.
pub const TILE_BYTES: usize = 8_192;

/// Bytes of one entry: the length prefix in a bundle is a `u16`.
pub const ENTRY_BYTES_MAX: usize = 65_535;

/// Bytes of a full bundle whose entries are all as long as they may be.
pub const BUNDLE_BYTES_MAX: usize = TILE_HASHES * (ENTRY_BYTES_MAX + 2);

/// Largest tile level a path may name (tlog-tiles).
pub const TILE_LEVEL_MAX: u8 = 63;

/// Tile levels that a tree of [`TREE_SIZE_MAX`] leaves can have.
pub const TILE_LEVELS: usize = 8;

/// Bytes of a tile path: `tile/entries/` and seven groups of a `u64`, then `.p/255`.
pub const TILE_PATH_BYTES_MAX: usize = 64;

/// Bytes of a whole signed note. Room for 64 post-quantum signatures of about 3.3 kB in base64.
pub const NOTE_BYTES_MAX: usize = 256 * 1_024;

/// Signatures in a note. The specification asks for at least 16.
pub const NOTE_SIGNATURES_MAX: usize = 64;

/// Bytes of a key name. Names are one-byte length-prefixed in ML-DSA cosigned messages.
pub const KEY_NAME_BYTES_MAX: usize = 255;

/// Bytes of a verifier key's text: the name, its id, and base64 of a 1,313-byte ML-DSA-44 key.
pub const VERIFIER_KEY_BYTES_MAX: usize = 4_096;

/// Bytes of the three lines of a checkpoint: origin, 19 digits, 44 characters, three newlines.
pub const CHECKPOINT_TEXT_BYTES_MAX: usize = KEY_NAME_BYTES_MAX + 19 + 44 + 3;

/// Hashes in a proof: one for each level of the tallest tree, and one more in consistency proofs.
pub const PROOF_HASHES_MAX: usize = 64;

/// Hashes in the consistency proof of a request to a witness (tlog-witness).
pub const PROOF_LINES_MAX: usize = 63;

/// Bytes of a request to a witness: the longest note, its proof and some.
pub const REQUEST_BYTES_MAX: usize = NOTE_BYTES_MAX + 4_096;

/// Bytes of the decoded `extra` line of a tlog-proof.
pub const PROOF_EXTRA_BYTES_MAX: usize = 128 * 1_024;

/// Bytes of a whole tlog-proof file.
pub const PROOF_BYTES_MAX: usize = NOTE_BYTES_MAX + 256 * 1_024;

/// Tiles whose inner nodes a [`crate::TreeReader`] keeps, 16 KiB each.
pub const TILES_MEMOISED_MAX: usize = 16;

/// Latest time that a cosignature may say, in POSIX seconds (tlog-cosignature).
pub const COSIGNATURE_TIME_MAX: u64 = (1 << 63) - 1;

/// Bytes of a trust policy: room for the keys of [`POLICY_NAMES_MAX`] logs and witnesses, twice over.
pub const POLICY_BYTES_MAX: usize = 512 * 1_024;

/// Lines of a trust policy, comments included.
pub const POLICY_LINES_MAX: usize = 4_096;

/// Logs, witnesses and groups in a trust policy, each. The specification asks for at least 32.
pub const POLICY_NAMES_MAX: usize = 64;

/// How far ahead of ours the clock of a witness may be, in seconds.
pub const POLICY_FUTURE_S_MAX: u64 = 300;

const _: () = assert!(1 << TILE_HEIGHT == TILE_WIDTH);
const _: () = assert!(1 << TILE_HEIGHT == TILE_HASHES);
const _: () = assert!(TILE_BYTES == TILE_HASHES * HASH_BYTES);
const _: () = assert!(TREE_SIZE_MAX.trailing_zeros() < 8 * 8);
const _: () = assert!(2 * POLICY_NAMES_MAX * (VERIFIER_KEY_BYTES_MAX - 64) < 2 * POLICY_BYTES_MAX);
const _: () = assert!(PROOF_LINES_MAX * 45 + 64 < REQUEST_BYTES_MAX - NOTE_BYTES_MAX);
const _: () = assert!(CHECKPOINT_TEXT_BYTES_MAX < NOTE_BYTES_MAX);
const _: () = assert!(
    PROOF_EXTRA_BYTES_MAX.div_ceil(3) * 4 + PROOF_HASHES_MAX * 45 + 256 + NOTE_BYTES_MAX
        < PROOF_BYTES_MAX
);
