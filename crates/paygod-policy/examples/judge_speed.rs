//! How long the three starter packs take to judge one transfer, from JSON bytes to decision, on one core.
//!
//! `cargo run --release -p paygod-policy --example judge_speed`

#![expect(
    clippy::print_stdout,
    reason = "an example that prints its measurements"
)]

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use paygod_policy::{
    Decision, Facts, List, ListBuilder, Pack, Prepared, Ruleset, Scratch, Verdict, WindowFact,
};
use paygod_types::Name;

/// Many short rounds, of which the best counts: the machine may have other work.
const ROUNDS: u32 = 400;
const TRANSFERS: u32 = 500;

fn pack(name: &str) -> Result<Pack, Box<dyn Error>> {
    let folder: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../packs/core")
        .join(name);
    let mut files = BTreeMap::new();
    for path in ["pack.yaml", "README.md", "tests/cases.yaml"] {
        files.insert(path.to_owned(), std::fs::read_to_string(folder.join(path))?);
    }
    Ok(Pack::from_files(&files)?)
}

/// As many names as the sanctions list has, made up of syllables.
fn list() -> Result<List, Box<dyn Error>> {
    const SYLLABLES: [&str; 12] = [
        "al", "mor", "zan", "ki", "te", "ro", "ban", "cu", "des", "vik", "sha", "lim",
    ];
    let mut builder = ListBuilder::new(Name::parse("ofac-sdn")?, "made-up");
    let mut seed = 1_u64;
    let mut word = || {
        let mut word = String::new();
        for _ in 0..3 {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let at = usize::try_from(seed >> 33).unwrap_or(0) % SYLLABLES.len();
            word.push_str(SYLLABLES.get(at).copied().unwrap_or_default());
        }
        word
    };
    for uid in 0..40_000 {
        let name = format!("{}, {} {}", word(), word(), word());
        builder.entry(&uid.to_string(), [name.as_str()]);
    }
    Ok(builder.build()?)
}

const DETAILED: &str = r#"{"amount":"1250.00","credit":"suppliers","currency":"EUR","debit":"main","payment":{"creditor":{"account":"CH9300762011623852957","agent":"POFICHBEXXX","country":"CH","name":"Muster Maschinenbau AG Bern"},"debtor":{"account":"DE89370400440532013000","agent":"COBADEFFXXX","country":"DE","name":"Beispiel Handels GmbH"},"end_to_end_id":"E2E-2026-11-22-000417","instruction_id":"INSTR-417","reference":"RF18539007547034","remittance":"Invoice 4711 of 2026-11-02"}}"#;
const BARE: &str = r#"{"amount":"1250.00","credit":"suppliers","currency":"EUR","debit":"main"}"#;

fn main() -> Result<(), Box<dyn Error>> {
    let ruleset = Ruleset::builder()
        .pack(pack("payment-limits")?)
        .pack(pack("sanctions-screening")?)
        .pack(pack("duplicate-payment")?)
        .list(Arc::new(list()?))
        .build()?;
    for (what, json) in [("with details", DETAILED), ("bare", BARE)] {
        measure(&ruleset, what, json)?;
    }
    Ok(())
}

fn measure(ruleset: &Ruleset, what: &str, json: &str) -> Result<(), Box<dyn Error>> {
    let (mut scratch, mut prepared) = (Scratch::default(), Prepared::default());
    let mut decision = Decision {
        verdict: Verdict::Deny,
        fuel: 0,
        approvals_required: 0,
        reasons: Vec::new(),
    };
    let mut best = [u128::MAX; 2];
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for _ in 0..TRANSFERS {
            ruleset.prepare(
                &mut scratch,
                std::hint::black_box(json.as_bytes()),
                &mut prepared,
            )?;
        }
        let prepare = start.elapsed().as_nanos();
        let facts = vec![WindowFact::default(); prepared.windows().len()];
        let start = Instant::now();
        for _ in 0..TRANSFERS {
            let prepared = std::hint::black_box(&prepared);
            let facts = Facts {
                windows: &facts,
                ..Facts::default()
            };
            ruleset.decide_into(&mut scratch, prepared, facts, &mut decision);
        }
        let decide = start.elapsed().as_nanos();
        for (best, now) in best.iter_mut().zip([prepare, decide]) {
            *best = (*best).min(now);
        }
    }
    let [prepare, decide] = best.map(|total| total / u128::from(TRANSFERS));
    println!(
        "{what}: {} bytes, {} windows, {} with fuel {}: prepare {prepare} ns, decide {decide} ns, together {} ns \
         (best of {ROUNDS} rounds of {TRANSFERS})",
        json.len(),
        prepared.windows().len(),
        decision.verdict,
        decision.fuel,
        prepare + decide
    );
    Ok(())
}
