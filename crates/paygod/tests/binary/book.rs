//! The command on a real book, from a bank's file to a proof, as people and scripts use it.

use crate::support::{Book, paygod, payments, repository, shown, text};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

#[test]
fn a_payment_file_is_judged_posted_and_sealed_once() {
    let book = Book::ready();
    let first = book.json(1, &["submit", &payments(), "--by", "treasury"]);
    assert_eq!(first.len(), 12);
    let verdicts: BTreeMap<&str, &str> = first
        .iter()
        .map(|value| {
            let id = value["id"]
                .as_str()
                .expect("an id")
                .rsplit('/')
                .next()
                .expect("a name");
            (id, value["verdict"].as_str().expect("a verdict"))
        })
        .collect();
    assert_eq!(verdicts["INV-4712"], "review");
    for (name, expected) in [
        ("INV-4713", "deny"),
        ("INV-8003", "deny"),
        ("INV-8004", "deny"),
        ("SAL-0001", "allow"),
    ] {
        assert_eq!(verdicts[name], expected, "{name}");
    }
    assert_eq!(book.balance("muster-handels-eur"), "5244.50");
    assert_eq!(book.balance("muster-personaldienste-chf"), "8450.00");

    let again = book.json(1, &["submit", &payments(), "--by", "treasury"]);
    for (first, again) in first.iter().zip(&again) {
        assert_eq!(again["existing"], true);
        assert_eq!(
            (&first["seq"], &first["time"]),
            (&again["seq"], &again["time"])
        );
    }
    assert_eq!(book.balance("muster-handels-eur"), "5244.50");
}

#[test]
fn people_see_every_payment_with_its_rule_and_reason() {
    let book = Book::ready();
    let told = book.code(1, &["submit", &payments(), "--by", "treasury"]);
    assert!(
        told.contains("sanctions-screening/creditor-listed"),
        "{told}"
    );
    assert!(
        told.contains("8 allowed, 1 held for review, 3 denied"),
        "{told}"
    );
}

#[test]
fn one_mistake_in_a_file_keeps_all_of_it_out() {
    let book = Book::ready();
    let good = std::fs::read_to_string(payments()).expect("the example");
    let before = book.value(&["checkpoint"])["size"].clone();
    for (name, from, to, code) in [
        (
            "sum.xml",
            "<CtrlSum>184874.10</CtrlSum>",
            "<CtrlSum>184874.11</CtrlSum>",
            "iso20022.control-sum",
        ),
        (
            "iban.xml",
            "CH8000762020000000101",
            "CH8100762020000000101",
            "payment.iban",
        ),
        (
            "account.xml",
            "CH9300762011623852957",
            "DE89370400440532013000",
            "payment.unrouted",
        ),
    ] {
        assert!(good.contains(from), "{from}");
        let path = book.file(name, &good.replace(from, to));
        let told = book.code(2, &["submit", &path]);
        assert!(told.contains(code), "{name}: {told}");
    }
    assert_eq!(book.value(&["checkpoint"])["size"], before);
}

#[test]
fn the_rest_of_a_file_is_taken_when_asked_for() {
    let book = Book::ready();
    let good = std::fs::read_to_string(payments()).expect("the example");
    let path = book.file(
        "iban.xml",
        &good.replace("CH8000762020000000101", "CH8100762020000000101"),
    );
    let told = book.json(1, &["submit", &path, "--accept-rest"]);
    let sealed = told
        .iter()
        .filter(|value| value.get("seq").is_some())
        .count();
    assert_eq!(sealed, 11);
}

