//! Each bad file of `contracts/vectors/iso20022` is refused with its own code, at its own place.

use super::*;
use crate::ingest::route::{AccountMap, to_requests};

macro_rules! vectors {
    ($folder:literal: $($name:literal),* $(,)?) => {
        [$(($name, include_bytes!(concat!("../../../../../../contracts/vectors/iso20022/", $folder, "/", $name, ".xml")).as_slice())),*]
    };
}

#[test]
fn every_bad_file_is_refused_with_its_code() {
    let files = vectors!("refused":
        "amount-negative", "amount-no-number", "amount-twice", "bad-date", "billion-laughs",
        "control-character", "control-character-by-number", "declared-latin-1", "deep-nesting",
        "element-of-another-namespace", "empty-doctype", "external-dtd", "external-entity", "latin-1", "long-text",
        "many-attributes", "mismatched-tags", "missing-end", "mixed-content", "no-message-id", "not-utf-8",
        "other-message", "quadratic-blowup", "second-document", "truncated", "two-amounts-in-one",
        "undeclared-entity", "utf-16", "wrong-control-sum", "wrong-control-sum-of-a-batch", "wrong-count",
        "wrong-count-of-a-batch", "wrong-namespace",
    );
    let seen: String = files
        .iter()
        .map(|(name, bytes)| {
            let error = read(bytes).expect_err(name);
            format!(
                "{name}: {} {}:{}\n",
                error.code(),
                error.at.line,
                error.at.column
            )
        })
        .collect();
    let expected =
        include_str!("../../../../../../contracts/vectors/iso20022/refused/expected.txt");
    assert_eq!(seen, expected, "\nfound:\n{seen}");
}

