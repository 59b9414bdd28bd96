//! Why a request got its verdict: the sealed decision, the packs and lists that gave it, and the
//! decision computed once more from the vaulted input and the history of that moment.

use paygod_core::command::PolicySet;
use paygod_core::engine::{self, Context};
use paygod_core::entry::{Decision, Entry};
use paygod_core::history::AsOf;
use paygod_core::{
    AccountFact, Body, CommitmentKey, History, HistoryError, LEDGER_PACK, Preparer, SealedRequest,
    Verdict, WindowFact, WindowLookup, WindowToken, Workspace,
};
use paygod_policy::{Reason, Scratch};
use paygod_types::{AccountId, Code, RequestId, Seq, Timestamp};

use super::error::LedgerError;
use super::history::policy_key;
use super::outcome::SubmitError;
use super::read::SealedEntry;
use super::reader::LedgerReader;
use super::replay;
use super::rulesets;
use super::windows::{self, Counted};

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
    /// The vault does not have it any more, or has another, though nobody ordered that.
    Lost {
        /// The permanent code of what the vault says instead.
        code: Code,
        /// What it says.
        why: String,
    },
}

/// The outcome of computing a decision once more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replay {
    /// It gives the same decision.
    Same,
    /// It gives another decision, which must not be: show this to an auditor.
    Differs(Box<Decision>),
    /// The entry says something else than the request whose digest it holds, which must not be: show this to an auditor.
    Forged,
    /// It cannot be computed, and why.
    NotPossible(&'static str),
}

impl LedgerReader {
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
        let input = match self.input(seq) {
            Ok(Some(bytes)) => InputState::Kept(bytes),
            Ok(None) if sealed.has_input => InputState::Erased,
            Ok(None) => InputState::NotKept,
            Err(LedgerError::Vault(error)) if error.is_loss() => InputState::Lost {
                code: error.code(),
                why: error.to_string(),
            },
            Err(error) => return Err(error),
        };
        let replay = self.decide_again(&sealed.entry, &decision, policy.as_ref(), &input)?;
        Ok(Explanation {
            sealed,
            decision,
            policy,
            input,
            replay,
        })
    }

    /// The set that an activation before this entry put in force under the decision's digest.
    fn policy_in_force(&self, entry: &Entry) -> Result<Option<PolicySet>, LedgerError> {
        let Some(decision) = entry.body.decision() else {
            return Ok(None);
        };
        let key = policy_key(self.finder.keys(), &decision.policy);
        for seq in self.finder.hits(key, Seq(0)) {
            let seq = seq?;
            if seq >= entry.seq {
                continue;
            }
            if let Body::PolicyActivate { set, policy, .. } = self.entry(seq)?.entry.body
                && policy == decision.policy
            {
                return Ok(Some(set));
            }
        }
        Ok(None)
    }

    fn decide_again(
        &self,
        entry: &Entry,
        decision: &Decision,
        policy: Option<&PolicySet>,
        input: &InputState,
    ) -> Result<Replay, LedgerError> {
        let Some(policy) = policy else {
            return Ok(Replay::NotPossible("no packs were active"));
        };
        let ruleset = rulesets::build(&self.blobs, policy)?;
        let mut space = Workspace::default();
        let mut preparer = Preparer::new(&*ruleset, &self.window_key, &mut space);
        let prepared = match input {
            InputState::Erased => return Ok(Replay::NotPossible("the input was erased")),
            InputState::Lost { .. } => return Ok(Replay::NotPossible("the input is lost")),
            InputState::Kept(request) => preparer.json(request),
            InputState::NotKept => match replay::remade(entry) {
                Some(request) => preparer.request(request),
                None => return Ok(Replay::NotPossible("the input was not kept")),
            },
        };
        let prepared = prepared.map_err(SubmitError::from)?;
        if *input == InputState::NotKept && prepared.reference() != entry.request {
            return Ok(Replay::Forged);
        }
        let history = PastBefore {
            book: self,
            before: entry.seq,
        };
        let mut scratch = Scratch::default();
        let mut context = Context {
            judge: &*ruleset,
            scratch: &mut scratch,
            history: &history,
            now: entry.time,
        };
        let again = engine::consult(&mut context, &prepared, entry.time, &|id| {
            self.balances_before(id, entry.seq)
        })
        .map_err(SubmitError::from)?;
        let Some(again) = again else {
            return Ok(Replay::NotPossible("there was nothing to judge"));
        };
        let (allowed, reasons) = Decision::part(again.reasons);
        let again = Decision {
            verdict: again.verdict,
            policy: decision.policy,
            fuel: again.fuel,
            approvals: if again.verdict == Verdict::Review {
                again.approvals_required.max(1)
            } else {
                0
            },
            allowed,
            reasons,
        };
        Ok(if same(decision, &again) {
            Replay::Same
        } else {
            Replay::Differs(Box::new(again))
        })
    }
}

