//! A signer that fails, a signer that lies, a clock that goes back: requests go on.
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

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use paygod_service::ledger::{Clock, KeyFile, Ledger, OpenOptions};
use paygod_tlog::{Ed25519Signer, KeyName, NoteSigner, SignerError, VerifierKey};
use paygod_types::{Digest, Seq, Timestamp};
use support::{TestBook, open_account};

const SOUND: u8 = 0;
const SILENT: u8 = 1;
const LYING: u8 = 2;

/// A year ahead at one look, and right again at the next.
struct Jumping(AtomicU64);

impl Clock for Jumping {
    fn now(&self) -> Timestamp {
        let look = self.0.fetch_add(1, Ordering::SeqCst);
        let year = if look % 2 == 1 { 31_536_000 } else { 0 };
        Timestamp::from_nanos((4_000_000_000 + look + year) * 1_000_000_000)
    }
}

#[test]
fn a_clock_that_jumps_a_year_ahead_and_back_stops_nothing() {
    let book = TestBook::new();
    let options = OpenOptions {
        clock: Arc::new(Jumping(AtomicU64::new(0))),
        ..OpenOptions::default()
    };
    let ledger = Ledger::open(&book.path(), options).unwrap();
    for n in 0..20 {
        let opened = ledger.submit(vec![open_account(&format!("acct-{n}"), "EUR")]);
        assert!(opened.iter().all(Result::is_ok));
    }
    ledger.wait_signed().unwrap();
    let times: Vec<_> = (0..21)
        .map(|seq| ledger.read().entry(Seq(seq)).unwrap().entry.time)
        .collect();
    assert!(times.is_sorted_by(|earlier, later| earlier < later));
    book.verify_whole(&ledger);
    ledger.close().unwrap();
}

/// Set to this many seconds.
struct Set(AtomicU64);

impl Clock for Set {
    fn now(&self) -> Timestamp {
        Timestamp::from_nanos(self.0.load(Ordering::Relaxed) * 1_000_000_000)
    }
}

#[test]
fn a_clock_that_is_centuries_ahead_seals_nothing_and_does_no_harm() {
    let book = TestBook::new();
    let clock = Arc::new(Set(AtomicU64::new(4_000_000_000)));
    let options = OpenOptions {
        clock: Arc::clone(&clock) as Arc<dyn Clock>,
        ..OpenOptions::default()
    };
    let ledger = Ledger::open(&book.path(), options).unwrap();
    let open = |account: &str| ledger.submit(vec![open_account(account, "EUR")]).remove(0);
    let sealed = open("a").unwrap();
    clock.0.store(18_000_000_000, Ordering::Relaxed);
    assert_eq!(open("b").unwrap_err().code().as_str(), "ledger.clock");
    clock.0.store(4_000_000_001, Ordering::Relaxed);
    let next = open("b").unwrap();
    assert_eq!(next.seq.get(), sealed.seq.get() + 1);
    assert_eq!(next.time.as_nanos(), 4_000_000_001_000_000_000);
    ledger.close().unwrap();
}

/// The book's own key behind a provider that can be told to fail.
struct Moody {
    key: Ed25519Signer,
    mood: AtomicU8,
}

impl NoteSigner for Moody {
    fn verifier_key(&self) -> &VerifierKey {
        self.key.verifier_key()
    }

    fn sign(&self, text: &str) -> Result<Vec<u8>, SignerError> {
        match self.mood.load(Ordering::SeqCst) {
            SILENT => Err(SignerError {
                name: self.key.verifier_key().name().clone(),
                reason: "the token is not there".to_owned(),
            }),
            LYING => self.key.sign("another text\n"),
            _ => self.key.sign(text),
        }
    }
}

fn moody(book: &TestBook) -> Arc<Moody> {
    let line = std::fs::read_to_string(KeyFile::Checkpoint.path(&book.path())).unwrap();
    let hex = line.trim().rsplit(' ').next().unwrap();
    let seed: Digest = hex.parse().unwrap();
    let name = KeyName::parse(&book.created.origin).unwrap();
    Arc::new(Moody {
        key: Ed25519Signer::new(name, seed.as_bytes()),
        mood: AtomicU8::new(SOUND),
    })
}

fn open_with(book: &TestBook, signer: &Arc<Moody>) -> Ledger {
    let options = OpenOptions {
        signer: Some(Arc::clone(signer) as _),
        publish_every: Duration::from_millis(1),
        ..OpenOptions::default()
    };
    Ledger::open(&book.path(), options).unwrap()
}

