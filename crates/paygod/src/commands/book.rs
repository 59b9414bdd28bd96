//! The book as a whole: `init`, `checkpoint`, `export`, `backup`, `restore`.

use super::keys::NO_ROOTS;
use crate::book;
use crate::cli::{Backup, Export, Global, Init, Restore};
use crate::fault::{Answer, Fault, Outcome};
use crate::files;
use crate::output::{Console, Tone};
use crate::progress::{self, Copying};
use paygod_core::ceremony::RootsText;
use paygod_service::ledger::{BookOptions, Ledger, LedgerError, LedgerReader, OpenOptions};
use paygod_tlog::limits::NOTE_BYTES_MAX;
use paygod_types::{Seq, code};
use serde_json::json;

/// The log's name when none is given.
const ORIGIN_DEFAULT: &str = "paygod.local/book";

/// Makes a new book.
pub(crate) fn init(options: &Init, global: &Global, console: &mut Console) -> Outcome {
    let folder = book::folder(global)?;
    let roots = if options.roots.is_empty() {
        None
    } else {
        let mut signed = Vec::with_capacity(options.roots.len());
        for path in &options.roots {
            signed.push(files::read(path, NOTE_BYTES_MAX)?);
        }
        Some(RootsText::accepted(&signed)?)
    };
    let origin = match (&options.origin, &roots) {
        (Some(origin), _) => origin.clone(),
        (None, Some(roots)) => roots.origin.to_string(),
        (None, None) => ORIGIN_DEFAULT.to_owned(),
    };
    let wanted = BookOptions {
        origin,
        roots,
        keys: options.keys.clone(),
        hybrid: options.hybrid,
    };
    let made = Ledger::create_with(folder, &wanted, book::options(global))?;
    console.value(&json!({
        "book": folder.display().to_string(),
        "origin": made.origin,
        "fingerprint": made.fingerprint,
        "checkpoint_key": made.checkpoint_key,
        "hybrid_key": made.hybrid_key,
        "root_keys": made.root_keys,
        "root_threshold": made.root_threshold,
    }))?;
    console.line(format_args!(
        "{} the book `{}` in `{}`",
        Tone::Good.paint("made"),
        made.origin,
        folder.display()
    ))?;
    console.line(format_args!(
        "  fingerprint     {}",
        Tone::Strong.paint(&made.fingerprint)
    ))?;
    console.line(format_args!("  checkpoint key  {}", made.checkpoint_key))?;
    if let Some(key) = &made.hybrid_key {
        console.line(format_args!("  ML-DSA-44 key   {key}"))?;
    }
    for key in &made.root_keys {
        console.line(format_args!("  root key        {key}"))?;
    }
    console
        .note("Give your auditors the fingerprint once, and a checkpoint now and then: paygod checkpoint.")?;
    if made.root_keys.is_empty() {
        console.sentence(2, Tone::Warn, NO_ROOTS)?;
    } else {
        console.line(format_args!(
            "  {} of {} root keys can revoke a checkpoint key",
            made.root_threshold,
            made.root_keys.len()
        ))?;
    }
    if options.keys.is_none() {
        console.note(format_args!(
            "The private keys are files in `{}`: good for development, not for production.",
            folder.join("keys").display()
        ))?;
    }
    Ok(Answer::Yes)
}

/// Prints the newest checkpoint as it is signed.
pub(crate) fn checkpoint(global: &Global, console: &mut Console) -> Outcome {
    book::read_signed(global, |reader| {
        let Some(checkpoint) = reader.checkpoint() else {
            return Err(LedgerError::NotSignedYet { seq: Seq(0) }.into());
        };
        let status = reader.status()?;
        let note = checkpoint.to_bytes();
        if console.is_json() {
            let head = checkpoint.head();
            let keys: Vec<_> = status
                .checkpoint_keys
                .iter()
                .map(|key| json!({"since": key.since.get(), "vkey": *key.vkey}))
                .collect();
            let book = reader.book_keys()?;
            let hybrid = book.as_ref().and_then(|book| book.hybrid_key());
            console.value(&json!({
                "origin": status.origin,
                "fingerprint": status.fingerprint,
                "hybrid_key": hybrid,
                "size": head.size,
                "root": head.root.to_base64(),
                "keys": keys,
                "note": String::from_utf8_lossy(&note),
            }))?;
        } else {
            console.bytes(&note)?;
            console.note(format_args!(
                "fingerprint of the book: {}",
                status.fingerprint
            ))?;
        }
        Ok(Answer::Yes)
    })
}

