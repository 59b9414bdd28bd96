//! The key-encryption key: what wraps the data key of each input.
//!
//! In production it lives in a module or a service behind [`Kek`]; [`FileKek`] is for development. It
//! does not rotate keys: whoever holds the key does.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use aes_kw::{KeyInit as _, KwAes256};
use zeroize::Zeroizing;

use crate::disk::{Dir, Disk};
use crate::error::VaultError;

/// Length of a data key, in bytes.
pub const DATA_KEY_BYTES: usize = 32;

/// Length of a wrapped data key, in bytes (RFC 3394).
pub const WRAPPED_KEY_BYTES: usize = 40;

/// Wraps and unwraps data keys.
pub trait Kek: Send + Sync + fmt::Debug {
    /// Wraps a data key.
    ///
    /// # Errors
    /// The key cannot be used.
    fn wrap(&self, key: &[u8; DATA_KEY_BYTES]) -> Result<[u8; WRAPPED_KEY_BYTES], VaultError>;

    /// Wraps many data keys, in order. Whoever can do many at less cost than one by one does.
    ///
    /// # Errors
    /// The key cannot be used.
    fn wrap_all(
        &self,
        keys: &[&[u8; DATA_KEY_BYTES]],
    ) -> Result<Vec<[u8; WRAPPED_KEY_BYTES]>, VaultError> {
        keys.iter().map(|key| self.wrap(key)).collect()
    }

    /// Unwraps a data key; `None` when these bytes were not wrapped by this key.
    ///
    /// # Errors
    /// The key cannot be used.
    fn unwrap(
        &self,
        wrapped: &[u8; WRAPPED_KEY_BYTES],
    ) -> Result<Option<Zeroizing<[u8; DATA_KEY_BYTES]>>, VaultError>;
}

/// A key-encryption key kept in a file in the clear: development only.
pub struct FileKek {
    cipher: KwAes256,
}

impl fmt::Debug for FileKek {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FileKek(secret)")
    }
}

/// Name of the development key's file in the vault's folder.
pub(crate) const DEVELOPMENT_KEY_NAME: &str = "development.kek";

impl FileKek {
    /// A key that is already in memory.
    #[must_use]
    pub fn from_bytes(key: &[u8; DATA_KEY_BYTES]) -> Self {
        Self {
            cipher: KwAes256::new(key.into()),
        }
    }

    /// Reads the key file in `folder`; `None` when there is none.
    ///
    /// # Errors
    /// The disk refused, or the file does not hold 32 bytes.
    pub fn open(disk: &Arc<dyn Disk>, folder: &Path) -> Result<Option<Self>, VaultError> {
        let dir = Dir::new(Arc::clone(disk), folder.to_path_buf());
        let Some(bytes) = dir
            .read_whole(DEVELOPMENT_KEY_NAME, 64)?
            .map(Zeroizing::new)
        else {
            return Ok(None);
        };
        let Some(key) = bytes.as_array::<DATA_KEY_BYTES>() else {
            let what = format!("its file has {} bytes and must have 32", bytes.len());
            return Err(VaultError::Kek { what });
        };
        Ok(Some(Self::from_bytes(key)))
    }

    /// Reads the key file in `folder`, or makes one with a fresh key when there is none.
    ///
    /// # Errors
    /// The disk refused, there is no randomness, or the file does not hold 32 bytes.
    pub fn open_or_create(disk: &Arc<dyn Disk>, folder: &Path) -> Result<Self, VaultError> {
        if let Some(found) = Self::open(disk, folder)? {
            return Ok(found);
        }
        let dir = Dir::new(Arc::clone(disk), folder.to_path_buf());
        dir.create()?;
        let mut key = Zeroizing::new([0_u8; DATA_KEY_BYTES]);
        getrandom::fill(key.as_mut_slice()).map_err(|_| VaultError::Randomness)?;
        dir.replace(DEVELOPMENT_KEY_NAME, &[key.as_slice()])?;
        Ok(Self::from_bytes(&key))
    }
}

impl Kek for FileKek {
    fn wrap(&self, key: &[u8; DATA_KEY_BYTES]) -> Result<[u8; WRAPPED_KEY_BYTES], VaultError> {
        let mut wrapped = [0_u8; WRAPPED_KEY_BYTES];
        match self.cipher.wrap_key(key, &mut wrapped) {
            Ok(_) => Ok(wrapped),
            Err(fault) => Err(VaultError::Kek {
                what: fault.to_string(),
            }),
        }
    }

    fn unwrap(
        &self,
        wrapped: &[u8; WRAPPED_KEY_BYTES],
    ) -> Result<Option<Zeroizing<[u8; DATA_KEY_BYTES]>>, VaultError> {
        let mut key = Zeroizing::new([0_u8; DATA_KEY_BYTES]);
        let opened = self.cipher.unwrap_key(wrapped, key.as_mut_slice()).is_ok();
        Ok(opened.then_some(key))
    }
}

/// Stands where no key is at hand: a copy of a book that was made without its key.
#[derive(Debug)]
pub(crate) struct NoKek;

impl NoKek {
    fn missing() -> VaultError {
        VaultError::Kek {
            what: "there is none beside this copy of the book".to_owned(),
        }
    }
}

impl Kek for NoKek {
    fn wrap(&self, _: &[u8; DATA_KEY_BYTES]) -> Result<[u8; WRAPPED_KEY_BYTES], VaultError> {
        Err(Self::missing())
    }

    fn unwrap(
        &self,
        _: &[u8; WRAPPED_KEY_BYTES],
    ) -> Result<Option<Zeroizing<[u8; DATA_KEY_BYTES]>>, VaultError> {
        Err(Self::missing())
    }
}
