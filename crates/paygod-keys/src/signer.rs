//! What a key is to the rest of the product.

use std::fmt;
use std::sync::Arc;

use paygod_tlog::{
    Cosigner, KeyError, KeyName, LogVerifier, NoteSigner, NoteVerifier, SignatureType, SignerError,
    VerifierKey,
};
use paygod_types::{Code, code};

/// A kind of signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// Ed25519 (RFC 8032), over the message itself. What checkpoints need.
    Ed25519,
    /// ECDSA over secp256k1 (SEC 2, section 2.4.1), over a digest of 32 bytes that the caller made. What pays
    /// for anchors.
    Secp256k1,
    /// ECDSA over P-256 (FIPS 186-5) of the message's SHA-256. For logs of others' making: a book's own checkpoint
    /// keys are Ed25519.
    EcdsaP256,
}

/// Longest ECDSA signature of a P-256 key in DER, in bytes.
const P256_SIGNATURE_BYTES_MAX: usize = SignatureType::EcdsaP256.signature_bytes();

impl Algorithm {
    /// The type of note signature that such a key makes; `None` of one that pays for anchors.
    #[must_use]
    pub const fn note_type(self) -> Option<SignatureType> {
        match self {
            Self::Ed25519 => Some(SignatureType::Ed25519),
            Self::EcdsaP256 => Some(SignatureType::EcdsaP256),
            Self::Secp256k1 => None,
        }
    }

    /// Whether bytes have the length of such a public key, and are of a kind that key services keep.
    pub(crate) fn is_note_key(self, bytes: &[u8]) -> bool {
        self.note_type()
            .is_some_and(|kind| bytes.len() == kind.public_key_bytes())
    }

    /// Whether bytes have a length that a note signature of such a key can have.
    pub(crate) fn is_note_signature(self, bytes: &[u8]) -> bool {
        match self {
            Self::Ed25519 => bytes.len() == 64,
            Self::EcdsaP256 => bytes.len() <= P256_SIGNATURE_BYTES_MAX,
            Self::Secp256k1 => false,
        }
    }
}

/// A public key: its kind and its bytes.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PublicKey {
    /// The kind.
    pub algorithm: Algorithm,
    /// Ed25519: the 32 bytes of RFC 8032. P-256: `SubjectPublicKeyInfo` in DER, the point uncompressed. Secp256k1: the 33 bytes
    /// of the compressed point (SEC 1, section 2.3.3).
    pub bytes: Vec<u8>,
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut hex = Vec::new();
        paygod_types::write_hex(&self.bytes, &mut hex);
        write!(f, "{:?}:{}", self.algorithm, String::from_utf8_lossy(&hex))
    }
}

/// A provider could not do what was asked. Never holds a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the keys in {provider}: {reason}")]
pub struct ProviderError {
    /// Which provider, as an operator knows it.
    pub provider: String,
    /// What happened, and what to do about it.
    pub reason: String,
    /// The permanent code.
    pub code: Code,
    /// Whether the same call can succeed later without anybody's doing.
    pub retry: bool,
}

impl ProviderError {
    /// The permanent code.
    #[must_use]
    pub const fn code(&self) -> Code {
        self.code
    }
}

/// One private key, wherever it is.
pub trait Signer: Send + Sync + fmt::Debug {
    /// The provider's own name of the key, its version included.
    fn key_id(&self) -> &str;

    /// The public half.
    fn public_key(&self) -> &PublicKey;

    /// Signs a message. Ed25519: 64 bytes. P-256: in DER. Secp256k1: the message is the digest, the signature r ‖ s with a low
    /// s (BIP 146).
    ///
    /// # Errors
    /// The provider refused or could not be reached.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, ProviderError>;
}

/// What holds keys: a folder, a hardware module, a key service.
pub trait Provider: Send + Sync + fmt::Debug {
    /// Finds the one private key of a public key.
    ///
    /// # Errors
    /// There is none, there are several, or the provider could not be reached.
    fn find(&self, public: &PublicKey) -> Result<Arc<dyn Signer>, ProviderError>;

    /// Finds the one key of an algorithm that there is.
    ///
    /// # Errors
    /// There is none, there are several, or the provider could not be reached or knows no such algorithm.
    fn sole(&self, algorithm: Algorithm) -> Result<Arc<dyn Signer>, ProviderError> {
        Err(ProviderError {
            provider: "a key service".to_owned(),
            reason: format!(
                "it keeps no single key of {algorithm:?}; name a key file or a hardware module"
            ),
            code: code::KEYS_PROVIDER_FAULT,
            retry: false,
        })
    }

    /// Makes a new key, whose private half never leaves the provider.
    ///
    /// # Errors
    /// The provider refused or could not be reached.
    fn create(&self, algorithm: Algorithm) -> Result<Arc<dyn Signer>, ProviderError>;

