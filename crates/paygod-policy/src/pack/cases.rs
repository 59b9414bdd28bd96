//! `tests/cases.yaml`: what a pack decides on given inputs, and running it.
//!
//! A case gives the inputs by name, stand-ins for the lists, and the transfers that came before (each so long
//! ago); it expects a decision and, if it says so, exactly which rules gave it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use paygod_types::{Amount, Name, Seq};
use serde::Deserialize;
use serde_saphyr::Spanned;

use super::problem::PackProblem;
use super::{Pack, Rule, place, yaml};
use crate::decision::{Decision, Verdict};
use crate::json::Json;
use crate::lang::ty::parse_duration;
use crate::limits::CASES_MAX;
use crate::list::{List, ListBuilder};
use crate::ruleset::{Prepared, Ruleset, Scratch};
use crate::window::WindowFact;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    cases: Vec<RawCase>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCase {
    name: Spanned<String>,
    #[serde(default)]
    description: String,
    input: BTreeMap<String, Json>,
    #[serde(default)]
    lists: BTreeMap<String, RawList>,
    #[serde(default)]
    history: Vec<RawPast>,
    expect: RawExpect,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawList {
    version: String,
    entries: Vec<RawEntry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEntry {
    uid: String,
    names: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPast {
    ago: Spanned<String>,
    input: BTreeMap<String, Json>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawExpect {
    decision: Spanned<String>,
    #[serde(default)]
    rules: Option<Vec<Spanned<String>>>,
}

/// A case, checked.
#[derive(Debug)]
pub(crate) struct Case {
    name: String,
    description: String,
    input: BTreeMap<String, Json>,
    lists: BTreeMap<String, Arc<List>>,
    history: Vec<(i64, BTreeMap<String, Json>)>,
    decision: Verdict,
    rules: Option<BTreeSet<String>>,
}

/// Reasons that the kernel gives by itself, which a case may expect too.
const OWN_RULES: [&str; 3] = ["no-rule-matched", "input-invalid", "fuel-exhausted"];

/// Reads and checks the cases of a pack.
pub(super) fn read(
    file: &str,
    source: &str,
    rules: &[Rule],
) -> Result<Vec<Case>, Vec<PackProblem>> {
    let parsed: File = yaml::read(file, source).map_err(|problem| vec![problem])?;
    let mut problems = Vec::new();
    let mut names = BTreeSet::new();
    let mut cases = Vec::new();
    if parsed.cases.len() > CASES_MAX {
        let message = format!(
            "there are {} cases, {CASES_MAX} are allowed",
            parsed.cases.len()
        );
        return Err(vec![PackProblem::of_file(file, message)]);
    }
    for raw in parsed.cases {
        let mut fail = |at: &Spanned<String>, message: String| {
            problems.push(PackProblem::at(file, source, place(at), message));
        };
        if !names.insert(raw.name.value.clone()) {
            fail(
                &raw.name,
                format!("the case `{}` stands twice", raw.name.value),
            );
        }
        let decision = Verdict::parse(&raw.expect.decision.value);
        if decision.is_none() {
            let given = &raw.expect.decision.value;
            let message = format!(
                "the decision `{given}` is unknown; write `allow`, `flag`, `review` or `deny`"
            );
            fail(&raw.expect.decision, message);
        }
        for rule in raw.expect.rules.iter().flatten() {
            let known = rules.iter().any(|r| r.info.rule.as_str() == rule.value)
                || OWN_RULES.contains(&rule.value.as_str());
            if !known {
                fail(rule, format!("the pack has no rule `{}`", rule.value));
            }
        }
        let mut history = Vec::new();
        for past in raw.history {
            match parse_duration(&past.ago.value).filter(|ns| *ns > 0) {
                Some(ns) => history.push((ns, past.input)),
                None => fail(
                    &past.ago,
                    format!(
                        "`{}` is no duration; write it as `2h` or `30m`",
                        past.ago.value
                    ),
                ),
            }
        }
        let mut lists = BTreeMap::new();
        for (name, list) in raw.lists {
            match stand_in(&name, &list) {
                Ok(list) => {
                    lists.insert(name, Arc::new(list));
                }
                Err(message) => fail(&raw.name, message),
            }
        }
        let rules = raw
            .expect
            .rules
            .map(|rules| rules.into_iter().map(|r| r.value).collect());
        if let Some(decision) = decision {
            let (name, description, input) = (raw.name.value, raw.description, raw.input);
            cases.push(Case {
                name,
                description,
                input,
                lists,
                history,
                decision,
                rules,
            });
        }
    }
    for needed in [Verdict::Allow, Verdict::Deny] {
        if problems.is_empty() && !cases.iter().any(|c| c.decision == needed) {
            let message =
                format!("no case expects `{needed}`; a pack needs at least one allow and one deny");
            problems.push(PackProblem::of_file(file, message));
        }
    }
    if problems.is_empty() {
        Ok(cases)
    } else {
        Err(problems)
    }
}

fn stand_in(name: &str, list: &RawList) -> Result<List, String> {
    let name = Name::parse(name).map_err(|error| error.to_string())?;
    let mut builder = ListBuilder::new(name, &list.version);
    for entry in &list.entries {
        builder.entry(&entry.uid, entry.names.iter().map(String::as_str));
    }
    builder.build().map_err(|error| error.to_string())
}

/// How one case went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseReport {
    /// The case.
    pub name: String,
    /// What it is about.
    pub description: String,
    /// The decision expected.
    pub expected: Verdict,
    /// The decision made; `None` if the case could not be run.
    pub found: Option<Decision>,
    /// Why it failed; `None` if it passed.
    pub failure: Option<String>,
}

/// How often a rule fired over all cases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleCoverage {
    /// The rule.
    pub rule: String,
    /// In how many cases it fired or erred.
    pub fired: usize,
}

/// How all cases of a pack went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CasesReport {
    /// Each case, in order.
    pub cases: Vec<CaseReport>,
    /// Each rule, in order.
    pub coverage: Vec<RuleCoverage>,
}

impl CasesReport {
    /// Whether every case passed.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.cases.iter().all(|case| case.failure.is_none())
    }
}

