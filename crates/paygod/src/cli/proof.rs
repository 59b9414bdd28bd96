//! Commands that let somebody else check the book.

use super::HeadersFile;
use clap::Args;
use std::path::PathBuf;

/// Print the newest signed checkpoint
#[derive(Debug, Args)]
#[command(after_help = "\
A checkpoint is the book's size and the one hash that stands for every entry up to it, signed.
Whoever keeps one can later prove that nothing before it was changed.

Examples:
  paygod checkpoint
  paygod checkpoint > kept-by-the-auditor.txt")]
pub(crate) struct CheckpointShow {}

/// Prove that a request is sealed in the book, or check such a proof offline
#[derive(Debug, Args)]
#[command(after_help = "\
Writes a C2SP tlog-proof: the entry, its path to the root, and a signed checkpoint. Checking one
needs no book and no network, only the log's public key.

Examples:
  paygod prove pay-7
  paygod prove pay-7 --out pay-7.tlog-proof
  paygod prove --check pay-7.tlog-proof --entry pay-7.json --key 'paygod.local/book+3f0c…'
  paygod prove pay-7 --anchored
  paygod prove --check pay-7.tlog-proof --entry pay-7.json --key 'paygod.local/book+3f0c…' \\
      --anchor pay-7.ots --bitcoin-headers headers.txt")]
pub(crate) struct Prove {
    /// The request's id, or `#` and an entry's number
    #[arg(required_unless_present = "check")]
    pub(crate) request: Option<String>,

    /// Where to write the proof; the entry goes beside it as .json, or .entry.json where the proof is a .json itself
    #[arg(long, value_name = "FILE", conflicts_with = "check")]
    pub(crate) out: Option<PathBuf>,

    /// Prove it by a checkpoint that is anchored; the anchor goes beside the proof as .ots
    #[arg(long, conflicts_with = "check")]
    pub(crate) anchored: bool,

    /// Check this proof in place of making one
    #[arg(
        long,
        value_name = "FILE",
        requires = "entry",
        requires = "key",
        conflicts_with = "request"
    )]
    pub(crate) check: Option<PathBuf>,

    /// The entry that the proof is about
    #[arg(long, value_name = "FILE", requires = "check")]
    pub(crate) entry: Option<PathBuf>,

    /// The log's public key, as `paygod checkpoint --json` and genesis give it; repeated, each must have
    /// signed
    #[arg(long, value_name = "VKEY", requires = "check")]
    pub(crate) key: Vec<String>,

    /// A trust policy (C2SP tlog-policy) whose quorum of witnesses must have cosigned
    #[arg(long, value_name = "POLICY", requires = "check")]
    pub(crate) witnesses: Option<PathBuf>,

    /// The anchor of the proof's checkpoint, which must lead to a block of --bitcoin-headers or --ethereum-blocks
    #[arg(long, value_name = "FILE", requires = "check")]
    pub(crate) anchor: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) headers: HeadersFile,
}

/// Write the book as static files that anyone can check
#[derive(Debug, Args)]
#[command(after_help = "\
The export holds no personal data and no private key. Any web server can serve it; readers of C2SP
tlog-tiles understand it.

Examples:
  paygod export ./export
  paygod export ./export && paygod verify ./export")]
pub(crate) struct Export {
    /// The folder to make; it must be empty or not exist
    pub(crate) to: PathBuf,
}

/// Check an export, or a book, from scratch, trusting nobody
#[derive(Debug, Args)]
#[command(after_help = "\
Checks every byte, hash, signature, key change, id, time, decision and balance. Names the first
entry that is wrong, with what was expected and what was found. Exit status 1 when anything is.

`--genesis` is the fingerprint you were given when the book was made: without it you check that the
book is consistent, not that it is the one you know. `--kept` is what you saved earlier: with it, a
rewrite of anything before it is found even when the log's key was stolen. A receipt or an earlier
export also names the entry.
The signed revocation of a stolen key makes it refuse a log of the thief's that hides it.

`--bitcoin-headers` checks the anchors: what they cover existed when the block was made, whoever
holds which key. With `--anchored-within` a rewritten past is refused even by an auditor who kept
nothing: it has its old times and no old anchors. A block's time may be two hours off, and a
calendar takes some hours, so a day is a good limit.

A folder that `paygod run` made is judged again, and the first file that was altered is named.

