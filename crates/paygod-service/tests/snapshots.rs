//! Snapshots: what spares an opening the fold, what becomes of one that is missing or altered.
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

use paygod_service::ledger::{Ledger, LedgerReader, OpenOptions};
use paygod_types::RequestId;
use support::{TestBook, open_account, payment};

fn every(snapshot_every: u64) -> OpenOptions {
    OpenOptions {
        snapshot_every,
        ..OpenOptions::default()
    }
}

/// Opens so many accounts, a hundred at a time.
fn open_hundreds(ledger: &Ledger, hundreds: usize) {
    for batch in 0..hundreds {
        let requests = (0..100)
            .map(|n| open_account(&format!("acct-{batch}-{n}"), "EUR"))
            .collect();
        assert!(ledger.submit(requests).iter().all(Result::is_ok));
    }
}

fn remove_snapshots(book: &Path) {
    let mut removed = 0;
    for file in std::fs::read_dir(book.join("snapshots")).unwrap() {
        std::fs::remove_file(file.unwrap().path()).unwrap();
        removed += 1;
    }
    assert!(removed > 0);
}

#[test]
fn a_snapshot_spares_folding_and_the_state_is_the_same() {
    let book = TestBook::new();
    let ledger = Ledger::open(&book.path(), every(200)).unwrap();
    open_hundreds(&ledger, 10);
    let before = ledger.read().accounts().unwrap();
    ledger.close().unwrap();
    let ledger = book.open();
    assert!(
        ledger.opening().from_snapshot >= 200,
        "{:?}",
        ledger.opening()
    );
    assert_eq!(ledger.read().accounts().unwrap(), before);
}

#[test]
fn a_book_that_is_open_only_for_a_moment_has_snapshots_too() {
    let book = TestBook::new();
    for moment in 0..10 {
        let ledger = Ledger::open(&book.path(), every(20)).unwrap();
        let covered = ledger.opening().from_snapshot;
        let size = ledger.read().size();
        assert!(moment == 0 || size - covered <= 2, "{covered} of {size}");
        let accounts = (0..25).map(|n| open_account(&format!("acct-{moment}-{n}"), "EUR"));
        let answers = ledger.submit(accounts.collect());
        assert!(answers.iter().all(Result::is_ok));
        ledger.close().unwrap();
    }
}

#[test]
fn an_altered_snapshot_is_not_believed() {
    let book = TestBook::new();
    let ledger = Ledger::open(&book.path(), every(100)).unwrap();
    open_hundreds(&ledger, 4);
    let before = ledger.read().accounts().unwrap();
    ledger.close().unwrap();
    for file in std::fs::read_dir(book.path().join("snapshots")).unwrap() {
        let path = file.unwrap().path();
        let mut bytes = std::fs::read(&path).unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        std::fs::write(&path, bytes).unwrap();
    }
    let ledger = book.open();
    assert_eq!(ledger.opening().from_snapshot, 0);
    assert_eq!(ledger.read().accounts().unwrap(), before);
}

#[test]
fn a_snapshot_that_the_disk_does_not_give_back_is_as_good_as_none() {
    let book = TestBook::new();
    let ledger = Ledger::open(&book.path(), every(100)).unwrap();
    open_hundreds(&ledger, 4);
    let before = ledger.read().accounts().unwrap();
    ledger.close().unwrap();
    let last = std::fs::read_dir(book.path().join("snapshots")).unwrap();
    let last = last.map(|file| file.unwrap().path()).max().unwrap();
    std::fs::remove_file(&last).unwrap();
    std::fs::create_dir(&last).unwrap();
    let ledger = Ledger::open(&book.path(), every(100)).unwrap();
    let opening = ledger.opening();
    let refused: u64 = last.file_stem().unwrap().to_str().unwrap().parse().unwrap();
    assert!(opening.from_snapshot < refused, "{opening:?}");
    assert_eq!(ledger.read().accounts().unwrap(), before);
    let answers = ledger.submit(vec![open_account("one-more", "EUR")]);
    assert!(answers[0].is_ok(), "{answers:?}");
}

