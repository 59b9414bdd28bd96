//! The names of the requests a file becomes.
//!
//! A payment's request is named after the ids its sender gave it, so that the same file sent twice names
//! the same requests, and sealing them a second time changes nothing:
//! `MsgId/PmtInfId/InstrId` (or `EndToEndId` when there is no `InstrId`; pacs.008 has no `PmtInfId` and
//! puts `TxId` first).
//! Where that is no identifier, is not unique in the file, or where a part holds the separator, the name is
//! `iso:` and 32 hexadecimal digits of a SHA-256 over the parts and the payment's position in the file.
//!
//! INVARIANT(no-person): a request's name stands in its entry, so one in which an account number, or the
//! whole name of a party, can be read is hashed as well. What else its sender hides in an id is not known
//! here: ids are references by the standard.

use std::collections::HashMap;

use paygod_types::{Digest, IdError, RequestId};

use super::draft::Parsed;
use crate::ingest::account::AccountRef;
use crate::ingest::iban::Iban;

/// Separates the hash from every other use of SHA-256 here.
const DOMAIN: &str = "paygod/iso20022-request-id/v1";

/// One name for each payment, in their order, all different.
pub(super) fn assign(message_id: &str, payments: &[Parsed]) -> Result<Vec<RequestId>, IdError> {
    let plain: Vec<Option<RequestId>> = payments
        .iter()
        .map(|payment| plain_id(message_id, payment))
        .collect();
    let mut uses: HashMap<&RequestId, u32> = HashMap::new();
    for id in plain.iter().flatten() {
        let count = uses.entry(id).or_default();
        *count = count.saturating_add(1);
    }
    let is_unique = |id: &RequestId| uses.get(id) == Some(&1);
    let named = plain.iter().zip(payments);
    named
        .map(|(id, payment)| match id {
            Some(id) if is_unique(id) => Ok(id.clone()),
            _ => hashed_id(message_id, payment),
        })
        .collect()
}

fn last_part(payment: &Parsed) -> &str {
    let given = payment
        .ids
        .transaction
        .as_ref()
        .or(payment.ids.instruction.as_ref());
    given.unwrap_or(&payment.end_to_end_id)
}

fn plain_id(message_id: &str, payment: &Parsed) -> Option<RequestId> {
    let batch = payment.batch_id.as_deref();
    let parts: Vec<&str> = [Some(message_id), batch, Some(last_part(payment))]
        .into_iter()
        .flatten()
        .collect();
    let is_plain = |part: &&str| !part.contains('/') && Iban::parse(part).is_err();
    let joinable = parts.iter().all(is_plain)
        && !message_id.starts_with(HASHED_PREFIX)
        && !names_a_party(&parts.concat(), payment);
    joinable
        .then(|| RequestId::parse(&parts.join("/")).ok())
        .flatten()
}

/// Shorter names and numbers would be found by chance.
const TELLING_CHARS_MIN: usize = 5;

/// Whether an id spells the name or the account of a side of its payment, however it is punctuated.
fn names_a_party(id: &str, payment: &Parsed) -> bool {
    let Ok(content) = &payment.outcome else {
        return false;
    };
    let id = letters_and_digits(id);
    let tells = |text: &str| {
        let text = letters_and_digits(text);
        text.len() >= TELLING_CHARS_MIN && id.contains(&text)
    };
    [content.debtor.as_ref(), &content.creditor]
        .into_iter()
        .any(|party| {
            let reversed = |name: &String| name.split_whitespace().rev().collect::<String>();
            let name = party.name.as_ref();
            let account = party.account.as_ref().map(|account| match account {
                AccountRef::Iban(iban) => iban.as_str(),
                AccountRef::Other { id, .. } => id,
            });
            name.is_some_and(|name| tells(name) || tells(&reversed(name)))
                || account.is_some_and(tells)
        })
}

fn letters_and_digits(text: &str) -> String {
    text.chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_uppercase)
        .collect()
}

/// What begins a hashed name; a plain one that begins so is hashed too, lest the two kinds meet.
const HASHED_PREFIX: &str = "iso:";

fn hashed_id(message_id: &str, payment: &Parsed) -> Result<RequestId, IdError> {
    let mut bytes = Vec::new();
    let ids = &payment.ids;
    let parts = [
        Some(DOMAIN),
        Some(message_id),
        payment.batch_id.as_deref(),
        ids.transaction.as_deref(),
        ids.instruction.as_deref(),
        Some(&payment.end_to_end_id),
    ];
    for part in parts {
        // Length before content (u32, big endian; all ones for an absent part), so that no two lists of
        // parts make the same bytes.
        let length = part.map_or(u32::MAX, |part| {
            u32::try_from(part.len()).unwrap_or(u32::MAX)
        });
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(part.unwrap_or_default().as_bytes());
    }
    bytes.extend_from_slice(&payment.place.index.to_be_bytes());
    let digest = Digest::sha256(&bytes).to_string();
    let text: String = HASHED_PREFIX
        .chars()
        .chain(digest.chars().take(32))
        .collect();
    RequestId::parse(&text)
}
