//! Judging: prepare without history, decide with it.

use std::sync::Arc;

use paygod_types::limits::APPROVALS_MAX;

use super::vocabulary::ERRED;
use super::{LinkedRule, PrepareError, Ruleset};
use crate::decision::{Decision, Reason, RuleInfo, Verdict};
use crate::document::{Document, Invalid};
use crate::eval::program::{HitNote, Inputs, Machine};
use crate::eval::{Answers, EvalError, Evaluated, Fuel};
use crate::window::{AccountQuery, Facts, Measure, WindowQuery};

/// Buffers of one worker, reused from transfer to transfer so that judging does not allocate.
#[derive(Debug, Default)]
pub struct Scratch {
    machine: Machine,
    sites: Vec<u32>,
    account_sites: Vec<u32>,
}

/// What became of a rule.
#[derive(Clone, Copy, Debug)]
struct Outcome {
    rule: usize,
    result: Result<(), EvalError>,
    /// Its list hits, in [`Prepared::hits`].
    hits: (usize, usize),
}

/// A window of a prepared transfer.
#[derive(Clone, Copy, Debug)]
struct Asked {
    site: u32,
    key: (usize, usize),
    /// Where its value's bytes end, which lie behind the key's; none are there if no values are counted.
    value_end: usize,
    window: core::time::Duration,
    measure: Measure,
    asked: bool,
}

/// An account of a prepared transfer.
#[derive(Clone, Copy, Debug)]
struct AskedAccount {
    site: u32,
    id: (usize, usize),
    asked: bool,
}

/// One transfer, parsed and judged as far as possible without history. Owns its data; reuse it.
#[derive(Debug, Default)]
pub struct Prepared {
    documents: Vec<Document>,
    /// For each layout, how the document departs from it.
    invalid: Vec<Option<Invalid>>,
    outcomes: Vec<Outcome>,
    hits: Vec<HitNote>,
    /// Rules put off until their facts are there.
    pending: Vec<usize>,
    windows: Vec<Asked>,
    keys: Vec<u8>,
    accounts: Vec<AskedAccount>,
    ids: String,
    fuel: Fuel,
    exhausted: bool,
}

impl Prepared {
    /// What this transfer asks of sealed history, in the order in which [`Ruleset::decide`] takes answers.
    pub fn windows(&self) -> impl ExactSizeIterator<Item = WindowQuery<'_>> {
        self.windows.iter().map(|asked| WindowQuery {
            key: self.keys.get(asked.key.0..asked.key.1).unwrap_or_default(),
            window: asked.window,
            asked: asked.asked,
            measure: asked.measure,
            value: (asked.measure == Measure::Distinct).then(|| {
                self.keys
                    .get(asked.key.1..asked.value_end)
                    .unwrap_or_default()
            }),
        })
    }

    /// The document as a layout reads it, if it is what the layout describes.
    pub(crate) fn sound(&self, shape: usize) -> Option<&Document> {
        match self.invalid.get(shape) {
            Some(None) => self.documents.get(shape),
            _ => None,
        }
    }

    /// The windows, as indexes into [`Ruleset::sites`], in the order of [`Prepared::windows`].
    pub(crate) fn asked_sites(&self) -> Vec<u32> {
        self.windows.iter().map(|asked| asked.site).collect()
    }

    /// The accounts, as indexes into [`Ruleset::accounts`], in the order of [`Prepared::accounts`].
    pub(crate) fn asked_accounts(&self) -> Vec<u32> {
        self.accounts.iter().map(|asked| asked.site).collect()
    }

    /// The accounts whose balances this transfer asks for, in the order in which [`Ruleset::decide`] takes
    /// answers.
    pub fn accounts(&self) -> impl ExactSizeIterator<Item = AccountQuery<'_>> {
        self.accounts.iter().map(|asked| AccountQuery {
            id: self.ids.get(asked.id.0..asked.id.1).unwrap_or_default(),
            asked: asked.asked,
        })
    }

    fn clear(&mut self, shapes: usize) {
        self.documents.resize_with(shapes, Document::default);
        self.invalid.clear();
        self.outcomes.clear();
        self.hits.clear();
        self.pending.clear();
        self.windows.clear();
        self.keys.clear();
        self.accounts.clear();
        self.ids.clear();
        self.fuel = Fuel::default();
        self.exhausted = false;
    }
}

