//! A key file under a passphrase: PKCS#8, encrypted by PBES2 with scrypt and AES-256 (RFC 5958, RFC 8018,
//! RFC 7914), in PEM. `openssl pkey -in FILE` reads it too.
//!
//! For root keys, which sign a few times in the life of a book on a machine without a network, and for the
//! checkpoint keys of a book for development ([`folder`](crate::folder)). Nothing here is kept open: the private
//! key is decrypted, used, and wiped.
//!
//! INVARIANT(bounded-parser): a file says itself how much work its passphrase takes; more than
//! [`COST_MAX`] is refused, not done.

use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use paygod_tlog::{Ed25519Signer, KeyName};
use paygod_types::{Code, code};
use pkcs8::der::pem::{LineEnding, PemLabel as _};
use pkcs8::pkcs5::{pbes2, scrypt};
use pkcs8::{EncryptedPrivateKeyInfoOwned, PrivateKeyInfoRef, SecretDocument};
use zeroize::Zeroizing;

/// Shortest passphrase, in characters.
pub const PASSPHRASE_CHARS_MIN: usize = 12;

/// Longest passphrase, in bytes.
pub const PASSPHRASE_BYTES_MAX: usize = 1_024;

/// Names the file that holds the passphrase, in the environment. The passphrase itself is never there, nor an
/// argument: both are seen by others.
pub const PASSPHRASE_FILE: &str = "PAYGOD_PASSPHRASE_FILE";

/// Longest key file worth reading, in bytes.
const FILE_BYTES_MAX: u64 = 4_096;

/// scrypt: 16 MiB, which OpenSSL still reads, five times over, which makes up for the little memory.
const SCRYPT_LOG_N: u8 = 14;
const SCRYPT_R: u32 = 8;
const SCRYPT_P: u32 = 5;

/// Most work that a file may ask for: N · r · p of scrypt. About 2 GiB·s of memory and time.
pub const COST_MAX: u64 = 1 << 24;

/// An Ed25519 private key in PKCS#8 (RFC 8410, section 7) up to the 32 bytes of its seed.
const ED25519_PREFIX: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// An ML-DSA-44 private key in PKCS#8 as its seed (RFC 9881, section 6) up to its 32 bytes.
const ML_DSA_44_PREFIX: [u8; 22] = [
    0x30, 0x34, 0x02, 0x01, 0x00, 0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04,
    0x03, 0x11, 0x04, 0x22, 0x80, 0x20,
];

/// A secp256k1 private key in PKCS#8 (RFC 5915, RFC 5480) up to its 32 bytes, without the public half.
const SECP256K1_PREFIX: [u8; 32] = [
    0x30, 0x3e, 0x02, 0x01, 0x00, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
    0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x0a, 0x04, 0x27, 0x30, 0x25, 0x02, 0x01, 0x01, 0x04, 0x20,
];

/// What kind of key a file holds; of each the private half is a seed of 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeedKind {
    /// Ed25519 (RFC 8032).
    Ed25519,
    /// ML-DSA-44 (FIPS 204).
    MlDsa44,
    /// ECDSA over secp256k1, for what pays for anchors.
    Secp256k1,
}

impl SeedKind {
    const fn prefix(self) -> &'static [u8] {
        match self {
            Self::Ed25519 => &ED25519_PREFIX,
            Self::MlDsa44 => &ML_DSA_44_PREFIX,
            Self::Secp256k1 => &SECP256K1_PREFIX,
        }
    }
}

/// A key file could not be made or opened. Never holds a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// The operating system refused something.
    #[error("the file `{}`: {source}; check the path", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// Others than its owner may read it.
    #[error("the key file `{}` may be read by others (mode {mode:03o}); run `chmod 600` on it", path.display())]
    Readable {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// Others than its owner may read a passphrase.
    #[error("the passphrase file `{}` may be read by others (mode {mode:03o}); run `chmod 600` on it", path.display())]
    PassphraseReadable {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It is not an encrypted private key.
    #[error("`{}` is no encrypted key of the kind needed: {reason}; use one that `paygod` made for this purpose", path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: &'static str,
    },
    /// The passphrase is too short or too long to be one.
    #[error(
        "a passphrase has {PASSPHRASE_CHARS_MIN} characters or more and at most {PASSPHRASE_BYTES_MAX} bytes; choose another"
    )]
    Passphrase,
    /// Nothing says where the passphrase is.
    #[error(
        "no file of a passphrase is named; name one in the address of the keys, or in {PASSPHRASE_FILE}"
    )]
    NoPassphrase,
    /// The passphrase is another.
    #[error("the passphrase does not open the key file `{}`; give the one that it was made with", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
    },
    /// The operating system gave no randomness.
    #[error("the operating system gave no randomness for a new key; try again")]
    Randomness,
    /// The key could not be encrypted.
    #[error("the new key could not be encrypted; report this as a fault")]
    Encrypt,
}

