//! What a change of a contract means for those who rely on it, found by comparing the two, never by what its
//! author says of it.
//!
//! Contracts are read by both sides: documents that were valid must stay valid, and readers must find what they
//! found. So a change **breaks** when it takes away a property, a value, a kind or a branch, asks for more, or
//! narrows what is allowed; it **adds** when it only allows more; and it is **words** when only annotations differ.

use serde_json::{Map, Value};

/// How much a change matters, by the rules of SemVer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Impact {
    /// Annotations only: a patch.
    Words,
    /// More is allowed: a minor version.
    Adds,
    /// Something that was right is no longer: a major version, in a new file.
    Breaks,
}

/// A change, and where it is, as a JSON pointer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) impact: Impact,
    pub(crate) what: String,
}

const ANNOTATIONS: &[&str] = &[
    "$schema",
    "$comment",
    "title",
    "description",
    "examples",
    "default",
    "deprecated",
];
/// Keywords that hold schemas by name.
const BY_NAME: &[&str] = &["properties", "$defs", "patternProperties"];
/// Keywords that hold branches of which one or more fit.
const BRANCHES: &[&str] = &["oneOf", "anyOf"];
/// Bounds below which, and above which, nothing is allowed.
const LOWER: &[&str] = &[
    "minimum",
    "minLength",
    "minItems",
    "minProperties",
    "exclusiveMinimum",
];
const UPPER: &[&str] = &[
    "maximum",
    "maxLength",
    "maxItems",
    "maxProperties",
    "exclusiveMaximum",
];

/// Compares a schema with the one before it.
pub(crate) fn schema(before: &Value, after: &Value) -> Vec<Change> {
    let mut found = Vec::new();
    compare(before, after, "", &mut found);
    found
}

/// Compares two registries of error codes: a code is for ever, its words may be put better.
pub(crate) fn registry(before: &Value, after: &Value) -> Vec<Change> {
    let rows = |value: &Value| -> Vec<(String, Value)> {
        let rows = value.get("codes").and_then(Value::as_array);
        let rows = rows.into_iter().flatten();
        rows.map(|row| (text(row, "code"), row.clone())).collect()
    };
    let (old, new) = (rows(before), rows(after));
    let mut found = Vec::new();
    for (code, row) in &old {
        let Some((_, now)) = new.iter().find(|(name, _)| name == code) else {
            note(
                &mut found,
                Impact::Breaks,
                format!("the code `{code}` is gone"),
            );
            continue;
        };
        for key in ["class", "retryable", "http", "exit"] {
            if row.get(key) != now.get(key) {
                note(
                    &mut found,
                    Impact::Breaks,
                    format!("`{key}` of the code `{code}` is another"),
                );
            }
        }
        if row != now {
            note(
                &mut found,
                Impact::Words,
                format!("the code `{code}` is told otherwise"),
            );
        }
    }
    for (code, _) in &new {
        if !old.iter().any(|(name, _)| name == code) {
            note(
                &mut found,
                Impact::Adds,
                format!("the code `{code}` is new"),
            );
        }
    }
    found
}

fn text(value: &Value, key: &str) -> String {
    let text = value.get(key).and_then(Value::as_str);
    text.unwrap_or_default().to_owned()
}

fn note(found: &mut Vec<Change>, impact: Impact, what: String) {
    found.push(Change { impact, what });
}

fn compare(before: &Value, after: &Value, at: &str, found: &mut Vec<Change>) {
    let (Value::Object(old), Value::Object(new)) = (before, after) else {
        if before != after {
            let impact = if *after == Value::Bool(true) {
                Impact::Adds
            } else {
                Impact::Breaks
            };
            note(found, impact, format!("{at}: is another schema"));
        }
        return;
    };
    let keys = old
        .keys()
        .chain(new.keys().filter(|key| !old.contains_key(*key)));
    for key in keys {
        let (was, is) = (old.get(key), new.get(key));
        if was != is {
            keyword(key, (old, new), &format!("{at}/{key}"), found);
        }
    }
}

