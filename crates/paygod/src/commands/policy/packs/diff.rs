//! `pack diff`: two packs beside each other.

use super::{find, named_value};
use crate::cli::PackDiff;
use crate::fault::{Answer, Outcome};
use crate::output::{Console, Tone};
use serde_json::{Value, json};

/// Compares two packs; a difference is a no.
pub(super) fn run(options: &PackDiff, console: &mut Console) -> Outcome {
    let (before, after) = (find::open(&options.before)?, find::open(&options.after)?);
    let diff = before.diff(&after);
    let changes: Vec<Value> = diff
        .changes
        .iter()
        .map(|c| json!({"subject": c.subject, "before": c.before, "after": c.after}))
        .collect();
    let turned: Vec<Value> = diff
        .turned
        .iter()
        .map(|t| json!({"case": t.case, "before": t.before, "after": t.after}))
        .collect();
    console.value(&json!({
        "before": named_value(before.named()),
        "after": named_value(after.named()),
        "changes": changes,
        "judged": diff.judged,
        "turned": turned,
    }))?;
    for change in &diff.changes {
        console.line(Tone::Strong.paint(&change.subject))?;
        if !change.before.is_empty() {
            console.sentence(2, Tone::Bad, &format!("- {}", change.before))?;
        }
        if !change.after.is_empty() {
            console.sentence(2, Tone::Good, &format!("+ {}", change.after))?;
        }
    }
    for turned in &diff.turned {
        console.line(Tone::Strong.paint(format_args!("case {}", turned.case)))?;
        console.sentence(2, Tone::Bad, &format!("- {}", turned.before))?;
        console.sentence(2, Tone::Good, &format!("+ {}", turned.after))?;
    }
    console.line(format_args!(
        "{} differences; {} of {} cases are decided otherwise",
        diff.changes.len(),
        diff.turned.len(),
        diff.judged
    ))?;
    Ok(Answer::of(diff.is_empty()))
}