impl KeyFileError {
    /// The permanent code.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Io { .. }
            | Self::Readable { .. }
            | Self::PassphraseReadable { .. }
            | Self::Form { .. }
            | Self::Encrypt => code::KEYS_FILE,
            Self::Passphrase | Self::NoPassphrase | Self::Wrong { .. } => code::KEYS_PASSPHRASE,
            Self::Randomness => code::VAULT_RANDOMNESS,
        }
    }
}

/// Makes a new key and its file, durably, for its owner alone. Never replaces a file.
///
/// # Errors
/// The passphrase is too short, the file exists or cannot be written.
pub fn create(
    path: &Path,
    name: KeyName,
    passphrase: &[u8],
) -> Result<Ed25519Signer, KeyFileError> {
    let seed = create_seed(path, SeedKind::Ed25519, passphrase)?;
    Ok(Ed25519Signer::new(name, &seed))
}

/// Makes a new key of some kind and its file, as [`create`] does, and gives its seed.
///
/// # Errors
/// As [`create`].
pub fn create_seed(
    path: &Path,
    kind: SeedKind,
    passphrase: &[u8],
) -> Result<Zeroizing<[u8; 32]>, KeyFileError> {
    check_passphrase(passphrase)?;
    let seed = draw_seed()?;
    write_seed(path, kind, &seed, passphrase)?;
    Ok(seed)
}

/// Draws the seed of a new key.
pub(crate) fn draw_seed() -> Result<Zeroizing<[u8; 32]>, KeyFileError> {
    let mut seed = Zeroizing::new([0_u8; 32]);
    getrandom::fill(seed.as_mut_slice()).map_err(|_| KeyFileError::Randomness)?;
    Ok(seed)
}

/// Writes a new key's file, as [`create`] does.
pub(crate) fn write_seed(
    path: &Path,
    kind: SeedKind,
    seed: &[u8; 32],
    passphrase: &[u8],
) -> Result<(), KeyFileError> {
    check_passphrase(passphrase)?;
    let pem = encrypt(seed, kind, passphrase)?;
    write(path, pem.as_bytes()).map_err(|source| KeyFileError::Io {
        path: path.to_path_buf(),
        source,
    })
}

