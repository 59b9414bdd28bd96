//! Commands about anchors in public chains.

use clap::{Args, Subcommand, ValueEnum};
use paygod_anchor::bitcoin::Network;
use std::path::PathBuf;

/// Anchor the book in Bitcoin, see how far that is, and check it
#[derive(Debug, Subcommand)]
pub(crate) enum AnchorCommand {
    Now(Box<AnchorNow>),
    #[command(subcommand)]
    Key(AnchorKeyCommand),
    Registry(AnchorRegistry),
    Status(AnchorStatus),
    Verify(AnchorVerify),
    Export(AnchorExport),
    Blocks(AnchorBlocks),
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

/// Anchor the newest checkpoint, and go on with those under way
#[derive(Debug, Args)]
#[command(after_help = "\
A calendar (OpenTimestamps) puts the digest of the checkpoint, and of many others, into a Bitcoin
transaction within some hours. Run this every ten minutes or so: one run submits, a later one
fetches the proof and seals its receipt as an entry. It costs nothing, and calendars learn a digest
and no more. Nothing is submitted while nothing is new.

With --bitcoin-node it makes the transaction itself, through a Bitcoin Core of your own whose wallet
is not used: one OP_RETURN of the digest, paid by --bitcoin-key. One is under way at a time; its fee
is raised while it is stuck, up to the cap. --ethereum-node does the same in a registry contract
that refuses a smaller tree. Calendars are then asked only if they are named.

Without headers calendars and node are believed until somebody verifies; with them, a proof is
receipted only once the headers bear it out.

Examples:
  paygod anchor now
  paygod anchor now --calendar https://calendar.example.com --daily-max 24
  paygod anchor now --bitcoin-headers headers.txt
  paygod anchor now --bitcoin-node http://127.0.0.1:8332 --bitcoin-cookie ~/.bitcoin/.cookie \\
      --bitcoin-key anchor.key
  paygod anchor now --ethereum-node http://127.0.0.1:8545 --ethereum-key anchor.key \\
      --ethereum-registry 0x5fbd…")]
pub(crate) struct AnchorNow {
    /// A calendar to submit to (may be repeated); four public ones when neither it nor a node is given
    #[arg(
        long,
        env = "PAYGOD_CALENDARS",
        value_delimiter = ',',
        value_name = "URL"
    )]
    pub(crate) calendar: Vec<String>,

    /// Most submissions of a day (UTC), to calendars and to each chain
    #[arg(long, default_value_t = 288, value_name = "N")]
    pub(crate) daily_max: u32,

    #[command(flatten)]
    pub(crate) node: BitcoinNode,

    #[command(flatten)]
    pub(crate) ethereum: EthereumNode,

    #[command(flatten)]
    pub(crate) headers: HeadersFile,
}

/// A Bitcoin Core, and how it knows us.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Bitcoin, through a node of your own")]
pub(crate) struct BitcoinLogin {
    /// The node's JSON-RPC, `http://127.0.0.1:8332` or by https
    #[arg(long, env = "PAYGOD_BITCOIN_NODE", value_name = "URL")]
    pub(crate) bitcoin_node: Option<String>,

    /// The node's cookie file
    #[arg(long, env = "PAYGOD_BITCOIN_COOKIE", value_name = "FILE", conflicts_with_all = ["bitcoin_user", "bitcoin_password_file"])]
    pub(crate) bitcoin_cookie: Option<PathBuf>,

    /// The name to log in by, with --bitcoin-password-file in place of a cookie
    #[arg(
        long,
        env = "PAYGOD_BITCOIN_USER",
        value_name = "NAME",
        requires = "bitcoin_password_file"
    )]
    pub(crate) bitcoin_user: Option<String>,

    /// The file that holds the password
    #[arg(
        long,
        env = "PAYGOD_BITCOIN_PASSWORD_FILE",
        value_name = "FILE",
        requires = "bitcoin_user"
    )]
    pub(crate) bitcoin_password_file: Option<PathBuf>,
}

/// What pays for transactions through it, and how.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Bitcoin, through a node of your own")]
pub(crate) struct BitcoinNode {
    #[command(flatten)]
    pub(crate) login: BitcoinLogin,

    /// The key that pays: a file of `anchor key new`, pkcs11:token=…;object=… or awskms:REGION/PREFIX
    #[arg(long, env = "PAYGOD_BITCOIN_KEY", value_name = "KEY")]
    pub(crate) bitcoin_key: Option<String>,

    /// Most that one anchor may cost, replacements included, in satoshi
    #[arg(
        long,
        env = "PAYGOD_BITCOIN_FEE_MAX",
        default_value_t = 20_000,
        value_name = "SATS"
    )]
    pub(crate) bitcoin_fee_max: u64,

    /// Raise the fee after so many blocks without it
    #[arg(
        long,
        env = "PAYGOD_BITCOIN_BUMP_AFTER",
        default_value_t = 6,
        value_name = "BLOCKS"
    )]
    pub(crate) bitcoin_bump_after: u64,

    /// Blocks until it is receipted, its own included
    #[arg(
        long,
        env = "PAYGOD_BITCOIN_CONFIRMATIONS",
        default_value_t = 6,
        value_name = "BLOCKS"
    )]
    pub(crate) bitcoin_confirmations: u64,
}

/// An Ethereum node.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Ethereum, through a node of your own")]
pub(crate) struct EthereumAddress {
    /// The node's JSON-RPC, `http://127.0.0.1:8545` or by https
    #[arg(long, env = "PAYGOD_ETHEREUM_NODE", value_name = "URL")]
    pub(crate) ethereum_node: Option<String>,
}

/// What pays for transactions through it, and how.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Ethereum, through a node of your own")]
pub(crate) struct EthereumNode {
    #[command(flatten)]
    pub(crate) node: EthereumAddress,

