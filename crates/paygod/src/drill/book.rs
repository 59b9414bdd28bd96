//! The drill's own book: a short working day in which everything happens that can be attacked.
//!
//! Accounts, payments that are allowed, denied, reserved, posted, released and reviewed, a freeze, a
//! correction, two sets of rules, a sealed snapshot and a key rotation; then, after the checkpoint that
//! an auditor takes home, some more payments. Times are those of a clock that the drill moves.

use super::rotation;
use crate::fault::Fault;
use crate::insider::{signer, vkey};
use paygod_core::ceremony::RootsText;
use paygod_policy::{ListBuilder, Pack};
use paygod_service::ledger::{
    ActivationOrder, BookOptions, Clock, Created, Ledger, OpenOptions, PolicyError, Submission,
};
use paygod_tlog::Ed25519Signer;
use paygod_types::limits::PENDING_TIMEOUT_S_MAX;
use paygod_types::{ActorId, Digest, Name, Timestamp, code};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The log's name.
const ORIGIN: &str = "drill.paygod.local/book";
/// A Monday morning.
const OPENING: &str = "2026-11-23T08:00:00.000000000Z";
/// Between two groups of requests.
const STEP_S: u64 = 75;
/// Requests that come together.
const TOGETHER: usize = 10;
/// A snapshot is due after so many entries: in the last group before the rules change, so that where it
/// is sealed does not depend on how fast the machine is. More than one tile of them.
const SNAPSHOT_ENTRIES: u64 = 275;
/// Payments before the auditor takes the checkpoint home, and after.
const PAYMENTS_BEFORE: usize = 240;
const PAYMENTS_AFTER: usize = 20;
/// Longer than any session: which checkpoints there are must not depend on how fast the machine is.
const PUBLISH_EVERY: Duration = Duration::from_secs(3_600);
/// Longest wait for what happens on a thread of its own.
const WAIT_MAX: Duration = Duration::from_secs(10);
const WAIT_STEP: Duration = Duration::from_millis(2);

/// Packs that judge: name and files.
const PACKS: [[&str; 2]; 3] = [
    [
        include_str!("../../../../packs/core/duplicate-payment/pack.yaml"),
        include_str!("../../../../packs/core/duplicate-payment/tests/cases.yaml"),
    ],
    [
        include_str!("../../../../packs/core/payment-limits/pack.yaml"),
        include_str!("../../../../packs/core/payment-limits/tests/cases.yaml"),
    ],
    [
        include_str!("../../../../packs/core/sanctions-screening/pack.yaml"),
        include_str!("../../../../packs/core/sanctions-screening/tests/cases.yaml"),
    ],
];

/// Who is on the drill's sanctions list. No such people or firms are meant.
const LISTED: [(&str, &str); 4] = [
    ("1", "Nobody Holding"),
    ("2", "Phantom Freight"),
    ("3", "Void Shipping"),
    ("4", "Shade and Sons"),
];

/// How many root keys the drill's book has, and how many must sign together.
const ROOTS: usize = 3;
const ROOT_THRESHOLD: u32 = 2;

/// The root keys of the drill's own book. A thief of the machine does not find them there; the drill
/// hands over as many as an attack's story says.
pub(super) fn roots() -> Result<Vec<Ed25519Signer>, Fault> {
    (1..=ROOTS)
        .map(|number| {
            let seed = Digest::sha256(format!("drill root {number}").as_bytes());
            signer(&format!("root-{number}.{ORIGIN}"), seed)
        })
        .collect()
}

/// Makes the book in a new folder.
pub(super) fn make(book: &Path) -> Result<Created, Fault> {
    let options = BookOptions {
        origin: ORIGIN.to_owned(),
        roots: Some(RootsText::new(
            ORIGIN.into(),
            roots()?.iter().map(vkey).collect(),
            ROOT_THRESHOLD,
        )?),
        keys: None,
        hybrid: true,
    };
    let clock = Arc::new(Workday::begin()?);
    // Genesis too is of that day: times only rise, so a later one would leave no gap between the others.
    let open = OpenOptions {
        clock: Arc::<Workday>::clone(&clock),
        ..OpenOptions::default()
    };
    let created = Ledger::create_with(book, &options, open)?;
    session(book, &clock, Some(SNAPSHOT_ENTRIES), |day| {
        day.open_accounts()?;
        day.activate("2026-11-20", LISTED.len().saturating_sub(1))?;
        day.everything_else()?;
        day.pay("day", PAYMENTS_BEFORE)?;
        day.wait_for_snapshot()?;
        day.activate("2026-11-23", LISTED.len())
    })?;
    clock.go_on();
    rotation::rotate(book, clock.now())?;
    session(book, &clock, None, |day| day.pay("late", TOGETHER))?;
    session(book, &clock, None, |day| day.pay("last", PAYMENTS_AFTER))?;
    Ok(created)
}

