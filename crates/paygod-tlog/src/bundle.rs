//! Entry bundles (tlog-tiles): entries back to back, each after its length as a big-endian `u16`.
//! A full bundle holds 256 entries, a partial one 1 to 255.

use paygod_types::code::{self, Code};
use thiserror::Error;

use crate::limits::{BUNDLE_BYTES_MAX, ENTRY_BYTES_MAX};

/// Why bytes are not a bundle, or an entry does not fit into one.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum BundleError {
    /// The entry is longer than a `u16` can say.
    #[error("an entry has at most {ENTRY_BYTES_MAX} bytes, found {found}; split the request")]
    EntryTooLong {
        /// Bytes of the entry.
        found: usize,
    },
    /// The bundle is longer than 256 of the longest entries.
    #[error("a bundle has at most {BUNDLE_BYTES_MAX} bytes, found {found}; export the log again")]
    TooLong {
        /// Bytes of the bundle.
        found: usize,
    },
    /// The bundle ends inside an entry or its length.
    #[error(
        "the bundle ends inside entry {index}: {expected} bytes expected, {found} left; export the log again"
    )]
    Cut {
        /// Position of the entry in the bundle.
        index: u16,
        /// Bytes that the entry should have, or 2 for its length.
        expected: usize,
        /// Bytes left.
        found: usize,
    },
    /// The bundle holds another number of entries than its path says.
    #[error("the bundle should hold {expected} entries, found {found}; export the log again")]
    Count {
        /// Entries expected from the bundle's width.
        expected: u16,
        /// Entries found; one more than expected stands for any number above.
        found: u16,
    },
}

impl BundleError {
    /// The permanent code of this error.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::EntryTooLong { .. } => code::TLOG_ENTRY_TOO_LONG,
            Self::TooLong { .. } | Self::Cut { .. } | Self::Count { .. } => code::TLOG_BUNDLE,
        }
    }
}

/// Appends one entry to a bundle under construction.
///
/// # Errors
/// The entry is too long; nothing was appended.
pub fn append_entry(bundle: &mut Vec<u8>, entry: &[u8]) -> Result<(), BundleError> {
    let length =
        u16::try_from(entry.len()).map_err(|_| BundleError::EntryTooLong { found: entry.len() })?;
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(entry);
    Ok(())
}

/// Reads the entries of a bundle of known width, in order, without copying.
///
/// Yields exactly `width` entries, or an error after which it yields nothing more. Bytes after the
/// last entry are an error too, yielded in its place at the end.
#[derive(Clone, Debug)]
pub struct BundleReader<'a> {
    rest: &'a [u8],
    next: u16,
    width: u16,
    done: bool,
}

impl<'a> BundleReader<'a> {
    /// Opens a bundle that its path says holds `width` entries.
    ///
    /// # Errors
    /// The bundle is longer than any bundle can be.
    pub const fn new(bytes: &'a [u8], width: u16) -> Result<Self, BundleError> {
        if bytes.len() > BUNDLE_BYTES_MAX {
            return Err(BundleError::TooLong { found: bytes.len() });
        }
        Ok(Self {
            rest: bytes,
            next: 0,
            width,
            done: false,
        })
    }

    fn take_entry(&mut self) -> Result<&'a [u8], BundleError> {
        let index = self.next;
        let found = self.rest.len();
        let (length, rest) = self.rest.split_first_chunk::<2>().ok_or(BundleError::Cut {
            index,
            expected: 2,
            found,
        })?;
        let expected = usize::from(u16::from_be_bytes(*length));
        let found = rest.len();
        let (entry, rest) = rest.split_at_checked(expected).ok_or(BundleError::Cut {
            index,
            expected,
            found,
        })?;
        self.rest = rest;
        self.next += 1;
        Ok(entry)
    }
}

impl<'a> Iterator for BundleReader<'a> {
    type Item = Result<&'a [u8], BundleError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        if self.next == self.width {
            self.done = true;
            let found = self.width.saturating_add(1);
            let more = BundleError::Count {
                expected: self.width,
                found,
            };
            return (!self.rest.is_empty()).then_some(Err(more));
        }
        if self.rest.is_empty() {
            self.done = true;
            return Some(Err(BundleError::Count {
                expected: self.width,
                found: self.next,
            }));
        }
        let entry = self.take_entry();
        self.done = entry.is_err();
        Some(entry)
    }
}

/// Reads a whole bundle at once.
///
/// # Errors
/// As [`BundleReader`].
pub fn parse(bytes: &[u8], width: u16) -> Result<Vec<&[u8]>, BundleError> {
    BundleReader::new(bytes, width)?.collect()
}
