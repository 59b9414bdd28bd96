//! The functions of the language.

use paygod_types::{Currency, Money, Timestamp};

use super::ast::{Expr, ExprKind, Span};
use super::check::{Checked, Checker, Known, article, literal};
use super::fields::{Path, nearest};
use super::ty::{Type, parse_duration};
use super::typed::{DatePart, Kind, Quantifier, TextMap, TextTest, Typed, WindowKey, WindowSite};
use crate::limits::{WINDOW_KEYS_MAX, WINDOW_NS_MAX, WINDOWS_PER_PACK_MAX};
use crate::list::Matching;
use crate::schema::{Node, NodeShape};

const FREE: [&str; 8] = [
    "has",
    "money",
    "duration",
    "timestamp",
    "list",
    "velocity",
    "size",
    "decimal",
];
const METHODS: [&str; 18] = [
    "startsWith",
    "endsWith",
    "contains",
    "lowerAscii",
    "upperAscii",
    "trim",
    "size",
    "matches",
    "exists",
    "all",
    "exists_one",
    "sum",
    "getFullYear",
    "getMonth",
    "getDate",
    "getDayOfWeek",
    "getHours",
    "getMinutes",
];

fn plain(kind: Kind, ty: Type, span: Span) -> Checked {
    Some((Typed { kind, ty, span }, Known::default()))
}

impl<'a> Checker<'a> {
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
            ("list", _) => self.fail(
                span,
                "a list is only looked into: write `x in list(\"name\")` for exact or \
                 `list(\"name\").matches(x)` for normalised names",
            ),
            ("velocity", _) => self.fail(
                span,
                "a window is read by `.count` or `.sum`, as in \
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
            ("sum", [variable, body]) => self.sum(span, receiver, variable, body),
            _ => match (date_part(name), args) {
                (Some(part), [zone]) => self.date_part(span, part, receiver, zone),
                _ => self.wrong_call(name, name_span, &METHODS, true),
            },
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

    fn duration_literal(&mut self, text: &Expr) -> Option<i64> {
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
        let kind = match (typed.ty.clone(), typed.kind) {
            (Type::Text, kind) => {
                let of = Typed {
                    kind,
                    ty: Type::Text,
                    span: typed.span,
                };
                Kind::TextSize(Box::new(of))
            }
            (Type::List(_), Kind::Field(field)) => Kind::ListSize(field),
            (ty, _) => {
                let message = format!("`size` takes a string or a list, this is {}", article(&ty));
                return self.fail(of.span, message);
            }
        };
        plain(kind, Type::Int, span)
    }

    /// A string operand of a function.
    fn text(&mut self, expr: &Expr, function: &str) -> Option<Typed> {
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
        };
        let of = self.text(of, name)?;
        plain(Kind::TextMap(map, Box::new(of)), Type::Text, span)
    }

    fn date_part(&mut self, span: Span, part: DatePart, of: &Expr, zone: &Expr) -> Checked {
        let typed = self.value(of)?;
        if typed.ty != Type::Timestamp {
            let message = format!(
                "a date part is read from a timestamp, this is {}",
                article(&typed.ty)
            );
            return self.fail(of.span, message);
        }
        if literal(zone).as_deref() != Some("UTC") {
            return self.fail(zone.span, "the zone is named, and only \"UTC\" is known");
        }
        plain(Kind::DatePart(part, Box::new(typed)), Type::Int, span)
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

    /// A list field that a macro runs over, and the node of its elements.
    fn loop_over(
        &mut self,
        receiver: &Expr,
        variable: &Expr,
    ) -> Option<(super::typed::FieldRef, String, &'a Node)> {
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
        let (field, _) = self.list_field(receiver)?;
        match self.resolve(receiver)? {
            Path::Field { node, .. } => match &node.shape {
                NodeShape::List { element, .. } => Some((field, name.clone(), element)),
                _ => None,
            },
            Path::Part { .. } => None,
        }
    }

    fn with_variable<T>(
        &mut self,
        name: String,
        element: &'a Node,
        inner: impl FnOnce(&mut Self) -> T,
    ) -> T {
        self.variables.push((name, element));
        let before = self.present.len();
        let result = inner(self);
        self.present.truncate(before);
        self.variables.pop();
        result
    }

    fn quantified(
        &mut self,
        span: Span,
        quantifier: Quantifier,
        receiver: &Expr,
        variable: &Expr,
        body: &Expr,
    ) -> Checked {
        let (list, name, element) = self.loop_over(receiver, variable)?;
        let depth = self.variables.len();
        let (body, _) =
            self.with_variable(name, element, |c| c.boolean(body, "the second argument"))?;
        let kind = Kind::Quantified {
            quantifier,
            list,
            variable: depth,
            body: Box::new(body),
        };
        plain(kind, Type::Bool, span)
    }

    fn sum(&mut self, span: Span, receiver: &Expr, variable: &Expr, body: &Expr) -> Checked {
        let (list, name, element) = self.loop_over(receiver, variable)?;
        let depth = self.variables.len();
        let typed = self.with_variable(name, element, |c| c.value(body))?;
        let ty = typed.ty.clone();
        if !matches!(ty, Type::Int | Type::Decimal) {
            let advice = if ty == Type::Money {
                "; sum `.amount` and look at the currency"
            } else {
                ""
            };
            let message = format!(
                "`sum` adds ints or decimals, this is {}{advice}",
                article(&ty)
            );
            return self.fail(body.span, message);
        }
        plain(
            Kind::Sum {
                list,
                variable: depth,
                body: Box::new(typed),
            },
            ty,
            span,
        )
    }

    /// `velocity([keys…], duration("24h")).count` or `.sum`.
    pub(super) fn velocity(
        &mut self,
        span: Span,
        args: &[Expr],
        (part, part_span): (&str, Span),
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
        let sum_used = match part {
            "count" => false,
            "sum" => true,
            _ => {
                let message = format!("a window has `.count` and `.sum`, no `{part}`");
                return self.fail(part_span, message);
            }
        };
        if sum_used && self.scope.shape.amount.is_none() {
            let message = "`.sum` adds up the transfers' amounts, but no input describes the required money \
                           field `amount` of the source `transfer`; describe it";
            return self.fail(span, message);
        }
        let site = WindowSite {
            keys,
            window_ns,
            sum_used,
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
        if sum_used {
            plain(Kind::WindowSum(index), Type::Money, span)
        } else {
            plain(Kind::WindowCount(index), Type::Int, span)
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
        if (1..=WINDOW_NS_MAX).contains(&ns) {
            return Some(ns);
        }
        self.fail(
            expr.span,
            "a window is longer than nothing and at most 366 days",
        )
    }
}

fn date_part(name: &str) -> Option<DatePart> {
    Some(match name {
        "getFullYear" => DatePart::Year,
        "getMonth" => DatePart::Month,
        "getDate" => DatePart::Day,
        "getDayOfWeek" => DatePart::DayOfWeek,
        "getHours" => DatePart::Hour,
        "getMinutes" => DatePart::Minute,
        _ => return None,
    })
}

fn usage(name: &str, method: bool) -> &'static str {
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
        ("matches", _) => "`list(\"name\").matches(x)`",
        ("exists", _) => "`items.exists(i, i.amount > 0)`",
        ("all", _) => "`items.all(i, i.amount > 0)`",
        ("exists_one", _) => "`items.exists_one(i, i.amount > 0)`",
        ("sum", _) => "`items.sum(i, i.quantity)`",
        _ => "`time.getHours(\"UTC\")`, with the zone named",
    }
}
