//! Exact decimals for control sums: what `xs:decimal` can say, without a currency.
//!
//! A control sum adds the plain numbers of all amounts, whatever their currencies, so it cannot be
//! money. It never becomes an amount that moves.

use std::fmt;

/// Digits after the point that a decimal here can hold; ISO 20022 amounts end at 5.
const SCALE_DIGITS: usize = 6;
const SCALE: i128 = 1_000_000;
/// Digits in all, ISO 20022 `DecimalNumber` and `ActiveOrHistoricCurrencyAndAmount`.
const DIGITS_MAX: usize = 18;

/// A decimal number of at most 18 digits, 6 of them after the point, or a sum of such.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Decimal {
    millionths: i128,
}

impl Decimal {
    /// Zero.
    pub const ZERO: Self = Self { millionths: 0 };

    /// Reads a decimal without exponent: `7`, `7.`, `.5`, `+7.50`, `-1`. Zeros after the sixth decimal are
    /// dropped. `None` for anything else, more than 18 digits, or a seventh decimal that is not zero.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (negative, unsigned) = match text.as_bytes().first()? {
            b'-' => (true, text.get(1..)?),
            b'+' => (false, text.get(1..)?),
            _ => (false, text),
        };
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let digits = whole.bytes().chain(fraction.bytes());
        let count = whole.len().checked_add(fraction.len())?;
        if count == 0 || count > DIGITS_MAX || !digits.clone().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let kept = fraction
            .bytes()
            .chain(std::iter::repeat(b'0'))
            .take(SCALE_DIGITS);
        if fraction.bytes().skip(SCALE_DIGITS).any(|byte| byte != b'0') {
            return None;
        }
        let millionths = whole.bytes().chain(kept).try_fold(0_i128, |value, byte| {
            value
                .checked_mul(10)?
                .checked_add(i128::from(byte.checked_sub(b'0')?))
        })?;
        Some(Self {
            millionths: if negative {
                millionths.checked_neg()?
            } else {
                millionths
            },
        })
    }

    /// The sum; `None` past 128 bits, which 10^14 of the largest amounts do not reach.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.millionths
            .checked_add(other.millionths)
            .map(|millionths| Self { millionths })
    }

    /// Whether it is below zero.
    #[must_use]
    pub const fn is_negative(self) -> bool {
        self.millionths < 0
    }
}

impl fmt::Display for Decimal {
    /// Shortest form, with two decimals at least, as people write sums: `38.00`, `0.125`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scale = SCALE.unsigned_abs();
        let size = self.millionths.unsigned_abs();
        let sign = if self.is_negative() { "-" } else { "" };
        let fraction = format!("{:06}", size % scale);
        let kept = fraction.trim_end_matches('0');
        write!(f, "{sign}{}.{kept:0<2}", size / scale)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_number_are_equal() {
        for (text, shown) in [
            ("38", "38.00"),
            ("38.", "38.00"),
            ("+38.000", "38.00"),
            ("038.0", "38.00"),
            (".5", "0.50"),
            ("0.125", "0.125"),
            ("-1.10", "-1.10"),
            ("999999999999999999", "999999999999999999.00"),
            ("0.00000000000000000", "0.00"),
        ] {
            assert_eq!(
                Decimal::parse(text)
                    .map(|decimal| decimal.to_string())
                    .as_deref(),
                Some(shown),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_not_a_decimal_is_refused() {
        for text in [
            "",
            ".",
            "+",
            "-",
            "1e3",
            "1,5",
            " 1",
            "1.2.3",
            "0x1",
            "٣",
            "--1",
            "9999999999999999999",
            "0.0000001",
        ] {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
    }
}
