//! From a command to the body of its entry, checked against the state.

use core::mem;
use core::time::Duration;

use paygod_types::{ActorId, Money, RequestId, Timestamp};

use super::{Context, judged, ledger_rules};
use crate::accounts::AccountView;
use crate::command::{
    AccountLimit, AccountOpen, AmountText, Command, Correction, FreezeScope, TransferRequest,
};
use crate::engine_error::CommandError;
use crate::entry::{Body, CorrectBody, EntryRef, Layer, Posting, RequestRef, Side, TransferBody};
use crate::judge::Judge;
use crate::movement::Step;
use crate::pendings::{Leg, Pending, Stage};
use crate::ports::{History, SealedRequest};
use crate::prepare::Prepared;
use crate::state::State;

/// The body of the entry that the request makes at `time`.
pub(super) fn body<J: Judge, H: History + ?Sized>(
    state: &mut State,
    context: &mut Context<'_, J, H>,
    prepared: &Prepared<J::Prepared>,
    time: Timestamp,
) -> Result<Body, CommandError> {
    let request = prepared.request();
    match &request.command {
        Command::Transfer(transfer) => self::transfer(state, context, prepared, time, transfer),
        Command::Correct(correction) => correct(state, context, prepared, time, correction),
        Command::Post { pending, amounts } => post(state, pending, amounts.as_deref()),
        Command::Void { pending } => {
            let found = reserved(state, pending)?;
            Ok(Body::Void {
                pending: reference(found),
            })
        }
        Command::Approve { request: target } => approve(state, request.by.as_ref(), target),
        Command::Reject { request: target } => {
            let found = find_pending(state, target)?;
            under_review(found, target)?;
            Ok(Body::Reject {
                request: reference(found),
            })
        }
        Command::AccountOpen(open) => account_open(state, open),
        Command::AccountClose { account } => account_close(state, account.as_str()),
        Command::AccountLimit(limit) => account_limit(state, limit),
        Command::Freeze(scope) => {
            check_freeze(state, scope, true)?;
            Ok(Body::Freeze(scope.clone()))
        }
        Command::Unfreeze(scope) => {
            check_freeze(state, scope, false)?;
            Ok(Body::Unfreeze(scope.clone()))
        }
        Command::PolicyActivate(activation) => {
            let set = &activation.set;
            let vouched = state.packs.vouch(set, &activation.signatures);
            Ok(Body::PolicyActivate {
                policy: set.digest(),
                set: set.clone(),
                vouched: vouched.map_err(CommandError::of_pack)?,
            })
        }
        Command::RunSeal(run) => Ok(Body::RunSeal(run.clone())),
        Command::KeyPolicy(policy) => Ok(Body::KeyPolicy(*policy)),
        Command::PackTrust(rules) => Ok(Body::PackTrust(rules.clone())),
        Command::PackStage(staged) => {
            // The reader of requests demands `by`.
            if let Some(by) = &request.by {
                let step = state.packs.step(staged, by);
                step.map_err(CommandError::of_pack)?;
            }
            Ok(Body::PackStage(staged.clone()))
        }
        Command::EvidenceErase { request: target } => erase(state, context.history, target),
    }
}

fn transfer<J: Judge, H: History + ?Sized>(
    state: &mut State,
    context: &mut Context<'_, J, H>,
    prepared: &Prepared<J::Prepared>,
    time: Timestamp,
    request: &TransferRequest,
) -> Result<Body, CommandError> {
    let two_phase = request.pending.is_some();
    let judged = judged::judge(state, context, prepared, time, two_phase)?;
    let two_phase = two_phase && !judged.postings.is_empty();
    let timeout_s = request.pending.and_then(|terms| terms.timeout_s);
    let timeout = match timeout_s {
        Some(seconds) if two_phase => {
            let timeout = time.checked_add(Duration::from_secs(seconds));
            Some(timeout.ok_or(CommandError::Exhausted)?)
        }
        _ => None,
    };
    let judged::Judged {
        decision,
        postings,
        windows,
    } = judged;
    Ok(Body::Transfer(TransferBody {
        decision,
        postings,
        timeout,
        two_phase,
        windows,
    }))
}

fn correct<J: Judge, H: History + ?Sized>(
    state: &mut State,
    context: &mut Context<'_, J, H>,
    prepared: &Prepared<J::Prepared>,
    time: Timestamp,
    correction: &Correction,
) -> Result<Body, CommandError> {
    let target = &correction.corrects;
    let sealed = find_sealed(context.history, target)?;
    // What posted nothing leaves nothing to put right: its reverse would make money.
    if !sealed.posted {
        return Err(CommandError::NothingPosted {
            request: target.as_str().into(),
            found: sealed.action.as_str(),
        });
    }
    let judged = judged::judge(state, context, prepared, time, false)?;
    let judged::Judged {
        decision,
        postings,
        windows,
    } = judged;
    Ok(Body::Correct(CorrectBody {
        corrects: EntryRef {
            id: target.clone(),
            seq: sealed.seq,
        },
        reason: correction.reason.clone(),
        decision,
        postings,
        windows,
    }))
}

