//! Attacks on entries: their bytes, their places, their number.

use super::attack::{Attack, Expected, Finding, Halt, Kept};
use super::forgery::{raise, raised, tenfold};
use super::scene::{is_denied_payment, is_posted_payment};
use super::stage::{Stage, change, encode};
use crate::insider::{Export, edited};
use paygod_core::Entry;
use paygod_tlog::{Tile, TileKind};
use paygod_types::limits::ENTRY_BYTES_MAX;
use paygod_types::{RequestId, Timestamp};

type Acted = Result<Finding, Halt>;

/// In the order of the table.
pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        name: "bit-flipped",
        story: "flipped one bit of a sealed payment in the published files",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: bit_flipped,
    },
    Attack {
        name: "amount-edited",
        story: "made a sealed payment ten times larger, and changed nothing else",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: amount_edited,
    },
    Attack {
        name: "amount-edited-rebuilt",
        story: "made a payment ten times larger and rebuilt the tree, without a key to sign it",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: amount_edited_rebuilt,
    },
    Attack {
        name: "amount-edited-resigned",
        story: "made a payment ten times larger, rebuilt the tree, signed with the stolen key",
        kept: Kept::Checkpoint,
        expected: Expected::Caught,
        act: |stage| stage.audit(&stage.forge(raised(stage)?.1)?, Kept::Checkpoint),
    },
    Attack {
        name: "amount-edited-receipt",
        story: "made a payment ten times larger whose payer had kept the receipt",
        kept: Kept::Receipt,
        expected: Expected::Caught,
        act: |stage| {
            let (index, entries) = raised(stage)?;
            stage.audit_receipt(&stage.forge(entries)?, index)
        },
    },
    Attack {
        name: "amount-edited-old-export",
        story: "made a payment ten times larger that was in an export made earlier",
        kept: Kept::Export,
        expected: Expected::Caught,
        act: |stage| stage.audit(&stage.forge(raised(stage)?.1)?, Kept::Export),
    },
    Attack {
        name: "entries-swapped",
        story: "swapped two neighbouring payments, rebuilt the tree, signed with the stolen key",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: |stage| stage.audit(&stage.forge_as_is(&swapped(stage)?)?, Kept::Fingerprint),
    },
    Attack {
        name: "swapped-renumbered",
        story: "swapped two neighbouring payments, and put the numbers right",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: |stage| stage.audit(&stage.forge(swapped(stage)?)?, Kept::Fingerprint),
    },
    Attack {
        name: "middle-deleted",
        story: "took a denied payment out, rebuilt the tree, signed with the stolen key",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: |stage| {
            stage.audit(
                &stage.forge_as_is(&without_denied(stage)?)?,
                Kept::Fingerprint,
            )
        },
    },
    Attack {
        name: "deleted-renumbered",
        story: "took a denied payment out, renumbered the rest, sealed every snapshot anew",
        kept: Kept::Checkpoint,
        expected: Expected::Caught,
        act: |stage| {
            stage.audit(
                &stage.forge(without_known_denied(stage)?)?,
                Kept::Checkpoint,
            )
        },
    },
    Attack {
        name: "tail-deleted",
        story: "rolled the log back to before the last payments, signed the shorter one",
        kept: Kept::NewestCheckpoint,
        expected: Expected::Caught,
        act: tail_deleted,
    },
    Attack {
        name: "entry-inserted",
        story: "slipped a payment in between two others, all tracks covered",
        kept: Kept::Checkpoint,
        expected: Expected::Caught,
        act: entry_inserted,
    },
    Attack {
        name: "entry-duplicated",
        story: "sealed one payment twice, all tracks covered",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: entry_duplicated,
    },
    Attack {
        name: "id-replayed",
        story: "sealed a new payment under the id of an old one",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: id_replayed,
    },
    Attack {
        name: "clock-moved-back",
        story: "dated a payment before the one that precedes it",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: clock_moved_back,
    },
    Attack {
        name: "genesis-replaced",
        story: "gave the log another first entry",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: genesis_replaced,
    },
    Attack {
        name: "second-genesis",
        story: "began the book a second time in the middle of the log",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: second_genesis,
    },
    Attack {
        name: "whitespace-added",
        story: "spelled an entry with a blank more, the meaning unchanged",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: |stage| respelled(stage, "\"side\":\"debit\"", "\"side\": \"debit\""),
    },
    Attack {
        name: "keys-reordered",
        story: "spelled an entry with two keys in another order",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: keys_reordered,
    },
    Attack {
        name: "character-escaped",
        story: "spelled one letter of an entry as an escape",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: |stage| respelled(stage, "\"side\":\"debit\"", "\"side\":\"\\u0064ebit\""),
    },
    Attack {
        name: "key-duplicated",
        story: "gave an entry a second side, for readers who believe the last one",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: |stage| {
            respelled(
                stage,
                "\"side\":\"debit\"",
                "\"side\":\"debit\",\"side\":\"credit\"",
            )
        },
    },
    Attack {
        name: "unknown-key-added",
        story: "hid a remark in an entry under a key of its own",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: |stage| respelled(stage, "\"v\":1", "\"v\":1,\"w\":1"),
    },
    Attack {
        name: "amount-respelled",
        story: "spelled an amount with a leading zero",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: |stage| respelled(stage, "\"amount\":\"", "\"amount\":\"0"),
    },
    Attack {
        name: "entry-oversized",
        story: "wrote an entry longer than any length can say",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: entry_oversized,
    },
];

