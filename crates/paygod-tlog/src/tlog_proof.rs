//! Offline proofs of one entry (C2SP tlog-proof): the entry's index, its inclusion proof and the
//! signed checkpoint, in one text file.
//!
//! The `extra` line is not authenticated by anything here: never trust it.

use paygod_types::code::{self, Code};
use thiserror::Error;

use crate::checkpoint::{CheckpointError, SignedCheckpoint};
use crate::hash::Hash;
use crate::key::NoteVerifier;
use crate::limits::{PROOF_BYTES_MAX, PROOF_EXTRA_BYTES_MAX, PROOF_HASHES_MAX};
use crate::proof::{InclusionProof, ProofError};
use crate::text::{base64_decode, base64_encode, decimal};

/// The first line of every proof.
const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// A proof that one entry is in a log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TlogProof {
    /// Opaque data of the application, not authenticated.
    pub extra: Option<Vec<u8>>,
    /// Index of the entry.
    pub index: u64,
    /// From the leaf's sibling up to the child of the root.
    pub hashes: Vec<Hash>,
    /// The checkpoint it is proved against, unverified until [`TlogProof::verify`].
    pub checkpoint: SignedCheckpoint,
}

/// Why a proof file was refused.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum TlogProofError {
    /// The file is larger than any proof.
    #[error("a proof has at most {PROOF_BYTES_MAX} bytes, found {found}; ask for the proof again")]
    TooLong {
        /// Bytes given.
        found: usize,
    },
    /// The bytes are not UTF-8.
    #[error("byte {offset} of the proof is not text; ask for the proof again")]
    NotText {
        /// Where the first offending byte stands.
        offset: usize,
    },
    /// A line is not what the format wants there.
    #[error("line {line} of the proof should be {expected}; ask for the proof again")]
    Line {
        /// Number of the line, from 1.
        line: usize,
        /// What should stand there.
        expected: &'static str,
    },
    /// The extra data is too large.
    #[error("extra data has at most {PROOF_EXTRA_BYTES_MAX} bytes, found {found}; carry it apart")]
    Extra {
        /// Bytes found.
        found: usize,
    },
    /// The proof has more hashes than any tree is high.
    #[error("a proof has at most {PROOF_HASHES_MAX} hashes; ask for the proof again")]
    Hashes,
    /// The checkpoint was refused.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The inclusion proof does not hold.
    #[error(transparent)]
    Proof(#[from] ProofError),
}

impl TlogProofError {
    /// The permanent code of this error.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Checkpoint(error) => error.code(),
            Self::Proof(error) => error.code(),
            Self::TooLong { .. }
            | Self::NotText { .. }
            | Self::Line { .. }
            | Self::Extra { .. }
            | Self::Hashes => code::TLOG_PROOF_FORM,
        }
    }
}

impl TlogProof {
    /// Writes the proof file.
    ///
    /// # Errors
    /// Extra data or hashes exceed their limits.
    pub fn to_bytes(&self) -> Result<Vec<u8>, TlogProofError> {
        if self.hashes.len() > PROOF_HASHES_MAX {
            return Err(TlogProofError::Hashes);
        }
        let mut out = format!("{HEADER}\n");
        if let Some(extra) = &self.extra {
            check_extra(extra)?;
            out.push_str("extra ");
            out.push_str(&base64_encode(extra));
            out.push('\n');
        }
        out.push_str(&format!("index {}\n", self.index));
        for hash in &self.hashes {
            out.push_str(&hash.to_base64());
            out.push('\n');
        }
        out.push('\n');
        let mut out = out.into_bytes();
        out.extend_from_slice(&self.checkpoint.to_bytes());
        Ok(out)
    }

    /// Reads a proof file, verifying nothing yet.
    ///
    /// # Errors
    /// The bytes are not a proof in its one canonical form.
    pub fn parse(bytes: &[u8]) -> Result<Self, TlogProofError> {
        if bytes.len() > PROOF_BYTES_MAX {
            return Err(TlogProofError::TooLong { found: bytes.len() });
        }
        let text = core::str::from_utf8(bytes).map_err(|error| TlogProofError::NotText {
            offset: error.valid_up_to(),
        })?;
        let mut lines = Lines {
            rest: text,
            line: 0,
        };
        if lines.next("the header")? != HEADER {
            return Err(lines.refuse("`c2sp.org/tlog-proof@v1`"));
        }
        let mut line = lines.next("`index` or `extra`")?;
        let mut extra = None;
        if let Some(data) = line.strip_prefix("extra ") {
            let data = base64_decode(data).ok_or_else(|| lines.refuse("`extra` and base64"))?;
            check_extra(&data)?;
            extra = Some(data);
            line = lines.next("`index` and a number")?;
        }
        let index = line.strip_prefix("index ").and_then(decimal);
        let index = index.ok_or_else(|| lines.refuse("`index` and a number"))?;
        let mut hashes = Vec::new();
        loop {
            let line = lines.next("a hash or a blank line")?;
            if line.is_empty() {
                break;
            }
            if hashes.len() == PROOF_HASHES_MAX {
                return Err(TlogProofError::Hashes);
            }
            let hash = Hash::from_base64(line).map_err(|_| lines.refuse("base64 of a hash"))?;
            hashes.push(hash);
        }
        let checkpoint = SignedCheckpoint::parse(lines.rest.as_bytes())?;
        Ok(Self {
            extra,
            index,
            hashes,
            checkpoint,
        })
    }

    /// Checks the checkpoint's origin and log signature, and that `leaf` stands at
    /// [`TlogProof::index`] in its tree. Witness cosignatures are for the caller's policy.
    ///
    /// # Errors
    /// The checkpoint is another log's or not signed by it, or the proof does not hold.
    pub fn verify(
        &self,
        leaf: Hash,
        origin: &str,
        log_keys: &[&dyn NoteVerifier],
    ) -> Result<(), TlogProofError> {
        self.checkpoint.verify(origin, log_keys)?;
        let head = self.checkpoint.head();
        let proof = InclusionProof {
            index: self.index,
            size: head.size,
            hashes: self.hashes.clone(),
        };
        proof.verify(leaf, head)?;
        Ok(())
    }
}

fn check_extra(extra: &[u8]) -> Result<(), TlogProofError> {
    if extra.len() > PROOF_EXTRA_BYTES_MAX {
        return Err(TlogProofError::Extra { found: extra.len() });
    }
    Ok(())
}

/// Takes lines off the front of a text; each must end in a newline.
struct Lines<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> Lines<'a> {
    fn next(&mut self, expected: &'static str) -> Result<&'a str, TlogProofError> {
        self.line += 1;
        let (line, rest) = self
            .rest
            .split_once('\n')
            .ok_or_else(|| self.refuse(expected))?;
        self.rest = rest;
        Ok(line)
    }

    const fn refuse(&self, expected: &'static str) -> TlogProofError {
        TlogProofError::Line {
            line: self.line,
            expected,
        }
    }
}
