//! Signing and publishing checkpoints, on a thread of its own.
//!
//! The integrator leaves the newest tree head in the [`Outbox`] and goes on; whatever a signer takes, it
//! delays checkpoints and nothing else. Heads that come while one is being signed are not queued: the
//! next checkpoint covers them all.
//!
//! Every signature is verified under the key that the ledger names before it is published: a signer
//! that signs something else is a signer that failed. A failing signer is asked again at the next
//! turn; what was sealed meanwhile waits for its checkpoint.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use paygod_core::KeysInForce;
use paygod_store::{CheckpointError, Checkpoints};
use paygod_tlog::{
    Checkpoint, Cosigner, Ed25519Verifier, NoteError, NoteSigner, NoteVerifier, SignedCheckpoint,
    SignedNote, TreeHead, cosign,
};

use super::keys::{BookKeys, Signers};
use super::shared::Shared;
use super::witness::clock_s;

/// How long the publisher waits at least between two attempts, so that it never spins.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);

/// A tree and the keys whose checkpoints of it count.
#[derive(Clone, Debug)]
pub(super) struct Due {
    pub(super) head: TreeHead,
    pub(super) keys: KeysInForce,
    /// The keys before, if they were rotated out since the ledger was opened: they sign beside the new ones
    /// for a while.
    pub(super) before: Option<KeysInForce>,
}

/// Between the integrator and the publisher: the newest tree, and nothing older.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    mail: Mutex<Mail>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Mail {
    due: Option<Due>,
    closing: bool,
}

impl Outbox {
    fn lock(&self) -> MutexGuard<'_, Mail> {
        self.mail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaves the newest tree.
    pub(super) fn post(&self, due: Due) {
        self.lock().due = Some(due);
        self.changed.notify_all();
    }

    /// Nothing more comes.
    pub(super) fn close(&self) {
        self.lock().closing = true;
        self.changed.notify_all();
    }

    /// Takes the newest tree, not before `earliest` unless nothing more comes; `None` at the end.
    fn take(&self, earliest: Instant) -> Option<Due> {
        let mut mail = self.lock();
        loop {
            let wait = earliest.saturating_duration_since(Instant::now());
            if mail.closing || (mail.due.is_some() && wait.is_zero()) {
                return mail.due.take();
            }
            let changed = &self.changed;
            mail = if mail.due.is_some() {
                let waited = changed.wait_timeout(mail, wait);
                waited.unwrap_or_else(PoisonError::into_inner).0
            } else {
                changed.wait(mail).unwrap_or_else(PoisonError::into_inner)
            };
        }
    }

    /// Puts back what was not signed, unless something newer has come or nothing more comes: the last
    /// attempt was the last.
    fn put_back(&self, due: Due) {
        let mut mail = self.lock();
        if !mail.closing {
            mail.due.get_or_insert(due);
        }
    }
}

/// The signers, and how their signatures are checked.
pub(super) struct Key {
    keys: KeysInForce,
    signers: Signers,
    verifier: Ed25519Verifier,
}

impl Key {
    /// The signers, if they are those of the keys that the ledger names; else the first that is not.
    pub(super) fn of(keys: &KeysInForce, signers: Signers) -> Result<Self, String> {
        let found = signers.vkeys();
        if found.checkpoint != keys.checkpoint {
            return Err(found.checkpoint.to_string());
        }
        if found.hybrid != keys.hybrid {
            return Err(found.hybrid.unwrap_or_default().to_string());
        }
        let verifier = Ed25519Verifier::new(signers.checkpoint.verifier_key());
        Ok(Self {
            keys: found,
            verifier: verifier.map_err(|error| error.to_string())?,
            signers,
        })
    }
}

/// Keys that were replaced.
pub(super) struct Leaving {
    /// Those that are not retired yet.
    pub(super) vkeys: Vec<Arc<str>>,
    /// When they are to be retired, and since when they are not asked to sign any more.
    pub(super) until: Instant,
    pub(super) key: Option<Key>,
}

/// Signs checkpoints of one log and puts them where readers find them.
pub(super) struct Publisher {
    pub(super) origin: Arc<str>,
    pub(super) checkpoints: Checkpoints,
    pub(super) keys: BookKeys,
    /// The keys of the last checkpoint, or of the one that is due.
    pub(super) key: Option<Key>,
    /// How long at least between two checkpoints under load.
    pub(super) every: Duration,
    /// How long a key that was rotated out signs beside the new one.
    pub(super) overlap: Duration,
    /// Keys that were replaced and are not retired yet.
    pub(super) leaving: Vec<Leaving>,
    pub(super) outbox: Arc<Outbox>,
    pub(super) shared: Arc<Shared>,
}