/// The bundle that holds the entry at a place, and what is left of it once an entry was changed.
fn rebundled(stage: &Stage<'_>, index: usize, entry: &[u8]) -> Result<Export, Halt> {
    let mut export = stage.export();
    let mut bytes = stage.scene.bytes.clone();
    change(&mut bytes, index, |old| *old = entry.to_vec());
    let mut forged = stage.export();
    forged.rebuild(&bytes)?;
    // Only the bundles are taken over: tiles and checkpoints stay as they were.
    for path in forged.paths("tile/entries/") {
        export.put(path, forged.get(path).unwrap_or(&[]));
    }
    Ok(export)
}

fn payment(stage: &Stage<'_>) -> Result<usize, Halt> {
    stage.scene.last("no posted payment", is_posted_payment)
}

fn bytes_of<'s>(stage: &'s Stage<'_>, index: usize) -> &'s [u8] {
    stage.scene.bytes.get(index).map_or(&[], Vec::as_slice)
}

/// The last digit of an amount becomes its neighbour; the entry still reads as one.
fn bit_flipped(stage: &Stage<'_>) -> Acted {
    let index = payment(stage)?;
    let mut entry = bytes_of(stage, index).to_vec();
    let key = b"\"amount\":\"";
    let amount = entry
        .windows(key.len())
        .position(|window| window == key)
        .map(|at| at.saturating_add(key.len()));
    let end =
        amount.and_then(|at| Some((at, entry.get(at..)?.iter().position(|byte| *byte == b'"')?)));
    let (at, length) = end.ok_or(Halt::NotHere("no posted payment"))?;
    let last = at.saturating_add(length).saturating_sub(1);
    change(&mut entry, last, |digit| *digit ^= 1);
    stage.audit(&rebundled(stage, index, &entry)?, Kept::Fingerprint)
}

fn amount_edited(stage: &Stage<'_>) -> Acted {
    let index = payment(stage)?;
    let mut entries = stage.entries();
    change(&mut entries, index, |entry| raise(entry, tenfold));
    let entry = entries.get(index).map(encode).unwrap_or_default();
    stage.audit(&rebundled(stage, index, &entry)?, Kept::Fingerprint)
}

fn amount_edited_rebuilt(stage: &Stage<'_>) -> Acted {
    let bytes: Vec<Vec<u8>> = raised(stage)?.1.iter().map(encode).collect();
    let mut export = stage.export();
    export.rebuild(&bytes)?;
    stage.audit(&export, Kept::Fingerprint)
}

