//! `pacs.008.001.08` and `.10`: another bank pays a customer of this one.
//!
//! Group header, then transactions with their own debtor and creditor. Settlement date and payment type
//! may stand in the header for all.

use std::sync::Arc;

use super::draft::{Content, Draft, Parsed, TypeInfo, all_faults, check_reference};
use super::error::{LocatedFault, ReadError, ReadFault, Spot};
use super::model::Place;
use super::parts::{self, AmountPart, FaultList, PartyPart};
use super::totals::{Declared, Found};
use super::xml::Cursor;
use super::{Header, Message, PAYMENTS_MAX};
use crate::ingest::decimal::Decimal;

/// Where transactions stand.
const TRANSACTION: &str = "/Document/FIToFICstmrCdtTrf/CdtTrfTxInf";

/// Reads the content of `FIToFICstmrCdtTrf`, entered.
pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Message, ReadError> {
    let mut message = Message::default();
    let mut header = None;
    let mut drafts: Vec<(Place, Draft)> = Vec::new();
    let mut found = Found::default();
    while let Some(element) = cursor.child()? {
        match element.local() {
            "GrpHdr" => {
                let read = GroupHeader::read(cursor)?;
                cursor.put(&mut header, read, "GrpHdr")?;
            }
            "CdtTrfTxInf" => {
                let place = cursor.place(drafts.len(), PAYMENTS_MAX)?;
                let draft = transaction(cursor)?;
                let amount = draft.amount.as_ref();
                let amount = parts::required_of((place, TRANSACTION), amount, "IntrBkSttlmAmt")?;
                found.add(cursor, amount.number)?;
                drafts.push((place, draft));
            }
            _ => cursor.skip()?,
        }
    }
    let header = parts::required(cursor, header, "GrpHdr")?;
    if let Some((total, at)) = header.total {
        check_total(&total, at, &drafts)?;
    }
    for (place, draft) in drafts {
        let parsed = finish(place, draft, &header.shared)?;
        message.payments.push(parsed);
    }
    message.ids = Some(header.ids);
    message.finish(header.declared, found, cursor.counts())
}

/// What the header says for all transactions.
#[derive(Debug, Default)]
struct Shared {
    type_info: Option<TypeInfo>,
    date: Option<String>,
}

#[derive(Debug)]
struct GroupHeader {
    ids: Header,
    declared: Declared,
    total: Option<(AmountPart, Spot)>,
    shared: Shared,
}

impl GroupHeader {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self, ReadError> {
        let mut total = None;
        let mut shared = Shared::default();
        let (ids, declared) = Header::read_with(cursor, |cursor, element| {
            match element.local() {
                "TtlIntrBkSttlmAmt" => {
                    // A total that is no money of its currency shows as a wrong total.
                    let read = parts::amount(cursor, element, &mut FaultList::default())?;
                    let at = cursor.spot();
                    cursor.put(&mut total, (read, at), "TtlIntrBkSttlmAmt")?;
                }
                "IntrBkSttlmDt" => {
                    let date = parts::date(cursor)?;
                    cursor.put(&mut shared.date, date, "IntrBkSttlmDt")?;
                }
                "PmtTpInf" => {
                    let info = TypeInfo::read(cursor)?;
                    cursor.put(&mut shared.type_info, info, "PmtTpInf")?;
                }
                _ => cursor.skip()?,
            }
            Ok(())
        })?;
        Ok(Self {
            ids,
            declared,
            total,
            shared,
        })
    }
}

/// The settlement total is the sum of all amounts, which are then all in its currency.
fn check_total(total: &AmountPart, at: Spot, drafts: &[(Place, Draft)]) -> Result<(), ReadError> {
    let amounts = drafts.iter().filter_map(|(_, draft)| draft.amount.as_ref());
    let (same, other): (Vec<_>, Vec<_>) =
        amounts.partition(|amount| amount.currency == total.currency);
    // Each amount was added once already into the sum of the file, so this sum cannot overflow.
    let found = same.iter().fold(Decimal::ZERO, |sum, amount| {
        sum.checked_add(amount.number).unwrap_or(sum)
    });
    if other.is_empty() && found == total.number {
        return Ok(());
    }
    let fault = ReadFault::SettlementTotal {
        expected: total.number,
        currency: super::source::shorten(&total.currency),
        found,
        other: u64::try_from(other.len()).unwrap_or(u64::MAX),
    };
    Err(ReadError { at, fault })
}

fn transaction(cursor: &mut Cursor<'_>) -> Result<Draft, ReadError> {
    let mut draft = Draft::default();
    while let Some(element) = cursor.child()? {
        if draft.read_shared(cursor, &element)? {
            continue;
        }
        match element.local() {
            "IntrBkSttlmAmt" => {
                let read = parts::amount(cursor, &element, &mut draft.faults)?;
                cursor.put(&mut draft.amount, read, "IntrBkSttlmAmt")?;
            }
            "IntrBkSttlmDt" => {
                let date = parts::date(cursor)?;
                cursor.put(&mut draft.date, date, "IntrBkSttlmDt")?;
            }
            "Dbtr" => draft.debtor.read_party(cursor, "Dbtr")?,
            "DbtrAcct" => draft
                .debtor
                .read_account(cursor, &mut draft.faults, "DbtrAcct")?,
            "DbtrAgt" => draft
                .debtor
                .read_agent(cursor, &mut draft.faults, "DbtrAgt")?,
            _ => cursor.skip()?,
        }
    }
    Ok(draft)
}

fn finish(place: Place, mut draft: Draft, shared: &Shared) -> Result<Parsed, ReadError> {
    let here = (place, TRANSACTION);
    let mut ids = parts::required_of(here, draft.ids, "PmtId")?;
    let end_to_end_id = parts::required_of(here, ids.end_to_end.take(), "EndToEndId")?;
    let header_types = shared.type_info.clone().unwrap_or_default();
    let types = draft.type_info.unwrap_or_default().or(&header_types);
    let instrument = types.local_instrument.as_deref();
    let at = place.spot(TRANSACTION);
    // `DbtrAcct` may be absent here: who pays in cash has none, and whoever receives this cannot add one.
    let debtor = draft
        .debtor
        .finish(&at, &mut draft.faults, ("debtor", None), instrument);
    let creditor = draft.creditor.finish(
        &at,
        &mut draft.faults,
        ("creditor", Some("CdtrAcct")),
        instrument,
    );
    let mut remittance = draft.remittance.unwrap_or_default();
    if let Err(error) = check_reference(&mut remittance, &creditor, instrument) {
        draft.faults.push(LocatedFault {
            at,
            fault: error.into(),
        });
    }
    let faults = all_faults(&[], draft.faults);
    let outcome = match draft.amount.and_then(|amount| amount.money) {
        Some(amount) if faults.is_empty() => Ok(Box::new(Content {
            amount,
            counter_currency: None,
            execution_date: draft.date.or_else(|| shared.date.clone()),
            debtor: Arc::new(debtor),
            ultimate_debtor: draft
                .ultimate_debtor
                .and_then(PartyPart::behind)
                .map(Arc::new),
            creditor,
            ultimate_creditor: draft.ultimate_creditor.and_then(PartyPart::behind),
            charge_bearer: draft.charge_bearer.map(Arc::from),
            purpose: draft
                .purpose
                .map(Arc::from)
                .or_else(|| types.category_purpose.clone()),
            types,
            remittance,
        })),
        _ => Err(faults),
    };
    Ok(Parsed {
        place,
        batch_id: None,
        ids,
        end_to_end_id,
        outcome,
    })
}
