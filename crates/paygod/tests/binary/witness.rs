//! A hybrid book, a witness in a process of its own, and an auditor who asks for both.

use crate::support::{Book, paygod, repository, shown, text};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A command with the passphrase of the witness's keys.
pub(crate) fn with_passphrase(book: &Book, arguments: &[&str]) -> Command {
    let passphrase = book.secret("passphrase", "one witness knows this sentence\n");
    let mut command = Command::new(env!("CARGO_BIN_EXE_paygod"));
    command
        .args(arguments)
        .env_remove("PAYGOD_BOOK")
        .env("PAYGOD_PASSPHRASE_FILE", passphrase)
        .env("NO_COLOR", "1");
    command
}

/// A witness that serves until it is told to stop.
pub(crate) struct Serving {
    process: Child,
    pub(crate) url: String,
}

impl Serving {
    pub(crate) fn new(book: &Book, dir: &str) -> Self {
        let arguments = ["witness", "serve", "--dir", dir, "--listen", "127.0.0.1:0"];
        Self::start(with_passphrase(book, &arguments))
    }

    /// What a command begins to serve.
    pub(crate) fn start(mut command: Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).spawn().expect("it starts");
        let mut line = String::new();
        let mut out = BufReader::new(process.stdout.take().expect("piped"));
        out.read_line(&mut line).expect("it says where it listens");
        let url = line
            .trim()
            .rsplit(' ')
            .next()
            .expect("an address")
            .to_owned();
        Self { process, url }
    }

    /// SIGTERM, as a service manager stops it.
    pub(crate) fn stop(mut self) {
        let pid = self.process.id().to_string();
        let told = Command::new("kill").arg(&pid).status().expect("kill runs");
        assert!(told.success());
        assert!(self.process.wait().expect("it ends").success());
    }
}

