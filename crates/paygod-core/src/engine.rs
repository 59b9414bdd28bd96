//! The engine: (state, request, now) to one sealed entry and its effects.
//!
//! A known id gives its first outcome again or a conflict. Else the command is checked against the
//! state, judged if it moves money, built into an entry, and applied by [`State::apply`], the fold that
//! recovery and verifiers use (INVARIANT(fold)). On any error nothing changes and nothing is sealed.
//!
//! It does not make anything durable and reads no clock: the caller passes `now`, writes the bytes, and
//! lets nobody see the outcome before they are durable.

mod commands;
mod judged;
mod ledger_rules;

pub use judged::BalancesBefore;

use paygod_policy::{AccountFact, Named};
use paygod_types::limits::ENTRY_BYTES_MAX;
use paygod_types::{Currency, Seq, Timestamp};

use crate::accounts::Balances;

use crate::command::Command;
use crate::effects::Effects;
use crate::engine_error::CommandError;
use crate::entry::{
    AnchorReceipt, Body, Decision, Entry, EntryRef, Genesis, KeyRevocation, KeyRotation,
    RequestRef, SnapshotClaim,
};
use crate::fold_error::Check;
use crate::judge::Judge;
use crate::ports::{History, SealedRequest};
use crate::prepare::Prepared;
use crate::state::State;
use crate::system_id;

/// What a request came to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every outcome is sealed, and a box would be one more allocation on each"
)]
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
    /// Revokes a checkpoint key and replaces it.
    KeyRevoke(KeyRevocation),
    /// Commits to an earlier state.
    Snapshot(SnapshotClaim),
    /// Receipts an anchor of an earlier checkpoint.
    Anchor(AnchorReceipt),
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
    let request = prepared.request();
    if let Some(sealed) = context.history.find_request(&request.id)? {
        return existing(context.history, prepared, sealed);
    }
    let entry = draft(state, context, prepared)?;
    seal(state, &entry, out).map(Outcome::Sealed)
}

/// The entry that a request not sealed before would be sealed as: what [`execute`] seals, and what a
/// replay compares with what was sealed. The state stays as it is.
///
/// # Errors
/// [`CommandError`], as [`execute`].
pub fn draft<J: Judge, H: History + ?Sized>(
    state: &mut State,
    context: &mut Context<'_, J, H>,
    prepared: &Prepared<J::Prepared>,
) -> Result<Entry, CommandError> {
    let request = prepared.request();
    let reference = prepared.reference().ok_or(CommandError::NotCommitted)?;
    let time = time_of_next(state, context.now)?;
    let body = commands::body(state, context, prepared, time)?;
    Ok(Entry {
        seq: state.next_seq(),
        time,
        id: request.id.clone(),
        by: request.by.clone(),
        request: Some(reference),
        body,
    })
}

/// What the decision would be were the context's judge in force, which judges by `packs`, ascending by name, whatever the
/// state says: packs first, then the ledger's own rules. Nothing is sealed, and the state stays as it is.
///
/// # Errors
/// [`CommandError`]: history cannot be read, or the request does not fit the state.
pub fn judge_as<J: Judge, H: History + ?Sized>(
    packs: &[Named],
    state: &mut State,
    context: &mut Context<'_, J, H>,
    prepared: &Prepared<J::Prepared>,
) -> Result<Decision, CommandError> {
    let time = time_of_next(state, context.now)?;
    let two_phase = matches!(&prepared.request().command,
        Command::Transfer(transfer) if transfer.pending.is_some());
    judged::judge_as(packs, state, context, prepared, time, two_phase)
}

/// A known id: the first outcome if the body is the same, else a conflict (design, section 4).
fn existing<P, H: History + ?Sized>(
    history: &H,
    prepared: &Prepared<P>,
    sealed: SealedRequest,
) -> Result<Outcome, CommandError> {
    let same = match sealed.request {
        Some(RequestRef::Digest(digest)) => {
            !prepared.is_personal() && prepared.reference() == Some(RequestRef::Digest(digest))
        }
        Some(RequestRef::Commitment(commitment)) => match history.commitment_key(sealed.seq)? {
            Some(key) => key.commit(prepared.canonical()) == commitment,
            None => {
                let id = prepared.request().id.as_str().into();
                return Err(CommandError::Erased {
                    id,
                    seq: sealed.seq,
                });
            }
        },
        None => false,
    };
    if same {
        return Ok(Outcome::Existing(sealed.seq));
    }
    let id = prepared.request().id.as_str().into();
    Err(CommandError::Conflict {
        id,
        seq: sealed.seq,
    })
}

