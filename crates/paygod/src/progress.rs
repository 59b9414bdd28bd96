//! Progress bars: drawn on standard error, on a terminal only, and gone when the work is done.

use crate::output::Console;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
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
