//! What the sequencer is asked to do between two chunks.

use std::sync::mpsc::SyncSender;

use paygod_core::{State, SystemCommand};

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
}
