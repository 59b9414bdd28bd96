//! Numbers: ECMAScript's `Number::toString`, which RFC 8785 section 3.2.2.3 prescribes.
//!
//! The shortest digits that read back as the same double come from the standard library; only their
//! arrangement is done here. No arithmetic on floating-point numbers takes place.

use core::fmt::{self, Write as _};

use super::Numbers;
use super::error::Fault;
use crate::limits::INTEGER_MAX;

/// Longest canonical number: `-0.00000` and 17 digits, or a sign, 17 digits, a point and `e-308`.
const NUMBER_BYTES_MAX: usize = 32;

/// A short text on the stack. What does not fit is an error of the writer, never a truncation.
#[derive(Clone, Copy)]
pub(super) struct ShortText {
    bytes: [u8; NUMBER_BYTES_MAX],
    length: usize,
}

impl ShortText {
    const fn new() -> Self {
        Self {
            bytes: [0; NUMBER_BYTES_MAX],
            length: 0,
        }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    fn push(&mut self, bytes: &[u8]) -> Option<()> {
        let end = self.length.checked_add(bytes.len())?;
        self.bytes.get_mut(self.length..end)?.copy_from_slice(bytes);
        self.length = end;
        Some(())
    }

    fn push_zeros(&mut self, count: usize) -> Option<()> {
        (0..count).try_for_each(|_| self.push(b"0"))
    }
}

impl fmt::Write for ShortText {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text.as_bytes()).ok_or(fmt::Error)
    }
}

/// The ECMAScript spelling of a finite double; `None` for infinities and NaN.
pub(super) fn format(value: f64) -> Option<ShortText> {
    if !value.is_finite() {
        return None;
    }
    let mut out = ShortText::new();
    if value == 0.0 {
        out.push(b"0")?;
        return Some(out);
    }
    let scientific = shortest(value)?;
    let mut rest = scientific.as_bytes();
    if let Some(unsigned) = rest.strip_prefix(b"-") {
        out.push(b"-")?;
        rest = unsigned;
    }
    let (mantissa, exponent) = split_once(rest, b'e')?;
    let exponent: i32 = core::str::from_utf8(exponent).ok()?.parse().ok()?;
    let (first, others) = split_once(mantissa, b'.').unwrap_or((mantissa, b""));
    let mut digits = ShortText::new();
    digits.push(first)?;
    digits.push(others)?;
    arrange(&mut out, digits.as_bytes(), exponent)?;
    Some(out)
}

/// The shortest digits that read back as `value`, in scientific notation; of several such, those
/// nearest to it; of two as near, the even ones (ECMAScript, note 2 to `Number::toString`).
///
/// The standard library takes the upper of two as near (1424953923781206.25 becomes `….3`), so its
/// correctly rounded digits of the same count go first when they read back.
fn shortest(value: f64) -> Option<ShortText> {
    let mut upper = ShortText::new();
    write!(upper, "{value:e}").ok()?;
    let mantissa = upper.as_bytes().iter().take_while(|byte| **byte != b'e');
    let decimals = mantissa
        .filter(|byte| byte.is_ascii_digit())
        .count()
        .checked_sub(1)?;
    let mut nearest = ShortText::new();
    write!(nearest, "{value:.decimals$e}").ok()?;
    let reads_back = core::str::from_utf8(nearest.as_bytes()).ok()?.parse() == Ok(value);
    Some(if reads_back { nearest } else { upper })
}

/// Appends `0.d1d2d3… × 10^point` as ECMAScript does, where `point` is `exponent + 1`.
fn arrange(out: &mut ShortText, digits: &[u8], exponent: i32) -> Option<()> {
    let point = exponent.checked_add(1)?;
    let count = i32::try_from(digits.len()).ok()?;
    match point {
        1..=21 if count <= point => {
            out.push(digits)?;
            out.push_zeros(usize::try_from(point - count).ok()?)
        }
        1..=21 => {
            let (whole, fraction) = digits.split_at_checked(usize::try_from(point).ok()?)?;
            out.push(whole)?;
            out.push(b".")?;
            out.push(fraction)
        }
        -5..=0 => {
            out.push(b"0.")?;
            out.push_zeros(usize::try_from(-point).ok()?)?;
            out.push(digits)
        }
        _ => {
            let (first, others) = digits.split_at_checked(1)?;
            out.push(first)?;
            if !others.is_empty() {
                out.push(b".")?;
                out.push(others)?;
            }
            out.push(if exponent < 0 { b"e-" } else { b"e+" })?;
            write!(out, "{}", exponent.unsigned_abs()).ok()
        }
    }
}

