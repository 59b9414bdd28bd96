//! A file as text: size, encoding, characters, and where an offset stands in it.

use quick_xml::Reader;
use quick_xml::events::Event;

use super::error::{ReadError, ReadFault, Spot};

/// Bytes of one file. A message of 16 MiB holds some 20,000 payments; larger ones come in parts.
pub const FILE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Turns offsets into lines and columns. Offsets are asked for in rising order, so a file is counted
/// once however many faults it has; an earlier offset answers with the place last counted.
#[derive(Debug)]
pub(super) struct Places<'x> {
    text: &'x str,
    offset: usize,
    line: u32,
    column: u32,
}

impl<'x> Places<'x> {
    pub(super) const fn new(text: &'x str) -> Self {
        Self {
            text,
            offset: 0,
            line: 1,
            column: 1,
        }
    }

    /// Bytes of the text.
    pub(super) const fn text_bytes(&self) -> usize {
        self.text.len()
    }

    /// Line and column of an offset, both from 1.
    pub(super) fn locate(&mut self, offset: usize) -> (u32, u32) {
        let offset = offset.min(self.text.len());
        if let Some(passed) = self.text.get(self.offset..offset) {
            for character in passed.chars() {
                if character == '\n' {
                    self.line = self.line.saturating_add(1);
                    self.column = 1;
                } else {
                    self.column = self.column.saturating_add(1);
                }
            }
            self.offset = offset;
        }
        (self.line, self.column)
    }
}

/// The text of a file: size, byte order mark, UTF-8 and allowed characters checked.
///
/// # Errors
/// The file is too large, not UTF-8, or holds a character XML 1.0 does not allow (section 2.2).
pub(super) fn document_text(bytes: &[u8]) -> Result<&str, ReadError> {
    let refuse = |fault, text: &str, offset| {
        let (line, column) = Places::new(text).locate(offset);
        Err(ReadError {
            at: Spot {
                line,
                column,
                path: String::new(),
            },
            fault,
        })
    };
    if bytes.len() > FILE_BYTES_MAX {
        return refuse(
            ReadFault::TooLarge {
                found_bytes: bytes.len(),
                bytes_max: FILE_BYTES_MAX,
            },
            "",
            0,
        );
    }
    // Two- and four-byte encodings show in the first bytes: by their mark, or by zeros beside `<`.
    let marked = match bytes {
        [0xFF, 0xFE, 0, 0, ..]
        | [0, 0, 0xFE, 0xFF, ..]
        | [b'<', 0, 0, 0, ..]
        | [0, 0, 0, b'<', ..] => Some("UTF-32"),
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] | [b'<', 0, ..] | [0, b'<', ..] => Some("UTF-16"),
        _ => None,
    };
    if let Some(found) = marked {
        return refuse(
            ReadFault::Encoding {
                found: found.into(),
            },
            "",
            0,
        );
    }
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => return refuse_not_utf8(bytes, error.valid_up_to()),
    };
    match text
        .char_indices()
        .find(|&(_, character)| !is_xml_char(character))
    {
        Some((offset, character)) => refuse(
            ReadFault::Character {
                codepoint: u32::from(character),
            },
            text,
            offset,
        ),
        None => Ok(text),
    }
}

/// A file in Latin-1 says so in its declaration, which is ASCII: name that encoding rather than a byte.
fn refuse_not_utf8(bytes: &[u8], offset: usize) -> Result<&str, ReadError> {
    let valid = bytes
        .get(..offset)
        .and_then(|head| std::str::from_utf8(head).ok())
        .unwrap_or_default();
    let declared = match Reader::from_str(valid).read_event() {
        Ok(Event::Decl(declaration)) => declaration
            .encoding()
            .and_then(Result::ok)
            .map(|name| shorten(&name)),
        _ => None,
    };
    let fault = match declared.filter(|name| !is_utf8_name(name)) {
        Some(found) => ReadFault::Encoding { found },
        None => ReadFault::NotUtf8 { offset },
    };
    let (line, column) = Places::new(valid).locate(offset);
    Err(ReadError {
        at: Spot {
            line,
            column,
            path: String::new(),
        },
        fault,
    })
}

pub(super) fn is_utf8_name(name: &str) -> bool {
    // US-ASCII is a subset of UTF-8, so its bytes read the same.
    ["utf-8", "utf8", "us-ascii", "ascii"]
        .iter()
        .any(|known| name.eq_ignore_ascii_case(known))
}

/// XML 1.0, section 2.2, production 2.
pub(super) fn is_xml_char(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

/// A value for a message: whole if it is as short as a code or an amount, else its first four characters. Where a code should
/// stand, anything may: a name, an account number.
pub(super) fn shown(value: &str) -> String {
    const CHARS_MAX: usize = 14;
    let is_code = value.chars().count() <= CHARS_MAX && !value.contains(char::is_whitespace);
    if is_code {
        return value.to_owned();
    }
    value.chars().take(4).chain(['…']).collect()
}

/// Shortens what is no value, such as the name of an element, for a message.
pub(super) fn shorten(value: &str) -> String {
    const CHARS_MAX: usize = 80;
    let mut short: String = value.chars().take(CHARS_MAX).collect();
    if short.len() < value.len() {
        short.push('…');
    }
    short
}
