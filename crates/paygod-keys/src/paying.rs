//! A key that pays for anchors, in a key file: ECDSA over secp256k1.
//!
//! It stays in memory while it is open, because it signs as often as there are anchors. What it can lose is the
//! money that lies at its address.

use std::fmt;
use std::path::Path;

use secp256k1::{Message, PublicKey as Point, Secp256k1, SecretKey, ecdsa};

use crate::file::{self, KeyFileError, SeedKind};
use crate::signer::{Algorithm, ProviderError, PublicKey, Signer};

/// Bytes of a digest that is signed.
pub(crate) const DIGEST_BYTES: usize = 32;

/// The two halves of a signature one after the other, with a low `s`, as Bitcoin and Ethereum demand it: modules
/// and services give either.
pub(crate) fn compact(mut signature: ecdsa::Signature) -> Vec<u8> {
    signature.normalize_s();
    signature.serialize_compact().to_vec()
}

/// A paying key of a file, opened.
pub struct PayingKeyFile {
    secret: SecretKey,
    public: PublicKey,
    key_id: String,
}

impl fmt::Debug for PayingKeyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PayingKeyFile({:?})", self.public)
    }
}

impl Drop for PayingKeyFile {
    fn drop(&mut self) {
        self.secret.non_secure_erase();
    }
}

impl PayingKeyFile {
    /// Makes a new key and its file, as [`file::create`] does.
    ///
    /// # Errors
    /// As [`file::create`].
    pub fn create(path: &Path, passphrase: &[u8]) -> Result<Self, KeyFileError> {
        let seed = file::create_seed(path, SeedKind::Secp256k1, passphrase)?;
        Self::new(path, &seed)
    }

    /// Opens a key file.
    ///
    /// # Errors
    /// As [`file::open`].
    pub fn open(path: &Path, passphrase: &[u8]) -> Result<Self, KeyFileError> {
        let seed = file::open_seed(path, SeedKind::Secp256k1, passphrase)?;
        Self::new(path, &seed)
    }

    fn new(path: &Path, seed: &[u8; 32]) -> Result<Self, KeyFileError> {
        // Of random bytes one in 2^128 is no key.
        let secret = SecretKey::from_slice(seed).map_err(|_| KeyFileError::Form {
            path: path.to_path_buf(),
            reason: "the number in it is no key on the curve",
        })?;
        let point = Point::from_secret_key(&Secp256k1::signing_only(), &secret);
        Ok(Self {
            secret,
            public: PublicKey {
                algorithm: Algorithm::Secp256k1,
                bytes: point.serialize().to_vec(),
            },
            key_id: path.display().to_string(),
        })
    }
}

impl Signer for PayingKeyFile {
    fn key_id(&self) -> &str {
        &self.key_id
    }

    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, ProviderError> {
        let digest = <[u8; DIGEST_BYTES]>::try_from(message).map_err(|_| ProviderError {
            provider: self.key_id.clone(),
            reason: "it signs digests of 32 bytes and nothing else".to_owned(),
            code: paygod_types::code::KEYS_PROVIDER_FAULT,
            retry: false,
        })?;
        // The nonce follows from key and digest (RFC 6979), and s is low.
        let signature =
            Secp256k1::signing_only().sign_ecdsa(&Message::from_digest(digest), &self.secret);
        Ok(signature.serialize_compact().to_vec())
    }
}
