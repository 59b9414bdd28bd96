//! What stands in the book: `entries`, `explain`.

use crate::book;
use crate::cli::{Entries, Explain, Global};
use crate::commands::verify::counted;
use crate::fault::{Answer, Fault, Outcome};
use crate::narrate;
use crate::output::{Console, Tone};
use crate::table::{Align, Cell, Table};
use paygod_core::command::FreezeScope;
use paygod_core::entry::{Decision, RequestRef};
use paygod_core::{Body, Entry, Stage};
use paygod_policy::Verdict;
use paygod_service::ledger::{
    Explanation, InputState, LedgerError, LedgerReader, Replay, SealedEntry,
};
use paygod_types::{AccountId, RequestId, Seq, code};
use paygod_verify::printable;
use serde_json::{Value, json};

/// Prints entries: a table for people, the sealed bytes a line each for programs.
pub(crate) fn entries(options: &Entries, global: &Global, console: &mut Console) -> Outcome {
    let account = options
        .account
        .as_deref()
        .map(AccountId::parse)
        .transpose()?;
    book::read(global, |reader| {
        if let Some(account) = &account {
            // An account that was never opened is a slip of the pen, not one without entries.
            reader.account(account)?;
        }
        let mut table = Table::new(&[
            ("entry", Align::Right),
            ("time", Align::Left),
            ("request", Align::Left),
            ("what", Align::Left),
        ]);
        let mut left = options.count;
        let mut from = options.from;
        // Without an account to look for, no more is read than is shown.
        let step = if account.is_some() {
            SCAN_ENTRIES
        } else {
            options.count
        };
        while left > 0 && from < reader.size() {
            let to = from.saturating_add(step).min(reader.size());
            reader.entries(Seq(from), Seq(to), |seq, bytes| -> Result<(), Fault> {
                if left == 0 {
                    return Ok(());
                }
                let entry =
                    Entry::decode(bytes).map_err(|source| LedgerError::Entry { seq, source })?;
                if account
                    .as_ref()
                    .is_some_and(|account| !concerns(&entry, account))
                {
                    return Ok(());
                }
                left = left.saturating_sub(1);
                if console.is_json() {
                    console.bytes(bytes)?;
                    return console.bytes(b"\n");
                }
                table.row(row(&entry));
                Ok(())
            })?;
            from = to;
        }
        if !table.is_empty() {
            console.table(0, &table)?;
        }
        if !console.is_json() && from < reader.size() && account.is_none() {
            console.note(format_args!(
                "… and {} more: paygod entries --from {from}",
                reader.size().saturating_sub(from)
            ))?;
        }
        Ok(Answer::Yes)
    })
}

/// Entries read at a time while looking for those of one account.
const SCAN_ENTRIES: u64 = 65_536;

fn row(entry: &Entry) -> [Cell; 4] {
    let tone = entry
        .body
        .decision()
        .map_or(Tone::Plain, |decision| narrate::tone(decision.verdict));
    let tone = if tone == Tone::Good {
        Tone::Plain
    } else {
        tone
    };
    let time = narrate::to_the_second(entry.time);
    [
        Cell::from(entry.seq.to_string()),
        Cell::toned(time, Tone::Faint),
        Cell::from(entry.id.as_str()),
        Cell::toned(narrate::entry(entry), tone),
    ]
}

fn concerns(entry: &Entry, account: &AccountId) -> bool {
    let is_about = match &entry.body {
        Body::AccountOpen(open) => open.account == *account,
        Body::AccountLimit(limit) => limit.account == *account,
        Body::AccountClose { account: closed } => closed == account,
        Body::Freeze(FreezeScope::Account(held)) | Body::Unfreeze(FreezeScope::Account(held)) => {
            held == account
        }
        _ => false,
    };
    is_about
        || entry
            .body
            .postings()
            .iter()
            .any(|posting| posting.account == *account)
}

/// A request's entry, by its id or by `#` and a number.
pub(crate) fn sealed(reader: &LedgerReader, name: &str) -> Result<SealedEntry, Fault> {
    let Some(number) = name.strip_prefix('#') else {
        return Ok(reader.find(&RequestId::parse_any(name)?)?);
    };
    let seq = number.parse().map_err(|_| {
        Fault::new(
            code::CLI_ARGUMENT,
            format!("`{name}` is not the number of an entry"),
        )
        .remedy("write `#` and digits, such as `#41`, or a request's id")
    })?;
    Ok(reader.entry(Seq(seq))?)
}

