//! Random conditions and documents from a seed: well-typed by construction, over the whole language.
//!
//! What the checker refuses on purpose is not made: comparing literals of two currencies, an empty list, `has`
//! of what is always there, a window or an account inside a loop.

pub(super) const SCHEMA: &str = r#"{
  "type": "object", "additionalProperties": false,
  "required": ["amount", "currency", "i", "d", "dur", "s", "b", "t", "tags", "items"],
  "properties": {
    "amount": {"type": "string", "x-paygod-type": "money", "x-paygod-currency": "currency"},
    "currency": {"type": "string"},
    "i": {"type": "integer"}, "d": {"type": "number"}, "s": {"type": "string"},
    "b": {"type": "boolean"}, "t": {"type": "string", "format": "date-time"},
    "dur": {"type": "string", "format": "duration"},
    "os": {"type": "string"}, "oi": {"type": ["integer", "null"]},
    "om": {"type": "object", "x-paygod-type": "money"},
    "otags": {"type": "array", "items": {"type": "string"}},
    "party": {"type": "object", "properties": {"name": {"type": "string"}}},
    "tags": {"type": "array", "items": {"type": "string"}},
    "items": {"type": "array", "items": {"type": "object", "required": ["n", "q"], "properties": {
      "n": {"type": "integer"}, "q": {"type": "number"}, "label": {"type": "string"},
      "price": {"type": "object", "x-paygod-type": "money"},
      "codes": {"type": "array", "items": {"type": "string"}}
    }}}
  }
}"#;

/// What a loop variable stands for.
#[derive(Clone, Copy, PartialEq)]
enum Variable {
    Text,
    Int,
    Item,
}

/// Draws conditions and documents.
pub(super) struct Grammar {
    state: u64,
    /// Loop variables in scope; a variable's name is `v` and its place.
    variables: Vec<Variable>,
    /// How much may still be drawn before only leaves are.
    left: usize,
    /// The currency of money literals, the same within a comparison.
    currency: usize,
}

const MONEY: [&str; 2] = ["money(\"10.00\", \"EUR\")", "money(\"1\", \"JPY\")"];
const COMPARISONS: [&str; 6] = ["==", "!=", "<", "<=", ">", ">="];

