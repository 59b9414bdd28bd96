//! What can be wrong with an ISO 20022 file, and where.
//!
//! Two levels, as banks report them in pain.002. A [`ReadError`] refuses the whole file: its bytes, its
//! structure or its totals cannot be trusted, so no payment of it may be taken in. A [`PaymentFault`]
//! refuses one payment of an otherwise sound file.
//!
//! INVARIANT(no-person): messages hold element names, codes and totals, never a name; of an account
//! number they show the first four characters.

use std::fmt;
use std::sync::Arc;

use paygod_types::{Code, MoneyError, code};
use thiserror::Error;

use crate::ingest::decimal::Decimal;
use crate::ingest::iban::IbanError;
use crate::ingest::reference::ReferenceError;

/// A place in a file: line and column count from 1, the column in characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// Names of the open elements, from the root: `/Document/CstmrCdtTrfInitn/GrpHdr/CtrlSum`.
    pub path: String,
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)?;
        if !self.path.is_empty() {
            write!(f, ", at {}", self.path)?;
        }
        Ok(())
    }
}

/// Why a whole file was refused, and where.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{at}: {fault}")]
pub struct ReadError {
    /// Where the reader stood.
    pub at: Spot,
    /// What was wrong.
    pub fault: ReadFault,
}

impl ReadError {
    /// The permanent code of this error.
    #[must_use]
    pub fn code(&self) -> Code {
        self.fault.code()
    }
}

/// Why a whole file was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReadFault {
    /// More bytes than a file may have.
    #[error(
        "the file has {found_bytes} bytes, at most {bytes_max} are read; split it into several messages"
    )]
    TooLarge {
        /// Bytes in the file.
        found_bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// Declared or marked as something other than UTF-8.
    #[error(
        "the file is encoded as `{found}`, only UTF-8 is read; convert it and correct its XML declaration"
    )]
    Encoding {
        /// The encoding found.
        found: String,
    },
    /// Bytes that are not UTF-8.
    #[error("byte {offset} is not valid UTF-8; write the file as UTF-8")]
    NotUtf8 {
        /// Byte offset of the first bad byte.
        offset: usize,
    },
    /// A character XML does not allow.
    #[error("character U+{codepoint:04X} is not allowed in XML; remove it")]
    Character {
        /// The code point.
        codepoint: u32,
    },
    /// Not well-formed XML.
    #[error("the XML is not well formed: {detail}; ask the sender for the file again")]
    Malformed {
        /// What the XML parser found.
        detail: String,
    },
    /// The file ends inside an element.
    #[error("the file ends before its last element is closed; it was cut, ask for it again")]
    Truncated,
    /// A document type declaration.
    #[error("the file carries a DOCTYPE, which no payment message needs; remove it")]
    Doctype,
    /// A document type declaration that points outside the file.
    #[error(
        "the file's DOCTYPE points outside the file; external entities are never loaded, remove it"
    )]
    ExternalEntity,
    /// A document type declaration that declares entities.
    #[error("the file declares XML entities; they are never expanded, write the text itself")]
    EntityDeclaration,
    /// A reference to an entity that is not predefined.
    #[error(
        "the entity `&{name};` is not one of the five XML predefines; write the character itself"
    )]
    EntityReference {
        /// The entity's name.
        name: String,
    },
    /// A bound of the reader was passed.
    #[error(
        "{what}: found more than the {allowed} allowed; the file is refused before it costs more"
    )]
    Limit {
        /// What was counted.
        what: &'static str,
        /// The bound.
        allowed: usize,
    },
    /// A namespace that is none of the messages read here.
    #[error(
        "namespace `{found}` is not a message read here; send pain.001.001.03, pain.001.001.09, \
         pacs.008.001.08 or pacs.008.001.10"
    )]
    Namespace {
        /// The namespace found, empty when none was declared.
        found: String,
    },
    /// The business header names another message than the document is.
    #[error(
        "the business header names `{header}`, the document is `{document}`; correct one of them"
    )]
    Header {
        /// `MsgDefIdr` of the header.
        header: String,
        /// What the document's namespace says.
        document: &'static str,
    },
    /// The business header says that the message is a copy.
    #[error(
        "the business header marks the message as a copy (`CpyDplct` is `{found}`): a copy is for information and is \
         not paid; send the original, or leave `CpyDplct` out of a message that is one"
    )]
    Copy {
        /// `COPY`, or `CODU`.
        found: String,
    },
    /// No `Document` in the envelope.
    #[error("the file holds no `Document` element; send the message or a known envelope round it")]
    NoDocument,
    /// An element where another was due.
    #[error("found `{found}` where {expected} is due; check the file against the message's schema")]
    Unexpected {
        /// What was found.
        found: String,
        /// What was due there.
        expected: &'static str,
    },
    /// A mandatory element is missing.
    #[error("`{element}` is missing; check the file against the message's schema")]
    Missing {
        /// The element.
        element: &'static str,
    },
    /// An element that may stand once stands twice.
    #[error("`{element}` stands more than once; it is unclear which one counts")]
    Repeated {
        /// The element.
        element: &'static str,
    },
    /// A value outside its type.
    #[error("`{found}` is not {expected}; correct the value")]
    Value {
        /// What was found, shortened.
        found: String,
        /// What is allowed.
        expected: &'static str,
    },
    /// The number of transactions is not the declared one.
    #[error(
        "`NbOfTxs` of the {level} declares {expected} payments, {found} were found; \
         nothing of this file is taken in, ask the sender for a complete one"
    )]
    Count {
        /// Group header or payment information.
        level: &'static str,
        /// What the file declares.
        expected: u64,
        /// What was counted.
        found: u64,
    },
    /// The sum of the amounts is not the declared one.
    #[error(
        "`CtrlSum` of the {level} declares {expected}, the payments add up to {found}; \
         nothing of this file is taken in, ask the sender for a corrected one"
    )]
    ControlSum {
        /// Group header or payment information.
        level: &'static str,
        /// What the file declares.
        expected: Decimal,
        /// What the amounts add up to.
        found: Decimal,
    },
    /// The settlement total is not the declared one, or mixes currencies.
    #[error(
        "`TtlIntrBkSttlmAmt` declares {expected} {currency}, the payments in {currency} add up to {found} and \
         {other} are in another currency; nothing of this file is taken in, ask the sender for a corrected one"
    )]
    SettlementTotal {
        /// What the file declares.
        expected: Decimal,
        /// The declared currency.
        currency: String,
        /// What the amounts in that currency add up to.
        found: Decimal,
        /// Payments in other currencies.
        other: u64,
    },
}