#[test]
fn the_rest_of_lines_is_taken_when_asked_for_and_that_is_no_yes() {
    let book = Book::ready();
    let line = |id: &str, amount: &str| {
        format!(
            r#"{{"id":"{id}","transfer":{{"transfers":[{{"debit":"muster-handels-chf","credit":"clearing-chf","amount":"{amount}","currency":"CHF"}}]}}}}"#
        )
    };
    let lines = [
        line("good", "1.00"),
        line("bad", "1.0"),
        line("too", "2.00"),
    ]
    .join("\n");
    let path = book.file("rest.jsonl", &lines);
    let before = book.value(&["checkpoint"])["size"].clone();
    book.json(2, &["submit", &path]);
    assert_eq!(book.value(&["checkpoint"])["size"], before);
    let told = book.json(1, &["submit", &path, "--accept-rest"]);
    let sealed: Vec<_> = told
        .iter()
        .filter(|value| value.get("seq").is_some())
        .map(|value| value["id"].clone())
        .collect();
    assert_eq!(sealed, ["good", "too"]);
}

#[test]
fn a_flood_of_bad_lines_leaves_no_rest() {
    let book = Book::ready();
    let lines = format!(
        "{}{}",
        r#"{"id":"v","void":{"pending":"x"}}"#,
        "\n?".repeat(100)
    );
    let path = book.file("flood.jsonl", &lines);
    let before = book.value(&["checkpoint"])["size"].clone();
    book.json(1, &["submit", &path, "--accept-rest"]);
    assert_eq!(book.value(&["checkpoint"])["size"], before);
}

#[test]
fn checking_a_file_seals_nothing() {
    let book = Book::ready();
    let before = book.value(&["checkpoint"])["size"].clone();
    assert_eq!(
        book.value(&["submit", &payments(), "--check"])["requests"],
        12
    );
    assert_eq!(book.value(&["checkpoint"])["size"], before);
}

#[test]
fn four_eyes_release_what_was_held() {
    let book = Book::ready();
    book.json(1, &["submit", &payments(), "--by", "treasury"]);
    let held = "MUSTER-2026-11-25/SUPPLIERS-CHF/INV-4712";
    let account = book.value(&["balance", "muster-handels-chf"]);
    assert_eq!(account["debits_pending"], "24000.00");
    let own = book.run(&["approve", held, "--by", "treasury"]);
    assert_ne!(own.status.code(), Some(0), "whoever asked cannot approve");
    let told = book.yes(&["explain", held]);
    assert!(told.contains("waits for 1 approval by others"), "{told}");
    book.yes(&["approve", held, "--by", "controller"]);
    let told = book.yes(&["explain", held]);
    assert!(told.contains("no longer waits"), "{told}");
    let account = book.value(&["balance", "muster-handels-chf"]);
    assert_eq!(account["debits_pending"], "0.00");
    assert_eq!(account["balance"], "9821.40");
}

#[test]
fn a_folder_that_is_no_book_is_said_to_be_none() {
    let folder = tempfile::tempdir().expect("a folder");
    for path in [folder.path().join("absent"), folder.path().to_path_buf()] {
        let path = path.to_string_lossy().into_owned();
        let told = paygod(&["balance", "a", "--book", &path]);
        assert_eq!(told.status.code(), Some(2));
        let told = text(&told.stderr);
        assert!(
            told.contains("store.not-a-book") && told.contains("paygod init"),
            "{told}"
        );
    }
    let absent = folder.path().join("absent").to_string_lossy().into_owned();
    assert_eq!(paygod(&["verify", &absent]).status.code(), Some(2));
}

#[test]
fn verifying_prints_its_figures_and_says_what_it_left_out() {
    let book = Book::ready();
    let export = book.path("export");
    book.yes(&["export", &export]);
    let told = book.yes(&["verify", &export, "--figures"]);
    assert!(told.contains(" a second, "), "{told}");
    let told = book.yes(&["verify", &export, "--sealed-only"]);
    assert!(told.contains("Not checked"), "{told}");
    assert!(!told.contains("balance to the last unit"), "{told}");
    let both = book.run(&["verify", &export, "--kept", &export, "--kept", &export]);
    assert_eq!(both.status.code(), Some(2));
}

