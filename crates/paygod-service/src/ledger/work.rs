//! What travels from the sequencer through commit to integration: one group and all that hangs on it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use paygod_core::{Effects, KeysInForce};
use paygod_store::{Group, PlacedInputs, Touch};
use paygod_types::Seq;

use super::integrate::touch;
use super::outcome::Answer;
use super::snapshots::SnapshotJob;
use super::ticket::Share;

/// Most groups whose memory is kept: one being filled, one waiting, one written, one integrated.
const SPARE_MAX: usize = 4;

/// Entries that a group has room for from the beginning: as many as are worth a flush while more wait.
const ROOM_ENTRIES: usize = 1_024;

/// Room for that many everyday entries, and for their inputs, each in bytes. A group that grows is copied in its turn,
/// into memory that the system must find first.
const ROOM_BYTES: usize = 1 << 20;

/// Most memory of a group that is kept, in bytes: about three thousand everyday entries.
const SPARE_BYTES_MAX: usize = 2 << 20;

/// Answers that are due once the group is durable.
pub(super) struct Reply {
    pub(super) share: Share,
    pub(super) given: Vec<Answer>,
}

impl Reply {
    /// What is still to be answered behind it.
    pub(super) fn rest(&self) -> Self {
        Self {
            share: self.share.after(self.given.len()),
            given: Vec::new(),
        }
    }
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

    fn clear(&mut self) {
        self.touches.clear();
        self.ends.clear();
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
#[derive(Default)]
pub(super) struct Work {
    pub(super) group: Arc<Group>,
    /// What the group's entries refer to: durable before the group is.
    pub(super) inputs: PlacedInputs,
    pub(super) changes: Changes,
    /// Keys that came into force, and whether by rotation: seldom any.
    pub(super) keys: Vec<(KeysInForce, bool)>,
    /// Entries whose inputs are to be erased once the group is durable.
    pub(super) erased: Vec<Seq>,
    pub(super) replies: Vec<Reply>,
    /// How many requests the replies answer.
    pub(super) requests: usize,
    /// The state after the group, if it is to be written down.
    pub(super) snapshot: Option<SnapshotJob>,
}

impl Work {
    /// An empty one with room for an everyday group.
    pub(super) fn with_room() -> Self {
        let mut work = Self::default();
        Arc::make_mut(&mut work.group).reserve(ROOM_ENTRIES, ROOM_BYTES);
        work.inputs.reserve(ROOM_BYTES);
        work
    }

    /// Makes an empty one begin with the entry `first`.
    pub(super) fn begin(&mut self, first: Seq) {
        Arc::make_mut(&mut self.group).begin(first);
    }

    /// Whether nothing depends on it: no entry, nobody waiting.
    pub(super) fn is_empty(&self) -> bool {
        self.group.is_empty() && self.replies.is_empty()
    }

    /// Hands the answers over; the group is durable.
    pub(super) fn answer(&mut self) {
        for reply in self.replies.drain(..) {
            reply.share.give(reply.given.into_iter());
        }
    }

    /// INVARIANT(poisoned): nobody learns an outcome that may not be durable.
    pub(super) fn answer_poisoned(&mut self) {
        for reply in self.replies.drain(..) {
            reply.share.poison(reply.given.len());
        }
    }
}

/// Groups that are through and lend their memory to the next ones: memory that is given back to the
/// operating system and asked for again costs more than what is written into it.
#[derive(Default)]
pub(super) struct Spare(Mutex<Vec<Work>>);

impl Spare {
    /// A spare one, or one made anew.
    pub(super) fn take(&self) -> Work {
        self.lock().pop().unwrap_or_else(Work::with_room)
    }

    /// Takes one back, unless somebody still reads its entries or it is larger than the usual.
    pub(super) fn put(&self, mut work: Work) {
        let usual = work.group.capacity().max(work.inputs.capacity()) <= SPARE_BYTES_MAX;
        if !usual || Arc::get_mut(&mut work.group).is_none() {
            return;
        }
        work.inputs.clear();
        work.changes.clear();
        work.keys.clear();
        work.erased.clear();
        work.replies.clear();
        work.requests = 0;
        work.snapshot = None;
        let mut spare = self.lock();
        if spare.len() < SPARE_MAX {
            spare.push(work);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Work>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
