//! From payments to requests: which accounts of the book a payment moves money between.
//!
//! An outgoing payment (pain.001) debits the payer's account of the book and credits the payee's, when it
//! is in the book too, else the currency's clearing account. An incoming one (pacs.008) debits the
//! clearing account and credits the payee's. A payment whose own side is not in the book is left out, with
//! the reason. What a payment says about people goes into the request's details, which packs judge and the
//! vault keeps; the accounts of the book stand for them everywhere else.
//!
//! An `EqvtAmt` moves in the currency it is given in and always leaves through clearing, where it is
//! converted; `InstdAmt` in a currency the payer's account is not in finds no account and is left out.

use std::collections::BTreeMap;

use paygod_core::command::{Command, Request, Transfer, TransferRequest};
use paygod_core::{Party as Details, PaymentDetails, RequestError};
use paygod_types::{AccountId, ActorId, Code, Currency, RequestId, code};
use thiserror::Error;

use super::account::AccountRef;
use super::iso20022::{Agent, Lookalikes, NOT_PROVIDED, Party, Payment, PaymentFile, Place};

/// Which accounts of the book stand for which accounts of the world.
pub trait Accounts {
    /// The account of the book, in this currency, that stands for `account`; `None` when another bank
    /// keeps it.
    fn on_us(&self, account: &AccountRef, currency: Currency) -> Option<AccountId>;

    /// Where money of this currency leaves to, and arrives from, other banks.
    fn clearing(&self, currency: Currency) -> Option<AccountId>;
}

/// Payments as requests, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routed {
    /// One request a payment.
    pub requests: Vec<PaymentRequest>,
    /// The payments no request could be made of.
    pub unrouted: Vec<UnroutedPayment>,
}

/// A payment as the request it becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentRequest {
    /// Where the payment stands in its file.
    pub place: Place,
    /// The request.
    pub request: Request,
    /// [`Payment::other_id`]: look for it in the book before this is sealed.
    pub other_id: Option<RequestId>,
    /// [`Payment::lookalikes`]: none of them is to be sealed if one was, with other content.
    pub lookalikes: Option<Lookalikes>,
    /// Its canonical bytes.
    pub bytes: Vec<u8>,
}

/// A payment no request could be made of.
#[derive(Debug, PartialEq, Eq, Clone)]
pub struct UnroutedPayment {
    /// Where the payment stands in its file.
    pub place: Place,
    /// `EndToEndId` of the payment.
    pub end_to_end_id: String,
    /// Why.
    pub fault: RouteFault,
}

/// Why no request could be made of a payment.
#[derive(Debug, PartialEq, Eq, Clone, Error)]
pub enum RouteFault {
    /// The side of the payment that must be in the book is not.
    #[error(
        "the {side}'s account is not in the book as an account in {currency}; open it, or map it to one"
    )]
    NotInBook {
        /// `debtor` or `creditor`.
        side: &'static str,
        /// The payment's currency.
        currency: Currency,
    },
    /// The account is named in another currency than the amount is in.
    #[error(
        "the {side}'s account is named in {named} and the amount is in {currency}, and nothing is converted here; send it in {named}"
    )]
    OtherCurrency {
        /// `debtor` or `creditor`.
        side: &'static str,
        /// The currency of the account.
        named: Currency,
        /// The payment's currency.
        currency: Currency,
    },
    /// No clearing account.
    #[error("the book has no clearing account in {currency}; open one and name it")]
    NoClearing {
        /// The payment's currency.
        currency: Currency,
    },
    /// The request breaks a rule of requests.
    #[error("the payment makes no request: {detail}")]
    Request {
        /// The code of the rule.
        code: Code,
        /// Its message.
        detail: String,
    },
}

impl RouteFault {
    /// The permanent code of this fault.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::NotInBook { .. } | Self::OtherCurrency { .. } | Self::NoClearing { .. } => {
                code::PAYMENT_UNROUTED
            }
            Self::Request { code, .. } => *code,
        }
    }
}

impl From<RequestError> for RouteFault {
    fn from(error: RequestError) -> Self {
        Self::Request {
            code: error.code(),
            detail: error.to_string(),
        }
    }
}

