//! Asking a calendar.

use std::io::Read as _;
use std::time::Duration;

use paygod_types::{Code, code};
use ureq::http::StatusCode;

use super::{ANSWER_BYTES_MAX, AllowList};
use crate::ots::{CalendarUri, MESSAGE_BYTES_MAX, OtsError, Timestamp};

/// The kind of answer that calendars give.
const ACCEPT: &str = "application/vnd.opentimestamps.v1";

/// Longest head of an answer, in bytes.
const HEAD_BYTES_MAX: usize = 16_384;

/// Asks calendars. Every question ends within its time; none is asked twice.
#[derive(Clone, Debug)]
pub struct Calendar {
    agent: ureq::Agent,
    allowed: AllowList,
}

/// A calendar did not answer as one should.
#[derive(Debug, thiserror::Error)]
pub enum CalendarError {
    /// The address is not on the list.
    #[error("the calendar `{uri}` is not on the list of those that may be asked")]
    NotAllowed {
        /// The address.
        uri: CalendarUri,
    },
    /// No answer, or none in time.
    #[error("the calendar `{uri}` does not answer: {reason}")]
    Silent {
        /// The address.
        uri: CalendarUri,
        /// What the library says.
        reason: String,
    },
    /// It says something else than yes.
    #[error("the calendar `{uri}` answers with status {status}; redirects are not followed")]
    Status {
        /// The address.
        uri: CalendarUri,
        /// The HTTP status.
        status: u16,
    },
    /// The answer is too long.
    #[error("the calendar `{uri}` answers with more than {ANSWER_BYTES_MAX} bytes")]
    TooLong {
        /// The address.
        uri: CalendarUri,
    },
    /// The answer is no timestamp of what was asked about.
    #[error("the calendar `{uri}` answers with what is no timestamp: {error}")]
    Garbage {
        /// The address.
        uri: CalendarUri,
        /// Why.
        error: OtsError,
    },
}

impl CalendarError {
    /// The permanent code.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::NotAllowed { .. } => code::ANCHOR_NOT_ALLOWED,
            _ => code::ANCHOR_CALENDAR,
        }
    }
}

impl Calendar {
    /// Asks the calendars of a list, each question within `timeout`, from name look-up to last byte.
    #[must_use]
    pub fn new(allowed: AllowList, timeout: Duration) -> Self {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(timeout))
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .max_response_header_size(HEAD_BYTES_MAX)
            .user_agent(concat!("paygod/", env!("CARGO_PKG_VERSION")))
            .accept(ACCEPT)
            .proxy(None)
            .build();
        Self {
            agent: config.into(),
            allowed,
        }
    }

    /// The addresses that may be asked.
    #[must_use]
    pub const fn allowed(&self) -> &AllowList {
        &self.allowed
    }

    /// Submits a digest: what is promised of it.
    ///
    /// # Errors
    /// The calendar may not be asked, or does not answer with a timestamp of the digest.
    pub fn submit(&self, uri: &CalendarUri, digest: &[u8; 32]) -> Result<Timestamp, CalendarError> {
        let url = self.url(uri, "digest")?;
        let answer = self.agent.post(url).send(digest.as_slice());
        let bytes = read(uri, answer)?.ok_or_else(|| CalendarError::Status {
            uri: uri.clone(),
            status: 404,
        })?;
        parse(uri, &bytes, digest)
    }

    /// Asks for more about a message that the calendar took; `None`: not yet.
    ///
    /// # Errors
    /// The calendar may not be asked, or does not answer with a timestamp of the message.
    pub fn upgrade(
        &self,
        uri: &CalendarUri,
        message: &[u8],
    ) -> Result<Option<Timestamp>, CalendarError> {
        if message.is_empty() || message.len() > MESSAGE_BYTES_MAX {
            let error = OtsError::message(message.len());
            return Err(CalendarError::Garbage {
                uri: uri.clone(),
                error,
            });
        }
        let mut path = b"timestamp/".to_vec();
        paygod_types::write_hex(message, &mut path);
        let url = self.url(uri, &String::from_utf8_lossy(&path))?;
        let answer = self.agent.get(url).call();
        let bytes = read(uri, answer)?;
        bytes.map(|bytes| parse(uri, &bytes, message)).transpose()
    }

    fn url(&self, uri: &CalendarUri, path: &str) -> Result<String, CalendarError> {
        if !self.allowed.allows(uri) {
            return Err(CalendarError::NotAllowed { uri: uri.clone() });
        }
        Ok(format!("{}/{path}", uri.as_str().trim_end_matches('/')))
    }
}

type Answered = Result<ureq::http::Response<ureq::Body>, ureq::Error>;

/// The body of a yes; `None` of a not-found.
fn read(uri: &CalendarUri, answer: Answered) -> Result<Option<Vec<u8>>, CalendarError> {
    let silent = |reason: String| CalendarError::Silent {
        uri: uri.clone(),
        reason,
    };
    let mut answer = answer.map_err(|error| silent(error.to_string()))?;
    match answer.status() {
        StatusCode::OK => {}
        StatusCode::NOT_FOUND => return Ok(None),
        status => {
            return Err(CalendarError::Status {
                uri: uri.clone(),
                status: status.as_u16(),
            });
        }
    }
    let most = u64::try_from(ANSWER_BYTES_MAX)
        .unwrap_or(u64::MAX)
        .saturating_add(1);
    let mut bytes = Vec::new();
    let body = answer.body_mut().as_reader();
    body.take(most)
        .read_to_end(&mut bytes)
        .map_err(|error| silent(error.to_string()))?;
    if bytes.len() > ANSWER_BYTES_MAX {
        return Err(CalendarError::TooLong { uri: uri.clone() });
    }
    Ok(Some(bytes))
}

fn parse(uri: &CalendarUri, bytes: &[u8], message: &[u8]) -> Result<Timestamp, CalendarError> {
    Timestamp::parse(bytes, message).map_err(|error| CalendarError::Garbage {
        uri: uri.clone(),
        error,
    })
}
