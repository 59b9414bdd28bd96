//! A small strict JSON reader: a cursor for one-pass readers, and a tree for schemas and test inputs.
//!
//! Accepts exactly RFC 8259 (not only canonical bytes), with nesting bounded by
//! [`JSON_DEPTH_MAX`](crate::limits::JSON_DEPTH_MAX). The tree refuses duplicate keys and keeps numbers as
//! text, so that nothing is rounded. Writing is limited to canonical strings (RFC 8785 section 3.2.2.2).

use crate::decimal::Decimal;
use crate::limits::JSON_DEPTH_MAX;

/// What is wrong with a JSON text, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct JsonError {
    pub(crate) offset: usize,
    pub(crate) reason: &'static str,
}

/// Where a string lies, quotes excluded, and whether it holds escapes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawString {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) escaped: bool,
}

/// Reads a JSON text from front to back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self {
            text,
            bytes: text.as_bytes(),
            at: 0,
        }
    }

    pub(crate) const fn error(&self, reason: &'static str) -> JsonError {
        JsonError {
            offset: self.at,
            reason,
        }
    }

    /// The next byte that is not white space, not consumed.
    #[inline]
    pub(crate) fn peek(&mut self) -> Option<u8> {
        loop {
            match self.bytes.get(self.at) {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.at += 1,
                other => return other.copied(),
            }
        }
    }

    /// Consumes `byte` if it is next.
    #[inline]
    pub(crate) fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        if found {
            self.at += 1;
        }
        found
    }

    /// Consumes `text` if it is next, white space not passed over, and tells where it began.
    #[inline]
    pub(crate) fn eat_text(&mut self, text: &[u8]) -> Option<usize> {
        let start = self.at;
        let end = start.checked_add(text.len())?;
        let found = same(self.bytes.get(start..end)?, text);
        self.at = if found { end } else { start };
        found.then_some(start)
    }

    #[inline]
    pub(crate) fn expect(&mut self, byte: u8, reason: &'static str) -> Result<(), JsonError> {
        if self.eat(byte) {
            Ok(())
        } else {
            Err(self.error(reason))
        }
    }

    /// Demands that nothing but white space is left.
    pub(crate) fn finish(&mut self) -> Result<(), JsonError> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.error("something follows the document")),
        }
    }

    /// The text between two offsets.
    #[inline]
    pub(crate) fn slice(&self, start: usize, end: usize) -> &'a str {
        self.text.get(start..end).unwrap_or_default()
    }

    /// Reads a string without decoding it; escapes are checked when decoded.
    #[inline]
    pub(crate) fn string(&mut self) -> Result<RawString, JsonError> {
        self.expect(b'"', "a string is expected")?;
        let start = self.at;
        let mut escaped = false;
        loop {
            self.at += plain_bytes(self.bytes, self.at);
            match self.bytes.get(self.at) {
                Some(b'"') => {
                    let raw = RawString {
                        start,
                        end: self.at,
                        escaped,
                    };
                    self.at += 1;
                    return Ok(raw);
                }
                Some(b'\\') => {
                    escaped = true;
                    self.at += 2;
                }
                Some(0..=0x1f) => return Err(self.error("a control character stands in a string")),
                Some(_) => self.at += 1,
                None => return Err(self.error("a string does not end")),
            }
        }
    }

    /// Where the next value's characters begin and end, if it is a string without escapes; else nothing is consumed
    /// but white space.
    #[inline]
    pub(crate) fn plain_string(&mut self) -> Option<(usize, usize)> {
        if self.peek() != Some(b'"') {
            return None;
        }
        let start = self.at + 1;
        let mut end = start;
        loop {
            end += plain_bytes(self.bytes, end);
            match self.bytes.get(end) {
                Some(b'"') => break,
                // Beyond the last whole word.
                Some(0x20..=0x5b | 0x5d..) => end += 1,
                _ => return None,
            }
        }
        self.at = end + 1;
        Some((start, end))
    }

    /// Appends the characters of a string to `out`.
    pub(crate) fn decode(&self, raw: RawString, out: &mut String) -> Result<(), JsonError> {
        let mut rest = self.slice(raw.start, raw.end);
        let fail = |reason| JsonError {
            offset: raw.start,
            reason,
        };
        while let Some((plain, escape)) = rest.split_once('\\') {
            out.push_str(plain);
            let mut chars = escape.chars();
            let simple = match chars.next() {
                Some('"') => '"',
                Some('\\') => '\\',
                Some('/') => '/',
                Some('b') => '\u{8}',
                Some('f') => '\u{c}',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('t') => '\t',
                Some('u') => {
                    let (decoded, used) =
                        unicode_escape(escape).ok_or_else(|| fail("an escape is wrong"))?;
                    out.push(decoded);
                    rest = escape.get(used..).unwrap_or_default();
                    continue;
                }
                _ => return Err(fail("an escape is wrong")),
            };
            out.push(simple);
            rest = chars.as_str();
        }
        out.push_str(rest);
        Ok(())
    }

    /// Reads a number of at most 18 digits without an exponent; `None`, with nothing consumed, if the next
    /// value is no such number.
    #[inline]
    pub(crate) fn small_number(&mut self) -> Option<Decimal> {
        let start = self.at;
        let found = self.small_number_here();
        if found.is_none() {
            self.at = start;
        }
        found
    }

    #[inline]
    fn small_number_here(&mut self) -> Option<Decimal> {
        let negative = self.bytes.get(self.at) == Some(&b'-');
        self.at += usize::from(negative);
        let first = self.at;
        let mut value = 0_i64;
        self.digits(&mut value);
        let whole = self.at - first;
        if whole == 0 || whole > 1 && self.bytes.get(first) == Some(&b'0') {
            return None;
        }
        let mut scale = 0;
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            let point = self.at;
            self.digits(&mut value);
            scale = self.at - point;
            if scale == 0 {
                return None;
            }
        }
        if whole + scale > 18 || matches!(self.bytes.get(self.at), Some(b'e' | b'E')) {
            return None;
        }
        let scale = u8::try_from(scale).ok()?;
        Some(Decimal::small(if negative { -value } else { value }, scale))
    }

    /// Reads digits onto a value, which wraps beyond 18 of them.
    #[inline]
    fn digits(&mut self, value: &mut i64) {
        while let Some(digit) = self.bytes.get(self.at).map(|b| b.wrapping_sub(b'0'))
            && digit < 10
        {
            *value = value.wrapping_mul(10).wrapping_add(i64::from(digit));
            self.at += 1;
        }
    }

    /// Reads a number's text.
    #[inline]
    pub(crate) fn number(&mut self) -> Result<&'a str, JsonError> {
        let _ = self.peek();
        let start = self.at;
        while let Some(b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E') = self.bytes.get(self.at) {
            self.at += 1;
        }
        let text = self.slice(start, self.at);
        if is_number(text) {
            Ok(text)
        } else {
            Err(JsonError {
                offset: start,
                reason: "a value is expected",
            })
        }
    }

    /// Consumes a literal such as `true`.
    pub(crate) fn literal(&mut self, word: &'static str) -> Result<(), JsonError> {
        let _ = self.peek();
        let end = self.at.saturating_add(word.len());
        if self.bytes.get(self.at..end) == Some(word.as_bytes()) {
            self.at = end;
            Ok(())
        } else {
            Err(self.error("a value is expected"))
        }
    }

    /// Passes over one value, checking its form. Does not look for duplicate keys.
    pub(crate) fn skip(&mut self, depth: usize) -> Result<(), JsonError> {
        if depth > JSON_DEPTH_MAX {
            return Err(self.error("the document nests too deep"));
        }
        match self.peek() {
            Some(b'"') => {
                let raw = self.string()?;
                if raw.escaped {
                    self.decode(raw, &mut String::new())?;
                }
                Ok(())
            }
            Some(b'{') => {
                self.at += 1;
                if self.eat(b'}') {
                    return Ok(());
                }
                loop {
                    self.string()?;
                    self.expect(b':', "a colon is expected")?;
                    self.skip(depth + 1)?;
                    if !self.eat(b',') {
                        return self.expect(b'}', "a comma or a closing brace is expected");
                    }
                }
            }
            Some(b'[') => {
                self.at += 1;
                if self.eat(b']') {
                    return Ok(());
                }
                loop {
                    self.skip(depth + 1)?;
                    if !self.eat(b',') {
                        return self.expect(b']', "a comma or a closing bracket is expected");
                    }
                }
            }
            Some(b't') => self.literal("true"),
            Some(b'f') => self.literal("false"),
            Some(b'n') => self.literal("null"),
            _ => self.number().map(|_| ()),
        }
    }
}

