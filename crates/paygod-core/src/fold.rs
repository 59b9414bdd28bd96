//! The fold: everything an entry must satisfy, then what it changes.
//!
//! Checking reads the state and works out the change; committing stores it and cannot fail. So an entry
//! is applied whole or not at all.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use paygod_policy::Verdict;
use paygod_types::limits::{
    AMOUNT_MINOR_DIGITS_MAX, AMOUNT_MINOR_END, APPROVALS_MAX, PENDING_TIMEOUT_S_MAX,
    REASONS_PER_ENTRY_MAX, TRANSFERS_PER_REQUEST_MAX,
};
use paygod_types::{Amount, Currency, Digest, Seq, Timestamp};

use crate::accounts::{AccountFlags, AccountInfo, AccountIx};
use crate::effects::{Effects, WindowHit};
use crate::entry::{
    Body, CorrectBody, Decision, Departure, Entry, Layer, Posting, RequestRef, Side, TransferBody,
    Window,
};
use crate::fold_error::{Check, FoldError};
use crate::key_policy::KeyPolicy;
use crate::keys::KeyChange;
use crate::movement::{Movement, Refusal, Scratch, Step};
use crate::pack_trust::{PackTrust, Review};
use crate::pendings::{Leg, Pending, Stage};
use crate::state::{ActivePolicy, Book, State};
use crate::system_id;

/// Most rules that a decision names, those that allowed and those that did not.
const RULES_NAMED_MAX: usize = REASONS_PER_ENTRY_MAX + 1;

impl State {
    /// Applies the next entry: checks everything, then changes the state.
    ///
    /// # Errors
    /// [`FoldError`] names the check that the entry fails; the state is as it was.
    pub fn apply(&mut self, entry: &Entry) -> Result<Effects, FoldError> {
        let mut effects = Effects::reusable(entry.id.clone());
        self.apply_into(entry, &mut effects)?;
        Ok(effects)
    }

    /// [`State::apply`], writing over `effects` instead of making new ones.
    ///
    /// # Errors
    /// As [`State::apply`]; `effects` are then as they were.
    pub fn apply_into(&mut self, entry: &Entry, effects: &mut Effects) -> Result<(), FoldError> {
        let mut scratch = mem::take(&mut self.scratch);
        scratch.movement.clear();
        scratch.legs.clear();
        let checked = Checker { state: self, entry }.check(&mut scratch);
        let outcome = checked.map(|change| {
            describe(entry, &scratch, &change, effects);
            effects.opened = self.commit(entry, &scratch.movement, change);
        });
        self.scratch = scratch;
        outcome
    }

    /// Stores a change that was checked.
    fn commit(&mut self, entry: &Entry, movement: &Movement, change: Change) -> Option<AccountIx> {
        for touched in &movement.touched {
            self.accounts
                .set_balances(touched.account, touched.balances);
        }
        for after in &movement.totals {
            match self
                .totals
                .binary_search_by_key(&after.currency, |of| of.currency)
            {
                Ok(place) => {
                    if let Some(of) = self.totals.get_mut(place) {
                        *of = *after;
                    }
                }
                Err(place) => self.totals.insert(place, *after),
            }
        }
        self.size = self.size.saturating_add(1);
        self.last_time = entry.time;
        match change {
            Change::Nothing => {}
            Change::Book(book) => self.book = Some(book),
            Change::Open(info) => return self.accounts.push(info),
            Change::Close(ix) => {
                let flags = AccountFlags {
                    closed: true,
                    ..self.accounts.flags(ix)
                };
                self.accounts.set_flags(ix, flags);
            }
            Change::Limit(ix, min, max) => self.accounts.set_limits(ix, min, max),
            Change::Reserve(pending) => self.pendings.insert(pending),
            Change::Release(seq) => self.pendings.remove(seq),
            Change::Freeze(hold, frozen) => self.set_frozen(hold, frozen),
            Change::Policy(policy) => self.policy = policy,
            Change::PackTrust(rules) => Arc::make_mut(&mut self.packs).trust = rules,
            Change::PackReview(pack, review) => {
                let packs = Arc::make_mut(&mut self.packs);
                packs.reviews.insert(pack, review);
            }
            Change::NewKeys(change) => {
                if let Some(book) = &mut self.book {
                    Arc::make_mut(book).take(*change);
                }
            }
            Change::Keys(policy) => {
                if let Some(book) = &mut self.book {
                    Arc::make_mut(book).key_policy = policy;
                }
            }
            Change::Snapshot(of) => self.snapshot_of = Some(of),
        }
        None
    }

