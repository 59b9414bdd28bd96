//! Rotating the checkpoint key under load: no request is lost, and checkpoints go on.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::print_stdout,
    reason = "a test that cannot go on fails"
)]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use paygod_core::key_policy::KeyPolicy;
use paygod_core::{Command, Request};
use paygod_keys::{Algorithm, Provider, ProviderError, PublicKey, Signer};
use paygod_service::ledger::{Ledger, OpenOptions, RotationPolicy, Submission};
use paygod_tlog::{
    Cosigner, Ed25519Signer, KeyName, MlDsa44Cosigner, NoteSigner, SignedCheckpoint,
};
use paygod_types::{RequestId, code};
use support::{TestBook, open_account};

/// Keys in memory that take their time, and can be told to be away.
#[derive(Debug, Default)]
struct SlowMemoryProvider {
    keys: std::sync::Mutex<Vec<(PublicKey, [u8; 32])>>,
    latency: Duration,
    away: Arc<AtomicBool>,
    made: AtomicU64,
    /// Whether it makes ML-DSA-44 keys too.
    ml_dsa: bool,
}

#[derive(Debug)]
struct SlowKey {
    public: PublicKey,
    key: Secret,
    latency: Duration,
    away: Arc<AtomicBool>,
}

#[derive(Debug)]
enum Secret {
    Ed25519(Box<Ed25519Signer>),
    MlDsa44(MlDsa44Cosigner),
}

impl Secret {
    fn new(algorithm: Algorithm, seed: &[u8; 32]) -> Self {
        let name = KeyName::parse("memory").unwrap();
        match algorithm {
            Algorithm::MlDsa44 => Self::MlDsa44(MlDsa44Cosigner::new(name, seed).unwrap()),
            _ => Self::Ed25519(Box::new(Ed25519Signer::new(name, seed))),
        }
    }

    fn public(&self) -> Vec<u8> {
        let key = match self {
            Self::Ed25519(key) => key.verifier_key(),
            Self::MlDsa44(key) => key.verifier_key(),
        };
        key.public_key().to_vec()
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Ed25519(key) => key.sign_bytes(message).to_vec(),
            Self::MlDsa44(key) => key.sign_message(message).unwrap(),
        }
    }
}

fn away() -> ProviderError {
    ProviderError {
        provider: "memory".to_owned(),
        reason: "it is away".to_owned(),
        code: code::KEYS_PROVIDER,
        retry: true,
    }
}

impl Signer for SlowKey {
    fn key_id(&self) -> &str {
        "memory"
    }

    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, ProviderError> {
        // A clock, and not a sleep: what is measured is how little the others mind.
        let until = Instant::now() + self.latency;
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            std::thread::park_timeout(left);
        }
        if self.away.load(Ordering::SeqCst) {
            return Err(away());
        }
        Ok(self.key.sign(message))
    }
}

impl SlowMemoryProvider {
    fn signer(&self, public: PublicKey, seed: &[u8; 32]) -> Arc<dyn Signer> {
        Arc::new(SlowKey {
            key: Secret::new(public.algorithm, seed),
            public,
            latency: self.latency,
            away: Arc::clone(&self.away),
        })
    }
}

impl Provider for SlowMemoryProvider {
    fn makes(&self, algorithm: Algorithm) -> bool {
        algorithm == Algorithm::Ed25519 || (self.ml_dsa && algorithm == Algorithm::MlDsa44)
    }

    fn find(&self, public: &PublicKey) -> Result<Arc<dyn Signer>, ProviderError> {
        if self.away.load(Ordering::SeqCst) {
            return Err(away());
        }
        let keys = self.keys.lock().unwrap();
        let found = keys.iter().find(|(key, _)| key == public);
        let (key, seed) = found.ok_or(ProviderError {
            retry: false,
            code: code::KEYS_PROVIDER_FAULT,
            ..away()
        })?;
        Ok(self.signer(key.clone(), seed))
    }

    fn create(&self, algorithm: Algorithm) -> Result<Arc<dyn Signer>, ProviderError> {
        let number = self.made.fetch_add(1, Ordering::SeqCst);
        let seed = paygod_types::Digest::sha256(&number.to_le_bytes());
        let public = PublicKey {
            algorithm,
            bytes: Secret::new(algorithm, seed.as_bytes()).public(),
        };
        self.keys
            .lock()
            .unwrap()
            .push((public.clone(), *seed.as_bytes()));
        Ok(self.signer(public, seed.as_bytes()))
    }

