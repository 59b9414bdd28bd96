//! `tests/cases.yaml`: what a pack decides on given inputs, and running it.
//!
//! A case gives the inputs by name, stand-ins for the lists, the transfers that came before (each so long
//! ago), the balances of accounts and the time; it expects a decision and, if it says so, exactly which rules gave it and what fields of the decision
//! are. Every run is also explained, so that the report tells which parts of which condition were ever true
//! and ever false.

mod matching;
mod read;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use paygod_types::{Amount, Digest, Name, Seq, Timestamp};

use super::Pack;
use super::coverage::{BranchCoverage, Branches};
use super::explain::Explanation;
use crate::decision::{Decision, Verdict};
use crate::json::Json;
use crate::list::{List, ListBuilder};
use crate::ruleset::{Prepared, Ruleset, Scratch};
use crate::window::{AccountFact, KeptFacts, WindowTally, WindowToken};

pub(super) use read::{Around, read};

/// A case, checked.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    description: String,
    pub(crate) input: BTreeMap<String, Json>,
    pub(crate) lists: BTreeMap<String, Arc<List>>,
    pub(crate) history: Vec<(i64, BTreeMap<String, Json>)>,
    accounts: BTreeMap<String, AccountFact>,
    time: Option<Timestamp>,
    pub(crate) decision: Verdict,
    rules: Option<BTreeSet<String>>,
    output: Vec<matching::Expected>,
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
    /// Why it failed, in lines; `None` if it passed.
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
    /// Each condition, and each operand in it that decides, in order.
    pub branches: Vec<BranchCoverage>,
}

impl CasesReport {
    /// Whether every case passed.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.cases.iter().all(|case| case.failure.is_none())
    }

    /// How many rules fired in some case, of how many.
    #[must_use]
    pub fn rules_covered(&self) -> Covered {
        Covered {
            covered: self.coverage.iter().filter(|rule| rule.fired > 0).count(),
            of: self.coverage.len(),
        }
    }

    /// How many outcomes of branches (each can be true and false) were seen, of how many.
    #[must_use]
    pub fn branches_covered(&self) -> Covered {
        let seen = |branch: &BranchCoverage| {
            usize::from(branch.seen_true) + usize::from(branch.seen_false)
        };
        Covered {
            covered: self.branches.iter().map(seen).sum(),
            of: self.branches.len().saturating_mul(2),
        }
    }
}

/// A share of a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Covered {
    /// So many.
    pub covered: usize,
    /// Of so many.
    pub of: usize,
}

impl Covered {
    /// Whole percent, rounded down; 100 of nothing.
    #[must_use]
    pub fn percent(self) -> usize {
        self.covered
            .saturating_mul(100)
            .checked_div(self.of)
            .unwrap_or(100)
    }
}

/// A case, or another document, that was judged: everything that explaining it needs.
pub(super) struct Judged {
    pub(super) ruleset: Ruleset,
    pub(super) prepared: Prepared,
    pub(super) facts: KeptFacts,
    pub(super) decision: Decision,
}

