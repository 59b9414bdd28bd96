//! A book in memory, with a judge whose verdict follows from the amount.

use core::time::Duration;

use paygod_policy::{Decision, Facts, Named, PrepareError, Reason, RuleInfo, Verdict, WindowQuery};
use paygod_tlog::{Ed25519Signer, KeyName, NoteSigner};
use paygod_types::{Digest, Name, RequestId, Seq, Timestamp};
use std::sync::Arc;

use crate::command::PolicySet;
use crate::engine::{self, Context, Outcome, SystemCommand};
use crate::entry::Genesis;
use crate::history::MemoryHistory;
use crate::ports::{CommitmentKey, WindowKey};
use crate::prepare::{Prepared, Preparer};
use crate::{CommandError, Effects, Entry, Judge, Request, RequestError, State};

pub(super) const ORIGIN: &str = "ledger.example/test";

/// From 300 whole units flag, from 500 review (two approvals from 700), from 1,000 deny. A transfer
/// whose `reference` is `velocity` is denied after two others to the same creditor within a day, one whose reference is
/// `linked` after two in the same request. Every other pack
/// allows, unless the `reference` is `silent`; if it is `talkative`, the first pack gives a hundred reasons.
#[derive(Debug)]
pub(super) struct AmountJudge {
    pub(super) set: PolicySet,
}

#[derive(Debug, Default, Clone)]
pub(super) struct Judged {
    units: u64,
    /// Whether it looks back, and how far.
    back: Option<Duration>,
    silent: bool,
    talkative: bool,
    key: Vec<u8>,
}

fn field<'a>(json: &'a str, key: &str) -> Option<&'a str> {
    let (_, rest) = json.split_once(&format!("\"{key}\":\""))?;
    rest.split('"').next()
}

impl Judge for AmountJudge {
    type Prepared = Judged;
    type Scratch = ();

    fn policy(&self) -> Digest {
        self.set.digest()
    }

    fn prepare(&self, _: &mut (), json: &[u8], out: &mut Judged) -> Result<(), PrepareError> {
        let json = std::str::from_utf8(json).unwrap();
        assert!(
            json.starts_with('{') && json.ends_with('}'),
            "a transfer's own bytes: {json}"
        );
        let amount = field(json, "amount").unwrap();
        out.units = amount
            .split('.')
            .next()
            .unwrap()
            .parse()
            .unwrap_or(u64::MAX);
        let reference = field(json, "reference");
        out.back = match reference {
            Some("velocity") => Some(Duration::from_secs(86_400)),
            Some("linked") => Some(Duration::ZERO),
            _ => None,
        };
        out.silent = reference == Some("silent");
        out.talkative = reference == Some("talkative");
        out.key = field(json, "credit").unwrap().as_bytes().to_vec();
        Ok(())
    }

    fn windows<'p>(prepared: &'p Judged) -> impl ExactSizeIterator<Item = WindowQuery<'p>> {
        let query = |asked| WindowQuery {
            key: &prepared.key,
            window: prepared.back.unwrap_or(Duration::from_secs(86_400)),
            asked,
            measure: paygod_policy::Measure::Count,
            value: None,
        };
        // The same window twice, as two packs would ask it: it counts once.
        [query(prepared.back.is_some()), query(false)].into_iter()
    }

    fn decide(&self, _: &mut (), prepared: &Judged, facts: Facts<'_>) -> Decision {
        let facts = facts.windows;
        assert_eq!(facts.len(), 2);
        let verdict = match prepared.units {
            _ if prepared.back.is_some() && facts[0].count >= 2 => Verdict::Deny,
            0..300 => Verdict::Allow,
            300..500 => Verdict::Flag,
            500..1_000 => Verdict::Review,
            _ => Verdict::Deny,
        };
        let approvals_required = match (verdict, prepared.units) {
            (Verdict::Review, 700..) => 2,
            (Verdict::Review, _) => 1,
            _ => 0,
        };
        let rule = RuleInfo {
            pack: Name::parse("amounts").unwrap(),
            version: "1.0.0".to_owned(),
            rule: Name::parse("by-amount").unwrap(),
            decision: verdict,
            reason: "an amount, \"quoted\" and with a line\nbreak".to_owned(),
        };
        let reason = Reason {
            rule: Arc::new(rule),
            facts: vec![("count".to_owned(), facts[0].count.to_string())],
        };
        let mut reasons = vec![reason; if prepared.talkative { 100 } else { 1 }];
        let others = self.set.packs.iter().filter(|_| !prepared.silent);
        for pack in others.filter(|pack| pack.name.as_str() != "amounts") {
            let rule = RuleInfo {
                pack: pack.name.clone(),
                version: pack.version.clone(),
                rule: Name::parse("otherwise").unwrap(),
                decision: Verdict::Allow,
                reason: "nothing against it".to_owned(),
            };
            reasons.push(Reason {
                rule: Arc::new(rule),
                facts: Vec::new(),
            });
        }
        Decision {
            verdict,
            fuel: 3,
            approvals_required,
            reasons,
        }
    }
}

