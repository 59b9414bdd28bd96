//! One payment while it is read, and what it becomes once its batch is known.

use std::sync::Arc;

use super::error::{Faults, LocatedFault, PaymentFault, ReadError, Spot};
use paygod_types::{Currency, IdError};

use super::model::{Party, Payment, Place, RefusedPayment};
use super::parts::{
    self, AccountPart, AgentPart, AmountPart, FaultList, ID_CHARS_MAX, PartyPart, Remittance,
};
use super::request_id::{NOT_PROVIDED, Namer};
use super::xml::{Cursor, Element};
use crate::ingest::account::{AccountRef, SCHEME_SWISS_POST, SCHEME_UNNAMED};
use crate::ingest::iban::Iban;
use crate::ingest::reference::{ReferenceError, ReferenceKind, postal_account};

/// `PmtId`.
#[derive(Debug, Default)]
pub(super) struct Ids {
    pub(super) instruction: Option<String>,
    pub(super) end_to_end: Option<String>,
    pub(super) transaction: Option<String>,
    pub(super) uetr: Option<String>,
}

impl Ids {
    pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Self, ReadError> {
        let mut ids = Self::default();
        while let Some(element) = cursor.child()? {
            match element.local() {
                "InstrId" => {
                    parts::optional(cursor, &mut ids.instruction, "InstrId", ID_CHARS_MAX)?
                }
                "EndToEndId" => {
                    parts::optional(cursor, &mut ids.end_to_end, "EndToEndId", ID_CHARS_MAX)?
                }
                "TxId" => parts::optional(cursor, &mut ids.transaction, "TxId", ID_CHARS_MAX)?,
                "UETR" => parts::optional(
                    cursor,
                    &mut ids.uetr,
                    "UETR",
                    ID_CHARS_MAX.saturating_add(1),
                )?,
                _ => cursor.skip()?,
            }
        }
        // What a bank writes where it was given no id is none, so it makes no twins.
        for id in [&mut ids.instruction, &mut ids.transaction] {
            id.take_if(|id| *id == NOT_PROVIDED);
        }
        Ok(ids)
    }
}

/// `PmtTpInf`. Each value given by a payment stands before the one given for its batch.
#[derive(Debug, Default, Clone)]
pub(super) struct TypeInfo {
    pub(super) service_level: Option<Arc<str>>,
    pub(super) local_instrument: Option<Arc<str>>,
    pub(super) category_purpose: Option<Arc<str>>,
}

impl TypeInfo {
    pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Self, ReadError> {
        let mut info = Self::default();
        while let Some(element) = cursor.child()? {
            let (slot, name) = match element.local() {
                // From 2019 on a payment may name several service levels: the first counts.
                "SvcLvl" if info.service_level.is_some() => {
                    cursor.skip()?;
                    continue;
                }
                "SvcLvl" => {
                    info.service_level = parts::code_or_proprietary(cursor)?.map(Arc::from);
                    continue;
                }
                "LclInstrm" => (&mut info.local_instrument, "LclInstrm"),
                "CtgyPurp" => (&mut info.category_purpose, "CtgyPurp"),
                _ => {
                    cursor.skip()?;
                    continue;
                }
            };
            cursor.once(name)?;
            *slot = parts::code_or_proprietary(cursor)?.map(Arc::from);
        }
        Ok(info)
    }

    pub(super) fn or(self, batch: &Self) -> Self {
        Self {
            service_level: self.service_level.or_else(|| batch.service_level.clone()),
            local_instrument: self
                .local_instrument
                .or_else(|| batch.local_instrument.clone()),
            category_purpose: self
                .category_purpose
                .or_else(|| batch.category_purpose.clone()),
        }
    }
}

/// A side of a payment while it is read.
#[derive(Debug, Default)]
pub(super) struct Side {
    party: Option<PartyPart>,
    account: Option<(AccountPart, Option<Currency>)>,
    agent: Option<AgentPart>,
}

impl Side {
    pub(super) fn read_party(
        &mut self,
        cursor: &mut Cursor<'_>,
        element: &'static str,
    ) -> Result<(), ReadError> {
        let party = parts::party(cursor)?;
        cursor.put(&mut self.party, party, element)
    }

    pub(super) fn read_account(
        &mut self,
        cursor: &mut Cursor<'_>,
        faults: &mut FaultList,
        element: &'static str,
    ) -> Result<(), ReadError> {
        let account = parts::account(cursor, faults)?;
        cursor.put(&mut self.account, account, element)
    }

