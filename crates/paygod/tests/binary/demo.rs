//! The demo, as a newcomer runs it.

use crate::support::paygod;
use std::path::Path;

#[test]
fn the_demo_pays_proves_and_catches_the_thief() {
    let output = paygod(&["demo"]);
    let told = crate::support::text(&output.stdout);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{told}\n{}",
        crate::support::text(&output.stderr)
    );
    for step in [
        "A new book",
        "The rules",
        "The accounts",
        "The bank's file",
        "Judged, moved, sealed",
        "The signed checkpoint",
        "A receipt",
        "The audit",
        "The thief",
        "Who notices",
    ] {
        assert!(told.contains(step), "{step}: {told}");
    }
    assert!(!told.contains("\u{1b}["), "no colours when nobody looks");
}

#[test]
fn the_demo_for_programs_is_one_document() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path().join("demo");
    let output = paygod(&["demo", "--json", "--dir", place.to_str().expect("UTF-8")]);
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(
        (&value["valid"], &value["caught"]),
        (&true.into(), &true.into())
    );
    assert_eq!(value["payments"].as_array().expect("payments").len(), 12);
    let named: Vec<_> = value["auditors"]
        .as_array()
        .expect("auditors")
        .iter()
        .map(|a| &a["valid"])
        .collect();
    assert_eq!(named, [true, false, false, false]);
    // What it leaves can be looked at with the other commands.
    let verify = |export: &str, kept: &[&str]| {
        let export = crate::support::shown(&place.join(export));
        let mut arguments = vec!["verify", export.as_str()];
        arguments.extend_from_slice(kept);
        paygod(&arguments).status.code()
    };
    let kept = crate::support::shown(&place.join("kept-by-the-auditor/checkpoints.log"));
    assert_eq!(verify("export", &[]), Some(0));
    assert_eq!(verify("export-forged", &[]), Some(0), "sound in itself");
    assert_eq!(verify("export-forged", &["--kept", &kept]), Some(1));
}

#[test]
fn the_demo_never_writes_over_a_folder_in_use() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("mine"), "mine").expect("written");
    let output = paygod(&["demo", "--dir", folder.path().to_str().expect("UTF-8")]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        std::fs::read_dir(Path::new(folder.path()))
            .expect("listed")
            .count(),
        1
    );
}
