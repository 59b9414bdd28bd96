//! Timestamps against headers.

use std::time::Instant;

use paygod_anchor::bitcoin::{Headers, Network, ProofError, judge};
use paygod_anchor::ots::{Attestation, DetachedFile, Op, Timestamp};
use paygod_anchor::practice::PracticeChain;
use paygod_types::Digest;

fn headers(chain: &PracticeChain) -> Headers {
    Headers::read(&mut chain.to_text().as_bytes(), Network::Regtest).unwrap()
}

#[test]
fn a_timestamp_proves_the_block_it_leads_to() {
    let mut chain = PracticeChain::default();
    chain.mine([1; 32], 1_699_999_000);
    let digest = Digest::sha256(b"checkpoint");
    let file = DetachedFile::new(&digest, chain.attest(digest.as_bytes(), 1_700_000_000));
    chain.mine([2; 32], 1_700_000_600);
    let proven = judge(&file, &headers(&chain)).unwrap();
    assert_eq!(
        (proven.height, proven.time_s, proven.depth),
        (2, 1_700_000_000, 2)
    );
}

#[test]
fn a_timestamp_of_another_block_proves_nothing() {
    let mut chain = PracticeChain::default();
    let digest = Digest::sha256(b"checkpoint");
    let mut other = PracticeChain::default();
    let file = DetachedFile::new(&digest, chain.attest(digest.as_bytes(), 1_700_000_000));
    other.mine([3; 32], 1_700_000_000);
    assert_eq!(
        judge(&file, &headers(&other)),
        Err(ProofError::Root { height: 1 })
    );
    let far = DetachedFile::new(
        &digest,
        Timestamp::of_path([Op::Sha256], Attestation::Bitcoin { height: 77 }),
    );
    assert_eq!(
        judge(&far, &headers(&other)),
        Err(ProofError::Unknown {
            height: 77,
            first: 1,
            last: 1
        })
    );
    let promise =
        Attestation::Pending(paygod_anchor::ots::CalendarUri::new("https://a.example").unwrap());
    let pending = DetachedFile::new(&digest, Timestamp::of_path([Op::Sha256], promise));
    assert_eq!(judge(&pending, &headers(&other)), Err(ProofError::Pending));
}

#[test]
fn one_block_that_holds_is_enough_and_the_earliest_one_counts() {
    let mut chain = PracticeChain::default();
    let digest = Digest::sha256(b"checkpoint");
    let mut file = DetachedFile::new(&digest, chain.attest(digest.as_bytes(), 1_700_000_000));
    file.timestamp
        .merge(chain.attest(digest.as_bytes(), 1_700_000_600))
        .unwrap();
    file.timestamp
        .merge(Timestamp::of_path(
            [Op::Hexlify, Op::Sha256],
            Attestation::Bitcoin { height: 1 },
        ))
        .unwrap();
    assert_eq!(judge(&file, &headers(&chain)).unwrap().height, 1);
}

/// CVE-2017-12842: 64 bytes that are a transaction and pass for a node of the merkle tree.
#[test]
fn a_path_through_a_transaction_of_64_bytes_is_refused() {
    let digest = Digest::sha256(b"forged");
    let mut chain = PracticeChain::default();
    let timestamp = chain.attest_ambiguously(digest.as_bytes(), 1_700_000_000);
    let file = DetachedFile::new(&digest, timestamp);
    let height = 1;
    assert_eq!(
        judge(&file, &headers(&chain)),
        Err(ProofError::Ambiguous { height })
    );
}

#[test]
fn a_year_of_anchors_every_ten_minutes_is_judged_in_seconds() {
    // A thousandth in a plain test run, which says nothing of speed; the release build's `anchors_speed`
    // example does the whole year.
    let mut chain = PracticeChain::default();
    let files: Vec<Vec<u8>> = (0..52_u32)
        .map(|at| {
            let digest = Digest::sha256(&at.to_le_bytes());
            let timestamp = chain.attest(digest.as_bytes(), 1_700_000_000 + at * 600);
            DetachedFile::new(&digest, timestamp).to_bytes().unwrap()
        })
        .collect();
    let began = Instant::now();
    let headers = headers(&chain);
    for file in &files {
        judge(&DetachedFile::parse(file).unwrap(), &headers).unwrap();
    }
    assert!(began.elapsed().as_secs() < 5);
}
