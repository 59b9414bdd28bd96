//! One payment policy in five engines: Paygod, hand-written Rust, `cel`, `regorus` and `cedar-policy`.
//!
//! The policy and its events are those of `cargo bench -p paygod-policy`. The rivals are let off lightly where their
//! languages cannot say the same, and always in their favour: amounts reach them as whole cents, names already
//! normalised; Cedar, which has neither fractions, loops nor the length of a text, is given the sums and counts it
//! would need. None of that work is timed.

mod cedar;
mod cel;
mod event;
mod ours;
mod rego;

#[path = "../../../crates/paygod-policy/benches/judging/payment.rs"]
#[allow(dead_code, reason = "other users read other parts")]
mod payment;
#[path = "../../../crates/paygod-policy/benches/judging/rust.rs"]
#[allow(dead_code, reason = "other users read other parts")]
mod rust;

use std::error::Error;

pub use event::{allowed, varied};
pub use ours::{load_1000_rules, starter_packs};
use paygod_policy::Verdict;

/// What building and judging can fail with.
pub type Failed = Box<dyn Error>;

/// Judges the event of a number.
pub type Judging = Box<dyn FnMut(usize) -> Result<Verdict, Failed>>;

/// The policy in one engine, over given events.
pub struct Engine {
    /// Name and version.
    pub name: &'static str,
    /// From JSON bytes to verdict.
    pub from_json: Judging,
    /// From the engine's own form of the event, read beforehand. None of those that read and judge at once.
    pub from_read: Option<Judging>,
}

/// All five, ours first, hand-written Rust second.
pub fn engines(events: &[String]) -> Result<Vec<Engine>, Failed> {
    Ok(vec![
        ours::engine(events)?,
        ours::by_hand(events),
        rego::engine(events)?,
        cel::engine(events)?,
        cedar::engine(events)?,
    ])
}
