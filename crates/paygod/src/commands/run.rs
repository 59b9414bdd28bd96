//! `run`: one document judged without a book, and checking such a run.

use crate::book;
use crate::cli::{Global, Run as Asked};
use crate::commands::policy::packs;
use crate::commands::{ask, requests};
use crate::fault::{Answer, Fault, Outcome, faults_from};
use crate::files;
use crate::output::{Console, Tone};
use paygod_core::Command;
use paygod_core::command::RunSeal;
use paygod_policy::limits::{ARCHIVE_BYTES_MAX, DOCUMENT_BYTES_MAX, LIST_BYTES_MAX};
use paygod_policy::run::{MANIFEST, PLAN, goes_on};
use paygod_policy::{Decision, List, ListBuilder, Named, Pack, Run, RunError};
use paygod_types::{Digest, Name, Timestamp, code};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

faults_from!(RunError);

/// Refuses to run without a clock that the caller names.
const STRICT: &str = "PAYGOD_STRICT";
/// Files of one run's folder: the five, and a bounded evidence.
const FILES_MAX: usize = 1_000;

/// Folders within folders of a run.
const DEPTH_MAX: usize = 3;

/// Judges and writes.
pub(crate) fn run(options: &Asked, global: &Global, console: &mut Console) -> Outcome {
    if options.seal {
        // Before anything is written.
        book::folder(global)?;
    }
    let clock = clock(options.clock.as_deref())?;
    let packs: Vec<Pack> = options
        .pack
        .iter()
        .map(|path| packs::open(path))
        .collect::<Result<_, Fault>>()?;
    let lists = with_empty(packs::lists(&options.list)?, &packs)?;
    let document = files::read(&options.input, DOCUMENT_BYTES_MAX)?;
    let run = Run::judge(&packs, &lists, &document, clock)?;
    files::make_empty_folder(&options.out)?;
    for (name, bytes) in &run.files {
        files::write(&options.out.join(name), bytes)?;
    }
    let decision = &run.decision;
    let mut value = told_value(decision, run.digest());
    if let Some(object) = value.as_object_mut() {
        object.insert("folder".into(), options.out.display().to_string().into());
    }
    console.value(&value)?;
    tell(decision, console)?;
    console.line(format_args!("run {}", Tone::Faint.paint(run.digest())))?;
    console.note(format_args!(
        "check it: paygod verify {}",
        options.out.display()
    ))?;
    if options.seal {
        seal(options, &packs, &run, global, console)?;
    }
    Ok(Answer::of(goes_on(decision.verdict)))
}

/// Seals what was decided; the folder is written already, so that an entry never speaks of a run that nobody
/// has.
fn seal(
    options: &Asked,
    packs: &[Pack],
    run: &Run,
    global: &Global,
    console: &mut Console,
) -> Result<(), Fault> {
    let mut named: Vec<Named> = packs.iter().map(|pack| pack.named().clone()).collect();
    named.sort();
    let digest = run.digest().to_string();
    let sealed = RunSeal {
        packs: named,
        run: run.digest(),
        verdict: run.decision.verdict,
    };
    let request = ask::request(&options.asked, &[&digest], Command::RunSeal(sealed))?;
    book::with(global, |ledger| requests::seal(ledger, request, console)).map(drop)
}

/// The time the caller names, else now.
pub(crate) fn clock(given: Option<&str>) -> Result<Timestamp, Fault> {
    if let Some(text) = given {
        return Timestamp::parse_rfc3339(text).map_err(|error| {
            Fault::of(code::CLI_ARGUMENT, &error)
                .while_doing("cannot read the clock")
                .remedy("write it as in `--clock 2026-11-25T08:00:00Z`")
        });
    }
    if std::env::var_os(STRICT).is_some_and(|strict| strict == "1") {
        let message = format!("{STRICT}=1 is set and no clock is given");
        return Err(Fault::new(code::CLI_ARGUMENT, message)
            .remedy("pass `--clock 2026-11-25T08:00:00Z`, or set PAYGOD_CLOCK"));
    }
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let nanos = now.ok().and_then(|now| u64::try_from(now.as_nanos()).ok());
    nanos
        .map(Timestamp::from_nanos)
        .ok_or_else(|| Fault::new(code::CLI_ARGUMENT, "the machine's clock is out of range"))
}

/// The lists given, and an empty one for every other that a pack reads: it is written down as empty.
fn with_empty(mut lists: Vec<Arc<List>>, packs: &[Pack]) -> Result<Vec<Arc<List>>, Fault> {
    let needed: BTreeSet<&str> = packs
        .iter()
        .flat_map(|pack| pack.lists().iter().map(String::as_str))
        .collect();
    lists.retain(|list| needed.contains(list.named().name.as_str()));
    for name in needed {
        if !lists.iter().any(|list| list.named().name.as_str() == name) {
            lists.push(Arc::new(
                ListBuilder::new(Name::parse(name)?, "empty").build()?,
            ));
        }
    }
    Ok(lists)
}

