//! Revocations that the auditor brings along. A thief with the key shows a log without the revocation;
//! whoever has seen it refuses that log all the same.
//!
//! A log that does hold the revocation may still list what its key signed between the last good entry
//! and the revocation: those checkpoints vouch for nothing, and the ones by the replacement cover them.

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

    /// Says what a revoked key signed in a log that does not own up to the revocation.
    pub(crate) fn finish(&self, keys: &Keys, failures: &mut Failures) {
        for known in &self.known {
            let owned_up = keys.revoked().iter().any(|revoked| {
                *revoked.vkey == *known.vkey && revoked.last_good.get() <= known.last_good
            });
            if let Some(place) = known.past.clone().filter(|_| !owned_up) {
                let expected = format!(
                    "nothing signed by {} past entry {}, or the entry that revokes it",
                    known.vkey, known.last_good
                );
                let found = "a signature of it, and no such entry";
                failures.push(Failure::new(Check::Revoked, place, expected, found));
            }
        }
    }
}
