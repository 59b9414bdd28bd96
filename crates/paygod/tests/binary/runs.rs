//! `paygod run` and checking a run: the same bytes again, and every altered file named.

use crate::support::{Book, paygod, repository, shown, text};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

const CLOCK: &str = "2026-11-25T08:00:00Z";

fn core(path: &str) -> String {
    shown(&repository().join("packs/core").join(path))
}

/// Judges a report by a pack into a folder; the exit code.
fn run(pack: &str, input: &str, out: &Path) -> Option<i32> {
    let arguments = [
        "run",
        "--pack",
        &core(pack),
        "--input",
        &core(input),
        "--out",
        &shown(out),
        "--clock",
        CLOCK,
    ];
    paygod(&arguments).status.code()
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    fn collect(root: &Path, folder: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
        for entry in std::fs::read_dir(folder).expect("listed") {
            let path = entry.expect("listed").path();
            if path.is_dir() {
                collect(root, &path, found);
            } else {
                let name = shown(path.strip_prefix(root).expect("below"));
                found.insert(name, std::fs::read(&path).expect("read"));
            }
        }
    }
    let mut found = BTreeMap::new();
    collect(folder, folder, &mut found);
    found
}

#[test]
fn the_verdict_is_the_exit_status() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, pack, input, code) in [
        (
            "allow",
            "sbom-required",
            "sbom-required/tests/reports/spdx.json",
            0,
        ),
        (
            "flag",
            "critical-cve-blocker",
            "critical-cve-blocker/tests/reports/trivy-high.json",
            0,
        ),
        (
            "deny",
            "critical-cve-blocker",
            "critical-cve-blocker/tests/reports/grype-critical.json",
            1,
        ),
        // Two findings in an array at the top, none of them accepted.
        (
            "array",
            "secrets-in-repo-guard",
            "secrets-in-repo-guard/tests/reports/both.json",
            1,
        ),
    ] {
        let out = folder.path().join(name);
        assert_eq!(run(pack, input, &out), Some(code), "{name}");
        let checked = paygod(&["verify", &shown(&out)]);
        assert_eq!(checked.status.code(), Some(0), "{}", text(&checked.stdout));
    }
}

#[test]
fn the_same_run_gives_the_same_bytes() {
    let folder = tempfile::tempdir().expect("a folder");
    let (one, two) = (folder.path().join("one"), folder.path().join("two"));
    for out in [&one, &two] {
        run(
            "sbom-required",
            "sbom-required/tests/reports/cyclonedx.json",
            out,
        );
    }
    let files = files(&one);
    assert_eq!(files, self::files(&two));
    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    for name in [
        "decision.json",
        "findings.json",
        "manifest.json",
        "plan.json",
        "receipt.json",
    ] {
        assert!(names.contains(&name), "{names:?}");
    }
}

