//! The caller's side of a submission: one answer a request, in the order they were given.
//!
//! It does not decide when to answer: the commit stage does, after the flush.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::outcome::{Answer, SubmitError};

/// How often a caller who waits looks whether anybody is left who could answer: a stage that panics takes the requests
/// in its hands with it.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A submission under way. Dropping it does not take the submission back.
#[derive(Debug)]
pub struct Ticket {
    answers: Arc<Answers>,
}

impl Ticket {
    /// Waits until every request is answered, and returns the answers in the order of the requests.
    #[must_use]
    pub fn wait(self) -> Vec<Answer> {
        let mut state = lock(&self.answers.state);
        while state.open > 0 && Arc::strong_count(&self.answers) > 1 {
            let waited = self.answers.complete.wait_timeout(state, LOOK_EVERY);
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
        state.take()
    }

    /// Whether [`Ticket::wait`] would return at once.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        lock(&self.answers.state).open == 0
    }
}

type Callback = Box<dyn FnOnce(Vec<Answer>) + Send>;

/// Where the answers to a submission's requests go, from one of them on.
#[derive(Clone, Debug)]
pub(super) struct Share {
    answers: Arc<Answers>,
    from: usize,
}

impl Share {
    /// A submission of `expected` requests whose caller will wait.
    pub(super) fn awaited(expected: usize) -> (Ticket, Self) {
        let share = Self::whole(expected, None);
        let answers = Arc::clone(&share.answers);
        (Ticket { answers }, share)
    }

    /// A submission of `expected` requests whose caller is called.
    pub(super) fn called(expected: usize, callback: Callback) -> Self {
        Self::whole(expected, Some(callback))
    }

    fn whole(expected: usize, callback: Option<Callback>) -> Self {
        let answers = Arc::new(Answers::new(expected, callback));
        Self { answers, from: 0 }
    }

    /// What is left behind so many requests.
    pub(super) fn after(&self, requests: usize) -> Self {
        Self {
            answers: Arc::clone(&self.answers),
            from: self.from.saturating_add(requests),
        }
    }

    /// Hands over answers. When a ledger stops, the later of a submission may be answered before the earlier.
    pub(super) fn give(&self, answers: impl Iterator<Item = Answer>) {
        self.answers.give(self.from, answers);
    }

    /// INVARIANT(poisoned): so many requests have no outcome.
    pub(super) fn poison(&self, requests: usize) {
        self.give((0..requests).map(|_| Err(SubmitError::Poisoned)));
    }

    /// Nothing was submitted: nobody is called.
    pub(super) fn refuse(&self) {
        lock(&self.answers.state).callback = None;
    }
}

/// Where the answers of one submission come together.
struct Answers {
    state: Mutex<State>,
    complete: Condvar,
}

struct State {
    /// In the order of the requests.
    given: Vec<Option<Answer>>,
    /// How many are missing.
    open: usize,
    callback: Option<Callback>,
}

impl State {
    /// INVARIANT(poisoned): whoever was not answered has no outcome.
    fn take(&mut self) -> Vec<Answer> {
        let given = std::mem::take(&mut self.given).into_iter();
        given
            .map(|answer| answer.unwrap_or(Err(SubmitError::Poisoned)))
            .collect()
    }
}

impl std::fmt::Debug for Answers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answers").finish_non_exhaustive()
    }
}

impl Answers {
    fn new(expected: usize, callback: Option<Callback>) -> Self {
        let mut given = Vec::new();
        given.resize_with(expected, || None);
        Self {
            state: Mutex::new(State {
                given,
                open: expected,
                callback,
            }),
            complete: Condvar::new(),
        }
    }

    fn give(&self, from: usize, answers: impl Iterator<Item = Answer>) {
        let mut state = lock(&self.state);
        let State { given, open, .. } = &mut *state;
        for (place, answer) in given.iter_mut().skip(from).zip(answers) {
            if place.is_none() {
                *place = Some(answer);
                *open = open.saturating_sub(1);
            }
        }
        if state.open > 0 {
            return;
        }
        match state.callback.take() {
            Some(callback) => {
                let given = state.take();
                drop(state);
                callback(given);
            }
            None => self.complete.notify_all(),
        }
    }
}

impl Drop for Answers {
    fn drop(&mut self) {
        let state = self.state.get_mut();
        let state = state.unwrap_or_else(PoisonError::into_inner);
        if let Some(callback) = state.callback.take() {
            let given = state.take();
            callback(given);
        }
    }
}

/// A mutex whose holder panicked still guards plain data that each step leaves whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closed() -> impl Iterator<Item = Answer> {
        std::iter::once(Err(SubmitError::Closed))
    }

    #[test]
    fn answers_stand_where_their_requests_stood_and_complete_the_ticket() {
        let (ticket, answers) = Share::awaited(3);
        answers.after(1).poison(2);
        assert!(!ticket.is_complete());
        answers.give(closed());
        assert!(ticket.is_complete());
        let given = ticket.wait();
        assert!(matches!(given[0], Err(SubmitError::Closed)));
        assert!(matches!(given[1], Err(SubmitError::Poisoned)));
        assert_eq!(given.len(), 3);
    }

    #[test]
    fn a_submission_that_nobody_can_answer_any_more_has_no_outcome() {
        let (ticket, answers) = Share::awaited(2);
        answers.give(closed());
        let stage = std::thread::spawn(move || drop(answers));
        let given = ticket.wait();
        stage.join().unwrap();
        assert!(matches!(given[0], Err(SubmitError::Closed)));
        assert!(matches!(given[1], Err(SubmitError::Poisoned)));
        let (sender, receiver) = std::sync::mpsc::channel();
        let send = move |given: Vec<Answer>| sender.send(given.len()).unwrap();
        drop(Share::called(2, Box::new(send)));
        assert_eq!(receiver.try_recv(), Ok(2));
    }

    #[test]
    fn callback_is_called_once_with_all_answers() {
        let (sender, receiver) = std::sync::mpsc::channel();
        let answers = Share::called(2, Box::new(move |given| sender.send(given.len()).unwrap()));
        answers.give(closed());
        assert!(receiver.try_recv().is_err());
        answers.after(1).give(closed());
        assert_eq!(receiver.try_recv(), Ok(2));
    }
}
