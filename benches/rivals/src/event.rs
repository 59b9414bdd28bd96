//! The events: those that are allowed, which are timed, and such as meet every rule, on which all must agree.

use paygod_types::{Currency, Money};
use serde_json::{Value, json};

use crate::{Failed, payment};

/// As many different allowed events as the benchmark goes through.
#[must_use]
pub fn allowed() -> Vec<String> {
    (0..payment::EVENTS).map(payment::event).collect()
}

/// So many events in which a few fields are drawn at random, so that every rule fires somewhere.
pub fn varied(count: usize) -> Result<Vec<String>, Failed> {
    let names = payment::names();
    (0..count)
        .map(|n| {
            let mut event: Value = serde_json::from_str(&payment::event(n % payment::EVENTS))?;
            let mut draw = Draw(n as u64);
            for _ in 0..draw.below(4) {
                vary(&mut event, &mut draw, &names);
            }
            Ok(event.to_string())
        })
        .collect()
}

/// SplitMix64.
struct Draw(u64);

impl Draw {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n as u64) as usize
    }

    fn of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())].clone()
    }
}

/// Changes what one rule or another reads. Of fractions only such as floats hold no differently are drawn.
fn vary(event: &mut Value, draw: &mut Draw, names: &[String]) {
    let amounts = [
        "0.01", "4999.99", "5000.01", "9500.00", "10000.00", "10000.01", "46000.00", "50000.01",
        "61000.00",
    ];
    let item = draw.below(10);
    match draw.below(19) {
        0 => event["currency"] = draw.of(&["EUR", "USD", "GBP", "CHF", "SEK"]).into(),
        1 | 2 => event["amount"] = draw.of(&amounts).into(),
        3 => event["creditor_name"] = spelling(&draw.of(names), draw).into(),
        4 => event["debtor_name"] = spelling(&draw.of(names), draw).into(),
        5 => event["creditor_country"] = draw.of(&["RU", "YE", "CH", "AF", "ZZ", ""]).into(),
        6 => event["creditor_new"] = true.into(),
        7 => event["risk_score"] = draw.of(&[0.0, 0.69, 0.7, 0.75, 0.89, 0.9, 0.95]).into(),
        8 => event["mfa"] = false.into(),
        9 => event["failed_logins"] = draw.of(&[5, 6, 90]).into(),
        10 => event["session_age_s"] = draw.of(&[0, 29, 30]).into(),
        11 => event["items"][item]["category"] = draw.of(&["weapons", "gift_card", "food"]).into(),
        12 => event["items"][item]["price"] = draw.of(&[1.5, 4_000.25, 6_000.5]).into(),
        13 => event["items"][item]["quantity"] = draw.of(&[0, -1, 4, 9]).into(),
        14 => event["items"][item]["hazardous"] = true.into(),
        15 => event["execution_date"] = draw.of(&["2030-01-01", "2029-12-31"]).into(),
        16 => {
            event["reference"] = draw.of(&["", "R", "F18", "RF1"]).into();
            event["remittance"] = draw
                .of(&["", "inv", "abcde", "\"\\\"", "a longer text"])
                .into();
        }
        17 => {
            event["customer_risk"] = draw.of(&[3, 4, 5]).into();
            event["ip_country"] = draw.of(&["DE", "FR"]).into();
        }
        _ => {
            event["daily_count"] = draw.of(&[50, 51]).into();
            event["daily_total"] = draw.of(&[1.25, 199_950.5, 250_000.75]).into();
        }
    }
}

/// A name on the list as it is, in other case and order, or with a letter more.
fn spelling(name: &str, draw: &mut Draw) -> String {
    let turned = || name.split([',', ' ']).filter(|word| !word.is_empty()).rev();
    match draw.below(4) {
        0 => name.to_owned(),
        1 => name.to_uppercase(),
        2 => turned().collect::<Vec<_>>().join("  "),
        _ => format!("{name}x"),
    }
}

/// The words of a name in lower case and in order, as the list is looked up by.
pub(crate) fn normalised(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    let words = name.split(|c: char| !c.is_alphanumeric());
    let mut words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    words.sort_unstable();
    words.join(" ")
}

/// The event as the rivals are given it: the amount in cents, names normalised.
pub(crate) fn eased(event: &str) -> Result<Value, Failed> {
    let mut event: Value = serde_json::from_str(event)?;
    let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
    let currency = Currency::parse(&text("currency"))?;
    let cents = i64::try_from(Money::parse(&text("amount"), currency)?.amount.minor())?;
    let (creditor, debtor) = (
        normalised(&text("creditor_name")),
        normalised(&text("debtor_name")),
    );
    event["amount"] = cents.into();
    event["creditor_name"] = creditor.into();
    event["debtor_name"] = debtor.into();
    Ok(event)
}

/// The event without fractions, lists and lengths, with what rules would compute from them.
pub(crate) fn flat(event: &str) -> Result<Value, Failed> {
    let mut event = eased(event)?;
    let hundredths = |value: &Value| (value.as_f64().unwrap_or(0.0) * 100.0).round() as i64;
    for field in ["daily_total", "risk_score", "fee"] {
        event[field] = hundredths(&event[field]).into();
    }
    event["fx_rate"] = event["fx_rate"].to_string().into();
    let items = event["items"].as_array().cloned().unwrap_or_default();
    let quantity = |item: &Value| item["quantity"].as_i64().unwrap_or(0);
    let hazardous = items.iter().filter(|item| item["hazardous"] == json!(true));
    event["hazardous_quantity_max"] = hazardous.map(quantity).max().unwrap_or(0).into();
    event["quantity_min"] = items.iter().map(quantity).min().unwrap_or(1).into();
    event["price_total"] = items
        .iter()
        .map(|item| hundredths(&item["price"]))
        .sum::<i64>()
        .into();
    event["categories"] = items.iter().map(|item| item["category"].clone()).collect();
    event["remittance_size"] = event["remittance"]
        .as_str()
        .map_or(0, |text| text.chars().count())
        .into();
    event["items"] = items
        .into_iter()
        .map(|mut item| {
            item["price"] = hundredths(&item["price"]).into();
            item
        })
        .collect();
    Ok(event)
}
