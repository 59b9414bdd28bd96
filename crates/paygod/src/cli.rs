//! The command line, defined once: help, shell completions and man pages all come from here.
//!
//! Every command shows examples in its own help; a test fails when one does not. No option takes a
//! secret: keys and passphrases are files in the book's folder, never arguments, because arguments
//! are seen by everyone who can list processes.

mod anchor;
mod book;
mod keys;
mod pack;
mod policy;
mod proof;
mod requests;
mod run;
mod tools;
mod witness;

pub(crate) use anchor::{
    AnchorBlocks, AnchorCommand, AnchorExport, AnchorKeyCommand, AnchorKeyNew, AnchorKeyShow,
    AnchorNow, AnchorRegistry, AnchorVerify, BitcoinLogin, BitcoinNode, EthereumNode, HeadersFile,
};
pub(crate) use book::{
    AccountCommand, AccountLimit, AccountOpen, Backup, BalanceOf, Entries, Init, Restore,
};
pub(crate) use keys::{
    CeremonyCommand, CeremonyNew, CeremonyPropose, KeysCommand, KeysPolicy, KeysRotate, KeysSign,
    RevokeCommand, RevokeDraft, RevokeSeal,
};
pub(crate) use pack::{
    PackActivate, PackBuild, PackCommand, PackDiff, PackExplain, PackHistory, PackKey, PackNew,
    PackPaths, PackReplay, PackRetire, PackSign, PackStaged, PackTest, PackTrusted, PackVerify,
};
pub(crate) use policy::{ListCheck, ListCommand, ListFormat, ListImport, ListShow};
pub(crate) use proof::{CheckpointShow, Export, Monitor, Prove, Verify};
pub(crate) use requests::{
    Correct, Decide, Erase, Explain, Freeze, PendingList, PostPending, Scope, Submit, SubmitFormat,
    VoidPending,
};
pub(crate) use run::Run;
pub(crate) use tools::{Completions, Demo, Drill, Man};
pub(crate) use witness::{
    WitnessAsk, WitnessCommand, WitnessInit, WitnessKey, WitnessLogs, WitnessServe,
};

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use std::fmt::Write;
use std::path::PathBuf;

/// Judges payments, moves the money, seals both in one log, and proves it to anyone.
#[derive(Debug, Parser)]
#[command(
    name = "paygod",
    version,
    max_term_width = 100,
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "\
Exit status:
  0  yes: done, valid, allowed
  1  no: denied, invalid, tampered with
  2  the command or its input is wrong
  3  the system failed: disk, lock, missing file of the book

