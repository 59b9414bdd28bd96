//! Revocations that the auditor brings along. A thief with the key shows a log without the revocation;
//! whoever has seen it refuses that log all the same.
//!
//! A log that reaches past the last good entry must seal that very revocation. It is not enough that the
//! revoked key signed nothing past it: a thief rotates to a key of their own before. A log that does seal
//! it may still list what its key signed between the last good entry and the revocation: those checkpoints
//! vouch for nothing, and the ones by the replacement cover them.

use std::sync::Arc;

use paygod_core::Book;
use paygod_core::ceremony::RevocationText;
use paygod_tlog::{Ed25519Verifier, NoteVerifier, SignedCheckpoint, VerifierKey};
use paygod_types::Seq;

use crate::error::VerifyError;
use crate::failure::{Check, Failure, Failures, Place};
use crate::keys::Keys;

/// What an auditor knows to be revoked.
#[derive(Debug, Default)]
pub(crate) struct Revocations {
    known: Vec<Known>,
}

#[derive(Debug)]
struct Known {
    vkey: String,
    key: Ed25519Verifier,
    last_good: u64,
    /// The key that takes its place.
    replacement: Arc<str>,
    /// The first thing that the key signed past it.
    past: Option<Place>,
}

impl Revocations {
    /// Reads revocations, and checks them against the root keys that genesis fixed.
    pub(crate) fn read(notes: &[Vec<u8>], book: &Book) -> Result<Self, VerifyError> {
        let mut known = Vec::new();
        for (note, number) in notes.iter().zip(1_u32..) {
            let refuse = |reason: String| VerifyError::Kept {
                what: format!("revocation {number}"),
                reason,
            };
            let (text, revocation) = RevocationText::signed(std::slice::from_ref(note), book)
                .map_err(|error| refuse(error.to_string()))?;
            // Which key is in force when it is sealed the log tells; who may revoke, genesis does.
            let mut then = book.clone();
            then.checkpoint_keys
                .extend((book.checkpoint_key() != &*revocation.revoked).then(|| {
                    paygod_core::KeyPeriod {
                        since: Seq(0),
                        vkey: revocation.revoked.clone(),
                    }
                }));
            then.check_revocation(&text, &revocation, Seq(u64::MAX))
                .map_err(|fault| refuse(fault.to_string()))?;
            let key = VerifierKey::parse(&revocation.revoked)
                .and_then(|key| Ed25519Verifier::new(&key))
                .map_err(|error| refuse(error.to_string()))?;
            known.push(Known {
                vkey: revocation.revoked.to_string(),
                key,
                last_good: revocation.last_good.get(),
                replacement: revocation.new,
                past: None,
            });
        }
        Ok(Self { known })
    }

    pub(crate) fn len(&self) -> u64 {
        u64::try_from(self.known.len()).unwrap_or(u64::MAX)
    }

    /// Looks at who signed a checkpoint.
    pub(crate) fn check(&mut self, signed: &SignedCheckpoint) {
        let size = signed.head().size;
        for known in &mut self.known {
            let past = size
                .checked_sub(1)
                .is_some_and(|last| last > known.last_good);
            let mut signatures = signed.note().signatures().iter();
            if past
                && known.past.is_none()
                && signatures
                    .any(|line| line.name == *known.key.name() && line.id == known.key.id())
            {
                known.past = Some(Place::Checkpoint(size));
            }
        }
    }

    /// Looks at who replaced whom: a thief rotates from the stolen key to one of their own.
    pub(crate) fn rotated(&mut self, from: &str, index: u64) {
        for known in &mut self.known {
            if known.vkey == from && index > known.last_good {
                known.past.get_or_insert(Place::Entry(index));
            }
        }
    }

    /// Says which revocations a log of this size, all of which was read, does not own up to.
    pub(crate) fn finish(&self, keys: &Keys, size: u64, failures: &mut Failures) {
        for known in &self.known {
            let first_bad = known.last_good.saturating_add(1);
            if size <= first_bad
                || keys.has_revoked(&known.vkey, known.last_good, &known.replacement)
            {
                continue;
            }
            let expected = format!(
                "the entry that revokes {} past entry {}, as the revocation that you kept says",
                known.vkey, known.last_good
            );
            let (place, found) = match known.past.clone() {
                Some(place) => (place, "a signature of it, and no such entry"),
                None => (Place::Entries(first_bad..size), "no such entry"),
            };
            failures.push(Failure::new(Check::Revoked, place, expected, found));
        }
    }
}
