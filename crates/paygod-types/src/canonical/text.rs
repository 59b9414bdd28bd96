//! Strings: which characters are escaped and how (RFC 8785 section 3.2.2.2).
//!
//! A canonical string escapes `"`, `\` and the controls below U+0020, these by their short escape
//! where there is one and as lower-case `\u00xx` where not, and nothing else.

use super::error::Fault;

/// Length of the run of bytes that a string holds as they are: none below 0x20, no `"`, no `\`.
///
/// Looks at eight bytes at a time: the classic test for a byte below, or equal to, a constant.
#[inline]
pub(super) fn plain_run(bytes: &[u8]) -> usize {
    let mut length = 0_usize;
    let mut rest = bytes;
    while let Some((chunk, after)) = rest.split_first_chunk::<8>() {
        let marks = special(u64::from_le_bytes(*chunk));
        if marks != 0 {
            // The lowest mark is exact; those above it may be carried from it.
            return length + (usize::try_from(marks.trailing_zeros()).unwrap_or(0) >> 3);
        }
        length += 8;
        rest = after;
    }
    length + rest.iter().take_while(|byte| !is_special(**byte)).count()
}

const fn is_special(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// Marks the high bit of each byte that is special.
#[inline]
const fn special(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let control = word.wrapping_sub(ONES * 0x20);
    let quote = (word ^ (ONES * 0x22)).wrapping_sub(ONES);
    let backslash = (word ^ (ONES * 0x5c)).wrapping_sub(ONES);
    // A byte of 0x80 or more is none of the three, but each subtraction may have set its high bit.
    (control | quote | backslash) & !word & HIGHS
}

/// The character that the canonical escape at the start of `bytes` (after its backslash) stands for,
/// and its length without the backslash.
pub(super) fn canonical_escape(bytes: &[u8]) -> Result<(u8, usize), Fault> {
    let (character, length) = match bytes {
        [b'"', ..] => (b'"', 1),
        [b'\\', ..] => (b'\\', 1),
        [b'b', ..] => (0x08, 1),
        [b't', ..] => (b'\t', 1),
        [b'n', ..] => (b'\n', 1),
        [b'f', ..] => (0x0c, 1),
        [b'r', ..] => (b'\r', 1),
        [
            b'u',
            b'0',
            b'0',
            high @ (b'0' | b'1'),
            low @ (b'0'..=b'9' | b'a'..=b'f'),
            ..,
        ] => {
            let low = if *low <= b'9' {
                low - b'0'
            } else {
                low - b'a' + 10
            };
            let character = ((high - b'0') << 4) | low;
            if matches!(character, 0x08 | b'\t' | b'\n' | 0x0c | b'\r') {
                return Err(Fault::EscapeForm);
            }
            (character, 5)
        }
        [b'/', ..] => return Err(Fault::EscapeForm),
        [b'u', a, b, c, d, ..] if [a, b, c, d].iter().all(|digit| digit.is_ascii_hexdigit()) => {
            return Err(Fault::EscapeForm);
        }
        _ => return Err(Fault::Escape),
    };
    Ok((character, length))
}

/// Appends `text` as a canonical string, quotes included.
#[inline]
pub(super) fn write(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    out.push(b'"');
    let plain = plain_run(bytes);
    if plain == bytes.len() {
        out.extend_from_slice(bytes);
    } else {
        write_escaped(bytes, out);
    }
    out.push(b'"');
}

#[cold]
fn write_escaped(bytes: &[u8], out: &mut Vec<u8>) {
    let mut rest = bytes;
    loop {
        let (plain, after) = rest
            .split_at_checked(plain_run(rest))
            .unwrap_or((rest, &[]));
        out.extend_from_slice(plain);
        let Some((byte, after)) = after.split_first() else {
            return;
        };
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            0x08 => out.extend_from_slice(b"\\b"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\n' => out.extend_from_slice(b"\\n"),
            0x0c => out.extend_from_slice(b"\\f"),
            b'\r' => out.extend_from_slice(b"\\r"),
            control => {
                out.extend_from_slice(b"\\u00");
                crate::write_hex(&[*control], out);
            }
        }
        rest = after;
    }
}

/// Decodes the escapes of a string that the strict scanner passed.
#[cold]
pub(super) fn decode_canonical(spelled: &str) -> String {
    let mut decoded = String::with_capacity(spelled.len());
    let mut rest = spelled;
    while let Some((plain, after)) = rest.split_once('\\') {
        decoded.push_str(plain);
        let Ok((byte, length)) = canonical_escape(after.as_bytes()) else {
            break;
        };
        decoded.push(char::from(byte));
        rest = after.get(length..).unwrap_or_default();
    }
    decoded.push_str(rest);
    decoded
}

/// The character that the escape at the start of `bytes` stands for, a pair of surrogates taken
/// together, and its length with the backslash.
pub(super) fn any_escape(bytes: &[u8]) -> Result<(char, usize), Fault> {
    let character = match bytes {
        [b'\\', b'"', ..] => '"',
        [b'\\', b'\\', ..] => '\\',
        [b'\\', b'/', ..] => '/',
        [b'\\', b'b', ..] => '\u{8}',
        [b'\\', b't', ..] => '\t',
        [b'\\', b'n', ..] => '\n',
        [b'\\', b'f', ..] => '\u{c}',
        [b'\\', b'r', ..] => '\r',
        [b'\\', b'u', ..] => return unicode_escape(bytes),
        _ => return Err(Fault::Escape),
    };
    Ok((character, 2))
}

fn unicode_escape(bytes: &[u8]) -> Result<(char, usize), Fault> {
    let first = unit(bytes).ok_or(Fault::Escape)?;
    let second = bytes.get(6..).and_then(unit);
    let units = [first, second.unwrap_or_default()];
    match char::decode_utf16(units).next() {
        Some(Ok(character)) => Ok((character, 6 * character.len_utf16())),
        _ => Err(Fault::LoneSurrogate),
    }
}

/// The UTF-16 unit of the `\uXXXX` at the start of `bytes`.
fn unit(bytes: &[u8]) -> Option<u16> {
    let [b'\\', b'u', digits @ ..] = bytes else {
        return None;
    };
    let (digits, _) = digits.split_first_chunk::<4>()?;
    digits.iter().try_fold(0_u16, |unit, digit| {
        let digit = char::from(*digit).to_digit(16)?;
        Some((unit << 4) | u16::try_from(digit).ok()?)
    })
}
