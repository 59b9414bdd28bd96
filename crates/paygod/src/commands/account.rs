//! Accounts and what they hold: `account`, `balance`.

use super::{ask, requests};
use crate::book;
use crate::cli::{AccountCommand, AccountLimit, AccountOpen, BalanceOf, Global};
use crate::fault::{Answer, Fault, Outcome};
use crate::output::{Console, Tone};
use crate::table::{Align, Cell, Table};
use paygod_core::command::{AccountLimit as Limits, AccountOpen as Opening, Alias};
use paygod_core::{Balances, Command, CommandError};
use paygod_service::ingest::account::AccountRef;
use paygod_service::ledger::{AccountState, AsOf, Clock, LedgerReader, SystemClock};
use paygod_types::{AccountId, Amount, Currency, Money, Seq, Timestamp, code};
use serde_json::{Value, json};

/// Opens, closes, shows, lists.
pub(crate) fn run(command: &AccountCommand, global: &Global, console: &mut Console) -> Outcome {
    match command {
        AccountCommand::Open(options) => open(options, global, console),
        AccountCommand::Limit(options) => limit(options, global, console),
        AccountCommand::Close(options) => {
            let account = AccountId::parse(&options.account)?;
            let command = Command::AccountClose { account };
            let request = ask::request(&options.asked, &[&options.account], command)?;
            book::with(global, |ledger| requests::seal(ledger, request, console))
        }
        AccountCommand::Show(options) => show(&options.account, global, console),
        AccountCommand::List(_) => list(global, console),
    }
}

fn open(options: &AccountOpen, global: &Global, console: &mut Console) -> Outcome {
    let currency = Currency::parse(&options.currency)?;
    let limit = |text: &Option<String>| {
        text.as_deref()
            .map(|text| amount(text, currency))
            .transpose()
    };
    let (min_balance, max_balance) = (limit(&options.min)?, limit(&options.max)?);
    let account = AccountId::parse(&options.account)?;
    book::with(global, |ledger| {
        let opening = Opening {
            account,
            currency,
            aliases: aliases(ledger.read(), &options.alias)?,
            min_balance,
            max_balance,
        };
        // The request may have been sealed long ago, and what it says no longer be so.
        let before = ledger.read().account(&opening.account);
        if before.is_ok_and(|account| account.flags.closed) {
            let account = opening.account.as_str().into();
            let error = CommandError::AccountClosed { account };
            return Err(Fault::of(error.code(), &error));
        }
        let command = Command::AccountOpen(opening);
        let request = ask::request(&options.asked, &[&options.account], command)?;
        requests::seal(ledger, request, console)
    })
}

fn limit(options: &AccountLimit, global: &Global, console: &mut Console) -> Outcome {
    let account = AccountId::parse(&options.account)?;
    book::with(global, |ledger| {
        let info = ledger.read().account(&account)?.info;
        let limit = |given: &Option<String>, before| match given.as_deref() {
            None => Ok(before),
            Some("none") => Ok(None),
            Some(text) => amount(text, info.currency).map(Some),
        };
        let limits = Limits {
            min_balance: limit(&options.min, info.min_balance)?,
            max_balance: limit(&options.max, info.max_balance)?,
            currency: info.currency,
            account,
        };
        // The same limits may be asked for again later, so the request's name says when.
        let size = ledger.read().size().to_string();
        let about = [options.account.as_str(), &size];
        let request = ask::request(&options.asked, &about, Command::AccountLimit(limits))?;
        requests::seal(ledger, request, console)
    })
}

fn amount(text: &str, currency: Currency) -> Result<Amount, Fault> {
    Ok(Money::parse(text, currency)?.amount)
}

/// The keyed tokens of outside numbers, ascending, each once.
pub(crate) fn aliases(reader: &LedgerReader, numbers: &[String]) -> Result<Vec<Alias>, Fault> {
    let mut aliases = Vec::new();
    for number in numbers {
        let account = AccountRef::parse(number).ok_or_else(|| {
            Fault::new(code::CLI_ARGUMENT, format!("`{number}` is no IBAN that can exist"))
                .remedy("correct the IBAN, or write another number as SCHEME:NUMBER, such as BBAN:539007547034")
        })?;
        aliases.push(reader.alias(&account.to_string()));
    }
    aliases.sort_unstable();
    aliases.dedup();
    Ok(aliases)
}

fn show(account: &str, global: &Global, console: &mut Console) -> Outcome {
    let id = AccountId::parse(account)?;
    book::read(global, |reader| {
        let account = reader.account(&id)?;
        console.value(&account_value(&account))?;
        let currency = account.info.currency;
        let limit = |limit: Option<Amount>| {
            limit.map_or_else(|| "none".to_owned(), |amount| money(amount, currency))
        };
        console.line(Tone::Strong.paint(&account.info.id))?;
        let rows = [
            ("currency", currency.code().to_owned()),
            (
                "balance",
                money_or_blank(account.balances.posted(), currency),
            ),
            (
                "available",
                money_or_blank(account.balances.available(), currency),
            ),
            (
                "reserved out",
                money(account.balances.debits_pending, currency),
            ),
            (
                "reserved in",
                money(account.balances.credits_pending, currency),
            ),
            ("may not go below", limit(account.info.min_balance)),
            ("may not go above", limit(account.info.max_balance)),
            ("opened by entry", format!("#{}", account.info.opened)),
            ("state", state(&account).to_owned()),
        ];
        for (name, value) in rows {
            console.line(format_args!("  {name:<17} {value}"))?;
        }
        Ok(Answer::Yes)
    })
}

