//! Index and balance history against plain maps, over random lives with small tables and reopenings.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use paygod_store::fault::FaultDisk;
use paygod_store::{
    BalancesAfter, Book, Entry, FileKek, Fold, FoldFault, Group, Options, Record, Snapshot, Touch,
};
use paygod_types::Seq;
use proptest::prelude::*;

/// One entry: the tokens it counts under, and the accounts it touches with what it leaves there.
#[derive(Clone, Debug)]
struct Life {
    tokens: Vec<u8>,
    touches: Vec<(u8, i128)>,
}

fn life() -> impl Strategy<Value = Life> {
    let tokens = proptest::collection::vec(0_u8..6, 0..4);
    let small = any::<i32>().prop_map(i128::from);
    let touches = proptest::collection::btree_map(0_u8..5, prop_oneof![small, any::<i128>()], 0..4);
    (tokens, touches).prop_map(|(tokens, touches)| Life {
        tokens,
        touches: touches.into_iter().collect(),
    })
}

fn balances(value: i128) -> BalancesAfter {
    [value, 0, value.wrapping_mul(3), -1]
}

fn touch_of((account, value): &(u8, i128)) -> Touch {
    Touch {
        account: u32::from(*account) * 1000,
        balances: balances(*value),
    }
}

/// Knows all lives, so that any entry can be described again.
struct Known<'a>(&'a [Life]);

impl Fold for Known<'_> {
    fn reset(&mut self) {}

    fn restore(&mut self, _: &Snapshot) -> Result<(), FoldFault> {
        Ok(())
    }

    fn apply(&mut self, entry: Entry<'_>, record: &mut Record) -> Result<(), FoldFault> {
        let life = &self.0[usize::try_from(entry.seq.get()).unwrap()];
        life.tokens
            .iter()
            .for_each(|token| record.token(&[*token; 16]));
        life.touches
            .iter()
            .for_each(|touch| record.touch(touch_of(touch)));
        Ok(())
    }
}

fn add(book: &mut Book, seq: u64, life: &Life) {
    let mut group = Group::new(Seq(seq));
    group.push(b"{}", None).unwrap();
    let keys = book.index.finder().keys();
    let keys: Vec<u64> = life
        .tokens
        .iter()
        .map(|token| keys.token(&[*token; 16]))
        .collect();
    book.index.apply(Seq(seq), &keys).unwrap();
    book.writer.commit(&group).unwrap();
    let touches: Vec<Touch> = life.touches.iter().map(touch_of).collect();
    book.history.apply(Seq(seq), &touches).unwrap();
}

fn check(book: &Book, lives: &[Life], since: u64) {
    let finder = book.index.finder();
    for token in 0_u8..7 {
        let hits: Vec<u64> = finder
            .hits(finder.keys().token(&[token; 16]), Seq(since))
            .map(|hit| hit.unwrap().get())
            .collect();
        let mut expected: Vec<u64> = (0_u64..)
            .zip(lives)
            .filter(|(seq, life)| *seq >= since && life.tokens.contains(&token))
            .map(|(seq, _)| seq)
            .collect();
        for most in [1, 3, usize::MAX] {
            let key = finder.keys().token(&[token; 16]);
            let oldest = finder.oldest(key, Seq(since), most).unwrap();
            let wanted = expected.iter().copied().map(Seq).take(most);
            assert!(oldest.iter().copied().eq(wanted), "token {token}, {most}");
        }
        expected.reverse();
        assert_eq!(hits, expected, "token {token} since {since}");
    }
    let history = book.history.reader();
    let mut now: BTreeMap<u32, (Seq, BalancesAfter)> = BTreeMap::new();
    for (seq, life) in (0_u64..).zip(lives) {
        for touch in life.touches.iter().map(touch_of) {
            now.insert(touch.account, (Seq(seq), touch.balances));
        }
        for account in (0..6).map(|account| account * 1000) {
            let found = history.as_of(account, Seq(seq)).unwrap();
            assert_eq!(
                found,
                now.get(&account).copied(),
                "account {account} as of {seq}"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn finds_what_a_map_finds(
        lives in proptest::collection::vec(life(), 1..160),
        table_keys in 2_usize..20,
        history_table_touches in 1_usize..20,
        reopen_at in 0_usize..160,
        since in 0_u64..100,
    ) {
        let options = Options {
            disk: Arc::new(FaultDisk::new()),
            kek: Some(Arc::new(FileKek::from_bytes(&[1; 32]))),
            segment_bytes: 4096 + 500,
            background: false,
            index_table_keys: table_keys,
            history_table_touches,
        };
        let path = Path::new("/book");
        let mut book = Book::create(path, &options).unwrap();
        for (at, (seq, life)) in (0_u64..).zip(&lives).enumerate() {
            if at == reopen_at {
                drop(book);
                book = Book::open(path, &options, &mut Known(&lives)).unwrap();
            }
            add(&mut book, seq, life);
        }
        check(&book, &lives, since);
        drop(book);
        check(&Book::open(path, &options, &mut Known(&lives)).unwrap(), &lives, since);
    }
}

/// A key on many pages of a run, between others.
#[test]
fn finds_the_oldest_of_many() {
    let options = Options {
        disk: Arc::new(FaultDisk::new()),
        kek: Some(Arc::new(FileKek::from_bytes(&[1; 32]))),
        background: false,
        ..Options::default()
    };
    let life = |seq: u64| Life {
        tokens: if seq.is_multiple_of(3) {
            vec![1, 2, 2]
        } else {
            vec![1]
        },
        touches: Vec::new(),
    };
    let lives: Vec<Life> = (0..6_000).map(life).collect();
    let path = Path::new("/book");
    let mut book = Book::create(path, &options).unwrap();
    for (seq, life) in (0_u64..).zip(&lives) {
        add(&mut book, seq, life);
        if seq == 4_000 {
            book.index.seal().unwrap();
            book.index.finder().wait_sealed(Seq(4_001)).unwrap();
        }
    }
    let finder = book.index.finder();
    assert_eq!(finder.stats().runs, 1);
    for (token, step) in [(1, 1), (2, 3)] {
        let key = finder.keys().token(&[token; 16]);
        for from in [0, 1, 339, 341, 1_500, 3_999, 4_000, 4_001, 5_990, 7_000] {
            for most in [1, 64, 5_000] {
                let wanted = (from..6_000_u64).filter(|seq| seq.is_multiple_of(step));
                let wanted: Vec<Seq> = wanted.take(most).map(Seq).collect();
                assert_eq!(finder.oldest(key, Seq(from), most).unwrap(), wanted);
            }
        }
    }
}
