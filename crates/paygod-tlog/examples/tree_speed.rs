//! Measures leaf hashing, appending and verifying on one core:
//! `cargo run --release -p paygod-tlog --example tree_speed`.

#![allow(clippy::print_stdout, reason = "a bench prints its figures")]

use std::hint::black_box;
use std::time::Instant;

use paygod_tlog::{
    Ed25519Signer, Ed25519Verifier, Frontier, Hash, KeyName, NoteSigner, Rows, SignedNote,
    TreeWriter, leaf_hash, node_hash,
};

const ROUNDS: u32 = 200_000;

fn measure(what: &str, rounds: u32, work: impl FnOnce()) {
    let start = Instant::now();
    work();
    println!("{what:<44} {:>8} ns", (start.elapsed() / rounds).as_nanos());
}

fn main() {
    let entry = [0x61_u8; 400];
    let hash = leaf_hash(&entry);
    measure("node hash", ROUNDS, || {
        (0..ROUNDS).fold(hash, |node, _| node_hash(&node, &hash));
    });
    measure("leaf hash of 400 bytes", ROUNDS, || {
        (0..ROUNDS).for_each(|_| {
            black_box(leaf_hash(black_box(&entry)));
        });
    });
    measure("leaf hash and append, one at a time", ROUNDS, || {
        let mut frontier = Frontier::new();
        (0..ROUNDS).for_each(|_| frontier.append(leaf_hash(black_box(&entry))));
        black_box(frontier.root());
    });
    measure("leaf hash and append in groups, with rows", ROUNDS, || {
        let (mut writer, mut rows) = (TreeWriter::default(), Rows::new());
        for _ in 0..ROUNDS / 1_000 {
            let leaves: Vec<Hash> = (0..1_000).map(|_| leaf_hash(black_box(&entry))).collect();
            writer.append(&leaves, &mut rows);
        }
        black_box(writer.head());
    });
    let Ok(name) = KeyName::parse("log.example") else {
        return;
    };
    let signer = Ed25519Signer::new(name, &[1; 32]);
    let (Ok(verifier), Ok(note)) = (
        Ed25519Verifier::new(signer.verifier_key()),
        SignedNote::sign("text\n", &[&signer]),
    ) else {
        return;
    };
    measure("note signature verified strictly", 2_000, || {
        (0..2_000).for_each(|_| {
            black_box(note.verify(&[&verifier]).is_ok());
        });
    });
}
