//! The ledger as its callers see it: answers, reads, restarts.
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

use paygod_core::{Action, Verdict};
use paygod_service::ledger::{
    AsOf, CopyProgress, Ledger, LedgerReader, OpenOptions, Protection, SubmitError,
};
use paygod_tlog::{Ed25519Verifier, TlogProof, VerifierKey, leaf_hash};
use paygod_types::{AccountId, RequestId, Seq};
use std::sync::{Arc, Mutex};
use support::{TestBook, json, lose_the_vault, open_account, payment};

#[test]
fn a_new_book_has_a_genesis_and_a_signed_checkpoint() {
    let book = TestBook::new();
    let ledger = book.open();
    let status = ledger.read().status().unwrap();
    assert_eq!((status.entries, status.signed), (1, 1));
    assert_eq!(status.fingerprint, book.created.fingerprint);
    let checkpoint = ledger.read().checkpoint().unwrap();
    assert_eq!(checkpoint.head().size, 1);
    assert_eq!(
        checkpoint.head().root,
        leaf_hash(&ledger.read().entry(Seq(0)).unwrap().bytes)
    );
    ledger.close().unwrap();
}

#[test]
fn without_a_policy_every_transfer_is_denied_and_sealed() {
    let book = TestBook::new();
    let ledger = book.open();
    let answers = ledger.submit(vec![
        open_account("a", "EUR"),
        open_account("b", "EUR"),
        payment("pay-1", "a", "b", "12.50"),
    ]);
    let outcome = answers[2].as_ref().unwrap();
    assert_eq!(
        (outcome.action, outcome.verdict),
        (Action::Transfer, Some(Verdict::Deny))
    );
    assert_eq!(outcome.seq, Seq(3));
}

#[test]
fn allowed_money_moves_and_is_read_back_now_and_as_it_was() {
    let book = TestBook::new();
    let ledger = book.open();
    book.allow_all(&ledger);
    let answers = ledger.submit(vec![
        open_account("a", "EUR"),
        open_account("b", "EUR"),
        payment("pay-1", "a", "b", "12.50"),
        payment("pay-2", "a", "b", "1.00"),
    ]);
    let outcomes: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
    assert_eq!(outcomes[3].verdict, Some(Verdict::Allow));
    let b = AccountId::parse("b").unwrap();
    let posted = |balances: paygod_core::Balances| balances.posted().unwrap().minor();
    assert_eq!(posted(ledger.read().account(&b).unwrap().balances), 1350);
    assert_eq!(
        posted(
            ledger
                .read()
                .balances_at(&b, AsOf::Seq(outcomes[2].seq))
                .unwrap()
        ),
        1250
    );
    assert_eq!(
        posted(
            ledger
                .read()
                .balances_at(&b, AsOf::Time(outcomes[2].time))
                .unwrap()
        ),
        1250
    );
    assert_eq!(
        posted(
            ledger
                .read()
                .balances_at(&b, AsOf::Seq(outcomes[1].seq))
                .unwrap()
        ),
        0
    );
}

#[test]
fn a_submission_that_is_refused_calls_nobody_back() {
    let book = TestBook::new();
    let ledger = book.open();
    let (sender, receiver) = std::sync::mpsc::channel();
    let submit = |count: usize| {
        let requests = (0..count).map(|at| open_account(&format!("a-{at}"), "EUR"));
        let sender = sender.clone();
        ledger.try_submit(requests.collect(), move |answers| {
            sender.send(answers.len()).unwrap();
        })
    };
    let refused = submit(20_000).unwrap_err();
    assert!(matches!(refused, SubmitError::Busy { in_flight: 0 }));
    submit(2).unwrap();
    assert_eq!(receiver.recv().unwrap(), 2);
    ledger.close().unwrap();
    assert!(receiver.try_recv().is_err());
}

