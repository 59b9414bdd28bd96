//! The functions of the language. Those over lists, dates, windows and accounts have files of their own.

use paygod_types::{Currency, Money, Timestamp};

use super::ast::{Expr, ExprKind, Span};
use super::check::{Checked, Checker, Known, article, literal};
use super::dates;
use super::fields::nearest;
use super::ty::{Type, parse_duration};
use super::typed::{Kind, Quantifier, TextMap, TextTest, Typed};
use crate::list::Matching;

const FREE: [&str; 11] = [
    "has",
    "money",
    "duration",
    "timestamp",
    "list",
    "velocity",
    "size",
    "decimal",
    "account",
    "approvals",
    "now",
];
const METHODS: [&str; 26] = [
    "startsWith",
    "endsWith",
    "contains",
    "lowerAscii",
    "upperAscii",
    "trim",
    "ibanCountry",
    "bicCountry",
    "size",
    "matches",
    "exists",
    "all",
    "exists_one",
    "filter",
    "map",
    "sum",
    "distinct",
    "orValue",
    "year",
    "month",
    "getFullYear",
    "getDate",
    "getDayOfWeek",
    "getHours",
    "getMinutes",
    "getSeconds",
];

pub(super) fn plain(kind: Kind, ty: Type, span: Span) -> Checked {
    Some((Typed { kind, ty, span }, Known::default()))
}

