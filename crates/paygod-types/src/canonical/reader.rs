//! A pull parser over bytes that must be canonical.
//!
//! A document read to its end through [`Reader::finish`] without an error is canonical: every byte is
//! passed by the strict scanner, whichever methods the caller uses. Strings without escapes are
//! borrowed; nothing is allocated for documents nested at most eight deep.
//!
//! It does not look ahead further than one token, and has no tree.

use std::borrow::Cow;

use super::error::{CanonicalError, Fault};
use super::scan::{Raw, Scanner, check_order};
use super::{Limits, text};

/// The type of the value that comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An object.
    Object,
    /// An array.
    Array,
    /// A string.
    String,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// `null`.
    Null,
}

/// Frames kept without allocation.
const FRAMES_INLINE: usize = 8;

/// An array or object that was begun.
#[derive(Clone, Copy, Debug)]
struct Frame<'a> {
    array: bool,
    empty: bool,
    last: Option<Raw<'a>>,
}

impl Frame<'_> {
    const fn new(array: bool) -> Self {
        Self {
            array,
            empty: true,
            last: None,
        }
    }
}

/// Reads one canonical document, value by value.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    scanner: Scanner<'a>,
    /// The innermost frame; meaningless at depth 0.
    frame: Frame<'a>,
    outer: [Frame<'a>; FRAMES_INLINE],
    outer_deep: Vec<Frame<'a>>,
    depth: usize,
    /// Whether a value may be read now: at the start, after a key, after `array_next`.
    ready: bool,
}

impl<'a> Reader<'a> {
    /// Begins to read `bytes`.
    ///
    /// # Errors
    /// Longer than the limit, or not UTF-8.
    pub fn new(bytes: &'a [u8], limits: &Limits) -> Result<Self, CanonicalError> {
        Ok(Self {
            scanner: Scanner::new(bytes, limits)?,
            frame: Frame::new(true),
            outer: [Frame::new(true); FRAMES_INLINE],
            outer_deep: Vec::new(),
            depth: 0,
            ready: true,
        })
    }

