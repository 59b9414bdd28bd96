//! The published vectors of `contracts/vectors/tlog` against this implementation.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

use std::path::PathBuf;

use paygod_tlog::{
    Checkpoint, Ed25519Signer, Ed25519Verifier, Frontier, Hash, HashSource, KeyName, NoteError,
    NoteSigner, SignedCheckpoint, SignedNote, Tile, TileKind, TlogProof, TreeReader, VerifierKey,
    leaf_hash,
};
use serde_json::{Value, json};

fn path(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../contracts/vectors/tlog")
        .join(file)
}

fn load(file: &str) -> Value {
    serde_json::from_slice(&std::fs::read(path(file)).unwrap()).unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

#[test]
fn tile_paths_are_read_and_refused_as_published() {
    let vectors = load("paths.json");
    for vector in vectors["valid"].as_array().unwrap() {
        let tile = Tile::from_path(text(&vector["path"])).unwrap();
        let kind = match vector["level"].as_u64() {
            Some(level) => TileKind::Hashes(level.try_into().unwrap()),
            None => TileKind::Entries,
        };
        let width = vector["width"].as_u64().unwrap().try_into().unwrap();
        assert_eq!(
            tile,
            Tile::new(kind, vector["index"].as_u64().unwrap(), width).unwrap()
        );
        assert_eq!(tile.path(), text(&vector["path"]));
    }
    for path in vectors["invalid"].as_array().unwrap() {
        assert!(Tile::from_path(text(path)).is_err(), "{path}");
    }
}

#[test]
fn verifier_keys_are_read_and_refused_as_published() {
    let vectors = load("vkeys.json");
    for vkey in vectors["valid"].as_array().unwrap() {
        assert_eq!(
            VerifierKey::parse(text(vkey)).unwrap().to_string(),
            text(vkey)
        );
    }
    for vector in vectors["invalid"].as_array().unwrap() {
        assert!(
            VerifierKey::parse(text(&vector["vkey"])).is_err(),
            "{vector}"
        );
    }
}

#[test]
fn checkpoints_are_read_and_refused_as_published() {
    let vectors = load("checkpoints.json");
    for vector in vectors["valid"].as_array().unwrap() {
        let checkpoint = Checkpoint::from_text(text(vector)).unwrap();
        assert_eq!(checkpoint.to_text().unwrap(), text(vector));
    }
    for vector in vectors["invalid"].as_array().unwrap() {
        assert!(
            Checkpoint::from_text(text(&vector["text"])).is_err(),
            "{vector}"
        );
    }
}

#[test]
fn notes_are_judged_as_published() {
    let vectors = load("notes.json");
    let key = VerifierKey::parse(text(&vectors["vkey"])).unwrap();
    let verifier = Ed25519Verifier::new(&key).unwrap();
    for vector in vectors["notes"].as_array().unwrap() {
        let bytes = text(&vector["note"]).as_bytes();
        let judged = match SignedNote::parse(bytes) {
            Err(_) => "malformed",
            Ok(note) => {
                assert_eq!(note.to_bytes(), bytes, "{vector}");
                match note.verify(&[&verifier]) {
                    Ok(signed) => {
                        assert_eq!(signed, [0]);
                        "signed"
                    }
                    Err(NoteError::BadSignature { .. }) => "bad-signature",
                    Err(NoteError::NoTrustedSignature) => "untrusted",
                    Err(other) => panic!("{other}"),
                }
            }
        };
        assert_eq!(judged, text(&vector["result"]), "{}", vector["why"]);
    }
}

const ORIGIN: &str = "paygod.example/book";
const SIZE: u64 = 70;

struct Leaves(Vec<Hash>);

impl HashSource for &Leaves {
    type Error = std::convert::Infallible;

    fn read_tile(&self, tile: &Tile, out: &mut Vec<Hash>) -> Result<(), Self::Error> {
        assert_eq!((tile.kind(), tile.index()), (TileKind::Hashes(0), 0));
        out.extend_from_slice(&self.0[..usize::from(tile.width())]);
        Ok(())
    }
}

/// Good proofs, and one of each way in which a proof can be wrong.
fn make_proofs() -> Value {
    let leaves = Leaves(
        (0..SIZE)
            .map(|i| leaf_hash(i.to_string().as_bytes()))
            .collect(),
    );
    let signer = Ed25519Signer::new(KeyName::parse(ORIGIN).unwrap(), &[9; 32]);
    let mut frontier = Frontier::new();
    frontier.append_batch(&leaves.0);
    let sign = |head| {
        let checkpoint = Checkpoint {
            origin: ORIGIN.to_owned(),
            head,
        };
        SignedCheckpoint::sign(checkpoint, &[&signer]).unwrap()
    };
    let mut reader = TreeReader::new(&leaves, SIZE).unwrap();
    let mut proof = |index: u64, extra: Option<&[u8]>| TlogProof {
        extra: extra.map(<[u8]>::to_vec),
        index,
        hashes: reader.inclusion(index, SIZE).unwrap().hashes,
        checkpoint: sign(frontier.head()),
    };
    let file = |proof: &TlogProof| String::from_utf8(proof.to_bytes().unwrap()).unwrap();
    let vector = |why: &str, entry: &str, file: String, holds: bool| json!({"why": why, "entry": entry, "proof": file, "holds": holds});
    let good = proof(33, None);
    let text = file(&good);
    let mut wrong_head = frontier.head();
    wrong_head.root = leaf_hash(b"another root");
    let other_root = TlogProof {
        checkpoint: sign(wrong_head),
        ..good.clone()
    };
    let mut swapped = good.clone();
    swapped.hashes.swap(0, 1);
    let mut short = good.clone();
    short.hashes.pop();
    let vectors = vec![
        vector("first entry", "0", file(&proof(0, None)), true),
        vector("an entry in the middle", "33", text.clone(), true),
        vector(
            "the last entry, with extra data",
            "69",
            file(&proof(69, Some(b"extra"))),
            true,
        ),
        vector("empty extra data", "12", file(&proof(12, Some(b""))), true),
        vector("another entry", "34", text.clone(), false),
        vector(
            "another index",
            "33",
            text.replace("index 33", "index 34"),
            false,
        ),
        vector(
            "an index past the tree",
            "33",
            text.replace("index 33", "index 70"),
            false,
        ),
        vector("another root, signed", "33", file(&other_root), false),
        vector("hashes out of order", "33", file(&swapped), false),
        vector("a hash too few", "33", file(&short), false),
        vector(
            "another size in the checkpoint",
            "33",
            text.replace("\n70\n", "\n71\n"),
            false,
        ),
        vector("another version", "33", text.replace("@v1", "@v2"), false),
        vector(
            "index with a leading zero",
            "33",
            text.replace("index 33", "index 033"),
            false,
        ),
        vector("no blank line", "33", text.replacen("\n\n", "\n", 1), false),
        vector(
            "another origin",
            "33",
            text.replace(ORIGIN, "other.example/book"),
            false,
        ),
        vector(
            "extra after index",
            "33",
            text.replace("index 33\n", "index 33\nextra AA==\n"),
            false,
        ),
        vector("carriage returns", "33", text.replace('\n', "\r\n"), false),
        vector(
            "cut off",
            "33",
            text.split_at(text.len() - 9).0.to_owned(),
            false,
        ),
        vector("something after it", "33", text + "\n", false),
    ];
    json!({"origin": ORIGIN, "vkey": signer.verifier_key().to_string(), "proofs": vectors})
}

#[test]
fn proofs_are_judged_as_published() {
    let made = make_proofs();
    if std::env::var_os("PAYGOD_BLESS").is_some() {
        let mut text = serde_json::to_string_pretty(&made).unwrap();
        text.push('\n');
        std::fs::write(path("proofs.json"), text).unwrap();
    }
    let vectors = load("proofs.json");
    assert_eq!(vectors, made, "published proofs never change");
    let key = VerifierKey::parse(text(&vectors["vkey"])).unwrap();
    let verifier = Ed25519Verifier::new(&key).unwrap();
    for vector in vectors["proofs"].as_array().unwrap() {
        let bytes = text(&vector["proof"]).as_bytes();
        let leaf = leaf_hash(text(&vector["entry"]).as_bytes());
        let judged = TlogProof::parse(bytes).and_then(|proof| {
            assert_eq!(proof.to_bytes().unwrap(), bytes, "{vector}");
            proof.verify(leaf, ORIGIN, &[&verifier])
        });
        assert_eq!(
            judged.is_ok(),
            vector["holds"].as_bool().unwrap(),
            "{vector} {judged:?}"
        );
    }
}
