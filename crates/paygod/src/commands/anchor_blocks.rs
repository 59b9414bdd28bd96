//! `anchor blocks`: what an auditor's own node says of the blocks that anchors are in, as files to verify with.

use crate::anchors::{self, FOLDER};
use crate::cli::AnchorBlocks;
use crate::commands::anchor::proof_in;
use crate::commands::anchor_key::{bitcoin_rpc, ethereum_rpc};
use crate::commands::verify::counted;
use crate::fault::{Answer, Fault, Outcome};
use crate::files;
use crate::output::{Console, Tone};
use crate::progress;
use paygod_anchor::bitcoin::{MODERN_HEIGHT, Network, header_source};
use paygod_anchor::chain::{BlockSource, ProofKind};
use paygod_anchor::ethereum::{RegistryProof, block_source};
use paygod_anchor::ots::{Attestation, DetachedFile};
use paygod_types::code;
use serde_json::json;
use std::collections::BTreeSet;
use std::path::Path;

/// Gets the blocks that the export's anchors are in.
pub(crate) fn run(options: &AnchorBlocks, console: &mut Console) -> Outcome {
    let bitcoin = bitcoin_rpc(&options.bitcoin)?;
    let ethereum = options.ethereum.ethereum_node.as_deref();
    let ethereum = ethereum.map(ethereum_rpc).transpose()?;
    if bitcoin.is_none() && ethereum.is_none() {
        return Err(Fault::new(code::CLI_ARGUMENT, "no node is named")
            .remedy("name one: --bitcoin-node URL or --ethereum-node URL"));
    }
    let network: Network = options.chains.bitcoin_chain.into();
    let chain_id = options.chains.ethereum_chain;
    let named = named(&options.export)?;
    files::make_empty_folder(&options.to)?;
    let mut written = Vec::new();
    if let Some(rpc) = bitcoin {
        let source = header_source(rpc, network);
        let path = options.to.join("headers.txt");
        let wanted = |tip| headers_wanted(&named.heights, network, tip, source.depth_min());
        if let Some(count) = fetch(source.as_ref(), wanted, &path, console)? {
            anchors::read_headers(&path, network)?;
            written.push(("--bitcoin-headers", path, count));
        }
    }
    if let Some(rpc) = ethereum {
        let source = block_source(rpc, chain_id);
        let path = options.to.join("blocks.txt");
        let wanted = |tip| blocks_wanted(&named.numbers, tip, source.depth_min());
        if let Some(count) = fetch(source.as_ref(), wanted, &path, console)? {
            anchors::read_blocks(&path, chain_id)?;
            written.push(("--ethereum-blocks", path, count));
        }
    }
    let values: Vec<_> = written
        .iter()
        .map(|(option, path, blocks)| json!({"option": option, "file": path.display().to_string(), "blocks": blocks}))
        .collect();
    console.value(&json!(values))?;
    for (option, path, count) in &written {
        console.line(format_args!(
            "{} {} in `{}`, for {option}",
            Tone::Good.paint("written:"),
            counted(*count, "block"),
            path.display()
        ))?;
    }
    if written.is_empty() {
        console.line(format_args!(
            "no anchor in `{}` names a block that the node has",
            options.export.join(FOLDER).display()
        ))?;
    }
    Ok(Answer::Yes)
}

/// The blocks that proofs name.
#[derive(Default)]
struct NamedBlocks {
    /// Of Bitcoin.
    heights: BTreeSet<u64>,
    /// Of Ethereum.
    numbers: BTreeSet<u64>,
}

/// What does not read, `verify` says.
fn named(export: &Path) -> Result<NamedBlocks, Fault> {
    let mut found = NamedBlocks::default();
    for named in anchors::sizes(export)? {
        let bytes = proof_in(export, named)?;
        match named.1 {
            ProofKind::OpenTimestamps => {
                let mut keep = |attestation: &Attestation| {
                    if let Attestation::Bitcoin { height } = attestation {
                        found.heights.insert(*height);
                    }
                };
                if let Ok(file) = DetachedFile::parse(&bytes) {
                    // A file that was read can be walked.
                    drop(file.walk(&mut |attested| keep(attested.attestation)));
                }
            }
            ProofKind::Ethereum => {
                let proof = RegistryProof::parse(&bytes).ok();
                found.numbers.extend(proof.and_then(|proof| proof.number()));
            }
        }
    }
    Ok(found)
}

/// Without a gap, from the first that is named to the last and those that make it deep enough.
fn headers_wanted(named: &BTreeSet<u64>, network: Network, tip: u64, depth: u64) -> Vec<u64> {
    let mut there = named.range(..=tip);
    let Some(first) = there.next().copied() else {
        return Vec::new();
    };
    let last = there.next_back().copied().unwrap_or(first);
    let from = if network == Network::Main && first < MODERN_HEIGHT {
        0
    } else {
        first
    };
    (from..=last.saturating_add(depth).min(tip)).collect()
}

/// Those that are named, and the one that makes the last deep enough.
fn blocks_wanted(named: &BTreeSet<u64>, tip: u64, depth: u64) -> Vec<u64> {
    let mut wanted: BTreeSet<u64> = named.range(..=tip).copied().collect();
    if let Some(last) = wanted.last().copied() {
        wanted.insert(last.saturating_add(depth).min(tip));
    }
    wanted.into_iter().collect()
}

/// Writes the lines of the blocks that are wanted; says how many there are, `None` if none is.
fn fetch(
    source: &dyn BlockSource,
    wanted: impl Fn(u64) -> Vec<u64>,
    path: &Path,
    console: &Console,
) -> Result<Option<u64>, Fault> {
    let wanted = wanted(source.tip()?);
    if wanted.is_empty() {
        return Ok(None);
    }
    let count = u64::try_from(wanted.len()).unwrap_or(u64::MAX);
    let bar = progress::steps(console, count);
    let mut text = String::new();
    for number in wanted {
        let Some(line) = source.line(number)? else {
            let message = format!("the node has no block {number} any more: its chain changed");
            return Err(Fault::new(code::ANCHOR_NODE, message).remedy("run it again"));
        };
        text.push_str(&line);
        text.push('\n');
        bar.inc(1);
    }
    bar.finish_and_clear();
    files::write(path, text.as_bytes())?;
    Ok(Some(count))
}
