//! Verdicts a second, all five in one run; then how fast packs load and are tested.

use std::error::Error;
use std::time::Instant;

use paygod_policy::Verdict;
use paygod_rivals::{Engine, Judging, allowed, engines, load_1000_rules, starter_packs, varied};

// The product's allocator, for all of them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Events on which all must agree before anything is timed.
const AGREED: usize = 4_096;
/// Turns: in each, every engine has one short round, so that a slow moment of the machine meets all of them.
const TURNS: usize = 40;
/// The least time of a round, in nanoseconds.
const ROUND_NS_MIN: u128 = 4_000_000;

fn main() -> Result<(), Box<dyn Error>> {
    agree()?;
    let mut timed = Vec::new();
    let events = allowed();
    println!(
        "timed on {} events of {} bytes of JSON, all allowed\n",
        events.len(),
        events[0].len()
    );
    for engine in engines(&events)? {
        let Engine {
            name,
            from_json,
            from_read,
        } = engine;
        timed.push(Timed::new(
            format!("{name}, from JSON"),
            from_json,
            events.len(),
        )?);
        if let Some(from_read) = from_read {
            timed.push(Timed::new(
                format!("{name}, from its own form"),
                from_read,
                events.len(),
            )?);
        }
    }
    for _ in 0..TURNS {
        for timed in &mut timed {
            timed.round()?;
        }
    }
    report(&timed);
    load()
}

/// All engines say the same of all events, each verdict several times.
fn agree() -> Result<(), Box<dyn Error>> {
    let events = varied(AGREED)?;
    let mut engines = engines(&events)?;
    let mut met = [0_usize; 4];
    for n in 0..events.len() {
        let mut said = Vec::new();
        for engine in &mut engines {
            said.push((engine.from_json)(n)?);
            if let Some(from_read) = &mut engine.from_read {
                said.push(from_read(n)?);
            }
        }
        if said.iter().any(|verdict| *verdict != said[0]) {
            return Err(format!("event {n}: they say {said:?} of {}", events[n]).into());
        }
        met[said[0] as usize] += 1;
    }
    let words = [
        Verdict::Allow,
        Verdict::Flag,
        Verdict::Review,
        Verdict::Deny,
    ];
    let met = words
        .iter()
        .zip(met)
        .map(|(word, count)| format!("{count} {word}"));
    println!(
        "all five agree on {AGREED} events: {}",
        met.collect::<Vec<_>>().join(", ")
    );
    Ok(())
}

struct Timed {
    name: String,
    judge: Judging,
    events: usize,
    /// Calls a round.
    calls: usize,
    /// Nanoseconds a verdict, round by round.
    rounds: Vec<f64>,
}

impl Timed {
    fn new(name: String, mut judge: Judging, events: usize) -> Result<Self, Box<dyn Error>> {
        let (start, mut calls) = (Instant::now(), 0);
        while start.elapsed().as_nanos() < ROUND_NS_MIN {
            for n in 0..events {
                judge(n)?;
            }
            calls += events;
        }
        Ok(Self {
            name,
            judge,
            events,
            calls,
            rounds: Vec::new(),
        })
    }

    fn round(&mut self) -> Result<(), Box<dyn Error>> {
        let start = Instant::now();
        for n in 0..self.calls {
            std::hint::black_box((self.judge)(std::hint::black_box(n % self.events))?);
        }
        self.rounds
            .push(start.elapsed().as_nanos() as f64 / self.calls as f64);
        Ok(())
    }

    fn best(&self) -> f64 {
        self.rounds.iter().copied().fold(f64::MAX, f64::min)
    }

    fn median(&self) -> f64 {
        let mut rounds = self.rounds.clone();
        rounds.sort_by(f64::total_cmp);
        rounds[rounds.len() / 2]
    }
}

fn report(timed: &[Timed]) {
    let [ours, hand, rivals @ ..] = timed else {
        return;
    };
    println!(
        "{:<32} {:>10} {:>10} {:>12}",
        "", "best ns", "median ns", "best a s"
    );
    for timed in timed {
        let best = timed.best();
        println!(
            "{:<32} {best:>10.0} {:>10.0} {:>12.0}",
            timed.name,
            timed.median(),
            1e9 / best
        );
    }
    let fastest = |read: bool| {
        let of = rivals
            .iter()
            .filter(|rival| rival.name.ends_with("JSON") != read);
        of.map(Timed::best).fold(f64::MAX, f64::min)
    };
    println!("\nratios of the best rounds");
    println!(
        "ours / Rust by hand: {:.2} (aim 0.8)",
        hand.best() / ours.best()
    );
    println!(
        "ours / fastest rival, both from JSON: {:.1} (aim 10)",
        fastest(false) / ours.best()
    );
    println!(
        "ours from JSON / fastest rival with its event read beforehand: {:.1}",
        fastest(true) / ours.best()
    );
    println!(
        "from JSON bytes to verdict: {:.0} a second (aim 200,000)\n",
        1e9 / ours.best()
    );
}

fn load() -> Result<(), Box<dyn Error>> {
    let best =
        |work: &mut dyn FnMut() -> Result<(), Box<dyn Error>>| -> Result<f64, Box<dyn Error>> {
            let mut best = f64::MAX;
            for _ in 0..7 {
                let start = Instant::now();
                work()?;
                best = best.min(start.elapsed().as_secs_f64() * 1e3);
            }
            Ok(best)
        };
    println!(
        "a pack of 1,000 rules loads in {:.1} ms (aim 100)",
        best(&mut load_1000_rules)?
    );
    let mut found = (0, 0);
    let ms = best(&mut || {
        found = starter_packs()?;
        Ok(())
    })?;
    println!(
        "the {} starter packs read, loaded and tested, {} cases: {ms:.0} ms (aim 2,000)",
        found.0, found.1
    );
    Ok(())
}
