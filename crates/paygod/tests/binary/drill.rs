//! Every known attack, on the drill's own book and on somebody's.

use crate::support::{Book, paygod, text};
use serde_json::Value;
use snapbox::{assert_data_eq, file};
use std::collections::BTreeMap;
use std::path::Path;

fn drilled(arguments: &[&str], code: i32) -> Value {
    let output = paygod(arguments);
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{out}\n{err}");
    serde_json::from_str(&out).expect("JSON")
}

fn word<'a>(of: &'a Value, key: &str) -> &'a str {
    of[key].as_str().unwrap_or("")
}

/// One line an attack: what became of it, by which check, and what was kept.
fn lines(report: &Value) -> String {
    let attacks = report["attacks"].as_array().expect("attacks");
    let line = |attack: &Value| {
        let [name, outcome, check, kept] =
            ["attack", "outcome", "check", "kept"].map(|key| word(attack, key));
        format!("{name} | {outcome} | {check} | {kept}\n")
    };
    attacks.iter().map(line).collect()
}

#[test]
fn every_attack_on_the_drills_own_book_goes_as_it_must() {
    let report = drilled(&["drill", "--json"], 0);
    assert_eq!(report["unexpected"], 0);
    assert_eq!(report["skipped"], 0, "{}", lines(&report));
    let attacks = report["attacks"].as_array().expect("attacks");
    for attack in attacks {
        let story = word(attack, "story");
        assert!(story.len() <= 90 && !story.ends_with('.'), "{story}");
        let caught = word(attack, "outcome") == "caught";
        assert_eq!(caught, !word(attack, "at").is_empty(), "{attack}");
        if word(attack, "outcome") == "not caught" {
            assert!(!word(attack, "why").is_empty() && !word(attack, "needs").is_empty());
        }
    }
    assert_data_eq!(lines(&report), file!["snapshots/drill.txt"].raw());
}

#[test]
fn a_book_that_is_named_is_drilled_on_a_copy_and_stays_as_it_was() {
    let book = Book::ready();
    // Some of the payments are denied.
    book.code(1, &["submit", &crate::support::payments()]);
    let before = files(&book.folder.path().join("book"));
    let named = book.path("book");
    let report = drilled(&["drill", "--json", "--book", &named], 0);
    assert_eq!(report["unexpected"], 0, "{}", lines(&report));
    assert!(report["caught"].as_u64() > Some(60), "{}", lines(&report));
    assert!(
        before == files(&book.folder.path().join("book")),
        "the book was touched"
    );
}

#[test]
fn one_attack_can_be_chosen_and_what_is_left_of_it_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let to = folder.path().join("kept");
    let to = to.to_str().expect("UTF-8");
    let report = drilled(
        &["drill", "--json", "--only", "bit-flipped", "--dir", to],
        0,
    );
    assert_eq!(report["attacks"].as_array().map(Vec::len), Some(1));
    let export = format!("{to}/bit-flipped");
    let verified = paygod(&["verify", &export]);
    assert_eq!(verified.status.code(), Some(1));
    assert!(
        text(&verified.stdout).contains("verify.tile"),
        "{}",
        text(&verified.stdout)
    );
}

#[test]
fn an_attack_that_nobody_knows_is_a_usage_error() {
    let output = paygod(&["drill", "--only", "teleport"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("`teleport`"));
}

/// Every file of a folder and its bytes.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            let name = path.to_str().expect("UTF-8").to_owned();
            found.insert(name, std::fs::read(&path).expect("readable"));
        }
    }
    found
}
