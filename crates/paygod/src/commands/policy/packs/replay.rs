//! `pack replay`: sealed history, decided once more.

use super::{find, sign};
use crate::book;
use crate::cli::{Global, PackReplay};
use crate::commands::ask;
use crate::commands::policy::lists;
use crate::fault::{Answer, Fault, Outcome};
use crate::files;
use crate::output::{Console, Tone};
use crate::progress;
use crate::table::{Align, Cell, Table};
use paygod_core::publisher::report_text;
use paygod_policy::{Named, Pack};
use paygod_service::ledger::{
    LedgerReader, Moved, Replayed, ShadowPacks, Shadowed, Speaks, Unreplayable,
};
use paygod_types::code;
use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, Instant};

/// A report lists at most 4 · 1,000 entries, each with at most some kilobytes of names.
const REPORT_BYTES_MAX: usize = 16 * 1_024 * 1_024;

/// Entries of a kind that people are shown; programs and the report get more.
const SHOWN_MAX: usize = 10;

/// Replays; a difference is a no.
pub(super) fn run(options: &PackReplay, global: &Global, console: &mut Console) -> Outcome {
    let packs = options.with.iter().map(|path| find::open(path));
    let packs = packs.collect::<Result<Vec<Pack>, Fault>>()?;
    let expected = options.check.as_deref().map(Report::read).transpose()?;
    book::read_signed(global, |reader| {
        let shadow = shadow(reader, packs, &options.list)?;
        let size = expected.as_ref().map(|report| report.size);
        let bar = progress::entries(console, size.unwrap_or_else(|| reader.signed()));
        let began = Instant::now();
        let replayed = reader.replay(shadow.as_ref(), size, |done| bar.set_position(done));
        bar.finish_and_clear();
        let replayed = replayed?;
        let took = began.elapsed();
        let report = replayed.to_canonical();
        if let Some(out) = &options.out {
            files::write(out, &report)?;
            if let Some(key) = &options.key {
                let text = report_text(&replayed.origin, replayed.head.size, &report);
                let public = options.public.as_deref();
                sign::sign(&text, key, public, &sign::signature_path(out))?;
            }
        }
        let matches = expected.as_ref().map(|expected| expected.bytes == report);
        console.value(&value(&report, matches, &replayed, took)?)?;
        tell(&replayed, took, console)?;
        if let Some(matches) = matches {
            console.line(if matches {
                Tone::Good.paint("the report is what this book gives")
            } else {
                Tone::Bad.paint("the report is NOT what this book gives")
            })?;
        }
        Ok(Answer::of(replayed.reproduces() && matches != Some(false)))
    })
}

fn shadow(
    reader: &LedgerReader,
    packs: Vec<Pack>,
    asked: &[String],
) -> Result<Option<ShadowPacks>, Fault> {
    if packs.is_empty() {
        return Ok(None);
    }
    let held = |text: &String| -> Result<Named, Fault> {
        let (name, version) = ask::pair("list", text)?;
        lists::held(reader, name, Some(version))
    };
    let lists = asked.iter().map(held).collect::<Result<_, _>>()?;
    Ok(Some(ShadowPacks { packs, lists }))
}

/// A report that was written to a file.
pub(super) struct Report {
    bytes: Vec<u8>,
    origin: String,
    size: u64,
    /// What its publisher signs.
    pub(super) text: String,
}

impl Report {
    fn read(path: &Path) -> Result<Self, Fault> {
        let bytes = files::read(path, REPORT_BYTES_MAX)?;
        Self::parse(bytes).ok_or_else(|| {
            let message = format!("`{}` is not a report of a replay", path.display());
            Fault::new(code::PACK_REPORT, message)
        })
    }

    fn parse(bytes: Vec<u8>) -> Option<Self> {
        let value: Value = serde_json::from_slice(&bytes).ok()?;
        if value.get("kind")? != "replay-report" {
            return None;
        }
        let log = value.get("log")?;
        let origin = log.get("origin")?.as_str()?.to_owned();
        let size = log.get("size")?.as_u64()?;
        let text = report_text(&origin, size, &bytes);
        Some(Self {
            bytes,
            origin,
            size,
            text,
        })
    }

    pub(super) fn told(&self) -> String {
        format!("a replay of {} entries of `{}`", self.size, self.origin)
    }
}

/// The report in a file, if it is one; `None` of a pack.
pub(super) fn read_report(path: &Path) -> Result<Option<Report>, Fault> {
    if !path.is_file() {
        return Ok(None);
    }
    Ok(Report::parse(files::read(path, REPORT_BYTES_MAX)?))
}