/// Whether two texts of one length, most of them short, are the same: by words, which beats a call.
#[inline]
fn same(left: &[u8], right: &[u8]) -> bool {
    let (Some(a), Some(b)) = (left.last_chunk::<8>(), right.last_chunk::<8>()) else {
        return left == right;
    };
    if a != b {
        return false;
    }
    let mut rest = (left, right);
    while let (Some((a, left)), Some((b, right))) = (
        rest.0.split_first_chunk::<8>(),
        rest.1.split_first_chunk::<8>(),
    ) {
        if a != b {
            return false;
        }
        rest = (left, right);
    }
    true
}

/// How many bytes from `at` on are neither quote, backslash nor control character, as far as whole words of 8
/// tell.
#[inline]
fn plain_bytes(bytes: &[u8], at: usize) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let mut passed = 0;
    while let Some(chunk) = bytes.get(at + passed..).and_then(<[u8]>::first_chunk::<8>) {
        let word = u64::from_le_bytes(*chunk);
        // A byte is zero where the subtraction borrows into its high bit and that bit was not set before.
        let zero = |word: u64| word.wrapping_sub(ONES) & !word & HIGHS;
        let control = word.wrapping_sub(ONES * 0x20) & !word & HIGHS;
        let found = control | zero(word ^ (ONES * 0x22)) | zero(word ^ (ONES * 0x5c));
        if found != 0 {
            // The lowest mark is true; a borrow can set only those above it.
            return passed + usize::try_from(found.trailing_zeros() / 8).unwrap_or(0);
        }
        passed += 8;
    }
    passed
}

