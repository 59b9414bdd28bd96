//! The limit: the same bytes appended to one prefilled file, with the same flush, and nothing else.

use hdrhistogram::Histogram;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Instant;

/// The prefilled file. Written round and round: its blocks are allocated once, as a segment's are.
const FILE_BYTES: u64 = 64 << 20;

/// What the disk does when nothing else is asked of it.
pub(crate) struct Limit {
    pub(crate) group: usize,
    pub(crate) records_per_s: f64,
    pub(crate) flush_p50_us: u64,
    pub(crate) flush_p99_us: u64,
}

/// Appends `records` records of `record_bytes` each, in groups, one flush a group.
pub(crate) fn append(
    dir: &Path,
    record_bytes: usize,
    records: usize,
    group: usize,
) -> io::Result<Limit> {
    let path = dir.join("bare-append");
    let file = prefilled(&path)?;
    let mut flushes =
        Histogram::<u64>::new_with_bounds(1, 60_000_000, 3).map_err(io::Error::other)?;
    let record: Vec<u8> = (0..record_bytes)
        .map(|at| b"{\"action\":\"transfer\",\"body\":"[at % 28])
        .collect();
    let mut buffer = Vec::with_capacity(record_bytes * group);
    let (mut written, mut at) = (0, 0_u64);
    let start = Instant::now();
    while written < records {
        buffer.clear();
        for _ in 0..group {
            buffer.extend_from_slice(&record);
        }
        let bytes = u64::try_from(buffer.len()).map_err(io::Error::other)?;
        if at + bytes > FILE_BYTES {
            at = 0;
        }
        file.write_all_at(&buffer, at)?;
        let flush = Instant::now();
        file.sync_data()?;
        flushes.saturating_record(
            u64::try_from(flush.elapsed().as_micros()).map_err(io::Error::other)?,
        );
        at += bytes;
        written += group;
    }
    let records_per_s = crate::per_second(written, start.elapsed());
    std::fs::remove_file(&path)?;
    Ok(Limit {
        group,
        records_per_s,
        flush_p50_us: flushes.value_at_quantile(0.5),
        flush_p99_us: flushes.value_at_quantile(0.99),
    })
}

fn prefilled(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .read(true)
        .write(true)
        .open(path)?;
    let zeros = vec![0_u8; 1 << 20];
    let mut at = 0;
    while at < FILE_BYTES {
        file.write_all_at(&zeros, at)?;
        at += 1 << 20;
    }
    file.sync_all()?;
    Ok(file)
}