#[test]
fn every_file_that_is_altered_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("run");
    run(
        "secrets-in-repo-guard",
        "secrets-in-repo-guard/tests/reports/one.json",
        &out,
    );
    let files = files(&out);
    assert!(files.len() >= 8, "{:?}", files.keys());
    for (name, bytes) in &files {
        let path = out.join(name);
        let flipped = |at: usize| {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            changed
        };
        // Near the beginning, in the middle, and near the end, where papers have their verdict, lists and kind.
        let places = [bytes.len() / 8, bytes.len() / 2, bytes.len() - 8];
        let mut spoilt: Vec<Vec<u8>> = places.into_iter().map(flipped).collect();
        spoilt.extend([[bytes.as_slice(), b" "].concat(), Vec::new()]);
        for spoilt in spoilt {
            std::fs::write(&path, spoilt).expect("written");
            let checked = paygod(&["verify", &shown(&out), "--json"]);
            let told = text(&checked.stdout);
            assert_eq!(checked.status.code(), Some(1), "{name}: {told}");
            assert!(
                told.contains(&format!("\"file\":\"{name}\"")),
                "{name}: {told}"
            );
        }
        std::fs::remove_file(&path).expect("removed");
        let checked = paygod(&["verify", &shown(&out), "--json"]);
        let told = text(&checked.stdout);
        assert!(
            told.contains(&format!("\"file\":\"{name}\"")),
            "{name}: {told}"
        );
        std::fs::write(&path, bytes).expect("written");
    }
    // A verdict rewritten in the receipt alone, whose list of files still holds.
    let path = out.join("receipt.json");
    let receipt = std::fs::read_to_string(&path).expect("a receipt");
    let rewritten = receipt.replace("\"decision\":\"deny\"", "\"decision\":\"flag\"");
    assert_ne!(rewritten, receipt);
    std::fs::write(&path, rewritten).expect("written");
    let told = text(&paygod(&["verify", &shown(&out)]).stdout);
    assert!(told.contains("altered: receipt.json"), "{told}");
    std::fs::write(&path, receipt).expect("written");
    std::fs::write(out.join("note.txt"), "hello").expect("written");
    let told = text(&paygod(&["verify", &shown(&out)]).stdout);
    assert!(
        told.contains("altered: note.txt: the file does not belong"),
        "{told}"
    );
}

#[test]
fn a_decision_rewritten_to_fit_is_found_by_judging_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let (denied, allowed) = (folder.path().join("denied"), folder.path().join("allowed"));
    run(
        "secrets-in-repo-guard",
        "secrets-in-repo-guard/tests/reports/one.json",
        &denied,
    );
    run(
        "secrets-in-repo-guard",
        "secrets-in-repo-guard/tests/reports/none.json",
        &allowed,
    );
    // The clean run's papers around the leaking repository's report, every digest made to fit.
    let report = std::fs::read(denied.join("evidence/input.json")).expect("read");
    let clean = std::fs::read(allowed.join("evidence/input.json")).expect("read");
    std::fs::write(allowed.join("evidence/input.json"), &report).expect("written");
    let digest = |bytes: &[u8]| paygod_types::Digest::sha256(bytes).to_string();
    let size = |bytes: &[u8]| {
        format!(
            "{{\"bytes\":{},\"digest\":\"{}\"",
            bytes.len(),
            digest(bytes)
        )
    };
    let mut changes = vec![(size(&clean), size(&report))];
    for name in [
        "plan.json",
        "decision.json",
        "receipt.json",
        "manifest.json",
    ] {
        let path = allowed.join(name);
        let before = std::fs::read_to_string(&path).expect("read");
        let mut after = before.clone();
        for (from, to) in &changes {
            after = after.replace(from, to);
        }
        changes.push((size(before.as_bytes()), size(after.as_bytes())));
        changes.push((digest(before.as_bytes()), digest(after.as_bytes())));
        std::fs::write(&path, after).expect("written");
    }
    let told = text(&paygod(&["verify", &shown(&allowed)]).stdout);
    assert!(
        told.contains("altered: findings.json: it is not what the packs say"),
        "{told}"
    );
}

#[test]
fn a_strict_run_wants_a_clock() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = shown(&folder.path().join("run"));
    let strict = |clock: Option<&str>| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_paygod"));
        command.args([
            "run",
            "--pack",
            &core("sbom-required"),
            "--out",
            &out,
            "--input",
        ]);
        command.arg(core("sbom-required/tests/reports/spdx.json"));
        command.env("PAYGOD_STRICT", "1").env_remove("PAYGOD_CLOCK");
        if let Some(clock) = clock {
            command.env("PAYGOD_CLOCK", clock);
        }
        command.output().expect("the binary runs")
    };
    let refused = strict(None);
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        text(&refused.stderr).contains("pass `--clock"),
        "{refused:?}"
    );
    assert!(!Path::new(&out).exists());
    assert_eq!(strict(Some("yesterday")).status.code(), Some(2));
    assert_eq!(strict(Some(CLOCK)).status.code(), Some(0));
}

