//! Any bytes as an entry: what decodes encodes to the same bytes, so an entry has one spelling.
#![no_main]

use libfuzzer_sys::fuzz_target;
use paygod_core::Entry;
use paygod_fuzz::{MIB, bounded};

fuzz_target!(|bytes: &[u8]| {
    bounded(4 * MIB, || {
        let Ok(entry) = Entry::decode(bytes) else { return };
        let mut again = Vec::new();
        entry.encode(&mut again);
        assert_eq!(again, bytes, "an entry has one spelling");
    });
});
