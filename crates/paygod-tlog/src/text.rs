//! Small strict pieces of text shared by the formats: decimals without leading zeros, base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Reads a decimal number: ASCII digits only, no leading zeros, no sign.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    let digits = text.as_bytes();
    if digits.is_empty() || digits.len() > 20 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    if digits.len() > 1 && digits.first() == Some(&b'0') {
        return None;
    }
    text.parse().ok()
}

/// Reads standard base64 with padding; refuses every other spelling of the same bytes.
pub(crate) fn base64_decode(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// Writes standard base64 with padding.
pub(crate) fn base64_encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// What of a hostile text may be shown in an error: its start, control characters escaped.
pub(crate) fn excerpt(text: &str) -> String {
    const SHOWN_CHARS_MAX: usize = 80;
    text.chars()
        .take(SHOWN_CHARS_MAX)
        .flat_map(char::escape_default)
        .collect()
}
