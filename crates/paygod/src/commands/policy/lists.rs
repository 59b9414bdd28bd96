//! `list`: import, show, check.

use super::packs::{named_value, short};
use crate::book;
use crate::cli::{Global, ListCheck, ListCommand, ListFormat, ListImport, ListShow};
use crate::commands::{ask, requests};
use crate::fault::{Answer, Fault, Outcome};
use crate::files;
use crate::output::{Console, Tone};
use crate::table::{Align, Cell, Table};
use paygod_core::Command;
use paygod_core::command::{Activation, PolicySet};
use paygod_policy::{List, Named};
use paygod_service::ingest::ofac;
use paygod_service::ledger::{Ledger, LedgerReader};
use paygod_types::{Name, code};
use serde_json::{Value, json};

/// Longest list file read.
const LIST_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Imports, shows, checks.
pub(crate) fn run(command: &ListCommand, global: &Global, console: &mut Console) -> Outcome {
    match command {
        ListCommand::Import(options) => import(options, global, console),
        ListCommand::Show(options) => show(options, global, console),
        ListCommand::Check(options) => check(options, global, console),
    }
}

fn read(options: &ListImport) -> Result<List, Fault> {
    let bytes = files::read(&options.file, LIST_BYTES_MAX)?;
    if options.format == ListFormat::Paygod {
        return Ok(List::parse(&bytes)?);
    }
    let alt = options.alt.as_ref();
    let alt = alt
        .map(|path| files::read(path, LIST_BYTES_MAX))
        .transpose()?;
    let version = options.list_version.as_deref().unwrap_or_default();
    Ok(ofac::read(&bytes, alt.as_deref())?.to_list(Name::parse(&options.name)?, version)?)
}

fn import(options: &ListImport, global: &Global, console: &mut Console) -> Outcome {
    let list = read(options)?;
    book::with(global, |ledger| {
        let named = ledger.import_list(&list)?;
        let mut value = named_value(&named);
        if let Some(object) = value.as_object_mut() {
            object.insert("entries".into(), list.len().into());
        }
        console.value(&value)?;
        console.line(format_args!(
            "{} {} {}: {} entries  {}",
            Tone::Good.paint("imported"),
            named.name,
            named.version,
            list.len(),
            Tone::Faint.paint(named.digest)
        ))?;
        if options.format == ListFormat::Ofac && options.alt.is_none() {
            console.line(format_args!(
                "{} nobody is found by another name than the first; `--alt alt.csv` brings the others",
                Tone::Warn.paint("without aliases:")
            ))?;
        }
        if options.activate {
            return activate(ledger, named, options, console);
        }
        console
            .note("It judges nothing until it is active: --activate, or paygod pack activate.")?;
        Ok(Answer::Yes)
    })
}

/// Puts this list in place of an older one of its name, leaving the rest as it is.
fn activate(ledger: &Ledger, named: Named, options: &ListImport, console: &mut Console) -> Outcome {
    let policy = ledger.read().status()?.policy;
    let PolicySet { mut lists, packs } = policy.set;
    if lists.contains(&named) {
        console.line(format_args!(
            "{} {} is in force already",
            named.name, named.version
        ))?;
        return Ok(Answer::Yes);
    }
    lists.retain(|list| list.name != named.name);
    // What was in force before can be again, so the request's name says in the place of what.
    let since = policy.since.map_or(0, |seq| seq.get());
    let about = [
        named.name.to_string(),
        named.digest.to_string(),
        since.to_string(),
    ];
    lists.push(named);
    lists.sort();
    let set = PolicySet { lists, packs };
    let signatures = ledger.read().signatures(&set, &[])?;
    let command = Command::PolicyActivate(Activation { set, signatures });
    let about: Vec<&str> = about.iter().map(String::as_str).collect();
    let request = ask::request(&options.asked, &about, command)?;
    requests::seal(ledger, request, console)
}

