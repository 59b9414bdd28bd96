//! `monitor`: a book followed from outside. What was seen once must still stand at every later visit.
//!
//! The state is a folder with two files: `genesis`, the fingerprint, and `checkpoint`, the newest one that
//! held. Neither is written before everything holds.
//!
//! What a visit found can also go to a file that Prometheus reads. It is written whatever the visit came to, so
//! that an alarm needs no look at an exit status. And a webhook is told when a visit did not hold or could not be made.

mod alarm;
mod mirror;
mod web;

use self::alarm::Webhook;
use self::mirror::Mirror;
use super::verify::{self, KeptFiles};
use super::witness;
use crate::cli::Monitor;
use crate::fault::{Answer, Fault, Outcome};
use crate::files;
use crate::output::Console;
use crate::progress;
use paygod_anchor::witness::http;
use paygod_tlog::limits::NOTE_BYTES_MAX;
use paygod_tlog::{Hash, SignedCheckpoint, TlogPolicy};
use paygod_types::code;
use paygod_verify::{Depth, Directory, Report, Source, Witnesses};
use std::fs::{self, File};
use std::path::Path;

/// Longest file of a fingerprint.
const GENESIS_BYTES_MAX: usize = 128;

/// How often a visit is made when the export was replaced meanwhile.
const EXPORTS_MAX: u32 = 3;

/// Visits the book, and tells Prometheus and the webhook what came of it.
pub(crate) fn run(options: &Monitor, console: &mut Console) -> Outcome {
    let visited = visit(options, console);
    let found = visited.as_ref().ok();
    // What was seen first: an export that was changed must not raise its alarm under another name.
    let origin = origin_of(&options.state.join("checkpoint"));
    let origin = origin.or_else(|| Some(found?.origin.clone()));
    let origin = origin.unwrap_or_default();
    let webhook = options.webhook_file.as_deref();
    let alarmed = webhook.map_or(Ok(()), |path| {
        Webhook::read(path)?.tell(&options.export, &origin, &visited)
    });
    let printed = found.map_or(Ok(()), |report| verify::print(report, console));
    if let Some(path) = &options.metrics {
        let text = metrics(&origin, found, http::now());
        replace(path, text.as_bytes())?;
    }
    printed?;
    match alarmed {
        // The visit's own bad news says how this ends.
        Err(fault) if !found.is_some_and(Report::is_valid) => console.fault(&fault),
        alarmed => alarmed?,
    }
    Ok(Answer::of(visited?.is_valid()))
}

/// The origin of the checkpoint that was seen before.
fn origin_of(seen: &Path) -> Option<String> {
    let seen = SignedCheckpoint::parse(&files::read(seen, NOTE_BYTES_MAX).ok()?).ok()?;
    Some(seen.checkpoint().origin.clone())
}

/// In the text format that Prometheus reads (`text/plain; version=0.0.4`), for the textfile collector of its node
/// exporter. `found` is missing if the book could not be checked.
fn metrics(origin: &str, found: Option<&Report>, now: u64) -> String {
    let failures = found.map_or(0, |report| {
        u64::try_from(report.failures.len())
            .unwrap_or(u64::MAX)
            .saturating_add(report.failures_omitted)
    });
    let size = found
        .and_then(|report| report.head)
        .map_or(0, |head| head.size);
    let checkpoints = found.map_or(0, |report| report.checkpoints);
    let told = [
        (
            "checked",
            "Whether the export could be checked at the last visit.",
            u64::from(found.is_some()),
        ),
        (
            "valid",
            "Whether everything held at the last visit.",
            u64::from(found.is_some_and(Report::is_valid)),
        ),
        ("failures", "What did not hold at the last visit.", failures),
        ("entries", "Entries of the log at the last visit.", size),
        (
            "checkpoints",
            "Published checkpoints that were checked at the last visit.",
            checkpoints,
        ),
        ("visit_timestamp_seconds", "When the last visit ended.", now),
    ];
    // The format's own escapes, which are JSON's.
    let origin = serde_json::Value::from(origin).to_string();
    let mut text = String::new();
    for (name, help, value) in told {
        let lines = [
            format!("# HELP paygod_monitor_{name} {help}\n"),
            format!("# TYPE paygod_monitor_{name} gauge\n"),
            format!("paygod_monitor_{name}{{origin={origin}}} {value}\n"),
        ];
        text.extend(lines);
    }
    text
}

