//! Judging a request that moves money: packs first, then the ledger's own rules.
//!
//! INVARIANT(fail-closed): every doubt ends in a deny, sealed with its reason.

use core::mem;
use std::collections::BTreeSet;

use paygod_policy::{
    AccountFact, Facts, Measure, Named, Reason, SumTooLarge, Verdict, WindowFact, WindowTally,
    WindowToken,
};
use paygod_types::limits::{APPROVALS_MAX, REASONS_PER_ENTRY_MAX};
use paygod_types::{Currency, Digest, Seq, Timestamp};

use super::Context;
use super::ledger_rules;
use crate::accounts::{AccountIx, Balances};
use crate::command::Transfer;
use crate::engine_error::CommandError;
use crate::entry::{Decision, Layer, Posting, Side, Window};
use crate::judge::Judge;
use crate::ledger_reasons::Rule;
use crate::movement::Step;
use crate::pendings::Leg;
use crate::ports::{History, HistoryError, WindowLookup};
use crate::prepare::Prepared;
use crate::state::State;

/// What an account held before an entry, as packs read it; `None` if there was no such account.
pub type BalancesBefore<'a> = dyn Fn(&str) -> Result<Option<AccountFact>, HistoryError> + 'a;

/// A verdict and what follows from it.
pub(super) struct Judged {
    pub(super) decision: Decision,
    pub(super) postings: Vec<Posting>,
    pub(super) windows: Vec<Window>,
}

/// Judges the transfers of a request that is sealed at `time`.
pub(super) fn judge<J: Judge, H: History + ?Sized>(
    state: &mut State,
    context: &mut Context<'_, J, H>,
    prepared: &Prepared<J::Prepared>,
    time: Timestamp,
    two_phase: bool,
) -> Result<Judged, CommandError> {
    let active = state.policy.digest;
    for policy in [prepared.policy(), context.judge.policy()] {
        if policy != active {
            return Err(CommandError::PolicyChanged {
                prepared: policy,
                active,
            });
        }
    }
    let force = Force {
        policy: active,
        packs: None,
    };
    judge_under(force, state, context, prepared, time, two_phase)
}

/// As [`judge`], as if the context's judge were in force, which judges by `packs`.
pub(super) fn judge_as<J: Judge, H: History + ?Sized>(
    packs: &[Named],
    state: &mut State,
    context: &mut Context<'_, J, H>,
    prepared: &Prepared<J::Prepared>,
    time: Timestamp,
    two_phase: bool,
) -> Result<Decision, CommandError> {
    let policy = context.judge.policy();
    if prepared.policy() != policy {
        return Err(CommandError::PolicyChanged {
            prepared: prepared.policy(),
            active: policy,
        });
    }
    let force = Force {
        policy,
        packs: Some(packs),
    };
    judge_under(force, state, context, prepared, time, two_phase).map(|judged| judged.decision)
}

/// What is in force.
#[derive(Clone, Copy)]
struct Force<'a> {
    policy: Digest,
    /// The packs, ascending by name; `None`: those of the state.
    packs: Option<&'a [Named]>,
}

fn judge_under<J: Judge, H: History + ?Sized>(
    force: Force<'_>,
    state: &mut State,
    context: &mut Context<'_, J, H>,
    prepared: &Prepared<J::Prepared>,
    time: Timestamp,
    two_phase: bool,
) -> Result<Judged, CommandError> {
    let transfers = prepared.request().command.transfers();
    let mut scratch = mem::take(&mut state.scratch);
    scratch.legs.clear();
    let resolved = resolve(state, transfers, &mut scratch.legs);
    let outcome = resolved.and_then(|()| {
        let mut decision = decide(force, state, context, prepared, time)?;
        let reserves = two_phase || decision.verdict == Verdict::Review;
        if decision.verdict != Verdict::Deny {
            let step = if reserves { Step::Reserve } else { Step::Post };
            let planned = scratch.legs.iter().map(|leg| (*leg, step));
            if let Err(refusal) = scratch.movement.plan(state, planned) {
                deny(&mut decision, Some(ledger_rules::refused(state, &refusal)?));
            }
        }
        Ok((decision, reserves))
    });
    state.scratch = scratch;
    let (decision, reserves) = outcome?;
    if decision.verdict == Verdict::Deny {
        return Ok(Judged {
            decision,
            postings: Vec::new(),
            windows: Vec::new(),
        });
    }
    let layer = if reserves {
        Layer::Pending
    } else {
        Layer::Posted
    };
    Ok(Judged {
        decision,
        postings: postings(transfers, layer),
        windows: prepared.indexed.clone(),
    })
}

