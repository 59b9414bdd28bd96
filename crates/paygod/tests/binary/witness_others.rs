//! Witnesses and logs by other implementations of tlog-witness, each with ours in the other role.
//!
//! `doubleentry` is a library, and always here. `aics-witness`, in Python, is a server and a log's client:
//! `PAYGOD_AICS_WITNESS` names an interpreter that has it.

use crate::support::{Book, paygod, text};
use crate::witness::{Serving, with_passphrase};
use doubleentry::prelude::*;
use doubleentry::transparency::{LogKey, Next, Policy, SignedCheckpoint, Vkey, WitnessSession};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A witness of ours that serves, and the vkey of its Ed25519 key.
fn ours(book: &Book) -> (Serving, String) {
    let dir = book.path("witness");
    let init = ["witness", "init", "--dir", &dir, "--name", "w.test/ours"];
    let mut init = with_passphrase(book, &init);
    let output = init.arg("--json").output().expect("it runs");
    let keys: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let key = keys["ed25519"].as_str().expect("a key").to_owned();
    (Serving::new(book, &dir), key)
}

/// Has our witness know a log.
fn add_key(book: &Book, key: &str) {
    let dir = book.path("witness");
    let added = paygod(&["witness", "add-key", "--dir", &dir, "--key", key]);
    assert!(added.status.success(), "{}", text(&added.stderr));
}

/// A ledger of doubleentry's, whose log asks a witness as its manual says.
struct OtherLog {
    key: LogKey,
    books: Journal,
}

impl OtherLog {
    fn new(origin: &str) -> Self {
        const START: Date = date!("2026-01-01");
        let mut books = Journal::new(LedgerId::new(origin).expect("an id"));
        books.declare_currency(EUR, 2, START).expect("declared");
        books.define_months(2026, 1..=12).expect("defined");
        for (account, kind) in [("Cash", AccountKind::Asset), ("Sales", AccountKind::Income)] {
            books.open(account, kind, START).expect("opened");
        }
        let key = LogKey::from_seed(books.id(), [7; 32]);
        Self { key, books }
    }

    fn size(&self) -> u64 {
        self.books.head().size
    }

    /// Records so many sales.
    fn grow(&mut self, sales: u64, story: &str) {
        for n in 0..sales {
            let name = format!("{story}-{}-{n}", self.size());
            let sale = Entry::new(name, date!("2026-03-01"));
            let sale = sale.debit("Cash", amount!("1.00"), EUR);
            let sale = sale.credit("Sales", amount!("1.00"), EUR);
            self.books.record(sale).expect("recorded");
        }
    }

    /// Asks, beginning with a size that the witness may have moved on from, until it is cosigned or refused.
    /// How often it was asked, and the checkpoint as cosigned.
    fn ask(&self, url: &str, witness: &Vkey, old: u64) -> Result<(u32, SignedCheckpoint), String> {
        let signed = self.books.checkpoint(&self.key).expect("its own key");
        let mut session =
            WitnessSession::new(signed.clone(), witness.clone(), old).expect("a session");
        for asked in 1.. {
            let proof = session.needed_proof();
            let proof = proof.map(|(from, to)| self.books.prove_consistency(from, to));
            let proof = proof.transpose().expect("a proof");
            let body = session.request(proof.as_ref()).expect("a request");
            let agent = ureq::Agent::config_builder().http_status_as_error(false);
            let agent: ureq::Agent = agent.build().into();
            let mut answer = agent
                .post(format!("{url}/add-checkpoint"))
                .send(&body)
                .expect("answered");
            let lines = answer.body_mut().read_to_vec().expect("a body");
            let kind = answer.headers().get("content-type");
            let kind = kind.and_then(|kind| kind.to_str().ok());
            match session.receive(answer.status().as_u16(), kind, &lines) {
                Ok(Next::Cosigned { cosignature, .. }) => {
                    let cosigned = signed.with_cosignature(&cosignature);
                    return Ok((asked, cosigned.expect("there is room")));
                }
                Ok(_) => {}
                Err(error) => return Err(error.to_string()),
            }
        }
        Err("asked for ever".to_owned())
    }
}

