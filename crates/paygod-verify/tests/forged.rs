//! Every forgery is found, by the check that should find it, at the entry where it is.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod support;

use paygod_core::Check as FoldCheck;
use paygod_tlog::{TreeHead, leaf_hash};
use paygod_verify::{Check, Depth, Options, Place};
use support::{Book, Memory, ORIGIN, check, expect, expect_entry, options, proof};

/// The index of transfer `pay-<number>` in [`Book::in_use`].
const fn pay(number: u64) -> u64 {
    6 + number
}

fn flip(export: &mut Memory, path: &str, at: usize) {
    export.0.get_mut(path).unwrap()[at] ^= 1;
}

#[test]
fn edited_entry_is_named_by_its_tile() {
    let book = Book::in_use(400);
    let mut export = book.export();
    let bundle = export.0.get_mut("tile/entries/001.p/151").unwrap();
    let at = bundle.windows(6).position(|w| w == b"\"0.03\"").unwrap();
    bundle[at + 4] = b'9';
    let report = check(&export, &options(&book));
    let Place::Entry(seq) = report.first().unwrap().place else {
        panic!()
    };
    expect_entry(&report, Check::Tile, seq);
    let text = String::from_utf8(book.entries[usize::try_from(seq).unwrap()].clone()).unwrap();
    assert!(text.contains("\"0.03\""));
    // One of the two postings was edited, so the fold finds it too.
    let mut all = options(&book).all();
    all.failures_max = 50;
    let report = check(&export, &all);
    let found: Vec<Check> = report
        .failures
        .iter()
        .map(|failure| failure.check)
        .collect();
    assert!(
        found.contains(&Check::Fold(FoldCheck::Conservation)),
        "{found:?}"
    );
}

#[test]
fn tree_rebuilt_without_the_key_is_found_by_the_checkpoint() {
    let mut book = Book::in_use(400);
    book.edit(pay(250), "\"0.06\"", "\"0.07\"");
    let report = check(&book.export(), &options(&book));
    // The checkpoint before the edit stands, the next does not.
    expect(&report, Check::Root, &Place::Entries(206..306));
}

#[test]
fn one_sided_edit_is_named_even_when_signed_with_the_stolen_key() {
    let mut book = Book::in_use(400);
    let text = String::from_utf8(book.entries[256].clone()).unwrap();
    let at = text.find("\"0.06\"").unwrap();
    let mut edited = text.into_bytes();
    edited[at + 4] = b'7';
    book.entries[256] = edited;
    book.sign_again();
    expect_entry(
        &check(&book.export(), &options(&book)),
        Check::Fold(FoldCheck::Conservation),
        256,
    );
}

/// Both sides edited, everything rebuilt, everything signed anew: a valid log in itself.
fn rewritten_by_the_thief() -> (Book, Book) {
    let honest = Book::in_use(400);
    let mut forged = honest.clone();
    forged.edit(pay(250), "\"0.06\"", "\"0.07\"");
    forged.sign_again();
    (honest, forged)
}

#[test]
fn rewrite_with_the_stolen_key_is_valid_to_who_kept_nothing() {
    let (_, forged) = rewritten_by_the_thief();
    assert!(check(&forged.export(), &options(&forged)).is_valid());
}

#[test]
fn rewrite_with_the_stolen_key_is_found_by_a_kept_checkpoint() {
    let (honest, forged) = rewritten_by_the_thief();
    let kept = [honest.published[3].clone()];
    let mut options = options(&honest);
    options.kept.checkpoints = &kept;
    expect(
        &check(&forged.export(), &options),
        Check::Kept,
        &Place::Entries(0..306),
    );
    // The more was kept, the closer.
    let kept = [honest.published[2].clone(), honest.published[3].clone()];
    options.kept.checkpoints = &kept;
    expect(
        &check(&forged.export(), &options),
        Check::Kept,
        &Place::Entries(206..306),
    );
}

#[test]
fn rewrite_with_the_stolen_key_is_named_exactly_by_a_kept_proof() {
    let (honest, forged) = rewritten_by_the_thief();
    let kept = [proof(&honest, pay(250)), proof(&honest, pay(251))];
    let mut options = options(&honest);
    options.kept.proofs = &kept;
    expect_entry(&check(&forged.export(), &options), Check::Kept, pay(250));
}

#[test]
fn rewrite_with_the_stolen_key_is_named_exactly_by_a_kept_export() {
    let (honest, forged) = rewritten_by_the_thief();
    let kept = honest.export();
    let mut options = options(&honest);
    options.kept.export = Some(&kept);
    expect_entry(&check(&forged.export(), &options), Check::Kept, pay(250));
}

