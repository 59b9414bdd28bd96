//! Asking a key service: bounded in time and bytes, without redirects and proxies, so that what authorises us goes
//! to the one address that was given.
//!
//! INVARIANT(bounded-parser): an answer has at most [`ANSWER_BYTES_MAX`] bytes.

use std::time::Duration;

use ureq::http;
use ureq::tls::{RootCerts, TlsConfig};

/// Longest answer worth reading, in bytes.
const ANSWER_BYTES_MAX: u64 = 1 << 20;

/// Longest piece of a service's own words that is repeated, in characters.
const WORDS_MAX: usize = 200;

const CONNECT: Duration = Duration::from_secs(3);

/// From the beginning of a request to the end of its answer.
const REQUEST: Duration = Duration::from_secs(10);

/// What sends requests.
pub(crate) fn agent(roots: RootCerts) -> ureq::Agent {
    ureq::Agent::config_builder()
        .tls_config(TlsConfig::builder().root_certs(roots).build())
        .timeout_connect(Some(CONNECT))
        .timeout_global(Some(REQUEST))
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .proxy(None)
        .user_agent("paygod")
        .build()
        .new_agent()
}

/// Status and body of an answer, whatever they are.
///
/// # Errors
/// There was no whole answer in time, or it is too long.
pub(crate) fn answer(
    reply: Result<http::Response<ureq::Body>, ureq::Error>,
) -> Result<http::Response<Vec<u8>>, ureq::Error> {
    let (head, body) = reply?.into_parts();
    let limited = body.into_with_config().limit(ANSWER_BYTES_MAX);
    Ok(http::Response::from_parts(head, limited.read_to_vec()?))
}

/// What a service said, in one line that is not too long.
pub(crate) fn shown(words: &str) -> String {
    words
        .chars()
        .filter(|char| !char.is_control())
        .take(WORDS_MAX)
        .collect()
}
