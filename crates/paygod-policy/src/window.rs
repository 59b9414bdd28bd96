//! Velocity windows: the facts about sealed history that a decision reads.
//!
//! A pack asks `velocity([keys…], duration("24h"))`. The policy crate turns the key values into **key
//! bytes** while preparing; the sequencer turns those into a [`WindowToken`] under the book's key and
//! answers with a [`WindowFact`] from its index of sealed, not denied entries before this one.
//!
//! Key bytes hold personal data (names, account numbers): they are for the token only and must never
//! be stored or logged. This module neither hashes nor stores anything.

use core::time::Duration;

use paygod_types::{Amount, Seq};

/// Sixteen bytes that stand for a window's key values in entries and indexes: a keyed hash of the key
/// bytes, made by the sequencer, so that an export does not give the values away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WindowToken(pub [u8; 16]);

/// What sealed history says about one window, the transfer being judged not included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WindowFact {
    /// How many transfers with the same key values were sealed and not denied within the window.
    pub count: u64,
    /// The sum of their amounts, in minor units of the judged transfer's currency. Meaningful only for
    /// windows whose [`WindowQuery::sum_used`] is set: their key includes the currency.
    pub sum: Amount,
    /// The latest of them.
    pub last_seq: Option<Seq>,
}

/// One question a prepared transfer puts to sealed history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowQuery<'a> {
    /// The key values, framed unambiguously and prefixed with the paths they come from. Personal data.
    /// Every query's token is to be indexed for later transfers, unless this transfer is denied.
    pub key: &'a [u8],
    /// How far back to look, in whole nanoseconds before the judged transfer's time.
    pub window: Duration,
    /// Whether the decision can read the answer. If not, `WindowFact::default()` may be passed instead:
    /// the token is still indexed, but history need not be asked.
    pub asked: bool,
    /// Whether the sum is read (else only the count).
    pub sum_used: bool,
}
