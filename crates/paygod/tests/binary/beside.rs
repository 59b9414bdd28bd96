//! Commands that read, beside a process that writes to the book.

use crate::support::{Book, paygod, shown, text};
use paygod_service::ledger::{Ledger, OpenOptions, Submission};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A payment that the starter packs allow.
fn payment(number: u64) -> Submission {
    let text = format!(
        r#"{{"by":"treasury","id":"pay-{number}","transfer":{{"transfers":[{{"amount":"0.01","credit":"clearing-eur","currency":"EUR","debit":"muster-handels-eur","payment":{{"creditor":{{"name":"Muster Logistik"}},"reference":"R{number}"}}}}]}}}}"#
    );
    Submission::Json(text.into_bytes())
}

/// Pays without end until this is dropped.
struct Paying<'a>(&'a AtomicBool);

impl Drop for Paying<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_book_is_read_proved_and_copied_while_another_process_pays() {
    let book = Book::ready();
    let path = book.path("book");
    let ledger = Ledger::open(Path::new(&path), OpenOptions::default()).expect("opened");
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _paying = Paying(&done);
        scope.spawn(|| {
            let mut next = 0;
            while !done.load(Ordering::Relaxed) {
                let requests: Vec<Submission> = (next..next + 20).map(payment).collect();
                for answer in ledger.submit(requests) {
                    answer.expect("sealed");
                }
                next += 20;
            }
        });
        while ledger.read().size() < 100 {
            std::thread::yield_now();
        }
        assert_eq!(
            book.value(&["account", "show", "muster-handels-chf"])["balances"]["balance"],
            "50000.00"
        );
        assert_ne!(book.balance("muster-handels-eur"), "20000.00");
        let lines = book.json(0, &["entries", "--count", "3"]);
        assert_eq!(lines.len(), 3);
        for reading in [
            &["account", "list"][..],
            &["explain", "pay-7"],
            &["pack", "list"],
            &["pack", "history", "payment-limits"],
            &["pack", "trust"],
            &["pack", "replay"],
            &["list", "show"],
            &["list", "check", "ofac-sdn", "Nobody"],
            &["keys", "history"],
            &["keys", "policy"],
            &["keys", "status"],
            &["anchor", "status"],
        ] {
            book.yes(reading);
        }

        // What has to be signed is, by the process that pays.
        let size = ledger.read().size();
        let checkpoint = book.value(&["checkpoint"]);
        assert!(checkpoint["size"].as_u64() >= Some(size), "{checkpoint}");
        let proof = book.path("pay-7.tlog-proof");
        let proved = book.value(&["prove", "pay-7", "--out", &proof]);
        let (entry, key) = (book.path("pay-7.json"), &proved["key"]);
        let key = key.as_str().expect("a key");
        let checked = paygod(&["prove", "--check", &proof, "--entry", &entry, "--key", key]);
        assert_eq!(checked.status.code(), Some(0), "{}", text(&checked.stderr));
        book.yes(&["verify"]);
        let (export, backup) = (book.path("export"), book.path("backup"));
        book.yes(&["export", &export]);
        book.yes(&["backup", &backup]);
        assert_eq!(paygod(&["verify", &export]).status.code(), Some(0));
        let restored = book.path("restored");
        let made = paygod(&["--book", &restored, "restore", &backup]);
        assert_eq!(made.status.code(), Some(0), "{}", text(&made.stderr));

        // There is one writer all the same.
        let refused = book.code(3, &["freeze", "book", "--by", "ana"]);
        assert!(refused.contains("store.locked"), "{refused}");
        // A second one waits for its turn, if it is told to.
        let began = Instant::now();
        book.code(3, &["--wait", "1", "freeze", "book", "--by", "ana"]);
        assert!(began.elapsed() >= Duration::from_secs(1));
    });
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| book.yes(&["--wait", "60", "freeze", "book", "--by", "ana"]));
        std::thread::sleep(Duration::from_millis(500));
        ledger.close().expect("closed");
        waiting.join().expect("its turn came");
    });
}

#[test]
fn a_book_on_a_disk_that_cannot_be_written_is_read() {
    let book = Book::ready();
    let path = book.path("book");
    let made = |name: &str| shown(&Path::new(&path).join(name));
    let before = std::fs::read_dir(&path).expect("listed").count();
    // Nobody, whoever runs this, can take a lock or make a file under these names.
    std::fs::remove_file(made("LOCK")).expect("removed");
    std::fs::create_dir(made("LOCK")).expect("made");
    assert_eq!(book.balance("muster-handels-chf"), "50000.00");
    book.yes(&["checkpoint"]);
    book.yes(&["verify"]);
    assert_eq!(std::fs::read_dir(&path).expect("listed").count(), before);
}
