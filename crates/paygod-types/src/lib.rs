//! Money, identifiers, time, limits, canonical bytes and error codes of Paygod Kernel.
//!
//! Every other crate stands on this one, and it stands on nothing but SHA-256. It is pure: no input
//! or output, no clock, no randomness, no global state. What a type here can hold is valid: values
//! are made by parsing, and a parser accepts one spelling of each value.

pub mod canonical;
pub mod code;
mod currency;
mod digest;
mod id;
pub mod limits;
mod money;
mod time;

pub use code::Code;
pub use currency::{Currency, CurrencyError};
pub use digest::{Digest, DigestError, parse_hex, write_hex};
pub use id::{AccountId, ActorId, IdError, Name, RequestId, Seq};
pub use money::{Amount, Money, MoneyError};
pub use time::{Date, TimeError, Timestamp};