impl Drop for Serving {
    /// A test that failed leaves nobody behind.
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

#[test]
fn a_hybrid_book_is_witnessed_and_an_auditor_holds_it_to_both() {
    let book = Book {
        folder: tempfile::tempdir().expect("a folder"),
    };
    let made = book.value(&["init", "--origin", "witness.test/book", "--hybrid"]);
    let genesis = made["fingerprint"].as_str().expect("a fingerprint");
    let log_key = made["checkpoint_key"].as_str().expect("a key");
    let hybrid_key = made["hybrid_key"].as_str().expect("a key");
    let dir = book.path("witness");
    let init = [
        "witness",
        "init",
        "--dir",
        &dir,
        "--name",
        "w.test/one",
        "--json",
    ];
    let output = with_passphrase(&book, &init).output().expect("it runs");
    let keys: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let key = keys["ml_dsa_44"].as_str().expect("a key");
    let witness = Serving::new(&book, &dir);
    let policy = |quorum: &str| {
        let other = keys["ed25519"].as_str().expect("a key");
        let text = format!(
            "witness one {key} {}\nwitness two {other} http://127.0.0.1:9\ngroup both all one two\nquorum {quorum}\n",
            witness.url
        );
        book.file(&format!("{quorum}.policy"), &text)
    };
    let (one, both) = (policy("one"), policy("both"));

    // It does not know the log yet.
    let asked = &book.json(1, &["witness", "ask", "--policy", &one])[0];
    assert_eq!(asked["witnessed"], false);
    assert_eq!(asked["faults"][0]["code"], "witness.refused");
    let added = paygod(&["witness", "add-key", "--dir", &dir, "--key", log_key]);
    assert!(added.status.success(), "{}", text(&added.stderr));
    // One of two is below that quorum: signed, and never called witnessed.
    let asked = &book.json(1, &["witness", "ask", "--policy", &both])[0];
    assert_eq!(asked["faults"][0]["code"], "witness.unavailable");
    let receipt = book.path("open.tlog-proof");
    let pay = [
        "account",
        "open",
        "a",
        "--currency",
        "EUR",
        "--id",
        "open-a",
    ];
    book.yes(&pay);
    let proved = book.value(&["prove", "open-a", "--out", &receipt]);
    assert_eq!(proved["protection"], "signed");

    let asked = book.value(&["witness", "ask", "--policy", &one]);
    assert_eq!(asked["witnessed"], true);
    book.yes(&["witness", "ask", "--policy", &one]);
    let proved = book.value(&["prove", "open-a", "--out", &receipt]);
    assert_eq!(proved["protection"], "witnessed");
    let bytes = std::fs::metadata(&receipt).expect("a receipt").len();
    assert!(bytes < 8_192, "{bytes}");
    let entry = book.path("open.json");
    let check = |policy: &str| {
        paygod(&[
            "prove",
            "--check",
            &receipt,
            "--entry",
            &entry,
            "--key",
            log_key,
            "--key",
            hybrid_key,
            "--witnesses",
            policy,
        ])
        .status
        .code()
    };
    assert_eq!((check(&one), check(&both)), (Some(0), Some(1)));

    // A later entry is newer than what was witnessed.
    book.yes(&[
        "account",
        "open",
        "b",
        "--currency",
        "EUR",
        "--id",
        "open-b",
    ]);
    let export = book.path("export");
    book.yes(&["export", &export]);
    let verify = |more: &[&str]| {
        let mut all = vec!["verify", export.as_str(), "--genesis", genesis, "--json"];
        all.extend_from_slice(more);
        let output = paygod(&all);
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        (output.status.code(), report)
    };
    let (code, report) = verify(&["--hybrid", "--witnesses", &one]);
    assert_eq!(code, Some(0), "{report}");
    assert_eq!(
        (&report["hybrid"], &report["witnessed"]),
        (&true.into(), &2.into())
    );
    let (code, report) = verify(&["--witnesses", &both]);
    assert_eq!(code, Some(1));
    assert_eq!(report["failures"][0]["check"], "verify.witness", "{report}");
    std::fs::remove_file(Path::new(&export).join("witnessed")).expect("removed");
    let (code, report) = verify(&["--witnesses", &one]);
    assert_eq!(code, Some(1));
    assert_eq!(report["failures"][0]["check"], "verify.witness", "{report}");
    let plain = shown(&repository().join("nothing"));
    assert_eq!(
        paygod(&["verify", &plain, "--hybrid"]).status.code(),
        Some(2)
    );

    // Once a key is gone the book can be read, and goes on no more.
    let backup = book.path("backup");
    book.yes(&["backup", &backup]);
    witness.stop();
    std::fs::remove_file(book.path("book/keys/hybrid.key")).expect("removed");
    book.yes(&["checkpoint"]);
    book.code(3, &["freeze", "book", "--by", "ana"]);
}

#[test]
fn a_book_that_is_not_hybrid_is_refused_by_who_demands_it() {
    let book = Book::empty();
    let failed = &book.json(1, &["verify", "--hybrid"])[0];
    assert_eq!(failed["failures"][0]["check"], "verify.hybrid", "{failed}");
    book.yes(&["verify"]);
}

#[test]
fn a_monitor_remembers_what_it_saw_and_finds_a_book_that_was_set_back() {
    let book = Book::empty();
    let fingerprint = book.value(&["checkpoint"])["fingerprint"].clone();
    let genesis = fingerprint.as_str().expect("a fingerprint");
    let (first, second) = (book.path("first"), book.path("second"));
    book.yes(&["export", &first]);
    book.yes(&["account", "open", "a", "--currency", "EUR"]);
    book.yes(&["export", &second]);
    let state = book.path("seen");
    let monitor = |export: &str, more: &[&str]| {
        let mut all = vec!["monitor", export, "--state", &state];
        all.extend_from_slice(more);
        paygod(&all).status.code()
    };
    assert_eq!(
        monitor(&first, &[]),
        Some(2),
        "the first visit needs a fingerprint"
    );
    assert_eq!(monitor(&first, &["--genesis", genesis]), Some(0));
    assert_eq!(monitor(&second, &[]), Some(0));
    // Sound in itself, and older than what was seen.
    assert_eq!(
        paygod(&["verify", &first, "--genesis", genesis])
            .status
            .code(),
        Some(0)
    );
    assert_eq!(monitor(&first, &[]), Some(1));
    // What did not hold was not remembered.
    assert_eq!(monitor(&second, &["--sealed-only"]), Some(0));
    let other = "0".repeat(64);
    assert_eq!(monitor(&second, &["--genesis", &other]), Some(2));
}

#[test]
fn a_monitor_tells_prometheus_what_every_visit_came_to() {
    let book = Book::empty();
    let fingerprint = book.value(&["checkpoint"])["fingerprint"].clone();
    let genesis = fingerprint.as_str().expect("a fingerprint");
    let (export, state, file) = (book.path("export"), book.path("seen"), book.path("m.prom"));
    book.yes(&["export", &export]);
    let told = |export: &str| {
        let arguments = [
            "monitor",
            export,
            "--state",
            &state,
            "--genesis",
            genesis,
            "--metrics",
            &file,
        ];
        let code = paygod(&arguments).status.code();
        let text = std::fs::read_to_string(&file).expect("metrics");
        let value = |name: &str| {
            let start = format!("paygod_monitor_{name}{{origin=\"paygod.test/book\"}} ");
            let line = text.lines().find_map(|line| line.strip_prefix(&start));
            line.expect(&text).parse::<u64>().expect("a number")
        };
        let visited = value("visit_timestamp_seconds");
        assert!(visited > 1_700_000_000, "{visited}");
        (code, value("checked"), value("valid"), value("failures"))
    };
    assert_eq!(told(&export), (Some(0), 1, 1, 0));
    let tile = std::path::Path::new(&export).join("tile/entries");
    let entries = std::fs::read_dir(&tile).expect("bundles").next();
    let entries = entries.expect("a bundle").expect("listed").path();
    let entries = if entries.is_dir() {
        let first = std::fs::read_dir(&entries).expect("partial bundles").next();
        first.expect("a bundle").expect("listed").path()
    } else {
        entries
    };
    let mut bytes = std::fs::read(&entries).expect("read");
    let last = bytes.len() - 2;
    bytes[last] ^= 1;
    std::fs::write(&entries, bytes).expect("written");
    let (code, checked, valid, failures) = told(&export);
    assert_eq!((code, checked, valid), (Some(1), 1, 0));
    assert!(failures > 0);
    // An export that is not there is no reason to keep quiet.
    let (code, checked, valid, _) = told(&book.path("nowhere"));
    assert_eq!((checked, valid), (0, 0));
    assert!(code.is_some_and(|code| code > 1), "{code:?}");
}

#[test]
fn a_policy_that_breaks_the_rules_is_refused_before_anything_is_asked() {
    let book = Book::empty();
    let policy = book.file("bad.policy", "quorum nobody\n");
    let refused = book.code(2, &["witness", "ask", "--policy", &policy]);
    assert!(refused.contains("line 1 of the trust policy"), "{refused}");
    let refused = book.code(2, &["witness", "logs", "--dir", &book.path("nowhere")]);
    assert!(refused.contains("witness init"), "{refused}");
}
