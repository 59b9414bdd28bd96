//! The examples do what their README says under the starter packs: whoever runs the demo sees these
//! verdicts.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use paygod_policy::{Facts, Pack, Prepared, Ruleset, Scratch, Verdict, WindowFact};
use paygod_service::ingest::iso20022;
use paygod_service::ingest::ofac;
use paygod_service::ingest::route::{AccountMap, PaymentRequest, to_requests};
use paygod_types::Name;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn text(path: &str) -> String {
    std::fs::read_to_string(repository().join(path))
        .unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn starter_rules() -> Ruleset {
    let sdn = ofac::read(
        text("examples/lists/ofac/sdn.csv").as_bytes(),
        Some(text("examples/lists/ofac/alt.csv").as_bytes()),
    );
    let list = sdn
        .unwrap()
        .to_list(Name::parse("ofac-sdn").unwrap(), "example")
        .unwrap();
    let mut builder = Ruleset::builder().list(Arc::new(list));
    for pack in ["duplicate-payment", "payment-limits", "sanctions-screening"] {
        let files: BTreeMap<String, String> = ["pack.yaml", "tests/cases.yaml"]
            .map(|file| (file.to_owned(), text(&format!("packs/core/{pack}/{file}"))))
            .into();
        builder = builder.pack(Pack::from_files(&files).unwrap());
    }
    builder.build().unwrap()
}

fn requests(file: &str) -> Vec<PaymentRequest> {
    let file = iso20022::read(text(file).as_bytes()).unwrap();
    let accounts = AccountMap::parse(&text("examples/payments/accounts.txt")).unwrap();
    let routed = to_requests(&file, &accounts, None);
    assert!(file.refused.is_empty() && routed.unrouted.is_empty());
    routed.requests
}

/// Judges requests in their order, all at one moment: a window holds whatever was not denied before.
fn judge(rules: &Ruleset, requests: &[PaymentRequest]) -> Vec<(Verdict, Vec<String>)> {
    let mut seen: HashMap<Vec<u8>, u64> = HashMap::new();
    let (mut scratch, mut prepared) = (Scratch::default(), Prepared::default());
    let mut verdicts = Vec::new();
    for request in requests {
        let document = std::str::from_utf8(&request.bytes).unwrap();
        let transfer = document
            .split_once("\"transfers\":[")
            .unwrap()
            .1
            .strip_suffix("]}}")
            .unwrap();
        rules
            .prepare(&mut scratch, transfer.as_bytes(), &mut prepared)
            .unwrap();
        let keys: Vec<Vec<u8>> = prepared
            .windows()
            .map(|window| window.key.to_vec())
            .collect();
        let facts: Vec<WindowFact> = keys
            .iter()
            .map(|key| WindowFact {
                count: seen.get(key).copied().unwrap_or(0),
                ..WindowFact::default()
            })
            .collect();
        let decision = rules.decide(
            &mut scratch,
            &prepared,
            Facts {
                windows: &facts,
                ..Facts::default()
            },
        );
        if decision.verdict != Verdict::Deny {
            keys.into_iter()
                .for_each(|key| *seen.entry(key).or_default() += 1);
        }
        let decisive = decision
            .reasons
            .iter()
            .filter(|reason| reason.rule.decision == decision.verdict);
        let rules = decisive
            .map(|reason| reason.rule.rule.as_str().to_owned())
            .collect();
        verdicts.push((decision.verdict, rules));
    }
    verdicts
}

#[test]
fn the_month_end_file_shows_every_verdict_the_starter_packs_have() {
    let requests = requests("examples/payments/payroll-and-suppliers.pain.001.001.09.xml");
    let verdicts = judge(&starter_rules(), &requests);
    let caught: Vec<(&str, Verdict, &str)> = requests
        .iter()
        .zip(&verdicts)
        .filter(|(_, (verdict, _))| *verdict != Verdict::Allow)
        .map(|(request, (verdict, rules))| {
            let name = request.request.id.as_str().rsplit('/').next().unwrap();
            (name, *verdict, rules[0].as_str())
        })
        .collect();
    assert_eq!(
        caught,
        [
            ("INV-4712", Verdict::Review, "above-review-threshold"),
            ("INV-4713", Verdict::Deny, "above-limit"),
            ("INV-8003", Verdict::Deny, "same-reference-again"),
            ("INV-8004", Verdict::Deny, "creditor-listed"),
        ]
    );
    assert_eq!(verdicts.len(), 12);
}

#[test]
fn the_incoming_file_has_one_payment_within_the_limits_and_one_to_review() {
    let verdicts = judge(
        &starter_rules(),
        &requests("examples/payments/incoming.pacs.008.001.08.xml"),
    );
    let verdicts: Vec<Verdict> = verdicts.into_iter().map(|(verdict, _)| verdict).collect();
    assert_eq!(verdicts, [Verdict::Review, Verdict::Allow]);
}
