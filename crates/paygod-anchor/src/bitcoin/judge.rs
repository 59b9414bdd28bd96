//! Whether a timestamp leads to a block.

use paygod_types::{Code, code};

use super::block_in_path::is_transaction;
use super::headers::Headers;
use crate::ots::{Attestation, Attested, DetachedFile, Op};

/// A block that proves that the file existed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proven {
    /// Its height.
    pub height: u64,
    /// When it was made, by its miner's word: seconds since 1970, up to two hours off.
    pub time_s: u32,
    /// Blocks from it on that the headers know, it included.
    pub depth: u64,
}

/// Why a timestamp proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The path ends in another block than the one named.
    #[error(
        "the block of height {height} has another merkle root than the timestamp leads to; take it as forged, or as of a block that the chain has dropped"
    )]
    Root {
        /// The height.
        height: u64,
    },
    /// A step of the path is a transaction of 64 bytes.
    #[error(
        "the path to the block of height {height} goes through a transaction of 64 bytes, which can be passed off as a node of the merkle tree; take it as forged"
    )]
    Ambiguous {
        /// The height.
        height: u64,
    },
    /// The headers do not reach the block.
    #[error(
        "the block of height {height} is not among the headers, {first} to {last}; bring more of them"
    )]
    Unknown {
        /// The height.
        height: u64,
        /// The first height known.
        first: u64,
        /// The last height known.
        last: u64,
    },
    /// Too few blocks follow.
    #[error(
        "the block of height {height} is {depth} deep, and counts from {needed}; bring later headers"
    )]
    Shallow {
        /// The height.
        height: u64,
        /// Blocks known from it on, it included.
        depth: u64,
        /// Blocks needed.
        needed: u64,
    },
    /// No block is named yet.
    #[error("no block is named yet; upgrade it with `paygod anchor now`")]
    Pending,
}

impl ProofError {
    /// The permanent code.
    #[must_use]
    pub const fn code(&self) -> Code {
        code::ANCHOR_PROOF
    }

    /// Whether something is wrong, and not only missing.
    #[must_use]
    pub const fn is_wrong(&self) -> bool {
        matches!(self, Self::Root { .. } | Self::Ambiguous { .. })
    }

    /// What is worse to hear comes first.
    const fn rank(&self) -> u8 {
        match self {
            Self::Ambiguous { .. } => 4,
            Self::Root { .. } => 3,
            Self::Shallow { .. } => 2,
            Self::Unknown { .. } => 1,
            Self::Pending => 0,
        }
    }
}

/// The earliest block that the file's timestamp leads to. One is enough, as for the stock client: what
/// another calendar says beside it takes nothing away.
///
/// # Errors
/// None does; the worst reason is told.
pub fn judge(file: &DetachedFile, headers: &Headers) -> Result<Proven, ProofError> {
    let mut best: Result<Proven, ProofError> = Err(ProofError::Pending);
    let walked = file.walk(&mut |attested| {
        if let Attestation::Bitcoin { height } = attested.attestation {
            let found = check(&attested, *height, headers);
            let better = match (&found, &best) {
                (Ok(found), Ok(best)) => found.height < best.height,
                (Ok(_), Err(_)) => true,
                (Err(_), Ok(_)) => false,
                (Err(found), Err(best)) => found.rank() > best.rank(),
            };
            if better {
                best = found;
            }
        }
    });
    // A file that was read can be walked; one that was not proves nothing.
    walked.map_err(|_| ProofError::Pending)?;
    best
}

fn check(attested: &Attested<'_>, height: u64, headers: &Headers) -> Result<Proven, ProofError> {
    let twice = attested.path.windows(2).zip(attested.messages);
    let ambiguous = |(ops, message): (&[&Op], &Vec<u8>)| {
        matches!(ops, [Op::Sha256, Op::Sha256]) && is_transaction(message)
    };
    if twice.into_iter().any(ambiguous) {
        return Err(ProofError::Ambiguous { height });
    }
    let (Some(root), Some(time_s)) = (headers.merkle_root(height), headers.time_s(height)) else {
        let last = headers.end().saturating_sub(1);
        return Err(ProofError::Unknown {
            height,
            first: headers.first(),
            last,
        });
    };
    if attested.message() != root {
        return Err(ProofError::Root { height });
    }
    let (depth, needed) = (headers.depth(height), headers.network().depth_min());
    if depth < needed {
        return Err(ProofError::Shallow {
            height,
            depth,
            needed,
        });
    }
    Ok(Proven {
        height,
        time_s,
        depth,
    })
}
