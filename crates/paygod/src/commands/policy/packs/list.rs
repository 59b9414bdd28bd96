//! `pack list`: what judges now.

use super::{named_value, short};
use crate::book;
use crate::cli::Global;
use crate::fault::{Answer, Outcome};
use crate::output::{Console, Tone};
use crate::table::{Align, Cell, Table};
use paygod_policy::Named;
use serde_json::{Value, json};

pub(super) fn run(global: &Global, console: &mut Console) -> Outcome {
    book::read(global, |reader| {
        let policy = reader.status()?.policy;
        let values = |named: &[Named]| -> Vec<Value> { named.iter().map(named_value).collect() };
        console.value(&json!({
            "packs": values(&policy.set.packs),
            "lists": values(&policy.set.lists),
            "ruleset": policy.digest.to_string(),
            "since": policy.since.map(|seq| seq.get()),
        }))?;
        let Some(since) = policy.since else {
            console.line("No pack is active, so every payment is denied.")?;
            console.note("Activate packs: paygod pack activate --help")?;
            return Ok(Answer::Yes);
        };
        console.table(0, &named_table(&policy.set.packs, &policy.set.lists))?;
        console.note(format_args!("active since entry #{since}"))?;
        Ok(Answer::Yes)
    })
}

/// Packs and lists with their versions and digests.
fn named_table(packs: &[Named], lists: &[Named]) -> Table {
    let mut table = Table::new(&[
        ("kind", Align::Left),
        ("name", Align::Left),
        ("version", Align::Left),
        ("digest", Align::Left),
    ]);
    let packs = packs.iter().map(|named| ("pack", named));
    for (kind, named) in packs.chain(lists.iter().map(|named| ("list", named))) {
        table.row([
            Cell::toned(kind, Tone::Faint),
            Cell::from(named.name.as_str()),
            Cell::from(named.version.as_str()),
            Cell::toned(short(named), Tone::Faint),
        ]);
    }
    table
}
