//! Attacks on the book's own folder. The operator opens it as on every day, and what it then exports
//! is verified by somebody who kept the last checkpoint.

use super::attack::{Attack, Expected, Finding, Halt, Kept};
use super::forgery::folds;
use super::scene::{is_posted_payment, payment};
use super::stage::{Stage, change, noticed, seq, shown};
use crate::fault::Fault;
use crate::insider::{CHECKPOINT, Export, edit_segment, wipe_derived};
use paygod_core::{Entry, RequestRef};
use paygod_service::ledger::{InputState, Ledger, OpenOptions};
use paygod_types::code;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

type Acted = Result<Finding, Halt>;

/// In the order of the table.
pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        name: "segment-byte-flipped",
        story: "flipped one bit of a sealed payment on the disk",
        kept: Kept::Book,
        expected: Expected::Caught,
        act: |stage| segment(stage, flip_middle),
    },
    Attack {
        name: "segment-edited-mended",
        story: "edited a sealed amount on the disk and put its checksum right",
        kept: Kept::Book,
        expected: Expected::Caught,
        act: |stage| {
            segment(stage, |record| {
                edit_amount(record);
                mend(record);
            })
        },
    },
    Attack {
        name: "segment-tail-wiped",
        story: "wiped the last entries off the disk, as if they had never been",
        kept: Kept::Book,
        expected: Expected::Caught,
        act: tail_wiped,
    },
    Attack {
        name: "torn-tail",
        story: "cut the power in the middle of a write: half a record at the end",
        kept: Kept::Book,
        expected: Expected::Harmless("what was never acknowledged is cut when the book is opened"),
        act: torn_tail,
    },
    Attack {
        name: "tree-file-edited",
        story: "changed one hash in the files of the tree",
        kept: Kept::Book,
        expected: Expected::Harmless("the files of the tree are made anew from the entries"),
        act: |stage| file(stage, "tree", |bytes| flip(bytes, 100)),
    },
    Attack {
        name: "index-edited",
        story: "changed the index of request ids, to have a payment made twice",
        kept: Kept::Book,
        expected: Expected::Harmless(
            "an index is only a hint: it is checked and made anew from the entries",
        ),
        act: |stage| file(stage, "index", |bytes| flip_middle(bytes)),
    },
    Attack {
        name: "snapshot-edited",
        story: "changed a byte in the snapshot of the state",
        kept: Kept::Book,
        expected: Expected::Harmless(
            "a snapshot whose checksum is wrong is not used: the entries are folded anew",
        ),
        act: |stage| file(stage, "snapshots", |bytes| flip_middle(bytes)),
    },
    Attack {
        name: "snapshot-edited-mended",
        story: "changed the state in the snapshot and put its checksum right",
        kept: Kept::Book,
        expected: Expected::Harmless(
            "a snapshot is believed only if an entry sealed its digest: the entries are folded anew",
        ),
        act: |stage| {
            file(stage, "snapshots", |bytes| {
                let place = bytes.len().saturating_sub(40);
                flip(bytes, place);
                mend_snapshot(bytes);
            })
        },
    },
    Attack {
        name: "checkpoint-file-forged",
        story: "put a checkpoint of a forged tree where the last one stood",
        kept: Kept::Book,
        expected: Expected::Caught,
        act: checkpoint_forged,
    },
    Attack {
        name: "key-file-replaced",
        story: "put a key of their own in place of the checkpoint key",
        kept: Kept::Book,
        expected: Expected::Caught,
        act: key_replaced,
    },
    Attack {
        name: "pack-file-edited",
        story: "edited an active pack or list in the book's folder",
        kept: Kept::Book,
        expected: Expected::Caught,
        act: |stage| file(stage, "blobs", |bytes| flip_middle(bytes)),
    },
    Attack {
        name: "book-rewritten",
        story: "edited an amount, wiped what is derived, let the ledger sign what it found",
        kept: Kept::NewestCheckpoint,
        expected: Expected::Caught,
        act: book_rewritten,
    },
    Attack {
        name: "book-rolled-back",
        story: "put the whole folder back to where it stood some payments ago",
        kept: Kept::NewestCheckpoint,
        expected: Expected::Caught,
        act: book_rolled_back,
    },
    Attack {
        name: "decision-invented",
        story: "sealed a decision with other fuel than its packs use, from the first checkpoint on",
        kept: Kept::Book,
        expected: Expected::Caught,
        act: decision_invented,
    },
    Attack {
        name: "inputs-swapped",
        story: "exchanged the encrypted inputs of two payments, to explain one by the other",
        kept: Kept::Book,
        expected: Expected::Caught,
        act: inputs_swapped,
    },
    Attack {
        name: "input-garbled",
        story: "changed one byte of an encrypted input",
        kept: Kept::Book,
        expected: Expected::Caught,
        act: input_garbled,
    },
];

