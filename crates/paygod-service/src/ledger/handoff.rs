//! Between the sequencer and the commit stage: at most one group waits.
//!
//! This is what makes groups adapt. While one group is being flushed the sequencer goes on filling
//! the next; as soon as the flush is done the next is taken, whatever its size. A slow disk makes
//! large groups, a fast one small groups, and a lone request waits for nobody.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

struct Inner<W> {
    waiting: Option<W>,
    idle: bool,
    closed: bool,
}

/// The place where one group waits. `W` is a group with what belongs to it.
pub(super) struct Handoff<W> {
    inner: Mutex<Inner<W>>,
    changed: Condvar,
}

impl<W> Handoff<W> {
    pub(super) fn new() -> Self {
        Self {
            inner: Mutex::new(Inner {
                waiting: None,
                idle: false,
                closed: false,
            }),
            changed: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner<W>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the commit stage waits for work.
    pub(super) fn is_idle(&self) -> bool {
        let inner = self.lock();
        inner.idle && inner.waiting.is_none()
    }

    /// Hands over; waits while another group waits. Gives the work back once closed.
    pub(super) fn give(&self, work: W) -> Option<W> {
        let mut inner = self.lock();
        while inner.waiting.is_some() && !inner.closed {
            inner = self
                .changed
                .wait(inner)
                .unwrap_or_else(PoisonError::into_inner);
        }
        if inner.closed {
            return Some(work);
        }
        inner.waiting = Some(work);
        self.changed.notify_all();
        None
    }

    /// Takes the next group; `idle` is called if there is none yet. `None` once closed and empty.
    pub(super) fn take(&self, idle: impl FnOnce()) -> Option<W> {
        let mut inner = self.lock();
        if inner.waiting.is_none() && !inner.closed {
            inner.idle = true;
            drop(inner);
            idle();
            inner = self.lock();
        }
        while inner.waiting.is_none() && !inner.closed {
            inner = self
                .changed
                .wait(inner)
                .unwrap_or_else(PoisonError::into_inner);
        }
        inner.idle = false;
        let work = inner.waiting.take();
        self.changed.notify_all();
        work
    }

    /// No more will be given.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }
}
