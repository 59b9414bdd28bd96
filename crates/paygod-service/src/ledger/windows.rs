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

/// Most windows kept, some 300 bytes each, and most that all of them hold besides, some 50 bytes each: different
/// values, and transfers that were read to be taken off.
const KEPT_MAX: usize = 1 << 17;
const HELD_MAX: usize = 1 << 19;

/// How many of the oldest entries of a window are read at once at most, to be taken off one after the other; of what
/// is in it an eighth.
const AHEAD_MAX: usize = 256;
const AHEAD_PART: u64 = 8;

/// So much is taken off without asking whether counting anew would read less.
const TAKEN_OFF_MIN: u64 = 64;

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
    Ok(Kept::count(query, sealed, &mut Vec::new())?.fact())
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
    /// How many, and what they hold.
    len: usize,
    held: usize,
    questions: u64,
    /// All that was found under tokens asked about since the last entry was sealed: a pack often has several windows
    /// under one.
    found: Vec<Found>,
}

/// All that counts under a token, newest first, if it is little.
struct Found {
    token: WindowToken,
    all: Vec<(Seq, Counted)>,
}

/// Most that is little.
const FOUND_MAX: usize = 64;

impl Windows {
    /// None yet; `tokens` will tell which are.
    pub(super) fn new(maker: KeyMaker, tokens: KeptTokens) -> Self {
        Self {
            maker,
            tokens,
            kept: HashMap::new(),
            len: 0,
            held: 0,
            questions: 0,
            found: Vec::new(),
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
            let before = window.held();
            let moved = window.move_to(query, sealed);
            let after = window.held();
            self.held = self.held.saturating_add(after).saturating_sub(before);
            if matches!(moved, Ok(true)) {
                return Ok(window.fact());
            }
            // After an error nobody knows what was taken off.
            self.forget(query);
            moved?;
        }
        let window = Kept::count(query, sealed, &mut self.found)?;
        let fact = window.fact();
        if window.count > 0 && !window.is_too_much {
            self.keep(query, window);
        }
        Ok(fact)
    }

    /// Adds an entry that was just sealed.
    pub(super) fn note(&mut self, effects: &Effects) {
        self.found.clear();
        if self.kept.is_empty() {
            return;
        }
        for hit in &effects.windows {
            let counted = Counted {
                time: effects.time,
                amount: hit.money.amount,
                value: hit.value,
            };
            self.change(hit.token, |windows| {
                windows.retain_mut(|window| {
                    window.add(effects.seq, &counted).is_ok() && !window.is_too_much
                });
            });
        }
        if self.held > HELD_MAX {
            self.forget_half();
        }
    }

    fn keep(&mut self, query: &WindowLookup, mut window: Kept) {
        if self.len >= KEPT_MAX || self.held >= HELD_MAX {
            self.forget_half();
        }
        window.asked = self.questions;
        self.kept.entry(query.token).or_default();
        self.change(query.token, |windows| {
            windows.retain(|other| !other.is(query));
            windows.push(window);
        });
        self.tokens.set(self.maker.token(&query.token.0), true);
    }

    fn forget(&mut self, query: &WindowLookup) {
        self.change(query.token, |windows| {
            windows.retain(|window| !window.is(query));
        });
    }

    /// Changes the windows of a token, if there are any, and counts what is kept then.
    fn change(&mut self, token: WindowToken, change: impl FnOnce(&mut Vec<Kept>)) {
        let Some(windows) = self.kept.get_mut(&token) else {
            return;
        };
        let before = held(windows);
        change(windows);
        let after = held(windows);
        self.len = self.len.saturating_add(after.0).saturating_sub(before.0);
        self.held = self.held.saturating_add(after.1).saturating_sub(before.1);
        if windows.is_empty() {
            self.kept.remove(&token);
            self.tokens.set(self.maker.token(&token.0), false);
        }
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
        (self.len, self.held) = (0, 0);
        let (len, all) = (&mut self.len, &mut self.held);
        let (maker, tokens) = (self.maker, &self.tokens);
        self.kept.retain(|token, windows| {
            windows.retain(|window| window.asked > median);
            let stay = held(windows);
            *len = len.saturating_add(stay.0);
            *all = all.saturating_add(stay.1);
            if windows.is_empty() {
                tokens.set(maker.token(&token.0), false);
            }
            !windows.is_empty()
        });
    }
}