/// A list that the book holds: of this version, else the one in force, else the only one.
pub(super) fn held(
    reader: &LedgerReader,
    name: &str,
    version: Option<&str>,
) -> Result<Named, Fault> {
    let parsed = Name::parse(name)?;
    let Some(version) = version else {
        let in_force = reader.status()?.policy.set.lists;
        let in_force = in_force.into_iter().find(|list| list.name == parsed);
        return in_force.map_or_else(|| Ok(reader.only_list(&parsed)?), Ok);
    };
    let lists = reader.lists()?;
    let found = lists
        .into_iter()
        .find(|list| list.name == parsed && list.version == version);
    found.ok_or_else(|| {
        let message = format!("the list `{name}` was not imported in version `{version}`");
        Fault::new(code::LEDGER_NO_LIST, message).remedy("see `paygod list show`, or import it")
    })
}

fn show(options: &ListShow, global: &Global, console: &mut Console) -> Outcome {
    book::read(global, |reader| match &options.name {
        None => show_all(reader, console),
        Some(name) => show_one(reader, name, options.count, console),
    })
}

fn show_all(reader: &LedgerReader, console: &mut Console) -> Outcome {
    let active = reader.status()?.policy.set.lists;
    let lists = reader.lists()?;
    let values: Vec<Value> = lists
        .iter()
        .map(|named| {
            let mut value = named_value(named);
            if let Some(object) = value.as_object_mut() {
                object.insert("active".into(), active.contains(named).into());
            }
            value
        })
        .collect();
    console.value(&Value::Array(values))?;
    if lists.is_empty() {
        console.note("There are no lists yet. Import one: paygod list import --help")?;
        return Ok(Answer::Yes);
    }
    let mut table = Table::new(&[
        ("list", Align::Left),
        ("version", Align::Left),
        ("active", Align::Left),
        ("digest", Align::Left),
    ]);
    for named in &lists {
        let is_active = active.contains(named);
        table.row([
            Cell::from(named.name.as_str()),
            Cell::from(named.version.as_str()),
            if is_active {
                Cell::toned("yes", Tone::Good)
            } else {
                Cell::from("no")
            },
            Cell::toned(short(named), Tone::Faint),
        ]);
    }
    console.table(0, &table)?;
    Ok(Answer::Yes)
}

fn show_one(reader: &LedgerReader, name: &str, count: usize, console: &mut Console) -> Outcome {
    let named = held(reader, name, None)?;
    let bytes = reader.blob(&named.digest)?;
    let text = String::from_utf8_lossy(&bytes);
    // The first line is the list's own header.
    let lines = text.lines().skip(1);
    let total = lines.clone().count();
    if console.is_json() {
        for line in lines.take(count) {
            console.bytes(line.as_bytes())?;
            console.bytes(b"\n")?;
        }
        return Ok(Answer::Yes);
    }
    let mut table = Table::new(&[("uid", Align::Right), ("names", Align::Left)]);
    for line in lines.take(count) {
        let entry: Value = serde_json::from_str(line).unwrap_or_default();
        let names = entry
            .get("names")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        let names: Vec<&str> = names.filter_map(Value::as_str).collect();
        let uid = entry.get("uid").and_then(Value::as_str).unwrap_or_default();
        table.row([Cell::toned(uid, Tone::Faint), Cell::from(names.join("; "))]);
    }
    console.table(0, &table)?;
    let more = total.saturating_sub(count);
    if more > 0 {
        console.note(format_args!("… and {more} more: --count {total}"))?;
    }
    Ok(Answer::Yes)
}

fn check(options: &ListCheck, global: &Global, console: &mut Console) -> Outcome {
    book::read(global, |reader| {
        let named = held(reader, &options.list, None)?;
        let list = List::parse(&reader.blob(&named.digest)?)?;
        let hit = list.find_name(&options.name);
        console.value(&json!({
            "list": named_value(&named),
            "hit": hit.as_ref().map(|(uid, how)| json!({"uid": uid, "match": how})),
        }))?;
        match hit {
            None => console.line(format_args!(
                "{} not on {} {}",
                Tone::Good.paint("clear:"),
                named.name,
                named.version
            ))?,
            Some((uid, how)) => console.line(format_args!(
                "{} entry {uid} of {} {}, {how} match",
                Tone::Bad.paint("listed:"),
                named.name,
                named.version
            ))?,
        }
        Ok(Answer::of(hit.is_none()))
    })
}