/// Entries of the log in a second, judged or not.
fn rate(replayed: &Replayed, took: Duration) -> u64 {
    let nanos = took.as_nanos().max(1);
    let rate = u128::from(replayed.head.size)
        .saturating_mul(1_000_000_000)
        .checked_div(nanos);
    rate.and_then(|rate| u64::try_from(rate).ok()).unwrap_or(0)
}

fn value(
    report: &[u8],
    matches: Option<bool>,
    replayed: &Replayed,
    took: Duration,
) -> Result<Value, Fault> {
    let report: Value =
        serde_json::from_slice(report).map_err(|error| Fault::of(code::PACK_REPORT, &error))?;
    Ok(json!({
        "report": report,
        "reproduces": replayed.reproduces(),
        "code": (!replayed.reproduces()).then_some(code::PACK_REPLAY.as_str()),
        "matches": matches,
        "entries_per_second": rate(replayed, took),
    }))
}

fn tell(replayed: &Replayed, took: Duration, console: &mut Console) -> Result<(), Fault> {
    let tone = if replayed.reproduces() {
        Tone::Good
    } else {
        Tone::Bad
    };
    console.line(format_args!(
        "{} of {} decisions came out the same to the byte",
        tone.paint(replayed.same),
        replayed.judged
    ))?;
    for difference in replayed.differences.iter().take(SHOWN_MAX) {
        console.line(format_args!(
            "  {} [{}] {} #{}",
            Tone::Bad.paint("differs"),
            code::PACK_REPLAY,
            difference.entry.id,
            difference.entry.seq
        ))?;
        console.sentence(4, Tone::Plain, &difference.what)?;
    }
    more(replayed.different, console)?;
    unreplayable(&replayed.erased, "were erased", console)?;
    unreplayable(
        &replayed.not_kept,
        "held nothing personal and were not kept",
        console,
    )?;
    if let Some(shadow) = &replayed.shadow {
        tell_shadow(shadow, console)?;
    }
    console.note(format_args!(
        "{} entries in {:.1} s: {} a second",
        replayed.head.size,
        took.as_secs_f64(),
        rate(replayed, took)
    ))
}

/// Says how many are not shown.
fn more(count: u64, console: &mut Console) -> Result<(), Fault> {
    let shown = u64::try_from(SHOWN_MAX).unwrap_or(u64::MAX);
    match count.saturating_sub(shown) {
        0 => Ok(()),
        rest => console.line(format_args!("  … and {rest} more: --json shows them")),
    }
}

fn unreplayable(entries: &Unreplayable, why: &str, console: &mut Console) -> Result<(), Fault> {
    if entries.count == 0 {
        return Ok(());
    }
    console.line(format_args!(
        "{} not replayed: their inputs {why}",
        Tone::Warn.paint(entries.count)
    ))?;
    for entry in entries.listed.iter().take(SHOWN_MAX) {
        console.line(format_args!("  {} #{}", entry.id, entry.seq))?;
    }
    more(entries.count, console)
}

fn tell_shadow(shadow: &Shadowed, console: &mut Console) -> Result<(), Fault> {
    console.line("")?;
    let names = shadow.packs.iter();
    let names: Vec<String> = names
        .map(|pack| format!("{} {}", pack.name, pack.version))
        .collect();
    console.line(format_args!(
        "With {}, verdicts that change: {}",
        Tone::Strong.paint(names.join(", ")),
        if shadow.changed == 0 {
            Tone::Good
        } else {
            Tone::Warn
        }
        .paint(shadow.changed)
    ))?;
    let mut table = Table::new(&[
        ("before", Align::Left),
        ("after", Align::Left),
        ("rule", Align::Left),
        ("payments", Align::Right),
        ("money", Align::Left),
    ]);
    for (change, tally) in &shadow.rules {
        let speaks = match change.speaks {
            Speaks::Now => "",
            Speaks::NoLonger => " no longer",
        };
        table.row([
            Cell::from(change.before.as_str()),
            Cell::toned(change.after.as_str().to_owned(), super::tone(change.after)),
            Cell::from(format!("{}/{}{speaks}", change.pack, change.rule)),
            Cell::from(tally.count.to_string()),
            Cell::from(money(&tally.money)),
        ]);
    }
    if !table.is_empty() {
        console.table(2, &table)?;
    }
    for change in shadow.changes.iter().take(SHOWN_MAX) {
        console.line(format_args!(
            "  {} #{}: {} → {}, {}",
            change.entry.id,
            change.entry.seq,
            change.before,
            super::tone(change.after).paint(change.after),
            money(&change.money)
        ))?;
    }
    more(shadow.changed, console)
}

fn money(moved: &Moved) -> String {
    let amounts = moved.0.iter();
    let amounts: Vec<String> = amounts
        .map(|(currency, amount)| amount.of(*currency).to_string())
        .collect();
    amounts.join(", ")
}
