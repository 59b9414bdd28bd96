//! Structured creditor references and the postal accounts they grew from: their check digits.
//!
//! Swiss QR and ISR references and postal accounts use the recursive modulo 10 of the Swiss payment
//! standards; the ISO 11649 creditor reference (`RF…`) uses ISO 7064 MOD 97-10, as an IBAN does.
//! Messages never hold the reference itself, which names an invoice.

use thiserror::Error;

use super::iban::mod97;

/// Why a structured reference cannot be right.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReferenceError {
    /// A QR reference that is not 27 digits whose last is their check digit.
    #[error(
        "the QR reference is not 27 digits with a check digit that holds; copy it from the bill again"
    )]
    Qr,
    /// An ISR reference of 16 or 27 digits whose check digit fails.
    #[error("the ISR reference has a check digit that does not hold; copy it from the slip again")]
    Isr,
    /// An ISO 11649 reference whose check digits fail.
    #[error(
        "the creditor reference is not `RF`, two check digits that hold and up to 21 more characters; copy it again"
    )]
    Scor,
    /// A QR-IBAN without a QR reference.
    #[error("a payment to a QR-IBAN needs a QR reference; add it or use the payee's other IBAN")]
    QrMissing,
    /// A QR reference with an account that is not a QR-IBAN.
    #[error("a QR reference goes with a QR-IBAN only; correct one of them")]
    QrUnexpected,
}

/// The kind a payment declares its structured reference to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReferenceKind {
    /// `Prtry/QRR`: Swiss QR reference.
    Qr,
    /// Payment type 1 of the Swiss payment standards (`CH01`): orange slip.
    Isr,
    /// `Cd/SCOR`: ISO 11649.
    Scor,
    /// Any other, taken as it is.
    Other,
}

impl ReferenceKind {
    /// Checks a reference of this kind.
    ///
    /// # Errors
    /// Its form or its check digits are wrong.
    pub fn check(self, reference: &str) -> Result<(), ReferenceError> {
        let digits = reference.as_bytes();
        match self {
            Self::Qr if digits.len() != 27 || !holds_mod10(digits) => Err(ReferenceError::Qr),
            // Older ISR references have 15 digits and no check digit.
            Self::Isr if matches!(digits.len(), 16 | 27) && !holds_mod10(digits) => {
                Err(ReferenceError::Isr)
            }
            Self::Scor if !is_scor(digits) => Err(ReferenceError::Scor),
            _ => Ok(()),
        }
    }
}

/// A reference as it is compared: one that is known by its form and its check digits loses white space and what else it
/// was printed with, an ISO 11649 reference gets capitals. Any other stays as typed. `None` for a text without any letter
/// or digit, which refers to nothing.
#[must_use]
pub fn normal_reference(text: &str) -> Option<String> {
    let shown: String = text.chars().filter(|c| c.is_alphanumeric()).collect();
    let capitals = shown.to_ascii_uppercase();
    let digits = shown.as_bytes();
    if is_scor(capitals.as_bytes()) {
        Some(capitals)
    } else if matches!(digits.len(), 16 | 27) && holds_mod10(digits) {
        Some(shown)
    } else {
        (!shown.is_empty()).then(|| text.to_owned())
    }
}

fn is_scor(text: &[u8]) -> bool {
    let Some((head, rest)) = text.split_at_checked(4) else {
        return false;
    };
    matches!(head, [b'R', b'F', d1, d2] if d1.is_ascii_digit() && d2.is_ascii_digit())
        && (1..=21).contains(&rest.len())
        && rest.iter().all(u8::is_ascii_alphanumeric)
        && mod97(text) == 1
}

