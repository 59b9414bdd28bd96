//! Operations: what makes one message of another.

use sha1::Digest as _;

use super::{MESSAGE_BYTES_MAX, OtsError};

/// An operation. Their order is that of the written form: by tag, then by argument.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Op {
    /// SHA-1 of the message, 20 bytes.
    Sha1,
    /// RIPEMD-160 of the message, 20 bytes.
    Ripemd160,
    /// SHA-256 of the message, 32 bytes.
    Sha256,
    /// Keccak-256 of the message, as Ethereum has it, 32 bytes.
    Keccak256,
    /// The message, then these bytes; 1 to [`MESSAGE_BYTES_MAX`].
    Append(Vec<u8>),
    /// These bytes, then the message; 1 to [`MESSAGE_BYTES_MAX`].
    Prepend(Vec<u8>),
    /// The message's bytes backwards.
    Reverse,
    /// The message in lower-case hexadecimal.
    Hexlify,
}

/// The hash that a file was digested with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileHash {
    /// SHA-1: collisions are known, so never for what we anchor.
    Sha1,
    /// RIPEMD-160.
    Ripemd160,
    /// SHA-256.
    Sha256,
}

impl FileHash {
    /// The tag in files.
    pub(super) const fn tag(self) -> u8 {
        match self {
            Self::Sha1 => 0x02,
            Self::Ripemd160 => 0x03,
            Self::Sha256 => 0x08,
        }
    }

    pub(super) const fn of_tag(tag: u8) -> Option<Self> {
        match tag {
            0x02 => Some(Self::Sha1),
            0x03 => Some(Self::Ripemd160),
            0x08 => Some(Self::Sha256),
            _ => None,
        }
    }

    /// Bytes of a digest.
    pub(super) const fn digest_bytes(self) -> usize {
        match self {
            Self::Sha1 | Self::Ripemd160 => 20,
            Self::Sha256 => 32,
        }
    }
}

impl Op {
    /// The tag in files.
    pub(super) const fn tag(&self) -> u8 {
        match self {
            Self::Sha1 => 0x02,
            Self::Ripemd160 => 0x03,
            Self::Sha256 => 0x08,
            Self::Keccak256 => 0x67,
            Self::Append(_) => 0xf0,
            Self::Prepend(_) => 0xf1,
            Self::Reverse => 0xf2,
            Self::Hexlify => 0xf3,
        }
    }

    /// Its argument, if it has one.
    #[must_use]
    pub fn argument(&self) -> Option<&[u8]> {
        match self {
            Self::Append(bytes) | Self::Prepend(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// What it makes of a message.
    ///
    /// # Errors
    /// The message or the result is empty or longer than [`MESSAGE_BYTES_MAX`].
    pub fn apply(&self, message: &[u8]) -> Result<Vec<u8>, OtsError> {
        check(message)?;
        if let Some(argument) = self.argument()
            && argument.is_empty()
        {
            return Err(OtsError::argument(0));
        }
        let result = match self {
            Self::Sha1 => sha1::Sha1::digest(message).to_vec(),
            Self::Ripemd160 => ripemd::Ripemd160::digest(message).to_vec(),
            Self::Sha256 => sha2::Sha256::digest(message).to_vec(),
            Self::Keccak256 => sha3::Keccak256::digest(message).to_vec(),
            Self::Append(suffix) => [message, suffix].concat(),
            Self::Prepend(prefix) => [prefix, message].concat(),
            Self::Reverse => message.iter().rev().copied().collect(),
            Self::Hexlify => {
                let mut digits = Vec::new();
                paygod_types::write_hex(message, &mut digits);
                digits
            }
        };
        check(&result)?;
        Ok(result)
    }
}

const fn check(message: &[u8]) -> Result<(), OtsError> {
    if message.is_empty() || message.len() > MESSAGE_BYTES_MAX {
        return Err(OtsError::message(message.len()));
    }
    Ok(())
}