/// Decodes `uXXXX` (and a following low surrogate), telling the bytes used.
fn unicode_escape(escape: &str) -> Option<(char, usize)> {
    let unit = |from: usize| {
        let digits = escape.get(from..from + 4)?;
        let hex = digits.bytes().all(|b| b.is_ascii_hexdigit());
        if hex {
            u32::from_str_radix(digits, 16).ok()
        } else {
            None
        }
    };
    let high = unit(1)?;
    if !(0xd800..0xdc00).contains(&high) {
        return Some((char::from_u32(high)?, 5));
    }
    if escape.get(5..7) != Some("\\u") {
        return None;
    }
    let low = unit(7)?;
    if !(0xdc00..0xe000).contains(&low) {
        return None;
    }
    let scalar = 0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00);
    Some((char::from_u32(scalar)?, 11))
}

fn is_number(text: &str) -> bool {
    let body = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match body.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (body, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
    digits(whole)
        && (whole.len() == 1 || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(|e| digits(e.strip_prefix(['+', '-']).unwrap_or(e)))
}

/// A JSON value, in the order written, numbers as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    pub(crate) fn parse(text: &str) -> Result<Self, JsonError> {
        let mut cursor = Cursor::new(text);
        let value = Self::read(&mut cursor, 0)?;
        cursor.finish()?;
        Ok(value)
    }

    fn read(cursor: &mut Cursor<'_>, depth: usize) -> Result<Self, JsonError> {
        if depth > JSON_DEPTH_MAX {
            return Err(cursor.error("the document nests too deep"));
        }
        match cursor.peek() {
            Some(b'{') => Self::read_object(cursor, depth),
            Some(b'[') => Self::read_array(cursor, depth),
            Some(b'"') => {
                let raw = cursor.string()?;
                let mut text = String::new();
                cursor.decode(raw, &mut text)?;
                Ok(Self::Text(text))
            }
            Some(b't') => cursor.literal("true").map(|()| Self::Bool(true)),
            Some(b'f') => cursor.literal("false").map(|()| Self::Bool(false)),
            Some(b'n') => cursor.literal("null").map(|()| Self::Null),
            _ => cursor.number().map(|n| Self::Number(n.to_owned())),
        }
    }

    fn read_object(cursor: &mut Cursor<'_>, depth: usize) -> Result<Self, JsonError> {
        let mut members: Vec<(String, Self)> = Vec::new();
        cursor.expect(b'{', "an object is expected")?;
        if cursor.eat(b'}') {
            return Ok(Self::Object(members));
        }
        loop {
            let raw = cursor.string()?;
            let mut key = String::new();
            cursor.decode(raw, &mut key)?;
            if members.iter().any(|(known, _)| *known == key) {
                return Err(JsonError {
                    offset: raw.start,
                    reason: "a key stands twice",
                });
            }
            cursor.expect(b':', "a colon is expected")?;
            members.push((key, Self::read(cursor, depth + 1)?));
            if !cursor.eat(b',') {
                cursor.expect(b'}', "a comma or a closing brace is expected")?;
                return Ok(Self::Object(members));
            }
        }
    }

    fn read_array(cursor: &mut Cursor<'_>, depth: usize) -> Result<Self, JsonError> {
        let mut items = Vec::new();
        cursor.expect(b'[', "an array is expected")?;
        if cursor.eat(b']') {
            return Ok(Self::Array(items));
        }
        loop {
            items.push(Self::read(cursor, depth + 1)?);
            if !cursor.eat(b',') {
                cursor.expect(b']', "a comma or a closing bracket is expected")?;
                return Ok(Self::Array(items));
            }
        }
    }

    /// The member of that name, if this is an object that has it.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => members.iter().find(|(k, _)| k == key).map(|(_, v)| v),
            _ => None,
        }
    }

    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The value as a document to judge: an array, which has no name of its own to be read by, becomes the
    /// `items` of an object.
    pub(crate) fn into_document(self) -> Self {
        match self {
            array @ Self::Array(_) => Self::Object(vec![("items".to_owned(), array)]),
            other => other,
        }
    }

    /// What kind of value this is, for messages.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "a string",
            Self::Array(_) => "an array",
            Self::Object(_) => "an object",
        }
    }

    /// Writes the value with object members sorted by UTF-16 code units. Canonical but for numbers,
    /// which are written as they were spelt.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Null => out.extend_from_slice(b"null"),
            Self::Bool(true) => out.extend_from_slice(b"true"),
            Self::Bool(false) => out.extend_from_slice(b"false"),
            Self::Number(text) => out.extend_from_slice(text.as_bytes()),
            Self::Text(text) => write_string(text, out),
            Self::Array(items) => {
                out.push(b'[');
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        out.push(b',');
                    }
                    item.write(out);
                }
                out.push(b']');
            }
            Self::Object(members) => {
                let mut sorted: Vec<&(String, Self)> = members.iter().collect();
                sorted.sort_by(|a, b| a.0.encode_utf16().cmp(b.0.encode_utf16()));
                out.push(b'{');
                for (i, (key, value)) in sorted.into_iter().enumerate() {
                    if i > 0 {
                        out.push(b',');
                    }
                    write_string(key, out);
                    out.push(b':');
                    value.write(out);
                }
                out.push(b'}');
            }
        }
    }
}