/// One keyword that differs.
fn keyword(
    key: &str,
    (old, new): (&Map<String, Value>, &Map<String, Value>),
    at: &str,
    found: &mut Vec<Change>,
) {
    let (was, is) = (old.get(key), new.get(key));
    if ANNOTATIONS.contains(&key) {
        note(found, Impact::Words, format!("{at}: is told otherwise"));
    } else if BY_NAME.contains(&key) {
        named(was, is, at, found);
    } else if BRANCHES.contains(&key) {
        branches(was, is, at, found);
    } else if key == "required" || key == "enum" || key == "type" {
        // Fewer values or more duties break; for `required` it is the other way round.
        let (was, is) = (values(was), values(is));
        let lost = was.iter().any(|value| !is.contains(value));
        let gained = is.iter().any(|value| !was.contains(value));
        let breaks = match key {
            // What was always there may now be missing: readers break. What is now asked for: writers break.
            "required" => lost || gained,
            _ => lost || was.is_empty(),
        };
        let impact = if breaks { Impact::Breaks } else { Impact::Adds };
        note(found, impact, format!("{at}: is {is:?}, was {was:?}"));
    } else if LOWER.contains(&key) || UPPER.contains(&key) {
        let looser = match (was.and_then(number), is.and_then(number)) {
            (Some(_), None) => true,
            (Some(was), Some(is)) if LOWER.contains(&key) => is < was,
            (Some(was), Some(is)) => is > was,
            _ => false,
        };
        let impact = if looser { Impact::Adds } else { Impact::Breaks };
        note(
            found,
            impact,
            format!("{at}: is {}, was {}", shown(is), shown(was)),
        );
    } else if key == "additionalProperties" && is != Some(&Value::Bool(false)) {
        match (was, is) {
            (Some(was @ Value::Object(_)), Some(is @ Value::Object(_))) => {
                compare(was, is, at, found)
            }
            (None | Some(Value::Bool(true)), Some(Value::Object(_))) => {
                note(
                    found,
                    Impact::Breaks,
                    format!("{at}: other properties are bound now"),
                );
            }
            _ => note(
                found,
                Impact::Adds,
                format!("{at}: more properties are allowed"),
            ),
        }
    } else if key == "items" {
        match (was, is) {
            (Some(was), Some(is)) => compare(was, is, at, found),
            _ => note(found, Impact::Breaks, format!("{at}: is another schema")),
        }
    } else {
        // A keyword this does not know: taken as breaking, so that nothing slips through.
        note(
            found,
            Impact::Breaks,
            format!("{at}: is {}, was {}", shown(is), shown(was)),
        );
    }
}

fn named(was: Option<&Value>, is: Option<&Value>, at: &str, found: &mut Vec<Change>) {
    let empty = Map::new();
    let object = |value: Option<&Value>| value.and_then(Value::as_object).cloned();
    let (old, new) = (
        object(was).unwrap_or_else(|| empty.clone()),
        object(is).unwrap_or(empty),
    );
    for (name, schema) in &old {
        match new.get(name) {
            Some(now) => compare(schema, now, &format!("{at}/{name}"), found),
            None => note(found, Impact::Breaks, format!("{at}/{name}: is gone")),
        }
    }
    for name in new.keys().filter(|name| !old.contains_key(*name)) {
        note(found, Impact::Adds, format!("{at}/{name}: is new"));
    }
}

/// Branches are told apart by what they are, not by their place: one that stands unchanged is the same. Of what is
/// left, each is compared with one that takes all that it took, if there is one, and a further one is an addition.
fn branches(was: Option<&Value>, is: Option<&Value>, at: &str, found: &mut Vec<Change>) {
    let list = |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
    let (old, new) = (list(was), list(is));
    if old.is_empty() || new.is_empty() {
        note(
            found,
            Impact::Breaks,
            format!("{at}: is there now, or no longer"),
        );
        return;
    }
    let gone: Vec<&Value> = old.iter().filter(|one| !new.contains(one)).collect();
    let mut come: Vec<&Value> = new.iter().filter(|one| !old.contains(one)).collect();
    let holds = |branch: &Value, now: &Value| {
        let mut found = Vec::new();
        compare(branch, now, at, &mut found);
        !found.iter().any(|change| change.impact == Impact::Breaks)
    };
    for (nth, branch) in gone.iter().enumerate() {
        let heir = come.iter().position(|now| holds(branch, now)).unwrap_or(0);
        if come.is_empty() {
            note(found, Impact::Breaks, format!("{at}: a branch is gone"));
        } else {
            compare(branch, come.remove(heir), &format!("{at}/{nth}"), found);
        }
    }
    if !come.is_empty() {
        note(found, Impact::Adds, format!("{at}: a branch is new"));
    }
}

fn values(value: Option<&Value>) -> Vec<String> {
    match value {
        None => Vec::new(),
        Some(Value::Array(values)) => values.iter().map(ToString::to_string).collect(),
        Some(one) => vec![one.to_string()],
    }
}

fn number(value: &Value) -> Option<i64> {
    value.as_i64()
}

