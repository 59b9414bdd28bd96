//! Writes entries. Keys are spelled in canonical order in literals: the hot path writes no key twice
//! through an escaper. Tests hold every action to the canonical checker.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use paygod_policy::{Reason, Verdict};
use paygod_types::canonical::Writer;
use paygod_types::{Amount, Currency, Digest, Money, Timestamp};

use super::ENTRY_VERSION;
use crate::command::{AccountLimit, AccountOpen, FreezeScope, PolicySet};
use crate::entry::{
    AnchorReceipt, Body, CorrectBody, Decision, Entry, EntryRef, Genesis, HybridChange,
    KeyRevocation, KeyRotation, Layer, Posting, RequestRef, SnapshotClaim, TransferBody, Window,
};
use crate::pack_trust::Vouched;

pub(super) fn entry(entry: &Entry, out: &mut Vec<u8>) {
    let mut out = Out(out);
    out.lit("{\"action\":");
    out.word(entry.body.action().as_str());
    out.lit(",\"body\":");
    body(&entry.body, &mut out);
    if let Some(by) = &entry.by {
        out.lit(",\"by\":");
        out.word(by.as_str());
    }
    out.lit(",\"id\":");
    out.word(entry.id.as_str());
    match &entry.request {
        Some(RequestRef::Commitment(digest)) => {
            out.lit(",\"request\":{\"commitment\":");
            out.digest(digest);
            out.lit("}");
        }
        Some(RequestRef::Digest(digest)) => {
            out.lit(",\"request\":{\"digest\":");
            out.digest(digest);
            out.lit("}");
        }
        None => {}
    }
    out.lit(",\"seq\":");
    out.number(entry.seq.get());
    out.lit(",\"time\":");
    out.time(entry.time);
    out.lit(",\"v\":");
    out.number(ENTRY_VERSION);
    out.lit("}");
}

fn body(body: &Body, out: &mut Out<'_>) {
    match body {
        Body::Transfer(body) => transfer(body, out),
        Body::Correct(body) => correct(body, out),
        Body::Post {
            pending,
            postings: posted,
        } => {
            out.reference("{\"pending\":", pending);
            out.lit(",\"postings\":");
            postings(posted, out);
            out.lit("}");
        }
        Body::Void { pending } | Body::Expire { pending } => {
            out.reference("{\"pending\":", pending);
            out.lit("}");
        }
        Body::Approve {
            request,
            approvals,
            postings: posted,
        } => {
            out.lit("{\"approvals\":");
            out.number(u64::from(*approvals));
            if !posted.is_empty() {
                out.lit(",\"postings\":");
                postings(posted, out);
            }
            out.reference(",\"request\":", request);
            out.lit("}");
        }
        Body::Reject { request } | Body::EvidenceErase { request } => {
            out.reference("{\"request\":", request);
            out.lit("}");
        }
        Body::AccountOpen(open) => account_open(open, out),
        Body::AccountLimit(limit) => account_limit(limit, out),
        Body::AccountClose { account } => {
            out.lit("{\"account\":");
            out.word(account.as_str());
            out.lit("}");
        }
        Body::Freeze(scope) | Body::Unfreeze(scope) => freeze(scope, out),
        Body::PolicyActivate {
            set,
            policy,
            vouched,
        } => policy_activate(set, policy, vouched, out),
        Body::KeyPolicy(policy) => policy.write(&mut Writer::new(out.0)),
        Body::PackTrust(rules) => rules.write(&mut Writer::new(out.0)),
        Body::PackStage(staged) => staged.write(&mut Writer::new(out.0)),
        Body::RunSeal(run) => run.write(&mut Writer::new(out.0)),
        Body::Genesis(body) => genesis(body, out),
        Body::KeyRotate(body) => key_rotate(body, out),
        Body::KeyRevoke(body) => key_revoke(body, out),
        Body::Snapshot(claim) => snapshot(claim, out),
        Body::Anchor(receipt) => anchor(receipt, out),
    }
}

fn transfer(body: &TransferBody, out: &mut Out<'_>) {
    out.lit("{\"decision\":");
    decision(&body.decision, out);
    out.lit(",\"postings\":");
    postings(&body.postings, out);
    if let Some(timeout) = body.timeout {
        out.lit(",\"timeout\":");
        out.time(timeout);
    }
    if body.two_phase {
        out.lit(",\"two_phase\":true");
    }
    windows(&body.windows, out);
    out.lit("}");
}

fn correct(body: &CorrectBody, out: &mut Out<'_>) {
    out.reference("{\"corrects\":", &body.corrects);
    out.lit(",\"decision\":");
    decision(&body.decision, out);
    out.lit(",\"postings\":");
    postings(&body.postings, out);
    out.lit(",\"reason\":");
    out.word(body.reason.as_str());
    windows(&body.windows, out);
    out.lit("}");
}

