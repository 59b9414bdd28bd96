//! `pack history`: the life of a pack, from the entries.

use super::{named_value, short};
use crate::book;
use crate::cli::{Global, PackHistory};
use crate::fault::{Answer, Fault, Outcome};
use crate::narrate;
use crate::output::{Console, Tone};
use crate::progress;
use crate::table::{Align, Cell, Table};
use paygod_core::{Action, Body, Entry, EntryHead};
use paygod_policy::Named;
use paygod_service::ledger::{LedgerError, LedgerReader};
use paygod_types::{Name, Seq, code};
use serde_json::{Value, json};

/// One step.
struct Step {
    entry: Entry,
    pack: Named,
    what: &'static str,
    /// Of an activation.
    level: Option<&'static str>,
}

pub(super) fn run(options: &PackHistory, global: &Global, console: &mut Console) -> Outcome {
    let name = Name::parse(&options.name)?;
    book::read(global, |reader| {
        let steps = steps(reader, &name, console)?;
        if steps.is_empty() {
            let message = format!("no entry of this book speaks of a pack `{name}`");
            return Err(Fault::new(code::LEDGER_NO_REQUEST, message)
                .remedy("see `paygod pack list` for the packs that are active"));
        }
        let mut table = Table::new(&[
            ("entry", Align::Right),
            ("time", Align::Left),
            ("version", Align::Left),
            ("stage", Align::Left),
            ("by", Align::Left),
            ("digest", Align::Left),
        ]);
        let mut values: Vec<Value> = Vec::new();
        for step in &steps {
            let by = step.entry.by.as_ref().map(|by| by.as_str());
            let time = narrate::to_the_second(step.entry.time);
            let level = step.level.filter(|level| *level != "community");
            let what = level.map_or_else(
                || step.what.to_owned(),
                |level| format!("{}, {level}", step.what),
            );
            table.row([
                Cell::from(step.entry.seq.to_string()),
                Cell::toned(time, Tone::Faint),
                Cell::from(step.pack.version.as_str()),
                Cell::from(what),
                Cell::from(by.unwrap_or("")),
                Cell::toned(short(&step.pack), Tone::Faint),
            ]);
            values.push(json!({
                "seq": step.entry.seq.get(),
                "time": step.entry.time.to_string(),
                "by": by,
                "stage": step.what,
                "level": step.level,
                "pack": named_value(&step.pack),
            }));
        }
        console.value(&json!(values))?;
        console.table(0, &table)?;
        Ok(Answer::Yes)
    })
}

fn steps(reader: &LedgerReader, name: &Name, console: &Console) -> Result<Vec<Step>, Fault> {
    let mut steps = Vec::new();
    let mut active: Option<(Named, &str)> = None;
    let bar = progress::entries(console, reader.size());
    reader.entries(
        Seq(0),
        Seq(reader.size()),
        |seq, bytes| -> Result<(), LedgerError> {
            if seq.get().is_multiple_of(4_096) {
                bar.set_position(seq.get());
            }
            let unreadable = |source| LedgerError::Entry { seq, source };
            let head = EntryHead::decode(bytes).map_err(unreadable)?;
            if !matches!(head.action, Action::PolicyActivate | Action::PackStage) {
                return Ok(());
            }
            let entry = Entry::decode(bytes).map_err(unreadable)?;
            let step = |pack: Named, what, level| Step {
                entry: entry.clone(),
                pack,
                what,
                level,
            };
            match &entry.body {
                Body::PackStage(staged) if staged.pack.name == *name => {
                    steps.push(step(staged.pack.clone(), staged.stage.as_str(), None));
                }
                Body::PolicyActivate { set, vouched, .. } => {
                    let level = vouched.iter().find(|one| one.pack == *name);
                    let level = level.map_or("community", |one| one.level.as_str());
                    let pack = set.packs.iter().find(|pack| pack.name == *name);
                    let now = pack.map(|pack| (pack.clone(), level));
                    if now == active {
                        return Ok(());
                    }
                    // Another level of the same pack retires nothing.
                    let same = active.as_ref().map(|(pack, _)| pack) == pack;
                    if let Some((before, _)) = active.take().filter(|_| !same) {
                        steps.push(step(before, "retired", None));
                    }
                    if let Some((pack, level)) = &now {
                        steps.push(step(pack.clone(), "activated", Some(*level)));
                    }
                    active = now;
                }
                _ => {}
            }
            Ok(())
        },
    )?;
    bar.finish_and_clear();
    Ok(steps)
}
