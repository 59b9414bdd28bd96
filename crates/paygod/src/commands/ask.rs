//! From options to a request: ids, names and amounts, each checked here with its own error.

use crate::cli::{Asked, Scope};
use crate::fault::{Fault, faults_from};
use paygod_core::command::FreezeScope;
use paygod_core::{Command, Request, Transfer};
use paygod_types::limits::ID_BYTES_MAX;
use paygod_types::{AccountId, ActorId, Currency, Digest, Money, RequestId, code};

faults_from!(
    paygod_types::IdError,
    paygod_types::MoneyError,
    paygod_types::CurrencyError,
    paygod_types::TimeError,
);

/// A request under the name that the options give, or under one made of what it is about.
pub(crate) fn request(asked: &Asked, about: &[&str], command: Command) -> Result<Request, Fault> {
    let id = match &asked.id {
        Some(id) => RequestId::parse(id)?,
        None => made_id(command.action().as_str(), about)?,
    };
    Ok(Request {
        id,
        by: actor(asked.by.as_deref())?,
        command,
    })
}

/// Who asks.
pub(crate) fn actor(by: Option<&str>) -> Result<Option<ActorId>, Fault> {
    Ok(by.map(ActorId::parse).transpose()?)
}

/// The same words make the same id, so that a command given twice does its work once.
fn made_id(action: &str, about: &[&str]) -> Result<RequestId, Fault> {
    let action = action.replace('_', "-");
    let plain = format!("{action}:{}", about.join(":"));
    if plain.len() <= ID_BYTES_MAX
        && let Ok(id) = RequestId::parse(&plain)
    {
        return Ok(id);
    }
    let digest = Digest::sha256(plain.as_bytes()).to_string();
    let short: String = digest.chars().take(32).collect();
    Ok(RequestId::parse(&format!("{action}:{short}"))?)
}

/// What a freeze covers, and the options beside it.
pub(crate) fn scope(scope: &Scope) -> Result<(FreezeScope, &Asked), Fault> {
    Ok(match scope {
        Scope::Book { asked } => (FreezeScope::Book, asked),
        Scope::Account { account, asked } => {
            (FreezeScope::Account(AccountId::parse(account)?), asked)
        }
        Scope::Currency { currency, asked } => {
            (FreezeScope::Currency(Currency::parse(currency)?), asked)
        }
    })
}

/// `DEBIT,CREDIT,AMOUNT,CURRENCY`.
pub(crate) fn transfer(text: &str) -> Result<Transfer, Fault> {
    let parts: Vec<&str> = text.split(',').map(str::trim).collect();
    let [debit, credit, amount, currency] = parts.as_slice() else {
        let message = format!("`{text}` is not a transfer");
        return Err(Fault::new(code::CLI_ARGUMENT, message).remedy(
            "write it as DEBIT,CREDIT,AMOUNT,CURRENCY, such as shop-eur,acme-eur,2.50,EUR",
        ));
    };
    Ok(Transfer {
        debit: AccountId::parse(debit)?,
        credit: AccountId::parse(credit)?,
        money: Money::parse(amount, Currency::parse(currency)?)?,
        payment: None,
    })
}

/// `NAME=VALUE`.
pub(crate) fn pair<'a>(option: &str, text: &'a str) -> Result<(&'a str, &'a str), Fault> {
    text.split_once('=')
        .filter(|(name, value)| !name.is_empty() && !value.is_empty())
        .ok_or_else(|| {
            Fault::new(
                code::CLI_ARGUMENT,
                format!("`{text}` has no `=` between two words"),
            )
            .remedy(format!("write `--{option} NAME=VALUE`"))
        })
}

#[cfg(test)]
mod tests {
    use super::{made_id, pair, transfer};

    #[test]
    fn the_same_words_make_the_same_id_whatever_their_length() {
        let id = made_id("account_open", &["acme-eur"]).unwrap();
        assert_eq!(id.as_str(), "account-open:acme-eur");
        let long = "a".repeat(64);
        let id = made_id("account_open", &[&long]).unwrap();
        assert_eq!(id, made_id("account_open", &[&long]).unwrap());
        assert_ne!(id, made_id("account_open", &["b"]).unwrap());
    }

    #[test]
    fn a_transfer_has_four_parts_and_exact_decimals() {
        let read = transfer("shop-eur, acme-eur, 2.50, EUR").unwrap();
        assert_eq!(read.money.to_string(), "2.50 EUR");
        assert!(transfer("shop-eur,acme-eur,2.50").is_err());
        assert_eq!(
            transfer("a,b,2.505,EUR").unwrap_err().code().as_str(),
            "money.precision"
        );
    }

    #[test]
    fn a_pair_needs_both_sides() {
        assert_eq!(pair("list", "ofac-sdn=2026").unwrap(), ("ofac-sdn", "2026"));
        assert!(pair("list", "ofac-sdn").is_err());
        assert!(pair("list", "=2026").is_err());
    }
}
