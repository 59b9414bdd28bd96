//! Stage 2, one worker at a time, in the order of turns: known ids, decisions, entries.
//!
//! The worker that prepared a chunk sequences it too: what it prepared is still in its processor's cache.
//!
//! Every entry is applied by [`paygod_core::State::apply`], the fold that recovery and verifiers use:
//! INVARIANT(fold). What is sealed here is a promise to nobody until the commit stage has flushed it.
//!
//! It does not flush, answer or publish.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use paygod_core::engine::{self, Context, Outcome as Executed, SystemCommand};
use paygod_core::{
    AccountIx, Action, Command, CommandError, Effects, History as _, Preparer, Request, State,
    Verdict, Workspace,
};
use paygod_policy::{Ruleset, Scratch};
use paygod_store::{Placer, StageError};
use paygod_types::Timestamp;
use paygod_types::limits::{CLOCK_NANOS_MAX, GROUP_REQUESTS_MAX};

use super::errand::{Appointment, Errand};
use super::history::{Past, Sealed};
use super::outcome::{Answer, Outcome, SubmitError};
use super::prepare::{Chunk, Input, Item, Ready, Safe};
use super::shared::Shared;
use super::snapshots::{SnapshotJob, Snapshots};
use super::work::{Reply, Work};

/// Requests that are flushed at once, whoever waits behind them: a flush costs as much as some hundred of them.
const WORTH_A_FLUSH: usize = 1_000;

/// What a worker does in its turn.
pub(super) enum Task<'a> {
    /// Sequences what it prepared.
    Chunk(&'a mut Chunk),
    /// Runs an errand.
    Errand(Errand),
    /// Looks for reservations that are overdue.
    Idle,
}

/// The sequencer and the workers who take turns at it.
pub(super) struct Turns {
    sequencer: Mutex<Sequencer>,
    workers: AtomicUsize,
}

impl Turns {
    pub(super) fn new(sequencer: Sequencer, workers: usize) -> Self {
        Self {
            sequencer: Mutex::new(sequencer),
            workers: AtomicUsize::new(workers),
        }
    }

    /// Does a task in its turn. INVARIANT(poisoned): a turn that panicked was the last.
    pub(super) fn take(&self, task: Task<'_>) {
        if let Ok(mut sequencer) = self.sequencer.lock() {
            sequencer.turn(task);
        }
    }

    /// A worker has no more turns to take; the last one hands over what is left.
    pub(super) fn leave(&self) {
        if self.workers.fetch_sub(1, Ordering::AcqRel) == 1
            && let Ok(mut sequencer) = self.sequencer.lock()
        {
            sequencer.finish();
        }
    }
}

/// The owner of the state.
pub(super) struct Sequencer {
    state: State,
    ruleset: Arc<Ruleset>,
    scratch: Scratch,
    past: Past,
    placer: Placer,
    work: Work,
    /// The entry being made.
    entry: Vec<u8>,
    /// Kept from chunk to chunk to spare allocations.
    places: Vec<AccountIx>,
    snapshots: Snapshots,
    /// An entry that waits for its number.
    appointment: Option<Appointment>,
    shared: Arc<Shared>,
}

impl Sequencer {
    pub(super) fn new(
        state: State,
        ruleset: Arc<Ruleset>,
        past: Past,
        snapshots: Snapshots,
        shared: Arc<Shared>,
    ) -> Self {
        let mut work = Work::with_room();
        work.begin(state.next_seq());
        let scratch = Scratch::default();
        let placer = past.placer();
        Self {
            state,
            ruleset,
            scratch,
            past,
            placer,
            work,
            entry: Vec::new(),
            places: Vec::new(),
            snapshots,
            appointment: None,
            shared,
        }
    }

    fn turn(&mut self, task: Task<'_>) {
        match task {
            Task::Chunk(chunk) => self.chunk(chunk),
            Task::Errand(errand) => self.errand(errand),
            Task::Idle => {
                if let Ok(now) = self.now()
                    && let Err(error) = self.expire(now)
                {
                    self.broken(&error);
                }
            }
        }
        if !self.work.is_empty() && (self.is_full() || self.is_due()) {
            self.hand_over();
        }
    }

    /// Nothing will come any more.
    fn finish(&mut self) {
        self.hand_over();
        self.shared.handoff.close();
    }

    fn is_full(&self) -> bool {
        self.work.requests >= GROUP_REQUESTS_MAX || !self.work.group.has_room()
    }

    /// The commit stage waits, and so may the requests in line: for a group that is worth a flush.
    fn is_due(&self) -> bool {
        self.shared.handoff.is_idle()
            && (self.work.requests >= WORTH_A_FLUSH || !self.shared.intake.has_waiting())
    }

    fn hand_over(&mut self) {
        if self.work.is_empty() {
            return;
        }
        self.work.snapshot = self.snapshot();
        let mut next = self.shared.spare.take();
        next.begin(self.state.next_seq());
        let work = std::mem::replace(&mut self.work, next);
        self.past.stage(&work.group);
        if let Some(mut refused) = self.shared.handoff.give(work) {
            refused.answer_poisoned();
        }
    }

