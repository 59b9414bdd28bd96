//! What the ledger does when the disk fails: a clear error, nothing acknowledged that is not there,
//! and it works again once the book is opened on a sound disk.
//!
//! `PAYGOD_FAULT_SEED` repeats a run.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test that cannot go on fails"
)]

mod support;

use std::path::Path;
use std::sync::Arc;

use paygod_service::ledger::{BookOptions, Ledger, OpenOptions, Outcome, SubmitError};
use paygod_store::fault::{Fault, FaultDisk};
use support::{open_account, payment, starter_pack};

const FAULTS: [Fault; 3] = [Fault::PowerLoss, Fault::DiskFull, Fault::InputOutput];

fn options(disk: &FaultDisk) -> OpenOptions {
    OpenOptions {
        disk: Arc::new(disk.clone()),
        segment_bytes: 256 << 10,
        background: false,
        snapshot_every: 150,
        ..OpenOptions::default()
    }
}

fn new_book(dir: &Path) -> FaultDisk {
    let disk = FaultDisk::new();
    let book = BookOptions {
        origin: "ledger.example.com/faults".to_owned(),
        roots: None,
        keys: None,
        hybrid: false,
    };
    Ledger::create_with(dir, &book, options(&disk)).unwrap();
    let ledger = Ledger::open(dir, options(&disk)).unwrap();
    let order = paygod_service::ledger::ActivationOrder {
        id: None,
        by: None,
        packs: vec![starter_pack("payment-limits")],
        lists: Vec::new(),
        signatures: Vec::new(),
    };
    ledger.activate(&order).unwrap();
    let opened = ledger.submit(
        (0..8)
            .map(|n| open_account(&format!("acct-{n}"), "EUR"))
            .collect(),
    );
    assert!(opened.iter().all(Result::is_ok));
    ledger.close().unwrap();
    disk
}

/// Submits until the disk fails or the work is done; gives what was acknowledged.
fn work(ledger: &Ledger, series: &str) -> Vec<Outcome> {
    let mut acked = Vec::new();
    for batch in 0..12 {
        let requests = (0..25)
            .map(|n| {
                let id = format!("{series}-{batch}-{n}");
                payment(
                    &id,
                    &format!("acct-{}", n % 8),
                    &format!("acct-{}", (n + 1) % 8),
                    "1.00",
                )
            })
            .collect();
        for answer in ledger.submit(requests) {
            match answer {
                Ok(outcome) => acked.push(outcome),
                Err(SubmitError::Poisoned) => {}
                Err(error) => panic!("a fault of the disk came out as `{error}`"),
            }
        }
    }
    acked
}

#[test]
fn whatever_write_or_flush_fails_nothing_acknowledged_is_lost() {
    let seed: u64 = std::env::var("PAYGOD_FAULT_SEED")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(1);
    println!("PAYGOD_FAULT_SEED={seed}");
    let dir = tempfile::tempdir().unwrap();
    let sound = new_book(dir.path());
    let mut failed = 0;
    for at in 0..45_u64 {
        let fault = FAULTS[(at % 3) as usize];
        let disk = sound.crash(seed);
        let ledger = Ledger::open(dir.path(), options(&disk)).unwrap();
        disk.plan(1 + at * 3 + seed % 3, fault);
        let acked = work(&ledger, &format!("s{at}"));
        let stopped = ledger.fault().is_some();
        failed += usize::from(stopped);
        let closed = ledger.close();
        assert_eq!(
            closed.is_err(),
            stopped || closed.is_err(),
            "{fault:?} at {at}"
        );

        let found = Ledger::open(dir.path(), options(&disk.crash(seed + at))).unwrap();
        for outcome in &acked {
            let entry = found.read().find(&outcome.id).unwrap_or_else(|error| {
                panic!(
                    "{fault:?} at {at}: `{}` was acknowledged: {error}",
                    outcome.id
                )
            });
            assert_eq!(entry.seq, outcome.seq, "{fault:?} at {at}");
        }
        let again = work(&found, &format!("s{at}"));
        assert_eq!(again.len(), 300, "{fault:?} at {at}: it works again");
        assert!(
            acked
                .iter()
                .zip(&again)
                .all(|(first, second)| first.seq == second.seq && second.existing)
        );
        found.close().unwrap();
    }
    assert!(failed > 20, "the faults were not reached: {failed}");
}

#[test]
fn a_stopped_ledger_says_why_and_takes_nothing_more() {
    let dir = tempfile::tempdir().unwrap();
    let disk = new_book(dir.path());
    let ledger = Ledger::open(dir.path(), options(&disk)).unwrap();
    disk.plan(2, Fault::DiskFull);
    let acked = work(&ledger, "full");
    assert!(acked.len() < 300);
    let fault = ledger.fault().expect("the ledger stopped").to_owned();
    assert!(fault.contains("free space"), "{fault}");
    let error = ledger.begin(vec![open_account("late", "EUR")]).unwrap_err();
    assert_eq!(error.code().as_str(), "ledger.poisoned");
    assert!(ledger.read().look(paygod_core::State::size).is_err());
    drop(ledger);
    disk.heal();
    let ledger = Ledger::open(dir.path(), options(&disk)).unwrap();
    assert!(ledger.submit(vec![open_account("late", "EUR")])[0].is_ok());
}

#[test]
fn a_folder_that_may_not_be_written_is_a_clear_error() {
    let dir = tempfile::tempdir().unwrap();
    let book = BookOptions {
        origin: "ledger.example.com/faults".to_owned(),
        roots: None,
        keys: None,
        hybrid: false,
    };
    let path = dir.path().join("file").join("book");
    std::fs::write(dir.path().join("file"), b"not a folder").unwrap();
    let error = Ledger::create(&path, &book).unwrap_err();
    assert_eq!(error.code().as_str(), "store.io");
}
