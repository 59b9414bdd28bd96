//! INVARIANT(pure): the pure crates do no I/O, read no clock, draw no randomness, start no threads.
//!
//! The check is a search for the names through which the standard library reaches the outside; it
//! reads library sources only, and stops at the first `#[cfg(test)]` of a file.

use crate::{Faults, tracked_files};
use std::path::Path;

const PURE_CRATES: &[&str] = &[
    "paygod-types",
    "paygod-tlog",
    "paygod-policy",
    "paygod-core",
];

const FORBIDDEN: &[&str] = &[
    "std::fs",
    "std::io::stdin",
    "std::net",
    "std::process",
    "std::thread",
    "std::env",
    "SystemTime",
    "Instant::now",
    "getrandom",
    "thread_rng",
    "async fn",
    "tokio",
];

pub(crate) fn faults(root: &Path) -> Result<Faults, String> {
    let mut faults = Faults::new();
    for path in tracked_files(root)? {
        let shown = path.to_string_lossy().into_owned();
        let pure = PURE_CRATES
            .iter()
            .any(|name| shown.starts_with(&format!("crates/{name}/src/")));
        // A file of tests (`mod tests;` behind `#[cfg(test)]`) may reach outside.
        let tests = shown.ends_with("/tests.rs") || shown.contains("/tests/");
        if !pure || tests || !shown.ends_with(".rs") {
            continue;
        }
        let source = std::fs::read_to_string(root.join(&path))
            .map_err(|error| format!("{shown}: {error}"))?;
        for (number, line) in source.lines().enumerate() {
            let code = line.split("//").next().unwrap_or("");
            if code.contains("#[cfg(test)]") {
                break;
            }
            for name in FORBIDDEN {
                if code.contains(name) {
                    faults.push(format!(
                        "{shown}:{}: `{name}` in a pure crate: pass it in as a parameter",
                        number.saturating_add(1)
                    ));
                }
            }
        }
    }
    Ok(faults)
}