/// What the packs say of a request that is sealed at `time`, before the ledger's own rules; `None` if
/// it moves no money. With the same judge, the same history and the same balances, the same answer for ever:
/// this is how a decision is computed once more.
///
/// # Errors
/// [`CommandError`]: history cannot be read.
pub fn consult<J: Judge, H: History + ?Sized>(
    context: &mut Context<'_, J, H>,
    prepared: &Prepared<J::Prepared>,
    time: Timestamp,
    balances: &BalancesBefore<'_>,
) -> Result<Option<paygod_policy::Decision>, CommandError> {
    judged::consult(context, prepared, time, balances)
}

/// Balances as packs read them; `None` if one of them overflows, which those of a [`State`] cannot.
#[must_use]
pub fn account_fact(currency: Currency, balances: &Balances) -> Option<AccountFact> {
    judged::fact(currency, balances)
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
    let body = match command {
        SystemCommand::Genesis(genesis) if state.size() == 0 => Body::Genesis(genesis),
        SystemCommand::Genesis(_) => {
            let needed = "genesis comes first";
            return Err(CommandError::Book {
                found: state.size(),
                needed,
            });
        }
        SystemCommand::KeyRotate(rotation) => Body::KeyRotate(rotation),
        SystemCommand::KeyRevoke(revocation) => Body::KeyRevoke(revocation),
        SystemCommand::Snapshot(claim) => Body::Snapshot(claim),
        SystemCommand::Anchor(receipt) => Body::Anchor(receipt),
    };
    let time = match body {
        Body::Genesis(_) => now,
        _ => time_of_next(state, now)?,
    };
    seal_system(state, body, time, out)
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
    let time = state.next_time(now).ok_or(CommandError::Exhausted)?;
    let Some(due) = state.due(time) else {
        return Ok(None);
    };
    let pending = EntryRef {
        id: due.id.clone(),
        seq: due.seq,
    };
    seal_system(state, Body::Expire { pending }, time, out).map(Some)
}

/// The next entry's time, once nothing is overdue at it.
fn time_of_next(state: &State, now: Timestamp) -> Result<Timestamp, CommandError> {
    if state.book().is_none() {
        let needed = "this needs a genesis";
        return Err(CommandError::Book {
            found: state.size(),
            needed,
        });
    }
    let time = state.next_time(now).ok_or(CommandError::Exhausted)?;
    match state.due(time) {
        Some(due) => Err(CommandError::Overdue {
            request: due.id.as_str().into(),
        }),
        None => Ok(time),
    }
}

fn seal_system(
    state: &mut State,
    body: Body,
    time: Timestamp,
    out: &mut Vec<u8>,
) -> Result<Effects, CommandError> {
    let seq = state.next_seq();
    let id = system_id::make(&body, seq).ok_or(CommandError::Exhausted)?;
    let entry = Entry {
        seq,
        time,
        id,
        by: None,
        request: None,
        body,
    };
    seal(state, &entry, out).map_err(|error| match error {
        // Keys come from outside, so a bad one is a refusal and no broken invariant.
        CommandError::Invariant(fault) if fault.check == Check::Revocation => {
            CommandError::Revocation {
                reason: fault.to_string().into(),
            }
        }
        CommandError::Invariant(fault) if matches!(fault.check, Check::Key | Check::Genesis) => {
            CommandError::Key {
                reason: fault.to_string().into(),
            }
        }
        other => other,
    })
}

/// INVARIANT(fold): what is sealed has passed the fold.
fn seal(state: &mut State, entry: &Entry, out: &mut Vec<u8>) -> Result<Effects, CommandError> {
    entry.seq.next().ok_or(CommandError::Exhausted)?;
    let start = out.len();
    entry.encode(out);
    let found = out.len().saturating_sub(start);
    if found > ENTRY_BYTES_MAX {
        out.truncate(start);
        return Err(CommandError::EntryTooLarge { found });
    }
    state.apply(entry).map_err(|fault| {
        out.truncate(start);
        CommandError::Invariant(fault)
    })
}
