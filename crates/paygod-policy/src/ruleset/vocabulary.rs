//! Everything that a pack can say in a decision, for whoever checks sealed decisions without judging again.
//!
//! The words are sealed with every verdict, so the texts that no rule wrote are as permanent as entries: a
//! new wording is added here beside the old one, never put in its place.

use std::collections::HashMap;

use paygod_types::{Currency, Name};

use super::Named;
use crate::decision::{Reason, RuleInfo, Verdict};
use crate::eval::EvalError;
use crate::pack::Pack;

/// Before what went wrong when a rule was evaluated.
pub(super) const ERRED: &str = "the rule could not be evaluated: ";

/// Rule and reason when no rule of a pack fired.
pub(super) const UNMATCHED: [&str; 2] = ["no-rule-matched", "no rule of the pack matched"];

/// Rule and reason when the transfer is none that the pack can judge.
pub(super) const INVALID: [&str; 2] = [
    "input-invalid",
    "the transfer is not what the pack's schema describes",
];

/// Rule and reason when a decision ran out of fuel.
pub(super) const EXHAUSTED: [&str; 2] =
    ["fuel-exhausted", "the decision needs more fuel than it has"];

/// Rule and reason when there is no pack.
pub(super) const NO_POLICY: [&str; 2] = [
    "no-active-policy",
    "no pack is active, so nothing is allowed",
];

/// The pack name of reasons that no pack gave.
pub(super) const POLICY: &str = "policy";

/// What one pack can say. Small beside the pack: its rules, without their conditions.
#[derive(Clone, Debug)]
pub struct Vocabulary {
    named: Named,
    lists: Vec<String>,
    judges_documents: bool,
    rules: HashMap<Name, (Verdict, String)>,
}

impl Vocabulary {
    /// What this pack can say.
    #[must_use]
    pub fn of(pack: &Pack) -> Self {
        let told = |rule: &RuleInfo| (rule.rule.clone(), (rule.decision, rule.reason.clone()));
        Self {
            named: pack.named().clone(),
            lists: pack.lists().to_vec(),
            judges_documents: pack.judges_documents(),
            rules: pack.rules().map(told).collect(),
        }
    }

    /// The pack.
    #[must_use]
    pub const fn named(&self) -> &Named {
        &self.named
    }

    /// Why the pack cannot be active in a book with these lists, if it cannot.
    #[must_use]
    pub fn unfit(&self, lists: &[Named]) -> Option<String> {
        let name = &self.named.name;
        if self.judges_documents {
            return Some(format!("`{name}`, which judges documents"));
        }
        let has = |list: &str| lists.iter().any(|named| named.name.as_str() == list);
        let missing = self.lists.iter().find(|list| !has(list))?;
        Some(format!("`{name}`, which reads the list `{missing}`"))
    }

    /// Whether the pack has a rule of this name that allows.
    #[must_use]
    pub fn allows(&self, rule: &Name) -> bool {
        let found = self.rules.get(rule);
        found.is_some_and(|(decision, _)| *decision == Verdict::Allow)
    }

    /// Whether judging by the pack can give this reason: a rule that fired, in its own words; a rule that
    /// erred; or that none fired, or that the transfer was none.
    #[must_use]
    pub fn says(&self, reason: &Reason) -> bool {
        let said = &*reason.rule;
        if said.pack != self.named.name || said.version != self.named.version {
            return false;
        }
        let rule = self.rules.get(&said.rule);
        if let Some((decision, text)) = rule
            && (*decision, text) == (said.decision, &said.reason)
        {
            return true;
        }
        let keys = reason.facts.iter().map(|(key, _)| key.as_str());
        said.decision == Verdict::Deny
            && (rule.is_some() && erred(reason)
                || is(said, UNMATCHED) && reason.facts.is_empty()
                || is(said, INVALID) && keys.eq(["field", "problem"]))
    }
}

/// Whether this is a reason that judging gives beside those of packs: fuel ran out, or there was no pack.
#[must_use]
pub fn policy_says(reason: &Reason) -> bool {
    let said = &*reason.rule;
    said.pack.as_str() == POLICY
        && said.decision == Verdict::Deny
        && reason.facts.is_empty()
        && (is(said, EXHAUSTED) || is(said, NO_POLICY))
}

fn is(said: &RuleInfo, [rule, reason]: [&str; 2]) -> bool {
    said.rule.as_str() == rule && said.reason == reason
}

/// Whether the words and the one fact are those of an error.
fn erred(reason: &Reason) -> bool {
    let Some(told) = reason.rule.reason.strip_prefix(ERRED) else {
        return false;
    };
    let [(key, name)] = reason.facts.as_slice() else {
        return false;
    };
    let mut known = EvalError::SEALED.iter().copied().chain(currencies(told));
    key == "error" && known.any(|error| error.name() == name && error.to_string() == told)
}

