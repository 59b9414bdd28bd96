//! The built command, run as people and scripts run it.

mod book;
mod command_line;
mod demo;
mod drill;
mod output;
mod support;
