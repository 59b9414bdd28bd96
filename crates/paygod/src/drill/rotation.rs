//! Rotating the keys of a closed hybrid book: an entry signed by all four, then the new key files.
//!
//! The drill's own book has one rotation in its past. This is no way to rotate the key of a book that
//! counts: the new keys follow from the old one.

use crate::fault::Fault;
use crate::insider::{Keyring, cosigner, hybrid_change, signer, vkey};
use paygod_core::engine;
use paygod_core::entry::KeyRotation;
use paygod_core::{Entry, State, SystemCommand};
use paygod_service::ledger::KeyFile;
use paygod_store::{
    Book, Entry as Stored, FileKek, Fold, FoldFault, Group, Options, Record, Snapshot,
};
use paygod_tlog::Cosigner as _;
use paygod_types::{Digest, Timestamp, code};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

/// Seals the rotation at `now` and puts the new key where the ledger looks for it.
pub(super) fn rotate(book: &Path, now: Timestamp) -> Result<(), Fault> {
    let mut folded = Folded(State::new());
    // The vault is not looked at, so any key does.
    let kek = Arc::new(FileKek::from_bytes(&[0; 32]));
    let options = Options {
        kek: Some(kek),
        background: false,
        ..Options::default()
    };
    let mut opened =
        Book::open(book, &options, &mut folded).map_err(|error| Fault::of(error.code(), &error))?;
    let state = &mut folded.0;
    let in_force =
        (state.book()).and_then(|book| Some((Arc::clone(&book.origin), book.in_force()?)));
    let Some((origin, keys)) = in_force else {
        return Err(Fault::new(code::BOOK_NOT_READY, "the book has no genesis"));
    };
    let old = keys.checkpoint;
    let seed = Digest::sha256(format!("the key after {old}").as_bytes());
    let new = signer(&origin, seed)?;
    let next = cosigner(&origin, seed)?;
    let stolen = Keyring::steal(book, &origin)?;
    let hybrid = keys.hybrid.and_then(|vkey| stolen.hybrid_of(&vkey));
    let (Some(before), Some(hybrid)) = (stolen.of(&old), hybrid) else {
        return Err(Fault::new(
            code::LEDGER_KEY_FILE,
            "the keys in force are not in `keys/`",
        ));
    };
    let seq = state.next_seq();
    let named = next.verifier_key().to_string();
    let message = KeyRotation::message(&origin, seq, [&old, &vkey(&new)], Some(&named));
    let rotation = KeyRotation {
        hybrid: Some(hybrid_change([hybrid, &next], &message)?),
        new: vkey(&new),
        signature_new: new.sign_bytes(message.as_bytes()),
        signature_old: before.sign_bytes(message.as_bytes()),
        old,
    };
    let mut group = Group::new(seq);
    let mut entry = Vec::new();
    engine::execute_system(state, SystemCommand::KeyRotate(rotation), now, &mut entry)
        .map_err(|error| Fault::of(error.code(), &error))?;
    group
        .push(&entry, None)
        .map_err(|error| Fault::of(error.code(), &error))?;
    opened
        .writer
        .commit(&group)
        .map_err(|error| Fault::of(error.code(), &error))?;
    [
        (KeyFile::Checkpoint, "paygod-ed25519-seed-v1"),
        (KeyFile::Hybrid, "paygod-ml-dsa-44-seed-v1"),
    ]
    .into_iter()
    .try_for_each(|(file, kind)| replace_key(&file.path(book), kind, seed))
    .map_err(|error| Fault::of(code::LEDGER_KEY_FILE, &error))
}

fn replace_key(path: &Path, kind: &str, seed: Digest) -> std::io::Result<()> {
    let name = path.file_name().unwrap_or_default().display();
    fs::rename(path, path.with_file_name(format!("retired-{name}")))?;
    fs::write(path, format!("{kind} {seed}\n"))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))
}

/// The state, from the entries alone.
struct Folded(State);

impl Fold for Folded {
    fn reset(&mut self) {
        self.0 = State::new();
    }

    fn restore(&mut self, _: &Snapshot) -> Result<(), FoldFault> {
        Err(FoldFault {
            code: code::LEDGER_STATE_MISMATCH,
            message: "every entry is folded".to_owned(),
        })
    }

    fn apply(&mut self, stored: Stored<'_>, record: &mut Record) -> Result<(), FoldFault> {
        let entry = Entry::decode(stored.bytes).map_err(|error| FoldFault {
            code: error.code(),
            message: error.to_string(),
        })?;
        let effects = self.0.apply(&entry).map_err(|error| FoldFault {
            code: error.code(),
            message: error.to_string(),
        })?;
        record.id(effects.id.as_str().as_bytes());
        Ok(())
    }
}
