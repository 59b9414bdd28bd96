//! Names and fields: which slot a path such as `details.creditor.name` reads, and whether it may be read.

use std::sync::Arc;

use super::ast::{Expr, ExprKind, Span};
use super::check::{Checker, Present, is_path};
use super::ty::Type;
use super::typed::{FieldRef, Kind, Typed};
use crate::schema::{Field, Node, NodeShape, ObjectSpec, Shape};

/// The names a condition may use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope<'a> {
    pub(crate) shape: &'a Shape,
    /// Input names, and the path of each below the document's root.
    pub(crate) inputs: &'a [(String, Vec<String>)],
    /// Whether the rule decides `review`, so that approvals mean something to it.
    pub(crate) reviews: bool,
}

/// One field on the way, if it may be absent.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) present: Present,
    pub(super) optional: bool,
    pub(super) written: String,
}

/// What a path leads to.
pub(super) struct Path {
    /// A field, or a loop variable that is no object.
    pub(super) of: Typed,
    pub(super) steps: Vec<Step>,
    /// How many of the steps must be there in spite of a `?.`, which asks for what is before and behind it;
    /// `None` if there is no `?.`.
    pub(super) asked: Option<usize>,
    /// `.amount` or `.currency` of money.
    pub(super) part: Option<(String, Span)>,
}

impl Checker<'_> {
    /// Follows a path from an input or loop variable.
    pub(super) fn resolve(&mut self, expr: &Expr) -> Option<Path> {
        let mut names: Vec<(&str, Span, bool)> = Vec::new();
        let mut at = expr;
        loop {
            at = match &at.kind {
                ExprKind::Select(inner, name, span) => {
                    names.push((name, *span, false));
                    inner
                }
                ExprKind::SelectOptional(inner, name, span) => {
                    names.push((name, *span, true));
                    inner
                }
                _ => break,
            };
        }
        let ExprKind::Name(first) = &at.kind else {
            return self.fail(at.span, "a field path begins with an input's name");
        };
        names.reverse();
        let mut walk = self.root(first, at.span)?;
        let mut rest = names.into_iter();
        while let Some((name, span, asked)) = rest.next() {
            if asked && walk.asked.is_none() {
                walk.asked = Some(walk.steps.len().saturating_sub(1));
            }
            let Type::Object(spec) = walk.ty.clone() else {
                if walk.ty == Type::Money && rest.len() == 0 && !asked {
                    return Some(walk.end(expr.span, Some((name.to_owned(), span))));
                }
                let message = format!(
                    "`{}` is declared as {}, which has no field `{name}`",
                    walk.written, walk.ty
                );
                return self.fail(span, message);
            };
            let Some(field) = spec.field(name) else {
                let message = unknown_field(&walk.written, name, &spec);
                return self.fail(span, message);
            };
            if asked && field.required && walk.steps.last().is_none_or(|s| !s.optional) {
                let message = format!(
                    "`{}.{name}` is required and always there; write `.` instead of `?.`",
                    walk.written
                );
                return self.fail(span, message);
            }
            walk.step(name, field);
        }
        Some(walk.end(expr.span, None))
    }

    /// Where a path begins: a loop variable or an input.
    fn root(&mut self, first: &str, span: Span) -> Option<Walk> {
        let variable = self.variables.iter().rposition(|(name, _)| name == first);
        if let Some((depth, (_, ty))) =
            variable.and_then(|depth| Some((depth, self.variables.get(depth)?)))
        {
            return Some(Walk {
                ty: ty.clone(),
                field: None,
                variable: Some(depth),
                written: first.to_owned(),
                steps: Vec::new(),
                asked: None,
            });
        }
        let scope = self.scope;
        let Some((_, source)) = scope.inputs.iter().find(|(name, _)| name == first) else {
            return self.unknown_name(first, span);
        };
        let (node, steps) = input_root(scope.shape, source, first)?;
        Some(Walk {
            ty: node.ty(),
            field: Some(FieldRef {
                variable: None,
                slot: node.slot,
                path: Arc::clone(&node.path),
            }),
            variable: None,
            written: first.to_owned(),
            steps,
            asked: None,
        })
    }

    fn unknown_name<T>(&mut self, name: &str, span: Span) -> Option<T> {
        let mut known: Vec<&str> = self.scope.inputs.iter().map(|(n, _)| n.as_str()).collect();
        known.extend(self.variables.iter().map(|(n, _)| n.as_str()));
        let message = match nearest(name, known.iter().copied()) {
            Some(near) => format!("there is no input `{name}`; did you mean `{near}`?"),
            None => format!(
                "there is no input `{name}`; the inputs are {}",
                backticked(&known)
            ),
        };
        self.fail(span, message)
    }

    /// Refuses to read a field that may be absent.
    pub(super) fn demand_present(&mut self, expr: &Expr, path: &Path) -> Option<()> {
        if path.asked.is_some() {
            let message = format!(
                "what `?.` reads may be absent; say what counts then, as in `{}.orValue({})`",
                self.written(expr),
                sample(&path.of.ty)
            );
            return self.fail(expr.span, message);
        }
        self.demand_steps(expr, &path.steps, &path.of.ty)
    }

    /// Refuses steps that may lead nowhere.
    pub(super) fn demand_steps(&mut self, expr: &Expr, steps: &[Step], ty: &Type) -> Option<()> {
        let lacking = steps
            .iter()
            .rfind(|s| s.optional && !self.present.contains(&s.present));
        let Some(step) = lacking else { return Some(()) };
        let path = step.written.clone();
        let instead = match (path.rsplit_once('.'), steps.last()) {
            (Some((before, last)), Some(end)) if end.written == path && ty.scalar() => {
                format!(", or read `{before}?.{last}.orValue({})`", sample(ty))
            }
            _ => String::new(),
        };
        let message = format!(
            "`{path}` is optional and may be absent here; write `has({path}) && …` before it{instead}"
        );
        self.fail(expr.span, message)
    }

    /// A path as it was written.
    fn written(&self, expr: &Expr) -> String {
        match &expr.kind {
            ExprKind::Name(name) => name.clone(),
            ExprKind::Select(inner, name, _) => format!("{}.{name}", self.written(inner)),
            ExprKind::SelectOptional(inner, name, _) => format!("{}?.{name}", self.written(inner)),
            _ => String::new(),
        }
    }

    /// `has(path)`: the field, and what is known when it is true.
    pub(super) fn presence(&mut self, expr: &Expr) -> Option<(FieldRef, Vec<Present>)> {
        if !is_path(expr) {
            return self.fail(
                expr.span,
                "`has` takes a field, as in `has(details.reference)`",
            );
        }
        let path = self.resolve(expr)?;
        if let Some((_, span)) = path.part {
            let message = "an amount always has its parts; ask `has` of the field itself";
            return self.fail(span, message);
        }
        if path.asked.is_some() {
            let message = "`has` asks for the whole path already; write `.` instead of `?.`";
            return self.fail(expr.span, message);
        }
        let steps = path.steps;
        if let Some(last) = steps.last()
            && steps.iter().all(|s| !s.optional)
        {
            let message = format!(
                "`{}` is required and always there; leave `has` out",
                last.written
            );
            return self.fail(expr.span, message);
        }
        match path.of.kind {
            Kind::Field(field) if !steps.is_empty() => {
                Some((field, steps.iter().map(|s| s.present).collect()))
            }
            _ => self.fail(expr.span, "this is always there; leave `has` out"),
        }
    }
}

