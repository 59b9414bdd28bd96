//! The tree of a timestamp, and the file that carries it.

use std::collections::{BTreeMap, BTreeSet};

use paygod_types::Digest;

use super::op::FileHash;
use super::{
    ATTESTATIONS_MAX, Attestation, DEPTH_MAX, FILE_BYTES_MAX, OPS_MAX, Op, OtsError, read, write,
};

/// What is attested of one message, and of what follows from it.
///
/// It does not hold the message: whoever walks it has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timestamp {
    pub(super) attestations: BTreeSet<Attestation>,
    pub(super) ops: BTreeMap<Op, Timestamp>,
}

/// A message and what is said of it, found in a timestamp.
#[derive(Clone, Copy, Debug)]
pub struct Attested<'a> {
    /// The operations that lead to the message, the first one first.
    pub path: &'a [&'a Op],
    /// The messages on the way: the first is what the timestamp is of, the last is attested.
    pub messages: &'a [Vec<u8>],
    /// What is said of the last message.
    pub attestation: &'a Attestation,
}

impl Attested<'_> {
    /// The message that is attested.
    #[must_use]
    pub fn message(&self) -> &[u8] {
        self.messages.last().map(Vec::as_slice).unwrap_or_default()
    }
}

impl Timestamp {
    /// One attestation, at the end of a path of operations.
    #[must_use]
    pub fn of_path(
        path: impl IntoIterator<Item = Op, IntoIter: DoubleEndedIterator>,
        attestation: Attestation,
    ) -> Self {
        let mut timestamp = Self::default();
        timestamp.attestations.insert(attestation);
        for op in path.into_iter().rev() {
            let mut before = Self::default();
            before.ops.insert(op, timestamp);
            timestamp = before;
        }
        timestamp
    }

    /// Reads what a calendar answers: a timestamp of `message`, without the head of a file.
    ///
    /// # Errors
    /// The bytes are not one, or past a limit.
    pub fn parse(bytes: &[u8], message: &[u8]) -> Result<Self, OtsError> {
        read::timestamp(bytes, message)
    }

    /// The bytes that [`Self::parse`] reads.
    ///
    /// # Errors
    /// It attests nothing, or is past a limit.
    pub fn to_bytes(&self) -> Result<Vec<u8>, OtsError> {
        self.check()?;
        let mut out = Vec::new();
        write::timestamp(self, &mut out)?;
        Ok(out)
    }

    /// Adds everything that another timestamp of the same message says.
    ///
    /// # Errors
    /// Together they are past a limit: nothing was added.
    pub fn merge(&mut self, other: Self) -> Result<(), OtsError> {
        let mut whole = self.clone();
        whole.absorb(other);
        whole.check()?;
        *self = whole;
        Ok(())
    }

    /// Without a look at the limits: both sides are within the depth, so the stack holds.
    pub(super) fn absorb(&mut self, other: Self) {
        self.attestations.extend(other.attestations);
        for (op, below) in other.ops {
            self.ops.entry(op).or_default().absorb(below);
        }
    }

    /// Adds what another timestamp says of the message that `path` leads to.
    ///
    /// # Errors
    /// Together they are past a limit: nothing was added.
    pub fn graft(&mut self, path: &[&Op], other: Self) -> Result<(), OtsError> {
        if path.len() > DEPTH_MAX {
            return Err(OtsError::Depth);
        }
        let mut grown = other;
        for op in path.iter().rev() {
            let mut before = Self::default();
            before.ops.insert((*op).clone(), grown);
            grown = before;
        }
        self.merge(grown)
    }

