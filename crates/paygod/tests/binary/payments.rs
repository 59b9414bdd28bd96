//! Payment files that were sent before, in part or corrected, and those that cannot be believed.

use crate::support::{Book, payments, shown, text};

const DEBTOR: &str = "CH9300762011623852957";
const CREDITOR: &str = "DE89370400440532013000";

/// A credit transfer in francs: its `EndToEndId`, its amount, and who is paid.
fn transfer(id: &str, amount: &str, name: &str, account: &str) -> String {
    format!(
        "<CdtTrfTxInf><PmtId><EndToEndId>{id}</EndToEndId></PmtId><Amt><InstdAmt Ccy=\"CHF\">{amount}</InstdAmt></Amt>\
         <Cdtr><Nm>{name}</Nm></Cdtr><CdtrAcct>{account}</CdtrAcct></CdtTrfTxInf>"
    )
}

fn iban(account: &str) -> String {
    format!("<Id><IBAN>{account}</IBAN></Id>")
}

/// A message of one batch.
fn pain(message: &str, transfers: &[String]) -> String {
    let (count, transfers) = (transfers.len(), transfers.concat());
    format!(
        "<Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:pain.001.001.09\"><CstmrCdtTrfInitn>\
         <GrpHdr><MsgId>{message}</MsgId><CreDtTm>2026-11-25T09:00:00Z</CreDtTm><NbOfTxs>{count}</NbOfTxs>\
         <InitgPty><Nm>Muster Handels AG</Nm></InitgPty></GrpHdr>\
         <PmtInf><PmtInfId>P1</PmtInfId><PmtMtd>TRF</PmtMtd><ReqdExctnDt><Dt>2026-11-25</Dt></ReqdExctnDt>\
         <Dbtr><Nm>Muster Handels AG</Nm></Dbtr><DbtrAcct>{}</DbtrAcct>\
         <DbtrAgt><FinInstnId><BICFI>MUSTCHZZXXX</BICFI></FinInstnId></DbtrAgt>{transfers}</PmtInf></CstmrCdtTrfInitn></Document>",
        iban(DEBTOR)
    )
}

