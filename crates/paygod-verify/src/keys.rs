//! The keys as genesis fixes them and later entries change them, and the checkpoint key in force.
//!
//! With the state rebuilt the fold checks changes; without it they are checked here, by the same code.

use std::sync::Arc;

use paygod_core::{Body, Book, Check as FoldCheck, Entry, KeyFault, Revoked};
use paygod_tlog::{CosignatureVerifier, Ed25519Verifier, VerifierKey};
use paygod_types::Seq;

use crate::failure::{Check, Failure, Place};

/// The keys at some place of the log.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    /// The book's keys, where they are checked here.
    book: Option<Book>,
    origin: Arc<str>,
    in_force: Option<Ed25519Verifier>,
    hybrid: Option<CosignatureVerifier>,
    changes: u64,
    revoked: Vec<Revoked>,
    /// The key that took the place of each.
    replacements: Vec<Arc<str>>,
}

impl Keys {
    pub(crate) fn origin(&self) -> &str {
        &self.origin
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
        &self.revoked
    }

    /// Whether the log has sealed just this revocation.
    pub(crate) fn has_revoked(&self, vkey: &str, last_good: u64, replacement: &str) -> bool {
        let mut sealed = self.revoked.iter().zip(&self.replacements);
        sealed.any(|(revoked, by)| {
            *revoked.vkey == *vkey && revoked.last_good.get() == last_good && **by == *replacement
        })
    }

    /// Looks at a book whose keys were checked and have just changed. It is not copied: it tells of every
    /// key there ever was.
    pub(crate) fn changed(&mut self, book: &Book) {
        let key = VerifierKey::parse(book.checkpoint_key()).ok();
        self.in_force = key.and_then(|key| Ed25519Verifier::new(&key).ok());
        self.hybrid = book.hybrid_verifier();
        self.changes = self.changes.saturating_add(1);
        self.origin = Arc::clone(&book.origin);
        let more = book.revoked.get(self.revoked.len()..).unwrap_or(&[]);
        self.revoked.extend_from_slice(more);
        self.replacements
            .resize(self.revoked.len(), book.checkpoint_key().into());
    }

    /// Checks an entry that may set or change keys, and takes them from it.
    pub(crate) fn apply(&mut self, entry: &Entry, index: u64) -> Result<(), Failure> {
        let seq = Seq(index);
        let (check, changed) = match (&entry.body, &mut self.book) {
            (Body::Genesis(genesis), book) if index == 0 => {
                let begun = Book::begin(genesis).map(|begun| *book = Some(begun));
                (FoldCheck::Genesis, begun)
            }
            (Body::Genesis(_), _) => {
                let fault = fault("no second genesis", "one more");
                (FoldCheck::Genesis, Err(fault))
            }
            (body, _) if index == 0 => {
                let fault = fault("a genesis entry", body.action().as_str());
                (FoldCheck::Genesis, Err(fault))
            }
            (Body::KeyRotate(rotation), Some(book)) => {
                let change = book.check_rotation(rotation, seq);
                (FoldCheck::Key, change.map(|change| book.take(change)))
            }
            (Body::KeyRevoke(revocation), Some(book)) => {
                let change = book.check_revoke(revocation, seq);
                (
                    FoldCheck::Revocation,
                    change.map(|change| book.take(change)),
                )
            }
            _ => return Ok(()),
        };
        if let Err(KeyFault { expected, found }) = changed {
            let place = Place::Entry(index);
            return Err(Failure::new(Check::Fold(check), place, expected, found));
        }
        if let Some(book) = self.book.take() {
            self.changed(&book);
            self.book = Some(book);
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
