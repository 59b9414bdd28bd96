//! Reads a state and checks what states promise.

use std::collections::BTreeMap;
use std::sync::Arc;

use paygod_policy::Named;
use paygod_types::{
    AccountId, ActorId, Amount, Currency, Digest, IdError, Name, RequestId, Seq, Timestamp,
};

use super::{MAGIC, MAGIC_PACKS, SnapshotError};
use crate::accounts::{AccountFlags, AccountInfo, AccountIx, Balances};
use crate::command::{Alias, PolicySet};
use crate::key_policy::KeyPolicy;
use crate::pack_trust::{Level, PackBook, PackStage, PackTrust, Publisher, Review};
use crate::pendings::{Leg, Pending, Stage};
use crate::state::{ActivePolicy, Book, CurrencyTotals, KeyPeriod, Revoked, State};

type Read<T> = Result<T, SnapshotError>;

pub(super) fn state(bytes: &[u8]) -> Read<State> {
    let mut from = From {
        rest: bytes,
        length: bytes.len(),
    };
    let has_packs = match &from.take::<16>()? {
        MAGIC => false,
        MAGIC_PACKS => true,
        _ => return Err(from.refuse("not a snapshot of this version")),
    };
    let mut state = State::new();
    state.size = from.u64()?;
    state.last_time = Timestamp::from_nanos(from.u64()?);
    match from.take::<1>()? {
        [0] => {}
        [kind @ 1..=6] => {
            let mut book = from.book()?;
            if matches!(kind, 2 | 4) {
                book.hybrid_keys.push(KeyPeriod {
                    since: Seq(0),
                    vkey: from.text()?.into(),
                });
            }
            if matches!(kind, 5 | 6) {
                book.hybrid_keys = from.periods()?;
                from.demand(book.hybrid_keys.len() > 1, "hybrid keys that never changed")?;
            }
            if matches!(kind, 3 | 4 | 6) {
                book.key_policy = from.key_policy()?;
            }
            state.book = Some(Arc::new(book));
        }
        _ => return Err(from.refuse("a flag that is none")),
    }
    if state.book.is_some() != (state.size > 0) {
        return Err(from.refuse("a book without genesis"));
    }
    state.frozen_book = from.flag()?;
    for _ in 0..from.u32()? {
        let currency = from.currency()?;
        let ascends = state
            .frozen_currencies
            .last()
            .is_none_or(|last| *last < currency);
        from.demand(ascends, "frozen currencies out of order")?;
        state.frozen_currencies.insert(currency);
    }
    state.policy = Arc::new(from.policy()?);
    state.snapshot_of = from.optional()?.map(Seq);
    for _ in 0..from.u32()? {
        let of = CurrencyTotals {
            currency: from.currency()?,
            totals: from.balances()?,
        };
        let ascends = state
            .totals
            .last()
            .is_none_or(|last| last.currency < of.currency);
        from.demand(
            ascends && of.totals.is_conserved(),
            "totals out of order or balance",
        )?;
        state.totals.push(of);
    }
    for _ in 0..from.u32()? {
        from.account(&mut state)?;
    }
    for _ in 0..from.u32()? {
        from.pending(&mut state)?;
    }
    if has_packs {
        state.packs = Arc::new(from.packs()?);
    }
    from.demand(from.rest.is_empty(), "bytes after the end")?;
    from.check_sums(&state)?;
    Ok(state)
}

struct From<'a> {
    rest: &'a [u8],
    length: usize,
}

impl<'a> From<'a> {
    #[cold]
    fn refuse(&self, reason: &'static str) -> SnapshotError {
        SnapshotError {
            offset: self.length.saturating_sub(self.rest.len()),
            reason,
        }
    }

    fn demand(&self, holds: bool, reason: &'static str) -> Read<()> {
        if holds {
            Ok(())
        } else {
            Err(self.refuse(reason))
        }
    }

    fn take<const N: usize>(&mut self) -> Read<[u8; N]> {
        let Some((taken, rest)) = self.rest.split_first_chunk::<N>() else {
            return Err(self.refuse("the snapshot ends early"));
        };
        self.rest = rest;
        Ok(*taken)
    }

    fn u32(&mut self) -> Read<u32> {
        Ok(u32::from_le_bytes(self.take()?))
    }

    fn u64(&mut self) -> Read<u64> {
        Ok(u64::from_le_bytes(self.take()?))
    }

    fn amount(&mut self) -> Read<Amount> {
        Ok(Amount::from_minor(i128::from_le_bytes(self.take()?)))
    }

    fn flag(&mut self) -> Read<bool> {
        match self.take()? {
            [0] => Ok(false),
            [1] => Ok(true),
            _ => Err(self.refuse("neither yes nor no")),
        }
    }

    fn optional(&mut self) -> Read<Option<u64>> {
        if self.flag()? {
            Ok(Some(self.u64()?))
        } else {
            Ok(None)
        }
    }

