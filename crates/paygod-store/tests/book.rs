//! What an operator meets: damage, full and read-only disks, two writers, backups and exports.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    reason = "tests stop at the first surprise"
)]

mod common;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use common::{Count, Running, check_read, entry, input, options, path};
use paygod_store::fault::{Fault, FaultDisk};
use paygod_store::{
    Book, CommitError, Corruption, DataKey, EntryBuf, FileKek, Group, LogReader, OpenError,
    Options, ReadError, RealDisk, VaultError, restore,
};
use paygod_tlog::{Tile, bundle, leaf_hash, tree_root};
use paygod_types::{Digest, Seq, code};

fn filled(disk: &FaultDisk, groups: u64) -> Running {
    let mut running = Running::create(&path(), &options(Arc::new(disk.clone()))).unwrap();
    for group in 0..groups {
        running.commit(group % 4 + 1, group % 5 == 0).unwrap();
    }
    running
}

fn open(disk: &FaultDisk) -> Result<Running, OpenError> {
    Running::open(&path(), &options(Arc::new(disk.clone())))
}

/// Where the record of an entry begins: its file, and its offset in it.
fn place(disk: &FaultDisk, seq: u64) -> (PathBuf, u64) {
    let firsts: Vec<u64> = disk
        .files()
        .iter()
        .filter(|file| file.extension().is_some_and(|end| end == "seg"))
        .map(|file| file.file_stem().unwrap().to_str().unwrap().parse().unwrap())
        .collect();
    let first = *firsts.iter().rev().find(|first| **first <= seq).unwrap();
    let before: usize = (first..seq).map(|seq| 24 + entry(seq).len()).sum();
    (
        path().join(format!("segments/{first:020}.seg")),
        4096 + u64::try_from(before).unwrap(),
    )
}

#[test]
fn a_flipped_bit_in_the_last_segment_is_refused_with_its_entry() {
    let disk = FaultDisk::new();
    let running = filled(&disk, 30);
    let size = running.book.reader.size();
    drop(running);
    let (_, _) = place(&disk, size - 1);
    // The third entry before the end belongs to an earlier group than the last.
    let seq = size - 6;
    let (file, offset) = place(&disk, seq);
    assert_eq!(
        file,
        place(&disk, size - 1).0,
        "the test wants both in the last segment"
    );
    disk.flip(&file, offset + 40).unwrap();
    match open(&disk).unwrap_err() {
        OpenError::Corrupt(Corruption { seq: found, .. }) => assert_eq!(found, seq),
        other => panic!("{other}"),
    }
}

#[test]
fn a_flipped_bit_in_an_old_segment_is_noticed_by_reading_and_by_scrubbing() {
    let disk = FaultDisk::new();
    let mut running = filled(&disk, 30);
    running.snapshot().unwrap();
    let (file, offset) = place(&disk, 3);
    disk.flip(&file, offset + 30).unwrap();
    let mut buf = EntryBuf::default();
    let fault = running.book.reader.entry(Seq(3), &mut buf).unwrap_err();
    assert_eq!(fault.code(), code::STORE_CORRUPT);
    match Book::scrub(&running.book.reader).unwrap_err() {
        ReadError::Corrupt(Corruption { seq, .. }) => assert_eq!(seq, 3),
        other => panic!("{other}"),
    }
    assert!(running.book.reader.entry(Seq(2), &mut buf).is_ok());
}

#[test]
fn a_removed_segment_is_refused() {
    let disk = FaultDisk::new();
    drop(filled(&disk, 30));
    let (second, _) = place(&disk, 30);
    paygod_store::Disk::remove(&disk, &second).unwrap();
    assert_eq!(open(&disk).unwrap_err().code(), code::STORE_CORRUPT);
}

