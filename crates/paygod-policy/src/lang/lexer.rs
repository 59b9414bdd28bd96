//! Condition text to tokens. Bounded by the text's length, which the parser bounds.

use super::ast::{Problem, Span};
use crate::decimal::Decimal;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    Int(u64),
    Decimal(Decimal),
    Text(String),
    Name(String),
    /// An operator or punctuation mark.
    Mark(&'static str),
    End,
}

impl Token {
    /// How a message names it.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Int(value) => format!("`{value}`"),
            Self::Decimal(value) => format!("`{value}`"),
            Self::Text(text) => format!("the string {text:?}"),
            Self::Name(name) => format!("`{name}`"),
            Self::Mark(mark) => format!("`{mark}`"),
            Self::End => "the end of the condition".to_owned(),
        }
    }
}

/// Longer marks first, so that the first that fits is the longest.
const MARKS: [&str; 25] = [
    "&&", "||", "==", "!=", "<=", ">=", "?.", ".?", "<", ">", "!", "+", "-", "*", "/", "%", "(",
    ")", "[", "]", ",", ".", "?", ":", "=",
];

/// Splits a condition into tokens, the last being [`Token::End`].
pub(crate) fn tokens(text: &str) -> Result<Vec<(Token, Span)>, Problem> {
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..) {
        let Some(first) = rest.chars().next() else {
            break;
        };
        if first.is_ascii_whitespace() {
            at += 1;
            continue;
        }
        if rest.starts_with("//") {
            at += rest.find('\n').unwrap_or(rest.len());
            continue;
        }
        let (token, length) = one(rest).map_err(|(length, message)| Problem {
            span: Span {
                start: at,
                end: at + length,
            },
            message,
        })?;
        out.push((
            token,
            Span {
                start: at,
                end: at + length,
            },
        ));
        at += length;
    }
    out.push((
        Token::End,
        Span {
            start: text.len(),
            end: text.len(),
        },
    ));
    Ok(out)
}

fn one(rest: &str) -> Result<(Token, usize), (usize, String)> {
    let first = rest.chars().next().unwrap_or(' ');
    if first == '"' || first == '\'' {
        return string(rest, first, false);
    }
    if (rest.starts_with("r\"") || rest.starts_with("r'"))
        && let Some(quoted) = rest.get(1..)
        && let Some(quote) = quoted.chars().next()
    {
        return string(quoted, quote, true).map(|(token, length)| (token, length + 1));
    }
    if first.is_ascii_digit() {
        return number(rest);
    }
    if first.is_ascii_alphabetic() || first == '_' {
        let length = rest
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .unwrap_or(rest.len());
        let name = rest.get(..length).unwrap_or_default();
        return Ok((Token::Name(name.to_owned()), length));
    }
    match MARKS.iter().find(|mark| rest.starts_with(**mark)) {
        Some(&"=") => Err((1, "a single `=` compares nothing; write `==`".to_owned())),
        Some(mark) => Ok((Token::Mark(mark), mark.len())),
        None if first == '&' => Err((1, "a single `&` is no operator; write `&&`".to_owned())),
        None if first == '|' => Err((1, "a single `|` is no operator; write `||`".to_owned())),
        None => Err((
            first.len_utf8(),
            format!("the character {first:?} has no meaning here; put text into quotes"),
        )),
    }
}

fn number(rest: &str) -> Result<(Token, usize), (usize, String)> {
    let digits = |t: &str| t.find(|c: char| !c.is_ascii_digit()).unwrap_or(t.len());
    let mut length = digits(rest);
    let fraction = rest
        .get(length..)
        .and_then(|t| t.strip_prefix('.'))
        .map_or(0, digits);
    let decimal = fraction > 0;
    if decimal {
        length += 1 + fraction;
    }
    let tail = rest.get(length..).and_then(|t| t.chars().next());
    if tail.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Err((
            length + 1,
            "a number ends in a letter; write it with digits and a point only, such as `1000.50`"
                .to_owned(),
        ));
    }
    let text = rest.get(..length).unwrap_or_default();
    if text.len() > 1 && text.starts_with('0') && !text.starts_with("0.") {
        return Err((
            length,
            format!("`{text}` begins with a zero; write it without"),
        ));
    }
    if decimal {
        let value = Decimal::parse(text).ok_or_else(|| {
            (
                length,
                format!("`{text}` has more than 38 digits; shorten it"),
            )
        })?;
        return Ok((Token::Decimal(value), length));
    }
    match text.parse::<u64>() {
        Ok(value) if value <= i64::MAX.unsigned_abs() => Ok((Token::Int(value), length)),
        _ => Err((
            length,
            format!("`{text}` does not fit in an int; write it as a decimal, `{text}.0`"),
        )),
    }
}

fn string(rest: &str, quote: char, raw: bool) -> Result<(Token, usize), (usize, String)> {
    let mut out = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        if c == quote {
            return Ok((Token::Text(out), at + 1));
        }
        if c != '\\' || raw {
            out.push(c);
            continue;
        }
        let decoded = match chars.next() {
            Some((_, 'n')) => '\n',
            Some((_, 't')) => '\t',
            Some((_, 'r')) => '\r',
            Some((_, c @ ('\\' | '"' | '\''))) => c,
            Some((at, 'u')) => {
                let digits = rest.get(at + 1..at + 5).unwrap_or_default();
                let scalar = u32::from_str_radix(digits, 16)
                    .ok()
                    .and_then(char::from_u32);
                let Some(c) = scalar else {
                    return Err((at + 1, "`\\u` takes four hexadecimal digits".to_owned()));
                };
                for _ in 0..4 {
                    chars.next();
                }
                c
            }
            _ => {
                return Err((
                    at + 2,
                    "this escape is unknown; use \\n \\t \\r \\\\ \\\" \\' \\uXXXX, or r\"…\" for a \
                     pattern"
                        .to_owned(),
                ));
            }
        };
        out.push(decoded);
    }
    Err((
        rest.len(),
        format!("the string does not end; close it with {quote}"),
    ))
}
