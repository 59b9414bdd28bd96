//! What waits in the book: payments under review, and reservations.

use crate::book;
use crate::cli::{Global, PendingList};
use crate::commands::verify::counted;
use crate::fault::{Answer, Fault, Outcome};
use crate::narrate;
use crate::output::Console;
use crate::table::{Align, Cell, Table};
use paygod_core::command::AmountText;
use paygod_core::entry::Posting;
use paygod_core::{Pending, Stage};
use paygod_service::ledger::LedgerReader;
use paygod_types::ActorId;
use serde_json::{Value, json};

/// Lists them: a table for people, a value each for programs.
pub(crate) fn list(options: &PendingList, global: &Global, console: &mut Console) -> Outcome {
    book::read(global, |reader| {
        let mut waiting = reader.pendings()?;
        waiting.retain(|pending| !options.review || review(pending).is_some());
        let mut table = Table::new(&[
            ("entry", Align::Right),
            ("request", Align::Left),
            ("asked by", Align::Left),
            ("waits for", Align::Left),
            ("what", Align::Left),
        ]);
        for pending in &waiting {
            // The entry names the accounts; the state has only their numbers.
            let entry = reader.entry(pending.seq)?.entry;
            let postings = entry.body.postings();
            if console.is_json() {
                console.value(&value(pending, postings))?;
                continue;
            }
            table.row([
                Cell::from(pending.seq.to_string()),
                Cell::from(pending.id.as_str()),
                Cell::from(pending.by.as_ref().map_or("", |by| by.as_str())),
                Cell::from(waits_for(pending)),
                Cell::from(narrate::movements(postings).unwrap_or_default()),
            ]);
        }
        tell(&table, reader, console)?;
        Ok(Answer::Yes)
    })
}

fn tell(table: &Table, reader: &LedgerReader, console: &mut Console) -> Result<(), Fault> {
    if !table.is_empty() {
        return console.table(0, table);
    }
    console.note(format_args!("nothing waits at entry {}", reader.size()))
}

/// How many approvals a payment under review needs, and whose it has.
fn review(pending: &Pending) -> Option<(u32, &[ActorId])> {
    match &pending.stage {
        Stage::Reserved => None,
        Stage::UnderReview {
            needed, approvers, ..
        } => Some((*needed, approvers)),
    }
}

fn waits_for(pending: &Pending) -> String {
    let what = match review(pending) {
        None => "a post or void".to_owned(),
        Some((needed, approvers)) => {
            let needed = counted(u64::from(needed), "approval");
            format!("{needed}, {} so far", approvers.len())
        }
    };
    match pending.deadline {
        None => what,
        Some(until) => format!("{what}, until {}", narrate::to_the_second(until)),
    }
}

fn value(pending: &Pending, postings: &[Posting]) -> Value {
    let review = review(pending);
    let approvers = review.map_or(&[][..], |(_, approvers)| approvers);
    let transfers: Vec<Value> = postings
        .chunks(2)
        .filter_map(|pair| {
            let [debit, credit] = pair else { return None };
            Some(json!({
                "debit": debit.account.as_str(),
                "credit": credit.account.as_str(),
                "amount": AmountText::from_money(&debit.money).as_str(),
                "currency": debit.money.currency.code(),
            }))
        })
        .collect();
    json!({
        "id": pending.id.as_str(),
        "seq": pending.seq.get(),
        "by": pending.by.as_ref().map(|by| by.as_str()),
        "under_review": review.is_some(),
        "approvals_needed": review.map(|(needed, _)| needed),
        "approved_by": approvers.iter().map(|by| by.as_str()).collect::<Vec<_>>(),
        "until": pending.deadline.map(|until| until.to_string()),
        "transfers": transfers,
    })
}