/// Says why a payment got its verdict.
pub(crate) fn explain(options: &Explain, global: &Global, console: &mut Console) -> Outcome {
    book::read(global, |reader| {
        let seq = sealed(reader, &options.request)?.seq;
        let explained = reader.explain(seq)?;
        let mut value = explained_value(&explained);
        let personal = matches!(
            explained.sealed.entry.request,
            Some(RequestRef::Commitment(_))
        );
        let request = match &explained.input {
            InputState::Kept(bytes) if options.input || !personal => {
                serde_json::from_slice(bytes).ok()
            }
            _ => None,
        };
        if let (Some(value), Some(request)) = (value.as_object_mut(), &request) {
            value.insert("request".to_owned(), Value::clone(request));
        }
        console.value(&value)?;
        let answer = Answer::of(!is_in_doubt(&explained));
        if console.is_json() {
            return Ok(answer);
        }
        tell_verdict(&explained, console)?;
        tell_approvals(reader, &explained, console)?;
        if let Some(request) = &request {
            console.line("")?;
            console.line(Tone::Strong.paint("What was asked for"))?;
            tell_input("", request, console)?;
        }
        tell_reasons(&explained, console)?;
        tell_sources(&explained, console)?;
        Ok(answer)
    })
}

/// Whether what is found now speaks against what was sealed.
const fn is_in_doubt(explained: &Explanation) -> bool {
    matches!(explained.input, InputState::Lost { .. })
        || matches!(explained.replay, Replay::Differs(_) | Replay::Forged)
}

fn tell_verdict(explained: &Explanation, console: &mut Console) -> Result<(), Fault> {
    let entry = &explained.sealed.entry;
    let verdict = explained.decision.verdict;
    console.line(format_args!(
        "{} is entry #{}, sealed {}",
        Tone::Strong.paint(&entry.id),
        entry.seq,
        entry.time
    ))?;
    if let Some(by) = &entry.by {
        console.line(format_args!("  asked for by {by}"))?;
    }
    console.line(format_args!(
        "  {}",
        narrate::tone(verdict).paint(narrate::verdict(verdict))
    ))?;
    if let Some(moved) = narrate::movements(entry.body.postings()) {
        console.line(format_args!("  {moved}"))?;
    }
    Ok(())
}

/// What became of a payment that was held: the entry says what it needed, the state whether it waits.
fn tell_approvals(
    reader: &LedgerReader,
    explained: &Explanation,
    console: &mut Console,
) -> Result<(), Fault> {
    let approvals = u64::from(explained.decision.approvals);
    if approvals == 0 {
        return Ok(());
    }
    let needed = counted(approvals, "approval");
    let pendings = reader.pendings()?;
    let id = &explained.sealed.entry.id;
    let waiting = pendings.iter().find(|pending| pending.id == *id);
    let told = match waiting.map(|pending| &pending.stage) {
        Some(Stage::UnderReview { approvers, .. }) => format!(
            "waits for {needed} by others than whoever asked; {} so far",
            approvers.len()
        ),
        Some(Stage::Reserved) => {
            format!("had {needed}; its money is reserved until it is posted or voided")
        }
        None => format!("needed {needed} by others than whoever asked; no longer waits"),
    };
    console.line(format_args!("  {told}"))
}

/// Every text of a request, a line each, by its path.
fn tell_input(path: &str, value: &Value, console: &mut Console) -> Result<(), Fault> {
    let below = |key: &dyn std::fmt::Display| match path {
        "" => key.to_string(),
        path => format!("{path}.{key}"),
    };
    match value {
        Value::Object(members) => members
            .iter()
            .try_for_each(|(key, value)| tell_input(&below(key), value, console)),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .try_for_each(|(place, value)| tell_input(&below(&place), value, console)),
        Value::String(text) => console.line(format_args!("  {path} = {}", printable(text.chars()))),
        other => console.line(format_args!("  {path} = {other}")),
    }
}

fn tell_reasons(explained: &Explanation, console: &mut Console) -> Result<(), Fault> {
    console.line("")?;
    console.line(Tone::Strong.paint("Rules that spoke"))?;
    if explained.decision.reasons.is_empty() && explained.decision.allowed.is_empty() {
        console.line("  none")?;
    }
    for rule in &explained.decision.allowed {
        let verdict = narrate::tone(Verdict::Allow).paint("allow ");
        console.line(format_args!("  {verdict} {}/{}", rule.pack, rule.rule))?;
    }
    for reason in &explained.decision.reasons {
        let rule = &reason.rule;
        console.line(format_args!(
            "  {} {}/{} {}",
            narrate::tone(rule.decision).paint(format_args!("{:<6}", rule.decision.as_str())),
            rule.pack,
            rule.rule,
            Tone::Faint.paint(&rule.version)
        ))?;
        console.sentence(9, Tone::Plain, &rule.reason)?;
        for (name, value) in &reason.facts {
            console.line(format_args!("         {name} = {value}"))?;
        }
    }
    Ok(())
}

