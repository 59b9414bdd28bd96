//! Any bytes as a signed checkpoint: what parses prints as the same bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use paygod_fuzz::{MIB, bounded};
use paygod_tlog::{Checkpoint, SignedCheckpoint};

fuzz_target!(|bytes: &[u8]| {
    bounded(4 * MIB, || {
        if let Ok(signed) = SignedCheckpoint::parse(bytes) {
            assert_eq!(signed.to_bytes(), bytes, "a signed checkpoint has one spelling");
        }
        if let Ok(text) = std::str::from_utf8(bytes)
            && let Ok(checkpoint) = Checkpoint::from_text(text)
        {
            assert_eq!(checkpoint.to_text().expect("it was text before"), text);
        }
    });
});
