//! Backup of a live book, and restore.
//!
//! A backup is a consistent prefix: the last published checkpoint is taken first, then the segments up
//! to what is durable, then the vault (whose inputs are durable before the entries that refer to them),
//! then the blobs. What is derived is left out and made anew. A manifest with the digest of each file
//! is written last: without it a folder is no backup.
//!
//! Restoring checks every digest while it copies, then opens the book: every record is read, every
//! entry folded and the tree compared with the checkpoint.
//!
//! The key of the vault is not part of a backup, unless the development key is asked for by name.

use std::path::Path;
use std::sync::Arc;

use paygod_types::Digest;
use sha2::{Digest as _, Sha256};

use crate::book::{Book, IDENTITY_NAME, Options, is_absent};
use crate::checkpoints::{LAST_NAME, LOG_NAME, Published};
use crate::derived::Fold;
use crate::disk::{Access, Dir, Disk, OpenFile};
use crate::error::{BlobError, CheckpointError, CopyError, IoFault};
use crate::kek::DEVELOPMENT_KEY_NAME;
use crate::reader::Reader;
use crate::recover::last_nonzero;
use crate::tree::TreeSource;
use crate::width::{to_u64, to_usize};
use crate::witnessed::WITNESSED_NAME;
use crate::{segment, vault};

const MANIFEST_NAME: &str = "MANIFEST";
const MANIFEST_HEAD: &str = "paygod backup 1";

/// Longest manifest, in bytes: hundreds of thousands of files.
const MANIFEST_BYTES_MAX: u64 = 64 << 20;

/// How much is copied at once, in bytes.
const PIECE_BYTES: usize = 1 << 20;

/// How far a copy or an opening has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Done so far: bytes of a backup or restore, entries of an export or an opening.
    pub done: u64,
    /// All that is to be done, as far as it is known.
    pub total: u64,
}

/// What a backup holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackupReport {
    /// Entries.
    pub size: u64,
    /// Bytes.
    pub bytes: u64,
}

/// The files of an open book, to copy from while it runs. Cheap to clone.
#[derive(Clone, Debug)]
pub struct BookFiles {
    pub(crate) dir: Dir,
    pub(crate) reader: Reader,
    pub(crate) tree: TreeSource,
    /// Read-only: what was published when the book was opened. What is published later may cover more than
    /// the reader and the tree know of.
    pub(crate) seen: Option<Published>,
}

/// One file of a backup: from where, to where, how many bytes.
struct Part {
    from: Content,
    folder: &'static str,
    name: String,
    len: u64,
}

enum Content {
    Bytes(Vec<u8>),
    /// A file of this name, opened when its turn comes: there may be more than can be open at once.
    File(Dir, String),
    /// One that may have no name of its own yet.
    Open(OpenFile),
}

impl Part {
    fn of_bytes(name: &str, bytes: Vec<u8>) -> Self {
        Self {
            len: to_u64(bytes.len()),
            from: Content::Bytes(bytes),
            folder: "",
            name: name.to_owned(),
        }
    }

    fn path(&self) -> String {
        if self.folder.is_empty() {
            self.name.clone()
        } else {
            format!("{}/{}", self.folder, self.name)
        }
    }
}

