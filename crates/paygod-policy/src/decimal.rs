//! Exact decimals of up to 38 digits: a whole coefficient over a power of ten.
//!
//! INVARIANT(exact-money): no operation rounds; what does not fit is `None` and becomes an error of the rule.
//! Two spellings of one value (`1.5`, `1.50`) are equal.

use core::cmp::Ordering;

/// Digits of a coefficient, and the largest scale.
pub(crate) const DIGITS_MAX: u8 = 38;

const COEFFICIENT_MAX: i128 = 10_i128.pow(38) - 1;

/// A decimal in lowest terms: no trailing zero after the point, so equality is structural.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub(crate) struct Decimal {
    coefficient: i128,
    scale: u8,
}

/// Powers of ten that fit.
const POWERS: [i128; 39] = powers();

const fn powers() -> [i128; 39] {
    let mut powers = [1_i128; 39];
    let mut at = 1;
    while at < 39 {
        #[expect(
            clippy::indexing_slicing,
            reason = "a place below 39 of a table of 39, checked when compiled"
        )]
        {
            powers[at] = powers[at - 1] * 10;
        }
        at += 1;
    }
    powers
}

#[inline]
fn pow10(exponent: u8) -> Option<i128> {
    POWERS.get(usize::from(exponent)).copied()
}

impl Decimal {
    /// `coefficient / 10^scale`, in lowest terms; `None` beyond 38 digits.
    #[must_use]
    pub(crate) fn new(coefficient: i128, scale: u8) -> Option<Self> {
        // Most numbers are small, and 128-bit division is slow.
        if let Ok(small) = i64::try_from(coefficient)
            && scale <= DIGITS_MAX
        {
            return Some(Self::small(small, scale));
        }
        let (mut coefficient, mut scale) = (coefficient, scale);
        while scale > 0 && coefficient % 10 == 0 {
            coefficient /= 10;
            scale -= 1;
        }
        let fits =
            scale <= DIGITS_MAX && coefficient.unsigned_abs() <= COEFFICIENT_MAX.unsigned_abs();
        fits.then_some(Self { coefficient, scale })
    }

    /// `coefficient / 10^scale`, in lowest terms.
    #[inline]
    pub(crate) fn small(coefficient: i64, scale: u8) -> Self {
        let (mut coefficient, mut scale) = (coefficient, scale);
        while scale > 0 && coefficient % 10 == 0 {
            coefficient /= 10;
            scale -= 1;
        }
        Self {
            coefficient: i128::from(coefficient),
            scale,
        }
    }

    /// Both coefficients on the larger of both scales, if both are small.
    #[inline]
    fn aligned_small(self, other: Self) -> Option<(i128, i128)> {
        const SMALL: core::ops::RangeInclusive<i128> = -(1 << 62)..=1 << 62;
        if !SMALL.contains(&self.coefficient) || !SMALL.contains(&other.coefficient) {
            return None;
        }
        let scale = self.scale.max(other.scale);
        let lift = |d: Self| {
            let up = scale - d.scale;
            // Below 2^62 times 10^19: below 2^126.
            if up > 19 {
                return None;
            }
            pow10(up).map(|unit| d.coefficient.wrapping_mul(unit))
        };
        lift(self).zip(lift(other))
    }

    /// A whole number.
    #[must_use]
    pub(crate) fn from_int(value: i64) -> Self {
        Self {
            coefficient: i128::from(value),
            scale: 0,
        }
    }

    /// The whole number that, over 10^[`Decimal::scale`], is the value.
    #[must_use]
    pub(crate) const fn coefficient(self) -> i128 {
        self.coefficient
    }

    /// Digits after the point, the last of them no zero.
    #[must_use]
    pub(crate) const fn scale(self) -> u8 {
        self.scale
    }

    /// The value as an int, if it is whole and fits.
    #[must_use]
    pub(crate) fn to_int(self) -> Option<i64> {
        if self.scale == 0 {
            i64::try_from(self.coefficient).ok()
        } else {
            None
        }
    }

    /// `minor` units of a currency of so many decimals.
    #[must_use]
    pub(crate) fn from_minor(minor: i128, exponent: u8) -> Option<Self> {
        Self::new(minor, exponent)
    }

