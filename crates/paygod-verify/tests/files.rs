//! Files of an export that were left out, added to or made up, and receipts of anchors that lie.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod support;

use paygod_core::Body;
use paygod_core::entry::{AnchorKind, AnchorReceipt};
use paygod_types::{Digest, RequestId};
use paygod_verify::{Check, Place};
use support::{Book, check, expect, options};

fn file(path: &str) -> Place {
    Place::File(path.to_owned())
}

#[test]
fn export_without_what_was_published_is_missing_it() {
    let book = Book::in_use(20);
    let mut export = book.export();
    export.0.insert("checkpoints.log".to_owned(), Vec::new());
    let place = file("checkpoints.log");
    expect(&check(&export, &options(&book)), Check::Missing, &place);
    export.0.remove("checkpoints.log");
    expect(&check(&export, &options(&book)), Check::Missing, &place);
}

#[test]
fn nothing_stands_behind_the_fingerprint_in_its_file() {
    let book = Book::in_use(20);
    let mut export = book.export();
    let text = export.0.get_mut("genesis").unwrap();
    text.extend_from_slice(b"0000 another fingerprint, for people\n");
    expect(
        &check(&export, &options(&book)),
        Check::Genesis,
        &file("genesis"),
    );
}

#[test]
fn what_a_terminal_would_obey_is_spelled_out() {
    let book = Book::in_use(20);
    let mut export = book.export();
    let note = String::from_utf8(export.0["checkpoint"].clone()).unwrap();
    let forged = note.replace("\u{2014} paygod", "\u{2014} \u{9b}2J\u{202e}paygod");
    assert_ne!(note, forged);
    export
        .0
        .insert("checkpoint".to_owned(), forged.into_bytes());
    let report = check(&export, &options(&book).all());
    let told: String = report.failures.iter().map(ToString::to_string).collect();
    assert!(told.contains("\\u{9b}2J\\u{202e}paygod"), "{told}");
    assert!(!told.contains(['\u{9b}', '\u{202e}']), "{told}");
}

/// Seals a receipt of the checkpoint of this size; `again` counts those before it.
fn receipt(book: &mut Book, size: usize, root: Digest, again: u32) -> u64 {
    let body = Body::Anchor(AnchorReceipt {
        again,
        digest: Digest::sha256(b"a proof"),
        kind: AnchorKind::OpenTimestamps,
        root,
        size: u64::try_from(size).unwrap(),
    });
    let mut name = format!("anchor:opentimestamps:{size}");
    if again > 0 {
        name += &format!(":{again}");
    }
    let entry = book.entry(RequestId::system(&name).unwrap(), None, body);
    book.seal(&entry)
}

#[test]
fn receipts_of_anchors_tell_the_roots_that_the_tree_had() {
    // Sizes in full tiles, at their ends and in the last one.
    let mut book = Book::in_use(700);
    let root = |book: &Book, size| Digest::from_bytes(*book.head_at(size).root.as_bytes());
    for size in [1, 255, 256, 257, 512, 600, 700] {
        let root = root(&book, size);
        receipt(&mut book, size, root, 0);
    }
    book.publish();
    let report = check(&book.export(), &options(&book));
    assert!(report.is_valid(), "{:?}", report.first());
    // A later receipt that is true does not cover for one that is not.
    let lie = receipt(&mut book, 300, Digest::sha256(b"no root"), 0);
    let truth = root(&book, 300);
    receipt(&mut book, 300, truth, 1);
    book.publish();
    expect(
        &check(&book.export(), &options(&book)),
        Check::Anchor,
        &Place::Entry(lie),
    );
}
