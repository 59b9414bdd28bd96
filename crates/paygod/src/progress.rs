//! Progress bars: drawn on standard error, on a terminal only, and gone when the work is done.

use crate::output::Console;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use paygod_service::ledger::CopyProgress;
use std::time::Duration;

/// How often a spinner turns while nothing is reported.
const TICK_MS: u64 = 80;

/// A bar of `steps` steps, or one that is never drawn.
pub(crate) fn steps(console: &Console, steps: u64) -> ProgressBar {
    bar(
        console,
        ProgressBar::new(steps),
        "{spinner} {bar:28} {pos}/{len}  {wide_msg}",
    )
}

/// A bar counting entries, with its rate, or one that is never drawn.
pub(crate) fn entries(console: &Console, total: u64) -> ProgressBar {
    bar(
        console,
        ProgressBar::new(total),
        "{spinner} {bar:28} {human_pos}/{human_len} entries  {per_sec}  {wide_msg}",
    )
}

/// A bar counting what a copy counts, entries or bytes, or one that is never drawn. Drawn as long as it is there.
pub(crate) struct Copying(ProgressBar);

impl Copying {
    pub(crate) fn entries(console: &Console) -> Self {
        Self(entries(console, 0))
    }

    pub(crate) fn bytes(console: &Console) -> Self {
        let template = "{spinner} {bar:28} {bytes}/{total_bytes}  {bytes_per_sec}  {wide_msg}";
        Self(bar(console, ProgressBar::new(0), template))
    }

    pub(crate) fn tell(&self, progress: CopyProgress) {
        self.0.set_length(progress.total);
        self.0.set_position(progress.done);
    }
}

impl Drop for Copying {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

fn bar(console: &Console, bar: ProgressBar, template: &str) -> ProgressBar {
    if !console.draws_progress() {
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
