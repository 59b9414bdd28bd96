//! Attacks on checkpoints: what is signed, by whom, in which order, and to whom it is shown.

use super::attack::{Attack, Expected, Finding, Halt, Kept};
use super::forgery::raised;
use super::stage::{Stage, encode};
use crate::fault::Fault;
use crate::insider::{CHECKPOINT, rogue};
use paygod_core::entry::Body;
use paygod_tlog::{
    Checkpoint, Ed25519Signer, NoteSignature, SignedCheckpoint, TreeHead, VerifierKey, cosign,
};

type Acted = Result<Finding, Halt>;

/// In the order of the table.
pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        name: "log-forked",
        story: "kept two histories, and showed this auditor the other one",
        kept: Kept::NewestCheckpoint,
        expected: Expected::Caught,
        act: |stage| stage.audit(&stage.forge(raised(stage)?.1)?, Kept::NewestCheckpoint),
    },
    Attack {
        name: "two-checkpoints-one-size",
        story: "signed two different trees of one size and published both",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: two_of_one_size,
    },
    Attack {
        name: "checkpoint-rolled-back",
        story: "showed an earlier checkpoint as the last one",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: rolled_back,
    },
    Attack {
        name: "checkpoints-reordered",
        story: "published the last two checkpoints the other way round",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: reordered,
    },
    Attack {
        name: "checkpoint-size-edited",
        story: "lowered the size that a checkpoint says, and left its signature",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: size_edited,
    },
    Attack {
        name: "signer-unknown",
        story: "signed with a key of their own under the log's name",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: |stage| signed_by(stage, &rogue(&stage.scene.origin)?),
    },
    Attack {
        name: "signer-retired",
        story: "signed the newest checkpoint with the key that was rotated out",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: retired_signer,
    },
    Attack {
        name: "checkpoint-of-another-log",
        story: "signed the tree under the name of another log, with the stolen key",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: another_origin,
    },
    Attack {
        name: "ml-dsa-missing",
        story: "broke the Ed25519 key and signed with it alone, without an ML-DSA-44 cosignature",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: |stage| with_cosignature(stage, None),
    },
    Attack {
        name: "ml-dsa-swapped",
        story: "put the ML-DSA-44 cosignature of an earlier checkpoint under the newest one",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: |stage| {
            let checkpoints = stage.export().checkpoints();
            let earlier = checkpoints.len().checked_sub(2);
            let earlier = earlier.and_then(|place| checkpoints.get(place));
            let earlier = earlier.ok_or(Halt::NotHere("no earlier checkpoint"))?;
            with_cosignature(stage, Some(earlier))
        },
    },
    Attack {
        name: "ml-dsa-retired",
        story: "cosigned the newest checkpoint with the ML-DSA-44 key that was rotated out",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: retired_cosigner,
    },
    Attack {
        name: "checkpoint-garbled",
        story: "wrote a checkpoint that is none",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: |stage| {
            let mut export = stage.export();
            export.put(CHECKPOINT, *b"trust me\n");
            stage.audit(&export, Kept::Fingerprint)
        },
    },
];

fn notes(checkpoints: &[SignedCheckpoint]) -> Vec<Vec<u8>> {
    checkpoints.iter().map(SignedCheckpoint::to_bytes).collect()
}

fn two_of_one_size(stage: &Stage<'_>) -> Acted {
    let mut export = stage.export();
    let mut published = notes(&export.checkpoints());
    let bytes: Vec<Vec<u8>> = raised(stage)?.1.iter().map(encode).collect();
    let head = stage.export().rebuild(&bytes)?;
    // The true one stays the last, so that nothing but the pair gives it away.
    let place = published.len().saturating_sub(1);
    published.insert(place, stage.sign(&bytes, head)?);
    export.publish(&published);
    stage.audit(&export, Kept::Fingerprint)
}

fn rolled_back(stage: &Stage<'_>) -> Acted {
    let mut export = stage.export();
    let checkpoints = export.checkpoints();
    let earlier = checkpoints
        .len()
        .checked_sub(2)
        .and_then(|place| checkpoints.get(place));
    let earlier = earlier.ok_or(Halt::NotHere("no earlier checkpoint"))?;
    let mut shorter = stage.scene.bytes.clone();
    shorter.truncate(usize::try_from(earlier.head().size).unwrap_or(usize::MAX));
    // The files are those of the shorter log; only the list of what was published tells.
    export.rebuild(&shorter)?;
    export.put(CHECKPOINT, earlier.to_bytes());
    stage.audit(&export, Kept::Fingerprint)
}

