//! Named, versioned lists: their canonical file, exact and normalised look-up.
//!
//! # The canonical file
//! UTF-8 lines, each the RFC 8785 form of a JSON object and ended by `\n`:
//! - the first: `{"entries":2,"kind":"list","name":"ofac-sdn","v":1,"version":"2026-11-20"}`;
//! - then one an entry, by uid in byte order, each uid once:
//!   `{"names":["AERO-CARIBBEAN","AEROCARIBBEAN AIRLINES"],"uid":"36"}`, its names in byte order, each once,
//!   at least one.
//!
//! INVARIANT(list-digest): a list's digest is the SHA-256 of that file, and only those bytes are read back:
//! what is read is written again and compared.

mod normal;

use core::hash::BuildHasher as _;
use std::collections::{BTreeMap, BTreeSet};

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use paygod_types::code::{self, Code};
use paygod_types::{Digest, Name};

use crate::json::{Json, write_string};
use crate::limits::{LIST_BYTES_MAX, LIST_ENTRIES_MAX, LIST_NAME_BYTES_MAX};
use crate::ruleset::Named;

pub(crate) use normal::{Normaliser, shows_nothing};

/// Why a list cannot be made or read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ListError {
    /// Not the canonical bytes of a list.
    #[error("line {line} of the list is not canonical: {reason}; import the list again")]
    NotCanonical {
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        reason: &'static str,
    },
    /// Too many bytes or entries.
    #[error("the list has {found} {unit}, {allowed} are allowed; split it")]
    TooLarge {
        /// What is counted.
        unit: &'static str,
        /// How many there are.
        found: usize,
        /// How many may be.
        allowed: usize,
    },
    /// A uid, name or version that cannot stand in a list.
    #[error(
        "`{text}` cannot stand in a list as {what}; it has 1 to {LIST_NAME_BYTES_MAX} bytes and no \
             control characters"
    )]
    Text {
        /// What it is.
        what: &'static str,
        /// The text, cut to 64 bytes.
        text: String,
    },
    /// An entry without a name.
    #[error("the entry `{uid}` has no name; leave it out")]
    Nameless {
        /// The entry.
        uid: String,
    },
}

impl ListError {
    /// The permanent code.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::NotCanonical { .. } => code::LIST_NOT_CANONICAL,
            Self::TooLarge { .. } => code::LIST_TOO_LARGE,
            Self::Text { .. } | Self::Nameless { .. } => code::LIST_ENTRY,
        }
    }
}

/// How a look-up compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Matching {
    Exact,
    Normalised,
}

/// How a match was made, the strictest way first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MatchKind {
    Exact,
    Normalised,
    WordOrder,
}

impl MatchKind {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Normalised => "normalised",
            Self::WordOrder => "word-order",
        }
    }
}

/// What a look-up found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hit {
    pub(crate) entry: u32,
    pub(crate) kind: MatchKind,
}

/// A list, ready for look-ups.
#[derive(Debug)]
pub struct List {
    named: Named,
    bytes: Vec<u8>,
    uids: Vec<Box<str>>,
    exact: HashTable<Key>,
    normal: HashTable<Key>,
}

/// One spelling and its entry.
#[derive(Debug)]
struct Key {
    text: Box<[u8]>,
    /// For normalised keys the words in the order of the list's name.
    plain: Box<[u8]>,
    entry: u32,
}

const HASH: FixedState = FixedState::with_seed(0x7061_7967_6f64);

/// Collects entries into a [`List`]; order and repetition do not matter.
#[derive(Debug)]
pub struct ListBuilder {
    name: Name,
    version: String,
    entries: BTreeMap<String, BTreeSet<String>>,
}

impl ListBuilder {
    /// Starts a list. `version` is the publisher's own (for the SDN list its publication date).
    #[must_use]
    pub fn new(name: Name, version: &str) -> Self {
        Self {
            name,
            version: version.to_owned(),
            entries: BTreeMap::new(),
        }
    }

