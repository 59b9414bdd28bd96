//! Call sites of `velocity` and `account`, linked, and the key bytes of windows.
//!
//! Key bytes are `prefix ‖ (length u32 ‖ kind u8 ‖ value)…`: the prefix is the first 16 bytes of a SHA-256
//! over a domain, the paths of the keys in the document and what is measured; so call sites of any pack
//! and version that ask for the same thing share a window, and different ones cannot collide.
//!
//! Texts are framed as windows compare them, by [`frame_text`] and nothing else: who pays or is paid must not get
//! another window by writing the same account or reference with spaces, or in small letters.

use core::time::Duration;
use std::sync::Arc;

use paygod_types::Digest;

use crate::document::{Document, Slot};
use crate::lang::ty::duration_text;
use crate::lang::typed::{Measured, WindowKey, WindowSite};
use crate::list::shows_nothing;
use crate::schema::Shape;
use crate::window::Measure;

const DOMAIN: &[u8] = b"paygod/window/v1\0";

/// A `velocity` call site.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Site {
    /// Index of the layout it reads.
    pub(crate) shape: usize,
    prefix: [u8; 16],
    keys: Vec<SiteKey>,
    /// The slot of the amount whose currency joins the key.
    currency: Option<usize>,
    pub(crate) window: Duration,
    measured: SiteMeasured,
    /// The keys as written, for reasons.
    pub(crate) label: String,
    /// The window as written, for reasons.
    pub(crate) window_label: String,
}

/// An account whose balances are read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct AccountSite {
    /// Index of the layout it reads.
    pub(crate) shape: usize,
    id: SiteKey,
    /// The field, or the id as written, for reasons.
    pub(crate) label: String,
}

impl AccountSite {
    pub(crate) fn new(shape: usize, id: WindowKey) -> Self {
        let (id, label) = match id {
            WindowKey::Field(field) => (SiteKey::Slot(field.slot), field.path.to_string()),
            WindowKey::Text(text) => (SiteKey::Text(Arc::clone(&text)), text.to_string()),
        };
        Self { shape, id, label }
    }

