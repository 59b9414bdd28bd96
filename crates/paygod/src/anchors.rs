//! Anchors against block headers: which proofs are borne out, what they protect, and what is wrong.
//!
//! The verifier rebuilds the tree and marks it at the sizes that proofs are named after; what is compared
//! here is the proof with that, and with the headers that the auditor brought.

use crate::fault::{Fault, faults_from};
use crate::output::{Console, Tone};
use paygod_anchor::bitcoin::{Headers, HeadersError, Network, Proven, judge};
use paygod_anchor::chain::{ProofKind, Statement};
use paygod_anchor::ethereum::{Blocks, BlocksError, RegistryProof};
use paygod_anchor::ots::{DetachedFile, OtsError};
use paygod_core::entry::{AnchorKind, AnchorReceipt};
use paygod_tlog::{Checkpoint, TreeHead};
use paygod_types::{Digest, Timestamp, code};
use paygod_verify::{AnchorReport, Check, Failure, Marked, Place, Protection, Report};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::time::Duration;

faults_from!(
    BlocksError,
    HeadersError,
    OtsError,
    paygod_anchor::calendar::AllowListError
);

/// The folder of proofs in an export.
pub(crate) const FOLDER: &str = "anchors";

/// Most proofs of an export: twenty years of one every ten minutes.
const PROOFS_MAX: usize = 1 << 20;

/// A proof of an export: the size of its checkpoint and its kind.
pub(crate) type Named = (u64, ProofKind);

/// What an auditor demands of anchors.
#[derive(Clone, Copy, Default)]
pub(crate) struct Demand<'a> {
    /// The headers of Bitcoin that were brought.
    pub(crate) headers: Option<&'a Headers>,
    /// The block hashes of Ethereum that were brought.
    pub(crate) blocks: Option<&'a Blocks>,
    /// Every entry must be anchored so soon after its own time.
    pub(crate) within: Option<Duration>,
}

/// Gives a proof.
pub(crate) type Proofs<'a> = &'a dyn Fn(Named) -> Result<Vec<u8>, Fault>;

/// Reads a file of block hashes.
pub(crate) fn read_blocks(path: &Path, chain_id: u64) -> Result<Blocks, Fault> {
    Ok(Blocks::read(&mut open(path)?, chain_id)?)
}

fn open(path: &Path) -> Result<BufReader<File>, Fault> {
    let file = File::open(path).map_err(|error| {
        let doing = format!("cannot read `{}`", path.display());
        Fault::of(code::CLI_INPUT, &error).while_doing(&doing)
    })?;
    Ok(BufReader::new(file))
}

/// Reads a file of block headers.
pub(crate) fn read_headers(path: &Path, network: Network) -> Result<Headers, Fault> {
    Ok(Headers::read(&mut open(path)?, network)?)
}

/// The size and kind that a proof is named after; `None` of a name that is not a proof's.
pub(crate) fn size_of(name: &str) -> Option<Named> {
    let (digits, extension) = name.rsplit_once('.')?;
    let kind = ProofKind::ALL
        .into_iter()
        .find(|kind| kind.extension() == extension)?;
    let size: u64 = digits.parse().ok()?;
    (size.to_string() == digits).then_some((size, kind))
}

/// The sizes that the verifier is to mark the tree at, ascending.
pub(crate) fn marks(proofs: &[Named]) -> Vec<u64> {
    let mut sizes: Vec<u64> = proofs.iter().map(|(size, _)| *size).collect();
    sizes.dedup();
    sizes
}

/// The proofs in an export's folder, ascending by size.
pub(crate) fn sizes(export: &Path) -> Result<Vec<Named>, Fault> {
    let folder = export.join(FOLDER);
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let failed = |error: std::io::Error| {
        let doing = format!("cannot read `{}`", folder.display());
        Fault::of(code::VERIFY_SOURCE, &error).while_doing(&doing)
    };
    let mut sizes = Vec::new();
    for name in std::fs::read_dir(&folder).map_err(failed)? {
        let name = name.map_err(failed)?.file_name();
        sizes.extend(name.to_str().and_then(size_of));
        if sizes.len() > PROOFS_MAX {
            let message = format!("`{}` has more than {PROOFS_MAX} proofs", folder.display());
            return Err(Fault::new(code::CLI_INPUT, message));
        }
    }
    sizes.sort_unstable();
    Ok(sizes)
}