#[test]
fn a_book_behind_its_checkpoint_is_refused() {
    let disk = FaultDisk::new();
    let mut running = filled(&disk, 8);
    running.publish().unwrap();
    let size = running.book.reader.size();
    drop(running);
    let (file, offset) = place(&disk, size - 1);
    // The last record goes as if it had never been written.
    let handle = paygod_store::Disk::open(&disk, &file, paygod_store::Access::Write).unwrap();
    handle.set_len(offset).unwrap();
    match open(&disk).unwrap_err() {
        OpenError::BehindCheckpoint { checkpoint, found } => {
            assert_eq!((checkpoint, found), (size, size - 1));
        }
        other => panic!("{other}"),
    }
}

/// Replaces or removes `checkpoint`, as somebody with the folder can.
fn put_checkpoint(disk: &FaultDisk, note: Option<&[u8]>) {
    let file = path().join("checkpoint");
    paygod_store::Disk::remove(disk, &file).unwrap();
    if let Some(note) = note {
        let handle =
            paygod_store::Disk::open(disk, &file, paygod_store::Access::CreateAnew).unwrap();
        handle.write_at(note, 0).unwrap();
    }
}

fn published(disk: &FaultDisk) -> Vec<u8> {
    let file = path().join("checkpoints.log");
    let log = paygod_store::Disk::open(disk, &file, paygod_store::Access::Read).unwrap();
    let mut bytes = vec![0; usize::try_from(log.len().unwrap()).unwrap()];
    log.read_at(&mut bytes, 0).unwrap();
    bytes
}

#[test]
fn an_older_or_no_checkpoint_in_place_of_the_last_makes_the_book_forget_nothing() {
    for kept in [Some(0), Some(2), None] {
        let disk = FaultDisk::new();
        let mut running = filled(&disk, 3);
        let mut notes = Vec::new();
        for _ in 0..5 {
            running.publish().unwrap();
            notes.push(running.book.checkpoints.last().unwrap().to_bytes());
            running.commit(2, false).unwrap();
        }
        drop(running);
        let log = published(&disk);
        put_checkpoint(&disk, kept.map(|index: usize| notes[index].as_slice()));
        let running = open(&disk).unwrap();
        let last = running.book.checkpoints.last().unwrap();
        assert_eq!(last.to_bytes(), notes[4]);
        running.check();
        drop(running);
        assert_eq!(published(&disk), log, "nothing published was cut");
    }
}

#[test]
fn a_book_cut_back_with_its_checkpoint_is_behind_what_it_published() {
    let disk = FaultDisk::new();
    let mut running = filled(&disk, 3);
    running.publish().unwrap();
    let early = running.book.checkpoints.last().unwrap().to_bytes();
    let size = running.book.reader.size();
    for _ in 0..3 {
        running.commit(1, false).unwrap();
        running.publish().unwrap();
    }
    drop(running);
    let (file, offset) = place(&disk, size);
    let handle = paygod_store::Disk::open(&disk, &file, paygod_store::Access::Write).unwrap();
    handle.set_len(offset).unwrap();
    put_checkpoint(&disk, Some(&early));
    match open(&disk).unwrap_err() {
        OpenError::BehindCheckpoint { checkpoint, found } => {
            assert_eq!((checkpoint, found), (size + 3, size));
        }
        other => panic!("{other}"),
    }
}

#[test]
fn an_entry_edited_with_a_right_checksum_disagrees_with_the_checkpoint() {
    let disk = FaultDisk::new();
    let mut running = filled(&disk, 8);
    running.publish().unwrap();
    drop(running);
    let (file, offset) = place(&disk, 2);
    let handle = paygod_store::Disk::open(&disk, &file, paygod_store::Access::Write).unwrap();
    let mut record = vec![0; 24 + entry(2).len()];
    handle.read_at(&mut record, offset).unwrap();
    let at = record.len() - 2;
    record[at] = b'9';
    let covered = [&record[..4], &record[8..]].concat();
    record[4..8].copy_from_slice(&crc32c::crc32c(&covered).to_le_bytes());
    handle.write_at(&record, offset).unwrap();
    let fault = open(&disk).unwrap_err();
    assert_eq!(fault.code(), code::STORE_CHECKPOINT_MISMATCH, "{fault}");
}

