//! Builds the fuzzers of `fuzz/` with libFuzzer's coverage on the stable toolchain and runs them.
//!
//! Each target starts from the seeds in `fuzz/seeds/<target>` and keeps its growing corpus in
//! `fuzz/corpus/<target>`, which git ignores. A target whose process allocates past its bound is
//! ended by its own allocator (`fuzz/src/lib.rs`), which libFuzzer reports as a crash.

use std::num::NonZero;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

const SECONDS_DEFAULT: &str = "60";

/// The flags with which the compiler inserts libFuzzer's coverage counters.
const COVERAGE_FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares \
    -Ccodegen-units=1";

pub(crate) fn run(root: &Path, arguments: &[String]) -> bool {
    let mut seconds = SECONDS_DEFAULT.to_owned();
    let mut others = None;
    let mut wanted = Vec::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        if argument == "--seconds" {
            seconds = rest.next().cloned().unwrap_or(seconds);
        } else if argument == "--others" {
            others = rest.next().cloned();
        } else {
            wanted.push(argument.clone());
        }
    }
    let folder = root.join("fuzz");
    let host = match host_triple() {
        Ok(host) => host,
        Err(error) => {
            println!("FAIL  fuzz: {error}");
            return false;
        }
    };
    let built = Command::new(env!("CARGO"))
        // Naming the target keeps the coverage flags away from build scripts, which cannot link with them.
        .args([
            "build",
            "--release",
            "--locked",
            "--bins",
            "--quiet",
            "--target",
            &host,
        ])
        .env("RUSTFLAGS", COVERAGE_FLAGS)
        .env("CARGO_TARGET_DIR", folder.join("target"))
        .current_dir(&folder)
        .status();
    if !built.is_ok_and(|status| status.success()) {
        println!("FAIL  fuzz: the fuzzers do not build");
        return false;
    }
    let targets = match targets(&folder) {
        Ok(targets) => targets,
        Err(error) => {
            println!("FAIL  fuzz: {error}");
            return false;
        }
    };
    if let Some(unknown) = wanted.iter().find(|name| !targets.contains(name)) {
        println!(
            "FAIL  fuzz: no target `{unknown}`; there are: {}",
            targets.join(", ")
        );
        return false;
    }
    let named = |target: &String| wanted.is_empty() || wanted.contains(target);
    let chosen: Vec<&String> = targets
        .iter()
        .filter(|target| named(target) || others.is_some())
        .collect();
    run_all(&chosen, |target| {
        let seconds = match &others {
            Some(others) if !named(target) => others,
            _ => &seconds,
        };
        run_target(&folder, &host, target, seconds)
    })
}

/// Every target runs, so that one run tells all that is broken; one on each processor at a time.
fn run_all(targets: &[&String], run: impl Fn(&String) -> bool + Sync) -> bool {
    let (next, passed) = (AtomicUsize::new(0), AtomicBool::new(true));
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..processors {
            scope.spawn(|| {
                while let Some(target) = targets.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if !run(target) {
                        passed.store(false, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    passed.into_inner()
}

fn host_triple() -> Result<String, String> {
    let output = Command::new("rustc")
        .arg("-vV")
        .output()
        .map_err(|error| format!("rustc: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned)
        .ok_or_else(|| "`rustc -vV` names no host".to_owned())
}

fn targets(folder: &Path) -> Result<Vec<String>, String> {
    let listing = std::fs::read_dir(folder.join("fuzz_targets"))
        .map_err(|error| format!("fuzz/fuzz_targets: {error}"))?;
    let mut names: Vec<String> = listing
        .filter_map(|file| file.ok()?.path().file_stem()?.to_str().map(str::to_owned))
        .collect();
    names.sort();
    Ok(names)
}

fn run_target(folder: &Path, host: &str, target: &str, seconds: &str) -> bool {
    let corpus = folder.join("corpus").join(target);
    let artifacts = folder.join("artifacts").join(target);
    for made in [&corpus, &artifacts] {
        if let Err(error) = std::fs::create_dir_all(made) {
            println!("FAIL  fuzz {target}: {}: {error}", made.display());
            return false;
        }
    }
    let mut command = Command::new(
        folder
            .join("target")
            .join(host)
            .join("release")
            .join(target),
    );
    command
        .arg(format!("-max_total_time={seconds}"))
        .arg("-timeout=5")
        .arg("-rss_limit_mb=1024")
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        .arg(&corpus);
    let seeds = folder.join("seeds").join(target);
    if seeds.is_dir() {
        command.arg(seeds);
    }
    let passed = command.status().is_ok_and(|status| status.success());
    if passed {
        println!("ok    fuzz {target} ({seconds} s)");
    } else {
        println!(
            "FAIL  fuzz {target}: the input that broke it is in {}",
            artifacts.display()
        );
    }
    passed
}
