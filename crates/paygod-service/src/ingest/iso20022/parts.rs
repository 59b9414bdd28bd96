//! The components that both messages are made of: parties, accounts, agents, amounts, remittance, dates.
//!
//! A fault that spoils one payment goes to the list passed in; what makes the file unreadable is the
//! error returned.

use std::sync::Arc;

use paygod_types::{Currency, Money, Timestamp};

use super::error::{LocatedFault, PaymentFault, ReadError, ReadFault};
use super::model::{Agent, Party, Place};
use super::source::{shorten, shown};
use super::xml::{Cursor, Element};
use crate::ingest::account::{AccountRef, spelt_iban};
use crate::ingest::bic::Bic;
use crate::ingest::decimal::Decimal;
use crate::ingest::iban::Iban;
use crate::ingest::reference::{ReferenceKind, normal_reference};

/// `Max35Text`.
pub(super) const ID_CHARS_MAX: usize = 35;
/// `Max140Text`.
pub(super) const NAME_CHARS_MAX: usize = 140;
/// Unstructured remittance of one payment, all lines together. A request holds no longer text.
const REMITTANCE_BYTES_MAX: usize = 1_024;
/// Longest code or date of those read.
const CODE_CHARS_MAX: usize = 35;

/// Faults kept of one payment, and of one batch; those beyond add nothing its sender can use.
const FAULTS_MAX: usize = 8;

/// The faults of one payment or batch, at most [`FAULTS_MAX`].
#[derive(Debug, Default)]
pub(super) struct FaultList(Vec<LocatedFault>);

impl FaultList {
    pub(super) fn push(&mut self, fault: LocatedFault) {
        if self.0.len() < FAULTS_MAX {
            self.0.push(fault);
        }
    }

    pub(super) fn into_faults(self) -> impl Iterator<Item = Arc<LocatedFault>> {
        self.0.into_iter().map(Arc::new)
    }
}

/// A text that may be absent.
pub(super) fn optional(
    cursor: &mut Cursor<'_>,
    slot: &mut Option<String>,
    element: &'static str,
    chars_max: usize,
) -> Result<(), ReadError> {
    cursor.once(element)?;
    match cursor.text(chars_max)? {
        Some(text) => cursor.put(slot, text, element),
        None => Ok(()),
    }
}

/// What a mandatory element gave.
pub(super) fn required<T>(
    cursor: &mut Cursor<'_>,
    slot: Option<T>,
    element: &'static str,
) -> Result<T, ReadError> {
    slot.ok_or_else(|| cursor.fail(ReadFault::Missing { element }))
}

/// What a mandatory element of one payment gave; when it gave nothing, the error names the place of that payment.
pub(super) fn required_of<T>(
    (place, path): (Place, &str),
    slot: Option<T>,
    element: &'static str,
) -> Result<T, ReadError> {
    slot.ok_or_else(|| ReadError {
        at: place.spot(path),
        fault: ReadFault::Missing { element },
    })
}

/// Name and countries of a party.
#[derive(Debug, Default, Clone)]
pub(super) struct PartyPart {
    pub(super) name: Option<String>,
    pub(super) country: Option<String>,
    pub(super) residence: Option<String>,
}

impl PartyPart {
    /// Somebody behind a side of a payment; `None` when nothing is said of them.
    pub(super) fn behind(self) -> Option<Party> {
        let party = Party {
            name: self.name,
            country: self.country,
            residence: self.residence,
            ..Party::default()
        };
        (party != Party::default()).then_some(party)
    }
}

pub(super) fn party(cursor: &mut Cursor<'_>) -> Result<PartyPart, ReadError> {
    let (mut name, mut address, mut residence) = (None, None, None);
    while let Some(element) = cursor.child()? {
        match element.local() {
            "Nm" => optional(cursor, &mut name, "Nm", NAME_CHARS_MAX)?,
            "CtryOfRes" => country(cursor, &mut residence, "CtryOfRes")?,
            "PstlAdr" => address_country(cursor, &mut address)?,
            _ => cursor.skip()?,
        }
    }
    Ok(PartyPart {
        name,
        residence: residence
            .clone()
            .filter(|_| address.is_some() && address != residence),
        country: address.or(residence),
    })
}

