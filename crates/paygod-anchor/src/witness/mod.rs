//! Witnesses (C2SP tlog-witness): others who see every checkpoint of a log, and vouch that each one only
//! adds to the one before. A log whose checkpoints they cosign cannot show two histories.
//!
//! - [`ask`]: the log's side: submits a checkpoint to the witnesses of a trust policy and gathers cosignatures.
//! - [`Witness`]: the other side: checks, remembers durably, then cosigns. [`http`]: as a server.
//!
//! Times are POSIX seconds and come from the caller.

pub mod ask;
#[cfg(feature = "serve")]
pub mod http;
pub mod logs;
mod record;
mod vouch;

pub use vouch::{COSIGNERS_MAX, Refusal, Witness, WitnessError, WitnessKey};
