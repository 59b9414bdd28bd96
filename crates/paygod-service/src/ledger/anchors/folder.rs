//! The folder `anchors/` of a book: proofs, and when the last one was asked for.
//!
//! Every file is written whole beside its place and then put there, so a reader finds the old one or the
//! new one: INVARIANT(publish-after-write).

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use paygod_anchor::ots::FILE_BYTES_MAX;
use paygod_types::Timestamp;

use super::error::AnchorError;

/// The folder within a book, and within an export.
pub(crate) const FOLDER: &str = "anchors";

/// The folder within it for proofs that name no block yet.
const PENDING: &str = "pending";

/// The file within it that says when what was submitted last.
const STATE: &str = "state";

/// How that file begins.
const STATE_KIND: &str = "paygod-anchors-v1";

/// Longest of those files worth reading.
const STATE_BYTES_MAX: u64 = 256;

/// Nanoseconds of a day.
const DAY_NS: u64 = 86_400_000_000_000;

/// What was submitted last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State {
    /// The size of the checkpoint; 0: none yet.
    pub(super) size: u64,
    /// When.
    pub(super) time: Timestamp,
    /// The day of the last attempt, counted from 1970.
    pub(super) day: u64,
    /// Attempts of that day.
    pub(super) count: u32,
}

/// The day of a time, counted from 1970 (UTC).
pub(super) const fn day(time: Timestamp) -> u64 {
    time.as_nanos() / DAY_NS
}

/// The folder of a book.
#[derive(Clone, Debug)]
pub(crate) struct Folder {
    path: PathBuf,
}

impl Folder {
    pub(crate) fn of(book: &Path) -> Self {
        Self {
            path: book.join(FOLDER),
        }
    }

    fn place(&self, size: u64) -> PathBuf {
        self.path.join(format!("{size}.ots"))
    }

    fn pending_place(&self, size: u64) -> PathBuf {
        self.path.join(PENDING).join(format!("{size}.ots"))
    }

    /// Sizes with a proof that names a block, ascending.
    pub(super) fn anchored(&self) -> Result<Vec<u64>, AnchorError> {
        sizes(&self.path)
    }

    /// Sizes with a proof that names none yet, ascending.
    pub(super) fn pending(&self) -> Result<Vec<u64>, AnchorError> {
        sizes(&self.path.join(PENDING))
    }

    pub(super) fn read_anchored(&self, size: u64) -> Result<Vec<u8>, AnchorError> {
        read(&self.place(size), bytes_max())
    }

    pub(super) fn read_pending(&self, size: u64) -> Result<Vec<u8>, AnchorError> {
        read(&self.pending_place(size), bytes_max())
    }

    pub(super) fn write_anchored(&self, size: u64, bytes: &[u8]) -> Result<(), AnchorError> {
        write(&self.place(size), bytes)
    }

    pub(super) fn write_pending(&self, size: u64, bytes: &[u8]) -> Result<(), AnchorError> {
        write(&self.pending_place(size), bytes)
    }

    pub(super) fn remove_pending(&self, size: u64) -> Result<(), AnchorError> {
        let path = self.pending_place(size);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(refused(path)(error)),
            _ => Ok(()),
        }
    }

    pub(super) fn malformed(&self, size: u64, reason: &dyn core::fmt::Display) -> AnchorError {
        AnchorError::Malformed {
            path: self.pending_place(size),
            reason: reason.to_string(),
        }
    }

    pub(super) fn state(&self) -> Result<State, AnchorError> {
        let path = self.path.join(STATE);
        if !path.exists() {
            let time = Timestamp::from_nanos(0);
            return Ok(State {
                size: 0,
                time,
                day: 0,
                count: 0,
            });
        }
        let bytes = read(&path, STATE_BYTES_MAX)?;
        let parsed = core::str::from_utf8(&bytes).ok().and_then(parse);
        parsed.ok_or_else(|| AnchorError::Malformed {
            path,
            reason: "it is not the state of anchoring".to_owned(),
        })
    }

    pub(super) fn write_state(&self, state: &State) -> Result<(), AnchorError> {
        let State {
            size,
            time,
            day,
            count,
        } = state;
        let nanos = time.as_nanos();
        let line = format!("{STATE_KIND} {size} {nanos} {day} {count}\n");
        write(&self.path.join(STATE), line.as_bytes())
    }

    /// Copies the proofs of checkpoints up to a size, as exports have them: nothing is flushed.
    pub(crate) fn export(&self, to: &Path, up_to: u64) -> Result<(), AnchorError> {
        for size in self.anchored()?.into_iter().filter(|size| *size <= up_to) {
            let place = Self::of(to).place(size);
            let bytes = self.read_anchored(size)?;
            let folder = place.parent().unwrap_or(to);
            let put = fs::create_dir_all(folder).and_then(|()| fs::write(&place, bytes));
            put.map_err(refused(place))?;
        }
        Ok(())
    }

    /// Copies everything, as backups have it.
    pub(crate) fn copy(&self, to: &Path) -> Result<(), AnchorError> {
        let to = Self::of(to);
        for size in self.anchored()? {
            to.write_anchored(size, &self.read_anchored(size)?)?;
        }
        for size in self.pending()? {
            to.write_pending(size, &self.read_pending(size)?)?;
        }
        if self.path.join(STATE).exists() {
            to.write_state(&self.state()?)?;
        }
        Ok(())
    }
}

