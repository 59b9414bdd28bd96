//! What the tools for packs see: coverage, the tree of a decision, lints, differences.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise, in its helpers too"
)]

use std::collections::BTreeMap;

use paygod_policy::{Pack, RuleOutcome, Step, Verdict};

const MANIFEST: &str = r#"
api_version: paygod/v1
kind: Pack
metadata: { name: sample, version: 1.0.0, description: d, maintainer: m }
spec:
  inputs:
    - { name: report, type: object, source: document, schema: report.json }
  policy:
    rules:
      - name: too-risky
        condition: report.findings.exists(f, f.score >= 9.0) && !report.accepted
        decision: deny
        reason: a finding is too risky
      - name: on-the-list
        condition: list("bad").matches(report.owner)
        decision: deny
        reason: the owner is listed
      - name: else
        condition: "true"
        decision: allow
        reason: nothing is wrong
"#;

const SCHEMA: &str = r#"{
  "type": "object",
  "required": ["accepted", "findings", "owner"],
  "properties": {
    "accepted": {"type": "boolean"},
    "owner": {"type": "string"},
    "findings": {"type": "array", "items": {
      "type": "object", "required": ["score"], "properties": {"score": {"type": "number"}}
    }}
  }
}"#;

const CASES: &str = r#"
lists:
  bad: { version: "7", entries: [{ uid: "36", names: [Acme Ltd] }] }
cases:
  - name: mild
    input: { report: { accepted: false, owner: us, findings: [{ score: 1 }, { score: 2 }] } }
    expect: { decision: allow, rules: [else] }
  - name: risky
    input: { report: { accepted: false, owner: us, findings: [{ score: 1 }, { score: 9.1 }] } }
    expect: { decision: deny, rules: [too-risky, else] }
  - name: listed
    input: { report: { accepted: false, owner: ACME LTD, findings: [] } }
    expect:
      decision: deny
      output: { rules.on-the-list.facts.uid: { equals: 36 } }
"#;

fn load(changes: &[(&str, &str)]) -> Pack {
    let change = |text: &str| {
        let mut text = text.to_owned();
        for (from, to) in changes {
            text = text.replace(from, to);
        }
        text
    };
    let readme = change("# sample\n\n## Sources\n\nNone.\n");
    let files = BTreeMap::from([
        ("pack.yaml".to_owned(), change(MANIFEST)),
        ("report.json".to_owned(), SCHEMA.to_owned()),
        ("tests/cases.yaml".to_owned(), change(CASES)),
        ("README.md".to_owned(), readme),
    ]);
    Pack::from_files(&files).unwrap_or_else(|error| panic!("{error}"))
}

fn find<'a>(step: &'a Step, text: &str) -> &'a Step {
    fn search<'a>(step: &'a Step, text: &str) -> Option<&'a Step> {
        if step.text == text {
            return Some(step);
        }
        step.steps.iter().find_map(|inner| search(inner, text))
    }
    search(step, text).unwrap_or_else(|| panic!("no part `{text}` in {step:#?}"))
}

#[test]
fn a_branch_is_covered_when_it_was_seen_both_ways() {
    let report = load(&[]).run_cases(&[]);
    assert!(report.passed(), "{report:#?}");
    let half: Vec<&str> = report
        .branches
        .iter()
        .filter(|b| !(b.seen_true && b.seen_false))
        .map(|b| b.text.as_str())
        .collect();
    // No case accepts a risky report.
    assert_eq!(half, ["!report.accepted"]);
    // A whole condition, two operands, the body of the quantifier; a condition. `true` decides nothing.
    assert_eq!(report.branches.len(), 5);
    assert_eq!(report.branches_covered().covered, 9);
    assert_eq!(report.branches_covered().percent(), 90);
    assert_eq!(report.rules_covered().percent(), 100);
}

#[test]
fn an_explanation_shows_every_part_and_what_was_not_looked_at() {
    let pack = load(&[]);
    let risky = pack.explain_case("risky", &[]).unwrap().unwrap();
    assert_eq!(risky.decision.verdict, Verdict::Deny);
    assert_eq!(risky.rules[0].outcome, RuleOutcome::Fired);
    assert_eq!(risky.rules[1].outcome, RuleOutcome::Silent);
    let condition = risky.rules[0].condition.as_ref().unwrap();
    let loops = find(condition, "report.findings.exists(f, f.score >= 9.0)");
    let scores: Vec<(&str, Option<bool>)> = loops
        .steps
        .iter()
        .map(|s| (s.text.as_str(), s.truth))
        .collect();
    assert_eq!(
        scores,
        [("findings[0]", Some(false)), ("findings[1]", Some(true))]
    );
    assert_eq!(find(&loops.steps[1], "f.score").value, "9.1");
    let mild = pack.explain_case("mild", &[]).unwrap().unwrap();
    let condition = mild.rules[0].condition.as_ref().unwrap();
    assert_eq!(find(condition, "!report.accepted").value, "not looked at");
    assert!(pack.explain_case("no-such-case", &[]).is_none());
}

