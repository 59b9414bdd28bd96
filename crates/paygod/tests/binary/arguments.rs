//! Arguments that name the wrong thing: told as such, with exit code 2, and nothing is written over.

use crate::support::{Book, for_owner_alone, paygod, repository, shown, text};
use serde_json::Value;
use std::process::Command;

/// What is said of a command that must exit with 2.
fn refused(arguments: &[&str]) -> String {
    let output = paygod(arguments);
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {told}");
    told
}

/// Runs a command in a book's folder with its passphrase file: the exit code and all that was said.
fn with_passphrase(book: &Book, arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_paygod"))
        .args(arguments)
        .current_dir(book.folder.path())
        .env_remove("PAYGOD_BOOK")
        .env("PAYGOD_PASSPHRASE_FILE", book.path("passphrase"))
        .env("NO_COLOR", "1")
        .output()
        .expect("the binary runs");
    let told = format!("{}{}", text(&output.stdout), text(&output.stderr));
    (output.status.code(), told)
}

#[test]
fn a_proof_named_json_is_not_overwritten_by_its_entry() {
    let book = Book::empty();
    let proof = book.path("r.json");
    let made = book.value(&["prove", "#0", "--out", &proof]);
    let (entry, key) = (made["entry"].as_str(), made["key"].as_str());
    let (entry, key) = (entry.expect("an entry"), key.expect("a key"));
    assert_eq!(entry, book.path("r.entry.json"));
    let checked = paygod(&["prove", "--check", &proof, "--entry", entry, "--key", key]);
    assert_eq!(checked.status.code(), Some(0));
}

#[test]
fn a_folder_where_a_file_goes_and_a_file_where_a_folder_goes_are_wrong_arguments() {
    let book = Book::empty();
    let folder = book.path("folder");
    std::fs::create_dir(&folder).expect("made");
    let told = book.code(2, &["prove", "#0", "--out", &folder]);
    assert!(told.contains("cli.argument"), "{told}");
    let file = book.file("file", "");
    let told = book.code(2, &["prove", "#0", "--out", &format!("{file}/proof")]);
    assert!(told.contains("cli.argument"), "{told}");
    let told = refused(&["man", &file]);
    assert!(told.contains("cli.argument"), "{told}");
    assert!(!told.contains("disk"), "{told}");
}

#[test]
fn one_request_by_two_is_said_to_be_sealed_already() {
    let book = Book::empty();
    let open = |by| {
        [
            "account",
            "open",
            "till-eur",
            "--currency",
            "EUR",
            "--by",
            by,
        ]
    };
    book.yes(&open("ana"));
    let told = book.code(2, &open("bo"));
    assert!(told.contains("request.conflict"), "{told}");
    assert!(told.contains("by another requester"), "{told}");
    assert!(
        told.contains("`paygod entries --from 1 --count 1 --json`"),
        "{told}"
    );
    assert!(told.contains("new id for another request only"), "{told}");
}

#[test]
fn entries_of_an_account_that_never_was_are_no_empty_list() {
    let book = Book::empty();
    book.yes(&["account", "open", "till-eur", "--currency", "EUR"]);
    let told = book.yes(&["entries", "--account", "till-eur"]);
    assert!(told.contains("account-open:till-eur"), "{told}");
    for arguments in [
        &["entries", "--account", "nosuch"][..],
        &["balance", "nosuch"],
    ] {
        let told = book.code(2, arguments);
        assert!(told.contains("ledger.no-account"), "{told}");
    }
}

#[test]
fn what_is_no_book_and_what_is_no_backup_is_told_so() {
    let book = Book::empty();
    let file = book.file("file", "");
    for arguments in [
        &["--book", &file, "balance", "a"][..],
        &["--book", &file, "account", "open", "a", "--currency", "EUR"],
    ] {
        let told = refused(arguments);
        assert!(told.contains("store.not-a-book"), "{told}");
    }
    let export = book.path("export");
    book.yes(&["export", &export]);
    let to = book.path("restored");
    for from in [export, book.path("nosuch"), file] {
        let told = refused(&["restore", &from, "--book", &to]);
        assert!(told.contains("store.not-a-backup"), "{told}");
        assert!(told.contains(&from), "{told}");
    }
    assert!(!std::path::Path::new(&to).exists());
}

