//! Every id is used once, and every reference names an entry by both its id and its index; what is
//! corrected had posted money, and what is erased had been committed to.
//!
//! Ids are told apart by a 64-bit hash under a key of this run; equal ids have equal hashes, so none
//! is missed, and a match is confirmed by reading both entries.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use paygod_core::{Body, Check as FoldCheck, Entry, RequestRef};

use crate::batch::Reader;
use crate::error::VerifyError;
use crate::failure::{Check, Failure, Failures, Place};
use crate::limits::ID_PARTS;
use crate::spill::Spill;

/// All ids and references seen.
#[derive(Debug)]
pub(crate) struct Ids {
    /// Hash of an id; the entry that uses it, as a [`place`] with what it is.
    used: Spill<2>,
    /// Hash of an id; the entry named with it, as a [`place`] with what it must be; index of the entry that
    /// refers to it.
    references: Spill<3>,
}

/// It posted money.
const POSTED: u64 = 1;
/// Its request is committed to, and so in the vault.
const COMMITTED: u64 = 2;
const BITS: u32 = 2;

/// An index with two marks in one word that ascends by index. An index is below 2^53.
const fn place(index: u64, marks: u64) -> u64 {
    (index << BITS) | marks
}

const fn index_of(place: u64) -> u64 {
    place >> BITS
}

/// What an entry is to those that refer to it.
fn marks(entry: &Entry) -> u64 {
    let mut marks = 0;
    if entry.body.posts() {
        marks |= POSTED;
    }
    if matches!(entry.request, Some(RequestRef::Commitment(_))) {
        marks |= COMMITTED;
    }
    marks
}

/// What an entry must be that this body refers to.
const fn needed(body: &Body) -> u64 {
    match body {
        // What posted nothing leaves nothing to put right: its reverse would make money.
        Body::Correct(_) => POSTED,
        Body::EvidenceErase { .. } => COMMITTED,
        _ => 0,
    }
}

/// Two entries with one hash of their ids.
type Pair = (u64, u64);

/// What sorting one part brought up.
#[derive(Debug, Default)]
struct Found {
    pairs: Vec<Pair>,
    /// The entry named, as a [`place`], and the entry that names it.
    dangling: Vec<Pair>,
    /// The same, where the entry named is not what it must be.
    unfit: Vec<Pair>,
}

impl Ids {
    pub(crate) fn new(folder: &Path) -> Self {
        Self {
            used: Spill::new(folder),
            references: Spill::new(folder),
        }
    }

    /// The entry `index` uses its id, and says of another which it used.
    pub(crate) fn take(
        &mut self,
        id_hash: u64,
        index: u64,
        entry: &Entry,
        reader: &Reader<'_>,
    ) -> Result<(), VerifyError> {
        self.used.push([id_hash, place(index, marks(entry))])?;
        let Some(reference) = entry.body.refers_to() else {
            return Ok(());
        };
        let hash = reader.hash_id(reference.id.as_str());
        let target = place(reference.seq.0, needed(&entry.body));
        self.references.push([hash, target, index])
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
                        found.unfit.extend(more.unfit);
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
                found.pairs.push((index_of(*first), index_of(*second)));
            }
        }
        for [hash, target, from] in self.references.part(part)? {
            let needed = target & place(0, POSTED | COMMITTED);
            let wanted = [hash, index_of(target)];
            let found_at =
                used.binary_search_by(|[hash, place]| [*hash, index_of(*place)].cmp(&wanted));
            match found_at.ok().and_then(|at| used.get(at)) {
                None => found.dangling.push((target, from)),
                Some([_, marks]) if marks & needed != needed => found.unfit.push((target, from)),
                Some(_) => {}
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
        let expected = format!("the id of entry {}", index_of(target));
        failures.push(reference(from, expected, "another id"));
    }
    found.unfit.sort_unstable_by_key(|(_, from)| *from);
    for (target, from) in found.unfit {
        let named = index_of(target);
        failures.push(if target & POSTED == POSTED {
            let expected =
                format!("a correction of what posted money, and entry {named} to be one");
            reference(from, expected, "an entry that posted none")
        } else {
            let expected = format!("an input to erase, that entry {named} commits to");
            reference(from, expected, "an entry without one")
        });
    }
    Ok(())
}

fn reference(from: u64, expected: String, found: &str) -> Failure {
    let check = Check::Fold(FoldCheck::Reference);
    Failure::new(check, Place::Entry(from), expected, found)
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
