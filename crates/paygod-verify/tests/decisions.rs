//! Activations and decisions that no engine makes are found, by whoever has the export alone.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod support;

use std::sync::Arc;

use paygod_core::command::PolicySet;
use paygod_core::entry::{AllowingRule, CorrectBody, Decision};
use paygod_core::{Body, Check as FoldCheck, EntryRef, Named, RequestRef, Verdict};
use paygod_policy::{Pack, Reason, RuleInfo};
use paygod_types::{Digest, Name, RequestId, Seq};
use paygod_verify::{Check, Report};
use support::{Book, check, expect_entry, options, pack};

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
    pack(SCREENING, SCREENING_CASES)
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

fn rule(pack: &str, rule: &str) -> AllowingRule {
    AllowingRule {
        pack: Name::parse(pack).unwrap(),
        rule: Name::parse(rule).unwrap(),
    }
}

fn reason(of: [&str; 4], decision: Verdict, facts: &[[&str; 2]]) -> Reason {
    let [pack, version, rule, reason] = of;
    Reason {
        rule: Arc::new(RuleInfo {
            pack: Name::parse(pack).unwrap(),
            version: version.to_owned(),
            rule: Name::parse(rule).unwrap(),
            decision,
            reason: reason.to_owned(),
        }),
        facts: facts
            .iter()
            .map(|fact| fact.map(str::to_owned).into())
            .collect(),
    }
}

/// Seals a payment, or a denied one, with a changed decision; what an auditor finds of it.
fn decided(verdict: Verdict, change: impl FnOnce(&mut Decision)) -> (Report, u64) {
    let mut book = Book::in_use(20);
    let mut entry = if verdict == Verdict::Deny {
        book.deny_entry("changed")
    } else {
        book.transfer_entry("changed", "alice", "bob", 1)
    };
    let Body::Transfer(body) = &mut entry.body else {
        panic!()
    };
    change(&mut body.decision);
    body.decision.verdict = verdict;
    let seq = book.seal(&entry);
    book.publish();
    (check(&book.export(), &options(&book)), seq)
}

#[test]
fn rules_that_allowed_are_rules_that_allow_each_once() {
    for forged in [
        vec![rule("small-payments", "trust-me")],
        vec![rule("small-payments", "large")],
        vec![
            rule("small-payments", "small"),
            rule("small-payments", "small"),
        ],
    ] {
        let (report, seq) = decided(Verdict::Allow, |decision| decision.allowed = forged);
        expect_entry(&report, Check::Rule, seq);
    }
}

