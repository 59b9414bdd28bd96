//! Measures a bare append of framed bytes to one prefilled file, and the whole store beside it: commit,
//! index, tree, history. `cargo run --release -p paygod-store --example commit_rate -- [entries] [dir]`
#![allow(
    clippy::print_stdout,
    clippy::float_arithmetic,
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a measuring tool, not library code"
)]

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use paygod_store::{
    Book, DataKey, Entry, Fold, FoldFault, Group, Options, Record, Snapshot, Touch,
};
use paygod_tlog::leaf_hash;
use paygod_types::Seq;

const GROUP: u64 = 1000;
const ACCOUNTS: u64 = 100_000;

fn main() {
    let mut args = std::env::args().skip(1);
    let entries: u64 = args.next().map_or(1_000_000, |text| text.parse().unwrap());
    let dir = args.next().map_or_else(
        || std::env::temp_dir().join("paygod-commit-rate"),
        PathBuf::from,
    );
    drop(std::fs::remove_dir_all(&dir));
    std::fs::create_dir_all(&dir).unwrap();
    bare_append(&dir.join("bare"), entries.min(1_000_000));
    vault_rate(&dir.join("vault-book"));
    let book = dir.join("book");
    stages(&book, entries);
    reopen(&book);
    report_sizes(&book, entries);
    drop(std::fs::remove_dir_all(&dir));
}

/// About 480 bytes that differ from entry to entry.
fn write_entry(seq: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(&FILLER[..460]);
    out.extend_from_slice(format!("{seq:020}").as_bytes());
}

static FILLER: [u8; 480] = [b'x'; 480];

