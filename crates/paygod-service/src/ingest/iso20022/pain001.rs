//! `pain.001.001.03` and `.09`: a customer asks its bank to pay.
//!
//! Group header, then batches (`PmtInf`) with one debtor each, then transactions. A batch's values hold
//! for its transactions unless they say otherwise.

use std::sync::Arc;

use super::draft::{Content, Draft, Parsed, Side, TypeInfo, all_faults, check_reference};
use super::error::{Faults, LocatedFault, PaymentFault, ReadError, ReadFault};
use super::model::{MessageKind, Party, Place};
use super::parts::{self, FaultList, ID_CHARS_MAX, PartyPart};
use super::source::{shorten, shown};
use super::totals::{Declared, Found};
use super::xml::{Cursor, Element};
use super::{Message, PAYMENTS_MAX};

/// Where transactions stand.
const TRANSACTION: &str = "/Document/CstmrCdtTrfInitn/PmtInf/CdtTrfTxInf";

/// Reads the content of `CstmrCdtTrfInitn`, entered.
pub(super) fn read(cursor: &mut Cursor<'_>, kind: MessageKind) -> Result<Message, ReadError> {
    let mut message = Message::default();
    let mut declared = None;
    let mut found = Found::default();
    while let Some(element) = cursor.child()? {
        match element.local() {
            "GrpHdr" => {
                let header = message.read_header(cursor)?;
                cursor.put(&mut declared, header, "GrpHdr")?;
            }
            "PmtInf" => batch(cursor, kind, &mut message.payments, &mut found)?,
            _ => cursor.skip()?,
        }
    }
    let declared: Declared = parts::required(cursor, declared, "GrpHdr")?;
    message.finish(declared, found, cursor.counts())
}

/// What a batch says for all its transactions.
#[derive(Debug, Default)]
struct Batch {
    id: Option<String>,
    method: Option<String>,
    declared: Declared,
    type_info: Option<TypeInfo>,
    date: Option<String>,
    debtor: Side,
    ultimate_debtor: Option<PartyPart>,
    charge_bearer: Option<String>,
    faults: FaultList,
    drafts: Vec<(Place, Draft)>,
}

fn batch(
    cursor: &mut Cursor<'_>,
    kind: MessageKind,
    payments: &mut Vec<Parsed>,
    whole: &mut Found,
) -> Result<(), ReadError> {
    let mut batch = Batch::default();
    let mut found = Found::default();
    while let Some(element) = cursor.child()? {
        if element.local() != "CdtTrfTxInf" {
            batch.read(cursor, kind, &element)?;
            continue;
        }
        let place = cursor.place(
            payments.len().saturating_add(batch.drafts.len()),
            PAYMENTS_MAX,
        )?;
        let draft = transaction(cursor)?;
        let amount = parts::required_of((place, TRANSACTION), draft.amount.as_ref(), "Amt")?;
        found.add(cursor, amount.number)?;
        whole.add(cursor, amount.number)?;
        batch.drafts.push((place, draft));
    }
    batch.finish(cursor, found, payments)
}

impl Batch {
    fn read(
        &mut self,
        cursor: &mut Cursor<'_>,
        kind: MessageKind,
        element: &Element<'_>,
    ) -> Result<(), ReadError> {
        match element.local() {
            "PmtInfId" => parts::optional(cursor, &mut self.id, "PmtInfId", ID_CHARS_MAX)?,
            "PmtMtd" => {
                parts::optional(cursor, &mut self.method, "PmtMtd", ID_CHARS_MAX)?;
                if let Some(found) = self
                    .method
                    .as_deref()
                    .filter(|method| !matches!(*method, "TRF" | "TRA"))
                {
                    let fault = PaymentFault::Method {
                        found: shown(found),
                    };
                    self.faults.push(cursor.fault(fault));
                }
            }
            "NbOfTxs" => self.declared.read_count(cursor)?,
            "CtrlSum" => self.declared.read_sum(cursor)?,
            "PmtTpInf" => {
                let info = TypeInfo::read(cursor)?;
                cursor.put(&mut self.type_info, info, "PmtTpInf")?;
            }
            "ReqdExctnDt" => {
                let date = match kind {
                    MessageKind::Pain001V03 => Some(parts::date(cursor)?),
                    _ => parts::date_choice(cursor)?,
                };
                let date = parts::required(cursor, date, "ReqdExctnDt/Dt")?;
                cursor.put(&mut self.date, date, "ReqdExctnDt")?;
            }
            "Dbtr" => self.debtor.read_party(cursor, "Dbtr")?,
            "DbtrAcct" => self
                .debtor
                .read_account(cursor, &mut self.faults, "DbtrAcct")?,
            "DbtrAgt" => self
                .debtor
                .read_agent(cursor, &mut self.faults, "DbtrAgt")?,
            "UltmtDbtr" => {
                let party = parts::party(cursor)?;
                cursor.put(&mut self.ultimate_debtor, party, "UltmtDbtr")?;
            }
            "ChrgBr" => parts::optional(cursor, &mut self.charge_bearer, "ChrgBr", ID_CHARS_MAX)?,
            _ => cursor.skip()?,
        }
        Ok(())
    }