fn list(global: &Global, console: &mut Console) -> Outcome {
    book::read(global, |reader| {
        let accounts = reader.accounts()?;
        let values: Vec<Value> = accounts.iter().map(account_value).collect();
        console.value(&Value::Array(values))?;
        if accounts.is_empty() {
            console.note("There are no accounts yet. Open one: paygod account open --help")?;
            return Ok(Answer::Yes);
        }
        console.table(0, &table(&accounts))?;
        Ok(Answer::Yes)
    })
}

/// Accounts with what they hold.
pub(crate) fn table(accounts: &[AccountState]) -> Table {
    let mut table = Table::new(&[
        ("account", Align::Left),
        ("currency", Align::Left),
        ("balance", Align::Right),
        ("available", Align::Right),
        ("state", Align::Left),
    ]);
    for account in accounts {
        let currency = account.info.currency;
        table.row([
            Cell::from(account.info.id.as_str()),
            Cell::from(currency.code()),
            Cell::from(decimal_or_blank(account.balances.posted(), currency)),
            Cell::from(decimal_or_blank(account.balances.available(), currency)),
            Cell::from(state(account)),
        ]);
    }
    table
}

const fn state(account: &AccountState) -> &'static str {
    if account.flags.closed {
        "closed"
    } else if account.flags.frozen {
        "frozen"
    } else {
        "open"
    }
}

/// Prints a balance, now or as it was.
pub(crate) fn balance(options: &BalanceOf, global: &Global, console: &mut Console) -> Outcome {
    let id = AccountId::parse(&options.account)?;
    let moment = match (&options.at_seq, &options.at_time) {
        (Some(seq), _) => Some(AsOf::Seq(Seq(*seq))),
        (None, Some(time)) => Some(AsOf::Time(Timestamp::parse_rfc3339(time)?)),
        (None, None) => None,
    };
    book::read(global, |reader| {
        let account = reader.account(&id)?;
        let balances = match moment {
            None => account.balances,
            Some(AsOf::Seq(seq)) if seq.get() >= reader.size() => {
                let newest = reader.size().saturating_sub(1);
                let message = format!("entry {seq} is not sealed yet; the newest is {newest}");
                return Err(Fault::new(code::CLI_ARGUMENT, message)
                    .remedy("name an entry that is there, or leave `--at-seq` out"));
            }
            Some(AsOf::Time(time)) if time > SystemClock.now().max(reader.status()?.last_time) => {
                let message = format!("{time} lies in the future");
                return Err(Fault::new(code::CLI_ARGUMENT, message)
                    .remedy("name a time that has passed, or leave `--at-time` out"));
            }
            Some(moment) => reader.balances_at(&id, moment)?,
        };
        let currency = account.info.currency;
        let mut value = balances_value(&balances, currency);
        if let Some(object) = value.as_object_mut() {
            object.insert("account".into(), id.as_str().into());
            object.insert("currency".into(), currency.code().into());
        }
        console.value(&value)?;
        console.line(money_or_blank(balances.posted(), currency))?;
        if !balances.debits_pending.is_zero() || !balances.credits_pending.is_zero() {
            console.note(format_args!(
                "reserved: {} out, {} in",
                money(balances.debits_pending, currency),
                money(balances.credits_pending, currency)
            ))?;
        }
        Ok(Answer::Yes)
    })
}

/// An account as programs get it.
fn account_value(account: &AccountState) -> Value {
    let currency = account.info.currency;
    let limit = |limit: Option<Amount>| limit.map(|amount| decimal(amount, currency));
    json!({
        "account": account.info.id.as_str(),
        "currency": currency.code(),
        "balances": balances_value(&account.balances, currency),
        "min_balance": limit(account.info.min_balance),
        "max_balance": limit(account.info.max_balance),
        "opened": account.info.opened.get(),
        "closed": account.flags.closed,
        "frozen": account.flags.frozen,
    })
}

fn balances_value(balances: &Balances, currency: Currency) -> Value {
    let text = |amount: Option<Amount>| amount.map(|amount| decimal(amount, currency));
    json!({
        "balance": text(balances.posted()),
        "available": text(balances.available()),
        "debits_pending": decimal(balances.debits_pending, currency),
        "debits_posted": decimal(balances.debits_posted, currency),
        "credits_pending": decimal(balances.credits_pending, currency),
        "credits_posted": decimal(balances.credits_posted, currency),
    })
}

/// An amount without its currency.
pub(crate) fn decimal(amount: Amount, currency: Currency) -> String {
    let mut text = Vec::new();
    Money { amount, currency }.write_decimal(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}

pub(crate) fn decimal_or_blank(amount: Option<Amount>, currency: Currency) -> String {
    amount
        .map(|amount| decimal(amount, currency))
        .unwrap_or_default()
}

fn money(amount: Amount, currency: Currency) -> String {
    Money { amount, currency }.to_string()
}

fn money_or_blank(amount: Option<Amount>, currency: Currency) -> String {
    amount
        .map(|amount| money(amount, currency))
        .unwrap_or_default()
}
