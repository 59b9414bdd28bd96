//! The ledger's state machine: (state, command, now) to entry and effects, and the ports it needs.
//!
//! - [`command`]: what clients may ask; [`prepare`] turns a document into a [`Prepared`] request.
//! - [`engine`]: executes a prepared request: judges, builds the [`Entry`], applies it.
//! - [`State`]: the fold over entries; [`State::apply`] checks everything a verifier checks.
//! - [`ports`]: what the engine asks of history; [`judge`]: who judges.
//! - [`key_policy`]: when a checkpoint key is replaced, and how long a book goes on without one.
//! - [`pack_trust`]: what a book asks of packs before they judge.
//! - [`snapshot`], [`history`]: the state as bytes; balances as they were.
//! - [`ceremony`]: the documents that holders of root keys sign; [`publisher`]: those of publishers of packs.
//!
//! Pure: no I/O, clock, randomness or threads. INVARIANT(fold): the engine seals nothing that the fold
//! refuses, and the fold is the one that verifiers run.

mod accounts;
pub mod ceremony;
pub mod command;
mod effects;
pub mod engine;
mod engine_error;
pub mod entry;
mod entry_json;
mod fold;
mod fold_book;
mod fold_error;
mod fold_pending;
mod hex;
pub mod history;
pub mod judge;
pub mod key_policy;
mod keys;
mod ledger_reasons;
mod movement;
mod pack_json;
pub mod pack_trust;
mod payment;
mod pendings;
pub mod policy_set;
pub mod ports;
pub mod prepare;
pub mod publisher;
mod request_error;
mod request_json;
mod slots;
pub mod snapshot;
mod state;
mod step_over;
mod system_id;
#[cfg(test)]
mod tests;

pub use accounts::{AccountFlags, AccountInfo, AccountIx, AccountView, Balances};
pub use command::{Action, Command, Request, Transfer};
pub use effects::{Effects, Touched, WindowHit};
pub use engine::{Context, Outcome, SystemCommand};
pub use engine_error::CommandError;
pub use entry::{Body, Entry, EntryRef, Layer, RequestRef, Side};
pub use entry_json::{ENTRY_VERSION, EntryError, EntryHead, EntrySlot};
pub use fold_book::ALIASES_PER_ACCOUNT_MAX;
pub use fold_error::{Check, FoldError};
pub use judge::Judge;
pub use keys::{KeyChange, KeyFault, ROOT_KEYS_MAX};
pub use ledger_reasons::{LEDGER_PACK, ledger_says};
pub use payment::{PAYMENT_TEXT_BYTES_MAX, Party, Payment, PaymentDetails};
pub use pendings::{Leg, Pending, Stage};
pub use ports::{CommitmentKey, History, HistoryError, SealedRequest, WindowKey, WindowLookup};
pub use prepare::{Prepared, Preparer, Workspace};
pub use request_error::RequestError;
pub use snapshot::SnapshotError;
pub use state::{
    ActivePolicy, Book, CurrencyTotals, KeyPeriod, KeysInForce, Revoked, State, StateMemory,
    StateRoom,
};

// Adapters depend on this crate alone for what the ports speak of.
pub use paygod_policy::{AccountFact, Named, Verdict, WindowFact, WindowToken};
