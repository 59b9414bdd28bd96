//! Any bytes as a signed note: what parses prints as the same bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use paygod_fuzz::{MIB, bounded};
use paygod_tlog::{SignedNote, VerifierKey};

fuzz_target!(|bytes: &[u8]| {
    bounded(4 * MIB, || {
        if let Ok(note) = SignedNote::parse(bytes) {
            assert_eq!(note.to_bytes(), bytes, "a note has one spelling");
        }
        if let Ok(text) = std::str::from_utf8(bytes) {
            let _ = VerifierKey::parse(text);
        }
    });
});
