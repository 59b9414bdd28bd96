//! The thief that `demo` and `drill` play: owns the machine, holds the log's signing key.
//!
//! Works on exports in memory ([`Export`]) and on the files of a book ([`edit_segment`]). It edits entries
//! as it likes, then covers its tracks as well as anybody could: rebuilds every bundle and tile, and signs
//! the new root with the stolen key. What it makes is a valid log in itself; only what others kept can
//! tell that history was changed.
//!
//! It touches nothing but the folder that it is given.

mod export;
mod keyring;
mod store;
mod tracks;

pub(crate) use export::{CHECKPOINT, CHECKPOINTS, Export};
pub(crate) use keyring::{Keyring, cosigner, hybrid_change, rogue, signer, vkey};
pub(crate) use store::{edit_segment, wipe_derived};
pub(crate) use tracks::cover;

use crate::fault::{Fault, faults_from};
use paygod_types::code;
use std::path::Path;

faults_from!(paygod_tlog::CheckpointError);

/// Replaces one text by another wherever it stands in an entry; `None` when it stands nowhere.
pub(crate) fn edited(entry: &[u8], from: &str, to: &str) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(entry).ok()?;
    text.contains(from)
        .then(|| text.replace(from, to).into_bytes())
}

fn failed(path: &Path, error: &std::io::Error) -> Fault {
    Fault::of(code::CLI_INPUT, error).while_doing(&format!("cannot work on `{}`", path.display()))
}
