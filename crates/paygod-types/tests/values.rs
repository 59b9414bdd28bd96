//! Money, currencies, times, identifiers and digests: one spelling of each value.

#![allow(clippy::unwrap_used, reason = "a test stops at the first error")]

use std::time::Duration;

use paygod_types::canonical::{Limits, Writer, check, write_number};
use paygod_types::{
    AccountId, Amount, Currency, Date, Digest, DigestError, IdError, Money, Name, RequestId, Seq,
    Timestamp, limits, parse_hex,
};
use proptest::prelude::*;

fn decimal(minor: i128, currency: Currency) -> String {
    let mut out = Vec::new();
    Money::new(Amount::from_minor(minor), currency).write_decimal(&mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn amounts_have_exactly_the_digits_of_their_currency() {
    let table = [
        (125_000, Currency::EUR, "1250.00"),
        (1_250, Currency::JPY, "1250"),
        (1_250_000, Currency::BHD, "1250.000"),
        (12_500_000, Currency::CLF, "1250.0000"),
        (0, Currency::EUR, "0.00"),
        (0, Currency::JPY, "0"),
        (5, Currency::EUR, "0.05"),
        (-5, Currency::EUR, "-0.05"),
        (-5, Currency::JPY, "-5"),
        (100, Currency::EUR, "1.00"),
        (
            i128::MAX,
            Currency::EUR,
            "1701411834604692317316873037158841057.27",
        ),
        (
            i128::MIN,
            Currency::EUR,
            "-1701411834604692317316873037158841057.28",
        ),
        (
            i128::MIN,
            Currency::JPY,
            "-170141183460469231731687303715884105728",
        ),
        (
            i128::MIN,
            Currency::UYW,
            "-17014118346046923173168730371588410.5728",
        ),
    ];
    for (minor, currency, text) in table {
        assert_eq!(decimal(minor, currency), text);
        let money = Money::parse(text, currency).unwrap();
        assert_eq!((money.amount.minor(), money.currency), (minor, currency));
        assert_eq!(money.to_string(), format!("{text} {currency}"));
    }
}

#[test]
fn other_spellings_of_an_amount_are_refused_with_their_code() {
    let table = [
        ("1250", Currency::EUR, "money.precision"),
        ("1250.0", Currency::EUR, "money.precision"),
        ("1250.000", Currency::EUR, "money.precision"),
        ("1250.00", Currency::JPY, "money.precision"),
        ("1250.", Currency::JPY, "money.syntax"),
        ("-0.00", Currency::EUR, "money.syntax"),
        ("-0", Currency::JPY, "money.syntax"),
        ("+1.00", Currency::EUR, "money.syntax"),
        ("01.00", Currency::EUR, "money.syntax"),
        ("00.00", Currency::EUR, "money.syntax"),
        (".50", Currency::EUR, "money.syntax"),
        ("1,00", Currency::EUR, "money.syntax"),
        ("1 000.00", Currency::EUR, "money.syntax"),
        ("1e2.00", Currency::EUR, "money.syntax"),
        ("1.0.0", Currency::EUR, "money.syntax"),
        ("--1.00", Currency::EUR, "money.syntax"),
        ("", Currency::JPY, "money.syntax"),
        ("-", Currency::JPY, "money.syntax"),
        ("١.٠٠", Currency::EUR, "money.syntax"),
        (
            "1701411834604692317316873037158841057.28",
            Currency::EUR,
            "money.overflow",
        ),
        (
            "-1701411834604692317316873037158841057.29",
            Currency::EUR,
            "money.overflow",
        ),
    ];
    for (text, currency, code) in table {
        let error = Money::parse(text, currency).unwrap_err();
        assert_eq!(error.code().as_str(), code, "`{text}` {currency}: {error}");
    }
    let long = "9".repeat(10_000);
    assert_eq!(
        Money::parse(&long, Currency::JPY)
            .unwrap_err()
            .code()
            .as_str(),
        "money.overflow"
    );
    assert!(
        Money::parse(&"x".repeat(10_000), Currency::JPY)
            .unwrap_err()
            .to_string()
            .len()
            < 300
    );
}

#[test]
fn relaxed_amounts_may_have_fewer_decimals_but_never_more() {
    for (text, minor) in [
        ("5", 500),
        ("5.", 500),
        ("5.1", 510),
        ("5.10", 510),
        ("005.10", 510),
        (".5", 50),
        ("+5", 500),
        ("-5", -500),
        ("-0", 0),
        ("0", 0),
    ] {
        let money = Money::parse_relaxed(text, Currency::EUR).unwrap();
        assert_eq!(money.amount.minor(), minor, "{text}");
    }
    for (text, code) in [
        ("5.100", "money.precision"),
        ("5.123", "money.precision"),
        ("", "money.syntax"),
        (".", "money.syntax"),
        ("+", "money.syntax"),
        ("+-5", "money.syntax"),
        ("++5", "money.syntax"),
        ("5 ", "money.syntax"),
        ("NaN", "money.syntax"),
        ("1e3", "money.syntax"),
    ] {
        let error = Money::parse_relaxed(text, Currency::EUR).unwrap_err();
        assert_eq!(error.code().as_str(), code, "`{text}`");
    }
    let error = Money::parse_relaxed("5.0", Currency::JPY).unwrap_err();
    assert_eq!(error.code().as_str(), "money.precision");
}

#[test]
fn sums_past_128_bits_and_of_two_currencies_are_errors() {
    let most = Amount::MAX.of(Currency::EUR);
    let cent = Amount::from_minor(1).of(Currency::EUR);
    let yen = Amount::from_minor(1).of(Currency::JPY);
    assert_eq!(
        most.checked_add(cent).unwrap_err().code().as_str(),
        "money.overflow"
    );
    assert_eq!(
        cent.checked_add(yen).unwrap_err().code().as_str(),
        "money.currency-mismatch"
    );
    assert_eq!(
        cent.checked_sub(yen).unwrap_err().code().as_str(),
        "money.currency-mismatch"
    );
    assert_eq!(
        most.checked_sub(cent).unwrap().checked_add(cent).unwrap(),
        most
    );
    assert_eq!(Amount::MIN.checked_neg(), None);
    assert_eq!(
        Amount::MAX
            .checked_neg()
            .unwrap()
            .checked_sub(Amount::from_minor(2)),
        None
    );
}

#[test]
fn currency_table_holds_the_active_codes_with_minor_units() {
    let mut last = None;
    let mut numerics = std::collections::BTreeSet::new();
    for currency in Currency::LIST {
        assert_eq!(Currency::parse(currency.code()).unwrap(), *currency);
        assert!(last < Some(currency.code()), "{currency} is out of order");
        last = Some(currency.code());
        assert!((1..=999).contains(&currency.numeric()));
        assert!(
            numerics.insert(currency.numeric()),
            "{currency}: number used twice"
        );
        assert!(matches!(currency.exponent(), 0 | 2 | 3 | 4), "{currency}");
        assert!(!currency.name().is_empty());
    }
    let with = |exponent| -> Vec<&str> {
        let all = Currency::LIST
            .iter()
            .filter(|currency| currency.exponent() == exponent);
        all.map(|currency| currency.code()).collect()
    };
    assert_eq!(
        with(0).join(" "),
        "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
    );
    assert_eq!(with(3).join(" "), "BHD IQD JOD KWD LYD OMR TND");
    assert_eq!(with(4).join(" "), "CLF UYW");
    for (currency, numeric) in [
        (Currency::EUR, 978),
        (Currency::CHF, 756),
        (Currency::AED, 784),
    ] {
        assert_eq!(currency.numeric(), numeric);
    }
    // 178 codes of list one in 2026, less 13 without minor units.
    assert_eq!(Currency::LIST.len(), 165);
    assert_eq!(size_of::<Currency>(), 1);
    assert_eq!(size_of::<Option<Currency>>(), 1);
}

#[test]
fn currencies_without_minor_units_and_withdrawn_ones_are_refused() {
    for text in [
        "XAU", "XAG", "XPT", "XPD", "XDR", "XSU", "XUA", "XXX", "XTS", "XBA", "XBB", "XBC", "XBD",
        "HRK", "DEM", "ANG", "ZWL", "SLL", "CUC", "BGN", "eur", "EU", "EURO", "", "E R", "ЕUR",
    ] {
        let error = Currency::parse(text).unwrap_err();
        assert_eq!(error.code().as_str(), "money.currency-unknown", "`{text}`");
    }
    assert!(
        Currency::parse(&"€".repeat(1_000))
            .unwrap_err()
            .to_string()
            .len()
            < 200
    );
}

#[test]
fn times_have_one_canonical_text() {
    let table = [
        (0, "1970-01-01T00:00:00.000000000Z"),
        (1_795_340_405_123_456_789, "2026-11-22T09:40:05.123456789Z"),
        (951_782_400_000_000_000, "2000-02-29T00:00:00.000000000Z"),
        (951_868_799_999_999_999, "2000-02-29T23:59:59.999999999Z"),
        (4_107_542_400_000_000_000, "2100-03-01T00:00:00.000000000Z"),
        (u64::MAX, "2554-07-21T23:34:33.709551615Z"),
    ];
    for (nanos, text) in table {
        let time = Timestamp::from_nanos(nanos);
        assert_eq!(time.to_string(), text);
        assert_eq!(Timestamp::parse_canonical(text).unwrap(), time);
        assert_eq!(text.parse::<Timestamp>().unwrap(), time);
    }
}

#[test]
fn other_spellings_of_a_time_are_refused() {
    for text in [
        "2026-11-22T09:40:05Z",
        "2026-11-22T09:40:05.123Z",
        "2026-11-22T09:40:05.1234567890Z",
        "2026-11-22t09:40:05.123456789Z",
        "2026-11-22 09:40:05.123456789Z",
        "2026-11-22T09:40:05.123456789z",
        "2026-11-22T09:40:05.123+01:00Z",
        "2026-11-22T09:40:05.1234+01:00",
        "2026-02-29T09:40:05.123456789Z",
        "2100-02-29T09:40:05.123456789Z",
        "2026-13-01T09:40:05.123456789Z",
        "2026-00-01T09:40:05.123456789Z",
        "2026-04-31T09:40:05.123456789Z",
        "2026-04-00T09:40:05.123456789Z",
        "2026-11-22T24:00:00.000000000Z",
        "2026-11-22T23:60:00.000000000Z",
        "2026-11-22T23:59:60.000000000Z",
        "1969-12-31T23:59:59.999999999Z",
        "2554-07-21T23:34:33.709551616Z",
        "9999-12-31T23:59:59.999999999Z",
        "+026-11-22T09:40:05.123456789Z",
        "2026-11-22T09:40:05,123456789Z",
        "",
    ] {
        assert!(Timestamp::parse_canonical(text).is_err(), "{text}");
    }
}

#[test]
fn rfc3339_offsets_are_brought_to_utc() {
    for (text, canonical) in [
        (
            "2026-11-22T10:40:05+01:00",
            "2026-11-22T09:40:05.000000000Z",
        ),
        (
            "2026-11-22T09:40:05.5-00:30",
            "2026-11-22T10:10:05.500000000Z",
        ),
        (
            "2026-12-31T23:30:00-01:00",
            "2027-01-01T00:30:00.000000000Z",
        ),
        (
            "1970-01-01T01:00:00+01:00",
            "1970-01-01T00:00:00.000000000Z",
        ),
    ] {
        assert_eq!(
            Timestamp::parse_rfc3339(text).unwrap().to_string(),
            canonical
        );
    }
    for text in [
        "1970-01-01T00:59:59+01:00",
        "2026-11-22T10:40:05+24:00",
        "2026-11-22T10:40:05",
    ] {
        assert!(Timestamp::parse_rfc3339(text).is_err(), "{text}");
    }
}

#[test]
fn time_arithmetic_stops_at_its_range() {
    let hour = Duration::from_secs(3_600);
    let time = Timestamp::parse_rfc3339("2026-11-22T23:30:00Z").unwrap();
    let later = time.checked_add(hour).unwrap();
    assert_eq!(
        later.date(),
        Date {
            year: 2026,
            month: 11,
            day: 23
        }
    );
    assert_eq!(later.date().to_string(), "2026-11-23");
    assert_eq!(later.duration_since(time), Some(hour));
    assert_eq!(time.duration_since(later), None);
    assert_eq!(later.checked_sub(hour), Some(time));
    assert_eq!(Timestamp::EPOCH.checked_sub(Duration::from_nanos(1)), None);
    assert_eq!(
        Timestamp::from_nanos(u64::MAX).checked_add(Duration::from_nanos(1)),
        None
    );
    assert_eq!(time.checked_add(Duration::MAX), None);
}

#[test]
fn identifiers_hold_their_alphabet_and_length() {
    let longest = "a".repeat(limits::ID_BYTES_MAX);
    for text in ["a", "0", "pay-1", "A.b_c:d/e+f-g", &longest] {
        assert_eq!(AccountId::parse(text).unwrap().as_str(), text);
        assert_eq!(RequestId::parse(text).unwrap().to_string(), text);
    }
    let too_long = format!("{longest}a");
    for (text, code) in [
        ("", "id.length"),
        (too_long.as_str(), "id.length"),
        ("-a", "id.syntax"),
        (".a", "id.syntax"),
        ("a b", "id.syntax"),
        ("a\n", "id.syntax"),
        ("a\"", "id.syntax"),
        ("ä", "id.syntax"),
        ("a\0", "id.syntax"),
    ] {
        assert_eq!(
            Name::parse(text).unwrap_err().code().as_str(),
            code,
            "{text:?}"
        );
    }
    let offset = match Name::parse("ab cd").unwrap_err() {
        error @ IdError::Syntax { offset } => {
            assert!(!error.to_string().contains("ab cd"), "{error}");
            offset
        }
        other => panic!("{other}"),
    };
    assert_eq!(offset, 2);
}

#[test]
fn clients_cannot_take_the_reserved_request_ids() {
    let system = RequestId::system("expire/7").unwrap();
    assert_eq!(system.as_str(), "paygod:expire/7");
    assert!(system.is_system());
    let error = RequestId::parse("paygod:expire/7").unwrap_err();
    assert_eq!(error.code().as_str(), "id.reserved");
    assert_eq!(RequestId::parse_any("paygod:expire/7").unwrap(), system);
    assert!(!RequestId::parse_any("paygod").unwrap().is_system());
    assert!(RequestId::system("").is_err());
    assert!(RequestId::system(&"a".repeat(60)).is_err());
}

#[test]
fn seq_ends_where_json_integers_end() {
    assert_eq!(Seq(0).next(), Some(Seq(1)));
    assert_eq!(Seq(limits::INTEGER_MAX).next(), None);
    assert_eq!(Seq(7).to_string(), "7");
}

#[test]
fn digests_have_one_spelling() {
    // FIPS 180-4, the example of one block.
    let text = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let digest = Digest::sha256(b"abc");
    assert_eq!(digest.to_string(), text);
    assert_eq!(Digest::parse(text).unwrap(), digest);
    let mut out = Vec::new();
    digest.write(&mut out);
    assert_eq!(out, text.as_bytes());
    assert!(Digest::parse(&text.to_uppercase()).is_err());
    assert_eq!(
        Digest::parse(text.trim_start_matches("ba")),
        Err(DigestError::Length {
            found: 62,
            allowed: 64
        })
    );
    let wrong = text.replacen("a396", "a39g", 1);
    assert_eq!(
        Digest::parse(&wrong),
        Err(DigestError::Digit { offset: 41 })
    );
    assert!(Digest::parse(&"é".repeat(32)).is_err());
    assert_eq!(parse_hex("00ff"), Ok([0x00, 0xff]));
    assert_eq!(
        parse_hex::<2>("00fF"),
        Err(DigestError::Digit { offset: 3 })
    );
    assert_eq!(parse_hex::<0>(""), Ok([]));
}

#[test]
#[should_panic(expected = "INVARIANT(exact-integers)")]
fn writer_stops_at_an_integer_that_json_cannot_carry() {
    Writer::new(&mut Vec::new()).u64(limits::INTEGER_MAX + 1);
}

#[test]
fn measurements_without_a_spelling_are_not_written() {
    let mut out = Vec::new();
    for value in [
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        9_007_199_254_740_992.0,
        1e300,
    ] {
        assert!(!write_number(value, &mut out), "{value}");
    }
    assert!(out.is_empty());
    assert!(write_number(0.1, &mut out));
    assert_eq!(out, b"0.1");
}

proptest! {
    #[test]
    fn any_amount_reads_back_in_any_currency(minor in any::<i128>(), shift in 0_u32..128, index in any::<prop::sample::Index>()) {
        let currency = *index.get(Currency::LIST);
        let minor = minor >> shift;
        let text = decimal(minor, currency);
        prop_assert_eq!(Money::parse(&text, currency).unwrap().amount.minor(), minor);
        prop_assert_eq!(Money::parse_relaxed(&text, currency).unwrap().amount.minor(), minor);
    }

    #[test]
    fn accepted_amounts_are_the_ones_written(text in "-?[0-9]{0,4}\\.?[0-9]{0,4}") {
        for currency in [Currency::JPY, Currency::EUR, Currency::BHD, Currency::CLF] {
            if let Ok(money) = Money::parse(&text, currency) {
                prop_assert_eq!(decimal(money.amount.minor(), currency), text.clone());
            }
        }
    }

    #[test]
    fn any_time_reads_back(nanos in any::<u64>()) {
        let time = Timestamp::from_nanos(nanos);
        prop_assert_eq!(Timestamp::parse_canonical(&time.to_string()).unwrap(), time);
    }

    #[test]
    fn order_of_times_is_the_order_of_their_texts(a in any::<u64>(), b in any::<u64>()) {
        let (a, b) = (Timestamp::from_nanos(a), Timestamp::from_nanos(b));
        prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
    }

    #[test]
    fn no_text_makes_a_parser_panic(text in any::<String>()) {
        let _ = Timestamp::parse_rfc3339(&text);
        let _ = Timestamp::parse_canonical(&text);
        let _ = Currency::parse(&text);
        let _ = Money::parse_relaxed(&text, Currency::EUR);
        let _ = Digest::parse(&text);
        let _ = RequestId::parse(&text);
    }

    #[test]
    fn any_integer_of_the_writer_is_canonical(value in 0..=limits::INTEGER_MAX) {
        let mut out = Vec::new();
        Writer::new(&mut out).u64(value);
        prop_assert_eq!(&out, &value.to_string().into_bytes());
        prop_assert_eq!(check(&out, &Limits::ENTRY), Ok(()));
    }
}
