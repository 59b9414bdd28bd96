//! The seam between the store and the disk.
//!
//! Every byte that the store keeps goes through [`Disk`] and [`DiskFile`], so that a test can fail,
//! tear or lose any single write, flush, rename or removal (see [`crate::fault`]). The seam costs one
//! indirect call beside a system call.
//!
//! It does not buffer, retry or interpret: whether a failure may be survived is the caller's business.

use std::fmt::Debug;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

use crate::error::{Action, IoFault};
use crate::width::to_u64;

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// An existing file, to be read only.
    Read,
    /// An existing file, to be read and written.
    Write,
    /// A file to be read and written, made when it is missing.
    OpenOrCreate,
    /// A file to be read and written; one of that name is emptied first.
    CreateAnew,
    /// As [`Access::CreateAnew`], past the system's cache if it can be: every write is of whole pages, from memory
    /// that begins at a page.
    CreatePastCache,
    /// As [`Access::Write`], and written as [`Access::CreatePastCache`] is.
    WritePastCache,
}

impl Access {
    pub(crate) const fn is_past_cache(self) -> bool {
        matches!(self, Self::CreatePastCache | Self::WritePastCache)
    }
}

/// A file that many threads may read and write at offsets of their own.
pub trait DiskFile: Send + Sync + Debug {
    /// Reads up to `buf.len()` bytes at `offset`; fewer only at the end of the file.
    ///
    /// # Errors
    /// What the operating system reports.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes all of `bytes` at `offset`, lengthening the file when needed.
    ///
    /// # Errors
    /// What the operating system reports; then any part of `bytes` may have been written.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Makes everything written so far durable, with the length of the file.
    ///
    /// # Errors
    /// What the operating system reports; then nothing may be assumed of what was written.
    fn sync(&self) -> io::Result<()>;

    /// Cuts or lengthens (with zeros) the file.
    ///
    /// # Errors
    /// What the operating system reports.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// The length of the file in bytes.
    ///
    /// # Errors
    /// What the operating system reports.
    fn len(&self) -> io::Result<u64>;

    /// Whether the file holds no byte.
    ///
    /// # Errors
    /// What the operating system reports.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
}

/// Held as long as this process may write the book; released when dropped.
pub trait DirLock: Send + Sync + Debug {}

/// A place for files.
pub trait Disk: Send + Sync + Debug {
    /// Opens a file.
    ///
    /// # Errors
    /// What the operating system reports.
    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn DiskFile>>;

    /// Gives a file another name, replacing what had it, at once. Durable after [`Disk::sync_dir`].
    ///
    /// # Errors
    /// What the operating system reports.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// What the operating system reports.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// The names of the files and folders in a folder, in order; empty when the folder is missing.
    ///
    /// # Errors
    /// What the operating system reports, but for a missing folder.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;

    /// Makes a folder and those above it; it may exist already.
    ///
    /// # Errors
    /// What the operating system reports.
    fn create_dir(&self, dir: &Path) -> io::Result<()>;

    /// Makes the names in a folder durable.
    ///
    /// # Errors
    /// What the operating system reports.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// Takes the lock file at `path` for this process alone; `None` when another holds it.
    ///
    /// # Errors
    /// What the operating system reports.
    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn DirLock>>>;
}

/// The files of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

#[derive(Debug)]
struct RealFile(File);

#[derive(Debug)]
struct RealLock(File);

impl DirLock for RealLock {}

impl Drop for RealLock {
    fn drop(&mut self) {
        // Closing the file would not do: a process that is being started has a copy of it for a moment.
        let _closed_anyway = self.0.unlock();
    }
}

impl RealFile {
    /// Writes through the system's cache from now on, for a disk whose pages are longer than ours; `false` if that is
    /// what was done all along.
    fn through_cache(&self) -> io::Result<bool> {
        let flags = fcntl_getfl(&self.0)?;
        fcntl_setfl(&self.0, flags.difference(OFlags::DIRECT))?;
        Ok(flags.contains(OFlags::DIRECT))
    }
}

impl DiskFile for RealFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut filled = 0_usize;
        while let Some(rest) = buf.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            let at = offset.saturating_add(to_u64(filled));
            match self.0.read_at(rest, at) {
                Ok(0) => break,
                Ok(count) => filled = filled.saturating_add(count),
                Err(fault) if fault.kind() == io::ErrorKind::Interrupted => {}
                Err(fault) => return Err(fault),
            }
        }
        Ok(filled)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        match self.0.write_all_at(bytes, offset) {
            Err(fault)
                if fault.kind() == io::ErrorKind::InvalidInput && self.through_cache()? =>
            {
                self.0.write_all_at(bytes, offset)
            }
            written => written,
        }
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn len(&self) -> io::Result<u64> {
        self.0.metadata().map(|metadata| metadata.len())
    }
}

