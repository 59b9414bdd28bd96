//! The body of `add-checkpoint` (C2SP tlog-witness): the old size, a consistency proof, a checkpoint.
//!
//! INVARIANT(bounded-parser): at most [`REQUEST_BYTES_MAX`] bytes and [`PROOF_LINES_MAX`] hashes; what
//! parses prints as the same bytes.

use paygod_types::code::{self, Code};
use thiserror::Error;

use crate::hash::Hash;
use crate::limits::{PROOF_LINES_MAX, REQUEST_BYTES_MAX};
use crate::note::{NoteError, SignedNote};
use crate::text::decimal;

/// A request to cosign a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// The size of the tree that the witness cosigned last, as far as the log knows.
    pub old: u64,
    /// The consistency proof from that tree to the checkpoint's.
    pub proof: Vec<Hash>,
    /// The checkpoint, not yet verified.
    pub note: SignedNote,
}

/// Why a body is no request.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MessageError {
    /// It is too long.
    #[error("a request has at most {REQUEST_BYTES_MAX} bytes, found {found}")]
    TooLong {
        /// Bytes found.
        found: usize,
    },
    /// The first line is not the old size.
    #[error("the first line is not `old <size>`")]
    Old,
    /// A line of the proof is no hash, or there are too many.
    #[error("the proof is not at most {PROOF_LINES_MAX} hashes in base64, then an empty line")]
    Proof,
    /// What follows is no note.
    #[error(transparent)]
    Note(#[from] NoteError),
}

impl MessageError {
    /// The permanent code of this error.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Note(error) => error.code(),
            Self::TooLong { .. } | Self::Old | Self::Proof => code::TLOG_REQUEST,
        }
    }
}

impl AddCheckpoint {
    /// Reads a body.
    ///
    /// # Errors
    /// It is too long or malformed.
    pub fn parse(bytes: &[u8]) -> Result<Self, MessageError> {
        if bytes.len() > REQUEST_BYTES_MAX {
            return Err(MessageError::TooLong { found: bytes.len() });
        }
        let (first, mut rest) = line(bytes).ok_or(MessageError::Old)?;
        let old = first
            .strip_prefix("old ")
            .and_then(decimal)
            .ok_or(MessageError::Old)?;
        let mut proof = Vec::new();
        loop {
            let (text, after) = line(rest).ok_or(MessageError::Proof)?;
            rest = after;
            if text.is_empty() {
                break;
            }
            if proof.len() >= PROOF_LINES_MAX {
                return Err(MessageError::Proof);
            }
            proof.push(Hash::from_base64(text).map_err(|_| MessageError::Proof)?);
        }
        let note = SignedNote::parse(rest)?;
        Ok(Self { old, proof, note })
    }

    /// The body as bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = format!("old {}\n", self.old);
        for hash in &self.proof {
            out.push_str(&hash.to_base64());
            out.push('\n');
        }
        out.push('\n');
        let mut out = out.into_bytes();
        out.extend_from_slice(&self.note.to_bytes());
        out
    }
}

/// The first line without its newline, and what follows.
fn line(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let (line, rest) = bytes.split_at_checked(end)?;
    Some((core::str::from_utf8(line).ok()?, rest.get(1..)?))
}

/// Reads the body of a conflict (409): the size of the tree that was cosigned last, and a newline.
#[must_use]
pub fn parse_size(body: &[u8]) -> Option<u64> {
    decimal(core::str::from_utf8(body).ok()?.strip_suffix('\n')?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The shape of the specification's example, with signatures of no meaning.
    const EXAMPLE: &str = "old 20852014\n\
        PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n\
        jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=\n\
        5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=\n\
        /6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=\n\
        \n\
        example.com/behind-the-sofa\n\
        20852163\n\
        CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\
        \n\
        — example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n";

    #[test]
    fn the_example_of_the_specification_is_read_and_printed_as_it_is() {
        let request = AddCheckpoint::parse(EXAMPLE.as_bytes()).unwrap();
        assert_eq!((request.old, request.proof.len()), (20_852_014, 4));
        assert_eq!(request.to_bytes(), EXAMPLE.as_bytes());
    }

    #[test]
    fn what_is_not_in_the_form_is_refused() {
        for (from, to) in [
            ("old 20852014\n", "old 020852014\n"),
            ("old 20852014\n", "old +20852014\n"),
            ("old 20852014\n", "old 20852014 \n"),
            ("old 20852014\n", "old 99999999999999999999\n"),
            ("old 20852014\n", ""),
            ("PlRN", "PlRN="),
            ("PlRN", " PlRN"),
            ("\n\nexample", "\nexample"),
            ("\n\n— example", "\n— example"),
            ("— example.com", "- example.com"),
        ] {
            let changed = EXAMPLE.replacen(from, to, 1);
            assert_ne!(changed, EXAMPLE, "{from}");
            assert!(
                AddCheckpoint::parse(changed.as_bytes()).is_err(),
                "{changed}"
            );
        }
        let line = "PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n";
        for (lines, read) in [(PROOF_LINES_MAX, true), (PROOF_LINES_MAX + 1, false)] {
            let note = EXAMPLE.split_once("\n\n").unwrap().1;
            let body = format!("old 1\n{}\n{note}", line.repeat(lines));
            assert_eq!(AddCheckpoint::parse(body.as_bytes()).is_ok(), read);
        }
        let long = vec![b'a'; REQUEST_BYTES_MAX + 1];
        assert!(matches!(
            AddCheckpoint::parse(&long),
            Err(MessageError::TooLong { .. })
        ));
    }
}
