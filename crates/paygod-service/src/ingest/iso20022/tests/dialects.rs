//! Spellings of one file that banks and customers really send.

use super::*;

fn payments(text: &str) -> Vec<Payment> {
    read(text.as_bytes())
        .unwrap_or_else(|error| panic!("{error}"))
        .payments
}

/// The payments without their places, which move when the spelling does.
fn placeless(text: &str) -> Vec<Payment> {
    let mut payments = payments(text);
    for payment in &mut payments {
        payment.place = Place {
            index: payment.place.index,
            line: 0,
            column: 0,
        };
    }
    payments
}

#[test]
fn a_byte_order_mark_and_carriage_returns_change_nothing() {
    assert_eq!(
        payments(&format!("\u{FEFF}{TWO_PAYMENTS}")),
        payments(TWO_PAYMENTS)
    );
    assert_eq!(
        payments(&TWO_PAYMENTS.replace('\n', "\r\n")),
        payments(TWO_PAYMENTS)
    );
}

#[test]
fn prefixed_names_read_as_plain_ones() {
    let mut prefixed = String::new();
    let mut rest = TWO_PAYMENTS;
    while let Some((before, after)) = rest.split_once('<') {
        prefixed.push_str(before);
        prefixed.push('<');
        let after = match after.strip_prefix('/') {
            Some(name) => {
                prefixed.push('/');
                name
            }
            None => after,
        };
        if !after.starts_with('?') {
            prefixed.push_str("p:");
        }
        rest = after;
    }
    prefixed.push_str(rest);
    let prefixed = prefixed.replace("xmlns=", "xmlns:p=");
    assert_eq!(placeless(&prefixed), placeless(TWO_PAYMENTS));
}

#[test]
fn every_namespace_of_the_messages_is_known_and_no_other() {
    let known = |namespace: &str| MessageKind::of_namespace(namespace);
    for kind in MessageKind::ALL {
        assert_eq!(
            known(&format!("urn:iso:std:iso:20022:tech:xsd:{kind}")),
            Some((kind, Dialect::Iso))
        );
        let six = format!("http://www.six-interbank-clearing.com/de/{kind}.ch.02.xsd");
        assert_eq!(known(&six), Some((kind, Dialect::Swiss)));
    }
    for other in [
        "",
        "pain.001.001.09",
        "urn:iso:std:iso:20022:tech:xsd:pain.001.001.099",
        "urn:iso:std:iso:20022:tech:xsd:pain.001.001.03.ch.02.xsd",
        "http://www.six-interbank-clearing.com/de/pain.001.001.03.xsd",
        "http://example.org/pain.001.001.03.ch.02.xsd",
    ] {
        assert_eq!(known(other), None, "{other}");
    }
}

#[test]
fn envelopes_round_the_document_are_seen_through() {
    let (declaration, body) = TWO_PAYMENTS.split_once('\n').unwrap();
    for (open, close) in [
        ("<Envelope>", "</Envelope>"),
        (
            "<BusMsg><AppHdr><MsgDefIdr>pain.001.001.09</MsgDefIdr></AppHdr>",
            "</BusMsg>",
        ),
        (
            "<s:DataPDU xmlns:s=\"urn:swift:saa:xsd:saa.2.0\"><s:Header><s:Message/></s:Header><s:Body>",
            "</s:Body></s:DataPDU>",
        ),
    ] {
        assert_eq!(
            placeless(&format!("{declaration}{open}{body}{close}")),
            placeless(TWO_PAYMENTS),
            "{open}"
        );
    }
    let two = format!("<Envelope>{body}{body}</Envelope>");
    assert_eq!(
        read(two.as_bytes()).unwrap_err().fault,
        ReadFault::Repeated {
            element: "Document"
        }
    );
    let deep = format!("<Body><Body><Body><Body>{body}</Body></Body></Body></Body>");
    assert_eq!(
        read(deep.as_bytes()).unwrap_err().code().as_str(),
        "ingest.limit"
    );
}

#[test]
fn text_is_the_same_however_it_is_escaped() {
    let plain = payments(&TWO_PAYMENTS.replacen("Muster Software GmbH", "Muster &amp; Söhne", 1));
    assert_eq!(plain[0].creditor.name.as_deref(), Some("Muster & Söhne"));
    for spelling in [
        "Muster &#38; S&#xF6;hne",
        "<![CDATA[Muster & Söhne]]>",
        "Muster <!-- split -->&amp; Söhne",
        "\n  Muster\t&amp;\n  Söhne ",
    ] {
        let spelt = placeless(&TWO_PAYMENTS.replacen("Muster Software GmbH", spelling, 1));
        assert_eq!(spelt[0].creditor.name, plain[0].creditor.name, "{spelling}");
    }
}

