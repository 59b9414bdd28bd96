//! How far the ledger is durable and signed, for those who wait for it.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::outcome::SubmitError;

const MOMENT: Duration = Duration::from_millis(10);

#[derive(Clone, Copy, Debug, Default)]
struct Sizes {
    durable: u64,
    integrated: u64,
    signed: u64,
    poisoned: bool,
}

/// Tree sizes that only grow.
#[derive(Debug, Default)]
pub(super) struct Progress {
    sizes: Mutex<Sizes>,
    grown: Condvar,
}

impl Progress {
    /// At opening everything durable is integrated.
    pub(super) fn new(durable: u64, signed: u64) -> Self {
        let sizes = Mutex::new(Sizes {
            durable,
            integrated: durable,
            signed,
            poisoned: false,
        });
        Self {
            sizes,
            grown: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Sizes> {
        self.sizes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many entries are durable.
    pub(super) fn durable(&self) -> u64 {
        self.lock().durable
    }

    /// How many entries the last published checkpoint covers.
    pub(super) fn signed(&self) -> u64 {
        self.lock().signed
    }

    /// How many entries wait for a signed checkpoint.
    pub(super) fn unsigned(&self) -> u64 {
        let sizes = self.lock();
        sizes.durable.saturating_sub(sizes.signed)
    }

    pub(super) fn set_durable(&self, size: u64) {
        self.lock().durable = size;
        self.grown.notify_all();
    }

    pub(super) fn set_integrated(&self, size: u64) {
        self.lock().integrated = size;
        self.grown.notify_all();
    }

    pub(super) fn set_signed(&self, size: u64) {
        self.lock().signed = size;
        self.grown.notify_all();
    }

    /// Lets nobody wait for what will not come.
    pub(super) fn poison(&self) {
        self.lock().poisoned = true;
        self.grown.notify_all();
    }

    pub(super) fn is_poisoned(&self) -> bool {
        self.lock().poisoned
    }

    /// Waits until so many entries are durable.
    pub(super) fn wait_durable(&self, size: u64) -> Result<(), SubmitError> {
        self.wait(|sizes| sizes.durable >= size)
    }

    /// Waits until tree and balance history hold so many entries.
    pub(super) fn wait_integrated(&self, size: u64) -> Result<(), SubmitError> {
        self.wait(|sizes| sizes.integrated >= size)
    }

    /// Waits until a published checkpoint covers so many entries.
    pub(super) fn wait_signed(&self, size: u64) -> Result<(), SubmitError> {
        self.wait(|sizes| sizes.signed >= size)
    }

    /// Waits until something has grown, for a moment at most: of what else changes nobody is told here.
    pub(super) fn wait_a_moment(&self) -> Result<(), SubmitError> {
        let waited = self.grown.wait_timeout(self.lock(), MOMENT);
        let (sizes, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if sizes.poisoned {
            return Err(SubmitError::Poisoned);
        }
        Ok(())
    }

    fn wait(&self, reached: impl Fn(&Sizes) -> bool) -> Result<(), SubmitError> {
        let mut sizes = self.lock();
        while !reached(&sizes) {
            if sizes.poisoned {
                return Err(SubmitError::Poisoned);
            }
            sizes = self
                .grown
                .wait(sizes)
                .unwrap_or_else(PoisonError::into_inner);
        }
        Ok(())
    }
}
