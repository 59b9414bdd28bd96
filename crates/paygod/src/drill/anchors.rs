//! Anchors: a rewritten past against proofs in a public chain, and proofs that are none.
//!
//! The chains are practice chains in memory, whose blocks cost nothing: what is drilled is the verifier, not
//! Bitcoin or Ethereum. The operator of these stories anchored the checkpoint that auditors keep, and the newest one,
//! a minute after each.

use super::attack::{Attack, Catch, Expected, Finding, Halt, Kept};
use super::history::rewritten;
use super::stage::{Stage, noticed, seq};
use crate::anchors::{self, Demand, FOLDER, size_of};
use crate::fault::Fault;
use crate::insider::Export;
use paygod_anchor::bitcoin::{Headers, Network};
use paygod_anchor::chain::Statement;
use paygod_anchor::ethereum::Blocks;
use paygod_anchor::ots::{DetachedFile, Timestamp as Proof};
use paygod_anchor::practice::{Contract, FakeCalendar, Mood, PracticeChain, PracticeRegistry};
use paygod_core::Entry;
use paygod_core::entry::{AnchorKind, AnchorReceipt, Body};
use paygod_service::ledger::{AnchorPolicy, Held, Ledger, OpenOptions};
use paygod_tlog::{Checkpoint, TreeHead};
use paygod_types::{Digest, RequestId, Timestamp as Time, code};
use paygod_verify::Options;
use std::time::Duration;

type Acted = Result<Finding, Halt>;

/// How soon after its own time the auditor wants every entry anchored. Less than a working day, so that
/// the drill's own book, which spans one, can be found too late.
const WITHIN: Duration = Duration::from_secs(600);

/// Between a checkpoint and its block.
const BLOCK_AFTER_S: u32 = 60;

/// When a thief anchors what he rewrote.
const A_MONTH_S: u32 = 30 * 86_400;

/// In the order of the table.
pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        name: "anchored-history-rewritten",
        story: "rewrote the past with the stolen key, and left the anchors of the true one where they were",
        kept: Kept::Headers,
        expected: Expected::Caught,
        act: |stage| {
            let (honest, chain) = anchored(stage)?;
            let mut export = rewritten(stage)?;
            for path in honest.paths(FOLDER) {
                export.put(path, honest.get(path).unwrap_or_default());
            }
            audit(stage, &export, &Brought::headers(chain.to_text()))
        },
    },
    Attack {
        name: "anchors-taken-away",
        story: "rewrote the past with the stolen key, and took the anchors away",
        kept: Kept::Headers,
        expected: Expected::Caught,
        act: |stage| {
            let (_, chain) = anchored(stage)?;
            if !spans_more_than(stage, WITHIN) {
                return Err(Halt::NotHere("the book is younger than an anchor may take"));
            }
            audit(
                stage,
                &rewritten(stage)?,
                &Brought::headers(chain.to_text()),
            )
        },
    },
    Attack {
        name: "anchored-anew",
        story: "rewrote the past with the stolen key, and anchored that a month later",
        kept: Kept::Headers,
        expected: Expected::Caught,
        act: |stage| {
            let (_, mut chain) = anchored(stage)?;
            let mut export = rewritten(stage)?;
            for forged in export.checkpoints() {
                let head = *forged.head();
                let time = time_s(stage, &head).saturating_add(A_MONTH_S);
                put(&mut export, &stage.scene.origin, &head, |digest| {
                    chain.attest(digest, time)
                })?;
            }
            audit(stage, &export, &Brought::headers(chain.to_text()))
        },
    },
    Attack {
        name: "anchor-of-another-log",
        story: "put the anchor of another log's checkpoint in the place of this one's",
        kept: Kept::Headers,
        expected: Expected::Caught,
        act: |stage| {
            let (mut export, mut chain) = anchored(stage)?;
            let head = *stage.scene.kept.head();
            let time = time_s(stage, &head);
            put(&mut export, "ledger.example/other", &head, |digest| {
                chain.attest(digest, time)
            })?;
            audit(stage, &export, &Brought::headers(chain.to_text()))
        },
    },
    Attack {
        name: "anchor-of-a-false-root",
        story: "sealed that another tree was anchored, and a true receipt of the same size behind it",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: false_root,
    },
    Attack {
        name: "anchor-header-forged",
        story: "made an anchor up for the past he rewrote, with a block header that fits it",
        kept: Kept::Headers,
        expected: Expected::Caught,
        act: header_forged,
    },
    Attack {
        name: "anchor-through-64-bytes",
        story: "led an anchor through a transaction of 64 bytes, which passes for a node of the tree",
        kept: Kept::Headers,
        expected: Expected::Caught,
        act: |stage| {
            let (mut export, mut chain) = anchored(stage)?;
            let head = *stage.scene.kept.head();
            let time = time_s(stage, &head);
            put(&mut export, &stage.scene.origin, &head, |digest| {
                chain.attest_ambiguously(digest, time)
            })?;
            audit(stage, &export, &Brought::headers(chain.to_text()))
        },
    },
    Attack {
        name: "registry-of-his-own",
        story: "had another contract say that the past he rewrote stood in the registry",
        kept: Kept::Headers,
        expected: Expected::Caught,
        act: |stage| on_ethereum(stage, Contract::Other, |chain| Ok(chain.to_text())),
    },
    Attack {
        name: "registry-in-no-block",
        story: "made a block up in which the registry held the past he rewrote",
        kept: Kept::Headers,
        expected: Expected::Caught,
        act: |stage| {
            on_ethereum(stage, Contract::Registry, |forged| {
                // As many blocks, and in none of them what he says.
                let other = Statement::new("ledger.example/other", *stage.scene.kept.head())?;
                let mut chain = PracticeRegistry::default();
                for _ in forged.to_text().lines() {
                    chain.hold(&other, Contract::Registry, 0);
                }
                Ok(chain.to_text())
            })
        },
    },
    Attack {
        name: "calendar-lies",
        story: "ran the calendar, and answered with paths that lead to no block",
        kept: Kept::Headers,
        expected: Expected::Caught,
        act: |stage| {
            let (mut export, chain) = anchored(stage)?;
            let head = *stage.scene.kept.head();
            // Of a height whose true block is none of the operator's.
            let mut elsewhere = PracticeChain::default();
            elsewhere.mine([1; 32], 0);
            elsewhere.mine([2; 32], 0);
            put(&mut export, &stage.scene.origin, &head, |digest| {
                elsewhere.attest(digest, 0)
            })?;
            audit(stage, &export, &Brought::headers(chain.to_text()))
        },
    },
    Attack {
        name: "calendar-answers-garbage",
        story: "ran the calendar, and answered with what is no proof at all",
        kept: Kept::Book,
        expected: Expected::Caught,
        act: garbage,
    },
];

