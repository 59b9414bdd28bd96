//! The reference evaluator: walks the typed tree, one step a node, and allocates as it likes.
//!
//! It exists to be compared with the compiled program: same result, same error, same fuel.

#![expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "plain to read and built for tests only; counts here are small"
)]

use std::cmp::Ordering;
use std::sync::Arc;

use super::program::field;
use super::{
    Answers, EvalError, Evaluated, Fuel, ListRef, TextRef, Value, arithmetic, compare_plain,
    date_part, holds, money_amount, money_currency, negate, to_decimal,
};
use crate::document::{Document, Slot};
use crate::lang::ty::Type;
use crate::lang::typed::{Arithmetic, FieldRef, Kind, Quantifier, TextMap, TextTest, Typed};
use crate::limits::{LOOKUP_BYTES_MAX, MADE_ELEMENT_BYTES};
use crate::list::{List, Normaliser};

/// A value that owns its text.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Owned {
    Plain(Value),
    Text(String),
    List(Vec<Owned>),
}

/// Evaluates one condition of a pack whose lists and windows have the numbers given.
pub(crate) struct Reference<'a> {
    pub(crate) document: &'a Document,
    pub(crate) lists: &'a [Arc<List>],
    pub(crate) answers: Answers<'a>,
    /// The slot of the transfer's amount.
    pub(crate) amount: Option<usize>,
    pub(crate) fuel: Fuel,
    /// What each loop variable stands for.
    pub(crate) variables: Vec<Owned>,
}

