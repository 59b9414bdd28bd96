//! Packs: `pack.yaml` and its neighbours, read, checked and digested.
//!
//! A pack is a folder of text files: `pack.yaml` (what it reads and its rules), `tests/cases.yaml` (at least
//! one allow and one deny), usually `README.md`, and JSON Schemas that its inputs name. Reading the folder is
//! the caller's work. Every problem of a pack is found in one reading and told with file, line and column.

mod archive;
mod cases;
mod coverage;
mod diff;
mod explain;
mod lint;
mod manifest;
mod problem;
mod yaml;

use std::collections::BTreeMap;
use std::sync::Arc;

use paygod_types::code::{self, Code};
use paygod_types::limits::APPROVALS_MAX;
use paygod_types::{Digest, Name};
use serde_saphyr::Spanned;

use crate::contract;
use crate::decision::{RuleInfo, Verdict};
use crate::json::Json;
use crate::lang::Scope;
use crate::lang::ast::Problem;
use crate::lang::check::{Collected, check};
use crate::lang::parser::parse;
use crate::lang::ty::duration_text;
use crate::lang::typed::Typed;
use crate::limits::{PROBLEMS_MAX, RULES_PER_PACK_MAX};
use crate::ruleset::Named;
use crate::schema::{self, Attachment, Shape};

pub use cases::{CaseReport, CasesReport, Covered, RuleCoverage};
pub use coverage::BranchCoverage;
pub use diff::{Change, PackDiff, Turned};
pub use explain::{Explanation, RuleExplanation, RuleOutcome, Step};
pub use lint::Finding;
pub use problem::PackProblem;
use problem::{Place, place_of, raw_offset};

const MANIFEST: &str = "pack.yaml";
const CASES: &str = "tests/cases.yaml";
/// Bytes of a reason, which goes into every entry whose decision it explains.
const REASON_BYTES_MAX: usize = 200;

/// Everything wrong with a pack, found in one reading.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct PackError {
    /// The problems, in the order of the files.
    pub problems: Vec<PackProblem>,
}

impl PackError {
    /// The permanent code.
    #[must_use]
    pub fn code(&self) -> Code {
        match self.problems.first().map(|p| p.file.as_str()) {
            Some("archive") => code::PACK_ARCHIVE,
            Some(CASES) => code::PACK_CASES,
            _ => code::PACK_PROBLEMS,
        }
    }
}

/// A rule, checked.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) info: Arc<RuleInfo>,
    /// The condition as written; checked again where packs share a layout.
    pub(crate) text: String,
}

impl Rule {
    /// What the rule's names mean in a layout.
    pub(crate) fn scope<'a>(&self, shape: &'a Shape, inputs: &'a [InputPath]) -> Scope<'a> {
        Scope {
            shape,
            inputs,
            reviews: self.info.decision == Verdict::Review,
        }
    }
}

/// An input's name, and its path below the transfer.
pub(crate) type InputPath = (String, Vec<String>);

#[derive(Debug)]
pub(crate) struct Contents {
    pub(crate) named: Named,
    pub(crate) archive: Vec<u8>,
    pub(crate) subject: Subject,
    pub(crate) description: String,
    pub(crate) tags: Vec<String>,
    pub(crate) inputs: Vec<InputPath>,
    /// The schema of each input.
    pub(crate) schemas: Vec<Json>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) approvals: u32,
    pub(crate) lists: Vec<String>,
    /// In nanoseconds; 0 if there are no windows but those over linked transfers.
    longest_window_ns: i64,
    pub(crate) cases: Vec<cases::Case>,
}

/// A pack, loaded and type-checked. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Pack {
    pub(crate) contents: Arc<Contents>,
}