#[test]
fn rewrite_with_the_stolen_key_is_found_by_a_snapshot_entry() {
    let mut book = Book::in_use(400);
    let (seq, state) = (book.next_seq() - 1, book.state.clone());
    for number in 0..30 {
        book.transfer(&format!("more-{number}"), "alice", "bob", 1);
    }
    let claim = book.snapshot(seq, &state);
    book.publish();
    book.edit(pay(250), "\"0.06\"", "\"0.07\"");
    book.sign_again();
    expect_entry(
        &check(&book.export(), &options(&book)),
        Check::Snapshot,
        claim,
    );
}

#[test]
fn another_book_is_not_the_one_whose_fingerprint_was_given() {
    let book = Book::in_use(5);
    let mut options = options(&book);
    options.genesis = Some(leaf_hash(b"another"));
    expect_entry(&check(&book.export(), &options), Check::Genesis, 0);
}

#[test]
fn swapped_entries_are_found() {
    let mut book = Book::in_use(300);
    book.entries.swap(100, 101);
    book.sign_again();
    expect_entry(
        &check(&book.export(), &options(&book)),
        Check::Fold(FoldCheck::Sequence),
        100,
    );
}

#[test]
fn deleted_middle_is_found() {
    let mut book = Book::in_use(300);
    book.entries.drain(100..105);
    book.sign_again();
    expect_entry(
        &check(&book.export(), &options(&book)),
        Check::Fold(FoldCheck::Sequence),
        100,
    );
}

#[test]
fn inserted_entry_is_found() {
    let mut book = Book::in_use(300);
    let entry = book.entries[99].clone();
    book.entries.insert(100, entry);
    book.sign_again();
    expect_entry(
        &check(&book.export(), &options(&book)),
        Check::Fold(FoldCheck::Sequence),
        100,
    );
}

#[test]
fn deleted_tail_is_found_by_what_was_kept() {
    let honest = Book::in_use(300);
    let mut book = honest.clone();
    book.entries.truncate(200);
    book.published.truncate(1);
    book.publish();
    assert!(check(&book.export(), &options(&book)).is_valid());
    let size = honest.next_seq();
    let kept = [honest.published.last().unwrap().clone()];
    let proofs = [proof(&honest, 250)];
    let mut options = options(&honest);
    options.kept.checkpoints = &kept;
    expect(
        &check(&book.export(), &options),
        Check::Kept,
        &Place::Entries(200..size),
    );
    options.kept.proofs = &proofs;
    expect_entry(&check(&book.export(), &options), Check::Kept, 250);
}

#[test]
fn rolled_back_checkpoint_is_found_by_the_log_of_checkpoints() {
    let book = Book::in_use(300);
    let mut rolled_back = book.clone();
    rolled_back.published.truncate(2);
    let mut export = rolled_back.export();
    export.0.insert("checkpoints.log".to_owned(), book.log());
    let report = check(&export, &options(&book));
    assert!(
        report
            .failures
            .iter()
            .all(|failure| failure.check == Check::Order),
        "{report:?}"
    );
    assert!(!report.is_valid());
}

#[test]
fn two_checkpoints_of_one_size_are_found() {
    let mut book = Book::in_use(300);
    let forked = TreeHead {
        size: 106,
        root: leaf_hash(b"forked"),
    };
    let note = book.sign(forked, 1);
    book.published.insert(1, note);
    expect(
        &check(&book.export(), &options(&book)),
        Check::Fork,
        &Place::Checkpoint(106),
    );
    // The same twice is no fork, but was never published so.
    let mut book = Book::in_use(300);
    let twice = book.published[1].clone();
    book.published.insert(1, twice);
    expect(
        &check(&book.export(), &options(&book)),
        Check::Order,
        &Place::Checkpoint(106),
    );
}

#[test]
fn forked_log_is_found_by_the_checkpoint_that_was_kept_of_the_other_side() {
    let mut one = Book::in_use(300);
    let before = one.published.last().unwrap().clone();
    let mut other = one.clone();
    one.transfer("one", "alice", "bob", 1);
    other.transfer("other", "alice", "bob", 1);
    let kept = [before, one.publish()];
    other.publish();
    let mut options = options(&one);
    options.kept.checkpoints = &kept;
    let report = check(&other.export(), &options);
    let size = one.next_seq();
    expect(&report, Check::Kept, &Place::Entries(size - 1..size));
}

