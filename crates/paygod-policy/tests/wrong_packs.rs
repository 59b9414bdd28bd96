//! What the author of a wrong pack is told. Each message is kept in `wrong_packs.txt`, to be read by a person;
//! `PAYGOD_BLESS=1 cargo test -p paygod-policy --test wrong_packs` writes the file anew.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise, in its helpers too"
)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use paygod_policy::{Pack, RulesetError};

const GOOD: &str = r#"api_version: paygod/v1
kind: Pack
metadata:
  name: sample
  version: 1.0.0
  description: A sample.
  maintainer: Paygod Kernel maintainers
spec:
  inputs:
    - { name: payment, type: object, source: transfer, schema: "paygod:payment.v1" }
    - { name: details, type: object, source: transfer.payment, schema: "paygod:payment-details.v1" }
  policy:
    rules:
      - name: sample-rule
        condition: CONDITION
        decision: deny
        reason: because
      - name: rest
        condition: "true"
        decision: allow
        reason: nothing against it
"#;

const CASES: &str = r#"cases:
  - name: a
    input: { payment: { amount: "1.00", credit: a, currency: EUR, debit: b } }
    expect: { decision: allow }
  - name: b
    input: { payment: { amount: "1.0", credit: a, currency: EUR, debit: b } }
    expect: { decision: deny }
"#;

fn load(pack: &str, cases: Option<&str>, more: &[(&str, &str)]) -> String {
    let mut files = BTreeMap::from([("pack.yaml".to_owned(), pack.to_owned())]);
    if let Some(cases) = cases {
        files.insert("tests/cases.yaml".to_owned(), cases.to_owned());
    }
    for (path, text) in more {
        files.insert((*path).to_owned(), (*text).to_owned());
    }
    match Pack::from_files(&files) {
        Ok(_) => "loads".to_owned(),
        Err(error) => error.to_string(),
    }
}

