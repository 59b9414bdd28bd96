//! What a case says about fields of the decision beyond its verdict and rules.
//!
//! The decision is looked at as one JSON document:
//!
//! ```json
//! {"approvals_required":0,"decision":"deny","fuel":41,
//!  "rules":{"creditor-listed":{"decision":"deny","facts":{"uid":"36"},"reason":"…"}}}
//! ```
//!
//! A field is named by its path, as in `rules.creditor-listed.facts.uid`.

use regex::{Regex, RegexBuilder};
use serde::Deserialize;

use crate::decimal::Decimal;
use crate::decision::Decision;
use crate::json::Json;
use crate::limits::REGEX_BYTES_MAX;

/// The matchers of one field, all of which must hold.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawMatch {
    equals: Option<Json>,
    contains: Option<String>,
    regex: Option<String>,
    gt: Option<Json>,
    lt: Option<Json>,
}

/// What one field is to be.
#[derive(Debug)]
pub(crate) struct Expected {
    field: String,
    matchers: Vec<Matcher>,
}

#[derive(Debug)]
enum Matcher {
    Equals(Json),
    Contains(String),
    Matches(Box<Regex>),
    Greater(Decimal),
    Less(Decimal),
}

impl Expected {
    /// Checks the matchers of a field.
    pub(super) fn read(field: String, raw: RawMatch) -> Result<Self, String> {
        let number = |matcher: &str, given: &Json| {
            decimal(given).ok_or_else(|| {
                format!("`{matcher}` for `{field}` takes a number, as in `{matcher}: 0`")
            })
        };
        let mut matchers = Vec::new();
        matchers.extend(raw.equals.map(Matcher::Equals));
        matchers.extend(raw.contains.map(Matcher::Contains));
        if let Some(pattern) = &raw.regex {
            let built = RegexBuilder::new(pattern)
                .size_limit(REGEX_BYTES_MAX)
                .build();
            let regex = built.map_err(|_| {
                format!("`regex` for `{field}` is no regular expression: `{pattern}`")
            })?;
            matchers.push(Matcher::Matches(Box::new(regex)));
        }
        if let Some(given) = &raw.gt {
            matchers.push(Matcher::Greater(number("gt", given)?));
        }
        if let Some(given) = &raw.lt {
            matchers.push(Matcher::Less(number("lt", given)?));
        }
        if matchers.is_empty() {
            return Err(format!(
                "`{field}` is compared with nothing; write `equals`, `contains`, `regex`, `gt` or `lt`"
            ));
        }
        Ok(Self { field, matchers })
    }

    /// What is otherwise than expected, a line each.
    pub(super) fn differences(&self, output: &Json) -> Vec<String> {
        let Some(found) = find(output, &self.field) else {
            return vec![format!("{}: there is no such field", self.field)];
        };
        let shown = spelt(found);
        let failed = self.matchers.iter().filter(|m| !m.holds(found));
        failed
            .map(|m| format!("{}: expected {}, found `{shown}`", self.field, m.told()))
            .collect()
    }
}

impl Matcher {
    fn holds(&self, found: &Json) -> bool {
        match self {
            Self::Equals(expected) => {
                expected == found
                    || matches!((decimal(expected), decimal(found)), (Some(a), Some(b)) if a == b)
            }
            Self::Contains(part) => spelt(found).contains(part.as_str()),
            Self::Matches(regex) => regex.is_match(&spelt(found)),
            Self::Greater(bound) => decimal(found).is_some_and(|n| n > *bound),
            Self::Less(bound) => decimal(found).is_some_and(|n| n < *bound),
        }
    }

    fn told(&self) -> String {
        match self {
            Self::Equals(expected) => format!("`{}`", spelt(expected)),
            Self::Contains(part) => format!("something with `{part}`"),
            Self::Matches(regex) => format!("a match of `{regex}`"),
            Self::Greater(bound) => format!("more than {bound}"),
            Self::Less(bound) => format!("less than {bound}"),
        }
    }
}

