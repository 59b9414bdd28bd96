//! Commands of a witness, and the one that asks witnesses.

use clap::{Args, Subcommand};
use std::net::SocketAddr;
use std::path::PathBuf;

/// Ask witnesses to cosign the newest checkpoint, or be one
#[derive(Debug, Subcommand)]
pub(crate) enum WitnessCommand {
    Ask(WitnessAsk),
    Init(WitnessInit),
    /// Have a witness know a log, or one more key of it
    #[command(after_help = "\
Takes effect at once, also while the witness serves. Ask the log's operator for the key, and compare
it over another way.

Examples:
  paygod witness add-key --dir ./witness --key 'ledger.example.com/main+3f0c…'")]
    AddKey(WitnessKey),
    /// Have a witness trust a key of a log no longer
    #[command(after_help = "\
Takes effect at once. What was cosigned is remembered: a log whose key is brought back goes on from
there.

Examples:
  paygod witness remove-key --dir ./witness --key 'ledger.example.com/main+3f0c…'")]
    RemoveKey(WitnessKey),
    Logs(WitnessLogs),
    Serve(WitnessServe),
}

/// Ask the witnesses of a trust policy to cosign the newest checkpoint
#[derive(Debug, Args)]
#[command(after_help = "\
The policy is a C2SP tlog-policy: a line `witness NAME VKEY URL` for each, groups, and a quorum. When the
quorum has cosigned, the checkpoint is kept as `witnessed` in the book, receipts carry the
cosignatures, and exit status is 0; else it stays signed only, each witness that did not is named, and
exit status is 1. Run it from a timer.

Examples:
  paygod witness ask --policy witnesses.policy
  paygod witness ask --policy witnesses.policy --json")]
pub(crate) struct WitnessAsk {
    /// The trust policy
    #[arg(long, value_name = "POLICY")]
    pub(crate) policy: PathBuf,
}

/// Make the keys of a new witness
#[derive(Debug, Args)]
#[command(after_help = "\
Makes an Ed25519 and an ML-DSA-44 key, each in a file under one passphrase, which is asked for on the
terminal or read from the file that PAYGOD_PASSPHRASE_FILE names. Prints what logs and auditors put into
their policies. A witness's folder is never begun anew: restored from too old a backup it would cosign a
second history.

With --keys there is one key, Ed25519, made where the URI says, and none in a file.

Examples:
  paygod witness init --dir ./witness --name witness.example.com/w1
  paygod witness init --dir ./witness --name witness.example.com/w1 --keys \\
    'pkcs11:token=witness;object=w1?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=file:/run/pin'")]
pub(crate) struct WitnessInit {
    /// The witness's folder
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: PathBuf,

    /// The witness's name: a host name and a path you own
    #[arg(long, value_name = "NAME")]
    pub(crate) name: String,

    /// Where its key is made and stays: a `pkcs11:`, `transit+https:`, `awskms:` or `file:` URI
    /// (docs/operate/keys.md)
    #[arg(long, value_name = "URI")]
    pub(crate) keys: Option<String>,
}

/// A key of a log, for a witness.
#[derive(Debug, Args)]
pub(crate) struct WitnessKey {
    /// The witness's folder
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: PathBuf,

    /// The log's key, as `paygod checkpoint --json` gives it
    #[arg(long, value_name = "VKEY")]
    pub(crate) key: String,

    /// The log's origin, when it is not the key's name
    #[arg(long, value_name = "NAME")]
    pub(crate) origin: Option<String>,
}

/// List the logs that a witness knows
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  paygod witness logs --dir ./witness")]
pub(crate) struct WitnessLogs {
    /// The witness's folder
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: PathBuf,
}

/// Serve as a witness, until told to stop
#[derive(Debug, Args)]
#[command(after_help = "\
Answers `POST /add-checkpoint` and `GET /<SHA-256 of the origin>/checkpoint` (C2SP tlog-witness) over
plain HTTP. What it says is signed; on a public way put a proxy with TLS in front. SIGTERM and SIGINT stop
it after the requests in flight.

Examples:
  paygod witness serve --dir ./witness
  paygod witness serve --dir ./witness --listen 127.0.0.1:7380")]
pub(crate) struct WitnessServe {
    /// The witness's folder
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: PathBuf,

    /// Where it listens
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7380")]
    pub(crate) listen: SocketAddr,
}