    fn set_frozen(&mut self, hold: Hold, frozen: bool) {
        match hold {
            Hold::Book => self.frozen_book = frozen,
            Hold::Account(ix) => {
                let flags = AccountFlags {
                    frozen,
                    ..self.accounts.flags(ix)
                };
                self.accounts.set_flags(ix, flags);
            }
            Hold::Currency(currency) if frozen => {
                self.frozen_currencies.insert(currency);
            }
            Hold::Currency(currency) => {
                self.frozen_currencies.remove(&currency);
            }
        }
    }
}

/// What an entry changes beside balances.
pub(crate) enum Change {
    Nothing,
    Book(Arc<Book>),
    Open(AccountInfo),
    Close(AccountIx),
    /// The least and the greatest balance from here on.
    Limit(AccountIx, Option<Amount>, Option<Amount>),
    /// Adds a reservation, or puts another stage of one in its place.
    Reserve(Arc<Pending>),
    Release(Seq),
    Freeze(Hold, bool),
    Policy(Arc<ActivePolicy>),
    PackTrust(PackTrust),
    /// Where the review of the pack of this digest stands.
    PackReview(Digest, Review),
    NewKeys(Box<KeyChange>),
    Keys(KeyPolicy),
    Snapshot(Seq),
}

/// A freeze's scope, resolved.
#[derive(Clone, Copy)]
pub(crate) enum Hold {
    Book,
    Account(AccountIx),
    Currency(Currency),
}

fn describe(entry: &Entry, scratch: &Scratch, change: &Change, effects: &mut Effects) {
    let body = &entry.body;
    effects.seq = entry.seq;
    effects.time = entry.time;
    effects.id.clone_from(&entry.id);
    effects.action = body.action();
    effects.verdict = body.decision().map(|decision| decision.verdict);
    effects.touched.clear();
    effects.touched.extend_from_slice(&scratch.movement.touched);
    effects.windows.clear();
    effects
        .windows
        .extend(body.windows().iter().filter_map(|window| {
            let leg = scratch.legs.get(usize::try_from(window.transfer).ok()?)?;
            Some(WindowHit {
                token: window.token,
                money: leg.money,
                value: window.value,
            })
        }));
    effects.posted = body.posts();
    effects.refers_to = body.refers_to().cloned();
    effects.policy = match change {
        Change::Policy(policy) => Some(policy.digest),
        _ => None,
    };
    effects.keys = match change {
        Change::Book(book) => book.in_force(),
        Change::NewKeys(change) => Some(change.in_force().clone()),
        _ => None,
    };
    effects.snapshot = match body {
        Body::Snapshot(claim) => Some(*claim),
        _ => None,
    };
    effects.opened = None;
}

pub(crate) type Checked<T> = Result<T, FoldError>;

/// One entry against the state before it.
pub(crate) struct Checker<'a> {
    pub(crate) state: &'a State,
    pub(crate) entry: &'a Entry,
}