/// A number, or a text that spells one, as facts do.
fn decimal(value: &Json) -> Option<Decimal> {
    match value {
        Json::Number(text) | Json::Text(text) => Decimal::parse(text),
        _ => None,
    }
}

fn spelt(value: &Json) -> String {
    if let Some(text) = value.as_text() {
        return text.to_owned();
    }
    let mut out = Vec::new();
    value.write(&mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// Follows a path. Names of rules may hold dots themselves: the longest member that fits is taken.
fn find<'a>(value: &'a Json, path: &str) -> Option<&'a Json> {
    if path.is_empty() {
        return Some(value);
    }
    let Json::Object(members) = value else {
        return None;
    };
    let mut fitting: Vec<(&Json, &str)> = members
        .iter()
        .filter_map(|(name, inner)| {
            let rest = path.strip_prefix(name.as_str())?;
            if rest.is_empty() {
                return Some((inner, ""));
            }
            Some((inner, rest.strip_prefix('.')?))
        })
        .collect();
    fitting.sort_by_key(|(_, rest)| rest.len());
    fitting
        .into_iter()
        .find_map(|(inner, rest)| find(inner, rest))
}

/// The decision as the document that matchers look at.
pub(super) fn output(decision: &Decision) -> Json {
    let text = |value: &str| Json::Text(value.to_owned());
    let mut rules: Vec<(String, Json)> = Vec::new();
    for reason in &decision.reasons {
        let facts = reason
            .facts
            .iter()
            .map(|(key, value)| (key.clone(), text(value)));
        let said = Json::Object(vec![
            ("decision".to_owned(), text(reason.rule.decision.as_str())),
            ("facts".to_owned(), Json::Object(facts.collect())),
            ("reason".to_owned(), text(&reason.rule.reason)),
        ]);
        rules.push((reason.rule.rule.to_string(), said));
    }
    Json::Object(vec![
        (
            "approvals_required".to_owned(),
            Json::Number(decision.approvals_required.to_string()),
        ),
        ("decision".to_owned(), text(decision.verdict.as_str())),
        ("fuel".to_owned(), Json::Number(decision.fuel.to_string())),
        ("rules".to_owned(), Json::Object(rules)),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(field: &str, matchers: &str) -> Vec<String> {
        let output = Json::parse(
            r#"{"fuel":41,"rules":{"a.b":{"facts":{"uid":"36"},"reason":"on the list"}}}"#,
        )
        .unwrap();
        let raw: RawMatch = crate::pack::yaml::read("cases.yaml", matchers).unwrap();
        Expected::read(field.to_owned(), raw)
            .unwrap()
            .differences(&output)
    }

    #[test]
    fn every_matcher_can_hold_and_can_fail() {
        for (field, good, bad) in [
            ("fuel", "equals: 41", "equals: 42"),
            ("fuel", "gt: 40", "gt: 41"),
            ("fuel", "lt: 41.5", "lt: 41"),
            ("rules.a.b.facts.uid", "equals: 36", "equals: 37"),
            ("rules.a.b.reason", "contains: the", "contains: The"),
            ("rules.a.b.reason", "regex: ^on .* list$", "regex: ^list"),
        ] {
            assert_eq!(check(field, good), Vec::<String>::new(), "{good}");
            assert_eq!(check(field, bad).len(), 1, "{bad}");
        }
    }

    #[test]
    fn a_field_that_is_not_there_differs() {
        assert_eq!(
            check("rules.a.reason", "contains: x"),
            ["rules.a.reason: there is no such field"]
        );
    }

    #[test]
    fn matchers_that_compare_nothing_are_refused() {
        let raw: RawMatch = crate::pack::yaml::read("cases.yaml", "{}").unwrap();
        assert!(Expected::read("fuel".to_owned(), raw).is_err());
        let raw: RawMatch = crate::pack::yaml::read("cases.yaml", "regex: '('").unwrap();
        assert!(Expected::read("fuel".to_owned(), raw).is_err());
        let raw: RawMatch = crate::pack::yaml::read("cases.yaml", "gt: much").unwrap();
        assert!(Expected::read("fuel".to_owned(), raw).is_err());
    }
}