#[test]
fn checkpoint_by_an_unknown_key_is_found() {
    let mut book = Book::in_use(300);
    *book.published.last_mut().unwrap() = book.sign(book.head_at(book.entries.len()), 9);
    let size = book.next_seq();
    expect(
        &check(&book.export(), &options(&book)),
        Check::Signature,
        &Place::Checkpoint(size),
    );
}

#[test]
fn checkpoint_by_the_key_before_the_rotation_is_found() {
    let mut book = Book::in_use(20);
    book.rotate(2);
    let note = book.sign(book.head_at(book.entries.len()), 1);
    book.published.push(note);
    let size = book.next_seq();
    for depth in [Depth::Sealed, Depth::Whole] {
        let mut options = options(&book);
        options.depth = depth;
        expect(
            &check(&book.export(), &options),
            Check::Signature,
            &Place::Checkpoint(size),
        );
    }
}

#[test]
fn checkpoint_of_another_log_is_found() {
    let mut book = Book::in_use(20);
    let note = String::from_utf8(book.published.pop().unwrap()).unwrap();
    book.published.push(
        note.replacen(ORIGIN, "paygod.example/other", 1)
            .into_bytes(),
    );
    let size = book.next_seq();
    expect(
        &check(&book.export(), &options(&book)),
        Check::Signature,
        &Place::Checkpoint(size),
    );
}

#[test]
fn forged_rotation_is_found() {
    for depth in [Depth::Sealed, Depth::Whole] {
        let mut book = Book::in_use(20);
        // Signed by a key that never was in force.
        let honest = book.clone();
        book.key = 8;
        let entry = book.rotate_entry(9);
        let seq = book.force(&entry);
        book.publish();
        let mut options = options(&honest);
        options.depth = depth;
        expect_entry(
            &check(&book.export(), &options),
            Check::Fold(FoldCheck::Key),
            seq,
        );

        // A true rotation, replayed at another place.
        let mut book = honest.clone();
        let mut entry = book.rotate_entry(2);
        book.transfer("between", "alice", "bob", 1);
        let later = book.rotate_entry(2);
        (entry.seq, entry.id, entry.time) = (later.seq, later.id, later.time);
        let seq = book.force(&entry);
        book.publish();
        expect_entry(
            &check(&book.export(), &options),
            Check::Fold(FoldCheck::Key),
            seq,
        );
    }
}

#[test]
fn revocation_by_too_few_roots_is_found() {
    for depth in [Depth::Sealed, Depth::Whole] {
        let mut book = Book::in_use(20);
        let honest = book.clone();
        let entry = book.revoke_entry(5, 9, &[2]);
        book.key = 9;
        let seq = book.force(&entry);
        book.publish();
        let mut options = options(&honest);
        options.depth = depth;
        expect_entry(
            &check(&book.export(), &options),
            Check::Fold(FoldCheck::Revocation),
            seq,
        );
    }
}

#[test]
fn replayed_id_is_named_at_its_second_use() {
    let mut book = Book::in_use(600);
    let seq = book.transfer("pay-17", "alice", "bob", 1);
    book.publish();
    let report = check(&book.export(), &options(&book));
    expect_entry(&report, Check::DuplicateId, seq);
    assert_eq!(report.failures_omitted, 0);
}

#[test]
fn replayed_id_is_named_before_what_breaks_after_it() {
    let mut book = Book::in_use(1_000);
    let seq = pay(300);
    book.edit(seq, "pay-300", "pay-200");
    // A one-sided edit, two bundles later.
    let text = String::from_utf8(book.entries[800].clone()).unwrap();
    let at = text.find("\"amount\":\"").unwrap() + 10;
    let mut edited = text.into_bytes();
    edited[at] = if edited[at] == b'9' { b'8' } else { b'9' };
    book.entries[800] = edited;
    book.sign_again();
    let report = check(&book.export(), &options(&book));
    expect_entry(&report, Check::DuplicateId, seq);
}

#[test]
fn clock_moved_back_is_found() {
    let mut book = Book::in_use(50);
    let mut entry = book.transfer_entry("late", "alice", "bob", 1);
    entry.time = paygod_types::Timestamp::from_nanos(book.time);
    let seq = book.force(&entry);
    book.publish();
    expect_entry(
        &check(&book.export(), &options(&book)),
        Check::Fold(FoldCheck::Time),
        seq,
    );
}

#[test]
fn flipped_verdict_is_found() {
    let mut book = Book::in_use(50);
    let seq = book.next_seq() - 1;
    book.edit(seq, "\"verdict\":\"deny\"", "\"verdict\":\"allow\"");
    book.sign_again();
    expect_entry(
        &check(&book.export(), &options(&book)),
        Check::Fold(FoldCheck::Verdict),
        seq,
    );
}

