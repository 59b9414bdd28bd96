//! The tree against a naive one that follows RFC 6962's definitions word for word.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::as_conversions,
    clippy::string_slice,
    reason = "a test that cannot go on fails"
)]

use std::collections::BTreeMap;
use std::convert::Infallible;

use paygod_tlog::limits::TREE_SIZE_MAX;
use paygod_tlog::{
    ConsistencyProof, Frontier, Hash, HashSource, InclusionProof, ReadError, Rows, Tile, TileKind,
    TreeHead, TreeReader, TreeWriter, leaf_hash, node_hash, tree_root,
};
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

fn sha(parts: &[&[u8]]) -> Hash {
    let mut hasher = Sha256::new();
    parts.iter().for_each(|part| hasher.update(part));
    Hash::new(hasher.finalize().into())
}

/// RFC 6962 section 2.1, recursively.
fn naive_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => sha(&[]),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            sha(&[
                &[1],
                naive_root(left).as_bytes(),
                naive_root(right).as_bytes(),
            ])
        }
    }
}

/// RFC 6962 section 2.1.1, recursively.
fn naive_path(index: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
    if index < left.len() {
        let mut path = naive_path(index, left);
        path.push(naive_root(right));
        path
    } else {
        let mut path = naive_path(index - left.len(), right);
        path.push(naive_root(left));
        path
    }
}

/// RFC 6962 section 2.1.2, recursively.
fn naive_consistency(old: usize, leaves: &[Hash], known: bool) -> Vec<Hash> {
    if old == leaves.len() {
        return if known {
            Vec::new()
        } else {
            vec![naive_root(leaves)]
        };
    }
    let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
    if old <= left.len() {
        let mut proof = naive_consistency(old, left, known);
        proof.push(naive_root(right));
        proof
    } else {
        let mut proof = naive_consistency(old - left.len(), right, false);
        proof.push(naive_root(left));
        proof
    }
}

fn leaves(count: u64) -> Vec<Hash> {
    (0..count)
        .map(|index| leaf_hash(&index.to_le_bytes()))
        .collect()
}

/// Level files in memory, as a store keeps them.
#[derive(Default)]
struct Levels(BTreeMap<u8, Vec<u8>>);

impl Levels {
    fn of(leaves: &[Hash]) -> Self {
        let mut levels = Self::default();
        let (mut writer, mut rows) = (TreeWriter::default(), Rows::new());
        for group in leaves.chunks(97) {
            writer.append(group, &mut rows);
            levels.extend(&rows);
        }
        levels
    }

    fn extend(&mut self, rows: &Rows) {
        for (level, first, hashes) in rows.iter() {
            let file = self.0.entry(level).or_default();
            assert_eq!(file.len() as u64, first * 32, "level {level}");
            file.extend_from_slice(hashes);
        }
    }
}

impl HashSource for &Levels {
    type Error = Infallible;

    fn read_tile(&self, tile: &Tile, out: &mut Vec<Hash>) -> Result<(), Infallible> {
        let TileKind::Hashes(level) = tile.kind() else {
            panic!("asked for entries")
        };
        let start = usize::try_from(tile.index()).unwrap() * 8_192;
        let end = start + usize::from(tile.width()) * 32;
        let bytes = &self.0[&level][start..end];
        out.extend(
            bytes
                .chunks_exact(32)
                .map(|h| Hash::new(h.try_into().unwrap())),
        );
        Ok(())
    }
}

#[test]
fn known_roots_of_certificate_transparency_match() {
    let inputs = [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ];
    let roots = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    let mut frontier = Frontier::new();
    assert_eq!(frontier.root(), Hash::EMPTY_TREE);
    for (input, root) in inputs.iter().zip(roots) {
        let bytes: Vec<u8> = (0..input.len() / 2)
            .map(|i| u8::from_str_radix(&input[2 * i..2 * i + 2], 16).unwrap())
            .collect();
        frontier.append(leaf_hash(&bytes));
        assert_eq!(frontier.root().to_string(), root);
    }
}

#[test]
fn leaf_and_node_hash_are_sha256_with_their_prefix() {
    for length in 0..300 {
        let entry = vec![0xa5; length];
        assert_eq!(leaf_hash(&entry), sha(&[&[0], &entry]));
    }
    let (left, right) = (leaf_hash(b"l"), leaf_hash(b"r"));
    assert_eq!(
        node_hash(&left, &right),
        sha(&[&[1], left.as_bytes(), right.as_bytes()])
    );
}

#[test]
fn every_small_tree_has_the_root_of_the_definition() {
    let all = leaves(520);
    let mut frontier = Frontier::new();
    for size in 0..=all.len() {
        let expected = naive_root(&all[..size]);
        assert_eq!(frontier.root(), expected, "size {size}");
        assert_eq!(
            tree_root(&mut all[..size].to_vec()),
            expected,
            "size {size}"
        );
        assert_eq!(
            Frontier::from_bytes(&frontier.to_bytes()).unwrap(),
            frontier
        );
        if let Some(leaf) = all.get(size) {
            frontier.append(*leaf);
        }
    }
}

