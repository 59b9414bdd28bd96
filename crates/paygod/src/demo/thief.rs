//! Steps 9 and 10: sealed history is rewritten with the stolen key, and who notices.

use super::Places;
use super::audit::{KEPT_CHECKPOINTS, KEPT_RECEIPT};
use super::story::Story;
use crate::commands::verify::{self, KeptFiles};
use crate::fault::Fault;
use crate::files;
use crate::insider;
use crate::output::Tone;
use crate::table::{Align, Cell, Table};
use indicatif::ProgressBar;
use paygod_service::ledger::{Created, Ledger, OpenOptions};
use paygod_tlog::limits::NOTE_BYTES_MAX;
use paygod_tlog::{Hash, SignedCheckpoint};
use paygod_types::{Seq, code};
use paygod_verify::{Directory, Place, Report};
use serde_json::{Value, json};
use std::path::PathBuf;

/// What is sealed, and what the thief makes of it. Of one length, so that nothing else has to move.
const AMOUNT: &str = "\"1275.50\"";
const FORGED: &str = "\"6275.50\"";

/// The entry to be edited.
pub(super) struct Target {
    /// Its number.
    pub(super) seq: Seq,
    /// What people call the payment.
    pub(super) name: String,
    /// Its bytes as sealed.
    pub(super) entry: Vec<u8>,
}

/// Steps 9 and 10. Whether it was caught, at the right entry.
pub(super) fn steal_and_catch(
    places: &Places,
    made: &Created,
    target: &Target,
    story: &mut Story<'_>,
) -> Result<bool, Fault> {
    let Target { seq, name, .. } = target;
    story.step("The thief")?;
    story.say(&format!(
        "Somebody inside has the disk, the server and the signing key. In entry {seq}, payment {name}, they make 1275.50 EUR into 6275.50 EUR: on both sides, so that the accounts still add up. They edit the store, checksum and all, let the tree be built anew, and sign its root with the book's real key:"
    ))?;
    rewrite(places, target)?;
    let mut table = Table::new(&[
        ("", Align::Left),
        ("size", Align::Right),
        ("root", Align::Left),
    ]);
    for (what, export) in [("sealed", &places.export), ("forged", &places.forged)] {
        let note = files::read(&export.join("checkpoint"), NOTE_BYTES_MAX)?;
        let head = *SignedCheckpoint::parse(&note)?.head();
        table.row([
            Cell::toned(what, Tone::Faint),
            head.size.to_string().into(),
            head.root.to_base64().into(),
        ]);
    }
    story.table(&table)?;
    story.say(
        "What they publish is a sound log in itself: every hash fits, the signature is genuine.",
    )?;
    who_notices(places, made, target, story)
}

/// What a thief with the run of the machine does.
fn rewrite(places: &Places, target: &Target) -> Result<(), Fault> {
    let forged = insider::edited(&target.entry, AMOUNT, FORGED).ok_or_else(|| {
        Fault::new(
            code::CLI_INPUT,
            "the entry to be edited does not hold the amount expected",
        )
    })?;
    insider::edit_segment(&places.book, &target.entry, &forged)?;
    insider::wipe_derived(&places.book)?;
    // The ledger's own recovery builds the tree anew and signs it: the key is in its folder.
    let ledger = Ledger::open(&places.book, OpenOptions::default())?;
    ledger.wait_signed()?;
    ledger.read().export(&places.forged, &mut |_| {})?;
    ledger.close()?;
    Ok(())
}

/// One auditor and what they kept.
struct Auditor {
    kept: &'static str,
    files: Vec<PathBuf>,
}

fn who_notices(
    places: &Places,
    made: &Created,
    target: &Target,
    story: &mut Story<'_>,
) -> Result<bool, Fault> {
    let auditors = [
        Auditor {
            kept: "only the fingerprint",
            files: Vec::new(),
        },
        Auditor {
            kept: "the receipt of that payment",
            files: vec![places.kept.join(KEPT_RECEIPT)],
        },
        Auditor {
            kept: "the signed checkpoints",
            files: vec![places.kept.join(KEPT_CHECKPOINTS)],
        },
        Auditor {
            kept: "the earlier export",
            files: vec![places.export.clone()],
        },
    ];
    story.step("Who notices")?;
    story.say("Four auditors check the forged export with the same command. They differ in what they kept from before:")?;
    let mut table = Table::new(&[
        ("kept from before", Align::Left),
        ("notices", Align::Left),
        ("what the verifier names", Align::Left),
    ]);
    let mut reports = Vec::new();
    let mut values: Vec<Value> = Vec::new();
    for auditor in auditors {
        let report = audit(places, made, &auditor.files)?;
        let named = report.first().map(|failure| failure.place.to_string());
        values.push(json!({"kept": auditor.kept, "valid": report.is_valid(), "named": named}));
        table.row([
            Cell::from(auditor.kept),
            if named.is_some() {
                Cell::toned("yes", Tone::Good)
            } else {
                Cell::toned("no", Tone::Warn)
            },
            Cell::from(
                named.unwrap_or_else(|| "nothing: in itself the forged log is sound".to_owned()),
            ),
        ]);
        reports.push(report);
    }
    story.table(&table)?;
    story.keep("auditors", values);
    if let Some(failure) = reports.get(2).and_then(Report::first) {
        story.say("In full, for the one who kept the checkpoints:")?;
        story.with(|console| verify::tell_failure(failure, 4, console))?;
    }
    let caught = caught_exactly(&reports, target.seq);
    if caught {
        let told = format!(
            "Caught: entry {} is payment {}, the one that was changed, and no other.",
            target.seq, target.name
        );
        story.say_in(Tone::Good, &told)?;
    }
    lesson(story)?;
    Ok(caught)
}

fn audit(places: &Places, made: &Created, files: &[PathBuf]) -> Result<Report, Fault> {
    let kept = KeptFiles::read(files)?;
    let genesis = Hash::from_hex(&made.fingerprint)?;
    verify::check(
        &Directory::new(&places.forged),
        |options| {
            options.genesis = Some(genesis);
            options.kept = kept.as_kept();
        },
        &ProgressBar::hidden(),
    )
}

fn lesson(story: &mut Story<'_>) -> Result<(), Fault> {
    story.say_in(Tone::Strong, "What an auditor must have kept: one checkpoint from before the theft is enough to know that history was changed; the checkpoints on either side of an entry, its receipt, or an earlier export say which entry.")?;
    story.say("Whoever kept nothing but the fingerprint cannot tell: with the key, a thief can rewrite a whole history. Against that, checkpoints must be kept where the thief cannot reach: with outside witnesses, or anchored in Bitcoin or Ethereum. `paygod witness` and `paygod anchor` do that.")
}

/// Everyone who kept something from before names the edited entry, and nobody else can.
fn caught_exactly(reports: &[Report], seq: Seq) -> bool {
    let names_it = |report: &Report| match report.first().map(|failure| &failure.place) {
        Some(Place::Entry(found)) => *found == seq.get(),
        Some(Place::Entries(range)) => {
            range.start == seq.get() && range.end == seq.get().saturating_add(1)
        }
        _ => false,
    };
    match reports {
        [nothing, kept @ ..] => nothing.is_valid() && kept.iter().all(names_it),
        [] => false,
    }
}
