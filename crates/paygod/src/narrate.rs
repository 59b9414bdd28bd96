//! Entries and decisions in words for people. Programs get the entries themselves.

use crate::output::Tone;
use crate::table::Cell;
use paygod_core::command::FreezeScope;
use paygod_core::entry::{Body, Decision, Entry, EntryRef, Layer, Posting, Side};
use paygod_core::key_policy::KeyPolicy;
use paygod_policy::{Reason, Verdict};
use paygod_types::{Amount, Timestamp};

/// Seconds of a day.
pub(crate) const DAY_S: u64 = 24 * 3_600;

/// What a verdict means for the money.
pub(crate) const fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Allow => "allowed",
        Verdict::Flag => "allowed, flagged",
        Verdict::Review => "held for review",
        Verdict::Deny => "denied",
    }
}

/// The tone of a verdict.
pub(crate) const fn tone(verdict: Verdict) -> Tone {
    match verdict {
        Verdict::Allow => Tone::Good,
        Verdict::Flag | Verdict::Review => Tone::Warn,
        Verdict::Deny => Tone::Bad,
    }
}

/// A verdict as a cell of a table.
pub(crate) fn verdict_cell(of: Verdict) -> Cell {
    Cell::toned(verdict(of), tone(of))
}

/// The reason that decided: the first of those as strict as the verdict.
pub(crate) fn deciding(decision: &Decision) -> Option<&Reason> {
    decision
        .reasons
        .iter()
        .find(|reason| reason.rule.decision == decision.verdict)
        .or_else(|| decision.reasons.first())
}

/// A reason in one line: the rule, and its own words.
pub(crate) fn reason(reason: &Reason) -> String {
    let rule = &reason.rule;
    format!("{}/{}: {}", rule.pack, rule.rule, rule.reason)
}

/// What the entry does, in one line.
pub(crate) fn entry(entry: &Entry) -> String {
    match &entry.body {
        Body::Genesis(genesis) => format!("the book `{}` begins", genesis.origin),
        Body::AccountOpen(open) => {
            format!("account {} opened in {}", open.account, open.currency)
        }
        Body::AccountLimit(limit) => {
            let bound = |word, bound: Option<Amount>| {
                bound.map(|bound| format!("not {word} {}", bound.of(limit.currency)))
            };
            let bounds = [
                bound("below", limit.min_balance),
                bound("above", limit.max_balance),
            ];
            let bounds: Vec<String> = bounds.into_iter().flatten().collect();
            if bounds.is_empty() {
                format!("account {} has no limits any more", limit.account)
            } else {
                format!("account {} may go {}", limit.account, bounds.join(", "))
            }
        }
        Body::AccountClose { account } => format!("account {account} closed"),
        Body::Transfer(body) => {
            let verdict = verdict(body.decision.verdict);
            match movements(&body.postings) {
                Some(moved) => format!("payment {verdict}: {moved}"),
                None => format!("payment {verdict}: nothing moves"),
            }
        }
        Body::Correct(body) => {
            let moved = movements(&body.postings).unwrap_or_else(|| "nothing moves".to_owned());
            format!(
                "correction of {} ({}): {moved}",
                named(&body.corrects),
                body.reason
            )
        }
        Body::Post { pending, postings } => {
            let moved = movements(postings).unwrap_or_else(|| "nothing moves".to_owned());
            format!("reservation {} posted: {moved}", named(pending))
        }
        Body::Void { pending } => format!("reservation {} released", named(pending)),
        Body::Expire { pending } => format!("reservation {} expired", named(pending)),
        Body::Approve {
            request,
            approvals,
            postings,
        } => match movements(postings) {
            Some(moved) => format!("{} approved, {approvals} in all: {moved}", named(request)),
            None => format!("{} approved, {approvals} so far", named(request)),
        },
        Body::Reject { request } => format!("{} rejected, its money released", named(request)),
        Body::Freeze(scope) => format!("{} frozen", scope_name(scope)),
        Body::Unfreeze(scope) => format!("{} open again", scope_name(scope)),
        Body::PolicyActivate { set, .. } => {
            let named = set.packs.iter().chain(&set.lists);
            let names: Vec<String> = named
                .map(|named| format!("{} {}", named.name, named.version))
                .collect();
            format!("rules activated: {}", names.join(", "))
        }
        Body::KeyPolicy(policy) => format!("checkpoint keys: {}", key_policy(policy)),
        Body::PackTrust(trust) => format!(
            "packs must be {} or above{}; publishers known: {}",
            trust.level.as_str(),
            if trust.approved { ", and approved" } else { "" },
            trust.publishers.len()
        ),
        Body::PackStage(staged) => format!(
            "pack {} {}: {}",
            staged.pack.name,
            staged.pack.version,
            staged.stage.as_str()
        ),
        Body::RunSeal(run) => {
            let names: Vec<&str> = run.packs.iter().map(|pack| pack.name.as_str()).collect();
            let digest: String = run.run.to_string().chars().take(16).collect();
            format!("run {digest}… by {}: {}", names.join(", "), run.verdict)
        }
        Body::EvidenceErase { request } => format!("input of {} erased", named(request)),
        Body::KeyRotate(_) => "checkpoint key replaced".to_owned(),
        Body::KeyRevoke(revocation) => {
            format!(
                "checkpoint key revoked: good up to entry {}",
                revocation.last_good
            )
        }
        Body::Anchor(receipt) => {
            format!("the first {} entries anchored in Bitcoin", receipt.size)
        }
        Body::Snapshot(claim) => format!("state after #{} committed to", claim.of),
    }
}

