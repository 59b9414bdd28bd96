//! Any text as a condition of an otherwise valid pack: it loads or is refused, and what loads judges
//! without a panic and within its fuel.
#![no_main]

use std::collections::BTreeMap;
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use paygod_fuzz::{MANIFEST_HEAD, MIB, bounded};
use paygod_policy::{AccountFact, Facts, ListBuilder, Pack, Prepared, Ruleset, Scratch, WindowFact, limits};
use paygod_types::canonical::Writer;
use paygod_types::{Amount, Currency, Name, Timestamp};

/// What follows `MANIFEST_HEAD`.
const RULE: &str = "    - { name: details, type: object, source: transfer.payment, schema: 'paygod:payment-details.v1' }
  policy:
    rules:
      - name: fuzzed
        decision: allow
        reason: the condition holds
        condition: ";

/// A pack without an allow and a deny case does not load.
const CASES: &str = r#"
cases:
  - { name: a, input: { payment: { amount: "1.00", credit: a, currency: EUR, debit: b } }, expect: { decision: allow } }
  - { name: b, input: { payment: { amount: "1.0", credit: a, currency: EUR, debit: b } }, expect: { decision: deny } }
"#;

/// A rule may read an account; all of them hold this.
const ACCOUNT: AccountFact = AccountFact {
    currency: Currency::EUR,
    posted: Amount::ZERO,
    available: Amount::ZERO,
    expected: Amount::ZERO,
};

const TRANSFER: &[u8] = br#"{"amount":"12.50","credit":"supplier","currency":"EUR","debit":"main","payment":{"creditor":{"account":"DE89370400440532013000","name":"Muster AG"},"reference":"RF18539007547034"}}"#;

fuzz_target!(|bytes: &[u8]| {
    let Ok(condition) = std::str::from_utf8(bytes) else { return };
    let mut manifest = format!("{MANIFEST_HEAD}{RULE}").into_bytes();
    // A JSON string is a YAML scalar of the same text.
    Writer::new(&mut manifest).string(condition);
    let manifest = String::from_utf8(manifest).expect("text and text");
    bounded(64 * MIB, || {
        let files = BTreeMap::from([
            ("pack.yaml".to_owned(), manifest),
            ("tests/cases.yaml".to_owned(), CASES.to_owned()),
        ]);
        let Ok(pack) = Pack::from_files(&files) else { return };
        let mut builder = Ruleset::builder();
        for name in pack.lists() {
            let list = ListBuilder::new(Name::parse(name).expect("the checker wants a name"), "1");
            builder = builder.list(Arc::new(list.build().expect("an empty list is a list")));
        }
        let ruleset = builder.pack(pack).build().expect("every list is there");
        let (mut scratch, mut prepared) = (Scratch::default(), Prepared::default());
        ruleset.prepare(&mut scratch, TRANSFER, &mut prepared).expect("the transfer is an object");
        let facts: Vec<WindowFact> = prepared.windows().map(|_| WindowFact::default()).collect();
        let accounts: Vec<Option<AccountFact>> = prepared.accounts().map(|_| Some(ACCOUNT)).collect();
        let facts = Facts { windows: &facts, accounts: &accounts, time: Some(Timestamp::EPOCH) };
        let decision = ruleset.decide(&mut scratch, &prepared, facts);
        assert!(decision.fuel <= limits::FUEL_MAX, "fuel is bounded");
    });
});