/// Visits the export, wherever it is.
fn visit(options: &Monitor, console: &mut Console) -> Result<Report, Fault> {
    let demand = Demand::read(options)?;
    let address = &options.export;
    if !address.starts_with("https://") && !address.starts_with("http://") {
        let newest = files::read_plain(&Path::new(address).join("checkpoint"), NOTE_BYTES_MAX)?;
        return demand.check(&Directory::new(address), &newest, console);
    }
    let mirror = Mirror::new(address, &options.state, options.again)?;
    let mut exports = 1;
    loop {
        let newest = mirror.refresh()?;
        let size = SignedCheckpoint::parse(&newest).map_or(0, |newest| newest.head().size);
        mirror.fetch_tiles(size)?;
        let checked = demand.check(&mirror, &newest, console);
        let report = checked.map_err(|fault| mirror.fault().unwrap_or(fault))?;
        if report.is_valid() {
            mirror.keep()?;
            return Ok(report);
        }
        let replaced = exports < EXPORTS_MAX && mirror.has_changed(&newest);
        mirror.forget()?;
        if !replaced {
            return Ok(report);
        }
        exports += 1;
    }
}

/// What the book is held to.
struct Demand<'a> {
    options: &'a Monitor,
    genesis: Hash,
    kept: KeptFiles,
    policy: Option<TlogPolicy>,
}

impl<'a> Demand<'a> {
    /// Reads what was seen, and what the auditor brought.
    fn read(options: &'a Monitor) -> Result<Self, Fault> {
        let genesis = genesis(options, &options.state.join("genesis"))?;
        let mut kept = options.kept.clone();
        let seen = options.state.join("checkpoint");
        if seen.exists() {
            kept.push(seen);
        }
        Ok(Self {
            options,
            genesis,
            kept: KeptFiles::read(&kept)?,
            policy: options
                .witnesses
                .as_deref()
                .map(witness::policy)
                .transpose()?,
        })
    }

    /// Checks an export, whose newest checkpoint this is, against what was seen, and remembers it.
    fn check(
        &self,
        export: &dyn Source,
        newest: &[u8],
        console: &Console,
    ) -> Result<Report, Fault> {
        let report = verify::check(
            export,
            |verify| {
                if self.options.sealed_only {
                    verify.depth = Depth::Sealed;
                }
                verify.genesis = Some(self.genesis);
                verify.kept = self.kept.as_kept();
                verify.demand_hybrid = self.options.hybrid;
                verify.witnesses = self.policy.as_ref().map(|policy| Witnesses {
                    policy,
                    now: http::now(),
                });
            },
            &progress::entries(console, 0),
        )?;
        // The export may have been replaced while it was read: only what was checked is remembered.
        let checked =
            SignedCheckpoint::parse(newest).is_ok_and(|newest| report.head == Some(*newest.head()));
        if report.is_valid() && checked {
            let genesis = format!("{}\n", self.genesis);
            replace(&self.options.state.join("genesis"), genesis.as_bytes())?;
            replace(&self.options.state.join("checkpoint"), newest)?;
        }
        Ok(report)
    }
}

/// The fingerprint: the one remembered, which the one given must be, or the one given.
fn genesis(options: &Monitor, path: &Path) -> Result<Hash, Fault> {
    let given = options.genesis.as_deref().map(Hash::from_hex).transpose()?;
    if !path.exists() {
        return given.ok_or_else(|| {
            Fault::new(code::CLI_ARGUMENT, "nothing was seen of this book before")
                .remedy("pass the fingerprint that you were given: --genesis")
        });
    }
    let text = files::read(path, GENESIS_BYTES_MAX)?;
    let seen = Hash::from_hex(String::from_utf8_lossy(&text).trim_end())?;
    match given {
        Some(given) if given != seen => {
            let message = format!("the book seen before has the fingerprint {seen}");
            Err(Fault::new(code::CLI_ARGUMENT, message)
                .remedy("name another folder with --state for another book"))
        }
        _ => Ok(seen),
    }
}

/// Puts these bytes in a file's place, whole and durably: what was seen once must not be forgotten.
fn replace(path: &Path, bytes: &[u8]) -> Result<(), Fault> {
    let beside = path.with_extension("new");
    files::write(&beside, bytes)?;
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    File::open(&beside)
        .and_then(|file| file.sync_all())
        .and_then(|()| fs::rename(&beside, path))
        .and_then(|()| File::open(parent.unwrap_or(Path::new(".")))?.sync_all())
        .map_err(|error| {
            let what = format!("cannot write `{}`", path.display());
            Fault::of(code::CLI_OUTPUT, &error).while_doing(&what)
        })
}
