//! The keys of a book, and the key files of a development book: one secret each, in `keys/`, readable by
//! its owner alone.
//!
//! A key file holds one line, `<kind> <64 lower-case hexadecimal digits>`. Another kind, another
//! length or a file that others may read is refused: INVARIANT(fail-closed).
//!
//! It protects nothing by itself: whoever reads the folder has the keys. A [`Provider`] that holds
//! checkpoint keys in hardware takes its place, and the vault has a trait of its own. Root keys are never
//! here: they are made offline, in a ceremony.
//!
//! Which checkpoint key is in force the entries say. Keys are looked up by that and by nothing else, so
//! a crash between making a key, sealing its rotation and retiring the old one leaves no doubt.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use paygod_core::KeysInForce;
use paygod_keys::{Algorithm, CosignerKey, NoteKey, Provider, ProviderError};
use paygod_tlog::{Cosigner, Ed25519Signer, KeyName, MlDsa44Cosigner, NoteSigner, VerifierKey};
use paygod_types::{Code, code};
use zeroize::Zeroizing;

/// Signs checkpoints: in memory, in an HSM, behind a KMS. The ledger calls it from one thread, off
/// the path of requests.
pub type CheckpointSigner = Arc<dyn NoteSigner + Send + Sync>;

/// Cosigns the checkpoints of a hybrid book, on the same thread.
pub(super) type HybridSigner = Arc<dyn Cosigner + Send + Sync>;

/// The signers of a book's checkpoints.
#[derive(Clone)]
pub(super) struct Signers {
    pub(super) checkpoint: CheckpointSigner,
    pub(super) hybrid: Option<HybridSigner>,
}

impl Signers {
    pub(super) fn vkeys(&self) -> KeysInForce {
        let hybrid = self.hybrid.as_ref();
        KeysInForce {
            checkpoint: self.checkpoint.verifier_key().to_string().into(),
            hybrid: hybrid.map(|key| key.verifier_key().to_string().into()),
        }
    }
}

/// What a key file holds.
type Seed = Zeroizing<[u8; 32]>;

/// The folder of key files within a book's.
pub(super) const FOLDER: &str = "keys";

/// The file within that says which provider holds the checkpoint keys: one line without secrets.
const PROVIDER: &str = "provider";

/// Longest key file worth reading.
const KEY_FILE_BYTES_MAX: u64 = 256;

/// A key file of a book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFile {
    /// Signs checkpoints: an Ed25519 seed.
    Checkpoint,
    /// Cosigns the checkpoints of a hybrid book: an ML-DSA-44 seed.
    Hybrid,
    /// Encrypts the data keys of the vault: an AES-256 key.
    Vault,
    /// Turns window keys and account aliases into tokens: an HMAC key.
    Window,
}

impl KeyFile {
    /// Those that every book has.
    const COMMON: [Self; 2] = [Self::Vault, Self::Window];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Checkpoint => "checkpoint.key",
            Self::Hybrid => "hybrid.key",
            Self::Vault => "vault.key",
            Self::Window => "window.key",
        }
    }

    const fn kind(self) -> &'static str {
        match self {
            Self::Checkpoint => "paygod-ed25519-seed-v1",
            Self::Hybrid => "paygod-ml-dsa-44-seed-v1",
            Self::Vault => "paygod-aes-256-v1",
            Self::Window => "paygod-hmac-sha256-v1",
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(self, book: &Path) -> PathBuf {
        book.join(FOLDER).join(self.name())
    }
}

