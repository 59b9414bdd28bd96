//! The accounts of a book: what never changes, what moves, and how one is found.
//!
//! INVARIANT(bounded-balances): every total is between zero and `i128::MAX`, and reserved plus posted of
//! one side does not pass `i128::MAX` (the totals per currency bound every account of it), so balances
//! cannot overflow.
//!
//! An account is named inside by its index in the order of opening. What a transfer reads and writes stands
//! in one slot of two cache lines: with accounts paid at random, memory is what a transfer waits for. A
//! snapshot shares all of it, and what changes afterwards is copied first, a piece at a time.

use core::hash::BuildHasher;
use std::sync::Arc;

use foldhash::quality::FixedState;
use hashbrown::HashTable;
use paygod_types::{AccountId, Amount, Currency, Seq};

use crate::command::Alias;
use crate::slots::{Piece, Slot, Slots, Spare};

/// An account's place in the order of opening, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountIx(pub u32);

impl AccountIx {
    /// As an index.
    #[must_use]
    pub fn index(self) -> usize {
        // INVARIANT(word-size): the product runs where a usize has 32 bits or more.
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// What has been debited and credited, posted and reserved: four totals, each zero or more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Balances {
    /// Reserved debits.
    pub debits_pending: Amount,
    /// Posted debits: they only grow.
    pub debits_posted: Amount,
    /// Reserved credits.
    pub credits_pending: Amount,
    /// Posted credits: they only grow.
    pub credits_posted: Amount,
}

impl Balances {
    /// Credits less debits, posted. `None` cannot happen on balances of a [`crate::State`].
    #[must_use]
    pub fn posted(&self) -> Option<Amount> {
        self.credits_posted.checked_sub(self.debits_posted)
    }

    /// The balance if every reserved debit were posted: what is there to spend.
    #[must_use]
    pub fn available(&self) -> Option<Amount> {
        self.posted()?.checked_sub(self.debits_pending)
    }

    /// The balance if every reserved credit were posted.
    #[must_use]
    pub fn expected(&self) -> Option<Amount> {
        self.posted()?.checked_add(self.credits_pending)
    }

    /// Whether what is there to spend is not below the one limit, nor what is expected above the other.
    pub(crate) fn keeps(&self, min: Option<Amount>, max: Option<Amount>) -> bool {
        min.is_none_or(|min| self.available() >= Some(min))
            && max.is_none_or(|max| self.expected().is_some_and(|expected| expected <= max))
    }

    /// Debits equal credits, posted and reserved: true of the sums over a currency.
    pub(crate) fn is_conserved(&self) -> bool {
        self.debits_posted == self.credits_posted && self.debits_pending == self.credits_pending
    }

    /// INVARIANT(bounded-balances) holds of them.
    pub(crate) fn is_bounded(&self) -> bool {
        let within = |pending: Amount, posted: Amount| {
            !pending.is_negative() && !posted.is_negative() && pending.checked_add(posted).is_some()
        };
        within(self.debits_pending, self.debits_posted)
            && within(self.credits_pending, self.credits_posted)
    }

    /// These totals less a part of them; `None` if it is not a part.
    pub(crate) fn without(&self, part: &Self) -> Option<Self> {
        let less = |whole: Amount, part: Amount| {
            whole.checked_sub(part).filter(|rest| !rest.is_negative())
        };
        Some(Self {
            debits_pending: less(self.debits_pending, part.debits_pending)?,
            debits_posted: less(self.debits_posted, part.debits_posted)?,
            credits_pending: less(self.credits_pending, part.credits_pending)?,
            credits_posted: less(self.credits_posted, part.credits_posted)?,
        })
    }

    /// Nothing posted on balance and nothing reserved: such an account may be closed.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.debits_posted == self.credits_posted
            && self.debits_pending.is_zero()
            && self.credits_pending.is_zero()
    }
}

/// What an account is, and its limits, which alone of this may change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountInfo {
    /// Its id.
    pub id: AccountId,
    /// Its currency.
    pub currency: Currency,
    /// The floor of [`Balances::available`], if any.
    pub min_balance: Option<Amount>,
    /// The ceiling of [`Balances::expected`], if any.
    pub max_balance: Option<Amount>,
    /// The entry that opened it.
    pub opened: Seq,
    /// Its aliases, ascending.
    pub aliases: Box<[Alias]>,
}

