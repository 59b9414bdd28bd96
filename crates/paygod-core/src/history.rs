//! Looking back: balances as they were, and a history kept in memory.
//!
//! Pure helpers. A store keeps the records; [`MemoryHistory`] is the reference that stores are tested
//! against, and serves tests and small books: it holds everything in memory and never forgets.

use std::collections::BTreeMap;

use foldhash::quality::FixedState;
use hashbrown::HashMap;
use paygod_policy::{WindowFact, WindowTally, WindowToken};
use paygod_types::{Amount, RequestId, Seq, Timestamp};

use crate::accounts::{AccountIx, Balances};
use crate::effects::Effects;
use crate::entry::RequestRef;
use crate::ports::{CommitmentKey, History, HistoryError, SealedRequest, WindowLookup};

/// A moment of a book's past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AsOf {
    /// Right after this entry.
    Seq(Seq),
    /// After every entry sealed at this time or before.
    Time(Timestamp),
}

/// The balances of one account after one entry that changed them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BalanceRecord {
    /// The entry.
    pub seq: Seq,
    /// Its time.
    pub time: Timestamp,
    /// The balances after it.
    pub balances: Balances,
}

/// The last of one account's records, ascending by seq, that holds as of a moment; `None` if the first
/// change came later: the balances were zero, or the account was not open yet.
#[must_use]
pub fn as_of(records: &[BalanceRecord], moment: AsOf) -> Option<&BalanceRecord> {
    // Seq and time rise together, so either sorts the records.
    let after = match moment {
        AsOf::Seq(seq) => records.partition_point(|record| record.seq <= seq),
        AsOf::Time(time) => records.partition_point(|record| record.time <= time),
    };
    records.get(after.checked_sub(1)?)
}

/// Everything a book's history answers, in memory.
#[derive(Clone, Debug, Default)]
pub struct MemoryHistory {
    requests: HashMap<RequestId, SealedRequest, FixedState>,
    windows: HashMap<WindowToken, Vec<Counted>, FixedState>,
    balances: BTreeMap<AccountIx, Vec<BalanceRecord>>,
    keys: HashMap<Seq, CommitmentKey, FixedState>,
}

#[derive(Clone, Copy, Debug)]
struct Counted {
    seq: Seq,
    time: Timestamp,
    amount: Amount,
    value: Option<WindowToken>,
}

impl MemoryHistory {
    /// An empty history.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in what an entry changed. `request` is the entry's own.
    pub fn record(&mut self, effects: &Effects, request: Option<RequestRef>) {
        let sealed = SealedRequest {
            seq: effects.seq,
            action: effects.action,
            posted: effects.posted,
            request,
        };
        self.requests.insert(effects.id.clone(), sealed);
        for hit in &effects.windows {
            self.windows.entry(hit.token).or_default().push(Counted {
                seq: effects.seq,
                time: effects.time,
                amount: hit.money.amount,
                value: hit.value,
            });
        }
        for touched in &effects.touched {
            self.balances
                .entry(touched.account)
                .or_default()
                .push(BalanceRecord {
                    seq: effects.seq,
                    time: effects.time,
                    balances: touched.balances,
                });
        }
    }

    /// Keeps the commitment key of an entry's vaulted input.
    pub fn keep_key(&mut self, seq: Seq, key: CommitmentKey) {
        self.keys.insert(seq, key);
    }

    /// Erases the commitment key of an entry's vaulted input.
    pub fn erase_key(&mut self, seq: Seq) {
        self.keys.remove(&seq);
    }

    /// Every change of an account's balances, ascending.
    #[must_use]
    pub fn records(&self, account: AccountIx) -> &[BalanceRecord] {
        self.balances.get(&account).map_or(&[], Vec::as_slice)
    }

    /// An account's balances as of a moment, zero before its first change.
    #[must_use]
    pub fn balances(&self, account: AccountIx, moment: AsOf) -> Balances {
        as_of(self.records(account), moment)
            .map_or_else(Balances::default, |record| record.balances)
    }
}

impl History for MemoryHistory {
    fn find_request(&self, id: &RequestId) -> Result<Option<SealedRequest>, HistoryError> {
        Ok(self.requests.get(id).copied())
    }

    fn commitment_key(&self, seq: Seq) -> Result<Option<CommitmentKey>, HistoryError> {
        Ok(self.keys.get(&seq).cloned())
    }

    fn window(&self, query: WindowLookup) -> Result<WindowFact, HistoryError> {
        let counted = self
            .windows
            .get(&query.token)
            .map_or(&[][..], Vec::as_slice);
        let first = counted.partition_point(|one| one.time < query.since);
        let within = counted.get(first..).unwrap_or_default();
        let mut tally = WindowTally::new(query.measure);
        for one in within {
            let added = tally.add(one.seq, one.amount, one.value);
            added.map_err(HistoryError::new)?;
        }
        Ok(tally.fact())
    }
}
