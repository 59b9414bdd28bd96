//! Our own engine, the policy written by hand, and what is measured of ours alone.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use paygod_policy::{Decision, Facts, Pack, Prepared, Ruleset, Scratch, Verdict};

use crate::{Engine, Failed, payment, rust};

pub(crate) fn engine(events: &[String]) -> Result<Engine, Failed> {
    let ruleset: Ruleset = payment::ruleset()?;
    let (mut scratch, mut prepared) = (Scratch::default(), Prepared::default());
    let mut decision = Decision {
        verdict: Verdict::Deny,
        fuel: 0,
        approvals_required: 0,
        reasons: Vec::new(),
    };
    let events = events.to_vec();
    Ok(Engine {
        name: "paygod",
        from_json: Box::new(move |n| {
            ruleset.prepare(&mut scratch, events[n].as_bytes(), &mut prepared)?;
            ruleset.decide_into(&mut scratch, &prepared, Facts::default(), &mut decision);
            Ok(decision.verdict)
        }),
        from_read: None,
    })
}

pub(crate) fn by_hand(events: &[String]) -> Engine {
    let mut hand = rust::ByHand::new(&payment::names());
    let events = events.to_vec();
    Engine {
        name: "Rust by hand",
        from_json: Box::new(move |n| {
            Ok(match hand.judge(events[n].as_bytes()) {
                rust::Said::Allow => Verdict::Allow,
                rust::Said::Flag => Verdict::Flag,
                rust::Said::Review => Verdict::Review,
                rust::Said::Deny => Verdict::Deny,
            })
        }),
        from_read: None,
    }
}

/// Loads a pack of 1,000 rules from its text.
pub fn load_1000_rules() -> Result<(), Failed> {
    let names: Vec<String> = (0..1_000).map(|n| format!("rule-{n}")).collect();
    let rules = names.iter().enumerate().map(|(n, name)| {
        let (_, condition, decision) = payment::RULES[n % payment::RULES.len()];
        (name.as_str(), condition, decision)
    });
    let rules: Vec<_> = rules.collect();
    std::hint::black_box(payment::pack(&rules)?);
    Ok(())
}

/// Reads, loads and tests every starter pack, as `paygod pack test packs` does; tells how many packs and cases.
pub fn starter_packs() -> Result<(usize, usize), Failed> {
    let mut found = (0, 0);
    pack_tests(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packs"),
        &mut found,
    )?;
    Ok(found)
}

fn pack_tests(folder: &Path, found: &mut (usize, usize)) -> Result<(), Failed> {
    if folder.join("pack.yaml").exists() {
        let mut files = BTreeMap::new();
        read(folder, folder, &mut files)?;
        let report = Pack::from_files(&files)?.run_cases(&[]);
        if let Some(case) = report.cases.iter().find(|case| case.failure.is_some()) {
            return Err(format!("{}: {:?}", case.name, case.failure).into());
        }
        found.0 += 1;
        found.1 += report.cases.len();
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() && !path.ends_with("_drafts") {
            pack_tests(&path, found)?;
        }
    }
    Ok(())
}

fn read(root: &Path, folder: &Path, files: &mut BTreeMap<String, String>) -> Result<(), Failed> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            read(root, &path, files)?;
        } else {
            let name = path.strip_prefix(root)?.to_string_lossy().into_owned();
            files.insert(name, fs::read_to_string(&path)?);
        }
    }
    Ok(())
}
