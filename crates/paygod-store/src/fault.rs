//! A disk in memory that fails, tears and forgets on demand: for tests, of this crate and of those
//! that build on it.
//!
//! It keeps apart what was written and what is durable. Each write, flush, change of length, rename,
//! removal and making of a file counts as one operation; a [`Fault`] says what happens at the n-th.
//! [`FaultDisk::crash`] gives the disk as a machine that lost power would find it: unflushed writes
//! survive whole, in part or not at all, sector by sector, as its seed decides; unflushed names come
//! back in the order of a journal, cut anywhere.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::disk::{Access, DirLock, Disk, DiskFile, PAGE_BYTES};
use crate::width::{to_u64, to_usize};

/// What a sector of a torn write is, in bytes.
const SECTOR_BYTES: usize = 512;

/// What happens at an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The power fails: it and everything after it fails, and nothing of it is done.
    PowerLoss,
    /// It fails, as on a full disk; a write has written its first half.
    DiskFull,
    /// It fails with an input/output error. After a failed flush, what was not durable is forgotten
    /// by a crash, though it can still be read.
    InputOutput,
}

#[derive(Debug, Default, Clone)]
struct Contents {
    /// What a reader sees.
    seen: Vec<u8>,
    /// What a crash leaves for certain.
    durable: Vec<u8>,
    /// Changed since the last flush, in order.
    pending: Vec<Change>,
}

#[derive(Debug, Clone)]
enum Change {
    Write(u64, Vec<u8>),
    Length(u64),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write(offset, new) => write_into(bytes, *offset, new),
            Self::Length(len) => bytes.resize(to_usize(*len), 0),
        }
    }
}

type FileId = u64;

#[derive(Debug, Clone)]
enum NameChange {
    Link(PathBuf, FileId),
    Unlink(PathBuf),
    Rename(PathBuf, PathBuf),
}

#[derive(Debug, Default)]
struct State {
    files: BTreeMap<FileId, Contents>,
    names: BTreeMap<PathBuf, FileId>,
    durable_names: BTreeMap<PathBuf, FileId>,
    pending_names: Vec<NameChange>,
    next_id: FileId,
    operations: u64,
    plan: Option<(u64, Fault)>,
    dead: bool,
    locked: bool,
}

/// The disk. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct FaultDisk {
    state: Arc<Mutex<State>>,
}

impl State {
    /// Counts an operation and says what goes wrong with it.
    fn operate(&mut self) -> Result<(), (Fault, io::Error)> {
        if self.dead {
            return Err((Fault::PowerLoss, io::Error::other("the power has failed")));
        }
        self.operations = self.operations.saturating_add(1);
        let Some((at, fault)) = self.plan else {
            return Ok(());
        };
        if self.operations != at {
            return Ok(());
        }
        let error = match fault {
            Fault::PowerLoss => {
                self.dead = true;
                io::Error::other("the power fails")
            }
            Fault::DiskFull => io::Error::from(io::ErrorKind::StorageFull),
            Fault::InputOutput => io::Error::other("the disk reports an error"),
        };
        Err((fault, error))
    }

    fn simple(&mut self) -> io::Result<()> {
        self.operate().map_err(|(_, error)| error)
    }

    fn change_name(&mut self, change: NameChange) {
        apply_name(&mut self.names, &change);
        self.pending_names.push(change);
    }
}

fn apply_name(names: &mut BTreeMap<PathBuf, FileId>, change: &NameChange) {
    match change {
        NameChange::Link(path, id) => {
            names.insert(path.clone(), *id);
        }
        NameChange::Unlink(path) => {
            names.remove(path);
        }
        NameChange::Rename(from, to) => {
            if let Some(id) = names.remove(from) {
                names.insert(to.clone(), id);
            }
        }
    }
}

fn write_into(bytes: &mut Vec<u8>, offset: u64, new: &[u8]) {
    let start = to_usize(offset);
    let end = start.saturating_add(new.len());
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    if let Some(slot) = bytes.get_mut(start..end) {
        slot.copy_from_slice(new);
    }
}

/// A small generator of pseudo-random numbers (splitmix64): the same seed, the same crash.
#[derive(Debug)]
struct Chance(u64);