    /// The account's id in a document; `None` if its field is absent.
    pub(crate) fn id<'d>(&'d self, document: &'d Document) -> Option<&'d str> {
        match &self.id {
            SiteKey::Text(text) => Some(text),
            SiteKey::Slot(slot) => match *document.slot(*slot) {
                Slot::Text(start, end) => Some(document.text(start, end)),
                _ => None,
            },
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum SiteKey {
    Slot(usize),
    Text(Arc<str>),
}

/// What is measured in a window, linked.
#[derive(Debug, PartialEq, Eq)]
enum SiteMeasured {
    Count,
    Sum,
    /// The slot of the field whose values are counted, and the field for reasons.
    Distinct(usize, Arc<str>),
}

impl Site {
    pub(crate) fn new(shape_index: usize, shape: &Shape, site: WindowSite) -> Self {
        let label = site.label();
        let mut framed = DOMAIN.to_vec();
        for key in &site.keys {
            match key {
                WindowKey::Field(field) => frame(&mut framed, b'f', field.path.as_bytes()),
                WindowKey::Text(text) => frame_text(&mut framed, text),
            }
        }
        let (measured, currency) = match &site.measured {
            Measured::Count => {
                framed.push(0);
                (SiteMeasured::Count, None)
            }
            Measured::Sum => {
                framed.push(1);
                (SiteMeasured::Sum, shape.amount)
            }
            Measured::Distinct(field) => {
                framed.push(2);
                frame(&mut framed, b'f', field.path.as_bytes());
                (
                    SiteMeasured::Distinct(field.slot, Arc::clone(&field.path)),
                    None,
                )
            }
        };
        let prefix = Digest::sha256(&framed).first_half();
        let keys = site.keys.into_iter().map(|key| match key {
            WindowKey::Field(field) => SiteKey::Slot(field.slot),
            WindowKey::Text(text) => SiteKey::Text(text),
        });
        Self {
            shape: shape_index,
            prefix,
            keys: keys.collect(),
            currency,
            window: Duration::from_nanos(site.window_ns.unsigned_abs()),
            measured,
            label,
            window_label: duration_text(site.window_ns),
        }
    }

    pub(crate) const fn measure(&self) -> Measure {
        match self.measured {
            SiteMeasured::Count => Measure::Count,
            SiteMeasured::Sum => Measure::Sum,
            SiteMeasured::Distinct(..) => Measure::Distinct,
        }
    }

    /// The field whose values are counted, for reasons.
    pub(crate) fn counted(&self) -> Option<&str> {
        match &self.measured {
            SiteMeasured::Distinct(_, path) => Some(path),
            SiteMeasured::Count | SiteMeasured::Sum => None,
        }
    }

    /// Appends the bytes of the value that a document adds to a window whose values are counted: its key bytes
    /// and the field's. `false`, with nothing appended, if one is absent; `true` if no values are counted.
    pub(crate) fn write_value(&self, document: &Document, out: &mut Vec<u8>) -> bool {
        let SiteMeasured::Distinct(slot, _) = self.measured else {
            return true;
        };
        let start = out.len();
        let written =
            self.write_key(document, out) && write_slot(document, *document.slot(slot), out);
        if !written {
            out.truncate(start);
        }
        written
    }

    /// Appends the key bytes of a document; `false`, with nothing appended, if a key is absent.
    pub(crate) fn write_key(&self, document: &Document, out: &mut Vec<u8>) -> bool {
        let start = out.len();
        out.extend_from_slice(&self.prefix);
        for key in &self.keys {
            let written = match key {
                SiteKey::Text(text) => {
                    frame_text(out, text);
                    true
                }
                SiteKey::Slot(slot) => write_slot(document, *document.slot(*slot), out),
            };
            if !written {
                out.truncate(start);
                return false;
            }
        }
        if let Some(slot) = self.currency {
            let Slot::Money(money) = *document.slot(slot) else {
                out.truncate(start);
                return false;
            };
            frame(out, b'c', money.currency.code().as_bytes());
        }
        true
    }
}

fn frame(out: &mut Vec<u8>, kind: u8, value: &[u8]) {
    let length = u32::try_from(value.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.push(kind);
    out.extend_from_slice(value);
}

/// Frames a text as windows compare it: capitals of ASCII made small, and without white space, control characters
/// and what else shows as nothing.
fn frame_text(out: &mut Vec<u8>, text: &str) {
    let start = out.len();
    frame(out, b't', &[]);
    let body = out.len();
    if text.is_ascii() {
        let seen = text.bytes().filter(u8::is_ascii_graphic);
        out.extend(seen.map(|byte| byte.to_ascii_lowercase()));
    } else {
        let seen = text
            .chars()
            .filter(|c| !c.is_whitespace() && !shows_nothing(*c));
        for c in seen {
            let mut utf8 = [0; 4];
            let utf8 = c.to_ascii_lowercase().encode_utf8(&mut utf8);
            out.extend_from_slice(utf8.as_bytes());
        }
    }
    let length = u32::try_from(out.len().saturating_sub(body)).unwrap_or(u32::MAX);
    if let Some(place) = out.get_mut(start..).and_then(<[u8]>::first_chunk_mut) {
        *place = length.to_be_bytes();
    }
}

fn write_slot(document: &Document, slot: Slot, out: &mut Vec<u8>) -> bool {
    match slot {
        Slot::Bool(value) => frame(out, b'b', &[u8::from(value)]),
        Slot::Int(value) => frame(out, b'i', &value.to_be_bytes()),
        Slot::Duration(value) => frame(out, b'd', &value.to_be_bytes()),
        Slot::Time(value) => frame(out, b's', &value.as_nanos().to_be_bytes()),
        Slot::Text(start, end) => frame_text(out, document.text(start, end)),
        Slot::Money(money) => {
            frame(out, b'm', &money.amount.minor().to_be_bytes());
            frame(out, b'c', money.currency.code().as_bytes());
        }
        // Equal decimals have one coefficient and scale.
        Slot::Decimal(value) => {
            frame(out, b'n', &value.coefficient().to_be_bytes());
            frame(out, b'e', &[value.scale()]);
        }
        Slot::Absent | Slot::Present | Slot::List(_) => return false,
    }
    true
}