Examples:
  paygod demo                                   the whole story in ten seconds
  paygod init --book ./book                     a new book
  paygod submit --book ./book payments.xml      judge and post a bank's payment file
  paygod verify ./export --genesis 5f1c…        trust nobody, check everything"
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options that every command takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Global {
    /// The book's folder
    #[arg(long, global = true, env = "PAYGOD_BOOK", value_name = "DIR")]
    pub(crate) book: Option<PathBuf>,

    /// Refuse keys in files, and a book without root keys
    #[arg(long, global = true, env = "PAYGOD_PRODUCTION", value_parser = clap::builder::FalseyValueParser::new())]
    pub(crate) production: bool,

    /// When another process writes to the book, wait for it to be done, so many seconds at most
    #[arg(
        long,
        global = true,
        env = "PAYGOD_WAIT",
        value_name = "SECONDS",
        default_value_t = 0,
        hide_default_value = true
    )]
    pub(crate) wait: u32,

    /// Print JSON for programs in place of text for people
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// Print no notes and no progress, only the answer and errors
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,

    /// Colours: on a terminal only, always, or never (NO_COLOR is obeyed too)
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t = Colour::Auto,
        value_name = "WHEN",
        hide_possible_values = true
    )]
    pub(crate) color: Colour,
}

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Colour {
    /// When the output is a terminal and `NO_COLOR` is not set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Who asks, and under which name: options of every command that seals a request.
#[derive(Debug, Clone, Args)]
pub(crate) struct Asked {
    /// Who makes the request, as the entry will say
    #[arg(long, env = "PAYGOD_BY", value_name = "NAME")]
    pub(crate) by: Option<String>,

    /// The request's own name; the same name again gives the first outcome again
    #[arg(long, value_name = "ID")]
    pub(crate) id: Option<String>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Init(Init),
    Submit(Submit),
    #[command(subcommand)]
    Account(AccountCommand),
    Balance(BalanceOf),
    Entries(Entries),
    Explain(Explain),
    Pending(PendingList),
    #[command(subcommand)]
    List(ListCommand),
    #[command(subcommand)]
    Pack(PackCommand),
    Run(Run),
    /// Approve a payment that waits for review
    #[command(after_help = "\
Money of a payment under review stays reserved until enough people have approved it. Nobody
approves their own request.

Examples:
  paygod approve pay-7 --by ana
  paygod approve pay-7 --by ana && paygod approve pay-7 --by bo")]
    Approve(Decide),
    /// Reject a payment that waits for review, and release its money
    #[command(after_help = "\
Examples:
  paygod reject pay-7 --by ana")]
    Reject(Decide),
    Post(PostPending),
    Void(VoidPending),
    /// Stop payments: of the whole book, an account or a currency
    #[command(after_help = "\
While frozen, every payment in that scope is denied and the denial is sealed.

Examples:
  paygod freeze book --by ana
  paygod freeze account acme-eur --by ana
  paygod freeze currency USD --by ana")]
    Freeze(Freeze),
    /// Let payments through again
    #[command(after_help = "\
Examples:
  paygod unfreeze account acme-eur --by ana")]
    Unfreeze(Freeze),
    Correct(Correct),
    Erase(Erase),
    #[command(subcommand)]
    Keys(KeysCommand),
    #[command(subcommand)]
    Anchor(AnchorCommand),
    #[command(subcommand)]
    Witness(WitnessCommand),
    Checkpoint(CheckpointShow),
    Prove(Prove),
    Export(Export),
    Verify(Verify),
    Monitor(Monitor),
    Backup(Backup),
    Restore(Restore),
    Demo(Demo),
    Drill(Drill),
    Completions(Completions),
    Man(Man),
}

/// How `paygod --help` groups the commands. A test fails when a command stands in no group.
const GROUPS: &[(&str, &[&str])] = &[
    ("See it work", &["demo", "drill"]),
    (
        "Payments",
        &[
            "submit", "explain", "pending", "approve", "reject", "post", "void", "correct",
            "freeze", "unfreeze",
        ],
    ),
    (
        "The book",
        &[
            "init", "account", "balance", "entries", "erase", "backup", "restore",
        ],
    ),
    ("Policy", &["pack", "list", "run"]),
    ("Keys", &["keys"]),
    (
        "Proof",
        &[
            "checkpoint",
            "prove",
            "anchor",
            "export",
            "verify",
            "monitor",
            "witness",
        ],
    ),
    ("This command", &["completions", "man"]),
];

/// The definition, with its commands grouped in the top-level help.
pub(crate) fn definition() -> clap::Command {
    let command = flowing(Cli::command());
    let mut groups = String::new();
    for (title, names) in GROUPS {
        // Writing to a string cannot fail.
        let _ = writeln!(groups, "{title}:");
        for name in *names {
            let about = command
                .find_subcommand(name)
                .and_then(clap::Command::get_about)
                .map(ToString::to_string)
                .unwrap_or_default();
            let _ = writeln!(groups, "  {name:<12} {about}");
        }
        groups.push('\n');
    }
    command.help_template(format!(
        "{{about}}\n\n{{usage-heading}} {{usage}}\n\n{groups}{{options}}{{after-help}}\n"
    ))
}

/// With every paragraph below the options on one line, which is broken where the terminal ends; in the source it is
/// broken where the source's lines end.
fn flowing(command: clap::Command) -> clap::Command {
    let told = command.get_after_help().map(ToString::to_string);
    let command = match told {
        Some(told) => command.after_help(flow(&told)),
        None => command,
    };
    command.mut_subcommands(flowing)
}

/// Joins lines that stand in one paragraph. Lines that are indented stay: examples, and tables.
fn flow(text: &str) -> String {
    let mut out = String::new();
    let mut is_open = false;
    for line in text.lines() {
        let is_prose = !line.is_empty() && !line.starts_with(' ');
        if !out.is_empty() {
            out.push(if is_open && is_prose { ' ' } else { '\n' });
        }
        out.push_str(line);
        is_open = is_prose;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{Cli, GROUPS, definition, flow};
    use clap::CommandFactory;

    fn leaves(command: &clap::Command, path: &str, found: &mut Vec<(String, clap::Command)>) {
        for sub in command.get_subcommands() {
            let name = format!("{path} {}", sub.get_name());
            if sub.has_subcommands() {
                leaves(sub, &name, found);
            } else {
                found.push((name, sub.clone()));
            }
        }
    }

    #[test]
    fn a_paragraph_is_one_line_and_examples_keep_theirs() {
        let text = "One sentence\nover two lines.\n\nExamples:\n  paygod demo \\\n      --json";
        let flowing = "One sentence over two lines.\n\nExamples:\n  paygod demo \\\n      --json";
        assert_eq!(flow(text), flowing);
    }

    #[test]
    fn definition_is_sound() {
        definition().debug_assert();
    }

    #[test]
    fn every_command_shows_an_example_of_itself() {
        let mut found = Vec::new();
        leaves(&Cli::command(), "paygod", &mut found);
        assert!(found.len() > 25, "{}", found.len());
        for (name, command) in found {
            let help = command
                .get_after_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            let (_, examples) = help.split_once("Examples:").unwrap_or(("", ""));
            assert!(
                examples.contains(&name),
                "`{name} --help` shows no example of `{name}`"
            );
        }
    }

    #[test]
    fn every_command_stands_in_one_group_of_the_help() {
        let mut grouped: Vec<&str> = GROUPS
            .iter()
            .flat_map(|(_, names)| names.iter().copied())
            .collect();
        let definition = Cli::command();
        let mut defined: Vec<&str> = definition
            .get_subcommands()
            .map(clap::Command::get_name)
            .collect();
        grouped.sort_unstable();
        defined.sort_unstable();
        assert_eq!(grouped, defined);
    }

    #[test]
    fn every_variable_stands_in_the_page_for_scripts() {
        let page =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operate/scripts.md");
        let page = std::fs::read_to_string(page).expect("the page");
        let mut found = Vec::new();
        leaves(&Cli::command(), "paygod", &mut found);
        found.push(("paygod".to_owned(), Cli::command()));
        for (name, command) in found {
            for argument in command.get_arguments() {
                let Some(variable) = argument.get_env().and_then(|env| env.to_str()) else {
                    continue;
                };
                let option = argument.get_long().unwrap_or_default();
                let row = format!("| `{variable}` | `--{option}`");
                assert!(page.contains(&row), "`{name}` reads {variable}: {row}");
            }
        }
    }

    #[test]
    fn no_option_takes_a_secret() {
        let mut found = Vec::new();
        leaves(&Cli::command(), "paygod", &mut found);
        for (name, command) in found {
            for argument in command.get_arguments() {
                let id = argument.get_id().as_str();
                // What names a file that holds one is how it should be.
                if id.ends_with("_file") {
                    continue;
                }
                for word in ["password", "passphrase", "secret", "pin", "private"] {
                    assert!(!id.contains(word), "`{name}` takes `{id}`");
                }
            }
        }
    }
}
