//! Runs in tiers: files that each cover a range of entries, merged when there are enough neighbours of one level.
//!
//! The name of a run says what it covers. Which runs are the present ones follows from the names alone:
//! from entry 0 on, the longest that begins where the last one ended. So a merge that a crash
//! interrupts before it has removed its inputs needs no repair.

use std::cmp::Reverse;
use std::io::ErrorKind;
use std::ops::Range;
use std::sync::Arc;

use crate::disk::{Access, Dir, OpenFile};
use crate::error::IoFault;

/// How many runs of a level are merged into one of the next: of the first level, and of those that follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fanout {
    pub(crate) first: usize,
    pub(crate) later: usize,
}

impl Fanout {
    const fn of(self, level: u32) -> usize {
        if level == 0 { self.first } else { self.later }
    }
}

/// What a run covers and how often it was merged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) seqs: Range<u64>,
    pub(crate) level: u32,
}

impl Extent {
    pub(crate) fn file_name(&self) -> String {
        format!("{:020}-{:020}.run", self.seqs.start, self.seqs.end)
    }
}

/// The entries that a run file's name says it covers.
pub(crate) fn seqs_of(name: &str) -> Option<Range<u64>> {
    let (first, end) = name.strip_suffix(".run")?.split_once('-')?;
    let number = |text: &str| {
        (text.len() == 20 && text.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| text.parse::<u64>().ok())
            .flatten()
    };
    Some(number(first)?..number(end)?)
}

/// A run of some kind.
pub(crate) trait Tiered {
    /// What it covers.
    fn extent(&self) -> &Extent;
}

/// Looks from the newest of the runs, which come oldest first, for a group of neighbours of one level that is large enough
/// to be merged: gives its oldest, as many as are merged at once, and what they become.
pub(crate) fn mergeable<R: Tiered>(runs: &[Arc<R>], fanout: Fanout) -> Option<(&[Arc<R>], Extent)> {
    let mut end = runs.len();
    while end > 0 {
        let rest = runs.get(..end)?;
        let level = rest.last()?.extent().level;
        let group = rest
            .iter()
            .rev()
            .take_while(|run| run.extent().level == level)
            .count();
        let start = end.checked_sub(group)?;
        let count = fanout.of(level);
        if group >= count {
            let inputs = runs.get(start..start.checked_add(count)?)?;
            let seqs = inputs.first()?.extent().seqs.start..inputs.last()?.extent().seqs.end;
            // A run numbers its entries with 32 bits.
            let narrow = seqs.end.saturating_sub(seqs.start) <= u64::from(u32::MAX);
            return narrow.then(|| {
                (
                    inputs,
                    Extent {
                        seqs,
                        level: level.saturating_add(1),
                    },
                )
            });
        }
        end = start;
    }
    None
}

/// After how much that was merged a merge looks up.
const MERGED_BETWEEN_LOOKS: u64 = 1 << 16;

/// Counts what a merge has merged: a long one must keep neither full tables waiting nor a closing.
#[derive(Debug, Default)]
pub(crate) struct Merged(u64);

impl Merged {
    /// Counts one more; says whether it is time to look for what waits.
    pub(crate) const fn is_time_to_look(&mut self) -> bool {
        self.0 = self.0.wrapping_add(1);
        self.0.is_multiple_of(MERGED_BETWEEN_LOOKS)
    }
}

/// Puts a merged run in the place of those that it was made of.
pub(crate) fn replace<R: Tiered>(runs: &mut Vec<Arc<R>>, inputs: &[Arc<R>], merged: R) {
    let start = merged.extent().seqs.start;
    let at = runs
        .iter()
        .position(|run| run.extent().seqs.start == start)
        .unwrap_or(runs.len());
    runs.retain(|run| !inputs.iter().any(|input| Arc::ptr_eq(run, input)));
    runs.insert(at.min(runs.len()), Arc::new(merged));
}

/// Removes the files of runs that were merged.
pub(crate) fn remove<R: Tiered>(dir: &Dir, runs: &[Arc<R>]) -> Result<(), IoFault> {
    runs.iter()
        .try_for_each(|run| dir.remove(&run.extent().file_name()))
}

/// Names of runs that are being written: sealed, and merged meanwhile.
pub(crate) const UNFINISHED_NAME: &str = "unfinished";
pub(crate) const UNFINISHED_MERGE_NAME: &str = "unfinished-merge";

fn is_unfinished(name: &str) -> bool {
    name == UNFINISHED_NAME || name == UNFINISHED_MERGE_NAME
}

/// How often the runs of a folder are listed again when one goes while another process merges them.
const LOOKS_MAX: u32 = 8;

