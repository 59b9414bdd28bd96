//! Sealed history decided once more, shadow packs, and who signs them.

use crate::support::{Book, payments, repository, shown, text};
use std::process::{Command, Output};

fn core(pack: &str) -> String {
    shown(&repository().join("packs/core").join(pack))
}

/// A book with the month end in it.
fn paid() -> Book {
    let book = Book::ready();
    book.code(1, &["submit", &payments(), "--by", "treasury"]);
    book
}

/// `payment-limits` 2.0.0, which denies where 1.0.0 has a review, from 5,000 on.
fn stricter(book: &Book) -> String {
    changed(book, |manifest| {
        manifest.replace("decision: review", "decision: deny")
    })
}

/// `payment-limits` 2.0.0, changed.
fn changed(book: &Book, change: impl FnOnce(String) -> String) -> String {
    let to = book.folder.path().join("changed");
    std::fs::create_dir_all(to.join("tests")).expect("made");
    for file in ["pack.yaml", "README.md", "tests/cases.yaml"] {
        let from = repository().join("packs/core/payment-limits").join(file);
        std::fs::copy(from, to.join(file)).expect("copied");
    }
    let manifest = std::fs::read_to_string(to.join("pack.yaml")).expect("read");
    let changed = change(manifest.replace("version: 1.0.0", "version: 2.0.0"));
    assert_ne!(changed, manifest);
    std::fs::write(to.join("pack.yaml"), changed).expect("written");
    shown(&to)
}

#[test]
fn a_shadow_is_held_to_its_own_packs_not_to_those_in_force() {
    let book = paid();
    let report = |pack: &str| {
        let told = book.value(&["pack", "replay", "--with", pack]);
        told["report"]["shadow"].clone()
    };
    // Another version of the same rules decides the same, a pack more says what it says.
    let renamed = changed(&book, |manifest| manifest);
    assert_eq!(report(&renamed)["changed"], 0, "{}", report(&renamed));
    let four_eyes = report(&core("four-eyes"));
    assert_ne!(four_eyes["judged"], 0);
    assert!(
        !four_eyes.to_string().contains("inconsistent-judgement"),
        "{four_eyes}"
    );
}

/// Runs the command with the passphrase of `packs.key` in a file.
fn with_key(book: &Book, arguments: &[&str]) -> Output {
    let passphrase = book.secret("passphrase", "correct horse battery staple\n");
    let folder = book.path("book");
    Command::new(env!("CARGO_BIN_EXE_paygod"))
        .args(["--book", folder.as_str()])
        .args(arguments)
        .env("PAYGOD_PASSPHRASE_FILE", passphrase)
        .env("NO_COLOR", "1")
        .env("COLUMNS", "100")
        .output()
        .expect("the binary runs")
}

/// Makes a publisher's key; its file.
fn publisher(book: &Book) -> String {
    let key = book.path("packs.key");
    let made = with_key(
        book,
        &["pack", "key", "--name", "packs.example", "--key", &key],
    );
    assert!(made.status.success(), "{}", text(&made.stderr));
    key
}

#[test]
fn history_comes_out_the_same_to_the_byte() {
    let book = paid();
    let told = book.value(&["pack", "replay"]);
    let report = &told["report"];
    assert_eq!(told["reproduces"], true);
    assert_eq!(report["judged"], 14);
    assert_eq!(report["same"], 14);
    assert_eq!(report["erased"]["count"], 0);
    assert_eq!(report["log"]["size"], book.value(&["checkpoint"])["size"]);
    let told = book.yes(&["pack", "replay"]);
    assert!(
        told.contains("14 of 14 decisions came out the same to the byte"),
        "{told}"
    );
}

