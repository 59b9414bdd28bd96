//! SHA-256 digests, and the lower-case hexadecimal they are spelled in.
//!
//! It does not say what was hashed: whoever hashes names the domain and the byte order.

use core::fmt;
use core::str::FromStr;

use sha2::{Digest as _, Sha256};

use crate::code::{self, Code};

/// A SHA-256 digest. Its text is 64 lower-case hexadecimal digits; its order is that of its bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of `bytes`.
    #[must_use]
    pub fn sha256(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// A digest computed elsewhere.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first 16 bytes, where a name need not be longer.
    #[must_use]
    pub fn first_half(&self) -> [u8; 16] {
        let mut half = [0; 16];
        for (to, from) in half.iter_mut().zip(&self.0) {
            *to = *from;
        }
        half
    }

    /// Reads 64 lower-case hexadecimal digits.
    ///
    /// # Errors
    /// Anything else, upper-case digits included: a digest has one spelling.
    pub fn parse(text: &str) -> Result<Self, DigestError> {
        parse_hex(text).map(Self)
    }

    /// Appends the 64 digits to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        write_hex(&self.0, out);
    }
}

/// What [`nibble`] makes of anything else: a bit that no digit has.
const NOT_A_DIGIT: u8 = 0x80;

/// The value of a lower-case hexadecimal digit. Without branches, so that a whole digest is read at
/// once.
const fn nibble(digit: u8) -> u8 {
    let (decimal, letter) = (digit.wrapping_sub(b'0'), digit.wrapping_sub(b'a'));
    if decimal < 10 {
        decimal
    } else if letter < 6 {
        letter + 10
    } else {
        NOT_A_DIGIT
    }
}

const fn hex_digit(nibble: u8) -> u8 {
    if nibble < 10 {
        b'0' + nibble
    } else {
        b'a' + (nibble & 0x0f) - 10
    }
}

/// Appends `bytes` as lower-case hexadecimal.
pub fn write_hex(bytes: &[u8], out: &mut Vec<u8>) {
    for chunk in bytes.chunks(32) {
        let mut digits = [[0_u8; 2]; 32];
        for (pair, byte) in digits.iter_mut().zip(chunk) {
            *pair = [hex_digit(byte >> 4), hex_digit(byte & 0x0f)];
        }
        let digits = digits.as_flattened();
        out.extend_from_slice(digits.get(..2 * chunk.len()).unwrap_or_default());
    }
}

/// Reads exactly `N` bytes of lower-case hexadecimal.
///
/// # Errors
/// Another length, or another digit; upper case has no meaning here, so that bytes have one spelling.
pub fn parse_hex<const N: usize>(text: &str) -> Result<[u8; N], DigestError> {
    let mut bytes = [0_u8; N];
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return Err(DigestError::Length {
            found: text.len(),
            allowed: N.saturating_mul(2),
        });
    }
    let mut seen = 0_u8;
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        let (high, low) = (nibble(*high), nibble(*low));
        seen |= high | low;
        *byte = (high << 4) | low;
    }
    if seen & NOT_A_DIGIT != 0 {
        let offset = text.bytes().position(|digit| nibble(digit) == NOT_A_DIGIT);
        return Err(DigestError::Digit {
            offset: offset.unwrap_or_default(),
        });
    }
    Ok(bytes)
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        Self::parse(text)
    }
}

impl From<[u8; 32]> for Digest {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl AsRef<[u8]> for Digest {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0 {
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// Why a text is not a digest, or not the hexadecimal of so many bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// Another number of characters.
    #[error(
        "{allowed} hexadecimal digits should stand here, found {found} bytes; write all of them"
    )]
    Length {
        /// Bytes found.
        found: usize,
        /// Digits that should be there.
        allowed: usize,
    },
    /// A character is not a lower-case hexadecimal digit.
    #[error(
        "only the digits `0-9a-f` may stand here, found another at byte {offset}; use lower case"
    )]
    Digit {
        /// Where it stands.
        offset: usize,
    },
}

impl DigestError {
    /// The permanent code.
    #[must_use]
    pub const fn code(&self) -> Code {
        code::DIGEST_SYNTAX
    }
}
