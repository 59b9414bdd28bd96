//! Any bytes as an `.ots` file, as a calendar's answer and as a file of block headers: what parses is
//! written back to what parses to the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use paygod_anchor::bitcoin::{Headers, Network, is_transaction, judge};
use paygod_anchor::calendar::AllowList;
use paygod_anchor::ots::{Attestation, DetachedFile, Timestamp};
use paygod_fuzz::{MIB, bounded};

/// The first block of the main chain.
const HEADERS: &[u8] = b"0 0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d1dac2b7c\n";

fuzz_target!(|bytes: &[u8]| {
    // A tree of 4,096 operations, each with its argument in a node of its own.
    bounded(32 * MIB, || {
        let _ = is_transaction(bytes);
        let _ = Headers::read(&mut &*bytes, Network::Regtest);
        if let Ok(text) = core::str::from_utf8(bytes) {
            let _ = AllowList::new(text.lines());
        }
        if let Ok(timestamp) = Timestamp::parse(bytes, &[7; 32]) {
            let written = timestamp.to_bytes().expect("what was read can be written");
            let again = Timestamp::parse(&written, &[7; 32]);
            assert_eq!(again.as_ref(), Ok(&timestamp), "a tree has one spelling");
        }
        if let Ok(file) = DetachedFile::parse(bytes) {
            let written = file.to_bytes().expect("what was read can be written");
            assert_eq!(DetachedFile::parse(&written).as_ref(), Ok(&file));
            let mut twice = file.clone();
            twice.merge(file.clone()).expect("a file joins itself");
            assert_eq!(twice, file);
            if let Ok(headers) = Headers::read(&mut &*HEADERS, Network::Main) {
                assert!(judge(&file, &headers).is_err());
            }
            let allowed = AllowList::new(["https://a.example"]).expect("it is a pattern");
            for attestation in file.timestamp.attestations() {
                if let Attestation::Pending(uri) = attestation {
                    let _ = allowed.allows(uri);
                }
            }
        }
    });
});
