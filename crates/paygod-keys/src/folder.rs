//! Keys in a folder, each in a file of its own, encrypted under one passphrase as [`file`](crate::file) has it: for
//! development, and for machines that have nothing better. In production a book refuses them: whoever has the disk
//! and the passphrase, which a machine that signs by itself must have too, has the keys.
//!
//! A file is named by the public half of its key, so that exactly one can match, and what it holds is compared with
//! its name. The passphrase is read from its own file each time that a key is looked for or made; the private half
//! is in memory only while its signer is, and wiped after.

use std::fmt;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ed25519_dalek::{Signer as _, SigningKey};
use paygod_types::code;
use zeroize::Zeroizing;

use crate::file::{self, KeyFileError, PASSPHRASE_FILE, SeedKind};
use crate::signer::{Algorithm, Provider, ProviderError, PublicKey, Signer};

/// Which folder, and what opens its files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderConfig {
    /// The folder. It is made when the first key is.
    pub folder: PathBuf,
    /// The file that holds the passphrase. `None`: the one that [`PASSPHRASE_FILE`] names.
    pub passphrase_file: Option<PathBuf>,
}

/// The keys of one folder.
#[derive(Debug)]
pub struct Folder {
    config: FolderConfig,
}

/// A private key in memory.
struct FileKey {
    key_id: String,
    public: PublicKey,
    key: SigningKey,
}

impl fmt::Debug for FileKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileKey({})", self.key_id)
    }
}

impl Folder {
    /// Makes ready to look. Nothing need be there yet.
    #[must_use]
    pub const fn new(config: FolderConfig) -> Self {
        Self { config }
    }

    fn path(&self, public: &PublicKey) -> PathBuf {
        let mut name = b"checkpoint-".to_vec();
        paygod_types::write_hex(&public.bytes, &mut name);
        name.extend_from_slice(b".key");
        let name = String::from_utf8_lossy(&name).into_owned();
        self.config.folder.join(name)
    }

    fn passphrase(&self) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
        let named = self.config.passphrase_file.clone();
        let named = named.or_else(|| std::env::var_os(PASSPHRASE_FILE).map(PathBuf::from));
        file::read_passphrase(&named.ok_or(KeyFileError::NoPassphrase)?)
    }

    fn signer(&self, path: &Path, seed: &[u8; 32]) -> FileKey {
        let key = SigningKey::from_bytes(seed);
        FileKey {
            key_id: path.display().to_string(),
            public: public_of(&key),
            key,
        }
    }

    fn make(&self) -> Result<FileKey, KeyFileError> {
        let passphrase = self.passphrase()?;
        let seed = file::draw_seed()?;
        let path = self.path(&public_of(&SigningKey::from_bytes(&seed)));
        let refused = |source| KeyFileError::Io {
            path: self.config.folder.clone(),
            source,
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.config.folder)
            .map_err(refused)?;
        file::write_seed(&path, SeedKind::Ed25519, &seed, &passphrase)?;
        Ok(self.signer(&path, &seed))
    }

    fn open(&self, public: &PublicKey) -> Result<FileKey, KeyFileError> {
        let path = self.path(public);
        let seed = file::open_seed(&path, SeedKind::Ed25519, &self.passphrase()?)?;
        let found = self.signer(&path, &seed);
        if found.public == *public {
            return Ok(found);
        }
        let reason = "what it holds is another key than its name says";
        Err(KeyFileError::Form { path, reason })
    }

    fn remove(&self, public: &PublicKey) -> Result<(), KeyFileError> {
        let path = self.path(public);
        let removed = fs::remove_file(&path)
            .and_then(|()| fs::File::open(&self.config.folder)?.sync_all())
            .or_else(|error| match error.kind() {
                io::ErrorKind::NotFound => Ok(()),
                _ => Err(error),
            });
        removed.map_err(|source| KeyFileError::Io { path, source })
    }

    fn error(&self, error: &KeyFileError) -> ProviderError {
        ProviderError {
            provider: format!("the folder `{}`", self.config.folder.display()),
            reason: error.to_string(),
            code: error.code(),
            retry: false,
        }
    }
}

fn public_of(key: &SigningKey) -> PublicKey {
    PublicKey {
        algorithm: Algorithm::Ed25519,
        bytes: key.verifying_key().to_bytes().to_vec(),
    }
}

impl Provider for Folder {
    fn makes(&self, algorithm: Algorithm) -> bool {
        algorithm == Algorithm::Ed25519
    }