#[test]
fn an_explanation_names_list_version_and_entry() {
    let listed = load(&[]).explain_case("listed", &[]).unwrap().unwrap();
    let condition = listed.rules[1].condition.as_ref().unwrap();
    let note = &condition.notes[0];
    assert!(note.starts_with("on bad 7 ("), "{note}");
    assert!(note.contains("as entry 36, "), "{note}");
    let mild = load(&[]).explain_case("mild", &[]).unwrap().unwrap();
    let condition = mild.rules[1].condition.as_ref().unwrap();
    assert!(condition.notes[0].starts_with("not on bad 7 ("));
}

#[test]
fn an_explanation_agrees_with_the_decision() {
    let pack = load(&[]);
    let names: Vec<String> = pack.case_names().map(str::to_owned).collect();
    for name in names {
        let told = pack.explain_case(&name, &[]).unwrap().unwrap();
        let fired: Vec<&str> = told
            .rules
            .iter()
            .filter(|rule| rule.outcome == RuleOutcome::Fired)
            .map(|rule| rule.rule.as_str())
            .collect();
        let reasons: Vec<&str> = told
            .decision
            .reasons
            .iter()
            .map(|reason| reason.rule.rule.as_str())
            .collect();
        assert_eq!(fired, reasons, "{name}");
    }
}

#[test]
fn a_document_that_the_schema_refuses_explains_no_rule() {
    let told = load(&[]).explain_document(b"{}", &[], None).unwrap();
    assert_eq!(told.decision.verdict, Verdict::Deny);
    let mut rules = told.rules.iter();
    assert!(rules.all(|rule| rule.outcome == RuleOutcome::NotRun));
    assert!(load(&[]).explain_document(b"3", &[], None).is_err());
}

#[test]
fn a_failed_case_tells_rules_both_ways_and_fields() {
    let pack = load(&[(
        "decision: deny, rules: [too-risky, else]",
        "decision: flag, rules: [on-the-list, else]",
    )]);
    let report = pack.run_cases(&[]);
    assert_eq!(
        report.cases[1].failure.as_deref(),
        Some(
            "expected flag, found deny\n- on-the-list: expected, and said nothing\n+ too-risky: deny, a \
             finding is too risky"
        )
    );
    let pack = load(&[("equals: 36", "equals: 37")]);
    assert_eq!(
        pack.run_cases(&[]).cases[2].failure.as_deref(),
        Some("rules.on-the-list.facts.uid: expected `37`, found `36`")
    );
}

#[test]
fn lint_accepts_the_sample_and_finds_each_fault() {
    let lints = |changes: &[(&str, &str)]| -> Vec<&'static str> {
        let findings = load(changes).lint();
        findings.iter().map(|finding| finding.lint).collect()
    };
    assert_eq!(lints(&[]), Vec::<&str>::new());
    assert_eq!(lints(&[("## Sources", "## Origins")]), ["readme"]);
    assert_eq!(
        lints(&[("a finding is too risky", "nothing is wrong")]),
        ["reason-repeated"]
    );
    assert_eq!(
        lints(&[("owner: ACME LTD", "owner: we")]),
        ["case-fails", "rule-silent"]
    );
}

#[test]
fn lint_wants_an_allow_and_a_deny_that_differ_in_an_input() {
    // The same report, denied once because of another list: the facts differ, the input does not.
    let cases = [
        (
            "  - name: risky\n    input: { report: { accepted: false, owner: us, findings: [{ score: 1 }, { score: 9.1 }] } }\n    \
             expect: { decision: deny, rules: [too-risky, else] }\n",
            "",
        ),
        (
            "owner: ACME LTD, findings: [] } }",
            "owner: us, findings: [{ score: 1 }, { score: 2 }] } }\n    \
             lists: { bad: { version: \"8\", entries: [{ uid: \"36\", names: [us] }] } }",
        ),
    ];
    let findings = load(&cases).lint();
    assert!(
        findings.iter().any(|f| f.lint == "cases-differ"),
        "{findings:?}"
    );
}

