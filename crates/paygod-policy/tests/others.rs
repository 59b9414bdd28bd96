//! What other policy engines get wrong, as claims about this one.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

use std::collections::BTreeMap;
use std::sync::Arc;

use paygod_policy::{
    AccountFact, Decision, Facts, ListBuilder, Pack, PackError, Prepared, Ruleset, Scratch, Verdict,
};
use paygod_types::{Amount, Currency, Name, Timestamp};

const SCHEMA: &str = r#"{"type":"object","required":["n","d","rows"],"properties":{
  "n":{"type":"integer"},"d":{"type":"number"},"id":{"type":"string"},"amount":{"type":"object","x-paygod-type":"money"},
  "rows":{"type":"array","items":{"type":"integer"}}}}"#;

fn load(rules: &[(&str, &str)]) -> Result<Pack, PackError> {
    let mut yaml = "api_version: paygod/v1\nkind: Pack\nmetadata: { name: p, version: 1.0.0, description: d, \
                    maintainer: m }\nspec:\n  inputs:\n    - { name: x, type: object, source: transfer, schema: \
                    s.json }\n  policy:\n    rules:\n"
        .to_owned();
    for (at, (condition, decision)) in rules.iter().enumerate() {
        yaml.push_str(&format!(
            "      - {{ name: r{at}, decision: {decision}, reason: r, condition: '{condition}' }}\n"
        ));
    }
    let cases = "cases:\n  - { name: a, input: { x: { n: 1, d: 1, rows: [] } }, expect: { decision: allow } }\n  - { \
                 name: b, input: { x: { n: 1 } }, expect: { decision: deny } }\n";
    let files = [
        ("pack.yaml", yaml.as_str()),
        ("s.json", SCHEMA),
        ("tests/cases.yaml", cases),
    ];
    Pack::from_files(
        &files
            .map(|(path, text)| (path.to_owned(), text.to_owned()))
            .into(),
    )
}

fn judge_with(rules: &[(&str, &str)], json: &str, facts: Facts<'_>) -> Decision {
    let list = ListBuilder::new(Name::parse("l").unwrap(), "1")
        .build()
        .unwrap();
    let set = Ruleset::builder()
        .pack(load(rules).unwrap())
        .list(Arc::new(list))
        .build()
        .unwrap();
    let (mut scratch, mut prepared) = (Scratch::default(), Prepared::default());
    set.prepare(&mut scratch, json.as_bytes(), &mut prepared)
        .unwrap();
    set.decide(&mut scratch, &prepared, facts)
}

fn judge(rules: &[(&str, &str)], json: &str) -> Decision {
    judge_with(rules, json, Facts::default())
}

const PLAIN: &str = r#"{"n":3,"d":0.5,"rows":[1,2]}"#;

/// In Rego a mistyped field is undefined, and the rule that denies never fires.
#[test]
fn a_mistyped_field_fails_the_load() {
    let error = load(&[("x.m > 3", "deny"), ("true", "allow")]).unwrap_err();
    assert!(error.to_string().contains("has no field `m`"), "{error}");
}

/// In Cedar a forbid that errs is skipped, and the answer is allow.
#[test]
fn an_erring_deny_denies() {
    let decision = judge(&[("x.n / (x.n - 3) > 0", "deny"), ("true", "allow")], PLAIN);
    assert_eq!(decision.verdict, Verdict::Deny);
    assert_eq!(
        decision.reasons[0].facts,
        [("error".to_owned(), "division-by-zero".to_owned())]
    );
    assert!(decision.reasons[0].rule.reason.contains("division by zero"));
}

/// As floats 2^53 and 2^53 + 1 are one number.
#[test]
fn large_numbers_stay_apart() {
    let exact = PLAIN.replace("0.5", "9007199254740993");
    let rules = [
        ("x.d == 9007199254740992", "deny"),
        ("x.d == 9007199254740993", "allow"),
    ];
    assert_eq!(judge(&rules, &exact).verdict, Verdict::Allow);
    assert_eq!(
        judge(&[("0.1 + 0.2 == 0.3", "allow")], PLAIN).verdict,
        Verdict::Allow
    );
}

