//! Inputs of a whole group, made durable by one flush just before the group is committed.
//!
//! The one who makes entries must know where an input will stand before it is written: a [`Placer`]
//! says so without touching the disk, and [`Vault::write`] does what was said. A request that is not
//! sealed is never placed, so the vault holds no input that no entry refers to, but for what a crash
//! between the two flushes leaves behind.
//!
//! There is one placer at a time, and nobody calls [`Vault::store`] beside it: both would give away
//! the same places.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use crate::error::VaultError;
use crate::vault::{FILE_BYTES, HEAD_BYTES, SealedInput, Vault, VaultRef};
use crate::width::to_u64;

/// Says where inputs will stand.
#[derive(Debug)]
pub struct Placer {
    number: u64,
    end: u64,
}

/// Inputs with their places, to be written together.
#[derive(Debug, Default)]
pub struct PlacedInputs {
    bytes: Vec<u8>,
    pieces: Vec<Piece>,
}

/// Inputs that stand one behind the other in one file.
#[derive(Debug)]
struct Piece {
    number: u64,
    start: u64,
    /// Where they end in the bytes of all; they begin where the piece before ends.
    end: usize,
}

impl Placer {
    /// Gives the next input its place.
    pub fn place(&mut self, input: &SealedInput, into: &mut PlacedInputs) -> VaultRef {
        let len = to_u64(input.bytes().len());
        if self.end == 0 {
            self.end = HEAD_BYTES;
        } else if self.end.saturating_add(len) > FILE_BYTES {
            self.number = self.number.saturating_add(1);
            self.end = HEAD_BYTES;
        }
        let (number, start) = (self.number, self.end);
        self.end = start.saturating_add(len);
        into.bytes.extend_from_slice(input.bytes());
        let end = into.bytes.len();
        match into.pieces.last_mut() {
            Some(piece) if piece.number == number => piece.end = end,
            _ => into.pieces.push(Piece { number, start, end }),
        }
        VaultRef::at(number, start)
    }
}

impl PlacedInputs {
    /// Has them room for so many bytes of inputs.
    pub fn reserve(&mut self, bytes: usize) {
        self.bytes.reserve(bytes);
    }

    /// Forgets the inputs and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.pieces.clear();
    }

    /// Bytes of memory held.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Whether there is nothing to write.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }
}

impl Vault {
    /// Says where inputs will stand from here on.
    #[must_use]
    pub fn placer(&self) -> Placer {
        let tail = self
            .files()
            .tail
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        Placer {
            number: tail.number,
            end: tail.end,
        }
    }

    /// Writes inputs where they were placed, with one flush a file; when it returns they are durable.
    /// Batches are written in the order in which they were placed.
    ///
    /// # Errors
    /// The disk refused: nothing may be assumed of these inputs, and the vault is poisoned until the
    /// book is reopened.
    pub fn write(&self, inputs: &PlacedInputs) -> Result<(), VaultError> {
        let files = self.files();
        if files.poisoned.load(Ordering::Acquire) {
            return Err(VaultError::Poisoned);
        }
        let mut tail = files.tail.lock().unwrap_or_else(PoisonError::into_inner);
        let mut from = 0;
        let written = inputs.pieces.iter().try_for_each(|piece| {
            let bytes = inputs.bytes.get(from..piece.end).unwrap_or_default();
            from = piece.end;
            files.write(&mut tail, piece.number, piece.start, bytes)
        });
        written.inspect_err(|_| files.poisoned.store(true, Ordering::Release))?;
        Ok(())
    }
}
