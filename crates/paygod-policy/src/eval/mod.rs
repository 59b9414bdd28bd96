//! Evaluating conditions: values, errors, fuel, and what both evaluators share.
//!
//! [`program`] is what judges: a flat program without allocation. [`reference`] walks the typed tree, plainly,
//! and exists to be compared with it. They share the arithmetic of single values here, and nothing of the
//! control flow.
//!
//! # Fuel
//! Every evaluated node costs 1, counted before it is evaluated; text work costs 1 more for every
//! [`FUEL_STRING_BYTES`](crate::limits::FUEL_STRING_BYTES) bytes looked at, patterns for every
//! [`FUEL_PATTERN_BYTES`](crate::limits::FUEL_PATTERN_BYTES); a list scan 1 an element. What a rule makes
//! (texts, lists) is bounded by [`MADE_BYTES_MAX`](crate::limits::MADE_BYTES_MAX), freed or not.
//! INVARIANT(fuel): the count depends on the condition, the document and the facts alone.

mod answers;
mod compile;
mod country;
#[cfg(test)]
#[path = "tests/differential.rs"]
mod differential;
#[cfg(test)]
mod grammar;
pub(crate) mod program;
#[cfg(test)]
mod reference;
mod show;
mod texts;

use core::cmp::Ordering;
use core::time::Duration;

use paygod_types::limits::APPROVALS_MAX;
use paygod_types::{Currency, Money, Timestamp};

use crate::decimal::Decimal;
use crate::document::Rows;
use crate::lang::typed::{Arithmetic, Comparison, DatePart};
use crate::limits::{FUEL_MAX, FUEL_PATTERN_BYTES, FUEL_STRING_BYTES, MADE_BYTES_MAX};

pub(crate) use answers::Answers;
pub(crate) use compile::{Links, compile};

/// Where a text lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TextRef {
    /// In the document.
    Document(u32, u32),
    /// Among the program's constants.
    Constant(u32),
    /// Made during this evaluation.
    Made(u32, u32),
    /// A currency's code.
    Code(Currency),
}

/// A value, without borrow and without allocation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value {
    Bool(bool),
    Int(i64),
    Decimal(Decimal),
    Text(TextRef),
    Money(Money),
    Time(Timestamp),
    Duration(i64),
    /// An object: where its fields' slots are counted from.
    Row(u32),
    List(ListRef),
}

/// Where the elements of a list lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ListRef {
    /// In the document.
    Rows(Rows),
    /// Made during this evaluation.
    Made(u32, u32),
}

/// Why a rule erred. Every one of these denies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EvalError {
    /// Not an outcome: the rule needs facts that are not there yet.
    #[error("the rule waits for its windows")]
    Pending,
    #[error("a number passes its range")]
    Overflow,
    #[error("a division by zero")]
    DivisionByZero,
    #[error("an amount in {left} meets one in {right}; ask for the currency first")]
    Currencies { left: Currency, right: Currency },
    #[error("a window has no answer, because a key of it is absent or the fact was not supplied")]
    WindowMissing,
    #[error("an account has no balance, because its field is absent or there is no such account")]
    AccountMissing,
    #[error("the time of sealing was not supplied")]
    TimeMissing,
    #[error("the rule asks for more than {APPROVALS_MAX} approvals")]
    ApprovalsMissing,
    #[error("the fuel of the decision is used up")]
    FuelExhausted,
    #[error("the rule makes more than {MADE_BYTES_MAX} bytes of text and lists")]
    MadeTooMuch,
    #[error("a name is too long to be looked up")]
    NameTooLong,
    #[error("a field is absent that was checked to be there")]
    Absent,
    #[error("a value is of another type than was checked")]
    Type,
}

impl EvalError {
    /// Those that a decision can tell of. [`Self::Currencies`] stands for all pairs of them.
    pub(crate) const SEALED: &[Self] = &[
        Self::Overflow,
        Self::DivisionByZero,
        Self::WindowMissing,
        Self::AccountMissing,
        Self::TimeMissing,
        Self::ApprovalsMissing,
        Self::MadeTooMuch,
        Self::NameTooLong,
        Self::Absent,
        Self::Type,
    ];

    /// A short name for facts.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Overflow => "overflow",
            Self::DivisionByZero => "division-by-zero",
            Self::Currencies { .. } => "currency-mismatch",
            Self::WindowMissing => "window-missing",
            Self::AccountMissing => "account-missing",
            Self::TimeMissing => "time-missing",
            Self::ApprovalsMissing => "approvals-missing",
            Self::MadeTooMuch => "made-too-much",
            Self::FuelExhausted => "fuel-exhausted",
            Self::NameTooLong => "name-too-long",
            Self::Absent => "field-absent",
            Self::Type => "type",
        }
    }
}

