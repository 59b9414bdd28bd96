//! The book under measurement: accounts, the three starter packs, the full OFAC list.

use crate::options::Options;
use crate::workload::account_id;
use paygod_core::command::AccountOpen;
use paygod_core::{Command, Request};
use paygod_service::ledger::{ActivationOrder, BookOptions, Ledger, OpenOptions, Submission};
use paygod_types::{Currency, Name, RequestId, Seq};
use std::path::{Path, PathBuf};

const PACKS: [&str; 3] = ["payment-limits", "sanctions-screening", "duplicate-payment"];

/// Makes a book and everything that payments need.
pub(crate) fn create(path: &Path, options: &Options) -> Ledger {
    create_with(path, options, OpenOptions::default)
}

/// As [`create`], opened so.
pub(crate) fn create_with(
    path: &Path,
    options: &Options,
    opening: impl Fn() -> OpenOptions,
) -> Ledger {
    let book = BookOptions {
        origin: "ledger.example.com/bench".to_owned(),
        roots: None,
        keys: None,
        hybrid: false,
    };
    Ledger::create_with(path, &book, opening()).expect("a new book");
    let ledger = Ledger::open(path, opening()).expect("the book opens");
    let list = ledger.import_list(&ofac()).expect("the list is stored");
    let mut names = PACKS.to_vec();
    if options.popular {
        names.push("velocity-guard");
    }
    let folder = repository().join("packs/core");
    let packs = names.iter().map(|name| folder.join(name)).collect();
    let order = ActivationOrder {
        id: None,
        by: None,
        packs,
        lists: vec![list],
        signatures: Vec::new(),
    };
    ledger.activate(&order).expect("the packs are activated");
    let currency = Currency::parse("EUR").expect("a currency");
    let accounts: Vec<usize> = (0..options.accounts).collect();
    for some in accounts.chunks(4_096) {
        let requests = some
            .iter()
            .map(|number| open_account(*number, currency))
            .collect();
        for answer in ledger.submit(requests) {
            answer.expect("the account is opened");
        }
    }
    ledger
}

pub(crate) fn open(path: &Path) -> Ledger {
    Ledger::open(path, OpenOptions::default()).expect("the book opens")
}

/// Bytes of one of the last entries, and of its request in the vault.
pub(crate) fn bytes_of_one(ledger: &Ledger) -> (usize, usize) {
    let reader = ledger.read();
    let seq = Seq(reader.size() - 2);
    let entry = reader.entry(seq).expect("an entry");
    let input = reader.input(seq).expect("the vault is read");
    (entry.bytes.len(), input.map_or(0, |bytes| bytes.len()))
}

fn open_account(number: usize, currency: Currency) -> Submission {
    let account = account_id(number);
    let id = RequestId::parse(&format!("open-{account}")).expect("a plain id");
    let open = AccountOpen {
        account,
        currency,
        aliases: Vec::new(),
        min_balance: None,
        max_balance: None,
    };
    Submission::Request(Request {
        id,
        by: None,
        command: Command::AccountOpen(open),
    })
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn ofac() -> paygod_policy::List {
    let folder = repository().join("examples/lists/ofac");
    let read =
        |name: &str| std::fs::read(folder.join(name)).expect("the list is in the repository");
    let list = paygod_service::ingest::ofac::read(&read("sdn.csv"), Some(&read("alt.csv")))
        .expect("the list reads");
    list.to_list(Name::parse("ofac-sdn").expect("a plain name"), "bench")
        .expect("the list is sound")
}
