//! A provider of one key in memory that takes its time over each signature, as hardware and key services do.

use paygod_keys::{Algorithm, Provider, ProviderError, PublicKey, Signer};
use paygod_tlog::{Ed25519Signer, KeyName, NoteSigner as _};
use std::sync::Arc;
use std::time::Duration;

#[derive(Clone, Debug)]
pub(crate) struct SlowMemoryKey {
    key: Arc<Ed25519Signer>,
    public: PublicKey,
    latency: Duration,
}

impl SlowMemoryKey {
    pub(crate) fn new(latency: Duration) -> Self {
        let name = KeyName::parse("memory").expect("a plain name");
        let key = Ed25519Signer::new(name, &[5; 32]);
        let bytes = key.verifier_key().public_key().to_vec();
        Self {
            public: PublicKey {
                algorithm: Algorithm::Ed25519,
                bytes,
            },
            key: Arc::new(key),
            latency,
        }
    }

    fn signer(&self) -> Arc<dyn Signer> {
        Arc::new(self.clone())
    }
}

impl Signer for SlowMemoryKey {
    fn key_id(&self) -> &str {
        "memory"
    }

    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, ProviderError> {
        std::thread::sleep(self.latency);
        Ok(self.key.sign_bytes(message).to_vec())
    }
}

impl Provider for SlowMemoryKey {
    fn find(&self, _: &PublicKey) -> Result<Arc<dyn Signer>, ProviderError> {
        Ok(self.signer())
    }

    fn create(&self, _: Algorithm) -> Result<Arc<dyn Signer>, ProviderError> {
        Ok(self.signer())
    }

    fn retire(&self, _: &PublicKey) -> Result<(), ProviderError> {
        Ok(())
    }

    fn is_for_production(&self) -> bool {
        false
    }
}
