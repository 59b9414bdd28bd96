//! How a verifier goes on after an entry that the fold refused.
//!
//! Never used by the engine or by recovery: those stop.

use paygod_types::Timestamp;

use crate::state::State;

impl State {
    /// Steps over an entry that was refused, as if it had changed nothing, so that the entries after it
    /// can be checked too. The state is not the book's any more. `time` is the entry's, if it had one.
    pub fn step_over(&mut self, time: Option<Timestamp>) {
        self.size = self.size.saturating_add(1);
        if let Some(time) = time {
            self.last_time = self.last_time.max(time);
        }
    }
}
