//! The same policy as somebody would write it by hand: `serde` into a struct that borrows, then plain Rust.
//!
//! It is let off more lightly than ours: numbers with a fraction are floats, names are normalised for ASCII
//! alone, no fuel is counted and no reason is given.

use std::borrow::Cow;
use std::collections::HashSet;

use paygod_types::{Currency, Money};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Event<'a> {
    #[serde(borrow)]
    amount: Cow<'a, str>,
    batch: bool,
    #[serde(borrow)]
    channel: Cow<'a, str>,
    #[serde(borrow)]
    credit: Cow<'a, str>,
    #[serde(borrow)]
    creditor_account: Cow<'a, str>,
    #[serde(borrow)]
    creditor_agent: Cow<'a, str>,
    #[serde(borrow)]
    creditor_country: Cow<'a, str>,
    #[serde(borrow)]
    creditor_name: Cow<'a, str>,
    creditor_new: bool,
    #[serde(borrow)]
    currency: Cow<'a, str>,
    #[serde(borrow)]
    customer_country: Cow<'a, str>,
    #[serde(borrow)]
    customer_id: Cow<'a, str>,
    customer_risk: i64,
    #[serde(borrow)]
    customer_segment: Cow<'a, str>,
    #[serde(borrow)]
    customer_since: Cow<'a, str>,
    customer_verified: bool,
    daily_count: i64,
    daily_total: f64,
    #[serde(borrow)]
    debit: Cow<'a, str>,
    #[serde(borrow)]
    debtor_account: Cow<'a, str>,
    #[serde(borrow)]
    debtor_agent: Cow<'a, str>,
    #[serde(borrow)]
    debtor_country: Cow<'a, str>,
    #[serde(borrow)]
    debtor_name: Cow<'a, str>,
    #[serde(borrow)]
    device_id: Cow<'a, str>,
    #[serde(borrow)]
    execution_date: Option<Cow<'a, str>>,
    failed_logins: i64,
    fee: f64,
    fx_rate: f64,
    #[serde(borrow)]
    instruction_id: Cow<'a, str>,
    #[serde(borrow)]
    ip_country: Cow<'a, str>,
    #[serde(borrow)]
    items: Vec<Item<'a>>,
    mfa: bool,
    #[serde(borrow)]
    purpose: Cow<'a, str>,
    #[serde(borrow)]
    reference: Cow<'a, str>,
    #[serde(borrow)]
    remittance: Cow<'a, str>,
    #[serde(borrow)]
    requested_at: Cow<'a, str>,
    risk_score: f64,
    session_age_s: i64,
    #[serde(borrow)]
    user_agent: Cow<'a, str>,
    velocity_score: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Item<'a> {
    #[serde(borrow)]
    category: Cow<'a, str>,
    hazardous: bool,
    price: f64,
    quantity: i64,
    #[serde(borrow)]
    sku: Cow<'a, str>,
}

pub(crate) struct ByHand {
    names: HashSet<Vec<u8>>,
    words: Vec<Vec<u8>>,
    key: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Said {
    Allow,
    Flag,
    Review,
    Deny,
}

impl ByHand {
    pub(crate) fn new(names: &[String]) -> Self {
        let mut hand = Self {
            names: HashSet::new(),
            words: Vec::new(),
            key: Vec::new(),
        };
        for name in names {
            hand.normalise(name);
            hand.names.insert(hand.key.clone());
        }
        hand
    }

    fn normalise(&mut self, name: &str) {
        let words = name
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty());
        let mut count = 0;
        for word in words {
            if self.words.len() == count {
                self.words.push(Vec::new());
            }
            self.words[count].clear();
            self.words[count].extend(word.bytes().map(|b| b.to_ascii_lowercase()));
            count += 1;
        }
        self.words[..count].sort_unstable();
        self.key.clear();
        for word in &self.words[..count] {
            self.key.extend_from_slice(word);
            self.key.push(b' ');
        }
    }

    fn listed(&mut self, name: &str) -> bool {
        self.normalise(name);
        self.names.contains(&self.key)
    }

    pub(crate) fn judge(&mut self, json: &[u8]) -> Said {
        let Ok(p) = serde_json::from_slice::<Event<'_>>(json) else {
            return Said::Deny;
        };
        let amount = Currency::parse(&p.currency)
            .ok()
            .and_then(|c| Money::parse(&p.amount, c).ok());
        let Some(amount) = amount else {
            return Said::Deny;
        };
        let above = |eur: i128, usd: i128, gbp: i128| {
            let limit = match &*p.currency {
                "EUR" | "CHF" => eur,
                "USD" => usd,
                "GBP" => gbp,
                _ => return false,
            };
            amount.amount.minor() > limit
        };
        let whole = amount.amount.minor() as f64 / 100.0;
        let mut said = Said::Allow;
        let mut rule = |holds: bool, decision: Said| {
            if holds && decision > said {
                said = decision;
            }
        };
        rule(
            !["CHF", "EUR", "GBP", "USD"].contains(&&*p.currency),
            Said::Deny,
        );
        rule(above(5_000_000, 5_500_000, 4_500_000), Said::Deny);
        rule(above(1_000_000, 1_100_000, 900_000), Said::Review);
        rule(self.listed(&p.creditor_name), Said::Deny);
        rule(self.listed(&p.debtor_name), Said::Deny);
        let barred = [
            "AF", "BY", "CD", "CU", "IR", "KP", "LY", "MM", "RU", "SD", "SY", "YE",
        ];
        rule(barred.contains(&&*p.creditor_country), Said::Deny);
        rule(p.creditor_new && whole > 5_000.0, Said::Review);
        rule(p.risk_score >= 0.9, Said::Deny);
        rule(p.risk_score >= 0.7 && !p.mfa, Said::Review);
        rule(p.failed_logins > 5, Said::Deny);
        rule(p.session_age_s < 30 && p.creditor_new, Said::Flag);
        rule(
            p.items
                .iter()
                .any(|i| ["weapons", "gift_card"].contains(&&*i.category)),
            Said::Review,
        );
        rule(
            p.items.iter().map(|i| i.price).sum::<f64>() > 5_000.0,
            Said::Flag,
        );
        rule(!p.items.iter().all(|i| i.quantity > 0), Said::Deny);
        rule(
            p.items.iter().any(|i| i.hazardous && i.quantity > 3),
            Said::Review,
        );
        rule(
            p.execution_date.as_deref() == Some("2030-01-01"),
            Said::Flag,
        );
        rule(
            !p.reference.starts_with("RF") && p.remittance.chars().count() < 5,
            Said::Flag,
        );
        rule(
            p.customer_risk >= 4 && p.ip_country != p.customer_country,
            Said::Review,
        );
        rule(
            p.daily_count > 50 || p.daily_total + whole > 200_000.0,
            Said::Review,
        );
        // What a rule might read is read, or the reader would be spared the work.
        let read = (
            p.batch,
            p.customer_verified,
            p.fee,
            p.fx_rate,
            p.velocity_score,
            p.channel,
            p.credit,
        );
        std::hint::black_box((
            read,
            p.creditor_account,
            p.creditor_agent,
            p.customer_id,
            p.customer_segment,
        ));
        std::hint::black_box((
            p.customer_since,
            p.debit,
            p.debtor_account,
            p.debtor_agent,
            p.debtor_country,
        ));
        std::hint::black_box((
            p.device_id,
            p.instruction_id,
            p.purpose,
            p.requested_at,
            p.user_agent,
        ));
        std::hint::black_box(p.items.iter().map(|i| i.sku.len()).sum::<usize>());
        said
    }
}