#[test]
fn an_equivalent_amount_moves_in_the_debtors_currency() {
    let text = TWO_PAYMENTS.replace(
        "<InstdAmt Ccy=\"EUR\">10.50</InstdAmt>",
        "<EqvtAmt><Amt Ccy=\"CHF\">10.5</Amt><CcyOfTrf>EUR</CcyOfTrf></EqvtAmt>",
    );
    let payment = &payments(&text)[1];
    assert_eq!(payment.amount.to_string(), "10.50 CHF");
    assert_eq!(
        payment.counter_currency.map(|currency| currency.code()),
        Some("EUR")
    );
}

#[test]
fn a_payments_own_values_stand_before_those_of_its_batch() {
    let text = TWO_PAYMENTS
        .replace("<ReqdExctnDt>", "<PmtTpInf><SvcLvl><Cd>NURG</Cd></SvcLvl><CtgyPurp><Cd>SUPP</Cd></CtgyPurp></PmtTpInf><ReqdExctnDt>")
        .replace("</DbtrAgt>", "</DbtrAgt><UltmtDbtr><Nm>Muster Holding AG</Nm></UltmtDbtr><ChrgBr>SLEV</ChrgBr>")
        .replace(
            "<EndToEndId>E-2</EndToEndId></PmtId>",
            "<EndToEndId>E-2</EndToEndId></PmtId><PmtTpInf><SvcLvl><Cd>SEPA</Cd></SvcLvl></PmtTpInf><ChrgBr>DEBT</ChrgBr>\
             <UltmtDbtr><Nm>Muster Werke AG</Nm></UltmtDbtr><Purp><Cd>RENT</Cd></Purp>",
        );
    let payments = payments(&text);
    let values: Vec<_> = payments
        .iter()
        .map(|p| {
            let ultimate_debtor = p.ultimate_debtor.as_ref();
            let ultimate_debtor = ultimate_debtor.and_then(|party| party.name.as_deref());
            let [level, bearer, purpose] =
                [&p.service_level, &p.charge_bearer, &p.purpose].map(Option::as_deref);
            [level, bearer, ultimate_debtor, purpose].map(Option::unwrap_or_default)
        })
        .collect();
    assert_eq!(values[0], ["NURG", "SLEV", "Muster Holding AG", "SUPP"]);
    assert_eq!(values[1], ["SEPA", "DEBT", "Muster Werke AG", "RENT"]);
}

#[test]
fn execution_dates_come_with_and_without_a_time() {
    let with_time = TWO_PAYMENTS.replace(
        "<Dt>2026-11-25</Dt>",
        "<DtTm>2026-11-25T08:00:00+01:00</DtTm>",
    );
    assert_eq!(
        payments(&with_time)[0].execution_date.as_deref(),
        Some("2026-11-25")
    );
    let both = TWO_PAYMENTS.replace(
        "<Dt>2026-11-25</Dt>",
        "<Dt>2026-11-25</Dt><DtTm>2026-11-26T08:00:00Z</DtTm>",
    );
    assert_eq!(
        read(both.as_bytes()).unwrap_err().code().as_str(),
        "iso20022.structure"
    );
}

#[test]
fn the_day_of_execution_is_the_one_in_utc() {
    for (written, day) in [
        ("2026-11-30T23:30:00-12:00", "2026-12-01"),
        ("2026-12-01T00:30:00+01:00", "2026-11-30"),
        ("2026-11-30T23:30:00Z", "2026-11-30"),
        ("2026-11-30T23:30:00", "2026-11-30"),
    ] {
        let text = TWO_PAYMENTS.replace("<Dt>2026-11-25</Dt>", &format!("<DtTm>{written}</DtTm>"));
        assert_eq!(
            payments(&text)[0].execution_date.as_deref(),
            Some(day),
            "{written}"
        );
    }
}

