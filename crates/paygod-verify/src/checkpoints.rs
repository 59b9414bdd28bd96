//! The checkpoints to check, in the order of their sizes: the published ones, streamed from
//! `checkpoints.log`, the last one, and those that the auditor kept.
//!
//! In the log each note stands after its length in bytes, in decimal, on a line of its own.

use paygod_tlog::limits::NOTE_BYTES_MAX;
use paygod_tlog::{SignedCheckpoint, TreeHead};

use crate::error::VerifyError;
use crate::failure::{Check, Failure, Failures, Place};
use crate::limits::{LOG_LENGTH_DIGITS_MAX, LOG_READ_BYTES};
use crate::source::{Source, SourceError};

pub(crate) const LAST: &str = "checkpoint";
pub(crate) const WITNESSED: &str = "witnessed";
const LOG: &str = "checkpoints.log";

/// Where a checkpoint comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// `checkpoint` or `checkpoints.log`.
    Published,
    /// `witnessed`.
    Witnessed,
    /// The auditor.
    Kept,
}

/// A checkpoint to check once the tree has its size.
#[derive(Clone, Debug)]
pub(crate) struct Due {
    pub(crate) signed: SignedCheckpoint,
    pub(crate) origin: Origin,
}

impl Due {
    const fn size(&self) -> u64 {
        self.signed.head().size
    }
}

/// All checkpoints in the order of their sizes.
pub(crate) struct Checkpoints<'a> {
    log: LogReader<'a>,
    /// The next one of the log, read already.
    ahead: Option<SignedCheckpoint>,
    /// The last one and the kept ones, the largest first.
    others: Vec<Due>,
    /// Size and root of the log's last so far.
    log_head: Option<TreeHead>,
    last: TreeHead,
}

impl<'a> Checkpoints<'a> {
    pub(crate) fn new(
        source: &'a dyn Source,
        last: &SignedCheckpoint,
        kept: Vec<SignedCheckpoint>,
        failures: &mut Failures,
    ) -> Result<Self, VerifyError> {
        let witnessed = read_witnessed(source, failures)?.map(|signed| Due {
            signed,
            origin: Origin::Witnessed,
        });
        let kept = kept.into_iter().map(|signed| Due {
            signed,
            origin: Origin::Kept,
        });
        let published = Due {
            signed: last.clone(),
            origin: Origin::Published,
        };
        let mut others: Vec<Due> = kept.chain(witnessed).chain([published]).collect();
        others.sort_by_key(|due| std::cmp::Reverse(due.size()));
        let mut checkpoints = Self {
            log: LogReader::new(source),
            ahead: None,
            others,
            log_head: None,
            last: *last.head(),
        };
        checkpoints.advance(failures)?;
        Ok(checkpoints)
    }

    /// The size of the next one, if there is one.
    pub(crate) fn next_size(&self) -> Option<u64> {
        let other = self.others.last().map(Due::size);
        let ahead = self.ahead.as_ref().map(|signed| signed.head().size);
        match (other, ahead) {
            (Some(other), Some(ahead)) => Some(other.min(ahead)),
            (other, ahead) => other.or(ahead),
        }
    }

    /// Takes the next one, if it is no larger than `size`.
    pub(crate) fn take(
        &mut self,
        size: u64,
        failures: &mut Failures,
    ) -> Result<Option<Due>, VerifyError> {
        if self.next_size().is_none_or(|next| next > size) {
            return Ok(None);
        }
        let next = self.next_size();
        if let Some(signed) = self
            .ahead
            .take_if(|signed| Some(signed.head().size) == next)
        {
            self.advance(failures)?;
            // The last of the log is `checkpoint` too: once is enough.
            self.others
                .pop_if(|due| due.origin == Origin::Published && due.signed == signed);
            return Ok(Some(Due {
                signed,
                origin: Origin::Published,
            }));
        }
        Ok(self.others.pop())
    }

    /// Reads on to the next checkpoint of the log that is larger than the one before.
    fn advance(&mut self, failures: &mut Failures) -> Result<(), VerifyError> {
        loop {
            let signed = match self.log.next()? {
                None => {
                    self.check_end(failures);
                    return Ok(());
                }
                Some(Ok(signed)) => signed,
                Some(Err(reason)) => {
                    let expected = "checkpoints, each after its length";
                    let place = Place::File(LOG.to_owned());
                    failures.push(Failure::new(Check::Checkpoint, place, expected, reason));
                    return Ok(());
                }
            };
            let head = *signed.head();
            match self.log_head {
                Some(before) if head.size == before.size => {
                    failures.push(if head.root == before.root {
                        order(head.size, format!("a size above {}", before.size))
                    } else {
                        fork(before, head)
                    });
                }
                Some(before) if head.size < before.size => {
                    failures.push(order(head.size, format!("a size above {}", before.size)));
                }
                _ => {
                    if head.size == self.last.size && head.root != self.last.root {
                        failures.push(fork(head, self.last));
                    }
                    self.log_head = Some(head);
                    self.ahead = Some(signed);
                    return Ok(());
                }
            }
        }
    }

