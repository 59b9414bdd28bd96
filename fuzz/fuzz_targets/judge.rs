//! Any bytes as a transfer, judged by rules that use the whole language: it is refused, or decided within its
//! fuel and the same both times.
#![no_main]

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use libfuzzer_sys::fuzz_target;
use paygod_fuzz::{MIB, bounded};
use paygod_policy::{
    AccountFact, Decision, Facts, ListBuilder, Pack, Prepared, Ruleset, Scratch, WindowFact, limits,
};
use paygod_types::{Amount, Currency, Name, Timestamp};

const SCHEMA: &str = r#"{"type":"object","required":["amount","currency","s"],"properties":{
  "amount":{"type":"string","x-paygod-type":"money","x-paygod-currency":"currency"},"currency":{"type":"string"},
  "s":{"type":"string","maxLength":4096},"n":{"type":["integer","null"]},"d":{"type":"number","minimum":-1},
  "t":{"type":"string","format":"date-time"},"dur":{"type":"string","format":"duration"},
  "m":{"type":"object","x-paygod-type":"money"},"tags":{"type":"array","items":{"type":"string"}},
  "rows":{"type":"array","items":{"type":"object","required":["q"],"properties":{
    "q":{"type":"number"},"codes":{"type":"array","maxItems":9,"items":{"type":"string"}}}}}}}"#;

const CONDITIONS: [&str; 12] = [
    r#"x.amount * 3 - x?.m.orValue(x.amount) > money("1.00", "EUR")"#,
    r#"list("l").matches(x.s) || x.s.lowerAscii() in list("l")"#,
    r#"x.s.matches(r"^(a|b)*c\d+$") || (x.s + x.currency).trim().size() > 40"#,
    r#"x?.tags.orValue([]).map(t, t.upperAscii()).filter(t, t != x.s).exists(t, t in x?.tags.orValue([]))"#,
    r#"x?.rows.orValue([]).filter(r, r.q > 0.5).sum(r, r.q * r.q) > 100"#,
    r#"x?.rows.orValue([]).all(r, r?.codes.orValue([]).exists_one(c, c.startsWith(x.s)))"#,
    r#"x?.n.orValue(7) / (x?.n.orValue(7) - 7) > 1"#,
    r#"has(x.t) && x.t.getHours("+05:30") < 6 && x.t - now() < x?.dur.orValue(duration("1h")) * 2"#,
    r#"velocity([x.s], "1h").count > 2 || velocity([x.currency], "7d").sum > x.amount"#,
    r#"account(x.s).available < x.amount"#,
    r#"x?.d.orValue(0.1) * 3 == 0.3 || x?.d.orValue(1) + 12345678901234567890.5 > 0"#,
    "true",
];

fn ruleset() -> &'static Ruleset {
    static RULESET: OnceLock<Ruleset> = OnceLock::new();
    RULESET.get_or_init(|| {
        let mut yaml = "api_version: paygod/v1\nkind: Pack\nmetadata: { name: p, version: 1.0.0, description: d, \
                        maintainer: m }\nspec:\n  inputs:\n    - { name: x, type: object, source: transfer, schema: \
                        s.json }\n  policy:\n    rules:\n"
            .to_owned();
        for (at, condition) in CONDITIONS.iter().enumerate() {
            yaml.push_str(&format!(
                "      - {{ name: r{at}, decision: allow, reason: r, condition: '{condition}' }}\n"
            ));
        }
        let cases = "cases:\n  - { name: a, input: { x: { amount: \"1.00\", currency: EUR, s: k } }, expect: { decision: \
                     allow } }\n  - { name: b, input: { x: {} }, expect: { decision: deny } }\n";
        let files = [("pack.yaml", yaml.as_str()), ("s.json", SCHEMA), ("tests/cases.yaml", cases)];
        let files: BTreeMap<String, String> = files.map(|(path, text)| (path.to_owned(), text.to_owned())).into();
        let pack = Pack::from_files(&files).expect("the pack loads");
        let mut list = ListBuilder::new(Name::parse("l").expect("a name"), "1");
        list.entry("1", ["Muster, Hans", "á b"]);
        let list = list.build().expect("the list is sound");
        Ruleset::builder().pack(pack).list(Arc::new(list)).build().expect("pack and list fit")
    })
}

fn judge(bytes: &[u8]) -> Option<Decision> {
    let (mut scratch, mut prepared) = (Scratch::default(), Prepared::default());
    ruleset().prepare(&mut scratch, bytes, &mut prepared).ok()?;
    let windows: Vec<WindowFact> = prepared.windows().map(|_| WindowFact::default()).collect();
    let account = AccountFact {
        currency: Currency::EUR,
        posted: Amount::ZERO,
        available: Amount::ZERO,
        expected: Amount::ZERO,
    };
    let accounts: Vec<Option<AccountFact>> = prepared.accounts().map(|_| Some(account)).collect();
    let facts = Facts { windows: &windows, accounts: &accounts, time: Some(Timestamp::EPOCH) };
    Some(ruleset().decide(&mut scratch, &prepared, facts))
}

fuzz_target!(|bytes: &[u8]| {
    let _ = ruleset();
    bounded(64 * MIB, || {
        let decision = judge(bytes);
        assert!(decision.as_ref().is_none_or(|d| d.fuel <= limits::FUEL_MAX), "fuel is bounded");
        assert_eq!(decision, judge(bytes), "the same bytes, the same decision");
    });
});
