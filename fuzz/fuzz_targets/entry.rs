//! Any bytes as an entry: what decodes encodes to the same bytes, so an entry has one spelling; and read
//! over another entry it is the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use paygod_core::{Entry, EntrySlot};
use paygod_fuzz::{MIB, bounded};

fuzz_target!(|bytes: &[u8]| {
    bounded(4 * MIB, || {
        over(bytes);
        let Ok(entry) = Entry::decode(bytes) else { return };
        let mut again = Vec::new();
        entry.encode(&mut again);
        assert_eq!(again, bytes, "an entry has one spelling");
    });
});

/// Two entries, a newline between them, read one over the other.
fn over(bytes: &[u8]) {
    let Some(middle) = bytes.iter().position(|byte| *byte == b'\n') else { return };
    let (first, second) = (&bytes[..middle], &bytes[middle + 1..]);
    let mut slot = EntrySlot::default();
    let _ = slot.read(first);
    assert_eq!(slot.read(second).cloned(), Entry::decode(second), "a slot has no memory");
}
