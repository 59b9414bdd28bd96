//! Cosignatures (C2SP tlog-cosignature): what a witness, or a log itself, says about a checkpoint at a time.
//!
//! Two types: Ed25519 over `cosignature/v1`, the time and the note's text (`0x04`), and ML-DSA-44 over a
//! `cosigned_message` of origin, size and root (`0x06`). Only whole trees are cosigned here, from leaf 0.
//!
//! Times are POSIX seconds and come from the caller. ML-DSA signing is the deterministic variant of
//! FIPS 204, so this crate draws no randomness.

use core::fmt;

use ml_dsa::signature::{Keypair as _, Signer as _, Verifier as _};
use ml_dsa::{EncodedVerifyingKey, MlDsa44};
use paygod_types::code::{self, Code};
use thiserror::Error;

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::ecdsa::EcdsaP256Verifier;
use crate::key::{
    Ed25519Signer, Ed25519Verifier, KeyError, KeyId, KeyName, NoteSigner as _, NoteVerifier,
    SignatureType, SignerError, VerifierKey,
};
use crate::limits::COSIGNATURE_TIME_MAX;
use crate::note::NoteSignature;

/// How a cosigned message of ML-DSA begins: its domain.
const SUBTREE_LABEL: &[u8; 12] = b"subtree/v1\n\0";

/// Bytes of the time in front of a signature.
const TIME_BYTES: usize = 8;

/// Verifies the cosignatures of one key.
#[derive(Clone, Debug)]
pub struct CosignatureVerifier {
    key: VerifierKey,
    public: Public,
}

#[derive(Clone)]
enum Public {
    Ed25519(Box<Ed25519Verifier>),
    MlDsa44(Box<ml_dsa::VerifyingKey<MlDsa44>>),
}

impl fmt::Debug for Public {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ed25519(_) => "Ed25519",
            Self::MlDsa44(_) => "MlDsa44",
        })
    }
}

impl CosignatureVerifier {
    /// Prepares a verifier of a cosigner's key, of type `0x04` or `0x06`.
    ///
    /// # Errors
    /// The key is of another type, or no usable key of its type.
    pub fn new(key: &VerifierKey) -> Result<Self, KeyError> {
        let public = match key.kind() {
            SignatureType::Ed25519 | SignatureType::EcdsaP256 => {
                return Err(KeyError::NoCosigner {
                    name: key.name().clone(),
                });
            }
            SignatureType::CosignatureEd25519 => {
                let kind = SignatureType::Ed25519;
                let plain = VerifierKey::new(key.name().clone(), kind, key.public_key())?;
                Public::Ed25519(Box::new(Ed25519Verifier::new(&plain)?))
            }
            SignatureType::CosignatureMlDsa44 => {
                let bytes: &EncodedVerifyingKey<MlDsa44> =
                    key.public_key().try_into().map_err(|_| KeyError::Length {
                        expected: key.kind().public_key_bytes(),
                        found: key.public_key().len(),
                    })?;
                Public::MlDsa44(Box::new(ml_dsa::VerifyingKey::decode(bytes)))
            }
        };
        Ok(Self {
            key: key.clone(),
            public,
        })
    }

    /// The key.
    #[must_use]
    pub const fn key(&self) -> &VerifierKey {
        &self.key
    }

    /// When this key cosigned the checkpoint whose note text is given, in POSIX seconds; `None` when
    /// `signature` (without the key id) is not its. Time 0 makes no statement about the time.
    #[must_use]
    pub fn time_of(&self, text: &str, signature: &[u8]) -> Option<u64> {
        let (time, signature) = signature.split_first_chunk::<TIME_BYTES>()?;
        let time = u64::from_be_bytes(*time);
        let message = cosigned_message(&self.key, text, time).ok()?;
        self.verify_bytes(&message, signature).then_some(time)
    }

    /// True when `signature`, without a time, is this key's over any message, not only a checkpoint: key
    /// rotations are signed this way.
    #[must_use]
    pub fn verify_bytes(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.public {
            Public::Ed25519(key) => key.verify_bytes(message, signature),
            Public::MlDsa44(key) => ml_dsa::Signature::<MlDsa44>::try_from(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
        }
    }
}

impl NoteVerifier for CosignatureVerifier {
    fn name(&self) -> &KeyName {
        self.key.name()
    }

