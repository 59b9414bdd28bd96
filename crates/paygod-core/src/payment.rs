//! The details of a payment: what packs judge and the vault keeps, and no entry ever holds.
//!
//! Kept as the canonical JSON that is committed to and judged; [`PaymentDetails`] writes it. Which
//! fields there are is fixed here; what they must hold is for packs to say.

use core::fmt;

use paygod_types::canonical::{self, Limits};

use crate::request_error::RequestError;
use crate::request_json;

/// Longest text of a payment's details, in bytes: twice the longest of ISO 20022 in four-byte letters. Packs take as much
/// as their input (`payment-details.v1`).
pub const PAYMENT_TEXT_BYTES_MAX: usize = 1_024;

/// A payment's details as one canonical JSON object, every field known and within its length.
#[derive(Clone, PartialEq, Eq)]
pub struct Payment {
    json: Box<[u8]>,
}

impl Payment {
    /// Reads details from JSON, any spelling of them.
    ///
    /// # Errors
    /// [`RequestError`]: not JSON, an unknown key, or a text too long.
    pub fn from_json(document: &[u8]) -> Result<Self, RequestError> {
        let mut bytes = Vec::new();
        canonical::canonicalize(document, &Limits::REQUEST, &mut bytes)?;
        request_json::check_payment(&bytes)?;
        Ok(Self::from_checked(&bytes))
    }

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
    /// For whom the creditor receives it, where that is another.
    pub ultimate_creditor: Party,
    /// On whose behalf the debtor pays, where that is another.
    pub ultimate_debtor: Party,
}

impl PaymentDetails {
    /// Writes the details in canonical form.
    ///
    /// # Errors
    /// [`RequestError`]: a text is too long.
    pub fn to_payment(&self) -> Result<Payment, RequestError> {
        let mut bytes = Vec::new();
        request_json::write_payment(self, &mut bytes);
        request_json::check_payment(&bytes)?;
        Ok(Payment::from_checked(&bytes))
    }
}

/// One side of a payment. All optional.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Party {
    /// The account as the outside world names it: an IBAN, or a proprietary id.
    pub account: Option<String>,
    /// The bank, as a BIC or a clearing member id.
    pub agent: Option<String>,
    /// The country of the bank's address, as ISO 3166 alpha-2.
    pub agent_country: Option<String>,
    /// The bank's name.
    pub agent_name: Option<String>,
    /// The country of the address, as ISO 3166 alpha-2.
    pub country: Option<String>,
    /// The name.
    pub name: Option<String>,
    /// The country of residence, where the address names another.
    pub residence: Option<String>,
}
