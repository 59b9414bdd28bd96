//! A witness: cosigns a checkpoint when it only adds to the one cosigned before, and never two that do not
//! lie on one line.
//!
//! INVARIANT(witness-line): comparing a checkpoint with the last one, writing it down durably and cosigning
//! it are one step, under one lock, of one process. Nothing leaves before it is on the disk.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use paygod_tlog::limits::NOTE_BYTES_MAX;
use paygod_tlog::{
    AddCheckpoint, Checkpoint, ConsistencyProof, Cosigner, Hash, LogVerifier, MessageError,
    NoteSignature, NoteVerifier, SignedNote, TreeHead, VerifierKey, cosign,
};
use paygod_types::{Code, code};
use thiserror::Error;

use super::logs::{self, LogsError};
use super::record;

/// Keys of one witness: an Ed25519 one and an ML-DSA-44 one, and the same again while they are replaced.
pub const COSIGNERS_MAX: usize = 4;

/// A key of a witness.
pub type WitnessKey = Box<dyn Cosigner + Send + Sync>;

/// A witness and what it remembers, in one folder that one process has open at a time.
pub struct Witness {
    dir: PathBuf,
    keys: Vec<WitnessKey>,
    /// Held from comparing to writing down.
    line: Mutex<()>,
    /// Held while the process lives.
    _lock: File,
}

/// A witness could not be opened.
#[derive(Debug, Error)]
pub enum WitnessError {
    /// The operating system refused something.
    #[error("the witness's folder `{}`: {source}; check the path and the permissions", path.display())]
    Io {
        /// The folder.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// Another process has it open.
    #[error("another process has the witness in `{}` open; stop it first", path.display())]
    Locked {
        /// The folder.
        path: PathBuf,
    },
    /// It has no key, or more than it may.
    #[error("a witness has 1 to {COSIGNERS_MAX} keys; make them with `paygod witness init`")]
    Keys,
}

impl WitnessError {
    /// The permanent code.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Io { .. } | Self::Locked { .. } => code::WITNESS_STATE,
            Self::Keys => code::KEYS_FILE,
        }
    }
}

/// Why a checkpoint was not cosigned: each with its status of tlog-witness.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The request is malformed.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// The note is no checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] paygod_tlog::CheckpointError),
    /// The old size is larger than the checkpoint's.
    #[error("the old size {old} is larger than the checkpoint's, {size}")]
    OldLarger {
        /// The old size.
        old: u64,
        /// The checkpoint's.
        size: u64,
    },
    /// No key is known of the origin.
    #[error("the log is not known to this witness")]
    UnknownLog,
    /// No key of the log signed, or one of them signed wrongly.
    #[error("no key of the log signed the checkpoint: {0}")]
    Untrusted(paygod_tlog::NoteError),
    /// The old size is not that of the checkpoint cosigned last.
    #[error("the checkpoint cosigned last has the size {size}")]
    Conflict {
        /// Its size.
        size: u64,
    },
    /// The checkpoint is not consistent with the one cosigned last.
    #[error("the checkpoint is not consistent: {0}")]
    Inconsistent(String),
    /// What the witness remembers cannot be read or written, or its key does not sign.
    #[error("the witness cannot cosign now: {0}")]
    Failed(String),
}

impl Refusal {
    /// The HTTP status (tlog-witness).
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::Message(MessageError::TooLong { .. }) => 413,
            Self::Message(_) | Self::Checkpoint(_) | Self::OldLarger { .. } => 400,
            Self::Untrusted(_) => 403,
            Self::UnknownLog => 404,
            Self::Conflict { .. } => 409,
            Self::Inconsistent(_) => 422,
            Self::Failed(_) => 500,
        }
    }
}

impl From<LogsError> for Refusal {
    fn from(error: LogsError) -> Self {
        Self::Failed(error.to_string())
    }
}

/// The checkpoint cosigned last.
struct Last {
    head: TreeHead,
    /// The latest time that a cosignature under it says; 0 before the first.
    time: u64,
}

