//! The threads: all of them read batches; whichever is free when the next batch in order is ready folds
//! it. So the work divides itself whatever either half costs.
//!
//! INVARIANT(flat-memory): a batch is read only while fewer than a bounded number, and fewer bytes, wait to be
//! folded. Nothing is read behind the first before that is folded: a book of another fingerprint ends there.

use std::collections::BTreeMap;
use std::hash::RandomState;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use paygod_tlog::limits::NOTE_BYTES_MAX;
use paygod_tlog::{SignedCheckpoint, TlogProof};

use crate::audit::Audit;
use crate::batch::{Batch, Buffers, Reader};
use crate::checkpoints::{Checkpoints, LAST};
use crate::error::VerifyError;
use crate::failure::{Check, Failure, Failures, Place};
use crate::limits::{
    BATCHES_AHEAD_PER_THREAD, BATCHES_READ_FIRST, BYTES_AHEAD_MAX, KEPT_MAX, THREADS_MAX,
};
use crate::options::{Depth, Options, Progress};
use crate::report::Report;
use crate::source::{Source, Whole, read_whole};

pub(crate) fn run(
    source: &dyn Source,
    options: &Options<'_>,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Report, VerifyError> {
    let mut failures = Failures::new(options.failures_max);
    let (mut kept, proofs) = read_kept(options)?;
    let last = match read_last(source)? {
        Ok(last) => last,
        Err(failure) => {
            failures.push(failure);
            return Ok(without_checkpoint(options, failures));
        }
    };
    let kept_export = match options.kept.export {
        None => None,
        Some(export) => {
            let signed = read_last(export)?.map_err(|failure| VerifyError::Kept {
                what: "an export".to_owned(),
                reason: failure.to_string(),
            })?;
            let size = signed.head().size;
            kept.push(signed);
            Some((export, size))
        }
    };
    let reader = Reader {
        source,
        size: last.head().size,
        depth: options.depth,
        id_hasher: RandomState::new(),
        kept: kept_export,
        spoken_of: Mutex::default(),
    };
    let checkpoints = Checkpoints::new(source, &last, kept, &mut failures)?;
    let audit = Audit::new(&reader, options, checkpoints, proofs, failures);
    let line = Line {
        reader: &reader,
        audit: Mutex::new(audit),
        queue: Mutex::new(Queue::default()),
        changed: Condvar::new(),
        progress,
        read_first: match options.depth {
            Depth::Whole => BATCHES_READ_FIRST,
            Depth::Sealed => 1,
        },
        ahead_max: BATCHES_AHEAD_PER_THREAD.saturating_mul(threads(options)),
    };
    std::thread::scope(|scope| {
        for _ in 1..threads(options) {
            scope.spawn(|| line.work());
        }
        line.work();
    });
    if let Some(fault) = lock(&line.queue).fault.take() {
        return Err(fault);
    }
    line.audit
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner)
        .finish()
}

fn threads(options: &Options<'_>) -> u64 {
    u64::try_from(options.threads.clamp(1, THREADS_MAX)).unwrap_or(1)
}

/// What all threads share.
struct Line<'a> {
    reader: &'a Reader<'a>,
    audit: Mutex<Audit<'a>>,
    queue: Mutex<Queue>,
    changed: Condvar,
    progress: &'a (dyn Fn(Progress) + Sync),
    /// How many batches wait, unless all are read, before the first of them is folded.
    read_first: usize,
    ahead_max: u64,
}

/// Which batches are read, waiting and folded.
#[derive(Default)]
struct Queue {
    /// The next batch that nobody reads yet.
    unread: u64,
    /// Batches read, by number.
    waiting: BTreeMap<u64, Batch>,
    /// Bytes of the entries in them.
    bytes_waiting: u64,
    /// The next batch to fold.
    unfolded: u64,
    /// Somebody folds.
    folding: bool,
    /// No more is to be done.
    stop: bool,
    fault: Option<VerifyError>,
    /// Batches whose memory can be used again.
    spare: Vec<Batch>,
}

enum Job {
    Read(u64, Batch),
    Fold(Batch),
}

