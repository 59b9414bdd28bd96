//! Attacks on the root of trust and on revocations, and by a thief whose key was revoked.

use super::attack::{Attack, Expected, Finding, Halt, Kept};
use super::keys::current;
use super::stage::{Stage, change, encode, seq};
use crate::fault::Fault;
use crate::insider::{rogue, vkey};
use paygod_core::ceremony::RevocationText;
use paygod_core::entry::{Body, KeyRevocation, KeyRotation, RootSignature};
use paygod_core::key_policy::KeyPolicy;
use paygod_core::{Entry, RequestRef};
use paygod_tlog::{Ed25519Signer, NoteSigner, SignedNote};
use paygod_types::{Digest, RequestId, Seq, Timestamp};
use std::sync::Arc;

type Acted = Result<Finding, Halt>;

/// In the order of the table.
pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        name: "roots-replaced",
        story: "put root keys of their own into genesis, to revoke with them later",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: roots_replaced,
    },
    Attack {
        name: "revocation-forged",
        story: "revoked the log's key in favour of their own, with one root key too few",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: |stage| {
            let revocation = revocation(stage, &stage.scene.origin, &too_few(stage)?)?;
            revoked(stage, vec![revocation])
        },
    },
    Attack {
        name: "revocation-by-one-root-twice",
        story: "counted one stolen root key as often as was needed",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: |stage| {
            let mut revocation = revocation(stage, &stage.scene.origin, &too_few(stage)?)?;
            let again = revocation.signatures.first().cloned();
            revocation.signatures.extend(again);
            revoked(stage, vec![revocation])
        },
    },
    Attack {
        name: "revocation-of-another-log",
        story: "sealed a revocation that enough root keys signed for another log",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: |stage| {
            let revocation = revocation(stage, "elsewhere.example/book", &roots(stage)?)?;
            revoked(stage, vec![revocation])
        },
    },
    Attack {
        name: "revocation-replayed",
        story: "sealed the log's own revocation a second time",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: |stage| {
            let revocation = revocation(stage, &stage.scene.origin, &roots(stage)?)?;
            revoked(stage, vec![revocation.clone(), revocation])
        },
    },
    Attack {
        name: "revoked-key-signs-on",
        story: "hid the revocation and went on signing with the revoked key",
        kept: Kept::Revocation,
        expected: Expected::Caught,
        act: signs_on,
    },
    Attack {
        name: "revoked-key-rotates",
        story: "hid the revocation and rotated from the revoked key to one of their own",
        kept: Kept::Revocation,
        expected: Expected::Caught,
        act: rotates,
    },
    Attack {
        name: "revoked-key-rotates-early",
        story: "hid the revocation, and a rotation to their own key before its last good entry",
        kept: Kept::Revocation,
        expected: Expected::Caught,
        act: rotates_early,
    },
];

/// The drill's root keys.
fn roots<'s>(stage: &'s Stage<'_>) -> Result<Vec<&'s Ed25519Signer>, Halt> {
    if stage.scene.roots.is_empty() {
        return Err(Halt::NotHere("no root key in the thief's hands"));
    }
    Ok(stage.scene.roots.iter().collect())
}

/// One root key: the drill's own book needs two.
fn too_few<'s>(stage: &'s Stage<'_>) -> Result<Vec<&'s Ed25519Signer>, Halt> {
    Ok(roots(stage)?.into_iter().take(1).collect())
}

/// A revocation of the key in force, in favour of the thief's, past all that is sealed so far.
fn revocation(
    stage: &Stage<'_>,
    origin: &str,
    roots: &[&Ed25519Signer],
) -> Result<KeyRevocation, Halt> {
    let thief = rogue(&stage.scene.origin)?;
    let text = text(stage, origin, &thief)?;
    let message = text.to_text();
    let mut signatures: Vec<RootSignature> = roots
        .iter()
        .map(|root| RootSignature {
            key: vkey(root),
            signature: root.sign_bytes(message.as_bytes()),
        })
        .collect();
    signatures.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(KeyRevocation {
        hybrid: None,
        last_good: text.last_good,
        signature_new: thief.sign_bytes(message.as_bytes()),
        signatures,
        new: text.new,
        revoked: text.revoked,
    })
}

fn text(stage: &Stage<'_>, origin: &str, new: &Ed25519Signer) -> Result<RevocationText, Halt> {
    let size = stage.scene.newest.head().size;
    Ok(RevocationText {
        origin: origin.into(),
        revoked: current(stage)?,
        last_good: Seq(size.saturating_sub(1)),
        new: vkey(new),
        hybrid: None,
    })
}