impl ReadFault {
    /// The permanent code of this fault.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::TooLarge { .. } | Self::Limit { .. } => code::INGEST_LIMIT,
            Self::Encoding { .. } | Self::NotUtf8 { .. } | Self::Character { .. } => {
                code::XML_ENCODING
            }
            Self::Malformed { .. } => code::XML_MALFORMED,
            Self::Truncated => code::XML_TRUNCATED,
            Self::Doctype => code::XML_DOCTYPE,
            Self::ExternalEntity => code::XML_EXTERNAL_ENTITY,
            Self::EntityDeclaration | Self::EntityReference { .. } => code::XML_ENTITY,
            Self::Namespace { .. } | Self::Header { .. } => code::ISO20022_NAMESPACE,
            Self::NoDocument
            | Self::Unexpected { .. }
            | Self::Missing { .. }
            | Self::Repeated { .. } => code::ISO20022_STRUCTURE,
            Self::Value { .. } | Self::Copy { .. } => code::ISO20022_VALUE,
            Self::Count { .. } => code::ISO20022_COUNT,
            Self::ControlSum { .. } | Self::SettlementTotal { .. } => code::ISO20022_CONTROL_SUM,
        }
    }
}

/// Why one payment of a sound file was refused, and where.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{at}: {fault}")]
pub struct LocatedFault {
    /// Where the value stands.
    pub at: Spot,
    /// What was wrong.
    pub fault: PaymentFault,
}

/// Why one payment of a sound file was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PaymentFault {
    /// An IBAN that cannot exist.
    #[error(transparent)]
    Iban(#[from] IbanError),
    /// A BIC that has not the shape of one.
    #[error(
        "`{found}` is not a BIC: four letters or digits, a country, two and perhaps three more; ask for the right one"
    )]
    Bic {
        /// What was found.
        found: String,
    },
    /// No account on a side that needs one.
    #[error("the {side} has no account; add `{element}`")]
    AccountMissing {
        /// `debtor` or `creditor`.
        side: &'static str,
        /// The element to add.
        element: &'static str,
    },
    /// A proprietary account id that cannot be keyed.
    #[error(
        "the account id has no usable form: {detail}; give an IBAN or `Othr/Id` with its `SchmeNm`"
    )]
    Account {
        /// What is wrong with it.
        detail: &'static str,
    },
    /// A currency outside the ISO 4217 table.
    #[error(
        "currency `{found}` is not an ISO 4217 code that payments use; correct the `Ccy` attribute"
    )]
    Currency {
        /// What was found.
        found: String,
    },
    /// An amount its currency cannot hold.
    #[error(transparent)]
    Amount(#[from] MoneyError),
    /// Nothing to pay.
    #[error("the amount is zero; leave the payment out")]
    ZeroAmount,
    /// A structured reference whose check digit fails, or that does not fit its account.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// More unstructured remittance than a payment may carry.
    #[error(
        "the lines of `Ustrd` have more than the {bytes_max} bytes taken of one payment; shorten them"
    )]
    Remittance {
        /// The limit, over all lines and the spaces between.
        bytes_max: usize,
    },
    /// An id that several payments of a batch have, or a UETR that several have.
    #[error(
        "{count} payments have the same id in one batch (`TxId`, `InstrId` or else `EndToEndId`) or the same `UETR`; give each its own"
    )]
    Twin {
        /// How many have it.
        count: u32,
    },
    /// A payment method other than a credit transfer.
    #[error(
        "payment method `{found}` is not a credit transfer; send `TRF` or `TRA` and no cheque instruction"
    )]
    Method {
        /// What was found.
        found: String,
    },
}

impl PaymentFault {
    /// The permanent code of this fault.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Iban(_) => code::PAYMENT_IBAN,
            Self::Bic { .. } => code::PAYMENT_BIC,
            Self::AccountMissing { .. } | Self::Account { .. } => code::PAYMENT_ACCOUNT,
            Self::Currency { .. } => code::MONEY_CURRENCY_UNKNOWN,
            Self::Amount(error) => error.code(),
            Self::ZeroAmount => code::PAYMENT_AMOUNT,
            Self::Reference(_) => code::PAYMENT_REFERENCE,
            Self::Remittance { .. } => code::ISO20022_VALUE,
            Self::Twin { .. } => code::PAYMENT_ID,
            Self::Method { .. } => code::PAYMENT_METHOD,
        }
    }
}

/// The faults of one payment, in the order found; shared with the others of its batch.
pub type Faults = Vec<Arc<LocatedFault>>;