/// `PstlAdr`, entered: its country.
fn address_country(cursor: &mut Cursor<'_>, slot: &mut Option<String>) -> Result<(), ReadError> {
    cursor.once("PstlAdr")?;
    while let Some(line) = cursor.child()? {
        match line.local() {
            "Ctry" => country(cursor, slot, "Ctry")?,
            _ => cursor.skip()?,
        }
    }
    Ok(())
}

/// `CountryCode`: two capital letters.
fn country(
    cursor: &mut Cursor<'_>,
    slot: &mut Option<String>,
    element: &'static str,
) -> Result<(), ReadError> {
    cursor.once(element)?;
    let Some(found) = cursor.text(CODE_CHARS_MAX)? else {
        return Ok(());
    };
    if found.len() != 2 || !found.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Err(cursor.fail(ReadFault::Value {
            found: shown(&found),
            expected: "a two-letter country code",
        }));
    }
    cursor.put(slot, found, element)
}

/// An account before the dialect of its payment is known.
#[derive(Debug, Clone)]
pub(super) enum AccountPart {
    Named(AccountRef),
    /// `Othr/Id` without a scheme: a postal account in Swiss payment types 1 and 2.
    Unnamed(String),
    /// Its fault is in the list.
    Unusable,
}

pub(super) fn account(
    cursor: &mut Cursor<'_>,
    faults: &mut FaultList,
) -> Result<(AccountPart, Option<Currency>), ReadError> {
    let at = cursor.spot();
    let (mut found, mut detail) = (None, "its `Id` is missing or empty");
    let mut currency = None;
    while let Some(element) = cursor.child()? {
        match element.local() {
            "Id" => {
                cursor.once("Id")?;
                while let Some(choice) = cursor.child()? {
                    let part = match choice.local() {
                        "IBAN" => iban(cursor, faults)?,
                        "Othr" => other_account(cursor, faults)?,
                        name => {
                            let fault = ReadFault::Unexpected {
                                found: shorten(name),
                                expected: "`IBAN` or `Othr`",
                            };
                            return Err(cursor.fail(fault));
                        }
                    };
                    cursor.put(&mut found, part, "IBAN or Othr")?;
                }
            }
            "Ccy" => {
                cursor.once("Ccy")?;
                let text = cursor.text(CODE_CHARS_MAX)?.unwrap_or_default();
                match Currency::parse(&text) {
                    Ok(read) => currency = Some(read),
                    Err(_) => faults.push(cursor.fault(PaymentFault::Currency {
                        found: shown(&text),
                    })),
                }
            }
            "Prxy" => {
                detail = "a proxy (`Prxy`) alone is not taken, `Id` is needed";
                cursor.skip()?;
            }
            _ => cursor.skip()?,
        }
    }
    let found = found.unwrap_or_else(|| {
        let fault = PaymentFault::Account { detail };
        faults.push(LocatedFault { at, fault });
        AccountPart::Unusable
    });
    Ok((found, currency))
}

fn iban(cursor: &mut Cursor<'_>, faults: &mut FaultList) -> Result<AccountPart, ReadError> {
    let text = cursor
        .text(ID_CHARS_MAX.saturating_mul(2))?
        .unwrap_or_default();
    Ok(match Iban::parse(&text) {
        Ok(iban) => AccountPart::Named(AccountRef::Iban(iban)),
        Err(error) => {
            faults.push(cursor.fault(error.into()));
            AccountPart::Unusable
        }
    })
}

