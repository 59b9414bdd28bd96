//! `pack check`: whether packs load.

use super::{find, named_value};
use crate::cli::PackPaths;
use crate::fault::{Answer, Outcome};
use crate::output::{Console, Tone};
use serde_json::json;

/// Loads every pack and tells of each; a pack with faults is a no.
pub(super) fn run(options: &PackPaths, console: &mut Console) -> Outcome {
    let mut sound = true;
    for path in find::all(&options.packs)? {
        let shown = path.display().to_string();
        match find::load(&path)? {
            Ok(pack) => {
                let named = pack.named();
                let rules = pack.rules().len();
                let mut value = named_value(named);
                if let Some(object) = value.as_object_mut() {
                    object.insert("valid".into(), true.into());
                    object.insert("folder".into(), shown.into());
                    object.insert("rules".into(), rules.into());
                    object.insert("lists".into(), pack.lists().into());
                }
                console.value(&value)?;
                console.line(format_args!(
                    "{} {} {}: {rules} rules  {}",
                    Tone::Good.paint("sound"),
                    named.name,
                    named.version,
                    Tone::Faint.paint(named.digest)
                ))?;
            }
            Err(error) => {
                sound = false;
                console.value(&json!({
                    "valid": false,
                    "folder": shown,
                    "code": error.code().as_str(),
                    "message": error.to_string(),
                }))?;
                console.line(format_args!("{} {shown}", Tone::Bad.paint("faulty")))?;
                console.line(error.to_string().trim_end())?;
            }
        }
    }
    Ok(Answer::of(sound))
}
