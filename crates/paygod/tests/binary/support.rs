//! A book in a temporary folder and the built command to work on it.

use serde_json::Value;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use tempfile::TempDir;

/// The repository.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The bank's month end.
pub(crate) fn payments() -> String {
    shown(&repository().join("examples/payments/payroll-and-suppliers.pain.001.001.09.xml"))
}

pub(crate) fn shown(path: &Path) -> String {
    path.to_str().expect("UTF-8").to_owned()
}

/// Runs the command with these arguments and nothing of the caller's environment.
pub(crate) fn paygod(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_paygod"))
        .args(arguments)
        .env_remove("PAYGOD_BOOK")
        .env_remove("PAYGOD_BY")
        .env_remove("PAYGOD_WAIT")
        .env_remove("PAYGOD_CALENDARS")
        .env_remove("PAYGOD_BITCOIN_NODE")
        .env_remove("PAYGOD_ETHEREUM_NODE")
        .env("COLUMNS", "100")
        .env("NO_COLOR", "1")
        .output()
        .expect("the binary runs")
}

/// A book and where other files go.
pub(crate) struct Book {
    pub(crate) folder: TempDir,
}

impl Book {
    /// A new book without accounts or packs.
    pub(crate) fn empty() -> Self {
        let book = Self {
            folder: tempfile::tempdir().expect("a folder"),
        };
        book.yes(&["init", "--origin", "paygod.test/book"]);
        book
    }

    /// The month end's accounts with money in them, and the starter packs active: a copy of one that
    /// is made once.
    pub(crate) fn ready() -> Self {
        static MADE: OnceLock<PathBuf> = OnceLock::new();
        let made = MADE.get_or_init(|| {
            let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ready-book");
            let _absent = std::fs::remove_dir_all(&folder);
            let book = Self::make_ready();
            copy(&book.folder.path().join("book"), &folder);
            folder
        });
        let book = Self {
            folder: tempfile::tempdir().expect("a folder"),
        };
        copy(made, &book.folder.path().join("book"));
        book
    }

    fn make_ready() -> Self {
        let book = Self::empty();
        for (account, currency, iban) in [
            ("muster-handels-chf", "CHF", "CH9300762011623852957"),
            ("muster-handels-eur", "EUR", "CH6600762011623852958"),
            ("muster-personaldienste-chf", "CHF", "CH8000762020000000101"),
            ("muster-logistik-chf", "CHF", "CH6900762020000000202"),
        ] {
            book.yes(&[
                "account",
                "open",
                account,
                "--currency",
                currency,
                "--alias",
                iban,
                "--min",
                "0.00",
            ]);
        }
        book.yes(&["account", "open", "clearing-chf", "--currency", "CHF"]);
        book.yes(&["account", "open", "clearing-eur", "--currency", "EUR"]);
        let lists = repository().join("examples/lists/ofac");
        let (sdn, alt) = (shown(&lists.join("sdn.csv")), shown(&lists.join("alt.csv")));
        book.yes(&[
            "list",
            "import",
            &sdn,
            "--alt",
            &alt,
            "--list-version",
            "sample",
        ]);
        let packs = repository().join("packs/core");
        let packs = ["duplicate-payment", "payment-limits", "sanctions-screening"]
            .map(|pack| shown(&packs.join(pack)));
        book.yes(&[
            "pack", "activate", &packs[0], &packs[1], &packs[2], "--by", "ana",
        ]);
        book.yes(&["submit", &book.file("opening.jsonl", OPENING)]);
        book
    }

    /// A path beside the book.
    pub(crate) fn path(&self, name: &str) -> String {
        shown(&self.folder.path().join(name))
    }

