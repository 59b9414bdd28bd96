//! The fold's checks on what becomes of reservations: post, void, expire, approve, reject.

use std::sync::Arc;

use paygod_types::Amount;

use crate::entry::{EntryRef, Layer, Posting};
use crate::fold::{Change, Checked, Checker};
use crate::fold_error::Check;
use crate::movement::{Scratch, Step};
use crate::pendings::{Pending, Stage};

impl Checker<'_> {
    pub(crate) fn post(
        &self,
        reference: &EntryRef,
        postings: &[Posting],
        scratch: &mut Scratch,
    ) -> Checked<Change> {
        let pending = self.reserved(reference)?;
        self.settle(pending, postings, scratch)?;
        Ok(Change::Release(pending.seq))
    }

    pub(crate) fn void(&self, reference: &EntryRef, scratch: &mut Scratch) -> Checked<Change> {
        let pending = self.reserved(reference)?;
        self.release(pending, scratch)
    }

    pub(crate) fn expire(&self, reference: &EntryRef, scratch: &mut Scratch) -> Checked<Change> {
        let pending = self.pending(reference)?;
        match pending.deadline {
            Some(deadline) if deadline <= self.entry.time => self.release(pending, scratch),
            Some(deadline) => {
                let found = self.entry.time.to_string();
                Err(self.fail(Check::Timeout, format!("{deadline} or later"), found))
            }
            None => Err(self.fail(Check::Timeout, "a reservation with a timeout", "none")),
        }
    }

    pub(crate) fn approve(
        &self,
        reference: &EntryRef,
        approvals: u32,
        postings: &[Posting],
        scratch: &mut Scratch,
    ) -> Checked<Change> {
        let pending = self.pending(reference)?;
        let Stage::UnderReview {
            needed,
            approvers,
            two_phase,
        } = &pending.stage
        else {
            return Err(self.fail(Check::Pending, "a request under review", "one that is not"));
        };
        let Some(by) = &self.entry.by else {
            return Err(self.fail(Check::Approval, "an approver", "no `by`"));
        };
        if pending
            .by
            .as_ref()
            .is_none_or(|requester| requester.is_same(by))
        {
            let found = format!("`{by}`, who made the request");
            return Err(self.fail(
                Check::Approval,
                "another approver than the requester",
                found,
            ));
        }
        if approvers.iter().any(|approver| approver.is_same(by)) {
            let found = format!("`{by}` once more");
            return Err(self.fail(Check::Approval, "an approver who has not approved", found));
        }
        let count = u32::try_from(approvers.len())
            .unwrap_or(u32::MAX)
            .saturating_add(1);
        if approvals != count {
            let found = format!("{approvals} approvals");
            return Err(self.fail(Check::Approval, format!("{count} approvals"), found));
        }
        let complete = count >= *needed;
        if complete && !two_phase {
            self.settle(pending, postings, scratch)?;
            if scratch.legs.iter().ne(&pending.legs) {
                return Err(self.fail(Check::Reservation, "the whole reservation", "a part of it"));
            }
            return Ok(Change::Release(pending.seq));
        }
        if !postings.is_empty() {
            let found = format!("{} postings", postings.len());
            return Err(self.fail(Check::Approval, "no postings yet", found));
        }
        let stage = if complete {
            Stage::Reserved
        } else {
            let approvers = approvers.iter().chain([by]).cloned().collect();
            Stage::UnderReview {
                needed: *needed,
                approvers,
                two_phase: *two_phase,
            }
        };
        Ok(Change::Reserve(Arc::new(Pending {
            stage,
            ..pending.clone()
        })))
    }

    pub(crate) fn reject(&self, reference: &EntryRef, scratch: &mut Scratch) -> Checked<Change> {
        let pending = self.pending(reference)?;
        if !matches!(pending.stage, Stage::UnderReview { .. }) {
            return Err(self.fail(Check::Pending, "a request under review", "one that is not"));
        }
        if self.entry.by.is_none() {
            return Err(self.fail(Check::Approval, "who rejects", "no `by`"));
        }
        self.release(pending, scratch)
    }

    /// Moves what is posted of a reservation and releases the rest.
    fn settle(
        &self,
        pending: &Pending,
        postings: &[Posting],
        scratch: &mut Scratch,
    ) -> Checked<()> {
        self.read_legs(postings, Layer::Posted, &mut scratch.legs)?;
        if scratch.legs.len() != pending.legs.len() {
            let expected = format!("{} pairs of postings", pending.legs.len());
            return Err(self.fail(Check::Reservation, expected, scratch.legs.len().to_string()));
        }
        for (posted, reserved) in scratch.legs.iter().zip(&pending.legs) {
            let accounts = posted.debit == reserved.debit && posted.credit == reserved.credit;
            let currency = posted.money.currency == reserved.money.currency;
            if !accounts || !currency || posted.money.amount > reserved.money.amount {
                let expected = format!("at most {}, between its accounts", reserved.money);
                return Err(self.fail(Check::Reservation, expected, posted.money.to_string()));
            }
        }
        let steps = pending.legs.iter().zip(&scratch.legs);
        let steps = steps.map(|(reserved, posted)| (*reserved, Step::Settle(posted.money.amount)));
        scratch
            .movement
            .plan(self.state, steps)
            .map_err(|refusal| self.refused(&refusal))
    }

    fn release(&self, pending: &Pending, scratch: &mut Scratch) -> Checked<Change> {
        let steps = pending
            .legs
            .iter()
            .map(|leg| (*leg, Step::Settle(Amount::ZERO)));
        scratch
            .movement
            .plan(self.state, steps)
            .map_err(|refusal| self.refused(&refusal))?;
        Ok(Change::Release(pending.seq))
    }

    fn reserved(&self, reference: &EntryRef) -> Checked<&Pending> {
        let pending = self.pending(reference)?;
        if pending.stage == Stage::Reserved {
            return Ok(pending);
        }
        Err(self.fail(
            Check::Pending,
            "a reservation that waits for a post",
            "one under review",
        ))
    }

    fn pending(&self, reference: &EntryRef) -> Checked<&Pending> {
        let found = self.state.pending(&reference.id);
        match found {
            Some(pending) if pending.seq == reference.seq => Ok(pending),
            Some(pending) => {
                let expected = format!("`{}` of entry {}", reference.id, pending.seq);
                Err(self.fail(Check::Pending, expected, format!("entry {}", reference.seq)))
            }
            None => {
                let found = format!("`{}`, which does not wait", reference.id);
                Err(self.fail(Check::Pending, "a reservation that waits", found))
            }
        }
    }
}
