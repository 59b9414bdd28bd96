//! Commands about the book itself: its making, its accounts, what stands in it, its copies.

use super::Asked;
use clap::{ArgGroup, Args, Subcommand};
use std::path::PathBuf;

/// Make a new book
#[derive(Debug, Args)]
#[command(after_help = "\
The book's first entry, genesis, fixes its name and its keys. Its fingerprint is printed: give it
to your auditors, who need it to check an export.

Without `--roots` the book is one for development: nobody can revoke its keys, which are kept in
files of the folder, readable by you alone. For a book that counts, make root keys first, each on
its holder's own machine: paygod keys ceremony new --help.

Examples:
  paygod init --book ./book
  paygod init --book ./book --origin ledger.example.com/main --hybrid
  paygod init --book ./book --roots roots.root-1 roots.root-2 roots.root-3
  paygod init --book ./book --production --roots roots.root-1 roots.root-2 roots.root-3 --keys \\
      'pkcs11:token=paygod;object=checkpoint?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=file:/run/secrets/hsm'")]
pub(crate) struct Init {
    /// The log's name, as checkpoints say it: a host name and a path you own [default: the one that
    /// the roots say, else paygod.local/book]
    #[arg(long, value_name = "NAME")]
    pub(crate) origin: Option<String>,

    /// The root of trust, as every one of its holders has signed it
    #[arg(long, value_name = "SIGNED", num_args = 1..)]
    pub(crate) roots: Vec<PathBuf>,

    /// Where checkpoint keys are made and stay: a `pkcs11:`, `transit+https:`, `awskms:` or
    /// `file:` URI (docs/operate/keys.md); in plain files of the book's folder when not given
    #[arg(long, value_name = "URI")]
    pub(crate) keys: Option<String>,

    /// Sign checkpoints with ML-DSA-44 too, against the quantum computers of later years
    #[arg(long)]
    pub(crate) hybrid: bool,
}

/// Open, close and show accounts, and change their limits
#[derive(Debug, Subcommand)]
pub(crate) enum AccountCommand {
    Open(AccountOpen),
    Limit(AccountLimit),
    Close(AccountClose),
    Show(AccountShow),
    List(AccountList),
}

/// Open an account
#[derive(Debug, Args)]
#[command(after_help = "\
A balance is what was credited less what was debited. `--min 0.00` forbids an overdraft. An IBAN
or a bank's own account number, given with `--alias`, lets payment files name the account; the
book keeps only a keyed fingerprint of it.

Examples:
  paygod account open acme-eur --currency EUR --min 0.00
  paygod account open acme-chf --currency CHF --alias CH9300762011623852957
  paygod account open clearing-eur --currency EUR")]
pub(crate) struct AccountOpen {
    /// The account's name: letters, digits and . _ : / + -
    pub(crate) account: String,

    /// ISO 4217 code, such as EUR
    #[arg(long, value_name = "CODE")]
    pub(crate) currency: String,

    /// The balance may not go below this
    #[arg(long, value_name = "AMOUNT", allow_hyphen_values = true)]
    pub(crate) min: Option<String>,

    /// The balance may not go above this
    #[arg(long, value_name = "AMOUNT", allow_hyphen_values = true)]
    pub(crate) max: Option<String>,

    /// An IBAN or a bank's own number by which payment files name the account (may be repeated)
    #[arg(long, value_name = "NUMBER")]
    pub(crate) alias: Vec<String>,

    #[command(flatten)]
    pub(crate) asked: Asked,
}

/// Change what an account's balance may come to
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("limits").required(true).multiple(true).args(["min", "max"]))]
#[command(after_help = "\
A limit that is not given stays as it is; `none` lifts it. An account that holds or reserves what a
new limit forbids keeps its old ones: bring it within first.

Examples:
  paygod account limit acme-eur --min -5000.00 --by credit-desk
  paygod account limit acme-eur --min 0.00 --max none")]
pub(crate) struct AccountLimit {
    /// The account
    pub(crate) account: String,

    /// The balance may not go below this from now on, or `none`
    #[arg(long, value_name = "AMOUNT", allow_hyphen_values = true)]
    pub(crate) min: Option<String>,

    /// The balance may not go above this from now on, or `none`
    #[arg(long, value_name = "AMOUNT", allow_hyphen_values = true)]
    pub(crate) max: Option<String>,

    #[command(flatten)]
    pub(crate) asked: Asked,
}

/// Close an account
#[derive(Debug, Args)]
#[command(after_help = "\
Only an account with a zero balance and nothing reserved can be closed.

Examples:
  paygod account close acme-eur")]
pub(crate) struct AccountClose {
    /// The account
    pub(crate) account: String,

    #[command(flatten)]
    pub(crate) asked: Asked,
}

/// Show one account
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  paygod account show acme-eur
  paygod account show acme-eur --json")]
pub(crate) struct AccountShow {
    /// The account
    pub(crate) account: String,
}

/// List the accounts and their balances
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  paygod account list
  paygod account list --json")]
pub(crate) struct AccountList {}

/// Print an account's balance, now or as of any earlier moment
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  paygod balance acme-eur
  paygod balance acme-eur --at-seq 41
  paygod balance acme-eur --at-time 2026-11-22T00:00:00Z")]
pub(crate) struct BalanceOf {
    /// The account
    pub(crate) account: String,

    /// As it stood after this entry
    #[arg(long, value_name = "SEQ", conflicts_with = "at_time")]
    pub(crate) at_seq: Option<u64>,

    /// As it stood at this moment (RFC 3339)
    #[arg(long, value_name = "TIME")]
    pub(crate) at_time: Option<String>,
}

/// Print what was sealed: in words, or byte for byte with --json
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  paygod entries
  paygod entries --from 100 --count 20
  paygod entries --account acme-eur --count 5
  paygod entries --json --count 1000000 > book.jsonl")]
pub(crate) struct Entries {
    /// The first entry
    #[arg(long, value_name = "SEQ", default_value_t = 0)]
    pub(crate) from: u64,

    /// How many at most
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) count: u64,

    /// Only entries that opened or closed this account, or that moved or reserved its money
    #[arg(long, value_name = "ACCOUNT")]
    pub(crate) account: Option<String>,
}

/// Copy a live book to another folder
#[derive(Debug, Args)]
#[command(after_help = "\
The copy is complete up to the newest checkpoint, whatever is written meanwhile. It holds the
book's keys and encrypted inputs: guard it like the book.

Examples:
  paygod backup /mnt/backup/book-2026-11-22")]
pub(crate) struct Backup {
    /// The folder to make; it must not exist yet
    pub(crate) to: PathBuf,
}

/// Make a book out of a backup, checking every entry on the way
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  paygod restore /mnt/backup/book-2026-11-22 --book ./book")]
pub(crate) struct Restore {
    /// The backup's folder
    pub(crate) from: PathBuf,
}
