//! The limit: the same bytes appended to one prefilled file, with the same flush, and nothing else.
//!
//! What a transfer makes durable before it is answered is its entry and its encrypted request. They are appended in two ways. The
//! plain one is what a program gets that appends and thinks no more of it: a prefilled file as long as all that is appended, through
//! the system's cache, which has to find memory for every page. The other is as fast as the disk and memory let anything be: a file
//! of one segment's length, over and over, all of it in the cache. That way entries are measured alone, too.

use hdrhistogram::Histogram;
#[cfg(target_os = "linux")]
use rustix::fs::{Advice, fadvise};
use std::fs::{File, OpenOptions};
use std::io;
#[cfg(target_os = "linux")]
use std::num::NonZeroU64;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Instant;

/// The file that is written over and over.
const SEGMENT_BYTES: u64 = 64 << 20;

const PAGE_BYTES: usize = 4096;

/// What is appended.
#[derive(Clone, Copy)]
pub(crate) struct Records {
    /// Of an entry.
    pub(crate) entry_bytes: usize,
    /// Of the request in the vault that belongs to it.
    pub(crate) input_bytes: usize,
    pub(crate) count: usize,
    /// How many have one flush.
    pub(crate) group: usize,
}

/// What the disk does when nothing else is asked of it.
pub(crate) struct Limit {
    pub(crate) group: usize,
    /// Records a second, to a file as long as all of it.
    pub(crate) plain_per_s: f64,
    /// To a file that stays in the cache.
    pub(crate) cached_per_s: f64,
    /// The same of entries alone.
    pub(crate) entries_per_s: f64,
    pub(crate) flush_p50_us: u64,
    pub(crate) flush_p99_us: u64,
}

/// Measures each way.
pub(crate) fn append(dir: &Path, records: Records) -> io::Result<Limit> {
    let path = dir.join("bare-append");
    let flushes = || Histogram::<u64>::new_with_bounds(1, 60_000_000, 3).map_err(io::Error::other);
    let bytes = records.entry_bytes + records.input_bytes;
    // Some more than is written: of the last group's last page what is beyond it.
    let all = (bytes * records.count + PAGE_BYTES) as u64;
    let file = prefilled(&path, all)?;
    // What was written long ago has left the cache.
    #[cfg(target_os = "linux")]
    fadvise(&file, 0, NonZeroU64::new(all), Advice::DontNeed)?;
    let plain_per_s = append_to(&file, all, bytes, records, &mut flushes()?)?;
    let few = Records {
        count: records.count.min(1_000_000),
        ..records
    };
    let file = prefilled(&path, SEGMENT_BYTES)?;
    let mut flushes = flushes()?;
    let cached_per_s = append_to(&file, SEGMENT_BYTES, bytes, few, &mut flushes)?;
    let entries_per_s = append_to(&file, SEGMENT_BYTES, records.entry_bytes, few, &mut flushes)?;
    std::fs::remove_file(&path)?;
    Ok(Limit {
        group: records.group,
        plain_per_s,
        cached_per_s,
        entries_per_s,
        flush_p50_us: flushes.value_at_quantile(0.5),
        flush_p99_us: flushes.value_at_quantile(0.99),
    })
}

/// Appends records of so many bytes to a file of such a length, from its beginning again at its end; says how many a second. It writes whole
/// pages, the last one of a group again with the next: a part of one would have to be read from the disk first.
fn append_to(
    file: &File,
    length: u64,
    bytes: usize,
    records: Records,
    flushes: &mut Histogram<u64>,
) -> io::Result<f64> {
    let record: Vec<u8> = (0..bytes)
        .map(|at| b"{\"action\":\"transfer\",\"body\":"[at % 28])
        .collect();
    let mut buffer = Vec::with_capacity(bytes * records.group + 2 * PAGE_BYTES);
    let (mut written, mut at) = (0, 0_u64);
    let start = Instant::now();
    while written < records.count {
        for _ in 0..records.group {
            buffer.extend_from_slice(&record);
        }
        let end = buffer.len();
        buffer.resize(end.next_multiple_of(PAGE_BYTES), 0);
        if at + buffer.len() as u64 > length {
            at = 0;
        }
        file.write_all_at(&buffer, at)?;
        let flush = Instant::now();
        file.sync_data()?;
        flushes.saturating_record(flush.elapsed().as_micros() as u64);
        let whole = end / PAGE_BYTES * PAGE_BYTES;
        buffer.copy_within(whole..end, 0);
        buffer.truncate(end - whole);
        at += whole as u64;
        written += records.group;
    }
    Ok(crate::per_second(written, start.elapsed()))
}

fn prefilled(path: &Path, length: u64) -> io::Result<File> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .read(true)
        .write(true)
        .open(path)?;
    let zeros = vec![0_u8; 1 << 20];
    let mut at = 0;
    while at < length {
        file.write_all_at(&zeros, at)?;
        at += 1 << 20;
    }
    file.sync_all()?;
    Ok(file)
}