#[test]
fn every_bad_payment_is_set_aside_with_its_code_and_the_other_stands() {
    let files = vectors!("set-aside":
        "bad-bic", "bad-iban-check-digits", "bad-iban-length", "cheque", "decimals-of-yen", "gold",
        "iban-of-a-country-without", "no-creditor-account", "qr-iban-without-reference", "qr-reference-mistyped",
        "too-many-decimals", "unknown-currency", "zero-amount",
    );
    let seen: String = files
        .iter()
        .map(|(name, bytes)| {
            let file = read(bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!((file.payments.len(), file.refused.len()), (1, 1), "{name}");
            let faults: Vec<String> = file.refused[0]
                .faults
                .iter()
                .map(|located| {
                    format!(
                        "{} {}:{}",
                        located.fault.code(),
                        located.at.line,
                        located.at.column
                    )
                })
                .collect();
            format!("{name}: {}\n", faults.join(", "))
        })
        .collect();
    let expected =
        include_str!("../../../../../../contracts/vectors/iso20022/set-aside/expected.txt");
    assert_eq!(seen, expected, "\nfound:\n{seen}");
}

#[test]
fn a_wrong_control_sum_says_what_was_expected_and_found() {
    let wrong = TWO_PAYMENTS.replacen("30.50", "30.51", 1);
    let error = read(wrong.as_bytes()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "line 5, column 83, at /Document/CstmrCdtTrfInitn/GrpHdr/CtrlSum: `CtrlSum` of the group header declares \
         30.51, the payments add up to 30.50; nothing of this file is taken in, ask the sender for a corrected one"
    );
}

#[test]
fn sums_are_compared_as_numbers_and_across_currencies() {
    for spelling in ["30.5", "030.50", "+30.500", "30.50000000000"] {
        read(
            TWO_PAYMENTS
                .replace(">30.50<", &format!(">{spelling}<"))
                .as_bytes(),
        )
        .unwrap();
    }
    let two_currencies = TWO_PAYMENTS.replace("Ccy=\"EUR\">20.00", "Ccy=\"CHF\">20.00");
    read(two_currencies.as_bytes()).unwrap();
}

#[test]
fn a_payment_set_aside_still_counts_in_the_totals() {
    let bad = TWO_PAYMENTS.replacen("DE89370400440532013000", "DE88370400440532013000", 1);
    let file = read(bad.as_bytes()).unwrap();
    assert_eq!((file.payments.len(), file.refused.len()), (1, 1));
    assert_eq!(file.total.to_string(), "30.50");
}

#[test]
fn a_bad_debtor_account_sets_aside_its_whole_batch() {
    let bad = TWO_PAYMENTS.replace("CH9300762011623852957", "CH9300762011623852958");
    let file = read(bad.as_bytes()).unwrap();
    assert_eq!((file.payments.len(), file.refused.len()), (0, 2));
    assert!(file.refused.iter().all(|payment| payment.faults.len() == 1));
}

#[test]
fn messages_hold_no_account_number_and_no_name() {
    let bad = TWO_PAYMENTS.replace("DE89370400440532013000", "DE88370400440532013000");
    let file = read(bad.as_bytes()).unwrap();
    for located in file.refused.iter().flat_map(|payment| &payment.faults) {
        let message = located.to_string();
        assert!(
            message.contains("`DE88…`")
                && !message.contains("37040044")
                && !message.contains("Muster"),
            "{message}"
        );
    }
}

#[test]
fn a_file_past_the_size_limit_is_refused_unread() {
    let large = vec![b' '; FILE_BYTES_MAX + 1];
    assert_eq!(read(&large).unwrap_err().code().as_str(), "ingest.limit");
}

#[test]
fn an_empty_file_holds_no_document() {
    assert_eq!(read(b"").unwrap_err().fault, ReadFault::NoDocument);
    assert_eq!(
        read(b"<?xml version=\"1.0\"?>\n").unwrap_err().fault,
        ReadFault::NoDocument
    );
    assert_eq!(
        read(b"<Envelope/>").unwrap_err().fault,
        ReadFault::NoDocument
    );
}

#[test]
fn a_second_document_is_refused_wherever_the_envelope_holds_it() {
    let (_, body) = TWO_PAYMENTS.split_once('\n').unwrap();
    for envelope in [
        format!("<BizMsgEnvlp>{body}<Payload>{body}</Payload></BizMsgEnvlp>"),
        format!("<BizMsgEnvlp><Payload><Any>{body}</Any></Payload>{body}</BizMsgEnvlp>"),
        format!("<BizMsgEnvlp><AppHdr><Sgntr>{body}</Sgntr></AppHdr>{body}</BizMsgEnvlp>"),
        format!("<Envelope>{body}<Any>text<Document/></Any></Envelope>"),
    ] {
        let element = "Document";
        assert_eq!(
            read(envelope.as_bytes()).unwrap_err().fault,
            ReadFault::Repeated { element },
            "{envelope}"
        );
    }
    let unknown = format!("<Envelope><Payload>{body}</Payload></Envelope>");
    assert_eq!(
        read(unknown.as_bytes()).unwrap_err().fault,
        ReadFault::NoDocument
    );
}

#[test]
fn a_copy_for_information_is_refused_and_a_duplicate_is_read() {
    let marked = |mark: &str| {
        let mark = format!("</head:CreDt><head:CpyDplct>{mark}</head:CpyDplct>");
        read(INCOMING.replace("</head:CreDt>", &mark).as_bytes())
    };
    for mark in ["COPY", "CODU"] {
        let error = marked(mark).unwrap_err();
        assert_eq!(error.code().as_str(), "iso20022.value");
        assert_eq!(error.at.path, "/BizMsgEnvlp/AppHdr/CpyDplct");
        assert!(
            error.to_string().contains("a copy is for information"),
            "{error}"
        );
    }
    assert_eq!(marked("DUPL").unwrap().payments.len(), 2);
    assert_eq!(
        marked("copy").unwrap_err().code().as_str(),
        "iso20022.value"
    );
    // What the header says of another message is no word on this one.
    let related = "</head:CreDt><head:Rltd><head:CpyDplct>COPY</head:CpyDplct></head:Rltd>";
    let related = INCOMING.replace("</head:CreDt>", related);
    assert_eq!(read(related.as_bytes()).unwrap().payments.len(), 2);
}

#[test]
fn too_much_remittance_sets_aside_that_payment_alone() {
    let with = |lines: &[String]| {
        let lines: String = lines
            .iter()
            .map(|line| format!("<Ustrd>{line}</Ustrd>"))
            .collect();
        let text = format!("</CdtrAcct><RmtInf>{lines}</RmtInf>");
        read(TWO_PAYMENTS.replacen("</CdtrAcct>", &text, 1).as_bytes()).unwrap()
    };
    // Eight lines of 127 bytes and the seven spaces between are 1,023.
    let mut lines = vec!["x".repeat(127); 8];
    let file = with(&lines);
    assert_eq!((file.payments.len(), file.refused.len()), (2, 0));
    lines.extend(["x".repeat(140), "x".repeat(140)]);
    let file = with(&lines);
    assert_eq!((file.payments.len(), file.refused.len()), (1, 1));
    let [fault] = file.refused[0].faults.as_slice() else {
        panic!("one fault, however many lines are too many")
    };
    assert_eq!(fault.fault.code().as_str(), "iso20022.value");
    assert!(fault.at.path.ends_with("/RmtInf/Ustrd"), "{fault}");
    assert!(fault.to_string().contains("1024 bytes"), "{fault}");
}

#[test]
fn what_a_payment_lacks_is_missed_at_that_payment() {
    let outgoing = "line 14, column 7, at /Document/CstmrCdtTrfInitn/PmtInf/CdtTrfTxInf";
    let incoming = "line 21, column 7, at /Document/FIToFICstmrCdtTrf/CdtTrfTxInf";
    for (file, text, element, place) in [
        (
            TWO_PAYMENTS,
            "<EndToEndId>E-1</EndToEndId>",
            "EndToEndId",
            outgoing,
        ),
        (
            TWO_PAYMENTS,
            "<PmtId><InstrId>I-1</InstrId><EndToEndId>E-1</EndToEndId></PmtId>",
            "PmtId",
            outgoing,
        ),
        (
            TWO_PAYMENTS,
            "<Amt><InstdAmt Ccy=\"EUR\">20.00</InstdAmt></Amt>",
            "Amt",
            outgoing,
        ),
        (
            INCOMING,
            "<EndToEndId>ORDER-01</EndToEndId>",
            "EndToEndId",
            incoming,
        ),
        (
            INCOMING,
            "<IntrBkSttlmAmt Ccy=\"EUR\">12500.00</IntrBkSttlmAmt>",
            "IntrBkSttlmAmt",
            incoming,
        ),
    ] {
        let error = read(file.replacen(text, "", 1).as_bytes()).unwrap_err();
        assert_eq!(error.fault, ReadFault::Missing { element });
        assert_eq!(error.at.to_string(), place, "{element}");
    }
}

#[test]
fn an_account_without_an_id_is_refused_as_such() {
    for (account, told) in [
        (
            "<Prxy><Tp><Cd>EMAL</Cd></Tp><Id>a@example.org</Id></Prxy>",
            "a proxy (`Prxy`) alone is not taken, `Id` is needed",
        ),
        ("<Id/>", "its `Id` is missing or empty"),
    ] {
        let text =
            TWO_PAYMENTS.replacen("<Id><IBAN>DE89370400440532013000</IBAN></Id>", account, 1);
        let file = read(text.as_bytes()).unwrap();
        assert_eq!((file.payments.len(), file.refused.len()), (1, 1));
        let fault = &file.refused[0].faults[0];
        assert_eq!(fault.fault.code().as_str(), "payment.account");
        assert!(fault.at.path.ends_with("/CdtTrfTxInf/CdtrAcct"), "{fault}");
        assert!(fault.to_string().contains(told), "{fault}");
    }
    let both = TWO_PAYMENTS.replace("</IBAN></Id>", "</IBAN></Id><Prxy><Id>x</Id></Prxy>");
    assert_eq!(read(both.as_bytes()).unwrap().payments.len(), 2);
}

#[test]
fn an_incoming_payment_may_come_from_a_debtor_without_an_account() {
    let account = "<DbtrAcct><Id><IBAN>DE89370400440532013000</IBAN></Id></DbtrAcct>";
    let file = read(INCOMING.replace(account, "").as_bytes()).unwrap();
    assert_eq!((file.payments.len(), file.refused.len()), (2, 0));
    assert_eq!(file.payments[0].debtor.account, None);
    let accounts = include_str!("../../../../../../examples/payments/accounts.txt");
    let accounts = AccountMap::parse(accounts).unwrap();
    let routed = to_requests(&file, &accounts, None);
    assert_eq!((routed.requests.len(), routed.unrouted.len()), (2, 0));
    // One that is named has to be right, and one that pays out needs one.
    let wrong = INCOMING.replace("<IBAN>DE89", "<IBAN>DE88");
    assert_eq!(read(wrong.as_bytes()).unwrap().refused.len(), 1);
    let account = "<DbtrAcct><Id><IBAN>CH9300762011623852957</IBAN></Id></DbtrAcct>";
    let file = read(TWO_PAYMENTS.replace(account, "").as_bytes()).unwrap();
    assert_eq!(file.refused.len(), 2);
}

#[test]
fn what_may_stand_once_is_refused_a_second_time_even_after_an_empty_one() {
    let account = "<CdtrAcct><Id><IBAN>DE89370400440532013000</IBAN></Id></CdtrAcct>";
    for (text, with, element) in [
        ("<Nm>Muster Software", "<Nm/><Nm>Muster Software", "Nm"),
        (
            "<CdtrAcct>",
            "<CdtrAcct><Id/></CdtrAcct><CdtrAcct>",
            "CdtrAcct",
        ),
        ("<CdtrAcct><Id>", "<CdtrAcct><Id/><Id>", "Id"),
        ("<InstrId>", "<InstrId/><InstrId>", "InstrId"),
        ("<InstdAmt", "<EqvtAmt/><InstdAmt", "InstdAmt or EqvtAmt"),
        ("<FinInstnId>", "<FinInstnId/><FinInstnId>", "FinInstnId"),
        (
            "</Nm></Cdtr>",
            "</Nm><PstlAdr/><PstlAdr><Ctry>DE</Ctry></PstlAdr></Cdtr>",
            "PstlAdr",
        ),
        (
            "</Nm></Cdtr>",
            "</Nm><CtryOfRes/><CtryOfRes>DE</CtryOfRes></Cdtr>",
            "CtryOfRes",
        ),
        (
            "</CdtrAcct>",
            "</CdtrAcct><Purp/><Purp><Cd>RENT</Cd></Purp>",
            "Purp",
        ),
        (
            "<Amt>",
            "<PmtTpInf><LclInstrm/><LclInstrm><Prtry>CH01</Prtry></LclInstrm></PmtTpInf><Amt>",
            "LclInstrm",
        ),
        (
            account,
            "<CdtrAcct><Id><Othr><Id>1</Id><SchmeNm/><SchmeNm><Cd>BBAN</Cd></SchmeNm></Othr></Id></CdtrAcct>",
            "SchmeNm",
        ),
        (
            "</CdtrAcct>",
            "</CdtrAcct><RmtInf><Strd><CdtrRefInf/><CdtrRefInf><Ref>1</Ref></CdtrRefInf></Strd></RmtInf>",
            "CdtrRefInf",
        ),
    ] {
        let file = TWO_PAYMENTS.replacen(text, with, 1);
        assert_ne!(file, TWO_PAYMENTS, "{element}");
        let error = read(file.as_bytes()).unwrap_err();
        assert_eq!(error.fault, ReadFault::Repeated { element }, "{error}");
    }
    let element = "InstdAmt or EqvtAmt";
    let empty = TWO_PAYMENTS.replacen("<Amt>", "<Amt/><Amt>", 1);
    let error = read(empty.as_bytes()).unwrap_err();
    assert_eq!(error.fault, ReadFault::Missing { element });
    // Of these a payment may name several.
    let levels = "<PmtTpInf><SvcLvl/><SvcLvl><Cd>SEPA</Cd></SvcLvl><SvcLvl><Cd>URGP</Cd></SvcLvl></PmtTpInf><Amt>";
    let file = read(TWO_PAYMENTS.replacen("<Amt>", levels, 1).as_bytes()).unwrap();
    assert_eq!(file.payments[0].service_level.as_deref(), Some("SEPA"));
}

#[test]
fn a_file_of_faults_costs_time_in_proportion_to_its_size() {
    // One line, so that columns are counted over all of it, and a fault in each payment.
    let payment = "<CdtTrfTxInf><PmtId><EndToEndId>E</EndToEndId></PmtId><Amt><InstdAmt Ccy=\"EUR\">0</InstdAmt></Amt>\
        <CdtrAcct><Id><IBAN>X</IBAN></Id></CdtrAcct></CdtTrfTxInf>";
    let count = 20_000;
    let head = TWO_PAYMENTS
        .split_once("<CdtTrfTxInf>")
        .unwrap()
        .0
        .replace('\n', " ");
    let head = head
        .replace(">2<", &format!(">{count}<"))
        .replace(">30.50<", ">0<");
    let file = format!(
        "{head}{}</PmtInf></CstmrCdtTrfInitn></Document>",
        payment.repeat(count)
    );
    let read = read(file.as_bytes()).unwrap();
    assert_eq!(read.refused.len(), count);
    // No amount, no account, and an id that all of them have.
    assert!(read.refused.iter().all(|payment| payment.faults.len() == 3));
}

#[test]
fn no_message_shows_a_name_or_an_account_number_that_stands_in_the_wrong_place() {
    let places = [
        ("<BICFI>MUSTDEFFXXX<", "<BICFI>Hans Mueller<"),
        ("<Ctry>DE<", "<Ctry>DE89370400440532013000<"),
        (" Ccy=\"EUR\"", " Ccy=\"Hans Mueller DE89\""),
        ("<PmtMtd>TRF<", "<PmtMtd>DE89370400440532013000<"),
        ("</EndToEndId>", "&Hans-Mueller-und-Sohn;</EndToEndId>"),
    ];
    let mut told = 0;
    for (from, to) in places {
        let file = MONTH_END.replacen(from, to, 1);
        let said = match read(file.as_bytes()) {
            Err(error) => error.to_string(),
            Ok(read) => format!("{:?}", read.refused),
        };
        told += u32::from(file != MONTH_END);
        assert!(
            !said.contains("Mueller") && !said.contains("8937040044"),
            "{said}"
        );
    }
    assert!(told >= 3, "{told}");
}
