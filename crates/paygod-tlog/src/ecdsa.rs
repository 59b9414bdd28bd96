//! ECDSA over P-256 with SHA-256 (signed-note type `0x02`), as the public logs that are not of Ed25519 sign.
//!
//! Two things differ from the other types: the public key is a whole `SubjectPublicKeyInfo` in DER (RFC 5480), and the
//! id of a key is the beginning of its SHA-256 alone, without name and type. Signatures are in DER too, of which there
//! is one spelling; that there are two signatures, `s` and `n - s`, for each that was made, changes nothing of the text.

use p256::ecdsa::signature::hazmat::PrehashVerifier as _;
use p256::ecdsa::{Signature, VerifyingKey};
use sha2::{Digest as _, Sha256};

use crate::key::{KeyError, KeyId, KeyName, NoteVerifier, SignatureType, VerifierKey};

/// `SubjectPublicKeyInfo` of a P-256 key up to the 65 bytes of its uncompressed point (RFC 5480, section 2).
pub const P256_SPKI_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// Verifies ECDSA note signatures of a P-256 key.
#[derive(Clone, Debug)]
pub struct EcdsaP256Verifier {
    name: KeyName,
    id: KeyId,
    key: VerifyingKey,
}

impl EcdsaP256Verifier {
    /// Prepares a verifier of a P-256 key.
    ///
    /// # Errors
    /// The key is of another type, of another curve, or no point of it.
    pub fn new(key: &VerifierKey) -> Result<Self, KeyError> {
        if key.kind() != SignatureType::EcdsaP256 {
            return Err(KeyError::Type {
                found: key.kind().byte(),
            });
        }
        let point = key.public_key().strip_prefix(&P256_SPKI_PREFIX);
        let parsed = point.filter(|point| point.first() == Some(&0x04));
        let parsed = parsed.and_then(|point| VerifyingKey::from_sec1_bytes(point).ok());
        Ok(Self {
            name: key.name().clone(),
            id: key.id(),
            key: parsed.ok_or_else(|| KeyError::Point {
                name: key.name().clone(),
            })?,
        })
    }

    /// True when `signature`, in DER, is this key's over the message.
    #[must_use]
    pub fn verify_bytes(&self, message: &[u8], signature: &[u8]) -> bool {
        let digest = Sha256::digest(message);
        Signature::from_der(signature)
            .is_ok_and(|signature| self.key.verify_prehash(&digest, &signature).is_ok())
    }
}

impl NoteVerifier for EcdsaP256Verifier {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LogVerifier;
    use p256::ecdsa::SigningKey;
    use p256::ecdsa::signature::hazmat::PrehashSigner as _;

    /// The key of a public log, as it has been published since 2021.
    const PUBLIC_LOG: &str = "rekor.sigstore.dev+c0d23d6a+AjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABNhtmPtrWm3U1eQXBogSMdGvXwBcK5AW5i0hrZLOC96l+smGNM7nwZ4QvFK/4sueRoVj//QP22Ni4Qt9DPfkWLc=";

    fn key(number: u8) -> (SigningKey, VerifierKey) {
        let signing = SigningKey::from_slice(&[number; 32]).unwrap();
        let mut spki = P256_SPKI_PREFIX.to_vec();
        spki.extend_from_slice(signing.verifying_key().to_sec1_point(false).as_bytes());
        let name = KeyName::parse("log.example/p256").unwrap();
        let key = VerifierKey::new(name, SignatureType::EcdsaP256, &spki).unwrap();
        (signing, key)
    }

    #[test]
    fn the_key_of_a_public_log_reads_back_and_has_the_id_that_its_log_says() {
        let key = VerifierKey::parse(PUBLIC_LOG).unwrap();
        assert_eq!(key.to_string(), PUBLIC_LOG);
        assert_eq!(key.id().to_string(), "c0d23d6a");
        LogVerifier::new(&key).unwrap();
        // The id does not hang on the name.
        let other = PUBLIC_LOG.replace("rekor.sigstore.dev", "other.example");
        assert!(VerifierKey::parse(&other).is_ok());
        assert!(VerifierKey::parse(&PUBLIC_LOG.replace("c0d23d6a", "c0d23d6b")).is_err());
    }

    #[test]
    fn a_signature_in_der_verifies_and_nothing_else_does() {
        let (signing, key) = key(7);
        let verifier = LogVerifier::new(&key).unwrap();
        let text = "log.example/p256\n1\nroot\n";
        let digest = Sha256::digest(text.as_bytes());
        let signature: Signature = signing.sign_prehash(&digest).unwrap();
        let der = signature.to_der().as_bytes().to_vec();
        assert!(verifier.verify(text, &der));
        assert!(!verifier.verify("another text\n", &der));
        assert!(!verifier.verify(text, &signature.to_bytes()));
        for end in 0..der.len() {
            assert!(!verifier.verify(text, &der[..end]), "{end}");
        }
        let mut longer = der.clone();
        longer.push(0);
        assert!(!verifier.verify(text, &longer));
        let (_, another) = self::key(8);
        let another = EcdsaP256Verifier::new(&another).unwrap();
        assert!(!another.verify(text, &der));
    }

    #[test]
    fn keys_that_are_no_point_of_the_curve_are_refused() {
        let (_, key) = key(7);
        let name = key.name().clone();
        let of = |bytes: &[u8]| VerifierKey::new(name.clone(), SignatureType::EcdsaP256, bytes);
        let spki = key.public_key();
        for place in [0, 5, 20, 26, 60] {
            let mut wrong = spki.to_vec();
            wrong[place] ^= 1;
            assert!(
                EcdsaP256Verifier::new(&of(&wrong).unwrap()).is_err(),
                "{place}"
            );
        }
        assert!(of(&spki[..90]).is_err());
    }
}
