//! What a failed flush leaves: bytes that the system shows and the disk does not hold. Opening writes them again before
//! anything is built on them; and what a checkpoint covers is never cut away.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "tests stop at the first surprise"
)]

mod common;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Barrier};

use common::{Count, Running, input, options, path};
use paygod_store::fault::{Fault, FaultDisk};
use paygod_store::{Access, Book, Disk, LogReader, Options, RealDisk};
use paygod_types::code;

/// One segment for all.
fn large(disk: &FaultDisk) -> Options {
    Options {
        segment_bytes: 64 << 20,
        ..options(Arc::new(disk.clone()))
    }
}

/// Short segments, and nothing derived that is written between groups.
fn short(disk: &FaultDisk) -> Options {
    Options {
        index_table_keys: 4_096,
        history_table_touches: 4_096,
        ..options(Arc::new(disk.clone()))
    }
}

fn first_segment() -> PathBuf {
    path().join("segments/00000000000000000000.seg")
}

fn bytes_of(disk: &FaultDisk, path: &Path) -> Vec<u8> {
    let file = disk.open(path, Access::Read).unwrap();
    let mut bytes = vec![0; usize::try_from(file.len().unwrap()).unwrap()];
    file.read_at(&mut bytes, 0).unwrap();
    bytes
}

#[test]
fn a_checkpoint_is_believed_only_once_its_record_is_durable() {
    for fault in [Fault::PowerLoss, Fault::InputOutput] {
        for publish_fails_at in 1..8 {
            for opening_ends_at in 1..40 {
                let disk = FaultDisk::new();
                let mut running = Running::create(&path(), &large(&disk)).unwrap();
                running.commit(3, false).unwrap();
                running.publish().unwrap();
                running.commit(3, false).unwrap();
                disk.plan(publish_fails_at, fault);
                let _published = running.publish();
                drop(running);
                disk.heal();
                disk.plan(opening_ends_at, Fault::PowerLoss);
                let _opened = Running::open(&path(), &large(&disk));
                for seed in 0..4 {
                    let opened = Running::open(&path(), &large(&disk.crash(seed)));
                    opened.unwrap_or_else(|error| {
                        panic!("{fault:?} at {publish_fails_at}, {opening_ends_at}: {error}")
                    });
                }
            }
        }
    }
}

#[test]
fn the_log_of_checkpoints_has_no_hole_after_a_failed_flush() {
    let disk = FaultDisk::new();
    let mut running = Running::create(&path(), &large(&disk)).unwrap();
    running.commit(3, false).unwrap();
    running.publish().unwrap();
    running.commit(3, false).unwrap();
    disk.plan(2, Fault::InputOutput);
    running.publish().unwrap_err();
    drop(running);
    disk.heal();
    let mut running = Running::open(&path(), &large(&disk)).unwrap();
    running.commit(3, false).unwrap();
    running.publish().unwrap();
    drop(running);
    let log = bytes_of(&disk.crash(1), &path().join("checkpoints.log"));
    assert!(LogReader::new(&log).all(|note| note.is_ok()));
}

#[test]
fn a_segment_whose_first_flush_failed_keeps_its_header() {
    let mut failed = 0;
    for at in 1..30 {
        let disk = FaultDisk::new();
        let mut running = Running::create(&path(), &short(&disk)).unwrap();
        for _ in 0..4 {
            running.commit(3, false).unwrap();
        }
        disk.plan(at, Fault::InputOutput);
        let has_failed = (0..12).any(|_| running.commit(3, false).is_err());
        drop(running);
        disk.heal();
        if !has_failed {
            continue;
        }
        failed += 1;
        let mut running = Running::open(&path(), &short(&disk)).unwrap();
        running.commit(1, false).unwrap();
        running.publish().unwrap();
        for seed in 0..6 {
            let opened = Running::open(&path(), &short(&disk.crash(seed)));
            opened.unwrap_or_else(|error| panic!("{at}: {error}"));
        }
    }
    assert!(failed > 10, "{failed}");
}

#[test]
fn a_damaged_group_that_a_checkpoint_covers_is_left_as_it_is() {
    let disk = FaultDisk::new();
    let mut running = Running::create(&path(), &large(&disk)).unwrap();
    running.commit(3, false).unwrap();
    running.commit(2_000, false).unwrap();
    running.publish().unwrap();
    drop(running);
    disk.flip(&first_segment(), 4_396).unwrap();
    let refused = Book::open(&path(), &large(&disk), &mut Count::default()).unwrap_err();
    assert_eq!(refused.code(), code::STORE_CHECKPOINT_MISMATCH);
    disk.flip(&first_segment(), 4_396).unwrap();
    let running = Running::open(&path(), &large(&disk)).unwrap();
    assert_eq!(running.book.reader.size(), 2_003);
}

#[test]
fn an_early_state_of_a_segment_does_not_take_its_place() {
    let disk = FaultDisk::new();
    let mut running = Running::create(&path(), &large(&disk)).unwrap();
    running.commit(3, false).unwrap();
    let early = bytes_of(&disk, &first_segment());
    running.commit(300, false).unwrap();
    running.publish().unwrap();
    drop(running);
    let next = path().join("segments/next.prefilled");
    let copied = disk.open(&next, Access::CreateAnew).unwrap();
    copied.write_at(&early, 0).unwrap();
    copied.sync().unwrap();
    let running = Running::open(&path(), &large(&disk)).unwrap();
    assert_eq!(running.book.reader.size(), 303);
}

#[test]
fn a_vault_file_of_a_number_beyond_all_is_none() {
    for name in ["4294967296", "9999999999"] {
        let disk = FaultDisk::new();
        let mut running = Running::create(&path(), &large(&disk)).unwrap();
        running.commit(1, true).unwrap();
        let (_, first) = running.inputs[0];
        drop(running);
        let stray = path().join(format!("vault/{name}.vault"));
        let stray = disk.open(&stray, Access::CreateAnew).unwrap();
        stray.write_at(&[1], 15).unwrap();
        stray.sync().unwrap();
        let mut running = Running::open(&path(), &large(&disk)).unwrap();
        running.commit(1, true).unwrap();
        let (_, second) = running.inputs[0];
        let vault = &running.book.vault;
        assert_eq!(*vault.load(second).unwrap().bytes, input(1));
        vault.erase(second).unwrap();
        assert_eq!(*vault.load(first).unwrap().bytes, input(0));
    }
}

#[test]
fn a_blob_that_is_stored_again_is_durable() {
    for at in 1..8 {
        let disk = FaultDisk::new();
        let running = Running::create(&path(), &large(&disk)).unwrap();
        disk.plan(at, Fault::InputOutput);
        let _stored = running.book.blobs.put(b"a pack");
        disk.heal();
        let digest = running.book.blobs.put(b"a pack").unwrap();
        for seed in 0..6 {
            let running = Running::open(&path(), &large(&disk.crash(seed))).unwrap();
            running.book.blobs.get(&digest).unwrap();
        }
    }
}

#[test]
fn a_blob_can_be_stored_by_two_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("book");
    let running = Running::create(&path, &options(Arc::new(RealDisk))).unwrap();
    let blobs = &running.book.blobs;
    for round in 0..20_u32 {
        let bytes = round.to_le_bytes().repeat(50_000);
        let together = Barrier::new(2);
        std::thread::scope(|threads| {
            for _ in 0..2 {
                threads.spawn(|| {
                    together.wait();
                    blobs.put(&bytes).unwrap();
                });
            }
        });
    }
}
