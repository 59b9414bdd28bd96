//! An export on a web server, mirrored: what cannot change is fetched once.
//!
//! | in the state folder | what |
//! | --- | --- |
//! | `mirror/` | full tiles, full bundles and blobs of exports that held, and their log of checkpoints |
//! | `fetched/` | what was fetched since, and is not known to hold |
//! | `lock` | held while a visit is made |
//!
//! The verifier reads the two folders as one. When the whole holds, what cannot change moves to `mirror/`; when it
//! does not hold, what was fetched is forgotten. A visit that could not be made is taken up by the next one.
//!
//! The server is trusted with nothing: what it sends is bounded in bytes, files and time, and is written down under
//! names that are ours. What it does not have is missing, as in a folder; whatever else it answers is a fault.

use super::web;
use crate::fault::Fault;
use paygod_tlog::limits::{ENTRY_BYTES_MAX, HASH_BYTES, NOTE_BYTES_MAX};
use paygod_tlog::{Tile, TileKind};
use paygod_types::{Digest, code};
use paygod_verify::limits::BLOB_BYTES_MAX;
use paygod_verify::{Directory, Source, SourceError};
use std::fs::{self, File, TryLockError};
use std::io::{self, Seek as _, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use ureq::http::Response;

/// Files fetched at once: what a server takes from one visitor, and enough to hide the way there.
const FETCHERS: usize = 8;

/// One file, from beginning to end: a blob of the largest size at 1 MB a second.
const FILE_TIMEOUT: Duration = Duration::from_secs(300);

/// All of one visit. What was fetched until then is kept for the next.
const VISIT_TIMEOUT: Duration = Duration::from_secs(6 * 3_600);

/// Bytes of one visit: some hundred million entries. What was fetched until then is kept for the next.
const VISIT_BYTES_MAX: u64 = 64 << 30;

/// [`NOTE_BYTES_MAX`].
const NOTE_BYTES: u64 = 262_144;
const _: () = assert!(NOTE_BYTES_MAX == 262_144);

const CHECKPOINT: &str = "checkpoint";
const LOG: &str = "checkpoints.log";

/// What changes from one export to the next, and is fetched at every visit, with its bound in bytes; the log is
/// fetched from where the mirror's ends.
const CHANGING: [(&str, u64); 4] = [
    (CHECKPOINT, NOTE_BYTES),
    ("witnessed", NOTE_BYTES),
    ("genesis", 128),
    (LOG, VISIT_BYTES_MAX),
];

/// An export on a web server and what is known of it here.
pub(super) struct Mirror {
    agent: ureq::Agent,
    address: String,
    held: PathBuf,
    fetched: PathBuf,
    ends: Instant,
    bytes_left: AtomicU64,
    /// Why a file could not be fetched, the first time.
    fault: Mutex<Option<Fault>>,
    _lock: File,
}

/// Why a file was not fetched.
struct Missed {
    why: String,
    /// Whether asking once more may help.
    may_pass: bool,
}

impl Missed {
    fn here(error: &io::Error) -> Self {
        Self {
            why: format!("it cannot be written down here: {error}"),
            may_pass: false,
        }
    }
}

impl Mirror {
    /// For one visit. `again`: nothing that was fetched before counts.
    pub(super) fn new(address: &str, state: &Path, again: bool) -> Result<Self, Fault> {
        let refuse = |why: &str| {
            Fault::new(code::CLI_ARGUMENT, format!("`{address}`: {why}"))
                .remedy("name the https address of the folder in which `checkpoint` is")
        };
        if address.contains(['@', '?', '#']) {
            return Err(refuse(
                "an export has an address without names, `?` and `#`",
            ));
        }
        web::may_ask(address).map_err(refuse)?;
        let (held, fetched) = (state.join("mirror"), state.join("fetched"));
        fs::create_dir_all(state).map_err(|error| refused(state, &error))?;
        let path = state.join("lock");
        let lock = File::create(&path).map_err(|error| refused(&path, &error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let message = format!("another visit has `{}` open", state.display());
                return Err(Fault::new(code::MONITOR_BUSY, message));
            }
            Err(TryLockError::Error(error)) => return Err(refused(&path, &error)),
        }
        let mirror = Self {
            agent: web::agent(FILE_TIMEOUT),
            address: address.trim_end_matches('/').to_owned(),
            held,
            fetched,
            ends: Instant::now() + VISIT_TIMEOUT,
            bytes_left: AtomicU64::new(VISIT_BYTES_MAX),
            fault: Mutex::new(None),
            _lock: lock,
        };
        if again {
            for folder in [&mirror.held, &mirror.fetched] {
                remove(folder)?;
            }
        }
        Ok(mirror)
    }

    /// Fetches what changes: first of all the checkpoint, which is returned.
    pub(super) fn refresh(&self) -> Result<Vec<u8>, Fault> {
        fs::create_dir_all(&self.fetched).map_err(|error| refused(&self.fetched, &error))?;
        for (name, bytes_max) in CHANGING {
            let path = self.fetched.join(name);
            let mut have = 0;
            match fs::copy(self.held.join(name), &path) {
                Ok(bytes) => have = bytes,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(refused(&path, &error)),
            }
            if !self.fetch(name, &path, have, bytes_max)? {
                match fs::remove_file(&path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        return Err(refused(&path, &error));
                    }
                    _ if name == CHECKPOINT => {
                        let why = "there is no `checkpoint` there";
                        return Err(self.unfetched(why));
                    }
                    _ => {}
                }
            }
        }
        let path = self.fetched.join(CHECKPOINT);
        fs::read(&path).map_err(|error| refused(&path, &error))
    }

    /// Fetches the tiles and bundles of a log of `size` entries that are not here, until one is missing there.
    pub(super) fn fetch_tiles(&self, size: u64) -> Result<(), Fault> {
        let tiles = Mutex::new(Tile::all(size));
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..FETCHERS {
                scope.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        let next = tiles.lock().unwrap_or_else(PoisonError::into_inner).next();
                        let Some(tile) = next else { break };
                        if !matches!(self.find(&tile.path()), Ok(Some(_))) {
                            stop.store(true, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        self.fault().map_or(Ok(()), Err)
    }

    /// Why a file could not be fetched, if one could not be.
    pub(super) fn fault(&self) -> Option<Fault> {
        let mut fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        fault.take()
    }

    /// Whether the server shows another checkpoint by now: then what was fetched is of two exports.
    pub(super) fn has_changed(&self, checkpoint: &[u8]) -> bool {
        let path = self.fetched.join("checkpoint.now");
        let fetched = self.fetch(CHECKPOINT, &path, 0, NOTE_BYTES);
        fetched.is_ok() && fs::read(&path).is_ok_and(|now| now != checkpoint)
    }

    /// Everything held: what cannot change is kept, and not fetched again.
    pub(super) fn keep(&self) -> Result<(), Fault> {
        self.keep_below("")?;
        remove(&self.fetched)
    }

    fn keep_below(&self, folder: &str) -> Result<(), Fault> {
        let here = self.fetched.join(folder);
        let failed = |error: io::Error| refused(&here, &error);
        for entry in fs::read_dir(&here).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = match folder {
                "" => name,
                folder => format!("{folder}/{name}"),
            };
            if entry.file_type().map_err(failed)?.is_dir() {
                self.keep_below(&path)?;
            } else if path == LOG || is_fixed(&path) {
                let held = self.held.join(&path);
                let moved = fs::create_dir_all(held.parent().unwrap_or(&self.held));
                let moved = moved.and_then(|()| fs::rename(entry.path(), &held));
                moved.map_err(|error| refused(&held, &error))?;
            }
        }
        Ok(())
    }

    /// It did not hold: nothing that was fetched counts.
    pub(super) fn forget(&self) -> Result<(), Fault> {
        remove(&self.fetched)
    }

    /// Where a file is by now; `None`: the server has none.
    fn find(&self, path: &str) -> Result<Option<&Path>, Missed> {
        if self.fetched.join(path).is_file() {
            return Ok(Some(&self.fetched));
        }
        let Some(bytes_max) = bytes_max(path) else {
            return Ok(None);
        };
        if self.held.join(path).is_file() {
            return Ok(Some(&self.held));
        }
        let whole = self.fetched.join(path);
        let beside = whole.with_extension("new");
        let written = || {
            fs::create_dir_all(whole.parent().unwrap_or(&self.fetched))?;
            File::create(&beside).map(drop)
        };
        written().map_err(|error| Missed::here(&error))?;
        let fetched = self.fetch(path, &beside, 0, bytes_max);
        let fetched = fetched.map_err(|fault| {
            let why = fault.message().to_owned();
            let mut first = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
            first.get_or_insert(fault);
            Missed {
                why,
                may_pass: false,
            }
        })?;
        if !fetched {
            return Ok(None);
        }
        fs::rename(&beside, &whole).map_err(|error| Missed::here(&error))?;
        Ok(Some(&self.fetched))
    }

    /// Fetches a file, of which `have` bytes are at `to` already. `false`: the server has none.
    fn fetch(&self, path: &str, to: &Path, have: u64, bytes_max: u64) -> Result<bool, Fault> {
        let mut wait = web::ATTEMPT_WAIT;
        let mut attempt = 1;
        loop {
            if Instant::now() >= self.ends {
                let hours = VISIT_TIMEOUT.as_secs() / 3_600;
                return Err(self.unfetched(&format!("the visit took more than {hours} hours")));
            }
            let missed = match self.attempt(path, to, have, bytes_max) {
                Ok(there) => return Ok(there),
                Err(missed) => missed,
            };
            if !missed.may_pass || attempt == web::ATTEMPTS_MAX {
                return Err(self.unfetched(&format!("`{path}`: {}", missed.why)));
            }
            attempt += 1;
            std::thread::sleep(wait);
            wait = wait.saturating_mul(2);
        }
    }

    fn attempt(&self, path: &str, to: &Path, have: u64, bytes_max: u64) -> Result<bool, Missed> {
        let mut request = self.agent.get(format!("{}/{path}", self.address));
        if have > 0 {
            request = request.header("range", format!("bytes={have}-"));
        }
        let answer = request.call().map_err(|error| Missed {
            why: web::why(&error),
            may_pass: true,
        })?;
        let status = answer.status().as_u16();
        let range = answer.headers().get("content-range");
        let range = range.and_then(|range| range.to_str().ok());
        let range = range.unwrap_or_default().to_owned();
        match status {
            200 => self.write(answer, to, 0, bytes_max),
            206 if have > 0 && range.starts_with(&format!("bytes {have}-")) => {
                self.write(answer, to, have, bytes_max)
            }
            416 if have > 0 && range == format!("bytes */{have}") => Ok(true),
            // Shorter than it was: what there is of it is fetched whole, and judged.
            416 if have > 0 => self.attempt(path, to, 0, bytes_max),
            404 | 410 => Ok(false),
            status => Err(Missed {
                why: format!("the server answered {status}"),
                may_pass: web::may_pass(status),
            }),
        }
    }

    /// Writes the body of an answer into a file, from `start` on, and no more than is allowed.
    fn write(
        &self,
        answer: Response<ureq::Body>,
        to: &Path,
        start: u64,
        bytes_max: u64,
    ) -> Result<bool, Missed> {
        let here = |error: io::Error| Missed::here(&error);
        let mut options = File::options();
        let file = options.write(true).create(true).truncate(false).open(to);
        let mut file = file.map_err(here)?;
        file.set_len(start).map_err(here)?;
        file.seek(SeekFrom::Start(start)).map_err(here)?;
        let left = self.bytes_left.load(Ordering::Relaxed);
        let may = bytes_max.saturating_sub(start).min(left);
        // One byte more than allowed tells what is too long from what just fits.
        let body = answer.into_body().into_with_config();
        let body = body.limit(u64::MAX).reader();
        let copied = io::copy(&mut io::Read::take(body, may.saturating_add(1)), &mut file);
        let copied = copied.map_err(|error| Missed {
            why: format!("it was cut off: {}", error.kind()),
            may_pass: true,
        })?;
        if copied > may {
            let why = format!("it is longer than the {may} bytes that are allowed");
            let may_pass = false;
            return Err(Missed { why, may_pass });
        }
        let less = |left: u64| Some(left.saturating_sub(copied));
        let (set, read) = (Ordering::Relaxed, Ordering::Relaxed);
        let _always = self.bytes_left.fetch_update(set, read, less);
        file.sync_all().map_err(here)?;
        Ok(true)
    }

    fn unfetched(&self, why: &str) -> Fault {
        let message = format!("the export at {} cannot be fetched: {why}", self.address);
        Fault::new(code::MONITOR_FETCH, message)
    }
}

impl Source for Mirror {
    fn read(&self, path: &str, range: Range<u64>, out: &mut Vec<u8>) -> Result<bool, SourceError> {
        match self.find(path) {
            Ok(Some(folder)) => Directory::new(folder).read(path, range, out),
            Ok(None) => Ok(false),
            Err(missed) => Err(SourceError {
                path: path.to_owned(),
                error: io::Error::other(missed.why),
            }),
        }
    }
}

/// How long a file may be that is fetched when it is asked for; `None`: no such file is.
fn bytes_max(path: &str) -> Option<u64> {
    if let Ok(tile) = Tile::from_path(path) {
        let each = match tile.kind() {
            TileKind::Entries => ENTRY_BYTES_MAX + 2,
            TileKind::Hashes(_) => HASH_BYTES,
        };
        return u64::try_from(usize::from(tile.width()).saturating_mul(each)).ok();
    }
    let digest = path.strip_prefix("blobs/")?;
    Digest::parse(digest).ok().map(|_| BLOB_BYTES_MAX)
}

/// Whether a file can never change.
fn is_fixed(path: &str) -> bool {
    match Tile::from_path(path) {
        Ok(tile) => !tile.is_partial(),
        Err(_) => bytes_max(path).is_some(),
    }
}

fn remove(folder: &Path) -> Result<(), Fault> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(refused(folder, &error)),
        _ => Ok(()),
    }
}

fn refused(path: &Path, error: &io::Error) -> Fault {
    let what = format!("cannot use `{}`", path.display());
    Fault::of(code::CLI_OUTPUT, error).while_doing(&what)
}
