//! The ledger of one book: judges requests, seals the outcome, answers once it is durable, publishes
//! signed checkpoints.
//!
//! [`Ledger::create`] makes a book, [`Ledger::open`] opens one and starts the stages, with a bounded
//! queue before each:
//!
//! 1. `prepare`: canonical bytes, packs' first step, encryption; several workers side by side.
//! 2. `sequence`: idempotency, decision, entry; the workers in turns, each what it prepared.
//! 3. `commit`, a thread: one flush, then the answers.
//! 4. `integrate`, a thread: tree, balance history.
//! 5. `publish`, a thread: the signed checkpoint.
//!
//! A [`Ledger`] is one handle for all callers and threads; every method takes `&self`. [`Ledger::read`] is
//! what reads: a [`LedgerReader`], which can also be opened alone, beside the process that writes. It shows
//! only what is durable: INVARIANT(durable-first). After a failed write nothing goes on until the book is
//! opened again: INVARIANT(poisoned).
//!
//! It does not listen on a network, and it does not decide who may ask for what.

mod anchors;
mod book;
mod clock;
mod commit;
mod copy;
mod durable;
mod errand;
mod error;
mod explain;
mod fold;
mod handoff;
mod history;
mod intake;
mod integrate;
mod key_check;
mod keys;
mod open;
mod outcome;
mod policy;
mod prepare;
mod publish;
mod read;
mod reader;
mod replay;
mod revoke;
mod rotate;
mod rotation_policy;
mod rulesets;
mod sequence;
mod shared;
mod snapshots;
mod stages;
mod ticket;
mod windows;
mod witness;
mod work;

pub use anchors::{
    AnchorError, AnchorFile, AnchorPolicy, AnchorRound, AnchorStatus, ChainRound, ChainStatus,
    Held, Payer,
};
pub use book::{BookOptions, Created};
pub use clock::{Clock, SystemClock};
pub use commit::EraseError;
pub use error::{BookError, LedgerError};
pub use explain::{Explanation, InputState, Replay};
pub use intake::{CHUNK_REQUESTS_MAX, REQUESTS_IN_FLIGHT_MAX};
pub use keys::{BookKeyError, CheckpointSigner, KeyFile, KeyFileError};
pub use open::{Ledger, OpenOptions, OpeningProgress};
pub use outcome::{Answer, Outcome, Submission, SubmitError};
pub use policy::ActivationOrder;
pub use read::{AccountState, Protection, Receipt, SealedEntry, Status};
pub use reader::LedgerReader;
pub use replay::{
    Change, Difference, ENTRIES_LISTED_MAX, Moved, Replayed, ReplayedEntry, RuleChange,
    ShadowPacks, Shadowed, Speaks, Tally, Unreplayable,
};
pub use revoke::{KeyChangeError, RevocationDraft};
pub use rotate::Rotated;
pub use rotation_policy::{KeyUse, RotationPolicy};
pub use rulesets::{PolicyError, read_pack};
pub use ticket::Ticket;
pub use witness::{Round, WitnessFault};

// What the methods of a ledger speak of.
pub use paygod_core::history::AsOf;
pub use paygod_store::{Opening, Progress as CopyProgress};
