//! The ledger's own reasons to deny, as sealed decisions tell them: for whoever checks decisions without the engine.
//!
//! The words are as permanent as entries: a new wording is added here beside the old one.

use paygod_policy::{Reason, Verdict};

/// The pack name of the ledger's reasons.
const PACK: &str = "ledger";

/// The version of them.
const VERSION: &str = "1";

/// Rule, words, and the keys of the facts, in order.
type Told = (&'static str, &'static str, &'static [&'static str]);

const TOLD: &[Told] = &[
    (
        "no-active-policy",
        "no pack is active, so nothing is allowed",
        &[],
    ),
    (
        "requester-unknown",
        "a review needs to know who made the request, so that somebody else approves it",
        &[],
    ),
    (
        "too-many-approvals",
        "the pack asks for more approvers than the ledger can count",
        &[],
    ),
    (
        "inconsistent-judgement",
        "the verdict does not follow from what every active pack said",
        &[],
    ),
    ("book-frozen", "the book is frozen", &[]),
    ("currency-frozen", "the currency is frozen", &["currency"]),
    ("account-frozen", "the account is frozen", &["account"]),
    ("account-closed", "the account is closed", &["account"]),
    (
        "insufficient-funds",
        "the account would fall below its minimum",
        &["account", "balance_after", "min_balance"],
    ),
    (
        "over-maximum",
        "the account would rise above its maximum",
        &["account", "balance_after", "max_balance"],
    ),
];

/// Whether this is a reason that the ledger itself gives for a deny.
#[must_use]
pub fn ledger_says(reason: &Reason) -> bool {
    let said = &*reason.rule;
    let keys = || reason.facts.iter().map(|(key, _)| key.as_str());
    said.pack.as_str() == PACK
        && said.version == VERSION
        && said.decision == Verdict::Deny
        && TOLD.iter().any(|(rule, text, facts)| {
            said.rule.as_str() == *rule && said.reason == *text && keys().eq(facts.iter().copied())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_that_the_engine_writes_is_told_here() {
        let engine = include_str!("engine/ledger_rules.rs");
        for (rule, text, facts) in TOLD {
            for word in [rule, text].into_iter().chain(*facts) {
                assert!(engine.contains(&format!("\"{word}\"")), "{word}");
            }
        }
        // Reasons with a state behind them are made one by one; the others stand in one table.
        let made = engine.matches("=> make(").count();
        let (_, table) = engine
            .split_once("let (name, text) = match rule")
            .unwrap_or_default();
        let (table, _) = table.split_once("};").unwrap_or_default();
        assert_eq!(made + table.matches("Rule::").count(), TOLD.len());
    }
}