#[test]
fn different_creditors_and_approvals_are_counted_over_sealed_history() {
    let book = Book::empty();
    for account in ["main", "supplier"] {
        book.yes(&["account", "open", account, "--currency", "EUR"]);
    }
    let packs = [core("velocity-guard"), core("four-eyes")];
    let activate = ["pack", "activate", &packs[0], &packs[1], "--by", "ana"];
    let told = text(&book.run(&activate).stderr);
    assert!(
        told.contains("`velocity-guard` looks back up to 1d"),
        "{told}"
    );
    assert!(!told.contains("four-eyes"), "{told}");
    let line = |id: &str, amount: &str, creditor: usize| {
        format!(
            r#"{{"by":"treasury","id":"{id}","transfer":{{"transfers":[{{"amount":"{amount}","credit":"supplier","currency":"EUR","debit":"main","payment":{{"creditor":{{"account":"A{creditor}","name":"n"}}}}}}]}}}}"#
        ) + "\n"
    };
    // Ten payments to nine creditors, each judged in a process of its own or together with others.
    let mut lines = String::new();
    for nth in 0..9 {
        lines.push_str(&line(&format!("p{nth}"), "1.00", nth));
    }
    book.yes(&["submit", &book.file("nine.jsonl", &lines)]);
    book.yes(&[
        "submit",
        &book.file("again.jsonl", &line("again", "1.00", 3)),
    ]);
    book.yes(&[
        "submit",
        &book.file("tenth.jsonl", &line("tenth", "1.00", 9)),
    ]);
    let held = book.json(
        0,
        &["submit", &book.file("held.jsonl", &line("held", "1.00", 3))],
    );
    assert_eq!(held[0]["verdict"], "review", "{held:?}");
    // Above ten times the threshold three others agree.
    let large = book.file("large.jsonl", &line("large", "250000.01", 3));
    assert_eq!(book.json(0, &["submit", &large])[0]["verdict"], "review");
    for (by, balance) in [("bo", "11.00"), ("cy", "11.00"), ("di", "250011.01")] {
        book.yes(&["approve", "large", "--by", by]);
        assert_eq!(book.balance("supplier"), balance);
    }
    let told = book.yes(&["explain", "held"]);
    assert!(told.contains("window_distinct = 10"), "{told}");
    assert_eq!(book.value(&["explain", "held"])["replay"], "same");
    let report = book.value(&["pack", "replay"])["report"].clone();
    assert_eq!(
        (&report["judged"], &report["same"]),
        (&13.into(), &13.into())
    );
    let export = book.path("export");
    book.yes(&["export", &export]);
    book.yes(&["verify", &export]);
}

#[test]
fn erased_inputs_are_named_and_not_guessed() {
    let book = paid();
    let first = book.json(1, &["submit", &payments(), "--by", "treasury"]);
    let id = first[0]["id"].as_str().expect("an id").to_owned();
    book.yes(&["erase", &id, "--by", "ana", "--yes"]);
    let report = book.value(&["pack", "replay"])["report"].clone();
    assert_eq!(
        (&report["judged"], &report["same"]),
        (&14.into(), &13.into())
    );
    assert_eq!(report["erased"]["listed"][0]["id"], id.as_str());
}

#[test]
fn a_shadow_pack_shows_which_verdicts_change_and_the_money() {
    let book = paid();
    let pack = stricter(&book);
    let before = book.value(&["checkpoint"])["size"].clone();
    let report = book.value(&["pack", "replay", "--with", &pack])["report"].clone();
    let shadow = &report["shadow"];
    assert_eq!(shadow["changed"], 1, "{shadow}");
    let change = &shadow["changes"][0];
    assert!(
        change["id"].as_str().expect("an id").ends_with("INV-4712"),
        "{change}"
    );
    assert_eq!(
        (&change["before"], &change["after"]),
        (&"review".into(), &"deny".into())
    );
    assert_eq!(shadow["rules"][0]["rule"], "above-review-threshold");
    assert_eq!(shadow["rules"][0]["money"], change["money"]);
    let told = book.yes(&["pack", "replay", "--with", &pack]);
    assert!(
        told.contains("With payment-limits 2.0.0, verdicts that change: 1"),
        "{told}"
    );
    // A pack that is active already changes nothing, and neither does looking.
    let same = book.value(&["pack", "replay", "--with", &core("payment-limits")]);
    assert_eq!(same["report"]["shadow"]["changed"], 0, "{same}");
    assert_eq!(book.value(&["checkpoint"])["size"], before);
}

