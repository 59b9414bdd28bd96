//! The ledger's own reasons to deny: what the state refuses of a request that packs would let pass.
//!
//! They stand in the decision like any rule's, under the pack name `ledger`.

use std::sync::Arc;

use paygod_policy::{Reason, RuleInfo, Verdict};
use paygod_types::{Amount, Name};

use crate::accounts::AccountIx;
use crate::engine_error::CommandError;
use crate::fold_error::{Check, FoldError};
use crate::movement::Refusal;
use crate::state::State;

/// The pack name of the ledger's reasons.
const PACK: &str = "ledger";

/// The version of these rules: changed when their meaning is.
const VERSION: &str = "1";

pub(super) enum Rule {
    NoActivePolicy,
    RequesterUnknown,
    TooManyApprovals,
    InconsistentJudgement,
}

/// A reason that no state gives more facts for.
pub(super) fn reason(rule: &Rule) -> Option<Reason> {
    let (name, text) = match rule {
        Rule::NoActivePolicy => (
            "no-active-policy",
            "no pack is active, so nothing is allowed",
        ),
        Rule::RequesterUnknown => (
            "requester-unknown",
            "a review needs to know who made the request, so that somebody else approves it",
        ),
        Rule::TooManyApprovals => (
            "too-many-approvals",
            "the pack asks for more approvers than the ledger can count",
        ),
        Rule::InconsistentJudgement => (
            "inconsistent-judgement",
            "the verdict does not follow from what every active pack said",
        ),
    };
    make(name, text, Vec::new())
}

/// What a refused movement is answered with: a reason to deny, or an error when nothing can be sealed.
pub(super) fn refused(state: &State, refusal: &Refusal) -> Result<Reason, CommandError> {
    let account = |ix: AccountIx| ("account", name_of(state, ix));
    let reason = match refusal {
        Refusal::BookFrozen => make("book-frozen", "the book is frozen", Vec::new()),
        Refusal::CurrencyFrozen(currency) => make(
            "currency-frozen",
            "the currency is frozen",
            vec![("currency", currency.code().to_owned())],
        ),
        Refusal::AccountFrozen(ix) => make(
            "account-frozen",
            "the account is frozen",
            vec![account(*ix)],
        ),
        Refusal::AccountClosed(ix) => make(
            "account-closed",
            "the account is closed",
            vec![account(*ix)],
        ),
        Refusal::InsufficientFunds {
            account: ix,
            available,
            floor,
        } => make(
            "insufficient-funds",
            "the account would fall below its minimum",
            vec![
                account(*ix),
                ("balance_after", decimal(state, *ix, *available)),
                ("min_balance", decimal(state, *ix, *floor)),
            ],
        ),
        Refusal::OverMaximum {
            account: ix,
            expected,
            ceiling,
        } => make(
            "over-maximum",
            "the account would rise above its maximum",
            vec![
                account(*ix),
                ("balance_after", decimal(state, *ix, *expected)),
                ("max_balance", decimal(state, *ix, *ceiling)),
            ],
        ),
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

/// `facts` are in the order of their keys. `None` cannot happen: the names are identifiers.
fn make(rule: &str, reason: &str, facts: Vec<(&str, String)>) -> Option<Reason> {
    let info = RuleInfo {
        pack: Name::parse(PACK).ok()?,
        version: VERSION.to_owned(),
        rule: Name::parse(rule).ok()?,
        decision: Verdict::Deny,
        reason: reason.to_owned(),
    };
    let facts = facts
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect();
    Some(Reason {
        rule: Arc::new(info),
        facts,
    })
}
