//! Attacks on decisions: packs, lists, verdicts, approvals.

use super::attack::{Attack, Expected, Finding, Halt, Kept};
use super::forgery::postings;
use super::scene::{is_denied_payment, is_posted_payment, is_reviewed_payment, payment};
use super::stage::{Stage, change};
use crate::insider::edited;
use paygod_core::command::PolicySet;
use paygod_core::entry::{AllowingRule, Body, Decision};
use paygod_core::{Entry, LEDGER_PACK, Named};
use paygod_policy::{RuleInfo, Verdict};
use paygod_types::{Digest, Name};
use std::sync::Arc;

type Acted = Result<Finding, Halt>;

/// In the order of the table.
pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        name: "list-swapped",
        story: "took a friend off the sanctions list, under the same version",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: |stage| blob_swapped(stage, |set| set.lists.first()),
    },
    Attack {
        name: "list-swapped-resealed",
        story: "took a friend off the list, sealed its activation and every decision anew",
        kept: Kept::Checkpoint,
        expected: Expected::Caught,
        act: list_resealed,
    },
    Attack {
        name: "pack-swapped",
        story: "took a line out of a pack, under the same version",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: |stage| blob_swapped(stage, |set| set.packs.first()),
    },
    Attack {
        name: "pack-removed",
        story: "took an active pack out of the export",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: pack_removed,
    },
    Attack {
        name: "list-renamed",
        story: "activated the list of last week under the name and version of today's",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: list_renamed,
    },
    Attack {
        name: "pack-renamed",
        story: "put another pack's bytes under the name of the pack that screens",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: |stage| {
            activated_anew(stage, |set| {
                let digest = set.packs.first().map(|pack| pack.digest);
                if let (Some(digest), Some(pack)) = (digest, set.packs.last_mut()) {
                    pack.digest = digest;
                }
            })
        },
    },
    Attack {
        name: "screening-without-its-list",
        story: "activated the packs, and left out the list that they read",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: |stage| activated_anew(stage, |set| set.lists.clear()),
    },
    Attack {
        name: "activation-digest-edited",
        story: "activated one list and named another's digest for the whole set",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: activation_edited,
    },
    Attack {
        name: "inactive-rules-named",
        story: "let a decision name rules that were not in force",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: |stage| {
            decided(stage, is_posted_payment, |decision| {
                decision.policy = Digest::sha256(b"the rules of last year");
            })
        },
    },
    Attack {
        name: "verdict-flipped",
        story: "turned a deny into an allow, and moved no money",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: |stage| {
            decided(stage, is_denied_payment, |decision| {
                decision.verdict = Verdict::Allow
            })
        },
    },
    Attack {
        name: "verdict-and-reasons-flipped",
        story: "turned a deny into an allow, and took out the reasons for the deny",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: |stage| {
            decided(stage, is_denied_payment, |decision| {
                decision.verdict = Verdict::Allow;
                decision.reasons.clear();
            })
        },
    },
    Attack {
        name: "rules-not-asked",
        story: "paid without asking any pack: a decision that names no rule",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: |stage| {
            decided(stage, is_posted_payment, |decision| {
                decision.allowed.clear();
                decision.reasons.clear();
                decision.verdict = Verdict::Allow;
            })
        },
    },
    Attack {
        name: "one-pack-not-asked",
        story: "paid without asking the last of the packs",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: one_pack_silent,
    },
    Attack {
        name: "denied-payment-paid",
        story: "gave a denied payment the postings of an allowed one",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: denied_paid,
    },
    Attack {
        name: "denied-payment-allowed",
        story: "made a denied payment an allowed one, postings and all",
        kept: Kept::Checkpoint,
        expected: Expected::Caught,
        act: denied_allowed,
    },
    Attack {
        name: "rule-invented",
        story: "let a payment be allowed by rules that no pack has",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: |stage| {
            let name = Name::parse("trust-me")?;
            decided(stage, is_posted_payment, |decision| {
                for rule in &mut decision.allowed {
                    rule.rule = name.clone();
                }
            })
        },
    },
    Attack {
        name: "deny-told-as-allow",
        story: "paid what sanctions screening denied, and named the rule as one that allowed",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: |stage| denied_as(stage, Verdict::Allow),
    },
    Attack {
        name: "deny-told-as-flag",
        story: "paid what sanctions screening denied, and named the rule as one that flagged",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: |stage| denied_as(stage, Verdict::Flag),
    },
    Attack {
        name: "deny-by-no-pack",
        story: "let a payment be denied by a pack that is not there",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: |stage| {
            let name = Name::parse("no-such-pack")?;
            decided(stage, is_denied_payment, |decision| {
                decision.allowed.clear();
                for reason in &mut decision.reasons {
                    reason.rule = told(&reason.rule, |rule| rule.pack = name.clone());
                }
            })
        },
    },
    Attack {
        name: "decision-removed",
        story: "moved money without any decision",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: decision_removed,
    },
    Attack {
        name: "review-skipped",
        story: "turned a payment held for review into one that paid at once",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: |stage| {
            decided(stage, is_reviewed_payment, |decision| {
                decision.verdict = Verdict::Allow
            })
        },
    },
    Attack {
        name: "approved-by-requester",
        story: "let the requester approve their own payment",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: approved_by_requester,
    },
    Attack {
        name: "approval-of-nothing",
        story: "approved a payment that was never held for review",
        kept: Kept::Fingerprint,
        expected: Expected::Caught,
        act: approval_of_nothing,
    },
];

