//! What somebody else filled, given to `verify`: nothing waits forever, nothing is left unchecked in silence, and
//! nothing of it commands the terminal.

use crate::support::{Book, paygod, repository, shown, text};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// An export, and the folder that it lies in.
fn exported() -> (Book, PathBuf) {
    let book = Book::ready();
    let to = book.folder.path().join("export");
    book.code(0, &["export", &shown(&to)]);
    (book, to)
}

fn pipe(path: &Path) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    let made = Command::new("mkfifo").arg(path).status();
    assert!(made.expect("mkfifo").success());
}

fn verified(folder: &Path) -> Output {
    paygod(&["verify", &shown(folder)])
}

#[track_caller]
fn refused(folder: &Path, code: i32, words: &str) {
    let output = verified(folder);
    let told = format!("{}{}", text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{told}");
    assert!(told.contains(words), "{told}");
}

#[test]
fn a_pipe_in_the_place_of_a_proof_is_not_waited_for() {
    let (_book, export) = exported();
    pipe(&export.join("anchors/1.ots"));
    refused(&export, 2, "no plain file");
}

#[test]
fn a_runs_folder_with_pipes_links_or_depth_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let core = |path: &str| shown(&repository().join("packs/core").join(path));
    let run = |name: &str| {
        let out = folder.path().join(name);
        let output = paygod(&[
            "run",
            "--pack",
            &core("sbom-required"),
            "--input",
            &core("sbom-required/tests/reports/spdx.json"),
            "--out",
            &shown(&out),
            "--clock",
            "2026-11-25T08:00:00Z",
        ]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        out
    };
    let piped = run("piped");
    pipe(&piped.join("evidence/pipe"));
    refused(&piped, 2, "neither a file nor a folder");
    let linked = run("linked");
    symlink("..", linked.join("evidence/round")).expect("a link");
    refused(&linked, 2, "neither a file nor a folder");
    let deep = run("deep");
    fs::create_dir_all(deep.join("evidence/a/b/c/d/e")).expect("made");
    refused(&deep, 2, "too deep");
}

#[test]
fn a_folder_that_is_both_a_book_and_an_export_is_neither() {
    let (book, export) = exported();
    let both = book.folder.path().join("book");
    fs::create_dir_all(both.join("tile/entries")).expect("made");
    refused(&both, 2, "both a book and an export");
    fs::create_dir_all(export.join("segments")).expect("made");
    refused(&export, 2, "both a book and an export");
}

#[test]
fn a_blob_that_nothing_names_is_what_its_name_says_all_the_same() {
    let (_book, export) = exported();
    assert_eq!(verified(&export).status.code(), Some(0));
    fs::create_dir_all(export.join("blobs")).expect("made");
    fs::write(export.join("blobs").join("ab".repeat(32)), "others").expect("written");
    refused(&export, 1, "verify.blob");
}

#[test]
fn a_name_in_a_checkpoint_does_not_command_the_terminal() {
    let (_book, export) = exported();
    let path = export.join("checkpoint");
    let note = fs::read_to_string(&path).expect("read");
    let (line, _) = note.rsplit_once("\u{2014} ").expect("a signature");
    let key = note.rsplit(' ').next().expect("a signature");
    let forged = format!("{line}\u{2014} evil\u{9b}2J\u{202e}name {key}");
    fs::write(&path, forged).expect("written");
    let output = verified(&export);
    let told = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("evil\\u{9b}2J\\u{202e}name"), "{told}");
    assert!(
        !told.contains('\u{9b}') && !told.contains('\u{202e}'),
        "{told}"
    );
}