    /// Calls `visit` for every attestation, given the message that the timestamp is of.
    ///
    /// # Errors
    /// An operation cannot be carried out on its message; never if it was read with this `message`.
    pub fn walk(
        &self,
        message: &[u8],
        visit: &mut dyn FnMut(Attested<'_>),
    ) -> Result<(), OtsError> {
        self.check()?;
        let mut messages = vec![message.to_vec()];
        self.walk_below(&mut Vec::new(), &mut messages, visit)
    }

    fn walk_below<'a>(
        &'a self,
        path: &mut Vec<&'a Op>,
        messages: &mut Vec<Vec<u8>>,
        visit: &mut dyn FnMut(Attested<'_>),
    ) -> Result<(), OtsError> {
        for attestation in &self.attestations {
            visit(Attested {
                path,
                messages,
                attestation,
            });
        }
        for (op, below) in &self.ops {
            let message = messages.last().map(Vec::as_slice).unwrap_or_default();
            let next = op.apply(message)?;
            messages.push(next);
            path.push(op);
            below.walk_below(path, messages, visit)?;
            path.pop();
            messages.pop();
        }
        Ok(())
    }

    /// Every attestation, in the order of the written form.
    #[must_use]
    pub fn attestations(&self) -> Vec<&Attestation> {
        let mut found: Vec<&Attestation> = self.attestations.iter().collect();
        for below in self.ops.values() {
            found.extend(below.attestations());
        }
        found
    }

    /// Whether a Bitcoin block is named.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let is_block = |found: &Attestation| matches!(found, Attestation::Bitcoin { .. });
        self.attestations.iter().any(is_block) || self.ops.values().any(Self::is_complete)
    }

    /// Holds it to the limits of depth and counts.
    pub(super) fn check(&self) -> Result<(), OtsError> {
        let mut tally = Tally::default();
        self.count(0, &mut tally)
    }

    fn count(&self, depth: usize, tally: &mut Tally) -> Result<(), OtsError> {
        tally.attestations = tally.attestations.saturating_add(self.attestations.len());
        tally.ops = tally.ops.saturating_add(self.ops.len());
        if tally.attestations > ATTESTATIONS_MAX {
            return Err(OtsError::Attestations);
        }
        if tally.ops > OPS_MAX {
            return Err(OtsError::Ops);
        }
        if depth >= DEPTH_MAX {
            return Err(OtsError::Depth);
        }
        let mut below = self.ops.values();
        below.try_for_each(|below| below.count(depth.saturating_add(1), tally))
    }
}

#[derive(Default)]
struct Tally {
    ops: usize,
    attestations: usize,
}

/// A detached timestamp file (`.ots`): the digest of a file, and its timestamp.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DetachedFile {
    pub(super) hash: FileHash,
    pub(super) digest: Vec<u8>,
    /// The timestamp of the digest.
    pub timestamp: Timestamp,
}

impl DetachedFile {
    /// The file of a SHA-256 digest.
    #[must_use]
    pub fn new(digest: &Digest, timestamp: Timestamp) -> Self {
        Self {
            hash: FileHash::Sha256,
            digest: digest.as_bytes().to_vec(),
            timestamp,
        }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// The bytes are not one, or past a limit.
    pub fn parse(bytes: &[u8]) -> Result<Self, OtsError> {
        read::file(bytes)
    }

    /// The bytes of the file: what the stock client would write of the same tree.
    ///
    /// # Errors
    /// It attests nothing, or is past a limit.
    pub fn to_bytes(&self) -> Result<Vec<u8>, OtsError> {
        let mut out = write::head(self.hash, &self.digest);
        out.extend(self.timestamp.to_bytes()?);
        if out.len() > FILE_BYTES_MAX {
            return Err(OtsError::file(out.len()));
        }
        Ok(out)
    }

    /// The hash that the file was digested with.
    #[must_use]
    pub const fn hash(&self) -> FileHash {
        self.hash
    }

    /// The digest of the file: 20 or 32 bytes.
    #[must_use]
    pub fn digest(&self) -> &[u8] {
        &self.digest
    }

    /// Whether it is of the file with this SHA-256 digest.
    #[must_use]
    pub fn is_of(&self, digest: &Digest) -> bool {
        self.hash == FileHash::Sha256 && self.digest == digest.as_bytes()
    }

    /// Adds everything that another file of the same digest says.
    ///
    /// # Errors
    /// It is of another digest, or together they are past a limit: nothing was added.
    pub fn merge(&mut self, other: Self) -> Result<(), OtsError> {
        if self.hash != other.hash || self.digest != other.digest {
            return Err(OtsError::OtherMessage);
        }
        self.timestamp.merge(other.timestamp)
    }

    /// Calls `visit` for every attestation.
    ///
    /// # Errors
    /// An operation cannot be carried out; never if the file was read.
    pub fn walk(&self, visit: &mut dyn FnMut(Attested<'_>)) -> Result<(), OtsError> {
        self.timestamp.walk(&self.digest, visit)
    }
}