    /// Makes a key that was replaced unable to sign ever again. A key that is gone already is fine.
    ///
    /// # Errors
    /// The provider refused or could not be reached.
    fn retire(&self, public: &PublicKey) -> Result<(), ProviderError>;

    /// Whether keys are out of reach of whoever reads this machine's disk.
    fn is_for_production(&self) -> bool;
}

/// A signer under a log's name: signs its checkpoints and key changes.
#[derive(Debug)]
pub struct NoteKey {
    signer: Arc<dyn Signer>,
    verifier_key: VerifierKey,
    verifier: LogVerifier,
}

impl NoteKey {
    /// Gives a key a name.
    ///
    /// # Errors
    /// The provider's public key is none.
    pub fn new(name: KeyName, signer: Arc<dyn Signer>) -> Result<Self, ProviderError> {
        let refuse = |error: paygod_tlog::KeyError| ProviderError {
            provider: signer.key_id().to_owned(),
            reason: format!("the public key is not usable: {error}"),
            code: code::KEYS_PROVIDER_FAULT,
            retry: false,
        };
        let public = signer.public_key();
        let kind = public.algorithm.note_type().ok_or_else(|| ProviderError {
            provider: signer.key_id().to_owned(),
            reason: "a key that pays for anchors does not sign notes".to_owned(),
            code: code::KEYS_PROVIDER_FAULT,
            retry: false,
        })?;
        let verifier_key = VerifierKey::new(name, kind, &public.bytes).map_err(refuse)?;
        let verifier = LogVerifier::new(&verifier_key).map_err(refuse)?;
        Ok(Self {
            signer,
            verifier_key,
            verifier,
        })
    }

    /// The public key of a vkey, to find its signer by.
    ///
    /// # Errors
    /// It is no vkey of an [`Algorithm`].
    pub fn public_key_of(vkey: &str) -> Result<PublicKey, paygod_tlog::KeyError> {
        let key = VerifierKey::parse(vkey)?;
        let algorithm = match LogVerifier::new(&key)? {
            LogVerifier::Note(_) => Algorithm::Ed25519,
            LogVerifier::Ecdsa(_) => Algorithm::EcdsaP256,
            _ => {
                return Err(paygod_tlog::KeyError::Type {
                    found: key.kind().byte(),
                });
            }
        };
        Ok(PublicKey {
            algorithm,
            bytes: key.public_key().to_vec(),
        })
    }

    /// The provider's own name of the key.
    #[must_use]
    pub fn key_id(&self) -> &str {
        self.signer.key_id()
    }
}

impl NoteSigner for NoteKey {
    fn verifier_key(&self) -> &VerifierKey {
        &self.verifier_key
    }

    fn sign(&self, text: &str) -> Result<Vec<u8>, SignerError> {
        let fault = |reason: String| SignerError {
            name: self.verifier_key.name().clone(),
            reason,
        };
        let signature = self
            .signer
            .sign(text.as_bytes())
            .map_err(|error| fault(error.to_string()))?;
        if self.verifier.verify(text, &signature) {
            return Ok(signature);
        }
        let key = self.signer.key_id();
        Err(fault(format!(
            "`{key}` returned a signature that is not its own over what it was given"
        )))
    }
}

/// A signer under a witness's name: cosigns checkpoints of others' logs. Its key must sign nothing else, for an
/// Ed25519 cosignature does not cover the cosigner's name.
#[derive(Debug)]
pub struct WitnessKey {
    signer: Arc<dyn Signer>,
    verifier_key: VerifierKey,
}

impl WitnessKey {
    /// Gives a key a witness's name.
    ///
    /// # Errors
    /// It is no Ed25519 key.
    pub fn new(name: KeyName, signer: Arc<dyn Signer>) -> Result<Self, KeyError> {
        let bytes = &signer.public_key().bytes;
        let verifier_key = VerifierKey::new(name, SignatureType::CosignatureEd25519, bytes)?;
        Ok(Self {
            signer,
            verifier_key,
        })
    }

    /// The public key of a witness's vkey, to find its signer by.
    ///
    /// # Errors
    /// It is no vkey of an Ed25519 cosigner.
    pub fn public_key_of(vkey: &str) -> Result<PublicKey, KeyError> {
        let key = VerifierKey::parse(vkey)?;
        match key.kind() {
            SignatureType::CosignatureEd25519 => Ok(PublicKey {
                algorithm: Algorithm::Ed25519,
                bytes: key.public_key().to_vec(),
            }),
            other => Err(KeyError::Type {
                found: other.byte(),
            }),
        }
    }
}

impl Cosigner for WitnessKey {
    fn verifier_key(&self) -> &VerifierKey {
        &self.verifier_key
    }

    /// What the provider returns is verified by [`paygod_tlog::cosign`].
    fn sign_message(&self, message: &[u8]) -> Result<Vec<u8>, SignerError> {
        self.signer.sign(message).map_err(|error| SignerError {
            name: self.verifier_key.name().clone(),
            reason: error.to_string(),
        })
    }
}
