//! Checkpoints (C2SP tlog-checkpoint): origin, size and root of a log, signed.
//!
//! Extension lines are refused in checkpoints of ours: monitors cannot audit them and ML-DSA cosignatures
//! leave them out. Those of others, which a witness cosigns, may have them.

use paygod_types::code::{self, Code};
use thiserror::Error;

use crate::hash::{Hash, TreeHead};
use crate::key::{NoteSigner, NoteVerifier};
use crate::limits::{CHECKPOINT_TEXT_BYTES_MAX, KEY_NAME_BYTES_MAX, TREE_SIZE_MAX};
use crate::note::{NoteError, SignedNote};
use crate::text::{decimal, excerpt};

/// What a checkpoint says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Checkpoint {
    /// The log's identity: the first line.
    pub origin: String,
    /// The size of the tree and its root.
    pub head: TreeHead,
}

/// A checkpoint with the note that carries it. Made by [`SignedCheckpoint::parse`] it is not yet
/// verified; [`SignedCheckpoint::open`] and [`SignedCheckpoint::sign`] give trusted ones.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignedCheckpoint {
    checkpoint: Checkpoint,
    note: SignedNote,
}

/// Why a checkpoint was refused.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum CheckpointError {
    /// The note around it was refused.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The text is longer than a checkpoint's three lines can be.
    #[error(
        "a checkpoint has at most {CHECKPOINT_TEXT_BYTES_MAX} bytes of text, found {found}; ask for it again"
    )]
    TooLong {
        /// Bytes found.
        found: usize,
    },
    /// The text has not exactly three lines.
    #[error(
        "a checkpoint has three lines, origin, size and root, and no extension lines; found {found} lines"
    )]
    Lines {
        /// Lines found.
        found: usize,
    },
    /// The origin is empty or too long.
    #[error(
        "the origin has 1 to {KEY_NAME_BYTES_MAX} bytes without control characters, found `{found}`; check the log's configuration"
    )]
    OriginForm {
        /// The start of what was found.
        found: String,
    },
    /// The size is no decimal number within the limits.
    #[error(
        "a checkpoint's size is a decimal up to {TREE_SIZE_MAX}, found `{found}`; ask for it again"
    )]
    Size {
        /// The start of what was found.
        found: String,
    },
    /// The root is no base64 of 32 bytes.
    #[error("a checkpoint's root is base64 of 32 bytes, found `{found}`; ask for it again")]
    Root {
        /// The start of what was found.
        found: String,
    },
    /// The checkpoint is another log's.
    #[error("the checkpoint is of log `{found}`, expected `{expected}`; check which log you ask")]
    Origin {
        /// The log expected.
        expected: String,
        /// The start of what was found.
        found: String,
    },
}

impl CheckpointError {
    /// The permanent code of this error.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Note(error) => error.code(),
            Self::Origin { .. } => code::TLOG_ORIGIN,
            Self::TooLong { .. }
            | Self::Lines { .. }
            | Self::OriginForm { .. }
            | Self::Size { .. }
            | Self::Root { .. } => code::TLOG_CHECKPOINT,
        }
    }
}

impl Checkpoint {
    /// The note text: three lines.
    ///
    /// # Errors
    /// The origin or size could not be read back.
    pub fn to_text(&self) -> Result<String, CheckpointError> {
        check_origin(&self.origin)?;
        let TreeHead { size, root } = self.head;
        if size > TREE_SIZE_MAX {
            return Err(CheckpointError::Size {
                found: size.to_string(),
            });
        }
        Ok(format!("{}\n{size}\n{}\n", self.origin, root.to_base64()))
    }

    /// Reads a note text of exactly three lines.
    ///
    /// # Errors
    /// The text is not a checkpoint in its one canonical form.
    pub fn from_text(text: &str) -> Result<Self, CheckpointError> {
        if text.len() > CHECKPOINT_TEXT_BYTES_MAX {
            return Err(CheckpointError::TooLong { found: text.len() });
        }
        let lines: Vec<&str> = text.split('\n').collect();
        let [origin, size, root, ""] = lines.as_slice() else {
            return Err(CheckpointError::Lines {
                found: text.lines().count(),
            });
        };
        Self::from_lines(origin, size, root)
    }