#[test]
fn money_moved_on_a_deny_is_found() {
    let mut book = Book::in_use(50);
    let mut entry = book.deny_entry("denied");
    let paygod_core::Body::Transfer(body) = &mut entry.body else {
        panic!()
    };
    body.postings = book.transfer_body("alice", "bob", 500).postings;
    let seq = book.force(&entry);
    book.publish();
    expect_entry(
        &check(&book.export(), &options(&book)),
        Check::Fold(FoldCheck::Verdict),
        seq,
    );
}

#[test]
fn decision_by_another_policy_is_found() {
    let mut book = Book::in_use(50);
    book.policy = paygod_types::Digest::sha256(b"another");
    let entry = book.transfer_entry("other", "alice", "bob", 1);
    let seq = book.force(&entry);
    book.publish();
    expect_entry(
        &check(&book.export(), &options(&book)),
        Check::Fold(FoldCheck::Policy),
        seq,
    );
}

#[test]
fn swapped_pack_or_list_is_found() {
    let book = Book::in_use(50);
    let activation = 4;
    for digest in book.blobs.keys() {
        let path = format!("blobs/{digest}");
        let mut export = book.export();
        let bytes = export.0.get_mut(&path).unwrap();
        let end = bytes.len() - 2;
        bytes[end] ^= 1;
        expect_entry(&check(&export, &options(&book)), Check::Blob, activation);
        export.0.remove(&path);
        expect_entry(&check(&export, &options(&book)), Check::Blob, activation);
    }
}

#[test]
fn list_of_another_version_than_activated_is_found() {
    let mut book = Book::in_use(50);
    // The activation says 9.9.9, the list under its digest says 2.0.0.
    let list =
        paygod_policy::ListBuilder::new(paygod_types::Name::parse("watched").unwrap(), "2.0.0");
    let list = list.build().unwrap();
    let mut named = list.named().clone();
    named.version = "9.9.9".to_owned();
    book.blobs.insert(named.digest, list.bytes().to_vec());
    let packs = book.state.policy().set.packs.clone();
    let set = paygod_core::command::PolicySet {
        lists: vec![named],
        packs,
    };
    let seq = book.activate_set(set, "9.9.9");
    book.publish();
    expect_entry(&check(&book.export(), &options(&book)), Check::Blob, seq);
}

#[test]
fn other_bytes_of_the_same_meaning_are_found() {
    for depth in [Depth::Sealed, Depth::Whole] {
        let mut book = Book::in_use(50);
        book.edit(20, ",\"", ", \"");
        book.sign_again();
        let mut options = options(&book);
        options.depth = depth;
        expect_entry(&check(&book.export(), &options), Check::Entry, 20);
    }
}

#[test]
fn damaged_tiles_are_found() {
    let book = Book::in_use(70_000);
    let export = book.export();
    let cases = [
        ("tile/0/000", 40, Place::Entry(1)),
        ("tile/1/000", 64, Place::File("tile/1/000".to_owned())),
        (
            "tile/2/000.p/1",
            0,
            Place::File("tile/2/000.p/1".to_owned()),
        ),
    ];
    for (path, at, place) in cases {
        let mut damaged = export.clone();
        flip(&mut damaged, path, at);
        expect(&check(&damaged, &options(&book)), Check::Tile, &place);
        let mut truncated = export.clone();
        truncated.0.get_mut(path).unwrap().pop();
        let report = check(&truncated, &options(&book));
        expect(&report, Check::Tile, &Place::File(path.to_owned()));
        let mut missing = export.clone();
        missing.0.remove(path);
        let report = check(&missing, &options(&book));
        expect(&report, Check::Missing, &Place::File(path.to_owned()));
    }
}

#[test]
fn partial_tile_of_another_width_is_found() {
    let book = Book::in_use(50);
    let mut export = book.export();
    let path = format!("tile/0/000.p/{}", book.next_seq());
    let tile = export.0.remove(&path).unwrap();
    export
        .0
        .insert("tile/0/000.p/20".to_owned(), tile[..640].to_vec());
    expect(
        &check(&export, &options(&book)),
        Check::Missing,
        &Place::File(path.clone()),
    );
    export
        .0
        .insert(path.clone(), [&tile[..], &[0; 32]].concat());
    expect(
        &check(&export, &options(&book)),
        Check::Tile,
        &Place::File(path),
    );
}

