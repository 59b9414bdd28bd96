//! INVARIANT(codes-permanent): the published registry is what the code says, and only grows.

#![allow(clippy::unwrap_used, reason = "a test stops at the first error")]

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use paygod_types::Code;
use paygod_types::code::{Class, registry};

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../contracts/errors.json")
}

/// The registry as `contracts/errors.json` spells it: one code a line, sorted.
fn spelled() -> String {
    let mut codes = registry().to_vec();
    codes.sort_by_key(|code| code.as_str());
    let rows: Vec<String> = codes
        .iter()
        .map(|code| format!("    {}", row(*code)))
        .collect();
    format!(
        "{{\n  \"codes\": [\n{}\n  ],\n  \"version\": 1\n}}\n",
        rows.join(",\n")
    )
}

fn row(code: Code) -> String {
    let text = |text: &str| serde_json::to_string(text).unwrap();
    format!(
        "{{\"code\":{},\"class\":{},\"title\":{},\"remedy\":{},\"retryable\":{},\"http\":{},\
         \"exit\":{}}}",
        text(code.as_str()),
        text(code.class().name()),
        text(code.title()),
        text(code.remedy()),
        code.retryable(),
        code.http_status(),
        code.exit_code(),
    )
}

#[test]
fn published_registry_is_what_the_code_says() {
    if std::env::var_os("PAYGOD_BLESS").is_some() {
        fs::write(path(), spelled()).unwrap();
    }
    let (published, spelled) = (fs::read_to_string(path()).unwrap_or_default(), spelled());
    let missing = |from: &str, of: &str| -> Vec<String> {
        of.lines()
            .filter(|line| !from.lines().any(|other| other == *line))
            .map(str::to_owned)
            .collect()
    };
    assert!(
        published == spelled,
        "contracts/errors.json has drifted from code.rs; if the change is meant, run \
         `PAYGOD_BLESS=1 cargo test -p paygod-types`\nonly in code.rs: {:#?}\nonly in errors.json: {:#?}",
        missing(&published, &spelled),
        missing(&spelled, &published),
    );
}

#[test]
fn published_registry_is_json() {
    let registry: serde_json::Value = serde_json::from_str(&spelled()).unwrap();
    let codes = registry["codes"].as_array().unwrap();
    assert_eq!(codes.len(), paygod_types::code::registry().len());
    assert!(
        codes
            .iter()
            .all(|code| code["http"].is_u64() && code["retryable"].is_boolean())
    );
}

#[test]
fn each_code_is_unique_and_well_formed() {
    let mut seen = BTreeSet::new();
    for code in registry() {
        let text = code.as_str();
        assert!(seen.insert(text), "`{text}` is registered twice");
        let (prefix, words) = text.split_once('.').unwrap();
        let plain = |part: &str| {
            !part.is_empty()
                && part.split('-').all(|word| {
                    !word.is_empty()
                        && word
                            .bytes()
                            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
                })
        };
        assert!(
            plain(prefix) && plain(words),
            "`{text}` is not `prefix.words-in-lower-case`"
        );
        for line in [code.title(), code.remedy()] {
            assert!(
                !line.is_empty() && !line.ends_with('.'),
                "`{text}`: `{line}`"
            );
            assert!(
                line.len() <= 120,
                "`{text}`: `{line}` is too long for a line"
            );
        }
        assert_eq!(Code::find(text), Some(*code));
    }
    assert_eq!(Code::find("no.such-code"), None);
}

#[test]
fn only_busy_and_unavailable_ask_for_a_retry() {
    for code in registry() {
        let waits = matches!(code.class(), Class::Busy | Class::Unavailable);
        assert_eq!(code.retryable(), waits, "{code}");
        assert!((1..=3).contains(&code.exit_code()), "{code}");
        assert!((400..=503).contains(&code.http_status()), "{code}");
    }
}
