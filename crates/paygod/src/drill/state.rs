//! Attacks on what the log says of its own state: sealed snapshots.

use super::attack::{Attack, Expected, Finding, Halt, Kept};
use super::stage::{Stage, change, seq};
use paygod_core::entry::{Body, SnapshotClaim};
use paygod_types::Digest;

type Acted = Result<Finding, Halt>;

/// In the order of the table.
pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        name: "snapshot-digest-edited",
        story: "sealed another digest of the state, to pass off an edited snapshot",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: |stage| claimed(stage, |claim, _| claim.digest = Digest::sha256(b"richer")),
    },
    Attack {
        name: "snapshot-of-the-future",
        story: "sealed the digest of a state that had not come to be",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: |stage| {
            claimed(stage, |claim, place| {
                claim.of = seq(place.saturating_add(5))
            })
        },
    },
    Attack {
        name: "snapshot-accounts-miscounted",
        story: "sealed a snapshot of more accounts than were opened",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: |stage| {
            claimed(stage, |claim, _| {
                claim.accounts = claim.accounts.saturating_add(100)
            })
        },
    },
];

fn claimed(stage: &Stage<'_>, by: fn(&mut SnapshotClaim, usize)) -> Acted {
    let is = |body: &Body| matches!(body, Body::Snapshot(_));
    let index = stage
        .scene
        .entries
        .iter()
        .rposition(|entry| is(&entry.body));
    let index = index.ok_or(Halt::NotHere("no sealed snapshot"))?;
    let mut entries = stage.entries();
    change(&mut entries, index, |entry| {
        if let Body::Snapshot(claim) = &mut entry.body {
            by(claim, index);
        }
    });
    stage.audit(&stage.forge_as_is(&entries)?, Kept::Fingerprint)
}
