//! Commands about keys: the root ceremony, revocation, and what has been in force.

use super::Asked;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Make root keys offline, show and revoke the keys of a book
#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    #[command(subcommand)]
    Ceremony(CeremonyCommand),
    Sign(KeysSign),
    #[command(subcommand)]
    Revoke(RevokeCommand),
    Rotate(KeysRotate),
    Policy(KeysPolicy),
    Status(KeysStatus),
    History(KeysHistory),
}

/// Make the root of trust of a new book, each key on its holder's own machine
#[derive(Debug, Subcommand)]
pub(crate) enum CeremonyCommand {
    New(CeremonyNew),
    Propose(CeremonyPropose),
}

/// Make a root key, on the machine of its holder
#[derive(Debug, Args)]
#[command(after_help = "\
Run this on a machine without a network. The key is encrypted under a passphrase, which is asked
for on the terminal or read from the file that PAYGOD_PASSPHRASE_FILE names. Beside it, `.pub` is
written: carry that file, and only that file, to the operator.

The name stands in the book for ever: name an office, not a person.

Examples:
  paygod keys ceremony new --name root-1.example.com --key root-1.key")]
pub(crate) struct CeremonyNew {
    /// The key's name: no spaces and no `+`
    #[arg(long, value_name = "NAME")]
    pub(crate) name: String,

    /// The key file to make
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
}

/// Put the holders' public keys together, for all of them to sign
#[derive(Debug, Args)]
#[command(after_help = "\
Writes the document that every holder signs with `paygod keys sign`. A majority is a good
threshold: fewer, and few can revoke by themselves; more, and the loss of a key blocks the rest.

Examples:
  paygod keys ceremony propose --origin ledger.example.com/main --threshold 2 \\
      --out roots.txt root-1.key.pub root-2.key.pub root-3.key.pub")]
pub(crate) struct CeremonyPropose {
    /// The log's name, as `init` will be given it
    #[arg(long, value_name = "NAME")]
    pub(crate) origin: String,

    /// How many of the keys must sign together
    #[arg(long, value_name = "K")]
    pub(crate) threshold: u32,

    /// The document to write
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,

    /// The holders' `.pub` files
    #[arg(required = true, value_name = "PUB")]
    pub(crate) public: Vec<PathBuf>,
}

/// Sign a root of trust or a revocation with one root key, on the machine of its holder
#[derive(Debug, Args)]
#[command(after_help = "\
Says in words what is signed, and signs nothing but these two documents. Needs the key file and
the `.pub` beside it, and the passphrase as `ceremony new` does. Carry the output back to the
operator; the key stays.

Examples:
  paygod keys sign roots.txt --key root-1.key --out roots.root-1
  paygod keys sign revocation.txt --key root-1.key --out revocation.root-1")]
pub(crate) struct KeysSign {
    /// What to sign
    pub(crate) document: PathBuf,

    /// The key file
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,

    /// Where the signed document goes
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

/// Take a stolen checkpoint key out of force, by the root keys
#[derive(Debug, Subcommand)]
pub(crate) enum RevokeCommand {
    Draft(RevokeDraft),
    Seal(RevokeSeal),
}

/// Make the replacement key, and the document that root keys are to sign
#[derive(Debug, Args)]
#[command(after_help = "\
The last good entry is the last one that you know from elsewhere to be yours: of a checkpoint that
an auditor kept, say. It is an index and never a time, because the thief signs times too.
Checkpoints by the stolen key of anything past it count for nothing.

Nothing changes in the book until `revoke seal`.

Examples:
  paygod keys revoke draft --last-good 41207 --out revocation.txt
  paygod keys revoke draft --last-good 41207 --out revocation.txt --stolen 'ledger.example.com/main+5a…'")]
pub(crate) struct RevokeDraft {
    /// The last entry that the stolen key's checkpoints may cover
    #[arg(long, value_name = "SEQ")]
    pub(crate) last_good: u64,

    /// The stolen key; the one in force when not given
    #[arg(long, value_name = "VKEY")]
    pub(crate) stolen: Option<String>,

    /// The document to write
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

/// Seal a revocation that enough root keys have signed
#[derive(Debug, Args)]
#[command(after_help = "\
From here on the replacement signs the checkpoints. The output holds all the signatures: give it to
your auditors, who pass it to `verify --kept` and then refuse every log of the thief's, also one
that hides this entry.

Examples:
  paygod keys revoke seal revocation.txt revocation.root-1 revocation.root-3 --out revocation.signed")]
pub(crate) struct RevokeSeal {
    /// The draft, and what holders of root keys signed
    #[arg(required = true, value_name = "SIGNED")]
    pub(crate) signed: Vec<PathBuf>,

    /// Where the revocation with all its signatures goes
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

/// Replace the checkpoint key by a new one, made where the old one is
#[derive(Debug, Args)]
#[command(after_help = "\
Seals an entry that both keys have signed; the new key signs the checkpoints from there on. The old
one can sign no more afterwards: its key file is removed, or its provider destroys it.

With a limit it rotates only once the key has passed it, which makes it fit for a timer. For a key
that was stolen rotating is not enough: see `paygod keys revoke`.

Examples:
  paygod keys rotate
  paygod keys rotate --age-days 90 --signatures 10000000")]
pub(crate) struct KeysRotate {
    /// Only if the key has been in force for so many days
    #[arg(long, value_name = "DAYS")]
    pub(crate) age_days: Option<u64>,

    /// Only if the key has signed so many checkpoints
    #[arg(long, value_name = "N")]
    pub(crate) signatures: Option<u64>,

    /// Only if the book's own policy says so
    #[arg(long, conflicts_with_all = ["age_days", "signatures"])]
    pub(crate) if_due: bool,
}

/// Show or say when a checkpoint key is replaced, and how long the book goes on without one that signs
#[derive(Debug, Args)]
#[command(after_help = "\
What is said here replaces all that was said before, and is sealed; without options it is shown.
A process that keeps the book open replaces the key by itself once it has passed a limit; from a
timer, `paygod keys rotate --if-due` does.

Examples:
  paygod keys policy
  paygod keys policy --age-days 90 --signatures 10000000 --unsigned 100000 --by ana
  paygod keys policy --none --by ana")]
pub(crate) struct KeysPolicy {
    /// Replace a key once it has been in force for so many days
    #[arg(long, value_name = "DAYS")]
    pub(crate) age_days: Option<u64>,

    /// Replace a key once it has signed so many checkpoints
    #[arg(long, value_name = "N")]
    pub(crate) signatures: Option<u64>,

    /// Refuse requests while more entries than this wait for a signed checkpoint
    #[arg(long, value_name = "N")]
    pub(crate) unsigned: Option<u64>,

    /// Say that there is no limit any more
    #[arg(long, conflicts_with_all = ["age_days", "signatures", "unsigned"])]
    pub(crate) none: bool,

    #[command(flatten)]
    pub(crate) asked: Asked,
}

/// Show which key is in force, whose root keys stand behind it, and whether signing works
#[derive(Debug, Args)]
#[command(after_help = "\
Exit status 1 when checkpoints wait for their signer.

Examples:
  paygod keys status
  paygod keys status --json")]
pub(crate) struct KeysStatus {}

/// List every checkpoint key the book has had, and what became of it
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  paygod keys history
  paygod keys history --json")]
pub(crate) struct KeysHistory {}
