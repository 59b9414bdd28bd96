//! Checking a receipt offline: the entry, its path to the root, the signed checkpoint. No book, no
//! network.

use crate::anchors::{Demand, block_time, judged};
use crate::fault::{Answer, Fault, Outcome, faults_from};
use crate::files;
use crate::narrate;
use crate::output::{Console, Tone};
use paygod_anchor::bitcoin::{Headers, Proven};
use paygod_anchor::chain::ProofKind;
use paygod_anchor::ethereum::{Blocks, PROOF_BYTES_MAX as PROOF_BYTES_MAX_ANY};
use paygod_anchor::witness::http;
use paygod_core::Entry;
use paygod_tlog::limits::{ENTRY_BYTES_MAX, PROOF_BYTES_MAX};
use paygod_tlog::{LogVerifier, TlogProof, VerifierKey, leaf_hash};
use paygod_types::code;
use serde_json::json;
use std::path::Path;

faults_from!(
    paygod_tlog::KeyError,
    paygod_tlog::TlogProofError,
    paygod_core::EntryError
);

/// A receipt and what it is about.
pub(crate) struct Receipt<'a> {
    /// The proof file.
    pub(crate) proof: &'a Path,
    /// The entry's file.
    pub(crate) entry: &'a Path,
    /// The log's public keys: each must have signed.
    pub(crate) keys: &'a [String],
    /// The trust policy whose witnesses must have cosigned.
    pub(crate) witnesses: Option<&'a Path>,
    /// The anchor of the proof's checkpoint.
    pub(crate) anchor: Option<&'a Path>,
    /// The block headers that it must lead to.
    pub(crate) headers: Option<Headers>,
    /// Or the block hashes.
    pub(crate) blocks: Option<Blocks>,
}

/// Checks a receipt and says what it proves.
pub(crate) fn check(receipt: &Receipt<'_>, console: &mut Console) -> Outcome {
    let proof = TlogProof::parse(&files::read(receipt.proof, PROOF_BYTES_MAX)?)?;
    let bytes = files::read(receipt.entry, ENTRY_BYTES_MAX)?;
    let keys: Vec<VerifierKey> = receipt
        .keys
        .iter()
        .map(|key| VerifierKey::parse(key))
        .collect::<Result<_, _>>()?;
    let policy = receipt.witnesses.map(super::witness::policy).transpose()?;
    let checked = verify(&proof, &bytes, &keys).and_then(|()| match &policy {
        Some(policy) => Ok(policy
            .verify(proof.checkpoint.note(), Some(http::now()))
            .map(|_| ())?),
        None => Ok(()),
    });
    let checked = checked.and_then(|()| anchored(receipt, &proof));
    match checked {
        Ok(block) => proved(&proof, &bytes, block, console),
        Err(fault) => {
            console.value(
                &json!({"valid": false, "code": fault.code().as_str(), "reason": fault.message()}),
            )?;
            console.line(format_args!(
                "{} {} [{}]",
                Tone::Bad.paint("not proved:"),
                fault.message(),
                fault.code()
            ))?;
            Ok(Answer::No)
        }
    }
}

/// The block that the anchor leads to, if there is an anchor.
fn anchored(receipt: &Receipt<'_>, proof: &TlogProof) -> Result<Option<Proven>, Fault> {
    let Some(path) = receipt.anchor else {
        return Ok(None);
    };
    let name = path.extension().and_then(|extension| extension.to_str());
    let kind = if name == Some(ProofKind::Ethereum.extension()) {
        ProofKind::Ethereum
    } else {
        ProofKind::OpenTimestamps
    };
    let bytes = files::read(path, PROOF_BYTES_MAX_ANY)?;
    let checkpoint = proof.checkpoint.checkpoint();
    let demand = Demand {
        headers: receipt.headers.as_ref(),
        blocks: receipt.blocks.as_ref(),
        within: None,
    };
    match judged(&checkpoint.origin, &checkpoint.head, kind, &bytes, &demand) {
        Ok(Some(block)) => Ok(Some(block)),
        Ok(None) => {
            let message = "the anchor leads to no block among those that were brought, or to one that is not deep enough";
            Err(Fault::new(code::ANCHOR_PROOF, message))
        }
        Err((_, found)) => Err(Fault::new(code::ANCHOR_PROOF, found)),
    }
}

/// Whether the entry is in the log that each of the keys signs, as the proof says.
pub(crate) fn verify(proof: &TlogProof, entry: &[u8], keys: &[VerifierKey]) -> Result<(), Fault> {
    for key in keys {
        let verifier = LogVerifier::new(key)?;
        proof.verify(leaf_hash(entry), key.name().as_str(), &[&verifier])?;
    }
    let seq = Entry::decode(entry)?.seq.0;
    if seq == proof.index {
        return Ok(());
    }
    let message = format!(
        "the entry calls itself #{seq}, the proof is about #{}",
        proof.index
    );
    Err(Fault::new(code::TLOG_PROOF, message))
}

fn proved(
    proof: &TlogProof,
    bytes: &[u8],
    block: Option<Proven>,
    console: &mut Console,
) -> Outcome {
    let entry = Entry::decode(bytes)?;
    let size = proof.checkpoint.head().size;
    console.value(&json!({
        "valid": true,
        "seq": proof.index,
        "id": entry.id.as_str(),
        "time": entry.time.to_string(),
        "size": size,
        "root": proof.checkpoint.head().root.to_base64(),
        "anchor": block.map(|block| json!({
            "height": block.height,
            "time": block_time(block.time_s).to_string(),
        })),
    }))?;
    console.line(format_args!(
        "{} {} is entry #{} of {size}, sealed {}",
        Tone::Good.paint("proved:"),
        entry.id,
        proof.index,
        entry.time
    ))?;
    console.line(format_args!("  {}", narrate::entry(&entry)))?;
    if let Some(block) = block {
        console.line(format_args!(
            "  it existed by {}, says block {}",
            block_time(block.time_s),
            block.height
        ))?;
    }
    Ok(Answer::Yes)
}
