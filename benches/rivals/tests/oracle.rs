//! The crate `cel` as an oracle: where its semantics are ours (ints, bools, strings, lists of ints, no errors), it
//! must say the same of random conditions.

use std::collections::{BTreeMap, HashMap};

use cel::{Context, Program, Value};
use paygod_policy::{Facts, Pack, Prepared, Ruleset, Scratch, Verdict};

const SCHEMA: &str = r#"{"type":"object","required":["b","i","l","s","t"],"properties":{"b":{"type":"boolean"},
  "i":{"type":"integer"},"l":{"type":"array","items":{"type":"integer"}},"s":{"type":"string"},"t":{"type":"string"}}}"#;

/// SplitMix64.
struct Draw(u64);

impl Draw {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }

    fn of<'t>(&mut self, choices: &[&'t str]) -> &'t str {
        choices[self.below(choices.len() as u64) as usize]
    }

    fn bool(&mut self, depth: u64) -> String {
        if depth > 0 {
            return match self.below(6) {
                0 => format!("({} && {})", self.bool(depth - 1), self.bool(depth - 1)),
                1 => format!("({} || {})", self.bool(depth - 1), self.bool(depth - 1)),
                2 => format!("!({})", self.bool(depth - 1)),
                3 => format!(
                    "({} ? {} : {})",
                    self.bool(depth - 1),
                    self.bool(depth - 1),
                    self.bool(depth - 1)
                ),
                4 => format!(
                    "{}.{}(v, {} {} v)",
                    self.list(depth - 1),
                    self.of(&["exists", "all", "exists_one"]),
                    self.int(depth - 1),
                    self.of(&["==", "<", ">="])
                ),
                _ => format!("{} in {}", self.int(depth - 1), self.list(depth - 1)),
            };
        }
        match self.below(4) {
            0 => "x.b".to_owned(),
            1 => format!(
                "{} {} {}",
                self.int(1),
                self.of(&["==", "!=", "<", "<=", ">", ">="]),
                self.int(1)
            ),
            2 => format!(
                "{} {} {}",
                self.text(),
                self.of(&["==", "!=", "<", ">="]),
                self.text()
            ),
            _ => format!(
                "{}.{}({})",
                self.text(),
                self.of(&["startsWith", "endsWith", "contains"]),
                self.text()
            ),
        }
    }

    fn int(&mut self, depth: u64) -> String {
        if depth > 0 {
            return match self.below(4) {
                0 => format!(
                    "({} {} {})",
                    self.int(depth - 1),
                    self.of(&["+", "-", "*"]),
                    self.int(depth - 1)
                ),
                1 => format!(
                    "({} {} {})",
                    self.int(depth - 1),
                    self.of(&["/", "%"]),
                    self.of(&["2", "3", "7"])
                ),
                2 => format!("size({})", self.list(depth - 1)),
                _ => format!("size({})", self.text()),
            };
        }
        self.of(&["x.i", "0", "1", "5", "12"]).to_owned()
    }

    fn list(&mut self, depth: u64) -> String {
        if depth > 0 {
            return match self.below(3) {
                0 => format!("{}.map(w, w * {})", self.list(depth - 1), self.int(0)),
                1 => format!(
                    "{}.filter(w, w {} {})",
                    self.list(depth - 1),
                    self.of(&["<", ">=", "!="]),
                    self.int(0)
                ),
                _ => format!("[{}, {}]", self.int(depth - 1), self.int(0)),
            };
        }
        "x.l".to_owned()
    }

    fn text(&mut self) -> &'static str {
        self.of(&["x.s", "x.t", "\"\"", "\"a\"", "\"ab\"", "\"é\""])
    }
}

fn ours(condition: &str, json: &str) -> Verdict {
    let yaml = format!(
        "api_version: paygod/v1\nkind: Pack\nmetadata: {{ name: p, version: 1.0.0, description: d, maintainer: m }}\nspec:\n  \
         inputs:\n    - {{ name: x, type: object, source: transfer, schema: s.json }}\n  policy:\n    rules:\n      - {{ name: r, \
         decision: allow, reason: r, condition: '{condition}' }}\n"
    );
    let cases = "cases:\n  - { name: a, input: { x: {} }, expect: { decision: allow } }\n  - { name: b, input: { x: {} }, \
                 expect: { decision: deny } }\n";
    let files = [
        ("pack.yaml", yaml.as_str()),
        ("s.json", SCHEMA),
        ("tests/cases.yaml", cases),
    ];
    let files: BTreeMap<String, String> = files
        .map(|(path, text)| (path.to_owned(), text.to_owned()))
        .into();
    let pack = Pack::from_files(&files).unwrap();
    let set = Ruleset::builder().pack(pack).build().unwrap();
    let (mut scratch, mut prepared) = (Scratch::default(), Prepared::default());
    set.prepare(&mut scratch, json.as_bytes(), &mut prepared)
        .unwrap();
    set.decide(&mut scratch, &prepared, Facts::default())
        .verdict
}

#[test]
fn cel_says_the_same_where_its_semantics_are_ours() {
    let mut both = [0_u32; 2];
    for seed in 0..5_000 {
        let mut draw = Draw(seed);
        let depth = draw.below(4);
        let condition = draw.bool(depth);
        let b = draw.below(2) == 1;
        let i = [-4_i64, 0, 3, 5][draw.below(4) as usize];
        let l: Vec<i64> =
            [vec![], vec![1], vec![5, 5], vec![0, 2, 12]][draw.below(4) as usize].clone();
        let (s, t) = (draw.of(&["", "a", "abé"]), draw.of(&["b", "ab", "é"]));
        let json = format!(r#"{{"b":{b},"i":{i},"l":{l:?},"s":"{s}","t":"{t}"}}"#);
        let ours = ours(&condition, &json) == Verdict::Allow;
        let mut context = Context::default();
        let document: HashMap<String, Value> = [
            ("b", Value::Bool(b)),
            ("i", Value::Int(i)),
            ("l", Value::from(l)),
            ("s", Value::from(s)),
            ("t", Value::from(t)),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        context.add_variable_from_value("x", document);
        let cel = Program::compile(&condition).unwrap().execute(&context);
        assert_eq!(
            cel,
            Ok(Value::Bool(ours)),
            "seed {seed}\n{condition}\n{json}"
        );
        both[usize::from(ours)] += 1;
    }
    assert!(both.iter().all(|count| *count > 500), "{both:?}");
}
