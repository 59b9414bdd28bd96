//! Why bytes are not canonical, and where.
//!
//! INVARIANT(no-person): an error quotes no part of the document, which may hold a person's data.

use core::fmt;

use crate::code::{self, Code};

/// Why a document was refused, and at which byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CanonicalError {
    /// Offset of the byte at fault, from 0.
    pub offset: usize,
    /// What is wrong there.
    pub fault: Fault,
}

/// What can be wrong with a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// Longer than the limit.
    #[error("the document has {found} bytes, and at most {allowed} are allowed; shorten it")]
    TooLarge {
        /// Bytes found.
        found: usize,
        /// Bytes allowed.
        allowed: usize,
    },
    /// Nested deeper than the limit.
    #[error("arrays and objects nest deeper than {allowed}; flatten the document")]
    TooDeep {
        /// Depth allowed.
        allowed: usize,
    },
    /// The bytes are not UTF-8.
    #[error("the bytes are not UTF-8; send UTF-8")]
    NotUtf8,
    /// The document ends too early.
    #[error("the document ends where {expected} should stand; send the whole of it")]
    Ends {
        /// What should follow.
        expected: &'static str,
    },
    /// Another byte than JSON allows here.
    #[error("{expected} should stand here; correct the JSON")]
    Syntax {
        /// What should stand here.
        expected: &'static str,
    },
    /// White space between tokens.
    #[error("white space stands between tokens; remove it")]
    WhiteSpace,
    /// Something follows the document.
    #[error("something follows the end of the document; remove it")]
    Trailing,
    /// A key is out of order.
    #[error("a key is out of order; sort keys by their UTF-16 code units")]
    KeyOrder,
    /// A key stands twice in one object.
    #[error("a key stands twice in one object; keep one of the two")]
    DuplicateKey,
    /// A control character stands unescaped in a string.
    #[error("a control character stands unescaped in a string; escape it")]
    ControlCharacter,
    /// A backslash that begins no escape.
    #[error("a backslash begins no escape that JSON has; correct it")]
    Escape,
    /// An escape where the canonical form has the character itself, or another escape.
    #[error(
        "the character has another canonical spelling; escape only quotes, backslashes and controls"
    )]
    EscapeForm,
    /// A surrogate without its partner.
    #[error("a surrogate stands without its partner; write whole characters")]
    LoneSurrogate,
    /// A number in another spelling than ECMAScript's.
    #[error("the number has another canonical spelling; write it as ECMAScript does")]
    NumberForm,
    /// An integer beyond ±(2^53 − 1).
    #[error(
        "the number is not within 2^53-1 of zero and cannot be carried exactly; write it as a string"
    )]
    NumberRange,
    /// Another type of value than the reader asked for.
    #[error("{expected} was expected here; compare the document with its schema")]
    Shape {
        /// What was expected.
        expected: &'static str,
    },
}

impl CanonicalError {
    pub(crate) const fn new(offset: usize, fault: Fault) -> Self {
        Self { offset, fault }
    }

    /// The permanent code.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self.fault {
            Fault::TooLarge { .. } => code::CANONICAL_TOO_LARGE,
            Fault::TooDeep { .. } => code::CANONICAL_TOO_DEEP,
            Fault::NotUtf8 | Fault::LoneSurrogate => code::CANONICAL_ENCODING,
            Fault::Ends { .. }
            | Fault::Syntax { .. }
            | Fault::Trailing
            | Fault::ControlCharacter
            | Fault::Escape => code::CANONICAL_SYNTAX,
            Fault::WhiteSpace | Fault::KeyOrder | Fault::EscapeForm | Fault::NumberForm => {
                code::CANONICAL_FORM
            }
            Fault::DuplicateKey => code::CANONICAL_DUPLICATE_KEY,
            Fault::NumberRange => code::CANONICAL_NUMBER,
            Fault::Shape { .. } => code::CANONICAL_SHAPE,
        }
    }
}

impl fmt::Display for CanonicalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {}: {}", self.offset, self.fault)
    }
}

impl core::error::Error for CanonicalError {}
