//! Schema stability: no published contract changes by accident, and none breaks.
//!
//! `contracts/manifest.json` names every contract with its version and the SHA-256 of its bytes. `contracts/released/`
//! holds each as it was last released. A contract that differs from its released text must carry a higher version: a
//! patch for other words, a minor version for an addition. A change that breaks is refused whatever its version:
//! it goes into a new file (`name.v2.json`), and the old one stays.

use crate::Faults;
use crate::schema_change::{Impact, registry, schema};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

const MANIFEST: &str = "contracts/manifest.json";
const RELEASED: &str = "contracts/released";
const SCHEMAS: &str = "contracts/schemas";
const ERRORS: &str = "errors.json";
const HOW: &str = "run `cargo xtask schemas --bump`, read the difference, and commit it";

/// A contract: its name in the manifest and its bytes.
type Contracts = BTreeMap<String, Vec<u8>>;

/// What the manifest says of a contract.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Listed {
    version: Version,
    digest: String,
}

type Manifest = BTreeMap<String, Listed>;

/// A version by SemVer, without pre-releases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Version(u32, u32, u32);

impl Version {
    const FIRST: Self = Self(1, 0, 0);

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.').map(|part| part.parse().ok());
        let version = Self(parts.next()??, parts.next()??, parts.next()??);
        parts.next().is_none().then_some(version)
    }

    fn text(self) -> String {
        format!("{}.{}.{}", self.0, self.1, self.2)
    }

    /// The least version after a change.
    fn after(self, impact: Impact) -> Self {
        match impact {
            Impact::Words => Self(self.0, self.1, self.2.saturating_add(1)),
            Impact::Adds => Self(self.0, self.1.saturating_add(1), 0),
            Impact::Breaks => Self(self.0.saturating_add(1), 0, 0),
        }
    }
}

pub(crate) fn faults(root: &Path) -> Result<Faults, String> {
    let now = contracts(root, "contracts")?;
    let manifest = manifest(&read(root, MANIFEST)?)?;
    let released = contracts(root, RELEASED)?;
    let before = self::manifest(&read(root, &format!("{RELEASED}/manifest.json"))?)?;
    Ok(compare(&now, &manifest, &released, &before))
}

/// Writes the manifest anew with the least versions that the changes ask for. Says what it did; a change that breaks
/// is left for its author.
pub(crate) fn bump(root: &Path) -> Result<Vec<String>, String> {
    let now = contracts(root, "contracts")?;
    let mut manifest = manifest(&read(root, MANIFEST).unwrap_or_else(|_| "{}".to_owned()))?;
    let released = contracts(root, RELEASED)?;
    let text = read(root, &format!("{RELEASED}/manifest.json")).unwrap_or_else(|_| "{}".to_owned());
    let before = self::manifest(&text)?;
    let mut told = Vec::new();
    manifest.retain(|name, _| now.contains_key(name));
    for (name, bytes) in &now {
        let least = match (released.get(name), before.get(name)) {
            (Some(old), Some(listed)) => match impact(name, old, bytes).0 {
                Some(Impact::Breaks) => {
                    told.push(format!(
                        "{name}: breaks; it needs a file of its own, see `cargo xtask schemas`"
                    ));
                    continue;
                }
                Some(impact) => listed.version.after(impact),
                None => listed.version,
            },
            _ => Version::FIRST,
        };
        let listed = Listed {
            version: least,
            digest: digest(bytes),
        };
        if manifest.get(name) != Some(&listed) {
            told.push(format!("{name}: {}", least.text()));
            manifest.insert(name.clone(), listed);
        }
    }
    let path = root.join(MANIFEST);
    std::fs::write(&path, spelt(&manifest)).map_err(|error| format!("{MANIFEST}: {error}"))?;
    Ok(told)
}

fn read(root: &Path, name: &str) -> Result<String, String> {
    std::fs::read_to_string(root.join(name)).map_err(|error| format!("{name}: {error}"))
}

