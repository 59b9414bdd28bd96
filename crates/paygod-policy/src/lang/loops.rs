//! Functions over lists: quantifiers, `filter`, `map`, `sum`; and `orValue`.

use super::ast::{Expr, ExprKind, Span};
use super::check::{Checked, Checker, article, is_path};
use super::functions::{plain, usage};
use super::ty::Type;
use super::typed::{Kind, Quantifier, Typed};
use crate::decimal::Decimal;

impl Checker<'_> {
    /// Checks a list, then what is computed from each element of it; tells the loop's depth.
    fn each<T>(
        &mut self,
        receiver: &Expr,
        variable: &Expr,
        inner: impl FnOnce(&mut Self) -> Option<T>,
    ) -> Option<(Typed, usize, T)> {
        let ExprKind::Name(name) = &variable.kind else {
            return self.fail(
                variable.span,
                "the first argument is the name of the loop variable, as in `x`",
            );
        };
        if self.scope.inputs.iter().any(|(n, _)| n == name)
            || self.variables.iter().any(|(n, _)| n == name)
        {
            let message = format!("`{name}` already means something here; choose another name");
            return self.fail(variable.span, message);
        }
        let (list, element) = self.list(receiver)?;
        let depth = self.variables.len();
        self.variables.push((name.clone(), element));
        let before = self.present.len();
        let result = inner(self);
        self.present.truncate(before);
        self.variables.pop();
        Some((list, depth, result?))
    }

    /// As [`Self::each`], with a yes or no asked of each element.
    fn each_asked(
        &mut self,
        receiver: &Expr,
        variable: &Expr,
        body: &Expr,
    ) -> Option<(Typed, usize, Typed)> {
        let asked = |c: &mut Self| c.boolean(body, "the second argument");
        let (list, variable, (body, _)) = self.each(receiver, variable, asked)?;
        Some((list, variable, body))
    }

    pub(super) fn quantified(
        &mut self,
        span: Span,
        quantifier: Quantifier,
        receiver: &Expr,
        variable: &Expr,
        body: &Expr,
    ) -> Checked {
        let (list, variable, body) = self.each_asked(receiver, variable, body)?;
        let kind = Kind::Quantified {
            quantifier,
            list: Box::new(list),
            variable,
            body: Box::new(body),
        };
        plain(kind, Type::Bool, span)
    }

    pub(super) fn filter(
        &mut self,
        span: Span,
        receiver: &Expr,
        variable: &Expr,
        body: &Expr,
    ) -> Checked {
        let (list, variable, body) = self.each_asked(receiver, variable, body)?;
        let ty = list.ty.clone();
        let kind = Kind::Filter {
            list: Box::new(list),
            variable,
            body: Box::new(body),
        };
        plain(kind, ty, span)
    }

    pub(super) fn map(
        &mut self,
        span: Span,
        receiver: &Expr,
        variable: &Expr,
        body: &Expr,
    ) -> Checked {
        let (list, variable, typed) = self.each(receiver, variable, |c| c.value(body))?;
        if !typed.ty.scalar() {
            let message = format!(
                "`map` makes a list of single values, this is {}; read one value of it",
                article(&typed.ty)
            );
            return self.fail(body.span, message);
        }
        let ty = Type::List(Box::new(typed.ty.clone()));
        let kind = Kind::Map {
            list: Box::new(list),
            variable,
            body: Box::new(typed),
        };
        plain(kind, ty, span)
    }

    /// `list.sum()`, `list.sum(x, value)` or `list.sum(x, value, start)`.
    pub(super) fn sum(&mut self, span: Span, receiver: &Expr, args: &[Expr]) -> Checked {
        let (list, variable, body, start) = match args {
            [] => {
                let (list, ty) = self.list(receiver)?;
                let variable = self.variables.len();
                let kind = Kind::Variable(variable);
                let span = receiver.span;
                (list, variable, Typed { kind, ty, span }, None)
            }
            [variable, body, rest @ ..] if rest.len() <= 1 => {
                let (list, variable, body) = self.each(receiver, variable, |c| c.value(body))?;
                (list, variable, body, rest.first())
            }
            _ => {
                let message = format!("`sum` is written {}", usage("sum", true));
                return self.fail(span, message);
            }
        };
        let (body, start) = match start {
            Some(start) => {
                let start = self.value(start)?;
                self.unify(body, start, |a, b| {
                    format!("`sum` begins with {b} and adds {a}; make them one type")
                })?
            }
            None => {
                let kind = match body.ty {
                    Type::Decimal => Kind::Decimal(Decimal::from_int(0)),
                    Type::Duration => Kind::Duration(0),
                    _ => Kind::Int(0),
                };
                let ty = body.ty.clone();
                (body, Typed { kind, ty, span })
            }
        };
        let ty = body.ty.clone();
        if ty == Type::Money && args.len() < 3 {
            let message = "a sum of money has a currency even when the list is empty; say where it begins, as \
                           in `items.sum(i, i.price, money(\"0.00\", \"EUR\"))`";
            return self.fail(span, message);
        }
        if !matches!(ty, Type::Int | Type::Decimal | Type::Duration | Type::Money) {
            let message = format!(
                "`sum` adds ints, decimals, durations or money, this is {}",
                article(&ty)
            );
            return self.fail(body.span, message);
        }
        let kind = Kind::Sum {
            list: Box::new(list),
            variable,
            body: Box::new(body),
            start: Box::new(start),
        };
        plain(kind, ty, span)
    }

    /// `a?.b.orValue(c)`: the field if it is there, else another value.
    pub(super) fn or_value(&mut self, span: Span, receiver: &Expr, otherwise: &Expr) -> Checked {
        if !is_path(receiver) {
            if matches!(receiver.kind, ExprKind::SelectOptional(..)) {
                return self.value(receiver).and(None);
            }
            let message = format!("`orValue` is written {}", usage("orValue", true));
            return self.fail(receiver.span, message);
        }
        let path = self.resolve(receiver)?;
        let Some(asked) = path.asked else {
            let message = match path.steps.last() {
                Some(last) if last.optional => format!(
                    "`orValue` follows `?.`, which says that the field may be absent: write `?.` before the \
                     last name of `{}`",
                    last.written
                ),
                _ => "this is always there; leave `orValue` out".to_owned(),
            };
            return self.fail(receiver.span, message);
        };
        let (before, _) = path.steps.split_at_checked(asked)?;
        self.demand_steps(receiver, before, &path.of.ty)?;
        let Kind::Field(field) = path.of.kind.clone() else {
            return self.fail(receiver.span, "this is always there; leave `orValue` out");
        };
        let (then, _) = self.whole(receiver.span, path)?;
        if let Type::Object(_) = then.ty {
            let message =
                "`orValue` stands in for a value, this is an object; read one of its fields";
            return self.fail(receiver.span, message);
        }
        let empty = matches!(&otherwise.kind, ExprKind::List(items) if items.is_empty());
        let otherwise = match &then.ty {
            Type::List(_) if empty => Typed {
                kind: Kind::List(Vec::new()),
                ty: then.ty.clone(),
                span: otherwise.span,
            },
            _ => self.value(otherwise)?,
        };
        let (then, otherwise) = self.unify(then, otherwise, |a, b| {
            format!("the field is {a} and `orValue` gives {b}; make them one type")
        })?;
        let ty = then.ty.clone();
        let kind = Kind::OrValue {
            field,
            then: Box::new(then),
            otherwise: Box::new(otherwise),
        };
        plain(kind, ty, span)
    }
}
