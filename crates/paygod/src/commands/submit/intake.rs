//! From a file's bytes to requests: which format, which accounts, what is wrong.

use super::{Problem, is_xml};
use crate::cli::{Submit, SubmitFormat};
use crate::commands::ask;
use crate::fault::{Fault, faults_from};
use crate::files;
use paygod_core::{Command, CommandError, Request};
use paygod_service::ingest::account::AccountRef;
use paygod_service::ingest::iso20022::{self, Counts, Lookalikes, PaymentFile};
use paygod_service::ingest::route::{AccountMap, Accounts, to_requests};
use paygod_service::ingest::{jsonl, route};
use paygod_service::ledger::{Clock as _, LedgerError, LedgerReader, SystemClock};
use paygod_types::{AccountId, ActorId, Currency, RequestId, code};
use paygod_verify::printable;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashSet};

faults_from!(iso20022::ReadError, jsonl::LineError, route::MapError);

/// Longest table of accounts.
const TABLE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What a file comes to.
pub(super) struct Batch {
    /// What it turned out to be.
    pub(super) format: SubmitFormat,
    /// What it calls itself, for people.
    pub(super) about: Option<String>,
    /// What can be submitted, in the order of the file.
    pub(super) requests: Vec<Request>,
    /// What cannot.
    pub(super) problems: Vec<Problem>,
}

/// A request of a file.
struct Found {
    line: u64,
    request: Request,
    /// Another name under which the same may have been sealed.
    other_id: Option<RequestId>,
    /// The payments that only their order tells it from.
    lookalikes: Option<Lookalikes>,
}

/// Reads a file of any format.
pub(super) fn read(bytes: &[u8], options: &Submit, reader: &LedgerReader) -> Result<Batch, Fault> {
    let (mut batch, found) = if is_xml(bytes) {
        payments(bytes, options, reader)?
    } else {
        lines(bytes, options)?
    };
    set_aside(&mut batch, found, reader)?;
    Ok(batch)
}

fn lines(bytes: &[u8], options: &Submit) -> Result<(Batch, Vec<Found>), Fault> {
    if options.accounts.is_some() || !options.clearing.is_empty() {
        let message = "the file holds requests, which name accounts of the book themselves";
        return Err(Fault::new(code::CLI_ARGUMENT, message)
            .remedy("leave `--accounts` and `--clearing` out: they are for payment files"));
    }
    let by = ask::actor(options.by.as_deref())?;
    let (mut found, mut problems) = (Vec::new(), Vec::new());
    let is_said = options.format == Some(SubmitFormat::Jsonl);
    for line in jsonl::Lines::new(bytes).asked_by(by.as_ref()) {
        let (line, fault) = match line {
            Ok(read) => match doubt(&read.request, is_said, by.as_ref()) {
                None => {
                    found.push(Found {
                        line: read.line,
                        request: read.request,
                        other_id: None,
                        lookalikes: None,
                    });
                    continue;
                }
                Some(fault) => (read.line, fault),
            },
            Err(error) => (error.line, Fault::of(error.code(), &error.fault)),
        };
        let place = format!("line {line}");
        problems.push(Problem { place, fault });
        // So many bad lines are another kind of file: nothing of it is to be taken for the rest.
        if problems.len() >= jsonl::ERRORS_MAX {
            found.clear();
            break;
        }
    }
    if found.is_empty() && problems.is_empty() {
        return Err(Fault::new(code::CLI_INPUT, "the file holds no request")
            .remedy("give an ISO 20022 file, or one JSON request a line"));
    }
    let batch = Batch {
        format: SubmitFormat::Jsonl,
        about: None,
        requests: Vec::new(),
        problems,
    };
    Ok((batch, found))
}

