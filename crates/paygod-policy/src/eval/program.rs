//! The flat program of a rule, and the machine that runs it.
//!
//! Operations lie in one vector and name each other by index, every operand before its user. Frequent
//! shapes (a field against a constant, a text field among constants) are one operation that costs the fuel
//! of all the nodes it stands for. Nothing here allocates but the machine's buffers, which keep their
//! capacity from one rule to the next.

use core::cmp::Ordering;
use std::sync::Arc;

use super::answers::Answers;
use super::{
    EvalError, Evaluated, Fuel, ListRef, TextRef, Value, arithmetic, compare_plain, date_part,
    holds, money_amount, money_currency, negate, to_decimal,
};
use crate::document::{Document, Rows, Slot};
use crate::lang::typed::{
    AccountPart, Arithmetic, Comparison, DatePart, Pattern, Quantifier, TextMap, TextTest,
};
use crate::limits::{LOOKUP_BYTES_MAX, MADE_ELEMENT_BYTES};
use crate::list::{Hit, List, Matching, Normaliser};

/// The place of an operation in a program.
pub(crate) type Id = u32;

/// A stretch of [`Program::items`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Items {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

/// A loop: over which list, the depth of its variable, and what is computed for each element.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Loop {
    pub(crate) list: Id,
    pub(crate) variable: u8,
    pub(crate) body: Id,
}

#[derive(Clone, Debug)]
pub(crate) enum Op {
    Constant(Value),
    /// A slot of the document.
    Field(u32),
    /// A slot of the row that a loop variable stands for.
    RowField(u8, u32),
    Has(u32),
    RowHas(u8, u32),
    Variable(u8),
    Not(Id),
    Negate(Id),
    And(Items),
    Or(Items),
    Conditional(Id, Id, Id),
    /// What reads a slot of the document if that is there, else another value.
    OrValue(u32, Id, Id),
    RowOrValue(u8, u32, Id, Id),
    Compare(Comparison, Id, Id),
    /// A field of the document against a constant: costs 3.
    CompareField(Comparison, u32, Value),
    /// A field of a loop variable against a constant: costs 3.
    CompareRowField(Comparison, u8, u32, Value),
    Arithmetic(Arithmetic, Id, Id),
    /// Two texts, one after the other.
    Join(Id, Id),
    ToDecimal(Id),
    OneOf(Id, Items),
    ElementOf(Id, Id),
    List(Items),
    Listed {
        list: u32,
        matching: Matching,
        subject: Id,
        path: u32,
    },
    TextTest(TextTest, Id, Id),
    TextMap(TextMap, Id),
    Matches(Id, Arc<Pattern>),
    TextSize(Id),
    ListSize(Id),
    MoneyAmount(Id),
    MoneyCurrency(Id),
    DatePart(DatePart, i32, Id),
    Now,
    Account(u32, AccountPart),
    Approvals,
    WindowCount(u32),
    WindowDistinct(u32),
    WindowSum {
        site: u32,
        amount: u32,
    },
    Quantified(Quantifier, Loop),
    Filter(Loop),
    Map(Loop),
    Sum(Loop, Id),
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

/// What an evaluation reads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inputs<'a> {
    pub(crate) document: &'a Document,
    pub(crate) lists: &'a [Arc<List>],
    pub(crate) answers: Answers<'a>,
}

/// Buffers of an evaluation.
#[derive(Debug, Default)]
pub(crate) struct Machine {
    pub(crate) fuel: Fuel,
    pub(crate) normaliser: Normaliser,
    pub(crate) hits: Vec<HitNote>,
    /// Texts made by `lowerAscii` and its kind.
    pub(super) made: String,
    /// Elements of lists made by `filter`, `map` and brackets.
    pub(super) elements: Vec<Value>,
    /// What each loop variable stands for, outermost first.
    pub(super) variables: Vec<Value>,
}

impl Machine {
    /// Runs a rule. After an error, and if the rule does not hold, its hits are forgotten.
    #[inline]
    pub(crate) fn run(&mut self, program: &Program, inputs: Inputs<'_>) -> Evaluated<bool> {
        let before = self.hits.len();
        self.made.clear();
        self.elements.clear();
        self.variables.clear();
        self.fuel.made = 0;
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

pub(super) struct Run<'m, 'p> {
    pub(super) machine: &'m mut Machine,
    pub(super) program: &'p Program,
    pub(super) inputs: Inputs<'p>,
}

/// Counts of this crate are far below 2^32, which INVARIANT(word-size) says fit.
#[inline]
pub(super) fn wide(n: u32) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

impl<'p> Run<'_, 'p> {
    #[inline]
    fn op(&self, id: Id) -> Evaluated<&'p Op> {
        self.program.ops.get(wide(id)).ok_or(EvalError::Type)
    }

