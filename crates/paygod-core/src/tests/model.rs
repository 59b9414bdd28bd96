//! A naive ledger, written without looking at the state machine: maps, sums and plain rules. The random
//! walk compares the two.

use std::collections::{BTreeMap, BTreeSet};

/// One movement: from, to, minor units.
pub(super) type Move = (String, String, i128);

#[derive(Clone, Debug)]
pub(super) enum Cmd {
    Pay {
        by: String,
        moves: Vec<Move>,
        pending: Option<Option<u64>>,
    },
    Correct {
        by: String,
        target: String,
        moves: Vec<Move>,
    },
    Post {
        target: String,
        amount: Option<i128>,
    },
    Void {
        target: String,
    },
    Approve {
        by: String,
        target: String,
    },
    Reject {
        by: String,
        target: String,
    },
    Freeze {
        scope: String,
        on: bool,
    },
    Close {
        account: String,
    },
    Limit {
        account: String,
        min: Option<i128>,
        max: Option<i128>,
    },
}

#[derive(Clone, Debug, Default)]
pub(super) struct Account {
    pub(super) min: Option<i128>,
    pub(super) max: Option<i128>,
    pub(super) out_reserved: i128,
    pub(super) out: i128,
    pub(super) in_reserved: i128,
    pub(super) in_: i128,
    closed: bool,
}

impl Account {
    fn is_beyond(&self) -> bool {
        let balance = self.in_ - self.out;
        self.min
            .is_some_and(|min| balance - self.out_reserved < min)
            || self.max.is_some_and(|max| balance + self.in_reserved > max)
    }
}

#[derive(Clone, Debug)]
struct Hold {
    by: String,
    moves: Vec<Move>,
    deadline: Option<u64>,
    /// Approvals needed, approvers so far, whether a post is needed afterwards.
    review: Option<(usize, BTreeSet<String>, bool)>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    pub(super) accounts: BTreeMap<String, Account>,
    holds: BTreeMap<String, Hold>,
    frozen: BTreeSet<String>,
    /// What was sent under an id, and whether it posted money.
    seen: BTreeMap<String, (String, bool)>,
    last: u64,
    pub(super) entries: u64,
}

pub(super) fn currency(account: &str) -> &str {
    if account.starts_with("jpy") {
        "JPY"
    } else {
        "EUR"
    }
}

fn units(from: &str, minor: i128) -> i128 {
    if currency(from) == "JPY" {
        minor
    } else {
        minor / 100
    }
}

impl Model {
    pub(super) fn new(last: u64, entries: u64) -> Self {
        let account = |min, max| Account {
            min,
            max,
            ..Account::default()
        };
        let accounts = [
            ("eur-a", account(None, None)),
            ("eur-b", account(Some(0), None)),
            ("eur-c", account(Some(0), Some(100_000))),
            ("jpy-a", account(None, None)),
            ("jpy-b", account(Some(0), None)),
        ];
        let accounts = accounts
            .map(|(id, account)| (id.to_owned(), account))
            .into();
        Self {
            accounts,
            last,
            entries,
            ..Self::default()
        }
    }

    fn seal(&mut self, now: u64) -> u64 {
        self.last = now.max(self.last + 1);
        self.entries += 1;
        self.last
    }

    fn expire(&mut self, now: u64) {
        loop {
            let time = now.max(self.last + 1);
            let due = self
                .holds
                .iter()
                .find(|(_, hold)| hold.deadline.is_some_and(|d| d <= time));
            let Some((id, _)) = due else { return };
            let id = id.clone();
            self.release(&id, None);
            self.seal(now);
        }
    }

    /// What comes of a request: a verdict, `ok`, `existing`, or the code of an error.
    pub(super) fn run(&mut self, now: u64, id: &str, json: &str, cmd: &Cmd) -> String {
        self.expire(now);
        if let Some((body, _)) = self.seen.get(id) {
            return if body == json {
                "existing"
            } else {
                "request.conflict"
            }
            .to_owned();
        }
        let before = self.posted();
        let outcome = self.attempt(now, id, cmd);
        match outcome {
            Ok(outcome) => {
                let posted = self.posted() != before;
                self.seen.insert(id.to_owned(), (json.to_owned(), posted));
                self.seal(now);
                outcome.to_owned()
            }
            Err(code) => code.to_owned(),
        }
    }

    /// All that was ever posted.
    fn posted(&self) -> i128 {
        self.accounts.values().map(|account| account.in_).sum()
    }