/// Conditions, written plainly after `condition: ` and so in single quotes.
const CONDITIONS: [(&str, &str); 75] = [
    (
        "a misspelt field",
        r#"payment.amuont > money("10.00", "EUR")"#,
    ),
    ("a field that is nowhere", r#"payment.beneficiary == "x""#),
    (
        "a misspelt input",
        r#"paymnt.amount > money("10.00", "EUR")"#,
    ),
    (
        "an optional field unguarded",
        r#"details.creditor.name == "Muster AG""#,
    ),
    (
        "a guard of another field",
        r#"has(details.debtor.name) && details.creditor.name == "x""#,
    ),
    (
        "a guard on the wrong side",
        r#"details.reference == "x" && has(details.reference)"#,
    ),
    (
        "a guard under or",
        r#"has(details.reference) || details.reference == "x""#,
    ),
    ("has of a required field", "has(payment.amount)"),
    ("has of a value", r#"has("x")"#),
    ("an amount against a number", "payment.amount > 10000"),
    ("an amount against a text", r#"payment.amount > "10000.00""#),
    ("a text against a number", "payment.currency == 978"),
    (
        "money with wrong decimals",
        r#"payment.amount > money("10.0", "EUR")"#,
    ),
    (
        "money of an unknown currency",
        r#"payment.amount > money("10.00", "EUX")"#,
    ),
    (
        "money without currency",
        r#"payment.amount > money("10.00")"#,
    ),
    (
        "two currencies",
        r#"money("1.00", "EUR") < money("1.00", "USD")"#,
    ),
    (
        "money times a fraction",
        r#"payment.amount * 1.1 > money("1.00", "EUR")"#,
    ),
    ("a condition that is no bool", "payment.amount"),
    ("an object as a condition", "details.creditor"),
    ("a single equals sign", r#"payment.currency = "EUR""#),
    ("a single ampersand", r#"payment.currency == "EUR" & true"#),
    ("a chained comparison", "1 < 2 < 3"),
    ("null", "details.reference == null"),
    ("a missing bracket", r#"(payment.currency == "EUR""#),
    ("an open string", r#"payment.currency == "EUR"#),
    (
        "text after the end",
        r#"payment.currency == "EUR" payment.debit"#,
    ),
    ("an unknown function", r#"payment.debit.startWith("x")"#),
    ("a function used as a method", r#"payment.debit.has("x")"#),
    (
        "a method used as a function",
        r#"startsWith(payment.debit, "x")"#,
    ),
    ("a list by itself", r#"list("ofac-sdn")"#),
    (
        "a list that holds amounts",
        r#"payment.amount in list("ofac-sdn")"#,
    ),
    ("an empty list", "payment.currency in []"),
    ("a mixed list", r#"payment.currency in ["EUR", 978]"#),
    (
        "a window by itself",
        r#"velocity([payment.debit], duration("24h"))"#,
    ),
    (
        "a window over a bare key",
        r#"velocity(payment.debit, duration("24h")).count > 3"#,
    ),
    (
        "a window without length",
        r#"velocity([payment.debit], duration("24")).count > 3"#,
    ),
    (
        "a window ahead",
        r#"velocity([payment.debit], duration("-24h")).count > 3"#,
    ),
    (
        "a window too long",
        r#"velocity([payment.debit], duration("900d")).count > 3"#,
    ),
    (
        "different values of nothing",
        r#"velocity([payment.debit], duration("24h")).distinct > 3"#,
    ),
    (
        "different values of a computed one",
        r#"velocity([payment.debit], duration("24h")).distinct(payment.credit + "x") > 3"#,
    ),
    (
        "different values of a field that may be absent",
        r#"velocity([payment.debit], duration("24h")).distinct(details.creditor.account) > 3"#,
    ),
    (
        "different values of a list",
        r#"["a", "b"].distinct(payment.credit) > 3"#,
    ),
    ("approvals where none are waited for", "approvals() < 2"),
    ("approvals of somebody", r#"approvals("controller") < 2"#),
    (
        "a window's average",
        r#"velocity([payment.debit], duration("24h")).average > 3"#,
    ),
    ("sides of different types", r#"has(details) ? 1 : "x""#),
    ("an integer too large", "9223372036854775808 > 1"),
    (
        "an optional read without a stand-in",
        r#"details?.reference == "x""#,
    ),
    (
        "a stand-in without `?.`",
        r#"details.reference.orValue("") == "x""#,
    ),
    (
        "a stand-in of another type",
        r#"details?.reference.orValue(0) == "x""#,
    ),
    (
        "`?.` of a required field",
        r#"payment?.currency.orValue("") == "x""#,
    ),
    ("`has` with `?.`", "has(details?.reference)"),
    (
        "`?.` of a computed value",
        r#"payment.debit.trim()?.x.orValue("") == "x""#,
    ),
    ("an object stood in for", r#"details?.creditor.orValue("")"#),
    ("a pattern that is none", r#"payment.debit.matches("[a-")"#),
    (
        "a pattern from the payment",
        "payment.debit.matches(payment.credit)",
    ),
    (
        "a pattern that explodes",
        r#"payment.debit.matches("(a{1000}){1000}")"#,
    ),
    (
        "a pattern that looks back",
        r#"payment.debit.matches("(a)\\1")"#,
    ),
    ("a named zone", r#"now().getHours("Europe/Zurich") < 6"#),
    ("a date part without zone", "now().getHours() < 6"),
    ("CEL's month", r#"now().getMonth("UTC") == 11"#),
    (
        "a date part of a text",
        r#"payment.debit.getHours("UTC") < 6"#,
    ),
    ("a time against a text", r#"now() > "2026-11-22""#),
    ("a time that is none", r#"now() > timestamp("22.11.2026")"#),
    ("an account by itself", "account(payment.debit) > 0"),
    (
        "an account's limit",
        r#"account(payment.debit).limit > money("1.00", "EUR")"#,
    ),
    (
        "a balance against a number",
        "account(payment.debit).available > 100",
    ),
    (
        "an account of an amount",
        r#"account(payment.amount).available > money("1.00", "EUR")"#,
    ),
    (
        "a list used as a condition",
        r#"["a"].filter(x, x == payment.debit)"#,
    ),
    ("a list of lists", r#"["a"].map(x, ["b"]).size() == 1"#),
    (
        "a sum of money without its beginning",
        r#"["a"].sum(x, payment.amount) > payment.amount"#,
    ),
    ("a sum of texts", r#"["a", "b"].sum() == "ab""#),
    (
        "a loop variable that is an input",
        r#"["a"].exists(payment, true)"#,
    ),
    (
        "a window inside a loop",
        r#"["a"].exists(x, velocity([payment.debit], duration("1h")).count > 3)"#,
    ),
    (
        "several problems at once",
        r#"payment.amuont > 1 && details.purpose == "SALA" && 1"#,
    ),
];

fn conditions(out: &mut String) {
    for (what, condition) in CONDITIONS {
        let quoted = format!("'{}'", condition.replace('\'', "''"));
        let text = load(&GOOD.replace("CONDITION", &quoted), Some(CASES), &[]);
        writeln!(out, "## {what}\n{text}\n").unwrap();
    }
    let folded = ">-\n          payment.currency == \"EUR\"\n          && payment.amount > money(\"1.00\", \"EUR\")\n          && payment.amuont < 1";
    let text = load(&GOOD.replace("CONDITION", folded), Some(CASES), &[]);
    writeln!(out, "## a folded condition\n{text}\n").unwrap();
    let deep = format!("'{}true'", "!".repeat(200));
    let text = load(&GOOD.replace("CONDITION", &deep), Some(CASES), &[]);
    let text = text.lines().next().unwrap_or_default();
    writeln!(out, "## a condition too deep\n{text}\n").unwrap();
}

fn manifests(out: &mut String) {
    let good = GOOD.replace("CONDITION", "'false'");
    let swaps = [
        ("an unknown key", "    rules:", "    rule: 1\n    rules:"),
        (
            "a missing key",
            "  maintainer: Paygod Kernel maintainers\n",
            "",
        ),
        ("a key twice", "kind: Pack\n", "kind: Pack\nkind: Pack\n"),
        ("another format version", "paygod/v1", "paygod/v2"),
        (
            "a version that is none",
            "version: 1.0.0",
            "version: \"1.0\"",
        ),
        ("an unknown decision", "decision: deny", "decision: block"),
        ("a rule twice", "name: rest", "name: sample-rule"),
        ("a name with a space", "name: sample\n", "name: my sample\n"),
        ("an unknown source", "source: transfer,", "source: request,"),
        (
            "an unknown built-in schema",
            "paygod:payment.v1",
            "paygod:payments.v1",
        ),
        (
            "a schema file that is not there",
            "paygod:payment.v1",
            "schemas/payment.json",
        ),
        (
            "two inputs of one source",
            "source: transfer.payment,",
            "source: transfer,",
        ),
        (
            "an anchor",
            "description: A sample.",
            "description: &d A sample.",
        ),
        (
            "too many approvals",
            "  policy:\n",
            "  policy:\n    approvals: 99\n",
        ),
        (
            "a reason of two lines",
            "reason: because",
            "reason: \"be\\ncause\"",
        ),
    ];
    for (what, from, to) in swaps {
        assert!(good.contains(from), "{what}");
        writeln!(
            out,
            "## {what}\n{}\n",
            load(&good.replacen(from, to, 1), Some(CASES), &[])
        )
        .unwrap();
    }
    let schemas = [
        (
            "a misspelt schema keyword",
            r#"{"type":"object","propertys":{}}"#,
        ),
        (
            "a schema keyword that is not enforced",
            r#"{"type":"object","properties":{"a":{"type":"string","pattern":"^x"}}}"#,
        ),
        (
            "a schema without type",
            r#"{"type":"object","properties":{"a":{}}}"#,
        ),
        (
            "a schema that refers to itself",
            r##"{"type":"object","properties":{"a":{"$ref":"#/$defs/a"}},"$defs":{"a":{"type":"object","properties":{"a":{"$ref":"#/$defs/a"}}}}}"##,
        ),
        ("a schema that is no JSON", "{\"type\":\"object\",}"),
        (
            "money without a currency beside it",
            r#"{"type":"object","properties":{"a":{"type":"string","x-paygod-type":"money","x-paygod-currency":"b"}}}"#,
        ),
    ];
    for (what, schema) in schemas {
        let pack = good.replacen("paygod:payment.v1", "schemas/own.json", 1);
        writeln!(
            out,
            "## {what}\n{}\n",
            load(&pack, Some(CASES), &[("schemas/own.json", schema)])
        )
        .unwrap();
    }
    let cases = [
        (
            "no deny case",
            CASES.replace("decision: deny", "decision: allow"),
        ),
        (
            "a case with an unknown decision",
            CASES.replace("decision: deny", "decision: no"),
        ),
        (
            "a case that expects an unknown rule",
            CASES.replace("decision: deny", "decision: deny, rules: [tset]"),
        ),
        (
            "a case with an unknown key",
            CASES.replace("input:", "inputs:"),
        ),
    ];
    for (what, cases) in cases {
        writeln!(out, "## {what}\n{}\n", load(&good, Some(&cases), &[])).unwrap();
    }
    writeln!(out, "## no cases\n{}\n", load(&good, None, &[])).unwrap();
    writeln!(
        out,
        "## a hidden file\n{}\n",
        load(&good, Some(CASES), &[(".git/config", "")])
    )
    .unwrap();
}

#[test]
fn every_wrong_pack_is_told_what_to_write_instead() {
    let mut found = String::new();
    conditions(&mut found);
    manifests(&mut found);
    assert!(!found.contains("\nloads\n"), "{found}");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wrong_packs.txt");
    if std::env::var_os("PAYGOD_BLESS").is_some() {
        std::fs::write(&path, &found).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    snapbox::assert_data_eq!(found, snapbox::IntoData::raw(kept));
}

#[test]
fn a_set_without_its_list_is_refused() {
    let good = GOOD.replace("CONDITION", r#"'payment.debit in list("blocked")'"#);
    let files = BTreeMap::from([
        ("pack.yaml".to_owned(), good),
        ("tests/cases.yaml".to_owned(), CASES.to_owned()),
    ]);
    let pack = Pack::from_files(&files).unwrap();
    let missing = paygod_policy::Ruleset::builder()
        .pack(pack.clone())
        .build()
        .unwrap_err();
    assert!(matches!(missing, RulesetError::ListMissing { .. }));
    let twice = paygod_policy::Ruleset::builder()
        .pack(pack.clone())
        .pack(pack)
        .build()
        .unwrap_err();
    assert!(matches!(twice, RulesetError::Duplicate { .. }));
}