    fn find(&self, public: &PublicKey) -> Result<Arc<dyn Signer>, ProviderError> {
        let found = self.open(public).map_err(|error| self.error(&error))?;
        Ok(Arc::new(found))
    }

    fn create(&self, algorithm: Algorithm) -> Result<Arc<dyn Signer>, ProviderError> {
        if !self.makes(algorithm) {
            return Err(ProviderError {
                provider: format!("the folder `{}`", self.config.folder.display()),
                reason: "it keeps Ed25519 keys and no others".to_owned(),
                code: code::KEYS_CONFIG,
                retry: false,
            });
        }
        let made = self.make().map_err(|error| self.error(&error))?;
        Ok(Arc::new(made))
    }

    fn retire(&self, public: &PublicKey) -> Result<(), ProviderError> {
        // What a file system keeps of it is another matter: keys that count are not in files.
        self.remove(public).map_err(|error| self.error(&error))
    }

    fn is_for_production(&self) -> bool {
        false
    }
}

impl Signer for FileKey {
    fn key_id(&self) -> &str {
        &self.key_id
    }

    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, ProviderError> {
        let signed = self.key.try_sign(message).map_err(|_| ProviderError {
            provider: self.key_id.clone(),
            reason: "the key did not sign".to_owned(),
            code: code::KEYS_PROVIDER_FAULT,
            retry: false,
        })?;
        Ok(signed.to_bytes().to_vec())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
    use super::*;
    use crate::{NoteKey, uri};
    use paygod_tlog::{KeyName, NoteSigner as _};
    use std::os::unix::fs::PermissionsExt as _;

    /// A home with a passphrase's file, and a provider of keys in it.
    fn provider() -> (tempfile::TempDir, Arc<dyn Provider>) {
        let home = tempfile::tempdir().unwrap();
        let passphrase = home.path().join("passphrase");
        fs::write(&passphrase, "a long enough sentence\n").unwrap();
        fs::set_permissions(&passphrase, fs::Permissions::from_mode(0o600)).unwrap();
        let uri = format!(
            "file:{}/keys?passphrase-source=file:{}",
            home.path().display(),
            passphrase.display()
        );
        let provider = uri::open(&uri).unwrap();
        (home, provider)
    }

    #[test]
    fn a_key_is_made_found_by_its_public_half_signs_and_is_removed() {
        let (home, provider) = provider();
        assert!(!provider.is_for_production());
        let made = provider.create(Algorithm::Ed25519).unwrap();
        let other = provider.create(Algorithm::Ed25519).unwrap();
        let found = provider.find(made.public_key()).unwrap();
        let name = KeyName::parse("ledger.example/file").unwrap();
        NoteKey::new(name, found).unwrap().sign("text\n").unwrap();
        for file in fs::read_dir(home.path().join("keys")).unwrap() {
            let pem = fs::read_to_string(file.unwrap().path()).unwrap();
            assert!(
                pem.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"),
                "{pem}"
            );
        }
        provider.retire(made.public_key()).unwrap();
        provider.retire(made.public_key()).unwrap();
        let error = provider.find(made.public_key()).unwrap_err();
        assert_eq!(error.code.as_str(), "keys.file", "{error}");
        provider.find(other.public_key()).unwrap();
    }

    #[test]
    fn a_wrong_missing_or_short_passphrase_and_a_file_under_another_name_are_refused() {
        let (home, provider) = provider();
        let made = provider.create(Algorithm::Ed25519).unwrap();
        let other = provider.create(Algorithm::Ed25519).unwrap();
        fs::rename(made.key_id(), other.key_id()).unwrap();
        let error = provider.find(other.public_key()).unwrap_err();
        assert!(error.reason.contains("another key"), "{error}");
        fs::rename(other.key_id(), made.key_id()).unwrap();
        for wrong in ["another long sentence", "", "short"] {
            fs::write(home.path().join("passphrase"), wrong).unwrap();
            let error = provider.find(made.public_key()).unwrap_err();
            assert_eq!(error.code.as_str(), "keys.passphrase", "{error}");
            assert!(wrong.is_empty() || !error.to_string().contains("another long"));
        }
        let error = provider.create(Algorithm::Ed25519).unwrap_err();
        assert_eq!(error.code.as_str(), "keys.passphrase", "{error}");
        fs::remove_file(home.path().join("passphrase")).unwrap();
        assert!(provider.find(made.public_key()).is_err());
    }
}
