//! Driving the ledger: as hard as it goes, at a steady pace, and from a process of its own.

use crate::memory::{Resident, processor_us, resident};
use crate::options::Options;
use crate::workload::Workload;
use hdrhistogram::Histogram;
use paygod_core::Verdict;
use paygod_service::ledger::{Ledger, Submission, Ticket};
use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// Submissions whose answers the driver has not waited for.
const OUTSTANDING_MAX: usize = 12;

/// What a run did.
pub(crate) struct Done {
    pub(crate) transfers: u64,
    pub(crate) per_s: f64,
    /// From submission to answer, in microseconds.
    pub(crate) latency_us: Histogram<u64>,
    pub(crate) entries_per_group: f64,
    /// From durable to covered by a published checkpoint, in milliseconds.
    pub(crate) checkpoint_lag_ms: u64,
    pub(crate) resident: Resident,
    pub(crate) refused: u64,
    /// Processor time a transfer, in nanoseconds, by thread.
    pub(crate) processor_ns: BTreeMap<String, u64>,
}

impl Done {
    /// What all threads together spent on a transfer.
    pub(crate) fn processor_ns_all(&self) -> u64 {
        self.processor_ns.values().sum()
    }
}

/// Submits as fast as the ledger takes it.
pub(crate) fn saturate(
    ledger: &Ledger,
    options: &Options,
    json: bool,
    transfers: u64,
    series: &str,
) -> Done {
    let mut workload = Workload::new(options, series, json);
    let mut latency = Histogram::new_with_bounds(1, 60_000_000, 3).expect("three digits");
    let (groups, mut refused) = (ledger.groups(), 0);
    let before = processor_us();
    let start = Instant::now();
    let stop = AtomicBool::new(false);
    let lag = thread::scope(|scope| {
        let lag = scope.spawn(|| {
            let mut lag = CheckpointLag::default();
            while !stop.load(Ordering::Relaxed) {
                lag.sample(ledger);
                thread::sleep(Duration::from_millis(5));
            }
            lag.worst_ms
        });
        let mut outstanding: VecDeque<(Instant, Ticket)> = VecDeque::new();
        let mut left = transfers;
        while left > 0 || !outstanding.is_empty() {
            if left > 0 && outstanding.len() < OUTSTANDING_MAX {
                let count = left.min(options.group as u64);
                let requests = (0..count).map(|_| request(&mut workload, json)).collect();
                left -= count;
                let ticket = ledger.begin(requests).expect("the ledger takes requests");
                outstanding.push_back((Instant::now(), ticket));
            } else if let Some((begun, ticket)) = outstanding.pop_front() {
                refused += refusals(ticket);
                latency.saturating_record(begun.elapsed().as_micros() as u64);
            }
        }
        stop.store(true, Ordering::Relaxed);
        lag.join().expect("the sampler ends")
    });
    let elapsed = start.elapsed();
    let groups = (ledger.groups() - groups).max(1);
    Done {
        transfers,
        per_s: crate::per_second(transfers as usize, elapsed),
        latency_us: latency,
        entries_per_group: transfers as f64 / groups as f64,
        checkpoint_lag_ms: lag,
        resident: resident(),
        refused,
        processor_ns: spent(&before, transfers),
    }
}

/// Submits at a steady rate; a late answer does not slow the requests that follow, and each request's
/// latency counts from when it was due.
pub(crate) fn open_loop(ledger: &Ledger, options: &Options, per_s: u64, length: Duration) -> Done {
    const TICK: Duration = Duration::from_millis(1);
    let mut workload = Workload::new(options, "steady", false);
    let mut latency = Histogram::new_with_bounds(1, 60_000_000, 3).expect("three digits");
    let (groups, mut refused) = (ledger.groups(), 0);
    let before = processor_us();
    let ticks = (length.as_millis() / TICK.as_millis()) as u32;
    let (sender, receiver) = mpsc::channel::<(Instant, u64, Ticket)>();
    let start = Instant::now();
    let lag = thread::scope(|scope| {
        let answers = scope.spawn(|| {
            let mut lag = CheckpointLag::default();
            for (due, count, ticket) in receiver {
                refused += refusals(ticket);
                let micros = due.elapsed().as_micros() as u64;
                latency.saturating_record_n(micros, count);
                lag.sample(ledger);
            }
            lag.worst_ms
        });
        let mut sent = 0;
        for tick in 1..=ticks {
            let due = start + TICK * tick;
            thread::sleep(due.saturating_duration_since(Instant::now()));
            let target = per_s * u64::from(tick) * TICK.as_micros() as u64 / 1_000_000;
            let requests: Vec<_> = (sent..target)
                .map(|_| request(&mut workload, false))
                .collect();
            let count = target - sent;
            sent = target;
            let ticket = ledger.begin(requests).expect("the ledger takes requests");
            sender
                .send((due, count, ticket))
                .expect("the collector listens");
        }
        drop(sender);
        answers.join().expect("the collector ends")
    });
    let elapsed = start.elapsed();
    let transfers = latency.len();
    let groups = (ledger.groups() - groups).max(1);
    Done {
        transfers,
        per_s: crate::per_second(transfers as usize, elapsed),
        latency_us: latency,
        entries_per_group: transfers as f64 / groups as f64,
        checkpoint_lag_ms: lag,
        resident: resident(),
        refused,
        processor_ns: spent(&before, transfers),
    }
}