/// Writes the book as static files.
pub(crate) fn export(options: &Export, global: &Global, console: &mut Console) -> Outcome {
    book::read_signed(global, |reader| {
        let bar = Copying::entries(console);
        reader.export(&options.to, &mut |done| bar.tell(done))?;
        drop(bar);
        let status = reader.status()?;
        let (files, bytes) = files::measure(&options.to).map_err(|error| {
            Fault::of(code::CLI_INPUT, &error).while_doing("cannot count files")
        })?;
        console.value(&json!({
            "folder": options.to.display().to_string(),
            "entries": status.signed,
            "files": files,
            "bytes": bytes,
            "fingerprint": status.fingerprint,
        }))?;
        console.line(format_args!(
            "{} {} entries to `{}`: {files} files, {bytes} bytes",
            Tone::Good.paint("exported"),
            status.signed,
            options.to.display(),
        ))?;
        console.note(format_args!(
            "Check it with: paygod verify {} --genesis {}",
            options.to.display(),
            status.fingerprint
        ))?;
        Ok(Answer::Yes)
    })
}

/// Copies the live book.
pub(crate) fn backup(options: &Backup, global: &Global, console: &mut Console) -> Outcome {
    book::read(global, |reader| {
        let bar = Copying::bytes(console);
        reader.backup(&options.to, &mut |done| bar.tell(done))?;
        drop(bar);
        let entries = reader.size();
        let to = options.to.display().to_string();
        console.value(&json!({
            "folder": to,
            "entries": entries,
            "missing_input": reader.missing_input().map(Seq::get),
        }))?;
        console.line(format_args!(
            "{} {entries} entries to `{to}`",
            Tone::Good.paint("backed up")
        ))?;
        console.note("It holds the book's keys and encrypted inputs: guard it like the book.")?;
        tell_missing(reader, console)
    })
}

/// Makes a book out of a backup.
pub(crate) fn restore(options: &Restore, global: &Global, console: &mut Console) -> Outcome {
    let folder = book::folder(global)?;
    let bar = Copying::bytes(console);
    let opening = OpenOptions {
        progress: progress::opening(console),
        ..OpenOptions::default()
    };
    Ledger::restore(&options.from, folder, &opening, &mut |done| bar.tell(done))?;
    drop(bar);
    book::read(global, |reader| {
        let status = reader.status()?;
        console.value(&json!({
            "book": folder.display().to_string(),
            "entries": status.entries,
            "fingerprint": status.fingerprint,
            "missing_input": reader.missing_input().map(Seq::get),
        }))?;
        console.line(format_args!(
            "{} {} entries to `{}`, each checked",
            Tone::Good.paint("restored"),
            status.entries,
            folder.display()
        ))?;
        console.line(format_args!("  fingerprint  {}", status.fingerprint))?;
        tell_missing(reader, console)
    })
}

/// Tells of a copy whose vault does not reach as far as its log.
fn tell_missing(reader: &LedgerReader, console: &mut Console) -> Outcome {
    let Some(seq) = reader.missing_input() else {
        return Ok(Answer::Yes);
    };
    console.line(format_args!(
        "{} the vault lacks the input of entry {seq}, and perhaps others: put the files that it lacks back into `vault/`, from an \
         older backup if need be. The log and its proofs are whole.",
        Tone::Warn.paint("inputs missing")
    ))?;
    Ok(Answer::No)
}
