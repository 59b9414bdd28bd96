//! What legs do to balances: worked out in full before anything changes.
//!
//! INVARIANT(conservation): a leg debits and credits the same amount of one currency; the sums per
//! currency are asserted after every entry, on the figures about to be stored.
//! INVARIANT(limits): no account passes its limits after an entry.
//!
//! Pure arithmetic on a copy: [`crate::state::State`] stores the outcome, or nothing.

use paygod_types::{Amount, Currency};

use crate::accounts::{AccountIx, Balances};
use crate::effects::Touched;
use crate::pendings::Leg;
use crate::state::{CurrencyTotals, State};

/// How a leg changes the totals of its two accounts. Both deltas apply to debits of one and to credits
/// of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Moves it.
    Post,
    /// Reserves it.
    Reserve,
    /// Releases its reservation and moves so much of it (zero: none).
    Settle(Amount),
}

/// Why a movement cannot be. The ledger's own refusals of a well-formed request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    BookFrozen,
    CurrencyFrozen(Currency),
    AccountFrozen(AccountIx),
    AccountClosed(AccountIx),
    /// `available` would fall below the floor.
    InsufficientFunds {
        account: AccountIx,
        available: Amount,
        floor: Amount,
    },
    /// `expected` would rise above the ceiling.
    OverMaximum {
        account: AccountIx,
        expected: Amount,
        ceiling: Amount,
    },
    Overflow,
    /// INVARIANT(conservation) would break: never an answer to a client.
    Unbalanced(Currency),
}

/// Buffers kept from entry to entry.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scratch {
    pub(crate) movement: Movement,
    pub(crate) legs: Vec<Leg>,
}

/// Balances and totals after a movement, not stored yet.
#[derive(Clone, Debug, Default)]
pub(crate) struct Movement {
    pub(crate) touched: Vec<Touched>,
    pub(crate) totals: Vec<CurrencyTotals>,
}

impl Movement {
    pub(crate) fn clear(&mut self) {
        self.touched.clear();
        self.totals.clear();
    }

    /// Works out what `legs` do in `state`, all of them or none, dropping what was here before.
    /// Releasing without moving (`Settle(ZERO)`) is allowed on what is frozen.
    pub(crate) fn plan(
        &mut self,
        state: &State,
        legs: impl Iterator<Item = (Leg, Step)>,
    ) -> Result<(), Refusal> {
        self.clear();
        let mut moves_money = false;
        for (leg, step) in legs {
            let moves = step != Step::Settle(Amount::ZERO);
            moves_money |= moves;
            self.take_leg(state, &leg, step, moves)?;
        }
        if moves_money && state.frozen_book {
            return Err(Refusal::BookFrozen);
        }
        self.check_limits(state)?;
        self.check_conservation()
    }

    fn take_leg(
        &mut self,
        state: &State,
        leg: &Leg,
        step: Step,
        moves: bool,
    ) -> Result<(), Refusal> {
        let currency = leg.money.currency;
        if moves {
            if state.frozen_currencies.contains(&currency) {
                return Err(Refusal::CurrencyFrozen(currency));
            }
            for ix in [leg.debit, leg.credit] {
                let flags = state.accounts.flags(ix);
                if flags.closed {
                    return Err(Refusal::AccountClosed(ix));
                }
                if flags.frozen {
                    return Err(Refusal::AccountFrozen(ix));
                }
            }
        }
        let amount = leg.money.amount;
        let debited = self.balances_of(state, leg.debit)?;
        add_debit(debited, step, amount).ok_or(Refusal::Overflow)?;
        let credited = self.balances_of(state, leg.credit)?;
        add_credit(credited, step, amount).ok_or(Refusal::Overflow)?;
        let totals = self.totals_of(state, currency)?;
        add_debit(totals, step, amount).ok_or(Refusal::Overflow)?;
        add_credit(totals, step, amount).ok_or(Refusal::Overflow)
    }

    /// The balances of an account as this movement leaves them so far.
    fn balances_of(&mut self, state: &State, ix: AccountIx) -> Result<&mut Balances, Refusal> {
        let place = match self
            .touched
            .iter()
            .position(|touched| touched.account == ix)
        {
            Some(place) => place,
            None => {
                let slot = state.accounts.slot(ix).ok_or(Refusal::AccountClosed(ix))?;
                let balances = slot.balances;
                self.touched.push(Touched {
                    account: ix,
                    balances,
                });
                self.touched.len().saturating_sub(1)
            }
        };
        match self.touched.get_mut(place) {
            Some(touched) => Ok(&mut touched.balances),
            None => Err(Refusal::AccountClosed(ix)),
        }
    }

    fn totals_of(&mut self, state: &State, currency: Currency) -> Result<&mut Balances, Refusal> {
        let place = match self
            .totals
            .iter()
            .position(|totals| totals.currency == currency)
        {
            Some(place) => place,
            None => {
                let totals = state.totals_of(currency);
                self.totals.push(CurrencyTotals { currency, totals });
                self.totals.len().saturating_sub(1)
            }
        };
        match self.totals.get_mut(place) {
            Some(totals) => Ok(&mut totals.totals),
            None => Err(Refusal::Unbalanced(currency)),
        }
    }

    fn check_limits(&self, state: &State) -> Result<(), Refusal> {
        for touched in &self.touched {
            let account = touched.account;
            let Some(slot) = state.accounts.slot(account) else {
                return Err(Refusal::AccountClosed(account));
            };
            let (floor, ceiling) = (slot.floor, slot.ceiling);
            let available = touched.balances.available().ok_or(Refusal::Overflow)?;
            if available < floor {
                return Err(Refusal::InsufficientFunds {
                    account,
                    available,
                    floor,
                });
            }
            let expected = touched.balances.expected().ok_or(Refusal::Overflow)?;
            if expected > ceiling {
                return Err(Refusal::OverMaximum {
                    account,
                    expected,
                    ceiling,
                });
            }
        }
        Ok(())
    }

    fn check_conservation(&self) -> Result<(), Refusal> {
        let broken = self.totals.iter().find(|of| !of.totals.is_conserved());
        broken.map_or(Ok(()), |of| Err(Refusal::Unbalanced(of.currency)))
    }
}

/// Applies one step to the debit totals; `None` past `i128::MAX` or below zero.
fn add_debit(balances: &mut Balances, step: Step, amount: Amount) -> Option<()> {
    let (pending, posted) = add(
        balances.debits_pending,
        balances.debits_posted,
        step,
        amount,
    )?;
    balances.debits_pending = pending;
    balances.debits_posted = posted;
    Some(())
}

/// Applies one step to the credit totals; `None` past `i128::MAX` or below zero.
fn add_credit(balances: &mut Balances, step: Step, amount: Amount) -> Option<()> {
    let (pending, posted) = add(
        balances.credits_pending,
        balances.credits_posted,
        step,
        amount,
    )?;
    balances.credits_pending = pending;
    balances.credits_posted = posted;
    Some(())
}

/// INVARIANT(bounded-balances): pending plus posted fits, so that a later post cannot overflow.
fn add(pending: Amount, posted: Amount, step: Step, amount: Amount) -> Option<(Amount, Amount)> {
    let (pending, posted) = match step {
        Step::Post => (pending, posted.checked_add(amount)?),
        Step::Reserve => (pending.checked_add(amount)?, posted),
        Step::Settle(moved) => (pending.checked_sub(amount)?, posted.checked_add(moved)?),
    };
    pending.checked_add(posted)?;
    (!pending.is_negative()).then_some((pending, posted))
}
