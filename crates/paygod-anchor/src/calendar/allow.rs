//! Which addresses may be asked.

use paygod_types::{Code, code};

use crate::ots::CalendarUri;

/// Most patterns of a list.
const PATTERNS_MAX: usize = 64;

/// The addresses that may be asked: whole ones, or `https://*.<domain>` for every host below a domain.
///
/// Plain `http` is for a calendar on this very machine only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowList {
    patterns: Vec<Address>,
}

/// A pattern is not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AllowListError {
    /// It is not an address of a calendar.
    #[error(
        "`{found}` is not `https://<host>[:<port>][/<path>]`, with `*.` before the host for all below it; plain `http` is for `127.0.0.1` alone"
    )]
    Form {
        /// What was found.
        found: String,
    },
    /// There are too many.
    #[error("more than {PATTERNS_MAX} calendars are allowed; name fewer")]
    TooMany,
}

impl AllowListError {
    /// The permanent code.
    #[must_use]
    pub const fn code(&self) -> Code {
        code::ANCHOR_NOT_ALLOWED
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Address {
    secure: bool,
    /// Lower-case, with the port if there is one.
    host: String,
    /// Without a slash at its end.
    path: String,
}

impl AllowList {
    /// Takes patterns.
    ///
    /// # Errors
    /// One is malformed, or there are too many.
    pub fn new<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Result<Self, AllowListError> {
        let mut list = Self::default();
        for pattern in patterns {
            if list.patterns.len() >= PATTERNS_MAX {
                return Err(AllowListError::TooMany);
            }
            let form = || AllowListError::Form {
                found: pattern.chars().take(80).collect(),
            };
            list.patterns
                .push(Address::parse(pattern, true).ok_or_else(form)?);
        }
        Ok(list)
    }

    /// Whether this address may be asked.
    #[must_use]
    pub fn allows(&self, uri: &CalendarUri) -> bool {
        Address::parse(uri.as_str(), false)
            .is_some_and(|address| self.patterns.iter().any(|pattern| pattern.covers(&address)))
    }
}

impl Address {
    fn parse(text: &str, is_pattern: bool) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let secure = match scheme {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let host = host.to_ascii_lowercase();
        let named = if is_pattern {
            host.strip_prefix("*.").unwrap_or(&host)
        } else {
            &host
        };
        let (name, port) = named
            .split_once(':')
            .map_or((named, None), |(name, port)| (name, Some(port)));
        let labels = name.split('.').all(|label| {
            !label.is_empty()
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        });
        let port_is_one = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
        let here = matches!(name, "127.0.0.1" | "localhost");
        let path_is_one = path
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._/".contains(&byte));
        let climbs = path.split('/').any(|part| part == ".." || part == ".");
        if !labels || !port_is_one || !path_is_one || climbs || !(secure || here) {
            return None;
        }
        let path = path.trim_end_matches('/').to_owned();
        Some(Self { secure, host, path })
    }

    fn covers(&self, address: &Self) -> bool {
        let host = match self.host.strip_prefix('*') {
            // What is left begins with the dot, so a host that merely ends alike is another one.
            Some(domain) => address
                .host
                .strip_suffix(domain)
                .is_some_and(|label| !label.is_empty()),
            None => self.host == address.host,
        };
        host && self.secure == address.secure && self.path == address.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(patterns: &[&str]) -> AllowList {
        AllowList::new(patterns.iter().copied()).unwrap()
    }

    fn uri(text: &str) -> CalendarUri {
        CalendarUri::new(text).unwrap()
    }

    #[test]
    fn what_is_on_the_list_is_allowed_and_nothing_else() {
        let list = list(&[
            "https://*.calendar.example",
            "https://one.example/ots",
            "http://127.0.0.1:8080",
        ]);
        for good in [
            "https://alice.calendar.example",
            "https://Alice.Calendar.example/",
            "https://one.example/ots",
            "http://127.0.0.1:8080/",
        ] {
            assert!(list.allows(&uri(good)), "{good}");
        }
        for bad in [
            "https://calendar.example",
            "https://evilcalendar.example",
            "https://alice.calendar.example.evil.example",
            "https://alice.calendar.example:444",
            "https://alice.calendar.example/other",
            "http://alice.calendar.example",
            "https://one.example",
            "https://one.example/ots/../etc",
            "http://127.0.0.1:8081",
            "http://127.0.0.1",
            "ftp://127.0.0.1:8080",
            "127.0.0.1:8080",
            "https://",
            "",
        ] {
            assert!(!list.allows(&uri(bad)), "{bad}");
        }
    }

    #[test]
    fn patterns_that_would_allow_more_than_they_look_are_refused() {
        for bad in [
            "*",
            "https://*",
            "https://*.",
            "https://a.*.example",
            "http://calendar.example",
            "https://a@b.example",
            "https://a.example?x",
            "https://[::1]",
            "https://a.example:0",
            "https://a.example:x",
        ] {
            assert!(AllowList::new([bad]).is_err(), "{bad}");
        }
        assert_eq!(
            AllowList::new(vec!["https://a.example"; 65]),
            Err(AllowListError::TooMany)
        );
    }
}
