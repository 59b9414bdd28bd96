//! Canonical JSON against another implementation and against itself.

#![allow(
    clippy::unwrap_used,
    clippy::float_arithmetic,
    reason = "a test stops at the first error, and makes doubles to try"
)]

use std::borrow::Cow;

use paygod_types::canonical::{
    CanonicalError, Fault, Kind, Limits, Numbers, Reader, Writer, canonicalize, check,
};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::Value;

fn canonical(input: &[u8]) -> Result<Vec<u8>, CanonicalError> {
    let mut out = Vec::new();
    canonicalize(input, &Limits::ENTRY, &mut out)?;
    Ok(out)
}

/// Texts with quotes, controls, and characters on either side of the surrogates.
fn text() -> impl Strategy<Value = String> {
    let character = prop_oneof![
        4 => proptest::char::range(' ', '~'),
        1 => proptest::char::range('\0', '\u{1f}'),
        1 => Just('"'),
        1 => Just('\\'),
        1 => proptest::char::range('\u{80}', '\u{7ff}'),
        1 => proptest::char::range('\u{e000}', '\u{ffff}'),
        1 => proptest::char::range('\u{10000}', '\u{10ffff}'),
    ];
    vec(character, 0..12).prop_map(|characters| characters.into_iter().collect())
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0_u64..=9_007_199_254_740_991).prop_map(Value::from),
        (-9_007_199_254_740_991_i64..0).prop_map(Value::from),
        any::<i16>().prop_map(|n| Value::from(f64::from(n) / 64.0)),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 48, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            btree_map(text(), inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Reads a whole value through the typed methods.
fn read_value(reader: &mut Reader<'_>) -> Result<(), CanonicalError> {
    match reader.peek()? {
        Kind::Object => {
            reader.object_begin()?;
            while let Some(_key) = reader.next_key()? {
                read_value(reader)?;
            }
            Ok(())
        }
        Kind::Array => {
            reader.array_begin()?;
            while reader.array_next()? {
                read_value(reader)?;
            }
            Ok(())
        }
        Kind::String => reader.string().map(drop),
        Kind::Number => reader.number().map(drop),
        Kind::Boolean => reader.boolean().map(drop),
        Kind::Null => reader.null(),
    }
}

fn read(bytes: &[u8]) -> Result<(), CanonicalError> {
    let mut reader = Reader::new(bytes, &Limits::ENTRY)?;
    read_value(&mut reader)?;
    reader.finish()
}

/// Writes a tree whose members stand in the order of their UTF-16 units.
fn write_value(writer: &mut Writer<'_>, value: &Value) {
    match value {
        Value::Null => writer.null(),
        Value::Bool(value) => writer.bool(*value),
        Value::Number(number) => match number.as_u64() {
            Some(number) => writer.u64(number),
            None => writer.raw(&canonical(number.to_string().as_bytes()).unwrap()),
        },
        Value::String(value) => writer.string(value),
        Value::Array(values) => {
            writer.begin_array();
            values.iter().for_each(|value| write_value(writer, value));
            writer.end_array();
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
            writer.begin_object();
            for (key, value) in members {
                writer.key(key);
                write_value(writer, value);
            }
            writer.end_object();
        }
    }
}

proptest! {
    #[test]
    fn canonicalizer_agrees_with_the_oracle(value in json()) {
        let oracle = serde_json_canonicalizer::to_vec(&value).unwrap();
        prop_assert_eq!(canonical(&serde_json::to_vec(&value).unwrap()).unwrap(), oracle.clone());
        prop_assert_eq!(canonical(&serde_json::to_vec_pretty(&value).unwrap()).unwrap(), oracle.clone());
        prop_assert_eq!(check(&oracle, &Limits::ENTRY), Ok(()));
        prop_assert_eq!(canonical(&oracle).unwrap(), oracle);
    }

    #[test]
    fn writer_emits_what_the_oracle_emits(value in json()) {
        let mut out = Vec::new();
        write_value(&mut Writer::new(&mut out), &value);
        prop_assert_eq!(out, serde_json_canonicalizer::to_vec(&value).unwrap());
    }

    #[test]
    fn reader_and_check_agree_on_damaged_documents(
        value in json(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>(), 0..4_u8), 1..3),
    ) {
        let mut bytes = serde_json_canonicalizer::to_vec(&value).unwrap();
        for (index, byte, kind) in damage {
            if bytes.is_empty() {
                continue;
            }
            let at = index.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                2 => drop(bytes.remove(at)),
                _ => bytes[at] ^= 1 << (byte & 7),
            }
        }
        let checked = check(&bytes, &Limits::ENTRY);
        prop_assert_eq!(read(&bytes).is_ok(), checked.is_ok());
        match canonical(&bytes) {
            // What was accepted as canonical is a fixed point; what was not, never is.
            Ok(out) => prop_assert_eq!(out == bytes, checked.is_ok()),
            Err(_) => prop_assert!(checked.is_err()),
        }
        if checked.is_ok() {
            let value: Value = serde_json::from_slice(&bytes).unwrap();
            prop_assert_eq!(serde_json_canonicalizer::to_vec(&value).unwrap(), bytes);
        }
    }

    #[test]
    fn no_bytes_make_a_parser_panic(bytes in vec(any::<u8>(), 0..64)) {
        let _ = check(&bytes, &Limits::ENTRY);
        let _ = canonical(&bytes);
        let _ = read(&bytes);
    }

    #[test]
    fn doubles_are_spelled_as_the_oracle_spells_them(bits in any::<u64>()) {
        let value = f64::from_bits(bits);
        prop_assume!(value.is_finite());
        let oracle = serde_json_canonicalizer::to_vec(&value).unwrap();
        let limits = Limits { numbers: Numbers::Rounded, ..Limits::ENTRY };
        let mut out = Vec::new();
        canonicalize(format!("{value:e}").as_bytes(), &limits, &mut out).unwrap();
        prop_assert_eq!(&out, &oracle);
        prop_assert_eq!(check(&oracle, &limits), Ok(()));
    }

    #[test]
    fn doubles_with_few_bits_are_spelled_as_the_oracle_spells_them(
        mantissa in 1_u64..(1 << 53), scale in 0_u32..12,
    ) {
        // Exact decimals of 17 or 18 digits: here two shortest spellings can be equally near.
        let value = serde_json::Number::from(mantissa).as_f64().unwrap() / f64::from(1_u32 << scale);
        let oracle = serde_json_canonicalizer::to_vec(&value).unwrap();
        prop_assert_eq!(canonical(format!("{value:e}").as_bytes()).unwrap(), oracle);
    }

    #[test]
    fn integers_beyond_2_53_are_refused_in_every_spelling(
        integer in 9_007_199_254_740_992_u64.., zeros in 0_usize..4, minus in any::<bool>(),
    ) {
        let digits = integer.to_string();
        let sign = if minus { "-" } else { "" };
        let (first, others) = digits.split_at(1);
        let spellings = [
            format!("{sign}{digits}"),
            format!("{sign}{digits}.{}", "0".repeat(zeros + 1)),
            format!("{sign}{first}.{others}e{}", others.len()),
            format!("{sign}{digits}{}E-{zeros}", "0".repeat(zeros)),
            format!("{sign}{digits}e0{zeros}"),
        ];
        for spelling in spellings {
            let fault = canonical(spelling.as_bytes()).unwrap_err().fault;
            prop_assert_eq!(fault, Fault::NumberRange, "{}", spelling);
            prop_assert!(check(spelling.as_bytes(), &Limits::ENTRY).is_err());
        }
    }
}

