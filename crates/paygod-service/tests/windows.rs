//! Windows with much in them, judged one payment after the other and once more from the beginning.
#![allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use paygod_core::Verdict;
use paygod_service::ledger::{ActivationOrder, Clock, Ledger, OpenOptions, Replay, Submission};
use paygod_types::Timestamp;
use support::{TestBook, json, open_account, starter_pack};

/// A clock that stands until it is moved.
struct Hand(AtomicU64);

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_nanos(self.0.load(Ordering::Relaxed))
    }
}

const MINUTE_NS: u64 = 60_000_000_000;

/// Who pays is one of some, who is paid mostly the same.
fn payment(number: u64) -> Submission {
    let debit = number % 5;
    let creditor = if number.is_multiple_of(4) {
        number % 11
    } else {
        7
    };
    json(&format!(
        r#"{{"id":"pay-{number}","by":"tester","transfer":{{"transfers":[{{"debit":"payer-{debit}","credit":"bank","amount":"{}.00","currency":"EUR","payment":{{"creditor":{{"account":"CH{creditor:019}"}},"reference":"R{number}"}}}}]}}}}"#,
        10 + number % 13
    ))
}

#[test]
fn what_falls_out_of_a_window_falls_out_and_every_verdict_is_that_of_a_replay() {
    let clock = Arc::new(Hand(AtomicU64::new(1_700_000_000_000_000_000)));
    let options = || OpenOptions {
        clock: Arc::<Hand>::clone(&clock),
        ..OpenOptions::default()
    };
    let book = TestBook::with(options());
    let open = || Ledger::open(&book.path(), options()).unwrap();
    let mut ledger = open();
    let order = ActivationOrder {
        id: None,
        by: None,
        packs: vec![starter_pack("velocity-guard")],
        lists: Vec::new(),
        signatures: Vec::new(),
    };
    ledger.activate(&order).unwrap();
    let payers = (0..5).map(|number| open_account(&format!("payer-{number}"), "EUR"));
    let accounts = payers.chain([open_account("bank", "EUR")]).collect();
    for answer in ledger.submit(accounts) {
        answer.unwrap();
    }
    let (mut denied, mut allowed, mut last) = (0, 0, None);
    for round in 0..60_u64 {
        // Five an hour at first, then two hundred, then few again: windows fill up and empty.
        let minutes = if (20..40).contains(&round) { 3 } else { 47 };
        clock.0.fetch_add(minutes * MINUTE_NS, Ordering::Relaxed);
        let requests = (round * 10..round * 10 + 10).map(payment).collect();
        for answer in ledger.submit(requests) {
            let outcome = answer.unwrap();
            match outcome.verdict {
                Some(Verdict::Deny) => denied += 1,
                _ => allowed += 1,
            }
            last = Some(outcome.seq);
        }
        if round == 30 {
            // What is kept of windows is in memory only.
            ledger.close().unwrap();
            ledger = open();
        }
    }
    assert!(denied > 20 && allowed > 200, "{denied} and {allowed}");
    let explained = ledger.read().explain(last.unwrap()).unwrap();
    assert_eq!(explained.replay, Replay::Same);
    ledger.wait_signed().unwrap();
    let replayed = ledger.read().replay(None, None, |_| {}).unwrap();
    assert_eq!(replayed.judged, 600);
    assert!(replayed.reproduces(), "{:?}", replayed.differences);
}

#[test]
fn a_payment_cut_into_linked_transfers_needs_as_many_approvals_and_one_of_another_request_none() {
    let book = TestBook::new();
    let ledger = book.open();
    let order = ActivationOrder {
        id: None,
        by: None,
        packs: vec![starter_pack("four-eyes")],
        lists: Vec::new(),
        signatures: Vec::new(),
    };
    ledger.activate(&order).unwrap();
    let accounts = ["main", "supplier"].map(|account| open_account(account, "EUR"));
    for answer in ledger.submit(accounts.to_vec()) {
        answer.unwrap();
    }
    let request = |id: &str, legs: usize| {
        let leg = r#"{"debit":"main","credit":"supplier","amount":"25000.00","currency":"EUR"}"#;
        let legs = vec![leg; legs].join(",");
        json(&format!(
            r#"{{"id":"{id}","by":"tester","transfer":{{"transfers":[{legs}]}}}}"#
        ))
    };
    let requests = vec![
        request("a", 1),
        request("b", 1),
        request("c", 19),
        request("d", 2),
    ];
    let outcomes: Vec<_> = ledger
        .submit(requests)
        .into_iter()
        .map(Result::unwrap)
        .collect();
    let verdicts: Vec<_> = outcomes.iter().map(|outcome| outcome.verdict).collect();
    let (allow, review) = (Some(Verdict::Allow), Some(Verdict::Review));
    assert_eq!(verdicts, [allow, allow, review, review]);
    let approvals = |at: usize| {
        let sealed = ledger.read().entry(outcomes[at].seq).unwrap();
        sealed.entry.body.decision().unwrap().approvals
    };
    assert_eq!((approvals(2), approvals(3)), (3, 2));
    ledger.wait_signed().unwrap();
    let replayed = ledger.read().replay(None, None, |_| {}).unwrap();
    assert!(replayed.reproduces(), "{:?}", replayed.differences);
}
