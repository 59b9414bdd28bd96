//! Writes a state.

use paygod_policy::Named;
use paygod_types::{Amount, Currency};

use super::{MAGIC, MAGIC_PACKS};
use crate::accounts::{AccountView, Balances};
use crate::key_policy::KeyPolicy;
use crate::pack_trust::{Level, PackBook, PackStage};
use crate::pendings::{Pending, Stage};
use crate::state::{Book, KeyPeriod, State};

/// Writes a state behind what `out` holds. Between two accounts or reservations `full` may take away what stands there.
pub(super) fn state<E>(
    state: &State,
    out: &mut Vec<u8>,
    mut full: impl FnMut(&mut Vec<u8>) -> Result<(), E>,
) -> Result<(), E> {
    let has_packs = *state.packs() != PackBook::default();
    out.extend_from_slice(if has_packs { MAGIC_PACKS } else { MAGIC });
    u64(state.size, out);
    u64(state.last_time.as_nanos(), out);
    match state.book() {
        None => out.push(0),
        Some(book) => {
            // A book without them has the bytes it always had: their digests are sealed.
            let has_policy = book.key_policy != KeyPolicy::default();
            out.push(match (book.hybrid_keys.len(), has_policy) {
                (0, false) => 1,
                (1, false) => 2,
                (0, true) => 3,
                (1, true) => 4,
                (_, false) => 5,
                (_, true) => 6,
            });
            self::book(book, out);
        }
    }
    flag(state.frozen_book, out);
    length(state.frozen_currencies.len(), out);
    for frozen in &state.frozen_currencies {
        currency(*frozen, out);
    }
    let policy = state.policy();
    optional(policy.since.map(|seq| seq.get()), out);
    named(&policy.set.lists, out);
    named(&policy.set.packs, out);
    optional(state.snapshot_of.map(|seq| seq.get()), out);
    length(state.totals.len(), out);
    for of in &state.totals {
        currency(of.currency, out);
        balances(&of.totals, out);
    }
    length(state.accounts_len(), out);
    for view in state.accounts() {
        account(&view, out);
        full(out)?;
    }
    length(state.pendings_len(), out);
    for pending in state.pendings() {
        self::pending(pending, out);
        full(out)?;
    }
    if has_packs {
        packs(state.packs(), out);
    }
    Ok(())
}

fn packs(packs: &PackBook, out: &mut Vec<u8>) {
    flag(packs.trust.approved, out);
    out.push(level(packs.trust.level));
    length(packs.trust.publishers.len(), out);
    for publisher in &packs.trust.publishers {
        text(&publisher.key, out);
        out.push(level(publisher.level));
    }
    length(packs.reviews.len(), out);
    for (digest, review) in &packs.reviews {
        out.extend_from_slice(digest.as_bytes());
        out.push(stage(review.stage));
        text(review.drafted_by.as_str(), out);
    }
}

const fn level(level: Level) -> u8 {
    match level {
        Level::Community => 0,
        Level::Verified => 1,
        Level::Certified => 2,
    }
}

const fn stage(stage: PackStage) -> u8 {
    match stage {
        PackStage::Draft => 0,
        PackStage::Reviewed => 1,
        PackStage::Approved => 2,
        PackStage::Published => 3,
    }
}

fn book(book: &Book, out: &mut Vec<u8>) {
    text(&book.origin, out);
    length(book.root_keys.len(), out);
    for key in &book.root_keys {
        text(key, out);
    }
    u32(book.root_threshold, out);
    periods(&book.checkpoint_keys, out);
    length(book.revoked.len(), out);
    for key in &book.revoked {
        u64(key.at.get(), out);
        text(&key.vkey, out);
        u64(key.last_good.get(), out);
    }
    match &book.hybrid_keys[..] {
        [] => {}
        [first] => text(&first.vkey, out),
        several => periods(several, out),
    }
    if book.key_policy != KeyPolicy::default() {
        for (_, limit) in book.key_policy.limits() {
            optional(limit, out);
        }
    }
}

fn periods(keys: &[KeyPeriod], out: &mut Vec<u8>) {
    length(keys.len(), out);
    for key in keys {
        u64(key.since.get(), out);
        text(&key.vkey, out);
    }
}

fn named(named: &[Named], out: &mut Vec<u8>) {
    length(named.len(), out);
    for one in named {
        out.extend_from_slice(one.digest.as_bytes());
        text(one.name.as_str(), out);
        text(&one.version, out);
    }
}

fn account(view: &AccountView<'_>, out: &mut Vec<u8>) {
    let info = view.info;
    text(info.id.as_str(), out);
    currency(info.currency, out);
    flag(view.flags.closed, out);
    flag(view.flags.frozen, out);
    for limit in [info.min_balance, info.max_balance] {
        flag(limit.is_some(), out);
        if let Some(limit) = limit {
            amount(limit, out);
        }
    }
    u64(info.opened.get(), out);
    length(info.aliases.len(), out);
    for alias in &info.aliases {
        out.extend_from_slice(&alias.0);
    }
    balances(view.balances, out);
}

fn pending(pending: &Pending, out: &mut Vec<u8>) {
    text(pending.id.as_str(), out);
    u64(pending.seq.get(), out);
    flag(pending.by.is_some(), out);
    if let Some(by) = &pending.by {
        text(by.as_str(), out);
    }
    length(pending.legs.len(), out);
    for leg in &pending.legs {
        u32(leg.debit.0, out);
        u32(leg.credit.0, out);
        currency(leg.money.currency, out);
        amount(leg.money.amount, out);
    }
    optional(pending.deadline.map(|time| time.as_nanos()), out);
    match &pending.stage {
        Stage::Reserved => flag(false, out),
        Stage::UnderReview {
            needed,
            approvers,
            two_phase,
        } => {
            flag(true, out);
            u32(*needed, out);
            flag(*two_phase, out);
            length(approvers.len(), out);
            for approver in approvers {
                text(approver.as_str(), out);
            }
        }
    }
}

fn balances(of: &Balances, out: &mut Vec<u8>) {
    for total in [
        of.debits_pending,
        of.debits_posted,
        of.credits_pending,
        of.credits_posted,
    ] {
        amount(total, out);
    }
}

fn amount(amount: Amount, out: &mut Vec<u8>) {
    out.extend_from_slice(&amount.minor().to_le_bytes());
}

fn currency(currency: Currency, out: &mut Vec<u8>) {
    out.extend_from_slice(currency.code().as_bytes());
}

fn u32(value: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn u64(value: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(&value.to_le_bytes());
}

/// INVARIANT(bounded-state): accounts have 32-bit places and everything else is fewer, or was in entries
/// of 64 KiB; reservations past 2^32 do not fit a machine.
fn length(length: usize, out: &mut Vec<u8>) {
    u32(u32::try_from(length).unwrap_or(u32::MAX), out);
}

fn flag(flag: bool, out: &mut Vec<u8>) {
    out.push(u8::from(flag));
}

fn optional(value: Option<u64>, out: &mut Vec<u8>) {
    flag(value.is_some(), out);
    if let Some(value) = value {
        u64(value, out);
    }
}

/// Texts come from entries, which are shorter than 64 KiB.
fn text(text: &str, out: &mut Vec<u8>) {
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}