/// Makes a request of every payment of a file; `by` is who submits it.
#[must_use]
pub fn to_requests(file: &PaymentFile, accounts: &impl Accounts, by: Option<&ActorId>) -> Routed {
    let mut routed = Routed {
        requests: Vec::with_capacity(file.payments.len()),
        unrouted: Vec::new(),
    };
    let is_outgoing = file.kind.is_outgoing();
    for payment in &file.payments {
        match to_request(payment, is_outgoing, accounts, by) {
            Ok(request) => routed.requests.push(request),
            Err(fault) => routed.unrouted.push(UnroutedPayment {
                place: payment.place,
                end_to_end_id: payment.end_to_end_id.clone(),
                fault,
            }),
        }
    }
    routed
}

fn to_request(
    payment: &Payment,
    is_outgoing: bool,
    accounts: &impl Accounts,
    by: Option<&ActorId>,
) -> Result<PaymentRequest, RouteFault> {
    let currency = payment.amount.currency;
    let in_book = |side: &'static str, party: &Party| {
        let account = party.account.as_ref();
        let found = account.and_then(|account| accounts.on_us(account, currency));
        match party.account_currency.filter(|named| *named != currency) {
            Some(named) if found.is_some() => Err(RouteFault::OtherCurrency {
                side,
                named,
                currency,
            }),
            _ => Ok(found),
        }
    };
    let clearing = || {
        accounts
            .clearing(currency)
            .ok_or(RouteFault::NoClearing { currency })
    };
    let (debit, credit) = if is_outgoing {
        let debit = in_book("debtor", &payment.debtor)?;
        let debit = debit.ok_or(RouteFault::NotInBook {
            side: "debtor",
            currency,
        })?;
        let is_converted = payment
            .counter_currency
            .is_some_and(|counter| counter != currency);
        let credit = if is_converted || !may_be_ours(&payment.creditor, &payment.debtor) {
            None
        } else {
            in_book("creditor", &payment.creditor)?
        };
        (debit, credit.map_or_else(clearing, Ok)?)
    } else {
        let credit = in_book("creditor", &payment.creditor)?;
        let credit = credit.ok_or(RouteFault::NotInBook {
            side: "creditor",
            currency,
        })?;
        (clearing()?, credit)
    };
    let transfer = Transfer {
        debit,
        credit,
        money: payment.amount,
        payment: Some(details(payment).to_payment()?),
    };
    let request = Request {
        id: payment.request_id.clone(),
        by: by.cloned(),
        command: Command::Transfer(TransferRequest {
            transfers: vec![transfer],
            pending: None,
        }),
    };
    let bytes = request.to_json()?;
    Ok(PaymentRequest {
        place: payment.place,
        other_id: payment.other_id.clone(),
        lookalikes: payment.lookalikes.clone(),
        request,
        bytes,
    })
}

/// Whether the account of who is paid can be one of the payer's bank, which is ours: an IBAN says so itself; another number
/// is a number of the bank that the payment names, and of ours if it names none.
fn may_be_ours(creditor: &Party, debtor: &Party) -> bool {
    match (&creditor.account, &creditor.agent, &debtor.agent) {
        (Some(AccountRef::Other { .. }), Some(Agent::Bic(theirs)), Some(Agent::Bic(ours))) => {
            theirs.bank() == ours.bank()
        }
        (Some(AccountRef::Other { .. }), Some(theirs), ours) => ours.as_ref() == Some(theirs),
        _ => true,
    }
}

/// What packs judge. Without a reference of the payer's own (`NOTPROVIDED`) the member is left out.
fn details(payment: &Payment) -> PaymentDetails {
    let end_to_end_id = Some(&payment.end_to_end_id)
        .filter(|id| *id != NOT_PROVIDED)
        .cloned();
    PaymentDetails {
        creditor: side(&payment.creditor),
        debtor: side(&payment.debtor),
        end_to_end_id,
        execution_date: payment.execution_date.clone(),
        instruction_id: payment.instruction_id.clone(),
        purpose: payment.purpose.as_deref().map(str::to_owned),
        reference: payment.reference.clone(),
        remittance: payment.remittance.clone(),
        ultimate_creditor: payment
            .ultimate_creditor
            .as_ref()
            .map(side)
            .unwrap_or_default(),
        ultimate_debtor: payment
            .ultimate_debtor
            .as_deref()
            .map(side)
            .unwrap_or_default(),
    }
}

fn side(party: &Party) -> Details {
    Details {
        account: party.account.as_ref().map(ToString::to_string),
        agent: party.agent.as_ref().map(ToString::to_string),
        agent_country: party.agent_country.clone(),
        agent_name: party.agent_name.clone(),
        country: party.country.clone(),
        name: party.name.clone(),
        residence: party.residence.clone(),
    }
}

