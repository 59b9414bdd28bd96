//! Names and fields: which slot a path such as `details.creditor.name` reads, and whether it may be read.

use std::sync::Arc;

use super::ast::{Expr, ExprKind, Span};
use super::check::{Checker, Present, is_path};
use super::ty::Type;
use super::typed::FieldRef;
use crate::schema::{Node, NodeShape, ObjectSpec, Shape};

/// The names a condition may use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope<'a> {
    pub(crate) shape: &'a Shape,
    /// Input names, and the path of each below the document's root.
    pub(crate) inputs: &'a [(String, Vec<String>)],
}

/// One field on the way, if it may be absent.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) present: Present,
    pub(super) optional: bool,
    pub(super) written: String,
}

/// What a path leads to.
pub(super) enum Path<'a> {
    Field {
        field: FieldRef,
        node: &'a Node,
        steps: Vec<Step>,
    },
    /// A part (`.amount`, `.currency`) of a money field.
    Part {
        of: FieldRef,
        steps: Vec<Step>,
        part: String,
        part_span: Span,
    },
}

impl<'a> Checker<'a> {
    /// Follows a path from an input or loop variable.
    pub(super) fn resolve(&mut self, expr: &Expr) -> Option<Path<'a>> {
        let mut names: Vec<(&str, Span)> = Vec::new();
        let mut at = expr;
        while let ExprKind::Select(inner, name, span) = &at.kind {
            names.push((name, *span));
            at = inner;
        }
        let ExprKind::Name(first) = &at.kind else {
            return self.fail(at.span, "a field path begins with an input's name");
        };
        names.reverse();
        let scope = self.scope;
        let variable = self.variables.iter().rposition(|(name, _)| name == first);
        let element = variable
            .and_then(|depth| self.variables.get(depth))
            .map(|(_, node)| *node);
        let (mut node, mut steps) = if let Some(element) = element {
            (element, Vec::new())
        } else {
            let Some((_, source)) = scope.inputs.iter().find(|(name, _)| name == first) else {
                return self.unknown_name(first, at.span);
            };
            input_root(scope.shape, source, first)?
        };
        let mut written = first.clone();
        let mut rest = names.into_iter();
        while let Some((name, span)) = rest.next() {
            let spec = match &node.shape {
                NodeShape::Object(spec) => spec,
                _ if node.ty() == Type::Money && rest.len() == 0 => {
                    let of = field_ref(variable, node);
                    let part = name.to_owned();
                    return Some(Path::Part {
                        of,
                        steps,
                        part,
                        part_span: span,
                    });
                }
                _ => {
                    let message = format!(
                        "`{written}` is declared as {}, which has no field `{name}`",
                        node.ty()
                    );
                    return self.fail(span, message);
                }
            };
            let Some(field) = spec.field(name) else {
                let message = unknown_field(&written, name, spec);
                return self.fail(span, message);
            };
            written = format!("{written}.{name}");
            node = &field.node;
            steps.push(Step {
                present: (variable, node.slot),
                optional: !field.required,
                written: written.clone(),
            });
        }
        Some(Path::Field {
            field: field_ref(variable, node),
            node,
            steps,
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
    pub(super) fn demand_present(&mut self, expr: &Expr, steps: &[Step]) -> Option<()> {
        let lacking = steps
            .iter()
            .rfind(|s| s.optional && !self.present.contains(&s.present));
        let Some(step) = lacking else { return Some(()) };
        let path = step.written.clone();
        let message = format!(
            "`{path}` is optional and may be absent here; write `has({path}) && …` before it"
        );
        self.fail(expr.span, message)
    }

    /// `has(path)`: the field, and what is known when it is true.
    pub(super) fn presence(&mut self, expr: &Expr) -> Option<(FieldRef, Vec<Present>)> {
        if !is_path(expr) {
            return self.fail(
                expr.span,
                "`has` takes a field, as in `has(details.reference)`",
            );
        }
        match self.resolve(expr)? {
            Path::Field { field, steps, .. } => {
                if let Some(last) = steps.last()
                    && steps.iter().all(|s| !s.optional)
                {
                    let message = format!(
                        "`{}` is required and always there; leave `has` out",
                        last.written
                    );
                    return self.fail(expr.span, message);
                }
                if steps.is_empty() {
                    return self.fail(expr.span, "this is always there; leave `has` out");
                }
                Some((field, steps.iter().map(|s| s.present).collect()))
            }
            Path::Part { part_span, .. } => self.fail(
                part_span,
                "an amount always has its parts; ask `has` of the field itself",
            ),
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

fn field_ref(variable: Option<usize>, node: &Node) -> FieldRef {
    let stride = match node.shape {
        NodeShape::List { stride, .. } => stride,
        _ => 0,
    };
    FieldRef {
        variable,
        slot: node.slot,
        stride,
        path: Arc::clone(&node.path),
    }
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
