//! A small ledger to store: entries, what they leave, and the checks that every book must pass.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test file uses a part of it"
)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use paygod_store::{
    BalanceHistory, Book, DataKey, Disk, Entry, EntryBuf, FileKek, Finder, Fold, FoldFault, Group,
    OpenError, Options, ReadBook, Reader, Record, Snapshot, Touch, TreeSource, Vault, VaultError,
    VaultRef,
};
use paygod_tlog::checkpoint::Checkpoint;
use paygod_tlog::{Ed25519Signer, Hash, KeyName, SignedCheckpoint, TreeHead, leaf_hash, tree_root};
use paygod_types::{Seq, code};

/// The one entry whose input may be erased, where groups are short; so many times as far on where they are longer.
pub const ERASED: u64 = 21;

pub fn path() -> PathBuf {
    PathBuf::from("/book")
}

pub fn entry(seq: u64) -> Vec<u8> {
    let padding = "x".repeat(usize::try_from(seq * 37 % 150).unwrap());
    format!(
        "{{\"id\":\"id-{seq}\",\"pad\":\"{padding}\",\"time\":{}}}",
        seq * 10
    )
    .into_bytes()
}

pub fn seq_of(entry: &[u8]) -> u64 {
    let text = std::str::from_utf8(entry).unwrap();
    let from = text.find("id-").unwrap() + 3;
    text[from..].split('"').next().unwrap().parse().unwrap()
}

pub fn token(seq: u64) -> [u8; 16] {
    [u8::try_from(seq % 7).unwrap() + 1; 16]
}

pub fn touches(seq: u64) -> Vec<Touch> {
    let number = |seq: u64| i128::from(seq);
    let account = |seq: u64| u32::try_from(seq % 5).unwrap();
    [seq, seq + 1]
        .map(|of| Touch {
            account: account(of),
            balances: [
                0,
                number(seq) * 100,
                -number(seq),
                i128::from(u64::MAX) * number(seq),
            ],
        })
        .to_vec()
}

pub fn input(seq: u64) -> Vec<u8> {
    format!("a person's details for {seq}").into_bytes()
}

/// Folds the entries of the small ledger: how many there were, and a checksum over all of them.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Count {
    pub next: u64,
    pub checksum: u64,
    pub restored_at: Option<u64>,
    pub applied: u64,
}

impl Count {
    pub fn state(&self) -> Vec<u8> {
        [self.next.to_le_bytes(), self.checksum.to_le_bytes()].concat()
    }

    pub fn take(&mut self, entry: &[u8]) {
        self.next += 1;
        for byte in entry {
            self.checksum = self
                .checksum
                .wrapping_mul(31)
                .wrapping_add(u64::from(*byte));
        }
    }
}

impl Fold for Count {
    fn reset(&mut self) {
        *self = Self::default();
    }

    fn restore(&mut self, snapshot: &Snapshot) -> Result<(), FoldFault> {
        let (next, checksum) = snapshot.state.split_at(8);
        self.next = u64::from_le_bytes(next.try_into().unwrap());
        self.checksum = u64::from_le_bytes(checksum.try_into().unwrap());
        assert_eq!(self.next, snapshot.next.get());
        self.restored_at = Some(self.next);
        Ok(())
    }

    fn apply(&mut self, entry: Entry<'_>, record: &mut Record) -> Result<(), FoldFault> {
        if entry.seq.get() != self.next || seq_of(entry.bytes) != self.next {
            let message = format!("entry {} does not fold at {}", entry.seq.get(), self.next);
            return Err(FoldFault {
                code: code::STORE_CORRUPT,
                message,
            });
        }
        record.id(format!("id-{}", self.next).as_bytes());
        record.token(&token(self.next));
        for touch in touches(self.next) {
            record.touch(touch);
        }
        self.take(entry.bytes);
        self.applied += 1;
        Ok(())
    }
}

pub fn options(disk: Arc<dyn Disk>) -> Options {
    Options {
        disk,
        kek: Some(Arc::new(FileKek::from_bytes(&[7; 32]))),
        segment_bytes: 4096 + 3000,
        background: false,
        index_table_keys: 4,
        history_table_touches: 2,
    }
}

pub fn signer() -> Ed25519Signer {
    Ed25519Signer::new(
        "example.org/log".parse::<KeyNameText>().unwrap().0,
        &[3; 32],
    )
}

struct KeyNameText(KeyName);

impl std::str::FromStr for KeyNameText {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        KeyName::parse(text).map(Self).map_err(|_| ())
    }
}

pub fn sign(head: TreeHead) -> SignedCheckpoint {
    let checkpoint = Checkpoint {
        origin: "example.org/log".to_owned(),
        head,
    };
    SignedCheckpoint::sign(checkpoint, &[&signer()]).unwrap()
}

/// A book in use, with its state.
#[derive(Debug)]
pub struct Running {
    pub book: Book,
    pub state: Count,
    pub inputs: Vec<(u64, VaultRef)>,
}

pub type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

impl Running {
    pub fn create(path: &Path, options: &Options) -> Result<Self, OpenError> {
        let book = Book::create(path, options)?;
        Ok(Self {
            book,
            state: Count::default(),
            inputs: Vec::new(),
        })
    }

    pub fn open(path: &Path, options: &Options) -> Result<Self, OpenError> {
        let mut state = Count::default();
        let book = Book::open(path, options, &mut state)?;
        Ok(Self {
            book,
            state,
            inputs: Vec::new(),
        })
    }

