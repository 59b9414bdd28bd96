//! `anchor`: rounds of anchoring, and what came of them.

use crate::anchors::{self, Demand, block_time, judged, read_blocks, read_headers};
use crate::book;
use crate::cli::{AnchorCommand, AnchorExport, AnchorNow, AnchorVerify, Global, HeadersFile};
use crate::commands::verify::counted;
use crate::commands::{anchor_blocks, anchor_key};
use crate::fault::{Answer, Fault, Outcome, faults_from};
use crate::files;
use crate::output::{Console, Tone};
use crate::table::{Align, Cell, Table};
use paygod_anchor::bitcoin::Headers;
use paygod_anchor::ethereum::{Blocks, PROOF_BYTES_MAX};
use paygod_service::ledger::{AnchorError, AnchorPolicy, AnchorRound, ChainRound, Held};
use paygod_tlog::Checkpoint;
use paygod_types::code;
use serde_json::json;

faults_from!(AnchorError);

/// Runs one of them.
pub(crate) fn run(command: &AnchorCommand, global: &Global, console: &mut Console) -> Outcome {
    match command {
        AnchorCommand::Now(options) => now(options, global, console),
        AnchorCommand::Key(command) => anchor_key::run(command, global, console),
        AnchorCommand::Registry(options) => anchor_key::registry(options, global, console),
        AnchorCommand::Status(_) => status(global, console),
        AnchorCommand::Verify(options) => verify(options, global, console),
        AnchorCommand::Export(options) => export(options, global, console),
        AnchorCommand::Blocks(options) => anchor_blocks::run(options, console),
    }
}

/// The headers that the options name.
pub(crate) fn headers(options: &HeadersFile) -> Result<Option<Headers>, Fault> {
    let path = options.bitcoin_headers.as_deref();
    path.map(|path| read_headers(path, options.chains.bitcoin_chain.into()))
        .transpose()
}

/// The block hashes that the options name.
pub(crate) fn blocks(options: &HeadersFile) -> Result<Option<Blocks>, Fault> {
    let path = options.ethereum_blocks.as_deref();
    path.map(|path| read_blocks(path, options.chains.ethereum_chain))
        .transpose()
}

fn now(options: &AnchorNow, global: &Global, console: &mut Console) -> Outcome {
    let mut policy = AnchorPolicy::new(&options.calendar)?;
    policy.daily_max = options.daily_max;
    let network = options.headers.chains.bitcoin_chain.into();
    policy
        .chains
        .extend(anchor_key::bitcoin(&options.node, network, global)?);
    policy.chains.extend(anchor_key::ethereum(
        &options.ethereum,
        &options.headers,
        global,
    )?);
    if !policy.chains.is_empty() && options.calendar.is_empty() {
        policy.calendars.clear();
    }
    let headers = headers(&options.headers)?;
    book::with(global, |ledger| {
        book::wait_signed(ledger)?;
        let round = ledger.anchor_now(&policy, headers.as_ref())?;
        tell_round(&round, console)
    })
}

