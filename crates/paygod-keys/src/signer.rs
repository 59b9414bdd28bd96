//! What a key is to the rest of the product.

use std::fmt;
use std::sync::Arc;

use paygod_tlog::{
    CosignatureVerifier, Cosigner, KeyError, KeyName, LogVerifier, ML_DSA_44_SIGNATURE_BYTES,
    NoteSigner, NoteVerifier, SignatureType, SignerError, VerifierKey,
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
    /// ML-DSA-44 (FIPS 204), pure and with an empty context, over the message itself. What cosigns the
    /// checkpoints of a hybrid book.
    MlDsa44,
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
            Self::MlDsa44 => Some(SignatureType::CosignatureMlDsa44),
            Self::Secp256k1 => None,
        }
    }

    /// Whether bytes have the length of such a public key.
    pub(crate) fn is_public_key(self, bytes: &[u8]) -> bool {
        let length = self.note_type().map_or(33, SignatureType::public_key_bytes);
        bytes.len() == length
    }

    /// Whether bytes have a length that a signature of such a key over a note can have.
    pub(crate) fn is_note_signature(self, bytes: &[u8]) -> bool {
        match self {
            Self::Ed25519 => bytes.len() == 64,
            Self::EcdsaP256 => bytes.len() <= P256_SIGNATURE_BYTES_MAX,
            Self::MlDsa44 => bytes.len() == ML_DSA_44_SIGNATURE_BYTES,
            Self::Secp256k1 => false,
        }
    }
}

/// A public key: its kind and its bytes.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PublicKey {
    /// The kind.
    pub algorithm: Algorithm,
    /// Ed25519: the 32 bytes of RFC 8032. ML-DSA-44: the 1312 bytes of FIPS 204. P-256: `SubjectPublicKeyInfo` in DER, the point uncompressed. Secp256k1: the 33 bytes
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

    /// Signs a message. Ed25519: 64 bytes. ML-DSA-44: 2420 bytes. P-256: in DER. Secp256k1: the message is the digest, the signature r ‖ s with a low
    /// s (BIP 146).
    ///
    /// # Errors
    /// The provider refused or could not be reached.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, ProviderError>;
}

/// What holds keys: a folder, a hardware module, a key service.
pub trait Provider: Send + Sync + fmt::Debug {
    /// Whether it keeps keys of this algorithm for books.
    fn makes(&self, algorithm: Algorithm) -> bool {
        matches!(algorithm, Algorithm::Ed25519 | Algorithm::EcdsaP256)
    }

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
        let verifier_key = named(name, &*signer)?;
        let verifier = LogVerifier::new(&verifier_key).map_err(unusable(&*signer))?;
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
            _ if key.kind() == SignatureType::CosignatureMlDsa44 => Algorithm::MlDsa44,
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
        Err(fault(not_its_own(&*self.signer)))
    }
}

/// A signer that cosigns checkpoints under a name: an ML-DSA-44 key of a log or witness, or an Ed25519 key of a
/// witness. An Ed25519 key that does must sign nothing else, for its cosignature does not cover its name.
#[derive(Debug)]
pub struct CosignerKey {
    signer: Arc<dyn Signer>,
    verifier_key: VerifierKey,
    verifier: CosignatureVerifier,
}

impl CosignerKey {
    /// Gives a key a name.
    ///
    /// # Errors
    /// The provider's public key is none, or of another kind.
    pub fn new(name: KeyName, signer: Arc<dyn Signer>) -> Result<Self, ProviderError> {
        let public = signer.public_key();
        let verifier_key = match public.algorithm {
            Algorithm::Ed25519 => {
                let kind = SignatureType::CosignatureEd25519;
                VerifierKey::new(name, kind, &public.bytes).map_err(unusable(&*signer))?
            }
            _ => named(name, &*signer)?,
        };
        let verifier = CosignatureVerifier::new(&verifier_key).map_err(unusable(&*signer))?;
        Ok(Self {
            signer,
            verifier_key,
            verifier,
        })
    }

    /// The public key of a cosigner's vkey, to find its signer by.
    ///
    /// # Errors
    /// It is no vkey of a cosigner.
    pub fn public_key_of(vkey: &str) -> Result<PublicKey, KeyError> {
        let key = VerifierKey::parse(vkey)?;
        let algorithm = match key.kind() {
            SignatureType::CosignatureEd25519 => Algorithm::Ed25519,
            SignatureType::CosignatureMlDsa44 => Algorithm::MlDsa44,
            other => {
                return Err(KeyError::Type {
                    found: other.byte(),
                });
            }
        };
        Ok(PublicKey {
            algorithm,
            bytes: key.public_key().to_vec(),
        })
    }
}

impl Cosigner for CosignerKey {
    fn verifier_key(&self) -> &VerifierKey {
        &self.verifier_key
    }

    fn sign_message(&self, message: &[u8]) -> Result<Vec<u8>, SignerError> {
        let fault = |reason: String| SignerError {
            name: self.verifier_key.name().clone(),
            reason,
        };
        let signed = self.signer.sign(message);
        let signature = signed.map_err(|error| fault(error.to_string()))?;
        if self.verifier.verify_bytes(message, &signature) {
            return Ok(signature);
        }
        Err(fault(not_its_own(&*self.signer)))
    }
}

/// A signer's public half under a name.
fn named(name: KeyName, signer: &dyn Signer) -> Result<VerifierKey, ProviderError> {
    let public = signer.public_key();
    let kind = public.algorithm.note_type().ok_or_else(|| ProviderError {
        provider: signer.key_id().to_owned(),
        reason: "a key that pays for anchors does not sign notes".to_owned(),
        code: code::KEYS_PROVIDER_FAULT,
        retry: false,
    })?;
    VerifierKey::new(name, kind, &public.bytes).map_err(unusable(signer))
}

fn unusable(signer: &dyn Signer) -> impl Fn(paygod_tlog::KeyError) -> ProviderError {
    let provider = signer.key_id().to_owned();
    move |error| ProviderError {
        provider: provider.clone(),
        reason: format!("the public key is not usable: {error}"),
        code: code::KEYS_PROVIDER_FAULT,
        retry: false,
    }
}

fn not_its_own(signer: &dyn Signer) -> String {
    let key = signer.key_id();
    format!("`{key}` returned a signature that is not its own over what it was given")
}