#[test]
fn accounts_beside_ibans_are_keyed_by_their_scheme() {
    let named = |account: &str| {
        let text = TWO_PAYMENTS.replacen("<IBAN>DE89370400440532013000</IBAN>", account, 1);
        payments(&text)[0]
            .creditor
            .account
            .as_ref()
            .unwrap()
            .to_string()
    };
    assert_eq!(
        named("<Othr><Id>539007547034</Id></Othr>"),
        "OTHR:539007547034"
    );
    assert_eq!(
        named("<Othr><Id>1</Id><SchmeNm><Cd>BBAN</Cd></SchmeNm></Othr>"),
        "BBAN:1"
    );
    assert_eq!(
        named("<Othr><Id>1</Id><SchmeNm><Prtry>IN-HOUSE</Prtry></SchmeNm><Issr>x</Issr></Othr>"),
        "IN-HOUSE:1"
    );
    assert_eq!(
        named("<IBAN>de89 3704 0044 0532 0130 00</IBAN>"),
        "DE89370400440532013000"
    );
}

#[test]
fn postal_accounts_are_read_in_swiss_payment_types_only() {
    let with = |account: &str| {
        TWO_PAYMENTS
            .replacen(
                "<Amt>",
                "<PmtTpInf><LclInstrm><Prtry>CH02</Prtry></LclInstrm></PmtTpInf><Amt>",
                1,
            )
            .replacen(
                "<IBAN>DE89370400440532013000</IBAN>",
                &format!("<Othr><Id>{account}</Id></Othr>"),
                1,
            )
    };
    let first = |text: &str| {
        payments(text)[0]
            .creditor
            .account
            .as_ref()
            .unwrap()
            .to_string()
    };
    assert_eq!(first(&with("01-429580-3")), "CH-POST:014295803");
    assert_eq!(first(&with("014295803")), "CH-POST:014295803");
    let file = read(with("014295804").as_bytes()).unwrap();
    assert_eq!(
        file.refused[0].faults[0].fault.code().as_str(),
        "payment.account"
    );
}

#[test]
fn a_bank_may_be_named_by_its_clearing_number() {
    let text = TWO_PAYMENTS.replacen(
        "<Cdtr>",
        "<CdtrAgt><FinInstnId><ClrSysMmbId><ClrSysId><Cd>CHBCC</Cd></ClrSysId><MmbId>09000</MmbId></ClrSysMmbId>\
         </FinInstnId></CdtrAgt><Cdtr>",
        1,
    );
    assert_eq!(
        payments(&text)[0]
            .creditor
            .agent
            .as_ref()
            .unwrap()
            .to_string(),
        "CHBCC:09000"
    );
}

#[test]
fn name_and_country_of_a_bank_are_read_beside_its_code() {
    let text = TWO_PAYMENTS
        .replace(
            "<BICFI>MUSTCHZZXXX</BICFI>",
            "<BICFI>MUSTCHZZXXX</BICFI><Nm>Musterbank AG</Nm><PstlAdr><Ctry>LI</Ctry></PstlAdr>",
        )
        .replacen(
            "<Cdtr>",
            "<CdtrAgt><FinInstnId><Nm>BANCO NACIONAL DE CUBA</Nm></FinInstnId></CdtrAgt><Cdtr>",
            1,
        );
    let payment = &payments(&text)[0];
    let banks = [payment.debtor.as_ref(), &payment.creditor].map(|party| {
        let code = party.agent.as_ref().map(ToString::to_string);
        let (name, country) = (party.agent_name.as_deref(), party.agent_country.as_deref());
        (code.unwrap_or_default(), name, country)
    });
    assert_eq!(
        banks,
        [
            ("MUSTCHZZXXX".to_owned(), Some("Musterbank AG"), Some("LI")),
            (String::new(), Some("BANCO NACIONAL DE CUBA"), None),
        ]
    );
    let wrong = text.replace("<Ctry>LI</Ctry>", "<Ctry>Liechtenstein</Ctry>");
    assert_eq!(
        read(wrong.as_bytes()).unwrap_err().code().as_str(),
        "iso20022.value"
    );
}

