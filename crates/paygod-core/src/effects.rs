//! What applying one entry changed, for indexes and answers. Derived, never stored in entries.

use paygod_policy::{Verdict, WindowToken};
use paygod_types::{Digest, Money, RequestId, Seq, Timestamp};

use crate::accounts::{AccountIx, Balances};
use crate::command::Action;
use crate::entry::{EntryRef, SnapshotClaim};
use crate::state::KeysInForce;

/// What one entry changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effects {
    /// The entry's leaf index.
    pub seq: Seq,
    /// The entry's time.
    pub time: Timestamp,
    /// The request id it used up.
    pub id: RequestId,
    /// What it did.
    pub action: Action,
    /// The verdict, if it was judged.
    pub verdict: Option<Verdict>,
    /// The accounts whose balances changed, each once, with the balances after.
    pub touched: Vec<Touched>,
    /// The windows to count it in: none if it was denied.
    pub windows: Vec<WindowHit>,
    /// The account it opened.
    pub opened: Option<AccountIx>,
    /// Whether it posted money, rather than reserved or moved none.
    pub posted: bool,
    /// The earlier entry it is about. The fold knows pending ones; a verifier with all entries checks
    /// that this id is sealed at this seq.
    pub refers_to: Option<EntryRef>,
    /// The policy in force from the next entry on, if this one changed it.
    pub policy: Option<Digest>,
    /// The keys in force from here on, if this entry is about keys: checkpoints of trees larger than `seq`
    /// are signed by them.
    pub keys: Option<KeysInForce>,
    /// The claim about an earlier state, if this is a snapshot entry.
    pub snapshot: Option<SnapshotClaim>,
}

impl Effects {
    /// Effects to hand to [`crate::State::apply_into`], which overwrites them: kept from entry to entry,
    /// they spare allocations.
    #[must_use]
    pub fn reusable(id: RequestId) -> Self {
        Self {
            seq: Seq(0),
            time: Timestamp::EPOCH,
            id,
            action: Action::Genesis,
            verdict: None,
            touched: Vec::new(),
            windows: Vec::new(),
            opened: None,
            posted: false,
            refers_to: None,
            policy: None,
            keys: None,
            snapshot: None,
        }
    }
}

/// An account and its balances after an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Touched {
    /// Which.
    pub account: AccountIx,
    /// Its balances now.
    pub balances: Balances,
}

/// A window that the entry counts in, once for each such transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowHit {
    /// The window's token.
    pub token: WindowToken,
    /// The transfer's amount, which counts towards the window's sum.
    pub money: Money,
    /// The value that it adds, if the window counts different values.
    pub value: Option<WindowToken>,
}
