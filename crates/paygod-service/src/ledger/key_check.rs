//! Whose the keys are that every book has: with another book's it would open too, find none of its windows and aliases,
//! and encrypt what its own key cannot read.
//!
//! `keys/checks` has a line for each, `<file> <64 hexadecimal digits>`: SHA-256 over what this is, the book's fingerprint and the
//! key. The first opening writes it. It tells nobody anything, since the keys are random.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;

use paygod_core::WindowKey;
use paygod_types::Digest;
use zeroize::Zeroizing;

use super::keys::{self, FOLDER, KeyFile, KeyFileError};
use super::open::OpenOptions;

const CHECKS: &str = "checks";

/// Longest such file worth reading.
const CHECKS_BYTES_MAX: u64 = 4_096;

/// Separates these digests from every other use of SHA-256 here.
const DOMAIN: &[u8] = b"paygod/v1 key check\0";

/// The window key, once it and the vault's, unless that is elsewhere, are what was written down of them. What was not is
/// written down now, if it may be.
pub(super) fn window_key(
    book: &Path,
    fingerprint: &str,
    options: &OpenOptions,
    writes: bool,
) -> Result<Arc<WindowKey>, KeyFileError> {
    let window = keys::read(book, KeyFile::Window)?;
    let key = Arc::new(WindowKey::new(&window));
    let mut given = vec![(KeyFile::Window, window)];
    if options.kek.is_none() {
        given.push((KeyFile::Vault, keys::read(book, KeyFile::Vault)?));
    }
    let path = book.join(FOLDER).join(CHECKS);
    let known = match known(&path) {
        Ok(known) => known,
        Err(source) => return Err(KeyFileError::Io { path, source }),
    };
    let mut fresh = String::new();
    for (file, key) in given {
        let line = line(file, fingerprint, &key);
        // One that was cut off when it was written is none.
        let is_of_it = |told: &&str| told.len() == line.len() && told.starts_with(file.name());
        let told = known.lines().find(is_of_it);
        match told {
            Some(told) if told == line => {}
            Some(_) => {
                let path = file.path(book);
                return Err(KeyFileError::OtherBook { path });
            }
            None => {
                fresh.push_str(&line);
                fresh.push('\n');
            }
        }
    }
    if writes && !fresh.is_empty() {
        // The folder of the keys may be one that nobody writes to: then there is nothing to compare with.
        let _unwritten = write(&path, &(known + &fresh));
    }
    Ok(key)
}

fn line(file: KeyFile, fingerprint: &str, key: &[u8; 32]) -> String {
    let bytes = Zeroizing::new([DOMAIN, fingerprint.as_bytes(), key].concat());
    format!("{} {}", file.name(), Digest::sha256(&bytes))
}

fn known(path: &Path) -> io::Result<String> {
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(String::new()),
        Err(error) => return Err(error),
    };
    let mut text = String::new();
    file.take(CHECKS_BYTES_MAX).read_to_string(&mut text)?;
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text)
}

/// Under another name first: half of it would be none.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let fresh = path.with_extension("new");
    let mut out = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&fresh)?;
    out.write_all(text.as_bytes())?;
    out.sync_all()?;
    fs::rename(&fresh, path)
}
