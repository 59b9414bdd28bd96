//! Attacks on a log that witnesses have cosigned: the thief has every key of the book, and none of theirs.

use super::attack::{Attack, Expected, Finding, Halt, Kept};
use super::history::tail_rewritten;
use super::stage::{Stage, noticed};
use crate::fault::Fault;
use paygod_anchor::witness::{Refusal, Witness, http, logs};
use paygod_store::WITNESSED_NAME;
use paygod_tlog::{
    AddCheckpoint, Cosigner, KeyName, MlDsa44Cosigner, SignedCheckpoint, TlogPolicy, VerifierKey,
    cosign,
};
use paygod_types::code;
use std::path::Path;

type Acted = Result<Finding, Halt>;

/// A day, in seconds.
const DAY_S: u64 = 86_400;

/// In the order of the table.
pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        name: "tail-rewritten-and-witness-asked",
        story: "rewrote what nobody had kept, and asked a witness to cosign it",
        kept: Kept::Witness,
        expected: Expected::Caught,
        act: witness_asked,
    },
    Attack {
        name: "tail-rewritten-witnessed",
        story: "rewrote the same, and showed what the witness had cosigned before",
        kept: Kept::Witness,
        expected: Expected::Caught,
        act: |stage| {
            let (_, mut export) = tail_rewritten(stage)?;
            export.put(WITNESSED_NAME, cosigned(stage, &[(1, 0)])?);
            stage.audit_witnessed(&export, &policy("one")?)
        },
    },
    Attack {
        name: "cosignatures-left-out",
        story: "rewrote the same, and showed no witnessed checkpoint at all",
        kept: Kept::Witness,
        expected: Expected::Caught,
        act: |stage| {
            let (_, mut export) = tail_rewritten(stage)?;
            export.take(WITNESSED_NAME);
            stage.audit_witnessed(&export, &policy("one")?)
        },
    },
    Attack {
        name: "witness-counted-twice",
        story: "had one witness cosign twice, to pass for the two that the auditor asks for",
        kept: Kept::Witness,
        expected: Expected::Caught,
        act: |stage| {
            let mut export = stage.export();
            export.put(WITNESSED_NAME, cosigned(stage, &[(1, 0), (1, 1)])?);
            stage.audit_witnessed(&export, &policy("both")?)
        },
    },
    Attack {
        name: "witness-under-two-names",
        story: "talked the auditor into a policy that has one witness's key under two names",
        kept: Kept::Witness,
        expected: Expected::Caught,
        act: |_| {
            let key = key(1)?;
            let renamed = VerifierKey::new(
                KeyName::parse("another.witness.example")?,
                key.kind(),
                key.public_key(),
            )?;
            let text = format!(
                "witness one {key}\nwitness two {renamed}\ngroup both all one two\nquorum both\n"
            );
            Ok(match TlogPolicy::parse(text.as_bytes()) {
                Ok(_) => Finding::Unnoticed(None),
                Err(error) => noticed(&error.into(), "the policy"),
            })
        },
    },
    Attack {
        name: "cosignature-from-the-future",
        story: "had a witness with a wrong clock cosign as of tomorrow, to pass for fresh later",
        kept: Kept::Witness,
        expected: Expected::Caught,
        act: |stage| {
            let mut export = stage.export();
            export.put(WITNESSED_NAME, cosigned(stage, &[(1, DAY_S)])?);
            stage.audit_witnessed(&export, &policy("one")?)
        },
    },
];

/// A witness by its number.
fn witness(number: u8) -> Result<MlDsa44Cosigner, Fault> {
    let name = KeyName::parse(&format!("w{number}.witness.example"))?;
    Ok(MlDsa44Cosigner::new(name, &[number; 32])?)
}

fn key(number: u8) -> Result<VerifierKey, Fault> {
    Ok(witness(number)?.verifier_key().clone())
}

/// What the auditor demands: one witness, or both of two.
fn policy(quorum: &str) -> Result<TlogPolicy, Fault> {
    let text = format!(
        "witness one {}\nwitness two {}\ngroup both all one two\nquorum {quorum}\n",
        key(1)?,
        key(2)?
    );
    Ok(TlogPolicy::parse(text.as_bytes())?)
}

/// The true newest checkpoint as these witnesses cosigned it, each so many seconds from now.
fn cosigned(stage: &Stage<'_>, by: &[(u8, u64)]) -> Result<Vec<u8>, Fault> {
    let mut signed: SignedCheckpoint = stage.scene.newest.clone();
    for (number, ahead_s) in by {
        let time = http::now().saturating_add(*ahead_s);
        let line = cosign(&witness(*number)?, signed.note().text(), time)?;
        signed.note_mut().add_signature(line)?;
    }
    Ok(signed.to_bytes())
}

/// The witness has cosigned the true checkpoint; then comes the thief's.
fn witness_asked(stage: &Stage<'_>) -> Acted {
    let (_, export) = tail_rewritten(stage)?;
    let dir = stage.path("witness");
    let newest = &stage.scene.newest;
    let forged = export.checkpoints();
    let forged = forged.last().ok_or(Halt::NotHere("no checkpoint"))?;
    let watching = watching(&dir, stage)?;
    let ask = |old: u64, signed: &SignedCheckpoint| {
        let note = signed.note().clone();
        let proof = Vec::new();
        watching.add_checkpoint(&AddCheckpoint { old, proof, note }.to_bytes(), http::now())
    };
    ask(0, newest).map_err(|refusal| failed(&refusal))?;
    Ok(match ask(newest.head().size, forged) {
        Ok(_) => Finding::Unnoticed(None),
        Err(refusal) => noticed(
            &failed(&refusal),
            format!("checkpoint {}", forged.head().size),
        ),
    })
}

/// A witness that knows the key in force.
fn watching(dir: &Path, stage: &Stage<'_>) -> Result<Witness, Fault> {
    let scene = stage.scene;
    let signer = scene.keys.at(&scene.entries, scene.newest.head().size)?;
    let vkey = VerifierKey::parse(&crate::insider::vkey(signer))?;
    logs::add_key(dir, &scene.origin, &vkey)?;
    Ok(Witness::open(dir, vec![Box::new(witness(1)?)])?)
}

fn failed(refusal: &Refusal) -> Fault {
    let code = match refusal {
        Refusal::Inconsistent(_) => code::WITNESS_FORK,
        _ => code::WITNESS_REFUSED,
    };
    Fault::of(code, refusal)
}
