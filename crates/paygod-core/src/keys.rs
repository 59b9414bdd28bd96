//! The keys of a book: which vkeys it accepts, how they follow each other, and what is signed to change
//! them. The fold and verifiers that rebuild no state call the same functions.
//!
//! Root keys are fixed by genesis and stay offline. Checkpoint keys are online and replaceable: by a
//! rotation, signed by the old and the new key, or by a revocation, signed by enough root keys. The ML-DSA-44
//! key of a hybrid book comes and goes with them, and always by its own signature too.

use std::collections::BTreeSet;
use std::sync::Arc;

use paygod_tlog::{CosignatureVerifier, Ed25519Verifier, NoteVerifier, SignatureType, VerifierKey};
use paygod_types::Seq;

use crate::ceremony::{RevocationText, RootsText};
use crate::entry::{Genesis, HybridChange, KeyRevocation, KeyRotation};
use crate::key_policy::KeyPolicy;
use crate::state::{Book, KeyPeriod, KeysInForce, Revoked};

/// Most root keys of a book. No more than a ceremony can gather.
pub const ROOT_KEYS_MAX: usize = 16;

/// Why a key or a change of keys is refused: what was expected and what was found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, found {found}")]
pub struct KeyFault {
    /// What was expected.
    pub expected: String,
    /// What was found.
    pub found: String,
}

impl KeyFault {
    fn new(expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self {
            expected: expected.into(),
            found: found.into(),
        }
    }
}

/// A change of keys that was checked, for [`Book::take`]. The book that it changes is not copied for it.
#[derive(Clone, Debug)]
pub struct KeyChange {
    since: Seq,
    public: [u8; 32],
    in_force: KeysInForce,
    /// The ML-DSA-44 key is a new one too.
    hybrid: bool,
    revoked: Option<Revoked>,
}

impl KeyChange {
    /// The keys in force from here on.
    #[must_use]
    pub const fn in_force(&self) -> &KeysInForce {
        &self.in_force
    }
}

impl KeyRotation {
    /// What all keys sign: domain, origin, the entry's own seq, the old and the new key, and the new ML-DSA-44
    /// key if one comes with it, a line each. The seq makes a rotation useless at any other place of the log.
    #[must_use]
    pub fn message(origin: &str, seq: Seq, [old, new]: [&str; 2], hybrid: Option<&str>) -> String {
        let mut text = format!("paygod/v1 key rotation\n{origin}\n{seq}\n{old}\n{new}\n");
        if let Some(hybrid) = hybrid {
            text += hybrid;
            text += "\n";
        }
        text
    }
}

impl Book {
    /// What genesis fixes.
    ///
    /// # Errors
    /// A key is not one, or the root keys are not some of distinct owners.
    pub fn begin(genesis: &Genesis) -> Result<Self, KeyFault> {
        let checkpoint_key = parse_checkpoint_key(&genesis.checkpoint_key, &genesis.origin)?;
        let roots = RootsText {
            origin: Arc::clone(&genesis.origin),
            keys: genesis.root_keys.clone(),
            threshold: genesis.root_threshold,
        };
        if roots.keys.is_empty() && roots.threshold != 0 {
            let found = roots.threshold.to_string();
            return Err(KeyFault::new("a threshold within 0 root keys", found));
        }
        if !roots.keys.is_empty() {
            roots.check()?;
        }
        // Online and offline are two things only while no key is both.
        let public = public_of(&checkpoint_key)?;
        let mut used = BTreeSet::new();
        for root in roots.verifier_keys()? {
            used.insert(public_of(&root)?);
        }
        if !used.insert(public) {
            let expected = "root keys that sign no checkpoints";
            return Err(KeyFault::new(expected, "the checkpoint key among them"));
        }
        if let Some(key) = &genesis.hybrid_key {
            hybrid_verifier(key, &genesis.origin)?;
        }
        Ok(Self {
            origin: Arc::clone(&genesis.origin),
            root_keys: genesis.root_keys.clone(),
            root_threshold: genesis.root_threshold,
            checkpoint_keys: vec![KeyPeriod {
                since: Seq(0),
                vkey: Arc::clone(&genesis.checkpoint_key),
            }],
            revoked: Vec::new(),
            hybrid_keys: (genesis.hybrid_key.iter())
                .map(|vkey| KeyPeriod {
                    since: Seq(0),
                    vkey: Arc::clone(vkey),
                })
                .collect(),
            key_policy: KeyPolicy::default(),
            used,
        })
    }

