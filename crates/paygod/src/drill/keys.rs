//! Attacks on the history of the log's keys.

use super::attack::{Attack, Expected, Finding, Halt, Kept};
use super::stage::{Stage, encode, seq};
use crate::insider::{rogue, vkey};
use paygod_core::Entry;
use paygod_core::entry::{Body, KeyRotation};
use paygod_tlog::Ed25519Signer;
use paygod_types::{RequestId, Timestamp};
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
];

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
    let mut entries = stage.entries();
    let place = seq(entries.len());
    let message = KeyRotation::message(origin, place, old, &vkey(new));
    let rotation = KeyRotation {
        new: vkey(new),
        old: Arc::clone(old),
        signature_new: new.sign_bytes(message.as_bytes()),
        signature_old: by.sign_bytes(message.as_bytes()),
    };
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
    export.publish(&[stage.scene.keys.checkpoint(new, head)?]);
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
