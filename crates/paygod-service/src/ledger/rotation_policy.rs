//! When a checkpoint key is to be replaced, without anybody's asking: by its age, or by how often it has
//! signed. The book says so in an entry (`key_policy`); whoever opens it may ask for more. A thread of the
//! ledger looks now and then, and rotates.
//!
//! Both can be seen from outside: entries have times, and `checkpoints.log` has every checkpoint.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use paygod_core::key_policy::KeyPolicy;
use paygod_types::{Seq, Timestamp};

use super::open::Ledger;
use super::reader::LedgerReader;
use super::revoke::KeyChangeError;
use super::rotate::{Rotated, Rotator};
use super::shared::Shared;

/// How often the policy is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How long a rotation that failed is left alone.
const AGAIN_AFTER: Duration = Duration::from_secs(30);

/// The published checkpoints, in the book's folder.
const LOG: &str = "checkpoints.log";

/// Longest note and its length in the log, in bytes: what is longer is no record.
const RECORD_BYTES_MAX: u64 = 1 << 19;

/// When a checkpoint key is replaced. With neither limit, never by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RotationPolicy {
    /// Once it has been in force for so long.
    pub age_max: Option<Duration>,
    /// Once it has signed so many checkpoints.
    pub signatures_max: Option<u64>,
}

/// How long the key in force has been so, and how often it has signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyUse {
    /// Since when, by the time of the entry.
    pub since: Timestamp,
    /// Checkpoints that it has signed.
    pub signatures: u64,
}

impl RotationPolicy {
    /// Whether the key is to be replaced.
    #[must_use]
    pub fn is_due(&self, used: &KeyUse, now: Timestamp) -> bool {
        let age = Duration::from_nanos(now.as_nanos().saturating_sub(used.since.as_nanos()));
        self.age_max.is_some_and(|most| age >= most)
            || self
                .signatures_max
                .is_some_and(|most| used.signatures >= most)
    }

    /// What a book says of it.
    #[must_use]
    pub fn of(book: &KeyPolicy) -> Self {
        Self {
            age_max: book.age_s.map(Duration::from_secs),
            signatures_max: book.signatures,
        }
    }

    const fn is_none(&self) -> bool {
        self.age_max.is_none() && self.signatures_max.is_none()
    }
}

impl LedgerReader {
    /// How long the key in force has been so, and how often it has signed.
    ///
    /// # Errors
    /// The ledger has stopped, or its checkpoints cannot be counted.
    pub fn key_use(&self) -> Result<KeyUse, KeyChangeError> {
        let since = self.look(|state| state.checkpoint_key().map(|key| key.since))?;
        let since = since.unwrap_or(Seq(0));
        let entry = self.entry(since).map_err(|error| KeyChangeError::Use {
            reason: error.to_string(),
        })?;
        Ok(KeyUse {
            since: entry.entry.time,
            signatures: count(&self.dir, since)?,
        })
    }
}

impl Ledger {
    /// Replaces the checkpoint key if the policy says so.
    ///
    /// # Errors
    /// As [`LedgerReader::key_use`] and [`Ledger::rotate_key`].
    pub fn rotate_if_due(
        &self,
        policy: &RotationPolicy,
    ) -> Result<Option<Rotated>, KeyChangeError> {
        if policy.is_due(&self.read.key_use()?, self.shared.clock.now()) {
            return self.rotate_key().map(Some);
        }
        Ok(None)
    }
}

/// How many checkpoints of trees larger than `since` were published.
fn count(book: &Path, since: Seq) -> Result<u64, KeyChangeError> {
    checkpoints_after(&book.join(LOG), since).map_err(|error| KeyChangeError::Use {
        reason: format!("`{LOG}`: {error}"),
    })
}

fn checkpoints_after(path: &Path, since: Seq) -> io::Result<u64> {
    let broken = || io::Error::from(io::ErrorKind::InvalidData);
    let mut log = BufReader::new(File::open(path)?);
    let (mut line, mut count) = (String::new(), 0_u64);
    loop {
        line.clear();
        if log.by_ref().take(RECORD_BYTES_MAX).read_line(&mut line)? == 0 {
            return Ok(count);
        }
        let length: u64 = line.trim_end().parse().map_err(|_| broken())?;
        let mut note = log.by_ref().take(length.min(RECORD_BYTES_MAX));
        // The origin, then the size.
        for _ in 0..2 {
            line.clear();
            note.read_line(&mut line)?;
        }
        let size: u64 = line.trim_end().parse().map_err(|_| broken())?;
        io::copy(&mut note, &mut io::sink())?;
        if size > since.get() {
            count = count.saturating_add(1);
        }
    }
}

/// The thread that follows the policies: the book's own, and that of whoever opened it.
pub(super) struct Follower {
    pub(super) policy: RotationPolicy,
    pub(super) rotator: Rotator,
    pub(super) dir: PathBuf,
    /// Since when the key in force has been so.
    pub(super) since: Timestamp,
    pub(super) since_seq: Seq,
    /// How many checkpoints it signed before those that are counted now; `None`: not looked up yet.
    pub(super) before: Option<u64>,
    pub(super) shared: Arc<Shared>,
    /// Ends when its sender is gone.
    pub(super) until: Receiver<()>,
}

impl Follower {
    /// Looks now and then until the ledger closes.
    pub(super) fn run(mut self) {
        let mut wait = LOOK_EVERY;
        while matches!(
            self.until.recv_timeout(wait),
            Err(RecvTimeoutError::Timeout)
        ) {
            wait = LOOK_EVERY;
            let policies = [self.policy, RotationPolicy::of(&self.shared.key_policy())];
            if policies.iter().all(RotationPolicy::is_none) {
                continue;
            }
            let turn = self.turn(&policies);
            if turn.is_err() {
                wait = AGAIN_AFTER;
            }
            let fault = turn.err().map(|error| error.to_string());
            self.shared.set_rotation_fault(fault);
        }
    }

    fn turn(&mut self, policies: &[RotationPolicy]) -> Result<(), KeyChangeError> {
        let now = self.shared.clock.now();
        let since = self.rotator.since()?;
        if since != self.since_seq {
            // Somebody has replaced it, a moment ago.
            (self.since, self.since_seq, self.before) = (now, since, Some(0));
            self.shared.signatures.store(0, Ordering::Relaxed);
        }
        let counted = policies.iter().any(|one| one.signatures_max.is_some());
        let used = KeyUse {
            since: self.since,
            signatures: if counted { self.signatures() } else { 0 },
        };
        if policies.iter().any(|policy| policy.is_due(&used, now)) {
            self.rotator.rotate()?;
        }
        Ok(())
    }

    fn signatures(&mut self) -> u64 {
        let before = match self.before {
            Some(before) => before,
            None => {
                self.shared.signatures.store(0, Ordering::Relaxed);
                // What cannot be counted is not held against the key.
                let counted = count(&self.dir, self.since_seq).unwrap_or(0);
                *self.before.insert(counted)
            }
        };
        before.saturating_add(self.shared.signatures.load(Ordering::Relaxed))
    }
}