fn decision(decision: &Decision, out: &mut Out<'_>) {
    out.lit("{");
    for (index, rule) in decision.allowed.iter().enumerate() {
        out.lit(if index == 0 { "\"allowed\":[\"" } else { ",\"" });
        out.lit(rule.pack.as_str());
        out.lit("#");
        out.lit(rule.rule.as_str());
        out.lit("\"");
    }
    if !decision.allowed.is_empty() {
        out.lit("],");
    }
    if decision.verdict == Verdict::Review {
        out.lit("\"approvals\":");
        out.number(u64::from(decision.approvals));
        out.lit(",");
    }
    out.lit("\"fuel\":");
    out.number(decision.fuel);
    out.lit(",\"policy\":");
    out.digest(&decision.policy);
    for (index, reason) in decision.reasons.iter().enumerate() {
        out.lit(if index == 0 { ",\"reasons\":[" } else { "," });
        write_reason(reason, out);
    }
    if !decision.reasons.is_empty() {
        out.lit("]");
    }
    out.lit(",\"verdict\":");
    out.word(decision.verdict.as_str());
    out.lit("}");
}

fn write_reason(reason: &Reason, out: &mut Out<'_>) {
    let rule = &reason.rule;
    out.lit("{\"decision\":");
    out.word(rule.decision.as_str());
    for (index, (key, value)) in reason.facts.iter().enumerate() {
        out.lit(if index == 0 { ",\"facts\":{" } else { "," });
        out.text(key);
        out.lit(":");
        out.text(value);
    }
    if !reason.facts.is_empty() {
        out.lit("}");
    }
    out.lit(",\"pack\":");
    out.word(rule.pack.as_str());
    out.lit(",\"reason\":");
    out.text(&rule.reason);
    out.lit(",\"rule\":");
    out.word(rule.rule.as_str());
    out.lit(",\"version\":");
    out.text(&rule.version);
    out.lit("}");
}

fn postings(postings: &[Posting], out: &mut Out<'_>) {
    out.lit("[");
    for (index, posting) in postings.iter().enumerate() {
        out.lit(if index == 0 {
            "{\"account\":"
        } else {
            ",{\"account\":"
        });
        out.word(posting.account.as_str());
        out.lit(",\"amount\":");
        out.amount(&posting.money);
        out.lit(",\"currency\":");
        out.word(posting.money.currency.code());
        if posting.layer == Layer::Pending {
            out.lit(",\"layer\":\"pending\"");
        }
        out.lit(",\"side\":");
        out.word(posting.side.as_str());
        out.lit("}");
    }
    out.lit("]");
}

fn windows(windows: &[Window], out: &mut Out<'_>) {
    for (index, window) in windows.iter().enumerate() {
        out.lit(if index == 0 {
            ",\"windows\":[{\"token\":"
        } else {
            ",{\"token\":"
        });
        out.hex(&window.token.0);
        if window.transfer > 0 {
            out.lit(",\"transfer\":");
            out.number(u64::from(window.transfer));
        }
        if let Some(value) = &window.value {
            out.lit(",\"value\":");
            out.hex(&value.0);
        }
        out.lit("}");
    }
    if !windows.is_empty() {
        out.lit("]");
    }
}

fn account_open(open: &AccountOpen, out: &mut Out<'_>) {
    out.lit("{\"account\":");
    out.word(open.account.as_str());
    for (index, alias) in open.aliases.iter().enumerate() {
        out.lit(if index == 0 { ",\"aliases\":[" } else { "," });
        out.hex(&alias.0);
    }
    if !open.aliases.is_empty() {
        out.lit("]");
    }
    limits(open.currency, open.max_balance, open.min_balance, out);
}

fn account_limit(limit: &AccountLimit, out: &mut Out<'_>) {
    out.lit("{\"account\":");
    out.word(limit.account.as_str());
    limits(limit.currency, limit.max_balance, limit.min_balance, out);
}

/// The last members of both: a currency and limits in it.
fn limits(currency: Currency, max: Option<Amount>, min: Option<Amount>, out: &mut Out<'_>) {
    out.lit(",\"currency\":");
    out.word(currency.code());
    out.limit(",\"max_balance\":", max, currency);
    out.limit(",\"min_balance\":", min, currency);
    out.lit("}");
}

fn freeze(scope: &FreezeScope, out: &mut Out<'_>) {
    out.lit("{\"scope\":");
    match scope {
        FreezeScope::Book => out.lit("\"book\"}"),
        FreezeScope::Account(account) => {
            out.lit("{\"account\":");
            out.word(account.as_str());
            out.lit("}}");
        }
        FreezeScope::Currency(currency) => {
            out.lit("{\"currency\":");
            out.word(currency.code());
            out.lit("}}");
        }
    }
}

fn policy_activate(set: &PolicySet, policy: &Digest, vouched: &[Vouched], out: &mut Out<'_>) {
    let mut writer = Writer::new(out.0);
    writer.begin_object();
    set.write_members(&mut writer);
    writer.key("policy");
    writer.digest(policy);
    if !vouched.is_empty() {
        writer.key("vouched");
        writer.begin_array();
        for one in vouched {
            one.write(&mut writer);
        }
        writer.end_array();
    }
    writer.end_object();
}