/// Submits a message, which must end with this code; what was told of it.
fn submitted(book: &Book, code: i32, file: &str, arguments: &[&str]) -> String {
    let path = book.file("file.xml", file);
    let output = book.run(&[&["submit", &path, "--by", "treasury"], arguments].concat());
    let told = format!("{}{}", text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{told}");
    told
}

#[test]
fn of_a_message_with_other_content_nothing_is_sealed() {
    let book = Book::ready();
    let one = |id: &str, amount: &str| transfer(id, amount, "Beispiel GmbH", &iban(CREDITOR));
    let first = pain("R1", &[one("E1", "10.00"), one("E2", "20.00")]);
    submitted(&book, 0, &first, &[]);
    let balance = book.balance("muster-handels-chf");
    let other = [one("E1", "11.00"), one("E2", "20.00"), one("E3", "30.00")];
    for arguments in [&["--check"][..], &[]] {
        let told = submitted(&book, 2, &pain("R1", &other), arguments);
        assert!(told.contains("request.conflict"), "{told}");
    }
    assert_eq!(book.balance("muster-handels-chf"), balance);
    submitted(&book, 0, &first, &[]);
    assert_eq!(book.balance("muster-handels-chf"), balance);
}

#[test]
fn of_payments_without_ids_none_is_paid_twice() {
    let book = Book::ready();
    let one = |name: &str, account: &str| transfer("NOTPROVIDED", "10.00", name, &iban(account));
    let (wrong, right) = ("DE88370400440532013000", CREDITOR);
    let first = pain("N1", &[one("A One", wrong), one("B Two", right)]);
    submitted(&book, 1, &first, &["--accept-rest"]);
    let balance = book.balance("muster-handels-chf");
    let corrected = pain("N1", &[one("A One", right), one("B Two", right)]);
    for (code, arguments) in [(2, &[][..]), (1, &["--accept-rest"])] {
        let told = submitted(&book, code, &corrected, arguments);
        assert!(told.contains("request.conflict"), "{told}");
        assert_eq!(book.balance("muster-handels-chf"), balance);
    }
    // Those of another amount are others.
    let more = [
        one("B Two", right),
        one("C Three", right).replace("10.00", "10.01"),
    ];
    submitted(&book, 0, &pain("N1", &more), &[]);
    assert_ne!(book.balance("muster-handels-chf"), balance);
}

#[test]
fn the_rest_is_taken_however_much_is_wrong() {
    let book = Book::ready();
    let one = |id: usize, account: &str| {
        transfer(&format!("I{id}"), "1.00", "Beispiel GmbH", &iban(account))
    };
    let bad = (0..120).map(|id| one(id, "DE88370400440532013000"));
    let good = (120..125).map(|id| one(id, CREDITOR));
    // One of them is wrong only by what the book holds: it was sealed with another amount.
    submitted(&book, 0, &pain("M1", &[one(125, CREDITOR)]), &[]);
    let other = one(125, CREDITOR).replace("1.00", "2.00");
    let file = pain("M1", &bad.chain(good).chain([other]).collect::<Vec<_>>());
    let told = submitted(&book, 1, &file, &["--accept-rest", "--json"]);
    assert_eq!(told.matches("\"verdict\":\"allow\"").count(), 5, "{told}");
    assert!(told.contains("request.conflict"), "{told}");
}

#[test]
fn an_account_number_of_another_bank_is_no_account_of_the_book() {
    let book = Book::ready();
    book.yes(&[
        "account",
        "open",
        "rich-chf",
        "--currency",
        "CHF",
        "--alias",
        "OTHR:1234567",
    ]);
    let other = "<Id><Othr><Id>1234567</Id></Othr></Id>";
    let payment = |id: &str, agent: &str| {
        let agent =
            format!("<CdtrAgt><FinInstnId><BICFI>{agent}</BICFI></FinInstnId></CdtrAgt><Cdtr>");
        transfer(id, "5.00", "Beispiel GmbH", other).replace("<Cdtr>", &agent)
    };
    submitted(&book, 0, &pain("O1", &[payment("E1", "CHASUS33")]), &[]);
    assert_eq!(book.balance("rich-chf"), "0.00");
    submitted(&book, 0, &pain("O2", &[payment("E1", "MUSTCHZZ")]), &[]);
    assert_eq!(book.balance("rich-chf"), "5.00");
    let nowhere = transfer("E2", "5.00", "Beispiel GmbH", other);
    submitted(&book, 0, &pain("O3", &[nowhere]), &[]);
    assert_eq!(book.balance("rich-chf"), "10.00");
}

#[test]
fn what_a_file_holds_does_not_drive_a_terminal() {
    let book = Book::ready();
    let file = pain(
        "C1",
        &[transfer("C&#x9b;31mRED", "1.00", "A", &iban("CH00"))],
    );
    let told = submitted(&book, 2, &file, &[]);
    assert!(
        told.contains(r"C\u{9b}31mRED") && !told.contains('\u{9b}'),
        "{told}"
    );
}

#[test]
fn a_payment_whose_party_is_spelled_otherwise_is_not_paid_again() {
    let book = Book::ready();
    let pain = std::fs::read_to_string(payments()).expect("read");
    let pain = pain.replace(
        "<InstrId>SAL-0001<",
        "<InstrId>MUSTER-PERSONALDIENSTE-AG-1<",
    );
    let first = book.file("first.xml", &pain);
    book.code(1, &["submit", &first, "--by", "treasury"]);
    let balance = book.balance("muster-personaldienste-chf");
    let pain = pain.replace("Muster Personaldienste AG", "Muster Personal AG");
    let second = book.file("second.xml", &pain);
    let refused = book.run(&["submit", &second, "--by", "treasury"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stdout).contains("request.conflict"));
    book.code(1, &["submit", &second, "--by", "treasury", "--accept-rest"]);
    assert_eq!(book.balance("muster-personaldienste-chf"), balance);
}

#[test]
fn a_payment_file_in_utf_16_is_refused_by_its_encoding() {
    let book = Book::ready();
    let file = book.folder.path().join("wide.xml");
    let bytes: Vec<u8> = "<?xml version=\"1.0\"?>"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    for mark in [&b""[..], b"\xFF\xFE"] {
        std::fs::write(&file, [mark, &bytes].concat()).expect("a file");
        let error = book.code(2, &["submit", &shown(&file)]);
        assert!(error.contains("UTF-16"), "{error}");
    }
}