impl Pack {
    /// Loads a pack from its files: relative path (with `/`) to text. Reading the folder is the caller's.
    ///
    /// # Errors
    /// [`PackError`] with every problem found.
    pub fn from_files(files: &BTreeMap<String, String>) -> Result<Self, PackError> {
        archive::check(files).map_err(one)?;
        let Some(source) = files.get(MANIFEST) else {
            return Err(one(PackProblem::of_file(
                MANIFEST,
                "the file is missing; a pack is described by it",
            )));
        };
        let manifest: manifest::Manifest = yaml::read(MANIFEST, source).map_err(one)?;
        let mut loader = Loader {
            subject: Subject::default(),
            source,
            files,
            problems: Vec::new(),
            contracts: BTreeMap::new(),
        };
        let contents = loader.load(&manifest);
        loader.problems.truncate(PROBLEMS_MAX);
        match contents {
            Some(contents) if loader.problems.is_empty() => Ok(Self {
                contents: Arc::new(contents),
            }),
            _ => Err(PackError {
                problems: loader.problems,
            }),
        }
    }

    /// Loads a pack from its canonical archive.
    ///
    /// # Errors
    /// [`PackError`] with every problem found; also if the archive is not canonical, or made for schemas that were never
    /// built in.
    pub fn from_archive(bytes: &[u8]) -> Result<Self, PackError> {
        let archive::Read { files, contracts } = archive::read(bytes).map_err(one)?;
        let pack = Self::from_files(&files)?;
        if pack.contents.archive == bytes {
            return Ok(pack);
        }
        let now = archive::read(pack.archive()).map_err(one)?.contracts;
        let is_former = contracts.keys().eq(now.keys())
            && contracts
                .iter()
                .all(|(name, digest)| contract::was(name, digest))
            && archive::write(&files, &contracts) == bytes;
        if !is_former {
            let message = "these are not the bytes that the pack's files make with the built-in schemas of this \
                           version or an earlier one; build the archive again";
            return Err(one(PackProblem::of_file("archive", message)));
        }
        let mut contents = pack.contents;
        if let Some(contents) = Arc::get_mut(&mut contents) {
            contents.named.digest = Digest::sha256(bytes);
            contents.archive = bytes.to_vec();
        }
        Ok(Self { contents })
    }

    /// Name, version, digest.
    #[must_use]
    pub fn named(&self) -> &Named {
        &self.contents.named
    }

    /// The canonical archive, whose SHA-256 is the digest.
    #[must_use]
    pub fn archive(&self) -> &[u8] {
        &self.contents.archive
    }

    /// What it is for, in its own words.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.contents.description
    }

    /// Its tags.
    #[must_use]
    pub fn tags(&self) -> &[String] {
        &self.contents.tags
    }

    /// The lists its rules read.
    #[must_use]
    pub fn lists(&self) -> &[String] {
        &self.contents.lists
    }

    /// How far the longest of its windows looks back, as in `7d`; `None` if none looks at what was sealed before. What was
    /// sealed while neither it nor another pack with the same windows was active is not in them.
    #[must_use]
    pub fn longest_window(&self) -> Option<String> {
        let ns = self.contents.longest_window_ns;
        (ns > 0).then(|| duration_text(ns))
    }

    /// Whether it judges documents with `paygod run`, and not the transfers of a book.
    #[must_use]
    pub fn judges_documents(&self) -> bool {
        self.contents.subject == Subject::Document
    }

    /// Its rules, in order.
    pub fn rules(&self) -> impl ExactSizeIterator<Item = &RuleInfo> {
        self.contents.rules.iter().map(|rule| &*rule.info)
    }
}

fn one(problem: PackProblem) -> PackError {
    PackError {
        problems: vec![problem],
    }
}

/// What a pack judges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Subject {
    /// The transfers of a book.
    #[default]
    Transfer,
    /// Any JSON document, outside a book.
    Document,
}

impl Subject {
    /// The word that sources begin with.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Transfer => "transfer",
            Self::Document => "document",
        }
    }
}

struct Loader<'a> {
    subject: Subject,
    source: &'a str,
    files: &'a BTreeMap<String, String>,
    problems: Vec<PackProblem>,
    contracts: BTreeMap<String, String>,
}

fn place<T>(spanned: &Spanned<T>) -> Place {
    let at = &spanned.defined;
    Place {
        line: usize::try_from(at.line()).unwrap_or(0),
        column: usize::try_from(at.column()).unwrap_or(0),
        width: usize::try_from(at.span().len()).unwrap_or(1),
    }
}