#[test]
fn a_difference_shows_in_words_and_on_the_cases_of_both() {
    let before = load(&[]);
    let after = load(&[
        ("f.score >= 9.0", "f.score >= 9.5"),
        ("version: 1.0.0", "version: 2.0.0"),
    ]);
    assert!(before.diff(&before).is_empty());
    let diff = before.diff(&after);
    let subjects: Vec<&str> = diff.changes.iter().map(|c| c.subject.as_str()).collect();
    assert_eq!(subjects, ["version", "rule too-risky: condition"]);
    assert_eq!(diff.judged, 3);
    assert_eq!(diff.turned.len(), 1);
    assert_eq!(diff.turned[0].case, "risky");
    assert_eq!(diff.turned[0].before, "deny by else, too-risky");
    assert_eq!(diff.turned[0].after, "allow by else");
}

#[test]
fn a_pack_judges_transfers_or_documents_not_both() {
    let mixed = MANIFEST.replace(
        "schema: report.json }",
        "schema: report.json }\n    - { name: payment, type: object, source: transfer, schema: 'paygod:payment.v1' }",
    );
    let files = BTreeMap::from([
        ("pack.yaml".to_owned(), mixed),
        ("report.json".to_owned(), SCHEMA.to_owned()),
        ("tests/cases.yaml".to_owned(), CASES.to_owned()),
    ]);
    let error = Pack::from_files(&files).unwrap_err().to_string();
    assert!(
        error.contains("transfers or documents, not both"),
        "{error}"
    );
}

const FACTS: &str = r#"
api_version: paygod/v1
kind: Pack
metadata: { name: facts, version: 1.0.0, description: d, maintainer: m }
spec:
  inputs:
    - { name: payment, type: object, source: transfer, schema: 'paygod:payment.v1' }
  policy:
    rules:
      - name: too-little
        condition: account(payment.debit).available < payment.amount
        decision: deny
        reason: the account has too little
      - name: at-night
        condition: now().getHours("UTC") < 6
        decision: review
        reason: it is night
      - name: else
        condition: '["EUR", "CHF"].filter(c, c != "CHF").exists(c, c == payment.currency)'
        decision: allow
        reason: the currency is known
"#;

const FACT_CASES: &str = r#"
cases:
  - name: enough-by-day
    input: { payment: { amount: "10.00", credit: a, currency: EUR, debit: main } }
    accounts: { main: { currency: EUR, posted: "10.00" } }
    time: "2026-11-25T08:00:00Z"
    expect: { decision: allow, rules: [else] }
  - name: reserved-money-is-not-there
    input: { payment: { amount: "10.00", credit: a, currency: EUR, debit: main } }
    accounts: { main: { currency: EUR, posted: "10.00", available: "9.99" } }
    time: "2026-11-25T08:00:00Z"
    expect: { decision: deny, rules: [too-little, else] }
  - name: night
    input: { payment: { amount: "10.00", credit: a, currency: EUR, debit: main } }
    accounts: { main: { currency: EUR, posted: "10.00" } }
    time: "2026-11-25T05:59:59Z"
    expect: { decision: review, rules: [at-night, else] }
  - name: no-such-account-denies
    input: { payment: { amount: "10.00", credit: a, currency: EUR, debit: main } }
    time: "2026-11-25T08:00:00Z"
    expect: { decision: deny, output: { rules.too-little.facts.error: { equals: account-missing } } }
"#;

fn facts() -> Pack {
    let files = BTreeMap::from([
        ("pack.yaml".to_owned(), FACTS.to_owned()),
        ("tests/cases.yaml".to_owned(), FACT_CASES.to_owned()),
    ]);
    Pack::from_files(&files).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn a_case_supplies_balances_and_the_time() {
    let report = facts().run_cases(&[]);
    for case in &report.cases {
        assert_eq!(case.failure, None, "{}", case.name);
    }
}

#[test]
fn an_explanation_shows_balances_times_and_made_lists() {
    let told = facts().explain_case("enough-by-day", &[]).unwrap().unwrap();
    let balance = told.rules[0].condition.as_ref().unwrap();
    let available = find(balance, "account(payment.debit).available");
    assert_eq!(available.value, "10.00 EUR");
    let hour = told.rules[1].condition.as_ref().unwrap();
    assert_eq!(find(hour, "now().getHours(\"UTC\")").value, "8");
    let list = told.rules[2].condition.as_ref().unwrap();
    assert_eq!(find(list, "c == payment.currency").value, "true");
}