impl Witness {
    /// Opens a witness in its folder, which is made if need be.
    ///
    /// # Errors
    /// There are no keys or too many, another process has it open, or the disk refused.
    pub fn open(dir: &Path, keys: Vec<WitnessKey>) -> Result<Self, WitnessError> {
        if keys.is_empty() || keys.len() > COSIGNERS_MAX {
            return Err(WitnessError::Keys);
        }
        let fault = |source| WitnessError::Io {
            path: dir.to_path_buf(),
            source,
        };
        fs::create_dir_all(dir).map_err(fault)?;
        let lock = File::create(dir.join("witness.lock")).map_err(fault)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                let path = dir.to_path_buf();
                return Err(WitnessError::Locked { path });
            }
            Err(fs::TryLockError::Error(source)) => return Err(fault(source)),
        }
        Ok(Self {
            dir: dir.to_path_buf(),
            keys,
            line: Mutex::new(()),
            _lock: lock,
        })
    }

    /// Its keys.
    pub fn keys(&self) -> impl Iterator<Item = &VerifierKey> {
        self.keys.iter().map(|key| key.verifier_key())
    }

    /// Its folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Cosigns a checkpoint: `add-checkpoint` of tlog-witness. Gives the lines of the cosignatures.
    ///
    /// # Errors
    /// In the order of the specification; nothing is remembered of what was refused.
    pub fn add_checkpoint(&self, body: &[u8], now: u64) -> Result<Vec<u8>, Refusal> {
        let request = AddCheckpoint::parse(body)?;
        let text = request.note.text();
        let checkpoint = Checkpoint::from_extended_text(text)?;
        let trusted = self.trusted(&checkpoint.origin, &request.note)?;
        let head = checkpoint.head;
        if request.old > head.size {
            return Err(Refusal::OldLarger {
                old: request.old,
                size: head.size,
            });
        }
        let _line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        let path = logs::folder(&self.dir, &logs::origin_hash(&checkpoint.origin));
        let path = path.join("checkpoint");
        let last = self.last(&path)?;
        if request.old != last.head.size {
            return Err(Refusal::Conflict {
                size: last.head.size,
            });
        }
        check_consistent(&last.head, &head, request.proof)?;
        // A clock that was put back must not make a larger tree older than a smaller one.
        let time = now.max(last.time);
        let cosigned = self
            .keys
            .iter()
            .map(|key| cosign(&**key, text, time))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| Refusal::Failed(error.to_string()))?;
        let lines = lines(text, &cosigned)?;
        let all = trusted.into_iter().chain(cosigned).collect();
        let note = SignedNote::from_parts(text, all);
        let note = note.map_err(|error| Refusal::Failed(error.to_string()))?;
        record::replace(&path, &note.to_bytes())
            .map_err(|error| Refusal::Failed(error.to_string()))?;
        Ok(lines)
    }

    /// The checkpoint of a log cosigned last: what is served on the monitoring prefix. `origin_hash` as
    /// [`logs::origin_hash`] writes it; of anything else there is none.
    ///
    /// # Errors
    /// The disk refused.
    pub fn checkpoint(&self, origin_hash: &str) -> io::Result<Option<Vec<u8>>> {
        let hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if origin_hash.len() != 64 || !origin_hash.bytes().all(hex) {
            return Ok(None);
        }
        let path = logs::folder(&self.dir, origin_hash).join("checkpoint");
        record::read(&path, NOTE_BYTES_MAX)
    }

    /// The signature lines of the log's keys, verified.
    fn trusted(&self, origin: &str, note: &SignedNote) -> Result<Vec<NoteSignature>, Refusal> {
        let keys = logs::keys(&self.dir, origin)?;
        if keys.is_empty() {
            return Err(Refusal::UnknownLog);
        }
        let verifiers: Vec<LogVerifier> = keys
            .iter()
            .map(LogVerifier::new)
            .collect::<Result<_, _>>()
            .map_err(|error| Refusal::Failed(error.to_string()))?;
        let known: Vec<&dyn NoteVerifier> = verifiers
            .iter()
            .map(|key| -> &dyn NoteVerifier { key })
            .collect();
        note.verify(&known).map_err(Refusal::Untrusted)?;
        let of_log = |line: &&NoteSignature| {
            keys.iter()
                .any(|key| *key.name() == line.name && key.id() == line.id)
        };
        Ok(note.signatures().iter().filter(of_log).cloned().collect())
    }

    fn last(&self, path: &Path) -> Result<Last, Refusal> {
        let failed = |reason: String| Refusal::Failed(format!("`{}`: {reason}", path.display()));
        let bytes =
            record::read(path, NOTE_BYTES_MAX).map_err(|error| failed(error.to_string()))?;
        let Some(bytes) = bytes else {
            let root = Hash::EMPTY_TREE;
            let head = TreeHead { size: 0, root };
            return Ok(Last { head, time: 0 });
        };
        let note = SignedNote::parse(&bytes).map_err(|error| failed(error.to_string()))?;
        let checkpoint = Checkpoint::from_extended_text(note.text());
        let head = checkpoint.map_err(|error| failed(error.to_string()))?.head;
        let mine = |line: &&NoteSignature| {
            self.keys()
                .any(|key| *key.name() == line.name && key.id() == line.id)
        };
        let times = note.signatures().iter().filter(mine).filter_map(|line| {
            let time = line.signature.first_chunk::<8>()?;
            Some(u64::from_be_bytes(*time))
        });
        let time = times.max().unwrap_or(0);
        Ok(Last { head, time })
    }
}

/// Whether the new tree only adds to the old one.
fn check_consistent(old: &TreeHead, new: &TreeHead, hashes: Vec<Hash>) -> Result<(), Refusal> {
    if new.size == 0 && new.root != Hash::EMPTY_TREE {
        let reason = "a tree of no entries has another root".to_owned();
        return Err(Refusal::Inconsistent(reason));
    }
    ConsistencyProof { hashes }
        .verify(old, new)
        .map_err(|error| Refusal::Inconsistent(error.to_string()))
}

/// Cosignatures as the lines of a note, without the text.
fn lines(text: &str, cosigned: &[NoteSignature]) -> Result<Vec<u8>, Refusal> {
    let note = SignedNote::from_parts(text, cosigned.to_vec());
    let note = note.map_err(|error| Refusal::Failed(error.to_string()))?;
    // The text, and the blank line after it.
    let before = text.len().saturating_add(1);
    Ok(note.to_bytes().split_off(before))
}

impl std::fmt::Debug for Witness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Witness")
            .field("dir", &self.dir)
            .field("keys", &self.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}
