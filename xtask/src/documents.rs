//! Documents that must not drift: the README's two commands stand in CI as written, links resolve,
//! ARCHITECTURE.md stays short and names every crate and every invariant the code cites.

use crate::{Faults, tracked_files};
use std::collections::BTreeSet;
use std::path::Path;

/// The two commands of the README's first screen.
const COMMANDS: &[&str] = &["cargo run --release -- demo", "cargo test"];
const FIRST_SCREEN_LINES: usize = 40;
const ARCHITECTURE_LINES_MAX: usize = 300;

pub(crate) fn faults(root: &Path) -> Result<Faults, String> {
    let mut faults = Faults::new();
    let files = tracked_files(root)?;
    let readme = read(root, "README.md")?;
    let ci = read(root, ".ci/run")?;
    for command in COMMANDS {
        if !readme
            .lines()
            .take(FIRST_SCREEN_LINES)
            .any(|line| line.trim() == *command)
        {
            faults.push(format!(
                "README.md: `{command}` is not on its first screen, alone on a line"
            ));
        }
        if !ci.lines().any(|line| line.trim() == *command) {
            faults.push(format!(
                ".ci/run: does not run `{command}` as the README says it"
            ));
        }
    }
    let architecture = read(root, "ARCHITECTURE.md")?;
    if architecture.lines().count() > ARCHITECTURE_LINES_MAX {
        faults.push(format!(
            "ARCHITECTURE.md: over {ARCHITECTURE_LINES_MAX} lines"
        ));
    }
    let mut invariants = BTreeSet::new();
    for path in &files {
        let shown = path.to_string_lossy();
        if shown.starts_with("crates/") && shown.ends_with("/Cargo.toml") {
            let name = shown
                .trim_start_matches("crates/")
                .trim_end_matches("/Cargo.toml");
            if !architecture.contains(&format!("`{name}`")) {
                faults.push(format!("ARCHITECTURE.md: does not name the crate `{name}`"));
            }
        }
        if shown.ends_with(".rs") {
            collect_invariants(&read(root, &shown)?, &mut invariants);
        }
        if shown.ends_with(".md") {
            dead_links(root, path, &read(root, &shown)?, &mut faults);
        }
    }
    for name in invariants {
        if !architecture.contains(&format!("INVARIANT({name})")) {
            faults.push(format!(
                "ARCHITECTURE.md: does not define INVARIANT({name}), which the code cites"
            ));
        }
    }
    Ok(faults)
}

fn read(root: &Path, name: &str) -> Result<String, String> {
    std::fs::read_to_string(root.join(name)).map_err(|error| format!("{name}: {error}"))
}

fn collect_invariants(source: &str, found: &mut BTreeSet<String>) {
    for piece in source.split("INVARIANT(").skip(1) {
        let name: String = piece
            .chars()
            .take_while(|c| c.is_ascii_lowercase() || *c == '-')
            .collect();
        let closed = piece
            .strip_prefix(name.as_str())
            .is_some_and(|rest| rest.starts_with(')'));
        if closed && !name.is_empty() {
            found.insert(name);
        }
    }
}

fn dead_links(root: &Path, path: &Path, source: &str, faults: &mut Faults) {
    let folder = root.join(path.parent().unwrap_or(Path::new("")));
    for piece in source.split("](").skip(1) {
        let target = piece.split([')', '#', ' ']).next().unwrap_or("");
        let outside = target.is_empty() || target.contains("://") || target.starts_with("mailto:");
        if !outside && !folder.join(target).exists() {
            faults.push(format!(
                "{}: link to `{target}`, which is not there",
                path.display()
            ));
        }
    }
}