    #[inline]
    fn items(&self, items: Items) -> &'p [Id] {
        self.program
            .items
            .get(wide(items.start)..wide(items.end))
            .unwrap_or_default()
    }

    #[inline]
    fn slot(&self, slot: u32) -> &'p Slot {
        self.inputs.document.slot(wide(slot))
    }

    /// A slot of the row that a loop variable stands for, and where the row begins.
    #[inline]
    fn row_slot(&self, depth: u8, slot: u32) -> Evaluated<(&'p Slot, u32)> {
        match self.machine.variables.get(usize::from(depth)) {
            Some(Value::Row(base)) => Ok((self.slot(base.saturating_add(slot)), *base)),
            _ => Err(EvalError::Type),
        }
    }

    #[inline]
    pub(super) fn text(&self, text: TextRef) -> &str {
        match text {
            TextRef::Document(start, end) => self.inputs.document.text(start, end),
            TextRef::Constant(at) => constant(self.program, at),
            TextRef::Made(start, end) => self
                .machine
                .made
                .get(wide(start)..wide(end))
                .unwrap_or_default(),
            TextRef::Code(currency) => currency.code(),
        }
    }

    #[inline]
    fn charge(&mut self, cost: u64) -> Evaluated<()> {
        self.machine.fuel.charge(cost)
    }

    #[inline]
    fn bool(&mut self, id: Id) -> Evaluated<bool> {
        match self.op(id)? {
            Op::CompareField(comparison, slot, value) => {
                self.charge(3)?;
                self.compare_slot(*comparison, self.slot(*slot), value)
            }
            Op::CompareRowField(comparison, depth, slot, value) => {
                self.charge(3)?;
                let (slot, _) = self.row_slot(*depth, *slot)?;
                self.compare_slot(*comparison, slot, value)
            }
            Op::And(items) => {
                self.charge(1)?;
                for item in self.items(*items) {
                    if !self.bool(*item)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Op::Or(items) => {
                self.charge(1)?;
                for item in self.items(*items) {
                    if self.bool(*item)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Op::Not(inner) => {
                self.charge(1)?;
                self.bool(*inner).map(|b| !b)
            }
            Op::Has(slot) => {
                self.charge(1)?;
                Ok(!matches!(self.slot(*slot), Slot::Absent))
            }
            Op::RowHas(depth, slot) => {
                self.charge(1)?;
                let (slot, _) = self.row_slot(*depth, *slot)?;
                Ok(!matches!(slot, Slot::Absent))
            }
            Op::Compare(comparison, left, right) => {
                self.charge(1)?;
                let left = self.value(*left)?;
                let right = self.value(*right)?;
                Ok(holds(*comparison, self.compare(&left, &right)?))
            }
            Op::Listed {
                list,
                matching,
                subject,
                path,
            } => {
                self.charge(1)?;
                let subject = self.text_of(*subject)?;
                self.listed(*list, *matching, subject, *path)
            }
            Op::OneOf(subject, items) => {
                self.charge(1)?;
                self.one_of(*subject, *items)
            }
            Op::ElementOf(subject, list) => {
                self.charge(1)?;
                let subject = self.value(*subject)?;
                let list = self.list(*list)?;
                self.element_of(&subject, list)
            }
            Op::TextTest(test, of, argument) => {
                self.charge(1)?;
                let of = self.text_of(*of)?;
                let argument = self.text_of(*argument)?;
                self.text_test(*test, of, argument)
            }
            Op::Matches(of, pattern) => {
                self.charge(1)?;
                let of = self.text_of(*of)?;
                let bytes = self.text(of).len();
                self.machine.fuel.charge_pattern(bytes)?;
                Ok(pattern.is_match(self.text(of)))
            }
            Op::Quantified(quantifier, each) => {
                self.charge(1)?;
                self.quantified(*quantifier, *each)
            }
            _ => match self.value(id)? {
                Value::Bool(value) => Ok(value),
                _ => Err(EvalError::Type),
            },
        }
    }

    pub(super) fn value(&mut self, id: Id) -> Evaluated<Value> {
        match self.op(id)? {
            Op::Constant(value) => {
                self.charge(1)?;
                Ok(*value)
            }
            Op::Field(slot) => {
                self.charge(1)?;
                field(self.slot(*slot), 0)
            }
            Op::RowField(depth, slot) => {
                self.charge(1)?;
                let (slot, base) = self.row_slot(*depth, *slot)?;
                field(slot, base)
            }
            Op::Variable(depth) => {
                self.charge(1)?;
                let bound = self.machine.variables.get(usize::from(*depth));
                bound.copied().ok_or(EvalError::Type)
            }
            Op::Arithmetic(op, left, right) => {
                self.charge(1)?;
                let left = self.value(*left)?;
                let right = self.value(*right)?;
                arithmetic(*op, left, right)
            }
            Op::Join(left, right) => {
                self.charge(1)?;
                let left = self.text_of(*left)?;
                let right = self.text_of(*right)?;
                self.join(left, right)
            }
            Op::Negate(inner) => self.mapped(*inner, negate),
            Op::ToDecimal(inner) => self.mapped(*inner, to_decimal),
            Op::MoneyAmount(inner) => self.mapped(*inner, money_amount),
            Op::MoneyCurrency(inner) => self.mapped(*inner, money_currency),
            Op::DatePart(part, offset, inner) => {
                self.mapped(*inner, |value| date_part(*part, *offset, value))
            }
            Op::Conditional(condition, then, otherwise) => {
                self.charge(1)?;
                let holds = self.bool(*condition)?;
                self.value(if holds { *then } else { *otherwise })
            }
            Op::OrValue(slot, then, otherwise) => {
                self.charge(1)?;
                let absent = matches!(self.slot(*slot), Slot::Absent);
                self.value(if absent { *otherwise } else { *then })
            }
            Op::RowOrValue(depth, slot, then, otherwise) => {
                self.charge(1)?;
                let absent = matches!(self.row_slot(*depth, *slot)?.0, Slot::Absent);
                self.value(if absent { *otherwise } else { *then })
            }
            Op::TextMap(map, inner) => {
                self.charge(1)?;
                let text = self.text_of(*inner)?;
                self.text_map(*map, text)
            }
            Op::TextSize(inner) => {
                self.charge(1)?;
                let text = self.text_of(*inner)?;
                let (bytes, chars) = {
                    let text = self.text(text);
                    (text.len(), text.chars().count())
                };
                self.machine.fuel.charge_text(bytes)?;
                i64::try_from(chars)
                    .map(Value::Int)
                    .map_err(|_| EvalError::Overflow)
            }
            Op::ListSize(inner) => {
                self.charge(1)?;
                let list = self.list(*inner)?;
                Ok(Value::Int(i64::from(count(list))))
            }
            Op::Now => {
                self.charge(1)?;
                self.inputs.answers.now()
            }
            Op::Account(site, part) => {
                self.charge(1)?;
                self.inputs.answers.account(*site, *part)
            }
            Op::Approvals => {
                self.charge(1)?;
                Ok(Value::Int(self.inputs.answers.approvals()))
            }
            Op::WindowDistinct(site) => {
                self.charge(1)?;
                let fact = self.inputs.answers.window(*site)?;
                i64::try_from(fact.distinct)
                    .map(Value::Int)
                    .map_err(|_| EvalError::Overflow)
            }
            Op::WindowCount(site) => {
                self.charge(1)?;
                let fact = self.inputs.answers.window(*site)?;
                i64::try_from(fact.count)
                    .map(Value::Int)
                    .map_err(|_| EvalError::Overflow)
            }
            Op::WindowSum { site, amount } => {
                self.charge(1)?;
                let fact = self.inputs.answers.window(*site)?;
                match *self.slot(*amount) {
                    Slot::Money(money) => Ok(Value::Money(fact.sum.of(money.currency))),
                    _ => Err(EvalError::WindowMissing),
                }
            }
            Op::List(items) => {
                self.charge(1)?;
                self.list_of(*items)
            }
            Op::Filter(each) => {
                self.charge(1)?;
                self.filter(*each)
            }
            Op::Map(each) => {
                self.charge(1)?;
                self.map(*each)
            }
            Op::Sum(each, start) => {
                self.charge(1)?;
                self.sum(*each, *start)
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
        self.charge(1)?;
        let value = self.value(inner)?;
        map(value)
    }

    #[inline]
    fn text_of(&mut self, id: Id) -> Evaluated<TextRef> {
        match self.value(id)? {
            Value::Text(text) => Ok(text),
            _ => Err(EvalError::Type),
        }
    }

    #[inline]
    fn list(&mut self, id: Id) -> Evaluated<ListRef> {
        match self.value(id)? {
            Value::List(list) => Ok(list),
            _ => Err(EvalError::Type),
        }
    }

    #[inline]
    fn compare_slot(
        &mut self,
        comparison: Comparison,
        slot: &Slot,
        value: &Value,
    ) -> Evaluated<bool> {
        let ordering = match (slot, value) {
            (Slot::Text(start, end), Value::Text(TextRef::Constant(at))) => {
                let left = self.inputs.document.text(*start, *end);
                let right = constant(self.program, *at);
                self.machine.fuel.charge_text(left.len().min(right.len()))?;
                // Texts of other lengths differ, without being looked at.
                return Ok(match comparison {
                    Comparison::Equal => left == right,
                    Comparison::NotEqual => left != right,
                    other => holds(other, left.cmp(right)),
                });
            }
            (Slot::Int(left), Value::Int(right)) => left.cmp(right),
            (Slot::Decimal(left), Value::Decimal(right)) => left.cmp(right),
            (slot, value) => compare_plain(&field(slot, 0)?, value)?,
        };
        Ok(holds(comparison, ordering))
    }

    #[inline]
    fn compare(&mut self, left: &Value, right: &Value) -> Evaluated<Ordering> {
        if let (Value::Text(left), Value::Text(right)) = (left, right) {
            let bytes = self.text(*left).len().min(self.text(*right).len());
            self.machine.fuel.charge_text(bytes)?;
            return Ok(self.text(*left).cmp(self.text(*right)));
        }
        compare_plain(left, right)
    }

    #[inline]
    fn one_of(&mut self, subject: Id, items: Items) -> Evaluated<bool> {
        let subject = self.value(subject)?;
        if let Value::Text(TextRef::Document(start, end)) = subject {
            let text = self.inputs.document.text(start, end);
            return self.text_one_of(text, items);
        }
        for item in self.items(items) {
            let item = match self.op(*item)? {
                Op::Constant(value) => {
                    self.charge(1)?;
                    *value
                }
                _ => self.value(*item)?,
            };
            if self.compare(&subject, &item)?.is_eq() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// As [`Run::one_of`], of a text in the document.
    fn text_one_of(&mut self, text: &str, items: Items) -> Evaluated<bool> {
        for item in self.items(items) {
            let other = match self.op(*item)? {
                Op::Constant(Value::Text(TextRef::Constant(at))) => {
                    self.charge(1)?;
                    constant(self.program, *at)
                }
                _ => {
                    let other = self.text_of(*item)?;
                    self.text(other)
                }
            };
            let bytes = text.len().min(other.len());
            let same = text == other;
            self.machine.fuel.charge_text(bytes)?;
            if same {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn listed(
        &mut self,
        list: u32,
        matching: Matching,
        subject: TextRef,
        path: u32,
    ) -> Evaluated<bool> {
        let bytes = self.text(subject).len();
        self.machine.fuel.charge_text(bytes)?;
        if bytes > LOOKUP_BYTES_MAX {
            return Err(EvalError::NameTooLong);
        }
        let lists = self.inputs.lists;
        let named = lists.get(wide(list)).ok_or(EvalError::Type)?;
        // The text may lie in the machine, so its normaliser is taken out while it is read.
        let mut normaliser = core::mem::take(&mut self.machine.normaliser);
        let hit = named.look_up(self.text(subject), matching, &mut normaliser);
        self.machine.normaliser = normaliser;
        if let Some(hit) = hit {
            self.machine.hits.push(HitNote { list, hit, path });
        }
        Ok(hit.is_some())
    }

    /// The element at a place of a list.
    #[inline]
    pub(super) fn element(&self, list: ListRef, index: u32) -> Evaluated<Value> {
        match list {
            ListRef::Rows(Rows { first, stride, .. }) => {
                let base = first.saturating_add(index.saturating_mul(stride));
                field(self.slot(base), base)
            }
            ListRef::Made(start, _) => {
                let at = wide(start.saturating_add(index));
                let element = self.machine.elements.get(at);
                element.copied().ok_or(EvalError::Type)
            }
        }
    }

    fn element_of(&mut self, subject: &Value, list: ListRef) -> Evaluated<bool> {
        for index in 0..count(list) {
            self.charge(1)?;
            let element = self.element(list, index)?;
            if self.compare(subject, &element)?.is_eq() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Binds a loop's variable to an element.
    #[inline]
    fn bind(&mut self, variable: u8, list: ListRef, index: u32) -> Evaluated<()> {
        self.charge(1)?;
        // Most lists are of objects: only the place of their fields is kept.
        let row = match list {
            ListRef::Rows(rows) => {
                Some(rows.first.saturating_add(index.saturating_mul(rows.stride)))
            }
            ListRef::Made(..) => None,
        };
        match row.filter(|row| matches!(self.slot(*row), Slot::Present)) {
            Some(row) => self.assign(variable, Value::Row(row)),
            None => self.assign(variable, self.element(list, index)?),
        }
        Ok(())
    }

    /// Variables of loops within are bound anew before they are read.
    #[inline]
    fn assign(&mut self, variable: u8, element: Value) {
        match self.machine.variables.get_mut(usize::from(variable)) {
            Some(bound) => *bound = element,
            None => self.machine.variables.push(element),
        }
    }

    fn quantified(&mut self, quantifier: Quantifier, each: Loop) -> Evaluated<bool> {
        let list = self.list(each.list)?;
        let made = self.machine.elements.len();
        let mut found = 0_u32;
        for index in 0..count(list) {
            self.bind(each.variable, list, index)?;
            let holds = self.bool(each.body)?;
            self.machine.elements.truncate(made);
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

    fn sum(&mut self, each: Loop, start: Id) -> Evaluated<Value> {
        let list = self.list(each.list)?;
        let mut total = self.value(start)?;
        let made = self.machine.elements.len();
        for index in 0..count(list) {
            self.bind(each.variable, list, index)?;
            let value = self.value(each.body)?;
            self.machine.elements.truncate(made);
            total = arithmetic(Arithmetic::Add, total, value)?;
        }
        Ok(total)
    }

    fn list_of(&mut self, items: Items) -> Evaluated<Value> {
        let start = self.machine.elements.len();
        for item in self.items(items) {
            let before = self.machine.elements.len();
            let value = self.value(*item)?;
            self.machine.elements.truncate(before);
            self.keep(value)?;
        }
        self.made_list(start)
    }

    fn filter(&mut self, each: Loop) -> Evaluated<Value> {
        let list = self.list(each.list)?;
        let start = self.machine.elements.len();
        for index in 0..count(list) {
            self.bind(each.variable, list, index)?;
            let before = self.machine.elements.len();
            let holds = self.bool(each.body)?;
            self.machine.elements.truncate(before);
            if holds {
                let element = self.element(list, index)?;
                self.keep(element)?;
            }
        }
        self.made_list(start)
    }

    fn map(&mut self, each: Loop) -> Evaluated<Value> {
        let list = self.list(each.list)?;
        let start = self.machine.elements.len();
        for index in 0..count(list) {
            self.bind(each.variable, list, index)?;
            let before = self.machine.elements.len();
            let value = self.value(each.body)?;
            self.machine.elements.truncate(before);
            self.keep(value)?;
        }
        self.made_list(start)
    }

    fn keep(&mut self, element: Value) -> Evaluated<()> {
        self.machine.fuel.charge_made(MADE_ELEMENT_BYTES)?;
        self.machine.elements.push(element);
        Ok(())
    }

    fn made_list(&self, start: usize) -> Evaluated<Value> {
        match (
            u32::try_from(start),
            u32::try_from(self.machine.elements.len()),
        ) {
            (Ok(start), Ok(end)) => Ok(Value::List(ListRef::Made(start, end))),
            _ => Err(EvalError::Overflow),
        }
    }
}

#[inline]
pub(super) fn count(list: ListRef) -> u32 {
    match list {
        ListRef::Rows(rows) => rows.count,
        ListRef::Made(start, end) => end.saturating_sub(start),
    }
}

#[inline]
fn constant(program: &Program, at: u32) -> &str {
    program.texts.get(wide(at)).map_or("", String::as_str)
}

/// The value in a slot of the row that begins at `base`.
#[inline]
pub(crate) fn field(slot: &Slot, base: u32) -> Evaluated<Value> {
    match *slot {
        Slot::Bool(value) => Ok(Value::Bool(value)),
        Slot::Int(value) => Ok(Value::Int(value)),
        Slot::Decimal(value) => Ok(Value::Decimal(value)),
        Slot::Text(start, end) => Ok(Value::Text(TextRef::Document(start, end))),
        Slot::Money(value) => Ok(Value::Money(value)),
        Slot::Time(value) => Ok(Value::Time(value)),
        Slot::Duration(value) => Ok(Value::Duration(value)),
        Slot::List(rows) => Ok(Value::List(ListRef::Rows(rows))),
        Slot::Present => Ok(Value::Row(base)),
        Slot::Absent => Err(EvalError::Absent),
    }
}
