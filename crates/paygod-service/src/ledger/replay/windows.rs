//! What counts in windows, rebuilt entry by entry as a replay goes along.
//!
//! Each token keeps what was sealed under it within the longest window that the language allows, with
//! running sums, so that a question takes two binary searches however much is in the window.

use std::collections::VecDeque;
use std::collections::hash_map::{Entry as Slot, HashMap};
use std::time::Duration;

use paygod_core::{WindowFact, WindowLookup, WindowToken};
use paygod_policy::limits::WINDOW_NS_MAX;
use paygod_types::{Amount, Seq, Timestamp};

/// The longest window: what is older counts in none.
const LONGEST: Duration = Duration::from_nanos(WINDOW_NS_MAX.unsigned_abs());

/// After how many records tokens are looked through for those that count no longer.
const SWEEP_EVERY: u64 = 1 << 20;

/// History as windows see it, up to the entry being judged.
#[derive(Debug, Default)]
pub(super) struct Windows {
    tokens: HashMap<WindowToken, VecDeque<Counted>>,
    records: u64,
}

#[derive(Clone, Copy, Debug)]
struct Counted {
    seq: Seq,
    time: Timestamp,
    /// The sum up to and with this one. It wraps, and the difference of two does not where the window's
    /// own sum fits: sums of one token are of one currency.
    running: i128,
    amount: i128,
}

impl Windows {
    /// Counts a transfer that was sealed and not denied.
    pub(super) fn record(&mut self, token: WindowToken, seq: Seq, time: Timestamp, amount: Amount) {
        let since = time.checked_sub(LONGEST).unwrap_or(Timestamp::EPOCH);
        let amount = amount.minor();
        match self.tokens.entry(token) {
            Slot::Vacant(slot) => {
                let running = amount;
                slot.insert(VecDeque::from([Counted {
                    seq,
                    time,
                    running,
                    amount,
                }]));
            }
            Slot::Occupied(mut slot) => {
                let counted = slot.get_mut();
                while counted.front().is_some_and(|first| first.time < since) {
                    counted.pop_front();
                }
                let before = counted.back().map_or(0, |last| last.running);
                let running = before.wrapping_add(amount);
                counted.push_back(Counted {
                    seq,
                    time,
                    running,
                    amount,
                });
            }
        }
        self.records = self.records.saturating_add(1);
        if self.records.is_multiple_of(SWEEP_EVERY) {
            self.tokens
                .retain(|_, counted| counted.back().is_some_and(|last| last.time >= since));
        }
    }

    /// What was sealed under the token at `since` or later.
    pub(super) fn fact(&self, query: WindowLookup) -> WindowFact {
        let Some(counted) = self.tokens.get(&query.token) else {
            return WindowFact::default();
        };
        let first = counted.partition_point(|one| one.time < query.since);
        let (Some(first_in), Some(last)) = (counted.get(first), counted.back()) else {
            return WindowFact::default();
        };
        let count = counted.len().saturating_sub(first);
        let sum = if query.sum_used {
            let before = first_in.running.wrapping_sub(first_in.amount);
            Amount::from_minor(last.running.wrapping_sub(before))
        } else {
            Amount::ZERO
        };
        WindowFact {
            count: u64::try_from(count).unwrap_or(u64::MAX),
            sum,
            last_seq: Some(last.seq),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_nanos(seconds * 1_000_000_000)
    }

    fn ask(windows: &Windows, since: u64, sum_used: bool) -> WindowFact {
        windows.fact(WindowLookup {
            token: WindowToken([7; 16]),
            since: at(since),
            sum_used,
        })
    }

    #[test]
    fn a_window_counts_and_sums_what_is_within_it() {
        let mut windows = Windows::default();
        for (seq, seconds, minor) in [(1, 10, 100), (2, 20, 250), (3, 30, i128::MAX - 5)] {
            let amount = Amount::from_minor(minor);
            windows.record(WindowToken([7; 16]), Seq(seq), at(seconds), amount);
        }
        let fact = ask(&windows, 20, true);
        assert_eq!((fact.count, fact.last_seq), (2, Some(Seq(3))));
        // The running sum has wrapped; that of the last alone is exact.
        assert_eq!(ask(&windows, 30, true).sum.minor(), i128::MAX - 5);
        assert_eq!(ask(&windows, 10, false).sum, Amount::ZERO);
        assert_eq!(ask(&windows, 31, true), WindowFact::default());
    }

    #[test]
    fn what_no_window_reaches_is_forgotten() {
        let mut windows = Windows::default();
        let year = LONGEST.as_secs();
        for (seq, seconds) in [(1, 5), (2, 6), (3, 7 + year)] {
            windows.record(WindowToken([7; 16]), Seq(seq), at(seconds), Amount::ZERO);
        }
        assert_eq!(ask(&windows, 0, false).count, 1);
    }
}
