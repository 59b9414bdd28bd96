//! The order of keys: by UTF-16 code units (RFC 8785 section 3.2.3).
//!
//! It differs from the order of UTF-8 bytes only where one key has a character beyond U+FFFF and the
//! other one from U+E000 to U+FFFF.

use core::cmp::Ordering;

use super::scan::Raw;
use super::text;

/// Compares two keys, their escapes already decoded.
pub(super) fn compare(left: &str, right: &str) -> Ordering {
    compare_bytes(left.as_bytes(), right.as_bytes())
        .unwrap_or_else(|| left.encode_utf16().cmp(right.encode_utf16()))
}

/// Compares two keys as they stand in a canonical document.
#[inline]
pub(super) fn compare_raw(left: &Raw<'_>, right: &Raw<'_>) -> Ordering {
    if left.escaped || right.escaped {
        return compare_decoded(left.bytes, right.bytes);
    }
    compare_bytes(left.bytes, right.bytes)
        .unwrap_or_else(|| compare_decoded(left.bytes, right.bytes))
}

/// Compares by bytes where the two orders agree: when the first difference has a byte under 0xEE, the
/// first of U+E000. A difference past the first byte of a character always has.
#[inline]
fn compare_bytes(left: &[u8], right: &[u8]) -> Option<Ordering> {
    match left.iter().zip(right).find(|(a, b)| a != b) {
        None => Some(left.len().cmp(&right.len())),
        Some((a, b)) if *a < 0xee || *b < 0xee => Some(a.cmp(b)),
        Some(_) => None,
    }
}

#[cold]
fn compare_decoded(left: &[u8], right: &[u8]) -> Ordering {
    units(left).cmp(units(right))
}

/// The UTF-16 units of a canonical string, its escapes decoded on the way.
fn units(raw: &[u8]) -> impl Iterator<Item = u16> {
    let text = core::str::from_utf8(raw).unwrap_or_default();
    let mut chars = text.chars();
    let decoded = core::iter::from_fn(move || {
        let rest = chars.as_str().as_bytes();
        let character = chars.next()?;
        let Some((b'\\', after)) = rest.split_first() else {
            return Some(character);
        };
        let (byte, length) = text::canonical_escape(after).ok()?;
        chars.nth(length.checked_sub(1)?);
        Some(char::from(byte))
    });
    decoded.flat_map(|character| {
        let mut buffer = [0_u16; 2];
        let length = character.encode_utf16(&mut buffer).len();
        buffer.into_iter().take(length)
    })
}
