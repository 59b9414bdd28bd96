//! Packs and lists: from folders and blobs to the ruleset that judges.
//!
//! INVARIANT(fail-closed): a ruleset is built only from blobs whose digests are the ones named, by
//! packs and lists whose names and versions are the ones named. Anything else is refused, and an
//! activation of it is not sealed.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use paygod_core::command::PolicySet;
use paygod_policy::limits::{PACK_BYTES_MAX, PACK_FILES_MAX};
use paygod_policy::{List, ListError, Named, Pack, PackError, Ruleset, RulesetError};
use paygod_store::{BlobError, Blobs};
use paygod_types::{Code, Digest, code};

/// How deep a pack's folders nest.
const PACK_DEPTH_MAX: usize = 4;

/// A pack or list cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// A pack's folder cannot be read.
    #[error("the pack folder `{}` cannot be read: {source}; name a folder with `pack.yaml` and `tests/cases.yaml`", path.display())]
    Folder {
        /// The folder or file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A pack has faults.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// A list has faults.
    #[error(transparent)]
    List(#[from] ListError),
    /// Packs and lists do not go together.
    #[error(transparent)]
    Ruleset(#[from] RulesetError),
    /// A pack or list is not in the book, or cannot be read.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// A blob is not what it is called.
    #[error(
        "the blob {digest} is `{found}`, not `{expected}`; name the pack or list as it names itself"
    )]
    Misnamed {
        /// Its digest.
        digest: Digest,
        /// What it calls itself.
        found: String,
        /// What it was called.
        expected: String,
    },
    /// A pack that judges documents was to judge the transfers of a book.
    #[error("the pack `{name}` judges documents, not transfers; use it with `paygod run`")]
    Subject {
        /// Its name.
        name: String,
    },
    /// A list was never imported.
    #[error(
        "the list `{name}` was not imported into this book; import it with `paygod list import`"
    )]
    NoList {
        /// Its name.
        name: String,
    },
    /// The book holds a list of this name and version with other names in it.
    #[error(
        "this book holds another list `{name}` of version `{version}`; give this one a version of its own"
    )]
    ListTaken {
        /// Its name.
        name: String,
        /// Its version.
        version: String,
    },
    /// The book holds several versions of a list, and it was not said which is meant.
    #[error(
        "this book holds the list `{name}` in the versions `{versions}`; say which when you activate, with `--list {name}=<version>`"
    )]
    ListVersions {
        /// Its name.
        name: String,
        /// The versions.
        versions: String,
    },
}

impl PolicyError {
    /// The permanent code.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Folder { .. } => code::LEDGER_PACK_FOLDER,
            Self::Pack(error) => error.code(),
            Self::List(error) => error.code(),
            Self::Ruleset(error) => error.code(),
            Self::Blob(error) => error.code(),
            Self::Misnamed { .. } => code::STORE_CORRUPT,
            Self::Subject { .. } => code::PACK_SUBJECT,
            Self::NoList { .. } => code::LEDGER_NO_LIST,
            Self::ListTaken { .. } => code::LEDGER_LIST_TAKEN,
            Self::ListVersions { .. } => code::LEDGER_LIST_VERSIONS,
        }
    }
}

/// Reads and checks the pack in a folder.
///
/// # Errors
/// The folder cannot be read, or the pack has faults.
pub fn read_pack(folder: &Path) -> Result<Pack, PolicyError> {
    let mut files = BTreeMap::new();
    read_folder(folder, folder, 0, &mut files)?;
    Ok(Pack::from_files(&files)?)
}

fn read_folder(
    root: &Path,
    folder: &Path,
    depth: usize,
    files: &mut BTreeMap<String, String>,
) -> Result<(), PolicyError> {
    let fault = |path: &Path, source| PolicyError::Folder {
        path: path.to_path_buf(),
        source,
    };
    for entry in fs::read_dir(folder).map_err(|source| fault(folder, source))? {
        let path = entry.map_err(|source| fault(folder, source))?.path();
        let hidden = path
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if hidden {
            continue;
        }
        if depth >= PACK_DEPTH_MAX || files.len() >= PACK_FILES_MAX {
            return Err(fault(
                &path,
                io::Error::other("the folder has too many files or is too deep"),
            ));
        }
        if path.is_dir() {
            read_folder(root, &path, depth.saturating_add(1), files)?;
            continue;
        }
        let text = read_text(&path).map_err(|source| fault(&path, source))?;
        let relative = path.strip_prefix(root).unwrap_or(&path);
        files.insert(relative.to_string_lossy().replace('\\', "/"), text);
    }
    Ok(())
}

/// Never reads more than a pack may have, whatever the file is.
fn read_text(path: &Path) -> io::Result<String> {
    let limit = u64::try_from(PACK_BYTES_MAX).unwrap_or(u64::MAX);
    let mut text = String::new();
    fs::File::open(path)?
        .take(limit.saturating_add(1))
        .read_to_string(&mut text)?;
    if text.len() > PACK_BYTES_MAX {
        return Err(io::Error::other("the file is longer than a pack may be"));
    }
    Ok(text)
}

/// Builds the ruleset of a set from the book's blobs.
pub(super) fn build(blobs: &Blobs, set: &PolicySet) -> Result<Arc<Ruleset>, PolicyError> {
    let mut builder = Ruleset::builder();
    for named in &set.packs {
        let pack = Pack::from_archive(&blobs.get(&named.digest)?)?;
        same(named, pack.named())?;
        builder = builder.pack(pack);
    }
    for named in &set.lists {
        let list = List::parse(&blobs.get(&named.digest)?)?;
        same(named, list.named())?;
        builder = builder.list(Arc::new(list));
    }
    Ok(Arc::new(builder.build()?))
}

fn same(expected: &Named, found: &Named) -> Result<(), PolicyError> {
    if expected == found {
        return Ok(());
    }
    Err(PolicyError::Misnamed {
        digest: expected.digest,
        found: format!("{} {}", found.name, found.version),
        expected: format!("{} {}", expected.name, expected.version),
    })
}