#[test]
fn the_same_request_gives_the_first_outcome_again_across_restarts() {
    let book = TestBook::new();
    let ledger = book.open();
    book.allow_all(&ledger);
    let first = ledger.submit(vec![
        open_account("a", "EUR"),
        open_account("b", "EUR"),
        payment("pay-1", "a", "b", "12.50"),
        payment("pay-1", "a", "b", "12.50"),
    ]);
    let first: Vec<_> = first.into_iter().map(Result::unwrap).collect();
    assert!(!first[2].existing && first[3].existing);
    assert_eq!(
        (first[2].seq, first[2].time, first[2].verdict),
        (first[3].seq, first[3].time, first[3].verdict)
    );
    let size = ledger.read().size();
    ledger.close().unwrap();

    let ledger = book.open();
    let again = ledger.submit(vec![
        payment("pay-1", "a", "b", "12.50"),
        payment("pay-1", "a", "b", "12.51"),
        open_account("a", "EUR"),
    ]);
    let same = again[0].as_ref().unwrap();
    assert!(same.existing);
    assert_eq!((same.seq, same.time), (first[2].seq, first[2].time));
    assert_eq!(
        again[1].as_ref().unwrap_err().code().as_str(),
        "request.conflict"
    );
    assert!(again[2].as_ref().unwrap().existing);
    assert_eq!(ledger.read().size(), size);
}

