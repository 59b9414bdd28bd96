//! How long a year of anchors every ten minutes takes to check: proofs and headers are made first, then
//! read and judged as an auditor's would be.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "an example prints, and ends where it cannot go on"
)]

use std::time::Instant;

use paygod_anchor::bitcoin::{Headers, Network, judge};
use paygod_anchor::ots::DetachedFile;
use paygod_anchor::practice::PracticeChain;
use paygod_types::Digest;

/// A year of ten minutes.
const ANCHORS: u32 = 52_560;

fn main() {
    let mut chain = PracticeChain::default();
    let files: Vec<Vec<u8>> = (0..ANCHORS)
        .map(|at| {
            let digest = Digest::sha256(&at.to_le_bytes());
            let timestamp = chain.attest(digest.as_bytes(), 1_700_000_000 + at * 600);
            DetachedFile::new(&digest, timestamp).to_bytes().unwrap()
        })
        .collect();
    let text = chain.to_text();
    let began = Instant::now();
    let headers = Headers::read(&mut text.as_bytes(), Network::Regtest).unwrap();
    let read = began.elapsed();
    for (height, file) in (1_u64..).zip(&files) {
        let file = DetachedFile::parse(file).unwrap();
        assert_eq!(judge(&file, &headers).unwrap().height, height);
    }
    let took = began.elapsed();
    let bytes = files.first().map_or(0, Vec::len);
    println!(
        "{ANCHORS} headers in {} ms, with as many proofs of {bytes} bytes in {} ms",
        read.as_millis(),
        took.as_millis()
    );
}
