//! Types a condition against the inputs' schemas.
//!
//! INVARIANT(typed-load): a condition that passes can still err on values (overflow, two currencies meeting),
//! never on types or on a field that is not there: every optional field is read only where `has(…)` of it is
//! known to be true. Checking goes on after a problem, so that all of them are reported at once.

use std::sync::Arc;

use super::ast::{BinaryOp, Expr, ExprKind, Problem, Span};
use super::fields::{Path, Scope};
use super::ty::Type;
use super::typed::{Arithmetic, Comparison, Kind, Pattern, Typed, WindowKey, WindowSite};

/// What checking collects over all rules of a pack.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    /// Names of the lists that conditions read, in order of first use.
    pub(crate) lists: Vec<String>,
    /// The `velocity` call sites, equal ones joined.
    pub(crate) sites: Vec<WindowSite>,
    /// The accounts whose balances are read: fields, or ids as written.
    pub(crate) accounts: Vec<WindowKey>,
    /// The patterns of `matches`, equal ones joined.
    pub(crate) patterns: Vec<Arc<Pattern>>,
}

/// Fields known to be there when an expression is true, and when it is false.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    pub(super) if_true: Vec<Present>,
    pub(super) if_false: Vec<Present>,
}

/// A field known to be there: the loop it is in, and its slot.
pub(super) type Present = (Option<usize>, usize);

pub(super) struct Checker<'a> {
    pub(super) scope: Scope<'a>,
    /// Loop variables, outermost first: name and type of element.
    pub(super) variables: Vec<(String, Type)>,
    pub(super) present: Vec<Present>,
    pub(super) collected: &'a mut Collected,
    pub(super) problems: Vec<Problem>,
}

/// A typed expression and what it tells; `None` after a problem that has been noted.
pub(super) type Checked = Option<(Typed, Known)>;

/// Checks a rule's condition, which must be a bool.
pub(crate) fn check<'a>(
    expr: &Expr,
    scope: Scope<'a>,
    collected: &'a mut Collected,
) -> Result<Typed, Vec<Problem>> {
    let mut checker = Checker {
        scope,
        variables: Vec::new(),
        present: Vec::new(),
        collected,
        problems: Vec::new(),
    };
    let typed = checker.boolean(expr, "a condition");
    match typed {
        Some((typed, _)) if checker.problems.is_empty() => Ok(typed),
        _ => Err(checker.problems),
    }
}

