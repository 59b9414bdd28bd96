//! How a payment names an account: an IBAN, or an id of some scheme beside it.

use std::fmt;
use std::sync::Arc;

use super::iban::Iban;

/// An account as a payment names it. Its text form, `Display`, is the key to look it up by: the IBAN in
/// electronic form, or `scheme:id`. A scheme has no colon, so no two accounts share a key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AccountRef {
    /// An IBAN.
    Iban(Iban),
    /// An id of a scheme: `BBAN:…`, `CH-POST:014295803`, `OTHR:…` when the payment names none.
    Other {
        /// The scheme, without a colon.
        scheme: Arc<str>,
        /// The id, as written.
        id: Arc<str>,
    },
}

/// The scheme of an id whose payment names none.
pub const SCHEME_UNNAMED: &str = "OTHR";
/// The scheme of Swiss postal accounts and ISR participant numbers, 9 digits.
pub const SCHEME_SWISS_POST: &str = "CH-POST";

impl AccountRef {
    /// An id of a scheme, or the IBAN that it spells: an account has one name, whatever scheme it comes under.
    /// `None` when the scheme is empty or holds a colon, or the id is empty.
    #[must_use]
    pub fn other(scheme: &str, id: &str) -> Option<Self> {
        if let Some(iban) = spelt_iban(id) {
            return Some(Self::Iban(iban));
        }
        let usable = !scheme.is_empty() && !scheme.contains(':') && !id.is_empty();
        usable.then(|| Self::Other {
            scheme: scheme.into(),
            id: id.into(),
        })
    }

    /// Reads the text form back: an IBAN, or `scheme:id`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once(':') {
            Some((scheme, id)) => Self::other(scheme, id),
            None => Iban::parse(text).ok().map(Self::Iban),
        }
    }

    /// The IBAN, if it is one.
    #[must_use]
    pub const fn iban(&self) -> Option<&Iban> {
        match self {
            Self::Iban(iban) => Some(iban),
            Self::Other { .. } => None,
        }
    }
}

/// The IBAN in a text that holds nothing else, whatever stands between its letters and digits: white space, hyphens,
/// the word `IBAN` before it.
#[must_use]
pub fn spelt_iban(text: &str) -> Option<Iban> {
    let id: String = text.chars().filter(|c| c.is_alphanumeric()).collect();
    let id = id.to_ascii_uppercase();
    Iban::parse(id.strip_prefix("IBAN").unwrap_or(&id)).ok()
}

impl fmt::Display for AccountRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Iban(iban) => iban.fmt(f),
            Self::Other { scheme, id } => write!(f, "{scheme}:{id}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_form_reads_back() {
        for text in [
            "CH9300762011623852957",
            "BBAN:539007547034",
            "OTHR:a:b",
            "CH-POST:014295803",
        ] {
            assert_eq!(
                AccountRef::parse(text)
                    .map(|account| account.to_string())
                    .as_deref(),
                Some(text)
            );
        }
        for text in ["", "CH9300762011623852958", ":id", "scheme:"] {
            assert_eq!(AccountRef::parse(text), None, "{text}");
        }
        assert_eq!(AccountRef::other("a:b", "c"), None);
    }

    #[test]
    fn an_iban_is_that_iban_under_every_scheme_and_in_every_spelling() {
        let iban = AccountRef::parse("CH9300762011623852957");
        for text in [
            "OTHR:CH9300762011623852957",
            "iban:ch93 0076 2011 6238 5295 7",
            "BBAN:CH93-0076-2011-6238-5295-7",
            "OTHR:IBAN CH93\u{a0}0076.2011.6238.5295.7",
        ] {
            assert_eq!(AccountRef::parse(text), iban, "{text}");
        }
        for text in ["OTHR:CH9300762011623852958", "OTHR:CH9300762011623852957 A"] {
            assert_eq!(
                AccountRef::parse(text)
                    .map(|account| account.to_string())
                    .as_deref(),
                Some(text)
            );
        }
    }
}
