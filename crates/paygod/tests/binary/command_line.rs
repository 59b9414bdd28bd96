//! What the command line says, kept as snapshots. `SNAPSHOTS=overwrite cargo test -p paygod` writes
//! them anew; read the difference before committing it.

use crate::support::{paygod, text};
use snapbox::{assert_data_eq, file};

fn stdout(arguments: &[&str]) -> String {
    let output = paygod(arguments);
    assert!(
        output.status.success(),
        "{arguments:?}: {:?}",
        output.status
    );
    text(&output.stdout)
}

#[test]
fn help_groups_the_commands() {
    assert_data_eq!(stdout(&["--help"]), file!["snapshots/help.txt"].raw());
}

#[test]
fn help_is_a_command_too() {
    for (asked, plain) in [
        (&["help"][..], &["--help"][..]),
        (&["help", "submit"], &["submit", "--help"]),
        (&["help", "pack", "sign"], &["pack", "sign", "--help"]),
    ] {
        assert_eq!(stdout(asked), stdout(plain), "{asked:?}");
    }
}

#[test]
fn help_of_submit_tells_the_order_of_things() {
    assert_data_eq!(
        stdout(&["submit", "--help"]),
        file!["snapshots/help_submit.txt"].raw()
    );
}

#[test]
fn help_of_verify_tells_what_to_keep() {
    assert_data_eq!(
        stdout(&["verify", "--help"]),
        file!["snapshots/help_verify.txt"].raw()
    );
}

#[test]
fn a_missing_book_is_a_usage_error_with_a_remedy() {
    let output = paygod(&["balance", "acme-eur"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(text(&output.stdout), "");
    let told = text(&output.stderr);
    assert!(told.starts_with("error [cli.no-book] "), "{told}");
    assert!(
        told.contains("next: pass `--book DIR`, or set PAYGOD_BOOK"),
        "{told}"
    );
}

#[test]
fn an_error_for_programs_is_one_json_document() {
    let output = paygod(&["balance", "acme-eur", "--json"]);
    assert_eq!(output.status.code(), Some(2));
    let error: serde_json::Value = serde_json::from_slice(&output.stderr).expect("JSON");
    assert_eq!(error["error"]["code"], "cli.no-book");
    assert_eq!(error["error"]["retryable"], false);
}

#[test]
fn without_a_command_the_help_is_shown_whatever_the_environment_says() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_paygod"))
        .env("PAYGOD_BOOK", "./book")
        .env("NO_COLOR", "1")
        .output()
        .expect("the binary runs");
    assert_eq!(output.status.code(), Some(2));
    let help = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(help.contains("Usage:") && help.contains("demo"), "{help}");
}

#[test]
fn an_unknown_command_is_a_usage_error() {
    assert_eq!(paygod(&["pay"]).status.code(), Some(2));
    assert_eq!(paygod(&["balance"]).status.code(), Some(2));
}

#[test]
fn completions_know_every_command() {
    for shell in ["bash", "zsh", "fish"] {
        let script = stdout(&["completions", shell]);
        for command in ["submit", "verify", "drill", "freeze"] {
            assert!(script.contains(command), "{shell}: {command}");
        }
    }
}

#[test]
fn manual_pages_carry_the_examples() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().to_str().expect("UTF-8");
    stdout(&["man", path]);
    let page = std::fs::read_to_string(folder.path().join("paygod-submit.1")).expect("a page");
    assert!(page.contains("paygod submit payments.xml"), "{page}");
}
