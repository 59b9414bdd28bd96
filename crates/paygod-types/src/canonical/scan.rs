//! The strict scanner: one pass over bytes that must be canonical, without allocation.
//!
//! [`check`], [`super::Reader`] and the fast path of [`super::canonicalize`] all go through it, so that
//! none accepts what another refuses: INVARIANT(canonical).

use super::error::{CanonicalError, Fault};
use super::{Limits, Numbers, key, number, text};

/// Checks that `bytes` are the canonical spelling of one I-JSON value.
///
/// # Errors
/// The first byte at fault, and why: white space, another order of keys, a key twice, a needless
/// escape, a lone surrogate, bytes that are not UTF-8, another spelling of a number, an integer past
/// 2^53 − 1, or a limit passed.
pub fn check(bytes: &[u8], limits: &Limits) -> Result<(), CanonicalError> {
    let mut scanner = Scanner::new(bytes, limits)?;
    scanner.value(0)?;
    scanner.end()
}

/// A string as it stands between its quotes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Raw<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) start: usize,
    pub(super) escaped: bool,
}

/// A position in a document that is valid UTF-8 and within its size limit.
#[derive(Clone, Debug)]
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
    depth_max: usize,
    numbers: Numbers,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(bytes: &'a [u8], limits: &Limits) -> Result<Self, CanonicalError> {
        if bytes.len() > limits.bytes_max {
            let fault = Fault::TooLarge {
                found: bytes.len(),
                allowed: limits.bytes_max,
            };
            return Err(CanonicalError::new(limits.bytes_max, fault));
        }
        // Checked whole and first: it runs far faster than string by string, and after it every
        // byte of 0x80 or more may pass.
        let text = core::str::from_utf8(bytes)
            .map_err(|error| CanonicalError::new(error.valid_up_to(), Fault::NotUtf8))?;
        Ok(Self {
            text,
            at: 0,
            depth_max: limits.depth(),
            numbers: limits.numbers,
        })
    }

    #[inline]
    pub(super) fn at(&self) -> usize {
        self.at
    }

    #[inline]
    pub(super) fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    /// The text between two offsets that stand on ASCII bytes.
    #[inline]
    pub(super) fn text(&self, start: usize, end: usize) -> &'a str {
        self.text.get(start..end).unwrap_or_default()
    }

    #[inline]
    pub(super) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    #[inline]
    pub(super) fn advance(&mut self, count: usize) {
        self.at += count;
    }

    /// Goes back to an offset passed before.
    #[inline]
    pub(super) fn rewind(&mut self, at: usize) {
        self.at = at;
    }

    #[inline]
    pub(super) fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    #[inline]
    pub(super) fn expect(
        &mut self,
        byte: u8,
        expected: &'static str,
    ) -> Result<(), CanonicalError> {
        if self.eat(byte) {
            Ok(())
        } else {
            Err(self.unexpected(expected))
        }
    }

    #[cold]
    pub(super) fn unexpected(&self, expected: &'static str) -> CanonicalError {
        self.fault(match self.peek() {
            None => Fault::Ends { expected },
            Some(b' ' | b'\t' | b'\n' | b'\r') => Fault::WhiteSpace,
            Some(_) => Fault::Syntax { expected },
        })
    }

    #[cold]
    pub(super) fn fault(&self, fault: Fault) -> CanonicalError {
        CanonicalError::new(self.at, fault)
    }

    /// Fails unless the whole document was read.
    pub(super) fn end(&self) -> Result<(), CanonicalError> {
        match self.peek() {
            None => Ok(()),
            Some(b' ' | b'\t' | b'\n' | b'\r') => Err(self.fault(Fault::WhiteSpace)),
            Some(_) => Err(self.fault(Fault::Trailing)),
        }
    }

    /// Passes one value that stands inside `depth` arrays and objects.
    pub(super) fn value(&mut self, depth: usize) -> Result<(), CanonicalError> {
        match self.peek() {
            Some(b'"') => self.string("a string").map(drop),
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'-' | b'0'..=b'9') => self.number().map(drop),
            Some(b't') => self.literal(b"true", "`true`"),
            Some(b'f') => self.literal(b"false", "`false`"),
            Some(b'n') => self.literal(b"null", "`null`"),
            _ => Err(self.unexpected("a value")),
        }
    }

    fn object(&mut self, depth: usize) -> Result<(), CanonicalError> {
        self.descend(depth)?;
        self.advance(1);
        if self.eat(b'}') {
            return Ok(());
        }
        let mut last: Option<Raw<'a>> = None;
        loop {
            let key = self.string("a key")?;
            check_order(last.as_ref(), &key)?;
            last = Some(key);
            self.expect(b':', "a colon")?;
            self.value(depth + 1)?;
            if !self.eat(b',') {
                return self.expect(b'}', "a comma or the end of the object");
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<(), CanonicalError> {
        self.descend(depth)?;
        self.advance(1);
        if self.eat(b']') {
            return Ok(());
        }
        loop {
            self.value(depth + 1)?;
            if !self.eat(b',') {
                return self.expect(b']', "a comma or the end of the array");
            }
        }
    }

    #[inline]
    pub(super) fn descend(&self, depth: usize) -> Result<(), CanonicalError> {
        if depth < self.depth_max {
            Ok(())
        } else {
            Err(self.fault(Fault::TooDeep {
                allowed: self.depth_max,
            }))
        }
    }

    #[inline]
    pub(super) fn literal(
        &mut self,
        literal: &[u8],
        expected: &'static str,
    ) -> Result<(), CanonicalError> {
        if !self.rest().starts_with(literal) {
            return Err(self.fault(Fault::Syntax { expected }));
        }
        self.advance(literal.len());
        Ok(())
    }

    /// Passes a number; its value when it is an integer from 0.
    #[inline]
    pub(super) fn number(&mut self) -> Result<Option<u64>, CanonicalError> {
        match number::check(self.rest(), self.numbers) {
            Ok((length, value)) => {
                self.advance(length);
                Ok(value)
            }
            Err(fault) => Err(self.fault(fault)),
        }
    }

    /// Passes a string.
    #[inline(always)]
    pub(super) fn string(&mut self, expected: &'static str) -> Result<Raw<'a>, CanonicalError> {
        self.expect(b'"', expected)?;
        let start = self.at;
        let rest = self.rest();
        let length = text::plain_run(rest);
        if rest.get(length) == Some(&b'"') {
            self.at += length + 1;
            let bytes = rest.get(..length).unwrap_or_default();
            return Ok(Raw {
                bytes,
                start,
                escaped: false,
            });
        }
        self.advance(length);
        self.escaped_string(start)
    }

    #[cold]
    fn escaped_string(&mut self, start: usize) -> Result<Raw<'a>, CanonicalError> {
        loop {
            match self.peek() {
                Some(b'"') => {
                    let bytes = self.text(start, self.at).as_bytes();
                    self.advance(1);
                    return Ok(Raw {
                        bytes,
                        start,
                        escaped: true,
                    });
                }
                Some(b'\\') => {
                    let after = self.rest().get(1..).unwrap_or_default();
                    let (_, length) =
                        text::canonical_escape(after).map_err(|fault| self.fault(fault))?;
                    self.advance(1 + length);
                }
                Some(_) => return Err(self.fault(Fault::ControlCharacter)),
                None => return Err(self.unexpected("the closing quote")),
            }
            self.advance(text::plain_run(self.rest()));
        }
    }
}

/// Fails unless `key` comes after `last` in the same object.
#[inline]
pub(super) fn check_order(last: Option<&Raw<'_>>, key: &Raw<'_>) -> Result<(), CanonicalError> {
    let Some(last) = last else { return Ok(()) };
    match key::compare_raw(last, key) {
        core::cmp::Ordering::Less => Ok(()),
        core::cmp::Ordering::Equal => Err(CanonicalError::new(key.start, Fault::DuplicateKey)),
        core::cmp::Ordering::Greater => Err(CanonicalError::new(key.start, Fault::KeyOrder)),
    }
}
