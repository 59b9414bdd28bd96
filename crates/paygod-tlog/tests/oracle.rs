//! Our bytes against those of the crates `tlog_tiles` and `signed_note`. They panic on hostile
//! input, so they only ever judge well-formed input here.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

use std::convert::Infallible;

use paygod_tlog::{
    Checkpoint, Ed25519Signer, Ed25519Verifier, Hash, HashSource, InclusionProof, KeyName,
    NoteSigner, NoteVerifier, SignedCheckpoint, SignedNote, Tile, TileKind, TreeHead, TreeReader,
    VerifierKey, leaf_hash,
};
use proptest::prelude::*;
use signed_note::Verifier as _;
use tlog_tiles::HashReader;

/// The oracle's own storage: every node, in its order.
struct Stored(Vec<tlog_tiles::Hash>);

impl Stored {
    fn of(leaves: &[Hash]) -> Self {
        let mut stored = Self(Vec::new());
        for (index, leaf) in (0_u64..).zip(leaves) {
            let leaf = tlog_tiles::Hash(leaf.to_bytes());
            let new = tlog_tiles::stored_hashes_for_record_hash(index, leaf, &stored).unwrap();
            stored.0.extend(new);
        }
        stored
    }
}

impl HashReader for Stored {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog_tiles::Hash>, tlog_tiles::Error> {
        Ok(indexes
            .iter()
            .map(|index| self.0[usize::try_from(*index).unwrap()])
            .collect())
    }
}

/// Reads our tiles out of the oracle's storage.
impl HashSource for &Stored {
    type Error = Infallible;

    fn read_tile(&self, tile: &Tile, out: &mut Vec<Hash>) -> Result<(), Infallible> {
        let TileKind::Hashes(level) = tile.kind() else {
            panic!("asked for entries")
        };
        let theirs = tlog_tiles::Tile::new(8, level, tile.index(), tile.width().into(), false);
        let bytes = theirs.read_data(*self).unwrap();
        out.extend(
            bytes
                .chunks_exact(32)
                .map(|hash| Hash::new(hash.try_into().unwrap())),
        );
        Ok(())
    }
}

fn leaves(count: u64) -> Vec<Hash> {
    (0..count)
        .map(|index| leaf_hash(&index.to_be_bytes()))
        .collect()
}