    fn retire(&self, public: &PublicKey) -> Result<(), ProviderError> {
        self.keys.lock().unwrap().retain(|(key, _)| key != public);
        Ok(())
    }

    fn is_for_production(&self) -> bool {
        false
    }
}

fn book(latency: Duration) -> (TestBook, Arc<SlowMemoryProvider>) {
    let provider = Arc::new(SlowMemoryProvider {
        latency,
        ..SlowMemoryProvider::default()
    });
    let book = TestBook::with(options(&provider));
    (book, provider)
}

fn options(provider: &Arc<SlowMemoryProvider>) -> OpenOptions {
    OpenOptions {
        provider: Some(Arc::clone(provider) as _),
        publish_every: Duration::from_millis(20),
        ..OpenOptions::default()
    }
}

/// Opens accounts from several threads until told to stop, while `work` goes on. How many were sealed.
fn under_load(ledger: &Ledger, work: impl FnOnce()) -> u64 {
    let (stop, sealed) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for thread in 0..3 {
            let (stop, sealed) = (&stop, &sealed);
            scope.spawn(move || {
                let mut number = 0_u64;
                while !stop.load(Ordering::SeqCst) {
                    let requests: Vec<_> = (0..50)
                        .map(|n| open_account(&format!("a-{thread}-{}", number + n), "EUR"))
                        .collect();
                    number += 50;
                    for answer in ledger.submit(requests) {
                        answer.unwrap();
                        sealed.fetch_add(1, Ordering::SeqCst);
                    }
                }
            });
        }
        work();
        stop.store(true, Ordering::SeqCst);
    });
    sealed.load(Ordering::SeqCst)
}

#[test]
fn rotation_under_load_loses_no_request_and_checkpoints_go_on() {
    let (book, provider) = book(Duration::from_millis(50));
    let ledger = Ledger::open(&book.path(), options(&provider)).unwrap();
    let stop = AtomicBool::new(false);
    let mut longest = Duration::ZERO;
    std::thread::scope(|scope| {
        let watched = scope.spawn(|| {
            let (mut longest, mut last) =
                (Duration::ZERO, (ledger.read().signed(), Instant::now()));
            while !stop.load(Ordering::SeqCst) {
                let signed = ledger.read().signed();
                if signed > last.0 {
                    longest = longest.max(last.1.elapsed());
                    last = (signed, Instant::now());
                }
                std::thread::yield_now();
            }
            longest
        });
        let sealed = under_load(&ledger, || {
            for rotation in 0..5 {
                let size = ledger.read().size();
                while ledger.read().size() < size + 200 {
                    std::thread::yield_now();
                }
                let rotated = ledger.rotate_key().unwrap();
                println!("rotation {rotation}: entry {}", rotated.seq);
            }
        });
        stop.store(true, Ordering::SeqCst);
        longest = watched.join().unwrap();
        println!("{sealed} requests, none lost; longest gap between checkpoints {longest:?}");
    });
    ledger.wait_signed().unwrap();
    let keys = ledger.read().status().unwrap().checkpoint_keys;
    assert_eq!(keys.len(), 6);
    // On a calm machine it is a tenth of this.
    assert!(longest < Duration::from_secs(2), "{longest:?}");
    book.verify_whole(&ledger);
    ledger.close().unwrap();
}

#[test]
fn both_keys_sign_in_the_overlap_and_the_old_one_is_retired_after_it() {
    let (book, provider) = book(Duration::ZERO);
    let ledger = Ledger::open(&book.path(), options(&provider)).unwrap();
    let rotated = ledger.rotate_key().unwrap();
    ledger.wait_signed().unwrap();
    let signers = |checkpoint: &SignedCheckpoint| checkpoint.note().signatures().len();
    assert_eq!(signers(&ledger.read().checkpoint().unwrap()), 2);
    ledger.close().unwrap();
    assert_eq!(provider.keys.lock().unwrap().len(), 2);

    let brief = OpenOptions {
        rotation_overlap: Duration::ZERO,
        ..options(&provider)
    };
    let ledger = Ledger::open(&book.path(), brief).unwrap();
    let again = ledger.rotate_key().unwrap();
    assert_eq!(again.old, rotated.new);
    let answers = ledger.submit(vec![open_account("later", "EUR")]);
    assert!(answers[0].is_ok());
    ledger.wait_signed().unwrap();
    book.verify_whole(&ledger);
    ledger.close().unwrap();
    assert_eq!(provider.keys.lock().unwrap().len(), 1);
}