/// Appends revocations; the thief's key, which they name, signs what comes of it.
fn revoked(stage: &Stage<'_>, revocations: Vec<KeyRevocation>) -> Acted {
    let mut entries = stage.entries();
    for revocation in revocations {
        append(&mut entries, "key_revoke", Body::KeyRevoke(revocation))?;
    }
    let mut export = stage.export();
    let head = export.rebuild(&entries.iter().map(encode).collect::<Vec<_>>())?;
    let thief = rogue(&stage.scene.origin)?;
    export.publish(&[stage.scene.keys.checkpoint(&thief, head)?]);
    stage.audit(&export, Kept::Fingerprint)
}

fn append(entries: &mut Vec<Entry>, action: &str, body: Body) -> Result<(), Fault> {
    let place = seq(entries.len());
    let last = entries.last().map_or(0, |entry| entry.time.as_nanos());
    entries.push(Entry {
        seq: place,
        time: Timestamp::from_nanos(last.saturating_add(1)),
        id: RequestId::system(&format!("{action}:{place}"))?,
        by: None,
        request: None,
        body,
    });
    Ok(())
}

fn roots_replaced(stage: &Stage<'_>) -> Acted {
    let mut entries = stage.entries();
    let thief = rogue(&format!("root.{}", stage.scene.origin))?;
    change(&mut entries, 0, |entry| {
        if let Body::Genesis(genesis) = &mut entry.body {
            genesis.root_keys = vec![vkey(&thief)];
            genesis.root_threshold = 1;
        }
    });
    stage.audit(&stage.forge(entries)?, Kept::Fingerprint)
}

/// What the owners of the log gave to auditors after the theft: the key in force revoked past the kept
/// checkpoint.
fn published_revocation(stage: &Stage<'_>) -> Result<Vec<u8>, Halt> {
    let owners =
        crate::insider::signer(&stage.scene.origin, Digest::sha256(b"the replacement key"))?;
    let text = RevocationText {
        last_good: Seq(stage.scene.kept.head().size.saturating_sub(1)),
        ..text(stage, &stage.scene.origin, &owners)?
    };
    let mut signers: Vec<&dyn NoteSigner> = vec![&owners];
    for root in roots(stage)? {
        signers.push(root);
    }
    let note = SignedNote::sign(&text.to_text(), &signers).map_err(Fault::from)?;
    Ok(note.to_bytes())
}

fn signs_on(stage: &Stage<'_>) -> Acted {
    let note = published_revocation(stage)?;
    stage.audit_revocation(&stage.export(), note)
}

fn rotates(stage: &Stage<'_>) -> Acted {
    rotated(stage, stage.scene.kept_len(), false)
}

/// What the revoked key signs is its last good entry; all after it is signed by the thief's key.
fn rotates_early(stage: &Stage<'_>) -> Acted {
    rotated(stage, stage.scene.kept_len().saturating_sub(1), true)
}

/// The log up to `len`, then a rotation from the revoked key to the thief's, and one entry more if asked for.
fn rotated(stage: &Stage<'_>, len: usize, goes_on: bool) -> Acted {
    let note = published_revocation(stage)?;
    let old = current(stage)?;
    let stolen = stage.scene.keys.of(&old);
    let stolen = stolen.ok_or(Halt::NotHere("no stolen key"))?;
    let thief = rogue(&stage.scene.origin)?;
    let mut entries = stage.entries();
    entries.truncate(len);
    let place = seq(entries.len());
    let keys = [&*old, &*vkey(&thief)];
    let message = KeyRotation::message(&stage.scene.origin, place, keys, None);
    let rotation = KeyRotation {
        hybrid: None,
        new: vkey(&thief),
        signature_new: thief.sign_bytes(message.as_bytes()),
        signature_old: stolen.sign_bytes(message.as_bytes()),
        old: Arc::clone(&old),
    };
    append(&mut entries, "key_rotate", Body::KeyRotate(rotation))?;
    if goes_on {
        append(
            &mut entries,
            "key_policy",
            Body::KeyPolicy(KeyPolicy::default()),
        )?;
        if let Some(entry) = entries.last_mut() {
            entry.id = RequestId::parse("keys-as-before")?;
            entry.request = Some(RequestRef::Digest(Digest::sha256(b"keys-as-before")));
        }
    }
    let mut export = stage.export();
    let head = export.rebuild(&entries.iter().map(encode).collect::<Vec<_>>())?;
    export.publish(&[stage.scene.keys.checkpoint(&thief, head)?]);
    stage.audit_revocation(&export, note)
}
