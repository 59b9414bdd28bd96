//! Reads requests from canonical bytes: every key known, every value of its type.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use paygod_policy::{Named, Verdict};
use paygod_types::canonical::{Kind, Limits, Reader};
use paygod_types::limits::TRANSFERS_PER_REQUEST_MAX;
use paygod_types::{AccountId, ActorId, Amount, Currency, Digest, IdError, Money, Name, RequestId};

use super::Spans;
use crate::command::{
    AccountLimit, AccountOpen, Action, Activation, Alias, AmountText, Command, Correction,
    FreezeScope, PendingTerms, PolicySet, Request, RunSeal, Transfer, TransferRequest,
};
use crate::key_policy::KeyPolicy;
use crate::pack_trust::{
    Level, PACK_SIGNATURES_MAX, PackSignature, PackStage, PackStaged, PackTrust, Publisher,
};
use crate::payment::{PAYMENT_TEXT_BYTES_MAX, Payment};
use crate::request_error::RequestError;

type Read<T> = Result<T, RequestError>;

/// Reads and checks a request, and says where its transfers stand in the bytes.
pub(crate) fn request(canonical: &[u8]) -> Read<(Request, Spans)> {
    let (request, spans) = unchecked(canonical)?;
    request.check()?;
    Ok((request, spans))
}

/// As [`request`], before what types alone do not say is checked.
pub(crate) fn unchecked(canonical: &[u8]) -> Read<(Request, Spans)> {
    let reader = Reader::new(canonical, &Limits::REQUEST)?;
    let mut from = From {
        reader,
        bytes: canonical,
        spans: Spans::new(),
    };
    let request = from.request()?;
    let From { reader, spans, .. } = from;
    reader.finish()?;
    Ok((request, spans))
}

/// Checks that canonical bytes are a payment's details.
pub(crate) fn check_payment(canonical: &[u8]) -> Read<()> {
    let reader = Reader::new(canonical, &Limits::REQUEST)?;
    let mut from = From {
        reader,
        bytes: canonical,
        spans: Spans::new(),
    };
    from.payment()?;
    Ok(from.reader.finish()?)
}

struct From<'a> {
    reader: Reader<'a>,
    bytes: &'a [u8],
    spans: Spans,
}

#[cold]
fn unknown(found: &str, of: &'static str) -> RequestError {
    let found = found
        .get(..found.floor_char_boundary(64))
        .unwrap_or(found)
        .into();
    RequestError::UnknownKey { found, of }
}

fn need<T>(value: Option<T>, missing: &'static str, of: &'static str) -> Read<T> {
    value.ok_or(RequestError::Missing { missing, of })
}

/// A transfer before it is known whether `pending` may stand there.
struct Leg {
    transfer: Transfer,
    pending: Option<PendingTerms>,
}