    /// A copy of the state after this group, if it is time to write it down.
    fn snapshot(&mut self) -> Option<SnapshotJob> {
        let job = self.snapshots.due(&mut self.state)?;
        if let Err(error) = self.past.index_mut().seal() {
            self.broken(&error);
            return None;
        }
        Some(job)
    }

    fn chunk(&mut self, chunk: &mut Chunk) {
        self.past.forget_keys(self.shared.progress.durable());
        self.warm(&chunk.items);
        let mut items = std::mem::take(&mut chunk.items);
        let mut callers = std::mem::take(&mut chunk.callers);
        let mut rest = items.drain(..);
        for (share, count) in callers.drain(..) {
            let given = Vec::with_capacity(count);
            let mut reply = Reply { share, given };
            for item in rest.by_ref().take(count) {
                if self.is_full() {
                    // What was answered so far belongs to the group that is handed over.
                    let rest = reply.rest();
                    self.reply(std::mem::replace(&mut reply, rest));
                    self.hand_over();
                }
                if self.appointment.is_some() {
                    self.keep_appointment();
                }
                let answer = match item {
                    Item::Refused(error) => Err(error),
                    Item::Ready(mut ready) => {
                        let answer = self.ready(&mut ready, &mut chunk.safe);
                        chunk.recycle(ready);
                        answer
                    }
                };
                reply.given.push(answer);
            }
            self.reply(reply);
        }
        drop(rest);
        (chunk.items, chunk.callers) = (items, callers);
    }

    /// Looks up the accounts that a chunk will look up, so that the memory they stand in is on its way to the
    /// processor's cache for all of them at once, and not for one request after the other.
    fn warm(&mut self, items: &[Item]) {
        let ready = items.iter().filter_map(Item::prepared);
        let transfers = ready.flat_map(|prepared| prepared.request().command.transfers());
        let accounts = transfers.flat_map(|transfer| [&transfer.debit, &transfer.credit]);
        std::hint::black_box(self.state.warm(accounts, &mut self.places));
    }

    fn reply(&mut self, reply: Reply) {
        if !reply.given.is_empty() {
            self.work.requests = self.work.requests.saturating_add(reply.given.len());
            self.work.replies.push(reply);
        }
    }

    fn ready(&mut self, ready: &mut Ready, safe: &mut Safe) -> Answer {
        let now = self.now()?;
        self.expire(now)?;
        self.under_policy(ready)?;
        self.execute(ready, safe, now)
    }

    /// The time, unless it is so late that nobody could seal anything after it for ever.
    fn now(&self) -> Result<Timestamp, SubmitError> {
        let now = self.shared.clock.now();
        if now.as_nanos() < CLOCK_NANOS_MAX {
            Ok(now)
        } else {
            Err(SubmitError::Clock { now })
        }
    }

    /// Prepares the request again if it was prepared under a policy that has been replaced.
    fn under_policy(&self, ready: &mut Ready) -> Result<(), SubmitError> {
        if ready.prepared.policy() == self.ruleset.digest() {
            return Ok(());
        }
        let mut space = Workspace::default();
        let mut preparer = Preparer::new(&*self.ruleset, &self.shared.window_key, &mut space);
        let mut prepared = preparer.json(ready.prepared.canonical())?;
        if let Some(input) = &ready.input {
            prepared.commit(&input.key);
        }
        ready.prepared = prepared;
        Ok(())
    }

    fn execute(&mut self, ready: &mut Ready, safe: &mut Safe, now: Timestamp) -> Answer {
        self.entry.clear();
        let history = self.past.with_open(&self.work.group);
        let mut context = Context {
            judge: &*self.ruleset,
            scratch: &mut self.scratch,
            history: &history,
            now,
        };
        match engine::execute(
            &mut self.state,
            &mut context,
            &ready.prepared,
            &mut self.entry,
        ) {
            Ok(Executed::Sealed(effects)) => {
                if effects.verdict == Some(Verdict::Deny) && ready.input.is_none() {
                    // Its entry says nothing of what was asked for.
                    let locked = safe.lock(self.past.vault(), ready.prepared.canonical());
                    ready.input = Some(locked.map_err(|error| self.broken(&error))?);
                }
                let request = ready.prepared.request();
                let outcome = outcome_of(request, &effects);
                self.seal(&effects, ready.input.as_ref())?;
                self.after(request, ready.ruleset.as_ref());
                Ok(outcome)
            }
            Ok(Executed::Existing(seq)) => {
                let Sealed {
                    time,
                    action,
                    verdict,
                } = history.outcome(seq)?;
                let Request { id, command, .. } = ready.prepared.request();
                if let Command::EvidenceErase { request: target } = command
                    && let Some(target) =
                        history.find_request(target).map_err(CommandError::from)?
                {
                    // The file that holds it may have been away when that was ordered.
                    self.work.erased.push(target.seq);
                }
                let id = id.clone();
                Ok(Outcome {
                    id,
                    seq,
                    time,
                    action,
                    verdict,
                    existing: true,
                })
            }
            Err(error) => Err(self.refused(error)),
        }
    }

