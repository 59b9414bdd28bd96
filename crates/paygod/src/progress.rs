//! Progress bars: drawn on standard error, on a terminal only, and gone when the work is done.

use crate::output::Console;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use paygod_service::ledger::{CopyProgress, OpeningProgress};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How often a spinner turns while nothing is reported.
const TICK_MS: u64 = 80;

/// What a bar of entries looks like.
const ENTRIES: &str = "{spinner} {bar:28} {human_pos}/{human_len} entries  {per_sec}  {wide_msg}";

/// A bar of `steps` steps, or one that is never drawn.
pub(crate) fn steps(console: &Console, steps: u64) -> ProgressBar {
    let template = "{spinner} {bar:28} {pos}/{len}  {wide_msg}";
    bar(console.draws_progress(), steps, template)
}

/// Turns while another process writes to the book.
pub(crate) struct Waiting(ProgressBar);

pub(crate) fn waiting(console: &Console) -> Waiting {
    let bar = bar(console.draws_progress(), 0, "{spinner} {wide_msg}");
    Waiting(bar.with_message("another process writes to the book"))
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// A bar counting entries, with its rate, or one that is never drawn.
pub(crate) fn entries(console: &Console, total: u64) -> ProgressBar {
    bar(console.draws_progress(), total, ENTRIES)
}

/// A bar counting what a copy counts, entries or bytes, or one that is never drawn. Drawn until all is done, or it is
/// gone.
pub(crate) struct Copying(ProgressBar);

impl Copying {
    pub(crate) fn entries(console: &Console) -> Self {
        Self(entries(console, 0))
    }

    pub(crate) fn bytes(console: &Console) -> Self {
        let template = "{spinner} {bar:28} {bytes}/{total_bytes}  {bytes_per_sec}  {wide_msg}";
        Self(bar(console.draws_progress(), 0, template))
    }

    pub(crate) fn tell(&self, progress: CopyProgress) {
        show(&self.0, progress);
    }
}

impl Drop for Copying {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// A bar counting the entries that are folded while a book is opened, once there is something to tell.
pub(crate) fn opening(console: &Console) -> Option<OpeningProgress> {
    if !console.draws_progress() {
        return None;
    }
    let drawn: Mutex<Option<ProgressBar>> = Mutex::default();
    Some(Arc::new(move |progress| {
        let mut drawn = drawn.lock().unwrap_or_else(PoisonError::into_inner);
        let begin = || bar(true, 0, ENTRIES).with_message("opening the book");
        show(drawn.get_or_insert_with(begin), progress);
        // A second opening draws one of its own.
        drawn.take_if(|bar| bar.is_finished());
    }))
}

fn show(bar: &ProgressBar, progress: CopyProgress) {
    bar.set_length(progress.total);
    bar.set_position(progress.done);
    if progress.done >= progress.total {
        bar.finish_and_clear();
    }
}

fn bar(draws: bool, length: u64, template: &str) -> ProgressBar {
    let bar = ProgressBar::new(length);
    if !draws {
        bar.set_draw_target(ProgressDrawTarget::hidden());
        return bar;
    }
    // A template that does not parse costs its looks, not the work.
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("━╸ "));
    }
    bar.enable_steady_tick(Duration::from_millis(TICK_MS));
    bar
}
