//! What the sequencer answered, as an evaluation reads it.

use paygod_types::Timestamp;

use super::{EvalError, Evaluated, Value};
use crate::lang::typed::AccountPart;
use crate::window::{AccountFact, WindowFact};

/// Answers to what a prepared transfer asked: the sites' indexes in the ruleset, and the facts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answers<'a> {
    /// Not asked yet: a rule that reads one is put off.
    Pending,
    Given {
        sites: &'a [u32],
        windows: &'a [WindowFact],
        account_sites: &'a [u32],
        accounts: &'a [Option<AccountFact>],
        time: Option<Timestamp>,
        approvals: u32,
    },
}

impl Answers<'_> {
    #[inline]
    pub(crate) fn window(&self, site: u32) -> Evaluated<WindowFact> {
        match self {
            Self::Pending => Err(EvalError::Pending),
            Self::Given { sites, windows, .. } => {
                let at = sites.iter().position(|s| *s == site);
                at.and_then(|at| windows.get(at))
                    .copied()
                    .ok_or(EvalError::WindowMissing)
            }
        }
    }

    pub(crate) fn account(&self, site: u32, part: AccountPart) -> Evaluated<Value> {
        match self {
            Self::Pending => Err(EvalError::Pending),
            Self::Given {
                account_sites,
                accounts,
                ..
            } => {
                let at = account_sites.iter().position(|s| *s == site);
                let fact = at.and_then(|at| accounts.get(at)).copied().flatten();
                let fact = fact.ok_or(EvalError::AccountMissing)?;
                let amount = match part {
                    AccountPart::Posted => fact.posted,
                    AccountPart::Available => fact.available,
                    AccountPart::Expected => fact.expected,
                };
                Ok(Value::Money(amount.of(fact.currency)))
            }
        }
    }

    /// How many approvals the request has: none before it is decided.
    pub(crate) fn approvals(&self) -> i64 {
        match self {
            Self::Pending => 0,
            Self::Given { approvals, .. } => i64::from(*approvals),
        }
    }

    pub(crate) fn now(&self) -> Evaluated<Value> {
        match self {
            Self::Pending => Err(EvalError::Pending),
            Self::Given { time, .. } => time.map(Value::Time).ok_or(EvalError::TimeMissing),
        }
    }
}
