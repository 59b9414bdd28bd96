//! Windows that were asked about, kept up to date entry by entry.
//!
//! Counting a window reads every entry in it. Of a creditor whom thousands pay that is thousands of entries for each
//! payment, in a turn that everybody waits for. So a window that has something in it is kept: what is sealed is added
//! to it, and what has fallen out of it by the next question is read once more and taken off. A question then costs
//! what fell out since the one before, however much is in the window.
//!
//! The answers are those of counting anew. What is kept may be forgotten at any time, and is when too much is.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use paygod_core::{Effects, Entry, HistoryError, WindowFact, WindowLookup, WindowToken};
use paygod_policy::limits::WINDOW_VALUES_MAX;
use paygod_policy::{Measure, SumTooLarge};
use paygod_store::KeyMaker;
use paygod_types::{Amount, Seq, Timestamp};

/// Most windows kept, some 300 bytes each, and most different values in all of them.
const KEPT_MAX: usize = 1 << 17;
const VALUES_MAX: usize = 1 << 19;

/// How many of the oldest entries of a window are read at once, to be taken off one after the other.
const AHEAD: usize = 64;

/// Sealed entries as a window is counted from them.
pub(super) trait Sealed {
    /// The entries that may count under a token, newest first.
    fn newest(&self, token: WindowToken) -> impl Iterator<Item = Result<Seq, HistoryError>>;

    /// Puts what an entry counts under a token into `out`, emptied first, and gives the entry's time.
    fn read(
        &self,
        seq: Seq,
        token: WindowToken,
        out: &mut Vec<Counted>,
    ) -> Result<Timestamp, HistoryError>;
}

/// Sealed entries to which more are added.
pub(super) trait Growing: Sealed {
    /// The oldest entries from one on that may count under a token, at most so many, oldest first.
    fn oldest(&self, token: WindowToken, from: Seq, most: usize) -> Result<Vec<Seq>, HistoryError>;
}

/// Counts a window anew.
pub(super) fn count(
    query: &WindowLookup,
    sealed: &impl Sealed,
) -> Result<WindowFact, HistoryError> {
    Ok(Kept::count(query, sealed)?.fact())
}

/// Which tokens have windows that are kept, for workers who read ahead what will have to be counted. A hint: what is
/// not read ahead is read in the turn.
#[derive(Clone)]
pub(super) struct KeptTokens(Arc<[AtomicU64]>);

/// A bit for each of so many kinds of tokens.
const TOKEN_KINDS: u64 = 1 << 21;

impl Default for KeptTokens {
    fn default() -> Self {
        let words = TOKEN_KINDS / u64::from(u64::BITS);
        Self((0..words).map(|_| AtomicU64::new(0)).collect())
    }
}

impl KeptTokens {
    /// The word of a token's key in the index, and its bit there.
    fn bit(&self, key: u64) -> Option<(&AtomicU64, u64)> {
        let kind = key % TOKEN_KINDS;
        let word = usize::try_from(kind / u64::from(u64::BITS)).ok()?;
        Some((self.0.get(word)?, 1 << (kind % u64::from(u64::BITS))))
    }

    /// Whether the token with this key in the index has windows that are kept, as it seems.
    pub(super) fn has(&self, key: u64) -> bool {
        self.bit(key)
            .is_some_and(|(word, bit)| word.load(Ordering::Relaxed) & bit != 0)
    }

    fn set(&self, key: u64, is_kept: bool) {
        let Some((word, bit)) = self.bit(key) else {
            return;
        };
        if is_kept {
            word.fetch_or(bit, Ordering::Relaxed);
        } else {
            word.fetch_and(!bit, Ordering::Relaxed);
        }
    }
}

/// The windows that are kept.
pub(super) struct Windows {
    maker: KeyMaker,
    tokens: KeptTokens,
    kept: HashMap<WindowToken, Vec<Kept>>,
    /// How many, and how many different values they hold.
    len: usize,
    values: usize,
    questions: u64,
}

impl Windows {
    /// None yet; `tokens` will tell which are.
    pub(super) fn new(maker: KeyMaker, tokens: KeptTokens) -> Self {
        Self {
            maker,
            tokens,
            kept: HashMap::new(),
            len: 0,
            values: 0,
            questions: 0,
        }
    }

    /// Answers a question.
    pub(super) fn fact(
        &mut self,
        query: &WindowLookup,
        sealed: &impl Growing,
    ) -> Result<WindowFact, HistoryError> {
        self.questions = self.questions.saturating_add(1);
        let windows = self.kept.get_mut(&query.token);
        let mut windows = windows.into_iter().flatten();
        if let Some(window) = windows.find(|window| window.is(query))
            && window.since <= query.since
        {
            window.asked = self.questions;
            let before = window.values.len();
            let moved = window.move_to(query, sealed);
            let after = window.values.len();
            self.values = self.values.saturating_sub(before.saturating_sub(after));
            if moved? {
                return Ok(window.fact());
            }
            self.forget(query);
        }
        let window = Kept::count(query, sealed)?;
        let fact = window.fact();
        if window.count > 0 && !window.is_too_much {
            self.keep(query, window);
        }
        Ok(fact)
    }

