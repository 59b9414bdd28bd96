//! The types of the language, and the literals that are written as text.

use std::sync::Arc;

use crate::schema::ObjectSpec;

/// What a value can be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    Bool,
    Int,
    Decimal,
    Text,
    Money,
    Timestamp,
    Duration,
    List(Box<Type>),
    /// An object of a schema: has fields, is no value of its own.
    Object(Arc<ObjectSpec>),
}

impl Type {
    /// Whether values of this type have an order.
    pub(crate) const fn ordered(&self) -> bool {
        !matches!(self, Self::Bool | Self::List(_) | Self::Object(_))
    }

    /// Whether values of this type stand alone.
    pub(crate) const fn scalar(&self) -> bool {
        !matches!(self, Self::List(_) | Self::Object(_))
    }
}

impl core::fmt::Display for Type {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Bool => f.write_str("bool"),
            Self::Int => f.write_str("int"),
            Self::Decimal => f.write_str("decimal"),
            Self::Text => f.write_str("string"),
            Self::Money => f.write_str("money"),
            Self::Timestamp => f.write_str("timestamp"),
            Self::Duration => f.write_str("duration"),
            Self::List(inner) => write!(f, "list of {inner}"),
            Self::Object(_) => f.write_str("object"),
        }
    }
}

/// Reads a duration as conditions spell it: `24h`, `1h30m`, `7d`, `500ms`; in nanoseconds.
pub(crate) fn parse_duration(text: &str) -> Option<i64> {
    const UNITS: [(&str, i64); 7] = [
        ("ns", 1),
        ("us", 1_000),
        ("ms", 1_000_000),
        ("s", 1_000_000_000),
        ("m", 60_000_000_000),
        ("h", 3_600_000_000_000),
        ("d", 86_400_000_000_000),
    ];
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let mut total: i64 = 0;
    let mut previous = i64::MAX;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, tail) = rest.split_at_checked(digits)?;
        let letters = tail
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at_checked(letters)?;
        let unit = UNITS.iter().find(|(name, _)| *name == unit)?.1;
        // Larger units first, each once: one spelling less to misread.
        if unit >= previous {
            return None;
        }
        previous = unit;
        total = total.checked_add(number.parse::<i64>().ok()?.checked_mul(unit)?)?;
        rest = tail;
    }
    Some(if negative { -total } else { total })
}

/// A duration in the largest unit that divides it.
pub(crate) fn duration_text(ns: i64) -> String {
    if ns == 0 {
        return "0s".to_owned();
    }
    const UNITS: [(&str, i64); 6] = [
        ("d", 86_400_000_000_000),
        ("h", 3_600_000_000_000),
        ("m", 60_000_000_000),
        ("s", 1_000_000_000),
        ("ms", 1_000_000),
        ("us", 1_000),
    ];
    let unit = UNITS.iter().find(|(_, unit)| ns % unit == 0);
    unit.map_or_else(
        || format!("{ns}ns"),
        |(name, unit)| format!("{}{name}", ns / unit),
    )
}

/// Reads an ISO 8601 duration without years and months, `P1DT2H30M5S`; in nanoseconds.
pub(crate) fn parse_iso_duration(text: &str) -> Option<i64> {
    let rest = text.strip_prefix('P')?;
    let (days, time) = rest.split_once('T').unwrap_or((rest, ""));
    let mut total: i64 = 0;
    let mut any = false;
    let mut take = |part: &str, units: &[(char, i64)]| -> Option<()> {
        let mut rest = part;
        for (letter, seconds) in units {
            if let Some((number, tail)) = rest.split_once(*letter) {
                if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
                    return None;
                }
                let ns = seconds.checked_mul(1_000_000_000)?;
                total = total.checked_add(number.parse::<i64>().ok()?.checked_mul(ns)?)?;
                any = true;
                rest = tail;
            }
        }
        rest.is_empty().then_some(())
    };
    take(days, &[('W', 604_800), ('D', 86_400)])?;
    take(time, &[('H', 3_600), ('M', 60), ('S', 1)])?;
    (any && !(text.ends_with('T'))).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_one_reading() {
        assert_eq!(parse_duration("24h"), parse_duration("1d"));
        assert_eq!(parse_duration("1h30m"), Some(5_400_000_000_000));
        assert_eq!(parse_duration("-5s"), Some(-5_000_000_000));
        for bad in [
            "",
            "-",
            "24",
            "h",
            "1m1h",
            "1h1h",
            "1.5h",
            "1 h",
            "1w",
            "99999999999d",
        ] {
            assert_eq!(parse_duration(bad), None, "{bad}");
        }
        assert_eq!(parse_iso_duration("P1DT2H"), Some(93_600_000_000_000));
        for bad in ["", "P", "PT", "P1DT", "1D", "P1M", "PT1.5S", "P1H"] {
            assert_eq!(parse_iso_duration(bad), None, "{bad}");
        }
    }
}