    /// The address of the registry; `anchor registry` makes one
    #[arg(long, env = "PAYGOD_ETHEREUM_REGISTRY", value_name = "ADDRESS")]
    pub(crate) ethereum_registry: Option<String>,

    /// The key that pays: a file of `anchor key new`, pkcs11:token=…;object=… or awskms:REGION/PREFIX
    #[arg(long, env = "PAYGOD_ETHEREUM_KEY", value_name = "KEY")]
    pub(crate) ethereum_key: Option<String>,

    /// Most for a unit of gas, tip included, in gwei; an anchor takes at most 120,000 units
    #[arg(
        long,
        env = "PAYGOD_ETHEREUM_FEE_MAX",
        default_value_t = 100,
        value_name = "GWEI"
    )]
    pub(crate) ethereum_fee_max: u64,

    /// Raise the fee after so many blocks without it
    #[arg(
        long,
        env = "PAYGOD_ETHEREUM_BUMP_AFTER",
        default_value_t = 25,
        value_name = "BLOCKS"
    )]
    pub(crate) ethereum_bump_after: u64,

    /// Blocks until it is proved and receipted, its own included
    #[arg(
        long,
        env = "PAYGOD_ETHEREUM_CONFIRMATIONS",
        default_value_t = 64,
        value_name = "BLOCKS"
    )]
    pub(crate) ethereum_confirmations: u64,
}

/// Make a registry on Ethereum, and print its address
#[derive(Debug, Args)]
#[command(after_help = "\
One is enough for any number of books and operators: nobody owns it, and each key has a place of its
own in it. Any contract with the same code will do; the proof names its code, not its address.

Examples:
  paygod anchor registry --ethereum-node http://127.0.0.1:8545 --ethereum-key anchor.key")]
pub(crate) struct AnchorRegistry {
    #[command(flatten)]
    pub(crate) ethereum: EthereumNode,

    /// The number of the chain
    #[arg(long, default_value_t = 1, value_name = "ID")]
    pub(crate) ethereum_chain: u64,
}

/// The key that pays for anchors by transactions of our own
#[derive(Debug, Subcommand)]
pub(crate) enum AnchorKeyCommand {
    New(AnchorKeyNew),
    Show(AnchorKeyShow),
}

/// Make a key, and print the addresses to send money to
#[derive(Debug, Args)]
#[command(after_help = "\
In a hardware module the key never leaves it. A file is encrypted under a passphrase, which is asked
for on the terminal or read from the file that PAYGOD_PASSPHRASE_FILE names. The key pays fees and
signs nothing of the log: a thief of it has the money, and can forge nothing.

Examples:
  paygod anchor key new anchor.key
  paygod anchor key new 'pkcs11:token=paygod;object=anchor?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=file:/run/pin'")]
pub(crate) struct AnchorKeyNew {
    /// The file to make, or where in a hardware module or in AWS KMS
    #[arg(value_name = "KEY")]
    pub(crate) key: String,
}

/// Print the addresses of a key
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  paygod anchor key show anchor.key
  paygod anchor key show anchor.key --json")]
pub(crate) struct AnchorKeyShow {
    /// The key: a file, or where in a hardware module
    #[arg(value_name = "KEY")]
    pub(crate) key: String,
}

/// Get the blocks that an export's anchors are in, from a node of your own
#[derive(Debug, Args)]
#[command(after_help = "\
For auditors: writes the files that `paygod verify` takes as --bitcoin-headers and
--ethereum-blocks, from a node that you trust more than the operator of the log. Keep them with your
report: with them and the export anybody can check it again, without a node. Headers of Bitcoin show
the work that was done for them; hashes of Ethereum are the node's word, so compare two nodes.

Examples:
  paygod anchor blocks ./export ./blocks --bitcoin-node http://127.0.0.1:8332 \\
      --bitcoin-cookie ~/.bitcoin/.cookie
  paygod anchor blocks ./export ./blocks --ethereum-node http://127.0.0.1:8545
  paygod verify ./export --genesis 9f6b… --bitcoin-headers ./blocks/headers.txt")]
pub(crate) struct AnchorBlocks {
    /// The export
    #[arg(value_name = "EXPORT")]
    pub(crate) export: PathBuf,

    /// The folder to write headers.txt and blocks.txt into, empty or new
    #[arg(value_name = "TO")]
    pub(crate) to: PathBuf,

    #[command(flatten)]
    pub(crate) bitcoin: BitcoinLogin,

    #[command(flatten)]
    pub(crate) ethereum: EthereumAddress,

    #[command(flatten)]
    pub(crate) chains: Chains,
}

/// The chains that count.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Chains {
    /// The Bitcoin chain that counts here
    #[arg(long, value_enum, default_value_t = ChainName::Main, value_name = "CHAIN")]
    pub(crate) bitcoin_chain: ChainName,

    /// The number of the Ethereum chain that counts here
    #[arg(long, default_value_t = 1, value_name = "ID")]
    pub(crate) ethereum_chain: u64,
}

/// Block headers that somebody brings.
#[derive(Debug, Clone, Args)]
pub(crate) struct HeadersFile {
    /// Bitcoin block headers from a node of your own, one `<height> <header in hex>` a line
    #[arg(long, value_name = "FILE")]
    pub(crate) bitcoin_headers: Option<PathBuf>,

    /// Ethereum block hashes from a node of your own, one `<number> <0x and hash>` a line
    #[arg(long, value_name = "FILE")]
    pub(crate) ethereum_blocks: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) chains: Chains,
}

impl HeadersFile {
    /// Whether there are blocks to look in.
    pub(crate) const fn is_given(&self) -> bool {
        self.bitcoin_headers.is_some() || self.ethereum_blocks.is_some()
    }
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