#[test]
fn a_snapshot_that_is_missing_is_written_again_by_the_opening_that_folds_for_want_of_it() {
    let book = TestBook::new();
    let ledger = Ledger::open(&book.path(), every(200)).unwrap();
    open_hundreds(&ledger, 10);
    let before = ledger.read().accounts().unwrap();
    ledger.close().unwrap();
    remove_snapshots(&book.path());
    // Who only reads writes nothing.
    drop(LedgerReader::open(&book.path(), &every(200)).unwrap());
    let ledger = Ledger::open(&book.path(), every(200)).unwrap();
    assert_eq!(ledger.opening().from_snapshot, 0);
    ledger.close().unwrap();
    let ledger = Ledger::open(&book.path(), every(200)).unwrap();
    let opening = ledger.opening();
    assert!(opening.from_snapshot >= 200, "{opening:?}");
    assert_eq!(ledger.read().accounts().unwrap(), before);
    assert_eq!(opening.size, ledger.read().size(), "nothing was sealed");
    ledger.close().unwrap();
    book.verify_whole(&book.open());
}

#[test]
fn what_was_ordered_before_a_snapshot_is_done_before_the_snapshot_spares_reading_the_order() {
    let book = TestBook::new();
    let ledger = book.open();
    book.allow_all(&ledger);
    let made = ledger.submit(vec![
        open_account("a", "EUR"),
        open_account("b", "EUR"),
        payment("pay-1", "a", "b", "12.50"),
    ]);
    let paid = made[2].as_ref().unwrap().seq;
    ledger.close().unwrap();
    let kept = files(&book.path().join("vault"));
    let ledger = Ledger::open(&book.path(), every(100)).unwrap();
    let id = |text: &str| RequestId::parse(text).unwrap();
    ledger
        .erase_evidence(id("erase-1"), None, id("pay-1"))
        .unwrap();
    open_hundreds(&ledger, 4);
    ledger.close().unwrap();
    // As in a crash between the order and the deed: the input is there, and so is no snapshot.
    remove_snapshots(&book.path());
    put_back(&kept, &book.path());
    drop(Ledger::open(&book.path(), every(100)).unwrap());
    let ledger = Ledger::open(&book.path(), every(100)).unwrap();
    let opening = ledger.opening();
    assert!(opening.from_snapshot > paid.get() + 1, "{opening:?}");
    assert_eq!(ledger.read().input(paid).unwrap(), None);
    ledger.close().unwrap();

    // A file of the vault that was away is put back: the order, given again, is carried out again.
    put_back(&kept, &book.path());
    let ledger = Ledger::open(&book.path(), every(100)).unwrap();
    assert!(ledger.read().input(paid).unwrap().is_some());
    let again = ledger.erase_evidence(id("erase-1"), None, id("pay-1"));
    assert!(again.unwrap().existing);
    assert_eq!(ledger.read().input(paid).unwrap(), None);
}

/// Writes what files of the vault began with over what they begin with now.
fn put_back(kept: &[(String, Vec<u8>)], book: &Path) {
    for (name, bytes) in kept {
        let path = book.join("vault").join(name);
        let mut now = std::fs::read(&path).unwrap();
        now.truncate(now.len().max(bytes.len()));
        now[..bytes.len()].copy_from_slice(bytes);
        std::fs::write(&path, now).unwrap();
    }
}

fn files(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let listed = std::fs::read_dir(dir).unwrap();
    let read = listed.map(|file| {
        let file = file.unwrap();
        let name = file.file_name().into_string().unwrap();
        (name, std::fs::read(file.path()).unwrap())
    });
    read.collect()
}

#[test]
fn a_restored_book_has_a_snapshot_and_no_entry_more() {
    let book = TestBook::new();
    let ledger = Ledger::open(&book.path(), every(200)).unwrap();
    open_hundreds(&ledger, 10);
    let (backup, restored) = (book.scratch("backup"), book.scratch("restored"));
    ledger.wait_signed().unwrap();
    ledger.read().backup(&backup, &mut |_| {}).unwrap();
    let before = ledger.read().accounts().unwrap();
    let entries = ledger.read().size();
    Ledger::restore(&backup, &restored, &every(200), &mut |_| {}).unwrap();
    let ledger = Ledger::open(&restored, every(200)).unwrap();
    let opening = ledger.opening();
    assert!(opening.from_snapshot >= 200, "{opening:?}");
    assert_eq!(opening.size, entries);
    assert_eq!(ledger.read().accounts().unwrap(), before);
}
