//! The vectors of RFC 8785 and of ECMAScript's numbers.

#![allow(clippy::unwrap_used, reason = "a test stops at the first error")]

use std::fs;
use std::path::PathBuf;

use paygod_types::canonical::{Fault, Limits, Numbers, canonicalize, check};
use paygod_types::code;

fn vectors() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../contracts/vectors")
}

/// The letter of the RFC: integers past 2^53 − 1 rounded.
const LETTER: Limits = Limits {
    numbers: Numbers::Rounded,
    ..Limits::ENTRY
};

fn canonical(input: &[u8], limits: &Limits) -> Vec<u8> {
    let mut out = Vec::new();
    canonicalize(input, limits, &mut out).unwrap();
    out
}

#[test]
fn rfc8785_vectors_canonicalize_to_their_outputs() {
    let mut seen = 0;
    for entry in fs::read_dir(vectors().join("rfc8785")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let Some(stem) = name.strip_suffix(".input.json") else {
            continue;
        };
        let input = fs::read(&path).unwrap();
        let output = fs::read(path.with_file_name(format!("{stem}.output.json"))).unwrap();
        assert_eq!(canonical(&input, &LETTER), output, "{stem}");
        check(&output, &LETTER).unwrap();
        assert_eq!(
            canonical(&output, &LETTER),
            output,
            "{stem} is not a fixed point"
        );
        if stem != "values" {
            // Only `values` has an integer past 2^53 − 1.
            assert_eq!(canonical(&input, &Limits::ENTRY), output, "{stem}");
        }
        seen += 1;
    }
    assert_eq!(seen, 6);
}

#[test]
fn rfc8785_vector_with_a_large_integer_is_refused_when_numbers_are_exact() {
    let input = fs::read(vectors().join("rfc8785/values.input.json")).unwrap();
    let error = canonicalize(&input, &Limits::ENTRY, &mut Vec::new()).unwrap_err();
    assert_eq!(error.fault, Fault::NumberRange);
    assert_eq!(error.code(), code::CANONICAL_NUMBER);
    assert!(input[error.offset..].starts_with(b"1E30"));
}

#[test]
fn doubles_are_spelled_as_the_rfc_appendix_spells_them() {
    let table = fs::read_to_string(vectors().join("numbers/doubles.txt")).unwrap();
    let mut rows = 0;
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        let (bits, spelled) = line.split_once(' ').unwrap();
        let value = f64::from_bits(u64::from_str_radix(bits, 16).unwrap());
        let input = format!("{value:e}");
        assert_eq!(
            canonical(input.as_bytes(), &LETTER),
            spelled.as_bytes(),
            "{bits}"
        );
        check(spelled.as_bytes(), &LETTER).unwrap();
        let exact = canonicalize(input.as_bytes(), &Limits::ENTRY, &mut Vec::new()).is_ok();
        assert_eq!(exact, value.abs() <= 9_007_199_254_740_991.0, "{bits}");
        rows += 1;
    }
    assert!(rows >= 30);
}

#[test]
fn literals_canonicalize_or_are_refused_as_the_table_says() {
    let table = fs::read_to_string(vectors().join("numbers/literals.txt")).unwrap();
    let mut rows = 0;
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        let (literal, outcome) = line.split_once(' ').unwrap();
        let mut out = Vec::new();
        let spelled = match canonicalize(literal.as_bytes(), &Limits::ENTRY, &mut out) {
            Ok(()) => String::from_utf8(out).unwrap(),
            Err(error) => format!("! {}", error.code()),
        };
        assert_eq!(spelled, outcome, "{literal}");
        let canonical = check(literal.as_bytes(), &Limits::ENTRY).is_ok();
        assert_eq!(canonical, literal == outcome, "{literal}");
        rows += 1;
    }
    assert!(rows >= 40);
}