#[test]
fn every_country_of_a_party_is_kept() {
    let text = TWO_PAYMENTS
        .replace(
            "</DbtrAgt>",
            "</DbtrAgt><UltmtDbtr><Nm>Muster Holding AG</Nm><CtryOfRes>IR</CtryOfRes></UltmtDbtr>",
        )
        .replacen(
            "<Cdtr><Nm>Muster Software GmbH</Nm></Cdtr>",
            "<Cdtr><Nm>Muster Software GmbH</Nm><PstlAdr><Ctry>DE</Ctry></PstlAdr><CtryOfRes>IR</CtryOfRes></Cdtr>",
            1,
        )
        .replacen(
            "</CdtrAcct>",
            "</CdtrAcct><UltmtCdtr><PstlAdr><Ctry>KP</Ctry></PstlAdr><CtryOfRes>KP</CtryOfRes></UltmtCdtr>",
            1,
        );
    let payments = payments(&text);
    let countries = |party: &Party| (party.country.clone(), party.residence.clone());
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(countries(&payments[0].creditor), (some("DE"), some("IR")));
    let ultimate = payments[0].ultimate_creditor.as_ref().unwrap();
    assert_eq!(countries(ultimate), (some("KP"), None), "named once");
    assert_eq!(ultimate.name, None);
    let ultimate = payments[1].ultimate_debtor.as_ref().unwrap();
    assert_eq!(countries(ultimate), (some("IR"), None));
    assert_eq!(payments[1].ultimate_creditor, None);
}

#[test]
fn the_ultimate_debtor_of_a_payment_replaces_that_of_its_batch_whole() {
    let text = TWO_PAYMENTS
        .replace(
            "</DbtrAgt>",
            "</DbtrAgt><UltmtDbtr><Nm>Alpha AG</Nm><PstlAdr><Ctry>CH</Ctry></PstlAdr></UltmtDbtr>",
        )
        .replacen(
            "<Cdtr>",
            "<UltmtDbtr><Nm>Omid Trading</Nm></UltmtDbtr><Cdtr>",
            1,
        );
    let ultimate = |text: &str| {
        payments(text)
            .into_iter()
            .map(|payment| {
                let party = payment.ultimate_debtor?;
                Some((party.name.clone(), party.country.clone()))
            })
            .collect::<Vec<_>>()
    };
    let some = |text: &str| Some(text.to_owned());
    let batch = Some((some("Alpha AG"), some("CH")));
    assert_eq!(
        ultimate(&text),
        [Some((some("Omid Trading"), None)), batch.clone()]
    );
    let nameless = text.replace("<Nm>Omid Trading</Nm>", "<CtryOfRes>KP</CtryOfRes>");
    assert_eq!(
        ultimate(&nameless),
        [Some((None, some("KP"))), batch.clone()]
    );
    // Somebody else, of whom only an id is said, which is not read.
    let unknown = text.replace("<Nm>Omid Trading</Nm>", "<Id><OrgId/></Id>");
    assert_eq!(ultimate(&unknown), [None, batch]);
}

#[test]
fn an_iban_is_that_iban_however_it_is_given() {
    let with =
        |account: &str| TWO_PAYMENTS.replacen("<IBAN>DE89370400440532013000</IBAN>", account, 1);
    for account in [
        "<Othr><Id>DE89370400440532013000</Id></Othr>",
        "<Othr><Id>de89 3704 0044 0532 0130 00</Id><SchmeNm><Cd>IBAN</Cd></SchmeNm></Othr>",
        "<Othr><Id>DE89-3704-0044-0532-0130-00</Id><SchmeNm><Prtry> i ban </Prtry></SchmeNm></Othr>",
        "<Othr><Id>DE89370400440532013000</Id><SchmeNm><Cd>BBAN</Cd></SchmeNm></Othr>",
    ] {
        assert_eq!(
            placeless(&with(account)),
            placeless(TWO_PAYMENTS),
            "{account}"
        );
    }
    let wrong =
        with("<Othr><Id>DE88370400440532013000</Id><SchmeNm><Cd>IBAN</Cd></SchmeNm></Othr>");
    let file = read(wrong.as_bytes()).unwrap();
    assert_eq!(
        file.refused[0].faults[0].fault.code().as_str(),
        "payment.iban"
    );
}

/// The reference that the first payment is read with.
fn reference_of(blocks: &str) -> Option<String> {
    let remittance = format!("</CdtrAcct><RmtInf>{blocks}</RmtInf>");
    let text = TWO_PAYMENTS.replacen("</CdtrAcct>", &remittance, 1);
    payments(&text)[0].reference.clone()
}

#[test]
fn a_creditor_reference_is_known_by_its_form_whatever_its_type_says() {
    let scor = "<CdtrRefInf><Ref>rf18 5390 0754 7034</Ref></CdtrRefInf>";
    let typed = |choice: &str| {
        let tp = format!("<CdtrRefInf><Tp><CdOrPrtry>{choice}</CdOrPrtry></Tp>");
        format!("<Strd>{}</Strd>", scor.replace("<CdtrRefInf>", &tp))
    };
    for block in [
        format!("<Strd>{scor}</Strd>"),
        typed("<Cd>SCOR</Cd>"),
        typed("<Cd>DISP</Cd>"),
        typed("<Prtry>OWN</Prtry>"),
    ] {
        assert_eq!(
            reference_of(&block).as_deref(),
            Some("RF18539007547034"),
            "{block}"
        );
    }
}

