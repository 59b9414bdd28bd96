//! What the reader makes of real, hostile and damaged files.

mod dialects;
mod property;
mod refusals;

use super::*;

/// A bank's published sample. It declares 7 payments and holds 8.
const BANK_SAMPLE: &str =
    include_str!("../../../../../../contracts/vectors/iso20022/postfinance-pain.001.001.03.xml");
const TWO_PAYMENTS: &str =
    include_str!("../../../../../../contracts/vectors/iso20022/two-payments.pain.001.001.09.xml");
const MONTH_END: &str =
    include_str!("../../../../../../examples/payments/payroll-and-suppliers.pain.001.001.09.xml");
const INCOMING: &str =
    include_str!("../../../../../../examples/payments/incoming.pacs.008.001.08.xml");

fn counted_bank_sample() -> String {
    BANK_SAMPLE.replace("<NbOfTxs>7</NbOfTxs>", "<NbOfTxs>8</NbOfTxs>")
}

#[test]
fn a_wrong_count_is_read_only_when_asked_and_only_if_the_sum_holds() {
    let file = read_with(BANK_SAMPLE.as_bytes(), Counts::SumSuffices).unwrap();
    assert_eq!(file.declared_count, Some(7));
    assert_eq!((file.payments.len(), file.refused.len()), (6, 2));
    assert_eq!(file.total.to_string(), "38.00");

    let other_sum = BANK_SAMPLE.replace("<CtrlSum>38.00<", "<CtrlSum>37.00<");
    let error = read_with(other_sum.as_bytes(), Counts::SumSuffices).unwrap_err();
    assert_eq!(error.code(), paygod_types::code::ISO20022_CONTROL_SUM);

    let no_sum = BANK_SAMPLE.replace("<CtrlSum>38.00</CtrlSum>", "");
    let error = read_with(no_sum.as_bytes(), Counts::SumSuffices).unwrap_err();
    assert_eq!(error.code(), paygod_types::code::ISO20022_COUNT);
}

#[test]
fn the_bank_sample_is_refused_because_it_miscounts_its_payments() {
    let error = read(BANK_SAMPLE.as_bytes()).unwrap_err();
    assert_eq!(
        error.fault,
        ReadFault::Count {
            level: "group header",
            expected: 7,
            found: 8
        }
    );
    assert_eq!(error.code().as_str(), "iso20022.count");
    assert_eq!(
        error.to_string(),
        "line 7, column 4, at /Document/CstmrCdtTrfInitn/GrpHdr/NbOfTxs: `NbOfTxs` of the group header declares \
         7 payments, 8 were found; nothing of this file is taken in, ask the sender for a complete one"
    );
}

#[test]
fn the_bank_sample_with_its_count_put_right_reads() {
    let file = read(counted_bank_sample().as_bytes()).unwrap();
    assert_eq!(
        (file.kind, file.dialect),
        (MessageKind::Pain001V03, Dialect::Swiss)
    );
    assert_eq!(
        (file.message_id.as_str(), file.created.as_str()),
        ("MsgId-001", "2020-06-24T14:42:44")
    );
    assert_eq!(file.total.to_string(), "38.00");
    assert_eq!(file.control_sum, Some(file.total));

    let refused: Vec<_> = file
        .refused
        .iter()
        .map(|payment| (payment.place.index, payment.place.line))
        .collect();
    assert_eq!(
        refused,
        [(5, 197), (6, 242)],
        "the sample's two IBANs whose check digits fail"
    );
    assert!(
        file.refused
            .iter()
            .flat_map(|p| &p.faults)
            .all(|f| f.fault.code().as_str() == "payment.iban")
    );

    let first = &file.payments[0];
    assert_eq!(
        first.request_id.as_str(),
        "MsgId-001/PmtInfId-01/InstrId-01-01"
    );
    assert_eq!(first.amount.to_string(), "6.20 CHF");
    assert_eq!(first.execution_date.as_deref(), Some("2020-07-28"));
    assert_eq!(
        first.creditor.account.as_ref().unwrap().to_string(),
        "CH5109000000250092291"
    );
    assert_eq!(
        first.debtor.agent.as_ref().unwrap().to_string(),
        "POFICHBEXXX"
    );

    let slip = &file.payments[1];
    assert_eq!(slip.local_instrument.as_deref(), Some("CH01"));
    assert_eq!(
        slip.creditor.account.as_ref().unwrap().to_string(),
        "CH-POST:014295803"
    );
    assert_eq!(
        slip.reference.as_deref(),
        Some("120000000000234478943216899")
    );

    let salary = &file.payments[3];
    assert_eq!(salary.purpose.as_deref(), Some("SALA"));
    assert_eq!(salary.creditor.country.as_deref(), Some("CH"));
    assert_eq!(
        file.payments[4].reference.as_deref(),
        Some("976471818744726494745968140")
    );
    assert_eq!(
        file.payments[5].reference.as_deref(),
        Some("RF18539007547034")
    );
}