#[test]
fn explain_names_rule_list_and_version() {
    let book = Book::ready();
    book.json(1, &["submit", &payments(), "--by", "treasury"]);
    let value = book.value(&["explain", "MUSTER-2026-11-25/SUPPLIERS-EUR/INV-8004"]);
    assert_eq!(value["verdict"], "deny");
    assert_eq!(value["replay"], "same");
    let told = book.yes(&["explain", "MUSTER-2026-11-25/SUPPLIERS-EUR/INV-8004"]);
    assert!(told.contains("creditor-listed"), "{told}");
    assert!(told.contains("ofac-sdn sample"), "{told}");
    assert!(
        !told.contains("Caribbean"),
        "an explanation names no person: {told}"
    );
}

/// A request that moves francs from `muster-handels-chf` to `muster-logistik-chf`.
fn transfer(id: &str, amount: &str, more: &str) -> String {
    format!(
        r#"{{"id":"{id}","transfer":{{"transfers":[{{"amount":"{amount}","credit":"muster-logistik-chf","currency":"CHF","debit":"muster-handels-chf"{more}}}]}}}}"#
    )
}

#[test]
fn reservations_are_posted_in_part_or_released() {
    let book = Book::ready();
    let reserve = |id: &str| transfer(id, "100.00", r#","pending":{"timeout_s":3600}"#);
    book.yes(&["submit", &book.file("hold-1.jsonl", &reserve("hold-1"))]);
    book.yes(&["submit", &book.file("hold-2.jsonl", &reserve("hold-2"))]);
    book.yes(&["post", "hold-1", "--amount", "60.00"]);
    book.yes(&["void", "hold-2"]);
    let account = book.value(&["balance", "muster-handels-chf"]);
    assert_eq!(
        (&account["balance"], &account["debits_pending"]),
        (&"49940.00".into(), &"0.00".into())
    );
    let code = book.run(&["void", "hold-1", "--id", "again"]).status.code();
    assert_ne!(code, Some(0), "what is posted cannot be released");
}

#[test]
fn a_damaged_blob_gets_into_no_backup_and_a_refused_restore_leaves_no_book() {
    let book = Book::ready();
    let (backup, damaged) = (book.path("backup"), book.path("damaged"));
    book.yes(&["backup", &backup]);
    let blob = |folder: &str| {
        let blobs = std::fs::read_dir(Path::new(folder).join("blobs")).expect("listed");
        let mut paths: Vec<_> = blobs.map(|file| file.expect("listed").path()).collect();
        paths.sort();
        paths.remove(0)
    };
    let damage = |path: &Path| {
        let mut bytes = std::fs::read(path).expect("read");
        bytes[0] ^= 1;
        std::fs::write(path, bytes).expect("written");
    };
    damage(&blob(&book.path("book")));
    let told = book.code(1, &["backup", &damaged]);
    assert!(!told.contains("backed up"), "{told}");
    // A backup that was damaged itself becomes no book, and the folder is free for a better one.
    let target = book.path("restored");
    let kept = std::fs::read(blob(&backup)).expect("read");
    damage(&blob(&backup));
    let refused = paygod(&["restore", &backup, "--book", &target]);
    assert_ne!(refused.status.code(), Some(0));
    assert_eq!(std::fs::read_dir(&target).expect("listed").count(), 0);
    std::fs::write(blob(&backup), kept).expect("written");
    let made = paygod(&["restore", &backup, "--book", &target]);
    assert_eq!(made.status.code(), Some(0), "{}", text(&made.stderr));
    // What somebody else keeps there stays.
    let theirs = book.file("theirs", "");
    let full = book.path("full");
    std::fs::create_dir(&full).expect("made");
    std::fs::rename(&theirs, Path::new(&full).join("theirs")).expect("moved");
    let refused = paygod(&["restore", &backup, "--book", &full]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(Path::new(&full).join("theirs").exists());
}

#[test]
fn what_waits_is_listed_and_an_approver_sees_what_for() {
    let book = Book::ready();
    book.code(1, &["submit", &payments(), "--by", "treasury"]);
    let held = "MUSTER-2026-11-25/SUPPLIERS-CHF/INV-4712";
    let waiting = book.value(&["pending", "--review"]);
    assert_eq!(
        (&waiting["id"], &waiting["by"]),
        (&held.into(), &"treasury".into())
    );
    assert_eq!(
        (&waiting["approvals_needed"], &waiting["approved_by"]),
        (&1.into(), &Value::Array(vec![]))
    );
    assert_eq!(waiting["transfers"][0]["debit"], "muster-handels-chf");
    assert!(book.yes(&["pending"]).contains("1 approval, 0 so far"));
    let seen = book.value(&["explain", held, "--input"]);
    let payment = &seen["request"]["transfer"]["transfers"][0]["payment"];
    let name = payment["creditor"]["name"].as_str().expect("a name");
    assert!(book.yes(&["explain", held, "--input"]).contains(name));
    assert!(
        !book.yes(&["explain", held]).contains(name),
        "only when asked for"
    );
    book.yes(&["approve", held, "--by", "controller"]);
    assert!(book.json(0, &["pending"]).is_empty());
    // What held nothing personal is spelled out by its entry, and judged once more from that.
    assert_eq!(book.value(&["explain", "opening-chf"])["replay"], "same");
}

#[test]
fn money_does_not_move_before_the_day_that_the_payer_named() {
    let book = Book::ready();
    let file = std::fs::read_to_string(payments()).expect("read");
    let later = file.replacen("<Dt>2026-11-25</Dt>", "<Dt>2099-12-31</Dt>", 1);
    let later = book.file("later.xml", &later);
    let before = book.value(&["checkpoint"])["size"].clone();
    let told = book.run(&["submit", &later, "--by", "treasury"]);
    assert_eq!(told.status.code(), Some(2));
    let said = text(&told.stdout) + &text(&told.stderr);
    assert!(said.contains("payment.not-due"), "{said}");
    assert_eq!(book.value(&["checkpoint"])["size"], before);
    let rest = book.json(1, &["submit", &later, "--by", "treasury", "--accept-rest"]);
    let sealed = rest
        .iter()
        .filter(|line| line["verdict"].is_string())
        .count();
    assert!((1..12).contains(&sealed), "{rest:?}");
    let all = book.json(
        1,
        &["submit", &later, "--by", "treasury", "--execute-early"],
    );
    let sealed = all
        .iter()
        .filter(|line| line["verdict"].is_string())
        .count();
    assert_eq!(sealed, 12);
    book.code(1, &["submit", &later, "--by", "treasury"]);
}

#[test]
fn a_correction_makes_no_money() {
    let book = Book::ready();
    let hold = transfer("hold", "100.00", r#","pending":{"timeout_s":3600}"#);
    book.yes(&["submit", &book.file("hold.jsonl", &hold)]);
    let correct = |id: &str, reason: &str| {
        let command = ["correct", id, "--reason", reason, "--by", "ana"];
        book.run(&command).status.code()
    };
    assert_eq!(
        correct("hold", "oops"),
        Some(2),
        "what is reserved is voided"
    );
    book.yes(&["post", "hold", "--amount", "60.00", "--id", "posted"]);
    assert_eq!(correct("hold", "oops"), Some(2), "the post posted it");
    assert_eq!(correct("posted", "oops"), Some(0));
    assert_eq!(book.balance("muster-logistik-chf"), "0.00");
    // The same reversal, asked for again with another reason.
    book.yes(&[
        "submit",
        &book.file("pay.jsonl", &transfer("pay", "100.00", "")),
    ]);
    assert_eq!(correct("pay", "duplicate"), Some(0));
    assert_eq!(correct("pay", "duplicate"), Some(0));
    assert_ne!(correct("pay", "again"), Some(0));
    assert_eq!(book.balance("muster-logistik-chf"), "0.00");
    assert_eq!(book.balance("muster-handels-chf"), "50000.00");
}

#[test]
fn a_file_of_requests_is_checked_whole_before_any_is_sealed() {
    let book = Book::ready();
    let line = |id: &str, credit: &str, currency: &str| {
        let line = transfer(id, "1.00", "").replace("muster-logistik-chf", credit);
        line.replace("CHF", currency) + "\n"
    };
    let good = line("good", "muster-logistik-chf", "CHF");
    let entries = book.value(&["checkpoint"])["size"].clone();
    for (bad, code) in [
        (line("bad", "nobody", "CHF"), "account.unknown"),
        (
            line("bad", "muster-logistik-chf", "EUR"),
            "account.currency",
        ),
        (line("good", "clearing-chf", "CHF"), "request.conflict"),
    ] {
        let file = book.file("mixed.jsonl", &(good.clone() + &bad));
        for check in [&["submit", &file, "--check"][..], &["submit", &file]] {
            let told = book.run(check);
            assert_eq!(told.status.code(), Some(2), "{code}");
            assert!(text(&told.stdout).contains(code), "{}", text(&told.stdout));
        }
    }
    assert_eq!(book.value(&["checkpoint"])["size"], entries);
    // An account that the file itself opens is known from there on.
    let open = r#"{"account_open":{"account":"late-chf","currency":"CHF"},"id":"open-late"}"#;
    let file = book.file(
        "late.jsonl",
        &format!("{open}\n{}", line("late", "late-chf", "CHF")),
    );
    book.yes(&["submit", &file, "--format", "jsonl"]);
    assert_eq!(book.balance("late-chf"), "1.00");
}

#[test]
fn who_submits_is_sealed_for_requests_that_name_nobody() {
    let book = Book::ready();
    let hers = transfer("hers", "1.00", "").replacen('{', r#"{"by":"cy","#, 1);
    let lines = format!("{}\n{hers}\n", transfer("mine", "1.00", ""));
    let file = book.file("two.jsonl", &lines);
    book.code(2, &["submit", &file, "--by", "bad name"]);
    book.code(2, &["submit", &file, "--clearing", "CHF=clearing-chf"]);
    // Whoever submits a file does not ask under another's name without knowing.
    let refused = book.run(&["submit", &file, "--by", "ana"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stdout).contains("`cy` asks for it"));
    book.yes(&["submit", &file]);
    assert_eq!(book.value(&["explain", "hers"])["by"], "cy");
    let mine = book.file("one.jsonl", &transfer("one", "1.00", ""));
    book.yes(&["submit", &mine, "--by", "ana"]);
    assert_eq!(book.value(&["explain", "one"])["by"], "ana");
    // One that must name somebody is judged by who submits it.
    let reject = book.file("no.jsonl", r#"{"id":"no","reject":{"request":"nothing"}}"#);
    let check = |more: &[&str]| {
        let submit = ["submit", &reject, "--check", "--format", "jsonl"];
        book.run(&[&submit[..], more].concat()).status.code()
    };
    assert_eq!((check(&[]), check(&["--by", "ana"])), (Some(2), Some(0)));
}

#[test]
fn a_file_of_payments_gives_no_orders() {
    let book = Book::ready();
    for order in [
        r#"{"id":"x","policy_activate":{"lists":[],"packs":[]}}"#,
        r#"{"id":"x","by":"bea","approve":{"request":"pay"}}"#,
        r#"{"id":"x","unfreeze":{"scope":"book"}}"#,
        r#"{"id":"x","account_limit":{"account":"muster-handels-chf","currency":"CHF"}}"#,
    ] {
        let file = book.file("salaries.xml", order);
        let refused = book.run(&["submit", &file]);
        assert_eq!(refused.status.code(), Some(2), "{order}");
        assert!(text(&refused.stdout).contains("is no payment"), "{order}");
    }
}

#[test]
fn a_correction_reverses_and_a_freeze_denies() {
    let book = Book::ready();
    let pay = |id: &str| transfer(id, "50.00", "");
    book.yes(&["submit", &book.file("pay-1.jsonl", &pay("pay-1"))]);
    assert_eq!(book.balance("muster-logistik-chf"), "50.00");
    book.yes(&["correct", "pay-1", "--reason", "duplicate", "--by", "ana"]);
    assert_eq!(book.balance("muster-logistik-chf"), "0.00");
    assert_eq!(
        book.value(&["balance", "muster-logistik-chf", "--at-seq", "10"])["balance"],
        "50.00"
    );
    let future = [
        "balance",
        "muster-logistik-chf",
        "--at-time",
        "2999-01-01T00:00:00Z",
    ];
    book.code(2, &future);

    book.yes(&["freeze", "account", "muster-handels-chf", "--by", "ana"]);
    book.code(1, &["submit", &book.file("pay-2.jsonl", &pay("pay-2"))]);
    book.yes(&["unfreeze", "account", "muster-handels-chf", "--by", "ana"]);
    book.yes(&["submit", &book.file("pay-3.jsonl", &pay("pay-3"))]);
}

#[test]
fn another_body_under_a_known_id_is_a_conflict() {
    let book = Book::ready();
    let pay = |amount: &str| transfer("pay-1", amount, "");
    book.yes(&["submit", &book.file("a.jsonl", &pay("1.00"))]);
    let told = book.code(2, &["submit", &book.file("b.jsonl", &pay("2.00"))]);
    assert!(told.contains("request.conflict"), "{told}");
}

#[test]
fn a_receipt_is_checked_without_the_book() {
    let book = Book::ready();
    let (proof, entry) = (book.path("r.tlog-proof"), book.path("r.json"));
    let made = book.value(&["prove", "opening-eur", "--out", &proof]);
    let key = made["key"].as_str().expect("a key");
    let check = |entry: &str| paygod(&["prove", "--check", &proof, "--entry", entry, "--key", key]);
    assert_eq!(check(&entry).status.code(), Some(0));
    let forged = std::fs::read_to_string(&entry)
        .expect("the entry")
        .replace("10000.00", "90000.00");
    let forged = book.file("forged.json", &forged);
    assert_eq!(check(&forged).status.code(), Some(1));
}

#[test]
fn an_export_verifies_and_a_flipped_bit_is_named() {
    let book = Book::ready();
    let export = book.path("export");
    let fingerprint = book.value(&["export", &export])["fingerprint"].clone();
    let fingerprint = fingerprint.as_str().expect("a fingerprint");
    let verify = |arguments: &[&str]| {
        let mut all = vec!["verify", export.as_str()];
        all.extend_from_slice(arguments);
        paygod(&all)
    };
    assert_eq!(verify(&["--genesis", fingerprint]).status.code(), Some(0));
    assert_eq!(
        verify(&["--genesis", &"0".repeat(64)]).status.code(),
        Some(1)
    );
    book.yes(&["verify"]);

    let bundles = std::path::Path::new(&export).join("tile/entries/000.p");
    let bundle = std::fs::read_dir(bundles)
        .expect("bundles")
        .next()
        .expect("one")
        .expect("read");
    let mut bytes = std::fs::read(bundle.path()).expect("the bundle");
    let at = bytes
        .windows(8)
        .rposition(|window| window == b"10000.00")
        .expect("an amount");
    bytes[at] ^= 8;
    std::fs::write(bundle.path(), bytes).expect("written");
    let report = verify(&["--genesis", fingerprint, "--json"]);
    assert_eq!(report.status.code(), Some(1));
    let report: serde_json::Value = serde_json::from_slice(&report.stdout).expect("JSON");
    assert_eq!(report["valid"], false);
    assert_eq!(report["failures"][0]["entry"], 9, "{report}");
}

#[test]
fn a_backup_restores_to_the_same_book() {
    let book = Book::ready();
    let (backup, restored) = (book.path("backup"), book.path("restored"));
    book.yes(&["backup", &backup]);
    let output = paygod(&["restore", &backup, "--book", &restored]);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        crate::support::text(&output.stderr)
    );
    let ours = book.value(&["checkpoint"]);
    let theirs = paygod(&["checkpoint", "--book", &restored, "--json"]);
    let theirs: serde_json::Value = serde_json::from_slice(&theirs.stdout).expect("JSON");
    assert_eq!(
        (&ours["fingerprint"], &ours["root"]),
        (&theirs["fingerprint"], &theirs["root"])
    );
}

#[test]
fn erasing_an_input_leaves_every_proof_valid() {
    let book = Book::ready();
    book.json(1, &["submit", &payments(), "--by", "treasury"]);
    let id = "MUSTER-2026-11-25/PAYROLL/SAL-0001";
    assert_eq!(book.value(&["explain", id])["input"], "kept");
    assert_eq!(
        book.run(&["erase", id, "--by", "privacy"]).status.code(),
        Some(2)
    );
    book.yes(&["erase", id, "--by", "privacy", "--yes"]);
    assert_eq!(book.value(&["explain", id])["input"], "erased");
    book.yes(&["verify"]);
}

#[test]
fn an_input_that_the_vault_lost_is_said_aloud() {
    let book = Book::ready();
    book.json(1, &["submit", &payments(), "--by", "treasury"]);
    let id = "MUSTER-2026-11-25/PAYROLL/SAL-0001";
    for file in std::fs::read_dir(book.path("book/vault")).expect("listed") {
        let path = file.expect("a file").path();
        if path.extension().is_some_and(|end| end == "vault") {
            std::fs::write(path, [0; 16]).expect("overwritten");
        }
    }
    let told = &book.json(1, &["explain", id])[0];
    assert_eq!(
        (&told["verdict"], &told["input"]),
        (&"allow".into(), &"lost".into())
    );
    let told = book.code(1, &["pack", "replay"]);
    assert!(!told.contains("error"), "{told}");
    let (copy, again) = (book.path("copy"), book.path("again"));
    for copies in [
        &["backup", &copy][..],
        &["restore", &copy, "--book", &again],
    ] {
        let told = book.code(1, copies);
        assert!(told.contains("lacks the input of entry"), "{told}");
    }
}

#[test]
fn a_closed_account_is_not_said_to_be_opened() {
    let book = Book::empty();
    let open = ["account", "open", "a", "--currency", "EUR"];
    book.yes(&open);
    assert!(book.yes(&open).contains("sealed before"));
    book.yes(&["account", "close", "a"]);
    let refused = book.run(&open);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("account.closed"));
}

#[test]
fn the_limits_of_an_account_are_changed_and_held() {
    let book = Book::empty();
    book.yes(&["account", "open", "a", "--currency", "EUR", "--min", "0.00"]);
    let limit = |limits: &[&str]| {
        book.yes(&[&["account", "limit", "a", "--by", "credit"], limits].concat());
        let shown = book.value(&["account", "show", "a"]);
        (shown["min_balance"].clone(), shown["max_balance"].clone())
    };
    assert_eq!(
        limit(&["--min", "-50.00", "--max", "9.00"]),
        ("-50.00".into(), "9.00".into())
    );
    assert_eq!(limit(&["--min", "0.00"]), ("0.00".into(), "9.00".into()));
    assert_eq!(
        limit(&["--max", "none", "--min", "-50.00"]),
        ("-50.00".into(), Value::Null)
    );
    let told = book.code(2, &["account", "limit", "a"]);
    assert!(told.contains("--min"), "{told}");
    let told = book.code(2, &["account", "limit", "a", "--min", "0.001"]);
    assert!(told.contains("money."), "{told}");
    let refused = book.run(&["account", "limit", "a", "--min", "1.00"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("account.limit"));
    let told = book.yes(&["entries", "--account", "a"]);
    assert!(told.contains("may go not below -50.00 EUR"), "{told}");
    book.yes(&["verify"]);
}

#[test]
fn without_packs_every_payment_is_denied() {
    let book = Book::empty();
    book.yes(&["account", "open", "a", "--currency", "EUR"]);
    book.yes(&["account", "open", "b", "--currency", "EUR"]);
    let pay = r#"{"id":"p","transfer":{"transfers":[{"amount":"1.00","credit":"b","currency":"EUR","debit":"a"}]}}"#;
    let told = book.json(1, &["submit", &book.file("p.jsonl", pay)]);
    assert_eq!(told[0]["verdict"], "deny");
}

#[test]
fn lists_are_shown_and_searched() {
    let book = Book::ready();
    assert_eq!(
        book.run(&["list", "check", "ofac-sdn", "Aero-Caribbean"])
            .status
            .code(),
        Some(1)
    );
    assert_eq!(
        book.run(&["list", "check", "ofac-sdn", "Muster Bau AG"])
            .status
            .code(),
        Some(0)
    );
    let lists = book.value(&["list", "show"]);
    assert_eq!(
        (&lists[0]["name"], &lists[0]["active"]),
        (&"ofac-sdn".into(), &true.into())
    );
    assert_eq!(
        book.json(0, &["list", "show", "ofac-sdn", "--count", "3"])
            .len(),
        3
    );
}

#[test]
fn starter_packs_pass_their_own_cases() {
    for pack in ["duplicate-payment", "payment-limits", "sanctions-screening"] {
        let folder = shown(&repository().join("packs/core").join(pack));
        assert_eq!(
            paygod(&["pack", "check", &folder]).status.code(),
            Some(0),
            "{pack}"
        );
        assert_eq!(
            paygod(&["pack", "test", &folder]).status.code(),
            Some(0),
            "{pack}"
        );
    }
}

#[test]
fn entries_are_printed_byte_for_byte() {
    let book = Book::ready();
    let lines = book.json(0, &["entries", "--count", "1000"]);
    for (seq, entry) in lines.iter().enumerate() {
        assert_eq!(entry["seq"], seq);
    }
    let ours = book.json(0, &["entries", "--account", "muster-logistik-chf"]);
    assert_eq!(ours.len(), 1, "only its opening");
    let told = book.yes(&["entries", "--from", "7", "--count", "1"]);
    assert!(told.contains("rules activated"), "{told}");
}

#[test]
fn a_second_command_on_a_book_in_use_is_told_so() {
    let book = Book::empty();
    assert_eq!(
        book.run(&["init"]).status.code(),
        Some(2),
        "a book is never made over another"
    );
}

/// The commands of `docs/start/first-steps.md`, run as they stand there.
#[test]
fn first_steps_work_as_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = std::fs::read_to_string(repository().join("docs/start/first-steps.md"))
        .expect("the document");
    for name in ["examples", "packs"] {
        std::os::unix::fs::symlink(repository().join(name), folder.path().join(name))
            .expect("linked");
    }
    let mut script = String::from("set -e\n");
    for block in text.split("```sh\n").skip(1) {
        script.push_str(block.split("```").next().expect("a block"));
    }
    assert!(script.contains("paygod verify"), "{script}");
    let binary = std::path::Path::new(env!("CARGO_BIN_EXE_paygod"));
    let path = format!(
        "{}:{}",
        binary.parent().expect("a folder").display(),
        std::env::var("PATH").unwrap_or_default()
    );
    let output = std::process::Command::new("sh")
        .args(["-c", &script])
        .current_dir(folder.path())
        .env("PATH", path)
        .output()
        .expect("sh runs");
    let told = crate::support::text(&output.stdout);
    assert!(
        output.status.success(),
        "{told}\n{}",
        crate::support::text(&output.stderr)
    );
    assert!(told.contains("VALID"), "{told}");
}