    fn attempt(&mut self, now: u64, id: &str, cmd: &Cmd) -> Result<&'static str, &'static str> {
        match cmd {
            Cmd::Pay { by, moves, pending } => {
                let time = now.max(self.last + 1);
                let deadline = pending
                    .flatten()
                    .map(|seconds| time + seconds * 1_000_000_000);
                self.judge(id, by, moves, pending.is_some(), deadline)
            }
            Cmd::Correct { by, target, moves } => {
                match self.seen.get(target) {
                    None => return Err("request.unknown"),
                    Some((_, false)) => return Err("request.kind"),
                    Some((_, true)) => {}
                }
                self.judge(id, by, moves, false, None)
            }
            Cmd::Post { target, amount } => {
                let hold = self.holds.get(target).ok_or("pending.unknown")?;
                if hold.review.is_some() {
                    return Err("pending.under-review");
                }
                if let Some(amount) = amount
                    && (hold.moves.len() != 1 || *amount > hold.moves[0].2)
                {
                    return Err("pending.amount");
                }
                let moves = hold.moves.clone();
                self.movable(&moves).map_err(|_| "freeze.held")?;
                self.release(target, Some(*amount));
                Ok("ok")
            }
            Cmd::Void { target } => {
                let hold = self.holds.get(target).ok_or("pending.unknown")?;
                if hold.review.is_some() {
                    return Err("pending.under-review");
                }
                self.release(target, None);
                Ok("ok")
            }
            Cmd::Reject { target, .. } => {
                let hold = self.holds.get(target).ok_or("pending.unknown")?;
                hold.review.as_ref().ok_or("pending.not-under-review")?;
                self.release(target, None);
                Ok("ok")
            }
            Cmd::Approve { by, target } => self.approve(by, target),
            Cmd::Freeze { scope, on } => {
                if self.frozen.contains(scope) == *on {
                    return Err("freeze.already");
                }
                if *on {
                    self.frozen.insert(scope.clone());
                } else {
                    self.frozen.remove(scope);
                }
                Ok("ok")
            }
            Cmd::Close { account } => {
                let account = self.accounts.get_mut(account).unwrap();
                if account.closed {
                    return Err("account.closed");
                }
                if account.in_ != account.out || account.in_reserved + account.out_reserved != 0 {
                    return Err("account.not-settled");
                }
                account.closed = true;
                Ok("ok")
            }
            Cmd::Limit { account, min, max } => {
                let account = self.accounts.get_mut(account).unwrap();
                if account.closed {
                    return Err("account.closed");
                }
                let mut limited = account.clone();
                (limited.min, limited.max) = (*min, *max);
                if limited.is_beyond() {
                    return Err("account.limit");
                }
                *account = limited;
                Ok("ok")
            }
        }
    }

    fn approve(&mut self, by: &str, target: &str) -> Result<&'static str, &'static str> {
        let hold = self.holds.get(target).ok_or("pending.unknown")?;
        let (needed, who, two_phase) = hold.review.clone().ok_or("pending.not-under-review")?;
        if hold.by == by {
            return Err("approval.own-request");
        }
        if who.contains(by) {
            return Err("approval.repeated");
        }
        let complete = who.len() + 1 == needed;
        let moves = hold.moves.clone();
        if complete && !two_phase {
            self.movable(&moves).map_err(|_| "freeze.held")?;
            self.release(target, Some(None));
            return Ok("ok");
        }
        let hold = self.holds.get_mut(target).unwrap();
        if complete {
            hold.review = None;
        } else if let Some((_, who, _)) = &mut hold.review {
            who.insert(by.to_owned());
        }
        Ok("ok")
    }

    fn movable(&self, moves: &[Move]) -> Result<(), ()> {
        let held = |name: &str| self.frozen.contains(name);
        let stuck = moves
            .iter()
            .flat_map(|(from, to, _)| [from, to])
            .any(|account| {
                held(account) || held(currency(account)) || self.accounts[account].closed
            });
        if stuck || held("book") {
            Err(())
        } else {
            Ok(())
        }
    }

    fn judge(
        &mut self,
        id: &str,
        by: &str,
        moves: &[Move],
        two_phase: bool,
        deadline: Option<u64>,
    ) -> Result<&'static str, &'static str> {
        if moves
            .iter()
            .any(|(from, to, _)| currency(from) != currency(to))
        {
            return Err("account.currency");
        }
        let most = moves
            .iter()
            .map(|(from, _, minor)| units(from, *minor))
            .max()
            .unwrap();
        let (verdict, needed) = match most {
            ..300 => ("allow", 0),
            300..500 => ("flag", 0),
            500..700 => ("review", 1),
            700..1_000 => ("review", 2),
            _ => return Ok("deny"),
        };
        if self.movable(moves).is_err() {
            return Ok("deny");
        }
        let reserve = two_phase || needed > 0;
        let before = self.accounts.clone();
        for (from, to, minor) in moves {
            let from = self.accounts.get_mut(from).unwrap();
            if reserve {
                from.out_reserved += minor
            } else {
                from.out += minor
            }
            let to = self.accounts.get_mut(to).unwrap();
            if reserve {
                to.in_reserved += minor
            } else {
                to.in_ += minor
            }
        }
        if self.accounts.values().any(Account::is_beyond) {
            self.accounts = before;
            return Ok("deny");
        }
        if reserve {
            let review = (needed > 0).then(|| (needed, BTreeSet::new(), two_phase));
            let hold = Hold {
                by: by.to_owned(),
                moves: moves.to_vec(),
                deadline,
                review,
            };
            self.holds.insert(id.to_owned(), hold);
        }
        Ok(verdict)
    }

    /// Ends a reservation; `posted` moves so much of its one leg, or all of every leg.
    fn release(&mut self, id: &str, posted: Option<Option<i128>>) {
        let hold = self.holds.remove(id).unwrap();
        for (from, to, reserved) in hold.moves {
            let moved = posted.map_or(0, |amount| amount.unwrap_or(reserved));
            let from = self.accounts.get_mut(&from).unwrap();
            from.out_reserved -= reserved;
            from.out += moved;
            let to = self.accounts.get_mut(&to).unwrap();
            to.in_reserved -= reserved;
            to.in_ += moved;
        }
    }
}