/// Checks the proofs of these sizes, and adds what was found to the report.
pub(crate) fn check(
    report: &mut Report,
    sizes: &[Named],
    proofs: Proofs<'_>,
    demand: &Demand<'_>,
    failures_max: usize,
) -> Result<(), Fault> {
    if !report.is_valid() && failures_max <= 1 {
        // The first failure was found, and nothing past it was looked at.
        return Ok(());
    }
    let mut wrong = Vec::new();
    let mut proven = Vec::new();
    let receipts: Receipts = report
        .marks
        .receipts
        .iter()
        .map(|(seq, of)| ((of.size, of.kind.as_str()), (*seq, *of)))
        .collect();
    for named in sizes {
        let (size, kind) = *named;
        let Some(head) = marked(report, size) else {
            continue;
        };
        let bytes = proofs(*named)?;
        wrong.extend(receipt_fault(&receipts, &head, kind, &bytes));
        match judged(&report.origin, &head, kind, &bytes, demand) {
            Ok(Some(block)) => proven.push(protection(size, &block)),
            Ok(None) => {}
            Err((expected, found)) => wrong.push(Failure::new(
                Check::Anchor,
                Place::Checkpoint(size),
                expected,
                found,
            )),
        }
    }
    let end = report.head.map_or(0, |head| head.size);
    let past = |named: &&Named| named.0 > end || named.0 == 0;
    for (size, _) in sizes.iter().filter(past) {
        let expected = format!("a log of {size} entries or more: a checkpoint of it was anchored");
        wrong.push(Failure::new(
            Check::Anchor,
            Place::Checkpoint(*size),
            expected,
            format!("{end} entries"),
        ));
    }
    for (_, receipt) in &report.marks.receipts {
        let kind = kind_of(receipt.kind);
        if sizes.binary_search(&(receipt.size, kind)).is_err() {
            let place = Place::Checkpoint(receipt.size);
            let expected = format!(
                "the proof that was receipted, `{FOLDER}/{}.{}`",
                receipt.size,
                kind.extension()
            );
            wrong.push(Failure::new(Check::Anchor, place, expected, "no such file"));
        }
    }
    if let Some(within) = demand.within {
        wrong.extend(late(report, &proven, within));
    }
    // Of two proofs of one size the earlier block counts.
    proven.sort_by_key(|one: &Protection| (one.size, one.time));
    proven.dedup_by_key(|one| one.size);
    let last = proven.last().copied();
    report.anchors = Some(AnchorReport {
        network: network(demand),
        proofs: u64::try_from(sizes.len()).unwrap_or(u64::MAX),
        proven: u64::try_from(proven.len()).unwrap_or(u64::MAX),
        first: proven
            .iter()
            .min_by_key(|one| (one.time, one.size))
            .copied(),
        last,
        newer: end.saturating_sub(last.map_or(0, |last| last.size)),
    });
    wrong
        .into_iter()
        .for_each(|failure| report.add(failure, failures_max));
    Ok(())
}

/// The chains whose blocks were brought.
fn network(demand: &Demand<'_>) -> Option<String> {
    let bitcoin = demand.headers.map(|headers| headers.network().to_string());
    let ethereum = demand.blocks.map(|blocks| match blocks.chain_id() {
        1 => "main".to_owned(),
        other => format!("ethereum {other}"),
    });
    match (bitcoin, ethereum) {
        (Some(bitcoin), Some(ethereum)) if bitcoin != ethereum => {
            Some(format!("{bitcoin}, {ethereum}"))
        }
        (bitcoin, ethereum) => bitcoin.or(ethereum),
    }
}

/// Receipts and the entries they are, by the size of their checkpoint and the kind of their proof: the last one of
/// each, because a chain may have dropped the block of those before.
type Receipts = BTreeMap<(u64, &'static str), (u64, AnchorReceipt)>;

fn marked(report: &Report, size: u64) -> Option<TreeHead> {
    let marked = &report.marks.marked;
    let at = marked
        .binary_search_by_key(&size, |one| one.head.size)
        .ok()?;
    Some(marked.get(at)?.head)
}

const fn kind_of(kind: AnchorKind) -> ProofKind {
    match kind {
        AnchorKind::OpenTimestamps => ProofKind::OpenTimestamps,
        AnchorKind::Ethereum => ProofKind::Ethereum,
    }
}

const fn word_of(kind: ProofKind) -> &'static str {
    match kind {
        ProofKind::OpenTimestamps => AnchorKind::OpenTimestamps.as_str(),
        ProofKind::Ethereum => AnchorKind::Ethereum.as_str(),
    }
}

