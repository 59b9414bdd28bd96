//! Attacks on the money: postings that no honest ledger could have made. The thief has covered every
//! track and signed with the stolen key; the ledger's own rules, run again, give him away.

use super::attack::{Attack, Expected, Finding, Halt, Kept};
use super::forgery::{beyond, postings, raise};
use super::scene::{is_denied_payment, is_posted_payment};
use super::stage::{Stage, change, seq};
use paygod_core::entry::{Body, Layer, Posting};
use paygod_core::{Entry, EntryRef, RequestRef};
use paygod_types::limits::AMOUNT_MINOR_END;
use paygod_types::{AccountId, Amount, Currency, Digest, RequestId, Timestamp};

type Acted = Result<Finding, Halt>;

/// In the order of the table.
pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        name: "conservation-broken",
        story: "credited ten times what was debited",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: |stage| {
            paid(stage, |postings| {
                if let Some(credit) = postings.get_mut(1) {
                    credit.money.amount = super::forgery::tenfold(credit.money.amount);
                }
            })
        },
    },
    Attack {
        name: "debit-removed",
        story: "left the credit and took the debit out",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: |stage| paid(stage, |postings| drop(postings.drain(..1))),
    },
    Attack {
        name: "limit-exceeded",
        story: "let an account pay out what it does not have",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: limit_exceeded,
    },
    Attack {
        name: "currency-swapped",
        story: "posted a payment in another currency than its accounts'",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: currency_swapped,
    },
    Attack {
        name: "account-invented",
        story: "paid to an account that was never opened",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: |stage| {
            let account = AccountId::parse("an-account-in-the-sun")?;
            let index = payment(stage)?;
            let mut entries = stage.entries();
            change(&mut entries, index, |entry| {
                if let Some(credit) = postings(entry).and_then(|postings| postings.get_mut(1)) {
                    credit.account = account;
                }
            });
            stage.audit(&stage.forge(entries)?, Kept::Fingerprint)
        },
    },
    Attack {
        name: "amount-of-zero",
        story: "made a payment of nothing, to have it sealed",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: |stage| paid_as(stage, Amount::ZERO),
    },
    Attack {
        name: "amount-beyond-requests",
        story: "moved more in one payment than any request can ask for",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: |stage| paid_as(stage, Amount::from_minor(AMOUNT_MINOR_END)),
    },
    Attack {
        name: "reservation-for-centuries",
        story: "reserved money until nobody alive is there to release it",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: |stage| {
            let far = Timestamp::parse_canonical("2500-01-01T00:00:00.000000000Z")?;
            let index = last(
                stage,
                "no reservation with a timeout",
                |body| matches!(body, Body::Transfer(body) if body.timeout.is_some()),
            )?;
            let mut entries = stage.entries();
            change(&mut entries, index, |entry| {
                if let Body::Transfer(body) = &mut entry.body {
                    body.timeout = Some(far);
                }
            });
            stage.audit(&stage.forge(entries)?, Kept::Fingerprint)
        },
    },
    Attack {
        name: "correction-of-a-deny",
        story: "corrected a payment that was denied, and so made money",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: denied_corrected,
    },
    Attack {
        name: "erasure-of-nothing",
        story: "sealed that an input was erased, of an account that was opened without one",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: nothing_erased,
    },
    Attack {
        name: "payment-made-reservation",
        story: "turned a payment into a mere reservation",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: |stage| {
            paid(stage, |postings| {
                for posting in postings {
                    posting.layer = Layer::Pending;
                }
            })
        },
    },
    Attack {
        name: "post-beyond-reservation",
        story: "posted more than was reserved",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: |stage| {
            let index = last(stage, "no posted reservation", |body| {
                matches!(body, Body::Post { .. })
            })?;
            let mut entries = stage.entries();
            change(&mut entries, index, |entry| {
                raise(entry, super::forgery::tenfold)
            });
            stage.audit(&stage.forge(entries)?, Kept::Fingerprint)
        },
    },
    Attack {
        name: "reservation-posted-twice",
        story: "turned the release of a reservation into a post of one already posted",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: posted_twice,
    },
    Attack {
        name: "paid-while-frozen",
        story: "removed the order that let money move again",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: |stage| {
            let index = last(stage, "no unfreezing", |body| {
                matches!(body, Body::Unfreeze(_))
            })?;
            let mut entries = stage.entries();
            entries.remove(index);
            stage.audit(&stage.forge(entries)?, Kept::Fingerprint)
        },
    },
];