/// Length of what precedes an entry in its record: length 2, place 2, checksum 4, seq 8, vault 8.
const HEADER_BYTES: usize = 24;

fn broken(path: &Path, error: &std::io::Error) -> Fault {
    Fault::of(code::CLI_INPUT, error).while_doing(&format!("cannot work on `{}`", path.display()))
}

fn flip(bytes: &mut [u8], at: usize) {
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 1;
    }
}

fn flip_middle(bytes: &mut [u8]) {
    flip(bytes, bytes.len() / 2);
}

/// Makes the first digit of every amount another one; the length stays.
fn edit_amount(record: &mut [u8]) {
    let key = b"\"amount\":\"";
    let places: Vec<usize> = record
        .windows(key.len())
        .enumerate()
        .filter(|(_, window)| window == key)
        .map(|(at, _)| at.saturating_add(key.len()))
        .collect();
    for at in places {
        if let Some(digit) = record.get_mut(at) {
            *digit = if *digit == b'9' { b'8' } else { b'9' };
        }
    }
}

/// Puts a record's checksum right: it covers all of the record but itself.
fn mend(record: &mut [u8]) {
    let crc = match (record.get(..4), record.get(8..)) {
        (Some(head), Some(rest)) => crc32c::crc32c_append(crc32c::crc32c(head), rest),
        _ => return,
    };
    if let Some(slot) = record.get_mut(4..8) {
        slot.copy_from_slice(&crc.to_le_bytes());
    }
}

/// Puts a snapshot's checksum right: it covers everything after itself.
fn mend_snapshot(bytes: &mut [u8]) {
    let crc = crc32c::crc32c(bytes.get(12..).unwrap_or(&[]));
    if let Some(slot) = bytes.get_mut(8..12) {
        slot.copy_from_slice(&crc.to_le_bytes());
    }
}

/// The files below a folder of the book that hold anything.
fn files(folder: &Path) -> Result<Vec<PathBuf>, Fault> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| broken(folder, &error))? {
        let path = entry.map_err(|error| broken(folder, &error))?.path();
        if path.is_file() && path.metadata().is_ok_and(|of| of.len() > 0) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Changes a file. The zeros that it may be prefilled with stay.
fn rewrite(path: &Path, by: impl FnOnce(&mut Vec<u8>)) -> Result<(), Fault> {
    let failed = |error| broken(path, &error);
    let mut bytes = read(path)?;
    let before = fs::metadata(path).map_err(failed)?.len();
    by(&mut bytes);
    let mut file = fs::File::create(path).map_err(failed)?;
    file.write_all(&bytes).map_err(failed)?;
    let len = file.metadata().map_err(failed)?.len();
    file.set_len(len.max(before)).map_err(failed)
}

/// A file's bytes up to the last that is not zero.
fn read(path: &Path) -> Result<Vec<u8>, Fault> {
    let mut bytes = fs::read(path).map_err(|error| broken(path, &error))?;
    let len = bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last.saturating_add(1));
    bytes.truncate(len);
    Ok(bytes)
}

