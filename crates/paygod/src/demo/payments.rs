//! Steps 2 to 5: rules, accounts, the bank's file, and what became of each payment.

use super::assets;
use super::story::Story;
use super::thief::Target;
use crate::book;
use crate::commands::account::{self, decimal_or_blank};
use crate::fault::Fault;
use crate::narrate;
use crate::output::Tone;
use crate::table::{Align, Cell, Table};
use paygod_core::command::{AccountOpen, TransferRequest};
use paygod_core::{Command, Request, Transfer};
use paygod_policy::{Pack, Verdict};
use paygod_service::ingest::iso20022::{self, PaymentFile};
use paygod_service::ingest::route::{AccountMap, to_requests};
use paygod_service::ledger::{ActivationOrder, Ledger, SealedEntry};
use paygod_types::{AccountId, ActorId, Amount, Currency, Money, RequestId, code};
use serde_json::{Value, json};

/// Who submits.
const TREASURY: &str = "treasury";
/// Who approves what the rules hold back.
const APPROVER: &str = "controller";
/// What comes in first: from clearing, in parts that the limits let through.
const OPENING: &[(&str, &str, &str, usize)] = &[
    ("clearing-chf", "muster-handels-chf", "10000.00", 5),
    ("clearing-eur", "muster-handels-eur", "10000.00", 2),
];
/// The payment that the thief will change.
const TARGET: &str = "INV-8002";
/// Digits of a digest that people are shown.
const DIGEST_SHOWN: usize = 16;

/// Step 2: packs and the sanctions list become active.
pub(super) fn rules(ledger: &Ledger, story: &mut Story<'_>) -> Result<(), Fault> {
    let packs = assets::packs()?;
    let list = assets::sanctions()?;
    story.step("The rules")?;
    story.say(&format!(
        "Packs are rules with their own test cases. Three of them, and the US Treasury's sanctions list with {} entries, judge every payment from now on. Each is pinned by its digest: whoever swaps one is found out.",
        grouped(list.len())
    ))?;
    let named = ledger.import_list(&list)?;
    let mut table = Table::new(&[
        ("pack or list", Align::Left),
        ("version", Align::Left),
        ("digest", Align::Left),
        ("what for", Align::Left),
    ]);
    let mut row = |named: &paygod_policy::Named, what: &str| {
        let digest: String = named
            .digest
            .to_string()
            .chars()
            .take(DIGEST_SHOWN)
            .collect();
        table.row([
            Cell::from(named.name.as_str()),
            Cell::from(named.version.as_str()),
            Cell::toned(format!("{digest}…"), Tone::Faint),
            Cell::from(what.trim_end_matches('.')),
        ]);
    };
    packs
        .iter()
        .for_each(|pack: &Pack| row(pack.named(), pack.description()));
    row(&named, "The names that sanctions-screening looks for");
    let order = ActivationOrder {
        id: None,
        by: Some(ActorId::parse(TREASURY)?),
        packs: Vec::new(),
        lists: vec![named],
        signatures: Vec::new(),
    };
    ledger.activate_packs(&order, packs)?;
    story.table(&table)
}

/// Step 3: accounts are opened and money comes in.
pub(super) fn accounts(ledger: &Ledger, story: &mut Story<'_>) -> Result<(), Fault> {
    let map = assets::accounts()?;
    story.step("The accounts")?;
    story.say("The company's accounts may not go below zero. Clearing accounts stand for the other banks: money leaves through them and arrives through them, so that what one account loses another gains, to the cent, in every entry.")?;
    for (outside, currency, account) in map.iter() {
        let alias = ledger.read().alias(&outside.to_string());
        open(ledger, account, currency, Some((alias, Amount::ZERO)))?;
    }
    for (currency, account) in map.clearing_accounts() {
        open(ledger, account, currency, None)?;
    }
    let mut transfers = Vec::new();
    for (debit, credit, amount, times) in OPENING {
        let (debit, credit) = (AccountId::parse(debit)?, AccountId::parse(credit)?);
        let currency = ledger.read().account(&debit)?.info.currency;
        let money = Money::parse(amount, currency)?;
        let transfer = Transfer {
            debit,
            credit,
            money,
            payment: None,
        };
        transfers.extend(std::iter::repeat_n(transfer, *times));
    }
    let linked = transfers.len();
    let command = Command::Transfer(TransferRequest {
        transfers,
        pending: None,
    });
    seal(ledger, "opening-balances", TREASURY, command)?;
    story.table(&account::table(&ledger.read().accounts()?))?;
    story.say(&format!(
        "Opening balances came in as one request of {linked} linked transfers: all of them or none."
    ))
}

fn open(
    ledger: &Ledger,
    account: &AccountId,
    currency: Currency,
    known_as: Option<(paygod_core::command::Alias, Amount)>,
) -> Result<(), Fault> {
    let command = Command::AccountOpen(AccountOpen {
        account: account.clone(),
        currency,
        aliases: known_as.iter().map(|(alias, _)| *alias).collect(),
        min_balance: known_as.map(|(_, least)| least),
        max_balance: None,
    });
    seal(ledger, &format!("open:{account}"), TREASURY, command)?;
    Ok(())
}

fn seal(ledger: &Ledger, id: &str, by: &str, command: Command) -> Result<SealedEntry, Fault> {
    let request = Request {
        id: RequestId::parse(id)?,
        by: Some(ActorId::parse(by)?),
        command,
    };
    let sealed = book::submit(ledger, request)?;
    ledger.wait_signed()?;
    Ok(ledger.read().entry(sealed.seq)?)
}

