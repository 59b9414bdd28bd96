//! Cosignatures and trust policies, to the letter of C2SP tlog-cosignature and tlog-policy.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

use paygod_tlog::cosignature::cosigned_message;
use paygod_tlog::limits::{COSIGNATURE_TIME_MAX, POLICY_BYTES_MAX};
use paygod_tlog::{
    CosignError, CosignatureVerifier, Cosigner, Ed25519Cosigner, Ed25519Signer, KeyName,
    MlDsa44Cosigner, NoteSigner, PolicyFailure, PolicyFault, SignatureType, SignedNote,
    SignerError, TlogPolicy, VerifierKey, cosign,
};
use proptest::prelude::*;

/// The example of the specifications, without its signatures.
const TEXT: &str =
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
const TIME: u64 = 1_679_315_147;

fn name(text: &str) -> KeyName {
    KeyName::parse(text).unwrap()
}

fn ed25519(n: u8) -> Ed25519Cosigner {
    Ed25519Cosigner::new(name(&format!("witness.example.com/w{n}")), &[n; 32]).unwrap()
}

fn ml_dsa(n: u8) -> MlDsa44Cosigner {
    MlDsa44Cosigner::new(name(&format!("witness.example.com/w{n}")), &[n; 32]).unwrap()
}

fn both() -> [Box<dyn Cosigner>; 2] {
    [Box::new(ed25519(1)), Box::new(ml_dsa(2))]
}

fn log() -> Ed25519Signer {
    Ed25519Signer::new(name("example.com/behind-the-sofa"), &[9; 32])
}

fn note(cosigners: &[(&dyn Cosigner, u64)]) -> SignedNote {
    let mut note = SignedNote::sign(TEXT, &[&log()]).unwrap();
    for (cosigner, time) in cosigners {
        note.add_signature(cosign(*cosigner, TEXT, *time).unwrap())
            .unwrap();
    }
    note
}

#[test]
fn an_ed25519_cosignature_is_over_the_lines_of_the_specification() {
    let message = cosigned_message(ed25519(1).verifier_key(), TEXT, TIME).unwrap();
    let expected = "cosignature/v1\ntime 1679315147\nexample.com/behind-the-sofa\n20852163\n\
                    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
    assert_eq!(message, expected.as_bytes());
    let extended = format!("{TEXT}an extension\n");
    let message = cosigned_message(ed25519(1).verifier_key(), &extended, TIME).unwrap();
    assert!(message.ends_with(b"\nan extension\n"));
}

#[test]
fn an_ml_dsa_cosignature_is_over_the_structure_of_the_specification() {
    let mut expected = b"subtree/v1\n\0".to_vec();
    expected.push(22);
    expected.extend_from_slice(b"witness.example.com/w2");
    expected.extend_from_slice(&[0, 0, 0, 0, 0x64, 0x18, 0x50, 0xcb]);
    expected.push(27);
    expected.extend_from_slice(b"example.com/behind-the-sofa");
    expected.extend_from_slice(&[0; 8]);
    expected.extend_from_slice(&20_852_163_u64.to_be_bytes());
    let root = "0ac5186a91863e8e1d90c808014aa89bf5da8e3ee1d9f07630f0378f68f1ab62";
    for pair in root.as_bytes().chunks(2) {
        expected.push(u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap());
    }
    let key = ml_dsa(2);
    assert_eq!(
        cosigned_message(key.verifier_key(), TEXT, TIME).unwrap(),
        expected
    );
    // Extension lines are not part of it.
    let extended = format!("{TEXT}an extension\n");
    assert_eq!(
        cosigned_message(key.verifier_key(), &extended, TIME).unwrap(),
        expected
    );
}

#[test]
fn keys_and_signatures_have_the_bytes_of_their_types() {
    for (cosigner, kind, bytes) in [
        (
            &both()[0],
            SignatureType::CosignatureEd25519,
            [0x04, 8 + 64],
        ),
        (&both()[1], SignatureType::CosignatureMlDsa44, [0x06, 2_428]),
    ] {
        let key = cosigner.verifier_key();
        assert_eq!(key.kind(), kind);
        assert_eq!(usize::from(key.kind().byte()), bytes[0]);
        assert_eq!(VerifierKey::parse(&key.to_string()).unwrap(), *key);
        let line = cosign(&**cosigner, TEXT, TIME).unwrap();
        assert_eq!(line.signature.len(), bytes[1]);
        assert_eq!(line.signature[..8], TIME.to_be_bytes());
        assert_eq!((&line.name, line.id), (key.name(), key.id()));
    }
}