/// What may change about an account beside its balances.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccountFlags {
    /// No posting reaches it any more.
    pub closed: bool,
    /// No posting reaches it for now.
    pub frozen: bool,
}

/// One account, looked at.
#[derive(Clone, Copy, Debug)]
pub struct AccountView<'a> {
    /// Its place.
    pub ix: AccountIx,
    /// What it is, and its limits.
    pub info: &'a AccountInfo,
    /// What it holds.
    pub balances: &'a Balances,
    /// Whether it is closed or frozen itself.
    pub flags: AccountFlags,
}

const CHUNK_SHIFT: u32 = 10;
const CHUNK_ACCOUNTS: usize = 1 << CHUNK_SHIFT;
const CHUNK_MASK: u32 = (1 << CHUNK_SHIFT) - 1;

/// Bytes of an id that stand in its slot; longer ids are compared in full where they are kept.
const KEY_BYTES: usize = 23;

/// An account's id as far as it fits a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    length: u8,
    start: [u8; KEY_BYTES],
}

impl Key {
    pub(crate) fn new(id: &str) -> Self {
        let mut start = [0; KEY_BYTES];
        let held = id.len().min(KEY_BYTES);
        if let (Some(to), Some(from)) = (start.get_mut(..held), id.as_bytes().get(..held)) {
            to.copy_from_slice(from);
        }
        // Ids are at most 64 bytes; a longer text is no account's.
        Self {
            length: u8::try_from(id.len()).unwrap_or(u8::MAX),
            start,
        }
    }

    fn is_whole(&self) -> bool {
        usize::from(self.length) <= KEY_BYTES
    }
}

/// All accounts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Accounts {
    names: Arc<Names>,
    slots: Slots,
}

/// What changes only when an account is opened or has other limits.
#[derive(Clone, Debug, Default)]
struct Names {
    chunks: Vec<Arc<Vec<AccountInfo>>>,
    by_id: HashTable<AccountIx>,
    by_alias: HashTable<(Alias, AccountIx)>,
    hasher: FixedState,
}

impl Accounts {
    pub(crate) const fn len(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn find(&self, id: &str) -> Option<AccountIx> {
        let key = Key::new(id);
        let names = &*self.names;
        let is_it = |ix: &AccountIx| {
            self.slot(*ix).is_some_and(|slot| slot.key == key)
                && (key.is_whole() || id_of(&names.chunks, *ix) == id)
        };
        let hash = names.hasher.hash_one(id);
        names.by_id.find(hash, is_it).copied()
    }

    /// Looks up many ids, so that the memory their slots stand in is on its way to the processor's cache
    /// for all of them at once. The first loop finds probable places without reading slots; the reads of
    /// the second wait for nothing, and so wait together. Gives something that depends on every read.
    pub(crate) fn warm<'i>(
        &self,
        ids: impl Iterator<Item = &'i AccountId>,
        places: &mut Vec<AccountIx>,
    ) -> usize {
        let names = &*self.names;
        places.clear();
        places.extend(ids.filter_map(|id| {
            let hash = names.hasher.hash_one(id.as_str());
            names.by_id.find(hash, |_| true).copied()
        }));
        let slots = places.iter().filter_map(|ix| self.slot(*ix));
        slots
            .filter(|slot| slot.flags.closed != slot.balances.credits_posted.is_negative())
            .count()
    }

    #[inline]
    pub(crate) fn slot(&self, ix: AccountIx) -> Option<&Slot> {
        self.slots.get(ix)
    }

    pub(crate) fn find_alias(&self, alias: Alias) -> Option<AccountIx> {
        let names = &*self.names;
        let hash = names.hasher.hash_one(alias.0);
        names
            .by_alias
            .find(hash, |(other, _)| *other == alias)
            .map(|(_, ix)| *ix)
    }

    pub(crate) fn info(&self, ix: AccountIx) -> Option<&AccountInfo> {
        info_of(&self.names.chunks, ix)
    }

    pub(crate) fn balances(&self) -> impl Iterator<Item = &Balances> {
        self.slots.iter().map(|slot| &slot.balances)
    }

    pub(crate) fn flags(&self, ix: AccountIx) -> AccountFlags {
        self.slot(ix)
            .map_or_else(AccountFlags::default, |slot| slot.flags)
    }

