//! Stage 3: the inputs and then the entries of a group, one flush each, then the answers.
//!
//! INVARIANT(durable-first): [`Committer::run`] is the only place that answers with an outcome, and it
//! does so after the flush. INVARIANT(poisoned): after a failure nothing more is committed.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::SyncSender;

use paygod_store::{CommitError, EntryBuf, ReadError, Reader, Vault, VaultError, Writer};
use paygod_types::{Code, Seq};

use super::shared::Shared;
use super::work::Work;

/// The one thread that makes entries durable.
pub(super) struct Committer {
    pub(super) writer: Writer,
    pub(super) reader: Reader,
    pub(super) vault: Vault,
    pub(super) integrate: SyncSender<Work>,
    pub(super) shared: Arc<Shared>,
}

/// A group was not committed, or what must follow at once was not done.
#[derive(Debug, thiserror::Error)]
enum CommitFault {
    #[error(transparent)]
    Commit(#[from] CommitError),
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error(transparent)]
    Erase(#[from] EraseError),
}

impl Committer {
    /// Works until the sequencer has closed the handoff.
    pub(super) fn run(mut self) {
        while let Some(mut work) = self.shared.handoff.take(|| self.shared.intake.nudge()) {
            if self.shared.progress.is_poisoned() {
                work.answer_poisoned();
                continue;
            }
            if let Err(fault) = self.commit(&work) {
                self.shared.poison(&fault);
                work.answer_poisoned();
                continue;
            }
            if !work.group.is_empty() {
                self.shared.groups.fetch_add(1, Ordering::Relaxed);
            }
            self.shared
                .progress
                .set_durable(work.group.next_seq().get());
            work.answer();
            self.shared.intake.answered(work.requests);
            if !work.group.is_empty() && self.integrate.send(work).is_err() {
                self.shared
                    .poison_because("the integrator has stopped".to_owned());
            }
        }
    }

    fn commit(&mut self, work: &Work) -> Result<(), CommitFault> {
        self.vault.write(&work.inputs)?;
        self.writer.commit(&work.group)?;
        for seq in &work.erased {
            erase(*seq, &self.reader, &self.vault)?;
        }
        Ok(())
    }
}

/// Erases the input of an entry, as a later entry, durable by now, orders. Doing it twice does no harm,
/// and it is done again when a book is opened after a crash in between.
pub(super) fn erase(seq: Seq, reader: &Reader, vault: &Vault) -> Result<(), EraseError> {
    let mut buf = EntryBuf::default();
    if let Some(input) = reader.entry(seq, &mut buf)?.input {
        vault.erase(input)?;
    }
    Ok(())
}

/// An input could not be found or erased.
#[derive(Debug, thiserror::Error)]
pub enum EraseError {
    /// The entry could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The vault refused.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

impl EraseError {
    /// The permanent code.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Read(error) => error.code(),
            Self::Vault(error) => error.code(),
        }
    }
}
