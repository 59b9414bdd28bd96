//! What counts in windows, rebuilt entry by entry as a replay goes along.
//!
//! Each token keeps what was sealed under it within the longest window that the language allows, with
//! running sums, so that a question takes two binary searches however much is in the window.

use std::collections::VecDeque;
use std::collections::hash_map::{Entry as Slot, HashMap};
use std::time::Duration;

use paygod_core::{WindowFact, WindowHit, WindowLookup, WindowToken};
use paygod_policy::limits::WINDOW_NS_MAX;
use paygod_policy::{Measure, SumTooLarge, WindowTally};
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
    value: Option<WindowToken>,
}

impl Windows {
    /// Counts a transfer that was sealed and not denied.
    pub(super) fn record(&mut self, hit: WindowHit, seq: Seq, time: Timestamp) {
        let WindowHit {
            token,
            money,
            value,
        } = hit;
        let since = time.checked_sub(LONGEST).unwrap_or(Timestamp::EPOCH);
        let amount = money.amount.minor();
        match self.tokens.entry(token) {
            Slot::Vacant(slot) => {
                let running = amount;
                slot.insert(VecDeque::from([Counted {
                    seq,
                    time,
                    running,
                    amount,
                    value,
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
                    value,
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
    ///
    /// # Errors
    /// [`SumTooLarge`].
    pub(super) fn fact(&self, query: WindowLookup) -> Result<WindowFact, SumTooLarge> {
        let Some(counted) = self.tokens.get(&query.token) else {
            return Ok(WindowFact::default());
        };
        let first = counted.partition_point(|one| one.time < query.since);
        let (Some(first_in), Some(last)) = (counted.get(first), counted.back()) else {
            return Ok(WindowFact::default());
        };
        if query.measure == Measure::Distinct {
            let mut tally = WindowTally::new(query.measure);
            for one in counted.range(first..) {
                tally.add(one.seq, Amount::ZERO, one.value)?;
            }
            return Ok(tally.fact());
        }
        let count = counted.len().saturating_sub(first);
        let sum = if query.measure == Measure::Sum {
            let before = first_in.running.wrapping_sub(first_in.amount);
            Amount::from_minor(last.running.wrapping_sub(before))
        } else {
            Amount::ZERO
        };
        Ok(WindowFact {
            distinct: 0,
            count: u64::try_from(count).unwrap_or(u64::MAX),
            sum,
            last_seq: Some(last.seq),
        })
    }
}

#[cfg(test)]
mod tests {
    use paygod_types::Currency;

    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_nanos(seconds * 1_000_000_000)
    }

    fn ask(windows: &Windows, since: u64, measure: Measure) -> WindowFact {
        let query = WindowLookup {
            token: WindowToken([7; 16]),
            since: at(since),
            span: LONGEST,
            measure,
        };
        windows.fact(query).unwrap()
    }

    fn record(windows: &mut Windows, seq: u64, seconds: u64, minor: i128, value: u8) {
        let hit = WindowHit {
            token: WindowToken([7; 16]),
            money: Amount::from_minor(minor).of(Currency::parse("EUR").unwrap()),
            value: Some(WindowToken([value; 16])),
        };
        windows.record(hit, Seq(seq), at(seconds));
    }

    #[test]
    fn a_window_counts_and_sums_what_is_within_it() {
        let mut windows = Windows::default();
        record(&mut windows, 1, 10, 100, 1);
        record(&mut windows, 2, 20, 250, 2);
        record(&mut windows, 3, 30, i128::MAX - 5, 2);
        let fact = ask(&windows, 20, Measure::Sum);
        assert_eq!((fact.count, fact.last_seq), (2, Some(Seq(3))));
        // The running sum has wrapped; that of the last alone is exact.
        assert_eq!(ask(&windows, 30, Measure::Sum).sum.minor(), i128::MAX - 5);
        assert_eq!(ask(&windows, 10, Measure::Count).sum, Amount::ZERO);
        assert_eq!(ask(&windows, 10, Measure::Distinct).distinct, 2);
        assert_eq!(ask(&windows, 20, Measure::Distinct).distinct, 1);
        assert_eq!(ask(&windows, 31, Measure::Sum), WindowFact::default());
    }

    #[test]
    fn what_no_window_reaches_is_forgotten() {
        let mut windows = Windows::default();
        let year = LONGEST.as_secs();
        for (seq, seconds) in [(1, 5), (2, 6), (3, 7 + year)] {
            record(&mut windows, seq, seconds, 0, 1);
        }
        assert_eq!(ask(&windows, 0, Measure::Count).count, 1);
    }
}
