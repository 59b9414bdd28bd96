//! Judging does not allocate once its buffers have grown: counted by the allocator itself.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

use std::alloc::System;

use cap::Cap;
use paygod_policy::{Decision, Facts, Prepared, Scratch, Verdict};

#[path = "../benches/judging/payment.rs"]
#[allow(dead_code, reason = "the benchmark reads what this test does not")]
mod payment;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

#[test]
fn a_decision_allocates_nothing_after_warm_up() {
    let mut rules = payment::RULES.to_vec();
    // What makes texts and lists, and what searches for a pattern.
    rules.push(("made", r#"p.items.map(i, i.sku.lowerAscii() + p.debit).filter(t, t.matches("^sku-[0-9]+main$")).size() != 10"#, "deny"));
    rules.push((
        "stood-in",
        r#"p?.execution_date.orValue("") == "x" || [1, 2].sum() != 3"#,
        "deny",
    ));
    let pack = payment::pack(&rules).unwrap();
    let list = paygod_policy::ListBuilder::new(paygod_types::Name::parse("blocked").unwrap(), "1");
    let ruleset = paygod_policy::Ruleset::builder()
        .pack(pack)
        .list(std::sync::Arc::new(list.build().unwrap()))
        .build()
        .unwrap();
    let events: Vec<String> = (0..payment::EVENTS).map(payment::event).collect();
    let (mut scratch, mut prepared) = (Scratch::default(), Prepared::default());
    let mut decision = Decision {
        verdict: Verdict::Deny,
        fuel: 0,
        approvals_required: 0,
        reasons: Vec::new(),
    };
    let mut judge = |event: &str| {
        ruleset
            .prepare(&mut scratch, event.as_bytes(), &mut prepared)
            .unwrap();
        ruleset.decide_into(&mut scratch, &prepared, Facts::default(), &mut decision);
        assert_eq!(decision.verdict, Verdict::Allow);
    };
    events.iter().for_each(|event| judge(event));
    let before = ALLOCATOR.total_allocated();
    for _ in 0..16 {
        events.iter().for_each(|event| judge(event));
    }
    assert_eq!(ALLOCATOR.total_allocated(), before, "bytes were allocated");
}
