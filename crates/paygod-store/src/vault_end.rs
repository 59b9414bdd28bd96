//! Where the vault must end, by what the newest entries say of it.
//!
//! Inputs are durable before the entries that refer to them. So a vault without the input of the newest entry that has
//! one has lost something: a file was removed, or an older copy was put in its place. What comes later must not stand
//! where the log says that something else stands: explanations would show what is another's, and an order to erase an input would
//! destroy a newer one.
//!
//! INVARIANT(place-once): no two entries refer to the same place of a vault.

use paygod_types::Seq;

use crate::error::IoFault;
use crate::reader::{EntryBuf, Reader};
use crate::vault::{FILE_NUMBER_MAX, Vault, VaultRef};

/// How many of the newest entries are looked at for one with an input: whoever opens a book waits for it.
const LOOK_BACK: u64 = 1_024;

/// The newest entry with an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Newest {
    /// No entry has one.
    None,
    /// It is this one, and its input stands there.
    At(Seq, VaultRef),
    /// It lies further back, or cannot be read.
    Unknown,
}

impl Newest {
    fn of(reader: &Reader) -> Self {
        let end = reader.size();
        let first = end.saturating_sub(LOOK_BACK);
        let mut buf = EntryBuf::default();
        for seq in (first..end).rev().map(Seq) {
            match reader.entry(seq, &mut buf) {
                Ok(entry) => {
                    if let Some(reference) = entry.input {
                        return Self::At(seq, reference);
                    }
                }
                Err(_) => return Self::Unknown,
            }
        }
        if first == 0 {
            Self::None
        } else {
            Self::Unknown
        }
    }
}

/// The newest entry whose input should be in the vault, if it is not there. Has a vault that is open for writing
/// go on behind everything that the log may refer to.
pub(crate) fn settle(vault: &Vault, reader: &Reader) -> Result<Option<Seq>, IoFault> {
    match Newest::of(reader) {
        Newest::None => Ok(None),
        Newest::At(_, reference) if vault.holds(reference)? => Ok(None),
        Newest::At(seq, reference) => {
            vault.begin_behind(reference.file());
            Ok(Some(seq))
        }
        Newest::Unknown => {
            // A file holds the inputs of one entry at least, so there are no more files than entries.
            vault.begin_behind(reader.size().min(FILE_NUMBER_MAX / 2));
            Ok(None)
        }
    }
}