impl Loader<'_> {
    fn fail<T>(&mut self, at: &Spanned<T>, message: impl Into<String>) {
        self.problems
            .push(PackProblem::at(MANIFEST, self.source, place(at), message));
    }

    fn load(&mut self, manifest: &manifest::Manifest) -> Option<Contents> {
        if manifest.api_version.value != "paygod/v1" {
            let message = format!(
                "`{}` is unknown; write `paygod/v1`",
                manifest.api_version.value
            );
            self.fail(&manifest.api_version, message);
        }
        if manifest.kind.value != "Pack" {
            let message = format!("`{}` is unknown; write `Pack`", manifest.kind.value);
            self.fail(&manifest.kind, message);
        }
        let (name, version) = self.metadata(&manifest.metadata);
        let attached = self.inputs(&manifest.spec.inputs);
        let approvals = self.approvals(&manifest.spec.policy);
        let (shape, inputs, schemas) = attached?;
        let mut collected = Collected::default();
        let rules = self.rules(manifest, (&shape, &inputs), &mut collected);
        let name = name?;
        let cases = self.cases(&rules);
        let longest = collected.sites.iter().map(|site| site.window_ns).max();
        let archive = archive::write(self.files, &self.contracts);
        let named = Named {
            name,
            version,
            digest: Digest::sha256(&archive),
        };
        Some(Contents {
            named,
            archive,
            subject: self.subject,
            description: manifest.metadata.description.value.clone(),
            tags: manifest.metadata.tags.clone(),
            inputs,
            schemas,
            rules,
            approvals,
            lists: collected.lists,
            longest_window_ns: longest.unwrap_or(0),
            cases,
        })
    }

    fn metadata(&mut self, metadata: &manifest::Metadata) -> (Option<Name>, String) {
        let name = match Name::parse(&metadata.name.value) {
            Ok(name) => Some(name),
            Err(error) => {
                self.fail(&metadata.name, error.to_string());
                None
            }
        };
        let version = &metadata.version.value;
        if !is_version(version) {
            let message =
                format!("`{version}` is not a version; write three numbers, as in `1.0.0`");
            self.fail(&metadata.version, message);
        }
        for text in [&metadata.description, &metadata.maintainer] {
            if text.value.trim().is_empty() {
                self.fail(text, "this is empty; say it in a few words");
            }
        }
        (name, version.clone())
    }

    /// The path of an input below what the pack judges, which is the same for all inputs.
    fn source(&mut self, input: &manifest::Input, subject: &mut Option<Subject>) -> Vec<String> {
        let given = &input.source;
        let mut parts = given.value.split('.').map(str::to_owned);
        let root = match parts.next().as_deref() {
            Some("transfer") => Some(Subject::Transfer),
            Some("document") => Some(Subject::Document),
            _ => None,
        };
        let path: Vec<String> = parts.collect();
        match root.filter(|_| path.iter().all(|part| !part.is_empty())) {
            None => {
                let message = format!(
                    "the source `{}` is unknown; write `transfer`, or a field of it as in `transfer.payment`; \
                     or `document`, for what `paygod run` judges",
                    given.value
                );
                self.fail(given, message);
            }
            Some(root) if subject.is_some_and(|known| known != root) => {
                let message =
                    "a pack judges transfers or documents, not both; make two packs of it";
                self.fail(given, message);
            }
            root => *subject = root,
        }
        path
    }

    fn approvals(&mut self, policy: &manifest::Policy) -> u32 {
        let Some(given) = &policy.approvals else {
            return 1;
        };
        if !(1..=APPROVALS_MAX).contains(&given.value) {
            let message = format!(
                "a review needs 1 to {APPROVALS_MAX} approvals, not {}",
                given.value
            );
            self.fail(given, message);
        }
        given.value
    }

    fn inputs(&mut self, inputs: &[manifest::Input]) -> Option<(Shape, Vec<InputPath>, Vec<Json>)> {
        let before = self.problems.len();
        let mut paths: Vec<InputPath> = Vec::new();
        let mut schemas = Vec::new();
        let mut subject = None;
        for input in inputs {
            if !is_word(&input.name.value) {
                let message = format!(
                    "`{}` is no name for conditions; use letters, digits and `_`",
                    input.name.value
                );
                self.fail(&input.name, message);
            } else if paths.iter().any(|(name, _)| *name == input.name.value) {
                self.fail(
                    &input.name,
                    format!("the input `{}` stands twice", input.name.value),
                );
            }
            if input.kind.value != "object" {
                self.fail(
                    &input.kind,
                    format!("`{}` is unknown; write `object`", input.kind.value),
                );
            }
            let source = self.source(input, &mut subject);
            paths.push((input.name.value.clone(), source));
            schemas.push(self.schema(&input.schema));
        }
        self.subject = subject.unwrap_or_default();
        if paths.is_empty() {
            let message = "`spec.inputs` is empty; a pack reads at least one input";
            self.problems.push(PackProblem::of_file(MANIFEST, message));
        }
        let schemas = schemas.into_iter().collect::<Option<Vec<Json>>>()?;
        if self.problems.len() > before {
            return None;
        }
        let attachments: Vec<Attachment<'_>> = paths
            .iter()
            .zip(&schemas)
            .map(|((_, path), schema)| Attachment { path, schema })
            .collect();
        match schema::compile(&attachments) {
            Ok(shape) => Some((shape, paths, schemas)),
            Err((index, problem)) => {
                if let Some(input) = inputs.get(index) {
                    let at = if problem.pointer.is_empty() {
                        String::new()
                    } else {
                        format!(" at `{}`", problem.pointer)
                    };
                    let message = format!(
                        "the schema `{}`{at}: {}",
                        input.schema.value, problem.message
                    );
                    self.fail(&input.schema, message);
                }
                None
            }
        }
    }

    fn schema(&mut self, named: &Spanned<String>) -> Option<Json> {
        let text = if let Some(contract) = named.value.strip_prefix("paygod:") {
            let Some(text) = contract::find(contract) else {
                let message = format!(
                    "there is no built-in schema `{}`; known are {}",
                    named.value,
                    contract::names()
                );
                self.fail(named, message);
                return None;
            };
            let digest = contract::digest_of(text);
            self.contracts.insert(contract.to_owned(), digest);
            text
        } else {
            match self.files.get(&named.value) {
                Some(text) => text.as_str(),
                None => {
                    let message = format!(
                        "the pack has no file `{}`; name one of its JSON files, or a built-in schema: {}",
                        named.value,
                        contract::names()
                    );
                    self.fail(named, message);
                    return None;
                }
            }
        };
        match Json::parse(text) {
            Ok(json) => Some(json),
            Err(error) => {
                let place = place_of(text, error.offset, 1);
                let message = format!("this is not JSON: {}", error.reason);
                self.problems
                    .push(PackProblem::at(&named.value, text, place, message));
                None
            }
        }
    }

    fn rules(
        &mut self,
        manifest: &manifest::Manifest,
        (shape, inputs): (&Shape, &[InputPath]),
        collected: &mut Collected,
    ) -> Vec<Rule> {
        let given = &manifest.spec.policy.rules;
        if given.is_empty() || given.len() > RULES_PER_PACK_MAX {
            let message = format!(
                "a pack has 1 to {RULES_PER_PACK_MAX} rules, found {}",
                given.len()
            );
            self.problems.push(PackProblem::of_file(MANIFEST, message));
            return Vec::new();
        }
        let mut rules: Vec<Rule> = Vec::with_capacity(given.len());
        let mut names = std::collections::HashSet::new();
        for rule in given {
            let info = self.rule_info(&manifest.metadata, rule);
            if !names.insert(rule.name.value.as_str()) {
                self.fail(
                    &rule.name,
                    format!("the rule `{}` stands twice", rule.name.value),
                );
            }
            let text = &rule.condition.value;
            let reviews = rule.decision.value == Verdict::Review.as_str();
            let scope = Scope {
                shape,
                inputs,
                reviews,
            };
            match (info, typed(text, scope, collected)) {
                (Some(info), Ok(_)) => {
                    rules.push(Rule {
                        info: Arc::new(info),
                        text: text.clone(),
                    });
                }
                (_, Err(problems)) => {
                    for problem in problems {
                        self.condition_problem(rule, problem);
                    }
                }
                (None, Ok(_)) => {}
            }
        }
        rules
    }

    fn rule_info(
        &mut self,
        metadata: &manifest::Metadata,
        rule: &manifest::Rule,
    ) -> Option<RuleInfo> {
        let name = Name::parse(&rule.name.value);
        if let Err(error) = &name {
            self.fail(&rule.name, error.to_string());
        }
        let decision = Verdict::parse(&rule.decision.value);
        if decision.is_none() {
            let message = format!(
                "the decision `{}` is unknown; write `allow`, `flag`, `review` or `deny`",
                rule.decision.value
            );
            self.fail(&rule.decision, message);
        }
        let reason = rule.reason.value.trim();
        if reason.is_empty() || reason.len() > REASON_BYTES_MAX || reason.contains(char::is_control)
        {
            let message = format!("a reason is one line of 1 to {REASON_BYTES_MAX} bytes");
            self.fail(&rule.reason, message);
        }
        Some(RuleInfo {
            pack: Name::parse(&metadata.name.value).ok()?,
            version: metadata.version.value.clone(),
            rule: name.ok()?,
            decision: decision?,
            reason: reason.to_owned(),
        })
    }

    /// Tells a problem at its place in the file, through quotes and folded lines.
    fn condition_problem(&mut self, rule: &manifest::Rule, problem: Problem) {
        let message = format!("rule `{}`: {}", rule.name.value, problem.message);
        let span = rule.condition.defined.span();
        let raw = span
            .byte_offset()
            .zip(span.byte_len())
            .and_then(|(start, len)| {
                let start = usize::try_from(start).ok()?;
                let end = start.checked_add(usize::try_from(len).ok()?)?;
                Some((start, self.source.get(start..end)?))
            });
        let place = match raw {
            Some((start, raw)) => {
                let value = &rule.condition.value;
                let offset = raw_offset(raw, value, problem.span.start);
                let marked = value
                    .get(problem.span.start..problem.span.end)
                    .unwrap_or_default();
                let width = marked.lines().next().unwrap_or_default().chars().count();
                place_of(self.source, start + offset, width)
            }
            None => place(&rule.condition),
        };
        self.problems
            .push(PackProblem::at(MANIFEST, self.source, place, message));
    }

    fn cases(&mut self, rules: &[Rule]) -> Vec<cases::Case> {
        let Some(source) = self.files.get(CASES) else {
            let message =
                "the file is missing; a pack is tested by at least one allow and one deny case";
            self.problems.push(PackProblem::of_file(CASES, message));
            return Vec::new();
        };
        let around = cases::Around {
            files: self.files,
            rules,
        };
        match cases::read(CASES, source, around) {
            Ok(cases) => cases,
            Err(mut problems) => {
                // A rule that did not load is not also unknown to its cases.
                if self.problems.is_empty() {
                    self.problems.append(&mut problems);
                }
                Vec::new()
            }
        }
    }
}

/// Parses and checks a condition.
pub(crate) fn typed(
    text: &str,
    scope: Scope<'_>,
    collected: &mut Collected,
) -> Result<Typed, Vec<Problem>> {
    let expr = parse(text).map_err(|problem| vec![problem])?;
    check(&expr, scope, collected)
}

/// Three numbers, and perhaps a pre-release, as SemVer writes them.
fn is_version(text: &str) -> bool {
    let (core, pre) = text
        .split_once('-')
        .map_or((text, None), |(core, pre)| (core, Some(pre)));
    let numbers: Vec<&str> = core.split('.').collect();
    let number = |n: &&str| {
        !n.is_empty()
            && n.len() <= 6
            && n.bytes().all(|b| b.is_ascii_digit())
            && (n.len() == 1 || !n.starts_with('0'))
    };
    numbers.len() == 3
        && numbers.iter().all(number)
        && pre.is_none_or(|pre| {
            pre.len() <= 32
                && pre.split('.').all(|p| {
                    !p.is_empty() && p.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
                })
        })
}

fn is_word(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_lowercase())
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && text.len() <= 64
        && !matches!(text, "true" | "false" | "null" | "in")
}