/// What a file of requests cannot be believed, whoever wrote it: that it is more than payments, if nobody said so, and that
/// somebody else asks than who submits it.
fn doubt(request: &Request, is_said: bool, by: Option<&ActorId>) -> Option<Fault> {
    let is_payment = matches!(
        request.command,
        Command::Transfer(_) | Command::Correct(_) | Command::Post { .. } | Command::Void { .. }
    );
    if !is_payment && !is_said {
        let action = request.command.action();
        let message = format!(
            "`{action}` is no payment; `--format jsonl` takes it, if you know what the file holds"
        );
        return Some(Fault::new(code::CLI_INPUT, message));
    }
    match (&request.by, by) {
        (Some(theirs), Some(by)) if theirs != by => {
            let message = format!(
                "`{theirs}` asks for it, and `{by}` submits it; leave `--by` and `PAYGOD_BY` out to believe the file"
            );
            Some(Fault::new(code::CLI_INPUT, message))
        }
        _ => None,
    }
}

/// Takes out what the book would refuse: accounts that it does not know, or has in another currency; ids that the file gives to
/// two different requests, or that were sealed with another body; and what was sealed under another name. Accounts that the
/// file opens itself are known from there on.
fn set_aside(batch: &mut Batch, found: Vec<Found>, reader: &LedgerReader) -> Result<(), Fault> {
    let mut known = known_accounts(&found, reader)?;
    let before: Vec<Option<Fault>> = found
        .iter()
        .map(|found| sealed_otherwise(reader, found))
        .collect::<Result<_, _>>()?;
    let moved: HashSet<Lookalikes> = (found.iter().zip(&before))
        .filter(|(_, fault)| fault.is_some())
        .filter_map(|(found, _)| found.lookalikes.clone())
        .collect();
    let mut seen: BTreeMap<RequestId, usize> = BTreeMap::new();
    let mut faults = 0_usize;
    for (found, before) in found.into_iter().zip(before) {
        let request = found.request;
        let is_moved = found.lookalikes.is_some_and(|like| moved.contains(&like));
        let first = seen.get(&request.id);
        let fault = match first.and_then(|place| batch.requests.get(*place)) {
            Some(first) if *first != request => {
                let message = "the file gives this id to two different requests";
                Some(Fault::new(code::REQUEST_CONFLICT, message))
            }
            _ if is_moved => Some(not_told_apart()),
            _ => before.or_else(|| {
                sides(&request)
                    .find_map(|(account, currency)| refusal(&known, account, currency))
                    .map(|error| Fault::of(error.code(), &error))
            }),
        };
        if let Some(fault) = fault {
            let place = format!("line {}, request `{}`", found.line, request.id);
            batch.problems.push(Problem { place, fault });
            faults += 1;
            // As with bad lines: so many are another book's file.
            if faults >= jsonl::ERRORS_MAX && matches!(batch.format, SubmitFormat::Jsonl) {
                batch.requests.clear();
                break;
            }
            continue;
        }
        if let Command::AccountOpen(open) = &request.command {
            known.entry(open.account.clone()).or_insert(open.currency);
        }
        seen.insert(request.id.clone(), batch.requests.len());
        batch.requests.push(request);
    }
    Ok(())
}

/// The accounts that a request moves money between, and in which currency.
fn sides(request: &Request) -> impl Iterator<Item = (&AccountId, Currency)> {
    let transfers = request.command.transfers().iter();
    transfers.flat_map(|leg| [&leg.debit, &leg.credit].map(|id| (id, leg.money.currency)))
}

/// Of the accounts that requests name, those that the book has, and their currencies.
fn known_accounts(
    found: &[Found],
    reader: &LedgerReader,
) -> Result<BTreeMap<AccountId, Currency>, Fault> {
    let named = found.iter().flat_map(|found| sides(&found.request));
    let named: BTreeSet<AccountId> = named.map(|(account, _)| account.clone()).collect();
    Ok(reader.look(move |state| {
        let found = named.into_iter().filter_map(|account| {
            let currency = state.account(&account)?.info.currency;
            Some((account, currency))
        });
        found.collect()
    })?)
}

