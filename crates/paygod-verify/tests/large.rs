//! Entries as large as they can be, not all of which are decoded ahead and none of which is left out; and as many
//! claims about large states as keep an auditor waiting.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod support;

use paygod_core::{Body, Check as FoldCheck};
use paygod_verify::limits::{
    BATCH_BYTES_MAX, BUNDLES_PER_BATCH, STATE_BYTES_HASHED_FREE, STATE_BYTES_HASHED_PER_ENTRY,
};
use paygod_verify::{Check, Depth, Place};
use support::{Book, check, options};

/// A payment of sixty-four linked transfers.
fn linked(book: &Book, id: &str) -> paygod_core::Entry {
    let mut entry = book.transfer_entry(id, "alice", "bob", 1);
    let Body::Transfer(body) = &mut entry.body else {
        panic!()
    };
    body.postings = vec![body.postings.clone(); 64].concat();
    entry
}

#[test]
fn batches_beyond_their_bytes_are_checked_to_the_last_entry() {
    let mut book = Book::in_use(5);
    let mut bytes = 0;
    let mut number = 0;
    while bytes < 3 * BATCH_BYTES_MAX {
        let entry = linked(&book, &format!("linked-{number}"));
        book.seal(&entry);
        bytes += u64::try_from(book.entries.last().unwrap().len()).unwrap();
        number += 1;
    }
    assert!(book.next_seq() < BUNDLES_PER_BATCH * 256, "one batch");
    book.publish();
    for depth in [Depth::Sealed, Depth::Whole] {
        let mut options = options(&book);
        options.depth = depth;
        let report = check(&book.export(), &options);
        assert!(report.is_valid(), "{:?}", report.first());
        assert_eq!(report.head.unwrap().size, book.next_seq());
    }
    // The last entry, which was not decoded ahead, pays once more than it debits.
    let mut forged = book.clone();
    let mut entry = linked(&forged, "forged");
    if let Body::Transfer(body) = &mut entry.body {
        body.postings.pop();
    }
    let seq = forged.force(&entry);
    forged.publish();
    let report = check(&forged.export(), &options(&forged));
    let first = report.first().unwrap();
    let expected = (Check::Fold(FoldCheck::Conservation), &Place::Entry(seq));
    assert_eq!((first.check, &first.place), expected, "{first}");
}

#[test]
fn snapshot_entries_closer_than_the_state_is_large_are_refused() {
    const ACCOUNTS: u64 = 8_000;
    let mut book = Book::in_use(5);
    for number in 0..ACCOUNTS {
        book.open(&format!("account-{number}"), "EUR", None);
    }
    let mut bytes = 0_u64;
    let given = book.state.give_snapshot(&mut Vec::new(), |piece| {
        bytes += u64::try_from(piece.len()).unwrap();
        Ok::<(), ()>(())
    });
    given.unwrap();
    let [free, earned] = [STATE_BYTES_HASHED_FREE, STATE_BYTES_HASHED_PER_ENTRY]
        .map(|bytes| u64::try_from(bytes).unwrap());
    let free = free + earned * book.next_seq();
    let most = free / bytes;
    assert!((100..10_000).contains(&most), "{most}");
    let mut sealed = 0;
    let mut seal = |book: &mut Book, count: u64| {
        while sealed < count {
            let state = book.state.clone();
            book.snapshot(book.next_seq() - 1, &state);
            sealed += 1;
        }
        book.publish();
    };
    // What an honest ledger seals is far from it, even when it seals one behind every entry for a while.
    seal(&mut book, most / 2);
    let report = check(&book.export(), &options(&book));
    assert!(report.is_valid(), "{:?}", report.first());
    seal(&mut book, most + most / 4);
    let report = check(&book.export(), &options(&book));
    let first = report.first().unwrap();
    assert_eq!(first.check, Check::Snapshot, "{first}");
    assert!(first.expected.contains("as far apart"), "{first}");
}