#[test]
fn a_rotation_that_the_provider_refuses_leaves_the_old_key_in_force() {
    let (book, provider) = book(Duration::ZERO);
    let ledger = Ledger::open(&book.path(), options(&provider)).unwrap();
    provider.away.store(true, Ordering::SeqCst);
    let error = ledger.rotate_key().unwrap_err();
    assert!(error.code().retryable(), "{error}");
    assert_eq!(ledger.read().status().unwrap().checkpoint_keys.len(), 1);
    let answers = ledger.submit(vec![open_account("meanwhile", "EUR")]);
    assert!(answers[0].is_ok());
    provider.away.store(false, Ordering::SeqCst);
    ledger.rotate_key().unwrap();
    ledger.wait_signed().unwrap();
    assert_eq!(ledger.read().status().unwrap().checkpoint_keys.len(), 2);
    ledger.close().unwrap();
}

#[test]
fn a_book_opens_while_its_provider_is_away_and_checkpoints_catch_up() {
    let (book, provider) = book(Duration::ZERO);
    provider.away.store(true, Ordering::SeqCst);
    let ledger = Ledger::open(&book.path(), options(&provider)).unwrap();
    let answers = ledger.submit(vec![open_account("meanwhile", "EUR")]);
    assert!(answers[0].is_ok());
    while ledger.read().status().unwrap().signer_fault.is_none() {
        std::thread::yield_now();
    }
    assert!(ledger.read().signed() < ledger.read().size());
    provider.away.store(false, Ordering::SeqCst);
    ledger.wait_signed().unwrap();
    assert_eq!(ledger.read().status().unwrap().signer_fault, None);
    ledger.close().unwrap();
}

#[test]
fn a_key_that_signed_often_enough_is_replaced_by_itself_and_so_is_an_old_one() {
    for policy in [
        RotationPolicy {
            signatures_max: Some(2),
            age_max: None,
        },
        RotationPolicy {
            signatures_max: None,
            age_max: Some(Duration::from_millis(1)),
        },
    ] {
        let (book, provider) = book(Duration::ZERO);
        let open = OpenOptions {
            rotation: policy,
            ..options(&provider)
        };
        let ledger = Ledger::open(&book.path(), open).unwrap();
        let mut number = 0;
        while ledger.read().status().unwrap().checkpoint_keys.len() < 3 {
            number += 1;
            let answers = ledger.submit(vec![open_account(&format!("a-{number}"), "EUR")]);
            assert!(answers[0].is_ok());
            ledger.wait_signed().unwrap();
        }
        assert_eq!(ledger.read().status().unwrap().rotation_fault, None);
        book.verify_whole(&ledger);
        ledger.close().unwrap();
    }
}

/// Says what the book does with its keys.
fn say(ledger: &Ledger, id: &str, policy: KeyPolicy) {
    let request = Request {
        id: RequestId::parse(id).unwrap(),
        by: None,
        command: Command::KeyPolicy(policy),
    };
    let answers = ledger.submit(vec![Submission::Request(request)]);
    assert!(answers[0].is_ok());
}

#[test]
fn what_the_book_says_of_its_keys_is_done_by_itself_and_the_old_ones_go() {
    let (book, provider) = book(Duration::ZERO);
    let open = OpenOptions {
        rotation_overlap: Duration::ZERO,
        ..options(&provider)
    };
    let ledger = Ledger::open(&book.path(), open.clone()).unwrap();
    let policy = KeyPolicy {
        signatures: Some(2),
        ..KeyPolicy::default()
    };
    say(&ledger, "p1", policy);
    let mut number = 0;
    let mut sign_until = |ledger: &Ledger, keys: usize| {
        while ledger.read().status().unwrap().checkpoint_keys.len() < keys {
            number += 1;
            let answers = ledger.submit(vec![open_account(&format!("a-{number}"), "EUR")]);
            assert!(answers[0].is_ok());
            ledger.wait_signed().unwrap();
        }
    };
    sign_until(&ledger, 3);
    // A key that somebody replaced meanwhile has signed nothing yet.
    ledger.rotate_key().unwrap();
    ledger.close().unwrap();

    // What was sealed holds when the book is opened again, from a snapshot or not.
    let ledger = Ledger::open(&book.path(), open).unwrap();
    assert_eq!(
        ledger.read().book_keys().unwrap().unwrap().key_policy,
        policy
    );
    sign_until(&ledger, 5);
    say(&ledger, "p2", KeyPolicy::default());
    assert_eq!(ledger.read().status().unwrap().rotation_fault, None);
    ledger.wait_signed().unwrap();
    book.verify_whole(&ledger);
    ledger.close().unwrap();
    drop(Ledger::open(&book.path(), options(&provider)).unwrap());
    assert_eq!(provider.keys.lock().unwrap().len(), 1);
}

