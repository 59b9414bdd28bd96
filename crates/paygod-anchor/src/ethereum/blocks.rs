//! Which blocks are of the chain, as an auditor says.
//!
//! The file is text, one block a line, each one higher than the last, gaps allowed:
//!
//! ```text
//! <number> 0x<64 lower-case hexadecimal digits of its hash>
//! ```
//!
//! Unlike a Bitcoin header a block of Ethereum does not show by itself that it is of the chain: its validators have
//! signed it, which only a node follows. So the hashes come from the auditor's own node, or from two that agree.
//!
//! INVARIANT(bounded-parser): a line is bounded before it is kept, and blocks are counted.

use std::collections::BTreeMap;
use std::io::{self, BufRead};

use alloy_primitives::B256;
use paygod_types::{Code, code};

/// Most blocks of a file.
pub const BLOCKS_MAX: usize = 4_000_000;

/// Longest line: 20 digits of a number, a blank, `0x`, the hash, line ends of any kind.
const LINE_BYTES_MAX: u64 = 20 + 1 + 2 + 64 + 2;

/// Blocks that must be known from the one that attests on, it included, before it counts: two epochs, after which a
/// block is final unless validators fail.
const DEPTH_MIN: u64 = 64;

/// The chain that counts, by its number.
const MAIN: u64 = 1;

/// Hashes of blocks of one chain.
#[derive(Clone, Debug)]
pub struct Blocks {
    chain_id: u64,
    hashes: BTreeMap<u64, B256>,
}

/// A file of blocks was refused.
#[derive(Debug, thiserror::Error)]
pub enum BlocksError {
    /// The operating system refused.
    #[error("the block hashes cannot be read: {0}")]
    Io(#[from] io::Error),
    /// A line is not a number, higher than the one before, and a hash.
    #[error(
        "line {line} of the block hashes is not a number, higher than the one before, and `0x` with 64 lower-case hexadecimal digits"
    )]
    Line {
        /// Which, from 1.
        line: u64,
    },
    /// There is none, or there are too many.
    #[error("the file has no block hashes, or more than {BLOCKS_MAX}")]
    Count,
}

impl BlocksError {
    /// The permanent code.
    #[must_use]
    pub const fn code(&self) -> Code {
        code::ANCHOR_HEADERS
    }
}

impl Blocks {
    /// Reads a file of hashes of the chain with this number.
    ///
    /// # Errors
    /// A line is malformed; the first one is named.
    pub fn read(from: &mut dyn BufRead, chain_id: u64) -> Result<Self, BlocksError> {
        let mut hashes = BTreeMap::new();
        let (mut text, mut line, mut last) = (Vec::new(), 0_u64, None);
        loop {
            text.clear();
            let most = LINE_BYTES_MAX.saturating_add(1);
            if io::Read::take(&mut *from, most).read_until(b'\n', &mut text)? == 0 {
                break;
            }
            line = line.saturating_add(1);
            let parsed =
                parse_line(&text).filter(|(number, _)| last.is_none_or(|last| last < *number));
            let (number, hash) = parsed.ok_or(BlocksError::Line { line })?;
            last = Some(number);
            hashes.insert(number, hash);
            if hashes.len() > BLOCKS_MAX {
                return Err(BlocksError::Count);
            }
        }
        if hashes.is_empty() {
            return Err(BlocksError::Count);
        }
        Ok(Self { chain_id, hashes })
    }

    /// The number of the chain.
    #[must_use]
    pub const fn chain_id(&self) -> u64 {
        self.chain_id
    }

    /// The hash of a block.
    #[must_use]
    pub fn hash(&self, number: u64) -> Option<&B256> {
        self.hashes.get(&number)
    }

    /// Blocks from the one of a number on, it included.
    #[must_use]
    pub fn depth(&self, number: u64) -> u64 {
        let last = self.hashes.keys().next_back().copied().unwrap_or(0);
        last.saturating_add(1).saturating_sub(number)
    }

    /// How deep a block must be to count.
    #[must_use]
    pub const fn depth_min(&self) -> u64 {
        depth_min(self.chain_id)
    }
}

/// How deep a block of a chain must be to count.
pub(super) const fn depth_min(chain_id: u64) -> u64 {
    if chain_id == MAIN { DEPTH_MIN } else { 1 }
}

fn parse_line(line: &[u8]) -> Option<(u64, B256)> {
    let text = core::str::from_utf8(line).ok()?;
    let (number, hash) = text.trim_end_matches(['\n', '\r']).split_once(' ')?;
    let canonical = number == "0" || !number.starts_with('0');
    if !canonical || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let hash = paygod_types::parse_hex::<32>(hash.strip_prefix("0x")?).ok()?;
    Some((number.parse().ok()?, B256::from(hash)))
}