#[test]
fn derived_files_are_made_anew_when_they_are_damaged_or_gone() {
    for folder in ["index", "history", "tree", "snapshots", "segments"] {
        for remove in [false, true] {
            let disk = FaultDisk::new();
            let mut running = filled(&disk, 40);
            running.snapshot().unwrap();
            running.commit(3, false).unwrap();
            running.publish().unwrap();
            drop(running);
            let derived = disk.files().into_iter().filter(|file| {
                let folders = file.parent().unwrap().file_name().unwrap().to_str() == Some(folder);
                folders
                    && file
                        .extension()
                        .is_none_or(|end| end != "seg" && end != "prefilled")
            });
            let mut changed = 0;
            for file in derived {
                if remove {
                    changed += 1;
                    paygod_store::Disk::remove(&disk, &file).unwrap();
                } else {
                    // An unfinished file may be shorter; it is no part of the book.
                    changed += u32::from(disk.flip(&file, 20).is_ok());
                }
            }
            assert!(changed > 0, "{folder}");
            let mut state = Count::default();
            let read_only = options(Arc::new(disk.clone()));
            let read = Book::open_read_only(&path(), &read_only, &mut state)
                .unwrap_or_else(|fault| panic!("{folder}, reading: {fault}"));
            check_read(&read, &state);
            let running = open(&disk).unwrap_or_else(|fault| panic!("{folder}: {fault}"));
            running.check();
        }
    }
}

/// A book with a snapshot and four entries more, and how many the snapshot covers.
fn four_behind_a_snapshot(disk: &FaultDisk) -> (Running, u64) {
    let mut running = filled(disk, 20);
    running.snapshot().unwrap();
    let at = running.book.reader.size();
    running.commit(4, true).unwrap();
    (running, at)
}

#[test]
fn a_snapshot_spares_folding_what_it_covers() {
    let disk = FaultDisk::new();
    let (running, at) = four_behind_a_snapshot(&disk);
    drop(running);
    let running = open(&disk).unwrap();
    assert_eq!(running.state.restored_at, Some(at));
    assert_eq!(running.state.applied, 4);
    assert_eq!(running.book.opening.from_snapshot, at);
    running.check();
}

#[test]
fn a_snapshot_that_is_given_up_leaves_nothing_and_the_one_before_serves() {
    let disk = FaultDisk::new();
    let (running, at) = four_behind_a_snapshot(&disk);
    let files = disk.files().len();
    let frontier = running.book.tree.frontier().clone();
    let mut given_up = running.book.snapshots.begin(&frontier).unwrap();
    given_up.push(b"half a state").unwrap();
    assert_eq!(disk.files().len(), files + 1);
    drop(given_up);
    assert_eq!(disk.files().len(), files);
    drop(running);
    let running = open(&disk).unwrap();
    assert_eq!(running.state.restored_at, Some(at));
    running.check();
}

#[test]
fn after_a_failed_flush_the_writer_is_poisoned_and_readers_go_on() {
    let disk = FaultDisk::new();
    let mut running = filled(&disk, 3);
    let size = running.book.reader.size();
    let mut group = Group::new(Seq(size));
    group.push(&entry(size), None).unwrap();
    disk.plan(2, Fault::InputOutput);
    let fault = running.book.writer.commit(&group).unwrap_err();
    assert_eq!(fault.code(), code::STORE_IO);
    assert!(matches!(
        running.book.writer.commit(&group),
        Err(CommitError::Poisoned)
    ));
    assert!(running.book.reader.is_poisoned());
    assert_eq!(running.book.reader.size(), size);
    let mut buf = EntryBuf::default();
    assert_eq!(
        running.book.reader.entry(Seq(0), &mut buf).unwrap().bytes,
        entry(0)
    );
}

