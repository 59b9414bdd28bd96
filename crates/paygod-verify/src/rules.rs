//! The rules that decisions name: each is one that an active pack has, or one of the few that the engine
//! writes itself, and says what is written there. That a rule fired rightly takes the vault to tell.

use std::collections::HashMap;
use std::sync::Arc;

use paygod_core::entry::{AllowingRule, Decision};
use paygod_core::ledger_says;
use paygod_policy::{Vocabulary, policy_says};
use paygod_types::Name;

use crate::failure::{Check, Failure, Place};

/// What the packs in force can say.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    /// By name; `None` when a pack could not be read: that was reported at its activation.
    packs: Option<HashMap<Name, Arc<Vocabulary>>>,
    /// What was found to be allowed last. Most payments are allowed by the same rules.
    last: Vec<AllowingRule>,
}

impl Rules {
    /// Before any activation: no pack says anything.
    pub(crate) fn none() -> Self {
        Self {
            packs: Some(HashMap::new()),
            last: Vec::new(),
        }
    }

    /// Another set is in force; without all its packs, nothing can be told of its decisions.
    pub(crate) fn activate(&mut self, packs: Option<Vec<Arc<Vocabulary>>>) {
        let by_name = |pack: Arc<Vocabulary>| (pack.named().name.clone(), pack);
        self.packs = packs.map(|packs| packs.into_iter().map(by_name).collect());
        self.last.clear();
    }

    /// Checks the rules that the decision of entry `index` names.
    pub(crate) fn check(&mut self, index: u64, decision: &Decision) -> Option<Failure> {
        let packs = self.packs.as_ref()?;
        if decision.allowed != self.last {
            if let Some((rule, expected)) = wrong(packs, &decision.allowed) {
                return Some(failure(index, expected, format!("`{rule}`")));
            }
            self.last.clone_from(&decision.allowed);
        }
        for reason in &decision.reasons {
            let said = &reason.rule;
            let pack = packs.get(&said.pack);
            if pack.is_some_and(|pack| pack.says(reason))
                || ledger_says(reason)
                || policy_says(reason)
            {
                continue;
            }
            let found = format!(
                "{} by `{}` {} `{}`: {}",
                said.decision, said.pack, said.version, said.rule, said.reason
            );
            let expected = "a rule that an active pack has, and what it says";
            return Some(failure(index, expected, found));
        }
        None
    }
}

/// The first rule that does not allow, or is named before.
fn wrong<'a>(
    packs: &HashMap<Name, Arc<Vocabulary>>,
    allowed: &'a [AllowingRule],
) -> Option<(&'a AllowingRule, &'static str)> {
    allowed.iter().enumerate().find_map(|(at, rule)| {
        let pack = packs.get(&rule.pack);
        if !pack.is_some_and(|pack| pack.allows(&rule.rule)) {
            return Some((rule, "a rule of an active pack that allows"));
        }
        let mut before = allowed.iter().take(at);
        before
            .any(|other| other == rule)
            .then_some((rule, "rules that allow, each once"))
    })
}

#[cold]
fn failure(index: u64, expected: &str, found: String) -> Failure {
    Failure::new(Check::Rule, Place::Entry(index), expected, found)
}
