//! Ingest: turns what arrives from outside into requests the ledger understands.
//!
//! Payment files of banks ([`iso20022`], then [`route`]), lines of native commands ([`jsonl`]) and the
//! published sanctions list ([`ofac`]). All of it is hostile until read: INVARIANT(bounded-parser) holds
//! for every reader here, and each gives positions with its errors.
//!
//! It decides nothing: whether a payment may move money is for packs and the ledger.

pub mod account;
pub mod bic;
pub mod decimal;
pub mod iban;
mod iban_registry;
pub mod iso20022;
pub mod jsonl;
pub mod ofac;
pub mod reference;
pub mod route;
