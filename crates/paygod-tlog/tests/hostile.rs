//! Hostile bytes: every parser answers with an error, never a panic, and what it does accept it
//! writes back byte for byte.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

use paygod_tlog::limits::{BUNDLE_BYTES_MAX, NOTE_BYTES_MAX, PROOF_BYTES_MAX};
use paygod_tlog::{
    BundleError, BundleReader, Checkpoint, CheckpointError, Ed25519Signer, Ed25519Verifier, Hash,
    KeyError, KeyId, KeyName, NoteError, NoteSignature, NoteSigner, SignatureType, SignedNote,
    SignerError, Tile, TileKind, TlogProof, TlogProofError, VerifierKey, bundle,
};
use proptest::prelude::*;

/// Text that looks like what the parsers want, so that mutations reach deep.
fn note_like() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just("\n".to_owned()),
        Just("\n\n".to_owned()),
        Just("— ".to_owned()),
        Just(" ".to_owned()),
        Just("example.com/log".to_owned()),
        Just("AAAAAGhlbGxv".to_owned()),
        Just("CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=".to_owned()),
        Just("c2sp.org/tlog-proof@v1\n".to_owned()),
        Just("extra ".to_owned()),
        Just("index ".to_owned()),
        "[0-9]{1,21}",
        "\\PC{0,4}",
    ];
    let text =
        proptest::collection::vec(piece, 0..24).prop_map(|parts| parts.concat().into_bytes());
    let bytes = proptest::collection::vec(any::<u8>(), 0..64);
    prop_oneof![4 => text, 1 => bytes]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn text_parsers_never_panic_and_accept_one_spelling(bytes in note_like()) {
        if let Ok(note) = SignedNote::parse(&bytes) {
            prop_assert_eq!(note.to_bytes(), bytes.clone());
        }
        if let Ok(proof) = TlogProof::parse(&bytes) {
            prop_assert_eq!(proof.to_bytes().unwrap(), bytes.clone());
        }
        if let Ok(text) = str::from_utf8(&bytes) {
            if let Ok(checkpoint) = Checkpoint::from_text(text) {
                prop_assert_eq!(checkpoint.to_text().unwrap(), text);
            }
            if let Ok(tile) = Tile::from_path(text) {
                prop_assert_eq!(tile.path(), text);
            }
            if let Ok(key) = VerifierKey::parse(text) {
                prop_assert_eq!(key.to_string(), text);
            }
            let _ = Hash::from_base64(text);
            let _ = Hash::from_hex(text);
        }
    }

    #[test]
    fn bundles_read_back_as_written(
        entries in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..50), 0..40),
        cut in any::<usize>(),
    ) {
        let mut bytes = Vec::new();
        for entry in &entries {
            bundle::append_entry(&mut bytes, entry).unwrap();
        }
        let width = u16::try_from(entries.len()).unwrap();
        prop_assert_eq!(bundle::parse(&bytes, width).unwrap(), entries);
        prop_assert!(bundle::parse(&bytes, width + 1).is_err());
        if width > 0 {
            prop_assert!(bundle::parse(&bytes, width - 1).is_err());
            prop_assert!(bundle::parse(&bytes[..cut % bytes.len()], width).is_err());
        }
        bytes.push(0);
        prop_assert!(bundle::parse(&bytes, width).is_err());
    }

    #[test]
    fn any_bytes_are_judged_as_bundle_without_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..600), width in 0_u16..300,
    ) {
        let read = BundleReader::new(&bytes, width).unwrap();
        prop_assert!(read.count() <= usize::from(width) + 1);
        if let Ok(entries) = bundle::parse(&bytes, width) {
            let mut again = Vec::new();
            for entry in entries {
                bundle::append_entry(&mut again, entry).unwrap();
            }
            prop_assert_eq!(again, bytes);
        }
    }

    #[test]
    fn hash_text_reads_back(bytes: [u8; 32]) {
        let hash = Hash::new(bytes);
        prop_assert_eq!(Hash::from_hex(&hash.to_string()).unwrap(), hash);
        prop_assert_eq!(Hash::from_base64(&hash.to_base64()).unwrap(), hash);
        let upper = hash.to_string().to_uppercase();
        prop_assert!(Hash::from_hex(&upper).is_err() || upper == hash.to_string());
    }
}

#[test]
fn what_is_too_large_is_refused_by_its_length_alone() {
    let note = vec![b'a'; NOTE_BYTES_MAX + 1];
    assert!(matches!(
        SignedNote::parse(&note),
        Err(NoteError::TooLong { .. })
    ));
    let proof = vec![b'a'; PROOF_BYTES_MAX + 1];
    assert!(matches!(
        TlogProof::parse(&proof),
        Err(TlogProofError::TooLong { .. })
    ));
    let long = "o".repeat(1_000) + "\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
    assert!(matches!(
        Checkpoint::from_text(&long),
        Err(CheckpointError::TooLong { .. })
    ));
    let bundle_bytes = vec![0; BUNDLE_BYTES_MAX + 1];
    assert!(matches!(
        BundleReader::new(&bundle_bytes, 256),
        Err(BundleError::TooLong { .. })
    ));
    let entry = vec![0; 65_536];
    let mut out = Vec::new();
    assert!(bundle::append_entry(&mut out, &entry).is_err());
    assert!(out.is_empty());
    bundle::append_entry(&mut out, &entry[1..]).unwrap();
    assert_eq!(bundle::parse(&out, 1).unwrap()[0].len(), 65_535);
}