/// Opens the book, works with it and closes it: a checkpoint is published when it is opened, if one is
/// missing, and when it is closed.
fn session(
    book: &Path,
    clock: &Arc<Workday>,
    snapshot_every: Option<u64>,
    work: impl FnOnce(&Day<'_>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let shared: Arc<dyn Clock> = Arc::<Workday>::clone(clock);
    let options = OpenOptions {
        clock: shared,
        snapshot_every: snapshot_every.unwrap_or(u64::MAX),
        publish_every: PUBLISH_EVERY,
        ..OpenOptions::default()
    };
    let ledger = Ledger::open(book, options)?;
    let worked = work(&Day {
        ledger: &ledger,
        clock,
    });
    let closed = ledger.close();
    worked?;
    Ok(closed?)
}

/// A clock that goes on when it is told to.
struct Workday(AtomicU64);

impl Workday {
    fn begin() -> Result<Self, Fault> {
        Ok(Self(AtomicU64::new(
            Timestamp::parse_canonical(OPENING)?.as_nanos(),
        )))
    }

    fn go_on(&self) {
        let step = u64::try_from(Duration::from_secs(STEP_S).as_nanos()).unwrap_or(u64::MAX);
        self.0.fetch_add(step, Ordering::AcqRel);
    }
}

impl Clock for Workday {
    fn now(&self) -> Timestamp {
        Timestamp::from_nanos(self.0.load(Ordering::Acquire))
    }
}

/// Somebody at work.
struct Day<'l> {
    ledger: &'l Ledger,
    clock: &'l Workday,
}

impl Day<'_> {
    fn open_accounts(&self) -> Result<(), Fault> {
        let accounts = [
            ("clearing-eur", "EUR", None),
            ("clearing-usd", "USD", None),
            ("treasury-eur", "EUR", Some("0.00")),
            ("treasury-usd", "USD", Some("0.00")),
            ("supplier-a", "EUR", Some("0.00")),
            ("supplier-b", "EUR", Some("0.00")),
            ("supplier-c", "EUR", Some("0.00")),
            ("supplier-usd", "USD", Some("0.00")),
        ];
        self.ask(accounts.into_iter().map(|(account, currency, floor)| {
            let mut open = json!({"account": account, "currency": currency});
            if let (Some(floor), Value::Object(open)) = (floor, &mut open) {
                open.insert("min_balance".to_owned(), floor.into());
            }
            json!({"id": format!("open-{account}"), "by": "ana", "account_open": open})
        }))
    }

    /// Activates the packs with a version of the list that names so many.
    fn activate(&self, version: &str, listed: usize) -> Result<(), Fault> {
        self.clock.go_on();
        let mut list = ListBuilder::new(Name::parse("ofac-sdn")?, version);
        for (uid, name) in LISTED.iter().take(listed) {
            list.entry(uid, [*name]);
        }
        let list = list.build().map_err(PolicyError::from)?;
        let order = ActivationOrder {
            id: None,
            by: Some(ActorId::parse("risk-office")?),
            packs: Vec::new(),
            lists: vec![self.ledger.import_list(&list)?],
            signatures: Vec::new(),
        };
        self.ledger.activate_packs(&order, packs()?)?;
        Ok(())
    }

    /// One of each kind.
    fn everything_else(&self) -> Result<(), Fault> {
        for round in 0..6 {
            self.ask([
                transfer(
                    &format!("fund-eur-{round}"),
                    "ana",
                    ["clearing-eur", "treasury-eur", "9500.00", "EUR"],
                    None,
                ),
                transfer(
                    &format!("fund-usd-{round}"),
                    "ana",
                    ["clearing-usd", "treasury-usd", "9500.00", "USD"],
                    None,
                ),
            ])?;
        }
        let reserve = |id: &str, amount: &str| {
            pending(transfer(
                id,
                "ana",
                ["treasury-eur", "supplier-b", amount, "EUR"],
                None,
            ))
        };
        self.ask([
            transfer(
                "listed-1",
                "ana",
                ["treasury-eur", "supplier-a", "410.00", "EUR"],
                Some(["Void Shipping", "V-1"]),
            ),
            transfer(
                "listed-2",
                "ana",
                ["treasury-eur", "supplier-a", "420.00", "EUR"],
                Some(["PHANTOM  Freight", "P-7"]),
            ),
            transfer(
                "too-large",
                "ana",
                ["treasury-eur", "supplier-a", "60000.00", "EUR"],
                Some(["Supplier A", "L-1"]),
            ),
            transfer(
                "too-poor",
                "ana",
                ["supplier-c", "supplier-a", "900.00", "EUR"],
                Some(["Supplier A", "L-2"]),
            ),
            transfer(
                "review-1",
                "ana",
                ["treasury-eur", "supplier-c", "12500.00", "EUR"],
                Some(["Supplier C", "R-1"]),
            ),
            transfer(
                "review-2",
                "ana",
                ["treasury-eur", "supplier-c", "11000.00", "EUR"],
                Some(["Supplier C", "R-2"]),
            ),
            transfer(
                "review-3",
                "ana",
                ["treasury-eur", "supplier-c", "10500.00", "EUR"],
                Some(["Supplier C", "R-3"]),
            ),
            reserve("hold-1", "300.00"),
            reserve("hold-2", "200.00"),
            reserve("hold-3", "100.00"),
        ])?;
        self.ask([
            json!({"id": "approve-1", "by": "bo", "approve": {"request": "review-1"}}),
            json!({"id": "reject-2", "by": "bo", "reject": {"request": "review-2"}}),
            json!({"id": "post-1", "by": "ana", "post": {"pending": "hold-1", "amounts": ["250.00"]}}),
            json!({"id": "void-2", "by": "ana", "void": {"pending": "hold-2"}}),
            json!({"id": "freeze-usd", "by": "bo", "freeze": {"scope": {"currency": "USD"}}}),
            transfer("while-frozen", "ana", ["treasury-usd", "supplier-usd", "75.00", "USD"], Some(["Supplier USD", "F-1"])),
            json!({"id": "unfreeze-usd", "by": "bo", "unfreeze": {"scope": {"currency": "USD"}}}),
            transfer("after-freeze", "ana", ["treasury-usd", "supplier-usd", "75.00", "USD"], Some(["Supplier USD", "F-2"])),
            json!({"id": "correct-1", "by": "bo", "correct": {
                "corrects": "after-freeze",
                "reason": "wrong-amount",
                "transfers": [{"debit": "supplier-usd", "credit": "treasury-usd", "amount": "5.00", "currency": "USD"}],
            }}),
        ])
    }

    /// Small payments, each its own amount.
    fn pay(&self, name: &str, count: usize) -> Result<(), Fault> {
        let suppliers = ["supplier-a", "supplier-b", "supplier-c"];
        let payments: Vec<Value> = (1..=count)
            .zip(suppliers.into_iter().cycle())
            .map(|(number, supplier)| {
                let amount = format!("{}.{:02}", 10_usize.saturating_add(number), number % 100);
                let reference = format!("{name}-{number:03}");
                let details = (number % 4 == 0).then_some([supplier, reference.as_str()]);
                transfer(
                    &reference,
                    "ana",
                    ["treasury-eur", supplier, &amount, "EUR"],
                    details,
                )
            })
            .collect();
        payments
            .chunks(TOGETHER)
            .try_for_each(|together| self.ask(together.iter().cloned()))
    }

    /// Submits requests together. None may be refused; being denied is another matter.
    fn ask(&self, requests: impl IntoIterator<Item = Value>) -> Result<(), Fault> {
        self.clock.go_on();
        let requests = requests
            .into_iter()
            .map(|request| Submission::Json(request.to_string().into_bytes()));
        for answer in self.ledger.submit(requests.collect()) {
            answer?;
        }
        Ok(())
    }

    /// Snapshots are written on a thread of their own; the book goes on when theirs is sealed.
    fn wait_for_snapshot(&self) -> Result<(), Fault> {
        let mut waited = Duration::ZERO;
        while self
            .ledger
            .read()
            .look(|state| state.snapshot_of().is_none())?
        {
            if waited >= WAIT_MAX {
                return Err(Fault::new(
                    code::LEDGER_NOT_SIGNED_YET,
                    "no snapshot was sealed in time",
                ));
            }
            std::thread::sleep(WAIT_STEP);
            waited = waited.saturating_add(WAIT_STEP);
        }
        Ok(())
    }
}