impl BookFiles {
    /// Writes a backup of what is durable now into an empty or new folder.
    ///
    /// # Errors
    /// The folder holds files, or the disk refused; then the folder is no backup.
    pub fn backup(
        &self,
        target: &Path,
        with_development_key: bool,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<BackupReport, CopyError> {
        self.backup_with(target, with_development_key, progress, || Ok(()))
    }

    /// As [`BookFiles::backup`]; what else belongs to it is written by `rest`, before the manifest makes the folder a backup.
    ///
    /// # Errors
    /// As [`BookFiles::backup`], and those of `rest`.
    pub fn backup_with<E: From<CopyError>>(
        &self,
        target: &Path,
        with_development_key: bool,
        progress: &mut dyn FnMut(Progress),
        rest: impl FnOnce() -> Result<(), E>,
    ) -> Result<BackupReport, E> {
        let (manifest, report) = self.copy_parts(target, with_development_key, progress)?;
        rest()?;
        let target = self.dir.elsewhere(target);
        let named = target.replace(MANIFEST_NAME, &[manifest.as_bytes()]);
        named.map_err(CopyError::from)?;
        Ok(report)
    }

    /// Copies the files and says what the manifest is.
    fn copy_parts(
        &self,
        target: &Path,
        with_development_key: bool,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(String, BackupReport), CopyError> {
        let target = self.dir.elsewhere(target);
        if !target.list()?.is_empty() {
            return Err(CopyError::Occupied {
                path: target.path().to_path_buf(),
            });
        }
        let (parts, size) = self.parts(with_development_key)?;
        let total: u64 = parts.iter().map(|part| part.len).sum();
        target.create()?;
        let mut manifest = format!("{MANIFEST_HEAD}\nsize {size}\n");
        let mut done = 0_u64;
        for part in &parts {
            let folder = target.dir(part.folder);
            folder.create()?;
            let to = folder.open(&part.name, Access::CreateAnew)?;
            let copied = |bytes| {
                done = done.saturating_add(bytes);
                progress(Progress { done, total });
            };
            let digest = match &part.from {
                Content::File(dir, name) => {
                    copy(&dir.open(name, Access::Read)?, &to, part.len, copied)?
                }
                Content::Open(file) => copy(file, &to, part.len, copied)?,
                Content::Bytes(bytes) => {
                    to.write_at(bytes, 0)?;
                    Digest::sha256(bytes)
                }
            };
            check_blob(part.folder, &part.name, digest)?;
            to.sync()?;
            folder.sync()?;
            manifest.push_str(&format!("{digest} {} {}\n", part.len, part.path()));
        }
        Ok((manifest, BackupReport { size, bytes: total }))
    }

    /// The files of a backup, in the order that makes it consistent, and how many entries they hold.
    fn parts(&self, with_development_key: bool) -> Result<(Vec<Part>, u64), CopyError> {
        let mut parts = Vec::new();
        add_whole(&mut parts, &self.dir, "", IDENTITY_NAME)?;
        let published = self.published()?;
        if let Some(witnessed) = published.witnessed {
            parts.push(Part::of_bytes(WITNESSED_NAME, witnessed.to_bytes()));
        }
        if let Some(last) = published.last {
            parts.push(Part::of_bytes(LAST_NAME, last.to_bytes()));
            parts.push(Part {
                from: Content::File(self.dir.clone(), LOG_NAME.to_owned()),
                folder: "",
                name: LOG_NAME.to_owned(),
                len: published.log_bytes,
            });
        }
        let mut size = 0;
        for held in self.reader.segments.list() {
            let (count, end) = held.with_marks(|marks| (marks.count, marks.end));
            size = held.first_seq.saturating_add(count);
            let name = segment::file_name(held.first_seq);
            let from = match self.reader.segments.unnamed(&held) {
                Some(file) => Content::Open(file.clone()),
                None => Content::File(self.dir.dir("segments"), name.clone()),
            };
            parts.push(Part {
                from,
                folder: "segments",
                name,
                len: end,
            });
        }
        let vault_dir = self.dir.dir("vault");
        for listed in vault::files_of(&vault_dir)? {
            let name = vault::file_name(listed.number);
            let file = match &listed.unnamed {
                Some(file) => file.clone(),
                None => vault_dir.open(&name, Access::Read)?,
            };
            let len = last_nonzero(&file, 0, file.len()?)?;
            let from = match listed.unnamed {
                Some(file) => Content::Open(file),
                None => Content::File(vault_dir.clone(), name.clone()),
            };
            parts.push(Part {
                from,
                folder: "vault",
                name,
                len,
            });
        }
        if with_development_key {
            add_whole(&mut parts, &vault_dir, "vault", DEVELOPMENT_KEY_NAME)?;
        }
        let blobs = self.dir.dir("blobs");
        for name in blobs
            .list()?
            .into_iter()
            .filter(|name| Digest::parse(name).is_ok())
        {
            add_whole(&mut parts, &blobs, "blobs", &name)?;
        }
        Ok((parts, size))
    }

    /// What was published: what the reader knows reaches at least as far.
    pub(crate) fn published(&self) -> Result<Published, CheckpointError> {
        match &self.seen {
            Some(seen) => Ok(seen.clone()),
            None => Published::read(&self.dir),
        }
    }
}

fn add_whole(
    parts: &mut Vec<Part>,
    dir: &Dir,
    folder: &'static str,
    name: &str,
) -> Result<(), IoFault> {
    if let Some(file) = dir.open_if_present(name, Access::Read)? {
        let len = file.len()?;
        parts.push(Part {
            from: Content::File(dir.clone(), name.to_owned()),
            folder,
            name: name.to_owned(),
            len,
        });
    }
    Ok(())
}

/// Copies bytes from the beginning of a file and gives their digest.
fn copy(
    from: &OpenFile,
    to: &OpenFile,
    len: u64,
    mut copied: impl FnMut(u64),
) -> Result<Digest, IoFault> {
    let mut hasher = Sha256::new();
    let mut piece = vec![0_u8; PIECE_BYTES.min(to_usize(len))];
    let mut offset = 0_u64;
    while offset < len {
        let count = len.saturating_sub(offset).min(to_u64(PIECE_BYTES));
        let bytes = piece.get_mut(..to_usize(count)).unwrap_or(&mut []);
        from.read_exact_at(bytes, offset)?;
        hasher.update(&*bytes);
        to.write_at(bytes, offset)?;
        offset = offset.saturating_add(count);
        copied(count);
    }
    Ok(Digest::from_bytes(hasher.finalize().into()))
}

/// A blob is called by its digest: one that is altered neither gets into a backup nor out of it.
fn check_blob(folder: &str, name: &str, found: Digest) -> Result<(), BlobError> {
    let expected = Digest::parse(name);
    if folder != "blobs" || expected.is_ok_and(|expected| expected == found) {
        return Ok(());
    }
    Err(BlobError::Altered {
        expected: name.to_owned(),
        found: found.to_string(),
    })
}

/// Says so when a folder holds no backup, before anything else is looked for in it.
///
/// # Errors
/// [`CopyError::NotABackup`]. What else may be wrong with it, restoring it tells.
pub fn expect_backup(disk: &dyn Disk, path: &Path) -> Result<(), CopyError> {
    match disk.open(&path.join(MANIFEST_NAME), Access::Read) {
        Err(error) if is_absent(&error) => Err(CopyError::NotABackup {
            path: path.to_path_buf(),
        }),
        _ => Ok(()),
    }
}

/// Makes a book in an empty or new folder from a backup and opens it.
///
/// # Errors
/// The backup is not whole or was altered, the book does not open, or the disk refused.
pub fn restore(
    backup: &Path,
    target: &Path,
    options: &Options,
    fold: &mut dyn Fold,
    progress: &mut dyn FnMut(Progress),
) -> Result<Book, CopyError> {
    let source = Dir::new(Arc::clone(&options.disk), backup.to_path_buf());
    let to = Dir::new(Arc::clone(&options.disk), target.to_path_buf());
    if !to.list()?.is_empty() {
        return Err(CopyError::Occupied {
            path: target.to_path_buf(),
        });
    }
    let not_whole = |what| CopyError::NotWhole {
        path: backup.to_path_buf(),
        what,
    };
    let Some(bytes) = source.read_whole(MANIFEST_NAME, MANIFEST_BYTES_MAX)? else {
        return Err(CopyError::NotABackup {
            path: backup.to_path_buf(),
        });
    };
    let manifest = parse_manifest(&bytes).ok_or_else(|| not_whole("its manifest does not read"))?;
    let lengths = manifest.files.iter().map(|file| file.len);
    let total = lengths.fold(0, u64::saturating_add);
    let mut done = 0_u64;
    to.create()?;
    // The identity last: without it the folder is no book.
    let (identity, rest): (Vec<_>, Vec<_>) = manifest
        .files
        .iter()
        .partition(|file| file.path == IDENTITY_NAME);
    for listed in rest.into_iter().chain(identity) {
        let (folder, name) = listed.path.rsplit_once('/').unwrap_or(("", listed.path));
        let target_folder = to.dir(folder);
        target_folder.create()?;
        let from = source.dir(folder).open(name, Access::Read)?;
        if from.len()? != listed.len {
            let path = from.path().to_path_buf();
            return Err(CopyError::NotWhole {
                path,
                what: "its length is not the manifest's",
            });
        }
        let file = target_folder.open(name, Access::CreateAnew)?;
        let digest = copy(&from, &file, listed.len, |bytes| {
            done = done.saturating_add(bytes);
            progress(Progress { done, total });
        })?;
        if digest != listed.digest {
            let path = from.path().to_path_buf();
            return Err(CopyError::NotWhole {
                path,
                what: "its digest is not the manifest's",
            });
        }
        check_blob(folder, name, digest)?;
        file.sync()?;
        target_folder.sync()?;
    }
    let book = Book::open(target, options, fold)?;
    let found = book.reader.size();
    if found != manifest.size {
        return Err(not_whole("it has not as many entries as its manifest says"));
    }
    Ok(book)
}

struct Manifest<'a> {
    size: u64,
    files: Vec<Listed<'a>>,
}

struct Listed<'a> {
    digest: Digest,
    len: u64,
    path: &'a str,
}