impl Checker<'_> {
    pub(super) fn call(
        &mut self,
        span: Span,
        receiver: Option<&Expr>,
        (name, name_span): (&str, Span),
        args: &[Expr],
    ) -> Checked {
        match receiver {
            None => self.free_call(span, (name, name_span), args),
            Some(receiver) => self.method(span, receiver, (name, name_span), args),
        }
    }

    fn free_call(&mut self, span: Span, (name, name_span): (&str, Span), args: &[Expr]) -> Checked {
        match (name, args) {
            ("has", [field]) => {
                let (field, if_true) = self.presence(field)?;
                let typed = Typed { kind: Kind::Has(field), ty: Type::Bool, span };
                Some((typed, Known { if_true, if_false: Vec::new() }))
            }
            ("money", [amount, currency]) => {
                let money = self.money_literal(span, amount, currency)?;
                plain(Kind::Money(money), Type::Money, span)
            }
            ("duration", [text]) => {
                let ns = self.duration_literal(text)?;
                plain(Kind::Duration(ns), Type::Duration, span)
            }
            ("timestamp", [text]) => {
                let parsed = literal(text).and_then(|t| Timestamp::parse_rfc3339(&t).ok());
                match parsed {
                    Some(time) => plain(Kind::Time(time), Type::Timestamp, span),
                    None => self.fail(
                        text.span,
                        "`timestamp` takes a time in quotes, as in `timestamp(\"2026-11-22T00:00:00Z\")`",
                    ),
                }
            }
            ("decimal", [text]) => match literal(text).and_then(|t| crate::decimal::Decimal::parse(&t)) {
                Some(value) => plain(Kind::Decimal(value), Type::Decimal, span),
                None => self.fail(
                    text.span,
                    "`decimal` takes a number in quotes, as in `decimal(\"0.05\")`; fields have their type \
                     from the schema",
                ),
            },
            ("size", [of]) => self.size(span, of),
            ("now", []) => plain(Kind::Now, Type::Timestamp, span),
            ("approvals", []) => self.approvals(span),
            ("account", _) => self.fail(
                span,
                "of an account a balance is read: `.posted`, `.available` or `.expected`, as in \
                 `account(payment.debit).available`",
            ),
            ("list", _) => self.fail(
                span,
                "a list is only looked into: write `x in list(\"name\")` for exact or \
                 `list(\"name\").matches(x)` for normalised names",
            ),
            ("velocity", _) => self.fail(
                span,
                "a window is read by `.count`, `.sum` or `.distinct(field)`, as in \
                 `velocity([details.creditor.account], duration(\"24h\")).count`",
            ),
            _ => self.wrong_call(name, name_span, &FREE, false),
        }
    }

    fn wrong_call(
        &mut self,
        name: &str,
        span: Span,
        known: &[&'static str],
        method: bool,
    ) -> Checked {
        if known.contains(&name) {
            let usage = usage(name, method);
            return self.fail(span, format!("`{name}` is written {usage}"));
        }
        let other = if method {
            FREE.contains(&name)
        } else {
            METHODS.contains(&name)
        };
        if other {
            let usage = usage(name, !method);
            return self.fail(span, format!("`{name}` is written {usage}"));
        }
        let message = match nearest(name, known.iter().copied()) {
            Some(near) => format!("there is no function `{name}`; did you mean `{near}`?"),
            None => format!(
                "there is no function `{name}`; known are {}",
                known.join(", ")
            ),
        };
        self.fail(span, message)
    }

    fn method(
        &mut self,
        span: Span,
        receiver: &Expr,
        (name, name_span): (&str, Span),
        args: &[Expr],
    ) -> Checked {
        if let Some(list) = self.list_name(receiver)? {
            return match (name, args) {
                ("matches", [subject]) => self.listed(span, list, Matching::Normalised, subject),
                _ => self.fail(
                    name_span,
                    "a list has one function, `list(\"name\").matches(x)`; for exact look-up write \
                     `x in list(\"name\")`",
                ),
            };
        }
        match (name, args) {
            ("startsWith", [arg]) => self.text_test(span, TextTest::StartsWith, receiver, arg),
            ("endsWith", [arg]) => self.text_test(span, TextTest::EndsWith, receiver, arg),
            ("contains", [arg]) => self.text_test(span, TextTest::Contains, receiver, arg),
            ("lowerAscii", []) => self.text_map(span, TextMap::Lower, receiver),
            ("upperAscii", []) => self.text_map(span, TextMap::Upper, receiver),
            ("trim", []) => self.text_map(span, TextMap::Trim, receiver),
            ("ibanCountry", []) => self.text_map(span, TextMap::IbanCountry, receiver),
            ("bicCountry", []) => self.text_map(span, TextMap::BicCountry, receiver),
            ("size", []) => self.size(span, receiver),
            ("exists", [variable, body]) => {
                self.quantified(span, Quantifier::Exists, receiver, variable, body)
            }
            ("all", [variable, body]) => {
                self.quantified(span, Quantifier::All, receiver, variable, body)
            }
            ("exists_one", [variable, body]) => {
                self.quantified(span, Quantifier::ExistsOne, receiver, variable, body)
            }
            ("filter", [variable, body]) => self.filter(span, receiver, variable, body),
            ("map", [variable, body]) => self.map(span, receiver, variable, body),
            ("sum", _) => self.sum(span, receiver, args),
            ("distinct", [field]) => self.distinct(span, receiver, name_span, field),
            ("orValue", [otherwise]) => self.or_value(span, receiver, otherwise),
            ("matches", [pattern]) => self.matches(span, receiver, pattern),
            _ => match dates::part(name) {
                Some(part) => self.date_part(span, (name, part), receiver, args),
                None => self.wrong_call(name, name_span, &METHODS, true),
            },
        }
    }

    fn distinct(&mut self, span: Span, receiver: &Expr, name: Span, field: &Expr) -> Checked {
        match &receiver.kind {
            ExprKind::Call {
                receiver: None,
                name: of,
                args,
                ..
            } if of.as_str() == "velocity" => {
                self.velocity(span, args, ("distinct", name), Some(field))
            }
            _ => self.wrong_call("distinct", name, &METHODS, true),
        }
    }

    fn money_literal(&mut self, span: Span, amount: &Expr, currency: &Expr) -> Option<Money> {
        let (Some(amount_text), Some(currency_text)) = (literal(amount), literal(currency)) else {
            return self.fail(
                span,
                "`money` takes two texts in quotes, as in `money(\"100.00\", \"EUR\")`",
            );
        };
        let currency = match Currency::parse(&currency_text) {
            Ok(currency) => currency,
            Err(error) => return self.fail(currency.span, error.to_string()),
        };
        match Money::parse(&amount_text, currency) {
            Ok(money) => Some(money),
            Err(error) => self.fail(amount.span, error.to_string()),
        }
    }

    pub(super) fn duration_literal(&mut self, text: &Expr) -> Option<i64> {
        match literal(text).and_then(|t| parse_duration(&t)) {
            Some(ns) => Some(ns),
            None => self.fail(
                text.span,
                "a duration is text such as \"24h\", \"90m\" or \"7d\", larger units first",
            ),
        }
    }

    fn size(&mut self, span: Span, of: &Expr) -> Checked {
        let typed = self.value(of)?;
        let kind = match &typed.ty {
            Type::Text => Kind::TextSize(Box::new(typed)),
            Type::List(_) => Kind::ListSize(Box::new(typed)),
            ty => {
                let message = format!("`size` takes a string or a list, this is {}", article(ty));
                return self.fail(of.span, message);
            }
        };
        plain(kind, Type::Int, span)
    }

    /// A string operand of a function.
    pub(super) fn text(&mut self, expr: &Expr, function: &str) -> Option<Typed> {
        let typed = self.value(expr)?;
        if typed.ty == Type::Text {
            return Some(typed);
        }
        let message = format!(
            "`{function}` takes a string, this is {}",
            article(&typed.ty)
        );
        self.fail(expr.span, message)
    }

    fn text_test(&mut self, span: Span, test: TextTest, of: &Expr, arg: &Expr) -> Checked {
        let name = match test {
            TextTest::StartsWith => "startsWith",
            TextTest::EndsWith => "endsWith",
            TextTest::Contains => "contains",
        };
        let (of, arg) = (self.text(of, name), self.text(arg, name));
        let kind = Kind::TextTest(test, Box::new(of?), Box::new(arg?));
        plain(kind, Type::Bool, span)
    }

    fn text_map(&mut self, span: Span, map: TextMap, of: &Expr) -> Checked {
        let name = match map {
            TextMap::Lower => "lowerAscii",
            TextMap::Upper => "upperAscii",
            TextMap::Trim => "trim",
            TextMap::IbanCountry => "ibanCountry",
            TextMap::BicCountry => "bicCountry",
        };
        let of = self.text(of, name)?;
        plain(Kind::TextMap(map, Box::new(of)), Type::Text, span)
    }

    /// The name in `list("name")`; the inner `None` if the expression is no such call.
    pub(super) fn list_name(&mut self, expr: &Expr) -> Option<Option<String>> {
        let ExprKind::Call {
            receiver: None,
            name,
            args,
            ..
        } = &expr.kind
        else {
            return Some(None);
        };
        if name != "list" {
            return Some(None);
        }
        let named = match args.as_slice() {
            [arg] => literal(arg).filter(|n| paygod_types::Name::parse(n).is_ok()),
            _ => None,
        };
        match named {
            Some(name) => Some(Some(name.to_string())),
            None => self.fail(
                expr.span,
                "`list` takes one list's name in quotes, as in `list(\"ofac-sdn\")`",
            ),
        }
    }

    pub(super) fn listed(
        &mut self,
        span: Span,
        list: String,
        matching: Matching,
        subject: &Expr,
    ) -> Checked {
        let subject = self.value(subject)?;
        if subject.ty != Type::Text {
            let message = format!("lists hold strings, this is {}", article(&subject.ty));
            return self.fail(subject.span, message);
        }
        let lists = &mut self.collected.lists;
        let index = lists
            .iter()
            .position(|known| *known == list)
            .unwrap_or_else(|| {
                lists.push(list);
                lists.len() - 1
            });
        plain(
            Kind::Listed {
                list: index,
                matching,
                subject: Box::new(subject),
            },
            Type::Bool,
            span,
        )
    }
}

