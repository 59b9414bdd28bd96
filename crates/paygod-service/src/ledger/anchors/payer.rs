//! A key of a provider as what pays for anchors: the wire between the two.

use std::sync::Arc;

use paygod_anchor::paying::PayingKey;
use paygod_keys::{Algorithm, ProviderError, Signer};
use paygod_types::code;

/// A key of any provider that pays for anchors.
#[derive(Clone, Debug)]
pub struct Payer {
    signer: Arc<dyn Signer>,
    public: [u8; 33],
}

impl Payer {
    /// Takes a key.
    ///
    /// # Errors
    /// It is of another kind than [`Algorithm::Secp256k1`].
    pub fn new(signer: Arc<dyn Signer>) -> Result<Self, ProviderError> {
        let public = signer.public_key();
        let bytes = <[u8; 33]>::try_from(public.bytes.as_slice()).ok();
        let bytes = bytes.filter(|_| public.algorithm == Algorithm::Secp256k1);
        let public = bytes.ok_or_else(|| ProviderError {
            provider: signer.key_id().to_owned(),
            reason: "what pays for anchors is a key on secp256k1".to_owned(),
            code: code::ANCHOR_KEY,
            retry: false,
        })?;
        Ok(Self { signer, public })
    }
}

impl PayingKey for Payer {
    fn public_key(&self) -> [u8; 33] {
        self.public
    }

    fn sign(&self, digest: &[u8; 32]) -> Result<[u8; 64], String> {
        let signed = self
            .signer
            .sign(digest)
            .map_err(|error| error.to_string())?;
        <[u8; 64]>::try_from(signed.as_slice())
            .map_err(|_| "it returned a signature of another length".to_owned())
    }
}
