//! Measures the state machine alone: `cargo run --release -p paygod-core --example speed`.
//!
//! Plain transfers between 100,000 accounts, a judge that allows everything, a history that knows
//! nothing. No disk, no log: what is left is what the engine, the codec and the fold cost.
#![expect(clippy::print_stdout, reason = "a program that prints what it measured")]
#![expect(clippy::float_arithmetic, reason = "averages of times, far from amounts")]

use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

use paygod_core::command::{AccountOpen, Command, PolicySet, TransferRequest};
use paygod_core::engine::{Context, SystemCommand, execute, execute_system};
use paygod_core::entry::Genesis;
use paygod_core::{
    CommitmentKey, Effects, Entry, History, HistoryError, Judge, Named, Preparer, Request,
    SealedRequest, State, Transfer, Verdict, WindowFact, WindowKey, WindowLookup,
};
use paygod_policy::{Decision, PrepareError, WindowQuery};
use paygod_tlog::{Ed25519Signer, KeyName, NoteSigner};
use paygod_types::{AccountId, Amount, Currency, Digest, Name, RequestId, Seq, Timestamp};

const ACCOUNTS: u32 = 100_000;
const TRANSFERS: u32 = 200_000;

struct AllowAll(Digest);

impl Judge for AllowAll {
    type Prepared = ();
    type Scratch = ();

    fn policy(&self) -> Digest {
        self.0
    }

    fn prepare(&self, _: &mut (), _: &[u8], _: &mut ()) -> Result<(), PrepareError> {
        Ok(())
    }

    fn windows(_: &()) -> impl ExactSizeIterator<Item = WindowQuery<'_>> {
        [].into_iter()
    }

    fn decide(&self, _: &mut (), _: &(), _: &[WindowFact]) -> Decision {
        let verdict = Verdict::Allow;
        Decision { verdict, fuel: 12, approvals_required: 0, reasons: Vec::new() }
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

fn per_item(name: &str, items: u32, start: Instant) {
    let each = start.elapsed().as_secs_f64() / f64::from(items) * 1e9;
    println!("{name:<40} {each:>9.0} ns each");
}

fn whole(name: &str, start: Instant) {
    println!("{name:<40} {:>9.1} ms", start.elapsed().as_secs_f64() * 1e3);
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
        };
        let now = Timestamp::from_nanos(1_700_000_000_000_000_000);
        let mut state = State::new();
        execute_system(&mut state, SystemCommand::Genesis(genesis), now, &mut Vec::new())?;
        let judge = AllowAll(PolicySet::default().digest());
        let mut book = Self { state, judge, key: WindowKey::new(&[7; 32]), now };
        let pack = Named {
            name: Name::parse("all")?,
            version: "1.0.0".to_owned(),
            digest: Digest::sha256(b"all"),
        };
        let set = PolicySet { lists: Vec::new(), packs: vec![pack] };
        let digest = set.digest();
        book.run("activate", Command::PolicyActivate(set))?;
        book.judge = AllowAll(digest);
        Ok(book)
    }

    fn run(&mut self, id: &str, command: Command) -> Result<(), Box<dyn Error>> {
        let request = Request { id: RequestId::parse(id)?, by: None, command };
        let prepared = Preparer::new(&self.judge, &self.key).request(request)?;
        let (judge, scratch, now) = (&self.judge, &mut (), self.now);
        let mut context = Context { judge, scratch, history: &Unwritten, now };
        execute(&mut self.state, &mut context, &prepared, &mut Vec::new())?;
        Ok(())
    }

    fn accounts(&mut self) -> Result<(), Box<dyn Error>> {
        let start = Instant::now();
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
        per_item("open an account, prepared and executed", ACCOUNTS, start);
        Ok(())
    }

    fn transfers(&mut self) -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
        let requests = (0..TRANSFERS).map(request).collect::<Result<Vec<_>, _>>()?;
        let documents =
            requests.iter().map(Request::to_json).collect::<Result<Vec<_>, _>>()?;
        let mut preparer = Preparer::new(&self.judge, &self.key);
        let start = Instant::now();
        for document in &documents {
            black_box(preparer.json(document)?);
        }
        per_item("prepare a transfer from JSON", TRANSFERS, start);
        let start = Instant::now();
        let prepared =
            requests.into_iter().map(|one| preparer.request(one)).collect::<Result<Vec<_>, _>>()?;
        per_item("prepare a typed transfer", TRANSFERS, start);

        let mut out = Vec::with_capacity(TRANSFERS.try_into().unwrap_or(0) * 600);
        let mut ends = Vec::with_capacity(prepared.len());
        let mut context =
            Context { judge: &self.judge, scratch: &mut (), history: &Unwritten, now: self.now };
        let start = Instant::now();
        for one in &prepared {
            black_box(execute(&mut self.state, &mut context, one, &mut out)?);
            ends.push(out.len());
        }
        per_item("execute a transfer", TRANSFERS, start);
        let mut log = Vec::with_capacity(ends.len());
        let mut rest = out.as_slice();
        let mut from = 0;
        for end in ends {
            let (entry, after) = rest.split_at(end - from);
            log.push(entry.to_vec());
            rest = after;
            from = end;
        }
        println!("{:<40} {:>9} bytes", "an entry", log.first().map_or(0, Vec::len));
        if let Some(entry) = log.first() {
            println!("{}", String::from_utf8_lossy(entry));
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
        command: Command::Transfer(TransferRequest { transfers: vec![transfer], pending: None }),
    })
}

fn replay(mut state: State, log: &[Vec<u8>], expected: &State) -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    let entries = log.iter().map(|bytes| Entry::decode(bytes)).collect::<Result<Vec<_>, _>>()?;
    per_item("decode an entry", TRANSFERS, start);
    let mut out = Vec::with_capacity(1024);
    let start = Instant::now();
    for entry in &entries {
        out.clear();
        entry.encode(&mut out);
        black_box(&out);
    }
    per_item("encode an entry", TRANSFERS, start);
    let Some(first) = entries.first() else { return Ok(()) };
    let mut effects = Effects::reusable(first.id.clone());
    let start = Instant::now();
    for entry in &entries {
        state.apply_into(entry, &mut effects)?;
    }
    per_item("apply a decoded entry", TRANSFERS, start);
    let start = Instant::now();
    let clone = black_box(state.clone());
    whole("clone the state", start);
    let start = Instant::now();
    let digest = clone.digest();
    whole("digest of the state", start);
    let mut bytes = Vec::new();
    clone.to_snapshot(&mut bytes);
    println!("{:<40} {:>9} bytes", "a snapshot", bytes.len());
    let start = Instant::now();
    let read = State::from_snapshot(&bytes)?;
    whole("read a snapshot", start);
    if digest != expected.digest() || digest != read.digest() {
        return Err("the replayed state differs".into());
    }
    Ok(())
}
