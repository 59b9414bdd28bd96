//! Commands about packs: writing, testing, understanding, activating them.

use super::Asked;
use clap::{ArgGroup, Args, Subcommand};
use std::path::PathBuf;

/// Write, test, explain and activate policy packs
#[derive(Debug, Subcommand)]
pub(crate) enum PackCommand {
    /// Show the packs that judge payments now
    #[command(after_help = "\
Examples:
  paygod pack list")]
    List,
    New(PackNew),
    /// Check that packs load: syntax, types, digests
    #[command(after_help = "\
A folder of packs stands for every pack in it; `_drafts` is passed over.

Examples:
  paygod pack check packs/core/payment-limits
  paygod pack check packs")]
    Check(PackPaths),
    /// Find what a reviewer would send back in packs that load
    #[command(after_help = "\
Finds cases that prove nothing (no allow and deny that differ in an input alone), rules that no case
makes speak, inputs that no rule reads, reasons that cannot be told apart, and a README without its
sources. Exit status 1 when there is something to mend.

Examples:
  paygod pack lint packs/core/payment-limits
  paygod pack lint packs")]
    Lint(PackPaths),
    Test(PackTest),
    Explain(PackExplain),
    Diff(PackDiff),
    Build(PackBuild),
    Key(PackKey),
    Sign(PackSign),
    Verify(PackVerify),
    Trust(PackTrusted),
    Stage(PackStaged),
    Activate(PackActivate),
    Retire(PackRetire),
    History(PackHistory),
    Replay(PackReplay),
}

/// Packs: their folders, folders of packs, or archives.
#[derive(Debug, Args)]
pub(crate) struct PackPaths {
    /// Folders that hold a pack.yaml, folders of such folders, or built archives
    #[arg(required = true, value_name = "PACK")]
    pub(crate) packs: Vec<PathBuf>,
}

/// Begin a pack: a folder with a rule, two cases and a README to change
#[derive(Debug, Args)]
#[command(after_help = "\
The new pack passes `paygod pack test` and `paygod pack lint` as it stands. Its files name their
JSON Schemas, so that an editor completes and checks them.

Examples:
  paygod pack new card-limits
  paygod pack new card-limits --dir packs/core")]
pub(crate) struct PackNew {
    /// The pack's name, and its folder's
    pub(crate) name: String,

    /// The folder to put it in
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) dir: PathBuf,
}

/// Run the cases that packs carry in tests/cases.yaml
#[derive(Debug, Args)]
#[command(after_help = "\
Every case is judged as a payment would be, by the same evaluator. Rules and branches are counted:
a branch is a condition, an operand of && or ||, or the condition of ?:, and is covered when cases
have seen it both true and false. Exit status 1 when a case fails or coverage is below the minimum.

Examples:
  paygod pack test packs
  paygod pack test packs/core/payment-limits --uncovered
  paygod pack test packs --min-coverage 90 --junit packs.xml")]
pub(crate) struct PackTest {
    #[command(flatten)]
    pub(crate) packs: PackPaths,

    /// The least percentage of rules, and of branches, that a pack's cases must cover
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    pub(crate) min_coverage: Option<u8>,

    /// Write the outcome as JUnit XML too
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,

    /// List the branches that no case has seen both ways
    #[arg(long)]
    pub(crate) uncovered: bool,
}

/// Show how a pack comes to a decision: every part of every condition with its value
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("explained").required(true).args(["case", "input"]))]
#[command(after_help = "\
Explains one of the pack's cases, or a document of your own. The tree shows values of the judged
document: mind who sees it. A document of your own is judged without history.

Examples:
  paygod pack explain packs/core/payment-limits --case yen-have-no-limit-and-are-denied
  paygod pack explain packs/core/payment-limits --input transfer.json --fired")]
pub(crate) struct PackExplain {
    /// The pack's folder or archive
    #[arg(value_name = "PACK")]
    pub(crate) pack: PathBuf,

    /// The case to explain
    #[arg(long, value_name = "NAME")]
    pub(crate) case: Option<String>,

    /// The JSON document to judge and explain; `-` reads standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) input: Option<PathBuf>,

    /// A list that the pack reads, as `paygod list` stores it (may be repeated)
    #[arg(long, value_name = "FILE")]
    pub(crate) list: Vec<PathBuf>,

    /// The time that `now()` is for a document, in place of now
    #[arg(long, env = "PAYGOD_CLOCK", value_name = "RFC3339")]
    pub(crate) clock: Option<String>,

    /// Show only the rules that fired or erred
    #[arg(long)]
    pub(crate) fired: bool,
}

/// Compare two packs: inputs, rules, and verdicts on the cases of both
#[derive(Debug, Args)]
#[command(after_help = "\
The cases of both packs are judged by both, so that a change of meaning shows even where the words
look alike. Exit status 1 when the packs differ.

