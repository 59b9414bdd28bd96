//! A book that is read beside the process that writes to it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests stop at the first surprise"
)]

mod support;

use std::sync::atomic::{AtomicBool, Ordering};

use paygod_service::ledger::{
    AsOf, InputState, Ledger, LedgerReader, OpenOptions, Protection, Receipt, Replay, Submission,
};
use paygod_tlog::{Ed25519Verifier, TlogProof, VerifierKey, leaf_hash};
use paygod_types::{AccountId, RequestId, Seq};
use support::{TestBook, json, lose_the_vault, open_account, payment};

fn opened(book: &TestBook) -> LedgerReader {
    LedgerReader::open(&book.path(), &OpenOptions::default()).unwrap()
}

fn id(text: &str) -> RequestId {
    RequestId::parse(text).unwrap()
}

fn account(text: &str) -> AccountId {
    AccountId::parse(text).unwrap()
}

struct Ended<'a>(&'a AtomicBool);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn check_receipt(book: &TestBook, receipt: &Receipt) {
    let key = VerifierKey::parse(&book.created.checkpoint_key).unwrap();
    let key = Ed25519Verifier::new(&key).unwrap();
    let proof = TlogProof::parse(receipt.proof.as_deref().unwrap()).unwrap();
    proof
        .verify(leaf_hash(&receipt.entry), &book.created.origin, &[&key])
        .unwrap();
}

#[test]
fn a_reader_sees_what_the_ledger_does_and_stays_where_it_was() {
    let book = TestBook::new();
    let ledger = book.open();
    book.allow_all(&ledger);
    for answer in ledger.submit(vec![
        open_account("alice", "EUR"),
        open_account("bob", "EUR"),
        payment("pay-1", "alice", "bob", "10.00"),
        payment("pay-2", "alice", "bob", "20.00"),
    ]) {
        answer.unwrap();
    }
    ledger.wait_signed().unwrap();
    let (reader, live) = (opened(&book), ledger.read());
    assert_eq!(reader.size(), live.size());
    assert_eq!(reader.status().unwrap(), live.status().unwrap());
    assert_eq!(reader.accounts().unwrap(), live.accounts().unwrap());
    assert_eq!(reader.pendings().unwrap(), live.pendings().unwrap());
    assert_eq!(reader.lists().unwrap(), live.lists().unwrap());
    assert_eq!(reader.book_keys().unwrap(), live.book_keys().unwrap());
    assert_eq!(reader.key_use().unwrap(), live.key_use().unwrap());
    let paid = reader.find(&id("pay-2")).unwrap();
    assert_eq!(paid, live.find(&id("pay-2")).unwrap());
    let receipt = reader.receipt(paid.seq).unwrap();
    assert_eq!(receipt, live.receipt(paid.seq).unwrap());
    assert_eq!(receipt.protection, Protection::Signed);
    check_receipt(&book, &receipt);
    let explained = reader.explain(paid.seq).unwrap();
    assert_eq!(explained, live.explain(paid.seq).unwrap());
    assert_eq!(explained.replay, Replay::Same);
    let replayed = reader.replay(None, None, |_| {}).unwrap();
    assert!(replayed.reproduces(), "{:?}", replayed.differences);

    // What comes later is for those who come later.
    for answer in ledger.submit(vec![payment("pay-3", "alice", "bob", "30.00")]) {
        answer.unwrap();
    }
    ledger
        .erase_evidence(id("erase-1"), None, id("pay-1"))
        .unwrap();
    let bob = |reader: &LedgerReader| reader.account(&account("bob")).unwrap().balances;
    assert_eq!(bob(&reader).credits_posted.minor(), 3_000);
    let later = opened(&book);
    assert_eq!(bob(&later).credits_posted.minor(), 6_000);
    let before = AsOf::Seq(paid.seq);
    assert_eq!(
        later.balances_at(&account("bob"), before).unwrap(),
        bob(&reader)
    );
    let erased = later.find(&id("pay-1")).unwrap().seq;
    assert_eq!(
        later.explain(erased).unwrap().input,
        InputState::Erased,
        "the order is sealed"
    );
    ledger.close().unwrap();
    assert_eq!(bob(&reader).credits_posted.minor(), 3_000);
}

