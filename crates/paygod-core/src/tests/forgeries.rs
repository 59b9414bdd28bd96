//! Every check of the fold, met by an entry that fails it and nothing else.

use super::book::{Book, ORIGIN, genesis, packs, transfer};
use super::keys::{revocation, rotation};
use super::packs::trust;
use crate::command::{AccountLimit, AccountOpen, FreezeScope};
use crate::entry::{
    AllowingRule, AnchorKind, AnchorReceipt, Body, EntryRef, SnapshotClaim, TransferBody, Window,
};
use crate::{Check, Entry, Layer, RequestRef, Side, State};
use paygod_policy::{Verdict, WindowToken};
use paygod_types::limits::{AMOUNT_MINOR_END, PENDING_TIMEOUT_S_MAX, REASONS_PER_ENTRY_MAX};
use paygod_types::{Amount, Currency, Digest, Seq, Timestamp};
use std::collections::BTreeSet;
use std::time::Duration;

/// A state, and an entry that follows from it.
struct Scene {
    state: State,
    entry: Entry,
}

fn scene(build: impl FnOnce(&mut Book)) -> Scene {
    let mut book = Book::ready();
    build(&mut book);
    let last = book.last();
    let mut state = State::new();
    let (_, before) = book.log.split_last().unwrap();
    for bytes in before {
        state.apply(&Entry::decode(bytes).unwrap()).unwrap();
    }
    Scene { state, entry: last }
}

fn paid(amount: &str) -> Scene {
    scene(|book| {
        book.pay("p1", "eur-a", "eur-b", amount);
    })
}

fn two_phase(more: &[&str]) -> Scene {
    scene(|book| {
        let terms = r#","pending":{"timeout_s":60}"#;
        book.sealed(&transfer("t1", "eur-a", "eur-b", "10.00", terms));
        more.iter().for_each(|json| {
            book.sealed(json);
        });
    })
}

fn reviewed(more: &[&str]) -> Scene {
    scene(|book| {
        book.pay("p1", "eur-a", "eur-b", "700.00");
        more.iter().for_each(|json| {
            book.sealed(json);
        });
    })
}

impl Scene {
    fn transfer(&mut self) -> &mut TransferBody {
        match &mut self.entry.body {
            Body::Transfer(body) => body,
            other => panic!("{other:?}"),
        }
    }

    /// The entry as it is follows; as `forge` makes it, it fails `check` and changes nothing.
    fn forged(mut self, check: Check, forge: impl FnOnce(&mut Self)) -> Check {
        self.state.clone().apply(&self.entry).unwrap();
        forge(&mut self);
        let before = self.state.digest();
        let error = self.state.apply(&self.entry).unwrap_err();
        assert_eq!(error.check, check, "{error}");
        assert_eq!(error.seq, self.entry.seq);
        assert!(!error.expected.is_empty() && !error.found.is_empty());
        assert_eq!(
            self.state.digest(),
            before,
            "a refused entry changes nothing"
        );
        check
    }
}

const APPROVE: &str = r#"{"id":"a1","by":"ann","approve":{"request":"p1"}}"#;
const APPROVE_LAST: &str = r#"{"id":"a2","by":"bob","approve":{"request":"p1"}}"#;
const POST: &str = r#"{"id":"post","post":{"pending":"t1"}}"#;

#[test]
fn every_check_meets_a_forgery() {
    let mut met = BTreeSet::new();
    for part in [
        place(),
        header(),
        money(),
        judgement(),
        reservations(),
        approvals(),
        book(),
    ] {
        met.extend(part);
    }
    let missing: Vec<_> = Check::ALL
        .iter()
        .filter(|check| !met.contains(check))
        .collect();
    // Overflow has a test of its own, in `money`.
    assert_eq!(missing, [&Check::Overflow]);
}

fn place() -> Vec<Check> {
    vec![
        paid("1.00").forged(Check::Sequence, |s| {
            s.entry.seq = Seq(s.entry.seq.get() + 1)
        }),
        paid("1.00").forged(Check::Sequence, |s| {
            s.entry.seq = Seq(s.entry.seq.get() - 1)
        }),
        paid("1.00").forged(Check::Time, |s| s.entry.time = s.state.last_time()),
        paid("1.00").forged(Check::Time, |s| s.entry.time = Timestamp::EPOCH),
        paid("1.00").forged(Check::Genesis, |s| s.entry.body = Body::Genesis(genesis())),
        two_phase(&[]).forged(Check::Genesis, |s| {
            s.state = State::new();
            s.entry.seq = Seq(0);
        }),
        two_phase(&[&transfer("p9", "eur-a", "eur-b", "1.00", "")]).forged(Check::Overdue, |s| {
            s.entry.time = Timestamp::from_nanos(s.entry.time.as_nanos() + 61_000_000_000);
        }),
    ]
}

