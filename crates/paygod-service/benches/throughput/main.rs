//! `cargo bench -p paygod-service`: what the ledger does in a second, and what keeps it from more.
//!
//! One run measures, on this machine and disk: the bare append that is the limit, the whole pipeline
//! (durable, deduplicated, judged by the three starter packs with the full OFAC list, inputs encrypted
//! in the vault, posted, sealed) from typed requests and from JSON, latency at half load, checkpoint
//! lag, cost at growing history, memory, disk, reopening, and PostgreSQL where it is installed.
//!
//! The driver shares the two cores with the ledger; it copies payments made beforehand.
#![allow(
    missing_docs,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::float_arithmetic,
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    reason = "a measurement, not a part of the product: it stops at the first surprise"
)]

mod bare;
mod book;
mod load;
mod memory;
mod options;
mod postgres;
mod report;
mod slow;
mod stalls;
mod workload;

/// As in the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

use bare::Records;
use options::Options;
use paygod_service::ledger::OpenOptions;
use report::Report;
use slow::SlowMemoryKey;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

fn main() {
    let options = Options::from_args();
    if let Some(book) = &options.serve {
        return load::serve(book, &options);
    }
    let dir = tempfile::Builder::new()
        .prefix("paygod-bench")
        .tempdir_in(&options.dir)
        .expect("a folder to work in");
    let mut report = Report::new(&options);
    if options.wants("postgres") {
        report.rival(postgres::run());
    }
    if options.wants("throughput") {
        throughput(dir.path(), &options, &mut report);
    }
    if options.wants("latency") {
        latency(dir.path(), &options, &mut report);
    }
    if options.wants("history") {
        history(dir.path(), &options, &mut report);
    }
    if options.wants("signing") {
        signing(dir.path(), &options, &mut report);
    }
    if options.wants("windows") {
        windows(dir.path(), &options, &mut report);
    }
    report.print();
}

/// How long a slow provider takes for a signature.
const SIGNATURE: Duration = Duration::from_millis(50);

/// The limit, then typed requests and JSON, each the median of so many runs on fresh books.
fn throughput(dir: &Path, options: &Options, report: &mut Report) {
    for (name, json) in [("typed", false), ("json", true)] {
        if !options.from.iter().any(|from| from == name) {
            continue;
        }
        for run in 0..options.runs {
            let path = dir.join(format!("{name}-{run}"));
            let ledger = book::create(&path, options);
            let done = load::saturate(
                &ledger,
                options,
                json,
                options.transfers,
                &format!("{name}{run}"),
            );
            let (entry_bytes, input_bytes) = book::bytes_of_one(&ledger);
            ledger.close().expect("the ledger closes");
            let records = Records {
                entry_bytes,
                input_bytes,
                count: options.transfers as usize,
                group: options.group,
            };
            let limit = bare::append(dir, records).expect("a bare append");
            report.throughput(name, &done, &limit, &path);
            std::fs::remove_dir_all(&path).expect("the book is removed");
        }
    }
}

/// Requests at a steady half of the bar, whether or not the ledger keeps up; before it, what the machine itself loses.
fn latency(dir: &Path, options: &Options, report: &mut Report) {
    let machine = stalls::measure();
    let path = dir.join("latency");
    let ledger = book::create(&path, options);
    let done = load::open_loop(
        &ledger,
        options,
        options.half_load,
        Duration::from_secs(options.latency_s),
    );
    ledger.close().expect("the ledger closes");
    report.latency(&done, machine);
    std::fs::remove_dir_all(&path).expect("the book is removed");
}

/// Books up to this many transfers are made anew for each round; a larger one grows a little with each.
const MADE_ANEW_MAX: u64 = 2_000_000;

/// The same run on books of several sizes, each opened and served by a process of its own; in turns, since a machine
/// is not the same from one minute to the next.
fn history(dir: &Path, options: &Options, report: &mut Report) {
    let path = |size: &u64| dir.join(format!("history-{size}"));
    for round in 0..options.runs {
        for size in &options.history {
            if round == 0 || *size <= MADE_ANEW_MAX {
                let ledger = book::create(&path(size), options);
                load::saturate(&ledger, options, false, *size, &format!("grow{size}"));
                ledger.close().expect("the ledger closes");
            }
            report.reopened(*size, load::reopen(&path(size), options));
            if *size <= MADE_ANEW_MAX {
                std::fs::remove_dir_all(path(size)).expect("the book is removed");
            }
        }
    }
    report.sizes(&options.history);
}

/// The same run with a key at once and with one that takes its time, in turns: the difference is what signing costs.
fn signing(dir: &Path, options: &Options, report: &mut Report) {
    for run in 0..options.runs {
        for latency in [Duration::ZERO, SIGNATURE] {
            let path = dir.join("signing");
            let ledger = book::create_with(&path, options, || OpenOptions {
                provider: Some(Arc::new(SlowMemoryKey::new(latency))),
                ..OpenOptions::default()
            });
            let series = format!("signing{run}-{}", latency.as_millis());
            let done = load::saturate(&ledger, options, false, options.transfers, &series);
            ledger.close().expect("the ledger closes");
            report.signing(latency, &done);
            std::fs::remove_dir_all(&path).expect("the book is removed");
        }
    }
}

/// With `velocity-guard` besides, whose windows count what each account and each creditor was paid within an hour and
/// a day, while one creditor is paid by every tenth.
fn windows(dir: &Path, options: &Options, report: &mut Report) {
    let options = Options {
        popular: true,
        ..options.clone()
    };
    let path = dir.join("windows");
    let ledger = book::create(&path, &options);
    let mut before = 0;
    for part in 0..WINDOWS_PARTS {
        let transfers = options.probe / WINDOWS_PARTS;
        let series = format!("windows{part}");
        let done = load::saturate(&ledger, &options, false, transfers, &series);
        report.windows(before, &done);
        before += transfers / 10;
    }
    ledger.close().expect("the ledger closes");
    std::fs::remove_dir_all(&path).expect("the book is removed");
}

/// In how many parts the windows fill, one figure each.
const WINDOWS_PARTS: u64 = 4;

/// So many in this time, a second.
pub(crate) fn per_second(count: usize, elapsed: Duration) -> f64 {
    count as f64 / elapsed.as_secs_f64()
}
