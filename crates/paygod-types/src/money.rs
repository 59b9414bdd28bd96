//! Money: a whole number of minor units and a currency.
//!
//! INVARIANT(exact-money): an amount is an integer from the first byte read to the last byte
//! written. There is no conversion from or to a floating-point number, and no operator that could
//! overflow in silence: arithmetic is by the `checked_` methods only.
//!
//! It does not round: a decimal with other digits than its currency has is refused.

use core::fmt;

use crate::Currency;
use crate::code::{self, Code};
use crate::limits::AMOUNT_DIGITS_MAX;

/// A number of minor units (cents, yen, fils), of a currency known from elsewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(i128);

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The largest amount.
    pub const MAX: Self = Self(i128::MAX);
    /// The smallest amount.
    pub const MIN: Self = Self(i128::MIN);

    /// So many minor units.
    #[must_use]
    pub const fn from_minor(minor: i128) -> Self {
        Self(minor)
    }

    /// The number of minor units.
    #[must_use]
    pub const fn minor(self) -> i128 {
        self.0
    }

    /// The sum, or `None` past 128 bits.
    #[must_use]
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(minor) => Some(Self(minor)),
            None => None,
        }
    }

    /// The difference, or `None` past 128 bits.
    #[must_use]
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(minor) => Some(Self(minor)),
            None => None,
        }
    }

    /// The amount with the other sign, or `None` past 128 bits.
    #[must_use]
    pub const fn checked_neg(self) -> Option<Self> {
        match self.0.checked_neg() {
            Some(minor) => Some(Self(minor)),
            None => None,
        }
    }

    /// Whether it is 0.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Whether it is above 0.
    #[must_use]
    pub const fn is_positive(self) -> bool {
        self.0 > 0
    }

    /// Whether it is below 0.
    #[must_use]
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// With its currency.
    #[must_use]
    pub const fn of(self, currency: Currency) -> Money {
        Money {
            amount: self,
            currency,
        }
    }
}

/// An amount of a currency.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Money {
    /// How many minor units.
    pub amount: Amount,
    /// Of which currency.
    pub currency: Currency,
}

/// Why a text is not an amount of a currency, or two amounts cannot be added.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not a decimal number in its one spelling.
    #[error(
        "`{text}` is not an amount; write digits with a point and no sign but `-`, such as `1250.00`"
    )]
    Syntax {
        /// The text found, at most 64 bytes of it.
        text: Box<str>,
    },
    /// Not the digits that the currency has.
    #[error("`{text}` has {found} decimals, and {currency} has {allowed}; write exactly {allowed}")]
    Precision {
        /// The text found.
        text: Box<str>,
        /// The currency.
        currency: Currency,
        /// Decimals found.
        found: usize,
        /// Decimals that the currency has.
        allowed: u8,
    },
    /// Past 128 bits of minor units.
    #[error("the amount does not fit in 128 bits of minor units of {currency}; split it")]
    Overflow {
        /// The currency.
        currency: Currency,
    },
    /// Two currencies.
    #[error("an amount of {found} meets one of {expected}; use {expected}, or two linked legs")]
    CurrencyMismatch {
        /// The currency expected.
        expected: Currency,
        /// The currency found.
        found: Currency,
    },
}

impl MoneyError {
    /// The permanent code.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Syntax { .. } => code::MONEY_SYNTAX,
            Self::Precision { .. } => code::MONEY_PRECISION,
            Self::Overflow { .. } => code::MONEY_OVERFLOW,
            Self::CurrencyMismatch { .. } => code::MONEY_CURRENCY_MISMATCH,
        }
    }
}

impl Money {
    /// So much of a currency.
    #[must_use]
    pub const fn new(amount: Amount, currency: Currency) -> Self {
        Self { amount, currency }
    }

    /// Reads the one spelling of an amount: an optional `-`, whole digits without leading zeros, and
    /// exactly the currency's decimals (`1250.00` EUR, `1250` JPY, `1250.000` BHD). `-0` is refused.
    ///
    /// # Errors
    /// Another spelling, other decimals, or an amount past 128 bits.
    pub fn parse(text: &str, currency: Currency) -> Result<Self, MoneyError> {
        let decimal = Decimal::read(text)?;
        let exponent = usize::from(currency.exponent());
        if decimal.fraction.len() != exponent {
            return Err(precision(text, currency, decimal.fraction.len()));
        }
        let canonical = match decimal.whole {
            [] => false,
            [b'0', _, ..] => false,
            _ => decimal.pointed == (exponent > 0),
        };
        if !canonical {
            return Err(syntax(text));
        }
        let money = decimal.money(currency)?;
        if decimal.negative && money.amount.is_zero() {
            return Err(syntax(text));
        }
        Ok(money)
    }

    /// Reads an amount as ISO 20022 spells it (`xs:decimal`): fewer decimals than the currency has,
    /// leading zeros and a bare point at either end are accepted, `+` too.
    ///
    /// # Errors
    /// More decimals than the currency has, were they zeros; not a number; past 128 bits.
    pub fn parse_relaxed(text: &str, currency: Currency) -> Result<Self, MoneyError> {
        let decimal = Decimal::read(text.strip_prefix('+').unwrap_or(text))?;
        if text.starts_with("+-") || (decimal.whole.is_empty() && decimal.fraction.is_empty()) {
            return Err(syntax(text));
        }
        if decimal.fraction.len() > usize::from(currency.exponent()) {
            return Err(precision(text, currency, decimal.fraction.len()));
        }
        decimal.money(currency)
    }