/// Points the last correction at a payment that was denied.
fn denied_corrected(stage: &Stage<'_>) -> Acted {
    let index = last(stage, "no correction", |body| {
        matches!(body, Body::Correct(_))
    })?;
    let before = stage.scene.entries.get(..index).unwrap_or(&[]);
    let denied = before.iter().rfind(|entry| is_denied_payment(entry));
    let denied = denied.ok_or(Halt::NotHere("no denied payment"))?;
    let mut entries = stage.entries();
    change(&mut entries, index, |entry| {
        if let Body::Correct(body) = &mut entry.body {
            body.corrects.id = denied.id.clone();
        }
    });
    stage.audit(&stage.forge(entries)?, Kept::Fingerprint)
}

/// Erases, as the last entry, the input of an order that never had one.
fn nothing_erased(stage: &Stage<'_>) -> Acted {
    let opened = stage.scene.first("no account", |entry| {
        matches!(entry.body, Body::AccountOpen(_))
    })?;
    let mut entries = stage.entries();
    let target = entries.get(opened).cloned();
    let (Some(target), Some(last)) = (target, entries.last()) else {
        return Err(Halt::NotHere("no account"));
    };
    let erased = Entry {
        seq: seq(entries.len()),
        time: Timestamp::from_nanos(last.time.as_nanos().saturating_add(1)),
        id: RequestId::parse("erase-nothing")?,
        by: None,
        request: Some(RequestRef::Digest(Digest::sha256(b"erase-nothing"))),
        body: Body::EvidenceErase {
            request: EntryRef {
                id: target.id,
                seq: target.seq,
            },
        },
    };
    entries.push(erased);
    stage.audit(&stage.forge_as_is(&entries)?, Kept::Fingerprint)
}

fn payment(stage: &Stage<'_>) -> Result<usize, Halt> {
    stage.scene.last("no posted payment", is_posted_payment)
}

fn last(stage: &Stage<'_>, what: &'static str, is: fn(&Body) -> bool) -> Result<usize, Halt> {
    stage
        .scene
        .entries
        .iter()
        .rposition(|entry| is(&entry.body))
        .ok_or(Halt::NotHere(what))
}

/// Pays this amount in the place of the one that was asked for.
fn paid_as(stage: &Stage<'_>, amount: Amount) -> Acted {
    paid(stage, |postings| {
        for posting in postings {
            posting.money.amount = amount;
        }
    })
}

/// Changes the postings of the last payment that the kept checkpoint covers.
fn paid(stage: &Stage<'_>, by: impl Fn(&mut Vec<Posting>)) -> Acted {
    let index = payment(stage)?;
    let mut entries = stage.entries();
    change(&mut entries, index, |entry| {
        if let Some(postings) = postings(entry) {
            by(postings);
        }
    });
    stage.audit(&stage.forge(entries)?, Kept::Fingerprint)
}

fn limit_exceeded(stage: &Stage<'_>) -> Acted {
    let limited: Vec<&AccountId> = stage
        .scene
        .entries
        .iter()
        .filter_map(|entry| match &entry.body {
            Body::AccountOpen(open) if open.min_balance.is_some() => Some(&open.account),
            _ => None,
        })
        .collect();
    let index = stage.scene.last(
        "no payment from an account with a limit",
        |entry: &Entry| {
            is_posted_payment(entry)
                && entry
                    .body
                    .postings()
                    .first()
                    .is_some_and(|debit| limited.contains(&&debit.account))
        },
    )?;
    let mut entries = stage.entries();
    change(&mut entries, index, |entry| raise(entry, beyond));
    stage.audit(&stage.forge(entries)?, Kept::Fingerprint)
}

fn currency_swapped(stage: &Stage<'_>) -> Acted {
    let (euro, dollar) = (Currency::parse("EUR")?, Currency::parse("USD")?);
    let index = payment(stage)?;
    let mut entries = stage.entries();
    change(&mut entries, index, |entry| {
        for posting in postings(entry).into_iter().flatten() {
            posting.money.currency = if posting.money.currency == euro {
                dollar
            } else {
                euro
            };
        }
    });
    stage.audit(&stage.forge(entries)?, Kept::Fingerprint)
}

fn posted_twice(stage: &Stage<'_>) -> Acted {
    let post = last(stage, "no posted reservation", |body| {
        matches!(body, Body::Post { .. })
    })?;
    let void = last(stage, "no released reservation", |body| {
        matches!(body, Body::Void { .. })
    })?;
    let mut entries = stage.entries();
    let body = entries.get(post.min(void)).map(|entry| entry.body.clone());
    change(&mut entries, post.max(void), |entry| {
        if let Some(body) = body {
            entry.body = body;
        }
    });
    stage.audit(&stage.forge(entries)?, Kept::Fingerprint)
}
