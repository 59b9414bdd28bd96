//! Any bytes as a proof file: what parses prints as the same bytes, and no hostile proof panics.
#![no_main]

use libfuzzer_sys::fuzz_target;
use paygod_fuzz::{MIB, bounded};
use paygod_tlog::{InclusionProof, TlogProof, leaf_hash};

fuzz_target!(|bytes: &[u8]| {
    bounded(4 * MIB, || {
        let Ok(proof) = TlogProof::parse(bytes) else { return };
        assert_eq!(proof.to_bytes().expect("it was a file before"), bytes, "one spelling");
        let inclusion = InclusionProof {
            index: proof.index,
            size: proof.checkpoint.head().size,
            hashes: proof.hashes,
        };
        let _ = inclusion.root_from(leaf_hash(b"x"));
    });
});
