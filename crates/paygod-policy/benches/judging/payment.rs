//! The policy, its list and its events: 20 rules over 40 fields, 250 names, 10 items a payment.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;

use paygod_policy::{List, ListBuilder, Pack, Ruleset};
use paygod_types::Name;

/// How many different events a run goes through, so that no branch is learnt by heart.
pub(crate) const EVENTS: usize = 64;
/// Names on the list.
pub(crate) const NAMES: usize = 250;

pub(crate) const SCHEMA: &str = r#"{
  "type": "object", "additionalProperties": false,
  "required": ["amount", "batch", "channel", "credit", "creditor_account", "creditor_agent", "creditor_country",
    "creditor_name", "creditor_new", "currency", "customer_country", "customer_id", "customer_risk",
    "customer_segment", "customer_since", "customer_verified", "daily_count", "daily_total", "debit",
    "debtor_account", "debtor_agent", "debtor_country", "debtor_name", "device_id", "failed_logins", "fee",
    "fx_rate", "instruction_id", "ip_country", "items", "mfa", "purpose", "reference", "remittance",
    "requested_at", "risk_score", "session_age_s", "user_agent", "velocity_score"],
  "properties": {
    "amount": {"type": "string", "x-paygod-type": "money", "x-paygod-currency": "currency"},
    "batch": {"type": "boolean"}, "channel": {"type": "string"}, "credit": {"type": "string"},
    "creditor_account": {"type": "string", "maxLength": 64}, "creditor_agent": {"type": "string"},
    "creditor_country": {"type": "string"}, "creditor_name": {"type": "string", "maxLength": 280},
    "creditor_new": {"type": "boolean"}, "currency": {"type": "string"}, "customer_country": {"type": "string"},
    "customer_id": {"type": "string"}, "customer_risk": {"type": "integer"}, "customer_segment": {"type": "string"},
    "customer_since": {"type": "string", "format": "date-time"}, "customer_verified": {"type": "boolean"},
    "daily_count": {"type": "integer"}, "daily_total": {"type": "number"}, "debit": {"type": "string"},
    "debtor_account": {"type": "string", "maxLength": 64}, "debtor_agent": {"type": "string"},
    "debtor_country": {"type": "string"}, "debtor_name": {"type": "string", "maxLength": 280},
    "device_id": {"type": "string"}, "execution_date": {"type": "string"}, "failed_logins": {"type": "integer"},
    "fee": {"type": "number"}, "fx_rate": {"type": "number"}, "instruction_id": {"type": "string"},
    "ip_country": {"type": "string"}, "mfa": {"type": "boolean"}, "purpose": {"type": "string"},
    "reference": {"type": "string"}, "remittance": {"type": "string", "maxLength": 4096},
    "requested_at": {"type": "string", "format": "date-time"}, "risk_score": {"type": "number"},
    "session_age_s": {"type": "integer"}, "user_agent": {"type": "string"}, "velocity_score": {"type": "integer"},
    "items": {"type": "array", "items": {"type": "object", "additionalProperties": false,
      "required": ["category", "hazardous", "price", "quantity", "sku"], "properties": {
        "category": {"type": "string"}, "hazardous": {"type": "boolean"}, "price": {"type": "number"},
        "quantity": {"type": "integer"}, "sku": {"type": "string"}}}}
  }
}"#;

/// Name, condition, decision. `p` is the payment.
pub(crate) const RULES: [(&str, &str, &str); 20] = [
    (
        "currency",
        r#"!(p.currency in ["CHF", "EUR", "GBP", "USD"])"#,
        "deny",
    ),
    (
        "limit",
        r#"p.currency == "EUR" && p.amount > money("50000.00", "EUR") || p.currency == "CHF" && p.amount > money("50000.00", "CHF") || p.currency == "USD" && p.amount > money("55000.00", "USD") || p.currency == "GBP" && p.amount > money("45000.00", "GBP")"#,
        "deny",
    ),
    (
        "threshold",
        r#"p.currency == "EUR" && p.amount > money("10000.00", "EUR") || p.currency == "CHF" && p.amount > money("10000.00", "CHF") || p.currency == "USD" && p.amount > money("11000.00", "USD") || p.currency == "GBP" && p.amount > money("9000.00", "GBP")"#,
        "review",
    ),
    (
        "creditor-listed",
        r#"list("blocked").matches(p.creditor_name)"#,
        "deny",
    ),
    (
        "debtor-listed",
        r#"list("blocked").matches(p.debtor_name)"#,
        "deny",
    ),
    (
        "country",
        r#"p.creditor_country in ["AF", "BY", "CD", "CU", "IR", "KP", "LY", "MM", "RU", "SD", "SY", "YE"]"#,
        "deny",
    ),
    (
        "new-creditor",
        r#"p.creditor_new && p.amount.amount > 5000"#,
        "review",
    ),
    ("risk", "p.risk_score >= 0.9", "deny"),
    (
        "risk-without-mfa",
        "p.risk_score >= 0.7 && !p.mfa",
        "review",
    ),
    ("logins", "p.failed_logins > 5", "deny"),
    (
        "fresh-session",
        "p.session_age_s < 30 && p.creditor_new",
        "flag",
    ),
    (
        "goods",
        r#"p.items.exists(i, i.category in ["weapons", "gift_card"])"#,
        "review",
    ),
    ("dear-goods", "p.items.sum(i, i.price) > 5000", "flag"),
    ("no-goods", "!p.items.all(i, i.quantity > 0)", "deny"),
    (
        "hazard",
        r#"p.items.exists(i, i.hazardous && i.quantity > 3)"#,
        "review",
    ),
    (
        "dated",
        r#"has(p.execution_date) && p.execution_date == "2030-01-01""#,
        "flag",
    ),
    (
        "unreferenced",
        r#"!p.reference.startsWith("RF") && p.remittance.size() < 5"#,
        "flag",
    ),
    (
        "abroad",
        "p.customer_risk >= 4 && p.ip_country != p.customer_country",
        "review",
    ),
    (
        "daily",
        "p.daily_count > 50 || p.daily_total + p.amount.amount > 200000",
        "review",
    ),
    ("otherwise", "true", "allow"),
];