/// The last activation that has what is attacked, and the named thing.
fn activated<'s>(
    stage: &Stage<'s>,
    which: fn(&PolicySet) -> Option<&Named>,
) -> Result<(usize, &'s Named), Halt> {
    let scene = stage.scene;
    let found = scene
        .entries
        .iter()
        .enumerate()
        .rev()
        .find_map(|(index, entry)| match &entry.body {
            Body::PolicyActivate { set, .. } => Some((index, which(set)?)),
            _ => None,
        });
    found.ok_or(Halt::NotHere("no active pack or list of the kind"))
}

fn path(named: &Named) -> String {
    format!("blobs/{}", named.digest)
}

/// The blob with one line less, still one of its kind for whoever does not count.
fn tampered(bytes: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(bytes);
    let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
    if lines.len() > 2 {
        lines.remove(lines.len() / 2);
        return lines.concat().into_bytes();
    }
    bytes.iter().rev().skip(1).rev().copied().collect()
}

fn blob_swapped(stage: &Stage<'_>, which: fn(&PolicySet) -> Option<&Named>) -> Acted {
    let (_, named) = activated(stage, which)?;
    let mut export = stage.export();
    let bytes = tampered(export.get(&path(named)).unwrap_or(&[]));
    export.put(&path(named), bytes);
    stage.audit(&export, Kept::Fingerprint)
}

fn pack_removed(stage: &Stage<'_>) -> Acted {
    let (_, named) = activated(stage, |set| set.packs.first())?;
    let mut export = stage.export();
    export.take(&path(named));
    stage.audit(&export, Kept::Fingerprint)
}

/// A true list of the same name and version, with one entry less.
fn shortened(bytes: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (head, rest) = text.split_once('\n')?;
    let (_, rest) = rest.split_once('\n')?;
    let count = rest.lines().count();
    let head = edited(
        head.as_bytes(),
        &format!("\"entries\":{}", count.saturating_add(1)),
        &format!("\"entries\":{count}"),
    )?;
    Some([head.as_slice(), b"\n", rest.as_bytes()].concat())
}

fn list_resealed(stage: &Stage<'_>) -> Acted {
    let (_, named) = activated(stage, |set| set.lists.first())?;
    let bytes = shortened(stage.scene.export.get(&path(named)).unwrap_or(&[]))
        .ok_or(Halt::NotHere("no list with two entries"))?;
    let (before, after) = (named.digest, Digest::sha256(&bytes));
    let mut entries = stage.entries();
    for entry in &mut entries {
        if let Body::PolicyActivate { set, .. } = &mut entry.body {
            for list in set.lists.iter_mut().filter(|list| list.digest == before) {
                list.digest = after;
            }
        }
    }
    let mut export = stage.forge(entries)?;
    export.take(&format!("blobs/{before}"));
    export.put(&format!("blobs/{after}"), bytes);
    stage.audit(&export, Kept::Checkpoint)
}

fn activation_edited(stage: &Stage<'_>) -> Acted {
    let (index, _) = activated(stage, |set| set.lists.first())?;
    let mut entries = stage.entries();
    change(&mut entries, index, |entry| {
        if let Body::PolicyActivate { set, .. } = &mut entry.body
            && let Some(list) = set.lists.first_mut()
        {
            list.digest = Digest::sha256(b"another list");
        }
    });
    stage.audit(&stage.forge_as_is(&entries)?, Kept::Fingerprint)
}

