//! Requests as JSON: strict, every key known, one canonical form that is committed to.
//!
//! Clients may send any JSON spelling; it is brought to canonical form first and read from that. What is
//! checked here needs no state: shape, counts, orders, signs.

mod check;
mod read;
mod write;

use core::ops::Range;

use paygod_types::ActorId;
use paygod_types::canonical::{self, Limits};

use crate::command::Request;
use crate::request_error::RequestError;

pub(crate) use read::{check_payment, request as read, unchecked};
pub(crate) use write::payment as write_payment;
pub(crate) use write::request as write;

/// Where each element of a request's `transfers` stands in its canonical bytes.
pub(crate) type Spans = Vec<Range<usize>>;

/// Appends the canonical form of a request document.
pub(crate) fn canonicalize(document: &[u8], out: &mut Vec<u8>) -> Result<(), RequestError> {
    Ok(canonical::canonicalize(document, &Limits::REQUEST, out)?)
}

impl Request {
    /// Reads a request document: any JSON spelling of it, any order of keys.
    ///
    /// # Errors
    /// [`RequestError`] names the first thing wrong.
    pub fn from_json(document: &[u8]) -> Result<Self, RequestError> {
        let mut bytes = Vec::new();
        canonicalize(document, &mut bytes)?;
        Ok(read(&bytes)?.0)
    }

    /// As [`Request::from_json`]; where the document names nobody who asks, `by` does.
    ///
    /// # Errors
    /// [`RequestError`] names the first thing wrong.
    pub fn from_json_by(document: &[u8], by: Option<&ActorId>) -> Result<Self, RequestError> {
        let mut bytes = Vec::new();
        canonicalize(document, &mut bytes)?;
        let (mut request, _) = unchecked(&bytes)?;
        request.by = request.by.or_else(|| by.cloned());
        request.check()?;
        Ok(request)
    }

    /// The canonical JSON.
    ///
    /// # Errors
    /// [`RequestError`] if the request breaks a rule, see [`Request::check`].
    pub fn to_json(&self) -> Result<Vec<u8>, RequestError> {
        self.check()?;
        let mut out = Vec::new();
        write(self, &mut out)?;
        Ok(out)
    }
}