pub(super) fn usage(name: &str, method: bool) -> &'static str {
    match (name, method) {
        ("has", _) => "`has(details.reference)`, with one field",
        ("money", _) => "`money(\"100.00\", \"EUR\")`",
        ("duration", _) => "`duration(\"24h\")`",
        ("timestamp", _) => "`timestamp(\"2026-11-22T00:00:00Z\")`",
        ("decimal", _) => "`decimal(\"0.05\")`",
        ("list", _) => "`x in list(\"name\")` or `list(\"name\").matches(x)`",
        ("velocity", _) => "`velocity([details.creditor.account], duration(\"24h\")).count`",
        ("size", _) => "`x.size()` or `size(x)`",
        ("startsWith", _) => "`x.startsWith(\"text\")`",
        ("endsWith", _) => "`x.endsWith(\"text\")`",
        ("contains", _) => "`x.contains(\"text\")`",
        ("lowerAscii", _) => "`x.lowerAscii()`",
        ("upperAscii", _) => "`x.upperAscii()`",
        ("trim", _) => "`x.trim()`",
        ("ibanCountry", _) => "`x.ibanCountry()`",
        ("bicCountry", _) => "`x.bicCountry()`",
        ("matches", _) => "`x.matches(\"^[A-Z]{2}\")`, or `list(\"name\").matches(x)` for names",
        ("exists", _) => "`items.exists(i, i.amount > 0)`",
        ("all", _) => "`items.all(i, i.amount > 0)`",
        ("exists_one", _) => "`items.exists_one(i, i.amount > 0)`",
        ("filter", _) => "`items.filter(i, i.amount > 0)`",
        ("map", _) => "`items.map(i, i.quantity)`",
        ("sum", _) => {
            "`items.sum(i, i.quantity)`, or `items.sum(i, i.price, money(\"0.00\", \"EUR\"))`"
        }
        ("orValue", _) => "`details?.reference.orValue(\"\")`, after a field that may be absent",
        ("account", _) => "`account(payment.debit).available`",
        ("approvals", _) => "`approvals()`, in a rule that decides `review`",
        ("distinct", _) => {
            "`velocity([payment.debit], duration(\"24h\")).distinct(payment.credit)`"
        }
        ("now", _) => "`now()`, which is when the entry is sealed",
        _ => "`time.getHours(\"UTC\")`, with the zone named",
    }
}
