//! Anchoring a book through a fake calendar, and verifying it with block headers.

use crate::support::{Book, paygod, shown, text};
use paygod_anchor::practice::{FakeCalendar, Mood};
use serde_json::Value;
use std::time::{SystemTime, UNIX_EPOCH};

fn now_s() -> u32 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970");
    u32::try_from(since.as_secs()).expect("before 2106")
}

fn json(printed: &[u8]) -> Value {
    serde_json::from_slice(printed).expect("JSON")
}

/// A book with an anchor, and the headers that bear it out.
fn anchored() -> (Book, FakeCalendar, String) {
    let book = Book::ready();
    let calendar = FakeCalendar::start(Mood::Honest).expect("a port");
    let printed = book.yes(&["anchor", "now", "--calendar", calendar.url()]);
    assert!(printed.contains("submitted"), "{printed}");
    calendar.mine(now_s());
    let headers = book.path("headers.txt");
    std::fs::write(&headers, calendar.headers()).expect("written");
    let printed = book.yes(&[
        "anchor",
        "now",
        "--calendar",
        calendar.url(),
        "--bitcoin-headers",
        &headers,
        "--bitcoin-chain",
        "regtest",
    ]);
    assert!(printed.contains("anchored"), "{printed}");
    (book, calendar, headers)
}

#[test]
fn a_book_is_anchored_and_an_auditor_with_headers_is_told_since_when() {
    let (book, _calendar, headers) = anchored();
    let export = book.path("export");
    book.yes(&["export", &export]);
    let verify = |more: &[&str]| {
        let mut arguments = vec!["verify", &*export, "--json"];
        arguments.extend(more);
        let output = paygod(&arguments);
        (output.status.code(), json(&output.stdout))
    };
    let with = ["--bitcoin-headers", &*headers, "--bitcoin-chain", "regtest"];
    let (code, report) = verify(&with);
    assert_eq!(code, Some(0), "{report}");
    let anchors = &report["anchors"];
    assert_eq!(
        (&anchors["proofs"], &anchors["proven"], &anchors["newer"]),
        (&1.into(), &1.into(), &1.into())
    );
    assert_eq!(anchors["last"]["height"], 1);
    let (code, report) = verify(&[&with[..], &["--anchored-within", "24"]].concat());
    assert_eq!(code, Some(0), "{report}");
    // Where nothing can be shown to be anchored, demanding it is no question that `valid` could answer.
    let blind = paygod(&["verify", &export, "--anchored-within", "24"]);
    assert_eq!(blind.status.code(), Some(2));
    // Without headers it says that nothing was checked.
    let output = paygod(&["verify", &export]);
    assert!(
        text(&output.stdout).contains("--bitcoin-headers"),
        "{}",
        text(&output.stdout)
    );

    let proof = book.path("export/anchors");
    let name = std::fs::read_dir(&proof)
        .expect("a folder")
        .next()
        .expect("a proof")
        .expect("read")
        .path();
    let good = std::fs::read(&name).expect("read");
    let mut bad = good.clone();
    bad[40] ^= 1;
    std::fs::write(&name, bad).expect("written");
    let (code, report) = verify(&with);
    assert_eq!(
        (code, &report["failures"][0]["check"]),
        (Some(1), &"verify.anchor".into()),
        "{report}"
    );
    std::fs::remove_file(&name).expect("removed");
    let (code, report) = verify(&with);
    assert_eq!(
        (code, &report["failures"][0]["check"]),
        (Some(1), &"verify.anchor".into()),
        "{report}"
    );
}

#[test]
fn the_books_own_anchors_are_shown_checked_and_written_for_the_stock_client() {
    let (book, _calendar, headers) = anchored();
    let printed = book.yes(&["anchor", "status"]);
    assert!(printed.contains("anchored: the first"), "{printed}");
    let printed = book.yes(&[
        "anchor",
        "verify",
        "--bitcoin-headers",
        &headers,
        "--bitcoin-chain",
        "regtest",
    ]);
    assert!(printed.contains("holds"), "{printed}");
    let to = book.path("proofs");
    book.yes(&["anchor", "export", &to]);
    let mut files: Vec<String> = std::fs::read_dir(&to)
        .expect("a folder")
        .map(|file| shown(&file.expect("read").path()))
        .collect();
    files.sort();
    let [note, proof] = files.as_slice() else {
        panic!("{files:?}")
    };
    assert_eq!(format!("{note}.ots"), *proof);
    let lines = std::fs::read_to_string(note).expect("text");
    assert!(lines.starts_with("paygod.test/book\n"), "{lines}");
    // Headers of another chain, and none.
    book.code(
        1,
        &[
            "anchor",
            "verify",
            "--bitcoin-headers",
            &empty_chain(&book),
            "--bitcoin-chain",
            "regtest",
        ],
    );
    book.code(2, &["anchor", "verify", "--bitcoin-headers", &headers]);
    book.code(2, &["anchor", "verify"]);
}

/// A block of the height that is asked about, and another merkle root.
fn empty_chain(book: &Book) -> String {
    let mut chain = paygod_anchor::practice::PracticeChain::default();
    chain.mine([0; 32], now_s());
    let path = book.path("other-headers.txt");
    std::fs::write(&path, chain.to_text()).expect("written");
    path
}

#[test]
fn a_calendar_that_fails_is_told_and_changes_nothing() {
    let book = Book::ready();
    let calendar = FakeCalendar::start(Mood::Garbage).expect("a port");
    let printed = book.code(3, &["anchor", "now", "--calendar", calendar.url()]);
    assert!(printed.contains("anchor.calendar"), "{printed}");
    let printed = book.code(
        2,
        &["anchor", "now", "--calendar", "http://calendar.example.com"],
    );
    assert!(printed.contains("anchor.not-allowed"), "{printed}");
    let printed = book.yes(&["anchor", "status"]);
    assert!(printed.contains("nothing is anchored yet"), "{printed}");
}