#[test]
fn the_month_end_file_reads_whole() {
    let file = read(MONTH_END.as_bytes()).unwrap();
    assert_eq!(
        (file.kind, file.dialect),
        (MessageKind::Pain001V09, Dialect::Iso)
    );
    assert_eq!((file.payments.len(), file.refused.len()), (12, 0));
    assert_eq!(
        file.payments[6].creditor.name.as_deref(),
        Some("Muster Papeterie & Druck AG")
    );
    assert_eq!(
        file.payments[6]
            .creditor
            .account
            .as_ref()
            .unwrap()
            .to_string(),
        "BBAN:0079120000000303"
    );
    assert_eq!(file.payments[7].service_level.as_deref(), Some("SEPA"));
    assert_eq!(file.payments[7].charge_bearer.as_deref(), Some("SLEV"));
    assert_eq!(
        file.payments[10].creditor.name.as_deref(),
        Some("Aero-Caribbean")
    );
    assert_eq!(
        file.payments[11].request_id.as_str(),
        "MUSTER-2026-11-25/SUPPLIERS-EUR/INV-8005"
    );
    assert!(
        file.payments
            .iter()
            .all(|payment| payment.debtor.name.as_deref() == Some("Muster Handels AG"))
    );
}

#[test]
fn an_incoming_message_in_its_envelope_reads() {
    let file = read(INCOMING.as_bytes()).unwrap();
    assert_eq!(file.kind, MessageKind::Pacs008V08);
    assert!(!file.kind.is_outgoing());
    let first = &file.payments[0];
    assert_eq!(first.amount.to_string(), "12500.00 EUR");
    assert_eq!(
        first.request_id.as_str(),
        "BEISDEFF-20261122-0001/TX-202611220001"
    );
    assert_eq!(first.execution_date.as_deref(), Some("2026-11-23"));
    assert_eq!(
        first.debtor.name.as_deref(),
        Some("Beispiel Grosshandel GmbH")
    );
}

#[test]
fn the_newer_pacs_version_reads_alike() {
    let newer = INCOMING.replace("pacs.008.001.08", "pacs.008.001.10");
    let file = read(newer.as_bytes()).unwrap();
    assert_eq!(file.kind, MessageKind::Pacs008V10);
    assert_eq!(file.payments, read(INCOMING.as_bytes()).unwrap().payments);
}

#[test]
fn a_settlement_total_that_does_not_hold_refuses_the_file() {
    let wrong = INCOMING.replace("15900.00", "15900.01");
    let error = read(wrong.as_bytes()).unwrap_err();
    assert_eq!(error.code().as_str(), "iso20022.control-sum");
    assert!(
        error.to_string().contains("declares 15900.01 EUR"),
        "{error}"
    );
    let mixed = INCOMING.replace("Ccy=\"EUR\">3400.00", "Ccy=\"CHF\">3400.00");
    assert!(
        read(mixed.as_bytes())
            .unwrap_err()
            .to_string()
            .contains("1 are in another currency")
    );
}

