//! Writes an export of N transfers through the ledger's fold, then measures verifying it:
//! `cargo run --release -p paygod-verify --example verify_speed -- [ENTRIES] [ACCOUNTS] [THREADS]`.
//!
//! With `PAYGOD_EXPORT=DIR` the export is written there, or taken from there if it is.
//! Prints entries a second for both depths, and the most memory the process held.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    reason = "a bench prints its figures and stops at the first surprise"
)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::path::Path;
use std::time::Instant;

use paygod_core::entry::Window;
use paygod_core::{Body, Effects, WindowToken};
use paygod_tlog::{Hash, Rows, Tile, TileKind, TreeWriter, bundle, leaf_hash};
use paygod_types::RequestId;
use paygod_verify::{Depth, Directory, Options, Report, verify};
use support::Book;

/// As in the command.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ENTRIES_PER_CHECKPOINT: u64 = 100_000;
const ENTRIES_PER_SNAPSHOT: u64 = 400_000;
/// Entries sealed while a snapshot is written, before the log speaks of it.
const SNAPSHOT_LAG: u64 = 20_000;

fn main() {
    let arguments: Vec<u64> = std::env::args()
        .skip(1)
        .map(|a| a.parse().unwrap())
        .collect();
    let entries = arguments.first().copied().unwrap_or(1_000_000);
    let accounts = arguments.get(1).copied().unwrap_or(1_000);
    let threads = arguments.get(2).copied().unwrap_or(2) as usize;
    let folder = tempfile::tempdir().unwrap();
    let export = std::env::var_os("PAYGOD_EXPORT");
    let export = export.map_or_else(|| folder.path().join("export"), std::path::PathBuf::from);
    if !export.join("checkpoint").exists() {
        let start = Instant::now();
        let bytes = generate(&export, entries, accounts);
        println!(
            "export written: {entries} entries of {} bytes, {accounts} accounts, in {:.1} s",
            bytes / entries,
            start.elapsed().as_secs_f32()
        );
    }
    for depth in [Depth::Sealed, Depth::Sealed, Depth::Whole, Depth::Whole] {
        let mut options = Options::new(folder.path());
        (options.threads, options.depth) = (threads, depth);
        let (start, cpu) = (Instant::now(), cpu_ms());
        let report = verify(&Directory::new(&export), &options, &|_| {}).unwrap();
        print_outcome(&report, start, cpu, depth);
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .unwrap_or("");
    println!("{peak} (generating included, if any was)");
}

fn print_outcome(report: &Report, start: Instant, cpu: u64, depth: Depth) {
    let (seconds, cpu) = (start.elapsed(), cpu_ms() - cpu);
    let size = report.head.unwrap().size;
    let rate = u128::from(size) * 1_000_000_000 / seconds.as_nanos();
    // What two idle cores would do, told from the processor time: the machine may be shared.
    let idle = 2 * size * 1_000 / cpu.max(1);
    println!(
        "{:<7} {rate:>9} entries/s, {idle:>9} by processor time of 2 cores, {} checkpoints, valid: {} {:?}",
        depth.as_str(),
        report.checkpoints,
        report.is_valid(),
        report.first()
    );
}

/// Processor time of this process so far, user and system, in milliseconds.
fn cpu_ms() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap_or("")
        .split_whitespace()
        .collect();
    let ticks = |at: usize| {
        fields
            .get(at)
            .and_then(|t| t.parse::<u64>().ok())
            .unwrap_or(0)
    };
    (ticks(11) + ticks(12)) * 10
}

