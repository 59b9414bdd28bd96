//! `pack`: show, check, test and activate.

use crate::book;
use crate::cli::{Global, PackActivate, PackCommand, PackPaths};
use crate::commands::{ask, requests};
use crate::fault::{Answer, Fault, Outcome};
use crate::output::{Console, Tone};
use crate::table::{Align, Cell, Table};
use paygod_policy::{CasesReport, Named, Pack};
use paygod_service::ledger::{ActivationOrder, Ledger, read_pack};
use paygod_types::{Name, RequestId};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Shows, checks, tests, activates.
pub(crate) fn run(command: &PackCommand, global: &Global, console: &mut Console) -> Outcome {
    match command {
        PackCommand::List => list(global, console),
        PackCommand::Check(options) => check(options, console),
        PackCommand::Test(options) => test(options, console),
        PackCommand::Activate(options) => activate(options, global, console),
    }
}

fn list(global: &Global, console: &mut Console) -> Outcome {
    book::with(global, |ledger| {
        let policy = ledger.status()?.policy;
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
pub(crate) fn named_table(packs: &[Named], lists: &[Named]) -> Table {
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

/// The start of a digest, which is enough for people to compare; programs get all of it.
pub(super) fn short(named: &Named) -> String {
    let digest: String = named
        .digest
        .to_string()
        .chars()
        .take(DIGEST_SHOWN)
        .collect();
    format!("{digest}…")
}

/// Digits of a digest that people are shown.
const DIGEST_SHOWN: usize = 16;

pub(super) fn named_value(named: &Named) -> Value {
    json!({
        "name": named.name.as_str(),
        "version": named.version,
        "digest": named.digest.to_string(),
    })
}

/// Loads every pack and tells of each; a pack with faults is a no.
fn check(options: &PackPaths, console: &mut Console) -> Outcome {
    let mut sound = true;
    for folder in &options.packs {
        let shown = folder.display().to_string();
        match read_pack(folder) {
            Ok(pack) => {
                let named = pack.named();
                let rules = pack.rules().len();
                let mut value = named_value(named);
                if let Some(object) = value.as_object_mut() {
                    object.insert("valid".into(), true.into());
                    object.insert("folder".into(), shown.into());
                    object.insert("rules".into(), rules.into());
                    object.insert("lists".into(), pack.lists().into());
                }
                console.value(&value)?;
                console.line(format_args!(
                    "{} {} {}: {rules} rules  {}",
                    Tone::Good.paint("sound"),
                    named.name,
                    named.version,
                    Tone::Faint.paint(named.digest)
                ))?;
            }
            Err(error) => {
                sound = false;
                console.value(&json!({
                    "valid": false,
                    "folder": shown,
                    "code": error.code().as_str(),
                    "message": error.to_string(),
                }))?;
                console.line(format_args!("{} {shown}", Tone::Bad.paint("faulty")))?;
                console.line(error.to_string().trim_end())?;
            }
        }
    }
    Ok(Answer::of(sound))
}

/// Runs the cases of every pack; a case that fails is a no.
fn test(options: &PackPaths, console: &mut Console) -> Outcome {
    let mut passed = true;
    for folder in &options.packs {
        let pack = read_pack(folder)?;
        let report = pack.run_cases(&[]);
        passed &= report.passed();
        console.value(&cases_value(&pack, &report))?;
        tell_cases(&pack, &report, console)?;
    }
    Ok(Answer::of(passed))
}

fn tell_cases(pack: &Pack, report: &CasesReport, console: &mut Console) -> Result<(), Fault> {
    let named = pack.named();
    let passed = report
        .cases
        .iter()
        .filter(|case| case.failure.is_none())
        .count();
    let tone = if report.passed() {
        Tone::Good
    } else {
        Tone::Bad
    };
    console.line(format_args!(
        "{} {}: {} of {} cases passed",
        Tone::Strong.paint(&named.name),
        named.version,
        tone.paint(passed),
        report.cases.len()
    ))?;
    for case in &report.cases {
        let Some(failure) = &case.failure else {
            continue;
        };
        console.line(format_args!(
            "  {} {}",
            Tone::Bad.paint("failed"),
            case.name
        ))?;
        console.sentence(4, Tone::Plain, failure)?;
    }
    let silent: Vec<&str> = report
        .coverage
        .iter()
        .filter(|rule| rule.fired == 0)
        .map(|rule| rule.rule.as_str())
        .collect();
    if !silent.is_empty() {
        let told = format!("no case makes these rules speak: {}", silent.join(", "));
        console.sentence(2, Tone::Warn, &told)?;
    }
    Ok(())
}

fn cases_value(pack: &Pack, report: &CasesReport) -> Value {
    let cases: Vec<Value> = report
        .cases
        .iter()
        .map(|case| {
            json!({
                "name": case.name,
                "description": case.description,
                "expected": case.expected.as_str(),
                "found": case.found.as_ref().map(|found| found.verdict.as_str()),
                "failure": case.failure,
            })
        })
        .collect();
    let coverage: serde_json::Map<String, Value> = report
        .coverage
        .iter()
        .map(|rule| (rule.rule.clone(), rule.fired.into()))
        .collect();
    let mut value = named_value(pack.named());
    if let Some(object) = value.as_object_mut() {
        object.insert("passed".into(), report.passed().into());
        object.insert("cases".into(), cases.into());
        object.insert("coverage".into(), coverage.into());
    }
    value
}

fn activate(options: &PackActivate, global: &Global, console: &mut Console) -> Outcome {
    let packs: Vec<Pack> = options
        .packs
        .iter()
        .map(|folder| Ok(read_pack(folder)?))
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
            lists: chosen_lists(ledger, &packs, &options.list)?,
        };
        let sealed = ledger.activate_packs(&order, packs)?;
        requests::tell(ledger, &sealed, console)
    })
}

/// The lists that the packs read: the version asked for, else the newest.
fn chosen_lists(ledger: &Ledger, packs: &[Pack], asked: &[String]) -> Result<Vec<Named>, Fault> {
    let mut names: BTreeSet<&str> = packs
        .iter()
        .flat_map(|pack| pack.lists().iter().map(String::as_str))
        .collect();
    let mut chosen = Vec::new();
    for text in asked {
        let (name, version) = ask::pair("list", text)?;
        names.remove(name);
        chosen.push(super::lists::held(ledger, name, Some(version))?);
    }
    for name in names {
        chosen.push(ledger.newest_list(&Name::parse(name)?)?);
    }
    Ok(chosen)
}