    pub(super) fn read_agent(
        &mut self,
        cursor: &mut Cursor<'_>,
        faults: &mut FaultList,
        element: &'static str,
    ) -> Result<(), ReadError> {
        let agent = parts::agent(cursor, faults)?;
        cursor.put(&mut self.agent, agent, element)
    }

    pub(super) const fn has_party(&self) -> bool {
        self.party.is_some()
    }

    /// `due` is the side and the element that must name its account; without an element, it may have none.
    /// Swiss payment types 1 (`CH01`), 2 (`CH02`, `CH03`) name postal accounts without a scheme.
    pub(super) fn finish(
        self,
        at: &Spot,
        faults: &mut FaultList,
        due: (&'static str, Option<&'static str>),
        local_instrument: Option<&str>,
    ) -> Party {
        let (side, element) = due;
        let mut refuse = |fault| {
            faults.push(LocatedFault {
                at: at.clone(),
                fault,
            })
        };
        let (account, account_currency) = self.account.unzip();
        let account = match account {
            Some(AccountPart::Named(account)) => Some(account),
            Some(AccountPart::Unusable) => None,
            Some(AccountPart::Unnamed(id)) => {
                let is_postal = matches!(local_instrument, Some("CH01" | "CH02" | "CH03"));
                let account = if is_postal {
                    postal_account(&id)
                        .and_then(|number| AccountRef::other(SCHEME_SWISS_POST, &number))
                } else {
                    AccountRef::other(SCHEME_UNNAMED, &id)
                };
                if account.is_none() {
                    let detail = "it is not a postal account whose check digit holds";
                    refuse(PaymentFault::Account { detail });
                }
                account
            }
            None => {
                if let Some(element) = element {
                    refuse(PaymentFault::AccountMissing { side, element });
                }
                None
            }
        };
        let party = self.party.unwrap_or_default();
        let agent = self.agent.unwrap_or_default();
        Party {
            name: party.name,
            account,
            account_currency: account_currency.flatten(),
            agent: agent.code,
            agent_country: agent.country,
            agent_name: agent.name,
            country: party.country,
            residence: party.residence,
        }
    }
}

/// One transaction as read, before it takes over what its batch says.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) ids: Option<Ids>,
    pub(super) type_info: Option<TypeInfo>,
    pub(super) amount: Option<AmountPart>,
    pub(super) counter_currency: Option<Currency>,
    pub(super) date: Option<String>,
    pub(super) charge_bearer: Option<String>,
    pub(super) debtor: Side,
    pub(super) ultimate_debtor: Option<PartyPart>,
    pub(super) creditor: Side,
    pub(super) ultimate_creditor: Option<PartyPart>,
    pub(super) purpose: Option<String>,
    pub(super) remittance: Option<Remittance>,
    pub(super) faults: FaultList,
}