/// The registry of errors and every schema below a folder.
fn contracts(root: &Path, folder: &str) -> Result<Contracts, String> {
    let mut found = Contracts::new();
    let errors = root.join(folder).join(ERRORS);
    let bytes = std::fs::read(&errors).map_err(|error| format!("{folder}/{ERRORS}: {error}"))?;
    found.insert(ERRORS.to_owned(), bytes);
    let schemas = root.join(folder).join("schemas");
    let listing =
        std::fs::read_dir(&schemas).map_err(|error| format!("{folder}/schemas: {error}"))?;
    for entry in listing {
        let path = entry.map_err(|error| format!("{SCHEMAS}: {error}"))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let bytes = std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        found.insert(format!("schemas/{name}"), bytes);
    }
    Ok(found)
}

fn manifest(text: &str) -> Result<Manifest, String> {
    let value: Value =
        serde_json::from_str(text).map_err(|error| format!("{MANIFEST}: {error}"))?;
    let rows = value.get("contracts").and_then(Value::as_array);
    let mut manifest = Manifest::new();
    for row in rows.into_iter().flatten() {
        let field = |key: &str| row.get(key).and_then(Value::as_str).unwrap_or_default();
        let version = Version::parse(field("version")).ok_or_else(|| {
            format!(
                "{MANIFEST}: `{}` has no version such as 1.0.0",
                field("name")
            )
        })?;
        let listed = Listed {
            version,
            digest: field("digest").to_owned(),
        };
        manifest.insert(field("name").to_owned(), listed);
    }
    Ok(manifest)
}

/// The manifest as it is written: a contract a line, so that a difference is easy to read.
fn spelt(manifest: &Manifest) -> String {
    let rows: Vec<String> = manifest
        .iter()
        .map(|(name, listed)| {
            let row =
                json!({"digest": listed.digest, "name": name, "version": listed.version.text()});
            format!("    {row}")
        })
        .collect();
    format!("{{\n  \"contracts\": [\n{}\n  ]\n}}\n", rows.join(",\n"))
}

