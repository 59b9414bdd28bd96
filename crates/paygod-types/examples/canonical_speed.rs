//! Prints how fast canonical JSON is checked, read and written, on one core, in megabytes a second.
//!
//! `cargo run --release -p paygod-types --example canonical_speed [NAME]`; a name picks the lines that
//! begin with it.

#![allow(
    clippy::print_stdout,
    clippy::float_arithmetic,
    clippy::as_conversions,
    clippy::unwrap_used,
    reason = "a measuring program: it prints ratios and stops at the first error"
)]

use std::hint::black_box;
use std::time::Instant;

use paygod_types::canonical::{CanonicalError, Limits, Reader, Writer, canonicalize, check};
use paygod_types::{Amount, Currency, Digest, Money, Timestamp};

/// Many short rounds, of which the best counts: the machine may have other work.
const ROUNDS: u32 = 100;
const ENTRIES: u64 = 10_000;

/// An entry like those of a ledger, of about 450 bytes.
fn entry(seq: u64, out: &mut Vec<u8>) {
    let digest = Digest::sha256(b"policy");
    let time = Timestamp::from_nanos(1_795_340_405_123_456_789 + seq);
    let money = Money::new(Amount::from_minor(1_250 + i128::from(seq)), Currency::EUR);
    let mut w = Writer::new(out);
    w.begin_object();
    w.key("action");
    w.string("transfer");
    w.key("body");
    w.begin_object();
    w.key("decision");
    w.begin_object();
    w.key("fuel");
    w.u64(12);
    w.key("policy");
    w.digest(&digest);
    w.key("verdict");
    w.string("allow");
    w.end_object();
    w.key("postings");
    w.begin_array();
    for (account, side) in [("acct-000017", "debit"), ("acct-000042", "credit")] {
        w.begin_object();
        w.key("account");
        w.string(account);
        w.key("amount");
        w.amount(&money);
        w.key("currency");
        w.string(money.currency.code());
        w.key("side");
        w.string(side);
        w.end_object();
    }
    w.end_array();
    w.end_object();
    w.key("id");
    w.string("pay-2026-11-22-000017");
    w.key("request");
    w.begin_object();
    w.key("digest");
    w.digest(&digest);
    w.end_object();
    w.key("seq");
    w.u64(seq);
    w.key("time");
    w.timestamp(time);
    w.key("v");
    w.u64(1);
    w.end_object();
}

/// Reads an entry to typed values, as a replay does.
fn read(bytes: &[u8]) -> Result<(u64, i128), CanonicalError> {
    let mut r = Reader::new(bytes, &Limits::ENTRY)?;
    let mut sum = 0_i128;
    r.object_begin()?;
    r.expect_key("action")?;
    r.string()?;
    r.expect_key("body")?;
    r.object_begin()?;
    r.expect_key("decision")?;
    r.object_begin()?;
    r.expect_key("fuel")?;
    let mut number = r.u64()?;
    r.expect_key("policy")?;
    number ^= u64::from(Digest::parse(&r.string()?).is_ok());
    r.expect_key("verdict")?;
    r.string()?;
    r.object_end()?;
    r.expect_key("postings")?;
    r.array_begin()?;
    while r.array_next()? {
        r.object_begin()?;
        r.expect_key("account")?;
        r.string()?;
        r.expect_key("amount")?;
        let amount = r.string()?;
        r.expect_key("currency")?;
        let currency = Currency::parse(&r.string()?).map_err(|_| r.shape("a currency"))?;
        sum += Money::parse(&amount, currency)
            .map_err(|_| r.shape("an amount"))?
            .amount
            .minor();
        r.expect_key("side")?;
        r.string()?;
        r.object_end()?;
    }
    r.object_end()?;
    r.expect_key("id")?;
    r.string()?;
    r.expect_key("request")?;
    r.object_begin()?;
    r.expect_key("digest")?;
    number ^= u64::from(Digest::parse(&r.string()?).is_ok());
    r.object_end()?;
    r.expect_key("seq")?;
    number ^= r.u64()?;
    r.expect_key("time")?;
    number ^= Timestamp::parse_canonical(&r.string()?).map_or(0, Timestamp::as_nanos);
    r.expect_key("v")?;
    number ^= r.u64()?;
    r.object_end()?;
    r.finish()?;
    Ok((number, sum))
}

/// Runs `work` on every entry, `ROUNDS` times, and prints the best round.
fn measure(name: &str, entries: &[Vec<u8>], mut work: impl FnMut(u64, &[u8])) {
    let picked = std::env::args()
        .nth(1)
        .is_none_or(|prefix| name.starts_with(&prefix));
    if !picked {
        return;
    }
    let bytes: usize = entries.iter().map(Vec::len).sum();
    let best = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            for (seq, entry) in (0_u64..).zip(entries) {
                work(seq, black_box(entry));
            }
            start.elapsed()
        })
        .min()
        .unwrap_or_default();
    let each_ns = best.as_nanos() as f64 / entries.len() as f64;
    let rate = bytes as f64 / best.as_secs_f64() / 1e6;
    println!("{name:<28} {rate:>7.0} MB/s {each_ns:>7.0} ns an entry");
}

fn main() {
    let entries: Vec<Vec<u8>> = (0..ENTRIES)
        .map(|seq| {
            let mut out = Vec::new();
            entry(seq, &mut out);
            out
        })
        .collect();
    println!(
        "{} entries of {} bytes",
        entries.len(),
        entries.first().map_or(0, Vec::len)
    );
    measure("utf-8 alone", &entries, |_, bytes| {
        black_box(std::str::from_utf8(bytes).is_ok());
    });
    measure("check", &entries, |_, bytes| {
        check(bytes, &Limits::ENTRY).unwrap()
    });
    measure("read to typed values", &entries, |_, bytes| {
        black_box(read(bytes).unwrap());
    });
    let mut out = Vec::with_capacity(1_024);
    measure("write from typed values", &entries, |seq, _| {
        out.clear();
        entry(seq, &mut out);
        black_box(&out);
    });
    let pretty: Vec<Vec<u8>> = entries
        .iter()
        .map(|bytes| {
            let value: serde_json::Value = serde_json::from_slice(bytes).unwrap();
            serde_json::to_vec_pretty(&value).unwrap()
        })
        .collect();
    measure("canonicalize canonical", &entries, |_, bytes| {
        out.clear();
        canonicalize(bytes, &Limits::ENTRY, &mut out).unwrap();
    });
    measure("canonicalize indented", &pretty, |_, bytes| {
        out.clear();
        canonicalize(bytes, &Limits::ENTRY, &mut out).unwrap();
    });
    measure("leaf hash of an entry", &entries, |_, bytes| {
        black_box(Digest::sha256(bytes));
    });
}