/// `paygod backup 1`, `size <entries>`, then a line a file: digest, length, path.
fn parse_manifest(bytes: &[u8]) -> Option<Manifest<'_>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut lines = text.strip_suffix('\n')?.split('\n');
    if lines.next()? != MANIFEST_HEAD {
        return None;
    }
    let size = lines.next()?.strip_prefix("size ")?.parse().ok()?;
    let files = lines.map(|line| {
        let (digest, rest) = line.split_once(' ')?;
        let (len, path) = rest.split_once(' ')?;
        let listed = Listed {
            digest: Digest::parse(digest).ok()?,
            len: len.parse().ok()?,
            path,
        };
        is_backup_path(path).then_some(listed)
    });
    Some(Manifest {
        size,
        files: files.collect::<Option<Vec<_>>>()?,
    })
}

/// Only names that a backup writes: a manifest must not lead out of the folder.
fn is_backup_path(path: &str) -> bool {
    match path.split_once('/') {
        None => [IDENTITY_NAME, LAST_NAME, LOG_NAME, WITNESSED_NAME].contains(&path),
        Some(("segments", name)) => segment::first_seq_of(name).is_some(),
        Some(("vault", name)) => vault::number_of(name).is_some() || name == DEVELOPMENT_KEY_NAME,
        Some(("blobs", name)) => Digest::parse(name).is_ok(),
        Some(_) => false,
    }
}