fn header() -> Vec<Check> {
    let digest = Digest::sha256(b"another");
    vec![
        paid("1.00").forged(Check::Header, |s| s.entry.request = None),
        paid("1.00").forged(Check::Header, |s| {
            s.entry.id = paygod_types::RequestId::system("mine").unwrap();
        }),
        scene(|book| {
            book.sealed(r#"{"id":"f","freeze":{"scope":"book"}}"#);
        })
        .forged(Check::Header, |s| {
            s.entry.request = Some(RequestRef::Commitment(digest))
        }),
        expired().forged(Check::Header, |s| s.entry.by = Some("ann".parse().unwrap())),
        expired().forged(Check::Header, |s| s.entry.id = "p9".parse().unwrap()),
        two_phase(&[&transfer(
            "t2",
            "eur-a",
            "eur-b",
            "1.00",
            r#","pending":{}"#,
        )])
        .forged(Check::Header, |s| s.entry.id = "t1".parse().unwrap()),
    ]
}

fn expired() -> Scene {
    scene(|book| {
        let terms = r#","pending":{"timeout_s":60}"#;
        book.sealed(&transfer("t1", "eur-a", "eur-b", "10.00", terms));
        book.pass(61);
        book.expire_one().unwrap();
    })
}

fn money() -> Vec<Check> {
    let eur = |minor| Amount::from_minor(minor).of(Currency::EUR);
    let set = |s: &mut Scene, minor: i128| {
        s.transfer()
            .postings
            .iter_mut()
            .for_each(|posting| posting.money = eur(minor));
    };
    let froze = |scope: &str| {
        let json = format!(r#"{{"id":"f","freeze":{{"scope":{scope}}}}}"#);
        scene(|book| {
            book.pay("p1", "eur-a", "eur-b", "1.00");
            book.sealed(&json);
        })
    };
    let thaw = |s: &mut Scene| {
        // The frozen state, and a transfer sealed in it all the same.
        let frozen = s.entry.clone();
        let mut paid = paid("1.00").entry;
        s.state.apply(&frozen).unwrap();
        paid.seq = s.state.next_seq();
        paid.time = s.state.next_time(Timestamp::EPOCH).unwrap();
        paid.id = "p2".parse().unwrap();
        s.entry = paid;
    };
    vec![
        // One digit more than a request can have.
        paid("1.00").forged(Check::Conservation, |s| set(s, AMOUNT_MINOR_END)),
        paid("1.00").forged(Check::Conservation, |s| {
            s.transfer().postings[0].money = eur(101)
        }),
        paid("1.00").forged(Check::Conservation, |s| {
            s.transfer().postings.pop();
        }),
        paid("1.00").forged(Check::Conservation, |s| s.transfer().postings.clear()),
        paid("1.00").forged(Check::Conservation, |s| s.transfer().postings.reverse()),
        paid("1.00").forged(Check::Conservation, |s| {
            s.transfer().postings[1].side = Side::Debit
        }),
        paid("1.00").forged(Check::Conservation, |s| set(s, 0)),
        paid("1.00").forged(Check::Conservation, |s| set(s, -100)),
        paid("1.00").forged(Check::Conservation, |s| {
            s.transfer().postings[1].account = "eur-a".parse().unwrap();
        }),
        paid("1.00").forged(Check::Account, |s| {
            s.transfer().postings[1].account = "nobody".parse().unwrap();
        }),
        paid("1.00").forged(Check::Currency, |s| {
            s.transfer().postings[1].account = "jpy-a".parse().unwrap();
        }),
        paid("1.00").forged(Check::Limit, |s| {
            s.transfer().postings[1].account = "eur-c".parse().unwrap();
            set(s, 100_001);
        }),
        paid("1.00").forged(Check::Limit, |s| {
            s.transfer().postings[0].account = "eur-c".parse().unwrap();
        }),
        froze(r#""book""#).forged(Check::Freeze, thaw),
        froze(r#"{"currency":"EUR"}"#).forged(Check::Freeze, thaw),
        froze(r#"{"account":"eur-b"}"#).forged(Check::Freeze, thaw),
    ]
}

fn judgement() -> Vec<Check> {
    let other = Digest::sha256(b"another");
    vec![
        paid("1000.00").forged(Check::Verdict, |s| {
            // Money moved on a deny.
            s.transfer().postings = paid("1.00").transfer().postings.clone();
        }),
        paid("1.00").forged(Check::Verdict, |s| {
            s.transfer().decision.verdict = Verdict::Deny
        }),
        paid("1000.00").forged(Check::Verdict, |s| {
            s.transfer().decision.verdict = Verdict::Allow;
            s.transfer().postings = paid("1.00").transfer().postings.clone();
        }),
        paid("1.00").forged(Check::Verdict, |s| {
            // More rules than packs and ledger can name together.
            let decision = &mut s.transfer().decision;
            decision.allowed = vec![
                AllowingRule {
                    pack: "limits".parse().unwrap(),
                    rule: "small".parse().unwrap(),
                };
                REASONS_PER_ENTRY_MAX + 2
            ];
        }),
        paid("1000.00").forged(Check::Verdict, |s| {
            let decision = &mut s.transfer().decision;
            let reason = decision.reasons[0].clone();
            decision.reasons = vec![reason; REASONS_PER_ENTRY_MAX + 1];
        }),
        paid("700.00").forged(Check::Verdict, |s| s.transfer().decision.approvals = 0),
        paid("700.00").forged(Check::Verdict, |s| s.transfer().decision.approvals = 99),
        paid("700.00").forged(Check::Verdict, |s| {
            let postings = &mut s.transfer().postings;
            postings
                .iter_mut()
                .for_each(|posting| posting.layer = Layer::Posted);
        }),
        paid("1.00").forged(Check::Verdict, |s| {
            let window = Window {
                token: WindowToken([1; 16]),
                transfer: 1,
                value: None,
            };
            s.transfer().windows.push(window);
        }),
        paid("1.00").forged(Check::Verdict, |s| {
            let window = s.transfer().windows[0];
            s.transfer().windows.push(window);
        }),
        paid("1.00").forged(Check::Packs, |s| {
            // No pack was asked.
            let decision = &mut s.transfer().decision;
            decision.reasons.clear();
            decision.allowed.clear();
        }),
        // One pack of two was not asked, on each verdict that moves money.
        paid("1.00").forged(Check::Packs, |s| s.transfer().decision.allowed.clear()),
        paid("1.00").forged(Check::Packs, |s| s.transfer().decision.reasons.clear()),
        paid("400.00").forged(Check::Packs, |s| s.transfer().decision.allowed.clear()),
        paid("700.00").forged(Check::Packs, |s| s.transfer().decision.allowed.clear()),
        paid("1.00").forged(Check::Packs, |s| {
            let mut rule = s.transfer().decision.allowed[0].clone();
            rule.pack = "retired".parse().unwrap();
            s.transfer().decision.allowed.push(rule);
        }),
        paid("1.00").forged(Check::Packs, |s| {
            let rule = &mut s.transfer().decision.reasons[0].rule;
            let rule = std::sync::Arc::get_mut(rule).unwrap();
            rule.version = "0.9.0".to_owned();
        }),
        paid("1.00").forged(Check::Policy, |s| s.transfer().decision.policy = other),
        scene(|book| {
            let set = r#"{"id":"off","policy_activate":{"packs":[],"lists":[]}}"#;
            book.sealed(set);
            book.judge.set = crate::command::PolicySet::default();
            book.pay("p1", "eur-a", "eur-b", "1.00");
        })
        .forged(Check::Policy, |s| {
            s.transfer().decision.verdict = Verdict::Allow
        }),
        scene(|book| {
            book.sealed(r#"{"id":"off","policy_activate":{"packs":[],"lists":[]}}"#);
        })
        .forged(Check::Policy, |s| {
            s.entry.body = Body::PolicyActivate {
                set: packs(),
                policy: other,
                vouched: Vec::new(),
            };
        }),
        scene(|book| {
            book.sealed(&trust("trust", "verified", false));
        })
        .forged(Check::Trust, |s| {
            if let Body::PackTrust(trust) = &mut s.entry.body {
                trust.publishers.reverse();
            }
        }),
        paid("700.00").forged(Check::Approval, |s| s.entry.by = None),
    ]
}

fn reservations() -> Vec<Check> {
    let reference = |id: &str, seq: u64| EntryRef {
        id: id.parse().unwrap(),
        seq: Seq(seq),
    };
    let postings =
        |s: &mut Scene, change: &dyn Fn(&mut crate::entry::Posting)| match &mut s.entry.body {
            Body::Post { postings, .. } => postings.iter_mut().for_each(change),
            other => panic!("{other:?}"),
        };
    vec![
        two_phase(&[]).forged(Check::Timeout, |s| {
            s.transfer().timeout = Some(s.entry.time);
        }),
        two_phase(&[]).forged(Check::Timeout, |s| {
            let longest = Duration::from_secs(PENDING_TIMEOUT_S_MAX);
            let longest = s.entry.time.checked_add(longest).unwrap();
            s.transfer().timeout = Some(longest);
            s.state.clone().apply(&s.entry).unwrap();
            s.transfer().timeout = longest.checked_add(Duration::from_nanos(1));
        }),
        two_phase(&[]).forged(Check::Timeout, |s| {
            s.transfer().two_phase = false;
        }),
        expired().forged(Check::Timeout, |s| {
            s.entry.time = s.state.next_time(Timestamp::EPOCH).unwrap();
        }),
        two_phase(&[POST]).forged(Check::Reservation, |s| {
            postings(s, &|posting| {
                posting.money = Amount::from_minor(1_001).of(Currency::EUR)
            });
        }),
        two_phase(&[POST]).forged(Check::Reservation, |s| {
            postings(s, &|posting| {
                if posting.side == Side::Credit {
                    posting.account = "eur-c".parse().unwrap();
                }
            });
        }),
        two_phase(&[POST]).forged(Check::Verdict, |s| {
            postings(s, &|posting| posting.layer = Layer::Pending);
        }),
        two_phase(&[r#"{"id":"v","void":{"pending":"t1"}}"#]).forged(Check::Pending, |s| {
            s.entry.body = Body::Void {
                pending: reference("nothing", 1),
            };
        }),
        two_phase(&[r#"{"id":"v","void":{"pending":"t1"}}"#]).forged(Check::Pending, |s| {
            s.entry.body = Body::Void {
                pending: reference("t1", 1),
            };
        }),
        reviewed(&[APPROVE]).forged(Check::Pending, |s| {
            let Body::Approve { request, .. } = s.entry.body.clone() else {
                panic!()
            };
            s.entry.body = Body::Void { pending: request };
        }),
    ]
}

fn approvals() -> Vec<Check> {
    let by = |s: &mut Scene, who: &str| s.entry.by = Some(who.parse().unwrap());
    vec![
        reviewed(&[APPROVE]).forged(Check::Approval, |s| by(s, "treasury")),
        reviewed(&[APPROVE]).forged(Check::Approval, |s| s.entry.by = None),
        reviewed(&[APPROVE, APPROVE_LAST]).forged(Check::Approval, |s| by(s, "ann")),
        reviewed(&[APPROVE]).forged(Check::Approval, |s| match &mut s.entry.body {
            Body::Approve { approvals, .. } => *approvals = 2,
            other => panic!("{other:?}"),
        }),
        reviewed(&[APPROVE]).forged(Check::Approval, |s| {
            let mut paid = paid("1.00");
            match &mut s.entry.body {
                Body::Approve { postings, .. } => *postings = paid.transfer().postings.clone(),
                other => panic!("{other:?}"),
            }
        }),
        reviewed(&[APPROVE, APPROVE_LAST]).forged(Check::Reservation, |s| {
            match &mut s.entry.body {
                Body::Approve { postings, .. } => {
                    let less = Amount::from_minor(1).of(Currency::EUR);
                    postings.iter_mut().for_each(|posting| posting.money = less);
                }
                other => panic!("{other:?}"),
            }
        }),
        reviewed(&[APPROVE, APPROVE_LAST]).forged(Check::Conservation, |s| {
            match &mut s.entry.body {
                Body::Approve { postings, .. } => postings.clear(),
                other => panic!("{other:?}"),
            }
        }),
        reviewed(&[r#"{"id":"j","by":"ann","reject":{"request":"p1"}}"#])
            .forged(Check::Approval, |s| s.entry.by = None),
    ]
}

fn book() -> Vec<Check> {
    let opened = |change: fn(&mut AccountOpen)| {
        let json = r#"{"id":"o","account_open":{"account":"new","currency":"EUR"}}"#;
        let made = scene(|book| {
            book.sealed(json);
        });
        move |check| {
            made.forged(check, |s| match &mut s.entry.body {
                Body::AccountOpen(open) => change(open),
                other => panic!("{other:?}"),
            })
        }
    };
    let limited = |change: fn(&mut AccountLimit)| {
        let json = r#"{"id":"l","account_limit":{"account":"eur-c","currency":"EUR"}}"#;
        let made = scene(|book| {
            book.sealed(json);
        });
        move |check| {
            made.forged(check, |s| match &mut s.entry.body {
                Body::AccountLimit(limit) => change(limit),
                other => panic!("{other:?}"),
            })
        }
    };
    let revoked = || {
        scene(|book| {
            let revocation = revocation(ORIGIN, (1, 3), 2, &[1, 2]);
            book.system(crate::SystemCommand::KeyRevoke(revocation))
                .unwrap();
        })
    };
    let rotated = || {
        scene(|book| {
            let rotation = rotation(book.state.next_seq(), 1, 2);
            book.system(crate::SystemCommand::KeyRotate(rotation))
                .unwrap();
        })
    };
    let corrected = scene(|book| {
        book.pay("p1", "eur-a", "eur-b", "1.00");
        book.sealed(
            r#"{"id":"c","correct":{"corrects":"p1","reason":"r","transfers":[{"debit":"eur-b","credit":"eur-a","amount":"1.00","currency":"EUR"}]}}"#,
        );
    });
    let claimed = || {
        scene(|book| {
            let of = Seq(book.state.size() - 1);
            let claim = SnapshotClaim {
                accounts: 5,
                digest: book.state.digest(),
                of,
            };
            book.system(crate::SystemCommand::Snapshot(claim)).unwrap();
        })
    };
    let anchored = |change: fn(&mut AnchorReceipt)| {
        let sealed = scene(|book| {
            let receipt = AnchorReceipt {
                again: 0,
                digest: Digest::sha256(b"proof"),
                kind: AnchorKind::OpenTimestamps,
                root: Digest::sha256(b"root"),
                size: book.state.size(),
            };
            book.system(crate::SystemCommand::Anchor(receipt)).unwrap();
        });
        sealed.forged(Check::Anchor, move |s| {
            if let Body::Anchor(receipt) = &mut s.entry.body {
                change(receipt);
                let id = format!("anchor:opentimestamps:{}", receipt.size);
                s.entry.id = paygod_types::RequestId::system(&id).unwrap();
            }
        })
    };
    let claim = |s: &mut Scene, change: fn(&mut SnapshotClaim)| match &mut s.entry.body {
        Body::Snapshot(claim) => change(claim),
        other => panic!("{other:?}"),
    };
    vec![
        opened(|open| open.account = "eur-a".parse().unwrap())(Check::Account),
        opened(|open| open.min_balance = Some(Amount::from_minor(1)))(Check::Limit),
        opened(|open| open.aliases = vec![crate::command::Alias([1; 16]); 2])(Check::Account),
        limited(|limit| limit.account = "nobody".parse().unwrap())(Check::Account),
        limited(|limit| limit.currency = Currency::parse("JPY").unwrap())(Check::Currency),
        limited(|limit| limit.min_balance = Some(Amount::from_minor(1)))(Check::Limit),
        limited(|limit| limit.max_balance = Some(Amount::from_minor(-1)))(Check::Limit),
        scene(|book| {
            book.sealed(r#"{"id":"k","account_close":{"account":"eur-c"}}"#);
        })
        .forged(Check::Account, |s| {
            s.entry.body = Body::AccountClose {
                account: "nobody".parse().unwrap(),
            };
        }),
        scene(|book| {
            book.sealed(r#"{"id":"f","freeze":{"scope":"book"}}"#);
        })
        .forged(Check::Freeze, |s| {
            s.entry.body = Body::Unfreeze(FreezeScope::Book)
        }),
        rotated().forged(Check::Key, |s| match &mut s.entry.body {
            Body::KeyRotate(rotation) => rotation.signature_old[0] ^= 1,
            other => panic!("{other:?}"),
        }),
        revoked().forged(Check::Revocation, |s| match &mut s.entry.body {
            Body::KeyRevoke(revocation) => drop(revocation.signatures.pop()),
            other => panic!("{other:?}"),
        }),
        corrected.forged(Check::Reference, |s| match &mut s.entry.body {
            Body::Correct(body) => body.corrects.seq = s.entry.seq,
            other => panic!("{other:?}"),
        }),
        claimed().forged(Check::Snapshot, |s| claim(s, |claim| claim.accounts = 4)),
        claimed().forged(Check::Snapshot, |s| claim(s, |claim| claim.of = Seq(99))),
        anchored(|receipt| receipt.size = 0),
        anchored(|receipt| receipt.size = 99),
    ]
}