impl Checker<'_> {
    pub(super) fn fail<T>(&mut self, span: Span, message: impl Into<String>) -> Option<T> {
        self.problems.push(Problem {
            span,
            message: message.into(),
        });
        None
    }

    /// Checks an expression that must be a bool.
    pub(super) fn boolean(&mut self, expr: &Expr, role: &str) -> Checked {
        let (typed, known) = self.expr(expr)?;
        if typed.ty == Type::Bool {
            return Some((typed, known));
        }
        let advice = match typed.ty {
            Type::Text => "compare it, as in `… == \"text\"`",
            Type::Money => "compare it, as in `… > money(\"100.00\", \"EUR\")`",
            Type::Object(_) => "ask whether it is there with `has(…)`, or read one of its fields",
            Type::List(_) => "ask whether it holds something with `… in` or `.exists(…)`",
            _ => "compare it, as in `… > 0`",
        };
        self.fail(
            expr.span,
            format!("{role} is a bool, this is {}; {advice}", article(&typed.ty)),
        )
    }

    /// Checks a value: anything but an object.
    pub(super) fn value(&mut self, expr: &Expr) -> Option<Typed> {
        let (typed, _) = self.expr(expr)?;
        if let Type::Object(_) = typed.ty {
            let message = "this is an object, not a value; read one of its fields, or ask `has(…)`";
            return self.fail(expr.span, message);
        }
        Some(typed)
    }

    pub(super) fn expr(&mut self, expr: &Expr) -> Checked {
        let plain = |kind, ty| {
            Some((
                Typed {
                    kind,
                    ty,
                    span: expr.span,
                },
                Known::default(),
            ))
        };
        match &expr.kind {
            ExprKind::Bool(value) => plain(Kind::Bool(*value), Type::Bool),
            ExprKind::Int(value) => plain(Kind::Int(*value), Type::Int),
            ExprKind::Decimal(value) => plain(Kind::Decimal(*value), Type::Decimal),
            ExprKind::Text(text) => plain(Kind::Text(text.as_str().into()), Type::Text),
            ExprKind::Name(_) | ExprKind::Select(..) | ExprKind::SelectOptional(..) => {
                self.selection(expr)
            }
            ExprKind::Call {
                receiver,
                name,
                name_span,
                args,
            } => self.call(expr.span, receiver.as_deref(), (name, *name_span), args),
            ExprKind::List(items) => self.list_literal(expr.span, items),
            ExprKind::Not(inner) => {
                let (typed, known) = self.boolean(inner, "what `!` negates")?;
                let kind = Kind::Not(Box::new(typed));
                let known = Known {
                    if_true: known.if_false,
                    if_false: known.if_true,
                };
                Some((
                    Typed {
                        kind,
                        ty: Type::Bool,
                        span: expr.span,
                    },
                    known,
                ))
            }
            ExprKind::Negate(inner) => self.negate(expr.span, inner),
            ExprKind::And(terms) => self.chain(expr.span, terms, true),
            ExprKind::Or(terms) => self.chain(expr.span, terms, false),
            ExprKind::Conditional(condition, then, otherwise) => {
                self.conditional(expr.span, [condition, then, otherwise])
            }
            ExprKind::Binary(BinaryOp::In, left, right) => self.membership(expr.span, left, right),
            ExprKind::Binary(op, left, right) => self.binary(expr.span, *op, left, right),
        }
    }

    /// `&&` and `||`: each term is read knowing that the ones before it were true (or false).
    fn chain(&mut self, span: Span, terms: &[Expr], and: bool) -> Checked {
        let before = self.present.len();
        let mut typed = Vec::with_capacity(terms.len());
        let role = if and {
            "each side of `&&`"
        } else {
            "each side of `||`"
        };
        for term in terms {
            if let Some((term, known)) = self.boolean(term, role) {
                self.present
                    .extend(if and { known.if_true } else { known.if_false });
                typed.push(term);
            }
        }
        let learned = self.present.split_off(before);
        if typed.len() < terms.len() {
            return None;
        }
        let (kind, known) = if and {
            (
                Kind::And(typed),
                Known {
                    if_true: learned,
                    if_false: Vec::new(),
                },
            )
        } else {
            (
                Kind::Or(typed),
                Known {
                    if_true: Vec::new(),
                    if_false: learned,
                },
            )
        };
        Some((
            Typed {
                kind,
                ty: Type::Bool,
                span,
            },
            known,
        ))
    }

    /// Checks with more fields known to be there.
    pub(super) fn knowing<T>(
        &mut self,
        more: Vec<Present>,
        inner: impl FnOnce(&mut Self) -> T,
    ) -> T {
        let before = self.present.len();
        self.present.extend(more);
        let result = inner(self);
        self.present.truncate(before);
        result
    }

    fn conditional(&mut self, span: Span, [condition, then, otherwise]: [&Expr; 3]) -> Checked {
        let condition = self.boolean(condition, "what stands before `?`");
        let known = condition
            .as_ref()
            .map(|(_, known)| known.clone())
            .unwrap_or_default();
        let then_typed = self.knowing(known.if_true, |c| c.value(then));
        let otherwise_typed = self.knowing(known.if_false, |c| c.value(otherwise));
        let (left, right) = self.unify(then_typed?, otherwise_typed?, |left, right| {
            format!("the two sides of `:` are {left} and {right}; make them one type")
        })?;
        let ty = left.ty.clone();
        let (condition, _) = condition?;
        let kind = Kind::Conditional(Box::new(condition), Box::new(left), Box::new(right));
        Some((Typed { kind, ty, span }, Known::default()))
    }

    /// Makes two expressions one type, an int becoming a decimal beside a decimal.
    pub(super) fn unify(
        &mut self,
        left: Typed,
        right: Typed,
        message: impl FnOnce(String, String) -> String,
    ) -> Option<(Typed, Typed)> {
        match (&left.ty, &right.ty) {
            (Type::Int, Type::Decimal) => Some((to_decimal(left), right)),
            (Type::Decimal, Type::Int) => Some((left, to_decimal(right))),
            (a, b) if a == b => Some((left, right)),
            (a, b) => {
                let message = message(article(a), article(b));
                self.fail(left.span.to(right.span), message)
            }
        }
    }

    fn negate(&mut self, span: Span, inner: &Expr) -> Checked {
        let typed = self.value(inner)?;
        let ty = typed.ty.clone();
        if !matches!(ty, Type::Int | Type::Decimal | Type::Money | Type::Duration) {
            return self.fail(
                span,
                format!("`-` takes a number, this is {}", article(&ty)),
            );
        }
        Some((
            Typed {
                kind: Kind::Negate(Box::new(typed)),
                ty,
                span,
            },
            Known::default(),
        ))
    }

    fn binary(&mut self, span: Span, op: BinaryOp, left: &Expr, right: &Expr) -> Checked {
        let (left, right) = (self.value(left), self.value(right));
        let (left, right) = (left?, right?);
        if let Some(comparison) = comparison(op) {
            return self.compare(span, (op, comparison), left, right);
        }
        let arithmetic = arithmetic(op)?;
        self.arithmetic(span, (op, arithmetic), left, right)
    }

    fn compare(
        &mut self,
        span: Span,
        (op, comparison): (BinaryOp, Comparison),
        left: Typed,
        right: Typed,
    ) -> Checked {
        let symbol = op.symbol();
        let declared = declared(&left)
            .or_else(|| declared(&right))
            .unwrap_or_default();
        let (left, right) = self.unify(left, right, |a, b| {
            format!(
                "`{symbol}` compares {a} with {b}{declared}; {}",
                convert_advice(&a, &b)
            )
        })?;
        let equality = matches!(comparison, Comparison::Equal | Comparison::NotEqual);
        if !left.ty.scalar() {
            let message = format!("`{symbol}` does not compare lists; use `in` or `.exists(…)`");
            return self.fail(span, message);
        }
        if !equality && !left.ty.ordered() {
            let message = format!(
                "`{symbol}` needs values with an order, these are {}s",
                left.ty
            );
            return self.fail(span, message);
        }
        if let (Kind::Money(a), Kind::Money(b)) = (&left.kind, &right.kind)
            && a.currency != b.currency
        {
            let message = format!(
                "`{symbol}` compares {} with {}, which always errs; compare amounts of one currency",
                a.currency, b.currency
            );
            return self.fail(span, message);
        }
        let kind = Kind::Compare(comparison, Box::new(left), Box::new(right));
        Some((
            Typed {
                kind,
                ty: Type::Bool,
                span,
            },
            Known::default(),
        ))
    }

    fn arithmetic(
        &mut self,
        span: Span,
        (op, arithmetic): (BinaryOp, Arithmetic),
        left: Typed,
        right: Typed,
    ) -> Checked {
        use Arithmetic::{Add, Divide, Multiply, Remainder, Subtract};
        use Type::{Decimal, Duration, Int, Money, Text, Timestamp};
        let ty = match (arithmetic, &left.ty, &right.ty) {
            (_, Int, Int) => Int,
            (Add | Subtract | Multiply, Decimal | Int, Decimal | Int) => Decimal,
            (Add | Subtract, Money, Money) => Money,
            (Multiply, Money, Int) | (Multiply, Int, Money) => Money,
            (Multiply, Duration, Int) | (Multiply, Int, Duration) => Duration,
            (Add, Text, Text) => Text,
            (Add | Subtract, Timestamp, Duration) | (Add, Duration, Timestamp) => Timestamp,
            (Subtract, Timestamp, Timestamp) | (Add | Subtract, Duration, Duration) => Duration,
            (Divide | Remainder, Decimal | Int, Decimal | Int) => {
                let message = format!(
                    "`{}` of decimals is not exact; multiply the other side instead, as in `a < b * 3`",
                    op.symbol()
                );
                return self.fail(span, message);
            }
            (Multiply | Divide, Money, Decimal) | (Divide, Money, Int) => {
                let message = "money times a fraction is not exact; multiply both sides by whole numbers, \
                               as in `a * 100 > b * 15` for 15 %";
                return self.fail(span, message);
            }
            (_, a, b) => {
                let message = format!(
                    "`{}` does not take {} and {}; {}",
                    op.symbol(),
                    article(a),
                    article(b),
                    convert_advice(&article(a), &article(b))
                );
                return self.fail(span, message);
            }
        };
        let (left, right) = match ty {
            Decimal => (to_decimal(left), to_decimal(right)),
            // The multiple stands on the right, so that evaluators know one order.
            Money | Duration if left.ty == Int => (right, left),
            Timestamp if left.ty == Duration => (right, left),
            _ => (left, right),
        };
        let kind = Kind::Arithmetic(arithmetic, Box::new(left), Box::new(right));
        Some((Typed { kind, ty, span }, Known::default()))
    }

    fn membership(&mut self, span: Span, left: &Expr, right: &Expr) -> Checked {
        if let Some(name) = self.list_name(right)? {
            return self.listed(span, name, crate::list::Matching::Exact, left);
        }
        let subject = self.value(left);
        let kind = match &right.kind {
            ExprKind::List(items) => {
                let items: Vec<Option<Typed>> = items.iter().map(|item| self.value(item)).collect();
                let mut subject = subject?;
                let mut typed = Vec::with_capacity(items.len());
                for item in items {
                    let (unified, item) = self.unify(subject, item?, |a, b| {
                        format!(
                            "`in` looks for {a} among values of another type, {b}; use one type"
                        )
                    })?;
                    subject = unified;
                    typed.push(item);
                }
                if typed.is_empty() {
                    return self.fail(
                        right.span,
                        "the list is empty, so `in` is never true; fill it",
                    );
                }
                Kind::OneOf(Box::new(subject), typed)
            }
            _ => {
                let (list, element) = self.list(right)?;
                let mut subject = subject?;
                if element == Type::Decimal && subject.ty == Type::Int {
                    subject = to_decimal(subject);
                }
                if element != subject.ty || !element.scalar() {
                    let message = format!(
                        "`in` looks for {} in a list of {element}; use one type",
                        article(&subject.ty)
                    );
                    return self.fail(span, message);
                }
                Kind::ElementOf(Box::new(subject), Box::new(list))
            }
        };
        Some((
            Typed {
                kind,
                ty: Type::Bool,
                span,
            },
            Known::default(),
        ))
    }

    /// A list, and the type of its elements.
    pub(super) fn list(&mut self, expr: &Expr) -> Option<(Typed, Type)> {
        let (typed, _) = self.expr(expr)?;
        match &typed.ty {
            Type::List(element) => {
                let element = (**element).clone();
                Some((typed, element))
            }
            ty => {
                let message = format!(
                    "a list is expected here, this is {}; write `[a, b]`, `list(\"name\")` or a field that is \
                     a list",
                    article(ty)
                );
                self.fail(expr.span, message)
            }
        }
    }

    /// `[a, b]`: values of one type.
    fn list_literal(&mut self, span: Span, items: &[Expr]) -> Checked {
        let items: Vec<Option<Typed>> = items.iter().map(|item| self.value(item)).collect();
        let items: Vec<Typed> = items.into_iter().collect::<Option<_>>()?;
        let decimal = items.iter().any(|item| item.ty == Type::Decimal);
        let items: Vec<Typed> = items
            .into_iter()
            .map(|item| {
                if decimal && item.ty == Type::Int {
                    to_decimal(item)
                } else {
                    item
                }
            })
            .collect();
        let Some(first) = items.first().map(|item| item.ty.clone()) else {
            return self.fail(span, "the list is empty; fill it");
        };
        if let Some(other) = items.iter().find(|item| item.ty != first) {
            let message = format!(
                "a list holds values of one type, here {} and {}",
                article(&first),
                article(&other.ty)
            );
            return self.fail(other.span, message);
        }
        if !first.scalar() {
            return self.fail(span, "a list in brackets holds single values, no lists");
        }
        let ty = Type::List(Box::new(first));
        let kind = Kind::List(items);
        Some((Typed { kind, ty, span }, Known::default()))
    }

    /// A name or a chain of fields.
    fn selection(&mut self, expr: &Expr) -> Checked {
        if let ExprKind::Select(inner, name, name_span) = &expr.kind
            && !is_path(inner)
        {
            return self.part(expr.span, inner, (name, *name_span));
        }
        if let ExprKind::SelectOptional(inner, ..) = &expr.kind
            && !is_path(inner)
        {
            let message = "`?.` reads a field of an input; a computed value has none";
            return self.fail(expr.span, message);
        }
        let path = self.resolve(expr)?;
        self.demand_present(expr, &path)?;
        self.whole(expr.span, path)
    }

    /// What a path reads, its part taken.
    pub(super) fn whole(&mut self, span: Span, path: Path) -> Checked {
        match path.part {
            None => Some((path.of, Known::default())),
            Some((part, part_span)) => self.part_of(span, path.of, (&part, part_span)),
        }
    }

    /// A part of a computed value: `velocity(…).count`, `money(…).currency`.
    fn part(&mut self, span: Span, inner: &Expr, part: (&str, Span)) -> Checked {
        if let ExprKind::Call {
            receiver: None,
            name,
            args,
            ..
        } = &inner.kind
        {
            match name.as_str() {
                "velocity" => return self.velocity(span, args, part, None),
                "account" => return self.account(span, args, part),
                _ => {}
            }
        }
        let of = self.value(inner)?;
        self.part_of(span, of, part)
    }

    fn part_of(&mut self, span: Span, of: Typed, (part, part_span): (&str, Span)) -> Checked {
        let (kind, ty) = match (&of.ty, part) {
            (Type::Money, "amount") => (Kind::MoneyAmount(Box::new(of)), Type::Decimal),
            (Type::Money, "currency") => (Kind::MoneyCurrency(Box::new(of)), Type::Text),
            (Type::Money, _) => {
                let message =
                    format!("money has no field `{part}`; it has `.amount` and `.currency`");
                return self.fail(part_span, message);
            }
            (ty, _) => {
                let message = format!("{} has no fields, so no `{part}`", article(ty));
                return self.fail(part_span, message);
            }
        };
        Some((Typed { kind, ty, span }, Known::default()))
    }
}

