//! `drill`: every known way to tamper with a book, tried on a copy of one, and who notices.
//!
//! Each attack is one function: it takes a copy, does what an insider would do with the machine and the
//! stolen signing keys, and hands the result to whoever is to notice: an auditor with what he kept, the
//! ledger at its next opening, the holder of a receipt. The book that is named is never touched.

mod anchors;
mod attack;
mod book;
mod checkpoints;
mod copy;
mod entries;
mod forgery;
mod history;
mod keys;
mod money;
mod policy;
mod proofs;
mod report;
mod revocation;
mod rotation;
mod scene;
mod stage;
mod state;
mod store;
mod tree;
mod witnesses;

use crate::cli::{Drill, Global};
use crate::fault::{Answer, Fault, Outcome};
use crate::files;
use crate::output::Console;
use crate::progress;
use attack::Attack;
use paygod_service::ledger::{Ledger, OpenOptions};
use paygod_types::code;
use scene::{ENTRIES_MAX, Scene};
use stage::Stage;
use std::path::Path;

/// Every attack, by what is attacked.
const TARGETS: &[(&str, &[Attack])] = &[
    ("entries", entries::ATTACKS),
    ("tree", tree::ATTACKS),
    ("checkpoints", checkpoints::ATTACKS),
    ("keys", keys::ATTACKS),
    ("root keys", revocation::ATTACKS),
    ("decisions", policy::ATTACKS),
    ("money", money::ATTACKS),
    ("state", state::ATTACKS),
    ("receipts", proofs::ATTACKS),
    ("the book's folder", store::ATTACKS),
    ("history", history::ATTACKS),
    ("anchors", anchors::ATTACKS),
    ("witnesses", witnesses::ATTACKS),
];

/// Runs the drill.
pub(crate) fn run(options: &Drill, global: &Global, console: &mut Console) -> Outcome {
    let attacks = chosen(options)?;
    let temporary = tempfile::tempdir()
        .map_err(|error| Fault::of(code::CLI_OUTPUT, &error).while_doing("no temporary folder"))?;
    if let Some(dir) = &options.dir {
        files::make_empty_folder(dir)?;
    }
    let folder = options.dir.as_deref().unwrap_or(temporary.path());
    let steps = u64::try_from(attacks.len()).unwrap_or(0).saturating_add(1);
    let bar = progress::steps(console, steps);
    bar.set_message("preparing a book");
    let scene = prepare(global.book.as_deref(), folder)?;
    bar.inc(1);
    let mut outcomes = Vec::with_capacity(attacks.len());
    for (target, attack) in attacks {
        bar.set_message(attack.name);
        let stage = Stage {
            scene: &scene,
            folder: folder.join(attack.name),
            keeps: options.dir.is_some(),
        };
        outcomes.push(report::Outcome::new(target, attack, (attack.act)(&stage))?);
        if options.dir.is_none() {
            // Whatever is left goes with the temporary folder.
            let _ = std::fs::remove_dir_all(&stage.folder);
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    report::print(&outcomes, scene.entries.len(), console)?;
    Ok(Answer::of(report::totals(&outcomes).unexpected == 0))
}

/// The attacks whose names the options ask for.
fn chosen(options: &Drill) -> Result<Vec<(&'static str, Attack)>, Fault> {
    let wanted = options.only.as_deref().unwrap_or("");
    let all = TARGETS
        .iter()
        .flat_map(|(target, attacks)| attacks.iter().map(|attack| (*target, *attack)));
    let attacks: Vec<_> = all
        .filter(|(_, attack)| attack.name.contains(wanted))
        .collect();
    if attacks.is_empty() {
        let message = format!("no attack has `{wanted}` in its name");
        return Err(
            Fault::new(code::CLI_ARGUMENT, message).remedy("run `paygod drill` to see their names")
        );
    }
    Ok(attacks)
}

/// Makes a book, or copies the one that is named, and exports it.
fn prepare(named: Option<&Path>, folder: &Path) -> Result<Scene, Fault> {
    let (book, export) = (folder.join("book"), folder.join("export"));
    match named {
        Some(named) => copied(named, &book)?,
        None => drop(book::make(&book)?),
    }
    let ledger = Ledger::open(&book, OpenOptions::default())?;
    let exported = exported(&ledger, &export);
    ledger.close()?;
    exported?;
    Scene::load(&book, &export)
}

fn copied(named: &Path, book: &Path) -> Result<(), Fault> {
    if !named.join("segments").is_dir() {
        let message = format!("`{}` holds no book", named.display());
        return Err(Fault::new(code::STORE_NOT_A_BOOK, message));
    }
    copy::folder(named, book)
}

fn exported(ledger: &Ledger, export: &Path) -> Result<(), Fault> {
    let size = ledger.read().size();
    if size > ENTRIES_MAX {
        let message =
            format!("the book has {size} entries, and a drill takes at most {ENTRIES_MAX}");
        return Err(Fault::new(code::CLI_ARGUMENT, message)
            .remedy("drill on a smaller book, or without `--book` on one of its own"));
    }
    ledger.wait_signed()?;
    Ok(ledger.read().export(export, &mut |_| {})?)
}