/// A key file could not be made or used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The operating system refused something.
    #[error("could not use the key file `{}`: {source}; restore it from where its copy is kept", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Others than its owner may read it.
    #[error("the key file `{}` may be read by others (mode {mode:03o}); run `chmod 600` on it, and replace the key if they did", path.display())]
    Readable {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It is not a key of the kind expected.
    #[error("the key file `{}` holds no key of kind `{expected}`; restore it from where its copy is kept", path.display())]
    Kind {
        /// The file.
        path: PathBuf,
        /// The kind expected.
        expected: &'static str,
    },
    /// It is the key of another book.
    #[error("the key file `{}` is not the one that this book was made with; restore it from where its copy is kept", path.display())]
    OtherBook {
        /// The file.
        path: PathBuf,
    },
    /// No file holds the key in force.
    #[error("no key file in `{}` holds the key that the ledger names, `{vkey}`; restore it, or name the provider that holds it", path.display())]
    NotHere {
        /// The folder of key files.
        path: PathBuf,
        /// The key in force, by name and id.
        vkey: String,
    },
    /// The operating system gave no randomness.
    #[error("the operating system gave no randomness for a new key; try again")]
    Randomness,
}

impl KeyFileError {
    /// The permanent code.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Randomness => code::VAULT_RANDOMNESS,
            Self::NotHere { .. } => code::LEDGER_KEY_MISMATCH,
            Self::Io { .. }
            | Self::Readable { .. }
            | Self::Kind { .. }
            | Self::OtherBook { .. } => code::LEDGER_KEY_FILE,
        }
    }
}

/// Draws a new key.
pub(super) fn draw() -> Result<Seed, KeyFileError> {
    let mut key = Zeroizing::new([0_u8; 32]);
    getrandom::fill(key.as_mut_slice()).map_err(|_| KeyFileError::Randomness)?;
    Ok(key)
}

/// Writes a new key's file, durably, for its owner alone. Never replaces a file.
pub(super) fn write_new(book: &Path, file: KeyFile, key: &[u8; 32]) -> Result<(), KeyFileError> {
    write_at(file.path(book), file, key)
}

fn write_at(path: PathBuf, file: KeyFile, key: &[u8; 32]) -> Result<(), KeyFileError> {
    write(&path, file, key).map_err(|source| KeyFileError::Io { path, source })
}

/// Draws a new key and writes its file, as [`write_new`] does.
pub(super) fn create(book: &Path, file: KeyFile) -> Result<Seed, KeyFileError> {
    let key = draw()?;
    write_new(book, file, &key)?;
    Ok(key)
}

fn write(path: &Path, file: KeyFile, key: &[u8; 32]) -> io::Result<()> {
    let mut line = Zeroizing::new(format!("{} ", file.kind()).into_bytes());
    paygod_types::write_hex(key, &mut line);
    line.push(b'\n');
    write_line(path, &line)
}

fn write_line(path: &Path, line: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    let mut out = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    out.write_all(line)?;
    out.sync_all()?;
    fs::File::open(folder)?.sync_all()
}

/// Reads a key file.
pub(super) fn read(book: &Path, file: KeyFile) -> Result<Seed, KeyFileError> {
    read_at(file.path(book), file)
}

fn read_at(path: PathBuf, file: KeyFile) -> Result<Seed, KeyFileError> {
    let (text, mode) = match read_text(&path) {
        Ok(found) => found,
        Err(source) => return Err(KeyFileError::Io { path, source }),
    };
    if mode & 0o077 != 0 {
        return Err(KeyFileError::Readable {
            path,
            mode: mode & 0o777,
        });
    }
    let key = text
        .strip_suffix('\n')
        .and_then(|line| line.strip_prefix(file.kind()))
        .and_then(|rest| rest.strip_prefix(' '))
        .and_then(|hex| hex.parse::<paygod_types::Digest>().ok());
    match key {
        Some(key) => Ok(Zeroizing::new(*key.as_bytes())),
        None => Err(KeyFileError::Kind {
            path,
            expected: file.kind(),
        }),
    }
}

fn read_text(path: &Path) -> io::Result<(Zeroizing<String>, u32)> {
    let file = fs::File::open(path)?;
    let mode = file.metadata()?.permissions().mode();
    let mut text = Zeroizing::new(String::new());
    file.take(KEY_FILE_BYTES_MAX).read_to_string(&mut text)?;
    Ok((text, mode))
}