fn other_account(
    cursor: &mut Cursor<'_>,
    faults: &mut FaultList,
) -> Result<AccountPart, ReadError> {
    let (mut id, mut scheme) = (None, None);
    while let Some(element) = cursor.child()? {
        match element.local() {
            "Id" => optional(cursor, &mut id, "Id", ID_CHARS_MAX)?,
            "SchmeNm" => {
                cursor.once("SchmeNm")?;
                let code = code_or_proprietary(cursor)?;
                if let Some(code) = code {
                    cursor.put(&mut scheme, code, "SchmeNm")?;
                }
            }
            _ => cursor.skip()?,
        }
    }
    let id = required(cursor, id, "Othr/Id")?;
    if let Some(iban) = spelt_iban(&id) {
        return Ok(AccountPart::Named(AccountRef::Iban(iban)));
    }
    let Some(scheme) = scheme else {
        return Ok(AccountPart::Unnamed(id));
    };
    let letters = scheme.chars().filter(|c| c.is_alphanumeric());
    if letters.collect::<String>().eq_ignore_ascii_case("IBAN")
        && let Err(error) = Iban::parse(&id)
    {
        faults.push(cursor.fault(error.into()));
        return Ok(AccountPart::Unusable);
    }
    Ok(match AccountRef::other(&scheme, &id) {
        Some(account) => AccountPart::Named(account),
        None => {
            faults.push(cursor.fault(PaymentFault::Account {
                detail: "its scheme holds a colon",
            }));
            AccountPart::Unusable
        }
    })
}

/// The choice `Cd` or `Prtry`.
pub(super) fn code_or_proprietary(cursor: &mut Cursor<'_>) -> Result<Option<String>, ReadError> {
    let mut code = None;
    while let Some(element) = cursor.child()? {
        match element.local() {
            "Cd" | "Prtry" => optional(cursor, &mut code, "Cd or Prtry", CODE_CHARS_MAX)?,
            _ => cursor.skip()?,
        }
    }
    Ok(code)
}

/// Code, name and country of a bank.
#[derive(Debug, Default)]
pub(super) struct AgentPart {
    pub(super) code: Option<Agent>,
    pub(super) name: Option<String>,
    pub(super) country: Option<String>,
}

/// A bank: `FinInstnId` with `BIC` (2009 versions), `BICFI`, or a clearing system's member; name and country.
pub(super) fn agent(
    cursor: &mut Cursor<'_>,
    faults: &mut FaultList,
) -> Result<AgentPart, ReadError> {
    let (mut bic, mut member) = (None, None);
    let mut agent = AgentPart::default();
    while let Some(element) = cursor.child()? {
        match element.local() {
            "FinInstnId" => {
                cursor.once("FinInstnId")?;
                while let Some(part) = cursor.child()? {
                    match part.local() {
                        "BIC" | "BICFI" => {
                            let found = cursor.text(CODE_CHARS_MAX)?.unwrap_or_default();
                            match Bic::parse(&found) {
                                Some(read) => cursor.put(&mut bic, read, "BIC or BICFI")?,
                                None => faults.push(cursor.fault(PaymentFault::Bic {
                                    found: shown(&found),
                                })),
                            }
                        }
                        "ClrSysMmbId" => {
                            let read = clearing_member(cursor)?;
                            cursor.put(&mut member, read, "ClrSysMmbId")?;
                        }
                        "Nm" => optional(cursor, &mut agent.name, "Nm", NAME_CHARS_MAX)?,
                        "PstlAdr" => address_country(cursor, &mut agent.country)?,
                        _ => cursor.skip()?,
                    }
                }
            }
            _ => cursor.skip()?,
        }
    }
    agent.code = bic.map(Agent::Bic).or(member);
    Ok(agent)
}

fn clearing_member(cursor: &mut Cursor<'_>) -> Result<Agent, ReadError> {
    let (mut system, mut member) = (None, None);
    while let Some(element) = cursor.child()? {
        match element.local() {
            "ClrSysId" => {
                cursor.once("ClrSysId")?;
                if let Some(code) = code_or_proprietary(cursor)? {
                    cursor.put(&mut system, code, "ClrSysId")?;
                }
            }
            "MmbId" => optional(cursor, &mut member, "MmbId", ID_CHARS_MAX)?,
            _ => cursor.skip()?,
        }
    }
    let member = required(cursor, member, "MmbId")?;
    Ok(Agent::Member {
        system: system.unwrap_or_default(),
        member,
    })
}

/// An amount as it stands, and the money it is, unless a fault says why it is none.
#[derive(Debug)]
pub(super) struct AmountPart {
    pub(super) number: Decimal,
    pub(super) currency: String,
    pub(super) money: Option<Money>,
}

