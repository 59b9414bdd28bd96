//! What the engine needs from outside: sealed history, and keys that make tokens.
//!
//! The engine never reads a clock, a disk or a random source: a store implements [`History`], and the
//! sequencer passes the time in.

use core::fmt;
use core::time::Duration;
use std::error::Error;

use hmac::{Hmac, KeyInit, Mac};
use paygod_policy::{Measure, WindowFact, WindowToken};
use paygod_types::{Code, Digest, RequestId, Seq, Timestamp, code};
use sha2::Sha256;

use crate::command::Action;
use crate::entry::{Entry, RequestRef};

/// Sealed history, as the engine asks it. Answers count every entry before the one being made,
/// those of the group that is still being committed included.
pub trait History {
    /// Finds the entry that used this request id.
    ///
    /// # Errors
    /// [`HistoryError`] if history cannot be read: the request then has no outcome yet.
    fn find_request(&self, id: &RequestId) -> Result<Option<SealedRequest>, HistoryError>;

    /// The key under which the entry `seq` commits to its request, from the vault; `None` once erased.
    ///
    /// # Errors
    /// [`HistoryError`] if the vault cannot be read.
    fn commitment_key(&self, seq: Seq) -> Result<Option<CommitmentKey>, HistoryError>;

    /// What was sealed under `token` at `since` or later, by entries whose effects name it
    /// ([`crate::Effects::windows`]), measured as the query says.
    ///
    /// # Errors
    /// [`HistoryError`] if history cannot be read.
    fn window(&self, query: WindowLookup) -> Result<WindowFact, HistoryError>;
}

/// A question about one window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowLookup {
    /// The window's token.
    pub token: WindowToken,
    /// The earliest time that counts.
    pub since: Timestamp,
    /// How long before the entry being made that is. With token and measure it says which window is asked about,
    /// whenever it is.
    pub span: Duration,
    /// What is read beside the count.
    pub measure: Measure,
}

/// What the engine needs to know of an entry that used a request id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealedRequest {
    /// Its leaf index.
    pub seq: Seq,
    /// What it did.
    pub action: Action,
    /// Whether it posted money: it did not if it was denied, or only reserved.
    pub posted: bool,
    /// What it commits to.
    pub request: Option<RequestRef>,
}

impl SealedRequest {
    /// Of an entry that was read.
    #[must_use]
    pub fn of(entry: &Entry) -> Self {
        Self {
            seq: entry.seq,
            action: entry.body.action(),
            posted: entry.body.posts(),
            request: entry.request,
        }
    }
}

/// History could not be read.
#[derive(Debug, thiserror::Error)]
#[error("sealed history could not be read: {source}; nothing was sealed, send the request again")]
pub struct HistoryError {
    /// What went wrong.
    #[source]
    source: Box<dyn Error + Send + Sync>,
}

impl HistoryError {
    /// Wraps what went wrong.
    pub fn new(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            source: source.into(),
        }
    }

    /// The permanent code.
    #[must_use]
    pub const fn code(&self) -> Code {
        code::HISTORY_UNREADABLE
    }
}

/// The book's key that turns window keys into tokens. It never leaves the book.
#[derive(Clone)]
pub struct WindowKey(Hmac<Sha256>);

impl WindowKey {
    /// From the book's 32 secret bytes.
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Self {
        Self(keyed(key))
    }

    /// HMAC-SHA256(key, `paygod/v1 window\0` ‖ key bytes), the first 16 bytes.
    #[must_use]
    pub fn token(&self, key_bytes: &[u8]) -> WindowToken {
        let mut mac = self.0.clone();
        mac.update(b"paygod/v1 window\0");
        mac.update(key_bytes);
        WindowToken(first_half(mac))
    }

    /// HMAC-SHA256(key, `paygod/v1 alias\0` ‖ name), the first 16 bytes: an account's other name (an
    /// IBAN without spaces, say) as it may stand in an entry.
    #[must_use]
    pub fn alias(&self, name: &[u8]) -> crate::command::Alias {
        let mut mac = self.0.clone();
        mac.update(b"paygod/v1 alias\0");
        mac.update(name);
        crate::command::Alias(first_half(mac))
    }
}

impl fmt::Debug for WindowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WindowKey(..)")
    }
}

/// The key under which one entry commits to its vaulted request; derived by the vault from the input's
/// data key, and gone when that is erased.
#[derive(Clone)]
pub struct CommitmentKey([u8; 32]);

impl CommitmentKey {
    /// From the vault's 32 secret bytes.
    #[must_use]
    pub const fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// HMAC-SHA256(key, canonical request bytes).
    #[must_use]
    pub fn commit(&self, canonical: &[u8]) -> Digest {
        let mut mac = keyed(&self.0);
        mac.update(canonical);
        Digest::from(<[u8; 32]>::from(mac.finalize().into_bytes()))
    }
}

impl fmt::Debug for CommitmentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CommitmentKey(..)")
    }
}

impl Drop for CommitmentKey {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.0);
    }
}

fn keyed(key: &[u8; 32]) -> Hmac<Sha256> {
    // HMAC pads a key shorter than its block with zeros (RFC 2104 section 2).
    let mut block = [0; 64];
    for (to, from) in block.iter_mut().zip(key) {
        *to = *from;
    }
    <Hmac<Sha256> as KeyInit>::new(&block.into())
}

fn first_half(mac: Hmac<Sha256>) -> [u8; 16] {
    Digest::from(<[u8; 32]>::from(mac.finalize().into_bytes())).first_half()
}