    /// Adds one entry: the publisher's own identifier and all its names (principal and aliases). Names of
    /// one uid given twice are joined.
    pub fn entry<'a>(&mut self, uid: &str, names: impl IntoIterator<Item = &'a str>) {
        let known = self.entries.entry(uid.to_owned()).or_default();
        known.extend(names.into_iter().map(str::to_owned));
    }

    /// Finishes the list.
    ///
    /// # Errors
    /// [`ListError`] if a limit is passed, or a name or uid cannot stand in a list.
    pub fn build(self) -> Result<List, ListError> {
        check_text("a version", &self.version)?;
        if self.entries.len() > LIST_ENTRIES_MAX {
            let (found, allowed) = (self.entries.len(), LIST_ENTRIES_MAX);
            return Err(ListError::TooLarge {
                unit: "entries",
                found,
                allowed,
            });
        }
        for (uid, names) in &self.entries {
            check_text("a uid", uid)?;
            if names.is_empty() {
                return Err(ListError::Nameless { uid: uid.clone() });
            }
            for name in names {
                check_text("a name", name)?;
            }
        }
        let bytes = self.write();
        if bytes.len() > LIST_BYTES_MAX {
            let (found, allowed) = (bytes.len(), LIST_BYTES_MAX);
            return Err(ListError::TooLarge {
                unit: "bytes",
                found,
                allowed,
            });
        }
        let digest = Digest::sha256(&bytes);
        let named = Named {
            name: self.name,
            version: self.version,
            digest,
        };
        let mut list = List {
            named,
            bytes,
            uids: Vec::with_capacity(self.entries.len()),
            exact: HashTable::new(),
            normal: HashTable::new(),
        };
        let mut normaliser = Normaliser::default();
        for (uid, names) in self.entries {
            list.index(uid, names, &mut normaliser);
        }
        Ok(list)
    }

    fn write(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let count = self.entries.len();
        out.extend_from_slice(
            format!("{{\"entries\":{count},\"kind\":\"list\",\"name\":").as_bytes(),
        );
        write_string(self.name.as_str(), &mut out);
        out.extend_from_slice(b",\"v\":1,\"version\":");
        write_string(&self.version, &mut out);
        out.extend_from_slice(b"}\n");
        for (uid, names) in &self.entries {
            out.extend_from_slice(b"{\"names\":[");
            for (i, name) in names.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write_string(name, &mut out);
            }
            out.extend_from_slice(b"],\"uid\":");
            write_string(uid, &mut out);
            out.extend_from_slice(b"}\n");
        }
        out
    }
}

fn check_text(what: &'static str, text: &str) -> Result<(), ListError> {
    let fits = !text.is_empty()
        && text.len() <= LIST_NAME_BYTES_MAX
        && !text.chars().any(char::is_control);
    if fits {
        Ok(())
    } else {
        Err(ListError::Text {
            what,
            text: text.chars().take(64).collect(),
        })
    }
}

impl List {
    /// Reads the canonical bytes of a list.
    ///
    /// # Errors
    /// [`ListError`] with the line that is wrong.
    pub fn parse(bytes: &[u8]) -> Result<Self, ListError> {
        if bytes.len() > LIST_BYTES_MAX {
            let (found, allowed) = (bytes.len(), LIST_BYTES_MAX);
            return Err(ListError::TooLarge {
                unit: "bytes",
                found,
                allowed,
            });
        }
        let bad = |line: usize, reason: &'static str| ListError::NotCanonical { line, reason };
        let text = core::str::from_utf8(bytes).map_err(|_| bad(1, "not UTF-8"))?;
        let mut lines = text.split_inclusive('\n').enumerate();
        let header = lines.next().map(|(_, line)| line).unwrap_or_default();
        let header = Json::parse(header).map_err(|e| bad(1, e.reason))?;
        let member = |key: &str| header.get(key).and_then(Json::as_text);
        let name = member("name").and_then(|n| Name::parse(n).ok());
        let mut builder = match (name, member("version"), member("kind")) {
            (Some(name), Some(version), Some("list")) => ListBuilder::new(name, version),
            _ => return Err(bad(1, "the header lacks kind, name or version")),
        };
        for (index, line) in lines {
            let line_number = index + 1;
            let entry = Json::parse(line).map_err(|e| bad(line_number, e.reason))?;
            let (Some(uid), Some(Json::Array(names))) =
                (entry.get("uid").and_then(Json::as_text), entry.get("names"))
            else {
                return Err(bad(line_number, "an entry has names and a uid"));
            };
            builder.entry(uid, names.iter().filter_map(Json::as_text));
        }
        let list = builder.build()?;
        if list.bytes == bytes {
            return Ok(list);
        }
        let differing = list
            .bytes
            .split(|b| *b == b'\n')
            .zip(bytes.split(|b| *b == b'\n'));
        let line = differing.take_while(|(a, b)| a == b).count() + 1;
        Err(bad(
            line,
            "it is not sorted, not unique or not in canonical form",
        ))
    }

