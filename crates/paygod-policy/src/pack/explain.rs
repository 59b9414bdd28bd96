//! The tree of a decision: every part of every condition with the value it had.
//!
//! Each part is compiled and run by the machine that judges, on the same document, lists and windows; nothing
//! is evaluated in a second way that could tell another story. A part that the decision never looked at
//! (behind a `&&` that was already false) is told as such, not evaluated.
//!
//! An explanation shows values of the judged document, names and account numbers among them: it is for the
//! person who may see that document, and never stands in an entry.

use core::fmt::Write as _;

use super::coverage::{Branches, is_literal};
use super::typed;
use super::{Pack, cases::Judged};
use crate::decision::{Decision, RuleInfo, Verdict};
use crate::document::Slot;
use crate::eval::program::{Inputs, Machine, Windows};
use crate::eval::{EvalError, Fuel, Links, compile};
use crate::lang::Scope;
use crate::lang::check::Collected;
use crate::lang::typed::{FieldRef, Kind, Quantifier, Typed};
use crate::limits::{EXPLAINED_ELEMENTS_MAX, EXPLAINED_STEPS_MAX};
use crate::list::List;
use crate::ruleset::{PrepareError, Prepared, Ruleset, Scratch, Site};
use crate::run::judgeable;
use crate::window::WindowFact;
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

impl Pack {
    /// Judges a document (an array as the `items` of an object) by this pack alone and explains it. There is no history: every window is empty. Lists
    /// that are not given are empty.
    ///
    /// # Errors
    /// The document is neither a JSON object nor an array.
    pub fn explain_document(
        &self,
        document: &[u8],
        lists: &[Arc<List>],
    ) -> Result<Explanation, PrepareError> {
        let unlinked = |_| PrepareError::Malformed {
            offset: 0,
            reason: "the pack cannot be linked",
        };
        let ruleset = self.alone(lists).map_err(unlinked)?;
        let (mut scratch, mut prepared) = (Scratch::default(), Prepared::default());
        ruleset.prepare(&mut scratch, &judgeable(document), &mut prepared)?;
        let facts = vec![WindowFact::default(); prepared.windows().len()];
        let decision = ruleset.decide(&mut scratch, &prepared, &facts);
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
        let scope = Scope {
            shape,
            inputs: &self.contents.inputs,
        };
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
        let asked = prepared.asked_sites();
        let mut explainer = Explainer {
            text: &rule.text,
            ruleset,
            links: Links {
                lists: &lists,
                sites: &sites,
                amount: shape.amount,
            },
            inputs: Inputs {
                document,
                lists: &ruleset.contents,
                windows: Windows::Answered {
                    sites: &asked,
                    facts,
                },
            },
            machine: Machine::default(),
            rows: Vec::new(),
            steps_left: EXPLAINED_STEPS_MAX,
            branches,
        };
        Some(explainer.step(&condition, true))
    }
}

struct Explainer<'a> {
    text: &'a str,
    ruleset: &'a Ruleset,
    links: Links<'a>,
    inputs: Inputs<'a>,
    machine: Machine,
    /// The first slot of the row of each loop variable.
    rows: Vec<usize>,
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
        let shown = self.machine.show(&program, self.inputs, &self.rows);
        let notes = self.notes(part);
        let (value, truth) = match shown {
            Ok(shown) => shown,
            Err(error) => (told(error), None),
        };
        if deciding && let Some(truth) = truth {
            self.branches.saw(part.span, truth);
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
            Kind::Sum {
                list,
                variable,
                body,
            } => self.elements(list, *variable, (body, false), None),
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
        list: &FieldRef,
        variable: usize,
        (body, deciding): (&Typed, bool),
        stop: Option<bool>,
    ) -> Vec<Step> {
        let base = list
            .variable
            .and_then(|depth| self.rows.get(depth).copied())
            .unwrap_or(0);
        let slot = self.inputs.document.slot(base.saturating_add(list.slot));
        let Slot::List(first, count) = slot else {
            return Vec::new();
        };
        let first = usize::try_from(first).unwrap_or(usize::MAX);
        let count = usize::try_from(count).unwrap_or(0);
        let outer = self.rows.len();
        let mut steps = Vec::new();
        let mut left_out = 0_usize;
        for index in 0..count {
            self.rows.truncate(variable);
            let offset = index.saturating_mul(list.stride);
            self.rows.push(first.saturating_add(offset));
            let step = self.step(body, deciding);
            let settled = stop.is_some() && step.truth == stop;
            if settled || steps.len() < EXPLAINED_ELEMENTS_MAX {
                steps.push(Step {
                    text: format!("{}[{index}]", list.path),
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
        self.rows.truncate(outer);
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
            Kind::WindowCount(site) | Kind::WindowSum(site) => {
                let site = self.links.sites.get(*site).copied();
                site.map(|site| self.window_note(site))
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
        let (Some(known), Ok(fact)) = (known, self.inputs.windows.fact(site)) else {
            return "no such window was answered".to_owned();
        };
        let mut note = format!(
            "{} before this one by {} within {}",
            fact.count, known.label, known.window_label
        );
        if known.sum_used {
            // Writing to a string cannot fail.
            let _ = write!(note, ", {} minor units together", fact.sum.minor());
        }
        if let Some(last) = fact.last_seq {
            let _ = write!(note, ", the last in entry {last}");
        }
        note
    }
}

/// An error as a value of its part.
fn told(error: EvalError) -> String {
    match error {
        EvalError::Absent => "absent".to_owned(),
        other => format!("error: {other}"),
    }
}