impl Chance {
    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    const fn below(&mut self, limit: u64) -> u64 {
        if limit == 0 { 0 } else { self.next() % limit }
    }
}

impl FaultDisk {
    /// An empty disk without faults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets `fault` happen at the `at`-th operation from now on, counted from one.
    pub fn plan(&self, at: u64, fault: Fault) {
        let mut state = self.state();
        let at = state.operations.saturating_add(at);
        state.plan = Some((at, fault));
    }

    /// Nothing fails from now on. After [`Fault::PowerLoss`] it is as if only the process had been killed:
    /// what it wrote can be read, and may not be durable.
    pub fn heal(&self) {
        let mut state = self.state();
        state.plan = None;
        state.dead = false;
    }

    /// How many operations there were.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// The disk after a loss of power, without faults.
    #[must_use]
    pub fn crash(&self, seed: u64) -> Self {
        let state = self.state();
        let mut chance = Chance(seed);
        let files = state
            .files
            .iter()
            .map(|(id, contents)| (*id, survive(contents, &mut chance)));
        let files: BTreeMap<_, _> = files.collect();
        let mut names = state.durable_names.clone();
        let kept = chance.below(to_u64(state.pending_names.len()).saturating_add(1));
        for change in state.pending_names.iter().take(to_usize(kept)) {
            apply_name(&mut names, change);
        }
        let after = State {
            files,
            durable_names: names.clone(),
            names,
            next_id: state.next_id,
            ..State::default()
        };
        Self {
            state: Arc::new(Mutex::new(after)),
        }
    }

    /// Changes a byte of a file behind the store's back.
    ///
    /// # Errors
    /// There is no such file or byte.
    pub fn flip(&self, path: &Path, offset: u64) -> io::Result<()> {
        let mut state = self.state();
        let id = *state.names.get(path).ok_or(io::ErrorKind::NotFound)?;
        let contents = state.files.get_mut(&id).ok_or(io::ErrorKind::NotFound)?;
        let at = to_usize(offset);
        let byte = contents
            .seen
            .get_mut(at)
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        *byte ^= 0x10;
        // What was not flushed is not there to be changed.
        if let Some(byte) = contents.durable.get_mut(at) {
            *byte ^= 0x10;
        }
        Ok(())
    }

    /// The paths of all files, in order.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        self.state().names.keys().cloned().collect()
    }
}

/// What a crash leaves of a file.
fn survive(contents: &Contents, chance: &mut Chance) -> Contents {
    let mut bytes = contents.durable.clone();
    for change in &contents.pending {
        match (chance.below(3), change) {
            (0, _) => {}
            (1, change) | (_, change @ Change::Length(_)) => change.apply(&mut bytes),
            (_, Change::Write(offset, write)) => {
                let mut at = *offset;
                for sector in write.chunks(SECTOR_BYTES) {
                    if chance.below(2) == 0 {
                        write_into(&mut bytes, at, sector);
                    }
                    at = at.saturating_add(to_u64(sector.len()));
                }
            }
        }
    }
    Contents {
        seen: bytes.clone(),
        durable: bytes,
        ..Contents::default()
    }
}

#[derive(Debug)]
struct FaultFile {
    disk: FaultDisk,
    id: FileId,
    access: Access,
}

impl FaultFile {
    fn with<T>(&self, act: impl FnOnce(&mut Contents) -> T) -> io::Result<T> {
        let mut state = self.disk.state();
        let contents = state
            .files
            .get_mut(&self.id)
            .ok_or(io::ErrorKind::NotFound)?;
        Ok(act(contents))
    }

    fn writable(&self) -> io::Result<()> {
        match self.access {
            Access::Read => Err(io::ErrorKind::PermissionDenied.into()),
            _ => Ok(()),
        }
    }

    fn takes(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let pages = to_u64(bytes.len()) | offset;
        if self.access.is_past_cache() && !pages.is_multiple_of(to_u64(PAGE_BYTES)) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        self.writable()
    }
}

