//! `verify`: an export or a book checked from scratch, with whatever the auditor kept.

mod blobs;

use crate::anchors::{self, Demand};
use crate::book;
use crate::cli::{Global, Verify};
use crate::fault::{Answer, Fault, Outcome, faults_from};
use crate::files;
use crate::output::{Console, Tone};
use crate::progress::{self, Copying};
use indicatif::ProgressBar;
use paygod_anchor::witness::http;
use paygod_core::ceremony::REVOCATION_HEADER;
use paygod_store::LogReader;
use paygod_tlog::Hash;
use paygod_tlog::limits::PROOF_BYTES_MAX;
use paygod_types::{Money, code};
use paygod_verify::{
    Depth, Directory, Failure, Kept, Options, Progress, Report, Source, VerifyError, Witnesses,
};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

faults_from!(
    VerifyError,
    paygod_tlog::HashTextError,
    paygod_store::CheckpointError
);

/// Longest file of kept checkpoints.
const KEPT_BYTES_MAX: usize = 64 * 1024 * 1024;
/// How a tlog-proof begins.
const PROOF_HEADER: &[u8] = b"c2sp.org/tlog-proof";

/// Verifies and tells.
pub(crate) fn run(options: &Verify, global: &Global, console: &mut Console) -> Outcome {
    if let Some(folder) = options.folder.as_deref()
        && super::run::is_run(folder)
    {
        if demands_of_a_log(options) {
            let folder = folder.display();
            let message = format!("`{folder}` is the folder of a run, not of a log");
            return Err(Fault::new(code::CLI_INPUT, message).remedy(
                "name the export; a run has no genesis, keys or anchors, and is verified without such options",
            ));
        }
        return super::run::verify(folder, console);
    }
    if options.anchored_within.is_some() && !options.headers.is_given() {
        let message = "without blocks to look in, no entry is shown to be anchored";
        return Err(Fault::new(code::CLI_ARGUMENT, message)
            .remedy("give `--bitcoin-headers` or `--ethereum-blocks` with `--anchored-within`"));
    }
    let scratch = tempfile::tempdir().map_err(|error| {
        Fault::of(code::VERIFY_SCRATCH, &error).while_doing("no temporary folder")
    })?;
    let export = match &options.folder {
        Some(folder) if !folder.is_dir() => {
            return Err(Fault::new(
                code::CLI_INPUT,
                format!("there is no folder `{}`", folder.display()),
            )
            .remedy("name the folder of an export or of a book"));
        }
        Some(folder) if !folder.join("segments").exists() => folder.clone(),
        Some(folder) if folder.join("tile").exists() => {
            let folder = folder.display();
            let message = format!("`{folder}` holds both a book and an export");
            return Err(Fault::new(code::CLI_INPUT, message).remedy(
                "only one of them would be checked; take them apart, and verify the one you were given",
            ));
        }
        Some(book) => {
            let global = Global {
                book: Some(book.clone()),
                ..global.clone()
            };
            exported(&global, scratch.path(), console)?
        }
        None => exported(global, scratch.path(), console)?,
    };
    let kept = KeptFiles::read(&options.kept)?;
    let policy = options
        .witnesses
        .as_deref()
        .map(super::witness::policy)
        .transpose()?;
    let genesis = options.genesis.as_deref().map(Hash::from_hex).transpose()?;
    let headers = super::anchor::headers(&options.headers)?;
    let blocks = super::anchor::blocks(&options.headers)?;
    let hours = options
        .anchored_within
        .map(|hours| hours.saturating_mul(3_600));
    let demand = Demand {
        headers: headers.as_ref(),
        blocks: blocks.as_ref(),
        within: hours.map(Duration::from_secs),
    };
    let sizes = anchors::sizes(&export)?;
    let marks = anchors::marks(&sizes);
    let start = Instant::now();
    let failures_max = if options.all {
        paygod_verify::limits::FAILURES_ALL_MAX
    } else {
        1
    };
    let mut report = check(
        &Directory::new(&export),
        |verify| {
            if options.sealed_only {
                verify.depth = Depth::Sealed;
            }
            verify.genesis = genesis;
            verify.demand_hybrid = options.hybrid;
            verify.witnesses = policy.as_ref().map(|policy| Witnesses {
                policy,
                now: http::now(),
            });
            verify.kept = kept.as_kept();
            verify.marks = &marks;
            verify.failures_max = failures_max;
        },
        &progress::entries(console, 0),
    )?;
    if headers.is_some()
        || blocks.is_some()
        || !sizes.is_empty()
        || !report.marks.receipts.is_empty()
    {
        let proofs = |named| super::anchor::proof_in(&export, named);
        anchors::check(&mut report, &sizes, &proofs, &demand, failures_max)?;
    }
    if let Some(failure) = blobs::misnamed(&export)? {
        report.add(failure, failures_max);
    }
    let took = start.elapsed();
    print(&report, console)?;
    if options.figures {
        tell_figures(&report, took, console)?;
    }
    Ok(Answer::of(report.is_valid()))
}

