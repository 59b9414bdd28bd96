//! `monitor`: a book followed from outside. What was seen once must still stand at every later visit.
//!
//! The state is a folder with two files: `genesis`, the fingerprint, and `checkpoint`, the newest one that
//! held. Neither is written before everything holds.

use super::verify::{self, KeptFiles};
use super::witness;
use crate::cli::Monitor;
use crate::fault::{Answer, Fault, Outcome};
use crate::files;
use crate::output::Console;
use crate::progress;
use paygod_anchor::witness::http;
use paygod_tlog::limits::NOTE_BYTES_MAX;
use paygod_tlog::{Hash, SignedCheckpoint};
use paygod_types::code;
use paygod_verify::{Depth, Witnesses};
use std::fs;
use std::path::Path;

/// Longest file of a fingerprint.
const GENESIS_BYTES_MAX: usize = 128;

/// Checks the export against what was seen, and remembers it.
pub(crate) fn run(options: &Monitor, console: &mut Console) -> Outcome {
    let (genesis_path, seen_path) = (
        options.state.join("genesis"),
        options.state.join("checkpoint"),
    );
    let genesis = genesis(options, &genesis_path)?;
    let mut kept = options.kept.clone();
    if seen_path.exists() {
        kept.push(seen_path.clone());
    }
    let kept = KeptFiles::read(&kept)?;
    let policy = options
        .witnesses
        .as_deref()
        .map(witness::policy)
        .transpose()?;
    let newest = files::read(&options.folder.join("checkpoint"), NOTE_BYTES_MAX)?;
    let report = verify::check(
        &options.folder,
        |verify| {
            if options.sealed_only {
                verify.depth = Depth::Sealed;
            }
            verify.genesis = Some(genesis);
            verify.kept = kept.as_kept();
            verify.demand_hybrid = options.hybrid;
            verify.witnesses = policy.as_ref().map(|policy| Witnesses {
                policy,
                now: http::now(),
            });
        },
        &progress::entries(console, 0),
    )?;
    // The export may have been replaced while it was read: only what was checked is remembered.
    let checked =
        SignedCheckpoint::parse(&newest).is_ok_and(|newest| report.head == Some(*newest.head()));
    if report.is_valid() && checked {
        replace(&genesis_path, format!("{genesis}\n").as_bytes())?;
        replace(&seen_path, &newest)?;
    }
    verify::print(&report, console)?;
    Ok(Answer::of(report.is_valid()))
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

/// Puts these bytes in a file's place, whole.
fn replace(path: &Path, bytes: &[u8]) -> Result<(), Fault> {
    let beside = path.with_extension("new");
    files::write(&beside, bytes)?;
    fs::rename(&beside, path).map_err(|error| {
        let what = format!("cannot write `{}`", path.display());
        Fault::of(code::CLI_OUTPUT, &error).while_doing(&what)
    })
}