/// The passphrase that a file holds, without the line's end.
///
/// # Errors
/// The file cannot be read, others may read it, or it is longer than a passphrase.
pub fn read_passphrase(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    let refused = |source| KeyFileError::Io {
        path: path.to_path_buf(),
        source,
    };
    let most = PASSPHRASE_BYTES_MAX.saturating_add(2);
    // One more than may be there shows that more is; and no copy is left behind by growing.
    let mut bytes = Zeroizing::new(Vec::with_capacity(most.saturating_add(1)));
    let file = fs::File::open(path).map_err(refused)?;
    let found = file.metadata().map_err(refused)?;
    let mode = found.permissions().mode();
    // A pipe is read by whoever has it open, whatever its mode.
    if found.is_file() && mode & 0o077 != 0 {
        return Err(KeyFileError::PassphraseReadable {
            path: path.to_path_buf(),
            mode: mode & 0o777,
        });
    }
    file.take(u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(refused)?;
    if bytes.len() > most {
        return Err(KeyFileError::Passphrase);
    }
    while bytes.pop_if(|byte| matches!(byte, b'\n' | b'\r')).is_some() {}
    Ok(bytes)
}

/// Opens a key file.
///
/// # Errors
/// It cannot be read, others may read it, it is none, or the passphrase is another.
pub fn open(path: &Path, name: KeyName, passphrase: &[u8]) -> Result<Ed25519Signer, KeyFileError> {
    let seed = open_seed(path, SeedKind::Ed25519, passphrase)?;
    Ok(Ed25519Signer::new(name, &seed))
}

/// Opens a key file of some kind, and gives its seed.
///
/// # Errors
/// As [`open`].
pub fn open_seed(
    path: &Path,
    kind: SeedKind,
    passphrase: &[u8],
) -> Result<Zeroizing<[u8; 32]>, KeyFileError> {
    let (pem, mode) = read(path).map_err(|source| KeyFileError::Io {
        path: path.to_path_buf(),
        source,
    })?;
    if mode & 0o077 != 0 {
        return Err(KeyFileError::Readable {
            path: path.to_path_buf(),
            mode: mode & 0o777,
        });
    }
    decrypt(&pem, kind, passphrase).map_err(|fault| match fault {
        Fault::Form(reason) => KeyFileError::Form {
            path: path.to_path_buf(),
            reason,
        },
        Fault::Wrong => KeyFileError::Wrong {
            path: path.to_path_buf(),
        },
    })
}

/// Whether a passphrase is long enough to protect a key.
///
/// # Errors
/// It is too short, or too long to be one.
pub fn check_passphrase(passphrase: &[u8]) -> Result<(), KeyFileError> {
    let chars = String::from_utf8_lossy(passphrase).chars().count();
    if chars < PASSPHRASE_CHARS_MIN || passphrase.len() > PASSPHRASE_BYTES_MAX {
        return Err(KeyFileError::Passphrase);
    }
    Ok(())
}

enum Fault {
    Form(&'static str),
    Wrong,
}

fn encrypt(
    seed: &[u8; 32],
    kind: SeedKind,
    passphrase: &[u8],
) -> Result<Zeroizing<String>, KeyFileError> {
    let mut drawn = [0_u8; 32];
    getrandom::fill(&mut drawn).map_err(|_| KeyFileError::Randomness)?;
    let (salt, iv) = drawn.split_at(16);
    let iv: [u8; 16] = iv.try_into().map_err(|_| KeyFileError::Encrypt)?;
    let cost =
        scrypt::Params::new(SCRYPT_LOG_N, SCRYPT_R, SCRYPT_P).map_err(|_| KeyFileError::Encrypt)?;
    let scheme = pbes2::Parameters::generate_scrypt_aes256cbc(cost, salt, iv)
        .map_err(|_| KeyFileError::Encrypt)?;
    let mut der = Zeroizing::new(kind.prefix().to_vec());
    der.extend_from_slice(seed);
    let key = PrivateKeyInfoRef::try_from(der.as_slice()).map_err(|_| KeyFileError::Encrypt)?;
    let encrypted = key
        .encrypt_with_params(scheme, passphrase)
        .map_err(|_| KeyFileError::Encrypt)?;
    encrypted
        .to_pem(EncryptedPrivateKeyInfoOwned::PEM_LABEL, LineEnding::LF)
        .map_err(|_| KeyFileError::Encrypt)
}

fn decrypt(pem: &str, kind: SeedKind, passphrase: &[u8]) -> Result<Zeroizing<[u8; 32]>, Fault> {
    let (label, der) =
        SecretDocument::from_pem(pem).map_err(|_| Fault::Form("it is not in PEM"))?;
    if label != EncryptedPrivateKeyInfoOwned::PEM_LABEL {
        return Err(Fault::Form("it is not encrypted"));
    }
    let encrypted = EncryptedPrivateKeyInfoOwned::try_from(der.as_bytes())
        .map_err(|_| Fault::Form("it is not PKCS#8"))?;
    let scheme = encrypted.encryption_algorithm.pbes2();
    let work = scheme.and_then(|scheme| scheme.kdf.scrypt()).map(|scrypt| {
        scrypt
            .cost_parameter
            .saturating_mul(u64::from(scrypt.block_size))
            .saturating_mul(u64::from(scrypt.parallelization))
    });
    match work {
        None => return Err(Fault::Form("its passphrase is not stretched by scrypt")),
        Some(work) if work > COST_MAX => {
            return Err(Fault::Form(
                "its passphrase takes more work than any should",
            ));
        }
        Some(_) => {}
    }
    // A wrong passphrase leaves garbage, which the padding or the structure gives away.
    let plain = encrypted.decrypt(passphrase).map_err(|_| Fault::Wrong)?;
    let rest = plain.as_bytes().strip_prefix(kind.prefix());
    let seed = rest.and_then(|seed| <[u8; 32]>::try_from(seed).ok());
    seed.map(Zeroizing::new)
        .ok_or(Fault::Form("what it holds is a key of another kind"))
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let mut out = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    out.write_all(bytes)?;
    out.sync_all()?;
    fs::File::open(folder)?.sync_all()
}

fn read(path: &Path) -> io::Result<(Zeroizing<String>, u32)> {
    let file = fs::File::open(path)?;
    let mode = file.metadata()?.permissions().mode();
    let mut text = Zeroizing::new(String::new());
    file.take(FILE_BYTES_MAX).read_to_string(&mut text)?;
    Ok((text, mode))
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
