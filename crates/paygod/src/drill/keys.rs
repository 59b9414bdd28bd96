//! Attacks on the history of the log's keys.

use super::attack::{Attack, Catch, Expected, Finding, Halt, Kept};
use super::stage::{Stage, encode, seq};
use crate::insider::{cosigner, hybrid_change, rogue, vkey};
use paygod_core::Entry;
use paygod_core::entry::{Body, HybridChange, KeyRotation};
use paygod_keys::{NoteKey, ProviderError, PublicKey, Signer};
use paygod_tlog::{Checkpoint, Ed25519Signer, NoteSigner as _, SignedCheckpoint};
use paygod_types::{Digest, RequestId, Timestamp};
use std::sync::Arc;

type Acted = Result<Finding, Halt>;

/// In the order of the table.
pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        name: "rotation-forged",
        story: "sealed a rotation to a key of their own without having the old one",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: |stage| {
            let thief = rogue(&stage.scene.origin)?;
            let old = current(stage)?;
            rotated(stage, &stage.scene.origin, &old, &thief, &thief)
        },
    },
    Attack {
        name: "rotation-of-another-log",
        story: "sealed a rotation whose signatures both keys gave for another log",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: |stage| {
            let old = current(stage)?;
            let stolen = stage
                .scene
                .keys
                .of(&old)
                .ok_or(Halt::NotHere("no stolen key"))?;
            rotated(
                stage,
                "elsewhere.example/book",
                &old,
                stolen,
                &rogue(&stage.scene.origin)?,
            )
        },
    },
    Attack {
        name: "rotation-moved",
        story: "moved a sealed rotation back by one entry, its signatures unchanged",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: rotation_moved,
    },
    Attack {
        name: "rotation-replayed",
        story: "sealed the log's own rotation a second time",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: rotation_replayed,
    },
    Attack {
        name: "rotation-removed",
        story: "took the rotation out, to go on with the retired key",
        kept: Kept::Checkpoint,
        expected: Expected::Caught,
        act: rotation_removed,
    },
    Attack {
        name: "rotation-ml-dsa-forged",
        story: "broke the Ed25519 key and rotated to an ML-DSA-44 key of their own",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: |stage| {
            let thief = cosigner(
                &stage.scene.origin,
                Digest::sha256(b"a thief's ML-DSA-44 key"),
            )?;
            hybrid_rotated(stage, |message| {
                Ok(hybrid_change([&thief, &thief], message)?)
            })
        },
    },
    Attack {
        name: "rotation-ml-dsa-replayed",
        story: "put what the ML-DSA-44 keys had signed of the log's rotation into one of their own",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: |stage| hybrid_rotated(stage, |_| last_change(stage)),
    },
    Attack {
        name: "rotation-ml-dsa-kept",
        story: "rotated to the ML-DSA-44 key that was in force, and stolen, to keep it",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: |stage| {
            let vkey = last_change(stage)?.new;
            let stolen = stage.scene.keys.hybrid_of(&vkey);
            let stolen = stolen.ok_or(Halt::NotHere("no stolen ML-DSA-44 key"))?;
            hybrid_rotated(stage, |message| {
                Ok(hybrid_change([stolen, stolen], message)?)
            })
        },
    },
    Attack {
        name: "rotation-ml-dsa-taken-off",
        story: "took the new ML-DSA-44 key out of the rotation, to go on with the stolen one",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: |stage| {
            let mut entries = stage.entries();
            let at = rotation(stage)?;
            if let Some(Entry {
                body: Body::KeyRotate(rotation),
                ..
            }) = entries.get_mut(at)
            {
                rotation.hybrid.take().ok_or(Halt::NotHere(NO_CHANGE))?;
            }
            stage.audit(&stage.forge_as_is(&entries)?, Kept::Fingerprint)
        },
    },
    Attack {
        name: "module-signs-something-else",
        story: "got into the hardware module, and had it sign something else than each checkpoint",
        kept: Kept::Book,
        expected: Expected::Caught,
        act: module_lies,
    },
];

/// A hardware module that signs what a thief wants.
#[derive(Debug)]
struct LyingModule {
    key: Ed25519Signer,
    public: PublicKey,
}

impl Signer for LyingModule {
    fn key_id(&self) -> &str {
        "module"
    }

    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, ProviderError> {
        let other = [message, b"and something else"].concat();
        Ok(self.key.sign_bytes(&other).to_vec())
    }
}

/// The signature is the key's own, and of another text: the ledger looks at each before it publishes.
fn module_lies(stage: &Stage<'_>) -> Acted {
    let key = rogue(&stage.scene.origin)?;
    let module = LyingModule {
        public: NoteKey::public_key_of(&vkey(&key))?,
        key,
    };
    let name = module.key.verifier_key().name().clone();
    let key = NoteKey::new(name, Arc::new(module))?;
    let checkpoint = Checkpoint {
        origin: stage.scene.origin.clone(),
        head: *stage.scene.newest.head(),
    };
    Ok(match SignedCheckpoint::sign(checkpoint, &[&key]) {
        Ok(_) => Finding::Unnoticed(None),
        Err(error) => Finding::Caught(Catch {
            check: error.code().as_str(),
            place: "a checkpoint to be published".to_owned(),
            detail: error.to_string(),
        }),
    })
}

const NO_CHANGE: &str = "no rotation of an ML-DSA-44 key";