/// Whether an expression is a name or fields of one.
pub(super) fn is_path(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Name(_) => true,
        ExprKind::Select(inner, ..) | ExprKind::SelectOptional(inner, ..) => is_path(inner),
        _ => false,
    }
}

pub(super) fn to_decimal(typed: Typed) -> Typed {
    if typed.ty == Type::Decimal {
        return typed;
    }
    let span = typed.span;
    Typed {
        kind: Kind::ToDecimal(Box::new(typed)),
        ty: Type::Decimal,
        span,
    }
}

/// A type with its article.
pub(super) fn article(ty: &Type) -> String {
    match ty {
        Type::Int => "an int".to_owned(),
        Type::Object(_) => "an object".to_owned(),
        Type::Money => "money".to_owned(),
        other => format!("a {other}"),
    }
}

/// How the schema declares a field, for messages.
fn declared(typed: &Typed) -> Option<String> {
    match &typed.kind {
        Kind::Field(field) => Some(format!(
            " (`{}` is declared as {})",
            field.path,
            article(&typed.ty)
        )),
        _ => None,
    }
}

fn convert_advice(left: &str, right: &str) -> &'static str {
    let either = |what: &str| left == what || right == what;
    if either("money") {
        "write the amount as `money(\"100.00\", \"EUR\")`, or read `.amount`"
    } else if either("a timestamp") {
        "write the time as `timestamp(\"2026-11-22T00:00:00Z\")`"
    } else if either("a duration") {
        "write the duration as `duration(\"24h\")`"
    } else if either("a decimal") && either("a string") {
        "write the number without quotes"
    } else if either("a string") {
        "put text into quotes, numbers not"
    } else {
        "make both sides one type"
    }
}

const fn comparison(op: BinaryOp) -> Option<Comparison> {
    Some(match op {
        BinaryOp::Equal => Comparison::Equal,
        BinaryOp::NotEqual => Comparison::NotEqual,
        BinaryOp::Less => Comparison::Less,
        BinaryOp::LessOrEqual => Comparison::LessOrEqual,
        BinaryOp::Greater => Comparison::Greater,
        BinaryOp::GreaterOrEqual => Comparison::GreaterOrEqual,
        _ => return None,
    })
}

const fn arithmetic(op: BinaryOp) -> Option<Arithmetic> {
    Some(match op {
        BinaryOp::Add => Arithmetic::Add,
        BinaryOp::Subtract => Arithmetic::Subtract,
        BinaryOp::Multiply => Arithmetic::Multiply,
        BinaryOp::Divide => Arithmetic::Divide,
        BinaryOp::Remainder => Arithmetic::Remainder,
        _ => return None,
    })
}

/// A text literal, which some functions demand.
pub(super) fn literal(expr: &Expr) -> Option<Arc<str>> {
    match &expr.kind {
        ExprKind::Text(text) => Some(text.as_str().into()),
        _ => None,
    }
}