#[test]
fn a_full_disk_has_its_own_code_and_works_again_when_there_is_room() {
    let disk = FaultDisk::new();
    let mut running = filled(&disk, 3);
    let size = running.book.reader.size();
    let mut group = Group::new(Seq(size));
    group.push(&entry(size), None).unwrap();
    disk.plan(1, Fault::DiskFull);
    let fault = running.book.writer.commit(&group).unwrap_err();
    assert_eq!(fault.code(), code::STORE_DISK_FULL);
    assert!(fault.to_string().contains("free space"), "{fault}");
    drop(running);
    let mut running = open(&disk).unwrap();
    running.commit(2, true).unwrap();
    running.check();
}

#[test]
fn groups_out_of_order_and_too_large_are_refused_without_poisoning() {
    let disk = FaultDisk::new();
    let mut running = filled(&disk, 2);
    let size = running.book.reader.size();
    let mut wrong = Group::new(Seq(size + 1));
    wrong.push(&entry(size + 1), None).unwrap();
    let fault = running.book.writer.commit(&wrong).unwrap_err();
    assert_eq!(fault.code(), code::STORE_ORDER);
    let mut large = Group::new(Seq(size));
    large.push(&vec![b'x'; 10_000], None).unwrap();
    let fault = running.book.writer.commit(&large).unwrap_err();
    assert_eq!(fault.code(), code::STORE_GROUP_TOO_LARGE);
    running.commit(1, false).unwrap();
}

#[test]
fn an_entry_of_a_wrong_size_does_not_enter_a_group() {
    let mut group = Group::new(Seq(5));
    assert_eq!(
        group.push(b"", None).unwrap_err().code(),
        code::STORE_ENTRY_TOO_LARGE
    );
    let long = vec![b'x'; 65_536];
    assert_eq!(
        group.push(&long, None).unwrap_err().code(),
        code::STORE_ENTRY_TOO_LARGE
    );
    assert_eq!(group.push(&long[1..], None).unwrap(), Seq(5));
    assert_eq!(group.push(b"{}", None).unwrap(), Seq(6));
    assert_eq!(group.entry(Seq(6)).unwrap().0, b"{}");
    assert_eq!(group.len(), 2);
}

#[test]
fn staged_entries_are_seen_by_the_sequencer_only() {
    let disk = FaultDisk::new();
    let mut running = filled(&disk, 2);
    let reader = running.book.reader.clone();
    let size = reader.size();
    let mut group = Group::new(Seq(size));
    group.push(&entry(size), None).unwrap();
    let group = Arc::new(group);
    reader.stage(Arc::clone(&group));
    let mut buf = EntryBuf::default();
    assert_eq!(
        reader.staged_entry(Seq(size), &mut buf).unwrap().bytes,
        entry(size)
    );
    assert_eq!(
        reader.entry(Seq(size), &mut buf).unwrap_err().code(),
        code::STORE_NO_ENTRY
    );
    running.book.writer.commit(&group).unwrap();
    assert_eq!(
        reader.entry(Seq(size), &mut buf).unwrap().bytes,
        entry(size)
    );
    drop(reader);
    assert_eq!(Arc::strong_count(&group), 1, "a committed group is let go");
}

