//! Random conditions over random documents: the program and the reference must agree on result, error and
//! fuel. Conditions are made as text, well-typed by construction, so the whole path from text is exercised.

use std::sync::Arc;

use paygod_types::{Amount, Name, Seq};
use proptest::prelude::*;

use super::program::{Inputs, Machine, Windows};
use super::reference::Reference;
use super::{EvalError, Fuel, Links, compile};
use crate::document::Document;
use crate::json::Json;
use crate::lang::Scope;
use crate::lang::check::Collected;
use crate::list::{List, ListBuilder};
use crate::pack::typed;
use crate::schema::{Attachment, Shape};
use crate::window::WindowFact;

const SCHEMA: &str = r#"{
  "type": "object", "additionalProperties": false,
  "required": ["amount", "currency", "i", "d", "s", "b", "t", "tags", "items"],
  "properties": {
    "amount": {"type": "string", "x-paygod-type": "money", "x-paygod-currency": "currency"},
    "currency": {"type": "string"},
    "i": {"type": "integer"}, "d": {"type": "number"}, "s": {"type": "string"},
    "b": {"type": "boolean"}, "t": {"type": "string", "format": "date-time"},
    "os": {"type": "string"}, "oi": {"type": ["integer", "null"]},
    "party": {"type": "object", "properties": {"name": {"type": "string"}}},
    "tags": {"type": "array", "items": {"type": "string"}},
    "items": {"type": "array", "items": {"type": "object", "required": ["n", "q"], "properties": {
      "n": {"type": "integer"}, "q": {"type": "number"}, "label": {"type": "string"},
      "codes": {"type": "array", "items": {"type": "string"}}
    }}}
  }
}"#;

fn shape() -> Shape {
    let schema = Json::parse(SCHEMA).unwrap();
    crate::schema::compile(&[Attachment {
        path: &[],
        schema: &schema,
    }])
    .unwrap()
}

fn list() -> Arc<List> {
    let mut builder = ListBuilder::new(Name::parse("l").unwrap(), "1");
    builder.entry("1", ["b a", "ab"]);
    builder.entry("2", ["á c"]);
    Arc::new(builder.build().unwrap())
}

fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        "[abc ]{1,4}",
        Just("á C".to_owned()),
        Just("EUR".to_owned()),
        "[ab]{40,80}"
    ]
}

fn quoted() -> impl Strategy<Value = String> {
    word().prop_map(|w| format!("\"{w}\""))
}

fn int() -> impl Strategy<Value = String> {
    prop_oneof![
        (0_i64..5).prop_map(|n| n.to_string()),
        Just("i".to_owned()),
        Just("9223372036854775807".to_owned()),
    ]
    .prop_map(|n| if n == "i" { "x.i".to_owned() } else { n })
    .prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            (
                inner.clone(),
                prop_oneof![Just("+"), Just("-"), Just("*"), Just("/"), Just("%")],
                inner.clone()
            )
                .prop_map(|(a, op, b)| format!("({a} {op} {b})")),
            inner.clone().prop_map(|a| format!("(-({a}))")),
            (inner.clone(), inner).prop_map(|(a, b)| format!("(x.b ? {a} : {b})")),
            Just("x.tags.size()".to_owned()),
            Just("x.s.size()".to_owned()),
            Just("x.items.sum(r, r.n)".to_owned()),
            Just("x.t.getDayOfWeek(\"UTC\")".to_owned()),
            Just("velocity([x.s], \"1h\").count".to_owned()),
        ]
    })
}

fn decimal() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("x.d".to_owned()),
        Just("0.5".to_owned()),
        Just("12345678901234567890.5".to_owned()),
        Just("x.amount.amount".to_owned()),
        Just("x.items.sum(r, r.q)".to_owned()),
    ];
    leaf.prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            (
                inner.clone(),
                prop_oneof![Just("+"), Just("-"), Just("*")],
                inner.clone()
            )
                .prop_map(|(a, op, b)| format!("({a} {op} {b})")),
            (inner, int()).prop_map(|(a, b)| format!("({a} * {b})")),
        ]
    })
}