    /// Reads a note text of three lines and any number of extension lines, none of them empty.
    ///
    /// # Errors
    /// The text is no checkpoint.
    pub fn from_extended_text(text: &str) -> Result<Self, CheckpointError> {
        let refuse = || CheckpointError::Lines {
            found: text.lines().count(),
        };
        let mut lines = text.splitn(4, '\n');
        let (Some(origin), Some(size), Some(root), Some(rest)) =
            (lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(refuse());
        };
        let whole = rest.is_empty() || rest.ends_with('\n');
        if !whole || rest.starts_with('\n') || rest.contains("\n\n") {
            return Err(refuse());
        }
        Self::from_lines(origin, size, root)
    }

    fn from_lines(origin: &str, size: &str, root: &str) -> Result<Self, CheckpointError> {
        check_origin(origin)?;
        let refuse_size = || CheckpointError::Size {
            found: excerpt(size),
        };
        let number = decimal(size)
            .filter(|size| *size <= TREE_SIZE_MAX)
            .ok_or_else(refuse_size)?;
        let root = Hash::from_base64(root).map_err(|_| CheckpointError::Root {
            found: excerpt(root),
        })?;
        Ok(Self {
            origin: origin.to_owned(),
            head: TreeHead { size: number, root },
        })
    }
}

fn check_origin(origin: &str) -> Result<(), CheckpointError> {
    let printable = origin.bytes().all(|byte| byte >= 0x20);
    if origin.is_empty() || origin.len() > KEY_NAME_BYTES_MAX || !printable {
        return Err(CheckpointError::OriginForm {
            found: excerpt(origin),
        });
    }
    Ok(())
}

impl SignedCheckpoint {
    /// Signs a checkpoint.
    ///
    /// # Errors
    /// The checkpoint cannot be written, or a signer failed.
    pub fn sign(
        checkpoint: Checkpoint,
        signers: &[&dyn NoteSigner],
    ) -> Result<Self, CheckpointError> {
        let note = SignedNote::sign(&checkpoint.to_text()?, signers)?;
        Ok(Self { checkpoint, note })
    }

    /// Reads a signed checkpoint without verifying anything.
    ///
    /// # Errors
    /// The bytes are no note, or its text is no checkpoint.
    pub fn parse(bytes: &[u8]) -> Result<Self, CheckpointError> {
        let note = SignedNote::parse(bytes)?;
        let checkpoint = Checkpoint::from_text(note.text())?;
        Ok(Self { checkpoint, note })
    }

    /// Reads a signed checkpoint of the log `origin` that at least one of the given log keys
    /// signed. Cosignatures are ignored here: verify those on [`SignedCheckpoint::note`].
    ///
    /// # Errors
    /// As [`SignedCheckpoint::parse`]; also another origin, or no valid signature by a log key.
    pub fn open(
        bytes: &[u8],
        origin: &str,
        log_keys: &[&dyn NoteVerifier],
    ) -> Result<Self, CheckpointError> {
        let signed = Self::parse(bytes)?;
        signed.verify(origin, log_keys)?;
        Ok(signed)
    }

    /// Checks origin and signature, as [`SignedCheckpoint::open`] does.
    ///
    /// # Errors
    /// Another origin, or no valid signature by a log key.
    pub fn verify(
        &self,
        origin: &str,
        log_keys: &[&dyn NoteVerifier],
    ) -> Result<(), CheckpointError> {
        if self.checkpoint.origin != origin {
            let found = excerpt(&self.checkpoint.origin);
            return Err(CheckpointError::Origin {
                expected: origin.to_owned(),
                found,
            });
        }
        self.note.verify(log_keys)?;
        Ok(())
    }

    /// What it says.
    #[must_use]
    pub const fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// Size and root.
    #[must_use]
    pub const fn head(&self) -> &TreeHead {
        &self.checkpoint.head
    }

    /// The note with all its signatures.
    #[must_use]
    pub const fn note(&self) -> &SignedNote {
        &self.note
    }

    /// The note with all its signatures, to add cosignatures to.
    pub const fn note_mut(&mut self) -> &mut SignedNote {
        &mut self.note
    }

    /// The bytes to publish.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.note.to_bytes()
    }
}
