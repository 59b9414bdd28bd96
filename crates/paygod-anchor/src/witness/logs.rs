//! The logs that a witness knows: a folder each, named by the SHA-256 of the origin.
//!
//! | file | what |
//! | --- | --- |
//! | `origin` | the origin |
//! | `keys` | the log's vkeys, one a line: a checkpoint by any of them counts |
//! | `checkpoint` | the last one cosigned, with the signatures that were verified and the cosignatures |
//!
//! Keys are read at every request, so adding and removing one takes effect at once. A log whose last key
//! is removed is unknown, and what was cosigned is remembered all the same: bringing the key back does not
//! let the log begin anew.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use paygod_tlog::limits::{KEY_NAME_BYTES_MAX, VERIFIER_KEY_BYTES_MAX};
use paygod_tlog::{KeyError, LogVerifier, VerifierKey};
use paygod_types::{Code, code};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use super::record;

/// Keys of one log: those of a rotation, and an ML-DSA-44 one beside each.
pub const KEYS_MAX: usize = 16;

/// The folder of logs within a witness's.
const FOLDER: &str = "logs";

/// What a witness knows of logs could not be read or changed.
#[derive(Debug, Error)]
pub enum LogsError {
    /// The operating system refused something.
    #[error("`{}`: {source}; check the disk and the permissions", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// A file does not hold what it should.
    #[error("`{}` does not hold what it should: {reason}; restore it from a backup", path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The origin cannot name a log.
    #[error("an origin has 1 to {KEY_NAME_BYTES_MAX} bytes without control characters; check it")]
    Origin,
    /// The key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// There are too many keys.
    #[error("a log has at most {KEYS_MAX} keys; remove one first")]
    TooMany,
    /// The key is not one of the log's.
    #[error("`{vkey}` is no key of that log; `witness logs` lists them")]
    NotThere {
        /// The key.
        vkey: String,
    },
}

impl LogsError {
    /// The permanent code.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Io { .. } | Self::Form { .. } => code::WITNESS_STATE,
            Self::Origin | Self::TooMany | Self::NotThere { .. } => code::WITNESS_LOG,
            Self::Key(error) => error.code(),
        }
    }
}

/// A log that a witness knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// Its origin.
    pub origin: String,
    /// Its keys.
    pub keys: Vec<VerifierKey>,
}

/// The name of an origin's folder, and of its checkpoint on the monitoring prefix: SHA-256 in lower-case
/// hexadecimal (tlog-witness).
#[must_use]
pub fn origin_hash(origin: &str) -> String {
    let mut hex = Vec::with_capacity(64);
    paygod_types::write_hex(&Sha256::digest(origin.as_bytes()), &mut hex);
    String::from_utf8_lossy(&hex).into_owned()
}

/// Where what is known of a log stands.
pub(super) fn folder(dir: &Path, origin_hash: &str) -> PathBuf {
    dir.join(FOLDER).join(origin_hash)
}

/// The keys of a log; none when it is not known.
///
/// # Errors
/// The files cannot be read, or hold something else.
pub fn keys(dir: &Path, origin: &str) -> Result<Vec<VerifierKey>, LogsError> {
    let path = folder(dir, &origin_hash(origin)).join("keys");
    let max = KEYS_MAX * (VERIFIER_KEY_BYTES_MAX + 1);
    let bytes = record::read(&path, max).map_err(|source| LogsError::Io {
        path: path.clone(),
        source,
    })?;
    let form = |reason: String| LogsError::Form {
        path: path.clone(),
        reason,
    };
    let text = String::from_utf8(bytes.unwrap_or_default());
    let text = text.map_err(|error| form(error.to_string()))?;
    let keys: Result<Vec<VerifierKey>, KeyError> = text.lines().map(VerifierKey::parse).collect();
    keys.map_err(|error| form(error.to_string()))
}

/// Adds a key to a log, and the log if it is new. A key that is there already is fine.
///
/// # Errors
/// The key cannot verify checkpoints, there are too many, or the disk refused.
pub fn add_key(dir: &Path, origin: &str, key: &VerifierKey) -> Result<Log, LogsError> {
    let printable = origin.bytes().all(|byte| byte >= 0x20);
    if origin.is_empty() || origin.len() > KEY_NAME_BYTES_MAX || !printable {
        return Err(LogsError::Origin);
    }
    LogVerifier::new(key)?;
    change(dir, origin, |keys| {
        if !keys.contains(key) {
            keys.push(key.clone());
        }
        if keys.len() > KEYS_MAX {
            return Err(LogsError::TooMany);
        }
        Ok(())
    })
}

/// Removes a key from a log.
///
/// # Errors
/// The log has no such key, or the disk refused.
pub fn remove_key(dir: &Path, origin: &str, key: &VerifierKey) -> Result<Log, LogsError> {
    change(dir, origin, |keys| {
        let before = keys.len();
        keys.retain(|one| one != key);
        if keys.len() == before {
            return Err(LogsError::NotThere {
                vkey: key.to_string(),
            });
        }
        Ok(())
    })
}

/// All logs, by the name of their folder.
///
/// # Errors
/// The disk refused, or a file holds something else.
pub fn list(dir: &Path) -> Result<Vec<Log>, LogsError> {
    let root = dir.join(FOLDER);
    let fault = |path: &Path, source: io::Error| LogsError::Io {
        path: path.to_path_buf(),
        source,
    };
    let entries = match fs::read_dir(&root) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(fault(&root, error)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        paths.push(entry.map_err(|error| fault(&root, error))?.path());
    }
    paths.sort_unstable();
    let mut logs = Vec::new();
    for path in paths {
        let path = path.join("origin");
        let bytes = record::read(&path, KEY_NAME_BYTES_MAX).map_err(|error| fault(&path, error))?;
        let Some(bytes) = bytes else { continue };
        let origin = String::from_utf8_lossy(&bytes).into_owned();
        let keys = keys(dir, &origin)?;
        logs.push(Log { origin, keys });
    }
    Ok(logs)
}

/// Changes the keys of a log, one change at a time.
fn change(
    dir: &Path,
    origin: &str,
    change: impl FnOnce(&mut Vec<VerifierKey>) -> Result<(), LogsError>,
) -> Result<Log, LogsError> {
    let folder = folder(dir, &origin_hash(origin));
    let fault = |source| LogsError::Io {
        path: folder.clone(),
        source,
    };
    fs::create_dir_all(&folder).map_err(fault)?;
    let lock = File::create(dir.join("logs.lock")).map_err(fault)?;
    lock.lock().map_err(fault)?;
    let mut keys = keys(dir, origin)?;
    change(&mut keys)?;
    record::replace(&folder.join("origin"), origin.as_bytes()).map_err(fault)?;
    let lines: String = keys.iter().map(|key| format!("{key}\n")).collect();
    record::replace(&folder.join("keys"), lines.as_bytes()).map_err(fault)?;
    Ok(Log {
        origin: origin.to_owned(),
        keys,
    })
}