fn swapped(stage: &Stage<'_>) -> Result<Vec<Entry>, Halt> {
    let mut entries = stage.entries();
    let pairs = entries
        .windows(2)
        .take(stage.scene.kept_len().saturating_sub(1));
    let at = pairs
        .map(|pair| pair.iter().all(is_posted_payment))
        .collect::<Vec<bool>>()
        .iter()
        .rposition(|both| *both)
        .ok_or(Halt::NotHere("no two neighbouring payments"))?;
    entries.swap(at, at.saturating_add(1));
    Ok(entries)
}

/// The entries without the last denied payment.
fn without_denied(stage: &Stage<'_>) -> Result<Vec<Entry>, Halt> {
    without(
        stage,
        stage.scene.last("no denied payment", is_denied_payment)?,
    )
}

/// The entries without the last denied payment that the kept checkpoint covers.
fn without_known_denied(stage: &Stage<'_>) -> Result<Vec<Entry>, Halt> {
    let what = "no denied payment that is in the checkpoint";
    without(stage, stage.scene.last_kept(what, is_denied_payment)?)
}

fn without(stage: &Stage<'_>, index: usize) -> Result<Vec<Entry>, Halt> {
    let mut entries = stage.entries();
    if index.saturating_add(1) >= entries.len() {
        return Err(Halt::NotHere("nothing after the denied payment"));
    }
    entries.remove(index);
    Ok(entries)
}

fn tail_deleted(stage: &Stage<'_>) -> Acted {
    let mut bytes = stage.scene.bytes.clone();
    let kept = stage.scene.kept_len();
    bytes.truncate(if kept < bytes.len() {
        kept
    } else {
        kept.saturating_sub(1)
    });
    stage.audit(&stage.forge_bytes(&bytes)?, Kept::NewestCheckpoint)
}

/// Where an entry can be slipped in that the kept checkpoint covers: between a payment and the entry
/// before it there is time for one more. Gives a copy of the payment, dated to go before it.
fn slot(stage: &Stage<'_>) -> Result<(usize, Entry), Halt> {
    let covered = stage.scene.entries.get(..stage.scene.kept_len());
    let pairs = covered.unwrap_or(&[]).windows(2).enumerate().rev();
    let mut places = pairs.filter_map(|(before, pair)| match pair {
        [one, next] if just_after(one.time) < next.time && is_posted_payment(next) => Some((
            before.saturating_add(1),
            Entry {
                time: just_after(one.time),
                ..next.clone()
            },
        )),
        _ => None,
    });
    places
        .next()
        .ok_or(Halt::NotHere("no gap before a payment"))
}

fn just_after(time: Timestamp) -> Timestamp {
    Timestamp::from_nanos(time.as_nanos().saturating_add(1))
}

fn entry_inserted(stage: &Stage<'_>) -> Acted {
    let (at, mut payment) = slot(stage)?;
    payment.id = RequestId::parse("one-more-payment")?;
    let mut entries = stage.entries();
    entries.insert(at, payment);
    stage.audit(&stage.forge(entries)?, Kept::Checkpoint)
}

fn entry_duplicated(stage: &Stage<'_>) -> Acted {
    let (at, payment) = slot(stage)?;
    let mut entries = stage.entries();
    entries.insert(at, payment);
    stage.audit(&stage.forge(entries)?, Kept::Fingerprint)
}

fn id_replayed(stage: &Stage<'_>) -> Acted {
    let old = stage.scene.first("no posted payment", is_posted_payment)?;
    let last = stage
        .scene
        .entries
        .iter()
        .rposition(is_posted_payment)
        .filter(|last| *last > old);
    let last = last.ok_or(Halt::NotHere("no second payment"))?;
    let mut entries = stage.entries();
    let id = entries.get(old).map(|entry| entry.id.clone());
    change(&mut entries, last, |entry| {
        entry.id = id.unwrap_or_else(|| entry.id.clone())
    });
    stage.audit(&stage.forge_as_is(&entries)?, Kept::Fingerprint)
}

