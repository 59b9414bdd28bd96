//! The repository's own gates, each a plain command: `cargo xtask check` runs them all.
//!
//! A gate reads the tree and prints what is wrong and where; it never repairs anything. Nothing of
//! the product depends on this crate.
#![expect(
    clippy::print_stdout,
    reason = "a command-line tool that reports on standard output"
)]
#![expect(
    clippy::print_stderr,
    reason = "a command-line tool that reports failures on standard error"
)]

mod arrows;
mod documents;
mod fuzz;
mod packs;
mod providers;
mod purity;
mod schema_change;
mod schemas;
mod spec;
mod text;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// What a gate found: a line for each fault, empty when all is well.
type Faults = Vec<String>;

const USAGE: &str = "\
usage: cargo xtask <gate>

  check             every gate below but fuzz, and cargo fmt and clippy: what CI runs
  fmt               cargo fmt --check
  clippy            cargo clippy with warnings denied, all targets
  arrows            the dependency arrows between the crates
  purity            no I/O, clock, randomness or threads in the pure crates
  text              no bidirectional controls, CRLF or invalid UTF-8; no file past its length
  schemas [--bump]  no contract changed without its version, none broken; --bump writes the versions
  providers         no core pack names a cloud provider
  packs             every pack outside _drafts passes its cases, with coverage, and its lints
  spec              every test vector against the code
  documents         README, ARCHITECTURE and links agree with the tree
  fuzz [--seconds N] [TARGET ...] [--others N]
                    builds and runs the fuzzers, 60 seconds each unless told, and
                    with --others also those that are not named, so many seconds each
";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let gate = arguments.next();
    let rest: Vec<String> = arguments.collect();
    let root = repository_root();
    let outcome = match gate.as_deref() {
        Some("check") => check(&root),
        Some("fmt") => cargo(&root, &["fmt", "--all", "--check"]),
        Some("clippy") => clippy(&root),
        Some("arrows") => report("arrows", arrows::faults(&root)),
        Some("purity") => report("purity", purity::faults(&root)),
        Some("text") => report("text", text::faults(&root)),
        Some("schemas") if rest.iter().any(|option| option == "--bump") => bump(&root),
        Some("schemas") => report("schemas", schemas::faults(&root)),
        Some("providers") => report("providers", providers::faults(&root)),
        Some("packs") => packs::run(&root),
        Some("spec") => spec::run(&root),
        Some("documents") => report("documents", documents::faults(&root)),
        Some("fuzz") => fuzz::run(&root, &rest),
        Some("help" | "--help" | "-h") => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    if outcome {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    }
}

fn check(root: &Path) -> bool {
    // Every gate runs, so that one run tells all there is to mend.
    let outcomes = [
        report("arrows", arrows::faults(root)),
        report("purity", purity::faults(root)),
        report("text", text::faults(root)),
        report("documents", documents::faults(root)),
        report("schemas", schemas::faults(root)),
        report("providers", providers::faults(root)),
        cargo(root, &["fmt", "--all", "--check"]),
        clippy(root),
        packs::run(root),
        spec::run(root),
    ];
    outcomes.iter().all(|passed| *passed)
}

fn bump(root: &Path) -> bool {
    match schemas::bump(root) {
        Ok(told) => {
            for line in &told {
                println!("      {line}");
            }
            println!("ok    schemas: the manifest is written");
            true
        }
        Err(error) => {
            println!("FAIL  schemas: {error}");
            false
        }
    }
}

fn clippy(root: &Path) -> bool {
    cargo(
        root,
        &[
            "clippy",
            "--workspace",
            "--all-targets",
            "--locked",
            "--quiet",
            "--",
            "-D",
            "warnings",
        ],
    )
}

fn cargo(root: &Path, arguments: &[&str]) -> bool {
    let shown = format!("cargo {}", arguments.join(" "));
    let status = Command::new(env!("CARGO"))
        .args(arguments)
        .current_dir(root)
        .status();
    match status {
        Ok(status) if status.success() => {
            println!("ok    {shown}");
            true
        }
        Ok(status) => {
            println!("FAIL  {shown}: {status}");
            false
        }
        Err(error) => {
            println!("FAIL  {shown}: could not start: {error}");
            false
        }
    }
}

fn report(gate: &str, found: Result<Faults, String>) -> bool {
    match found {
        Ok(faults) if faults.is_empty() => {
            println!("ok    {gate}");
            true
        }
        Ok(faults) => {
            println!("FAIL  {gate}: {} to mend", faults.len());
            for fault in faults {
                println!("      {fault}");
            }
            false
        }
        Err(error) => {
            println!("FAIL  {gate}: {error}");
            false
        }
    }
}

fn repository_root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest
        .parent()
        .map_or_else(|| manifest.to_path_buf(), Path::to_path_buf)
}

/// The files git tracks, relative to the root, in git's order.
fn tracked_files(root: &Path) -> Result<Vec<PathBuf>, String> {
    let output = Command::new("git")
        .args(["ls-files", "-z"])
        .current_dir(root)
        .output()
        .map_err(|error| format!("git could not start: {error}; install git"))?;
    if !output.status.success() {
        return Err("git ls-files failed; run this inside a git checkout".to_owned());
    }
    let listing = String::from_utf8_lossy(&output.stdout);
    Ok(listing
        .split('\0')
        .filter(|name| !name.is_empty())
        .map(PathBuf::from)
        .filter(|path| root.join(path).is_file())
        .collect())
}
