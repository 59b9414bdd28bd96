//! Any bytes as an ISO 20022 payment file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use paygod_fuzz::{MIB, bounded};
use paygod_service::ingest::iso20022;

fuzz_target!(|bytes: &[u8]| {
    bounded(16 * MIB, || {
        let _ = iso20022::read(bytes);
    });
});