/// The key files of a book, in memory: a copy of them is that of one moment.
pub(super) struct Copied {
    common: Vec<(KeyFile, Seed)>,
    provider: Option<String>,
    /// By the names of their files.
    signing: Vec<(OsString, KeyFile, Seed)>,
}

impl Copied {
    /// Reads each as the key that it must be.
    pub(super) fn read(book: &Path) -> Result<Self, KeyFileError> {
        let mut copied = Self {
            common: Vec::new(),
            provider: fs::read_to_string(book.join(FOLDER).join(PROVIDER)).ok(),
            signing: Vec::new(),
        };
        for file in KeyFile::COMMON {
            copied.common.push((file, read(book, file)?));
        }
        for file in [KeyFile::Checkpoint, KeyFile::Hybrid] {
            for path in files(book, file)? {
                if let Some(name) = path.file_name() {
                    let name = name.to_owned();
                    copied.signing.push((name, file, read_at(path, file)?));
                }
            }
        }
        Ok(copied)
    }

    /// Writes them into another book's folder.
    pub(super) fn write(&self, to: &Path) -> Result<(), KeyFileError> {
        for (file, key) in &self.common {
            write_new(to, *file, key)?;
        }
        if let Some(line) = &self.provider {
            write_provider(to, line.trim_end())?;
        }
        for (name, file, key) in &self.signing {
            write_at(to.join(FOLDER).join(name), *file, key)?;
        }
        Ok(())
    }
}

/// The provider that the book was made with; `None`: key files.
pub(super) fn provider(book: &Path) -> Result<Option<Arc<dyn Provider>>, BookKeyError> {
    let path = book.join(FOLDER).join(PROVIDER);
    let line = match fs::read_to_string(&path) {
        Ok(line) => line,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(KeyFileError::Io { path, source }.into()),
    };
    Ok(Some(paygod_keys::uri::open(line.trim_end())?))
}

/// Notes which provider holds the book's checkpoint keys.
pub(super) fn write_provider(book: &Path, uri: &str) -> Result<(), KeyFileError> {
    let path = book.join(FOLDER).join(PROVIDER);
    write_line(&path, format!("{uri}\n").as_bytes())
        .map_err(|source| KeyFileError::Io { path, source })
}

