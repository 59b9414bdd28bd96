//! What a book says of its checkpoint keys.

use super::book::Book;
use super::keys::rotation;
use crate::key_policy::{KEY_LIMIT_MAX, KeyPolicy};
use crate::{Body, Check, State, SystemCommand};

#[test]
fn a_policy_is_sealed_replaces_the_one_before_and_outlives_a_rotation() {
    let mut book = Book::begun();
    let policy = |book: &Book| book.state.book().unwrap().key_policy;
    assert_eq!(policy(&book), KeyPolicy::default());
    let plain = book.state.to_snapshot();
    book.sealed(r#"{"id":"a","by":"ops","key_policy":{"signatures":9,"age_s":7776000}}"#);
    let wanted = KeyPolicy {
        age_s: Some(7_776_000),
        signatures: Some(9),
        unsigned: None,
    };
    assert_eq!(policy(&book), wanted);
    let rotation = rotation(book.state.next_seq(), 1, 2);
    book.system(SystemCommand::KeyRotate(rotation)).unwrap();
    assert_eq!(policy(&book), wanted);
    let bytes = book.state.to_snapshot();
    let again = State::from_snapshot(&bytes).unwrap();
    assert_eq!(again.book(), book.state.book());
    assert_eq!(again.digest(), book.state.digest());
    for end in 0..bytes.len() {
        assert!(State::from_snapshot(&bytes[..end]).is_err(), "{end}");
    }
    book.sealed(r#"{"id":"b","by":"ops","key_policy":{"unsigned":100000}}"#);
    assert_eq!(policy(&book).unsigned, Some(100_000));
    assert_eq!(policy(&book).age_s, None);
    // Saying nothing again is spelled as never having said anything.
    book.sealed(r#"{"id":"c","by":"ops","key_policy":{}}"#);
    assert_eq!(policy(&book), KeyPolicy::default());
    assert_eq!(book.state.to_snapshot()[32], plain[32]);
}

#[test]
fn malformed_policies_are_refused() {
    let book = Book::begun();
    for wrong in [
        r#"{"age_s":0}"#.to_owned(),
        r#"{"age_s":-1}"#.to_owned(),
        r#"{"age_s":"90"}"#.to_owned(),
        r#"{"age_days":90}"#.to_owned(),
        r#"{"signatures":1,"signatures":2}"#.to_owned(),
        format!(r#"{{"unsigned":{}}}"#, KEY_LIMIT_MAX + 1),
        "[]".to_owned(),
    ] {
        let json = format!(r#"{{"id":"a","key_policy":{wrong}}}"#);
        assert!(book.prepare(&json).is_err(), "{json}");
    }
}

#[test]
fn a_forged_policy_fails_the_fold() {
    let mut book = Book::begun();
    let before = book.state.clone();
    let mut entry = book.sealed(r#"{"id":"a","key_policy":{"unsigned":5}}"#);
    entry.body = Body::KeyPolicy(KeyPolicy {
        unsigned: Some(0),
        ..KeyPolicy::default()
    });
    let fault = before.clone().apply(&entry).unwrap_err();
    assert_eq!(fault.check, Check::Key);
}
