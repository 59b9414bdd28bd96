//! Keys of signed notes: names, ids, verifier keys ("vkeys"), and the traits through which notes
//! are verified and signed.
//!
//! Ed25519 (type `0x01`) is verified here, strictly: small-order keys and malleable signatures are
//! refused. ECDSA (`0x02`) is parsed and named here, and verified by [`crate::ecdsa`]; the cosignature types `0x04`
//! and `0x06` by [`crate::cosignature`].

use core::fmt;
use std::sync::Arc;

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use paygod_types::code::{self, Code};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::limits::{KEY_NAME_BYTES_MAX, VERIFIER_KEY_BYTES_MAX};
use crate::text::{base64_decode, base64_encode, excerpt};

/// The name of a key: not empty, no Unicode spaces, no `+`, no control characters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct KeyName(Arc<str>);

/// The short id of a key, unique together with its name. An identifier, not a strong hash.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; 4]);

/// Bytes of an ML-DSA-44 signature (FIPS 204, section 4).
pub const ML_DSA_44_SIGNATURE_BYTES: usize = 2_420;

/// Signature types of signed-note that Paygod Kernel knows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum SignatureType {
    /// `0x01`: Ed25519 over the note's text.
    Ed25519,
    /// `0x02`: ECDSA over P-256, of the SHA-256 of the note's text.
    EcdsaP256,
    /// `0x04`: timestamped Ed25519 cosignature of a checkpoint.
    CosignatureEd25519,
    /// `0x06`: timestamped ML-DSA-44 cosignature of a checkpoint.
    CosignatureMlDsa44,
}

/// A verifier key: name, id, type and public key. The id always follows from the other three.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct VerifierKey {
    name: KeyName,
    id: KeyId,
    kind: SignatureType,
    public_key: Vec<u8>,
}

/// Why a key was refused.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum KeyError {
    /// The name breaks the rules of signed-note.
    #[error(
        "`{name}` is no key name; use 1 to {KEY_NAME_BYTES_MAX} bytes without spaces, `+` or control characters"
    )]
    Name {
        /// The start of what was given.
        name: String,
    },
    /// The text has not the three parts of a verifier key.
    #[error("`{text}` is no verifier key; it reads `<name>+<8 hexadecimal digits>+<base64>`")]
    Format {
        /// The start of what was given.
        text: String,
    },
    /// The id in the text is not the one of the key.
    #[error("verifier key `{name}` says id {found} but its key has {expected}; copy the key again")]
    Id {
        /// The key's name.
        name: KeyName,
        /// The id that follows from name, type and key.
        expected: KeyId,
        /// The id in the text.
        found: KeyId,
    },
    /// The signature type is not one we know.
    #[error("signature type {found:#04x} is not supported; use an Ed25519 key (0x01)")]
    Type {
        /// The type byte.
        found: u8,
    },
    /// The key is not one that cosigns.
    #[error("key `{name}` is of no cosigner; use a key of type 0x04 (Ed25519) or 0x06 (ML-DSA-44)")]
    NoCosigner {
        /// The key's name.
        name: KeyName,
    },
    /// The public key has the wrong length for its type.
    #[error("a public key of this type has {expected} bytes, found {found}; copy the key again")]
    Length {
        /// Bytes of such a key.
        expected: usize,
        /// Bytes given.
        found: usize,
    },
    /// The bytes are no point of the curve, or one of small order.
    #[error("key `{name}` is no usable Ed25519 public key; make another key")]
    Point {
        /// The key's name.
        name: KeyName,
    },
}

impl KeyError {
    /// The permanent code of this error.
    #[must_use]
    pub const fn code(&self) -> Code {
        code::TLOG_KEY
    }
}