/// Whether something is asked of a log that a run has not got: whoever puts a run in the place of an export must not pass.
const fn demands_of_a_log(options: &Verify) -> bool {
    options.genesis.is_some()
        || !options.kept.is_empty()
        || options.witnesses.is_some()
        || options.hybrid
        || options.sealed_only
        || options.headers.is_given()
        || options.anchored_within.is_some()
}

/// The report, for people or for programs.
pub(crate) fn print(report: &Report, console: &mut Console) -> Result<(), Fault> {
    if !console.is_json() {
        return tell(report, 0, console);
    }
    let mut bytes = Vec::new();
    report.write_json(&mut bytes);
    bytes.push(b'\n');
    console.bytes(&bytes)
}

/// What it cost.
fn tell_figures(report: &Report, took: Duration, console: &mut Console) -> Result<(), Fault> {
    let entries = report.head.map_or(0, |head| head.size);
    let nanos = took.as_nanos().max(1);
    let a_second = u128::from(entries).saturating_mul(1_000_000_000) / nanos;
    let memory = memory_peak_kb();
    console.value(&json!({"figures": {
        "entries": entries,
        "entries_per_s": u64::try_from(a_second).unwrap_or(u64::MAX),
        "memory_peak_kb": memory,
        "ms": u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        "threads": threads(),
    }}))?;
    let held = memory.map_or_else(String::new, |kb| {
        format!("; at most {} MB of memory held", kb.div_ceil(1_000))
    });
    console.line(format_args!(
        "{entries} entries in {}.{:03} s: {a_second} a second, {} at work{held}",
        took.as_secs(),
        took.subsec_millis(),
        counted(u64::try_from(threads()).unwrap_or(1), "thread"),
    ))
}

/// The most memory this process has held, where the system tells.
fn memory_peak_kb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(2, std::num::NonZero::get)
}

/// A live book is verified as others would see it: exported first.
fn exported(global: &Global, scratch: &Path, console: &Console) -> Result<PathBuf, Fault> {
    let to = scratch.join("export");
    book::read_signed(global, |reader| {
        let bar = Copying::entries(console);
        Ok(reader.export(&to, &mut |done| bar.tell(done))?)
    })?;
    Ok(to)
}

/// Verifies an export.
pub(crate) fn check<'a>(
    export: &dyn Source,
    set: impl FnOnce(&mut Options<'a>),
    bar: &ProgressBar,
) -> Result<Report, Fault> {
    let mut options = Options::new(std::env::temp_dir());
    options.threads = threads();
    set(&mut options);
    let report = paygod_verify::verify(export, &options, &|progress: Progress| {
        bar.set_length(progress.entries_total);
        bar.set_position(progress.entries_done);
    });
    bar.finish_and_clear();
    Ok(report?)
}

/// What an auditor kept, in whatever files.
#[derive(Default)]
pub(crate) struct KeptFiles {
    checkpoints: Vec<Vec<u8>>,
    proofs: Vec<Vec<u8>>,
    revocations: Vec<Vec<u8>>,
    export: Option<Directory>,
}

impl KeptFiles {
    /// Reads checkpoints, logs of checkpoints, receipts, revocations and an earlier export.
    pub(crate) fn read(paths: &[PathBuf]) -> Result<Self, Fault> {
        let mut kept = Self::default();
        for path in paths {
            if path.is_dir() {
                // One silently put in another's place would not be compared.
                if kept.export.replace(Directory::new(path)).is_some() {
                    return Err(Fault::new(
                        code::CLI_ARGUMENT,
                        "two folders were kept, and one export can be compared with",
                    )
                    .remedy("name one folder; verify once more with the other"));
                }
                continue;
            }
            let bytes = files::read(path, KEPT_BYTES_MAX)?;
            if bytes.starts_with(PROOF_HEADER) && bytes.len() <= PROOF_BYTES_MAX {
                kept.proofs.push(bytes);
            } else if bytes.starts_with(REVOCATION_HEADER.as_bytes()) {
                kept.revocations.push(bytes);
            } else if bytes.first().is_some_and(u8::is_ascii_digit) && is_log(&bytes) {
                for note in LogReader::new(&bytes) {
                    kept.checkpoints.push(note?.to_vec());
                }
            } else {
                kept.checkpoints.push(bytes);
            }
        }
        Ok(kept)
    }

    /// As the verifier takes it.
    pub(crate) fn as_kept(&self) -> Kept<'_> {
        Kept {
            checkpoints: &self.checkpoints,
            proofs: &self.proofs,
            revocations: &self.revocations,
            export: self.export.as_ref().map(|export| -> &dyn Source { export }),
        }
    }
}

/// A log of checkpoints begins with a length on a line of its own; an origin has more to it.
fn is_log(bytes: &[u8]) -> bool {
    LogReader::new(bytes)
        .next()
        .is_some_and(|first| first.is_ok())
}