#[test]
fn a_creditor_reference_of_a_national_standard_is_taken_as_it_is() {
    let file = |issuer: &str, reference: &str| {
        let block = format!(
            "</CdtrAcct><RmtInf><Strd><CdtrRefInf><Tp><CdOrPrtry><Cd>SCOR</Cd></CdOrPrtry>{issuer}</Tp>\
             <Ref>{reference}</Ref></CdtrRefInf></Strd></RmtInf>"
        );
        let text = TWO_PAYMENTS.replacen("</CdtrAcct>", &block, 1);
        read(text.as_bytes()).unwrap()
    };
    let [bba, iso] = ["BBA", "ISO"].map(|issuer| format!("<Issr>{issuer}</Issr>"));
    for (issuer, reference) in [
        (bba.as_str(), "010806817183"),
        ("", "1232"),
        ("", "2345676"),
    ] {
        let read = &file(issuer, reference).payments[0];
        assert_eq!(read.reference.as_deref(), Some(reference));
    }
    for issuer in ["", &iso, &bba] {
        let read = &file(issuer, "rf18 5390 0754 7034").payments[0];
        assert_eq!(read.reference.as_deref(), Some("RF18539007547034"));
    }
    for (issuer, reference) in [
        ("", "RF18539007547035"),
        ("", "rf 18 5390 0754 7035"),
        (bba.as_str(), "RF18539007547035"),
        (iso.as_str(), "1232"),
    ] {
        let refused = &file(issuer, reference).refused;
        assert_eq!(
            refused[0].faults[0].fault.code().as_str(),
            "payment.reference",
            "{reference}"
        );
    }
}

#[test]
fn the_groups_of_a_printed_reference_are_no_part_of_it() {
    let block = "<Strd><CdtrRefInf><Ref>21 00000 00003 13947 14300 09017</Ref></CdtrRefInf></Strd>";
    assert_eq!(
        reference_of(block).as_deref(),
        Some("210000000003139471430009017")
    );
    let slip = BANK_SAMPLE
        .replace("<NbOfTxs>7</NbOfTxs>", "<NbOfTxs>8</NbOfTxs>")
        .replace(
            "120000000000234478943216899",
            "12 00000 00000 23447 89432 16899",
        );
    assert_eq!(
        payments(&slip)[1].reference.as_deref(),
        Some("120000000000234478943216899")
    );
    let other = "<Strd><CdtrRefInf><Ref>Invoice 4711</Ref></CdtrRefInf></Strd>";
    assert_eq!(reference_of(other).as_deref(), Some("Invoice 4711"));
}

#[test]
fn the_first_block_with_a_reference_counts() {
    let real = "<Strd><CdtrRefInf><Ref>RF18539007547034</Ref></CdtrRefInf></Strd>";
    for dummy in [
        "<Strd/>",
        "<Strd><CdtrRefInf><Tp><CdOrPrtry><Cd>SCOR</Cd></CdOrPrtry></Tp></CdtrRefInf></Strd>",
        "<Strd><CdtrRefInf><Ref> . </Ref></CdtrRefInf></Strd>",
        "<Strd><AddtlRmtInf>x</AddtlRmtInf></Strd>",
    ] {
        assert_eq!(
            reference_of(&format!("{dummy}{real}")).as_deref(),
            Some("RF18539007547034"),
            "{dummy}"
        );
    }
    let later = "<Strd><CdtrRefInf><Ref>RF712348231</Ref></CdtrRefInf></Strd>";
    assert_eq!(
        reference_of(&format!("{real}{later}")).as_deref(),
        Some("RF18539007547034")
    );
}

#[test]
fn supplementary_data_of_any_namespace_is_passed_over() {
    let text = TWO_PAYMENTS.replacen(
        "</CdtTrfTxInf>",
        "<SplmtryData><Envlp><x:Any xmlns:x=\"urn:x\" a=\"1\">text &amp; <x:More/></x:Any></Envlp></SplmtryData></CdtTrfTxInf>",
        1,
    );
    assert_eq!(placeless(&text), placeless(TWO_PAYMENTS));
}
