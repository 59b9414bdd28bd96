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

use common::{Count, ERASED, Fallible, Running, check_read, entry, input, options, path};
use paygod_store::fault::{Fault, FaultDisk};
use paygod_store::{Book, DataKey, EntryBuf, Group, Options, VaultError};
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

/// How a book is written: groups of a few records within a page, or of many over several.
#[derive(Clone, Copy)]
struct Shape {
    segment_bytes: u64,
    times: u64,
}

const SHAPES: [Shape; 2] = [
    Shape {
        segment_bytes: 4096 + 3000,
        times: 1,
    },
    Shape {
        segment_bytes: 6 * 4096 + 700,
        times: 12,
    },
];

impl Shape {
    fn options(self, disk: &FaultDisk) -> Options {
        let short = options(Arc::new(disk.clone()));
        let times = usize::try_from(self.times).unwrap();
        Options {
            segment_bytes: self.segment_bytes,
            index_table_keys: short.index_table_keys * times,
            history_table_touches: short.history_table_touches * times,
            ..short
        }
    }

    /// The operations that fail in turn: all of a short life, every fifth of a longer one, which takes its time.
    fn failing(self) -> impl Iterator<Item = u64> {
        (1..=operations(self)).step_by(if self.times == 1 { 1 } else { 5 })
    }

    /// The entry whose input is erased: the first that is given one after the reopening.
    const fn erased(self) -> u64 {
        ERASED * self.times
    }
}

/// A life with several segments, inputs, checkpoints, a snapshot and a clean reopening in the middle.
fn live(disk: &FaultDisk, shape: Shape, told: &mut Told) -> Fallible<()> {
    let options = shape.options(disk);
    let mut running = Running::create(&path(), &options)?;
    told.created = true;
    for step in 0..14_u64 {
        if step == 7 {
            drop(running);
            running = Running::open(&path(), &options)?;
        }
        let count = (step % 4 + 1) * shape.times;
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
            assert_eq!(seq, shape.erased());
            running.book.vault.erase(reference)?;
            told.erased = true;
        }
    }
    Ok(())
}

fn operations(shape: Shape) -> u64 {
    let disk = FaultDisk::new();
    live(&disk, shape, &mut Told::default()).unwrap();
    println!("{} operations", disk.operations());
    disk.operations()
}

/// How many entries a reader sees, who changes nothing.
fn shown(options: &Options, what: &str) -> (u64, u64) {
    let mut state = Count::default();
    let read = Book::open_read_only(&path(), options, &mut state)
        .unwrap_or_else(|fault| panic!("{what}: a reader: {fault}"));
    check_read(&read, &state);
    let published = read.checkpoint.map_or(0, |last| last.head().size);
    (read.reader.size(), published)
}

fn check_after(disk: &FaultDisk, shape: Shape, told: &Told, what: &str) {
    let options = shape.options(disk);
    let shown = told.created.then(|| shown(&options, what));
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
    let seen = shown.map_or(size, |(entries, _)| entries);
    assert_eq!(seen, size, "{what}: what a reader saw");
    if told.erased {
        let mut buf = EntryBuf::default();
        let reference = running
            .book
            .reader
            .entry(Seq(shape.erased()), &mut buf)
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
    for shape in SHAPES {
        for at in shape.failing() {
            let disk = FaultDisk::new();
            disk.plan(at, Fault::PowerLoss);
            let mut told = Told::default();
            live(&disk, shape, &mut told).unwrap_err();
            for seed in 0..3 {
                let what = format!("at {at}, seed {seed}, groups times {}", shape.times);
                check_after(&disk.crash(seed * 1000 + at), shape, &told, &what);
            }
            // What a reader was shown beside a writer that had not flushed yet stays too.
            disk.heal();
            if told.created {
                let before = shown(&shape.options(&disk), &format!("at {at}"));
                let after = shown(&shape.options(&disk.crash(at)), &format!("after {at}"));
                let kept = before.0 <= after.0 && before.1 <= after.1;
                assert!(kept, "at {at}: {before:?} and then {after:?}");
            }
        }
    }
}

#[test]
fn a_failed_operation_stops_the_writer_and_a_reopening_heals_it() {
    let faults = [Fault::DiskFull, Fault::InputOutput];
    for (shape, fault) in SHAPES
        .into_iter()
        .flat_map(|shape| faults.map(|fault| (shape, fault)))
    {
        for at in shape.failing() {
            let disk = FaultDisk::new();
            disk.plan(at, fault);
            let mut told = Told::default();
            let stopped = live(&disk, shape, &mut told).is_err();
            disk.heal();
            let what = format!("{fault:?} at {at}, stopped {stopped}");
            // First without a crash, as a process that opens the book again; then with one.
            let crashed = disk.crash(at);
            check_after(&disk, shape, &told, &what);
            check_after(&crashed, shape, &told, &format!("{what}, crashed"));
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
