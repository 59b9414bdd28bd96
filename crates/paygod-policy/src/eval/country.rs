//! The country letters of account numbers and bank codes.
//!
//! By their form alone, which no register changes: what a condition finds in a text, it finds for ever.

/// Characters of the shortest and the longest IBAN there can be (ISO 13616: Norway's is the shortest registered).
const IBAN_CHARS: core::ops::RangeInclusive<usize> = 15..=34;

/// The country of an IBAN whose check digits hold, in any spelling: small letters, groups, a scheme before a colon.
/// Its country need not have registered one.
pub(super) fn of_iban(text: &str) -> Option<[char; 2]> {
    let id = text.rsplit_once(':').map_or(text, |(_, id)| id);
    let chars = || {
        let shown = id.chars().filter(|c| c.is_alphanumeric());
        shown.map(|c| c.to_ascii_uppercase())
    };
    let mut head = chars();
    let (first, second) = (head.next()?, head.next()?);
    let shaped = first.is_ascii_uppercase()
        && second.is_ascii_uppercase()
        && head.next()?.is_ascii_digit()
        && head.next()?.is_ascii_digit()
        && IBAN_CHARS.contains(&chars().count());
    let rotated = chars().skip(4).chain(chars().take(4));
    let remainder = rotated.into_iter().try_fold(0_u32, |remainder, c| {
        let value = c.is_ascii().then(|| c.to_digit(36)).flatten()?;
        let shift = if value < 10 { 10 } else { 100 };
        Some((remainder * shift + value) % 97)
    });
    (shaped && remainder == Some(1)).then_some([first, second])
}

/// The country of a text that has the form of a BIC, in capitals; white space does not count.
pub(super) fn of_bic(text: &str) -> Option<[char; 2]> {
    let chars = || text.chars().filter(|c| !c.is_whitespace());
    let mut letters = chars().skip(4);
    let country = [letters.next()?, letters.next()?];
    let shaped = matches!(chars().count(), 8 | 11)
        && chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
        && country.iter().all(char::is_ascii_uppercase);
    shaped.then_some(country)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(letters: Option<[char; 2]>) -> String {
        letters.into_iter().flatten().collect()
    }

    #[test]
    fn an_iban_shows_its_country_in_every_spelling() {
        for (spelt, country) in [
            ("DE89370400440532013000", "DE"),
            ("de89 3704 0044 0532 0130 00", "DE"),
            ("OTHR:DE89-3704-0044-0532-0130-00", "DE"),
            ("NO9386011117947", "NO"),
        ] {
            assert_eq!(text(of_iban(spelt)), country, "{spelt}");
        }
        assert_eq!(
            text(of_iban("OTHR:IR062960000000100324200001")),
            "IR",
            "registered or not"
        );
    }

    #[test]
    fn what_is_no_iban_shows_no_country() {
        for other in [
            "",
            "DE",
            "DE89",
            "DE88370400440532013000",
            "DE8937040044053201300",
            "DÉ89370400440532013000",
            "DE89370400440532013000é",
            "89DE370400440532013000",
            "CHBCC:09000",
        ] {
            assert_eq!(of_iban(other), None, "{other}");
        }
    }

    #[test]
    fn a_bic_shows_its_country_and_a_name_shows_none() {
        assert_eq!(text(of_bic("MELIIRTHXXX")), "IR");
        assert_eq!(text(of_bic("MELIIRTH")), "IR");
        assert_eq!(text(of_bic("MELI IR TH XXX")), "IR");
        for other in [
            "",
            "MELI",
            "MELIIRTHX",
            "Meliirth",
            "MELI1RTH",
            "MELIIRÉH",
            "CHBCC:09000",
        ] {
            assert_eq!(of_bic(other), None, "{other}");
        }
    }
}