    /// Offset of the next byte, for errors of the caller's own.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.scanner.at()
    }

    /// Begins an object.
    ///
    /// # Errors
    /// Something else comes next, or the depth limit is passed.
    #[inline]
    pub fn object_begin(&mut self) -> Result<(), CanonicalError> {
        self.begin(b'{', "an object")
    }

    /// Begins an array.
    ///
    /// # Errors
    /// Something else comes next, or the depth limit is passed.
    #[inline]
    pub fn array_begin(&mut self) -> Result<(), CanonicalError> {
        self.begin(b'[', "an array")
    }

    #[inline]
    fn begin(&mut self, bracket: u8, expected: &'static str) -> Result<(), CanonicalError> {
        self.value_starts(expected)?;
        self.scanner.descend(self.depth)?;
        if !self.scanner.eat(bracket) {
            return Err(self.shape(expected));
        }
        if let Some(slot) = self.outer.get_mut(self.depth) {
            *slot = self.frame;
        } else {
            self.outer_deep.push(self.frame);
        }
        self.depth += 1;
        self.frame = Frame::new(bracket == b'[');
        self.ready = false;
        Ok(())
    }

    #[inline]
    fn end(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        self.frame = match self.outer.get(self.depth) {
            Some(frame) => *frame,
            None => self.outer_deep.pop().unwrap_or(Frame::new(true)),
        };
    }

    /// The next key of the object, or `None` at its end, which is passed.
    ///
    /// # Errors
    /// Not canonical, a key out of order or twice, or not inside an object.
    #[inline]
    pub fn next_key(&mut self) -> Result<Option<Cow<'a, str>>, CanonicalError> {
        if !self.between_members(false)? {
            return Ok(None);
        }
        let key = self.scanner.string("a key")?;
        self.key_passed(key)?;
        Ok(Some(self.decode(key)))
    }

    /// Passes the next key, which must be `key`: one without quotes, backslashes and controls.
    ///
    /// # Errors
    /// Another key or the end of the object comes next, or the bytes are not canonical.
    #[inline]
    pub fn expect_key(&mut self, key: &'static str) -> Result<(), CanonicalError> {
        if self.key_if(key)? {
            Ok(())
        } else {
            Err(self.shape(key))
        }
    }

    /// Passes the next key if it is `key`; otherwise leaves it, or the end of the object, in place.
    ///
    /// # Errors
    /// Not canonical, or not inside an object.
    #[inline]
    pub fn key_if(&mut self, key: &'static str) -> Result<bool, CanonicalError> {
        debug_assert_eq!(
            text::plain_run(key.as_bytes()),
            key.len(),
            "a key to be escaped"
        );
        self.inside(false)?;
        let before = self.scanner.at();
        if !self.frame.empty && !self.scanner.eat(b',') {
            return if self.scanner.peek() == Some(b'}') {
                Ok(false)
            } else {
                Err(self.scanner.unexpected("a comma or the end of the object"))
            };
        }
        let quoted = self.scanner.rest().split_first_chunk::<1>();
        let found = match quoted {
            Some((b"\"", rest)) => rest.strip_prefix(key.as_bytes()),
            _ => None,
        };
        let Some([b'"', b':', ..]) = found else {
            self.scanner.rewind(before);
            return Ok(false);
        };
        let raw = Raw {
            bytes: key.as_bytes(),
            start: self.scanner.at() + 1,
            escaped: false,
        };
        check_order(self.frame.last.as_ref(), &raw)?;
        self.frame.last = Some(raw);
        self.frame.empty = false;
        self.scanner.advance(key.len() + 3);
        self.ready = true;
        Ok(true)
    }

    /// Passes the end of the object.
    ///
    /// # Errors
    /// A further member comes next, or the bytes are not canonical.
    #[inline]
    pub fn object_end(&mut self) -> Result<(), CanonicalError> {
        self.inside(false)?;
        if self.scanner.eat(b'}') {
            self.end();
            return Ok(());
        }
        Err(match self.scanner.peek() {
            Some(b',' | b'"') => self.shape("the end of the object"),
            _ => self.scanner.unexpected("a comma or the end of the object"),
        })
    }

    /// Whether the array has a further value, which may then be read; at its end, passes it.
    ///
    /// # Errors
    /// Not canonical, or not inside an array.
    #[inline]
    pub fn array_next(&mut self) -> Result<bool, CanonicalError> {
        let further = self.between_members(true)?;
        self.ready = further;
        Ok(further)
    }

    /// Reads a string.
    ///
    /// # Errors
    /// Something else comes next, or it is not canonical.
    #[inline]
    pub fn string(&mut self) -> Result<Cow<'a, str>, CanonicalError> {
        self.value_starts("a string")?;
        if self.scanner.peek() != Some(b'"') {
            return Err(self.shape("a string"));
        }
        let raw = self.scanner.string("a string")?;
        self.ready = false;
        Ok(self.decode(raw))
    }

    /// Reads an integer from 0 to 2^53 − 1.
    ///
    /// # Errors
    /// Something else comes next, or it is not canonical.
    #[inline]
    pub fn u64(&mut self) -> Result<u64, CanonicalError> {
        self.value_starts("an integer")?;
        let at = self.scanner.at();
        let shape = CanonicalError::new(
            at,
            Fault::Shape {
                expected: "an integer from 0",
            },
        );
        if !matches!(self.scanner.peek(), Some(b'-' | b'0'..=b'9')) {
            return Err(self.shape("an integer from 0"));
        }
        let value = self.scanner.number()?;
        self.ready = false;
        value.ok_or(shape)
    }

    /// Reads a number as it is spelled.
    ///
    /// # Errors
    /// Something else comes next, or it is not canonical.
    pub fn number(&mut self) -> Result<&'a str, CanonicalError> {
        self.value_starts("a number")?;
        let start = self.scanner.at();
        if !matches!(self.scanner.peek(), Some(b'-' | b'0'..=b'9')) {
            return Err(self.shape("a number"));
        }
        self.scanner.number()?;
        self.ready = false;
        Ok(self.scanner.text(start, self.scanner.at()))
    }

    /// Reads `true` or `false`.
    ///
    /// # Errors
    /// Something else comes next.
    pub fn boolean(&mut self) -> Result<bool, CanonicalError> {
        self.value_starts("true or false")?;
        let value = match self.scanner.peek() {
            Some(b't') => self.scanner.literal(b"true", "`true`").map(|()| true),
            Some(b'f') => self.scanner.literal(b"false", "`false`").map(|()| false),
            _ => Err(self.shape("true or false")),
        }?;
        self.ready = false;
        Ok(value)
    }

    /// Reads `null`.
    ///
    /// # Errors
    /// Something else comes next.
    pub fn null(&mut self) -> Result<(), CanonicalError> {
        self.value_starts("null")?;
        if self.scanner.peek() != Some(b'n') {
            return Err(self.shape("null"));
        }
        self.scanner.literal(b"null", "`null`")?;
        self.ready = false;
        Ok(())
    }

    /// The type of the value that comes next; nothing is passed.
    ///
    /// # Errors
    /// No value can stand here.
    pub fn peek(&self) -> Result<Kind, CanonicalError> {
        self.value_starts("a value")?;
        match self.scanner.peek() {
            Some(b'{') => Ok(Kind::Object),
            Some(b'[') => Ok(Kind::Array),
            Some(b'"') => Ok(Kind::String),
            Some(b'-' | b'0'..=b'9') => Ok(Kind::Number),
            Some(b't' | b'f') => Ok(Kind::Boolean),
            Some(b'n') => Ok(Kind::Null),
            _ => Err(self.scanner.unexpected("a value")),
        }
    }

    /// Passes a whole value, checking it, and returns its canonical bytes.
    ///
    /// # Errors
    /// Not canonical.
    pub fn skip(&mut self) -> Result<&'a [u8], CanonicalError> {
        self.value_starts("a value")?;
        let start = self.scanner.at();
        self.scanner.value(self.depth)?;
        self.ready = false;
        Ok(self.scanner.text(start, self.scanner.at()).as_bytes())
    }

    /// Passes the next value if its bytes are `known`, a whole array or object that was read before, as
    /// deep and within the same limits; otherwise leaves it in place. What was canonical then is now.
    #[inline]
    pub fn value_if(&mut self, known: &[u8]) -> bool {
        let again = self.ready
            && matches!(known.last(), Some(b'}' | b']'))
            && self.scanner.rest().starts_with(known);
        if again {
            self.scanner.advance(known.len());
            self.ready = false;
        }
        again
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// The document was not read to its end, or something follows it.
    pub fn finish(self) -> Result<(), CanonicalError> {
        if self.depth > 0 || self.ready {
            return Err(self.shape("a reader at the end of the document"));
        }
        self.scanner.end()
    }

    /// An error at the next byte: `expected` was expected.
    #[must_use]
    #[cold]
    pub fn shape(&self, expected: &'static str) -> CanonicalError {
        match self.scanner.peek() {
            None | Some(b' ' | b'\t' | b'\n' | b'\r') => self.scanner.unexpected(expected),
            Some(_) => self.scanner.fault(Fault::Shape { expected }),
        }
    }

    #[inline]
    fn value_starts(&self, expected: &'static str) -> Result<(), CanonicalError> {
        if self.ready {
            Ok(())
        } else {
            Err(self.shape(expected))
        }
    }

    #[inline]
    fn inside(&self, array: bool) -> Result<(), CanonicalError> {
        if self.depth > 0 && self.frame.array == array && !self.ready {
            return Ok(());
        }
        Err(self.shape(if array {
            "a value of an array"
        } else {
            "a member of an object"
        }))
    }

    /// Passes the comma before a further member, or the end of the array or object.
    #[inline]
    fn between_members(&mut self, array: bool) -> Result<bool, CanonicalError> {
        self.inside(array)?;
        if self.scanner.eat(if array { b']' } else { b'}' }) {
            self.end();
            return Ok(false);
        }
        if !self.frame.empty {
            self.scanner.expect(b',', "a comma or an end")?;
        }
        self.frame.empty = false;
        Ok(true)
    }

    #[inline]
    fn key_passed(&mut self, key: Raw<'a>) -> Result<(), CanonicalError> {
        check_order(self.frame.last.as_ref(), &key)?;
        self.frame.last = Some(key);
        self.frame.empty = false;
        self.scanner.expect(b':', "a colon")?;
        self.ready = true;
        Ok(())
    }

    #[inline]
    fn decode(&self, raw: Raw<'a>) -> Cow<'a, str> {
        let spelled = self.scanner.text(raw.start, raw.start + raw.bytes.len());
        if raw.escaped {
            Cow::Owned(text::decode_canonical(spelled))
        } else {
            Cow::Borrowed(spelled)
        }
    }
}
