//! Every id is used once, and every reference names an entry by both its id and its index.
//!
//! Ids are told apart by a 64-bit hash under a key of this run; equal ids have equal hashes, so none
//! is missed, and a match is confirmed by reading both entries.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use paygod_core::Check as FoldCheck;

use crate::batch::Reader;
use crate::error::VerifyError;
use crate::failure::{Check, Failure, Failures, Place};
use crate::limits::ID_PARTS;
use crate::spill::Spill;

/// All ids and references seen.
#[derive(Debug)]
pub(crate) struct Ids {
    /// Hash of an id, index of the entry that uses it.
    used: Spill<2>,
    /// Hash of an id, index named with it, index of the entry that refers to it.
    references: Spill<3>,
}

/// Two entries with one hash of their ids.
type Pair = (u64, u64);

/// What sorting one part brought up.
#[derive(Debug, Default)]
struct Found {
    pairs: Vec<Pair>,
    /// The index named, and the entry that names it.
    dangling: Vec<Pair>,
}

impl Ids {
    pub(crate) fn new(folder: &Path) -> Self {
        Self {
            used: Spill::new(folder),
            references: Spill::new(folder),
        }
    }

    /// The entry `index` uses an id.
    pub(crate) fn used(&mut self, hash: u64, index: u64) -> Result<(), VerifyError> {
        self.used.push([hash, index])
    }

    /// The entry `from` says that the entry `target` used an id.
    pub(crate) fn refers(&mut self, hash: u64, target: u64, from: u64) -> Result<(), VerifyError> {
        self.references.push([hash, target, from])
    }

    /// Sorts all parts, on several threads, and reports what is used twice and what refers to nothing.
    pub(crate) fn finish(
        &self,
        reader: &Reader<'_>,
        threads: usize,
        failures: &mut Failures,
    ) -> Result<(), VerifyError> {
        let next = AtomicUsize::new(0);
        let found = Mutex::new(Ok(Found::default()));
        let work = || {
            loop {
                let part = next.fetch_add(1, Ordering::Relaxed);
                if part >= ID_PARTS {
                    return;
                }
                let outcome = self.sort_part(part);
                let mut found = found
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner);
                match (&mut *found, outcome) {
                    (Ok(found), Ok(more)) => {
                        found.pairs.extend(more.pairs);
                        found.dangling.extend(more.dangling);
                    }
                    (Ok(_), Err(error)) => *found = Err(error),
                    (Err(_), _) => return,
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..threads.max(1) {
                scope.spawn(work);
            }
            work();
        });
        let found = found
            .into_inner()
            .unwrap_or_else(std::sync::PoisonError::into_inner)?;
        report(found, reader, failures)
    }

    fn sort_part(&self, part: usize) -> Result<Found, VerifyError> {
        let mut used = self.used.part(part)?;
        used.sort_unstable();
        let mut found = Found::default();
        for pair in used.windows(2) {
            if let [[hash, first], [other, second]] = pair
                && hash == other
            {
                found.pairs.push((*first, *second));
            }
        }
        for [hash, target, from] in self.references.part(part)? {
            if used.binary_search(&[hash, target]).is_err() {
                found.dangling.push((target, from));
            }
        }
        Ok(found)
    }
}

fn report(
    mut found: Found,
    reader: &Reader<'_>,
    failures: &mut Failures,
) -> Result<(), VerifyError> {
    found.pairs.sort_unstable_by_key(|(_, second)| *second);
    let mut told = false;
    for (first, second) in found.pairs {
        // What stopped the reading may stand later in the log than the first id that is used twice.
        if told && failures.is_enough() {
            break;
        }
        let [one, other] = [id_of(reader, first)?, id_of(reader, second)?];
        if one == other {
            let expected = format!("an id that entry {first} has not used");
            let place = Place::Entry(second);
            told = true;
            failures.push(Failure::new(
                Check::DuplicateId,
                place,
                expected,
                format!("`{other}`"),
            ));
        }
    }
    found.dangling.sort_unstable_by_key(|(_, from)| *from);
    for (target, from) in found.dangling {
        let expected = format!("the id of entry {target}");
        let check = Check::Fold(FoldCheck::Reference);
        failures.push(Failure::new(
            check,
            Place::Entry(from),
            expected,
            "another id",
        ));
    }
    Ok(())
}

fn id_of(reader: &Reader<'_>, index: u64) -> Result<String, VerifyError> {
    let mut id = String::new();
    reader.read_again(index..index.saturating_add(1), |_, entry| {
        id = entry
            .map(|entry| entry.id.as_str().to_owned())
            .unwrap_or_default();
    })?;
    Ok(id)
}