#[test]
fn a_second_writer_is_kept_out_and_a_reader_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(Arc::new(RealDisk));
    let book = folder.path().join("book");
    let mut running = Running::create(&book, &options).unwrap();
    for count in [4, 2, 3] {
        running.commit(count, true).unwrap();
    }
    running.publish().unwrap();
    running.commit(2, false).unwrap();
    let fault = Running::open(&book, &options).unwrap_err();
    assert_eq!(fault.code(), code::STORE_LOCKED);
    let mut state = Count::default();
    let read = Book::open_read_only(&book, &options, &mut state).unwrap();
    assert_eq!((read.reader.size(), state.applied), (11, 11));
    assert_eq!(read.checkpoint.as_ref().unwrap().head().size, 9);
    check_read(&read, &state);
    let refused = read.vault.store(&[read
        .vault
        .seal(&DataKey::draw(1).unwrap()[0], b"x")
        .unwrap()]);
    assert!(refused.is_err());

    // What is copied is what was seen, however far the writer has come.
    running.snapshot().unwrap();
    for count in [4, 3, 4, 2] {
        running.commit(count, true).unwrap();
    }
    running.publish().unwrap();
    check_read(&read, &state);
    let (backup, export) = (folder.path().join("backup"), folder.path().join("export"));
    let report = read.files.backup(&backup, false, &mut |_| {}).unwrap();
    assert_eq!(report.size, 11);
    let report = read.files.export(&export, &mut |_| {}).unwrap();
    assert_eq!(report.size, 9);
    let target = folder.path().join("restored");
    let mut restored = Count::default();
    restore(&backup, &target, &options, &mut restored, &mut |_| {}).unwrap();
    assert_eq!(restored.applied, 11);
    drop(running);
    Running::open(&book, &options).unwrap().check();
}

#[test]
fn a_reader_may_come_at_any_moment_of_a_writer() {
    let folder = tempfile::tempdir().unwrap();
    let book = folder.path().join("book");
    let options = Options {
        background: true,
        ..options(Arc::new(RealDisk))
    };
    let mut running = Running::create(&book, &options).unwrap();
    let done = AtomicBool::new(false);
    let reads = std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let (mut reads, mut before) = (0_u32, 0);
            while !done.load(Ordering::Relaxed) {
                let mut state = Count::default();
                let read = Book::open_read_only(&book, &options, &mut state).unwrap();
                check_read(&read, &state);
                assert!(read.reader.size() >= before);
                before = read.reader.size();
                reads += 1;
            }
            reads
        });
        // Segments are begun, runs merged, snapshots made and removed.
        for group in 0..300 {
            running.commit(group % 4 + 1, group % 5 == 0).unwrap();
            running.publish().unwrap();
            if group % 16 == 0 {
                running.snapshot().unwrap();
            }
        }
        done.store(true, Ordering::Relaxed);
        reader.join().unwrap()
    });
    running.check();
    println!("{reads} readers");
    assert!(reads > 3, "{reads}");
}

#[test]
#[cfg(target_os = "linux")]
fn a_book_has_more_files_than_are_open() {
    let folder = tempfile::tempdir().unwrap();
    let book = folder.path().join("book");
    let tables = Options::default();
    let options = Options {
        index_table_keys: tables.index_table_keys,
        history_table_touches: tables.history_table_touches,
        ..options(Arc::new(RealDisk))
    };
    let mut running = Running::create(&book, &options).unwrap();
    for _ in 0..1_500 {
        running.commit(4, false).unwrap();
    }
    // Each with its marks.
    let files = std::fs::read_dir(book.join("segments")).unwrap().count();
    assert!(files > 2 * 256, "{files}");
    let open = || {
        let handles = std::fs::read_dir("/proc/self/fd").unwrap();
        let files = handles.filter_map(|one| std::fs::read_link(one.unwrap().path()).ok());
        files.filter(|file| file.starts_with(&book)).count()
    };
    assert!(open() < 50, "{}", open());
    Book::scrub(&running.book.reader).unwrap();
    assert!(open() < 350, "{}", open());
    drop(running);
    let running = Running::open(&book, &options).unwrap();
    assert_eq!(running.book.reader.size(), 6_000);
    assert!(open() < 350, "{}", open());
}

#[test]
fn a_book_is_not_made_over_another() {
    let disk = FaultDisk::new();
    drop(filled(&disk, 1));
    let options = options(Arc::new(disk));
    let fault = Running::create(&path(), &options).unwrap_err();
    assert_eq!(fault.code(), code::STORE_OCCUPIED);
    let fault = Running::open(Path::new("/elsewhere"), &options).unwrap_err();
    assert_eq!(fault.code(), code::STORE_NOT_A_BOOK);
}

