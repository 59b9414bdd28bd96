//! Packs named on the command line: a pack's folder, a folder of packs, or an archive.

use crate::fault::Fault;
use crate::files;
use paygod_policy::limits::{ARCHIVE_BYTES_MAX, LIST_BYTES_MAX};
use paygod_policy::{List, Pack};
use paygod_service::ledger::{PolicyError, read_pack};
use paygod_types::code;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How deep packs lie below a folder that is named.
const DEPTH_MAX: usize = 4;
/// What makes a folder a pack.
const MANIFEST: &str = "pack.yaml";
/// Unfinished packs, which no gate looks at.
const DRAFTS: &str = "_drafts";

/// Reads a pack from its folder or its archive.
pub(crate) fn open(path: &Path) -> Result<Pack, Fault> {
    if path.is_dir() && !path.join(MANIFEST).is_file() {
        let message = format!("`{}` is no pack: it holds no `{MANIFEST}`", path.display());
        return Err(Fault::new(code::LEDGER_PACK_FOLDER, message));
    }
    load(path)?.map_err(|error| {
        let fault = Fault::from(error);
        // Its messages name files within the pack.
        if fault.code() == code::PACK_PROBLEMS {
            return fault.while_doing(&format!("`{}`", path.display()));
        }
        fault
    })
}

/// As [`open`], with the faults of the pack itself told apart from a path that cannot be read.
pub(super) fn load(path: &Path) -> Result<Result<Pack, PolicyError>, Fault> {
    if path.is_file() {
        let bytes = files::read(path, ARCHIVE_BYTES_MAX)?;
        return Ok(Pack::from_archive(&bytes).map_err(PolicyError::from));
    }
    Ok(read_pack(path))
}

/// The packs that paths stand for, in order of their paths: a path is itself a pack, or a folder of packs.
pub(super) fn all(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Fault> {
    let mut found = Vec::new();
    for path in paths {
        // What is named itself is taken as a pack, so that a missing `pack.yaml` is told as such.
        let before = found.len();
        if path.is_dir() && !path.join(MANIFEST).is_file() {
            walk(path, 0, &mut found)?;
        }
        if found.len() == before {
            found.push(path.clone());
        }
    }
    Ok(found)
}

fn walk(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), Fault> {
    let failed = |error: std::io::Error| {
        Fault::of(code::CLI_INPUT, &error)
            .while_doing(&format!("cannot read the folder `{}`", folder.display()))
    };
    if depth > DEPTH_MAX {
        return Ok(());
    }
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() && name != DRAFTS && !name.starts_with('.') {
            folders.push(path);
        }
    }
    folders.sort();
    for path in folders {
        if path.join(MANIFEST).is_file() {
            found.push(path);
        } else {
            walk(&path, depth.saturating_add(1), found)?;
        }
    }
    Ok(())
}

/// Reads list files.
pub(crate) fn lists(paths: &[PathBuf]) -> Result<Vec<Arc<List>>, Fault> {
    paths
        .iter()
        .map(|path| {
            let bytes = files::read(path, LIST_BYTES_MAX)?;
            Ok(Arc::new(List::parse(&bytes)?))
        })
        .collect()
}
