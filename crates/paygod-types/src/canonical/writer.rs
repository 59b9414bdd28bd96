//! Writes canonical bytes directly: no tree, no sorting, no copies.
//!
//! The caller writes keys in canonical order; debug builds check that it does. Nothing here can fail:
//! what is not representable (an integer past 2^53 − 1) is a broken invariant of the caller.

use super::text;
use crate::limits::INTEGER_MAX;
use crate::{Digest, Money, Timestamp};

/// Appends one canonical document to a buffer, placing commas and colons by itself.
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut Vec<u8>,
    comma: bool,
    #[cfg(debug_assertions)]
    order: Vec<Option<String>>,
}

impl<'a> Writer<'a> {
    /// Writes to the end of `out`.
    #[must_use]
    #[inline]
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        Self {
            out,
            comma: false,
            #[cfg(debug_assertions)]
            order: Vec::new(),
        }
    }

    #[inline]
    fn separate(&mut self) {
        if self.comma {
            self.out.push(b',');
        }
        self.comma = true;
    }

    #[inline]
    fn open(&mut self, bracket: u8) {
        self.separate();
        self.out.push(bracket);
        self.comma = false;
        #[cfg(debug_assertions)]
        self.order.push(None);
    }

    #[inline]
    fn close(&mut self, bracket: u8) {
        self.out.push(bracket);
        self.comma = true;
        #[cfg(debug_assertions)]
        debug_assert!(self.order.pop().is_some(), "an end without its beginning");
    }

    /// Begins an object.
    #[inline]
    pub fn begin_object(&mut self) {
        self.open(b'{');
    }

    /// Ends the object begun last.
    #[inline]
    pub fn end_object(&mut self) {
        self.close(b'}');
    }

    /// Begins an array.
    #[inline]
    pub fn begin_array(&mut self) {
        self.open(b'[');
    }

    /// Ends the array begun last.
    #[inline]
    pub fn end_array(&mut self) {
        self.close(b']');
    }

    /// Writes a key; one value follows. Keys of an object come in the order of their UTF-16 units.
    #[inline]
    pub fn key(&mut self, key: &str) {
        #[cfg(debug_assertions)]
        if let Some(last) = self.order.last_mut() {
            let ordered = last
                .as_ref()
                .is_none_or(|last| super::key::compare(last, key).is_lt());
            debug_assert!(ordered, "key `{key}` is out of order or stands twice");
            *last = Some(key.to_owned());
        }
        self.separate();
        text::write(key, self.out);
        self.out.push(b':');
        self.comma = false;
    }

    /// Writes a string.
    #[inline]
    pub fn string(&mut self, value: &str) {
        self.separate();
        text::write(value, self.out);
    }

    /// Writes an integer of at most 2^53 − 1.
    ///
    /// # Panics
    /// INVARIANT(exact-integers): on a larger one, which no counter reaches and no reader yields.
    #[inline]
    pub fn u64(&mut self, value: u64) {
        assert!(
            value <= INTEGER_MAX,
            "INVARIANT(exact-integers): {value} is past 2^53-1"
        );
        self.separate();
        let mut digits = [b'0'; 16];
        let mut rest = value;
        let mut length = 0_usize;
        for slot in digits.iter_mut().rev() {
            let [digit, ..] = (rest % 10).to_le_bytes();
            *slot = b'0' | digit;
            rest /= 10;
            length += 1;
            if rest == 0 {
                break;
            }
        }
        self.out
            .extend_from_slice(digits.get(16 - length..).unwrap_or_default());
    }

    /// Writes `true` or `false`.
    #[inline]
    pub fn bool(&mut self, value: bool) {
        self.raw(if value { b"true" } else { b"false" });
    }

    /// Writes `null`.
    #[inline]
    pub fn null(&mut self) {
        self.raw(b"null");
    }

    /// Writes one value that is canonical already.
    #[inline]
    pub fn raw(&mut self, value: &[u8]) {
        self.separate();
        self.out.extend_from_slice(value);
    }

    /// Writes bytes as a string of lower-case hexadecimal.
    #[inline]
    pub fn hex(&mut self, bytes: &[u8]) {
        self.quoted(|out| crate::write_hex(bytes, out));
    }

    /// Writes a digest as a string.
    #[inline]
    pub fn digest(&mut self, digest: &Digest) {
        self.hex(digest.as_bytes());
    }

    /// Writes a time as a string.
    #[inline]
    pub fn timestamp(&mut self, time: Timestamp) {
        self.quoted(|out| time.write(out));
    }

    /// Writes the amount of `money`, without its currency, as a decimal string.
    #[inline]
    pub fn amount(&mut self, money: &Money) {
        self.quoted(|out| money.write_decimal(out));
    }

    #[inline]
    fn quoted(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.separate();
        self.out.push(b'"');
        write(self.out);
        self.out.push(b'"');
    }
}