pub(super) struct Book {
    pub(super) state: State,
    pub(super) history: MemoryHistory,
    pub(super) judge: AmountJudge,
    pub(super) window_key: WindowKey,
    pub(super) now: Timestamp,
    /// The bytes of every entry.
    pub(super) log: Vec<Vec<u8>>,
}

pub(super) fn signer(seed: u8) -> Ed25519Signer {
    Ed25519Signer::new(KeyName::parse(ORIGIN).unwrap(), &[seed; 32])
}

pub(super) fn vkey(seed: u8) -> Arc<str> {
    signer(seed).verifier_key().to_string().into()
}

pub(super) fn genesis() -> Genesis {
    Genesis {
        origin: ORIGIN.into(),
        checkpoint_key: vkey(1),
        root_keys: (1..=3).map(root_vkey).collect(),
        root_threshold: 2,
        hybrid_key: None,
    }
}

/// Root keys are named by their order, so that they ascend.
pub(super) fn root(number: u8) -> Ed25519Signer {
    let name = KeyName::parse(&format!("root-{number}.example")).unwrap();
    Ed25519Signer::new(name, &[100 + number; 32])
}

pub(super) fn root_vkey(number: u8) -> Arc<str> {
    root(number).verifier_key().to_string().into()
}

pub(super) fn packs() -> PolicySet {
    let named = |name: &str| Named {
        name: Name::parse(name).unwrap(),
        version: "1.0.0".to_owned(),
        digest: Digest::sha256(name.as_bytes()),
    };
    PolicySet {
        lists: vec![named("sdn")],
        packs: vec![named("amounts"), named("limits")],
    }
}

impl Book {
    /// A book with its genesis only.
    pub(super) fn begun() -> Self {
        let mut book = Self {
            state: State::new(),
            history: MemoryHistory::new(),
            judge: AmountJudge {
                set: PolicySet::default(),
            },
            window_key: WindowKey::new(&[7; 32]),
            now: Timestamp::from_nanos(1_700_000_000_000_000_000),
            log: Vec::new(),
        };
        book.system(SystemCommand::Genesis(genesis())).unwrap();
        book
    }

