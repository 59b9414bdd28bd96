//! Replacing the keys of checkpoints while the ledger works: no pause, no lost request.
//!
//! A rotation signs the number of its own entry, and signing may take long, so the entry is sealed by
//! appointment: at a number a little ahead, once the log gets there. While the log stands still the next
//! number will do. A number that was passed meanwhile costs another attempt, and nobody else anything.
//!
//! From its entry on the new keys sign, in a hybrid book both; for a while the old ones sign beside them, so that readers who only
//! know the old keys are not cut off at once; then they are retired.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use paygod_core::entry::{HybridChange, KeyRotation};
use paygod_core::{Book, KeysInForce, State, SystemCommand};
use paygod_tlog::{NoteSigner, SignerError, VerifierKey};
use paygod_types::Seq;

use super::errand::{Appointment, Errand};
use super::keys::{BookKeys, HybridSigner, Signers};
use super::open::Ledger;
use super::outcome::SubmitError;
use super::revoke::KeyChangeError;
use super::shared::Shared;

/// Attempts before a rotation is given up for now.
const ATTEMPTS_MAX: u32 = 12;

/// How long an appointment is waited for: past that the log stands still.
const PATIENCE: Duration = Duration::from_millis(500);

/// How far ahead an appointment is made at least, once the first number was passed.
const ENTRIES_AHEAD_MIN: u64 = 256;

/// Keys that took over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotated {
    /// The entry.
    pub seq: Seq,
    /// The keys in force before.
    pub old: KeysInForce,
    /// The keys in force from here on.
    pub new: KeysInForce,
}

/// Rotates; one at a time.
#[derive(Clone)]
pub(super) struct Rotator {
    pub(super) origin: Arc<str>,
    pub(super) keys: BookKeys,
    pub(super) shared: Arc<Shared>,
    pub(super) turn: Arc<Mutex<()>>,
}

impl Ledger {
    /// Replaces the checkpoint key by a new one, made where the others are; in a hybrid book the ML-DSA-44 key too.
    ///
    /// # Errors
    /// A key could not be made or did not sign, or the ledger has stopped: the old key stays in force.
    pub fn rotate_key(&self) -> Result<Rotated, KeyChangeError> {
        self.rotator.rotate()
    }
}