#[test]
fn a_business_header_that_names_another_message_refuses_the_file() {
    let wrong = INCOMING.replace(
        "<head:MsgDefIdr>pacs.008.001.08",
        "<head:MsgDefIdr>pacs.008.001.10",
    );
    assert_eq!(
        read(wrong.as_bytes()).unwrap_err().fault,
        ReadFault::Header {
            header: "pacs.008.001.10".into(),
            document: "pacs.008.001.08"
        }
    );
}

#[test]
fn reading_twice_names_the_same_requests() {
    let ids = |file: PaymentFile| {
        file.payments
            .into_iter()
            .map(|payment| payment.request_id)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        ids(read(MONTH_END.as_bytes()).unwrap()),
        ids(read(MONTH_END.as_bytes()).unwrap())
    );
}

#[test]
fn payments_of_one_id_are_refused_all_of_them() {
    let twins = TWO_PAYMENTS.replace("I-2", "I-1");
    let file = read(twins.as_bytes()).unwrap();
    assert_eq!((file.payments.len(), file.refused.len()), (0, 2));
    let fault = &file.refused[1].faults[0].fault;
    assert_eq!(*fault, PaymentFault::Twin { count: 2 });
    // The ids of an instruction count, not those for the payee.
    let file = read(TWO_PAYMENTS.replace("E-2", "E-1").as_bytes()).unwrap();
    assert_eq!(file.payments.len(), 2);
}

#[test]
fn an_instruction_or_transaction_id_that_says_not_provided_is_none() {
    let text = TWO_PAYMENTS
        .replace("I-1", "NOTPROVIDED")
        .replace("I-2", "NOTPROVIDED");
    assert_eq!(named(&text), ["M-1/B-1/E-1", "M-1/B-1/E-2"]);
    let file = read(text.as_bytes()).unwrap();
    assert_eq!(file.payments[0].instruction_id, None);

    let text = INCOMING
        .replace("TX-202611220001", "NOTPROVIDED")
        .replace("TX-202611220002", "NOTPROVIDED");
    let names = ["IN-01", "IN-02"].map(|id| format!("BEISDEFF-20261122-0001/{id}"));
    assert_eq!(named(&text), names);
}

fn named(text: &str) -> Vec<String> {
    let file = read(text.as_bytes()).unwrap();
    let ids = file.payments.into_iter();
    ids.map(|payment| payment.request_id.to_string()).collect()
}

/// Two payments without ids, of these amounts.
fn without_ids(first: &str, second: &str, sum: &str) -> String {
    TWO_PAYMENTS
        .replace("20.00", first)
        .replace("10.50", second)
        .replace("30.50", sum)
        .replace("<InstrId>I-1</InstrId>", "")
        .replace("<InstrId>I-2</InstrId>", "")
        .replace("E-1", "NOTPROVIDED")
        .replace("E-2", "NOTPROVIDED")
}

#[test]
fn a_payment_is_named_the_same_whatever_else_its_file_holds() {
    let both = named(TWO_PAYMENTS);
    for (text, at) in [
        (TWO_PAYMENTS.replace("I-2", "I-3"), 0),
        (TWO_PAYMENTS.replace("I-1", "I-3"), 1),
    ] {
        assert_eq!(named(&text)[at], both[at]);
    }
    // One that cannot be paid, in front.
    let wrong = TWO_PAYMENTS.replacen("<IBAN>DE89", "<IBAN>DE88", 1);
    assert_eq!(named(&wrong), [both[1].clone()]);
    // Without ids it is the amount that tells.
    let both = named(&without_ids("10.00", "20.00", "30.00"));
    assert_ne!(both[0], both[1]);
    let other = named(&without_ids("11.00", "20.00", "31.00"));
    assert_eq!(other[1], both[1]);
    let equal = named(&without_ids("20.00", "20.00", "40.00"));
    assert_eq!(equal[0], both[1]);
    assert_ne!(equal[0], equal[1]);
}

