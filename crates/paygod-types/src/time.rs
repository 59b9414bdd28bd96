//! Points in time: nanoseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
//!
//! The canonical text is `2026-11-22T09:40:05.123456789Z`: always UTC, always nine digits.
//!
//! It does not read a clock.

use core::fmt;
use core::str::FromStr;
use core::time::Duration;

use crate::code::{self, Code};

const NANOS_PER_SECOND: u64 = 1_000_000_000;
const SECONDS_PER_DAY: u64 = 86_400;

/// A point in time, from 1970 to 2554.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

/// A day of the proleptic Gregorian calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    /// Year, 1970 to 2554.
    pub year: u16,
    /// Month, 1 to 12.
    pub month: u8,
    /// Day of the month, 1 to 31.
    pub day: u8,
}

/// Why a text is not a time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// Not the form expected.
    #[error("`{text}` is not a time; write it as `2026-11-22T09:40:05.123456789Z`")]
    Syntax {
        /// The text found, at most 64 bytes of it.
        text: Box<str>,
    },
    /// No such day or hour, or outside the range of years.
    #[error("`{text}` is not a time between 1970 and 2554; correct its date, hour or offset")]
    Range {
        /// The text found, at most 64 bytes of it.
        text: Box<str>,
    },
}

impl TimeError {
    /// The permanent code.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Syntax { .. } => code::TIME_SYNTAX,
            Self::Range { .. } => code::TIME_RANGE,
        }
    }
}

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(0);

    /// Length of the canonical text, in bytes.
    pub const TEXT_BYTES: usize = 30;

    /// The time this many nanoseconds after 1970.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since 1970.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The time `duration` later, or `None` past the range.
    #[must_use]
    pub fn checked_add(self, duration: Duration) -> Option<Self> {
        let nanos = u64::try_from(duration.as_nanos()).ok()?;
        self.0.checked_add(nanos).map(Self)
    }

    /// The time `duration` earlier, or `None` before 1970.
    #[must_use]
    pub fn checked_sub(self, duration: Duration) -> Option<Self> {
        let nanos = u64::try_from(duration.as_nanos()).ok()?;
        self.0.checked_sub(nanos).map(Self)
    }

    /// How long `self` is after `earlier`, or `None` when it is before.
    #[must_use]
    pub const fn duration_since(self, earlier: Self) -> Option<Duration> {
        match self.0.checked_sub(earlier.0) {
            Some(nanos) => Some(Duration::from_nanos(nanos)),
            None => None,
        }
    }

    /// The day, in UTC.
    #[must_use]
    pub fn date(self) -> Date {
        date_of_day(self.0 / NANOS_PER_SECOND / SECONDS_PER_DAY)
    }

    /// Reads the canonical text and nothing else.
    ///
    /// # Errors
    /// Another form, or no such time.
    pub fn parse_canonical(text: &str) -> Result<Self, TimeError> {
        if text.len() != Self::TEXT_BYTES || !text.ends_with('Z') {
            return Err(TimeError::Syntax {
                text: excerpt(text),
            });
        }
        Self::parse_rfc3339(text)
    }

    /// Reads an RFC 3339 time: `T` between date and time, up to nine digits of a second, `Z` or an
    /// offset in hours and minutes. A leap second (`:60`) is refused.
    ///
    /// # Errors
    /// Another form, or no such time.
    pub fn parse_rfc3339(text: &str) -> Result<Self, TimeError> {
        let fields = Fields::read(text.as_bytes()).ok_or_else(|| TimeError::Syntax {
            text: excerpt(text),
        })?;
        fields.timestamp().ok_or_else(|| TimeError::Range {
            text: excerpt(text),
        })
    }

    /// The canonical text.
    #[must_use]
    pub fn text(self) -> [u8; Self::TEXT_BYTES] {
        let seconds = self.0 / NANOS_PER_SECOND;
        let in_day = seconds % SECONDS_PER_DAY;
        let date = date_of_day(seconds / SECONDS_PER_DAY);
        let [y0, y1, y2, y3] = digits::<4>(u64::from(date.year));
        let [o0, o1] = digits::<2>(u64::from(date.month));
        let [d0, d1] = digits::<2>(u64::from(date.day));
        let [h0, h1] = digits::<2>(in_day / 3_600);
        let [m0, m1] = digits::<2>(in_day / 60 % 60);
        let [s0, s1] = digits::<2>(in_day % 60);
        let [n0, n1, n2, n3, n4, n5, n6, n7, n8] = digits::<9>(self.0 % NANOS_PER_SECOND);
        [
            y0, y1, y2, y3, b'-', o0, o1, b'-', d0, d1, b'T', h0, h1, b':', m0, m1, b':', s0, s1,
            b'.', n0, n1, n2, n3, n4, n5, n6, n7, n8, b'Z',
        ]
    }

    /// Appends the canonical text to `out`.
    pub fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.text());
    }
}