fn packs() -> Result<Vec<Pack>, Fault> {
    let packs = PACKS.iter().map(|[manifest, cases]| {
        Pack::from_files(&BTreeMap::from([
            ("pack.yaml".to_owned(), (*manifest).to_owned()),
            ("tests/cases.yaml".to_owned(), (*cases).to_owned()),
        ]))
    });
    Ok(packs.collect::<Result<_, _>>().map_err(PolicyError::from)?)
}

/// A request to move money: debit, credit, amount, currency; creditor's name and reference.
fn transfer(id: &str, by: &str, of: [&str; 4], details: Option<[&str; 2]>) -> Value {
    let [debit, credit, amount, currency] = of;
    let mut transfer =
        json!({"debit": debit, "credit": credit, "amount": amount, "currency": currency});
    if let (Some([name, reference]), Value::Object(transfer)) = (details, &mut transfer) {
        let payment =
            json!({"creditor": {"name": name, "account": credit}, "reference": reference});
        transfer.insert("payment".to_owned(), payment);
    }
    json!({"id": id, "by": by, "transfer": {"transfers": [transfer]}})
}

/// The same, to reserve now and to post later.
fn pending(mut request: Value) -> Value {
    if let Some(transfer) = request
        .pointer_mut("/transfer/transfers/0")
        .and_then(Value::as_object_mut)
    {
        // Attacks open the book by today's clock, and nothing may expire meanwhile.
        let pending = json!({ "timeout_s": PENDING_TIMEOUT_S_MAX });
        transfer.insert("pending".to_owned(), pending);
    }
    request
}