#[test]
fn a_report_is_signed_checked_and_made_again() {
    let book = paid();
    let (pack, key, report) = (stricter(&book), publisher(&book), book.path("report.json"));
    let made = with_key(
        &book,
        &[
            "pack", "replay", "--with", &pack, "--out", &report, "--key", &key,
        ],
    );
    assert!(made.status.success(), "{}", text(&made.stderr));
    let public = format!("{key}.pub");
    let told = book.yes(&["pack", "verify", &report, "--publisher", &public]);
    assert!(told.contains("a replay of"), "{told}");
    // The log goes on; the report stays what it was.
    book.yes(&["account", "open", "later", "--currency", "EUR"]);
    let again = [
        "pack",
        "replay",
        "--with",
        pack.as_str(),
        "--check",
        report.as_str(),
    ];
    assert!(
        book.yes(&again)
            .contains("the report is what this book gives")
    );

    let written = std::fs::read_to_string(&report).expect("read");
    let forged = written.replace("\"changed\":1", "\"changed\":0");
    assert_ne!(forged, written);
    std::fs::write(&report, forged).expect("written");
    let told = text(
        &book
            .run(&["pack", "verify", &report, "--publisher", &public])
            .stderr,
    );
    assert!(told.contains("pack.signature"), "{told}");
    assert!(book.code(1, &again).contains("is NOT what this book gives"));
    std::fs::write(&report, "{}").expect("written");
    assert!(book.code(2, &again).contains("pack.report"));
}

#[test]
fn a_pack_is_signed_by_its_publisher_and_by_nobody_else() {
    let book = Book::empty();
    let (key, signature) = (publisher(&book), book.path("limits.sig"));
    let (pack, public) = (core("payment-limits"), format!("{key}.pub"));
    let signed = with_key(
        &book,
        &["pack", "sign", &pack, "--key", &key, "--out", &signature],
    );
    assert!(signed.status.success(), "{}", text(&signed.stderr));
    let note = std::fs::read_to_string(&signature).expect("read");
    assert!(
        note.starts_with("paygod/v1 pack\npayment-limits\n1.0.0\n"),
        "{note}"
    );
    book.yes(&[
        "pack",
        "verify",
        &pack,
        "--publisher",
        &public,
        "--signature",
        &signature,
    ]);

    let refused = |pack: &str, public: &str, code: i32, expected: &str| {
        let output = book.run(&[
            "pack",
            "verify",
            pack,
            "--publisher",
            public,
            "--signature",
            &signature,
        ]);
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{told}");
        assert!(told.contains(expected), "{told}");
    };
    // Another pack, another version of the pack, another publisher, a `.pub` that is none, a note changed.
    refused(&core("duplicate-payment"), &public, 1, "pack.signature");
    refused(&stricter(&book), &public, 1, "pack.signature");
    let other = book.path("other.key");
    let made = with_key(
        &book,
        &["pack", "key", "--name", "other.example", "--key", &other],
    );
    assert!(made.status.success(), "{}", text(&made.stderr));
    refused(&pack, &format!("{other}.pub"), 1, "other.example");
    refused(&pack, &signature, 2, "keys.document");
    std::fs::write(&signature, "not a note").expect("written");
    refused(&pack, &public, 2, "pack.signature-form");
}

