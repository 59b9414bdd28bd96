//! Every bound of this crate, with its unit last and what happens past it.

/// Nodes one condition may have. Past it the pack does not load.
pub const CONDITION_NODES_MAX: usize = 4_096;
/// How deep a condition may nest. Past it the pack does not load. Keeps the recursive parser, checker and
/// evaluators within a small part of any thread's stack.
pub const CONDITION_DEPTH_MAX: usize = 96;
/// Bytes of one condition. Past it the pack does not load.
pub const CONDITION_BYTES_MAX: usize = 16_384;
/// Rules of one pack. Past it the pack does not load.
pub const RULES_PER_PACK_MAX: usize = 4_096;
/// `velocity` call sites of one pack. Past it the pack does not load.
pub const WINDOWS_PER_PACK_MAX: usize = 16;
/// Keys of one `velocity` call. Past it the pack does not load.
pub const WINDOW_KEYS_MAX: usize = 8;
/// The longest window, in nanoseconds. Past it the pack does not load.
pub const WINDOW_NS_MAX: i64 = 366 * 24 * 3_600 * 1_000_000_000;
/// Different values that one window counts. Past it the rule that reads them errs, which denies.
pub const WINDOW_VALUES_MAX: usize = 65_536;
/// Files of one pack. Past it the pack does not load.
pub const PACK_FILES_MAX: usize = 256;
/// Bytes of all files of one pack together. Past it the pack does not load.
pub const PACK_BYTES_MAX: usize = 4_194_304;
/// Bytes of one pack's canonical archive. Past it it is not read.
pub const ARCHIVE_BYTES_MAX: usize = 2 * PACK_BYTES_MAX;
/// Leaves (scalar fields and lists) of one schema. Past it the pack does not load.
pub const SCHEMA_SLOTS_MAX: usize = 512;
/// How deep a schema may nest, references followed. Past it the pack does not load.
pub const SCHEMA_DEPTH_MAX: usize = 12;
/// Bytes of one document judged outside a book, such as a scanner's report. Past it it is not read.
pub const DOCUMENT_BYTES_MAX: usize = 67_108_864;
/// Nesting of a JSON document read by this crate. Past it it is refused.
pub const JSON_DEPTH_MAX: usize = 32;
/// Elements of one list inside a judged document: the weaknesses of a large image, the components of a large
/// bill of materials. Past it the document is denied as invalid. The memory of all lists has a bound of its own.
pub const LIST_ELEMENTS_MAX: usize = 20_000;
/// Fuel of one decision: nodes evaluated over all rules of all packs. Running out is a deny.
pub const FUEL_MAX: u64 = 1_000_000;
/// Bytes of string work that cost one unit of fuel beyond the node itself.
pub const FUEL_STRING_BYTES: usize = 32;
/// Bytes of the canonical file of one list. Past it it is not read.
pub const LIST_BYTES_MAX: usize = 268_435_456;
/// Entries of one list. Past it the list is refused.
pub const LIST_ENTRIES_MAX: usize = 4_000_000;
/// Bytes of one name or uid in a list. Past it the list is refused.
pub const LIST_NAME_BYTES_MAX: usize = 1_024;
/// Bytes of a name looked up by normalised matching. A longer one is an error, and so denied: cutting it
/// short could hide a match.
pub const LOOKUP_BYTES_MAX: usize = 4_096;
/// Problems reported for one pack. Further ones are counted, not shown.
pub const PROBLEMS_MAX: usize = 64;
/// Cases of one pack. Past it `tests/cases.yaml` does not load.
pub const CASES_MAX: usize = 10_000;
/// Elements of a list that an explanation shows. Further ones are counted, not shown.
pub const EXPLAINED_ELEMENTS_MAX: usize = 20;
/// Parts of one condition that an explanation evaluates. Further ones are left out.
pub const EXPLAINED_STEPS_MAX: usize = 20_000;
/// Bytes of texts and lists that explaining one condition keeps. Past it further parts are left out.
pub const EXPLAINED_BYTES_MAX: usize = 33_554_432;
/// Transfers before the judged one that a case may tell of. Past it `tests/cases.yaml` does not load.
pub const CASE_HISTORY_MAX: usize = 1_000;
/// Accounts whose balances one pack reads. Past it the pack does not load.
pub const ACCOUNTS_PER_PACK_MAX: usize = 16;
/// Bytes of one pattern of `matches`. Past it the pack does not load.
pub const PATTERN_BYTES_MAX: usize = 1_024;
/// Patterns of one pack. Past it the pack does not load.
pub const PATTERNS_PER_PACK_MAX: usize = 64;
/// Bytes of text searched for a pattern that cost one unit of fuel beyond the node itself.
pub const FUEL_PATTERN_BYTES: usize = 4;
/// Bytes of text and of list elements that one rule may make. Past it the rule errs, and so denies.
pub const MADE_BYTES_MAX: usize = 1_048_576;
/// What one element of a list that a rule makes counts towards [`MADE_BYTES_MAX`], in bytes.
pub const MADE_ELEMENT_BYTES: usize = 64;
/// Bytes a compiled regular expression may take. Past it the pack does not load.
pub const REGEX_BYTES_MAX: usize = 1_048_576;

const _: () = assert!(CONDITION_DEPTH_MAX < CONDITION_NODES_MAX);
const _: () = assert!(PACK_BYTES_MAX < ARCHIVE_BYTES_MAX);
const _: () = assert!(SCHEMA_DEPTH_MAX <= JSON_DEPTH_MAX);