fn split_once(bytes: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let position = bytes.iter().position(|byte| *byte == at)?;
    let (left, right) = bytes.split_at_checked(position)?;
    Some((left, right.get(1..)?))
}

/// Appends the canonical spelling of `value` to `out` and says whether there is one: not for NaN and
/// the infinities, nor for a magnitude of 2^53 or more.
///
/// For measurements and statistics. Money has no business here.
pub fn write_number(value: f64, out: &mut Vec<u8>) -> bool {
    if !exact(value) {
        return false;
    }
    match format(value) {
        Some(text) => {
            out.extend_from_slice(text.as_bytes());
            true
        }
        None => false,
    }
}

/// Whether no integer beyond 2^53 − 1 hides in the double: a literal of an integer past it, or one
/// that rounds to it, always reads as 2^53 or more.
fn exact(value: f64) -> bool {
    value.abs() < 9_007_199_254_740_992.0
}

/// Reads the number that begins `bytes`: its length in bytes, and its value.
pub(super) fn read(bytes: &[u8], numbers: Numbers) -> Result<(usize, f64), Fault> {
    let length = grammar(bytes)?;
    let token = bytes.get(..length).unwrap_or_default();
    let value = core::str::from_utf8(token)
        .ok()
        .and_then(|text| text.parse::<f64>().ok())
        .ok_or(Fault::Syntax {
            expected: "a number",
        })?;
    let within = match numbers {
        Numbers::Exact => exact(value),
        Numbers::Rounded => value.is_finite(),
    };
    if within {
        Ok((length, value))
    } else {
        Err(Fault::NumberRange)
    }
}

/// Length of the number that begins `bytes` by the grammar of RFC 8259 section 6.
fn grammar(bytes: &[u8]) -> Result<usize, Fault> {
    let digits_from = |from: usize| {
        let rest = bytes.get(from..).unwrap_or_default();
        rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
    };
    let mut at = usize::from(bytes.first() == Some(&b'-'));
    let whole = digits_from(at);
    if whole == 0 || (whole > 1 && bytes.get(at) == Some(&b'0')) {
        return Err(Fault::Syntax {
            expected: "a number without leading zeros",
        });
    }
    at += whole;
    if bytes.get(at) == Some(&b'.') {
        let fraction = digits_from(at + 1);
        if fraction == 0 {
            return Err(Fault::Syntax {
                expected: "a digit after the point",
            });
        }
        at += 1 + fraction;
    }
    if let Some(b'e' | b'E') = bytes.get(at) {
        at += 1;
        at += usize::from(matches!(bytes.get(at), Some(b'+' | b'-')));
        let exponent = digits_from(at);
        if exponent == 0 {
            return Err(Fault::Syntax {
                expected: "a digit in the exponent",
            });
        }
        at += exponent;
    }
    Ok(at)
}

/// Length and value of the number that begins `bytes`, if it is an integer from 0 to 2^53 − 1 in its
/// canonical spelling.
#[inline]
pub(super) fn plain_integer(bytes: &[u8]) -> Option<(usize, u64)> {
    let mut value = 0_u64;
    let mut length = 0_usize;
    for byte in bytes.iter().take(16) {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        value = value * 10 + u64::from(digit);
        length += 1;
    }
    let whole = !matches!(bytes.get(length), Some(b'0'..=b'9' | b'.' | b'e' | b'E'));
    let spelled = length == 1 || (length > 1 && bytes.first() != Some(&b'0'));
    (whole && spelled && value <= INTEGER_MAX).then_some((length, value))
}

/// Length of the canonical number that begins `bytes`, and its value when it is an integer from 0.
///
/// Integers of up to 16 digits are settled by looking at their digits; anything else is read, spelled
/// anew and compared.
#[inline]
pub(super) fn check(bytes: &[u8], numbers: Numbers) -> Result<(usize, Option<u64>), Fault> {
    match plain_integer(bytes) {
        Some((length, value)) => Ok((length, Some(value))),
        None => check_any(bytes, numbers),
    }
}

#[cold]
fn check_any(bytes: &[u8], numbers: Numbers) -> Result<(usize, Option<u64>), Fault> {
    let (length, value) = read(bytes, numbers)?;
    let spelled = format(value).ok_or(Fault::NumberRange)?;
    if bytes.get(..length) == Some(spelled.as_bytes()) {
        Ok((length, None))
    } else {
        Err(Fault::NumberForm)
    }
}
