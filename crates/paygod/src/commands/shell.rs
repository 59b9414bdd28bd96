//! `completions` and `man`: made from the one definition of the command line.

use crate::cli::{self, Completions, Man};
use crate::fault::{Answer, Outcome};
use crate::files;
use crate::output::Console;

/// Prints a shell's completion script.
pub(crate) fn completions(options: &Completions, console: &mut Console) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut cli::definition(), "paygod", &mut script);
    console.bytes(&script)?;
    Ok(Answer::Yes)
}

/// Writes a manual page for the command and one for each of its commands.
pub(crate) fn man(options: &Man, console: &mut Console) -> Outcome {
    let failed =
        |error: std::io::Error| files::refused("cannot write the pages to", &options.dir, &error);
    std::fs::create_dir_all(&options.dir).map_err(failed)?;
    clap_mangen::generate_to(cli::definition(), &options.dir).map_err(failed)?;
    console.note(format_args!(
        "the manual pages are in `{}`",
        options.dir.display()
    ))?;
    Ok(Answer::Yes)
}
