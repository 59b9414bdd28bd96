//! The tree of a decision: every part of every condition with the value it had.
//!
//! Each part is compiled and run by the machine that judges, on the same document, lists and windows; nothing
//! is evaluated in a second way that could tell another story. A part that the decision never looked at
//! (behind a `&&` that was already false) is told as such, not evaluated.
//!
//! An explanation shows values of the judged document, names and account numbers among them: it is for the
//! person who may see that document, and never stands in an entry.

use core::fmt::Write as _;

use paygod_types::Timestamp;
use paygod_types::limits::APPROVALS_MAX;

use super::coverage::{Branches, is_literal};
use super::typed;
use super::{Pack, cases::Judged};
use crate::decision::{Decision, RuleInfo, Verdict};
use crate::eval::program::{Inputs, Machine};
use crate::eval::{Answers, EvalError, Fuel, Links, Value, compile};
use crate::lang::check::Collected;
use crate::lang::typed::{Kind, Quantifier, Typed};
use crate::limits::{EXPLAINED_BYTES_MAX, EXPLAINED_ELEMENTS_MAX, EXPLAINED_STEPS_MAX};
use crate::list::List;
use crate::ruleset::{AccountSite, PrepareError, Prepared, Ruleset, Scratch, Site};
use crate::run::judgeable;
use crate::window::{KeptFacts, Measure, WindowFact};
use std::sync::Arc;

/// A decision and how each rule came to its part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The decision.
    pub decision: Decision,
    /// Every rule, in order.
    pub rules: Vec<RuleExplanation>,
}

/// How one rule came to fire, or not to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleExplanation {
    /// The rule.
    pub rule: String,
    /// What it says when it fires.
    pub says: Verdict,
    /// Its reason.
    pub reason: String,
    /// What became of it.
    pub outcome: RuleOutcome,
    /// Its condition; `None` if the input is not what the pack describes, so that nothing was evaluated.
    pub condition: Option<Step>,
}

/// What became of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleOutcome {
    /// Its condition held.
    Fired,
    /// Its condition did not hold.
    Silent,
    /// Its condition could not be evaluated, which denies.
    Erred,
    /// It was not evaluated, because the input is not what the pack describes.
    NotRun,
}

impl RuleOutcome {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fired => "fired",
            Self::Silent => "silent",
            Self::Erred => "erred",
            Self::NotRun => "not-run",
        }
    }
}

/// A part of a condition and the value it had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The part, as the pack writes it.
    pub text: String,
    /// Its value as conditions spell values, or why it has none.
    pub value: String,
    /// Whether it was true, if it is a bool and was looked at.
    pub truth: Option<bool>,
    /// The list and entry it hit, the window it read.
    pub notes: Vec<String>,
    /// Its own parts, literals left out.
    pub steps: Vec<Step>,
}

/// The value of a part that the decision did not depend on.
const NOT_LOOKED_AT: &str = "not looked at";
/// The value of a field that is not there.
const ABSENT: &str = "absent";

impl Pack {
    /// Judges a document (an array as the `items` of an object) by this pack alone and explains it. There is no
    /// history: every window is empty. There is no book: no account has a balance. Lists that are not given are
    /// empty; `time` is `now()`.
    ///
    /// # Errors
    /// The document is neither a JSON object nor an array.
    pub fn explain_document(
        &self,
        document: &[u8],
        lists: &[Arc<List>],
        time: Option<Timestamp>,
    ) -> Result<Explanation, PrepareError> {
        let unlinked = |_| PrepareError::Malformed {
            offset: 0,
            reason: "the pack cannot be linked",
        };
        let ruleset = self.alone(lists).map_err(unlinked)?;
        let (mut scratch, mut prepared) = (Scratch::default(), Prepared::default());
        ruleset.prepare(&mut scratch, &judgeable(document), &mut prepared)?;
        let facts = KeptFacts {
            windows: vec![WindowFact::default(); prepared.windows().len()],
            accounts: vec![None; prepared.accounts().len()],
            time,
        };
        let decision = ruleset.decide(&mut scratch, &prepared, facts.told());
        let judged = Judged {
            ruleset,
            prepared,
            facts,
            decision,
        };
        Ok(self.explain_judged(&judged, &mut Branches::default()))
    }

