//! The state of a book: a fold over its entries and nothing else.
//!
//! INVARIANT(fold): [`State::apply`] is the only way a state changes. The engine seals an entry by
//! applying it here, recovery replays it here and a verifier checks it here, so all three agree or none
//! does. An entry that does not follow is refused whole; the state stays as it was.
//!
//! It does not remember request ids (history does) and holds nothing that entries do not.

use std::collections::BTreeSet;
use std::sync::Arc;

use paygod_types::{AccountId, Currency, Digest, RequestId, Seq, Timestamp};

use crate::accounts::{AccountIx, AccountView, Accounts, Balances};
use crate::command::{Alias, FreezeScope, PolicySet};
use crate::key_policy::KeyPolicy;
use crate::movement::Scratch;
use crate::pack_trust::PackBook;
use crate::pendings::{Pending, Pendings};
use crate::slots::{Piece, Spare};

/// The state of a book after some entry. A clone shares the accounts with it until they change.
#[derive(Clone, Debug)]
pub struct State {
    pub(crate) size: u64,
    pub(crate) last_time: Timestamp,
    pub(crate) book: Option<Arc<Book>>,
    pub(crate) accounts: Accounts,
    pub(crate) pendings: Pendings,
    pub(crate) frozen_book: bool,
    pub(crate) frozen_currencies: BTreeSet<Currency>,
    pub(crate) policy: Arc<ActivePolicy>,
    pub(crate) packs: Arc<PackBook>,
    /// Ascending by currency.
    pub(crate) totals: Vec<CurrencyTotals>,
    pub(crate) snapshot_of: Option<Seq>,
    /// Kept between entries to spare allocations; holds nothing between them.
    pub(crate) scratch: Scratch,
}

/// Memory for what a clone shares and the state then changes: [`State::take_memory`].
#[derive(Debug, Default)]
pub struct StateMemory(Spare);

/// How much memory that is: [`State::room`].
#[derive(Debug)]
pub struct StateRoom {
    piece: Option<Arc<Piece>>,
    pieces: usize,
}

impl StateRoom {
    /// Gets the memory from the system, which takes time; on any thread.
    #[must_use]
    pub fn get(self) -> StateMemory {
        let spare = self.piece.map(|piece| Spare::like(&piece, self.pieces));
        StateMemory(spare.unwrap_or_default())
    }
}

/// What genesis and entries about keys fixed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Book {
    /// The log's origin.
    pub origin: Arc<str>,
    /// The root keys, as vkeys.
    pub root_keys: Vec<Arc<str>>,
    /// How many root keys must sign together.
    pub root_threshold: u32,
    /// The checkpoint keys, oldest first; the last is in force.
    pub checkpoint_keys: Vec<KeyPeriod>,
    /// The checkpoint keys that were revoked, in the order of the entries that did it.
    pub revoked: Vec<Revoked>,
    /// The keys whose ML-DSA-44 cosignature every checkpoint carries too, oldest first; the last is in force.
    /// None: the book is not hybrid.
    pub hybrid_keys: Vec<KeyPeriod>,
    /// When a checkpoint key is replaced, and how long the book goes on without one.
    pub key_policy: KeyPolicy,
    /// The public keys of all root and checkpoint keys there ever were: none of them comes back.
    pub(crate) used: BTreeSet<[u8; 32]>,
}

/// A checkpoint key that root keys have revoked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revoked {
    /// The entry that revoked it.
    pub at: Seq,
    /// The key, as a vkey.
    pub vkey: Arc<str>,
    /// Its checkpoints count only up to this entry: those of trees larger by more than one do not.
    pub last_good: Seq,
}

/// The keys that sign checkpoints, as vkeys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeysInForce {
    /// Signs them.
    pub checkpoint: Arc<str>,
    /// Cosigns those of a hybrid book.
    pub hybrid: Option<Arc<str>>,
}

/// A key and where its time began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPeriod {
    /// The entry that brought it in: it signs checkpoints of trees larger than this, until the next.
    pub since: Seq,
    /// The key, as a vkey.
    pub vkey: Arc<str>,
}

/// The packs and lists in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActivePolicy {
    /// The whole set.
    pub set: PolicySet,
    /// Its digest, which decisions carry.
    pub digest: Digest,
    /// The entry that activated it; `None` before any has.
    pub since: Option<Seq>,
}

/// The sums over every account of one currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CurrencyTotals {
    /// The currency.
    pub currency: Currency,
    /// The sums. INVARIANT(conservation): debits equal credits, posted and pending alike.
    pub totals: Balances,
}

impl Default for State {
    fn default() -> Self {
        Self::new()
    }
}

impl State {
    /// The state before genesis.
    #[must_use]
    pub fn new() -> Self {
        let set = PolicySet::default();
        Self {
            size: 0,
            last_time: Timestamp::EPOCH,
            book: None,
            accounts: Accounts::default(),
            pendings: Pendings::default(),
            frozen_book: false,
            frozen_currencies: BTreeSet::new(),
            policy: Arc::new(ActivePolicy {
                digest: set.digest(),
                set,
                since: None,
            }),
            packs: Arc::default(),
            totals: Vec::new(),
            snapshot_of: None,
            scratch: Scratch::default(),
        }
    }

    /// How many entries have been applied: the size of the tree.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The leaf index of the next entry.
    #[must_use]
    pub const fn next_seq(&self) -> Seq {
        Seq(self.size)
    }