#[test]
fn an_erased_input_is_gone_and_the_others_are_not() {
    let disk = FaultDisk::new();
    let mut running = filled(&disk, 1);
    running.commit(1, true).unwrap();
    let vault = &running.book.vault;
    let [(_, first), (_, second)] = running.inputs[..] else {
        panic!("two inputs")
    };
    vault.erase(first).unwrap();
    vault.erase(first).unwrap();
    let fault = vault.load(first).unwrap_err();
    assert_eq!(fault.code(), code::VAULT_ERASED);
    assert!(vault.load(second).is_ok());
    // What is written next shares a page with what was erased.
    running.commit(1, true).unwrap();
    let vault = &running.book.vault;
    let fault = vault.load(first).unwrap_err();
    assert_eq!(fault.code(), code::VAULT_ERASED);
    assert!(vault.load(second).is_ok());
}

#[test]
fn an_input_opens_only_unaltered_and_under_its_key() {
    let disk = FaultDisk::new();
    let running = filled(&disk, 1);
    let vault = running.book.vault.clone();
    let key = DataKey::draw(1).unwrap().remove(0);
    let reference = vault
        .store(&[vault.seal(&key, b"a name").unwrap()])
        .unwrap()[0];
    let opened = vault.load(reference).unwrap();
    assert_eq!(*opened.bytes, b"a name");
    assert_eq!(
        opened.key.commitment(b"request"),
        key.commitment(b"request")
    );
    assert_ne!(key.commitment(b"request"), key.commitment(b"another"));
    let other = DataKey::draw(1).unwrap().remove(0);
    assert_ne!(key.commitment(b"request"), other.commitment(b"request"));
    let file = path().join("vault/0000000000.vault");
    let offset = reference.get() & 0xffff_ffff;
    disk.flip(&file, offset + 46).unwrap();
    assert_eq!(
        vault.load(reference).unwrap_err().code(),
        code::VAULT_REFUSED
    );
    drop(running);
    let mut with_another_key = options(Arc::new(disk));
    with_another_key.kek = Some(Arc::new(FileKek::from_bytes(&[8; 32])));
    let running = Running::open(&path(), &with_another_key).unwrap();
    let fault = running.book.vault.load(reference).unwrap_err();
    assert!(matches!(fault, VaultError::Refused { .. }), "{fault}");
    assert!(!format!("{key:?} {opened:?}").contains("name"));
}

#[test]
fn a_blob_is_checked_against_its_digest() {
    let disk = FaultDisk::new();
    let running = filled(&disk, 1);
    let blobs = &running.book.blobs;
    let digest = blobs.put(b"a list").unwrap();
    assert_eq!(digest, Digest::sha256(b"a list"));
    assert_eq!(blobs.get(&digest).unwrap(), b"a list");
    assert_eq!(blobs.list().unwrap(), [digest]);
    disk.flip(&path().join(format!("blobs/{digest}")), 1)
        .unwrap();
    assert_eq!(blobs.get(&digest).unwrap_err().code(), code::STORE_CORRUPT);
    blobs.put(b"a list").unwrap();
    assert_eq!(blobs.get(&digest).unwrap(), b"a list");
    let missing = blobs.get(&Digest::sha256(b"")).unwrap_err();
    assert_eq!(missing.code(), code::STORE_NO_BLOB);
}