    /// A book with packs and accounts: `eur-a` to `eur-c` and `jpy-a`, `jpy-b`; `eur-a` and `jpy-a` may
    /// go below zero, the others not, and `eur-c` may not pass 1,000.00.
    pub(super) fn ready() -> Self {
        let mut book = Self::begun();
        book.activate();
        for (id, currency, limits) in [
            ("eur-a", "EUR", ""),
            ("eur-b", "EUR", r#","min_balance":"0.00""#),
            (
                "eur-c",
                "EUR",
                r#","min_balance":"0.00","max_balance":"1000.00""#,
            ),
            ("jpy-a", "JPY", ""),
            ("jpy-b", "JPY", r#","min_balance":"0""#),
        ] {
            let open = format!(
                r#"{{"id":"open-{id}","account_open":{{"account":"{id}","currency":"{currency}"{limits}}}}}"#
            );
            book.sealed(&open);
        }
        book
    }

    pub(super) fn activate(&mut self) {
        let set = packs();
        let named = |named: &[Named]| -> String {
            let each = named.iter().map(|one| {
                format!(
                    r#"{{"name":"{}","version":"{}","digest":"{}"}}"#,
                    one.name, one.version, one.digest
                )
            });
            each.collect::<Vec<_>>().join(",")
        };
        let request = format!(
            r#"{{"id":"activate","by":"risk","policy_activate":{{"packs":[{}],"lists":[{}]}}}}"#,
            named(&set.packs),
            named(&set.lists)
        );
        self.sealed(&request);
        self.judge = AmountJudge { set };
    }

    pub(super) fn prepare(&self, json: &str) -> Result<Prepared<Judged>, RequestError> {
        let mut space = crate::Workspace::default();
        let mut preparer = Preparer::new(&self.judge, &self.window_key, &mut space);
        let mut prepared = preparer.json(json.as_bytes())?;
        if prepared.is_personal() {
            prepared.commit(&CommitmentKey::new([9; 32]));
        }
        Ok(prepared)
    }

    pub(super) fn execute(&mut self, json: &str) -> Result<Outcome, CommandError> {
        let prepared = self.prepare(json).unwrap();
        self.execute_prepared(&prepared)
    }

    pub(super) fn execute_prepared(
        &mut self,
        prepared: &Prepared<Judged>,
    ) -> Result<Outcome, CommandError> {
        while let Some(effects) = self.expire_one() {
            assert_eq!(effects.action, crate::Action::Expire);
        }
        let before = self.state.digest();
        let mut out = Vec::new();
        let mut context = Context {
            judge: &self.judge,
            scratch: &mut (),
            history: &self.history,
            now: self.now,
        };
        let outcome = engine::execute(&mut self.state, &mut context, prepared, &mut out);
        match &outcome {
            Ok(Outcome::Sealed(effects)) => {
                let entry = Entry::decode(&out).unwrap();
                self.keep(&entry, effects, out);
                if prepared.is_personal() {
                    self.history
                        .keep_key(effects.seq, CommitmentKey::new([9; 32]));
                }
            }
            Ok(Outcome::Existing(_)) | Err(_) => {
                assert!(out.is_empty(), "nothing is sealed");
                assert_eq!(self.state.digest(), before, "nothing changes");
            }
        }
        outcome
    }

    pub(super) fn expire_one(&mut self) -> Option<Effects> {
        let mut out = Vec::new();
        let effects = engine::expire_due(&mut self.state, self.now, &mut out).unwrap()?;
        let entry = Entry::decode(&out).unwrap();
        self.keep(&entry, &effects, out);
        Some(effects)
    }

    pub(super) fn system(&mut self, command: SystemCommand) -> Result<Effects, CommandError> {
        let mut out = Vec::new();
        let effects = engine::execute_system(&mut self.state, command, self.now, &mut out)?;
        let entry = Entry::decode(&out).unwrap();
        self.keep(&entry, &effects, out);
        Ok(effects)
    }

    fn keep(&mut self, entry: &Entry, effects: &Effects, bytes: Vec<u8>) {
        self.history.record(effects, entry.request);
        self.log.push(bytes);
    }

    /// Executes what must be sealed, and returns the entry.
    pub(super) fn sealed(&mut self, json: &str) -> Entry {
        match self.execute(json) {
            Ok(Outcome::Sealed(_)) => self.last(),
            other => panic!("{json} came to {other:?}"),
        }
    }

    /// Executes what must fail, and returns the code.
    pub(super) fn refused(&mut self, json: &str) -> &'static str {
        match self.execute(json) {
            Err(error) => {
                assert!(!error.to_string().is_empty());
                error.code().as_str()
            }
            other => panic!("{json} came to {other:?}"),
        }
    }

    pub(super) fn last(&self) -> Entry {
        Entry::decode(self.log.last().unwrap()).unwrap()
    }

    /// Transfers `amount` under `id`, by `treasury`.
    pub(super) fn pay(&mut self, id: &str, from: &str, to: &str, amount: &str) -> Entry {
        let json = transfer(id, from, to, amount, "");
        self.sealed(&json)
    }

    /// posted and available balance of an account, in minor units.
    pub(super) fn balance(&self, account: &str) -> (i128, i128) {
        let account = self.state.account(&account.parse().unwrap()).unwrap();
        let balances = account.balances;
        (
            balances.posted().unwrap().minor(),
            balances.available().unwrap().minor(),
        )
    }

    pub(super) fn pass(&mut self, seconds: u64) {
        self.now = self.now.checked_add(Duration::from_secs(seconds)).unwrap();
    }

    pub(super) fn seq_of(&self, id: &str) -> Seq {
        use crate::ports::History;
        self.history
            .find_request(&RequestId::parse(id).unwrap())
            .unwrap()
            .unwrap()
            .seq
    }
}

/// A request to transfer, by `treasury`; `more` goes into the transfer.
pub(super) fn transfer(id: &str, from: &str, to: &str, amount: &str, more: &str) -> String {
    let currency = if from.starts_with("jpy") {
        "JPY"
    } else {
        "EUR"
    };
    format!(
        r#"{{"id":"{id}","by":"treasury","transfer":{{"transfers":[{{"debit":"{from}","credit":"{to}","amount":"{amount}","currency":"{currency}"{more}}}]}}}}"#
    )
}

/// Parses a request that must be one.
pub(super) fn request(json: &str) -> Request {
    Request::from_json(json.as_bytes()).unwrap()
}

/// The rules named in a decision, as `pack/rule`.
pub(super) fn rules(entry: &Entry) -> Vec<String> {
    let reasons = &entry.body.decision().unwrap().reasons;
    reasons
        .iter()
        .map(|reason| format!("{}/{}", reason.rule.pack, reason.rule.rule))
        .collect()
}

pub(super) fn verdict(entry: &Entry) -> &'static str {
    entry.body.decision().unwrap().verdict.as_str()
}