/// Bytes of one file of mappings.
const MAP_BYTES_MAX: usize = 64 * 1024 * 1024;
/// The first word of a line that names a clearing account.
const CLEARING: &str = "clearing";

/// A table of accounts, for a demo or a small book; a large one keeps its own, behind [`Accounts`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountMap {
    on_us: BTreeMap<(AccountRef, Currency), AccountId>,
    clearing: BTreeMap<Currency, AccountId>,
}

/// Why a table of accounts was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line}: {fault}")]
pub struct MapError {
    /// Line, from 1.
    pub line: u64,
    /// What was wrong.
    pub fault: MapFault,
}

/// Why a line of a table of accounts was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MapFault {
    /// The file is too large.
    #[error("the table has more than {MAP_BYTES_MAX} bytes; split it")]
    TooLarge,
    /// Not three words.
    #[error(
        "expected three words: an IBAN or `scheme:id` (or `clearing`), a currency, an account of the book"
    )]
    Words,
    /// The account of the world is neither an IBAN nor `scheme:id`.
    #[error("the first word is neither a valid IBAN nor `scheme:id` nor `clearing`; correct it")]
    Account,
    /// The currency is unknown.
    #[error("`{found}` is not a currency; use its ISO 4217 code")]
    Currency {
        /// What was found.
        found: String,
    },
    /// The account of the book is no identifier.
    #[error("the third word is not an account of the book; use letters, digits and `._:/+-`")]
    Id,
    /// The same account and currency twice.
    #[error("this account and currency stand on an earlier line; keep one of them")]
    Repeated,
}

impl MapError {
    /// The permanent code of this error.
    #[must_use]
    pub fn code(&self) -> Code {
        match self.fault {
            MapFault::TooLarge => code::INGEST_LIMIT,
            _ => code::INGEST_LINE,
        }
    }
}

impl AccountMap {
    /// Maps an account of the world, in one currency, to an account of the book; gives back the one it
    /// was mapped to before.
    pub fn add(
        &mut self,
        account: AccountRef,
        currency: Currency,
        id: AccountId,
    ) -> Option<AccountId> {
        self.on_us.insert((account, currency), id)
    }

    /// Names the clearing account of a currency; gives back the one named before.
    pub fn add_clearing(&mut self, currency: Currency, id: AccountId) -> Option<AccountId> {
        self.clearing.insert(currency, id)
    }

    /// Every mapping of an account of the world, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&AccountRef, Currency, &AccountId)> {
        self.on_us
            .iter()
            .map(|((account, currency), id)| (account, *currency, id))
    }

    /// Every clearing account, in the order of their currencies.
    pub fn clearing_accounts(&self) -> impl Iterator<Item = (Currency, &AccountId)> {
        self.clearing.iter().map(|(currency, id)| (*currency, id))
    }

    /// Reads a table: three words a line, `#` begins a comment line.
    ///
    /// ```text
    /// CH9300762011623852957 CHF muster-handels-chf
    /// clearing              CHF clearing-chf
    /// ```
    ///
    /// # Errors
    /// The first line that is not of that form, or repeats another.
    pub fn parse(text: &str) -> Result<Self, MapError> {
        if text.len() > MAP_BYTES_MAX {
            return Err(MapError {
                line: 1,
                fault: MapFault::TooLarge,
            });
        }
        let mut map = Self::default();
        for (line, number) in text.lines().zip(1_u64..) {
            let line = line.trim();
            if !line.is_empty() && !line.starts_with('#') {
                map.add_line(line).map_err(|fault| MapError {
                    line: number,
                    fault,
                })?;
            }
        }
        Ok(map)
    }

    fn add_line(&mut self, line: &str) -> Result<(), MapFault> {
        let mut words = line.split_whitespace();
        let (Some(account), Some(currency), Some(id), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(MapFault::Words);
        };
        let currency = Currency::parse(currency).map_err(|_| MapFault::Currency {
            found: currency.chars().take(16).collect(),
        })?;
        let id = AccountId::parse(id).map_err(|_| MapFault::Id)?;
        let earlier = if account == CLEARING {
            self.add_clearing(currency, id)
        } else {
            let account = AccountRef::parse(account).ok_or(MapFault::Account)?;
            self.add(account, currency, id)
        };
        if earlier.is_some() {
            Err(MapFault::Repeated)
        } else {
            Ok(())
        }
    }
}

