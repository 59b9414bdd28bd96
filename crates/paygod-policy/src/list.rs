//! Named, versioned lists: their canonical file, exact and normalised look-up.

use paygod_types::{Digest, Name};

use crate::ruleset::Named;

/// Why a list cannot be made or read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ListError {
    /// Not the canonical bytes of a list.
    #[error("line {line} of the list is not canonical: {reason}; import the list again")]
    NotCanonical {
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        reason: &'static str,
    },
}

/// A list, ready for look-ups.
#[derive(Debug)]
pub struct List {
    named: Named,
    bytes: Vec<u8>,
}

/// Collects entries into a [`List`]; order and repetition do not matter.
#[derive(Debug)]
pub struct ListBuilder {
    name: Name,
    version: String,
}

impl ListBuilder {
    /// Starts a list. `version` is the publisher's own (for the SDN list its publication date).
    #[must_use]
    pub fn new(name: Name, version: &str) -> Self {
        Self { name, version: version.to_owned() }
    }

    /// Adds one entry: the publisher's own identifier and all its names (principal and aliases). Names of
    /// one uid given twice are joined.
    pub fn entry<'a>(&mut self, uid: &str, names: impl IntoIterator<Item = &'a str>) {
        let _ = (uid, names.into_iter().count());
    }

    /// Finishes the list.
    ///
    /// # Errors
    /// [`ListError`] if a limit is passed, or a name or uid cannot stand in a list.
    pub fn build(self) -> Result<List, ListError> {
        let named = Named { name: self.name, version: self.version, digest: Digest::sha256(b"") };
        Ok(List { named, bytes: Vec::new() })
    }
}

impl List {
    /// Reads the canonical bytes of a list.
    ///
    /// # Errors
    /// [`ListError`] with the line that is wrong.
    pub fn parse(bytes: &[u8]) -> Result<Self, ListError> {
        let _ = bytes;
        Err(ListError::NotCanonical { line: 1, reason: "no header" })
    }

    /// Name, version, digest.
    #[must_use]
    pub const fn named(&self) -> &Named {
        &self.named
    }

    /// The canonical bytes, whose SHA-256 is the digest.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}
