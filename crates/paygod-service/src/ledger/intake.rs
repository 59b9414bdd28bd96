//! The queue between callers and workers, and the order in which workers take their turns.
//!
//! Callers put requests in. A worker takes a chunk of them, and with it a place in the order; it prepares
//! the chunk at once, beside other workers, and sequences it when its turn comes: requests of one caller
//! keep their order however many workers there are.
//!
//! INVARIANT(bounded-intake): no more than [`REQUESTS_IN_FLIGHT_MAX`] requests are between
//! submission and answer. Past that a submission waits, or is told that the ledger is busy.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::outcome::SubmitError;
use super::ticket::Share;

/// Requests between submission and answer. At 150,000 a second a tenth of a second of work; at two
/// kilobytes each, 32 MB.
pub const REQUESTS_IN_FLIGHT_MAX: usize = 16_384;

/// Requests that a worker takes at a time: enough to share the cost of a turn, few enough that what was
/// prepared is still in the processor's cache when the turn comes.
pub const CHUNK_REQUESTS_MAX: usize = 128;

/// Requests of one submission, still together.
pub(super) struct Part<R> {
    pub(super) requests: Vec<R>,
    pub(super) share: Share,
}

/// A place in the order of turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place(u64);

/// What a worker is given, each with a place in the order.
pub(super) enum Job<E> {
    /// The parts it was given to fill hold requests to prepare.
    Requests,
    /// Something else to do with the state.
    Errand(E),
    /// Nothing came within the time, or somebody called [`Intake::nudge`]: look around.
    Idle,
}