/// What the ML-DSA-44 keys signed of the log's last rotation.
fn last_change(stage: &Stage<'_>) -> Result<Box<HybridChange>, Halt> {
    match stage.scene.entries.get(rotation(stage)?) {
        Some(Entry {
            body: Body::KeyRotate(rotation),
            ..
        }) => rotation.hybrid.clone().ok_or(Halt::NotHere(NO_CHANGE)),
        _ => Err(Halt::NotHere(NO_CHANGE)),
    }
}

/// Appends a rotation of both keys, whose Ed25519 part is sound: that key was stolen, or broken.
fn hybrid_rotated(
    stage: &Stage<'_>,
    change: impl Fn(&str) -> Result<Box<HybridChange>, Halt>,
) -> Acted {
    let (old, thief) = (current(stage)?, rogue(&stage.scene.origin)?);
    let stolen = stage.scene.keys.of(&old);
    let stolen = stolen.ok_or(Halt::NotHere("no stolen key"))?;
    let place = seq(stage.scene.entries.len());
    let message = |hybrid: &str| {
        let keys = [&*old, &*vkey(&thief)];
        KeyRotation::message(&stage.scene.origin, place, keys, Some(hybrid))
    };
    // Which key it is for is known once it is made.
    let named = change("")?.new;
    let message = message(&named);
    let rotation = KeyRotation {
        hybrid: Some(change(&message)?),
        new: vkey(&thief),
        signature_new: thief.sign_bytes(message.as_bytes()),
        signature_old: stolen.sign_bytes(message.as_bytes()),
        old,
    };
    appended(stage, rotation, &thief)
}

/// The key in force at the end of the log.
pub(super) fn current(stage: &Stage<'_>) -> Result<Arc<str>, Halt> {
    let keys = stage
        .scene
        .entries
        .iter()
        .rev()
        .find_map(|entry| match &entry.body {
            Body::KeyRotate(rotation) => Some(Arc::clone(&rotation.new)),
            Body::KeyRevoke(revocation) => Some(Arc::clone(&revocation.new)),
            Body::Genesis(genesis) => Some(Arc::clone(&genesis.checkpoint_key)),
            _ => None,
        });
    keys.ok_or(Halt::NotHere("no key"))
}

/// Appends a rotation to the key of `new`, with `by` signing in place of the old key.
fn rotated(
    stage: &Stage<'_>,
    origin: &str,
    old: &Arc<str>,
    by: &Ed25519Signer,
    new: &Ed25519Signer,
) -> Acted {
    let place = seq(stage.scene.entries.len());
    let message = KeyRotation::message(origin, place, [old, &vkey(new)], None);
    let rotation = KeyRotation {
        hybrid: None,
        new: vkey(new),
        old: Arc::clone(old),
        signature_new: new.sign_bytes(message.as_bytes()),
        signature_old: by.sign_bytes(message.as_bytes()),
    };
    appended(stage, rotation, new)
}

/// Appends a rotation, and the checkpoint of the thief's key, which it names.
fn appended(stage: &Stage<'_>, rotation: KeyRotation, thief: &Ed25519Signer) -> Acted {
    let mut entries = stage.entries();
    let place = seq(entries.len());
    let last = entries.last().map_or(0, |entry| entry.time.as_nanos());
    entries.push(Entry {
        seq: place,
        time: Timestamp::from_nanos(last.saturating_add(1)),
        id: RequestId::system(&format!("key_rotate:{place}"))?,
        by: None,
        request: None,
        body: Body::KeyRotate(rotation),
    });
    let mut export = stage.export();
    let head = export.rebuild(&entries.iter().map(encode).collect::<Vec<_>>())?;
    export.publish(&[stage.scene.keys.checkpoint(thief, head)?]);
    stage.audit(&export, Kept::Fingerprint)
}

/// Where the log's last rotation stands.
fn rotation(stage: &Stage<'_>) -> Result<usize, Halt> {
    let is = |entry: &Entry| matches!(entry.body, Body::KeyRotate(_));
    stage
        .scene
        .entries
        .iter()
        .rposition(is)
        .ok_or(Halt::NotHere("no key rotation"))
}

fn rotation_moved(stage: &Stage<'_>) -> Acted {
    let at = rotation(stage)?;
    let mut entries = stage.entries();
    let before = at.checked_sub(1).ok_or(Halt::NotHere("no key rotation"))?;
    let [one, other] = [before, at].map(|place| entries.get(place).cloned());
    let (Some(mut earlier), Some(mut moved)) = (one, other) else {
        return Err(Halt::NotHere("no key rotation"));
    };
    (earlier.seq, moved.seq) = (moved.seq, earlier.seq);
    (earlier.time, moved.time) = (moved.time, earlier.time);
    moved.id = RequestId::system(&format!("key_rotate:{}", moved.seq))?;
    entries.splice(before..=at, [moved, earlier]);
    stage.audit(&stage.forge_as_is(&entries)?, Kept::Fingerprint)
}

fn rotation_replayed(stage: &Stage<'_>) -> Acted {
    let at = rotation(stage)?;
    let mut entries = stage.entries();
    let Some(mut again) = entries.get(at).cloned() else {
        return Err(Halt::NotHere("no key rotation"));
    };
    again.seq = seq(entries.len());
    again.id = RequestId::system(&format!("key_rotate:{}", again.seq))?;
    let last = entries.last().map_or(0, |entry| entry.time.as_nanos());
    again.time = Timestamp::from_nanos(last.saturating_add(1));
    entries.push(again);
    stage.audit(&stage.forge_as_is(&entries)?, Kept::Fingerprint)
}

fn rotation_removed(stage: &Stage<'_>) -> Acted {
    let mut entries = stage.entries();
    entries.remove(rotation(stage)?);
    stage.audit(&stage.forge(entries)?, Kept::Checkpoint)
}