/// Key files of one kind: the first, and those that rotations made.
fn files(book: &Path, file: KeyFile) -> Result<Vec<PathBuf>, KeyFileError> {
    let stem = file.name().trim_end_matches(".key");
    let folder = book.join(FOLDER);
    let refused = |source| KeyFileError::Io {
        path: folder.clone(),
        source,
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(&folder).map_err(refused)? {
        let path = entry.map_err(refused)?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        if name.is_some_and(|name| name.starts_with(stem) && name.ends_with(".key")) {
            files.push(path);
        }
    }
    files.sort_unstable();
    Ok(files)
}

/// A checkpoint key could not be made, found or retired.
#[derive(Debug, thiserror::Error)]
pub enum BookKeyError {
    /// In a key file.
    #[error(transparent)]
    File(#[from] KeyFileError),
    /// In a provider.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// The ledger names a key that is none.
    #[error(transparent)]
    Key(#[from] paygod_tlog::KeyError),
}

impl BookKeyError {
    /// The permanent code.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::File(error) => error.code(),
            Self::Provider(error) => error.code,
            Self::Key(error) => error.code(),
        }
    }
}

/// Where the checkpoint keys of a book are: in a provider, else in key files.
#[derive(Clone)]
pub(super) struct BookKeys {
    pub(super) dir: PathBuf,
    pub(super) name: KeyName,
    pub(super) provider: Option<Arc<dyn Provider>>,
    /// A signer that was put in: asked first.
    pub(super) given: Option<CheckpointSigner>,
}

impl BookKeys {
    /// The signer of the key that the ledger names.
    pub(super) fn find(&self, vkey: &str) -> Result<CheckpointSigner, BookKeyError> {
        if let Some(given) = &self.given
            && given.verifier_key().to_string() == vkey
        {
            return Ok(Arc::clone(given));
        }
        if let Some(provider) = &self.provider {
            let signer = provider.find(&NoteKey::public_key_of(vkey)?)?;
            return Ok(Arc::new(NoteKey::new(self.name.clone(), signer)?));
        }
        match self.held(KeyFile::Checkpoint, vkey)? {
            Some((_, seed)) => Ok(Arc::new(Ed25519Signer::new(self.name.clone(), &seed))),
            None => Err(self.not_here(vkey)),
        }
    }

    /// The file of a key, and its seed, if there is one.
    fn held(&self, file: KeyFile, vkey: &str) -> Result<Option<(PathBuf, Seed)>, BookKeyError> {
        for path in files(&self.dir, file)? {
            let seed = read_at(path.clone(), file)?;
            let found = match file {
                KeyFile::Hybrid => self.cosigner(&seed)?.verifier_key().to_string(),
                _ => Ed25519Signer::new(self.name.clone(), &seed)
                    .verifier_key()
                    .to_string(),
            };
            if found == vkey {
                return Ok(Some((path, seed)));
            }
        }
        Ok(None)
    }

    fn not_here(&self, vkey: &str) -> BookKeyError {
        let path = self.dir.join(FOLDER);
        // An ML-DSA-44 key would fill a screen.
        let named = VerifierKey::parse(vkey).map(|key| format!("{}+{}", key.name(), key.id()));
        let vkey = named.unwrap_or_default();
        KeyFileError::NotHere { path, vkey }.into()
    }

    /// Makes a key that was replaced unable to sign ever again, of whichever kind.
    pub(super) fn retire(&self, vkey: &str) -> Result<(), BookKeyError> {
        let public = NoteKey::public_key_of(vkey)?;
        let file = match public.algorithm {
            Algorithm::MlDsa44 => KeyFile::Hybrid,
            _ => KeyFile::Checkpoint,
        };
        if let Some((path, _)) = self.held(file, vkey)? {
            // What a file system keeps of it is another matter: keys that count are not in files.
            fs::remove_file(&path).map_err(|source| KeyFileError::Io { path, source })?;
            return Ok(());
        }
        match self.provider_of(public.algorithm) {
            Some(provider) => Ok(provider.retire(&public)?),
            None => Ok(()),
        }
    }

    fn cosigner(&self, seed: &[u8; 32]) -> Result<MlDsa44Cosigner, BookKeyError> {
        Ok(MlDsa44Cosigner::new(self.name.clone(), seed)?)
    }

    /// The provider, if it keeps such keys. ML-DSA-44 keys are files beside one that does not: hardware that knows
    /// ML-DSA is rare, and this key alone signs nothing that counts.
    fn provider_of(&self, algorithm: Algorithm) -> Option<&dyn Provider> {
        let provider = self.provider.as_deref();
        provider.filter(|provider| provider.makes(algorithm))
    }

    /// Makes a key that cosigns the checkpoints of a hybrid book.
    pub(super) fn create_hybrid(&self) -> Result<HybridSigner, BookKeyError> {
        if let Some(provider) = self.provider_of(Algorithm::MlDsa44) {
            let signer = provider.create(Algorithm::MlDsa44)?;
            return Ok(Arc::new(CosignerKey::new(self.name.clone(), signer)?));
        }
        let seed = draw()?;
        let signer = self.cosigner(&seed)?;
        self.write_next(KeyFile::Hybrid, signer.verifier_key(), &seed)?;
        Ok(Arc::new(signer))
    }

    /// The key that cosigns the checkpoints of a hybrid book. It may be older than the provider's knowing such keys.
    pub(super) fn find_hybrid(&self, vkey: &str) -> Result<HybridSigner, BookKeyError> {
        if let Some((_, seed)) = self.held(KeyFile::Hybrid, vkey)? {
            return Ok(Arc::new(self.cosigner(&seed)?));
        }
        let Some(provider) = self.provider_of(Algorithm::MlDsa44) else {
            return Err(self.not_here(vkey));
        };
        let signer = provider.find(&NoteKey::public_key_of(vkey)?)?;
        Ok(Arc::new(CosignerKey::new(self.name.clone(), signer)?))
    }

    /// Makes the keys that take over, the ML-DSA-44 one too in a hybrid book.
    pub(super) fn create_all(&self, is_hybrid: bool) -> Result<Signers, BookKeyError> {
        let checkpoint = self.create()?;
        let hybrid = is_hybrid.then(|| self.create_hybrid()).transpose();
        let hybrid = hybrid.inspect_err(|_| {
            // Nobody will ever need it. Should this fail too, a key lies about that signs nothing.
            let _left = self.retire(&checkpoint.verifier_key().to_string());
        })?;
        Ok(Signers { checkpoint, hybrid })
    }

    /// Retires keys that never came into force. Should this fail, they lie about and sign nothing.
    pub(super) fn forget(&self, keys: &KeysInForce) {
        for vkey in [Some(&keys.checkpoint), keys.hybrid.as_ref()] {
            let _left = vkey.map(|vkey| self.retire(vkey));
        }
    }

    /// The signers of the keys that the ledger names.
    pub(super) fn find_all(&self, keys: &KeysInForce) -> Result<Signers, BookKeyError> {
        let hybrid = keys.hybrid.as_deref();
        Ok(Signers {
            checkpoint: self.find(&keys.checkpoint)?,
            hybrid: hybrid.map(|vkey| self.find_hybrid(vkey)).transpose()?,
        })
    }

    /// Makes a new checkpoint key where the others are.
    pub(super) fn create(&self) -> Result<CheckpointSigner, BookKeyError> {
        if let Some(provider) = &self.provider {
            let signer = provider.create(Algorithm::Ed25519)?;
            return Ok(Arc::new(NoteKey::new(self.name.clone(), signer)?));
        }
        let seed = draw()?;
        let signer = Ed25519Signer::new(self.name.clone(), &seed);
        self.write_next(KeyFile::Checkpoint, signer.verifier_key(), &seed)?;
        Ok(Arc::new(signer))
    }

    /// Writes a new key's file beside those that are there.
    fn write_next(
        &self,
        file: KeyFile,
        key: &VerifierKey,
        seed: &[u8; 32],
    ) -> Result<(), KeyFileError> {
        let first = file.path(&self.dir);
        let path = if first.exists() {
            let stem = file.name().trim_end_matches(".key");
            first.with_file_name(format!("{stem}-{}.key", key.id()))
        } else {
            first
        };
        write_at(path, file, seed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reads_back_as_written_and_is_never_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let made = create(dir.path(), KeyFile::Window).unwrap();
        assert_eq!(*read(dir.path(), KeyFile::Window).unwrap(), *made);
        assert!(matches!(
            create(dir.path(), KeyFile::Window),
            Err(KeyFileError::Io { .. })
        ));
    }

    #[test]
    fn a_key_that_others_may_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        create(dir.path(), KeyFile::Vault).unwrap();
        let path = KeyFile::Vault.path(dir.path());
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(
            read(dir.path(), KeyFile::Vault),
            Err(KeyFileError::Readable { mode: 0o644, .. })
        ));
    }

    #[test]
    fn a_key_of_another_kind_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        create(dir.path(), KeyFile::Vault).unwrap();
        fs::rename(
            KeyFile::Vault.path(dir.path()),
            KeyFile::Window.path(dir.path()),
        )
        .unwrap();
        assert!(matches!(
            read(dir.path(), KeyFile::Window),
            Err(KeyFileError::Kind { .. })
        ));
    }
}
