//! Rotating the checkpoint key of a closed book: an entry signed by both keys, then the new key file.
//!
//! The drill's own book has one rotation in its past. This is no way to rotate the key of a book that
//! counts: the new key follows from the old one.

use crate::fault::Fault;
use crate::insider::{Keyring, signer, vkey};
use paygod_core::engine;
use paygod_core::entry::KeyRotation;
use paygod_core::{Entry, State, SystemCommand};
use paygod_service::ledger::KeyFile;
use paygod_store::{
    Book, Entry as Stored, FileKek, Fold, FoldFault, Group, Options, Record, Snapshot,
};
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
    let (origin, old) = match (state.book(), state.checkpoint_key()) {
        (Some(book), Some(key)) => (Arc::clone(&book.origin), Arc::clone(&key.vkey)),
        _ => return Err(Fault::new(code::BOOK_NOT_READY, "the book has no genesis")),
    };
    let seed = Digest::sha256(format!("the key after {old}").as_bytes());
    let new = signer(&origin, seed)?;
    let keys = Keyring::steal(book, &origin)?;
    let Some(before) = keys.of(&old) else {
        return Err(Fault::new(
            code::LEDGER_KEY_FILE,
            "the checkpoint key is not in `keys/`",
        ));
    };
    let message = KeyRotation::message(&origin, state.next_seq(), &old, &vkey(&new));
    let rotation = KeyRotation {
        new: vkey(&new),
        signature_new: new.sign_bytes(message.as_bytes()),
        signature_old: before.sign_bytes(message.as_bytes()),
        old,
    };
    let mut group = Group::new(state.next_seq());
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
    replace_key(book, seed).map_err(|error| Fault::of(code::LEDGER_KEY_FILE, &error))
}

fn replace_key(book: &Path, seed: Digest) -> std::io::Result<()> {
    let path = KeyFile::Checkpoint.path(book);
    fs::rename(&path, path.with_file_name("retired-checkpoint.key"))?;
    fs::write(&path, format!("paygod-ed25519-seed-v1 {seed}\n"))?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))
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
