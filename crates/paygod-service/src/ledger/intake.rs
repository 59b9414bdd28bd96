//! The queue between callers, preparers and the sequencer.
//!
//! Callers put requests in, preparers take them out by the chunk, the sequencer takes the chunks in
//! the order in which they were taken out, prepared or not: requests of one caller keep their order
//! however many preparers there are.
//!
//! INVARIANT(bounded-intake): no more than [`REQUESTS_IN_FLIGHT_MAX`] requests are between
//! submission and answer. Past that a submission waits, or is told that the ledger is busy.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::outcome::SubmitError;
use super::ticket::Answers;

/// Requests between submission and answer. At 150,000 a second a tenth of a second of work; at two
/// kilobytes each, 32 MB.
pub const REQUESTS_IN_FLIGHT_MAX: usize = 16_384;

/// Requests that one preparer takes at a time: enough to share the cost of a lock, few enough that
/// two preparers and the sequencer stay busy together.
pub const CHUNK_REQUESTS_MAX: usize = 256;

/// Requests of one submission, still together.
pub(super) struct Part<R> {
    pub(super) requests: Vec<R>,
    pub(super) answers: Arc<Answers>,
}

/// The place of a chunk in the order, kept for it while a preparer works on it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place(u64);

struct Inner<R, P, E> {
    waiting: VecDeque<Part<R>>,
    /// Chunks in order; empty where a preparer is still at work.
    order: VecDeque<Option<P>>,
    /// The place of the front of `order`.
    front: u64,
    errands: VecDeque<E>,
    /// Somebody wants the sequencer to look around.
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

/// What the sequencer is given.
pub(super) enum Next<P, E> {
    /// The next chunk in order.
    Chunk(P),
    /// Something else to do between two chunks.
    Errand(E),
    /// Nothing came within the time, or somebody called [`Intake::nudge`].
    Idle,
    /// Nothing will come any more.
    Closed,
}

/// What was left when the ledger was poisoned: each is to be answered with that.
pub(super) struct Leftovers<R, P> {
    pub(super) waiting: Vec<Part<R>>,
    pub(super) prepared: Vec<P>,
}

/// The queue. `R` is a request as submitted, `P` a prepared chunk, `E` an errand.
pub(super) struct Intake<R, P, E> {
    inner: Mutex<Inner<R, P, E>>,
    /// Something waits for a preparer.
    work: Condvar,
    /// There may be something for the sequencer.
    ready: Condvar,
    /// Something was answered.
    room: Condvar,
}

impl<R, P, E> Intake<R, P, E> {
    pub(super) fn new() -> Self {
        Self {
            inner: Mutex::new(Inner {
                waiting: VecDeque::new(),
                order: VecDeque::new(),
                front: 0,
                errands: VecDeque::new(),
                nudged: false,
                in_flight: 0,
                putting: 0,
                state: Gate::Taking,
            }),
            work: Condvar::new(),
            ready: Condvar::new(),
            room: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner<R, P, E>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts requests in, waiting for room. A submission larger than the room goes in piece by piece;
    /// once its first piece is in, only a poisoned ledger keeps the rest out, and then answers it.
    pub(super) fn put(&self, requests: Vec<R>, answers: &Arc<Answers>) -> Result<(), SubmitError> {
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
            self.admit(&mut inner, &mut requests, room, answers);
        }
        inner.putting -= 1;
        if inner.state != Gate::Taking {
            self.wake_all();
        }
        drop(inner);
        answers.give(requests.map(|_| Err(SubmitError::Poisoned)));
        Ok(())
    }

    /// Puts requests in if there is room for all of them at once.
    pub(super) fn try_put(
        &self,
        requests: Vec<R>,
        answers: &Arc<Answers>,
    ) -> Result<(), SubmitError> {
        let mut inner = self.lock();
        inner.refuse_unless_open()?;
        let room = REQUESTS_IN_FLIGHT_MAX - inner.in_flight;
        if requests.len() > room {
            return Err(SubmitError::Busy {
                in_flight: inner.in_flight,
            });
        }
        self.admit(&mut inner, &mut requests.into_iter(), room, answers);
        Ok(())
    }

    fn admit(
        &self,
        inner: &mut Inner<R, P, E>,
        requests: &mut std::vec::IntoIter<R>,
        room: usize,
        answers: &Arc<Answers>,
    ) {
        let mut room = room.min(requests.len());
        inner.in_flight += room;
        while room > 0 {
            let take = room.min(CHUNK_REQUESTS_MAX);
            let requests = requests.by_ref().take(take).collect();
            inner.waiting.push_back(Part {
                requests,
                answers: Arc::clone(answers),
            });
            room -= take;
        }
        self.work.notify_one();
    }

    /// Takes the next chunk to prepare, and its place in the order. `None` once closed and empty.
    pub(super) fn take(&self, parts: &mut Vec<Part<R>>) -> Option<Place> {
        let mut inner = self.lock();
        while inner.waiting.is_empty() {
            if inner.state == Gate::Poisoned || (inner.state == Gate::Closing && inner.putting == 0)
            {
                return None;
            }
            inner = self
                .work
                .wait(inner)
                .unwrap_or_else(PoisonError::into_inner);
        }
        let mut taken = 0;
        while let Some(part) = inner.waiting.pop_front() {
            taken += part.requests.len();
            if taken > CHUNK_REQUESTS_MAX && !parts.is_empty() {
                inner.waiting.push_front(part);
                break;
            }
            parts.push(part);
        }
        if !inner.waiting.is_empty() {
            self.work.notify_one();
        }
        let place = Place(
            inner
                .front
                .saturating_add(inner.order.len().try_into().unwrap_or(u64::MAX)),
        );
        inner.order.push_back(None);
        Some(place)
    }

    /// Fills a place. Gives the chunk back if the ledger was poisoned meanwhile.
    pub(super) fn prepared(&self, place: Place, chunk: P) -> Option<P> {
        let mut inner = self.lock();
        if inner.state == Gate::Poisoned {
            return Some(chunk);
        }
        let index = place
            .0
            .checked_sub(inner.front)
            .and_then(|index| usize::try_from(index).ok());
        let Some(slot) = index.and_then(|index| inner.order.get_mut(index)) else {
            return Some(chunk);
        };
        *slot = Some(chunk);
        if index == Some(0) {
            self.ready.notify_one();
        }
        None
    }

    /// Gives the sequencer something to do between two chunks.
    pub(super) fn send(&self, errand: E) -> Result<(), SubmitError> {
        let mut inner = self.lock();
        inner.refuse_unless_open()?;
        inner.errands.push_back(errand);
        self.ready.notify_one();
        Ok(())
    }

    /// The next thing for the sequencer to do; waits at most `patience`.
    pub(super) fn next(&self, patience: Duration) -> Next<P, E> {
        let mut inner = self.lock();
        loop {
            if inner.state == Gate::Poisoned {
                return Next::Closed;
            }
            if let Some(errand) = inner.errands.pop_front() {
                return Next::Errand(errand);
            }
            if let Some(chunk) = inner.pop_prepared() {
                return Next::Chunk(chunk);
            }
            if std::mem::take(&mut inner.nudged) {
                return Next::Idle;
            }
            if inner.is_drained() {
                return Next::Closed;
            }
            let (again, timeout) = self
                .ready
                .wait_timeout(inner, patience)
                .unwrap_or_else(PoisonError::into_inner);
            inner = again;
            if timeout.timed_out() {
                inner.nudged = true;
            }
        }
    }

    /// Lets the sequencer look around before its patience ends.
    pub(super) fn nudge(&self) {
        self.lock().nudged = true;
        self.ready.notify_one();
    }

    /// Makes room: so many requests were answered.
    pub(super) fn answered(&self, requests: usize) {
        let mut inner = self.lock();
        inner.in_flight = inner.in_flight.saturating_sub(requests);
        self.room.notify_all();
    }

    /// Lets nothing more in; what is in is finished.
    pub(super) fn close(&self) {
        let mut inner = self.lock();
        if inner.state == Gate::Taking {
            inner.state = Gate::Closing;
        }
        self.wake_all();
    }

    /// INVARIANT(poisoned): lets nothing more in or through.
    pub(super) fn poison(&self) -> Leftovers<R, P> {
        let mut inner = self.lock();
        inner.state = Gate::Poisoned;
        inner.errands.clear();
        self.wake_all();
        Leftovers {
            waiting: inner.waiting.drain(..).collect(),
            prepared: inner.order.drain(..).flatten().collect(),
        }
    }

    fn wake_all(&self) {
        self.work.notify_all();
        self.ready.notify_all();
        self.room.notify_all();
    }
}

impl<R, P, E> Inner<R, P, E> {
    fn refuse_unless_open(&self) -> Result<(), SubmitError> {
        match self.state {
            Gate::Taking => Ok(()),
            Gate::Closing => Err(SubmitError::Closed),
            Gate::Poisoned => Err(SubmitError::Poisoned),
        }
    }

    fn is_drained(&self) -> bool {
        self.state == Gate::Closing
            && self.putting == 0
            && self.order.is_empty()
            && self.waiting.is_empty()
    }

    fn pop_prepared(&mut self) -> Option<P> {
        let chunk = self.order.front_mut()?.take()?;
        self.order.pop_front();
        self.front = self.front.saturating_add(1);
        Some(chunk)
    }
}