impl Checker<'_> {
    fn check(&self, scratch: &mut Scratch) -> Checked<Change> {
        self.check_place()?;
        self.check_header()?;
        match &self.entry.body {
            Body::Transfer(body) => self.transfer(body, scratch),
            Body::Correct(body) => self.correct(body, scratch),
            Body::Post { pending, postings } => self.post(pending, postings, scratch),
            Body::Void { pending } => self.void(pending, scratch),
            Body::Expire { pending } => self.expire(pending, scratch),
            Body::Approve {
                request,
                approvals,
                postings,
            } => self.approve(request, *approvals, postings, scratch),
            Body::Reject { request } => self.reject(request, scratch),
            Body::AccountOpen(open) => self.account_open(open),
            Body::AccountClose { account } => self.account_close(account.as_str()),
            Body::AccountLimit(limit) => self.account_limit(limit),
            Body::Freeze(scope) => self.freeze(scope, true),
            Body::Unfreeze(scope) => self.freeze(scope, false),
            Body::PolicyActivate {
                set,
                policy,
                vouched,
            } => self.policy_activate(set, *policy, vouched),
            Body::KeyPolicy(policy) => self.key_policy(policy),
            Body::PackTrust(rules) => self.pack_trust(rules),
            Body::PackStage(staged) => self.pack_stage(staged),
            Body::RunSeal(run) if !run.is_ordered() => {
                Err(self.fail(Check::Trust, "packs ascending by name, each once", "others"))
            }
            Body::RunSeal(_) => Ok(Change::Nothing),
            Body::EvidenceErase { request } => {
                self.check_reference(request)?;
                Ok(Change::Nothing)
            }
            Body::Genesis(genesis) => self.genesis(genesis),
            Body::KeyRotate(rotation) => self.key_rotate(rotation),
            Body::KeyRevoke(revocation) => self.key_revoke(revocation),
            Body::Snapshot(claim) => self.snapshot(claim),
            Body::Anchor(receipt) => self.anchor(receipt),
        }
    }

    #[cold]
    pub(crate) fn fail(
        &self,
        check: Check,
        expected: impl Into<Box<str>>,
        found: impl Into<Box<str>>,
    ) -> FoldError {
        FoldError::new(self.entry.seq, check, expected, found)
    }

    /// Where the entry stands: seq, time, genesis first, nothing overdue.
    fn check_place(&self) -> Checked<()> {
        let (state, entry) = (self.state, self.entry);
        if entry.seq != state.next_seq() {
            let expected = format!("seq {}", state.next_seq());
            return Err(self.fail(Check::Sequence, expected, format!("seq {}", entry.seq)));
        }
        let is_genesis = matches!(entry.body, Body::Genesis(_));
        if is_genesis != (state.size == 0) {
            let expected = if state.size == 0 {
                "a genesis entry"
            } else {
                "no second genesis"
            };
            return Err(self.fail(Check::Genesis, expected, entry.body.action().as_str()));
        }
        if state.size > 0 && entry.time <= state.last_time {
            let expected = format!("a time after {}", state.last_time);
            return Err(self.fail(Check::Time, expected, entry.time.to_string()));
        }
        if !matches!(entry.body, Body::Expire { .. })
            && let Some(due) = state.due(entry.time)
        {
            let expected = format!("the expiry of `{}` (entry {})", due.id, due.seq);
            return Err(self.fail(Check::Overdue, expected, entry.body.action().as_str()));
        }
        Ok(())
    }

    /// Who asked for it and under which id.
    fn check_header(&self) -> Checked<()> {
        let entry = self.entry;
        let action = entry.body.action();
        if action.is_system() {
            let expected = system_id::of(entry);
            if entry.id.as_str() != expected {
                return Err(self.fail(Check::Header, expected, entry.id.as_str()));
            }
            if entry.by.is_some() || entry.request.is_some() {
                return Err(self.fail(Check::Header, "no `by` and no `request`", "one of them"));
            }
            return Ok(());
        }
        if entry.id.is_system() {
            let expected = "an id that does not begin with `paygod:`";
            return Err(self.fail(Check::Header, expected, entry.id.as_str()));
        }
        match entry.request {
            Some(RequestRef::Digest(_)) => Ok(()),
            Some(RequestRef::Commitment(_)) if entry.body.decision().is_some() => Ok(()),
            Some(RequestRef::Commitment(_)) => {
                Err(self.fail(Check::Header, "the digest of the request", "a commitment"))
            }
            None => Err(self.fail(Check::Header, "a `request`", "none")),
        }
    }

    fn transfer(&self, body: &TransferBody, scratch: &mut Scratch) -> Checked<Change> {
        if let Some(timeout) = body.timeout {
            if !body.two_phase {
                let found = format!("timeout {timeout}");
                return Err(self.fail(Check::Timeout, "no timeout on one phase", found));
            }
            self.check_timeout(timeout)?;
        }
        let terms = Terms {
            two_phase: body.two_phase,
            timeout: body.timeout,
        };
        self.judged(
            &body.decision,
            &body.postings,
            &body.windows,
            &terms,
            scratch,
        )
    }

    fn correct(&self, body: &CorrectBody, scratch: &mut Scratch) -> Checked<Change> {
        self.check_reference(&body.corrects)?;
        let terms = Terms {
            two_phase: false,
            timeout: None,
        };
        self.judged(
            &body.decision,
            &body.postings,
            &body.windows,
            &terms,
            scratch,
        )
    }

    fn check_timeout(&self, timeout: Timestamp) -> Checked<()> {
        let time = self.entry.time;
        let last = time.checked_add(Duration::from_secs(PENDING_TIMEOUT_S_MAX));
        if timeout > time && last.is_none_or(|last| timeout <= last) {
            return Ok(());
        }
        let expected = format!("a timeout after {time}, by {PENDING_TIMEOUT_S_MAX} s at most");
        Err(self.fail(Check::Timeout, expected, timeout.to_string()))
    }

    /// A verdict and the effects that follow from it.
    fn judged(
        &self,
        decision: &Decision,
        postings: &[Posting],
        windows: &[Window],
        terms: &Terms,
        scratch: &mut Scratch,
    ) -> Checked<Change> {
        self.check_decision(decision)?;
        if decision.verdict == Verdict::Deny {
            if !postings.is_empty() || !windows.is_empty() || terms.two_phase {
                let expected = "a deny without postings, windows or phases";
                let found = format!("{} postings, {} windows", postings.len(), windows.len());
                return Err(self.fail(Check::Verdict, expected, found));
            }
            return Ok(Change::Nothing);
        }
        let reserves = decision.verdict == Verdict::Review || terms.two_phase;
        let layer = if reserves {
            Layer::Pending
        } else {
            Layer::Posted
        };
        self.read_legs(postings, layer, &mut scratch.legs)?;
        self.check_windows(windows, scratch.legs.len())?;
        let step = if reserves { Step::Reserve } else { Step::Post };
        let planned = scratch.legs.iter().map(|leg| (*leg, step));
        scratch
            .movement
            .plan(self.state, planned)
            .map_err(|refusal| self.refused(&refusal))?;
        if !reserves {
            return Ok(Change::Nothing);
        }
        self.reserve(decision, terms, &scratch.legs)
    }

    /// A window twice would count a transfer twice.
    fn check_windows(&self, windows: &[Window], transfers: usize) -> Checked<()> {
        let last = windows
            .last()
            .map(|window| usize::try_from(window.transfer));
        let within = last.is_none_or(|last| last.is_ok_and(|last| last < transfers));
        if within && windows.is_sorted_by(|a, b| a.place() < b.place()) {
            return Ok(());
        }
        let expected = format!("windows of {transfers} transfers, ascending, each once");
        Err(self.fail(Check::Verdict, expected, "others"))
    }

    fn reserve(&self, decision: &Decision, terms: &Terms, legs: &[Leg]) -> Checked<Change> {
        let entry = self.entry;
        if let Some(other) = self.state.pending(&entry.id) {
            let expected = format!("an id that entry {} has not used", other.seq);
            return Err(self.fail(Check::Header, expected, entry.id.as_str()));
        }
        let stage = if decision.verdict == Verdict::Review {
            if entry.by.is_none() {
                return Err(self.fail(Check::Approval, "a requester on a review", "no `by`"));
            }
            Stage::UnderReview {
                needed: decision.approvals,
                approvers: Vec::new(),
                two_phase: terms.two_phase,
            }
        } else {
            Stage::Reserved
        };
        Ok(Change::Reserve(Arc::new(Pending {
            id: entry.id.clone(),
            seq: entry.seq,
            by: entry.by.clone(),
            legs: legs.to_vec(),
            deadline: terms.timeout,
            stage,
        })))
    }

    fn check_decision(&self, decision: &Decision) -> Checked<()> {
        let policy = &self.state.policy;
        if decision.policy != policy.digest {
            let expected = format!("policy {}", policy.digest);
            return Err(self.fail(Check::Policy, expected, decision.policy.to_string()));
        }
        let verdict = decision.verdict;
        if policy.set.packs.is_empty() && verdict != Verdict::Deny {
            return Err(self.fail(Check::Policy, "a deny: no pack is active", verdict.as_str()));
        }
        let allowed = if verdict == Verdict::Review {
            1..=APPROVALS_MAX
        } else {
            0..=0
        };
        if !allowed.contains(&decision.approvals) {
            let expected = format!("{} to {} approvals", allowed.start(), allowed.end());
            return Err(self.fail(Check::Verdict, expected, decision.approvals.to_string()));
        }
        // What packs say is cut to the limit; the ledger's own reason may come on top.
        let (rules, reasons) = (decision.allowed.len(), decision.reasons.len());
        if reasons > REASONS_PER_ENTRY_MAX || rules.saturating_add(reasons) > RULES_NAMED_MAX {
            let expected = format!("at most {REASONS_PER_ENTRY_MAX} rules and reasons");
            return Err(self.fail(Check::Verdict, expected, format!("{rules} and {reasons}")));
        }
        let strictest = decision
            .reasons
            .iter()
            .map(|reason| reason.rule.decision)
            .max();
        let strictest = strictest.unwrap_or(Verdict::Allow);
        if strictest != verdict {
            let expected = format!("{strictest}, as its reasons say");
            return Err(self.fail(Check::Verdict, expected, verdict.as_str()));
        }
        if verdict == Verdict::Deny {
            return Ok(());
        }
        match decision.departure(&policy.set.packs) {
            None => Ok(()),
            Some(Departure::Foreign(pack)) => {
                let found = format!("a rule of `{pack}`, or of another version of it");
                Err(self.fail(Check::Packs, "rules of the active packs alone", found))
            }
            Some(Departure::Silent(pack)) => {
                let expected = format!("a rule of `{pack}`, as of every active pack");
                Err(self.fail(Check::Packs, expected, "none"))
            }
        }
    }

    /// INVARIANT(conservation): postings come in pairs, one debit and one equal credit.
    pub(crate) fn read_legs(
        &self,
        postings: &[Posting],
        layer: Layer,
        legs: &mut Vec<Leg>,
    ) -> Checked<()> {
        let (pairs, rest) = postings.as_chunks::<2>();
        if pairs.is_empty() || !rest.is_empty() || pairs.len() > TRANSFERS_PER_REQUEST_MAX {
            let expected = format!("1 to {TRANSFERS_PER_REQUEST_MAX} pairs of postings");
            let found = format!("{} postings", postings.len());
            return Err(self.fail(Check::Conservation, expected, found));
        }
        for [debit, credit] in pairs {
            let paired = debit.side == Side::Debit && credit.side == Side::Credit;
            if !paired || debit.money != credit.money || debit.account == credit.account {
                let expected = "a debit and an equal credit of another account";
                let found = format!(
                    "{} {} `{}`, {} {} `{}`",
                    debit.side,
                    debit.money,
                    debit.account,
                    credit.side,
                    credit.money,
                    credit.account
                );
                return Err(self.fail(Check::Conservation, expected, found));
            }
            if debit.layer != layer || credit.layer != layer {
                let found = if debit.layer == layer {
                    credit.layer
                } else {
                    debit.layer
                };
                return Err(self.fail(Check::Verdict, layer.as_str(), found.as_str()));
            }
            let amount = debit.money.amount;
            if !amount.is_positive() || amount.minor() >= AMOUNT_MINOR_END {
                let found = debit.money.to_string();
                let expected =
                    format!("an amount above zero, of at most {AMOUNT_MINOR_DIGITS_MAX} digits");
                return Err(self.fail(Check::Conservation, expected, found));
            }
            legs.push(Leg {
                debit: self.posting_account(debit)?,
                credit: self.posting_account(credit)?,
                money: debit.money,
            });
        }
        Ok(())
    }

    fn posting_account(&self, posting: &Posting) -> Checked<AccountIx> {
        let ix = self.account(posting.account.as_str())?;
        let currency = self.state.accounts.slot(ix).map(|slot| slot.currency);
        if currency != Some(posting.money.currency) {
            let expected = currency.map_or("a currency", |currency| currency.code());
            let expected = format!("{expected} on account `{}`", posting.account);
            return Err(self.fail(Check::Currency, expected, posting.money.currency.code()));
        }
        Ok(ix)
    }

    pub(crate) fn account(&self, id: &str) -> Checked<AccountIx> {
        self.state
            .accounts
            .find(id)
            .ok_or_else(|| self.fail(Check::Account, "an account of this book", format!("`{id}`")))
    }

    pub(crate) fn refused(&self, refusal: &Refusal) -> FoldError {
        let name = |ix: AccountIx| {
            self.state
                .accounts
                .info(ix)
                .map_or("", |info| info.id.as_str())
                .to_owned()
        };
        match refusal {
            Refusal::BookFrozen => self.fail(Check::Freeze, "no movement", "a frozen book"),
            Refusal::CurrencyFrozen(currency) => self.fail(
                Check::Freeze,
                "no movement",
                format!("frozen {}", currency.code()),
            ),
            Refusal::AccountFrozen(ix) => self.fail(
                Check::Freeze,
                "no movement",
                format!("frozen account `{}`", name(*ix)),
            ),
            Refusal::AccountClosed(ix) => self.fail(
                Check::Account,
                "an open account",
                format!("closed `{}`", name(*ix)),
            ),
            Refusal::InsufficientFunds {
                account,
                available,
                floor,
            } => self.fail(
                Check::Limit,
                format!(
                    "`{}` at {} minor units or more",
                    name(*account),
                    floor.minor()
                ),
                available.minor().to_string(),
            ),
            Refusal::OverMaximum {
                account,
                expected,
                ceiling,
            } => self.fail(
                Check::Limit,
                format!(
                    "`{}` at {} minor units or less",
                    name(*account),
                    ceiling.minor()
                ),
                expected.minor().to_string(),
            ),
            Refusal::Overflow => self.fail(Check::Overflow, "sums within 128 bits", "more"),
            Refusal::Unbalanced(currency) => {
                let found = format!("others in {}", currency.code());
                self.fail(Check::Conservation, "debits that equal credits", found)
            }
        }
    }
}

/// How a judged transfer is to be carried out.
struct Terms {
    two_phase: bool,
    timeout: Option<Timestamp>,
}
