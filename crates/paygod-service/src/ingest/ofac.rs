//! The US Treasury's list of Specially Designated Nationals, as OFAC publishes it: `sdn.csv` with one
//! party a line and `alt.csv` with their other names.
//!
//! The format ("Specification for the legacy flat files"): comma-separated, no header, texts in double
//! quotes, `-0-` for nothing, ended by one byte 0x1A. A line that does not follow it refuses the whole
//! list: a list with holes in it would let through whom it should stop.
//!
//! It keeps names, kind and programmes. It leaves out what screening by name does not use: titles, vessel
//! data, remarks and the weak names in them.

use std::borrow::Cow;
use std::collections::HashMap;

use paygod_policy::{List, ListBuilder, ListError};
use paygod_types::{Code, Name, code};
use thiserror::Error;

/// Bytes of one file; the whole list has 2 MB.
pub const FILE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Bytes of one field. Remarks, the longest, end at 1,000 in the published files.
const FIELD_BYTES_MAX: usize = 4_096;
/// Parties of one list; the published list has some 20,000.
const PARTIES_MAX: usize = 200_000;
/// Other names, of all parties together.
const ALIASES_MAX: usize = 1_000_000;
/// Fields of a line of `sdn.csv`.
const PARTY_FIELDS: usize = 12;
/// Fields of a line of `alt.csv`.
const ALIAS_FIELDS: usize = 5;

/// Why the list was refused, and where.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{file}, line {line}: {fault}; fetch both files again, of one edition")]
pub struct OfacError {
    /// `sdn.csv` or `alt.csv`.
    pub file: &'static str,
    /// Line, from 1.
    pub line: u64,
    /// What was wrong.
    pub fault: OfacFault,
}

/// Why the list was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OfacFault {
    /// More than is read.
    #[error("more than the {allowed} {what} allowed")]
    Limit {
        /// What was counted.
        what: &'static str,
        /// The bound.
        allowed: usize,
    },
    /// Another number of fields.
    #[error("{found} fields where the format has {expected}")]
    Fields {
        /// Fields found.
        found: usize,
        /// Fields of the format.
        expected: usize,
    },
    /// A line that is not UTF-8.
    #[error("the line is not UTF-8")]
    Text,
    /// An identifier that is no number.
    #[error("`{found}` is not an entity number")]
    Uid {
        /// What was found.
        found: String,
    },
    /// A kind that the format does not know.
    #[error("`{found}` is not a kind of party")]
    Kind {
        /// What was found.
        found: String,
    },
    /// No name.
    #[error("the name is missing")]
    Nameless,
    /// An entity number that stands twice.
    #[error("entity {uid} stands twice")]
    Repeated {
        /// The entity number.
        uid: u32,
    },
    /// A name for a party that `sdn.csv` has not.
    #[error("entity {uid} is not in sdn.csv")]
    Unknown {
        /// The entity number.
        uid: u32,
    },
    /// A quoted text that is not closed, or text after its closing quote.
    #[error("the line is not comma-separated text")]
    Malformed,
    /// It has not the end that its publisher gives it.
    #[error(
        "the file does not end with the byte 0x1A, so it is not whole; fetch it again as it is published"
    )]
    Cut,
    /// Nothing in it.
    #[error("the file holds no party")]
    Empty,
}

impl OfacError {
    /// The permanent code of this error.
    #[must_use]
    pub fn code(&self) -> Code {
        match self.fault {
            OfacFault::Limit { .. } => code::INGEST_LIMIT,
            _ => code::INGEST_LIST,
        }
    }
}

/// What kind of party an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PartyKind {
    /// A person.
    Individual,
    /// A company, bank, organisation; the files leave its kind empty.
    Entity,
    /// A ship.
    Vessel,
    /// An aircraft.
    Aircraft,
}

/// One party of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedParty {
    /// OFAC's entity number.
    pub uid: u32,
    /// Primary name, as published: `SURNAME, First` for individuals.
    pub name: String,
    /// What kind of party it is.
    pub kind: PartyKind,
    /// The sanctions programmes it is listed under.
    pub programmes: Vec<String>,
    /// Its other names, in the order of `alt.csv`.
    pub aliases: Vec<String>,
}

/// The list, in the order of `sdn.csv`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SdnList {
    /// Its parties.
    pub parties: Vec<ListedParty>,
}

