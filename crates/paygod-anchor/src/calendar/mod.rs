//! The client of OpenTimestamps calendars.
//!
//! A calendar takes digests, puts one digest of many into a Bitcoin transaction now and then, and hands out
//! the path from each to the block. It is trusted with nothing: what it answers is checked against headers,
//! and the worst it can do is not to answer. So an answer is bounded in bytes and time, no redirect is
//! followed, and addresses that an answer names are asked only if the [`AllowList`] has them.

mod allow;
mod client;

pub use allow::{AllowList, AllowListError};
pub use client::{Calendar, CalendarError};

/// Calendars that are asked when none are named: those of the stock client.
pub const DEFAULT_CALENDARS: &[&str] = &[
    "https://a.pool.opentimestamps.org",
    "https://b.pool.opentimestamps.org",
    "https://a.pool.eternitywall.com",
    "https://ots.btc.catallaxy.com",
];

/// Calendars that these send us on to, as the stock client allows them.
pub const DEFAULT_ALLOWED: &[&str] = &[
    "https://*.calendar.opentimestamps.org",
    "https://*.calendar.eternitywall.com",
    "https://*.calendar.catallaxy.com",
];

/// Longest answer, in bytes: the stock client's limit. A path to a block has about 700.
pub const ANSWER_BYTES_MAX: usize = 10_000;