/// Two amounts to compare. Their literals are of one currency: comparing literals of two is refused at load.
fn moneys() -> impl Strategy<Value = (String, String)> {
    let literal = prop_oneof![
        Just("money(\"10.00\", \"EUR\")"),
        Just("money(\"1\", \"JPY\")")
    ];
    literal.prop_flat_map(|literal| (money(literal), money(literal)))
}

fn money(literal: &'static str) -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("x.amount".to_owned()),
        Just(literal.to_owned()),
        Just("velocity([x.s, x.i], duration(\"24h\")).sum".to_owned()),
    ];
    leaf.prop_recursive(2, 6, 2, |inner| {
        prop_oneof![
            (
                inner.clone(),
                prop_oneof![Just("+"), Just("-")],
                inner.clone()
            )
                .prop_map(|(a, op, b)| format!("({a} {op} {b})")),
            (inner, int()).prop_map(|(a, n)| format!("({a} * {n})")),
        ]
    })
}

fn text() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("x.s".to_owned()),
        Just("x.currency".to_owned()),
        Just("x.amount.currency".to_owned()),
        quoted(),
        Just("(has(x.party.name) ? x.party.name : \"none\")".to_owned()),
    ];
    leaf.prop_recursive(3, 6, 2, |inner| {
        prop_oneof![
            (
                inner,
                prop_oneof![Just("lowerAscii"), Just("upperAscii"), Just("trim")]
            )
                .prop_map(|(a, f)| format!("{a}.{f}()")),
        ]
    })
}

fn comparison() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        Just("=="),
        Just("!="),
        Just("<"),
        Just("<="),
        Just(">"),
        Just(">=")
    ]
}

fn condition() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("x.b".to_owned()),
        Just("true".to_owned()),
        Just("has(x.os)".to_owned()),
        (int(), comparison(), int()).prop_map(|(a, c, b)| format!("{a} {c} {b}")),
        (decimal(), comparison(), decimal()).prop_map(|(a, c, b)| format!("{a} {c} {b}")),
        (moneys(), comparison()).prop_map(|((a, b), c)| format!("{a} {c} {b}")),
        (text(), comparison(), text()).prop_map(|(a, c, b)| format!("{a} {c} {b}")),
        (text(), prop_oneof![Just("startsWith"), Just("endsWith"), Just("contains")], text())
            .prop_map(|(a, f, b)| format!("{a}.{f}({b})")),
        (text(), prop::collection::vec(text(), 1..4))
            .prop_map(|(a, items)| format!("{a} in [{}]", items.join(", "))),
        text().prop_map(|a| format!("{a} in x.tags")),
        text().prop_map(|a| format!("{a} in list(\"l\")")),
        text().prop_map(|a| format!("list(\"l\").matches({a})")),
        (prop_oneof![Just("exists"), Just("all"), Just("exists_one")], quoted())
            .prop_map(|(m, w)| format!("x.tags.{m}(e, e >= {w})")),
        (prop_oneof![Just("exists"), Just("all"), Just("exists_one")], 0..4).prop_map(|(m, n)| format!(
            "x.items.{m}(e, has(e.codes) && e.codes.exists(c, c == x.s || c.size() > e.n) || e.n < {n})"
        )),
        Just("(has(x.os) && x.os < x.s)".to_owned()),
        Just("(!has(x.oi) || x.oi + 1 > x.i)".to_owned()),
        Just("x.t - duration(\"24h\") < timestamp(\"2026-01-01T00:00:00Z\")".to_owned()),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4)
                .prop_map(|v| format!("({})", v.join(" && "))),
            prop::collection::vec(inner.clone(), 2..4)
                .prop_map(|v| format!("({})", v.join(" || "))),
            inner.clone().prop_map(|a| format!("!({a})")),
            (inner.clone(), inner.clone(), inner)
                .prop_map(|(a, b, c)| format!("({a} ? {b} : {c})")),
        ]
    })
}