/// How many windows, and what they hold.
fn held(windows: &[Kept]) -> (usize, usize) {
    (windows.len(), windows.iter().map(Kept::held).sum())
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
    /// When the newest of what is counted was sealed.
    newest_time: Timestamp,
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

    /// Values and transfers in memory.
    fn held(&self) -> usize {
        self.values.len().saturating_add(self.oldest.len())
    }

    /// Counts what is sealed, or was found to be. What was read whole and is little is found from then on.
    fn count(
        query: &WindowLookup,
        sealed: &impl Sealed,
        found: &mut Vec<Found>,
    ) -> Result<Self, HistoryError> {
        let mut window = Self {
            span: query.span,
            measure: query.measure,
            since: query.since,
            count: 0,
            sum: Amount::ZERO,
            last_seq: None,
            values: HashMap::new(),
            is_too_much: false,
            newest_time: Timestamp::EPOCH,
            oldest_time: None,
            oldest: VecDeque::new(),
            next: Seq(0),
            asked: 0,
        };
        if let Some(found) = found.iter().find(|found| found.token == query.token) {
            for (seq, counted) in &found.all {
                if counted.time < query.since {
                    break;
                }
                window.add_older(*seq, counted)?;
            }
            return Ok(window);
        }
        let (mut read, mut all, mut is_all) = (Vec::new(), Vec::new(), true);
        for seq in sealed.newest(query.token) {
            let seq = seq?;
            if sealed.read(seq, query.token, &mut read)? < query.since {
                is_all = false;
                break;
            }
            for counted in read.drain(..) {
                window.add_older(seq, &counted)?;
                if all.len() <= FOUND_MAX {
                    all.push((seq, counted));
                }
            }
        }
        if is_all && (1..=FOUND_MAX).contains(&all.len()) {
            let token = query.token;
            found.push(Found { token, all });
        }
        Ok(window)
    }

    /// Adds what is older than all that was counted.
    fn add_older(&mut self, seq: Seq, counted: &Counted) -> Result<(), HistoryError> {
        self.add(seq, counted).map_err(HistoryError::new)?;
        (self.oldest_time, self.next) = (Some(counted.time), seq);
        Ok(())
    }

    fn add(&mut self, seq: Seq, counted: &Counted) -> Result<(), SumTooLarge> {
        if self.count == 0 {
            self.oldest_time = Some(counted.time);
        }
        self.count = self.count.saturating_add(1);
        self.last_seq = self.last_seq.max(Some(seq));
        self.newest_time = self.newest_time.max(counted.time);
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

    /// Takes off what has fallen out. `false`: it is to be counted anew, which reads less by now, or what is sealed
    /// does not fit what was counted.
    fn move_to(
        &mut self,
        query: &WindowLookup,
        sealed: &impl Growing,
    ) -> Result<bool, HistoryError> {
        self.since = query.since;
        if self.count > 0 && self.newest_time < query.since {
            self.empty();
        }
        let mut taken_off: u64 = 0;
        while self.count > 0 {
            if taken_off > self.count.saturating_add(TAKEN_OFF_MIN) {
                return Ok(false);
            }
            if self.oldest_time.is_some_and(|time| time >= query.since) {
                return Ok(true);
            }
            // Of an oldest whose time is not known nothing was read yet.
            let Some(out) = self.oldest.pop_front() else {
                if !self.read(query.token, sealed)? {
                    return Ok(false);
                }
                continue;
            };
            self.take_off(&out);
            taken_off = taken_off.saturating_add(1);
            self.oldest_time = self.oldest.front().map(|next| next.time);
        }
        Ok(true)
    }

    /// Reads more of the oldest; `false` if there is nothing more.
    fn read(&mut self, token: WindowToken, sealed: &impl Growing) -> Result<bool, HistoryError> {
        let ahead = usize::try_from(self.count / AHEAD_PART).unwrap_or(AHEAD_MAX);
        let seqs = sealed.oldest(token, self.next, ahead.clamp(1, AHEAD_MAX))?;
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

    /// All has fallen out.
    fn empty(&mut self) {
        self.next = Seq(self.last_seq.map_or(0, |last| last.get().saturating_add(1)));
        (self.count, self.sum, self.last_seq) = (0, Amount::ZERO, None);
        (self.values, self.oldest) = (HashMap::new(), VecDeque::new());
        self.oldest_time = None;
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
            self.empty();
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
    use std::cell::Cell;

    use paygod_core::WindowHit;
    use paygod_types::{Currency, RequestId};
    use proptest::prelude::*;

    use super::*;

    /// Entries in memory: time and hits. Every token has the same key, so that hits of others are met too.
    #[derive(Default)]
    struct Memory(Vec<(Timestamp, Vec<WindowHit>)>, Cell<Option<Seq>>);

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
            // The second field: which entry fails to be read, once.
            if self.1.get() == Some(seq) {
                self.1.set(None);
                return Err(HistoryError::new(std::io::Error::other("a disk")));
            }
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

    /// A question: token, span, how late it is, measure.
    type Question = (u8, u64, u64, Measure);

    /// Questions, and what is sealed after them: token, amount and value of each.
    #[derive(Clone, Debug)]
    struct Step {
        passed: u64,
        questions: Vec<Question>,
        hits: Vec<(u8, i32, u8)>,
    }

    fn step() -> impl Strategy<Value = Step> {
        let hits = proptest::collection::vec((0_u8..3, any::<i32>(), 0_u8..9), 0..5);
        let measures = vec![Measure::Count, Measure::Sum, Measure::Distinct];
        let measure = proptest::sample::select(measures);
        let late = prop_oneof![9 => Just(0), 1 => 0_u64..40];
        let question = (0_u8..3, 0_u64..3, late, measure);
        let question = question.prop_map(|(token, spans, late, measure)| {
            let span = if spans == 2 { 900 } else { spans * 30 };
            (token, span, late, measure)
        });
        let questions = proptest::collection::vec(question, 1..5);
        (1_u64..5, questions, hits).prop_map(|(passed, questions, hits)| Step {
            passed,
            questions,
            hits,
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        #[test]
        fn what_is_kept_answers_as_counting_anew(steps in proptest::collection::vec(step(), 1..250)) {
            let maker = key_maker();
            let mut windows = Windows::new(maker, KeptTokens::default());
            let mut sealed = Memory::default();
            let mut effects = Effects::reusable(RequestId::parse("pay-1").unwrap());
            let mut now = 1_000_u64;
            for Step { passed, questions, hits } in steps {
                now += passed;
                for (asked, span, late, measure) in questions {
                    let query = WindowLookup {
                        token: token(asked),
                        since: Timestamp::from_nanos(now - late - span),
                        span: Duration::from_nanos(span),
                        measure,
                    };
                    let fact = windows.fact(&query, &sealed).unwrap();
                    prop_assert_eq!(fact, count(&query, &sealed).unwrap());
                }
                let holds: usize = windows.kept.values().flatten().map(Kept::held).sum();
                let len: usize = windows.kept.values().map(Vec::len).sum();
                prop_assert_eq!((windows.len, windows.held), (len, holds));
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

    /// A window with a hit at every time up to `size`, asked about at once.
    fn hits_and_windows(size: u64) -> (Memory, Windows) {
        let mut windows = Windows::new(key_maker(), KeptTokens::default());
        let mut sealed = Memory::default();
        let mut effects = Effects::reusable(RequestId::parse("pay-1").unwrap());
        for seq in 0..size {
            effects.windows = vec![WindowHit {
                token: token(1),
                money: Amount::from_minor(7).of(Currency::parse("EUR").unwrap()),
                value: None,
            }];
            (effects.seq, effects.time) = (Seq(seq), Timestamp::from_nanos(1_000_000 + seq));
            sealed.0.push((effects.time, effects.windows.clone()));
            windows.note(&effects);
        }
        windows.fact(&at(0), &sealed).unwrap();
        (sealed, windows)
    }

    /// A question of which the hits before this one have fallen out.
    fn at(first: u64) -> WindowLookup {
        WindowLookup {
            token: token(1),
            since: Timestamp::from_nanos(1_000_000 + first),
            span: Duration::from_secs(1),
            measure: Measure::Sum,
        }
    }

    #[test]
    fn after_an_entry_that_could_not_be_read_a_window_is_counted_anew() {
        let (sealed, mut windows) = hits_and_windows(400);
        assert_eq!(windows.fact(&at(100), &sealed).unwrap().count, 300);
        sealed.1.set(Some(Seq(170)));
        windows.fact(&at(200), &sealed).unwrap_err();
        assert_eq!(windows.fact(&at(200), &sealed).unwrap().count, 200);
        assert_eq!(windows.fact(&at(350), &sealed).unwrap().count, 50);
    }

    #[test]
    fn what_has_fallen_out_whole_is_not_read() {
        let (sealed, mut windows) = hits_and_windows(4_000);
        let rest = 10;
        for seq in [0, 1_000, 3_000] {
            sealed.1.set(Some(Seq(seq)));
            assert_eq!(windows.fact(&at(4_000), &sealed).unwrap().count, 0);
        }
        // Of little that is left, as much is read as counting it takes, and not much more.
        let (sealed, mut windows) = hits_and_windows(4_000);
        sealed.1.set(Some(Seq(3_000)));
        let fact = windows.fact(&at(4_000 - rest), &sealed).unwrap();
        assert_eq!((fact.count, sealed.1.get()), (rest, Some(Seq(3_000))));
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
            let mut window =
                Kept::count(&query(number), &Memory::default(), &mut Vec::new()).unwrap();
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
