//! `pack build`: the canonical archive as a file.

use super::{find, named_value};
use crate::cli::PackBuild;
use crate::fault::{Answer, Outcome};
use crate::files;
use crate::output::{Console, Tone};
use std::path::PathBuf;

/// Writes the archive.
pub(super) fn run(options: &PackBuild, console: &mut Console) -> Outcome {
    let pack = find::open(&options.pack)?;
    let named = pack.named();
    let path = options
        .out
        .clone()
        .unwrap_or_else(|| PathBuf::from(format!("{}-{}.paygod-pack", named.name, named.version)));
    files::write(&path, pack.archive())?;
    let mut value = named_value(named);
    if let Some(object) = value.as_object_mut() {
        object.insert("file".into(), path.display().to_string().into());
        object.insert("bytes".into(), pack.archive().len().into());
    }
    console.value(&value)?;
    console.line(format_args!(
        "{} {}  {}",
        Tone::Good.paint("built"),
        path.display(),
        Tone::Faint.paint(named.digest)
    ))?;
    Ok(Answer::Yes)
}
