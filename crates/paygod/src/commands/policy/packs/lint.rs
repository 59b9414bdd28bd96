//! `pack lint`: what a reviewer would send back.

use super::{find, named_value};
use crate::cli::PackPaths;
use crate::fault::{Answer, Outcome};
use crate::output::{Console, Tone};
use serde_json::{Value, json};

/// Lints every pack; something to mend is a no.
pub(super) fn run(options: &PackPaths, console: &mut Console) -> Outcome {
    let mut clean = true;
    for path in find::all(&options.packs)? {
        let pack = find::open(&path)?;
        let named = pack.named();
        let findings = pack.lint();
        clean &= findings.is_empty();
        let mut value = named_value(named);
        if let Some(object) = value.as_object_mut() {
            let findings: Vec<Value> = findings
                .iter()
                .map(|finding| json!({"lint": finding.lint, "message": finding.message}))
                .collect();
            object.insert("findings".into(), findings.into());
        }
        console.value(&value)?;
        let verdict = if findings.is_empty() {
            Tone::Good.paint("clean")
        } else {
            Tone::Bad.paint(format_args!("{} to mend", findings.len()))
        };
        console.line(format_args!(
            "{} {}: {verdict}",
            Tone::Strong.paint(&named.name),
            named.version
        ))?;
        for finding in &findings {
            console.line(format_args!("  {}", Tone::Warn.paint(finding.lint)))?;
            console.sentence(4, Tone::Plain, &finding.message)?;
        }
    }
    Ok(Answer::of(clean))
}
