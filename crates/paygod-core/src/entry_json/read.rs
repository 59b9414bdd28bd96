//! Reads entries: one pass, strict, total.

mod packs;

use std::borrow::Cow;
use std::mem;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use paygod_policy::{Named, Reason, RuleInfo, Verdict, WindowToken};
use paygod_types::canonical::{Kind, Limits, Reader};
use paygod_types::limits::REASONS_PER_ENTRY_MAX;
use paygod_types::{
    AccountId, ActorId, Amount, Currency, Digest, IdError, Money, Name, RequestId, Seq, Timestamp,
};

use super::slot::Spare;
use super::{ENTRY_VERSION, EntryError, EntryHead};
use crate::command::{AccountLimit, AccountOpen, Action, Alias, FreezeScope, PolicySet, RunSeal};
use crate::entry::{
    AllowingRule, AnchorKind, AnchorReceipt, Body, CorrectBody, Decision, Entry, EntryRef, Genesis,
    HybridChange, KeyRevocation, KeyRotation, Layer, Posting, RequestRef, RootSignature, Side,
    SnapshotClaim, TransferBody, Window,
};
use crate::key_policy::KeyPolicy;
use crate::keys::ROOT_KEYS_MAX;

/// Decisions longer than this tell of more than rules that simply allowed, and seldom come again.
const DECISION_BYTES_KEPT: usize = 1_024;

type Read<T> = Result<T, EntryError>;

pub(super) fn entry(bytes: &[u8], spare: &mut Spare) -> Read<Entry> {
    let mut from = From(Reader::new(bytes, &Limits::ENTRY)?);
    from.0.object_begin()?;
    let action = from.action()?;
    from.key("body")?;
    let body = from.body(action, bytes, spare)?;
    let tail = from.tail(spare)?;
    from.0.finish()?;
    let Tail {
        by,
        id,
        request,
        seq,
        time,
    } = tail;
    Ok(Entry {
        seq,
        time,
        id,
        by,
        request,
        body,
    })
}

pub(super) fn head(bytes: &[u8]) -> Read<EntryHead> {
    let mut from = From(Reader::new(bytes, &Limits::ENTRY)?);
    from.0.object_begin()?;
    let action = from.action()?;
    from.key("body")?;
    from.0.skip()?;
    let tail = from.tail(&mut Spare::default())?;
    from.0.finish()?;
    let Tail {
        id,
        request,
        seq,
        time,
        ..
    } = tail;
    Ok(EntryHead {
        action,
        id,
        request,
        seq,
        time,
    })
}

/// What follows the body.
struct Tail {
    by: Option<ActorId>,
    id: RequestId,
    request: Option<RequestRef>,
    seq: Seq,
    time: Timestamp,
}

/// Reads values of entries.
struct From<'a>(Reader<'a>);

impl<'a> From<'a> {
    #[cold]
    fn refuse(&self, key: &'static str, expected: &'static str) -> EntryError {
        EntryError::Value {
            key,
            expected,
            offset: self.0.offset(),
        }
    }

    #[inline]
    fn key(&mut self, key: &'static str) -> Read<()> {
        Ok(self.0.expect_key(key)?)
    }

    #[inline]
    fn has(&mut self, key: &'static str) -> Read<bool> {
        Ok(self.0.key_if(key)?)
    }

    #[inline]
    fn end(&mut self) -> Read<()> {
        Ok(self.0.object_end()?)
    }