/// Where maps are walked in random order, the same input gives other bytes tomorrow.
#[test]
fn the_same_input_gives_the_same_decision() {
    let rules = [
        ("x.rows.exists(a, a / (a - 2) > 5)", "deny"),
        ("x.n > 2", "flag"),
        ("true", "allow"),
    ];
    let first = judge(&rules, PLAIN);
    for _ in 0..20 {
        assert_eq!(judge(&rules, PLAIN), first);
        assert_eq!(judge(&rules, r#"{"rows":[1,2],"n":3,"d":0.5}"#), first);
    }
}

/// Three loops over 200 elements are 8 million steps; without fuel they take as long as they take.
#[test]
fn nested_loops_run_out_of_fuel_and_deny() {
    let rows: Vec<String> = (0..200).map(|n| n.to_string()).collect();
    let json = format!(r#"{{"n":3,"d":0.5,"rows":[{}]}}"#, rows.join(","));
    let nested = "x.rows.all(a, x.rows.all(b, x.rows.all(c, a + b + c >= 0)))";
    let decision = judge(&[(nested, "allow")], &json);
    assert_eq!(decision.verdict, Verdict::Deny);
    assert_eq!(decision.reasons[0].rule.rule.as_str(), "fuel-exhausted");
    assert_eq!(decision.fuel, paygod_policy::limits::FUEL_MAX);
}

/// A sum of 20,000 terms ends the process where the parser or evaluator recurses without bound.
#[test]
fn a_deep_or_long_condition_is_refused_with_a_word() {
    let sum = vec!["1"; 20_000].join("+");
    let shorter = vec!["1"; 8_000].join("+");
    for (condition, word) in [
        (format!("{sum} > 0"), "bytes"),
        (format!("{shorter} > 0"), "deep"),
        (
            format!("{}true{}", "(".repeat(5_000), ")".repeat(5_000)),
            "deep",
        ),
        (format!("{}true", "!".repeat(5_000)), "deep"),
    ] {
        let error = load(&[(&condition, "allow")]).unwrap_err().to_string();
        assert!(
            error.contains(word),
            "{}",
            error.lines().next().unwrap_or_default()
        );
    }
}

/// A pattern that takes exponential time elsewhere.
#[test]
fn patterns_take_linear_time() {
    let json = format!(
        r#"{{"n":3,"d":0.5,"rows":[],"id":"{}"}}"#,
        "a".repeat(20_000)
    );
    let decision = judge(
        &[
            (r#"has(x.id) && x.id.matches("(a*)*b")"#, "deny"),
            ("true", "allow"),
        ],
        &json,
    );
    assert_eq!(decision.verdict, Verdict::Allow);
    assert!(decision.fuel >= 5_000, "{}", decision.fuel);
}

const BALANCE: &str = r#"has(x.id) && account(x.id).available < money("10.00", "EUR")"#;

fn balance(currency: &str, minor: i128) -> AccountFact {
    AccountFact {
        currency: Currency::parse(currency).unwrap(),
        posted: Amount::from_minor(5_000),
        available: Amount::from_minor(minor),
        expected: Amount::from_minor(5_000),
    }
}

#[test]
fn balances_are_asked_read_and_told() {
    let rules = [(BALANCE, "review"), ("true", "allow")];
    let json = PLAIN.replace("}", r#","id":"main"}"#);
    let with = |accounts: &[Option<AccountFact>]| {
        judge_with(
            &rules,
            &json,
            Facts {
                accounts,
                ..Facts::default()
            },
        )
    };
    let poor = with(&[Some(balance("EUR", 999))]);
    assert_eq!(poor.verdict, Verdict::Review);
    let facts: BTreeMap<String, String> = poor.reasons[0].facts.iter().cloned().collect();
    assert_eq!(facts["account"], "id");
    assert_eq!(facts["account_available_minor"], "999");
    assert_eq!(with(&[Some(balance("EUR", 1_000))]).verdict, Verdict::Allow);
    let erred = |decision: Decision| (decision.verdict, decision.reasons[0].facts[0].1.clone());
    let deny = |name: &str| (Verdict::Deny, name.to_owned());
    assert_eq!(
        erred(with(&[Some(balance("USD", 0))])),
        deny("currency-mismatch")
    );
    assert_eq!(erred(with(&[None])), deny("account-missing"));
    assert_eq!(erred(with(&[])), deny("account-missing"));
}

#[test]
fn the_time_is_that_of_sealing() {
    let rules = [
        (r#"now().getHours("+01:00") < 6"#, "deny"),
        ("true", "allow"),
    ];
    let at = |text: &str| {
        let time = Timestamp::parse_rfc3339(text).ok();
        judge_with(
            &rules,
            PLAIN,
            Facts {
                time,
                ..Facts::default()
            },
        )
        .verdict
    };
    assert_eq!(at("2026-11-22T04:59:59Z"), Verdict::Deny);
    assert_eq!(at("2026-11-22T05:00:00Z"), Verdict::Allow);
    assert_eq!(at("no time"), Verdict::Deny);
}