#[test]
fn a_log_by_doubleentry_is_cosigned_by_our_witness_and_its_fork_is_not() {
    let book = Book::empty();
    let (witness, key) = ours(&book);
    let key: Vkey = key.parse().expect("a vkey that others read");
    let mut log = OtherLog::new("doubleentry.test/log");
    let refused = log.ask(&witness.url, &key, 0);
    assert!(refused.is_err_and(|why| why.contains("404")));
    add_key(&book, &log.key.vkey().to_string());
    // The second one begins anew, as after a restart, and is told what the witness has.
    for (sales, remembers, asks) in [(3, false, 1), (300, false, 2), (0, true, 1), (500, true, 1)] {
        let old = if remembers { log.size() } else { 0 };
        log.grow(sales, "true");
        let (asked, cosigned) = log.ask(&witness.url, &key, old).expect("cosigned");
        assert_eq!(asked, asks);
        let verified = cosigned.verify(&[log.key.vkey(), key.clone()]);
        assert_eq!(verified.expect("both hold").len(), 2);
    }
    let mut fork = OtherLog::new("doubleentry.test/log");
    fork.grow(803, "another");
    assert_eq!(fork.size(), log.size());
    let refused = fork.ask(&witness.url, &key, log.size());
    assert!(refused.is_err_and(|why| why.contains("422")));
    fork.grow(1, "another");
    let refused = fork.ask(&witness.url, &key, log.size());
    assert!(refused.is_err_and(|why| why.contains("422")));
    witness.stop();
}

/// The interpreter that has aics-witness; says so when there is none.
#[expect(clippy::print_stdout, reason = "it says why a test did not run")]
fn aics() -> Option<String> {
    let python = std::env::var("PAYGOD_AICS_WITNESS").unwrap_or_else(|_| "python3".to_owned());
    let found = Command::new(&python)
        .args(["-c", "import aics_witness"])
        .stderr(Stdio::null())
        .status();
    if found.is_ok_and(|found| found.success()) {
        return Some(python);
    }
    println!(
        "skipped: no aics-witness; `pip install --ignore-requires-python aics-witness==0.1.0` in a venv and name its `python` in PAYGOD_AICS_WITNESS"
    );
    None
}

/// A witness of aics-witness that serves.
struct Aics {
    python: String,
    config: String,
    process: Option<Child>,
    url: String,
}

impl Aics {
    fn run(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(&self.python);
        command.args(["-m", "aics_witness"]).args(arguments);
        let output = command
            .env("AICS_WITNESS_CONFIG", &self.config)
            .output()
            .expect("it runs");
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout).trim().to_owned()
    }

    fn serve(&mut self) {
        self.stop();
        let mut process = Command::new(&self.python)
            .args(["-m", "aics_witness", "serve", "--listen", "127.0.0.1:0"])
            .env("AICS_WITNESS_CONFIG", &self.config)
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut said = BufReader::new(process.stderr.take().expect("piped")).lines();
        let listening = said.find_map(|line| {
            let line = line.expect("UTF-8");
            let (_, url) = line.split_once("listening on ")?;
            url.split(' ').next().map(str::to_owned)
        });
        self.url = listening.expect("it says where it listens");
        // What it says later is read, so that it never waits for us.
        std::thread::spawn(move || said.for_each(drop));
        self.process = Some(process);
    }

    fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("killed");
            process.wait().expect("it ends");
        }
    }
}

impl Drop for Aics {
    fn drop(&mut self) {
        self.stop();
    }
}