fn tell_round(round: &AnchorRound, console: &mut Console) -> Outcome {
    let held = round.held.map(word);
    let chains: Vec<_> = round.chains.iter().map(chain_value).collect();
    let sealed: Vec<_> = round
        .sealed
        .iter()
        .map(|(size, seq)| json!({"size": size, "seq": seq.get()}))
        .collect();
    console.value(&json!({
        "submitted": round.submitted,
        "held": held,
        "chains": chains,
        "sealed": sealed,
        "pending": round.pending,
        "faults": round.faults,
    }))?;
    for (size, seq) in &round.sealed {
        let done = Tone::Good.paint("anchored");
        console.line(format_args!(
            "{done} the checkpoint of {}, receipted by #{seq}",
            counted_entries(*size)
        ))?;
    }
    if let Some(size) = round.submitted {
        let done = Tone::Good.paint("submitted");
        console.line(format_args!(
            "{done} the checkpoint of {}",
            counted_entries(size)
        ))?;
    }
    for chain in &round.chains {
        tell_chain(chain, console)?;
    }
    match round.held {
        Some(Held::NothingNew) => console.line("nothing is newer than the last submission")?,
        Some(Held::Budget) => {
            console.line("the budget of the day is spent: raise --daily-max, or run it tomorrow")?
        }
        _ => {}
    }
    for fault in &round.faults {
        console.sentence(2, Tone::Warn, fault)?;
    }
    if round.pending > 0 {
        console.note(format_args!(
            "{} waiting for a block: run it again in an hour",
            counted(round.pending, "proof")
        ))?;
    }
    let refused = |chain: &ChainRound| chain.held == Some(Held::Refused);
    if let Some(chain) = round.chains.iter().find(|chain| refused(chain)) {
        let why = chain
            .faults
            .first()
            .map_or("the node fails", String::as_str);
        return Err(Fault::new(chain.code.unwrap_or(code::ANCHOR_NODE), why));
    }
    if round.held == Some(Held::Refused) {
        let why = round
            .faults
            .first()
            .map_or("no calendar took the checkpoint", String::as_str);
        return Err(Fault::new(code::ANCHOR_CALENDAR, why));
    }
    let held = round.chains.iter().map(|chain| chain.held);
    let spent = held
        .chain([round.held])
        .any(|held| held == Some(Held::Budget));
    Ok(Answer::of(!spent))
}

fn chain_value(chain: &ChainRound) -> serde_json::Value {
    let waiting = chain.waiting.as_ref();
    json!({
        "chain": chain.chain,
        "submitted": chain.submitted,
        "held": chain.held.map(word),
        "under_way": waiting.map(|(size, _)| size),
        "waiting": waiting.map(|(_, why)| why),
    })
}

fn tell_chain(chain: &ChainRound, console: &mut Console) -> Result<(), Fault> {
    if let Some(size) = chain.submitted {
        console.line(format_args!(
            "{} the checkpoint of {} to {}",
            Tone::Good.paint("submitted"),
            counted_entries(size),
            chain.chain
        ))?;
    }
    if let Some((size, why)) = &chain.waiting {
        console.line(format_args!(
            "  {}: under way, the checkpoint of {}: {why}",
            chain.chain,
            counted_entries(*size)
        ))?;
    }
    let held = match chain.held {
        Some(Held::NothingNew) => "nothing is newer than the last anchor",
        Some(Held::Budget) => {
            "the budget of the day is spent: raise --daily-max, or run it tomorrow"
        }
        _ => return Ok(()),
    };
    console.line(format_args!("{}: {held}", chain.chain))
}

const fn word(held: Held) -> &'static str {
    match held {
        Held::NothingNew => "nothing-new",
        Held::NotYet => "not-yet",
        Held::Budget => "budget",
        Held::Refused => "refused",
        Held::UnderWay => "under-way",
        Held::Lost => "lost",
    }
}

fn counted_entries(count: u64) -> String {
    if count == 1 {
        "1 entry".to_owned()
    } else {
        format!("{count} entries")
    }
}

fn status(global: &Global, console: &mut Console) -> Outcome {
    book::read(global, |reader| {
        let status = reader.anchor_status()?;
        let last = status.anchored.last().copied();
        console.value(&json!({
            "anchored": last,
            "anchors": status.anchored.len(),
            "newer": status.newer,
            "pending": status.pending,
            "submitted": status.submitted.map(|time| time.to_string()),
            "today": status.today,
            "chains": status.chains.iter().map(|chain| json!({
                "chain": chain.chain,
                "under_way": chain.under_way,
                "submitted": chain.submitted.map(|time| time.to_string()),
                "today": chain.today,
            })).collect::<Vec<_>>(),
        }))?;
        match last {
            None => console.line("nothing is anchored yet")?,
            Some(size) => console.line(format_args!(
                "anchored: the first {}, by {}; {} newer",
                counted_entries(size),
                counted(
                    u64::try_from(status.anchored.len()).unwrap_or(u64::MAX),
                    "proof"
                ),
                status.newer
            ))?,
        }
        if let Some(time) = status.submitted {
            console.line(format_args!(
                "submitted last at {time}; {} today",
                status.today
            ))?;
        }
        for chain in &status.chains {
            if let Some(size) = chain.under_way {
                console.line(format_args!(
                    "  under way in {}: the checkpoint of {}",
                    chain.chain,
                    counted_entries(size)
                ))?;
            }
        }
        for size in &status.pending {
            console.line(format_args!(
                "  waits for a block: the checkpoint of {}",
                counted_entries(*size)
            ))?;
        }
        let idle = status.chains.iter().all(|chain| chain.under_way.is_none());
        if last.is_none() && status.pending.is_empty() && idle {
            console.note("Anchor it: paygod anchor now")?;
        }
        Ok(Answer::Yes)
    })
}