fn reordered(stage: &Stage<'_>) -> Acted {
    let mut export = stage.export();
    let mut published = notes(&export.checkpoints());
    let (Some(last), Some(before)) = (published.pop(), published.pop()) else {
        return Err(Halt::NotHere("no earlier checkpoint"));
    };
    published.extend([last.clone(), before]);
    export.publish(&published);
    export.put(CHECKPOINT, last);
    stage.audit(&export, Kept::Fingerprint)
}

fn size_edited(stage: &Stage<'_>) -> Acted {
    let text = String::from_utf8_lossy(&stage.scene.newest.to_bytes()).into_owned();
    let size = stage.scene.newest.head().size;
    let smaller = text.replacen(
        &format!("\n{size}\n"),
        &format!("\n{}\n", size.saturating_sub(1)),
        1,
    );
    let mut bytes = stage.scene.bytes.clone();
    bytes.pop();
    let mut export = stage.export();
    export.rebuild(&bytes)?;
    export.publish(&[smaller.into_bytes()]);
    stage.audit(&export, Kept::Fingerprint)
}

/// The true tree, signed by somebody.
fn signed_by(stage: &Stage<'_>, signer: &Ed25519Signer) -> Acted {
    let mut export = stage.export();
    export.publish(&[stage
        .scene
        .keys
        .checkpoint(signer, *stage.scene.newest.head())?]);
    stage.audit(&export, Kept::Fingerprint)
}

/// The true tree under the key in force, with the ML-DSA-44 cosignature of another checkpoint or none.
fn with_cosignature(stage: &Stage<'_>, of: Option<&SignedCheckpoint>) -> Acted {
    let [.., hybrid] = hybrid_keys(stage)[..] else {
        return Err(Halt::NotHere("no hybrid checkpoint"));
    };
    let id = VerifierKey::parse(hybrid)?.id();
    let lines = of.map_or(&[][..], |of| of.note().signatures());
    cosigned(stage, lines.iter().filter(|line| line.id == id).cloned())
}

/// The log's ML-DSA-44 keys, oldest first.
fn hybrid_keys<'s>(stage: &'s Stage<'_>) -> Vec<&'s str> {
    let keys = stage.scene.entries.iter();
    keys.filter_map(|entry| match &entry.body {
        Body::Genesis(genesis) => genesis.hybrid_key.as_deref(),
        Body::KeyRotate(rotation) => rotation.hybrid.as_ref().map(|change| &*change.new),
        _ => None,
    })
    .collect()
}

fn retired_cosigner(stage: &Stage<'_>) -> Acted {
    let [.., retired, _] = hybrid_keys(stage)[..] else {
        return Err(Halt::NotHere("no rotation of an ML-DSA-44 key"));
    };
    let stolen = stage.scene.keys.hybrid_of(retired);
    let stolen = stolen.ok_or(Halt::NotHere("no stolen ML-DSA-44 key"))?;
    let text = stage.scene.newest.note().text();
    let line = cosign(stolen, text, 0).map_err(Fault::from)?;
    cosigned(stage, [line])
}

/// The true tree under the key in force, with these cosignatures.
fn cosigned(stage: &Stage<'_>, lines: impl IntoIterator<Item = NoteSignature>) -> Acted {
    let head: TreeHead = *stage.scene.newest.head();
    let signer = stage.scene.keys.at(&stage.scene.entries, head.size)?;
    let origin = stage.scene.origin.clone();
    let signed = SignedCheckpoint::sign(Checkpoint { origin, head }, &[signer]);
    let mut signed = signed.map_err(Fault::from)?;
    for line in lines {
        let added = signed.note_mut().add_signature(line);
        added.map_err(Fault::from)?;
    }
    let mut export = stage.export();
    export.publish(&[signed.to_bytes()]);
    stage.audit(&export, Kept::Fingerprint)
}

fn retired_signer(stage: &Stage<'_>) -> Acted {
    let rotation = stage
        .scene
        .entries
        .iter()
        .rev()
        .find_map(|entry| match &entry.body {
            Body::KeyRotate(rotation) => Some(rotation),
            _ => None,
        });
    let rotation = rotation.ok_or(Halt::NotHere("no key rotation"))?;
    let old = stage
        .scene
        .keys
        .of(&rotation.old)
        .ok_or(Halt::NotHere("no key that was rotated out"))?;
    signed_by(stage, old)
}

fn another_origin(stage: &Stage<'_>) -> Acted {
    let head: TreeHead = *stage.scene.newest.head();
    let signer = stage.scene.keys.at(&stage.scene.entries, head.size)?;
    let checkpoint = Checkpoint {
        origin: "elsewhere.example/book".to_owned(),
        head,
    };
    let note = SignedCheckpoint::sign(checkpoint, &[signer])
        .map_err(Fault::from)?
        .to_bytes();
    let mut export = stage.export();
    export.publish(&[note]);
    stage.audit(&export, Kept::Fingerprint)
}
