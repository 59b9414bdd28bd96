//! What loads and passes, and is still not good enough to trust with money.

use std::collections::BTreeMap;

use super::cases::Case;
use super::{Pack, archive};
use crate::decision::Verdict;
use crate::json::Json;

/// Something to mend in a pack that loads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The check's permanent name.
    pub lint: &'static str,
    /// What is wrong and what to do about it.
    pub message: String,
}

impl Pack {
    /// Finds what a reviewer would send back: cases that prove nothing, rules that no case makes speak, inputs
    /// that no rule reads, reasons that cannot be told apart, a README that does not say where the rules come
    /// from.
    #[must_use]
    pub fn lint(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut find = |lint: &'static str, message: String| {
            findings.push(Finding { lint, message });
        };
        if !self.differs_in_an_input() {
            find(
                "cases-differ",
                "no allow case and deny case differ in an input alone; add two cases with the same lists and \
                 history of which one value makes a rule deny"
                    .to_owned(),
            );
        }
        let report = self.run_cases(&[]);
        for case in report.cases.iter().filter(|case| case.failure.is_some()) {
            find(
                "case-fails",
                format!("the case `{}` fails; see `paygod pack test`", case.name),
            );
        }
        for rule in report.coverage.iter().filter(|rule| rule.fired == 0) {
            find(
                "rule-silent",
                format!(
                    "no case makes the rule `{}` speak; add one, or drop the rule",
                    rule.rule
                ),
            );
        }
        let mut reasons: BTreeMap<&str, &str> = BTreeMap::new();
        for rule in self.rules() {
            if let Some(first) = reasons.insert(&rule.reason, rule.rule.as_str()) {
                find(
                    "reason-repeated",
                    format!(
                        "the rules `{first}` and `{}` give the same reason; say what is different",
                        rule.rule
                    ),
                );
            }
        }
        // The root's schema also says what may be there at all.
        let parts = self.contents.inputs.iter().filter(|(_, p)| !p.is_empty());
        for (name, _) in parts {
            if !self.contents.rules.iter().any(|r| mentions(&r.text, name)) {
                find(
                    "input-unread",
                    format!("no rule reads the input `{name}`; drop it, or say what it is for"),
                );
            }
        }
        let files = archive::read(self.archive()).unwrap_or_default().files;
        match files.get("README.md") {
            None => find(
                "readme",
                "there is no README.md; say what the pack decides, and why".to_owned(),
            ),
            Some(text) if !text.contains("## Sources") => find(
                "readme",
                "README.md has no `## Sources`; name the law, standard or practice behind the rules"
                    .to_owned(),
            ),
            Some(_) => {}
        }
        findings
    }

    /// Whether an allow case and a deny case, with the same facts, differ in their inputs, the denial being one
    /// of a rule and not of the schema.
    fn differs_in_an_input(&self) -> bool {
        let cases = &self.contents.cases;
        let denied_by_rule = |case: &Case| {
            self.judge_case(case, &[]).is_ok_and(|judged| {
                let mut reasons = judged.decision.reasons.iter();
                judged.decision.verdict == Verdict::Deny
                    && reasons.any(|reason| {
                        let mut rules = self.contents.rules.iter();
                        rules.any(|rule| rule.info.rule == reason.rule.rule)
                    })
            })
        };
        let allows = || cases.iter().filter(|case| case.decision == Verdict::Allow);
        let mut denies = cases.iter().filter(|case| case.decision == Verdict::Deny);
        denies.any(|deny| {
            allows().any(|allow| same_facts(allow, deny) && written(allow) != written(deny))
                && denied_by_rule(deny)
        })
    }
}

fn same_facts(a: &Case, b: &Case) -> bool {
    let lists = |case: &Case| -> Vec<_> {
        let mut lists: Vec<_> = case
            .lists
            .values()
            .map(|list| list.named().clone())
            .collect();
        lists.sort();
        lists
    };
    let history = |case: &Case| -> Vec<_> {
        let past = case.history.iter();
        past.map(|(ago, input)| (*ago, values(input))).collect()
    };
    lists(a) == lists(b) && history(a) == history(b)
}

fn written(case: &Case) -> Vec<(String, Vec<u8>)> {
    values(&case.input)
}

fn values(input: &BTreeMap<String, Json>) -> Vec<(String, Vec<u8>)> {
    let spelt = input.iter().map(|(name, value)| {
        let mut out = Vec::new();
        value.write(&mut out);
        (name.clone(), out)
    });
    spelt.collect()
}

/// Whether a condition names an input.
fn mentions(condition: &str, name: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut words = condition.split(|c: char| !word(c));
    words.any(|found| found == name)
}
