//! Random conditions over random documents: the program and the reference must agree on result, error and
//! fuel. Conditions are made as text by [`grammar`](super::grammar), so the whole path from text is exercised.
//!
//! `PAYGOD_PAIRS=10000000 cargo test --release -p paygod-policy --lib agree -- --nocapture` compares ten
//! million pairs of condition and document; `PAYGOD_SEED=…` repeats a run.

use std::io::Write;
use std::sync::Arc;

use paygod_types::{Amount, Currency, Name, Seq, Timestamp};

use super::Answers;
use super::grammar::{Grammar, SCHEMA};
use super::program::{Inputs, Machine, Program};
use super::reference::Reference;
use super::{EvalError, Fuel, Links, compile};
use crate::document::Document;
use crate::json::Json;
use crate::lang::Scope;
use crate::lang::check::Collected;
use crate::lang::typed::Typed;
use crate::list::{List, ListBuilder};
use crate::pack::typed;
use crate::schema::{Attachment, Shape};
use crate::window::{AccountFact, WindowFact};

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

/// What both evaluators read beside the document.
struct World {
    windows: Vec<WindowFact>,
    accounts: Vec<Option<AccountFact>>,
    time: Option<Timestamp>,
    approvals: u32,
}

/// Both evaluators, and what they keep from one condition to the next.
struct Both {
    shape: Shape,
    lists: [Arc<List>; 1],
    document: Document,
    machine: Machine,
}

/// Both evaluators' results and fuel.
type Outcomes = [(Result<bool, EvalError>, u64); 2];

/// A condition, typed for the one and compiled for the other.
struct Condition {
    typed: Typed,
    program: Program,
    sites: Vec<u32>,
    accounts: Vec<u32>,
}

impl Both {
    fn new() -> Self {
        Self {
            shape: shape(),
            lists: [list()],
            document: Document::default(),
            machine: Machine::default(),
        }
    }

    fn condition(&self, text: &str) -> Condition {
        let inputs = [("x".to_owned(), Vec::new())];
        let mut collected = Collected::default();
        let scope = Scope {
            shape: &self.shape,
            inputs: &inputs,
            reviews: true,
        };
        let typed = typed(text, scope, &mut collected).unwrap_or_else(|p| panic!("{text}\n{p:?}"));
        let sites: Vec<u32> = (0..).take(collected.sites.len()).collect();
        let accounts: Vec<u32> = (0..).take(collected.accounts.len()).collect();
        let links = Links {
            lists: &[0],
            sites: &sites,
            accounts: &accounts,
            amount: self.shape.amount,
        };
        let program = compile(&typed, links);
        Condition {
            typed,
            program,
            sites,
            accounts,
        }
    }

    fn run(&mut self, condition: &Condition, json: &str, world: &World, limit: u64) -> Outcomes {
        assert_eq!(self.document.read(&self.shape, json), Ok(None), "{json}");
        let answers = Answers::Given {
            sites: &condition.sites,
            windows: &world.windows,
            account_sites: &condition.accounts,
            accounts: &world.accounts,
            time: world.time,
            approvals: world.approvals,
        };
        let fuel = Fuel {
            used: 0,
            limit,
            made: 0,
        };
        self.machine.fuel = fuel;
        let inputs = Inputs {
            document: &self.document,
            lists: &self.lists,
            answers,
        };
        let compiled = self.machine.run(&condition.program, inputs);
        let mut reference = Reference {
            document: &self.document,
            lists: &self.lists,
            answers,
            amount: self.shape.amount,
            fuel,
            variables: Vec::new(),
        };
        let walked = reference.run(&condition.typed);
        [
            (compiled, self.machine.fuel.used),
            (walked, reference.fuel.used),
        ]
    }
}

fn world(grammar: &mut Grammar) -> World {
    let mut windows = Vec::new();
    for _ in 0..grammar.below(3) {
        windows.push(WindowFact {
            count: [0, 1, 3, u64::MAX][grammar.below(4)],
            sum: Amount::from_minor([-5, 0, 999, i128::MAX][grammar.below(4)]),
            last_seq: Some(Seq(1)),
            distinct: [0, 2, 5, u64::MAX][grammar.below(4)],
        });
    }
    let mut accounts = Vec::new();
    for _ in 0..grammar.below(3) {
        accounts.push(grammar.chance(3).then(|| AccountFact {
            currency: Currency::parse(["EUR", "JPY"][grammar.below(2)]).unwrap(),
            posted: Amount::from_minor(1_000),
            available: Amount::from_minor([0, 1_000, i128::MIN + 1][grammar.below(3)]),
            expected: Amount::from_minor(1_001),
        }));
    }
    let time = Timestamp::parse_rfc3339("2026-01-02T03:04:05Z").ok();
    World {
        windows,
        accounts,
        time: time.filter(|_| grammar.chance(4)),
        approvals: [0, 1, 2, 16][grammar.below(4)],
    }
}