/// Reads both files; without the second one no other names are known.
///
/// # Errors
/// A file is too large or not whole, or a line does not follow the published format.
pub fn read(sdn_csv: &[u8], alt_csv: Option<&[u8]>) -> Result<SdnList, OfacError> {
    let mut parties = Vec::new();
    let mut index_by_uid = HashMap::new();
    each_record("sdn.csv", sdn_csv, PARTY_FIELDS, |record| {
        let party = party(record)?;
        if parties.len() >= PARTIES_MAX {
            return Err(OfacFault::Limit {
                what: "parties",
                allowed: PARTIES_MAX,
            });
        }
        if index_by_uid.insert(party.uid, parties.len()).is_some() {
            return Err(OfacFault::Repeated { uid: party.uid });
        }
        parties.push(party);
        Ok(())
    })?;
    if parties.is_empty() {
        return Err(OfacError {
            file: "sdn.csv",
            line: 1,
            fault: OfacFault::Empty,
        });
    }
    let mut aliases: usize = 0;
    let Some(alt_csv) = alt_csv else {
        return Ok(SdnList { parties });
    };
    each_record("alt.csv", alt_csv, ALIAS_FIELDS, |record| {
        let uid = uid(record)?;
        let name = text(record, 3).ok_or(OfacFault::Nameless)?;
        let party = index_by_uid
            .get(&uid)
            .and_then(|&index| parties.get_mut(index));
        let party: &mut ListedParty = party.ok_or(OfacFault::Unknown { uid })?;
        if aliases >= ALIASES_MAX {
            return Err(OfacFault::Limit {
                what: "other names",
                allowed: ALIASES_MAX,
            });
        }
        aliases = aliases.saturating_add(1);
        party.aliases.push(name.to_owned());
        Ok(())
    })?;
    Ok(SdnList { parties })
}

impl SdnList {
    /// The list in the form packs look names up in. `version` is the edition, such as its publication date.
    ///
    /// # Errors
    /// A name or the version cannot stand in a list.
    pub fn to_list(&self, name: Name, version: &str) -> Result<List, ListError> {
        let mut list = ListBuilder::new(name, version);
        for party in &self.parties {
            let names = std::iter::once(&party.name)
                .chain(&party.aliases)
                .map(String::as_str);
            list.entry(&party.uid.to_string(), names);
        }
        list.build()
    }
}

/// The fields of one line, without the quotes round them.
type Record<'a> = [Cow<'a, str>];

fn each_record(
    file: &'static str,
    bytes: &[u8],
    fields_due: usize,
    mut take: impl FnMut(&Record<'_>) -> Result<(), OfacFault>,
) -> Result<(), OfacError> {
    if bytes.len() > FILE_BYTES_MAX {
        let fault = OfacFault::Limit {
            what: "bytes",
            allowed: FILE_BYTES_MAX,
        };
        return Err(OfacError {
            file,
            line: 1,
            fault,
        });
    }
    let whole = bytes.trim_ascii_end().strip_suffix(b"\x1A");
    let bytes = whole.ok_or_else(|| OfacError {
        file,
        line: bytes
            .split(|byte| *byte == b'\n')
            .count()
            .try_into()
            .unwrap_or(u64::MAX),
        fault: OfacFault::Cut,
    })?;
    let mut record = Vec::with_capacity(PARTY_FIELDS);
    for (line, number) in bytes.split(|&byte| byte == b'\n').zip(1_u64..) {
        if line.trim_ascii().is_empty() {
            continue;
        }
        record.clear();
        let outcome = split(line, &mut record).and_then(|()| {
            if record.len() != fields_due {
                return Err(OfacFault::Fields {
                    found: record.len(),
                    expected: fields_due,
                });
            }
            take(&record)
        });
        outcome.map_err(|fault| OfacError {
            file,
            line: number,
            fault,
        })?;
    }
    Ok(())
}

/// Takes a line apart at its commas, those inside double quotes excepted (RFC 4180; no field of the
/// format holds a line end).
fn split<'a>(line: &'a [u8], record: &mut Vec<Cow<'a, str>>) -> Result<(), OfacFault> {
    let mut rest = Some(
        std::str::from_utf8(line)
            .map_err(|_| OfacFault::Text)?
            .trim_end(),
    );
    while let Some(text) = rest {
        let (field, after) = match text.strip_prefix('"') {
            Some(quoted) => quoted_field(quoted)?,
            None => match text.split_once(',') {
                Some((field, after)) => (Cow::Borrowed(field), Some(after)),
                None => (Cow::Borrowed(text), None),
            },
        };
        if field.len() > FIELD_BYTES_MAX {
            return Err(OfacFault::Limit {
                what: "bytes of one field",
                allowed: FIELD_BYTES_MAX,
            });
        }
        if record.len() > PARTY_FIELDS {
            return Err(OfacFault::Limit {
                what: "fields of one line",
                allowed: PARTY_FIELDS,
            });
        }
        record.push(field);
        rest = after;
    }
    Ok(())
}

