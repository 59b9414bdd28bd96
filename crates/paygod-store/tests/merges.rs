//! Runs of many pages, merged twice: every key and every balance is still found, and a damaged page is not the end of a run.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use paygod_store::{
    Book, Entry, FileKek, Fold, FoldFault, Group, Options, Record, Snapshot, Touch,
};
use paygod_types::Seq;

/// Enough for a second merge of each kind: of 64 tables of 1,024 keys, and of 1,024 tables of 64 touches.
const ENTRIES: u64 = 36_000;
const GROUP: u64 = 100;

/// What an entry leaves follows from its number: a token of its own, one that comes often, an account that every third
/// entry touches and one of three thousand.
fn scattered(seq: u64) -> u64 {
    let mixed = (seq ^ (seq << 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}

fn token(number: u64) -> [u8; 16] {
    let mut token = [7; 16];
    token[..8].copy_from_slice(&scattered(number).to_le_bytes());
    token
}

fn tokens(seq: u64) -> [[u8; 16]; 2] {
    [token(seq), token(ENTRIES + seq % 3)]
}

fn touches(seq: u64) -> Vec<Touch> {
    let account = 10 + u32::try_from(scattered(seq) % 3_000).unwrap();
    let popular = u32::try_from(seq % 3).unwrap();
    let balance = i128::from(scattered(seq + 1)) - i128::from(u64::MAX / 2);
    let touch = |account| Touch {
        account,
        balances: [balance, 0, balance * 5, i128::from(seq)],
    };
    vec![touch(popular), touch(account)]
}

struct Known;

impl Fold for Known {
    fn reset(&mut self) {}

    fn restore(&mut self, _: &Snapshot) -> Result<(), FoldFault> {
        Ok(())
    }

    fn apply(&mut self, entry: Entry<'_>, record: &mut Record) -> Result<(), FoldFault> {
        let seq = entry.seq.get();
        tokens(seq).iter().for_each(|token| record.token(token));
        touches(seq).iter().for_each(|touch| record.touch(*touch));
        Ok(())
    }
}

fn add_all(book: &mut Book) {
    let maker = book.index.finder().keys();
    for first in (0..ENTRIES).step_by(usize::try_from(GROUP).unwrap()) {
        let mut group = Group::new(Seq(first));
        for seq in first..first + GROUP {
            group.push(b"{}", None).unwrap();
            let keys = tokens(seq).map(|token| maker.token(&token));
            book.index.apply(Seq(seq), &keys).unwrap();
        }
        book.writer.commit(&group).unwrap();
        for seq in first..first + GROUP {
            book.history.apply(Seq(seq), &touches(seq)).unwrap();
        }
    }
}

fn check(book: &Book) {
    let finder = book.index.finder();
    let maker = finder.keys();
    let hits = |number: u64| -> Vec<u64> {
        let hits = finder.hits(maker.token(&token(number)), Seq(0));
        hits.map(|hit| hit.unwrap().get()).collect()
    };
    for seq in 0..ENTRIES {
        assert_eq!(hits(seq), [seq]);
    }
    for often in 0..3 {
        let wanted = (0..ENTRIES).rev().filter(|seq| seq % 3 == often);
        assert!(
            hits(ENTRIES + often).into_iter().eq(wanted),
            "token {often}"
        );
    }
    let history = book.history.reader();
    let mut now: BTreeMap<u32, (Seq, Touch)> = BTreeMap::new();
    for seq in 0..ENTRIES {
        for touch in touches(seq) {
            now.insert(touch.account, (Seq(seq), touch));
        }
        if seq % 4_111 != 4_110 {
            continue;
        }
        for account in (0..3_010).step_by(7) {
            let found = history.as_of(account, Seq(seq)).unwrap();
            let wanted = now.get(&account).map(|(seq, touch)| (*seq, touch.balances));
            assert_eq!(found, wanted, "account {account} as of {seq}");
        }
    }
    for account in 0..3 {
        let mut seen = Vec::new();
        let all = history.touches(account, Seq(0), Seq(ENTRIES), |seq, balances| {
            seen.push((seq.get(), balances[3]));
            true
        });
        all.unwrap();
        let wanted = (0..ENTRIES).filter(|seq| seq % 3 == u64::from(account));
        assert!(
            seen.into_iter()
                .eq(wanted.map(|seq| (seq, i128::from(seq))))
        );
    }
}

/// The runs of a folder, the largest first.
fn runs(folder: &Path) -> Vec<(u64, PathBuf)> {
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap());
    let mut runs: Vec<(u64, PathBuf)> = files
        .map(|file| (file.metadata().unwrap().len(), file.path()))
        .collect();
    runs.sort();
    runs.reverse();
    runs
}

#[test]
fn what_was_merged_twice_is_all_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("book");
    let options = Options {
        kek: Some(Arc::new(FileKek::from_bytes(&[1; 32]))),
        background: false,
        index_table_keys: 1_024,
        history_table_touches: 64,
        ..Options::default()
    };
    let mut book = Book::create(&path, &options).unwrap();
    add_all(&mut book);
    check(&book);
    drop(book);
    let (index, history) = (runs(&path.join("index")), runs(&path.join("history")));
    // Two keys of 12 bytes an entry; most of them are in one run.
    assert!(index.len() < 16 && index[0].0 > ENTRIES * 20, "{index:?}");
    assert!(
        history.len() < 128 && history[0].0 > ENTRIES * 8,
        "{history:?}"
    );
    check(&Book::open(&path, &options, &mut Known).unwrap());

    for (length, run) in [&index[0], &history[0]] {
        let mut bytes = fs::read(run).unwrap();
        bytes[usize::try_from(length / 2).unwrap()] ^= 1;
        fs::write(run, bytes).unwrap();
    }
    check(&Book::open(&path, &options, &mut Known).unwrap());
}