impl DiskFile for FaultFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.with(|contents| {
            let from = contents.seen.get(to_usize(offset)..).unwrap_or(&[]);
            let count = from.len().min(buf.len());
            for (to, from) in buf.iter_mut().zip(from) {
                *to = *from;
            }
            count
        })
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.takes(bytes, offset)?;
        let outcome = self.disk.state().operate();
        let written = match &outcome {
            Ok(()) => bytes,
            Err((Fault::PowerLoss, _)) => &[],
            Err(_) => bytes.split_at(bytes.len() / 2).0,
        };
        // Power that fails during a write may leave any part of it.
        let pending = if matches!(outcome, Err((Fault::PowerLoss, _))) {
            bytes
        } else {
            written
        };
        self.with(|contents| {
            write_into(&mut contents.seen, offset, written);
            contents
                .pending
                .push(Change::Write(offset, pending.to_vec()));
        })?;
        outcome.map_err(|(_, error)| error)
    }

    fn sync(&self) -> io::Result<()> {
        let outcome = self.disk.state().operate();
        self.with(|contents| match &outcome {
            Ok(()) => {
                for change in std::mem::take(&mut contents.pending) {
                    change.apply(&mut contents.durable);
                }
            }
            // The operating system drops what it could not write and thinks the pages clean.
            Err((Fault::InputOutput | Fault::DiskFull, _)) => contents.pending.clear(),
            Err((Fault::PowerLoss, _)) => {}
        })?;
        outcome.map_err(|(_, error)| error)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.writable()?;
        self.disk.state().simple()?;
        self.with(|contents| {
            contents.seen.resize(to_usize(len), 0);
            contents.pending.push(Change::Length(len));
        })
    }

    fn len(&self) -> io::Result<u64> {
        self.with(|contents| to_u64(contents.seen.len()))
    }
}

#[derive(Debug)]
struct FaultLock(FaultDisk);

impl DirLock for FaultLock {}

impl Drop for FaultLock {
    fn drop(&mut self) {
        self.0.state().locked = false;
    }
}

impl Disk for FaultDisk {
    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.state();
        let file = |id| {
            Arc::new(FaultFile {
                disk: self.clone(),
                id,
                access,
            })
        };
        match state.names.get(path).copied() {
            Some(id) => {
                if matches!(access, Access::CreateAnew | Access::CreatePastCache) {
                    state.simple()?;
                    if let Some(contents) = state.files.get_mut(&id) {
                        contents.seen.clear();
                        contents.pending.push(Change::Length(0));
                    }
                }
                Ok(file(id))
            }
            None if matches!(
                access,
                Access::Read | Access::Write | Access::WritePastCache
            ) =>
            {
                Err(io::ErrorKind::NotFound.into())
            }
            None => {
                state.simple()?;
                let id = state.next_id;
                state.next_id = id.saturating_add(1);
                state.files.insert(id, Contents::default());
                state.change_name(NameChange::Link(path.to_path_buf(), id));
                Ok(file(id))
            }
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.simple()?;
        if !state.names.contains_key(from) {
            return Err(io::ErrorKind::NotFound.into());
        }
        state.change_name(NameChange::Rename(from.to_path_buf(), to.to_path_buf()));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.simple()?;
        if !state.names.contains_key(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        state.change_name(NameChange::Unlink(path.to_path_buf()));
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let state = self.state();
        let names = state.names.keys().filter_map(|path| {
            let rest = path.strip_prefix(dir).ok()?;
            rest.components()
                .next()?
                .as_os_str()
                .to_str()
                .map(str::to_owned)
        });
        let mut names: Vec<String> = names.collect();
        names.dedup();
        Ok(names)
    }

    fn create_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.simple()?;
        // A journal makes all changes of names before this one durable, wherever they are.
        let changes = std::mem::take(&mut state.pending_names);
        for change in &changes {
            apply_name(&mut state.durable_names, change);
        }
        Ok(())
    }

    fn lock(&self, _: &Path) -> io::Result<Option<Box<dyn DirLock>>> {
        let mut state = self.state();
        if state.locked {
            return Ok(None);
        }
        state.locked = true;
        Ok(Some(Box::new(FaultLock(self.clone()))))
    }
}