#[test]
fn every_proof_of_small_trees_is_the_definitions_and_verifies() {
    let all = leaves(70);
    let levels = Levels::of(&all);
    let mut reader = TreeReader::new(&levels, 70).unwrap();
    for size in 1..=70_u64 {
        let part = &all[..usize::try_from(size).unwrap()];
        let head = reader.head_at(size).unwrap();
        assert_eq!(head.root, naive_root(part));
        for index in 0..size {
            let at = usize::try_from(index).unwrap();
            let proof = reader.inclusion(index, size).unwrap();
            assert_eq!(proof.hashes, naive_path(at, part), "{index} in {size}");
            proof.verify(all[at], &head).unwrap();
        }
        for old in 1..=size {
            let proof = reader.consistency(old, size).unwrap();
            let old = usize::try_from(old).unwrap();
            assert_eq!(
                proof.hashes,
                naive_consistency(old, part, true),
                "{old} to {size}"
            );
            let old_head = reader.head_at(old as u64).unwrap();
            proof.verify(&old_head, &head).unwrap();
        }
        let empty = TreeHead {
            size: 0,
            root: Hash::EMPTY_TREE,
        };
        reader
            .consistency(0, size)
            .unwrap()
            .verify(&empty, &head)
            .unwrap();
    }
}

