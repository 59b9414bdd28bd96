//! Facts that come from the ledger: windows over sealed history, and balances of accounts.

use super::ast::{Expr, ExprKind, Span};
use super::check::{Checked, Checker};
use super::functions::{plain, usage};
use super::ty::Type;
use super::typed::{AccountPart, FieldRef, Kind, Measured, WindowKey, WindowSite};
use crate::limits::{ACCOUNTS_PER_PACK_MAX, WINDOW_KEYS_MAX, WINDOW_NS_MAX, WINDOWS_PER_PACK_MAX};

impl Checker<'_> {
    /// `account(id).available` and its like.
    pub(super) fn account(
        &mut self,
        span: Span,
        args: &[Expr],
        (part, part_span): (&str, Span),
    ) -> Checked {
        let [id] = args else {
            return self.fail(
                span,
                format!("`account` is written {}", usage("account", false)),
            );
        };
        if !self.variables.is_empty() {
            return self.fail(
                span,
                "an account cannot be read inside a loop; read it outside",
            );
        }
        let balance = match part {
            "posted" => AccountPart::Posted,
            "available" => AccountPart::Available,
            "expected" => AccountPart::Expected,
            _ => {
                let message =
                    format!("an account has `.posted`, `.available` and `.expected`, no `{part}`");
                return self.fail(part_span, message);
            }
        };
        let typed = self.value(id)?;
        let key = match (typed.kind, typed.ty) {
            (Kind::Field(field), Type::Text) => WindowKey::Field(field),
            (Kind::Text(text), _) if paygod_types::AccountId::parse(&text).is_ok() => {
                WindowKey::Text(text)
            }
            _ => {
                let message = "`account` takes a string field or an account's id in quotes, as in \
                               `account(payment.debit)`";
                return self.fail(id.span, message);
            }
        };
        let accounts = &mut self.collected.accounts;
        let known = accounts.iter().position(|known| *known == key);
        let index = known.unwrap_or_else(|| {
            accounts.push(key);
            accounts.len() - 1
        });
        if index >= ACCOUNTS_PER_PACK_MAX {
            let message = format!("a pack reads at most {ACCOUNTS_PER_PACK_MAX} accounts");
            return self.fail(span, message);
        }
        plain(Kind::Account(index, balance), Type::Money, span)
    }

    /// `approvals()`, in a rule that decides `review`.
    pub(super) fn approvals(&mut self, span: Span) -> Checked {
        if !self.scope.reviews {
            return self.fail(
                span,
                "`approvals()` belongs in a rule that decides `review`, as in `amount >= money(\"10000.00\", \
                 \"EUR\") && approvals() < 2`: it holds a payment back until so many others agree",
            );
        }
        plain(Kind::Approvals, Type::Int, span)
    }

    /// `velocity([keys…], duration("24h")).count`, `.sum` or `.distinct(field)`, which alone gives `counted`.
    pub(super) fn velocity(
        &mut self,
        span: Span,
        args: &[Expr],
        (part, part_span): (&str, Span),
        counted: Option<&Expr>,
    ) -> Checked {
        let [keys, window] = args else {
            return self.fail(
                span,
                format!("`velocity` is written {}", usage("velocity", false)),
            );
        };
        let ExprKind::List(keys_given) = &keys.kind else {
            let message =
                "the keys of `velocity` stand in brackets, as in `[details.creditor.account]`";
            return self.fail(keys.span, message);
        };
        if keys_given.is_empty() || keys_given.len() > WINDOW_KEYS_MAX {
            let message = format!("`velocity` takes 1 to {WINDOW_KEYS_MAX} keys");
            return self.fail(keys.span, message);
        }
        if !self.variables.is_empty() {
            return self.fail(
                span,
                "a window cannot be read inside a loop; read it outside",
            );
        }
        let keys: Vec<Option<WindowKey>> = keys_given.iter().map(|k| self.window_key(k)).collect();
        let window_ns = self.window_length(window)?;
        let keys: Vec<WindowKey> = keys.into_iter().collect::<Option<_>>()?;
        let measured = match (part, counted) {
            ("count", None) => Measured::Count,
            ("sum", None) => Measured::Sum,
            ("distinct", Some(field)) => Measured::Distinct(self.counted_field(field)?),
            ("distinct", None) => {
                let message = "`.distinct` counts the different values of a field, as in \
                               `velocity([payment.debit], duration(\"24h\")).distinct(payment.credit)`";
                return self.fail(part_span, message);
            }
            _ => {
                let message =
                    format!("a window has `.count`, `.sum` and `.distinct(field)`, no `{part}`");
                return self.fail(part_span, message);
            }
        };
        if measured == Measured::Sum && self.scope.shape.amount.is_none() {
            let message = "`.sum` adds up the transfers' amounts, but no input describes the required money \
                           field `amount` of the source `transfer`; describe it";
            return self.fail(span, message);
        }
        let site = WindowSite {
            keys,
            window_ns,
            measured,
        };
        let (kind, ty): (fn(usize) -> Kind, _) = match &site.measured {
            Measured::Count => (Kind::WindowCount, Type::Int),
            Measured::Sum => (Kind::WindowSum, Type::Money),
            Measured::Distinct(_) => (Kind::WindowDistinct, Type::Int),
        };
        let sites = &mut self.collected.sites;
        let index = sites
            .iter()
            .position(|known| *known == site)
            .unwrap_or_else(|| {
                sites.push(site);
                sites.len() - 1
            });
        if index >= WINDOWS_PER_PACK_MAX {
            let message = format!("a pack reads at most {WINDOWS_PER_PACK_MAX} windows; join some");
            return self.fail(span, message);
        }
        plain(kind(index), ty, span)
    }

    fn counted_field(&mut self, expr: &Expr) -> Option<FieldRef> {
        let typed = self.value(expr)?;
        match (typed.kind, typed.ty.scalar()) {
            (Kind::Field(field), true) => Some(field),
            _ => self.fail(
                expr.span,
                "`.distinct` counts the values of one field that is not a list or an object",
            ),
        }
    }

    fn window_key(&mut self, expr: &Expr) -> Option<WindowKey> {
        let typed = self.value(expr)?;
        match (typed.kind, typed.ty.scalar()) {
            (Kind::Field(field), true) => Some(WindowKey::Field(field)),
            (Kind::Text(text), _) => Some(WindowKey::Text(text)),
            _ => self.fail(
                expr.span,
                "a key of `velocity` is a field or a text, not a computed value",
            ),
        }
    }

    fn window_length(&mut self, expr: &Expr) -> Option<i64> {
        let ns = match &expr.kind {
            ExprKind::Text(_) => self.duration_literal(expr)?,
            _ => match self.value(expr)?.kind {
                Kind::Duration(ns) => ns,
                _ => {
                    let message = "the window is a fixed duration, as in `duration(\"24h\")`";
                    return self.fail(expr.span, message);
                }
            },
        };
        // A window of no length holds the linked transfers before the judged one, and nothing else.
        if (0..=WINDOW_NS_MAX).contains(&ns) {
            return Some(ns);
        }
        self.fail(
            expr.span,
            "a window reaches back at most 366 days, or `0s` for the linked transfers of one request",
        )
    }
}
