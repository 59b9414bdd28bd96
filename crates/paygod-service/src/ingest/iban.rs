//! International bank account numbers (ISO 13616): structure by country and the check digits.
//!
//! An [`Iban`] is always in its electronic form: capitals, no spaces, registered country, that country's
//! length and character classes, check digits that hold. It does not say whether the account exists.

use std::fmt;
use std::sync::Arc;

use thiserror::Error;

use super::iban_registry::structure;

/// Characters of the longest IBAN that ISO 13616 allows.
const CHARS_MAX: usize = 34;

/// An account number in the form of ISO 13616.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Iban(Arc<str>);

/// Why a text is not an IBAN. Shows the first four characters only.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum IbanError {
    /// Shorter or longer than any IBAN, or with characters none has.
    #[error(
        "the IBAN `{shown}…` has not the form of one: two letters, two digits, then letters and digits; ask the payee for it again"
    )]
    Form {
        /// First four characters.
        shown: String,
    },
    /// A country that registered no IBAN.
    #[error("`{country}` has no IBAN; give the account as `Othr/Id`")]
    Country {
        /// The first two characters.
        country: String,
    },
    /// Not the length of that country.
    #[error(
        "the IBAN `{shown}…` has {found} characters, those of its country have {expected}; ask the payee for it again"
    )]
    Length {
        /// First four characters.
        shown: String,
        /// Characters found.
        found: usize,
        /// Characters its country uses.
        expected: usize,
    },
    /// A letter where the country has digits, or the reverse.
    #[error(
        "the IBAN `{shown}…` does not follow its country's structure at character {position}; ask the payee for it again"
    )]
    Structure {
        /// First four characters.
        shown: String,
        /// Position of the first wrong character, from 1.
        position: usize,
    },
    /// The check digits fail (ISO 7064 MOD 97-10).
    #[error(
        "the check digits of the IBAN `{shown}…` do not hold: it was mistyped; ask the payee for it again"
    )]
    CheckDigits {
        /// First four characters.
        shown: String,
    },
}

impl Iban {
    /// Reads an IBAN; spaces are dropped and letters made capitals.
    ///
    /// # Errors
    /// Form, country, length, structure or check digits are wrong.
    pub fn parse(text: &str) -> Result<Self, IbanError> {
        let compact: String = text
            .chars()
            .filter(|c| *c != ' ')
            .take(CHARS_MAX.saturating_add(1))
            .collect();
        let compact = compact.to_ascii_uppercase();
        let shown: String = compact.chars().take(4).collect();
        let bytes = compact.as_bytes();
        let well_formed = matches!(bytes, [c1, c2, d1, d2, rest @ ..]
            if c1.is_ascii_uppercase() && c2.is_ascii_uppercase() && d1.is_ascii_digit() && d2.is_ascii_digit()
                && rest.iter().all(u8::is_ascii_alphanumeric));
        if !well_formed || bytes.len() > CHARS_MAX {
            return Err(IbanError::Form { shown });
        }
        let country: String = compact.chars().take(2).collect();
        let Some(structure) = structure(&country) else {
            return Err(IbanError::Country { country });
        };
        let expected = structure.chars();
        if bytes.len() != expected {
            return Err(IbanError::Length {
                shown,
                found: bytes.len(),
                expected,
            });
        }
        if let Some(position) = structure.mismatch(bytes) {
            return Err(IbanError::Structure { shown, position });
        }
        // 02 to 98 are the values the check digits can take; 97 more or less would hold as well.
        let digits = compact.get(2..4).unwrap_or_default();
        if mod97(bytes) != 1 || matches!(digits, "00" | "01" | "99") {
            return Err(IbanError::CheckDigits { shown });
        }
        Ok(Self(compact.into()))
    }

    /// The electronic form: capitals and digits without spaces.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The ISO 3166 country it begins with.
    #[must_use]
    pub fn country(&self) -> &str {
        self.0.get(..2).unwrap_or_default()
    }

    /// Whether it is a QR-IBAN of Switzerland or Liechtenstein: its institution id lies in 30000..=31999,
    /// and a payment to it must carry a QR reference (SIX Implementation Guidelines QR-bill).
    #[must_use]
    pub fn is_qr(&self) -> bool {
        matches!(self.country(), "CH" | "LI") && matches!(self.0.get(4..6), Some("30" | "31"))
    }
}