    pub(crate) fn view(&self, ix: AccountIx) -> Option<AccountView<'_>> {
        let slot = self.slot(ix)?;
        let info = self.info(ix)?;
        Some(AccountView {
            ix,
            info,
            balances: &slot.balances,
            flags: slot.flags,
        })
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = AccountView<'_>> {
        (0_u32..).map_while(|ix| self.view(AccountIx(ix)))
    }

    pub(crate) fn set_balances(&mut self, ix: AccountIx, balances: Balances) {
        if let Some(slot) = self.slots.get_mut(ix) {
            slot.balances = balances;
        }
    }

    pub(crate) fn set_limits(&mut self, ix: AccountIx, min: Option<Amount>, max: Option<Amount>) {
        if let Some(slot) = self.slots.get_mut(ix) {
            slot.floor = floor(min);
            slot.ceiling = ceiling(max);
        }
        if let Some(info) = Arc::make_mut(&mut self.names).info_mut(ix) {
            info.min_balance = min;
            info.max_balance = max;
        }
    }

    pub(crate) fn set_flags(&mut self, ix: AccountIx, flags: AccountFlags) {
        if let Some(slot) = self.slots.get_mut(ix) {
            slot.flags = flags;
        }
    }

    pub(crate) fn into_spare(self) -> Spare {
        self.slots.into_spare()
    }

    pub(crate) fn sample(&self) -> (Option<Arc<Piece>>, usize) {
        self.slots.sample()
    }

    pub(crate) fn take_spare(&mut self, spare: Spare) {
        self.slots.take_spare(spare);
    }

    /// Appends an account. The caller has checked that id and aliases are new and that there is room.
    pub(crate) fn push(&mut self, info: AccountInfo) -> Option<AccountIx> {
        let ix = AccountIx(u32::try_from(self.slots.len()).ok()?);
        self.slots.push(Slot {
            key: Key::new(info.id.as_str()),
            currency: info.currency,
            flags: AccountFlags::default(),
            floor: floor(info.min_balance),
            ceiling: ceiling(info.max_balance),
            balances: Balances::default(),
        });
        Arc::make_mut(&mut self.names).push(info, ix);
        Some(ix)
    }
}

/// The least amount there is, if there is no limit.
fn floor(min: Option<Amount>) -> Amount {
    min.unwrap_or(Amount::MIN)
}

/// The greatest amount there is, if there is no limit.
fn ceiling(max: Option<Amount>) -> Amount {
    max.unwrap_or(Amount::MAX)
}

impl Names {
    fn info_mut(&mut self, ix: AccountIx) -> Option<&mut AccountInfo> {
        let (chunk, within) = place(ix)?;
        Arc::make_mut(self.chunks.get_mut(chunk)?).get_mut(within)
    }

    fn push(&mut self, info: AccountInfo, ix: AccountIx) {
        let Self {
            chunks,
            by_id,
            by_alias,
            hasher,
        } = self;
        for alias in &info.aliases {
            let hash = hasher.hash_one(alias.0);
            by_alias.insert_unique(hash, (*alias, ix), |(other, _)| hasher.hash_one(other.0));
        }
        let hash = hasher.hash_one(info.id.as_str());
        match chunks.last_mut() {
            Some(chunk) if chunk.len() < CHUNK_ACCOUNTS => Arc::make_mut(chunk).push(info),
            _ => chunks.push(Arc::new(vec![info])),
        }
        by_id.insert_unique(hash, ix, |other| hasher.hash_one(id_of(chunks, *other)));
    }
}

fn info_of(chunks: &[Arc<Vec<AccountInfo>>], ix: AccountIx) -> Option<&AccountInfo> {
    let (chunk, within) = place(ix)?;
    chunks.get(chunk)?.get(within)
}

/// The chunk of an account, and its place in there.
fn place(ix: AccountIx) -> Option<(usize, usize)> {
    let chunk = usize::try_from(ix.0 >> CHUNK_SHIFT).ok()?;
    let within = usize::try_from(ix.0 & CHUNK_MASK).ok()?;
    Some((chunk, within))
}

fn id_of(chunks: &[Arc<Vec<AccountInfo>>], ix: AccountIx) -> &str {
    info_of(chunks, ix).map_or("", |info| info.id.as_str())
}
