//! Turns any JSON text into its canonical spelling.
//!
//! It refuses what has no spelling of its own: duplicate keys, lone surrogates, integers past
//! 2^53 − 1. It never repairs: a comment, a trailing comma or a byte order mark is an error.

use std::borrow::Cow;
use std::ops::Range;

use super::error::{CanonicalError, Fault};
use super::scan::Scanner;
use super::{Limits, key, number, text};

/// Appends the canonical spelling of the JSON text `bytes` to `out`.
///
/// Text that is canonical already is checked and copied. Memory is bounded by the size of the text;
/// each level of nesting may move its bytes once.
///
/// # Errors
/// The first byte at fault, and why; `out` is then as it was.
pub fn canonicalize(
    bytes: &[u8],
    limits: &Limits,
    out: &mut Vec<u8>,
) -> Result<(), CanonicalError> {
    if super::check(bytes, limits).is_ok() {
        out.extend_from_slice(bytes);
        return Ok(());
    }
    let start = out.len();
    let result = spell(bytes, limits, out, start);
    if result.is_err() {
        out.truncate(start);
    }
    result
}

fn spell(
    bytes: &[u8],
    limits: &Limits,
    out: &mut Vec<u8>,
    start: usize,
) -> Result<(), CanonicalError> {
    let mut canonicalizer = Canonicalizer {
        scanner: Scanner::new(bytes, limits)?,
        limits: *limits,
        out,
        members: Vec::with_capacity(MEMBERS_TYPICAL),
        moved: Vec::new(),
    };
    canonicalizer.value(0)?;
    canonicalizer.white_space();
    canonicalizer.scanner.end()?;
    let found = out.len() - start;
    if found > limits.bytes_max {
        let fault = Fault::TooLarge {
            found,
            allowed: limits.bytes_max,
        };
        return Err(CanonicalError::new(bytes.len(), fault));
    }
    Ok(())
}

struct Canonicalizer<'a, 'o> {
    scanner: Scanner<'a>,
    limits: Limits,
    out: &'o mut Vec<u8>,
    /// The members of the objects that were begun, those of the innermost last.
    members: Vec<Member<'a>>,
    /// Where the members of an object stand while they are put in order.
    moved: Vec<u8>,
}

/// Members of open objects that most documents have at once.
const MEMBERS_TYPICAL: usize = 32;

/// A member already spelled, and where in the output it stands.
struct Member<'a> {
    key: Cow<'a, str>,
    key_offset: usize,
    spelled: Range<usize>,
}

