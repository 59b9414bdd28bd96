//! Commands about anchors in Bitcoin.

use clap::{Args, Subcommand, ValueEnum};
use paygod_anchor::bitcoin::Network;
use std::path::PathBuf;

/// Anchor the book in Bitcoin, see how far that is, and check it
#[derive(Debug, Subcommand)]
pub(crate) enum AnchorCommand {
    Now(AnchorNow),
    Status(AnchorStatus),
    Verify(AnchorVerify),
    Export(AnchorExport),
}

/// The chain that block headers are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ChainName {
    /// The chain that counts.
    Main,
    /// The test chain.
    Test,
    /// A chain of one's own.
    Regtest,
}

impl From<ChainName> for Network {
    fn from(name: ChainName) -> Self {
        match name {
            ChainName::Main => Self::Main,
            ChainName::Test => Self::Test,
            ChainName::Regtest => Self::Regtest,
        }
    }
}

/// Submit the newest checkpoint to calendars, and fetch what they promised before
#[derive(Debug, Args)]
#[command(after_help = "\
A calendar (OpenTimestamps) puts the digest of the checkpoint, and of many others, into a Bitcoin
transaction within some hours. Run this every ten minutes or so: one run submits, a later one
fetches the proof and seals its receipt as an entry. It costs nothing, and calendars learn a digest
and no more. Nothing is submitted while nothing is new.

Without headers the calendars are believed until somebody verifies; with them, a proof is
receipted only once the headers bear it out.

Examples:
  paygod anchor now
  paygod anchor now --calendar https://calendar.example.com --daily-max 24
  paygod anchor now --bitcoin-headers headers.txt")]
pub(crate) struct AnchorNow {
    /// A calendar to submit to (may be repeated); four public ones when not given
    #[arg(
        long,
        env = "PAYGOD_CALENDARS",
        value_delimiter = ',',
        value_name = "URL"
    )]
    pub(crate) calendar: Vec<String>,

    /// Most submissions of a day (UTC)
    #[arg(long, default_value_t = 288, value_name = "N")]
    pub(crate) daily_max: u32,

    #[command(flatten)]
    pub(crate) headers: HeadersFile,
}

/// Block headers that somebody brings.
#[derive(Debug, Clone, Args)]
pub(crate) struct HeadersFile {
    /// Bitcoin block headers from a node of your own, one `<height> <header in hex>` a line
    #[arg(long, value_name = "FILE")]
    pub(crate) bitcoin_headers: Option<PathBuf>,

    /// The chain they are of
    #[arg(long, value_enum, default_value_t = ChainName::Main, value_name = "CHAIN", requires = "bitcoin_headers")]
    pub(crate) bitcoin_chain: ChainName,
}

/// Show how far the book is anchored, and what waits
#[derive(Debug, Args)]
#[command(after_help = "\
Asks nobody: it tells what proofs are there. Whether they hold, `anchor verify` tells.

Examples:
  paygod anchor status
  paygod anchor status --json")]
pub(crate) struct AnchorStatus {}

/// Check the book's anchors against block headers
#[derive(Debug, Args)]
#[command(after_help = "\
Checks that each proof is of the book's own checkpoint and leads to a block of the headers, whose
work and linkage are checked too. For everything else about a book, and for an export, see
`paygod verify --bitcoin-headers`. Exit status 1 when an anchor is wrong.

Examples:
  paygod anchor verify --bitcoin-headers headers.txt")]
pub(crate) struct AnchorVerify {
    #[command(flatten)]
    pub(crate) headers: HeadersFile,
}

/// Write each proof beside the checkpoint that it is of, for the stock `ots` client
#[derive(Debug, Args)]
#[command(after_help = "\
Writes `<size>`, the checkpoint's three lines, and `<size>.ots` for each anchor. The stock client
of OpenTimestamps then verifies them with a Bitcoin node of its user's: ots verify 1234.ots

Examples:
  paygod anchor export ./anchors")]
pub(crate) struct AnchorExport {
    /// The folder to make; it must be empty or not exist
    pub(crate) to: PathBuf,
}
