//! The payments that are submitted: invented people paying each other, the same for the same series.

use crate::options::Options;
use paygod_core::command::TransferRequest;
use paygod_core::{Command, Party, PaymentDetails, Request, Transfer};
use paygod_types::{AccountId, ActorId, Amount, Currency, RequestId};
use std::io::Write as _;

const GIVEN: &[&str] = &[
    "Anna", "Bruno", "Clara", "Daniel", "Elena", "Felix", "Greta", "Hugo", "Ines", "Jonas",
    "Klara", "Luca", "Marta", "Nils", "Olga", "Pavel", "Rosa", "Sven", "Tilda", "Ugo", "Vera",
    "Walter", "Xenia", "Yann",
];
const FAMILY: &[&str] = &[
    "Abbott",
    "Berger",
    "Conti",
    "Dubois",
    "Eklund",
    "Fischer",
    "Garnier",
    "Horvat",
    "Ivarsson",
    "Jansen",
    "Keller",
    "Lindqvist",
    "Moreau",
    "Novak",
    "Olsen",
    "Petit",
    "Quinn",
    "Rossi",
    "Schmid",
    "Tamm",
    "Urban",
    "Vogel",
    "Weber",
    "Zeman",
];
const COUNTRY: &[&str] = &[
    "AT", "BE", "CH", "DE", "ES", "FI", "FR", "IE", "IT", "LU", "NL", "PT",
];
const AGENT: &[&str] = &[
    "AGRIFRPP", "BCITITMM", "DEUTDEFF", "INGBNL2A", "NDEAFIHH", "POFICHBE",
];

/// Payments that are made before the measurement begins. Each is submitted again and again, under a
/// new id and for a new amount, so that what is timed is the ledger and not the making of requests.
const TEMPLATES: usize = 1 << 14;

/// Makes payments between `accounts` accounts, without end.
pub(crate) struct Workload {
    typed: Vec<Request>,
    json: Vec<Template>,
    series: String,
    next: u64,
}

/// A request document and where its id and amount stand.
struct Template {
    bytes: Vec<u8>,
    id_at: usize,
    amount_at: usize,
}

/// What one payment is made of.
struct Draw {
    debit: AccountId,
    credit: AccountId,
    name: String,
    account: String,
    country: &'static str,
    agent: &'static str,
    reference: String,
}

/// The account of a creditor whom many pay.
const POPULAR: &str = "CH5600000000000000001";

const REMITTANCE: &str = "Consulting services, second quarter";

/// Digits of the number in an id, and of an amount: the same for every request.
const ID_DIGITS: usize = 12;
const AMOUNT_DIGITS: usize = 6;

impl Workload {
    /// Payments whose ids begin with `series`. Each series pays creditors of its own, else the second
    /// in a book would repeat amounts and texts of the first.
    pub(crate) fn new(options: &Options, series: &str, json: bool) -> Self {
        let mut random = Random(series.bytes().fold(0x9e37_79b9_7f4a_7c15, |seed, byte| {
            (seed ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        }));
        let mut workload = Self {
            typed: Vec::new(),
            json: Vec::new(),
            series: format!("{series}-"),
            next: 0,
        };
        for number in 0..TEMPLATES {
            let mut draw = random.payment(options.accounts, &workload.series, number);
            if options.popular && number % 10 == 0 {
                draw.account = POPULAR.to_owned();
            }
            if json {
                workload.json.push(document(&draw, &workload.series));
            } else {
                workload.typed.push(request(draw));
            }
        }
        workload
    }

    /// Number and amount of the next payment, and which template it is made of. No two payments of one
    /// template are of one amount: that would be a duplicate, and denied.
    fn step(&mut self) -> (u64, u64, usize) {
        self.next += 1;
        let template = self.next % TEMPLATES as u64;
        (
            self.next,
            100 + self.next / TEMPLATES as u64,
            template as usize,
        )
    }

    /// The next payment as a typed request.
    pub(crate) fn typed(&mut self) -> Request {
        let (number, minor, template) = self.step();
        let mut request = self.typed[template].clone();
        let mut id = [0; 64];
        let text = spell(&mut id, &self.series, number);
        request.id = RequestId::parse(text).expect("a plain id");
        let Command::Transfer(transfer) = &mut request.command else {
            unreachable!()
        };
        transfer.transfers[0].money.amount = Amount::from_minor(i128::from(minor));
        request
    }

    /// The next payment as a client would write it: its own order of members, no white space.
    pub(crate) fn json(&mut self) -> Vec<u8> {
        let (number, minor, template) = self.step();
        let Template {
            bytes,
            id_at,
            amount_at,
        } = &self.json[template];
        let mut bytes = bytes.clone();
        digits(&mut bytes[*id_at..*id_at + ID_DIGITS], number);
        let amount = &mut bytes[*amount_at..];
        digits(&mut amount[..AMOUNT_DIGITS - 2], 1_000 + minor / 100);
        digits(&mut amount[AMOUNT_DIGITS - 1..=AMOUNT_DIGITS], minor % 100);
        bytes
    }
}

/// Writes a number into a field of digits, zeros before it.
fn digits(field: &mut [u8], mut number: u64) {
    for digit in field.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

fn spell<'a>(buffer: &'a mut [u8; 64], series: &str, number: u64) -> &'a str {
    let end = series.len() + ID_DIGITS;
    buffer[..series.len()].copy_from_slice(series.as_bytes());
    digits(&mut buffer[series.len()..end], number);
    std::str::from_utf8(&buffer[..end]).expect("plain text")
}