#[test]
fn small_order_and_foreign_keys_are_refused() {
    let name = || KeyName::parse("k.example").unwrap();
    for bytes in [
        [0; 32],
        {
            let mut one = [0; 32];
            one[0] = 1;
            one
        },
        [0xff; 32],
    ] {
        let key = VerifierKey::new(name(), SignatureType::Ed25519, &bytes).unwrap();
        assert!(
            matches!(Ed25519Verifier::new(&key), Err(KeyError::Point { .. })),
            "{key}"
        );
    }
    let witness = VerifierKey::new(name(), SignatureType::CosignatureMlDsa44, &[7; 1_312]).unwrap();
    assert_eq!(VerifierKey::parse(&witness.to_string()).unwrap(), witness);
    assert!(Ed25519Verifier::new(&witness).is_err());
    assert!(VerifierKey::new(name(), SignatureType::CosignatureMlDsa44, &[7; 32]).is_err());
}

#[test]
fn one_public_key_has_an_id_for_each_signature_type() {
    let name = KeyName::parse("k.example").unwrap();
    let log = KeyId::compute(&name, SignatureType::Ed25519, &[7; 32]);
    let witness = KeyId::compute(&name, SignatureType::CosignatureEd25519, &[7; 32]);
    assert_ne!(log, witness);
}

/// Signs with another key than it says, as a broken provider might.
struct Liar {
    says: Ed25519Signer,
    signs: Ed25519Signer,
}

impl NoteSigner for Liar {
    fn verifier_key(&self) -> &VerifierKey {
        self.says.verifier_key()
    }

    fn sign(&self, text: &str) -> Result<Vec<u8>, SignerError> {
        self.signs.sign(text)
    }
}

#[test]
fn lying_signer_is_caught_before_its_signature_is_used() {
    let name = || KeyName::parse("k.example").unwrap();
    let says = Ed25519Signer::new(name(), &[1; 32]);
    let signs = Ed25519Signer::new(name(), &[2; 32]);
    let signed = SignedNote::sign("text\n", &[&Liar { says, signs }]);
    assert!(matches!(signed, Err(NoteError::BadSignature { .. })));
}

#[test]
fn sixteen_large_cosignatures_fit_and_sixty_five_do_not() {
    let signer = Ed25519Signer::new(KeyName::parse("log.example").unwrap(), &[3; 32]);
    let mut note = SignedNote::sign("text\n", &[&signer]).unwrap();
    let cosignature = |number: u8| NoteSignature {
        name: KeyName::parse(&format!("witness{number}.example")).unwrap(),
        id: KeyId::new([number; 4]),
        signature: vec![number; SignatureType::CosignatureMlDsa44.signature_bytes()],
    };
    for number in 0..63 {
        note.add_signature(cosignature(number)).unwrap();
    }
    let before = note.clone();
    assert!(note.add_signature(cosignature(64)).is_err());
    assert_eq!(note, before);
    assert_eq!(SignedNote::parse(&note.to_bytes()).unwrap(), note);
    let verifier = Ed25519Verifier::new(signer.verifier_key()).unwrap();
    assert_eq!(note.verify(&[&verifier]).unwrap(), [0]);
}

#[test]
fn texts_that_could_not_be_read_back_are_not_signed() {
    let signer = Ed25519Signer::new(KeyName::parse("log.example").unwrap(), &[3; 32]);
    for text in ["", "no newline", "tab\there\n", "return\r\n", "nul\0\n"] {
        assert!(SignedNote::sign(text, &[&signer]).is_err(), "{text:?}");
    }
    assert!(SignedNote::sign("text\n", &[]).is_err());
}

#[test]
fn tiles_of_a_tree_are_those_of_the_specification() {
    let tiles = |size| -> Vec<Tile> { Tile::all(size).collect() };
    assert!(tiles(0).is_empty());
    let count = |size, kind, partial| {
        tiles(size)
            .iter()
            .filter(|t| t.kind() == kind && t.is_partial() == partial)
            .count()
    };
    assert_eq!(count(70_000, TileKind::Hashes(0), false), 273);
    assert_eq!(count(70_000, TileKind::Hashes(1), false), 1);
    assert_eq!(count(70_000, TileKind::Entries, false), 273);
    let partial: Vec<(TileKind, u16)> = tiles(70_000)
        .iter()
        .filter(|tile| tile.is_partial())
        .map(|tile| (tile.kind(), tile.width()))
        .collect();
    let expected = [
        (TileKind::Entries, 112),
        (TileKind::Hashes(0), 112),
        (TileKind::Hashes(1), 17),
        (TileKind::Hashes(2), 1),
    ];
    assert_eq!(partial, expected);
    let at_256: Vec<String> = tiles(256).iter().map(Tile::path).collect();
    assert_eq!(at_256, ["tile/entries/000", "tile/0/000", "tile/1/000.p/1"]);
}

#[test]
fn grown_tiles_are_exactly_those_that_changed() {
    for (old, new) in [
        (0, 1),
        (1, 1),
        (5, 5),
        (5, 256),
        (256, 257),
        (300, 70_000),
        (65_535, 65_536),
    ] {
        let before: std::collections::BTreeSet<Tile> = Tile::all(old).collect();
        let expected: Vec<Tile> = Tile::all(new)
            .filter(|tile| !before.contains(tile))
            .collect();
        let grown: Vec<Tile> = Tile::grown(old, new).collect();
        assert_eq!(grown, expected, "{old} to {new}");
    }
}
