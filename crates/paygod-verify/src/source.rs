//! Where an export is read from: a directory, or anything else that has files by path.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::PathBuf;

use paygod_types::{Code, code};
use thiserror::Error;

/// Files by path, `/` between the parts, as the export names them. Read from several threads at once.
pub trait Source: Sync {
    /// Appends the bytes of `range` of the file to `out`, fewer where the file ends. `false` when
    /// there is no such file.
    ///
    /// # Errors
    /// The file is there and cannot be read.
    fn read(&self, path: &str, range: Range<u64>, out: &mut Vec<u8>) -> Result<bool, SourceError>;
}

/// A file of the export could not be read.
#[derive(Debug, Error)]
#[error("`{path}` cannot be read: {error}; check the disk and the permissions")]
pub struct SourceError {
    /// The file.
    pub path: String,
    /// What the operating system said.
    #[source]
    pub error: io::Error,
}

impl SourceError {
    /// The permanent code of this error.
    #[must_use]
    pub const fn code(&self) -> Code {
        code::VERIFY_SOURCE
    }
}

/// An export in a folder.
#[derive(Clone, Debug)]
pub struct Directory {
    root: PathBuf,
}

impl Directory {
    /// The export in this folder.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    fn read_file(&self, path: &str, range: Range<u64>, out: &mut Vec<u8>) -> io::Result<bool> {
        let path = self.root.join(path);
        // Asked before opening: to open a pipe would wait for its writer forever.
        let length = match path.metadata() {
            Ok(metadata) if metadata.is_file() => metadata.len(),
            Ok(_) => return Ok(false),
            Err(error) if is_missing(&error) => return Ok(false),
            Err(error) => return Err(error),
        };
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) if is_missing(&error) => return Ok(false),
            Err(error) => return Err(error),
        };
        if range.start > 0 {
            file.seek(SeekFrom::Start(range.start))?;
        }
        let asked = range.end.saturating_sub(range.start);
        let there = length.saturating_sub(range.start).min(asked);
        // One byte more than there is: the end of the file is then seen without growing the buffer.
        out.reserve(usize::try_from(there.saturating_add(1)).unwrap_or(0));
        file.take(asked).read_to_end(out)?;
        Ok(true)
    }
}

fn is_missing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

impl Source for Directory {
    fn read(&self, path: &str, range: Range<u64>, out: &mut Vec<u8>) -> Result<bool, SourceError> {
        self.read_file(path, range, out)
            .map_err(|error| SourceError {
                path: path.to_owned(),
                error,
            })
    }
}

/// What reading a whole file of bounded length found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whole {
    /// The bytes are there.
    Read,
    /// There is no such file.
    Missing,
    /// The file is longer than allowed.
    TooLong,
}

/// Reads a whole file into `out`, whose former content is dropped.
pub(crate) fn read_whole(
    source: &dyn Source,
    path: &str,
    bytes_max: u64,
    out: &mut Vec<u8>,
) -> Result<Whole, SourceError> {
    out.clear();
    if !source.read(path, 0..bytes_max.saturating_add(1), out)? {
        return Ok(Whole::Missing);
    }
    let length = u64::try_from(out.len()).unwrap_or(u64::MAX);
    Ok(if length > bytes_max {
        Whole::TooLong
    } else {
        Whole::Read
    })
}
