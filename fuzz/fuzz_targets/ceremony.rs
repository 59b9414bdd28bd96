//! Any bytes as the documents of a ceremony and as the address of keys: what parses is written back to the
//! same text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use paygod_core::ceremony::{RevocationText, RootKeyText, RootsText};
use paygod_fuzz::{MIB, bounded};

fuzz_target!(|bytes: &[u8]| {
    bounded(4 * MIB, || {
        let _ = RootKeyText::open(bytes);
        let _ = RootsText::accepted(&[bytes.to_vec(), bytes.to_vec()]);
        let Ok(text) = core::str::from_utf8(bytes) else {
            return;
        };
        if let Ok(roots) = RootsText::from_text(text) {
            assert_eq!(roots.to_text(), text);
        }
        if let Ok(revocation) = RevocationText::from_text(text) {
            assert_eq!(revocation.to_text(), text);
        }
        let _ = paygod_keys::uri::parse(text);
    });
});
