//! Killed at any moment under load: nothing acknowledged is lost, nothing is half-applied, and the log
//! is a prefix-extension of every checkpoint ever published.
//!
//! `PAYGOD_KILL_ROUNDS=200` for the full number of rounds; `PAYGOD_KILL_SEED` repeats a run.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test that cannot go on fails"
)]

mod support;

use std::collections::{BTreeMap, HashSet};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use paygod_core::Entry;
use paygod_service::ledger::{Ledger, LedgerError, OpenOptions, Outcome};
use paygod_store::LogReader;
use paygod_tlog::{Frontier, SignedCheckpoint, leaf_hash};
use paygod_types::{RequestId, Seq};
use support::{TestBook, linked_payment, open_account, payment};

const CHILD_BOOK: &str = "PAYGOD_KILL_CHILD_BOOK";
const CHILD_SERIES: &str = "PAYGOD_KILL_CHILD_SERIES";
const BATCH: usize = 40;
const ACCOUNTS: usize = 16;

/// Not a test of its own: the process that is killed. It prints a line for each answer it was given.
#[test]
fn child_that_works_until_it_is_killed() {
    let (Ok(book), Ok(series)) = (std::env::var(CHILD_BOOK), std::env::var(CHILD_SERIES)) else {
        return;
    };
    let options = OpenOptions {
        snapshot_every: 700,
        ..OpenOptions::default()
    };
    let ledger = Ledger::open(Path::new(&book), options).unwrap();
    let mut out = std::io::stdout().lock();
    for batch in 0_usize.. {
        let requests = (0..BATCH)
            .map(|number| request(&series, batch, number))
            .collect();
        for answer in ledger.submit(requests) {
            let outcome = answer.unwrap();
            writeln!(out, "acked {} {}", outcome.id, outcome.seq.get()).unwrap();
        }
        out.flush().unwrap();
    }
}

fn request(series: &str, batch: usize, number: usize) -> paygod_service::ledger::Submission {
    let id = format!("pay-{series}-{batch}-{number}");
    let (debit, credit) = (account(batch + number), account(batch + 3 * number + 1));
    let (debit, credit) = if debit == credit {
        (debit, account(batch + number + 1))
    } else {
        (debit, credit)
    };
    if number.is_multiple_of(5) {
        linked_payment(&id, &debit, &credit, "1.00")
    } else {
        payment(&id, &debit, &credit, "2.50")
    }
}

fn account(number: usize) -> String {
    format!("acct-{}", number % ACCOUNTS)
}