    /// The time of the last entry; the next is later.
    #[must_use]
    pub const fn last_time(&self) -> Timestamp {
        self.last_time
    }

    /// Origin and keys; `None` before genesis.
    #[must_use]
    pub fn book(&self) -> Option<&Book> {
        self.book.as_deref()
    }

    /// The checkpoint key in force, as a vkey.
    #[must_use]
    pub fn checkpoint_key(&self) -> Option<&KeyPeriod> {
        self.book()?.checkpoint_keys.last()
    }

    /// The packs and lists in force.
    #[must_use]
    pub fn policy(&self) -> &ActivePolicy {
        &self.policy
    }

    /// What the book asks of packs, and how far their reviews have come.
    #[must_use]
    pub fn packs(&self) -> &PackBook {
        &self.packs
    }

    /// How many accounts were ever opened.
    #[must_use]
    pub const fn accounts_len(&self) -> usize {
        self.accounts.len()
    }

    /// Every account, in the order of opening.
    pub fn accounts(&self) -> impl Iterator<Item = AccountView<'_>> {
        self.accounts.iter()
    }

    /// Finds an account by its id.
    #[must_use]
    pub fn account(&self, id: &AccountId) -> Option<AccountView<'_>> {
        self.accounts.view(self.accounts.find(id.as_str())?)
    }

    /// Finds an account by an alias.
    #[must_use]
    pub fn account_by_alias(&self, alias: Alias) -> Option<AccountView<'_>> {
        self.accounts.view(self.accounts.find_alias(alias)?)
    }

    /// How much memory the next clone will need.
    #[must_use]
    pub fn room(&self) -> StateRoom {
        let (piece, pieces) = self.accounts.sample();
        StateRoom { piece, pieces }
    }

    /// Ends a copy, and gives the memory of what nobody else holds of it.
    #[must_use]
    pub fn into_memory(self) -> StateMemory {
        StateMemory(self.accounts.into_spare())
    }

    /// Takes memory for what it will have to copy because a clone shares it.
    pub fn take_memory(&mut self, memory: StateMemory) {
        self.accounts.take_spare(memory.0);
    }

    /// Brings the accounts that a run of postings will read closer to the processor. `places` is memory
    /// for it to use. Changes nothing; what it gives only keeps it from being left out as useless.
    pub fn warm<'i>(
        &self,
        accounts: impl Iterator<Item = &'i AccountId>,
        places: &mut Vec<AccountIx>,
    ) -> usize {
        self.accounts.warm(accounts, places)
    }

    /// Looks at an account by its place.
    #[must_use]
    pub fn account_at(&self, ix: AccountIx) -> Option<AccountView<'_>> {
        self.accounts.view(ix)
    }

    /// The balances of every account, in the order of opening.
    pub fn balances(&self) -> impl Iterator<Item = &Balances> {
        self.accounts.balances()
    }

    /// Finds a reservation by the request that made it.
    #[must_use]
    pub fn pending(&self, request: &RequestId) -> Option<&Pending> {
        self.pendings.find(request).map(AsRef::as_ref)
    }

    /// Every reservation, in the order of sealing.
    pub fn pendings(&self) -> impl Iterator<Item = &Pending> {
        self.pendings.iter()
    }

    /// How many reservations wait.
    #[must_use]
    pub fn pendings_len(&self) -> usize {
        self.pendings.len()
    }

    /// The reservation to expire next, if it is overdue at `now`. The sequencer expires all that are
    /// before it seals anything else ([`crate::engine::expire_due`]).
    #[must_use]
    pub fn due(&self, now: Timestamp) -> Option<&Pending> {
        self.pendings.due(now)
    }

    /// The earliest time the next entry can have when the clock says `clock`: never at or before the
    /// last entry, whatever the clock does. `None` at the end of time.
    #[must_use]
    pub fn next_time(&self, clock: Timestamp) -> Option<Timestamp> {
        let after_last = self.last_time.as_nanos().checked_add(1)?;
        Some(clock.max(Timestamp::from_nanos(after_last)))
    }

    /// The sums per currency, ascending by currency.
    #[must_use]
    pub fn totals(&self) -> &[CurrencyTotals] {
        &self.totals
    }

    pub(crate) fn totals_of(&self, currency: Currency) -> Balances {
        self.totals
            .binary_search_by_key(&currency, |of| of.currency)
            .ok()
            .and_then(|place| self.totals.get(place))
            .map_or_else(Balances::default, |of| of.totals)
    }

    /// Whether exactly this scope is frozen.
    #[must_use]
    pub fn is_frozen(&self, scope: &FreezeScope) -> bool {
        match scope {
            FreezeScope::Book => self.frozen_book,
            FreezeScope::Currency(currency) => self.frozen_currencies.contains(currency),
            FreezeScope::Account(account) => self
                .account(account)
                .is_some_and(|account| account.flags.frozen),
        }
    }

    /// The currencies that are frozen, ascending.
    pub fn frozen_currencies(&self) -> impl Iterator<Item = Currency> {
        self.frozen_currencies.iter().copied()
    }

    /// The state after which entry the last snapshot entry spoke of.
    #[must_use]
    pub const fn snapshot_of(&self) -> Option<Seq> {
        self.snapshot_of
    }
}
