//! Activations and decisions that no engine makes are found, by whoever has the export alone.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod support;

use std::collections::BTreeMap;

use paygod_core::command::PolicySet;
use paygod_core::Named;
use paygod_policy::Pack;
use paygod_types::Name;
use paygod_verify::{Check, Place, Report};
use support::{Book, check, options};

const SCREENING: &str = "\
api_version: paygod/v1
kind: Pack
metadata:
  name: screening
  version: 1.0.0
  description: Denies what is on the list.
  maintainer: paygod
spec:
  inputs:
    - name: payment
      type: object
      source: transfer
      schema: paygod:payment.v1
  policy:
    rules:
      - name: listed
        condition: list(\"watched\").matches(payment.credit)
        decision: deny
        reason: It is listed.
      - name: screened
        condition: \"true\"
        decision: allow
        reason: It was screened.
";

const SCREENING_CASES: &str = "\
lists:
  watched:
    version: test
    entries:
      - { uid: \"1\", names: [somebody] }
cases:
  - name: other
    input: {payment: {amount: \"5.00\", currency: EUR, debit: a, credit: b}}
    expect: {decision: allow}
  - name: listed
    input: {payment: {amount: \"5.00\", currency: EUR, debit: a, credit: somebody}}
    expect: {decision: deny}
";

fn screening() -> Pack {
    let files = [
        ("pack.yaml", SCREENING),
        ("tests/cases.yaml", SCREENING_CASES),
    ];
    let files = files.map(|(path, text)| (path.to_owned(), text.to_owned()));
    Pack::from_files(&BTreeMap::from(files)).unwrap()
}

#[track_caller]
fn expect_entry(report: &Report, check: Check, seq: u64) {
    let first = report
        .first()
        .unwrap_or_else(|| panic!("nothing was found"));
    assert_eq!(
        (first.check, &first.place),
        (check, &Place::Entry(seq)),
        "{first}"
    );
}

/// A book in use, and the set that is active in it.
fn with_set() -> (Book, PolicySet) {
    let book = Book::in_use(20);
    let set = book.state.policy().set.clone();
    (book, set)
}

/// Activates a set, whatever it is, and says what an auditor finds of it.
fn activated(book: &Book, set: PolicySet) -> (Report, u64) {
    let mut book = book.clone();
    let seq = book.activate_set(set, "again");
    book.publish();
    (check(&book.export(), &options(&book)), seq)
}

#[test]
fn bytes_that_were_checked_once_do_not_pass_under_another_name() {
    let (book, set) = with_set();
    let (report, _) = activated(&book, set.clone());
    assert!(report.is_valid(), "{:?}", report.first());
    let name = |text| Name::parse(text).unwrap();
    let ways: [fn(&mut Named, &Named, Name); 4] = [
        |pack, _, name| pack.name = name,
        |pack, _, _| pack.version = "2.0.0".to_owned(),
        |pack, list, _| pack.digest = list.digest,
        |pack, list, _| {
            pack.clone_from(list);
        },
    ];
    for change in ways {
        let mut forged = set.clone();
        let list = forged.lists[0].clone();
        change(&mut forged.packs[0], &list, name("sanctions-screening"));
        let (report, seq) = activated(&book, forged);
        expect_entry(&report, Check::Blob, seq);
        let mut forged = set.clone();
        let pack = forged.packs[0].clone();
        change(&mut forged.lists[0], &pack, name("ofac-sdn"));
        let (report, seq) = activated(&book, forged);
        expect_entry(&report, Check::Blob, seq);
    }
}

#[test]
fn packs_that_are_activated_without_the_lists_that_they_read_are_found() {
    let (mut book, mut set) = with_set();
    let pack = screening();
    let archive = pack.archive().to_vec();
    book.blobs.insert(pack.named().digest, archive);
    set.packs.insert(0, pack.named().clone());
    let (report, _) = activated(&book, set.clone());
    assert!(report.is_valid(), "{:?}", report.first());
    set.lists.clear();
    let (report, seq) = activated(&book, set);
    expect_entry(&report, Check::Ruleset, seq);
}
