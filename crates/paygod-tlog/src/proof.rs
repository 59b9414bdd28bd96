//! Inclusion and consistency proofs, RFC 6962 sections 2.1.1 and 2.1.2, and how to verify them
//! (the algorithms of RFC 9162 sections 2.1.3.2 and 2.1.4.2).
//!
//! Making them needs the tree: see [`crate::TreeReader`].

use paygod_types::code::{self, Code};
use thiserror::Error;

use crate::hash::{Hash, TreeHead, node_hash};
use crate::limits::{PROOF_HASHES_MAX, TREE_SIZE_MAX};

/// The hashes that lead from one leaf to the root of a tree.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InclusionProof {
    /// Index of the leaf.
    pub index: u64,
    /// Size of the tree it is proved in.
    pub size: u64,
    /// From the leaf's sibling up to the child of the root.
    pub hashes: Vec<Hash>,
}

/// The hashes that show one tree to be the beginning of a larger one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConsistencyProof {
    /// In the order of RFC 6962 section 2.1.2.
    pub hashes: Vec<Hash>,
}

/// Why a proof does not hold.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum ProofError {
    /// There is no such leaf in such a tree.
    #[error("leaf {index} is not in a tree of {size} leaves; ask for a later checkpoint")]
    Index {
        /// The leaf asked about.
        index: u64,
        /// The size of the tree.
        size: u64,
    },
    /// The first tree is larger than the second, or one is larger than any tree.
    #[error(
        "a tree of {old} leaves is no beginning of one of {new}; compare the checkpoints in order"
    )]
    Sizes {
        /// Size of the earlier tree.
        old: u64,
        /// Size of the later tree.
        new: u64,
    },
    /// The proof is for another shape of tree.
    #[error("the proof should have {expected} hashes, found {found}; ask for the proof again")]
    Length {
        /// Hashes that this place in this tree needs.
        expected: usize,
        /// Hashes given.
        found: usize,
    },
    /// The proof leads to another root: something was changed.
    #[error(
        "the proof leads to root {found} but the tree of {size} leaves has {expected}; the log or the proof was changed"
    )]
    Root {
        /// Size of the tree whose root disagrees.
        size: u64,
        /// The root that is known.
        expected: Hash,
        /// The root that the proof leads to.
        found: Hash,
    },
}

impl ProofError {
    /// The permanent code of this error.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Index { .. } | Self::Sizes { .. } => code::TLOG_RANGE,
            Self::Length { .. } => code::TLOG_PROOF_FORM,
            Self::Root { .. } => code::TLOG_PROOF,
        }
    }
}

impl InclusionProof {
    /// The root that the proof leads to from `leaf`.
    ///
    /// # Errors
    /// Index, size or number of hashes do not fit together.
    pub fn root_from(&self, leaf: Hash) -> Result<Hash, ProofError> {
        if self.index >= self.size || self.size > TREE_SIZE_MAX {
            return Err(ProofError::Index {
                index: self.index,
                size: self.size,
            });
        }
        let expected = inclusion_len(self.index, self.size);
        if self.hashes.len() != expected {
            return Err(ProofError::Length {
                expected,
                found: self.hashes.len(),
            });
        }
        let mut position = self.index;
        let mut last = self.size - 1;
        let mut node = leaf;
        for sibling in &self.hashes {
            // The right edge of the tree has levels without a sibling: skip them.
            while position == last && position.is_multiple_of(2) && last > 0 {
                position >>= 1;
                last >>= 1;
            }
            node = if position.is_multiple_of(2) {
                node_hash(&node, sibling)
            } else {
                node_hash(sibling, &node)
            };
            position >>= 1;
            last >>= 1;
        }
        Ok(node)
    }

    /// Checks that `leaf` stands at [`InclusionProof::index`] in the tree that `head` names.
    ///
    /// # Errors
    /// The proof is for another size, has the wrong shape, or leads to another root.
    pub fn verify(&self, leaf: Hash, head: &TreeHead) -> Result<(), ProofError> {
        if self.size != head.size {
            return Err(ProofError::Index {
                index: self.index,
                size: head.size,
            });
        }
        let found = self.root_from(leaf)?;
        expect_root(head, found)
    }
}