    /// The public keys of these vkeys.
    pub(crate) fn used<'k>(
        vkeys: impl Iterator<Item = &'k Arc<str>>,
    ) -> Result<BTreeSet<[u8; 32]>, KeyFault> {
        vkeys.map(|vkey| public_of(&parse(vkey)?)).collect()
    }

    /// Takes keys that were checked against this book.
    pub fn take(&mut self, change: KeyChange) {
        let since = change.since;
        let KeysInForce { checkpoint, hybrid } = change.in_force;
        self.checkpoint_keys.push(KeyPeriod {
            since,
            vkey: checkpoint,
        });
        let hybrid = hybrid.filter(|_| change.hybrid);
        self.hybrid_keys
            .extend(hybrid.map(|vkey| KeyPeriod { since, vkey }));
        self.revoked.extend(change.revoked);
        self.used.insert(change.public);
    }

    /// The checkpoint key in force.
    #[must_use]
    pub fn checkpoint_key(&self) -> &str {
        self.checkpoint_keys.last().map_or("", |key| &key.vkey)
    }

    /// What verifies the ML-DSA-44 cosignature that every checkpoint carries; `None` when the book is not
    /// hybrid.
    #[must_use]
    pub fn hybrid_verifier(&self) -> Option<CosignatureVerifier> {
        hybrid_verifier(self.hybrid_key()?, &self.origin).ok()
    }

    /// The ML-DSA-44 key in force; `None` when the book is not hybrid.
    #[must_use]
    pub fn hybrid_key(&self) -> Option<&str> {
        self.hybrid_keys.last().map(|key| &*key.vkey)
    }

    /// The keys that sign checkpoints now.
    #[must_use]
    pub fn in_force(&self) -> Option<KeysInForce> {
        let hybrid = self.hybrid_keys.last();
        self.checkpoint_keys.last().map(|key| KeysInForce {
            checkpoint: Arc::clone(&key.vkey),
            hybrid: hybrid.map(|key| Arc::clone(&key.vkey)),
        })
    }

    /// The keys that a rotation sealed at `seq` brings.
    ///
    /// # Errors
    /// It replaces another key than the one in force, brings back a key, or is not signed by both.
    pub fn check_rotation(&self, rotation: &KeyRotation, seq: Seq) -> Result<KeyChange, KeyFault> {
        let current = self.checkpoint_key();
        if *rotation.old != *current {
            let expected = format!("old key {current}");
            return Err(KeyFault::new(expected, &*rotation.old));
        }
        let public = self.check_unused(&rotation.new)?;
        let hybrid = rotation.hybrid.as_deref();
        let keys = [&*rotation.old, &*rotation.new];
        let message = KeyRotation::message(&self.origin, seq, keys, hybrid.map(|h| &*h.new));
        let expected = "signatures by the old and the new key";
        for (which, vkey, signature) in [
            ("old", &rotation.old, &rotation.signature_old),
            ("new", &rotation.new, &rotation.signature_new),
        ] {
            let key = checkpoint_verifier(vkey, &self.origin)?;
            if !key.verify(&message, signature) {
                let found = format!("a signature that is not by the {which} key");
                return Err(KeyFault::new(expected, found));
            }
        }
        let in_force = self.keys_with(&rotation.new, hybrid, &message)?;
        Ok(KeyChange {
            since: seq,
            public,
            in_force,
            hybrid: hybrid.is_some(),
            revoked: None,
        })
    }

    /// The keys that a revocation sealed at `seq` brings.
    ///
    /// # Errors
    /// It names a key that never was in force or was revoked before, an index that is not before it, a
    /// replacement that was used before, or too few root keys signed.
    pub fn check_revoke(
        &self,
        revocation: &KeyRevocation,
        seq: Seq,
    ) -> Result<KeyChange, KeyFault> {
        let text = RevocationText::of(&self.origin, revocation);
        self.check_revocation(&text, revocation, seq)?;
        let hybrid = revocation.hybrid.as_deref();
        Ok(KeyChange {
            since: seq,
            public: self.check_unused(&revocation.new)?,
            in_force: self.keys_with(&revocation.new, hybrid, &text.to_text())?,
            hybrid: hybrid.is_some(),
            revoked: Some(Revoked {
                at: seq,
                vkey: Arc::clone(&revocation.revoked),
                last_good: revocation.last_good,
            }),
        })
    }

    /// Whether root keys and the new key signed this text, of a revocation sealed at `seq`. What of the
    /// ML-DSA-44 key, only the log can tell.
    ///
    /// # Errors
    /// As [`Book::check_revoke`].
    pub fn check_revocation(
        &self,
        text: &RevocationText,
        revocation: &KeyRevocation,
        seq: Seq,
    ) -> Result<(), KeyFault> {
        let known = |period: &KeyPeriod| period.vkey == revocation.revoked;
        if !self.checkpoint_keys.iter().any(known) {
            let expected = "a revoked key that has been in force";
            return Err(KeyFault::new(expected, &*revocation.revoked));
        }
        if self.is_revoked(&revocation.revoked) {
            let found = format!("{}, revoked before", revocation.revoked);
            return Err(KeyFault::new("a key that still counts", found));
        }
        if revocation.last_good >= seq {
            let expected = format!("a last good entry before entry {seq}");
            let found = format!("entry {}", revocation.last_good);
            return Err(KeyFault::new(expected, found));
        }
        self.check_unused(&revocation.new)?;
        let message = text.to_text();
        let new = checkpoint_verifier(&revocation.new, &self.origin)?;
        if !new.verify(&message, &revocation.signature_new) {
            let found = "a signature that is not by the new key";
            return Err(KeyFault::new("a signature by the new key", found));
        }
        let ascending = revocation.signatures.is_sorted_by(|a, b| a.key < b.key);
        if !ascending {
            let expected = "signatures of root keys, ascending by key, each once";
            return Err(KeyFault::new(expected, "others"));
        }
        for signed in &revocation.signatures {
            if !self.root_keys.contains(&signed.key) {
                return Err(KeyFault::new("signatures by root keys", &*signed.key));
            }
            if !ed25519(&signed.key)?.verify(&message, &signed.signature) {
                let found = format!("one that is not by {}", signed.key);
                return Err(KeyFault::new("signatures by root keys", found));
            }
        }
        let found = u32::try_from(revocation.signatures.len()).unwrap_or(u32::MAX);
        if self.root_threshold == 0 || found < self.root_threshold {
            let all = self.root_keys.len();
            let expected = format!("signatures by {} of {all} root keys", self.root_threshold);
            return Err(KeyFault::new(expected, format!("{found}")));
        }
        Ok(())
    }

    /// Whether a key has been revoked.
    #[must_use]
    pub fn is_revoked(&self, vkey: &str) -> bool {
        self.revoked.iter().any(|revoked| *revoked.vkey == *vkey)
    }

    /// A key once given up never comes back, under whatever name. Its public key.
    fn check_unused(&self, new: &Arc<str>) -> Result<[u8; 32], KeyFault> {
        let public = public_of(&parse_checkpoint_key(new, &self.origin)?)?;
        if self.used.contains(&public) {
            let found = format!("{new}, used before");
            return Err(KeyFault::new("a key never used before", found));
        }
        Ok(public)
    }

    /// The keys in force with this new one, if the ML-DSA-44 ones signed the message too.
    fn keys_with(
        &self,
        new: &Arc<str>,
        hybrid: Option<&HybridChange>,
        message: &str,
    ) -> Result<KeysInForce, KeyFault> {
        let hybrid = match hybrid {
            Some(change) => {
                self.check_hybrid(change, message)?;
                Some(&change.new)
            }
            None => self.hybrid_keys.last().map(|key| &key.vkey),
        };
        Ok(KeysInForce {
            checkpoint: Arc::clone(new),
            hybrid: hybrid.cloned(),
        })
    }

    fn check_hybrid(&self, change: &HybridChange, message: &str) -> Result<(), KeyFault> {
        let old = self.hybrid_verifier().ok_or_else(|| {
            let expected = "no ML-DSA-44 key, since the book is not hybrid";
            KeyFault::new(expected, &*change.new)
        })?;
        let new = hybrid_verifier(&change.new, &self.origin)?;
        // All have the origin's name and one spelling: the same key is the same text.
        if self.hybrid_keys.iter().any(|used| used.vkey == change.new) {
            let found = format!("{}, used before", change.new);
            return Err(KeyFault::new("a key never used before", found));
        }
        for (which, key, signature) in [
            ("old", old, &change.signature_old),
            ("new", new, &change.signature_new),
        ] {
            if !key.verify_bytes(message.as_bytes(), signature) {
                let expected = "signatures by the old and the new ML-DSA-44 key";
                let found = format!("a signature that is not by the {which} key");
                return Err(KeyFault::new(expected, found));
            }
        }
        Ok(())
    }
}