    pub(super) fn explain_judged(&self, judged: &Judged, branches: &mut Branches) -> Explanation {
        let rules = self.contents.rules.iter().enumerate();
        let mut explained = Vec::new();
        for (index, rule) in rules {
            branches.rule = index;
            let condition = self.explain_rule(index, judged, branches);
            let outcome = match &condition {
                None => RuleOutcome::NotRun,
                Some(step) => match step.truth {
                    Some(true) => RuleOutcome::Fired,
                    Some(false) => RuleOutcome::Silent,
                    None => RuleOutcome::Erred,
                },
            };
            let RuleInfo {
                rule,
                decision,
                reason,
                ..
            } = &*rule.info;
            explained.push(RuleExplanation {
                rule: rule.to_string(),
                says: *decision,
                reason: reason.clone(),
                outcome,
                condition,
            });
        }
        Explanation {
            decision: judged.decision.clone(),
            rules: explained,
        }
    }

    fn explain_rule(&self, index: usize, judged: &Judged, branches: &mut Branches) -> Option<Step> {
        let rule = self.contents.rules.get(index)?;
        let Judged {
            ruleset,
            prepared,
            facts,
            ..
        } = judged;
        let shape = ruleset.shapes.first()?;
        let document = prepared.sound(0)?;
        let mut collected = Collected::default();
        let scope = rule.scope(shape, &self.contents.inputs);
        let condition = typed(&rule.text, scope, &mut collected).ok()?;
        let lists: Vec<u32> = collected
            .lists
            .iter()
            .filter_map(|name| {
                let mut held = ruleset.contents.iter();
                let at = held.position(|list| list.named().name.as_str() == name)?;
                u32::try_from(at).ok()
            })
            .collect();
        let sites: Vec<u32> = collected
            .sites
            .into_iter()
            .filter_map(|site| {
                let site = Site::new(0, shape, site);
                let at = ruleset.sites.iter().position(|known| *known == site)?;
                u32::try_from(at).ok()
            })
            .collect();
        let accounts: Vec<u32> = collected
            .accounts
            .into_iter()
            .filter_map(|id| {
                let site = AccountSite::new(0, id);
                let at = ruleset.accounts.iter().position(|known| *known == site)?;
                u32::try_from(at).ok()
            })
            .collect();
        let asked = prepared.asked_sites();
        let asked_accounts = prepared.asked_accounts();
        let told = |approvals| Answers::Given {
            sites: &asked,
            windows: &facts.windows,
            account_sites: &asked_accounts,
            accounts: &facts.accounts,
            time: facts.time,
            approvals,
        };
        let mut explainer = Explainer {
            text: &rule.text,
            ruleset,
            links: Links {
                lists: &lists,
                sites: &sites,
                accounts: &accounts,
                amount: shape.amount,
            },
            inputs: Inputs {
                document,
                lists: &ruleset.contents,
                answers: told(0),
            },
            machine: Machine::default(),
            variables: Vec::new(),
            steps_left: EXPLAINED_STEPS_MAX,
            branches,
        };
        let explained = explainer.step(&condition, true);
        // A rule that holds is asked again with one approval more each time, until it no longer does: its branches
        // have seen that too.
        if ruleset.rules.get(index)?.approvals && explained.truth == Some(true) {
            for approvals in 1..=APPROVALS_MAX {
                explainer.inputs.answers = told(approvals);
                if explainer.step(&condition, true).truth != Some(true) {
                    break;
                }
            }
        }
        Some(explained)
    }
}

struct Explainer<'a> {
    text: &'a str,
    ruleset: &'a Ruleset,
    links: Links<'a>,
    inputs: Inputs<'a>,
    machine: Machine,
    /// What each loop variable stands for.
    variables: Vec<Value>,
    steps_left: usize,
    branches: &'a mut Branches,
}