impl Publisher {
    /// Publishes the tree as it was at opening, then the newest ones, until nothing more comes.
    pub(super) fn run(mut self, opened: Due) {
        let mut due = Some(opened);
        while let Some(now) = due {
            let began = Instant::now();
            match self.publish(&now) {
                Ok(true) => self.retire(),
                Ok(false) => self.outbox.put_back(now),
                Err(error) => return self.shared.poison(&error),
            }
            let earliest = began.checked_add(self.every).unwrap_or(began);
            let shortest = Instant::now().checked_add(SHORTEST_WAIT).unwrap_or(began);
            due = self.outbox.take(earliest.max(shortest));
        }
    }

    /// Publishes a checkpoint of this tree, unless the last one covers it. `false`: it was not signed,
    /// and why is remembered.
    fn publish(&mut self, due: &Due) -> Result<bool, CheckpointError> {
        if self
            .checkpoints
            .last_head()
            .is_some_and(|last| last.size >= due.head.size)
        {
            return Ok(true);
        }
        match self.sign(due) {
            Ok(signed) => {
                self.checkpoints.publish(signed.clone())?;
                self.shared.set_signer_fault(None);
                self.shared.set_checkpoint(signed);
                self.shared.signatures.fetch_add(1, Ordering::Relaxed);
                self.shared.progress.set_signed(due.head.size);
                Ok(true)
            }
            Err(reason) => {
                self.shared.set_signer_fault(Some(reason));
                Ok(false)
            }
        }
    }

    /// Retires the keys whose time is up; again at the next turn if the provider does not answer.
    fn retire(&mut self) {
        let now = Instant::now();
        let keys = &self.keys;
        self.leaving.retain_mut(|leaving| {
            if leaving.until <= now {
                leaving.vkeys.retain(|vkey| keys.retire(vkey).is_err());
            }
            !leaving.vkeys.is_empty()
        });
    }

    /// Notes that keys were replaced. The last signers of rotated keys go on beside the new ones.
    fn replaced(&mut self, due: &Due) {
        let Some(before) = &due.before else { return };
        let vkeys: Vec<Arc<str>> = [Some(&before.checkpoint), before.hybrid.as_ref()]
            .into_iter()
            .flatten()
            .filter(|vkey| due.keys.hybrid.as_ref() != Some(vkey))
            .cloned()
            .collect();
        let known = |leaving: &Leaving| leaving.vkeys.iter().any(|vkey| vkeys.contains(vkey));
        if self.leaving.iter().any(known) {
            return;
        }
        let now = Instant::now();
        self.leaving.push(Leaving {
            vkeys,
            until: now.checked_add(self.overlap).unwrap_or(now),
            key: self.key.take_if(|key| key.keys == *before),
        });
    }

    fn sign(&mut self, due: &Due) -> Result<SignedCheckpoint, String> {
        self.replaced(due);
        let key = match self.key.take() {
            Some(key) if key.keys == due.keys => key,
            _ => {
                let signers = self.keys.find_all(&due.keys);
                Key::of(&due.keys, signers.map_err(|error| error.to_string())?)?
            }
        };
        let key = self.key.insert(key);
        let checkpoint = Checkpoint {
            origin: self.origin.to_string(),
            head: due.head,
        };
        let signer: &dyn NoteSigner = &*key.signers.checkpoint;
        let mut signed =
            SignedCheckpoint::sign(checkpoint, &[signer]).map_err(|error| error.to_string())?;
        let verified = signed.verify(&self.origin, &[&key.verifier]);
        verified.map_err(|error| error.to_string())?;
        let time = clock_s(&*self.shared.clock);
        if let Some(hybrid) = &key.signers.hybrid {
            add_cosignature(&mut signed, &**hybrid, time)?;
        }
        let hybrid = &key.keys.hybrid;
        for leaving in self.leaving.iter().filter_map(|one| one.key.as_ref()) {
            // A courtesy to readers who only know the old keys: the checkpoint counts without it.
            let _kept = add_signature(&mut signed, leaving);
            if let Some(cosigner) = &leaving.signers.hybrid
                && leaving.keys.hybrid != *hybrid
            {
                let _kept = add_cosignature(&mut signed, &**cosigner, time);
            }
        }
        Ok(signed)
    }
}

fn add_cosignature(
    signed: &mut SignedCheckpoint,
    cosigner: &dyn Cosigner,
    time: u64,
) -> Result<(), String> {
    let cosigned = cosign(cosigner, signed.note().text(), time);
    let cosigned = cosigned.map_err(|error| error.to_string())?;
    let added = signed.note_mut().add_signature(cosigned);
    added.map_err(|error| error.to_string())
}

/// Adds the signature of a key that is leaving, if it is sound.
fn add_signature(signed: &mut SignedCheckpoint, leaving: &Key) -> Result<(), NoteError> {
    let text = signed.note().text().to_owned();
    let signer: &dyn NoteSigner = &*leaving.signers.checkpoint;
    for signature in SignedNote::sign(&text, &[signer])?.signatures() {
        if leaving.verifier.verify(&text, &signature.signature) {
            signed.note_mut().add_signature(signature.clone())?;
        }
    }
    Ok(())
}
