//! Every bound of this crate, with its unit and reason.

use paygod_tlog::limits::NOTE_BYTES_MAX;

/// Bundles in a batch, the unit of work of a thread. Large enough that handing batches over costs
/// nothing beside hashing them, small enough that a few of them are no memory.
pub const BUNDLES_PER_BATCH: u64 = 8;

/// Batches read beyond [`BATCHES_READ_FIRST`], for each thread. Bounds memory; past it readers wait.
pub const BATCHES_AHEAD_PER_THREAD: u64 = 3;

/// Bytes of entries that a batch decodes ahead; what is beyond is read when its turn comes. Twice what the
/// entries of a busy book take.
pub const BATCH_BYTES_MAX: u64 = 4 * 1_024 * 1_024;

/// Bytes of entries that are decoded and wait, over all batches; past it readers wait. An entry takes some
/// times its bytes in memory, which is what its writer chooses.
pub const BYTES_AHEAD_MAX: u64 = 64 * 1_024 * 1_024;

/// Bytes of an entry whose memory is used again for the next one in its place. Larger ones are seldom.
pub const SLOT_BYTES_KEPT_MAX: usize = 4_096;

/// Most threads. More would wait for the fold.
pub const THREADS_MAX: usize = 32;

/// Failures kept while looking for the first; the rest are counted.
pub const FAILURES_KEPT_MIN: usize = 256;

/// Failures that `--all` keeps; the rest are counted.
pub const FAILURES_ALL_MAX: usize = 10_000;

/// Characters of a text that an export can choose, as shown in a failure.
pub const TEXT_SHOWN_MAX: usize = 300;

/// Bytes of `checkpoints.log` read at a time; more than its longest record.
pub const LOG_READ_BYTES: usize = 2 * NOTE_BYTES_MAX;

/// Digits of a record's length in `checkpoints.log`.
pub const LOG_LENGTH_DIGITS_MAX: usize = 6;

/// Kept checkpoints and proofs that an auditor can bring.
pub const KEPT_MAX: usize = 10_000;

/// Bytes of the largest pack archive or list that is read; what is larger fails its check.
pub const BLOB_BYTES_MAX: u64 = 256 * 1_024 * 1_024;

/// Blobs that were nothing of their kind and are remembered; past it no more are looked at.
pub const BLOBS_REFUSED_MAX: usize = 64;

/// Entries between two copies of the state kept for snapshot claims, at least.
pub const STATE_COPY_ENTRIES_MIN: u64 = 131_072;

/// Entries whose accounts are looked up together. Enough to wait for memory once, few enough that it is
/// still in the cache when it is needed.
pub const ENTRIES_PER_RUN: usize = 32;

/// Batches that are read before one is folded. A ledger seals what it says of a state some thousand
/// entries later, while it goes on: whoever has read that far knows which states to tell. Past it the
/// state is folded again from a copy.
pub const BATCHES_READ_FIRST: usize = 6;

/// Places spoken of that are remembered, and states told. An honest ledger needs two.
pub const STATES_TOLD_MAX: usize = 64;

/// Bytes of states that are hashed for snapshot entries without more ado.
pub const STATE_BYTES_HASHED_FREE: i64 = 256 * 1_024 * 1_024;

/// Bytes of states that every entry adds to what may be hashed for snapshot entries. Bounds the work by the length
/// of the log; a ledger of a hundred million accounts stays within it when it seals a snapshot every 500,000
/// entries, as it does unless it is told otherwise.
pub const STATE_BYTES_HASHED_PER_ENTRY: i64 = 64 * 1_024;

/// Receipts of anchors that are remembered: twenty years of one every ten minutes.
pub const ANCHORS_MAX: usize = 1 << 20;

/// Parts that ids are divided into by their hash. Each is sorted by itself, so this divides the
/// memory that sorting takes.
pub const ID_PARTS: usize = 256;

/// Records of one part gathered before they are written out: 64 KiB of ids, 16 MiB over all parts.
pub const ID_BLOCK_RECORDS: usize = 4_096;

const _: () = assert!(LOG_READ_BYTES > NOTE_BYTES_MAX + LOG_LENGTH_DIGITS_MAX + 1);
const _: () = assert!(ID_PARTS == 256);