    /// The sum.
    ///
    /// # Errors
    /// Two currencies, or a sum past 128 bits.
    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        match self.amount.checked_add(other.amount) {
            Some(amount) => Ok(amount.of(self.currency)),
            None => Err(MoneyError::Overflow {
                currency: self.currency,
            }),
        }
    }

    /// The difference.
    ///
    /// # Errors
    /// Two currencies, or a difference past 128 bits.
    pub fn checked_sub(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        match self.amount.checked_sub(other.amount) {
            Some(amount) => Ok(amount.of(self.currency)),
            None => Err(MoneyError::Overflow {
                currency: self.currency,
            }),
        }
    }

    fn same_currency(self, other: Self) -> Result<(), MoneyError> {
        if self.currency == other.currency {
            return Ok(());
        }
        Err(MoneyError::CurrencyMismatch {
            expected: self.currency,
            found: other.currency,
        })
    }

    /// Appends the one spelling of the amount, without the currency, to `out`.
    pub fn write_decimal(&self, out: &mut Vec<u8>) {
        let mut buffer = [b'0'; DECIMAL_BYTES_MAX];
        out.extend_from_slice(self.decimal(&mut buffer));
    }

    /// Writes the decimal at the end of `buffer`, from its last digit to its sign.
    fn decimal<'b>(&self, buffer: &'b mut [u8; DECIMAL_BYTES_MAX]) -> &'b [u8] {
        let exponent = usize::from(self.currency.exponent());
        let mut rest = self.amount.minor().unsigned_abs();
        let mut length = 0_usize;
        let mut slots = buffer.iter_mut().rev();
        let mut put = |byte: u8| {
            if let Some(slot) = slots.next() {
                *slot = byte;
                length += 1;
            }
        };
        let mut digits = 0_usize;
        while rest > 0 || digits <= exponent {
            if digits == exponent && exponent > 0 {
                put(b'.');
            }
            // Division of 128 bits is ten times dearer, and few amounts need it.
            let digit = if let Ok(small) = u64::try_from(rest) {
                rest = u128::from(small / 10);
                small % 10
            } else {
                let digit = rest % 10;
                rest /= 10;
                u64::try_from(digit).unwrap_or_default()
            };
            let [digit, ..] = digit.to_le_bytes();
            put(b'0' | digit);
            digits += 1;
        }
        if self.amount.is_negative() {
            put(b'-');
        }
        buffer.get(DECIMAL_BYTES_MAX - length..).unwrap_or_default()
    }
}

/// Longest decimal: all digits, a point, a sign and zeros before the point.
const DECIMAL_BYTES_MAX: usize = AMOUNT_DIGITS_MAX + 8;

/// A decimal number as spelled.
struct Decimal<'a> {
    text: &'a str,
    negative: bool,
    pointed: bool,
    whole: &'a [u8],
    fraction: &'a [u8],
}

impl<'a> Decimal<'a> {
    fn read(text: &'a str) -> Result<Self, MoneyError> {
        let bytes = text.as_bytes();
        let (negative, unsigned) = match bytes {
            [b'-', rest @ ..] => (true, rest),
            _ => (false, bytes),
        };
        let point = unsigned.iter().position(|byte| *byte == b'.');
        let (whole, fraction) = match point.and_then(|at| unsigned.split_at_checked(at)) {
            Some((whole, [_, fraction @ ..])) => (whole, fraction),
            _ => (unsigned, Default::default()),
        };
        let all_digits = whole.iter().chain(fraction).all(u8::is_ascii_digit);
        if !all_digits {
            return Err(syntax(text));
        }
        Ok(Self {
            text,
            negative,
            pointed: point.is_some(),
            whole,
            fraction,
        })
    }

    fn money(&self, currency: Currency) -> Result<Money, MoneyError> {
        let overflow = || MoneyError::Overflow { currency };
        if self.text.len() > 4 * AMOUNT_DIGITS_MAX {
            return Err(overflow());
        }
        let missing = usize::from(currency.exponent()).saturating_sub(self.fraction.len());
        let digits = self.whole.iter().chain(self.fraction);
        let count = self.whole.len() + self.fraction.len() + missing;
        if count <= 19 {
            let small = digits.fold(0_u64, |value, digit| value * 10 + u64::from(digit & 0x0f));
            let magnitude = i128::from((0..missing).fold(small, |value, _| value * 10));
            return Ok(Amount(if self.negative { -magnitude } else { magnitude }).of(currency));
        }
        let zeros = core::iter::repeat_n(&b'0', missing);
        let minor = digits.chain(zeros).try_fold(0_i128, |value, digit| {
            let (shifted, digit) = (value.checked_mul(10)?, i128::from(digit & 0x0f));
            // Counted downwards when negative, for the smallest amount has no positive twin.
            if self.negative {
                shifted.checked_sub(digit)
            } else {
                shifted.checked_add(digit)
            }
        });
        minor
            .map(|minor| Amount(minor).of(currency))
            .ok_or_else(overflow)
    }
}

#[cold]
fn syntax(text: &str) -> MoneyError {
    MoneyError::Syntax {
        text: excerpt(text),
    }
}

#[cold]
fn precision(text: &str, currency: Currency, found: usize) -> MoneyError {
    MoneyError::Precision {
        text: excerpt(text),
        currency,
        found,
        allowed: currency.exponent(),
    }
}

fn excerpt(text: &str) -> Box<str> {
    text.get(..text.floor_char_boundary(64))
        .unwrap_or(text)
        .into()
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut buffer = [b'0'; DECIMAL_BYTES_MAX];
        let decimal = core::str::from_utf8(self.decimal(&mut buffer)).unwrap_or_default();
        write!(f, "{decimal} {}", self.currency)
    }
}

impl fmt::Debug for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Money({self})")
    }
}
