//! Measures the state machine alone: `cargo run --release -p paygod-core --example speed`.
//!
//! Plain transfers between 100,000 accounts, a judge that allows everything, a history that knows
//! nothing. No disk, no log: what is left is what the engine, the codec and the fold cost. Time is the
//! thread's own on the processor where Linux tells it, so that a busy machine does not blur it.
#![expect(
    clippy::print_stdout,
    reason = "a program that prints what it measured"
)]
#![expect(
    clippy::float_arithmetic,
    reason = "averages of times, far from amounts"
)]

use std::convert::Infallible;
use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use paygod_core::command::{AccountOpen, Command, PolicySet, TransferRequest};
use paygod_core::engine::{Context, SystemCommand, execute, execute_system};
use paygod_core::entry::Genesis;
use paygod_core::{
    CommitmentKey, Effects, Entry, History, HistoryError, Judge, Named, Preparer, Request,
    SealedRequest, State, Transfer, Verdict, WindowFact, WindowKey, WindowLookup, Workspace,
};
use paygod_policy::{Decision, Facts, PrepareError, Reason, RuleInfo, WindowQuery};
use paygod_tlog::{Ed25519Signer, KeyName, NoteSigner};
use paygod_types::{AccountId, Amount, Currency, Digest, Name, RequestId, Seq, Timestamp};

const ACCOUNTS: u32 = 100_000;
const TRANSFERS: u32 = 200_000;

struct AllowAll {
    policy: Digest,
    reason: Reason,
}

impl AllowAll {
    fn new(policy: Digest) -> Result<Self, Box<dyn Error>> {
        let rule = RuleInfo {
            pack: Name::parse("all")?,
            version: "1.0.0".to_owned(),
            rule: Name::parse("otherwise")?,
            decision: Verdict::Allow,
            reason: "nothing is asked".to_owned(),
        };
        let reason = Reason {
            rule: Arc::new(rule),
            facts: Vec::new(),
        };
        Ok(Self { policy, reason })
    }
}

impl Judge for AllowAll {
    type Prepared = ();
    type Scratch = ();

    fn policy(&self) -> Digest {
        self.policy
    }

    fn prepare(&self, _: &mut (), _: &[u8], _: &mut ()) -> Result<(), PrepareError> {
        Ok(())
    }

    fn windows(_: &()) -> impl ExactSizeIterator<Item = WindowQuery<'_>> {
        [].into_iter()
    }

    fn decide(&self, _: &mut (), _: &(), _: Facts<'_>) -> Decision {
        let verdict = Verdict::Allow;
        Decision {
            verdict,
            fuel: 12,
            approvals_required: 0,
            reasons: vec![self.reason.clone()],
        }
    }
}

struct Unwritten;

impl History for Unwritten {
    fn find_request(&self, _: &RequestId) -> Result<Option<SealedRequest>, HistoryError> {
        Ok(None)
    }

    fn commitment_key(&self, _: Seq) -> Result<Option<CommitmentKey>, HistoryError> {
        Ok(None)
    }

    fn window(&self, _: WindowLookup) -> Result<WindowFact, HistoryError> {
        Ok(WindowFact::default())
    }
}

/// Measures from its making: processor time if the kernel accounts it, else the clock.
struct Stopwatch {
    processor: Option<u64>,
    clock: Instant,
}

impl Stopwatch {
    fn start() -> Self {
        Self {
            processor: processor_nanos(),
            clock: Instant::now(),
        }
    }

    fn seconds(&self) -> f64 {
        match (self.processor, processor_nanos()) {
            (Some(start), Some(now)) => Duration::from_nanos(now.saturating_sub(start)),
            _ => self.clock.elapsed(),
        }
        .as_secs_f64()
    }

    fn per_item(&self, name: &str, items: u32) {
        println!(
            "{name:<40} {:>9.0} ns each",
            self.seconds() / f64::from(items) * 1e9
        );
    }

    fn whole(&self, name: &str) {
        println!("{name:<40} {:>9.1} ms", self.seconds() * 1e3);
    }
}