/// Writes a string as RFC 8785 section 3.2.2.2 spells it.
pub(crate) fn write_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            8 => out.extend_from_slice(b"\\b"),
            9 => out.extend_from_slice(b"\\t"),
            10 => out.extend_from_slice(b"\\n"),
            12 => out.extend_from_slice(b"\\f"),
            13 => out.extend_from_slice(b"\\r"),
            0..=0x1f => {
                out.extend_from_slice(b"\\u00");
                paygod_types::write_hex(&[byte], out);
            }
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_decoded_and_written_back_canonically() {
        let json = Json::parse(r#""a\u00e9\ud83d\ude00\n\u0001\/""#).unwrap();
        assert_eq!(json, Json::Text("aé😀\n\u{1}/".to_owned()));
        let mut out = Vec::new();
        json.write(&mut out);
        assert_eq!(String::from_utf8(out).unwrap(), "\"aé😀\\n\\u0001/\"");
    }

    #[test]
    fn malformed_texts_are_refused() {
        for bad in [
            "",
            "{",
            "[1,]",
            "{\"a\":1,\"a\":2}",
            "01",
            "1.",
            "-",
            "\"\\ud800\"",
            "\"\\x\"",
            "nul",
            "1 2",
            "\"\n\"",
            "\"\\u12g4\"",
            "\"\\ud800\\u0041\"",
        ] {
            assert!(Json::parse(bad).is_err(), "{bad}");
        }
        let deep = "[".repeat(JSON_DEPTH_MAX + 2);
        assert!(Json::parse(&deep).is_err());
        assert!(Cursor::new(&deep).skip(0).is_err());
    }
}
