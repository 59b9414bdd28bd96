//! What became of each request of a file.

use crate::commands::entries::{allowed_value, reason_value};
use crate::fault::{Answer, Fault, Outcome};
use crate::narrate;
use crate::output::{Console, Tone};
use crate::table::{Align, Cell, Table};
use paygod_policy::Verdict;
use paygod_service::ledger::{Answer as LedgerAnswer, LedgerReader, Outcome as Sealed};
use paygod_types::RequestId;
use serde_json::{Value, json};

/// Rows shown to people; past it only what was not simply allowed is shown.
const ROWS_ALL_MAX: usize = 60;
/// Rows shown to people at most.
const ROWS_MAX: usize = 200;

/// Answers, in the order of the requests.
#[derive(Debug, Default)]
pub(crate) struct Results {
    answers: Vec<(RequestId, LedgerAnswer)>,
}

impl Results {
    /// Adds answers to the requests of these ids.
    pub(super) fn add(&mut self, ids: Vec<RequestId>, answers: Vec<LedgerAnswer>) {
        self.answers.extend(ids.into_iter().zip(answers));
    }

    /// Prints every outcome. Any denial is a no; any request that was not sealed is a failure.
    pub(super) fn tell(&self, reader: &LedgerReader, console: &mut Console) -> Outcome {
        if console.is_json() {
            for (id, answer) in &self.answers {
                let value = match answer {
                    Ok(sealed) => sealed_value(reader, sealed)?,
                    Err(error) => json!({
                        "id": id.as_str(),
                        "error": {"code": error.code().as_str(), "message": error.to_string()},
                    }),
                };
                console.value(&value)?;
            }
        } else {
            self.tell_people(reader, console)?;
        }
        self.outcome()
    }

    fn outcome(&self) -> Outcome {
        let mut failed = self
            .answers
            .iter()
            .filter_map(|(_, answer)| answer.as_ref().err());
        let count = failed.clone().count();
        // The gravest decides: a system that failed is not the fault of the input.
        if let Some(gravest) = failed.clone().max_by_key(|error| error.code().exit_code()) {
            let code = gravest.code();
            let message = match (count, failed.next()) {
                (1, Some(error)) => format!("1 request was not sealed: {error}"),
                _ => format!("{count} requests were not sealed, such as: {gravest}"),
            };
            return Err(Fault::new(code, message));
        }
        Ok(Answer::of(
            !self.verdicts().any(|verdict| verdict == Verdict::Deny),
        ))
    }

    fn verdicts(&self) -> impl Iterator<Item = Verdict> + '_ {
        self.answers
            .iter()
            .filter_map(|(_, answer)| answer.as_ref().ok()?.verdict)
    }

    fn tell_people(&self, reader: &LedgerReader, console: &mut Console) -> Result<(), Fault> {
        let all = self.answers.len() <= ROWS_ALL_MAX;
        let worth_showing = self.answers.iter().filter(|(_, answer)| {
            all || !answer
                .as_ref()
                .is_ok_and(|sealed| matches!(sealed.verdict, None | Some(Verdict::Allow)))
        });
        let mut table = Table::new(&[
            ("entry", Align::Right),
            ("request", Align::Left),
            ("verdict", Align::Left),
            ("what, and why", Align::Left),
        ]);
        let mut left_out = 0_usize;
        for (index, (id, answer)) in worth_showing.enumerate() {
            if index >= ROWS_MAX {
                left_out = left_out.saturating_add(1);
                continue;
            }
            table.row(match answer {
                Ok(sealed) => sealed_row(reader, sealed)?,
                Err(error) => [
                    Cell::from(""),
                    Cell::from(id.as_str()),
                    Cell::toned("not sealed", Tone::Bad),
                    Cell::from(format!("{error} [{}]", error.code())),
                ],
            });
        }
        if !table.is_empty() {
            console.table(0, &table)?;
        }
        if left_out > 0 {
            console.line(format_args!("… and {left_out} more; --json lists them all"))?;
        }
        console.line(self.summary())
    }

    fn summary(&self) -> String {
        let mut parts = Vec::new();
        let verdicts = [
            Verdict::Allow,
            Verdict::Flag,
            Verdict::Review,
            Verdict::Deny,
        ];
        for verdict in verdicts {
            let count = self.verdicts().filter(|found| *found == verdict).count();
            if count > 0 {
                parts.push(
                    narrate::tone(verdict)
                        .paint(format_args!("{count} {}", narrate::verdict(verdict))),
                );
            }
        }
        let sealed = self
            .answers
            .iter()
            .filter_map(|(_, answer)| answer.as_ref().ok());
        let unjudged = sealed
            .clone()
            .filter(|sealed| sealed.verdict.is_none())
            .count();
        let existing = sealed.filter(|sealed| sealed.existing).count();
        let failed = self
            .answers
            .iter()
            .filter(|(_, answer)| answer.is_err())
            .count();
        for (count, what) in [
            (unjudged, "sealed"),
            (failed, "not sealed"),
            (existing, "of these sealed before: nothing changed"),
        ] {
            if count > 0 {
                parts.push(format!("{count} {what}"));
            }
        }
        parts.join(", ")
    }
}

fn sealed_row(reader: &LedgerReader, sealed: &Sealed) -> Result<[Cell; 4], Fault> {
    let entry = reader.entry(sealed.seq)?.entry;
    let mut told = match narrate::movements(entry.body.postings()) {
        Some(moved) => moved,
        None if sealed.verdict.is_some() => "nothing moves".to_owned(),
        None => narrate::entry(&entry),
    };
    let decision = entry.body.decision();
    if let Some(reason) = decision
        .filter(|of| of.verdict != Verdict::Allow)
        .and_then(narrate::deciding)
    {
        told = format!("{told}; {}", narrate::reason(reason));
    }
    Ok([
        Cell::from(format!("#{}", sealed.seq)),
        Cell::from(sealed.id.as_str()),
        sealed
            .verdict
            .map_or_else(|| Cell::from("sealed"), narrate::verdict_cell),
        Cell::from(told),
    ])
}

fn sealed_value(reader: &LedgerReader, sealed: &Sealed) -> Result<Value, Fault> {
    let entry = reader.entry(sealed.seq)?.entry;
    let decision = entry.body.decision();
    let reasons: Option<Vec<Value>> =
        decision.map(|decision| decision.reasons.iter().map(reason_value).collect());
    Ok(json!({
        "id": sealed.id.as_str(),
        "seq": sealed.seq.get(),
        "time": sealed.time.to_string(),
        "action": sealed.action.as_str(),
        "verdict": sealed.verdict.map(Verdict::as_str),
        "existing": sealed.existing,
        "reasons": reasons,
        "allowed": decision.map(allowed_value),
    }))
}