#[test]
fn a_malformed_request_seals_nothing_and_spoils_no_neighbour() {
    let book = TestBook::new();
    let ledger = book.open();
    let answers = ledger.submit(vec![
        json("not json"),
        open_account("a", "EUR"),
        json(r#"{"id":"x","account_open":{"account":"c","currency":"EUR"},"extra":1}"#),
        json(&"x".repeat(100_000)),
    ]);
    let codes: Vec<_> = answers
        .iter()
        .map(|answer| {
            answer
                .as_ref()
                .map(|_| "ok")
                .unwrap_or_else(|error| error.code().as_str())
        })
        .collect();
    assert_eq!(codes[1], "ok");
    assert_eq!(codes[3], "ledger.request-too-large");
    assert!(answers[0].is_err() && answers[2].is_err());
    assert_eq!(ledger.read().size(), 2);
}

#[test]
fn a_receipt_proves_its_entry_offline() {
    let book = TestBook::new();
    let ledger = book.open();
    let _opened = ledger.submit(
        (0..300)
            .map(|n| open_account(&format!("acct-{n}"), "EUR"))
            .collect(),
    );
    ledger.wait_signed().unwrap();
    let receipt = ledger.read().receipt(Seq(123)).unwrap();
    assert_eq!(receipt.protection, Protection::Signed);
    let proof = TlogProof::parse(receipt.proof.as_deref().unwrap()).unwrap();
    let key =
        Ed25519Verifier::new(&VerifierKey::parse(&book.created.checkpoint_key).unwrap()).unwrap();
    proof
        .verify(leaf_hash(&receipt.entry), &book.created.origin, &[&key])
        .unwrap();
    assert!(
        proof
            .verify(leaf_hash(b"other"), &book.created.origin, &[&key])
            .is_err()
    );
}

/// Pays 12.50 from `a` to `b` as `pay-1`, which nothing forbids; the entry.
fn pay_once(book: &TestBook, ledger: &Ledger) -> Seq {
    book.allow_all(ledger);
    let answers = ledger.submit(vec![
        open_account("a", "EUR"),
        open_account("b", "EUR"),
        payment("pay-1", "a", "b", "12.50"),
    ]);
    answers[2].as_ref().unwrap().seq
}

#[test]
fn an_erased_input_is_gone_and_its_id_stays_used() {
    let book = TestBook::new();
    let ledger = book.open();
    let seq = pay_once(&book, &ledger);
    assert!(ledger.read().input(seq).unwrap().is_some());
    let id = |text: &str| RequestId::parse(text).unwrap();
    ledger
        .erase_evidence(id("erase-1"), None, id("pay-1"))
        .unwrap();
    assert_eq!(ledger.read().input(seq).unwrap(), None);
    let again = ledger.submit(vec![payment("pay-1", "a", "b", "12.50")]);
    assert_eq!(
        again[0].as_ref().unwrap_err().code().as_str(),
        "request.erased"
    );
}

#[test]
fn an_input_that_is_lost_is_erased_without_stopping_the_book() {
    let book = TestBook::new();
    let ledger = book.open();
    let seq = pay_once(&book, &ledger);
    ledger.close().unwrap();
    lose_the_vault(&book.path());
    let ledger = book.open();
    assert!(ledger.read().input(seq).is_err());
    let id = |text: &str| RequestId::parse(text).unwrap();
    ledger
        .erase_evidence(id("erase-1"), None, id("pay-1"))
        .unwrap();
    let answers = ledger.submit(vec![payment("pay-2", "a", "b", "1.00")]);
    assert!(answers[0].is_ok(), "{answers:?}");
    ledger.close().unwrap();
    // The order is carried out once more whenever the book is opened.
    let ledger = book.open();
    let answers = ledger.submit(vec![payment("pay-3", "a", "b", "1.00")]);
    assert!(answers[0].is_ok(), "{answers:?}");
}

#[test]
fn the_keys_of_another_book_open_nothing() {
    let (book, other) = (TestBook::new(), TestBook::new());
    let checks = book.path().join("keys/checks");
    let told = std::fs::read_to_string(&checks).unwrap();
    assert_eq!(told.lines().count(), 2, "{told}");
    for name in ["window.key", "vault.key"] {
        let file = |book: &TestBook| book.path().join("keys").join(name);
        let own = std::fs::read(file(&book)).unwrap();
        std::fs::copy(file(&other), file(&book)).unwrap();
        let options = OpenOptions::default;
        let refused = Ledger::open(&book.path(), options()).unwrap_err();
        assert_eq!(refused.code().as_str(), "ledger.key-file");
        assert!(refused.to_string().contains(name), "{refused}");
        let refused = LedgerReader::open(&book.path(), &options());
        assert_eq!(refused.err().unwrap().code().as_str(), "ledger.key-file");
        std::fs::write(file(&book), own).unwrap();
        book.open().close().unwrap();
    }
    // One that a crash cut off is written again.
    let (whole, _) = told.split_at(told.len() - 9);
    std::fs::write(&checks, whole).unwrap();
    book.open().close().unwrap();
    let again = std::fs::read_to_string(&checks).unwrap();
    assert!(told.lines().all(|line| again.contains(line)), "{again}");
}

#[test]
fn a_book_has_one_ledger_at_a_time_and_none_after_it_closed() {
    let book = TestBook::new();
    let ledger = book.open();
    let second = Ledger::open(&book.path(), OpenOptions::default());
    assert_eq!(second.unwrap_err().code().as_str(), "store.locked");
    ledger.close().unwrap();
    book.open().close().unwrap();
}

#[test]
fn an_opening_that_folds_much_says_how_far_it_has_come() {
    let book = TestBook::new();
    let ledger = book.open();
    let accounts = (0..5_000).map(|number| open_account(&format!("a{number}"), "EUR"));
    let answers = ledger.submit(accounts.collect());
    assert!(answers.iter().all(Result::is_ok));
    let entries = ledger.read().size();
    ledger.close().unwrap();
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = Arc::clone(&told);
    let options = OpenOptions {
        progress: Some(Arc::new(move |progress: CopyProgress| {
            tell.lock().unwrap().push((progress.done, progress.total));
        })),
        ..OpenOptions::default()
    };
    drop(LedgerReader::open(&book.path(), &options).unwrap());
    let told = told.lock().unwrap();
    assert!(told.len() > 1 && told.is_sorted(), "{told:?}");
    assert_eq!(told.last(), Some(&(entries, entries)));
}

#[test]
fn closed_ledgers_finish_what_they_took() {
    let book = TestBook::new();
    let ledger = book.open();
    let ticket = ledger
        .begin(
            (0..5_000)
                .map(|n| open_account(&format!("acct-{n}"), "EUR"))
                .collect(),
        )
        .unwrap();
    ledger.close().unwrap();
    assert!(ticket.wait().iter().all(Result::is_ok));
    let ledger = book.open();
    assert_eq!(ledger.read().size(), 5_001);
    assert!(!matches!(
        ledger.submit(vec![open_account("acct-7", "EUR")])[0],
        Err(SubmitError::Closed)
    ));
}