fn verify(options: &AnchorVerify, global: &Global, console: &mut Console) -> Outcome {
    let (headers, blocks) = (headers(&options.headers)?, blocks(&options.headers)?);
    if headers.is_none() && blocks.is_none() {
        return Err(Fault::new(code::CLI_ARGUMENT, "no blocks are named").remedy(
            "name them: --bitcoin-headers FILE or --ethereum-blocks FILE; `paygod anchor blocks` gets them from a node",
        ));
    }
    let demand = Demand {
        headers: headers.as_ref(),
        blocks: blocks.as_ref(),
        within: None,
    };
    book::read_signed(global, |reader| {
        let origin = reader.status()?.origin;
        let mut table = Table::new(&[
            ("entries", Align::Right),
            ("block", Align::Right),
            ("time", Align::Left),
            ("", Align::Left),
        ]);
        let (mut values, mut wrong) = (Vec::new(), false);
        for file in reader.anchor_files()? {
            let size = file.head.size;
            let cells = match judged(&origin, &file.head, file.kind, &file.bytes, &demand) {
                Ok(Some(block)) => {
                    let time = block_time(block.time_s).to_string();
                    values.push(json!({"size": size, "height": block.height, "time": time, "depth": block.depth}));
                    [
                        block.height.to_string().into(),
                        time.into(),
                        Cell::toned("holds", Tone::Good),
                    ]
                }
                Ok(None) => {
                    values.push(json!({"size": size}));
                    [
                        "".into(),
                        "".into(),
                        Cell::toned("not among these blocks, or not deep enough", Tone::Warn),
                    ]
                }
                Err((_, found)) => {
                    wrong = true;
                    values.push(json!({"size": size, "wrong": found}));
                    ["".into(), "".into(), Cell::toned(&found, Tone::Bad)]
                }
            };
            let [block, time, word] = cells;
            table.row([Cell::from(size.to_string()), block, time, word]);
        }
        console.value(&json!(values))?;
        if values.is_empty() {
            console.line("nothing is anchored yet")?;
        } else {
            console.table(0, &table)?;
        }
        Ok(Answer::of(!wrong))
    })
}

fn export(options: &AnchorExport, global: &Global, console: &mut Console) -> Outcome {
    files::make_empty_folder(&options.to)?;
    book::read_signed(global, |reader| {
        let origin = reader.status()?.origin;
        let proofs = reader.anchor_files()?;
        for file in &proofs {
            let text = Checkpoint {
                origin: origin.clone(),
                head: file.head,
            }
            .to_text()?;
            let place = options.to.join(file.head.size.to_string());
            files::write(&place, text.as_bytes())?;
            files::write(&place.with_extension(file.kind.extension()), &file.bytes)?;
        }
        let count = u64::try_from(proofs.len()).unwrap_or(u64::MAX);
        console.value(&json!({"folder": options.to.display().to_string(), "proofs": count}))?;
        console.line(format_args!(
            "{} {} in `{}`",
            Tone::Good.paint("written:"),
            counted(count, "proof"),
            options.to.display()
        ))?;
        Ok(Answer::Yes)
    })
}

/// Where the proofs of an export are read from.
pub(crate) fn proof_in(
    export: &std::path::Path,
    (size, kind): anchors::Named,
) -> Result<Vec<u8>, Fault> {
    // One byte more than a proof has, so that one that is too long is told by its own name.
    let most = paygod_anchor::ots::FILE_BYTES_MAX.max(PROOF_BYTES_MAX);
    let most = most.saturating_add(1);
    files::read_plain(
        &export
            .join(anchors::FOLDER)
            .join(format!("{size}.{}", kind.extension())),
        most,
    )
}
