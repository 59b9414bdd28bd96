//! A key that pays, in memory and known to everybody.

use bitcoin::secp256k1::{Message, PublicKey, Secp256k1, SecretKey};

use crate::paying::PayingKey;

/// A key of which everybody knows the private half.
#[derive(Clone, Debug)]
pub struct PracticeKey(SecretKey);

impl PracticeKey {
    /// The key with this number; `None` of zero.
    #[must_use]
    pub fn new(number: u8) -> Option<Self> {
        SecretKey::from_slice(&[number; 32]).ok().map(Self)
    }
}

impl PayingKey for PracticeKey {
    fn public_key(&self) -> [u8; 33] {
        PublicKey::from_secret_key(&Secp256k1::signing_only(), &self.0).serialize()
    }

    fn sign(&self, digest: &[u8; 32]) -> Result<[u8; 64], String> {
        let message = Message::from_digest(*digest);
        let signature = Secp256k1::signing_only().sign_ecdsa(&message, &self.0);
        Ok(signature.serialize_compact())
    }
}
