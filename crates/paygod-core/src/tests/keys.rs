//! Genesis, key rotation, key revocation.

use std::sync::Arc;

use super::book::{Book, ORIGIN, genesis, root, root_vkey, signer, vkey};
use crate::ceremony::RevocationText;
use crate::entry::{HybridChange, KeyRevocation, KeyRotation, RootSignature};
use crate::keys::{KeyChange, KeyFault};
use crate::state::Book as KeyBook;
use crate::{CommandError, KeyPeriod, State, SystemCommand};
use paygod_types::{Seq, Timestamp};

impl KeyBook {
    /// This book once a rotation is sealed at `seq`.
    fn rotate(&self, rotation: &KeyRotation, seq: Seq) -> Result<Self, KeyFault> {
        Ok(self.with(self.check_rotation(rotation, seq)?))
    }

    /// This book once a revocation is sealed at `seq`.
    fn revoke(&self, revocation: &KeyRevocation, seq: Seq) -> Result<Self, KeyFault> {
        Ok(self.with(self.check_revoke(revocation, seq)?))
    }

    fn with(&self, change: KeyChange) -> Self {
        let mut book = self.clone();
        book.take(change);
        book
    }
}

pub(super) fn rotation(seq: Seq, old: u8, new: u8) -> KeyRotation {
    let message = KeyRotation::message(ORIGIN, seq, [&vkey(old), &vkey(new)], None);
    KeyRotation {
        hybrid: None,
        new: vkey(new),
        old: vkey(old),
        signature_new: signer(new).sign_bytes(message.as_bytes()),
        signature_old: signer(old).sign_bytes(message.as_bytes()),
    }
}

/// A revocation of key `stolen.0`, last good entry `stolen.1`, in favour of `new`, by these root keys.
pub(super) fn revocation(origin: &str, stolen: (u8, u64), new: u8, roots: &[u8]) -> KeyRevocation {
    let text = RevocationText {
        origin: origin.into(),
        revoked: vkey(stolen.0),
        last_good: Seq(stolen.1),
        new: vkey(new),
        hybrid: None,
    };
    let message = text.to_text();
    let signatures = roots.iter().map(|number| RootSignature {
        key: root_vkey(*number),
        signature: root(*number).sign_bytes(message.as_bytes()),
    });
    KeyRevocation {
        hybrid: None,
        last_good: text.last_good,
        signature_new: signer(new).sign_bytes(message.as_bytes()),
        signatures: signatures.collect(),
        new: text.new,
        revoked: text.revoked,
    }
}

#[test]
fn revocation_by_enough_roots_takes_the_key_out_of_force() {
    let mut book = Book::ready();
    let seq = book.state.next_seq();
    let effects = book
        .system(SystemCommand::KeyRevoke(revocation(
            ORIGIN,
            (1, 3),
            2,
            &[1, 3],
        )))
        .unwrap();
    assert_eq!(effects.keys.unwrap().checkpoint, vkey(2));
    let keys = book.state.book().unwrap();
    assert!(keys.is_revoked(&vkey(1)) && !keys.is_revoked(&vkey(2)));
    assert_eq!(
        (keys.revoked[0].at, keys.revoked[0].last_good),
        (seq, Seq(3))
    );
    // The thief cannot rotate on with the stolen key, and the stolen key never comes back.
    let thief = rotation(book.state.next_seq(), 1, 9);
    assert_eq!(
        code(book.system(SystemCommand::KeyRotate(thief))),
        "key.rotation"
    );
    let back = rotation(book.state.next_seq(), 2, 1);
    assert_eq!(
        code(book.system(SystemCommand::KeyRotate(back))),
        "key.rotation"
    );
}

#[test]
fn a_key_rotated_out_long_ago_can_still_be_revoked() {
    let mut book = Book::ready();
    let seq = book.state.next_seq();
    book.system(SystemCommand::KeyRotate(rotation(seq, 1, 2)))
        .unwrap();
    let old = revocation(ORIGIN, (1, 2), 3, &[2, 3]);
    book.system(SystemCommand::KeyRevoke(old)).unwrap();
    assert!(book.state.book().unwrap().is_revoked(&vkey(1)));
}