fn document() -> impl Strategy<Value = String> {
    let amount = prop_oneof![
        Just(("10.00", "EUR")),
        Just(("0.01", "EUR")),
        Just(("170141183460469231731687303715884105727", "JPY")),
        Just(("5", "JPY"))
    ];
    let item = (
        0_i64..4,
        0_u32..50,
        prop::option::of(prop::collection::vec(quoted(), 0..3)),
    )
        .prop_map(|(n, q, codes)| {
            let codes = codes
                .map(|c| format!("\"codes\":[{}],", c.join(",")))
                .unwrap_or_default();
            format!("{{{codes}\"n\":{n},\"q\":{q}.5}}")
        });
    let parts = (
        amount,
        prop_oneof![-3_i64..5, Just(i64::MAX)],
        any::<bool>(),
        quoted(),
        prop::option::of(quoted()),
        prop::option::of(prop::option::of(quoted())),
        prop::collection::vec(quoted(), 0..4),
        prop::collection::vec(item, 0..4),
    );
    parts.prop_map(|((amount, currency), i, b, s, os, party, tags, items)| {
        let os = os.map(|o| format!("\"os\":{o},")).unwrap_or_default();
        let party = party
            .map(|p| {
                format!(
                    "\"party\":{{{}}},",
                    p.map(|n| format!("\"name\":{n}")).unwrap_or_default()
                )
            })
            .unwrap_or_default();
        format!(
            "{{\"amount\":\"{amount}\",\"b\":{b},\"currency\":\"{currency}\",\"d\":0.25,\"i\":{i},\
             \"items\":[{}],{os}{party}\"s\":{s},\"t\":\"2026-01-02T03:04:05Z\",\"tags\":[{}]}}",
            items.join(","),
            tags.join(",")
        )
    })
}

fn facts() -> impl Strategy<Value = Vec<WindowFact>> {
    let fact = (prop_oneof![0_u64..4, Just(u64::MAX)], -5_i64..2_000).prop_map(|(count, sum)| {
        WindowFact {
            count,
            sum: Amount::from_minor(i128::from(sum)),
            last_seq: Some(Seq(1)),
        }
    });
    prop::collection::vec(fact, 0..3)
}

/// Both evaluators' results and fuel.
type Both = [(Result<bool, EvalError>, u64); 2];

fn both(condition: &str, json: &str, facts: &[WindowFact], limit: u64) -> Both {
    let shape = shape();
    let inputs = [("x".to_owned(), Vec::new())];
    let mut collected = Collected::default();
    let scope = Scope {
        shape: &shape,
        inputs: &inputs,
    };
    let typed =
        typed(condition, scope, &mut collected).unwrap_or_else(|p| panic!("{condition}\n{p:?}"));
    let mut document = Document::default();
    assert_eq!(document.read(&shape, json), Ok(None), "{json}");
    let lists = [list()];
    let sites: Vec<u32> = (0..).take(collected.sites.len()).collect();
    let windows = Windows::Answered {
        sites: &sites,
        facts,
    };
    let program = compile(
        &typed,
        Links {
            lists: &[0],
            sites: &sites,
            amount: shape.amount,
        },
    );
    let fuel = Fuel { used: 0, limit };
    let mut machine = Machine::default();
    machine.fuel = fuel;
    let compiled = machine.run(
        &program,
        Inputs {
            document: &document,
            lists: &lists,
            windows,
        },
    );
    let mut reference = Reference {
        document: &document,
        lists: &lists,
        windows,
        amount: shape.amount,
        fuel,
        rows: Vec::new(),
    };
    let walked = reference.run(&typed);
    [(compiled, machine.fuel.used), (walked, reference.fuel.used)]
}

/// `PAYGOD_PAIRS=10000000` runs that many.
fn cases() -> u32 {
    let given = std::env::var("PAYGOD_PAIRS").ok();
    given.and_then(|n| n.parse().ok()).unwrap_or(3_000)
}

