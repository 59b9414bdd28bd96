//! Rebuilds the state, entry by entry, by the ledger's own fold, and checks what needs the state.
//!
//! An entry that the fold refuses is stepped over, so that later failures can be found too; from then
//! on the state is not the book's, and what follows from that is reported as it comes.

use paygod_core::{AccountIx, Body, Effects, Entry, FoldError, State};
use paygod_types::RequestId;

use crate::batch::{Read, Reader};
use crate::blobs::Blobs;
use crate::error::VerifyError;
use crate::failure::{Failure, Failures};
use crate::ids::Ids;
use crate::keys::Keys;
use crate::options::Options;
use crate::rules::Rules;
use crate::snapshots::Snapshots;

/// The state as rebuilt so far.
#[derive(Debug)]
pub(crate) struct Rebuild {
    state: State,
    effects: Option<Effects>,
    ids: Ids,
    snapshots: Snapshots,
    blobs: Blobs,
    rules: Rules,
    /// Kept between runs to spare allocations.
    places: Vec<AccountIx>,
}

impl Rebuild {
    pub(crate) fn new(options: &Options<'_>) -> Self {
        Self {
            state: State::new(),
            effects: RequestId::system("none").ok().map(Effects::reusable),
            ids: Ids::new(&options.scratch),
            snapshots: Snapshots::new(),
            blobs: Blobs::default(),
            rules: Rules::none(),
            places: Vec::new(),
        }
    }

    pub(crate) const fn state(&self) -> &State {
        &self.state
    }

    /// Makes ready for a run of entries. Where it will look them up, memory is on its way to the
    /// processor's cache for all of them at once, and not for one after the other.
    pub(crate) fn prepare(&mut self, entries: &[Read], reader: &Reader<'_>) {
        self.snapshots.expect(reader.take_spoken_of());
        let accounts = entries
            .iter()
            .filter_map(Read::entry)
            .flat_map(|entry| entry.body.postings())
            .map(|posting| &posting.account);
        let found = self.state.warm(accounts, &mut self.places);
        std::hint::black_box(found);
    }

    /// Checks and applies the next entry.
    pub(crate) fn take(
        &mut self,
        read: &Read,
        reader: &Reader<'_>,
        keys: &mut Keys,
        failures: &mut Failures,
    ) -> Result<(), VerifyError> {
        let Some(entry) = read.entry() else {
            self.state.step_over(None);
            return Ok(());
        };
        self.ids.take(read.id_hash, read.index, entry, reader)?;
        let before = match &entry.body {
            Body::Snapshot(claim) => self.snapshots.before(claim, &self.state),
            _ => None,
        };
        if let Err(error) = self.apply(entry) {
            failures.push(Failure::of_fold(read.index, error));
            self.state.step_over(Some(entry.time));
            return Ok(());
        }
        self.snapshots.observe(&self.state);
        if let Some(decision) = entry.body.decision() {
            let failure = self.rules.check(read.index, decision);
            failure
                .into_iter()
                .for_each(|failure| failures.push(failure));
        }
        match &entry.body {
            Body::Genesis(_) | Body::KeyRotate(_) | Body::KeyRevoke(_) => {
                if let Some(book) = self.state.book() {
                    keys.changed(book);
                }
            }
            Body::Snapshot(claim) => {
                let failure = self.snapshots.check(read.index, claim, before, reader)?;
                failure
                    .into_iter()
                    .for_each(|failure| failures.push(failure));
            }
            Body::PolicyActivate { set, .. } => {
                let packs = self.blobs.check(read.index, set, reader.source, failures)?;
                self.rules.activate(packs);
            }
            _ => {}
        }
        Ok(())
    }

    fn apply(&mut self, entry: &Entry) -> Result<(), FoldError> {
        match &mut self.effects {
            Some(effects) => self.state.apply_into(entry, effects),
            None => self.state.apply(entry).map(drop),
        }
    }

    /// What can only be said when all entries were seen.
    pub(crate) fn finish(
        &self,
        reader: &Reader<'_>,
        threads: usize,
        failures: &mut Failures,
    ) -> Result<(), VerifyError> {
        self.ids.finish(reader, threads, failures)
    }
}
