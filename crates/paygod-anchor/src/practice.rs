//! A chain and a calendar of our own, for tests and drills: real bytes, no worth.
//!
//! The chain is a regtest chain, whose blocks take two attempts each. The calendar is fake by name: it
//! listens on this machine only and can be told to misbehave.

mod calendar;
mod chain;

pub use calendar::{FakeCalendar, Mood};
pub use chain::PracticeChain;
