//! The bytes of entries: canonical, one spelling, and as the vectors in `contracts/` have them.

use super::book::{Book, ORIGIN, packs, transfer};
use super::keys::{revocation, rotation};
use super::packs::{activate, stage, trust};
use crate::entry::{AnchorKind, AnchorReceipt, Decision, SnapshotClaim};
use crate::{Action, Body, Entry, EntryHead, EntrySlot, SystemCommand, WindowToken};
use paygod_types::canonical::{self, Limits};
use std::collections::BTreeSet;

/// A book in which every action happened.
pub(super) fn everything() -> Book {
    let mut book = Book::ready();
    let alias = "00112233445566778899aabbccddeeff";
    book.sealed(&format!(
        r#"{{"id":"o1","by":"ops","account_open":{{"account":"x","currency":"BHD","aliases":["{alias}"],"min_balance":"-10.000","max_balance":"7.001"}}}}"#
    ));
    book.sealed(
        r#"{"id":"l1","by":"credit","account_limit":{"account":"x","currency":"BHD","min_balance":"-20.000"}}"#,
    );
    book.sealed(r#"{"id":"k1","account_close":{"account":"x"}}"#);
    let personal = r#","payment":{"creditor":{"name":"Zoë \"Z\""},"reference":"velocity"}"#;
    for id in ["v1", "v2", "v3"] {
        book.sealed(&transfer(id, "eur-a", "eur-b", "10.00", personal));
    }
    for (id, amount) in [
        ("f1", "400.00"),
        ("r1", "700.00"),
        ("r2", "500.00"),
        ("d1", "1000.00"),
    ] {
        book.pay(id, "eur-a", "eur-b", amount);
    }
    book.pay("d2", "eur-c", "eur-b", "1.00");
    for id in ["a1", "a2"] {
        book.sealed(&format!(
            r#"{{"id":"{id}","by":"by-{id}","approve":{{"request":"r1"}}}}"#
        ));
    }
    book.sealed(r#"{"id":"j1","by":"ann","reject":{"request":"r2"}}"#);
    for id in ["t1", "t2", "t3"] {
        let more = r#","pending":{"timeout_s":60}"#;
        book.sealed(&transfer(id, "eur-a", "eur-b", "10.00", more));
    }
    book.sealed(r#"{"id":"p1","post":{"pending":"t1","amounts":["9.99"]}}"#);
    book.sealed(r#"{"id":"w1","void":{"pending":"t2"}}"#);
    book.pass(61);
    book.sealed(
        r#"{"id":"c1","by":"ops","correct":{"corrects":"v1","reason":"wrong","transfers":[
        {"debit":"eur-b","credit":"eur-a","amount":"1.00","currency":"EUR"},
        {"debit":"jpy-a","credit":"jpy-b","amount":"1","currency":"JPY"}]}}"#,
    );
    for scope in [
        r#""book""#,
        r#"{"account":"eur-c"}"#,
        r#"{"currency":"JPY"}"#,
    ] {
        let id = scope.len();
        book.sealed(&format!(
            r#"{{"id":"fz{id}","freeze":{{"scope":{scope}}}}}"#
        ));
        book.sealed(&format!(
            r#"{{"id":"un{id}","unfreeze":{{"scope":{scope}}}}}"#
        ));
    }
    book.sealed(r#"{"id":"e1","evidence_erase":{"request":"v1"}}"#);
    let of = paygod_types::Seq(book.state.size() - 1);
    let accounts = book.state.accounts_len().try_into().unwrap();
    let claim = SnapshotClaim {
        accounts,
        digest: book.state.digest(),
        of,
    };
    book.system(SystemCommand::Snapshot(claim)).unwrap();
    let rotation = rotation(book.state.next_seq(), 1, 2);
    book.system(SystemCommand::KeyRotate(rotation)).unwrap();
    let revocation = revocation(ORIGIN, (2, 9), 3, &[1, 3]);
    book.system(SystemCommand::KeyRevoke(revocation)).unwrap();
    let receipt = AnchorReceipt {
        again: 0,
        digest: paygod_types::Digest::sha256(b"proof"),
        kind: AnchorKind::OpenTimestamps,
        root: paygod_types::Digest::sha256(b"root"),
        size: 7,
    };
    book.system(SystemCommand::Anchor(receipt)).unwrap();
    let set = packs();
    book.sealed(&trust("q1", "verified", false));
    for (step, by) in [
        ("draft", "ann"),
        ("reviewed", "bo"),
        ("approved", "bo"),
        ("published", "ann"),
    ] {
        book.sealed(&stage(&set.packs[0], step, by));
    }
    book.sealed(&trust("q2", "certified", true));
    book.sealed(&stage(&set.packs[1], "draft", "ann"));
    book.sealed(&stage(&set.packs[1], "reviewed", "bo"));
    book.sealed(&stage(&set.packs[1], "approved", "bo"));
    let run = paygod_types::Digest::sha256(b"a run");
    let packs = super::packs::named_all(&set.packs);
    book.sealed(&format!(
        r#"{{"id":"q4","by":"ci","run_seal":{{"packs":[{packs}],"run":"{run}","verdict":"flag"}}}}"#
    ));
    book.sealed(&activate("q3", &set, &[(7, 0), (8, 0), (8, 1)]));
    let anew = AnchorReceipt {
        again: 2,
        kind: AnchorKind::Ethereum,
        ..receipt
    };
    book.system(SystemCommand::Anchor(anew)).unwrap();
    book.sealed(r#"{"id":"q5","by":"ops","key_policy":{"age_s":7776000,"signatures":10000000,"unsigned":100000}}"#);
    book.sealed(r#"{"id":"q6","key_policy":{}}"#);
    book
}

#[test]
fn every_action_has_one_canonical_spelling() {
    let book = everything();
    let mut seen = BTreeSet::new();
    for bytes in &book.log {
        canonical::check(bytes, &Limits::ENTRY).unwrap();
        let entry = Entry::decode(bytes).unwrap();
        let mut again = Vec::new();
        entry.encode(&mut again);
        assert_eq!(again, *bytes);
        let head = EntryHead::decode(bytes).unwrap();
        assert_eq!(
            (head.seq, head.time, &head.id),
            (entry.seq, entry.time, &entry.id)
        );
        assert_eq!(
            (head.action, head.request),
            (entry.body.action(), entry.request)
        );
        seen.insert(entry.body.action());
    }
    assert!(
        seen.into_iter().eq(BTreeSet::from(Action::ALL)),
        "an action is missing"
    );
}

#[test]
fn every_action_word_reads_back() {
    for action in Action::ALL {
        assert_eq!(Action::parse(action.as_str()), Some(action));
    }
    assert_eq!(Action::parse("mint"), None);
}

#[test]
fn what_is_implied_may_not_be_spelled() {
    let mut book = Book::ready();
    book.pay("p1", "eur-a", "eur-b", "1.00");
    let allowed = String::from_utf8(book.log.last().unwrap().clone()).unwrap();
    book.pay("p2", "eur-a", "eur-b", "500.00");
    let review = String::from_utf8(book.log.last().unwrap().clone()).unwrap();
    let first = allowed.find("\"token\"").unwrap();
    let token = allowed.get(first..first + 42).unwrap();
    let table = [
        (
            &allowed,
            r#""currency":"EUR","side""#,
            r#""currency":"EUR","layer":"posted","side""#,
        ),
        (&allowed, r#","fuel""#, r#","approvals":0,"fuel""#),
        (&allowed, r#","fuel""#, r#","approvals":1,"fuel""#),
        (&review, r#""approvals":1,"#, ""),
        (&review, r#""approvals":1,"#, r#""approvals":0,"#),
        (&allowed, r#""facts":{"count":"0"},"#, r#""facts":{},"#),
        (&allowed, r#","windows""#, r#","two_phase":false,"windows""#),
        (&allowed, token, &format!("{token},\"transfer\":0")),
        (&allowed, token, &format!("{token},\"value\":null")),
        (&allowed, token, &format!("{token},\"value\":\"0\"")),
        (&allowed, r#""1.00""#, r#""1.0""#),
        (&allowed, r#""1.00""#, r#""+1.00""#),
        (&allowed, r#""1.00""#, r#""01.00""#),
        (&allowed, r#""EUR""#, r#""eur""#),
        (&allowed, r#""v":1"#, r#""v":2"#),
        (&allowed, r#""v":1"#, r#""v":1,"w":1"#),
        (&allowed, r#""by":"treasury","#, r#""by":"","#),
        (&allowed, r#""action":"transfer""#, r#""action":"post""#),
        (&allowed, r#""verdict":"allow""#, r#""verdict":"maybe""#),
        (&allowed, r#""digest":""#, r#""commitment":"","digest":""#),
    ];
    for (from, what, by) in table {
        let wrong = from.replacen(what, by, 1);
        assert_ne!(*from, wrong, "{what}");
        assert!(Entry::decode(wrong.as_bytes()).is_err(), "{what} by {by}");
    }
}

#[test]
fn a_window_may_say_which_value_it_counts() {
    let mut book = Book::ready();
    book.pay("p1", "eur-a", "eur-b", "1.00");
    let mut entry = Entry::decode(book.log.last().unwrap()).unwrap();
    let Body::Transfer(body) = &mut entry.body else {
        panic!("{entry:?}");
    };
    let value = WindowToken([0xab; 16]);
    body.windows[0].value = Some(value);
    let (mut bytes, mut again) = (Vec::new(), Vec::new());
    entry.encode(&mut bytes);
    let read = Entry::decode(&bytes).unwrap();
    assert_eq!(read.body.windows()[0].value, Some(value));
    read.encode(&mut again);
    assert_eq!(again, bytes);
}

#[test]
fn no_flipped_bit_is_read_as_the_same_entry() {
    let book = everything();
    for bytes in &book.log {
        let entry = Entry::decode(bytes).unwrap();
        for place in 0..bytes.len() {
            let mut wrong = bytes.clone();
            wrong[place] ^= 1 << (place % 8);
            if let Ok(other) = Entry::decode(&wrong) {
                assert_ne!(other, entry);
                let mut again = Vec::new();
                other.encode(&mut again);
                assert_eq!(again, wrong, "INVARIANT(canonical)");
            }
        }
        assert!(Entry::decode(&bytes[..bytes.len() - 1]).is_err());
    }
}

#[test]
fn entry_vectors_hold() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../contracts/vectors/core/entries.jsonl"
    );
    let book = everything();
    let made: Vec<u8> = book.log.join(&b'\n').into_iter().chain([b'\n']).collect();
    if std::env::var_os("PAYGOD_BLESS").is_some() {
        std::fs::create_dir_all(std::path::Path::new(path).parent().unwrap()).unwrap();
        std::fs::write(path, &made).unwrap();
    }
    let kept = std::fs::read(path).unwrap();
    let hint = "the format changed; run PAYGOD_BLESS=1 cargo test -p paygod-core if that is meant";
    assert!(kept == made, "{hint}");
    let mut state = crate::State::new();
    for line in kept
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
    {
        state.apply(&Entry::decode(line).unwrap()).unwrap();
    }
    assert_eq!(state.digest(), book.state.digest());
}

#[test]
fn references_only_enter_entries() {
    let book = everything();
    for bytes in &book.log {
        let text = String::from_utf8(bytes.clone()).unwrap();
        for word in ["Zoë", "creditor", "velocity", "payment"] {
            assert!(!text.contains(word), "INVARIANT(no-person): {text}");
        }
    }
}

#[test]
fn longest_entry_is_refused_whole_when_too_long() {
    let mut book = Book::ready();
    let mut entry = book.pay("p1", "eur-a", "eur-b", "1.00");
    let Body::Transfer(body) = &mut entry.body else {
        panic!()
    };
    let reason = body.decision.reasons[0].clone();
    body.decision.reasons = vec![reason; 1_000];
    let mut bytes = Vec::new();
    entry.encode(&mut bytes);
    assert!(Entry::decode(&bytes).is_err());
}

#[test]
fn more_rules_than_a_decision_has_are_refused_before_they_take_memory() {
    let mut book = Book::ready();
    let mut entry = book.pay("p1", "eur-a", "eur-b", "1.00");
    let rule = crate::entry::AllowingRule {
        pack: "a".parse().unwrap(),
        rule: "b".parse().unwrap(),
    };
    for (count, is_read) in [(64, true), (65, false), (5_000, false)] {
        if let Body::Transfer(body) = &mut entry.body {
            body.decision.allowed = vec![rule.clone(); count];
        }
        let mut bytes = Vec::new();
        entry.encode(&mut bytes);
        assert_eq!(Entry::decode(&bytes).is_ok(), is_read, "{count}");
    }
}

#[test]
fn a_rule_that_simply_allowed_is_sealed_by_its_name_alone() {
    let mut book = Book::ready();
    let mut entry = book.pay("p1", "eur-a", "eur-b", "1.00");
    let Body::Transfer(body) = &mut entry.body else {
        panic!()
    };
    for reason in &mut body.decision.reasons {
        reason.facts.clear();
    }
    let said = core::mem::take(&mut body.decision.reasons);
    let mut spelled_out = entry.clone();
    if let Body::Transfer(body) = &mut spelled_out.body {
        body.decision.reasons = said.clone();
    }
    if let Body::Transfer(body) = &mut entry.body {
        (body.decision.allowed, body.decision.reasons) = Decision::part(said);
        assert!(body.decision.reasons.is_empty());
    }
    let mut bytes = Vec::new();
    entry.encode(&mut bytes);
    let text = String::from_utf8(bytes.clone()).unwrap();
    assert!(
        text.contains(r##""decision":{"allowed":["amounts#by-amount"],"fuel""##),
        "{text}"
    );
    assert_eq!(Entry::decode(&bytes).unwrap(), entry);

    let mut second_spelling = Vec::new();
    spelled_out.encode(&mut second_spelling);
    assert!(Entry::decode(&second_spelling).is_err());
}

#[test]
fn an_entry_read_over_another_is_what_it_is_alone() {
    let book = everything();
    for old in &book.log {
        for bytes in &book.log {
            let mut slot = EntrySlot::default();
            slot.read(old).unwrap();
            assert_eq!(*slot.read(bytes).unwrap(), Entry::decode(bytes).unwrap());
            // And over itself, where everything is the same.
            assert_eq!(*slot.read(bytes).unwrap(), Entry::decode(bytes).unwrap());
        }
    }
}

#[test]
fn a_flipped_bit_is_refused_over_the_entry_it_was_flipped_in() {
    let book = everything();
    for bytes in &book.log {
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            let mut slot = EntrySlot::default();
            slot.read(bytes).unwrap();
            let over = slot.read(&flipped).cloned();
            assert_eq!(over, Entry::decode(&flipped));
            assert_eq!(slot.entry(), over.ok().as_ref());
        }
    }
}
