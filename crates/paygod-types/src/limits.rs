//! Every limit that more than one crate must agree on, with its unit last and its reason.
//!
//! A limit that only one module knows stands in that module. What happens past a limit is an error
//! with its own code, never a truncation.

/// Longest entry, in bytes: what the two-byte length prefix of an entry bundle can say.
pub const ENTRY_BYTES_MAX: usize = 65_535;

/// Longest request document, in bytes. Half an entry, because what is sealed spells out more than
/// what was asked: postings, decision and reasons.
pub const REQUEST_BYTES_MAX: usize = 32_768;

/// Most linked transfers in one request; each makes two postings of at most [`POSTING_BYTES_MAX`].
pub const TRANSFERS_PER_REQUEST_MAX: usize = 64;

/// Longest spelling of one posting in an entry, in bytes.
pub const POSTING_BYTES_MAX: usize = 220;

/// Most reasons kept in one decision; the gravest come first.
pub const REASONS_PER_ENTRY_MAX: usize = 64;

/// Longest identifier, in bytes.
pub const ID_BYTES_MAX: usize = 64;

/// Deepest nesting of a document: its arrays and objects, the outermost counted.
pub const DEPTH_MAX: usize = 32;

/// Largest integer in a JSON document, 2^53 − 1: beyond it two integers can share one canonical
/// spelling (RFC 7493 section 2.2).
pub const INTEGER_MAX: u64 = 9_007_199_254_740_991;

/// Most digits of an amount, sign and point apart: what 128 bits can hold.
pub const AMOUNT_DIGITS_MAX: usize = 39;

/// Most digits of an amount that a request moves, in minor units: a hundred million of the largest fit in an account, so that
/// no single one keeps a currency from moving.
pub const AMOUNT_MINOR_DIGITS_MAX: u32 = 30;

/// The first amount that is too large for a request, in minor units.
pub const AMOUNT_MINOR_END: i128 = 10_i128.pow(AMOUNT_MINOR_DIGITS_MAX);

/// Most requests made durable by one flush. Bounds the memory of a group and the wait of its first.
pub const GROUP_REQUESTS_MAX: usize = 8_192;

/// Most approvers that a pack may ask for.
pub const APPROVALS_MAX: u32 = 16;

/// Longest time that a pending transfer may wait, in seconds: one year.
pub const PENDING_TIMEOUT_S_MAX: u64 = 366 * 24 * 60 * 60;

/// A clock that says this or more, in nanoseconds since 1970, is believed by nobody: 2200-01-01. Times of entries only
/// rise, so what is sealed at such a time holds a book there.
pub const CLOCK_NANOS_MAX: u64 = 7_258_118_400 * 1_000_000_000;

const _: () = assert!(REQUEST_BYTES_MAX < ENTRY_BYTES_MAX);
const _: () = assert!(ENTRY_BYTES_MAX == 0xffff);
const _: () = assert!(2 * TRANSFERS_PER_REQUEST_MAX * POSTING_BYTES_MAX < ENTRY_BYTES_MAX / 2);
const _: () = assert!(ID_BYTES_MAX < POSTING_BYTES_MAX);
const _: () = assert!(INTEGER_MAX == (1 << 53) - 1);
