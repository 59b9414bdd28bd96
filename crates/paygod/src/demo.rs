//! `demo`.

use crate::cli::Demo;
use crate::fault::{Answer, Outcome};
use crate::output::Console;

/// Plays the whole story.
pub(crate) fn run(_options: &Demo, _console: &mut Console) -> Outcome {
    Ok(Answer::Yes)
}
