//! The tools for packs, as people and CI run them.

use crate::support::{Book, paygod, repository, shown, text};
use snapbox::{assert_data_eq, file};
use std::path::{Path, PathBuf};

fn core(pack: &str) -> String {
    shown(&repository().join("packs/core").join(pack))
}

fn says(code: i32, arguments: &[&str]) -> String {
    let output = paygod(arguments);
    let told = format!("{}{}", text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{told}");
    told
}

/// A copy of a pack to spoil.
fn copy(pack: &str, to: &Path) -> PathBuf {
    let from = repository().join("packs/core").join(pack);
    let to = to.join(pack);
    std::fs::create_dir_all(to.join("tests")).expect("made");
    for file in ["pack.yaml", "README.md", "tests/cases.yaml"] {
        std::fs::copy(from.join(file), to.join(file)).expect("copied");
    }
    to
}

fn replace(path: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(path).expect("read");
    assert!(text.contains(from), "{from}");
    std::fs::write(path, text.replace(from, to)).expect("written");
}

#[test]
fn a_new_pack_passes_its_own_checks() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = shown(folder.path());
    says(0, &["pack", "new", "card-limits", "--dir", &dir]);
    let pack = shown(&folder.path().join("card-limits"));
    says(0, &["pack", "check", &pack]);
    says(0, &["pack", "lint", &pack]);
    says(0, &["pack", "test", &pack, "--min-coverage", "100"]);
    // A second one of the name does not write over the first.
    let told = says(2, &["pack", "new", "card-limits", "--dir", &dir]);
    assert!(told.contains("cli.folder-in-use"), "{told}");
}

#[test]
fn a_folder_of_packs_stands_for_every_pack_but_drafts() {
    let folder = tempfile::tempdir().expect("a folder");
    copy("payment-limits", folder.path());
    copy("duplicate-payment", &folder.path().join("_drafts"));
    let told = says(0, &["pack", "test", &shown(folder.path())]);
    assert!(told.contains("payment-limits"), "{told}");
    assert!(!told.contains("duplicate-payment"), "{told}");
}

#[test]
fn a_failed_case_is_told_line_by_line_and_in_junit() {
    let folder = tempfile::tempdir().expect("a folder");
    let pack = copy("payment-limits", folder.path());
    replace(
        &pack.join("tests/cases.yaml"),
        "expect: { decision: review, rules: [above-review-threshold] }",
        "expect: { decision: allow, rules: [within-limit] }",
    );
    let junit = folder.path().join("out/packs.xml");
    let told = says(
        1,
        &["pack", "test", &shown(&pack), "--junit", &shown(&junit)],
    );
    assert_data_eq!(told, file!["snapshots/pack_test.txt"].raw());
    let junit = std::fs::read_to_string(junit).expect("the report");
    assert!(
        junit.contains("<testcase name=\"a-cent-more-is-reviewed\""),
        "{junit}"
    );
    assert!(junit.contains("expected allow, found review"), "{junit}");
}

#[test]
fn too_little_coverage_is_a_no() {
    let folder = tempfile::tempdir().expect("a folder");
    let pack = copy("payment-limits", folder.path());
    replace(
        &pack.join("pack.yaml"),
        "        decision: deny\n        reason: no limit",
        "          || payment.debit == \"never\"\n        decision: deny\n        reason: no limit",
    );
    replace(
        &pack.join("pack.yaml"),
        "condition: '!(payment.currency in [\"CHF\", \"EUR\", \"GBP\", \"USD\"])'",
        "condition: >-\n          !(payment.currency in [\"CHF\", \"EUR\", \"GBP\", \"USD\"])",
    );
    says(0, &["pack", "test", &shown(&pack)]);
    let told = says(
        1,
        &[
            "pack",
            "test",
            &shown(&pack),
            "--min-coverage",
            "100",
            "--uncovered",
        ],
    );
    assert!(
        told.contains("never true in currency-without-limit: payment.debit == \"never\""),
        "{told}"
    );
    assert!(
        told.contains("100 % of rules and of branches must be covered"),
        "{told}"
    );
}