impl<'a> From<'a> {
    fn string(&mut self) -> Read<Cow<'a, str>> {
        Ok(self.reader.string()?)
    }

    fn id<T>(&mut self, key: &'static str, parse: fn(&str) -> Result<T, IdError>) -> Read<T> {
        let text = self.reader.string()?;
        parse(&text).map_err(|source| RequestError::Id { key, source })
    }

    fn request(&mut self) -> Read<Request> {
        self.reader.object_begin()?;
        let (mut id, mut by, mut command) = (None, None, None);
        let mut commands = 0_usize;
        while let Some(key) = self.reader.next_key()? {
            match &*key {
                "id" => id = Some(self.id("id", RequestId::parse)?),
                "by" => by = Some(self.id("by", ActorId::parse)?),
                word => {
                    let action = Action::parse(word).filter(|action| !action.is_system());
                    let action = action.ok_or_else(|| unknown(word, "a request"))?;
                    command = Some(self.command(action)?);
                    commands = commands.saturating_add(1);
                }
            }
        }
        let id = need(id, "id", "the request")?;
        match command {
            Some(command) if commands == 1 => Ok(Request { id, by, command }),
            _ => Err(RequestError::Commands { found: commands }),
        }
    }

    fn command(&mut self, action: Action) -> Read<Command> {
        Ok(match action {
            Action::Transfer => {
                self.reader.object_begin()?;
                let mut legs = None;
                while let Some(key) = self.reader.next_key()? {
                    match &*key {
                        "transfers" => legs = Some(self.transfers()?),
                        other => return Err(unknown(other, "`transfer`")),
                    }
                }
                Command::Transfer(linked(need(legs, "transfers", "`transfer`")?)?)
            }
            Action::Correct => Command::Correct(self.correction()?),
            Action::Post => self.post()?,
            Action::Void => Command::Void {
                pending: self.target("pending", "`void`")?,
            },
            Action::Approve => Command::Approve {
                request: self.target("request", "`approve`")?,
            },
            Action::Reject => Command::Reject {
                request: self.target("request", "`reject`")?,
            },
            Action::EvidenceErase => Command::EvidenceErase {
                request: self.target("request", "`evidence_erase`")?,
            },
            Action::AccountOpen => Command::AccountOpen(self.account_open()?),
            Action::AccountLimit => Command::AccountLimit(self.account_limit()?),
            Action::AccountClose => Command::AccountClose {
                account: self.account_close()?,
            },
            Action::Freeze => Command::Freeze(self.freeze("`freeze`")?),
            Action::Unfreeze => Command::Unfreeze(self.freeze("`unfreeze`")?),
            Action::PolicyActivate => Command::PolicyActivate(self.activation()?),
            Action::KeyPolicy => Command::KeyPolicy(self.key_policy()?),
            Action::PackTrust => Command::PackTrust(self.pack_trust()?),
            Action::PackStage => Command::PackStage(self.pack_stage()?),
            Action::RunSeal => Command::RunSeal(self.run_seal()?),
            Action::Genesis
            | Action::Expire
            | Action::Snapshot
            | Action::Anchor
            | Action::KeyRotate
            | Action::KeyRevoke => {
                return Err(unknown(action.as_str(), "a request"));
            }
        })
    }

    /// An object with one key that names a request.
    fn target(&mut self, name: &'static str, of: &'static str) -> Read<RequestId> {
        self.reader.object_begin()?;
        let mut target = None;
        while let Some(key) = self.reader.next_key()? {
            if key != name {
                return Err(unknown(&key, of));
            }
            target = Some(self.id(name, RequestId::parse)?);
        }
        need(target, name, of)
    }

    fn transfers(&mut self) -> Read<Vec<Leg>> {
        self.reader.array_begin()?;
        let mut legs = Vec::new();
        while self.reader.array_next()? {
            if legs.len() >= TRANSFERS_PER_REQUEST_MAX {
                let found = legs.len().saturating_add(1);
                return Err(RequestError::TransferCount { found });
            }
            let start = self.reader.offset();
            legs.push(self.transfer()?);
            self.spans.push(start..self.reader.offset());
        }
        Ok(legs)
    }

    fn transfer(&mut self) -> Read<Leg> {
        const OF: &str = "an element of `transfers`";
        self.reader.object_begin()?;
        let (mut amount, mut currency, mut debit, mut credit) = (None, None, None, None);
        let (mut payment, mut pending) = (None, None);
        while let Some(key) = self.reader.next_key()? {
            match &*key {
                "amount" => amount = Some(self.string()?),
                "currency" => currency = Some(Currency::parse(&self.string()?)?),
                "debit" => debit = Some(self.id("debit", AccountId::parse)?),
                "credit" => credit = Some(self.id("credit", AccountId::parse)?),
                "payment" => payment = Some(self.payment()?),
                "pending" => pending = Some(self.pending()?),
                other => return Err(unknown(other, OF)),
            }
        }
        let amount = need(amount, "amount", OF)?;
        let money = Money::parse(&amount, need(currency, "currency", OF)?)?;
        let debit = need(debit, "debit", OF)?;
        let credit = need(credit, "credit", OF)?;
        Ok(Leg {
            transfer: Transfer {
                debit,
                credit,
                money,
                payment,
            },
            pending,
        })
    }

    fn pending(&mut self) -> Read<PendingTerms> {
        self.reader.object_begin()?;
        let mut timeout_s = None;
        while let Some(key) = self.reader.next_key()? {
            match &*key {
                "timeout_s" => timeout_s = Some(self.reader.u64()?),
                other => return Err(unknown(other, "`pending`")),
            }
        }
        Ok(PendingTerms { timeout_s })
    }

    /// Checks the fields and keeps the bytes: they are what is judged and committed to.
    fn payment(&mut self) -> Read<Payment> {
        let start = self.reader.offset();
        self.reader.object_begin()?;
        while let Some(key) = self.reader.next_key()? {
            match &*key {
                "creditor" => self.party("`creditor`")?,
                "debtor" => self.party("`debtor`")?,
                "ultimate_creditor" => self.party("`ultimate_creditor`")?,
                "ultimate_debtor" => self.party("`ultimate_debtor`")?,
                "end_to_end_id" | "execution_date" | "instruction_id" | "purpose" | "reference"
                | "remittance" => self.payment_text()?,
                other => return Err(unknown(other, "`payment`")),
            }
        }
        let bytes = self
            .bytes
            .get(start..self.reader.offset())
            .unwrap_or_default();
        Ok(Payment::from_checked(bytes))
    }

    fn party(&mut self, of: &'static str) -> Read<()> {
        self.reader.object_begin()?;
        while let Some(key) = self.reader.next_key()? {
            match &*key {
                "account" | "agent" | "agent_country" | "agent_name" | "country" | "name"
                | "residence" => self.payment_text()?,
                other => return Err(unknown(other, of)),
            }
        }
        Ok(())
    }

    fn payment_text(&mut self) -> Read<()> {
        if self.reader.string()?.len() <= PAYMENT_TEXT_BYTES_MAX {
            return Ok(());
        }
        Err(RequestError::Value {
            key: "payment",
            expected: "texts of at most 1024 bytes",
        })
    }

    fn correction(&mut self) -> Read<Correction> {
        const OF: &str = "`correct`";
        self.reader.object_begin()?;
        let (mut corrects, mut reason, mut legs) = (None, None, None);
        while let Some(key) = self.reader.next_key()? {
            match &*key {
                "corrects" => corrects = Some(self.id("corrects", RequestId::parse)?),
                "reason" => reason = Some(self.id("reason", Name::parse)?),
                "transfers" => legs = Some(self.transfers()?),
                other => return Err(unknown(other, OF)),
            }
        }
        let legs = need(legs, "transfers", OF)?;
        if legs.iter().any(|leg| leg.pending.is_some()) {
            return Err(unknown("pending", "a transfer of `correct`"));
        }
        Ok(Correction {
            corrects: need(corrects, "corrects", OF)?,
            transfers: legs.into_iter().map(|leg| leg.transfer).collect(),
            reason: need(reason, "reason", OF)?,
        })
    }

    fn post(&mut self) -> Read<Command> {
        self.reader.object_begin()?;
        let (mut pending, mut amounts) = (None, None);
        while let Some(key) = self.reader.next_key()? {
            match &*key {
                "pending" => pending = Some(self.id("pending", RequestId::parse)?),
                "amounts" => {
                    self.reader.array_begin()?;
                    let mut texts = Vec::new();
                    while self.reader.array_next()? {
                        texts.push(AmountText(self.string()?.into()));
                    }
                    amounts = Some(texts);
                }
                other => return Err(unknown(other, "`post`")),
            }
        }
        Ok(Command::Post {
            pending: need(pending, "pending", "`post`")?,
            amounts,
        })
    }

    fn account_open(&mut self) -> Read<AccountOpen> {
        let mut aliases = Vec::new();
        let AccountLimit {
            account,
            currency,
            min_balance,
            max_balance,
        } = self.account("`account_open`", Some(&mut aliases))?;
        Ok(AccountOpen {
            account,
            currency,
            aliases,
            min_balance,
            max_balance,
        })
    }

    fn account_limit(&mut self) -> Read<AccountLimit> {
        self.account("`account_limit`", None)
    }

    /// An account's currency and limits, and aliases where there may be some.
    fn account(
        &mut self,
        of: &'static str,
        mut aliases: Option<&mut Vec<Alias>>,
    ) -> Read<AccountLimit> {
        self.reader.object_begin()?;
        let (mut account, mut currency) = (None, None);
        let (mut max_balance, mut min_balance) = (None, None);
        while let Some(key) = self.reader.next_key()? {
            match (&*key, &mut aliases) {
                ("account", _) => account = Some(self.id("account", AccountId::parse)?),
                ("aliases", Some(aliases)) => **aliases = self.aliases()?,
                ("currency", _) => currency = Some(Currency::parse(&self.string()?)?),
                ("max_balance", _) => max_balance = Some(self.string()?),
                ("min_balance", _) => min_balance = Some(self.string()?),
                (other, _) => return Err(unknown(other, of)),
            }
        }
        let currency = need(currency, "currency", of)?;
        let limit = |text: Option<Cow<'_, str>>| -> Read<Option<Amount>> {
            let money = text.map(|text| Money::parse(&text, currency)).transpose()?;
            Ok(money.map(|money| money.amount))
        };
        Ok(AccountLimit {
            account: need(account, "account", of)?,
            currency,
            min_balance: limit(min_balance)?,
            max_balance: limit(max_balance)?,
        })
    }

    fn aliases(&mut self) -> Read<Vec<Alias>> {
        const EXPECTED: &str = "one or more strings of 32 hexadecimal digits";
        let refused = || RequestError::Value {
            key: "aliases",
            expected: EXPECTED,
        };
        self.reader.array_begin()?;
        let mut aliases = Vec::new();
        while self.reader.array_next()? {
            let text = self.string()?;
            aliases.push(Alias(crate::hex::sixteen(&text).ok_or_else(refused)?));
        }
        // An empty array would be a second spelling of none.
        if aliases.is_empty() {
            Err(refused())
        } else {
            Ok(aliases)
        }
    }

    fn account_close(&mut self) -> Read<AccountId> {
        const OF: &str = "`account_close`";
        self.reader.object_begin()?;
        let mut account = None;
        while let Some(key) = self.reader.next_key()? {
            match &*key {
                "account" => account = Some(self.id("account", AccountId::parse)?),
                other => return Err(unknown(other, OF)),
            }
        }
        need(account, "account", OF)
    }

    fn freeze(&mut self, of: &'static str) -> Read<FreezeScope> {
        self.reader.object_begin()?;
        let mut scope = None;
        while let Some(key) = self.reader.next_key()? {
            match &*key {
                "scope" => scope = Some(self.scope()?),
                other => return Err(unknown(other, of)),
            }
        }
        need(scope, "scope", of)
    }

    fn scope(&mut self) -> Read<FreezeScope> {
        const EXPECTED: &str = "`book`, `{\"account\":…}` or `{\"currency\":…}`";
        let refused = || RequestError::Value {
            key: "scope",
            expected: EXPECTED,
        };
        if self.reader.peek()? == Kind::String {
            let book = self.string()? == "book";
            return if book {
                Ok(FreezeScope::Book)
            } else {
                Err(refused())
            };
        }
        self.reader.object_begin()?;
        let mut scope = None;
        while let Some(key) = self.reader.next_key()? {
            let named = match &*key {
                "account" => FreezeScope::Account(self.id("account", AccountId::parse)?),
                "currency" => FreezeScope::Currency(Currency::parse(&self.string()?)?),
                other => return Err(unknown(other, "`scope`")),
            };
            if scope.replace(named).is_some() {
                return Err(refused());
            }
        }
        scope.ok_or_else(refused)
    }

    fn activation(&mut self) -> Read<Activation> {
        const OF: &str = "`policy_activate`";
        self.reader.object_begin()?;
        let (mut lists, mut packs, mut signatures) = (None, None, Vec::new());
        while let Some(key) = self.reader.next_key()? {
            match &*key {
                "lists" => lists = Some(self.named("an element of `lists`")?),
                "packs" => packs = Some(self.named("an element of `packs`")?),
                "signatures" => signatures = self.signatures()?,
                other => return Err(unknown(other, OF)),
            }
        }
        let set = PolicySet {
            lists: need(lists, "lists", OF)?,
            packs: need(packs, "packs", OF)?,
        };
        Ok(Activation { set, signatures })
    }

    fn signatures(&mut self) -> Read<Vec<PackSignature>> {
        const OF: &str = "an element of `signatures`";
        self.reader.array_begin()?;
        let mut all = Vec::new();
        while self.reader.array_next()? {
            self.reader.object_begin()?;
            let (mut key, mut pack, mut signature) = (None, None, None);
            while let Some(name) = self.reader.next_key()? {
                match &*name {
                    "key" => key = Some(self.string()?.into()),
                    "pack" => pack = Some(self.id("pack", Name::parse)?),
                    "signature" => signature = Some(self.signature()?),
                    other => return Err(unknown(other, OF)),
                }
            }
            all.push(PackSignature {
                key: need(key, "key", OF)?,
                pack: need(pack, "pack", OF)?,
                signature: need(signature, "signature", OF)?,
            });
        }
        // An empty array would be a second spelling of none.
        if all.is_empty() || all.len() > PACK_SIGNATURES_MAX {
            return Err(RequestError::Value {
                key: "signatures",
                expected: "1 to 128 signatures",
            });
        }
        Ok(all)
    }

    fn signature(&mut self) -> Read<[u8; 64]> {
        let text = self.string()?;
        let bytes = STANDARD.decode(text.as_bytes()).ok();
        let signature = bytes.and_then(|bytes| <[u8; 64]>::try_from(bytes).ok());
        signature.ok_or(RequestError::Value {
            key: "signature",
            expected: "base64 of 64 bytes",
        })
    }

    fn level(&mut self) -> Read<Level> {
        Level::parse(&self.string()?).ok_or(RequestError::Value {
            key: "level",
            expected: "`community`, `verified` or `certified`",
        })
    }

    fn key_policy(&mut self) -> Read<KeyPolicy> {
        self.reader.object_begin()?;
        let mut policy = KeyPolicy::default();
        while let Some(key) = self.reader.next_key()? {
            let limit = match &*key {
                "age_s" => &mut policy.age_s,
                "signatures" => &mut policy.signatures,
                "unsigned" => &mut policy.unsigned,
                other => return Err(unknown(other, "`key_policy`")),
            };
            *limit = Some(self.reader.u64()?);
        }
        Ok(policy)
    }

    fn pack_trust(&mut self) -> Read<PackTrust> {
        const OF: &str = "`pack_trust`";
        self.reader.object_begin()?;
        let (mut approved, mut level, mut publishers) = (false, None, None);
        while let Some(key) = self.reader.next_key()? {
            match &*key {
                "approved" => {
                    approved = self.reader.boolean()?;
                    // `false` would be a second spelling of its absence.
                    if !approved {
                        return Err(RequestError::Value {
                            key: "approved",
                            expected: "`true`, or left out",
                        });
                    }
                }
                "level" => level = Some(self.level()?),
                "publishers" => publishers = Some(self.publishers()?),
                other => return Err(unknown(other, OF)),
            }
        }
        Ok(PackTrust {
            approved,
            level: need(level, "level", OF)?,
            publishers: need(publishers, "publishers", OF)?,
        })
    }

    fn publishers(&mut self) -> Read<Vec<Publisher>> {
        const OF: &str = "an element of `publishers`";
        self.reader.array_begin()?;
        let mut all = Vec::new();
        while self.reader.array_next()? {
            self.reader.object_begin()?;
            let (mut key, mut level) = (None, None);
            while let Some(name) = self.reader.next_key()? {
                match &*name {
                    "key" => key = Some(self.string()?.into()),
                    "level" => level = Some(self.level()?),
                    other => return Err(unknown(other, OF)),
                }
            }
            all.push(Publisher {
                key: need(key, "key", OF)?,
                level: need(level, "level", OF)?,
            });
        }
        Ok(all)
    }

    fn run_seal(&mut self) -> Read<RunSeal> {
        const OF: &str = "`run_seal`";
        self.reader.object_begin()?;
        let (mut packs, mut run, mut verdict) = (None, None, None);
        while let Some(key) = self.reader.next_key()? {
            match &*key {
                "packs" => packs = Some(self.named("an element of `packs`")?),
                "run" => run = Some(Digest::parse(&self.string()?)?),
                "verdict" => {
                    let found = Verdict::parse(&self.string()?);
                    verdict = Some(found.ok_or(RequestError::Value {
                        key: "verdict",
                        expected: "`allow`, `flag`, `review` or `deny`",
                    })?);
                }
                other => return Err(unknown(other, OF)),
            }
        }
        Ok(RunSeal {
            packs: need(packs, "packs", OF)?,
            run: need(run, "run", OF)?,
            verdict: need(verdict, "verdict", OF)?,
        })
    }

    fn pack_stage(&mut self) -> Read<PackStaged> {
        const OF: &str = "`pack_stage`";
        self.reader.object_begin()?;
        let (mut pack, mut stage) = (None, None);
        while let Some(key) = self.reader.next_key()? {
            match &*key {
                "pack" => pack = Some(self.one_named("`pack`")?),
                "stage" => {
                    let found = PackStage::parse(&self.string()?);
                    stage = Some(found.ok_or(RequestError::Value {
                        key: "stage",
                        expected: "`draft`, `reviewed`, `approved` or `published`",
                    })?);
                }
                other => return Err(unknown(other, OF)),
            }
        }
        Ok(PackStaged {
            pack: need(pack, "pack", OF)?,
            stage: need(stage, "stage", OF)?,
        })
    }

    fn named(&mut self, of: &'static str) -> Read<Vec<Named>> {
        self.reader.array_begin()?;
        let mut all = Vec::new();
        while self.reader.array_next()? {
            all.push(self.one_named(of)?);
        }
        Ok(all)
    }

    fn one_named(&mut self, of: &'static str) -> Read<Named> {
        self.reader.object_begin()?;
        let (mut digest, mut name, mut version) = (None, None, None);
        while let Some(key) = self.reader.next_key()? {
            match &*key {
                "digest" => digest = Some(Digest::parse(&self.string()?)?),
                "name" => name = Some(self.id("name", Name::parse)?),
                "version" => version = Some(self.string()?.into_owned()),
                other => return Err(unknown(other, of)),
            }
        }
        Ok(Named {
            name: need(name, "name", of)?,
            version: need(version, "version", of)?,
            digest: need(digest, "digest", of)?,
        })
    }
}

/// Linked transfers have one `pending` between them.
fn linked(legs: Vec<Leg>) -> Read<TransferRequest> {
    let pending = legs.first().and_then(|leg| leg.pending);
    if legs.iter().any(|leg| leg.pending != pending) {
        return Err(RequestError::MixedPending);
    }
    let transfers = legs.into_iter().map(|leg| leg.transfer).collect();
    Ok(TransferRequest { transfers, pending })
}
