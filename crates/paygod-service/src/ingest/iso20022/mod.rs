//! ISO 20022 payment files: customer credit transfers (`pain.001`) and what another bank sends for its
//! customers (`pacs.008`).
//!
//! [`read`] takes the bytes of one file and gives a [`PaymentFile`] whose declared counts and sums hold,
//! or says where and why not. A wrong total refuses the whole file: nothing of it is handed on, so
//! nothing can be sealed. A payment that cannot be right (an IBAN whose check digits fail) is set aside
//! with its reasons, as a bank reports it in pain.002; the others stand.
//!
//! INVARIANT(bounded-parser): see the modules `source` and `xml`. Elements not needed here are passed over, within the same
//! bounds. What it does not do: validate against the XML schemas, check signatures, or load anything
//! the file points to.

mod draft;
mod error;
mod model;
mod pacs008;
mod pain001;
mod parts;
mod request_id;
mod source;
mod totals;
mod xml;

#[cfg(test)]
mod tests;

use paygod_types::Digest;

pub use error::{Faults, LocatedFault, PaymentFault, ReadError, ReadFault, Spot};
pub use model::{Agent, Dialect, MessageKind, Party, Payment, PaymentFile, Place, RefusedPayment};
pub use source::FILE_BYTES_MAX;
pub use totals::Counts;

use crate::ingest::decimal::Decimal;
use draft::Parsed;
pub use request_id::Lookalikes;
pub(crate) use request_id::NOT_PROVIDED;
use request_id::Namer;
use totals::{Declared, Found};
use xml::{Cursor, Element};

/// Payments of one file. Ten times what banks take in one message of this size.
pub const PAYMENTS_MAX: u32 = 100_000;
/// Elements between the root and `Document` in the envelopes that carry messages.
const ENVELOPE_DEPTH_MAX: u32 = 3;

/// Reads one file.
///
/// # Errors
/// The file is too large, not UTF-8, not well-formed, tries to declare or load entities, is none of the
/// messages read here, misses or repeats an element, or declares other totals than it holds.
pub fn read(bytes: &[u8]) -> Result<PaymentFile, ReadError> {
    read_with(bytes, Counts::MustHold)
}

/// [`read`], with a choice of what becomes of a count that does not hold.
///
/// # Errors
/// As [`read`].
pub fn read_with(bytes: &[u8], counts: Counts) -> Result<PaymentFile, ReadError> {
    let text = source::document_text(bytes)?;
    let mut cursor = Cursor::new(text, counts);
    let Some(root) = cursor.child()? else {
        return Err(cursor.fail(ReadFault::NoDocument));
    };
    let mut envelope = Envelope::default();
    visit(&mut cursor, &root, &mut envelope, ENVELOPE_DEPTH_MAX)?;
    cursor.require_namespace(None);
    if let Some(extra) = cursor.child()? {
        let found = source::shorten(extra.local());
        return Err(cursor.fail(ReadFault::Unexpected {
            found,
            expected: "the end of the file",
        }));
    }
    let Some((kind, dialect, message)) = envelope.found else {
        return Err(cursor.fail(ReadFault::NoDocument));
    };
    match envelope.header {
        Some(header) if header != kind.name() => {
            return Err(cursor.fail(ReadFault::Header {
                header,
                document: kind.name(),
            }));
        }
        _ => {}
    }
    message.into_file(&mut cursor, kind, dialect, Digest::sha256(bytes))
}

/// What the elements round a `Document` give.
#[derive(Default)]
struct Envelope {
    /// A `Document` was met, read or passed over.
    has_document: bool,
    found: Option<(MessageKind, Dialect, Message)>,
    header: Option<String>,
}

impl Envelope {
    /// Refuses the `Document` just entered if it is not the first.
    fn meet_document(&mut self, cursor: &mut Cursor<'_>) -> Result<(), ReadError> {
        let first = (!self.has_document).then_some(());
        self.has_document = true;
        first.ok_or_else(|| {
            cursor.fail(ReadFault::Repeated {
                element: "Document",
            })
        })
    }

    /// Passes over what is not read here, but not over a second `Document` within.
    fn skip(&mut self, cursor: &mut Cursor<'_>) -> Result<(), ReadError> {
        cursor.skip_with(|cursor, element| match element.local() {
            "Document" => self.meet_document(cursor),
            _ => Ok(()),
        })
    }
}

/// Looks for the one `Document`: at the root, or inside the envelopes known to carry messages.
fn visit(
    cursor: &mut Cursor<'_>,
    element: &Element<'_>,
    envelope: &mut Envelope,
    depth_left: u32,
) -> Result<(), ReadError> {
    match element.local() {
        "Document" => {
            envelope.meet_document(cursor)?;
            envelope.found = Some(document(cursor, element)?);
            Ok(())
        }
        "AppHdr" => {
            while let Some(part) = cursor.child()? {
                match part.local() {
                    "MsgDefIdr" => {
                        let header = &mut envelope.header;
                        parts::optional(cursor, header, "MsgDefIdr", parts::ID_CHARS_MAX)?
                    }
                    "CpyDplct" => refuse_copy(cursor)?,
                    _ => envelope.skip(cursor)?,
                }
            }
            Ok(())
        }
        "BizMsgEnvlp" | "BusMsgEnvlp" | "BusMsg" | "BizMsg" | "RequestPayload" | "Envelope"
        | "DataPDU" | "Body" | "Message" => {
            let Some(depth_left) = depth_left.checked_sub(1) else {
                let allowed = usize::try_from(ENVELOPE_DEPTH_MAX).unwrap_or(usize::MAX);
                return Err(cursor.fail(ReadFault::Limit {
                    what: "envelopes within envelopes",
                    allowed,
                }));
            };
            while let Some(part) = cursor.child()? {
                visit(cursor, &part, envelope, depth_left)?;
            }
            Ok(())
        }
        _ => envelope.skip(cursor),
    }
}

