//! What we write is what our contracts say, by the judgement of somebody else's validator (`jsonschema`).
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on stops there"
)]

use jsonschema::Validator;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&read(path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn contract(name: &str) -> Validator {
    let schema = json(&repository().join("contracts/schemas").join(name));
    jsonschema::validator_for(&schema).expect("a sound schema")
}

fn faults(validator: &Validator, document: &Value) -> Vec<String> {
    let errors = validator.iter_errors(document);
    errors.map(|error| error.to_string()).collect()
}

fn assert_valid(validator: &Validator, document: &Value, what: &Path) {
    let faults = faults(validator, document);
    assert!(faults.is_empty(), "{}: {faults:#?}", what.display());
}

/// The folders of all packs outside `_drafts`.
fn packs() -> Vec<PathBuf> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).expect("listed") {
            let path = entry.expect("listed").path();
            if path.join("pack.yaml").is_file() {
                found.push(path);
            } else if path.is_dir() && !path.ends_with("_drafts") {
                walk(&path, found);
            }
        }
    }
    let mut found = Vec::new();
    walk(&repository().join("packs"), &mut found);
    found.sort();
    assert!(found.len() >= 15, "{found:?}");
    found
}

#[test]
fn every_pack_and_its_cases_fit_the_schemas_that_editors_use() {
    let (pack, cases) = (contract("pack.v1.json"), contract("cases.v1.json"));
    for folder in packs() {
        for (validator, name) in [(&pack, "pack.yaml"), (&cases, "tests/cases.yaml")] {
            let path = folder.join(name);
            let document: Value = serde_saphyr::from_str(&read(&path)).expect("YAML");
            assert_valid(validator, &document, &path);
        }
    }
}

#[test]
fn the_schemas_that_editors_use_find_mistakes() {
    let folder = repository().join("packs/core/four-eyes");
    let pack = contract("pack.v1.json");
    let text = read(&folder.join("pack.yaml"));
    for (from, to) in [
        ("decision: deny", "decision: block"),
        ("kind: Pack", "kind: Pact"),
        ("version: 2.0.0", "version: 2.0"),
        ("source: transfer", "source: payments"),
        (
            "        reason: no threshold is set for this currency\n",
            "",
        ),
    ] {
        assert!(text.contains(from), "{from}");
        let document: Value = serde_saphyr::from_str(&text.replace(from, to)).expect("YAML");
        assert!(!faults(&pack, &document).is_empty(), "{from} -> {to}");
    }
}

#[test]
fn every_document_of_a_run_fits_its_contract() {
    let folder = tempfile::tempdir().expect("a folder");
    for (pack, report) in [
        ("sbom-required", "cyclonedx.json"),
        ("critical-cve-blocker", "trivy-critical.json"),
        ("secrets-in-repo-guard", "both.json"),
        ("secrets-in-repo-guard", "other.json"),
    ] {
        let pack = repository().join("packs/core").join(pack);
        let out = folder.path().join(report);
        let told = Command::new(env!("CARGO_BIN_EXE_paygod"))
            .args(["run", "--clock", "2026-11-25T08:00:00Z", "--pack"])
            .arg(&pack)
            .arg("--input")
            .arg(pack.join("tests/reports").join(report))
            .arg("--out")
            .arg(&out)
            .output()
            .expect("the binary runs");
        assert!(told.status.code().is_some_and(|code| code < 2), "{told:?}");
        for name in ["plan", "findings", "decision", "receipt", "manifest"] {
            let path = out.join(format!("{name}.json"));
            let validator = contract(&format!("run-{name}.v1.json"));
            assert_valid(&validator, &json(&path), &path);
        }
    }
}

#[test]
fn a_report_of_a_replay_fits_its_contract() {
    let folder = tempfile::tempdir().expect("a folder");
    let (book, report) = (
        folder.path().join("book"),
        folder.path().join("report.json"),
    );
    let lines = folder.path().join("requests.jsonl");
    let line = |id: u32| {
        format!(
            "{{\"by\":\"b\",\"id\":\"p{id}\",\"transfer\":{{\"transfers\":[{{\"amount\":\"9.00\",\"credit\":\"a\",\"currency\":\"EUR\",\
             \"debit\":\"c\",\"payment\":{{\"reference\":\"r\"}}}}]}}}}\n"
        )
    };
    std::fs::write(&lines, format!("{}{}", line(1), line(2))).expect("written");
    let pack = |name: &str| repository().join("packs/core").join(name);
    let run = |arguments: &[&dyn AsRef<std::ffi::OsStr>]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_paygod"));
        command.arg("--book").arg(&book);
        for argument in arguments {
            command.arg(argument);
        }
        let told = command.output().expect("the binary runs");
        assert!(told.status.code().is_some_and(|code| code < 2), "{told:?}");
    };
    run(&[&"init", &"--origin", &"paygod.test/replay"]);
    for account in ["a", "c"] {
        run(&[&"account", &"open", &account, &"--currency", &"EUR"]);
    }
    run(&[
        &"pack",
        &"activate",
        &pack("payment-limits"),
        &"--by",
        &"ana",
    ]);
    run(&[&"submit", &lines]);
    let (with, out) = (pack("currency-allowlist"), report.clone());
    run(&[&"pack", &"replay", &"--with", &with, &"--out", &out]);
    let document = json(&report);
    assert_eq!(document["same"], 2, "{document}");
    assert_valid(&contract("replay-report.v1.json"), &document, &report);
}

#[test]
fn every_report_of_a_pack_that_is_no_mistake_fits_its_schema() {
    let mut reports = 0;
    for folder in packs() {
        let Ok(listing) = std::fs::read_dir(folder.join("tests/reports")) else {
            continue;
        };
        let schema = std::fs::read_dir(&folder)
            .expect("listed")
            .find_map(|entry| {
                let path = entry.expect("listed").path();
                path.extension()
                    .is_some_and(|e| e == "json")
                    .then_some(path)
            });
        let schema = json(&schema.expect("a pack of documents has a schema"));
        let validator = jsonschema::validator_for(&schema).expect("a sound schema");
        for entry in listing {
            let path = entry.expect("listed").path();
            // These are there to be refused.
            if path.ends_with("other.json") && !folder.ends_with("sbom-required") {
                continue;
            }
            let document = match json(&path) {
                items @ Value::Array(_) => serde_json::json!({ "items": items }),
                other => other,
            };
            assert_valid(&validator, &document, &path);
            reports += 1;
        }
    }
    assert!(reports > 50, "{reports}");
}
