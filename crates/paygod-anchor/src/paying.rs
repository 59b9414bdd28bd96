//! The key that pays for anchors.

use bitcoin::secp256k1::{self, Message, Secp256k1, ecdsa};

use crate::chain::ChainError;

/// A key on the curve secp256k1, wherever it is: a port that whoever wires anchors to keys fills.
///
/// It pays fees and does nothing else: a thief of it can take the money that lies there for fees, and can
/// anchor; he can neither forge an anchor nor speak for the log.
pub trait PayingKey: Send + Sync + core::fmt::Debug {
    /// The public half, compressed (SEC 1, section 2.3.3).
    fn public_key(&self) -> [u8; 33];

    /// Signs a digest by ECDSA: r ‖ s, big-endian. `s` may be high.
    ///
    /// # Errors
    /// The key's keeper refused or could not be reached; says so without a secret.
    fn sign(&self, digest: &[u8; 32]) -> Result<[u8; 64], String>;
}

/// The public half, checked to be on the curve.
pub(crate) fn public_key(key: &dyn PayingKey) -> Result<secp256k1::PublicKey, ChainError> {
    secp256k1::PublicKey::from_slice(&key.public_key())
        .map_err(|_| ChainError::key("its public half is not on the curve secp256k1"))
}

/// Signs, and looks whether that is a signature by this key of this digest: low `s` (BIP 146, EIP-2).
pub(crate) fn sign(key: &dyn PayingKey, digest: &[u8; 32]) -> Result<ecdsa::Signature, ChainError> {
    let signed = key.sign(digest).map_err(ChainError::key)?;
    let foreign = || ChainError::key("it returned what is not its signature of what it was given");
    let mut signature = ecdsa::Signature::from_compact(&signed).map_err(|_| foreign())?;
    signature.normalize_s();
    let message = Message::from_digest(*digest);
    Secp256k1::verification_only()
        .verify_ecdsa(&message, &signature, &public_key(key)?)
        .map_err(|_| foreign())?;
    Ok(signature)
}