pub(crate) type Evaluated<T> = Result<T, EvalError>;

/// The fuel of one decision.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fuel {
    pub(crate) used: u64,
    pub(crate) limit: u64,
    /// Bytes of text and list elements that the rule has made.
    pub(crate) made: usize,
}

impl Default for Fuel {
    fn default() -> Self {
        Self {
            used: 0,
            limit: FUEL_MAX,
            made: 0,
        }
    }
}

impl Fuel {
    #[inline]
    pub(crate) fn charge(&mut self, cost: u64) -> Evaluated<()> {
        self.used = self.used.saturating_add(cost);
        if self.used > self.limit {
            self.used = self.limit;
            return Err(EvalError::FuelExhausted);
        }
        Ok(())
    }

    /// Counts so many bytes that the rule makes.
    pub(crate) fn charge_made(&mut self, bytes: usize) -> Evaluated<()> {
        self.made = self.made.saturating_add(bytes);
        if self.made > MADE_BYTES_MAX {
            return Err(EvalError::MadeTooMuch);
        }
        Ok(())
    }

    /// Charges for searching so many bytes of text for a pattern.
    pub(crate) fn charge_pattern(&mut self, bytes: usize) -> Evaluated<()> {
        self.charge(u64::try_from(bytes / FUEL_PATTERN_BYTES).unwrap_or(u64::MAX))
    }

    /// Charges for looking at so many bytes of text.
    #[inline]
    pub(crate) fn charge_text(&mut self, bytes: usize) -> Evaluated<()> {
        let cost = bytes / FUEL_STRING_BYTES;
        if cost == 0 {
            Ok(())
        } else {
            self.charge(u64::try_from(cost).unwrap_or(u64::MAX))
        }
    }
}

#[inline]
pub(crate) fn holds(comparison: Comparison, ordering: Ordering) -> bool {
    match comparison {
        Comparison::Equal => ordering.is_eq(),
        Comparison::NotEqual => ordering.is_ne(),
        Comparison::Less => ordering.is_lt(),
        Comparison::LessOrEqual => ordering.is_le(),
        Comparison::Greater => ordering.is_gt(),
        Comparison::GreaterOrEqual => ordering.is_ge(),
    }
}

#[inline]
pub(crate) fn same_currency(left: Money, right: Money) -> Evaluated<()> {
    if left.currency == right.currency {
        return Ok(());
    }
    Err(EvalError::Currencies {
        left: left.currency,
        right: right.currency,
    })
}

/// Compares two values of one type, texts apart.
#[inline]
pub(crate) fn compare_plain(left: &Value, right: &Value) -> Evaluated<Ordering> {
    match (left, right) {
        (Value::Money(a), Value::Money(b)) => {
            same_currency(*a, *b)?;
            Ok(a.amount.cmp(&b.amount))
        }
        (Value::Int(a), Value::Int(b)) => Ok(a.cmp(b)),
        (Value::Decimal(a), Value::Decimal(b)) => Ok(a.cmp(b)),
        (Value::Bool(a), Value::Bool(b)) => Ok(a.cmp(b)),
        (Value::Time(a), Value::Time(b)) => Ok(a.cmp(b)),
        (Value::Duration(a), Value::Duration(b)) => Ok(a.cmp(b)),
        _ => Err(EvalError::Type),
    }
}