#[test]
fn a_book_that_lost_its_name_is_not_to_be_made_anew() {
    let book = Book::empty();
    std::fs::remove_file(book.path("book/BOOK")).expect("removed");
    for arguments in [
        &["balance", "a"][..],
        &["account", "open", "a", "--currency", "EUR"],
    ] {
        let told = book.code(2, arguments);
        assert!(told.contains("store.not-a-book"), "{told}");
        assert!(told.contains("`BOOK`") && told.contains("backup"), "{told}");
        assert!(!told.contains("paygod init"), "{told}");
    }
}

#[test]
fn a_threshold_is_of_the_keys_that_are_named() {
    let book = Book::empty();
    let out = book.path("roots.txt");
    for threshold in ["0", "2"] {
        let told = refused(&[
            "keys",
            "ceremony",
            "propose",
            "--origin",
            "a.test/b",
            "--threshold",
            threshold,
            "--out",
            &out,
            "nosuch.pub",
        ]);
        assert!(told.contains("between 1 and 1 keys"), "{told}");
    }
}

#[test]
fn a_passphrase_that_others_can_read_makes_no_key() {
    let book = Book::empty();
    book.file("passphrase", "a long enough sentence\n");
    let make = ["pack", "key", "--name", "packs.test", "--key", "packs.key"];
    let (code, told) = with_passphrase(&book, &make);
    assert_eq!(code, Some(2), "{told}");
    assert!(
        told.contains("keys.file") && told.contains("chmod 600"),
        "{told}"
    );
    assert!(!std::path::Path::new(&book.path("packs.key")).exists());
    for_owner_alone(&book.path("passphrase"));
    let (code, told) = with_passphrase(&book, &make);
    assert_eq!(code, Some(0), "{told}");
}

#[test]
fn a_signature_is_looked_for_where_it_was_written() {
    let book = Book::empty();
    book.secret("passphrase", "a long enough sentence\n");
    let says = |code: i32, arguments: &[&str]| {
        let (found, told) = with_passphrase(&book, arguments);
        assert_eq!(found, Some(code), "{arguments:?}\n{told}");
        told
    };
    let pack = shown(&repository().join("packs/core/payment-limits"));
    let verify = ["pack", "verify", &pack, "--publisher", "packs.key.pub"];
    says(
        0,
        &["pack", "key", "--name", "packs.test", "--key", "packs.key"],
    );
    let told = says(2, &verify);
    assert!(
        told.contains("payment-limits.sig` or `payment-limits-"),
        "{told}"
    );
    says(0, &["pack", "sign", &pack, "--key", "packs.key"]);
    says(0, &verify);
}

#[test]
fn a_folder_of_packs_is_named_where_one_pack_is_needed() {
    let book = Book::empty();
    let packs = shown(&repository().join("packs/core"));
    let told = book.code(2, &["pack", "activate", &packs]);
    assert!(told.contains("ledger.pack-folder"), "{told}");
    assert!(told.contains(&format!("`{packs}`")), "{told}");
    let told = refused(&["pack", "explain", &packs]);
    assert!(
        told.contains("--case") && told.contains("--input"),
        "{told}"
    );
}

#[test]
fn a_usage_error_for_programs_is_one_json_document() {
    for (arguments, named) in [
        (&["balance", "--json", "--bogus"][..], "--bogus"),
        (&["--json", "pay"], "pay"),
        (&["--json"], "command"),
        (&["verify", "--json", "--anchored-within", "soon"], "soon"),
    ] {
        let told = refused(arguments);
        let error: Value = serde_json::from_str(&told).expect("JSON");
        assert_eq!(error["error"]["code"], "cli.argument");
        let message = error["error"]["message"].as_str().expect("a message");
        assert!(message.contains(named), "{message}");
        assert!(
            !message.contains('\n') && !message.contains("Usage"),
            "{message}"
        );
    }
    let help = paygod(&["balance", "--json", "--help"]);
    assert_eq!(help.status.code(), Some(0));
    assert!(text(&help.stdout).contains("Usage:"));
}
