//! Commands that seal one request: approvals, reservations, freezes, corrections, erasure.

use super::ask;
use crate::book;
use crate::cli::{Asked, Correct, Decide, Erase, Freeze, Global, PostPending, VoidPending};
use crate::fault::{Answer, Fault, Outcome, faults_from};
use crate::narrate;
use crate::output::{Console, Tone};
use paygod_core::command::{AmountText, Correction, FreezeScope};
use paygod_core::entry::{Posting, Side};
use paygod_core::{Command, Request, Transfer};
use paygod_policy::Verdict;
use paygod_service::ledger::{Ledger, LedgerReader, Outcome as Sealed};
use paygod_types::{Currency, Money, Name, RequestId, code};
use serde_json::json;

faults_from!(paygod_core::RequestError);

/// Submits a request and tells what was sealed. A denial is a no.
pub(crate) fn seal(ledger: &Ledger, request: Request, console: &mut Console) -> Outcome {
    let sealed = book::submit(ledger, request)?;
    tell(ledger.read(), &sealed, console)
}

/// Tells what was sealed.
pub(crate) fn tell(reader: &LedgerReader, sealed: &Sealed, console: &mut Console) -> Outcome {
    let entry = reader.entry(sealed.seq)?.entry;
    console.value(&json!({
        "id": sealed.id.as_str(),
        "seq": sealed.seq.get(),
        "time": sealed.time.to_string(),
        "action": sealed.action.as_str(),
        "verdict": sealed.verdict.map(Verdict::as_str),
        "existing": sealed.existing,
    }))?;
    let tone = sealed.verdict.map_or(Tone::Good, narrate::tone);
    let before = if sealed.existing {
        "sealed before, and nothing changed: "
    } else {
        ""
    };
    console.line(format_args!(
        "{} {before}{}",
        tone.paint(format_args!("#{}", sealed.seq)),
        narrate::entry(&entry)
    ))?;
    for reason in entry
        .body
        .decision()
        .map(|decision| &decision.reasons)
        .into_iter()
        .flatten()
    {
        console.sentence(3, Tone::Plain, &narrate::reason(reason))?;
    }
    Ok(Answer::of(sealed.verdict != Some(Verdict::Deny)))
}

/// Approves a payment under review.
pub(crate) fn approve(options: &Decide, global: &Global, console: &mut Console) -> Outcome {
    decide(options, global, console, |request| Command::Approve {
        request,
    })
}

/// Rejects a payment under review.
pub(crate) fn reject(options: &Decide, global: &Global, console: &mut Console) -> Outcome {
    decide(options, global, console, |request| Command::Reject {
        request,
    })
}

fn decide(
    options: &Decide,
    global: &Global,
    console: &mut Console,
    command: impl FnOnce(RequestId) -> Command,
) -> Outcome {
    let by = someone(&options.asked)?;
    let command = command(RequestId::parse(&options.request)?);
    let request = ask::request(&options.asked, &[&options.request, by], command)?;
    book::with(global, |ledger| seal(ledger, request, console))
}

fn someone(asked: &Asked) -> Result<&str, Fault> {
    asked.by.as_deref().ok_or_else(|| {
        Fault::new(code::CLI_ARGUMENT, "nobody is named as the one who decides")
            .remedy("pass `--by NAME`, or set PAYGOD_BY")
    })
}

/// Posts a reservation, whole or in part.
pub(crate) fn post(options: &PostPending, global: &Global, console: &mut Console) -> Outcome {
    let pending = RequestId::parse(&options.pending)?;
    book::with(global, |ledger| {
        let amounts = match options.amount.as_slice() {
            [] => None,
            amounts => Some(amounts_of(ledger.read(), &pending, amounts)?),
        };
        let command = Command::Post { pending, amounts };
        let request = ask::request(&options.asked, &[&options.pending], command)?;
        seal(ledger, request, console)
    })
}

