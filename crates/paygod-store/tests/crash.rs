//! Power fails, disks fill and flushes fail at every single operation of a short life of a book.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    reason = "tests stop at the first surprise"
)]

mod common;

use std::sync::Arc;

use common::{Count, ERASED, Fallible, Running, entry, input, options, path};
use paygod_store::fault::{Fault, FaultDisk};
use paygod_store::{Book, DataKey, EntryBuf, Group, VaultError};
use paygod_types::Seq;

/// What the world was told.
#[derive(Debug, Default)]
struct Told {
    created: bool,
    acknowledged: u64,
    submitted: u64,
    published: u64,
    erased: bool,
}

/// A life with several segments, inputs, checkpoints, a snapshot and a clean reopening in the middle.
fn live(disk: &FaultDisk, told: &mut Told) -> Fallible<()> {
    let options = options(Arc::new(disk.clone()));
    let mut running = Running::create(&path(), &options)?;
    told.created = true;
    for step in 0..14_u64 {
        if step == 7 {
            drop(running);
            running = Running::open(&path(), &options)?;
        }
        let count = step % 4 + 1;
        told.submitted += count;
        running.commit(count, step % 3 == 0)?;
        told.acknowledged += count;
        if step % 4 == 1 {
            running.publish()?;
            told.published = told.acknowledged;
        }
        if step == 5 || step == 9 || step == 11 {
            running.snapshot()?;
        }
        if step == 10 {
            let (seq, reference) = running.inputs[0];
            assert_eq!(seq, ERASED);
            running.book.vault.erase(reference)?;
            told.erased = true;
        }
    }
    Ok(())
}

fn operations() -> u64 {
    let disk = FaultDisk::new();
    live(&disk, &mut Told::default()).unwrap();
    println!("{} operations", disk.operations());
    disk.operations()
}

fn check_after(disk: &FaultDisk, told: &Told, what: &str) {
    let options = options(Arc::new(disk.clone()));
    let mut running = match Running::open(&path(), &options) {
        Ok(running) => running,
        Err(fault) if !told.created => {
            // The making was interrupted: it can be made now.
            Running::create(&path(), &options)
                .unwrap_or_else(|second| panic!("{what}: {fault}; then {second}"))
        }
        Err(fault) => panic!("{what}: {fault}; told {told:?}"),
    };
    let size = running.book.reader.size();
    assert!(
        size >= told.acknowledged,
        "{what}: {size} entries, told {told:?}"
    );
    assert!(
        size <= told.submitted,
        "{what}: {size} entries, told {told:?}"
    );
    running.check();
    if told.erased {
        let mut buf = EntryBuf::default();
        let reference = running
            .book
            .reader
            .entry(Seq(ERASED), &mut buf)
            .unwrap()
            .input
            .unwrap();
        let found = running.book.vault.load(reference).unwrap_err();
        assert!(
            matches!(found, VaultError::Erased { .. }),
            "{what}: {found}"
        );
    }
    let published = running
        .book
        .checkpoints
        .last_head()
        .map_or(0, |head| head.size);
    assert!(
        published >= told.published,
        "{what}: checkpoint {published}, told {told:?}"
    );
    for count in [3, 1, 4] {
        running.commit(count, false).unwrap();
    }
    running.publish().unwrap();
    drop(running);
    let running = Running::open(&path(), &options).unwrap();
    assert_eq!(running.book.reader.size(), size + 8);
    running.check();
}

#[test]
fn power_loss_at_any_operation_loses_nothing_acknowledged() {
    for at in 1..=operations() {
        let disk = FaultDisk::new();
        disk.plan(at, Fault::PowerLoss);
        let mut told = Told::default();
        live(&disk, &mut told).unwrap_err();
        for seed in 0..3 {
            check_after(
                &disk.crash(seed * 1000 + at),
                &told,
                &format!("at {at}, seed {seed}"),
            );
        }
    }
}

#[test]
fn a_failed_operation_stops_the_writer_and_a_reopening_heals_it() {
    for fault in [Fault::DiskFull, Fault::InputOutput] {
        for at in 1..=operations() {
            let disk = FaultDisk::new();
            disk.plan(at, fault);
            let mut told = Told::default();
            let stopped = live(&disk, &mut told).is_err();
            disk.heal();
            let what = format!("{fault:?} at {at}, stopped {stopped}");
            // First without a crash, as a process that opens the book again; then with one.
            let crashed = disk.crash(at);
            check_after(&disk, &told, &what);
            check_after(&crashed, &told, &format!("{what}, crashed"));
        }
    }
}

#[test]
fn files_whose_names_a_crash_has_lost_are_known_by_their_heads() {
    let disk = FaultDisk::new();
    let mut running = Running::create(&path(), &options(Arc::new(disk.clone()))).unwrap();
    let mut lost = 0;
    for _ in 0..12 {
        let first = running.book.writer.next_seq().get();
        let sealed = running
            .book
            .vault
            .seal(&DataKey::draw(1).unwrap()[0], &input(first))
            .unwrap();
        let reference = running.book.vault.store(&[sealed]).unwrap()[0];
        let mut group = Group::new(Seq(first));
        for seq in first..first + 2 {
            let reference = (seq == first).then_some(reference);
            group.push(&entry(seq), reference).unwrap();
        }
        running.book.writer.commit(&group).unwrap();
        for seed in 0..16 {
            let after = disk.crash(seed);
            let unnamed = after.files();
            lost += u32::from(unnamed.iter().any(|file| file.ends_with("next.prefilled")));
            let options = options(Arc::new(after));
            let read = Book::open_read_only(&path(), &options, &mut Count::default()).unwrap();
            assert_eq!(read.reader.size(), first + 2, "seed {seed}");
            assert_eq!(*read.vault.load(reference).unwrap().bytes, input(first));
            let running = Running::open(&path(), &options).unwrap();
            running.check();
            let opened = running.book.vault.load(reference).unwrap();
            assert_eq!(*opened.bytes, input(first));
        }
    }
    assert!(lost > 20, "{lost}");
}