    /// Adds an entry that was just sealed.
    pub(super) fn note(&mut self, effects: &Effects) {
        if self.kept.is_empty() {
            return;
        }
        for hit in &effects.windows {
            let Some(windows) = self.kept.get_mut(&hit.token) else {
                continue;
            };
            let counted = Counted {
                time: effects.time,
                amount: hit.money.amount,
                value: hit.value,
            };
            let held = |windows: &[Kept]| -> (usize, usize) {
                let values = windows.iter().map(|window| window.values.len());
                (windows.len(), values.sum())
            };
            let before = held(windows);
            windows.retain_mut(|window| {
                window.add(effects.seq, &counted).is_ok() && !window.is_too_much
            });
            let after = held(windows);
            self.len = self.len.saturating_add(after.0).saturating_sub(before.0);
            self.values = self.values.saturating_add(after.1).saturating_sub(before.1);
            if windows.is_empty() {
                self.kept.remove(&hit.token);
                self.tokens.set(self.maker.token(&hit.token.0), false);
            }
        }
    }

    fn keep(&mut self, query: &WindowLookup, mut window: Kept) {
        if self.len >= KEPT_MAX || self.values >= VALUES_MAX {
            self.forget_half();
        }
        window.asked = self.questions;
        self.len = self.len.saturating_add(1);
        self.values = self.values.saturating_add(window.values.len());
        let windows = self.kept.entry(query.token).or_default();
        windows.retain(|other| !other.is(query));
        windows.push(window);
        self.tokens.set(self.maker.token(&query.token.0), true);
    }

    fn forget(&mut self, query: &WindowLookup) {
        self.retain(|token, window| *token != query.token || !window.is(query));
    }

    /// Forgets those that were not asked about for long.
    fn forget_half(&mut self) {
        let windows = self.kept.values().flatten();
        let mut asked: Vec<u64> = windows.map(|window| window.asked).collect();
        let middle = asked.len() / 2;
        if middle >= asked.len() {
            return;
        }
        let (_, median, _) = asked.select_nth_unstable(middle);
        let median = *median;
        self.retain(|_, window| window.asked > median);
    }

    fn retain(&mut self, mut stays: impl FnMut(&WindowToken, &Kept) -> bool) {
        (self.len, self.values) = (0, 0);
        let (len, values) = (&mut self.len, &mut self.values);
        let (maker, tokens) = (self.maker, &self.tokens);
        self.kept.retain(|token, windows| {
            windows.retain(|window| stays(token, window));
            *len = len.saturating_add(windows.len());
            for window in &*windows {
                *values = values.saturating_add(window.values.len());
            }
            if windows.is_empty() {
                tokens.set(maker.token(&token.0), false);
            }
            !windows.is_empty()
        });
    }
}

/// A window, and what counts in it.
struct Kept {
    span: Duration,
    measure: Measure,
    /// Everything from here on is counted.
    since: Timestamp,
    count: u64,
    sum: Amount,
    last_seq: Option<Seq>,
    /// How often each value counts.
    values: HashMap<WindowToken, u32>,
    /// There were more values than any window may have.
    is_too_much: bool,
    /// When the oldest of what is counted was sealed; `None`: it has to be read.
    oldest_time: Option<Timestamp>,
    /// The oldest of what is counted, as far as it was read, oldest first.
    oldest: VecDeque<Counted>,
    /// Where it is read on.
    next: Seq,
    /// Which question about windows asked for it last.
    asked: u64,
}

/// A transfer that counts in a window.
#[derive(Clone, Copy)]
pub(super) struct Counted {
    time: Timestamp,
    amount: Amount,
    value: Option<WindowToken>,
}

impl Kept {
    fn is(&self, query: &WindowLookup) -> bool {
        self.span == query.span && self.measure == query.measure
    }

    /// Counts what is sealed.
    fn count(query: &WindowLookup, sealed: &impl Sealed) -> Result<Self, HistoryError> {
        let mut window = Self {
            span: query.span,
            measure: query.measure,
            since: query.since,
            count: 0,
            sum: Amount::ZERO,
            last_seq: None,
            values: HashMap::new(),
            is_too_much: false,
            oldest_time: None,
            oldest: VecDeque::new(),
            next: Seq(0),
            asked: 0,
        };
        let mut read = Vec::new();
        for seq in sealed.newest(query.token) {
            let seq = seq?;
            let time = sealed.read(seq, query.token, &mut read)?;
            if time < query.since {
                break;
            }
            for counted in read.drain(..) {
                window.add(seq, &counted).map_err(HistoryError::new)?;
                (window.oldest_time, window.next) = (Some(time), seq);
            }
        }
        Ok(window)
    }

