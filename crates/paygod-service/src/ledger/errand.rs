//! What the sequencer is asked to do between two chunks.

use std::sync::mpsc::SyncSender;

use paygod_core::{State, SystemCommand};
use paygod_types::Seq;

use super::outcome::SubmitError;

/// Something for the one thread that owns the state.
pub(super) enum Errand {
    /// Look at the state. What was seen may be told only once it is durable.
    Look(Box<dyn FnOnce(&State) + Send>),
    /// Seal an entry of the ledger's own; the reply says how many entries there are then.
    Seal {
        /// Which.
        command: SystemCommand,
        /// Where to say so.
        reply: SyncSender<Result<u64, SubmitError>>,
    },
    /// Seal an entry of the ledger's own as the entry of a number; instead of one that waits.
    SealAt(Appointment),
    /// Seal what waits no more.
    Cancel {
        /// Where to say that it is off.
        reply: SyncSender<()>,
    },
}

/// An entry that is to have a certain number.
pub(super) struct Appointment {
    /// The number.
    pub(super) seq: Seq,
    /// The entry.
    pub(super) command: SystemCommand,
    /// How many entries there are once it is sealed; `None` if the log is past the number.
    pub(super) reply: SyncSender<Result<Option<u64>, SubmitError>>,
}