#[test]
fn a_book_takes_only_packs_of_its_level_and_seals_who_vouched() {
    let book = Book::empty();
    let (key, signature) = (publisher(&book), book.path("limits.sig"));
    let (pack, public) = (core("payment-limits"), format!("verified={key}.pub"));
    let signed = with_key(
        &book,
        &["pack", "sign", &pack, "--key", &key, "--out", &signature],
    );
    assert!(signed.status.success(), "{}", text(&signed.stderr));
    let refused = |arguments: &[&str], code: i32, expected: &str| {
        let output = book.run(arguments);
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{told}");
        assert!(told.contains(expected), "{told}");
    };
    // Nobody is known yet.
    let activate = [
        "pack",
        "activate",
        &pack,
        "--signature",
        &signature,
        "--by",
        "ana",
    ];
    refused(&activate, 1, "pack.signature");
    refused(&["pack", "trust", "--level", "gold"], 2, "cli.argument");
    refused(
        &[
            "pack",
            "trust",
            "--level",
            "verified",
            "--publisher",
            "verified",
        ],
        2,
        "cli.argument",
    );
    book.yes(&[
        "pack",
        "trust",
        "--level",
        "verified",
        "--publisher",
        &public,
        "--by",
        "ana",
    ]);
    assert_eq!(book.value(&["pack", "trust"])["level"], "verified");
    refused(&["pack", "activate", &pack, "--by", "ana"], 1, "pack.level");
    let other = core("duplicate-payment");
    refused(
        &["pack", "activate", &other, "--signature", &signature],
        1,
        "pack.signature",
    );
    book.yes(&activate);
    // A list beside it, and the pack keeps its signature.
    let ofac = repository().join("examples/lists/ofac/sdn.csv");
    book.yes(&[
        "list",
        "import",
        &shown(&ofac),
        "--list-version",
        "s",
        "--activate",
        "--by",
        "ana",
    ]);
    let history = &book.json(0, &["pack", "history", "payment-limits"])[0];
    assert_eq!(history.as_array().map(Vec::len), Some(1), "{history}");
    assert_eq!(
        (&history[0]["stage"], &history[0]["level"]),
        (&"activated".into(), &"verified".into())
    );

    let export = book.path("export");
    let fingerprint = book.value(&["export", &export])["fingerprint"].clone();
    let genesis = fingerprint.as_str().expect("a fingerprint");
    book.yes(&["verify", &export, "--genesis", genesis]);
    book.yes(&["pack", "replay"]);
}

#[test]
fn the_life_of_a_pack_is_sealed_step_by_step() {
    let book = Book::empty();
    let pack = core("payment-limits");
    let step = |stage: &str, by: &str| book.run(&["pack", "stage", &pack, stage, "--by", by]);
    let refused = |output: Output, code: i32, expected: &str| {
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{told}");
        assert!(told.contains(expected), "{told}");
    };
    book.yes(&[
        "pack",
        "trust",
        "--level",
        "community",
        "--approved",
        "--by",
        "ana",
    ]);
    let activate = ["pack", "activate", &pack, "--by", "ana"];
    refused(book.run(&activate), 1, "pack.stage");
    refused(step("approved", "bo"), 1, "pack.stage");
    refused(step("shipped", "bo"), 2, "cli.argument");
    for (stage, by) in [
        ("draft", "ana"),
        ("reviewed", "bo"),
        ("approved", "bo"),
        ("published", "ana"),
    ] {
        if stage == "reviewed" {
            refused(step(stage, "ana"), 1, "pack.own-review");
        }
        let told = step(stage, by);
        assert!(told.status.success(), "{}", text(&told.stderr));
    }
    book.yes(&activate);
    book.yes(&["pack", "retire", "payment-limits", "--by", "bo"]);
    refused(
        book.run(&["pack", "retire", "payment-limits"]),
        2,
        "cli.argument",
    );
    refused(
        book.run(&["pack", "history", "nobody"]),
        2,
        "ledger.no-request",
    );
    let history = &book.json(0, &["pack", "history", "payment-limits"])[0];
    let stages: Vec<&str> = history
        .as_array()
        .expect("steps")
        .iter()
        .map(|step| step["stage"].as_str().expect("a stage"))
        .collect();
    assert_eq!(
        stages,
        [
            "draft",
            "reviewed",
            "approved",
            "published",
            "activated",
            "retired"
        ]
    );
}
