//! The published checkpoints: `checkpoint`, the last one, and `checkpoints.log`, all of them.
//!
//! In the log each note stands after its length in bytes, in decimal, on a line of its own.
//! A checkpoint is logged durably before it becomes the last one, so nothing is ever shown that the
//! log does not hold.
//!
//! It does not verify signatures: whoever publishes has just made them.

use std::sync::Arc;

use paygod_tlog::limits::NOTE_BYTES_MAX;
use paygod_tlog::{SignedCheckpoint, TreeHead};

use crate::disk::{Access, Dir, OpenFile};
use crate::error::{CheckpointError, IoFault};
use crate::reader::Segments;
use crate::width::{to_u64, to_usize};
use crate::witnessed::Witnessed;

pub(crate) const LAST_NAME: &str = "checkpoint";
pub(crate) const LOG_NAME: &str = "checkpoints.log";

/// Longest length line: the digits of the longest note and a newline.
const LENGTH_BYTES_MAX: usize = 7;
const RECORD_BYTES_MAX: usize = LENGTH_BYTES_MAX + NOTE_BYTES_MAX;

/// How many checkpoints, at least, may have been published since one that is looked for was the last.
const LATELY_RECORDS: usize = 8;

const _: () = assert!(NOTE_BYTES_MAX < 1_000_000);

/// Records published checkpoints. One writer; the files may be read by anyone.
#[derive(Debug)]
pub struct Checkpoints {
    dir: Dir,
    segments: Arc<Segments>,
    log: OpenFile,
    end: u64,
    last: Option<SignedCheckpoint>,
    poisoned: bool,
}

impl Checkpoints {
    /// Opens them for publishing, after `segments` was opened for writing; `shown` is what [`shown`] gave.
    pub(crate) fn open(
        dir: Dir,
        segments: Arc<Segments>,
        shown: Option<SignedCheckpoint>,
    ) -> Result<Self, CheckpointError> {
        let log = dir.open(LOG_NAME, Access::OpenOrCreate)?;
        let (unshown, records) = unshown(&log, shown.as_ref())?;
        if records.end < log.len()? {
            log.set_len(records.end)?;
        }
        // After a failed flush the system may show records that are not on the disk. They are written again, before
        // anything says that they are there.
        let mut again = vec![0_u8; to_usize(records.end.saturating_sub(records.start))];
        log.read_exact_at(&mut again, records.start)?;
        if !again.is_empty() {
            log.write_at(&again, records.start)?;
        }
        log.sync()?;
        dir.sync()?;
        if let Some(newest) = &unshown {
            dir.replace(LAST_NAME, &[&newest.to_bytes()])?;
        }
        Ok(Self {
            dir,
            segments,
            log,
            end: records.end,
            last: unshown.or(shown),
            poisoned: false,
        })
    }

    /// The last published checkpoint.
    #[must_use]
    pub const fn last(&self) -> Option<&SignedCheckpoint> {
        self.last.as_ref()
    }

    /// Size and root of the last published checkpoint.
    #[must_use]
    pub fn last_head(&self) -> Option<TreeHead> {
        self.last.as_ref().map(|last| *last.head())
    }

    /// Publishes a checkpoint durably: it is logged, then it becomes the last one.
    ///
    /// # Errors
    /// It is not larger than the last one, it covers entries that are not durable, or the disk
    /// refused; after that nothing more is published until the book is reopened.
    pub fn publish(&mut self, checkpoint: SignedCheckpoint) -> Result<(), CheckpointError> {
        let found = checkpoint.head().size;
        let last = self.last.as_ref().map(|last| last.head().size);
        if let Some(last) = last
            && found <= last
        {
            return Err(CheckpointError::NotLarger { last, found });
        }
        let durable = self.segments.durable();
        if found > durable {
            return Err(CheckpointError::NotDurable { durable, found });
        }
        if self.poisoned {
            return Err(CheckpointError::Poisoned);
        }
        let note = checkpoint.to_bytes();
        self.write(&note).inspect_err(|_| self.poisoned = true)?;
        self.last = Some(checkpoint);
        Ok(())
    }

    fn write(&mut self, note: &[u8]) -> Result<(), IoFault> {
        let mut record = Vec::new();
        append_record(&mut record, note);
        self.log.write_at(&record, self.end)?;
        self.log.sync()?;
        self.dir.replace(LAST_NAME, &[note])?;
        self.end = self.end.saturating_add(to_u64(record.len()));
        Ok(())
    }
}

/// What was published when somebody looked, beside whoever publishes. Entries that are read afterwards reach
/// at least as far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Published {
    /// The newest witnessed checkpoint.
    pub(crate) witnessed: Option<SignedCheckpoint>,
    /// The last checkpoint.
    pub(crate) last: Option<SignedCheckpoint>,
    /// Where the log's record of it ends.
    pub(crate) log_bytes: u64,
}

impl Published {
    pub(crate) fn read(dir: &Dir) -> Result<Self, CheckpointError> {
        // First: the last checkpoint then covers it.
        let witnessed = Witnessed::open(dir.clone())?.last().cloned();
        let shown = shown(dir)?;
        let Some(log) = dir.open_if_present(LOG_NAME, Access::Read)? else {
            return match shown {
                None => Ok(Self::default()),
                Some(_) => Err(CheckpointError::Malformed {
                    what: "the log of checkpoints is missing",
                }),
            };
        };
        let (unshown, records) = unshown(&log, shown.as_ref())?;
        if unshown.is_some() {
            // It may have been written a moment ago, and not be on the disk yet.
            log.sync_read()?;
        }
        Ok(Self {
            witnessed,
            last: unshown.or(shown),
            log_bytes: records.end,
        })
    }
}