/// The text after an opening quote, and what follows its comma; two quotes stand for one.
fn quoted_field(text: &str) -> Result<(Cow<'_, str>, Option<&str>), OfacFault> {
    let mut field: Cow<'_, str> = Cow::Borrowed("");
    let mut rest = text;
    loop {
        let (part, after) = rest.split_once('"').ok_or(OfacFault::Malformed)?;
        if field.is_empty() {
            field = Cow::Borrowed(part);
        } else {
            field.to_mut().push_str(part);
        }
        if let Some(again) = after.strip_prefix('"') {
            field.to_mut().push('"');
            rest = again;
            continue;
        }
        return match (after.trim_start().is_empty(), after.split_once(',')) {
            (true, _) => Ok((field, None)),
            (false, Some((blank, next))) if blank.trim().is_empty() => Ok((field, Some(next))),
            _ => Err(OfacFault::Malformed),
        };
    }
}

fn party(record: &Record<'_>) -> Result<ListedParty, OfacFault> {
    let kind = match text(record, 2) {
        None => PartyKind::Entity,
        Some("individual") => PartyKind::Individual,
        Some("vessel") => PartyKind::Vessel,
        Some("aircraft") => PartyKind::Aircraft,
        Some(other) => {
            return Err(OfacFault::Kind {
                found: other.chars().take(40).collect(),
            });
        }
    };
    let programmes = text(record, 3).unwrap_or_default();
    Ok(ListedParty {
        uid: uid(record)?,
        name: text(record, 1).ok_or(OfacFault::Nameless)?.to_owned(),
        kind,
        programmes: programmes
            .split("] [")
            .map(|name| name.trim_matches(['[', ']', ' ']).to_owned())
            .collect(),
        aliases: Vec::new(),
    })
}

fn uid(record: &Record<'_>) -> Result<u32, OfacFault> {
    let found = text(record, 0).unwrap_or_default();
    let digits = found.bytes().all(|byte| byte.is_ascii_digit());
    let read = found.parse().ok().filter(|_| digits);
    read.ok_or_else(|| OfacFault::Uid {
        found: found.chars().take(40).collect(),
    })
}

