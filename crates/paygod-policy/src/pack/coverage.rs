//! Which parts of which condition were ever true, and which ever false, over all cases.
//!
//! A branch is a rule's whole condition, an operand of `&&` or `||`, the condition of `?:`, or the body of a
//! quantifier; literals are none. A case that only ever sees one side of a branch leaves the other untested.

use std::collections::{BTreeMap, BTreeSet};

use super::{Pack, place_of, typed};
use crate::lang::ast::Span;
use crate::lang::check::Collected;
use crate::lang::typed::{Kind, Typed};
use crate::schema::{self, Attachment};

/// What the cases saw of one branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BranchCoverage {
    /// The rule.
    pub rule: String,
    /// The branch, as the condition writes it.
    pub text: String,
    /// Its line and column within the condition, from 1.
    pub place: (usize, usize),
    /// Whether some case saw it true.
    pub seen_true: bool,
    /// Whether some case saw it false.
    pub seen_false: bool,
}

/// What was seen of branches so far.
#[derive(Debug, Default)]
pub(super) struct Branches {
    /// The rule being explained.
    pub(super) rule: usize,
    seen: BTreeMap<(usize, usize, usize), (bool, bool)>,
}

impl Branches {
    pub(super) fn saw(&mut self, span: Span, truth: bool) {
        let seen = self
            .seen
            .entry((self.rule, span.start, span.end))
            .or_default();
        if truth {
            seen.0 = true;
        } else {
            seen.1 = true;
        }
    }

    /// Every branch of a pack with what was seen of it.
    pub(super) fn report(&self, pack: &Pack) -> Vec<BranchCoverage> {
        let contents = &pack.contents;
        let attachments: Vec<Attachment<'_>> = contents
            .inputs
            .iter()
            .zip(&contents.schemas)
            .map(|((_, path), schema)| Attachment { path, schema })
            .collect();
        let Ok(shape) = schema::compile(&attachments) else {
            return Vec::new();
        };
        let mut report = Vec::new();
        for (index, rule) in contents.rules.iter().enumerate() {
            let Ok(condition) = typed(
                &rule.text,
                rule.scope(&shape, &contents.inputs),
                &mut Collected::default(),
            ) else {
                continue;
            };
            let mut spans = BTreeSet::new();
            branches(&condition, true, &mut spans);
            for (start, end) in spans {
                let key = (index, start, end);
                let (seen_true, seen_false) = self.seen.get(&key).copied().unwrap_or_default();
                let written = rule.text.get(start..end).unwrap_or_default();
                let words: Vec<&str> = written.split_whitespace().collect();
                let place = place_of(&rule.text, start, 1);
                report.push(BranchCoverage {
                    rule: rule.info.rule.to_string(),
                    text: words.join(" "),
                    place: (place.line, place.column),
                    seen_true,
                    seen_false,
                });
            }
        }
        report
    }
}

/// Collects the branches at and below a part.
fn branches(part: &Typed, deciding: bool, out: &mut BTreeSet<(usize, usize)>) {
    if deciding && !is_literal(&part.kind) {
        out.insert((part.span.start, part.span.end));
    }
    for (nth, child) in part.kind.children().into_iter().enumerate() {
        let deciding = match &part.kind {
            Kind::And(_) | Kind::Or(_) => true,
            Kind::Quantified { .. } | Kind::Filter { .. } => nth == 1,
            Kind::Conditional(..) => nth == 0,
            _ => false,
        };
        branches(child, deciding, out);
    }
}

/// Whether a part is written out, so that its text is its value.
pub(super) const fn is_literal(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::Bool(_)
            | Kind::Int(_)
            | Kind::Decimal(_)
            | Kind::Text(_)
            | Kind::Money(_)
            | Kind::Time(_)
            | Kind::Duration(_)
    )
}
