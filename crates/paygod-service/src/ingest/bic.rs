//! Business identifier codes (ISO 9362): shape only, no directory.

use std::fmt;
use std::sync::Arc;

/// A BIC of 8 or 11 characters. Capitals and digits in the places the standard gives them; whether it
/// names an institution is for a directory to say.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Bic(Arc<str>);

impl Bic {
    /// Reads a BIC; `None` when it has not the shape of one (`AnyBICDec2014Identifier`).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let either = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
        let (prefix, rest) = text.as_bytes().split_at_checked(4)?;
        let (country, rest) = rest.split_at_checked(2)?;
        let shaped = prefix.iter().all(either)
            && country.iter().all(u8::is_ascii_uppercase)
            && matches!(rest.len(), 2 | 5)
            && rest.iter().all(either);
        shaped.then(|| Self(text.into()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The eight characters that name the bank, without its branch.
    #[must_use]
    pub fn bank(&self) -> &str {
        self.0.get(..8).unwrap_or(&self.0)
    }
}

impl fmt::Display for Bic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_shape_of_a_bic_is_read() {
        for good in ["POFICHBEXXX", "DEUTDEFF", "AABBCCDDXXX", "1234CH2A"] {
            assert_eq!(
                Bic::parse(good).map(|bic| bic.to_string()).as_deref(),
                Some(good)
            );
        }
        for bad in [
            "",
            "POFI",
            "POFICHB",
            "POFICHBEX",
            "POFICHBEXXXX",
            "poficHBE",
            "POFI1HBE",
            "POFICHBÉ",
            "POFI CHBE",
        ] {
            assert_eq!(Bic::parse(bad), None, "{bad}");
        }
    }
}
