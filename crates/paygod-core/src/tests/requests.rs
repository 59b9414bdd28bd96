//! Request documents: what is read, what is refused and with which code.

use super::book::{request, transfer};
use crate::command::{AmountText, PendingTerms};
use crate::{Command, Party, PaymentDetails, Request};
use paygod_types::canonical::{self, Limits};

const ALL: [&str; 18] = [
    r#"{"by":"b","id":"r","transfer":{"transfers":[{"amount":"12.50","credit":"c","currency":"EUR","debit":"d","payment":{"creditor":{"account":"CH93","agent":"UBSW","agent_country":"CH","agent_name":"U","country":"CH","name":"Zoë","residence":"LI"},"debtor":{"name":"D"},"end_to_end_id":"e","execution_date":"2026-11-22","instruction_id":"i","purpose":"SALA","reference":"RF18","remittance":"\"x\"\n"},"pending":{"timeout_s":3600}}]}}"#,
    r#"{"id":"r","transfer":{"transfers":[{"amount":"1","credit":"c","currency":"JPY","debit":"d","pending":{}},{"amount":"1.000","credit":"f","currency":"BHD","debit":"e","pending":{}}]}}"#,
    r#"{"account_open":{"account":"a","aliases":["00112233445566778899aabbccddeeff"],"currency":"EUR","max_balance":"5.00","min_balance":"-1.00"},"by":"b","id":"r"}"#,
    r#"{"account_open":{"account":"a","currency":"EUR"},"id":"r"}"#,
    r#"{"account_close":{"account":"a"},"id":"r"}"#,
    r#"{"id":"r","post":{"amounts":["1.00","2"],"pending":"p"}}"#,
    r#"{"id":"r","post":{"pending":"p"}}"#,
    r#"{"id":"r","void":{"pending":"p"}}"#,
    r#"{"approve":{"request":"p"},"by":"b","id":"r"}"#,
    r#"{"by":"b","id":"r","reject":{"request":"p"}}"#,
    r#"{"by":"b","correct":{"corrects":"p","reason":"typo","transfers":[{"amount":"1.00","credit":"c","currency":"EUR","debit":"d"}]},"id":"r"}"#,
    r#"{"by":"b","freeze":{"scope":"book"},"id":"r"}"#,
    r#"{"id":"r","unfreeze":{"scope":{"currency":"EUR"}}}"#,
    r#"{"id":"r","policy_activate":{"lists":[],"packs":[{"digest":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","name":"p","version":"1"}]}}"#,
    r#"{"evidence_erase":{"request":"p"},"id":"r"}"#,
    r#"{"by":"b","id":"r","key_policy":{"age_s":7776000,"signatures":10000000,"unsigned":100000}}"#,
    r#"{"account_limit":{"account":"a","currency":"EUR","max_balance":"5.00","min_balance":"-1.00"},"id":"r"}"#,
    r#"{"account_limit":{"account":"a","currency":"EUR"},"id":"r"}"#,
];

#[test]
fn canonical_requests_are_written_as_they_are_read() {
    for json in ALL {
        canonical::check(json.as_bytes(), &Limits::REQUEST).unwrap();
        let read = request(json);
        assert_eq!(String::from_utf8(read.to_json().unwrap()).unwrap(), json);
    }
}

#[test]
fn no_request_survives_an_unknown_key_anywhere() {
    for json in ALL {
        let places: Vec<usize> = json
            .match_indices('{')
            .map(|(place, _)| place + 1)
            .collect();
        for place in places {
            let (before, after) = json.split_at(place);
            let comma = if after.starts_with('}') { "" } else { "," };
            let wrong = format!("{}\"zzz\":1{comma}{}", before, after);
            let error = Request::from_json(wrong.as_bytes()).unwrap_err();
            let code = error.code().as_str();
            assert!(
                matches!(code, "request.unknown-key" | "request.value"),
                "{wrong}: {error}"
            );
        }
    }
}

