//! Commands about the lists that packs read.

use super::Asked;
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Bring in, show and search lists such as the OFAC sanctions list
#[derive(Debug, Subcommand)]
pub(crate) enum ListCommand {
    Import(ListImport),
    Show(ListShow),
    Check(ListCheck),
}

/// Bring a list into the book
#[derive(Debug, Args)]
#[command(after_help = "\
Reads the US Treasury's own `sdn.csv` and `alt.csv`, or a list file that Paygod wrote. The list is
stored under its digest. It is used once it is active: with `--activate` at once, in place of an
older version of the same name.

Examples:
  paygod list import sdn.csv --alt alt.csv --name ofac-sdn --list-version 2026-11-22
  paygod list import sdn.csv --alt alt.csv --name ofac-sdn --list-version 2026-11-22 --activate")]
pub(crate) struct ListImport {
    /// The list's file
    pub(crate) file: PathBuf,

    /// The Treasury's file of other names of the same people
    #[arg(long, value_name = "FILE")]
    pub(crate) alt: Option<PathBuf>,

    /// What the file is
    #[arg(long, value_enum, default_value_t = ListFormat::Ofac)]
    pub(crate) format: ListFormat,

    /// The name that packs know the list by
    #[arg(long, default_value = "ofac-sdn")]
    pub(crate) name: String,

    /// The list's version, such as the day it was published
    #[arg(long, value_name = "VERSION", required_if_eq("format", "ofac"))]
    pub(crate) list_version: Option<String>,

    /// Use it from now on, with the packs that are active
    #[arg(long)]
    pub(crate) activate: bool,

    #[command(flatten)]
    pub(crate) asked: Asked,
}

/// Kinds of list file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListFormat {
    /// The US Treasury's CSV
    Ofac,
    /// Paygod's own canonical list file
    Paygod,
}

/// Show the lists in the book, or one list's names
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  paygod list show
  paygod list show ofac-sdn --count 10")]
pub(crate) struct ListShow {
    /// The list
    pub(crate) name: Option<String>,

    /// How many names at most
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) count: usize,
}

/// Look a name up as the packs would
#[derive(Debug, Args)]
#[command(after_help = "\
Exit status 1 when the name is on the list.

Examples:
  paygod list check ofac-sdn \"Joaquín Guzmán Loera\"")]
pub(crate) struct ListCheck {
    /// The list
    pub(crate) list: String,

    /// The name to look up
    pub(crate) name: String,
}