impl Draft {
    /// What both messages spell alike within a transaction. `false` when it is something else, which the
    /// caller has to read or skip.
    pub(super) fn read_shared(
        &mut self,
        cursor: &mut Cursor<'_>,
        element: &Element<'_>,
    ) -> Result<bool, ReadError> {
        match element.local() {
            "PmtId" => {
                let ids = Ids::read(cursor)?;
                cursor.put(&mut self.ids, ids, "PmtId")?;
            }
            "PmtTpInf" => {
                let info = TypeInfo::read(cursor)?;
                cursor.put(&mut self.type_info, info, "PmtTpInf")?;
            }
            "ChrgBr" => parts::optional(cursor, &mut self.charge_bearer, "ChrgBr", ID_CHARS_MAX)?,
            "UltmtDbtr" => {
                let party = parts::party(cursor)?;
                cursor.put(&mut self.ultimate_debtor, party, "UltmtDbtr")?;
            }
            "CdtrAgt" => self
                .creditor
                .read_agent(cursor, &mut self.faults, "CdtrAgt")?,
            "Cdtr" => self.creditor.read_party(cursor, "Cdtr")?,
            "CdtrAcct" => self
                .creditor
                .read_account(cursor, &mut self.faults, "CdtrAcct")?,
            "UltmtCdtr" => {
                let party = parts::party(cursor)?;
                cursor.put(&mut self.ultimate_creditor, party, "UltmtCdtr")?;
            }
            "Purp" => {
                cursor.once("Purp")?;
                self.purpose = parts::code_or_proprietary(cursor)?;
            }
            "RmtInf" => {
                let remittance = parts::remittance(cursor, &mut self.faults)?;
                cursor.put(&mut self.remittance, remittance, "RmtInf")?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// Checks a structured reference against its kind and against the account it goes to. QR and ISR references are printed
/// in groups; the groups are no part of them.
pub(super) fn check_reference(
    remittance: &mut Remittance,
    creditor: &Party,
    local_instrument: Option<&str>,
) -> Result<(), ReferenceError> {
    // Without a usable account the payment is refused already, for that reason.
    let Some(account) = &creditor.account else {
        return Ok(());
    };
    let is_qr_account = account.iban().is_some_and(Iban::is_qr);
    let kind = match remittance.declared {
        Some(kind) => kind,
        None if local_instrument == Some("CH01") => ReferenceKind::Isr,
        // Before the QR-bill's type code was mandatory, a QR-IBAN alone made a reference a QR reference.
        None if is_qr_account => ReferenceKind::Qr,
        None => ReferenceKind::Other,
    };
    match &mut remittance.reference {
        Some(reference) => {
            if matches!(kind, ReferenceKind::Qr | ReferenceKind::Isr) {
                reference.retain(|c| !c.is_whitespace());
            }
            kind.check(reference)?;
        }
        None if is_qr_account => return Err(ReferenceError::QrMissing),
        None => {}
    }
    match kind {
        ReferenceKind::Qr if !is_qr_account && remittance.reference.is_some() => {
            Err(ReferenceError::QrUnexpected)
        }
        ReferenceKind::Qr => Ok(()),
        _ if is_qr_account => Err(ReferenceError::QrMissing),
        _ => Ok(()),
    }
}

/// A read payment, before its request id is known to be unique.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) place: Place,
    pub(super) batch_id: Option<Arc<str>>,
    pub(super) ids: Ids,
    pub(super) end_to_end_id: String,
    pub(super) outcome: Result<Box<Content>, Faults>,
}

/// What a sound payment says beside its ids.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) amount: paygod_types::Money,
    pub(super) counter_currency: Option<Currency>,
    pub(super) execution_date: Option<String>,
    pub(super) debtor: Arc<Party>,
    pub(super) ultimate_debtor: Option<Arc<Party>>,
    pub(super) creditor: Party,
    pub(super) ultimate_creditor: Option<Party>,
    pub(super) charge_bearer: Option<Arc<str>>,
    pub(super) types: TypeInfo,
    pub(super) purpose: Option<Arc<str>>,
    pub(super) remittance: Remittance,
}

/// The faults of a payment together with those of its batch.
pub(super) fn all_faults(batch: &[Arc<LocatedFault>], own: FaultList) -> Faults {
    batch.iter().cloned().chain(own.into_faults()).collect()
}

impl Parsed {
    pub(super) fn finish(
        self,
        namer: &mut Namer<'_>,
    ) -> Result<Result<Payment, RefusedPayment>, IdError> {
        let content = match self.outcome {
            Ok(content) => content,
            Err(faults) => {
                return Ok(Err(RefusedPayment {
                    place: self.place,
                    end_to_end_id: self.end_to_end_id,
                    faults,
                }));
            }
        };
        let own = self.ids.own(&self.end_to_end_id);
        let names = namer.name(self.batch_id.as_ref(), own, &content)?;
        Ok(Ok(Payment {
            place: self.place,
            request_id: names.id,
            other_id: names.other,
            lookalikes: names.lookalikes,
            batch_id: self.batch_id,
            instruction_id: self.ids.instruction,
            end_to_end_id: self.end_to_end_id,
            transaction_id: self.ids.transaction,
            uetr: self.ids.uetr,
            amount: content.amount,
            counter_currency: content.counter_currency,
            execution_date: content.execution_date,
            debtor: content.debtor,
            ultimate_debtor: content.ultimate_debtor,
            creditor: content.creditor,
            ultimate_creditor: content.ultimate_creditor,
            charge_bearer: content.charge_bearer,
            local_instrument: content.types.local_instrument,
            service_level: content.types.service_level,
            purpose: content.purpose,
            reference: content.remittance.reference,
            remittance: content.remittance.text,
        }))
    }
}
