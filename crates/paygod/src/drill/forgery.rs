//! What several attacks forge: amounts that pass every check but that of who remembers.

use super::attack::Halt;
use super::scene::is_posted_payment;
use super::stage::{Stage, change};
use paygod_core::entry::{Body, Posting};
use paygod_core::{Entry, State};
use paygod_types::Amount;

/// The postings of an entry, if its kind has any.
pub(super) fn postings(entry: &mut Entry) -> Option<&mut Vec<Posting>> {
    match &mut entry.body {
        Body::Transfer(body) => Some(&mut body.postings),
        Body::Correct(body) => Some(&mut body.postings),
        Body::Post { postings, .. } | Body::Approve { postings, .. } => Some(postings),
        _ => None,
    }
}

/// Changes every amount that an entry moves.
pub(super) fn raise(entry: &mut Entry, by: fn(Amount) -> Amount) {
    for posting in postings(entry).into_iter().flatten() {
        posting.money.amount = by(posting.money.amount);
    }
}

/// Ten times as much.
pub(super) fn tenfold(amount: Amount) -> Amount {
    amount
        .minor()
        .checked_mul(10)
        .map_or(amount, Amount::from_minor)
}

/// One minor unit less.
fn shaved(amount: Amount) -> Amount {
    Amount::from_minor(amount.minor().saturating_sub(1))
}

/// More than any account holds.
pub(super) fn beyond(_: Amount) -> Amount {
    Amount::from_minor(1_000_000_000_000_000_000)
}

/// Whether the ledger's own rules find nothing wrong with these entries.
pub(super) fn folds(entries: &[Entry]) -> bool {
    let mut state = State::new();
    entries.iter().all(|entry| state.apply(entry).is_ok())
}

/// The entries with one payment's amount changed so that no rule is broken, and where it stands. The
/// kept checkpoint covers it.
pub(super) fn raised(stage: &Stage<'_>) -> Result<(usize, Vec<Entry>), Halt> {
    plausible(stage, stage.scene.kept_len())
}

/// The same within the first `len` entries.
pub(super) fn plausible(stage: &Stage<'_>, len: usize) -> Result<(usize, Vec<Entry>), Halt> {
    /// Each try folds the whole log.
    const TRIES_MAX: usize = 12;
    let payments = stage.scene.entries.iter().enumerate().take(len).rev();
    let payments = payments
        .filter(|(_, entry)| is_posted_payment(entry))
        .map(|(index, _)| index);
    let ways: [fn(Amount) -> Amount; 2] = [tenfold, shaved];
    let forgeries = payments.flat_map(|index| ways.map(|by| (index, by)));
    for (index, by) in forgeries.take(TRIES_MAX) {
        let mut entries = stage.entries();
        change(&mut entries, index, |entry| raise(entry, by));
        if folds(&entries) {
            return Ok((index, entries));
        }
    }
    Err(Halt::NotHere(
        "no payment whose amount could be changed within the limits",
    ))
}
