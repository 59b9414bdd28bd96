//! The caller's side of a submission: one answer a request, in the order they were given.
//!
//! It does not decide when to answer: the commit stage does, after the flush.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::outcome::Answer;

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
        while state.given.len() < self.answers.expected {
            state = self
                .answers
                .complete
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        std::mem::take(&mut state.given)
    }

    /// Whether [`Ticket::wait`] would return at once.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        lock(&self.answers.state).given.len() >= self.answers.expected
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
    given: Vec<Answer>,
    callback: Option<Callback>,
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
        let given = Vec::with_capacity(expected);
        Self {
            expected,
            state: Mutex::new(State { given, callback }),
            complete: Condvar::new(),
        }
    }

    /// Hands over the next answers. Requests of a submission are sequenced in their order, so the
    /// answers arrive in it.
    pub(super) fn give(&self, answers: impl Iterator<Item = Answer>) {
        let mut state = lock(&self.state);
        state.given.extend(answers);
        if state.given.len() < self.expected {
            return;
        }
        match state.callback.take() {
            Some(callback) => {
                let given = std::mem::take(&mut state.given);
                drop(state);
                callback(given);
            }
            None => self.complete.notify_all(),
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
    use crate::ledger::outcome::SubmitError;

    #[test]
    fn answers_come_in_order_and_complete_the_ticket() {
        let (ticket, answers) = Answers::awaited(3);
        answers.give(std::iter::once(Err(SubmitError::Closed)));
        assert!(!ticket.is_complete());
        answers.give([Err(SubmitError::Poisoned), Err(SubmitError::Closed)].into_iter());
        assert!(ticket.is_complete());
        let given = ticket.wait();
        assert!(matches!(given[1], Err(SubmitError::Poisoned)));
        assert_eq!(given.len(), 3);
    }

    #[test]
    fn callback_is_called_once_with_all_answers() {
        let (sender, receiver) = std::sync::mpsc::channel();
        let answers = Answers::called(2, Box::new(move |given| sender.send(given.len()).unwrap()));
        answers.give(std::iter::once(Err(SubmitError::Closed)));
        assert!(receiver.try_recv().is_err());
        answers.give(std::iter::once(Err(SubmitError::Closed)));
        assert_eq!(receiver.try_recv(), Ok(2));
    }
}