/// Activates the last set anew, changed.
fn activated_anew(stage: &Stage<'_>, by: impl Fn(&mut PolicySet)) -> Acted {
    let (index, _) = activated(stage, |set| set.lists.first())?;
    let mut entries = stage.entries();
    change(&mut entries, index, |entry| {
        if let Body::PolicyActivate { set, .. } = &mut entry.body {
            by(set);
        }
    });
    stage.audit(&stage.forge(entries)?, Kept::Fingerprint)
}

fn list_renamed(stage: &Stage<'_>) -> Acted {
    let mut sets = stage
        .scene
        .entries
        .iter()
        .filter_map(|entry| match &entry.body {
            Body::PolicyActivate { set, .. } => set.lists.first(),
            _ => None,
        });
    let (Some(first), Some(last)) = (sets.next(), sets.next_back()) else {
        return Err(Halt::NotHere("no two versions of a list"));
    };
    if first.digest == last.digest {
        return Err(Halt::NotHere("no two versions of a list"));
    }
    activated_anew(stage, |set| {
        if let Some(list) = set.lists.first_mut() {
            list.digest = first.digest;
        }
    })
}

/// A rule that says another thing.
fn told(rule: &RuleInfo, by: impl FnOnce(&mut RuleInfo)) -> Arc<RuleInfo> {
    let mut told = RuleInfo {
        pack: rule.pack.clone(),
        version: rule.version.clone(),
        rule: rule.rule.clone(),
        decision: rule.decision,
        reason: rule.reason.clone(),
    };
    by(&mut told);
    Arc::new(told)
}

/// Whether packs denied it, and not the ledger.
fn is_denied_by_packs(entry: &Entry) -> bool {
    let decision = entry.body.decision().filter(|_| is_denied_payment(entry));
    decision.is_some_and(|decision| {
        let mut denying = decision.reasons.iter().map(|reason| &*reason.rule);
        denying.all(|rule| rule.pack.as_str() != LEDGER_PACK)
    })
}

/// Pays a denied payment; the rules that denied it are told as saying something else.
fn denied_as(stage: &Stage<'_>, verdict: Verdict) -> Acted {
    let scene = stage.scene;
    let denied = scene.last("no payment that a pack denied", is_denied_by_packs)?;
    let paid = scene.last("no posted payment", is_posted_payment)?;
    let good = scene.entries.get(paid).and_then(payment);
    let good = good.ok_or(Halt::NotHere("no posted payment"))?;
    let mut entries = stage.entries();
    change(&mut entries, denied, |entry| {
        let Body::Transfer(body) = &mut entry.body else {
            return;
        };
        body.postings.clone_from(&good.postings);
        let decision = &mut body.decision;
        decision.verdict = verdict;
        decision.allowed.clone_from(&good.decision.allowed);
        if verdict == Verdict::Allow {
            let denying = std::mem::take(&mut decision.reasons);
            for reason in &denying {
                decision
                    .allowed
                    .retain(|rule| rule.pack != reason.rule.pack);
            }
            decision
                .allowed
                .extend(denying.iter().map(|reason| AllowingRule {
                    pack: reason.rule.pack.clone(),
                    rule: reason.rule.rule.clone(),
                }));
        }
        for reason in &mut decision.reasons {
            reason.rule = told(&reason.rule, |rule| rule.decision = verdict);
        }
    });
    stage.audit(&stage.forge(entries)?, Kept::Fingerprint)
}

/// Changes the decision of the last payment of a kind.
fn decided(stage: &Stage<'_>, which: fn(&Entry) -> bool, by: impl Fn(&mut Decision)) -> Acted {
    let index = stage.scene.last("no payment with such a verdict", which)?;
    let mut entries = stage.entries();
    change(&mut entries, index, |entry| {
        if let Body::Transfer(body) = &mut entry.body {
            by(&mut body.decision);
            if body.decision.verdict == Verdict::Allow {
                body.decision.approvals = 0;
            }
        }
    });
    stage.audit(&stage.forge(entries)?, Kept::Fingerprint)
}

