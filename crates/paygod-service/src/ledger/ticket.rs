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

/// Where the answers of one submission come together.
pub(super) struct Answers {
    expected: usize,
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
        f.debug_struct("Answers")
            .field("expected", &self.expected)
            .finish_non_exhaustive()
    }
}

impl Answers {
    /// A submission of `expected` requests whose caller will wait.
    pub(super) fn awaited(expected: usize) -> (Ticket, Arc<Self>) {
        let answers = Arc::new(Self::new(expected, None));
        (
            Ticket {
                answers: Arc::clone(&answers),
            },
            answers,
        )
    }

    /// A submission of `expected` requests whose caller is called.
    pub(super) fn called(expected: usize, callback: Callback) -> Arc<Self> {
        Arc::new(Self::new(expected, Some(callback)))
    }

    fn new(expected: usize, callback: Option<Callback>) -> Self {
        let mut given = Vec::new();
        given.resize_with(expected, || None);
        Self {
            expected,
            state: Mutex::new(State {
                given,
                open: expected,
                callback,
            }),
            complete: Condvar::new(),
        }
    }

    /// How many requests the submission has.
    pub(super) const fn expected(&self) -> usize {
        self.expected
    }

    /// Nothing was submitted: nobody is called.
    pub(super) fn refuse(&self) {
        lock(&self.state).callback = None;
    }

    /// Hands over the answers to the requests from this one on. When a ledger stops, the later of a submission may be
    /// answered before the earlier.
    pub(super) fn give(&self, from: usize, answers: impl Iterator<Item = Answer>) {
        let mut state = lock(&self.state);
        let mut given = 0_usize;
        for (place, answer) in state.given.iter_mut().skip(from).zip(answers) {
            if place.is_none() {
                *place = Some(answer);
                given = given.saturating_add(1);
            }
        }
        state.open = state.open.saturating_sub(given);
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
        let (ticket, answers) = Answers::awaited(3);
        answers.give(
            1,
            [Err(SubmitError::Poisoned), Err(SubmitError::Poisoned)].into_iter(),
        );
        assert!(!ticket.is_complete());
        answers.give(0, closed());
        assert!(ticket.is_complete());
        let given = ticket.wait();
        assert!(matches!(given[0], Err(SubmitError::Closed)));
        assert!(matches!(given[1], Err(SubmitError::Poisoned)));
        assert_eq!(given.len(), 3);
    }

    #[test]
    fn a_submission_that_nobody_can_answer_any_more_has_no_outcome() {
        let (ticket, answers) = Answers::awaited(2);
        answers.give(0, closed());
        let stage = std::thread::spawn(move || drop(answers));
        let given = ticket.wait();
        stage.join().unwrap();
        assert!(matches!(given[0], Err(SubmitError::Closed)));
        assert!(matches!(given[1], Err(SubmitError::Poisoned)));
        let (sender, receiver) = std::sync::mpsc::channel();
        let send = move |given: Vec<Answer>| sender.send(given.len()).unwrap();
        drop(Answers::called(2, Box::new(send)));
        assert_eq!(receiver.try_recv(), Ok(2));
    }

    #[test]
    fn callback_is_called_once_with_all_answers() {
        let (sender, receiver) = std::sync::mpsc::channel();
        let answers = Answers::called(2, Box::new(move |given| sender.send(given.len()).unwrap()));
        answers.give(0, closed());
        assert!(receiver.try_recv().is_err());
        answers.give(1, closed());
        assert_eq!(receiver.try_recv(), Ok(2));
    }
}
