//! `pack key`, `pack sign`, `pack verify`: who vouches for a pack or a report.

use super::{find, named_value, replay};
use crate::cli::{PackKey, PackSign, PackVerify};
use crate::commands::keys;
use crate::fault::{Answer, Fault, Outcome, faults_from};
use crate::files;
use crate::output::{Console, Tone};
use paygod_core::ceremony::PublisherKeyText;
use paygod_core::publisher::{PublisherError, open_signature, pack_text};
use paygod_keys::{Algorithm, NoteKey};
use paygod_policy::Named;
use paygod_tlog::limits::NOTE_BYTES_MAX;
use paygod_tlog::{KeyName, NoteSigner, VerifierKey};
use paygod_types::code;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;

faults_from!(PublisherError);

/// Makes a publisher's key.
pub(super) fn key(options: &PackKey, console: &mut Console) -> Outcome {
    let text = |key: &str| PublisherKeyText { key: key.into() }.to_text();
    let PackKey { name, key, public } = options;
    if keys::is_address(key) {
        let public = public_file(key, public.as_deref())?;
        keys::check_new(&public)?;
        let signer = paygod_keys::uri::open(key)?.create(Algorithm::Ed25519)?;
        let signer = NoteKey::new(KeyName::parse(name)?, signer)?;
        keys::hand_out(&signer, key, &public, text, console)?;
        console.note(format_args!(
            "Hand `{}` out, and keep a copy: the key is found by it.",
            public.display()
        ))?;
        return Ok(Answer::Yes);
    }
    let public = keys::make(name, Path::new(key), text, console)?;
    console.note(format_args!(
        "Hand `{}` out. Keep `{key}` and its passphrase apart from each other.",
        public.display(),
    ))?;
    Ok(Answer::Yes)
}

/// Where a publisher's `.pub` is: beside the key file, or where it is said to be.
fn public_file(key: &str, public: Option<&Path>) -> Result<PathBuf, Fault> {
    match public {
        Some(public) => Ok(public.to_path_buf()),
        None if keys::is_address(key) => {
            let message = "a key that is in no file has its public part where `--public` says";
            Err(Fault::new(code::CLI_ARGUMENT, message).remedy("name the `.pub` file: --public"))
        }
        None => Ok(keys::public_path(Path::new(key))),
    }
}

/// Signs a pack.
pub(super) fn run(options: &PackSign, console: &mut Console) -> Outcome {
    let pack = find::open(&options.pack)?;
    let named = pack.named();
    let path = options.out.clone();
    let path = path.unwrap_or_else(|| signature_of(named));
    let public = options.public.as_deref();
    let key = sign(&pack_text(named), &options.key, public, &path)?;
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
    let mut paths = vec![signature_path(&options.file)];
    let (what, text) = match replay::read_report(&options.file)? {
        Some(report) => (report.told(), report.text),
        None => {
            let pack = find::open(&options.file)?;
            let named = pack.named();
            paths.push(signature_of(named));
            (
                format!("{} {}", named.name, named.version),
                pack_text(named),
            )
        }
    };
    let path = match &options.signature {
        Some(path) => path.clone(),
        None => first_there(paths)?,
    };
    open_signature(&files::read(&path, NOTE_BYTES_MAX)?, &text, &key)?;
    console.value(&json!({"valid": true, "signed_by": *key, "text": text}))?;
    console.line(format_args!("{}: {what}", Tone::Good.paint("signed")))?;
    console.line(format_args!("  by {key}"))?;
    Ok(Answer::Yes)
}

/// Signs a text with a publisher's key, into `out`; the vkey.
pub(super) fn sign(
    text: &str,
    key: &str,
    public: Option<&Path>,
    out: &Path,
) -> Result<Arc<str>, Fault> {
    let vkey = publisher(&public_file(key, public)?)?;
    let signer: Box<dyn NoteSigner> = if keys::is_address(key) {
        let found = paygod_keys::uri::open(key)?.find(&NoteKey::public_key_of(&vkey)?)?;
        let name = VerifierKey::parse(&vkey)?.name().clone();
        Box::new(NoteKey::new(name, found)?)
    } else {
        Box::new(keys::open(Path::new(key), &vkey)?)
    };
    files::write(out, &keys::signed(text, &*signer)?)?;
    Ok(vkey)
}

/// The key that a publisher handed out.
pub(super) fn publisher(path: &Path) -> Result<Arc<str>, Fault> {
    Ok(PublisherKeyText::open(&files::read(path, NOTE_BYTES_MAX)?)?.key)
}

/// Where the signature of a pack is written when nothing else is said.
fn signature_of(named: &Named) -> PathBuf {
    let archive = format!("{}-{}.paygod-pack", named.name, named.version);
    signature_path(Path::new(&archive))
}

/// The first of the files that is there.
fn first_there(paths: Vec<PathBuf>) -> Result<PathBuf, Fault> {
    let names: Vec<String> = paths
        .iter()
        .map(|path| format!("`{}`", path.display()))
        .collect();
    let found = paths.into_iter().find(|path| path.exists());
    found.ok_or_else(|| {
        let message = format!("there is no signature in {}", names.join(" or "));
        Fault::new(code::CLI_INPUT, message).remedy("name the signature: --signature FILE")
    })
}

/// `limits.paygod-pack` → `limits.paygod-pack.sig`
pub(super) fn signature_path(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".sig");
    PathBuf::from(name)
}