#[test]
fn what_a_denied_request_asked_for_is_kept() {
    let book = TestBook::new();
    let ledger = book.open();
    book.allow_all(&ledger);
    let moving = |id: &str, amount: &str| {
        json(&format!(
            r#"{{"id":"{id}","transfer":{{"transfers":[{{"amount":"{amount}","credit":"bob","currency":"EUR","debit":"poor"}}]}}}}"#
        ))
    };
    let answers = ledger.submit(vec![
        json(
            r#"{"account_open":{"account":"poor","currency":"EUR","min_balance":"-5.00"},"id":"open-poor"}"#,
        ),
        open_account("bob", "EUR"),
        moving("small", "5.00"),
        moving("denied", "7.00"),
        payment("personal", "poor", "bob", "9.00"),
    ]);
    let seqs: Vec<Seq> = answers
        .iter()
        .map(|answer| answer.as_ref().unwrap().seq)
        .collect();
    ledger.close().unwrap();

    let reader = opened(&book);
    let told = reader.explain(seqs[3]).unwrap();
    let InputState::Kept(bytes) = &told.input else {
        panic!("{:?}", told.input);
    };
    assert!(String::from_utf8_lossy(bytes).contains(r#""amount":"7.00""#));
    assert_eq!(told.replay, Replay::Same);
    // What was allowed stands in its entry.
    assert_eq!(reader.explain(seqs[2]).unwrap().input, InputState::NotKept);
    let replayed = reader.replay(None, None, |_| {}).unwrap();
    assert_eq!((replayed.judged, replayed.same), (3, 3));

    lose_the_vault(&book.path());
    let reader = opened(&book);
    let told = reader.explain(seqs[3]).unwrap();
    assert!(matches!(told.input, InputState::Lost { .. }), "{told:?}");
    assert!(matches!(told.replay, Replay::NotPossible(_)), "{told:?}");
    let replayed = reader.replay(None, None, |_| {}).unwrap();
    assert_eq!((replayed.same, replayed.different), (1, 2));
    assert_eq!(replayed.differences[0].entry.seq, seqs[3]);
    assert!(!replayed.reproduces());
}

#[test]
fn what_an_entry_says_is_the_request_whose_digest_it_holds() {
    let book = TestBook::new();
    let ledger = book.open();
    book.allow_all(&ledger);
    let moving = |id: &str, more: &str| {
        format!(
            r#"{{"id":"{id}",{more}"transfers":[{{"amount":"1.00","credit":"b","currency":"EUR","debit":"a"PENDING}}]}}}}"#
        )
    };
    let plain = |id: &str| json(&moving(id, r#""transfer":{"#).replace("PENDING", ""));
    let held = |id: &str, pending: &str| {
        json(&moving(id, r#""transfer":{"#).replace("PENDING", &format!(r#","pending":{pending}"#)))
    };
    let correct = moving("c", r#""by":"x","correct":{"corrects":"p","reason":"r","#);
    let answers = ledger.submit(vec![
        open_account("a", "EUR"),
        open_account("b", "EUR"),
        plain("p"),
        support::linked_payment("l", "a", "b", "2.00"),
        held("h", r#"{"timeout_s":86400}"#),
        held("n", "{}"),
        json(&correct.replace("PENDING", "")),
    ]);
    let judged = u64::try_from(answers.len() - 2).unwrap();
    for answer in answers {
        answer.unwrap();
    }
    ledger.close().unwrap();
    let replayed = opened(&book).replay(None, None, |_| {}).unwrap();
    assert_eq!(
        (replayed.judged, replayed.same),
        (judged, judged),
        "{:?}",
        replayed.differences
    );
}

#[test]
fn readers_come_and_go_under_load_and_their_copies_hold() {
    let book = TestBook::new();
    let options = OpenOptions {
        segment_bytes: 256 << 10,
        snapshot_every: 1_000,
        ..OpenOptions::default()
    };
    let ledger = Ledger::open(&book.path(), options).unwrap();
    book.allow_all(&ledger);
    for answer in ledger.submit(vec![
        open_account("alice", "EUR"),
        open_account("bob", "EUR"),
    ]) {
        answer.unwrap();
    }
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // Whatever happens here, the writer ends.
        let end = Ended(&done);
        let writer = scope.spawn(|| {
            let mut number = 0_u64;
            // A bound: readers that open more slowly than the book grows would never have done.
            while !done.load(Ordering::Relaxed) && number < 50_000 {
                let requests: Vec<Submission> = (0..100)
                    .map(|at| payment(&format!("pay-{}", number + at), "alice", "bob", "0.01"))
                    .collect();
                for answer in ledger.submit(requests) {
                    answer.unwrap();
                }
                number += 100;
            }
        });
        let mut size = 0;
        for round in 0..12 {
            // Read your writes: what was acknowledged before is there.
            let acknowledged = ledger.read().size();
            let reader = opened(&book);
            assert!(reader.size() >= acknowledged.max(size), "round {round}");
            size = reader.size();
            let last = reader.entry(Seq(size - 1)).unwrap();
            assert_eq!(reader.find(&last.entry.id).unwrap(), last);
            let bob = reader.account(&account("bob")).unwrap().balances;
            let moment = AsOf::Seq(Seq(size - 1));
            assert_eq!(reader.balances_at(&account("bob"), moment).unwrap(), bob);
            let signed = reader.signed();
            if signed > 0 {
                let receipt = reader.receipt(Seq(signed - 1)).unwrap();
                check_receipt(&book, &receipt);
            }
        }
        let reader = opened(&book);
        let (backup, export) = (book.scratch("backup"), book.scratch("live-export"));
        reader.backup(&backup, &mut |_| {}).unwrap();
        reader.export(&export, &mut |_| {}).unwrap();
        drop(end);
        writer.join().unwrap();
        let restored = book.scratch("restored");
        let options = OpenOptions::default();
        Ledger::restore(&backup, &restored, &options, &mut |_| {}).unwrap();
        let restored = LedgerReader::open(&restored, &options).unwrap();
        assert_eq!(restored.size(), reader.size());
        let options = paygod_verify::Options::new(std::env::temp_dir());
        let source = paygod_verify::Directory::new(&export);
        let report = paygod_verify::verify(&source, &options, &|_| {}).unwrap();
        assert!(report.is_valid(), "{:?}", report.first());
        assert_eq!(report.head.unwrap().size, reader.signed());
    });
    book.verify_whole(&ledger);
}