#[test]
fn wrong_requests_are_refused_with_their_code() {
    let plain = transfer("r", "a", "b", "1.00", "");
    let table: Vec<(String, &str)> = vec![
        ("{".into(), "canonical.syntax"),
        (r#"{"id":"r","id":"s"}"#.into(), "canonical.duplicate-key"),
        (r#"{"id":"r"}"#.into(), "request.commands"),
        (
            r#"{"id":"r","void":{"pending":"p"},"post":{"pending":"p"}}"#.into(),
            "request.commands",
        ),
        (r#"{"void":{"pending":"p"}}"#.into(), "request.missing-key"),
        (r#"{"id":"r","void":{}}"#.into(), "request.missing-key"),
        (r#"{"id":"r","genesis":{}}"#.into(), "request.unknown-key"),
        (
            r#"{"id":"r","expire":{"pending":"p"}}"#.into(),
            "request.unknown-key",
        ),
        (
            r#"{"id":"paygod:x","void":{"pending":"p"}}"#.into(),
            "id.reserved",
        ),
        (
            r#"{"id":"has space","void":{"pending":"p"}}"#.into(),
            "id.syntax",
        ),
        (
            r#"{"id":"r","approve":{"request":"p"}}"#.into(),
            "request.anonymous",
        ),
        (
            r#"{"id":"r","reject":{"request":"p"}}"#.into(),
            "request.anonymous",
        ),
        (
            r#"{"id":"r","transfer":{"transfers":[]}}"#.into(),
            "request.transfer-count",
        ),
        (
            r#"{"id":"r","freeze":{"scope":"all"}}"#.into(),
            "request.value",
        ),
        (
            r#"{"id":"r","freeze":{"scope":{}}}"#.into(),
            "request.value",
        ),
        (
            r#"{"id":"r","freeze":{"scope":{"account":"a","currency":"EUR"}}}"#.into(),
            "request.value",
        ),
        (
            r#"{"id":"r","post":{"pending":"p","amounts":["-1.00"]}}"#.into(),
            "request.value",
        ),
        (
            r#"{"id":"r","post":{"pending":"p","amounts":[]}}"#.into(),
            "request.transfer-count",
        ),
        (plain.replace("1.00", "1.0"), "money.precision"),
        (plain.replace("1.00", "0.00"), "request.not-positive"),
        (plain.replace("1.00", "-1.00"), "request.not-positive"),
        (plain.replace("\"1.00\"", "1.00"), "canonical.shape"),
        (plain.replace("EUR", "EUX"), "money.currency-unknown"),
        (plain.replace("\"b\"", "\"a\""), "request.same-account"),
        (
            transfer("r", "a", "b", "1.00", r#","pending":{"timeout_s":0}"#),
            "request.timeout",
        ),
        (
            transfer(
                "r",
                "a",
                "b",
                "1.00",
                r#","pending":{"timeout_s":99999999}"#,
            ),
            "request.timeout",
        ),
        (
            transfer("r", "a", "b", "1.00", r#","payment":{"iban":"x"}"#),
            "request.unknown-key",
        ),
        (
            transfer(
                "r",
                "a",
                "b",
                "1.00",
                &format!(r#","payment":{{"remittance":"{}"}}"#, "x".repeat(1_025)),
            ),
            "request.value",
        ),
        (
            ALL[1].replacen(r#","pending":{}"#, "", 1),
            "request.mixed-pending",
        ),
        (
            ALL[10].replace(r#""debit":"d""#, r#""debit":"d","pending":{}"#),
            "request.unknown-key",
        ),
        (ALL[2].replace("-1.00", "1.00"), "request.limits"),
        (
            ALL[2].replace("00112233445566778899aabbccddeeff", "00"),
            "request.value",
        ),
        (ALL[13].replace("\"1\"", "\"\""), "request.value"),
        (
            format!(
                r#"{{"id":"r","void":{{"pending":"{}"}}}}"#,
                "p".repeat(40_000)
            ),
            "canonical.too-large",
        ),
    ];
    for (json, code) in table {
        let error = Request::from_json(json.as_bytes()).unwrap_err();
        assert_eq!(
            error.code().as_str(),
            code,
            "{error} of {}",
            json.chars().take(200).collect::<String>()
        );
    }
}

#[test]
fn too_many_transfers_are_refused() {
    let one = r#"{"debit":"a","credit":"b","amount":"1.00","currency":"EUR"}"#;
    let many = |count: usize| {
        format!(
            r#"{{"id":"r","transfer":{{"transfers":[{}]}}}}"#,
            vec![one; count].join(",")
        )
    };
    assert!(Request::from_json(many(64).as_bytes()).is_ok());
    let error = Request::from_json(many(65).as_bytes()).unwrap_err();
    assert_eq!(error.code().as_str(), "request.transfer-count");
}

#[test]
fn typed_request_is_held_to_the_same_rules() {
    let mut typed = request(ALL[1]);
    let Command::Transfer(transfer) = &mut typed.command else {
        panic!()
    };
    transfer.pending = Some(PendingTerms { timeout_s: Some(0) });
    assert_eq!(
        typed.to_json().unwrap_err().code().as_str(),
        "request.timeout"
    );
    let pending = "p".parse().unwrap();
    typed.command = Command::Post {
        pending,
        amounts: Some(vec![AmountText("1\"".into())]),
    };
    assert_eq!(
        typed.to_json().unwrap_err().code().as_str(),
        "request.value"
    );
}

#[test]
fn payment_details_are_written_in_canonical_form_and_kept_out_of_logs() {
    let creditor = Party {
        agent_country: Some("CH".into()),
        agent_name: Some("Musterbank".into()),
        name: Some("Zoë".into()),
        residence: Some("LI".into()),
        ..Party::default()
    };
    let details = PaymentDetails {
        creditor,
        reference: Some("RF18".into()),
        ..PaymentDetails::default()
    };
    let payment = details.to_payment().unwrap();
    assert_eq!(
        payment.as_bytes(),
        r#"{"creditor":{"agent_country":"CH","agent_name":"Musterbank","name":"Zoë","residence":"LI"},"reference":"RF18"}"#
            .as_bytes()
    );
    assert!(!format!("{payment:?}").contains("Zoë"));
    let long = PaymentDetails {
        purpose: Some("x".repeat(1_025)),
        ..PaymentDetails::default()
    };
    assert!(long.to_payment().is_err());
}

#[test]
fn request_vectors_hold() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../contracts/vectors/core/requests.jsonl"
    );
    let made = ALL.join("\n") + "\n";
    if std::env::var_os("PAYGOD_BLESS").is_some() {
        std::fs::create_dir_all(std::path::Path::new(path).parent().unwrap()).unwrap();
        std::fs::write(path, &made).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), made);
}
