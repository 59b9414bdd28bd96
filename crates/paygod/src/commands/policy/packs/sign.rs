//! `pack key`, `pack sign`, `pack verify`: who vouches for a pack or a report.

use super::{find, named_value, replay};
use crate::cli::{PackKey, PackSign, PackVerify};
use crate::commands::keys;
use crate::fault::{Answer, Fault, Outcome, faults_from};
use crate::files;
use crate::output::{Console, Tone};
use paygod_core::ceremony::PublisherKeyText;
use paygod_core::publisher::{PublisherError, open_signature, pack_text};
use paygod_tlog::limits::NOTE_BYTES_MAX;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;

faults_from!(PublisherError);

/// Makes a publisher's key.
pub(super) fn key(options: &PackKey, console: &mut Console) -> Outcome {
    let text = |key: &str| PublisherKeyText { key: key.into() }.to_text();
    let public = keys::make(&options.name, &options.key, text, console)?;
    console.note(format_args!(
        "Hand `{}` out. Keep `{}` and its passphrase apart from each other.",
        public.display(),
        options.key.display()
    ))?;
    Ok(Answer::Yes)
}

/// Signs a pack.
pub(super) fn run(options: &PackSign, console: &mut Console) -> Outcome {
    let pack = find::open(&options.pack)?;
    let named = pack.named();
    let path = options.out.clone().unwrap_or_else(|| {
        let archive = format!("{}-{}.paygod-pack", named.name, named.version);
        signature_path(Path::new(&archive))
    });
    let key = sign(&pack_text(named), &options.key, &path)?;
    let mut value = named_value(named);
    if let Some(object) = value.as_object_mut() {
        object.insert("signed_by".into(), (*key).into());
        object.insert("file".into(), path.display().to_string().into());
    }
    console.value(&value)?;
    console.line(format_args!(
        "{} {} {}  {}",
        Tone::Good.paint("signed"),
        named.name,
        named.version,
        Tone::Faint.paint(named.digest)
    ))?;
    console.line(format_args!("  by {key}"))?;
    console.note(format_args!("The signature is `{}`.", path.display()))?;
    Ok(Answer::Yes)
}

/// Checks a signature of a pack or a report.
pub(super) fn verify(options: &PackVerify, console: &mut Console) -> Outcome {
    let key = publisher(&options.publisher)?;
    let (what, text) = match replay::read_report(&options.file)? {
        Some(report) => (report.told(), report.text),
        None => {
            let pack = find::open(&options.file)?;
            let named = pack.named();
            (
                format!("{} {}", named.name, named.version),
                pack_text(named),
            )
        }
    };
    let path = options
        .signature
        .clone()
        .unwrap_or_else(|| signature_path(&options.file));
    open_signature(&files::read(&path, NOTE_BYTES_MAX)?, &text, &key)?;
    console.value(&json!({"valid": true, "signed_by": *key, "text": text}))?;
    console.line(format_args!("{}: {what}", Tone::Good.paint("signed")))?;
    console.line(format_args!("  by {key}"))?;
    Ok(Answer::Yes)
}

/// Signs a text with the publisher's key of a key file, into `out`; the vkey.
pub(super) fn sign(text: &str, key: &Path, out: &Path) -> Result<Arc<str>, Fault> {
    let vkey = publisher(&keys::public_path(key))?;
    let signer = keys::open(key, &vkey)?;
    files::write(out, &keys::signed(text, &signer)?)?;
    Ok(vkey)
}

/// The key that a publisher handed out.
pub(super) fn publisher(path: &Path) -> Result<Arc<str>, Fault> {
    Ok(PublisherKeyText::open(&files::read(path, NOTE_BYTES_MAX)?)?.key)
}

/// `limits.paygod-pack` → `limits.paygod-pack.sig`
pub(super) fn signature_path(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".sig");
    PathBuf::from(name)
}