impl Disk for RealDisk {
    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        options.read(true);
        match access {
            Access::Read => {}
            Access::Write | Access::WritePastCache => {
                options.write(true);
            }
            Access::OpenOrCreate => {
                options.write(true).create(true).truncate(false);
            }
            Access::CreateAnew | Access::CreatePastCache => {
                options.write(true).create(true).truncate(true);
            }
        }
        // Inputs, keys and balances are nobody else's business on a shared machine.
        options.mode(0o600);
        if access.is_past_cache() {
            let direct = i32::try_from(OFlags::DIRECT.bits()).unwrap_or(0);
            // A file system that knows no such thing refuses it.
            if let Ok(file) = options.clone().custom_flags(direct).open(path) {
                return Ok(Arc::new(RealFile(file)));
            }
        }
        Ok(Arc::new(RealFile(options.open(path)?)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let entries = match std::fs::read_dir(dir) {
            Ok(entries) => entries,
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(fault) => return Err(fault),
        };
        let mut names = Vec::new();
        for entry in entries {
            // A name that is not UTF-8 is none of ours.
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        std::fs::create_dir_all(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn DirLock>>> {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Box::new(RealLock(file)))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(fault)) => Err(fault),
        }
    }
}

/// Length of a page, in bytes, as disks and caches count them.
pub(crate) const PAGE_BYTES: usize = 4096;

/// A folder on a disk, with faults that name the file and what was being done to it.
#[derive(Clone, Debug)]
pub(crate) struct Dir {
    disk: Arc<dyn Disk>,
    path: PathBuf,
}

/// How much of what nobody waits for is written between two flushes, in bytes: a commit's flush waits for at
/// most so much of it.
pub(crate) const PIECE_BYTES: usize = 1 << 20;

impl Dir {
    pub(crate) fn new(disk: Arc<dyn Disk>, path: PathBuf) -> Self {
        Self { disk, path }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn file_path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// A folder within; the folder itself when the name is empty.
    pub(crate) fn dir(&self, name: &str) -> Self {
        let path = if name.is_empty() {
            self.path.clone()
        } else {
            self.path.join(name)
        };
        Self {
            disk: Arc::clone(&self.disk),
            path,
        }
    }

    /// Another folder of the same disk.
    pub(crate) fn elsewhere(&self, path: &Path) -> Self {
        Self {
            disk: Arc::clone(&self.disk),
            path: path.to_path_buf(),
        }
    }

    pub(crate) fn open(&self, name: &str, access: Access) -> Result<OpenFile, IoFault> {
        let path = self.file_path(name);
        let file = self
            .disk
            .open(&path, access)
            .map_err(|source| fault(Action::Open, &path, source))?;
        Ok(OpenFile {
            file,
            path: Arc::from(path),
        })
    }

    /// Opens an existing file, or says that there is none.
    pub(crate) fn open_if_present(
        &self,
        name: &str,
        access: Access,
    ) -> Result<Option<OpenFile>, IoFault> {
        match self.open(name, access) {
            Ok(file) => Ok(Some(file)),
            Err(fault) if fault.source.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    pub(crate) fn rename(&self, from: &str, to: &str) -> Result<(), IoFault> {
        let target = self.file_path(to);
        self.disk
            .rename(&self.file_path(from), &target)
            .map_err(|source| fault(Action::Rename, &target, source))
    }

    pub(crate) fn remove(&self, name: &str) -> Result<(), IoFault> {
        let path = self.file_path(name);
        self.disk
            .remove(&path)
            .map_err(|source| fault(Action::Remove, &path, source))
    }

    pub(crate) fn list(&self) -> Result<Vec<String>, IoFault> {
        self.disk
            .list(&self.path)
            .map_err(|source| fault(Action::List, &self.path, source))
    }

    pub(crate) fn create(&self) -> Result<(), IoFault> {
        self.disk
            .create_dir(&self.path)
            .map_err(|source| fault(Action::CreateFolder, &self.path, source))
    }

    pub(crate) fn sync(&self) -> Result<(), IoFault> {
        self.disk
            .sync_dir(&self.path)
            .map_err(|source| fault(Action::Flush, &self.path, source))
    }

    /// Makes the name of the folder itself durable, and of those above it that may be as new. Some may not be ours to read:
    /// those were there before.
    pub(crate) fn sync_above(&self) {
        for above in self.path.ancestors().skip(1) {
            let here = Path::new(".");
            let above = if above.as_os_str().is_empty() {
                here
            } else {
                above
            };
            let _refused = self.disk.sync_dir(above);
        }
    }

    pub(crate) fn lock(&self, name: &str) -> Result<Option<Box<dyn DirLock>>, IoFault> {
        let path = self.file_path(name);
        self.disk
            .lock(&path)
            .map_err(|source| fault(Action::Lock, &path, source))
    }

    /// Makes a file anew, its name and those given before durable.
    pub(crate) fn create_named(&self, name: &str, access: Access) -> Result<OpenFile, IoFault> {
        self.sync()?;
        let file = self.open(name, access)?;
        self.sync()?;
        Ok(file)
    }

    /// Puts a whole file under `name`, durably, a large one piece by piece: a reader sees the old one or the new one, whole.
    pub(crate) fn replace(&self, name: &str, parts: &[&[u8]]) -> Result<(), IoFault> {
        let unfinished = format!("{name}.tmp");
        let file = self.open(&unfinished, Access::CreateAnew)?;
        let mut offset = 0_u64;
        for piece in parts.iter().flat_map(|part| part.chunks(PIECE_BYTES)) {
            file.write_at(piece, offset)?;
            offset = offset.saturating_add(to_u64(piece.len()));
            if piece.len() == PIECE_BYTES {
                file.sync()?;
            }
        }
        file.sync()?;
        self.rename(&unfinished, name)?;
        self.sync()
    }

    /// Reads a whole file of at most `bytes_max`; `None` when there is none.
    pub(crate) fn read_whole(
        &self,
        name: &str,
        bytes_max: u64,
    ) -> Result<Option<Vec<u8>>, IoFault> {
        let Some(file) = self.open_if_present(name, Access::Read)? else {
            return Ok(None);
        };
        let len = file.len()?;
        if len > bytes_max {
            let source = io::Error::new(
                io::ErrorKind::FileTooLarge,
                format!("the file has {len} bytes and at most {bytes_max} are allowed"),
            );
            return Err(fault(Action::Read, &file.path, source));
        }
        let mut bytes = vec![0_u8; crate::width::to_usize(len)];
        let count = file.read_at(&mut bytes, 0)?;
        bytes.truncate(count);
        Ok(Some(bytes))
    }
}

/// An open file with its path, for faults that name it.
#[derive(Clone, Debug)]
pub(crate) struct OpenFile {
    file: Arc<dyn DiskFile>,
    path: Arc<Path>,
}

impl OpenFile {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Says which name the file has now, for faults to come.
    pub(crate) fn rename(&mut self, dir: &Dir, name: &str) {
        self.path = Arc::from(dir.file_path(name));
    }

    pub(crate) fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize, IoFault> {
        self.file
            .read_at(buf, offset)
            .map_err(|source| fault(Action::Read, &self.path, source))
    }

    /// Reads exactly `buf.len()` bytes; a shorter file is a fault.
    pub(crate) fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> Result<(), IoFault> {
        let wanted = buf.len();
        let found = self.read_at(buf, offset)?;
        if found == wanted {
            return Ok(());
        }
        let source = io::Error::new(
            io::ErrorKind::UnexpectedEof,
            format!("{wanted} bytes were expected at offset {offset} and {found} are there"),
        );
        Err(fault(Action::Read, &self.path, source))
    }

    pub(crate) fn write_at(&self, bytes: &[u8], offset: u64) -> Result<(), IoFault> {
        self.file
            .write_at(bytes, offset)
            .map_err(|source| fault(Action::Write, &self.path, source))
    }

    pub(crate) fn sync(&self) -> Result<(), IoFault> {
        self.file
            .sync()
            .map_err(|source| fault(Action::Flush, &self.path, source))
    }

    /// Flushes what another process may have written. A file system that nobody can write to may not know how,
    /// and has nothing to flush.
    pub(crate) fn sync_read(&self) -> Result<(), IoFault> {
        use io::ErrorKind::{InvalidInput, ReadOnlyFilesystem, Unsupported};
        match self.sync() {
            Err(fault)
                if matches!(
                    fault.source.kind(),
                    InvalidInput | ReadOnlyFilesystem | Unsupported
                ) =>
            {
                Ok(())
            }
            synced => synced,
        }
    }

    pub(crate) fn set_len(&self, len: u64) -> Result<(), IoFault> {
        self.file
            .set_len(len)
            .map_err(|source| fault(Action::Resize, &self.path, source))
    }

    pub(crate) fn len(&self) -> Result<u64, IoFault> {
        self.file
            .len()
            .map_err(|source| fault(Action::Read, &self.path, source))
    }
}

fn fault(action: Action, path: &Path, source: io::Error) -> IoFault {
    IoFault {
        action,
        path: path.to_path_buf(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_written_past_the_cache_is_written_through_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let file = RealDisk.open(&path, Access::CreatePastCache).unwrap();
        // Neither a whole page nor at one: as whole pages of ours are to a disk with longer ones.
        file.write_at(b"unaligned", 5).unwrap();
        file.write_at(b"U", 5).unwrap();
        file.sync().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"\0\0\0\0\0Unaligned");
    }
}
