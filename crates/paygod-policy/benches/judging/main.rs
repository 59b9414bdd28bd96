//! How fast packs judge, beside the same policy written by hand in Rust: from JSON bytes to verdict, on one core.
//!
//! `cargo bench -p paygod-policy` compares with hand-written Rust and times the loading of 1,000 rules.

#![expect(
    clippy::print_stdout,
    reason = "a benchmark that prints its measurements"
)]
#![expect(
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::float_arithmetic,
    reason = "a benchmark over data of its own"
)]

mod payment;
mod rust;

use std::error::Error;
use std::time::Instant;

use paygod_policy::{Decision, Facts, Prepared, Ruleset, Scratch, Verdict};

/// Many short rounds, of which the best counts: the machine may have other work.
const ROUNDS: usize = 60;
/// Events of a round.
const PER_ROUND: usize = 4_096;

fn main() -> Result<(), Box<dyn Error>> {
    let events: Vec<String> = (0..payment::EVENTS).map(payment::event).collect();
    println!(
        "20 rules, 40 fields, {} names, 10 items, {} bytes of JSON an event; best of {ROUNDS} rounds of {PER_ROUND}",
        payment::NAMES,
        events[0].len()
    );
    let ours = ours(&events)?;
    let hand = by_hand(&events);
    report("paygod", ours, ours);
    report("Rust by hand", hand, ours);
    load()?;
    Ok(())
}

/// Nanoseconds an event, of the best round.
fn best(mut judge: impl FnMut(usize)) -> f64 {
    let mut best = f64::MAX;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for n in 0..PER_ROUND {
            judge(n % payment::EVENTS);
        }
        best = best.min(start.elapsed().as_nanos() as f64 / PER_ROUND as f64);
    }
    best
}

fn report(who: &str, ns: f64, ours: f64) {
    println!(
        "{who:>14}: {ns:8.0} ns an event, {:9.0} a second; paygod is {:.2} times as fast",
        1e9 / ns,
        ns / ours
    );
}

fn ours(events: &[String]) -> Result<f64, Box<dyn Error>> {
    let ruleset: Ruleset = payment::ruleset()?;
    let (mut scratch, mut prepared) = (Scratch::default(), Prepared::default());
    let mut decision = Decision {
        verdict: Verdict::Deny,
        fuel: 0,
        approvals_required: 0,
        reasons: Vec::new(),
    };
    for event in events {
        ruleset.prepare(&mut scratch, event.as_bytes(), &mut prepared)?;
        ruleset.decide_into(&mut scratch, &prepared, Facts::default(), &mut decision);
        if decision.verdict != Verdict::Allow {
            return Err(format!("{:?}", decision.reasons).into());
        }
    }
    println!("fuel of the last event: {}", decision.fuel);
    Ok(best(|n| {
        let event = std::hint::black_box(events[n].as_bytes());
        let read = ruleset.prepare(&mut scratch, event, &mut prepared);
        ruleset.decide_into(&mut scratch, &prepared, Facts::default(), &mut decision);
        std::hint::black_box((read.is_ok(), decision.verdict));
    }))
}

fn by_hand(events: &[String]) -> f64 {
    let mut hand = rust::ByHand::new(&payment::names());
    let allowed = events
        .iter()
        .all(|event| hand.judge(event.as_bytes()) == rust::Said::Allow);
    println!("by hand says the same of every event: {allowed}");
    best(|n| {
        let said = hand.judge(std::hint::black_box(events[n].as_bytes()));
        std::hint::black_box(said);
    })
}

/// A pack of 1,000 rules, from its text to a ruleset.
fn load() -> Result<(), Box<dyn Error>> {
    let names: Vec<String> = (0..1_000).map(|n| format!("rule-{n}")).collect();
    let rules: Vec<(&str, &str, &str)> = names
        .iter()
        .enumerate()
        .map(|(n, name)| {
            let (_, condition, decision) = payment::RULES[n % payment::RULES.len()];
            (name.as_str(), condition, decision)
        })
        .collect();
    let mut best = f64::MAX;
    for _ in 0..10 {
        let start = Instant::now();
        let pack = payment::pack(&rules)?;
        std::hint::black_box(&pack);
        best = best.min(start.elapsed().as_nanos() as f64 / 1e6);
    }
    println!("a pack of 1,000 rules loads in {best:.1} ms");
    Ok(())
}