fn resolve(state: &State, transfers: &[Transfer], legs: &mut Vec<Leg>) -> Result<(), CommandError> {
    for transfer in transfers {
        legs.push(Leg {
            debit: account(state, transfer.debit.as_str(), transfer)?,
            credit: account(state, transfer.credit.as_str(), transfer)?,
            money: transfer.money,
        });
    }
    Ok(())
}

fn account(state: &State, id: &str, transfer: &Transfer) -> Result<AccountIx, CommandError> {
    let ix = state.accounts.find(id);
    let Some((ix, slot)) = ix.and_then(|ix| Some((ix, state.accounts.slot(ix)?))) else {
        return Err(CommandError::AccountUnknown { account: id.into() });
    };
    if slot.currency != transfer.money.currency {
        return Err(CommandError::CurrencyMismatch {
            account: id.into(),
            expected: slot.currency.code(),
            found: transfer.money.currency.code(),
        });
    }
    Ok(ix)
}

/// What the packs say, and what of it the ledger can carry out.
fn decide<J: Judge, H: History + ?Sized>(
    force: Force<'_>,
    state: &State,
    context: &mut Context<'_, J, H>,
    prepared: &Prepared<J::Prepared>,
    time: Timestamp,
) -> Result<Decision, CommandError> {
    let policy = force.policy;
    let nothing = Decision {
        verdict: Verdict::Deny,
        policy,
        fuel: 0,
        approvals: 0,
        allowed: Vec::new(),
        reasons: Vec::new(),
    };
    let packs = force.packs.unwrap_or(&state.policy.set.packs);
    if packs.is_empty() {
        let mut decision = nothing;
        deny(&mut decision, ledger_rules::reason(Rule::NoActivePolicy));
        return Ok(decision);
    }
    let balances = |id: &str| Ok(balances(state, id));
    let Some(judgement) = ask(context, prepared, time, &balances)? else {
        return Ok(nothing);
    };
    let mut said = judgement.reasons;
    tidy(&mut said);
    let strictest = said.iter().map(|reason| reason.rule.decision).max();
    let strictest = strictest.unwrap_or(Verdict::Allow);
    let (allowed, reasons) = Decision::part(said);
    let mut decision = Decision {
        verdict: judgement.verdict,
        policy,
        fuel: judgement.fuel,
        approvals: 0,
        allowed,
        reasons,
    };
    let departs = || decision.departure(packs).is_some();
    if strictest != decision.verdict || decision.verdict != Verdict::Deny && departs() {
        deny(
            &mut decision,
            ledger_rules::reason(Rule::InconsistentJudgement),
        );
    }
    if decision.verdict == Verdict::Review {
        decision.approvals = judgement.approvals_required.max(1);
        if prepared.request().by.is_none() {
            deny(&mut decision, ledger_rules::reason(Rule::RequesterUnknown));
        } else if decision.approvals > APPROVALS_MAX {
            deny(&mut decision, ledger_rules::reason(Rule::TooManyApprovals));
        }
    }
    Ok(decision)
}

/// What an account holds before the entry being made; `None` if there is no such account.
fn balances(state: &State, id: &str) -> Option<AccountFact> {
    let account = state.accounts.view(state.accounts.find(id)?)?;
    fact(account.info.currency, account.balances)
}

/// Balances as packs read them.
pub(super) fn fact(currency: Currency, balances: &Balances) -> Option<AccountFact> {
    Some(AccountFact {
        currency,
        posted: balances.posted()?,
        available: balances.available()?,
        expected: balances.expected()?,
    })
}

/// What the packs say, before the ledger's own rules; `None` if there is nothing to judge.
pub(super) fn consult<J: Judge, H: History + ?Sized>(
    context: &mut Context<'_, J, H>,
    prepared: &Prepared<J::Prepared>,
    time: Timestamp,
    balances: &BalancesBefore<'_>,
) -> Result<Option<paygod_policy::Decision>, CommandError> {
    let mut judgement = ask(context, prepared, time, balances)?;
    if let Some(judgement) = &mut judgement {
        tidy(&mut judgement.reasons);
    }
    Ok(judgement)
}