/// Recursive modulo 10: the last digit is the check digit of those before it.
fn holds_mod10(digits: &[u8]) -> bool {
    const CARRY: [u8; 10] = [0, 9, 4, 6, 8, 2, 7, 1, 3, 5];
    let Some((check, rest)) = digits.split_last() else {
        return false;
    };
    if !digits.iter().all(u8::is_ascii_digit) {
        return false;
    }
    let carry = rest.iter().fold(0_u8, |carry, digit| {
        let index = carry.saturating_add(digit.saturating_sub(b'0')) % 10;
        CARRY.get(usize::from(index)).copied().unwrap_or_default()
    });
    (10 - carry) % 10 == check.saturating_sub(b'0')
}

/// The 9 digits of a Swiss postal account or ISR participant number, from `01-42958-3` or `010429583`.
/// `None` when it has another form or its check digit fails.
#[must_use]
pub fn postal_account(text: &str) -> Option<String> {
    let digits = match text.split('-').collect::<Vec<_>>().as_slice() {
        [whole] => (*whole).to_owned(),
        [prefix, number, check] if prefix.len() == 2 && number.len() <= 6 && check.len() == 1 => {
            format!("{prefix}{number:0>6}{check}")
        }
        _ => return None,
    };
    (digits.len() == 9 && holds_mod10(digits.as_bytes())).then_some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_published_by_the_standards_hold() {
        assert_eq!(
            ReferenceKind::Qr.check("210000000003139471430009017"),
            Ok(())
        );
        assert_eq!(
            ReferenceKind::Qr.check("976471818744726494745968140"),
            Ok(())
        );
        assert_eq!(
            ReferenceKind::Isr.check("120000000000234478943216899"),
            Ok(())
        );
        assert_eq!(ReferenceKind::Scor.check("RF18539007547034"), Ok(()));
        assert_eq!(ReferenceKind::Other.check("anything at all"), Ok(()));
    }

    #[test]
    fn a_reference_known_by_its_check_digits_has_one_spelling() {
        for (text, normal) in [
            ("rf18 5390 0754 7034", "RF18539007547034"),
            ("RF18\u{a0}5390-0754-7034", "RF18539007547034"),
            ("RF18\u{200b}539007547034", "RF18539007547034"),
            (
                "21 00000 00003 13947 14300 09017",
                "210000000003139471430009017",
            ),
            ("RF18 5390 0754 7035", "RF18 5390 0754 7035"),
            (
                "21 00000 00003 13947 14300 09018",
                "21 00000 00003 13947 14300 09018",
            ),
            ("Invoice 4711", "Invoice 4711"),
        ] {
            assert_eq!(normal_reference(text).as_deref(), Some(normal), "{text}");
        }
        for text in ["", ".", " - / "] {
            assert_eq!(normal_reference(text), None, "{text}");
        }
    }

    #[test]
    fn mistyped_references_are_caught() {
        assert_eq!(
            ReferenceKind::Qr.check("210000000003139471430009018"),
            Err(ReferenceError::Qr)
        );
        assert_eq!(
            ReferenceKind::Qr.check("21000000000313947143000901"),
            Err(ReferenceError::Qr)
        );
        assert_eq!(
            ReferenceKind::Isr.check("120000000000234478943216898"),
            Err(ReferenceError::Isr)
        );
        assert_eq!(
            ReferenceKind::Isr.check("12000000000023447894321689A"),
            Err(ReferenceError::Isr)
        );
        assert_eq!(
            ReferenceKind::Scor.check("RF18539007547035"),
            Err(ReferenceError::Scor)
        );
        assert_eq!(ReferenceKind::Scor.check("RF18"), Err(ReferenceError::Scor));
        assert_eq!(ReferenceKind::Scor.check(""), Err(ReferenceError::Scor));
    }

    #[test]
    fn postal_accounts_have_one_key_in_both_spellings() {
        assert_eq!(postal_account("014295803").as_deref(), Some("014295803"));
        assert_eq!(postal_account("01-429580-3").as_deref(), Some("014295803"));
        assert_eq!(postal_account("014295804"), None);
        assert_eq!(postal_account("01-429580-3-1"), None);
        assert_eq!(postal_account("é1-429580-3"), None);
    }
}
