//! Any bytes as a request and as a file of them: what parses writes a request that parses the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use paygod_core::Request;
use paygod_fuzz::{MIB, bounded};
use paygod_service::ingest::jsonl;

fuzz_target!(|bytes: &[u8]| {
    bounded(8 * MIB, || {
        if let Ok(request) = Request::from_json(bytes) {
            let written = request.to_json().expect("what was read can be written");
            assert_eq!(Request::from_json(&written).ok(), Some(request));
        }
        let _ = jsonl::check(bytes);
    });
});
