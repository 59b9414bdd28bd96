//! Whatever the bytes are, the reader answers; whatever it answers, the totals hold.

use super::*;
use proptest::prelude::*;
use proptest::sample::Index;

/// What the reader promises of any file it accepts.
fn check_promises(bytes: &[u8]) {
    let Ok(file) = read(bytes) else { return };
    let mut ids: Vec<_> = file
        .payments
        .iter()
        .map(|payment| &payment.request_id)
        .collect();
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count, "a request id names two payments");
    assert!(file.control_sum.is_none_or(|sum| sum == file.total));
    for payment in &file.payments {
        assert!(payment.amount.amount.is_positive());
        assert!(payment.debtor.account.is_some() || !file.kind.is_outgoing());
        assert!(payment.creditor.account.is_some());
    }
    for payment in &file.refused {
        assert!(!payment.faults.is_empty());
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

prop_compose! {
    fn payment()(
        minor in 1_u64..1_000_000_000_000,
        name in "[A-Za-zÀ-ÿ0-9&<>'\"./-]{1,20}( [A-Za-z&<>]{1,10}){0,3}",
        reference in "[A-Z0-9/ -]{0,30}",
        id in "[A-Za-z0-9./ -]{0,12}",
    ) -> (u64, String, String, String) {
        (minor, name, reference, format!("e{id}"))
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn what_is_written_is_read_back(mut payments in prop::collection::vec(payment(), 1..8)) {
        for (place, (.., id)) in payments.iter_mut().enumerate() {
            id.insert_str(0, &place.to_string());
        }
        let (head, rest) = TWO_PAYMENTS.split_once("<CdtTrfTxInf>").unwrap();
        let tail = rest.rsplit_once("</CdtTrfTxInf>").unwrap().1;
        let decimal = |minor: u64| format!("{}.{:02}", minor / 100, minor % 100);
        let total = decimal(payments.iter().map(|(minor, ..)| minor).sum());
        let mut text = head.replace(">2<", &format!(">{}<", payments.len())).replace(">30.50<", &format!(">{total}<"));
        for (minor, name, reference, id) in &payments {
            text.push_str(&format!(
                "<CdtTrfTxInf><PmtId><EndToEndId>{id}</EndToEndId></PmtId><Amt><InstdAmt Ccy=\"EUR\">{}</InstdAmt></Amt>\
                 <Cdtr><Nm>{}</Nm></Cdtr><CdtrAcct><Id><IBAN>DE89370400440532013000</IBAN></Id></CdtrAcct>\
                 <RmtInf><Ustrd>{}</Ustrd></RmtInf></CdtTrfTxInf>",
                decimal(*minor), escape(name), escape(reference),
            ));
        }
        text.push_str(tail);
        let file = read(text.as_bytes()).unwrap();
        prop_assert_eq!(file.payments.len(), payments.len());
        let folded = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        for (read, (minor, name, reference, id)) in file.payments.iter().zip(&payments) {
            prop_assert_eq!(read.amount.amount.minor(), i128::from(*minor));
            prop_assert_eq!(read.creditor.name.as_deref().unwrap(), folded(name));
            prop_assert_eq!(read.remittance.as_deref().unwrap_or_default(), folded(reference));
            prop_assert_eq!(&read.end_to_end_id, &folded(id));
        }
        check_promises(text.as_bytes());
    }

    #[test]
    fn damaged_files_never_panic(
        source in 0_usize..3,
        edits in prop::collection::vec((any::<Index>(), any::<u8>(), 0_u8..4), 1..6),
    ) {
        let text = [TWO_PAYMENTS, INCOMING, BANK_SAMPLE][source];
        let mut bytes = text.as_bytes().to_vec();
        for (place, byte, how) in edits {
            let at = place.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                2 if bytes.len() > 1 => { bytes.remove(at); }
                _ => bytes.truncate(at.max(1)),
            }
        }
        check_promises(&bytes);
    }

    #[test]
    fn spliced_files_never_panic(from in any::<Index>(), to in any::<Index>(), length in 0_usize..400) {
        let bytes = TWO_PAYMENTS.as_bytes();
        let (from, to) = (from.index(bytes.len()), to.index(bytes.len()));
        let piece = &bytes[from..(from + length).min(bytes.len())];
        let mut spliced = bytes[..to].to_vec();
        spliced.extend_from_slice(piece);
        spliced.extend_from_slice(&bytes[to..]);
        check_promises(&spliced);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        check_promises(&bytes);
    }
}

#[test]
fn a_file_cut_at_any_byte_is_refused() {
    let end = TWO_PAYMENTS.trim_end().len();
    for length in 0..end {
        if TWO_PAYMENTS.is_char_boundary(length) {
            assert!(
                read(&TWO_PAYMENTS.as_bytes()[..length]).is_err(),
                "cut at {length}"
            );
        }
    }
}

#[test]
fn a_payment_keeps_a_bounded_number_of_faults() {
    let many = "<CdtrAgt><FinInstnId>".to_owned()
        + &"<BICFI>x</BICFI>".repeat(1_000)
        + "</FinInstnId></CdtrAgt>";
    let file = read(
        TWO_PAYMENTS
            .replacen("<Cdtr>", &format!("{many}<Cdtr>"), 1)
            .as_bytes(),
    )
    .unwrap();
    assert_eq!(file.refused[0].faults.len(), 8);
}
