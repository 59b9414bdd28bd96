//! The thief at the book's own files: edits a sealed entry in its segment, checksum and all, and
//! takes away everything from which the edit could be told on this machine.
//!
//! What was taken away is made anew by the ledger itself when it is opened next: trees, indexes, and a
//! checkpoint signed with the book's own key.

use super::failed;
use crate::fault::Fault;
use paygod_types::code;
use std::fs;
use std::path::Path;

/// What precedes an entry in its record: `len u16 | place u16 | crc32c u32 | seq u64 | vault u64`.
const RECORD_HEADER_BYTES: usize = 24;
/// Where the checksum stands in it.
const CHECKSUM_AT: usize = 4;
/// What is derived from segments, or published: gone without a trace.
const DERIVED: &[&str] = &[
    "tree",
    "index",
    "history",
    "snapshots",
    "checkpoint",
    "checkpoints.log",
];

/// Replaces a sealed entry by another of the same length.
pub(crate) fn edit_segment(book: &Path, from: &[u8], to: &[u8]) -> Result<(), Fault> {
    let folder = book.join("segments");
    for file in fs::read_dir(&folder).map_err(|error| failed(&folder, &error))? {
        let path = file.map_err(|error| failed(&folder, &error))?.path();
        if path.extension().is_none_or(|extension| extension != "seg") {
            continue;
        }
        let mut bytes = fs::read(&path).map_err(|error| failed(&path, &error))?;
        if replace_record(&mut bytes, from, to).is_some() {
            return fs::write(&path, &bytes).map_err(|error| failed(&path, &error));
        }
    }
    Err(Fault::new(
        code::CLI_INPUT,
        "no segment of the book holds the entry to edit",
    ))
}

fn replace_record(bytes: &mut [u8], from: &[u8], to: &[u8]) -> Option<()> {
    let at = bytes
        .windows(from.len())
        .position(|window| window == from)?;
    let header_at = at.checked_sub(RECORD_HEADER_BYTES)?;
    let record = bytes.get_mut(header_at..at.checked_add(from.len())?)?;
    let (header, entry) = record.split_at_mut_checked(RECORD_HEADER_BYTES)?;
    if entry.len() != to.len() {
        return None;
    }
    entry.copy_from_slice(to);
    let (before, rest) = header.split_at_mut_checked(CHECKSUM_AT)?;
    let (checksum, after) = rest.split_at_mut_checked(4)?;
    let sum = crc32c::crc32c_append(crc32c::crc32c(before), after);
    checksum.copy_from_slice(&crc32c::crc32c_append(sum, entry).to_le_bytes());
    Some(())
}

/// Takes away what is derived and what was published.
pub(crate) fn wipe_derived(book: &Path) -> Result<(), Fault> {
    for name in DERIVED {
        let path = book.join(name);
        let gone = if path.is_dir() {
            fs::remove_dir_all(&path)
        } else if path.exists() {
            fs::remove_file(&path)
        } else {
            Ok(())
        };
        gone.map_err(|error| failed(&path, &error))?;
    }
    Ok(())
}
