//! Every pack under `packs/core` loads and passes its own cases, each rule having fired in one.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise, in its helpers too"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use paygod_policy::Pack;
use paygod_types::Digest;

fn packs_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packs/core")
}

fn read_folder(root: &Path, folder: &Path, files: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_folder(root, &path, files);
        } else {
            let relative = path
                .strip_prefix(root)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            files.insert(relative, std::fs::read_to_string(&path).unwrap());
        }
    }
}

fn all() -> Vec<(PathBuf, BTreeMap<String, String>)> {
    let mut folders: Vec<PathBuf> = std::fs::read_dir(packs_folder())
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    folders.sort();
    let load = |folder: PathBuf| {
        let mut files = BTreeMap::new();
        read_folder(&folder, &folder, &mut files);
        (folder, files)
    };
    folders
        .into_iter()
        .filter(|f| f.is_dir())
        .map(load)
        .collect()
}

#[test]
fn core_packs_pass_their_cases_with_every_rule_fired() {
    let packs = all();
    assert!(packs.len() >= 3);
    for (folder, files) in packs {
        let pack = Pack::from_files(&files).unwrap_or_else(|e| panic!("{}\n{e}", folder.display()));
        let report = pack.run_cases(&[]);
        for case in &report.cases {
            assert_eq!(case.failure, None, "{}: {}", folder.display(), case.name);
        }
        for rule in &report.coverage {
            assert!(
                rule.fired > 0,
                "{}: no case fires `{}`",
                folder.display(),
                rule.rule
            );
        }
    }
}

#[test]
fn an_archive_reads_back_to_the_same_digest() {
    for (_, files) in all() {
        let pack = Pack::from_files(&files).unwrap();
        let again = Pack::from_archive(pack.archive()).unwrap();
        assert_eq!(again.named(), pack.named());
        let mut spoilt = pack.archive().to_vec();
        spoilt.push(b'\n');
        assert!(Pack::from_archive(&spoilt).is_err());
    }
}

#[test]
fn an_archive_made_for_a_former_schema_keeps_its_digest() {
    // As released.
    let former = "55c6162f5c9a02f587db7cdf2b0092c70fa9c87e4fe5095c0a22469a0ed70c71";
    let mut found = 0;
    for (_, files) in all() {
        let pack = Pack::from_files(&files).unwrap();
        let text = String::from_utf8(pack.archive().to_vec()).unwrap();
        let key = "\"payment-details.v1\":\"";
        let Some((head, rest)) = text.split_once(key) else {
            continue;
        };
        let (_, rest) = rest.split_at(64);
        let made = |digest: &str| [head, key, digest, rest].concat().into_bytes();
        let old = Pack::from_archive(&made(former)).unwrap();
        assert_eq!(old.archive(), made(former));
        assert_eq!(old.named().digest, Digest::sha256(&made(former)));
        assert_ne!(old.named().digest, pack.named().digest);
        assert!(Pack::from_archive(&made(&"0".repeat(64))).is_err());
        let without = text.replacen(key, "\"payment-details.v2\":\"", 1);
        assert!(Pack::from_archive(without.as_bytes()).is_err());
        found += 1;
    }
    assert!(found > 0, "no pack reads payment details");
}

#[test]
fn every_core_pack_says_what_it_is_and_where_it_comes_from() {
    for (folder, files) in all() {
        let readme = files
            .get("README.md")
            .unwrap_or_else(|| panic!("{} has no README", folder.display()));
        assert!(readme.contains("## Sources"), "{}", folder.display());
    }
}
