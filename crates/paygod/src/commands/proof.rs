//! `prove`: a receipt for one request, or the check of one.

use super::{anchor, entries, receipt};
use crate::book;
use crate::cli::{Global, Prove};
use crate::fault::{Answer, Fault, Outcome};
use crate::files;
use crate::output::{Console, Tone};
use paygod_anchor::chain::ProofKind;
use paygod_core::KeyPeriod;
use paygod_service::ledger::{LedgerError, LedgerReader};
use paygod_tlog::TlogProof;
use paygod_types::code;
use serde_json::json;
use std::path::{Path, PathBuf};

/// Makes a receipt, or checks one.
pub(crate) fn run(options: &Prove, global: &Global, console: &mut Console) -> Outcome {
    if let (Some(proof), Some(entry)) = (&options.check, &options.entry) {
        let receipt = receipt::Receipt {
            proof,
            entry,
            keys: &options.key,
            witnesses: options.witnesses.as_deref(),
            anchor: options.anchor.as_deref(),
            headers: anchor::headers(&options.headers)?,
            blocks: anchor::blocks(&options.headers)?,
        };
        return receipt::check(&receipt, console);
    }
    let Some(request) = &options.request else {
        return Err(Fault::new(code::CLI_ARGUMENT, "no request is named"));
    };
    make(request, options, global, console)
}

fn make(request: &str, options: &Prove, global: &Global, console: &mut Console) -> Outcome {
    let covered = |reader: &LedgerReader| {
        let seq = entries::sealed(reader, request)?.seq;
        Ok(seq.get().saturating_add(1))
    };
    book::read_signed_to(global, covered, |reader| {
        receipt_of(reader, request, options, console)
    })
}

fn receipt_of(
    reader: &LedgerReader,
    request: &str,
    options: &Prove,
    console: &mut Console,
) -> Outcome {
    let seq = entries::sealed(reader, request)?.seq;
    let (receipt, anchored) = if options.anchored {
        let Some((receipt, anchored)) = reader.anchored_receipt(seq)? else {
            let message = format!("no anchored checkpoint covers entry #{seq} yet");
            return Err(Fault::new(code::ANCHOR_PROOF, message)
                .remedy("run `paygod anchor now` until one does"));
        };
        (receipt, Some(anchored))
    } else {
        (reader.receipt(seq)?, None)
    };
    let Some(proof) = receipt.proof else {
        return Err(LedgerError::NotSignedYet { seq }.into());
    };
    let (key, hybrid) = signers(reader, TlogProof::parse(&proof)?.checkpoint.head().size)?;
    let also = hybrid.iter().map(|key| format!(" --key '{key}'"));
    let also: String = also.collect();
    let proof_path = options.out.clone();
    let proof_path = proof_path.unwrap_or_else(|| file_name(request));
    let entry_path = beside(&proof_path, "json", "entry.json");
    files::write(&proof_path, &proof)?;
    files::write(&entry_path, &receipt.entry)?;
    let mut more = String::new();
    let mut anchor_path = None;
    if let Some(anchored) = &anchored {
        let extension = anchored.kind.extension();
        let path = beside(&proof_path, extension, &format!("anchor.{extension}"));
        let blocks = match anchored.kind {
            ProofKind::OpenTimestamps => "--bitcoin-headers",
            ProofKind::Ethereum => "--ethereum-blocks",
        };
        files::write(&path, &anchored.bytes)?;
        more = format!(" --anchor {} {} FILE", path.display(), blocks);
        anchor_path = Some(path.display().to_string());
    }
    console.value(&json!({
        "seq": seq.get(),
        "proof": proof_path.display().to_string(),
        "entry": entry_path.display().to_string(),
        "anchor": anchor_path,
        "key": key,
        "hybrid_key": hybrid,
        "protection": receipt.protection.as_str(),
    }))?;
    console.line(format_args!(
        "{} entry #{seq} in `{}` ({} bytes) and `{}` ({} bytes)",
        Tone::Good.paint("proved:"),
        proof_path.display(),
        proof.len(),
        entry_path.display(),
        receipt.entry.len()
    ))?;
    console.note("Check it anywhere, without the book:")?;
    console.note(format_args!(
        "  paygod prove --check {} --entry {} --key '{key}'{also}{more}",
        proof_path.display(),
        entry_path.display()
    ))?;
    Ok(Answer::Yes)
}

/// The keys that sign checkpoints of trees of this size: the log's and, of a hybrid book, the other.
fn signers(reader: &LedgerReader, size: u64) -> Result<(String, Option<String>), Fault> {
    let book = reader.book_keys()?;
    let in_force = |periods: &[KeyPeriod]| {
        let mut periods = periods.iter().rev();
        let period = periods.find(|period| period.since.get() < size)?;
        Some(period.vkey.to_string())
    };
    let keys = book.map(|book| (book.checkpoint_keys, book.hybrid_keys));
    let (keys, hybrid) = keys.unwrap_or_default();
    Ok((in_force(&keys).unwrap_or_default(), in_force(&hybrid)))
}

/// What goes beside the proof: the same name with another extension, or with the longer one where the proof has that
/// extension itself, in whatever case, as some disks tell none apart.
fn beside(proof: &Path, extension: &str, longer: &str) -> PathBuf {
    let taken = proof
        .extension()
        .is_some_and(|taken| taken.eq_ignore_ascii_case(extension));
    proof.with_extension(if taken { longer } else { extension })
}

/// A request's id may hold `/` and `:`, which a file name should not.
fn file_name(request: &str) -> PathBuf {
    let safe = |letter: char| {
        if letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '_') {
            letter
        } else {
            '_'
        }
    };
    let name: String = request.trim_start_matches('#').chars().map(safe).collect();
    PathBuf::from(format!("{name}.tlog-proof"))
}

#[cfg(test)]
mod tests {
    use super::beside;
    use std::path::Path;

    #[test]
    fn what_goes_beside_a_proof_never_has_its_name() {
        let json = |proof: &str| beside(Path::new(proof), "json", "entry.json");
        for (proof, entry) in [
            ("out/pay-7.tlog-proof", "out/pay-7.json"),
            ("pay-7", "pay-7.json"),
            ("pay-7.json", "pay-7.entry.json"),
            ("pay-7.JSON", "pay-7.entry.json"),
            ("pay-7.entry.json", "pay-7.entry.entry.json"),
        ] {
            assert_eq!(json(proof), Path::new(entry), "{proof}");
        }
    }
}