/// Reads an Ed25519 vkey, refusing any but its one spelling.
pub(crate) fn parse(text: &str) -> Result<VerifierKey, KeyFault> {
    let expected = "an Ed25519 vkey in its one spelling";
    parse_as(text, SignatureType::Ed25519, expected)
}

fn parse_as(text: &str, kind: SignatureType, expected: &str) -> Result<VerifierKey, KeyFault> {
    let key =
        VerifierKey::parse(text).map_err(|error| KeyFault::new(expected, error.to_string()))?;
    if key.to_string() != text {
        return Err(KeyFault::new(expected, "another spelling of the key"));
    }
    if key.kind() != kind {
        return Err(KeyFault::new(expected, "a key of another kind"));
    }
    Ok(key)
}

/// The verifier of a hybrid key, which is named like the origin.
pub(crate) fn hybrid_verifier(text: &str, origin: &str) -> Result<CosignatureVerifier, KeyFault> {
    let expected = "an ML-DSA-44 vkey in its one spelling";
    let key = parse_as(text, SignatureType::CosignatureMlDsa44, expected)?;
    if key.name().as_str() != origin {
        let found = format!("a key named `{}`", key.name());
        return Err(KeyFault::new("a key named like the origin", found));
    }
    CosignatureVerifier::new(&key).map_err(|error| KeyFault::new(expected, error.to_string()))
}

/// Reads a checkpoint key, which is named like the origin.
fn parse_checkpoint_key(text: &str, origin: &str) -> Result<VerifierKey, KeyFault> {
    let key = parse(text)?;
    if key.name().as_str() != origin {
        let found = format!("a key named `{}`", key.name());
        return Err(KeyFault::new("a key named like the origin", found));
    }
    verifier(&key)?;
    Ok(key)
}

fn checkpoint_verifier(text: &str, origin: &str) -> Result<Ed25519Verifier, KeyFault> {
    verifier(&parse_checkpoint_key(text, origin)?)
}

/// The verifier of an Ed25519 vkey.
pub(crate) fn ed25519(text: &str) -> Result<Ed25519Verifier, KeyFault> {
    verifier(&parse(text)?)
}

fn public_of(key: &VerifierKey) -> Result<[u8; 32], KeyFault> {
    let found = || KeyFault::new("an Ed25519 key of 32 bytes", "another length");
    key.public_key().try_into().map_err(|_| found())
}

fn verifier(key: &VerifierKey) -> Result<Ed25519Verifier, KeyFault> {
    Ed25519Verifier::new(key)
        .map_err(|error| KeyFault::new("a usable Ed25519 key", error.to_string()))
}