/// Steps 4 and 5: the file, and each payment judged, moved and sealed.
pub(super) fn pay(ledger: &Ledger, story: &mut Story<'_>) -> Result<Target, Fault> {
    let file = iso20022::read(assets::PAYMENT_FILE.as_bytes())?;
    let map = assets::accounts()?;
    story.step("The bank's file")?;
    story.say(&format!(
        "{}: an ISO 20022 {} with {} payments, control sum {}.",
        assets::PAYMENT_FILE_NAME,
        file.kind.name(),
        file.payments.len(),
        file.total
    ))?;
    story.say("The whole file is read before anything happens: its structure, counts and sums, the check digits of every IBAN. One mistake, and nothing of it would be sealed.")?;
    story.step("Judged, moved, sealed")?;
    story.say("Verdict and money stand in one entry, so nobody can part them. A denied payment is sealed too. Names and IBANs stay outside, encrypted; the entry holds only a keyed fingerprint of them.")?;
    let target = judge(ledger, &file, &map, story)?;
    approve(ledger, story)?;
    Ok(target)
}

fn judge(
    ledger: &Ledger,
    file: &PaymentFile,
    map: &AccountMap,
    story: &mut Story<'_>,
) -> Result<Target, Fault> {
    let by = ActorId::parse(TREASURY)?;
    let routed = to_requests(file, map, Some(&by));
    let mut table = Table::new(&[
        ("entry", Align::Right),
        ("payment", Align::Left),
        ("to", Align::Left),
        ("amount", Align::Right),
        ("verdict", Align::Left),
        ("rule and reason", Align::Left),
        ("left after", Align::Right),
    ]);
    let mut values = Vec::new();
    let mut target = None;
    for (routed, payment) in routed.requests.into_iter().zip(&file.payments) {
        let sealed = book::submit(ledger, routed.request)?;
        ledger.wait_signed()?;
        let entry = ledger.read().entry(sealed.seq)?;
        let name = payment
            .instruction_id
            .as_deref()
            .unwrap_or(&payment.end_to_end_id);
        let (row, value) = payment_row(ledger, &entry, payment, name)?;
        table.row(row);
        values.push(value);
        if name == TARGET {
            target = Some(Target {
                seq: entry.seq,
                name: name.to_owned(),
                entry: entry.bytes,
            });
        }
    }
    story.table(&table)?;
    story.keep("payments", values);
    target.ok_or_else(|| {
        Fault::new(
            code::CLI_INPUT,
            "the payment file has no payment to tamper with",
        )
    })
}

fn payment_row(
    ledger: &Ledger,
    sealed: &SealedEntry,
    payment: &iso20022::Payment,
    name: &str,
) -> Result<([Cell; 7], Value), Fault> {
    let decision = sealed.entry.body.decision();
    let verdict = decision.map_or(Verdict::Deny, |decision| decision.verdict);
    let reason = decision.and_then(narrate::deciding);
    // All allow rules speak on an allowed payment; which of them matters to nobody.
    let told = match (verdict, reason) {
        (Verdict::Allow, _) => "every pack agrees".to_owned(),
        (_, Some(reason)) => format!("{}: {}", reason.rule.rule, reason.rule.reason),
        (_, None) => String::new(),
    };
    let transfer = match sealed.entry.body.postings().first() {
        Some(posting) => Some(posting.account.clone()),
        None => payer(ledger, payment)?,
    };
    let balance = match transfer {
        None => None,
        Some(account) => ledger.read().account(&account)?.balances.available(),
    };
    let currency = payment.amount.currency;
    let balance = decimal_or_blank(balance, currency);
    let to = payment.creditor.name.as_deref().unwrap_or_default();
    let value = json!({
        "seq": sealed.seq.get(),
        "id": sealed.entry.id.as_str(),
        "amount": payment.amount.to_string(),
        "verdict": verdict.as_str(),
        "rule": reason.map(|reason| reason.rule.rule.as_str().to_owned()),
        "reason": reason.map(|reason| reason.rule.reason.clone()),
        "balance_after": balance,
    });
    let row = [
        Cell::from(sealed.seq.to_string()),
        Cell::from(name),
        Cell::from(to),
        Cell::from(payment.amount.to_string()),
        Cell::toned(short(verdict), narrate::tone(verdict)),
        Cell::from(told),
        Cell::from(balance),
    ];
    Ok((row, value))
}

/// The account that would have paid, of a payment that was denied.
fn payer(ledger: &Ledger, payment: &iso20022::Payment) -> Result<Option<AccountId>, Fault> {
    let Some(account) = &payment.debtor.account else {
        return Ok(None);
    };
    Ok(ledger
        .read()
        .account_named(&account.to_string())?
        .map(|account| account.info.id))
}

const fn short(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Review => "held",
        _ => narrate::verdict(verdict),
    }
}

/// Somebody else agrees to what the rules held back.
fn approve(ledger: &Ledger, story: &mut Story<'_>) -> Result<(), Fault> {
    for pending in ledger.read().pendings()? {
        let request = pending.id.clone();
        let name = request
            .as_str()
            .rsplit('/')
            .next()
            .unwrap_or_default()
            .to_owned();
        if name == "INV-8003" {
            continue;
        }
        let command = Command::Approve { request };
        let sealed = seal(
            ledger,
            &format!("approve:{name}:{APPROVER}"),
            APPROVER,
            command,
        )?;
        let moved = narrate::movements(sealed.entry.body.postings()).unwrap_or_default();
        story.say(&format!(
            "What is held keeps its money reserved until somebody else agrees; whoever asked cannot. {APPROVER} approves {name}, and entry {} moves it: {moved}.",
            sealed.seq
        ))?;
    }
    Ok(())
}

/// `8976` as `8,976`.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && digits.len().saturating_sub(index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
