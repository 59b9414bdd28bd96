//! What people are shown, kept as snapshots. `SNAPSHOTS=overwrite cargo test -p paygod` writes them
//! anew; read the difference before committing it.

use crate::support::{Book, paygod, payments, shown, stable, text};
use snapbox::{assert_data_eq, file};

#[test]
fn a_judged_file_is_a_table_with_reasons() {
    let book = Book::ready();
    let told = book.code(1, &["submit", &payments(), "--by", "treasury"]);
    assert_data_eq!(stable(&told), file!["snapshots/submit.txt"].raw());
}

#[test]
fn an_explanation_tells_rule_facts_and_sources() {
    let book = Book::ready();
    book.code(1, &["submit", &payments(), "--by", "treasury"]);
    let told = book.yes(&["explain", "MUSTER-2026-11-25/SUPPLIERS-EUR/INV-8004"]);
    assert_data_eq!(stable(&told), file!["snapshots/explain.txt"].raw());
}

#[test]
fn accounts_packs_and_entries_are_tables() {
    let book = Book::ready();
    let told = [
        book.yes(&["account", "list"]),
        book.yes(&["account", "show", "muster-handels-chf"]),
        book.yes(&["pack", "list"]),
        book.yes(&["list", "show"]),
        book.yes(&["list", "show", "ofac-sdn", "--count", "2"]),
        book.yes(&["entries"]),
    ];
    assert_data_eq!(
        stable(&told.join("\n")),
        file!["snapshots/tables.txt"].raw()
    );
}

#[test]
fn a_file_with_mistakes_is_told_where_they_are() {
    let book = Book::ready();
    let good = std::fs::read_to_string(payments()).expect("the example");
    let bad = good
        .replace("CH8000762020000000101", "CH8100762020000000101")
        .replace("Ccy=\"CHF\">412.35", "Ccy=\"CHF\">412.350");
    let output = book.run(&["submit", &book.file("bad.xml", &bad)]);
    let told = format!("{}\n{}", text(&output.stdout), text(&output.stderr));
    assert_data_eq!(stable(&told), file!["snapshots/submit_refused.txt"].raw());
}

#[test]
fn verifying_tells_what_was_checked_or_what_is_wrong() {
    let book = Book::ready();
    let export = book.path("export");
    book.yes(&["export", &export]);
    let mut told = text(&paygod(&["verify", &export]).stdout);
    let bundles = std::path::Path::new(&export).join("tile/entries/000.p");
    let bundle = std::fs::read_dir(bundles)
        .expect("bundles")
        .next()
        .expect("one")
        .expect("read");
    let mut bytes = std::fs::read(bundle.path()).expect("the bundle");
    let at = bytes
        .windows(10)
        .position(|window| window == b"\"10000.00\"")
        .expect("an amount");
    bytes[at + 1] = b'9';
    std::fs::write(bundle.path(), bytes).expect("written");
    told.push('\n');
    told.push_str(&text(&paygod(&["verify", &export]).stdout));
    // How many checkpoints were published depends on how long the commands took.
    let told: Vec<&str> = told
        .lines()
        .filter(|line| !line.contains("signed checkpoints"))
        .collect();
    assert_data_eq!(
        stable(&told.join("\n")),
        file!["snapshots/verify.txt"].raw()
    );
}

#[test]
fn a_faulty_pack_is_told_line_and_column() {
    let folder = tempfile::tempdir().expect("a folder");
    let pack = folder.path().join("pack");
    std::fs::create_dir_all(pack.join("tests")).expect("made");
    let core = crate::support::repository().join("packs/core/payment-limits");
    let manifest = std::fs::read_to_string(core.join("pack.yaml")).expect("the pack");
    let manifest = manifest.replace("payment.amount > money", "payment.amonut > money");
    std::fs::write(pack.join("pack.yaml"), manifest).expect("written");
    std::fs::copy(core.join("tests/cases.yaml"), pack.join("tests/cases.yaml")).expect("copied");
    let output = paygod(&["pack", "check", &shown(&pack)]);
    assert_eq!(output.status.code(), Some(1));
    let told = text(&output.stdout).replace(&shown(folder.path()), "[folder]");
    assert_data_eq!(told, file!["snapshots/pack_faulty.txt"].raw());
}
