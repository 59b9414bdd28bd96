//! Any bytes as JSON: what canonicalises is canonical, reads whole, and is its own canonical form.
#![no_main]

use libfuzzer_sys::fuzz_target;
use paygod_fuzz::{MIB, bounded};
use paygod_types::canonical::{Limits, Reader, canonicalize, check};

fuzz_target!(|bytes: &[u8]| {
    bounded(4 * MIB, || {
        let limits = Limits::REQUEST;
        let strict = check(bytes, &limits).is_ok();
        let mut once = Vec::new();
        let accepted = canonicalize(bytes, &limits, &mut once).is_ok();
        assert!(accepted || !strict, "what is canonical canonicalises");
        if !accepted {
            return;
        }
        assert_eq!(strict, once == bytes, "canonical means: equal to its own canonical form");
        assert!(check(&once, &limits).is_ok(), "the output is canonical");
        let mut reader = Reader::new(&once, &limits).expect("the output is within its limits");
        reader.skip().expect("the reader reads what the check accepts");
        reader.finish().expect("and finds nothing after it");
    });
});
