//! Writes requests in canonical form.

use paygod_types::canonical::Writer;
use paygod_types::limits::REQUEST_BYTES_MAX;
use paygod_types::{Amount, Currency};

use super::Spans;
use crate::command::{
    AccountLimit, AccountOpen, Activation, Command, FreezeScope, PendingTerms, Request, Transfer,
};
use crate::payment::{Party, PaymentDetails};
use crate::request_error::RequestError;

/// Appends the canonical form of a checked request and says where its transfers stand in `out`.
pub(crate) fn request(request: &Request, out: &mut Vec<u8>) -> Result<Spans, RequestError> {
    let start = out.len();
    let mut spans = Spans::new();
    let name = request.command.action().as_str();
    out.push(b'{');
    if name < "by" {
        command(name, &request.command, out, &mut spans);
        out.push(b',');
    }
    if let Some(by) = &request.by {
        string("by", by.as_str(), out);
        out.push(b',');
    }
    if ("by".."id").contains(&name) {
        command(name, &request.command, out, &mut spans);
        out.push(b',');
    }
    string("id", request.id.as_str(), out);
    if name > "id" {
        out.push(b',');
        command(name, &request.command, out, &mut spans);
    }
    out.push(b'}');
    let found = out.len().saturating_sub(start);
    if found > REQUEST_BYTES_MAX {
        out.truncate(start);
        return Err(RequestError::TooLarge { found });
    }
    Ok(spans)
}

/// Writes a key and a string that needs no escapes.
fn string(key: &str, value: &str, out: &mut Vec<u8>) {
    for part in ["\"", key, "\":\"", value, "\""] {
        out.extend_from_slice(part.as_bytes());
    }
}

fn literal(literal: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(literal.as_bytes());
}

fn command(name: &str, command: &Command, out: &mut Vec<u8>, spans: &mut Spans) {
    for part in ["\"", name, "\":"] {
        literal(part, out);
    }
    match command {
        Command::PolicyActivate(activation) => return self::activation(activation, out),
        Command::KeyPolicy(policy) => return policy.write(&mut Writer::new(out)),
        Command::PackTrust(rules) => return rules.write(&mut Writer::new(out)),
        Command::PackStage(staged) => return staged.write(&mut Writer::new(out)),
        Command::RunSeal(run) => return run.write(&mut Writer::new(out)),
        _ => {}
    }
    out.push(b'{');
    match command {
        Command::Transfer(request) => {
            transfers(&request.transfers, request.pending.as_ref(), out, spans);
        }
        Command::Correct(correction) => {
            string("corrects", correction.corrects.as_str(), out);
            out.push(b',');
            string("reason", correction.reason.as_str(), out);
            out.push(b',');
            transfers(&correction.transfers, None, out, spans);
        }
        Command::AccountOpen(open) => account_open(open, out),
        Command::AccountLimit(limit) => account_limit(limit, out),
        Command::AccountClose { account } => string("account", account.as_str(), out),
        Command::Post { pending, amounts } => {
            for (index, amount) in amounts.iter().flatten().enumerate() {
                literal(if index == 0 { "\"amounts\":[\"" } else { ",\"" }, out);
                literal(amount.as_str(), out);
                out.push(b'"');
            }
            if amounts.is_some() {
                literal("],", out);
            }
            string("pending", pending.as_str(), out);
        }
        Command::Void { pending } => string("pending", pending.as_str(), out),
        Command::Approve { request }
        | Command::Reject { request }
        | Command::EvidenceErase { request } => string("request", request.as_str(), out),
        Command::Freeze(scope) | Command::Unfreeze(scope) => freeze(scope, out),
        Command::PolicyActivate(_)
        | Command::KeyPolicy(_)
        | Command::PackTrust(_)
        | Command::PackStage(_)
        | Command::RunSeal(_) => {}
    }
    out.push(b'}');
}

fn activation(activation: &Activation, out: &mut Vec<u8>) {
    let mut writer = Writer::new(out);
    writer.begin_object();
    activation.set.write_members(&mut writer);
    if !activation.signatures.is_empty() {
        writer.key("signatures");
        writer.begin_array();
        for one in &activation.signatures {
            one.write(&mut writer);
        }
        writer.end_array();
    }
    writer.end_object();
}

