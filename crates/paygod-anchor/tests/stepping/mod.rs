//! An anchor under way, taken step by step.

use paygod_anchor::chain::{Chain, Statement, Step};

/// Steps until there is something to wait for: the state then, and what the last step came to.
pub(crate) fn drive(chain: &impl Chain, of: &Statement, mut state: String) -> (String, Step) {
    for _ in 0..8 {
        match chain.advance(of, &state).unwrap() {
            Step::Changed(next) => state = next,
            step => return (state, step),
        }
    }
    panic!("it does not come to rest")
}

/// What the last step waits for.
pub(crate) fn waiting(step: &Step) -> &str {
    match step {
        Step::Waiting(why) => why,
        other => panic!("{other:?}"),
    }
}
