//! Asking web servers: bounded in time, without redirects and proxies, over TLS to other machines.

use paygod_tlog::limits::NOTE_BYTES_MAX;
use std::time::Duration;
use ureq::http::Uri;

/// How often one request is made before it counts as failed.
pub(super) const ATTEMPTS_MAX: u32 = 3;

/// Before the second attempt; twice as long before the third.
pub(super) const ATTEMPT_WAIT: Duration = Duration::from_millis(500);

/// From the beginning of a request to the head of its answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// Whether a web address may be asked: under TLS, so that nobody on the way shows an older book or reads what
/// authorises us; in the clear on loopback only.
pub(super) fn may_ask(address: &str) -> Result<(), &'static str> {
    let uri: Uri = address.parse().map_err(|_| "it is no web address")?;
    let loopback = matches!(uri.host(), Some("127.0.0.1" | "[::1]" | "localhost"));
    match uri.scheme_str() {
        Some("https") => Ok(()),
        Some("http") if loopback => Ok(()),
        _ => Err("it is neither https nor, on loopback, http"),
    }
}

/// What sends requests, each within `timeout` from its beginning to the end of its answer.
pub(super) fn agent(timeout: Duration) -> ureq::Agent {
    ureq::Agent::config_builder()
        .timeout_connect(Some(ANSWER_TIMEOUT))
        .timeout_recv_response(Some(ANSWER_TIMEOUT))
        .timeout_global(Some(timeout))
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .max_response_header_size(NOTE_BYTES_MAX)
        .user_agent("paygod")
        .proxy(None)
        .build()
        .new_agent()
}

/// Why there was no answer, without the address, which may be a secret.
pub(super) fn why(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Timeout(_) => "no answer in time".to_owned(),
        ureq::Error::HostNotFound => "its host is not found".to_owned(),
        ureq::Error::Io(error) => error.kind().to_string(),
        ureq::Error::Rustls(error) => format!("TLS: {error}"),
        _ => "what it answers is no HTTP".to_owned(),
    }
}

/// Whether asking once more may help.
pub(super) const fn may_pass(status: u16) -> bool {
    matches!(status, 408 | 429 | 500..=599)
}