    /// Passes `key` and reads its string.
    #[inline]
    fn string(&mut self, key: &'static str) -> Read<Cow<'a, str>> {
        self.key(key)?;
        Ok(self.0.string()?)
    }

    #[inline]
    fn id<T>(&mut self, key: &'static str, parse: fn(&str) -> Result<T, IdError>) -> Read<T> {
        let text = self.string(key)?;
        parse(&text).map_err(|_| self.refuse(key, "an identifier"))
    }

    fn text(&mut self, key: &'static str) -> Read<Arc<str>> {
        Ok(self.string(key)?.into())
    }

    #[inline]
    fn number(&mut self, key: &'static str) -> Read<u64> {
        self.key(key)?;
        Ok(self.0.u64()?)
    }

    fn number_if(&mut self, key: &'static str) -> Read<Option<u64>> {
        let there = self.has(key)?;
        Ok(there.then(|| self.0.u64()).transpose()?)
    }

    fn small(&mut self, key: &'static str) -> Read<u32> {
        let number = self.number(key)?;
        u32::try_from(number).map_err(|_| self.refuse(key, "a number of 32 bits"))
    }

    #[inline]
    fn digest(&mut self, key: &'static str) -> Read<Digest> {
        let text = self.string(key)?;
        Digest::parse(&text).map_err(|_| self.refuse(key, "a digest"))
    }

    #[inline]
    fn time(&mut self, key: &'static str) -> Read<Timestamp> {
        let text = self.string(key)?;
        Timestamp::parse_canonical(&text).map_err(|_| self.refuse(key, "a time"))
    }

    #[inline]
    fn currency(&mut self, key: &'static str) -> Read<Currency> {
        let text = self.string(key)?;
        Currency::parse(&text).map_err(|_| self.refuse(key, "a currency"))
    }

    #[inline]
    fn money(&self, key: &'static str, text: &str, currency: Currency) -> Read<Money> {
        Money::parse(text, currency).map_err(|_| self.refuse(key, "an amount of its currency"))
    }

    /// The sixteen bytes of a string of hexadecimal digits.
    fn hex16(&self, key: &'static str, text: &str) -> Read<[u8; 16]> {
        crate::hex::sixteen(text).ok_or_else(|| self.refuse(key, "32 hexadecimal digits"))
    }

    fn action(&mut self) -> Read<Action> {
        let word = self.string("action")?;
        Action::parse(&word).ok_or_else(|| self.refuse("action", "an action"))
    }

    fn tail(&mut self, spare: &mut Spare) -> Read<Tail> {
        let by = if self.has("by")? {
            let text = self.0.string()?;
            let by = spare.actor(&text);
            Some(by.map_err(|_| self.refuse("by", "an identifier"))?)
        } else {
            None
        };
        let id = self.id("id", RequestId::parse_any)?;
        let request = if self.has("request")? {
            Some(self.request_ref()?)
        } else {
            None
        };
        let seq = Seq(self.number("seq")?);
        let time = self.time("time")?;
        if self.number("v")? != ENTRY_VERSION {
            return Err(self.refuse("v", "1"));
        }
        self.end()?;
        Ok(Tail {
            by,
            id,
            request,
            seq,
            time,
        })
    }

    fn request_ref(&mut self) -> Read<RequestRef> {
        self.0.object_begin()?;
        let reference = if self.has("commitment")? {
            let text = self.0.string()?;
            let digest = Digest::parse(&text);
            RequestRef::Commitment(digest.map_err(|_| self.refuse("commitment", "a digest"))?)
        } else {
            RequestRef::Digest(self.digest("digest")?)
        };
        self.end()?;
        Ok(reference)
    }

    fn body(&mut self, action: Action, bytes: &[u8], spare: &mut Spare) -> Read<Body> {
        self.0.object_begin()?;
        let body = match action {
            Action::Transfer => Body::Transfer(self.transfer(bytes, spare)?),
            Action::Correct => Body::Correct(self.correct()?),
            Action::Post => {
                let pending = self.reference("pending")?;
                self.key("postings")?;
                Body::Post {
                    pending,
                    postings: self.postings(Vec::new())?,
                }
            }
            Action::Void => Body::Void {
                pending: self.reference("pending")?,
            },
            Action::Expire => Body::Expire {
                pending: self.reference("pending")?,
            },
            Action::Approve => self.approve()?,
            Action::Reject => Body::Reject {
                request: self.reference("request")?,
            },
            Action::EvidenceErase => Body::EvidenceErase {
                request: self.reference("request")?,
            },
            Action::AccountOpen => Body::AccountOpen(self.account_open()?),
            Action::AccountLimit => Body::AccountLimit(self.account_limit()?),
            Action::AccountClose => Body::AccountClose {
                account: self.id("account", AccountId::parse)?,
            },
            Action::Freeze => Body::Freeze(self.scope()?),
            Action::Unfreeze => Body::Unfreeze(self.scope()?),
            Action::PolicyActivate => {
                let lists = self.named("lists")?;
                let packs = self.named("packs")?;
                let set = PolicySet { lists, packs };
                Body::PolicyActivate {
                    set,
                    policy: self.digest("policy")?,
                    vouched: self.vouched()?,
                }
            }
            Action::KeyPolicy => Body::KeyPolicy(KeyPolicy {
                age_s: self.number_if("age_s")?,
                signatures: self.number_if("signatures")?,
                unsigned: self.number_if("unsigned")?,
            }),
            Action::PackTrust => Body::PackTrust(self.pack_trust()?),
            Action::PackStage => Body::PackStage(self.pack_stage()?),
            Action::RunSeal => Body::RunSeal(RunSeal {
                packs: self.named("packs")?,
                run: self.digest("run")?,
                verdict: self.verdict("verdict")?,
            }),
            Action::Genesis => Body::Genesis(self.genesis()?),
            Action::KeyRotate => Body::KeyRotate(KeyRotation {
                hybrid: self.hybrid()?,
                new: self.text("new")?,
                old: self.text("old")?,
                signature_new: self.signature("signature_new")?,
                signature_old: self.signature("signature_old")?,
            }),
            Action::KeyRevoke => Body::KeyRevoke(self.key_revoke()?),
            Action::Snapshot => Body::Snapshot(SnapshotClaim {
                accounts: self.number("accounts")?,
                digest: self.digest("digest")?,
                of: Seq(self.number("of")?),
            }),
            Action::Anchor => Body::Anchor(AnchorReceipt {
                again: self.again()?,
                digest: self.digest("digest")?,
                kind: self.anchor_kind()?,
                root: self.digest("root")?,
                size: self.number("size")?,
            }),
        };
        self.end()?;
        Ok(body)
    }

    fn transfer(&mut self, bytes: &[u8], spare: &mut Spare) -> Read<TransferBody> {
        self.key("decision")?;
        let decision = self.decision_again(bytes, spare)?;
        self.key("postings")?;
        let postings = self.postings(mem::take(&mut spare.postings))?;
        let timeout = if self.has("timeout")? {
            let text = self.0.string()?;
            let time = Timestamp::parse_canonical(&text);
            Some(time.map_err(|_| self.refuse("timeout", "a time"))?)
        } else {
            None
        };
        let two_phase = self.has("two_phase")?;
        if two_phase && !self.0.boolean()? {
            return Err(self.refuse("two_phase", "true"));
        }
        let windows = self.windows(mem::take(&mut spare.windows))?;
        Ok(TransferBody {
            decision,
            postings,
            timeout,
            two_phase,
            windows,
        })
    }

    fn correct(&mut self) -> Read<CorrectBody> {
        let corrects = self.reference("corrects")?;
        self.key("decision")?;
        let decision = self.decision()?;
        self.key("postings")?;
        let postings = self.postings(Vec::new())?;
        let reason = self.id("reason", Name::parse)?;
        let windows = self.windows(Vec::new())?;
        Ok(CorrectBody {
            corrects,
            reason,
            decision,
            postings,
            windows,
        })
    }

    /// The decision read from the same bytes before, or else a new one.
    fn decision_again(&mut self, bytes: &[u8], spare: &mut Spare) -> Read<Decision> {
        if let Some(decision) = spare.decision.take()
            && self.0.value_if(&spare.decision_bytes)
        {
            return Ok(decision);
        }
        let start = self.0.offset();
        let decision = self.decision()?;
        spare.decision_bytes.clear();
        let read = bytes.get(start..self.0.offset()).unwrap_or_default();
        if read.len() <= DECISION_BYTES_KEPT {
            spare.decision_bytes.extend_from_slice(read);
        }
        Ok(decision)
    }

    fn decision(&mut self) -> Read<Decision> {
        self.0.object_begin()?;
        let mut allowed = Vec::new();
        if self.has("allowed")? {
            self.0.array_begin()?;
            while self.0.array_next()? {
                self.has_room("allowed", allowed.len(), REASONS_PER_ENTRY_MAX)?;
                allowed.push(self.allowing_rule()?);
            }
            self.not_empty("allowed", allowed.len())?;
        }
        let approvals = if self.has("approvals")? {
            let number = self.0.u64()?;
            let few = u32::try_from(number).ok().filter(|number| *number > 0);
            Some(few.ok_or_else(|| self.refuse("approvals", "a number of 32 bits above zero"))?)
        } else {
            None
        };
        let fuel = self.number("fuel")?;
        let policy = self.digest("policy")?;
        let mut reasons = Vec::new();
        if self.has("reasons")? {
            self.0.array_begin()?;
            while self.0.array_next()? {
                self.has_room("reasons", reasons.len(), REASONS_PER_ENTRY_MAX)?;
                reasons.push(self.reason()?);
            }
            self.not_empty("reasons", reasons.len())?;
        }
        let verdict = self.verdict("verdict")?;
        if approvals.is_some() != (verdict == Verdict::Review) {
            return Err(self.refuse("approvals", "there exactly on a review"));
        }
        self.end()?;
        Ok(Decision {
            verdict,
            policy,
            fuel,
            approvals: approvals.unwrap_or(0),
            allowed,
            reasons,
        })
    }

    fn allowing_rule(&mut self) -> Read<AllowingRule> {
        let text = self.0.string()?;
        let parts = text.split_once(AllowingRule::SEPARATOR);
        let named = parts.and_then(|(pack, rule)| {
            Some(AllowingRule {
                pack: Name::parse(pack).ok()?,
                rule: Name::parse(rule).ok()?,
            })
        });
        named.ok_or_else(|| self.refuse("allowed", "the names of a pack and a rule, `#` between"))
    }

    fn verdict(&mut self, key: &'static str) -> Read<Verdict> {
        let word = self.string(key)?;
        Verdict::parse(&word).ok_or_else(|| self.refuse(key, "a verdict"))
    }

    fn reason(&mut self) -> Read<Reason> {
        self.0.object_begin()?;
        let decision = self.verdict("decision")?;
        let mut facts = Vec::new();
        if self.has("facts")? {
            self.0.object_begin()?;
            while let Some(key) = self.0.next_key()? {
                facts.push((key.into_owned(), self.0.string()?.into_owned()));
            }
            self.not_empty("facts", facts.len())?;
        } else if decision == Verdict::Allow {
            return Err(self.refuse("reasons", "without a rule that `allowed` has room for"));
        }
        let pack = self.id("pack", Name::parse)?;
        let reason = self.string("reason")?.into_owned();
        let rule = self.id("rule", Name::parse)?;
        let version = self.string("version")?.into_owned();
        self.end()?;
        let rule = Arc::new(RuleInfo {
            pack,
            version,
            rule,
            decision,
            reason,
        });
        Ok(Reason { rule, facts })
    }

    /// INVARIANT(bounded-parser): one more, of what takes much more memory than it has bytes.
    #[inline]
    fn has_room(&self, key: &'static str, length: usize, most: usize) -> Read<()> {
        if length < most {
            Ok(())
        } else {
            Err(self.refuse(key, "no more than an entry has of them"))
        }
    }

    /// An empty array or object would be a second spelling of none.
    fn not_empty(&self, key: &'static str, length: usize) -> Read<()> {
        if length > 0 {
            Ok(())
        } else {
            Err(self.refuse(key, "without its key when empty"))
        }
    }

    /// Into `postings`, whose former content is dropped.
    fn postings(&mut self, mut postings: Vec<Posting>) -> Read<Vec<Posting>> {
        self.0.array_begin()?;
        postings.clear();
        while self.0.array_next()? {
            if postings.is_empty() {
                postings.reserve_exact(2);
            }
            postings.push(self.posting()?);
        }
        Ok(postings)
    }

    #[inline]
    fn posting(&mut self) -> Read<Posting> {
        self.0.object_begin()?;
        let account = self.id("account", AccountId::parse)?;
        let amount = self.string("amount")?;
        let currency = self.currency("currency")?;
        let money = self.money("amount", &amount, currency)?;
        let layer = if self.has("layer")? {
            if self.0.string()? != "pending" {
                return Err(self.refuse("layer", "`pending`"));
            }
            Layer::Pending
        } else {
            Layer::Posted
        };
        let side = match &*self.string("side")? {
            "debit" => Side::Debit,
            "credit" => Side::Credit,
            _ => return Err(self.refuse("side", "`debit` or `credit`")),
        };
        self.end()?;
        Ok(Posting {
            account,
            money,
            side,
            layer,
        })
    }

    /// Into `windows`, whose former content is dropped.
    fn windows(&mut self, mut windows: Vec<Window>) -> Read<Vec<Window>> {
        windows.clear();
        if !self.has("windows")? {
            return Ok(windows);
        }
        self.0.array_begin()?;
        while self.0.array_next()? {
            self.0.object_begin()?;
            let text = self.string("token")?;
            let token = WindowToken(self.hex16("token", &text)?);
            let mut transfer = 0;
            if self.has("transfer")? {
                let number = self.0.u64()?;
                let place = u32::try_from(number).ok().filter(|number| *number > 0);
                transfer = place.ok_or_else(|| self.refuse("transfer", "a place above zero"))?;
            }
            let mut value = None;
            if self.has("value")? {
                let text = self.0.string()?;
                value = Some(WindowToken(self.hex16("value", &text)?));
            }
            self.end()?;
            windows.push(Window {
                token,
                transfer,
                value,
            });
        }
        self.not_empty("windows", windows.len())?;
        Ok(windows)
    }

    fn reference(&mut self, key: &'static str) -> Read<EntryRef> {
        self.key(key)?;
        self.0.object_begin()?;
        let id = self.id("id", RequestId::parse_any)?;
        let seq = Seq(self.number("seq")?);
        self.end()?;
        Ok(EntryRef { id, seq })
    }

    fn approve(&mut self) -> Read<Body> {
        let approvals = self.small("approvals")?;
        let mut postings = Vec::new();
        if self.has("postings")? {
            postings = self.postings(Vec::new())?;
            self.not_empty("postings", postings.len())?;
        }
        let request = self.reference("request")?;
        Ok(Body::Approve {
            request,
            approvals,
            postings,
        })
    }

    fn account_open(&mut self) -> Read<AccountOpen> {
        let account = self.id("account", AccountId::parse)?;
        let mut aliases = Vec::new();
        if self.has("aliases")? {
            self.0.array_begin()?;
            while self.0.array_next()? {
                let text = self.0.string()?;
                aliases.push(Alias(self.hex16("aliases", &text)?));
            }
            self.not_empty("aliases", aliases.len())?;
        }
        let AccountLimit {
            account,
            currency,
            min_balance,
            max_balance,
        } = self.limits(account)?;
        Ok(AccountOpen {
            account,
            currency,
            aliases,
            min_balance,
            max_balance,
        })
    }

    fn account_limit(&mut self) -> Read<AccountLimit> {
        let account = self.id("account", AccountId::parse)?;
        self.limits(account)
    }

    /// The last members of both: a currency and limits in it.
    fn limits(&mut self, account: AccountId) -> Read<AccountLimit> {
        let currency = self.currency("currency")?;
        let max_balance = self.limit("max_balance", currency)?;
        let min_balance = self.limit("min_balance", currency)?;
        Ok(AccountLimit {
            account,
            currency,
            min_balance,
            max_balance,
        })
    }

    fn limit(&mut self, key: &'static str, currency: Currency) -> Read<Option<Amount>> {
        if !self.has(key)? {
            return Ok(None);
        }
        let text = self.0.string()?;
        Ok(Some(self.money(key, &text, currency)?.amount))
    }

    fn scope(&mut self) -> Read<FreezeScope> {
        self.key("scope")?;
        if self.0.peek()? == Kind::String {
            if self.0.string()? == "book" {
                return Ok(FreezeScope::Book);
            }
            return Err(self.refuse("scope", "`book`"));
        }
        self.0.object_begin()?;
        let scope = if self.has("account")? {
            let text = self.0.string()?;
            let account = AccountId::parse(&text);
            FreezeScope::Account(account.map_err(|_| self.refuse("account", "an identifier"))?)
        } else {
            FreezeScope::Currency(self.currency("currency")?)
        };
        self.end()?;
        Ok(scope)
    }

    fn named(&mut self, key: &'static str) -> Read<Vec<Named>> {
        self.key(key)?;
        self.0.array_begin()?;
        let mut named = Vec::new();
        while self.0.array_next()? {
            named.push(self.one_named()?);
        }
        Ok(named)
    }

    fn one_named(&mut self) -> Read<Named> {
        self.0.object_begin()?;
        let digest = self.digest("digest")?;
        let name = self.id("name", Name::parse)?;
        let version = self.string("version")?.into_owned();
        self.end()?;
        Ok(Named {
            name,
            version,
            digest,
        })
    }

    fn genesis(&mut self) -> Read<Genesis> {
        let checkpoint_key = self.text("checkpoint_key")?;
        let hybrid_key = if self.has("hybrid_key")? {
            Some(self.0.string()?.into())
        } else {
            None
        };
        let origin = self.text("origin")?;
        self.key("root_keys")?;
        self.0.object_begin()?;
        self.key("keys")?;
        self.0.array_begin()?;
        let mut root_keys = Vec::new();
        while self.0.array_next()? {
            self.has_room("keys", root_keys.len(), ROOT_KEYS_MAX)?;
            root_keys.push(self.0.string()?.into());
        }
        let root_threshold = self.small("threshold")?;
        self.end()?;
        Ok(Genesis {
            origin,
            checkpoint_key,
            hybrid_key,
            root_keys,
            root_threshold,
        })
    }

    fn hybrid(&mut self) -> Read<Option<Box<HybridChange>>> {
        if !self.has("hybrid")? {
            return Ok(None);
        }
        self.0.object_begin()?;
        let change = HybridChange {
            new: self.text("new")?,
            signature_new: self.signature("signature_new")?,
            signature_old: self.signature("signature_old")?,
        };
        self.end()?;
        Ok(Some(Box::new(change)))
    }

    fn key_revoke(&mut self) -> Read<KeyRevocation> {
        let hybrid = self.hybrid()?;
        let last_good = Seq(self.number("last_good")?);
        let new = self.text("new")?;
        let revoked = self.text("revoked")?;
        let signature_new = self.signature("signature_new")?;
        self.key("signatures")?;
        self.0.array_begin()?;
        let mut signatures = Vec::new();
        while self.0.array_next()? {
            self.0.object_begin()?;
            let key = self.text("key")?;
            let signature = self.signature("signature")?;
            self.end()?;
            signatures.push(RootSignature { key, signature });
        }
        Ok(KeyRevocation {
            hybrid,
            last_good,
            new,
            revoked,
            signature_new,
            signatures,
        })
    }

    fn again(&mut self) -> Read<u32> {
        if !self.has("again")? {
            return Ok(0);
        }
        // Zero is spelled by leaving it out.
        let again = u32::try_from(self.0.u64()?).ok().filter(|again| *again > 0);
        again.ok_or_else(|| self.refuse("again", "a number from 1"))
    }

    fn anchor_kind(&mut self) -> Read<AnchorKind> {
        let word = self.string("kind")?;
        AnchorKind::parse(&word).ok_or_else(|| self.refuse("kind", "a kind of anchor"))
    }

    fn signature<const N: usize>(&mut self, key: &'static str) -> Read<[u8; N]> {
        let text = self.string(key)?;
        // The standard engine refuses missing padding and stray trailing bits: one spelling.
        let bytes = STANDARD.decode(text.as_bytes()).ok();
        let bytes = bytes.and_then(|bytes| <[u8; N]>::try_from(bytes).ok());
        bytes.ok_or_else(|| self.refuse(key, "a signature in base64"))
    }
}