impl Ruleset {
    /// Step 1, stateless: parses one element of a request's `transfers`, judges it as far as that goes
    /// without history, and computes the window keys into `out`, whose former content is dropped.
    ///
    /// # Errors
    /// [`PrepareError`] if the bytes are not a JSON object. Nothing can be decided on such a transfer.
    pub fn prepare(
        &self,
        scratch: &mut Scratch,
        transfer_json: &[u8],
        out: &mut Prepared,
    ) -> Result<(), PrepareError> {
        let malformed = |offset, reason| PrepareError::Malformed { offset, reason };
        let text = core::str::from_utf8(transfer_json)
            .map_err(|error| malformed(error.valid_up_to(), "the bytes are not UTF-8"))?;
        out.clear(self.shapes.len());
        for (shape, document) in self.shapes.iter().zip(&mut out.documents) {
            let invalid = document
                .read(shape, text)
                .map_err(|error| malformed(error.offset, error.reason))?;
            out.invalid.push(invalid);
        }
        for (site_index, site) in (0_u32..).zip(&self.sites) {
            let sound = out.invalid.get(site.shape).is_some_and(Option::is_none);
            let Some(document) = out.documents.get(site.shape).filter(|_| sound) else {
                continue;
            };
            let start = out.keys.len();
            if !site.write_key(document, &mut out.keys) {
                continue;
            }
            let key = (start, out.keys.len());
            if site.write_value(document, &mut out.keys) {
                out.windows.push(Asked {
                    site: site_index,
                    key,
                    value_end: out.keys.len(),
                    window: site.window,
                    measure: site.measure(),
                    asked: false,
                });
            }
        }
        for (site_index, site) in (0_u32..).zip(&self.accounts) {
            let sound = out.invalid.get(site.shape).is_some_and(Option::is_none);
            let document = out.documents.get(site.shape).filter(|_| sound);
            if let Some(id) = document.and_then(|document| site.id(document)) {
                let start = out.ids.len();
                out.ids.push_str(id);
                out.accounts.push(AskedAccount {
                    site: site_index,
                    id: (start, out.ids.len()),
                    asked: false,
                });
            }
        }
        self.evaluate_unasked(scratch, out);
        Ok(())
    }

    /// Evaluates every rule, putting off those that read a fact.
    fn evaluate_unasked(&self, scratch: &mut Scratch, out: &mut Prepared) {
        let machine = &mut scratch.machine;
        machine.fuel = Fuel::default();
        machine.hits.clear();
        for (index, rule) in self.rules.iter().enumerate() {
            let Some(document) = self.sound_document(rule, out) else {
                continue;
            };
            let before = (machine.fuel, machine.hits.len());
            let inputs = Inputs {
                document,
                lists: &self.contents,
                answers: Answers::Pending,
            };
            let result = machine.run(&rule.program, inputs);
            match result {
                Ok(false) => {}
                Ok(true) => {
                    let hits = (before.1, machine.hits.len());
                    out.outcomes.push(Outcome {
                        rule: index,
                        result: Ok(()),
                        hits,
                    });
                }
                Err(EvalError::Pending) => {
                    machine.fuel = before.0;
                    out.pending.push(index);
                    for asked in &mut out.windows {
                        asked.asked |= rule.sites.contains(&asked.site);
                    }
                    for asked in &mut out.accounts {
                        asked.asked |= rule.accounts.contains(&asked.site);
                    }
                }
                Err(EvalError::FuelExhausted) => {
                    out.exhausted = true;
                    break;
                }
                Err(error) => {
                    let hits = (before.1, before.1);
                    out.outcomes.push(Outcome {
                        rule: index,
                        result: Err(error),
                        hits,
                    });
                }
            }
        }
        out.fuel = machine.fuel;
        out.hits.extend_from_slice(&machine.hits);
    }

