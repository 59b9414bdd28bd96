//! What transfers read and write of accounts, in pieces that a copy of the state shares until they change.
//!
//! A snapshot is taken between two requests, and those behind it wait. It copies pointers; whoever changes a slot of a
//! shared piece copies that piece, once.

use std::sync::Arc;

use paygod_types::{Amount, Currency};

use crate::accounts::{AccountFlags, AccountIx, Balances, Key};

/// What a transfer reads and writes of an account.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    pub(crate) key: Key,
    pub(crate) currency: Currency,
    pub(crate) flags: AccountFlags,
    /// The least amount there is, if there is no floor.
    pub(crate) floor: Amount,
    /// The greatest amount there is, if there is no ceiling.
    pub(crate) ceiling: Amount,
    pub(crate) balances: Balances,
}

const _: () = assert!(size_of::<Slot>() == 128, "two cache lines");

/// With the counters that come before it in memory, a piece just fits a page.
const PIECE_SLOTS: usize = 31;

#[derive(Clone, Debug)]
#[repr(align(64))]
struct Piece([Slot; PIECE_SLOTS]);

const _: () = assert!(size_of::<Piece>() == 31 * 128);

/// All slots, in the order of their accounts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slots {
    /// The last may have room, filled with copies of its first.
    pieces: Vec<Arc<Piece>>,
    len: usize,
}

impl Slots {
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(crate) fn get(&self, ix: AccountIx) -> Option<&Slot> {
        let at = ix.index();
        let piece = self.pieces.get(at / PIECE_SLOTS)?;
        piece.0.get(at % PIECE_SLOTS).filter(|_| at < self.len)
    }

    pub(crate) fn get_mut(&mut self, ix: AccountIx) -> Option<&mut Slot> {
        let at = ix.index();
        if at >= self.len {
            return None;
        }
        let piece = self.pieces.get_mut(at / PIECE_SLOTS)?;
        Arc::make_mut(piece).0.get_mut(at % PIECE_SLOTS)
    }

    pub(crate) fn push(&mut self, slot: Slot) {
        let at = self.len % PIECE_SLOTS;
        match self.pieces.last_mut() {
            Some(piece) if at > 0 => {
                if let Some(room) = Arc::make_mut(piece).0.get_mut(at) {
                    *room = slot;
                }
            }
            _ => self.pieces.push(Arc::new(Piece([slot; PIECE_SLOTS]))),
        }
        self.len = self.len.saturating_add(1);
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Slot> {
        let slots = self.pieces.iter().flat_map(|piece| &piece.0);
        slots.take(self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn posted(slots: &Slots) -> Vec<i128> {
        let balances = slots.iter().map(|slot| slot.balances.debits_posted);
        balances.map(Amount::minor).collect()
    }

    #[test]
    fn a_copy_stays_what_it_was() {
        let mut slots = Slots::default();
        let mut wanted = Vec::new();
        for number in 0..100 {
            let debits_posted = Amount::from_minor(number);
            slots.push(Slot {
                key: Key::new("a"),
                currency: "EUR".parse().unwrap(),
                flags: AccountFlags::default(),
                floor: Amount::MIN,
                ceiling: Amount::MAX,
                balances: Balances {
                    debits_posted,
                    ..Balances::default()
                },
            });
            wanted.push(number);
            // A copy at every length: the last piece is shared when the next slot comes.
            let copy = slots.clone();
            let last = AccountIx(u32::try_from(number).unwrap());
            let changed = Amount::from_minor(number + 1_000);
            slots.get_mut(last).unwrap().balances.debits_posted = changed;
            assert_eq!(posted(&copy), wanted);
            wanted[usize::try_from(number).unwrap()] += 1_000;
            assert_eq!(posted(&slots), wanted);
            assert!(slots.get(AccountIx(last.0 + 1)).is_none());
            assert!(slots.get_mut(AccountIx(last.0 + 1)).is_none());
        }
        assert_eq!(slots.len(), 100);
    }
}