    /// The one shown must be the last one published.
    fn check_end(&self, failures: &mut Failures) {
        let Some(head) = self.log_head else {
            let place = Place::File(LOG.to_owned());
            let expected = "every checkpoint that was published";
            failures.push(Failure::new(Check::Missing, place, expected, "none"));
            return;
        };
        if head.size != self.last.size {
            let expected = format!("the last one published, of size {}", head.size);
            let found = format!("size {}", self.last.size);
            let place = Place::File(LAST.to_owned());
            failures.push(Failure::new(Check::Order, place, expected, found));
        }
    }
}

/// The newest witnessed checkpoint, if the log shows one.
fn read_witnessed(
    source: &dyn Source,
    failures: &mut Failures,
) -> Result<Option<SignedCheckpoint>, VerifyError> {
    let mut bytes = Vec::new();
    let end = u64::try_from(NOTE_BYTES_MAX).unwrap_or(0).saturating_add(1);
    if !source.read(WITNESSED, 0..end, &mut bytes)? {
        return Ok(None);
    }
    match SignedCheckpoint::parse(&bytes) {
        Ok(signed) => Ok(Some(signed)),
        Err(error) => {
            let place = Place::File(WITNESSED.to_owned());
            let expected = "a checkpoint with the cosignatures of witnesses";
            failures.push(Failure::new(
                Check::Checkpoint,
                place,
                expected,
                error.to_string(),
            ));
            Ok(None)
        }
    }
}

fn order(size: u64, expected: String) -> Failure {
    Failure::new(
        Check::Order,
        Place::Checkpoint(size),
        expected,
        format!("size {size}"),
    )
}

fn fork(one: TreeHead, other: TreeHead) -> Failure {
    let expected = format!("one root: {}", one.root);
    Failure::new(
        Check::Fork,
        Place::Checkpoint(one.size),
        expected,
        other.root.to_string(),
    )
}

/// Streams the notes of `checkpoints.log`.
struct LogReader<'a> {
    source: &'a dyn Source,
    offset: u64,
    buffer: Vec<u8>,
    /// Bytes of the buffer already read.
    used: usize,
    ended: bool,
}

impl<'a> LogReader<'a> {
    const fn new(source: &'a dyn Source) -> Self {
        Self {
            source,
            offset: 0,
            buffer: Vec::new(),
            used: 0,
            ended: false,
        }
    }

    /// The next checkpoint, or why there is none where one should be; nothing comes after that.
    fn next(&mut self) -> Result<Option<Result<SignedCheckpoint, String>>, SourceError> {
        self.fill()?;
        let rest = self.buffer.get(self.used..).unwrap_or(&[]);
        if rest.is_empty() {
            return Ok(None);
        }
        let Some((note, length)) = record(rest) else {
            self.end();
            return Ok(Some(Err(
                "a record cut short or without its length".to_owned()
            )));
        };
        let parsed = SignedCheckpoint::parse(note).map_err(|error| error.to_string());
        self.used = self.used.saturating_add(length);
        if parsed.is_err() {
            self.end();
        }
        Ok(Some(parsed))
    }

    fn end(&mut self) {
        self.ended = true;
        self.buffer.clear();
        self.used = 0;
    }

    /// Reads on unless a whole record is at hand for certain.
    fn fill(&mut self) -> Result<(), SourceError> {
        let left = self.buffer.len().saturating_sub(self.used);
        if self.ended || left > NOTE_BYTES_MAX + LOG_LENGTH_DIGITS_MAX {
            return Ok(());
        }
        self.buffer.drain(..self.used.min(self.buffer.len()));
        self.used = 0;
        let before = self.buffer.len();
        let length = u64::try_from(LOG_READ_BYTES).unwrap_or(0);
        let end = self.offset.saturating_add(length);
        self.source.read(LOG, self.offset..end, &mut self.buffer)?;
        let read = u64::try_from(self.buffer.len().saturating_sub(before)).unwrap_or(0);
        self.offset = self.offset.saturating_add(read);
        self.ended = read < length;
        Ok(())
    }
}

/// The note at the front of the bytes, and the length of its record.
fn record(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let digits = bytes
        .iter()
        .take(LOG_LENGTH_DIGITS_MAX + 1)
        .position(|byte| *byte == b'\n')?;
    let text = std::str::from_utf8(bytes.get(..digits)?).ok()?;
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    let length: usize = text.parse().ok().filter(|_| plain)?;
    let start = digits.checked_add(1)?;
    let end = start.checked_add(length)?;
    Some((bytes.get(start..end)?, end))
}
