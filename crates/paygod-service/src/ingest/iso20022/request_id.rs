//! The names of the requests a file becomes.
//!
//! A payment's request is named after the ids its sender gave it, and after nothing else, so that the same payment names the
//! same request whatever stands before it in the file, or is corrected in it, and sealing it a second time changes nothing:
//! `MsgId/PmtInfId/InstrId` (or `EndToEndId` when there is no `InstrId`; pacs.008 has no `PmtInfId` and
//! puts `TxId` first).
//! Where that is no identifier, or where a part holds a separator, the name is `iso:` and 32 hexadecimal digits of a SHA-256
//! over the parts. A payment whose sender gave it no id (`NOTPROVIDED`) is hashed with its amount, and counted among those
//! that have no id and its amount: its [`Lookalikes`]. If one of them was sealed with other content, which of them was sealed
//! cannot be told, and none of them is to be taken.
//!
//! INVARIANT(no-person): a request's name stands in its entry, so one in which an account number, or the
//! whole name of a party, can be read is hashed as well. Such a payment has another name once its party is spelled otherwise:
//! [`Names::other`] is the one it would have, to be looked for before the payment is sealed. What else its sender hides in an id is
//! not known here: ids are references by the standard.

use std::collections::HashMap;
use std::sync::Arc;

use paygod_types::{Digest, IdError, Money, RequestId};

use super::draft::{Content, Ids, Parsed};
use super::error::{LocatedFault, PaymentFault};
use crate::ingest::account::AccountRef;
use crate::ingest::iban::Iban;

/// Separates the hash from every other use of SHA-256 here.
const DOMAIN: &str = "paygod/iso20022-request-id/v2";

/// What an `EndToEndId` says when there is none.
pub(crate) const NOT_PROVIDED: &str = "NOTPROVIDED";

/// The name of a request.
#[derive(Debug)]
pub(super) struct Names {
    pub(super) id: RequestId,
    /// The one it would have if its parties were spelled otherwise.
    pub(super) other: Option<RequestId>,
    /// Those that only its order tells it from, if its sender gave it no id.
    pub(super) lookalikes: Option<Lookalikes>,
}

/// Payments without an id, of one batch and one amount, which only their order tells apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Lookalikes {
    batch: Option<Arc<str>>,
    amount: Money,
}

/// Refuses the payments of an id that stands more than once: which of them a later file means could not be told. A UETR
/// stands for one payment wherever it is seen.
pub(super) fn refuse_twins(payments: &mut [Parsed]) {
    // Whether it is a UETR, the batch it counts in, and the id.
    let mut uses: HashMap<(bool, Option<Arc<str>>, String), u32> = HashMap::new();
    let keys = |payment: &Parsed| {
        let own = payment.ids.own(&payment.end_to_end_id);
        let own = own.map(|own| (false, payment.batch_id.clone(), own.to_owned()));
        let uetr = payment.ids.uetr.as_ref();
        let uetr = uetr.map(|uetr| (true, None, uetr.to_ascii_lowercase()));
        [own, uetr]
    };
    for key in payments.iter().flat_map(keys).flatten() {
        let count = uses.entry(key).or_default();
        *count = count.saturating_add(1);
    }
    for payment in payments {
        let counts = keys(payment).into_iter().flatten();
        let most = counts.filter_map(|key| uses.get(&key).copied()).max();
        let Some(count @ 2..) = most else {
            continue;
        };
        let fault = Arc::new(LocatedFault {
            at: payment.place.spot("PmtId"),
            fault: PaymentFault::Twin { count },
        });
        match &mut payment.outcome {
            Ok(_) => payment.outcome = Err(vec![fault]),
            Err(faults) => faults.push(fault),
        }
    }
}

/// Names payments one after the other, in the order of their file.
pub(super) struct Namer<'a> {
    message_id: &'a str,
    /// How many came before of those without an id of their own.
    unnamed: HashMap<Lookalikes, u32>,
}

impl<'a> Namer<'a> {
    pub(super) fn new(message_id: &'a str) -> Self {
        Self {
            message_id,
            unnamed: HashMap::new(),
        }
    }