impl<'a> Canonicalizer<'a, '_> {
    fn white_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.scanner.peek() {
            self.scanner.advance(1);
        }
    }

    fn value(&mut self, depth: usize) -> Result<(), CanonicalError> {
        self.white_space();
        match self.scanner.peek() {
            Some(b'"') => self.string("a string").map(drop),
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.literal(b"true", "`true`"),
            Some(b'f') => self.literal(b"false", "`false`"),
            Some(b'n') => self.literal(b"null", "`null`"),
            _ => Err(self.scanner.unexpected("a value")),
        }
    }

    fn literal(&mut self, literal: &[u8], expected: &'static str) -> Result<(), CanonicalError> {
        self.scanner.literal(literal, expected)?;
        self.out.extend_from_slice(literal);
        Ok(())
    }

    fn number(&mut self) -> Result<(), CanonicalError> {
        // Most numbers are short integers, spelled as they should be.
        let rest = self.scanner.rest();
        if let Some((length, _)) = number::plain_integer(rest) {
            self.out
                .extend_from_slice(rest.get(..length).unwrap_or_default());
            self.scanner.advance(length);
            return Ok(());
        }
        let (length, value) = number::read(self.scanner.rest(), self.limits.numbers)
            .map_err(|fault| self.scanner.fault(fault))?;
        let spelled =
            number::format(value).ok_or_else(|| self.scanner.fault(Fault::NumberRange))?;
        self.out.extend_from_slice(spelled.as_bytes());
        self.scanner.advance(length);
        Ok(())
    }

    fn array(&mut self, depth: usize) -> Result<(), CanonicalError> {
        self.scanner.descend(depth)?;
        self.scanner.advance(1);
        self.out.push(b'[');
        self.white_space();
        if self.scanner.eat(b']') {
            self.out.push(b']');
            return Ok(());
        }
        loop {
            self.value(depth + 1)?;
            self.white_space();
            if !self.scanner.eat(b',') {
                self.scanner
                    .expect(b']', "a comma or the end of the array")?;
                self.out.push(b']');
                return Ok(());
            }
            self.out.push(b',');
        }
    }

    fn object(&mut self, depth: usize) -> Result<(), CanonicalError> {
        self.scanner.descend(depth)?;
        self.scanner.advance(1);
        self.out.push(b'{');
        self.white_space();
        if self.scanner.eat(b'}') {
            self.out.push(b'}');
            return Ok(());
        }
        let begun = self.members.len();
        loop {
            let member = self.member(depth)?;
            self.members.push(member);
            self.white_space();
            if !self.scanner.eat(b',') {
                break;
            }
            self.out.push(b',');
        }
        self.scanner
            .expect(b'}', "a comma or the end of the object")?;
        self.order(begun)?;
        self.members.truncate(begun);
        self.out.push(b'}');
        Ok(())
    }

    fn member(&mut self, depth: usize) -> Result<Member<'a>, CanonicalError> {
        self.white_space();
        let key_offset = self.scanner.at();
        let start = self.out.len();
        let key = self.string("a key")?;
        self.white_space();
        self.scanner.expect(b':', "a colon")?;
        self.out.push(b':');
        self.value(depth + 1)?;
        Ok(Member {
            key,
            key_offset,
            spelled: start..self.out.len(),
        })
    }

    /// Puts the members from `begun` on, which stand at the end of the output, in the order of their keys.
    fn order(&mut self, begun: usize) -> Result<(), CanonicalError> {
        let members = self.members.get_mut(begun..).unwrap_or_default();
        let Some(start) = members.first().map(|member| member.spelled.start) else {
            return Ok(());
        };
        let ordered = members.is_sorted_by(|a, b| key::compare(&a.key, &b.key).is_lt());
        if ordered {
            return Ok(());
        }
        members.sort_by(|a, b| key::compare(&a.key, &b.key));
        let twins = members
            .iter()
            .zip(members.iter().skip(1))
            .find(|(a, b)| a.key == b.key);
        if let Some((_, twin)) = twins {
            return Err(CanonicalError::new(twin.key_offset, Fault::DuplicateKey));
        }
        self.moved.clear();
        for (index, member) in members.iter().enumerate() {
            if index > 0 {
                self.moved.push(b',');
            }
            let spelled = self.out.get(member.spelled.clone()).unwrap_or_default();
            self.moved.extend_from_slice(spelled);
        }
        self.out.truncate(start);
        self.out.extend_from_slice(&self.moved);
        Ok(())
    }

    /// Reads a string with any escapes, and spells it.
    fn string(&mut self, expected: &'static str) -> Result<Cow<'a, str>, CanonicalError> {
        let quote = self.scanner.at();
        self.scanner.expect(b'"', expected)?;
        let start = self.scanner.at();
        self.scanner.advance(text::plain_run(self.scanner.rest()));
        if self.scanner.peek() == Some(b'"') {
            let value = self.scanner.text(start, self.scanner.at());
            self.scanner.advance(1);
            let spelled = self.scanner.text(quote, self.scanner.at());
            self.out.extend_from_slice(spelled.as_bytes());
            return Ok(Cow::Borrowed(value));
        }
        let value = self.escaped(start)?;
        text::write(&value, self.out);
        Ok(Cow::Owned(value))
    }

    /// The rest of a string that begins at `start` and was read up to what is not plain.
    fn escaped(&mut self, start: usize) -> Result<String, CanonicalError> {
        let mut value = self.scanner.text(start, self.scanner.at()).to_owned();
        loop {
            match self.scanner.peek() {
                Some(b'"') => {
                    self.scanner.advance(1);
                    return Ok(value);
                }
                Some(b'\\') => {
                    let (character, length) = text::any_escape(self.scanner.rest())
                        .map_err(|fault| self.scanner.fault(fault))?;
                    value.push(character);
                    self.scanner.advance(length);
                }
                Some(_) => return Err(self.scanner.fault(Fault::ControlCharacter)),
                None => return Err(self.scanner.unexpected("the closing quote")),
            }
            let start = self.scanner.at();
            self.scanner.advance(text::plain_run(self.scanner.rest()));
            value.push_str(self.scanner.text(start, self.scanner.at()));
        }
    }
}