Examples:
  paygod verify ./export --genesis 5f1c0e…
  paygod verify ./export --genesis 5f1c0e… --kept kept-by-the-auditor.txt
  paygod verify ./export --genesis 5f1c0e… --bitcoin-headers headers.txt --anchored-within 24
  paygod verify ./export --genesis 5f1c0e… --hybrid --witnesses auditor.policy
  paygod verify ./export --all --json
  paygod verify ./export --figures
  paygod verify --book ./book
  paygod verify ./run")]
pub(crate) struct Verify {
    /// The export's folder, or a run's; the book itself when not given
    pub(crate) folder: Option<PathBuf>,

    /// The genesis fingerprint you were given, 64 hexadecimal digits
    #[arg(long, value_name = "HEX")]
    pub(crate) genesis: Option<String>,

    /// A checkpoint, receipt, revocation or export's folder that you saved earlier (may be repeated)
    #[arg(long, value_name = "PATH")]
    pub(crate) kept: Vec<PathBuf>,

    /// A trust policy (C2SP tlog-policy): the log must show a checkpoint that its quorum of witnesses cosigned
    #[arg(long, value_name = "POLICY")]
    pub(crate) witnesses: Option<PathBuf>,

    /// Demand an ML-DSA-44 cosignature on every checkpoint; a hybrid book is held to it without asking
    #[arg(long)]
    pub(crate) hybrid: bool,

    /// Report every failure, not only the first
    #[arg(long)]
    pub(crate) all: bool,

    /// Check bytes, tree, keys and signatures only: faster, and says nothing of the money
    #[arg(long)]
    pub(crate) sealed_only: bool,

    #[command(flatten)]
    pub(crate) headers: HeadersFile,

    /// Every entry must be anchored within so many hours of its own time
    #[arg(long, value_name = "HOURS", conflicts_with = "sealed_only")]
    pub(crate) anchored_within: Option<u64>,

    /// Print how long it took, entries a second, and the most memory that was held
    #[arg(long)]
    pub(crate) figures: bool,
}

/// Follow a book from outside: check its export against everything seen before
#[derive(Debug, Args)]
#[command(after_help = "\
Does what `verify` does, and remembers: the fingerprint, and the newest checkpoint that held. Whatever was
seen once must still stand at every later visit, so a rewrite is found even when every key was stolen. Run
it from a timer on a machine that the book's operator cannot reach; alarm on any exit status but 0. What did
not hold is never remembered.

An export on a web server is mirrored in the state folder: what cannot change is fetched once.

The webhook gets a small JSON document by POST when a visit does not hold or could not be made. Its address
stands in a file, for whoever has it can raise alarms.

Examples:
  paygod monitor ./export --state ./seen --genesis 5f1c0e…
  paygod monitor https://ledger.example.com/export --state ./seen --webhook-file ./webhook
  paygod monitor ./export --state ./seen --witnesses auditor.policy --json
  paygod monitor ./export --state ./seen --metrics /var/lib/node_exporter/paygod.prom")]
pub(crate) struct Monitor {
    /// The export as the operator publishes it: its folder, or its https address (http on loopback only)
    pub(crate) export: String,

    /// Where it remembers what it saw; made at the first visit
    #[arg(long, value_name = "DIR")]
    pub(crate) state: PathBuf,

    /// The genesis fingerprint you were given; needed at the first visit
    #[arg(long, value_name = "HEX")]
    pub(crate) genesis: Option<String>,

    /// A trust policy (C2SP tlog-policy): the log must show a checkpoint that its quorum of witnesses cosigned
    #[arg(long, value_name = "POLICY")]
    pub(crate) witnesses: Option<PathBuf>,

    /// Demand an ML-DSA-44 cosignature on every checkpoint; a hybrid book is held to it without asking
    #[arg(long)]
    pub(crate) hybrid: bool,

    /// Write what the visit found to a file for Prometheus (the node exporter's textfile collector)
    #[arg(long, value_name = "FILE")]
    pub(crate) metrics: Option<PathBuf>,

    /// Post an alarm to the address in this file when a visit does not hold or could not be made
    #[arg(long, value_name = "FILE")]
    pub(crate) webhook_file: Option<PathBuf>,

    /// Fetch the whole export again: what the server showed before, and shows others still, is looked at anew
    #[arg(long)]
    pub(crate) again: bool,

    /// The signed revocation of a stolen key (may be repeated)
    #[arg(long, value_name = "PATH")]
    pub(crate) kept: Vec<PathBuf>,

    /// Check bytes, tree, keys and signatures only: faster, and says nothing of the money
    #[arg(long)]
    pub(crate) sealed_only: bool,
}