/// Where an entry's bytes stand in the book, and in which segment.
fn find(book: &Path, entry: &[u8]) -> Result<(PathBuf, usize), Halt> {
    for path in files(&book.join("segments"))? {
        let bytes = read(&path)?;
        if let Some(at) = position(&bytes, entry) {
            return Ok((path, at));
        }
    }
    Err(Halt::NotHere("no such entry in the segments"))
}

fn position(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}

/// Changes the record of an entry, header and all.
fn record(book: &Path, entry: &[u8], by: impl FnOnce(&mut [u8])) -> Result<(), Halt> {
    let (path, at) = find(book, entry)?;
    rewrite(&path, |bytes| {
        if let Some(record) =
            bytes.get_mut(at.saturating_sub(HEADER_BYTES)..at.saturating_add(entry.len()))
        {
            by(record);
        }
    })?;
    Ok(())
}

fn segment(stage: &Stage<'_>, by: fn(&mut [u8])) -> Acted {
    let index = stage.scene.first("no posted payment", is_posted_payment)?;
    let book = stage.copy_book()?;
    let entry = stage.scene.bytes.get(index).map_or(&[][..], Vec::as_slice);
    record(&book, entry, by)?;
    opened(stage, &book, Asked::EveryRequest)
}

/// Changes the largest file of a folder of the book.
fn file(stage: &Stage<'_>, folder: &str, by: fn(&mut Vec<u8>)) -> Acted {
    let book = stage.copy_book()?;
    let largest = files(&book.join(folder))?
        .into_iter()
        .max_by_key(|path| path.metadata().map_or(0, |of| of.len()));
    rewrite(
        &largest.ok_or(Halt::NotHere("no such file in the book"))?,
        by,
    )?;
    opened(stage, &book, Asked::EveryRequest)
}

fn tail_wiped(stage: &Stage<'_>) -> Acted {
    let book = stage.copy_book()?;
    let entry = stage.scene.bytes.last().map_or(&[][..], Vec::as_slice);
    record(&book, entry, |record| record.fill(0))?;
    opened(stage, &book, Asked::EveryRequest)
}

fn torn_tail(stage: &Stage<'_>) -> Acted {
    let book = stage.copy_book()?;
    let entry = stage.scene.bytes.last().map_or(&[][..], Vec::as_slice);
    let (path, at) = find(&book, entry)?;
    let end = at.saturating_add(entry.len());
    let half = entry.get(..entry.len() / 2).unwrap_or(entry).to_vec();
    rewrite(&path, |bytes| {
        bytes.resize(bytes.len().max(end.saturating_add(half.len())), 0);
        if let Some(tail) = bytes.get_mut(end..end.saturating_add(half.len())) {
            tail.copy_from_slice(&half);
        }
    })?;
    opened(stage, &book, Asked::EveryRequest)
}

fn checkpoint_forged(stage: &Stage<'_>) -> Acted {
    let forged = stage.forge(super::forgery::raised(stage)?.1)?;
    let book = stage.copy_book()?;
    for name in [CHECKPOINT, crate::insider::CHECKPOINTS] {
        let path = book.join(name);
        fs::write(&path, forged.get(name).unwrap_or(&[])).map_err(|error| broken(&path, &error))?;
    }
    opened(stage, &book, Asked::EveryRequest)
}

fn key_replaced(stage: &Stage<'_>) -> Acted {
    let book = stage.copy_book()?;
    let path = book.join("keys").join("checkpoint.key");
    rewrite(&path, |bytes| {
        // Another seed of the same form: its last digit is another.
        if let Some(digit) = bytes.iter_mut().rev().find(|byte| byte.is_ascii_hexdigit()) {
            *digit = if *digit == b'0' { b'1' } else { b'0' };
        }
    })?;
    opened(stage, &book, Asked::EveryRequest)
}