pub(super) fn amount(
    cursor: &mut Cursor<'_>,
    element: &Element<'_>,
    faults: &mut FaultList,
) -> Result<AmountPart, ReadError> {
    let currency = required(cursor, element.attribute("Ccy"), "Ccy")?;
    let text = cursor.text(CODE_CHARS_MAX)?.unwrap_or_default();
    let number = match Decimal::parse(&text) {
        Some(number) if !number.is_negative() => number,
        _ => {
            return Err(cursor.fail(ReadFault::Value {
                found: shown(&text),
                expected: "an amount: digits with a point and no sign",
            }));
        }
    };
    let money = match Currency::parse(&currency) {
        Err(_) => Err(PaymentFault::Currency {
            found: shown(&currency),
        }),
        Ok(known) => match Money::parse_relaxed(&text, known) {
            Err(error) => Err(PaymentFault::Amount(error)),
            Ok(money) if money.amount.is_zero() => Err(PaymentFault::ZeroAmount),
            Ok(money) => Ok(money),
        },
    };
    let money = money.map_err(|fault| faults.push(cursor.fault(fault))).ok();
    Ok(AmountPart {
        number,
        currency,
        money,
    })
}

/// What a payment is for.
#[derive(Debug, Default)]
pub(super) struct Remittance {
    pub(super) text: Option<String>,
    pub(super) reference: Option<String>,
    pub(super) declared: Option<ReferenceKind>,
}

pub(super) fn remittance(
    cursor: &mut Cursor<'_>,
    faults: &mut FaultList,
) -> Result<Remittance, ReadError> {
    let mut found = Remittance::default();
    let mut is_too_long = false;
    while let Some(element) = cursor.child()? {
        match element.local() {
            "Ustrd" => {
                let Some(line) = cursor.text(NAME_CHARS_MAX)? else {
                    continue;
                };
                if is_too_long {
                    continue;
                }
                let text = found.text.get_or_insert_default();
                if !text.is_empty() {
                    text.push(' ');
                }
                text.push_str(&line);
                if text.len() > REMITTANCE_BYTES_MAX {
                    is_too_long = true;
                    faults.push(cursor.fault(PaymentFault::Remittance {
                        bytes_max: REMITTANCE_BYTES_MAX,
                    }));
                }
            }
            "Strd" => structured(cursor, &mut found)?,
            _ => cursor.skip()?,
        }
    }
    Ok(found)
}

/// The first block with a reference counts, one of a letter or digit at least; further `Strd` blocks detail the same payment.
fn structured(cursor: &mut Cursor<'_>, found: &mut Remittance) -> Result<(), ReadError> {
    let (mut reference, mut code, mut issuer) = (None, None, None);
    while let Some(element) = cursor.child()? {
        match element.local() {
            "CdtrRefInf" => {
                cursor.once("CdtrRefInf")?;
                while let Some(part) = cursor.child()? {
                    match part.local() {
                        "Ref" => optional(cursor, &mut reference, "Ref", ID_CHARS_MAX)?,
                        "Tp" => {
                            cursor.once("Tp")?;
                            while let Some(kind) = cursor.child()? {
                                match kind.local() {
                                    "CdOrPrtry" => {
                                        cursor.once("CdOrPrtry")?;
                                        code = code_or_proprietary(cursor)?;
                                    }
                                    "Issr" => optional(cursor, &mut issuer, "Issr", ID_CHARS_MAX)?,
                                    _ => cursor.skip()?,
                                }
                            }
                        }
                        _ => cursor.skip()?,
                    }
                }
            }
            _ => cursor.skip()?,
        }
    }
    if found.reference.is_none()
        && let Some(reference) = reference.as_deref().and_then(normal_reference)
    {
        found.declared = code.map(|code| match code.as_str() {
            "QRR" => ReferenceKind::Qr,
            "SCOR" if is_iso_11649(&reference, issuer.as_deref()) => ReferenceKind::Scor,
            _ => ReferenceKind::Other,
        });
        found.reference = Some(reference);
    }
    Ok(())
}

