//! Identifiers: opaque, bounded texts that may stand in a sealed entry.
//!
//! INVARIANT(no-person): an identifier is a reference. The alphabet has no space and no
//! letters beyond ASCII, so a person's name does not pass for one by accident.
//!
//! An identifier stands in its own 64 bytes: it is copied without asking for memory or touching a
//! count that another processor holds.
//!
//! It does not check that what an identifier names exists.

use core::borrow::Borrow;
use core::fmt;
use core::str::FromStr;

use arrayvec::ArrayString;

use crate::code::{self, Code};
use crate::limits::ID_BYTES_MAX;

/// What begins the ids of requests that the sequencer makes by itself.
const RESERVED_PREFIX: &str = "paygod:";

/// Why a text is not an identifier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Empty, or longer than [`ID_BYTES_MAX`].
    #[error("an identifier has 1 to {allowed} characters, found {found}; shorten it", allowed = ID_BYTES_MAX)]
    Length {
        /// Bytes found.
        found: usize,
    },
    /// A character outside the alphabet. The text is not repeated: it may be a name, typed in the wrong field.
    #[error(
        "an identifier has letters, digits and `._:/+-` and begins with a letter or digit; replace the \
         character at byte {offset}, and if this is somebody's name, move it to a field for names"
    )]
    Syntax {
        /// Where the first such character stands.
        offset: usize,
    },
    /// A client's request id that begins with the reserved prefix.
    #[error("`{text}` begins with `paygod:`, which is reserved; choose another identifier")]
    Reserved {
        /// The text found.
        text: Box<str>,
    },
}

impl IdError {
    /// The permanent code.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Length { .. } => code::ID_LENGTH,
            Self::Syntax { .. } => code::ID_SYNTAX,
            Self::Reserved { .. } => code::ID_RESERVED,
        }
    }
}

fn check(text: &str) -> Result<ArrayString<ID_BYTES_MAX>, IdError> {
    let bytes = text.as_bytes();
    let length = || IdError::Length { found: bytes.len() };
    let held = ArrayString::from(text).map_err(|_| length())?;
    if held.is_empty() {
        return Err(length());
    }
    let refused = bytes.iter().enumerate().find(|(index, byte)| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' => false,
        b'.' | b'_' | b':' | b'/' | b'+' | b'-' => *index == 0,
        _ => true,
    });
    match refused {
        None => Ok(held),
        Some((offset, _)) => Err(IdError::Syntax { offset }),
    }
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(ArrayString<ID_BYTES_MAX>);

        impl $name {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::parse(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }
    )*};
}

macro_rules! plain_ids {
    ($($name:ident),*) => {$(
        impl $name {
            /// Reads an identifier: 1 to 64 characters of `A-Za-z0-9._:/+-`, the first a letter or digit.
            ///
            /// # Errors
            /// Another length or another character.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                check(text).map(Self)
            }
        }
    )*};
}

ids! {
    /// The name a client gives its request; the key of idempotency.
    RequestId;
    /// An account of the book.
    AccountId;
    /// Who makes, approves or rejects a request.
    ActorId;
    /// The name of a pack, a rule, a list, a window or an origin of one.
    Name;
}

plain_ids!(AccountId, ActorId, Name);

impl ActorId {
    /// Whether this is the same person: capitals and small letters make no other.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.as_str().eq_ignore_ascii_case(other.as_str())
    }
}

impl RequestId {
    /// Reads an id as a client may choose it.
    ///
    /// # Errors
    /// As every identifier, and when it begins with the reserved `paygod:`.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let id = Self::parse_any(text)?;
        if id.is_system() {
            return Err(IdError::Reserved { text: text.into() });
        }
        Ok(id)
    }

    /// Reads an id as it stands in an entry, a client's or the sequencer's.
    ///
    /// # Errors
    /// As every identifier.
    pub fn parse_any(text: &str) -> Result<Self, IdError> {
        check(text).map(Self)
    }

    /// Makes the sequencer's own id `paygod:<name>`.
    ///
    /// # Errors
    /// When the whole is not an identifier.
    pub fn system(name: &str) -> Result<Self, IdError> {
        let text = format!("{RESERVED_PREFIX}{name}");
        if name.is_empty() {
            return Err(IdError::Length { found: 0 });
        }
        Self::parse_any(&text)
    }

    /// Whether the sequencer made it.
    #[must_use]
    pub fn is_system(&self) -> bool {
        self.0.starts_with(RESERVED_PREFIX)
    }
}

/// The index of an entry in the log, from 0 (genesis).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seq(pub u64);

impl Seq {
    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The one after, or `None` past the last that JSON can carry exactly.
    #[must_use]
    pub const fn next(self) -> Option<Self> {
        if self.0 < crate::limits::INTEGER_MAX {
            Some(Self(self.0 + 1))
        } else {
            None
        }
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
