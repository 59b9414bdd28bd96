//! The key in force: fixed by genesis, changed by rotation entries.
//!
//! With the state rebuilt the fold checks rotations; without it they are checked here.

use paygod_core::entry::{Genesis, KeyRotation};
use paygod_core::{Body, Check as FoldCheck, Entry};
use paygod_tlog::{Ed25519Verifier, NoteVerifier, VerifierKey};
use paygod_types::Seq;

use crate::failure::{Check, Failure, Place};

/// The log's origin and its checkpoint key at some place of the log.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    origin: String,
    vkey: String,
    in_force: Option<Ed25519Verifier>,
    changes: u64,
}

impl Keys {
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    pub(crate) const fn in_force(&self) -> Option<&Ed25519Verifier> {
        self.in_force.as_ref()
    }

    /// How many keys have been in force.
    pub(crate) const fn changes(&self) -> u64 {
        self.changes
    }

    /// Takes a key that the fold has checked.
    pub(crate) fn set(&mut self, origin: &str, vkey: &str) {
        origin.clone_into(&mut self.origin);
        vkey.clone_into(&mut self.vkey);
        self.in_force = verifier(vkey, origin);
        self.changes = self.changes.saturating_add(1);
    }

    /// Checks an entry that may set or change the key, and takes the key from it.
    pub(crate) fn apply(&mut self, entry: &Entry, index: u64) -> Result<(), Failure> {
        match &entry.body {
            Body::Genesis(genesis) if index == 0 => self.begin(genesis),
            Body::Genesis(_) => Err(fail(
                FoldCheck::Genesis,
                index,
                "no second genesis",
                "one more",
            )),
            _ if index == 0 => Err(fail(
                FoldCheck::Genesis,
                index,
                "a genesis entry",
                entry.body.action().as_str(),
            )),
            Body::KeyRotate(rotation) => self.rotate(rotation, index),
            _ => Ok(()),
        }
    }

    fn begin(&mut self, genesis: &Genesis) -> Result<(), Failure> {
        if verifier(&genesis.checkpoint_key, &genesis.origin).is_none() {
            let expected = "an Ed25519 key named like the origin";
            return Err(fail(
                FoldCheck::Genesis,
                0,
                expected,
                &genesis.checkpoint_key,
            ));
        }
        self.set(&genesis.origin, &genesis.checkpoint_key);
        Ok(())
    }

    fn rotate(&mut self, rotation: &KeyRotation, index: u64) -> Result<(), Failure> {
        if *rotation.old != *self.vkey {
            let expected = format!("old key {}", self.vkey);
            return Err(fail(FoldCheck::Key, index, &expected, &rotation.old));
        }
        let message = KeyRotation::message(&self.origin, Seq(index), &rotation.old, &rotation.new);
        let new = verifier(&rotation.new, &self.origin);
        let signed = |key: Option<&Ed25519Verifier>, signature: &[u8]| {
            key.is_some_and(|key| key.verify_bytes(message.as_bytes(), signature))
        };
        let by_both = signed(self.in_force.as_ref(), &rotation.signature_old)
            && signed(new.as_ref(), &rotation.signature_new);
        if !by_both || rotation.old == rotation.new {
            let expected = "signatures by the key in force and by the new one";
            return Err(fail(FoldCheck::Key, index, expected, "others"));
        }
        let origin = self.origin.clone();
        self.set(&origin, &rotation.new);
        Ok(())
    }
}

fn fail(check: FoldCheck, index: u64, expected: &str, found: &str) -> Failure {
    Failure::new(Check::Fold(check), Place::Entry(index), expected, found)
}

fn verifier(vkey: &str, origin: &str) -> Option<Ed25519Verifier> {
    let key = VerifierKey::parse(vkey).ok()?;
    let verifier = Ed25519Verifier::new(&key).ok()?;
    (verifier.name().as_str() == origin).then_some(verifier)
}