/// The pack of these rules.
pub(crate) fn pack(rules: &[(&str, &str, &str)]) -> Result<Pack, Box<dyn Error>> {
    let mut yaml = "api_version: paygod/v1\nkind: Pack\nmetadata: { name: bench, version: 1.0.0, description: d, \
                    maintainer: m }\nspec:\n  inputs:\n    - { name: p, type: object, source: transfer, schema: \
                    schema.json }\n  policy:\n    rules:\n"
        .to_owned();
    for (name, condition, decision) in rules {
        yaml.push_str(&format!(
            "      - name: {name}\n        condition: '{condition}'\n        decision: {decision}\n        reason: r\n"
        ));
    }
    let event = event(0);
    let refused = event.replace("\"EUR\"", "\"SEK\"");
    let cases = format!(
        "cases:\n  - name: a\n    input: {{ p: {event} }}\n    expect: {{ decision: allow }}\n  - name: b\n    \
         input: {{ p: {refused} }}\n    expect: {{ decision: deny }}\n"
    );
    let files = [
        ("pack.yaml", yaml),
        ("schema.json", SCHEMA.to_owned()),
        ("tests/cases.yaml", cases),
    ];
    let files: BTreeMap<String, String> = files.map(|(path, text)| (path.to_owned(), text)).into();
    Ok(Pack::from_files(&files)?)
}

pub(crate) fn ruleset() -> Result<Ruleset, Box<dyn Error>> {
    Ok(Ruleset::builder()
        .pack(pack(&RULES)?)
        .list(Arc::new(list()?))
        .build()?)
}

fn list() -> Result<List, Box<dyn Error>> {
    let mut builder = ListBuilder::new(Name::parse("blocked")?, "1");
    for (uid, name) in names().iter().enumerate() {
        builder.entry(&uid.to_string(), [name.as_str()]);
    }
    Ok(builder.build()?)
}

/// The names on the list.
pub(crate) fn names() -> Vec<String> {
    const SYLLABLES: [&str; 10] = [
        "al", "mor", "zan", "ki", "te", "ro", "ban", "cu", "des", "vik",
    ];
    let word = |n: usize| -> String {
        [n % 10, n / 10 % 10, n / 7 % 10]
            .map(|at| SYLLABLES[at])
            .concat()
    };
    (0..NAMES)
        .map(|n| {
            format!(
                "{}, {} {}",
                word(n).to_uppercase(),
                word(n * 31 + 7),
                word(n * 17 + 3)
            )
        })
        .collect()
}

/// One event as a bank's system would send it: canonical JSON, all in order.
pub(crate) fn event(n: usize) -> String {
    let categories = ["books", "food", "garden", "music", "office"];
    let items: Vec<String> = (0..10)
        .map(|i| {
            let category = categories[(n + i) % 5];
            let (cents, quantity, sku) = ((n + i) % 90 + 10, i % 4 + 1, 1000 + n * 10 + i);
            format!(
                r#"{{"category":"{category}","hazardous":false,"price":{i}.{cents},"quantity":{quantity},"sku":"SKU-{sku}"}}"#
            )
        })
        .collect();
    let (units, risk, fee) = (100 + n * 37, n % 40, n % 9);
    format!(
        r#"{{"amount":"{units}.50","batch":false,"channel":"mobile","credit":"suppliers","creditor_account":"CH93007620116238{n:05}","creditor_agent":"POFICHBEXXX","creditor_country":"CH","creditor_name":"Muster Maschinenbau AG {n}","creditor_new":false,"currency":"EUR","customer_country":"DE","customer_id":"C-{n:06}","customer_risk":2,"customer_segment":"smb","customer_since":"2019-03-01T00:00:00Z","customer_verified":true,"daily_count":{risk},"daily_total":1250.75,"debit":"main","debtor_account":"DE89370400440532013000","debtor_agent":"COBADEFFXXX","debtor_country":"DE","debtor_name":"Beispiel Handels GmbH","device_id":"d-8842-{n}","failed_logins":0,"fee":0.{fee},"fx_rate":1.0825,"instruction_id":"INSTR-{n}","ip_country":"DE","items":[{}],"mfa":true,"purpose":"SUPP","reference":"RF18539007547034","remittance":"Invoice 4711 of 2026-11-02, order {n}","requested_at":"2026-11-22T09:40:05Z","risk_score":0.{risk:02},"session_age_s":420,"user_agent":"bank-app/7.2 (ios)","velocity_score":12}}"#,
        items.join(",")
    )
}