/// What `checkpoint` shows.
pub(crate) fn shown(dir: &Dir) -> Result<Option<SignedCheckpoint>, CheckpointError> {
    let bytes = dir.read_whole(LAST_NAME, to_u64(NOTE_BYTES_MAX))?;
    bytes.map(|bytes| parse_note(&bytes)).transpose()
}

/// The last checkpoint of the log if `checkpoint` does not show it, and where the log's records behind the shown one stand. The
/// last one logged is the last one published, whatever `checkpoint` says: after a crash that file is one
/// behind, and whoever removes it, or puts an older one in its place, must not make the book forget what it
/// published. Only a torn record at the end does not count.
fn unshown(
    log: &OpenFile,
    shown: Option<&SignedCheckpoint>,
) -> Result<(Option<SignedCheckpoint>, std::ops::Range<u64>), CheckpointError> {
    let from = match shown {
        None => 0,
        Some(shown) => end_of(log, &shown.to_bytes())?,
    };
    let (end, newest) = walk(log, from..log.len()?, shown.map(|shown| *shown.head()))?;
    Ok((newest, from..end))
}

/// Reads whole checkpoints as long as there are any: gives where they end, and the last of them.
fn walk(
    log: &OpenFile,
    range: std::ops::Range<u64>,
    mut before: Option<TreeHead>,
) -> Result<(u64, Option<SignedCheckpoint>), CheckpointError> {
    let (mut end, mut newest) = (range.start, None);
    let mut piece = Vec::new();
    loop {
        let start = end;
        let span = range.end.saturating_sub(start);
        piece.resize(to_usize(span.min(to_u64(2 * RECORD_BYTES_MAX))), 0);
        log.read_exact_at(&mut piece, start)?;
        let mut notes = LogReader::new(&piece);
        while let Some(Ok(note)) = notes.next() {
            let Ok(checkpoint) = SignedCheckpoint::parse(note) else {
                break;
            };
            let head = *checkpoint.head();
            if before.is_some_and(|before| head.size <= before.size) {
                let what = "a checkpoint of the log is not larger than the one before";
                return Err(CheckpointError::Malformed { what });
            }
            before = Some(head);
            let read = piece.len().saturating_sub(notes.rest.len());
            end = start.saturating_add(to_u64(read));
            newest = Some(checkpoint);
        }
        if end == start {
            return Ok((end, newest));
        }
    }
}

/// Where the record of a note that was published lately ends in the log.
fn end_of(log: &OpenFile, note: &[u8]) -> Result<u64, CheckpointError> {
    let len = log.len()?;
    let from = len.saturating_sub(to_u64(LATELY_RECORDS.saturating_mul(RECORD_BYTES_MAX)));
    let mut tail = vec![0_u8; to_usize(len.saturating_sub(from))];
    log.read_exact_at(&mut tail, from)?;
    let mut record = Vec::new();
    append_record(&mut record, note);
    let start = rfind(&tail, &record).ok_or(CheckpointError::Malformed {
        what: "the last checkpoint is missing from the log",
    })?;
    Ok(from.saturating_add(to_u64(start.saturating_add(record.len()))))
}

fn parse_note(bytes: &[u8]) -> Result<SignedCheckpoint, CheckpointError> {
    SignedCheckpoint::parse(bytes).map_err(|_| CheckpointError::Malformed {
        what: "the last checkpoint does not parse",
    })
}

fn rfind(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .rposition(|window| window == needle)
}

/// Appends one note to the bytes of a `checkpoints.log`.
pub fn append_record(out: &mut Vec<u8>, note: &[u8]) {
    out.extend_from_slice(note.len().to_string().as_bytes());
    out.push(b'\n');
    out.extend_from_slice(note);
}

/// Reads the notes of a `checkpoints.log`, in order. Never reads past its bytes, allocates nothing.
#[derive(Clone, Debug)]
pub struct LogReader<'a> {
    rest: &'a [u8],
}

impl<'a> LogReader<'a> {
    /// Reads these bytes.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    fn record(&mut self) -> Option<&'a [u8]> {
        let head = self.rest.get(..LENGTH_BYTES_MAX.min(self.rest.len()))?;
        let digits_end = head.iter().position(|byte| *byte == b'\n')?;
        let digits = std::str::from_utf8(head.get(..digits_end)?).ok()?;
        let canonical = digits.bytes().all(|byte| byte.is_ascii_digit())
            && !digits.starts_with('0')
            && !digits.is_empty();
        let length: usize = digits.parse().ok().filter(|_| canonical)?;
        let start = digits_end.saturating_add(1);
        let note = self.rest.get(start..start.checked_add(length)?)?;
        self.rest = self.rest.get(start.checked_add(length)?..)?;
        (length <= NOTE_BYTES_MAX).then_some(note)
    }
}

impl<'a> Iterator for LogReader<'a> {
    type Item = Result<&'a [u8], CheckpointError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        Some(self.record().ok_or_else(|| {
            self.rest = &[];
            CheckpointError::Malformed {
                what: "a record of the log is cut short or has no length",
            }
        }))
    }
}
