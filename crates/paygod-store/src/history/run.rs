//! A run of touches, in order of account and seq, in pages of 4 KiB.
//!
//! A page of header, then pages: `crc32c u32 | length u16 | touches`, filled up with zeros. A touch is
//! `account − previous account, varint | seq, varint | which balances, a byte | those balances, zigzag
//! varints`. The first touch of a page, and of an account, is absolute (its seq counted from the run's
//! first; balances that are not zero); the others say what changed since the one before. The account
//! and seq that each page begins with are kept in memory.

use std::ops::Range;

use crate::disk::{OpenFile, PAGE_BYTES};
use crate::error::{DerivedError, IoFault};
use crate::history::{AccountNumber, Dated};
use crate::run_file::{CRC_BYTES, RunFile, is_whole, page_offset, read_head};
use crate::segment::BookId;
use crate::tiers::{Extent, Tiered};
use crate::width::{to_u64, to_usize};

/// The checksum, and the length of the touches.
const PAGE_HEAD_BYTES: usize = CRC_BYTES + 2;

/// Longest touch: two varints of 5 and 10 bytes, a byte, four varints of 19 bytes.
const TOUCH_BYTES_MAX: usize = 5 + 10 + 1 + 4 * 19;

const MAGIC: [u8; 8] = *b"PGHIST\r\x01";

/// How many pages of a run that is opened are read at once.
const READ_PAGES: usize = 64;

/// A run, open for reading.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) extent: Extent,
    file: OpenFile,
    /// The account and seq of the first touch of each page.
    fences: Vec<(AccountNumber, u64)>,
}

impl Tiered for Run {
    fn extent(&self) -> &Extent {
        &self.extent
    }
}

impl Run {
    /// Opens a run; `None` when it is damaged, unfinished or another book's.
    pub(crate) fn open(name: &str, file: OpenFile, book: &BookId) -> Result<Option<Self>, IoFault> {
        let Some((extent, pages)) = read_head(name, &file, &MAGIC, book, |pages| pages)? else {
            return Ok(None);
        };
        let mut run = Self {
            extent,
            file,
            fences: Vec::with_capacity(to_usize(pages)),
        };
        let mut piece = vec![0_u8; PAGE_BYTES.saturating_mul(READ_PAGES)];
        let mut page = 0_u64;
        while page < pages {
            let count = to_usize(pages.saturating_sub(page)).min(READ_PAGES);
            let span = piece
                .get_mut(..count.saturating_mul(PAGE_BYTES))
                .unwrap_or(&mut []);
            run.file.read_exact_at(span, page_offset(page))?;
            for bytes in span.chunks_exact(PAGE_BYTES) {
                let decoder = body_of(bytes).map(|body| Decoder::new(body, run.first()));
                let Some(first) = decoder.and_then(|mut decoder| decoder.next(bytes).copied())
                else {
                    return Ok(None);
                };
                run.fences.push((first.account, first.seq));
            }
            page = page.saturating_add(to_u64(count));
        }
        Ok(Some(run))
    }

    const fn first(&self) -> u64 {
        self.extent.seqs.start
    }

    /// The last touch of an account at or before `at`.
    pub(crate) fn last(
        &self,
        account: AccountNumber,
        at: u64,
    ) -> Result<Option<Dated>, DerivedError> {
        let Some(page) = self.page_of(account, at) else {
            return Ok(None);
        };
        let mut last = None;
        self.read_page(page, |touch| {
            if touch.account == account && touch.seq <= at {
                last = Some(*touch);
            }
            (touch.account, touch.seq) <= (account, at)
        })?;
        Ok(last)
    }

    /// Visits an account's touches in a range, oldest first; says whether to go on.
    pub(crate) fn touches(
        &self,
        account: AccountNumber,
        range: Range<u64>,
        visit: &mut impl FnMut(&Dated) -> bool,
    ) -> Result<bool, DerivedError> {
        let mut page = self.page_of(account, range.start).unwrap_or(0);
        let end = (account, range.end);
        while self
            .fences
            .get(to_usize(page))
            .is_some_and(|fence| *fence < end)
        {
            let mut go_on = true;
            self.read_page(page, |touch| {
                let wanted = touch.account == account && range.contains(&touch.seq);
                go_on = go_on && (!wanted || visit(touch));
                go_on && (touch.account, touch.seq) < end
            })?;
            if !go_on {
                return Ok(false);
            }
            page = page.saturating_add(1);
        }
        Ok(true)
    }

    /// The last page that begins at or before an account's touch at `seq`.
    fn page_of(&self, account: AccountNumber, seq: u64) -> Option<u64> {
        self.fences
            .partition_point(|fence| *fence <= (account, seq))
            .checked_sub(1)
            .map(to_u64)
    }

