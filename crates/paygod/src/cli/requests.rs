//! Commands that seal a request, and the one that explains how it was judged.

use super::Asked;
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Judge a payment file, move the money that is allowed, seal it all
#[derive(Debug, Args)]
#[command(after_help = "\
The whole file is read and checked first: a wrong count, control sum, IBAN or amount, an account
that the book does not know, or a payment file's day of execution (UTC) that is still to come
rejects the file before anything is sealed. Then each payment is judged by the active packs. An
allowed one moves the money; a denied one is sealed too, with the rule and the reason. Submitting
the same file again changes nothing and prints the first outcome.

Reads ISO 20022 pain.001 and pacs.008, and JSON Lines of Paygod's own requests: those that pay, and
with `--format jsonl` those that give orders too (accounts, approvals, packs, freezes).

Exit status 1 when any payment was denied, or left out as `--accept-rest` allows.

Examples:
  paygod submit payments.xml --by treasury
  paygod submit payments.xml --clearing EUR=nostro-eur
  paygod submit requests.jsonl
  cat requests.jsonl | paygod submit - --json
  paygod submit payments.xml --check")]
pub(crate) struct Submit {
    /// The file; `-` reads standard input
    pub(crate) file: PathBuf,

    /// What the file is; found out by itself when not given
    #[arg(long, value_enum)]
    pub(crate) format: Option<SubmitFormat>,

    /// Who submits, as the entries will say; a native request that names somebody else is refused
    #[arg(long, env = "PAYGOD_BY", value_name = "NAME")]
    pub(crate) by: Option<String>,

    /// Where money goes to, and comes from, other banks; `clearing-eur` and so on when not given
    /// (may be repeated)
    #[arg(long, value_name = "CODE=ACCOUNT")]
    pub(crate) clearing: Vec<String>,

    /// A table of which account of the book stands for which IBAN, beside the book's own aliases
    #[arg(long, value_name = "FILE")]
    pub(crate) accounts: Option<PathBuf>,

    /// Take the payments that are in order even when others of the file are not
    #[arg(long)]
    pub(crate) accept_rest: bool,

    /// Take a payment file that declares a wrong number of payments, if its control sum holds
    #[arg(long)]
    pub(crate) accept_wrong_count: bool,

    /// Move the money now of payments whose requested execution date is still to come
    #[arg(long)]
    pub(crate) execute_early: bool,

    /// Only read and check the file; seal nothing
    #[arg(long)]
    pub(crate) check: bool,
}

/// Kinds of input `paygod submit` reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SubmitFormat {
    /// ISO 20022 customer credit transfer
    Pain001,
    /// ISO 20022 interbank credit transfer
    Pacs008,
    /// One native request a line
    Jsonl,
}

/// Say why a payment was allowed, held or denied
#[derive(Debug, Args)]
#[command(after_help = "\
The decision is made once more. The exit status is 1 if it comes out different, or if the vault has lost
what it is about or has another: show that to an auditor.

Examples:
  paygod explain pay-7
  paygod explain pay-7 --input
  paygod explain pay-7 --json")]
pub(crate) struct Explain {
    /// The request's id, or `#` and an entry's number
    pub(crate) request: String,

    /// Show the request too, as the vault keeps it, when it has details of people: names, accounts, references
    #[arg(long)]
    pub(crate) input: bool,
}

/// List what waits: payments under review, and reservations
#[derive(Debug, Args)]
#[command(after_help = "\
Oldest first. Who is paid and what for, `paygod explain <id> --input` tells.

Examples:
  paygod pending
  paygod pending --review
  paygod pending --json")]
pub(crate) struct PendingList {
    /// Only payments that wait for approval
    #[arg(long)]
    pub(crate) review: bool,
}

/// Approve or reject.
#[derive(Debug, Args)]
pub(crate) struct Decide {
    /// The id of the payment that waits
    pub(crate) request: String,

    #[command(flatten)]
    pub(crate) asked: Asked,
}

/// Post money that an earlier request reserved, all of it or a part
#[derive(Debug, Args)]
#[command(after_help = "\
The whole reservation is released, whatever part of it is posted.

Examples:
  paygod post hold-3
  paygod post hold-3 --amount 5.00")]
pub(crate) struct PostPending {
    /// The id of the request that reserved the money
    pub(crate) pending: String,

    /// Post this much in place of all, one for each transfer of the request
    #[arg(long, value_name = "AMOUNT")]
    pub(crate) amount: Vec<String>,

    #[command(flatten)]
    pub(crate) asked: Asked,
}

/// Release money that an earlier request reserved, moving none
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  paygod void hold-3")]
pub(crate) struct VoidPending {
    /// The id of the request that reserved the money
    pub(crate) pending: String,

    #[command(flatten)]
    pub(crate) asked: Asked,
}

/// Freeze or unfreeze.
#[derive(Debug, Args)]
pub(crate) struct Freeze {
    /// What is meant
    #[command(subcommand)]
    pub(crate) scope: Scope,
}

/// What a freeze covers
#[derive(Debug, Subcommand)]
#[command(disable_help_subcommand = true)]
pub(crate) enum Scope {
    /// Everything
    #[command(after_help = "\
Examples:
  paygod freeze book --by ana
  paygod unfreeze book --by ana")]
    Book {
        #[command(flatten)]
        asked: Asked,
    },
    /// One account
    #[command(after_help = "\
Examples:
  paygod freeze account acme-eur --by ana
  paygod unfreeze account acme-eur --by ana")]
    Account {
        /// The account
        account: String,
        #[command(flatten)]
        asked: Asked,
    },
    /// Every account of one currency
    #[command(after_help = "\
Examples:
  paygod freeze currency USD --by ana
  paygod unfreeze currency USD --by ana")]
    Currency {
        /// ISO 4217 code
        currency: String,
        #[command(flatten)]
        asked: Asked,
    },
}

/// Put a posted payment right with a new entry; the old one stays
#[derive(Debug, Args)]
#[command(after_help = "\
Without transfers of its own the correction is the exact reverse of what was posted, and has one id
whatever the reason, so that asking twice makes it once; `--id` asks for another. What is only
reserved is voided instead; what a `post` or an approval posted is corrected under the id of that.

Examples:
  paygod correct pay-3 --reason duplicate --by ana
  paygod correct pay-3 --reason wrong-amount --by ana --transfer shop-eur,acme-eur,2.50,EUR")]
pub(crate) struct Correct {
    /// The id of the payment to put right
    pub(crate) request: String,

    /// A short code that says why
    #[arg(long, value_name = "CODE")]
    pub(crate) reason: String,

    /// A transfer that puts it right (may be repeated)
    #[arg(long, value_name = "DEBIT,CREDIT,AMOUNT,CURRENCY")]
    pub(crate) transfer: Vec<String>,

    #[command(flatten)]
    pub(crate) asked: Asked,
}

/// Destroy a payment's personal data; every proof stays valid
#[derive(Debug, Args)]
#[command(after_help = "\
Names and account numbers are kept outside the log, encrypted, each payment under its own key.
This destroys that key for good and seals that it was done.

Examples:
  paygod erase pay-7 --by privacy-office --yes")]
pub(crate) struct Erase {
    /// The id of the payment
    pub(crate) request: String,

    /// Yes, destroy it: there is no way back
    #[arg(long)]
    pub(crate) yes: bool,

    #[command(flatten)]
    pub(crate) asked: Asked,
}
