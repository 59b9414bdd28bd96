//! What a writer does while a reader is in the middle of opening the book.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "tests stop at the first surprise"
)]

mod common;

use std::fmt::{self, Debug};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use common::{Count, Running, options};
use paygod_store::{Access, Book, DirLock, Disk, DiskFile, Options, RealDisk};

type Meddling = Box<dyn FnMut() + Send>;

/// A disk on which something else happens before the n-th reading of a segment, and before each after it.
struct Meddled {
    before: u32,
    readings: AtomicU32,
    meddling: Mutex<Meddling>,
}

#[derive(Clone, Debug)]
struct Shared(Arc<Meddled>);

impl Debug for Meddled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Meddled")
    }
}

#[derive(Debug)]
struct File {
    file: Arc<dyn DiskFile>,
    meddled: Option<Arc<Meddled>>,
}

impl DiskFile for File {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        if let Some(meddled) = &self.meddled
            && meddled.readings.fetch_add(1, Ordering::Relaxed) + 1 >= meddled.before
        {
            (meddled.meddling.lock().unwrap())();
        }
        self.file.read_at(buf, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
}

impl Disk for Shared {
    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn DiskFile>> {
        let segment = path.extension().is_some_and(|end| end == "seg");
        Ok(Arc::new(File {
            file: RealDisk.open(path, access)?,
            meddled: segment.then(|| Arc::clone(&self.0)),
        }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealDisk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        RealDisk.list(dir)
    }

    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        RealDisk.create_dir(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        RealDisk.sync_dir(dir)
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn DirLock>>> {
        RealDisk.lock(path)
    }
}

#[test]
fn what_is_written_while_a_reader_looks_is_no_damage() {
    for before in 1..8 {
        let folder = tempfile::tempdir().unwrap();
        let book = folder.path().join("book");
        let tables = Options::default();
        let real = Options {
            segment_bytes: 1 << 20,
            background: true,
            index_table_keys: tables.index_table_keys,
            history_table_touches: tables.history_table_touches,
            ..options(Arc::new(RealDisk))
        };
        let mut running = Running::create(&book, &real).unwrap();
        // Into a segment that is filled with zeros ahead.
        while std::fs::read_dir(book.join("segments")).unwrap().count() < 3 {
            running.commit(500, false).unwrap();
        }
        running.publish().unwrap();
        let size = running.book.reader.size();
        let running = Arc::new(Mutex::new(running));
        let writer = Arc::clone(&running);
        let meddling = Box::new(move || {
            let mut running = writer.lock().unwrap();
            for _ in 0..3 {
                running.commit(2, false).unwrap();
            }
            running.publish().unwrap();
        });
        let disk = Shared(Arc::new(Meddled {
            before,
            readings: AtomicU32::new(0),
            meddling: Mutex::new(meddling),
        }));
        let read_only = Options {
            disk: Arc::new(disk),
            ..real
        };
        let mut state = Count::default();
        let read = Book::open_read_only(&book, &read_only, &mut state).unwrap();
        assert!(read.reader.size() >= size, "before reading {before}");
        assert_eq!(state.applied, read.reader.size());
        Book::scrub(&read.reader).unwrap();
    }
}