impl LedgerReader {
    /// What an account held before an entry, as packs read it.
    fn balances_before(&self, id: &str, seq: Seq) -> Result<Option<AccountFact>, HistoryError> {
        let (Ok(id), Some(before)) = (AccountId::parse(id), seq.get().checked_sub(1)) else {
            return Ok(None);
        };
        let info = match self.account(&id) {
            Ok(account) => account.info,
            Err(LedgerError::NoAccount { .. }) => return Ok(None),
            Err(error) => return Err(HistoryError::new(error)),
        };
        if info.opened.get() > before {
            return Ok(None);
        }
        let balances = self
            .balances_at(&id, AsOf::Seq(Seq(before)))
            .map_err(HistoryError::new)?;
        Ok(engine::account_fact(info.currency, &balances))
    }
}

/// Whether a decision is what the packs said, but for what the ledger's own rules added: those can
/// only turn it into a deny.
fn same(sealed: &Decision, packs: &Decision) -> bool {
    let (own, said): (Vec<&Reason>, Vec<&Reason>) = sealed
        .reasons
        .iter()
        .partition(|reason| reason.rule.pack.as_str() == LEDGER_PACK);
    let reasons = said.len() == packs.reasons.len() && said.into_iter().eq(&packs.reasons);
    let verdict = if own.is_empty() {
        sealed.verdict == packs.verdict && sealed.approvals == packs.approvals
    } else {
        sealed.verdict == Verdict::Deny
    };
    let allowed = sealed.allowed == packs.allowed;
    reasons && allowed && verdict && sealed.fuel == packs.fuel
}

/// History as it was when an entry was made.
struct PastBefore<'a> {
    book: &'a LedgerReader,
    before: Seq,
}

impl History for PastBefore<'_> {
    fn find_request(&self, _: &RequestId) -> Result<Option<SealedRequest>, HistoryError> {
        Ok(None)
    }

    fn commitment_key(&self, _: Seq) -> Result<Option<CommitmentKey>, HistoryError> {
        Ok(None)
    }

    fn window(&self, query: WindowLookup) -> Result<WindowFact, HistoryError> {
        windows::count(&query, self)
    }
}

impl windows::Sealed for PastBefore<'_> {
    fn newest(&self, token: WindowToken) -> impl Iterator<Item = Result<Seq, HistoryError>> {
        let finder = &self.book.finder;
        let hits = finder.hits(finder.keys().token(&token.0), Seq(0));
        hits.skip_while(|hit| matches!(hit, Ok(seq) if *seq >= self.before))
            .map(|hit| hit.map_err(HistoryError::new))
    }

    fn read(
        &self,
        seq: Seq,
        token: WindowToken,
        out: &mut Vec<Counted>,
    ) -> Result<Timestamp, HistoryError> {
        let entry = self.book.entry(seq).map_err(HistoryError::new)?.entry;
        windows::counted(&entry, token, out);
        Ok(entry.time)
    }
}
