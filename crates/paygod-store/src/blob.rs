//! Blobs: packs and lists, each under its SHA-256. They are public: an export carries them.
//!
//! A blob is trusted for nothing: its digest is checked whenever it is read.

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
}

impl Blobs {
    pub(crate) const fn new(dir: Dir) -> Self {
        Self { dir }
    }

    /// Stores a blob durably, unless it is there already, and gives its digest.
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
        match self.get(&digest) {
            Ok(_) => return Ok(digest),
            Err(BlobError::NotFound { .. } | BlobError::Altered { .. }) => {}
            Err(fault) => return Err(fault),
        }
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
