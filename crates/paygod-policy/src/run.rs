//! Judging one document without a book: the decision and everything that shows how it came about.
//!
//! A **run** is a set of files, each a function of the document, the packs, the lists and the clock alone, so
//! that the same run gives the same bytes wherever and whenever it is repeated:
//!
//! | file | says |
//! | --- | --- |
//! | `plan.json` | what is judged by what, and which time was told to it |
//! | `findings.json` | every rule that spoke, in its own words, with the facts it read |
//! | `decision.json` | the verdict, bound to plan and findings by their digests |
//! | `receipt.json` | the verdict and the digests of everything: what to keep |
//! | `manifest.json` | every file of the folder with its size and digest |
//!
//! Beside them stands the evidence: the document, the packs' archives and the lists. With it anyone can judge
//! again ([`Run::judge`]) and must get the same files. Nothing here is signed: whoever can write the folder can
//! make another run; what was kept of this one (its receipt's digest, sealed in a book for instance) tells them apart.
//! The formats are in `contracts/schemas/run-*.v1.json`.

use std::collections::BTreeMap;
use std::sync::Arc;

use paygod_types::code::Code;
use paygod_types::{Digest, Timestamp};

use crate::decision::{Decision, Verdict};
use crate::json::Json;
use crate::list::List;
use crate::pack::Pack;
use crate::ruleset::{Named, PrepareError, Prepared, Ruleset, RulesetError, Scratch};
use crate::window::{Facts, WindowFact};

/// The name of the plan.
pub const PLAN: &str = "plan.json";
/// The name of the findings.
pub const FINDINGS: &str = "findings.json";
/// The name of the decision.
pub const DECISION: &str = "decision.json";
/// The name of the receipt.
pub const RECEIPT: &str = "receipt.json";
/// The name of the manifest.
pub const MANIFEST: &str = "manifest.json";
/// The name of the document that was judged, in the evidence.
pub const INPUT: &str = "evidence/input.json";

/// Why there is no run.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// Packs and lists do not go together.
    #[error(transparent)]
    Ruleset(#[from] RulesetError),
    /// The document is not JSON.
    #[error(transparent)]
    Document(#[from] PrepareError),
}

impl RunError {
    /// The permanent code.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Ruleset(error) => error.code(),
            Self::Document(error) => error.code(),
        }
    }
}

/// A document, judged.
#[derive(Debug)]
pub struct Run {
    /// What was decided.
    pub decision: Decision,
    /// Every file of the run by its name, evidence and manifest included.
    pub files: BTreeMap<String, Vec<u8>>,
}

impl Run {
    /// Judges a document: a JSON object, or an array, which is judged as the `items` of an object. There is no
    /// history: every window is empty.
    ///
    /// # Errors
    /// [`RunError`]: the packs and lists do not go together, or the document is not JSON.
    pub fn judge(
        packs: &[Pack],
        lists: &[Arc<List>],
        document: &[u8],
        clock: Timestamp,
    ) -> Result<Self, RunError> {
        let mut builder = Ruleset::builder();
        for pack in packs {
            builder = builder.pack(pack.clone());
        }
        for list in lists {
            builder = builder.list(Arc::clone(list));
        }
        let ruleset = builder.build()?;
        let (mut scratch, mut prepared) = (Scratch::default(), Prepared::default());
        ruleset.prepare(&mut scratch, &judgeable(document), &mut prepared)?;
        let windows = vec![WindowFact::default(); prepared.windows().len()];
        let facts = Facts {
            windows: &windows,
            accounts: &[],
            time: Some(clock),
        };
        let decision = ruleset.decide(&mut scratch, &prepared, facts);

        let mut files = BTreeMap::new();
        files.insert(INPUT.to_owned(), document.to_vec());
        for pack in packs {
            let name = evidence("packs", pack.named(), "paygod-pack");
            files.insert(name, pack.archive().to_vec());
        }
        for list in lists {
            let name = evidence("lists", list.named(), "jsonl");
            files.insert(name, list.bytes().to_vec());
        }
        let evidence: Vec<Json> = files
            .iter()
            .map(|(name, bytes)| file(name, bytes))
            .collect();
        let plan = plan(&ruleset, document, clock);
        let findings = findings(&decision);
        let said = decided(&decision, &plan, &findings);
        let receipt = receipt(&decision, clock, evidence, &[&plan, &findings, &said]);
        for (name, bytes) in [
            (PLAN, plan),
            (FINDINGS, findings),
            (DECISION, said),
            (RECEIPT, receipt),
        ] {
            files.insert(name.to_owned(), bytes);
        }
        let listed = files.iter().map(|(name, bytes)| file(name, bytes));
        let manifest = written(
            "run-manifest",
            vec![("files", Json::Array(listed.collect()))],
        );
        files.insert(MANIFEST.to_owned(), manifest);
        Ok(Self { decision, files })
    }