impl KeyName {
    /// Checks a key name.
    ///
    /// # Errors
    /// It is empty or too long, or holds a space, `+` or a control character.
    pub fn parse(name: &str) -> Result<Self, KeyError> {
        let allowed = |c: char| !c.is_whitespace() && c != '+' && c >= ' ';
        if name.is_empty() || name.len() > KEY_NAME_BYTES_MAX || !name.chars().all(allowed) {
            return Err(KeyError::Name {
                name: excerpt(name),
            });
        }
        Ok(Self(name.into()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl KeyId {
    /// The id of a key: `SHA-256(name ‖ 0x0A ‖ type ‖ public key)[:4]`; of ECDSA, `SHA-256(public key)[:4]`.
    #[must_use]
    pub fn compute(name: &KeyName, kind: SignatureType, public_key: &[u8]) -> Self {
        let mut hasher = Sha256::new();
        if kind != SignatureType::EcdsaP256 {
            hasher.update(name.as_str());
            hasher.update([b'\n', kind.byte()]);
        }
        hasher.update(public_key);
        let digest: [u8; 32] = hasher.finalize().into();
        let [a, b, c, d, ..] = digest;
        Self([a, b, c, d])
    }

    /// Wraps the four bytes of an id, big-endian.
    #[must_use]
    pub const fn new(bytes: [u8; 4]) -> Self {
        Self(bytes)
    }

    /// The four bytes, big-endian.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 4] {
        self.0
    }

    /// Reads eight lower-case hexadecimal digits.
    fn from_hex(text: &str) -> Option<Self> {
        let lower_hex = |digit: u8| matches!(digit, b'0'..=b'9' | b'a'..=b'f');
        if text.len() != 8 || !text.bytes().all(lower_hex) {
            return None;
        }
        u32::from_str_radix(text, 16)
            .ok()
            .map(|id| Self(id.to_be_bytes()))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

impl SignatureType {
    /// The type's byte in key ids and verifier keys.
    #[must_use]
    pub const fn byte(self) -> u8 {
        match self {
            Self::Ed25519 => 0x01,
            Self::EcdsaP256 => 0x02,
            Self::CosignatureEd25519 => 0x04,
            Self::CosignatureMlDsa44 => 0x06,
        }
    }

    /// Bytes of a public key of this type.
    #[must_use]
    pub const fn public_key_bytes(self) -> usize {
        match self {
            Self::Ed25519 | Self::CosignatureEd25519 => 32,
            Self::EcdsaP256 => 91,
            Self::CosignatureMlDsa44 => 1_312,
        }
    }

    /// Bytes of a signature of this type in a note, after the key id, and of ECDSA at most; the cosignature
    /// types begin with an 8-byte timestamp.
    #[must_use]
    pub const fn signature_bytes(self) -> usize {
        match self {
            Self::Ed25519 => 64,
            Self::EcdsaP256 => 72,
            Self::CosignatureEd25519 => 8 + 64,
            Self::CosignatureMlDsa44 => 8 + ML_DSA_44_SIGNATURE_BYTES,
        }
    }

    /// The type of a byte.
    ///
    /// # Errors
    /// The type is not one we know.
    pub const fn from_byte(byte: u8) -> Result<Self, KeyError> {
        match byte {
            0x01 => Ok(Self::Ed25519),
            0x02 => Ok(Self::EcdsaP256),
            0x04 => Ok(Self::CosignatureEd25519),
            0x06 => Ok(Self::CosignatureMlDsa44),
            found => Err(KeyError::Type { found }),
        }
    }
}

impl VerifierKey {
    /// Puts a verifier key together and computes its id.
    ///
    /// # Errors
    /// The public key has the wrong length for its type.
    pub fn new(name: KeyName, kind: SignatureType, public_key: &[u8]) -> Result<Self, KeyError> {
        let expected = kind.public_key_bytes();
        if public_key.len() != expected {
            return Err(KeyError::Length {
                expected,
                found: public_key.len(),
            });
        }
        let id = KeyId::compute(&name, kind, public_key);
        Ok(Self {
            name,
            id,
            kind,
            public_key: public_key.to_vec(),
        })
    }

    /// Reads the text of a verifier key, `<name>+<id>+<base64>`.
    ///
    /// # Errors
    /// The text has another form, its type is unknown, or its id is not the key's.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let refuse = || KeyError::Format {
            text: excerpt(text),
        };
        if text.len() > VERIFIER_KEY_BYTES_MAX {
            return Err(refuse());
        }
        // Neither name nor id may hold a `+`, the base64 may.
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(refuse());
        };
        let name = KeyName::parse(name)?;
        let found = KeyId::from_hex(id).ok_or_else(refuse)?;
        let key = base64_decode(key).ok_or_else(refuse)?;
        let (kind, public_key) = key.split_first().ok_or_else(refuse)?;
        let parsed = Self::new(name, SignatureType::from_byte(*kind)?, public_key)?;
        if parsed.id != found {
            return Err(KeyError::Id {
                name: parsed.name,
                expected: parsed.id,
                found,
            });
        }
        Ok(parsed)
    }

    /// The key's name.
    #[must_use]
    pub const fn name(&self) -> &KeyName {
        &self.name
    }

    /// The key's id.
    #[must_use]
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// The type of its signatures.
    #[must_use]
    pub const fn kind(&self) -> SignatureType {
        self.kind
    }

    /// The public key's bytes.
    #[must_use]
    pub fn public_key(&self) -> &[u8] {
        &self.public_key
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut key = vec![self.kind.byte()];
        key.extend_from_slice(&self.public_key);
        write!(f, "{}+{}+{}", self.name, self.id, base64_encode(&key))
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifierKey({self})")
    }
}

/// Checks signatures of one key.
pub trait NoteVerifier {
    /// The name in its signature lines.
    fn name(&self) -> &KeyName;

    /// The id in its signature lines.
    fn id(&self) -> KeyId;

    /// True when `signature` (without the key id) is this key's over the note's `text`.
    fn verify(&self, text: &str, signature: &[u8]) -> bool;
}

/// Why a signer did not sign. What the provider said goes into `reason`, never a secret.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("key `{name}` did not sign: {reason}; see that its provider is up and try again")]
pub struct SignerError {
    /// The key's name.
    pub name: KeyName,
    /// What the provider answered.
    pub reason: String,
}

impl SignerError {
    /// The permanent code of this error.
    #[must_use]
    pub const fn code(&self) -> Code {
        code::TLOG_SIGNER
    }
}

/// Makes signatures of one key: in memory, in an HSM, behind a KMS.
pub trait NoteSigner {
    /// The public half, with name and id.
    fn verifier_key(&self) -> &VerifierKey;

    /// The signature over the note's `text`, without the key id.
    ///
    /// # Errors
    /// The provider refused or could not be reached.
    fn sign(&self, text: &str) -> Result<Vec<u8>, SignerError>;
}

/// Verifies Ed25519 note signatures (type `0x01`), strictly.
#[derive(Clone, Debug)]
pub struct Ed25519Verifier {
    name: KeyName,
    id: KeyId,
    key: VerifyingKey,
}

impl Ed25519Verifier {
    /// Prepares a verifier of an Ed25519 key.
    ///
    /// # Errors
    /// The key is of another type, no point of the curve, or of small order.
    pub fn new(key: &VerifierKey) -> Result<Self, KeyError> {
        if key.kind != SignatureType::Ed25519 {
            return Err(KeyError::Type {
                found: key.kind.byte(),
            });
        }
        let refuse = || KeyError::Point {
            name: key.name.clone(),
        };
        let found = key.public_key.len();
        let bytes: &[u8; 32] =
            key.public_key
                .as_slice()
                .try_into()
                .map_err(|_| KeyError::Length {
                    expected: 32,
                    found,
                })?;
        let point = VerifyingKey::from_bytes(bytes).map_err(|_| refuse())?;
        // RFC 8032 section 5.1.3 refuses a coordinate past the field's prime: one spelling a key.
        if point.is_weak() || point.to_edwards().compress().to_bytes() != *bytes {
            return Err(refuse());
        }
        Ok(Self {
            name: key.name.clone(),
            id: key.id,
            key: point,
        })
    }

    /// True when `signature` is this key's over any message, not only a note: key rotations are
    /// signed this way.
    #[must_use]
    pub fn verify_bytes(&self, message: &[u8], signature: &[u8]) -> bool {
        Signature::from_slice(signature)
            .is_ok_and(|signature| self.key.verify_strict(message, &signature).is_ok())
    }
}

impl NoteVerifier for Ed25519Verifier {
    fn name(&self) -> &KeyName {
        &self.name
    }

    fn id(&self) -> KeyId {
        self.id
    }

    fn verify(&self, text: &str, signature: &[u8]) -> bool {
        self.verify_bytes(text.as_bytes(), signature)
    }
}

/// An Ed25519 key in memory, for development and tests. Wiped when dropped.
pub struct Ed25519Signer {
    key: SigningKey,
    verifier_key: VerifierKey,
}

impl Ed25519Signer {
    /// Makes the signer of a 32-byte seed (RFC 8032's private key).
    #[must_use]
    pub fn new(name: KeyName, seed: &[u8; 32]) -> Self {
        let key = SigningKey::from_bytes(seed);
        let kind = SignatureType::Ed25519;
        let public_key = key.verifying_key().to_bytes();
        let id = KeyId::compute(&name, kind, &public_key);
        let verifier_key = VerifierKey {
            name,
            id,
            kind,
            public_key: public_key.to_vec(),
        };
        Self { key, verifier_key }
    }

    /// Signs any message, not only a note: key rotations are signed this way.
    #[must_use]
    pub fn sign_bytes(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message).to_bytes()
    }
}

impl NoteSigner for Ed25519Signer {
    fn verifier_key(&self) -> &VerifierKey {
        &self.verifier_key
    }

    fn sign(&self, text: &str) -> Result<Vec<u8>, SignerError> {
        Ok(self.sign_bytes(text.as_bytes()).to_vec())
    }
}

impl fmt::Debug for Ed25519Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ed25519Signer({})", self.verifier_key)
    }
}
