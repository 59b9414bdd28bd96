//! `pack explain`: the tree of a decision.

use super::{find, named_value};
use crate::cli::PackExplain;
use crate::commands::run::clock;
use crate::fault::{Answer, Fault, Outcome};
use crate::files;
use crate::output::{Console, Tone};
use paygod_policy::limits::DOCUMENT_BYTES_MAX;
use paygod_policy::{Explanation, RuleOutcome, Step, Verdict};
use paygod_types::code;
use serde_json::{Value, json};

/// Explains a case or a document.
pub(super) fn run(options: &PackExplain, console: &mut Console) -> Outcome {
    let pack = find::open(&options.pack)?;
    let lists = find::lists(&options.list)?;
    let explanation = match (&options.case, &options.input) {
        (Some(case), _) => match pack.explain_case(case, &lists) {
            Some(Ok(explanation)) => explanation,
            Some(Err(message)) => {
                let told = format!("the case `{case}` cannot be run: {message}");
                return Err(Fault::new(code::PACK_CASES, told));
            }
            None => {
                let known: Vec<&str> = pack.case_names().collect();
                let told = format!("the pack has no case `{case}`");
                let remedy = format!("name one of: {}", known.join(", "));
                return Err(Fault::new(code::CLI_ARGUMENT, told).remedy(remedy));
            }
        },
        (None, Some(path)) => {
            let bytes = files::read(path, DOCUMENT_BYTES_MAX)?;
            pack.explain_document(&bytes, &lists, Some(clock(options.clock.as_deref())?))?
        }
        (None, None) => {
            return Err(Fault::new(
                code::CLI_ARGUMENT,
                "neither `--case` nor `--input` is given",
            ));
        }
    };
    let mut value = named_value(pack.named());
    if let Some(object) = value.as_object_mut() {
        object.insert("explanation".into(), explained(&explanation));
    }
    console.value(&value)?;
    tell(&explanation, options.fired, console)?;
    Ok(Answer::Yes)
}

/// The tone of a verdict.
pub(crate) const fn tone(verdict: Verdict) -> Tone {
    match verdict {
        Verdict::Allow => Tone::Good,
        Verdict::Flag | Verdict::Review => Tone::Warn,
        Verdict::Deny => Tone::Bad,
    }
}

fn tell(explanation: &Explanation, fired: bool, console: &mut Console) -> Result<(), Fault> {
    let decision = &explanation.decision;
    console.line(format_args!(
        "{}  {}",
        tone(decision.verdict).paint(decision.verdict),
        Tone::Faint.paint(format_args!("fuel {}", decision.fuel))
    ))?;
    for reason in &decision.reasons {
        let told = format!("{}: {}", reason.rule.rule, reason.rule.reason);
        console.sentence(2, Tone::Plain, &told)?;
        for (key, value) in &reason.facts {
            console.line(format_args!("    {key} {value}"))?;
        }
    }
    for rule in &explanation.rules {
        let silent = matches!(rule.outcome, RuleOutcome::Silent | RuleOutcome::NotRun);
        if fired && silent {
            continue;
        }
        let outcome = match rule.outcome {
            RuleOutcome::Fired => {
                tone(rule.says).paint(format_args!("{}, so {}", rule.outcome.as_str(), rule.says))
            }
            RuleOutcome::Erred => Tone::Bad.paint("erred, so deny"),
            _ => Tone::Faint.paint(rule.outcome.as_str()),
        };
        console.line("")?;
        console.line(format_args!(
            "{}  {outcome}",
            Tone::Strong.paint(&rule.rule)
        ))?;
        if let Some(step) = &rule.condition {
            branch(step, "", console)?;
        }
    }
    Ok(())
}

/// One part and those below it. `indent` is what stands before its own line.
fn branch(step: &Step, indent: &str, console: &mut Console) -> Result<(), Fault> {
    let value = match step.truth {
        Some(true) => Tone::Good.paint(&step.value),
        Some(false) => Tone::Warn.paint(&step.value),
        None => Tone::Faint.paint(&step.value),
    };
    console.line(format_args!("{indent}  {value}  {}", step.text))?;
    let deeper = format!("{indent}  │ ");
    for note in &step.notes {
        console.line(format_args!("{deeper}{}", Tone::Faint.paint(note)))?;
    }
    for part in &step.steps {
        branch(part, &deeper, console)?;
    }
    Ok(())
}

fn explained(explanation: &Explanation) -> Value {
    let decision = &explanation.decision;
    let rules: Vec<Value> = explanation
        .rules
        .iter()
        .map(|rule| {
            json!({
                "rule": rule.rule,
                "says": rule.says.as_str(),
                "reason": rule.reason,
                "outcome": rule.outcome.as_str(),
                "condition": rule.condition.as_ref().map(step_value),
            })
        })
        .collect();
    json!({
        "decision": decision.verdict.as_str(),
        "fuel": decision.fuel,
        "approvals_required": decision.approvals_required,
        "rules": rules,
    })
}

fn step_value(step: &Step) -> Value {
    json!({
        "text": step.text,
        "value": step.value,
        "truth": step.truth,
        "notes": step.notes,
        "parts": step.steps.iter().map(step_value).collect::<Vec<Value>>(),
    })
}