proptest! {
    #![proptest_config(ProptestConfig {
        // A failure is printed in full; a file of seeds would dirty the tree and mean nothing to the next grammar.
        failure_persistence: None,
        ..ProptestConfig::with_cases(cases())
    })]

    #[test]
    fn program_and_reference_agree(
        condition in condition(),
        json in document(),
        facts in facts(),
        limit in prop_oneof![Just(1_000_000_u64), 1_u64..60],
    ) {
        let [compiled, walked] = both(&condition, &json, &facts, limit);
        prop_assert_eq!(compiled, walked, "{}\n{}", condition, json);
        prop_assert!(!matches!(compiled.0, Err(EvalError::Type | EvalError::Absent)), "{}", condition);
    }
}

const PLAIN: &str = r#"{"amount":"10.00","b":true,"currency":"EUR","d":0.25,"i":3,"items":[{"n":1,"q":0.5},{"n":2,"q":1.5,"codes":["k"]}],"os":"o","s":"B, á","t":"2026-01-02T03:04:05Z","tags":["u","v"]}"#;

/// What a condition gives on a plain document, from both evaluators.
fn eval(condition: &str) -> Result<bool, EvalError> {
    let [compiled, walked] = both(condition, PLAIN, &[], 1_000_000);
    assert_eq!(compiled, walked, "{condition}");
    compiled.0
}

#[test]
fn conditions_mean_what_they_say() {
    for condition in [
        "x.i == 3 && x.d == 0.250 && x.d < x.i",
        "x.amount == money(\"10.00\", \"EUR\") && x.amount * 2 == money(\"20.00\", \"EUR\")",
        "x.amount.amount == 10 && x.amount.currency == \"EUR\"",
        "7 / 2 == 3 && -7 / 2 == -3 && -7 % 2 == -1",
        "list(\"l\").matches(x.s) && !(x.s in list(\"l\")) && \"ab\" in list(\"l\")",
        "x.items.sum(r, r.n) == 3 && x.items.sum(r, r.q) == 2.0 && x.items.size() == 2",
        "x.items.exists_one(e, has(e.codes) && \"k\" in e.codes)",
        "x.t.getFullYear(\"UTC\") == 2026 && x.t.getDayOfWeek(\"UTC\") == 5 && x.t.getHours(\"UTC\") == 3",
        "x.t - timestamp(\"2026-01-01T00:00:00Z\") == duration(\"1d3h4m5s\")",
        "x.s.upperAscii().startsWith(\"B,\") && \"  k \".trim() == \"k\" && x.s.size() == 4",
        "has(x.os) ? x.os == \"o\" : false",
        "0.1 + 0.2 == 0.3",
    ] {
        assert_eq!(eval(condition), Ok(true), "{condition}");
    }
}

#[test]
fn what_cannot_be_computed_errs() {
    assert_eq!(eval("x.i / (x.i - 3) > 0"), Err(EvalError::DivisionByZero));
    assert_eq!(
        eval("x.i + 9223372036854775807 > 0"),
        Err(EvalError::Overflow)
    );
    assert!(matches!(
        eval("x.amount > money(\"1\", \"JPY\")"),
        Err(EvalError::Currencies { .. })
    ));
    assert_eq!(
        eval("velocity([x.s], \"1h\").count > 0"),
        Err(EvalError::WindowMissing)
    );
    // Left to right: what decides first hides what would err later, and only that.
    assert_eq!(eval("false && x.i / 0 > 0"), Ok(false));
    assert_eq!(eval("x.i / 0 > 0 && false"), Err(EvalError::DivisionByZero));
}

#[test]
fn fuel_counts_nodes() {
    // And, three comparisons of a field with a constant (fused), then a comparison with a sum.
    let [compiled, _] = both(
        "x.i == 3 && x.b == true && x.s != \"k\" && x.i + 1 > 0",
        PLAIN,
        &[],
        100,
    );
    assert_eq!(compiled, (Ok(true), 1 + 3 + 3 + 3 + 5));
    let [compiled, _] = both("x.i == 3 && x.b == true", PLAIN, &[], 6);
    assert_eq!(compiled, (Err(EvalError::FuelExhausted), 6));
}
