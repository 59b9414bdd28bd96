//! Judging as the sequencer sees it: fail-closed in every way out, facts in the reasons, windows and their keys.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise, in its helpers too"
)]

use std::collections::BTreeMap;
use std::sync::Arc;

use paygod_policy::{
    Decision, Facts, List, ListBuilder, Measure, Pack, PrepareError, Prepared, Ruleset, Scratch,
    Verdict, WindowFact, WindowTally, WindowToken,
};
use paygod_types::{Amount, Name, Seq};

fn pack(name: &str, rules: &[(&str, &str, &str)]) -> Pack {
    let mut yaml = format!(
        "api_version: paygod/v1\nkind: Pack\nmetadata:\n  name: {name}\n  version: 1.0.0\n  description: d\n  \
         maintainer: m\nspec:\n  inputs:\n    - {{ name: payment, type: object, source: transfer, schema: \
         \"paygod:payment.v1\" }}\n    - {{ name: details, type: object, source: transfer.payment, schema: \
         \"paygod:payment-details.v1\" }}\n  policy:\n    approvals: 2\n    rules:\n"
    );
    for (rule, condition, decision) in rules {
        yaml.push_str(&format!(
            "      - name: {rule}\n        condition: '{condition}'\n        decision: {decision}\n        reason: r\n"
        ));
    }
    let cases = "cases:\n  - name: a\n    input: {}\n    expect: { decision: allow }\n  - name: b\n    input: {}\n    \
                 expect: { decision: deny }\n";
    let files = BTreeMap::from([
        ("pack.yaml".to_owned(), yaml),
        ("tests/cases.yaml".to_owned(), cases.to_owned()),
    ]);
    Pack::from_files(&files).unwrap_or_else(|e| panic!("{e}"))
}

fn ruleset(packs: &[Pack], lists: &[Arc<List>]) -> Ruleset {
    let mut builder = Ruleset::builder();
    for pack in packs {
        builder = builder.pack(pack.clone());
    }
    for list in lists {
        builder = builder.list(Arc::clone(list));
    }
    builder.build().unwrap()
}

fn judge(ruleset: &Ruleset, json: &str, facts: &[WindowFact]) -> Decision {
    let (mut scratch, mut prepared) = (Scratch::default(), Prepared::default());
    ruleset
        .prepare(&mut scratch, json.as_bytes(), &mut prepared)
        .unwrap();
    ruleset.decide(
        &mut scratch,
        &prepared,
        Facts {
            windows: facts,
            ..Facts::default()
        },
    )
}

fn rules(decision: &Decision) -> Vec<String> {
    decision
        .reasons
        .iter()
        .map(|r| format!("{}/{}", r.rule.pack, r.rule.rule))
        .collect()
}

const PLAIN: &str = r#"{"amount":"10.00","credit":"b","currency":"EUR","debit":"a"}"#;
const ALLOW: (&str, &str, &str) = ("yes", "true", "allow");

#[test]
fn the_strictest_rule_wins_and_all_reasons_are_given() {
    let set = [
        ("flagged", "payment.currency == \"EUR\"", "flag"),
        (
            "reviewed",
            "payment.amount > money(\"5.00\", \"EUR\")",
            "review",
        ),
        ALLOW,
    ];
    let decision = judge(&ruleset(&[pack("p", &set)], &[]), PLAIN, &[]);
    assert_eq!(decision.verdict, Verdict::Review);
    assert_eq!(decision.approvals_required, 2);
    assert_eq!(rules(&decision), ["p/flagged", "p/reviewed", "p/yes"]);
    assert_eq!(decision.fuel, 3 + 3 + 1);
}

#[test]
fn a_rule_asks_for_as_many_approvals_as_end_its_review() {
    let set = |rules: &[(&str, &str, &str)]| ruleset(&[pack("p", rules)], &[]);
    let three = "approvals() < 3 && payment.amount > money(\"5.00\", \"EUR\")";
    let held = [("three", three, "review"), ALLOW];
    let decision = judge(&set(&held), PLAIN, &[]);
    assert_eq!(decision.verdict, Verdict::Review);
    assert_eq!(decision.approvals_required, 3);
    assert_eq!(
        decision.reasons[0].facts,
        [("approvals".to_owned(), "3".to_owned())]
    );
    // Each of the four evaluations costs: && < approvals() 3 > amount money, and the last stops at <.
    assert_eq!(decision.fuel, 3 * 7 + 4 + 1);
    // The most that any rule asks for counts, that of a rule which does not say (the pack's 2) included.
    let one = ("one", "approvals() == 0", "review");
    let other = ("other", "true", "review");
    assert_eq!(judge(&set(&[one, ALLOW]), PLAIN, &[]).approvals_required, 1);
    let decision = judge(&set(&[one, other, ALLOW]), PLAIN, &[]);
    assert_eq!(decision.approvals_required, 2);
    // What does not hold without approvals holds nothing back.
    let later = [("later", "approvals() > 0", "review"), ALLOW];
    assert_eq!(judge(&set(&later), PLAIN, &[]).verdict, Verdict::Allow);
}

