//! The flat program of a rule, and the machine that runs it.
//!
//! Operations lie in one vector and name each other by index, every operand before its user. Frequent
//! shapes (a field against a constant, a field among constants) are one operation that costs the fuel of
//! all the nodes it stands for. Nothing here allocates but [`Machine::made`], which keeps its capacity.

use core::cmp::Ordering;

use super::{
    EvalError, Evaluated, Fuel, TextRef, Value, arithmetic, compare_plain, compare_text, date_part,
    holds, money_amount, money_currency, negate, to_decimal,
};
use crate::document::{Document, Slot};
use crate::lang::typed::{Arithmetic, Comparison, DatePart, Quantifier, TextMap, TextTest};
use crate::limits::LOOKUP_BYTES_MAX;
use crate::list::{Hit, List, Matching, Normaliser};
use crate::window::WindowFact;

/// The place of an operation in a program.
pub(crate) type Id = u32;

/// A stretch of [`Program::items`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Items {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

/// A slot of the document, or of the row a loop variable stands for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) variable: Option<u8>,
    pub(crate) slot: u32,
}

/// A list field: the slot, and how many slots an element takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ListPlace {
    pub(crate) place: Place,
    pub(crate) stride: u32,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Op {
    Constant(Value),
    Field(Place),
    Has(Place),
    Not(Id),
    Negate(Id),
    And(Items),
    Or(Items),
    Conditional(Id, Id, Id),
    Compare(Comparison, Id, Id),
    /// A field of the document against a constant: costs 3.
    CompareField(Comparison, u32, Value),
    Arithmetic(Arithmetic, Id, Id),
    ToDecimal(Id),
    OneOf(Id, Items),
    ElementOf(Id, ListPlace),
    Listed {
        list: u32,
        matching: Matching,
        subject: Id,
        path: u32,
    },
    TextTest(TextTest, Id, Id),
    TextMap(TextMap, Id),
    TextSize(Id),
    ListSize(Place),
    MoneyAmount(Id),
    MoneyCurrency(Id),
    DatePart(DatePart, Id),
    WindowCount(u32),
    WindowSum {
        site: u32,
        amount: u32,
    },
    Quantified {
        quantifier: Quantifier,
        list: ListPlace,
        variable: u8,
        body: Id,
    },
    /// Sums ints, or decimals if `decimal`.
    Sum {
        list: ListPlace,
        variable: u8,
        body: Id,
        decimal: bool,
    },
}

/// A compiled condition.
#[derive(Debug, Default)]
pub(crate) struct Program {
    pub(crate) ops: Vec<Op>,
    pub(crate) items: Vec<Id>,
    pub(crate) texts: Vec<String>,
    /// Paths that list hits name.
    pub(crate) paths: Vec<String>,
    pub(crate) root: Id,
}

/// A list hit during an evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HitNote {
    /// Index of the list in the ruleset.
    pub(crate) list: u32,
    pub(crate) hit: Hit,
    /// Index into [`Program::paths`].
    pub(crate) path: u32,
}

/// Answers to windows: the site's index in the ruleset, and the fact.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Windows<'a> {
    /// Not asked yet: a rule that reads one is put off.
    Pending,
    Answered {
        sites: &'a [u32],
        facts: &'a [WindowFact],
    },
}

impl Windows<'_> {
    #[inline]
    pub(crate) fn fact(&self, site: u32) -> Evaluated<WindowFact> {
        match self {
            Self::Pending => Err(EvalError::Pending),
            Self::Answered { sites, facts } => {
                let at = sites.iter().position(|s| *s == site);
                at.and_then(|at| facts.get(at))
                    .copied()
                    .ok_or(EvalError::WindowMissing)
            }
        }
    }
}

/// What an evaluation reads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inputs<'a> {
    pub(crate) document: &'a Document,
    pub(crate) lists: &'a [std::sync::Arc<List>],
    pub(crate) windows: Windows<'a>,
}

/// Buffers of an evaluation.
#[derive(Debug, Default)]
pub(crate) struct Machine {
    pub(crate) fuel: Fuel,
    pub(crate) normaliser: Normaliser,
    pub(crate) hits: Vec<HitNote>,
    /// Texts made by `lowerAscii` and its kind.
    made: String,
    /// The first slot of the row of each loop variable.
    rows: Vec<usize>,
}