/// The export with proofs of two checkpoints, and the chain that they lead to.
fn anchored(stage: &Stage<'_>) -> Result<(Export, PracticeChain), Fault> {
    let mut export = stage.export();
    let mut chain = PracticeChain::default();
    for head in [*stage.scene.kept.head(), *stage.scene.newest.head()] {
        let time = time_s(stage, &head).saturating_add(BLOCK_AFTER_S);
        put(&mut export, &stage.scene.origin, &head, |digest| {
            chain.attest(digest, time)
        })?;
    }
    // So that no block that attests is the last one.
    chain.mine([0; 32], u32::MAX);
    Ok((export, chain))
}

/// Puts a proof of a checkpoint where exports have it.
fn put(
    export: &mut Export,
    origin: &str,
    head: &TreeHead,
    prove: impl FnOnce(&[u8]) -> Proof,
) -> Result<(), Fault> {
    let origin = origin.to_owned();
    let text = Checkpoint {
        origin,
        head: *head,
    }
    .to_text()?;
    let digest = Digest::sha256(text.as_bytes());
    let file = DetachedFile::new(&digest, prove(digest.as_bytes()));
    export.put(&format!("{FOLDER}/{}.ots", head.size), file.to_bytes()?);
    Ok(())
}

/// The time of a checkpoint's last entry: seconds since 1970.
fn time_s(stage: &Stage<'_>, head: &TreeHead) -> u32 {
    let last = usize::try_from(head.size).unwrap_or(0).saturating_sub(1);
    let entry = stage.scene.entries.get(last);
    let nanos = entry.map_or(0, |entry| entry.time.as_nanos());
    u32::try_from(nanos / 1_000_000_000).unwrap_or(u32::MAX)
}

fn spans_more_than(stage: &Stage<'_>, span: Duration) -> bool {
    let times = stage.scene.entries.first().zip(stage.scene.entries.last());
    times.is_some_and(|(first, last)| {
        last.time
            .duration_since(first.time)
            .is_some_and(|took| took > span)
    })
}

/// Blocks that an auditor brings, as text.
struct Brought {
    /// Headers of Bitcoin, or hashes of Ethereum.
    text: String,
    ethereum: bool,
}

impl Brought {
    const fn headers(text: String) -> Self {
        let ethereum = false;
        Self { text, ethereum }
    }
}

/// The past is rewritten, and a contract holds each checkpoint of it.
fn on_ethereum(
    stage: &Stage<'_>,
    contract: Contract,
    blocks: impl Fn(&PracticeRegistry) -> Result<String, Fault>,
) -> Acted {
    let mut export = rewritten(stage)?;
    let mut chain = PracticeRegistry::default();
    for forged in export.checkpoints() {
        let head = *forged.head();
        let of = Statement::new(&stage.scene.origin, head)?;
        let proof = chain.hold(&of, contract, time_s(stage, &head));
        let path = format!("{FOLDER}/{}.eth", head.size);
        export.put(&path, proof.to_text().into_bytes());
    }
    let brought = Brought {
        text: blocks(&chain)?,
        ethereum: true,
    };
    audit(stage, &export, &brought)
}