    /// Reads `-12.50` or, as JSON numbers may be spelt, `1.25e3`. `None` if it is not a JSON number or does
    /// not fit.
    #[must_use]
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => {
                let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
                if digits.is_empty() || digits.len() > 4 || !all_digits(digits) {
                    return None;
                }
                let magnitude = digits.parse::<i32>().ok()?;
                (
                    mantissa,
                    if exponent.starts_with('-') {
                        -magnitude
                    } else {
                        magnitude
                    },
                )
            }
            None => (text, 0),
        };
        let (negative, body) = match mantissa.strip_prefix('-') {
            Some(body) => (true, body),
            None => (false, mantissa),
        };
        let (whole, fraction) = match body.split_once('.') {
            Some((_, "")) => return None,
            Some((whole, fraction)) => (whole, fraction),
            None => (body, ""),
        };
        if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) {
            return None;
        }
        if whole.len() > 1 && whole.starts_with('0') {
            return None;
        }
        let fraction = fraction.trim_end_matches('0');
        let mut coefficient: i128 = 0;
        for digit in whole.bytes().chain(fraction.bytes()) {
            coefficient = coefficient
                .checked_mul(10)?
                .checked_add(i128::from(digit - b'0'))?;
        }
        let coefficient = if negative { -coefficient } else { coefficient };
        let scale = i32::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
        if coefficient == 0 {
            return Some(Self::default());
        }
        if scale >= 0 {
            Self::reduced(coefficient, scale)
        } else {
            let up = pow10(u8::try_from(scale.checked_neg()?).ok()?)?;
            Self::new(coefficient.checked_mul(up)?, 0)
        }
    }

    fn reduced(coefficient: i128, scale: i32) -> Option<Self> {
        let (mut coefficient, mut scale) = (coefficient, scale);
        while scale > 0 && coefficient % 10 == 0 {
            coefficient /= 10;
            scale -= 1;
        }
        Self::new(coefficient, u8::try_from(scale).ok()?)
    }

    fn aligned(self, other: Self) -> Option<(i128, i128, u8)> {
        let scale = self.scale.max(other.scale);
        if let Some((left, right)) = self.aligned_small(other) {
            return Some((left, right, scale));
        }
        let left = self.coefficient.checked_mul(pow10(scale - self.scale)?)?;
        let right = other.coefficient.checked_mul(pow10(scale - other.scale)?)?;
        Some((left, right, scale))
    }

    /// Sum, exact.
    #[must_use]
    pub(crate) fn checked_add(self, other: Self) -> Option<Self> {
        let (left, right, scale) = self.aligned(other)?;
        Self::new(left.checked_add(right)?, scale)
    }

    /// Difference, exact.
    #[must_use]
    pub(crate) fn checked_sub(self, other: Self) -> Option<Self> {
        self.checked_add(other.negated())
    }

    /// Product, exact.
    #[must_use]
    pub(crate) fn checked_mul(self, other: Self) -> Option<Self> {
        let coefficient = self.coefficient.checked_mul(other.coefficient)?;
        Self::reduced(coefficient, i32::from(self.scale) + i32::from(other.scale))
    }

    /// The same with the other sign.
    #[must_use]
    pub(crate) fn negated(self) -> Self {
        Self {
            coefficient: -self.coefficient,
            scale: self.scale,
        }
    }
}

fn all_digits(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit())
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        if self.scale == other.scale {
            return self.coefficient.cmp(&other.coefficient);
        }
        if let Some((left, right)) = self.aligned_small(*other) {
            return left.cmp(&right);
        }
        // Whole parts first: aligning the coefficients themselves could overflow.
        let parts = |d: &Self| match pow10(d.scale) {
            Some(unit) => (
                d.coefficient.div_euclid(unit),
                d.coefficient.rem_euclid(unit),
            ),
            None => (0, 0),
        };
        let (left_whole, left_rest) = parts(self);
        let (right_whole, right_rest) = parts(other);
        let scale = self.scale.max(other.scale);
        let lift = |rest: i128, own: u8| {
            pow10(scale.saturating_sub(own))
                .and_then(|up| rest.checked_mul(up))
                .unwrap_or(i128::MAX)
        };
        left_whole
            .cmp(&right_whole)
            .then_with(|| lift(left_rest, self.scale).cmp(&lift(right_rest, other.scale)))
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl core::fmt::Display for Decimal {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let sign = if self.coefficient < 0 { "-" } else { "" };
        let magnitude = self.coefficient.unsigned_abs();
        match pow10(self.scale) {
            Some(unit) if self.scale > 0 => {
                let unit = unit.unsigned_abs();
                let width = usize::from(self.scale);
                write!(f, "{sign}{}.{:0width$}", magnitude / unit, magnitude % unit)
            }
            _ => write!(f, "{sign}{magnitude}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn d(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    #[test]
    fn spellings_of_one_value_are_equal() {
        assert_eq!(d("1.50"), d("1.5"));
        assert_eq!(d("1.5e1"), d("15"));
        assert_eq!(d("-0.0"), d("0"));
        assert_eq!(d("1e-38").to_string(), format!("0.{}1", "0".repeat(37)));
    }

    #[test]
    fn what_is_not_a_number_or_too_long_is_refused() {
        for bad in [
            "", "-", ".5", "5.", "01", "+1", "1e", "1e99999", "0x1", "1 ", "1e39",
        ] {
            assert_eq!(Decimal::parse(bad), None, "{bad}");
        }
        assert_eq!(Decimal::parse(&"9".repeat(39)), None);
        assert!(Decimal::parse(&"9".repeat(38)).is_some());
    }

    #[test]
    fn extremes_compare_without_overflow() {
        assert!(d(&"9".repeat(38)) > d("1e-38"));
        assert!(d(&format!("-{}", "9".repeat(38))) < d("-1e-38"));
        assert!(d("-0.5") < d("-0.05"));
        assert!(d("-1.5") < d("-1.25"));
    }

    proptest! {
        #[test]
        fn order_agrees_with_subtraction(a in -10_i128.pow(12)..10_i128.pow(12), s in 0_u8..9, b in -10_i128.pow(12)..10_i128.pow(12), t in 0_u8..9) {
            let (x, y) = (Decimal::new(a, s).unwrap(), Decimal::new(b, t).unwrap());
            let difference = x.checked_sub(y).unwrap();
            prop_assert_eq!(x.cmp(&y), difference.coefficient.cmp(&0));
            prop_assert_eq!(Decimal::parse(&x.to_string()), Some(x));
        }
    }
}