impl ConsistencyProof {
    /// Checks that the tree of `old` is the beginning of the tree of `new`.
    ///
    /// # Errors
    /// The sizes are out of order, the proof has the wrong shape, or it leads to another root on
    /// either side.
    pub fn verify(&self, old: &TreeHead, new: &TreeHead) -> Result<(), ProofError> {
        if old.size > new.size || new.size > TREE_SIZE_MAX {
            return Err(ProofError::Sizes {
                old: old.size,
                new: new.size,
            });
        }
        let expected = consistency_len(old.size, new.size);
        if self.hashes.len() != expected {
            return Err(ProofError::Length {
                expected,
                found: self.hashes.len(),
            });
        }
        if old.size == 0 {
            return expect_root(old, Hash::EMPTY_TREE);
        }
        if old.size == new.size {
            return expect_root(new, old.root);
        }
        let (found_old, found_new) = self.roots(old, new.size);
        expect_root(old, found_old)?;
        expect_root(new, found_new)
    }

    /// The roots that the proof leads to; `0 < old.size < new_size` and the length is right.
    fn roots(&self, old: &TreeHead, new_size: u64) -> (Hash, Hash) {
        let mut hashes = self.hashes.iter();
        let mut position = old.size - 1;
        let mut last = new_size - 1;
        // Levels at which the old tree is a complete left part share one node in both trees.
        let shared = position.trailing_ones();
        position >>= shared;
        last >>= shared;
        let start = if old.size.is_power_of_two() {
            old.root
        } else {
            hashes.next().copied().unwrap_or_default()
        };
        let (mut in_old, mut in_new) = (start, start);
        for sibling in hashes {
            while position == last && position.is_multiple_of(2) && last > 0 {
                position >>= 1;
                last >>= 1;
            }
            if position.is_multiple_of(2) {
                in_new = node_hash(&in_new, sibling);
            } else {
                in_old = node_hash(sibling, &in_old);
                in_new = node_hash(sibling, &in_new);
            }
            position >>= 1;
            last >>= 1;
        }
        (in_old, in_new)
    }
}

fn expect_root(head: &TreeHead, found: Hash) -> Result<(), ProofError> {
    if head.root == found {
        Ok(())
    } else {
        Err(ProofError::Root {
            size: head.size,
            expected: head.root,
            found,
        })
    }
}

/// Number of hashes in the inclusion proof of leaf `index` in a tree of `size`, `index < size`.
fn inclusion_len(index: u64, size: u64) -> usize {
    // Below the level where the paths of the leaf and of the last leaf meet, every level has a
    // sibling; above it, only the levels where the last leaf's path is a right child.
    let last = size - 1;
    let meet = u64::BITS - (index ^ last).leading_zeros();
    let above = index.checked_shr(meet).unwrap_or(0).count_ones();
    usize::try_from(meet + above).unwrap_or(PROOF_HASHES_MAX)
}

/// Number of hashes in the consistency proof between two sizes, `old <= new`.
fn consistency_len(old: u64, new: u64) -> usize {
    if old == 0 || old == new {
        return 0;
    }
    let shared = (old - 1).trailing_ones();
    let start = usize::from(!old.is_power_of_two());
    start + inclusion_len((old - 1) >> shared, ((new - 1) >> shared) + 1)
}

/// One complete or ragged range of leaves whose hash stands in a proof.
pub(crate) type Range = core::ops::Range<u64>;

/// The ranges of RFC 6962's `PATH(index, D[size])`, leaf to root.
pub(crate) fn inclusion_ranges(index: u64, size: u64) -> Vec<Range> {
    let mut ranges = Vec::new();
    let mut span = 0..size;
    while span.end - span.start > 1 {
        let middle = span.start + split(span.end - span.start);
        if index < middle {
            ranges.push(middle..span.end);
            span.end = middle;
        } else {
            ranges.push(span.start..middle);
            span.start = middle;
        }
    }
    ranges.reverse();
    ranges
}

/// The ranges of RFC 6962's `PROOF(old, D[new])`, in its order.
pub(crate) fn consistency_ranges(old: u64, new: u64) -> Vec<Range> {
    let mut ranges = Vec::new();
    if old == 0 || old == new {
        return ranges;
    }
    let mut span = 0..new;
    while span.end != old {
        let middle = span.start + split(span.end - span.start);
        if old <= middle {
            ranges.push(middle..span.end);
            span.end = middle;
        } else {
            ranges.push(span.start..middle);
            span.start = middle;
        }
    }
    // The whole old tree is known to the verifier; any other last part must be told.
    if span.start > 0 {
        ranges.push(span);
    }
    ranges.reverse();
    ranges
}

/// The largest power of two smaller than `n`, for `n >= 2`.
const fn split(n: u64) -> u64 {
    1 << (n - 1).ilog2()
}
