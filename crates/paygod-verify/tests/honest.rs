//! Honest exports verify, whatever their size and shape.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod support;

use paygod_verify::{Check, Depth, Place, Progress, verify};
use support::{Book, check, options};

#[test]
fn honest_export_is_valid() {
    for transfers in [0, 1, 245, 246, 247, 248, 249, 250, 600, 3_000] {
        let book = Book::in_use(transfers);
        let report = check(&book.export(), &options(&book));
        assert!(
            report.is_valid(),
            "{transfers} transfers: {:?}",
            report.failures
        );
        assert_eq!(report.head.unwrap(), book.head_at(book.entries.len()));
        assert_eq!(report.accounts, 3);
        assert_eq!(report.totals, book.state.totals());
        assert_eq!(report.origin, support::ORIGIN);
        assert!(report.genesis_pinned);
    }
}

#[test]
fn sealed_depth_and_any_number_of_threads_agree() {
    let book = Book::in_use(9_000);
    let export = book.export();
    for threads in [1, 2, 3, 8] {
        for depth in [Depth::Sealed, Depth::Whole] {
            let mut options = options(&book);
            (options.threads, options.depth) = (threads, depth);
            let report = check(&export, &options);
            assert!(report.is_valid(), "{:?}", report.failures);
            assert_eq!(report.head.unwrap().size, book.next_seq());
            assert_eq!(
                report.checkpoints,
                u64::try_from(book.published.len()).unwrap()
            );
        }
    }
}

#[test]
fn progress_only_grows_and_ends_at_the_end() {
    let book = Book::in_use(5_000);
    let last = std::sync::Mutex::new(0);
    let told = |progress: Progress| {
        let mut last = last.lock().unwrap();
        assert!(progress.entries_done >= *last && progress.entries_total == book.next_seq());
        *last = progress.entries_done;
    };
    assert!(
        verify(&book.export(), &options(&book), &told)
            .unwrap()
            .is_valid()
    );
    assert_eq!(*last.lock().unwrap(), book.next_seq());
}

#[test]
fn rotated_keys_and_snapshots_verify() {
    let mut book = Book::in_use(300);
    let early = (book.next_seq() - 1, book.state.clone());
    for number in 0..40 {
        book.transfer(&format!("more-{number}"), "alice", "bob", 3);
    }
    book.snapshot(early.0, &early.1);
    let seq = book.next_seq() - 1;
    let state = book.state.clone();
    book.snapshot(seq, &state);
    book.publish();
    book.rotate(2);
    book.publish();
    book.transfer("after", "alice", "bob", 3);
    book.publish();
    book.rotate(3);
    book.rotate(4);
    book.publish();
    for depth in [Depth::Sealed, Depth::Whole] {
        let mut options = options(&book);
        options.depth = depth;
        let report = check(&book.export(), &options);
        assert!(report.is_valid(), "{:?}", report.failures);
        assert_eq!(report.keys, 4);
    }
}

#[test]
fn a_snapshot_sealed_long_after_its_state_is_checked_by_folding_again() {
    let mut book = Book::in_use(50);
    let (of, state) = (book.next_seq() - 1, book.state.clone());
    // More entries than are read before the first of them is folded.
    for number in 0..30_000 {
        book.transfer(&format!("later-{number}"), "bank", "alice", 1);
    }
    let mut lying = book.clone();
    book.snapshot(of, &state);
    book.publish();
    let report = check(&book.export(), &options(&book));
    assert!(report.is_valid(), "{:?}", report.first());
    let other = lying.state.clone();
    let claim = lying.snapshot(of, &other);
    lying.publish();
    let report = check(&lying.export(), &options(&lying));
    let first = report.first().unwrap();
    assert_eq!(
        (first.check, &first.place),
        (Check::Snapshot, &Place::Entry(claim))
    );
}

#[test]
fn what_was_kept_of_an_honest_log_still_stands() {
    let mut book = Book::in_use(400);
    let early_export = book.export();
    let early = book.publish();
    book.published.pop();
    for number in 0..700 {
        book.transfer(&format!("more-{number}"), "alice", "bob", 3);
    }
    book.publish();
    let proofs = [support::proof(&book, 5), support::proof(&book, 900)];
    let checkpoints = [early];
    let mut options = options(&book);
    options.kept.checkpoints = &checkpoints;
    options.kept.proofs = &proofs;
    options.kept.export = Some(&early_export);
    let report = check(&book.export(), &options);
    assert!(report.is_valid(), "{:?}", report.failures);
    assert_eq!(report.kept, 6);
}

#[test]
fn folder_verifies_like_memory() {
    let book = Book::in_use(700);
    let folder = tempfile::tempdir().unwrap();
    book.export().write_to(folder.path());
    let source = paygod_verify::Directory::new(folder.path());
    let report = verify(&source, &options(&book), &|_| {}).unwrap();
    assert!(report.is_valid(), "{:?}", report.failures);
    let mut json = Vec::new();
    report.write_json(&mut json);
    let value: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(value["valid"], true);
    assert_eq!(value["size"], book.next_seq());
    assert_eq!(value["totals"][0]["currency"], "EUR");
}