#[test]
fn an_id_that_spells_a_party_has_a_second_name() {
    let spelt = TWO_PAYMENTS.replace("I-1", "MusterSoftwareGmbH");
    let payment = &read(spelt.as_bytes()).unwrap().payments[0];
    let other = payment.other_id.as_ref().unwrap();
    assert_eq!(other.as_str(), "M-1/B-1/MusterSoftwareGmbH");
    let renamed = spelt.replace("Muster Software GmbH", "Muster Softwares GmbH");
    let renamed = &read(renamed.as_bytes()).unwrap().payments[0];
    assert_eq!(renamed.request_id, *other);
    assert_eq!(renamed.other_id.as_ref(), Some(&payment.request_id));
}

#[test]
fn ids_that_are_no_identifier_are_hashed() {
    for (from, to) in [
        ("M-1", "M 1"),
        ("M-1", "M/1"),
        ("B-1", "É"),
        ("M-1", "iso:0"),
        ("M-1", "paygod:1"),
        ("M-1", "approve:M"),
    ] {
        let file = read(TWO_PAYMENTS.replace(from, to).as_bytes()).unwrap();
        assert!(
            file.payments
                .iter()
                .all(|payment| payment.request_id.as_str().starts_with("iso:")),
            "{to}"
        );
    }
    let long = TWO_PAYMENTS
        .replace("M-1", &"M".repeat(35))
        .replace("B-1", &"B".repeat(35));
    assert!(
        read(long.as_bytes()).unwrap().payments[0]
            .request_id
            .as_str()
            .starts_with("iso:")
    );
}

#[test]
fn without_an_instruction_id_the_end_to_end_id_names_the_request() {
    let file = read(
        TWO_PAYMENTS
            .replace("<InstrId>I-1</InstrId>", "")
            .as_bytes(),
    )
    .unwrap();
    assert_eq!(file.payments[0].request_id.as_str(), "M-1/B-1/E-1");
}

#[test]
fn payments_with_one_uetr_are_refused() {
    let uetr = "<UETR>8a562c67-ca16-48ba-b074-65581be6f001</UETR>";
    let upper = uetr.to_uppercase();
    let with = |one: &str, other: &str| {
        let file = TWO_PAYMENTS
            .replacen("</EndToEndId>", &format!("</EndToEndId>{one}"), 1)
            .replace("E-2</EndToEndId>", &format!("E-2</EndToEndId>{other}"));
        read(file.as_bytes()).unwrap()
    };
    assert_eq!(with(uetr, "").payments.len(), 2);
    let twins = with(uetr, &upper);
    assert!(twins.payments.is_empty());
    assert_eq!(twins.refused.len(), 2);
}

#[test]
fn ids_that_spell_a_name_or_an_account_are_hashed() {
    for spelt in [
        "DE89370400440532013000",
        "GB82WEST12345698765432",
        "MusterSoftwareGmbH",
        "muster-software-gmbh-11",
        "GmbH.Software.Muster",
        "RENT-SOFTWARE-MUSTER",
        "370400440532013000-NOV",
    ] {
        let file = read(TWO_PAYMENTS.replace("I-1", spelt).as_bytes()).unwrap();
        let ids: Vec<&str> = file
            .payments
            .iter()
            .map(|payment| payment.request_id.as_str())
            .collect();
        assert!(ids[0].starts_with("iso:"), "{spelt}");
        assert_eq!(ids[1], "M-1/B-1/I-2");
    }
    let file = read(TWO_PAYMENTS.replace("I-1", "MUSTER-11").as_bytes()).unwrap();
    assert_eq!(file.payments[0].request_id.as_str(), "M-1/B-1/MUSTER-11");
}
