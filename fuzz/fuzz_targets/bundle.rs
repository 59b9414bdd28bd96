//! Any bytes as an entry bundle: its entries, written again, are the same bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use paygod_fuzz::{MIB, bounded};
use paygod_tlog::bundle;

fuzz_target!(|bytes: &[u8]| {
    let Some((width, bytes)) = bytes.split_first() else { return };
    bounded(MIB + 2 * bytes.len(), || {
        let Ok(entries) = bundle::parse(bytes, u16::from(*width) + 1) else { return };
        let mut again = Vec::new();
        for entry in entries {
            bundle::append_entry(&mut again, entry).expect("it was an entry before");
        }
        assert_eq!(again, bytes, "a bundle has one spelling");
    });
});
