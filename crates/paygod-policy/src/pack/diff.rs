//! What is different between two packs: inputs, rules, and the verdicts on their own cases.

use std::collections::BTreeSet;

use super::cases::Case;
use super::{Contents, Pack, Rule};

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What it is a difference of, such as `rule above-limit`.
    pub subject: String,
    /// Before; empty if it was not there.
    pub before: String,
    /// After; empty if it is no longer there.
    pub after: String,
}

/// A case on which the two packs decide differently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turned {
    /// The case; of two with one name that differ, the one of the pack after.
    pub case: String,
    /// What the pack before says of it.
    pub before: String,
    /// What the pack after says of it.
    pub after: String,
}

/// How two packs differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackDiff {
    /// The differences, rules last.
    pub changes: Vec<Change>,
    /// How many cases were judged by both packs.
    pub judged: usize,
    /// The cases whose verdict or rules turned.
    pub turned: Vec<Turned>,
}

impl PackDiff {
    /// Whether the two decide alike as far as this can tell: no difference but in words, and no case turned.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.turned.is_empty()
    }
}

impl Pack {
    /// Compares this pack with the one that is to follow it. The cases of both are judged by both.
    #[must_use]
    pub fn diff(&self, after: &Self) -> PackDiff {
        let (a, b) = (&*self.contents, &*after.contents);
        let mut changes = Vec::new();
        let mut note = |subject: &str, before: String, after: String| {
            if before != after {
                changes.push(Change {
                    subject: subject.to_owned(),
                    before,
                    after,
                });
            }
        };
        note("name", a.named.name.to_string(), b.named.name.to_string());
        note("version", a.named.version.clone(), b.named.version.clone());
        note(
            "approvals",
            a.approvals.to_string(),
            b.approvals.to_string(),
        );
        note("lists", a.lists.join(", "), b.lists.join(", "));
        for name in union(a, b, |c| {
            c.inputs.iter().map(|(name, _)| name.clone()).collect()
        }) {
            note(&format!("input {name}"), input(a, &name), input(b, &name));
        }
        for name in union(a, b, |c| {
            c.rules.iter().map(|r| r.info.rule.to_string()).collect()
        }) {
            let (before, after) = (rule(a, &name), rule(b, &name));
            let parts: [(&str, Spelt); 3] = [
                ("decision", |r| r.info.decision.to_string()),
                ("condition", |r| words(&r.text)),
                ("reason", |r| r.info.reason.clone()),
            ];
            for (part, of) in parts {
                let (before, after) = (before.map(of), after.map(of));
                note(
                    &format!("rule {name}: {part}"),
                    before.unwrap_or_default(),
                    after.unwrap_or_default(),
                );
            }
        }
        let (judged, turned) = self.turned(after);
        PackDiff {
            changes,
            judged,
            turned,
        }
    }

    fn turned(&self, after: &Self) -> (usize, Vec<Turned>) {
        let ours = self.contents.cases.iter();
        let theirs = after.contents.cases.iter();
        let old = ours.filter(|case| !after.contents.cases.iter().any(|c| c.name == case.name));
        let cases: Vec<&Case> = theirs.chain(old).collect();
        let judge = |pack: &Self, case: &Case| match pack.judge_case(case, &[]) {
            Ok(judged) => {
                let rules: BTreeSet<&str> = judged
                    .decision
                    .reasons
                    .iter()
                    .map(|reason| reason.rule.rule.as_str())
                    .collect();
                let rules: Vec<&str> = rules.into_iter().collect();
                format!("{} by {}", judged.decision.verdict, rules.join(", "))
            }
            Err(message) => format!("cannot be judged: {message}"),
        };
        let mut turned = Vec::new();
        for case in &cases {
            let (before, after) = (judge(self, case), judge(after, case));
            if before != after {
                turned.push(Turned {
                    case: case.name.clone(),
                    before,
                    after,
                });
            }
        }
        (cases.len(), turned)
    }
}

/// How a part of a rule is spelt to be compared.
type Spelt = fn(&Rule) -> String;

/// Names in either, those of `a` first, each once.
fn union(a: &Contents, b: &Contents, names: fn(&Contents) -> Vec<String>) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for name in names(a).into_iter().chain(names(b)) {
        if !all.contains(&name) {
            all.push(name);
        }
    }
    all
}

fn input(contents: &Contents, name: &str) -> String {
    let mut inputs = contents.inputs.iter().zip(&contents.schemas);
    let found = inputs.find(|((known, _), _)| known == name);
    found.map_or_else(String::new, |((_, path), schema)| {
        let mut bytes = Vec::new();
        schema.write(&mut bytes);
        let digest = paygod_types::Digest::sha256(&bytes).to_string();
        let short: String = digest.chars().take(16).collect();
        let mut source = vec![contents.subject.as_str()];
        source.extend(path.iter().map(String::as_str));
        format!("{} with schema {short}…", source.join("."))
    })
}

fn rule<'a>(contents: &'a Contents, name: &str) -> Option<&'a Rule> {
    contents.rules.iter().find(|r| r.info.rule.as_str() == name)
}

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