#[test]
fn revocation_is_refused_unless_every_part_holds() {
    let mut book = Book::ready();
    let next = book.state.next_seq().get();
    let good = revocation(ORIGIN, (1, 3), 2, &[1, 2]);
    let with = |change: fn(&mut KeyRevocation)| {
        let mut wrong = good.clone();
        change(&mut wrong);
        wrong
    };
    let named_twice = |revocation: &mut KeyRevocation| {
        revocation.signatures[1] = revocation.signatures[0].clone();
    };
    let by_no_root = |revocation: &mut KeyRevocation| revocation.signatures[0].key = vkey(7);
    let table: [(&str, KeyRevocation); 11] = [
        ("too few roots", revocation(ORIGIN, (1, 3), 2, &[2])),
        ("no root", revocation(ORIGIN, (1, 3), 2, &[])),
        ("one root twice", with(named_twice)),
        ("out of order", revocation(ORIGIN, (1, 3), 2, &[3, 1])),
        ("another signer", with(by_no_root)),
        ("another log", revocation("elsewhere", (1, 3), 2, &[1, 2])),
        ("another index", with(|wrong| wrong.last_good = Seq(4))),
        ("not before it", revocation(ORIGIN, (1, next), 2, &[1, 2])),
        (
            "a key never in force",
            revocation(ORIGIN, (4, 3), 2, &[1, 2]),
        ),
        ("the key itself", revocation(ORIGIN, (1, 3), 1, &[1, 2])),
        (
            "not held by who asks",
            with(|wrong| wrong.signature_new = wrong.signatures[0].signature),
        ),
    ];
    for (what, wrong) in table {
        assert_eq!(
            code(book.system(SystemCommand::KeyRevoke(wrong))),
            "key.revocation",
            "{what}"
        );
    }
    book.system(SystemCommand::KeyRevoke(good.clone())).unwrap();
    assert_eq!(
        code(book.system(SystemCommand::KeyRevoke(good))),
        "key.revocation",
        "replayed"
    );
}

#[test]
fn without_root_keys_nothing_can_be_revoked() {
    let mut book = Book::ready();
    let mut keys = book.state.book().unwrap().clone();
    keys.root_keys.clear();
    keys.root_threshold = 0;
    book.state.book = Some(Arc::new(keys));
    let asked = revocation(ORIGIN, (1, 3), 2, &[]);
    assert_eq!(
        code(book.system(SystemCommand::KeyRevoke(asked))),
        "key.revocation"
    );
}