impl Pack {
    /// Runs the pack's cases. Lists that a case does not stand in for come from `lists`, else they are empty.
    #[must_use]
    pub fn run_cases(&self, lists: &[Arc<List>]) -> CasesReport {
        let mut fired: BTreeMap<String, usize> = BTreeMap::new();
        let mut cases = Vec::new();
        let mut branches = Branches::default();
        for case in &self.contents.cases {
            let outcome = self.judge_case(case, lists);
            if let Ok(judged) = &outcome {
                for reason in &judged.decision.reasons {
                    *fired.entry(reason.rule.rule.to_string()).or_default() += 1;
                }
                self.explain_judged(judged, &mut branches);
            }
            let failure = match &outcome {
                Err(message) => Some(message.clone()),
                Ok(judged) => difference(case, &judged.decision),
            };
            cases.push(CaseReport {
                name: case.name.clone(),
                description: case.description.clone(),
                expected: case.decision,
                found: outcome.ok().map(|judged| judged.decision),
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
            branches: branches.report(self),
            cases,
        }
    }

    /// The names of the pack's cases, in order.
    pub fn case_names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.contents.cases.iter().map(|case| case.name.as_str())
    }

    /// Explains one case, rule by rule; `None` if there is no such case.
    ///
    /// # Errors
    /// Why the case cannot be run, in words.
    pub fn explain_case(
        &self,
        name: &str,
        lists: &[Arc<List>],
    ) -> Option<Result<Explanation, String>> {
        let case = self.contents.cases.iter().find(|case| case.name == name)?;
        let judged = self.judge_case(case, lists);
        Some(judged.map(|judged| self.explain_judged(&judged, &mut Branches::default())))
    }

    pub(super) fn judge_case(&self, case: &Case, lists: &[Arc<List>]) -> Result<Judged, String> {
        let own: Vec<Arc<List>> = case.lists.values().cloned().collect();
        let ruleset = self.alone(&[own.as_slice(), lists].concat())?;
        let (mut scratch, mut prepared) = (Scratch::default(), Prepared::default());
        let mut past = Vec::new();
        for (ago, input) in &case.history {
            let document = self.document(input)?;
            ruleset
                .prepare(&mut scratch, &document, &mut prepared)
                .map_err(|e| e.to_string())?;
            let amount = prepared.amount(&ruleset);
            let counted = prepared.windows().map(|window| {
                let value = window.value.map(stand_in);
                (window.key.to_vec(), value)
            });
            past.push((ago.unsigned_abs(), amount, counted.collect::<Vec<_>>()));
        }
        let document = self.document(&case.input)?;
        ruleset
            .prepare(&mut scratch, &document, &mut prepared)
            .map_err(|e| e.to_string())?;
        let mut windows = Vec::new();
        for query in prepared.windows() {
            let mut tally = WindowTally::new(query.measure);
            for (seq, (ago, amount, counted)) in (1_u64..).zip(&past) {
                let within = u128::from(*ago) <= query.window.as_nanos();
                let found = counted.iter().find(|(key, _)| within && key == query.key);
                if let Some((_, value)) = found {
                    let added = tally.add(Seq(seq), *amount, *value);
                    added.map_err(|error| error.to_string())?;
                }
            }
            windows.push(tally.fact());
        }
        let accounts = prepared.accounts();
        let accounts = accounts.map(|query| case.accounts.get(query.id).copied());
        let facts = KeptFacts {
            accounts: accounts.collect(),
            windows,
            time: case.time,
        };
        let decision = ruleset.decide(&mut scratch, &prepared, facts.told());
        Ok(Judged {
            ruleset,
            prepared,
            facts,
            decision,
        })
    }

    /// A ruleset of this pack alone; of two lists of one name the first is taken, and one that is not given
    /// is empty.
    pub(super) fn alone(&self, lists: &[Arc<List>]) -> Result<Ruleset, String> {
        let mut builder = Ruleset::builder().pack(self.clone());
        for name in &self.contents.lists {
            let known = lists.iter().find(|l| l.named().name.as_str() == name);
            let list = if let Some(list) = known {
                Arc::clone(list)
            } else {
                let name = Name::parse(name).map_err(|e| e.to_string())?;
                let list = ListBuilder::new(name, "empty").build();
                Arc::new(list.map_err(|e| e.to_string())?)
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

/// What a decision has that a case did not expect, a line each: the verdicts, the rules one way and the
/// other, the fields.
fn difference(case: &Case, decision: &Decision) -> Option<String> {
    let mut lines = Vec::new();
    if decision.verdict != case.decision {
        lines.push(format!(
            "expected {}, found {}",
            case.decision, decision.verdict
        ));
    }
    let found: BTreeSet<&str> = decision
        .reasons
        .iter()
        .map(|r| r.rule.rule.as_str())
        .collect();
    if let Some(expected) = &case.rules {
        for rule in expected
            .iter()
            .filter(|rule| !found.contains(rule.as_str()))
        {
            lines.push(format!("- {rule}: expected, and said nothing"));
        }
    }
    for reason in &decision.reasons {
        let rule = reason.rule.rule.as_str();
        let unexpected = match &case.rules {
            Some(expected) => !expected.contains(rule),
            // Without rules to compare with, those that gave a wrong verdict are told.
            None => decision.verdict != case.decision,
        };
        if unexpected {
            let facts: Vec<String> = reason
                .facts
                .iter()
                .map(|(key, value)| format!("{key}={value}"))
                .collect();
            let told = if facts.is_empty() {
                String::new()
            } else {
                format!(" ({})", facts.join(", "))
            };
            lines.push(format!(
                "+ {rule}: {}, {}{told}",
                reason.rule.decision, reason.rule.reason
            ));
        }
    }
    let output = matching::output(decision);
    for expected in &case.output {
        lines.extend(expected.differences(&output));
    }
    (!lines.is_empty()).then(|| lines.join("\n"))
}

impl Prepared {
    /// The transfer's amount, for sums over a case's history.
    fn amount(&self, ruleset: &Ruleset) -> Amount {
        ruleset.transfer_amount(self).unwrap_or_default()
    }
}

/// What stands for a counted value outside a book, where there is no key to make tokens with.
fn stand_in(value: &[u8]) -> WindowToken {
    WindowToken(Digest::sha256(value).first_half())
}
