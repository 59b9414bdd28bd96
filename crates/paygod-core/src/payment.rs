//! The details of a payment: what packs judge and the vault keeps, and no entry ever holds.
//!
//! Kept as the canonical JSON that is committed to and judged; [`PaymentDetails`] writes it. Which
//! fields there are is fixed here; what they must hold is for packs to say.

use core::fmt;

/// A payment's details as one canonical JSON object, every field known and within its length.
#[derive(Clone, PartialEq, Eq)]
pub struct Payment {
    json: Box<[u8]>,
}

impl Payment {
    /// The canonical JSON.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
        &self.json
    }

    /// Bytes already checked by the reader of requests.
    pub(crate) fn from_checked(json: &[u8]) -> Self {
        Self { json: json.into() }
    }
}

impl fmt::Debug for Payment {
    // Details of people stay out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payment({} bytes)", self.json.len())
    }
}

/// The details, field by field, in the words of ISO 20022. All optional.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct PaymentDetails {
    /// Who is paid.
    pub creditor: Party,
    /// Who pays.
    pub debtor: Party,
    /// The payer's own reference, carried to the payee.
    pub end_to_end_id: Option<String>,
    /// When it is to be executed, `YYYY-MM-DD`.
    pub execution_date: Option<String>,
    /// The reference between the payer and its bank.
    pub instruction_id: Option<String>,
    /// The purpose code.
    pub purpose: Option<String>,
    /// The structured reference.
    pub reference: Option<String>,
    /// The unstructured remittance text.
    pub remittance: Option<String>,
}

/// One side of a payment. All optional.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Party {
    /// The account as the outside world names it: an IBAN, or a proprietary id.
    pub account: Option<String>,
    /// The bank, as a BIC or a clearing member id.
    pub agent: Option<String>,
    /// The country, as ISO 3166 alpha-2.
    pub country: Option<String>,
    /// The name.
    pub name: Option<String>,
}
