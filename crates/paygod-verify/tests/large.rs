//! Entries as large as they can be: not all of them are decoded ahead, and none is left out.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod support;

use paygod_core::{Body, Check as FoldCheck};
use paygod_verify::limits::{BATCH_BYTES_MAX, BUNDLES_PER_BATCH};
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