#[test]
fn the_book_bounds_how_many_entries_wait_for_a_signature() {
    let (book, provider) = book(Duration::ZERO);
    let ledger = Ledger::open(&book.path(), options(&provider)).unwrap();
    let bound = KeyPolicy {
        unsigned: Some(10),
        ..KeyPolicy::default()
    };
    say(&ledger, "p1", bound);
    // With a signer that is well nobody is refused, however many there are.
    for round in 0..10 {
        let accounts = (0..20).map(|number| open_account(&format!("a-{round}-{number}"), "EUR"));
        let answers = ledger.submit(accounts.collect());
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    }
    ledger.wait_signed().unwrap();
    provider.away.store(true, Ordering::SeqCst);
    let refused = (0..100).find_map(|number| {
        let answers = ledger.submit(vec![open_account(&format!("b-{number}"), "EUR")]);
        let refused = answers.into_iter().next().unwrap().err();
        refused.map(|error| (number, error))
    });
    let (number, error) = refused.unwrap();
    assert!(number >= 10, "{number} entries went on");
    assert_eq!(error.code().as_str(), "ledger.unsigned");
    provider.away.store(false, Ordering::SeqCst);
    ledger.wait_signed().unwrap();
    let again = ledger.submit(vec![open_account(&format!("b-{number}"), "EUR")]);
    assert!(again[0].is_ok());
    ledger.close().unwrap();
}

#[test]
fn with_the_signer_away_requests_go_on_up_to_the_bound_and_again_once_it_is_back() {
    let (book, provider) = book(Duration::ZERO);
    let open = OpenOptions {
        unsigned_max: 10,
        ..options(&provider)
    };
    let ledger = Ledger::open(&book.path(), open).unwrap();
    provider.away.store(true, Ordering::SeqCst);
    let refused = (0..100).find_map(|number| {
        let answers = ledger.submit(vec![open_account(&format!("b-{number}"), "EUR")]);
        answers
            .into_iter()
            .next()
            .unwrap()
            .err()
            .map(|error| (number, error))
    });
    let (number, error) = refused.unwrap();
    assert!(number > 10, "{number} entries went on");
    assert_eq!(error.code().as_str(), "ledger.unsigned");
    assert!(error.code().retryable());
    while ledger.signer_fault().is_none() {
        std::thread::yield_now();
    }
    provider.away.store(false, Ordering::SeqCst);
    ledger.wait_signed().unwrap();
    let again = ledger.submit(vec![open_account(&format!("b-{number}"), "EUR")]);
    assert!(
        again[0].is_ok(),
        "the same request, once the signer is back"
    );
    ledger.close().unwrap();
}

#[test]
fn how_long_and_how_often_a_key_has_signed_is_counted_from_what_was_published() {
    let (book, provider) = book(Duration::ZERO);
    let ledger = Ledger::open(&book.path(), options(&provider)).unwrap();
    let before = ledger.read().key_use().unwrap();
    for number in 0..3 {
        let answers = ledger.submit(vec![open_account(&format!("c-{number}"), "EUR")]);
        assert!(answers[0].is_ok());
        ledger.wait_signed().unwrap();
    }
    let after = ledger.read().key_use().unwrap();
    assert_eq!(after.signatures, before.signatures + 3);
    assert_eq!(after.since, before.since);
    ledger.rotate_key().unwrap();
    ledger.wait_signed().unwrap();
    let renewed = ledger.read().key_use().unwrap();
    assert!(renewed.since > after.since);
    assert_eq!(renewed.signatures, 1);
    ledger.close().unwrap();
}

