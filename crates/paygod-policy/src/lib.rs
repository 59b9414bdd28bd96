//! Policy packs: from pack files to a checked program, from facts to a decision and its trace.
//!
//! A pack's conditions are type-checked against its inputs' JSON Schemas when it is loaded and compiled to
//! a flat program. Judging one transfer takes three steps, so that it is deterministic and replays:
//!
//! 1. [`Ruleset::prepare`] parses the transfer into typed slots, evaluates every rule that needs no
//!    history and computes the window keys. Stateless: do it in parallel.
//! 2. The sequencer answers [`Prepared::windows`] from sealed history and [`Prepared::accounts`] from the state.
//! 3. [`Ruleset::decide`] evaluates what was left and makes the [`Decision`].
//!
//! Pure: no I/O, clock or randomness. INVARIANT(fail-closed): whatever goes wrong, the answer is deny.

mod contract;
mod decimal;
mod decision;
mod document;
mod eval;
mod json;
mod lang;
pub mod limits;
mod list;
mod pack;
mod ruleset;
pub mod run;
mod run_check;
mod schema;
mod window;

pub use decision::{Decision, Reason, RuleInfo, Verdict};
pub use list::{List, ListBuilder, ListError};
pub use pack::{
    BranchCoverage, CaseReport, CasesReport, Change, Covered, Explanation, Finding, Pack, PackDiff,
    PackError, PackProblem, RuleCoverage, RuleExplanation, RuleOutcome, Step, Turned,
};
pub use ruleset::{
    Named, PrepareError, Prepared, Ruleset, RulesetBuilder, RulesetError, Scratch, Vocabulary,
    policy_says,
};
pub use run::{Run, RunError};
pub use run_check::Altered;
pub use window::{
    AccountFact, AccountQuery, Facts, Measure, SumTooLarge, WindowFact, WindowQuery, WindowTally,
    WindowToken,
};