#[test]
fn powers_of_two_and_their_neighbours_are_spelled_as_the_oracle_spells_them() {
    // Below a power of two doubles are twice as dense, so the nearest short decimal may not read back.
    let limits = Limits {
        numbers: Numbers::Rounded,
        ..Limits::ENTRY
    };
    for exponent in 0..0x7ff_u64 {
        for bits in [
            (exponent << 52).saturating_sub(1),
            exponent << 52,
            (exponent << 52) + 1,
        ] {
            let value = f64::from_bits(bits);
            let mut out = Vec::new();
            canonicalize(format!("{value:e}").as_bytes(), &limits, &mut out).unwrap();
            assert_eq!(
                out,
                serde_json_canonicalizer::to_vec(&value).unwrap(),
                "{bits:#x}"
            );
        }
    }
}

#[test]
fn duplicate_keys_are_refused_however_they_are_escaped() {
    for input in [
        r#"{"a":1,"a":1}"#,
        r#"{"a":1,"b":2,"\u0061":3}"#,
        r#"{"é":1, "\u00e9":2}"#,
    ] {
        assert_eq!(
            canonical(input.as_bytes()).unwrap_err().fault,
            Fault::DuplicateKey,
            "{input}"
        );
    }
    let error = check(br#"{"a":{"b":1,"b":2}}"#, &Limits::ENTRY).unwrap_err();
    assert_eq!((error.offset, error.fault), (13, Fault::DuplicateKey));
}

#[test]
fn surrogates_without_a_partner_are_refused() {
    for input in [
        r#""\ud800""#,
        r#""\udc00""#,
        r#""\ud800\ud800""#,
        r#""\udc00\ud800""#,
        r#""\ud800x""#,
        r#""\ud800\n""#,
        r#"{"\udead":1}"#,
    ] {
        assert_eq!(
            canonical(input.as_bytes()).unwrap_err().fault,
            Fault::LoneSurrogate,
            "{input}"
        );
    }
    assert_eq!(
        canonical(br#""\ud83d\ude02""#).unwrap(),
        "\"😂\"".as_bytes()
    );
    assert_eq!(
        canonical(b"\"\xed\xa0\x80\"").unwrap_err().fault,
        Fault::NotUtf8
    );
}

#[test]
fn keys_are_ordered_by_utf16_units_not_by_bytes() {
    // U+1F602 begins with the unit D83D, before U+FB33.
    let input = "{\"\u{fb33}\":1,\"\u{1f602}\":2}";
    let output = "{\"\u{1f602}\":2,\"\u{fb33}\":1}";
    assert_eq!(canonical(input.as_bytes()).unwrap(), output.as_bytes());
    assert_eq!(check(output.as_bytes(), &Limits::ENTRY), Ok(()));
    assert_eq!(
        check(input.as_bytes(), &Limits::ENTRY).unwrap_err().fault,
        Fault::KeyOrder
    );
    // An escaped control sorts by what it stands for, not by its backslash.
    assert_eq!(check(br#"{"\n":1,"A":2}"#, &Limits::ENTRY), Ok(()));
    assert_eq!(
        check(br#"{"A":2,"\n":1}"#, &Limits::ENTRY)
            .unwrap_err()
            .fault,
        Fault::KeyOrder
    );
}

#[test]
fn only_the_one_spelling_passes_the_check() {
    let table: &[(&str, Fault)] = &[
        (" 1", Fault::WhiteSpace),
        ("1\n", Fault::WhiteSpace),
        ("{\"a\" :1}", Fault::WhiteSpace),
        ("{\"a\": 1}", Fault::WhiteSpace),
        ("[1, 2]", Fault::WhiteSpace),
        ("1 2", Fault::WhiteSpace),
        ("1]", Fault::Trailing),
        ("{\"b\":1,\"a\":2}", Fault::KeyOrder),
        ("\"\\/\"", Fault::EscapeForm),
        ("\"\\u0041\"", Fault::EscapeForm),
        ("\"\\u000A\"", Fault::EscapeForm),
        ("\"\\u000a\"", Fault::EscapeForm),
        ("\"\\u001F\"", Fault::EscapeForm),
        ("\"\\x\"", Fault::Escape),
        ("\"\\u12\"", Fault::Escape),
        ("\"\n\"", Fault::ControlCharacter),
        ("1.0", Fault::NumberForm),
        ("-0", Fault::NumberForm),
        ("1e2", Fault::NumberForm),
        ("1E400", Fault::NumberRange),
        (
            "",
            Fault::Ends {
                expected: "a value",
            },
        ),
        (
            "[1",
            Fault::Ends {
                expected: "a comma or the end of the array",
            },
        ),
        (
            "{\"a\"",
            Fault::Ends {
                expected: "a colon",
            },
        ),
        (
            "\"a",
            Fault::Ends {
                expected: "the closing quote",
            },
        ),
        (
            "[1,]",
            Fault::Syntax {
                expected: "a value",
            },
        ),
        ("{\"a\":1,}", Fault::Syntax { expected: "a key" }),
        ("nul", Fault::Syntax { expected: "`null`" }),
        (
            "\u{feff}1",
            Fault::Syntax {
                expected: "a value",
            },
        ),
    ];
    for (input, fault) in table {
        let error = check(input.as_bytes(), &Limits::ENTRY).unwrap_err();
        assert_eq!(error.fault, *fault, "{input:?}");
        assert!(!error.to_string().is_empty());
        assert!(read(input.as_bytes()).is_err(), "{input:?}");
    }
    for input in [
        "\"\\u001f\\n\\\"\\\\/\u{7f}\"",
        "[]",
        "{}",
        "[[],{}]",
        "5e-324",
        "-1.5",
    ] {
        assert_eq!(check(input.as_bytes(), &Limits::ENTRY), Ok(()), "{input:?}");
        assert_eq!(read(input.as_bytes()), Ok(()), "{input:?}");
    }
}

#[test]
fn nesting_and_size_stop_at_their_limits() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth)).into_bytes();
    assert_eq!(check(&nested(32), &Limits::ENTRY), Ok(()));
    assert_eq!(read(&nested(32)), Ok(()));
    for outcome in [
        check(&nested(33), &Limits::ENTRY),
        read(&nested(33)),
        canonical(&nested(33)).map(drop),
        canonical(&vec![b'['; 60_000]).map(drop),
    ] {
        let error = outcome.unwrap_err();
        assert_eq!(
            (error.offset, error.fault),
            (32, Fault::TooDeep { allowed: 32 })
        );
    }
    let boundless = Limits {
        depth_max: usize::MAX,
        ..Limits::ENTRY
    };
    assert_eq!(check(&nested(128), &boundless), Ok(()));
    assert!(check(&nested(129), &boundless).is_err());

    let small = Limits::bytes(4);
    assert_eq!(check(b"1234", &small), Ok(()));
    let too_large = Fault::TooLarge {
        found: 5,
        allowed: 4,
    };
    assert_eq!(check(b"12345", &small).unwrap_err().fault, too_large);
    // Eight bytes that would grow to sixteen.
    assert!(canonicalize(b"1e15", &small, &mut Vec::new()).is_err());
}

#[test]
fn failed_canonicalization_leaves_the_output_as_it_was() {
    let mut out = b"before".to_vec();
    canonicalize(br#"{"b":1,"a":[1,2,"#, &Limits::ENTRY, &mut out).unwrap_err();
    assert_eq!(out, b"before");
    canonicalize(br#"{"b":1,"a":2}"#, &Limits::ENTRY, &mut out).unwrap();
    assert_eq!(out, br#"before{"a":2,"b":1}"#);
}

#[test]
fn reader_follows_a_document_of_known_shape() {
    let bytes = br#"{"by":"a\nb","id":"x","list":[1,2,3],"n":{"deep":null},"ok":true,"seq":7}"#;
    let mut reader = Reader::new(bytes, &Limits::ENTRY).unwrap();
    reader.object_begin().unwrap();
    assert!(!reader.key_if("action").unwrap());
    assert!(reader.key_if("by").unwrap());
    assert_eq!(reader.string().unwrap(), "a\nb");
    reader.expect_key("id").unwrap();
    assert!(matches!(reader.string().unwrap(), Cow::Borrowed("x")));
    assert!(!reader.key_if("lis").unwrap());
    assert!(!reader.key_if("list ").unwrap());
    reader.expect_key("list").unwrap();
    reader.array_begin().unwrap();
    let mut sum = 0;
    while reader.array_next().unwrap() {
        sum += reader.u64().unwrap();
    }
    assert_eq!(sum, 6);
    assert_eq!(reader.next_key().unwrap().unwrap(), "n");
    assert_eq!(reader.skip().unwrap(), br#"{"deep":null}"#);
    assert!(reader.clone().object_end().is_err());
    assert!(reader.clone().finish().is_err());
    reader.expect_key("ok").unwrap();
    assert!(reader.boolean().unwrap());
    reader.expect_key("seq").unwrap();
    assert_eq!(reader.u64().unwrap(), 7);
    assert!(!reader.key_if("v").unwrap());
    reader.object_end().unwrap();
    reader.finish().unwrap();
}

#[test]
fn reader_names_what_it_expected() {
    let mut reader = Reader::new(br#"{"a":1,"b":-1}"#, &Limits::ENTRY).unwrap();
    reader.object_begin().unwrap();
    assert!(reader.expect_key("b").is_err());
    reader.expect_key("a").unwrap();
    let error = reader.string().unwrap_err();
    assert_eq!(
        (error.offset, error.fault),
        (
            5,
            Fault::Shape {
                expected: "a string"
            }
        )
    );
    assert_eq!(error.code().as_str(), "canonical.shape");
    assert_eq!(reader.u64().unwrap(), 1);
    assert!(reader.u64().is_err());
    reader.expect_key("b").unwrap();
    assert_eq!(
        reader.u64().unwrap_err().fault,
        Fault::Shape {
            expected: "an integer from 0"
        }
    );
}

#[test]
fn reader_allows_one_value_a_place() {
    let mut reader = Reader::new(br#""a""b""#, &Limits::ENTRY).unwrap();
    reader.string().unwrap();
    assert!(reader.string().is_err());
    assert_eq!(reader.finish().unwrap_err().fault, Fault::Trailing);
    let mut reader = Reader::new(b"[1]", &Limits::ENTRY).unwrap();
    reader.array_begin().unwrap();
    assert!(reader.u64().is_err());
    assert!(reader.next_key().is_err());
    assert!(reader.array_next().unwrap());
    assert!(reader.array_next().is_err());
}