/// What is wrong with a request by what was sealed before: the same id stands for something else, or the same payment has
/// another name there.
fn sealed_otherwise(reader: &LedgerReader, found: &Found) -> Result<Option<Fault>, Fault> {
    match (reader.sealed_before(&found.request)?, &found.other_id) {
        (Err(error), _) => Ok(Some(Fault::of(error.code(), &error))),
        (Ok(None), Some(other)) if is_sealed(reader, other)? => {
            let message = format!(
                "the payment of these ids was sealed before, as `{other}`, with a party spelled otherwise"
            );
            Ok(Some(Fault::new(code::REQUEST_CONFLICT, message)))
        }
        (Ok(_), _) => Ok(None),
    }
}

/// Payments without ids are told apart by their order, which is not what it was.
fn not_told_apart() -> Fault {
    let message = "of the payments of its message and batch without an id and with its amount one was sealed with other content, so which of \
                   them are sealed cannot be told; see `paygod entries`, and send the others with ids of their own";
    Fault::new(code::REQUEST_CONFLICT, message)
}

fn refusal(
    known: &BTreeMap<AccountId, Currency>,
    account: &AccountId,
    currency: Currency,
) -> Option<CommandError> {
    match known.get(account) {
        None => Some(CommandError::AccountUnknown {
            account: account.as_str().into(),
        }),
        Some(expected) if *expected != currency => Some(CommandError::CurrencyMismatch {
            account: account.as_str().into(),
            expected: expected.code(),
            found: currency.code(),
        }),
        Some(_) => None,
    }
}

fn payments(
    bytes: &[u8],
    options: &Submit,
    reader: &LedgerReader,
) -> Result<(Batch, Vec<Found>), Fault> {
    let counts = if options.accept_wrong_count {
        Counts::SumSuffices
    } else {
        Counts::MustHold
    };
    let mut file = iso20022::read_with(bytes, counts)?;
    let told = about(&file);
    let early = if options.execute_early {
        Vec::new()
    } else {
        not_due(&mut file, reader)?
    };
    let accounts = BookAccounts::new(reader, options)?;
    let by = ask::actor(options.by.as_deref())?;
    let routed = to_requests(&file, &accounts, by.as_ref());
    accounts.fault()?;
    let mut problems: Vec<(u32, Problem)> = Vec::new();
    for refused in &file.refused {
        for fault in &refused.faults {
            let problem = Problem {
                place: place(
                    refused.place.index,
                    refused.place.line,
                    &refused.end_to_end_id,
                ),
                fault: Fault::of(fault.fault.code(), &fault.fault),
            };
            problems.push((refused.place.index, problem));
        }
    }
    for left in &routed.unrouted {
        let problem = Problem {
            place: place(left.place.index, left.place.line, &left.end_to_end_id),
            fault: Fault::of(left.fault.code(), &left.fault),
        };
        problems.push((left.place.index, problem));
    }
    problems.extend(early);
    problems.sort_by_key(|(index, _)| *index);
    let batch = Batch {
        format: SubmitFormat::of_xml(file.kind.is_outgoing()),
        about: Some(told),
        requests: Vec::new(),
        problems: problems.into_iter().map(|(_, problem)| problem).collect(),
    };
    let found = routed.requests.into_iter().map(|routed| Found {
        line: routed.place.line.into(),
        request: routed.request,
        other_id: routed.other_id,
        lookalikes: routed.lookalikes,
    });
    Ok((batch, found.collect()))
}

/// Takes out the payments whose day (UTC) is still to come: nothing here waits for it, and money would move at once. What
/// is sealed already is answered as it was.
fn not_due(file: &mut PaymentFile, reader: &LedgerReader) -> Result<Vec<(u32, Problem)>, Fault> {
    let today: String = SystemClock.now().to_string().chars().take(10).collect();
    let mut early = Vec::new();
    for payment in std::mem::take(&mut file.payments) {
        let is_due = match &payment.execution_date {
            Some(day) if *day > today => is_sealed(reader, &payment.request_id)?,
            _ => true,
        };
        if is_due {
            file.payments.push(payment);
            continue;
        }
        let day = payment.execution_date.unwrap_or_default();
        let message = format!("the payment is to be executed on {day}");
        let problem = Problem {
            place: place(
                payment.place.index,
                payment.place.line,
                &payment.end_to_end_id,
            ),
            fault: Fault::new(code::PAYMENT_NOT_DUE, message),
        };
        early.push((payment.place.index, problem));
    }
    Ok(early)
}