impl Line<'_> {
    fn work(&self) {
        let mut buffers = Buffers::default();
        // Should this thread panic, the others must not wait for it.
        let mut guard = StopOnUnwind {
            line: self,
            armed: true,
        };
        while let Some(job) = self.next_job() {
            match job {
                Job::Read(number, batch) => self.read(number, batch, &mut buffers),
                Job::Fold(batch) => self.fold(batch),
            }
        }
        guard.armed = false;
    }

    fn next_job(&self) -> Option<Job> {
        let batches = self.reader.batches();
        let mut queue = lock(&self.queue);
        loop {
            if queue.stop || queue.unfolded == batches {
                return None;
            }
            let next = queue.unfolded;
            let full = queue.bytes_waiting >= BYTES_AHEAD_MAX;
            let far_enough = queue.waiting.len() >= self.read_first
                || queue.unread == batches
                || next == 0
                || full;
            if !queue.folding
                && far_enough
                && let Some(batch) = queue.waiting.remove(&next)
            {
                queue.folding = true;
                queue.bytes_waiting = queue.bytes_waiting.saturating_sub(batch.bytes);
                return Some(Job::Fold(batch));
            }
            let first = u64::try_from(self.read_first).unwrap_or(u64::MAX);
            let ahead_max = match next {
                0 => 1,
                _ => self.ahead_max.saturating_add(first),
            };
            let end = batches.min(next.saturating_add(ahead_max));
            if !full && queue.unread < end {
                let number = queue.unread;
                queue.unread = number.saturating_add(1);
                let batch = queue.spare.pop().unwrap_or_default();
                return Some(Job::Read(number, batch));
            }
            queue = self
                .changed
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn read(&self, number: u64, mut batch: Batch, buffers: &mut Buffers) {
        let outcome = self.reader.read_batch(number, buffers, &mut batch);
        let mut queue = lock(&self.queue);
        match outcome {
            Ok(()) => {
                queue.bytes_waiting = queue.bytes_waiting.saturating_add(batch.bytes);
                queue.waiting.insert(number, batch);
            }
            Err(error) => queue.halt(error.into()),
        }
        self.changed.notify_all();
    }

    fn fold(&self, mut batch: Batch) {
        let mut audit = lock(&self.audit);
        let outcome = audit.take(&mut batch);
        let enough = audit.is_enough();
        let entries_done = audit.entries_done();
        drop(audit);
        (self.progress)(Progress {
            entries_done,
            entries_total: self.reader.size,
        });
        let mut queue = lock(&self.queue);
        queue.folding = false;
        queue.unfolded = queue.unfolded.saturating_add(1);
        queue.spare.push(batch);
        queue.stop |= enough;
        if let Err(error) = outcome {
            queue.halt(error);
        }
        self.changed.notify_all();
    }
}

impl Queue {
    fn halt(&mut self, fault: VerifyError) {
        self.stop = true;
        self.fault.get_or_insert(fault);
    }
}

struct StopOnUnwind<'s, 'a> {
    line: &'s Line<'a>,
    armed: bool,
}

impl Drop for StopOnUnwind<'_, '_> {
    fn drop(&mut self) {
        if self.armed {
            lock(&self.line.queue).stop = true;
            self.line.changed.notify_all();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The last published checkpoint: it says how large the log is.
fn read_last(source: &dyn Source) -> Result<Result<SignedCheckpoint, Failure>, VerifyError> {
    let bytes_max = u64::try_from(NOTE_BYTES_MAX).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    let fail = |check, found: String| {
        Failure::new(
            check,
            Place::File(LAST.to_owned()),
            "a signed checkpoint",
            found,
        )
    };
    Ok(match read_whole(source, LAST, bytes_max, &mut bytes)? {
        Whole::Missing => Err(fail(Check::Missing, "no such file".to_owned())),
        Whole::TooLong => Err(fail(
            Check::Checkpoint,
            format!("more than {bytes_max} bytes"),
        )),
        Whole::Read => SignedCheckpoint::parse(&bytes)
            .map_err(|error| fail(Check::Checkpoint, error.to_string())),
    })
}

/// The auditor's own checkpoints, those of the proofs included, and proofs.
fn read_kept(
    options: &Options<'_>,
) -> Result<(Vec<SignedCheckpoint>, Vec<TlogProof>), VerifyError> {
    let kept = &options.kept;
    let count = kept
        .checkpoints
        .len()
        .saturating_add(kept.proofs.len())
        .saturating_add(kept.revocations.len());
    if count > KEPT_MAX {
        let what = "checkpoints, proofs and revocations".to_owned();
        return Err(VerifyError::Kept {
            what,
            reason: format!("{count} of at most {KEPT_MAX}"),
        });
    }
    let mut checkpoints = Vec::new();
    for (bytes, number) in kept.checkpoints.iter().zip(1_u32..) {
        checkpoints.push(
            SignedCheckpoint::parse(bytes).map_err(|error| VerifyError::Kept {
                what: format!("checkpoint {number}"),
                reason: error.to_string(),
            })?,
        );
    }
    let mut proofs = Vec::new();
    for (bytes, number) in kept.proofs.iter().zip(1_u32..) {
        let proof = TlogProof::parse(bytes).map_err(|error| VerifyError::Kept {
            what: format!("proof {number}"),
            reason: error.to_string(),
        })?;
        checkpoints.push(proof.checkpoint.clone());
        proofs.push(proof);
    }
    Ok((checkpoints, proofs))
}

/// Without a checkpoint nobody can say what the log is.
fn without_checkpoint(options: &Options<'_>, failures: Failures) -> Report {
    let (failures, failures_omitted) = failures.finish();
    Report {
        depth: options.depth,
        origin: String::new(),
        genesis: None,
        genesis_pinned: options.genesis.is_some(),
        head: None,
        keys: 0,
        hybrid: false,
        witnessed: None,
        revoked: Vec::new(),
        checkpoints: 0,
        kept: 0,
        accounts: 0,
        totals: Vec::new(),
        marks: crate::anchors::Marks::default(),
        anchors: None,
        failures,
        failures_omitted,
    }
}
