//! The keys that a thief of the whole machine holds: every signing seed in the book's `keys/` folder.
//!
//! It stands in for a stolen HSM session too: whoever may ask a key to sign, signs what he likes.

use super::failed;
use crate::fault::{Fault, faults_from};
use paygod_core::Entry;
use paygod_core::entry::{Body, HybridChange, KeyRotation};
use paygod_tlog::{
    Checkpoint, Cosigner, Ed25519Signer, KeyName, MlDsa44Cosigner, NoteSigner, SignedCheckpoint,
    TreeHead, cosign,
};
use paygod_types::{Digest, Seq, code};
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

faults_from!(paygod_tlog::SignerError, paygod_tlog::CosignError);

/// How the key file of a hybrid book begins.
const HYBRID_KIND: &str = "paygod-ml-dsa-44-seed-v1 ";

/// How a key file of a signing key begins.
const SEED_KIND: &str = "paygod-ed25519-seed-v1 ";

/// Stolen signing keys, each under the log's own name.
#[derive(Debug)]
pub(crate) struct Keyring {
    origin: String,
    signers: Vec<Ed25519Signer>,
    /// Of a hybrid book.
    hybrids: Vec<MlDsa44Cosigner>,
}

impl Keyring {
    /// Steals every signing key of a book.
    pub(crate) fn steal(book: &Path, origin: &str) -> Result<Self, Fault> {
        let folder = book.join("keys");
        let mut ring = Self {
            origin: origin.to_owned(),
            signers: Vec::new(),
            hybrids: Vec::new(),
        };
        for file in std::fs::read_dir(&folder).map_err(|error| failed(&folder, &error))? {
            let path = file.map_err(|error| failed(&folder, &error))?.path();
            let text = std::fs::read_to_string(&path).map_err(|error| failed(&path, &error))?;
            let seed = text
                .trim_end()
                .strip_prefix(SEED_KIND)
                .and_then(|hex| hex.parse().ok());
            if let Some(seed) = seed {
                ring.add(seed)?;
            }
            let seed = text.trim_end().strip_prefix(HYBRID_KIND);
            if let Some(seed) = seed.and_then(|hex| hex.parse().ok()) {
                ring.hybrids.push(cosigner(origin, seed)?);
            }
        }
        Ok(ring)
    }

    /// Adds a key made by the thief.
    pub(crate) fn add(&mut self, seed: Digest) -> Result<(), Fault> {
        self.signers.push(signer(&self.origin, seed)?);
        Ok(())
    }

    /// The signer behind a public key, if it was stolen.
    pub(crate) fn of(&self, vkey: &str) -> Option<&Ed25519Signer> {
        self.signers
            .iter()
            .find(|signer| signer.verifier_key().to_string() == vkey)
    }

    /// The cosigner behind an ML-DSA-44 key, if it was stolen.
    pub(crate) fn hybrid_of(&self, vkey: &str) -> Option<&MlDsa44Cosigner> {
        self.hybrids
            .iter()
            .find(|cosigner| cosigner.verifier_key().to_string() == vkey)
    }

    /// The signer of checkpoints of `size`, by what the entries say of keys.
    pub(crate) fn at<'e>(
        &self,
        entries: impl IntoIterator<Item = &'e Entry>,
        size: u64,
    ) -> Result<&Ed25519Signer, Fault> {
        let mut vkey = None;
        for entry in entries
            .into_iter()
            .take_while(|entry| entry.seq < Seq(size))
        {
            match &entry.body {
                Body::Genesis(genesis) => vkey = Some(&genesis.checkpoint_key),
                Body::KeyRotate(rotation) => vkey = Some(&rotation.new),
                Body::KeyRevoke(revocation) => vkey = Some(&revocation.new),
                _ => {}
            }
        }
        vkey.and_then(|vkey| self.of(vkey)).ok_or_else(|| {
            let message =
                format!("the key that signs checkpoints of size {size} is not in `keys/`");
            Fault::new(code::LEDGER_KEY_FILE, message)
                .remedy("drill on a book whose keys are all in its folder, or on its own book")
        })
    }

    /// Signs size and root as a checkpoint of the log, and cosigns it with whatever ML-DSA-44 keys there are.
    pub(crate) fn checkpoint(
        &self,
        signer: &dyn NoteSigner,
        head: TreeHead,
    ) -> Result<Vec<u8>, Fault> {
        let checkpoint = Checkpoint {
            origin: self.origin.clone(),
            head,
        };
        let mut signed = SignedCheckpoint::sign(checkpoint, &[signer])?;
        for hybrid in &self.hybrids {
            let cosigned = cosign(hybrid, signed.note().text(), now())?;
            signed.note_mut().add_signature(cosigned)?;
        }
        Ok(signed.to_bytes())
    }

    /// Signs a rotation anew for the place where it stands, from the ML-DSA-44 key `hybrid` on; as it was if a
    /// key is missing.
    pub(crate) fn resign(&self, rotation: &mut KeyRotation, seq: Seq, hybrid: Option<&str>) {
        let keys = [&*rotation.old, &*rotation.new];
        let next = rotation.hybrid.as_ref().map(|change| &*change.new);
        let message = KeyRotation::message(&self.origin, seq, keys, next);
        if let (Some(old), Some(new)) = (self.of(&rotation.old), self.of(&rotation.new)) {
            rotation.signature_old = old.sign_bytes(message.as_bytes());
            rotation.signature_new = new.sign_bytes(message.as_bytes());
        }
        let pair = hybrid.and_then(|old| self.hybrid_of(old)).zip(next);
        if let Some((old, next)) = pair
            && let Some(new) = self.hybrid_of(next)
            && let Ok(change) = hybrid_change([old, new], &message)
        {
            rotation.hybrid = Some(change);
        }
    }
}

/// What the old and the new ML-DSA-44 key add to a rotation.
pub(crate) fn hybrid_change(
    [old, new]: [&dyn Cosigner; 2],
    message: &str,
) -> Result<Box<HybridChange>, Fault> {
    let sign = |key: &dyn Cosigner| -> Result<_, Fault> {
        let signature = key.sign_message(message.as_bytes())?;
        let other = |_| Fault::new(code::TLOG_SIGNER, "no ML-DSA-44 signature");
        signature.try_into().map_err(other)
    };
    Ok(Box::new(HybridChange {
        new: new.verifier_key().to_string().into(),
        signature_new: sign(new)?,
        signature_old: sign(old)?,
    }))
}

/// POSIX seconds.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

/// A cosigner of this name.
pub(crate) fn cosigner(name: &str, seed: Digest) -> Result<MlDsa44Cosigner, Fault> {
    Ok(MlDsa44Cosigner::new(
        KeyName::parse(name)?,
        seed.as_bytes(),
    )?)
}

/// A signer of this name.
pub(crate) fn signer(name: &str, seed: Digest) -> Result<Ed25519Signer, Fault> {
    Ok(Ed25519Signer::new(KeyName::parse(name)?, seed.as_bytes()))
}

/// A signer's public key as entries spell it.
pub(crate) fn vkey(signer: &Ed25519Signer) -> Arc<str> {
    signer.verifier_key().to_string().into()
}

/// A signer under a log's name whose key is the thief's own.
pub(crate) fn rogue(name: &str) -> Result<Ed25519Signer, Fault> {
    signer(name, Digest::sha256(b"a key that the thief has made"))
}