    fn index(&mut self, uid: String, names: BTreeSet<String>, normaliser: &mut Normaliser) {
        let Ok(entry) = u32::try_from(self.uids.len()) else {
            return;
        };
        self.uids.push(uid.into_boxed_str());
        for name in names {
            normaliser.normalise(&name);
            // A name without letters or digits would match every other such name.
            if !normaliser.plain().is_empty() {
                let (sorted, plain) = (normaliser.sorted(), normaliser.plain());
                insert(&mut self.normal, sorted, plain, entry);
                if normaliser.join() {
                    let (sorted, plain) = (normaliser.sorted(), normaliser.plain());
                    insert(&mut self.normal, sorted, plain, entry);
                }
            }
            insert(&mut self.exact, name.as_bytes(), &[], entry);
        }
    }

    /// Looks a name up as `in list(…)` does, normalised: the publisher's identifier of the entry that it
    /// hits, and how it matched. For people who ask; judging does not come this way.
    #[must_use]
    pub fn find_name(&self, name: &str) -> Option<(&str, &'static str)> {
        let hit = self.look_up(name, Matching::Normalised, &mut Normaliser::default())?;
        Some((self.uid(hit.entry), hit.kind.as_str()))
    }

    /// Looks a value up. Of several entries with the same spelling the first by uid is named.
    pub(crate) fn look_up(
        &self,
        value: &str,
        matching: Matching,
        normaliser: &mut Normaliser,
    ) -> Option<Hit> {
        if matching == Matching::Exact {
            let key = find(&self.exact, value.as_bytes())?;
            return Some(Hit {
                entry: key.entry,
                kind: MatchKind::Exact,
            });
        }
        normaliser.normalise(value);
        if normaliser.sorted().is_empty() {
            return None;
        }
        let key = match find(&self.normal, normaliser.sorted()) {
            None if normaliser.join() => find(&self.normal, normaliser.sorted()),
            found => found,
        }?;
        let kind = if find(&self.exact, value.as_bytes()).is_some_and(|e| e.entry == key.entry) {
            MatchKind::Exact
        } else if *key.plain == *normaliser.plain() {
            MatchKind::Normalised
        } else {
            MatchKind::WordOrder
        };
        Some(Hit {
            entry: key.entry,
            kind,
        })
    }

    /// Name, version, digest.
    #[must_use]
    pub const fn named(&self) -> &Named {
        &self.named
    }

    /// The canonical bytes, whose SHA-256 is the digest.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many entries it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.uids.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.uids.is_empty()
    }

    /// The publisher's identifier of an entry.
    pub(crate) fn uid(&self, entry: u32) -> &str {
        usize::try_from(entry)
            .ok()
            .and_then(|at| self.uids.get(at))
            .map_or("", |uid| uid)
    }
}

fn insert(table: &mut HashTable<Key>, text: &[u8], plain: &[u8], entry: u32) {
    let hash = HASH.hash_one(text);
    if table.find(hash, |key| *key.text == *text).is_none() {
        let key = Key {
            text: text.into(),
            plain: plain.into(),
            entry,
        };
        table.insert_unique(hash, key, |key| HASH.hash_one(&*key.text));
    }
}