/// A payment whose amount can be edited in place so that no rule is broken: where it stands and its new
/// bytes.
fn edited_in_place(stage: &Stage<'_>) -> Result<(usize, Vec<u8>), Halt> {
    /// Each try folds the whole log.
    const TRIES_MAX: usize = 12;
    let covered = stage
        .scene
        .entries
        .iter()
        .enumerate()
        .take(stage.scene.kept_len())
        .rev();
    let payments = covered
        .filter(|(_, entry)| is_posted_payment(entry))
        .take(TRIES_MAX);
    for (index, _) in payments {
        let mut bytes = bytes_of(stage, index).to_vec();
        edit_amount(&mut bytes);
        let mut entries = stage.entries();
        let edited = Entry::decode(&bytes)?;
        change(&mut entries, index, |entry| *entry = edited);
        if folds(&entries) {
            return Ok((index, bytes));
        }
    }
    Err(Halt::NotHere(
        "no payment whose amount could be changed within the limits",
    ))
}

fn bytes_of<'s>(stage: &Stage<'s>, index: usize) -> &'s [u8] {
    stage.scene.bytes.get(index).map_or(&[], Vec::as_slice)
}

fn book_rewritten(stage: &Stage<'_>) -> Acted {
    let (index, edited) = edited_in_place(stage)?;
    let book = stage.copy_book()?;
    edit_segment(&book, bytes_of(stage, index), &edited)?;
    wipe_derived(&book)?;
    opened(stage, &book, Asked::Nothing)
}

fn book_rolled_back(stage: &Stage<'_>) -> Acted {
    let kept = stage.scene.kept_len();
    if kept == stage.scene.bytes.len() {
        return Err(Halt::NotHere("nothing after the checkpoint that was kept"));
    }
    let book = stage.copy_book()?;
    for entry in stage.scene.bytes.iter().skip(kept) {
        record(&book, entry, |record| record.fill(0))?;
    }
    wipe_derived(&book)?;
    opened(stage, &book, Asked::Nothing)
}

/// The log is sound in itself, and no checkpoint of another was kept: only deciding once more can tell.
fn decision_invented(stage: &Stage<'_>) -> Acted {
    let [index, _] = vaulted(stage)?;
    let sealed = bytes_of(stage, index);
    let mut edited = sealed.to_vec();
    let key = b"\"fuel\":";
    let at = edited.windows(key.len()).position(|window| window == key);
    let at = at.map_or(usize::MAX, |at| at.saturating_add(key.len()));
    let digit = edited
        .get_mut(at)
        .ok_or(Halt::NotHere("no payment with a decision"))?;
    *digit = if *digit == b'9' { b'8' } else { b'9' };
    let book = stage.copy_book()?;
    edit_segment(&book, sealed, &edited)?;
    wipe_derived(&book)?;
    let ledger = match Ledger::open(&book, OpenOptions::default()) {
        Ok(ledger) => ledger,
        Err(error) => return Ok(noticed(&Fault::from(error), "opening the book")),
    };
    ledger.wait_signed()?;
    let replayed = ledger.read().replay(None, None, |_| {});
    ledger.close()?;
    Ok(match replayed?.differences.first() {
        Some(difference) => noticed(
            &Fault::new(code::PACK_REPLAY, difference.what.clone()),
            format!("entry {}", difference.entry.seq),
        ),
        None => Finding::Unnoticed(None),
    })
}

/// Two payments whose inputs are in the vault.
fn vaulted(stage: &Stage<'_>) -> Result<[usize; 2], Halt> {
    let mut places = stage.scene.entries.iter().enumerate().filter(|(_, entry)| {
        payment(entry).is_some() && matches!(entry.request, Some(RequestRef::Commitment(_)))
    });
    match (places.next(), places.next()) {
        (Some((one, _)), Some((other, _))) => Ok([one, other]),
        _ => Err(Halt::NotHere("no two payments with inputs in the vault")),
    }
}

fn inputs_swapped(stage: &Stage<'_>) -> Acted {
    let [one, other] = vaulted(stage)?;
    let book = stage.copy_book()?;
    let entry = |index: usize| stage.scene.bytes.get(index).map_or(&[][..], Vec::as_slice);
    let mut references = [[0_u8; 8]; 2];
    for (reference, index) in references.iter_mut().zip([one, other]) {
        let (path, at) = find(&book, entry(index))?;
        let bytes = read(&path)?;
        if let Some(found) = bytes.get(at.saturating_sub(8)..at) {
            reference.copy_from_slice(found);
        }
    }
    for (reference, index) in references.iter().zip([other, one]) {
        record(&book, entry(index), |record| {
            if let Some(slot) = record.get_mut(HEADER_BYTES.saturating_sub(8)..HEADER_BYTES) {
                slot.copy_from_slice(reference);
            }
            mend(record);
        })?;
    }
    explained(stage, &book, one)
}

