//! The `paygod` command: every part of the kernel, wired together and given to people and scripts.
//!
//! It holds no rules of its own: what may happen is decided by the libraries, and this crate reads
//! arguments, calls them and prints. Answers go to standard output, notes and errors to standard
//! error, and the exit status says yes (0), no (1), wrong input (2) or failed system (3).

mod anchors;
mod book;
mod cli;
mod commands;
mod demo;
mod drill;
mod fault;
mod files;
mod insider;
mod narrate;
mod output;
mod progress;
mod table;

use clap::FromArgMatches;
use cli::Cli;
use fault::{Answer, Fault};
use output::Console;
use paygod_types::code;
use std::process::ExitCode;

/// Requests are made by one thread and freed by another, which the system's allocator pays for with locks.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let mut definition = cli::definition();
    if std::env::args_os().len() < 2 {
        // Where `PAYGOD_BOOK` is set it would count as an argument, and the help not be shown.
        definition = definition.mut_args(|argument| argument.env(None::<&'static str>));
    }
    let parsed = definition
        .try_get_matches()
        .and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() && wants_json() => {
            let fault = Fault::of_usage(&error);
            Console::for_programs().fault(&fault);
            return ExitCode::from(fault.code().exit_code());
        }
        Err(error) => error.exit(),
    };
    let mut console = Console::new(&cli.global);
    let outcome = commands::run(cli, &mut console).and_then(|answer| {
        console.flush()?;
        Ok(answer)
    });
    ExitCode::from(exit_code(outcome, &mut console))
}

/// Whether `--json` is among the arguments, which is all that can be known of those that do not parse.
fn wants_json() -> bool {
    std::env::args_os()
        .take_while(|argument| argument != "--")
        .any(|argument| argument == "--json")
}

fn exit_code(outcome: Result<Answer, Fault>, console: &mut Console) -> u8 {
    match outcome {
        Ok(answer) => answer.exit_code(),
        // `paygod entries | head` is not a failure.
        Err(fault) if fault.code() == code::CLI_READER_GONE => Answer::Yes.exit_code(),
        Err(fault) => {
            console.fault(&fault);
            fault.code().exit_code()
        }
    }
}
