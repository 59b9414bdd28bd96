//! Bounded, strict YAML: no anchors, no second document, no key twice, no unknown key.

use serde::de::{
    Deserialize, DeserializeOwned, Deserializer, Error, MapAccess, SeqAccess, Visitor,
};

use super::problem::{PackProblem, Place};
use crate::json::Json;

/// Nodes of one YAML file. Past it the file is refused.
const NODES_MAX: usize = 400_000;
/// Nesting of one YAML file. Past it the file is refused.
const DEPTH_MAX: usize = 40;

/// Reads a YAML file into a type.
pub(crate) fn read<T: DeserializeOwned>(file: &str, source: &str) -> Result<T, PackProblem> {
    let options = serde_saphyr::options! {
        strict_booleans: true,
        budget: serde_saphyr::budget! {
            max_aliases: 0,
            max_anchors: 0,
            max_merge_keys: 0,
            max_depth: DEPTH_MAX,
            max_nodes: NODES_MAX,
            max_documents: 1,
        },
    };
    serde_saphyr::from_str_with_options(source, options).map_err(|error| {
        let error = error.without_snippet();
        let place = error.location().map(|l| Place {
            line: usize::try_from(l.line()).unwrap_or(0),
            column: usize::try_from(l.column()).unwrap_or(0),
            width: 1,
        });
        let text = error.to_string();
        let message = reword(text.split(" at line ").next().unwrap_or_default());
        match place {
            Some(place) if place.line > 0 => PackProblem::at(file, source, place, message),
            _ => PackProblem::of_file(file, message),
        }
    })
}

/// Says in the words of packs what the YAML reader says in its own.
fn reword(message: &str) -> String {
    if message.starts_with("budget breached: Anchors") || message.contains("Aliases") {
        return "anchors and aliases are not allowed; write the value out".to_owned();
    }
    if message.starts_with("budget breached: Documents") {
        return "a file holds one document; leave out what follows `---`".to_owned();
    }
    if message.starts_with("budget breached") {
        return format!(
            "the file is too large ({}); split it",
            message.trim_start_matches("budget breached: ")
        );
    }
    if let Some(rest) = message.strip_prefix("duplicate mapping key: ") {
        let key = rest.split(',').next().unwrap_or_default();
        return format!("the key `{key}` stands twice; keep one");
    }
    if let Some((key, known)) = message
        .strip_prefix("unknown field ")
        .and_then(|m| m.split_once(", expected one of "))
    {
        let known: Vec<String> = known.split(", ").map(|k| format!("`{k}`")).collect();
        return format!(
            "the key {key} is unknown here; known are {}",
            known.join(", ")
        );
    }
    if let Some(key) = message.strip_prefix("missing field ") {
        return format!("the key {key} is missing; add it");
    }
    if let Some(what) = message.strip_prefix("expected ") {
        return format!("this is not as expected: {what} belongs here");
    }
    message.to_owned()
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value.to_string()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(value.to_string()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Json, E> {
        let text = value.to_string();
        // Fifteen digits survive the reader's binary fraction; more may not.
        if text.bytes().filter(u8::is_ascii_digit).count() > 15 {
            return Err(E::custom(
                "the number has more than 15 digits; put it into quotes",
            ));
        }
        Ok(Json::Number(text))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.to_owned()))
    }

    fn visit_none<E: Error>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut out = Vec::new();
        while let Some(item) = items.next_element()? {
            out.push(item);
        }
        Ok(Json::Array(out))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Json, A::Error> {
        let mut out = Vec::new();
        while let Some(member) = members.next_entry()? {
            out.push(member);
        }
        Ok(Json::Object(out))
    }
}
