//! Rewriting history with everything stolen: what remembers, and what does not yet.

use super::attack::{Attack, Expected, Finding, Halt, Kept};
use super::forgery::{plausible, raised};
use super::stage::{Stage, encode};
use crate::insider::{Export, cover};
use paygod_core::Entry;
use paygod_tlog::{Frontier, TreeHead, leaf_hash};

type Acted = Result<Finding, Halt>;

/// In the order of the table.
pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        name: "history-rewritten",
        story: "rewrote the past, covered every track, signed every checkpoint anew",
        kept: Kept::Fingerprint,
        expected: Expected::Open {
            why: "it is a valid log by the stolen key, and whoever kept only the fingerprint has nothing \
                  newer to compare it with",
            needs: "anchors, and an auditor who asks for them: `verify --bitcoin-headers` with \
                    `--anchored-within`, as the attack `anchored-anew` shows",
        },
        act: |stage| stage.audit(&rewritten(stage)?, Kept::Fingerprint),
    },
    Attack {
        name: "rewritten-since-checkpoint",
        story: "rewrote the past from before a checkpoint that somebody had kept",
        kept: Kept::Checkpoint,
        expected: Expected::Caught,
        act: |stage| stage.audit(&rewritten(stage)?, Kept::Checkpoint),
    },
    Attack {
        name: "rewritten-since-export",
        story: "rewrote the past from before an export that somebody had kept",
        kept: Kept::Export,
        expected: Expected::Caught,
        act: |stage| stage.audit(&rewritten(stage)?, Kept::Export),
    },
    Attack {
        name: "tail-rewritten",
        story: "rewrote only what came after the checkpoint that the auditor kept",
        kept: Kept::Checkpoint,
        expected: Expected::Open {
            why: "nobody outside has committed to anything newer than that checkpoint",
            needs: "witnesses that cosign every checkpoint, and an auditor who asks for them: verify --witnesses",
        },
        act: |stage| {
            let (_, export) = tail_rewritten(stage)?;
            Ok(match stage.audit(&export, Kept::Checkpoint)? {
                Finding::Unnoticed(_) => Finding::Unnoticed(Some(stage.exposed())),
                finding => finding,
            })
        },
    },
    Attack {
        name: "tail-rewritten-receipt",
        story: "rewrote the tail, with a payment in it whose payer had kept the receipt",
        kept: Kept::Receipt,
        expected: Expected::Caught,
        act: |stage| {
            let (index, export) = tail_rewritten(stage)?;
            stage.audit_receipt(&export, index)
        },
    },
    Attack {
        name: "tail-cut",
        story: "rolled the log back to the very checkpoint that the auditor kept",
        kept: Kept::Checkpoint,
        expected: Expected::Open {
            why: "the shorter log is true as far as it goes, and nobody outside knows that more was sealed",
            needs: "witnesses that cosign every checkpoint, and an auditor who asks for them: verify --witnesses",
        },
        act: tail_cut,
    },
];

/// The log with one payment changed, under checkpoints of the same sizes as were published.
pub(super) fn rewritten(stage: &Stage<'_>) -> Result<Export, Halt> {
    let mut entries = raised(stage)?.1;
    cover(&mut entries, &stage.scene.keys);
    let bytes: Vec<Vec<u8>> = entries.iter().map(encode).collect();
    let mut export = stage.export();
    let mut notes = Vec::new();
    for published in stage.scene.export.checkpoints() {
        let size = usize::try_from(published.head().size).unwrap_or(usize::MAX);
        let part = bytes.get(..size).unwrap_or(&bytes);
        notes.push(stage.sign(part, head_of(part))?);
    }
    export.rebuild(&bytes)?;
    export.publish(&notes);
    Ok(export)
}

fn head_of(bytes: &[Vec<u8>]) -> TreeHead {
    let mut frontier = Frontier::new();
    for entry in bytes {
        frontier.append(leaf_hash(entry));
    }
    frontier.head()
}

/// The log with a payment changed that came after the kept checkpoint, and where it stands.
pub(super) fn tail_rewritten(stage: &Stage<'_>) -> Result<(usize, Export), Halt> {
    let (index, entries) = tail(stage)?;
    Ok((index, stage.forge(entries)?))
}

fn tail(stage: &Stage<'_>) -> Result<(usize, Vec<Entry>), Halt> {
    let (index, entries) = plausible(stage, stage.scene.entries.len())?;
    if index < stage.scene.kept_len() {
        return Err(Halt::NotHere(
            "no payment after the checkpoint that was kept",
        ));
    }
    Ok((index, entries))
}

fn tail_cut(stage: &Stage<'_>) -> Acted {
    let kept = stage.scene.kept_len();
    if kept == stage.scene.bytes.len() {
        return Err(Halt::NotHere("nothing after the checkpoint that was kept"));
    }
    let bytes = stage.scene.bytes.get(..kept).unwrap_or(&[]).to_vec();
    let mut export = stage.export();
    export.rebuild(&bytes)?;
    export.publish(&[stage.scene.kept.to_bytes()]);
    Ok(match stage.audit(&export, Kept::Checkpoint)? {
        Finding::Unnoticed(_) => Finding::Unnoticed(Some(stage.exposed())),
        finding => finding,
    })
}