#[test]
fn a_rule_that_no_number_of_approvals_ends_denies() {
    for condition in ["approvals() < 17", "approvals() >= 0", "approvals() != 17"] {
        let set = ruleset(&[pack("p", &[("never", condition, "review"), ALLOW])], &[]);
        let decision = judge(&set, PLAIN, &[]);
        assert_eq!(decision.verdict, Verdict::Deny, "{condition}");
        assert_eq!(decision.approvals_required, 0);
        assert_eq!(
            decision.reasons[0].facts,
            [("error".to_owned(), "approvals-missing".to_owned())]
        );
    }
    let most = [("most", "approvals() < 16", "review"), ALLOW];
    let decision = judge(&ruleset(&[pack("p", &most)], &[]), PLAIN, &[]);
    assert_eq!(decision.approvals_required, 16);
    // An error on the way denies too.
    let erring = [
        (
            "erring",
            "approvals() < 9 - 9 / (1 - approvals())",
            "review",
        ),
        ALLOW,
    ];
    let decision = judge(&ruleset(&[pack("p", &erring)], &[]), PLAIN, &[]);
    assert_eq!(decision.verdict, Verdict::Allow);
    let erring = [("erring", "9 / (1 - approvals()) > 0", "review"), ALLOW];
    let decision = judge(&ruleset(&[pack("p", &erring)], &[]), PLAIN, &[]);
    assert_eq!(decision.verdict, Verdict::Deny);
    assert_eq!(
        decision.reasons[0].facts,
        [("error".to_owned(), "division-by-zero".to_owned())]
    );
}

#[test]
fn erring_rule_denies() {
    let set = [
        ("erring", "payment.amount > money(\"1\", \"JPY\")", "flag"),
        ALLOW,
    ];
    let decision = judge(&ruleset(&[pack("p", &set)], &[]), PLAIN, &[]);
    assert_eq!(decision.verdict, Verdict::Deny);
    assert_eq!(
        decision.reasons[0].facts,
        [("error".to_owned(), "currency-mismatch".to_owned())]
    );
}

#[test]
fn a_pack_none_of_whose_rules_matched_denies_whatever_others_say() {
    let set = ruleset(
        &[pack("a", &[ALLOW]), pack("b", &[("no", "false", "allow")])],
        &[],
    );
    let decision = judge(&set, PLAIN, &[]);
    assert_eq!(decision.verdict, Verdict::Deny);
    assert_eq!(rules(&decision), ["a/yes", "b/no-rule-matched"]);
}

#[test]
fn without_packs_nothing_is_allowed() {
    let decision = judge(&ruleset(&[], &[]), PLAIN, &[]);
    assert_eq!(decision.verdict, Verdict::Deny);
    assert_eq!(rules(&decision), ["policy/no-active-policy"]);
}

#[test]
fn a_document_that_the_schema_refuses_is_denied() {
    let set = ruleset(&[pack("p", &[ALLOW])], &[]);
    for (bad, field) in [
        (PLAIN.replace("10.00", "10.0"), "amount"),
        (PLAIN.replace("EUR", "EUX"), "amount"),
        (PLAIN.replace("\"a\"", "7"), "debit"),
        (PLAIN.replace("\"debit\"", "\"debtor\""), "transfer"),
        (PLAIN.replace(",\"debit\":\"a\"", ""), "debit"),
        (
            PLAIN.replace("}", ",\"payment\":{\"creditor\":{\"country\":\"CHE\"}}}"),
            "payment.creditor.country",
        ),
    ] {
        let decision = judge(&set, &bad, &[]);
        assert_eq!(decision.verdict, Verdict::Deny, "{bad}");
        assert_eq!(rules(&decision), ["p/input-invalid"], "{bad}");
        assert_eq!(
            decision.reasons[0].facts[0],
            ("field".to_owned(), field.to_owned()),
            "{bad}"
        );
    }
}