Examples:
  paygod pack diff payment-limits-1.0.0.paygod-pack packs/core/payment-limits")]
pub(crate) struct PackDiff {
    /// The pack before
    #[arg(value_name = "BEFORE")]
    pub(crate) before: PathBuf,

    /// The pack after
    #[arg(value_name = "AFTER")]
    pub(crate) after: PathBuf,
}

/// Make a pack's archive: one file, the same bytes on every machine
#[derive(Debug, Args)]
#[command(after_help = "\
The archive is canonical JSON of the pack's files, and its SHA-256 is the digest that activations
and decisions name. Every command that takes a pack takes the archive too.

Examples:
  paygod pack build packs/core/payment-limits
  paygod pack build packs/core/payment-limits --out limits.paygod-pack")]
pub(crate) struct PackBuild {
    /// The pack's folder
    #[arg(value_name = "PACK")]
    pub(crate) pack: PathBuf,

    /// The file to write; else `<name>-<version>.paygod-pack` in the current folder
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// Let these packs, and only these, judge payments from now on
#[derive(Debug, Args)]
#[command(after_help = "\
Activation is sealed with the digest of every pack and list, so each later decision can be traced
to the exact rules behind it. Lists that the packs read must be imported first.

Examples:
  paygod pack activate packs/core/payment-limits --by ana
  paygod pack activate packs/core/payment-limits packs/core/sanctions-screening --by ana
  paygod pack activate packs/core/sanctions-screening --list ofac-sdn=2026-11-22
  paygod pack activate packs/core/payment-limits --signature payment-limits-1.0.0.paygod-pack.sig")]
pub(crate) struct PackActivate {
    /// Folders that hold a pack.yaml, or built archives
    #[arg(required = true, value_name = "PACK")]
    pub(crate) packs: Vec<PathBuf>,

    /// Which version of a list the packs read, where the book holds more than one (may be repeated)
    #[arg(long, value_name = "NAME=VERSION")]
    pub(crate) list: Vec<String>,

    /// A publisher's signature of one of the packs (may be repeated); packs that stay active keep theirs
    #[arg(long, value_name = "FILE")]
    pub(crate) signature: Vec<PathBuf>,

    #[command(flatten)]
    pub(crate) asked: Asked,
}

/// Make a publisher's key, which signs packs and reports of replays
#[derive(Debug, Args)]
#[command(after_help = "\
The key is encrypted under a passphrase, which is asked for on the terminal or read from the file
that PAYGOD_PASSPHRASE_FILE names. Beside it, `.pub` is written: hand that file out. A key in a
hardware module or a key service is made there, never leaves it, and is found by its `.pub`.

The name stands in signatures and in books for ever: name an office, not a person.

Examples:
  paygod pack key --name packs.example.com --key packs.key
  paygod pack key --name packs.example.com --public packs.key.pub --key \
      'pkcs11:token=paygod;object=packs?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=file:/run/pin'")]
pub(crate) struct PackKey {
    /// The key's name: no spaces and no `+`
    #[arg(long, value_name = "NAME")]
    pub(crate) name: String,

    /// The key file to make, or where in a hardware module or a key service
    #[arg(long, value_name = "KEY")]
    pub(crate) key: String,

    /// The `.pub` file to write for a key in a hardware module or a key service
    #[arg(long, value_name = "FILE")]
    pub(crate) public: Option<PathBuf>,
}

/// Sign a pack as its publisher
#[derive(Debug, Args)]
#[command(after_help = "\
The signature is a signed note over the pack's name, version and digest: a small file of text that
goes beside the archive. A pack that has faults is not signed.

Examples:
  paygod pack sign packs/core/payment-limits --key packs.key
  paygod pack sign payment-limits-1.0.0.paygod-pack --key packs.key --out limits.sig")]
pub(crate) struct PackSign {
    /// The pack's folder or archive
    #[arg(value_name = "PACK")]
    pub(crate) pack: PathBuf,

    /// The publisher's key: a file, or where in a hardware module or a key service
    #[arg(long, value_name = "KEY")]
    pub(crate) key: String,

    /// The `.pub` file of a key in a hardware module or a key service; of a key file it lies beside it
    #[arg(long, value_name = "FILE")]
    pub(crate) public: Option<PathBuf>,

    /// The signature to write; else `<name>-<version>.paygod-pack.sig` in the current folder
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// Check that a publisher signed a pack, or a report of a replay
#[derive(Debug, Args)]
#[command(after_help = "\
Get the publisher's `.pub` from the publisher, not from where the pack came from. Exit status 1 when
the publisher has not signed exactly this.

Examples:
  paygod pack verify payment-limits-1.0.0.paygod-pack --publisher packs.key.pub
  paygod pack verify packs/core/payment-limits --publisher packs.key.pub --signature limits.sig
  paygod pack verify report.json --publisher packs.key.pub")]
pub(crate) struct PackVerify {
    /// The pack's folder or archive, or the report
    #[arg(value_name = "PACK")]
    pub(crate) file: PathBuf,

