//! Reservations: money set aside by two-phase transfers and by requests under review.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use foldhash::quality::FixedState;
use hashbrown::HashMap;
use paygod_types::{ActorId, Money, RequestId, Seq, Timestamp};

use crate::accounts::AccountIx;

/// One movement between accounts of the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leg {
    /// Whose balance falls.
    pub debit: AccountIx,
    /// Whose balance rises.
    pub credit: AccountIx,
    /// How much.
    pub money: Money,
}

/// A reservation that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// The request that made it.
    pub id: RequestId,
    /// The entry that made it.
    pub seq: Seq,
    /// Who asked.
    pub by: Option<ActorId>,
    /// What is reserved.
    pub legs: Vec<Leg>,
    /// When it expires by itself, if ever.
    pub deadline: Option<Timestamp>,
    /// What it waits for.
    pub stage: Stage,
}

/// What a reservation waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// A post, a void or its expiry.
    Reserved,
    /// Approvals, a rejection or its expiry.
    UnderReview {
        /// How many approvals it needs.
        needed: u32,
        /// Who has approved, in order.
        approvers: Vec<ActorId>,
        /// After the last approval: [`Stage::Reserved`] if true, posted whole if false.
        two_phase: bool,
    },
}

/// All reservations, found by request, by entry and by deadline.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pendings {
    by_seq: BTreeMap<Seq, Arc<Pending>>,
    by_id: HashMap<RequestId, Seq, FixedState>,
    deadlines: BTreeSet<(Timestamp, Seq)>,
}

impl Pendings {
    pub(crate) fn len(&self) -> usize {
        self.by_seq.len()
    }

    pub(crate) fn find(&self, id: &RequestId) -> Option<&Arc<Pending>> {
        self.by_seq.get(self.by_id.get(id)?)
    }

    /// In the order of sealing.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Pending> {
        self.by_seq.values().map(AsRef::as_ref)
    }

    /// The reservation that expires first, if its deadline is not after `now`.
    pub(crate) fn due(&self, now: Timestamp) -> Option<&Pending> {
        let (deadline, seq) = self.deadlines.first()?;
        if *deadline > now {
            return None;
        }
        self.by_seq.get(seq).map(AsRef::as_ref)
    }

    pub(crate) fn insert(&mut self, pending: Arc<Pending>) {
        if let Some(deadline) = pending.deadline {
            self.deadlines.insert((deadline, pending.seq));
        }
        self.by_id.insert(pending.id.clone(), pending.seq);
        self.by_seq.insert(pending.seq, pending);
    }

    pub(crate) fn remove(&mut self, seq: Seq) {
        let Some(pending) = self.by_seq.remove(&seq) else {
            return;
        };
        self.by_id.remove(&pending.id);
        if let Some(deadline) = pending.deadline {
            self.deadlines.remove(&(deadline, seq));
        }
    }
}
