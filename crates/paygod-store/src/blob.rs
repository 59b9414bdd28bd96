//! Blobs: packs and lists, each under its SHA-256. They are public: an export carries them.
//!
//! A blob is trusted for nothing: its digest is checked whenever it is read.

use std::sync::{Arc, Mutex, PoisonError};

use paygod_types::Digest;

use crate::disk::Dir;
use crate::error::BlobError;
use crate::width::to_u64;

/// Longest blob, in bytes: several times the largest public sanctions list.
pub const BLOB_BYTES_MAX: u64 = 256 << 20;

/// The blobs of a book. Cheap to clone; any thread may use it.
#[derive(Clone, Debug)]
pub struct Blobs {
    dir: Dir,
    /// One puts at a time: two of the same blob would write one file.
    putting: Arc<Mutex<()>>,
}

impl Blobs {
    pub(crate) fn new(dir: Dir) -> Self {
        Self {
            dir,
            putting: Arc::default(),
        }
    }

    /// Stores a blob durably and gives its digest. One that is there is written again: whether its name is durable cannot be seen.
    ///
    /// # Errors
    /// The blob is too large, or the disk refused.
    pub fn put(&self, bytes: &[u8]) -> Result<Digest, BlobError> {
        let found = to_u64(bytes.len());
        if found > BLOB_BYTES_MAX {
            return Err(BlobError::TooLarge {
                found,
                allowed: BLOB_BYTES_MAX,
            });
        }
        let digest = Digest::sha256(bytes);
        let _alone = self.putting.lock().unwrap_or_else(PoisonError::into_inner);
        self.dir.replace(&digest.to_string(), &[bytes])?;
        Ok(digest)
    }

    /// Reads a blob and checks its digest.
    ///
    /// # Errors
    /// There is none, its bytes were altered, or the disk refused.
    pub fn get(&self, digest: &Digest) -> Result<Vec<u8>, BlobError> {
        let name = digest.to_string();
        let Some(bytes) = self.dir.read_whole(&name, BLOB_BYTES_MAX)? else {
            return Err(BlobError::NotFound { digest: name });
        };
        let found = Digest::sha256(&bytes);
        if found != *digest {
            return Err(BlobError::Altered {
                expected: name,
                found: found.to_string(),
            });
        }
        Ok(bytes)
    }

    /// The digests of all blobs, in order.
    ///
    /// # Errors
    /// The disk refused.
    pub fn list(&self) -> Result<Vec<Digest>, BlobError> {
        let names = self.dir.list()?;
        Ok(names
            .iter()
            .filter_map(|name| Digest::parse(name).ok())
            .collect())
    }
}