/// Asks history and then the judge, transfer by transfer; `None` if there is nothing to judge.
fn ask<J: Judge, H: History + ?Sized>(
    context: &mut Context<'_, J, H>,
    prepared: &Prepared<J::Prepared>,
    time: Timestamp,
    balances: &BalancesBefore<'_>,
) -> Result<Option<paygod_policy::Decision>, CommandError> {
    let mut accounts: Vec<Option<AccountFact>> = Vec::new();
    let mut decided: Option<paygod_policy::Decision> = None;
    let mut facts: Vec<WindowFact> = Vec::new();
    let mut windows = prepared.windows.iter().peekable();
    for (transfer, judged) in (0_u32..).zip(&prepared.judged) {
        facts.clear();
        while let Some(window) = windows.next_if(|window| window.transfer == transfer) {
            facts.push(if window.asked {
                let (token, measure) = (window.token, window.measure);
                // INVARIANT(monotonic): nothing was sealed at this entry's own time.
                let sealed = if window.window.is_zero() {
                    WindowFact::default()
                } else {
                    let since = time.checked_sub(window.window).unwrap_or(Timestamp::EPOCH);
                    context.history.window(WindowLookup {
                        token,
                        since,
                        span: window.window,
                        measure,
                    })?
                };
                with_linked(sealed, prepared, transfer, token, measure)?
            } else {
                WindowFact::default()
            });
        }
        accounts.clear();
        for account in J::accounts(judged) {
            accounts.push(if account.asked {
                balances(account.id)?
            } else {
                None
            });
        }
        let facts = Facts {
            windows: &facts,
            accounts: &accounts,
            time: Some(time),
        };
        let decision = context.judge.decide(context.scratch, judged, facts);
        match &mut decided {
            Some(decided) => decided.merge(decision),
            None => decided = Some(decision),
        }
    }
    Ok(decided)
}

/// What a window holds with the linked transfers before this one, which are sealed with it or not at all: many small ones in
/// one request are no way past a limit. A value that they add counts as one that was not there, since what was sealed
/// tells only how many there were.
fn with_linked<P>(
    mut fact: WindowFact,
    prepared: &Prepared<P>,
    transfer: u32,
    token: WindowToken,
    measure: Measure,
) -> Result<WindowFact, CommandError> {
    if transfer == 0 {
        return Ok(fact);
    }
    let transfers = prepared.request().command.transfers();
    let linked = prepared.indexed.iter();
    let linked = linked.filter(|one| one.transfer < transfer && one.token == token);
    let mut tally = WindowTally::new(measure);
    for one in linked {
        let leg = usize::try_from(one.transfer).ok();
        let Some(leg) = leg.and_then(|place| transfers.get(place)) else {
            continue;
        };
        let added = tally.add(Seq(0), leg.money.amount, one.value);
        added.map_err(|SumTooLarge| CommandError::Overflow)?;
    }
    let linked = tally.fact();
    fact.count = fact.count.saturating_add(linked.count);
    fact.distinct = fact.distinct.saturating_add(linked.distinct);
    let sum = fact.sum.checked_add(linked.sum);
    fact.sum = sum.ok_or(CommandError::Overflow)?;
    Ok(fact)
}

fn deny(decision: &mut Decision, reason: Option<Reason>) {
    decision.verdict = Verdict::Deny;
    decision.approvals = 0;
    decision
        .reasons
        .truncate(REASONS_PER_ENTRY_MAX.saturating_sub(1));
    decision.reasons.extend(reason);
}

/// Within the limit, the gravest of every pack and then the gravest kept; facts in canonical order.
fn tidy(reasons: &mut Vec<Reason>) {
    if reasons.len() > REASONS_PER_ENTRY_MAX {
        reasons.sort_by_key(|reason| core::cmp::Reverse(reason.rule.decision));
        // INVARIANT(every-pack-spoke): no pack falls silent because another had much to say.
        let mut spoken = BTreeSet::new();
        let first: Vec<bool> = reasons
            .iter()
            .map(|reason| spoken.insert(reason.rule.pack.clone()))
            .collect();
        let mut first = first.into_iter();
        let (mut kept, others): (Vec<Reason>, Vec<Reason>) = mem::take(reasons)
            .into_iter()
            .partition(|_| first.next().unwrap_or(false));
        kept.extend(others);
        kept.truncate(REASONS_PER_ENTRY_MAX);
        *reasons = kept;
    }
    for reason in reasons {
        let ordered = |a: &str, b: &str| a.encode_utf16().lt(b.encode_utf16());
        if !reason.facts.is_sorted_by(|(a, _), (b, _)| ordered(a, b)) {
            reason
                .facts
                .sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
            reason.facts.dedup_by(|(a, _), (b, _)| a == b);
        }
    }
}

/// A debit and a credit a transfer, in the request's order.
fn postings(transfers: &[Transfer], layer: Layer) -> Vec<Posting> {
    let mut postings = Vec::with_capacity(transfers.len().saturating_mul(2));
    for transfer in transfers {
        for (account, side) in [
            (&transfer.debit, Side::Debit),
            (&transfer.credit, Side::Credit),
        ] {
            postings.push(Posting {
                account: account.clone(),
                money: transfer.money,
                side,
                layer,
            });
        }
    }
    postings
}