    fn read_page(
        &self,
        page: u64,
        mut visit: impl FnMut(&Dated) -> bool,
    ) -> Result<(), DerivedError> {
        let mut bytes = [0_u8; PAGE_BYTES];
        let body = self.read(page, &mut bytes)?;
        let mut decoder = Decoder::new(body, self.first());
        while let Some(touch) = decoder.next(&bytes) {
            if !visit(touch) {
                return Ok(());
            }
        }
        if decoder.rest.is_empty() {
            Ok(())
        } else {
            Err(self.corrupt(page_offset(page)))
        }
    }

    /// Reads a page; says where in it the touches are.
    fn read(&self, page: u64, bytes: &mut [u8; PAGE_BYTES]) -> Result<Range<usize>, DerivedError> {
        let offset = page_offset(page);
        self.file.read_exact_at(bytes, offset)?;
        body_of(bytes).ok_or_else(|| self.corrupt(offset))
    }

    fn corrupt(&self, offset: u64) -> DerivedError {
        let what = "a page's checksum or coding is wrong";
        DerivedError::Corrupt {
            path: self.file.path().to_path_buf(),
            offset,
            what,
        }
    }
}

/// Where in a page the touches are, if its checksum is right.
fn body_of(page: &[u8]) -> Option<Range<usize>> {
    let length = u16::from_le_bytes(*page.get(CRC_BYTES..)?.first_chunk()?);
    let body = PAGE_HEAD_BYTES..PAGE_HEAD_BYTES.checked_add(usize::from(length))?;
    (body.end <= page.len() && is_whole(page)).then_some(body)
}

/// What the first touch of a page is told from: nobody's.
const NOBODYS: Dated = Dated {
    account: 0,
    seq: 0,
    balances: [0; 4],
};

/// Reads the touches of a page, each in the place of the one before.
struct Decoder {
    /// What of the page is left.
    rest: Range<usize>,
    is_first: bool,
    /// The first seq of the run.
    from: u64,
    touch: Dated,
}

impl Decoder {
    const fn new(body: Range<usize>, from: u64) -> Self {
        Self {
            rest: body,
            is_first: true,
            from,
            touch: NOBODYS,
        }
    }

    /// The next touch of the page; `None` at its end, and at what does not decode: then something is left.
    fn next(&mut self, page: &[u8]) -> Option<&Dated> {
        let mut bytes = page.get(self.rest.clone())?;
        self.decode(&mut bytes)?;
        self.rest.start = self.rest.end.saturating_sub(bytes.len());
        Some(&self.touch)
    }

    fn decode(&mut self, bytes: &mut &[u8]) -> Option<()> {
        let step = u32::try_from(varint(bytes)?).ok()?;
        let seq_step = u64::try_from(varint(bytes)?).ok()?;
        let (mask, after) = bytes.split_first()?;
        *bytes = after;
        let touch = &mut self.touch;
        if self.is_first || step != 0 {
            touch.account = touch.account.checked_add(step)?;
            touch.seq = self.from.checked_add(seq_step)?;
            touch.balances = [0; 4];
            self.is_first = false;
        } else {
            touch.seq = touch.seq.checked_add(seq_step)?;
        }
        for (bit, balance) in touch.balances.iter_mut().enumerate() {
            if mask & (1 << bit) != 0 {
                *balance = balance.wrapping_add(unzigzag(varint(bytes)?));
            }
        }
        Some(())
    }
}

/// Reads a run from its first touch to its last, and holds one page of it.
pub(crate) struct Cursor<'a> {
    run: &'a Run,
    /// The next page to read.
    page: u64,
    bytes: Box<[u8; PAGE_BYTES]>,
    decoder: Decoder,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(run: &'a Run) -> Self {
        Self {
            run,
            page: 0,
            bytes: Box::new([0; PAGE_BYTES]),
            decoder: Decoder::new(0..0, run.first()),
        }
    }

    /// The next touch; `None` at the end.
    pub(crate) fn advance(&mut self) -> Result<Option<&Dated>, DerivedError> {
        while self.decoder.rest.is_empty() {
            if self.page == to_u64(self.run.fences.len()) {
                return Ok(None);
            }
            let body = self.run.read(self.page, &mut self.bytes)?;
            self.decoder = Decoder::new(body, self.run.first());
            self.page = self.page.saturating_add(1);
        }
        match self.decoder.next(&*self.bytes) {
            Some(touch) => Ok(Some(touch)),
            None => Err(self.run.corrupt(page_offset(self.page.saturating_sub(1)))),
        }
    }

    /// The touch that [`Cursor::advance`] gave last.
    pub(crate) const fn touch(&self) -> &Dated {
        &self.decoder.touch
    }
}

/// Writes a run.
pub(crate) struct RunWriter<'a> {
    file: RunFile<'a>,
    last: Dated,
    page: Vec<u8>,
    fences: Vec<(AccountNumber, u64)>,
}

impl<'a> RunWriter<'a> {
    pub(crate) fn new(file: RunFile<'a>) -> Self {
        Self {
            file,
            last: NOBODYS,
            page: Vec::with_capacity(PAGE_BYTES),
            fences: Vec::new(),
        }
    }

