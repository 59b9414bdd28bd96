//! Any bytes as a pack: a manifest whose condition they are, a manifest itself, and an archive.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use paygod_fuzz::{MIB, bounded};
use paygod_policy::Pack;


fuzz_target!(|bytes: &[u8]| {
    bounded(64 * MIB, || {
        let _ = Pack::from_archive(bytes);
        let Ok(text) = std::str::from_utf8(bytes) else { return };
        let _ = Pack::from_files(&BTreeMap::from([("pack.yaml".to_owned(), text.to_owned())]));
    });
});