/// An auditor with blocks verifies what the insider left.
fn audit(stage: &Stage<'_>, export: &Export, brought: &Brought) -> Acted {
    let name = if brought.ethereum {
        "blocks.txt"
    } else {
        "headers.txt"
    };
    if stage.keeps {
        export.save(&stage.folder)?;
        crate::files::write(&stage.path(name), brought.text.as_bytes())?;
    }
    let mut text = brought.text.as_bytes();
    let (mut headers, mut blocks) = (None, None);
    if brought.ethereum {
        let chain_id = PracticeRegistry::default().chain_id();
        blocks = Some(Blocks::read(&mut text, chain_id).map_err(Fault::from)?);
    } else {
        headers = match Headers::read(&mut text, Network::Regtest) {
            Ok(headers) => Some(headers),
            Err(error) => return Ok(noticed(&error.into(), "the headers")),
        };
    }
    let mut sizes: Vec<anchors::Named> = export
        .paths(FOLDER)
        .filter_map(|path| size_of(path.rsplit('/').next()?))
        .collect();
    sizes.sort_unstable();
    let mut options = Options::new(std::env::temp_dir());
    options.genesis = Some(stage.scene.fingerprint);
    let marks = anchors::marks(&sizes);
    options.marks = &marks;
    let mut report = paygod_verify::verify(export, &options, &|_| {})
        .map_err(|error| Fault::of(error.code(), &error))?;
    let proofs = |(size, kind): anchors::Named| {
        let path = format!("{FOLDER}/{size}.{}", kind.extension());
        Ok(export.get(&path).unwrap_or_default().to_vec())
    };
    let demand = Demand {
        headers: headers.as_ref(),
        blocks: blocks.as_ref(),
        within: Some(WITHIN),
    };
    anchors::check(&mut report, &sizes, &proofs, &demand, options.failures_max)?;
    Ok(report.first().map_or(Finding::Unnoticed(None), |failure| {
        Finding::Caught(failure.into())
    }))
}

/// Two receipts of the checkpoint that was kept: one of a root that the tree never had, and one that is true.
fn false_root(stage: &Stage<'_>) -> Acted {
    let head = stage.scene.kept.head();
    let (lie, truth) = (Digest::sha256(b"another tree"), *head.root.as_bytes());
    let mut entries = stage.entries();
    for (again, root) in [(0, lie), (1, Digest::from_bytes(truth))] {
        let receipt = AnchorReceipt {
            again,
            digest: Digest::sha256(b"a proof"),
            kind: AnchorKind::OpenTimestamps,
            root,
            size: head.size,
        };
        let last = entries.last().map_or(0, |entry| entry.time.as_nanos());
        let name = format!("anchor:{}:{}", receipt.kind, head.size);
        let times = if again > 0 {
            format!(":{again}")
        } else {
            String::new()
        };
        entries.push(Entry {
            seq: seq(entries.len()),
            time: Time::from_nanos(last.saturating_add(1)),
            id: RequestId::system(&format!("{name}{times}"))?,
            by: None,
            request: None,
            body: Body::Anchor(receipt),
        });
    }
    stage.audit(&stage.forge_as_is(&entries)?, Kept::Fingerprint)
}

/// The anchor leads to a block that was never mined; its header stands in the place of a true one.
fn header_forged(stage: &Stage<'_>) -> Acted {
    let (_, chain) = anchored(stage)?;
    let mut export = rewritten(stage)?;
    let mut own = PracticeChain::default();
    let forged = export.checkpoints().pop();
    let head = *forged.as_ref().unwrap_or(&stage.scene.newest).head();
    let time = time_s(stage, &head);
    put(&mut export, &stage.scene.origin, &head, |digest| {
        own.attest(digest, time)
    })?;
    let (forged, text) = (own.to_text(), chain.to_text());
    // The first block of his own chain, then the others of the true one.
    let rest = text.split_once('\n').map_or("", |(_, rest)| rest);
    audit(stage, &export, &Brought::headers(format!("{forged}{rest}")))
}

fn garbage(stage: &Stage<'_>) -> Acted {
    let book = stage.copy_book()?;
    let failed =
        |error: std::io::Error| Fault::of(code::CLI_OUTPUT, &error).while_doing("no fake calendar");
    let calendar = FakeCalendar::start(Mood::Garbage).map_err(failed)?;
    let policy = AnchorPolicy::new(&[calendar.url().to_owned()])?;
    let ledger = Ledger::open(&book, OpenOptions::default())?;
    ledger.wait_signed()?;
    let round = ledger.anchor_now(&policy, None)?;
    let status = ledger.read().anchor_status()?;
    ledger.close()?;
    if round.held == Some(Held::Refused) && status.pending.is_empty() && status.anchored.is_empty()
    {
        return Ok(Finding::Caught(Catch {
            check: code::ANCHOR_CALENDAR.as_str(),
            place: "its answer".to_owned(),
            detail: "no proof was kept of what was no proof".to_owned(),
        }));
    }
    Ok(Finding::Unnoticed(None))
}
