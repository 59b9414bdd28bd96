//! The typed tree: a condition after checking. The reference evaluator walks it; the compiler lowers it.

use std::sync::Arc;

use paygod_types::{Money, Timestamp};

use super::ast::Span;
use super::char_class::CharClass;
use super::ty::Type;
use crate::decimal::Decimal;
use crate::list::Matching;

/// A typed expression.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Typed {
    pub(crate) kind: Kind,
    pub(crate) ty: Type,
    pub(crate) span: Span,
}

/// A field: its place in the row of the document, or of the element a loop variable stands for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FieldRef {
    /// The depth of the loop whose element it is in; `None` for the document itself.
    pub(crate) variable: Option<usize>,
    pub(crate) slot: usize,
    /// The path from the document's root.
    pub(crate) path: Arc<str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TextTest {
    StartsWith,
    EndsWith,
    Contains,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TextMap {
    Lower,
    Upper,
    Trim,
    IbanCountry,
    BicCountry,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quantifier {
    Exists,
    All,
    ExistsOne,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DatePart {
    Year,
    Month,
    Day,
    DayOfWeek,
    Hour,
    Minute,
    Second,
}

/// Which balance of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AccountPart {
    Posted,
    Available,
    Expected,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    Bool(bool),
    Int(i64),
    Decimal(Decimal),
    Text(Arc<str>),
    Money(Money),
    Time(Timestamp),
    Duration(i64),
    Field(FieldRef),
    Has(FieldRef),
    Not(Box<Typed>),
    Negate(Box<Typed>),
    And(Vec<Typed>),
    Or(Vec<Typed>),
    Conditional(Box<Typed>, Box<Typed>, Box<Typed>),
    /// Both sides of one type.
    Compare(Comparison, Box<Typed>, Box<Typed>),
    Arithmetic(Arithmetic, Box<Typed>, Box<Typed>),
    /// An int where a decimal is needed.
    ToDecimal(Box<Typed>),
    /// Whether the first equals one of the others.
    OneOf(Box<Typed>, Vec<Typed>),
    /// Whether the first equals an element of a list.
    ElementOf(Box<Typed>, Box<Typed>),
    /// A list of the values in brackets.
    List(Vec<Typed>),
    /// The element that a loop variable stands for, if that is no object.
    Variable(usize),
    /// What reads a field if that is there, else another value.
    OrValue {
        field: FieldRef,
        then: Box<Typed>,
        otherwise: Box<Typed>,
    },
    /// Whether the subject is on a named list (index into the pack's lists).
    Listed {
        list: usize,
        matching: Matching,
        subject: Box<Typed>,
    },
    TextTest(TextTest, Box<Typed>, Box<Typed>),
    TextMap(TextMap, Box<Typed>),
    /// Whether a pattern is found in a text.
    Matches(Box<Typed>, Arc<Pattern>),
    /// Characters of a text.
    TextSize(Box<Typed>),
    /// Elements of a list.
    ListSize(Box<Typed>),
    MoneyAmount(Box<Typed>),
    MoneyCurrency(Box<Typed>),
    /// A part of a time, so many seconds east of UTC.
    DatePart(DatePart, i32, Box<Typed>),
    /// When the entry is sealed.
    Now,
    /// A balance of the account of a call site.
    Account(usize, AccountPart),
    /// How many approvals the request has.
    Approvals,
    WindowCount(usize),
    WindowSum(usize),
    WindowDistinct(usize),
    /// A quantifier over a list; the variable's depth is that of the body.
    Quantified {
        quantifier: Quantifier,
        list: Box<Typed>,
        variable: usize,
        body: Box<Typed>,
    },
    /// The elements of a list for which the body holds.
    Filter {
        list: Box<Typed>,
        variable: usize,
        body: Box<Typed>,
    },
    /// The body's value for each element of a list.
    Map {
        list: Box<Typed>,
        variable: usize,
        body: Box<Typed>,
    },
    /// The sum, over the elements of a list, of a value computed from each, and of what it begins with.
    Sum {
        list: Box<Typed>,
        variable: usize,
        body: Box<Typed>,
        start: Box<Typed>,
    },
}

/// A regular expression, compiled when the pack is loaded.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    pub(crate) text: String,
    pub(crate) regex: regex::Regex,
    /// The class of characters that it is, if it is nothing more.
    pub(crate) class: Option<CharClass>,
}

impl Pattern {
    /// Whether it matches somewhere in the text.
    pub(crate) fn is_match(&self, text: &str) -> bool {
        match &self.class {
            Some(class) => class.is_in(text),
            None => self.regex.is_match(text),
        }
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// One `velocity` call site.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct WindowSite {
    pub(crate) keys: Vec<WindowKey>,
    pub(crate) window_ns: i64,
    /// What is read. For a sum the currency joins the key.
    pub(crate) measured: Measured,
}

/// What a call site reads of its window.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Measured {
    Count,
    Sum,
    /// How many different values of a field.
    Distinct(FieldRef),
}

/// One key of a window.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum WindowKey {
    Field(FieldRef),
    Text(Arc<str>),
}

impl WindowSite {
    /// The keys, for reasons and messages.
    pub(crate) fn label(&self) -> String {
        let keys: Vec<String> = self
            .keys
            .iter()
            .map(|key| match key {
                WindowKey::Field(field) => field.path.to_string(),
                WindowKey::Text(text) => format!("{text:?}"),
            })
            .collect();
        keys.join(", ")
    }
}

impl Kind {
    /// The expressions directly below.
    pub(crate) fn children(&self) -> Vec<&Typed> {
        match self {
            Self::Bool(_)
            | Self::Int(_)
            | Self::Decimal(_)
            | Self::Text(_)
            | Self::Money(_)
            | Self::Time(_)
            | Self::Duration(_)
            | Self::Field(_)
            | Self::Has(_)
            | Self::Variable(_)
            | Self::Now
            | Self::Account(..)
            | Self::Approvals
            | Self::WindowCount(_)
            | Self::WindowSum(_)
            | Self::WindowDistinct(_) => Vec::new(),
            Self::Not(a)
            | Self::Negate(a)
            | Self::ToDecimal(a)
            | Self::ListSize(a)
            | Self::Matches(a, _)
            | Self::Listed { subject: a, .. }
            | Self::TextMap(_, a)
            | Self::TextSize(a)
            | Self::MoneyAmount(a)
            | Self::MoneyCurrency(a)
            | Self::DatePart(_, _, a) => vec![a],
            Self::Compare(_, a, b)
            | Self::Arithmetic(_, a, b)
            | Self::TextTest(_, a, b)
            | Self::ElementOf(a, b)
            | Self::OrValue {
                then: a,
                otherwise: b,
                ..
            }
            | Self::Quantified {
                list: a, body: b, ..
            }
            | Self::Filter {
                list: a, body: b, ..
            }
            | Self::Map {
                list: a, body: b, ..
            } => vec![a, b],
            Self::Conditional(a, b, c)
            | Self::Sum {
                list: a,
                body: b,
                start: c,
                ..
            } => vec![a, b, c],
            Self::And(items) | Self::Or(items) | Self::List(items) => items.iter().collect(),
            Self::OneOf(a, items) => core::iter::once(&**a).chain(items).collect(),
        }
    }
}
