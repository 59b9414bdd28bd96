//! The engine: (state, request, now) to one sealed entry and its effects.
//!
//! A known id gives its first outcome again or a conflict. Else the command is checked against the
//! state, judged if it moves money, built into an entry, and applied by [`State::apply`], the fold that
//! recovery and verifiers use (INVARIANT(fold)). On any error nothing changes and nothing is sealed.
//!
//! It does not make anything durable and reads no clock: the caller passes `now`, writes the bytes, and
//! lets nobody see the outcome before they are durable.

use paygod_types::{Seq, Timestamp};

use crate::effects::Effects;
use crate::engine_error::CommandError;
use crate::entry::{Genesis, KeyRotation, SnapshotClaim};
use crate::judge::Judge;
use crate::ports::History;
use crate::prepare::Prepared;
use crate::state::State;

/// What a request came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A new entry: its bytes were appended to the caller's buffer.
    Sealed(Effects),
    /// The same request was sealed before as this entry; nothing new was.
    Existing(Seq),
}

/// What the engine needs beside state and request.
#[derive(Debug)]
pub struct Context<'a, J: Judge, H: History + ?Sized> {
    /// Who judges: of the policy in force.
    pub judge: &'a J,
    /// The judge's buffers.
    pub scratch: &'a mut J::Scratch,
    /// Sealed history.
    pub history: &'a H,
    /// The clock. The entry's time is this, or just after the last entry's if that is later.
    pub now: Timestamp,
}

/// What the sequencer seals of its own accord.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SystemCommand {
    /// Begins the book.
    Genesis(Genesis),
    /// Replaces the checkpoint key.
    KeyRotate(KeyRotation),
    /// Commits to an earlier state.
    Snapshot(SnapshotClaim),
}

/// Executes a prepared request. On `Sealed`, the entry's canonical bytes have been appended to `out`.
///
/// # Errors
/// [`CommandError`]: state and `out` are as they were.
pub fn execute<J: Judge, H: History + ?Sized>(
    state: &mut State,
    context: &mut Context<'_, J, H>,
    prepared: &Prepared<J::Prepared>,
    out: &mut Vec<u8>,
) -> Result<Outcome, CommandError> {
    let _ = (state, context, prepared, out);
    Err(CommandError::Exhausted)
}

/// Seals an entry of the sequencer's own; its bytes are appended to `out`.
///
/// # Errors
/// [`CommandError`]: state and `out` are as they were.
pub fn execute_system(
    state: &mut State,
    command: SystemCommand,
    now: Timestamp,
    out: &mut Vec<u8>,
) -> Result<Effects, CommandError> {
    let _ = (state, command, now, out);
    Err(CommandError::Exhausted)
}

/// Expires the reservation that is overdue first, if one is at `now`; `None` if none is. The sequencer
/// calls it until it returns `None`, before it executes anything else.
///
/// # Errors
/// [`CommandError`]: state and `out` are as they were.
pub fn expire_due(
    state: &mut State,
    now: Timestamp,
    out: &mut Vec<u8>,
) -> Result<Option<Effects>, CommandError> {
    let _ = (state, now, out);
    Ok(None)
}