/// `CpyDplct`, entered. What is sent twice (`DUPL`) is read and answered as the first time; a copy (`COPY`, or `CODU`
/// for one sent twice) is for information and orders nothing.
fn refuse_copy(cursor: &mut Cursor<'_>) -> Result<(), ReadError> {
    let found = cursor.text(parts::ID_CHARS_MAX)?.unwrap_or_default();
    match found.as_str() {
        "DUPL" => Ok(()),
        "COPY" | "CODU" => Err(cursor.fail(ReadFault::Copy { found })),
        _ => Err(cursor.fail(ReadFault::Value {
            found: source::shorten(&found),
            expected: "one of `CODU`, `COPY` and `DUPL`",
        })),
    }
}

fn document(
    cursor: &mut Cursor<'_>,
    element: &Element<'_>,
) -> Result<(MessageKind, Dialect, Message), ReadError> {
    let namespace = cursor.namespace_of(element).to_owned();
    let Some((kind, dialect)) = MessageKind::of_namespace(&namespace) else {
        return Err(cursor.fail(ReadFault::Namespace {
            found: source::shorten(&namespace),
        }));
    };
    cursor.require_namespace(Some(namespace));
    let due = if kind.is_outgoing() {
        "CstmrCdtTrfInitn"
    } else {
        "FIToFICstmrCdtTrf"
    };
    let mut message = None;
    while let Some(body) = cursor.child()? {
        if body.local() != due {
            let found = source::shorten(body.local());
            return Err(cursor.fail(ReadFault::Unexpected {
                found,
                expected: due,
            }));
        }
        let read = if kind.is_outgoing() {
            pain001::read(cursor, kind)?
        } else {
            pacs008::read(cursor)?
        };
        cursor.put(&mut message, read, due)?;
    }
    cursor.require_namespace(None);
    let message = parts::required(cursor, message, due)?;
    Ok((kind, dialect, message))
}

/// What identifies a message.
#[derive(Debug)]
struct Header {
    message_id: String,
    created: String,
}

impl Header {
    /// Reads `GrpHdr`, entered; what both messages do not share goes to `other`, which reads or skips it.
    fn read_with<'x>(
        cursor: &mut Cursor<'x>,
        mut other: impl FnMut(&mut Cursor<'x>, &Element<'x>) -> Result<(), ReadError>,
    ) -> Result<(Self, Declared), ReadError> {
        let (mut message_id, mut created) = (None, None);
        let mut declared = Declared::default();
        while let Some(element) = cursor.child()? {
            match element.local() {
                "MsgId" => parts::optional(cursor, &mut message_id, "MsgId", parts::ID_CHARS_MAX)?,
                "CreDtTm" => {
                    let read = parts::date_time(cursor)?;
                    cursor.put(&mut created, read, "CreDtTm")?;
                }
                "NbOfTxs" => declared.read_count(cursor)?,
                "CtrlSum" => declared.read_sum(cursor)?,
                _ => other(cursor, &element)?,
            }
        }
        let message_id = parts::required(cursor, message_id, "MsgId")?;
        let created = parts::required(cursor, created, "CreDtTm")?;
        parts::required(cursor, declared.has_count().then_some(()), "NbOfTxs")?;
        Ok((
            Self {
                message_id,
                created,
            },
            declared,
        ))
    }
}

/// A message read to its end.
#[derive(Debug, Default)]
struct Message {
    ids: Option<Header>,
    control_sum: Option<Decimal>,
    declared_count: Option<u64>,
    total: Decimal,
    payments: Vec<Parsed>,
}

impl Message {
    fn read_header(&mut self, cursor: &mut Cursor<'_>) -> Result<Declared, ReadError> {
        let (ids, declared) = Header::read_with(cursor, |cursor, _| cursor.skip())?;
        self.ids = Some(ids);
        Ok(declared)
    }

    /// Holds what was found against what the group header declares.
    fn finish(
        mut self,
        declared: Declared,
        found: Found,
        counts: Counts,
    ) -> Result<Self, ReadError> {
        self.control_sum = declared.sum();
        self.declared_count = declared.count();
        self.total = found.sum;
        declared.check("group header", found, counts)?;
        Ok(self)
    }

    fn into_file(
        mut self,
        cursor: &mut Cursor<'_>,
        kind: MessageKind,
        dialect: Dialect,
        digest: Digest,
    ) -> Result<PaymentFile, ReadError> {
        let header = parts::required(cursor, self.ids, "GrpHdr")?;
        parts::required(
            cursor,
            (!self.payments.is_empty()).then_some(()),
            "CdtTrfTxInf",
        )?;
        request_id::refuse_twins(&mut self.payments);
        let mut file = PaymentFile {
            kind,
            dialect,
            message_id: header.message_id,
            created: header.created,
            declared_count: self.declared_count,
            control_sum: self.control_sum,
            total: self.total,
            payments: Vec::new(),
            refused: Vec::new(),
            digest,
        };
        let message_id = file.message_id.clone();
        let mut namer = Namer::new(&message_id);
        for parsed in self.payments {
            let named = parsed.finish(&mut namer).map_err(|error| {
                let expected = "the ids of a payment";
                cursor.fail(ReadFault::Value {
                    found: error.to_string(),
                    expected,
                })
            })?;
            match named {
                Ok(payment) => file.payments.push(payment),
                Err(refused) => file.refused.push(refused),
            }
        }
        Ok(file)
    }
}