    /// Stores an input, stages and commits a group, integrates it.
    pub fn commit(&mut self, count: u64, with_input: bool) -> Fallible<()> {
        let first = self.book.writer.next_seq();
        let mut group = Group::new(first);
        let reference = if with_input {
            let key = DataKey::draw(1)?.remove(0);
            let sealed = self.book.vault.seal(&key, &input(first.get()))?;
            Some(self.book.vault.store(&[sealed])?[0])
        } else {
            None
        };
        let keys = self.book.index.finder().keys();
        for seq in first.get()..first.get() + count {
            group.push(&entry(seq), reference.filter(|_| seq == first.get()))?;
            let found = [
                keys.id(format!("id-{seq}").as_bytes()),
                keys.token(&token(seq)),
            ];
            self.book.index.apply(Seq(seq), &found)?;
        }
        self.book.writer.commit(&group)?;
        if let Some(reference) = reference {
            self.inputs.push((first.get(), reference));
        }
        let leaves: Vec<Hash> = group.entries().map(|(_, entry)| leaf_hash(entry)).collect();
        self.book.tree.append(&leaves)?;
        for (seq, entry) in group.entries() {
            self.book.history.apply(seq, &touches(seq.get()))?;
            self.state.take(entry);
        }
        Ok(())
    }

    pub fn snapshot(&mut self) -> Fallible<()> {
        self.book.index.seal()?;
        self.book.history.seal()?;
        let frontier = self.book.tree.frontier().clone();
        let mut snapshot = self.book.snapshots.begin(&frontier)?;
        let state = self.state.state();
        let (first, rest) = state.split_at(state.len() / 2);
        snapshot.push(first)?;
        snapshot.push(rest)?;
        snapshot.finish()?;
        Ok(())
    }

    pub fn publish(&mut self) -> Fallible<()> {
        self.book.checkpoints.publish(sign(self.book.tree.head()))?;
        Ok(())
    }

    /// Everything that must be true of any open book.
    pub fn check(&self) {
        let book = &self.book;
        Parts {
            reader: &book.reader,
            finder: book.index.finder(),
            history: book.history.reader(),
            vault: &book.vault,
            tree: book.tree.source(),
            state: &self.state,
            published: book.checkpoints.last_head(),
        }
        .check();
        assert_eq!(book.tree.size(), book.reader.size());
    }
}

/// Everything that must be true of a book that is open for reading.
pub fn check_read(book: &ReadBook, state: &Count) {
    Parts {
        reader: &book.reader,
        finder: book.finder.clone(),
        history: book.history.clone(),
        vault: &book.vault,
        tree: book.tree.clone(),
        state,
        published: book.checkpoint.as_ref().map(|last| *last.head()),
    }
    .check();
}

struct Parts<'a> {
    reader: &'a Reader,
    finder: Finder,
    history: BalanceHistory,
    vault: &'a Vault,
    tree: TreeSource,
    state: &'a Count,
    published: Option<TreeHead>,
}

impl Parts<'_> {
    fn check(&self) {
        let size = self.reader.size();
        assert_eq!(self.state.next, size);
        let mut expected = Count::default();
        let mut buf = EntryBuf::default();
        let finder = &self.finder;
        let keys = finder.keys();
        let mut leaves = Vec::new();
        for seq in 0..size {
            let found = self.reader.entry(Seq(seq), &mut buf).unwrap();
            assert_eq!(found.bytes, entry(seq));
            expected.take(found.bytes);
            leaves.push(leaf_hash(found.bytes));
            let hits: Vec<u64> = finder
                .hits(keys.id(format!("id-{seq}").as_bytes()), Seq(0))
                .map(|hit| hit.unwrap().get())
                .collect();
            assert_eq!(hits, [seq], "the id of entry {seq}");
            if let Some(reference) = found.input {
                match self.vault.load(reference) {
                    Ok(opened) => assert_eq!(*opened.bytes, input(seq)),
                    // A crash in the middle of erasing leaves half a key, which opens nothing either.
                    Err(VaultError::Erased { .. } | VaultError::Refused { .. }) => {
                        assert_eq!(seq % ERASED, 0);
                    }
                    Err(fault) => panic!("input of {seq}: {fault}"),
                }
            }
        }
        assert_eq!(self.state.checksum, expected.checksum);
        for kind in 0..7_u64 {
            let hits: Vec<u64> = finder
                .hits(keys.token(&token(kind)), Seq(2))
                .map(|hit| hit.unwrap().get())
                .collect();
            let expected: Vec<u64> = (2..size).rev().filter(|seq| seq % 7 == kind).collect();
            assert_eq!(hits, expected, "the window of kind {kind}");
        }
        self.check_history(size);
        assert_eq!(self.tree.size(), size);
        let head = self.tree.head_at(size).unwrap();
        assert_eq!(head.root, tree_root(&mut leaves.clone()));
        if let Some(published) = self.published {
            let first = usize::try_from(published.size).unwrap();
            assert_eq!(published.root, tree_root(&mut leaves[..first].to_vec()));
        }
    }

    fn check_history(&self, size: u64) {
        let history = &self.history;
        for account in 0..5_u32 {
            let mut last = None;
            let mut all = Vec::new();
            for seq in 0..size {
                for touch in touches(seq)
                    .into_iter()
                    .filter(|touch| touch.account == account)
                {
                    last = Some((Seq(seq), touch.balances));
                    all.push((Seq(seq), touch.balances));
                }
                assert_eq!(history.as_of(account, Seq(seq)).unwrap(), last);
            }
            let mut found = Vec::new();
            history
                .touches(account, Seq(0), Seq(size), |seq, balances| {
                    found.push((seq, balances));
                    true
                })
                .unwrap();
            assert_eq!(found, all);
        }
    }
}