    /// Seals a command of our own.
    pub(super) fn system(&mut self, command: SystemCommand) -> Result<(), SubmitError> {
        self.make_room();
        self.entry.clear();
        let now = self.now()?;
        match engine::execute_system(&mut self.state, command, now, &mut self.entry) {
            Ok(effects) => self.seal(&effects, None),
            Err(error) => Err(self.refused(error)),
        }
    }

    /// Releases every reservation whose time is up, before anything else is sealed.
    fn expire(&mut self, now: Timestamp) -> Result<(), SubmitError> {
        while self.state.due(now).is_some() {
            self.make_room();
            self.entry.clear();
            match engine::expire_due(&mut self.state, now, &mut self.entry) {
                Ok(Some(effects)) => self.seal(&effects, None)?,
                Ok(None) => break,
                Err(error) => return Err(self.refused(error)),
            }
        }
        Ok(())
    }

    fn make_room(&mut self) {
        if !self.work.group.has_room() {
            self.hand_over();
        }
    }

    /// Takes the entry just made into the group and the index.
    fn seal(&mut self, effects: &Effects, input: Option<&Input>) -> Result<(), SubmitError> {
        let reference = input.map(|input| {
            self.past.keep_key(effects.seq, &input.key);
            self.placer.place(&input.sealed, &mut self.work.inputs)
        });
        let group = Arc::make_mut(&mut self.work.group);
        let staged = group.push(&self.entry, reference);
        if !matches!(&staged, Ok(seq) if *seq == effects.seq) {
            // The state has moved on and the entry has no place: nothing more may follow.
            return Err(self.broken(&place_fault(&staged)));
        }
        if let Err(error) = self.past.note(effects) {
            return Err(self.broken(&error));
        }
        self.work.changes.push(effects);
        if let Some(keys) = &effects.keys {
            let is_rotation = effects.action == Action::KeyRotate;
            self.work.keys.push((keys.clone(), is_rotation));
        }
        if let (Action::EvidenceErase, Some(target)) = (effects.action, &effects.refers_to) {
            self.work.erased.push(target.seq);
        }
        Ok(())
    }

    /// What follows from some commands beyond the state itself.
    fn after(&mut self, request: &Request, ruleset: Option<&Arc<Ruleset>>) {
        if let Command::KeyPolicy(policy) = &request.command {
            self.shared.set_key_policy(*policy);
        }
        if matches!(request.command, Command::PolicyActivate(_))
            && let Some(ruleset) = ruleset
        {
            self.ruleset = Arc::clone(ruleset);
            self.shared.set_ruleset(Arc::clone(ruleset));
        }
    }

    fn refused(&self, error: CommandError) -> SubmitError {
        if matches!(error, CommandError::Invariant(_)) {
            self.shared.poison(&error);
        }
        error.into()
    }

    fn broken(&self, error: &dyn std::error::Error) -> SubmitError {
        self.shared.poison(error);
        SubmitError::Poisoned
    }

    /// Seals what waits for this number; says so if the log is past it.
    fn keep_appointment(&mut self) {
        let next = self.state.next_seq();
        let Some(due) = self.appointment.take_if(|waits| waits.seq <= next) else {
            return;
        };
        let kept = if due.seq == next {
            self.system(due.command).map(|()| Some(self.state.size()))
        } else {
            Ok(None)
        };
        // Whoever asked may have gone.
        let _gone = due.reply.send(kept);
    }

    fn errand(&mut self, errand: Errand) {
        match errand {
            Errand::Look(look) => look(&self.state),
            Errand::SealAt(appointment) => {
                self.appointment = Some(appointment);
                self.keep_appointment();
            }
            Errand::Cancel { reply } => {
                self.appointment = None;
                let _gone = reply.send(());
            }
            Errand::Seal { command, reply } => {
                let sealed = self.system(command).map(|()| self.state.size());
                // Whoever asked may have gone.
                let _gone = reply.send(sealed);
            }
        }
    }
}

fn place_fault(staged: &Result<paygod_types::Seq, StageError>) -> SubmitError {
    match staged {
        Ok(seq) => SubmitError::Unreadable {
            seq: *seq,
            reason: "its place is another".to_owned(),
        },
        Err(error) => SubmitError::Unreadable {
            seq: paygod_types::Seq(0),
            reason: error.to_string(),
        },
    }
}

fn outcome_of(request: &Request, effects: &Effects) -> Outcome {
    Outcome {
        id: request.id.clone(),
        seq: effects.seq,
        time: effects.time,
        action: effects.action,
        verdict: effects.verdict,
        existing: false,
    }
}