#[test]
fn the_witness_of_aics_cosigns_our_book_and_finds_that_it_was_set_back() {
    let Some(python) = aics() else { return };
    let book = Book::empty();
    let mut other = Aics {
        python,
        config: book.path("aics.json"),
        process: None,
        url: String::new(),
    };
    let witness = other.run(&["init", "--name", "w.test/aics"]);
    let log_key = &book.value(&["checkpoint"])["keys"][0]["vkey"].clone();
    let log_key = log_key.as_str().expect("a key");
    let ask = |url: &str, code: i32| {
        let policy = format!("witness aics {witness} {url}\nquorum aics\n");
        let policy = book.file("aics.policy", &policy);
        book.json(code, &["witness", "ask", "--policy", &policy])
            .remove(0)
    };
    other.serve();
    assert_eq!(ask(&other.url, 1)["faults"][0]["code"], "witness.refused");
    other.run(&["add-log", "--origin", "paygod.test/book", "--vkey", log_key]);
    other.serve();
    assert_eq!(ask(&other.url, 0)["witnessed"], true);
    let backup = book.path("backup");
    book.yes(&["backup", &backup]);
    book.yes(&["account", "open", "a", "--currency", "EUR"]);
    book.yes(&["account", "open", "b", "--currency", "EUR"]);
    // What it remembers is asked for (409), for this process remembers nothing; so it is after a restart.
    assert_eq!(ask(&other.url, 0)["size"], 3);
    other.serve();
    book.yes(&["account", "open", "c", "--currency", "EUR"]);
    assert_eq!(ask(&other.url, 0)["size"], 4);
    assert_eq!(read_by_doubleentry(&book, log_key, &witness), 4);

    // The folder set back: first shorter than what was cosigned, then as long, with another history.
    std::fs::remove_dir_all(book.path("book")).expect("removed");
    std::fs::rename(backup, book.path("book")).expect("restored");
    book.yes(&["account", "open", "d", "--currency", "EUR"]);
    let asked = ask(&other.url, 1);
    assert_eq!(asked["faults"][0]["code"], "witness.fork", "{asked}");
    assert_eq!(asked["size"], 2);
    for account in ["e", "f"] {
        book.yes(&["account", "open", account, "--currency", "EUR"]);
    }
    let asked = ask(&other.url, 1);
    assert_eq!(asked["faults"][0]["code"], "witness.fork", "{asked}");
    assert_eq!(asked["size"], 4);
}

/// A third implementation reads what ours gathered from the second.
fn read_by_doubleentry(book: &Book, log: &str, witness: &str) -> u64 {
    let note = std::fs::read(Path::new(&book.path("book")).join("witnessed"));
    let note = SignedCheckpoint::parse(&note.expect("a checkpoint")).expect("a note");
    let policy = format!("log {log}\nwitness aics {witness}\nquorum aics\n");
    let policy = Policy::parse(&policy).expect("a policy");
    let verdict = policy.verify(&note).expect("it holds");
    assert_eq!(verdict.witnesses.len(), 1);
    note.checkpoint().head().size
}

#[test]
fn a_log_by_aics_is_cosigned_by_our_witness_and_its_fork_is_not() {
    let Some(python) = aics() else { return };
    let book = Book::empty();
    let (witness, key) = ours(&book);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/binary/other_log.py");
    let log = |arguments: &[&str]| {
        let output = Command::new(&python).arg(script).args(arguments).output();
        let output = output.expect("it runs");
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout).trim().to_owned()
    };
    let submit = |state: &str, size: &str, story: &str| {
        let state = book.path(state);
        let origin = "aics.test/log";
        log(&["submit", &witness.url, &key, &state, origin, size, story])
    };
    assert_eq!(submit("one", "5", "true"), "WitnessRejected 404");
    add_key(&book, &log(&["key", "aics.test/log"]));
    assert_eq!(submit("one", "5", "true"), "cosigned 5");
    assert_eq!(submit("one", "5", "true"), "cosigned 5");
    assert_eq!(submit("one", "300", "true"), "cosigned 300");
    // One that remembers nothing is told the size and asks again.
    assert_eq!(submit("two", "1000", "true"), "cosigned 1000");
    assert_eq!(submit("two", "1000", "another"), "WitnessRejected 422");
    assert_eq!(submit("two", "1001", "another"), "WitnessRejected 422");
    assert_eq!(submit("two", "999", "true"), "WitnessAhead");
    witness.stop();
}