/// `SCOR` is a creditor's reference of any standard, `Issr` says whose: Belgium, Finland and Norway have their own. One
/// that begins as ISO 11649 says is meant as such, whatever `Issr` says.
fn is_iso_11649(reference: &str, issuer: Option<&str>) -> bool {
    let mut head = reference.bytes().filter(u8::is_ascii_alphanumeric);
    let mut next_is = |holds: fn(&u8) -> bool| head.next().is_some_and(|byte| holds(&byte));
    let begins = next_is(|byte| byte.eq_ignore_ascii_case(&b'R'))
        && next_is(|byte| byte.eq_ignore_ascii_case(&b'F'))
        && next_is(u8::is_ascii_digit)
        && next_is(u8::is_ascii_digit);
    begins || issuer.is_some_and(|issuer| issuer.eq_ignore_ascii_case("ISO"))
}

/// `ISODate`: the first ten characters are kept, a zone after them is not.
pub(super) fn date(cursor: &mut Cursor<'_>) -> Result<String, ReadError> {
    let text = cursor.text(CODE_CHARS_MAX)?.unwrap_or_default();
    let day = text.get(..10).unwrap_or_default();
    let zone = text
        .get(10..)
        .filter(|zone| !zone.is_empty())
        .unwrap_or("Z");
    match Timestamp::parse_rfc3339(&format!("{day}T00:00:00{zone}")) {
        Ok(_) => Ok(day.to_owned()),
        Err(_) => Err(cursor.fail(ReadFault::Value {
            found: shown(&text),
            expected: "a date such as `2026-11-22`",
        })),
    }
}

/// `ISODateTime`, with or without a zone, as written.
pub(super) fn date_time(cursor: &mut Cursor<'_>) -> Result<String, ReadError> {
    let text = cursor.text(CODE_CHARS_MAX)?.unwrap_or_default();
    let read =
        Timestamp::parse_rfc3339(&text).or_else(|_| Timestamp::parse_rfc3339(&format!("{text}Z")));
    match read {
        Ok(_) => Ok(text),
        Err(_) => {
            let expected = "a date and time such as `2026-11-22T09:40:05`";
            Err(cursor.fail(ReadFault::Value {
                found: shown(&text),
                expected,
            }))
        }
    }
}

/// `DateAndDateTime2Choice` of the 2019 versions: `Dt` or `DtTm`; gives the date, in UTC where there is a zone.
pub(super) fn date_choice(cursor: &mut Cursor<'_>) -> Result<Option<String>, ReadError> {
    let mut found = None;
    while let Some(element) = cursor.child()? {
        let day = match element.local() {
            "Dt" => date(cursor)?,
            "DtTm" => utc_day(&date_time(cursor)?),
            name => {
                let fault = ReadFault::Unexpected {
                    found: shorten(name),
                    expected: "`Dt` or `DtTm`",
                };
                return Err(cursor.fail(fault));
            }
        };
        cursor.put(&mut found, day, "Dt or DtTm")?;
    }
    Ok(found)
}

/// The day in UTC of a time with a zone; without one, the day as written.
fn utc_day(written: &str) -> String {
    match Timestamp::parse_rfc3339(written) {
        Ok(time) => time
            .text()
            .iter()
            .take(10)
            .copied()
            .map(char::from)
            .collect(),
        Err(_) => written.chars().take(10).collect(),
    }
}

/// A declared count or sum.
pub(super) fn number(cursor: &mut Cursor<'_>) -> Result<Decimal, ReadError> {
    let text = cursor.text(CODE_CHARS_MAX)?.unwrap_or_default();
    Decimal::parse(&text).ok_or_else(|| {
        cursor.fail(ReadFault::Value {
            found: shown(&text),
            expected: "a decimal number of at most 18 digits",
        })
    })
}

/// `Max15NumericText`.
pub(super) fn count(cursor: &mut Cursor<'_>) -> Result<u64, ReadError> {
    let text = cursor.text(CODE_CHARS_MAX)?.unwrap_or_default();
    let digits = (1..=15).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(count) if digits => Ok(count),
        _ => Err(cursor.fail(ReadFault::Value {
            found: shown(&text),
            expected: "a count of at most 15 digits",
        })),
    }
}