fn mix(value: u64) -> u64 {
    let mixed = (value ^ (value >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed ^ (mixed >> 32)
}

fn bare_append(path: &Path, entries: u64) {
    let group = vec![7_u8; (504 * GROUP) as usize];
    let groups = entries / GROUP;
    let file = File::create(path).unwrap();
    let zeros = vec![0_u8; 1 << 20];
    let bytes = groups * group.len() as u64;
    for at in 0..bytes.div_ceil(1 << 20) {
        file.write_all_at(&zeros, at << 20).unwrap();
    }
    file.sync_all().unwrap();
    drop(file);
    let file = OpenOptions::new().write(true).open(path).unwrap();
    let mut times = Vec::new();
    let start = Instant::now();
    for at in 0..groups {
        let begun = Instant::now();
        file.write_all_at(&group, at * group.len() as u64).unwrap();
        file.sync_data().unwrap();
        times.push(begun.elapsed());
    }
    print_rate(
        "bare append, one prefilled file",
        entries,
        start.elapsed(),
        &mut times,
    );
    drop(std::fs::remove_file(path));
}

fn print_rate(what: &str, entries: u64, elapsed: Duration, times: &mut [Duration]) {
    times.sort();
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize];
    println!(
        "{what:38} {:>9.0}/s  group p50 {:?} p99 {:?} max {:?}",
        entries as f64 / elapsed.as_secs_f64(),
        at(0.5),
        at(0.99),
        at(1.0)
    );
}

/// The parts on threads of their own, as the service runs them; the sequencer's and the integrator's
/// own time is printed beside the rate.
fn stages(path: &Path, entries: u64) {
    let mut book = Book::create(path, &Options::default()).unwrap();
    let mut writer = book.writer;
    let (to_commit, commits) = sync_channel::<Arc<Group>>(4);
    let (to_integrate, integrations) = sync_channel::<Arc<Group>>(4);
    let (back, free) = sync_channel::<Arc<Group>>(16);
    let cpu_before = cpu_ns();
    let start = Instant::now();
    let committer = std::thread::spawn(move || {
        let mut times = Vec::new();
        let on_before = on_cpu();
        for group in commits {
            let begun = Instant::now();
            writer.commit(&group).unwrap();
            times.push(begun.elapsed());
            to_integrate.send(group).unwrap();
        }
        let busy = on_cpu().checked_sub(on_before).unwrap();
        (writer, times, busy)
    });
    let mut tree = book.tree;
    let mut history = book.history;
    let integrator = std::thread::spawn(move || {
        let (mut busy_tree, mut busy_history) = (Duration::ZERO, Duration::ZERO);
        for group in integrations {
            let begun = on_cpu();
            let leaves: Vec<_> = group.entries().map(|(_, entry)| leaf_hash(entry)).collect();
            tree.append(&leaves).unwrap();
            busy_tree += on_cpu().checked_sub(begun).unwrap();
            let begun = on_cpu();
            let touched: Vec<_> = group
                .entries()
                .map(|(seq, _)| (seq, touches(seq.get())))
                .collect();
            history
                .apply_all(
                    touched
                        .iter()
                        .map(|(seq, touches)| (*seq, touches.as_slice())),
                )
                .unwrap();
            busy_history += on_cpu().checked_sub(begun).unwrap();
            // The sequencer may have ended.
            drop(back.try_send(group));
        }
        (tree, history, busy_tree, busy_history)
    });
    let finder = book.index.finder();
    let keys = finder.keys();
    let (mut busy_find, mut busy_frame, mut busy_add) =
        (Duration::ZERO, Duration::ZERO, Duration::ZERO);
    let mut seq = 0;
    let mut found = 0_u64;
    let mut made: Vec<[u64; 2]> = Vec::new();
    while seq < entries {
        let mut group = free
            .try_recv()
            .ok()
            .and_then(Arc::into_inner)
            .unwrap_or_default();
        group.begin(Seq(seq));
        made.clear();
        for seq in seq..seq + GROUP {
            made.push([keys.id(format!("payment-{seq}").as_bytes()), mix(seq)]);
        }
        let begun = on_cpu();
        for pair in &made {
            for key in pair {
                found += u64::from(finder.last(*key, Seq(0)).unwrap().is_some());
            }
        }
        busy_find += on_cpu().checked_sub(begun).unwrap();
        let begun = on_cpu();
        for (offset, pair) in made.iter().enumerate() {
            book.index.apply(Seq(seq + offset as u64), pair).unwrap();
        }
        busy_add += on_cpu().checked_sub(begun).unwrap();
        let begun = on_cpu();
        for offset in 0..GROUP {
            write_entry(seq + offset, group.open_entry());
            group.close_entry(None).unwrap();
        }
        busy_frame += on_cpu().checked_sub(begun).unwrap();
        seq += GROUP;
        to_commit.send(Arc::new(group)).unwrap();
        if seq.is_multiple_of(1_000_000) {
            let per = |busy: Duration| busy.as_nanos() as f64 / seq as f64;
            println!(
                "{seq:>9} at {:.0}/s; ns an entry: find {:.0}, add {:.0}, frame {:.0}; {:?}; {} MB",
                seq as f64 / start.elapsed().as_secs_f64(),
                per(busy_find),
                per(busy_add),
                per(busy_frame),
                finder.stats(),
                resident_mb()
            );
        }
    }
    drop(to_commit);
    let (_writer, mut times, busy_commit) = committer.join().unwrap();
    let (tree, mut history, busy_tree, busy_history) = integrator.join().unwrap();
    print_rate(
        "store: all parts, 3 threads",
        entries,
        start.elapsed(),
        &mut times,
    );
    let per = |busy: Duration| busy.as_nanos() as f64 / entries as f64;
    println!(
        "ns an entry: commit {:.0}, tree {:.0}, history {:.0}; process {:.0} of CPU; false or true hits {found}",
        per(busy_commit),
        per(busy_tree),
        per(busy_history),
        (cpu_ns() - cpu_before) / entries as f64
    );
    report_threads(entries);
    let begun = Instant::now();
    book.index.seal().unwrap();
    history.seal().unwrap();
    let mut snapshot = book.snapshots.begin(tree.frontier()).unwrap();
    for _ in 0..15 {
        snapshot.push(&vec![1; 1 << 20]).unwrap();
    }
    snapshot.finish().unwrap();
    println!(
        "snapshot of 15 MB in {:?}; {} MB resident",
        begun.elapsed(),
        resident_mb()
    );
}

fn touches(seq: u64) -> [Touch; 2] {
    [0, 1].map(|side| Touch {
        account: (mix(seq * 2 + side) % ACCOUNTS) as u32,
        balances: [0, i128::from(seq) * 731, 0, i128::from(seq) * 97],
    })
}

fn vault_rate(path: &Path) {
    let book = Book::create(path, &Options::default()).unwrap();
    let input = vec![b'p'; 600];
    let start = Instant::now();
    let mut times = Vec::new();
    let mut sealing = Duration::ZERO;
    for _ in 0..100 {
        let begun = on_cpu();
        let keys = DataKey::draw(GROUP as usize).unwrap();
        let sealed: Vec<_> = keys
            .iter()
            .map(|key| {
                std::hint::black_box(key.commitment(&input));
                book.vault.seal(key, &input).unwrap()
            })
            .collect();
        sealing += on_cpu().checked_sub(begun).unwrap();
        let begun = Instant::now();
        book.vault.store(&sealed).unwrap();
        times.push(begun.elapsed());
    }
    print_rate(
        "vault, one thread",
        100 * GROUP,
        start.elapsed(),
        &mut times,
    );
    println!(
        "ns an input to commit to and encrypt: {}",
        sealing.as_nanos() / (100 * u128::from(GROUP))
    );
}

struct Nothing;

impl Fold for Nothing {
    fn reset(&mut self) {}

    fn restore(&mut self, _: &Snapshot) -> Result<(), FoldFault> {
        Ok(())
    }

    fn apply(&mut self, _: Entry<'_>, _: &mut Record) -> Result<(), FoldFault> {
        Ok(())
    }
}

fn reopen(path: &Path) {
    let begun = Instant::now();
    let book = Book::open(path, &Options::default(), &mut Nothing).unwrap();
    println!(
        "opened in {:?}: {:?}; {} MB resident",
        begun.elapsed(),
        book.opening,
        resident_mb()
    );
}

fn report_sizes(path: &Path, entries: u64) {
    for name in ["segments", "index", "history", "tree", "snapshots"] {
        let files = std::fs::read_dir(path.join(name)).unwrap();
        let bytes: u64 = files
            .map(|file| file.unwrap().metadata().unwrap().len())
            .sum();
        println!(
            "{name:10} {:>6.1} bytes an entry",
            bytes as f64 / entries as f64
        );
    }
}

fn resident_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS"))
        .unwrap();
    line.split_whitespace()
        .nth(1)
        .unwrap()
        .parse::<u64>()
        .unwrap()
        / 1024
}

/// What the threads that are still there took.
fn report_threads(entries: u64) {
    for task in std::fs::read_dir("/proc/self/task").unwrap() {
        let task = task.unwrap().path();
        let name = std::fs::read_to_string(task.join("comm")).unwrap();
        let stat = std::fs::read_to_string(task.join("schedstat")).unwrap();
        let busy: f64 = stat.split_whitespace().next().unwrap().parse().unwrap();
        println!(
            "  thread {:16} {:>6.0} ns an entry",
            name.trim(),
            busy / entries as f64
        );
    }
}

/// Time that the calling thread has been on a processor: unlike the clock, the same on a busy machine.
fn on_cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split_whitespace().next().unwrap().parse().unwrap())
}

fn cpu_ns() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap()
        .split_whitespace()
        .collect();
    let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
    ticks * 10_000_000.0
}