    fn add(&mut self, seq: Seq, counted: &Counted) -> Result<(), SumTooLarge> {
        if self.count == 0 {
            self.oldest_time = Some(counted.time);
        }
        self.count = self.count.saturating_add(1);
        self.last_seq = self.last_seq.max(Some(seq));
        match self.measure {
            Measure::Count => {}
            Measure::Sum => self.sum = self.sum.checked_add(counted.amount).ok_or(SumTooLarge)?,
            Measure::Distinct => {
                if let Some(value) = counted.value.filter(|_| !self.is_too_much) {
                    let times = self.values.entry(value).or_default();
                    *times = times.saturating_add(1);
                    self.is_too_much = self.values.len() > WINDOW_VALUES_MAX;
                }
            }
        }
        Ok(())
    }

    /// Takes off what has fallen out. `false`: what is sealed does not fit what was counted.
    fn move_to(
        &mut self,
        query: &WindowLookup,
        sealed: &impl Growing,
    ) -> Result<bool, HistoryError> {
        self.since = query.since;
        while self.count > 0 {
            let Some(time) = self.oldest_time else {
                if !self.read(query.token, sealed)? {
                    return Ok(false);
                }
                continue;
            };
            if time >= query.since {
                return Ok(true);
            }
            let Some(out) = self.oldest.pop_front() else {
                if !self.read(query.token, sealed)? {
                    return Ok(false);
                }
                continue;
            };
            self.take_off(&out);
            self.oldest_time = self.oldest.front().map(|next| next.time);
        }
        Ok(true)
    }

    /// Reads more of the oldest; `false` if there is nothing more.
    fn read(&mut self, token: WindowToken, sealed: &impl Growing) -> Result<bool, HistoryError> {
        let seqs = sealed.oldest(token, self.next, AHEAD)?;
        let Some(last) = seqs.last() else {
            return Ok(false);
        };
        self.next = Seq(last.get().saturating_add(1));
        let mut read = Vec::new();
        for seq in seqs {
            sealed.read(seq, token, &mut read)?;
            self.oldest.extend(read.drain(..));
        }
        self.oldest_time = self.oldest.front().map(|first| first.time);
        Ok(true)
    }

    fn take_off(&mut self, out: &Counted) {
        self.count = self.count.saturating_sub(1);
        match self.measure {
            Measure::Count => {}
            // It was part of the sum.
            Measure::Sum => self.sum = self.sum.checked_sub(out.amount).unwrap_or(Amount::ZERO),
            Measure::Distinct => {
                if let Some(value) = out.value
                    && let Some(times) = self.values.get_mut(&value)
                {
                    *times = times.saturating_sub(1);
                    if *times == 0 {
                        self.values.remove(&value);
                    }
                }
            }
        }
        if self.count == 0 {
            self.last_seq = None;
        }
    }

    fn fact(&self) -> WindowFact {
        let distinct = if self.is_too_much {
            u64::MAX
        } else {
            u64::try_from(self.values.len()).unwrap_or(u64::MAX)
        };
        WindowFact {
            count: self.count,
            sum: self.sum,
            distinct,
            last_seq: self.last_seq,
        }
    }
}

/// What an entry counts under a token: nothing, if another token shares its key.
pub(super) fn counted(entry: &Entry, token: WindowToken, out: &mut Vec<Counted>) {
    out.clear();
    let windows = entry.body.windows().iter();
    out.extend(
        windows
            .filter(|window| window.token == token)
            .map(|window| {
                // A transfer makes a debit and a credit, in the order of the request.
                let place = usize::try_from(window.transfer)
                    .unwrap_or(usize::MAX)
                    .saturating_mul(2);
                let posting = entry.body.postings().get(place);
                Counted {
                    time: entry.time,
                    amount: posting.map_or(Amount::ZERO, |posting| posting.money.amount),
                    value: window.value,
                }
            }),
    );
}

#[cfg(test)]
mod tests {
    use paygod_core::WindowHit;
    use paygod_types::{Currency, RequestId};
    use proptest::prelude::*;

    use super::*;

    /// Entries in memory: time and hits. Every token has the same key, so that hits of others are met too.
    #[derive(Default)]
    struct Memory(Vec<(Timestamp, Vec<WindowHit>)>);

    impl Memory {
        fn size(&self) -> u64 {
            u64::try_from(self.0.len()).unwrap()
        }
    }

    impl Sealed for Memory {
        fn newest(&self, _: WindowToken) -> impl Iterator<Item = Result<Seq, HistoryError>> {
            (0..self.size()).rev().map(|seq| Ok(Seq(seq)))
        }

