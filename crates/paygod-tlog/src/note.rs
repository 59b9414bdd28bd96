//! Signed notes (C2SP signed-note): a text, a blank line, signature lines.
//!
//! Parsing trusts nothing and verifies nothing; [`SignedNote::verify`] says who signed. A note in
//! memory always formats to the bytes it was parsed from.

use paygod_types::code::{self, Code};
use thiserror::Error;

use crate::key::{
    Ed25519Verifier, KeyError, KeyId, KeyName, NoteSigner, NoteVerifier, SignatureType, SignerError,
};
use crate::limits::{NOTE_BYTES_MAX, NOTE_SIGNATURES_MAX};
use crate::text::{base64_decode, base64_encode};

/// A note with its signatures, not yet verified.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignedNote {
    text: String,
    signatures: Vec<NoteSignature>,
}

/// One signature line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NoteSignature {
    /// The key's name.
    pub name: KeyName,
    /// The key's id.
    pub id: KeyId,
    /// The signature, without the id.
    pub signature: Vec<u8>,
}

/// Why a note was refused.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum NoteError {
    /// The note is larger than any note may be.
    #[error("a note has at most {NOTE_BYTES_MAX} bytes, found {found}; ask for the note again")]
    TooLong {
        /// Bytes given.
        found: usize,
    },
    /// The bytes are not UTF-8, or hold a control character other than newline.
    #[error("byte {offset} of the note is not text; ask for the note again")]
    NotText {
        /// Where the first offending byte stands.
        offset: usize,
    },
    /// The note has no blank line before its signatures, or does not end in a newline.
    #[error("the note has not the form text, blank line, signature lines; ask for the note again")]
    Form,
    /// A signature line is malformed.
    #[error("signature line {line} is not `— <name> <base64>`; ask for the note again")]
    SignatureLine {
        /// Number of the line among the signatures, from 1.
        line: usize,
    },
    /// There are more signatures than allowed, or none.
    #[error(
        "a note has 1 to {NOTE_SIGNATURES_MAX} signatures, found {found}; ask for the note again"
    )]
    SignatureCount {
        /// Signatures found; one above the limit stands for any number above.
        found: usize,
    },
    /// A key we know signed wrongly: the note was changed.
    #[error(
        "the signature of `{name}` ({id}) is not valid over this note; the note was changed or signed by another key"
    )]
    BadSignature {
        /// The key's name.
        name: KeyName,
        /// The key's id.
        id: KeyId,
    },
    /// None of the keys we know signed.
    #[error("none of the trusted keys signed the note; check the keys you trust")]
    NoTrustedSignature,
    /// A signer did not sign.
    #[error(transparent)]
    Signer(#[from] SignerError),
    /// A signer has a key that cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl NoteError {
    /// The permanent code of this error.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::TooLong { .. }
            | Self::NotText { .. }
            | Self::Form
            | Self::SignatureLine { .. }
            | Self::SignatureCount { .. } => code::TLOG_NOTE,
            Self::BadSignature { .. } => code::TLOG_SIGNATURE,
            Self::NoTrustedSignature => code::TLOG_UNTRUSTED,
            Self::Signer(error) => error.code(),
            Self::Key(error) => error.code(),
        }
    }
}

impl SignedNote {
    /// Signs a text. Each Ed25519 signature is verified before it is used, so that a broken or
    /// lying provider is caught here.
    ///
    /// # Errors
    /// The text is no note text, a signer failed or signed something else, or there are too many.
    pub fn sign(text: &str, signers: &[&dyn NoteSigner]) -> Result<Self, NoteError> {
        if text.is_empty() || !text.ends_with('\n') {
            return Err(NoteError::Form);
        }
        check_text(text)?;
        let signatures = signers
            .iter()
            .map(|signer| sign_one(text, *signer))
            .collect::<Result<_, _>>()?;
        Self {
            text: text.to_owned(),
            signatures,
        }
        .bounded()
    }

    /// Puts a note together from a text and signatures made elsewhere, unverified.
    ///
    /// # Errors
    /// The text is no note text, or there are too many signatures or none.
    pub fn from_parts(text: &str, signatures: Vec<NoteSignature>) -> Result<Self, NoteError> {
        if text.is_empty() || !text.ends_with('\n') {
            return Err(NoteError::Form);
        }
        check_text(text)?;
        Self {
            text: text.to_owned(),
            signatures,
        }
        .bounded()
    }

    fn bounded(self) -> Result<Self, NoteError> {
        let found = self.signatures.len();
        if found == 0 || found > NOTE_SIGNATURES_MAX {
            return Err(NoteError::SignatureCount { found });
        }
        let found = self.to_bytes().len();
        if found > NOTE_BYTES_MAX {
            return Err(NoteError::TooLong { found });
        }
        Ok(self)
    }

