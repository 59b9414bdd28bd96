//! One module a group of commands; each reads its options, calls the libraries and prints.

pub(crate) mod account;
pub(crate) mod anchor;
pub(crate) mod anchor_blocks;
pub(crate) mod anchor_key;
mod ask;
mod book;
mod entries;
pub(crate) mod keys;
mod monitor;
mod pending;
mod policy;
mod proof;
pub(crate) mod receipt;
mod requests;
pub(crate) mod run;
mod shell;
mod submit;
pub(crate) mod verify;
mod witness;

use crate::cli::{Cli, Command};
use crate::fault::Outcome;
use crate::output::Console;
use paygod_core::Command as Asked;

/// Runs the command.
pub(crate) fn run(cli: Cli, console: &mut Console) -> Outcome {
    let global = &cli.global;
    match cli.command {
        Command::Init(options) => book::init(&options, global, console),
        Command::Submit(options) => submit::run(&options, global, console),
        Command::Account(command) => account::run(&command, global, console),
        Command::Balance(options) => account::balance(&options, global, console),
        Command::Entries(options) => entries::entries(&options, global, console),
        Command::Explain(options) => entries::explain(&options, global, console),
        Command::Pending(options) => pending::list(&options, global, console),
        Command::List(command) => policy::list(&command, global, console),
        Command::Pack(command) => policy::pack(&command, global, console),
        Command::Run(options) => run::run(&options, global, console),
        Command::Approve(options) => requests::approve(&options, global, console),
        Command::Reject(options) => requests::reject(&options, global, console),
        Command::Post(options) => requests::post(&options, global, console),
        Command::Void(options) => requests::void(&options, global, console),
        Command::Freeze(options) => requests::freeze(&options, Asked::Freeze, global, console),
        Command::Unfreeze(options) => requests::freeze(&options, Asked::Unfreeze, global, console),
        Command::Correct(options) => requests::correct(&options, global, console),
        Command::Erase(options) => requests::erase(&options, global, console),
        Command::Keys(command) => keys::run(&command, global, console),
        Command::Anchor(command) => anchor::run(&command, global, console),
        Command::Witness(command) => witness::run(&command, global, console),
        Command::Checkpoint(_) => book::checkpoint(global, console),
        Command::Prove(options) => proof::run(&options, global, console),
        Command::Export(options) => book::export(&options, global, console),
        Command::Verify(options) => verify::run(&options, global, console),
        Command::Monitor(options) => monitor::run(&options, console),
        Command::Backup(options) => book::backup(&options, global, console),
        Command::Restore(options) => book::restore(&options, global, console),
        Command::Demo(options) => crate::demo::run(&options, console),
        Command::Drill(options) => crate::drill::run(&options, global, console),
        Command::Completions(options) => shell::completions(&options, console),
        Command::Man(options) => shell::man(&options, console),
    }
}