fn theirs(hashes: &[Hash]) -> Vec<tlog_tiles::Hash> {
    hashes
        .iter()
        .map(|hash| tlog_tiles::Hash(hash.to_bytes()))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn proofs_and_roots_are_the_oracles(size in 1_u64..1_500, index: u64, old: u64) {
        let all = leaves(size);
        let stored = Stored::of(&all);
        let mut reader = TreeReader::new(&stored, size).unwrap();
        let head = reader.head_at(size).unwrap();
        let root = tlog_tiles::tree_hash(size, &stored).unwrap();
        prop_assert_eq!(head.root.to_bytes(), root.0);

        let index = index % size;
        let proof = reader.inclusion(index, size).unwrap();
        let expected = tlog_tiles::prove_record(size, index, &stored).unwrap();
        prop_assert_eq!(theirs(&proof.hashes), expected);
        let leaf = all[usize::try_from(index).unwrap()];
        let leaf = tlog_tiles::Hash(leaf.to_bytes());
        tlog_tiles::check_record(&theirs(&proof.hashes), size, root, index, leaf).unwrap();

        let old = 1 + old % size;
        let old_root = tlog_tiles::tree_hash(old, &stored).unwrap();
        let proof = reader.consistency(old, size).unwrap();
        let expected = tlog_tiles::prove_tree(size, old, &stored).unwrap();
        prop_assert_eq!(theirs(&proof.hashes), expected);
        tlog_tiles::check_tree(&theirs(&proof.hashes), size, root, old, old_root).unwrap();
        let old_head = TreeHead { size: old, root: Hash::new(old_root.0) };
        proof.verify(&old_head, &head).unwrap();
    }

    #[test]
    fn tile_paths_are_the_oracles(
        level in 0_u8..8, index in 0_u64..(1 << 53), width in 1_u16..=256, shift in 0_u32..53,
        entries: bool,
    ) {
        let index = index >> shift;
        let kind = if entries { TileKind::Entries } else { TileKind::Hashes(level) };
        let tile = Tile::new(kind, index, width).unwrap();
        let level = if entries { 0 } else { level };
        let theirs = tlog_tiles::Tile::new(8, level, index, width.into(), entries);
        // The oracle names the tile height and calls bundles data, as the Go checksum database does.
        let path = theirs.path().replacen("tile/8/data/", "tile/entries/", 1);
        let path = path.replacen("tile/8/", "tile/", 1);
        prop_assert_eq!(tile.path(), path.clone());
        prop_assert_eq!(Tile::from_path(&path).unwrap(), tile);
    }

    #[test]
    fn notes_of_ours_open_with_the_oracle(
        seed: [u8; 32], text in "[ -~äß\u{2014}\n]{0,200}", name in "[a-z.]{1,20}",
    ) {
        let text = format!("{text}\n");
        let signer = Ed25519Signer::new(KeyName::parse(&name).unwrap(), &seed);
        let vkey = signer.verifier_key().to_string();
        let note = SignedNote::sign(&text, &[&signer]).unwrap();
        let bytes = note.to_bytes();
        prop_assert_eq!(SignedNote::parse(&bytes).unwrap(), note);

        let verifier = signed_note::StandardVerifier::new(&vkey).unwrap();
        prop_assert_eq!(verifier.key_id(), u32::from_be_bytes(signer.verifier_key().id().to_bytes()));
        let theirs = signed_note::Note::from_bytes(&bytes).unwrap();
        prop_assert_eq!(theirs.text(), text.as_bytes());
        let known = signed_note::VerifierList::new(vec![Box::new(verifier)]);
        let (verified, unknown) = theirs.verify(&known).unwrap();
        prop_assert_eq!((verified.len(), unknown.len()), (1, 0));
        prop_assert_eq!(theirs.to_bytes(), bytes);
    }

    #[test]
    fn checkpoints_of_ours_open_with_the_oracle(seed: [u8; 32], size in 1_u64..(1 << 62), root: [u8; 32]) {
        let origin = "log.example/books/1";
        let signer = Ed25519Signer::new(KeyName::parse(origin).unwrap(), &seed);
        let head = TreeHead { size, root: Hash::new(root) };
        let checkpoint = Checkpoint { origin: origin.to_owned(), head };
        let signed = SignedCheckpoint::sign(checkpoint.clone(), &[&signer]).unwrap();
        let theirs = tlog_tiles::Checkpoint::from_bytes(signed.note().text().as_bytes()).unwrap();
        prop_assert_eq!(theirs.origin(), origin);
        prop_assert_eq!(theirs.size(), size);
        prop_assert_eq!(theirs.hash().0, root);
        prop_assert_eq!(theirs.to_bytes(), signed.note().text().as_bytes());

        let verifier = Ed25519Verifier::new(signer.verifier_key()).unwrap();
        let opened = SignedCheckpoint::open(&signed.to_bytes(), origin, &[&verifier]).unwrap();
        prop_assert_eq!(opened.checkpoint(), &checkpoint);
    }
}

#[test]
fn notes_of_the_oracle_open_with_ours() {
    let (secret, vkey) = {
        let signer = Ed25519Signer::new(KeyName::parse("oracle.example").unwrap(), &[7; 32]);
        let key = [&[1_u8][..], &[7; 32]].concat();
        let key = base64_of(&key);
        let id = signer.verifier_key().id();
        (
            format!("PRIVATE+KEY+oracle.example+{id}+{key}"),
            signer.verifier_key().to_string(),
        )
    };
    let signer = signed_note::StandardSigner::new(&secret).unwrap();
    let mut theirs = signed_note::Note::new(b"one\n\ntwo\n", &[]).unwrap();
    theirs.add_sigs(&[&signer]).unwrap();
    let note = SignedNote::parse(&theirs.to_bytes()).unwrap();
    let verifier = Ed25519Verifier::new(&VerifierKey::parse(&vkey).unwrap()).unwrap();
    assert_eq!(note.verify(&[&verifier]).unwrap(), [0]);
    assert_eq!(note.text(), "one\n\ntwo\n");
    assert_eq!(verifier.name().as_str(), "oracle.example");
}

fn base64_of(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[test]
fn inclusion_of_the_oracle_verifies_with_ours() {
    let all = leaves(300);
    let stored = Stored::of(&all);
    let root = Hash::new(tlog_tiles::tree_hash(300, &stored).unwrap().0);
    for (index, leaf) in (0_u64..).zip(&all) {
        let hashes = tlog_tiles::prove_record(300, index, &stored).unwrap();
        let hashes = hashes.iter().map(|hash| Hash::new(hash.0)).collect();
        let proof = InclusionProof {
            index,
            size: 300,
            hashes,
        };
        proof.verify(*leaf, &TreeHead { size: 300, root }).unwrap();
    }
}
