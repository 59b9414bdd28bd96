//! The built command, run as people and scripts run it.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on stops there"
)]

mod anchor_chains;
mod anchors;
mod arguments;
mod beside;
mod book;
mod command_line;
mod demo;
mod drill;
mod hostile;
mod keys;
mod monitor;
mod output;
mod packs;
mod payments;
mod replay;
mod runs;
mod support;
mod web;
mod witness;
mod witness_others;