/// A receipt tells the root of its checkpoint and the digest of its proof.
fn receipt_fault(
    receipts: &Receipts,
    head: &TreeHead,
    kind: ProofKind,
    bytes: &[u8],
) -> Option<Failure> {
    let (seq, receipt) = receipts.get(&(head.size, word_of(kind)))?;
    let place = Place::Checkpoint(head.size);
    if receipt.root.as_bytes() != head.root.as_bytes() {
        let expected = format!("the root {} in its receipt, entry {seq}", head.root);
        return Some(Failure::new(
            Check::Anchor,
            place,
            expected,
            format!("the root {}", receipt.root),
        ));
    }
    let digest = Digest::sha256(bytes);
    (receipt.digest != digest).then(|| {
        let expected = format!(
            "the proof of its receipt, entry {seq}, with the digest {}",
            receipt.digest
        );
        Failure::new(
            Check::Anchor,
            place,
            expected,
            format!("a file with the digest {digest}"),
        )
    })
}

/// What a block bears out of a proof; `None`: nothing yet. Else what was expected and what was found.
pub(crate) fn judged(
    origin: &str,
    head: &TreeHead,
    kind: ProofKind,
    bytes: &[u8],
    demand: &Demand<'_>,
) -> Result<Option<Proven>, (String, String)> {
    if kind == ProofKind::Ethereum {
        return judged_on_ethereum(origin, head, bytes, demand.blocks);
    }
    let headers = demand.headers;
    let checkpoint = Checkpoint {
        origin: origin.to_owned(),
        head: *head,
    };
    let expected = || {
        format!(
            "a proof of the checkpoint of `{origin}` with the root {}",
            head.root
        )
    };
    let text = checkpoint
        .to_text()
        .map_err(|error| (expected(), error.to_string()))?;
    let file = DetachedFile::parse(bytes).map_err(|error| (expected(), error.to_string()))?;
    if !file.is_of(&Digest::sha256(text.as_bytes())) {
        return Err((
            expected(),
            "a proof of something else: of another log, or of another history of this one"
                .to_owned(),
        ));
    }
    match headers.map(|headers| judge(&file, headers)) {
        None => Ok(None),
        Some(Ok(block)) => Ok(Some(block)),
        Some(Err(error)) if error.is_wrong() => Err((
            "a proof that leads to a Bitcoin block".to_owned(),
            error.to_string(),
        )),
        Some(Err(_)) => Ok(None),
    }
}

fn judged_on_ethereum(
    origin: &str,
    head: &TreeHead,
    bytes: &[u8],
    blocks: Option<&Blocks>,
) -> Result<Option<Proven>, (String, String)> {
    let told = |found: String| {
        let expected = format!(
            "a proof that the registry holds the checkpoint of `{origin}` with the root {}",
            head.root
        );
        (expected, found)
    };
    let of = Statement::new(origin, *head).map_err(|error| told(error.to_string()))?;
    let proof = RegistryProof::parse(bytes).map_err(|error| told(error.to_string()))?;
    match blocks.map(|blocks| proof.verify(&of, blocks)) {
        None => proof
            .check(&of)
            .map(|()| None)
            .map_err(|error| told(error.to_string())),
        Some(Ok(block)) => Ok(Some(block)),
        Some(Err(error)) if error.is_wrong() => Err(told(error.to_string())),
        Some(Err(_)) => Ok(None),
    }
}

/// Of a block's time.
pub(crate) const fn block_time(time_s: u32) -> Timestamp {
    // A `u32` of seconds is far below what 64 bits of nanoseconds hold.
    Timestamp::from_nanos((u64_of(time_s)).saturating_mul(1_000_000_000))
}

#[expect(
    clippy::as_conversions,
    reason = "INVARIANT(word-size): widening loses nothing, and `From` is not const"
)]
const fn u64_of(value: u32) -> u64 {
    value as u64
}

