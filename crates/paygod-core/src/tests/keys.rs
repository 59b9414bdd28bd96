//! Genesis and key rotation.

use super::book::{Book, ORIGIN, genesis, signer, vkey};
use crate::entry::KeyRotation;
use crate::{CommandError, State, SystemCommand};
use paygod_types::{Seq, Timestamp};

pub(super) fn rotation(seq: Seq, old: u8, new: u8) -> KeyRotation {
    let message = KeyRotation::message(ORIGIN, seq, &vkey(old), &vkey(new));
    KeyRotation {
        new: vkey(new),
        old: vkey(old),
        signature_new: signer(new).sign_bytes(message.as_bytes()),
        signature_old: signer(old).sign_bytes(message.as_bytes()),
    }
}

fn code(result: Result<crate::Effects, CommandError>) -> &'static str {
    result.unwrap_err().code().as_str()
}

#[test]
fn rotation_signed_by_both_keys_takes_over() {
    let mut book = Book::ready();
    let seq = book.state.next_seq();
    let effects = book
        .system(SystemCommand::KeyRotate(rotation(seq, 1, 2)))
        .unwrap();
    assert_eq!(effects.checkpoint_key, Some(vkey(2)));
    let keys = &book.state.book().unwrap().checkpoint_keys;
    assert!(
        keys.iter()
            .map(|key| (key.since, key.vkey.clone()))
            .eq([(Seq(0), vkey(1)), (seq, vkey(2))])
    );
}

#[test]
fn rotation_is_refused_unless_every_part_holds() {
    let mut book = Book::ready();
    let seq = book.state.next_seq();
    let good = rotation(seq, 1, 2);
    let table: [(&str, KeyRotation); 6] = [
        ("another seq", rotation(Seq(seq.get() + 1), 1, 2)),
        ("a key not in force", rotation(seq, 3, 2)),
        ("the same key", rotation(seq, 1, 1)),
        (
            "old signature",
            KeyRotation {
                signature_old: good.signature_new,
                ..good.clone()
            },
        ),
        (
            "new signature",
            KeyRotation {
                signature_new: good.signature_old,
                ..good.clone()
            },
        ),
        (
            "no key",
            KeyRotation {
                new: "nonsense".into(),
                ..good.clone()
            },
        ),
    ];
    for (what, wrong) in table {
        assert_eq!(
            code(book.system(SystemCommand::KeyRotate(wrong))),
            "key.rotation",
            "{what}"
        );
    }
    book.system(SystemCommand::KeyRotate(good.clone())).unwrap();
    // Replayed, or back to a key that was given up.
    assert_eq!(
        code(book.system(SystemCommand::KeyRotate(good))),
        "key.rotation"
    );
    let back = rotation(book.state.next_seq(), 2, 1);
    assert_eq!(
        code(book.system(SystemCommand::KeyRotate(back))),
        "key.rotation"
    );
}

#[test]
fn genesis_comes_first_and_once() {
    let mut book = Book::begun();
    assert_eq!(
        code(book.system(SystemCommand::Genesis(genesis()))),
        "book.not-ready"
    );
    let mut state = State::new();
    let mut wrong = genesis();
    wrong.origin = "elsewhere".into();
    let command = SystemCommand::Genesis(wrong);
    let mut out = Vec::new();
    let result = crate::engine::execute_system(&mut state, command, Timestamp::EPOCH, &mut out);
    assert_eq!(code(result), "key.rotation");
    assert!(out.is_empty() && state.size() == 0);
    let claim = crate::entry::SnapshotClaim {
        accounts: 0,
        digest: state.digest(),
        of: Seq(0),
    };
    let command = SystemCommand::Snapshot(claim);
    let result = crate::engine::execute_system(&mut state, command, Timestamp::EPOCH, &mut out);
    assert_eq!(code(result), "book.not-ready");
}

#[test]
fn policy_digest_is_the_one_that_the_ruleset_gives() {
    use crate::command::PolicySet;
    use paygod_policy::{ListBuilder, Ruleset};
    let empty = Ruleset::builder().build().unwrap();
    assert_eq!(PolicySet::default().digest(), empty.digest());
    let mut list = ListBuilder::new("sdn".parse().unwrap(), "2026-11-22");
    list.entry("1", ["A NAME"]);
    let list = std::sync::Arc::new(list.build().unwrap());
    let ruleset = Ruleset::builder().list(list).build().unwrap();
    let set = PolicySet {
        lists: ruleset.lists().to_vec(),
        packs: ruleset.packs().to_vec(),
    };
    assert_eq!(set.digest(), ruleset.digest());
    assert_ne!(set.digest(), empty.digest());
}