impl Pack {
    /// Runs the pack's cases. Lists that a case does not stand in for come from `lists`, else they are empty.
    #[must_use]
    pub fn run_cases(&self, lists: &[Arc<List>]) -> CasesReport {
        let mut fired: BTreeMap<String, usize> = BTreeMap::new();
        let mut cases = Vec::new();
        for case in &self.contents.cases {
            let outcome = self.run_case(case, lists);
            if let Ok(decision) = &outcome {
                for reason in &decision.reasons {
                    *fired.entry(reason.rule.rule.to_string()).or_default() += 1;
                }
            }
            let failure = match &outcome {
                Err(message) => Some(message.clone()),
                Ok(decision) => difference(case, decision),
            };
            cases.push(CaseReport {
                name: case.name.clone(),
                description: case.description.clone(),
                expected: case.decision,
                found: outcome.ok(),
                failure,
            });
        }
        let coverage = self.contents.rules.iter().map(|rule| {
            let name = rule.info.rule.to_string();
            let times = fired.get(&name).copied().unwrap_or(0);
            RuleCoverage {
                rule: name,
                fired: times,
            }
        });
        CasesReport {
            coverage: coverage.collect(),
            cases,
        }
    }

    fn run_case(&self, case: &Case, lists: &[Arc<List>]) -> Result<Decision, String> {
        let ruleset = self.case_ruleset(case, lists)?;
        let (mut scratch, mut prepared) = (Scratch::default(), Prepared::default());
        let mut past = Vec::new();
        for (ago, input) in &case.history {
            let document = self.document(input)?;
            ruleset
                .prepare(&mut scratch, &document, &mut prepared)
                .map_err(|e| e.to_string())?;
            let amount = prepared.amount(&ruleset);
            let keys: Vec<Vec<u8>> = prepared.windows().map(|w| w.key.to_vec()).collect();
            past.push((ago.unsigned_abs(), amount, keys));
        }
        let document = self.document(&case.input)?;
        ruleset
            .prepare(&mut scratch, &document, &mut prepared)
            .map_err(|e| e.to_string())?;
        let mut facts = Vec::new();
        for query in prepared.windows() {
            let mut fact = WindowFact::default();
            for (seq, (ago, amount, keys)) in (1_u64..).zip(&past) {
                let within = u128::from(*ago) <= query.window.as_nanos();
                if within && keys.iter().any(|key| key == query.key) {
                    fact.count += 1;
                    fact.sum = fact
                        .sum
                        .checked_add(*amount)
                        .ok_or("the history's sum overflows")?;
                    fact.last_seq = Some(Seq(seq));
                }
            }
            facts.push(fact);
        }
        Ok(ruleset.decide(&mut scratch, &prepared, &facts))
    }

