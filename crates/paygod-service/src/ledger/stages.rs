//! The threads of a ledger: started together, ended in the order of the flow.
//!
//! A stage that panics poisons the ledger: INVARIANT(poisoned).

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

use paygod_store::{Blobs, Vault};

use super::prepare::{self, Tools};
use super::shared::Shared;

/// The threads of an open ledger.
#[derive(Default)]
pub(super) struct Stages {
    threads: Vec<JoinHandle<()>>,
}

impl Stages {
    /// Starts a stage.
    pub(super) fn start(
        &mut self,
        name: &str,
        shared: &Arc<Shared>,
        stage: impl FnOnce() + Send + 'static,
    ) -> io::Result<()> {
        let shared = Arc::clone(shared);
        let what = name.to_owned();
        let thread = Builder::new()
            .name(format!("paygod-{name}"))
            .spawn(move || {
                if catch_unwind(AssertUnwindSafe(stage)).is_err() {
                    shared.poison_because(format!("the stage `{what}` panicked"));
                }
            })?;
        self.threads.push(thread);
        Ok(())
    }

    /// Waits until every stage has ended.
    pub(super) fn join(&mut self) {
        for thread in self.threads.drain(..) {
            // A panic was caught and has poisoned the ledger.
            let _ended = thread.join();
        }
    }
}

/// A worker that prepares until the ledger closes or is poisoned.
pub(super) fn preparer(shared: &Shared, vault: &Vault, blobs: &Blobs) {
    let mut parts = Vec::new();
    while let Some(place) = shared.intake.take(&mut parts) {
        let ruleset = shared.ruleset();
        let tools = Tools {
            ruleset: &ruleset,
            window_key: &shared.window_key,
            vault,
            blobs,
        };
        let chunk = prepare::prepare(&mut parts, &tools);
        if let Some(chunk) = shared.intake.prepared(place, chunk) {
            chunk.answer_poisoned();
        }
    }
}