    fn id(&self) -> KeyId {
        self.key.id()
    }

    fn verify(&self, text: &str, signature: &[u8]) -> bool {
        self.time_of(text, signature).is_some()
    }
}

/// Verifies what a log signs its checkpoints with: a note signature or a cosignature.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum LogVerifier {
    /// Type `0x01`.
    Note(Ed25519Verifier),
    /// Type `0x02`.
    Ecdsa(EcdsaP256Verifier),
    /// Type `0x04` or `0x06`.
    Cosignature(CosignatureVerifier),
}

impl LogVerifier {
    /// Prepares a verifier of a log's key, of any type we know.
    ///
    /// # Errors
    /// It is no usable key of its type.
    pub fn new(key: &VerifierKey) -> Result<Self, KeyError> {
        Ok(match key.kind() {
            SignatureType::Ed25519 => Self::Note(Ed25519Verifier::new(key)?),
            SignatureType::EcdsaP256 => Self::Ecdsa(EcdsaP256Verifier::new(key)?),
            _ => Self::Cosignature(CosignatureVerifier::new(key)?),
        })
    }
}

impl NoteVerifier for LogVerifier {
    fn name(&self) -> &KeyName {
        match self {
            Self::Note(key) => key.name(),
            Self::Ecdsa(key) => key.name(),
            Self::Cosignature(key) => key.name(),
        }
    }

    fn id(&self) -> KeyId {
        match self {
            Self::Note(key) => key.id(),
            Self::Ecdsa(key) => key.id(),
            Self::Cosignature(key) => key.id(),
        }
    }

    fn verify(&self, text: &str, signature: &[u8]) -> bool {
        match self {
            Self::Note(key) => key.verify(text, signature),
            Self::Ecdsa(key) => key.verify(text, signature),
            Self::Cosignature(key) => key.verify(text, signature),
        }
    }
}

/// Why a checkpoint was not cosigned.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum CosignError {
    /// What should be cosigned is no checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The key's provider did not sign.
    #[error(transparent)]
    Signer(#[from] SignerError),
    /// The key cannot cosign.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The time is past what a cosignature can say.
    #[error("{time} s is past the last time that a cosignature can say; set the clock right")]
    Time {
        /// POSIX seconds.
        time: u64,
    },
    /// The provider returned another signature than the one asked for.
    #[error(
        "key `{name}` returned a signature that is not its own; take its provider out of service"
    )]
    Wrong {
        /// The key's name.
        name: KeyName,
    },
}

impl CosignError {
    /// The permanent code of this error.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Checkpoint(error) => error.code(),
            Self::Signer(error) => error.code(),
            Self::Key(error) => error.code(),
            Self::Time { .. } | Self::Wrong { .. } => code::TLOG_SIGNER,
        }
    }
}

/// A private key that cosigns: in memory, in an HSM, behind a KMS.
pub trait Cosigner {
    /// The public half, of type `0x04` or `0x06`.
    fn verifier_key(&self) -> &VerifierKey;

    /// The bare signature over a message, without time and key id.
    ///
    /// # Errors
    /// The provider refused or could not be reached.
    fn sign_message(&self, message: &[u8]) -> Result<Vec<u8>, SignerError>;
}

/// Cosigns the checkpoint whose note text is given, as of `time` in POSIX seconds. The signature is
/// verified before it is returned, so that a provider that signs something else is one that failed.
///
/// # Errors
/// The text is no checkpoint, the time cannot be said, or the provider failed.
pub fn cosign(
    cosigner: &dyn Cosigner,
    text: &str,
    time: u64,
) -> Result<NoteSignature, CosignError> {
    let key = cosigner.verifier_key();
    let message = cosigned_message(key, text, time)?;
    let mut signature = time.to_be_bytes().to_vec();
    signature.extend_from_slice(&cosigner.sign_message(&message)?);
    if CosignatureVerifier::new(key)?.time_of(text, &signature) != Some(time) {
        return Err(CosignError::Wrong {
            name: key.name().clone(),
        });
    }
    Ok(NoteSignature {
        name: key.name().clone(),
        id: key.id(),
        signature,
    })
}