    /// The document a rule reads, if it is what the rule's pack describes.
    fn sound_document<'p>(
        &self,
        rule: &LinkedRule,
        prepared: &'p Prepared,
    ) -> Option<&'p Document> {
        let shape = self.linked.get(rule.pack)?.shape;
        prepared.sound(shape)
    }

    /// The amount of a prepared transfer, if a layout describes it as money.
    pub(crate) fn transfer_amount(&self, prepared: &Prepared) -> Option<paygod_types::Amount> {
        self.shapes
            .iter()
            .zip(&prepared.documents)
            .find_map(|(shape, document)| match *document.slot(shape.amount?) {
                crate::document::Slot::Money(money) => Some(money.amount),
                _ => None,
            })
    }

    /// Step 3, after the sequencer has answered [`Prepared::windows`] and [`Prepared::accounts`], one fact each
    /// in order. A missing fact denies.
    #[must_use]
    pub fn decide(&self, scratch: &mut Scratch, prepared: &Prepared, facts: Facts<'_>) -> Decision {
        let mut decision = Decision {
            verdict: Verdict::Deny,
            fuel: 0,
            approvals_required: 0,
            reasons: Vec::new(),
        };
        self.decide_into(scratch, prepared, facts, &mut decision);
        decision
    }

    /// As [`Ruleset::decide`], into a decision that is reused: without allocation, unless a rule that fired
    /// read a list or a window.
    pub fn decide_into(
        &self,
        scratch: &mut Scratch,
        prepared: &Prepared,
        facts: Facts<'_>,
        decision: &mut Decision,
    ) {
        decision.reasons.clear();
        let Scratch {
            machine,
            sites,
            account_sites,
        } = scratch;
        account_sites.clear();
        account_sites.extend(prepared.accounts.iter().map(|asked| asked.site));
        sites.clear();
        sites.extend(prepared.windows.iter().map(|asked| asked.site));
        machine.fuel = prepared.fuel;
        machine.hits.clear();
        let mut tally = Tally {
            ruleset: self,
            decision,
            verdict: None,
            approvals: 0,
            pack: 0,
            matched: false,
        };
        let mut exhausted = prepared.exhausted;
        let answers = |approvals| Answers::Given {
            sites,
            windows: facts.windows,
            account_sites,
            accounts: facts.accounts,
            time: facts.time,
            approvals,
        };
        let mut done = prepared.outcomes.iter().peekable();
        let mut pending = prepared.pending.iter().peekable();
        loop {
            // Both are in the order of the rules: take the earlier.
            let next = match (done.peek(), pending.peek()) {
                (Some(outcome), Some(rule)) if outcome.rule < **rule => done.next().copied(),
                (Some(_), None) => done.next().copied(),
                (_, Some(_)) => {
                    let Some(index) = pending.next().copied() else {
                        break;
                    };
                    if exhausted {
                        continue;
                    }
                    let outcome = self.evaluate_asked(machine, prepared, index, answers(0));
                    exhausted |= matches!(
                        outcome,
                        Some(Outcome {
                            result: Err(EvalError::FuelExhausted),
                            ..
                        })
                    );
                    match outcome {
                        Some(outcome) if !exhausted => Some(outcome),
                        _ => continue,
                    }
                }
                (None, None) => break,
            };
            let Some(mut outcome) = next else { break };
            let Some(rule) = self.rules.get(outcome.rule) else {
                continue;
            };
            let mut approvals = None;
            if rule.approvals && outcome.result.is_ok() {
                match self.approvals_needed(machine, prepared, rule, answers) {
                    Ok(needed) => approvals = Some(needed),
                    Err(EvalError::FuelExhausted) => {
                        exhausted = true;
                        continue;
                    }
                    Err(error) => outcome.result = Err(error),
                }
            }
            tally.rule(
                rule,
                outcome,
                approvals,
                Notes {
                    prepared,
                    machine,
                    sites,
                    account_sites,
                    facts,
                },
            );
        }
        tally.finish(prepared, exhausted);
        let verdict = tally.verdict.unwrap_or(Verdict::Deny);
        let approvals = tally.approvals;
        decision.verdict = verdict;
        decision.approvals_required = if verdict == Verdict::Review {
            approvals
        } else {
            0
        };
        decision.fuel = machine.fuel.used;
    }

    /// With how many approvals a rule that holds without any no longer does.
    fn approvals_needed<'a>(
        &'a self,
        machine: &mut Machine,
        prepared: &'a Prepared,
        rule: &'a LinkedRule,
        answers: impl Fn(u32) -> Answers<'a>,
    ) -> Evaluated<u32> {
        let document = self.sound_document(rule, prepared);
        let document = document.ok_or(EvalError::Absent)?;
        let hits = machine.hits.len();
        for approvals in 1..=APPROVALS_MAX {
            let inputs = Inputs {
                document,
                lists: &self.contents,
                answers: answers(approvals),
            };
            let holds = machine.run(&rule.program, inputs);
            machine.hits.truncate(hits);
            if !holds? {
                return Ok(approvals);
            }
        }
        Err(EvalError::ApprovalsMissing)
    }

    fn evaluate_asked(
        &self,
        machine: &mut Machine,
        prepared: &Prepared,
        index: usize,
        answers: Answers<'_>,
    ) -> Option<Outcome> {
        let rule = self.rules.get(index)?;
        let document = self.sound_document(rule, prepared)?;
        let before = machine.hits.len();
        let inputs = Inputs {
            document,
            lists: &self.contents,
            answers,
        };
        let result = match machine.run(&rule.program, inputs) {
            Ok(false) => return None,
            Ok(true) => Ok(()),
            Err(error) => Err(error),
        };
        // Hits of this step lie behind those of the first.
        let base = prepared.hits.len();
        let hits = (base + before, base + machine.hits.len());
        Some(Outcome {
            rule: index,
            result,
            hits,
        })
    }
}

