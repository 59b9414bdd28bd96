//! From a transaction to the header of its block, as an OpenTimestamps path.

use bitcoin::consensus::encode::serialize;
use bitcoin::hashes::Hash as _;
use bitcoin::{Transaction, Txid};

use super::header::sha256d;
use super::node::Mined;
use crate::chain::ChainError;
use crate::ots::{Attestation, Op, Timestamp};

/// The path from the digest that a transaction carries to the merkle root of its block; `None`: the
/// transaction is not in that block.
///
/// # Errors
/// The block's transactions do not make the root of its header, or the transaction does not carry the digest.
pub(super) fn timestamp(
    digest: &[u8; 32],
    transaction: &Transaction,
    mined: &Mined,
) -> Result<Option<Timestamp>, ChainError> {
    let txid = transaction.compute_txid();
    let Some(place) = mined.txids.iter().position(|one| *one == txid) else {
        return Ok(None);
    };
    let mut path = path_to_txid(digest, transaction).ok_or_else(|| {
        ChainError::state("its transaction does not carry the checkpoint's digest")
    })?;
    let twice = [Op::Sha256, Op::Sha256];
    path.extend(twice.clone());
    let (siblings, root) = merkle(&mined.txids, place);
    if root != mined.header.merkle_root {
        let reason = format!(
            "the transactions of block {} do not make the merkle root of its header",
            mined.height
        );
        return Err(ChainError::lie(reason));
    }
    for sibling in siblings {
        path.push(sibling);
        path.extend(twice.clone());
    }
    let height = mined.height;
    Ok(Some(Timestamp::of_path(
        path,
        Attestation::Bitcoin { height },
    )))
}

/// What stands before and behind the digest in the transaction's bytes without witnesses, whose double
/// SHA-256 is the transaction's id.
fn path_to_txid(digest: &[u8; 32], transaction: &Transaction) -> Option<Vec<Op>> {
    let mut stripped = transaction.clone();
    for input in &mut stripped.input {
        input.witness.clear();
    }
    let bytes = serialize(&stripped);
    let place = bytes.windows(32).position(|window| window == digest)?;
    let (prefix, rest) = bytes.split_at_checked(place)?;
    let suffix = rest.get(32..)?;
    Some(vec![
        Op::Prepend(prefix.to_vec()),
        Op::Append(suffix.to_vec()),
    ])
}

/// The siblings on the way from a leaf to the root, from the leaf up, and the root.
fn merkle(txids: &[Txid], place: usize) -> (Vec<Op>, [u8; 32]) {
    let mut level: Vec<[u8; 32]> = txids.iter().map(|txid| txid.to_byte_array()).collect();
    let (mut place, mut siblings) = (place, Vec::new());
    while level.len() > 1 {
        // The last one of an odd level stands for two.
        if level.len() % 2 == 1 {
            level.extend(level.last().copied());
        }
        let sibling = level.get(place ^ 1).copied().unwrap_or_default().to_vec();
        siblings.push(if place.is_multiple_of(2) {
            Op::Append(sibling)
        } else {
            Op::Prepend(sibling)
        });
        let (pairs, _) = level.as_chunks::<2>();
        level = pairs
            .iter()
            .map(|pair| sha256d(pair.as_flattened()))
            .collect();
        place /= 2;
    }
    (siblings, level.first().copied().unwrap_or_default())
}
