//! The payments that are submitted: invented people paying each other, the same for the same seed.

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

/// Makes payments between `accounts` accounts, without end.
pub(crate) struct Workload {
    accounts: Vec<AccountId>,
    by: ActorId,
    currency: Currency,
    series: String,
    next: u64,
    random: u64,
}

/// What one payment is made of.
struct Draw {
    id: String,
    debit: usize,
    credit: usize,
    minor: u64,
    name: String,
    account: String,
    country: &'static str,
    agent: &'static str,
    reference: String,
}

impl Workload {
    /// Payments whose ids begin with `series`.
    pub(crate) fn new(accounts: usize, series: &str) -> Self {
        Self {
            accounts: (0..accounts).map(account_id).collect(),
            by: ActorId::parse("treasury-bot").expect("a plain id"),
            currency: Currency::parse("EUR").expect("a currency"),
            series: series.to_owned(),
            next: 0,
            random: 0x9e37_79b9_7f4a_7c15,
        }
    }

    /// SplitMix64: good enough to spread payments, and the same everywhere.
    fn draw(&mut self, below: usize) -> usize {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % u64::try_from(below).unwrap_or(1)).unwrap_or(0)
    }

    fn payment(&mut self) -> Draw {
        self.next += 1;
        let debit = self.draw(self.accounts.len());
        let credit = (debit + 1 + self.draw(self.accounts.len() - 1)) % self.accounts.len();
        let (given, family) = (
            GIVEN[self.draw(GIVEN.len())],
            FAMILY[self.draw(FAMILY.len())],
        );
        let country = COUNTRY[self.draw(COUNTRY.len())];
        let number = self.draw(1_000_000_000);
        Draw {
            id: format!("{}-{:010}", self.series, self.next),
            debit,
            credit,
            minor: u64::try_from(100 + self.draw(90_000)).unwrap_or(100),
            name: format!("{given} {family}"),
            account: format!("{country}7600000{number:011}"),
            country,
            agent: AGENT[self.draw(AGENT.len())],
            reference: format!("INV-{:08}", self.next),
        }
    }

    /// The next payment as a typed request.
    pub(crate) fn typed(&mut self) -> Request {
        let draw = self.payment();
        let details = PaymentDetails {
            creditor: Party {
                account: Some(draw.account),
                agent: Some(draw.agent.to_owned()),
                country: Some(draw.country.to_owned()),
                name: Some(draw.name),
            },
            reference: Some(draw.reference),
            remittance: Some("Consulting services, second quarter".to_owned()),
            ..PaymentDetails::default()
        };
        let transfer = Transfer {
            debit: self.accounts[draw.debit].clone(),
            credit: self.accounts[draw.credit].clone(),
            money: Amount::from_minor(i128::from(draw.minor)).of(self.currency),
            payment: Some(details.to_payment().expect("within the limits")),
        };
        Request {
            id: RequestId::parse(&draw.id).expect("a plain id"),
            by: Some(self.by.clone()),
            command: Command::Transfer(TransferRequest {
                transfers: vec![transfer],
                pending: None,
            }),
        }
    }

    /// The next payment as a client would write it: its own order of members, no white space.
    pub(crate) fn json(&mut self) -> Vec<u8> {
        let draw = self.payment();
        let mut out = Vec::with_capacity(512);
        write!(
            out,
            concat!(
                r#"{{"id":"{}","by":"{}","transfer":{{"transfers":[{{"debit":"{}","credit":"{}","#,
                r#""amount":"{}.{:02}","currency":"EUR","payment":{{"creditor":{{"name":"{}","account":"{}","#,
                r#""agent":"{}","country":"{}"}},"reference":"{}","#,
                r#""remittance":"Consulting services, second quarter"}}}}]}}}}"#
            ),
            draw.id,
            self.by,
            self.accounts[draw.debit],
            self.accounts[draw.credit],
            draw.minor / 100,
            draw.minor % 100,
            draw.name,
            draw.account,
            draw.agent,
            draw.country,
            draw.reference,
        )
        .expect("writing to memory");
        out
    }
}

/// The id of the account with this number.
pub(crate) fn account_id(number: usize) -> AccountId {
    AccountId::parse(&format!("acct-{number:07}")).expect("a plain id")
}