#[test]
fn requests_go_on_while_the_signer_fails_or_lies_and_checkpoints_catch_up() {
    let book = TestBook::new();
    let signer = moody(&book);
    for mood in [SILENT, LYING] {
        let ledger = open_with(&book, &signer);
        ledger.wait_signed().unwrap();
        let signed = ledger.read().signed();
        signer.mood.store(mood, Ordering::SeqCst);
        let answers = ledger.submit(vec![open_account(&format!("acct-{mood}"), "EUR")]);
        assert!(answers[0].is_ok());
        while ledger.read().status().unwrap().signer_fault.is_none() {
            std::thread::yield_now();
        }
        assert_eq!(
            ledger.read().signed(),
            signed,
            "nothing is published without a sound signature"
        );
        signer.mood.store(SOUND, Ordering::SeqCst);
        ledger.wait_signed().unwrap();
        assert_eq!(ledger.read().signed(), signed + 1);
        ledger.close().unwrap();
    }
}

#[test]
fn a_signer_with_another_key_is_refused() {
    let book = TestBook::new();
    let name = KeyName::parse(&book.created.origin).unwrap();
    let other = Ed25519Signer::new(name, &[7; 32]);
    let options = OpenOptions {
        signer: Some(Arc::new(other)),
        ..OpenOptions::default()
    };
    let error = Ledger::open(&book.path(), options).unwrap_err();
    assert_eq!(error.code().as_str(), "ledger.key-mismatch");
}

/// Goes back by a second at each look.
struct Backwards(AtomicU64);

impl Clock for Backwards {
    fn now(&self) -> Timestamp {
        Timestamp::from_nanos(self.0.fetch_sub(1_000_000_000, Ordering::SeqCst))
    }
}

#[test]
fn times_rise_though_the_clock_goes_back() {
    let book = TestBook::new();
    let clock = Arc::new(Backwards(AtomicU64::new(4_000_000_000_000_000_000)));
    let options = OpenOptions {
        clock,
        ..OpenOptions::default()
    };
    let ledger = Ledger::open(&book.path(), options).unwrap();
    let opened = ledger.submit(
        (0..20)
            .map(|n| open_account(&format!("acct-{n}"), "EUR"))
            .collect(),
    );
    assert!(opened.iter().all(Result::is_ok));
    let times: Vec<_> = (0..21)
        .map(|seq| ledger.read().entry(Seq(seq)).unwrap().entry.time)
        .collect();
    assert!(times.is_sorted_by(|earlier, later| earlier < later));
}

/// The book's own key behind a provider that answers only while its gate is open.
struct Gated {
    key: Arc<Moody>,
    open: Mutex<bool>,
    changed: Condvar,
}

impl Gated {
    fn set(&self, open: bool) {
        *self.open.lock().unwrap() = open;
        self.changed.notify_all();
    }
}

impl NoteSigner for Gated {
    fn verifier_key(&self) -> &VerifierKey {
        self.key.verifier_key()
    }

    fn sign(&self, text: &str) -> Result<Vec<u8>, SignerError> {
        let mut open = self.open.lock().unwrap();
        while !*open {
            open = self.changed.wait(open).unwrap();
        }
        self.key.sign(text)
    }
}

#[test]
fn a_signer_that_never_answers_holds_up_no_request_however_many_groups_follow() {
    let book = TestBook::new();
    let signer = Arc::new(Gated {
        key: moody(&book),
        open: Mutex::new(true),
        changed: Condvar::new(),
    });
    let options = OpenOptions {
        signer: Some(Arc::clone(&signer) as _),
        publish_every: Duration::from_millis(1),
        ..OpenOptions::default()
    };
    let ledger = Ledger::open(&book.path(), options).unwrap();
    ledger.wait_signed().unwrap();
    let signed = ledger.read().signed();
    signer.set(false);
    // Each answer means one more group: many times what may wait to be integrated.
    for number in 0..200 {
        let answers = ledger.submit(vec![open_account(&format!("gated-{number}"), "EUR")]);
        assert!(answers[0].is_ok());
    }
    assert!(ledger.read().signed() <= signed + 1);
    signer.set(true);
    ledger.wait_signed().unwrap();
    assert_eq!(ledger.read().signed(), signed + 200);
    ledger.close().unwrap();
}
