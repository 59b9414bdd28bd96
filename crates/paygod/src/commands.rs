//! One module a group of commands; each reads its options, calls the libraries and prints.

mod ask;
mod receipt;
mod shell;

use crate::cli::{Cli, Command};
use crate::fault::{Fault, Outcome};
use crate::output::Console;
use paygod_types::code;

/// Runs the command.
pub(crate) fn run(cli: Cli, console: &mut Console) -> Outcome {
    match cli.command {
        Command::Completions(options) => shell::completions(&options, console),
        Command::Man(options) => shell::man(&options, console),
        _ => Err(Fault::new(
            code::CLI_ARGUMENT,
            "this command is not there yet",
        )),
    }
}