fn post(
    state: &mut State,
    target: &RequestId,
    amounts: Option<&[AmountText]>,
) -> Result<Body, CommandError> {
    let pending = reserved(state, target)?;
    let posted = match amounts {
        None => pending.legs.clone(),
        Some(amounts) => partial(pending, amounts)?,
    };
    let postings = settle_postings(state, pending, &posted)?;
    let pending = reference(pending);
    check_settles(state, target, &posted)?;
    Ok(Body::Post { pending, postings })
}

/// The legs with the amounts to post instead of those reserved.
fn partial(pending: &Pending, amounts: &[AmountText]) -> Result<Vec<Leg>, CommandError> {
    let refuse = |found: &str, allowed: String| CommandError::PostAmount {
        request: pending.id.as_str().into(),
        found: found.into(),
        allowed: allowed.into(),
    };
    if amounts.len() != pending.legs.len() {
        let found = format!("{} amounts", amounts.len());
        return Err(refuse(&found, format!("{} amounts", pending.legs.len())));
    }
    let mut posted = Vec::with_capacity(amounts.len());
    for (leg, amount) in pending.legs.iter().zip(amounts) {
        let money = Money::parse(amount.as_str(), leg.money.currency).ok();
        let within =
            money.filter(|money| money.amount.is_positive() && money.amount <= leg.money.amount);
        let money = within.ok_or_else(|| refuse(amount.as_str(), leg.money.to_string()))?;
        posted.push(Leg { money, ..*leg });
    }
    Ok(posted)
}

fn approve(
    state: &mut State,
    by: Option<&ActorId>,
    target: &RequestId,
) -> Result<Body, CommandError> {
    let pending = find_pending(state, target)?;
    let (needed, approvers, two_phase) = under_review(pending, target)?;
    // The reader of requests demands `by`.
    let Some(by) = by else {
        return Err(CommandError::OwnRequest {
            by: "".into(),
            request: target.as_str().into(),
        });
    };
    let (who, request) = (by.as_str().into(), target.as_str().into());
    if pending
        .by
        .as_ref()
        .is_none_or(|requester| requester.is_same(by))
    {
        return Err(CommandError::OwnRequest { by: who, request });
    }
    if approvers.iter().any(|approver| approver.is_same(by)) {
        return Err(CommandError::ApprovedBefore { by: who, request });
    }
    let approvals = u32::try_from(approvers.len())
        .unwrap_or(u32::MAX)
        .saturating_add(1);
    let request = reference(pending);
    if approvals < needed || two_phase {
        return Ok(Body::Approve {
            request,
            approvals,
            postings: Vec::new(),
        });
    }
    let legs = pending.legs.clone();
    let postings = settle_postings(state, pending, &legs)?;
    check_settles(state, target, &legs)?;
    Ok(Body::Approve {
        request,
        approvals,
        postings,
    })
}

fn settle_postings(
    state: &State,
    pending: &Pending,
    posted: &[Leg],
) -> Result<Vec<Posting>, CommandError> {
    let mut postings = Vec::with_capacity(posted.len().saturating_mul(2));
    for leg in posted {
        for (ix, side) in [(leg.debit, Side::Debit), (leg.credit, Side::Credit)] {
            let Some(info) = state.accounts.info(ix) else {
                return Err(CommandError::AccountUnknown {
                    account: pending.id.as_str().into(),
                });
            };
            let (account, money) = (info.id.clone(), leg.money);
            postings.push(Posting {
                account,
                money,
                side,
                layer: Layer::Posted,
            });
        }
    }
    Ok(postings)
}

/// Whether the reservation can be posted now: nothing it touches is frozen.
fn check_settles(
    state: &mut State,
    target: &RequestId,
    posted: &[Leg],
) -> Result<(), CommandError> {
    let mut scratch = mem::take(&mut state.scratch);
    let reserved = find_pending(state, target).map(|pending| pending.legs.as_slice());
    let outcome = reserved.and_then(|reserved| {
        let steps = reserved.iter().zip(posted);
        let steps = steps.map(|(leg, posted)| (*leg, Step::Settle(posted.money.amount)));
        let planned = scratch.movement.plan(state, steps);
        planned.map_err(|refusal| ledger_rules::held(state, &refusal))
    });
    state.scratch = scratch;
    outcome
}

