//! `run`: judge one document without a book.

use super::Asked;
use clap::Args;
use std::path::PathBuf;

/// Judge one document by packs, without a book, and write down how
#[derive(Debug, Args)]
#[command(after_help = "\
Writes plan.json, findings.json, decision.json, receipt.json and manifest.json into a new folder,
with the evidence: the document, the packs, the lists. The same document, packs, lists and clock
give the same bytes everywhere. `paygod verify DIR` judges it all again and names the first file
that was altered. Note the run's digest: it tells this run from one made later.

A document is a JSON object, or an array, which packs read as the `items` of an object. The folder
holds a copy of it.

With `--seal`, the digest, the packs and the verdict become an entry of the book; the document does
not. Whoever has the folder judges it again and compares its digest with the entry's.

Exit status 0 when the verdict is allow or flag, 1 when it is deny or review. With PAYGOD_STRICT=1
the clock must be given.

Examples:
  paygod run --pack packs/core/sbom-required --input sbom.cdx.json --out run
  paygod run --pack packs/core/critical-cve-blocker --input trivy.json --out run \\
    --clock 2026-11-25T08:00:00Z
  paygod run --pack packs/core/sbom-required --input sbom.json --out run && paygod verify run
  paygod run --book ./book --pack packs/core/sbom-required --input sbom.json --out run --seal --by ci")]
pub(crate) struct Run {
    /// A pack's folder or archive (may be repeated)
    #[arg(long, required = true, value_name = "PACK")]
    pub(crate) pack: Vec<PathBuf>,

    /// The JSON document to judge; `-` reads standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) input: PathBuf,

    /// The folder to make; it must be empty or not exist
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,

    /// A list that the packs read; one that is not given is empty (may be repeated)
    #[arg(long, value_name = "FILE")]
    pub(crate) list: Vec<PathBuf>,

    /// The time to write down, in place of now
    #[arg(long, env = "PAYGOD_CLOCK", value_name = "RFC3339")]
    pub(crate) clock: Option<String>,

    /// Seal the run's digest, its packs and the verdict in the book
    #[arg(long)]
    pub(crate) seal: bool,

    #[command(flatten)]
    pub(crate) asked: Asked,
}
