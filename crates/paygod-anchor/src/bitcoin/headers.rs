//! A file of block headers: read, and held to the rules of its chain.
//!
//! The file is text, one block a line, each one higher than the last:
//!
//! ```text
//! <height> <160 lower-case hexadecimal digits>
//! ```
//!
//! which is what a node prints for `getblockheader <hash> false`.
//!
//! INVARIANT(bounded-parser): a line is bounded before it is kept, blocks are counted, and of each only its
//! merkle root and its time stay in memory.

use std::io::{self, BufRead};

use paygod_types::{Code, code};

use super::header::{BlockHash, HEADER_BYTES, Header};
use super::network::Network;
use super::target::{PERIOD_BLOCKS, Target};

/// Most blocks of a file: some seventy years of them.
pub const HEADERS_MAX: usize = 4_000_000;

/// Longest line: 20 digits of a height, a blank, the header, line ends of any kind.
const LINE_BYTES_MAX: u64 = 20 + 1 + 160 + 2;

/// The hash of the main chain's first block, backwards as everybody prints it.
const GENESIS: &str = "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f";

/// A file of the main chain begins with its first block, or not before this height.
pub const MODERN_HEIGHT: u64 = 800_000;

/// The easiest target from [`MODERN_HEIGHT`] on: a difficulty of 10¹³, a fifth of what it was there. A
/// file that begins in the middle could else be made at home.
const MODERN_BITS: u32 = 0x171c_25a5;

/// Headers of one chain, in order, without a gap.
#[derive(Clone, Debug)]
pub struct Headers {
    network: Network,
    first: u64,
    blocks: Vec<Block>,
}

#[derive(Clone, Copy, Debug)]
struct Block {
    merkle_root: [u8; 32],
    time: u32,
}

/// A file of headers was refused.
#[derive(Debug, thiserror::Error)]
pub enum HeadersError {
    /// The operating system refused.
    #[error("the block headers cannot be read: {0}")]
    Io(#[from] io::Error),
    /// A line is not a height and a header.
    #[error(
        "line {line} of the block headers is not a height and 160 lower-case hexadecimal digits; make the file with `getblockheader <hash> false`"
    )]
    Line {
        /// Which, from 1.
        line: u64,
    },
    /// There is no line.
    #[error("the file of block headers is empty; make it again from a node of your own")]
    Empty,
    /// There are too many.
    #[error("the file has more than {HEADERS_MAX} block headers; begin it at a later height")]
    TooMany,
    /// A height is not the next one.
    #[error(
        "line {line} of the block headers has height {found}, expected {expected}; leave none out"
    )]
    Height {
        /// Which line, from 1.
        line: u64,
        /// The height found.
        found: u64,
        /// The height expected.
        expected: u64,
    },
    /// The file begins where nothing vouches for its difficulty.
    #[error(
        "block headers of the main chain begin at height 0 or at {MODERN_HEIGHT} and later, found {found}; make the file again from there"
    )]
    Start {
        /// The height found.
        found: u64,
    },
    /// A header does not hold.
    #[error(
        "the block header of height {height} is none of the chain `{network}`: {reason}; take it as forged"
    )]
    Chain {
        /// Its height.
        height: u64,
        /// The chain.
        network: Network,
        /// Why.
        reason: &'static str,
    },
}

impl HeadersError {
    /// The permanent code.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Chain { .. } => code::ANCHOR_CHAIN,
            _ => code::ANCHOR_HEADERS,
        }
    }
}

impl Headers {
    /// Reads a file and checks every header: its work, its target, the block it follows.
    ///
    /// # Errors
    /// A line is malformed, or a header does not hold; the first one is named.
    pub fn read(from: &mut dyn BufRead, network: Network) -> Result<Self, HeadersError> {
        let mut text = Vec::new();
        let mut line = 0_u64;
        let mut headers: Option<(Self, Link)> = None;
        loop {
            text.clear();
            let most = LINE_BYTES_MAX.saturating_add(1);
            let read = io::Read::take(&mut *from, most).read_until(b'\n', &mut text)?;
            if read == 0 {
                break;
            }
            line = line.saturating_add(1);
            let (height, header) = parse_line(&text).ok_or(HeadersError::Line { line })?;
            match &mut headers {
                None => headers = Some(Self::begin(network, height, &header)?),
                Some((headers, link)) => {
                    let expected = headers.end();
                    if height != expected {
                        return Err(HeadersError::Height {
                            line,
                            found: height,
                            expected,
                        });
                    }
                    headers.push(link, &header)?;
                }
            }
        }
        headers
            .map(|(headers, _)| headers)
            .ok_or(HeadersError::Empty)
    }

    fn begin(network: Network, first: u64, header: &Header) -> Result<(Self, Link), HeadersError> {
        let mut headers = Self {
            network,
            first,
            blocks: Vec::new(),
        };
        if network == Network::Main {
            if first == 0 && header.hash().to_string() != GENESIS {
                return Err(headers.fault(0, "the chain begins with another block"));
            }
            if first > 0 && first < MODERN_HEIGHT {
                return Err(HeadersError::Start { found: first });
            }
        }
        let hash = headers.check_work(first, header)?;
        headers.keep(header);
        Ok((
            headers,
            Link {
                hash,
                bits: header.bits,
            },
        ))
    }

