//! Replacing the checkpoint key while the ledger works: no pause, no lost request.
//!
//! A rotation signs the number of its own entry, and signing may take long, so the entry is sealed by
//! appointment: at a number a little ahead, once the log gets there. While the log stands still the next
//! number will do. A number that was passed meanwhile costs another attempt, and nobody else anything.
//!
//! From its entry on the new key signs; for a while the old one signs beside it, so that readers who only
//! know the old key are not cut off at once; then the provider retires it.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use paygod_core::entry::KeyRotation;
use paygod_core::{State, SystemCommand};
use paygod_tlog::{NoteSigner, SignerError};
use paygod_types::Seq;

use super::errand::{Appointment, Errand};
use super::keys::{BookKeys, CheckpointSigner};
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

/// A key that took over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotated {
    /// The entry.
    pub seq: Seq,
    /// The key in force before, as a vkey.
    pub old: String,
    /// The key in force from here on, as a vkey.
    pub new: String,
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
    /// Replaces the checkpoint key by a new one, made where the others are.
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
        let new = self.keys.create()?;
        let vkey: Arc<str> = new.verifier_key().to_string().into();
        let rotated = self.seal(&new, &vkey);
        if rotated.is_err() && !self.is_in_force(&vkey) {
            // Nobody will ever need it. Should this fail too, a key lies about that signs nothing.
            let _left = self.keys.retire(&vkey);
        }
        rotated
    }

    fn seal(&self, new: &CheckpointSigner, vkey: &Arc<str>) -> Result<Rotated, KeyChangeError> {
        let mut ahead = 0;
        for _ in 0..ATTEMPTS_MAX {
            let (next, old) = self.now()?;
            let seq = Seq(next.get().saturating_add(ahead));
            let rotation = self.signed(seq, &old, new, vkey)?;
            match self.keep_appointment(seq, rotation)? {
                Kept::Sealed(size) => {
                    self.shared.progress.wait_durable(size)?;
                    return Ok(Rotated {
                        seq,
                        old: old.to_string(),
                        new: vkey.to_string(),
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

    /// The number of the next entry, and the key in force.
    fn now(&self) -> Result<(Seq, Arc<str>), KeyChangeError> {
        let seen = self.look(|state| {
            let key = state.checkpoint_key().map(|key| Arc::clone(&key.vkey));
            (state.next_seq(), key.unwrap_or_default())
        })?;
        Ok(seen)
    }

    /// The entry that brought in the key in force.
    pub(super) fn since(&self) -> Result<Seq, KeyChangeError> {
        let since = self.look(|state| state.checkpoint_key().map(|key| key.since))?;
        Ok(since.unwrap_or(Seq(0)))
    }

    fn is_in_force(&self, vkey: &Arc<str>) -> bool {
        self.now().is_ok_and(|(_, key)| key == *vkey)
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
        old: &Arc<str>,
        new: &CheckpointSigner,
        vkey: &Arc<str>,
    ) -> Result<KeyRotation, KeyChangeError> {
        let message = KeyRotation::message(&self.origin, seq, old, vkey);
        let before = self.keys.find(old)?;
        Ok(KeyRotation {
            new: Arc::clone(vkey),
            old: Arc::clone(old),
            signature_new: sign(&**new, &message)?,
            signature_old: sign(&*before, &message)?,
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
    let signature = signer.sign(message)?;
    let refuse = |_| SignerError {
        name: signer.verifier_key().name().clone(),
        reason: "the signature is not one of Ed25519".to_owned(),
    };
    Ok(signature.as_slice().try_into().map_err(refuse)?)
}