/// The bytes that `key` signs to cosign a checkpoint, whose extension lines an Ed25519 cosignature covers
/// and an ML-DSA-44 one does not.
///
/// # Errors
/// The text is no checkpoint, or the time cannot be said.
pub fn cosigned_message(key: &VerifierKey, text: &str, time: u64) -> Result<Vec<u8>, CosignError> {
    if time > COSIGNATURE_TIME_MAX {
        return Err(CosignError::Time { time });
    }
    let Checkpoint { origin, head } = Checkpoint::from_extended_text(text)?;
    if key.kind() != SignatureType::CosignatureMlDsa44 {
        return Ok(format!("cosignature/v1\ntime {time}\n{text}").into_bytes());
    }
    let mut message = SUBTREE_LABEL.to_vec();
    short(key.name().as_str(), &mut message);
    message.extend_from_slice(&time.to_be_bytes());
    short(&origin, &mut message);
    message.extend_from_slice(&0_u64.to_be_bytes());
    message.extend_from_slice(&head.size.to_be_bytes());
    message.extend_from_slice(head.root.as_bytes());
    Ok(message)
}

/// A text of at most 255 bytes after its length: names and origins are bounded by that.
fn short(text: &str, out: &mut Vec<u8>) {
    out.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
    out.extend_from_slice(text.as_bytes());
}

/// An Ed25519 cosigner in memory (type `0x04`). Wiped when dropped.
pub struct Ed25519Cosigner {
    signer: Ed25519Signer,
    key: VerifierKey,
}

impl Ed25519Cosigner {
    /// Makes the cosigner of a 32-byte seed. The seed must sign nothing else: an Ed25519 cosignature
    /// does not cover the cosigner's name.
    ///
    /// # Errors
    /// Never for a name that is one.
    pub fn new(name: KeyName, seed: &[u8; 32]) -> Result<Self, KeyError> {
        let signer = Ed25519Signer::new(name.clone(), seed);
        let public = signer.verifier_key().public_key();
        let key = VerifierKey::new(name, SignatureType::CosignatureEd25519, public)?;
        Ok(Self { signer, key })
    }
}

impl Cosigner for Ed25519Cosigner {
    fn verifier_key(&self) -> &VerifierKey {
        &self.key
    }

    fn sign_message(&self, message: &[u8]) -> Result<Vec<u8>, SignerError> {
        Ok(self.signer.sign_bytes(message).to_vec())
    }
}

impl fmt::Debug for Ed25519Cosigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ed25519Cosigner({})", self.key)
    }
}

/// An ML-DSA-44 cosigner in memory (type `0x06`). Wiped when dropped.
pub struct MlDsa44Cosigner {
    signer: Box<ml_dsa::SigningKey<MlDsa44>>,
    key: VerifierKey,
}

impl MlDsa44Cosigner {
    /// Makes the cosigner of a 32-byte seed (FIPS 204's ξ).
    ///
    /// # Errors
    /// Never for a name that is one.
    pub fn new(name: KeyName, seed: &[u8; 32]) -> Result<Self, KeyError> {
        let signer = Box::new(ml_dsa::SigningKey::<MlDsa44>::from_seed(&(*seed).into()));
        let public = signer.verifying_key().encode();
        let key = VerifierKey::new(name, SignatureType::CosignatureMlDsa44, &public)?;
        Ok(Self { signer, key })
    }
}

impl Cosigner for MlDsa44Cosigner {
    fn verifier_key(&self) -> &VerifierKey {
        &self.key
    }

    fn sign_message(&self, message: &[u8]) -> Result<Vec<u8>, SignerError> {
        let signed: Result<ml_dsa::Signature<MlDsa44>, _> = self.signer.try_sign(message);
        match signed {
            Ok(signature) => Ok(signature.encode().to_vec()),
            Err(error) => Err(SignerError {
                name: self.key.name().clone(),
                reason: error.to_string(),
            }),
        }
    }
}

impl fmt::Debug for MlDsa44Cosigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MlDsa44Cosigner({})", self.key)
    }
}
