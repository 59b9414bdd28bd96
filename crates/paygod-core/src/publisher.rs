//! What a publisher of packs signs: a pack, by name, version and digest; a report of a replay, by log and
//! digest. Both are the texts of signed notes (C2SP signed-note), each beginning with a line of its own.
//!
//! A detached signature is the whole note; an entry holds only the key and the 64 bytes, from which the
//! text, and so the note, follows.

use std::sync::Arc;

use paygod_policy::Named;
use paygod_tlog::{NoteVerifier, SignedNote};
use paygod_types::{Code, Digest, code};

use crate::keys;

/// First line of what a publisher hands out.
pub const PUBLISHER_KEY_HEADER: &str = "paygod/v1 publisher key";
/// First line of what vouches for a pack.
pub const PACK_HEADER: &str = "paygod/v1 pack";
/// First line of what vouches for a report of a replay.
pub const REPORT_HEADER: &str = "paygod/v1 replay report";

/// Why a publisher's signature does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublisherError {
    /// The file is no signed note.
    #[error(
        "the signature is no signed note: {reason}; use the file that `paygod pack sign` wrote"
    )]
    Form {
        /// What is wrong.
        reason: String,
    },
    /// It is a signature of something else.
    #[error("the signature is over another text, `{found}`; use the one that belongs to this file")]
    Other {
        /// The text's lines, joined.
        found: String,
    },
    /// The publisher's key is none.
    #[error("the publisher's key is not usable: {reason}; write it as the publisher handed it out")]
    Key {
        /// What is wrong.
        reason: String,
    },
    /// The publisher has not signed it.
    #[error(
        "`{key}` has not signed it: {reason}; ask the publisher for the file and its signature"
    )]
    Signature {
        /// The publisher's vkey.
        key: String,
        /// What is wrong.
        reason: String,
    },
}

impl PublisherError {
    /// A note over another text.
    #[must_use]
    pub fn other(text: &str) -> Self {
        Self::Other {
            found: text.trim_end().replace('\n', " / "),
        }
    }

    /// The permanent code.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Form { .. } => code::PACK_SIGNATURE_FORM,
            Self::Key { .. } => code::PACK_PUBLISHER_KEY,
            Self::Other { .. } | Self::Signature { .. } => code::PACK_SIGNATURE,
        }
    }
}

/// The text that vouches for a pack: header, name, version, digest, a line each.
#[must_use]
pub fn pack_text(pack: &Named) -> String {
    format!(
        "{PACK_HEADER}\n{}\n{}\n{}\n",
        pack.name, pack.version, pack.digest
    )
}

/// The text that vouches for a report of a replay: header, origin of the log, its size, the SHA-256 of the
/// report's bytes.
#[must_use]
pub fn report_text(origin: &str, size: u64, report: &[u8]) -> String {
    format!(
        "{REPORT_HEADER}\n{origin}\n{size}\n{}\n",
        Digest::sha256(report)
    )
}

/// The text of a note, unverified.
///
/// # Errors
/// It is no note.
pub fn text_of(note: &[u8]) -> Result<String, PublisherError> {
    Ok(parse(note)?.text().to_owned())
}

fn parse(note: &[u8]) -> Result<SignedNote, PublisherError> {
    SignedNote::parse(note).map_err(|error| PublisherError::Form {
        reason: error.to_string(),
    })
}

/// Checks that a note is over `text` and signed by the key; gives the signature.
///
/// # Errors
/// It is no note, over another text, or not signed by the key.
pub fn open_signature(note: &[u8], text: &str, vkey: &str) -> Result<[u8; 64], PublisherError> {
    let note = parse(note)?;
    if note.text() != text {
        return Err(PublisherError::other(note.text()));
    }
    let verifier = keys::ed25519(vkey).map_err(|fault| PublisherError::Key {
        reason: fault.to_string(),
    })?;
    let refused = |reason: String| PublisherError::Signature {
        key: vkey.to_owned(),
        reason,
    };
    note.verify(&[&verifier])
        .map_err(|error| refused(error.to_string()))?;
    let signature = note
        .signatures()
        .iter()
        .find(|one| one.name == *verifier.name() && one.id == verifier.id())
        .and_then(|one| <[u8; 64]>::try_from(one.signature.as_slice()).ok());
    signature.ok_or_else(|| refused("it has not 64 bytes".to_owned()))
}

/// The vkeys that signed a note, by their names and ids, among some.
///
/// # Errors
/// It is no note.
pub fn signers_among<'a>(
    note: &[u8],
    vkeys: impl Iterator<Item = &'a Arc<str>>,
) -> Result<Vec<Arc<str>>, PublisherError> {
    let note = parse(note)?;
    let signed = |vkey: &&Arc<str>| {
        keys::parse(vkey).is_ok_and(|key| {
            let mut signatures = note.signatures().iter();
            signatures.any(|one| one.name == *key.name() && one.id == key.id())
        })
    };
    Ok(vkeys.filter(signed).cloned().collect())
}