/// Writes entries, tiles and checkpoints as they come; answers the bytes of all entries.
fn generate(folder: &Path, entries: u64, accounts: u64) -> u64 {
    let mut book = Book::new();
    book.open("bank", "EUR", None);
    for number in 0..accounts {
        book.open(&format!("account-{number:08}"), "EUR", Some(0));
    }
    book.activate("1.0.0");
    for number in 0..accounts {
        book.transfer(
            &format!("fund-{number:08}"),
            "bank",
            &account(number),
            1_000_000_000,
        );
    }
    let mut out = Writer::new(folder);
    for entry in std::mem::take(&mut book.entries) {
        out.push(&entry);
    }
    let mut effects = Effects::reusable(RequestId::parse("none").unwrap());
    let mut bytes = Vec::new();
    let mut snapshot = None;
    for number in 0..entries {
        let (from, to) = (number % accounts, (number * 7 + 1) % accounts);
        let to = if from == to { (to + 1) % accounts } else { to };
        let (id, request) = book.request(&format!("payment-{number:012}"));
        let mut body =
            book.transfer_body(&account(from), &account(to), 1 + u128::from(number % 97));
        let token = |salt: u64| WindowToken((u128::from(number * 3 + salt) << 64).to_be_bytes());
        body.windows = vec![Window {
            token: token(0),
            transfer: 0,
            value: None,
        }];
        let mut entry = book.entry(id, request, Body::Transfer(body));
        entry.seq = book.state.next_seq();
        book.state.apply_into(&entry, &mut effects).unwrap();
        book.time = entry.time.as_nanos();
        bytes.clear();
        entry.encode(&mut bytes);
        out.push(&bytes);
        if number % ENTRIES_PER_SNAPSHOT == ENTRIES_PER_SNAPSHOT / 4 {
            snapshot = Some((book.state.size() - 1, book.state.clone()));
        }
        if number % ENTRIES_PER_SNAPSHOT == ENTRIES_PER_SNAPSHOT / 4 + SNAPSHOT_LAG
            && let Some((of, state)) = snapshot.take()
        {
            book.snapshot_at(book.state.size(), of, &state);
            out.push(&book.entries.pop().unwrap());
        }
        if number % ENTRIES_PER_CHECKPOINT == ENTRIES_PER_CHECKPOINT / 2 {
            book.published.push(book.sign(out.head(), 1));
        }
    }
    book.published.push(book.sign(out.head(), 1));
    out.finish();
    std::fs::write(folder.join("checkpoint"), book.published.last().unwrap()).unwrap();
    std::fs::write(folder.join("checkpoints.log"), book.log()).unwrap();
    std::fs::create_dir_all(folder.join("blobs")).unwrap();
    for (digest, bytes) in &book.blobs {
        std::fs::write(folder.join(format!("blobs/{digest}")), bytes).unwrap();
    }
    out.bytes
}

fn account(number: u64) -> String {
    format!("account-{number:08}")
}

/// Writes bundles and tiles as they become full.
struct Writer<'a> {
    folder: &'a Path,
    tree: TreeWriter,
    rows: Rows,
    leaves: Vec<Hash>,
    bundle: Vec<u8>,
    levels: [Vec<u8>; 8],
    done: [u64; 8],
    bundles: u64,
    bytes: u64,
}

impl<'a> Writer<'a> {
    fn new(folder: &'a Path) -> Self {
        Self {
            folder,
            tree: TreeWriter::default(),
            rows: Rows::new(),
            leaves: Vec::new(),
            bundle: Vec::new(),
            levels: std::array::from_fn(|_| Vec::new()),
            done: [0; 8],
            bundles: 0,
            bytes: 0,
        }
    }

    fn push(&mut self, entry: &[u8]) {
        self.bytes += entry.len() as u64;
        bundle::append_entry(&mut self.bundle, entry).unwrap();
        self.leaves.push(leaf_hash(entry));
        if self.leaves.len() == 256 {
            self.flush();
        }
    }

    fn flush(&mut self) {
        if self.leaves.is_empty() {
            return;
        }
        self.put(
            TileKind::Entries,
            self.bundles,
            self.leaves.len() as u16,
            &self.bundle,
        );
        self.bundles += 1;
        self.bundle.clear();
        self.append();
        self.leaves.clear();
    }

    fn append(&mut self) {
        self.tree.append(&self.leaves, &mut self.rows);
        let rows: Vec<(u8, Vec<u8>)> = self
            .rows
            .iter()
            .map(|(level, _, hashes)| (level, hashes.to_vec()))
            .collect();
        for (level, hashes) in rows {
            for hash in hashes.chunks(32) {
                let at = usize::from(level);
                self.levels[at].extend_from_slice(hash);
                if self.levels[at].len() == 8_192 {
                    self.put(
                        TileKind::Hashes(level),
                        self.done[at],
                        256,
                        &self.levels[at],
                    );
                    self.done[at] += 1;
                    self.levels[at].clear();
                }
            }
        }
    }

    fn head(&self) -> paygod_tlog::TreeHead {
        let mut frontier = self.tree.frontier().clone();
        frontier.append_batch(&self.leaves);
        frontier.head()
    }

    fn finish(&mut self) {
        self.flush();
        for (at, level) in (0..8_usize).zip(0_u8..) {
            let width = (self.levels[at].len() / 32) as u16;
            if width > 0 {
                self.put(
                    TileKind::Hashes(level),
                    self.done[at],
                    width,
                    &self.levels[at],
                );
            }
        }
    }

    fn put(&self, kind: TileKind, index: u64, width: u16, bytes: &[u8]) {
        let path = self
            .folder
            .join(Tile::new(kind, index, width).unwrap().path());
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}
