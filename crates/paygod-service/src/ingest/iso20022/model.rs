//! What a payment file says, once it is read: typed, checked, with inherited values filled in.

use std::fmt;
use std::sync::Arc;

use paygod_types::{Currency, Digest, Money, RequestId};

use super::error::{Faults, Spot};
use super::request_id::Lookalikes;
use crate::ingest::account::AccountRef;
use crate::ingest::bic::Bic;
use crate::ingest::decimal::Decimal;

/// The messages read here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MessageKind {
    /// Customer credit transfer initiation, `pain.001.001.03`.
    Pain001V03,
    /// Customer credit transfer initiation, `pain.001.001.09`.
    Pain001V09,
    /// Interbank customer credit transfer, `pacs.008.001.08`.
    Pacs008V08,
    /// Interbank customer credit transfer, `pacs.008.001.10`.
    Pacs008V10,
}

impl MessageKind {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Pain001V03,
        Self::Pain001V09,
        Self::Pacs008V08,
        Self::Pacs008V10,
    ];

    /// The message identifier, `pain.001.001.09`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pain001V03 => "pain.001.001.03",
            Self::Pain001V09 => "pain.001.001.09",
            Self::Pacs008V08 => "pacs.008.001.08",
            Self::Pacs008V10 => "pacs.008.001.10",
        }
    }

    /// Whether money leaves accounts of this book (pain) rather than arriving from another bank (pacs).
    #[must_use]
    pub const fn is_outgoing(self) -> bool {
        matches!(self, Self::Pain001V03 | Self::Pain001V09)
    }

    /// The message a namespace names: ISO's own, or the one SIX published for Swiss banks.
    #[must_use]
    pub fn of_namespace(namespace: &str) -> Option<(Self, Dialect)> {
        const ISO: &str = "urn:iso:std:iso:20022:tech:xsd:";
        const SIX: [&str; 2] = [
            "http://www.six-interbank-clearing.com/de/",
            "https://www.six-interbank-clearing.com/de/",
        ];
        if let Some(name) = namespace.strip_prefix(ISO) {
            return Self::ALL
                .into_iter()
                .find(|kind| kind.name() == name)
                .map(|kind| (kind, Dialect::Iso));
        }
        let file = SIX
            .iter()
            .find_map(|prefix| namespace.strip_prefix(prefix))?;
        Self::ALL.into_iter().find_map(|kind| {
            let version = file
                .strip_prefix(kind.name())?
                .strip_prefix(".ch.")?
                .strip_suffix(".xsd")?;
            let numbered = version.len() == 2 && version.bytes().all(|byte| byte.is_ascii_digit());
            numbered.then_some((kind, Dialect::Swiss))
        })
    }
}

impl fmt::Display for MessageKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Whose rules the namespace names. What a payment means does not hang on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// The namespace of ISO 20022; SEPA and the Swiss standards from 2019 on use it too.
    Iso,
    /// The namespaces of the Swiss payment standards up to 2019.
    Swiss,
}

/// A read file. Its totals hold: as many payments, and as much in sum, as it declares, the refused ones
/// counted in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentFile {
    /// Which message it is.
    pub kind: MessageKind,
    /// Whose namespace it uses.
    pub dialect: Dialect,
    /// `GrpHdr/MsgId`.
    pub message_id: String,
    /// `GrpHdr/CreDtTm`, as written: often a local time without zone.
    pub created: String,
    /// `GrpHdr/NbOfTxs`. What the file holds is `payments` and `refused` together.
    pub declared_count: Option<u64>,
    /// `GrpHdr/CtrlSum`, when declared.
    pub control_sum: Option<Decimal>,
    /// What all amounts add up to, whatever their currencies.
    pub total: Decimal,
    /// The payments that can be taken in, in the order of the file.
    pub payments: Vec<Payment>,
    /// The payments that cannot, with the reasons, in the order of the file.
    pub refused: Vec<RefusedPayment>,
    /// SHA-256 of the bytes read.
    pub digest: Digest,
}