fn find<'t>(table: &'t HashTable<Key>, text: &[u8]) -> Option<&'t Key> {
    table.find(HASH.hash_one(text), |key| *key.text == *text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> List {
        let mut builder = ListBuilder::new(Name::parse("ofac-sdn").unwrap(), "2026-11-20");
        builder.entry("36", ["AEROCARIBBEAN AIRLINES"]);
        builder.entry("2674", ["ZAYDAN, Muhammad", "*"]);
        builder.entry("36", ["AERO-CARIBBEAN"]);
        builder.build().unwrap()
    }

    #[test]
    fn the_canonical_file_reads_back_to_itself() {
        let list = sample();
        let again = List::parse(list.bytes()).unwrap();
        assert_eq!(again.named(), list.named());
        assert_eq!(
            String::from_utf8(list.bytes().to_vec()).unwrap(),
            "{\"entries\":2,\"kind\":\"list\",\"name\":\"ofac-sdn\",\"v\":1,\"version\":\"2026-11-20\"}\n\
             {\"names\":[\"*\",\"ZAYDAN, Muhammad\"],\"uid\":\"2674\"}\n\
             {\"names\":[\"AERO-CARIBBEAN\",\"AEROCARIBBEAN AIRLINES\"],\"uid\":\"36\"}\n"
        );
    }

    #[test]
    fn anything_but_the_canonical_bytes_is_refused() {
        let good = String::from_utf8(sample().bytes().to_vec()).unwrap();
        let lines: Vec<&str> = good.split_inclusive('\n').collect();
        let swapped = format!("{}{}{}", lines[0], lines[2], lines[1]);
        for bad in [
            swapped,
            good.trim_end().to_owned(),
            format!("{good}\n"),
            good.replace("\"entries\":2", "\"entries\":3"),
            good.replace("\"uid\":\"36\"", "\"uid\": \"36\""),
            good.replace("[\"*\",", "[\"*\",7,"),
            String::new(),
        ] {
            assert!(List::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn look_ups_say_how_they_matched() {
        let list = sample();
        let mut n = Normaliser::default();
        let mut look = |value, matching| list.look_up(value, matching, &mut n).map(|h| h.kind);
        assert_eq!(
            look("AERO-CARIBBEAN", Matching::Exact),
            Some(MatchKind::Exact)
        );
        assert_eq!(look("Aero Caribbean", Matching::Exact), None);
        assert_eq!(
            look("AERO-CARIBBEAN", Matching::Normalised),
            Some(MatchKind::Exact)
        );
        assert_eq!(
            look("Aero  caribbean", Matching::Normalised),
            Some(MatchKind::Normalised)
        );
        assert_eq!(
            look("Muhammad ZAYDÁN", Matching::Normalised),
            Some(MatchKind::WordOrder)
        );
        assert_eq!(look("***", Matching::Normalised), None);
        assert_eq!(look("", Matching::Normalised), None);
    }

    #[test]
    fn initials_match_with_and_without_dots_and_wherever_they_stand() {
        let mut builder = ListBuilder::new(Name::parse("made-up").unwrap(), "1");
        builder.entry(
            "1",
            ["Ferro S.p.A.", "SMITH, J.A.", "Banco Sur SA", "Müller AG"],
        );
        let list = builder.build().unwrap();
        for name in [
            "Ferro SpA",
            "FERRO S. P. A.",
            "Banco Sur S.A.",
            "Banco Sur S. A.",
            "Smith JA",
            "J Smith A",
            "A. Smith, J.",
            "Mueller A.G.",
        ] {
            assert!(list.find_name(name).is_some(), "{name}");
        }
        for name in ["Ferro Sp", "Banco S. Sur", "Smith", "J. Smith"] {
            assert!(list.find_name(name).is_none(), "{name}");
        }
    }
}