#[test]
fn root_keys_are_of_distinct_holders_and_sign_no_checkpoints() {
    use paygod_tlog::{Ed25519Signer, KeyName, NoteSigner};
    let named = |name: &str, seed: u8| -> Arc<str> {
        Ed25519Signer::new(KeyName::parse(name).unwrap(), &[seed; 32])
            .verifier_key()
            .to_string()
            .into()
    };
    let one_holder_twice = vec![named("a.example", 101), named("b.example", 101)];
    let online = vec![named("a.example", 1), named("b.example", 102)];
    let descending = vec![root_vkey(2), root_vkey(1)];
    let pair = || vec![root_vkey(1), root_vkey(2)];
    let table: [(&str, Vec<Arc<str>>, u32); 6] = [
        ("one key under two names", one_holder_twice, 2),
        ("the checkpoint key", online, 2),
        ("out of order", descending, 2),
        ("more than there are", pair(), 3),
        ("none needed", pair(), 0),
        ("a threshold of nobody", Vec::new(), 1),
    ];
    for (what, keys, threshold) in table {
        let mut wrong = genesis();
        wrong.root_keys = keys;
        wrong.root_threshold = threshold;
        let result = crate::engine::execute_system(
            &mut State::new(),
            SystemCommand::Genesis(wrong),
            Timestamp::EPOCH,
            &mut Vec::new(),
        );
        assert_eq!(code(result), "key.rotation", "{what}");
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
    assert_eq!(effects.keys.unwrap().checkpoint, vkey(2));
    let keys = &book.state.book().unwrap().checkpoint_keys;
    assert!(
        keys.iter()
            .map(|key| (key.since, key.vkey.clone()))
            .eq([(Seq(0), vkey(1)), (seq, vkey(2))])
    );
}

#[test]
fn a_key_given_up_is_known_for_one_after_the_state_was_read_back() {
    let mut book = Book::ready();
    for key in 1..5 {
        let seq = book.state.next_seq();
        book.system(SystemCommand::KeyRotate(rotation(seq, key, key + 1)))
            .unwrap();
    }
    let seq = book.state.next_seq();
    let read = State::from_snapshot(&book.state.to_snapshot()).unwrap();
    assert_eq!(read.book(), book.state.book());
    let keys = read.book().unwrap();
    for used in 1..=5 {
        let back = keys.check_rotation(&rotation(seq, 5, used), seq);
        assert!(back.unwrap_err().found.contains("used before"), "{used}");
    }
    assert!(keys.check_rotation(&rotation(seq, 5, 6), seq).is_ok());
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

#[test]
fn a_hybrid_key_is_an_ml_dsa_key_of_the_log_and_stays_with_the_state() {
    use paygod_tlog::{Cosigner, Ed25519Cosigner, KeyName, MlDsa44Cosigner};
    let ml_dsa = |name: &str| -> Arc<str> {
        let key = MlDsa44Cosigner::new(KeyName::parse(name).unwrap(), &[7; 32]).unwrap();
        key.verifier_key().to_string().into()
    };
    let periods = || -> Vec<KeyPeriod> {
        let (since, vkey) = (Seq(0), ml_dsa(ORIGIN));
        vec![KeyPeriod { since, vkey }]
    };
    let ed25519: Arc<str> = Ed25519Cosigner::new(KeyName::parse(ORIGIN).unwrap(), &[7; 32])
        .unwrap()
        .verifier_key()
        .to_string()
        .into();
    let begin = |key: Option<Arc<str>>| {
        let mut genesis = genesis();
        genesis.hybrid_key = key;
        let (mut state, mut entry) = (State::new(), Vec::new());
        let command = SystemCommand::Genesis(genesis);
        crate::engine::execute_system(&mut state, command, Timestamp::EPOCH, &mut entry)
            .map(|_| (state, entry))
    };
    for wrong in [ml_dsa("elsewhere.example"), ed25519, vkey(2), "x".into()] {
        assert_eq!(
            begin(Some(wrong)).unwrap_err().code().as_str(),
            "key.rotation"
        );
    }
    let (state, entry) = begin(Some(ml_dsa(ORIGIN))).unwrap();
    let read = crate::Entry::decode(&entry).unwrap();
    let mut again = Vec::new();
    read.encode(&mut again);
    assert_eq!(again, entry);
    let bytes = state.to_snapshot();
    let restored = State::from_snapshot(&bytes).unwrap();
    let book = restored.book().unwrap();
    assert_eq!(book.hybrid_keys, periods());
    assert!(book.hybrid_verifier().is_some());
    let rotated = book.rotate(&rotation(Seq(1), 1, 2), Seq(1)).unwrap();
    assert_eq!(rotated.hybrid_keys, periods());
    // A book without one has the bytes it always had.
    let (plain, entry) = begin(None).unwrap();
    assert!(!String::from_utf8(entry).unwrap().contains("hybrid"));
    assert!(plain.book().unwrap().hybrid_verifier().is_none());
}

fn cosigner(seed: u8) -> paygod_tlog::MlDsa44Cosigner {
    let name = paygod_tlog::KeyName::parse(ORIGIN).unwrap();
    paygod_tlog::MlDsa44Cosigner::new(name, &[seed; 32]).unwrap()
}

fn hybrid_vkey(seed: u8) -> Arc<str> {
    use paygod_tlog::Cosigner;
    cosigner(seed).verifier_key().to_string().into()
}

/// A book whose ML-DSA-44 key is that of seed 7.
fn hybrid_book() -> crate::Book {
    let mut genesis = genesis();
    genesis.hybrid_key = Some(hybrid_vkey(7));
    crate::Book::begin(&genesis).unwrap()
}

/// What an ML-DSA-44 key `new` adds to a change of keys, `by` signing as the old one.
fn change(message: &str, [by, new]: [u8; 2]) -> Option<Box<HybridChange>> {
    use paygod_tlog::Cosigner;
    let sign = |seed| cosigner(seed).sign_message(message.as_bytes()).unwrap();
    Some(Box::new(HybridChange {
        new: hybrid_vkey(new),
        signature_new: sign(new).try_into().unwrap(),
        signature_old: sign(by).try_into().unwrap(),
    }))
}

/// A rotation of both keys, from `[1, 7]` to `[new, hybrid]`, with `by` signing as the old ML-DSA-44 key.
fn both(seq: Seq, new: u8, by: u8, hybrid: u8) -> KeyRotation {
    let keys = [&*vkey(1), &*vkey(new)];
    let message = KeyRotation::message(ORIGIN, seq, keys, Some(&hybrid_vkey(hybrid)));
    KeyRotation {
        hybrid: change(&message, [by, hybrid]),
        signature_new: signer(new).sign_bytes(message.as_bytes()),
        signature_old: signer(1).sign_bytes(message.as_bytes()),
        ..rotation(seq, 1, new)
    }
}

#[test]
fn a_rotation_signed_by_all_four_keys_replaces_both_and_the_history_stays_with_the_state() {
    let seq = Seq(1);
    let rotated = hybrid_book().rotate(&both(seq, 2, 7, 8), seq).unwrap();
    let keys = rotated.in_force().unwrap();
    assert_eq!(
        (keys.checkpoint, keys.hybrid),
        (vkey(2), Some(hybrid_vkey(8)))
    );
    let history: Vec<_> = (rotated.hybrid_keys.iter())
        .map(|key| (key.since, key.vkey.clone()))
        .collect();
    assert_eq!(history, [(Seq(0), hybrid_vkey(7)), (seq, hybrid_vkey(8))]);
    for policy in [None, Some(9)] {
        let mut state = State::new();
        state.size = 2;
        let mut book = rotated.clone();
        book.key_policy.age_s = policy;
        state.book = Some(Arc::new(book));
        let bytes = state.to_snapshot();
        let restored = State::from_snapshot(&bytes).unwrap();
        assert_eq!(restored.book(), state.book());
    }
}

#[test]
fn an_entry_that_changes_both_keys_has_one_spelling() {
    let rotate = crate::Body::KeyRotate(both(Seq(1), 2, 7, 8));
    let mut revocation = revocation(ORIGIN, (1, 0), 2, &[1, 2]);
    revocation.hybrid = change("", [7, 8]);
    let revoke = crate::Body::KeyRevoke(revocation);
    for (body, name) in [(rotate, "key_rotate:1"), (revoke, "key_revoke:1")] {
        let entry = crate::Entry {
            seq: Seq(1),
            time: Timestamp::EPOCH,
            id: paygod_types::RequestId::system(name).unwrap(),
            by: None,
            request: None,
            body,
        };
        let mut bytes = Vec::new();
        entry.encode(&mut bytes);
        assert_eq!(crate::Entry::decode(&bytes).unwrap(), entry);
        assert!(bytes.len() < 12_000, "{}", bytes.len());
    }
}

#[test]
fn a_rotation_of_the_ml_dsa_key_is_refused_unless_every_part_holds() {
    let book = hybrid_book();
    let seq = Seq(1);
    let good = both(seq, 2, 7, 8);
    let with = |change: fn(&mut KeyRotation)| {
        let mut wrong = good.clone();
        change(&mut wrong);
        wrong
    };
    let table: [(&str, KeyRotation); 8] = [
        ("another seq", both(Seq(2), 2, 7, 8)),
        ("a key not in force", both(seq, 2, 9, 8)),
        ("the same key", both(seq, 2, 7, 7)),
        ("taken off", with(|wrong| wrong.hybrid = None)),
        (
            "put on",
            KeyRotation {
                hybrid: good.hybrid.clone(),
                ..rotation(seq, 1, 2)
            },
        ),
        (
            "not held by who asks",
            with(|wrong| {
                let change = wrong.hybrid.as_mut().unwrap();
                change.signature_new = change.signature_old;
            }),
        ),
        (
            "an Ed25519 key",
            with(|wrong| wrong.hybrid.as_mut().unwrap().new = vkey(3)),
        ),
        (
            "another's key",
            with(|wrong| wrong.hybrid.as_mut().unwrap().new = hybrid_vkey(9)),
        ),
    ];
    for (what, wrong) in table {
        assert!(book.rotate(&wrong, seq).is_err(), "{what}");
    }
    let plain = crate::Book::begin(&genesis()).unwrap();
    assert!(
        plain.rotate(&good, seq).is_err(),
        "a book that is not hybrid"
    );
    let rotated = book.rotate(&good, seq).unwrap();
    let back = KeyRotation::message(ORIGIN, Seq(2), [&vkey(2), &vkey(3)], Some(&hybrid_vkey(7)));
    let back = KeyRotation {
        hybrid: change(&back, [8, 7]),
        signature_new: signer(3).sign_bytes(back.as_bytes()),
        signature_old: signer(2).sign_bytes(back.as_bytes()),
        ..rotation(Seq(2), 2, 3)
    };
    assert!(rotated.rotate(&back, Seq(2)).is_err(), "back to a used key");
}

#[test]
fn root_keys_replace_the_ml_dsa_key_only_together_with_its_own_signature() {
    let book = hybrid_book();
    let text = RevocationText {
        origin: ORIGIN.into(),
        revoked: vkey(1),
        last_good: Seq(0),
        new: vkey(2),
        hybrid: Some(hybrid_vkey(8)),
    };
    let message = text.to_text();
    assert_eq!(RevocationText::from_text(&message), Ok(text));
    let longer = format!("{message}more\n");
    assert!(RevocationText::from_text(&longer).is_err());
    let revocation = |by| {
        let mut revocation = revocation(ORIGIN, (1, 0), 2, &[1, 2]);
        for signed in &mut revocation.signatures {
            let number = if signed.key == root_vkey(1) { 1 } else { 2 };
            signed.signature = root(number).sign_bytes(message.as_bytes());
        }
        revocation.signature_new = signer(2).sign_bytes(message.as_bytes());
        revocation.hybrid = change(&message, [by, 8]);
        revocation
    };
    let revoked = book.revoke(&revocation(7), Seq(3)).unwrap();
    assert_eq!(revoked.hybrid_key(), Some(&*hybrid_vkey(8)));
    assert!(book.revoke(&revocation(9), Seq(3)).is_err());
    let mut bare = revocation(7);
    bare.hybrid = None;
    assert!(book.revoke(&bare, Seq(3)).is_err());
}