/// The one error that tells of what it met.
fn currencies(told: &str) -> Option<EvalError> {
    let (left, right) = told
        .strip_prefix("an amount in ")?
        .split_once(" meets one in ")?;
    Some(EvalError::Currencies {
        left: Currency::parse(left).ok()?,
        right: Currency::parse(right.get(..3)?).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::sync::Arc;

    const PACK: &str = "\
api_version: paygod/v1
kind: Pack
metadata:
  name: small
  version: 1.0.0
  description: Allows small payments.
  maintainer: paygod
spec:
  inputs:
    - name: payment
      type: object
      source: transfer
      schema: paygod:payment.v1
  policy:
    rules:
      - name: small
        condition: payment.amount <= money(\"10.00\", \"EUR\")
        decision: allow
        reason: It is small.
      - name: large
        condition: payment.amount > money(\"10.00\", \"EUR\")
        decision: deny
        reason: It is large.
";
    const CASES: &str = "\
cases:
  - name: small
    input: {payment: {amount: \"5.00\", currency: EUR, debit: a, credit: b}}
    expect: {decision: allow}
  - name: large
    input: {payment: {amount: \"5000.00\", currency: EUR, debit: a, credit: b}}
    expect: {decision: deny}
";

    fn pack() -> Pack {
        let files = [("pack.yaml", PACK), ("tests/cases.yaml", CASES)];
        let files = files.map(|(path, text)| (path.to_owned(), text.to_owned()));
        Pack::from_files(&BTreeMap::from(files)).unwrap()
    }

    fn reason(rule: [&str; 2], decision: Verdict, facts: &[(&str, &str)]) -> Reason {
        let fact = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        Reason {
            rule: Arc::new(RuleInfo {
                pack: Name::parse("small").unwrap(),
                version: "1.0.0".to_owned(),
                rule: Name::parse(rule[0]).unwrap(),
                decision,
                reason: rule[1].to_owned(),
            }),
            facts: facts.iter().map(fact).collect(),
        }
    }

    #[test]
    fn everything_that_judging_says_is_in_the_vocabulary() {
        let vocabulary = Vocabulary::of(&pack());
        let ruleset = crate::Ruleset::builder().pack(pack()).build().unwrap();
        let (mut scratch, mut prepared) = (crate::Scratch::default(), crate::Prepared::default());
        let transfers = [
            r#"{"amount":"5.00","currency":"EUR","debit":"a","credit":"b"}"#,
            r#"{"amount":"50.00","currency":"EUR","debit":"a","credit":"b"}"#,
            r#"{"amount":"50.00","currency":"USD","debit":"a","credit":"b"}"#,
            r#"{"amount":5,"currency":"EUR","debit":"a","credit":"b"}"#,
        ];
        let mut said = 0;
        for transfer in transfers {
            ruleset
                .prepare(&mut scratch, transfer.as_bytes(), &mut prepared)
                .unwrap();
            let decision = ruleset.decide(&mut scratch, &prepared, crate::Facts::default());
            for reason in &decision.reasons {
                assert!(vocabulary.says(reason), "{reason:?}");
                if reason.rule.decision == Verdict::Allow {
                    assert!(vocabulary.allows(&reason.rule.rule));
                }
                said += 1;
            }
        }
        assert!(said >= transfers.len());
        for error in EvalError::SEALED {
            let text = format!("{ERRED}{error}");
            let reason = reason(["small", &text], Verdict::Deny, &[("error", error.name())]);
            assert!(vocabulary.says(&reason), "{reason:?}");
        }
    }

    #[test]
    fn what_no_judging_says_is_not() {
        let vocabulary = Vocabulary::of(&pack());
        let [overflow, name] = [
            "the rule could not be evaluated: a number passes its range",
            "overflow",
        ];
        let forged = [
            // Rules that are not there, or say another thing, or in other words.
            reason(["trust-me", "It is small."], Verdict::Allow, &[]),
            reason(["large", "It is large."], Verdict::Flag, &[]),
            reason(["large", "Looked at, and fine."], Verdict::Deny, &[]),
            // Errors of no rule, of no kind, in other words, that do not deny.
            reason(["trust-me", overflow], Verdict::Deny, &[("error", name)]),
            reason(["small", overflow], Verdict::Deny, &[("error", "type")]),
            reason(["small", overflow], Verdict::Deny, &[]),
            reason(["small", overflow], Verdict::Flag, &[("error", name)]),
            reason(
                ["small", &format!("{ERRED}bad luck")],
                Verdict::Deny,
                &[("error", name)],
            ),
            reason(UNMATCHED, Verdict::Flag, &[]),
            reason([UNMATCHED[0], "never mind"], Verdict::Deny, &[]),
            reason(INVALID, Verdict::Deny, &[]),
            // What only the ruleset says, in the pack's name.
            reason(EXHAUSTED, Verdict::Deny, &[]),
        ];
        for reason in forged {
            assert!(!vocabulary.says(&reason), "{reason:?}");
        }
        assert!(!vocabulary.allows(&Name::parse("large").unwrap()));
        assert!(!vocabulary.allows(&Name::parse("trust-me").unwrap()));
    }
}