/// A field without the blanks round it; `None` for the format's `-0-`.
fn text<'a>(record: &'a Record<'_>, index: usize) -> Option<&'a str> {
    let text = record.get(index).map_or("", |field| field.trim());
    Some(text).filter(|text| !text.is_empty() && *text != "-0-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SDN: &[u8] = include_bytes!("../../../../examples/lists/ofac/sdn.csv");
    const ALT: &[u8] = include_bytes!("../../../../examples/lists/ofac/alt.csv");

    const SDN_LINES: &str = "36,\"AEROCARIBBEAN AIRLINES\",-0- ,\"CUBA\",-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,-0- \r\n\
        4632,\"BANK MARKAZI JOMHOURI ISLAMI IRAN\",-0- ,\"IRAN] [SDGT\",-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,\"a, b\"\r\n\x1a";
    const ALT_LINES: &str = "36,12,\"aka\",\"AERO-CARIBBEAN\",-0- \r\n\x1a";

    #[test]
    fn the_published_files_read_whole() {
        let list = read(SDN, Some(ALT)).unwrap();
        let of_kind = |kind| {
            list.parties
                .iter()
                .filter(|party| party.kind == kind)
                .count()
        };
        assert_eq!(list.parties.len(), 8_976);
        assert_eq!(of_kind(PartyKind::Individual), 4_620);
        assert_eq!(of_kind(PartyKind::Entity), 3_673);
        assert_eq!(of_kind(PartyKind::Vessel), 406);
        assert_eq!(of_kind(PartyKind::Aircraft), 277);
        assert_eq!(
            list.parties
                .iter()
                .map(|party| party.aliases.len())
                .sum::<usize>(),
            11_910
        );
        let first = &list.parties[0];
        assert_eq!(
            (first.uid, first.name.as_str()),
            (36, "AEROCARIBBEAN AIRLINES")
        );
        assert_eq!(first.aliases, ["AERO-CARIBBEAN"]);
    }

    #[test]
    fn the_published_files_make_a_list_that_packs_read() {
        let made = read(SDN, Some(ALT))
            .unwrap()
            .to_list(Name::parse("ofac-sdn").unwrap(), "2020")
            .unwrap();
        let lines = made.bytes().iter().filter(|&&byte| byte == b'\n').count();
        assert_eq!(lines, 8_977, "a header and a line for each party");
        assert_eq!(List::parse(made.bytes()).unwrap().named(), made.named());
    }

    #[test]
    fn programmes_come_apart() {
        let list = read(SDN_LINES.as_bytes(), Some(ALT_LINES.as_bytes())).unwrap();
        assert_eq!(list.parties[1].programmes, ["IRAN", "SDGT"]);
        assert_eq!(list.parties[1].kind, PartyKind::Entity);
    }

    #[test]
    fn a_line_that_does_not_follow_the_format_refuses_the_list() {
        let sdn = |from: &str, to: &str| {
            read(
                SDN_LINES.replace(from, to).as_bytes(),
                Some(ALT_LINES.as_bytes()),
            )
        };
        let alt = |from: &str, to: &str| {
            read(
                SDN_LINES.as_bytes(),
                Some(ALT_LINES.replace(from, to).as_bytes()),
            )
        };
        let rows = [
            (
                sdn("4632,", "4632"),
                2,
                OfacFault::Fields {
                    found: 11,
                    expected: 12,
                },
            ),
            (
                sdn("4632,", "x4632,"),
                2,
                OfacFault::Uid {
                    found: "x4632".into(),
                },
            ),
            (sdn("4632,", "36,"), 2, OfacFault::Repeated { uid: 36 }),
            (
                sdn("\"AEROCARIBBEAN AIRLINES\"", "-0- "),
                1,
                OfacFault::Nameless,
            ),
            (
                sdn("-0- ,\"IRAN", "rocket,\"IRAN"),
                2,
                OfacFault::Kind {
                    found: "rocket".into(),
                },
            ),
            (
                sdn("\"AEROCARIBBEAN AIRLINES\"", "\"AEROCARIBBEAN AIRLINES"),
                1,
                OfacFault::Malformed,
            ),
            (alt("36,12", "37,12"), 1, OfacFault::Unknown { uid: 37 }),
            (alt("\"AERO-CARIBBEAN\"", "-0- "), 1, OfacFault::Nameless),
        ];
        for (outcome, line, fault) in rows {
            let error = outcome.unwrap_err();
            assert_eq!((error.line, &error.fault), (line, &fault), "{error}");
        }
        assert_eq!(read(b"\x1a", None).unwrap_err().fault, OfacFault::Empty);
    }

    #[test]
    fn a_file_without_its_end_refuses_the_list() {
        let cut = |text: &str| text.lines().next().unwrap().as_bytes().to_vec();
        let error = read(&cut(SDN_LINES), None).unwrap_err();
        assert_eq!((error.file, error.fault), ("sdn.csv", OfacFault::Cut));
        for alt in [cut(ALT_LINES), Vec::new()] {
            let error = read(SDN_LINES.as_bytes(), Some(&alt)).unwrap_err();
            assert_eq!((error.file, error.fault), ("alt.csv", OfacFault::Cut));
        }
    }

    #[test]
    fn quotes_and_commas_come_apart() {
        let fields = |line: &'static str| {
            let mut record = Vec::new();
            split(line.as_bytes(), &mut record).map(|()| record.join("|"))
        };
        assert_eq!(
            fields("1,\"a, b\",-0- ,\"\",x\r").unwrap(),
            "1|a, b|-0- ||x"
        );
        assert_eq!(
            fields("\"say \"\"no\"\"\" ,\"\"\"\"").unwrap(),
            "say \"no\"|\""
        );
        assert_eq!(fields("a,").unwrap(), "a|");
        assert_eq!(fields("\"a\"b,c"), Err(OfacFault::Malformed));
        assert_eq!(fields("\"a"), Err(OfacFault::Malformed));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn damaged_lists_never_panic(at in 0_usize..400, byte: u8, cut in 0_usize..400) {
            let mut bytes = SDN_LINES.as_bytes().to_vec();
            if let Some(slot) = bytes.get_mut(at) { *slot = byte; }
            let _ = read(&bytes, Some(ALT_LINES.as_bytes()));
            bytes.truncate(cut);
            let _ = read(SDN_LINES.as_bytes(), Some(&bytes));
        }
    }
}