fn shown(value: Option<&Value>) -> String {
    value.map_or_else(|| "nothing".to_owned(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::{Change, Impact, registry, schema};
    use serde_json::{Value, json};

    fn base() -> Value {
        json!({
            "title": "T", "type": "object", "required": ["a"], "additionalProperties": false,
            "properties": {
                "a": {"type": "string", "maxLength": 10, "pattern": "^x"},
                "b": {"enum": ["one", "two"]},
                "c": {"oneOf": [{"const": 1}, {"const": 2}]},
                "d": {"type": "array", "items": {"type": "integer", "minimum": 0}}
            }
        })
    }

    /// The greatest impact of setting the value at a pointer.
    fn setting(pointer: &str, value: Value) -> Option<Impact> {
        let mut after = base();
        let (parent, key) = pointer.rsplit_once('/').unwrap_or(("", pointer));
        if let Some(parent) = after.pointer_mut(parent).and_then(Value::as_object_mut) {
            if value.is_null() {
                parent.remove(key);
            } else {
                parent.insert(key.to_owned(), value);
            }
        }
        let changes: Vec<Change> = schema(&base(), &after);
        changes.into_iter().map(|change| change.impact).max()
    }

    #[test]
    fn nothing_changed_is_nothing_found() {
        assert!(schema(&base(), &base()).is_empty());
    }

    #[test]
    fn words_are_words() {
        assert_eq!(setting("/title", json!("other")), Some(Impact::Words));
        assert_eq!(
            setting("/properties/a/description", json!("x")),
            Some(Impact::Words)
        );
    }

    #[test]
    fn what_only_allows_more_adds() {
        for (pointer, value) in [
            ("/properties/e", json!({"type": "string"})),
            ("/properties/a/maxLength", json!(11)),
            ("/properties/a/maxLength", Value::Null),
            ("/properties/b/enum", json!(["one", "two", "three"])),
            (
                "/properties/c/oneOf",
                json!([{"const": 1}, {"const": 2}, {"const": 3}]),
            ),
            ("/properties/d/items/minimum", json!(-1)),
            ("/additionalProperties", Value::Null),
        ] {
            assert_eq!(
                setting(pointer, value.clone()),
                Some(Impact::Adds),
                "{pointer} {value}"
            );
        }
    }

    #[test]
    fn what_takes_away_or_asks_for_more_breaks() {
        for (pointer, value) in [
            ("/properties/a", Value::Null),
            ("/properties/a/type", json!("integer")),
            ("/properties/a/maxLength", json!(9)),
            ("/properties/a/minLength", json!(1)),
            ("/properties/a/pattern", json!("^y")),
            ("/properties/b/enum", json!(["one"])),
            ("/properties/b/enum", json!(["one", "three", "four"])),
            ("/properties/c/oneOf", json!([{"const": 1}])),
            ("/properties/c/oneOf", json!([{"const": 1}, {"const": 3}])),
            ("/properties/d/items/minimum", json!(1)),
            ("/properties/d/items", Value::Null),
            ("/required", json!(["a", "b"])),
            ("/required", json!([])),
            ("/type", json!("array")),
            ("/not", json!({"type": "null"})),
        ] {
            assert_eq!(
                setting(pointer, value.clone()),
                Some(Impact::Breaks),
                "{pointer} {value}"
            );
        }
    }

    #[test]
    fn a_branch_that_grew_is_known_wherever_it_stands_among_new_ones() {
        let branch = |of: u8, more: bool| match more {
            false => json!({"properties": {"a": {"const": of}}}),
            true => json!({"properties": {"a": {"const": of}, "b": {"type": "string"}}}),
        };
        let before = json!({"oneOf": [branch(1, false), branch(2, false)]});
        let impact = |branches: Vec<Value>| {
            let changes = schema(&before, &json!({ "oneOf": branches }));
            changes.into_iter().map(|change| change.impact).max()
        };
        assert_eq!(
            impact(vec![branch(1, true), branch(3, false), branch(2, true)]),
            Some(Impact::Adds)
        );
        assert_eq!(
            impact(vec![branch(3, false), branch(1, true)]),
            Some(Impact::Breaks)
        );
    }

    #[test]
    fn an_error_code_is_for_ever() {
        let row = |code: &str, exit: u8, title: &str| json!({"code": code, "class": "input", "title": title, "exit": exit});
        let table = |rows: Vec<Value>| json!({ "codes": rows });
        let before = table(vec![row("a.b", 2, "t")]);
        let impact = |rows: Vec<Value>| {
            let changes = registry(&before, &table(rows));
            changes.into_iter().map(|change| change.impact).max()
        };
        assert_eq!(impact(vec![row("a.b", 2, "t")]), None);
        assert_eq!(impact(vec![row("a.b", 2, "better")]), Some(Impact::Words));
        assert_eq!(
            impact(vec![row("a.b", 2, "t"), row("a.c", 2, "t")]),
            Some(Impact::Adds)
        );
        assert_eq!(impact(vec![row("a.b", 3, "t")]), Some(Impact::Breaks));
        assert_eq!(impact(vec![row("a.c", 2, "t")]), Some(Impact::Breaks));
    }
}