fn account_open(state: &State, open: &AccountOpen) -> Result<Body, CommandError> {
    if state.account(&open.account).is_some() {
        return Err(CommandError::AccountExists {
            account: open.account.as_str().into(),
        });
    }
    let taken = open
        .aliases
        .iter()
        .find_map(|alias| state.account_by_alias(*alias));
    if let Some(other) = taken {
        return Err(CommandError::AliasTaken {
            account: other.info.id.as_str().into(),
        });
    }
    if u32::try_from(state.accounts_len()).is_err() {
        return Err(CommandError::Exhausted);
    }
    Ok(Body::AccountOpen(open.clone()))
}

/// An account that is there and not closed.
fn open_account<'s>(state: &'s State, id: &str) -> Result<AccountView<'s>, CommandError> {
    let view = state.accounts.find(id).and_then(|ix| state.account_at(ix));
    let Some(view) = view else {
        return Err(CommandError::AccountUnknown { account: id.into() });
    };
    if view.flags.closed {
        return Err(CommandError::AccountClosed { account: id.into() });
    }
    Ok(view)
}

fn account_limit(state: &State, limit: &AccountLimit) -> Result<Body, CommandError> {
    let view = open_account(state, limit.account.as_str())?;
    let account = || limit.account.as_str().into();
    if view.info.currency != limit.currency {
        return Err(CommandError::LimitCurrency {
            account: account(),
            expected: view.info.currency.code(),
            found: limit.currency.code(),
        });
    }
    if !view.balances.keeps(limit.min_balance, limit.max_balance) {
        return Err(CommandError::LimitPassed { account: account() });
    }
    Ok(Body::AccountLimit(limit.clone()))
}

fn account_close(state: &State, id: &str) -> Result<Body, CommandError> {
    let view = open_account(state, id)?;
    if !view.balances.is_settled() {
        return Err(CommandError::AccountNotSettled { account: id.into() });
    }
    Ok(Body::AccountClose {
        account: view.info.id.clone(),
    })
}

fn check_freeze(state: &State, scope: &FreezeScope, frozen: bool) -> Result<(), CommandError> {
    let named = match scope {
        FreezeScope::Book => "the book".to_owned(),
        FreezeScope::Currency(currency) => currency.code().to_owned(),
        FreezeScope::Account(account) => {
            if state.account(account).is_none() {
                return Err(CommandError::AccountUnknown {
                    account: account.as_str().into(),
                });
            }
            format!("account `{account}`")
        }
    };
    if state.is_frozen(scope) != frozen {
        return Ok(());
    }
    let found = if frozen { "frozen" } else { "free" };
    Err(CommandError::FreezeState {
        scope: named.into(),
        found,
    })
}

fn erase<H: History + ?Sized>(
    state: &State,
    history: &H,
    target: &RequestId,
) -> Result<Body, CommandError> {
    // Nobody could see any more what they approve.
    if let Some(pending) = state.pending(target) {
        not_under_review(pending, target)?;
    }
    let sealed = find_sealed(history, target)?;
    if !matches!(sealed.request, Some(RequestRef::Commitment(_))) {
        return Err(CommandError::RequestKind {
            request: target.as_str().into(),
            found: sealed.action.as_str(),
            allowed: "requests with details of people",
        });
    }
    Ok(Body::EvidenceErase {
        request: EntryRef {
            id: target.clone(),
            seq: sealed.seq,
        },
    })
}

fn find_sealed<H: History + ?Sized>(
    history: &H,
    target: &RequestId,
) -> Result<SealedRequest, CommandError> {
    history
        .find_request(target)?
        .ok_or_else(|| CommandError::RequestUnknown {
            request: target.as_str().into(),
        })
}

fn find_pending<'s>(state: &'s State, target: &RequestId) -> Result<&'s Pending, CommandError> {
    state
        .pending(target)
        .ok_or_else(|| CommandError::PendingUnknown {
            request: target.as_str().into(),
        })
}

fn reserved<'s>(state: &'s State, target: &RequestId) -> Result<&'s Pending, CommandError> {
    let pending = find_pending(state, target)?;
    not_under_review(pending, target)?;
    Ok(pending)
}

fn not_under_review(pending: &Pending, target: &RequestId) -> Result<(), CommandError> {
    match pending.stage {
        Stage::Reserved => Ok(()),
        Stage::UnderReview { .. } => Err(CommandError::UnderReview {
            request: target.as_str().into(),
        }),
    }
}

fn under_review<'s>(
    pending: &'s Pending,
    target: &RequestId,
) -> Result<(u32, &'s [ActorId], bool), CommandError> {
    match &pending.stage {
        Stage::UnderReview {
            needed,
            approvers,
            two_phase,
        } => Ok((*needed, approvers, *two_phase)),
        Stage::Reserved => Err(CommandError::NotUnderReview {
            request: target.as_str().into(),
        }),
    }
}

fn reference(pending: &Pending) -> EntryRef {
    EntryRef {
        id: pending.id.clone(),
        seq: pending.seq,
    }
}