/// What facts are told from.
#[derive(Clone, Copy)]
struct Notes<'a> {
    prepared: &'a Prepared,
    machine: &'a Machine,
    sites: &'a [u32],
    account_sites: &'a [u32],
    facts: Facts<'a>,
}

/// The decision being put together, pack by pack.
struct Tally<'a> {
    ruleset: &'a Ruleset,
    decision: &'a mut Decision,
    verdict: Option<Verdict>,
    approvals: u32,
    /// The pack whose rules are being counted.
    pack: usize,
    matched: bool,
}

impl Tally<'_> {
    fn add(&mut self, verdict: Verdict, reason: Reason) {
        self.verdict = self.verdict.max(Some(verdict));
        self.decision.reasons.push(reason);
    }

    /// Closes packs up to `pack`: those none of whose rules matched deny.
    fn advance(&mut self, pack: usize, prepared: &Prepared) {
        while self.pack < pack {
            if let Some(linked) = self.ruleset.linked.get(self.pack)
                && !self.matched
            {
                let (info, facts) = match prepared.invalid.get(linked.shape) {
                    Some(Some(invalid)) => {
                        // Of packs that share a layout, those are answerable whose input holds the fault.
                        let sharing = self
                            .ruleset
                            .linked
                            .iter()
                            .filter(|l| l.shape == linked.shape);
                        let sources = sharing.flat_map(|l| &l.sources);
                        let holding = sources
                            .filter(|s| covers(s, &invalid.path))
                            .max_by_key(|s| s.len());
                        let own = holding.is_none_or(|source| linked.sources.contains(source));
                        let facts = vec![
                            ("field".to_owned(), invalid.path.to_string()),
                            ("problem".to_owned(), invalid.what.to_owned()),
                        ];
                        (own.then_some(&linked.invalid), facts)
                    }
                    _ => (Some(&linked.unmatched), Vec::new()),
                };
                if let Some(info) = info {
                    self.add(
                        Verdict::Deny,
                        Reason {
                            rule: Arc::clone(info),
                            facts,
                        },
                    );
                }
            }
            self.pack += 1;
            self.matched = false;
        }
    }

    /// Counts what became of a rule; `approvals` is what it asks for itself, if it does.
    fn rule(
        &mut self,
        rule: &LinkedRule,
        outcome: Outcome,
        approvals: Option<u32>,
        notes: Notes<'_>,
    ) {
        self.advance(rule.pack, notes.prepared);
        self.matched = true;
        match outcome.result {
            Ok(()) => {
                if rule.info.decision == Verdict::Review
                    && let Some(pack) = self.ruleset.linked.get(rule.pack)
                {
                    let needed = approvals.unwrap_or(pack.approvals);
                    self.approvals = self.approvals.max(needed);
                }
                let mut facts = self.facts(rule, outcome, notes);
                if let Some(needed) = approvals {
                    facts.push(("approvals".to_owned(), needed.to_string()));
                    facts.sort();
                }
                self.add(
                    rule.info.decision,
                    Reason {
                        rule: Arc::clone(&rule.info),
                        facts,
                    },
                );
            }
            Err(error) => {
                let info = RuleInfo {
                    pack: rule.info.pack.clone(),
                    version: rule.info.version.clone(),
                    rule: rule.info.rule.clone(),
                    decision: Verdict::Deny,
                    reason: format!("{ERRED}{error}"),
                };
                let facts = vec![("error".to_owned(), error.name().to_owned())];
                self.add(
                    Verdict::Deny,
                    Reason {
                        rule: Arc::new(info),
                        facts,
                    },
                );
            }
        }
    }

    fn facts(
        &self,
        rule: &LinkedRule,
        outcome: Outcome,
        notes: Notes<'_>,
    ) -> Vec<(String, String)> {
        let (start, end) = outcome.hits;
        if start == end && rule.sites.is_empty() && rule.accounts.is_empty() {
            return Vec::new();
        }
        let mut facts = Vec::new();
        for (nth, at) in (start..end).enumerate() {
            let base = notes.prepared.hits.len();
            let hit = match at.checked_sub(base) {
                None => notes.prepared.hits.get(at),
                Some(later) => notes.machine.hits.get(later),
            };
            let list = hit.and_then(|h| self.ruleset.contents.get(usize::try_from(h.list).ok()?));
            let (Some(hit), Some(list)) = (hit, list) else {
                continue;
            };
            let path = usize::try_from(hit.path)
                .ok()
                .and_then(|at| rule.program.paths.get(at));
            let named = list.named();
            let mut put = |key: &str, value: String| facts.push((numbered(key, nth), value));
            put("field", path.cloned().unwrap_or_default());
            put("list", named.name.to_string());
            put("list_digest", named.digest.to_string());
            put("list_version", named.version.clone());
            put("match", hit.hit.kind.as_str().to_owned());
            put("uid", list.uid(hit.hit.entry).to_owned());
        }
        for (nth, site) in rule.sites.iter().enumerate() {
            let fact = notes
                .sites
                .iter()
                .position(|s| s == site)
                .and_then(|at| notes.facts.windows.get(at));
            let known = usize::try_from(*site)
                .ok()
                .and_then(|at| self.ruleset.sites.get(at));
            let (Some(fact), Some(site)) = (fact, known) else {
                continue;
            };
            let mut put = |key: &str, value: String| facts.push((numbered(key, nth), value));
            put("window", site.window_label.clone());
            put("window_count", fact.count.to_string());
            put("window_keys", site.label.clone());
            if let Some(counted) = site.counted() {
                put("window_values", counted.to_owned());
            }
            if let Some(last) = fact.last_seq {
                put("window_last_seq", last.to_string());
            }
            match site.measure() {
                Measure::Count => {}
                Measure::Sum => put("window_sum_minor", fact.sum.minor().to_string()),
                Measure::Distinct => put("window_distinct", fact.distinct.to_string()),
            }
        }
        for (nth, site) in rule.accounts.iter().enumerate() {
            let fact = notes
                .account_sites
                .iter()
                .position(|s| s == site)
                .and_then(|at| notes.facts.accounts.get(at).copied().flatten());
            let known = usize::try_from(*site)
                .ok()
                .and_then(|at| self.ruleset.accounts.get(at));
            let (Some(fact), Some(site)) = (fact, known) else {
                continue;
            };
            let mut put = |key: &str, value: String| facts.push((numbered(key, nth), value));
            put("account", site.label.clone());
            put("account_currency", fact.currency.code().to_owned());
            for (key, amount) in [
                ("account_available_minor", fact.available),
                ("account_expected_minor", fact.expected),
                ("account_posted_minor", fact.posted),
            ] {
                put(key, amount.minor().to_string());
            }
        }
        facts.sort();
        facts
    }

    fn finish(&mut self, prepared: &Prepared, exhausted: bool) {
        if exhausted {
            let rule = Arc::clone(&self.ruleset.exhausted);
            self.add(
                Verdict::Deny,
                Reason {
                    rule,
                    facts: Vec::new(),
                },
            );
            return;
        }
        if self.ruleset.linked.is_empty() {
            let rule = Arc::clone(&self.ruleset.no_policy);
            self.add(
                Verdict::Deny,
                Reason {
                    rule,
                    facts: Vec::new(),
                },
            );
        }
        self.advance(self.ruleset.linked.len(), prepared);
    }
}

/// Whether a source holds a path.
fn covers(source: &str, path: &str) -> bool {
    if source.is_empty() {
        return true;
    }
    path.strip_prefix(source)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

fn numbered(key: &str, nth: usize) -> String {
    if nth == 0 {
        key.to_owned()
    } else {
        format!("{key}_{}", nth + 1)
    }
}