fn genesis(genesis: &Genesis, out: &mut Out<'_>) {
    out.lit("{\"checkpoint_key\":");
    out.text(&genesis.checkpoint_key);
    if let Some(key) = &genesis.hybrid_key {
        out.lit(",\"hybrid_key\":");
        out.text(key);
    }
    out.lit(",\"origin\":");
    out.text(&genesis.origin);
    out.lit(",\"root_keys\":{\"keys\":[");
    for (index, key) in genesis.root_keys.iter().enumerate() {
        if index > 0 {
            out.lit(",");
        }
        out.text(key);
    }
    out.lit("],\"threshold\":");
    out.number(u64::from(genesis.root_threshold));
    out.lit("}}");
}

/// The first member of a change of keys, if it is there.
fn hybrid(change: Option<&HybridChange>, out: &mut Out<'_>) {
    let Some(change) = change else { return };
    out.lit("\"hybrid\":{\"new\":");
    out.text(&change.new);
    signatures(&change.signature_new, &change.signature_old, out);
    out.lit("},");
}

/// By the new key and by the old one: the last members of what changes a key.
fn signatures(new: &[u8], old: &[u8], out: &mut Out<'_>) {
    out.lit(",\"signature_new\":");
    out.word(&STANDARD.encode(new));
    out.lit(",\"signature_old\":");
    out.word(&STANDARD.encode(old));
}

fn key_rotate(rotation: &KeyRotation, out: &mut Out<'_>) {
    out.lit("{");
    hybrid(rotation.hybrid.as_deref(), out);
    out.lit("\"new\":");
    out.text(&rotation.new);
    out.lit(",\"old\":");
    out.text(&rotation.old);
    signatures(&rotation.signature_new, &rotation.signature_old, out);
    out.lit("}");
}

fn key_revoke(revocation: &KeyRevocation, out: &mut Out<'_>) {
    out.lit("{");
    hybrid(revocation.hybrid.as_deref(), out);
    out.lit("\"last_good\":");
    out.number(revocation.last_good.get());
    out.lit(",\"new\":");
    out.text(&revocation.new);
    out.lit(",\"revoked\":");
    out.text(&revocation.revoked);
    out.lit(",\"signature_new\":");
    out.word(&STANDARD.encode(revocation.signature_new));
    out.lit(",\"signatures\":[");
    for (index, signed) in revocation.signatures.iter().enumerate() {
        out.lit(if index == 0 {
            "{\"key\":"
        } else {
            ",{\"key\":"
        });
        out.text(&signed.key);
        out.lit(",\"signature\":");
        out.word(&STANDARD.encode(signed.signature));
        out.lit("}");
    }
    out.lit("]}");
}

fn snapshot(claim: &SnapshotClaim, out: &mut Out<'_>) {
    out.lit("{\"accounts\":");
    out.number(claim.accounts);
    out.lit(",\"digest\":");
    out.digest(&claim.digest);
    out.lit(",\"of\":");
    out.number(claim.of.get());
    out.lit("}");
}

fn anchor(receipt: &AnchorReceipt, out: &mut Out<'_>) {
    out.lit("{");
    if receipt.again > 0 {
        out.lit("\"again\":");
        out.number(receipt.again.into());
        out.lit(",");
    }
    out.lit("\"digest\":");
    out.digest(&receipt.digest);
    out.lit(",\"kind\":");
    out.word(receipt.kind.as_str());
    out.lit(",\"root\":");
    out.digest(&receipt.root);
    out.lit(",\"size\":");
    out.number(receipt.size);
    out.lit("}");
}

/// Appends literals and values. Commas and braces are the caller's.
struct Out<'a>(&'a mut Vec<u8>);

impl Out<'_> {
    #[inline]
    fn lit(&mut self, literal: &str) {
        self.0.extend_from_slice(literal.as_bytes());
    }

    /// A string whose alphabet needs no escapes: ids, words, base64.
    #[inline]
    fn word(&mut self, word: &str) {
        self.0.push(b'"');
        self.0.extend_from_slice(word.as_bytes());
        self.0.push(b'"');
    }

    fn text(&mut self, text: &str) {
        Writer::new(self.0).string(text);
    }

    #[inline]
    fn number(&mut self, number: u64) {
        Writer::new(self.0).u64(number);
    }

    #[inline]
    fn digest(&mut self, digest: &Digest) {
        Writer::new(self.0).digest(digest);
    }

    fn hex(&mut self, bytes: &[u8]) {
        Writer::new(self.0).hex(bytes);
    }

    #[inline]
    fn time(&mut self, time: Timestamp) {
        Writer::new(self.0).timestamp(time);
    }

    #[inline]
    fn amount(&mut self, money: &Money) {
        Writer::new(self.0).amount(money);
    }

    fn limit(&mut self, key: &str, limit: Option<Amount>, currency: Currency) {
        if let Some(limit) = limit {
            self.lit(key);
            self.amount(&limit.of(currency));
        }
    }

    fn reference(&mut self, key: &str, reference: &EntryRef) {
        self.lit(key);
        self.lit("{\"id\":");
        self.word(reference.id.as_str());
        self.lit(",\"seq\":");
        self.number(reference.seq.get());
        self.lit("}");
    }
}