#[test]
fn reasons_are_what_the_packs_say() {
    const PACK: &str = "small-payments";
    let large = ["large", "The payment is large."];
    let of = |[rule, text]: [&'static str; 2]| [PACK, "1.0.0", rule, text];
    for (verdict, forged) in [
        (Verdict::Flag, reason(of(large), Verdict::Flag, &[])),
        (
            Verdict::Flag,
            reason(of(["trust-me", "Fine."]), Verdict::Flag, &[]),
        ),
        (
            Verdict::Deny,
            reason(of(["large", "Never mind."]), Verdict::Deny, &[]),
        ),
        (
            Verdict::Deny,
            reason(of(["small", "The payment is small."]), Verdict::Deny, &[]),
        ),
        (
            Verdict::Deny,
            reason([PACK, "9.9.9", large[0], large[1]], Verdict::Deny, &[]),
        ),
        (
            Verdict::Deny,
            reason(["another", "1.0.0", large[0], large[1]], Verdict::Deny, &[]),
        ),
        (
            Verdict::Deny,
            reason(
                ["ledger", "1", "insufficient-funds", "no"],
                Verdict::Deny,
                &[],
            ),
        ),
        (
            Verdict::Deny,
            reason(["policy", "1", "trust-me", "no"], Verdict::Deny, &[]),
        ),
    ] {
        let (report, seq) = decided(verdict, |decision| decision.reasons = vec![forged]);
        expect_entry(&report, Check::Rule, seq);
    }
    // A deny may name what allowed too, but not of a pack that is not there.
    let (report, seq) = decided(Verdict::Deny, |decision| {
        decision.allowed.push(rule("another", "small"));
    });
    expect_entry(&report, Check::Rule, seq);
}

#[test]
fn reasons_that_the_engine_writes_itself_are_known() {
    let pack = |rule, text| ["small-payments", "1.0.0", rule, text];
    for said in [
        reason(pack("large", "The payment is large."), Verdict::Deny, &[]),
        reason(
            pack("no-rule-matched", "no rule of the pack matched"),
            Verdict::Deny,
            &[],
        ),
        reason(
            pack(
                "input-invalid",
                "the transfer is not what the pack's schema describes",
            ),
            Verdict::Deny,
            &[["field", "amount"], ["problem", "is missing"]],
        ),
        reason(
            pack(
                "small",
                "the rule could not be evaluated: an amount in EUR meets one in USD; ask for the currency first",
            ),
            Verdict::Deny,
            &[["error", "currency-mismatch"]],
        ),
        reason(
            [
                "policy",
                "0.1.0",
                "fuel-exhausted",
                "the decision needs more fuel than it has",
            ],
            Verdict::Deny,
            &[],
        ),
        reason(
            ["ledger", "1", "account-frozen", "the account is frozen"],
            Verdict::Deny,
            &[["account", "alice"]],
        ),
    ] {
        let (report, _) = decided(Verdict::Deny, |decision| decision.reasons = vec![said]);
        assert!(report.is_valid(), "{:?}", report.first());
    }
}

/// Seals a request about an earlier entry; what an auditor finds of it.
fn about(book: &Book, body: Body) -> (Report, u64) {
    let mut book = book.clone();
    let (id, request) = book.request("about");
    let entry = book.entry(id, request, body);
    let seq = book.seal(&entry);
    book.publish();
    (check(&book.export(), &options(&book)), seq)
}

fn named(id: &str, seq: u64) -> EntryRef {
    EntryRef {
        id: RequestId::parse(id).unwrap(),
        seq: Seq(seq),
    }
}

#[test]
fn only_what_posted_money_is_corrected() {
    let mut book = Book::in_use(20);
    let denied = book.deny("denied", "alice", "bob");
    let posted = book.transfer("posted", "alice", "bob", 5);
    let correct = |corrects, verdict| {
        let transfer = book.transfer_body("bob", "alice", 5);
        let mut body = CorrectBody {
            corrects,
            reason: Name::parse("error").unwrap(),
            decision: transfer.decision,
            postings: transfer.postings,
            windows: Vec::new(),
        };
        if verdict == Verdict::Deny {
            let Body::Transfer(denied) = book.deny_entry("x").body else {
                panic!()
            };
            body.decision = denied.decision;
            body.postings.clear();
        }
        about(&book, Body::Correct(body))
    };
    let (report, _) = correct(named("posted", posted), Verdict::Allow);
    assert!(report.is_valid(), "{:?}", report.first());
    for verdict in [Verdict::Allow, Verdict::Deny] {
        for target in [named("denied", denied), named("open-alice", 2)] {
            let (report, seq) = correct(target, verdict);
            expect_entry(&report, Check::Fold(FoldCheck::Reference), seq);
        }
    }
}

#[test]
fn only_what_is_committed_to_is_erased() {
    let mut book = Book::in_use(20);
    let mut entry = book.transfer_entry("personal", "alice", "bob", 5);
    entry.request = Some(RequestRef::Commitment(Digest::sha256(b"personal")));
    let personal = book.seal(&entry);
    let plain = book.transfer("plain", "alice", "bob", 5);
    let erase = |request| about(&book, Body::EvidenceErase { request });
    let (report, _) = erase(named("personal", personal));
    assert!(report.is_valid(), "{:?}", report.first());
    for target in [named("plain", plain), named("open-alice", 2)] {
        let (report, seq) = erase(target);
        expect_entry(&report, Check::Fold(FoldCheck::Reference), seq);
    }
}