/// Bytes of text one rule may make. Past it the rule is out of fuel.
const MADE_BYTES_MAX: usize = 1_048_576;

impl Machine {
    /// Runs a rule. After an error, and if the rule does not hold, its hits are forgotten.
    pub(crate) fn run(&mut self, program: &Program, inputs: Inputs<'_>) -> Evaluated<bool> {
        let before = self.hits.len();
        self.made.clear();
        self.rows.clear();
        let mut run = Run {
            machine: self,
            program,
            inputs,
        };
        let result = run.bool(program.root);
        if !matches!(result, Ok(true)) {
            self.hits.truncate(before);
        }
        result
    }
}

/// A value as conditions spell it, and whether it is true, if it is a bool.
pub(crate) type Shown = (String, Option<bool>);

impl Machine {
    /// Evaluates a part of a condition, inside the loops whose rows are given, and spells its value.
    /// For explanations: what judges is [`Machine::run`].
    pub(crate) fn show(
        &mut self,
        program: &Program,
        inputs: Inputs<'_>,
        rows: &[usize],
    ) -> Evaluated<Shown> {
        self.made.clear();
        self.rows.clear();
        self.rows.extend_from_slice(rows);
        let mut run = Run {
            machine: self,
            program,
            inputs,
        };
        let value = run.value(program.root)?;
        let shown = match value {
            Value::Bool(truth) => return Ok((truth.to_string(), Some(truth))),
            Value::Int(value) => value.to_string(),
            Value::Decimal(value) => value.to_string(),
            Value::Text(text) => format!("{:?}", run.text(text)),
            Value::Money(value) => value.to_string(),
            Value::Time(value) => value.to_string(),
            Value::Duration(ns) => crate::lang::ty::duration_text(ns),
        };
        Ok((shown, None))
    }
}

struct Run<'m, 'p> {
    machine: &'m mut Machine,
    program: &'p Program,
    inputs: Inputs<'p>,
}