fn tell_sources(explained: &Explanation, console: &mut Console) -> Result<(), Fault> {
    console.line("")?;
    console.line(Tone::Strong.paint("What it was judged by"))?;
    for named in explained
        .policy
        .iter()
        .flat_map(|set| set.packs.iter().chain(&set.lists))
    {
        console.line(format_args!(
            "  {} {}  {}",
            named.name,
            named.version,
            Tone::Faint.paint(named.digest)
        ))?;
    }
    console.line(format_args!(
        "  ruleset {}",
        Tone::Faint.paint(explained.decision.policy)
    ))?;
    console.line(format_args!("  {} steps of fuel", explained.decision.fuel))?;
    let (tone, input) = match &explained.input {
        InputState::Kept(_) => (Tone::Plain, "kept in the vault, encrypted"),
        InputState::Erased => (Tone::Plain, "erased; the entry's commitment to it stays"),
        InputState::NotKept => (
            Tone::Plain,
            "held nothing personal, so nothing was kept beside the entry",
        ),
        InputState::Lost { why, .. } => (Tone::Bad, why.as_str()),
    };
    console.line(format_args!("  input   {}", tone.paint(input)))?;
    let (tone, replay) = match &explained.replay {
        Replay::Same => (
            Tone::Good,
            "judged once more just now: the same decision".to_owned(),
        ),
        Replay::Differs(decision) => (
            Tone::Bad,
            format!(
                "judged once more just now: ANOTHER decision, {}; show this to an auditor",
                decision.verdict.as_str()
            ),
        ),
        Replay::Forged => (
            Tone::Bad,
            "its digest is that of ANOTHER request; show this to an auditor".to_owned(),
        ),
        Replay::NotPossible(why) => (Tone::Plain, format!("not judged once more: {why}")),
    };
    console.line(format_args!("  replay  {}", tone.paint(replay)))
}

fn explained_value(explained: &Explanation) -> Value {
    let entry = &explained.sealed.entry;
    let reasons: Vec<Value> = explained
        .decision
        .reasons
        .iter()
        .map(reason_value)
        .collect();
    let named = |named: &paygod_policy::Named| {
        json!({
            "name": named.name.as_str(),
            "version": named.version,
            "digest": named.digest.to_string(),
        })
    };
    let policy = explained.policy.as_ref().map(|set| {
        json!({
            "packs": set.packs.iter().map(named).collect::<Vec<_>>(),
            "lists": set.lists.iter().map(named).collect::<Vec<_>>(),
        })
    });
    let lost = match &explained.input {
        InputState::Lost { why, .. } => Some(why.as_str()),
        _ => None,
    };
    let (replay, why) = match &explained.replay {
        Replay::Same => ("same", None),
        Replay::Differs(_) => ("differs", None),
        Replay::Forged => ("forged", None),
        Replay::NotPossible(why) => ("not-possible", Some(*why)),
    };
    json!({
        "id": entry.id.as_str(),
        "seq": entry.seq.get(),
        "time": entry.time.to_string(),
        "by": entry.by.as_ref().map(|by| by.as_str()),
        "verdict": explained.decision.verdict.as_str(),
        "approvals": explained.decision.approvals,
        "fuel": explained.decision.fuel,
        "ruleset": explained.decision.policy.to_string(),
        "allowed": allowed_value(&explained.decision),
        "reasons": reasons,
        "policy": policy,
        "input": match explained.input {
            InputState::Kept(_) => "kept",
            InputState::Erased => "erased",
            InputState::NotKept => "not-kept",
            InputState::Lost { .. } => "lost",
        },
        "input_because": lost,
        "replay": replay,
        "replay_because": why,
    })
}

/// The rules that simply allowed, as programs get them.
pub(crate) fn allowed_value(decision: &Decision) -> Vec<Value> {
    let rules = decision.allowed.iter();
    rules
        .map(|rule| json!({ "pack": rule.pack.as_str(), "rule": rule.rule.as_str() }))
        .collect()
}

/// A reason as programs get it.
pub(crate) fn reason_value(reason: &paygod_policy::Reason) -> Value {
    let facts: serde_json::Map<String, Value> = reason
        .facts
        .iter()
        .map(|(name, value)| (name.clone(), Value::String(value.clone())))
        .collect();
    json!({
        "pack": reason.rule.pack.as_str(),
        "version": reason.rule.version,
        "rule": reason.rule.rule.as_str(),
        "decision": Verdict::as_str(reason.rule.decision),
        "reason": reason.rule.reason,
        "facts": facts,
    })
}
