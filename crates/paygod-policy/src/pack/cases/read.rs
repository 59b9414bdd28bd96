//! `tests/cases.yaml` as it is written, and checking it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use paygod_types::{Currency, Money, Name, Timestamp};
use serde::Deserialize;
use serde_saphyr::Spanned;

use super::Case;
use super::matching::{Expected, RawMatch};
use crate::decision::Verdict;
use crate::json::Json;
use crate::lang::ty::parse_duration;
use crate::limits::{CASE_HISTORY_MAX, CASES_MAX};
use crate::list::{List, ListBuilder};
use crate::pack::problem::PackProblem;
use crate::pack::{Rule, place, yaml};
use crate::window::AccountFact;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// Stand-ins for every case that has none of its own.
    #[serde(default)]
    lists: BTreeMap<String, RawList>,
    cases: Vec<RawCase>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCase {
    name: Spanned<String>,
    #[serde(default)]
    description: String,
    #[serde(default)]
    input: BTreeMap<String, Json>,
    #[serde(default)]
    files: BTreeMap<String, Spanned<String>>,
    #[serde(default)]
    lists: BTreeMap<String, RawList>,
    #[serde(default)]
    history: Vec<RawPast>,
    /// Balances before this transfer, by account id.
    #[serde(default)]
    accounts: BTreeMap<String, RawAccount>,
    /// What `now()` is.
    #[serde(default)]
    time: Option<Spanned<String>>,
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
    /// So many of them, all at that time.
    #[serde(default)]
    times: Option<Spanned<usize>>,
    input: BTreeMap<String, Json>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAccount {
    currency: Spanned<String>,
    posted: Spanned<String>,
    /// As `posted`, unless told.
    #[serde(default)]
    available: Option<Spanned<String>>,
    /// As `posted`, unless told.
    #[serde(default)]
    expected: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawExpect {
    decision: Spanned<String>,
    #[serde(default)]
    rules: Option<Vec<Spanned<String>>>,
    #[serde(default)]
    output: BTreeMap<String, RawMatch>,
}

/// Reasons that the kernel gives by itself, which a case may expect too.
const OWN_RULES: [&str; 3] = ["no-rule-matched", "input-invalid", "fuel-exhausted"];

/// What a file of cases is checked against.
#[derive(Clone, Copy)]
pub(crate) struct Around<'a> {
    /// The pack's files, which cases may name as inputs.
    pub(crate) files: &'a BTreeMap<String, String>,
    pub(crate) rules: &'a [Rule],
}

/// Reads and checks the cases of a pack.
pub(crate) fn read(
    file: &str,
    source: &str,
    around: Around<'_>,
) -> Result<Vec<Case>, Vec<PackProblem>> {
    let parsed: File = yaml::read(file, source).map_err(|problem| vec![problem])?;
    if parsed.cases.len() > CASES_MAX {
        let message = format!(
            "there are {} cases, {CASES_MAX} are allowed",
            parsed.cases.len()
        );
        return Err(vec![PackProblem::of_file(file, message)]);
    }
    let mut reader = Reader {
        file,
        source,
        around,
        problems: Vec::new(),
    };
    let mut shared = BTreeMap::new();
    for (name, list) in &parsed.lists {
        match stand_in(name, list) {
            Ok(list) => {
                shared.insert(name.clone(), Arc::new(list));
            }
            Err(message) => reader.problems.push(PackProblem::of_file(file, message)),
        }
    }
    let mut names = BTreeSet::new();
    let mut cases = Vec::new();
    for raw in parsed.cases {
        if !names.insert(raw.name.value.clone()) {
            let message = format!("the case `{}` stands twice", raw.name.value);
            reader.fail(&raw.name, message);
        }
        cases.extend(reader.case(raw, &shared));
    }
    let mut problems = reader.problems;
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

struct Reader<'a> {
    file: &'a str,
    source: &'a str,
    around: Around<'a>,
    problems: Vec<PackProblem>,
}

impl Reader<'_> {
    fn fail(&mut self, at: &Spanned<String>, message: String) {
        self.problems
            .push(PackProblem::at(self.file, self.source, place(at), message));
    }

    fn case(&mut self, raw: RawCase, shared: &BTreeMap<String, Arc<List>>) -> Option<Case> {
        let mut input = raw.input;
        for (name, path) in &raw.files {
            match self.file_input(path) {
                Ok(_) if input.contains_key(name) => self.fail(
                    path,
                    format!("the input `{name}` stands both here and under `input`; keep one"),
                ),
                Ok(document) => {
                    input.insert(name.clone(), document);
                }
                Err(message) => self.fail(path, message),
            }
        }
        let decision = self.decision(&raw.expect.decision);
        for rule in raw.expect.rules.iter().flatten() {
            let known = self
                .around
                .rules
                .iter()
                .any(|r| r.info.rule.as_str() == rule.value)
                || OWN_RULES.contains(&rule.value.as_str());
            if !known {
                self.fail(rule, format!("the pack has no rule `{}`", rule.value));
            }
        }
        let mut history = Vec::new();
        for past in raw.history {
            let times = past.times.as_ref().map_or(1, |times| times.value);
            if history.len().saturating_add(times) > CASE_HISTORY_MAX {
                let message = format!("a case has at most {CASE_HISTORY_MAX} transfers before it");
                self.fail(&past.ago, message);
                break;
            }
            // `0s`: a linked transfer before the judged one.
            match parse_duration(&past.ago.value).filter(|ns| *ns >= 0) {
                Some(ns) => history.extend(vec![(ns, past.input); times]),
                None => {
                    let message = format!(
                        "`{}` is no duration; write it as `2h` or `30m`, or `0s` for a linked transfer",
                        past.ago.value
                    );
                    self.fail(&past.ago, message);
                }
            }
        }
        let mut lists = shared.clone();
        for (name, list) in raw.lists {
            match stand_in(&name, &list) {
                Ok(list) => {
                    lists.insert(name, Arc::new(list));
                }
                Err(message) => self.fail(&raw.name, message),
            }
        }
        let mut accounts = BTreeMap::new();
        for (id, account) in raw.accounts {
            if let Some(fact) = self.account(&account) {
                accounts.insert(id, fact);
            }
        }
        let time = raw.time.as_ref().and_then(|given| {
            let time = Timestamp::parse_rfc3339(&given.value);
            if let Err(error) = &time {
                self.fail(given, error.to_string());
            }
            time.ok()
        });
        let mut output = Vec::new();
        for (field, matchers) in raw.expect.output {
            match Expected::read(field, matchers) {
                Ok(expected) => output.push(expected),
                Err(message) => self.fail(&raw.name, message),
            }
        }
        let rules = raw
            .expect
            .rules
            .map(|rules| rules.into_iter().map(|r| r.value).collect());
        Some(Case {
            name: raw.name.value,
            description: raw.description,
            input,
            lists,
            history,
            accounts,
            time,
            decision: decision?,
            rules,
            output,
        })
    }

    fn account(&mut self, given: &RawAccount) -> Option<AccountFact> {
        let currency = match Currency::parse(&given.currency.value) {
            Ok(currency) => currency,
            Err(error) => {
                self.fail(&given.currency, error.to_string());
                return None;
            }
        };
        let mut amount = |given: &Spanned<String>| match Money::parse(&given.value, currency) {
            Ok(money) => Some(money.amount),
            Err(error) => {
                self.fail(given, error.to_string());
                None
            }
        };
        let posted = amount(&given.posted)?;
        let mut or_posted = |given: &Option<Spanned<String>>| match given {
            Some(given) => amount(given),
            None => Some(posted),
        };
        Some(AccountFact {
            currency,
            posted,
            available: or_posted(&given.available)?,
            expected: or_posted(&given.expected)?,
        })
    }

    fn decision(&mut self, given: &Spanned<String>) -> Option<Verdict> {
        let decision = Verdict::parse(&given.value);
        if decision.is_none() {
            let message = format!(
                "the decision `{}` is unknown; write `allow`, `flag`, `review` or `deny`",
                given.value
            );
            self.fail(given, message);
        }
        decision
    }

    /// A JSON file of the pack as an input, as `paygod run` would read it.
    fn file_input(&self, path: &Spanned<String>) -> Result<Json, String> {
        let Some(text) = self.around.files.get(&path.value) else {
            return Err(format!(
                "the pack has no file `{}`; write its path from the pack's folder",
                path.value
            ));
        };
        let document = Json::parse(text).map_err(|error| {
            format!(
                "`{}` is not JSON: {} at byte {}",
                path.value, error.reason, error.offset
            )
        })?;
        Ok(document.into_document())
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