fn told_value(decision: &Decision, digest: Digest) -> Value {
    let findings: Vec<Value> = decision
        .reasons
        .iter()
        .map(|reason| {
            json!({
                "pack": reason.rule.pack.as_str(),
                "rule": reason.rule.rule.as_str(),
                "decision": reason.rule.decision.as_str(),
                "reason": reason.rule.reason,
            })
        })
        .collect();
    json!({
        "decision": decision.verdict.as_str(),
        "findings": findings,
        "run": digest.to_string(),
    })
}

fn tell(decision: &Decision, console: &mut Console) -> Result<(), Fault> {
    console.line(packs::tone(decision.verdict).paint(decision.verdict))?;
    for reason in &decision.reasons {
        let told = format!(
            "{} {}: {}",
            reason.rule.pack, reason.rule.rule, reason.rule.reason
        );
        console.sentence(2, packs::tone(reason.rule.decision), &told)?;
        for (key, value) in &reason.facts {
            console.line(format_args!("    {key} {value}"))?;
        }
    }
    Ok(())
}

/// Whether a folder is one that `run` wrote.
pub(crate) fn is_run(folder: &Path) -> bool {
    folder.join(MANIFEST).is_file() || folder.join(PLAN).is_file()
}

/// Checks a run's folder: a file that was altered is a no, and is named.
pub(crate) fn verify(folder: &Path, console: &mut Console) -> Outcome {
    let mut found = BTreeMap::new();
    collect(folder, folder, 0, &mut 0, &mut found)?;
    match Run::check(&found) {
        Ok(run) => {
            let mut value = told_value(&run.decision, run.digest());
            if let Some(object) = value.as_object_mut() {
                object.insert("valid".into(), true.into());
                object.insert("files".into(), found.len().into());
            }
            console.value(&value)?;
            console.line(format_args!(
                "{}: {} files, judged again with the same bytes",
                Tone::Good.paint("valid"),
                found.len()
            ))?;
            tell(&run.decision, console)?;
            console.line(format_args!("run {}", Tone::Faint.paint(run.digest())))?;
            console.note(
                "Compare the run's digest with the one you noted: whoever can write the folder can make another run.",
            )?;
            Ok(Answer::Yes)
        }
        Err(altered) => {
            console.value(&json!({
                "valid": false,
                "file": altered.file,
                "problem": altered.problem,
            }))?;
            console.line(format_args!(
                "{}: {}: {}",
                Tone::Bad.paint("altered"),
                altered.file,
                altered.problem
            ))?;
            Ok(Answer::No)
        }
    }
}

/// Reads every file below a folder. What is neither a file nor a folder is no part of a run, and is refused: a link
/// leads out of it, or round in it.
fn collect(
    root: &Path,
    folder: &Path,
    depth: usize,
    folders: &mut usize,
    found: &mut BTreeMap<String, Vec<u8>>,
) -> Result<(), Fault> {
    let failed = |error: std::io::Error| {
        Fault::of(code::CLI_INPUT, &error)
            .while_doing(&format!("cannot read the folder `{}`", folder.display()))
    };
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let (path, kind) = (entry.path(), entry.file_type().map_err(failed)?);
        let refused = |what: &str| {
            let message = format!("`{}` {what}, which no run has", path.display());
            Err(Fault::new(code::CLI_INPUT, message)
                .remedy("take the folder as tampered with; ask for it again"))
        };
        if kind.is_dir() {
            *folders = folders.saturating_add(1);
            if depth >= DEPTH_MAX || *folders > FILES_MAX {
                return refused("lies too deep, or is one folder too many");
            }
            collect(root, &path, depth.saturating_add(1), folders, found)?;
            continue;
        }
        if !kind.is_file() {
            return refused("is neither a file nor a folder");
        }
        if found.len() >= FILES_MAX {
            let message = format!(
                "the folder `{}` has more than {FILES_MAX} files",
                root.display()
            );
            return Err(Fault::new(code::CLI_INPUT, message));
        }
        let limit = LIST_BYTES_MAX
            .max(DOCUMENT_BYTES_MAX)
            .max(ARCHIVE_BYTES_MAX);
        let bytes = files::read_plain(&path, limit)?;
        let name = path.strip_prefix(root).unwrap_or(&path);
        found.insert(name.to_string_lossy().replace('\\', "/"), bytes);
    }
    Ok(())
}
