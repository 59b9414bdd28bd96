//! Two-phase transfers and reviews.

use super::book::{Book, transfer, verdict};
use crate::{Action, Layer, Stage};

fn reserve(book: &mut Book, id: &str, amount: &str, terms: &str) {
    let json = transfer(
        id,
        "eur-a",
        "eur-b",
        amount,
        &format!(r#","pending":{terms}"#),
    );
    let entry = book.sealed(&json);
    assert!(
        entry
            .body
            .postings()
            .iter()
            .all(|posting| posting.layer == Layer::Pending)
    );
}

#[test]
fn reservation_is_posted_whole_or_in_part_and_released() {
    for (amounts, moved) in [("", 10_000), (r#","amounts":["30.00"]"#, 3_000)] {
        let mut book = Book::ready();
        reserve(&mut book, "p1", "100.00", "{}");
        assert_eq!(book.balance("eur-a"), (0, -10_000));
        assert_eq!(book.balance("eur-b"), (0, 0));
        book.sealed(&format!(
            r#"{{"id":"post","post":{{"pending":"p1"{amounts}}}}}"#
        ));
        assert_eq!(book.balance("eur-a"), (-moved, -moved));
        assert_eq!(book.balance("eur-b"), (moved, moved));
        assert_eq!(book.state.pendings_len(), 0);
        let again = r#"{"id":"post2","post":{"pending":"p1"}}"#;
        assert_eq!(book.refused(again), "pending.unknown");
    }
}

#[test]
fn post_stays_within_its_reservation() {
    for amounts in [
        r#""100.01""#,
        r#""0.00""#,
        r#""1""#,
        r#""1.00","1.00""#,
        r#""01.00""#,
    ] {
        let mut book = Book::ready();
        reserve(&mut book, "p1", "100.00", "{}");
        let json = format!(r#"{{"id":"x","post":{{"pending":"p1","amounts":[{amounts}]}}}}"#);
        assert_eq!(book.refused(&json), "pending.amount", "{amounts}");
    }
}

#[test]
fn void_releases_everything() {
    let mut book = Book::ready();
    reserve(&mut book, "p1", "100.00", "{}");
    let entry = book.sealed(r#"{"id":"v1","void":{"pending":"p1"}}"#);
    assert!(entry.body.postings().is_empty());
    assert_eq!(book.balance("eur-a"), (0, 0));
}

#[test]
fn overdue_reservation_expires_before_anything_else() {
    let mut book = Book::ready();
    reserve(&mut book, "p1", "100.00", r#"{"timeout_s":60}"#);
    reserve(&mut book, "p2", "50.00", r#"{"timeout_s":30}"#);
    reserve(&mut book, "p3", "25.00", "{}");
    book.pass(59);
    let prepared = book
        .prepare(&transfer("x", "eur-a", "eur-b", "1.00", ""))
        .unwrap();
    let mut out = Vec::new();
    let mut context = crate::Context {
        judge: &book.judge,
        scratch: &mut (),
        history: &book.history,
        now: book.now,
    };
    let overdue = crate::engine::execute(&mut book.state, &mut context, &prepared, &mut out);
    assert_eq!(overdue.unwrap_err().code().as_str(), "pending.overdue");
    let expired = book.expire_one().unwrap();
    assert_eq!(expired.action, Action::Expire);
    assert_eq!(expired.refers_to.unwrap().id.as_str(), "p2");
    assert!(
        book.expire_one().is_none(),
        "a second too early for the other"
    );
    assert_eq!(book.balance("eur-a"), (0, -12_500));
    book.pass(60);
    // Reaching out for the reservation comes too late.
    assert_eq!(
        book.refused(r#"{"id":"late","post":{"pending":"p1"}}"#),
        "pending.unknown"
    );
    assert_eq!(book.balance("eur-a"), (0, -2_500));
}

#[test]
fn review_posts_on_the_last_of_k_approvals() {
    let mut book = Book::ready();
    assert_eq!(
        verdict(&book.pay("p1", "eur-a", "eur-b", "700.00")),
        "review"
    );
    assert_eq!(
        book.refused(r#"{"id":"x","post":{"pending":"p1"}}"#),
        "pending.under-review"
    );
    assert_eq!(
        book.refused(r#"{"id":"x","void":{"pending":"p1"}}"#),
        "pending.under-review"
    );
    let approve =
        |id: &str, by: &str| format!(r#"{{"id":"{id}","by":"{by}","approve":{{"request":"p1"}}}}"#);
    // Capitals make nobody another.
    for by in ["treasury", "Treasury"] {
        assert_eq!(book.refused(&approve("a0", by)), "approval.own-request");
    }
    let entry = book.sealed(&approve("a1", "ann"));
    assert!(entry.body.postings().is_empty());
    assert_eq!(book.balance("eur-b"), (0, 0));
    for by in ["ann", "ANN"] {
        assert_eq!(book.refused(&approve("a2", by)), "approval.repeated");
    }
    let entry = book.sealed(&approve("a2", "bob"));
    assert_eq!(entry.body.postings().len(), 2);
    assert_eq!(book.balance("eur-b"), (70_000, 70_000));
    assert_eq!(book.refused(&approve("a3", "cid")), "pending.unknown");
}

#[test]
fn reject_releases_a_review() {
    let mut book = Book::ready();
    book.pay("p1", "eur-a", "eur-b", "500.00");
    book.sealed(r#"{"id":"r1","by":"ann","reject":{"request":"p1"}}"#);
    assert_eq!(book.balance("eur-a"), (0, 0));
    let late = r#"{"id":"a1","by":"ann","approve":{"request":"p1"}}"#;
    assert_eq!(book.refused(late), "pending.unknown");
}

#[test]
fn approved_two_phase_review_waits_for_its_post() {
    let mut book = Book::ready();
    reserve(&mut book, "p1", "500.00", r#"{"timeout_s":60}"#);
    let reject = r#"{"id":"r1","by":"ann","reject":{"request":"p1"}}"#;
    let entry = book.sealed(r#"{"id":"a1","by":"ann","approve":{"request":"p1"}}"#);
    assert!(entry.body.postings().is_empty());
    assert_eq!(book.refused(reject), "pending.not-under-review");
    let pending = book.state.pending(&"p1".parse().unwrap()).unwrap();
    assert_eq!(pending.stage, Stage::Reserved);
    book.sealed(r#"{"id":"post","post":{"pending":"p1","amounts":["499.99"]}}"#);
    assert_eq!(book.balance("eur-b"), (49_999, 49_999));
    assert!(
        book.state
            .due(paygod_types::Timestamp::from_nanos(u64::MAX))
            .is_none()
    );
}

#[test]
fn review_past_its_deadline_expires() {
    let mut book = Book::ready();
    reserve(&mut book, "p1", "500.00", r#"{"timeout_s":60}"#);
    book.pass(61);
    assert_eq!(book.expire_one().unwrap().action, Action::Expire);
    assert_eq!(book.balance("eur-a"), (0, 0));
}

#[test]
fn denied_two_phase_reserves_nothing_and_has_no_timeout() {
    let mut book = Book::ready();
    let more = r#","pending":{"timeout_s":60}"#;
    let entry = book.sealed(&transfer("p1", "eur-a", "eur-b", "1000.00", more));
    assert_eq!(verdict(&entry), "deny");
    assert_eq!(book.state.pendings_len(), 0);
    assert!(
        !String::from_utf8(book.log.pop().unwrap())
            .unwrap()
            .contains("timeout")
    );
}

#[test]
fn linked_reservation_is_posted_leg_by_leg() {
    let mut book = Book::ready();
    let json = r#"{"id":"p1","by":"t","transfer":{"transfers":[
        {"debit":"eur-a","credit":"eur-b","amount":"10.00","currency":"EUR","pending":{}},
        {"debit":"jpy-a","credit":"jpy-b","amount":"100","currency":"JPY","pending":{}}]}}"#;
    book.sealed(json);
    book.sealed(r#"{"id":"post","post":{"pending":"p1","amounts":["4.00","100"]}}"#);
    assert_eq!(book.balance("eur-b"), (400, 400));
    assert_eq!(book.balance("jpy-b"), (100, 100));
    assert_eq!(book.balance("eur-a"), (-400, -400));
}