fn bytes_max() -> u64 {
    u64::try_from(FILE_BYTES_MAX).unwrap_or(u64::MAX)
}

fn parse(text: &str) -> Option<State> {
    let mut words = text.strip_suffix('\n')?.split(' ');
    if words.next() != Some(STATE_KIND) {
        return None;
    }
    let state = State {
        size: words.next()?.parse().ok()?,
        time: Timestamp::from_nanos(words.next()?.parse().ok()?),
        day: words.next()?.parse().ok()?,
        count: words.next()?.parse().ok()?,
    };
    words.next().is_none().then_some(state)
}

fn refused(path: PathBuf) -> impl FnOnce(io::Error) -> AnchorError {
    move |source| AnchorError::Folder { path, source }
}

/// What is not the name of a proof is left alone.
fn sizes(folder: &Path) -> Result<Vec<u64>, AnchorError> {
    let names = match fs::read_dir(folder) {
        Ok(names) => names,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(refused(folder.to_path_buf())(error)),
    };
    let mut sizes = Vec::new();
    for name in names {
        let name = name.map_err(refused(folder.to_path_buf()))?.file_name();
        let size = name.to_str().and_then(|name| {
            let digits = name.strip_suffix(".ots")?;
            let size: u64 = digits.parse().ok()?;
            (size.to_string() == digits).then_some(size)
        });
        sizes.extend(size);
    }
    sizes.sort_unstable();
    Ok(sizes)
}

fn read(path: &Path, most: u64) -> Result<Vec<u8>, AnchorError> {
    let open = |path: &Path| {
        let mut bytes = Vec::new();
        let mut file = File::open(path)?.take(most.saturating_add(1));
        file.read_to_end(&mut bytes).map(|_| bytes)
    };
    let bytes = open(path).map_err(refused(path.to_path_buf()))?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > most {
        return Err(AnchorError::Malformed {
            path: path.to_path_buf(),
            reason: format!("it has more than {most} bytes"),
        });
    }
    Ok(bytes)
}

/// Durably, and whole or not at all.
fn write(path: &Path, bytes: &[u8]) -> Result<(), AnchorError> {
    let put = |path: &Path| {
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let beside = path.with_extension("new");
        let mut file = File::create(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        File::open(folder)?.sync_all()
    };
    put(path).map_err(refused(path.to_path_buf()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_reads_back_and_nothing_else_is_one() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::of(dir.path());
        let state = State {
            size: 7,
            time: Timestamp::from_nanos(9),
            day: 20_000,
            count: 3,
        };
        assert_eq!(folder.state().unwrap().size, 0);
        folder.write_state(&state).unwrap();
        assert_eq!(folder.state().unwrap(), state);
        for bad in [
            "",
            "x",
            "paygod-anchors-v1 1 2 3\n",
            "paygod-anchors-v1 1 2 3 4 5\n",
        ] {
            fs::write(folder.path.join(STATE), bad).unwrap();
            assert!(matches!(folder.state(), Err(AnchorError::Malformed { .. })));
        }
    }

    #[test]
    fn what_is_no_proof_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::of(dir.path());
        assert_eq!(folder.anchored().unwrap(), Vec::<u64>::new());
        for size in [300, 7] {
            folder.write_anchored(size, b"proof").unwrap();
        }
        for name in ["007.ots", "x.ots", "8.new", "9"] {
            fs::write(folder.path.join(name), b"").unwrap();
        }
        assert_eq!(folder.anchored().unwrap(), [7, 300]);
        folder
            .write_anchored(8, &vec![0; FILE_BYTES_MAX + 1])
            .unwrap();
        assert!(matches!(
            folder.read_anchored(8),
            Err(AnchorError::Malformed { .. })
        ));
    }
}