impl Rotator {
    pub(super) fn rotate(&self) -> Result<Rotated, KeyChangeError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let is_hybrid = self.now()?.1.hybrid.is_some();
        let new = self.keys.create_all(is_hybrid)?;
        let vkeys = new.vkeys();
        let rotated = self.seal(&new, &vkeys);
        if rotated.is_err() && !self.is_in_force(&vkeys) {
            self.keys.forget(&vkeys);
        }
        rotated
    }

    fn seal(&self, new: &Signers, vkeys: &KeysInForce) -> Result<Rotated, KeyChangeError> {
        let mut ahead = 0;
        for _ in 0..ATTEMPTS_MAX {
            let (next, old) = self.now()?;
            let seq = Seq(next.get().saturating_add(ahead));
            let rotation = self.signed(seq, &old, new, vkeys)?;
            match self.keep_appointment(seq, rotation)? {
                Kept::Sealed(size) => {
                    self.shared.progress.wait_durable(size)?;
                    return Ok(Rotated {
                        seq,
                        old,
                        new: vkeys.clone(),
                    });
                }
                Kept::Passed => {
                    // As far as the log got meanwhile, and as much again.
                    let passed = self.now()?.0.get().saturating_sub(next.get());
                    ahead = passed.saturating_mul(2).max(ENTRIES_AHEAD_MIN);
                }
                Kept::StandsStill => ahead = 0,
            }
        }
        Err(KeyChangeError::NoTurn)
    }

    /// The number of the next entry, and the keys in force.
    fn now(&self) -> Result<(Seq, KeysInForce), KeyChangeError> {
        let seen = self.look(|state| {
            let keys = state.book().and_then(Book::in_force);
            keys.map(|keys| (state.next_seq(), keys))
        })?;
        seen.ok_or_else(|| SubmitError::Closed.into())
    }

    /// The entry that brought in the key in force.
    pub(super) fn since(&self) -> Result<Seq, KeyChangeError> {
        let since = self.look(|state| state.checkpoint_key().map(|key| key.since))?;
        Ok(since.unwrap_or(Seq(0)))
    }

    fn is_in_force(&self, vkeys: &KeysInForce) -> bool {
        self.now().is_ok_and(|(_, keys)| keys == *vkeys)
    }

    fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&State) -> T + Send + 'static,
    ) -> Result<T, SubmitError> {
        let (sender, receiver) = mpsc::sync_channel(1);
        let errand = Errand::Look(Box::new(move |state: &State| {
            // Whoever asked may have gone.
            let _gone = sender.send(look(state));
        }));
        self.shared.intake.send(errand)?;
        receiver.recv().map_err(|_| SubmitError::Closed)
    }

    fn signed(
        &self,
        seq: Seq,
        old: &KeysInForce,
        new: &Signers,
        vkeys: &KeysInForce,
    ) -> Result<KeyRotation, KeyChangeError> {
        let keys = [&*old.checkpoint, &*vkeys.checkpoint];
        let message = KeyRotation::message(&self.origin, seq, keys, vkeys.hybrid.as_deref());
        let before = self.keys.find_all(old)?;
        Ok(KeyRotation {
            hybrid: hybrid_change(before.hybrid.as_ref(), new.hybrid.as_ref(), &message)?,
            new: Arc::clone(&vkeys.checkpoint),
            old: Arc::clone(&old.checkpoint),
            signature_new: sign(&*new.checkpoint, &message)?,
            signature_old: sign(&*before.checkpoint, &message)?,
        })
    }

    fn keep_appointment(&self, seq: Seq, rotation: KeyRotation) -> Result<Kept, KeyChangeError> {
        let (reply, sealed) = mpsc::sync_channel(1);
        let command = SystemCommand::KeyRotate(rotation);
        self.shared.intake.send(Errand::SealAt(Appointment {
            seq,
            command,
            reply,
        }))?;
        match sealed.recv_timeout(PATIENCE) {
            Ok(Ok(Some(size))) => Ok(Kept::Sealed(size)),
            Ok(Ok(None)) => Ok(Kept::Passed),
            Ok(Err(error)) => Err(error.into()),
            Err(RecvTimeoutError::Disconnected) => Err(SubmitError::Closed.into()),
            Err(RecvTimeoutError::Timeout) => {
                // Off with it; if it was kept in this very moment, that is the answer.
                let (reply, gone) = mpsc::sync_channel(1);
                self.shared.intake.send(Errand::Cancel { reply })?;
                let _cancelled = gone.recv();
                match sealed.try_recv() {
                    Ok(Ok(Some(size))) => Ok(Kept::Sealed(size)),
                    Ok(Err(error)) => Err(error.into()),
                    _ => Ok(Kept::StandsStill),
                }
            }
        }
    }
}

/// What became of an appointment.
enum Kept {
    /// Sealed; there are so many entries now.
    Sealed(u64),
    /// The log was past it.
    Passed,
    /// The log does not get there.
    StandsStill,
}

fn sign(signer: &dyn NoteSigner, message: &str) -> Result<[u8; 64], KeyChangeError> {
    sized(signer.sign(message)?, signer.verifier_key())
}

/// What the ML-DSA-44 keys of a hybrid book add to a change of keys.
pub(super) fn hybrid_change(
    old: Option<&HybridSigner>,
    new: Option<&HybridSigner>,
    message: &str,
) -> Result<Option<Box<HybridChange>>, KeyChangeError> {
    let (Some(old), Some(new)) = (old, new) else {
        return Ok(None);
    };
    let message = message.as_bytes();
    Ok(Some(Box::new(HybridChange {
        new: new.verifier_key().to_string().into(),
        signature_new: sized(new.sign_message(message)?, new.verifier_key())?,
        signature_old: sized(old.sign_message(message)?, old.verifier_key())?,
    })))
}

fn sized<const N: usize>(signature: Vec<u8>, key: &VerifierKey) -> Result<[u8; N], KeyChangeError> {
    let refuse = |_| SignerError {
        name: key.name().clone(),
        reason: "the signature has another length than such a key's".to_owned(),
    };
    Ok(signature.try_into().map_err(refuse)?)
}
