//! The newest witnessed checkpoint, `witnessed`: a checkpoint that was published, with the cosignatures that
//! made a quorum.
//!
//! It stands beside `checkpoint` and never in its place: what is signed is not witnessed until it is.

use paygod_tlog::SignedCheckpoint;
use paygod_tlog::limits::NOTE_BYTES_MAX;

use crate::disk::Dir;
use crate::error::CheckpointError;
use crate::width::to_u64;

/// The file's name, in a book and in an export.
pub const WITNESSED_NAME: &str = "witnessed";

/// Records witnessed checkpoints. One writer; the file may be read by anyone.
#[derive(Debug)]
pub struct Witnessed {
    dir: Dir,
    last: Option<SignedCheckpoint>,
}

impl Witnessed {
    pub(crate) fn open(dir: Dir) -> Result<Self, CheckpointError> {
        let bytes = dir.read_whole(WITNESSED_NAME, to_u64(NOTE_BYTES_MAX))?;
        // It can be asked for again: one that does not read is as none.
        let last = bytes.and_then(|bytes| SignedCheckpoint::parse(&bytes).ok());
        Ok(Self { dir, last })
    }

    /// The newest one.
    #[must_use]
    pub const fn last(&self) -> Option<&SignedCheckpoint> {
        self.last.as_ref()
    }

    /// Puts a newer one in its place, durably.
    ///
    /// # Errors
    /// It is smaller than the one there, or the disk refused.
    pub fn replace(&mut self, checkpoint: SignedCheckpoint) -> Result<(), CheckpointError> {
        let found = checkpoint.head().size;
        let last = self.last.as_ref().map_or(0, |last| last.head().size);
        if found < last {
            return Err(CheckpointError::NotLarger { last, found });
        }
        self.dir
            .replace(WITNESSED_NAME, &[&checkpoint.to_bytes()])?;
        self.last = Some(checkpoint);
        Ok(())
    }
}
