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
pub(crate) struct Piece([Slot; PIECE_SLOTS]);

const _: () = assert!(size_of::<Piece>() == 31 * 128);

/// Most pieces that are kept to be copied into: 32 MB, for a quarter of a million accounts. In a larger state the requests
/// behind a snapshot take longer.
const SPARE_PIECES_MAX: usize = 8_192;

/// All slots, in the order of their accounts.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    /// The last may have room, filled with copies of its first.
    pieces: Vec<Arc<Piece>>,
    len: usize,
    /// Nobody else's: what the next shared pieces are copied into.
    spare: Spare,
}

/// Pieces that hold nothing any more. Memory that the system must find first takes ten times as long to copy into.
#[derive(Debug, Default)]
pub(crate) struct Spare(Vec<Arc<Piece>>);

impl Clone for Slots {
    fn clone(&self) -> Self {
        Self {
            pieces: self.pieces.clone(),
            len: self.len,
            spare: Spare::default(),
        }
    }
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
        self.spare.own(piece).0.get_mut(at % PIECE_SLOTS)
    }

    /// What no other copy holds of it, to be used again.
    pub(crate) fn into_spare(self) -> Spare {
        let mut pieces = self.pieces;
        pieces.retain_mut(|piece| Arc::get_mut(piece).is_some());
        pieces.truncate(SPARE_PIECES_MAX);
        Spare(pieces)
    }

    /// A piece like all others, and how many spare ones are worth keeping.
    pub(crate) fn sample(&self) -> (Option<Arc<Piece>>, usize) {
        (self.pieces.first().cloned(), self.spare_max())
    }

    pub(crate) fn take_spare(&mut self, spare: Spare) {
        self.spare.0.extend(spare.0);
        let most = self.spare_max();
        self.spare.0.truncate(most);
    }

    /// How many pieces are worth keeping.
    fn spare_max(&self) -> usize {
        self.pieces.len().min(SPARE_PIECES_MAX)
    }

    pub(crate) fn push(&mut self, slot: Slot) {
        let at = self.len % PIECE_SLOTS;
        match self.pieces.last_mut() {
            Some(piece) if at > 0 => {
                if let Some(room) = self.spare.own(piece).0.get_mut(at) {
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

impl Spare {
    /// So many pieces, each in memory that was written to.
    pub(crate) fn like(piece: &Piece, count: usize) -> Self {
        let pieces = std::iter::repeat_with(|| Arc::new(piece.clone()));
        Self(pieces.take(count).collect())
    }

    /// A piece that is to be changed: copied, if it is shared.
    fn own<'p>(&mut self, piece: &'p mut Arc<Piece>) -> &'p mut Piece {
        if Arc::strong_count(piece) > 1
            && let Some(mut spare) = self.0.pop()
            && let Some(room) = Arc::get_mut(&mut spare)
        {
            room.0.copy_from_slice(&piece.0);
            *piece = spare;
        }
        Arc::make_mut(piece)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn posted(slots: &Slots) -> Vec<i128> {
        let balances = slots.iter().map(|slot| slot.balances.debits_posted);
        balances.map(Amount::minor).collect()
    }

    fn slot(posted: i128) -> Slot {
        Slot {
            key: Key::new("a"),
            currency: "EUR".parse().unwrap(),
            flags: AccountFlags::default(),
            floor: Amount::MIN,
            ceiling: Amount::MAX,
            balances: Balances {
                debits_posted: Amount::from_minor(posted),
                ..Balances::default()
            },
        }
    }

    #[test]
    fn a_copy_stays_what_it_was() {
        let mut slots = Slots::default();
        let mut wanted = Vec::new();
        for number in 0..100 {
            slots.push(slot(number));
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

    #[test]
    fn what_a_copy_held_alone_is_copied_into_next() {
        let mut slots = Slots::default();
        for number in 0..100 {
            slots.push(slot(number));
        }
        let change = |slots: &mut Slots, number: u32, to| {
            let slot = slots.get_mut(AccountIx(number)).unwrap();
            slot.balances.debits_posted = Amount::from_minor(to);
        };
        let copy = slots.clone();
        change(&mut slots, 0, 1_000);
        change(&mut slots, 99, 1_099);
        let spare = copy.into_spare();
        assert_eq!(spare.0.len(), 2, "the pieces that were changed since");
        let memory: Vec<_> = spare.0.iter().map(Arc::as_ptr).collect();
        slots.take_spare(spare);
        let (copy, before) = (slots.clone(), posted(&slots));
        assert!(copy.spare.0.is_empty());
        change(&mut slots, 40, 1_040);
        change(&mut slots, 41, 1_041);
        let used = Arc::as_ptr(&slots.pieces[1]);
        assert!(memory.contains(&used) && slots.spare.0.len() == 1);
        assert_eq!(posted(&copy), before);
        let mut wanted = before;
        (wanted[40], wanted[41]) = (1_040, 1_041);
        assert_eq!(posted(&slots), wanted);
    }
}