    /// Names the payment of a batch that its sender calls `own`.
    pub(super) fn name(
        &mut self,
        batch_id: Option<&Arc<str>>,
        own: Option<&str>,
        content: &Content,
    ) -> Result<Names, IdError> {
        let batch = batch_id.map(AsRef::as_ref);
        let Some(own) = own else {
            let lookalikes = Lookalikes {
                batch: batch_id.cloned(),
                amount: content.amount,
            };
            let before = self.unnamed.entry(lookalikes.clone()).or_default();
            let (amount, count) = (content.amount.to_string(), before.to_string());
            *before = before.saturating_add(1);
            let parts = [
                Some(self.message_id),
                batch,
                None,
                Some(&amount),
                Some(&count),
            ];
            let id = hashed(&parts)?;
            return Ok(Names {
                id,
                other: None,
                lookalikes: Some(lookalikes),
            });
        };
        let hashed = hashed(&[Some(self.message_id), batch, Some(own)])?;
        let Some(plain) = plain(self.message_id, batch, own) else {
            return Ok(Names {
                id: hashed,
                other: None,
                lookalikes: None,
            });
        };
        let (id, other) = if names_a_party(plain.as_str(), content) {
            (hashed, plain)
        } else {
            (plain, hashed)
        };
        Ok(Names {
            id,
            other: Some(other),
            lookalikes: None,
        })
    }
}

impl Ids {
    /// What its sender calls the payment, if it does.
    pub(super) fn own<'i>(&'i self, end_to_end: &'i str) -> Option<&'i str> {
        let given = self.transaction.as_deref().or(self.instruction.as_deref());
        given.or_else(|| Some(end_to_end).filter(|id| *id != NOT_PROVIDED))
    }
}

/// The parts as they are, where that makes an identifier. What this command calls its own requests holds a colon.
fn plain(message_id: &str, batch: Option<&str>, own: &str) -> Option<RequestId> {
    let parts = [Some(message_id), batch, Some(own)];
    let parts: Vec<&str> = parts.into_iter().flatten().collect();
    let is_plain = |part: &&str| !part.contains(['/', ':']) && Iban::parse(part).is_err();
    let joined = parts.iter().all(is_plain).then(|| parts.join("/"))?;
    RequestId::parse(&joined).ok()
}

/// Shorter names and numbers would be found by chance.
const TELLING_CHARS_MIN: usize = 5;

/// Whether an id spells a name or an account of its payment, however it is punctuated: a name whole or two words of it that
/// follow each other, either way round, and of an IBAN also what its country calls the account.
fn names_a_party(id: &str, content: &Content) -> bool {
    let id = letters_and_digits(id);
    let tells = |text: &str| text.chars().count() >= TELLING_CHARS_MIN && id.contains(text);
    let spells = |name: &str| {
        let words: Vec<String> = name.split_whitespace().map(letters_and_digits).collect();
        let pairs = words.iter().zip(words.iter().skip(1));
        let reversed: String = words.iter().rev().map(String::as_str).collect();
        tells(&words.concat())
            || tells(&reversed)
            || pairs.into_iter().any(|(one, other)| {
                tells(&format!("{one}{other}")) || tells(&format!("{other}{one}"))
            })
    };
    let shows = |account: &AccountRef| match account {
        AccountRef::Iban(iban) => tells(iban.as_str()) || iban.as_str().get(4..).is_some_and(tells),
        AccountRef::Other { id, .. } => tells(&letters_and_digits(id)),
    };
    let ultimate = [
        content.ultimate_debtor.as_deref(),
        content.ultimate_creditor.as_ref(),
    ];
    let sides = [content.debtor.as_ref(), &content.creditor];
    sides
        .into_iter()
        .chain(ultimate.into_iter().flatten())
        .any(|party| {
            party.name.as_deref().is_some_and(spells) || party.account.as_ref().is_some_and(shows)
        })
}

/// In capitals, umlauts as they are written where they cannot be typed.
fn letters_and_digits(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let shown = text.chars().filter(|c| c.is_alphanumeric());
    for c in shown.flat_map(char::to_uppercase) {
        match c {
            'Ä' => out.push_str("AE"),
            'Ö' => out.push_str("OE"),
            'Ü' => out.push_str("UE"),
            c => out.push(c),
        }
    }
    out
}

fn hashed(parts: &[Option<&str>]) -> Result<RequestId, IdError> {
    let mut bytes = Vec::new();
    for part in [&[Some(DOMAIN)], parts].concat() {
        // Length before content (u32, big endian; all ones for an absent part), so that no two lists of
        // parts make the same bytes.
        let length = part.map_or(u32::MAX, |part| {
            u32::try_from(part.len()).unwrap_or(u32::MAX)
        });
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(part.unwrap_or_default().as_bytes());
    }
    let digest = Digest::sha256(&bytes).to_string();
    let text: String = "iso:".chars().chain(digest.chars().take(32)).collect();
    RequestId::parse(&text)
}