struct Inner<R, E> {
    waiting: VecDeque<Part<R>>,
    errands: VecDeque<E>,
    /// The next place to give away.
    next: u64,
    /// The place whose turn it is.
    turn: u64,
    /// Somebody wants the state to be looked at.
    nudged: bool,
    in_flight: usize,
    /// Submissions that are larger than the room there was, and still going in.
    putting: usize,
    state: Gate,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Gate {
    Taking,
    Closing,
    Poisoned,
}

/// The queue. `R` is a request as submitted, `E` an errand.
pub(super) struct Intake<R, E> {
    inner: Mutex<Inner<R, E>>,
    /// Something waits for a worker.
    work: Condvar,
    /// It is somebody else's turn.
    turned: Condvar,
    /// Something was answered.
    room: Condvar,
}

impl<R, E> Intake<R, E> {
    pub(super) fn new() -> Self {
        Self {
            inner: Mutex::new(Inner {
                waiting: VecDeque::new(),
                errands: VecDeque::new(),
                next: 0,
                turn: 0,
                nudged: false,
                in_flight: 0,
                putting: 0,
                state: Gate::Taking,
            }),
            work: Condvar::new(),
            turned: Condvar::new(),
            room: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner<R, E>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts requests in, waiting for room. A submission larger than the room goes in piece by piece;
    /// once its first piece is in, only a poisoned ledger keeps the rest out, and then answers it.
    pub(super) fn put(&self, requests: Vec<R>, mut share: Share) -> Result<(), SubmitError> {
        let mut requests = requests.into_iter();
        let mut inner = self.lock();
        inner.refuse_unless_open()?;
        inner.putting += 1;
        while requests.len() > 0 {
            while inner.state != Gate::Poisoned && inner.in_flight >= REQUESTS_IN_FLIGHT_MAX {
                inner = self
                    .room
                    .wait(inner)
                    .unwrap_or_else(PoisonError::into_inner);
            }
            if inner.state == Gate::Poisoned {
                break;
            }
            let room = REQUESTS_IN_FLIGHT_MAX - inner.in_flight;
            self.admit(&mut inner, &mut requests, room, &mut share);
        }
        inner.putting -= 1;
        if inner.state != Gate::Taking {
            self.wake_all();
        }
        drop(inner);
        share.poison(requests.len());
        Ok(())
    }

    /// Puts requests in if there is room for all of them at once.
    pub(super) fn try_put(&self, requests: Vec<R>, mut share: Share) -> Result<(), SubmitError> {
        let mut inner = self.lock();
        inner.refuse_unless_open()?;
        let room = REQUESTS_IN_FLIGHT_MAX - inner.in_flight;
        if requests.len() > room {
            return Err(SubmitError::Busy {
                in_flight: inner.in_flight,
            });
        }
        self.admit(&mut inner, &mut requests.into_iter(), room, &mut share);
        Ok(())
    }

    fn admit(
        &self,
        inner: &mut Inner<R, E>,
        requests: &mut std::vec::IntoIter<R>,
        room: usize,
        share: &mut Share,
    ) {
        let mut room = room.min(requests.len());
        inner.in_flight += room;
        while room > 0 {
            let take = room.min(CHUNK_REQUESTS_MAX);
            let requests = requests.by_ref().take(take).collect();
            let rest = share.after(take);
            let share = std::mem::replace(share, rest);
            inner.waiting.push_back(Part { requests, share });
            room -= take;
        }
        self.work.notify_one();
    }

    /// The next job of a worker and its place in the order; requests are put into `parts`. Waits at most
    /// `patience` before it gives [`Job::Idle`]. `None` once closed and empty, or poisoned.
    pub(super) fn take(
        &self,
        parts: &mut Vec<Part<R>>,
        patience: Duration,
    ) -> Option<(Place, Job<E>)> {
        let mut inner = self.lock();
        loop {
            if inner.state == Gate::Poisoned {
                return None;
            }
            if let Some(job) = inner.job(parts) {
                if !inner.waiting.is_empty() {
                    self.work.notify_one();
                }
                return Some((inner.give_place(), job));
            }
            if inner.state == Gate::Closing && inner.putting == 0 {
                return None;
            }
            let (again, timeout) = self
                .work
                .wait_timeout(inner, patience)
                .unwrap_or_else(PoisonError::into_inner);
            inner = again;
            inner.nudged |= timeout.timed_out();
        }
    }

    /// Requests that a worker can prepare while it waits for the turn of a place; they are put into `parts`. `None` if
    /// that turn has come, if no requests wait, or if an errand does: [`Intake::take`] gives that first.
    pub(super) fn take_ahead(&self, waits_for: Place, parts: &mut Vec<Part<R>>) -> Option<Place> {
        let mut inner = self.lock();
        let is_free = inner.state != Gate::Poisoned && inner.errands.is_empty();
        if !is_free || inner.turn == waits_for.0 {
            return None;
        }
        inner.requests(parts).then(|| inner.give_place())
    }

    /// Whether requests wait for a worker.
    pub(super) fn has_waiting(&self) -> bool {
        !self.lock().waiting.is_empty()
    }

    /// Waits for the turn of a place. `false` if the ledger was poisoned meanwhile: the turn never comes.
    pub(super) fn wait_turn(&self, place: Place) -> bool {
        let mut inner = self.lock();
        while inner.state != Gate::Poisoned && inner.turn != place.0 {
            inner = self
                .turned
                .wait(inner)
                .unwrap_or_else(PoisonError::into_inner);
        }
        inner.state != Gate::Poisoned
    }

    /// Ends a turn: the next place's begins.
    pub(super) fn end_turn(&self, place: Place) {
        self.lock().turn = place.0.saturating_add(1);
        self.turned.notify_all();
    }

    /// Gives a worker something to do with the state.
    pub(super) fn send(&self, errand: E) -> Result<(), SubmitError> {
        let mut inner = self.lock();
        inner.refuse_unless_open()?;
        inner.errands.push_back(errand);
        self.work.notify_one();
        Ok(())
    }

    /// Lets a worker look around before its patience ends.
    pub(super) fn nudge(&self) {
        self.lock().nudged = true;
        self.work.notify_one();
    }

    /// Makes room: so many requests were answered.
    pub(super) fn answered(&self, requests: usize) {
        let mut inner = self.lock();
        inner.in_flight = inner.in_flight.saturating_sub(requests);
        self.room.notify_all();
    }

    /// Whether anything is let in.
    pub(super) fn is_taking(&self) -> bool {
        self.lock().state == Gate::Taking
    }

    /// Lets nothing more in; what is in is finished.
    pub(super) fn close(&self) {
        let mut inner = self.lock();
        if inner.state == Gate::Taking {
            inner.state = Gate::Closing;
        }
        self.wake_all();
    }

    /// INVARIANT(poisoned): lets nothing more in or through. What was left is to be answered with that.
    pub(super) fn poison(&self) -> Vec<Part<R>> {
        let mut inner = self.lock();
        inner.state = Gate::Poisoned;
        inner.errands.clear();
        self.wake_all();
        inner.waiting.drain(..).collect()
    }

    fn wake_all(&self) {
        self.work.notify_all();
        self.turned.notify_all();
        self.room.notify_all();
    }
}

impl<R, E> Inner<R, E> {
    fn refuse_unless_open(&self) -> Result<(), SubmitError> {
        match self.state {
            Gate::Taking => Ok(()),
            Gate::Closing => Err(SubmitError::Closed),
            Gate::Poisoned => Err(SubmitError::Poisoned),
        }
    }

    /// Errands first: somebody waits for each.
    fn job(&mut self, parts: &mut Vec<Part<R>>) -> Option<Job<E>> {
        if let Some(errand) = self.errands.pop_front() {
            return Some(Job::Errand(errand));
        }
        if self.requests(parts) {
            return Some(Job::Requests);
        }
        std::mem::take(&mut self.nudged).then_some(Job::Idle)
    }

    /// Takes a chunk of what waits; `false` if nothing does.
    fn requests(&mut self, parts: &mut Vec<Part<R>>) -> bool {
        let mut taken = 0_usize;
        while let Some(part) = self.waiting.pop_front() {
            taken = taken.saturating_add(part.requests.len());
            if taken > CHUNK_REQUESTS_MAX && !parts.is_empty() {
                self.waiting.push_front(part);
                break;
            }
            parts.push(part);
        }
        !parts.is_empty()
    }

    const fn give_place(&mut self) -> Place {
        let place = Place(self.next);
        self.next = self.next.saturating_add(1);
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_goes_ahead_only_while_the_turn_is_anothers_and_no_errand_waits() {
        let intake: Intake<u32, &str> = Intake::new();
        let (_ticket, share) = Share::awaited(4 * CHUNK_REQUESTS_MAX);
        intake.put(vec![0; 4 * CHUNK_REQUESTS_MAX], share).unwrap();
        let mut parts = Vec::new();
        let (first, _) = intake.take(&mut parts, Duration::ZERO).unwrap();
        parts.clear();
        let (second, _) = intake.take(&mut parts, Duration::ZERO).unwrap();
        parts.clear();
        assert_eq!(intake.take_ahead(first, &mut parts), None);
        assert_eq!(intake.take_ahead(second, &mut parts), Some(Place(2)));
        parts.clear();
        intake.send("look").unwrap();
        assert_eq!(intake.take_ahead(second, &mut parts), None);
        let (place, job) = intake.take(&mut parts, Duration::ZERO).unwrap();
        assert!(place == Place(3) && matches!(job, Job::Errand("look")));
        assert_eq!(intake.take_ahead(second, &mut parts), Some(Place(4)));
        parts.clear();
        intake.end_turn(first);
        assert_eq!(intake.take_ahead(second, &mut parts), None);
        assert_eq!(intake.take_ahead(place, &mut parts), None);
    }
}
