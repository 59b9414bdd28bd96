//! Parts of times in a zone, and patterns.
//!
//! A zone is "UTC" or a fixed distance from it, never a name: when clocks change in a country is decided by
//! its government and told by a table that every upgrade may replace, and a decision must replay to the same
//! bytes for ever.

use std::sync::Arc;

use regex::RegexBuilder;

use super::ast::{Expr, Span};
use super::char_class::CharClass;
use super::check::{Checked, Checker, article, literal};
use super::functions::{plain, usage};
use super::ty::Type;
use super::typed::{DatePart, Kind, Pattern};
use crate::limits::{PATTERN_BYTES_MAX, PATTERNS_PER_PACK_MAX, REGEX_BYTES_MAX};

/// What a function of a time reads; the inner `None` where CEL counts otherwise than people do.
pub(super) fn part(name: &str) -> Option<Option<DatePart>> {
    Some(match name {
        "year" | "getFullYear" => Some(DatePart::Year),
        "month" => Some(DatePart::Month),
        "getDate" => Some(DatePart::Day),
        "getDayOfWeek" => Some(DatePart::DayOfWeek),
        "getHours" => Some(DatePart::Hour),
        "getMinutes" => Some(DatePart::Minute),
        "getSeconds" => Some(DatePart::Second),
        "getMonth" | "getDayOfMonth" | "getDayOfYear" => None,
        _ => return None,
    })
}

impl Checker<'_> {
    pub(super) fn date_part(
        &mut self,
        span: Span,
        (name, part): (&str, Option<DatePart>),
        of: &Expr,
        args: &[Expr],
    ) -> Checked {
        let Some(part) = part else {
            let message = format!(
                "CEL's `{name}` counts from 0; write `month(\"UTC\")` for 1 to 12 or `getDate(\"UTC\")` for 1 to 31"
            );
            return self.fail(span, message);
        };
        let typed = self.value(of)?;
        if typed.ty != Type::Timestamp {
            let message = format!(
                "`{name}` is read from a timestamp, this is {}",
                article(&typed.ty)
            );
            return self.fail(of.span, message);
        }
        let [zone] = args else {
            let message = format!("`{name}` is written {}", usage(name, true));
            return self.fail(span, message);
        };
        let Some(offset) = literal(zone).and_then(|zone| offset(&zone)) else {
            let message = "the zone is `\"UTC\"` or a fixed distance from it such as `\"+01:00\"`; names such as \
                           `Europe/Zurich` are not known, because their rules change";
            return self.fail(zone.span, message);
        };
        plain(
            Kind::DatePart(part, offset, Box::new(typed)),
            Type::Int,
            span,
        )
    }

    /// `text.matches("pattern")`: whether the pattern is found anywhere in the text.
    pub(super) fn matches(&mut self, span: Span, of: &Expr, pattern: &Expr) -> Checked {
        let of = self.text(of, "matches");
        let Some(text) = literal(pattern) else {
            let message =
                "a pattern is text in quotes, best as r\"^[A-Z]{2}\", so that it is checked now";
            return self.fail(pattern.span, message);
        };
        let known = self.collected.patterns.iter().find(|p| *p.text == *text);
        let pattern = match known.map(Arc::clone) {
            Some(pattern) => pattern,
            None => {
                let compiled = compile(&text);
                let pattern = match compiled {
                    Ok(pattern) => Arc::new(pattern),
                    Err(message) => return self.fail(pattern.span, message),
                };
                if self.collected.patterns.len() >= PATTERNS_PER_PACK_MAX {
                    let message =
                        format!("a pack has at most {PATTERNS_PER_PACK_MAX} patterns; join some");
                    return self.fail(span, message);
                }
                self.collected.patterns.push(Arc::clone(&pattern));
                pattern
            }
        };
        plain(Kind::Matches(Box::new(of?), pattern), Type::Bool, span)
    }
}

fn compile(text: &str) -> Result<Pattern, String> {
    if text.len() > PATTERN_BYTES_MAX {
        return Err(format!(
            "the pattern has {} bytes, {PATTERN_BYTES_MAX} are allowed; split it",
            text.len()
        ));
    }
    let built = RegexBuilder::new(text)
        .size_limit(REGEX_BYTES_MAX)
        .dfa_size_limit(REGEX_BYTES_MAX)
        .build();
    match built {
        Ok(regex) => Ok(Pattern {
            text: text.to_owned(),
            regex,
            class: CharClass::of(text),
        }),
        Err(regex::Error::CompiledTooBig(_)) => Err(format!(
            "the pattern takes more than {REGEX_BYTES_MAX} bytes when compiled; make its repetitions smaller"
        )),
        Err(error) => {
            // The library draws the pattern with a mark below it; its last line says what is wrong.
            let text = error.to_string();
            let last = text.lines().last().unwrap_or_default();
            let said = last.strip_prefix("error: ").unwrap_or(last);
            let why = if said.contains("look-around") || said.contains("backreference") {
                "; patterns are searched in linear time, so they look neither back nor around"
            } else {
                ""
            };
            Err(format!("this is no pattern: {said}{why}"))
        }
    }
}

/// Seconds east of UTC.
fn offset(zone: &str) -> Option<i32> {
    if zone == "UTC" {
        return Some(0);
    }
    let (sign, rest) = match zone.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    let two = |text: &str, max: i32| {
        let plain = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
        text.parse::<i32>().ok().filter(|n| plain && *n <= max)
    };
    Some(sign * (two(hours, 14)? * 3_600 + two(minutes, 59)? * 60))
}
