//! The keys as genesis fixes them and later entries change them, and the checkpoint key in force.
//!
//! With the state rebuilt the fold checks changes; without it they are checked here, by the same code.

use paygod_core::{Body, Book, Check as FoldCheck, Entry, KeyFault, Revoked};
use paygod_tlog::{CosignatureVerifier, Ed25519Verifier, VerifierKey};
use paygod_types::Seq;

use crate::failure::{Check, Failure, Place};

/// The keys at some place of the log.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    book: Option<Book>,
    in_force: Option<Ed25519Verifier>,
    hybrid: Option<CosignatureVerifier>,
    changes: u64,
}

impl Keys {
    pub(crate) fn origin(&self) -> &str {
        self.book.as_ref().map_or("", |book| &book.origin)
    }

    pub(crate) const fn in_force(&self) -> Option<&Ed25519Verifier> {
        self.in_force.as_ref()
    }

    /// The key whose cosignature every checkpoint carries too; `None` when the book is not hybrid.
    pub(crate) const fn hybrid(&self) -> Option<&CosignatureVerifier> {
        self.hybrid.as_ref()
    }

    /// How many keys have been in force.
    pub(crate) const fn changes(&self) -> u64 {
        self.changes
    }

    /// The keys that have been revoked.
    pub(crate) fn revoked(&self) -> &[Revoked] {
        self.book.as_ref().map_or(&[], |book| &book.revoked)
    }

    /// Whether the log has sealed just this revocation.
    pub(crate) fn has_revoked(&self, vkey: &str, last_good: u64, replacement: &str) -> bool {
        let Some(book) = &self.book else { return false };
        book.revoked.iter().any(|revoked| {
            let mut periods = book.checkpoint_keys.iter();
            *revoked.vkey == *vkey
                && revoked.last_good.get() == last_good
                && periods.any(|key| key.since == revoked.at && *key.vkey == *replacement)
        })
    }

    /// Takes keys that were checked.
    pub(crate) fn set(&mut self, book: Book) {
        let key = VerifierKey::parse(book.checkpoint_key()).ok();
        self.in_force = key.and_then(|key| Ed25519Verifier::new(&key).ok());
        self.hybrid = book.hybrid_verifier();
        self.changes = self.changes.saturating_add(1);
        self.book = Some(book);
    }

    /// Checks an entry that may set or change keys, and takes them from it.
    pub(crate) fn apply(&mut self, entry: &Entry, index: u64) -> Result<(), Failure> {
        let seq = Seq(index);
        let (check, changed) = match (&entry.body, &self.book) {
            (Body::Genesis(genesis), _) if index == 0 => (FoldCheck::Genesis, Book::begin(genesis)),
            (Body::Genesis(_), _) => {
                let fault = fault("no second genesis", "one more");
                (FoldCheck::Genesis, Err(fault))
            }
            (body, _) if index == 0 => {
                let fault = fault("a genesis entry", body.action().as_str());
                (FoldCheck::Genesis, Err(fault))
            }
            (Body::KeyRotate(rotation), Some(book)) => (FoldCheck::Key, book.rotate(rotation, seq)),
            (Body::KeyRevoke(revocation), Some(book)) => {
                (FoldCheck::Revocation, book.revoke(revocation, seq))
            }
            _ => return Ok(()),
        };
        match changed {
            Ok(book) => self.set(book),
            Err(KeyFault { expected, found }) => {
                let place = Place::Entry(index);
                return Err(Failure::new(Check::Fold(check), place, expected, found));
            }
        }
        Ok(())
    }
}

fn fault(expected: &str, found: &str) -> KeyFault {
    KeyFault {
        expected: expected.to_owned(),
        found: found.to_owned(),
    }
}