    /// Writes a file beside the book.
    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        std::fs::write(&path, text).expect("written");
        path
    }

    /// Writes a file beside the book that its owner alone may read.
    pub(crate) fn secret(&self, name: &str, text: &str) -> String {
        let path = self.file(name, text);
        for_owner_alone(&path);
        path
    }

    /// Runs a command on the book.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        let book = self.path("book");
        let mut all = vec!["--book", book.as_str()];
        all.extend_from_slice(arguments);
        paygod(&all)
    }

    /// Runs a command that must exit with this code; what it printed.
    pub(crate) fn code(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(
            output.status.code(),
            Some(code),
            "{arguments:?}\n{out}\n{err}"
        );
        if code >= 2 { err } else { out }
    }

    /// Runs a command that must say yes.
    pub(crate) fn yes(&self, arguments: &[&str]) -> String {
        self.code(0, arguments)
    }

    /// Runs a command with `--json` that must exit with this code: one value a line.
    pub(crate) fn json(&self, code: i32, arguments: &[&str]) -> Vec<Value> {
        let mut all = arguments.to_vec();
        all.push("--json");
        let printed = self.code(code, &all);
        printed
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect()
    }

    /// The one value of a command that says yes.
    pub(crate) fn value(&self, arguments: &[&str]) -> Value {
        let mut values = self.json(0, arguments);
        assert_eq!(values.len(), 1, "{values:?}");
        values.remove(0)
    }

    /// An account's balance.
    pub(crate) fn balance(&self, account: &str) -> String {
        let value = self.value(&["balance", account]);
        value["balance"].as_str().expect("a balance").to_owned()
    }
}

/// Lets nobody but its owner read a file.
pub(crate) fn for_owner_alone(path: &str) {
    let mode = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(path, mode).expect("the mode is set");
}

/// Copies a book that nobody has open; the next segment, filled ahead, is made anew.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("made");
    for entry in std::fs::read_dir(from).expect("listed") {
        let path = entry.expect("listed").path();
        let name = path.file_name().expect("a name");
        if path.is_dir() {
            copy(&path, &to.join(name));
        } else if name != "next.prefilled" {
            std::fs::copy(&path, to.join(name)).expect("copied");
        }
    }
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// Money comes in, in parts that the limits let through.
const OPENING: &str = concat!(
    r#"{"by":"treasury","id":"opening-chf","transfer":{"transfers":["#,
    r#"{"amount":"10000.00","credit":"muster-handels-chf","currency":"CHF","debit":"clearing-chf"},"#,
    r#"{"amount":"10000.00","credit":"muster-handels-chf","currency":"CHF","debit":"clearing-chf"},"#,
    r#"{"amount":"10000.00","credit":"muster-handels-chf","currency":"CHF","debit":"clearing-chf"},"#,
    r#"{"amount":"10000.00","credit":"muster-handels-chf","currency":"CHF","debit":"clearing-chf"},"#,
    r#"{"amount":"10000.00","credit":"muster-handels-chf","currency":"CHF","debit":"clearing-chf"}]}}"#,
    "\n",
    r#"{"by":"treasury","id":"opening-eur","transfer":{"transfers":["#,
    r#"{"amount":"10000.00","credit":"muster-handels-eur","currency":"EUR","debit":"clearing-eur"},"#,
    r#"{"amount":"10000.00","credit":"muster-handels-eur","currency":"EUR","debit":"clearing-eur"}]}}"#,
    "\n"
);

/// Text in which what differs from run to run is replaced: hashes, base64 of 32 bytes and more, times.
pub(crate) fn stable(text: &str) -> String {
    let mut out = String::new();
    let mut word = String::new();
    for letter in text.chars().chain(['\0']) {
        if letter.is_ascii_alphanumeric() || matches!(letter, '+' | '/' | '=' | '-' | ':' | '.') {
            word.push(letter);
            continue;
        }
        out.push_str(&stable_word(&word));
        word.clear();
        if letter != '\0' {
            out.push(letter);
        }
    }
    out
}

fn stable_word(word: &str) -> String {
    let is_time = word.len() >= 19 && word.starts_with("20") && word.as_bytes()[10] == b'T';
    let is_hex = word.len() >= 16 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_key = word.contains('+') && word.len() >= 60;
    if is_time {
        "[time]".to_owned()
    } else if is_hex {
        "[hex]".to_owned()
    } else if is_key {
        "[key]".to_owned()
    } else if word.len() >= 44 && word.ends_with('=') {
        "[base64]".to_owned()
    } else {
        word.to_owned()
    }
}