    fn currency(&mut self) -> Read<Currency> {
        let code: [u8; 3] = self.take()?;
        let parsed = str::from_utf8(&code)
            .ok()
            .and_then(|code| Currency::parse(code).ok());
        parsed.ok_or_else(|| self.refuse("no currency"))
    }

    fn text(&mut self) -> Read<&'a str> {
        let length = usize::from(u16::from_le_bytes(self.take()?));
        let Some((text, rest)) = self.rest.split_at_checked(length) else {
            return Err(self.refuse("the snapshot ends early"));
        };
        self.rest = rest;
        str::from_utf8(text).map_err(|_| self.refuse("a text that is not UTF-8"))
    }

    fn id<T>(&mut self, parse: fn(&str) -> Result<T, IdError>) -> Read<T> {
        let text = self.text()?;
        parse(text).map_err(|_| self.refuse("no identifier"))
    }

    fn balances(&mut self) -> Read<Balances> {
        let balances = Balances {
            debits_pending: self.amount()?,
            debits_posted: self.amount()?,
            credits_pending: self.amount()?,
            credits_posted: self.amount()?,
        };
        self.demand(balances.is_bounded(), "balances out of bounds")?;
        Ok(balances)
    }

    fn book(&mut self) -> Read<Book> {
        let origin = self.text()?.into();
        let mut root_keys = Vec::new();
        for _ in 0..self.u32()? {
            root_keys.push(self.text()?.into());
        }
        let root_threshold = self.u32()?;
        let checkpoint_keys = self.periods()?;
        let vkeys = checkpoint_keys.iter().map(|key| &key.vkey);
        let used = Book::used(vkeys.chain(&root_keys)).ok();
        self.demand(used.is_some(), "keys that are none")?;
        Ok(Book {
            origin,
            root_keys,
            root_threshold,
            checkpoint_keys,
            revoked: self.revoked()?,
            hybrid_keys: Vec::new(),
            key_policy: KeyPolicy::default(),
            used: used.unwrap_or_default(),
        })
    }

    fn periods(&mut self) -> Read<Vec<KeyPeriod>> {
        let mut keys = Vec::new();
        for _ in 0..self.u32()? {
            keys.push(KeyPeriod {
                since: Seq(self.u64()?),
                vkey: self.text()?.into(),
            });
        }
        Ok(keys)
    }

    fn key_policy(&mut self) -> Read<KeyPolicy> {
        let policy = KeyPolicy {
            age_s: self.optional()?,
            signatures: self.optional()?,
            unsigned: self.optional()?,
        };
        let said = policy.check().is_ok() && policy != KeyPolicy::default();
        self.demand(said, "a policy of keys that is none")?;
        Ok(policy)
    }

    fn revoked(&mut self) -> Read<Vec<Revoked>> {
        let mut revoked = Vec::new();
        for _ in 0..self.u32()? {
            revoked.push(Revoked {
                at: Seq(self.u64()?),
                vkey: self.text()?.into(),
                last_good: Seq(self.u64()?),
            });
        }
        Ok(revoked)
    }

    fn policy(&mut self) -> Read<ActivePolicy> {
        let since = self.optional()?.map(Seq);
        let set = PolicySet {
            lists: self.named()?,
            packs: self.named()?,
        };
        self.demand(set.is_ordered(), "packs or lists out of order")?;
        Ok(ActivePolicy {
            digest: set.digest(),
            set,
            since,
        })
    }

    fn named(&mut self) -> Read<Vec<Named>> {
        let mut all = Vec::new();
        for _ in 0..self.u32()? {
            let digest = Digest::from_bytes(self.take()?);
            let name = self.id(Name::parse)?;
            all.push(Named {
                name,
                version: self.text()?.to_owned(),
                digest,
            });
        }
        Ok(all)
    }

    /// What is known of packs: only where something is.
    fn packs(&mut self) -> Read<PackBook> {
        let (approved, level) = (self.flag()?, self.level()?);
        let mut publishers = Vec::new();
        for _ in 0..self.u32()? {
            let key = self.text()?.into();
            let level = self.level()?;
            publishers.push(Publisher { key, level });
        }
        let rules = PackTrust {
            approved,
            level,
            publishers,
        };
        self.demand(rules.check().is_ok(), "publishers that are none")?;
        let mut reviews = BTreeMap::new();
        for _ in 0..self.u32()? {
            let digest = Digest::from_bytes(self.take()?);
            let [place] = self.take()?;
            let stage = PackStage::ALL.get(usize::from(place)).copied();
            let review = Review {
                stage: stage.ok_or_else(|| self.refuse("no stage"))?,
                drafted_by: self.id(ActorId::parse)?,
            };
            let ascends = reviews
                .last_key_value()
                .is_none_or(|(last, _)| *last < digest);
            self.demand(ascends, "reviews out of order")?;
            reviews.insert(digest, review);
        }
        let packs = PackBook {
            trust: rules,
            reviews,
        };
        self.demand(
            packs != PackBook::default(),
            "nothing of packs, spelled out",
        )?;
        Ok(packs)
    }

    fn level(&mut self) -> Read<Level> {
        let [place] = self.take()?;
        let level = Level::ALL.get(usize::from(place)).copied();
        level.ok_or_else(|| self.refuse("no level"))
    }

    fn account(&mut self, state: &mut State) -> Read<()> {
        let id = self.id(AccountId::parse)?;
        let currency = self.currency()?;
        let flags = AccountFlags {
            closed: self.flag()?,
            frozen: self.flag()?,
        };
        let min_balance = if self.flag()? {
            Some(self.amount()?)
        } else {
            None
        };
        let max_balance = if self.flag()? {
            Some(self.amount()?)
        } else {
            None
        };
        let opened = Seq(self.u64()?);
        let mut aliases = Vec::new();
        for _ in 0..self.u32()? {
            aliases.push(Alias(self.take()?));
        }
        let balances = self.balances()?;
        let known = state.accounts.find(id.as_str()).is_some()
            || aliases
                .iter()
                .any(|alias| state.accounts.find_alias(*alias).is_some())
            || !aliases.is_sorted_by(|a, b| a < b);
        self.demand(!known, "an account or alias twice")?;
        let within = balances.keeps(min_balance, max_balance);
        self.demand(within, "an account past its limits")?;
        self.demand(
            !flags.closed || balances.is_settled(),
            "a closed account with money",
        )?;
        let aliases = aliases.into_boxed_slice();
        let info = AccountInfo {
            id,
            currency,
            min_balance,
            max_balance,
            opened,
            aliases,
        };
        let ix = state
            .accounts
            .push(info)
            .ok_or_else(|| self.refuse("too many accounts"))?;
        state.accounts.set_balances(ix, balances);
        state.accounts.set_flags(ix, flags);
        Ok(())
    }

    fn pending(&mut self, state: &mut State) -> Read<()> {
        let id = self.id(RequestId::parse)?;
        let seq = Seq(self.u64()?);
        let by = if self.flag()? {
            Some(self.id(ActorId::parse)?)
        } else {
            None
        };
        let mut legs = Vec::new();
        for _ in 0..self.u32()? {
            let (debit, credit) = (AccountIx(self.u32()?), AccountIx(self.u32()?));
            let currency = self.currency()?;
            let money = self.amount()?.of(currency);
            let fits = [debit, credit].into_iter().all(|ix| {
                state
                    .accounts
                    .info(ix)
                    .is_some_and(|info| info.currency == currency)
            });
            self.demand(
                fits && money.amount.is_positive(),
                "a reservation that does not fit",
            )?;
            legs.push(Leg {
                debit,
                credit,
                money,
            });
        }
        let deadline = self.optional()?.map(Timestamp::from_nanos);
        let stage = if self.flag()? {
            let (needed, two_phase) = (self.u32()?, self.flag()?);
            let mut approvers = Vec::new();
            for _ in 0..self.u32()? {
                approvers.push(self.id(ActorId::parse)?);
            }
            Stage::UnderReview {
                needed,
                approvers,
                two_phase,
            }
        } else {
            Stage::Reserved
        };
        let last = state.pendings.iter().next_back().map(|pending| pending.seq);
        let ordered = last.is_none_or(|last| last < seq) && state.pending(&id).is_none();
        self.demand(ordered && !legs.is_empty(), "reservations out of order")?;
        let pending = Pending {
            id,
            seq,
            by,
            legs,
            deadline,
            stage,
        };
        state.pendings.insert(Arc::new(pending));
        Ok(())
    }

    /// Totals are the sums of accounts, and reserved totals the sums of reservations.
    fn check_sums(&self, state: &State) -> Read<()> {
        let mut left = state.totals.clone();
        for view in state.accounts() {
            if *view.balances == Balances::default() {
                continue;
            }
            let place = left
                .binary_search_by_key(&view.info.currency, |of| of.currency)
                .ok();
            let of = place.and_then(|place| left.get_mut(place));
            let of = of.ok_or_else(|| self.refuse("a currency without totals"))?;
            let rest = of.totals.without(view.balances);
            of.totals = rest.ok_or_else(|| self.refuse("totals that are no sums"))?;
        }
        let spent = left.iter().all(|of| of.totals == Balances::default());
        self.demand(spent, "totals that are no sums")?;
        let mut reserved: Vec<Balances> = state.accounts.balances().copied().collect();
        for leg in state.pendings.iter().flat_map(|pending| &pending.legs) {
            let amount = leg.money.amount;
            let debit = Balances {
                debits_pending: amount,
                ..Balances::default()
            };
            let credit = Balances {
                credits_pending: amount,
                ..Balances::default()
            };
            for (ix, part) in [(leg.debit, debit), (leg.credit, credit)] {
                let slot = reserved.get_mut(ix.index());
                let slot = slot.ok_or_else(|| self.refuse("no such account"))?;
                let rest = slot.without(&part);
                *slot = rest.ok_or_else(|| self.refuse("reservations that are no sums"))?;
            }
        }
        let all = |of: &Balances| of.debits_pending.is_zero() && of.credits_pending.is_zero();
        self.demand(reserved.iter().all(all), "reservations that are no sums")
    }
}
