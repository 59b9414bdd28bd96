//! Chains, a calendar and a key of our own, for tests and drills: real bytes, no worth.
//!
//! The Bitcoin chain is a regtest chain, whose blocks take two attempts each; that of Ethereum has one account a block. The calendar is fake by name: it
//! listens on this machine only and can be told to misbehave. The nodes of [`Bitcoind`] and [`Anvil`] are real.

mod anvil;
mod bitcoind;
mod calendar;
mod chain;
mod paying;
mod registry;

pub use anvil::Anvil;
pub use bitcoind::Bitcoind;
pub use calendar::{FakeCalendar, Mood};
pub use chain::PracticeChain;
pub use paying::PracticeKey;
pub use registry::{Contract, PracticeRegistry};