#[test]
fn what_is_not_an_object_is_an_error() {
    let set = ruleset(&[pack("p", &[ALLOW])], &[]);
    for bad in [
        "",
        "[]",
        "{",
        "{\"amount\":1,}",
        "{} {}",
        &PLAIN.replace("\"credit\"", "\"amount\""),
    ] {
        let (mut scratch, mut prepared) = (Scratch::default(), Prepared::default());
        let result = set.prepare(&mut scratch, bad.as_bytes(), &mut prepared);
        assert!(
            matches!(result, Err(PrepareError::Malformed { .. })),
            "{bad}"
        );
    }
    let (mut scratch, mut prepared) = (Scratch::default(), Prepared::default());
    assert!(set.prepare(&mut scratch, &[0xff], &mut prepared).is_err());
}

#[test]
fn a_list_hit_names_list_version_digest_and_uid() {
    let mut builder = ListBuilder::new(Name::parse("blocked").unwrap(), "7");
    builder.entry("42", ["Müller, Hans"]);
    let list = Arc::new(builder.build().unwrap());
    let condition =
        "has(details.creditor.name) && list(\"blocked\").matches(details.creditor.name)";
    let set = ruleset(
        &[pack("p", &[("hit", condition, "deny"), ALLOW])],
        &[Arc::clone(&list)],
    );
    let json = PLAIN.replace("}", r#","payment":{"creditor":{"name":"hans MULLER"}}}"#);
    let decision = judge(&set, &json, &[]);
    assert_eq!(decision.verdict, Verdict::Deny);
    let digest = list.named().digest.to_string();
    let facts: Vec<(&str, &str)> = decision.reasons[0]
        .facts
        .iter()
        .map(|(k, v)| (k.as_str(), v.as_str()))
        .collect();
    assert_eq!(
        facts,
        [
            ("field", "payment.creditor.name"),
            ("list", "blocked"),
            ("list_digest", digest.as_str()),
            ("list_version", "7"),
            ("match", "word-order"),
            ("uid", "42"),
        ]
    );
    assert_eq!(judge(&set, PLAIN, &[]).verdict, Verdict::Allow);
}

const WINDOW: &str = "velocity([payment.debit], duration(\"24h\")).count >= 3";

#[test]
fn a_window_is_asked_and_its_answer_told() {
    let set = ruleset(&[pack("p", &[("often", WINDOW, "deny"), ALLOW])], &[]);
    let fact = WindowFact {
        count: 3,
        sum: Amount::ZERO,
        last_seq: Some(Seq(9)),
        distinct: 0,
    };
    let decision = judge(&set, PLAIN, &[fact]);
    assert_eq!(decision.verdict, Verdict::Deny);
    let facts = &decision.reasons[0].facts;
    assert!(
        facts.contains(&("window_count".to_owned(), "3".to_owned())),
        "{facts:?}"
    );
    assert!(
        facts.contains(&("window_last_seq".to_owned(), "9".to_owned())),
        "{facts:?}"
    );
    let fewer = WindowFact { count: 2, ..fact };
    assert_eq!(judge(&set, PLAIN, &[fewer]).verdict, Verdict::Allow);
}

#[test]
fn different_values_are_counted_under_their_own_key() {
    let rule = "has(details.creditor.account) && \
                velocity([payment.debit], duration(\"24h\")).distinct(details.creditor.account) > 4";
    let set = ruleset(&[pack("p", &[("fan", rule, "deny"), ALLOW])], &[]);
    let fact = |distinct| WindowFact {
        count: 9,
        sum: Amount::ZERO,
        last_seq: Some(Seq(9)),
        distinct,
    };
    let document = |debit: &str, creditor: &str| {
        let with = format!(
            "\"debit\":\"{debit}\",\"payment\":{{\"creditor\":{{\"account\":\"{creditor}\",\"name\":\"n\"}}}}"
        );
        PLAIN.replace("\"debit\":\"a\"", &with)
    };
    let decision = judge(&set, &document("a", "x"), &[fact(5)]);
    assert_eq!(decision.verdict, Verdict::Deny);
    let told = &decision.reasons[0].facts;
    assert!(
        told.contains(&("window_distinct".to_owned(), "5".to_owned())),
        "{told:?}"
    );
    assert_eq!(
        judge(&set, &document("a", "x"), &[fact(4)]).verdict,
        Verdict::Allow
    );
    // More values than can be counted are an error, not a number.
    let decision = judge(&set, &document("a", "x"), &[fact(u64::MAX)]);
    assert_eq!(
        decision.reasons[0].facts,
        [("error".to_owned(), "overflow".to_owned())]
    );
    let asked = |json: &str| -> (Vec<u8>, Vec<u8>) {
        let (mut scratch, mut prepared) = (Scratch::default(), Prepared::default());
        set.prepare(&mut scratch, json.as_bytes(), &mut prepared)
            .unwrap();
        let window = prepared.windows().next().unwrap();
        assert_eq!(window.measure, Measure::Distinct);
        (window.key.to_vec(), window.value.unwrap().to_vec())
    };
    let (key, value) = asked(&document("a", "x"));
    let (same_key, other_value) = asked(&document("a", "y"));
    assert!(key == same_key && value != other_value);
    let (other_key, value_there) = asked(&document("b", "x"));
    assert!(key != other_key && value != value_there);
    // A transfer without the field is in no window.
    let (mut scratch, mut prepared) = (Scratch::default(), Prepared::default());
    set.prepare(&mut scratch, PLAIN.as_bytes(), &mut prepared)
        .unwrap();
    assert_eq!(prepared.windows().len(), 0);
}

#[test]
fn a_window_with_too_many_values_says_so() {
    let mut tally = WindowTally::new(Measure::Distinct);
    let value = |nth: u64| {
        let mut token = [0; 16];
        token[..8].copy_from_slice(&nth.to_be_bytes());
        Some(WindowToken(token))
    };
    for nth in 0..65_536 {
        tally.add(Seq(nth), Amount::ZERO, value(nth)).unwrap();
        tally.add(Seq(nth), Amount::ZERO, value(0)).unwrap();
    }
    tally.add(Seq(1), Amount::ZERO, None).unwrap();
    let mut more = WindowTally::new(Measure::Distinct);
    for nth in 0..65_537 {
        more.add(Seq(nth), Amount::ZERO, value(nth)).unwrap();
    }
    assert_eq!(tally.fact().distinct, 65_536);
    assert_eq!(more.fact().distinct, u64::MAX);
}

#[test]
fn a_missing_fact_denies() {
    let set = ruleset(&[pack("p", &[("often", WINDOW, "deny"), ALLOW])], &[]);
    let decision = judge(&set, PLAIN, &[]);
    assert_eq!(decision.verdict, Verdict::Deny);
    assert_eq!(
        decision.reasons[0].facts,
        [("error".to_owned(), "window-missing".to_owned())]
    );
}

#[test]
fn a_window_that_cannot_matter_is_indexed_but_not_asked() {
    let guarded = format!("payment.currency == \"USD\" && {WINDOW}");
    let set = ruleset(&[pack("p", &[("often", &guarded, "deny"), ALLOW])], &[]);
    let (mut scratch, mut prepared) = (Scratch::default(), Prepared::default());
    set.prepare(&mut scratch, PLAIN.as_bytes(), &mut prepared)
        .unwrap();
    let asked: Vec<bool> = prepared.windows().map(|w| w.asked).collect();
    assert_eq!(asked, [false]);
    set.prepare(
        &mut scratch,
        PLAIN.replace("EUR", "USD").as_bytes(),
        &mut prepared,
    )
    .unwrap();
    assert!(prepared.windows().all(|w| w.asked && !w.key.is_empty()));
}

#[test]
fn windows_compare_texts_without_case_and_white_space() {
    let distinct = "has(details.creditor.account) && velocity([payment.debit, \"Rent\"], duration(\"24h\"))\
                    .distinct(details.creditor.account) >= 5";
    let set = ruleset(&[pack("p", &[("many", distinct, "deny"), ALLOW])], &[]);
    let asked = |debit: &str, creditor: &str| -> (Vec<u8>, Vec<u8>) {
        let with = format!(
            "\"debit\":\"{debit}\",\"payment\":{{\"creditor\":{{\"account\":\"{creditor}\",\"name\":\"n\"}}}}"
        );
        let document = PLAIN.replace("\"debit\":\"a\"", &with);
        let (mut scratch, mut prepared) = (Scratch::default(), Prepared::default());
        set.prepare(&mut scratch, document.as_bytes(), &mut prepared)
            .unwrap();
        let window = prepared.windows().next().unwrap();
        (window.key.to_vec(), window.value.unwrap().to_vec())
    };
    let plain = asked("main", "CH9300762011623852957");
    for spelt in [
        "CH93 0076 2011 6238 5295 7",
        "ch9300762011623852957",
        " CH9300762011623852957\\t",
        "CH93\u{a0}0076\u{2009}2011623852957",
        "CH93\u{200b}00762011623852957",
        "CH9300762011623852957\\u0000",
    ] {
        assert_eq!(asked("Main ", spelt), plain, "{spelt:?}");
    }
    // What is seen to differ is another value, and where a key ends matters.
    for other in ["CH9300762011623852958", "CH93-0076-2011623852957", "", "É"] {
        assert_ne!(asked("main", other), plain, "{other:?}");
    }
    assert_ne!(asked("mainc", "h93"), asked("main", "ch93"));
    assert_ne!(asked("main", "é"), asked("main", "É"));
}

#[test]
fn windows_are_shared_between_packs_and_told_apart_by_path_value_and_currency() {
    let sum = "velocity([payment.debit], duration(\"24h\")).sum > money(\"5.00\", \"EUR\")";
    let credit = WINDOW.replace("debit", "credit");
    let set = ruleset(
        &[
            pack("a", &[("often", WINDOW, "deny"), ALLOW]),
            pack(
                "b",
                &[
                    ("often", WINDOW, "deny"),
                    ("more", sum, "deny"),
                    ("to", &credit, "deny"),
                    ALLOW,
                ],
            ),
        ],
        &[],
    );
    let keys = |json: &str| -> Vec<Vec<u8>> {
        let (mut scratch, mut prepared) = (Scratch::default(), Prepared::default());
        set.prepare(&mut scratch, json.as_bytes(), &mut prepared)
            .unwrap();
        prepared.windows().map(|w| w.key.to_vec()).collect()
    };
    let euro = keys(&PLAIN.replace("\"b\"", "\"a\""));
    assert_eq!(euro.len(), 3);
    assert!(euro[0] != euro[1] && euro[0] != euro[2] && euro[1] != euro[2]);
    let dollar = keys(&PLAIN.replace("\"b\"", "\"a\"").replace("EUR", "USD"));
    assert_eq!(euro[0], dollar[0]);
    assert_ne!(euro[1], dollar[1]);
    let fact = WindowFact {
        count: 1,
        sum: Amount::from_minor(501),
        last_seq: Some(Seq(1)),
        distinct: 0,
    };
    let decision = judge(&set, PLAIN, &[fact, fact, fact]);
    assert_eq!(rules(&decision), ["a/yes", "b/more", "b/yes"]);
}

#[test]
fn reused_buffers_do_not_leak_from_one_transfer_to_the_next() {
    let condition = "has(details.reference) && details.reference == \"x\"";
    let set = ruleset(
        &[pack(
            "p",
            &[
                ("seen", condition, "deny"),
                ("often", WINDOW, "deny"),
                ALLOW,
            ],
        )],
        &[],
    );
    let (mut scratch, mut prepared) = (Scratch::default(), Prepared::default());
    let with = PLAIN.replace("}", r#","payment":{"reference":"x"}}"#);
    for _ in 0..3 {
        for (json, verdict) in [(with.as_str(), Verdict::Deny), (PLAIN, Verdict::Allow)] {
            set.prepare(&mut scratch, json.as_bytes(), &mut prepared)
                .unwrap();
            let facts = Facts {
                windows: &[WindowFact::default()],
                ..Facts::default()
            };
            let decision = set.decide(&mut scratch, &prepared, facts);
            assert_eq!(decision.verdict, verdict, "{json}");
            assert_eq!(decision, judge(&set, json, &[WindowFact::default()]));
        }
    }
}

#[test]
fn linked_transfers_are_merged_strictest_first() {
    let set = ruleset(
        &[pack(
            "p",
            &[
                ("big", "payment.amount > money(\"5.00\", \"EUR\")", "review"),
                ALLOW,
            ],
        )],
        &[],
    );
    let small = PLAIN.replace("10.00", "1.00");
    let mut merged = judge(&set, &small, &[]);
    merged.merge(judge(&set, PLAIN, &[]));
    assert_eq!(merged.verdict, Verdict::Review);
    assert_eq!(merged.approvals_required, 2);
    assert_eq!(merged.reasons.len(), 2);
}

#[test]
fn the_digest_is_that_of_the_canonical_set() {
    let set = ruleset(&[pack("b", &[ALLOW]), pack("a", &[ALLOW])], &[]);
    assert_eq!(set.digest(), paygod_types::Digest::sha256(set.canonical()));
    let text = String::from_utf8(set.canonical().to_vec()).unwrap();
    assert!(
        text.starts_with("{\"lists\":[],\"packs\":[{\"digest\":\""),
        "{text}"
    );
    assert!(text.find("\"name\":\"a\"").unwrap() < text.find("\"name\":\"b\"").unwrap());
}
