//! The fold's checks on what is not money: accounts, freezes, policy, keys, snapshots.

use std::sync::Arc;

use paygod_types::limits::APPROVALS_MAX;
use paygod_types::{Amount, Digest, Seq};

use crate::accounts::{AccountInfo, AccountView};
use crate::command::{AccountLimit, AccountOpen, FreezeScope, PolicySet};
use crate::entry::{AnchorReceipt, EntryRef, Genesis, KeyRevocation, KeyRotation, SnapshotClaim};
use crate::fold::{Change, Checked, Checker, Hold};
use crate::fold_error::{Check, FoldError};
use crate::key_policy::KeyPolicy;
use crate::keys::KeyFault;
use crate::pack_trust::{PackFault, PackStaged, PackTrust, Vouched};
use crate::state::{ActivePolicy, Book};

/// Most aliases of one account.
pub const ALIASES_PER_ACCOUNT_MAX: usize = 16;

const _: () = assert!(APPROVALS_MAX > 0);

impl Checker<'_> {
    pub(crate) fn genesis(&self, genesis: &Genesis) -> Checked<Change> {
        let book = Book::begin(genesis).map_err(|fault| self.key_fault(Check::Genesis, fault))?;
        Ok(Change::Book(Arc::new(book)))
    }

    pub(crate) fn key_rotate(&self, rotation: &KeyRotation) -> Checked<Change> {
        let change = self.book()?.check_rotation(rotation, self.entry.seq);
        let change = change.map_err(|fault| self.key_fault(Check::Key, fault))?;
        Ok(Change::NewKeys(Box::new(change)))
    }

    pub(crate) fn key_revoke(&self, revocation: &KeyRevocation) -> Checked<Change> {
        let change = self.book()?.check_revoke(revocation, self.entry.seq);
        let change = change.map_err(|fault| self.key_fault(Check::Revocation, fault))?;
        Ok(Change::NewKeys(Box::new(change)))
    }

    fn book(&self) -> Checked<&Book> {
        let none = || self.fail(Check::Key, "a book that has begun", "none");
        self.state.book().ok_or_else(none)
    }

    #[cold]
    fn key_fault(&self, check: Check, fault: KeyFault) -> FoldError {
        self.fail(check, fault.expected, fault.found)
    }

    pub(crate) fn account_open(&self, open: &AccountOpen) -> Checked<Change> {
        let accounts = &self.state.accounts;
        if accounts.find(open.account.as_str()).is_some() {
            let found = format!("`{}`, opened before", open.account);
            return Err(self.fail(Check::Account, "a new account id", found));
        }
        if u32::try_from(accounts.len()).is_err() {
            return Err(self.fail(Check::Account, "room for an account", "none"));
        }
        let within = open.min_balance.is_none_or(|floor| floor <= Amount::ZERO)
            && open
                .max_balance
                .is_none_or(|ceiling| ceiling >= Amount::ZERO);
        if !within {
            return Err(self.fail(Check::Limit, "limits that a zero balance keeps", "others"));
        }
        let ascending = open.aliases.is_sorted_by(|a, b| a < b);
        if !ascending || open.aliases.len() > ALIASES_PER_ACCOUNT_MAX {
            let expected = format!("at most {ALIASES_PER_ACCOUNT_MAX} aliases, ascending");
            return Err(self.fail(Check::Account, expected, "others"));
        }
        if open
            .aliases
            .iter()
            .any(|alias| accounts.find_alias(*alias).is_some())
        {
            return Err(self.fail(
                Check::Account,
                "new aliases",
                "one that another account has",
            ));
        }
        Ok(Change::Open(AccountInfo {
            id: open.account.clone(),
            currency: open.currency,
            min_balance: open.min_balance,
            max_balance: open.max_balance,
            opened: self.entry.seq,
            aliases: open.aliases.clone().into_boxed_slice(),
        }))
    }

    /// An account that is there and not closed.
    fn open_account(&self, account: &str) -> Checked<AccountView<'_>> {
        let ix = self.account(account)?;
        let view = self.state.accounts.view(ix);
        view.filter(|view| !view.flags.closed).ok_or_else(|| {
            let found = format!("`{account}`, closed before");
            self.fail(Check::Account, "an open account", found)
        })
    }

    pub(crate) fn account_close(&self, account: &str) -> Checked<Change> {
        let view = self.open_account(account)?;
        if !view.balances.is_settled() {
            let expected = "a zero balance and no reservations";
            return Err(self.fail(Check::Account, expected, format!("others on `{account}`")));
        }
        Ok(Change::Close(view.ix))
    }

    pub(crate) fn account_limit(&self, limit: &AccountLimit) -> Checked<Change> {
        let account = limit.account.as_str();
        let view = self.open_account(account)?;
        if view.info.currency != limit.currency {
            let (expected, found) = (view.info.currency.code(), limit.currency.code());
            return Err(self.fail(Check::Currency, expected, found));
        }
        if !view.balances.keeps(limit.min_balance, limit.max_balance) {
            let expected = "limits that the account keeps as it is";
            return Err(self.fail(Check::Limit, expected, format!("others on `{account}`")));
        }
        Ok(Change::Limit(view.ix, limit.min_balance, limit.max_balance))
    }

    pub(crate) fn freeze(&self, scope: &FreezeScope, frozen: bool) -> Checked<Change> {
        let hold = match scope {
            FreezeScope::Book => Hold::Book,
            FreezeScope::Currency(currency) => Hold::Currency(*currency),
            FreezeScope::Account(account) => Hold::Account(self.account(account.as_str())?),
        };
        if self.state.is_frozen(scope) == frozen {
            let (expected, found) = if frozen {
                ("free", "frozen")
            } else {
                ("frozen", "free")
            };
            return Err(self.fail(Check::Freeze, expected, found));
        }
        Ok(Change::Freeze(hold, frozen))
    }

    pub(crate) fn policy_activate(
        &self,
        set: &PolicySet,
        policy: Digest,
        vouched: &[Vouched],
    ) -> Checked<Change> {
        if !set.is_ordered() {
            let expected = "packs and lists ascending by name, each once";
            return Err(self.fail(Check::Policy, expected, "others"));
        }
        let digest = set.digest();
        if policy != digest {
            return Err(self.fail(Check::Policy, digest.to_string(), policy.to_string()));
        }
        let packs = self.state.packs.check(set, vouched);
        packs.map_err(|fault| self.pack_fault(&fault))?;
        let since = Some(self.entry.seq);
        Ok(Change::Policy(Arc::new(ActivePolicy {
            set: set.clone(),
            digest,
            since,
        })))
    }

    pub(crate) fn key_policy(&self, policy: &KeyPolicy) -> Checked<Change> {
        policy
            .check()
            .map_err(|expected| self.fail(Check::Key, expected, "others"))?;
        Ok(Change::Keys(*policy))
    }

    pub(crate) fn pack_trust(&self, rules: &PackTrust) -> Checked<Change> {
        rules
            .check()
            .map_err(|expected| self.fail(Check::Trust, expected, "others"))?;
        Ok(Change::PackTrust(rules.clone()))
    }

    pub(crate) fn pack_stage(&self, staged: &PackStaged) -> Checked<Change> {
        let Some(by) = &self.entry.by else {
            return Err(self.fail(Check::Header, "who took the step", "no `by`"));
        };
        let review = self.state.packs.step(staged, by);
        let review = review.map_err(|fault| self.pack_fault(&fault))?;
        Ok(Change::PackReview(staged.pack.digest, review))
    }

    #[cold]
    fn pack_fault(&self, fault: &PackFault) -> FoldError {
        let (expected, found) = fault.told();
        self.fail(Check::Trust, expected, found)
    }

    pub(crate) fn snapshot(&self, claim: &SnapshotClaim) -> Checked<Change> {
        let Some(last) = self.state.size.checked_sub(1).map(Seq) else {
            return Err(self.fail(Check::Snapshot, "an earlier entry", "none"));
        };
        if claim.of > last
            || self
                .state
                .snapshot_of
                .is_some_and(|before| claim.of <= before)
        {
            let expected = format!("a state up to entry {last}, after the one claimed before");
            return Err(self.fail(Check::Snapshot, expected, format!("entry {}", claim.of)));
        }
        let accounts = u64::try_from(self.state.accounts_len()).unwrap_or(u64::MAX);
        if claim.accounts > accounts || (claim.of == last && claim.accounts != accounts) {
            let found = format!("{} accounts", claim.accounts);
            return Err(self.fail(Check::Snapshot, format!("{accounts} accounts"), found));
        }
        Ok(Change::Snapshot(claim.of))
    }

    /// An anchor is of a checkpoint before it. Its root the fold cannot know; the verifier can. That no
    /// checkpoint is receipted twice, unless anew, follows from the id.
    pub(crate) fn anchor(&self, receipt: &AnchorReceipt) -> Checked<Change> {
        if receipt.size == 0 || receipt.size > self.state.size {
            let expected = format!("a checkpoint of 1 to {} entries", self.state.size);
            let found = format!("one of {}", receipt.size);
            return Err(self.fail(Check::Anchor, expected, found));
        }
        Ok(Change::Nothing)
    }

    /// References point back.
    pub(crate) fn check_reference(&self, reference: &EntryRef) -> Checked<()> {
        if reference.seq < self.entry.seq && !reference.id.is_system() {
            return Ok(());
        }
        let expected = format!("a request sealed before entry {}", self.entry.seq);
        let found = format!("`{}` of entry {}", reference.id, reference.seq);
        Err(self.fail(Check::Reference, expected, found))
    }
}