        fn read(
            &self,
            seq: Seq,
            token: WindowToken,
            out: &mut Vec<Counted>,
        ) -> Result<Timestamp, HistoryError> {
            let (time, hits) = &self.0[usize::try_from(seq.get()).unwrap()];
            out.clear();
            out.extend(
                hits.iter()
                    .filter(|hit| hit.token == token)
                    .map(|hit| Counted {
                        time: *time,
                        amount: hit.money.amount,
                        value: hit.value,
                    }),
            );
            Ok(*time)
        }
    }

    impl Growing for Memory {
        fn oldest(&self, _: WindowToken, from: Seq, most: usize) -> Result<Vec<Seq>, HistoryError> {
            Ok((from.get()..self.size()).take(most).map(Seq).collect())
        }
    }

    fn token(number: u8) -> WindowToken {
        WindowToken([number; 16])
    }

    fn key_maker() -> KeyMaker {
        let folder = tempfile::tempdir().unwrap();
        let options = paygod_store::Options::default();
        let book = paygod_store::Book::create(&folder.path().join("book"), &options).unwrap();
        book.index.finder().keys()
    }

    /// A question, and what is sealed after it.
    #[derive(Clone, Debug)]
    struct Step {
        passed: u64,
        asked: u8,
        span: u64,
        measure: Measure,
        /// Token, amount and value of each.
        hits: Vec<(u8, i32, u8)>,
    }

    fn step() -> impl Strategy<Value = Step> {
        let hits = proptest::collection::vec((0_u8..3, any::<i32>(), 0_u8..9), 0..5);
        let measures = vec![Measure::Count, Measure::Sum, Measure::Distinct];
        let measure = proptest::sample::select(measures);
        let question = (1_u64..5, 0_u8..3, 0_u64..3, measure);
        (question, hits).prop_map(|((passed, asked, spans, measure), hits)| Step {
            passed,
            asked,
            span: spans * 30,
            measure,
            hits,
        })
    }

    proptest! {
        #[test]
        fn what_is_kept_answers_as_counting_anew(steps in proptest::collection::vec(step(), 1..400)) {
            let maker = key_maker();
            let mut windows = Windows::new(maker, KeptTokens::default());
            let mut sealed = Memory::default();
            let mut effects = Effects::reusable(RequestId::parse("pay-1").unwrap());
            let mut now = 1_000_u64;
            for Step { passed, asked, span, measure, hits } in steps {
                now += passed;
                let query = WindowLookup {
                    token: token(asked),
                    since: Timestamp::from_nanos(now - span),
                    span: Duration::from_nanos(span),
                    measure,
                };
                let fact = windows.fact(&query, &sealed).unwrap();
                prop_assert_eq!(fact, count(&query, &sealed).unwrap());
                let values: usize = windows.kept.values().flatten().map(|one| one.values.len()).sum();
                prop_assert_eq!(windows.values, values);
                for (token, windows) in &windows.kept {
                    prop_assert!(!windows.is_empty(), "{token:?}");
                }
                let hits = hits.into_iter().map(|(number, minor, value)| WindowHit {
                    token: token(number),
                    money: Amount::from_minor(i128::from(minor)).of(Currency::parse("EUR").unwrap()),
                    value: Some(token(value)),
                });
                effects.windows = hits.collect();
                effects.seq = Seq(sealed.size());
                effects.time = Timestamp::from_nanos(now);
                sealed.0.push((effects.time, effects.windows.clone()));
                windows.note(&effects);
                if now.is_multiple_of(97) {
                    windows.forget_half();
                }
            }
        }
    }

    #[test]
    fn of_too_many_windows_those_not_asked_for_are_forgotten() {
        let maker = key_maker();
        let tokens = KeptTokens::default();
        let mut windows = Windows::new(maker, tokens.clone());
        let hit = |number: u64| {
            let mut bytes = [0; 16];
            bytes[..8].copy_from_slice(&number.to_le_bytes());
            WindowToken(bytes)
        };
        let query = |number: u64| WindowLookup {
            token: hit(number),
            since: Timestamp::EPOCH,
            span: Duration::from_secs(1),
            measure: Measure::Count,
        };
        let all = u64::try_from(KEPT_MAX).unwrap() + 10;
        for number in 0..all {
            let mut window = Kept::count(&query(number), &Memory::default()).unwrap();
            window.count = 1;
            windows.questions += 1;
            windows.keep(&query(number), window);
        }
        assert!(windows.len <= KEPT_MAX);
        assert!(windows.len >= KEPT_MAX / 3, "{}", windows.len);
        let key = |number| maker.token(&hit(number).0);
        assert!(tokens.has(key(all - 1)));
        assert!(!tokens.has(key(0)));
    }
}