impl Explainer<'_> {
    /// One part. `deciding`: it is a condition, or an operand of `&&`, `||` or `?:`.
    fn step(&mut self, part: &Typed, deciding: bool) -> Step {
        self.steps_left = self.steps_left.saturating_sub(1);
        let program = compile(part, self.links);
        self.machine.fuel = Fuel::default();
        self.machine.hits.clear();
        let shown = self.machine.show(&program, self.inputs, &self.variables);
        let notes = self.notes(part);
        let (value, truth) = match shown {
            Ok(shown) => shown,
            Err(error) => (told(error), None),
        };
        if deciding && let Some(truth) = truth {
            self.branches.saw(part.span, truth);
        }
        if self.machine.kept_bytes() > EXPLAINED_BYTES_MAX {
            self.steps_left = 0;
        }
        let steps = if self.steps_left == 0 {
            Vec::new()
        } else {
            self.parts(part)
        };
        Step {
            text: self.text_of(part),
            value,
            truth,
            notes,
            steps,
        }
    }

    fn text_of(&self, part: &Typed) -> String {
        let written = self.text.get(part.span.start..part.span.end);
        let words: Vec<&str> = written.unwrap_or_default().split_whitespace().collect();
        words.join(" ")
    }

    fn parts(&mut self, part: &Typed) -> Vec<Step> {
        match &part.kind {
            Kind::And(operands) => self.operands(operands, false),
            Kind::Or(operands) => self.operands(operands, true),
            Kind::Conditional(condition, then, otherwise) => {
                let asked = self.step(condition, true);
                let (taken, left) = match asked.truth {
                    Some(false) => (otherwise, then),
                    _ => (then, otherwise),
                };
                let taken = self.step(taken, false);
                let left = self.unseen(left);
                vec![asked, taken, left]
            }
            Kind::Quantified {
                quantifier,
                list,
                variable,
                body,
            } => {
                let stop = match quantifier {
                    Quantifier::Exists => Some(true),
                    Quantifier::All => Some(false),
                    Quantifier::ExistsOne => None,
                };
                self.elements(list, *variable, (body, true), stop)
            }
            Kind::Filter {
                list,
                variable,
                body,
            } => self.elements(list, *variable, (body, true), None),
            Kind::Map {
                list,
                variable,
                body,
            }
            | Kind::Sum {
                list,
                variable,
                body,
                ..
            } => self.elements(list, *variable, (body, false), None),
            Kind::OrValue {
                then, otherwise, ..
            } => {
                let then = self.step(then, false);
                let otherwise = if then.value == ABSENT {
                    self.step(otherwise, false)
                } else {
                    self.unseen(otherwise)
                };
                vec![then, otherwise]
            }
            other => {
                let parts = other.children();
                let parts = parts.into_iter().filter(|part| !is_literal(&part.kind));
                parts.map(|part| self.step(part, false)).collect()
            }
        }
    }

    /// The operands of `&&` or `||`, up to the one that settles it.
    fn operands(&mut self, operands: &[Typed], settles: bool) -> Vec<Step> {
        let mut steps = Vec::new();
        let mut settled = false;
        for operand in operands {
            if settled {
                steps.push(self.unseen(operand));
                continue;
            }
            let step = self.step(operand, true);
            settled = step.truth.is_none_or(|truth| truth == settles);
            steps.push(step);
        }
        steps
    }

    fn unseen(&self, part: &Typed) -> Step {
        Step {
            text: self.text_of(part),
            value: NOT_LOOKED_AT.to_owned(),
            truth: None,
            notes: Vec::new(),
            steps: Vec::new(),
        }
    }

    /// The body of a loop for each element, up to the one that settles it. Of a long list the first elements
    /// and the settling one are shown.
    fn elements(
        &mut self,
        list: &Typed,
        variable: usize,
        (body, deciding): (&Typed, bool),
        stop: Option<bool>,
    ) -> Vec<Step> {
        let mut steps = Vec::new();
        // A list that is no field is a part of its own.
        let name = if let Kind::Field(field) = &list.kind {
            field.path.to_string()
        } else {
            steps.push(self.step(list, false));
            "element".to_owned()
        };
        let shown = steps.len();
        let program = compile(list, self.links);
        let elements = self
            .machine
            .elements(&program, self.inputs, &self.variables)
            .unwrap_or_default();
        let outer = self.variables.len();
        let mut left_out = 0_usize;
        for (index, element) in elements.into_iter().enumerate() {
            self.variables.truncate(variable);
            self.variables.push(element);
            let step = self.step(body, deciding);
            let settled = stop.is_some() && step.truth == stop;
            if settled || steps.len() < shown + EXPLAINED_ELEMENTS_MAX {
                steps.push(Step {
                    text: format!("{name}[{index}]"),
                    value: step.value.clone(),
                    truth: step.truth,
                    notes: Vec::new(),
                    steps: vec![step],
                });
            } else {
                left_out += 1;
            }
            if settled || self.steps_left == 0 {
                break;
            }
        }
        self.variables.truncate(outer);
        if left_out > 0 {
            steps.push(Step {
                text: format!("{left_out} more"),
                value: "left out".to_owned(),
                truth: None,
                notes: Vec::new(),
                steps: Vec::new(),
            });
        }
        steps
    }

    /// What a part read that does not stand in the document.
    fn notes(&self, part: &Typed) -> Vec<String> {
        match &part.kind {
            Kind::Listed { list, .. } => {
                let at = self.links.lists.get(*list).copied();
                let held = at
                    .and_then(|at| usize::try_from(at).ok())
                    .and_then(|at| self.ruleset.contents.get(at));
                held.map(|list| self.list_note(list)).into_iter().collect()
            }
            Kind::WindowCount(site) | Kind::WindowSum(site) | Kind::WindowDistinct(site) => {
                let site = self.links.sites.get(*site).copied();
                site.map(|site| self.window_note(site))
                    .into_iter()
                    .collect()
            }
            Kind::Account(site, _) => {
                let site = self.links.accounts.get(*site).copied();
                let known =
                    site.and_then(|site| self.ruleset.accounts.get(usize::try_from(site).ok()?));
                known
                    .map(|site| format!("of the account that `{}` names", site.label))
                    .into_iter()
                    .collect()
            }
            _ => Vec::new(),
        }
    }

    fn list_note(&self, list: &List) -> String {
        let named = list.named();
        let digest: String = named.digest.to_string().chars().take(16).collect();
        let what = format!("{} {} ({digest}…)", named.name, named.version);
        match self.machine.hits.last() {
            Some(note) => format!(
                "on {what} as entry {}, {} match",
                list.uid(note.hit.entry),
                note.hit.kind.as_str()
            ),
            None => format!("not on {what}"),
        }
    }

    fn window_note(&self, site: u32) -> String {
        let known = usize::try_from(site)
            .ok()
            .and_then(|at| self.ruleset.sites.get(at));
        let (Some(known), Ok(fact)) = (known, self.inputs.answers.window(site)) else {
            return "no such window was answered".to_owned();
        };
        let mut note = format!(
            "{} before this one by {} within {}",
            fact.count, known.label, known.window_label
        );
        // Writing to a string cannot fail.
        let _ = match known.measure() {
            Measure::Count => Ok(()),
            Measure::Sum => write!(note, ", {} minor units together", fact.sum.minor()),
            Measure::Distinct => write!(note, ", of {} different values", fact.distinct),
        };
        if let Some(last) = fact.last_seq {
            let _ = write!(note, ", the last in entry {last}");
        }
        note
    }
}

/// An error as a value of its part.
fn told(error: EvalError) -> String {
    match error {
        EvalError::Absent => ABSENT.to_owned(),
        other => format!("error: {other}"),
    }
}