#[test]
fn a_cosignature_holds_for_its_text_time_name_and_key_alone() {
    for cosigner in both() {
        let key = cosigner.verifier_key();
        let verifier = CosignatureVerifier::new(key).unwrap();
        let signature = cosign(&*cosigner, TEXT, TIME).unwrap().signature;
        assert_eq!(verifier.time_of(TEXT, &signature), Some(TIME));
        let other_text = TEXT.replace("163", "164");
        assert_eq!(verifier.time_of(&other_text, &signature), None);
        let mut later = signature.clone();
        later[7] ^= 1;
        assert_eq!(verifier.time_of(TEXT, &later), None);
        let last = signature.len() - 1;
        let mut changed = signature.clone();
        changed[last] ^= 1;
        assert_eq!(verifier.time_of(TEXT, &changed), None);
        for cut in [0, 7, 8, 71, last] {
            assert_eq!(verifier.time_of(TEXT, &signature[..cut]), None, "{cut}");
        }
        assert_eq!(verifier.time_of("no checkpoint\n", &signature), None);
    }
    let (one, other) = (ml_dsa(1), ml_dsa(2));
    let signature = cosign(&one, TEXT, TIME).unwrap().signature;
    let verifier = CosignatureVerifier::new(other.verifier_key()).unwrap();
    assert_eq!(verifier.time_of(TEXT, &signature), None);
}

#[test]
fn a_note_key_is_no_cosigner_and_a_time_past_63_bits_cannot_be_said() {
    assert!(CosignatureVerifier::new(log().verifier_key()).is_err());
    for cosigner in both() {
        assert!(cosign(&*cosigner, TEXT, COSIGNATURE_TIME_MAX).is_ok());
        let refused = cosign(&*cosigner, TEXT, COSIGNATURE_TIME_MAX + 1);
        assert!(matches!(refused, Err(CosignError::Time { .. })));
        assert!(cosign(&*cosigner, "a\n1\n", TIME).is_err());
        assert!(cosign(&*cosigner, &format!("{TEXT}\nx\n"), TIME).is_err());
    }
}

/// Signs with another key than it shows.
#[derive(Debug)]
struct Liar(Ed25519Cosigner, Ed25519Cosigner);

impl Cosigner for Liar {
    fn verifier_key(&self) -> &VerifierKey {
        self.0.verifier_key()
    }

    fn sign_message(&self, message: &[u8]) -> Result<Vec<u8>, SignerError> {
        self.1.sign_message(message)
    }
}

#[test]
fn a_provider_that_signs_something_else_is_one_that_failed() {
    let refused = cosign(&Liar(ed25519(1), ed25519(2)), TEXT, TIME);
    assert!(matches!(refused, Err(CosignError::Wrong { .. })));
}

#[test]
fn another_implementation_accepts_an_ed25519_cosignature() {
    let cosigner = ed25519(1);
    let key = cosigner.verifier_key();
    let public = ed25519_dalek::VerifyingKey::from_bytes(key.public_key().try_into().unwrap());
    let signature = cosign(&cosigner, TEXT, TIME).unwrap().signature;
    let message = format!("cosignature/v1\ntime {TIME}\n{TEXT}");
    let bare = ed25519_dalek::Signature::from_slice(&signature[8..]).unwrap();
    assert!(
        public
            .unwrap()
            .verify_strict(message.as_bytes(), &bare)
            .is_ok()
    );
}

/// The example of tlog-policy, with keys.
fn example() -> String {
    let mut policy = format!("# an example\nlog {}\n\n", log().verifier_key());
    for n in 1..=3 {
        policy += &format!("\twitness X{n}  {} https://x\n", ed25519(n).verifier_key());
    }
    policy += "group X-witnesses 2 X1 X2 X3\n";
    for n in 4..=6 {
        policy += &format!("witness Y{n} {}\n", ml_dsa(n).verifier_key());
    }
    policy
        + "group Y-witnesses any Y4 Y5 Y6\ngroup X-and-Y all X-witnesses Y-witnesses\nquorum X-and-Y\n"
}

#[test]
fn the_example_policy_asks_for_what_its_specification_says() {
    let policy = TlogPolicy::parse(example().as_bytes()).unwrap();
    assert_eq!((policy.logs().len(), policy.witnesses().len()), (1, 6));
    assert_eq!(policy.quorum_name(), "X-and-Y");
    for (cosigned, reached) in [
        (&[0, 1, 3][..], true),
        (&[0, 2, 5], true),
        (&[0, 1, 2], false),
        (&[0, 3, 4, 5], false),
        (&[0, 0, 3], false),
        (&[], false),
    ] {
        assert_eq!(policy.is_quorum(cosigned), reached, "{cosigned:?}");
    }
    let (one, two, four) = (ed25519(1), ed25519(2), ml_dsa(4));
    let whole = note(&[(&one, TIME), (&two, TIME), (&four, TIME)]);
    assert_eq!(policy.verify(&whole, Some(TIME)).unwrap().len(), 3);
    let twice = note(&[(&one, TIME), (&one, TIME + 1), (&four, TIME)]);
    let refused = policy.verify(&twice, None).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the quorum `X-and-Y` is not reached: cosigned by X1, Y4; ask the witnesses again, or take the checkpoint as signed only"
    );
}