#[test]
fn damaged_bundles_are_found() {
    let book = Book::in_use(50);
    let path = format!("tile/entries/000.p/{}", book.next_seq());
    let size = book.next_seq();
    let mut export = book.export();
    export.0.get_mut(&path).unwrap().pop();
    expect_entry(&check(&export, &options(&book)), Check::Bundle, size - 1);
    let mut export = book.export();
    export.0.get_mut(&path).unwrap().push(0);
    expect_entry(&check(&export, &options(&book)), Check::Bundle, size);
    let mut export = book.export();
    export.0.remove(&path);
    expect(
        &check(&export, &options(&book)),
        Check::Missing,
        &Place::Entries(0..size),
    );
    // An entry that says it is as long as any can be.
    let mut export = book.export();
    export.0.get_mut(&path).unwrap()[..2].copy_from_slice(&[0xff, 0xff]);
    expect_entry(&check(&export, &options(&book)), Check::Bundle, 0);
}

#[test]
fn damaged_checkpoint_files_are_found() {
    let book = Book::in_use(50);
    let file = |path: &str| Place::File(path.to_owned());
    let mut export = book.export();
    export.0.remove("checkpoint");
    expect(
        &check(&export, &options(&book)),
        Check::Missing,
        &file("checkpoint"),
    );
    let mut export = book.export();
    export
        .0
        .insert("checkpoint".to_owned(), b"nothing\n".to_vec());
    expect(
        &check(&export, &options(&book)),
        Check::Checkpoint,
        &file("checkpoint"),
    );
    for log in [
        &b"12"[..],
        b"x\n",
        b"07\n1234567",
        b"9999999\n",
        b"5\nabc",
        b"\n",
        b"0\n",
    ] {
        let mut export = book.export();
        export.0.insert("checkpoints.log".to_owned(), log.to_vec());
        expect(
            &check(&export, &options(&book)),
            Check::Checkpoint,
            &file("checkpoints.log"),
        );
    }
}

#[test]
fn genesis_file_that_lies_is_found() {
    let book = Book::in_use(5);
    let mut export = book.export();
    export.0.insert("genesis".to_owned(), b"00".to_vec());
    let place = Place::File("genesis".to_owned());
    expect(&check(&export, &options(&book)), Check::Genesis, &place);
}

#[test]
fn snapshot_claim_of_another_state_is_found() {
    let mut book = Book::in_use(50);
    let earlier = book.state.clone();
    let seq = book.transfer("one-more", "alice", "bob", 1);
    let claim = book.snapshot(seq, &earlier);
    book.publish();
    expect_entry(
        &check(&book.export(), &options(&book)),
        Check::Snapshot,
        claim,
    );
}

#[test]
fn all_failures_are_listed_in_order_and_bounded() {
    let mut book = Book::in_use(600);
    for seq in (10..500).step_by(10) {
        book.edit(seq, ",\"", ", \"");
    }
    book.sign_again();
    let report = check(&book.export(), &options(&book).all());
    let places: Vec<Place> = report.failures.iter().map(|f| f.place.clone()).collect();
    let expected: Vec<Place> = (10..500).step_by(10).map(Place::Entry).collect();
    assert_eq!(places, expected);
    let mut few = options(&book);
    few.failures_max = 5;
    let report = check(&book.export(), &few);
    assert_eq!(report.failures.len(), 5);
    assert!(report.failures_omitted > 0);
    let mut json = Vec::new();
    report.write_json(&mut json);
    let value: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(value["valid"], false);
    assert_eq!(value["failures"][0]["entry"], 10);
    assert_eq!(value["failures"][0]["check"], "verify.entry");
}

#[test]
fn any_flipped_bit_is_found() {
    let book = Book::in_use(20);
    let export = book.export();
    let unread = ["genesis"];
    for (path, bytes) in &export.0 {
        if unread.contains(&path.as_str()) {
            continue;
        }
        for at in (0..bytes.len()).step_by(bytes.len().div_ceil(40).max(1)) {
            let mut damaged = export.clone();
            flip(&mut damaged, path, at);
            let report = check(&damaged, &options(&book));
            assert!(!report.is_valid(), "byte {at} of {path}");
        }
    }
}

#[test]
fn broken_kept_files_are_the_auditors_error() {
    let book = Book::in_use(5);
    let kept = [b"nothing".to_vec()];
    let mut with = options(&book);
    with.kept.checkpoints = &kept;
    assert!(paygod_verify::verify(&book.export(), &with, &|_| {}).is_err());
    let mut with = Options::new(std::env::temp_dir());
    with.kept.proofs = &kept;
    assert!(paygod_verify::verify(&book.export(), &with, &|_| {}).is_err());
}
