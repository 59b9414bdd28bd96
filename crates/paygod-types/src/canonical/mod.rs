//! Canonical JSON: RFC 8785 (JCS) over I-JSON (RFC 7493).
//!
//! INVARIANT(canonical): every value that may be hashed has one spelling. [`check`] accepts
//! that spelling and nothing else, [`Writer`] emits it, [`Reader`] refuses any other as it reads, and
//! [`canonicalize`] turns other spellings into it.
//!
//! INVARIANT(exact-integers): an integer beyond 2^53 − 1 is refused in every spelling (`1e16`,
//! `9007199254740993.0`), so that two amounts never hash alike. RFC 8785 itself would round it to the
//! nearest double: [`Numbers::Rounded`] does so, for interoperability tests only.
//!
//! No function here panics on any input or recurses deeper than [`Limits::depth_max`].
//!
//! ```
//! use paygod_types::canonical::{Limits, Reader, Writer, canonicalize, check};
//!
//! let mut bytes = Vec::new();
//! canonicalize(br#"{ "seq": 7.0, "id": "pay-1" }"#, &Limits::ENTRY, &mut bytes)?;
//! assert_eq!(bytes, br#"{"id":"pay-1","seq":7}"#);
//! check(&bytes, &Limits::ENTRY)?;
//!
//! let mut reader = Reader::new(&bytes, &Limits::ENTRY)?;
//! reader.object_begin()?;
//! assert!(!reader.key_if("by")?);
//! reader.expect_key("id")?;
//! assert_eq!(reader.string()?, "pay-1");
//! reader.expect_key("seq")?;
//! assert_eq!(reader.u64()?, 7);
//! reader.object_end()?;
//! reader.finish()?;
//!
//! let mut written = Vec::new();
//! let mut writer = Writer::new(&mut written);
//! writer.begin_object();
//! writer.key("id");
//! writer.string("pay-1");
//! writer.key("seq");
//! writer.u64(7);
//! writer.end_object();
//! assert_eq!(written, bytes);
//! # Ok::<(), paygod_types::canonical::CanonicalError>(())
//! ```

mod canonicalizer;
mod error;
mod key;
mod number;
mod reader;
mod scan;
mod text;
mod writer;

pub use canonicalizer::canonicalize;
pub use error::{CanonicalError, Fault};
pub use number::write_number;
pub use reader::{Kind, Reader};
pub use scan::check;
pub use writer::Writer;

use crate::limits::{DEPTH_MAX, ENTRY_BYTES_MAX, REQUEST_BYTES_MAX};

/// Deepest nesting that any [`Limits`] can allow; deeper settings count as this one. It bounds the
/// stack.
pub const DEPTH_CEILING: usize = 128;

/// What becomes of integers that a double cannot tell apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Numbers {
    /// Refused, in every spelling. What all of Paygod Kernel uses.
    #[default]
    Exact,
    /// Rounded to the nearest double, to the letter of RFC 8785.
    Rounded,
}

/// Bounds on a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest document, in bytes.
    pub bytes_max: usize,
    /// Deepest nesting of arrays and objects, the outermost counted.
    pub depth_max: usize,
    /// What becomes of integers past 2^53 − 1.
    pub numbers: Numbers,
}

impl Limits {
    /// Bounds of an entry.
    pub const ENTRY: Self = Self {
        bytes_max: ENTRY_BYTES_MAX,
        depth_max: DEPTH_MAX,
        numbers: Numbers::Exact,
    };

    /// Bounds of a request document.
    pub const REQUEST: Self = Self {
        bytes_max: REQUEST_BYTES_MAX,
        depth_max: DEPTH_MAX,
        numbers: Numbers::Exact,
    };

    /// Bounds of a document of at most so many bytes.
    #[must_use]
    pub const fn bytes(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            depth_max: DEPTH_MAX,
            numbers: Numbers::Exact,
        }
    }

    pub(crate) const fn depth(&self) -> usize {
        if self.depth_max < DEPTH_CEILING {
            self.depth_max
        } else {
            DEPTH_CEILING
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::ENTRY
    }
}