fn one_pack_silent(stage: &Stage<'_>) -> Acted {
    let index = stage.scene.last("no posted payment", is_posted_payment)?;
    let before = stage.scene.entries.iter().take(index).rev();
    let mut sets = before.filter_map(|entry| match &entry.body {
        Body::PolicyActivate { set, .. } => Some(set),
        _ => None,
    });
    let pack = sets.next().and_then(|set| set.packs.last());
    let pack = pack.ok_or(Halt::NotHere("no active pack"))?;
    let mut entries = stage.entries();
    change(&mut entries, index, |entry| {
        if let Body::Transfer(body) = &mut entry.body {
            let decision = &mut body.decision;
            decision.allowed.retain(|rule| rule.pack != pack.name);
            decision
                .reasons
                .retain(|reason| reason.rule.pack != pack.name);
        }
    });
    stage.audit(&stage.forge(entries)?, Kept::Fingerprint)
}

/// The entries with a denied payment that has the postings of the allowed one before it, if the
/// ledger's limits let it.
fn paid(stage: &Stage<'_>, allowed: bool) -> Result<Vec<Entry>, Halt> {
    let scene = stage.scene;
    let paid = scene.last("no posted payment", is_posted_payment)?;
    // With a decision to match, only whoever kept a checkpoint of it can tell.
    let denied = if allowed {
        scene.last_kept(
            "no denied payment that is in the checkpoint",
            is_denied_payment,
        )?
    } else {
        scene.last("no denied payment", is_denied_payment)?
    };
    let mut entries = stage.entries();
    let (moved, decision) = match entries.get(paid).map(|entry| &entry.body) {
        Some(Body::Transfer(body)) => (body.postings.clone(), body.decision.clone()),
        _ => return Err(Halt::NotHere("no posted payment")),
    };
    change(&mut entries, denied, |entry| {
        if let Some(postings) = postings(entry) {
            *postings = moved;
        }
        if let Body::Transfer(body) = &mut entry.body
            && allowed
        {
            body.decision = Decision {
                policy: body.decision.policy,
                ..decision
            };
        }
    });
    Ok(entries)
}

fn denied_paid(stage: &Stage<'_>) -> Acted {
    stage.audit(&stage.forge(paid(stage, false)?)?, Kept::Fingerprint)
}

fn denied_allowed(stage: &Stage<'_>) -> Acted {
    stage.audit(&stage.forge(paid(stage, true)?)?, Kept::Checkpoint)
}

fn decision_removed(stage: &Stage<'_>) -> Acted {
    let index = stage.scene.last("no posted payment", is_posted_payment)?;
    let mut bytes = stage.scene.bytes.clone();
    let entry = bytes
        .get(index)
        .map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let cut = entry.as_deref().and_then(|entry| {
        let (head, rest) = entry.split_once("\"decision\":")?;
        let (_, rest) = rest.split_once("\"postings\":")?;
        Some(format!("{head}\"postings\":{rest}").into_bytes())
    });
    let cut = cut.ok_or(Halt::NotHere("no posted payment"))?;
    change(&mut bytes, index, |entry| *entry = cut);
    stage.audit(&stage.forge_bytes(&bytes)?, Kept::Fingerprint)
}

/// Where the last approval stands, and the entry that it approves.
fn approval(stage: &Stage<'_>) -> Result<(usize, usize), Halt> {
    let found =
        stage
            .scene
            .entries
            .iter()
            .enumerate()
            .rev()
            .find_map(|(index, entry)| match &entry.body {
                Body::Approve { request, .. } => {
                    Some((index, usize::try_from(request.seq.get()).ok()?))
                }
                _ => None,
            });
    found.ok_or(Halt::NotHere("no approval"))
}

fn approved_by_requester(stage: &Stage<'_>) -> Acted {
    let (approval, request) = approval(stage)?;
    let mut entries = stage.entries();
    let requester = entries.get(request).and_then(|entry| entry.by.clone());
    change(&mut entries, approval, |entry| entry.by = requester);
    stage.audit(&stage.forge(entries)?, Kept::Fingerprint)
}

fn approval_of_nothing(stage: &Stage<'_>) -> Acted {
    let (approval, _) = approval(stage)?;
    let paid = stage.scene.first("no posted payment", is_posted_payment)?;
    let mut entries = stage.entries();
    let other = entries.get(paid).map(|entry| (entry.id.clone(), entry.seq));
    change(&mut entries, approval, |entry| {
        if let (Body::Approve { request, .. }, Some((id, seq))) = (&mut entry.body, other) {
            (request.id, request.seq) = (id, seq);
        }
    });
    stage.audit(&stage.forge(entries)?, Kept::Fingerprint)
}