    /// Appends a touch; touches come in order.
    pub(crate) fn push(&mut self, touch: &Dated) -> Result<(), IoFault> {
        if self.page.len().saturating_add(TOUCH_BYTES_MAX) > PAGE_BYTES {
            self.end_page()?;
        }
        let is_first = self.page.is_empty();
        if is_first {
            self.page.extend_from_slice(&[0; PAGE_HEAD_BYTES]);
            self.fences.push((touch.account, touch.seq));
            self.last = NOBODYS;
        }
        self.encode(touch, is_first);
        Ok(())
    }

    fn encode(&mut self, touch: &Dated, is_first: bool) {
        let (out, last) = (&mut self.page, &mut self.last);
        let step = touch.account.saturating_sub(last.account);
        if is_first || step != 0 {
            last.account = touch.account;
            last.seq = self.file.first_seq();
            last.balances = [0; 4];
        }
        put_varint(out, u128::from(step));
        put_varint(out, u128::from(touch.seq.saturating_sub(last.seq)));
        last.seq = touch.seq;
        let mask_at = out.len();
        out.push(0);
        let mut mask = 0_u8;
        let balances = touch.balances.iter().zip(&mut last.balances);
        for (bit, (balance, last)) in balances.enumerate() {
            let change = balance.wrapping_sub(*last);
            if change != 0 {
                mask |= 1 << bit;
                put_varint(out, zigzag(change));
                *last = *balance;
            }
        }
        if let Some(slot) = out.get_mut(mask_at) {
            *slot = mask;
        }
    }

    fn end_page(&mut self) -> Result<(), IoFault> {
        let length = self.page.len().saturating_sub(PAGE_HEAD_BYTES);
        let length = u16::try_from(length).unwrap_or(u16::MAX);
        if let Some(slot) = self.page.get_mut(CRC_BYTES..PAGE_HEAD_BYTES) {
            slot.copy_from_slice(&length.to_le_bytes());
        }
        self.file.push(&mut self.page)
    }

    /// Makes the run durable, then visible.
    pub(crate) fn finish(mut self) -> Result<Run, IoFault> {
        if !self.page.is_empty() {
            self.end_page()?;
        }
        let pages = to_u64(self.fences.len());
        let (extent, file) = self.file.finish(&MAGIC, pages)?;
        Ok(Run {
            extent,
            file,
            fences: self.fences,
        })
    }
}

/// Small magnitudes of either sign become small numbers.
fn zigzag(value: i128) -> u128 {
    ((value << 1) ^ (value >> 127)).cast_unsigned()
}

fn unzigzag(value: u128) -> i128 {
    (value >> 1).cast_signed() ^ (value & 1).cast_signed().wrapping_neg()
}

fn put_varint(out: &mut Vec<u8>, value: u128) {
    let Ok(mut small) = u64::try_from(value) else {
        return put_long_varint(out, value);
    };
    while small > 0x7f {
        let [low, ..] = small.to_le_bytes();
        out.push(low | 0x80);
        small >>= 7;
    }
    let [low, ..] = small.to_le_bytes();
    out.push(low);
}

fn put_long_varint(out: &mut Vec<u8>, mut value: u128) {
    while value > 0x7f {
        let [low, ..] = value.to_le_bytes();
        out.push(low | 0x80);
        value >>= 7;
    }
    let [low, ..] = value.to_le_bytes();
    out.push(low);
}

fn varint(bytes: &mut &[u8]) -> Option<u128> {
    // Nine bytes of seven bits fit in 64.
    let mut small = 0_u64;
    for (shift, (count, byte)) in (0_u32..)
        .step_by(7)
        .zip((1_usize..).zip(bytes.iter().take(9)))
    {
        small |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            *bytes = bytes.get(count..)?;
            return Some(u128::from(small));
        }
    }
    long_varint(bytes)
}

fn long_varint(bytes: &mut &[u8]) -> Option<u128> {
    let mut value = 0_u128;
    let mut shift = 0_u32;
    loop {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let part = u128::from(byte & 0x7f);
        if shift >= u128::BITS || (part << shift) >> shift != part {
            return None;
        }
        value |= part << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
        shift = shift.saturating_add(7);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{put_varint, unzigzag, varint, zigzag};

    proptest! {
        #[test]
        fn a_varint_reads_back(value: i128, small: i64, shift in 0_u32..127) {
            for value in [value, i128::from(small), value >> shift, 0, -1, i128::MAX, i128::MIN] {
                let mut bytes = Vec::new();
                put_varint(&mut bytes, zigzag(value));
                bytes.push(0xee);
                let mut rest = bytes.as_slice();
                prop_assert_eq!(varint(&mut rest).map(unzigzag), Some(value));
                prop_assert_eq!(rest, &[0xee]);
            }
        }

        #[test]
        fn any_bytes_decode_without_a_panic(bytes: Vec<u8>) {
            let mut decoder = super::Decoder::new(0..bytes.len(), 5);
            while decoder.next(&bytes).is_some() {}
        }
    }
}
