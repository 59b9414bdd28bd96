//! Checking a run that somebody else made: every byte against what the receipt and the manifest say of it, then
//! the whole judgement again.
//!
//! The first file that is wrong is named. Receipt and manifest both list what is judged, so of one changed file
//! the two others bear witness; when more than one was changed to fit, judging again from the evidence shows it.

use std::collections::BTreeMap;
use std::sync::Arc;

use paygod_types::Timestamp;

use crate::json::Json;
use crate::list::List;
use crate::pack::Pack;
use crate::run::{DECISION, FINDINGS, INPUT, MANIFEST, PLAN, RECEIPT, Run, file};

/// The first file of a run that is not as it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Altered {
    /// The file, relative to the run's folder.
    pub file: String,
    /// What is wrong with it.
    pub problem: &'static str,
}

const MISSING: &str = "the file is missing";
const FOREIGN: &str = "the file does not belong to the run";
const WRITTEN: &str = "its bytes are not those that were written";
const EXTRA: &str = "it lists a file that is not there";

fn altered(file: &str, problem: &'static str) -> Altered {
    Altered {
        file: file.to_owned(),
        problem,
    }
}

impl Run {
    /// Checks the files of a run's folder by judging again.
    ///
    /// # Errors
    /// [`Altered`] names the first file that is missing, was changed, or does not belong there.
    pub fn check(files: &BTreeMap<String, Vec<u8>>) -> Result<Self, Altered> {
        for needed in [MANIFEST, RECEIPT, PLAN, FINDINGS, DECISION, INPUT] {
            if !files.contains_key(needed) {
                return Err(altered(needed, MISSING));
            }
        }
        let manifest = listed(files, MANIFEST)?;
        let receipt = listed(files, RECEIPT)?;
        let says = |list: &BTreeMap<String, Json>, name: &str| {
            let bytes = files.get(name);
            bytes.is_some_and(|bytes| list.get(name) == Some(&file(name, bytes)))
        };
        for name in files.keys() {
            if name == MANIFEST {
                continue;
            }
            if name == RECEIPT {
                if says(&manifest, name) {
                    continue;
                }
                if !receipt.keys().all(|name| says(&receipt, name)) {
                    return Err(altered(name, WRITTEN));
                }
                // Receipt and manifest disagree, and only judging again tells which of them is right.
                return again(files);
            }
            match (says(&manifest, name), says(&receipt, name)) {
                (true, true) => {}
                (false, true) => {
                    return Err(altered(
                        MANIFEST,
                        "it lists another file than the one there",
                    ));
                }
                // The manifest bears witness for the file; whether for the receipt too tells who is right.
                (true, false) if !says(&manifest, RECEIPT) => {
                    return Err(altered(RECEIPT, "it lists another file than the one there"));
                }
                _ if !receipt.contains_key(name) => return Err(altered(name, FOREIGN)),
                _ => return Err(altered(name, WRITTEN)),
            }
        }
        // A file that both list and is not there is lost; one that only one of them lists never was.
        for (list, other, lister) in [
            (&manifest, &receipt, MANIFEST),
            (&receipt, &manifest, RECEIPT),
        ] {
            if let Some(name) = list.keys().find(|name| !files.contains_key(*name)) {
                return Err(if other.contains_key(name) {
                    altered(name, MISSING)
                } else {
                    altered(lister, EXTRA)
                });
            }
        }
        again(files)
    }
}

fn listed(
    files: &BTreeMap<String, Vec<u8>>,
    name: &str,
) -> Result<BTreeMap<String, Json>, Altered> {
    let document = document(files, name)?;
    let Some(Json::Array(items)) = document.get("files") else {
        return Err(altered(name, "it does not list the files of the run"));
    };
    let mut list = BTreeMap::new();
    for item in items {
        let Some(file) = item.get("name").and_then(Json::as_text) else {
            return Err(altered(name, "it does not list the files of the run"));
        };
        if list.insert(file.to_owned(), item.clone()).is_some() {
            return Err(altered(name, "it lists a file twice"));
        }
    }
    Ok(list)
}

/// A document of the run, which must be canonical.
fn document(files: &BTreeMap<String, Vec<u8>>, name: &str) -> Result<Json, Altered> {
    let bytes = files.get(name).map(Vec::as_slice).unwrap_or_default();
    let text = core::str::from_utf8(bytes).map_err(|_| altered(name, "it is not UTF-8"))?;
    let json = Json::parse(text).map_err(|_| altered(name, "it is not JSON"))?;
    let mut canonical = Vec::new();
    json.write(&mut canonical);
    if canonical != bytes {
        return Err(altered(name, "it is not canonical JSON"));
    }
    Ok(json)
}

/// Judges again from the evidence and compares every byte.
fn again(files: &BTreeMap<String, Vec<u8>>) -> Result<Run, Altered> {
    let (mut packs, mut lists) = (Vec::new(), Vec::new());
    for (name, bytes) in files {
        if name.starts_with("evidence/packs/") {
            let pack = Pack::from_archive(bytes);
            packs.push(pack.map_err(|_| altered(name, "it is not a pack's archive"))?);
        } else if name.starts_with("evidence/lists/") {
            let list = List::parse(bytes);
            let list = list.map_err(|_| altered(name, "it is not a list"))?;
            lists.push(Arc::new(list));
        }
    }
    let plan = document(files, PLAN)?;
    let clock = plan.get("clock").and_then(Json::as_text);
    let clock = clock.and_then(|text| Timestamp::parse_canonical(text).ok());
    let clock = clock.ok_or_else(|| altered(PLAN, "it names no clock"))?;
    let input = files.get(INPUT).map(Vec::as_slice).unwrap_or_default();
    let run = Run::judge(&packs, &lists, input, clock)
        .map_err(|_| altered(INPUT, "it cannot be judged by the packs beside it"))?;
    for name in [PLAN, FINDINGS, DECISION, RECEIPT, MANIFEST] {
        if run.files.get(name) != files.get(name) {
            return Err(altered(
                name,
                "it is not what the packs say of the document",
            ));
        }
    }
    let extra = files.keys().find(|name| !run.files.contains_key(*name));
    match extra {
        Some(name) => Err(altered(name, FOREIGN)),
        None => Ok(run),
    }
}
