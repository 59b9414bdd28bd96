//! The format, the calendar client and the header checks, from outside.
//!
//! The stock client is asked too, where it is installed: `PAYGOD_OTS` names its `ots`, else it is looked
//! for in the `PATH`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test that cannot go on fails"
)]

mod calendar;
mod format;
mod headers;
mod proofs;
mod stock_client;
