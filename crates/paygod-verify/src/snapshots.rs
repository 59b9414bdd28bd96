//! Checks what snapshot entries say about earlier states.
//!
//! A snapshot entry speaks of the state some entries back. It was mostly read before that state was
//! reached: then the state is told when it is there. For the others, copies of the state are kept at a
//! few places; from the last one before the place spoken of, entries are folded again up to it. Places
//! spoken of only ascend, so no more than one further pass over the log is ever made.
//!
//! To tell a state is to hash all of it. An honest ledger writes it down just as often, so it makes few; whoever
//! wants to keep an auditor waiting would make one behind every entry. So every entry earns some bytes, and a
//! snapshot entry for which too few were earned fails.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use paygod_core::State;
use paygod_core::entry::SnapshotClaim;
use paygod_types::Digest;

use crate::batch::Reader;
use crate::failure::{Check, Failure, Place};
use crate::limits::{
    STATE_BYTES_HASHED_FREE, STATE_BYTES_HASHED_PER_ENTRY, STATE_COPY_ENTRIES_MIN, STATES_TOLD_MAX,
};
use crate::source::SourceError;

/// Copies of the state at ascending places: the oldest that may still be needed, and the last two.
#[derive(Debug)]
pub(crate) struct Snapshots {
    copies: Vec<State>,
    /// Places that entries ahead speak of, not reached yet.
    expected: BTreeSet<u64>,
    /// What the state was at such places, until the entry comes.
    told: BTreeMap<u64, Told>,
    /// Bytes of states that may still be hashed; below zero by what the last one took too much.
    bytes_left: i64,
}

/// The digest of a state and its accounts.
type Told = (Digest, u64);

impl Snapshots {
    pub(crate) fn new() -> Self {
        Self {
            copies: vec![State::new()],
            expected: BTreeSet::new(),
            told: BTreeMap::new(),
            bytes_left: STATE_BYTES_HASHED_FREE,
        }
    }

    /// Takes places that entries read ahead speak of.
    pub(crate) fn expect(&mut self, places: BTreeSet<u64>) {
        self.expected.extend(places);
        while self.expected.len() > STATES_TOLD_MAX {
            self.expected.pop_last();
        }
    }

    /// Keeps a copy now and then: the more a copy takes, the more seldom.
    pub(crate) fn observe(&mut self, state: &State) {
        self.bytes_left = self.bytes_left.saturating_add(STATE_BYTES_HASHED_PER_ENTRY);
        self.tell_expected(state);
        let accounts = u64::try_from(state.accounts_len()).unwrap_or(u64::MAX);
        let interval = STATE_COPY_ENTRIES_MIN.max(accounts.saturating_mul(4));
        let last = self.copies.last().map_or(0, State::size);
        if state.size().saturating_sub(last) < interval {
            return;
        }
        if self.copies.len() >= 3 {
            self.copies.remove(1);
        }
        self.copies.push(state.clone());
    }

    /// Tells the state, if an entry ahead speaks of it.
    fn tell_expected(&mut self, state: &State) {
        while let Some(place) = self.expected.first().copied() {
            let reached = place.saturating_add(1);
            if reached > state.size() {
                return;
            }
            self.expected.pop_first();
            if reached == state.size()
                && self.told.len() < STATES_TOLD_MAX
                && let Some(told) = told(state, &mut self.bytes_left)
            {
                self.told.insert(place, told);
            }
        }
    }

    /// The digest and accounts of the state before the claim's entry, if that is what it speaks of.
    pub(crate) fn before(&mut self, claim: &SnapshotClaim, state: &State) -> Option<Told> {
        if claim.of.0.checked_add(1) != Some(state.size()) {
            return None;
        }
        // Most of them were told when the entry was read.
        let seen = self.told.get(&claim.of.0).copied();
        seen.or_else(|| told(state, &mut self.bytes_left))
    }

    /// Checks the claim of entry `index`, which the fold has accepted: it speaks of an earlier state
    /// than `before`, and of a later one than the claim before it.
    pub(crate) fn check(
        &mut self,
        index: u64,
        claim: &SnapshotClaim,
        before: Option<Told>,
        reader: &Reader<'_>,
    ) -> Result<Option<Failure>, SourceError> {
        let seen = self.told.remove(&claim.of.0);
        // Places only ascend: what was told of an earlier one is not asked for any more.
        self.told = self.told.split_off(&claim.of.0);
        let known = match before.or(seen) {
            Some(told) => Some(told),
            None if self.bytes_left <= 0 => None,
            None => {
                let mut bytes_left = self.bytes_left;
                let state = self.rebuild(claim.of.0.saturating_add(1), reader)?;
                let told = told(state, &mut bytes_left);
                self.bytes_left = bytes_left;
                told
            }
        };
        let Some((digest, accounts)) = known else {
            let expected = "snapshot entries as far apart as the state is large";
            let found = "one more, soon after many";
            let place = Place::Entry(index);
            return Ok(Some(Failure::new(Check::Snapshot, place, expected, found)));
        };
        if (digest, accounts) == (claim.digest, claim.accounts) {
            return Ok(None);
        }
        let expected = format!(
            "state {digest} of {accounts} accounts after entry {}",
            claim.of
        );
        let found = format!("state {} of {} accounts", claim.digest, claim.accounts);
        let place = Place::Entry(index);
        Ok(Some(Failure::new(Check::Snapshot, place, expected, found)))
    }

    /// The state at `size`, from the last copy at or before it, which takes the copy's place.
    fn rebuild(&mut self, size: u64, reader: &Reader<'_>) -> Result<&State, SourceError> {
        let usable = self
            .copies
            .iter()
            .take_while(|copy| copy.size() <= size)
            .count();
        // Places only ascend, so what is older than the last usable copy is never needed again.
        self.copies
            .drain(..usable.saturating_sub(1).min(self.copies.len()));
        if self.copies.first().is_none_or(|copy| copy.size() > size) {
            self.copies.insert(0, State::new());
        }
        if let Some(state) = self.copies.first_mut() {
            reader.read_again(state.size()..size, |_, entry| {
                apply_or_step_over(state, entry)
            })?;
        }
        Ok(self
            .copies
            .first_mut()
            .map_or_else(unreachable_state, |state| &*state))
    }
}

/// Hashes a state, unless too many bytes were hashed before; `bytes_left` is what is left of them.
fn told(state: &State, bytes_left: &mut i64) -> Option<Told> {
    if *bytes_left <= 0 {
        return None;
    }
    let accounts = u64::try_from(state.accounts_len()).unwrap_or(u64::MAX);
    let Ok(digest) = state.give_snapshot(&mut Vec::new(), |piece| {
        let length = i64::try_from(piece.len()).unwrap_or(i64::MAX);
        *bytes_left = bytes_left.saturating_sub(length);
        Ok::<(), Infallible>(())
    });
    Some((digest, accounts))
}

fn unreachable_state<'a>() -> &'a State {
    static EMPTY: std::sync::OnceLock<State> = std::sync::OnceLock::new();
    EMPTY.get_or_init(State::new)
}

/// Folds an entry as the first time round; its failures were reported then.
fn apply_or_step_over(state: &mut State, entry: Option<paygod_core::Entry>) {
    let applied = entry
        .as_ref()
        .is_some_and(|entry| state.apply(entry).is_ok());
    if !applied {
        state.step_over(entry.map(|entry| entry.time));
    }
}
