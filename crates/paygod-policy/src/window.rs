//! The facts a decision reads beside the document: the time, balances, and windows over sealed history.
//!
//! A pack asks `velocity([keys…], duration("24h"))`. The policy crate turns the key values into **key
//! bytes** while preparing; the sequencer turns those into a [`WindowToken`] under the book's key and
//! answers with a [`WindowFact`] from its index of sealed, not denied entries before this one.
//!
//! Key bytes hold personal data (names, account numbers): they are for the token only and must never
//! be stored or logged. This module neither hashes nor stores anything.

use core::time::Duration;
use std::collections::HashSet;

use paygod_types::{Amount, Currency, Seq, Timestamp};

use crate::limits::WINDOW_VALUES_MAX;

/// Everything a decision reads that is not in the judged document. The sequencer answers; a decision made
/// again from the same document and the same facts is the same to the byte.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts<'a> {
    /// Answers to [`Prepared::windows`](crate::Prepared::windows), one each in order.
    pub windows: &'a [WindowFact],
    /// Answers to [`Prepared::accounts`](crate::Prepared::accounts), one each in order; `None` for an account
    /// that is not there.
    pub accounts: &'a [Option<AccountFact>],
    /// The time the entry is sealed at: what `now()` is.
    pub time: Option<Timestamp>,
}

/// Facts that are kept beside the decision they were told to.
#[derive(Debug, Default)]
pub(crate) struct KeptFacts {
    pub(crate) windows: Vec<WindowFact>,
    pub(crate) accounts: Vec<Option<AccountFact>>,
    pub(crate) time: Option<Timestamp>,
}

impl KeptFacts {
    pub(crate) fn told(&self) -> Facts<'_> {
        Facts {
            windows: &self.windows,
            accounts: &self.accounts,
            time: self.time,
        }
    }
}

/// The balances of an account before the entry being made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountFact {
    /// The account's currency.
    pub currency: Currency,
    /// Credits less debits, posted.
    pub posted: Amount,
    /// The balance if every reserved debit were posted: what is there to spend.
    pub available: Amount,
    /// The balance if every reserved credit were posted.
    pub expected: Amount,
}

/// One account whose balances a prepared transfer asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountQuery<'a> {
    /// The account's id as the document or the rule spells it; it need not exist.
    pub id: &'a str,
    /// Whether the decision can read the answer. If not, `None` may be passed instead.
    pub asked: bool,
}

/// Sixteen bytes that stand for a window's key values in entries and indexes: a keyed hash of the key
/// bytes, made by the sequencer, so that an export does not give the values away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WindowToken(pub [u8; 16]);

/// What sealed history says about one window, the transfer being judged not included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WindowFact {
    /// How many transfers with the same key values were sealed and not denied within the window.
    pub count: u64,
    /// The sum of their amounts, in minor units of the judged transfer's currency. Meaningful only for
    /// windows that measure [`Measure::Sum`]: their key includes the currency.
    pub sum: Amount,
    /// How many different values they had, meaningful only for windows that measure [`Measure::Distinct`];
    /// `u64::MAX` if there are more than [`WINDOW_VALUES_MAX`]. The rule that reads that errs.
    pub distinct: u64,
    /// The latest of them.
    pub last_seq: Option<Seq>,
}

/// One question a prepared transfer puts to sealed history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowQuery<'a> {
    /// The key values, framed unambiguously and prefixed with the paths they come from. Personal data.
    /// Every query's token is to be indexed for later transfers, unless this transfer is denied.
    pub key: &'a [u8],
    /// How far back to look, in whole nanoseconds before the judged transfer's time. Zero: only at the linked
    /// transfers before it, since every entry has a time of its own.
    pub window: Duration,
    /// Whether the decision can read the answer. If not, `WindowFact::default()` may be passed instead:
    /// the token is still indexed, but history need not be asked.
    pub asked: bool,
    /// What the decision can read beside the count.
    pub measure: Measure,
    /// The value that this transfer adds to the window, framed as the key is and prefixed with it; there
    /// exactly if the window measures [`Measure::Distinct`]. Personal data, as the key is.
    pub value: Option<&'a [u8]>,
}

/// What is measured in a window beside how many transfers it has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Measure {
    /// Nothing else.
    #[default]
    Count,
    /// The sum of their amounts.
    Sum,
    /// How many different values of a field they have.
    Distinct,
}

/// A window being counted, transfer by transfer in any order.
#[derive(Debug)]
pub struct WindowTally {
    measure: Measure,
    fact: WindowFact,
    values: HashSet<WindowToken>,
}

/// A window's sum passes 128 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the window's sum passes 128 bits")]
pub struct SumTooLarge;

impl WindowTally {
    /// An empty window.
    #[must_use]
    pub fn new(measure: Measure) -> Self {
        Self {
            measure,
            fact: WindowFact::default(),
            values: HashSet::new(),
        }
    }

    /// Counts a transfer of the entry `seq`. The amount is read only by [`Measure::Sum`], the value only by
    /// [`Measure::Distinct`].
    ///
    /// # Errors
    /// [`SumTooLarge`]; the window is to be given up then.
    pub fn add(
        &mut self,
        seq: Seq,
        amount: Amount,
        value: Option<WindowToken>,
    ) -> Result<(), SumTooLarge> {
        let fact = &mut self.fact;
        fact.count = fact.count.saturating_add(1);
        fact.last_seq = fact.last_seq.max(Some(seq));
        match self.measure {
            Measure::Count => {}
            Measure::Sum => fact.sum = fact.sum.checked_add(amount).ok_or(SumTooLarge)?,
            Measure::Distinct => {
                if self.values.len() <= WINDOW_VALUES_MAX {
                    self.values.extend(value);
                }
            }
        }
        Ok(())
    }

    /// What was counted.
    #[must_use]
    pub fn fact(self) -> WindowFact {
        let distinct = if self.values.len() > WINDOW_VALUES_MAX {
            u64::MAX
        } else {
            u64::try_from(self.values.len()).unwrap_or(u64::MAX)
        };
        WindowFact {
            distinct,
            ..self.fact
        }
    }
}