#[test]
fn a_backup_of_a_live_book_restores_to_a_prefix_of_it() {
    let disk = FaultDisk::new();
    let mut running = filled(&disk, 12);
    running.publish().unwrap();
    running.book.blobs.put(b"a pack").unwrap();
    running.commit(3, true).unwrap();
    let size = running.book.reader.size();
    let backup = Path::new("/backup");
    let report = running
        .book
        .files
        .backup(backup, false, &mut |_| {})
        .unwrap();
    assert_eq!(report.size, size);
    // The book goes on.
    running.commit(4, true).unwrap();
    let again = running
        .book
        .files
        .backup(backup, false, &mut |_| {})
        .unwrap_err();
    assert_eq!(again.code(), code::STORE_OCCUPIED);
    let mut state = Count::default();
    let target = Path::new("/restored");
    let options = options(Arc::new(disk.clone()));
    drop(running);
    let mut last = None;
    let book = restore(backup, target, &options, &mut state, &mut |progress| {
        last = Some(progress)
    })
    .unwrap();
    assert_eq!(last.map(|progress| progress.done), Some(report.bytes));
    let mut restored = Running {
        book,
        state,
        inputs: Vec::new(),
    };
    assert_eq!(restored.book.reader.size(), size);
    restored.check();
    restored.commit(2, true).unwrap();
    restored.check();
}

#[test]
fn an_altered_or_unfinished_backup_is_refused() {
    let disk = FaultDisk::new();
    let running = filled(&disk, 12);
    let backup = Path::new("/backup");
    running
        .book
        .files
        .backup(backup, false, &mut |_| {})
        .unwrap();
    drop(running);
    let options = options(Arc::new(disk.clone()));
    let file = disk
        .files()
        .into_iter()
        .find(|file| file.starts_with("/backup/segments"))
        .unwrap();
    disk.flip(&file, 4100).unwrap();
    let try_restore = |target: &str| {
        restore(
            backup,
            Path::new(target),
            &options,
            &mut Count::default(),
            &mut |_| {},
        )
        .unwrap_err()
        .code()
    };
    assert_eq!(try_restore("/one"), code::STORE_BACKUP_NOT_WHOLE);
    paygod_store::Disk::remove(&disk, &backup.join("MANIFEST")).unwrap();
    assert_eq!(try_restore("/two"), code::STORE_NOT_A_BACKUP);
}

#[test]
fn a_manifest_of_impossible_lengths_is_refused_not_added_up() {
    let folder = tempfile::tempdir().unwrap();
    let zeros = "0".repeat(64);
    let line = |file: &str| format!("{zeros} {} {file}\n", u64::MAX);
    let listed = [line("checkpoint"), line("checkpoints.log"), line("BOOK")].concat();
    let manifest = format!("paygod backup 1\nsize 1\n{listed}");
    for name in ["MANIFEST", "checkpoint", "checkpoints.log", "BOOK"] {
        std::fs::write(folder.path().join(name), &manifest).unwrap();
    }
    let fault = restore(
        folder.path(),
        &folder.path().join("to"),
        &options(Arc::new(RealDisk)),
        &mut Count::default(),
        &mut |_| {},
    )
    .unwrap_err();
    assert_eq!(fault.code(), code::STORE_BACKUP_NOT_WHOLE, "{fault}");
}

#[test]
fn an_export_holds_the_published_tree_and_nothing_later() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(Arc::new(RealDisk));
    let mut running = Running::create(&folder.path().join("book"), &options).unwrap();
    for _ in 0..150 {
        running.commit(4, false).unwrap();
    }
    let target = folder.path().join("export");
    let early = running.book.files.export(&target, &mut |_| {}).unwrap_err();
    assert_eq!(early.code(), code::STORE_NO_CHECKPOINT);
    running.publish().unwrap();
    running.commit(1, false).unwrap();
    running.book.blobs.put(b"a pack").unwrap();
    let report = running.book.files.export(&target, &mut |_| {}).unwrap();
    assert_eq!(report.size, 600);
    let mut leaves = Vec::new();
    for tile in Tile::row(paygod_tlog::TileKind::Entries, 600) {
        let bytes = std::fs::read(target.join(tile.path())).unwrap();
        for entry in bundle::parse(&bytes, tile.width()).unwrap() {
            leaves.push(leaf_hash(entry));
        }
    }
    assert_eq!(leaves.len(), 600);
    let head = running.book.checkpoints.last_head().unwrap();
    for tile in Tile::row(paygod_tlog::TileKind::Hashes(0), 600) {
        let bytes = std::fs::read(target.join(tile.path())).unwrap();
        let from = usize::try_from(tile.index() * 256).unwrap();
        let hashes = leaves[from..].iter().take(usize::from(tile.width()));
        let expected: Vec<u8> = hashes.flat_map(|hash| hash.to_bytes()).collect();
        assert_eq!(bytes, expected);
    }
    assert_eq!(tree_root(&mut leaves.clone()), head.root);
    let genesis = std::fs::read_to_string(target.join("genesis")).unwrap();
    assert_eq!(
        genesis.trim(),
        Digest::from_bytes(leaves[0].to_bytes()).to_string()
    );
    let log = std::fs::read(target.join("checkpoints.log")).unwrap();
    let notes: Vec<_> = LogReader::new(&log).map(Result::unwrap).collect();
    assert_eq!(notes, [std::fs::read(target.join("checkpoint")).unwrap()]);
    assert_eq!(std::fs::read_dir(target.join("blobs")).unwrap().count(), 1);
}