#[test]
fn a_cosignature_from_the_future_or_a_wrong_one_is_named() {
    let policy = TlogPolicy::parse(example().as_bytes()).unwrap();
    let (one, two, four) = (ed25519(1), ed25519(2), ml_dsa(4));
    let ahead = note(&[(&one, TIME), (&two, TIME + 301), (&four, TIME)]);
    assert!(policy.verify(&ahead, Some(TIME + 1)).is_ok());
    let refused = policy.verify(&ahead, Some(TIME)).unwrap_err();
    assert!(
        matches!(&refused, PolicyFailure::Future { witness, ahead_s: 301, .. } if witness == "X2")
    );
    let mut wrong = cosign(&four, TEXT, TIME).unwrap();
    wrong.signature[100] ^= 1;
    let mut changed = note(&[(&one, TIME), (&two, TIME)]);
    changed.add_signature(wrong).unwrap();
    let refused = policy.verify(&changed, None).unwrap_err();
    assert_eq!(refused.code().as_str(), "tlog.signature");
    let mut unsigned = SignedNote::from_parts(TEXT, vec![cosign(&one, TEXT, TIME).unwrap()]);
    let refused = policy.verify(unsigned.as_mut().unwrap(), None).unwrap_err();
    assert_eq!(refused.code().as_str(), "tlog.untrusted");
}

#[test]
fn a_policy_without_witnesses_is_a_quorum_of_nobody() {
    let policy = TlogPolicy::parse(b"quorum none").unwrap();
    assert!(policy.is_quorum(&[]));
    assert_eq!(policy.verify(&note(&[]), None).unwrap(), []);
}

#[test]
fn what_breaks_the_rules_of_a_policy_is_refused_at_its_line() {
    let (w1, w2) = (ed25519(1), ed25519(2));
    let (w1, w2) = (w1.verifier_key(), w2.verifier_key());
    let renamed = VerifierKey::new(name("other"), w1.kind(), w1.public_key()).unwrap();
    let log = log();
    let log = log.verifier_key();
    let two = format!("witness a {w1}\nwitness b {w2}\n");
    for (policy, line) in [
        (String::new(), 0),
        ("quorum none\nquorum none\n".to_owned(), 2),
        ("quorum a\n".to_owned(), 1),
        ("quorum none\r\n".to_owned(), 1),
        ("quorum none\nlog\n".to_owned(), 2),
        ("witness a b c d\nquorum none\n".to_owned(), 1),
        (format!("witness none {w1}\nquorum none\n"), 1),
        (format!("witness a {log}\nquorum none\n"), 1),
        (format!("{two}witness a {w2}\nquorum a\n"), 3),
        (format!("{two}witness c {renamed}\nquorum a\n"), 3),
        (format!("log {log}\nlog {log}\nquorum none\n"), 2),
        (format!("{two}group a all b\nquorum a\n"), 3),
        (format!("{two}group g all a c\nquorum g\n"), 3),
        (format!("{two}group g all g\nquorum g\n"), 3),
        (format!("{two}group g 0 a\nquorum g\n"), 3),
        (format!("{two}group g 3 a b\nquorum g\n"), 3),
        (format!("{two}group g 01 a b\nquorum g\n"), 3),
        (format!("{two}group g any\nquorum g\n"), 3),
        (format!("{two}group g any a a\nquorum g\n"), 3),
        (
            format!("{two}group g any a\ngroup h any a b\nquorum g\n"),
            4,
        ),
        (format!("{two}group g any none\nquorum g\n"), 3),
    ] {
        let refused = TlogPolicy::parse(policy.as_bytes()).unwrap_err();
        assert_eq!(refused.line, line, "{policy}: {refused}");
        assert_eq!(refused.code().as_str(), "tlog.policy");
    }
    let long = vec![b' '; POLICY_BYTES_MAX + 1];
    let refused = TlogPolicy::parse(&long).unwrap_err();
    assert!(matches!(refused.fault, PolicyFault::TooMany { .. }));
}

proptest! {
    #[test]
    fn any_octets_as_a_policy_are_read_or_refused(octets in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = TlogPolicy::parse(&octets);
    }
}

#[test]
fn cosignatures_of_another_implementation_hold_and_have_the_keys_that_ours_have() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../contracts/vectors/tlog/cosignatures.json"
    );
    let vectors: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let text = vectors["text"].as_str().unwrap();
    assert_eq!(text, TEXT);
    let ours = [
        ed25519(1).verifier_key().to_string(),
        ml_dsa(2).verifier_key().to_string(),
    ];
    for (vector, ours) in vectors["cosignatures"].as_array().unwrap().iter().zip(ours) {
        assert_eq!(vector["vkey"], ours);
        let line = vector["line"].as_str().unwrap();
        let note = SignedNote::parse(format!("{text}\n{line}\n").as_bytes()).unwrap();
        let key = VerifierKey::parse(&ours).unwrap();
        let verifier = CosignatureVerifier::new(&key).unwrap();
        let time = verifier.time_of(text, &note.signatures()[0].signature);
        assert_eq!(time, vector["time"].as_u64());
    }
}
