//! A thread that does derived work (sealing, merging) whenever there is some, and stops at the first
//! error or when told to.
//!
//! Without a thread the same work is done where it arises, so that a test decides the order of every
//! write.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use paygod_types::Code;
use rustix::process::setpriority_process;
use rustix::thread::gettid;

use crate::error::DerivedError;

/// Something that has work to do now and then.
pub(crate) trait Work: Send + Sync + 'static {
    /// Does one piece of work; says whether there was any.
    fn work(&self) -> Result<bool, DerivedError>;

    /// What wakes and stops it.
    fn signal(&self) -> &Signal;
}

#[derive(Debug, Default)]
struct State {
    /// Raised when there may be work, lowered when the thread looks.
    asked: bool,
    failure: Option<(Code, String)>,
}

/// How a worker and those who wait for it talk.
#[derive(Debug, Default)]
pub(crate) struct Signal {
    state: Mutex<State>,
    changed: Condvar,
    stopping: AtomicBool,
    /// Held by whoever does the work: the thread, or one that waits for the result and helps.
    busy: Mutex<()>,
}

/// How long a wait lasts before what it waits for is looked at again: what becomes durable is not
/// announced here.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

impl Signal {
    /// Whether the worker should leave off as soon as it can.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Says that there may be work.
    pub(crate) fn ask(&self) {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .asked = true;
        self.changed.notify_all();
    }

    /// Says that work was done, to those who wait for it.
    pub(crate) fn progress(&self) {
        // Taking the lock orders this after whatever a waiter has just found missing.
        drop(self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_all();
    }

    /// The first error of the worker.
    pub(crate) fn failure(&self) -> Result<(), DerivedError> {
        match &self
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .failure
        {
            None => Ok(()),
            Some((code, cause)) => Err(DerivedError::Stopped {
                code: *code,
                cause: cause.clone(),
            }),
        }
    }

    /// Waits until `ready`, or until the worker fails.
    pub(crate) fn wait(&self, mut ready: impl FnMut() -> bool) -> Result<(), DerivedError> {
        loop {
            self.failure()?;
            if ready() {
                return Ok(());
            }
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.asked = true;
            self.changed.notify_all();
            let waited = self.changed.wait_timeout(state, LOOK_AGAIN);
            drop(waited.unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// The right to do the work.
    pub(crate) fn busy(&self) -> MutexGuard<'_, ()> {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fail(&self, fault: &DerivedError) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state
            .failure
            .get_or_insert_with(|| (fault.code(), fault.to_string()));
        drop(state);
        self.changed.notify_all();
    }

    /// Waits until asked; says whether to go on.
    fn wait_for_work(&self) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while !state.asked && !self.is_stopping() {
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state.asked = false;
        !self.is_stopping()
    }
}

/// The thread; dropping it stops the work and waits for the end of the piece under way.
#[derive(Debug)]
pub(crate) struct Worker<W: Work> {
    work: Arc<W>,
    thread: Option<JoinHandle<()>>,
}

impl<W: Work> Worker<W> {
    /// With `background` false, or when no thread can be had, work is done by [`Worker::ask`].
    pub(crate) fn start(work: Arc<W>, name: &str, background: bool) -> Self {
        let thread = if background {
            let work = Arc::clone(&work);
            std::thread::Builder::new()
                .name(name.to_owned())
                .spawn(move || run(&*work))
                .ok()
        } else {
            None
        };
        Self { work, thread }
    }

    /// Says that there may be work.
    pub(crate) fn ask(&self) {
        if self.thread.is_some() {
            self.work.signal().ask();
        } else {
            do_all(&*self.work);
        }
    }
}

impl<W: Work> Drop for Worker<W> {
    fn drop(&mut self) {
        self.work.signal().stopping.store(true, Ordering::Relaxed);
        self.work.signal().progress();
        if let Some(thread) = self.thread.take() {
            // What the thread could not finish is done again when the book is opened.
            drop(thread.join());
        }
    }
}

/// How far behind others the system puts a thread that [`give_way`]s, from 0 to 19: a tenth of a processor that others
/// want too, all of one that nobody wants. No further, since what is full waits for such a thread, and strangers may
/// keep the processor from it.
const NICENESS: i32 = 10;

/// Lets this thread do its work when those that answer requests have none. Without it one of them waits for the end of
/// a time slice whenever a table is sorted or a state is written down. A system that refuses loses only time.
pub fn give_way() {
    let _refused = setpriority_process(Some(gettid()), NICENESS);
}

fn run(work: &impl Work) {
    give_way();
    while work.signal().wait_for_work() {
        if !do_all(work) {
            return;
        }
    }
}

fn do_all(work: &impl Work) -> bool {
    let _busy = work.signal().busy();
    loop {
        match work.work() {
            Ok(true) if !work.signal().is_stopping() => {}
            Ok(_) => return true,
            Err(fault) => {
                work.signal().fail(&fault);
                return false;
            }
        }
    }
}
