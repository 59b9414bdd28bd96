//! Any bytes as the path of a tile and as a frontier: what parses prints as the same bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use paygod_fuzz::{MIB, bounded};
use paygod_tlog::{Frontier, Tile};

fuzz_target!(|bytes: &[u8]| {
    bounded(MIB, || {
        if let Ok(text) = std::str::from_utf8(bytes)
            && let Ok(tile) = Tile::from_path(text)
        {
            assert_eq!(tile.path(), text, "a tile has one path");
        }
        if let Ok(frontier) = Frontier::from_bytes(bytes) {
            assert_eq!(frontier.to_bytes(), bytes, "a frontier has one spelling");
            let _ = frontier.root();
        }
    });
});