    fn finish(
        mut self,
        cursor: &mut Cursor<'_>,
        found: Found,
        payments: &mut Vec<Parsed>,
    ) -> Result<(), ReadError> {
        let id = parts::required(cursor, self.id, "PmtInfId")?;
        parts::required(cursor, self.method, "PmtMtd")?;
        if !self.debtor.has_party() {
            return Err(cursor.fail(ReadFault::Missing { element: "Dbtr" }));
        }
        if self.drafts.is_empty() {
            return Err(cursor.fail(ReadFault::Missing {
                element: "CdtTrfTxInf",
            }));
        }
        self.declared
            .check("payment information", found, cursor.counts())?;
        let at = cursor.spot();
        let debtor = self
            .debtor
            .finish(&at, &mut self.faults, ("debtor", Some("DbtrAcct")), None);
        let inherited = Inherited {
            batch_id: id.into(),
            type_info: self.type_info.unwrap_or_default(),
            date: parts::required(cursor, self.date, "ReqdExctnDt")?,
            debtor: Arc::new(debtor),
            ultimate_debtor: self
                .ultimate_debtor
                .and_then(PartyPart::behind)
                .map(Arc::new),
            charge_bearer: self.charge_bearer.map(Arc::from),
            faults: all_faults(&[], self.faults),
        };
        for (place, draft) in self.drafts {
            payments.push(inherited.finish(place, draft)?);
        }
        Ok(())
    }
}

/// The values of a batch that its transactions take over.
struct Inherited {
    batch_id: Arc<str>,
    type_info: TypeInfo,
    date: String,
    debtor: Arc<Party>,
    ultimate_debtor: Option<Arc<Party>>,
    charge_bearer: Option<Arc<str>>,
    faults: Faults,
}

impl Inherited {
    fn finish(&self, place: Place, mut draft: Draft) -> Result<Parsed, ReadError> {
        let here = (place, TRANSACTION);
        let mut ids = parts::required_of(here, draft.ids, "PmtId")?;
        let end_to_end_id = parts::required_of(here, ids.end_to_end.take(), "EndToEndId")?;
        let types = draft.type_info.unwrap_or_default().or(&self.type_info);
        let instrument = types.local_instrument.as_deref();
        let at = place.spot(TRANSACTION);
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
        let faults = all_faults(&self.faults, draft.faults);
        let outcome = match draft.amount.and_then(|amount| amount.money) {
            Some(amount) if faults.is_empty() => Ok(Box::new(Content {
                amount,
                counter_currency: draft.counter_currency,
                execution_date: Some(self.date.clone()),
                debtor: Arc::clone(&self.debtor),
                // The payment's own replaces that of the batch whole: the two are different people.
                ultimate_debtor: match draft.ultimate_debtor {
                    Some(own) => own.behind().map(Arc::new),
                    None => self.ultimate_debtor.clone(),
                },
                creditor,
                ultimate_creditor: draft.ultimate_creditor.and_then(PartyPart::behind),
                charge_bearer: draft
                    .charge_bearer
                    .map(Arc::from)
                    .or_else(|| self.charge_bearer.clone()),
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
            batch_id: Some(Arc::clone(&self.batch_id)),
            ids,
            end_to_end_id,
            outcome,
        })
    }
}

fn transaction(cursor: &mut Cursor<'_>) -> Result<Draft, ReadError> {
    let mut draft = Draft::default();
    while let Some(element) = cursor.child()? {
        if draft.read_shared(cursor, &element)? {
            continue;
        }
        match element.local() {
            "Amt" => amount(cursor, &mut draft)?,
            "ChqInstr" => {
                let fault = PaymentFault::Method {
                    found: "ChqInstr".into(),
                };
                draft.faults.push(cursor.fault(fault));
                cursor.skip()?;
            }
            _ => cursor.skip()?,
        }
    }
    Ok(draft)
}

/// `InstdAmt`, or `EqvtAmt`: so much in the debtor's currency, to arrive in another.
fn amount(cursor: &mut Cursor<'_>, draft: &mut Draft) -> Result<(), ReadError> {
    while let Some(choice) = cursor.child()? {
        cursor.once("InstdAmt or EqvtAmt")?;
        match choice.local() {
            "InstdAmt" => {
                let read = parts::amount(cursor, &choice, &mut draft.faults)?;
                cursor.put(&mut draft.amount, read, "InstdAmt or EqvtAmt")?;
            }
            "EqvtAmt" => {
                while let Some(part) = cursor.child()? {
                    match part.local() {
                        "Amt" => {
                            let read = parts::amount(cursor, &part, &mut draft.faults)?;
                            cursor.put(&mut draft.amount, read, "InstdAmt or EqvtAmt")?;
                        }
                        "CcyOfTrf" => {
                            let found = cursor.text(ID_CHARS_MAX)?.unwrap_or_default();
                            match paygod_types::Currency::parse(&found) {
                                Ok(currency) => {
                                    cursor.put(&mut draft.counter_currency, currency, "CcyOfTrf")?
                                }
                                Err(_) => {
                                    let fault = PaymentFault::Currency {
                                        found: shown(&found),
                                    };
                                    draft.faults.push(cursor.fault(fault));
                                }
                            }
                        }
                        _ => cursor.skip()?,
                    }
                }
            }
            name => {
                let fault = ReadFault::Unexpected {
                    found: shorten(name),
                    expected: "`InstdAmt` or `EqvtAmt`",
                };
                return Err(cursor.fail(fault));
            }
        }
    }
    // At once, lest an amount after an empty one pass for the only one.
    parts::required(cursor, draft.amount.as_ref(), "InstdAmt or EqvtAmt")?;
    Ok(())
}