impl Reference<'_> {
    pub(crate) fn run(&mut self, condition: &Typed) -> Evaluated<bool> {
        self.variables.clear();
        self.fuel.made = 0;
        match self.eval(condition)? {
            Owned::Plain(Value::Bool(value)) => Ok(value),
            _ => Err(EvalError::Type),
        }
    }

    /// The slot of a field, and where its row begins.
    fn slot(&self, field: &FieldRef) -> (Slot, u32) {
        let base = match field.variable.map(|depth| &self.variables[depth]) {
            None => 0,
            Some(Owned::Plain(Value::Row(base))) => *base,
            Some(other) => panic!("{other:?} has no fields"),
        };
        (*self.document.slot(base as usize + field.slot), base)
    }

    fn own(&self, value: Value) -> Owned {
        match value {
            Value::Text(TextRef::Document(start, end)) => {
                Owned::Text(self.document.text(start, end).to_owned())
            }
            Value::Text(TextRef::Code(currency)) => Owned::Text(currency.code().to_owned()),
            Value::List(ListRef::Rows(rows)) => Owned::List(
                (0..rows.count)
                    .map(|i| rows.first + i * rows.stride)
                    .map(|base| self.own(field(self.document.slot(base as usize), base).unwrap()))
                    .collect(),
            ),
            other => Owned::Plain(other),
        }
    }

    fn plain(&mut self, typed: &Typed) -> Evaluated<Value> {
        match self.eval(typed)? {
            Owned::Plain(value) => Ok(value),
            _ => Err(EvalError::Type),
        }
    }

    fn text(&mut self, typed: &Typed) -> Evaluated<String> {
        match self.eval(typed)? {
            Owned::Text(text) => Ok(text),
            _ => Err(EvalError::Type),
        }
    }

    fn boolean(&mut self, typed: &Typed) -> Evaluated<bool> {
        match self.plain(typed)? {
            Value::Bool(value) => Ok(value),
            _ => Err(EvalError::Type),
        }
    }

    fn compare(&mut self, left: &Owned, right: &Owned) -> Evaluated<Ordering> {
        match (left, right) {
            (Owned::Text(a), Owned::Text(b)) => {
                self.fuel.charge_text(a.len().min(b.len()))?;
                Ok(a.as_bytes().cmp(b.as_bytes()))
            }
            (Owned::Plain(a), Owned::Plain(b)) => compare_plain(a, b),
            _ => Err(EvalError::Type),
        }
    }

    fn list(&mut self, list: &Typed) -> Evaluated<Vec<Owned>> {
        match self.eval(list)? {
            Owned::List(list) => Ok(list),
            _ => Err(EvalError::Type),
        }
    }

    fn bind(&mut self, variable: usize, element: Owned) -> Evaluated<()> {
        self.fuel.charge(1)?;
        self.variables.truncate(variable);
        self.variables.push(element);
        Ok(())
    }

    fn eval(&mut self, typed: &Typed) -> Evaluated<Owned> {
        self.fuel.charge(1)?;
        let value = match &typed.kind {
            Kind::Bool(v) => Value::Bool(*v),
            Kind::Int(v) => Value::Int(*v),
            Kind::Decimal(v) => Value::Decimal(*v),
            Kind::Text(text) => return Ok(Owned::Text(text.to_string())),
            Kind::Money(v) => Value::Money(*v),
            Kind::Time(v) => Value::Time(*v),
            Kind::Duration(v) => Value::Duration(*v),
            Kind::Field(place) => {
                let (slot, base) = self.slot(place);
                field(&slot, base)?
            }
            Kind::Has(place) => Value::Bool(self.slot(place).0 != Slot::Absent),
            Kind::Variable(depth) => return Ok(self.variables[*depth].clone()),
            Kind::OrValue {
                field,
                then,
                otherwise,
            } => {
                let absent = self.slot(field).0 == Slot::Absent;
                return self.eval(if absent { otherwise } else { then });
            }
            Kind::List(items) => {
                let mut list = Vec::new();
                for item in items {
                    list.push(self.eval(item)?);
                    self.fuel.charge_made(MADE_ELEMENT_BYTES)?;
                }
                return Ok(Owned::List(list));
            }
            Kind::Filter {
                list,
                variable,
                body,
            } => {
                let mut kept = Vec::new();
                for element in self.list(list)? {
                    self.bind(*variable, element.clone())?;
                    if self.boolean(body)? {
                        self.fuel.charge_made(MADE_ELEMENT_BYTES)?;
                        kept.push(element);
                    }
                }
                return Ok(Owned::List(kept));
            }
            Kind::Map {
                list,
                variable,
                body,
            } => {
                let mut mapped = Vec::new();
                for element in self.list(list)? {
                    self.bind(*variable, element)?;
                    mapped.push(self.eval(body)?);
                    self.fuel.charge_made(MADE_ELEMENT_BYTES)?;
                }
                return Ok(Owned::List(mapped));
            }
            Kind::Arithmetic(_, a, b) if typed.ty == Type::Text => {
                let joined = self.text(a)? + &self.text(b)?;
                self.fuel.charge_text(joined.len())?;
                self.fuel.charge_made(joined.len())?;
                return Ok(Owned::Text(joined));
            }
            Kind::Matches(a, pattern) => {
                let text = self.text(a)?;
                self.fuel.charge_pattern(text.len())?;
                Value::Bool(pattern.regex.is_match(&text))
            }
            Kind::Now => self.answers.now()?,
            Kind::Account(site, part) => self.answers.account(*site as u32, *part)?,
            Kind::Not(a) => Value::Bool(!self.boolean(a)?),
            Kind::Negate(a) => negate(self.plain(a)?)?,
            Kind::ToDecimal(a) => to_decimal(self.plain(a)?)?,
            Kind::MoneyAmount(a) => money_amount(self.plain(a)?)?,
            Kind::MoneyCurrency(a) => money_currency(self.plain(a)?)?,
            Kind::DatePart(part, offset, a) => date_part(*part, *offset, self.plain(a)?)?,
            Kind::And(items) => {
                let mut all = true;
                for item in items {
                    all = self.boolean(item)?;
                    if !all {
                        break;
                    }
                }
                Value::Bool(all)
            }
            Kind::Or(items) => {
                let mut any = false;
                for item in items {
                    any = self.boolean(item)?;
                    if any {
                        break;
                    }
                }
                Value::Bool(any)
            }
            Kind::Conditional(a, b, c) => {
                return if self.boolean(a)? {
                    self.eval(b)
                } else {
                    self.eval(c)
                };
            }
            Kind::Compare(comparison, a, b) => {
                let (a, b) = (self.eval(a)?, self.eval(b)?);
                Value::Bool(holds(*comparison, self.compare(&a, &b)?))
            }
            Kind::Arithmetic(op, a, b) => {
                let (a, b) = (self.plain(a)?, self.plain(b)?);
                arithmetic(*op, a, b)?
            }
            Kind::OneOf(subject, items) => Value::Bool(self.one_of(subject, items)?),
            Kind::ElementOf(subject, list) => Value::Bool(self.element_of(subject, list)?),
            Kind::Listed {
                list,
                matching,
                subject,
            } => {
                let subject = self.text(subject)?;
                self.fuel.charge_text(subject.len())?;
                if subject.len() > LOOKUP_BYTES_MAX {
                    return Err(EvalError::NameTooLong);
                }
                let hit =
                    self.lists[*list].look_up(&subject, *matching, &mut Normaliser::default());
                Value::Bool(hit.is_some())
            }
            Kind::TextTest(test, a, b) => {
                let (a, b) = (self.text(a)?, self.text(b)?);
                self.fuel.charge_text(a.len())?;
                Value::Bool(match test {
                    TextTest::StartsWith => a.starts_with(&b),
                    TextTest::EndsWith => a.ends_with(&b),
                    TextTest::Contains => a.contains(&b),
                })
            }
            Kind::TextMap(map, a) => {
                let text = self.text(a)?;
                self.fuel.charge_text(text.len())?;
                self.fuel.charge_made(text.len())?;
                return Ok(Owned::Text(match map {
                    TextMap::Lower => text.to_ascii_lowercase(),
                    TextMap::Upper => text.to_ascii_uppercase(),
                    TextMap::Trim => text.trim().to_owned(),
                    TextMap::IbanCountry => iban_country(&text),
                    TextMap::BicCountry => bic_country(&text),
                }));
            }
            Kind::TextSize(a) => {
                let text = self.text(a)?;
                self.fuel.charge_text(text.len())?;
                Value::Int(text.chars().count() as i64)
            }
            Kind::ListSize(list) => Value::Int(self.list(list)?.len() as i64),
            Kind::Approvals => Value::Int(self.answers.approvals()),
            Kind::WindowDistinct(site) => {
                let fact = self.answers.window(*site as u32)?;
                Value::Int(i64::try_from(fact.distinct).map_err(|_| EvalError::Overflow)?)
            }
            Kind::WindowCount(site) => {
                let fact = self.answers.window(*site as u32)?;
                Value::Int(i64::try_from(fact.count).map_err(|_| EvalError::Overflow)?)
            }
            Kind::WindowSum(site) => {
                let fact = self.answers.window(*site as u32)?;
                match self.amount.map(|slot| self.document.slot(slot)) {
                    Some(Slot::Money(money)) => Value::Money(fact.sum.of(money.currency)),
                    _ => return Err(EvalError::WindowMissing),
                }
            }
            Kind::Quantified {
                quantifier,
                list,
                variable,
                body,
            } => Value::Bool(self.quantified(*quantifier, list, *variable, body)?),
            Kind::Sum {
                list,
                variable,
                body,
                start,
            } => {
                let list = self.list(list)?;
                let mut total = self.plain(start)?;
                for element in list {
                    self.bind(*variable, element)?;
                    total = arithmetic(Arithmetic::Add, total, self.plain(body)?)?;
                }
                total
            }
        };
        Ok(self.own(value))
    }

    fn one_of(&mut self, subject: &Typed, items: &[Typed]) -> Evaluated<bool> {
        let subject = self.eval(subject)?;
        for item in items {
            let item = self.eval(item)?;
            if self.compare(&subject, &item)?.is_eq() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn element_of(&mut self, subject: &Typed, list: &Typed) -> Evaluated<bool> {
        let subject = self.eval(subject)?;
        for element in self.list(list)? {
            self.fuel.charge(1)?;
            if self.compare(&subject, &element)?.is_eq() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn quantified(
        &mut self,
        quantifier: Quantifier,
        list: &Typed,
        variable: usize,
        body: &Typed,
    ) -> Evaluated<bool> {
        let mut held = 0;
        for element in self.list(list)? {
            self.bind(variable, element)?;
            let holds = self.boolean(body)?;
            held += usize::from(holds);
            match quantifier {
                Quantifier::Exists if holds => return Ok(true),
                Quantifier::All if !holds => return Ok(false),
                _ => {}
            }
        }
        Ok(match quantifier {
            Quantifier::Exists => false,
            Quantifier::All => true,
            Quantifier::ExistsOne => held == 1,
        })
    }
}

/// As the standard tells it: four characters to the end, letters as numbers, remainder 1 by 97.
fn iban_country(text: &str) -> String {
    let id: Vec<char> = match text.rfind(':') {
        Some(colon) => text.split_at(colon + 1).1.chars().collect(),
        None => text.chars().collect(),
    };
    let mut id: String = id.into_iter().filter(|c| c.is_alphanumeric()).collect();
    id = id.to_ascii_uppercase();
    let form = regex::Regex::new("^[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}$").unwrap();
    if !form.is_match(&id) {
        return String::new();
    }
    let mut remainder = 0;
    let (head, rest) = id.split_at(4);
    for c in (rest.to_owned() + head).chars() {
        for digit in c.to_digit(36).unwrap().to_string().chars() {
            remainder = (remainder * 10 + digit.to_digit(10).unwrap()) % 97;
        }
    }
    let letters = if remainder == 1 { 2 } else { 0 };
    id.split_at(letters).0.to_owned()
}

fn bic_country(text: &str) -> String {
    let code = text.replace(char::is_whitespace, "");
    let form = regex::Regex::new("^[A-Z0-9]{4}([A-Z]{2})[A-Z0-9]{2}([A-Z0-9]{3})?$").unwrap();
    form.captures(&code)
        .map_or_else(String::new, |found| found[1].to_owned())
}
