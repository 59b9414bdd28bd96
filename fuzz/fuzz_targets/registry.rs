//! Any bytes as a proof of the registry on Ethereum and as a file of block hashes: what parses is written back to
//! the same, and whatever its paths are, checking them ends.
#![no_main]

use libfuzzer_sys::fuzz_target;
use paygod_anchor::chain::Statement;
use paygod_anchor::ethereum::{Blocks, RegistryProof};
use paygod_fuzz::{MIB, bounded};
use paygod_tlog::{Frontier, leaf_hash};

fuzz_target!(|bytes: &[u8]| {
    bounded(8 * MIB, || {
        let _ = Blocks::read(&mut &*bytes, 1);
        let Ok(proof) = RegistryProof::parse(bytes) else {
            return;
        };
        let written = proof.to_text();
        assert_eq!(RegistryProof::parse(written.as_bytes()).as_ref(), Ok(&proof));
        let mut frontier = Frontier::default();
        frontier.append(leaf_hash(b"one"));
        let of = Statement::new("paygod.test/book", frontier.head()).expect("a checkpoint");
        assert!(proof.check(&of).is_err(), "nobody has anchored that");
    });
});
