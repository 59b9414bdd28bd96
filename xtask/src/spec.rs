//! Spec checks: every folder of test vectors has a test that holds the code to it, and all of them pass.

use crate::{Faults, cargo, report};
use std::path::Path;

/// A folder of `contracts/vectors`, and the tests that read it.
///
/// None names its package: then what is built is what `cargo test` builds, and is built once.
const CHECKED_BY: &[(&str, &[&str])] = &[
    ("core", &["--lib", "tests::entries"]),
    ("iso20022", &["--lib", "iso20022"]),
    ("numbers", &["--test", "canonical_vectors"]),
    ("ots", &["--test", "anchors"]),
    ("rfc8785", &["--test", "canonical_vectors"]),
    ("tlog", &["--test", "vectors", "--test", "cosignatures"]),
];

pub(crate) fn run(root: &Path) -> bool {
    let folders = folders(root);
    let unchecked = folders.map(|folders| unchecked(&folders, CHECKED_BY));
    let mut outcomes = vec![report("spec", unchecked)];
    let mut tests: Vec<&[&str]> = CHECKED_BY.iter().map(|(_, tests)| *tests).collect();
    tests.dedup();
    let command = ["test", "--quiet", "--locked"].as_slice();
    outcomes.extend(
        tests
            .into_iter()
            .map(|tests| cargo(root, &[command, tests].concat())),
    );
    outcomes.iter().all(|passed| *passed)
}

fn folders(root: &Path) -> Result<Vec<String>, String> {
    let folder = root.join("contracts/vectors");
    let listing =
        std::fs::read_dir(&folder).map_err(|error| format!("contracts/vectors: {error}"))?;
    let mut names: Vec<String> = listing
        .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
        .collect();
    names.sort();
    Ok(names)
}

/// Vectors that no test reads, and tests whose vectors are gone.
fn unchecked(folders: &[String], checked: &[(&str, &[&str])]) -> Faults {
    let known = |name: &String| checked.iter().any(|(folder, _)| folder == name);
    let unread = folders.iter().filter(|name| !known(name)).map(|name| {
        format!("contracts/vectors/{name}: no test is named for it in xtask/src/spec.rs")
    });
    let gone = checked
        .iter()
        .filter(|(folder, _)| !folders.iter().any(|name| name == folder))
        .map(|(folder, _)| format!("contracts/vectors/{folder}: the vectors are gone"));
    unread.chain(gone).collect()
}

#[cfg(test)]
mod tests {
    use super::{CHECKED_BY, folders, unchecked};
    use std::path::Path;

    #[test]
    fn vectors_without_a_test_and_tests_without_vectors_are_faults() {
        let folders =
            |names: &[&str]| -> Vec<String> { names.iter().map(|n| (*n).to_owned()).collect() };
        let checked: &[(&str, &[&str])] = &[("a", &["test"])];
        assert!(unchecked(&folders(&["a"]), checked).is_empty());
        assert_eq!(unchecked(&folders(&["a", "b"]), checked).len(), 1);
        assert_eq!(unchecked(&folders(&[]), checked).len(), 1);
    }

    #[test]
    fn every_folder_of_this_repository_has_its_test() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let found = folders(&root).unwrap_or_default();
        assert!(found.len() >= 5, "{found:?}");
        assert!(unchecked(&found, CHECKED_BY).is_empty());
    }
}