impl<'p> Run<'_, 'p> {
    #[inline]
    fn op(&self, id: Id) -> Evaluated<Op> {
        usize::try_from(id)
            .ok()
            .and_then(|at| self.program.ops.get(at))
            .copied()
            .ok_or(EvalError::Type)
    }

    #[inline]
    fn items(&self, items: Items) -> &'p [Id] {
        match (usize::try_from(items.start), usize::try_from(items.end)) {
            (Ok(start), Ok(end)) => self.program.items.get(start..end).unwrap_or_default(),
            _ => &[],
        }
    }

    #[inline]
    fn slot(&self, place: Place) -> Slot {
        let base = match place.variable {
            None => 0,
            Some(depth) => self
                .machine
                .rows
                .get(usize::from(depth))
                .copied()
                .unwrap_or(usize::MAX),
        };
        let slot = usize::try_from(place.slot).unwrap_or(usize::MAX);
        self.inputs.document.slot(base.saturating_add(slot))
    }

    #[inline]
    fn document_slot(&self, slot: u32) -> Slot {
        usize::try_from(slot).map_or(Slot::Absent, |at| self.inputs.document.slot(at))
    }

    fn text(&self, text: TextRef) -> &str {
        match text {
            TextRef::Document(start, end) => self.inputs.document.text(start, end),
            TextRef::Constant(at) => constant(self.program, at),
            TextRef::Made(start, end) => match (usize::try_from(start), usize::try_from(end)) {
                (Ok(start), Ok(end)) => self.machine.made.get(start..end).unwrap_or_default(),
                _ => "",
            },
            TextRef::Code(currency) => currency.code(),
        }
    }

    #[inline]
    fn bool(&mut self, id: Id) -> Evaluated<bool> {
        match self.op(id)? {
            Op::CompareField(comparison, slot, value) => {
                self.machine.fuel.charge(3)?;
                self.compare_field(comparison, slot, value)
            }
            Op::And(items) => {
                self.machine.fuel.charge(1)?;
                for item in self.items(items) {
                    if !self.bool(*item)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Op::Or(items) => {
                self.machine.fuel.charge(1)?;
                for item in self.items(items) {
                    if self.bool(*item)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Op::Not(inner) => {
                self.machine.fuel.charge(1)?;
                self.bool(inner).map(|b| !b)
            }
            Op::Has(place) => {
                self.machine.fuel.charge(1)?;
                Ok(self.slot(place) != Slot::Absent)
            }
            Op::Compare(comparison, left, right) => {
                self.machine.fuel.charge(1)?;
                let left = self.value(left)?;
                let right = self.value(right)?;
                Ok(holds(comparison, self.compare(left, right)?))
            }
            Op::Listed {
                list,
                matching,
                subject,
                path,
            } => {
                self.machine.fuel.charge(1)?;
                let subject = self.value(subject)?;
                self.listed(list, matching, subject, path)
            }
            Op::OneOf(subject, items) => {
                self.machine.fuel.charge(1)?;
                let subject = self.value(subject)?;
                for item in self.items(items) {
                    let item = self.value(*item)?;
                    if self.compare(subject, item)?.is_eq() {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Op::ElementOf(subject, list) => {
                self.machine.fuel.charge(1)?;
                let subject = self.value(subject)?;
                self.element_of(subject, list)
            }
            Op::TextTest(test, of, argument) => {
                self.machine.fuel.charge(1)?;
                let of = self.value(of)?;
                let argument = self.value(argument)?;
                self.text_test(test, of, argument)
            }
            Op::Quantified {
                quantifier,
                list,
                variable,
                body,
            } => {
                self.machine.fuel.charge(1)?;
                self.quantified(quantifier, list, variable, body)
            }
            _ => match self.value(id)? {
                Value::Bool(value) => Ok(value),
                _ => Err(EvalError::Type),
            },
        }
    }

    fn value(&mut self, id: Id) -> Evaluated<Value> {
        let op = self.op(id)?;
        match op {
            Op::Constant(value) => {
                self.machine.fuel.charge(1)?;
                Ok(value)
            }
            Op::Field(place) => {
                self.machine.fuel.charge(1)?;
                field(self.slot(place))
            }
            Op::Arithmetic(op, left, right) => {
                self.machine.fuel.charge(1)?;
                let left = self.value(left)?;
                let right = self.value(right)?;
                arithmetic(op, left, right)
            }
            Op::Negate(inner) => self.mapped(inner, negate),
            Op::ToDecimal(inner) => self.mapped(inner, to_decimal),
            Op::MoneyAmount(inner) => self.mapped(inner, money_amount),
            Op::MoneyCurrency(inner) => self.mapped(inner, money_currency),
            Op::DatePart(part, inner) => self.mapped(inner, |value| date_part(part, value)),
            Op::Conditional(condition, then, otherwise) => {
                self.machine.fuel.charge(1)?;
                let chosen = if self.bool(condition)? {
                    then
                } else {
                    otherwise
                };
                self.value(chosen)
            }
            Op::TextMap(map, inner) => {
                self.machine.fuel.charge(1)?;
                let value = self.value(inner)?;
                self.text_map(map, value)
            }
            Op::TextSize(inner) => {
                self.machine.fuel.charge(1)?;
                let Value::Text(text) = self.value(inner)? else {
                    return Err(EvalError::Type);
                };
                let (bytes, chars) = {
                    let text = self.text(text);
                    (text.len(), text.chars().count())
                };
                self.machine.fuel.charge_text(bytes)?;
                i64::try_from(chars)
                    .map(Value::Int)
                    .map_err(|_| EvalError::Overflow)
            }
            Op::ListSize(place) => {
                self.machine.fuel.charge(1)?;
                match self.slot(place) {
                    Slot::List(_, count) => Ok(Value::Int(i64::from(count))),
                    Slot::Absent => Err(EvalError::Absent),
                    _ => Err(EvalError::Type),
                }
            }
            Op::WindowCount(site) => {
                self.machine.fuel.charge(1)?;
                let fact = self.inputs.windows.fact(site)?;
                i64::try_from(fact.count)
                    .map(Value::Int)
                    .map_err(|_| EvalError::Overflow)
            }
            Op::WindowSum { site, amount } => {
                self.machine.fuel.charge(1)?;
                let fact = self.inputs.windows.fact(site)?;
                match self.document_slot(amount) {
                    Slot::Money(money) => Ok(Value::Money(fact.sum.of(money.currency))),
                    _ => Err(EvalError::WindowMissing),
                }
            }
            Op::Sum {
                list,
                variable,
                body,
                decimal,
            } => {
                self.machine.fuel.charge(1)?;
                self.sum(list, variable, body, decimal)
            }
            _ => self.bool(id).map(Value::Bool),
        }
    }

    #[inline]
    fn mapped(
        &mut self,
        inner: Id,
        map: impl FnOnce(Value) -> Evaluated<Value>,
    ) -> Evaluated<Value> {
        self.machine.fuel.charge(1)?;
        let value = self.value(inner)?;
        map(value)
    }

    #[inline]
    fn compare_field(
        &mut self,
        comparison: Comparison,
        slot: u32,
        value: Value,
    ) -> Evaluated<bool> {
        match (self.document_slot(slot), value) {
            (Slot::Text(start, end), Value::Text(TextRef::Constant(at))) => {
                let left = self.inputs.document.text(start, end);
                let right = constant(self.program, at);
                let ordering = compare_text(left, right, &mut self.machine.fuel)?;
                Ok(holds(comparison, ordering))
            }
            (slot, value) => Ok(holds(comparison, compare_plain(field(slot)?, value)?)),
        }
    }

    #[inline]
    fn compare(&mut self, left: Value, right: Value) -> Evaluated<Ordering> {
        if let (Value::Text(left), Value::Text(right)) = (left, right) {
            let bytes = self.text(left).len().min(self.text(right).len());
            self.machine.fuel.charge_text(bytes)?;
            return Ok(self.text(left).cmp(self.text(right)));
        }
        compare_plain(left, right)
    }

    fn listed(
        &mut self,
        list: u32,
        matching: Matching,
        subject: Value,
        path: u32,
    ) -> Evaluated<bool> {
        let Value::Text(subject) = subject else {
            return Err(EvalError::Type);
        };
        let bytes = self.text(subject).len();
        self.machine.fuel.charge_text(bytes)?;
        if bytes > LOOKUP_BYTES_MAX {
            return Err(EvalError::NameTooLong);
        }
        let lists = self.inputs.lists;
        let named = usize::try_from(list)
            .ok()
            .and_then(|at| lists.get(at))
            .ok_or(EvalError::Type)?;
        // The text may lie in the machine, so its normaliser is taken out while it is read.
        let mut normaliser = core::mem::take(&mut self.machine.normaliser);
        let hit = named.look_up(self.text(subject), matching, &mut normaliser);
        self.machine.normaliser = normaliser;
        if let Some(hit) = hit {
            self.machine.hits.push(HitNote { list, hit, path });
        }
        Ok(hit.is_some())
    }

    fn rows(&self, list: ListPlace) -> Evaluated<(usize, usize, usize)> {
        match self.slot(list.place) {
            Slot::List(first, count) => {
                let convert = |n: u32| usize::try_from(n).map_err(|_| EvalError::Overflow);
                Ok((convert(first)?, convert(count)?, convert(list.stride)?))
            }
            Slot::Absent => Err(EvalError::Absent),
            _ => Err(EvalError::Type),
        }
    }

    fn element_of(&mut self, subject: Value, list: ListPlace) -> Evaluated<bool> {
        let (first, count, stride) = self.rows(list)?;
        for index in 0..count {
            self.machine.fuel.charge(1)?;
            let element = field(self.inputs.document.slot(first + index * stride))?;
            if self.compare(subject, element)?.is_eq() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn quantified(
        &mut self,
        quantifier: Quantifier,
        list: ListPlace,
        variable: u8,
        body: Id,
    ) -> Evaluated<bool> {
        let (first, count, stride) = self.rows(list)?;
        let mut found = 0_usize;
        for index in 0..count {
            self.machine.fuel.charge(1)?;
            self.bind(variable, first + index * stride);
            let holds = self.bool(body)?;
            match (quantifier, holds) {
                (Quantifier::Exists, true) => return Ok(true),
                (Quantifier::All, false) => return Ok(false),
                (Quantifier::ExistsOne, true) => found += 1,
                _ => {}
            }
        }
        Ok(match quantifier {
            Quantifier::Exists => false,
            Quantifier::All => true,
            Quantifier::ExistsOne => found == 1,
        })
    }

    fn sum(&mut self, list: ListPlace, variable: u8, body: Id, decimal: bool) -> Evaluated<Value> {
        let (first, count, stride) = self.rows(list)?;
        let mut total = Value::Int(0);
        if decimal {
            total = to_decimal(total)?;
        }
        for index in 0..count {
            self.machine.fuel.charge(1)?;
            self.bind(variable, first + index * stride);
            let value = self.value(body)?;
            total = arithmetic(Arithmetic::Add, total, value)?;
        }
        Ok(total)
    }

    fn bind(&mut self, variable: u8, row: usize) {
        self.machine.rows.truncate(usize::from(variable));
        self.machine.rows.push(row);
    }

    fn text_test(&mut self, test: TextTest, of: Value, argument: Value) -> Evaluated<bool> {
        let (Value::Text(of), Value::Text(argument)) = (of, argument) else {
            return Err(EvalError::Type);
        };
        let bytes = self.text(of).len();
        self.machine.fuel.charge_text(bytes)?;
        let (of, argument) = (self.text(of), self.text(argument));
        Ok(match test {
            TextTest::StartsWith => of.starts_with(argument),
            TextTest::EndsWith => of.ends_with(argument),
            TextTest::Contains => of.contains(argument),
        })
    }

    fn text_map(&mut self, map: TextMap, value: Value) -> Evaluated<Value> {
        let Value::Text(text) = value else {
            return Err(EvalError::Type);
        };
        let bytes = self.text(text).len();
        self.machine.fuel.charge_text(bytes)?;
        if self.machine.made.len().saturating_add(bytes) > MADE_BYTES_MAX {
            return Err(EvalError::FuelExhausted);
        }
        let mut made = core::mem::take(&mut self.machine.made);
        let start = made.len();
        {
            // A text made before must be read from the buffer that was taken out.
            let source = match text {
                TextRef::Made(from, to) => match (usize::try_from(from), usize::try_from(to)) {
                    (Ok(from), Ok(to)) => made.get(from..to).unwrap_or_default().to_owned(),
                    _ => String::new(),
                },
                _ => String::new(),
            };
            let source = if let TextRef::Made(..) = text {
                source.as_str()
            } else {
                self.text(text)
            };
            match map {
                TextMap::Lower => made.extend(source.chars().map(|c| c.to_ascii_lowercase())),
                TextMap::Upper => made.extend(source.chars().map(|c| c.to_ascii_uppercase())),
                TextMap::Trim => made.push_str(source.trim()),
            }
        }
        let end = made.len();
        self.machine.made = made;
        match (u32::try_from(start), u32::try_from(end)) {
            (Ok(start), Ok(end)) => Ok(Value::Text(TextRef::Made(start, end))),
            _ => Err(EvalError::Overflow),
        }
    }
}

#[inline]
fn constant(program: &Program, at: u32) -> &str {
    usize::try_from(at)
        .ok()
        .and_then(|at| program.texts.get(at))
        .map_or("", String::as_str)
}

/// The value in a slot.
#[inline]
pub(crate) fn field(slot: Slot) -> Evaluated<Value> {
    match slot {
        Slot::Bool(value) => Ok(Value::Bool(value)),
        Slot::Int(value) => Ok(Value::Int(value)),
        Slot::Decimal(value) => Ok(Value::Decimal(value)),
        Slot::Text(start, end) => Ok(Value::Text(TextRef::Document(start, end))),
        Slot::Money(value) => Ok(Value::Money(value)),
        Slot::Time(value) => Ok(Value::Time(value)),
        Slot::Duration(value) => Ok(Value::Duration(value)),
        Slot::Absent => Err(EvalError::Absent),
        Slot::Present | Slot::List(..) => Err(EvalError::Type),
    }
}