fn digest(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in Sha256::digest(bytes) {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// What changed between two texts of a contract, and the first change of the greatest impact.
fn impact(name: &str, old: &[u8], new: &[u8]) -> (Option<Impact>, String) {
    if old == new {
        return (None, String::new());
    }
    let parse = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes);
    let (Ok(old), Ok(new)) = (parse(old), parse(new)) else {
        return (Some(Impact::Breaks), "it is not JSON".to_owned());
    };
    let changes = if name == ERRORS {
        registry(&old, &new)
    } else {
        schema(&old, &new)
    };
    let greatest = changes.iter().map(|change| change.impact).max();
    let first = changes
        .iter()
        .find(|change| Some(change.impact) == greatest);
    let what = first.map_or_else(
        || "only its layout changed".to_owned(),
        |change| change.what.clone(),
    );
    // Other white space is other bytes, and nothing else.
    (Some(greatest.unwrap_or(Impact::Words)), what)
}

fn compare(
    now: &Contracts,
    manifest: &Manifest,
    released: &Contracts,
    before: &Manifest,
) -> Faults {
    let mut faults = Faults::new();
    for (name, old) in released {
        let Some(new) = now.get(name) else {
            faults.push(format!(
                "contracts/{name}: was released and is gone: what relies on it breaks; put it back"
            ));
            continue;
        };
        let (Some(listed), Some(was)) = (manifest.get(name), before.get(name)) else {
            continue;
        };
        match impact(name, old, new) {
            (Some(Impact::Breaks), what) => faults.push(format!(
                "contracts/{name}: breaks what was released ({what}): leave it, and write the new one into a file of \
                 the next version, such as `.v2.json`"
            )),
            (Some(impact), what) if listed.version < was.version.after(impact) => {
                faults.push(format!(
                    "contracts/{name}: changed ({what}) and is still {}; it is at least {} now: {HOW}",
                    listed.version.text(),
                    was.version.after(impact).text()
                ));
            }
            (None, _) if listed.version != was.version => faults.push(format!(
                "contracts/{name}: is {} and did not change since {}: {HOW}",
                listed.version.text(),
                was.version.text()
            )),
            _ => {}
        }
    }
    for (name, bytes) in now {
        match manifest.get(name) {
            None => faults.push(format!("contracts/{name}: is not in the manifest: {HOW}")),
            Some(listed) if listed.digest != digest(bytes) => faults.push(format!(
                "contracts/{name}: is not what the manifest's digest says: {HOW}"
            )),
            Some(_) => {}
        }
    }
    for name in manifest.keys().filter(|name| !now.contains_key(*name)) {
        faults.push(format!(
            "{MANIFEST}: lists `{name}`, which is not there: {HOW}"
        ));
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::{Contracts, Listed, Manifest, Version, compare, digest, manifest, spelt};

    const SCHEMA: &str =
        r#"{"title":"t","type":"object","required":["a"],"properties":{"a":{"type":"string"}}}"#;

    fn contracts(text: &str) -> Contracts {
        Contracts::from([("schemas/x.v1.json".to_owned(), text.as_bytes().to_vec())])
    }

    fn listed(text: &str, version: Version) -> Manifest {
        let digest = digest(text.as_bytes());
        Manifest::from([("schemas/x.v1.json".to_owned(), Listed { version, digest })])
    }

    /// The faults of a contract that was released as `SCHEMA` 1.2.3.
    fn faults(text: &str, version: Version) -> Vec<String> {
        let released = listed(SCHEMA, Version(1, 2, 3));
        compare(
            &contracts(text),
            &listed(text, version),
            &contracts(SCHEMA),
            &released,
        )
    }

    #[test]
    fn an_unchanged_contract_keeps_its_version() {
        assert!(faults(SCHEMA, Version(1, 2, 3)).is_empty());
        assert_eq!(faults(SCHEMA, Version(1, 3, 0)).len(), 1);
    }

    #[test]
    fn a_change_needs_the_version_that_it_is() {
        let words = SCHEMA.replace("\"t\"", "\"other\"");
        assert_eq!(faults(&words, Version(1, 2, 3)).len(), 1);
        assert!(faults(&words, Version(1, 2, 4)).is_empty());
        let more = SCHEMA.replace(
            "\"properties\":{",
            "\"properties\":{\"b\":{\"type\":\"string\"},",
        );
        assert_eq!(faults(&more, Version(1, 2, 4)).len(), 1);
        assert!(faults(&more, Version(1, 3, 0)).is_empty());
    }

    #[test]
    fn a_break_is_refused_whatever_its_version() {
        let less = SCHEMA.replace(
            "\"a\":{\"type\":\"string\"}",
            "\"a\":{\"type\":\"integer\"}",
        );
        for version in [Version(1, 2, 3), Version(1, 3, 0), Version(2, 0, 0)] {
            let found = faults(&less, version);
            assert!(
                found.iter().any(|fault| fault.contains("breaks")),
                "{found:?}"
            );
        }
        let gone = compare(
            &Contracts::new(),
            &Manifest::new(),
            &contracts(SCHEMA),
            &listed(SCHEMA, Version(1, 2, 3)),
        );
        assert!(
            gone.iter().any(|fault| fault.contains("is gone")),
            "{gone:?}"
        );
    }

    #[test]
    fn a_contract_that_the_manifest_does_not_know_or_knows_otherwise_is_a_fault() {
        let unknown = compare(
            &contracts(SCHEMA),
            &Manifest::new(),
            &Contracts::new(),
            &Manifest::new(),
        );
        assert_eq!(unknown.len(), 1, "{unknown:?}");
        let other = listed("{}", Version(1, 0, 0));
        let changed = compare(
            &contracts(SCHEMA),
            &other,
            &Contracts::new(),
            &Manifest::new(),
        );
        assert_eq!(changed.len(), 1, "{changed:?}");
    }

    #[test]
    fn the_manifest_reads_back() {
        let written = listed(SCHEMA, Version(1, 2, 3));
        assert_eq!(manifest(&spelt(&written)), Ok(written));
        assert!(manifest(r#"{"contracts":[{"name":"x","version":"1"}]}"#).is_err());
    }
}