fn request(workload: &mut Workload, json: bool) -> Submission {
    if json {
        Submission::Json(workload.json())
    } else {
        Submission::Request(workload.typed())
    }
}

/// What each kind of thread spent since `before`, a transfer.
fn spent(before: &BTreeMap<String, u64>, transfers: u64) -> BTreeMap<String, u64> {
    let mut spent = processor_us();
    for (name, now) in &mut spent {
        let since = now.saturating_sub(before.get(name).copied().unwrap_or(0));
        *now = since * 1_000 / transfers.max(1);
    }
    spent.retain(|_, nanos| *nanos > 0);
    spent
}

/// How many of a submission did not move money.
fn refusals(ticket: Ticket) -> u64 {
    let moved = |answer: &paygod_service::ledger::Answer| {
        let outcome = answer
            .as_ref()
            .unwrap_or_else(|error| panic!("a request failed: {error}"));
        outcome.verdict == Some(Verdict::Allow)
    };
    ticket.wait().iter().filter(|answer| !moved(answer)).count() as u64
}

/// How long what is durable waits for a checkpoint that covers it.
#[derive(Default)]
struct CheckpointLag {
    waiting: VecDeque<(u64, Instant)>,
    worst_ms: u64,
}

impl CheckpointLag {
    fn sample(&mut self, ledger: &Ledger) {
        let (durable, signed) = (ledger.read().size(), ledger.read().signed());
        if self.waiting.back().is_none_or(|(size, _)| *size < durable) {
            self.waiting.push_back((durable, Instant::now()));
        }
        while self
            .waiting
            .front()
            .is_some_and(|(size, _)| *size <= signed)
        {
            if let Some((_, since)) = self.waiting.pop_front() {
                self.worst_ms = self.worst_ms.max(since.elapsed().as_millis() as u64);
            }
        }
    }
}

/// What a process of its own saw when it opened and served a book.
pub(crate) struct Reopened {
    /// In the book when it was opened, its accounts' among them.
    pub(crate) entries: u64,
    pub(crate) open_ms: u64,
    pub(crate) opened_kib: u64,
    pub(crate) served_peak_kib: u64,
    pub(crate) served_per_s: f64,
    pub(crate) processor_ns: f64,
}

/// Opens and serves a book in a process of its own, so that its memory is its own.
pub(crate) fn reopen(path: &Path, options: &Options) -> Reopened {
    let output = Command::new(std::env::current_exe().expect("this program"))
        .arg("--serve")
        .arg(path)
        .args([
            "--accounts",
            &options.accounts.to_string(),
            "--probe",
            &options.probe.to_string(),
        ])
        .output()
        .expect("a child process");
    let text = String::from_utf8_lossy(&output.stdout);
    let numbers: Vec<f64> = text
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect();
    let [
        entries,
        open_ms,
        opened_kib,
        served_peak_kib,
        served_per_s,
        processor_ns,
    ] = numbers[..]
    else {
        panic!(
            "the child said `{text}` and `{}`",
            String::from_utf8_lossy(&output.stderr)
        );
    };
    Reopened {
        entries: entries as u64,
        open_ms: open_ms as u64,
        opened_kib: opened_kib as u64,
        served_peak_kib: served_peak_kib as u64,
        served_per_s,
        processor_ns,
    }
}

/// The child's part of [`reopen`].
pub(crate) fn serve(path: &Path, options: &Options) {
    let start = Instant::now();
    let ledger = crate::book::open(path);
    let open_ms = start.elapsed().as_millis();
    let opened = resident();
    let entries = ledger.read().size();
    let series = format!("child{entries}");
    let done = saturate(&ledger, options, false, options.probe, &series);
    println!(
        "{entries} {open_ms} {} {} {} {}",
        opened.peak_kib,
        resident().peak_kib,
        done.per_s,
        done.processor_ns_all()
    );
    ledger.close().expect("the ledger closes");
}
