//! Packs: `pack.yaml` and its neighbours, read, checked and digested.

use std::collections::BTreeMap;

use crate::ruleset::Named;

/// Everything wrong with a pack, found in one reading.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .problems.join("\n"))]
pub struct PackError {
    /// The messages, each beginning with file, line and column.
    pub problems: Vec<String>,
}

/// A pack, loaded and type-checked.
#[derive(Clone, Debug)]
pub struct Pack {
    named: Named,
    archive: Vec<u8>,
}

impl Pack {
    /// Loads a pack from its files: relative path (with `/`) to text. Reading the folder is the caller's.
    ///
    /// # Errors
    /// [`PackError`] with every problem found.
    pub fn from_files(files: &BTreeMap<String, String>) -> Result<Self, PackError> {
        let _ = files;
        Err(PackError { problems: vec!["pack.yaml: missing".to_owned()] })
    }

    /// Loads a pack from its canonical archive.
    ///
    /// # Errors
    /// [`PackError`] with every problem found; also if the archive is not canonical.
    pub fn from_archive(bytes: &[u8]) -> Result<Self, PackError> {
        let _ = bytes;
        Err(PackError { problems: vec!["pack.yaml: missing".to_owned()] })
    }

    /// Name, version, digest.
    #[must_use]
    pub const fn named(&self) -> &Named {
        &self.named
    }

    /// The canonical archive, whose SHA-256 is the digest.
    #[must_use]
    pub fn archive(&self) -> &[u8] {
        &self.archive
    }
}
