//! The key-encryption key: what wraps the data key of each input.
//!
//! In production it lives in a module or a service behind [`Kek`]; [`FileKek`] is for development. It
//! does not rotate keys: whoever holds the key does.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use aes_kw::aes::Aes256;
use aes_kw::cipher::{Block, BlockCipherEncrypt as _};
use aes_kw::{AesKw, InnerInit as _, KeyInit as _};
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
    cipher: Aes256,
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
            cipher: Aes256::new(key.into()),
        }
    }

    fn alone(&self) -> AesKw<&Aes256> {
        AesKw::inner_init(&self.cipher)
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
        match self.alone().wrap_key(key, &mut wrapped) {
            Ok(_) => Ok(wrapped),
            Err(fault) => Err(VaultError::Kek {
                what: fault.to_string(),
            }),
        }
    }

    fn wrap_all(
        &self,
        keys: &[&[u8; DATA_KEY_BYTES]],
    ) -> Result<Vec<[u8; WRAPPED_KEY_BYTES]>, VaultError> {
        let lanes = keys.chunks(LANES);
        Ok(lanes
            .flat_map(|keys| wrap_side_by_side(&self.cipher, keys))
            .collect())
    }

    fn unwrap(
        &self,
        wrapped: &[u8; WRAPPED_KEY_BYTES],
    ) -> Result<Option<Zeroizing<[u8; DATA_KEY_BYTES]>>, VaultError> {
        let mut key = Zeroizing::new([0_u8; DATA_KEY_BYTES]);
        let opened = self.alone().unwrap_key(wrapped, key.as_mut_slice()).is_ok();
        Ok(opened.then_some(key))
    }
}

/// Keys that are wrapped side by side: as many blocks as the widest processors encrypt at once.
const LANES: usize = 64;

/// What the check of a key begins as (RFC 3394, section 2.2.3.1).
const INITIAL_VALUE: u64 = 0xa6a6_a6a6_a6a6_a6a6;

/// Times that RFC 3394 goes over the registers of a key, and how many a data key has.
const ROUNDS: u64 = 6;
const REGISTERS: usize = DATA_KEY_BYTES / 8;

/// The wrapping of RFC 3394, section 2.2.1, of up to [`LANES`] keys in step, in order.
///
/// The 24 blocks of one key are encrypted one after the other, each from what the last gave, and a processor that has
/// begun a block could begin dozens more before it is done. Those are the blocks of the other keys. Of the keys nothing is
/// left in the arrays here: what they are wrapped into takes their place.
fn wrap_side_by_side(
    cipher: &Aes256,
    keys: &[&[u8; DATA_KEY_BYTES]],
) -> impl Iterator<Item = [u8; WRAPPED_KEY_BYTES]> {
    let count = keys.len().min(LANES);
    let mut checks = [INITIAL_VALUE; LANES];
    let mut registers = [[[0_u8; 8]; LANES]; REGISTERS];
    for (lane, key) in keys.iter().enumerate() {
        let (parts, _) = key.as_chunks::<8>();
        for (register, part) in registers.iter_mut().zip(parts) {
            if let Some(to) = register.get_mut(lane) {
                *to = *part;
            }
        }
    }
    let mut blocks = [Block::<Aes256>::default(); LANES];
    let blocks = blocks.get_mut(..count).unwrap_or_default();
    let mut step = 0_u64;
    for _ in 0..ROUNDS {
        for register in &mut registers {
            step += 1;
            for ((block, check), part) in blocks.iter_mut().zip(&checks).zip(&*register) {
                let (left, right) = block.split_at_mut(8);
                left.copy_from_slice(&check.to_be_bytes());
                right.copy_from_slice(part);
            }
            cipher.encrypt_blocks(blocks);
            for ((block, check), part) in blocks.iter().zip(&mut checks).zip(register) {
                let (left, right) = block.split_at(8);
                *check = left.as_array().map_or(0, |left| u64::from_be_bytes(*left)) ^ step;
                part.copy_from_slice(right);
            }
        }
    }
    (0..count).map(move |lane| {
        let mut wrapped = [0; WRAPPED_KEY_BYTES];
        let check = checks.get(lane).map_or([0; 8], |check| check.to_be_bytes());
        let parts = registers.iter().filter_map(|register| register.get(lane));
        let (to, _) = wrapped.as_chunks_mut::<8>();
        for (to, from) in to.iter_mut().zip(std::iter::once(&check).chain(parts)) {
            *to = *from;
        }
        wrapped
    })
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

#[cfg(test)]
mod tests {
    use paygod_types::Digest;

    use super::*;

    /// RFC 3394, section 4.6.
    #[test]
    fn keys_wrapped_side_by_side_are_those_of_the_standard() {
        let kek: Vec<u8> = (0..32).collect();
        let key = *b"\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff\
            \x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f";
        let wrapped = FileKek::from_bytes(kek.as_array().unwrap())
            .wrap_all(&[&key, &key])
            .unwrap();
        let expected = *b"\x28\xc9\xf4\x04\xc4\xb8\x10\xf4\xcb\xcc\xb3\x5c\xfb\x87\xf8\x26\
            \x3f\x57\x86\xe2\xd8\x0e\xd3\x26\xcb\xc7\xf0\xe7\x1a\x99\xf4\x3b\
            \xfb\x98\x8b\x9b\x7a\x02\xdd\x21";
        assert_eq!(wrapped, [expected, expected]);
    }

    #[test]
    fn however_many_keys_are_wrapped_at_once_each_is_wrapped_as_alone() {
        let kek = FileKek::from_bytes(&[7; 32]);
        for count in [0, 1, 2, 63, 64, 65, 128, 300] {
            let keys: Vec<[u8; 32]> = (0..count)
                .map(|at| *Digest::sha256(&u64::to_be_bytes(at)).as_bytes())
                .collect();
            let wrapped = kek.wrap_all(&keys.iter().collect::<Vec<_>>()).unwrap();
            assert_eq!(wrapped.len(), keys.len());
            for (key, wrapped) in keys.iter().zip(&wrapped) {
                assert_eq!(*wrapped, kek.wrap(key).unwrap());
                assert_eq!(**kek.unwrap(wrapped).unwrap().as_ref().unwrap(), *key);
            }
        }
    }
}