impl Accounts for AccountMap {
    fn on_us(&self, account: &AccountRef, currency: Currency) -> Option<AccountId> {
        self.on_us.get(&(account.clone(), currency)).cloned()
    }

    fn clearing(&self, currency: Currency) -> Option<AccountId> {
        self.clearing.get(&currency).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::iso20022::read;

    const ACCOUNTS: &str = include_str!("../../../../examples/payments/accounts.txt");
    const MONTH_END: &str =
        include_str!("../../../../examples/payments/payroll-and-suppliers.pain.001.001.09.xml");
    const INCOMING: &str =
        include_str!("../../../../examples/payments/incoming.pacs.008.001.08.xml");

    fn routed(file: &str) -> Routed {
        to_requests(
            &read(file.as_bytes()).unwrap(),
            &AccountMap::parse(ACCOUNTS).unwrap(),
            None,
        )
    }

    fn ends(request: &PaymentRequest) -> (&str, &str) {
        let [transfer] = request.request.command.transfers() else {
            panic!("one transfer")
        };
        (transfer.debit.as_str(), transfer.credit.as_str())
    }

    #[test]
    fn outgoing_payments_debit_the_payer_and_credit_the_payee_or_clearing() {
        let routed = routed(MONTH_END);
        assert_eq!(routed.unrouted, []);
        assert_eq!(routed.requests.len(), 12);
        assert_eq!(
            ends(&routed.requests[0]),
            ("muster-handels-chf", "muster-personaldienste-chf")
        );
        assert_eq!(
            ends(&routed.requests[1]),
            ("muster-handels-chf", "clearing-chf")
        );
        assert_eq!(
            ends(&routed.requests[3]),
            ("muster-handels-chf", "muster-logistik-chf")
        );
        assert_eq!(
            ends(&routed.requests[7]),
            ("muster-handels-eur", "clearing-eur")
        );
    }

    #[test]
    fn incoming_payments_debit_clearing_and_credit_the_payee() {
        let routed = routed(INCOMING);
        assert_eq!(routed.requests.len(), 2);
        assert!(
            routed
                .requests
                .iter()
                .all(|request| ends(request) == ("clearing-eur", "muster-handels-eur"))
        );
    }

    #[test]
    fn a_request_is_the_canonical_native_document() {
        let file = read(MONTH_END.as_bytes()).unwrap();
        let accounts = AccountMap::parse(ACCOUNTS).unwrap();
        let by = ActorId::parse("treasury").unwrap();
        let routed = to_requests(&file, &accounts, Some(&by));
        assert_eq!(
            String::from_utf8(routed.requests[2].bytes.clone()).unwrap(),
            "{\"by\":\"treasury\",\"id\":\"MUSTER-2026-11-25/PAYROLL/SAL-0003\",\"transfer\":{\"transfers\":[{\
             \"amount\":\"2215.85\",\"credit\":\"clearing-chf\",\"currency\":\"CHF\",\"debit\":\"muster-handels-chf\",\
             \"payment\":{\"creditor\":{\"account\":\"CH4431999123000889012\",\"country\":\"CH\",\
             \"name\":\"Muster Ausgleichskasse\"},\"debtor\":{\"account\":\"CH9300762011623852957\",\
             \"agent\":\"MUSTCHZZXXX\",\"country\":\"CH\",\"name\":\"Muster Handels AG\"},\
             \"end_to_end_id\":\"SAL-0003-E2E\",\"execution_date\":\"2026-11-25\",\"instruction_id\":\"SAL-0003\",\
             \"purpose\":\"SALA\",\"reference\":\"210000000003139471430009017\"}}]}}"
        );
        for request in &routed.requests {
            assert_eq!(Request::from_json(&request.bytes).unwrap(), request.request);
        }
    }

    #[test]
    fn an_iban_under_a_scheme_credits_the_account_of_the_book_that_it_names() {
        let other = "<Othr><Id>ch80 0076 2020 0000 0010 1</Id></Othr>";
        let file = MONTH_END.replacen("<IBAN>CH8000762020000000101</IBAN>", other, 1);
        assert_ne!(file, MONTH_END);
        let as_iban = routed(MONTH_END);
        let as_other = routed(&file);
        let ends = |routed: &Routed| {
            let ends = routed.requests.iter().map(ends);
            ends.map(|(debit, credit)| format!("{debit} {credit}"))
                .collect::<Vec<_>>()
        };
        assert_eq!(ends(&as_other), ends(&as_iban));
        assert_eq!(as_other.requests[0].bytes, as_iban.requests[0].bytes);
    }

    #[test]
    fn what_is_said_of_banks_and_ultimate_parties_goes_to_the_packs() {
        let file = MONTH_END
            .replace(
                "<BICFI>MUSTCHZZXXX</BICFI>",
                "<BICFI>MUSTCHZZXXX</BICFI><Nm>Musterbank</Nm><PstlAdr><Ctry>CH</Ctry></PstlAdr>",
            )
            .replace(
                "</CdtrAcct>",
                "</CdtrAcct><UltmtCdtr><CtryOfRes>KP</CtryOfRes></UltmtCdtr>",
            );
        let routed = routed(&file);
        let bytes = String::from_utf8(routed.requests[0].bytes.clone()).unwrap();
        assert!(
            bytes.contains(
                r#""agent":"MUSTCHZZXXX","agent_country":"CH","agent_name":"Musterbank","#
            ),
            "{bytes}"
        );
        assert!(
            bytes.contains(r#""ultimate_creditor":{"country":"KP"}"#),
            "{bytes}"
        );
    }

    #[test]
    fn a_converted_amount_leaves_through_clearing() {
        let file = MONTH_END.replace(
            "<InstdAmt Ccy=\"CHF\">8450.00</InstdAmt>",
            "<EqvtAmt><Amt Ccy=\"CHF\">8450.00</Amt><CcyOfTrf>EUR</CcyOfTrf></EqvtAmt>",
        );
        assert_eq!(
            ends(&routed(&file).requests[0]),
            ("muster-handels-chf", "clearing-chf")
        );
    }

    #[test]
    fn an_account_named_in_another_currency_is_not_the_one_of_the_amount() {
        let named = |currency: &str| {
            let to = format!("</Id><Ccy>{currency}</Ccy></DbtrAcct>");
            routed(&MONTH_END.replacen("</Id></DbtrAcct>", &to, 1))
        };
        assert_eq!(named("CHF").requests.len(), 12);
        let euros = named("EUR");
        assert!(!euros.unrouted.is_empty());
        for left in euros.unrouted {
            let side = "debtor";
            assert!(
                matches!(left.fault, RouteFault::OtherCurrency { side: found, .. } if found == side)
            );
            assert_eq!(left.fault.code().as_str(), "payment.unrouted");
        }
    }

    #[test]
    fn a_payment_whose_own_side_is_not_in_the_book_is_left_out() {
        let file = MONTH_END.replacen("Ccy=\"CHF\">8450.00", "Ccy=\"EUR\">8450.00", 1);
        let outgoing = routed(&file);
        assert_eq!((outgoing.requests.len(), outgoing.unrouted.len()), (11, 1));
        assert_eq!(
            outgoing.unrouted[0].fault.code().as_str(),
            "payment.unrouted"
        );
        assert_eq!(outgoing.unrouted[0].end_to_end_id, "SAL-0001-E2E");

        let dollars = INCOMING.replace("Ccy=\"EUR\"", "Ccy=\"USD\"");
        let incoming = routed(&dollars);
        let currency = Currency::parse("USD").unwrap();
        assert_eq!(
            incoming.unrouted[0].fault,
            RouteFault::NotInBook {
                side: "creditor",
                currency
            }
        );
    }

    #[test]
    fn without_a_clearing_account_the_payment_is_left_out() {
        let accounts = ACCOUNTS.replace("clearing EUR clearing-eur", "");
        let file = read(INCOMING.as_bytes()).unwrap();
        let routed = to_requests(&file, &AccountMap::parse(&accounts).unwrap(), None);
        let currency = Currency::parse("EUR").unwrap();
        assert!(
            routed
                .unrouted
                .iter()
                .all(|left| left.fault == RouteFault::NoClearing { currency })
        );
        assert_eq!(routed.unrouted.len(), 2);
    }

    #[test]
    fn a_table_with_a_bad_line_is_refused() {
        let rows = [
            ("CH9300762011623852957 CHF", MapFault::Words),
            ("CH9300762011623852958 CHF a", MapFault::Account),
            (
                "clearing CHX a",
                MapFault::Currency {
                    found: "CHX".into(),
                },
            ),
            ("clearing CHF é", MapFault::Id),
            ("clearing CHF a\nclearing CHF b", MapFault::Repeated),
        ];
        for (text, fault) in rows {
            assert_eq!(
                AccountMap::parse(text).map_err(|error| error.fault),
                Err(fault),
                "{text}"
            );
        }
    }
}
