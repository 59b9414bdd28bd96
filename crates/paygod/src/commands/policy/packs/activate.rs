//! `pack activate`: seal which packs judge from now on.

use super::find;
use crate::book;
use crate::cli::{Global, PackActivate};
use crate::commands::policy::lists;
use crate::commands::{ask, requests};
use crate::fault::{Fault, Outcome};
use crate::files;
use crate::output::Console;
use paygod_policy::{Named, Pack};
use paygod_service::ledger::{ActivationOrder, LedgerReader};
use paygod_tlog::limits::NOTE_BYTES_MAX;
use paygod_types::{Name, RequestId};
use std::collections::BTreeSet;
use std::path::PathBuf;

pub(super) fn run(options: &PackActivate, global: &Global, console: &mut Console) -> Outcome {
    let packs: Vec<Pack> = options
        .packs
        .iter()
        .map(|path| find::open(path))
        .collect::<Result<_, Fault>>()?;
    book::with(global, |ledger| {
        let order = ActivationOrder {
            id: options
                .asked
                .id
                .as_deref()
                .map(RequestId::parse)
                .transpose()?,
            by: ask::actor(options.asked.by.as_deref())?,
            packs: Vec::new(),
            lists: chosen_lists(ledger.read(), &packs, &options.list)?,
            signatures: notes(&options.signature)?,
        };
        let empty = empty_windows(ledger.read(), &packs)?;
        let sealed = ledger.activate_packs(&order, packs)?;
        let answer = requests::tell(ledger.read(), &sealed, console)?;
        for note in empty.iter().filter(|_| !sealed.existing) {
            console.note(note)?;
        }
        Ok(answer)
    })
}

/// A note for each pack whose windows begin empty: it looks back, and is not active yet.
fn empty_windows(reader: &LedgerReader, packs: &[Pack]) -> Result<Vec<String>, Fault> {
    let active = reader.status()?.policy.set.packs;
    let begins = |pack: &&Pack| {
        let name = &pack.named().name;
        !active.iter().any(|known| known.name == *name)
    };
    let notes = packs.iter().filter(begins).filter_map(|pack| {
        let (name, window) = (&pack.named().name, pack.longest_window()?);
        Some(format!(
            "`{name}` looks back up to {window}, and counts payments from now on: what was sealed before is not in its windows."
        ))
    });
    Ok(notes.collect())
}

fn notes(paths: &[PathBuf]) -> Result<Vec<Vec<u8>>, Fault> {
    let read = |path: &PathBuf| files::read(path, NOTE_BYTES_MAX);
    paths.iter().map(read).collect()
}

/// The lists that the packs read: the version asked for, else the only one.
fn chosen_lists(
    reader: &LedgerReader,
    packs: &[Pack],
    asked: &[String],
) -> Result<Vec<Named>, Fault> {
    let mut names: BTreeSet<&str> = packs
        .iter()
        .flat_map(|pack| pack.lists().iter().map(String::as_str))
        .collect();
    let mut chosen = Vec::new();
    for text in asked {
        let (name, version) = ask::pair("list", text)?;
        names.remove(name);
        chosen.push(lists::held(reader, name, Some(version))?);
    }
    for name in names {
        chosen.push(reader.only_list(&Name::parse(name)?)?);
    }
    Ok(chosen)
}
