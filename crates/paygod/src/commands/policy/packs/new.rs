//! `pack new`: a pack that passes its own checks, to be changed into another.

use crate::cli::PackNew;
use crate::fault::{Answer, Outcome};
use crate::files;
use crate::output::{Console, Tone};
use paygod_types::Name;
use serde_json::json;

const MANIFEST: &str = include_str!("new/pack.yaml");
const CASES: &str = include_str!("new/cases.yaml");
const README: &str = include_str!("new/README.md");
/// For editors; hidden, so that they are no part of the pack.
const SCHEMAS: [(&str, &str); 2] = [
    (
        ".schemas/pack.v1.json",
        include_str!("../../../../../../contracts/schemas/pack.v1.json"),
    ),
    (
        ".schemas/cases.v1.json",
        include_str!("../../../../../../contracts/schemas/cases.v1.json"),
    ),
];
/// What stands for the pack's name in the files above.
const NAME: &str = "example-name";

/// Writes the files.
pub(super) fn run(options: &PackNew, console: &mut Console) -> Outcome {
    let name = Name::parse(&options.name)?;
    let folder = options.dir.join(name.as_str());
    files::make_empty_folder(&folder)?;
    for (path, text) in [
        ("pack.yaml", MANIFEST),
        ("tests/cases.yaml", CASES),
        ("README.md", README),
    ] {
        let text = text.replace(NAME, name.as_str());
        files::write(&folder.join(path), text.as_bytes())?;
    }
    for (path, text) in SCHEMAS {
        files::write(&folder.join(path), text.as_bytes())?;
    }
    let shown = folder.display().to_string();
    console.value(&json!({"name": name.as_str(), "folder": shown}))?;
    console.line(format_args!("{} {shown}", Tone::Good.paint("made")))?;
    console.note(format_args!(
        "Change pack.yaml and tests/cases.yaml, then: paygod pack test {shown}"
    ))?;
    Ok(Answer::Yes)
}
