//! Section 4 of the design: the same id and body give the same outcome for ever.

use super::book::{Book, transfer, verdict};
use crate::Outcome;

#[test]
fn same_id_and_body_gives_the_first_outcome_in_any_spelling() {
    let mut book = Book::ready();
    let seq = book.pay("p1", "eur-a", "eur-b", "1.00").seq;
    let same = r#" { "transfer" : {"transfers":[{"currency":"EUR","amount":"1.00","credit":"eur-b",
        "debit":"eur-a"}]}, "by":"treasury", "id":"p1" } "#;
    assert_eq!(book.execute(same).unwrap(), Outcome::Existing(seq));
    assert_eq!(book.balance("eur-b"), (100, 100));
}

#[test]
fn same_id_and_another_body_conflicts() {
    let mut book = Book::ready();
    book.pay("p1", "eur-a", "eur-b", "1.00");
    for other in [
        transfer("p1", "eur-a", "eur-b", "1.01", ""),
        transfer("p1", "eur-a", "eur-b", "1.00", r#","payment":{}"#),
        transfer("p1", "eur-a", "eur-b", "1.00", "").replace("treasury", "somebody"),
        r#"{"id":"p1","freeze":{"scope":"book"}}"#.to_owned(),
    ] {
        assert_eq!(book.refused(&other), "request.conflict", "{other}");
    }
}

#[test]
fn denied_id_stays_denied() {
    let mut book = Book::ready();
    let json = transfer("p1", "eur-b", "eur-a", "5.00", "");
    let denied = book.sealed(&json);
    assert_eq!(verdict(&denied), "deny");
    book.pay("p2", "eur-a", "eur-b", "5.00");
    assert_eq!(book.execute(&json).unwrap(), Outcome::Existing(denied.seq));
    assert_eq!(verdict(&book.pay("p3", "eur-b", "eur-a", "5.00")), "allow");
}

#[test]
fn personal_request_is_compared_under_its_own_key_until_erased() {
    let mut book = Book::ready();
    let json = transfer(
        "p1",
        "eur-a",
        "eur-b",
        "1.00",
        r#","payment":{"creditor":{"name":"X"}}"#,
    );
    let entry = book.sealed(&json);
    let bytes = String::from_utf8(book.log.last().unwrap().clone()).unwrap();
    assert!(!bytes.contains("creditor"), "INVARIANT(no-person)");
    assert!(matches!(
        entry.request,
        Some(crate::RequestRef::Commitment(_))
    ));
    // Another data key, as a retry has: still the same request.
    let mut prepared = book.prepare(&json).unwrap();
    prepared.commit(&crate::CommitmentKey::new([3; 32]));
    assert_eq!(
        book.execute_prepared(&prepared).unwrap(),
        Outcome::Existing(entry.seq)
    );
    assert_eq!(book.refused(&json.replace('X', "Y")), "request.conflict");
    let erased = book.sealed(r#"{"id":"e1","evidence_erase":{"request":"p1"}}"#);
    assert_eq!(erased.body.refers_to().unwrap().seq, entry.seq);
    book.history.erase_key(entry.seq);
    assert_eq!(book.refused(&json), "request.erased");
}

#[test]
fn a_request_under_review_is_not_erased() {
    let mut book = Book::ready();
    let json = transfer(
        "p1",
        "eur-a",
        "eur-b",
        "600.00",
        r#","payment":{"creditor":{"name":"X"}}"#,
    );
    assert_eq!(verdict(&book.sealed(&json)), "review");
    let erase = r#"{"id":"e1","evidence_erase":{"request":"p1"}}"#;
    assert_eq!(book.refused(erase), "pending.under-review");
    book.sealed(r#"{"id":"j","by":"ann","reject":{"request":"p1"}}"#);
    book.sealed(erase);
}

#[test]
fn personal_request_must_be_committed_to_first() {
    let mut book = Book::ready();
    let json = transfer(
        "p1",
        "eur-a",
        "eur-b",
        "1.00",
        r#","payment":{"remittance":"X"}"#,
    );
    let mut space = crate::Workspace::default();
    let mut preparer = crate::Preparer::new(&book.judge, &book.window_key, &mut space);
    let prepared = preparer.json(json.as_bytes()).unwrap();
    assert!(prepared.is_personal() && prepared.reference().is_none());
    let error = book.execute_prepared(&prepared).unwrap_err();
    assert_eq!(error.code().as_str(), "request.not-committed");
}