fn per_item(name: &str, seconds: f64, items: u32) {
    println!(
        "{name:<40} {:>9.0} ns each",
        seconds / f64::from(items) * 1e9
    );
}

fn processor_nanos() -> Option<u64> {
    let stat = std::fs::read_to_string("/proc/self/schedstat").ok()?;
    stat.split_whitespace().next()?.parse().ok()
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut book = Book::open()?;
    book.accounts()?;
    let state = book.state.clone();
    let log = book.transfers()?;
    replay(state, &log, &book.state)?;
    Ok(())
}

struct Book {
    state: State,
    judge: AllowAll,
    key: WindowKey,
    now: Timestamp,
}

impl Book {
    fn open() -> Result<Self, Box<dyn Error>> {
        let origin = "ledger.example/speed";
        let signer = Ed25519Signer::new(KeyName::parse(origin)?, &[1; 32]);
        let genesis = Genesis {
            origin: origin.into(),
            checkpoint_key: signer.verifier_key().to_string().into(),
            root_keys: Vec::new(),
            root_threshold: 0,
            hybrid_key: None,
        };
        let now = Timestamp::from_nanos(1_700_000_000_000_000_000);
        let mut state = State::new();
        execute_system(
            &mut state,
            SystemCommand::Genesis(genesis),
            now,
            &mut Vec::new(),
        )?;
        let judge = AllowAll::new(PolicySet::default().digest())?;
        let mut book = Self {
            state,
            judge,
            key: WindowKey::new(&[7; 32]),
            now,
        };
        let pack = Named {
            name: Name::parse("all")?,
            version: "1.0.0".to_owned(),
            digest: Digest::sha256(b"all"),
        };
        let set = PolicySet {
            lists: Vec::new(),
            packs: vec![pack],
        };
        let digest = set.digest();
        book.run("activate", Command::PolicyActivate(set.into()))?;
        book.judge = AllowAll::new(digest)?;
        Ok(book)
    }

    fn run(&mut self, id: &str, command: Command) -> Result<(), Box<dyn Error>> {
        let request = Request {
            id: RequestId::parse(id)?,
            by: None,
            command,
        };
        let mut space = Workspace::default();
        let prepared = Preparer::new(&self.judge, &self.key, &mut space).request(request)?;
        let (judge, scratch, now) = (&self.judge, &mut (), self.now);
        let mut context = Context {
            judge,
            scratch,
            history: &Unwritten,
            now,
        };
        execute(&mut self.state, &mut context, &prepared, &mut Vec::new())?;
        Ok(())
    }

    fn accounts(&mut self) -> Result<(), Box<dyn Error>> {
        let start = Stopwatch::start();
        for n in 0..ACCOUNTS {
            let open = AccountOpen {
                account: account(n)?,
                currency: Currency::EUR,
                aliases: Vec::new(),
                min_balance: Some(Amount::from_minor(-1_000_000_000_000)),
                max_balance: None,
            };
            self.run(&format!("open-{n}"), Command::AccountOpen(open))?;
        }
        start.per_item("open an account, prepared and executed", ACCOUNTS);
        Ok(())
    }

    fn transfers(&mut self) -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
        let requests = (0..TRANSFERS).map(request).collect::<Result<Vec<_>, _>>()?;
        let documents = requests
            .iter()
            .map(Request::to_json)
            .collect::<Result<Vec<_>, _>>()?;
        let mut space = Workspace::default();
        let mut preparer = Preparer::new(&self.judge, &self.key, &mut space);
        let start = Stopwatch::start();
        for document in &documents {
            black_box(preparer.json(document)?);
        }
        start.per_item("prepare a transfer from JSON", TRANSFERS);

