//! What a book asks of packs: publishers, levels, reviews.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use paygod_policy::Named;

use super::book::{Book, packs, root, root_vkey};
use crate::command::PolicySet;
use crate::pack_trust::{Level, PackBook, PackStage};
use crate::publisher::pack_text;
use crate::{Body, Check, Entry, State};

/// Says that `root-7` verifies, `root-8` certifies, and that packs must be of `level`.
pub(super) fn trust(id: &str, level: &str, approved: bool) -> String {
    let approved = if approved { r#""approved":true,"# } else { "" };
    format!(
        r#"{{"id":"{id}","by":"risk","pack_trust":{{{approved}"level":"{level}","publishers":[{{"key":"{}","level":"verified"}},{{"key":"{}","level":"certified"}}]}}}}"#,
        root_vkey(7),
        root_vkey(8)
    )
}

/// Takes a step in the review of a pack.
pub(super) fn stage(pack: &Named, stage: &str, by: &str) -> String {
    format!(
        r#"{{"id":"{stage}-{}-{by}","by":"{by}","pack_stage":{{"pack":{},"stage":"{stage}"}}}}"#,
        pack.name,
        named(pack)
    )
}

/// Activates a set with signatures, each of a publisher over the pack at a place of the set.
pub(super) fn activate(id: &str, set: &PolicySet, signed: &[(u8, usize)]) -> String {
    let all = named_all;
    let mut signatures: Vec<String> = Vec::new();
    for (number, place) in signed {
        let pack = &set.packs[*place];
        let signature = root(*number).sign_bytes(pack_text(pack).as_bytes());
        signatures.push(format!(
            r#"{{"key":"{}","pack":"{}","signature":"{}"}}"#,
            root_vkey(*number),
            pack.name,
            STANDARD.encode(signature)
        ));
    }
    let signatures = if signatures.is_empty() {
        String::new()
    } else {
        format!(r#","signatures":[{}]"#, signatures.join(","))
    };
    format!(
        r#"{{"id":"{id}","by":"risk","policy_activate":{{"packs":[{}],"lists":[{}]{signatures}}}}}"#,
        all(&set.packs),
        all(&set.lists)
    )
}

pub(super) fn named_all(all: &[Named]) -> String {
    all.iter().map(named).collect::<Vec<_>>().join(",")
}

fn named(one: &Named) -> String {
    format!(
        r#"{{"name":"{}","version":"{}","digest":"{}"}}"#,
        one.name, one.version, one.digest
    )
}

fn levels(entry: &Entry) -> Vec<&'static str> {
    match &entry.body {
        Body::PolicyActivate { vouched, .. } => {
            vouched.iter().map(|one| one.level.as_str()).collect()
        }
        _ => panic!("no activation"),
    }
}

#[test]
fn a_book_that_asks_nothing_takes_any_pack() {
    let mut book = Book::begun();
    let entry = book.sealed(&activate("a", &packs(), &[]));
    assert_eq!(levels(&entry), Vec::<&str>::new());
    assert_eq!(*book.state.packs(), PackBook::default());
}

#[test]
fn a_pack_below_the_level_is_refused_and_one_of_it_is_sealed_with_its_signatures() {
    let (mut book, set) = (Book::begun(), packs());
    book.sealed(&trust("t", "verified", false));
    assert_eq!(book.refused(&activate("a", &set, &[])), "pack.level");
    assert_eq!(book.refused(&activate("a", &set, &[(7, 0)])), "pack.level");
    let entry = book.sealed(&activate("a", &set, &[(7, 0), (7, 1), (8, 1)]));
    assert_eq!(levels(&entry), ["verified", "certified"]);
    book.sealed(&trust("t2", "certified", false));
    let both = activate("b", &set, &[(8, 0), (7, 1)]);
    assert_eq!(book.refused(&both), "pack.level");
    book.sealed(&activate("b", &set, &[(8, 0), (8, 1)]));
}

#[test]
fn signatures_that_are_not_of_a_known_publisher_over_the_pack_are_refused() {
    let (mut book, set) = (Book::begun(), packs());
    let good = activate("a", &set, &[(7, 0)]);
    // Nobody is known yet.
    assert_eq!(book.refused(&good), "pack.signature");
    book.sealed(&trust("t", "community", false));
    assert_eq!(
        book.refused(&activate("a", &set, &[(9, 0)])),
        "pack.signature"
    );
    let other = good.replace(r#""pack":"amounts""#, r#""pack":"limits""#);
    assert_eq!(book.refused(&other), "pack.signature");
    let missing = good.replace(r#""pack":"amounts""#, r#""pack":"missing""#);
    assert_eq!(book.refused(&missing), "pack.signature");
    book.sealed(&good);
}

#[test]
fn a_review_goes_step_by_step_and_not_by_one_person() {
    let (mut book, set) = (Book::begun(), packs());
    let pack = &set.packs[0];
    let refused = |book: &mut Book, to: &str, by: &str| book.refused(&stage(pack, to, by));
    assert_eq!(refused(&mut book, "reviewed", "bo"), "pack.stage");
    book.sealed(&stage(pack, "draft", "ann"));
    assert_eq!(refused(&mut book, "draft", "bo"), "pack.stage");
    assert_eq!(refused(&mut book, "approved", "bo"), "pack.stage");
    assert_eq!(refused(&mut book, "reviewed", "ann"), "pack.own-review");
    book.sealed(&stage(pack, "reviewed", "bo"));
    assert_eq!(refused(&mut book, "approved", "ann"), "pack.own-review");
    book.sealed(&stage(pack, "approved", "bo"));
    book.sealed(&stage(pack, "published", "ann"));
    let review = &book.state.packs().reviews[&pack.digest];
    assert_eq!(review.stage, PackStage::Published);
}

#[test]
fn what_the_book_wants_approved_is_not_active_before() {
    let (mut book, set) = (Book::begun(), packs());
    book.sealed(&trust("t", "community", true));
    for (step, by) in [("draft", "ann"), ("reviewed", "bo"), ("approved", "bo")] {
        for pack in &set.packs {
            assert_eq!(book.refused(&activate("a", &set, &[])), "pack.stage");
            book.sealed(&stage(pack, step, by));
        }
    }
    book.sealed(&activate("a", &set, &[]));
    // Another line in a pack is another pack.
    let mut other = set.clone();
    other.packs[0].digest = paygod_types::Digest::sha256(b"another line");
    assert_eq!(book.refused(&activate("b", &other, &[])), "pack.stage");
}

#[test]
fn malformed_requests_about_packs_are_refused() {
    let key = root_vkey(7);
    let publisher = format!(r#"{{"key":"{key}","level":"verified"}}"#);
    let table = [
        r#"{"id":"a","pack_trust":{"publishers":[]}}"#.to_owned(),
        r#"{"id":"a","pack_trust":{"level":"gold","publishers":[]}}"#.to_owned(),
        r#"{"id":"a","pack_trust":{"approved":false,"level":"verified","publishers":[]}}"#.to_owned(),
        r#"{"id":"a","pack_trust":{"level":"verified","publishers":[{"key":"k","level":"verified"}]}}"#.to_owned(),
        format!(r#"{{"id":"a","pack_trust":{{"level":"verified","publishers":[{publisher},{publisher}]}}}}"#),
        format!(r#"{{"id":"a","pack_trust":{{"level":"verified","publishers":[{}]}}}}"#, publisher.replace("verified", "community")),
        r#"{"id":"a","run_seal":{"packs":[],"run":"00","verdict":"deny"}}"#.to_owned(),
        format!(r#"{{"id":"a","run_seal":{{"packs":[],"run":"{}","verdict":"deny"}}}}"#, "0".repeat(64)),
        format!(r#"{{"id":"a","run_seal":{{"packs":[{}],"run":"{}","verdict":"yes"}}}}"#, named_all(&packs().packs), "0".repeat(64)),
        stage(&packs().packs[0], "activated", "ann"),
        stage(&packs().packs[0], "draft", "ann").replace(r#""by":"ann","#, ""),
        activate("a", &packs(), &[(7, 1), (7, 0)]),
        activate("a", &packs(), &[(7, 0), (7, 0)]),
        activate("a", &packs(), &[]).replace(r#""lists":"#, r#""signatures":[],"lists":"#),
    ];
    let book = Book::begun();
    for json in table {
        assert!(book.prepare(&json).is_err(), "{json}");
    }
}

#[test]
fn forged_entries_about_packs_fail_the_fold() {
    let (mut book, set) = (Book::begun(), packs());
    book.sealed(&trust("t", "verified", false));
    let before = book.state.clone();
    let entry = book.sealed(&activate("a", &set, &[(7, 0), (8, 1)]));
    let forged = |change: &dyn Fn(&mut Entry)| {
        let mut wrong = entry.clone();
        change(&mut wrong);
        before.clone().apply(&wrong).expect_err("a forgery").check
    };
    fn vouched(entry: &mut Entry) -> &mut Vec<crate::pack_trust::Vouched> {
        match &mut entry.body {
            Body::PolicyActivate { vouched, .. } => vouched,
            _ => panic!("no activation"),
        }
    }
    let changes: [&dyn Fn(&mut Entry); 6] = [
        &|entry| vouched(entry).clear(),
        &|entry| vouched(entry).reverse(),
        &|entry| vouched(entry)[0].level = Level::Certified,
        &|entry| vouched(entry)[0].signatures[0].1[0] ^= 1,
        &|entry| vouched(entry)[0].signatures.clear(),
        &|entry| {
            vouched(entry).remove(0);
        },
    ];
    for change in changes {
        assert_eq!(forged(change), Check::Trust);
    }
}

#[test]
fn states_with_packs_read_back_and_those_without_have_the_old_bytes() {
    let (mut book, set) = (Book::begun(), packs());
    let mut plain = book.state.to_snapshot();
    book.sealed(&trust("t", "verified", true));
    book.sealed(&stage(&set.packs[0], "draft", "ann"));
    book.sealed(&stage(&set.packs[1], "draft", "bo"));
    let bytes = book.state.to_snapshot();
    let again = State::from_snapshot(&bytes).unwrap();
    assert_eq!(again.packs(), book.state.packs());
    assert_eq!(again.digest(), book.state.digest());
    assert!(plain.starts_with(b"paygod state v1\n"));
    // Nothing of packs is not spelled: a section that says nothing is no snapshot.
    plain[..16].copy_from_slice(b"paygod state v2\n");
    plain.extend([0; 10]);
    assert!(State::from_snapshot(&plain).is_err());
    for end in 0..bytes.len() {
        assert!(State::from_snapshot(&bytes[..end]).is_err(), "{end}");
    }
}