    fn push(&mut self, link: &mut Link, header: &Header) -> Result<(), HeadersError> {
        let height = self.end();
        if self.blocks.len() >= HEADERS_MAX {
            return Err(HeadersError::TooMany);
        }
        if header.before != link.hash {
            return Err(self.fault(height, "it does not name the block before it"));
        }
        self.check_target(height, link.bits, header.bits)?;
        let hash = self.check_work(height, header)?;
        self.keep(header);
        *link = Link {
            hash,
            bits: header.bits,
        };
        Ok(())
    }

    fn keep(&mut self, header: &Header) {
        self.blocks.push(Block {
            merkle_root: header.merkle_root,
            time: header.time,
        });
    }

    /// The target is the one of the block before; on the main chain it changes every 2,016 blocks, by how
    /// long they took. A change whose period the file does not hold is bounded by a factor of four.
    fn check_target(&self, height: u64, before: u32, bits: u32) -> Result<(), HeadersError> {
        let refuse = || self.fault(height, "its target is not the one that is due");
        if self.network == Network::Test {
            return Ok(());
        }
        if self.network == Network::Regtest || !height.is_multiple_of(PERIOD_BLOCKS) {
            return if bits == before {
                Ok(())
            } else {
                Err(refuse())
            };
        }
        let easiest = self.network.easiest();
        let old = Target::from_bits(before).ok_or_else(refuse)?;
        let new = Target::from_bits(bits).ok_or_else(refuse)?;
        let times = height
            .checked_sub(PERIOD_BLOCKS)
            .and_then(|begun| self.block(begun))
            .zip(self.blocks.last());
        let Some((begun, ended)) = times else {
            let most = old.after_period(i64::MAX, &easiest);
            let least = old.after_period(0, &easiest);
            let bounded = least.is_at_most(&new) && new.is_at_most(&most);
            return if bounded { Ok(()) } else { Err(refuse()) };
        };
        let seconds = i64::from(ended.time).saturating_sub(i64::from(begun.time));
        let due = old.after_period(seconds, &easiest).to_bits();
        if due == bits { Ok(()) } else { Err(refuse()) }
    }

    fn check_work(&self, height: u64, header: &Header) -> Result<BlockHash, HeadersError> {
        let target = Target::from_bits(header.bits)
            .filter(|target| target.is_at_most(&self.easiest_at(height)))
            .ok_or_else(|| self.fault(height, "its target is too easy"))?;
        let hash = header.hash();
        if Target::from_bytes(&hash.0).is_at_most(&target) {
            return Ok(hash);
        }
        Err(self.fault(
            height,
            "its hash is above its target, so the work was not done",
        ))
    }

    fn easiest_at(&self, height: u64) -> Target {
        let easiest = self.network.easiest();
        if self.network == Network::Main && height >= MODERN_HEIGHT {
            return Target::from_bits(MODERN_BITS).unwrap_or(easiest);
        }
        easiest
    }

    const fn fault(&self, height: u64, reason: &'static str) -> HeadersError {
        HeadersError::Chain {
            height,
            network: self.network,
            reason,
        }
    }

    fn block(&self, height: u64) -> Option<&Block> {
        let at = usize::try_from(height.checked_sub(self.first)?).ok()?;
        self.blocks.get(at)
    }

    /// The chain they are of.
    #[must_use]
    pub const fn network(&self) -> Network {
        self.network
    }

    /// The height of the first one.
    #[must_use]
    pub const fn first(&self) -> u64 {
        self.first
    }

    /// The height after the last one.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.first
            .saturating_add(u64::try_from(self.blocks.len()).unwrap_or(u64::MAX))
    }

    /// The merkle root of the block of a height, in the order of its bytes.
    #[must_use]
    pub fn merkle_root(&self, height: u64) -> Option<&[u8; 32]> {
        self.block(height).map(|block| &block.merkle_root)
    }

    /// When the block of a height was made, by its miner's word: seconds since 1970.
    #[must_use]
    pub fn time_s(&self, height: u64) -> Option<u32> {
        self.block(height).map(|block| block.time)
    }

    /// Blocks from the one of a height on, it included.
    #[must_use]
    pub fn depth(&self, height: u64) -> u64 {
        self.end().saturating_sub(height)
    }
}

/// What the next header must follow.
struct Link {
    hash: BlockHash,
    bits: u32,
}

fn parse_line(line: &[u8]) -> Option<(u64, Header)> {
    let text = core::str::from_utf8(line).ok()?;
    let (height, digits) = text.trim_end_matches(['\n', '\r']).split_once(' ')?;
    let canonical = height == "0" || !height.starts_with('0');
    if !canonical || !height.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let bytes = paygod_types::parse_hex::<HEADER_BYTES>(digits).ok()?;
    Some((height.parse().ok()?, Header::from_bytes(&bytes)))
}