/// Key files of ML-DSA-44 keys in a book's folder.
fn hybrid_files(book: &TestBook) -> usize {
    let files = std::fs::read_dir(book.path().join("keys")).unwrap();
    files
        .filter(|file| {
            let name = file.as_ref().unwrap().file_name();
            name.to_string_lossy().starts_with("hybrid")
        })
        .count()
}

#[test]
fn a_hybrid_book_rotates_both_keys_at_once_wherever_the_second_one_is() {
    for ml_dsa in [false, true] {
        let provider = Arc::new(SlowMemoryProvider {
            ml_dsa,
            ..SlowMemoryProvider::default()
        });
        let book = TestBook::hybrid_with(options(&provider));
        // Each set of keys has two, and either both are in the provider or one is a file.
        let kept = |sets: usize| {
            let (inside, files) = if ml_dsa { (2, 0) } else { (1, 1) };
            assert_eq!(provider.keys.lock().unwrap().len(), sets * inside);
            assert_eq!(hybrid_files(&book), sets * files);
        };
        kept(1);
        let ledger = Ledger::open(&book.path(), options(&provider)).unwrap();
        let first = ledger.rotate_key().unwrap();
        assert!(first.old.hybrid.is_some() && first.new.hybrid != first.old.hybrid);
        ledger.wait_signed().unwrap();
        let signers = |checkpoint: &SignedCheckpoint| checkpoint.note().signatures().len();
        assert_eq!(
            signers(&ledger.read().checkpoint().unwrap()),
            4,
            "in the overlap"
        );
        kept(2);
        ledger.close().unwrap();

        let brief = OpenOptions {
            rotation_overlap: Duration::ZERO,
            ..options(&provider)
        };
        let ledger = Ledger::open(&book.path(), brief).unwrap();
        let second = ledger.rotate_key().unwrap();
        assert_eq!(second.old, first.new);
        assert!(ledger.submit(vec![open_account("later", "EUR")])[0].is_ok());
        ledger.wait_signed().unwrap();
        let history = ledger.read().book_keys().unwrap().unwrap().hybrid_keys;
        assert_eq!(history.len(), 3);
        book.verify_whole(&ledger);
        ledger.close().unwrap();
        kept(1);
        // As after a restart.
        let ledger = Ledger::open(&book.path(), options(&provider)).unwrap();
        book_goes_on(&ledger);
        ledger.close().unwrap();
    }
}

fn book_goes_on(ledger: &Ledger) {
    assert!(ledger.submit(vec![open_account("after", "EUR")])[0].is_ok());
    ledger.wait_signed().unwrap();
    assert_eq!(
        ledger
            .read()
            .checkpoint()
            .unwrap()
            .note()
            .signatures()
            .len(),
        2
    );
}

#[test]
fn a_rotation_that_fails_leaves_no_new_key_of_either_kind() {
    let provider = Arc::new(SlowMemoryProvider::default());
    let book = TestBook::hybrid_with(options(&provider));
    let ledger = Ledger::open(&book.path(), options(&provider)).unwrap();
    provider.away.store(true, Ordering::SeqCst);
    ledger.rotate_key().unwrap_err();
    provider.away.store(false, Ordering::SeqCst);
    assert_eq!(provider.keys.lock().unwrap().len(), 1);
    assert_eq!(hybrid_files(&book), 1);
    ledger.rotate_key().unwrap();
    ledger.close().unwrap();
}

#[test]
fn an_ml_dsa_key_in_a_file_moves_into_a_provider_that_came_to_know_such_keys() {
    let provider = Arc::new(SlowMemoryProvider::default());
    let book = TestBook::hybrid_with(options(&provider));
    assert_eq!(hybrid_files(&book), 1);
    let grown = Arc::new(SlowMemoryProvider {
        keys: std::sync::Mutex::new(provider.keys.lock().unwrap().clone()),
        made: AtomicU64::new(100),
        ml_dsa: true,
        ..SlowMemoryProvider::default()
    });
    let brief = OpenOptions {
        rotation_overlap: Duration::ZERO,
        ..options(&grown)
    };
    let ledger = Ledger::open(&book.path(), brief).unwrap();
    ledger.rotate_key().unwrap();
    ledger.wait_signed().unwrap();
    book.verify_whole(&ledger);
    ledger.close().unwrap();
    assert_eq!(hybrid_files(&book), 0);
    assert_eq!(grown.keys.lock().unwrap().len(), 2);
}