/// Tells people what was checked and what is wrong.
pub(crate) fn tell(report: &Report, indent: usize, console: &mut Console) -> Result<(), Fault> {
    if report.is_valid() {
        return tell_valid(report, indent, console);
    }
    let heading = match report.failures.len() {
        1 => "NOT VALID".to_owned(),
        many => format!("NOT VALID: {many} failures"),
    };
    console.line(format_args!(
        "{}{}",
        " ".repeat(indent),
        Tone::Bad.paint(heading)
    ))?;
    for failure in &report.failures {
        tell_failure(failure, indent.saturating_add(2), console)?;
    }
    if report.failures_omitted > 0 {
        console.note(format_args!(
            "… and {} more: paygod verify … --all",
            report.failures_omitted
        ))?;
    }
    Ok(())
}

/// One failure: where, by which check, what was expected and found.
pub(crate) fn tell_failure(
    failure: &Failure,
    indent: usize,
    console: &mut Console,
) -> Result<(), Fault> {
    let blank = " ".repeat(indent);
    console.line(format_args!(
        "{blank}{}: {} {}",
        Tone::Bad.paint(&failure.place),
        failure.check.code().title(),
        Tone::Faint.paint(format_args!("[{}]", failure.check))
    ))?;
    let indent = indent.saturating_add(2);
    console.sentence(
        indent,
        Tone::Plain,
        &format!("expected {}", failure.expected),
    )?;
    console.sentence(indent, Tone::Plain, &format!("found {}", failure.found))
}

fn tell_valid(report: &Report, indent: usize, console: &mut Console) -> Result<(), Fault> {
    let blank = " ".repeat(indent);
    let size = report.head.map_or(0, |head| head.size);
    console.line(format_args!(
        "{blank}{} {size} entries of `{}`{}",
        Tone::Good.paint("VALID"),
        paygod_verify::printable(report.origin.chars()),
        match report.depth {
            Depth::Whole => "",
            Depth::Sealed => ", as far as it was checked",
        }
    ))?;
    let tick = Tone::Good.paint("✓");
    for line in what_was_checked(report) {
        console.line(format_args!("{blank}  {tick} {line}"))?;
    }
    for of in &report.totals {
        let money = |amount| Money {
            amount,
            currency: of.currency,
        };
        console.line(format_args!(
            "{blank}    {}",
            Tone::Faint.paint(format_args!(
                "{} moved, {} reserved",
                money(of.totals.debits_posted),
                money(of.totals.debits_pending)
            ))
        ))?;
    }
    if report.depth == Depth::Sealed {
        let warning = "Not checked, as `--sealed-only` asks: ids, times, decisions, accounts, balances, packs and lists. Leave it out to check them.";
        console.sentence(indent.saturating_add(2), Tone::Warn, warning)?;
    }
    if let Some(of) = &report.anchors {
        anchors::warn(of, indent.saturating_add(2), console)?;
    }
    if report.genesis_pinned {
        return Ok(());
    }
    let warning = "It is consistent in itself. That it is the book you know, only its fingerprint tells; compare it with the one you were given, or pass that with --genesis:";
    console.sentence(indent.saturating_add(2), Tone::Warn, warning)?;
    let found = report
        .genesis
        .map(|hash| hash.to_string())
        .unwrap_or_default();
    console.line(format_args!("{blank}  {found}"))
}

fn what_was_checked(report: &Report) -> Vec<String> {
    let whole = report.depth == Depth::Whole;
    let mut lines = vec![
        if whole {
            "every entry in its one canonical form, every id once, time always rising".to_owned()
        } else {
            "every entry in its one canonical form".to_owned()
        },
        format!(
            "the whole tree rebuilt; {} fit it and each other",
            counted(report.checkpoints, "signed checkpoint")
        ),
        format!(
            "every signature, by the key in force then; {}",
            counted(report.keys, "key")
        ),
    ];
    if report.hybrid {
        lines.push("every checkpoint with the log's ML-DSA-44 cosignature too".to_owned());
    }
    if whole {
        lines.push(format!(
            "{} rebuilt, every balance to the last unit; debits equal credits",
            counted(report.accounts, "account")
        ));
        lines.push(
            "no money moved on a deny; packs and lists are those that were activated".to_owned(),
        );
    }
    if let (Some(size), Some(head)) = (report.witnessed, report.head) {
        let newer = head.size.saturating_sub(size);
        lines.push(format!(
            "witnessed by your quorum up to entry {}; {newer} newer",
            size.saturating_sub(1)
        ));
    }
    for revoked in &report.revoked {
        lines.push(format!(
            "a checkpoint key was revoked by entry {}: what it signed past entry {} vouches for nothing",
            revoked.at, revoked.last_good
        ));
    }
    if report.kept > 0 {
        lines.push(format!(
            "what you kept still stands: {}",
            counted(report.kept, "piece")
        ));
    }
    lines.extend(report.anchors.iter().flat_map(anchors::told));
    if report.genesis_pinned {
        lines.push("it begins with the genesis whose fingerprint you gave".to_owned());
    }
    lines
}

/// `1 key`, `2 keys`.
pub(crate) fn counted(count: u64, what: &str) -> String {
    if count == 1 {
        format!("1 {what}")
    } else {
        format!("{count} {what}s")
    }
}
