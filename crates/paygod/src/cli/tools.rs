//! Commands that show the kernel at work, and those about the command line itself.

use clap::Args;
use clap_complete::Shell;
use std::path::PathBuf;

/// See the whole story in ten seconds: pay, seal, prove, and catch a thief
#[derive(Debug, Args)]
#[command(after_help = "\
Makes a book in a temporary folder, takes a bank's payment file, judges every payment, moves the
money, proves it, then edits the sealed history with the stolen signing key and shows who notices.

Examples:
  paygod demo
  paygod demo --dir ./demo       keep the book and the exports to look at")]
pub(crate) struct Demo {
    /// Keep everything in this folder; it must be empty or not exist
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}

/// Attack a copy of a book in every known way and see what is caught
#[derive(Debug, Args)]
#[command(after_help = "\
The book itself is never touched. Exit status 1 when an attack that should be caught was not.

Examples:
  paygod drill
  paygod drill --book ./book
  paygod drill --json")]
pub(crate) struct Drill {
    /// Run only the attacks whose name contains this
    #[arg(long, value_name = "TEXT")]
    pub(crate) only: Option<String>,

    /// Keep the tampered copies in this folder; it must be empty or not exist
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}

/// Print the completion script of a shell
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  paygod completions bash > ~/.local/share/bash-completion/completions/paygod
  paygod completions zsh > ~/.zfunc/_paygod
  paygod completions fish > ~/.config/fish/completions/paygod.fish")]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: Shell,
}

/// Write the manual pages
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  paygod man ./man && man ./man/paygod-submit.1")]
pub(crate) struct Man {
    /// The folder to write them to
    pub(crate) dir: PathBuf,
}