/// A value to show in advice.
fn sample(ty: &Type) -> &'static str {
    match ty {
        Type::Bool => "false",
        Type::Int | Type::Decimal => "0",
        Type::Text => "\"\"",
        Type::Money => "money(\"0.00\", \"EUR\")",
        Type::Timestamp => "timestamp(\"2026-11-22T00:00:00Z\")",
        Type::Duration => "duration(\"0s\")",
        Type::List(_) => "[]",
        Type::Object(_) => "…",
    }
}

/// A path being followed.
struct Walk {
    ty: Type,
    /// `None` at a loop variable itself.
    field: Option<FieldRef>,
    variable: Option<usize>,
    written: String,
    steps: Vec<Step>,
    asked: Option<usize>,
}

impl Walk {
    fn step(&mut self, name: &str, field: &Field) {
        let node = &field.node;
        self.written = format!("{}.{name}", self.written);
        self.ty = node.ty();
        self.field = Some(FieldRef {
            variable: self.variable,
            slot: node.slot,
            path: Arc::clone(&node.path),
        });
        self.steps.push(Step {
            present: (self.variable, node.slot),
            optional: !field.required,
            written: self.written.clone(),
        });
    }

    fn end(self, span: Span, part: Option<(String, Span)>) -> Path {
        let kind = match (self.field, self.variable) {
            (Some(field), _) => Kind::Field(field),
            (None, depth) => Kind::Variable(depth.unwrap_or(usize::MAX)),
        };
        Path {
            of: Typed {
                kind,
                ty: self.ty,
                span,
            },
            steps: self.steps,
            asked: self.asked,
            part,
        }
    }
}

/// The node an input names, with the steps that lead to it.
fn input_root<'a>(
    shape: &'a Shape,
    source: &[String],
    input: &str,
) -> Option<(&'a Node, Vec<Step>)> {
    let mut node = &shape.root;
    let mut steps = Vec::new();
    for name in source {
        let NodeShape::Object(spec) = &node.shape else {
            return None;
        };
        node = &spec.field(name)?.node;
        let written = input.to_owned();
        steps.push(Step {
            present: (None, node.slot),
            optional: true,
            written,
        });
    }
    Some((node, steps))
}

fn unknown_field(written: &str, name: &str, spec: &ObjectSpec) -> String {
    let known: Vec<&str> = spec.fields.iter().map(|f| f.name.as_str()).collect();
    match nearest(name, known.iter().copied()) {
        Some(near) => {
            let ty = spec
                .field(near)
                .map(|f| f.node.ty().to_string())
                .unwrap_or_default();
            format!("`{written}` has no field `{name}`; did you mean `{near}` ({ty})?")
        }
        None => format!(
            "`{written}` has no field `{name}`; it has {}",
            backticked(&known)
        ),
    }
}

fn backticked(words: &[&str]) -> String {
    if words.is_empty() {
        return "none".to_owned();
    }
    words
        .iter()
        .map(|w| format!("`{w}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// The word nearest to `word` by edit distance, if one is near enough to be meant.
pub(super) fn nearest<'w>(word: &str, known: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    known
        .map(|k| (distance(word, k), k))
        .filter(|(d, k)| *d <= 2 && *d < k.chars().count())
        .min_by_key(|(d, _)| *d)
        .map(|(_, k)| k)
}

fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().take(64).enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        let mut next = vec![left];
        for (cb, above) in b.iter().zip(row.iter().skip(1)) {
            let cost = usize::from(ca != *cb);
            left = (diagonal + cost).min(above + 1).min(left + 1);
            diagonal = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}
