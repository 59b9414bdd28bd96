//! What travels from the sequencer through commit to integration: one group and all that hangs on it.

use std::sync::Arc;

use paygod_core::Effects;
use paygod_store::{Group, PlacedInputs, Touch};
use paygod_types::Seq;

use super::integrate::touch;
use super::outcome::{Answer, SubmitError};
use super::snapshots::SnapshotJob;
use super::ticket::Answers;

/// Answers that are due once the group is durable.
pub(super) struct Reply {
    pub(super) answers: Arc<Answers>,
    pub(super) given: Vec<Answer>,
}

/// The balances that a group's entries changed, all in one piece: entries have few each, and a piece of
/// memory an entry would be given back by another thread than the one that asked for it.
#[derive(Default)]
pub(super) struct Changes {
    touches: Vec<Touch>,
    /// Where each entry's end, one an entry.
    ends: Vec<usize>,
}

impl Changes {
    /// Takes in the next entry's.
    pub(super) fn push(&mut self, effects: &Effects) {
        self.touches.extend(effects.touched.iter().map(touch));
        self.ends.push(self.touches.len());
    }

    /// Each entry's, in order; the first entry's seq is `first`.
    pub(super) fn iter(&self, first: Seq) -> impl Iterator<Item = (Seq, &[Touch])> {
        let mut start = 0;
        (first.get()..).zip(&self.ends).map(move |(seq, end)| {
            let own = self.touches.get(start..*end).unwrap_or_default();
            start = *end;
            (Seq(seq), own)
        })
    }
}

/// One group under way.
pub(super) struct Work {
    pub(super) group: Arc<Group>,
    /// What the group's entries refer to: durable before the group is.
    pub(super) inputs: PlacedInputs,
    pub(super) changes: Changes,
    /// Entries whose inputs are to be erased once the group is durable.
    pub(super) erased: Vec<Seq>,
    pub(super) replies: Vec<Reply>,
    /// How many requests the replies answer.
    pub(super) requests: usize,
    /// The state after the group, if it is to be written down.
    pub(super) snapshot: Option<SnapshotJob>,
}

impl Work {
    pub(super) fn new(first: Seq) -> Self {
        Self {
            group: Arc::new(Group::new(first)),
            inputs: PlacedInputs::default(),
            changes: Changes::default(),
            erased: Vec::new(),
            snapshot: None,
            replies: Vec::new(),
            requests: 0,
        }
    }

    /// Whether nothing depends on it: no entry, nobody waiting.
    pub(super) fn is_empty(&self) -> bool {
        self.group.is_empty() && self.replies.is_empty()
    }

    /// Hands the answers over; the group is durable.
    pub(super) fn answer(&mut self) {
        for reply in self.replies.drain(..) {
            reply.answers.give(reply.given.into_iter());
        }
    }

    /// INVARIANT(poisoned): nobody learns an outcome that may not be durable.
    pub(super) fn answer_poisoned(&mut self) {
        for reply in self.replies.drain(..) {
            reply
                .answers
                .give(reply.given.iter().map(|_| Err(SubmitError::Poisoned)));
        }
    }
}