#[test]
fn rows_across_tile_levels_give_the_same_tree() {
    let all = leaves(70_000);
    let levels = Levels::of(&all);
    assert_eq!(levels.0.keys().copied().collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(levels.0[&1].len(), 273 * 32);
    assert_eq!(levels.0[&2].len(), 32);
    let mut reader = TreeReader::new(&levels, 70_000).unwrap();
    for size in [1, 255, 256, 257, 65_535, 65_536, 65_537, 69_999, 70_000] {
        let part = &all[..usize::try_from(size).unwrap()];
        let head = reader.head_at(size).unwrap();
        assert_eq!(head.root, naive_root(part), "size {size}");
        let mut batch = Frontier::new();
        part.chunks(1_000)
            .for_each(|group| batch.append_batch(group));
        assert_eq!(batch.head(), head);
        for index in [0, size / 3, size - 1] {
            let at = usize::try_from(index).unwrap();
            reader
                .inclusion(index, size)
                .unwrap()
                .verify(all[at], &head)
                .unwrap();
        }
        let whole = reader.head_at(70_000).unwrap();
        reader
            .consistency(size, 70_000)
            .unwrap()
            .verify(&head, &whole)
            .unwrap();
    }
}

#[test]
fn whole_tiles_give_the_rows_of_their_leaves() {
    let all = leaves(66_000);
    let expected = Levels::of(&all);
    let (mut levels, mut writer, mut rows) =
        (Levels::default(), TreeWriter::default(), Rows::new());
    let (tiles, tail) = all.as_chunks::<256>();
    for tile in tiles {
        let lowest = levels.0.entry(0).or_default();
        tile.iter()
            .for_each(|leaf| lowest.extend_from_slice(leaf.as_bytes()));
        writer
            .append_subtree(8, tree_root(&mut tile.clone()), &mut rows)
            .unwrap();
        levels.extend(&rows);
    }
    writer.append(tail, &mut rows);
    levels.extend(&rows);
    assert_eq!(levels.0, expected.0);
    assert!(writer.append_subtree(8, all[0], &mut rows).is_err());
}

#[test]
fn subtrees_hashed_elsewhere_make_the_same_tree() {
    let all = leaves(1_300);
    let mut frontier = Frontier::new();
    let (tiles, tail) = all.as_chunks::<256>();
    for tile in tiles {
        frontier
            .append_subtree(8, tree_root(&mut tile.clone()))
            .unwrap();
    }
    frontier.append_batch(tail);
    assert_eq!(frontier.root(), naive_root(&all));
    assert!(frontier.append_subtree(8, all[0]).is_err());
    assert!(frontier.append_subtree(63, all[0]).is_err());
    assert!(frontier.append_subtree(64, all[0]).is_err());
    assert_eq!(frontier.root(), naive_root(&all));
}

#[test]
fn malformed_frontiers_are_refused() {
    let mut frontier = Frontier::new();
    frontier.append_batch(&leaves(7));
    let bytes = frontier.to_bytes();
    for length in 0..bytes.len() {
        assert!(
            Frontier::from_bytes(&bytes[..length]).is_err(),
            "{length} bytes"
        );
    }
    assert!(Frontier::from_bytes(&[&bytes[..], &[0]].concat()).is_err());
    assert!(Frontier::from_bytes(&[&bytes[..], &[0; 32]].concat()).is_err());
    let mut large = vec![0; 8 + 32];
    large[0] = 0x80;
    assert!(Frontier::from_bytes(&large).is_err());
}

#[test]
fn reader_refuses_what_is_past_the_tree() {
    let all = leaves(10);
    let levels = Levels::of(&all);
    let mut reader = TreeReader::new(&levels, 10).unwrap();
    assert!(matches!(
        reader.leaf(10),
        Err(ReadError::Range {
            asked: 10,
            size: 10
        })
    ));
    assert!(reader.head_at(11).is_err());
    assert!(reader.inclusion(5, 5).is_err());
    assert!(reader.inclusion(0, 0).is_err());
    assert!(reader.consistency(6, 5).is_err());
    assert!(TreeReader::new(&levels, TREE_SIZE_MAX + 1).is_err());
}

#[test]
fn proofs_of_impossible_shapes_are_refused_without_work() {
    let root = leaf_hash(b"x");
    for (index, size) in [(0, 0), (1, 1), (u64::MAX, u64::MAX), (5, 2), (0, u64::MAX)] {
        let proof = InclusionProof {
            index,
            size,
            hashes: vec![root; 3],
        };
        assert!(
            proof.verify(root, &TreeHead { size, root }).is_err(),
            "{index} in {size}"
        );
    }
    for (old, new) in [
        (2, 1),
        (u64::MAX, u64::MAX),
        (1, u64::MAX),
        (3, 3),
        (0, 4),
        (1, 2),
    ] {
        let proof = ConsistencyProof {
            hashes: vec![root; 2],
        };
        let (old, new) = (TreeHead { size: old, root }, TreeHead { size: new, root });
        assert!(proof.verify(&old, &new).is_err(), "{old:?} {new:?}");
    }
    let none = ConsistencyProof { hashes: vec![] };
    let other = TreeHead {
        size: 5,
        root: leaf_hash(b"y"),
    };
    assert!(none.verify(&TreeHead { size: 5, root }, &other).is_err());
    assert!(none.verify(&TreeHead { size: 0, root }, &other).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_changed_proof_never_verifies(
        size in 2_u64..600, index in any::<u64>(), old in any::<u64>(),
        at in any::<usize>(), bit in 0_u8..8, byte in 0_usize..32,
    ) {
        let all = leaves(size);
        let levels = Levels::of(&all);
        let mut reader = TreeReader::new(&levels, size).unwrap();
        let head = reader.head_at(size).unwrap();
        let index = index % size;
        let leaf = all[usize::try_from(index).unwrap()];
        let proof = reader.inclusion(index, size).unwrap();
        proof.verify(leaf, &head).unwrap();

        let mut changed = proof.clone();
        let at = at % changed.hashes.len();
        let mut hash = changed.hashes[at].to_bytes();
        hash[byte] ^= 1 << bit;
        changed.hashes[at] = Hash::new(hash);
        prop_assert!(changed.verify(leaf, &head).is_err());

        let moved = InclusionProof { index: (index + 1) % size, ..proof.clone() };
        prop_assert!(moved.verify(leaf, &head).is_err());
        let mut longer = proof.clone();
        longer.hashes.push(leaf);
        prop_assert!(longer.verify(leaf, &head).is_err());
        let mut shorter = proof;
        shorter.hashes.pop();
        prop_assert!(shorter.verify(leaf, &head).is_err());

        let old = 1 + old % (size - 1);
        let old_head = reader.head_at(old).unwrap();
        let mut growth = reader.consistency(old, size).unwrap();
        growth.verify(&old_head, &head).unwrap();
        let at = at % growth.hashes.len();
        let mut hash = growth.hashes[at].to_bytes();
        hash[byte] ^= 1 << bit;
        growth.hashes[at] = Hash::new(hash);
        prop_assert!(growth.verify(&old_head, &head).is_err());
    }

    #[test]
    fn any_proof_is_judged_without_panic(
        index in any::<u64>(), size in any::<u64>(), old in any::<u64>(),
        shift in 0_u32..64, hashes in proptest::collection::vec(any::<[u8; 32]>(), 0..70),
    ) {
        let hashes: Vec<Hash> = hashes.into_iter().map(Hash::new).collect();
        let root = leaf_hash(b"root");
        let size = size >> shift;
        let proof = InclusionProof { index: index >> shift, size, hashes: hashes.clone() };
        let head = TreeHead { size, root };
        prop_assert!(proof.verify(leaf_hash(b"leaf"), &head).is_err());
        let proof = ConsistencyProof { hashes };
        let _ = proof.verify(&TreeHead { size: old >> shift, root }, &TreeHead { size, root });
    }

    #[test]
    fn any_bytes_are_judged_as_frontier_without_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        if let Ok(frontier) = Frontier::from_bytes(&bytes) {
            prop_assert_eq!(frontier.to_bytes(), bytes);
        }
    }
}
