//! Folding a book's entries while it is opened: INVARIANT(fold), the path that verifiers take too.
//!
//! A snapshot only saves time. It is believed if its digest is the one that a later entry sealed;
//! otherwise the book is opened again without it. Where so many entries are folded that one must be missing, as after
//! restoring a backup, the one that the last snapshot entry speaks of is written again.

use core::convert::Infallible;

use paygod_core::entry::SnapshotClaim;
use paygod_core::{Action, Body, Effects, Entry, EntryHead, State};
use paygod_store::{
    Entry as Stored, Fold, FoldFault, Progress, ReadError, Reader, Record, Snapshot,
};
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
    /// Past so many entries to fold, a snapshot is missing.
    snapshot_every: u64,
    /// What the last snapshot entry says of a state on the way.
    ahead: Option<SnapshotClaim>,
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
    pub(super) fn new(
        refuse_from: u64,
        snapshot_every: u64,
        tell: Option<OpeningProgress>,
    ) -> Self {
        Self {
            state: State::new(),
            effects: None,
            unvouched: None,
            refuse_from,
            snapshot_every,
            ahead: None,
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
            let message = format!(
                "the snapshot has digest {}, and {} was sealed",
                claim.digest, sealed.digest
            );
            return Err(fault(code::LEDGER_STATE_MISMATCH, &message));
        }
        self.unvouched = None;
        Ok(())
    }
}

impl Fold for BookFold {
    fn reset(&mut self) {
        *self = Self::new(self.refuse_from, self.snapshot_every, self.tell.take());
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

    fn snapshot_at(&mut self, reader: &Reader, from: Seq) -> Result<Option<Seq>, ReadError> {
        let size = reader.size();
        if size.saturating_sub(from.get()) <= self.snapshot_every {
            return Ok(None);
        }
        self.ahead = last_claim(reader, from.get(), size)?;
        let reached = self.ahead.and_then(|claim| claim.of.get().checked_add(1));
        Ok(reached.filter(|size| *size > from.get()).map(Seq))
    }

    fn give_snapshot(&mut self, take: &mut dyn FnMut(&[u8])) -> Result<(), FoldFault> {
        let Ok(found) = self.state.give_snapshot(&mut Vec::new(), |bytes| {
            take(bytes);
            Ok::<(), Infallible>(())
        });
        match self.ahead {
            Some(claim) if claim.digest != found => {
                let sealed = claim.digest;
                let message = format!("the state has digest {found}, and {sealed} was sealed");
                Err(fault(code::LEDGER_STATE_MISMATCH, &message))
            }
            _ => Ok(()),
        }
    }

    fn progress(&mut self, progress: Progress) {
        if let Some(tell) = &self.tell {
            tell(progress);
        }
    }
}

/// How many entries are looked through at once for a snapshot entry, from the last one back.
const LOOKED_THROUGH: u64 = 65_536;

/// The last snapshot entry of those in the range.
fn last_claim(reader: &Reader, from: u64, to: u64) -> Result<Option<SnapshotClaim>, ReadError> {
    let mut end = to;
    while end > from {
        let start = end.saturating_sub(LOOKED_THROUGH).max(from);
        let mut last = None;
        reader.scan(Seq(start), Seq(end), |stored| {
            // What does not read is for the fold to name.
            let is_one =
                EntryHead::decode(stored.bytes).is_ok_and(|head| head.action == Action::Snapshot);
            if is_one && let Ok(entry) = Entry::decode(stored.bytes) {
                last = Some(entry.body);
            }
            Ok::<(), ReadError>(())
        })?;
        if let Some(Body::Snapshot(claim)) = last {
            return Ok(Some(claim));
        }
        end = start;
    }
    Ok(None)
}

fn fault(code: Code, cause: &(impl std::fmt::Display + ?Sized)) -> FoldFault {
    FoldFault {
        code,
        message: cause.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_that_is_not_the_one_sealed_ends_the_opening() {
        let state = State::new();
        let claim = |digest| {
            let mut fold = BookFold::new(0, 0, None);
            fold.ahead = Some(SnapshotClaim {
                accounts: 0,
                digest,
                of: Seq(0),
            });
            let mut bytes = Vec::new();
            fold.give_snapshot(&mut |piece| bytes.extend_from_slice(piece))
                .map(|()| bytes)
        };
        let bytes = claim(state.digest()).unwrap();
        assert_eq!(Digest::sha256(&bytes), state.digest());
        let fault = claim(Digest::sha256(b"another state")).unwrap_err();
        assert_eq!(fault.code, code::LEDGER_STATE_MISMATCH);
    }
}
