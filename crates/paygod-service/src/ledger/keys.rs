//! The key files of a development book: one secret each, in `keys/`, readable by its owner alone.
//!
//! A key file holds one line, `<kind> <64 lower-case hexadecimal digits>`. Another kind, another
//! length or a file that others may read is refused: INVARIANT(fail-closed).
//!
//! It protects nothing by itself: whoever reads the folder has the keys. Providers that hold keys in
//! hardware take its place behind [`CheckpointSigner`] and the vault's own trait.

use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use paygod_tlog::{Ed25519Signer, KeyName, NoteSigner};
use paygod_types::{Code, code};
use zeroize::Zeroizing;

/// Signs checkpoints: in memory, in an HSM, behind a KMS. The ledger calls it from one thread, off
/// the path of requests.
pub type CheckpointSigner = Arc<dyn NoteSigner + Send + Sync>;

/// The folder of key files within a book's.
const FOLDER: &str = "keys";

/// Longest key file worth reading.
const KEY_FILE_BYTES_MAX: u64 = 256;

/// A key file of a book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFile {
    /// Signs checkpoints: an Ed25519 seed.
    Checkpoint,
    /// The root of trust that genesis names: an Ed25519 seed. Belongs offline.
    Root,
    /// Encrypts the data keys of the vault: an AES-256 key.
    Vault,
    /// Turns window keys and account aliases into tokens: an HMAC key.
    Window,
}

impl KeyFile {
    const ALL: [Self; 4] = [Self::Checkpoint, Self::Root, Self::Vault, Self::Window];

    const fn name(self) -> &'static str {
        match self {
            Self::Checkpoint => "checkpoint.key",
            Self::Root => "root-1.key",
            Self::Vault => "vault.key",
            Self::Window => "window.key",
        }
    }

    const fn kind(self) -> &'static str {
        match self {
            Self::Checkpoint | Self::Root => "paygod-ed25519-seed-v1",
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
            Self::Io { .. } | Self::Readable { .. } | Self::Kind { .. } => code::LEDGER_KEY_FILE,
        }
    }
}

/// Draws a new key.
pub(super) fn draw() -> Result<Zeroizing<[u8; 32]>, KeyFileError> {
    let mut key = Zeroizing::new([0_u8; 32]);
    getrandom::fill(key.as_mut_slice()).map_err(|_| KeyFileError::Randomness)?;
    Ok(key)
}

/// Writes a new key's file, durably, for its owner alone. Never replaces a file.
pub(super) fn write_new(book: &Path, file: KeyFile, key: &[u8; 32]) -> Result<(), KeyFileError> {
    let path = file.path(book);
    write(&path, file, key).map_err(|source| KeyFileError::Io { path, source })
}

/// Draws a new key and writes its file, as [`write_new`] does.
pub(super) fn create(book: &Path, file: KeyFile) -> Result<Zeroizing<[u8; 32]>, KeyFileError> {
    let key = draw()?;
    write_new(book, file, &key)?;
    Ok(key)
}

fn write(path: &Path, file: KeyFile, key: &[u8; 32]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    let mut line = Zeroizing::new(format!("{} ", file.kind()).into_bytes());
    paygod_types::write_hex(key, &mut line);
    line.push(b'\n');
    let mut out = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    out.write_all(&line)?;
    out.sync_all()?;
    fs::File::open(folder)?.sync_all()
}

/// Reads a key file.
pub(super) fn read(book: &Path, file: KeyFile) -> Result<Zeroizing<[u8; 32]>, KeyFileError> {
    let path = file.path(book);
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

/// Copies the key files of a book to another folder, durably. A root key that was taken offline stays so.
pub(super) fn copy(from: &Path, to: &Path) -> Result<(), KeyFileError> {
    for file in KeyFile::ALL {
        if file == KeyFile::Root && !file.path(from).exists() {
            continue;
        }
        let key = read(from, file)?;
        let path = file.path(to);
        write(&path, file, &key).map_err(|source| KeyFileError::Io { path, source })?;
    }
    Ok(())
}

/// The signer of a book's checkpoint key file.
pub(super) fn checkpoint_signer(
    book: &Path,
    name: KeyName,
) -> Result<CheckpointSigner, KeyFileError> {
    let seed = read(book, KeyFile::Checkpoint)?;
    Ok(Arc::new(Ed25519Signer::new(name, &seed)))
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
