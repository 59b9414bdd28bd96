//! What travels from the sequencer through commit to integration: one group and all that hangs on it.

use std::sync::Arc;

use paygod_core::Effects;
use paygod_store::{Group, PlacedInputs};
use paygod_types::Seq;

use super::outcome::{Answer, SubmitError};
use super::snapshots::SnapshotJob;
use super::ticket::Answers;

/// Answers that are due once the group is durable.
pub(super) struct Reply {
    pub(super) answers: Arc<Answers>,
    pub(super) given: Vec<Answer>,
}

/// One group under way.
pub(super) struct Work {
    pub(super) group: Arc<Group>,
    /// What the group's entries refer to: durable before the group is.
    pub(super) inputs: PlacedInputs,
    /// One an entry, in order.
    pub(super) effects: Vec<Effects>,
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
            effects: Vec::new(),
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