/// A number given by the environment.
fn given(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Documents that each condition meets.
const DOCUMENTS: u64 = 4;

#[test]
fn program_and_reference_agree() {
    use std::hash::{BuildHasher, RandomState};
    let pairs = given("PAYGOD_PAIRS").unwrap_or(20_000);
    let seed = given("PAYGOD_SEED").unwrap_or_else(|| RandomState::new().hash_one(0_u64));
    let mut both = Both::new();
    let (mut errors, mut exhausted, mut truths) = (0_u64, 0_u64, 0_u64);
    for nth in 0..pairs.div_ceil(DOCUMENTS) {
        let mut grammar = Grammar::new(seed.wrapping_add(nth));
        let text = grammar.condition();
        let condition = both.condition(&text);
        for _ in 0..DOCUMENTS {
            let json = grammar.document();
            let world = world(&mut grammar);
            let limit = if grammar.chance(3) {
                1_000_000
            } else {
                1 + u64::try_from(grammar.below(60)).unwrap()
            };
            let [compiled, walked] = both.run(&condition, &json, &world, limit);
            let told = || format!("PAYGOD_SEED={}\n{text}\n{json}", seed.wrapping_add(nth));
            assert_eq!(compiled, walked, "{}", told());
            match compiled.0 {
                Err(EvalError::Type | EvalError::Absent) => panic!("{compiled:?} {}", told()),
                Err(EvalError::FuelExhausted) => exhausted += 1,
                Err(_) => errors += 1,
                Ok(holds) => truths += u64::from(holds),
            }
        }
        let done = (nth + 1) * DOCUMENTS;
        if pairs >= 1_000_000 && done.is_multiple_of(500_000) {
            let mut out = std::io::stderr().lock();
            writeln!(out, "{done} of {pairs} pairs agree (seed {seed}): {truths} hold, {errors} err, {exhausted} run out of fuel").unwrap();
        }
    }
    // A grammar whose every condition errs, or none, would compare nothing.
    assert!(
        truths > pairs / 10 && errors > pairs / 100 && exhausted > pairs / 100,
        "of {pairs} pairs {truths} hold, {errors} err, {exhausted} run out of fuel (seed {seed})"
    );
}

fn both(condition: &str, json: &str, limit: u64) -> Outcomes {
    let mut both = Both::new();
    let condition = both.condition(condition);
    let world = World {
        windows: Vec::new(),
        accounts: Vec::new(),
        time: None,
        approvals: 0,
    };
    both.run(&condition, json, &world, limit)
}

const PLAIN: &str = r#"{"amount":"10.00","b":true,"currency":"EUR","d":0.25,"dur":"PT2H","i":3,"items":[{"n":1,"q":0.5},{"n":2,"q":1.5,"codes":["k"]}],"os":"o","s":"B, á","t":"2026-01-02T03:04:05Z","tags":["u","v"]}"#;

/// What a condition gives on a plain document, from both evaluators.
fn eval(condition: &str) -> Result<bool, EvalError> {
    let [compiled, walked] = both(condition, PLAIN, 1_000_000);
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
        "x.party?.name.orValue(\"none\") == \"none\" && x?.party.name.orValue(\"k\") == \"k\" && x?.os.orValue(\"\") == \"o\"",
        "x.?oi.orValue(7) == 7 && x?.otags.orValue([]).size() == 0 && x?.om.currency.orValue(\"EUR\") == \"EUR\"",
        "x.items.filter(r, r.n > 1).size() == 1 && x.items.filter(r, r.n > 1).exists(r, r.q == 1.5)",
        "x.items.map(r, r.n * 2).sum() == 6 && 4 in x.items.map(r, r.n * 2)",
        "[1, 2, 3].filter(n, n % 2 == 1).map(n, n * n).sum() == 10 && [[1, 2].sum(), 4].sum() == 7",
        "x.items.sum(r, money(\"1.00\", \"EUR\") * r.n, money(\"0.50\", \"EUR\")) == money(\"3.50\", \"EUR\")",
        "x.items.all(r, r?.codes.orValue([]).all(c, c.matches(r\"^[k-m]$\")))",
        "x.s.matches(\"B\") && !x.s.matches(\"^b\") && \"IBAN CH93\".matches(r\"\\bCH\\d{2}\\b\")",
        "\"a\" + x.s + \"z\" == \"aB, áz\" && (\" a\" + \" \").trim() == \"a\" && \"  \".trim() == \"\"",
        "\"OTHR:de89 3704 0044 0532 0130 00\".ibanCountry() == \"DE\" && \"MELIIRTHXXX\".bicCountry() == \"IR\"",
        "x.s.ibanCountry() == \"\" && x.s.bicCountry() == \"\" && \"DE89\".ibanCountry() + \"k\" == \"k\"",
        "x.t.month(\"UTC\") == 1 && x.t.getHours(\"+02:30\") == 5 && x.t.getDate(\"-04:00\") == 1",
        "x.t.getSeconds(\"UTC\") == 5 && x.dur * 12 == duration(\"1d\") && x.t + x.dur > x.t",
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
    assert_eq!(eval("now() > x.t"), Err(EvalError::TimeMissing));
    assert_eq!(
        eval("account(x.s).available > x.amount"),
        Err(EvalError::AccountMissing)
    );
    // 100 million characters, were they all made.
    let ten = |inner: &str, v: &str| {
        format!(
            "[1,2,3,4,5,6,7,8,9,10].map({v}, {inner}).filter(t, t.size() > 0).size() > 0 ? \"a\" : \"b\""
        )
    };
    let made = ten(
        &ten(
            "x.s + x.s + \"0123456789012345678901234567890123456789\"",
            "c",
        )
        .replace("t,", "u,")
        .replace("t.", "u."),
        "d",
    );
    let made =
        format!("[1,2,3,4,5,6,7,8,9,10].all(e, [1,2,3,4,5,6,7,8,9,10].all(f, ({made}) == \"a\"))");
    assert_eq!(eval(&made), Err(EvalError::MadeTooMuch));
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
        100,
    );
    assert_eq!(compiled, (Ok(true), 1 + 3 + 3 + 3 + 5));
    let [compiled, _] = both("x.i == 3 && x.b == true", PLAIN, 6);
    assert_eq!(compiled, (Err(EvalError::FuelExhausted), 6));
}