/// One payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// Where it stands.
    pub place: Place,
    /// The name of the request it becomes; unique in the file, and the same whatever else is in it.
    pub request_id: RequestId,
    /// The name it would have if its parties were spelled otherwise: an id that spells one is hashed. What is sealed under
    /// that name is this payment. `None`: it has one name only.
    pub other_id: Option<RequestId>,
    /// The payments that only their order tells it from, if its sender gave it no id.
    pub lookalikes: Option<Lookalikes>,
    /// `PmtInf/PmtInfId`; pacs.008 has none.
    pub batch_id: Option<Arc<str>>,
    /// `PmtId/InstrId`.
    pub instruction_id: Option<String>,
    /// `PmtId/EndToEndId`.
    pub end_to_end_id: String,
    /// `PmtId/TxId`, pacs.008 only.
    pub transaction_id: Option<String>,
    /// `PmtId/UETR`.
    pub uetr: Option<String>,
    /// What moves. For an `EqvtAmt` this is the amount in the debtor's currency.
    pub amount: Money,
    /// `EqvtAmt/CcyOfTrf`: the currency the creditor is to receive the counter-value in, converted outside
    /// this book.
    pub counter_currency: Option<Currency>,
    /// Requested execution date, or interbank settlement date: `2026-11-22`.
    pub execution_date: Option<String>,
    /// Who pays.
    pub debtor: Arc<Party>,
    /// On whose behalf, when that is another.
    pub ultimate_debtor: Option<Arc<Party>>,
    /// Who is paid.
    pub creditor: Party,
    /// For whom in the end, when that is another.
    pub ultimate_creditor: Option<Party>,
    /// `ChrgBr`: who bears the charges.
    pub charge_bearer: Option<Arc<str>>,
    /// `PmtTpInf/LclInstrm`.
    pub local_instrument: Option<Arc<str>>,
    /// `PmtTpInf/SvcLvl`.
    pub service_level: Option<Arc<str>>,
    /// `Purp`, else `PmtTpInf/CtgyPurp`.
    pub purpose: Option<Arc<str>>,
    /// Structured creditor reference.
    pub reference: Option<String>,
    /// Unstructured remittance information.
    pub remittance: Option<String>,
}

/// A side of a payment, or somebody behind it, who has neither account nor bank.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Party {
    /// `Nm`.
    pub name: Option<String>,
    /// The account; present on both sides of every [`Payment`], but for the debtor of some that come in.
    pub account: Option<AccountRef>,
    /// `Ccy` of the account: which one is meant, where one number stands for accounts in several currencies.
    pub account_currency: Option<Currency>,
    /// The bank that keeps the account.
    pub agent: Option<Agent>,
    /// `PstlAdr/Ctry` of the bank.
    pub agent_country: Option<String>,
    /// `Nm` of the bank.
    pub agent_name: Option<String>,
    /// `PstlAdr/Ctry`, else `CtryOfRes`.
    pub country: Option<String>,
    /// `CtryOfRes`, where `PstlAdr/Ctry` is another.
    pub residence: Option<String>,
}

/// A bank's code, as a payment gives it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Agent {
    /// By its BIC.
    Bic(Bic),
    /// As a member of a clearing system: `CHBCC:09000`.
    Member {
        /// The clearing system; empty when none is named.
        system: String,
        /// The member.
        member: String,
    },
}

impl fmt::Display for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bic(bic) => bic.fmt(f),
            Self::Member { system, member } if system.is_empty() => f.write_str(member),
            Self::Member { system, member } => write!(f, "{system}:{member}"),
        }
    }
}

/// Where a payment stands in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Which payment of the file, from 1.
    pub index: u32,
    /// Line of its first tag, from 1.
    pub line: u32,
    /// Column of its first tag, from 1.
    pub column: u32,
}

impl Place {
    pub(super) fn spot(self, path: &str) -> Spot {
        Spot {
            line: self.line,
            column: self.column,
            path: path.to_owned(),
        }
    }
}

/// A payment that cannot be taken in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedPayment {
    /// Where it stands.
    pub place: Place,
    /// `PmtId/EndToEndId`.
    pub end_to_end_id: String,
    /// What is wrong with it, one or more.
    pub faults: Faults,
}
