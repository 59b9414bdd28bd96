//! Snapshots: the folded state after some entry, so that opening a book folds only what came later.
//!
//! INVARIANT(derived-behind-snapshot): when a snapshot of the first `next` entries is there, index,
//! balance history and tree files cover those entries durably. [`crate::Book`] sees to the order.
//!
//! Disposable, and trusted for nothing but speed: whoever writes the state seals its digest in an
//! entry and checks it when it is read back. The bytes of the state are opaque here.
//!
//! `magic 8 | crc32c u32 | book 16 | next u64 | frontier length u32 | state length u64 | frontier | state`

use paygod_types::Seq;

use crate::disk::{Access, Dir, OpenFile};
use crate::error::{DerivedError, IoFault};
use crate::segment::BookId;
use crate::tiers::UNFINISHED_NAME;
use crate::width::{to_u64, to_usize, u32_at, u64_at};

const MAGIC: [u8; 8] = *b"PGSNAP\r\x01";
const HEAD_BYTES: usize = 48;

/// How many snapshots are kept: the last, and one before it should the last be damaged.
const KEPT: usize = 2;

/// Longest snapshot, in bytes: several million accounts.
const BYTES_MAX: u64 = 4 << 30;

/// A snapshot that was read.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// How many entries are folded into it; the next to fold has this seq.
    pub next: Seq,
    /// The tree's right edge at that size.
    pub(crate) frontier: Vec<u8>,
    /// The state, in its writer's own format.
    pub state: Vec<u8>,
}

/// A snapshot that is being written.
#[derive(Debug)]
pub(crate) struct Unfinished {
    file: OpenFile,
    pub(crate) next: Seq,
    frontier: Vec<u8>,
    /// Of the state, so far.
    state_bytes: usize,
    state_crc: u32,
}

impl Unfinished {
    /// Writes the next bytes of the state, durably: no long flush stands in the way of a commit's in the end.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<(), IoFault> {
        let state_at = HEAD_BYTES.saturating_add(self.frontier.len());
        let end = state_at.saturating_add(self.state_bytes);
        self.file.write_at(bytes, to_u64(end))?;
        self.file.sync()?;
        self.state_bytes = self.state_bytes.saturating_add(bytes.len());
        self.state_crc = crc32c::crc32c_append(self.state_crc, bytes);
        Ok(())
    }
}

/// The snapshots of a book.
#[derive(Clone, Debug)]
pub(crate) struct Snapshots {
    dir: Dir,
    book: BookId,
}

impl Snapshots {
    pub(crate) const fn new(dir: Dir, book: BookId) -> Self {
        Self { dir, book }
    }

    /// Begins a snapshot. Nobody sees it before it is finished.
    pub(crate) fn begin(&self, next: Seq, frontier: Vec<u8>) -> Result<Unfinished, IoFault> {
        Ok(Unfinished {
            file: self.dir.open(UNFINISHED_NAME, Access::CreateAnew)?,
            next,
            frontier,
            state_bytes: 0,
            state_crc: 0,
        })
    }

    /// Makes a snapshot durable, then visible, and removes those that are not kept.
    pub(crate) fn finish(&self, unfinished: &Unfinished) -> Result<(), DerivedError> {
        let Unfinished {
            file,
            next,
            frontier,
            state_bytes,
            state_crc,
        } = unfinished;
        let mut head = [0_u8; HEAD_BYTES];
        {
            let (magic, rest) = head.split_at_mut(8);
            magic.copy_from_slice(&MAGIC);
            let (_, rest) = rest.split_at_mut(4);
            let (book, rest) = rest.split_at_mut(16);
            book.copy_from_slice(&self.book);
            let (number, rest) = rest.split_at_mut(8);
            number.copy_from_slice(&next.get().to_le_bytes());
            let (frontier_len, state_len) = rest.split_at_mut(4);
            let len = u32::try_from(frontier.len()).unwrap_or(u32::MAX);
            frontier_len.copy_from_slice(&len.to_le_bytes());
            state_len.copy_from_slice(&to_u64(*state_bytes).to_le_bytes());
        }
        let crc = crc32c::crc32c_combine(checksum(&head, frontier), *state_crc, *state_bytes);
        if let Some(slot) = head.get_mut(8..12) {
            slot.copy_from_slice(&crc.to_le_bytes());
        }
        file.write_at(&[head.as_slice(), frontier].concat(), 0)?;
        file.sync()?;
        self.dir.rename(UNFINISHED_NAME, &file_name(next.get()))?;
        self.dir.sync()?;
        self.prune()
    }

    /// Gives the room back that an unfinished one takes.
    pub(crate) fn remove_unfinished(&self) -> Result<(), IoFault> {
        let names = self.dir.list()?;
        if names.iter().any(|name| name == UNFINISHED_NAME) {
            self.dir.remove(UNFINISHED_NAME)?;
        }
        Ok(())
    }

    /// The seqs of the snapshots there are, newest first.
    pub(crate) fn list(&self) -> Result<Vec<Seq>, DerivedError> {
        let names = self.dir.list()?;
        let mut list: Vec<Seq> = names
            .iter()
            .filter_map(|name| next_of(name))
            .map(Seq)
            .collect();
        list.reverse();
        Ok(list)
    }

    /// Reads a snapshot; `None` when it is missing or damaged.
    pub(crate) fn read(&self, next: Seq) -> Result<Option<Snapshot>, DerivedError> {
        let Some(mut bytes) = self.dir.read_whole(&file_name(next.get()), BYTES_MAX)? else {
            return Ok(None);
        };
        let Some((frontier_len, state_len)) = self.check(&bytes, next) else {
            return Ok(None);
        };
        let state_at = HEAD_BYTES.saturating_add(frontier_len);
        let state = bytes.split_off(state_at.min(bytes.len()));
        let frontier = bytes.split_off(HEAD_BYTES.min(bytes.len()));
        Ok((state.len() == state_len).then_some(Snapshot {
            next,
            frontier,
            state,
        }))
    }

    /// The lengths of the two parts, if the file is whole and this book's.
    fn check(&self, bytes: &[u8], next: Seq) -> Option<(usize, usize)> {
        let head = bytes.first_chunk::<HEAD_BYTES>()?;
        let frontier_len = to_usize(u64::from(u32_at(head, 36)?));
        let state_len = to_usize(u64_at(head, 40)?);
        let (frontier, state) = bytes.get(HEAD_BYTES..)?.split_at_checked(frontier_len)?;
        let right = head.get(..8)? == MAGIC
            && head.get(12..28)? == self.book
            && u64_at(head, 28)? == next.get()
            && state.len() == state_len
            && u32_at(head, 8)? == crc32c::crc32c_append(checksum(head, frontier), state);
        right.then_some((frontier_len, state_len))
    }

    fn prune(&self) -> Result<(), DerivedError> {
        for next in self.list()?.into_iter().skip(KEPT) {
            self.dir.remove(&file_name(next.get()))?;
        }
        Ok(())
    }
}

/// Covers everything between the checksum itself and the state, which is to be added.
fn checksum(head: &[u8; HEAD_BYTES], frontier: &[u8]) -> u32 {
    let crc = crc32c::crc32c(head.get(12..).unwrap_or(&[]));
    crc32c::crc32c_append(crc, frontier)
}

fn file_name(next: u64) -> String {
    format!("{next:020}.snap")
}

fn next_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".snap")?;
    (digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| digits.parse().ok())
        .flatten()
}
