//! The IBAN registry (ISO 13616-2): which country has which structure after its four first characters.
//!
//! The facts are those of the registry SWIFT publishes as registration authority. Countries that use
//! something like an IBAN without having registered it are not in it.

/// What may stand at a place of an account number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    /// `n`: digits.
    Digits,
    /// `a`: capitals.
    Capitals,
    /// `c`: capitals and digits.
    Either,
}

use Class::{Capitals as A, Digits as N, Either as C};

impl Class {
    const fn holds(self, byte: u8) -> bool {
        match self {
            Self::Digits => byte.is_ascii_digit(),
            Self::Capitals => byte.is_ascii_uppercase(),
            Self::Either => byte.is_ascii_digit() || byte.is_ascii_uppercase(),
        }
    }
}

/// The structure of one country's IBAN after country and check digits: runs of one class.
#[derive(Debug, Clone, Copy)]
pub(super) struct Structure(&'static [(u8, Class)]);

impl Structure {
    /// Characters of a whole IBAN.
    pub(super) fn chars(self) -> usize {
        self.0
            .iter()
            .map(|(count, _)| usize::from(*count))
            .sum::<usize>()
            .saturating_add(4)
    }

    /// Position, from 1, of the first character of a whole IBAN that is not of its class.
    pub(super) fn mismatch(self, iban: &[u8]) -> Option<usize> {
        let classes = self
            .0
            .iter()
            .flat_map(|&(count, class)| std::iter::repeat_n(class, usize::from(count)));
        iban.iter()
            .enumerate()
            .skip(4)
            .zip(classes)
            .find(|((_, byte), class)| !class.holds(**byte))
            .map(|((index, _), _)| index.saturating_add(1))
    }
}

/// The structure registered for a country, by its ISO 3166 code.
pub(super) fn structure(country: &str) -> Option<Structure> {
    let index = REGISTRY
        .binary_search_by(|(code, _)| (*code).cmp(country))
        .ok()?;
    REGISTRY.get(index).map(|(_, runs)| Structure(runs))
}

type Row = (&'static str, &'static [(u8, Class)]);

#[rustfmt::skip]
const REGISTRY: &[Row] = &[
    ("AD", &[(8, N), (12, C)]),
    ("AE", &[(19, N)]),
    ("AL", &[(8, N), (16, C)]),
    ("AT", &[(16, N)]),
    ("AZ", &[(4, A), (20, C)]),
    ("BA", &[(16, N)]),
    ("BE", &[(12, N)]),
    ("BG", &[(4, A), (6, N), (8, C)]),
    ("BH", &[(4, A), (14, C)]),
    ("BI", &[(23, N)]),
    ("BR", &[(23, N), (1, A), (1, C)]),
    ("BY", &[(4, C), (4, N), (16, C)]),
    ("CH", &[(5, N), (12, C)]),
    ("CR", &[(18, N)]),
    ("CY", &[(8, N), (16, C)]),
    ("CZ", &[(20, N)]),
    ("DE", &[(18, N)]),
    ("DJ", &[(23, N)]),
    ("DK", &[(14, N)]),
    ("DO", &[(4, C), (20, N)]),
    ("EE", &[(16, N)]),
    ("EG", &[(25, N)]),
    ("ES", &[(20, N)]),
    ("FI", &[(14, N)]),
    ("FK", &[(2, A), (12, N)]),
    ("FO", &[(14, N)]),
    ("FR", &[(10, N), (11, C), (2, N)]),
    ("GB", &[(4, A), (14, N)]),
    ("GE", &[(2, A), (16, N)]),
    ("GI", &[(4, A), (15, C)]),
    ("GL", &[(14, N)]),
    ("GR", &[(7, N), (16, C)]),
    ("GT", &[(24, C)]),
    ("HN", &[(4, A), (20, N)]),
    ("HR", &[(17, N)]),
    ("HU", &[(24, N)]),
    ("IE", &[(4, A), (14, N)]),
    ("IL", &[(19, N)]),
    ("IQ", &[(4, A), (15, N)]),
    ("IS", &[(22, N)]),
    ("IT", &[(1, A), (10, N), (12, C)]),
    ("JO", &[(4, A), (4, N), (18, C)]),
    ("KW", &[(4, A), (22, C)]),
    ("KZ", &[(3, N), (13, C)]),
    ("LB", &[(4, N), (20, C)]),
    ("LC", &[(4, A), (24, C)]),
    ("LI", &[(5, N), (12, C)]),
    ("LT", &[(16, N)]),
    ("LU", &[(3, N), (13, C)]),
    ("LV", &[(4, A), (13, C)]),
    ("LY", &[(21, N)]),
    ("MC", &[(10, N), (11, C), (2, N)]),
    ("MD", &[(20, C)]),
    ("ME", &[(18, N)]),
    ("MK", &[(3, N), (10, C), (2, N)]),
    ("MN", &[(16, N)]),
    ("MR", &[(23, N)]),
    ("MT", &[(4, A), (5, N), (18, C)]),
    ("MU", &[(4, A), (19, N), (3, A)]),
    ("NI", &[(4, A), (20, N)]),
    ("NL", &[(4, A), (10, N)]),
    ("NO", &[(11, N)]),
    ("OM", &[(3, N), (16, C)]),
    ("PK", &[(4, A), (16, C)]),
    ("PL", &[(24, N)]),
    ("PS", &[(4, A), (21, C)]),
    ("PT", &[(21, N)]),
    ("QA", &[(4, A), (21, C)]),
    ("RO", &[(4, A), (16, C)]),
    ("RS", &[(18, N)]),
    ("RU", &[(14, N), (15, C)]),
    ("SA", &[(2, N), (18, C)]),
    ("SC", &[(4, A), (20, N), (3, A)]),
    ("SD", &[(14, N)]),
    ("SE", &[(20, N)]),
    ("SI", &[(15, N)]),
    ("SK", &[(20, N)]),
    ("SM", &[(1, A), (10, N), (12, C)]),
    ("SO", &[(19, N)]),
    ("ST", &[(21, N)]),
    ("SV", &[(4, A), (20, N)]),
    ("TL", &[(19, N)]),
    ("TN", &[(20, N)]),
    ("TR", &[(6, N), (16, C)]),
    ("UA", &[(6, N), (19, C)]),
    ("VA", &[(18, N)]),
    ("VG", &[(4, A), (16, N)]),
    ("XK", &[(16, N)]),
    ("YE", &[(4, A), (4, N), (18, C)]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registry_is_sorted_and_within_iso_13616() {
        assert!(REGISTRY.is_sorted_by(|(left, _), (right, _)| left < right));
        for (country, runs) in REGISTRY {
            assert!((15..=34).contains(&Structure(runs).chars()), "{country}");
        }
    }
}