#[test]
fn a_report_of_ten_thousand_weaknesses_is_judged_and_one_past_the_bounds_is_denied() {
    let folder = tempfile::tempdir().expect("a folder");
    let judged = |count: usize, last: &str| {
        let one = |score: &str| {
            format!(
                r#"{{"VulnerabilityID":"CVE-1","PkgName":"p","InstalledVersion":"1","Severity":"LOW","CVSS":{{"nvd":{{"V3Score":{score}}}}}}}"#
            )
        };
        let mut all = vec![one("1.0"); count];
        all.push(one(last));
        let report = format!(
            r#"{{"SchemaVersion":2,"Results":[{{"Target":"t","Vulnerabilities":[{}]}}]}}"#,
            all.join(",")
        );
        let (input, out) = (
            folder.path().join("report.json"),
            folder.path().join(format!("{count}-{last}")),
        );
        std::fs::write(&input, report).expect("written");
        let (pack, input, out) = (core("critical-cve-blocker"), shown(&input), shown(&out));
        let arguments = [
            "run", "--pack", &pack, "--input", &input, "--out", &out, "--clock", CLOCK, "--json",
        ];
        text(&paygod(&arguments).stdout)
    };
    assert!(judged(10_000, "1.0").contains(r#""decision":"allow""#));
    let critical = judged(10_000, "9.8");
    assert!(critical.contains("trivy-critical"), "{critical}");
    let long = judged(20_000, "1.0");
    assert!(
        long.contains(r#""decision":"deny""#) && long.contains("input-invalid"),
        "{long}"
    );
}

#[test]
fn a_run_is_sealed_in_a_book_that_verifies() {
    let book = Book::empty();
    let (pack, input) = (
        core("critical-cve-blocker"),
        core("critical-cve-blocker/tests/reports/trivy-high.json"),
    );
    let out = book.path("run");
    let arguments = [
        "run", "--pack", &pack, "--input", &input, "--out", &out, "--clock", CLOCK,
    ];
    let sealing = [&arguments[..], &["--seal", "--by", "ci"]].concat();
    let told = book.json(0, &sealing);
    assert_eq!(told[1]["action"], "run_seal");
    let entry = &book.json(0, &["entries", "--from", "1"])[0];
    assert_eq!(entry["body"]["run"], told[0]["run"], "{entry}");
    assert_eq!(entry["body"]["verdict"], "flag");
    assert_eq!(entry["body"]["packs"][0]["name"], "critical-cve-blocker");
    // The folder is there already: nothing is judged, and nothing is sealed a second time.
    assert!(book.code(2, &sealing).contains("cli.folder-in-use"));
    assert_eq!(book.json(0, &["entries", "--from", "1"]).len(), 1);
    // Without a book there is nowhere to seal it.
    let nowhere = shown(&book.folder.path().join("nowhere"));
    let told = paygod(&[
        "run", "--pack", &pack, "--input", &input, "--out", &nowhere, "--clock", CLOCK, "--seal",
    ]);
    assert_eq!(told.status.code(), Some(2));
    assert!(text(&told.stderr).contains("cli.no-book"));
}

#[test]
fn a_run_in_the_place_of_an_export_passes_no_demand() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("export");
    assert_eq!(
        run(
            "sbom-required",
            "sbom-required/tests/reports/spdx.json",
            &out
        ),
        Some(0)
    );
    let (out, zero) = (shown(&out), "00".repeat(32));
    assert_eq!(paygod(&["verify", &out]).status.code(), Some(0));
    for demand in [
        &["--genesis", &zero][..],
        &["--kept", "checkpoint.kept"],
        &["--hybrid"],
        &["--sealed-only"],
        &["--anchored-within", "1"],
    ] {
        let output = paygod(&[&["verify", &out], demand].concat());
        assert_eq!(output.status.code(), Some(2), "{demand:?}");
        assert!(text(&output.stderr).contains("run"), "{demand:?}");
    }
}