const fn protection(size: u64, block: &Proven) -> Protection {
    Protection {
        size,
        height: block.height,
        time: block_time(block.time_s),
    }
}

/// Stretches of entries that were anchored later than allowed: by the block's time, after the time of
/// their first entry. A rewritten past has its old times and new anchors, or none.
fn late(report: &Report, proven: &[Protection], within: Duration) -> Vec<Failure> {
    let mut wrong = Vec::new();
    let mut from = 0_u64;
    let mut since = report.marks.first;
    for (anchor, by) in proven.iter().zip(earliest(proven)) {
        if let Some(due) = since.and_then(|since| since.checked_add(within))
            && by > due
        {
            let found = format!("the first block that bears them out is of {by}");
            wrong.push(too_late(from..anchor.size, due, found));
        }
        from = anchor.size;
        since = next_time(&report.marks.marked, from);
    }
    let due = since.and_then(|since| since.checked_add(within));
    let end = report.head.map_or(0, |head| head.size);
    if let (Some(due), Some(last)) = (due, report.marks.last)
        && last > due
    {
        wrong.push(too_late(
            from..end,
            due,
            "no anchor that a block bears out".to_owned(),
        ));
    }
    wrong
}

/// For each proof, the earliest block of it and those after it: a later checkpoint in an earlier block
/// covers the entries before it too.
fn earliest(proven: &[Protection]) -> Vec<Timestamp> {
    let mut times: Vec<Timestamp> = proven.iter().map(|one| one.time).collect();
    let mut least = None;
    for time in times.iter_mut().rev() {
        *time = least.map_or(*time, |least| (*time).min(least));
        least = Some(*time);
    }
    times
}

fn too_late(range: core::ops::Range<u64>, due: Timestamp, found: String) -> Failure {
    Failure::new(
        Check::AnchorLate,
        Place::Entries(range),
        format!("an anchor in a block by {due}"),
        found,
    )
}

fn next_time(marked: &[Marked], size: u64) -> Option<Timestamp> {
    let at = marked
        .binary_search_by_key(&size, |one| one.head.size)
        .ok()?;
    marked.get(at)?.next
}

/// Lines of what anchors protect, for people.
pub(crate) fn told(report: &AnchorReport) -> Vec<String> {
    let counted = super::commands::verify::counted;
    let Some(last) = &report.last else {
        return Vec::new();
    };
    let mut lines = Vec::new();
    if let Some(first) = &report.first {
        lines.push(format!(
            "anchored since {}: {} borne out by blocks, the first of height {}",
            first.time,
            counted(report.proven, "proof"),
            first.height
        ));
    }
    lines.push(format!(
        "the first {} existed by {}, says block {}; {} newer",
        counted_entries(last.size),
        last.time,
        last.height,
        match report.newer {
            1 => "1 entry is".to_owned(),
            many => format!("{many} entries are"),
        }
    ));
    lines
}

fn counted_entries(count: u64) -> String {
    if count == 1 {
        "entry".to_owned()
    } else {
        format!("{count} entries")
    }
}

/// What to say when proofs could not be checked, or bear nothing out.
pub(crate) fn warn(
    report: &AnchorReport,
    indent: usize,
    console: &mut Console,
) -> Result<(), Fault> {
    let warning = match (&report.network, report.proofs, report.proven) {
        (None, 0, _) => return Ok(()),
        (None, proofs, _) => format!(
            "Not checked: {proofs} anchors. Bring blocks from a node of your own with --bitcoin-headers or --ethereum-blocks; docs/operate/anchors.md says how."
        ),
        (Some(network), ..) if network != "main" => {
            format!("The headers are of the chain `{network}`, of which anybody can make blocks: they prove nothing to others.")
        }
        (Some(_), _, 0) => "Nothing is anchored yet, as far as these headers go: whoever holds the signing key could rewrite all of it.".to_owned(),
        (Some(_), proofs, proven) if proven < proofs => format!(
            "{} of {proofs} anchors have no block among these, or one that is not deep enough yet.",
            proofs.saturating_sub(proven)
        ),
        _ => return Ok(()),
    };
    console.sentence(indent, Tone::Warn, &warning)
}
