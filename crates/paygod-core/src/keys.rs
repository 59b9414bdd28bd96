//! Checkpoint keys: which vkeys a book accepts, and what a rotation signs.

use paygod_tlog::{Ed25519Verifier, NoteVerifier, SignatureType, VerifierKey};
use paygod_types::Seq;

use crate::entry::KeyRotation;

/// Why a checkpoint key or a rotation is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum KeyFault {
    /// Not the one spelling of a vkey.
    Spelling(String),
    /// Not an Ed25519 key.
    Kind,
    /// Named otherwise than the log's origin.
    Name(String),
    /// The signature is not the key's.
    Signature(&'static str),
}

impl KeyRotation {
    /// What both keys sign: domain, origin, the entry's own seq, the old and the new key, a line each.
    /// The seq makes a rotation useless at any other place of the log.
    #[must_use]
    pub fn message(origin: &str, seq: Seq, old: &str, new: &str) -> String {
        format!("paygod/v1 key rotation\n{origin}\n{seq}\n{old}\n{new}\n")
    }
}

/// Reads an Ed25519 vkey, refusing any but its one spelling.
pub(crate) fn parse(text: &str) -> Result<VerifierKey, KeyFault> {
    let key = VerifierKey::parse(text).map_err(|error| KeyFault::Spelling(error.to_string()))?;
    if key.to_string() != text {
        return Err(KeyFault::Spelling("another spelling of the key".to_owned()));
    }
    if key.kind() != SignatureType::Ed25519 {
        return Err(KeyFault::Kind);
    }
    Ok(key)
}

/// Reads a checkpoint key, which is named like the origin.
pub(crate) fn parse_checkpoint_key(text: &str, origin: &str) -> Result<Ed25519Verifier, KeyFault> {
    let key = parse(text)?;
    if key.name().as_str() != origin {
        return Err(KeyFault::Name(key.name().as_str().to_owned()));
    }
    Ed25519Verifier::new(&key).map_err(|error| KeyFault::Spelling(error.to_string()))
}

/// Checks both signatures of a rotation sealed at `seq`.
pub(crate) fn check_rotation(
    rotation: &KeyRotation,
    origin: &str,
    seq: Seq,
) -> Result<(), KeyFault> {
    let message = KeyRotation::message(origin, seq, &rotation.old, &rotation.new);
    let old = parse_checkpoint_key(&rotation.old, origin)?;
    let new = parse_checkpoint_key(&rotation.new, origin)?;
    if !old.verify(&message, &rotation.signature_old) {
        return Err(KeyFault::Signature("old"));
    }
    if !new.verify(&message, &rotation.signature_new) {
        return Err(KeyFault::Signature("new"));
    }
    Ok(())
}

impl core::fmt::Display for KeyFault {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Spelling(reason) => f.write_str(reason),
            Self::Kind => f.write_str("a key of another kind"),
            Self::Name(name) => write!(f, "a key named `{name}`"),
            Self::Signature(which) => write!(f, "a signature that is not by the {which} key"),
        }
    }
}
