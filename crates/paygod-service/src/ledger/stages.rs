//! The threads of a ledger: started together, ended in the order of the flow.
//!
//! A stage that panics poisons the ledger: INVARIANT(poisoned).

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use super::intake::Job;
use super::prepare::{self, BookParts, Chunk, Tools};
use super::sequence::{Task, Turns};
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

/// How long a worker sleeps when there is nothing to do, before it looks for reservations that are
/// overdue.
const PATIENCE: Duration = Duration::from_millis(100);

/// A worker: prepares beside the others, and works on the state when it is its turn, until the ledger closes or is
/// poisoned. While it waits for its turn it prepares what it will sequence in the one after.
pub(super) fn worker(shared: &Shared, turns: &Turns, book: &BookParts) {
    let prepare = |parts: &mut Vec<_>, chunk: &mut Chunk| {
        let ruleset = shared.ruleset();
        let tools = Tools {
            ruleset: &ruleset,
            window_key: &shared.window_key,
            book,
        };
        prepare::prepare(parts, &tools, chunk);
    };
    let take_turn = |place, task: Task<'_>| {
        if shared.intake.wait_turn(place) {
            turns.take(task);
            shared.intake.end_turn(place);
        } else if let Task::Chunk(chunk) = task {
            chunk.answer_poisoned();
        }
    };
    let (mut parts, mut chunk, mut next) = (Vec::new(), Chunk::default(), Chunk::default());
    while let Some((mut place, job)) = shared.intake.take(&mut parts, PATIENCE) {
        match job {
            Job::Requests => {
                prepare(&mut parts, &mut chunk);
                while let Some(later) = shared.intake.take_ahead(place, &mut parts) {
                    prepare(&mut parts, &mut next);
                    take_turn(place, Task::Chunk(&mut chunk));
                    std::mem::swap(&mut chunk, &mut next);
                    place = later;
                }
                take_turn(place, Task::Chunk(&mut chunk));
            }
            Job::Errand(errand) => take_turn(place, Task::Errand(errand)),
            Job::Idle => take_turn(place, Task::Idle),
        }
    }
    turns.leave();
}