    /// Reads a note. The text must not be used before [`SignedNote::verify`] agreed.
    ///
    /// # Errors
    /// The bytes are too many, not text, or not in the form of a note.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > NOTE_BYTES_MAX {
            return Err(NoteError::TooLong { found: bytes.len() });
        }
        let note = core::str::from_utf8(bytes).map_err(|error| NoteError::NotText {
            offset: error.valid_up_to(),
        })?;
        check_text(note)?;
        // The text ends at the last blank line; its own newline belongs to it.
        let (text, lines) = note.rsplit_once("\n\n").ok_or(NoteError::Form)?;
        let lines = lines.strip_suffix('\n').ok_or(NoteError::Form)?;
        let mut signatures = Vec::new();
        for (line, number) in lines.split('\n').zip(1..) {
            if number > NOTE_SIGNATURES_MAX {
                return Err(NoteError::SignatureCount { found: number });
            }
            let signature = NoteSignature::parse(line);
            signatures.push(signature.ok_or(NoteError::SignatureLine { line: number })?);
        }
        Ok(Self {
            text: format!("{text}\n"),
            signatures,
        })
    }

    /// The note as bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = format!("{}\n", self.text);
        for signature in &self.signatures {
            signature.write(&mut out);
        }
        out.into_bytes()
    }

    /// The text, with its last newline and without the blank line.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signatures in their order.
    #[must_use]
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Appends a signature made elsewhere, such as a witness's, unverified.
    ///
    /// # Errors
    /// The note would exceed its limits; it is unchanged then.
    pub fn add_signature(&mut self, signature: NoteSignature) -> Result<(), NoteError> {
        self.signatures.push(signature);
        self.clone().bounded().map(|_| ()).inspect_err(|_| {
            self.signatures.pop();
        })
    }

    /// Says which of the given keys signed, as positions in `verifiers`, ascending, each once.
    /// Signatures of other keys are ignored.
    ///
    /// # Errors
    /// A signature by one of the keys is not valid, or none of them signed.
    pub fn verify(&self, verifiers: &[&dyn NoteVerifier]) -> Result<Vec<usize>, NoteError> {
        let mut signed = Vec::new();
        for (position, verifier) in verifiers.iter().enumerate() {
            let mine = |s: &&NoteSignature| s.name == *verifier.name() && s.id == verifier.id();
            for signature in self.signatures.iter().filter(mine) {
                if !verifier.verify(&self.text, &signature.signature) {
                    let NoteSignature { name, id, .. } = signature.clone();
                    return Err(NoteError::BadSignature { name, id });
                }
                if signed.last() != Some(&position) {
                    signed.push(position);
                }
            }
        }
        if signed.is_empty() {
            return Err(NoteError::NoTrustedSignature);
        }
        Ok(signed)
    }
}

impl NoteSignature {
    /// Reads one signature line without its newline.
    fn parse(line: &str) -> Option<Self> {
        let (name, signature) = line.strip_prefix("— ")?.split_once(' ')?;
        let name = KeyName::parse(name).ok()?;
        let bytes = base64_decode(signature)?;
        let (id, signature) = bytes.split_first_chunk::<4>()?;
        if signature.is_empty() {
            return None;
        }
        Some(Self {
            name,
            id: KeyId::new(*id),
            signature: signature.to_vec(),
        })
    }

    fn write(&self, out: &mut String) {
        let mut bytes = self.id.to_bytes().to_vec();
        bytes.extend_from_slice(&self.signature);
        out.push_str("— ");
        out.push_str(self.name.as_str());
        out.push(' ');
        out.push_str(&base64_encode(&bytes));
        out.push('\n');
    }
}

fn sign_one(text: &str, signer: &dyn NoteSigner) -> Result<NoteSignature, NoteError> {
    let key = signer.verifier_key();
    let signature = signer.sign(text)?;
    let (name, id) = (key.name().clone(), key.id());
    if key.kind() == SignatureType::Ed25519 && !Ed25519Verifier::new(key)?.verify(text, &signature)
    {
        return Err(NoteError::BadSignature { name, id });
    }
    Ok(NoteSignature {
        name,
        id,
        signature,
    })
}

/// Refuses control characters other than newline.
fn check_text(text: &str) -> Result<(), NoteError> {
    let control = |byte: u8| byte < 0x20 && byte != b'\n';
    match text.bytes().position(control) {
        Some(offset) => Err(NoteError::NotText { offset }),
        None => Ok(()),
    }
}
