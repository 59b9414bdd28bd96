//! Snapshots: round trip, strictness, and what clones cost.

use super::book::{Book, transfer};
use super::entries::everything;
use crate::{Entry, State};

/// A state with something of everything in it.
fn rich() -> Book {
    let mut book = everything();
    book.pay("s1", "eur-a", "eur-b", "700.00");
    book.sealed(r#"{"id":"s2","by":"ann","approve":{"request":"s1"}}"#);
    book.sealed(&transfer(
        "s3",
        "eur-a",
        "eur-b",
        "9.00",
        r#","pending":{"timeout_s":600}"#,
    ));
    book.sealed(r#"{"id":"s4","freeze":{"scope":{"currency":"JPY"}}}"#);
    book.sealed(r#"{"id":"s5","freeze":{"scope":{"account":"eur-c"}}}"#);
    book
}

#[test]
fn snapshot_reads_back_and_goes_on_as_the_original() {
    let mut book = rich();
    let mut read = State::from_snapshot(&book.state.to_snapshot()).unwrap();
    assert_eq!(read.digest(), book.state.digest());
    book.sealed(r#"{"id":"s6","by":"bob","approve":{"request":"s1"}}"#);
    book.sealed(r#"{"id":"s7","post":{"pending":"s3"}}"#);
    book.sealed(r#"{"id":"s8","account_open":{"account":"later","currency":"CHF"}}"#);
    for bytes in &book.log[book.log.len() - 3..] {
        read.apply(&Entry::decode(bytes).unwrap()).unwrap();
    }
    assert_eq!(read.digest(), book.state.digest());
}

#[test]
fn state_rebuilt_from_entries_is_bit_identical() {
    let book = rich();
    let mut state = State::new();
    for entry in &book.log {
        state.apply(&Entry::decode(entry).unwrap()).unwrap();
    }
    assert_eq!(state.to_snapshot(), book.state.to_snapshot());
}

#[test]
fn states_before_genesis_and_after_have_snapshots() {
    for state in [State::new(), Book::begun().state, Book::ready().state] {
        let read = State::from_snapshot(&state.to_snapshot()).unwrap();
        assert_eq!(read.digest(), state.digest());
    }
}

#[test]
fn damaged_snapshot_is_refused_or_has_another_digest() {
    let book = rich();
    let good = book.state.to_snapshot();
    for place in 0..good.len() {
        assert!(
            State::from_snapshot(&good[..place]).is_err(),
            "cut at {place}"
        );
        let mut wrong = good.clone();
        wrong[place] ^= 1 << (place % 8);
        if let Ok(state) = State::from_snapshot(&wrong) {
            assert_eq!(state.to_snapshot(), wrong, "INVARIANT(one-state)");
        }
    }
    let longer: Vec<u8> = good.iter().copied().chain([0]).collect();
    assert!(State::from_snapshot(&longer).is_err());
}

#[test]
fn edited_balance_is_refused() {
    let book = rich();
    let good = book.state.to_snapshot();
    let posted = book
        .state
        .account(&"eur-b".parse().unwrap())
        .unwrap()
        .balances
        .credits_posted;
    let pattern = posted.minor().to_le_bytes();
    let places: Vec<usize> = (0..good.len() - 16)
        .filter(|place| good[*place..*place + 16] == pattern)
        .collect();
    assert!(!places.is_empty());
    for place in places {
        let mut wrong = good.clone();
        wrong[place] ^= 1;
        assert!(
            State::from_snapshot(&wrong).is_err(),
            "the sums no longer fit"
        );
    }
}

#[test]
fn clone_is_not_touched_by_what_follows() {
    let mut book = Book::ready();
    let clone = book.state.clone();
    let digest = clone.digest();
    book.pay("p1", "eur-a", "eur-b", "1.00");
    book.sealed(r#"{"id":"o","account_open":{"account":"new","currency":"EUR"}}"#);
    assert_eq!(clone.digest(), digest);
    assert!(clone.account(&"new".parse().unwrap()).is_none());
    assert_ne!(book.state.digest(), digest);
}
