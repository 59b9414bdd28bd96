//! Files named on the command line: read whole, never beyond a bound; folders made only when empty.

use crate::fault::Fault;
use paygod_types::code;
use std::fs;
use std::io::{self, Read};
use std::path::Path;

/// Reads a file of at most `bytes_max` bytes; `-` reads standard input.
pub(crate) fn read(path: &Path, bytes_max: usize) -> Result<Vec<u8>, Fault> {
    let failed = |error: io::Error| {
        Fault::of(code::CLI_INPUT, &error).while_doing(&format!("cannot read `{}`", path.display()))
    };
    let mut bytes = Vec::new();
    // One more than allowed tells a file that is too long from one that just fits.
    let limit = u64::try_from(bytes_max)
        .unwrap_or(u64::MAX)
        .saturating_add(1);
    if path == Path::new("-") {
        io::stdin()
            .lock()
            .take(limit)
            .read_to_end(&mut bytes)
            .map_err(failed)?;
    } else {
        fs::File::open(path)
            .map_err(failed)?
            .take(limit)
            .read_to_end(&mut bytes)
            .map_err(failed)?;
    }
    if bytes.len() > bytes_max {
        let message = format!("`{}` has more than {bytes_max} bytes", path.display());
        return Err(Fault::new(code::CLI_INPUT, message).remedy("name a smaller file"));
    }
    Ok(bytes)
}

/// As [`read`], of a file in a folder that somebody else filled. To open a pipe there would wait for its writer
/// forever, so only a plain file is opened.
pub(crate) fn read_plain(path: &Path, bytes_max: usize) -> Result<Vec<u8>, Fault> {
    let metadata = fs::metadata(path).map_err(|error| {
        Fault::of(code::CLI_INPUT, &error).while_doing(&format!("cannot read `{}`", path.display()))
    })?;
    if !metadata.is_file() {
        let message = format!("`{}` is no plain file", path.display());
        return Err(Fault::new(code::CLI_INPUT, message)
            .remedy("take the folder as tampered with: nothing of ours writes such a thing"));
    }
    read(path, bytes_max)
}

/// Writes a file, making the folders on its way.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), Fault> {
    let failed = |error: io::Error| refused("cannot write", path, &error);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(failed)?;
    }
    fs::write(path, bytes).map_err(failed)
}

/// Why something was not written: the path does not fit what is there, or the system failed.
pub(crate) fn refused(what: &str, path: &Path, error: &io::Error) -> Fault {
    let what = format!("{what} `{}`", path.display());
    match error.kind() {
        io::ErrorKind::IsADirectory
        | io::ErrorKind::NotADirectory
        | io::ErrorKind::AlreadyExists => Fault::of(code::CLI_ARGUMENT, error)
            .while_doing(&what)
            .remedy("name another path: a folder is there where a file is to go, or a file where a folder is"),
        _ => Fault::of(code::CLI_OUTPUT, error).while_doing(&what),
    }
}

/// Makes a folder; one that is there already must be empty.
pub(crate) fn make_empty_folder(path: &Path) -> Result<(), Fault> {
    let failed = |error: io::Error| refused("cannot use the folder", path, &error);
    fs::create_dir_all(path).map_err(failed)?;
    match fs::read_dir(path).map_err(failed)?.next() {
        None => Ok(()),
        Some(_) => {
            let message = format!("the folder `{}` is not empty", path.display());
            Err(Fault::new(code::CLI_FOLDER_IN_USE, message))
        }
    }
}

/// How many files a folder holds, and their bytes.
pub(crate) fn measure(path: &Path) -> io::Result<(u64, u64)> {
    let (mut files, mut bytes) = (0_u64, 0_u64);
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            let (more_files, more_bytes) = measure(&entry.path())?;
            files = files.saturating_add(more_files);
            bytes = bytes.saturating_add(more_bytes);
        } else {
            files = files.saturating_add(1);
            bytes = bytes.saturating_add(entry.metadata()?.len());
        }
    }
    Ok((files, bytes))
}
