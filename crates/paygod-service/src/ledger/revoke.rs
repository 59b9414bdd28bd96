//! Revoking a stolen checkpoint key. Root keys sign elsewhere, offline; here the replacement is made, and
//! what they signed is sealed.

use std::sync::{Arc, mpsc};

use paygod_core::SystemCommand;
use paygod_core::ceremony::{CeremonyError, RevocationText, join};
use paygod_tlog::{NoteSigner, SignedNote};
use paygod_types::{Code, Seq, code};

use super::errand::Errand;
use super::keys::BookKeyError;
use super::open::Ledger;
use super::outcome::SubmitError;
use super::rotate::hybrid_change;

/// A key could not be revoked or replaced.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyChangeError {
    /// The signed documents do not hold.
    #[error(transparent)]
    Ceremony(#[from] CeremonyError),
    /// A key could not be made or found.
    #[error(transparent)]
    Keys(#[from] BookKeyError),
    /// The new key did not sign.
    #[error(transparent)]
    Sign(#[from] paygod_tlog::NoteError),
    /// A key did not sign.
    #[error(transparent)]
    Signer(#[from] paygod_tlog::SignerError),
    /// How much the key was used cannot be told.
    #[error("how long and how often the key has signed cannot be told: {reason}; check the disk")]
    Use {
        /// Why.
        reason: String,
    },
    /// The log was always past the number that the rotation had signed.
    #[error("the log moves faster than its keys sign; try again when it is calmer")]
    NoTurn,
    /// The ledger refused the entry, or has stopped.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// The book was made without root keys.
    #[error(
        "the book has no root keys, so no key of it can be revoked; make a new book with `init --roots` and move the accounts there"
    )]
    NoRoots,
}

impl KeyChangeError {
    /// The permanent code.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Ceremony(error) => error.code(),
            Self::Keys(error) => error.code(),
            Self::Sign(error) => error.code(),
            Self::Signer(error) => error.code(),
            Self::Use { .. } => code::STORE_IO,
            Self::NoTurn => code::KEYS_NO_TURN,
            Self::Submit(error) => error.code(),
            Self::NoRoots => code::KEY_REVOCATION,
        }
    }
}

/// A revocation on its way: what root keys are to sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevocationDraft {
    /// What it says.
    pub text: RevocationText,
    /// The note to carry to the holders of root keys, signed by the new key.
    pub note: Vec<u8>,
}

impl Ledger {
    /// Makes the replacement of a stolen checkpoint key, and of the ML-DSA-44 key of a hybrid book, which lay
    /// beside it, and the text that root keys are to sign. The stolen key stays in force until [`Ledger::revoke`].
    ///
    /// # Errors
    /// The book has no root keys, or the new key could not be made.
    pub fn draft_revocation(
        &self,
        revoked: &str,
        last_good: Seq,
    ) -> Result<RevocationDraft, KeyChangeError> {
        let book = self.read.book_keys()?.ok_or(KeyChangeError::NoRoots)?;
        if book.root_keys.is_empty() {
            return Err(KeyChangeError::NoRoots);
        }
        let new = self.keys.create_all(book.hybrid_key().is_some())?;
        let vkeys = new.vkeys();
        let text = RevocationText {
            origin: Arc::clone(&self.read.origin),
            revoked: revoked.into(),
            last_good,
            new: vkeys.checkpoint,
            hybrid: vkeys.hybrid,
        };
        let signer: &dyn NoteSigner = &*new.checkpoint;
        let note = SignedNote::sign(&text.to_text(), &[signer])?.to_bytes();
        Ok(RevocationDraft { text, note })
    }

    /// Seals a revocation that enough root keys have signed; `notes` are the draft and what they signed.
    /// From its entry on the replacement signs checkpoints. Returns the entry, and all signatures as one
    /// note for auditors to keep.
    ///
    /// # Errors
    /// Signatures are missing or do not hold, or the ledger has stopped; nothing was sealed then.
    pub fn revoke(&self, notes: &[Vec<u8>]) -> Result<(Seq, Vec<u8>), KeyChangeError> {
        let book = self.read.book_keys()?.ok_or(KeyChangeError::NoRoots)?;
        let (text, mut revocation) = RevocationText::signed(notes, &book)?;
        // Whoever seals it must be able to sign what follows.
        self.keys.find(&revocation.new)?;
        if let (Some(new), Some(old)) = (&text.hybrid, book.hybrid_key()) {
            let (new, old) = (self.keys.find_hybrid(new)?, self.keys.find_hybrid(old)?);
            revocation.hybrid = hybrid_change(Some(&old), Some(&new), &text.to_text())?;
        }
        let note = join(notes, paygod_core::ceremony::REVOCATION_HEADER)?;
        let size = self.seal(SystemCommand::KeyRevoke(revocation))?;
        Ok((Seq(size.saturating_sub(1)), note.to_bytes()))
    }

    /// Seals an entry of the ledger's own, and waits until it is durable. Returns how many there are then.
    pub(super) fn seal(&self, command: SystemCommand) -> Result<u64, SubmitError> {
        let (reply, sealed) = mpsc::sync_channel(1);
        self.shared.intake.send(Errand::Seal { command, reply })?;
        let size = sealed.recv().map_err(|_| self.shared.gone())??;
        self.shared.progress.wait_durable(size)?;
        Ok(size)
    }
}