fn is_sealed(reader: &LedgerReader, id: &RequestId) -> Result<bool, Fault> {
    match reader.find(id) {
        Ok(_) => Ok(true),
        Err(LedgerError::NoRequest { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn place(index: u32, line: u32, end_to_end_id: &str) -> String {
    let shown = printable(end_to_end_id.chars());
    format!("payment {index} ({shown}), line {line}")
}

/// What a payment file calls itself.
pub(crate) fn about(file: &PaymentFile) -> String {
    let payments = file.payments.len().saturating_add(file.refused.len());
    let declared = match file.declared_count {
        Some(declared) if usize::try_from(declared) != Ok(payments) => {
            format!(" (the file declares {declared})")
        }
        _ => String::new(),
    };
    format!(
        "{} `{}`: {payments} payments{declared}, control sum {}",
        file.kind.name(),
        file.message_id,
        file.total
    )
}

/// The book's own aliases, a table, and clearing accounts by name or by custom.
struct BookAccounts<'a> {
    reader: &'a LedgerReader,
    table: AccountMap,
    clearing: BTreeMap<Currency, AccountId>,
    /// The trait cannot tell a failure, so it is kept and told afterwards.
    fault: RefCell<Option<Fault>>,
}

impl<'a> BookAccounts<'a> {
    fn new(reader: &'a LedgerReader, options: &Submit) -> Result<Self, Fault> {
        let table = match &options.accounts {
            None => AccountMap::default(),
            Some(path) => {
                let bytes = files::read(path, TABLE_BYTES_MAX)?;
                let told = format!("cannot read `{}`", path.display());
                AccountMap::parse(&String::from_utf8_lossy(&bytes))
                    .map_err(|error| Fault::from(error).while_doing(&told))?
            }
        };
        let mut clearing = BTreeMap::new();
        for text in &options.clearing {
            let (currency, account) = ask::pair("clearing", text)?;
            clearing.insert(Currency::parse(currency)?, AccountId::parse(account)?);
        }
        Ok(Self {
            reader,
            table,
            clearing,
            fault: RefCell::new(None),
        })
    }

    fn fault(&self) -> Result<(), Fault> {
        self.fault.borrow_mut().take().map_or(Ok(()), Err)
    }

    fn by_alias(&self, account: &AccountRef, currency: Currency) -> Option<AccountId> {
        match self.reader.account_named(&account.to_string()) {
            Ok(found) => found
                .filter(|found| found.info.currency == currency)
                .map(|found| found.info.id),
            Err(error) => {
                *self.fault.borrow_mut() = Some(error.into());
                None
            }
        }
    }

    /// By custom, money in euros leaves through `clearing-eur`.
    fn customary_clearing(&self, currency: Currency) -> Option<AccountId> {
        let name = format!("clearing-{}", currency.code().to_ascii_lowercase());
        let account = self.reader.account(&AccountId::parse(&name).ok()?).ok()?;
        (account.info.currency == currency).then_some(account.info.id)
    }
}

impl Accounts for BookAccounts<'_> {
    fn on_us(&self, account: &AccountRef, currency: Currency) -> Option<AccountId> {
        self.table
            .on_us(account, currency)
            .or_else(|| self.by_alias(account, currency))
    }

    fn clearing(&self, currency: Currency) -> Option<AccountId> {
        let named = self.clearing.get(&currency).cloned();
        named
            .or_else(|| self.table.clearing(currency))
            .or_else(|| self.customary_clearing(currency))
    }
}
