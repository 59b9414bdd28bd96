//! Steps 6 to 8: the checkpoint, a receipt, the export and its check from scratch.

use super::story::Story;
use super::{ORIGIN, Places};
use crate::commands::receipt;
use crate::commands::verify::{self, counted};
use crate::fault::Fault;
use crate::files;
use indicatif::ProgressBar;
use paygod_service::ledger::{Created, Ledger, LedgerError, LedgerReader};
use paygod_tlog::{Hash, TlogProof, VerifierKey};
use paygod_types::{Seq, code};
use paygod_verify::Directory;

/// Names of what the auditor keeps.
pub(super) const KEPT_CHECKPOINTS: &str = "checkpoints.log";
pub(super) const KEPT_RECEIPT: &str = "receipt.tlog-proof";

/// Step 6: one hash that stands for everything.
pub(super) fn checkpoint(ledger: &Ledger, story: &mut Story<'_>) -> Result<(), Fault> {
    ledger.wait_signed()?;
    let Some(checkpoint) = ledger.read().checkpoint() else {
        return Err(LedgerError::NotSignedYet { seq: Seq(0) }.into());
    };
    story.step("The signed checkpoint")?;
    story.say(&format!(
        "Every entry has a fingerprint: change one letter and it is another. Fingerprints are taken of fingerprints, two by two, and of those again, until one is left: the root. It stands for all {} entries. The book signs its name, its size and its root:",
        checkpoint.head().size
    ))?;
    let note = String::from_utf8_lossy(&checkpoint.to_bytes()).into_owned();
    story.show(&note)?;
    story.keep("checkpoint", note);
    Ok(())
}

/// Step 7: what a client keeps of one payment.
pub(super) fn receipt(
    reader: &LedgerReader,
    made: &Created,
    seq: Seq,
    places: &Places,
    story: &mut Story<'_>,
) -> Result<(), Fault> {
    let receipt = reader.receipt(seq)?;
    let Some(proof) = receipt.proof else {
        return Err(LedgerError::NotSignedYet { seq }.into());
    };
    let parsed = TlogProof::parse(&proof)?;
    receipt::verify(
        &parsed,
        &receipt.entry,
        &[VerifierKey::parse(&made.checkpoint_key)?],
    )?;
    files::write(&places.kept.join(KEPT_RECEIPT), &proof)?;
    let entry = String::from_utf8_lossy(&receipt.entry).into_owned();
    let id = reader.entry(seq)?.entry.id;
    story.step("A receipt")?;
    story.say(&format!(
        "Whoever was paid can hold a proof. For {id}: entry {seq}, the {} on its way to the root, and the checkpoint. {} bytes, in the C2SP tlog-proof format that other people's programs read. Checked just now with nothing but the book's public key: it holds.",
        counted(u64::try_from(parsed.hashes.len()).unwrap_or(u64::MAX), "fingerprint"),
        proof.len()
    ))?;
    story.show(&entry_lines(&entry, story.width()))?;
    story.keep("receipt", String::from_utf8_lossy(&proof).into_owned());
    story.keep("entry", entry);
    Ok(())
}

/// An entry for reading: a line for each member, and no line wider than fits.
fn entry_lines(entry: &str, width: usize) -> String {
    let mut lines = vec![String::new()];
    let mut depth = 0_usize;
    for letter in entry.chars() {
        if let Some(line) = lines.last_mut() {
            line.push(letter);
        }
        match letter {
            '{' | '[' => depth = depth.saturating_add(1),
            '}' | ']' => depth = depth.saturating_sub(1),
            ',' if depth <= 2 => lines.push(String::new()),
            _ => {}
        }
    }
    for line in &mut lines {
        if line.chars().count() > width {
            *line = line
                .chars()
                .take(width.saturating_sub(1))
                .chain(['…'])
                .collect();
        }
    }
    lines.join("\n")
}

/// Step 8: static files, and everything about them checked.
pub(super) fn export(
    ledger: &Ledger,
    made: &Created,
    places: &Places,
    story: &mut Story<'_>,
) -> Result<(), Fault> {
    ledger.wait_signed()?;
    ledger.read().export(&places.export, &mut |_| {})?;
    let (count, bytes) = files::measure(&places.export)
        .map_err(|error| Fault::of(code::CLI_INPUT, &error).while_doing("cannot count files"))?;
    let log = places.export.join(KEPT_CHECKPOINTS);
    files::write(
        &places.kept.join(KEPT_CHECKPOINTS),
        &files::read(&log, usize::try_from(bytes).unwrap_or(usize::MAX))?,
    )?;
    story.step("The audit")?;
    story.say(&format!(
        "The book is exported as {count} plain files, {} kB, that any web server can serve. No key is in them, and nobody's name or IBAN. The auditor takes them, and the fingerprint from step 1, and checks everything from scratch:",
        bytes / 1000
    ))?;
    let genesis = Hash::from_hex(&made.fingerprint)?;
    let report = verify::check(
        &Directory::new(&places.export),
        |options| options.genesis = Some(genesis),
        &ProgressBar::hidden(),
    )?;
    story.keep("valid", report.is_valid());
    story.with(|console| verify::tell(&report, 4, console))?;
    if report.is_valid() {
        return Ok(());
    }
    Err(Fault::new(
        code::VERIFY_ROOT,
        format!("the honest export of `{ORIGIN}` did not verify"),
    ))
}
