//! The dependency arrows: which crate of the workspace may depend on which.
//!
//! The table is the one in ARCHITECTURE.md. Adapters (`store`, `keys`, `anchor`) never
//! name each other; only `service` and the binary wire them together.

use crate::Faults;
use std::path::Path;
use std::process::Command;

const TYPES: &str = "paygod-types";
const TLOG: &str = "paygod-tlog";
const POLICY: &str = "paygod-policy";
const CORE: &str = "paygod-core";
const VERIFY: &str = "paygod-verify";
const STORE: &str = "paygod-store";
const KEYS: &str = "paygod-keys";
const ANCHOR: &str = "paygod-anchor";
const SERVICE: &str = "paygod-service";

/// A crate and the crates of the workspace it may depend on.
const ARROWS: &[(&str, &[&str])] = &[
    (TYPES, &[]),
    (TLOG, &[TYPES]),
    (POLICY, &[TYPES]),
    (CORE, &[TYPES, TLOG, POLICY]),
    (VERIFY, &[CORE, TYPES, TLOG, POLICY]),
    (STORE, &[CORE, TYPES, TLOG]),
    (KEYS, &[CORE, TYPES, TLOG]),
    (ANCHOR, &[CORE, TYPES, TLOG]),
    (
        SERVICE,
        &[CORE, TYPES, TLOG, POLICY, STORE, KEYS, ANCHOR, VERIFY],
    ),
    (
        "paygod",
        &[
            CORE, TYPES, TLOG, POLICY, STORE, KEYS, ANCHOR, VERIFY, SERVICE,
        ],
    ),
    ("xtask", &[]),
];

pub(crate) fn faults(root: &Path) -> Result<Faults, String> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--locked"])
        .current_dir(root)
        .output()
        .map_err(|error| format!("cargo metadata could not start: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
    }
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("cargo metadata printed no JSON: {error}"))?;
    let packages = metadata
        .get("packages")
        .and_then(serde_json::Value::as_array);
    let mut faults = Faults::new();
    for package in packages.into_iter().flatten() {
        check_package(package, &mut faults);
    }
    Ok(faults)
}

fn check_package(package: &serde_json::Value, faults: &mut Faults) {
    let name = text(package, "name");
    let Some((_, allowed)) = ARROWS.iter().find(|(known, _)| *known == name) else {
        faults.push(format!(
            "crate `{name}` has no row in xtask/src/arrows.rs: add one, and one in ARCHITECTURE.md"
        ));
        return;
    };
    let dependencies = package
        .get("dependencies")
        .and_then(serde_json::Value::as_array);
    for dependency in dependencies.into_iter().flatten() {
        let target = text(dependency, "name");
        let ours = ARROWS.iter().any(|(known, _)| *known == target);
        let for_tests_only = text(dependency, "kind") == "dev";
        if ours && !for_tests_only && !allowed.contains(&target) {
            faults.push(format!(
                "`{name}` depends on `{target}`, which the layout forbids"
            ));
        }
        let pinned = text(dependency, "req").starts_with('=');
        if !ours && !pinned {
            faults.push(format!(
                "`{name}` takes `{target}` without an exact version (`={}`)",
                text(dependency, "req")
            ));
        }
    }
}

fn text<'a>(value: &'a serde_json::Value, key: &str) -> &'a str {
    value
        .get(key)
        .and_then(serde_json::Value::as_str)
        .unwrap_or("")
}
