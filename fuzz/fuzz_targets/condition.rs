//! Any text as a condition of an otherwise valid pack: it loads or is refused, and what loads judges
//! without a panic and within its fuel.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use paygod_fuzz::{MIB, bounded};
use paygod_policy::{Pack, Prepared, Ruleset, Scratch, WindowFact, limits};
use paygod_types::canonical::Writer;

const BEFORE: &str = "\
api_version: paygod/v1
kind: Pack
metadata: { name: fuzzed, version: 1.0.0, description: d, maintainer: m, tags: [] }
spec:
  inputs:
    - { name: payment, type: object, source: transfer, schema: 'paygod:payment.v1' }
    - { name: details, type: object, source: transfer.payment, schema: 'paygod:payment-details.v1' }
  policy:
    rules:
      - name: fuzzed
        decision: allow
        reason: the condition holds
        condition: ";

/// Without its two cases no pack loads.
const CASES: &str = "\
cases:
  - { name: a, expect: { decision: allow } }
  - { name: d, expect: { decision: deny } }
";

const TRANSFER: &[u8] = br#"{"amount":"12.50","credit":"supplier","currency":"EUR","debit":"main","payment":{"creditor":{"account":"DE89370400440532013000","name":"Muster AG"},"reference":"RF18539007547034"}}"#;

fuzz_target!(|bytes: &[u8]| {
    let Ok(condition) = std::str::from_utf8(bytes) else { return };
    let mut manifest = BEFORE.as_bytes().to_vec();
    // A JSON string is a YAML scalar of the same text.
    Writer::new(&mut manifest).string(condition);
    let manifest = String::from_utf8(manifest).expect("text and text");
    bounded(64 * MIB, || {
        let files = BTreeMap::from([
            ("pack.yaml".to_owned(), manifest),
            ("tests/cases.yaml".to_owned(), CASES.to_owned()),
        ]);
        let Ok(pack) = Pack::from_files(&files) else { return };
        pack.explain_document(TRANSFER, &[]).expect("the transfer is an object");
        let Ok(ruleset) = Ruleset::builder().pack(pack).build() else { return };
        let (mut scratch, mut prepared) = (Scratch::default(), Prepared::default());
        ruleset.prepare(&mut scratch, TRANSFER, &mut prepared).expect("the transfer is an object");
        let facts: Vec<WindowFact> = prepared.windows().map(|_| WindowFact::default()).collect();
        let decision = ruleset.decide(&mut scratch, &prepared, &facts);
        assert!(decision.fuel <= limits::FUEL_MAX, "fuel is bounded");
    });
});