fn request(draw: Draw) -> Request {
    let details = PaymentDetails {
        creditor: Party {
            account: Some(draw.account),
            agent: Some(draw.agent.to_owned()),
            country: Some(draw.country.to_owned()),
            name: Some(draw.name),
            ..Party::default()
        },
        reference: Some(draw.reference),
        remittance: Some(REMITTANCE.to_owned()),
        ..PaymentDetails::default()
    };
    let transfer = Transfer {
        debit: draw.debit,
        credit: draw.credit,
        money: Amount::from_minor(100).of(Currency::parse("EUR").expect("a currency")),
        payment: Some(details.to_payment().expect("within the limits")),
    };
    Request {
        id: RequestId::parse("template").expect("a plain id"),
        by: Some(ActorId::parse("treasury-bot").expect("a plain id")),
        command: Command::Transfer(TransferRequest {
            transfers: vec![transfer],
            pending: None,
        }),
    }
}

fn document(draw: &Draw, series: &str) -> Template {
    let mut bytes = Vec::with_capacity(512);
    let zeros = "0".repeat(ID_DIGITS);
    write!(bytes, r#"{{"id":"{series}{zeros}","#).expect("writing to memory");
    let id_at = r#"{"id":""#.len() + series.len();
    write!(
        bytes,
        r#""by":"treasury-bot","transfer":{{"transfers":[{{"debit":"{}","credit":"{}","amount":""#,
        draw.debit, draw.credit,
    )
    .expect("writing to memory");
    let amount_at = bytes.len();
    write!(
        bytes,
        concat!(
            r#"0000.00","currency":"EUR","payment":{{"creditor":{{"name":"{}","account":"{}","#,
            r#""agent":"{}","country":"{}"}},"reference":"{}","remittance":"{}"}}}}]}}}}"#
        ),
        draw.name, draw.account, draw.agent, draw.country, draw.reference, REMITTANCE,
    )
    .expect("writing to memory");
    Template {
        bytes,
        id_at,
        amount_at,
    }
}

/// SplitMix64: good enough to spread payments, and the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % limit as u64) as usize
    }

    fn of(&mut self, list: &'static [&'static str]) -> &'static str {
        list[self.below(list.len())]
    }

    fn payment(&mut self, accounts: usize, series: &str, number: usize) -> Draw {
        let debit = self.below(accounts);
        let credit = (debit + 1 + self.below(accounts - 1)) % accounts;
        let country = self.of(COUNTRY);
        Draw {
            debit: account_id(debit),
            credit: account_id(credit),
            name: format!("{} {}", self.of(GIVEN), self.of(FAMILY)),
            account: format!("{country}7600000{:011}", self.below(1_000_000_000)),
            country,
            agent: self.of(AGENT),
            reference: format!("INV-{series}{number:08}"),
        }
    }
}

/// The id of the account with this number.
pub(crate) fn account_id(number: usize) -> AccountId {
    AccountId::parse(&format!("acct-{number:07}")).expect("a plain id")
}
