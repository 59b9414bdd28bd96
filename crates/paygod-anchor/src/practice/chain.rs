//! A regtest chain in memory.

use std::fmt::Write as _;

use crate::bitcoin::{BlockHash, Header, Target};
use crate::ots::{Attestation, Op, Timestamp};

/// The regtest target, in its short form: every other hash is below it.
const BITS: u32 = 0x207f_ffff;

/// The height of the first block.
const FIRST: u64 = 1;

/// A regtest chain of which everybody could make another in no time.
#[derive(Clone, Debug, Default)]
pub struct PracticeChain {
    headers: Vec<Header>,
}

impl PracticeChain {
    /// Appends a block with this merkle root: its height.
    pub fn mine(&mut self, merkle_root: [u8; 32], time_s: u32) -> u64 {
        let before = self.headers.last().map_or(BlockHash([0; 32]), Header::hash);
        let mut header = Header {
            version: [4, 0, 0, 0],
            before,
            merkle_root,
            time: time_s,
            bits: BITS,
            nonce: 0,
        };
        let target = Target::from_bits(BITS);
        while target.is_none_or(|target| !Target::from_bytes(&header.hash().0).is_at_most(&target))
        {
            header.nonce = header.nonce.wrapping_add(1);
        }
        let height = FIRST.saturating_add(u64::try_from(self.headers.len()).unwrap_or(0));
        self.headers.push(header);
        height
    }

    /// Appends a block with a transaction that carries `digest`: the path from the digest to the block,
    /// as a calendar would hand it out.
    pub fn attest(&mut self, digest: &[u8], time_s: u32) -> Timestamp {
        // A transaction with an OP_RETURN, then `levels` of its block's merkle tree.
        let mut path = vec![
            Op::Prepend(
                [
                    [1, 0, 0, 0, 1].as_slice(),
                    &[0x5a; 36],
                    &[0, 0xff, 0xff, 0xff, 0xff, 1],
                    &[0; 8],
                    &[34, 0x6a, 32],
                ]
                .concat(),
            ),
            Op::Append(vec![0; 4]),
            Op::Sha256,
            Op::Sha256,
        ];
        for level in 0..11_u8 {
            let sibling = vec![level ^ 0xa5; 32];
            path.push(if level % 2 == 0 {
                Op::Append(sibling)
            } else {
                Op::Prepend(sibling)
            });
            path.extend([Op::Sha256, Op::Sha256]);
        }
        self.end_in_block(path, digest, time_s)
    }

    /// Appends a block, and gives a path to it that goes through a transaction of 64 bytes
    /// (CVE-2017-12842): what such a path proves depends on how it is read.
    pub fn attest_ambiguously(&mut self, digest: &[u8], time_s: u32) -> Timestamp {
        let path = vec![
            // Version, one input: the digest is the hash that it spends.
            Op::Prepend(vec![1, 0, 0, 0, 1]),
            Op::Append(
                [
                    [0; 4].as_slice(),
                    &[0, 0xff, 0xff, 0xff, 0xff, 1],
                    &5_000_u64.to_le_bytes(),
                    &[4, 0x6a, 2, 1, 2, 0, 0, 0, 0],
                ]
                .concat(),
            ),
            Op::Sha256,
            Op::Sha256,
            Op::Append(vec![9; 32]),
            Op::Sha256,
            Op::Sha256,
        ];
        self.end_in_block(path, digest, time_s)
    }

    fn end_in_block(&mut self, path: Vec<Op>, digest: &[u8], time_s: u32) -> Timestamp {
        let mut message = digest.to_vec();
        for op in &path {
            message = op.apply(&message).unwrap_or_default();
        }
        let height = self.mine(message.try_into().unwrap_or([0; 32]), time_s);
        Timestamp::of_path(path, Attestation::Bitcoin { height })
    }

    /// The headers, as [`crate::bitcoin::Headers::read`] takes them.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for (height, header) in (FIRST..).zip(&self.headers) {
            let mut digits = Vec::new();
            paygod_types::write_hex(&header.to_bytes(), &mut digits);
            // Writing to a string cannot fail.
            let _written = writeln!(text, "{height} {}", String::from_utf8_lossy(&digits));
        }
        text
    }
}
