//! Any bytes as a list file, and as the two halves of an OFAC publication.
#![no_main]

use libfuzzer_sys::fuzz_target;
use paygod_fuzz::{MIB, bounded};
use paygod_policy::List;
use paygod_service::ingest::ofac;

fuzz_target!(|bytes: &[u8]| {
    bounded(16 * MIB, || {
        if let Ok(list) = List::parse(bytes) {
            assert_eq!(list.bytes(), bytes, "a list has one spelling");
        }
        let (sdn, alt) = bytes.split_at(bytes.len() / 2);
        let _ = ofac::read(sdn, Some(alt));
    });
});