fn named(of: &EntryRef) -> String {
    format!("{} (#{})", of.id, of.seq)
}

/// What a freeze covers.
pub(crate) fn scope_name(scope: &FreezeScope) -> String {
    match scope {
        FreezeScope::Book => "the whole book".to_owned(),
        FreezeScope::Account(account) => format!("account {account}"),
        FreezeScope::Currency(currency) => format!("every account in {currency}"),
    }
}

/// What moves or is reserved, pair by pair; `None` when nothing does.
pub(crate) fn movements(postings: &[Posting]) -> Option<String> {
    let pairs: Vec<String> = postings
        .chunks(2)
        .filter_map(|pair| match pair {
            [from, to] if from.side == Side::Debit => {
                let held = if from.layer == Layer::Pending {
                    " reserved"
                } else {
                    ""
                };
                Some(format!(
                    "{}{held}, {} → {}",
                    from.money, from.account, to.account
                ))
            }
            [from, to] => Some(format!("{}, {} → {}", from.money, to.account, from.account)),
            _ => None,
        })
        .collect();
    let told: Vec<String> = pairs.chunk_by(|a, b| a == b).map(times).collect();
    (!told.is_empty()).then(|| told.join("; "))
}

/// A time to the second, for people: programs get all nine digits.
pub(crate) fn to_the_second(time: Timestamp) -> String {
    time.to_string().chars().take(19).collect()
}

/// The same movement several times over is told once.
fn times(same: &[String]) -> String {
    match same {
        [one] => one.clone(),
        [first, ..] => format!("{} × {first}", same.len()),
        [] => String::new(),
    }
}

/// What a book says of its checkpoint keys.
pub(crate) fn key_policy(policy: &KeyPolicy) -> String {
    let age = policy.age_s.map(|age_s| match age_s {
        whole if whole.is_multiple_of(DAY_S) => {
            format!("replaced after {} days", whole / DAY_S)
        }
        seconds => format!("replaced after {seconds} s"),
    });
    let often = policy.signatures;
    let often = often.map(|count| format!("replaced after {count} checkpoints"));
    let unsigned = policy.unsigned;
    let unsigned = unsigned.map(|count| format!("at most {count} entries wait for a signature"));
    let said: Vec<String> = [age, often, unsigned].into_iter().flatten().collect();
    if said.is_empty() {
        return "replaced when somebody asks".to_owned();
    }
    said.join(", ")
}