fn transfers(
    transfers: &[Transfer],
    pending: Option<&PendingTerms>,
    out: &mut Vec<u8>,
    spans: &mut Spans,
) {
    literal("\"transfers\":[", out);
    spans.reserve_exact(transfers.len());
    for (index, transfer) in transfers.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        let start = out.len();
        self::transfer(transfer, pending, out);
        spans.push(start..out.len());
    }
    out.push(b']');
}

fn transfer(transfer: &Transfer, pending: Option<&PendingTerms>, out: &mut Vec<u8>) {
    literal("{\"amount\":\"", out);
    transfer.money.write_decimal(out);
    literal("\",", out);
    string("credit", transfer.credit.as_str(), out);
    out.push(b',');
    string("currency", transfer.money.currency.code(), out);
    out.push(b',');
    string("debit", transfer.debit.as_str(), out);
    if let Some(payment) = &transfer.payment {
        literal(",\"payment\":", out);
        out.extend_from_slice(payment.as_bytes());
    }
    match pending {
        Some(PendingTerms {
            timeout_s: Some(seconds),
        }) => {
            literal(",\"pending\":{\"timeout_s\":", out);
            Writer::new(out).u64(*seconds);
            out.push(b'}');
        }
        Some(PendingTerms { timeout_s: None }) => literal(",\"pending\":{}", out),
        None => {}
    }
    out.push(b'}');
}

fn account_open(open: &AccountOpen, out: &mut Vec<u8>) {
    string("account", open.account.as_str(), out);
    for (index, alias) in open.aliases.iter().enumerate() {
        literal(if index == 0 { ",\"aliases\":[" } else { "," }, out);
        Writer::new(out).hex(&alias.0);
    }
    if !open.aliases.is_empty() {
        out.push(b']');
    }
    out.push(b',');
    limits(open.currency, open.max_balance, open.min_balance, out);
}

fn account_limit(limit: &AccountLimit, out: &mut Vec<u8>) {
    string("account", limit.account.as_str(), out);
    out.push(b',');
    limits(limit.currency, limit.max_balance, limit.min_balance, out);
}

/// The last members of both: a currency and limits in it.
fn limits(currency: Currency, max: Option<Amount>, min: Option<Amount>, out: &mut Vec<u8>) {
    string("currency", currency.code(), out);
    for (key, limit) in [("max_balance", max), ("min_balance", min)] {
        if let Some(limit) = limit {
            for part in [",\"", key, "\":"] {
                literal(part, out);
            }
            Writer::new(out).amount(&limit.of(currency));
        }
    }
}

fn freeze(scope: &FreezeScope, out: &mut Vec<u8>) {
    literal("\"scope\":", out);
    match scope {
        FreezeScope::Book => literal("\"book\"", out),
        FreezeScope::Account(account) => {
            out.push(b'{');
            string("account", account.as_str(), out);
            out.push(b'}');
        }
        FreezeScope::Currency(currency) => {
            out.push(b'{');
            string("currency", currency.code(), out);
            out.push(b'}');
        }
    }
}

/// Appends the canonical form of a payment's details; empty parties are left out.
pub(crate) fn payment(details: &PaymentDetails, out: &mut Vec<u8>) {
    let mut writer = Writer::new(out);
    writer.begin_object();
    party("creditor", &details.creditor, &mut writer);
    party("debtor", &details.debtor, &mut writer);
    let texts = [
        ("end_to_end_id", &details.end_to_end_id),
        ("execution_date", &details.execution_date),
        ("instruction_id", &details.instruction_id),
        ("purpose", &details.purpose),
        ("reference", &details.reference),
        ("remittance", &details.remittance),
    ];
    members(&texts, &mut writer);
    party("ultimate_creditor", &details.ultimate_creditor, &mut writer);
    party("ultimate_debtor", &details.ultimate_debtor, &mut writer);
    writer.end_object();
}

fn party(key: &str, party: &Party, writer: &mut Writer<'_>) {
    if *party == Party::default() {
        return;
    }
    writer.key(key);
    writer.begin_object();
    let texts = [
        ("account", &party.account),
        ("agent", &party.agent),
        ("agent_country", &party.agent_country),
        ("agent_name", &party.agent_name),
        ("country", &party.country),
        ("name", &party.name),
        ("residence", &party.residence),
    ];
    members(&texts, writer);
    writer.end_object();
}

fn members(texts: &[(&str, &Option<String>)], writer: &mut Writer<'_>) {
    for (key, text) in texts {
        if let Some(text) = text {
            writer.key(key);
            writer.string(text);
        }
    }
}