/// Amounts in the currencies of the reservation's own transfers.
fn amounts_of(
    reader: &LedgerReader,
    pending: &RequestId,
    amounts: &[String],
) -> Result<Vec<AmountText>, Fault> {
    let sealed = reader.find(pending)?;
    let postings = sealed.entry.body.postings();
    let currencies: Vec<Currency> = postings
        .chunks(2)
        .filter_map(|pair| Some(pair.first()?.money.currency))
        .collect();
    if currencies.len() != amounts.len() {
        let (found, expected) = (amounts.len(), currencies.len());
        let message = format!("`{pending}` reserved {expected} amounts, and {found} are given");
        return Err(Fault::new(code::CLI_ARGUMENT, message)
            .remedy("give `--amount` once for each transfer of the request, or not at all"));
    }
    let pairs = amounts.iter().zip(currencies);
    pairs
        .map(|(text, currency)| Ok(AmountText::from_money(&Money::parse(text, currency)?)))
        .collect()
}

/// Releases a reservation.
pub(crate) fn void(options: &VoidPending, global: &Global, console: &mut Console) -> Outcome {
    let command = Command::Void {
        pending: RequestId::parse(&options.pending)?,
    };
    let request = ask::request(&options.asked, &[&options.pending], command)?;
    book::with(global, |ledger| seal(ledger, request, console))
}

/// Freezes, or opens again.
pub(crate) fn freeze(
    options: &Freeze,
    command: fn(FreezeScope) -> Command,
    global: &Global,
    console: &mut Console,
) -> Outcome {
    let (scope, asked) = ask::scope(&options.scope)?;
    let name = match &scope {
        FreezeScope::Book => "book".to_owned(),
        FreezeScope::Account(account) => account.to_string(),
        FreezeScope::Currency(currency) => currency.to_string(),
    };
    book::with(global, |ledger| {
        // The same freeze may be asked for again later, so its name says when.
        let size = ledger.read().size().to_string();
        let request = ask::request(asked, &[&name, &size], command(scope))?;
        seal(ledger, request, console)
    })
}

/// Puts an earlier payment right.
pub(crate) fn correct(options: &Correct, global: &Global, console: &mut Console) -> Outcome {
    let corrects = RequestId::parse(&options.request)?;
    let reason = Name::parse(&options.reason)?;
    let given = options.transfer.iter().map(|text| ask::transfer(text));
    let given = given.collect::<Result<Vec<Transfer>, Fault>>()?;
    book::with(global, |ledger| {
        // A reversal has one name whatever the reason, so that asking for it twice does not reverse twice.
        let (transfers, about) = if given.is_empty() {
            (
                reverse(ledger.read(), &corrects)?,
                vec![options.request.as_str()],
            )
        } else {
            (
                given,
                vec![options.request.as_str(), options.reason.as_str()],
            )
        };
        let command = Command::Correct(Correction {
            corrects,
            transfers,
            reason,
        });
        let request = ask::request(&options.asked, &about, command)?;
        seal(ledger, request, console)
    })
}

/// The exact reverse of what a request posted.
fn reverse(reader: &LedgerReader, id: &RequestId) -> Result<Vec<Transfer>, Fault> {
    let body = reader.find(id)?.entry.body;
    if !body.posts() {
        let message = format!("`{id}` posted no money, so there is nothing to reverse");
        return Err(Fault::new(code::CLI_ARGUMENT, message).remedy(
            "void what it only reserved; what a `post` or an approval posted later is corrected under that id",
        ));
    }
    Ok(body.postings().chunks(2).filter_map(reversed).collect())
}

fn reversed(pair: &[Posting]) -> Option<Transfer> {
    let [first, second] = pair else { return None };
    let (from, to) = if first.side == Side::Debit {
        (first, second)
    } else {
        (second, first)
    };
    Some(Transfer {
        debit: to.account.clone(),
        credit: from.account.clone(),
        money: from.money,
        payment: None,
    })
}

/// Destroys a payment's personal data.
pub(crate) fn erase(options: &Erase, global: &Global, console: &mut Console) -> Outcome {
    if !options.yes {
        let message = format!(
            "erasing the input of `{}` cannot be undone",
            options.request
        );
        return Err(Fault::new(code::CLI_CONFIRM, message));
    }
    let request = RequestId::parse(&options.request)?;
    let command = Command::EvidenceErase {
        request: request.clone(),
    };
    let asked = ask::request(&options.asked, &[&options.request], command)?;
    book::with(global, |ledger| {
        let sealed = ledger.erase_evidence(asked.id, asked.by, request)?;
        tell(ledger.read(), &sealed, console)
    })
}