    fn case_ruleset(&self, case: &Case, lists: &[Arc<List>]) -> Result<Ruleset, String> {
        let mut builder = Ruleset::builder().pack(self.clone());
        for name in &self.contents.lists {
            let list = match case.lists.get(name) {
                Some(list) => Arc::clone(list),
                None => match lists.iter().find(|l| l.named().name.as_str() == name) {
                    Some(list) => Arc::clone(list),
                    None => {
                        let name = Name::parse(name).map_err(|e| e.to_string())?;
                        let list = ListBuilder::new(name, "empty").build();
                        Arc::new(list.map_err(|e| e.to_string())?)
                    }
                },
            };
            builder = builder.list(list);
        }
        builder.build().map_err(|error| error.to_string())
    }

    /// Puts the inputs of a case where they stand in a transfer.
    fn document(&self, inputs: &BTreeMap<String, Json>) -> Result<Vec<u8>, String> {
        let mut root = Json::Object(Vec::new());
        let mut placed: Vec<(&[String], &Json)> = Vec::new();
        for (name, value) in inputs {
            let Some((_, path)) = self.contents.inputs.iter().find(|(known, _)| known == name)
            else {
                return Err(format!("the pack has no input `{name}`"));
            };
            placed.push((path, value));
        }
        placed.sort_by_key(|(path, _)| path.len());
        for (path, value) in placed {
            put(&mut root, path, value)?;
        }
        let mut out = Vec::new();
        root.write(&mut out);
        Ok(out)
    }
}

fn put(root: &mut Json, path: &[String], value: &Json) -> Result<(), String> {
    let Some((first, rest)) = path.split_first() else {
        *root = value.clone();
        return Ok(());
    };
    let Json::Object(members) = root else {
        return Err(format!(
            "`{first}` has no place, because what holds it is no object"
        ));
    };
    if let Some((_, inner)) = members.iter_mut().find(|(name, _)| name == first) {
        return put(inner, rest, value);
    }
    let mut inner = Json::Object(Vec::new());
    put(&mut inner, rest, value)?;
    members.push((first.clone(), inner));
    Ok(())
}

/// What a decision has that a case did not expect.
fn difference(case: &Case, decision: &Decision) -> Option<String> {
    let found: BTreeSet<String> = decision
        .reasons
        .iter()
        .map(|r| r.rule.rule.to_string())
        .collect();
    let listed = |rules: &BTreeSet<String>| {
        if rules.is_empty() {
            "none".to_owned()
        } else {
            rules.iter().cloned().collect::<Vec<_>>().join(", ")
        }
    };
    if decision.verdict != case.decision {
        return Some(format!(
            "expected {}, found {} by {}",
            case.decision,
            decision.verdict,
            listed(&found)
        ));
    }
    match &case.rules {
        Some(expected) if *expected != found => Some(format!(
            "expected the rules {}, found {}",
            listed(expected),
            listed(&found)
        )),
        _ => None,
    }
}

impl Prepared {
    /// The transfer's amount, for sums over a case's history.
    fn amount(&self, ruleset: &Ruleset) -> Amount {
        ruleset.transfer_amount(self).unwrap_or_default()
    }
}