impl fmt::Display for Iban {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// ISO 7064 MOD 97-10 over a text of capitals and digits, its first four characters moved to the end.
/// 1 when the check digits hold; 0 for a text too short to have any.
pub(super) fn mod97(text: &[u8]) -> u32 {
    let Some((head, tail)) = text.split_at_checked(4) else {
        return 0;
    };
    tail.iter().chain(head).fold(0, |remainder: u32, &byte| {
        let value = u32::from(byte.to_ascii_uppercase());
        let next = if byte.is_ascii_digit() {
            remainder * 10 + value.saturating_sub(u32::from(b'0'))
        } else {
            remainder * 100 + value.saturating_sub(u32::from(b'A')) + 10
        };
        next % 97
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples that the registry and the national standards print.
    const GOOD: &[&str] = &[
        "CH93 0076 2011 6238 5295 7",
        "CH4431999123000889012",
        "LI21 0881 0000 2324 013A A",
        "DE89 3704 0044 0532 0130 00",
        "GB82 WEST 1234 5698 7654 32",
        "FR14 2004 1010 0505 0001 3M02 606",
        "MT84 MALT 0110 0001 2345 MTLC AST0 01S",
        "NO93 8601 1117 947",
        "LC14 BOSL 1234 5678 9012 3456 7890 1234",
        "BR15 0000 0000 0000 1093 2840 814P 2",
        "MU43 BOMM 0101 1234 5678 9101 000 MUR",
        "de89370400440532013000",
    ];

    #[test]
    fn published_examples_are_read() {
        for text in GOOD {
            let iban = Iban::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert!(!iban.as_str().contains(' '));
            assert_eq!(Iban::parse(iban.as_str()), Ok(iban.clone()), "{text}");
        }
    }

    #[test]
    fn every_single_digit_slip_and_neighbour_swap_is_caught() {
        for text in GOOD {
            let iban = Iban::parse(text).unwrap();
            let chars: Vec<char> = iban.as_str().chars().collect();
            for index in 2..chars.len() {
                for digit in '0'..='9' {
                    let mut slipped = chars.clone();
                    slipped[index] = digit;
                    if slipped != chars {
                        let slipped: String = slipped.into_iter().collect();
                        assert!(Iban::parse(&slipped).is_err(), "{slipped} for {text}");
                    }
                }
                if index + 1 < chars.len() && chars[index] != chars[index + 1] {
                    let mut swapped = chars.clone();
                    swapped.swap(index, index + 1);
                    let swapped: String = swapped.into_iter().collect();
                    assert!(Iban::parse(&swapped).is_err(), "{swapped} for {text}");
                }
            }
        }
    }

    #[test]
    fn each_fault_is_told_apart() {
        let shown = |text: &str| text.to_owned();
        let rows = [
            ("", IbanError::Form { shown: shown("") }),
            ("CH", IbanError::Form { shown: shown("CH") }),
            (
                "CH9300762011623852957X00000000000000",
                IbanError::Form {
                    shown: shown("CH93"),
                },
            ),
            (
                "CH93-0076",
                IbanError::Form {
                    shown: shown("CH93"),
                },
            ),
            (
                "ÄÖ93",
                IbanError::Form {
                    shown: shown("ÄÖ93"),
                },
            ),
            (
                "US9300762011623852957",
                IbanError::Country {
                    country: shown("US"),
                },
            ),
            (
                "CH930076201162385295",
                IbanError::Length {
                    shown: shown("CH93"),
                    found: 20,
                    expected: 21,
                },
            ),
            (
                "DE8937040044053201300A",
                IbanError::Structure {
                    shown: shown("DE89"),
                    position: 22,
                },
            ),
            (
                "GB821EST12345698765432",
                IbanError::Structure {
                    shown: shown("GB82"),
                    position: 5,
                },
            ),
            (
                "CH9300762011623852958",
                IbanError::CheckDigits {
                    shown: shown("CH93"),
                },
            ),
        ];
        for (text, expected) in rows {
            assert_eq!(Iban::parse(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn qr_ibans_are_known_by_their_institution() {
        assert!(Iban::parse("CH4431999123000889012").unwrap().is_qr());
        assert!(!Iban::parse("CH9300762011623852957").unwrap().is_qr());
    }
}