impl Grammar {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            state: seed,
            variables: Vec::new(),
            left: 0,
            currency: 0,
        }
    }

    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`.
    pub(super) fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() >> 33).unwrap() % n
    }

    /// True in all but one of `n` draws.
    pub(super) fn chance(&mut self, n: usize) -> bool {
        self.below(n) > 0
    }

    fn of<'t>(&mut self, choices: &[&'t str]) -> &'t str {
        choices[self.below(choices.len())]
    }

    /// Whether to go on branching; takes one from what is left.
    fn branch(&mut self) -> bool {
        let go = self.left > 0 && self.chance(3);
        self.left = self.left.saturating_sub(1);
        go
    }

    /// A variable of that kind in scope.
    fn variable(&mut self, kind: Variable) -> Option<String> {
        let known: Vec<usize> = (0..self.variables.len())
            .filter(|at| self.variables[*at] == kind)
            .collect();
        if known.is_empty() {
            return None;
        }
        Some(format!("v{}", known[self.below(known.len())]))
    }

    pub(super) fn condition(&mut self) -> String {
        self.left = 4 + self.below(36);
        self.variables.clear();
        self.bool()
    }

    /// What `draw` makes of a new variable.
    fn with(&mut self, kind: Variable, draw: impl FnOnce(&mut Self) -> String) -> (String, String) {
        let name = format!("v{}", self.variables.len());
        self.variables.push(kind);
        let drawn = draw(self);
        self.variables.pop();
        (name, drawn)
    }

    fn bool(&mut self) -> String {
        if self.branch() {
            return match self.below(5) {
                0 | 1 => {
                    let mark = self.of(&[" && ", " || "]);
                    let terms: Vec<String> = (0..2 + self.below(2)).map(|_| self.bool()).collect();
                    format!("({})", terms.join(mark))
                }
                2 => format!("!({})", self.bool()),
                3 => format!("({} ? {} : {})", self.bool(), self.bool(), self.bool()),
                _ => self.quantified(),
            };
        }
        match self.below(18) {
            0 => self
                .of(&[
                    "x.b",
                    "true",
                    "has(x.os)",
                    "has(x.party.name)",
                    "!has(x.otags)",
                ])
                .to_owned(),
            1 | 2 => format!("{} {} {}", self.int(), self.of(&COMPARISONS), self.int()),
            3 => format!(
                "{} {} {}",
                self.decimal(),
                self.of(&COMPARISONS),
                self.decimal()
            ),
            4 | 5 => {
                self.currency = self.below(2);
                format!(
                    "{} {} {}",
                    self.money(),
                    self.of(&COMPARISONS),
                    self.money()
                )
            }
            6 | 7 => format!("{} {} {}", self.text(), self.of(&COMPARISONS), self.text()),
            8 => format!("{} {} {}", self.time(), self.of(&COMPARISONS), self.time()),
            9 => format!(
                "{} {} {}",
                self.duration(),
                self.of(&COMPARISONS),
                self.duration()
            ),
            10 => format!(
                "{}.{}({})",
                self.text(),
                self.of(&["startsWith", "endsWith", "contains"]),
                self.text()
            ),
            11 => format!(
                "{}.matches({})",
                self.text(),
                self.of(&[
                    "\"a\"",
                    "r\"^[ab]+$\"",
                    "r\"\\bá\"",
                    "\"(?i)A.C\"",
                    "\"^$\"",
                    "\"(a|b)*c\""
                ])
            ),
            12 => {
                let items: Vec<String> = (0..1 + self.below(4)).map(|_| self.text()).collect();
                format!("{} in [{}]", self.text(), items.join(", "))
            }
            13 => format!("{} in {}", self.text(), self.texts()),
            14 => format!("{} in {}", self.int(), self.ints()),
            15 => format!("{} in list(\"l\")", self.text()),
            16 => format!("list(\"l\").matches({})", self.text()),
            _ => self
                .of(&[
                    "(has(x.os) && x.os < x.s)",
                    "(!has(x.oi) || x.oi + 1 > x.i)",
                    "(!has(x.om) || x.om.amount > 1)",
                ])
                .to_owned(),
        }
    }

    fn quantified(&mut self) -> String {
        let quantifier = self.of(&["exists", "all", "exists_one"]);
        let (list, kind) = match self.below(3) {
            0 => (self.texts(), Variable::Text),
            1 => (self.ints(), Variable::Int),
            _ => (self.items(), Variable::Item),
        };
        let (name, body) = self.with(kind, Self::bool);
        format!("{list}.{quantifier}({name}, {body})")
    }

    fn filtered(&mut self, list: String, kind: Variable) -> String {
        let (name, body) = self.with(kind, Self::bool);
        format!("{list}.filter({name}, {body})")
    }

    fn texts(&mut self) -> String {
        if self.branch() {
            return match self.below(3) {
                0 => {
                    let list = self.texts();
                    self.filtered(list, Variable::Text)
                }
                1 => {
                    let list = self.items();
                    let (name, body) = self.with(Variable::Item, Self::text);
                    format!("{list}.map({name}, {body})")
                }
                _ => {
                    let list = self.texts();
                    let (name, body) = self.with(Variable::Text, Self::text);
                    format!("{list}.map({name}, {body})")
                }
            };
        }
        if let Some(item) = self.variable(Variable::Item)
            && self.chance(2)
        {
            return format!("{item}?.codes.orValue([])");
        }
        match self.below(3) {
            0 => format!("[{}, {}]", self.text(), self.text()),
            1 => "x?.otags.orValue([\"a\"])".to_owned(),
            _ => "x.tags".to_owned(),
        }
    }

    fn ints(&mut self) -> String {
        if self.branch() {
            return match self.below(3) {
                0 => {
                    let list = self.ints();
                    self.filtered(list, Variable::Int)
                }
                1 => {
                    let list = self.items();
                    let (name, body) = self.with(Variable::Item, Self::int);
                    format!("{list}.map({name}, {body})")
                }
                _ => {
                    let list = self.texts();
                    let (name, body) = self.with(Variable::Text, Self::int);
                    format!("{list}.map({name}, {body})")
                }
            };
        }
        format!("[{}, {}]", self.int(), self.int())
    }

    fn items(&mut self) -> String {
        if self.branch() {
            let list = self.items();
            return self.filtered(list, Variable::Item);
        }
        "x.items".to_owned()
    }

    fn int(&mut self) -> String {
        if self.branch() {
            return match self.below(9) {
                0 | 1 => format!(
                    "({} {} {})",
                    self.int(),
                    self.of(&["+", "-", "*", "/", "%"]),
                    self.int()
                ),
                2 => format!("(-({}))", self.int()),
                3 => format!("({} ? {} : {})", self.bool(), self.int(), self.int()),
                4 => format!("{}.size()", self.texts()),
                5 => format!("size({})", self.text()),
                6 => format!("{}.sum()", self.ints()),
                7 => {
                    let list = self.items();
                    let (name, body) = self.with(Variable::Item, Self::int);
                    format!("{list}.sum({name}, {body})")
                }
                _ => format!(
                    "{}.{}({})",
                    self.time(),
                    self.of(&[
                        "getDayOfWeek",
                        "year",
                        "month",
                        "getDate",
                        "getHours",
                        "getMinutes",
                        "getSeconds"
                    ]),
                    self.of(&["\"UTC\"", "\"+05:30\"", "\"-11:00\""])
                ),
            };
        }
        if let Some(variable) = self.variable(Variable::Int)
            && self.chance(2)
        {
            return variable;
        }
        if let Some(item) = self.variable(Variable::Item)
            && self.chance(2)
        {
            return format!("{item}.n");
        }
        if self.variables.is_empty() && !self.chance(8) {
            return self
                .of(&[
                    "velocity([x.s], \"1h\").count",
                    "velocity([x.s], \"1h\").distinct(x.i)",
                    "approvals()",
                ])
                .to_owned();
        }
        self.of(&[
            "0",
            "1",
            "2",
            "4",
            "x.i",
            "x.i",
            "9223372036854775807",
            "x?.oi.orValue(3)",
        ])
        .to_owned()
    }

    fn decimal(&mut self) -> String {
        if self.branch() {
            return match self.below(4) {
                0 => format!(
                    "({} {} {})",
                    self.decimal(),
                    self.of(&["+", "-", "*"]),
                    self.decimal()
                ),
                1 => format!("({} * {})", self.decimal(), self.int()),
                2 => format!("(-({}))", self.decimal()),
                _ => {
                    let list = self.items();
                    let (name, body) = self.with(Variable::Item, Self::decimal);
                    format!("{list}.sum({name}, {body})")
                }
            };
        }
        if let Some(item) = self.variable(Variable::Item)
            && self.chance(2)
        {
            return format!("{item}.q");
        }
        self.of(&["x.d", "0.5", "12345678901234567890.5", "x.amount.amount"])
            .to_owned()
    }

    fn money(&mut self) -> String {
        if self.branch() {
            return match self.below(4) {
                0 => format!(
                    "({} {} {})",
                    self.money(),
                    self.of(&["+", "-"]),
                    self.money()
                ),
                1 => format!("({} * {})", self.money(), self.int()),
                2 => format!(
                    "({} ? {} : {})",
                    self.bool_keeping_currency(),
                    self.money(),
                    self.money()
                ),
                _ => {
                    let list = self.items();
                    let start = self.money();
                    let (name, body) = self.with(Variable::Item, Self::money);
                    format!("{list}.sum({name}, {body}, {start})")
                }
            };
        }
        let literal = MONEY[self.currency];
        if let Some(item) = self.variable(Variable::Item)
            && self.chance(2)
        {
            return format!("{item}?.price.orValue({literal})");
        }
        match self.below(6) {
            0 | 1 => "x.amount".to_owned(),
            2 => format!("x?.om.orValue({literal})"),
            3 if self.variables.is_empty() => {
                "velocity([x.s, x.i], duration(\"24h\")).sum".to_owned()
            }
            4 if self.variables.is_empty() => format!(
                "account({}).{}",
                self.of(&["x.s", "\"fees\""]),
                self.of(&["posted", "available", "expected"])
            ),
            _ => literal.to_owned(),
        }
    }

    /// A bool inside a comparison of money, which must not change the currency of the literals around it.
    fn bool_keeping_currency(&mut self) -> String {
        let currency = self.currency;
        let drawn = self.bool();
        self.currency = currency;
        drawn
    }

    fn text(&mut self) -> String {
        if self.branch() {
            return match self.below(3) {
                0 => format!("({} + {})", self.text(), self.text()),
                1 => format!(
                    "({} ? {} : {})",
                    self.bool_keeping_currency(),
                    self.text(),
                    self.text()
                ),
                _ => format!(
                    "{}.{}()",
                    self.text(),
                    self.of(&[
                        "lowerAscii",
                        "upperAscii",
                        "trim",
                        "ibanCountry",
                        "bicCountry"
                    ])
                ),
            };
        }
        if let Some(variable) = self.variable(Variable::Text)
            && self.chance(2)
        {
            return variable;
        }
        if let Some(item) = self.variable(Variable::Item)
            && self.chance(2)
        {
            return format!("{item}?.label.orValue(\"k\")");
        }
        match self.below(8) {
            0 | 1 => "x.s".to_owned(),
            2 => "x.amount.currency".to_owned(),
            3 => "x?.party.name.orValue(\"none\")".to_owned(),
            4 => "(has(x.party.name) ? x.party.name : \"none\")".to_owned(),
            5 => "x?.om.currency.orValue(\"EUR\")".to_owned(),
            _ => self.quoted(),
        }
    }

    fn time(&mut self) -> String {
        if self.branch() {
            return match self.below(2) {
                0 => format!(
                    "({} {} {})",
                    self.time(),
                    self.of(&["+", "-"]),
                    self.duration()
                ),
                _ => format!(
                    "({} ? {} : {})",
                    self.bool_keeping_currency(),
                    self.time(),
                    self.time()
                ),
            };
        }
        self.of(&[
            "x.t",
            "now()",
            "timestamp(\"2026-01-01T00:00:00Z\")",
            "timestamp(\"1970-01-01T00:00:00Z\")",
        ])
        .to_owned()
    }

    fn duration(&mut self) -> String {
        if self.branch() {
            return match self.below(4) {
                0 => format!("({} - {})", self.time(), self.time()),
                1 => format!(
                    "({} {} {})",
                    self.duration(),
                    self.of(&["+", "-"]),
                    self.duration()
                ),
                2 => format!("({} * {})", self.duration(), self.int()),
                _ => format!("(-({}))", self.duration()),
            };
        }
        self.of(&["x.dur", "duration(\"24h\")", "duration(\"-90m\")"])
            .to_owned()
    }

    fn quoted(&mut self) -> String {
        let word = match self.below(8) {
            0 => String::new(),
            4 => "x:de89 3704 0044 0532 0130 00".to_owned(),
            5 => "MELIIRTHXXX".to_owned(),
            1 => "á C".to_owned(),
            2 => "EUR".to_owned(),
            3 => "ab".repeat(20 + self.below(20)),
            _ => (0..1 + self.below(4))
                .map(|_| self.of(&["a", "b", "c", " "]))
                .collect(),
        };
        format!("\"{word}\"")
    }

    fn list_of_quoted(&mut self) -> String {
        let words: Vec<String> = (0..self.below(4)).map(|_| self.quoted()).collect();
        format!("[{}]", words.join(","))
    }

    /// A document of [`SCHEMA`].
    pub(super) fn document(&mut self) -> String {
        let (amount, currency) = [
            ("10.00", "EUR"),
            ("0.01", "EUR"),
            ("170141183460469231731687303715884105727", "JPY"),
            ("5", "JPY"),
        ][self.below(4)];
        let mut members = vec![
            format!("\"amount\":\"{amount}\",\"currency\":\"{currency}\""),
            format!("\"b\":{}", self.of(&["true", "false"])),
            format!("\"d\":{}", self.of(&["0.25", "-7", "1e3", "0.5"])),
            format!("\"dur\":\"{}\"", self.of(&["PT2H", "P1D", "PT0S"])),
            format!(
                "\"i\":{}",
                self.of(&["-3", "0", "1", "4", "9223372036854775807"])
            ),
            format!("\"s\":{}", self.quoted()),
            format!(
                "\"t\":\"{}\"",
                self.of(&[
                    "2026-01-02T03:04:05Z",
                    "1970-01-01T00:00:01Z",
                    "2024-02-29T23:59:59.5Z"
                ])
            ),
            format!("\"tags\":{}", self.list_of_quoted()),
        ];
        let items: Vec<String> = (0..self.below(4)).map(|_| self.item()).collect();
        members.push(format!("\"items\":[{}]", items.join(",")));
        if self.chance(2) {
            members.push(format!("\"os\":{}", self.quoted()));
        }
        if self.chance(2) {
            members.push(format!("\"oi\":{}", self.of(&["null", "2"])));
        }
        if self.chance(2) {
            members.push(format!("\"om\":{}", self.price()));
        }
        if self.chance(2) {
            members.push(format!("\"otags\":{}", self.list_of_quoted()));
        }
        if self.chance(2) {
            let name = if self.chance(2) {
                format!("\"name\":{}", self.quoted())
            } else {
                String::new()
            };
            members.push(format!("\"party\":{{{name}}}"));
        }
        let turn = self.below(members.len());
        members.rotate_left(turn);
        format!("{{{}}}", members.join(","))
    }

    fn price(&mut self) -> &'static str {
        self.of(&[
            "{\"amount\":\"3.50\",\"currency\":\"EUR\"}",
            "{\"currency\":\"JPY\",\"amount\":\"7\"}",
        ])
    }

    fn item(&mut self) -> String {
        let mut members = vec![
            format!("\"n\":{}", self.below(4)),
            format!("\"q\":{}.5", self.below(50)),
        ];
        if self.chance(2) {
            members.push(format!("\"label\":{}", self.quoted()));
        }
        if self.chance(2) {
            members.push(format!("\"price\":{}", self.price()));
        }
        if self.chance(2) {
            members.push(format!("\"codes\":{}", self.list_of_quoted()));
        }
        format!("{{{}}}", members.join(","))
    }
}