    /// The digest of the receipt, which names the run: keep it where the folder's owner cannot reach it.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let receipt = self.files.get(RECEIPT).map(Vec::as_slice);
        Digest::sha256(receipt.unwrap_or_default())
    }
}

/// Whether a verdict lets what was judged go on without a person: allowed, or flagged for a later look.
#[must_use]
pub const fn goes_on(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Allow | Verdict::Flag)
}

/// A document as packs read it: an array has no name of its own to be read by.
pub(crate) fn judgeable(document: &[u8]) -> Vec<u8> {
    let first = document.iter().find(|byte| !byte.is_ascii_whitespace());
    if first == Some(&b'[') {
        [b"{\"items\":", document, b"}"].concat()
    } else {
        document.to_vec()
    }
}

/// Where a pack or list lies in the evidence. Names may hold slashes and colons: its digest is its name.
fn evidence(kind: &str, named: &Named, extension: &str) -> String {
    format!("evidence/{kind}/{}.{extension}", named.digest)
}

fn text(value: impl ToString) -> Json {
    Json::Text(value.to_string())
}

fn number(value: impl ToString) -> Json {
    Json::Number(value.to_string())
}

fn object(members: Vec<(&str, Json)>) -> Json {
    let members = members.into_iter();
    Json::Object(
        members
            .map(|(key, value)| (key.to_owned(), value))
            .collect(),
    )
}

/// A document of the run: canonical JSON with its kind and version. Every number in it is a small integer.
fn written(kind: &str, mut members: Vec<(&str, Json)>) -> Vec<u8> {
    members.push(("kind", text(kind)));
    members.push(("v", number(1)));
    let mut out = Vec::new();
    object(members).write(&mut out);
    out
}

pub(crate) fn file(name: &str, bytes: &[u8]) -> Json {
    object(vec![
        ("bytes", number(bytes.len())),
        ("digest", text(Digest::sha256(bytes))),
        ("name", text(name)),
    ])
}

fn named(all: &[Named]) -> Json {
    let named = all.iter().map(|one| {
        object(vec![
            ("digest", text(one.digest)),
            ("name", text(&one.name)),
            ("version", text(&one.version)),
        ])
    });
    Json::Array(named.collect())
}

fn plan(ruleset: &Ruleset, document: &[u8], clock: Timestamp) -> Vec<u8> {
    written(
        "run-plan",
        vec![
            ("clock", text(clock)),
            ("input", file(INPUT, document)),
            ("lists", named(ruleset.lists())),
            ("packs", named(ruleset.packs())),
            ("policy", text(ruleset.digest())),
        ],
    )
}

fn findings(decision: &Decision) -> Vec<u8> {
    let found = decision.reasons.iter().map(|reason| {
        let facts = reason.facts.iter();
        let facts = facts.map(|(key, value)| (key.clone(), text(value)));
        object(vec![
            ("decision", text(reason.rule.decision)),
            ("facts", Json::Object(facts.collect())),
            ("pack", text(&reason.rule.pack)),
            ("reason", text(&reason.rule.reason)),
            ("rule", text(&reason.rule.rule)),
            ("version", text(&reason.rule.version)),
        ])
    });
    written(
        "run-findings",
        vec![("findings", Json::Array(found.collect()))],
    )
}

fn decided(decision: &Decision, plan: &[u8], findings: &[u8]) -> Vec<u8> {
    written(
        "run-decision",
        vec![
            ("approvals_required", number(decision.approvals_required)),
            ("decision", text(decision.verdict)),
            ("findings", text(Digest::sha256(findings))),
            ("fuel", number(decision.fuel)),
            ("plan", text(Digest::sha256(plan))),
        ],
    )
}

fn receipt(
    decision: &Decision,
    clock: Timestamp,
    mut evidence: Vec<Json>,
    [plan, findings, said]: &[&Vec<u8>; 3],
) -> Vec<u8> {
    evidence.extend([
        file(DECISION, said),
        file(FINDINGS, findings),
        file(PLAN, plan),
    ]);
    written(
        "run-receipt",
        vec![
            ("clock", text(clock)),
            ("decision", text(decision.verdict)),
            ("files", Json::Array(evidence)),
        ],
    )
}