fn clock_moved_back(stage: &Stage<'_>) -> Acted {
    let index = payment(stage)?;
    let mut entries = stage.entries();
    let before = index
        .checked_sub(1)
        .and_then(|before| entries.get(before))
        .map(|entry| entry.time);
    let back = before.and_then(|time| time.as_nanos().checked_sub(1_000_000_000));
    change(&mut entries, index, |entry| {
        entry.time = Timestamp::from_nanos(back.unwrap_or(0))
    });
    stage.audit(&stage.forge(entries)?, Kept::Fingerprint)
}

fn genesis_replaced(stage: &Stage<'_>) -> Acted {
    let mut entries = stage.entries();
    change(&mut entries, 0, |genesis| {
        genesis.time = just_after(genesis.time)
    });
    stage.audit(&stage.forge(entries)?, Kept::Fingerprint)
}

fn second_genesis(stage: &Stage<'_>) -> Acted {
    let index = payment(stage)?;
    let mut entries = stage.entries();
    let genesis = entries.first().cloned();
    change(&mut entries, index, |entry| {
        if let Some(genesis) = genesis {
            *entry = Entry {
                seq: entry.seq,
                time: entry.time,
                ..genesis
            };
        }
    });
    stage.audit(&stage.forge_as_is(&entries)?, Kept::Fingerprint)
}

/// Puts another spelling in place of a payment's, and signs it with the stolen key.
fn respelled(stage: &Stage<'_>, from: &str, to: &str) -> Acted {
    let index = payment(stage)?;
    let entry =
        edited(bytes_of(stage, index), from, to).ok_or(Halt::NotHere("no such spelling"))?;
    signed_with(stage, index, entry)
}

fn signed_with(stage: &Stage<'_>, index: usize, entry: Vec<u8>) -> Acted {
    let mut bytes = stage.scene.bytes.clone();
    change(&mut bytes, index, |old| *old = entry);
    stage.audit(&stage.forge_bytes(&bytes)?, Kept::Fingerprint)
}

fn keys_reordered(stage: &Stage<'_>) -> Acted {
    let index = payment(stage)?;
    let text = String::from_utf8_lossy(bytes_of(stage, index)).into_owned();
    let Some((head, version)) = text
        .strip_suffix('}')
        .and_then(|text| text.rsplit_once(",\"v\":"))
    else {
        return Err(Halt::NotHere("no such spelling"));
    };
    let rest = head.strip_prefix('{').unwrap_or(head);
    signed_with(
        stage,
        index,
        format!("{{\"v\":{version},{rest}}}").into_bytes(),
    )
}

fn entry_oversized(stage: &Stage<'_>) -> Acted {
    let index = payment(stage)?;
    let long = vec![b' '; ENTRY_BYTES_MAX.saturating_add(1)];
    let mut export = stage.export();
    let size = stage.scene.newest.head().size;
    let bundle = Tile::row(TileKind::Entries, size)
        .nth(index / usize::from(paygod_tlog::limits::TILE_WIDTH));
    let Some(bundle) = bundle else {
        return Err(Halt::NotHere("no posted payment"));
    };
    let first = usize::try_from(bundle.index())
        .unwrap_or(0)
        .saturating_mul(usize::from(paygod_tlog::limits::TILE_WIDTH));
    let mut bytes = Vec::new();
    for (at, entry) in (first..).zip(
        stage
            .scene
            .bytes
            .iter()
            .skip(first)
            .take(bundle.width().into()),
    ) {
        let entry = if at == index { &long } else { entry };
        // The length has 16 bits: what is over is lost.
        let [.., high, low] = entry.len().to_be_bytes();
        bytes.extend_from_slice(&[high, low]);
        bytes.extend_from_slice(entry);
    }
    export.put(&bundle.path(), bytes);
    stage.audit(&export, Kept::Fingerprint)
}