    /// What the publisher handed out
    #[arg(long, value_name = "PUB")]
    pub(crate) publisher: PathBuf,

    /// The signature; else PACK and `.sig`, or `<name>-<version>.paygod-pack.sig` in the current folder
    #[arg(long, value_name = "FILE")]
    pub(crate) signature: Option<PathBuf>,
}

/// Decide all sealed history once more, or as other packs would have
#[derive(Debug, Args)]
#[command(after_help = "\
Every judged entry is made again from the vaulted input and what was sealed before it: balances,
windows, packs and lists as they stood. It must come out the same to the byte; one that does not is
named. Erased inputs are counted and named, never guessed. Exit status 1 when something differs.

With other packs, each takes the place of the pack of its name or stands beside the others, and the
verdicts that would change are told, with the rules and the money. What went through stays so:
windows and balances are those that were sealed.

The report is canonical JSON. `--key` signs it; `paygod pack verify` checks the signature, and
`--check` makes the report again and compares, so nobody has to be believed.

Examples:
  paygod pack replay
  paygod pack replay --with packs/core/payment-limits
  paygod pack replay --with limits-2.0.0.paygod-pack --out report.json --key packs.key
  paygod pack replay --with limits-2.0.0.paygod-pack --check report.json")]
pub(crate) struct PackReplay {
    /// A pack to judge history with too: its folder or archive (may be repeated)
    #[arg(long, value_name = "PACK")]
    pub(crate) with: Vec<PathBuf>,

    /// Give the packs of `--with` this version of a list (may be repeated)
    #[arg(long, value_name = "NAME=VERSION", requires = "with")]
    pub(crate) list: Vec<String>,

    /// Write the report
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,

    /// Sign the report with this key, as `pack sign` does, into the file of its name and `.sig`
    #[arg(long, value_name = "FILE", requires = "out")]
    pub(crate) key: Option<String>,

    /// The `.pub` file of a key in a hardware module or a key service; of a key file it lies beside it
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(crate) public: Option<PathBuf>,

    /// Compare with a report made before: of as much of the log as it speaks of
    #[arg(long, value_name = "FILE", conflicts_with = "out")]
    pub(crate) check: Option<PathBuf>,
}

/// Show or say what this book asks of a pack before it may be active
#[derive(Debug, Args)]
#[command(after_help = "\
A pack signed by a known publisher is of the level that this publisher vouches for: verified, or
certified. Every other pack is of the community. A pack below the level that the book asks for is
not activated. What is said here replaces all that was said before, and is sealed; without options
it is shown.

Examples:
  paygod pack trust
  paygod pack trust --level verified --publisher verified=packs.key.pub --by ana
  paygod pack trust --level community --approved --by ana")]
pub(crate) struct PackTrusted {
    /// The lowest level that may be active: community, verified or certified
    #[arg(long, value_name = "LEVEL")]
    pub(crate) level: Option<String>,

    /// A publisher's `.pub` and what its signature vouches for: verified or certified (may be repeated)
    #[arg(long, value_name = "LEVEL=PUB", requires = "level")]
    pub(crate) publisher: Vec<String>,

    /// Ask for packs that were approved too (see `paygod pack stage`)
    #[arg(long, requires = "level")]
    pub(crate) approved: bool,

    #[command(flatten)]
    pub(crate) asked: Asked,
}

/// Record how far the review of a pack has come
#[derive(Debug, Args)]
#[command(after_help = "\
The stages are draft, reviewed, approved, published, in this order, each sealed with who took it and
the digest of the pack: another line in a pack is another pack. Whoever hands a pack in (draft) can
neither review nor approve it. Activating and retiring it come after.

Examples:
  paygod pack stage packs/core/payment-limits draft --by ana
  paygod pack stage packs/core/payment-limits reviewed --by bo")]
pub(crate) struct PackStaged {
    /// The pack's folder or archive
    #[arg(value_name = "PACK")]
    pub(crate) pack: PathBuf,

    /// draft, reviewed, approved or published
    #[arg(value_name = "STAGE")]
    pub(crate) stage: String,

    #[command(flatten)]
    pub(crate) asked: Asked,
}

/// Take a pack out of force: an activation without it
#[derive(Debug, Args)]
#[command(after_help = "\
The other packs and all lists stay as they are. A book without packs denies every payment.

Examples:
  paygod pack retire duplicate-payment --by ana")]
pub(crate) struct PackRetire {
    /// The pack's name
    #[arg(value_name = "NAME")]
    pub(crate) name: String,

    #[command(flatten)]
    pub(crate) asked: Asked,
}

/// Show every sealed step in the life of a pack: its review, its activations, its retirement
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  paygod pack history payment-limits")]
pub(crate) struct PackHistory {
    /// The pack's name
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
}