#[test]
fn an_explanation_is_a_tree() {
    let told = says(
        0,
        &[
            "pack",
            "explain",
            &core("sanctions-screening"),
            "--case",
            "a-listed-creditor-is-denied",
        ],
    );
    assert_data_eq!(told, file!["snapshots/pack_explain.txt"].raw());
    let told = says(
        2,
        &[
            "pack",
            "explain",
            &core("sanctions-screening"),
            "--case",
            "nobody",
        ],
    );
    assert!(
        told.contains("name one of: an-unlisted-creditor-is-allowed"),
        "{told}"
    );
}

#[test]
fn an_archive_has_the_same_bytes_wherever_it_is_built() {
    let folder = tempfile::tempdir().expect("a folder");
    let moved = copy("payment-limits", &folder.path().join("elsewhere"));
    let (one, two) = (folder.path().join("one"), folder.path().join("two"));
    says(
        0,
        &[
            "pack",
            "build",
            &core("payment-limits"),
            "--out",
            &shown(&one),
        ],
    );
    says(0, &["pack", "build", &shown(&moved), "--out", &shown(&two)]);
    let bytes = std::fs::read(&one).expect("built");
    assert_eq!(bytes, std::fs::read(&two).expect("built"));
    // And is a pack wherever a pack is asked for.
    says(0, &["pack", "test", &shown(&one)]);
    says(0, &["pack", "diff", &shown(&one), &core("payment-limits")]);
    std::fs::write(&two, [bytes.as_slice(), b"\n"].concat()).expect("written");
    says(1, &["pack", "check", &shown(&two)]);
}

#[test]
fn a_difference_between_packs_is_told_with_the_cases_that_turn() {
    let folder = tempfile::tempdir().expect("a folder");
    let pack = copy("payment-limits", folder.path());
    replace(
        &pack.join("pack.yaml"),
        "money(\"50000.00\", \"EUR\")",
        "money(\"40000.00\", \"EUR\")",
    );
    let told = says(1, &["pack", "diff", &core("payment-limits"), &shown(&pack)]);
    assert!(told.contains("rule above-limit: condition"), "{told}");
    assert!(told.contains("case the-limit-itself-is-reviewed"), "{told}");
}

#[test]
fn a_list_that_was_in_force_before_can_be_again() {
    let book = Book::ready();
    let list = shown(&repository().join("examples/lists/ofac/sdn.csv"));
    let activate = |version: &str| {
        let import = [
            "list",
            "import",
            &list,
            "--list-version",
            version,
            "--activate",
        ];
        book.yes(&[&import[..], &["--by", "ana"]].concat());
        book.value(&["pack", "list"])["lists"][0]["version"].clone()
    };
    for version in ["one", "two", "one", "one", "two"] {
        assert_eq!(activate(version), version);
    }
}

#[test]
fn of_two_versions_of_a_list_none_is_picked_unasked() {
    let book = Book::ready();
    let list = repository().join("examples/lists/ofac/sdn.csv");
    book.yes(&[
        "list",
        "import",
        &shown(&list),
        "--list-version",
        "a-newer-one",
    ]);
    // What a version holds does not change under its name.
    let names = std::fs::read_to_string(&list).expect("read");
    let other = book.file(
        "other.csv",
        &names.replace("AEROCARIBBEAN", "AEROCARIBBEANS"),
    );
    let taken = ["list", "import", &other, "--list-version", "sample"];
    let taken = book.code(2, &taken);
    assert!(taken.contains("ledger.list-taken"), "{taken}");
    let pack = shown(&repository().join("packs/core/sanctions-screening"));
    let refused = book.code(2, &["pack", "activate", &pack, "--by", "ana"]);
    assert!(refused.contains("ledger.list-versions"), "{refused}");
    assert!(refused.contains("`a-newer-one`, `sample`"), "{refused}");
    let chosen = [
        "pack",
        "activate",
        &pack,
        "--by",
        "ana",
        "--list",
        "ofac-sdn=a-newer-one",
    ];
    book.yes(&chosen);
}
