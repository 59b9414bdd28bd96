//! The syntax tree of a condition, before types.

use crate::decimal::Decimal;

/// A stretch of the condition's text, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Span {
    pub(crate) fn to(self, other: Self) -> Self {
        Self {
            start: self.start.min(other.start),
            end: self.end.max(other.end),
        }
    }
}

/// Something wrong with a condition: where, what, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) span: Span,
    pub(crate) message: String,
}

/// Two-sided operators, `&&` and `||` apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BinaryOp {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    In,
}

impl BinaryOp {
    pub(crate) const fn symbol(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
            Self::In => "in",
        }
    }
}

/// One expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Expr {
    pub(crate) kind: ExprKind,
    pub(crate) span: Span,
    /// Levels below and including this one.
    pub(crate) height: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ExprKind {
    Bool(bool),
    Int(i64),
    Decimal(Decimal),
    Text(String),
    Name(String),
    /// `a.b`; the span of the field's name is kept for messages.
    Select(Box<Expr>, String, Span),
    /// `a?.b`: a field that may be absent.
    SelectOptional(Box<Expr>, String, Span),
    /// `f(…)`, or `r.f(…)` with a receiver.
    Call {
        receiver: Option<Box<Expr>>,
        name: String,
        name_span: Span,
        args: Vec<Expr>,
    },
    List(Vec<Expr>),
    Not(Box<Expr>),
    Negate(Box<Expr>),
    Binary(BinaryOp, Box<Expr>, Box<Expr>),
    /// `a && b && …`, flat so that long chains stay shallow.
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Conditional(Box<Expr>, Box<Expr>, Box<Expr>),
}

impl ExprKind {
    /// The height of a node of this kind.
    pub(crate) fn height(&self) -> usize {
        let tallest = |items: &[Expr]| items.iter().map(|e| e.height).max().unwrap_or(0);
        let below = match self {
            Self::Bool(_) | Self::Int(_) | Self::Decimal(_) | Self::Text(_) | Self::Name(_) => 0,
            Self::Select(inner, ..)
            | Self::SelectOptional(inner, ..)
            | Self::Not(inner)
            | Self::Negate(inner) => inner.height,
            Self::Call { receiver, args, .. } => {
                tallest(args).max(receiver.as_ref().map_or(0, |r| r.height))
            }
            Self::List(items) | Self::And(items) | Self::Or(items) => tallest(items),
            Self::Binary(_, left, right) => left.height.max(right.height),
            Self::Conditional(a, b, c) => a.height.max(b.height).max(c.height),
        };
        below.saturating_add(1)
    }
}
