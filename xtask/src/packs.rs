//! Pack tests: every pack outside `_drafts` passes its cases with every rule and branch covered, and
//! has nothing that a reviewer would send back. The work is the product's own: `paygod pack test` and `pack lint`.

use crate::cargo;
use std::path::Path;

/// The least percentage of rules, and of branches, that the cases of each pack cover.
const COVERAGE_PERCENT_MIN: &str = "100";

pub(crate) fn run(root: &Path) -> bool {
    let paygod = ["run", "--quiet", "--locked", "--"];
    let test = [
        "pack",
        "test",
        "packs",
        "--min-coverage",
        COVERAGE_PERCENT_MIN,
    ];
    let lint = ["pack", "lint", "packs"];
    // Both run, so that one run tells all there is to mend.
    let outcomes = [
        cargo(root, &[paygod.as_slice(), &test].concat()),
        cargo(root, &[paygod.as_slice(), &lint].concat()),
    ];
    outcomes.iter().all(|passed| *passed)
}