#[test]
fn the_checkpoint_log_reads_any_bytes_without_a_panic() {
    for bytes in [
        &b"3\nabc"[..],
        b"03\nabc",
        b"4\nabc",
        b"\n",
        b"99999999\n",
        b"-1\n",
        b"3\nabc4\n",
    ] {
        let read: Vec<_> = LogReader::new(bytes).collect();
        let whole = bytes == b"3\nabc";
        assert_eq!(read.iter().all(Result::is_ok), whole, "{bytes:?}");
    }
}

#[test]
fn a_vault_that_lost_inputs_gives_no_place_twice() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("book");
    let options = options(Arc::new(RealDisk));
    let mut running = Running::create(&path, &options).unwrap();
    running.commit(1, true).unwrap();
    running.commit(3, false).unwrap();
    drop(running);
    let first = path.join("vault/0000000000.vault");
    let older = std::fs::read(&first).unwrap();
    let mut running = Running::open(&path, &options).unwrap();
    assert_eq!(running.book.opening.missing_input, None);
    running.commit(2, true).unwrap();
    let (newest, lost) = running.inputs[0];
    drop(running);

    let go_on = |missing: Option<u64>| {
        let read = Book::open_read_only(&path, &options, &mut Count::default()).unwrap();
        assert_eq!(read.opening.missing_input, missing.map(Seq));
        let mut running = Running::open(&path, &options).unwrap();
        assert_eq!(running.book.opening.missing_input, missing.map(Seq));
        running.commit(1, true).unwrap();
        let (seq, reference) = running.inputs[0];
        let vault = running.book.vault.clone();
        // The order to erase what is gone must not touch what came later.
        vault.erase(lost).unwrap();
        assert_eq!(*vault.load(reference).unwrap().bytes, input(seq));
        drop((running, vault));
        let running = Running::open(&path, &options).unwrap();
        assert_eq!(running.book.opening.missing_input, None);
        let opened = running.book.vault.load(reference).unwrap();
        assert_eq!(*opened.bytes, input(seq));
        (seq, reference)
    };
    // An older copy of the file, then none at all.
    std::fs::write(&first, older).unwrap();
    let (second, reference) = go_on(Some(newest));
    assert_ne!(reference, lost);
    for file in std::fs::read_dir(path.join("vault")).unwrap() {
        std::fs::remove_file(file.unwrap().path()).unwrap();
    }
    let (_, last) = go_on(Some(second));
    assert_ne!(last, reference);
    assert_ne!(last, lost);

    // The newest input is further back than anybody looks.
    let mut running = Running::open(&path, &options).unwrap();
    for _ in 0..60 {
        running.commit(20, false).unwrap();
    }
    drop(running);
    std::fs::remove_dir_all(path.join("vault")).unwrap();
    let (_, after) = go_on(None);
    assert!(![lost, reference, last].contains(&after));
}
