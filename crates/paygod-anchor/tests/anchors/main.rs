//! The format, the calendar client and the header checks, from outside.
//!
//! The stock client is asked too, where it is installed: `PAYGOD_OTS` names its `ots`, else it is looked
//! for in the `PATH`.

mod calendar;
mod format;
mod headers;
mod proofs;
mod stock_client;
