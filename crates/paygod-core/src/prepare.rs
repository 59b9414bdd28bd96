//! Preparing a request: everything that needs no state, so that many workers can do it at once.
//!
//! A prepared request carries its canonical bytes, what the entry will commit to, and each transfer as
//! the judge wants it. It was prepared under one policy; [`crate::engine::execute`] refuses it under another.

use core::fmt;
use core::time::Duration;

use paygod_policy::{Measure, WindowToken};
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
    pub(crate) measure: Measure,
    /// What it adds to the values that the window counts.
    pub(crate) value: Option<WindowToken>,
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

    /// The windows that its entry will be counted in if it is not denied.
    #[must_use]
    pub fn windows(&self) -> &[Window] {
        &self.indexed
    }

    /// The windows that judging it asks about, or those that it only counts in, as often as they are named.
    pub fn tokens(&self, asked: bool) -> impl Iterator<Item = WindowToken> {
        let windows = self.windows.iter();
        let named = windows.filter(move |window| window.asked == asked);
        named.map(|window| window.token)
    }

    /// The policy that it was prepared under.
    #[must_use]
    pub const fn policy(&self) -> Digest {
        self.policy
    }
}

/// What a worker prepares in, kept from request to request so that preparing asks for no memory.
pub struct Workspace<J: Judge> {
    scratch: J::Scratch,
    spare: Vec<Parts<J::Prepared>>,
}

impl<J: Judge> Default for Workspace<J> {
    fn default() -> Self {
        Self {
            scratch: J::Scratch::default(),
            spare: Vec::new(),
        }
    }
}

impl<J: Judge> Workspace<J> {
    /// Takes back a prepared request that is done with: its memory serves a later one.
    pub fn recycle(&mut self, prepared: Prepared<J::Prepared>) {
        if self.spare.len() < SPARE_MAX && prepared.canonical.capacity() <= SPARE_BYTES_MAX {
            self.spare.push(Parts {
                canonical: prepared.canonical,
                judged: prepared.judged,
                windows: prepared.windows,
                indexed: prepared.indexed,
            });
        }
    }
}

impl<J: Judge> fmt::Debug for Workspace<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Workspace({} spare)", self.spare.len())
    }
}

/// The parts of a prepared request that are worth keeping.
struct Parts<P> {
    canonical: Vec<u8>,
    judged: Vec<P>,
    windows: Vec<PreparedWindow>,
    indexed: Vec<Window>,
}

/// Most requests whose memory a worker keeps: those of a chunk and some more.
const SPARE_MAX: usize = 512;

/// Longest canonical form whose memory is kept, in bytes: a rare long request does not hold it for ever.
const SPARE_BYTES_MAX: usize = 4_096;

/// Prepares requests for one judge and one book.
pub struct Preparer<'a, J: Judge> {
    judge: &'a J,
    window_key: &'a WindowKey,
    space: &'a mut Workspace<J>,
}

impl<'a, J: Judge> Preparer<'a, J> {
    /// A preparer that works in `space`.
    #[must_use]
    pub const fn new(judge: &'a J, window_key: &'a WindowKey, space: &'a mut Workspace<J>) -> Self {
        Self {
            judge,
            window_key,
            space,
        }
    }

    /// Prepares a request document: any JSON spelling of it.
    ///
    /// # Errors
    /// [`RequestError`]: the document is not a request.
    pub fn json(&mut self, document: &[u8]) -> Result<Prepared<J::Prepared>, RequestError> {
        let mut parts = self.parts();
        // What is canonical as it came is read once; whatever is wrong with it is told of its canonical form.
        let (request, spans) = if let Ok(read) = request_json::read(document) {
            parts.canonical.extend_from_slice(document);
            read
        } else {
            request_json::canonicalize(document, &mut parts.canonical)?;
            request_json::read(&parts.canonical)?
        };
        self.finish(request, parts, &spans)
    }

    /// Prepares a request made in memory.
    ///
    /// # Errors
    /// [`RequestError`]: the request breaks a rule that a document could not break either.
    pub fn request(&mut self, request: Request) -> Result<Prepared<J::Prepared>, RequestError> {
        request.check()?;
        let mut parts = self.parts();
        let spans = request_json::write(&request, &mut parts.canonical)?;
        self.finish(request, parts, &spans)
    }

    fn parts(&mut self) -> Parts<J::Prepared> {
        match self.space.spare.pop() {
            Some(mut parts) => {
                parts.canonical.clear();
                parts.windows.clear();
                parts.indexed.clear();
                parts
            }
            None => Parts {
                canonical: Vec::with_capacity(REQUEST_BYTES_TYPICAL),
                judged: Vec::new(),
                windows: Vec::new(),
                indexed: Vec::new(),
            },
        }
    }

    fn finish(
        &mut self,
        request: Request,
        parts: Parts<J::Prepared>,
        spans: &request_json::Spans,
    ) -> Result<Prepared<J::Prepared>, RequestError> {
        let Parts {
            canonical,
            mut judged,
            windows,
            indexed,
        } = parts;
        judged.resize_with(spans.len(), J::Prepared::default);
        let mut prepared = Prepared {
            request,
            reference: None,
            policy: self.judge.policy(),
            judged,
            windows,
            indexed,
            canonical,
        };
        for ((transfer, span), judged) in (0_u32..).zip(spans).zip(&mut prepared.judged) {
            let bytes = prepared.canonical.get(span.clone()).unwrap_or_default();
            self.judge
                .prepare(&mut self.space.scratch, bytes, judged)
                .map_err(RequestError::Judge)?;
            prepared
                .windows
                .extend(J::windows(judged).map(|query| PreparedWindow {
                    transfer,
                    token: self.window_key.token(query.key),
                    window: query.window,
                    asked: query.asked,
                    measure: query.measure,
                    value: query.value.map(|value| self.window_key.token(value)),
                }));
        }
        let windows = prepared.windows.iter();
        let windows = windows.map(|window| Window {
            token: window.token,
            transfer: window.transfer,
            value: window.value,
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
