//! Handles of a folder's numbered files. A book has more files than a process may have open (1,024 on many
//! systems), so they are opened when they are read, and those that were not read for long are closed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use crate::disk::{Access, Dir, OpenFile};
use crate::error::IoFault;

/// How many files of a folder are open at once: two folders' worth leave half of 1,024 to everything else.
pub(crate) const HANDLES_MAX: usize = 256;

/// The open files of a folder.
#[derive(Debug)]
pub(crate) struct Handles {
    dir: Dir,
    access: Access,
    name_of: fn(u64) -> String,
    /// The one that had not got its name when the folder was opened, read-only: another process may give it that at any
    /// moment, so it cannot be opened again.
    unnamed: Option<(u64, OpenFile)>,
    /// By number.
    open: RwLock<Vec<Handle>>,
    /// Files opened so far.
    opened: AtomicU64,
}

#[derive(Debug)]
struct Handle {
    number: u64,
    file: OpenFile,
    /// How many had been opened when it was asked for last.
    used: AtomicU64,
}

impl Handles {
    pub(crate) fn new(
        dir: Dir,
        access: Access,
        name_of: fn(u64) -> String,
        unnamed: Option<(u64, OpenFile)>,
    ) -> Self {
        Self {
            dir,
            access,
            name_of,
            unnamed,
            open: RwLock::default(),
            opened: AtomicU64::new(0),
        }
    }

    pub(crate) const fn dir(&self) -> &Dir {
        &self.dir
    }

    /// The file with this number, if it is the one without a name.
    pub(crate) fn unnamed(&self, number: u64) -> Option<&OpenFile> {
        let (of, file) = self.unnamed.as_ref()?;
        (*of == number).then_some(file)
    }

    /// The file with this number; `None` if there is none.
    pub(crate) fn file(&self, number: u64) -> Result<Option<OpenFile>, IoFault> {
        if let Some(file) = self.unnamed(number) {
            return Ok(Some(file.clone()));
        }
        {
            let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
            let place = open.binary_search_by_key(&number, |handle| handle.number);
            if let Some(handle) = place.ok().and_then(|place| open.get(place)) {
                let now = self.opened.load(Ordering::Relaxed);
                handle.used.store(now, Ordering::Relaxed);
                return Ok(Some(handle.file.clone()));
            }
        }
        let name = (self.name_of)(number);
        let Some(file) = self.dir.open_if_present(&name, self.access)? else {
            return Ok(None);
        };
        let now = self.opened.fetch_add(1, Ordering::Relaxed);
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        if open.len() >= HANDLES_MAX {
            let used = |handle: &Handle| handle.used.load(Ordering::Relaxed);
            let places = open.iter().enumerate();
            // Whoever is reading it has a handle of their own.
            if let Some((oldest, _)) = places.min_by_key(|(_, handle)| used(handle)) {
                open.remove(oldest);
            }
        }
        if let Err(place) = open.binary_search_by_key(&number, |handle| handle.number) {
            let handle = Handle {
                number,
                file: file.clone(),
                used: AtomicU64::new(now),
            };
            open.insert(place, handle);
        }
        Ok(Some(file))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::disk::RealDisk;

    #[test]
    fn those_not_read_for_long_are_closed_and_opened_again() {
        let folder = tempfile::tempdir().unwrap();
        let dir = Dir::new(Arc::new(RealDisk), folder.path().to_path_buf());
        let name_of = |number: u64| format!("{number}.file");
        let files = u64::try_from(HANDLES_MAX * 2).unwrap();
        for number in 0..files {
            let bytes = number.to_le_bytes();
            dir.replace(&name_of(number), &[&bytes]).unwrap();
        }
        let handles = Handles::new(dir, Access::Read, name_of, None);
        for number in (0..files).chain((0..files).rev()) {
            for number in [number, 7] {
                let mut bytes = [0_u8; 8];
                let file = handles.file(number).unwrap().unwrap();
                file.read_exact_at(&mut bytes, 0).unwrap();
                assert_eq!(bytes, number.to_le_bytes());
            }
            let open = handles.open.read().unwrap();
            assert!(open.len() <= HANDLES_MAX);
            assert!(open.is_sorted_by_key(|handle| handle.number));
        }
        // The first is read all the time: it was opened twice at most, before that began.
        let opened = handles.opened.load(Ordering::Relaxed);
        let others = (files - 1) + (files - u64::try_from(HANDLES_MAX).unwrap());
        assert!(opened <= others + 2, "{opened} and {others}");
        assert!(handles.file(files).unwrap().is_none());
    }
}