#[test]
fn killed_at_any_moment_nothing_acknowledged_is_lost() {
    let rounds: usize = number("PAYGOD_KILL_ROUNDS", 12);
    let mut random = Random(number("PAYGOD_KILL_SEED", u64::from(std::process::id())));
    println!("PAYGOD_KILL_SEED={} PAYGOD_KILL_ROUNDS={rounds}", random.0);
    let book = TestBook::new();
    let ledger = book.open();
    book.allow_all(&ledger);
    let opened = ledger.submit(
        (0..ACCOUNTS)
            .map(|n| open_account(&account(n), "EUR"))
            .collect(),
    );
    assert!(opened.iter().all(Result::is_ok));
    ledger.close().unwrap();
    let mut witness = Witness::default();
    for round in 0..rounds {
        let mut child = start(&book, &round.to_string());
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // One at least: a child that is killed after none is never killed, and writes until the disk is full.
        let enough = 1 + random.below(1_200);
        let mut acked = 0;
        for line in lines {
            let line = line.unwrap();
            let Some(rest) = line.strip_prefix("acked ") else {
                continue;
            };
            let (id, seq) = rest.split_once(' ').unwrap();
            witness.acknowledge(id, seq.parse().unwrap());
            acked += 1;
            if acked == enough {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        witness.check(&book, &format!("round {round}"));
    }
    witness.new = witness.acked.clone();
    witness.check(&book, "in the end");
}

/// What an outsider remembers: every answer, every checkpoint, and the tree as it was.
#[derive(Default)]
struct Witness {
    acked: BTreeMap<String, u64>,
    /// Acknowledged since the last look. What is lost stays lost, so older ones are looked for once, in
    /// the end.
    new: BTreeMap<String, u64>,
    ids: HashSet<String>,
    tree: Frontier,
    roots: BTreeMap<u64, paygod_tlog::Hash>,
}

impl Witness {
    fn acknowledge(&mut self, id: &str, seq: u64) {
        self.acked.insert(id.to_owned(), seq);
        self.new.insert(id.to_owned(), seq);
    }

    fn check(&mut self, book: &TestBook, when: &str) {
        // Before opening: recovery must agree with what was published, not replace it.
        let published = published(&book.path());
        let ledger = book.open();
        for (id, seq) in std::mem::take(&mut self.new) {
            let found = ledger.read().find(&RequestId::parse(&id).unwrap());
            let found =
                found.unwrap_or_else(|error| panic!("{when}: `{id}` was acknowledged: {error}"));
            assert_eq!(found.seq, Seq(seq), "{when}: `{id}`");
        }
        self.extend(&ledger, when);
        for checkpoint in published {
            let head = checkpoint.head();
            let root = self.roots.get(&head.size);
            assert_eq!(
                root,
                Some(&head.root),
                "{when}: the checkpoint of {} entries",
                head.size
            );
        }
        self.resubmit(&ledger, when);
        assert_conserved(&ledger, when);
        ledger.close().unwrap();
    }

    /// Walks the entries that are new since the last look, on top of the tree as it was.
    fn extend(&mut self, ledger: &Ledger, when: &str) {
        let from = Seq(self.tree.size());
        ledger
            .read()
            .entries(from, Seq(u64::MAX), |seq, bytes| {
                let entry = Entry::decode(bytes).unwrap();
                assert!(
                    self.ids.insert(entry.id.to_string()),
                    "{when}: `{}` twice",
                    entry.id
                );
                let postings = entry.body.postings().len();
                assert!(
                    postings.is_multiple_of(2),
                    "{when}: entry {seq} has {postings} postings"
                );
                self.tree.append(leaf_hash(bytes));
                self.roots.insert(self.tree.size(), self.tree.root());
                Ok::<(), LedgerError>(())
            })
            .unwrap();
    }

    /// Whatever was acknowledged gives the same outcome again, and makes no entry.
    fn resubmit(&self, ledger: &Ledger, when: &str) {
        let size = ledger.read().size();
        let some: Vec<_> = self.acked.iter().rev().step_by(97).take(50).collect();
        let requests = some.iter().map(|(id, _)| again(id)).collect();
        for (answer, (id, seq)) in ledger.submit(requests).into_iter().zip(some) {
            let Outcome {
                existing,
                seq: found,
                ..
            } = answer.unwrap();
            assert!(existing && found.get() == *seq, "{when}: `{id}` again");
        }
        assert_eq!(ledger.read().size(), size, "{when}");
    }
}

/// The request that had this id.
fn again(id: &str) -> paygod_service::ledger::Submission {
    let mut parts = id.strip_prefix("pay-").unwrap().split('-');
    let series = parts.next().unwrap().to_owned();
    let mut next = || parts.next().unwrap().parse().unwrap();
    let (batch, number) = (next(), next());
    request(&series, batch, number)
}

fn assert_conserved(ledger: &Ledger, when: &str) {
    let accounts = ledger.read().accounts().unwrap();
    let sum: i128 = accounts
        .iter()
        .map(|account| account.balances.posted().unwrap().minor())
        .sum();
    assert_eq!(sum, 0, "{when}: debits equal credits");
}

fn published(book: &Path) -> Vec<SignedCheckpoint> {
    let bytes = std::fs::read(book.join("checkpoints.log")).unwrap();
    // The last record may be torn: it was never shown.
    let whole = LogReader::new(&bytes)
        .take_while(Result::is_ok)
        .map(Result::unwrap);
    whole
        .map(|note| SignedCheckpoint::parse(note).unwrap())
        .collect()
}

fn start(book: &TestBook, series: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "child_that_works_until_it_is_killed",
            "--nocapture",
        ])
        .env(CHILD_BOOK, book.path())
        .env(CHILD_SERIES, series)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn number<T: std::str::FromStr>(name: &str, default: T) -> T {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}
