//! The ledger's own reasons to deny: what the state refuses of a request that packs would let pass.
//!
//! They stand in the decision like any rule's, under the pack name `ledger`.

use std::sync::Arc;

use paygod_policy::{Reason, RuleInfo, Verdict};
use paygod_types::{Amount, Name};

use crate::accounts::AccountIx;
use crate::engine_error::CommandError;
use crate::fold_error::{Check, FoldError};
use crate::ledger_reasons::{LEDGER_PACK, Rule, VERSION};
use crate::movement::Refusal;
use crate::state::State;

/// A reason that no state gives more facts for.
pub(super) fn reason(rule: Rule) -> Option<Reason> {
    make(rule, Vec::new())
}

/// What a refused movement is answered with: a reason to deny, or an error when nothing can be sealed.
pub(super) fn refused(state: &State, refusal: &Refusal) -> Result<Reason, CommandError> {
    let beyond = |ix, balance, limit| {
        let account = name_of(state, ix);
        vec![
            account,
            decimal(state, ix, balance),
            decimal(state, ix, limit),
        ]
    };
    let reason = match refusal {
        Refusal::BookFrozen => make(Rule::BookFrozen, Vec::new()),
        Refusal::CurrencyFrozen(currency) => {
            make(Rule::CurrencyFrozen, vec![currency.code().to_owned()])
        }
        Refusal::AccountFrozen(ix) => make(Rule::AccountFrozen, vec![name_of(state, *ix)]),
        Refusal::AccountClosed(ix) => make(Rule::AccountClosed, vec![name_of(state, *ix)]),
        Refusal::InsufficientFunds {
            account,
            available,
            floor,
        } => make(
            Rule::InsufficientFunds,
            beyond(*account, *available, *floor),
        ),
        Refusal::OverMaximum {
            account,
            expected,
            ceiling,
        } => make(Rule::OverMaximum, beyond(*account, *expected, *ceiling)),
        Refusal::Overflow => return Err(CommandError::Overflow),
        Refusal::Unbalanced(_) => None,
    };
    reason.ok_or_else(|| invariant(state, "a movement that balances"))
}

/// Names a refusal of a command that is not judged.
pub(super) fn held(state: &State, refusal: &Refusal) -> CommandError {
    let scope = match refusal {
        Refusal::BookFrozen => "the book".to_owned(),
        Refusal::CurrencyFrozen(currency) => currency.code().to_owned(),
        Refusal::AccountFrozen(ix) => format!("account `{}`", name_of(state, *ix)),
        Refusal::AccountClosed(ix) => {
            return CommandError::AccountClosed {
                account: name_of(state, *ix).into(),
            };
        }
        Refusal::Overflow => return CommandError::Overflow,
        // A reservation keeps every limit when posted, and pairs always balance.
        Refusal::InsufficientFunds { .. } | Refusal::OverMaximum { .. } => {
            return invariant(state, "a reservation within its limits");
        }
        Refusal::Unbalanced(_) => return invariant(state, "a movement that balances"),
    };
    CommandError::Frozen {
        scope: scope.into(),
    }
}

fn invariant(state: &State, expected: &'static str) -> CommandError {
    let fault = FoldError::new(state.next_seq(), Check::Conservation, expected, "another");
    CommandError::Invariant(fault)
}

fn name_of(state: &State, ix: AccountIx) -> String {
    state
        .accounts
        .info(ix)
        .map_or("", |info| info.id.as_str())
        .to_owned()
}

fn decimal(state: &State, ix: AccountIx, amount: Amount) -> String {
    let Some(info) = state.accounts.info(ix) else {
        return String::new();
    };
    let mut text = Vec::new();
    amount.of(info.currency).write_decimal(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// `values` are those of the rule's facts, one each. `None` cannot happen: the names are identifiers.
fn make(rule: Rule, values: Vec<String>) -> Option<Reason> {
    let told = rule.told();
    let info = RuleInfo {
        pack: Name::parse(LEDGER_PACK).ok()?,
        version: VERSION.to_owned(),
        rule: Name::parse(told.rule).ok()?,
        decision: Verdict::Deny,
        reason: told.words.to_owned(),
    };
    let keys = told.facts.iter().map(|key| (*key).to_owned());
    Some(Reason {
        rule: Arc::new(info),
        facts: keys.zip(values).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger_reasons::ledger_says;

    #[test]
    fn every_reason_that_the_engine_writes_is_one_that_checkers_know() {
        // A rule more has its place here, and in the table of all.
        let place = |rule| match rule {
            Rule::NoActivePolicy => 0,
            Rule::RequesterUnknown => 1,
            Rule::TooManyApprovals => 2,
            Rule::InconsistentJudgement => 3,
            Rule::BookFrozen => 4,
            Rule::CurrencyFrozen => 5,
            Rule::AccountFrozen => 6,
            Rule::AccountClosed => 7,
            Rule::InsufficientFunds => 8,
            Rule::OverMaximum => 9,
        };
        for (at, rule) in Rule::ALL.into_iter().enumerate() {
            assert_eq!(place(rule), at);
            let values = vec![String::new(); rule.told().facts.len()];
            let made = make(rule, values);
            assert!(made.is_some_and(|made| ledger_says(&made)), "{rule:?}");
        }
    }
}
