//! Copies of a live book: backup, restore, export.
//!
//! The store copies what it keeps; the key files, which it does not know, are copied here, each read as
//! the key that it must be. A backup therefore holds them, and is guarded like the book; an export holds
//! none.

use std::io::{self, ErrorKind};
use std::path::Path;

use paygod_store::{CopyError, OpenError, Progress as CopyProgress, expect_backup};

use super::anchors::Folder;
use super::error::{BookError, LedgerError};
use super::fold::BookFold;
use super::keys;
use super::open::{Ledger, OpenOptions, carry_out, store_options};
use super::reader::LedgerReader;

impl LedgerReader {
    /// Copies the book to a new folder while it lives, keys and vault included: all that is durable now.
    /// `tell` is given the bytes done, now and then.
    ///
    /// # Errors
    /// The folder is occupied or cannot be written, or something cannot be read.
    pub fn backup(&self, to: &Path, tell: &mut dyn FnMut(CopyProgress)) -> Result<(), LedgerError> {
        // First: a key that is replaced meanwhile may be gone afterwards.
        let keys = keys::Copied::read(&self.dir)?;
        self.files.backup_with(to, false, tell, || {
            Folder::of(&self.dir).copy(to)?;
            Ok::<(), LedgerError>(keys.write(to)?)
        })?;
        Ok(())
    }

    /// Writes the ledger as static files (C2SP tlog-tiles), with packs, lists and checkpoints: all that
    /// `paygod verify` needs. Covers what the last published checkpoint covers. `tell` is given the entries
    /// done, now and then.
    ///
    /// # Errors
    /// The folder cannot be written, or something cannot be read.
    pub fn export(&self, to: &Path, tell: &mut dyn FnMut(CopyProgress)) -> Result<(), LedgerError> {
        let report = self.files.export(to, tell)?;
        Folder::of(&self.dir).export(to, report.size)?;
        Ok(())
    }
}

impl Ledger {
    /// Makes a book out of a backup, checking every entry on the way. `tell` is given the bytes copied, now and
    /// then, and after that the `progress` of the options the entries checked.
    ///
    /// # Errors
    /// The backup is not whole or not sound, or the folder is occupied or cannot be written. Then nothing is left in it.
    pub fn restore(
        from: &Path,
        to: &Path,
        options: &OpenOptions,
        tell: &mut dyn FnMut(CopyProgress),
    ) -> Result<(), BookError> {
        // First of all: whoever names a wrong folder must not be told that a key is lost.
        expect_backup(&*options.disk, from)?;
        // What was there before is not ours to take away, and the store refuses to add to it.
        let is_ours = match std::fs::read_dir(to) {
            Ok(mut held) => held.next().is_none(),
            Err(error) => error.kind() == ErrorKind::NotFound,
        };
        let made = restored(from, to, options, tell);
        if let Err(error) = &made
            && is_ours
            && !tells_of_another(error)
        {
            // Half a book must not pass for one; that it cannot be removed says less than why it was not made.
            let _left = remove_all_in(to);
        }
        made
    }
}

/// Whether an error means that somebody else has begun to use the folder meanwhile.
fn tells_of_another(error: &BookError) -> bool {
    match error {
        BookError::Open(OpenError::Locked { .. })
        | BookError::Copy(CopyError::Occupied { .. } | CopyError::Open(OpenError::Locked { .. })) => {
            true
        }
        BookError::Copy(CopyError::Io(fault)) => fault.source.kind() == ErrorKind::AlreadyExists,
        _ => false,
    }
}

/// Removes what a folder holds.
fn remove_all_in(dir: &Path) -> io::Result<()> {
    for held in std::fs::read_dir(dir)? {
        let held = held?;
        if held.file_type()?.is_dir() {
            std::fs::remove_dir_all(held.path())?;
        } else {
            std::fs::remove_file(held.path())?;
        }
    }
    Ok(())
}

fn restored(
    from: &Path,
    to: &Path,
    options: &OpenOptions,
    tell: &mut dyn FnMut(CopyProgress),
) -> Result<(), BookError> {
    let store = store_options(from, options)?;
    let mut fold = BookFold::new(0, options.snapshot_every, options.progress.clone());
    // Opened and closed again: that has read every record, folded every entry and compared the tree.
    let mut book = paygod_store::restore(from, to, &store, &mut fold, tell)?;
    carry_out(&mut book, &fold)?;
    drop(book);
    Folder::of(from).copy(to)?;
    Ok(keys::Copied::read(from)?.write(to)?)
}
