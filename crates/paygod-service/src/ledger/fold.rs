//! Folding a book's entries while it is opened: INVARIANT(fold), the path that verifiers take too.
//!
//! A snapshot only saves time. It is believed if its digest is the one that a later entry sealed;
//! otherwise the book is opened again without it.

use paygod_core::{Body, Effects, Entry, State};
use paygod_store::{Entry as Stored, Fold, FoldFault, Progress, Record, Snapshot};
use paygod_types::{Code, Digest, Seq, code};

use super::integrate::touch;
use super::open::OpeningProgress;

/// The state under way, and what is to be done once the book is open.
pub(super) struct BookFold {
    pub(super) state: State,
    effects: Option<Effects>,
    /// The snapshot that was taken, until an entry vouches for it.
    pub(super) unvouched: Option<Claim>,
    /// Snapshots of so many entries or more are not tried.
    refuse_from: u64,
    tell: Option<OpeningProgress>,
    /// Entries whose inputs were ordered to be erased, by entries after the snapshot.
    pub(super) erased: Vec<Seq>,
}

/// What a snapshot says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    /// How many entries are folded into it.
    pub(super) next: Seq,
    digest: Digest,
}

impl BookFold {
    /// A fold that tries only snapshots of fewer entries than `refuse_from`.
    pub(super) fn new(refuse_from: u64, tell: Option<OpeningProgress>) -> Self {
        Self {
            state: State::new(),
            effects: None,
            unvouched: None,
            refuse_from,
            tell,
            erased: Vec::new(),
        }
    }

    fn vouch(&mut self, entry: &Entry) -> Result<(), FoldFault> {
        let (Some(claim), Body::Snapshot(sealed)) = (self.unvouched, &entry.body) else {
            return Ok(());
        };
        if sealed.of.get().checked_add(1) != Some(claim.next.get()) {
            return Ok(());
        }
        if sealed.digest != claim.digest {
            return Err(FoldFault {
                code: code::LEDGER_STATE_MISMATCH,
                message: format!(
                    "the snapshot has digest {}, and {} was sealed",
                    claim.digest, sealed.digest
                ),
            });
        }
        self.unvouched = None;
        Ok(())
    }
}

impl Fold for BookFold {
    fn reset(&mut self) {
        *self = Self::new(self.refuse_from, self.tell.take());
    }

    fn restore(&mut self, snapshot: &Snapshot) -> Result<(), FoldFault> {
        if snapshot.next.get() >= self.refuse_from {
            return Err(fault(
                code::LEDGER_STATE_MISMATCH,
                "no entry vouches for the snapshot",
            ));
        }
        self.state =
            State::from_snapshot(&snapshot.state).map_err(|error| fault(error.code(), &error))?;
        if self.state.size() != snapshot.next.get() {
            return Err(fault(
                code::LEDGER_STATE_MISMATCH,
                "the snapshot is of another size",
            ));
        }
        let digest = Digest::sha256(&snapshot.state);
        self.unvouched = Some(Claim {
            next: snapshot.next,
            digest,
        });
        Ok(())
    }

    fn apply(&mut self, stored: Stored<'_>, record: &mut Record) -> Result<(), FoldFault> {
        let entry = Entry::decode(stored.bytes).map_err(|error| fault(error.code(), &error))?;
        self.vouch(&entry)?;
        let effects = self
            .effects
            .get_or_insert_with(|| Effects::reusable(entry.id.clone()));
        self.state
            .apply_into(&entry, effects)
            .map_err(|error| fault(error.code(), &error))?;
        record.id(effects.id.as_str().as_bytes());
        for hit in &effects.windows {
            record.token(&hit.token.0);
        }
        if let Some(half) = effects
            .policy
            .as_ref()
            .and_then(|policy| policy.as_bytes().first_chunk())
        {
            record.token(half);
        }
        for touched in &effects.touched {
            record.touch(touch(touched));
        }
        if let (Body::EvidenceErase { .. }, Some(target)) = (&entry.body, &effects.refers_to) {
            self.erased.push(target.seq);
        }
        Ok(())
    }

    fn progress(&mut self, progress: Progress) {
        if let Some(tell) = &self.tell {
            tell(progress);
        }
    }
}

fn fault(code: Code, cause: &(impl std::fmt::Display + ?Sized)) -> FoldFault {
    FoldFault {
        code,
        message: cause.to_string(),
    }
}
