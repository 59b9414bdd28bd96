//! Copying a book's folder, without the zeros that its files are prefilled with.

use crate::fault::Fault;
use paygod_types::code;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// How much is looked at at once.
const PIECE_BYTES: usize = 1 << 16;

/// What is copied first: a checkpoint older than the entries beside it does no harm, a newer one does.
const FIRST: [&str; 2] = ["checkpoint", "checkpoints.log"];

/// Copies a folder and all below it.
pub(super) fn folder(from: &Path, to: &Path) -> Result<(), Fault> {
    copy(from, to).map_err(|error| {
        Fault::of(code::CLI_INPUT, &error).while_doing(&format!("cannot copy `{}`", from.display()))
    })
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for name in FIRST {
        if from.join(name).is_file() {
            file(&from.join(name), &to.join(name))?;
        }
    }
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            copy(&path, &target)?;
        } else if !FIRST.iter().any(|name| entry.file_name() == *name) {
            file(&path, &target)?;
        }
    }
    Ok(())
}

/// Copies a file; pieces of zeros become holes.
fn file(from: &Path, to: &Path) -> io::Result<()> {
    let mut source = File::open(from)?;
    let mut target = File::create(to)?;
    target.set_permissions(source.metadata()?.permissions())?;
    let mut piece = vec![0_u8; PIECE_BYTES];
    loop {
        let read = source.read(&mut piece)?;
        let Some(bytes) = piece.get(..read).filter(|bytes| !bytes.is_empty()) else {
            break;
        };
        if bytes.iter().all(|byte| *byte == 0) {
            target.seek(SeekFrom::Current(i64::try_from(read).unwrap_or(0)))?;
        } else {
            target.write_all(bytes)?;
        }
    }
    let len = target.stream_position()?;
    target.set_len(len)
}