pub(crate) fn arithmetic(op: Arithmetic, left: Value, right: Value) -> Evaluated<Value> {
    use Arithmetic::{Add, Divide, Multiply, Remainder, Subtract};
    match (left, right) {
        (Value::Int(a), Value::Int(b)) => {
            if b == 0 && matches!(op, Divide | Remainder) {
                return Err(EvalError::DivisionByZero);
            }
            let result = match op {
                Add => a.checked_add(b),
                Subtract => a.checked_sub(b),
                Multiply => a.checked_mul(b),
                Divide => a.checked_div(b),
                Remainder => a.checked_rem(b),
            };
            result.map(Value::Int).ok_or(EvalError::Overflow)
        }
        (Value::Decimal(a), Value::Decimal(b)) => {
            let result = match op {
                Add => a.checked_add(b),
                Subtract => a.checked_sub(b),
                Multiply => a.checked_mul(b),
                Divide | Remainder => return Err(EvalError::Type),
            };
            result.map(Value::Decimal).ok_or(EvalError::Overflow)
        }
        (Value::Money(a), Value::Money(b)) => {
            same_currency(a, b)?;
            let amount = match op {
                Add => a.amount.checked_add(b.amount),
                Subtract => a.amount.checked_sub(b.amount),
                _ => return Err(EvalError::Type),
            };
            amount
                .map(|sum| Value::Money(sum.of(a.currency)))
                .ok_or(EvalError::Overflow)
        }
        (Value::Money(a), Value::Int(b)) if op == Multiply => a
            .amount
            .minor()
            .checked_mul(i128::from(b))
            .map(|minor| Value::Money(paygod_types::Amount::from_minor(minor).of(a.currency)))
            .ok_or(EvalError::Overflow),
        (Value::Duration(a), Value::Int(b)) if op == Multiply => a
            .checked_mul(b)
            .map(Value::Duration)
            .ok_or(EvalError::Overflow),
        (Value::Time(a), Value::Duration(b)) => {
            let forward = (op == Add) == (b >= 0);
            let magnitude = Duration::from_nanos(b.unsigned_abs());
            let moved = if forward {
                a.checked_add(magnitude)
            } else {
                a.checked_sub(magnitude)
            };
            moved.map(Value::Time).ok_or(EvalError::Overflow)
        }
        (Value::Time(a), Value::Time(b)) => {
            let difference = i128::from(a.as_nanos()) - i128::from(b.as_nanos());
            i64::try_from(difference)
                .map(Value::Duration)
                .map_err(|_| EvalError::Overflow)
        }
        (Value::Duration(a), Value::Duration(b)) => {
            let result = match op {
                Add => a.checked_add(b),
                Subtract => a.checked_sub(b),
                _ => return Err(EvalError::Type),
            };
            result.map(Value::Duration).ok_or(EvalError::Overflow)
        }
        _ => Err(EvalError::Type),
    }
}

pub(crate) fn negate(value: Value) -> Evaluated<Value> {
    match value {
        Value::Int(a) => a.checked_neg().map(Value::Int).ok_or(EvalError::Overflow),
        Value::Decimal(a) => Ok(Value::Decimal(a.negated())),
        Value::Duration(a) => a
            .checked_neg()
            .map(Value::Duration)
            .ok_or(EvalError::Overflow),
        Value::Money(a) => a
            .amount
            .checked_neg()
            .map(|amount| Value::Money(amount.of(a.currency)))
            .ok_or(EvalError::Overflow),
        _ => Err(EvalError::Type),
    }
}

pub(crate) fn to_decimal(value: Value) -> Evaluated<Value> {
    match value {
        Value::Int(a) => Ok(Value::Decimal(Decimal::from_int(a))),
        other => Ok(other),
    }
}

pub(crate) fn money_amount(value: Value) -> Evaluated<Value> {
    let Value::Money(money) = value else {
        return Err(EvalError::Type);
    };
    let exponent = money.currency.exponent();
    let decimal = Decimal::from_minor(money.amount.minor(), exponent);
    decimal.map(Value::Decimal).ok_or(EvalError::Overflow)
}

pub(crate) fn money_currency(value: Value) -> Evaluated<Value> {
    let Value::Money(money) = value else {
        return Err(EvalError::Type);
    };
    Ok(Value::Text(TextRef::Code(money.currency)))
}

/// A part of a time so many seconds east of UTC. Months and days count from 1, days of the week from Sunday
/// as 0.
pub(crate) fn date_part(part: DatePart, offset_s: i32, value: Value) -> Evaluated<Value> {
    const DAY_NS: u64 = 86_400_000_000_000;
    let Value::Time(time) = value else {
        return Err(EvalError::Type);
    };
    let distance = Duration::from_secs(u64::from(offset_s.unsigned_abs()));
    let time = if offset_s < 0 {
        time.checked_sub(distance)
    } else {
        time.checked_add(distance)
    };
    let time = time.ok_or(EvalError::Overflow)?;
    let nanos = time.as_nanos();
    let date = time.date();
    let part = match part {
        DatePart::Year => u64::from(date.year),
        DatePart::Month => u64::from(date.month),
        DatePart::Day => u64::from(date.day),
        // 1970-01-01 was a Thursday.
        DatePart::DayOfWeek => (nanos / DAY_NS + 4) % 7,
        DatePart::Hour => nanos % DAY_NS / 3_600_000_000_000,
        DatePart::Minute => nanos % 3_600_000_000_000 / 60_000_000_000,
        DatePart::Second => nanos % 60_000_000_000 / 1_000_000_000,
    };
    i64::try_from(part)
        .map(Value::Int)
        .map_err(|_| EvalError::Overflow)
}