fn input_garbled(stage: &Stage<'_>) -> Acted {
    let [one, _] = vaulted(stage)?;
    let book = stage.copy_book()?;
    let first = files(&book.join("vault"))?
        .into_iter()
        .find(|path| fs::read(path).is_ok_and(|bytes| bytes.starts_with(b"PGVAULT")));
    // The first record begins after the head of 16 bytes, its ciphertext after 44 more.
    rewrite(
        &first.ok_or(Halt::NotHere("no input in the vault"))?,
        |bytes| flip(bytes, 16 + 44 + 5),
    )?;
    explained(stage, &book, one)
}

/// The operator asks why a payment got its verdict.
fn explained(stage: &Stage<'_>, book: &Path, index: usize) -> Acted {
    let ledger = match Ledger::open(book, OpenOptions::default()) {
        Ok(ledger) => ledger,
        Err(error) => return Ok(noticed(&Fault::from(error), "opening the book")),
    };
    let explained = ledger.read().explain(seq(index));
    ledger.close()?;
    Ok(match explained {
        Ok(explained) => match explained.input {
            InputState::Lost { code, why } => {
                noticed(&Fault::new(code, why), format!("entry {index}"))
            }
            _ => Finding::Unnoticed(None),
        },
        Err(error) => noticed(&Fault::from(error), format!("entry {index}")),
    })
    .map(|finding| relative(finding, stage))
}

/// The operator opens the book and exports it; somebody who kept the last checkpoint verifies that.
fn opened(stage: &Stage<'_>, book: &Path, asked: Asked) -> Acted {
    let ledger = match Ledger::open(book, OpenOptions::default()) {
        Ok(ledger) => ledger,
        Err(error) => {
            return Ok(relative(
                noticed(&Fault::from(error), "opening the book"),
                stage,
            ));
        }
    };
    let to = stage.path("export");
    let exported = known(stage, &ledger, asked).and_then(|()| {
        ledger.wait_signed()?;
        Ok(ledger.read().export(&to, &mut |_| {})?)
    });
    let closed = ledger.close();
    if let Err(fault) = exported {
        return Ok(relative(noticed(&fault, "exporting the book"), stage));
    }
    if let Err(error) = closed {
        return Ok(relative(
            noticed(&Fault::from(error), "closing the book"),
            stage,
        ));
    }
    Ok(
        match stage.audit(&Export::load(&to)?, Kept::NewestCheckpoint)? {
            Finding::Unnoticed(_) => Finding::Unharmed,
            finding => finding,
        },
    )
}

/// What the operator asks the ledger before exporting the book.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    Nothing,
    /// Whether every request that was sealed is still found under its id.
    EveryRequest,
}

fn known(stage: &Stage<'_>, ledger: &Ledger, asked: Asked) -> Result<(), Fault> {
    if asked == Asked::Nothing {
        return Ok(());
    }
    for entry in &stage.scene.entries {
        let found = ledger.read().find(&entry.id)?;
        if found.seq != entry.seq {
            let message = format!(
                "`{}` is found at entry {}, not {}",
                entry.id, found.seq, entry.seq
            );
            return Err(Fault::new(code::STORE_CORRUPT, message));
        }
    }
    Ok(())
}

/// Paths without the temporary folder they happen to be in.
fn relative(finding: Finding, stage: &Stage<'_>) -> Finding {
    let Finding::Caught(mut catch) = finding else {
        return finding;
    };
    let folder = format!("{}/", shown(&stage.folder, Path::new("")));
    catch.detail = catch.detail.replace(&folder, "");
    Finding::Caught(catch)
}
