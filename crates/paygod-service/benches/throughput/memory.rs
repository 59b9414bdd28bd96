//! What the operating system says this process holds, and what a folder weighs.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

/// Resident memory of this process.
#[derive(Clone, Copy, Default)]
pub(crate) struct Resident {
    pub(crate) now_kib: u64,
    /// The high-water mark since the process began.
    pub(crate) peak_kib: u64,
}

/// Reads `/proc/self/status`; zeros where there is none.
pub(crate) fn resident() -> Resident {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| {
        status
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .and_then(|rest| rest.trim_start_matches(':').split_whitespace().next())
            .and_then(|number| number.parse().ok())
            .unwrap_or(0)
    };
    Resident {
        now_kib: field("VmRSS"),
        peak_kib: field("VmHWM"),
    }
}

/// Bytes on disk (allocated blocks) under `path`, by first-level name, largest first.
pub(crate) fn disk_bytes(path: &Path) -> io::Result<Vec<(String, u64)>> {
    let mut kinds = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        kinds.push((
            entry.file_name().to_string_lossy().into_owned(),
            tree_bytes(&entry.path())?,
        ));
    }
    kinds.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    Ok(kinds)
}

fn tree_bytes(path: &Path) -> io::Result<u64> {
    use std::os::unix::fs::MetadataExt;
    let metadata = fs::symlink_metadata(path)?;
    if !metadata.is_dir() {
        return Ok(metadata.blocks() * 512);
    }
    let mut total = 0;
    for entry in fs::read_dir(path)? {
        total += tree_bytes(&entry?.path())?;
    }
    Ok(total)
}

/// Processor time of each kind of thread of this process so far, in microseconds, by the thread's name.
/// Threads of one name count together; those that have ended count with the process.
pub(crate) fn processor_us() -> BTreeMap<String, u64> {
    let mut times = BTreeMap::new();
    for task in fs::read_dir("/proc/self/task")
        .into_iter()
        .flatten()
        .flatten()
    {
        let name = fs::read_to_string(task.path().join("comm")).unwrap_or_default();
        let schedstat = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
        let nanos: u64 = schedstat
            .split(' ')
            .next()
            .and_then(|number| number.parse().ok())
            .unwrap_or(0);
        let name = name
            .trim()
            .trim_end_matches(|end: char| end == '-' || end.is_ascii_digit())
            .to_owned();
        *times.entry(name).or_insert(0) += nanos / 1_000;
    }
    times
}
