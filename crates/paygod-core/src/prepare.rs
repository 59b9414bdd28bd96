//! Preparing a request: everything that needs no state, so that many workers can do it at once.
//!
//! A prepared request carries its canonical bytes, what the entry will commit to, and each transfer as
//! the judge wants it. It was prepared under one policy; [`crate::engine::execute`] refuses it under another.

use core::time::Duration;

use paygod_policy::WindowToken;
use paygod_types::Digest;

use crate::command::Request;
use crate::entry::{RequestRef, Window};
use crate::judge::Judge;
use crate::ports::{CommitmentKey, WindowKey};
use crate::request_error::RequestError;
use crate::request_json;

/// A request, ready for [`crate::engine::execute`].
#[derive(Clone, Debug)]
pub struct Prepared<P> {
    pub(crate) request: Request,
    pub(crate) canonical: Vec<u8>,
    pub(crate) reference: Option<RequestRef>,
    pub(crate) policy: Digest,
    /// One a transfer.
    pub(crate) judged: Vec<P>,
    /// What is asked of history, for all transfers in order.
    pub(crate) windows: Vec<PreparedWindow>,
    /// What the entry is counted in: ascending, each once, however often it is asked.
    pub(crate) indexed: Vec<Window>,
}

/// A window query whose key is already a token.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PreparedWindow {
    pub(crate) transfer: u32,
    pub(crate) token: WindowToken,
    pub(crate) window: Duration,
    pub(crate) asked: bool,
    pub(crate) sum_used: bool,
}

impl<P> Prepared<P> {
    /// The request.
    #[must_use]
    pub const fn request(&self) -> &Request {
        &self.request
    }

    /// The canonical bytes: what is committed to, and what the vault keeps if [`Self::is_personal`].
    #[must_use]
    pub fn canonical(&self) -> &[u8] {
        &self.canonical
    }

    /// Whether it carries details of people: then it must be in the vault, and [`Self::commit`] called,
    /// before it is executed.
    #[must_use]
    pub fn is_personal(&self) -> bool {
        self.request
            .command
            .transfers()
            .iter()
            .any(|transfer| transfer.payment.is_some())
    }

    /// What the entry will commit to; `None` on a personal request until [`Self::commit`].
    #[must_use]
    pub const fn reference(&self) -> Option<RequestRef> {
        self.reference
    }

    /// Commits to a personal request under the key that its vaulted input has.
    pub fn commit(&mut self, key: &CommitmentKey) {
        self.reference = Some(RequestRef::Commitment(key.commit(&self.canonical)));
    }

    /// The policy that it was prepared under.
    #[must_use]
    pub const fn policy(&self) -> Digest {
        self.policy
    }
}

/// Prepares requests for one judge and one book.
#[derive(Debug)]
pub struct Preparer<'a, J: Judge> {
    judge: &'a J,
    window_key: &'a WindowKey,
    scratch: J::Scratch,
    buffer: Vec<u8>,
}

impl<'a, J: Judge> Preparer<'a, J> {
    /// One a worker: it keeps buffers.
    #[must_use]
    pub fn new(judge: &'a J, window_key: &'a WindowKey) -> Self {
        Self {
            judge,
            window_key,
            scratch: J::Scratch::default(),
            buffer: Vec::new(),
        }
    }

    /// Prepares a request document: any JSON spelling of it.
    ///
    /// # Errors
    /// [`RequestError`]: the document is not a request.
    pub fn json(&mut self, document: &[u8]) -> Result<Prepared<J::Prepared>, RequestError> {
        self.buffer.clear();
        request_json::canonicalize(document, &mut self.buffer)?;
        let canonical = self.buffer.clone();
        let (request, spans) = request_json::read(&canonical)?;
        self.finish(request, canonical, &spans)
    }

    /// Prepares a request made in memory.
    ///
    /// # Errors
    /// [`RequestError`]: the request breaks a rule that a document could not break either.
    pub fn request(&mut self, request: Request) -> Result<Prepared<J::Prepared>, RequestError> {
        request.check()?;
        let mut canonical = Vec::with_capacity(REQUEST_BYTES_TYPICAL);
        let spans = request_json::write(&request, &mut canonical)?;
        self.finish(request, canonical, &spans)
    }

    fn finish(
        &mut self,
        request: Request,
        canonical: Vec<u8>,
        spans: &request_json::Spans,
    ) -> Result<Prepared<J::Prepared>, RequestError> {
        let mut prepared = Prepared {
            request,
            reference: None,
            policy: self.judge.policy(),
            judged: Vec::with_capacity(spans.len()),
            windows: Vec::new(),
            indexed: Vec::new(),
            canonical,
        };
        for (transfer, span) in (0_u32..).zip(spans) {
            let bytes = prepared.canonical.get(span.clone()).unwrap_or_default();
            let mut judged = J::Prepared::default();
            self.judge
                .prepare(&mut self.scratch, bytes, &mut judged)
                .map_err(RequestError::Judge)?;
            prepared
                .windows
                .extend(J::windows(&judged).map(|query| PreparedWindow {
                    transfer,
                    token: self.window_key.token(query.key),
                    window: query.window,
                    asked: query.asked,
                    sum_used: query.sum_used,
                }));
            prepared.judged.push(judged);
        }
        let windows = prepared.windows.iter();
        let windows = windows.map(|window| Window {
            token: window.token,
            transfer: window.transfer,
        });
        prepared.indexed.extend(windows);
        prepared.indexed.sort_unstable_by_key(Window::place);
        prepared.indexed.dedup();
        if !prepared.is_personal() {
            prepared.reference = Some(RequestRef::Digest(Digest::sha256(&prepared.canonical)));
        }
        Ok(prepared)
    }
}

const REQUEST_BYTES_TYPICAL: usize = 512;