        let (judge, scratch, now) = (&self.judge, &mut (), self.now);
        let mut context = Context {
            judge,
            scratch,
            history: &Unwritten,
            now,
        };
        let mut log = Vec::with_capacity(requests.len());
        let (mut preparing, mut executing) = (0.0, 0.0);
        let mut out = Vec::new();
        // In groups, as a sequencer takes them.
        for group in requests.chunks(1_000) {
            let group = group.to_vec();
            let start = Stopwatch::start();
            let prepared = group
                .into_iter()
                .map(|one| preparer.request(one))
                .collect::<Result<Vec<_>, _>>()?;
            preparing += start.seconds();
            out.clear();
            let mut ends = Vec::with_capacity(prepared.len());
            let start = Stopwatch::start();
            for one in &prepared {
                black_box(execute(&mut self.state, &mut context, one, &mut out)?);
                ends.push(out.len());
            }
            executing += start.seconds();
            let mut rest = out.as_slice();
            let mut from = 0;
            for end in ends {
                let (entry, after) = rest.split_at(end - from);
                log.push(entry.to_vec());
                rest = after;
                from = end;
            }
        }
        per_item("prepare a typed transfer", preparing, TRANSFERS);
        per_item("execute a transfer", executing, TRANSFERS);
        if let Some(entry) = log.first() {
            println!("{:<40} {:>9} bytes", "an entry", entry.len());
        }
        Ok(log)
    }
}

fn account(n: u32) -> Result<AccountId, Box<dyn Error>> {
    Ok(AccountId::parse(&format!("customer-{n:06}"))?)
}

fn request(n: u32) -> Result<Request, Box<dyn Error>> {
    // A multiplier prime to the number of accounts scatters the pairs over all of them.
    let debit = n.wrapping_mul(7_919) % ACCOUNTS;
    let credit = (debit + 1 + n.wrapping_mul(104_729) % (ACCOUNTS - 1)) % ACCOUNTS;
    let transfer = Transfer {
        debit: account(debit)?,
        credit: account(credit)?,
        money: Amount::from_minor(i128::from(n % 100_000) + 1).of(Currency::EUR),
        payment: None,
    };
    Ok(Request {
        id: RequestId::parse(&format!("2026-11-22/batch-7/{n:08}"))?,
        by: Some("treasury-bot".parse()?),
        command: Command::Transfer(TransferRequest {
            transfers: vec![transfer],
            pending: None,
        }),
    })
}

fn replay(mut state: State, log: &[Vec<u8>], expected: &State) -> Result<(), Box<dyn Error>> {
    let start = Stopwatch::start();
    for bytes in log {
        black_box(Digest::sha256(bytes));
    }
    start.per_item("SHA-256 of an entry, for comparison", TRANSFERS);
    let start = Stopwatch::start();
    for bytes in log {
        black_box(Entry::decode(bytes)?);
    }
    start.per_item("decode an entry", TRANSFERS);
    let mut out = Vec::with_capacity(1024);
    let mut encoding = 0.0;
    for group in log.chunks(1_000) {
        let entries = group.iter().map(|bytes| Entry::decode(bytes));
        let entries = entries.collect::<Result<Vec<_>, _>>()?;
        let start = Stopwatch::start();
        for entry in &entries {
            out.clear();
            entry.encode(&mut out);
            black_box(&out);
        }
        encoding += start.seconds();
    }
    per_item("encode an entry", encoding, TRANSFERS);
    let mut effects = Effects::reusable(RequestId::parse("none")?);
    let mut applying = 0.0;
    for group in log.chunks(1_000) {
        let entries = group.iter().map(|bytes| Entry::decode(bytes));
        let entries = entries.collect::<Result<Vec<_>, _>>()?;
        let start = Stopwatch::start();
        for entry in &entries {
            state.apply_into(entry, &mut effects)?;
        }
        applying += start.seconds();
    }
    per_item("apply a decoded entry", applying, TRANSFERS);
    let start = Stopwatch::start();
    let clone = black_box(state.clone());
    start.whole("clone the state");
    let start = Stopwatch::start();
    let mut bytes = Vec::new();
    let digest = clone.give_snapshot(&mut Vec::new(), |piece| {
        bytes.extend_from_slice(piece);
        Ok::<(), Infallible>(())
    })?;
    start.whole("write a snapshot");
    println!("{:<40} {:>9} bytes", "a snapshot", bytes.len());
    let start = Stopwatch::start();
    let read = State::from_snapshot(&bytes)?;
    start.whole("read a snapshot");
    if digest != expected.digest() || digest != read.digest() {
        return Err("the replayed state differs".into());
    }
    Ok(())
}