/// Opens the runs that cover the entries from 0 on without a gap and no entry at or after `size`;
/// removes the others, when it may.
pub(crate) fn load<R: Tiered>(
    dir: &Dir,
    size: u64,
    write: bool,
    mut read: impl FnMut(&str, OpenFile) -> Result<Option<R>, IoFault>,
) -> Result<Vec<Arc<R>>, IoFault> {
    let mut looks = if write { 1 } else { LOOKS_MAX };
    loop {
        looks = looks.saturating_sub(1);
        let listed = list(dir, size, write);
        match listed {
            // Read-only, the writer may have merged it away since the names were read.
            Err(fault) if fault.source.kind() == ErrorKind::NotFound && looks > 0 => continue,
            Err(fault) => return Err(fault),
            Ok(files) => return read_all(dir, files, write, &mut read),
        }
    }
}

/// A run's file, open: it can be read to its end though it is merged away meanwhile.
struct Listed {
    seqs: Range<u64>,
    name: String,
    file: OpenFile,
}

/// The runs that end before `size`, each merged one before those that it was made of.
fn list(dir: &Dir, size: u64, write: bool) -> Result<Vec<Listed>, IoFault> {
    let names = dir.list()?;
    if write {
        names
            .iter()
            .filter(|name| is_unfinished(name))
            .try_for_each(|name| dir.remove(name))?;
    }
    let mut files = Vec::with_capacity(names.len());
    for name in names {
        let Some(seqs) = seqs_of(&name) else { continue };
        if seqs.end > size || seqs.is_empty() {
            if write {
                dir.remove(&name)?;
            }
            continue;
        }
        let file = dir.open(&name, Access::Read)?;
        files.push(Listed { seqs, name, file });
    }
    files.sort_by_key(|listed| (listed.seqs.start, Reverse(listed.seqs.end)));
    Ok(files)
}

/// Reads those that cover the entries from 0 on without a gap; removes the others, when it may.
fn read_all<R: Tiered>(
    dir: &Dir,
    files: Vec<Listed>,
    write: bool,
    read: &mut impl FnMut(&str, OpenFile) -> Result<Option<R>, IoFault>,
) -> Result<Vec<Arc<R>>, IoFault> {
    let mut runs: Vec<Arc<R>> = Vec::new();
    for Listed { seqs, name, file } in files {
        let next = runs.last().map_or(0, |run| run.extent().seqs.end);
        let opened = if seqs.start == next {
            read(&name, file)?
        } else {
            None
        };
        match opened {
            Some(run) => runs.push(Arc::new(run)),
            None if write => dir.remove(&name)?,
            None => {}
        }
    }
    Ok(runs)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Stub(Extent);

    impl Tiered for Stub {
        fn extent(&self) -> &Extent {
            &self.0
        }
    }

    const FANOUT: Fanout = Fanout { first: 2, later: 3 };

    /// Runs of these levels, each of so many entries.
    fn runs(levels: &[u32], entries: u64) -> Vec<Arc<Stub>> {
        let starts = (0_u64..).map(|place| place * entries);
        let extents = starts.zip(levels).map(|(start, level)| Extent {
            seqs: start..start + entries,
            level: *level,
        });
        extents.map(|extent| Arc::new(Stub(extent))).collect()
    }

    /// What becomes of them: the entries of the merged run, and its level.
    fn merged(levels: &[u32]) -> Option<(Range<u64>, u32)> {
        let runs = runs(levels, 10);
        let (inputs, extent) = mergeable(&runs, FANOUT)?;
        let seqs = inputs.first()?.0.seqs.start..inputs.last()?.0.seqs.end;
        assert_eq!(seqs, extent.seqs);
        Some((extent.seqs, extent.level))
    }

    #[test]
    fn as_many_are_merged_as_their_level_says() {
        for few in [&[][..], &[0], &[1, 1], &[1, 1, 0], &[2, 2, 1, 1, 0]] {
            assert_eq!(merged(few), None, "{few:?}");
        }
        assert_eq!(merged(&[0, 0]), Some((0..20, 1)));
        assert_eq!(merged(&[1, 1, 1]), Some((0..30, 2)));
        assert_eq!(merged(&[2, 2, 2]), Some((0..30, 3)));
        // The newest level first, and of it the oldest runs.
        assert_eq!(merged(&[1, 1, 1, 0, 0, 0]), Some((30..50, 1)));
        assert_eq!(merged(&[1, 1, 1, 0]), Some((0..30, 2)));
    }

    #[test]
    fn a_run_that_could_not_number_its_entries_is_not_made() {
        let half = u64::from(u32::MAX) / 2;
        assert!(mergeable(&runs(&[0, 0], half), FANOUT).is_some());
        assert!(mergeable(&runs(&[0, 0], half + 1), FANOUT).is_none());
    }
}
