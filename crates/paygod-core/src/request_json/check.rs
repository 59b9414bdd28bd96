//! What types alone do not hold a request to.

use std::sync::Arc;

use paygod_policy::Named;
use paygod_types::limits::{AMOUNT_MINOR_END, PENDING_TIMEOUT_S_MAX, TRANSFERS_PER_REQUEST_MAX};
use paygod_types::{Amount, IdError, Money};

use crate::command::{
    AccountOpen, AmountText, Command, PendingTerms, PolicySet, Request, Transfer,
};
use crate::fold_book::ALIASES_PER_ACCOUNT_MAX;
use crate::pack_trust::{PACK_SIGNATURES_MAX, PackSignature};
use crate::request_error::RequestError;

/// Longest version of a pack or list, in bytes.
const VERSION_BYTES_MAX: usize = 64;

/// Longest amount whose currency is not known yet, in bytes: any amount of 128 bits fits.
const AMOUNT_TEXT_BYTES_MAX: usize = 48;

impl Request {
    /// Checks what types alone do not: counts, orders, signs. Reading a document checks it too.
    ///
    /// # Errors
    /// [`RequestError`] names the first thing wrong.
    pub fn check(&self) -> Result<(), RequestError> {
        if self.id.is_system() {
            let text = self.id.as_str().into();
            return Err(RequestError::Id {
                key: "id",
                source: IdError::Reserved { text },
            });
        }
        match &self.command {
            Command::Transfer(request) => {
                transfers(&request.transfers)?;
                request.pending.as_ref().map_or(Ok(()), pending)
            }
            Command::Correct(correction) => transfers(&correction.transfers),
            Command::Post {
                amounts: Some(found),
                ..
            } => amounts(found),
            Command::Approve { .. } | Command::Reject { .. } | Command::PackStage(_)
                if self.by.is_none() =>
            {
                Err(RequestError::Anonymous {
                    command: self.command.action().as_str(),
                })
            }
            Command::AccountOpen(open) => account_open(open),
            Command::PolicyActivate(activation) => {
                policy_set(&activation.set)?;
                signatures(&activation.signatures)
            }
            Command::KeyPolicy(policy) => policy.check().map_err(|expected| RequestError::Value {
                key: "key_policy",
                expected,
            }),
            Command::PackTrust(rules) => rules.check().map_err(|expected| RequestError::Value {
                key: "pack_trust",
                expected,
            }),
            Command::PackStage(staged) => version(&staged.pack),
            Command::RunSeal(run) if !run.is_ordered() => {
                Err(RequestError::SetOrder { key: "packs" })
            }
            Command::RunSeal(run) => run.packs.iter().try_for_each(version),
            _ => Ok(()),
        }
    }
}

fn transfers(transfers: &[Transfer]) -> Result<(), RequestError> {
    let found = transfers.len();
    if found == 0 || found > TRANSFERS_PER_REQUEST_MAX {
        return Err(RequestError::TransferCount { found });
    }
    for transfer in transfers {
        if !transfer.money.amount.is_positive() {
            let found = transfer.money.to_string().into();
            return Err(RequestError::NotPositive { found });
        }
        if transfer.money.amount.minor() >= AMOUNT_MINOR_END {
            let found = transfer.money.to_string().into();
            return Err(RequestError::AmountTooLarge { found });
        }
        if transfer.debit == transfer.credit {
            let account = transfer.debit.as_str().into();
            return Err(RequestError::SameAccount { account });
        }
    }
    Ok(())
}

fn pending(terms: &PendingTerms) -> Result<(), RequestError> {
    match terms.timeout_s {
        Some(found) if !(1..=PENDING_TIMEOUT_S_MAX).contains(&found) => {
            Err(RequestError::Timeout { found })
        }
        _ => Ok(()),
    }
}

fn amounts(amounts: &[AmountText]) -> Result<(), RequestError> {
    let found = amounts.len();
    if found == 0 || found > TRANSFERS_PER_REQUEST_MAX {
        return Err(RequestError::TransferCount { found });
    }
    for amount in amounts {
        let text = amount.as_str();
        let digits = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.'));
        if text.is_empty() || text.len() > AMOUNT_TEXT_BYTES_MAX || !digits {
            return Err(RequestError::Value {
                key: "amounts",
                expected: "decimal strings",
            });
        }
    }
    Ok(())
}

fn account_open(open: &AccountOpen) -> Result<(), RequestError> {
    let floor = open.min_balance.unwrap_or(Amount::ZERO);
    let ceiling = open.max_balance.unwrap_or(Amount::ZERO);
    if floor > Amount::ZERO || ceiling < Amount::ZERO {
        return Err(RequestError::Limits);
    }
    if open.aliases.len() > ALIASES_PER_ACCOUNT_MAX || !open.aliases.is_sorted_by(|a, b| a < b) {
        return Err(RequestError::Aliases {
            allowed: ALIASES_PER_ACCOUNT_MAX,
        });
    }
    Ok(())
}

fn policy_set(set: &PolicySet) -> Result<(), RequestError> {
    for (key, named) in [("lists", &set.lists), ("packs", &set.packs)] {
        if !named.is_sorted_by(|a, b| a.name < b.name) {
            return Err(RequestError::SetOrder { key });
        }
        for one in named {
            version(one)?;
        }
    }
    Ok(())
}

fn version(named: &Named) -> Result<(), RequestError> {
    if (1..=VERSION_BYTES_MAX).contains(&named.version.len()) {
        return Ok(());
    }
    Err(RequestError::Value {
        key: "version",
        expected: "1 to 64 bytes long",
    })
}

fn signatures(signatures: &[PackSignature]) -> Result<(), RequestError> {
    let place = |one: &PackSignature| (one.pack.clone(), Arc::clone(&one.key));
    if signatures.len() <= PACK_SIGNATURES_MAX
        && signatures.is_sorted_by(|a, b| place(a) < place(b))
    {
        return Ok(());
    }
    Err(RequestError::Value {
        key: "signatures",
        expected: "at most 128, ascending by pack and key, each once",
    })
}

impl AmountText {
    /// Writes down `money` without its currency.
    #[must_use]
    pub fn from_money(money: &Money) -> Self {
        let mut text = Vec::new();
        money.write_decimal(&mut text);
        Self(String::from_utf8_lossy(&text).into())
    }

    /// As written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