/// The last `N` decimal digits of `value`.
fn digits<const N: usize>(mut value: u64) -> [u8; N] {
    let mut out = [b'0'; N];
    for digit in out.iter_mut().rev() {
        *digit = b'0' | low_digit(value);
        value /= 10;
    }
    out
}

fn low_digit(value: u64) -> u8 {
    let [digit, ..] = (value % 10).to_le_bytes();
    digit
}

fn excerpt(text: &str) -> Box<str> {
    text.get(..text.floor_char_boundary(64))
        .unwrap_or(text)
        .into()
}

/// The day this many days after 1970-01-01. Years are counted from March, so that the leap day
/// comes last; 146,097 days make 400 years.
fn date_of_day(day: u64) -> Date {
    let shifted = day + 719_468;
    let era = shifted / 146_097;
    let of_era = shifted % 146_097;
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    // A u64 of nanoseconds ends in 2554, so none of the three saturates.
    Date {
        year: u16::try_from(year).unwrap_or(u16::MAX),
        month: u8::try_from(month).unwrap_or(u8::MAX),
        day: u8::try_from(day).unwrap_or(u8::MAX),
    }
}

/// Days from 1970-01-01 to a valid date of a year from 1970.
fn day_of_date(year: u64, month: u64, day: u64) -> u64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year / 400;
    let of_era = year % 400;
    let shifted_month = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * shifted_month + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

fn days_in_month(year: u64, month: u64) -> u64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        _ => 31,
    }
}

/// What an RFC 3339 text says, before it is known to be a time.
struct Fields {
    year: u64,
    month: u64,
    day: u64,
    hour: u64,
    minute: u64,
    second: u64,
    nanos: u64,
    offset_east: bool,
    offset_hours: u64,
    offset_minutes: u64,
}

impl Fields {
    fn read(text: &[u8]) -> Option<Self> {
        let (head, rest) = text.split_first_chunk::<19>()?;
        let [
            y0,
            y1,
            y2,
            y3,
            b'-',
            o0,
            o1,
            b'-',
            d0,
            d1,
            b'T',
            h0,
            h1,
            b':',
            m0,
            m1,
            b':',
            s0,
            s1,
        ] = *head
        else {
            return None;
        };
        let (nanos, rest) = fraction(rest)?;
        let (offset_east, offset_hours, offset_minutes) = match *rest {
            [b'Z'] => (true, 0, 0),
            [sign @ (b'+' | b'-'), h0, h1, b':', m0, m1] => {
                (sign == b'+', number(&[h0, h1])?, number(&[m0, m1])?)
            }
            _ => return None,
        };
        Some(Self {
            year: number(&[y0, y1, y2, y3])?,
            month: number(&[o0, o1])?,
            day: number(&[d0, d1])?,
            hour: number(&[h0, h1])?,
            minute: number(&[m0, m1])?,
            second: number(&[s0, s1])?,
            nanos,
            offset_east,
            offset_hours,
            offset_minutes,
        })
    }

    fn timestamp(&self) -> Option<Timestamp> {
        let valid = self.year >= 1970
            && (1..=12).contains(&self.month)
            && (1..=days_in_month(self.year, self.month)).contains(&self.day)
            && self.hour < 24
            && self.minute < 60
            && self.second < 60
            && self.offset_hours < 24
            && self.offset_minutes < 60;
        if !valid {
            return None;
        }
        let local = day_of_date(self.year, self.month, self.day) * SECONDS_PER_DAY
            + self.hour * 3_600
            + self.minute * 60
            + self.second;
        let offset = self.offset_hours * 3_600 + self.offset_minutes * 60;
        let seconds = if self.offset_east {
            local.checked_sub(offset)?
        } else {
            local.checked_add(offset)?
        };
        let nanos = seconds
            .checked_mul(NANOS_PER_SECOND)?
            .checked_add(self.nanos)?;
        Some(Timestamp(nanos))
    }
}

fn number(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0_u64, |value, digit| {
        digit
            .is_ascii_digit()
            .then(|| value * 10 + u64::from(digit & 0x0f))
    })
}

/// Reads `.` and one to nine digits as nanoseconds, or nothing as 0.
fn fraction(text: &[u8]) -> Option<(u64, &[u8])> {
    let Some(digits) = text.strip_prefix(b".") else {
        return Some((0, text));
    };
    let count = digits
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    if count == 0 || count > 9 {
        return None;
    }
    let (digits, rest) = digits.split_at_checked(count)?;
    let scale = (count..9).fold(1_u64, |scale, _| scale * 10);
    Some((number(digits)? * scale, rest))
}

impl FromStr for Timestamp {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        Self::parse_canonical(text)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(core::str::from_utf8(&self.text()).unwrap_or_default())
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Timestamp({self})")
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}
