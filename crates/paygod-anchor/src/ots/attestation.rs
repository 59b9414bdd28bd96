//! Attestations: who says that a message existed, and where to look for it.

use core::cmp::Ordering;
use core::fmt;
use std::sync::Arc;

use super::{OtsError, URI_BYTES_MAX};

/// Bytes of an attestation's tag.
pub(super) const TAG_BYTES: usize = 8;

/// The tag of [`Attestation::Pending`].
pub(super) const PENDING: [u8; TAG_BYTES] = [0x83, 0xdf, 0xe3, 0x0d, 0x2e, 0xf9, 0x0c, 0x8e];

/// The tag of [`Attestation::Bitcoin`].
pub(super) const BITCOIN: [u8; TAG_BYTES] = [0x05, 0x88, 0x96, 0x0d, 0x73, 0xd7, 0x19, 0x01];

/// Somebody's word that a message existed. It proves nothing until it is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attestation {
    /// The message is the merkle root in the header of the Bitcoin block of this height.
    Bitcoin {
        /// The height.
        height: u64,
    },
    /// A calendar took the message and promises more later.
    Pending(CalendarUri),
    /// Of a kind not known here: kept as it is, and proves nothing.
    Unknown(UnknownTag, Vec<u8>),
}

/// The tag of a kind of attestation that is not known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownTag([u8; TAG_BYTES]);

impl UnknownTag {
    /// `None` for the tag of a kind that is known: it would have two spellings.
    #[must_use]
    pub fn new(tag: [u8; TAG_BYTES]) -> Option<Self> {
        (tag != PENDING && tag != BITCOIN).then_some(Self(tag))
    }
}

/// In lower-case hexadecimal.
impl fmt::Display for UnknownTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Attestation {
    pub(super) const fn tag(&self) -> [u8; TAG_BYTES] {
        match self {
            Self::Bitcoin { .. } => BITCOIN,
            Self::Pending(_) => PENDING,
            Self::Unknown(tag, _) => tag.0,
        }
    }
}

/// By tag, then by content: the order of the written form.
impl Ord for Attestation {
    fn cmp(&self, other: &Self) -> Ordering {
        self.tag()
            .cmp(&other.tag())
            .then_with(|| match (self, other) {
                (Self::Bitcoin { height: one }, Self::Bitcoin { height: two }) => one.cmp(two),
                (Self::Pending(one), Self::Pending(two)) => one.cmp(two),
                (Self::Unknown(_, one), Self::Unknown(_, two)) => one.cmp(two),
                _ => Ordering::Equal,
            })
    }
}

impl PartialOrd for Attestation {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The address of a calendar, in the few characters that the format allows: no query, no fragment, no
/// credentials, no percent signs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CalendarUri(Arc<str>);

impl CalendarUri {
    /// Takes an address.
    ///
    /// # Errors
    /// It is longer than [`URI_BYTES_MAX`] or has a character that is not allowed.
    pub fn new(text: &str) -> Result<Self, OtsError> {
        if text.len() > URI_BYTES_MAX {
            return Err(OtsError::uri(u64::try_from(text.len()).unwrap_or(u64::MAX)));
        }
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._/:".contains(&byte);
        if !text.bytes().all(allowed) {
            return Err(OtsError::Uri);
        }
        Ok(Self(text.into()))
    }

    /// The address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CalendarUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
