//! Any bytes as a note that witnesses cosigned, as a trust policy and as a request to a witness: nothing
//! forged is a quorum, and a request has one spelling.
#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use paygod_fuzz::{MIB, bounded};
use paygod_tlog::{AddCheckpoint, Checkpoint, Cosigner as _, KeyName, MlDsa44Cosigner, SignedNote, TlogPolicy};

/// A policy whose only witness has a key that nobody keeps.
static POLICY: OnceLock<TlogPolicy> = OnceLock::new();

fn policy() -> TlogPolicy {
    let name = KeyName::parse("w").expect("a name");
    let cosigner = MlDsa44Cosigner::new(name, &[7; 32]).expect("a key");
    let key = cosigner.verifier_key();
    TlogPolicy::parse(format!("witness w {key}\nquorum w\n").as_bytes()).expect("a policy")
}

fuzz_target!(|bytes: &[u8]| {
    let known = POLICY.get_or_init(policy);
    bounded(16 * MIB, || {
        if let Ok(policy) = TlogPolicy::parse(bytes) {
            let all: Vec<usize> = (0..policy.witnesses().len()).collect();
            assert!(policy.is_quorum(&all), "all witnesses are a quorum of every policy");
        }
        if let Ok(request) = AddCheckpoint::parse(bytes) {
            assert_eq!(request.to_bytes(), bytes, "a request has one spelling");
        }
        if let Ok(note) = SignedNote::parse(bytes) {
            let _ = Checkpoint::from_extended_text(note.text());
            assert!(known.verify(&note, Some(0)).is_err(), "nobody holds the key");
        }
    });
});
