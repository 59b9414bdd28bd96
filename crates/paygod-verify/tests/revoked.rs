//! What an auditor who was given a revocation finds.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod support;

use paygod_verify::{Check, Depth, Place};
use support::{Book, check, expect, expect_entry, options};

#[test]
fn revoked_key_is_refused_by_whoever_has_seen_the_revocation() {
    let book = Book::in_use(20);
    let size = book.next_seq();
    let note = [book.revocation_note(size - 2, 2, &[1, 3])];
    for depth in [Depth::Sealed, Depth::Whole] {
        let with = |book: &Book| {
            let mut options = options(book);
            options.depth = depth;
            options
        };
        // The log that owns up to it is sound, and so is what came before the last good entry.
        let mut honest = book.clone();
        honest.revoke(size - 2, 2, &[1, 3]);
        honest.transfer("after", "alice", "bob", 1);
        honest.publish();
        let mut options = with(&honest);
        options.kept.revocations = &note;
        let report = check(&honest.export(), &options);
        assert!(report.is_valid(), "{:?}", report.first());
        assert_eq!((report.keys, report.revoked.len()), (2, 1));

        // The thief's, which hides it, is refused: signed on with the stolen key,
        let mut thief = book.clone();
        thief.transfer("stolen", "alice", "bob", 1);
        thief.publish();
        let export = thief.export();
        assert!(check(&export, &with(&thief)).is_valid(), "to all others");
        let mut options = with(&thief);
        options.kept.revocations = &note;
        expect(
            &check(&export, &options),
            Check::Revoked,
            &Place::Checkpoint(size),
        );

        // or rotated from it to another.
        let mut thief = book.clone();
        thief.published.retain(|_| false);
        let seq = thief.rotate(9);
        thief.publish();
        let mut options = with(&thief);
        options.kept.revocations = &note;
        expect_entry(&check(&thief.export(), &options), Check::Revoked, seq);
    }
}

#[test]
fn revocation_is_not_passed_by_a_rotation_from_the_revoked_key_before_it() {
    let book = Book::in_use(20);
    // The thief rotates at, or long before, the last good entry of the revocation; all after is theirs.
    let seq = book.next_seq();
    for last_good in [seq, seq + 3] {
        let note = [book.revocation_note(last_good, 2, &[1, 3])];
        let mut thief = book.clone();
        thief.published.clear();
        thief.rotate(9);
        for number in 0..6 {
            thief.transfer(&format!("stolen-{number}"), "alice", "bob", 1);
        }
        thief.publish();
        for depth in [Depth::Sealed, Depth::Whole] {
            let mut options = options(&thief);
            options.depth = depth;
            assert!(check(&thief.export(), &options).is_valid(), "to all others");
            options.kept.revocations = &note;
            let place = Place::Entries(last_good + 1..thief.next_seq());
            expect(&check(&thief.export(), &options), Check::Revoked, &place);
        }
    }
    // A revocation by the same roots that spares more, or names another replacement, is not the one kept.
    let kept = [book.revocation_note(seq - 3, 2, &[1, 3])];
    for (last_good, new) in [(seq - 2, 2), (seq - 3, 9)] {
        let mut other = book.clone();
        other.revoke(last_good, new, &[1, 3]);
        other.publish();
        let mut options = options(&other);
        options.kept.revocations = &kept;
        let report = check(&other.export(), &options);
        assert_eq!(report.first().unwrap().check, Check::Revoked);
    }
}

#[test]
fn log_that_ends_at_the_last_good_entry_need_not_seal_the_revocation() {
    let book = Book::in_use(20);
    let note = [book.revocation_note(book.next_seq() - 1, 2, &[1, 3])];
    let mut options = options(&book);
    options.kept.revocations = &note;
    let report = check(&book.export(), &options);
    assert!(report.is_valid(), "{:?}", report.first());
}

#[test]
fn revocation_that_does_not_hold_is_an_error_and_no_verdict() {
    let book = Book::in_use(20);
    let forged = [book.revocation_note(5, 2, &[3])];
    let mut options = options(&book);
    options.kept.revocations = &forged;
    let error = paygod_verify::verify(&book.export(), &options, &|_| {}).unwrap_err();
    assert_eq!(error.code().as_str(), "verify.kept-form");
    let garbage = [b"paygod/v1 key revocation\n".to_vec()];
    options.kept.revocations = &garbage;
    let error = paygod_verify::verify(&book.export(), &options, &|_| {}).unwrap_err();
    assert_eq!(error.code().as_str(), "verify.kept-form");
}
