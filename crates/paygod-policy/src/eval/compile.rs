//! Lowers a typed tree to a flat program.
//!
//! The fuel of the program is that of the tree, node for node: an operation that stands for several nodes
//! is used only where all of them would be evaluated and none of them can err before the last.

use std::sync::Arc;

use super::program::{Id, Items, Loop, Op, Program};
use super::{TextRef, Value};
use crate::lang::ty::Type;
use crate::lang::typed::{Comparison, Kind, Typed};

/// What a pack's own numbers are in the ruleset.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Links<'a> {
    /// The ruleset's list for each list of the pack.
    pub(crate) lists: &'a [u32],
    /// The ruleset's window for each call site of the pack.
    pub(crate) sites: &'a [u32],
    /// The ruleset's account for each that the pack reads.
    pub(crate) accounts: &'a [u32],
    /// The slot of the transfer's amount.
    pub(crate) amount: Option<usize>,
}

/// Compiles a condition.
pub(crate) fn compile(condition: &Typed, links: Links<'_>) -> Program {
    let mut compiler = Compiler {
        program: Program::default(),
        links,
    };
    let root = compiler.node(condition);
    compiler.program.root = root;
    compiler.program
}

struct Compiler<'a> {
    program: Program,
    links: Links<'a>,
}

/// Counts here are bounded by the limits on conditions and schemas, far below 2^32; a place beyond would
/// read as absent and err the rule.
fn narrow(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// The depth of a loop, bounded by that of conditions.
fn depth(variable: usize) -> u8 {
    u8::try_from(variable).unwrap_or(u8::MAX)
}

impl Compiler<'_> {
    fn push(&mut self, op: Op) -> Id {
        self.program.ops.push(op);
        narrow(self.program.ops.len().saturating_sub(1))
    }

    fn text(&mut self, text: &str) -> Value {
        let texts = &mut self.program.texts;
        let at = texts
            .iter()
            .position(|known| known == text)
            .unwrap_or_else(|| {
                texts.push(text.to_owned());
                texts.len() - 1
            });
        Value::Text(TextRef::Constant(narrow(at)))
    }

    fn path(&mut self, subject: &Typed) -> u32 {
        self.program.paths.push(path_of(subject));
        narrow(self.program.paths.len().saturating_sub(1))
    }

    fn items(&mut self, typed: &[Typed]) -> Items {
        let ids: Vec<Id> = typed.iter().map(|item| self.node(item)).collect();
        let start = narrow(self.program.items.len());
        self.program.items.extend(ids);
        Items {
            start,
            end: narrow(self.program.items.len()),
        }
    }

    /// The value of a literal.
    fn literal(&mut self, typed: &Typed) -> Option<Value> {
        Some(match &typed.kind {
            Kind::Bool(value) => Value::Bool(*value),
            Kind::Int(value) => Value::Int(*value),
            Kind::Decimal(value) => Value::Decimal(*value),
            Kind::Text(text) => self.text(text),
            Kind::Money(value) => Value::Money(*value),
            Kind::Time(value) => Value::Time(*value),
            Kind::Duration(value) => Value::Duration(*value),
            _ => return None,
        })
    }

    fn compare(&mut self, comparison: Comparison, left: &Typed, right: &Typed) -> Id {
        if let Kind::Field(field) = &left.kind
            && let Some(value) = self.literal(right)
        {
            let slot = narrow(field.slot);
            return self.push(match field.variable {
                None => Op::CompareField(comparison, slot, value),
                Some(variable) => Op::CompareRowField(comparison, depth(variable), slot, value),
            });
        }
        let (left, right) = (self.node(left), self.node(right));
        self.push(Op::Compare(comparison, left, right))
    }

    fn each(&mut self, list: &Typed, variable: usize, body: &Typed) -> Loop {
        Loop {
            list: self.node(list),
            variable: depth(variable),
            body: self.node(body),
        }
    }

    fn node(&mut self, typed: &Typed) -> Id {
        if let Some(value) = self.literal(typed) {
            return self.push(Op::Constant(value));
        }
        let op = match &typed.kind {
            Kind::Field(field) => match field.variable {
                None => Op::Field(narrow(field.slot)),
                Some(variable) => Op::RowField(depth(variable), narrow(field.slot)),
            },
            Kind::Has(field) => match field.variable {
                None => Op::Has(narrow(field.slot)),
                Some(variable) => Op::RowHas(depth(variable), narrow(field.slot)),
            },
            Kind::Variable(variable) => Op::Variable(depth(*variable)),
            Kind::OrValue {
                field,
                then,
                otherwise,
            } => {
                let (then, otherwise) = (self.node(then), self.node(otherwise));
                let slot = narrow(field.slot);
                match field.variable {
                    None => Op::OrValue(slot, then, otherwise),
                    Some(variable) => Op::RowOrValue(depth(variable), slot, then, otherwise),
                }
            }
            Kind::Not(a) => Op::Not(self.node(a)),
            Kind::Negate(a) => Op::Negate(self.node(a)),
            Kind::And(items) => Op::And(self.items(items)),
            Kind::Or(items) => Op::Or(self.items(items)),
            Kind::Conditional(a, b, c) => Op::Conditional(self.node(a), self.node(b), self.node(c)),
            Kind::Compare(comparison, a, b) => return self.compare(*comparison, a, b),
            Kind::Arithmetic(_, a, b) if typed.ty == Type::Text => {
                Op::Join(self.node(a), self.node(b))
            }
            Kind::Arithmetic(op, a, b) => Op::Arithmetic(*op, self.node(a), self.node(b)),
            Kind::ToDecimal(a) => Op::ToDecimal(self.node(a)),
            Kind::OneOf(a, items) => Op::OneOf(self.node(a), self.items(items)),
            Kind::ElementOf(a, list) => Op::ElementOf(self.node(a), self.node(list)),
            Kind::List(items) => Op::List(self.items(items)),
            Kind::Listed {
                list,
                matching,
                subject,
            } => {
                let list = self.links.lists.get(*list).copied().unwrap_or(u32::MAX);
                let path = self.path(subject);
                Op::Listed {
                    list,
                    matching: *matching,
                    subject: self.node(subject),
                    path,
                }
            }
            Kind::TextTest(test, a, b) => Op::TextTest(*test, self.node(a), self.node(b)),
            Kind::TextMap(map, a) => Op::TextMap(*map, self.node(a)),
            Kind::Matches(a, pattern) => Op::Matches(self.node(a), Arc::clone(pattern)),
            Kind::TextSize(a) => Op::TextSize(self.node(a)),
            Kind::ListSize(list) => Op::ListSize(self.node(list)),
            Kind::MoneyAmount(a) => Op::MoneyAmount(self.node(a)),
            Kind::MoneyCurrency(a) => Op::MoneyCurrency(self.node(a)),
            Kind::DatePart(part, offset, a) => Op::DatePart(*part, *offset, self.node(a)),
            Kind::Now => Op::Now,
            Kind::Account(site, part) => {
                let site = self.links.accounts.get(*site).copied();
                Op::Account(site.unwrap_or(u32::MAX), *part)
            }
            Kind::Approvals => Op::Approvals,
            Kind::WindowCount(site) => Op::WindowCount(self.site(*site)),
            Kind::WindowDistinct(site) => Op::WindowDistinct(self.site(*site)),
            Kind::WindowSum(site) => {
                let amount = self.links.amount.map_or(u32::MAX, narrow);
                Op::WindowSum {
                    site: self.site(*site),
                    amount,
                }
            }
            Kind::Quantified {
                quantifier,
                list,
                variable,
                body,
            } => Op::Quantified(*quantifier, self.each(list, *variable, body)),
            Kind::Filter {
                list,
                variable,
                body,
            } => Op::Filter(self.each(list, *variable, body)),
            Kind::Map {
                list,
                variable,
                body,
            } => Op::Map(self.each(list, *variable, body)),
            Kind::Sum {
                list,
                variable,
                body,
                start,
            } => Op::Sum(self.each(list, *variable, body), self.node(start)),
            Kind::Bool(_)
            | Kind::Int(_)
            | Kind::Decimal(_)
            | Kind::Text(_)
            | Kind::Money(_)
            | Kind::Time(_)
            | Kind::Duration(_) => Op::Constant(Value::Bool(false)),
        };
        self.push(op)
    }

    fn site(&self, site: usize) -> u32 {
        self.links.sites.get(site).copied().unwrap_or(u32::MAX)
    }
}

/// The path of the field that a text comes from, for facts.
fn path_of(subject: &Typed) -> String {
    match &subject.kind {
        Kind::Field(field) | Kind::OrValue { field, .. } => field.path.to_string(),
        Kind::TextMap(_, inner) => path_of(inner),
        _ => "computed".to_owned(),
    }
}
